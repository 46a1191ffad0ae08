//! Where a class stops: figures over what its students share of their progress. Pure. Names of tests and codes of errors
//! are used only where the course and the compiler have them, since a student could write anything there. Must not know files.

mod csv;

pub use csv::csv;

use super::student::StudentId;
use crate::curriculum::{Course, Module, cells};
use crate::report::shared::{Exercise, LINT, NO_CODE, Shared, Stopped, is_code};
use serde::Serialize;
use std::collections::BTreeMap;
use tinytorch::testing::quartiles;

/// A figure of fewer learners than this is not shown: it could be known whose it is.
pub const FEWEST: usize = 5;

/// Where a class stops.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analytics {
    /// Students of whom something was collected.
    pub students: usize,
    /// Students who share figures.
    pub sharing: usize,
    /// In the order of the course: the exercises that at least one learner started.
    pub exercises: Vec<OfExercise>,
    /// Tests that failed, those that stop most learners first.
    pub tests: Vec<OfTest>,
    /// Compiler errors, those that stop most learners first.
    pub errors: Vec<OfError>,
    /// What was shared about exercises and tests that this version of the course does not have, and about unknown errors:
    /// the number of figures that were left out.
    pub unknown: usize,
    /// Figures of each learner, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learners: Vec<OfLearner>,
    /// What was collected and could not be read, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_counted: Vec<String>,
}

/// One exercise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfExercise {
    /// Its slug.
    pub exercise: String,
    /// Its figures; `None` when fewer than [`FEWEST`] learners started it.
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

/// The figures of an exercise, over the learners who started it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// How many they are.
    pub started: usize,
    /// How many of them completed it.
    pub completed: usize,
    /// Minutes of work: first quartile, median, third quartile.
    pub minutes: [f64; 3],
    /// Attempts, likewise.
    pub attempts: [f64; 3],
    /// Hints that were shown, likewise.
    pub hints: [f64; 3],
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfTest {
    /// The slug of its exercise.
    pub exercise: String,
    /// Its name.
    pub test: String,
    /// How many learners it stops: it failed in their last attempt, or in more than half of them.
    pub stopped: usize,
    /// How many it ever failed for.
    pub failed: usize,
}

/// One class of compiler errors, over the whole course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfError {
    /// Such as `E0308`.
    pub error: String,
    /// How many learners it stops: in some exercise it was in their last attempt, or in more than half of them.
    pub stopped: usize,
    /// How many ever had it.
    pub failed: usize,
}

/// One learner and one exercise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfLearner {
    /// The learner.
    pub student: StudentId,
    /// The exercise's slug.
    pub exercise: String,
    /// Whether it is completed.
    pub completed: bool,
    /// Seconds of work.
    pub seconds: u32,
    /// Attempts.
    pub attempts: u32,
    /// Hints that were shown.
    pub hints: u32,
}

/// How many learners something stops, and stopped at least once.
#[derive(Default)]
struct Learners {
    stopped: usize,
    failed: usize,
}

impl Learners {
    fn add(&mut self, stopped: bool) {
        self.failed += 1;
        self.stopped += usize::from(stopped);
    }
}

/// The figures of a class with so many students, of whom these share theirs.
#[must_use]
pub fn analytics(course: &Course, students: usize, shared: &[(StudentId, Shared)]) -> Analytics {
    let mut unknown = unknown_exercises(course, shared);
    let (mut exercises, mut tests) = (vec![], vec![]);
    for module in course.modules() {
        let started: Vec<&Exercise> =
            of_module(module, shared).filter(|exercise| exercise.attempts > 0).collect();
        if started.is_empty() {
            continue;
        }
        let is_shown = started.len() >= FEWEST;
        exercises.push(OfExercise {
            exercise: module.slug(),
            figures: is_shown.then(|| figures(&started)),
        });
        let known = cells::tests(module.reference());
        let names = || started.iter().flat_map(|exercise| exercise.tests.keys());
        unknown += names().filter(|name| !known.contains(name)).count();
        if is_shown {
            tests.extend(known.iter().filter_map(|test| of_test(module, test, &started)));
        }
    }
    // The sorts are stable: what stops as many stays in the order of the course.
    tests.sort_by_key(|test| std::cmp::Reverse((test.stopped, test.failed)));
    let (errors, strange) = of_errors(shared);
    let sharing = shared.len();
    unknown += strange;
    let (learners, not_counted) = (vec![], vec![]);
    Analytics { students, sharing, exercises, tests, errors, unknown, learners, not_counted }
}

