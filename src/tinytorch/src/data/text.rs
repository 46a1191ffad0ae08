//! Reads text to train on from any file. What is wrong with a file is reported with its path, the
//! place, and what to do.

use std::io::{self, Error, ErrorKind};
use std::path::Path;

/// The whole text of a file in UTF-8. A byte-order mark at its start is not part of the text, and
/// line breaks of Windows become `\n`, so that one text has one tokenization everywhere.
///
/// # Errors
/// If the file cannot be read, is not UTF-8 (the error names the first invalid byte), or holds nothing
/// but white space.
pub fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    let path = path.as_ref();
    let fail = |kind, what: &str| Error::new(kind, format!("{}: {what}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| fail(error.kind(), &error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes()[at];
        let line = error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let what = format!(
            "byte {at} (0x{byte:02x}, in line {line}) is not UTF-8: convert the file, for example \
             with `iconv -f LATIN1 -t UTF-8`"
        );
        fail(ErrorKind::InvalidData, &what)
    })?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(fail(
            ErrorKind::InvalidData,
            "the file has no text: choose one with words in it",
        ));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n"))
}
