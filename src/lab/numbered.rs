//! Files that are kept under a number that only grows: `01_tensor.1.rs`, `01_tensor.2.rs`.

use super::atomic;
use crate::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The ending of an exercise.
const RUST: &str = ".rs";

/// One kept file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub number: usize,
    /// Where it is.
    pub path: PathBuf,
}

/// Writes `bytes` to `path`. Other bytes that are there are kept beside it, as `result.1.json`; returns where.
///
/// # Errors
/// When what is there cannot be read, or the folder cannot be written; then the file is as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<Option<PathBuf>, Error> {
    let text = |part: Option<&OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let backup = match std::fs::read(path) {
        Ok(before) if before == bytes => return Ok(None),
        Ok(before) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let ending = text(path.extension()).map_or_else(String::new, |kind| format!(".{kind}"));
            let stem = text(path.file_stem()).unwrap_or_default();
            Some(keep_as(folder.unwrap_or(Path::new(".")), &stem, &ending, &before)?)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io("back up", path, &error)),
    };
    atomic::write(path, bytes)?;
    Ok(backup)
}

/// Keeps `bytes`, an exercise, in `folder` under the next number.
///
/// # Errors
/// When the folder cannot be written.
pub fn keep(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    keep_as(folder, name, RUST, bytes)
}

fn keep_as(folder: &Path, name: &str, ending: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let mut number = all_as(folder, name, ending).last().map_or(1, |last| last.number + 1);
    loop {
        let path = folder.join(format!("{name}.{number}{ending}"));
        if atomic::write_new(&path, bytes)? {
            return Ok(path);
        }
        number += 1;
    }
}

/// All exercises kept under `name`, the oldest first.
#[must_use]
pub fn all(folder: &Path, name: &str) -> Vec<Numbered> {
    all_as(folder, name, RUST)
}

fn all_as(folder: &Path, name: &str, ending: &str) -> Vec<Numbered> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let numbered = |path: PathBuf| {
        let middle = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('.')?;
        let number = middle.strip_suffix(ending)?.parse().ok()?;
        Some(Numbered { number, path })
    };
    let mut found: Vec<_> = entries.filter_map(|entry| numbered(entry.path())).collect();
    found.sort_by_key(|kept| kept.number);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_other_files_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..11 {
            keep(folder.path(), "01_tensor", b"text").unwrap();
        }
        std::fs::write(folder.path().join("01_tensor.rs"), "").unwrap();
        std::fs::write(folder.path().join("02_activations.99.rs"), "").unwrap();
        std::fs::remove_file(folder.path().join("01_tensor.2.rs")).unwrap();
        let all = all(folder.path(), "01_tensor");
        let numbers: Vec<usize> = all.iter().map(|kept| kept.number).collect();
        assert_eq!(numbers, [1, 3, 4, 5, 6, 7, 8, 9, 10, 11], "by number, not by name");
        assert!(keep(folder.path(), "01_tensor", b"").unwrap().ends_with("01_tensor.12.rs"));
    }

    #[test]
    fn what_a_new_file_replaces_is_kept_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        for (name, first, second) in [
            ("result.json", "result.1.json", "result.2.json"),
            ("plain", "plain.1", "plain.2"),
            (".hidden", ".hidden.1", ".hidden.2"),
        ] {
            let path = folder.path().join(name);
            let write = |text: &str| replace(&path, text.as_bytes()).unwrap();
            let kept = |name: &str| Some(folder.path().join(name));
            assert_eq!([write("one"), write("one")], [None, None], "nothing to keep");
            assert_eq!((write("two"), write("three")), (kept(first), kept(second)));
            let texts = [name, first, second]
                .map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap());
            assert_eq!(texts, ["three", "one", "two"]);
        }
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let error = replace(&folder.path().join("folder"), b"").unwrap_err();
        assert!(error.message.contains("folder"), "{error}");
    }
}
