//! Reads a submitted file without following where it leads: a link, a pipe or a second name of another file is refused, and
//! so is what no compiler can read. Must not know what the file is for.

use crate::error::Error;
use crate::lab::exercise;
use nix::libc;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The longest file that is graded, in bytes: the longest solution of the course has a fifth of this.
const LONGEST: u64 = 512 << 10;

/// The text; the inner error says what is wrong with the submission.
///
/// # Errors
/// When this machine cannot read it.
pub fn read(path: &Path) -> Result<Result<String, String>, Error> {
    // Not to wait for the other end of a pipe.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let failed = |error: io::Error| Error::io("read", path, &error);
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Ok(Err("the file is a symbolic link".into()));
        }
        opened => opened.map_err(failed)?,
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Ok(Err("it is not a regular file".into()));
    }
    if metadata.nlink() != 1 {
        return Ok(Err("the file is a hard link: it has another name elsewhere".into()));
    }
    let mut bytes = vec![];
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(decoded(bytes))
}

fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > LONGEST {
        return Err(format!("the file is longer than {} KiB", LONGEST >> 10));
    }
    let text = exercise::text(bytes).map_err(|problem| problem.to_string())?;
    if text.contains('\0') {
        return Err("the file contains a NUL character".into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_not_a_plain_text_file_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("01_tensor.rs");
        let file = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(&path).unwrap()
        };
        assert_eq!(file("é".as_bytes()), Ok("é".into()));
        let reason = |bytes: &[u8]| file(bytes).unwrap_err();
        assert!(reason(b"\xff\xfea\0").contains("UTF-16"));
        assert!(reason(b"a\0b").contains("NUL"));
        assert_eq!(reason(b"a\nb\xff"), "line 2 is not UTF-8: save the file as UTF-8");
        assert!(reason(&vec![b' '; 600 << 10]).contains("512 KiB"));

        let other = folder.path().join("other");
        fs::hard_link(&path, &other).unwrap();
        assert!(read(&path).unwrap().unwrap_err().contains("hard link"));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(read(&path).unwrap().unwrap_err().contains("symbolic link"));
        assert!(read(folder.path()).unwrap().unwrap_err().contains("regular"));
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(read(&fifo).unwrap().unwrap_err().contains("regular"));
        assert!(read(Path::new("/nowhere")).is_err(), "not the submission's fault");
    }
}
