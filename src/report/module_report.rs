//! What is known about one module after the events so far. Input: events, in order. Output: a value that a screen or a
//! file can show at any moment. Results of an earlier run stay, marked as old, until new ones replace them.

use crate::curriculum::ModuleId;
use crate::runner::event::{
    Diagnostic, Expected, Level, Notice, Owner, RunEvent, RunKind, TestResult, Verdict, key,
};
use serde::{Deserialize, Serialize};
use tinytorch::report::{Item, Metric};

/// What is known about one module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleReport {
    /// The module.
    pub module: ModuleId,
    /// What is going on.
    pub phase: Phase,
    /// The compiler's last messages.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the last compilation succeeded; `None` before the first.
    pub compiles: Option<bool>,
    /// What else the learner should know.
    pub notices: Vec<Notice>,
    /// Every expected test, in file order; the learner's own come last and do not count.
    pub tests: Vec<TestState>,
    /// Every analysis that was run, in file order.
    pub analyses: Vec<AnalysisState>,
}

/// What is going on in a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing was run yet.
    Idle,
    /// The dependencies of the build are being built.
    Preparing {
        /// Which part.
        what: String,
        /// Parts done.
        done: usize,
        /// All parts.
        total: usize,
    },
    /// The compiler runs.
    Compiling,
    /// Tests run.
    Testing,
    /// Analyses run.
    Measuring,
    /// The last run is over.
    Done,
}

/// One expected test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestState {
    /// Its function's name.
    pub name: String,
    /// The id of its cell, if it has one.
    pub grade_id: Option<String>,
    /// Its points.
    pub points: u32,
    /// Whose it is.
    pub owner: Owner,
    /// The ids of earlier solution cells that what it tests needs, directly or not, in file order.
    pub needs: Vec<String>,
    /// The last verdict; `None` before the first.
    pub result: Option<TestResult>,
    /// Whether the verdict is of an earlier text of the exercise.
    pub old: bool,
}

/// One analysis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnalysisState {
    /// Its function's name.
    pub name: String,
    /// What it reported; a table or chart replaces an earlier one of the same title.
    pub items: Vec<Item>,
    /// How it ended; `None` while it runs.
    pub ended: Option<TestResult>,
    /// Whether the items are of an earlier text of the exercise.
    pub old: bool,
}

/// The state of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not known yet.
    Unknown,
    /// The compiler refused it.
    DoesNotCompile,
    /// No test has passed or failed: all wait for a `todo!`.
    NotStarted,
    /// Some tests do not pass yet.
    Unfinished,
    /// Every expected test passed, and there was at least one.
    Passed,
}

impl ModuleReport {
    /// Nothing known yet.
    #[must_use]
    pub fn new(module: ModuleId) -> Self {
        Self {
            module,
            phase: Phase::Idle,
            diagnostics: vec![],
            compiles: None,
            notices: vec![],
            tests: vec![],
            analyses: vec![],
        }
    }

