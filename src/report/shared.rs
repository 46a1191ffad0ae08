//! What a learner shares of their progress, if they agree: figures for each exercise, never code, messages, or times of
//! day. One form for the store that writes it and for the class that reads it, to which it is hostile input. Pure.

use super::module_report::{ModuleReport, Outcome};
use crate::curriculum::ModuleId;
use crate::error::harmless;
use crate::runner::event::Diagnostic;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the form.
pub const SCHEMA: u32 = 1;
/// The name of the file.
pub const FILE: &str = "progress.shared.json";
/// In bytes: all exercises of the course, with every test of theirs, take a tenth.
pub const LARGEST: u64 = 512 * 1024;
/// In seconds. A longer time between two checks is a break, not work.
pub const LONGEST_GAP: i64 = 15 * 60;
/// The class of a compiler error without a code: most are about syntax.
pub const NO_CODE: &str = "no-code";
/// The class of a lint that is denied.
pub const LINT: &str = "lint";

/// What one learner shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Exercises that were started, or of which a hint was shown, by module.
    pub exercises: Vec<Exercise>,
}

/// The figures of one exercise: until all its tests passed for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// The number of its module.
    pub module: ModuleId,
    /// Whether all its tests passed in one check.
    pub completed: bool,
    /// Checks of a text that had changed.
    pub attempts: u32,
    /// The time between checks, without gaps of more than [`LONGEST_GAP`].
    pub seconds: u32,
    /// Hints that were shown, of all its cells.
    pub hints: u32,
    /// Tests that failed, and follow from no other failure.
    pub tests: BTreeMap<String, Stopped>,
    /// The codes of compiler errors, such as `E0308`, [`NO_CODE`] or [`LINT`].
    pub errors: BTreeMap<String, Stopped>,
}

/// How often something stopped a learner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopped {
    /// Attempts that it stopped.
    pub attempts: u32,
    /// Whether it stopped the last one. For a test: the last one that compiled.
    pub last: bool,
}

/// Something that stopped an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// A test of this name failed.
    Test(String),
    /// The compiler reported an error of this class.
    Error(String),
}

/// One recorded check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Of this module.
    pub module: ModuleId,
    /// In seconds since 1970, as the machine's clock had it.
    pub at: i64,
    /// Of the text that was checked.
    pub fingerprint: String,
    /// Its outcome.
    pub outcome: Outcome,
    /// What stopped it.
    pub stops: Vec<Stop>,
}

/// What stopped a check. A test that follows from an earlier failure did not: the learner fixes that one first.
#[must_use]
pub fn stops(report: &ModuleReport) -> BTreeSet<Stop> {
    let tests = report
        .graded()
        .filter(|test| test.fails() && report.blames(test).is_none())
        .map(|test| Stop::Test(test.name.clone()));
    let errors = report.errors().map(|error| Stop::Error(class(error)));
    match report.compiles {
        Some(false) => errors.collect(),
        _ => tests.collect(),
    }
}

fn class(error: &Diagnostic) -> String {
    match error.code.as_deref() {
        Some(code) if is_code(code) => code.to_owned(),
        Some(_) => LINT.to_owned(),
        None => NO_CODE.to_owned(),
    }
}

