//! Atomic writes: into a temporary file in the same folder, synced to the disk, then renamed.

use crate::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to `path`, replacing what is there. After a kill or a power cut the file has the old content or
/// the new one.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    try_write(path, bytes, true).map_err(|error| Error::io("write", path, &error))
}

/// Writes `bytes` to `path` unless something is there already. Returns whether it did.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    match try_write(path, bytes, false) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("write", path, &error)),
    }
}

fn try_write(path: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut draft = tempfile::Builder::new().prefix(".tinytorch-").tempfile_in(folder)?;
    draft.write_all(bytes)?;
    // Drafts are private; the file keeps its permissions, and a new one gets the usual ones.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0o644, |meta| meta.permissions().mode());
        draft.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    }
    draft.as_file().sync_all()?;
    let persisted = if replace { draft.persist(path) } else { draft.persist_noclobber(path) };
    persisted.map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_or_kept_as_asked_and_no_draft_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/a.rs");
        assert!(write_new(&path, b"one").unwrap());
        assert!(!write_new(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_what_they_were() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        write(&path, b"one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(folder.path(), b"x").unwrap_err();
        assert!(error.message.contains(&*folder.path().to_string_lossy()), "{error}");
    }
}
