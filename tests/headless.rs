//! The commands as a learner or a grader runs them: the real binary, its output, its exit code.
#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic there is the verdict")]

use quick_xml::events::Event;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tinytorch_tutor::curriculum::Course;

#[path = "pty/terminal.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod terminal;
use terminal::Terminal;

#[path = "headless/analytics.rs"]
mod analytics;
#[path = "headless/capstone.rs"]
mod capstone;
#[cfg(target_os = "linux")]
#[path = "headless/class_leaderboard.rs"]
mod class_leaderboard;
#[path = "headless/classroom.rs"]
mod classroom;
#[path = "headless/explore.rs"]
mod explore;
#[path = "headless/framework.rs"]
mod framework;
#[cfg(target_os = "linux")]
#[path = "headless/jobs.rs"]
mod jobs;
#[path = "headless/lab.rs"]
mod lab;
#[path = "headless/life_cycle.rs"]
mod life_cycle;
#[path = "headless/manual.rs"]
mod manual;
#[path = "headless/mlperf.rs"]
mod mlperf;
#[path = "headless/plain.rs"]
mod plain;
#[cfg(target_os = "linux")]
#[path = "headless/templates.rs"]
mod templates;

/// A folder for the lab of one test, and the cache that all tests share.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// Without a lab.
    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With a lab of starters.
    fn new() -> Self {
        let desk = Self::empty();
        let made = desk.run(&["init", desk.lab().to_str().unwrap()]);
        assert_eq!(code(&made), 0, "{}", said(&made));
        desk
    }

    fn lab(&self) -> PathBuf {
        self.folder.path().join("lab")
    }

    fn exercise(&self, slug: &str) -> PathBuf {
        self.lab().join("exercises").join(slug).with_extension("rs")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tinytorch-tutor"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("TINYTORCH_CACHE", cache).env_remove("NO_COLOR");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The command in this desk's lab.
    fn at_lab(&self, arguments: &[&str]) -> Output {
        let lab = self.lab();
        self.run(&[&["--lab", lab.to_str().unwrap()], arguments].concat())
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Both streams, for messages.
fn said(output: &Output) -> String {
    out(output) + &String::from_utf8_lossy(&output.stderr)
}

/// Each line as JSON.
fn lines(output: &Output) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    out(output).lines().map(parse).collect()
}

#[test]
fn the_reference_passes() {
    let output = Desk::new().run(&["check", "00", "01", "--solution"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(out(&output).contains("01_tensor: all"), "{}", said(&output));
}

#[test]
fn a_starter_is_not_started_test_by_test() {
    let desk = Desk::new();
    let output = desk.at_lab(&["check", "01"]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    let starter = std::fs::read_to_string(desk.exercise("01_tensor")).unwrap();
    let tests = starter.lines().filter(|line| *line == "#[test]").count();
    let text = out(&output);
    let waiting =
        text.lines().filter(|line| line.contains("not started") && line.contains("test_"));
    assert_eq!(waiting.count(), tests, "{text}");
    assert!(!text.contains('\u{1b}'), "a pipe gets no colours");
}

#[test]
fn a_syntax_error_is_placed() {
    let desk = Desk::new();
    let path = desk.exercise("00_setup");
    let text = std::fs::read_to_string(&path).unwrap();
    let broken = text.replacen("    todo!(\"setup-greeting\")", "    let = 1;", 1);
    assert_ne!(text, broken, "the starter has that line");
    let line = 1 + broken.lines().position(|line| line == "    let = 1;").unwrap();
    std::fs::write(&path, broken).unwrap();
    let output = desk.at_lab(&["check", "setup"]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    let place = format!("00_setup.rs:{line}:9");
    assert!(out(&output).contains(&place), "{place} in {}", said(&output));
}

#[test]
fn an_unknown_module_is_an_error_that_suggests_the_nearest_one() {
    let desk = Desk::new();
    let output = desk.at_lab(&["check", "tensr"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("\"tensr\"") && error.contains("01_tensor"), "{error}");
    assert!(output.stdout.is_empty(), "an error is not output");
    let output = desk.run(&["--lab", "/nowhere", "check"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
}

#[test]
fn programs_can_read_checks() {
    let desk = Desk::new();
    let output = desk.at_lab(&["check", "00", "--format", "json"]);
    assert_eq!(code(&output), 1);
    let checks = lines(&output);
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0]["outcome"], "not_started");
    assert_eq!(checks[0]["name"], "00_setup");
    assert_eq!(checks[0]["passed"], 0);
    let output = desk.at_lab(&["check", "00", "--format", "junit"]);
    let text = out(&output);
    assert_eq!(code(&output), 1);
    let expected = checks[0]["expected"].as_u64().unwrap() as usize;
    assert_eq!(elements(&text, b"testcase"), expected, "{text}");
    assert_eq!(elements(&text, b"failure"), expected, "{text}");
}

/// How many elements of that name a well-formed document has.
fn elements(document: &str, name: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_str(document);
    let mut found = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == name => found += 1,
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[test]
fn an_analysis_measures_again_each_time() {
    let desk = Desk::new();
    let measure = || {
        let output = desk.run(&["analyze", "01", "--solution", "--format", "json"]);
        assert_eq!(code(&output), 0, "{}", said(&output));
        lines(&output)
    };
    let (first, second) = (measure(), measure());
    for kind in ["table", "chart"] {
        assert!(first.iter().any(|item| item["type"] == kind), "no {kind}: {first:#?}");
    }
    let tables = |items: &[Value]| -> Vec<Value> {
        let measured = items.iter().filter(|item| item["origin"] == "measured");
        measured.map(|item| item["rows"].clone()).collect()
    };
    assert_ne!(
        tables(&first),
        tables(&second),
        "two runs measured the same times to the last digit"
    );
    let output = desk.run(&["analyze", "01", "nothing", "--solution"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
}

#[test]
fn hints_come_one_by_one_and_the_list_knows_every_module() {
    let desk = Desk::new();
    let hint = || lines(&desk.at_lab(&["hint", "01", "tensor-new", "--format", "json"])).remove(0);
    let (first, second) = (hint(), hint());
    assert_eq!((&first["number"], &second["number"]), (&1.into(), &2.into()));
    assert_ne!(first["hint"], second["hint"]);
    std::fs::write(
        desk.exercise("01_tensor"),
        Course::tinytorch().named("01").unwrap().reference(),
    )
    .unwrap();
    let solved = desk.at_lab(&["hint", "01"]);
    assert_eq!(code(&solved), 0, "{}", said(&solved));
    assert!(out(&solved).contains("hint tensor CELL"), "{}", said(&solved));
    let rows = lines(&desk.at_lab(&["list", "--format", "json"]));
    assert_eq!(rows.len(), Course::tinytorch().modules().len());
    let output = desk.at_lab(&["solution", "00", "setup-greeting"]);
    assert_eq!(code(&output), 0);
    assert!(out(&output).contains("fn greeting"), "{}", said(&output));
}

#[test]
fn a_prediction_and_a_result_are_written_without_the_screen() {
    let desk = Desk::new();
    let lesson = desk.lab().join("lessons/01_tensor.md");
    std::fs::write(lesson, "no block\n").unwrap();
    assert_eq!(out(&desk.at_lab(&["predict", "01"])), "01_tensor has no open tasks.\n");
    let all = out(&desk.at_lab(&["predict", "05"]));
    assert!(all.contains("autograd-tape: ") && all.contains("  no prediction yet"), "{all}");
    let written = |arguments: &[&str]| {
        let output = desk.at_lab(&[&["predict", "05"], arguments].concat());
        assert_eq!(code(&output), 0, "{}", said(&output));
        out(&output).lines().last().unwrap().to_owned()
    };
    assert_eq!(written(&["tape", "30"]), "  you predicted 30");
    assert_eq!(
        written(&["autograd-tape", "27", "or", "so"]),
        "  you predicted \"27 or so\" (at first 30)"
    );
    let beside = "  you predicted \"27 or so\" (at first 30), your result: 27";
    assert_eq!(written(&["tape", "--result", "27"]), beside);
    assert_eq!(written(&["tape"]), beside, "showing it changes nothing");
    for (arguments, words) in [
        (&["tapes", "3"][..], "Its open tasks are autograd-"),
        (&["backward-cost", "3x", "--result"], "is measured by analyze_backward_cost"),
        (&["tape", "--result"], "required"),
    ] {
        let refused = desk.at_lab(&[&["predict", "05"], arguments].concat());
        assert_eq!(code(&refused), 2, "{}", said(&refused));
        assert!(said(&refused).contains(words), "{}", said(&refused));
    }
}

#[test]
fn a_term_is_explained_without_a_lab_and_the_error_for_an_unknown_one_suggests_the_nearest() {
    let desk = Desk::empty();
    let known = desk.run(&["glossary", "Chain", "rule"]);
    assert_eq!(code(&known), 0, "{}", said(&known));
    assert!(out(&known).starts_with("chain rule: "), "{}", said(&known));
    assert!(out(&known).ends_with("(05_autograd)\n"), "{}", said(&known));
    let all = lines(&desk.run(&["glossary", "--format", "json"]));
    assert!(all.len() > 60 && all.iter().any(|line| line["term"] == "chain rule"));
    let unknown = desk.run(&["glossary", "chian rule"]);
    assert_eq!(code(&unknown), 2, "{}", said(&unknown));
    assert!(said(&unknown).contains("Did you mean \"chain rule\"?"), "{}", said(&unknown));
}

#[test]
fn a_reader_that_closes_the_output_early_is_not_an_error() {
    let desk = Desk::new();
    let mut command = desk.command(&["audit", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nothing is printed");
    assert_eq!(output.status.code(), Some(0));
}

/// Writes an exercise whose first test connects to a socket, starts a process that also holds the connection, and never
/// ends.
fn never_ending(desk: &Desk, socket: &Path) {
    let path = desk.exercise("00_setup");
    let text = std::fs::read_to_string(&path).unwrap();
    let body = format!(
        "    let tutor = std::os::unix::net::UnixStream::connect({socket:?}).unwrap();
    let held: std::os::fd::OwnedFd = tutor.into();
    let mut child = std::process::Command::new(\"sleep\");
    let _child = child.arg(\"1000\").stdout(held).spawn().unwrap();
    loop {{
        std::thread::park();
    }}"
    );
    let forever = text.replacen("    todo!(\"setup-greeting\")", &body, 1);
    assert_ne!(text, forever, "the starter has that line");
    std::fs::write(&path, forever).unwrap();
}

#[test]
fn a_signal_ends_a_check_and_every_process_that_it_started() {
    for (signal, code) in
        [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)]
    {
        let desk = Desk::new();
        let socket = desk.folder.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        never_ending(&desk, &socket);
        let lab = desk.lab();
        let mut command = desk.command(&["--lab", lab.to_str().unwrap(), "check", "00"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut held, _) = listener.accept().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert_eq!(out(&output), "", "nothing is printed about a run that was stopped");
        assert!(!said(&output).contains("error"), "{}", said(&output));
        // The end of this stream is the end of the last process that holds it.
        held.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let mut rest = vec![];
        held.read_to_end(&mut rest).unwrap();
    }
}
