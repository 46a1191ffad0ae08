//! What can be wrong with data from outside: a kind for programs and a message for people. It knows no format and no
//! tensor.

use std::fmt;

/// What is wrong with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Tensors that do not pair up, that cannot share a batch, or that are not images.
    Shape,
    /// There is no sample with this index.
    Index,
    /// An unusable batch size, probability, crop size or dataset.
    Setting,
    /// The file could not be opened or unpacked.
    Unreadable,
    /// The file has another format.
    WrongMagic,
    /// The file has fewer or more bytes than its format requires.
    WrongSize,
    /// A class number that does not exist.
    Label,
}

/// An error in data. `DataError::new(kind, message)` makes one; for a file of the wrong length there
/// is `DataError::wrong_size(file, expected, found)`.
#[derive(Debug, Clone)]
pub struct DataError {
    /// What is wrong, for programs.
    pub kind: Problem,
    /// What is wrong, where, and how to fix it, for people.
    pub message: String,
}

impl DataError {
    /// An error of this kind.
    pub fn new(kind: Problem, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A file that should have `expected` bytes and has `found`.
    #[must_use]
    pub fn wrong_size(file: &str, expected: u64, found: u64) -> Self {
        let what = if found < expected { "is truncated" } else { "is too long" };
        let message = format!(
            "'{file}' {what}: {expected} bytes expected, {found} found; copy or download it again"
        );
        Self::new(Problem::WrongSize, message)
    }
}

impl std::error::Error for DataError {}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The error for a shape that is not an image's.
#[must_use]
pub fn not_an_image(shape: &[usize]) -> DataError {
    let message = format!("{shape:?} is not the shape of an image: expected (H, W) or (C, H, W)");
    DataError::new(Problem::Shape, message)
}
