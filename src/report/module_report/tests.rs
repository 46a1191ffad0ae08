//! The fold, event by event: what counts as passed, and what is old.

use super::*;
use crate::runner::event::Output;
use std::time::Duration;
use tinytorch::report::{Axis, Chart, ChartKind, Origin, Series, Text};

const TENSOR: ModuleId = ModuleId(1);

fn started(names: &[&str]) -> RunEvent {
    let expected = names.iter().map(|name| Expected::new(name)).collect();
    RunEvent::Started { module: TENSOR, kind: RunKind::Check, expected }
}

fn built(success: bool) -> RunEvent {
    RunEvent::Built { success, took: Duration::ZERO }
}

fn result(name: &str, verdict: Verdict) -> TestResult {
    TestResult { name: name.into(), verdict, output: Output::default(), took: Duration::ZERO }
}

fn test(name: &str, verdict: Verdict) -> RunEvent {
    RunEvent::Test(result(name, verdict))
}

fn waits() -> Verdict {
    Verdict::NotStarted { waits_for: "tensor-add".into() }
}

fn after(events: &[RunEvent]) -> ModuleReport {
    let mut report = ModuleReport::new(TENSOR);
    events.iter().for_each(|event| report.apply(event));
    report
}

#[test]
fn a_module_passes_only_when_every_expected_test_passed() {
    let mut events = vec![started(&["a", "b"]), built(true), test("a", Verdict::Passed)];
    assert_eq!(after(&events).outcome(), Outcome::Unknown);
    events.push(test("b", Verdict::Passed));
    assert_eq!(after(&events).outcome(), Outcome::Passed);
}

#[test]
fn a_run_without_tests_is_not_a_pass() {
    let report = after(&[started(&[]), built(true), RunEvent::Finished]);
    assert_eq!(report.outcome(), Outcome::Unfinished);
}

#[test]
fn every_state_but_passed_keeps_a_module_from_passing() {
    let failed = Verdict::Failed { message: String::new(), at: None };
    for verdict in [
        waits(),
        failed,
        Verdict::Crashed { signal: "SIGSEGV".into() },
        Verdict::TimedOut { after: Duration::from_secs(1) },
        Verdict::ExitedEarly { code: Some(0) },
        Verdict::Missing,
    ] {
        let report = after(&[
            started(&["a", "b"]),
            built(true),
            test("a", Verdict::Passed),
            test("b", verdict.clone()),
            RunEvent::Finished,
        ]);
        assert_eq!(report.outcome(), Outcome::Unfinished, "{verdict:?}");
    }
}

#[test]
fn a_starter_is_not_started_and_a_broken_file_does_not_compile() {
    assert_eq!(
        after(&[started(&["a"]), built(true), test("a", waits())]).outcome(),
        Outcome::NotStarted
    );
    let report = after(&[started(&["a"]), built(false), RunEvent::Finished]);
    assert_eq!(report.outcome(), Outcome::DoesNotCompile);
}

#[test]
fn earlier_verdicts_stay_visible_as_old_but_do_not_count() {
    let mut report = after(&[started(&["a"]), built(true), test("a", Verdict::Passed)]);
    report.apply(&started(&["a", "b"]));
    assert!(report.tests[0].old && report.tests[0].result.is_some());
    assert_eq!(report.passed(), (0, 2));
    report.apply(&built(false));
    assert!(report.tests[0].result.is_some());
    assert_eq!(report.outcome(), Outcome::DoesNotCompile);
}

#[test]
fn old_passes_do_not_make_a_module_pass() {
    let mut report = after(&[started(&["a", "b"]), built(true)]);
    for name in ["a", "b"] {
        report.apply(&test(name, Verdict::Passed));
    }
    report.apply(&RunEvent::Finished);
    assert_eq!(report.outcome(), Outcome::Passed);
    report.mark_old();
    assert_eq!((report.outcome(), report.passed()), (Outcome::Unknown, (0, 2)), "a new save");
    report.apply(&started(&["a", "b"]));
    report.apply(&built(true));
    report.apply(&test("a", Verdict::Passed));
    report.apply(&RunEvent::Finished);
    assert_eq!((report.outcome(), report.passed()), (Outcome::Unknown, (1, 2)), "b is old");
}

#[test]
fn an_error_of_the_tutor_is_neither_a_pass_nor_a_failure() {
    let events = [started(&["a", "b"]), built(true), test("a", Verdict::Passed)];
    let mut report = after(&events);
    report.apply(&test("b", Verdict::RunnerError { message: "no more processes".into() }));
    report.apply(&RunEvent::Finished);
    assert_eq!(report.outcome(), Outcome::Unknown);
}

