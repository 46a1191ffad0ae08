//! The state of one module: its lesson, the learner's file and its cells, the results of runs, the hints and
//! answers shown. Plain values and queries on them. Must not know the screen.

use super::explorable::Explorable;
use crate::curriculum::ModuleId;
use crate::curriculum::cells::{self, CellKind};
use crate::curriculum::lesson::{Block, Lesson};
use crate::report::{ModuleReport, Ran, RanModule, TestState, Written};
use crate::runner::event::{Diagnostic, Notice, Place, TestResult, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The state of one module.
#[derive(Debug, Clone)]
pub struct ModuleState {
    /// The lesson.
    pub lesson: Lesson,
    /// The exercise's path, as shown.
    pub file: String,
    /// The exercise.
    pub exercise: Exercise,
    /// Its cells, in file order.
    pub cells: Vec<CellInfo>,
    /// What checks and analyses found.
    pub report: ModuleReport,
    /// Why the last run gave no result.
    pub error: Option<String>,
    /// How many hints of each cell are shown.
    pub hints: BTreeMap<String, usize>,
    /// Questions whose answer was ever shown.
    pub answered: BTreeSet<String>,
    /// Questions whose answer is shown now.
    pub revealed: BTreeSet<String>,
    /// What was written at each open task.
    pub written: BTreeMap<String, Written>,
    /// The interactive figures of the lesson, by name.
    pub explorables: BTreeMap<String, Explorable>,
    /// The first line in view.
    pub top: usize,
    /// The piece that keys act on, if the learner or a run chose one.
    pub focus: Option<usize>,
    /// The piece to bring into view once it is laid out.
    pub bring: Option<usize>,
    /// The place to return to once it is laid out.
    pub restore: Option<ReadingPosition>,
}

/// A place in a lesson that stays valid when blocks grow or the width changes: a piece, and a line of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadingPosition {
    /// The piece at the top of the view.
    pub piece: usize,
    /// Its first line in view.
    pub line: usize,
}

/// A milestone's program on one engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// What it has reported so far; empty if the result is of an earlier session.
    pub report: ModuleReport,
    /// Whose code it runs on.
    pub modules: Vec<RanModule>,
    /// Identifies the texts that it runs on.
    pub fingerprint: String,
    /// The result, once it has ended.
    pub ran: Option<Ran>,
    /// Whether the engine has changed since.
    pub old: bool,
}

/// The learner's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exercise {
    /// Not read yet.
    Unread,
    /// Its text.
    Text(String),
    /// Why it cannot be read.
    Missing(String),
}

/// One cell that a lesson can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellInfo {
    /// Its id.
    pub id: String,
    /// The task, from its comment.
    pub task: String,
    /// An example of what the finished code returns.
    pub example: String,
    /// The tests that check it.
    pub tests: Vec<String>,
    /// Where it is in the learner's file, if it has not been deleted.
    pub place: Option<CellPlace>,
}

/// Where a cell is in the learner's file. Lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellPlace {
    /// Its first line.
    pub first: usize,
    /// Where the learner's work begins.
    pub work: usize,
    /// The first line of its test cell.
    pub test: usize,
    /// One past the last line of both.
    pub end: usize,
}

/// The state of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CellState {
    /// All its tests passed.
    Passed,
    /// It was not checked yet.
    Unknown,
    /// Its tests reached a `todo!`.
    NotStarted,
    /// A test did not pass.
    Failed,
}

impl ModuleState {
    /// The state of a module that was just opened.
    #[must_use]
    pub fn new(module: ModuleId, lesson: Lesson, file: String) -> Self {
        Self {
            lesson,
            file,
            exercise: Exercise::Unread,
            cells: vec![],
            report: ModuleReport::new(module),
            error: None,
            hints: BTreeMap::new(),
            answered: BTreeSet::new(),
            revealed: BTreeSet::new(),
            written: BTreeMap::new(),
            explorables: BTreeMap::new(),
            top: 0,
            focus: None,
            bring: None,
            restore: None,
        }
    }

    /// The block of a piece: piece 0 is the banner, piece 1 the first block.
    #[must_use]
    pub fn block(&self, piece: usize) -> Option<&Block> {
        self.lesson.blocks.get(piece.checked_sub(1)?)
    }

    /// Whether a piece is a live block.
    #[must_use]
    pub fn is_live(&self, piece: usize) -> bool {
        self.block(piece)
            .is_some_and(|block| !matches!(block, Block::Prose { .. } | Block::Diagram { .. }))
    }

    /// The cells that the lesson shows, with their pieces, in order.
    pub fn exercises(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lesson.blocks.iter().enumerate().filter_map(|(index, block)| match block {
            Block::Exercise { cell, .. } => Some((index + 1, cell.as_str())),
            _ => None,
        })
    }

    /// The cell with that id.
    #[must_use]
    pub fn cell(&self, id: &str) -> Option<&CellInfo> {
        self.cells.iter().find(|cell| cell.id == id)
    }

    /// The results of a cell's tests, each with whether it is old.
    pub fn results(&self, id: &str) -> impl Iterator<Item = (&str, Option<&TestResult>, bool)> {
        let tests = self.cell(id).map_or(&[][..], |cell| &cell.tests);
        tests.iter().map(|name| {
            let state = self.report.tests.iter().find(|test| test.name == *name);
            let result = state.and_then(|state| state.result.as_ref());
            (name.as_str(), result, state.is_some_and(|state| state.old))
        })
    }

