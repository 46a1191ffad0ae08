//! The runner end to end: the real compiler, real processes, a small course of two modules. An exercise produces each
//! kind of verdict.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict, in its helpers too")]

use std::path::{Path, PathBuf};
use tinytorch::report::Item;
use tinytorch_tutor::curriculum::{Course, Module, ModuleId};
use tinytorch_tutor::error::Error;
use tinytorch_tutor::runner::event::{
    Diagnostic, Expected, Level, Notice, Place, RunEvent, RunKind, TestResult, Verdict,
};
use tinytorch_tutor::runner::{Cancel, Limits, ModuleSource, ModuleSources, Request, Runner};

#[path = "runner/apart.rs"]
mod apart;
#[path = "runner/chain.rs"]
mod chain;
#[path = "runner/course.rs"]
mod course;
#[path = "runner/explorables.rs"]
mod explorables;
#[path = "runner/faults.rs"]
mod faults;
#[path = "runner/hostile.rs"]
mod hostile;
#[path = "runner/own.rs"]
mod own;

const ALPHA: ModuleId = ModuleId(0);
const BETA: ModuleId = ModuleId(1);

const ALPHA_TEXT: &str = r##"//! Doubling.
// %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
use tinytorch::report::Reporter;

// %% nbgrader={"grade": false, "grade_id": "double", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn double(x: i32) -> i32 {
    // BEGIN SOLUTION
    x * 2
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-double", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_double() {
    assert_eq!(double(4), 8, "twice four");
}

// %% nbgrader={"grade": true, "grade_id": "test-module", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_module() {
    println!("doubling");
    assert_eq!(double(double(1)), 4);
}

// %% nbgrader={"grade": false, "grade_id": "analyze", "locked": true, "schema_version": 3, "solution": false, "task": false}
pub fn analyze_growth(out: &mut Reporter) {
    println!("printed");
    let (_, used) = tinytorch::testing::memory(|| vec![0_u8; 4096]);
    out.measured("kept", used.map_or(0.0, |used| used.kept as f64), "B");
    out.insight(format!("{}", double(21)));
}

pub fn analyze_debug(out: &mut Reporter) {
    out.insight(if cfg!(debug_assertions) { "slow" } else { "optimised" });
}
"##;

const BETA_TEXT: &str = r##"// %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
use tinytorch::alpha::double;

// %% nbgrader={"grade": false, "grade_id": "four", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn four_times(x: i32) -> i32 {
    // BEGIN SOLUTION
    double(double(x))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-four", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_four_times() {
    assert_eq!(four_times(2), 8);
}
"##;

fn alpha() -> Module {
    Module::new(ALPHA, "alpha", "", ALPHA_TEXT)
}

fn beta() -> Module {
    Module::new(BETA, "beta", "", BETA_TEXT)
}

/// A course of these modules. The few that tests make live until the tests end.
fn course(modules: Vec<Module>) -> &'static Course {
    Box::leak(Box::new(Course::new(modules, &[], "")))
}

/// The cache that all tests share, so that third-party crates are built once.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

fn runner() -> Runner {
    Runner::new(cache(), course(vec![alpha(), beta()])).unwrap()
}

fn request(module: ModuleId, kind: RunKind, text: &str) -> Request {
    let (file, text) = ("exercises/it.rs".into(), text.into());
    let sources = ModuleSources::default();
    Request { module, kind, only: vec![], file, text, sources, separate_tests: false }
}

fn events(runner: &Runner, request: &Request) -> Vec<RunEvent> {
    let mut events = vec![];
    runner.run(request, &Cancel::default(), &mut |event| events.push(event)).unwrap();
    assert!(matches!(events.first(), Some(RunEvent::Started { .. })), "{events:?}");
    assert!(matches!(events.last(), Some(RunEvent::Finished)), "{events:?}");
    events
}

fn check(text: &str) -> Vec<RunEvent> {
    events(&runner(), &request(ALPHA, RunKind::Check, text))
}

fn results(events: &[RunEvent]) -> Vec<&TestResult> {
    let mut results: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Test(result) => Some(result),
            _ => None,
        })
        .collect();
    results.sort_by_key(|result| &result.name);
    results
}

fn verdict<'a>(events: &'a [RunEvent], name: &str) -> &'a Verdict {
    let found = results(events).into_iter().find(|result| result.name == name);
    &found.unwrap_or_else(|| panic!("no {name} in {events:#?}")).verdict
}

fn diagnostics(events: &[RunEvent]) -> Vec<&Diagnostic> {
    events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Diagnostic(diagnostic) => Some(diagnostic),
            _ => None,
        })
        .collect()
}

fn notices(events: &[RunEvent]) -> Vec<&Notice> {
    events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Notice(notice) => Some(notice),
            _ => None,
        })
        .collect()
}

