//! The file of lesson 20 as a learner exports it, and as others check it.

use super::{Desk, code, lines, out, said};
use serde_json::Value;
use tinytorch::capstone::{detected, scored, sealed};
use tinytorch::submission::Submission;

/// A submission that can be believed.
fn honest() -> Submission {
    let mut submission = Submission::example();
    (submission.score, submission.techniques) = (scored(&submission), detected(&submission));
    sealed(submission)
}

#[test]
fn a_valid_file_is_described_and_each_fault_of_another_is_named_by_its_field() {
    let desk = Desk::empty();
    let validate = |name: &str, text: &[u8]| {
        std::fs::write(desk.folder.path().join(name), text).unwrap();
        desk.run(&["capstone", "validate", name])
    };
    let text = honest().to_json();
    let valid = validate("honest.json", text.as_bytes());
    assert_eq!(code(&valid), 0, "{}", said(&valid));
    assert!(out(&valid).contains("honest.json: valid") && out(&valid).contains("Caching"));

    let forged = sealed(Submission { score: [900.0; 3], ..honest() }).to_json();
    for (name, text, field) in [
        ("truncated.json", &text.as_bytes()[..text.len() / 2], "the file"),
        ("edited.json", text.replace("\"tokens\": 100", "\"tokens\": 500").as_bytes(), "checksum"),
        ("forged.json", forged.as_bytes(), "score"),
        ("foreign.json", b"{\"schema\": \"tinymlperf/1\"}", "schema"),
        ("picture.json", b"\x89PNG", "the file"),
    ] {
        let refused = validate(name, text);
        assert_eq!(code(&refused), 1, "{}", said(&refused));
        let wanted = format!("{name}: not valid\n  {field}: ");
        assert!(out(&refused).starts_with(&wanted), "{}", said(&refused));
        let json = desk.run(&["capstone", "validate", name, "--format", "json"]);
        let row = &lines(&json)[0];
        assert_eq!((code(&json), &row["outcome"]), (1, &"not_valid".into()), "{row}");
        assert_eq!(row["faults"][0]["field"], field, "{row}");
    }
    let several = Submission { quality: [-1.0, 0.0], ..honest() };
    let several = validate("several.json", sealed(several).to_json().as_bytes());
    assert!(out(&several).contains("quality[0]: ") && out(&several).contains("quality[1]: "));
}

#[test]
fn a_missing_file_is_another_exit_code_than_a_refused_one_which_is_not_measured() {
    let desk = Desk::empty();
    for command in ["validate", "reproduce"] {
        let missing = desk.run(&["capstone", command, "nothing.json"]);
        assert_eq!(code(&missing), 2, "{}", said(&missing));
        assert!(said(&missing).contains("nothing.json"), "{}", said(&missing));
    }
    std::fs::write(desk.folder.path().join("empty.json"), "").unwrap();
    let refused = desk.run(&["capstone", "reproduce", "empty.json"]);
    assert_eq!(code(&refused), 1, "{}", said(&refused));
    assert!(out(&refused).starts_with("empty.json: not valid"), "{}", said(&refused));
    let folder = desk.run(&["capstone", "export", "."]);
    assert!(code(&folder) == 2 && said(&folder).contains("is a folder"), "{}", said(&folder));
}

#[test]
fn a_pipeline_that_measures_nothing_writes_nothing() {
    let desk = Desk::new();
    let file = desk.folder.path().join("mine.json");
    std::fs::write(&file, "kept").unwrap();
    let refused = desk.at_lab(&["capstone", "export", file.to_str().unwrap()]);
    assert_eq!(code(&refused), 1, "{}", said(&refused));
    assert!(said(&refused).contains("reported no submission"), "{}", said(&refused));
    assert!(out(&refused).contains("not started"), "{}", said(&refused));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
    assert!(!desk.folder.path().join("mine.1.json").exists(), "there was nothing to replace");
}

/// What `capstone export FILE --solution` wrote once. Another corpus or another training needs another export.
const RECORDED: &str = include_str!("../fixtures/submission.json");

/// How fast a machine is depends on what else it does, so `score` alone may differ.
#[test]
fn what_the_reference_exported_is_valid_and_measured_here_it_is_the_same_pipeline() {
    let desk = Desk::new();
    let file = desk.folder.path().join("recorded.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, RECORDED).unwrap();
    let valid = desk.run(&["capstone", "validate", path]);
    assert_eq!(code(&valid), 0, "{}", said(&valid));
    assert!(out(&valid).contains("Quantization, Pruning, Caching, Backend"), "{}", said(&valid));

    let again = desk.at_lab(&["capstone", "reproduce", path, "--solution", "--format", "json"]);
    let row = &lines(&again)[0];
    let faults = row["faults"].as_array().unwrap();
    let fields: Vec<&Value> = faults.iter().map(|fault| &fault["field"]).collect();
    assert!(fields.is_empty() || fields == ["score"], "{row}");
    let is_confirmed = fields.is_empty();
    assert_eq!((code(&again) == 0, row["outcome"] == "confirmed"), (is_confirmed, is_confirmed));

    let edited = RECORDED.replace("\"training\": 1", "\"training\": 2");
    assert_ne!(edited, RECORDED, "the seed is in the file");
    std::fs::write(&file, edited).unwrap();
    let refused = desk.at_lab(&["capstone", "reproduce", path, "--solution"]);
    assert_eq!(code(&refused), 1, "{}", said(&refused));
    assert!(out(&refused).contains("not valid\n  checksum: "), "{}", said(&refused));
}
