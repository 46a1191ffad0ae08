//! The tutor as a learner meets it: the real program in a real pseudo-terminal, files saved from
//! outside as editors save them. Every wait is for something on the screen.
#![expect(clippy::unwrap_used, reason = "a panic in a helper fails the test")]

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tinytorch_tutor::curriculum::cells::{self, CellKind};
use tinytorch_tutor::curriculum::{Course, Module};

#[path = "pty/terminal.rs"]
mod terminal;

use terminal::Terminal;
use vt100::Color;

const TUTOR: &str = env!("CARGO_BIN_EXE_tinytorch-tutor");
/// High enough for every block that one save can change.
const TALL: (u16, u16) = (100, 240);

/// A lab of starters, with the tutor open on one of its modules.
struct Desk {
    _folder: tempfile::TempDir,
    exercise: PathBuf,
    terminal: Terminal,
}

/// An editor for tests: it prints that it is open, echoes what is typed, and exits on `quit`. Like a real one it sets
/// the terminal's modes first, which returns once it has the terminal: a Ctrl-Z before that would get lost.
const EDITOR: &str = r#"#!/bin/sh
stty echo
echo "$$" > "$(dirname "$0")/pid"
echo "editing $*"
while read -r typed; do
    [ "$typed" = quit ] && exit 0
    echo "typed $typed"
done
"#;

/// A folder with an editor in it.
fn editor(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(&path, EDITOR).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

impl Desk {
    fn open(module: &Module, size: (u16, u16)) -> Self {
        Self::start(module, size, &[], TUTOR)
    }

    /// The same with environment variables. `program` is the tutor, or a shell that can start it as `$TUTOR`.
    fn start(module: &Module, size: (u16, u16), variables: &[(&str, &str)], program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lab = folder.path().join("lab");
        let made = Command::new(TUTOR).arg("init").arg(&lab).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let exercise = lab.join("exercises").join(module.slug()).with_extension("rs");
        let slug = module.slug();
        let arguments = ["--module", &slug];
        let arguments = if program == TUTOR { &arguments[..] } else { &["-i"] };
        let terminal = Self::terminal(program, arguments, &lab, size, variables);
        Self { _folder: folder, exercise, terminal }
    }

    /// A terminal in the lab, with the environment variables that all tests need.
    fn terminal(
        program: &str,
        arguments: &[&str],
        lab: &Path,
        size: (u16, u16),
        variables: &[(&str, &str)],
    ) -> Terminal {
        let cache = cache();
        let own = [
            ("TINYTORCH_CACHE", cache.to_str().unwrap()),
            ("VISUAL", "/bin/true"),
            ("TUTOR", TUTOR),
            ("PS1", "shell> "),
        ];
        let variables: Vec<_> = own.iter().chain(variables).copied().collect();
        Terminal::start(program, arguments, lab, size, &variables)
    }

    fn lab(&self) -> &Path {
        self.exercise.ancestors().nth(2).unwrap()
    }

    /// Runs a command in another terminal of the same lab.
    fn other(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(TUTOR);
        command.args(arguments).current_dir(self.lab()).env("TINYTORCH_CACHE", cache());
        command.output().unwrap()
    }

    /// Quits, and starts the tutor again in the same lab.
    fn resume(&mut self, size: (u16, u16)) {
        self.restart(&["resume"], size, &[]);
    }

    fn restart(&mut self, arguments: &[&str], size: (u16, u16), variables: &[(&str, &str)]) {
        self.terminal.send("q");
        self.terminal.wait_for_end();
        self.terminal = Self::terminal(TUTOR, arguments, self.lab(), size, variables);
    }

    /// The first complete frame.
    fn frame(&self) -> String {
        self.terminal.wait_for("a frame", |screen| {
            screen.contains("00 Setup") && screen.trim_end().ends_with("q quit")
        })
    }

    /// Waits until the lesson's name in the title has these colours of text and background.
    #[track_caller]
    fn wait_for_colors(&self, colors: [Color; 2]) {
        let column = self.frame().lines().next().and_then(|title| title.find("00 Setup")).unwrap();
        let column = u16::try_from(column).unwrap();
        self.terminal.wait_until(&format!("a title in {colors:?}"), |screen| {
            let cell = screen.cell(0, column);
            cell.is_some_and(|cell| [cell.fgcolor(), cell.bgcolor()] == colors)
        });
    }

    /// The page in view.
    fn page(&self) -> [String; 2] {
        page(&self.terminal.look(|screen| screen.contents())).unwrap()
    }

    /// Waits until that page is in view.
    #[track_caller]
    fn back_at(&self, wanted: &[String; 2]) {
        let is_it = |screen: &str| page(screen).as_ref() == Some(wanted);
        self.terminal.wait_for(&format!("the page {wanted:?}"), is_it);
    }

    /// Saves as most editors do: a new file beside the old one, then a rename over it.
    fn save(&self, text: &str) {
        let beside = self.exercise.with_extension("rs.swp");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, &self.exercise).unwrap();
    }

    fn process(&self) -> Pid {
        let process = self.terminal.child.process_id().unwrap();
        Pid::from_raw(process.try_into().unwrap()).unwrap()
    }

    /// Waits until the shell has reported that many stopped jobs.
    #[track_caller]
    fn wait_for_stops(&self, times: usize) {
        let stopped = |screen: &str| screen.matches("Stopped").count() == times;
        self.terminal.wait_for(&format!("{times} stopped jobs"), stopped);
    }

    /// Waits for a line that holds all of `words`.
    #[track_caller]
    fn line(&self, words: &[&str]) -> String {
        let holds = |line: &str| words.iter().all(|word| line.contains(word));
        self.terminal
            .wait_for(&format!("a line with {words:?}"), |screen| screen.lines().any(holds))
    }
}

