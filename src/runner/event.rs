//! The interface between running and showing: plain values, in the order in which they happen. The screen,
//! the headless commands, JUnit and grading consume the same stream. Not here: text for people.

use crate::curriculum::ModuleId;
use crate::error::printable;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tinytorch::explore::Control;
use tinytorch::report::Item;

/// What happens between a request and its end. Every run opens with `Started` and closes with
/// `Finished`, unless it is cancelled: then nothing follows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// A check or an analysis of a module begins.
    Started {
        /// The module.
        module: ModuleId,
        /// What is being done.
        kind: RunKind,
        /// The tests (for a check) or analyses that must each give a verdict, in file order; the learner's
        /// own tests come last.
        expected: Vec<Expected>,
    },
    /// A dependency is being built: third-party crates, the crates of earlier modules.
    Preparing {
        /// `"ndarray and friends"`, `"03_layers"`.
        what: String,
        /// Parts done.
        done: usize,
        /// All parts.
        total: usize,
    },
    /// Something the learner should know that is not an error: a locked cell was changed, the reference was used.
    Notice(Notice),
    /// A message of the compiler about the learner's file.
    Diagnostic(Diagnostic),
    /// Compilation ended.
    Built {
        /// Whether it succeeded.
        success: bool,
        /// How long the compiler took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
    /// One test has its verdict.
    Test(TestResult),
    /// An analysis reported something.
    Reported {
        /// `analyze_memory_layout`.
        analysis: String,
        /// What it reported.
        item: Item,
    },
    /// An analysis ended; anything but `Passed` means that its figures are incomplete.
    AnalysisEnded(TestResult),
    /// The run is over.
    Finished,
}

/// A test or an analysis that must give a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The function's name. `own::test_sum` for a test of the learner's own.
    pub name: String,
    /// The id of its cell; none for one that is in no cell of the course.
    pub grade_id: Option<String>,
    /// Its points.
    pub points: u32,
    /// Whose it is.
    pub owner: Owner,
    /// The ids of the earlier solution cells that the tested cell needs, directly or not, in file order.
    pub needs: Vec<String>,
}

impl Expected {
    /// A test or an analysis of the course that is in no cell.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (name, owner) = (name.to_owned(), Owner::Course);
        Self { name, grade_id: None, points: 0, owner, needs: vec![] }
    }
}

/// Whose a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The course's: it counts.
    Course,
    /// The learner's own: it is run and shown, and never counts.
    Learner,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Build and tests.
    Check,
    /// Optimised build and analyses.
    Analysis,
    /// Optimised build of a program that uses `module` and all modules before it, and its function `milestone`,
    /// which reports like an analysis.
    Milestone,
}

impl RunKind {
    /// Its name: `check`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Analysis => "analysis",
            Self::Milestone => "milestone",
        }
    }
}

/// The verdict on one test, with what it printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// The function's name: `test_unit_add`.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What it printed, cut, with control characters replaced.
    pub output: Output,
    /// Wall-clock time of its process.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

/// The verdict on a test. Only `Passed` is a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Verdict {
    /// Its body returned, and the harness reported it.
    Passed,
    /// A `todo!` was reached.
    NotStarted {
        /// What the `todo!` named: the id of a cell.
        waits_for: String,
    },
    /// It panicked.
    Failed {
        /// The panic's message, with the values of the assertion.
        message: String,
        /// Where, in the learner's file.
        at: Option<Place>,
    },
    /// A signal ended it.
    Crashed {
        /// `SIGSEGV`, `SIGABRT (stack overflow)` or `SIGABRT (out of memory)`.
        signal: String,
    },
    /// It took too long and was killed.
    TimedOut {
        /// The limit.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        after: Duration,
    },
    /// Its process exited without a record, for example by `process::exit`.
    ExitedEarly {
        /// The exit code, if it had one.
        code: Option<i32>,
    },
    /// In a sandbox: something else than one record with the right secret was sent.
    Forged,
    /// The exercise no longer has such a test.
    Missing,
    /// The tutor itself could not run it: an error of this machine, not of the learner's code.
    RunnerError {
        /// What failed, and why.
        message: String,
    },
}

/// One frame of an explorable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frame {
    /// The controls that the figure asked for, in that order.
    pub controls: Vec<Control>,
    /// What it reported.
    pub items: Vec<Item>,
    /// How the computation ended; anything but `Passed` means that the frame is incomplete.
    pub verdict: Verdict,
    /// Why the reference computed it; `None` if the requested file did.
    pub unfinished: Option<Unfinished>,
}

