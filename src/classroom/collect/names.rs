//! Names in a source: which files matter, and which names are refused. Pure. Must not know whose a file is.

use crate::classroom::Assignment;
use crate::report::shared;

/// In folders.
const DEEPEST: usize = 32;

/// What a file may be, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// An exercise, perhaps under a wrong name.
    Exercise,
    /// What a student shares of their progress.
    Shared,
    /// An archive to look into.
    Archive(ArchiveKind),
}

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// `.zip`
    Zip,
    /// `.tar.gz`, `.tgz`
    TarGz,
}

/// The names of the exercises that are collected.
#[derive(Debug)]
pub struct Names {
    slugs: Vec<String>,
}

impl Names {
    /// The exercises of these assignments.
    #[must_use]
    pub fn new(assignments: &[Assignment]) -> Self {
        Self { slugs: assignments.iter().map(|assignment| assignment.slug.clone()).collect() }
    }

    /// What a file of this name may be; `None` where it does not matter.
    #[must_use]
    pub fn wanted(&self, name: &str) -> Option<Wanted> {
        match archive(name) {
            Some((_, kind)) => Some(Wanted::Archive(kind)),
            None if name == shared::FILE => Some(Wanted::Shared),
            None => self.meant(name).map(|_| Wanted::Exercise),
        }
    }

    /// The module and what is before it, in a name such as `01_tensor.rs` or `ada_01_tensor.rs`.
    #[must_use]
    pub fn exact<'a>(&self, name: &'a str) -> Option<(&str, &'a str)> {
        let stem = name.strip_suffix(".rs")?;
        self.slugs.iter().find_map(|slug| {
            let before = stem.strip_suffix(slug.as_str())?;
            let prefix = before.strip_suffix('_').unwrap_or(before);
            (before.is_empty() || prefix.len() < before.len()).then_some((slug.as_str(), prefix))
        })
    }

    /// The module of a file that `update` writes beside an exercise, `01_tensor.new.rs`, or keeps: `01_tensor.1.rs`.
    #[must_use]
    pub fn leftover(&self, name: &str) -> Option<&str> {
        let stem = name.strip_suffix(".rs")?;
        let is_number = |end: &str| end.parse::<u32>().is_ok();
        let unnumbered = stem.rsplit_once('.').filter(|(_, end)| is_number(end));
        let stem = unnumbered.map_or(stem, |(before, _)| before);
        let exercise = format!("{}.rs", stem.strip_suffix(".new").unwrap_or(stem));
        let (slug, _) = self.exact(&exercise).filter(|_| exercise != name)?;
        self.slugs.iter().find(|known| *known == slug).map(String::as_str)
    }

    /// The module that a name such as `01_Tensor (1).rs` seems to mean.
    #[must_use]
    pub fn meant(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        let stem = name.strip_suffix(".rs")?;
        let is_meant = |slug: &&String| {
            let word = slug.split_once('_').map_or(slug.as_str(), |(_, word)| word);
            stem.contains(word)
        };
        let exact = self.slugs.iter().find(|slug| stem.ends_with(slug.as_str()));
        exact.or_else(|| self.slugs.iter().find(is_meant)).map(String::as_str)
    }
}

/// The name of an archive without its ending, and how it is packed.
#[must_use]
pub fn archive(name: &str) -> Option<(&str, ArchiveKind)> {
    const ENDINGS: [(&str, ArchiveKind); 3] =
        [(".zip", ArchiveKind::Zip), (".tar.gz", ArchiveKind::TarGz), (".tgz", ArchiveKind::TarGz)];
    ENDINGS.iter().find_map(|(ending, kind)| {
        let (stem, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
        end.eq_ignore_ascii_case(ending).then_some((stem, *kind))
    })
}

/// Whether nothing of this name, in `folder` or below it, is handed in: hidden folders, build output, what macOS adds to
/// archives, and what `collect` replaced. In a lab's own folder everything but what the student shares.
#[must_use]
pub fn is_skipped(folder: Option<&str>, name: &str) -> bool {
    const LABS_OWN: &str = ".tinytorch";
    match (folder, name) {
        (Some(LABS_OWN), name) => name != shared::FILE,
        (_, LABS_OWN) => false,
        (_, name) => name.starts_with('.') || ["target", "__MACOSX", "earlier"].contains(&name),
    }
}

/// Whether something at this path in an archive is skipped.
#[must_use]
pub fn is_skipped_path(names: &[String]) -> bool {
    let folder = |depth: usize| Some(names.get(depth.checked_sub(1)?)?.as_str());
    names.iter().enumerate().any(|(depth, name)| is_skipped(folder(depth), name))
}

/// The parts of a name in an archive.
///
/// # Errors
/// When the name could lead out of the archive, or is odd.
pub fn parts(name: &str) -> Result<Vec<String>, String> {
    if name.contains(|c: char| c.is_control()) {
        return Err("its name contains a control character".into());
    }
    if name.contains('\\') {
        return Err("its name contains a backslash: pack it with `/` between folders".into());
    }
    let has_drive = name.as_bytes().get(1) == Some(&b':');
    if name.starts_with('/') || has_drive {
        return Err("its name is an absolute path".into());
    }
    let parts: Vec<&str> =
        name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("its name leads out of the archive with `..`".into());
    }
    if parts.len() > DEEPEST {
        return Err(format!("it is in more than {DEEPEST} folders"));
    }
    Ok(parts.into_iter().map(str::to_owned).collect())
}

/// Whether a folder at this depth is too deep.
#[must_use]
pub fn is_too_deep(depth: usize) -> bool {
    depth > DEEPEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;

    fn names() -> Names {
        let modules = Course::tinytorch().modules();
        Names::new(&modules[..4].iter().map(Assignment::of).collect::<Vec<_>>())
    }

    #[test]
    fn an_exercise_is_known_by_its_name_alone_or_behind_the_students() {
        let names = names();
        assert_eq!(names.exact("01_tensor.rs"), Some(("01_tensor", "")));
        assert_eq!(names.exact("ada_01_tensor.rs"), Some(("01_tensor", "ada")));
        for name in ["x01_tensor.rs", "01_tensor.RS", "01_Tensor.rs", "01_tensor.1.rs", "tensor.rs"]
        {
            assert_eq!(names.exact(name), None, "{name}");
            assert_eq!(names.meant(name), Some("01_tensor"), "{name}");
        }
        for name in
            ["01_tensor.new.rs", "01_tensor.new.2.rs", "01_tensor.12.rs", "ada_01_tensor.new.rs"]
        {
            assert_eq!(names.leftover(name), Some("01_tensor"), "{name}");
        }
        for name in ["01_tensor.rs", "01_tensor.old.rs", "x01_tensor.1.rs", "01_tensor.1", ".1.rs"]
        {
            assert_eq!(names.leftover(name), None, "{name}");
        }
        assert_eq!(names.wanted("Cargo.toml"), None);
        assert_eq!(names.wanted("main.rs"), None);
        assert_eq!(names.wanted("ada.TAR.GZ"), Some(Wanted::Archive(ArchiveKind::TarGz)));
        assert_eq!(names.wanted("é"), None);
    }

    #[test]
    fn a_name_that_could_lead_out_or_is_odd_is_refused() {
        for name in
            ["../a.rs", "a/../../b", "/etc/passwd", "C:/a", "a\\b", "a\0b", "a\x1b[2J", "..", "\n"]
        {
            assert!(parts(name).is_err(), "{name:?}");
        }
        assert!(parts(&"a/".repeat(40)).is_err());
        assert_eq!(parts("./a//b/..c").unwrap(), ["a", "b", "..c"]);
    }
}