/// The build cache, which the tests share.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The first and the last row of the lesson in view: the terminal draws from top to bottom.
fn page(screen: &str) -> Option<[String; 2]> {
    let rows: Vec<&str> = screen.lines().collect();
    let row = |at: usize| Some(rows.get(at)?.trim_end_matches([' ', '▕']).to_owned());
    Some([row(1)?, row(rows.len().checked_sub(3)?)?])
}

fn first() -> &'static Module {
    &Course::tinytorch().modules()[0]
}

/// The learner's file in the order of the lesson: each step solves one more cell that has a test.
fn steps(module: &Module) -> Vec<(String, String)> {
    let mut text = cells::starter(module.reference());
    let mut steps: Vec<(String, String)> = vec![];
    for cell in cells::parse(module.reference()) {
        let Some(id) = cell.grade_id.as_deref() else { continue };
        match cell.kind {
            CellKind::Solution => text = cells::replace(&text, id, cell.text),
            // The module test needs no new code.
            CellKind::Test if steps.last().is_some_and(|(_, last)| *last == text) => {}
            CellKind::Test => steps.push((id.replacen("test-", "", 1), text.clone())),
            _ => {}
        }
    }
    steps
}

#[test]
fn solving_a_module_step_by_step_turns_its_blocks_green_one_after_another() {
    let module = &Course::tinytorch().modules()[1];
    let desk = Desk::open(module, TALL);
    let tests = cells::tests(module.reference()).len();
    desk.line(&["not started: e opens your editor"]);
    let steps = steps(module);
    assert!(steps.len() >= 10, "{}", steps.len());
    for (number, (cell, text)) in steps.iter().enumerate() {
        desk.save(text);
        let last = number + 1 == steps.len();
        let passed = if last { tests } else { number + 1 };
        desk.line(&[&format!(" {passed} of {tests} tests")]);
        desk.line(&["exercise", cell, "✓ passed"]);
    }
    desk.line(&["every test passes", "a shows the analyses"]);
}

