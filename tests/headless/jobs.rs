//! `grade` as the jobs of another engine: shares of a class, and their results merged.

use super::*;
use std::fs;

/// A class of three with the first module: two have solved it, one has not.
pub fn class() -> Desk {
    let desk = Desk::empty();
    let reference = tinytorch::sources::MODULES[0].1;
    let starter = tinytorch_tutor::curriculum::cells::starter(reference);
    for (student, text) in [("ada", reference), ("bob", &*starter), ("eve", reference)] {
        write(&desk, &format!("in/{student}/00_setup.rs"), text);
    }
    write(&desk, "roster.csv", "id,name,email\nada,,\nbob,,\neve,,\n");
    write(&desk, "course.toml", "title = \"ML systems\"\n[[module]]\nname = \"00_setup\"\n");
    let collect = ["collect", "in", "--roster", "roster.csv", "--course", "course.toml"];
    succeeds(&desk, &[&collect[..], &["--to", "submitted"]].concat());
    desk
}

pub fn write(desk: &Desk, path: &str, text: &str) {
    let path = desk.folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Every file below a folder, with its text.
pub fn files(folder: &Path) -> std::collections::BTreeMap<PathBuf, String> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(inside, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

pub fn succeeds(desk: &Desk, arguments: &[&str]) -> String {
    let output = desk.run(arguments);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", said(&output));
    out(&output)
}

/// Grades with as much of the sandbox as this machine has: these tests are about what is graded, not how.
fn grade(desk: &Desk, arguments: &[&str]) -> Output {
    desk.run(&[&["grade", "submitted", "--no-sandbox"], arguments].concat())
}

#[test]
fn the_shares_of_a_class_merge_to_what_one_machine_gives() {
    let desk = class();
    let merge = |folders: &[&str], to: &str| {
        desk.run(&[&["grade", "submitted", "--out", to, "--merge"], folders].concat())
    };
    let at = |folder: &str| files(&desk.folder.path().join(folder));
    for (task, to, graded) in [("1/2", "shares/1", 2), ("2/2", "shares/2", 1)] {
        let output = grade(&desk, &["--task", task, "--out", to]);
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert_eq!(at(to).len(), graded, "{}", said(&output));
    }
    let half = merge(&["shares/1"], "half");
    assert_eq!(code(&half), 1, "{}", said(&half));
    assert!(out(&half).contains("missing  bob 00_setup"), "{}", said(&half));
    let merged = merge(&["shares/1", "shares/2"], "merged");
    assert_eq!(code(&merged), 0, "{}", said(&merged));
    let direct = grade(&desk, &["--out", "direct"]);
    assert_eq!(code(&direct), 0, "{}", said(&direct));
    assert_eq!((at("merged").len(), at("merged")), (3, at("direct")));

    // What was forged is refused, and what is there already is not overwritten.
    let ada = desk.folder.path().join("shares/1/ada/00_setup.json");
    let forged = fs::read_to_string(&ada).unwrap().replacen("\"passed\"", "\"failed\"", 1);
    fs::write(&ada, forged).unwrap();
    let again = merge(&["shares/1", "shares/2"], "merged");
    assert_eq!(code(&again), 1, "{}", said(&again));
    assert!(out(&again).contains("contradicts"), "{}", said(&again));
    assert!(out(&again).contains("2 results; refused: 2; missing: 0"), "{}", said(&again));
    assert_eq!(at("merged"), at("direct"));
}

#[test]
fn a_share_that_does_not_exist_is_refused() {
    let desk = Desk::empty();
    for task in ["0/2", "3/2", "1/0", "2", "one/two"] {
        let output = grade(&desk, &["--task", task, "--out", "x"]);
        assert_eq!(code(&output), 2, "{}", said(&output));
        assert!(said(&output).contains("K from 1 to N"), "{}", said(&output));
    }
}