/// Whether the text is one of rustc's codes, such as `E0308`.
#[must_use]
pub fn is_code(text: &str) -> bool {
    let digits = text.strip_prefix('E').unwrap_or_default();
    digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

impl Shared {
    /// The figures of all checks, in the order in which they were made, and of the hints that were shown.
    #[must_use]
    pub fn new(
        checks: impl IntoIterator<Item = Check>,
        hints: impl IntoIterator<Item = (ModuleId, u32)>,
    ) -> Self {
        let mut exercises = BTreeMap::new();
        let mut texts: BTreeMap<ModuleId, String> = BTreeMap::new();
        let (mut before, mut worked) = (None, 0);
        for check in checks {
            // A clock that was set back gives no time.
            let gap = check.at.saturating_sub(before.replace(check.at).unwrap_or(check.at));
            worked += if (0..=LONGEST_GAP).contains(&gap) { gap } else { 0 };
            let is_same = texts.get(&check.module) == Some(&check.fingerprint);
            texts.insert(check.module, check.fingerprint.clone());
            // The time before a check without a change belongs to the next change.
            if is_same || matches!(check.outcome, Outcome::NotStarted | Outcome::Unknown) {
                continue;
            }
            let worked = std::mem::take(&mut worked);
            let exercise =
                exercises.entry(check.module).or_insert_with(|| Exercise::new(check.module));
            if !exercise.completed {
                exercise.attempt(&check, worked);
            }
        }
        for (module, shown) in hints {
            exercises.entry(module).or_insert_with(|| Exercise::new(module)).hints += shown;
        }
        Self { schema: SCHEMA, exercises: exercises.into_values().collect() }
    }

    /// Reads what a learner handed in.
    ///
    /// # Errors
    /// When it is in another form, or its figures are impossible.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let shared: Self = serde_json::from_slice(bytes).map_err(|error| {
            let error: String = harmless(&error.to_string()).chars().take(200).collect();
            format!("it is not in the form of shared progress: {error}")
        })?;
        shared.verify()?;
        Ok(shared)
    }

    /// Refuses figures that no store gives.
    ///
    /// # Errors
    /// When they are impossible.
    pub fn verify(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            let schema = self.schema;
            return Err(format!("it has format {schema}, and this version knows {SCHEMA}"));
        }
        let mut modules = BTreeSet::new();
        for exercise in &self.exercises {
            let ModuleId(number) = exercise.module;
            if !modules.insert(exercise.module) {
                return Err(format!("exercise {number} is there twice"));
            }
            exercise.verify().map_err(|problem| format!("exercise {number}: {problem}"))?;
        }
        Ok(())
    }
}

impl Exercise {
    fn new(module: ModuleId) -> Self {
        let (tests, errors) = (BTreeMap::new(), BTreeMap::new());
        Self { module, completed: false, attempts: 0, seconds: 0, hints: 0, tests, errors }
    }

    fn attempt(&mut self, check: &Check, worked: i64) {
        self.attempts += 1;
        self.seconds = self.seconds.saturating_add(u32::try_from(worked).unwrap_or(u32::MAX));
        self.completed = check.outcome == Outcome::Passed;
        if check.outcome != Outcome::DoesNotCompile {
            self.tests.values_mut().for_each(|test| test.last = false);
        }
        self.errors.values_mut().for_each(|error| error.last = false);
        for stop in &check.stops {
            let stopped = match stop {
                Stop::Test(name) => self.tests.entry(name.clone()).or_default(),
                Stop::Error(class) => self.errors.entry(class.clone()).or_default(),
            };
            stopped.attempts += 1;
            stopped.last = true;
        }
    }

    fn verify(&self) -> Result<(), String> {
        /// Far more than anybody reaches, and little enough to add up.
        const LIMITS: [(&str, u32); 3] =
            [("attempts", 1_000_000), ("seconds", 10_000 * 3600), ("hints", 10_000)];
        for ((what, limit), value) in LIMITS.iter().zip([self.attempts, self.seconds, self.hints]) {
            if value > *limit {
                return Err(format!("{what} is {value}, more than {limit}"));
            }
        }
        if self.attempts == 0 && (self.completed || self.seconds > 0) {
            return Err("it was never attempted, and has figures".into());
        }
        let stops = || self.tests.values().chain(self.errors.values());
        if stops().any(|stop| stop.attempts == 0 || stop.attempts > self.attempts) {
            return Err("something stopped more attempts than there are, or none".into());
        }
        if self.completed && stops().any(|stop| stop.last) {
            return Err("it is completed, and something stopped the last attempt".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
