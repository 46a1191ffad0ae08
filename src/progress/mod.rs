//! The store: what was checked, what passed and what was measured, in an SQLite database in the lab. Two tutors may
//! share it; a write is on the disk when its call returns. Not here: processes, screen.

mod query;
mod record;
mod schema;
mod shared;

pub use query::{LastCheck, remembered};
pub use record::now;
pub use schema::{SetAside, Store};
pub use shared::{SHARE, shared_file, withdraw};

use crate::error::Error;
use std::path::Path;

fn failure(path: &Path, what: &str, error: &rusqlite::Error) -> Error {
    let failure = Error::environment(format!(
        "failed to {what} the progress store \"{}\": {error}",
        path.display()
    ));
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => failure.hint("The disk is full: free some space."),
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            failure.hint("Make the lab's folder writable, so that progress can be saved.")
        }
        Some(rusqlite::ErrorCode::DatabaseBusy) => {
            failure.hint("Another program has locked the store: close it and try again.")
        }
        _ => failure,
    }
}

/// The fingerprint under which an exercise's text is remembered.
#[must_use]
pub fn fingerprint(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests;
