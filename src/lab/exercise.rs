//! Reading an exercise, with a plain message for everything else that can be in its place.

use super::Lab;
use crate::curriculum::Module;
use crate::error::printable;
use std::fmt;
use std::fs::FileType;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// In bytes: far more than any exercise has, and still little to read.
pub const LARGEST: u64 = 1024 * 1024;

/// Why an exercise cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no such file.
    Missing,
    /// It is something other than a file: `"a folder"`.
    NotAFile(&'static str),
    /// It is a symbolic link to this file, which cannot be read.
    Link(String, Box<Self>),
    /// It is larger than an exercise can be; its size in bytes.
    TooLarge(u64),
    /// It is UTF-16.
    Utf16,
    /// It is not UTF-8; the line where that shows.
    NotUtf8(usize),
    /// The system does not allow it; its reason.
    Refused(String),
}

impl Lab {
    /// The exercise's text.
    ///
    /// # Errors
    /// When it is not there, or is not text.
    pub fn read_exercise(&self, module: &Module) -> Result<String, Unreadable> {
        read(&self.exercise(module))
    }
}

/// Follows a symbolic link; when its target cannot be read, the error names it.
fn read(path: &Path) -> Result<String, Unreadable> {
    read_file(path).map_err(|problem| match std::fs::read_link(path) {
        Ok(target) => Unreadable::Link(printable(&target), Box::new(problem)),
        Err(_) => problem,
    })
}

fn read_file(path: &Path) -> Result<String, Unreadable> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Refused(error.to_string()),
    };
    // Checked before it is opened: opening a pipe would wait for ever.
    let meta = std::fs::metadata(path).map_err(refused)?;
    if !meta.is_file() {
        return Err(Unreadable::NotAFile(word(meta.file_type())));
    }
    if meta.len() > LARGEST {
        return Err(Unreadable::TooLarge(meta.len()));
    }
    let mut bytes = vec![];
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(refused)?;
    text(bytes)
}

/// The text of an exercise.
///
/// # Errors
/// When it is larger than an exercise can be, or not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, Unreadable> {
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::TooLarge(bytes.len() as u64));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Unreadable::Utf16);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Unreadable::NotUtf8(1 + valid.iter().filter(|byte| **byte == b'\n').count())
    })
}

/// What is in the place of a file, in a word.
fn word(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a FIFO (a named pipe)",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "the file does not exist: put it back, or run `reset` for a new starter",
            ),
            Self::NotAFile(what) => write!(f, "it is {what}, not a file: move it away"),
            Self::Link(target, problem) => {
                write!(f, "it is a symbolic link to \"{target}\": {problem}")
            }
            Self::TooLarge(size) => {
                write!(f, "the file has {size} bytes, and an exercise has at most {LARGEST}")
            }
            Self::Utf16 => f.write_str("the file is UTF-16: save it as UTF-8"),
            Self::NotUtf8(line) => write!(f, "line {line} is not UTF-8: save the file as UTF-8"),
            Self::Refused(reason) => write!(f, "the file cannot be read: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn everything_that_can_be_in_its_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        assert_eq!(read(&path), Err(Unreadable::Missing));
        fs::create_dir(&path).unwrap();
        assert_eq!(read(&path), Err(Unreadable::NotAFile("a folder")));
        fs::remove_dir(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert_eq!(read(&path), Err(Unreadable::NotAFile("a FIFO (a named pipe)")));
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"fine\nna\xEFve").unwrap();
        assert_eq!(read(&path), Err(Unreadable::NotUtf8(2)));
        fs::write(&path, b"\xff\xfef\0n\0").unwrap();
        assert_eq!(read(&path), Err(Unreadable::Utf16));
        fs::write(&path, vec![b' '; 2 * 1024 * 1024]).unwrap();
        assert_eq!(read(&path), Err(Unreadable::TooLarge(2 * 1024 * 1024)));
        fs::write(&path, "fn main() {}").unwrap();
        assert_eq!(read(&path).as_deref(), Ok("fn main() {}"));
    }

    #[test]
    fn a_symbolic_link_is_followed_and_named_when_its_target_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        std::os::unix::fs::symlink("else\x1bwhere.rs", &path).unwrap();
        let message = read(&path).unwrap_err().to_string();
        let start = "it is a symbolic link to \"else␛where.rs\": the file does not exist";
        assert!(message.starts_with(start), "{message}");
        fs::write(folder.path().join("else\x1bwhere.rs"), "fn main() {}").unwrap();
        assert_eq!(read(&path).as_deref(), Ok("fn main() {}"));
    }
}
