//! What collecting found. Plain data.

use crate::classroom::StudentId;
use crate::classroom::submission::Filed;
use serde::Serialize;
use std::collections::BTreeSet;

/// What was found in all sources.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The submissions that are there now, by student and module.
    pub collected: Vec<Collected>,
    /// Files of a student and module of which there was another one.
    pub duplicates: Vec<Problem>,
    /// Files whose student or module is unclear.
    pub misnamed: Vec<Problem>,
    /// What could not be read, or is not text.
    pub refused: Vec<Problem>,
    /// Students without a submission, with the modules.
    pub missing: Vec<Missing>,
    /// Students who share figures about their progress.
    pub shared: BTreeSet<StudentId>,
}

/// A collected submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Who submitted it.
    pub student: StudentId,
    /// The module's slug.
    pub module: String,
    /// Whether it was after the deadline.
    pub late: bool,
    /// Whether it is new.
    pub filed: Filed,
    /// Where it was found.
    pub source: String,
}

/// A file that needs the instructor's attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it is, from the source down.
    pub path: String,
    /// Why, and how to fix it.
    pub reason: String,
}

/// A student without a submission of these modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The student.
    pub student: StudentId,
    /// The slugs of the modules.
    pub modules: Vec<String>,
}