    /// The cell to fix first, if the failure of a test follows from another failure.
    #[must_use]
    pub fn blames(&self, test: &str) -> Option<&str> {
        let test = self.report.tests.iter().find(|known| known.name == test)?;
        self.report.blames(test)
    }

    /// The learner's own tests, if the block of this cell shows them: only that of the lesson's last cell does.
    pub fn own_tests(&self, id: &str) -> impl Iterator<Item = &TestState> {
        let is_last = self.exercises().last().is_some_and(|(_, last)| last == id);
        self.report.own_tests().filter(move |_| is_last)
    }

    /// The state of a cell by its last results, old or not.
    #[must_use]
    pub fn state(&self, id: &str) -> CellState {
        let state = |result: Option<&TestResult>| match result.map(|result| &result.verdict) {
            None => CellState::Unknown,
            Some(Verdict::Passed) => CellState::Passed,
            Some(Verdict::NotStarted { .. }) => CellState::NotStarted,
            Some(_) => CellState::Failed,
        };
        self.results(id).map(|(_, result, _)| state(result)).max().unwrap_or(CellState::Unknown)
    }

    /// Whether the results of a cell are of an earlier text.
    #[must_use]
    pub fn is_old(&self, id: &str) -> bool {
        self.results(id).any(|(_, result, old)| old && result.is_some())
    }

    /// The state of every cell of the lesson.
    #[must_use]
    pub fn states(&self) -> BTreeMap<String, CellState> {
        self.exercises().map(|(_, cell)| (cell.to_owned(), self.state(cell))).collect()
    }

    /// The piece of the first compiler error, or of the banner if it is in no cell; `None` without an error.
    #[must_use]
    pub fn error_piece(&self) -> Option<usize> {
        self.report.errors().next().map(|error| self.place(error).unwrap_or(0))
    }

    /// How many graded tests passed by their last result, how many there are, and whether some results are of an
    /// earlier text.
    #[must_use]
    pub fn last_passed(&self) -> (usize, usize, bool) {
        let tests = || self.report.graded();
        let results = tests().filter_map(|test| test.result.as_ref());
        let passed = results.filter(|result| result.verdict == Verdict::Passed).count();
        (passed, tests().count(), tests().any(|test| test.old && test.result.is_some()))
    }

    /// The first cell that does not pass yet, with its piece.
    #[must_use]
    pub fn next_to_do(&self) -> Option<(usize, &str)> {
        self.exercises().find(|(_, cell)| self.state(cell) != CellState::Passed)
    }

    /// The cell whose lines a diagnostic points at, with its piece.
    #[must_use]
    pub fn place(&self, diagnostic: &Diagnostic) -> Option<usize> {
        let line = self.line_at(diagnostic.at.as_ref()?)?;
        let holds = |cell: &&CellInfo| {
            cell.place.is_some_and(|place| (place.first..place.end).contains(&line))
        };
        let cell = self.cells.iter().find(holds)?;
        self.exercises().find(|(_, id)| *id == cell.id).map(|(piece, _)| piece)
    }

    /// The line of the exercise that a place names; `None` if it names another file.
    #[must_use]
    pub fn line_at(&self, at: &Place) -> Option<usize> {
        (at.file == Path::new(&self.file)).then_some(at.line)
    }

    /// Whether a place is in a locked cell that was changed, so that its original was compiled instead.
    #[must_use]
    pub fn is_restored(&self, at: &Place) -> bool {
        let Some(cell) = self.cell_at(at) else { return false };
        self.report.notices.iter().any(|notice| match notice {
            Notice::LockedCellChanged { line, .. } => *line == Some(cell.first_line),
            _ => false,
        })
    }

    /// Whether a place is in a test of the course. These compare the value of the learner's code, on the left, with the
    /// expected value, on the right.
    #[must_use]
    pub fn is_given_test(&self, at: &Place) -> bool {
        self.cell_at(at).is_some_and(|cell| cell.kind == CellKind::Test)
    }

    /// The cell of the learner's file that a place is in.
    fn cell_at(&self, at: &Place) -> Option<cells::Cell<'_>> {
        let line = self.line_at(at)?;
        let Exercise::Text(text) = &self.exercise else { return None };
        cells::parse(text).into_iter().take_while(|cell| cell.first_line <= line).last()
    }

    /// The learner's code of a cell.
    #[must_use]
    pub fn own_cell(&self, id: &str) -> Option<String> {
        let Exercise::Text(text) = &self.exercise else { return None };
        cell_text(text, id)
    }

    /// A line of the exercise, from 1.
    #[must_use]
    pub fn line(&self, number: usize) -> Option<&str> {
        match &self.exercise {
            Exercise::Text(text) => text.lines().nth(number.checked_sub(1)?),
            _ => None,
        }
    }
}

/// The code of a cell: without the lines that only tools read, and without the task, which its block shows.
pub(super) fn cell_text(text: &str, id: &str) -> Option<String> {
    let cells = cells::parse(text);
    let cell = cells.iter().find(|cell| cell.grade_id.as_deref() == Some(id))?;
    let is_comment = |line: &str| {
        let line = line.trim_start();
        let comments = ["///", "// %%", "// BEGIN SOLUTION", "// END SOLUTION"];
        comments.iter().any(|comment| line.starts_with(comment))
    };
    let lines: Vec<&str> = cell.text.lines().filter(|line| !is_comment(line)).collect();
    Some(lines.join("\n").trim().to_owned())
}
