//! Reads a folder that others may write to while it is read: each name is opened below its open folder, and no link is
//! followed, so that nothing outside can be reached. Must not know whose a file is.

use super::archive::{self, Archive, Limits};
use super::entry::{Walk, exercise, shared};
use super::names::{Wanted, is_skipped, is_too_deep};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Result;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many names one folder below the source may have, with all its folders.
const MOST_NAMES: usize = 100_000;

/// Passes on every file below `folder` that matters; `name` is the folder's own.
///
/// # Errors
/// When the folder cannot be opened.
pub fn read(folder: &Path, name: String, walk: &mut Walk<'_>) -> std::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty())?;
    Reader { walk, path: vec![name], left: MOST_NAMES }.folder(&opened);
    Ok(())
}

struct Reader<'a, 'b> {
    walk: &'a mut Walk<'b>,
    path: Vec<String>,
    /// How many more names are read.
    left: usize,
}

impl Reader<'_, '_> {
    fn folder(&mut self, folder: &OwnedFd) {
        match names(folder, self.left) {
            Err(error) => self.refuse(format!("the folder cannot be read: {error}")),
            Ok(names) if names.len() > self.left => {
                self.refuse(format!("the folder has more than {MOST_NAMES} names"));
            }
            Ok(names) => {
                self.left -= names.len();
                names.into_iter().for_each(|name| self.name(folder.as_fd(), name));
            }
        }
    }

    fn name(&mut self, folder: BorrowedFd<'_>, name: std::result::Result<String, String>) {
        // Each student's folder has an allowance of its own, so that one cannot use up the others'.
        if self.path.len() == 1 {
            self.left = MOST_NAMES;
        }
        let is_refused = name.is_err();
        let name = name.unwrap_or_else(|lossy| lossy);
        if is_skipped(self.path.last().map(String::as_str), &name) {
            return;
        }
        self.path.push(name.clone());
        if is_refused {
            self.refuse("its name is not UTF-8, or has a control character");
        } else if let Err(error) = self.open(folder, &name) {
            self.refuse(format!("it cannot be opened: {error}"));
        }
        self.path.pop();
    }

    fn open(&mut self, folder: BorrowedFd<'_>, name: &str) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        // Opening a device can have effects, so it is looked at before; `file` looks again at what was opened.
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let wanted = self.walk.names.wanted(name);
        match (FileType::from_raw_mode(stat.st_mode), wanted) {
            (FileType::Directory, _) if is_too_deep(self.path.len()) => {
                self.refuse("it is in too many folders");
            }
            (FileType::Directory, _) => {
                let opened = openat(folder, name, flags | OFlags::DIRECTORY, Mode::empty())?;
                self.folder(&opened);
            }
            (FileType::RegularFile, None) => {}
            (FileType::RegularFile, Some(wanted)) => {
                let opened = openat(folder, name, flags, Mode::empty())?;
                self.file(&File::from(opened), wanted);
            }
            (FileType::Symlink, _) => self.refuse("it is a symbolic link"),
            (FileType::Fifo, _) => self.refuse("it is a FIFO (a named pipe)"),
            (FileType::Socket, _) => self.refuse("it is a socket"),
            _ => self.refuse("it is a device"),
        }
        Ok(())
    }

    fn file(&mut self, file: &File, wanted: Wanted) {
        let meta = match file.metadata() {
            Ok(meta) if !meta.is_file() => return self.refuse("it is no longer a file"),
            Ok(meta) if meta.nlink() > 1 => {
                return self.refuse("it is a hard link: it has more than one name; hand in a copy");
            }
            Ok(meta) => meta,
            Err(error) => return self.refuse(format!("it cannot be read: {error}")),
        };
        match wanted {
            Wanted::Exercise => {
                self.walk.file(&self.path, meta.mtime(), exercise(file, meta.len()));
            }
            Wanted::Shared => self.walk.file(&self.path, meta.mtime(), shared(file, meta.len())),
            Wanted::Archive(_) if meta.len() > archive::LARGEST => {
                let limit = archive::LARGEST / 1024 / 1024;
                self.refuse(format!("it is larger than an archive can be, {limit} MiB"));
            }
            Wanted::Archive(kind) => {
                let (path, time) = (self.path.clone(), Some(meta.mtime()));
                let found = Archive { kind, path, size: meta.len(), time, limits: Limits::STUDENT };
                if let Err(reason) = archive::read(&found, file, self.walk) {
                    self.refuse(reason);
                }
            }
        }
    }

    fn refuse(&mut self, reason: impl Into<String>) {
        self.walk.refuse(&self.path, reason);
    }
}

/// The names in a folder, sorted, at most one more than `limit`; one that is not plain text as an error.
fn names(folder: &OwnedFd, limit: usize) -> Result<Vec<std::result::Result<String, String>>> {
    let mut found = vec![];
    for entry in Dir::read_from(folder)?.take(limit.saturating_add(3)) {
        let entry = entry?;
        let name = entry.file_name();
        match name.to_str() {
            Ok("." | "..") => {}
            Ok(name) if !name.contains(|c: char| c.is_control()) => found.push(Ok(name.to_owned())),
            _ => found.push(Err(name.to_string_lossy().into_owned())),
        }
    }
    found.sort();
    Ok(found)
}
