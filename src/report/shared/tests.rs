//! The figures of an exercise, and the refusal of impossible ones.

use super::*;
use crate::runner::event::{Expected, Level, Output, RunEvent, RunKind, TestResult, Verdict};
use proptest::prelude::{any, prop_assert_eq, proptest};
use std::time::Duration;

const MINUTE: i64 = 60;

fn check(module: u8, at: i64, text: &str, outcome: Outcome) -> Check {
    Check { module: ModuleId(module), at, fingerprint: text.into(), outcome, stops: vec![] }
}

fn stopped(check: Check, stops: &[Stop]) -> Check {
    Check { stops: stops.to_vec(), ..check }
}

fn test(name: &str) -> Stop {
    Stop::Test(name.into())
}

fn error(class: &str) -> Stop {
    Stop::Error(class.into())
}

fn only(shared: &Shared) -> &Exercise {
    assert_eq!(shared.exercises.len(), 1, "{shared:#?}");
    &shared.exercises[0]
}

#[test]
fn breaks_and_clocks_that_are_set_back_are_no_work() {
    let times = [0, 10, 25, 41, 30, 35].map(|minutes| minutes * MINUTE);
    let checks =
        times.iter().enumerate().map(|(n, at)| check(1, *at, &n.to_string(), Outcome::Unfinished));
    let shared = Shared::new(checks, []);
    assert_eq!(only(&shared).seconds, 30 * 60, "10 and 15 and 5 minutes");
    assert_eq!(only(&shared).attempts, 6);
}

#[test]
fn a_check_without_a_change_or_of_a_starter_is_no_attempt_and_its_time_is_kept() {
    let shared = Shared::new(
        [
            check(1, 0, "starter", Outcome::NotStarted),
            check(1, 10 * MINUTE, "a", Outcome::Unfinished),
            check(1, 20 * MINUTE, "a", Outcome::Unfinished),
            check(1, 30 * MINUTE, "b", Outcome::Unknown),
            check(1, 40 * MINUTE, "c", Outcome::Unfinished),
        ],
        [],
    );
    assert_eq!((only(&shared).attempts, only(&shared).seconds), (2, 40 * 60));
}

#[test]
fn time_belongs_to_the_exercise_that_was_changed_and_none_to_a_completed_one() {
    let shared = Shared::new(
        [
            check(1, 0, "a", Outcome::Unfinished),
            check(2, 5 * MINUTE, "a", Outcome::DoesNotCompile),
            check(1, 7 * MINUTE, "b", Outcome::Passed),
            check(1, 12 * MINUTE, "c", Outcome::Unfinished),
            check(2, 13 * MINUTE, "b", Outcome::Unfinished),
        ],
        [(ModuleId(2), 3), (ModuleId(7), 1)],
    );
    let figures: Vec<_> = shared
        .exercises
        .iter()
        .map(|e| (e.module.0, e.completed, e.attempts, e.seconds, e.hints))
        .collect();
    assert_eq!(
        figures,
        [(1, true, 2, 120, 0), (2, false, 2, 360, 3), (7, false, 0, 0, 1)],
        "the five minutes on the completed one count for none"
    );
}

#[test]
fn what_stopped_the_last_attempt_is_known_and_a_test_waits_for_one_that_compiles() {
    let attempts = [
        stopped(check(1, 0, "a", Outcome::Unfinished), &[test("t"), test("u")]),
        stopped(check(1, 1, "b", Outcome::Unfinished), &[test("u")]),
        stopped(check(1, 2, "c", Outcome::DoesNotCompile), &[error("E0308"), error(NO_CODE)]),
        stopped(check(1, 3, "d", Outcome::DoesNotCompile), &[error("E0308")]),
    ];
    let shared = Shared::new(attempts.clone(), []);
    let stop = |attempts, last| Stopped { attempts, last };
    assert_eq!(only(&shared).tests["t"], stop(1, false));
    assert_eq!(only(&shared).tests["u"], stop(2, true), "the last attempt that compiled");
    assert_eq!(only(&shared).errors["E0308"], stop(2, true));
    assert_eq!(only(&shared).errors[NO_CODE], stop(1, false));
    let passed = attempts.into_iter().chain([check(1, 4, "e", Outcome::Passed)]);
    let shared = Shared::new(passed, []);
    let exercise = only(&shared);
    assert!(exercise.completed);
    assert!(exercise.tests.values().chain(exercise.errors.values()).all(|stop| !stop.last));
}

proptest! {
    #[test]
    fn whatever_was_checked_and_when_the_figures_are_accepted_where_they_are_read(
        checks in proptest::collection::vec((0u8..3, any::<i64>(), 0u8..4, 0usize..5, 0u8..4), 0..40)
    ) {
        const OUTCOMES: [Outcome; 5] = [
            Outcome::Unknown,
            Outcome::NotStarted,
            Outcome::DoesNotCompile,
            Outcome::Unfinished,
            Outcome::Passed,
        ];
        let checks = checks.into_iter().map(|(module, at, text, outcome, name)| {
            let check = check(module, at, &text.to_string(), OUTCOMES[outcome]);
            match OUTCOMES[outcome] {
                Outcome::DoesNotCompile => stopped(check, &[error(&name.to_string())]),
                Outcome::Unfinished => stopped(check, &[test(&name.to_string())]),
                _ => check,
            }
        });
        let shared = Shared::new(checks, [(ModuleId(1), 2), (ModuleId(9), 1)]);
        prop_assert_eq!(Shared::parse(crate::report::json::to_line(&shared).as_bytes()), Ok(shared));
    }

    #[test]
    fn whatever_is_handed_in_reading_it_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Shared::parse(&bytes);
    }
}