#[test]
fn the_learners_own_tests_are_shown_and_never_count() {
    let own = Expected { owner: Owner::Learner, ..Expected::new("own::test_a") };
    let graded = Expected { grade_id: Some("test-a".into()), points: 5, ..Expected::new("a") };
    let expected = vec![graded, own];
    let failed = Verdict::Failed { message: String::new(), at: None };
    let mut report = after(&[
        RunEvent::Started { module: TENSOR, kind: RunKind::Check, expected },
        built(true),
        test("a", Verdict::Passed),
    ]);
    assert_eq!((report.outcome(), report.passed()), (Outcome::Passed, (1, 1)));
    report.apply(&test("own::test_a", failed.clone()));
    report.apply(&RunEvent::Finished);
    assert_eq!((report.outcome(), report.passed()), (Outcome::Passed, (1, 1)));
    let [graded] = report.graded().collect::<Vec<_>>()[..] else { panic!("{report:?}") };
    assert_eq!((graded.grade_id.as_deref(), graded.points), (Some("test-a"), 5));
    let [own] = report.own_tests().collect::<Vec<_>>()[..] else { panic!("{report:?}") };
    assert_eq!(own.result.as_ref().map(|result| &result.verdict), Some(&failed));
}

/// Tests `a`, `b` and `c` of cells of these names; `b` needs `a`, and `c` needs both.
fn three(verdicts: [Verdict; 3]) -> ModuleReport {
    let cells = [("a", &[][..]), ("b", &["a"]), ("c", &["a", "b"])];
    let expected = cells.map(|(name, needs)| Expected {
        grade_id: Some(format!("test-{name}")),
        needs: needs.iter().map(|&id| id.to_owned()).collect(),
        ..Expected::new(name)
    });
    let (module, kind, expected) = (TENSOR, RunKind::Check, expected.into());
    let mut report = after(&[RunEvent::Started { module, kind, expected }, built(true)]);
    for ((name, _), verdict) in cells.into_iter().zip(verdicts) {
        report.apply(&test(name, verdict));
    }
    report
}

fn blamed(report: &ModuleReport) -> Vec<Option<&str>> {
    report.tests.iter().map(|test| report.blames(test)).collect()
}

#[test]
fn a_failure_is_blamed_on_the_first_cell_that_it_needs_and_that_fails() {
    let failed = || Verdict::Failed { message: String::new(), at: None };
    let crashed = || Verdict::Crashed { signal: "SIGSEGV".into() };
    let passed = || Verdict::Passed;
    let blames = |verdicts| {
        blamed(&three(verdicts)).iter().map(|id| id.map(str::to_owned)).collect::<Vec<_>>()
    };
    let a = || Some("a".to_owned());
    assert_eq!(blames([failed(), failed(), crashed()]), [None, a(), a()], "the first of two");
    assert_eq!(blames([passed(), failed(), failed()]), [None, None, Some("b".to_owned())]);
    assert_eq!(blames([crashed(), passed(), failed()]), [None, None, a()], "a pass has no cause");
    assert_eq!(blames([waits(), failed(), waits()]), [None, None, None], "a todo names its cell");
    let mut old = three([failed(), failed(), failed()]);
    old.mark_old();
    assert_eq!(blamed(&old), [None; 3], "after a save");
    old.apply(&test("c", failed()));
    assert_eq!(blamed(&old), [None; 3], "the others are old");
}

fn curve(last: f64) -> RunEvent {
    let chart = Chart {
        title: "Loss".into(),
        kind: ChartKind::Line,
        x: Axis::linear("epoch", ""),
        y: Axis::linear("loss", ""),
        series: vec![Series::new("train", [(0.0, last)])],
        origin: Origin::Measured,
    };
    RunEvent::Reported { analysis: "analyze_run".into(), item: Item::Chart(chart) }
}

#[test]
fn a_chart_of_the_same_title_replaces_the_earlier_one() {
    let report = after(&[curve(2.0), curve(1.0)]);
    assert_eq!(report.analyses[0].items.len(), 1);
    let Item::Chart(chart) = &report.analyses[0].items[0] else { panic!("no chart") };
    assert_eq!(chart.series[0].points[0].y, 1.0);
}

#[test]
fn a_text_grows_in_its_place() {
    let text = |title: &str, text: &str| RunEvent::Reported {
        analysis: "milestone".into(),
        item: Item::Text(Text { title: title.into(), text: text.into() }),
    };
    let report = after(&[text("live", "Q: Hi.\nA:"), curve(1.0), text("live", "Q: Hi.\nA: He")]);
    let wanted = Item::Text(Text { title: "live".into(), text: "Q: Hi.\nA: He".into() });
    assert_eq!(report.analyses[0].items, [wanted]);
}

#[test]
fn an_analysis_that_runs_again_begins_with_no_items() {
    let ended = RunEvent::AnalysisEnded(result("analyze_run", Verdict::Passed));
    let metric = Item::Metric(Metric {
        name: "m".into(),
        value: 1.0,
        unit: String::new(),
        target: None,
        origin: Origin::Measured,
    });
    let reported = RunEvent::Reported { analysis: "analyze_run".into(), item: metric };
    let report = after(&[curve(1.0), reported, ended, curve(3.0)]);
    assert_eq!(report.analyses[0].items.len(), 1);
    assert_eq!(report.analyses[0].ended, None);
}
