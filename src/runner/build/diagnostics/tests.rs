//! Recorded output of rustc 1.95 (`--error-format=json`, file `exercise.rs`) as diagnostics.

use super::*;
use crate::runner::source_map::LineMap;
use std::path::Path;

const TYPE_ERROR: &str = include_str!("../../../../tests/fixtures/rustc/type_error.json");
const MACRO_ERROR: &str = include_str!("../../../../tests/fixtures/rustc/macro_error.json");
const BORROW_ERROR: &str = include_str!("../../../../tests/fixtures/rustc/borrow_error.json");
const UNCLOSED: &str = include_str!("../../../../tests/fixtures/rustc/unclosed.json");
const MULTILINE: &str = include_str!("../../../../tests/fixtures/rustc/multiline.json");
const WARNING: &str = include_str!("../../../../tests/fixtures/rustc/warning.json");

fn read_with(recorded: &str, lines: Vec<Option<usize>>) -> Vec<Diagnostic> {
    let mut source_map = SourceMap::default();
    source_map.add("exercise.rs", Path::new("lab/01_tensor.rs"), LineMap(lines));
    recorded.lines().filter_map(|line| diagnostic(line.as_bytes(), &source_map)).collect()
}

fn read(recorded: &str) -> Vec<Diagnostic> {
    read_with(recorded, (1..=20).map(Some).collect())
}

fn at(line: usize, column: usize) -> Place {
    Place { file: "lab/01_tensor.rs".into(), line, column }
}

#[test]
fn a_type_error_has_place_code_labels_notes_and_a_suggestion() {
    let [divide, mismatch] = &read(TYPE_ERROR)[..] else { panic!("two errors") };
    assert_eq!(divide.message, "cannot divide `f32` by `usize`");
    assert_eq!((divide.level, divide.code.as_deref()), (Level::Error, Some("E0277")));
    assert_eq!(divide.at, Some(at(3, 9)));
    assert_eq!(divide.notes[0], "the trait `Div<usize>` is not implemented for `f32`");
    assert_eq!(divide.spans.len(), 1, "places in the standard library are not shown");

    let labels: Vec<_> =
        mismatch.spans.iter().map(|s| (s.line, s.columns, &*s.label, s.primary)).collect();
    assert_eq!(
        labels,
        [
            (7, (5, 9), "expected `String`, found `&str`", true),
            (6, (29, 35), "expected `String` because of return type", false),
        ]
    );
    let [suggestion] = &mismatch.suggestions[..] else { panic!("{mismatch:#?}") };
    assert_eq!((&suggestion.at, &*suggestion.replacement), (&at(7, 9), ".to_string()"));
    assert_eq!(suggestion.corrected, "    name.to_string()");
}

/// What rustc writes of a suggestion, in the lines of `text`: line, columns, replacement.
fn suggestion(text: &str, parts: &[(usize, usize, usize, &str)]) -> Vec<Suggestion> {
    let span = |(line, start, end, replacement): &(usize, usize, usize, &str)| {
        let source = text.lines().nth(line - 1).unwrap();
        serde_json::json!({
            "file_name": "exercise.rs", "line_start": line, "column_start": start,
            "is_primary": true, "label": null, "suggested_replacement": replacement, "expansion": null,
            "text": [{ "text": source, "highlight_start": start, "highlight_end": end }],
        })
    };
    let spans: Vec<_> = parts.iter().map(span).collect();
    let child = serde_json::json!({
        "message": "consider this", "code": null, "level": "help", "spans": spans, "children": [],
    });
    let message = serde_json::json!({
        "message": "wrong", "code": null, "level": "error", "spans": [], "children": [child],
    });
    read(&message.to_string()).remove(0).suggestions
}

#[test]
fn a_suggestion_shows_the_line_as_it_is_with_all_its_parts() {
    let text = "let sum = a + b;\nadd(x);";
    let [both] = &suggestion(text, &[(1, 11, 11, "("), (1, 16, 16, ")")])[..] else { panic!() };
    assert_eq!(both.corrected, "let sum = (a + b);");
    let [borrow] = &suggestion(text, &[(2, 5, 5, "&")])[..] else { panic!() };
    assert_eq!(borrow.corrected, "add(&x);");
}