#[test]
fn a_compiler_error_names_its_place_and_leaves_the_last_results_as_old() {
    let module = &Course::tinytorch().modules()[1];
    let desk = Desk::open(module, TALL);
    let steps = steps(module);
    desk.line(&["not started"]);
    desk.save(&steps[1].1);
    desk.line(&[" 2 of "]);
    let broken = steps[1].1.replacen("values(data.to_vec(), shape)", "values(data, shape)", 1);
    let line = 1 + broken.lines().position(|line| line.contains("values(data, shape)")).unwrap();
    desk.save(&broken);
    desk.line(&["✗ does not compile: 1 error"]);
    desk.line(&[&format!("exercises/01_tensor.rs:{line}:")]);
    desk.line(&["exercise tensor-new", "✗ does not compile"]);
    desk.line(&["passed", "old"]);
    desk.save(&steps[1].1);
    desk.line(&[" 2 of "]);
}

#[test]
fn a_file_that_disappears_is_reported_and_checked_again_once_it_is_back() {
    let module = first();
    let desk = Desk::open(module, (100, 40));
    desk.line(&["not started"]);
    let away = desk.exercise.with_extension("away");
    std::fs::rename(&desk.exercise, &away).unwrap();
    desk.line(&["exercises/00_setup.rs", "gone"]);
    std::fs::rename(&away, &desk.exercise).unwrap();
    desk.line(&["not started"]);
}

#[test]
fn any_size_from_60_by_20_works_and_a_smaller_one_is_reported() {
    let mut desk = Desk::open(first(), (60, 20));
    desk.line(&["any key closes it"]);
    desk.line(&["shows this card again"]);
    desk.terminal.send("\x0c");
    desk.line(&["not started"]);
    for size in [(60, 20), (200, 60), (109, 30), (110, 30), (80, 24)] {
        desk.terminal.resize(size);
        desk.terminal.wait_for(&format!("a whole screen of {size:?}"), |screen| {
            let rows: Vec<&str> = screen.lines().map(str::trim_end).collect();
            rows.len() == usize::from(size.1)
                && rows[0].contains("Setup")
                && rows[rows.len() - 2].contains("engine")
                && rows[rows.len() - 1].ends_with("q quit")
                // From 110 columns on the list of modules has a column of its own.
                && rows[1].contains("MODULES") == (size.0 >= 110)
                && rows.iter().all(|row| row.chars().count() <= usize::from(size.0))
        });
    }
    desk.terminal.resize((40, 10));
    desk.terminal.wait_for_text("needs 60x20, is 40x10");
    desk.terminal.resize((80, 24));
    desk.line(&["q quit"]);
}

/// The tutor learns of both at once.
#[test]
fn a_resize_while_typing_is_not_lost() {
    let mut desk = Desk::open(first(), (80, 24));
    desk.line(&["q quit"]);
    for round in 0..40 {
        let columns = if round % 2 == 0 { 100 } else { 80 };
        desk.terminal.send(&"j".repeat(300));
        desk.terminal.resize((columns, 24));
        desk.terminal.send(&"k".repeat(300));
        desk.terminal.wait_for(&format!("{columns} columns in round {round}"), |screen| {
            spans(screen, columns)
        });
    }
}

/// Whether the first line is the title and ends where a screen of this many columns does. A frame for
/// another width may fill the first line too, but not with the title.
fn spans(screen: &str, columns: u16) -> bool {
    let title = screen.lines().next().unwrap_or_default().trim_end();
    title.contains("Setup") && title.chars().count() + 1 == usize::from(columns)
}

/// A terminal that is narrow for a moment wraps what it shows, and may have its old size again when
/// the tutor asks.
#[test]
fn a_resize_that_is_undone_at_once_leaves_a_complete_screen() {
    let mut desk = Desk::open(first(), (100, 24));
    desk.line(&["q quit"]);
    for round in 0..20 {
        desk.terminal.send(&"j".repeat(50));
        desk.terminal.resize((80, 24));
        desk.terminal.send(&"k".repeat(50));
        desk.terminal.resize((100, 24));
        // Everything from here on is drawn after both resizes.
        desk.terminal.send("?");
        desk.line(&["open the exercise in your editor"]);
        desk.terminal.send("?");
        desk.terminal.wait_for(&format!("a whole screen in round {round}"), |screen| {
            spans(screen, 100)
                && screen.lines().last().is_some_and(|line| line.trim_end().ends_with("q quit"))
        });
    }
}

