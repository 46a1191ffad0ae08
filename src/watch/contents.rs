//! Detects whether a file's content changed, by a fingerprint of each file: a touch without a change,
//! or a second write that changes nothing (format on save), must not start a run.

use super::Change;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// Larger files are compared by length and modification time only: no exercise is that large, and
/// something else under its name must not be read in full.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The content of each file when it was last looked at.
#[derive(Debug, Default)]
pub struct Contents {
    known: HashMap<PathBuf, Option<blake3::Hash>>,
}

impl Contents {
    /// Looks at the file. `None` if its content is the same as before.
    pub fn look(&mut self, path: &Path) -> Option<Change> {
        let now = fingerprint(path).ok();
        let before = self.known.insert(path.to_owned(), now);
        if before == Some(now) {
            return None;
        }
        Some(match now {
            Some(_) => Change::Saved(path.to_owned()),
            None => Change::Gone(path.to_owned()),
        })
    }

    /// Whether the file was readable when last looked at and is empty or missing now: most likely an
    /// editor is in the middle of a save.
    pub fn in_flight(&self, path: &Path) -> bool {
        let readable = matches!(self.known.get(path), Some(Some(_)));
        readable && std::fs::metadata(path).map_or(true, |meta| meta.len() == 0)
    }
}

fn fingerprint(path: &Path) -> io::Result<blake3::Hash> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if meta.len() > LARGEST {
        let stamp = format!("{} {:?}", meta.len(), meta.modified()?);
        return Ok(blake3::hash(stamp.as_bytes()));
    }
    Ok(blake3::hash(&std::fs::read(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_of_content_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        let mut contents = Contents::default();
        assert_eq!(contents.look(&file), Some(Change::Gone(file.clone())));
        std::fs::write(&file, "one").unwrap();
        assert_eq!(contents.look(&file), Some(Change::Saved(file.clone())));
        std::fs::write(&file, "one").unwrap();
        assert_eq!(contents.look(&file), None);
        std::fs::remove_file(&file).unwrap();
        assert!(contents.in_flight(&file));
        assert_eq!(contents.look(&file), Some(Change::Gone(file.clone())));
        assert!(!contents.in_flight(&file));
    }

    #[test]
    fn a_file_that_an_editor_has_emptied_and_not_yet_written_is_in_flight() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        let mut contents = Contents::default();
        std::fs::write(&file, "one").unwrap();
        contents.look(&file);
        assert!(!contents.in_flight(&file));
        std::fs::write(&file, "").unwrap();
        assert!(contents.in_flight(&file));
        std::fs::write(&file, "two").unwrap();
        assert!(!contents.in_flight(&file));
    }

    #[test]
    fn a_file_that_became_a_folder_counts_as_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        let mut contents = Contents::default();
        std::fs::write(&file, "one").unwrap();
        contents.look(&file);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert_eq!(contents.look(&file), Some(Change::Gone(file)));
    }
}
