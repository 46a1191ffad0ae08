//! Functions that draw inputs from a seed and collect what the cells of a module return for them. The same text is compiled
//! for the tutor, where it runs on the reference, and for the tests of a submission. Must not know which modules have one.

use crate::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;

/// The functions of one module.
#[derive(Debug, Clone, Copy)]
pub struct SeededModule {
    /// Their source file. A line that ends in ` as subject;` names the module; in the program of a submission, the crate
    /// `subject` takes its place.
    pub text: &'static str,
    /// The same functions on the reference, each with the name of the test after which it runs.
    pub functions: &'static [Seeded],
}

impl SeededModule {
    /// What is compiled for a submission. Line N of it is line N of the file.
    pub(super) fn for_submission(&self) -> String {
        let kept = |line: &str| !line.trim_end().ends_with(" as subject;");
        let line = |line: &'static str| if kept(line) { line } else { "\n" };
        self.text.split_inclusive('\n').map(line).collect()
    }

    /// For each line, the test whose function it belongs to.
    pub(super) fn tests(&self) -> Vec<Option<&'static str>> {
        let mut current = None;
        let test = |line: &'static str| {
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            current = match name {
                Some(name) => self.functions.iter().map(|row| row.0).find(|known| *known == name),
                None => current,
            };
            current
        };
        self.text.lines().map(test).collect()
    }

    /// What the reference returns, for the test of that name; none if it has no function.
    pub(super) fn wanted(&self, test: &str, seed: u64) -> Option<Outputs> {
        let (_, function) = self.functions.iter().find(|(name, _)| *name == test)?;
        let mut outputs = Outputs::default();
        function(&mut Rng::seeded(seed), &mut outputs);
        Some(outputs)
    }
}

/// The seed for the text of a submission. It follows from the text and from a secret of this cache, so it is the same when
/// the text is graded again, and no student can know it.
pub(super) fn seed(cache: &Path, text: &str) -> Result<u64, Error> {
    let path = cache.join("seed");
    let secret = secret(cache, &path).map_err(|error| Error::io("read", &path, &error))?;
    let mut hasher = blake3::Hasher::new_derive_key("tinytorch-tutor: the seed of a submission");
    hasher.update(&secret).update(text.as_bytes());
    let mut seed = [0; 8];
    hasher.finalize_xof().fill(&mut seed);
    Ok(u64::from_le_bytes(seed))
}

/// The secret of the cache, made when there is none: by one rename, so that two graders have the same.
fn secret(cache: &Path, path: &Path) -> io::Result<Vec<u8>> {
    if !path.exists() {
        let mut random = [0; 32];
        fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let mut made = tempfile::NamedTempFile::new_in(cache)?;
        made.write_all(&random)?;
        if let Err(error) = made.persist_noclobber(path)
            && error.error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error.error);
        }
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: SeededModule = SeededModule {
        text: "use tinytorch::tensor as subject;\nuse subject::Tensor;\nfn one(x: u8) {\n}\nfn helper() {}\n",
        functions: &[("one", |rng, out| out.number("x", rng.uniform()))],
    };

    #[test]
    fn each_line_belongs_to_the_test_after_which_it_runs() {
        let text = MODULE.for_submission();
        assert!(text.starts_with("\nuse subject::Tensor;\n"), "{text}");
        assert_eq!(MODULE.tests(), [None, None, Some("one"), Some("one"), None]);
    }

    #[test]
    fn the_same_text_has_the_same_seed_and_another_text_or_cache_another() {
        let [cache, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let seed = |cache: &tempfile::TempDir, text| seed(cache.path(), text).unwrap();
        assert_eq!(seed(&cache, "a"), seed(&cache, "a"));
        assert_ne!(seed(&cache, "a"), seed(&cache, "b"));
        assert_ne!(seed(&cache, "a"), seed(&other, "a"));
        let wanted = |seed| MODULE.wanted("one", seed).unwrap();
        assert_eq!(wanted(1), wanted(1));
        assert_ne!(wanted(1), wanted(2));
        assert_eq!(MODULE.wanted("two", 1), None);
    }
}
