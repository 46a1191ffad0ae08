//! What learners share of their progress: asked once, never without a yes, and what the class's instructor gets of it.

use super::*;
use serde_json::json;
use std::fs;

/// The file with what a lab shares.
fn shared_file(desk: &Desk) -> PathBuf {
    desk.lab().join(".tinytorch/progress.shared.json")
}

fn shared(desk: &Desk) -> Value {
    serde_json::from_str(&fs::read_to_string(shared_file(desk)).unwrap()).unwrap()
}

/// Runs the command in a terminal, answers the question, and returns the exit code and what was on the screen.
fn answer(desk: &Desk, arguments: &[&str], answer: &str) -> (u32, String) {
    let program = env!("CARGO_BIN_EXE_tinytorch-tutor");
    let mut terminal = Terminal::start(program, arguments, desk.folder.path(), (100, 24), &[]);
    terminal.wait_for_text("Share? [y/N]");
    terminal.send(answer);
    let (status, raw) = terminal.wait_for_end();
    (status.exit_code(), String::from_utf8_lossy(&raw).into_owned())
}

#[test]
fn init_at_a_terminal_asks_once_and_only_a_yes_shares() {
    for (typed, shares) in [("\r", false), ("n\r", false), ("\u{4}", false), ("y\r", true)] {
        let desk = Desk::empty();
        let (code, screen) = answer(&desk, &["init", "lab"], typed);
        assert_eq!(code, 0, "{screen}");
        for part in ["under your name", "codes of compiler", "no text that you wrote"] {
            assert!(screen.contains(part), "{part}: {screen}");
        }
        assert_eq!(shared_file(&desk).exists(), shares, "{typed:?}");
        let program = env!("CARGO_BIN_EXE_tinytorch-tutor");
        let again = Terminal::start(program, &["init", "lab"], desk.folder.path(), (100, 24), &[]);
        let ended = |screen: &str| screen.contains("Share?") || screen.contains("Open it:");
        let screen = again.wait_for("the end, or a question", ended);
        assert!(!screen.contains("Share?"), "it was decided: {screen}");
    }
    let desk = Desk::empty();
    let (code, _) = answer(&desk, &["init", "lab"], "\u{3}");
    assert!(code != 0 && !desk.lab().exists(), "Ctrl-C ends it");
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_shared_unless_a_script_says_so() {
    let desk = Desk::new();
    fix_setup(&desk, "setup-greeting");
    assert!(!shared_file(&desk).exists());
    let shown = out(&desk.at_lab(&["share"]));
    assert!(shown.contains("have not agreed") && shown.contains("00_setup"), "{shown}");
    let made = desk.run(&["init", "lab", "--share-progress", "yes"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    assert_eq!(shared(&desk)["exercises"][0]["attempts"], 1);
}

#[test]
fn a_lab_that_was_handed_out_asks_for_its_class() {
    let desk = Desk::empty();
    let course = "title = \"ML systems\"\n[[module]]\nname = \"00_setup\"\n";
    fs::write(desk.folder.path().join("course.toml"), course).unwrap();
    let made = desk.run(&["release", "--course", "course.toml", "--to", "lab"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    let silent = desk.at_lab(&["share", "ask"]);
    assert_eq!((code(&silent), said(&silent).as_str()), (0, ""), "no terminal, no question");
    let (code, screen) = answer(&desk, &["--lab", "lab", "share", "ask"], "y\r");
    assert!(code == 0 && screen.contains("the instructor of \"ML systems\""), "{screen}");
    assert!(shared_file(&desk).exists());
}

/// Solves one cell of the first exercise, leaves a wrong one, and checks it.
fn fix_setup(desk: &Desk, cell: &str) {
    let path = desk.exercise("00_setup");
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replacen(&format!("todo!(\"{cell}\")"), "\"my secret\".into()", 1);
    assert_ne!(text, changed);
    fs::write(&path, changed).unwrap();
    let output = desk.at_lab(&["check", "00"]);
    assert_eq!(code(&output), 1, "{}", said(&output));
}

#[test]
fn what_is_shared_follows_the_checks_and_ends_with_a_change_of_mind() {
    let desk = Desk::new();
    desk.at_lab(&["share", "yes"]);
    fix_setup(&desk, "setup-greeting");
    let greeting = json!({"attempts": 1, "last": true});
    assert_eq!(shared(&desk)["exercises"][0]["tests"]["test_unit_greeting"], greeting);
    let path = desk.exercise("00_setup");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"my secret\".into()", "7", 1)).unwrap();
    desk.at_lab(&["check", "00"]);
    desk.at_lab(&["hint", "00", "setup-greeting"]);
    let exercise = &shared(&desk)["exercises"][0];
    assert_eq!(exercise["errors"]["E0308"]["last"], true, "{exercise}");
    assert_eq!((&exercise["attempts"], &exercise["hints"]), (&json!(2), &json!(1)));
    let file = fs::read_to_string(shared_file(&desk)).unwrap();
    assert!(!file.contains("secret") && !file.contains("/"), "{file}");
    let ended = desk.at_lab(&["share", "no"]);
    assert!(out(&ended).contains("You share nothing"), "{}", said(&ended));
    assert!(!shared_file(&desk).exists());
    fs::write(&path, text).unwrap();
    desk.at_lab(&["check", "00"]);
    assert!(!shared_file(&desk).exists());
}

/// A lab as a learner packs it: the whole folder.
fn pack(desk: &Desk, name: &str) -> Vec<String> {
    let path = desk.folder.path().join("in").join(name).with_extension("tar.gz");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = flate2::write::GzEncoder::new(
        fs::File::create(&path).unwrap(),
        flate2::Compression::fast(),
    );
    let mut archive = tar::Builder::new(file);
    archive.append_dir_all("lab", desk.lab()).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    let packed = flate2::read::GzDecoder::new(fs::File::open(&path).unwrap());
    let mut packed = tar::Archive::new(packed);
    let name = |entry: std::io::Result<tar::Entry<'_, _>>| {
        entry.unwrap().path().unwrap().to_string_lossy().into_owned()
    };
    packed.entries().unwrap().map(name).collect()
}

const COLLECT: [&str; 6] = ["collect", "in", "--roster", "roster.csv", "--to", "collected"];

#[test]
fn a_class_is_shown_where_it_stops_and_only_those_who_agreed_are_counted() {
    let desk = Desk::new();
    let write = |path: &str, text: &str| {
        let path = desk.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("roster.csv", "id\nada\nbob\neve\ns1\ns2\ns3\ns4\n");
    fix_setup(&desk, "setup-greeting");
    let file = "lab/.tinytorch/progress.shared.json".to_owned();
    assert!(!pack(&desk, "bob").contains(&file), "bob did not agree");
    desk.at_lab(&["share", "yes"]);
    assert!(pack(&desk, "ada").contains(&file));
    for (number, attempts) in [(1, 3), (2, 4), (3, 5), (4, 8)] {
        let test = json!({"attempts": 1, "last": number == 1});
        let exercise = json!({"module": 0, "completed": number > 1, "attempts": attempts, "hints": 2,
            "seconds": 600 * number, "tests": {"test_unit_greeting": test},
            "errors": {"E0308": {"attempts": 1, "last": false}}});
        let shared = json!({"schema": 1, "exercises": [exercise]}).to_string();
        write(&format!("in/s{number}/.tinytorch/progress.shared.json"), &shared);
    }
    write("in/eve/.tinytorch/progress.shared.json", "{\"schema\": 1}");
    let output = desk.run(&COLLECT);
    assert_eq!(code(&output), 1, "eve's is refused: {}", said(&output));
    for part in
        ["sharing progress: 5", "refused    in/eve/.tinytorch/progress.shared.json: it is not"]
    {
        assert!(out(&output).contains(part), "{part}: {}", said(&output));
    }
    let collected = |student: &str, name: &str| {
        desk.folder.path().join("collected").join(student).join(name).exists()
    };
    assert!(collected("ada", "progress.json") && collected("bob", "00_setup"));
    assert!(!collected("bob", "progress.json"));

    let output = desk.run(&["analytics", "collected", "--csv", "class.csv"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let text = out(&output);
    for part in [
        "6 students; sharing their progress: 5",
        "  00_setup        5          3  20 (10-30)   4 (3-5)  2 (2-2)\n",
        &format!("  00_setup |{}{}| 3 of 5, 60 %\n", "#".repeat(24), "-".repeat(16)),
        "  00_setup test_unit_greeting        2            5\n",
        "  E0308  Expected type did not match the received type        0         4\n",
        "at most 15;",
        "fewer than 5 learners",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("ada") && !text.contains("s1"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let rows = fs::read_to_string(desk.folder.path().join("class.csv")).unwrap();
    assert!(rows.contains("exercise,00_setup,,attempts_median,4\n"), "{rows}");
    let again = desk.run(&["analytics", "collected", "--csv", "class.csv"]);
    assert_eq!(code(&again), 2, "nothing is overwritten: {}", said(&again));
    let found = &lines(&desk.run(&["analytics", "collected", "--format", "json"]))[0];
    assert_eq!((&found["sharing"], &found["exercises"][0]["completed"]), (&json!(5), &json!(3)));
    let named = out(&desk.run(&["analytics", "collected", "--names"]));
    assert!(named.contains("s4 00_setup         yes       40         8      2"), "{named}");

    fs::create_dir(desk.folder.path().join("empty")).unwrap();
    let none = out(&desk.run(&["analytics", "empty"]));
    assert!(none.starts_with("0 students; sharing") && none.lines().count() == 2, "{none}");
    write("collected/s4/progress.json", "\u{1b}[2J{");
    let output = desk.run(&["analytics", "collected"]);
    let text = out(&output);
    assert_eq!(code(&output), 1, "{text}");
    assert!(text.contains("not counted") && text.contains("collected/s4/progress.json"), "{text}");
    assert!(text.contains("fewer than 5 started") && !text.contains('\u{1b}'), "{text}");
    assert!(!text.contains("test_unit_greeting"), "{text}");
    let found = lines(&desk.run(&["analytics", "collected", "--format", "json"]));
    assert_eq!((found.len(), &found[0]["sharing"]), (1, &json!(4)));
    let problem = found[0]["not_counted"][0].as_str().unwrap();
    assert!(problem.contains("collected/s4/progress.json"), "{problem}");
}

/// The files of a zip archive, by name.
fn packed(desk: &Desk, name: &str) -> std::collections::BTreeMap<String, String> {
    let mut zip =
        zip::ZipArchive::new(fs::File::open(desk.folder.path().join(name)).unwrap()).unwrap();
    let number = zip.len();
    let read = |index| {
        let mut file = zip.by_index(index).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        (file.name().unwrap().into_owned(), text)
    };
    (0..number).map(read).collect()
}

#[test]
fn what_is_handed_in_has_the_exercises_and_figures_only_with_consent() {
    let desk = Desk::new();
    let submit = |name: &str| {
        let output = desk.at_lab(&["submit", name]);
        (code(&output), said(&output))
    };
    let (refused, text) = submit("early.zip");
    assert!(refused == 1 && text.contains("none was changed"), "{text}");
    fix_setup(&desk, "setup-greeting");
    let (done, text) = submit("bob.zip");
    assert_eq!(done, 0, "{text}");
    for part in ["bob.zip: 00_setup.", "Nothing about your progress", "20 exercises without"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let exercise = fs::read_to_string(desk.exercise("00_setup")).unwrap();
    assert_eq!(packed(&desk, "bob.zip"), [("exercises/00_setup.rs".into(), exercise)].into());
    let (again, text) = submit("bob.zip");
    assert!(again == 2 && text.contains("exists already"), "{text}");
    let (odd, text) = submit("bob.rar");
    assert!(odd == 2 && text.contains("end in .zip"), "{text}");

    desk.at_lab(&["share", "yes"]);
    assert_eq!(submit("ada.zip").0, 0);
    let files = packed(&desk, "ada.zip");
    let figures = fs::read_to_string(shared_file(&desk)).unwrap();
    assert_eq!(files[".tinytorch/progress.shared.json"], figures);
    assert_eq!(files.len(), 2, "{files:?}");
    desk.at_lab(&["share", "no"]);
    submit("later.zip");
    assert_eq!(packed(&desk, "later.zip").len(), 1);

    fs::write(desk.folder.path().join("roster.csv"), "id\nada\nbob\n").unwrap();
    fs::create_dir(desk.folder.path().join("in")).unwrap();
    for name in ["ada.zip", "bob.zip"] {
        fs::rename(desk.folder.path().join(name), desk.folder.path().join("in").join(name))
            .unwrap();
    }
    let output = desk.run(&COLLECT);
    assert!(out(&output).contains("sharing progress: 1"), "{}", said(&output));
    assert!(out(&output).contains("2 submissions of 2 students"), "{}", said(&output));
}

#[test]
fn a_decision_that_cannot_be_kept_is_an_error_and_one_in_a_new_store_comes_with_a_warning() {
    let desk = Desk::new();
    desk.at_lab(&["share", "no"]);
    fs::write(desk.lab().join(".tinytorch/progress.db"), [0xAB; 8192]).unwrap();
    let output = desk.at_lab(&["share", "yes"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(said(&output).contains("the progress store was damaged"), "{}", said(&output));
    assert!(shared_file(&desk).exists());
    let store = desk.lab().join(".tinytorch/progress.db");
    fs::remove_file(&store).unwrap();
    fs::create_dir(&store).unwrap();
    let output = desk.at_lab(&["share", "no"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(!out(&output).contains("You share"), "{}", said(&output));
    assert!(!shared_file(&desk).exists(), "a no counts all the same");
}