#[test]
fn replacements_at_one_place_are_alternatives() {
    let found = suggestion("add(x);", &[(1, 1, 4, "sub"), (1, 1, 4, "mul")]);
    let corrected: Vec<_> = found.iter().map(|one| one.corrected.as_str()).collect();
    assert_eq!(corrected, ["sub(x);", "mul(x);"]);
}

#[test]
fn the_primary_span_comes_first_whatever_rustcs_order() {
    let [too_many, _] = &read(MULTILINE)[..] else { panic!("two errors") };
    assert_eq!((&too_many.at, too_many.spans[0].primary), (&Some(at(15, 16)), true));
    let [borrow] = &read(BORROW_ERROR)[..] else { panic!("one error") };
    assert_eq!(borrow.spans.iter().map(|span| span.line).collect::<Vec<_>>(), [3, 2, 4]);
}

#[test]
fn a_note_about_the_same_file_is_a_span_and_one_about_nothing_is_a_note() {
    let [too_many, pattern] = &read(MULTILINE)[..] else { panic!("two errors") };
    let defined = too_many.spans.iter().find(|span| span.label == "function defined here").unwrap();
    assert_eq!((defined.line, defined.primary), (16, false));
    assert_eq!(too_many.notes, Vec::<String>::new());
    assert_eq!(pattern.notes, ["the matched value is of type `i32`"]);
}

#[test]
fn an_error_inside_a_macro_of_another_file_is_placed_where_it_was_called() {
    // Lines 5 to 7, the macro, are not the learner's here.
    let map = (1..=20).map(|line| (!(5..=7).contains(&line)).then_some(line)).collect();
    let [_, add] = &read_with(MACRO_ERROR, map)[..] else { panic!("two errors") };
    assert_eq!(add.at, Some(at(10, 5)));
    assert_eq!(add.spans[0].text, "    twice!(\"two\")");
    assert_eq!(add.spans[0].label, "`+` cannot be used to concatenate two `&str` strings");
}

#[test]
fn lines_follow_the_map_and_places_that_the_learner_does_not_have_are_left_out() {
    let shifted = (1..=20).map(|line| Some(line + 100)).collect();
    let [mismatched] = &read_with(UNCLOSED, shifted)[..] else { panic!("one error") };
    let lines: Vec<_> = mismatched.spans.iter().map(|span| span.line).collect();
    assert_eq!((&mismatched.at, lines), (&Some(at(103, 1)), vec![103, 102, 101]));

    let [elsewhere] = &read_with(UNCLOSED, vec![])[..] else { panic!("one error") };
    assert_eq!((&elsewhere.at, elsewhere.spans.len()), (&None, 0));
    assert_eq!(elsewhere.message, "mismatched closing delimiter: `}`");
}

#[test]
fn a_place_in_another_file_of_the_learner_does_not_mix_with_the_first() {
    let mut source_map = SourceMap::default();
    source_map.add("exercise.rs", Path::new("a.rs"), LineMap((1..=20).map(Some).collect()));
    source_map.add("00_other.rs", Path::new("b.rs"), LineMap((1..=20).map(Some).collect()));
    let line = MULTILINE.lines().next().unwrap();
    let line = line.replace(
        r#"defined here", "code": null, "level": "note", "spans": [{"file_name": "exercise.rs""#,
        r#"defined here", "code": null, "level": "note", "spans": [{"file_name": "/c/00_other.rs""#,
    );
    let found = diagnostic(line.as_bytes(), &source_map).unwrap();
    assert_eq!(found.notes, ["function defined here"]);
    assert!(found.spans.iter().all(|span| span.line == 15), "{found:#?}");
}

#[test]
fn warnings_are_diagnostics_and_counts_are_not() {
    let found = read(WARNING);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|warning| warning.level == Level::Warning));
}

#[test]
fn other_lines_are_not_diagnostics() {
    for line in
        ["", "error: words", "{}", "{\"$message_type\":\"artifact\"}", "{\"message\":1}", "\u{0}"]
    {
        assert_eq!(diagnostic(line.as_bytes(), &SourceMap::default()), None, "{line}");
    }
    let fake = r#"{"message":"\u001b[2J","code":null,"level":"error","spans":[]}"#;
    assert_eq!(diagnostic(fake.as_bytes(), &SourceMap::default()).unwrap().message, "␛[2J");
}
