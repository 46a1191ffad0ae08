//! One graded submission as plain data: what the grader writes, one JSON file for each student and module, and what the
//! gradebook reads. Must not know how a submission is graded.

use super::student::StudentId;
use crate::error::{Error, harmless};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the file's form.
pub const SCHEMA: u32 = 1;

/// In bytes: what a message is cut to.
pub const LONGEST_MESSAGE: usize = 4096;

/// One student's submission of one module, graded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Who submitted it.
    pub student: StudentId,
    /// The module's slug, such as `01_tensor`: nbgrader's name of the assignment.
    pub module: String,
    /// When it was submitted, in seconds since 1970.
    pub submitted: i64,
    /// Whether that was after the deadline.
    pub late: bool,
    /// BLAKE3 of the graded file, in hexadecimal: a text that was graded is not graded again.
    pub fingerprint: String,
    /// Whether the tests ran inside the sandbox. Without it, a hostile submission may have forged its points.
    pub sandboxed: bool,
    /// The graded cells, in file order, each once.
    pub cells: Vec<CellResult>,
}

/// One graded cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellResult {
    /// nbgrader's name of the cell.
    pub grade_id: String,
    /// The points that it is worth.
    pub max_points: u32,
    /// The points that it got; `None` while it is to be graded again.
    pub points: Option<u32>,
    /// What happened.
    pub outcome: Outcome,
    /// Why, for the student; empty where there is nothing to add.
    pub message: Message,
}

/// What happened to a graded cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its tests passed.
    Passed,
    /// A test failed.
    Failed,
    /// The submission does not compile with the student's version of this cell.
    DidNotCompile,
    /// It exceeded its limit of time.
    TimedOut,
    /// It tried to deceive the grader.
    Attack,
    /// It still has the starter's `todo!`.
    NotAttempted,
    /// The grader failed, not the submission: the cell has no points yet and is to be graded again.
    GraderFault,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Passed,
        Self::Failed,
        Self::DidNotCompile,
        Self::TimedOut,
        Self::Attack,
        Self::NotAttempted,
        Self::GraderFault,
    ];

    /// Its name in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::DidNotCompile => "did_not_compile",
            Self::TimedOut => "timed_out",
            Self::Attack => "attack",
            Self::NotAttempted => "not_attempted",
            Self::GraderFault => "grader_fault",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// Text of at most [`LONGEST_MESSAGE`] bytes that cannot control a terminal. What is longer is cut.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Message(String);

/// The points of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// What it got so far.
    pub points: u32,
    /// What all its cells are worth.
    pub max_points: u32,
    /// What the cells are worth that are to be graded again.
    pub ungraded: u32,
}

impl CellResult {
    /// A cell that gets all its points if it passed, none if it did not, and no grade after a fault of the grader.
    #[must_use]
    pub fn new(
        grade_id: impl Into<String>,
        max_points: u32,
        outcome: Outcome,
        message: impl Into<String>,
    ) -> Self {
        let points = match outcome {
            Outcome::Passed => Some(max_points),
            Outcome::GraderFault => None,
            _ => Some(0),
        };
        let message = Message::from(message.into());
        Self { grade_id: grade_id.into(), max_points, points, outcome, message }
    }
}

