//! The folder in which one file is compiled and run. It keeps rustc's incremental state between builds. One run at a
//! time uses it; a second tutor on the same cache gets the next one.

use crate::error::Error;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A folder that no other run uses until this value is dropped.
#[derive(Debug)]
pub(in crate::runner) struct WorkDir {
    folder: PathBuf,
    _lock: File,
}

impl WorkDir {
    /// The first free folder for the module and the kind of run: `check`, `explorable`.
    pub(in crate::runner) fn open(root: &Path, slug: &str, kind: &str) -> Result<Self, Error> {
        let mut number = 0;
        loop {
            let folder = root.join("work").join(format!("{slug}-{kind}-{number}"));
            let failed = |error| Error::io("open the folder", &folder, &error);
            fs::create_dir_all(&folder).map_err(failed)?;
            let options = &mut File::options();
            let lock =
                options.create(true).append(true).open(folder.join("lock")).map_err(failed)?;
            match lock.try_lock() {
                Ok(()) => return Ok(Self { folder, _lock: lock }),
                Err(TryLockError::WouldBlock) => number += 1,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// Where it is.
    pub(in crate::runner) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where rustc keeps its incremental state.
    pub(in crate::runner) fn incremental(&self) -> PathBuf {
        self.folder.join("incremental")
    }

    /// Removes the incremental state; false when there was none.
    pub(in crate::runner) fn forget(&self) -> bool {
        fs::remove_dir_all(self.incremental()).is_ok()
    }

    /// Writes a source file.
    pub(in crate::runner) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|error| Error::io("write", &path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_get_two_folders_and_one_after_the_other_the_same() {
        let root = tempfile::tempdir().unwrap();
        let open = || WorkDir::open(root.path(), "01_tensor", "check").unwrap();
        let (first, second) = (open(), open());
        assert_ne!(first.folder(), second.folder());
        let folder = first.folder().to_owned();
        drop(first);
        assert_eq!(open().folder(), folder);
    }
}
