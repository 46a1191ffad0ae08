//! A class through the commands: what is handed in is collected, results become grades, grades go to students and to other
//! programs.

use super::*;
use serde_json::json;
use std::fs;

/// A class of two with the tensor module, and what they handed in.
fn class() -> Desk {
    let desk = Desk::empty();
    let write = |path: &str, text: &str| {
        let path = desk.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("roster.csv", "id,name,email\nada,Ada Lovelace,ada@x.org\nbob,Bob,\n");
    write("course.toml", "title = \"ML systems\"\n[[module]]\nname = \"01_tensor\"\npoints = 30\n");
    write("in/ada/exercises/01_tensor.rs", "// ada's\n");
    write("in/bob/tensor.rs", "// bob's\n");
    let cell = |id: &str, points: Value, outcome: &str| json!({"grade_id": id, "max_points": 6, "points": points, "outcome": outcome, "message": "<why>"});
    let result = |student: &str, second: Value| {
        let cells = [cell("test-tensor-new", json!(6), "passed"), second];
        json!({"schema": 1, "student": student, "module": "01_tensor", "submitted": 1_790_000_000,
            "late": false, "fingerprint": "00", "sandboxed": true, "cells": cells})
        .to_string()
    };
    write("results/ada.json", &result("ada", cell("test-b", json!(0), "failed")));
    write("results/bob.json", &result("bob", cell("test-b", Value::Null, "grader_fault")));
    desk
}

const COLLECT: [&str; 8] =
    ["collect", "in", "--roster", "roster.csv", "--course", "course.toml", "--to", "collected"];

#[test]
fn what_is_collected_and_what_is_not_is_listed() {
    let desk = class();
    let output = desk.run(&COLLECT);
    assert_eq!(code(&output), 1, "one is misnamed: {}", said(&output));
    for part in [
        "1 submission of 2 students; late: 0",
        "missing    bob 01_tensor",
        "misnamed   in/bob/tensor.rs",
    ] {
        assert!(out(&output).contains(part), "{part}: {}", said(&output));
    }
    let file = desk.folder.path().join("collected/ada/01_tensor/01_tensor.rs");
    assert_eq!(fs::read_to_string(file).unwrap(), "// ada's\n");
    let output = desk.run(&[&COLLECT[..], &["--format", "json"]].concat());
    assert_eq!(lines(&output)[0]["collected"][0]["filed"], "same");
}

#[test]
fn grades_are_imported_changed_by_hand_shown_and_handed_back() {
    let desk = class();
    let read = |path: &str| fs::read_to_string(desk.folder.path().join(path)).unwrap();
    let done = |arguments: &[&str]| {
        let output = desk.run(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}: {}", said(&output));
        out(&output)
    };
    let missing = desk.run(&["gradebook", "show"]);
    assert_eq!(code(&missing), 2);
    assert!(said(&missing).contains("there is no gradebook"), "{}", said(&missing));
    assert!(done(&["gradebook", "import", "results"]).contains("new: 2; replaced: 0"));
    let cell = ["ada", "01", "test-tensor-new"];
    done(
        &[&["gradebook", "give"], &cell[..], &["--points", "4.5", "--comment", "Close."]].concat(),
    );
    assert!(done(&["gradebook", "import", "results"]).contains("replaced: 2"));
    let shown = done(&["gradebook", "show", "--course", "course.toml"]);
    for part in ["4.5 of 12", "6 of 12, 1 cell not graded yet", "11.2 of 30"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(done(&["gradebook", "show", "ada"]).contains("by hand  Close."));
    let pages = ["--out", "pages", "--roster", "roster.csv", "--course", "course.toml"];
    done(&[&["feedback"], &pages[..]].concat());
    assert!(read("pages/ada.html").contains("&lt;why&gt;"));
    assert!(read("pages/bob.txt").contains("? of 6 points, not graded yet"));
    let again = desk.run(&[&["feedback"], &pages[..]].concat());
    assert_eq!(code(&again), 2, "nothing is overwritten: {}", said(&again));
}

#[test]
fn every_export_is_written_and_none_takes_a_fault_for_zero_points() {
    let desk = class();
    desk.run(&["gradebook", "import", "results"]);
    let export = |format: &str, to: &str| {
        desk.run(&["gradebook", "export", "--format", format, "--out", to])
    };
    for (format, part) in
        [("csv", "01_tensor,ada,"), ("json", "\"student\":\"bob\""), ("junit", "<error message")]
    {
        let output = export(format, format);
        assert_eq!(code(&output), 0, "{format}: {}", said(&output));
        let text = fs::read_to_string(desk.folder.path().join(format)).unwrap();
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(code(&export("csv", "csv")), 2, "nothing is overwritten");
    for format in ["gradescope", "github"] {
        let output = export(format, format);
        assert_eq!(code(&output), 1, "bob has no grade: {}", said(&output));
        assert!(out(&output).contains("left out  bob 01_tensor"), "{}", said(&output));
        let folder = desk.folder.path().join(format);
        assert!(folder.join("ada/01_tensor/results.json").is_file());
        assert!(!folder.join("bob").exists());
    }
}

const RUBRIC: &str = "[[question]]\nmodule = \"01_tensor\"\nname = \"precision\"\npoints = 4\n
[[question.item]]\ntext = \"names the base\"\npoints = 2\n";

#[test]
fn free_text_is_graded_on_a_screen_and_its_grade_survives_everything() {
    let desk = class();
    let write = |path: &str, text: &str| fs::write(desk.folder.path().join(path), text).unwrap();
    let reference = tinytorch::sources::MODULES[1].1;
    let answer = "\n// ANSWER precision\n// 0.1 has no end \x1b[2J in base 2.\n";
    write("in/ada/exercises/01_tensor.rs", &format!("{reference}{answer}"));
    write("rubric.toml", RUBRIC);
    desk.run(&COLLECT);
    desk.run(&["gradebook", "import", "results"]);
    let mark = ["gradebook", "mark", "collected"];
    let program = env!("CARGO_BIN_EXE_tinytorch-tutor");
    let mut terminal = Terminal::start(program, &mark, desk.folder.path(), (80, 24), &[]);
    terminal.wait_for_text("0.1 has no end ␛[2J in base 2.");
    terminal.send("\r1");
    terminal.wait_for_text("[x] +2 names the base");
    terminal.send("cWell said.\rp3\r");
    terminal.wait_for_text("3 of 4");
    terminal.resize((140, 45));
    terminal.wait_for_text("comment: Well said.");
    terminal.send("fu");
    terminal.wait_for_text("undone");
    terminal.send("q");
    let (status, _) = terminal.wait_for_end();
    assert!(status.success(), "{status:?}");
    assert_eq!(terminal.modes(), terminal.modes_before);
    desk.run(&["gradebook", "import", "results"]);
    desk.run(&["gradebook", "regrade", "test-tensor-new", "results"]);
    let shown = out(&desk.run(&["gradebook", "show", "ada"]));
    assert!(shown.contains("3 of 4") && shown.contains("Well said."), "{shown}");
    desk.run(&["feedback", "--out", "pages"]);
    let page = fs::read_to_string(desk.folder.path().join("pages/ada.txt")).unwrap();
    for part in ["answer-precision: 3 of 4 points, graded by hand", "* +2 names the base"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let output = desk.run(&["gradebook", "give", "ada", "01", "answer-precision", "--points", "5"]);
    assert!(said(&output).contains("Give 0 to 4 points"), "{}", said(&output));
}

#[test]
fn a_mistake_in_the_rubric_is_named_before_anything_is_opened() {
    let desk = class();
    desk.run(&["gradebook", "import", "results"]);
    let rubric = RUBRIC.replace("points = 4", "points = 0");
    fs::write(desk.folder.path().join("rubric.toml"), rubric).unwrap();
    let output = desk.run(&["gradebook", "mark", "collected"]);
    assert_eq!(code(&output), 2);
    assert!(said(&output).contains("\"rubric.toml\" line 4: points: is 0"), "{}", said(&output));
}

#[test]
fn a_corrected_test_is_graded_again_for_all_and_nothing_else_changes() {
    let desk = class();
    let done = |arguments: &[&str]| out(&desk.run(arguments));
    done(&["gradebook", "import", "results"]);
    let cell = ["ada", "01", "test-tensor-new"];
    done(&[&["gradebook", "give"], &cell[..], &["--comment", "Close."]].concat());
    for student in ["ada", "bob"] {
        let path = desk.folder.path().join(format!("results/{student}.json"));
        let text = fs::read_to_string(&path).unwrap().replacen("passed", "failed", 1);
        fs::write(&path, text.replacen("\"points\":6", "\"points\":0", 1)).unwrap();
    }
    let output = desk.run(&["gradebook", "regrade", "test-tensor-new", "results"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let change = "ada 01_tensor test-tensor-new: 6 of 6 (passed) before, 0 of 6 (failed) now";
    for part in [change, "changed: 2; same as before: 0; not taken over: 0"] {
        assert!(out(&output).contains(part), "{part}: {}", said(&output));
    }
    assert!(done(&["gradebook", "changes"]).contains(change));
    let shown = done(&["gradebook", "show", "ada"]);
    assert!(shown.contains("Close.") && shown.contains("0 of 12"), "{shown}");
    let output = desk.run(&["gradebook", "regrade", "test-b", "results"]);
    assert_eq!(code(&output), 1, "bob's has a fault of the grader: {}", said(&output));
    assert!(
        out(&output).contains("kept     bob 01_tensor: the grader failed"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_result_that_is_none_of_ours_is_refused_and_the_others_are_imported() {
    let desk = class();
    fs::write(desk.folder.path().join("results/notes.json"), "{\"schema\": 1, \"to\": \"do\"}")
        .unwrap();
    fs::write(desk.folder.path().join("results/broken.json"), b"\xff{").unwrap();
    let output = desk.run(&["gradebook", "import", "results"]);
    assert_eq!(code(&output), 1);
    assert!(
        out(&output).contains("new: 2; replaced: 0; older: 0; refused: 2"),
        "{}",
        said(&output)
    );
    let output = desk.run(&["gradebook", "give", "ada", "01", "test-none", "--points", "1"]);
    assert!(said(&output).contains("has no cell \"test-none\""), "{}", said(&output));
    assert!(said(&output).contains("test-tensor-new"), "{}", said(&output));
}

#[test]
fn a_renamed_copy_is_listed_and_the_reference_is_no_copy() {
    let desk = class();
    let reference = tinytorch::sources::MODULES[1].1;
    let own = "pub fn add_up(values: &[f32]) -> f32 {\n    let mut total = 0.0;\n    \
        for (index, value) in values.iter().enumerate() {\n        \
        if index % 2 == 0 { total += value; } else { total -= value * 0.5; }\n        \
        while total > 10.0 { total /= 2.0; }\n    }\n    \
        match total.is_nan() { true => 0.0, false => total + values.len() as f32 }\n}\n";
    let copy = own.replace("total", "t").replace("index", "i").replace("value ", "v ");
    for (student, code) in [("ada", own), ("bob", &copy)] {
        let path = desk.folder.path().join(format!("in/{student}/01_tensor.rs"));
        fs::write(path, format!("{reference}\n// %%\n{code}")).unwrap();
    }
    fs::remove_dir_all(desk.folder.path().join("in/ada/exercises")).unwrap();
    desk.run(&COLLECT);
    let output = desk.run(&["similarity", "collected", "--at-least", "90"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(out(&output).contains("100 %  ada  bob  ("), "{}", said(&output));
    assert!(out(&output).contains("ada  the reference"), "{}", said(&output));
}

const HIDDEN: &str = r#"// %% nbgrader={"grade": true, "grade_id": "test-greeting-hidden", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_greeting_hidden() {
    assert!(greeting("Grace").contains("Grace"));
}
"#;

/// A class of the first two modules; the first has a hidden test, and its help is closed.
fn released() -> Desk {
    let desk = Desk::empty();
    let path = |name: &str| desk.folder.path().join(name);
    fs::create_dir(path("hidden")).unwrap();
    fs::write(path("hidden/00_setup.rs"), HIDDEN).unwrap();
    fs::write(
        path("course.toml"),
        "title = \"ML systems\"\nhidden_tests = \"hidden\"\n[[module]]\nname = \"00_setup\"\npoints = 20\n\
         deadline = 2026-11-30T23:59:00+01:00\nhints = false\n[[module]]\nname = \"01_tensor\"\nsolutions = true\n",
    )
    .unwrap();
    let output = desk.run(&["release", "--course", "course.toml", "--to", "lab"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    for part in [
        "Released \"ML systems\" with 2 modules",
        "00_setup          20 points  due 2026-11-30 23:59:00+01:00; hints closed, solutions closed; 1 hidden test kept out of it",
        "no deadline; hints open, solutions open\n",
    ] {
        assert!(out(&output).contains(part), "{part}: {}", said(&output));
    }
    desk
}

#[test]
fn a_released_lab_has_the_modules_of_the_class_and_obeys_what_is_closed() {
    let desk = released();
    let list = out(&desk.at_lab(&["list"]));
    assert!(list.starts_with("ML systems\n00_setup          20 points"), "{list}");
    assert!(list.contains("  due 2026-11-30 23:59:00+01:00\n01_tensor"), "{list}");
    assert!(!list.contains("02_activations"), "{list}");
    let rows = lines(&desk.at_lab(&["list", "--format", "json"]));
    assert_eq!((rows.len(), &rows[0]["class_points"]), (2, &json!(20)));
    for (arguments, refused) in [
        (["hint", "00"], "error: your instructor has closed the hints of 00_setup"),
        (["solution", "00"], "error: your instructor has closed the solutions of 00_setup"),
        (["solution", "02"], "error: 02_activations is not part of your class"),
    ] {
        let output = desk.at_lab(&arguments);
        assert_eq!((code(&output), out(&output)), (2, String::new()), "{arguments:?}");
        assert!(said(&output).starts_with(refused), "{arguments:?}: {}", said(&output));
    }
    for open in [["hint", "01"], ["solution", "01"]] {
        assert_eq!(code(&desk.at_lab(&open)), 0, "{open:?}");
    }
    let again = desk.run(&["release", "--course", "course.toml", "--to", "lab"]);
    assert_eq!(code(&again), 2, "a lab is never overwritten: {}", said(&again));
    let checks = lines(&desk.at_lab(&["check", "--format", "json"]));
    let names: Vec<&Value> = checks.iter().map(|check| &check["name"]).collect();
    assert_eq!(names, ["00_setup", "01_tensor"]);
}

#[test]
fn a_changed_course_file_changes_the_terms_of_a_lab_and_each_change_is_named() {
    let desk = released();
    let path = |name: &str| desk.folder.path().join(name);
    let lesson = || fs::read_to_string(path("lab/lessons/00_setup.md")).unwrap();
    assert!(lesson().contains("closed: your instructor has closed the hints of 00_setup"));
    assert!(out(&desk.at_lab(&["update"])).contains("up to date"), "closed hints are no change");
    let mark = || fs::read_to_string(path("lab/.tinytorch/lab.toml")).unwrap();
    fs::write(path("lab/.tinytorch/lab.toml"), mark().replace("made_by = \"", "made_by = \"0.0."))
        .unwrap();
    // As students get it: the folder of hidden tests is not there.
    fs::remove_dir_all(path("hidden")).unwrap();
    fs::write(
        path("course.toml"),
        "title = \"ML systems, again\"\nhidden_tests = \"hidden\"\n[[module]]\nname = \"00_setup\"\npoints = 30\n\
         deadline = 2026-12-07T23:59:00+01:00\n[[module]]\nname = \"02_activations\"\n",
    )
    .unwrap();
    let course = path("course.toml");
    let update = ["update", "--course", course.to_str().unwrap(), "--write"];
    let before = mark();
    let planned = desk.at_lab(&update[..3]);
    assert_eq!((code(&planned), mark()), (0, before), "{}", said(&planned));
    let done = desk.at_lab(&update);
    assert_eq!(code(&done), 0, "{}", said(&done));
    let version = env!("CARGO_PKG_VERSION");
    for part in [
        &format!("  version          0.0.{version}, now {version}\n"),
        "  title            \"ML systems\", now \"ML systems, again\"\n",
        "  00_setup         points 20, now 30; deadline 2026-11-30 23:59:00+01:00, now 2026-12-07 23:59:00+01:00; hints closed, now open\n",
        "  01_tensor        no longer in the class; your files stay\n",
        "  02_activations   new in the class\n",
        "00_setup:\n  replaced  the lesson\n",
    ] {
        assert!(out(&planned).contains(part), "{part}: {}", said(&planned));
        assert!(out(&done).contains(part), "{part}: {}", said(&done));
    }
    assert!(out(&done).ends_with("Updated the lab's description and 1 module.\n"));
    assert!(lesson().contains("\nhint: "), "they are open now");
    let list = out(&desk.at_lab(&["list"]));
    assert!(list.starts_with("ML systems, again\n00_setup          30 points"), "{list}");
    assert!(list.contains("02_activations") && !list.contains("\n01_tensor"), "{list}");
    assert!(desk.exercise("01_tensor").is_file() && desk.exercise("02_activations").is_file());
    assert!(out(&desk.at_lab(&["update"])).contains("up to date"));

    let own = Desk::new();
    let refused = own.at_lab(&update);
    assert_eq!(code(&refused), 2, "{}", said(&refused));
    assert!(said(&refused).contains("not released for a class"), "{}", said(&refused));
}

#[test]
fn hidden_tests_are_tried_on_the_reference_and_are_not_in_the_lab() {
    let desk = released();
    let tried = || desk.run(&["check", "00", "--course", "course.toml", "--format", "json"]);
    let output = tried();
    assert_eq!(code(&output), 0, "{}", said(&output));
    let found = lines(&output)[0]["tests"].as_array().unwrap().len();
    let exercise = fs::read_to_string(desk.exercise("00_setup")).unwrap();
    let given = exercise.lines().filter(|line| *line == "#[test]").count();
    assert_eq!(found, 1 + given, "{}", said(&output));
    assert!(!exercise.contains("greeting_hidden"));
    let wrong = HIDDEN.replace("Grace\"))", "Ada\"))");
    fs::write(desk.folder.path().join("hidden/00_setup.rs"), wrong).unwrap();
    let output = tried();
    assert_eq!(code(&output), 1, "it fails on the reference: {}", said(&output));
    let private = HIDDEN.replace("greeting(\"Grace\")", "no_such(\"Grace\")");
    fs::write(desk.folder.path().join("hidden/00_setup.rs"), private).unwrap();
    assert_eq!(code(&tried()), 1, "it does not compile");
}
