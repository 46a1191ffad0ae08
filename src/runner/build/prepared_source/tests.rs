//! What becomes of a learner's file in every state of repair.

use super::*;

const REFERENCE: &str = r##"// ---
// head
// ---
// %% nbgrader={"grade": false, "grade_id": "types", "locked": true, "schema_version": 3, "solution": false, "task": false}
pub struct Pair(pub i32, pub i32);

// %% nbgrader={"grade": false, "grade_id": "sum", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn sum(pair: &Pair) -> i32 {
    pair.0 + pair.1
}

// %% nbgrader={"grade": true, "grade_id": "test-sum", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_sum() {
    assert_eq!(sum(&Pair(1, 2)), 3);
}

// %% nbgrader={"grade": false, "grade_id": "end", "locked": true, "schema_version": 3, "solution": false, "task": false}
pub fn analyze_sum(out: &mut tinytorch::report::Reporter) {}
"##;

fn changed(grade_id: &str, line: Option<usize>) -> Notice {
    Notice::LockedCellChanged { grade_id: grade_id.into(), line }
}

/// The line of `text`, from 1, that contains `part`.
fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

#[test]
fn an_untouched_file_only_loses_its_test_attributes_and_keeps_every_line() {
    let made = prepare(REFERENCE, REFERENCE);
    assert_eq!(made.text, REFERENCE.replace("#[test]", "       "));
    assert_eq!(made.notices, []);
    let lines = REFERENCE.lines().count();
    assert!((1..=lines).all(|line| made.lines.line(line) == Some(line)));
    assert_eq!((made.lines.line(0), made.lines.line(lines + 1)), (None, None));
}

#[test]
fn the_table_names_what_was_asked_for() {
    let made = prepare(REFERENCE, REFERENCE);
    let names = ["test_unit_sum".to_owned(), "test_gone".to_owned()];
    let text = made.with_tests(&names);
    assert!(text.ends_with("= &[];\n"), "{text}");
    assert!(text.contains("fn())] = &[(\"test_unit_sum\", test_unit_sum), ];"), "{text}");
    assert!(made.has_test("test_unit_sum") && !made.has_test("test_gone"));
    let text = made.with_reporters(&["analyze_sum".to_owned()]);
    assert!(text.contains("Reporter))] = &[(\"analyze_sum\", analyze_sum), ];"), "{text}");
    let text = made.with_explorables(&["explore_sum".to_owned()]);
    assert!(text.contains("Explorer))] = &[(\"explore_sum\", explore_sum), ];\n"), "{text}");
}

#[test]
fn a_changed_locked_cell_is_restored_and_later_lines_keep_their_numbers() {
    let text = REFERENCE
        .replace("    assert_eq!(sum(&Pair(1, 2)), 3);\n", "    // easy\n    // now\n    // yes\n");
    let made = prepare(&text, REFERENCE);
    assert!(made.text.contains("assert_eq!(sum(&Pair(1, 2)), 3);") && !made.text.contains("easy"));
    assert_eq!(made.notices, [changed("test-sum", Some(line_of(&text, "test-sum")))]);
    let line = made.lines.line(line_of(&made.text, "analyze_sum"));
    assert_eq!(line, Some(line_of(&text, "analyze_sum")));
}

#[test]
fn lines_of_a_restored_cell_stay_inside_what_the_learner_has_of_it() {
    let text =
        REFERENCE.replace("fn test_unit_sum() {\n    assert_eq!(sum(&Pair(1, 2)), 3);\n}\n\n", "");
    let made = prepare(&text, REFERENCE);
    let line = made.lines.line(line_of(&made.text, "assert_eq!"));
    assert_eq!(line, Some(line_of(&text, "#[test]")));
}

#[test]
fn a_deleted_test_comes_back_in_a_module_of_its_own() {
    let (before, rest) = REFERENCE.split_once("// %% nbgrader={\"grade\": true").unwrap();
    let text = format!("{before}// %%{}", rest.split_once("// %%").unwrap().1);
    let made = prepare(&text, REFERENCE);
    assert_eq!(made.notices, [changed("test-sum", None)]);
    assert_eq!(made.lines.line(line_of(&made.text, "fn test_unit_sum")), None);
    assert!(made.has_test("test_unit_sum"));
    let line = made.lines.line(line_of(&made.text, "analyze_sum"));
    assert_eq!(line, Some(line_of(&text, "analyze_sum")));
}

