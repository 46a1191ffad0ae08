//! Explorables end to end: frames of the learner's code, the reference if that is unfinished, and figures that panic,
//! hang or end their process.

use super::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tinytorch::explore::Control;
use tinytorch_tutor::runner::Explorable;
use tinytorch_tutor::runner::event::{Frame, Unfinished};

/// The module of the other tests with a figure that reports twice a number and the id of its process.
fn module() -> Module {
    let text = ALPHA_TEXT.replace("report::Reporter;", "{explore::Explorer, report::Reporter};");
    let cell = r##"
// %% nbgrader={"grade": false, "grade_id": "explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
pub fn explore_double(figure: &mut Explorer) {
    let x = figure.number("x", 4.0, 0.0..=9.0, 1.0) as i32;
    let word = figure.text("word", "twice");
    figure.insight(format!("{word} {x} is {}", double(x)));
    figure.insight(format!("{}", std::process::id()));
}
"##;
    Module::new(ALPHA, "explored", "", text + cell)
}

fn open_with(text: &str, limits: Limits) -> Explorable {
    let runner = Runner::new(cache(), course(vec![module()])).unwrap().with_limits(limits);
    let request = request(ALPHA, RunKind::Analysis, text);
    Explorable::new(Arc::new(runner), "explore_double", request, Cancel::default())
}

/// The figure of a file in which `double` has this body.
fn open(body: &str) -> Explorable {
    open_with(&text_with(body), Limits::default())
}

fn text_with(body: &str) -> String {
    let text = module().reference().replace("    x * 2\n", &format!("    {body}\n"));
    assert!(text.contains(body));
    text
}

fn frame(figure: &mut Explorable, settings: &[(&str, &str)]) -> Frame {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let settings: BTreeMap<_, _> = settings.iter().map(own).collect();
    figure.frame(&settings).unwrap().expect("it was not cancelled")
}