/// How the terminal leaves the alternate screen, mouse capture and a hidden cursor, and how it enters them.
const LEFT: [&str; 3] = ["\x1b[?1049l", "\x1b[?1000l", "\x1b[?25h"];
const TAKEN: [&str; 3] = ["\x1b[?1049h", "\x1b[?1000h", "\x1b[?25l"];

#[track_caller]
fn assert_restored(written: &[u8]) {
    let written = String::from_utf8_lossy(written);
    for (taken, left) in TAKEN.iter().zip(LEFT) {
        let (taken, left) = (written.rfind(taken), written.rfind(left));
        assert!(taken.is_some() && taken < left, "{taken:?} {left:?}");
    }
}

#[test]
fn the_terminal_is_restored_on_quitting_and_on_signals() {
    let quit = |desk: &mut Desk| desk.terminal.send("q");
    let signal = |signal: Signal| {
        move |desk: &mut Desk| {
            kill_process(desk.process(), signal).unwrap();
        }
    };
    let ends: [&dyn Fn(&mut Desk); 4] =
        [&quit, &signal(Signal::TERM), &signal(Signal::HUP), &signal(Signal::INT)];
    for end in ends {
        let mut desk = Desk::open(first(), (80, 24));
        desk.line(&["q quit"]);
        let before = desk.terminal.modes_before.clone();
        assert_ne!(desk.terminal.modes(), before, "raw mode while the tutor has it");
        end(&mut desk);
        let (status, written) = desk.terminal.wait_for_end();
        assert!(status.success(), "{status:?}");
        assert_restored(&written);
        assert_eq!(desk.terminal.modes(), before);
    }
}

#[test]
fn a_shell_stops_tutor_and_editor_together_and_continues_both() {
    let tools = tempfile::tempdir().unwrap();
    let editor = editor(&tools.path().join("my tools"), "edit");
    let visual = format!("'{}' -n", editor.display());
    let mut desk = Desk::start(first(), (100, 30), &[("VISUAL", &visual)], "/bin/sh");
    desk.terminal.wait_for_text("shell>");
    desk.terminal.send("\"$TUTOR\" start 00\r");
    desk.line(&["q quit"]);
    desk.terminal.send("e");
    desk.line(&["editing -n", "exercises/00_setup.rs"]);
    for (stops, word) in [(1, "one"), (2, "two")] {
        desk.terminal.send("\x1a");
        desk.wait_for_stops(stops);
        desk.terminal.send(&format!("echo sh''ell {word}\r"));
        desk.line(&["shell", word]);
        desk.terminal.send("fg\r");
        desk.terminal.send(&format!("{word}\r"));
        desk.line(&["typed", word]);
    }
    desk.terminal.send("quit\r");
    desk.line(&["q quit"]);
    // Without an editor the tutor stops too, and reads keys again when it is continued.
    desk.terminal.send("\x1a");
    desk.wait_for_stops(3);
    desk.terminal.send("fg\r");
    desk.line(&["q quit"]);
    desk.terminal.send("q");
    // Its prompt, not only the end of the tutor's screen: until then the terminal may still be raw.
    desk.terminal.wait_for("the prompt", |screen| screen.trim_end().ends_with("shell>"));
    desk.terminal.send("exit\r");
    desk.terminal.wait_for_end();
}

#[test]
fn an_editor_in_a_terminal_without_a_shell_is_never_left_stopped() {
    let tools = tempfile::tempdir().unwrap();
    let editor = editor(tools.path(), "edit");
    let visual = editor.to_str().unwrap();
    let mut desk = Desk::start(first(), (100, 30), &[("VISUAL", visual)], TUTOR);
    desk.line(&["q quit"]);
    desk.terminal.send("e");
    desk.line(&["editing"]);
    desk.terminal.send("\x1a");
    desk.terminal.send("still here\r");
    desk.line(&["typed still here"]);
    desk.terminal.send("quit\r");
    desk.line(&["q quit"]);
}

