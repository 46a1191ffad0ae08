//! The gradebook: an SQLite database with what the tests gave and, in a table of its own that no import touches, what the
//! instructor gave and wrote. A write is on the disk when its call returns. Must not know how a submission is graded.

mod import;
mod manual;
mod query;
mod schema;
mod values;

pub use import::{Change, Imported, Regraded};
pub use manual::{Answer, Manual, Mark, Marked};
pub use schema::Gradebook;

use crate::error::{Error, printable};
use std::path::Path;

fn failure(path: &Path, what: &str, error: &rusqlite::Error) -> Error {
    let failure = Error::environment(format!(
        "failed to {what} the gradebook \"{}\": {error}",
        printable(path)
    ));
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => failure
            .hint(
                "It is damaged, or no gradebook: restore it from a backup, or name another file.",
            ),
        Some(rusqlite::ErrorCode::DatabaseBusy) => {
            failure.hint("Another program has locked it: close it and try again.")
        }
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly) => {
            failure.hint("Its folder must exist and be writable.")
        }
        _ => failure,
    }
}

fn refusal(path: &Path, problem: &str) -> Error {
    Error::environment(format!("the gradebook \"{}\" {problem}", printable(path)))
}

#[cfg(test)]
mod tests;