/// The sentences of a frame.
fn text(frame: &Frame) -> Vec<&str> {
    frame
        .items
        .iter()
        .map(|item| match item {
            Item::Insight(insight) => insight.text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn each_change_gives_a_frame_of_the_learners_code_from_one_process() {
    let mut figure = open("x * 2 + 1");
    let first = frame(&mut figure, &[]);
    let second = frame(&mut figure, &[("x", "3"), ("word", "two \"times\"\n"), ("other", "1")]);
    assert_eq!((text(&first)[0], text(&second)[0]), ("twice 4 is 9", "two \"times\"\n 3 is 7"));
    assert_eq!(text(&first)[1], text(&second)[1], "the same process");
    let settings: Vec<String> = second.controls.iter().map(Control::setting).collect();
    assert_eq!(settings, ["3", "two \"times\"\n"]);
    assert_eq!((&first.verdict, &first.unfinished), (&Verdict::Passed, &None));
}

#[test]
fn a_frame_that_floods_is_cut() {
    let (start, _) = ALPHA_TEXT.split_once("// %% nbgrader={\"grade\": true").unwrap();
    let cell = r##"// %% nbgrader={"grade": false, "grade_id": "explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
pub fn explore_flood(figure: &mut tinytorch::explore::Explorer) {
    (0..1000).for_each(|number| figure.insight(number.to_string()));
}
"##;
    let flood = Module::new(ALPHA, "flooded", "", start.to_owned() + cell);
    let request = request(ALPHA, RunKind::Analysis, flood.reference());
    let runner = Runner::new(cache(), course(vec![flood])).unwrap();
    let mut figure = Explorable::new(Arc::new(runner), "explore_flood", request, Cancel::default());
    let frame = frame(&mut figure, &[]);
    assert_eq!((frame.items.len(), &frame.verdict), (100, &Verdict::Passed));
}

#[test]
fn an_unfinished_file_leaves_the_figure_to_the_reference_and_the_frame_says_so() {
    let frame = frame(&mut open("todo!(\"double\")"), &[("x", "5")]);
    assert_eq!(text(&frame)[0], "twice 5 is 10");
    assert_eq!(frame.unfinished, Some(Unfinished::Todo { waits_for: "double".into() }));
    assert_eq!(frame.verdict, Verdict::Passed);
}

#[test]
fn a_file_that_does_not_compile_leaves_the_figure_to_the_reference_too() {
    let frame = frame(&mut open("x * \"2\""), &[]);
    assert_eq!(text(&frame)[0], "twice 4 is 8");
    let Some(Unfinished::DoesNotCompile { message }) = frame.unfinished else { panic!() };
    assert!(message.contains("cannot multiply"), "{message}");
}

#[test]
fn a_panic_is_a_frame_with_its_place_and_the_next_one_is_computed() {
    let mut figure = open("assert!(x != 7, \"not seven\"); x * 2");
    let before = frame(&mut figure, &[]);
    let panicked = frame(&mut figure, &[("x", "7")]);
    let Verdict::Failed { message, at: Some(at) } = &panicked.verdict else {
        panic!("{panicked:?}")
    };
    assert_eq!(message, "not seven");
    let line = text_with("assert!(x").lines().position(|line| line == "    assert!(x").unwrap() + 1;
    assert_eq!(at.line, line);
    assert_eq!(
        panicked.controls.len(),
        2,
        "the controls asked for until then can still be changed"
    );
    let after = frame(&mut figure, &[("x", "8")]);
    assert_eq!((text(&after)[0], text(&after)[1]), ("twice 8 is 16", text(&before)[1]));
}

#[test]
fn a_process_that_ends_or_hangs_is_reported_and_started_again() {
    let body =
        "match x { 7 => std::process::abort(), 8 => std::process::exit(0), 9 => loop {}, _ => x }";
    let limits = Limits { frame: Duration::from_secs(1), ..Limits::default() };
    let mut figure = open_with(&text_with(body), limits);
    let verdict = |figure: &mut Explorable, x| frame(figure, &[("x", x)]).verdict;
    assert_eq!(verdict(&mut figure, "1"), Verdict::Passed);
    assert_eq!(verdict(&mut figure, "7"), Verdict::Crashed { signal: "SIGABRT".into() });
    assert_eq!(verdict(&mut figure, "1"), Verdict::Passed);
    assert_eq!(verdict(&mut figure, "8"), Verdict::ExitedEarly { code: Some(0) });
    assert_eq!(verdict(&mut figure, "2"), Verdict::Passed);
    assert_eq!(verdict(&mut figure, "9"), Verdict::TimedOut { after: limits.frame });
    assert_eq!(verdict(&mut figure, "1"), Verdict::Passed);
}

#[test]
fn the_first_frame_of_a_process_has_a_limit_of_its_own() {
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(600));
    let limits = Limits { frame: short, first_frame: long, ..Limits::default() };
    let busy =
        "let start = std::time::Instant::now(); while start.elapsed().as_millis() < 100 {} x * 2";
    let mut figure = open_with(&text_with(busy), limits);
    assert_eq!(frame(&mut figure, &[]).verdict, Verdict::Passed);
    let later = frame(&mut figure, &[("x", "5")]).verdict;
    assert_eq!(later, Verdict::TimedOut { after: short });
}

/// A body whose grandchild holds `fifo` open for ever.
fn holding(fifo: &Path, then: &str) -> String {
    let script = "exec 9>FIFO; echo >&9; sleep 1000".replace("FIFO", fifo.to_str().unwrap());
    text_with(&format!(
        "std::process::Command::new(\"sh\").args([\"-c\", {script:?}]).{then}.unwrap(); x * 2"
    ))
}

#[test]
fn closing_a_figure_ends_its_process_and_its_descendants() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(&folder);
    let mut figure = open_with(&holding(&fifo, "spawn()"), Limits::default());
    let drawn = frame(&mut figure, &[]);
    let process = rustix::process::Pid::from_raw(text(&drawn)[1].parse().unwrap()).unwrap();
    assert!(rustix::process::test_kill_process(process).is_ok());
    let mut held = std::fs::File::open(&fifo).unwrap();
    std::io::Read::read_exact(&mut held, &mut [0]).unwrap();
    drop(figure);
    assert_eq!(std::io::Read::read(&mut held, &mut [0]).unwrap(), 0, "the grandchild has ended");
    assert!(rustix::process::test_kill_process(process).is_err());
}

#[test]
fn a_frame_that_is_cancelled_ends_at_once_with_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(&folder);
    let limits = Limits { first_frame: Duration::from_secs(600), ..Limits::default() };
    let runner = Runner::new(cache(), course(vec![module()])).unwrap().with_limits(limits);
    let cancel = Cancel::default();
    let request = request(ALPHA, RunKind::Analysis, &holding(&fifo, "status()"));
    let mut figure = Explorable::new(Arc::new(runner), "explore_double", request, cancel.clone());
    let computing = std::thread::spawn(move || figure.frame(&BTreeMap::new()).unwrap());
    let mut held = std::fs::File::open(&fifo).unwrap();
    std::io::Read::read_exact(&mut held, &mut [0]).unwrap();
    cancel.cancel();
    assert_eq!(computing.join().unwrap(), None);
    assert_eq!(std::io::Read::read(&mut held, &mut [0]).unwrap(), 0, "the grandchild has ended");
}
