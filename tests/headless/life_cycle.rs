//! An assignment from the instructor's machine to the students' and back, by commands alone. The students' machines have no
//! network: a network namespace with nothing in it.

use super::*;
use std::fs;

/// Passes on the reference, and not on an answer that trims the name.
const HIDDEN: &str = r#"// %% nbgrader={"grade": true, "grade_id": "test-greeting-hidden", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_greeting_hidden() {
    assert_eq!(greeting(" Ada"), "Hello,  Ada!");
}
"#;
const COURSE: &str = "title = \"ML systems\"\nhidden_tests = \"hidden\"\n[[module]]\nname = \"00_setup\"\npoints = 20\n";

/// How a program is started without a network; none where the kernel does not allow it.
fn unshare() -> Option<&'static str> {
    let flags = if rustix::process::geteuid().is_root() { "-n" } else { "-rn" };
    let tried = Command::new("unshare").args([flags, "true"]).output();
    tried.is_ok_and(|output| output.status.success()).then_some(flags)
}

/// A class with its kit, before anything is handed out.
struct Class {
    desk: Desk,
    unshare: &'static str,
}

impl Class {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
    fn open() -> Option<Self> {
        let Some(unshare) = unshare() else {
            eprintln!("skipped: `unshare` cannot make a network namespace here");
            return None;
        };
        let class = Self { desk: Desk::empty(), unshare };
        fs::create_dir(class.path("hidden")).unwrap();
        fs::write(class.path("hidden/00_setup.rs"), HIDDEN).unwrap();
        fs::write(class.path("course.toml"), COURSE).unwrap();
        fs::write(class.path("roster.csv"), "id,name,email\nada,Ada,\nbob,Bob,\n").unwrap();
        class.done(&["bundle", "kit", "--course", "course.toml"]);
        let archive = fs::read_dir(class.path("kit")).unwrap().flatten().map(|entry| entry.path());
        let archive = archive.filter(|path| path.extension().is_some_and(|kind| kind == "gz"));
        let archive = archive.last().unwrap();
        let unpacked = class.offline("tar", &["-xzf", archive.to_str().unwrap()]);
        assert_eq!(code(&unpacked), 0, "{}", said(&unpacked));
        Some(class)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.desk.folder.path().join(name)
    }

