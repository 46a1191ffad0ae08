//! The folder in which one file is compiled and run. It keeps rustc's incremental state between builds. One run at a
//! time uses it; a second tutor on the same cache gets the next one. An untrusted file gets a new one, which is gone
//! after its run.

use super::cache::WORK;
use super::private::Private;
use crate::error::Error;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A folder that no other run uses until this value is dropped.
#[derive(Debug)]
pub(in crate::runner) struct WorkDir {
    folder: PathBuf,
    held: Held,
}

/// What keeps the folder from other runs.
#[derive(Debug)]
enum Held {
    /// A lock in it.
    Locked { _lock: File },
    /// It is new, and removed when dropped.
    Temporary { _folder: Private },
}

impl WorkDir {
    /// The first free folder for the module and the kind of run: `check`, `explorable`.
    pub(in crate::runner) fn open(root: &Path, slug: &str, kind: &str) -> Result<Self, Error> {
        let mut number = 0;
        loop {
            let folder = root.join(WORK).join(format!("{slug}-{kind}-{number}"));
            let failed = |error| Error::io("open the folder", &folder, &error);
            fs::create_dir_all(&folder).map_err(failed)?;
            let options = &mut File::options();
            let lock =
                options.create(true).append(true).open(folder.join("lock")).map_err(failed)?;
            match lock.try_lock() {
                Ok(()) => return Ok(Self { folder, held: Held::Locked { _lock: lock } }),
                Err(TryLockError::WouldBlock) => number += 1,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// A new folder, without state of earlier runs. Its name says nothing about the file.
    pub(in crate::runner) fn temporary(root: &Path) -> Result<Self, Error> {
        let work = root.join(WORK);
        let make = || {
            fs::create_dir_all(&work)?;
            let folder = Private::new(&work)?;
            make_open(&folder.path().join("source"))?;
            Ok(folder)
        };
        let held = make().map_err(|error| Error::io("create a folder in", &work, &error))?;
        Ok(Self { folder: held.path().join("source"), held: Held::Temporary { _folder: held } })
    }

    /// A new, empty folder beside the one of a temporary folder.
    pub(in crate::runner) fn beside(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.folder.with_file_name(name);
        make_open(&path).map_err(|error| Error::io("create the folder", &path, &error))?;
        Ok(path)
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
        let write = || {
            fs::write(&path, text)?;
            match self.held {
                Held::Temporary { .. } => set_mode(&path, 0o644),
                Held::Locked { .. } => Ok(()),
            }
        };
        write().map_err(|error| Error::io("write", &path, &error))
    }
}

/// Makes a folder that another user can read: the compiler runs as one.
fn make_open(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    set_mode(path, 0o755)
}

/// Sets the permissions of a file.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::build::cache::Cache;
    use std::time::{Duration, SystemTime};

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

    #[test]
    fn the_folder_of_a_killed_grader_is_swept_and_that_of_a_running_one_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let open = || Cache::open(root.path().to_owned()).unwrap();
        let cache = open();
        let running = WorkDir::temporary(cache.root()).unwrap();
        let running = running.folder().parent().unwrap();
        // As a kill leaves it: under such a name, and without a lock.
        let killed = running.with_extension("killed");
        fs::create_dir_all(killed.join("source")).unwrap();
        for folder in [running, &killed] {
            let yesterday = SystemTime::now() - Duration::from_secs(60 * 60 * 24);
            File::open(folder).unwrap().set_modified(yesterday).unwrap();
        }
        open();
        assert!(running.exists() && !killed.exists());
    }
}
