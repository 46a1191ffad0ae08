//! A folder that one process fills: gone when dropped. A lock on it, which ends with the process, tells what a killed one
//! left from what is in use, in every container on the cache. Must not know what is in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The prefix of its name.
const PREFIX: &str = ".new-";
/// How long such a folder is kept at least: not every file system has locks between machines. No crate takes that long to
/// compile, and no submission to grade.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// A folder that no sweep removes until this value is dropped.
#[derive(Debug)]
pub(in crate::runner) struct Private {
    folder: TempDir,
    /// Where the file system has no locks, the age alone counts.
    _lock: Option<File>,
}

impl Private {
    /// A new folder in `parent`.
    pub(in crate::runner) fn new(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::open(folder.path())
            .and_then(|lock| lock.try_lock().map(|()| lock).map_err(Into::into));
        Ok(Self { folder, _lock: lock.ok() })
    }

    /// Where it is.
    pub(in crate::runner) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether a killed process left this folder.
pub(super) fn is_abandoned(folder: &Path) -> bool {
    let is_private = folder
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    is_private && is_older(fs::metadata(folder), KEPT) && !is_locked(folder)
}

fn is_locked(folder: &Path) -> bool {
    let lock = File::open(folder).map(|folder| folder.try_lock());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// A date in the future means that the clock was changed, and says nothing about age.
pub(super) fn is_older(file: io::Result<fs::Metadata>, limit: Duration) -> bool {
    let modified = file.and_then(|file| file.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn what_a_killed_process_left_is_abandoned_and_what_is_in_use_or_new_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let used = Private::new(parent.path()).unwrap();
        // A killed process removes nothing, and its lock is gone.
        let killed = Private::new(parent.path()).unwrap().folder.keep();
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        assert!(!is_abandoned(&killed), "without locks it may be in use on another machine");
        for folder in [used.path(), &killed, &other] {
            let long_ago = SystemTime::now() - KEPT - Duration::from_secs(60);
            File::open(folder).unwrap().set_modified(long_ago).unwrap();
        }
        assert!(is_abandoned(&killed) && !is_abandoned(used.path()) && !is_abandoned(&other));
    }
}