#[test]
fn a_key_pressed_while_the_tutor_starts_acts_once_the_lesson_is_loaded() {
    let tools = tempfile::tempdir().unwrap();
    let editor = editor(tools.path(), "edit");
    // With a known background the terminal is not queried, which would read the key too.
    let variables = [("VISUAL", editor.to_str().unwrap()), ("COLORFGBG", "15;0")];
    let mut desk = Desk::start(first(), (100, 30), &variables, TUTOR);
    desk.terminal.send("e");
    desk.line(&["editing"]);
    desk.terminal.send("quit\r");
    desk.line(&["q quit"]);
}

#[test]
fn signals_end_the_tutor_while_an_editor_is_open() {
    for signal in [Signal::TERM, Signal::HUP] {
        let tools = tempfile::tempdir().unwrap();
        let editor = editor(tools.path(), "edit");
        let visual = editor.to_str().unwrap();
        let mut desk = Desk::start(first(), (100, 30), &[("VISUAL", visual)], TUTOR);
        let before = desk.terminal.modes_before.clone();
        desk.line(&["not started"]);
        desk.terminal.send("e");
        desk.line(&["editing"]);
        let editor = std::fs::read_to_string(tools.path().join("pid")).unwrap();
        kill_process(desk.process(), signal).unwrap();
        let (status, _) = desk.terminal.wait_for_end();
        assert!(status.success(), "{status:?}");
        assert_eq!(desk.terminal.modes(), before);
        let editor = Pid::from_raw(editor.trim().parse().unwrap()).unwrap();
        assert!(test_kill_process(editor).is_err(), "the editor is gone");
        let journal = desk.lab().join(".tinytorch/progress.db-wal");
        assert!(!journal.exists(), "the store was closed");
    }
}

#[test]
fn without_a_variable_an_installed_editor_is_opened() {
    let tools = tempfile::tempdir().unwrap();
    editor(tools.path(), "sensible-editor");
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    let variables = [("VISUAL", ""), ("EDITOR", ""), ("PATH", path.as_str())];
    let mut desk = Desk::start(first(), (100, 30), &variables, TUTOR);
    desk.line(&["not started: e opens your editor"]);
    desk.terminal.send("e");
    desk.line(&["editing +", "exercises/00_setup.rs"]);
    desk.terminal.send("quit\r");
    desk.line(&["q quit"]);
}

#[test]
fn a_save_that_changes_no_verdict_does_not_scroll_and_a_jump_can_be_undone() {
    let module = &Course::tinytorch().modules()[1];
    let mut desk = Desk::open(module, (100, 30));
    desk.line(&["not started"]);
    let steps = steps(module);
    desk.terminal.send("\x06\x06");
    desk.terminal.wait_for("another page", |screen| !screen.contains("difficulty"));
    // The next session starts where this one ended, and has not scrolled yet.
    desk.resume((100, 30));
    let screen = desk.terminal.wait_for_text("not started");
    assert!(!screen.contains("difficulty"), "{screen}");
    let page = desk.page();
    desk.save(&format!("{}\n", std::fs::read_to_string(&desk.exercise).unwrap()));
    desk.line(&["because the file was saved"]);
    desk.line(&["not started"]);
    desk.back_at(&page);
    // A verdict that changed is scrolled to, and one key leads back.
    desk.save(&steps[1].1);
    desk.line(&["exercise", &steps[0].0, "✓ passed"]);
    desk.terminal.send("\x0f");
    desk.back_at(&page);
}

#[test]
fn a_typo_keeps_the_count_of_tests_that_passed() {
    let module = &Course::tinytorch().modules()[1];
    let desk = Desk::open(module, (100, 30));
    desk.line(&["not started"]);
    let steps = steps(module);
    desk.save(&steps[1].1);
    desk.line(&[" 2 of "]);
    desk.save(&steps[1].1.replacen("values(data.to_vec(), shape)", "values(data, shape)", 1));
    desk.line(&["✗ does not compile"]);
    desk.line(&[" 2 of ", "tests, old"]);
}