impl SubmissionResult {
    /// Reads the file of a result.
    ///
    /// # Errors
    /// When it does not have the form of a result, or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let malformed = |error| Error::usage(format!("not a result of `grade`: {error}"));
        let Version { schema } = serde_json::from_str(text).map_err(malformed)?;
        if schema != SCHEMA {
            let message =
                format!("the result has schema {schema}, and this version reads {SCHEMA}");
            return Err(Error::usage(message).hint("Grade and collect with the same version."));
        }
        let result: Self = serde_json::from_str(text).map_err(malformed)?;
        match result.contradiction() {
            Some(problem) => Err(Error::usage(problem)),
            None => Ok(result),
        }
    }

    /// The file of this result.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Our types have string keys and no fallible serialisers, the only causes of an error here.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The points of all cells.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.cells.iter().fold(Totals::default(), |totals, cell| Totals {
            points: totals.points.saturating_add(cell.points.unwrap_or(0)),
            max_points: totals.max_points.saturating_add(cell.max_points),
            ungraded: match cell.points {
                Some(_) => totals.ungraded,
                None => totals.ungraded.saturating_add(cell.max_points),
            },
        })
    }

    /// Whether no cell is to be graded again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.cells.iter().all(|cell| cell.outcome != Outcome::GraderFault)
    }

    fn contradiction(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        self.cells.iter().find_map(|cell| {
            let CellResult { grade_id, points, max_points, outcome, .. } = cell;
            let is_fault = *outcome == Outcome::GraderFault;
            match points {
                _ if !seen.insert(grade_id) => Some(format!("the cell {grade_id:?} occurs twice")),
                Some(points) if points > max_points => {
                    Some(format!("the cell {grade_id:?} has {points} of {max_points} points"))
                }
                Some(_) if is_fault => {
                    Some(format!("the cell {grade_id:?} has points despite a fault of the grader"))
                }
                None if !is_fault => Some(format!("the cell {grade_id:?} has no points")),
                _ => None,
            }
        })
    }
}

impl Message {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        const CUT: &str = "\n[cut]";
        let mut text = harmless(&text);
        if text.len() > LONGEST_MESSAGE {
            let ends = (0..=LONGEST_MESSAGE - CUT.len()).rev();
            text.truncate(ends.into_iter().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
            text.push_str(CUT);
        }
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> SubmissionResult {
        SubmissionResult {
            schema: SCHEMA,
            student: "ada".to_owned().try_into().unwrap(),
            module: "01_tensor".into(),
            submitted: 1_790_000_000,
            late: false,
            fingerprint: "00".into(),
            sandboxed: true,
            cells: vec![
                CellResult::new("test-tensor-new", 6, Outcome::Passed, ""),
                CellResult::new("test-tensor-add", 5, Outcome::Failed, "left: 1, right: 2"),
                CellResult::new("test-tensor-sum", 4, Outcome::GraderFault, "the disk is full"),
            ],
        }
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        assert_eq!(SubmissionResult::from_json(&result().to_json()), Ok(result()));
    }

    #[test]
    fn a_fault_of_the_grader_is_neither_zero_points_nor_a_loss_of_the_others() {
        assert_eq!(result().totals(), Totals { points: 6, max_points: 15, ungraded: 4 });
        assert_eq!(result().cells[2].points, None);
    }

    #[test]
    fn a_result_that_contradicts_itself_or_has_another_form_is_refused() {
        let refused = |from: &str, to: &str| {
            let text = result().to_json();
            assert!(text.contains(from), "{text}");
            SubmissionResult::from_json(&text.replacen(from, to, 1)).unwrap_err().message
        };
        assert!(refused("\"points\": 6", "\"points\": 7").contains("7 of 6 points"));
        assert!(refused("\"points\": null", "\"points\": 0").contains("fault of the grader"));
        assert!(refused("\"points\": 0", "\"points\": null").contains("has no points"));
        assert!(refused("tensor-add", "tensor-new").contains("occurs twice"));
        assert!(refused("\"late\"", "\"latte\"").contains("latte"));
        assert!(refused("\"schema\": 1", "\"schema\": 2").contains("schema 2"));
        assert!(refused("\"ada\"", "\"../ada\"").contains("must begin with"));
        assert!(refused("\"failed\"", "\"won\"").contains("won"));
    }

    #[test]
    fn an_outcome_has_one_name_everywhere() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("{:?}", outcome.word()));
            assert_eq!(Outcome::named(outcome.word()), Some(outcome));
        }
    }

    #[test]
    fn a_message_is_cut_between_characters_and_cannot_control_a_terminal() {
        let message = Message::from("\x1b[2J".to_owned() + &"é".repeat(LONGEST_MESSAGE));
        assert!(message.as_str().starts_with("␛[2Jé") && message.as_str().ends_with("é\n[cut]"));
        assert!(message.as_str().len() <= LONGEST_MESSAGE);
        let read: Message = serde_json::from_str(&format!("{:?}", "x".repeat(9999))).unwrap();
        assert_eq!(read.as_str().len(), LONGEST_MESSAGE);
    }
}
