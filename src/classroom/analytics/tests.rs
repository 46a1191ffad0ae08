//! Figures of made-up classes whose answers are known.

use super::*;
use crate::curriculum::ModuleId;
use crate::report::shared::SCHEMA;

const MATMUL: &str = "test_unit_matmul";
const NEW: &str = "test_unit_new";

fn student(number: usize) -> StudentId {
    format!("s{number}").try_into().unwrap()
}

fn exercise(attempts: u32, minutes: u32) -> Exercise {
    let (tests, errors) = (BTreeMap::new(), BTreeMap::new());
    let (module, seconds) = (ModuleId(1), minutes * 60);
    Exercise { module, completed: false, attempts, seconds, hints: 0, tests, errors }
}

/// A class in which each learner shares these exercises.
fn class(each: impl IntoIterator<Item = Vec<Exercise>>) -> Vec<(StudentId, Shared)> {
    let shared = |exercises| Shared { schema: SCHEMA, exercises };
    each.into_iter().enumerate().map(|(n, of)| (student(n), shared(of))).collect()
}

fn figures_of(class: &[(StudentId, Shared)]) -> Analytics {
    for (_, shared) in class {
        shared.verify().unwrap();
    }
    analytics(Course::tinytorch(), 9, class)
}

fn stopped(attempts: u32, last: bool) -> Stopped {
    Stopped { attempts, last }
}

#[test]
fn an_exercise_has_the_quartiles_of_those_who_started_it() {
    let mut exercises: Vec<Exercise> =
        [(1, 10), (2, 20), (3, 30), (4, 40), (10, 500)].map(|(n, m)| exercise(n, m)).into();
    exercises[0].completed = true;
    exercises[4].completed = true;
    exercises[4].hints = 8;
    let mut each: Vec<_> = exercises.into_iter().map(|one| vec![one]).collect();
    // Hints alone are no start.
    each.push(vec![Exercise { hints: 9, ..exercise(0, 0) }]);
    let found = figures_of(&class(each));
    assert_eq!((found.students, found.sharing), (9, 6));
    let wanted = Figures {
        started: 5,
        completed: 2,
        minutes: [20.0, 30.0, 40.0],
        attempts: [2.0, 3.0, 4.0],
        hints: [0.0, 0.0, 0.0],
    };
    let [OfExercise { exercise, figures }] = &found.exercises[..] else { panic!("{found:?}") };
    assert_eq!((exercise.as_str(), figures.as_ref()), ("01_tensor", Some(&wanted)));
}

#[test]
fn figures_of_fewer_than_five_learners_are_left_out() {
    let with = |number: usize| {
        let mut one = exercise(3, 30);
        one.tests.insert(MATMUL.into(), stopped(3, true));
        one.errors.insert("E0308".into(), stopped(1, false));
        figures_of(&class(vec![vec![one]; number]))
    };
    let few = with(4);
    assert_eq!((few.exercises.len(), &few.exercises[0].figures), (1, &None));
    assert_eq!((few.tests.len(), few.errors.len()), (0, 0));
    let enough = with(5);
    assert!(enough.exercises[0].figures.is_some());
    assert_eq!((enough.tests.len(), enough.errors.len()), (1, 1));
    let text = csv(&few).unwrap();
    assert!(text.ends_with("class,,,sharing,4\nexercise,01_tensor,,started,\n"), "{text}");
}

#[test]
fn a_test_stops_those_whose_last_or_most_attempts_fail_there() {
    let with = |matmul: Option<Stopped>, new: Option<Stopped>| {
        let mut one = exercise(4, 10);
        let stops = [(MATMUL, matmul), (NEW, new)];
        one.tests = stops
            .into_iter()
            .filter_map(|(name, stopped)| Some((name.to_owned(), stopped?)))
            .collect();
        vec![one]
    };
    let found = figures_of(&class([
        with(Some(stopped(1, true)), Some(stopped(2, false))),
        with(Some(stopped(3, false)), Some(stopped(2, false))),
        with(Some(stopped(2, false)), Some(stopped(1, false))),
        with(None, Some(stopped(1, true))),
        with(None, Some(stopped(1, false))),
    ]));
    let rows: Vec<_> =
        found.tests.iter().map(|test| (test.test.as_str(), test.stopped, test.failed)).collect();
    assert_eq!(rows, [(MATMUL, 2, 3), (NEW, 1, 5)]);
    assert_eq!(found.tests[0].exercise, "01_tensor");
}

#[test]
fn a_learner_counts_once_for_an_error_however_many_exercises_have_it() {
    let with = |of: &[(u8, &str, Stopped)]| {
        let one = |(module, class, stopped): &(u8, &str, Stopped)| {
            let errors = [((*class).to_owned(), *stopped)].into();
            Exercise { module: ModuleId(*module), errors, ..exercise(4, 1) }
        };
        of.iter().map(one).collect::<Vec<_>>()
    };
    let found = figures_of(&class([
        with(&[(1, "E0308", stopped(1, false)), (2, "E0308", stopped(4, false))]),
        with(&[(1, "E0308", stopped(1, false)), (2, NO_CODE, stopped(1, false))]),
        with(&[(3, NO_CODE, stopped(1, false))]),
        with(&[(3, NO_CODE, stopped(1, false))]),
        with(&[(3, LINT, stopped(1, true))]),
    ]));
    let rows: Vec<_> =
        found.errors.iter().map(|e| (e.error.as_str(), e.stopped, e.failed)).collect();
    assert_eq!(rows, [("E0308", 1, 2), (LINT, 1, 1), (NO_CODE, 0, 3)]);
}

#[test]
fn names_that_the_course_does_not_have_are_counted_and_never_repeated() {
    let evil = "\u{1b}[2J=cmd()";
    let mut one = exercise(3, 30);
    one.tests.insert(evil.into(), stopped(3, true));
    one.errors.insert(evil.into(), stopped(1, false));
    let foreign = Exercise { module: ModuleId(250), ..exercise(1, 1) };
    let class = class(vec![vec![one, foreign]; 5]);
    let mut found = figures_of(&class);
    found.learners = learners(Course::tinytorch(), &class);
    assert_eq!((found.unknown, found.tests.len(), found.errors.len()), (15, 0, 0));
    assert_eq!(found.learners.len(), 5, "none of the foreign exercise");
    for text in [csv(&found).unwrap(), crate::report::json::to_line(&found)] {
        assert!(!text.contains("cmd") && !text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn every_figure_is_a_row_and_a_learner_is_named_only_when_asked_for() {
    let mut one = Exercise { completed: true, hints: 2, ..exercise(2, 45) };
    one.tests.insert(MATMUL.into(), stopped(1, false));
    one.errors.insert("E0308".into(), stopped(1, false));
    let class = class(vec![vec![one]; 5]);
    let mut found = figures_of(&class);
    let text = csv(&found).unwrap();
    for row in [
        "kind,exercise,name,figure,value",
        "class,,,students,9",
        "exercise,01_tensor,,completed,5",
        "exercise,01_tensor,,minutes_median,45",
        "exercise,01_tensor,,hints_q3,2",
        "test,01_tensor,test_unit_matmul,failed,5",
        "test,01_tensor,test_unit_matmul,stopped,0",
        "error,,E0308,failed,5",
    ] {
        assert!(text.lines().any(|line| line == row), "{row}: {text}");
    }
    assert!(!text.contains("s0") && !crate::report::json::to_line(&found).contains("s0"));
    found.learners = learners(Course::tinytorch(), &class);
    let text = csv(&found).unwrap();
    assert!(text.contains("learner,01_tensor,s0,minutes,45\n"), "{text}");
}
