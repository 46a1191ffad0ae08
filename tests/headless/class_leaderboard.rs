//! The leaderboard of a class: entries run again inside the sandbox, and what cannot is listed.

use super::jobs::{succeeds, write};
use super::*;
use serde_json::json;
use tinytorch::benchmarking::Event;
use tinytorch_tutor::report::mlperf::{Entry, to_file};

/// The course's own entry of the first event.
const OWN: &str = tinytorch::sources::MLPERF_ENTRY;

/// A file with one entry of this code. Its measurements are made up: those of another machine.
fn exported(desk: &Desk, student: &str, code: Option<&str>) {
    let counted =
        json!({"parameters": 9, "zeros": 0, "bytes": 36, "positions": 0.0, "backend": "plain"});
    let entry = json!({
        "event": Event::MlpSprint.id(), "name": "claimed", "at": 1000, "machine": "",
        "pairs": vec![[0.4, 0.1]; 25], "quality": 97.0, "counted": [counted.clone(), counted],
        "score": [4.0, 4.0, 4.0], "techniques": [], "code": code,
    });
    let entry: Entry = serde_json::from_value(entry).unwrap();
    write(desk, &format!("entries/{student}.json"), &to_file(&[entry]));
}

#[test]
fn entries_run_again_in_the_sandbox_and_what_cannot_is_listed_without_a_rank() {
    let desk = Desk::empty();
    let reads = OWN.replace(
        "    match start {",
        "    let secret = std::fs::read_to_string(\"/etc/passwd\").map(|_| ());\n    \
             assert!(secret.is_ok(), \"no file: {secret:?}\");\n    match start {",
    );
    assert_ne!(reads, OWN);
    exported(&desk, "ada", Some(OWN));
    exported(&desk, "bob", Some(&reads));
    exported(&desk, "cyd", Some(&OWN.replace("match start {", "match strat {")));
    exported(&desk, "dan", None);
    exported(
        &desk,
        "eve",
        Some(&format!("{OWN}\nfn f() {{ unsafe {{ std::hint::black_box(()) }} }}\n")),
    );
    exported(&desk, "fay", Some("// nothing\n"));
    write(&desk, "entries/gus.json", "{}");
    let class = ["mlperf", "class", "entries", "--csv", "board.csv", "--json", "board.json"];
    // With as much of the sandbox as this machine has.
    let output = desk.run(&[&class[..], &["--no-sandbox"]].concat());
    assert_eq!(code(&output), 1, "{}", said(&output));
    let text = std::fs::read_to_string(desk.folder.path().join("board.json")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |student: &str| {
        rows.iter().find(|row| row["student"] == student).unwrap_or_else(|| panic!("{text}"))
    };
    let ada = of("ada");
    assert_eq!((&ada["rank"], &ada["name"]), (&json!(1), &json!("fast kernels")), "{text}");
    assert_eq!(ada["claimed"], 4.0);
    assert_ne!(ada["score"], json!([4.0, 4.0, 4.0]), "measured here");
    for (student, part) in [
        ("cyd", "strat"),
        ("dan", "no code"),
        ("eve", "unsafe"),
        ("fay", "entry"),
        ("gus.json", "schema"),
    ] {
        let row = of(student);
        assert_eq!(row["rank"], Value::Null, "{row}");
        assert!(row["remark"].as_str().unwrap().contains(part), "{part}: {row}");
    }
    if out(&output).contains("sandbox: namespaces") {
        assert!(of("bob")["remark"].as_str().unwrap().contains("no file"), "{}", of("bob"));
    }
    let cyd = of("cyd")["remark"].as_str().unwrap();
    let line = 1 + OWN.lines().position(|line| line.contains("match start {")).unwrap();
    assert!(cyd.starts_with(&format!("line {line}: ")), "{cyd}");
    let table = std::fs::read_to_string(desk.folder.path().join("board.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + rows.len(), "{table}");
    assert!(table.contains("mlp_sprint,1,ada,fast kernels,"), "{table}");
    let again = desk.run(&class);
    assert!(code(&again) == 2 && said(&again).contains("exists already"), "{}", said(&again));
}

#[test]
fn an_exported_entry_carries_its_code() {
    let desk = Desk::new();
    let ran = desk.at_lab(&["mlperf", "run", "sprint"]);
    assert_eq!(code(&ran), 0, "{}", said(&ran));
    let lab = desk.lab();
    succeeds(&desk, &["--lab", lab.to_str().unwrap(), "mlperf", "export", "mine.json"]);
    let text = std::fs::read_to_string(desk.folder.path().join("mine.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["entries"][0]["code"], OWN);
}