fn failing(needs: &[(&str, &[&str])]) -> ModuleReport {
    let mut report = ModuleReport::new(ModuleId(1));
    let expected = |(name, needs): &(&str, &[&str])| Expected {
        grade_id: Some(format!("test-{name}")),
        needs: needs.iter().map(|&cell| cell.to_owned()).collect(),
        ..Expected::new(name)
    };
    let (module, kind) = (report.module, RunKind::Check);
    let expected = needs.iter().map(expected).collect();
    report.apply(&RunEvent::Started { module, kind, expected });
    report.apply(&RunEvent::Built { success: true, took: Duration::ZERO });
    for (name, _) in needs {
        let verdict = Verdict::Failed { message: "/home/ada: wrong".into(), at: None };
        let (output, took) = (Output::default(), Duration::ZERO);
        let result = TestResult { name: (*name).into(), verdict, output, took };
        report.apply(&RunEvent::Test(result));
    }
    report
}

#[test]
fn a_failure_that_follows_from_another_one_stops_nobody() {
    let report = failing(&[("a", &[]), ("b", &["a"]), ("c", &["x"])]);
    assert_eq!(stops(&report), [test("a"), test("c")].into());
}

#[test]
fn errors_are_classes_without_messages() {
    let mut report = ModuleReport::new(ModuleId(1));
    let (module, kind, expected) = (report.module, RunKind::Check, vec![]);
    report.apply(&RunEvent::Started { module, kind, expected });
    for (code, level) in [
        (Some("E0308"), Level::Error),
        (Some("E0308"), Level::Error),
        (None, Level::Error),
        (Some("unused_must_use"), Level::Error),
        (Some("E0999"), Level::Warning),
    ] {
        report.apply(&RunEvent::Diagnostic(Diagnostic {
            level,
            message: "secret = 1".into(),
            code: code.map(str::to_owned),
            at: None,
            spans: vec![],
            notes: vec![],
            suggestions: vec![],
        }));
    }
    report.apply(&RunEvent::Built { success: false, took: Duration::ZERO });
    assert_eq!(stops(&report), [error("E0308"), error(LINT), error(NO_CODE)].into());
}

const HONEST: &str = r#"{"schema":1,"exercises":[{"module":1,"completed":false,"attempts":3,
    "seconds":60,"hints":1,"tests":{"t":{"attempts":2,"last":true}},"errors":{}}]}"#;

#[test]
fn what_is_written_is_read_and_what_no_store_gives_is_refused() {
    let shared = Shared::parse(HONEST.as_bytes()).unwrap();
    let again = Shared::parse(crate::report::json::to_line(&shared).as_bytes());
    assert_eq!(again.as_ref(), Ok(&shared));
    for (from, to, problem) in [
        ("{\"schema\":1", "[", "not in the form"),
        ("\"schema\":1", "\"schema\":2", "format 2"),
        ("\"attempts\":3", "\"attempts\":-3", "integer `-3`"),
        ("\"attempts\":3", "\"attempts\":1", "more attempts than there are"),
        ("\"attempts\":3", "\"attempts\":1000001", "attempts is 1000001"),
        ("\"seconds\":60", "\"seconds\":36000001", "seconds is"),
        ("\"seconds\":60", "\"seconds\":6e1", "not in the form"),
        ("\"hints\":1", "\"hints\":10001", "hints is"),
        ("\"hints\":1", "\"hints\":1,\"name\":\"Ada\"", "unknown field"),
        ("\"completed\":false", "\"completed\":true", "completed, and something stopped"),
        ("\"attempts\":2", "\"attempts\":0", "or none"),
        ("\"attempts\":3", "\"attempts\":0", "never attempted"),
        ("\"hints\":1", "\"hints\":1,\"\\u001b[2J\":1", "\u{241b}[2J"),
    ] {
        let text = HONEST.replacen(from, to, 1);
        assert_ne!(text, HONEST);
        let refusal = Shared::parse(text.as_bytes()).unwrap_err();
        assert!(refusal.contains(problem), "{from} -> {to}: {refusal}");
        assert!(!refusal.contains('\u{1b}'));
    }
    let twice = HONEST.replace("}]}", "},{\"module\":1,\"completed\":false,\"attempts\":0,\"seconds\":0,\"hints\":1,\"tests\":{},\"errors\":{}}]}");
    assert_eq!(Shared::parse(twice.as_bytes()).unwrap_err(), "exercise 1 is there twice");
    assert!(Shared::parse(&[0xff, 0xfe]).is_err());
}