#[test]
fn a_hint_shown_in_another_terminal_is_counted_without_a_save() {
    let desk = Desk::open(first(), TALL);
    desk.line(&["not started"]);
    desk.line(&["hint 0 of"]);
    let other = desk.other(&["hint", "00"]);
    assert!(other.status.success(), "{other:?}");
    desk.line(&["hint 1 of"]);
}

/// A lesson with one open task.
const OPEN_TASK: &str = "```predict noise\nHow far is the mean from the median?\n---\nunit: x\nvalue: analyze_noise / mean against median\n```\n";

#[test]
fn a_prediction_is_saved_and_shown_beside_what_is_measured_later() {
    let (module, size) = (first(), (100, 30));
    let mut desk = Desk::open(module, size);
    desk.frame();
    std::fs::write(desk.lab().join("lessons/00_setup.md"), OPEN_TASK).unwrap();
    desk.restart(&["--module", "00"], size, &[]);
    desk.terminal.wait_for_text("starts a prediction");
    // `q` is a letter here.
    desk.terminal.send("\r5q");
    desk.terminal.wait_for_text("your prediction (in x): 5q");
    desk.terminal.send("\u{7f}x\r");
    desk.terminal.wait_for_text("you predicted 5x");
    desk.terminal.send("\r");
    desk.terminal.wait_for_text("Enter saves");
    desk.terminal.send("0\r");
    desk.line(&["you predicted \"5x0\" (at first 5x)"]);
    desk.terminal.send("\r\u{7f}\u{7f}\u{7f}3x\r");
    desk.line(&["you predicted 3x (at first 5x)"]);
    desk.resume(size);
    desk.line(&["you predicted 3x (at first 5x)"]);
    desk.save(&steps(module).last().unwrap().1);
    desk.line(&["you predicted 3x (at first 5x), measured", "predicted / measured: "]);
    let beside = |arguments: &[&str]| {
        let printed = String::from_utf8(desk.other(arguments).stdout).unwrap();
        let line = printed.lines().find(|line| line.starts_with("noise: ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{printed}"))
    };
    for arguments in [&["check", "00"][..], &["analyze", "00"]] {
        let line = beside(arguments);
        assert!(line.starts_with("noise: you predicted 3x (at first 5x), measured "), "{line}");
    }
    desk.terminal.send("q");
    desk.terminal.wait_for_end();
}

#[test]
fn a_module_completed_in_another_terminal_shows_in_an_open_screen() {
    let module = first();
    let mut desk = Desk::open(module, (140, 40));
    desk.save(&steps(module).last().unwrap().1);
    desk.line(&["every test passes"]);
    let done = desk.other(&["complete", "00"]);
    assert!(done.status.success(), "{done:?}");
    let tests = cells::tests(module.reference()).len();
    desk.line(&["00 Setup", &format!("mine {tests}/{tests}")]);
    let modules = Course::tinytorch().modules().len();
    desk.line(&[&format!("1 of {modules} yours")]);
    assert!(desk.other(&["complete", "00", "--undo"]).status.success());
    desk.line(&[&format!("0 of {modules} yours")]);
    desk.terminal.send("q");
    desk.terminal.wait_for_end();
}

#[test]
fn a_milestone_run_in_another_terminal_shows_in_an_open_screen() {
    let course = Course::tinytorch();
    let milestone = &course.milestones()[0];
    let module = course.module(*milestone.prerequisites.last().unwrap()).unwrap();
    let mut desk = Desk::open(module, (140, 40));
    desk.line(&["not started"]);
    // Milestones come after the modules in the list.
    desk.terminal.send("lG");
    desk.terminal.send(&"k".repeat(course.milestones().len() - 1));
    desk.terminal.send("\r");
    desk.line(&["milestone", milestone.title, "not run"]);
    let done = desk.other(&["milestone", "run", milestone.id]);
    assert!(done.status.success(), "{done:?}");
    desk.line(&["milestone", milestone.title, "preview"]);
}

#[test]
fn the_first_start_in_a_lab_says_how_to_begin_and_later_ones_do_not() {
    let mut desk = Desk::open(first(), (100, 30));
    desk.line(&["any key closes it"]);
    desk.terminal.send("\x0c");
    desk.terminal.wait_for("no card", |screen| !screen.contains("any key closes it"));
    desk.resume((100, 30));
    desk.line(&["not started"]);
    assert!(!desk.terminal.look(|screen| screen.contents()).contains("any key closes it"));
}