#[test]
fn a_test_that_lost_its_marker_is_not_the_one_that_counts() {
    let marker = REFERENCE.lines().find(|line| line.contains("test-sum")).unwrap();
    let text = REFERENCE.replace(&format!("{marker}\n"), "").replace(", 3);", ", 4);");
    let made = prepare(&text, REFERENCE);
    let table = made.with_tests(&["test_unit_sum".into()]);
    assert!(table.contains("(\"test_unit_sum\", restored_"), "{table}");
    // The learner's copy keeps its attribute, so the compiler leaves it out.
    assert!(
        made.text.contains("#[test]\nfn test_unit_sum() {\n    assert_eq!(sum(&Pair(1, 2)), 4);")
    );
    assert!(
        made.text.contains("       \nfn test_unit_sum() {\n    assert_eq!(sum(&Pair(1, 2)), 3);")
    );
}

#[test]
fn a_cell_of_the_learners_that_is_gone_or_lost_its_marker_is_told() {
    let gone = || Notice::CellGone { grade_id: "sum".into() };
    let marker = REFERENCE.lines().find(|line| line.contains("\"sum\"")).unwrap();
    let unmarked = REFERENCE.replace(&format!("{marker}\n"), "");
    // The code now belongs to the locked cell before it, and goes with that cell's change.
    let line = line_of(&unmarked, "\"types\"");
    assert_eq!(prepare(&unmarked, REFERENCE).notices, [gone(), changed("types", Some(line))]);
    let code = "pub fn sum(pair: &Pair) -> i32 {\n    pair.0 + pair.1\n}\n\n";
    assert_eq!(prepare(&unmarked.replace(code, ""), REFERENCE).notices, [gone()]);
}

#[test]
fn a_deleted_given_cell_comes_back_in_its_place_and_one_without_its_marker_is_left_alone() {
    let text = REFERENCE.replace("pub struct Pair(pub i32, pub i32);\n\n", "");
    let marker = text.lines().find(|line| line.contains("\"types\"")).unwrap().to_owned();
    let made = prepare(&text.replace(&format!("{marker}\n"), ""), REFERENCE);
    assert_eq!(made.notices, [changed("types", None)]);
    assert!(line_of(&made.text, "struct Pair") < line_of(&made.text, "fn sum"));

    let made = prepare(&REFERENCE.replace(&format!("{marker}\n"), ""), REFERENCE);
    assert_eq!(made.text.matches("struct Pair").count(), 1);
}

#[test]
fn nothing_comes_before_the_head() {
    let text = REFERENCE.split_once("// %% nbgrader").unwrap().1.split_once("// %%").unwrap().1;
    let made = prepare(&format!("#![allow(unused)]\n// %%{text}"), REFERENCE);
    assert_eq!(made.notices, [changed("types", None)]);
    assert!(made.text.starts_with("#![allow(unused)]\n"), "{}", made.text);
    assert!(line_of(&made.text, "struct Pair") < line_of(&made.text, "fn sum"));
}

#[test]
fn a_damaged_marker_is_told_and_its_cell_restored() {
    let text = REFERENCE.replace("\"grade\": true", "\"grade\": tru");
    let made = prepare(&text, REFERENCE);
    let line = line_of(&text, "tru,");
    assert!(made.notices.contains(&Notice::DamagedMarker { line }), "{:?}", made.notices);
    assert!(made.notices.contains(&changed("test-sum", None)), "{:?}", made.notices);
    assert!(made.has_test("test_unit_sum"));
}

#[test]
fn a_cell_twice_counts_once() {
    let copy = REFERENCE.split_once("// %% nbgrader={\"grade\": true").unwrap().1;
    let copy = format!("// %% nbgrader={{\"grade\": true{}", copy.split_once("// %%").unwrap().0);
    let made = prepare(&format!("{REFERENCE}{copy}"), REFERENCE);
    assert_eq!(made.text.matches("#[test]").count(), 1, "the second keeps its attribute");
    let table = made.with_tests(&["test_unit_sum".into()]);
    assert_eq!(table.matches("(\"test_unit_sum\"").count(), 1);
}

#[test]
fn an_empty_file_gets_all_that_is_locked_and_a_file_without_original_nothing() {
    let made = prepare("", REFERENCE);
    assert!(made.has_test("test_unit_sum") && made.text.contains("struct Pair"));
    let made = prepare("pub fn milestone() {}", "");
    assert_eq!((made.text.as_str(), made.lines.line(1)), ("pub fn milestone() {}", Some(1)));
}
