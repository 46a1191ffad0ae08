//! A lab through the commands: creating it, keeping it in git, and undoing what was done in it.

use super::*;

#[test]
fn a_reset_keeps_what_was_there() {
    let desk = Desk::new();
    let path = desk.exercise("01_tensor");
    let starter = std::fs::read(&path).unwrap();
    std::fs::write(&path, "my work").unwrap();
    let output = desk.at_lab(&["reset", "01"]);
    assert_eq!(code(&output), 2, "it cannot ask: {}", said(&output));
    assert!(said(&output).contains("--yes"), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my work");
    let output = desk.at_lab(&["reset", "01", "--yes"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert_eq!(std::fs::read(&path).unwrap(), starter);
    let backup = desk.lab().join(".tinytorch/backups/01_tensor.1.rs");
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), "my work");
    assert!(out(&output).contains("01_tensor.1.rs"), "the backup is named: {}", said(&output));
}

#[test]
fn init_overwrites_no_work() {
    let desk = Desk::new();
    let path = desk.exercise("00_setup");
    std::fs::write(&path, "my work").unwrap();
    desk.run(&["init", "lab", "--solved"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my work");
    let foreign = desk.folder.path().join("thesis");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("years.txt"), "of work").unwrap();
    let output = desk.run(&["init", "thesis"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1);
}

#[test]
fn a_reset_at_a_terminal_asks_first() {
    let desk = Desk::new();
    let path = desk.exercise("01_tensor");
    std::fs::write(&path, "my work").unwrap();
    let lab = desk.lab();
    let arguments = ["--lab", lab.to_str().unwrap(), "reset", "01"];
    let answer = |answer: &str| {
        let program = env!("CARGO_BIN_EXE_tinytorch-tutor");
        let mut terminal = Terminal::start(program, &arguments, desk.folder.path(), (100, 24), &[]);
        terminal.wait_for("the question", |screen| screen.contains("A backup is kept. [y/N]"));
        terminal.send(answer);
        let code = terminal.child.wait().unwrap().exit_code();
        (code, std::fs::read_to_string(&path).unwrap() == "my work")
    };
    assert_eq!(answer("\r"), (1, true));
    assert_eq!(answer("n\r"), (1, true));
    let (code, unchanged) = answer("\u{3}");
    assert!(code != 0 && unchanged, "Ctrl-C ends it");
    assert_eq!(answer("y\r"), (0, false));
}

#[test]
fn a_backup_is_listed_and_restored_and_what_it_replaces_is_kept() {
    let desk = Desk::new();
    let path = desk.exercise("01_tensor");
    let text = || std::fs::read_to_string(&path).unwrap();
    let none = desk.at_lab(&["restore", "01"]);
    assert_eq!(code(&none), 2, "{}", said(&none));
    for work in ["first\n", "second\nlonger\n"] {
        std::fs::write(&path, work).unwrap();
        desk.at_lab(&["reset", "01", "--yes"]);
    }
    let list = lines(&desk.at_lab(&["restore", "01", "--list", "--format", "json"]));
    let listed = |field: &str| list.iter().map(|row| row[field].clone()).collect::<Vec<_>>();
    assert_eq!(
        (listed("number"), listed("lines")),
        (vec![1.into(), 2.into()], vec![1.into(), 2.into()])
    );
    let restored = desk.at_lab(&["restore", "01", "1"]);
    assert_eq!((code(&restored), text()), (0, "first\n".to_owned()), "{}", said(&restored));
    // Without a number: the latest, which is the starter that was just replaced.
    desk.at_lab(&["restore", "01"]);
    assert!(text().contains("todo!("), "{}", text());
    let unknown = desk.at_lab(&["restore", "01", "99"]);
    assert_eq!(code(&unknown), 2, "{}", said(&unknown));
    assert!(said(&unknown).contains("--list"), "{}", said(&unknown));
}

#[test]
fn complete_is_undone_version_by_version_and_the_exercise_stays() {
    let desk = Desk::empty();
    desk.run(&["init", "lab", "--solved"]);
    let path = desk.exercise("09_spatial");
    let first = std::fs::read_to_string(&path).unwrap();
    assert_eq!(code(&desk.at_lab(&["complete", "09"])), 0);
    let second = first.replacen("// BEGIN SOLUTION\n", "// BEGIN SOLUTION\n// second\n", 1);
    std::fs::write(&path, &second).unwrap();
    assert_eq!(code(&desk.at_lab(&["complete", "09"])), 0);
    let engine = || {
        let row = lines(&desk.at_lab(&["list", "--format", "json"])).remove(9);
        (row["completed"].as_bool().unwrap(), row["edited_since"].as_bool().unwrap())
    };
    assert_eq!(engine(), (true, false));
    let undone = desk.at_lab(&["complete", "09", "--undo"]);
    assert_eq!(code(&undone), 0, "{}", said(&undone));
    assert_eq!(engine(), (true, true), "the first version is back");
    assert_eq!(code(&desk.at_lab(&["complete", "09", "--undo"])), 0);
    assert_eq!(engine(), (false, false));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), second);
    let nothing = desk.at_lab(&["complete", "09", "--undo"]);
    assert_eq!(code(&nothing), 2, "{}", said(&nothing));
    assert!(said(&nothing).contains("09_spatial is not completed"), "{}", said(&nothing));
}

/// Runs git with an identity of its own, so that it works on any machine.
fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=learner", "-c", "user.email=learner@example.org"]);
    command.args(["-c", "commit.gpgsign=false"]).args(arguments).current_dir(folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_clone_of_a_lab_works_at_once_and_has_the_learners_engine() {
    let desk = Desk::empty();
    desk.run(&["init", "lab", "--solved"]);
    let module = tinytorch_tutor::curriculum::Course::tinytorch().named("setup").unwrap();
    let lab = tinytorch_tutor::lab::Lab::find(
        &desk.lab(),
        tinytorch_tutor::curriculum::Course::tinytorch(),
    );
    lab.unwrap().complete(module, module.reference()).unwrap();
    assert_eq!(code(&desk.at_lab(&["list"])), 0, "it makes the store");
    git(&desk.lab(), &["init", "--quiet"]);
    git(&desk.lab(), &["add", "."]);
    git(&desk.lab(), &["commit", "--quiet", "-m", "My lab"]);
    git(desk.folder.path(), &["clone", "--quiet", "lab", "clone"]);
    let clone = desk.folder.path().join("clone");
    assert!(!clone.join(".tinytorch/progress.db").exists(), "progress stays where it was made");
    let list = desk.run(&["--lab", "clone", "list", "--format", "json"]);
    assert_eq!(code(&list), 0, "{}", said(&list));
    assert_eq!(lines(&list)[0]["owner"], "learner");
    let cargo = Command::new("cargo")
        .args(["metadata", "--offline", "--format-version", "1"])
        .current_dir(&clone)
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
}

#[test]
fn init_restores_a_lab_that_lost_the_tutors_folder() {
    let desk = Desk::new();
    std::fs::write(desk.exercise("01_tensor"), "my work").unwrap();
    std::fs::remove_dir_all(desk.lab().join(".tinytorch")).unwrap();
    let lost = desk.at_lab(&["list"]);
    assert_eq!(code(&lost), 2, "{}", said(&lost));
    assert!(said(&lost).contains("tinytorch-tutor init"), "{}", said(&lost));
    let adopted = desk.command(&["init", "."]).current_dir(desk.lab()).output().unwrap();
    assert_eq!(code(&adopted), 0, "{}", said(&adopted));
    assert!(out(&adopted).contains("Added 1 file:\n  .tinytorch/lab.toml"), "{}", said(&adopted));
    assert_eq!(std::fs::read_to_string(desk.exercise("01_tensor")).unwrap(), "my work");
    assert_eq!(code(&desk.at_lab(&["list"])), 0);
}

#[test]
fn init_prints_a_command_that_a_shell_can_run() {
    let desk = Desk::empty();
    let made = desk.run(&["init", "it's a lab"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    let text = out(&made);
    let command = text.lines().last().unwrap().trim();
    let output = Command::new("sh")
        .args(["-c", &format!("{command} list")])
        .current_dir("/")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{command}: {}", said(&output));
    assert!(out(&output).contains("00_setup"), "{}", said(&output));
    // On the PATH its name is enough.
    let program = Path::new(env!("CARGO_BIN_EXE_tinytorch-tutor"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let made = desk.command(&["init", "lab"]).env("PATH", path).output().unwrap();
    assert!(out(&made).trim_end().ends_with("&& tinytorch-tutor"), "{}", said(&made));
}

#[test]
fn an_update_shows_what_changes_and_writes_only_when_asked() {
    let desk = Desk::new();
    let (exercise, base) =
        (desk.exercise("00_setup"), desk.lab().join(".tinytorch/starters/00_setup.rs"));
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let older = read(&base).replacen("Returns a greeting.", "Gives a greeting.", 1);
    std::fs::write(&base, &older).unwrap();
    let mine = older.replacen("todo!(\"setup-greeting\")", "format!(\"Hi, {name}!\")", 1);
    std::fs::write(&exercise, &mine).unwrap();
    let list = out(&desk.at_lab(&["list"]));
    assert!(list.contains("1 exercise of an older version"), "{list}");

    let planned = desk.at_lab(&["update", "--diff"]);
    assert_eq!(code(&planned), 0, "{}", said(&planned));
    for part in [
        "00_setup:\n  merged    setup-greeting: your code, with what the course has changed\n",
        "-/// Gives a greeting.",
        "+/// Returns a greeting.",
        "To be updated: 1 module; nothing was written",
    ] {
        assert!(out(&planned).contains(part), "{part}: {}", said(&planned));
    }
    assert_eq!(read(&exercise), mine);
    let done = desk.at_lab(&["update", "--write"]);
    assert_eq!(code(&done), 0, "{}", said(&done));
    assert!(out(&done).contains("your exercise as it was: .tinytorch/backups/00_setup.1.rs"));
    assert!(read(&exercise).contains("Returns a greeting.") && read(&exercise).contains("Hi, "));
    assert!(out(&desk.at_lab(&["update"])).contains("up to date"));

    std::fs::write(&base, &older).unwrap();
    std::fs::write(&exercise, mine.replacen("Gives a greeting.", "Greets.", 1)).unwrap();
    let kept = desk.at_lab(&["update", "00", "--write"]);
    assert_eq!(code(&kept), 1, "a cell is left to the learner: {}", said(&kept));
    let beside = "the course's version: exercises/00_setup.new.rs";
    assert!(out(&kept).contains(beside), "{}", said(&kept));
    assert!(read(&exercise).contains("Greets."));
}