#[test]
fn the_outline_leads_to_an_exercise() {
    let mut desk = Desk::open(&Course::tinytorch().modules()[1], (100, 30));
    desk.line(&["not started"]);
    desk.terminal.send("o");
    desk.line(&["outline: type to filter, Enter goes there"]);
    desk.line(&["tensor-new", "test_unit_new"]);
    desk.terminal.send("unit_tr");
    desk.terminal.wait_for("one exercise", |screen| {
        screen.contains("outline: unit_tr") && !screen.contains("test_unit_new")
    });
    desk.terminal.send("\r");
    desk.line(&["▌ exercise tensor-tr"]);
}

/// A terminal sends Alt with a letter as Esc and the letter.
#[test]
fn escape_and_a_key_in_one_read_are_two_keys() {
    let mut desk = Desk::open(first(), (100, 30));
    desk.line(&["q quit"]);
    desk.terminal.send("/setup\r");
    desk.line(&["/setup", "Esc ends"]);
    desk.terminal.send("\x1bo");
    desk.line(&["outline: type to filter"]);
}

#[test]
fn a_figure_opens_follows_its_controls_and_closes() {
    const RIGHT: &str = "\x1b[C";
    let mut desk = Desk::open(&Course::tinytorch().modules()[6], (100, 60));
    // Builds the modules below it, which can take longer than a wait: this has no limit.
    let built = desk.other(&["explore", "learning_rate"]);
    assert!(built.status.success(), "{built:?}");
    desk.line(&["not started"]);
    desk.terminal.send("/Learning rate and optimizer\r");
    desk.line(&["figure Learning rate and optimizer", "Enter opens it"]);
    // The same as Enter, also where an exercise above the figure has the focus.
    desk.terminal.send(RIGHT);
    desk.line(&["▸ optimizer", "[SGD]"]);
    desk.line(&["the loss stays below"]);
    // The second control: from a rate that arrives to one that diverges.
    desk.terminal.send("\x1b[B");
    desk.line(&["▸ learning rate", " 0.030 "]);
    desk.terminal.send(&RIGHT.repeat(20));
    desk.line(&["▸ learning rate", " 0.050 "]);
    desk.line(&["it leaves the picture"]);
    desk.terminal.send("\x1b");
    desk.terminal.wait_for("a closed figure", |screen| {
        screen.contains("Enter opens it") && !screen.contains("learning rate  ")
    });
}

/// The terminal of these tests reports a black background.
#[test]
fn the_theme_follows_the_background_and_the_options() {
    let mut desk = Desk::open(first(), (80, 24));
    let [dark, light, bright, black] = [80, 23, 51, 16].map(Color::Idx);
    desk.wait_for_colors([dark, Color::Default]);
    for (arguments, variables, colors) in [
        (&["--theme", "auto"][..], &[("COLORFGBG", "0;15")][..], [light, Color::Default]),
        (&["--theme", "light"], &[], [light, Color::Default]),
        (&["--theme", "dark"], &[("COLORFGBG", "0;15")], [dark, Color::Default]),
        (&["--theme", "high-contrast"], &[], [bright, black]),
        (&["--theme", "high-contrast"], &[("NO_COLOR", "1")], [Color::Default; 2]),
    ] {
        desk.restart(&[&["--module", "00"], arguments].concat(), (80, 24), variables);
        desk.wait_for_colors(colors);
    }
}

#[test]
fn every_symbol_is_ascii_where_that_is_asked_for() {
    let mut desk = Desk::open(first(), (80, 24));
    assert!(!desk.frame().is_ascii());
    for (arguments, variables) in [(&["--ascii"][..], &[][..]), (&[], &[("LC_ALL", "C")])] {
        desk.restart(&[&["--module", "00"], arguments].concat(), (80, 24), variables);
        let frame = desk.frame();
        assert!(frame.is_ascii(), "{frame}");
    }
}