    /// Applies one more event, which must be of this module.
    pub fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Started { module, kind, expected } => {
                debug_assert_eq!(*module, self.module);
                self.start(*kind, expected);
            }
            RunEvent::Preparing { what, done, total } => {
                self.phase = Phase::Preparing { what: what.clone(), done: *done, total: *total };
            }
            RunEvent::Notice(notice) => self.notices.push(notice.clone()),
            RunEvent::Diagnostic(diagnostic) => {
                self.phase = Phase::Compiling;
                self.diagnostics.push(diagnostic.clone());
            }
            RunEvent::Built { success, .. } => {
                self.compiles = Some(*success);
                self.phase = Phase::Testing;
            }
            RunEvent::Test(result) => self.record(result),
            RunEvent::Reported { analysis, item } => {
                self.phase = Phase::Measuring;
                self.analysis(analysis).take(item.clone());
            }
            RunEvent::AnalysisEnded(result) => {
                self.analysis(&result.name).ended = Some(result.clone());
            }
            RunEvent::Finished => self.phase = Phase::Done,
        }
    }

    /// Marks every result as belonging to an earlier text, after a new save.
    pub fn mark_old(&mut self) {
        self.tests.iter_mut().for_each(|test| test.old = true);
        self.analyses.iter_mut().for_each(|analysis| analysis.old = true);
    }

    fn start(&mut self, kind: RunKind, expected: &[Expected]) {
        self.phase = Phase::Compiling;
        self.diagnostics.clear();
        self.notices.clear();
        if kind == RunKind::Check {
            let mut known = std::mem::take(&mut self.tests);
            let state = |expected: &Expected| {
                let earlier = known.iter_mut().find(|test| test.name == expected.name);
                let result = earlier.and_then(|test| test.result.take());
                TestState { result, ..TestState::new(expected) }
            };
            self.tests = expected.iter().map(state).collect();
        } else {
            let is_renewed = |analysis: &&mut AnalysisState| {
                expected.iter().any(|expected| expected.name == analysis.name)
            };
            let renewed = self.analyses.iter_mut().filter(is_renewed);
            renewed.for_each(|analysis| analysis.old = true);
        }
    }

    /// Records a result; one of a test that was not expected is ignored.
    fn record(&mut self, result: &TestResult) {
        self.phase = Phase::Testing;
        if let Some(test) = self.tests.iter_mut().find(|test| test.name == result.name) {
            test.result = Some(result.clone());
            test.old = false;
        }
    }

    /// The state of the analysis of that name; a first or renewed report begins with no items.
    fn analysis(&mut self, name: &str) -> &mut AnalysisState {
        let index = self.analyses.iter().position(|analysis| analysis.name == name);
        let index = index.unwrap_or_else(|| {
            self.analyses.push(AnalysisState::new(name));
            self.analyses.len() - 1
        });
        let analysis = &mut self.analyses[index];
        if analysis.old || analysis.ended.is_some() {
            *analysis = AnalysisState::new(name);
        }
        analysis
    }

    /// The state of the module. Old verdicts do not count.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.compiles == Some(false) {
            return Outcome::DoesNotCompile;
        }
        let verdicts: Option<Vec<&Verdict>> = self
            .graded()
            .map(|test| test.result.as_ref().filter(|_| !test.old).map(|result| &result.verdict))
            .collect();
        let could_not_run = |verdict: &&Verdict| matches!(verdict, Verdict::RunnerError { .. });
        match verdicts {
            None => Outcome::Unknown,
            // An error of the tutor says nothing about the code.
            Some(all) if all.iter().any(could_not_run) => Outcome::Unknown,
            Some(all) if all.is_empty() && self.phase != Phase::Done => Outcome::Unknown,
            Some(all) if all.is_empty() => Outcome::Unfinished,
            Some(all) if all.iter().all(|v| **v == Verdict::Passed) => Outcome::Passed,
            Some(all) if all.iter().all(|v| matches!(v, Verdict::NotStarted { .. })) => {
                Outcome::NotStarted
            }
            Some(_) => Outcome::Unfinished,
        }
    }

    /// The number of tests that pass now, without old verdicts, and of all tests.
    #[must_use]
    pub fn passed(&self) -> (usize, usize) {
        let passed = self.graded().filter(|test| test.passes()).count();
        (passed, self.graded().count())
    }

    /// The points of the tests that pass now.
    #[must_use]
    pub fn points(&self) -> u32 {
        self.graded().filter(|test| test.passes()).map(|test| test.points).sum()
    }

    /// The tests that count.
    pub fn graded(&self) -> impl Iterator<Item = &TestState> {
        self.tests.iter().filter(|test| test.owner == Owner::Course)
    }

    /// The learner's own tests, which do not count.
    pub fn own_tests(&self) -> impl Iterator<Item = &TestState> {
        self.tests.iter().filter(|test| test.owner == Owner::Learner)
    }

    /// The first cell that a failing test needs and whose own test fails too: what to fix first.
    #[must_use]
    pub fn blames<'a>(&self, test: &'a TestState) -> Option<&'a str> {
        let fails = |cell: &&str| {
            let own = format!("test-{cell}");
            self.graded().any(|test| test.grade_id.as_ref() == Some(&own) && test.fails())
        };
        test.needs.iter().map(String::as_str).filter(|_| test.fails()).find(fails)
    }

    /// The compiler's errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error)
    }

    /// Every metric that the analyses reported.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.analyses.iter().flat_map(|analysis| &analysis.items).filter_map(|item| match item {
            Item::Metric(metric) => Some(metric),
            _ => None,
        })
    }

    /// Whether every analysis that was run succeeded, and each metric met its target.
    #[must_use]
    pub fn measured_well(&self) -> bool {
        let ended = |analysis: &AnalysisState| {
            analysis.ended.as_ref().is_some_and(|result| result.verdict == Verdict::Passed)
        };
        !self.analyses.is_empty()
            && self.analyses.iter().all(ended)
            && self.metrics().all(|metric| metric.is_met() != Some(false))
    }
}

impl TestState {
    /// A test without a verdict.
    #[must_use]
    pub fn new(expected: &Expected) -> Self {
        let Expected { name, grade_id, points, owner, needs } = expected.clone();
        Self { name, grade_id, points, owner, needs, result: None, old: true }
    }

    /// Whether it ran now and failed, in whatever way. One that reached a `todo!` did not.
    #[must_use]
    pub fn fails(&self) -> bool {
        let failed = |result: &TestResult| match result.verdict {
            Verdict::Failed { .. }
            | Verdict::Crashed { .. }
            | Verdict::TimedOut { .. }
            | Verdict::ExitedEarly { .. }
            | Verdict::Forged => true,
            Verdict::Passed
            | Verdict::NotStarted { .. }
            | Verdict::Missing
            | Verdict::RunnerError { .. } => false,
        };
        !self.old && self.result.as_ref().is_some_and(failed)
    }

    /// Whether it passes now.
    #[must_use]
    pub fn passes(&self) -> bool {
        !self.old && self.result.as_ref().is_some_and(|result| result.verdict == Verdict::Passed)
    }
}

impl AnalysisState {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), items: vec![], ended: None, old: false }
    }

    fn take(&mut self, item: Item) {
        let twin = self.items.iter_mut().find(|known| key(known) == key(&item));
        match twin {
            Some(known) => *known = item,
            None => self.items.push(item),
        }
    }
}

#[cfg(test)]
mod tests;