/// The figures of each learner who shares them, by id.
#[must_use]
pub fn learners(course: &Course, shared: &[(StudentId, Shared)]) -> Vec<OfLearner> {
    let of = |student: &StudentId, exercise: &Exercise| {
        let module = course.module(exercise.module)?;
        let Exercise { completed, seconds, attempts, hints, .. } = *exercise;
        let (student, exercise) = (student.clone(), module.slug());
        Some(OfLearner { student, exercise, completed, seconds, attempts, hints })
    };
    let each = |(student, shared): &'_ (StudentId, Shared)| -> Vec<OfLearner> {
        shared.exercises.iter().filter_map(|exercise| of(student, exercise)).collect()
    };
    shared.iter().flat_map(each).collect()
}

fn of_module<'a>(
    module: &Module,
    shared: &'a [(StudentId, Shared)],
) -> impl Iterator<Item = &'a Exercise> {
    let id = module.id;
    let all = shared.iter().flat_map(|(_, shared)| &shared.exercises);
    all.filter(move |exercise| exercise.module == id)
}

fn unknown_exercises(course: &Course, shared: &[(StudentId, Shared)]) -> usize {
    let all = shared.iter().flat_map(|(_, shared)| &shared.exercises);
    all.filter(|exercise| course.module(exercise.module).is_none()).count()
}

fn figures(started: &[&Exercise]) -> Figures {
    let of = |figure: fn(&Exercise) -> f64| {
        quartiles(started.iter().map(|exercise| figure(exercise)).collect())
    };
    Figures {
        started: started.len(),
        completed: started.iter().filter(|exercise| exercise.completed).count(),
        minutes: of(|exercise| f64::from(exercise.seconds) / 60.0),
        attempts: of(|exercise| f64::from(exercise.attempts)),
        hints: of(|exercise| f64::from(exercise.hints)),
    }
}

/// `None` for a test that never failed.
fn of_test(module: &Module, test: &str, started: &[&Exercise]) -> Option<OfTest> {
    let mut learners = Learners::default();
    for exercise in started {
        if let Some(stopped) = exercise.tests.get(test) {
            learners.add(stops(exercise, *stopped));
        }
    }
    let Learners { stopped, failed } = learners;
    let (exercise, test) = (module.slug(), test.to_owned());
    (failed > 0).then_some(OfTest { exercise, test, stopped, failed })
}

/// Whether something stops the learner of an exercise.
fn stops(exercise: &Exercise, stopped: Stopped) -> bool {
    stopped.last || stopped.attempts > exercise.attempts / 2
}

/// The classes of compiler errors, each learner counted once, and how many are unknown.
fn of_errors(shared: &[(StudentId, Shared)]) -> (Vec<OfError>, usize) {
    let is_known = |class: &str| is_code(class) || [NO_CODE, LINT].contains(&class);
    let mut all = BTreeMap::<&str, Learners>::new();
    let (mut started, mut unknown) = (0, 0);
    for (_, shared) in shared {
        let mut own = BTreeMap::<&str, bool>::new();
        for exercise in &shared.exercises {
            for (class, stopped) in &exercise.errors {
                if is_known(class) {
                    *own.entry(class).or_default() |= stops(exercise, *stopped);
                } else {
                    unknown += 1;
                }
            }
        }
        own.into_iter().for_each(|(class, stopped)| all.entry(class).or_default().add(stopped));
        started += usize::from(shared.exercises.iter().any(|exercise| exercise.attempts > 0));
    }
    if started < FEWEST {
        return (vec![], unknown);
    }
    let of = |(class, Learners { stopped, failed }): (&str, Learners)| OfError {
        error: class.to_owned(),
        stopped,
        failed,
    };
    let mut errors: Vec<OfError> = all.into_iter().map(of).collect();
    errors.sort_by_key(|error| std::cmp::Reverse((error.stopped, error.failed)));
    (errors, unknown)
}

#[cfg(test)]
mod tests;
