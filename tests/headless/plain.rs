//! Lines instead of a screen: what a screen reader, a simple terminal or a log gets.

use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};

/// A tutor that watches, with the lines that it prints.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(desk: &Desk, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = desk.command(arguments);
        command.current_dir(desk.lab()).envs(variables.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut watching = Self { child, lines };
        watching.until("Watching");
        watching
    }

    /// The lines up to the one that has `text`.
    fn until(&mut self, text: &str) -> Vec<String> {
        let mut seen = vec![];
        loop {
            let line =
                self.lines.next().unwrap_or_else(|| panic!("no {text:?} in {seen:#?}")).unwrap();
            seen.push(line);
            if seen.last().unwrap().contains(text) {
                return seen;
            }
        }
    }

    fn interrupt(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

#[test]
fn each_save_prints_its_results_as_lines_until_ctrl_c() {
    for (arguments, variables) in
        [(&["watch"][..], &[][..]), (&["--plain"], &[]), (&[], &[("TERM", "dumb")])]
    {
        let desk = Desk::new();
        let mut watching = Watching::start(&desk, arguments, variables);
        let path = desk.exercise("00_setup");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\n// saved\n")).unwrap();
        let seen = watching.until("00_setup:");
        assert!(seen.last().unwrap().contains("not started"), "{seen:#?}");
        assert!(!seen.concat().contains('\u{1b}'), "no cursor is moved: {seen:#?}");
        std::fs::write(&path, "fn broken(").unwrap();
        let seen = watching.until("00_setup:");
        assert!(seen.last().unwrap().contains("does not compile"), "{seen:#?}");
        std::fs::remove_file(&path).unwrap();
        watching.until("was removed");
        assert_eq!(watching.interrupt(), 130);
    }
}

#[test]
fn only_the_named_modules_are_watched() {
    let desk = Desk::new();
    let mut watching = Watching::start(&desk, &["watch", "00"], &[]);
    for slug in ["01_tensor", "00_setup"] {
        let path = desk.exercise(slug);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\n// saved\n")).unwrap();
    }
    let seen = watching.until("00_setup:");
    assert!(!seen.concat().contains("01_tensor:"), "{seen:#?}");
    assert_eq!(watching.interrupt(), 130);
}

/// The learner's text of 00 with a comment of its own, so that no shared cache has it compiled.
fn complete_setup(desk: &Desk) {
    let course = tinytorch_tutor::curriculum::Course::tinytorch();
    let module = course.named("setup").unwrap();
    let lab = tinytorch_tutor::lab::Lab::find(&desk.lab(), course).unwrap();
    let text = format!("{}\n// {}\n", module.reference(), desk.lab().display());
    lab.complete(module, &text).unwrap();
}

#[test]
fn a_long_step_is_announced_on_standard_error() {
    let desk = Desk::new();
    complete_setup(&desk);
    let first = desk.at_lab(&["check", "01", "--format", "json"]);
    assert!(said(&first).contains("compiling 00_setup...\n"), "{}", said(&first));
    assert_eq!(lines(&first).len(), 1, "the output is the results alone");
    let second = desk.at_lab(&["check", "01"]);
    assert_eq!(String::from_utf8_lossy(&second.stderr), "", "nothing is left to do");
}

#[test]
fn analyses_and_milestones_fit_on_a_screen() {
    let desk = Desk::new();
    for (arguments, most) in
        [(["analyze", "00", "--solution"], 60), (["milestone", "run", "1969"], 60)]
    {
        let output = desk.at_lab(&arguments);
        assert_eq!(code(&output), 0, "{}", said(&output));
        let text = out(&output);
        assert!(text.lines().count() <= most, "{} lines: {text}", text.lines().count());
    }
}

#[test]
fn verbose_prints_whose_code_ran_and_how_long_each_test_took() {
    let desk = Desk::new();
    complete_setup(&desk);
    let output = desk.at_lab(&["check", "01", "-v"]);
    assert!(out(&output).contains("ran on 00_setup: yours"), "{}", said(&output));
    assert!(out(&output).lines().any(|line| line.starts_with("  test_") && line.ends_with("s")));
}

#[test]
fn where_the_store_cannot_be_opened_commands_continue_and_warn_once_that_nothing_is_saved() {
    let desk = Desk::new();
    // A folder in the place of the lock: it cannot be opened for writing, not even by root.
    std::fs::create_dir_all(desk.lab().join(".tinytorch/progress.lock")).unwrap();
    for arguments in [&["check", "00"][..], &["list"], &["hint", "00"]] {
        let output = desk.at_lab(arguments);
        assert!(code(&output) < 2, "{arguments:?}: {}", said(&output));
        assert!(!out(&output).is_empty(), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(error.matches("progress is not saved").count(), 1, "{arguments:?}: {error}");
    }
}

#[test]
fn earlier_progress_is_still_listed_where_nothing_can_be_saved() {
    let desk = Desk::new();
    desk.at_lab(&["check", "00"]);
    let states = || {
        let rows = lines(&desk.at_lab(&["list", "--format", "json"]));
        rows.iter().map(|row| row["state"].clone()).collect::<Vec<_>>()
    };
    let text = std::fs::read_to_string(desk.exercise("00_setup")).unwrap();
    std::fs::write(desk.exercise("00_setup"), text + "\n").unwrap();
    let before = states();
    assert_eq!(before[0], "edited");
    std::fs::remove_file(desk.lab().join(".tinytorch/progress.lock")).unwrap();
    std::fs::create_dir(desk.lab().join(".tinytorch/progress.lock")).unwrap();
    assert_eq!(states(), before);
}

#[test]
fn an_error_is_json_when_the_output_is() {
    let desk = Desk::new();
    let output = desk.at_lab(&["check", "tensr", "--format", "json"]);
    assert_eq!(code(&output), 2);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "usage");
    assert!(error["error"]["message"].as_str().unwrap().contains("tensr"), "{error}");
    assert!(error["error"]["hints"][0].as_str().unwrap().contains("01_tensor"), "{error}");
}

/// Programs rely on these names: `report::json` documents them.
#[test]
fn the_fields_that_programs_rely_on_are_there() {
    let desk = Desk::new();
    let has = |arguments: &[&str], fields: &[&str]| {
        let arguments = [arguments, &["--format", "json"]].concat();
        let line = lines(&desk.at_lab(&arguments)).remove(0);
        for field in fields {
            assert!(line.get(field).is_some(), "{arguments:?} has no {field}: {line}");
        }
    };
    let check = ["name", "module", "outcome", "passed", "expected", "compiles", "diagnostics"];
    has(&["check", "00"], &check);
    has(&["check", "00"], &["notices", "tests", "follows_from"]);
    let list = ["number", "name", "title", "prerequisites", "points", "state", "passed", "tests"];
    has(&["list"], &list);
    has(&["list"], &["completed", "owner", "edited_since"]);
    has(&["milestone", "list"], &["id", "year", "title", "needs", "outcome", "achieved"]);
    has(&["hint", "00"], &["cell", "number", "of", "hint"]);
    let task = ["task", "question", "unit", "predictions", "results", "measured"];
    has(&["predict", "05"], &task);
    has(&["glossary"], &["term", "text", "lesson"]);
    has(&["reset", "00", "--yes"], &["module", "backup", "left_engine"]);
    std::fs::write(desk.exercise("00_setup"), "work").unwrap();
    desk.at_lab(&["reset", "00", "--yes"]);
    has(&["restore", "00", "--list"], &["number", "file", "age", "lines"]);
    has(&["restore", "00"], &["module", "number", "backup"]);
    has(&["doctor"], &["what", "ok", "found", "fix"]);
}
