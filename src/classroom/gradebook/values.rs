//! Values of the database that have a form of their own. One that no version of ours writes is an error of its column.

use crate::classroom::StudentId;
use crate::classroom::result::Outcome;
use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

pub(super) fn student(row: &Row<'_>, column: usize) -> rusqlite::Result<StudentId> {
    StudentId::try_from(row.get::<_, String>(column)?).map_err(|problem| foreign(column, problem))
}

pub(super) fn outcome(word: String, column: usize) -> rusqlite::Result<Outcome> {
    Outcome::named(&word).ok_or_else(|| foreign(column, format!("unknown outcome {word:?}")))
}

pub(super) fn json<T: DeserializeOwned>(text: &str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| foreign(column, error.to_string()))
}

fn foreign(column: usize, problem: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, problem.into())
}
