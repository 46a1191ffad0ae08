//! The learner's own cell: its helpers are compiled, and its tests are run but never graded.

use super::*;
use tinytorch_tutor::report::{ModuleReport, Outcome};
use tinytorch_tutor::runner::event::Owner;

const OWN_CELL: &str = r##"
// %% nbgrader={"grade": false, "grade_id": "alpha-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
fn twice(x: i32) -> i32 {
    x * 2
}

#[test]
fn test_right() {
    assert_eq!(double(1), twice(1));
}

#[test]
fn test_wrong() {
    assert_eq!(double(1), 3, "mine");
}

#[test]
fn test_with_result() -> Result<(), String> {
    Err("no luck".into())
}
"##;

fn report(events: &[RunEvent]) -> ModuleReport {
    let mut report = ModuleReport::new(ALPHA);
    events.iter().for_each(|event| report.apply(event));
    report
}

#[test]
fn own_helpers_are_compiled_and_own_tests_run_last_and_never_count() {
    let text = with_body("twice(x)") + OWN_CELL;
    let events = check(&text);
    assert_eq!(diagnostics(&events), Vec::<&Diagnostic>::new());
    let RunEvent::Started { expected, .. } = &events[0] else { panic!("{events:?}") };
    let owners: Vec<_> = expected.iter().map(|expected| expected.owner).collect();
    assert_eq!(owners, [[Owner::Course; 2].as_slice(), &[Owner::Learner; 3]].concat());
    assert_eq!(verdict(&events, "own::test_right"), &Verdict::Passed);
    let at = Some(place(line_of(&text, "double(1), 3"), 5));
    let message = "assertion `left == right` failed: mine\n  left: 2\n right: 3".into();
    assert_eq!(verdict(&events, "own::test_wrong"), &Verdict::Failed { message, at });
    let Verdict::Failed { message, .. } = verdict(&events, "own::test_with_result") else {
        panic!("{events:?}")
    };
    assert!(message.contains("the test returned an error"), "{message}");
    let names: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Test(result) => Some(result.name.starts_with("own::")),
            _ => None,
        })
        .collect();
    assert_eq!(names, [false, false, true, true, true]);
    let report = report(&events);
    assert_eq!((report.outcome(), report.passed()), (Outcome::Passed, (2, 2)));
}

#[test]
fn an_own_test_with_the_name_of_a_graded_one_leaves_the_graded_one_as_it_is() {
    let own = OWN_CELL.replace("test_right", "test_unit_double").replace("twice(1)", "7");
    let events = check(&(with_body("twice(x)") + &own));
    assert_eq!(verdict(&events, "test_unit_double"), &Verdict::Passed);
    assert!(matches!(verdict(&events, "own::test_unit_double"), Verdict::Failed { .. }));

    let text = with_body("x * 3") + "\nfn test_unit_double() {}\n";
    assert!(matches!(verdict(&check(&text), "test_unit_double"), Verdict::Failed { .. }));
}

#[test]
fn code_outside_any_cell_is_compiled_where_it_can_be_and_named() {
    let text = with_body("thrice(x) - x").replacen(
        "use tinytorch",
        "use std::fmt::Debug;\nuse tinytorch",
        1,
    ) + "\n// %%\nfn thrice(x: i32) -> i32 { let _: &dyn Debug = &x; x * 3 }\n\n#[test]\nfn test_it() {}\n";
    let events = check(&text);
    let line = |part| Notice::CodeOutsideCells { line: line_of(&text, part) };
    assert_eq!(notices(&events), [&line("use std::fmt"), &line("fn thrice")]);
    assert_eq!(verdict(&events, "test_unit_double"), &Verdict::Passed);
    assert_eq!(verdict(&events, "own::test_it"), &Verdict::Passed);
}

#[test]
fn own_tests_run_only_if_they_are_requested_when_any_test_is() {
    let mut request = request(
        ALPHA,
        RunKind::Check,
        &(ALPHA_TEXT.to_owned() + &OWN_CELL.replace("twice(1)", "2")),
    );
    request.only = vec!["own::test_right".into()];
    let events = events(&runner(), &request);
    let [result] = results(&events)[..] else { panic!("{events:?}") };
    assert_eq!((result.name.as_str(), &result.verdict), ("own::test_right", &Verdict::Passed));
}
