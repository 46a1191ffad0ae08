//! A file that the user named, up to a limit: a wrong name must not fill the memory. Input: a path. Output: its bytes, or
//! its text. Must not know what they are for.

use crate::error::{Error, printable};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The longest file that is read. Those that commands write are far shorter: an entry of TinyMLPerf has some kilobytes.
const LONGEST: u64 = 16 << 20;

/// What is in the file.
///
/// # Errors
/// When it cannot be read, or is longer than any file that belongs here.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| Error::io("read", path, &error);
    let mut bytes = vec![];
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        let length = format!("\"{}\" has more than {} MiB", printable(path), LONGEST >> 20);
        return Err(Error::usage(length).hint("Name another file: this one is not read."));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// As [`bytes`], and when it is not UTF-8.
pub fn text(path: &Path) -> Result<String, Error> {
    String::from_utf8(bytes(path)?).map_err(|error| {
        let problem = error.utf8_error();
        Error::usage(format!("\"{}\" is not text in UTF-8: {problem}", printable(path)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused_before_it_fills_the_memory() {
        let refused = text(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(refused.contains("/dev/zero") && refused.contains("16 MiB"), "{refused}");
    }

    #[test]
    fn a_folder_a_missing_file_and_a_picture_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let picture = folder.path().join("picture.png");
        std::fs::write(&picture, b"\x89PNG").unwrap();
        for (path, reason) in [
            (folder.path(), "directory"),
            (&folder.path().join("nothing.json"), "No such file"),
            (&picture, "not text in UTF-8"),
        ] {
            let error = text(path).unwrap_err().to_string();
            assert!(error.contains(&printable(path)) && error.contains(reason), "{error}");
        }
        assert_eq!(bytes(&picture).unwrap(), b"\x89PNG");
    }
}
