//! What students shared of their progress, as it was collected: `STUDENT/progress.json` beside the student's submissions. A
//! later one replaces an earlier one. Must not know what is computed from it.

use super::student::StudentId;
use super::submission::{Filed, Submissions};
use crate::error::{Error, printable};
use crate::lab::atomic;
use crate::report::shared::Shared;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the file's form.
pub const SCHEMA: u32 = 1;

const RECORD: &str = "progress.json";

/// What one student shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Who shared it.
    pub student: StudentId,
    /// When it was handed in, in seconds since 1970.
    pub submitted: i64,
    /// Where it was found.
    pub source: String,
    /// The figures.
    pub shared: Shared,
}

impl SharedRecord {
    /// What the student shared, if it was collected.
    ///
    /// # Errors
    /// When its file cannot be read, is damaged, or is another's.
    pub fn find(submissions: &Submissions, student: &StudentId) -> Result<Option<Self>, Error> {
        let path = submissions.of(student).join(RECORD);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, &error)),
        };
        Self::parse(&bytes, student).map(Some).map_err(|problem| {
            Error::environment(format!("\"{}\": {problem}", printable(&path)))
                .hint("Move it away and collect again.")
        })
    }

    fn parse(bytes: &[u8], student: &StudentId) -> Result<Self, String> {
        let found: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if found.schema != SCHEMA || found.student != *student {
            return Err("not what this student shared".into());
        }
        found.shared.verify()?;
        Ok(found)
    }

    /// Files it, unless a later one is there.
    ///
    /// # Errors
    /// When the folder cannot be written, or has a file that cannot be read.
    pub fn file_in(&self, submissions: &Submissions) -> Result<Filed, Error> {
        let filed = match Self::find(submissions, &self.student)? {
            Some(known) if known.shared == self.shared => return Ok(Filed::Same),
            Some(known) if known.submitted > self.submitted => return Ok(Filed::Older),
            Some(_) => Filed::Replaced,
            None => Filed::New,
        };
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        let path: &Path = &submissions.of(&self.student).join(RECORD);
        atomic::write(path, text.as_bytes())?;
        Ok(filed)
    }
}