    /// A command of the instructor's that must succeed; its output.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.desk.run(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}: {}", said(&output));
        out(&output)
    }

    /// A program on a student's machine: no network, and no crates but those of the kit.
    fn offline(&self, program: &str, arguments: &[&str]) -> Output {
        let shared = self.desk.command(&[]);
        let mut command = Command::new("unshare");
        command.args([self.unshare, program]).args(arguments).current_dir(self.path(""));
        command.envs(shared.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("CARGO_HOME", self.path("cargo")).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn install(&self) -> Output {
        self.offline("sh", &["tinytorch-kit/install.sh", "student"])
    }

    /// A command of the installed program in the student's lab.
    fn student(&self, arguments: &[&str]) -> Output {
        let program = self.path("student/bin/tinytorch-tutor");
        let lab = self.path("student/lab");
        let arguments = [&["--lab", lab.to_str().unwrap()], arguments].concat();
        self.offline(program.to_str().unwrap(), &arguments)
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
fn a_kit_is_solved_offline_handed_in_graded_and_given_back() {
    let Some(class) = Class::open() else { return };
    let installed = class.install();
    assert_eq!(code(&installed), 0, "{}", said(&installed));
    let known = class.offline("grep", &["-rl", "greeting_hidden", "student", "tinytorch-kit"]);
    assert_eq!((code(&known), out(&known)), (1, String::new()), "hidden tests stay hidden");
    let resolve = "cd student/lab && cargo metadata --offline --format-version=1";
    let cargo = class.offline("sh", &["-c", resolve]);
    assert_eq!(code(&cargo), 0, "the kit has all crates: {}", said(&cargo));

    assert_eq!(code(&class.student(&["check"])), 1, "nothing is solved");
    class.done(&["init", "--solved", "solved"]);
    let solved = fs::read_to_string(class.path("solved/exercises/00_setup.rs")).unwrap();
    let exercise = class.path("student/lab/exercises/00_setup.rs");
    let trimmed = solved.replacen("Hello, {name}!\"", "Hello, {}!\", name.trim()", 1);
    assert_ne!(trimmed, solved);
    fs::create_dir_all(class.path("in/bob")).unwrap();
    for (text, hand_in) in [
        (&trimmed, ["cp", "student/lab/exercises/00_setup.rs", "in/bob/"].as_slice()),
        (&solved, &["tar", "-czf", "in/ada.tar.gz", "-C", "student/lab", "exercises"]),
    ] {
        fs::write(&exercise, text).unwrap();
        let checked = class.student(&["check"]);
        assert_eq!(code(&checked), 0, "{}", said(&checked));
        let handed_in = class.offline(hand_in[0], &hand_in[1..]);
        assert_eq!(code(&handed_in), 0, "{}", said(&handed_in));
    }

    let (course, roster) = (["--course", "course.toml"], ["--roster", "roster.csv"]);
    class.done(&[&["collect", "in", "--to", "submitted"], &course[..], &roster].concat());
    let grade = [&["grade", "submitted", "--out", "results"], &course[..]].concat();
    let graded = class.desk.run(&grade);
    if said(&graded).contains("cannot be confined here") {
        eprintln!("skipped from `grade` on: {}", said(&graded));
        return;
    }
    assert_eq!(code(&graded), 0, "{}", said(&graded));
    class.done(&["gradebook", "import", "results"]);
    let all = 7 + tinytorch_tutor::curriculum::cells::points(&solved);
    let shown = class.done(&["gradebook", "show", "ada"]);
    assert!(shown.contains(&format!("{all} of {all}")), "{shown}");
    let shown = class.done(&["gradebook", "show", "bob"]);
    assert!(shown.contains(&format!("{} of {all}", all - 7)), "{shown}");
    class.done(&[&["feedback", "--out", "pages"], &course[..], &roster].concat());
    let page = fs::read_to_string(class.path("pages/bob.txt")).unwrap();
    assert!(page.contains("test-greeting-hidden"), "{page}");
    class.done(&["gradebook", "export", "--format", "csv", "--out", "grades.csv"]);
    let grades = fs::read_to_string(class.path("grades.csv")).unwrap();
    assert_eq!(grades.matches("test-greeting-hidden").count(), 2, "{grades}");
}

#[test]
fn a_damaged_kit_is_refused_by_the_names_of_its_files_and_a_folder_is_never_overwritten() {
    let Some(class) = Class::open() else { return };
    let refused = |words: &[&str]| {
        let output = class.install();
        assert_eq!(code(&output), 1, "{}", said(&output));
        for word in words {
            assert!(said(&output).contains(word), "{word}: {}", said(&output));
        }
    };
    let mine = class.path("student/lab/exercises/00_setup.rs");
    fs::create_dir_all(mine.parent().unwrap()).unwrap();
    fs::write(&mine, "my work").unwrap();
    refused(&["student\" exists; nothing was installed", "Name another folder"]);
    assert_eq!(fs::read_to_string(&mine).unwrap(), "my work");

    fs::remove_dir_all(class.path("student")).unwrap();
    let file = |name: &str| class.path("tinytorch-kit").join(name);
    fs::write(file("lab/exercises/00_setup.rs"), "cut off").unwrap();
    fs::remove_file(file("crates/ndarray/Cargo.toml")).unwrap();
    refused(&[
        "damaged or missing: lab/exercises/00_setup.rs\n",
        "damaged or missing: crates/ndarray/Cargo.toml\n",
        "nothing was installed",
    ]);
    fs::write(file("SHA256SUMS"), "").unwrap();
    refused(&["nothing was installed"]);
    assert!(!class.path("student").exists());
}

#[test]
fn the_installer_asks_at_a_terminal_what_the_learner_shares() {
    let Some(class) = Class::open() else { return };
    let installer = ["tinytorch-kit/install.sh", "student"];
    let mut terminal = Terminal::start("sh", &installer, class.desk.folder.path(), (100, 40), &[]);
    let screen = terminal.wait_for_text("Share? [y/N]");
    assert!(screen.contains("the instructor of \""), "{screen}");
    terminal.send("y\r");
    let (status, _) = terminal.wait_for_end();
    assert!(status.success(), "{status:?}");
    assert!(class.path("student/lab/.tinytorch/progress.shared.json").is_file());
}