fn built(events: &[RunEvent]) -> bool {
    events.iter().any(|event| matches!(event, RunEvent::Built { success: true, .. }))
}

/// The exercise with another body of `double`.
fn with_body(body: &str) -> String {
    ALPHA_TEXT.replace("    x * 2\n", &format!("    {body}\n"))
}

fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

fn place(line: usize, column: usize) -> Place {
    Place { file: "exercises/it.rs".into(), line, column }
}

#[test]
fn a_correct_solution_passes_and_the_output_of_a_test_is_kept() {
    let events = check(ALPHA_TEXT);
    let graded = |name: &str, grade_id: &str| Expected {
        grade_id: Some(grade_id.into()),
        points: 5,
        ..Expected::new(name)
    };
    let expected =
        vec![graded("test_unit_double", "test-double"), graded("test_module", "test-module")];
    let started = RunEvent::Started { module: ALPHA, kind: RunKind::Check, expected };
    assert_eq!(events[0], started);
    assert_eq!(diagnostics(&events), Vec::<&Diagnostic>::new());
    let [module, unit] = results(&events)[..] else { panic!("{events:?}") };
    assert_eq!((&module.verdict, module.output.text.as_str()), (&Verdict::Passed, "doubling\n"));
    assert_eq!((&unit.verdict, unit.output.text.as_str()), (&Verdict::Passed, ""));
}

#[test]
fn a_starter_compiles_and_each_of_its_tests_names_the_cell_it_waits_for() {
    let starter = tinytorch_tutor::curriculum::cells::starter(ALPHA_TEXT);
    let starter = starter.replace("pub fn double", "#[expect(unused)]\npub fn double");
    let events = check(&starter);
    assert!(built(&events));
    assert_eq!(
        diagnostics(&events),
        Vec::<&Diagnostic>::new(),
        "an unfinished cell is not worth a warning"
    );
    for result in results(&events) {
        assert_eq!(result.verdict, Verdict::NotStarted { waits_for: "double".into() });
    }
    assert_eq!(results(&events).len(), 2);
}

#[test]
fn a_wrong_solution_fails_with_its_values_and_its_place() {
    let text = with_body("x * 3");
    let at = Some(place(line_of(&text, "assert_eq!(double(4)"), 5));
    let message = "assertion `left == right` failed: twice four\n  left: 12\n right: 8".into();
    assert_eq!(verdict(&check(&text), "test_unit_double"), &Verdict::Failed { message, at });
}

#[test]
fn a_panic_in_the_solution_has_its_place_there_with_columns_in_characters() {
    let text = with_body("let é = \"é\"; panic!(\"{é}\\u{1b}[2J\")");
    let at = Some(place(line_of(&text, "panic!"), 18));
    let failed = Verdict::Failed { message: "é␛[2J".into(), at };
    assert_eq!(verdict(&check(&text), "test_unit_double"), &failed);
}

#[test]
fn only_the_requested_tests_run_and_one_that_does_not_exist_is_missing() {
    let mut request = request(ALPHA, RunKind::Check, ALPHA_TEXT);
    request.only = vec!["test_module".into(), "test_gone".into()];
    let events = events(&runner(), &request);
    assert_eq!(results(&events).len(), 2);
    assert_eq!(verdict(&events, "test_module"), &Verdict::Passed);
    assert_eq!(verdict(&events, "test_gone"), &Verdict::Missing);
}

#[test]
fn an_analysis_that_does_not_exist_is_missing_and_one_requested_twice_runs_once() {
    let mut request = request(ALPHA, RunKind::Analysis, ALPHA_TEXT);
    request.only = vec!["analyze_debug".into(), "analyze_gone".into(), "analyze_debug".into()];
    let ended: Vec<_> = events(&runner(), &request)
        .into_iter()
        .filter_map(|event| match event {
            RunEvent::AnalysisEnded(ended) => Some((ended.name, ended.verdict)),
            _ => None,
        })
        .collect();
    let missing = ("analyze_gone".to_owned(), Verdict::Missing);
    assert_eq!(ended, [missing, ("analyze_debug".to_owned(), Verdict::Passed)]);
}

#[test]
fn a_text_without_tests_expects_none_and_passes_none() {
    let empty = Module::new(ALPHA, "alpha", "", "pub fn nothing() {}\n");
    let runner = Runner::new(cache(), course(vec![empty])).unwrap();
    let events = events(&runner, &request(ALPHA, RunKind::Check, "pub fn nothing() {}\n"));
    let RunEvent::Started { expected, .. } = &events[0] else { panic!("{events:?}") };
    assert!(expected.is_empty() && results(&events).is_empty());
}

