//! Reading an exercise once, whole, with a plain word for everything that can be in its place.

use super::Lab;
use crate::curriculum::Module;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;

/// Far more than any exercise, far less than what would hurt.
const LARGEST: u64 = 1024 * 1024;

/// Why an exercise cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no such file.
    Missing,
    /// Something else has its name: a folder, a pipe, a device.
    NotAFile,
    /// It is larger than an exercise can be; its size in bytes.
    TooLarge(u64),
    /// It is UTF-16.
    Utf16,
    /// It is not UTF-8; the line where that shows.
    NotUtf8(usize),
    /// The system refuses; its reason.
    Refused(String),
}

impl Lab {
    /// The exercise's text.
    ///
    /// # Errors
    /// When it is not there, or is no text.
    pub fn read_exercise(&self, module: &Module) -> Result<String, Unreadable> {
        read(&self.exercise(module))
    }
}

fn read(path: &Path) -> Result<String, Unreadable> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Refused(error.to_string()),
    };
    // Looked at before it is opened: opening a pipe would wait for ever.
    let meta = std::fs::metadata(path).map_err(refused)?;
    if !meta.is_file() {
        return Err(Unreadable::NotAFile);
    }
    if meta.len() > LARGEST {
        return Err(Unreadable::TooLarge(meta.len()));
    }
    let mut bytes = vec![];
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Unreadable::Utf16);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Unreadable::NotUtf8(1 + valid.iter().filter(|byte| **byte == b'\n').count())
    })
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => {
                f.write_str("the file is not there: put it back, or `reset` makes a fresh one")
            }
            Self::NotAFile => f.write_str("something else has its name: a folder or a device"),
            Self::TooLarge(size) => {
                write!(f, "{size} bytes is more than an exercise can have ({LARGEST})")
            }
            Self::Utf16 => f.write_str("the file is UTF-16: save it as UTF-8"),
            Self::NotUtf8(line) => write!(f, "line {line} is not UTF-8: save the file as UTF-8"),
            Self::Refused(reason) => write!(f, "the system refuses: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn everything_that_can_be_in_its_place_has_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        assert_eq!(read(&path), Err(Unreadable::Missing));
        fs::create_dir(&path).unwrap();
        assert_eq!(read(&path), Err(Unreadable::NotAFile));
        fs::remove_dir(&path).unwrap();
        fs::write(&path, b"fine\nna\xEFve").unwrap();
        assert_eq!(read(&path), Err(Unreadable::NotUtf8(2)));
        fs::write(&path, b"\xff\xfef\0n\0").unwrap();
        assert_eq!(read(&path), Err(Unreadable::Utf16));
        fs::write(&path, vec![b' '; 2 * 1024 * 1024]).unwrap();
        assert_eq!(read(&path), Err(Unreadable::TooLarge(2 * 1024 * 1024)));
        fs::write(&path, "fn main() {}").unwrap();
        assert_eq!(read(&path).as_deref(), Ok("fn main() {}"));
    }
}
