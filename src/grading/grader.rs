//! Grades one submission. Input: its record and its file. Output: a result, or nothing when cancelled. What fails here and
//! not in the submission is an outcome of its own. Must not know other submissions.

use super::assembled::{Assembled, LeftOut, OWN, assemble, solutions, unusable};
use super::{reading, seeded};
use crate::classroom::result::{CellResult, Outcome, SCHEMA, SubmissionResult};
use crate::classroom::submission::Submission;
use crate::curriculum::cells::{self, CellKind};
use crate::curriculum::{Course, Module};
use crate::error::Error;
use crate::report::{ModuleReport, human};
use crate::runner::event::{Place, RunEvent, RunKind, TestResult, Verdict};
use crate::runner::{Cancel, Limits, ModuleSources, Request, Runner, SeededModule};
use crate::sandbox::Sandbox;
use std::path::Path;
use std::time::Duration;

/// How often a submission is compiled at most: rustc reports errors of names, types and lifetimes one after the other.
const BUILDS: usize = 6;

/// Compiles and runs submissions inside a sandbox.
#[derive(Debug)]
pub struct Grader {
    runner: Runner,
    course: &'static Course,
    is_sandboxed: bool,
}

impl Grader {
    /// A grader for the modules of a course.
    #[must_use]
    pub fn new(runner: Runner, course: &'static Course, sandbox: Sandbox) -> Self {
        let limits = Limits { compile: Duration::from_secs(20), ..Limits::default() };
        let is_sandboxed = sandbox.lacks().is_empty();
        let runner = runner.with_limits(limits).with_sandbox(sandbox).with_seeded(seeded::of);
        Self { runner, course, is_sandboxed }
    }

    /// The same grader for a course of other modules, with their functions that draw inputs from a seed.
    #[must_use]
    pub fn with_seeded(mut self, seeded: fn(&str) -> Option<&'static SeededModule>) -> Self {
        self.runner = self.runner.with_seeded(seeded);
        self
    }

    /// The same grader with other time limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.runner = self.runner.with_limits(limits);
        self
    }

    /// Whether the sandbox is complete.
    #[must_use]
    pub fn is_sandboxed(&self) -> bool {
        self.is_sandboxed
    }

    /// Builds what the submissions of a module depend on: the reference of every module below.
    ///
    /// # Errors
    /// When something on this machine is missing or broken.
    pub fn prepare(
        &self,
        module: &Module,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Error> {
        self.runner.prepare(module.id, &ModuleSources::default(), cancel, events)
    }

    /// Grades the file of a submission; nothing when cancelled.
    ///
    /// # Errors
    /// When the course has no such module.
    pub fn grade(
        &self,
        submission: &Submission,
        file: &Path,
        cancel: &Cancel,
    ) -> Result<Option<SubmissionResult>, Error> {
        let module = self.course.named(&submission.module)?;
        let cells = match reading::read(file) {
            Ok(Ok(text))
                if blake3::hash(text.as_bytes()).to_hex()[..] != submission.fingerprint =>
            {
                all(module, Outcome::GraderFault, "the file is not the one that was collected")
            }
            Ok(Ok(text)) => self.cells(module, &text, cancel),
            Ok(Err(problem)) => all(module, Outcome::DidNotCompile, &problem),
            Err(error) => all(module, Outcome::GraderFault, &error.to_string()),
        };
        if cancel.is_cancelled() {
            return Ok(None);
        }
        Ok(Some(SubmissionResult {
            schema: SCHEMA,
            student: submission.student.clone(),
            module: submission.module.clone(),
            submitted: submission.submitted,
            late: submission.late,
            fingerprint: submission.fingerprint.clone(),
            sandboxed: self.is_sandboxed,
            cells,
        }))
    }

    /// The graded cells. Those that do not compile are left out, until the rest compiles.
    fn cells(&self, module: &Module, text: &str, cancel: &Cancel) -> Vec<CellResult> {
        let reference = module.graded();
        let mut left_out = unusable(text, reference);
        let mut problem = String::new();
        for _ in 0..BUILDS {
            let assembled = assemble(text, reference, &left_out);
            let report = match self.run(module, &assembled, cancel) {
                Ok(report) => report,
                Err(error) => return all(module, Outcome::GraderFault, &error.to_string()),
            };
            if report.compiles != Some(false) {
                return judged(module, &report, &assembled, &left_out);
            }
            let mut found = culprits(&report, &assembled, reference);
            found.retain(|cell, _| !left_out.contains_key(cell));
            problem = first_error(&report, &assembled);
            if found.is_empty() {
                break;
            }
            left_out.extend(found);
        }
        all(module, Outcome::DidNotCompile, &problem)
    }

    fn run(
        &self,
        module: &Module,
        assembled: &Assembled,
        cancel: &Cancel,
    ) -> Result<ModuleReport, Error> {
        let request = Request {
            module: module.id,
            kind: RunKind::Check,
            only: vec![],
            file: module.slug().into(),
            text: assembled.text.clone(),
            sources: ModuleSources::default(),
            separate_tests: true,
        };
        let mut report = ModuleReport::new(module.id);
        self.runner.run(&request, &cancel.beside(), &mut |event| report.apply(&event))?;
        Ok(report)
    }
}