#[test]
fn a_type_error_has_its_place_its_line_and_rustcs_label() {
    let text = with_body("let half: f32 = x; half as i32");
    let events = check(&text);
    assert!(!built(&events) && results(&events).is_empty());
    let [error] = diagnostics(&events)[..] else { panic!("{events:#?}") };
    assert_eq!((error.level, error.code.as_deref()), (Level::Error, Some("E0308")));
    let line = line_of(&text, "let half");
    assert_eq!(error.at, Some(place(line, 21)));
    let primary = error.spans.iter().find(|span| span.primary).unwrap();
    assert_eq!(primary.text, "    let half: f32 = x; half as i32");
    assert_eq!((primary.line, primary.columns), (line, (21, 22)));
    assert_eq!(primary.label, "expected `f32`, found `i32`");
}

#[test]
fn a_syntax_error_has_the_right_line_even_below_a_changed_locked_cell() {
    let text =
        with_body("let = 2; x").replace("use tinytorch::report::Reporter;", "// gone\n// and more");
    let events = check(&text);
    let line = Some(line_of(&text, "grade_id\": \"imports"));
    let changed = Notice::LockedCellChanged { grade_id: "imports".into(), line };
    assert_eq!(notices(&events), [&changed]);
    let error = diagnostics(&events)[0];
    assert_eq!(error.at.as_ref().unwrap().line, line_of(&text, "let = 2"), "{error:#?}");
    assert_eq!(error.at.as_ref().unwrap().file, Path::new("exercises/it.rs"));
}

#[test]
fn analyses_run_optimised_in_order_and_count_memory() {
    let events = events(&runner(), &request(ALPHA, RunKind::Analysis, ALPHA_TEXT));
    let mut reported = vec![];
    for event in &events {
        match event {
            RunEvent::Reported { analysis, item: Item::Metric(metric) } => {
                reported.push(format!("{analysis}: {} {}", metric.value, metric.unit));
            }
            RunEvent::Reported { analysis, item: Item::Insight(insight) } => {
                reported.push(format!("{analysis}: {}", insight.text));
            }
            RunEvent::AnalysisEnded(ended) => {
                assert_eq!(ended.verdict, Verdict::Passed);
                reported.push(format!("{} ended, printed {:?}", ended.name, ended.output.text));
            }
            _ => {}
        }
    }
    assert_eq!(
        reported,
        [
            "analyze_growth: 4096 B",
            "analyze_growth: 42",
            "analyze_growth ended, printed \"printed\\n\"",
            "analyze_debug: optimised",
            "analyze_debug ended, printed \"\"",
        ]
    );
}

#[test]
fn a_milestone_can_use_every_module_up_to_its_own() {
    let text = "pub fn milestone(out: &mut tinytorch::report::Reporter) {\n\
        out.insight(tinytorch::beta::four_times(3).to_string());\npanic!(\"end\");\n}\n";
    let events = events(&runner(), &request(BETA, RunKind::Milestone, text));
    let reported = events.iter().any(|event| {
        matches!(event, RunEvent::Reported { analysis, item: Item::Insight(insight) }
            if analysis == "milestone" && insight.text == "12")
    });
    assert!(reported, "{events:#?}");
    let ended = events.iter().find_map(|event| match event {
        RunEvent::AnalysisEnded(ended) => Some(&ended.verdict),
        _ => None,
    });
    let failed = Verdict::Failed { message: "end".into(), at: Some(place(3, 1)) };
    assert_eq!(ended, Some(&failed));
}

#[test]
fn a_milestone_finds_what_it_kept_and_a_changed_one_does_not() {
    let text = |version: &str| {
        format!(
            "// {version}, {}\npub fn milestone(out: &mut tinytorch::report::Reporter) {{\n\
             let folder = out.checkpoints().unwrap().to_owned();\n\
             out.insight(folder.join(\"kept\").exists().to_string());\n\
             std::fs::create_dir_all(&folder).unwrap();\n\
             std::fs::write(folder.join(\"kept\"), \"\").unwrap();\n}}\n",
            tempfile::tempdir().unwrap().path().display()
        )
    };
    let (first, second) = (text("first"), text("second"));
    let found = |text: &str| -> Vec<String> {
        let events = events(&runner(), &request(BETA, RunKind::Milestone, text));
        let insight = |event| match event {
            RunEvent::Reported { item: Item::Insight(insight), .. } => Some(insight.text),
            _ => None,
        };
        events.into_iter().filter_map(insight).collect()
    };
    assert_eq!([found(&first), found(&first), found(&second)], [["false"], ["true"], ["false"]]);
}

/// A named pipe. Not by `mkfifoat`, which macOS does not have.
fn fifo(folder: &tempfile::TempDir) -> PathBuf {
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fifo
}

/// The exercise with a `double` that never returns and whose child holds `fifo` open.
fn hanging(fifo: &Path) -> String {
    let body = r#"
        let script = "exec 9>FIFO; echo >&9; sleep 1000";
        std::process::Command::new("sh").args(["-c", script]).status().unwrap();
        x"#;
    with_body(&body.replace("FIFO", fifo.to_str().unwrap()))
}
