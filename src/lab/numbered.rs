//! Files that are kept under a number that only grows: `01_tensor.1.rs`, `01_tensor.2.rs`.

use super::atomic;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// One kept file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub number: usize,
    /// Where it is.
    pub path: PathBuf,
}

/// Keeps `bytes` in `folder` under the next number.
///
/// # Errors
/// When the folder cannot be written.
pub fn keep(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let mut number = all(folder, name).last().map_or(1, |last| last.number + 1);
    loop {
        let path = folder.join(format!("{name}.{number}.rs"));
        if atomic::write_new(&path, bytes)? {
            return Ok(path);
        }
        number += 1;
    }
}

/// All files kept under `name`, the oldest first.
#[must_use]
pub fn all(folder: &Path, name: &str) -> Vec<Numbered> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let numbered = |path: PathBuf| {
        let middle = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('.')?;
        let number = middle.strip_suffix(".rs")?.parse().ok()?;
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
        let numbers =
            all(folder.path(), "01_tensor").iter().map(|kept| kept.number).collect::<Vec<_>>();
        assert_eq!(numbers, [1, 3, 4, 5, 6, 7, 8, 9, 10, 11], "by number, not by name");
        assert!(keep(folder.path(), "01_tensor", b"").unwrap().ends_with("01_tensor.12.rs"));
    }
}