/// Why a file cannot compute a figure yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "unfinished", rename_all = "snake_case")]
pub enum Unfinished {
    /// It does not compile.
    DoesNotCompile {
        /// The compiler's first error.
        message: String,
    },
    /// A `todo!` was reached.
    Todo {
        /// What the `todo!` names: the id of a cell.
        waits_for: String,
    },
}

/// A place in the learner's file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file. It is shown by [`printable`], since its name can have any character.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", printable(&self.file), self.line, self.column)
    }
}

/// One message of the compiler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub level: Level,
    /// The message's first line.
    pub message: String,
    /// `E0308`.
    pub code: Option<String>,
    /// The place it is about.
    pub at: Option<Place>,
    /// The lines of source that it is about.
    pub spans: Vec<Span>,
    /// rustc's notes and help messages.
    pub notes: Vec<String>,
    /// Replacements that rustc proposes.
    pub suggestions: Vec<Suggestion>,
}

impl Diagnostic {
    /// Bytes of text in it.
    pub(super) fn bytes(&self) -> usize {
        let spans = self.spans.iter().map(|span| span.text.len() + span.label.len());
        let notes = self.notes.iter().map(String::len);
        let of = |it: &Suggestion| it.message.len() + it.replacement.len() + it.corrected.len();
        let suggestions = self.suggestions.iter().map(of);
        self.message.len() + spans.chain(notes).chain(suggestions).sum::<usize>()
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing runs until it is fixed.
    Error,
    /// Worth a look.
    Warning,
}

/// Part of one source line that a diagnostic points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Line number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// First and one-past-last column pointed at, in characters, from 1.
    pub columns: (usize, usize),
    /// rustc's words at the span.
    pub label: String,
    /// Whether it is the main place.
    pub primary: bool,
}

/// A replacement that rustc proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What it does, in rustc's words.
    pub message: String,
    /// Where.
    pub at: Place,
    /// The text to put there.
    pub replacement: String,
    /// The source lines as they are with it.
    pub corrected: String,
}

/// Something the learner should know that is not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// A locked cell differs from the original; the original was used.
    LockedCellChanged {
        /// The cell's id.
        grade_id: String,
        /// Where it begins, if it is still there.
        line: Option<usize>,
    },
    /// A cell for the learner's code is no longer in the file, or has lost its marker.
    CellGone {
        /// The cell's id.
        grade_id: String,
    },
    /// The learner's module could not be used; the reference was used instead.
    FellBack {
        /// The learner's module.
        module: ModuleId,
        /// The module that does not compile because of it: itself, or one above.
        at: ModuleId,
        /// The first error, in rustc's words, and the code that it is about.
        reason: String,
    },
    /// A cell's marker could not be read.
    DamagedMarker {
        /// Where.
        line: usize,
    },
    /// An analysis reported more items than are passed on.
    ItemsLeftOut {
        /// The analysis.
        analysis: String,
        /// How many items were passed on.
        kept: usize,
    },
    /// Code of the learner's is outside the cells for it.
    CodeOutsideCells {
        /// Where it begins.
        line: usize,
    },
}

/// What a process printed: standard output and error, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Output {
    /// The text; control characters other than newline and tab are replaced by symbols.
    pub text: String,
    /// Bytes that were cut from the middle.
    pub cut: usize,
}

/// The identity of an item: a later item with the same key replaces an earlier one.
#[must_use]
pub fn key(item: &Item) -> (u8, &str) {
    match item {
        Item::Table(table) => (0, &table.title),
        Item::Chart(chart) => (1, &chart.title),
        Item::Metric(metric) => (2, &metric.name),
        Item::Picture(picture) => (3, &picture.title),
        Item::Insight(insight) => (4, &insight.text),
        Item::Note(note) => (5, &note.text),
        Item::Progress(_) => (6, ""),
        Item::Tokens(tokens) => (7, &tokens.title),
        Item::Text(text) => (8, &text.title),
        Item::Trace(trace) => (9, &trace.title),
    }
}

/// A path as JSON can have it: what is not UTF-8 is replaced.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_line_without_control_characters_whatever_the_name_of_its_file() {
        let place = Place { file: "a\x1b[2J\nb.rs".into(), line: 3, column: 7 };
        assert_eq!(place.to_string(), "a␛[2J␊b.rs:3:7");
    }
}