/// The cells of the student's in which the compiler found errors, each with its first one. An error in the tests
/// is about the cell that it names, or else about the one that is tested there.
fn culprits(report: &ModuleReport, assembled: &Assembled, reference: &str) -> LeftOut {
    let mut found = LeftOut::new();
    for error in report.errors() {
        let (cell, message) = match error.at.as_ref().and_then(|at| assembled.origin(at.line)) {
            Some(origin) => {
                (origin.cell.clone(), format!("line {}: {}", origin.line, error.message))
            }
            None => {
                let line = error.at.as_ref().map(|at| at.line);
                let tested = || tested_at(line?, &assembled.text);
                match named(&error.message, reference).or_else(tested) {
                    Some(cell) => (cell, error.message.clone()),
                    None => continue,
                }
            }
        };
        found.entry(cell).or_insert(message);
    }
    found
}

/// The solution cell of the item that a message names in backquotes: "function `double` is private".
fn named(message: &str, reference: &str) -> Option<String> {
    let quoted = message.split('`').skip(1).step_by(2);
    let names: Vec<&str> = quoted.flat_map(|path| path.rsplit("::").next()).collect();
    let mut has_it = solutions(reference)
        .filter(|cell| cells::items(cell.text).any(|item| names.contains(&item.name)));
    has_it.next()?.grade_id
}

/// The solution cell whose test is on this line: the test does not fit what the cell has.
fn tested_at(line: usize, text: &str) -> Option<String> {
    let cells = cells::parse(text);
    let cell = cells.iter().rfind(|cell| cell.first_line <= line)?;
    cell.grade_id.as_deref()?.strip_prefix("test-").map(str::to_owned)
}

fn first_error(report: &ModuleReport, assembled: &Assembled) -> String {
    let Some(error) = report.errors().next() else { return "the compiler named no error".into() };
    match error.at.as_ref().and_then(|at| assembled.origin(at.line)) {
        Some(origin) => format!("line {}: {}", origin.line, error.message),
        None => error.message.clone(),
    }
}

/// The module's graded cells: its tests.
fn graded(module: &Module) -> impl Iterator<Item = cells::Cell<'_>> {
    cells::parse(module.graded()).into_iter().filter(|cell| cell.kind == CellKind::Test)
}

/// The same outcome for all graded cells.
fn all(module: &Module, outcome: Outcome, message: &str) -> Vec<CellResult> {
    let result = |cell: cells::Cell<'_>| {
        CellResult::new(cell.grade_id.unwrap_or_default(), cell.points, outcome, message)
    };
    graded(module).map(result).collect()
}

/// The result of each graded cell, from the verdicts on its tests.
fn judged(
    module: &Module,
    report: &ModuleReport,
    assembled: &Assembled,
    left_out: &LeftOut,
) -> Vec<CellResult> {
    let result = |cell: cells::Cell<'_>| {
        let id = cell.grade_id.clone().unwrap_or_default();
        let tested = id.strip_prefix("test-").and_then(|tested| left_out.get(tested));
        let (outcome, message) = match tested {
            Some(problem) => (Outcome::DidNotCompile, problem.clone()),
            None => cell
                .tests()
                .iter()
                .map(|name| outcome(result_of(report, name), assembled, left_out))
                .find(|(outcome, _)| *outcome != Outcome::Passed)
                .unwrap_or((Outcome::Passed, String::new())),
        };
        CellResult::new(id, cell.points, outcome, message)
    };
    graded(module).map(result).collect()
}

fn result_of<'a>(report: &'a ModuleReport, name: &str) -> Option<&'a TestResult> {
    report.tests.iter().find(|test| test.name == name)?.result.as_ref()
}

/// What a verdict means for the student. No verdict at all is a fault of the grader.
fn outcome(
    result: Option<&TestResult>,
    assembled: &Assembled,
    left_out: &LeftOut,
) -> (Outcome, String) {
    let Some(TestResult { verdict, .. }) = result else {
        return (Outcome::GraderFault, "the test has no verdict".into());
    };
    let (word, details) = human::verdict(verdict);
    let outcome = match verdict {
        Verdict::Passed => Outcome::Passed,
        Verdict::NotStarted { waits_for } if left_out.contains_key(waits_for) => {
            return (Outcome::Failed, format!("it uses {waits_for}, which does not compile"));
        }
        Verdict::NotStarted { .. } => Outcome::NotAttempted,
        Verdict::Failed { message, at } => {
            return (Outcome::Failed, at_line(message, at.as_ref(), assembled));
        }
        Verdict::Crashed { .. } | Verdict::ExitedEarly { .. } => Outcome::Failed,
        Verdict::TimedOut { .. } => Outcome::TimedOut,
        Verdict::Forged => Outcome::Attack,
        Verdict::Missing | Verdict::RunnerError { .. } => Outcome::GraderFault,
    };
    let message = if outcome == Outcome::Passed { details } else { format!("{word}: {details}") };
    (outcome, message)
}

/// A message with the line of the submitted file that it is about.
fn at_line(message: &str, at: Option<&Place>, assembled: &Assembled) -> String {
    match at.and_then(|at| assembled.origin(at.line)) {
        Some(origin) if origin.cell == OWN => format!("line {}, own code: {message}", origin.line),
        Some(origin) => format!("line {}: {message}", origin.line),
        None => message.to_owned(),
    }
}
