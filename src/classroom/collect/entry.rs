//! What the readers of folders and archives pass on: a file's bytes, or the reason why it was refused. Must not know whose
//! a file is.

use super::names::Names;
use crate::lab::exercise::LARGEST;
use crate::report::shared;
use std::io::Read;

/// One file of a source.
#[derive(Debug)]
pub struct Entry {
    /// The names from the source down to the file.
    pub path: Vec<String>,
    /// When it was submitted, in seconds since 1970.
    pub time: i64,
    /// Its bytes, or why they were not read.
    pub content: Result<Vec<u8>, String>,
}

/// What a reader of a source works with.
pub struct Walk<'a> {
    /// Which names matter.
    pub names: &'a Names,
    /// Takes each file.
    pub each: &'a mut dyn FnMut(Entry),
}

impl Walk<'_> {
    /// Passes on a file.
    pub fn file(&mut self, path: &[String], time: i64, content: Result<Vec<u8>, String>) {
        (self.each)(Entry { path: path.to_vec(), time, content });
    }

    /// Passes on a refusal.
    pub fn refuse(&mut self, path: &[String], reason: impl Into<String>) {
        self.file(path, 0, Err(reason.into()));
    }
}

/// The path of something directly below `folder`.
#[must_use]
pub fn below(folder: &[String], names: impl IntoIterator<Item = String>) -> Vec<String> {
    folder.iter().cloned().chain(names).collect()
}

/// Reads an exercise of which the source says that it has `size` bytes; that is not believed.
///
/// # Errors
/// When it is too large or cannot be read.
pub fn exercise(reader: impl Read, size: u64) -> Result<Vec<u8>, String> {
    at_most(reader, size, LARGEST, "an exercise")
}

/// Reads what a student shares of their progress; its size is not believed either.
///
/// # Errors
/// When it is too large or cannot be read.
pub fn shared(reader: impl Read, size: u64) -> Result<Vec<u8>, String> {
    at_most(reader, size, shared::LARGEST, "shared progress")
}

/// Reads at most `limit` bytes.
///
/// # Errors
/// When there are more, or they cannot be read.
pub fn at_most(reader: impl Read, size: u64, limit: u64, what: &str) -> Result<Vec<u8>, String> {
    let too_large = || format!("it is larger than {what} can be, {} KiB", limit / 1024);
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = vec![];
    let read = reader.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}
