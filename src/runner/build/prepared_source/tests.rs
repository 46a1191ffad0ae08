//! What is compiled for a learner's file that is complete, damaged, or has changed locked cells.

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
fn an_unchanged_file_loses_only_its_test_attributes_and_keeps_every_line() {
    let made = prepare(REFERENCE, REFERENCE);
    assert_eq!(made.text, REFERENCE.replace("#[test]", "       "));
    assert_eq!(made.notices, []);
    let lines = REFERENCE.lines().count();
    assert!((1..=lines).all(|line| made.lines.line(line) == Some(line)));
    assert_eq!((made.lines.line(0), made.lines.line(lines + 1)), (None, None));
}

#[test]
fn the_tables_have_the_requested_functions() {
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
fn a_deleted_test_is_restored_in_a_module_of_its_own() {
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
    assert!(table.contains("(\"test_unit_sum\", graded_"), "{table}");
    // The learner's copy is a test of their own.
    assert_eq!(made.own_tests().collect::<Vec<_>>(), ["own::test_unit_sum"]);
    assert_eq!(made.text.matches("fn test_unit_sum()").count(), 2);
    let graded = made.text.split_once("mod graded_").unwrap().1;
    assert!(graded.contains("assert_eq!(sum(&Pair(1, 2)), 3);"), "{graded}");
}

#[test]
fn a_missing_solution_cell_and_one_without_its_marker_are_named() {
    let gone = || Notice::CellGone { grade_id: "sum".into() };
    let marker = REFERENCE.lines().find(|line| line.contains("\"sum\"")).unwrap();
    let unmarked = REFERENCE.replace(&format!("{marker}\n"), "");
    // The code is now an addition to the given cell before it, and is compiled there.
    let made = prepare(&unmarked, REFERENCE);
    let line = line_of(&unmarked, "pub fn sum");
    assert_eq!(made.notices, [gone(), Notice::CodeOutsideCells { line }]);
    assert!(made.text.contains("pub fn sum"));
    let code = "pub fn sum(pair: &Pair) -> i32 {\n    pair.0 + pair.1\n}\n\n";
    assert_eq!(prepare(&unmarked.replace(code, ""), REFERENCE).notices, [gone()]);
}

#[test]
fn a_deleted_given_cell_is_restored_in_its_place_and_one_without_its_marker_is_kept() {
    let text = REFERENCE.replace("pub struct Pair(pub i32, pub i32);\n\n", "");
    let marker = text.lines().find(|line| line.contains("\"types\"")).unwrap().to_owned();
    let made = prepare(&text.replace(&format!("{marker}\n"), ""), REFERENCE);
    assert_eq!(made.notices, [changed("types", None)]);
    assert!(line_of(&made.text, "struct Pair") < line_of(&made.text, "fn sum"));

    let made = prepare(&REFERENCE.replace(&format!("{marker}\n"), ""), REFERENCE);
    assert_eq!(made.text.matches("struct Pair").count(), 1);
}

#[test]
fn nothing_is_inserted_before_the_head() {
    let text = REFERENCE.split_once("// %% nbgrader").unwrap().1.split_once("// %%").unwrap().1;
    let made = prepare(&format!("#![allow(unused)]\n// %%{text}"), REFERENCE);
    assert_eq!(made.notices, [changed("types", None), Notice::CodeOutsideCells { line: 1 }]);
    assert!(made.text.starts_with("#![allow(unused)]\n"), "{}", made.text);
    assert!(line_of(&made.text, "struct Pair") < line_of(&made.text, "fn sum"));
}

#[test]
fn a_damaged_marker_is_reported_and_its_cell_restored() {
    let text = REFERENCE.replace("\"grade\": true", "\"grade\": tru");
    let made = prepare(&text, REFERENCE);
    let line = line_of(&text, "tru,");
    let notices = [Notice::DamagedMarker { line }, changed("test-sum", Some(line))];
    assert_eq!(made.notices, notices, "the id can still be read");
    assert!(made.has_test("test_unit_sum"));
    assert_eq!(made.text.matches("fn test_unit_sum").count(), 1);
}

#[test]
fn a_damaged_marker_without_a_readable_id_makes_the_code_the_learners() {
    let text = REFERENCE.replace("\"grade_id\": \"test-sum\", \"locked\"", "\"locked");
    let made = prepare(&text, REFERENCE);
    let line = line_of(&text, "\"locked:");
    let line = if line == 0 { 1 } else { line };
    assert!(made.notices.contains(&Notice::DamagedMarker { line }), "{:?}", made.notices);
    assert!(made.notices.contains(&changed("test-sum", None)), "{:?}", made.notices);
    assert!(made.has_test("test_unit_sum"));
}

#[test]
fn lines_that_a_learner_adds_to_a_given_cell_are_kept_and_named() {
    let added = "use std::collections::HashMap;\n\npub struct Pair";
    let text = REFERENCE.replacen("pub struct Pair", added, 1);
    let made = prepare(&text, REFERENCE);
    let line = line_of(&text, "HashMap");
    assert_eq!(made.notices, [Notice::CodeOutsideCells { line }]);
    assert!(made.text.contains("HashMap"));
    assert_eq!(made.text.matches("struct Pair").count(), 1);
}

#[test]
fn a_given_cell_that_was_changed_or_switched_off_is_restored() {
    for (from, to) in [
        ("pub struct Pair(pub i32, pub i32);", "pub struct Pair(pub i32);"),
        ("pub struct Pair", "#[cfg(any())]\npub struct Pair"),
        ("pub struct Pair(pub i32, pub i32);", "/*\npub struct Pair(pub i32, pub i32);\n*/"),
        ("pub struct Pair(pub i32, pub i32);", "fn f() {\npub struct Pair(pub i32, pub i32);\n}"),
    ] {
        let text = REFERENCE.replacen(from, to, 1);
        assert_ne!(text, REFERENCE);
        let made = prepare(&text, REFERENCE);
        let line = line_of(&text, "\"types\"");
        assert_eq!(made.notices[0], changed("types", Some(line)), "{to}");
        let kept = made.text.split_once("\"sum\"").unwrap().0;
        let original = REFERENCE.split_once("\"sum\"").unwrap().0;
        assert_eq!(kept, original, "{to}");
    }
}

#[test]
fn a_given_cell_whose_lines_are_only_in_a_comment_is_restored() {
    let cell = "pub struct Pair(pub i32, pub i32);\n\n";
    let marker = REFERENCE.lines().find(|line| line.contains("\"types\"")).unwrap();
    let text = REFERENCE.replace(&format!("{marker}\n{cell}"), "");
    let text = text.replace("pub fn sum", "// pub struct Pair(pub i32, pub i32);\npub fn sum");
    let made = prepare(&text, REFERENCE);
    assert_eq!(made.notices, [changed("types", None)]);
    assert_eq!(made.text.matches("\npub struct Pair").count(), 1);
}

const OWN_CELL: &str = r##"
// %% nbgrader={"grade": false, "grade_id": "pairs-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
fn helper() -> i32 {
    3
}

#[test]
fn test_helper() {
    assert_eq!(helper(), 3);
}

#[test]
fn test_with_result() -> Result<(), String> {
    Ok(())
}
"##;

#[test]
fn the_tests_of_the_own_cell_are_callable_beside_the_graded_ones() {
    let (reference, text) = (REFERENCE.to_owned() + OWN_CELL, REFERENCE.to_owned() + OWN_CELL);
    let made = prepare(&text, &reference);
    assert_eq!(made.notices, []);
    let own: Vec<&str> = made.own_tests().collect();
    assert_eq!(own, ["own::test_helper", "own::test_with_result"]);
    assert!(!made.text.contains("#[test]"));
    assert!((1..=text.lines().count()).all(|line| made.lines.line(line) == Some(line)));
    let table = made.with_tests(&["own::test_helper".to_owned()]);
    assert!(table.contains("(\"own::test_helper\", || "), "{table}");
}

#[test]
fn an_own_test_with_a_graded_name_moves_the_graded_one_into_a_module_without_moving_lines() {
    let own = OWN_CELL.replace("test_helper", "test_unit_sum");
    let text = REFERENCE.to_owned() + &own;
    let made = prepare(&text, &text.replace("helper() {", "helper() { "));
    assert!(made.has_test("test_unit_sum") && made.has_test("own::test_unit_sum"));
    let table = made.with_tests(&["test_unit_sum".to_owned()]);
    assert!(table.contains("(\"test_unit_sum\", graded_"), "{table}");
    let line = made.lines.line(line_of(&made.text, "assert_eq!(sum"));
    assert_eq!(line, Some(line_of(&text, "assert_eq!(sum")));
}

#[test]
fn code_before_the_first_marker_is_compiled_and_named() {
    let text = REFERENCE.replacen("// head\n", "// head\nfn mine() {}\n", 1);
    let made = prepare(&text, REFERENCE);
    assert_eq!(made.notices, [Notice::CodeOutsideCells { line: 3 }]);
    assert!(made.text.contains("fn mine() {}"));
}

#[test]
fn separate_tests_leave_the_learners_lines_in_place_and_are_the_original_ones() {
    let text = REFERENCE.replacen("// head\n", "// head\n// more\n", 1).replace(", 3);", ", 4);");
    let (subject, tests) = prepare_separately(&text, REFERENCE);
    assert!(!subject.text.contains("assert_eq!"), "{}", subject.text);
    let line = subject.lines.line(line_of(&subject.text, "analyze_sum"));
    assert_eq!(line, Some(line_of(&text, "analyze_sum")));
    assert!(tests.text.contains("assert_eq!(sum(&Pair(1, 2)), 3);"), "{}", tests.text);
    assert!(tests.has_test("test_unit_sum"));
    assert_eq!(tests.lines.line(line_of(&tests.text, "assert_eq!")), None, "it was changed");
}

#[test]
fn a_cell_that_occurs_twice_counts_once() {
    let copy = REFERENCE.split_once("// %% nbgrader={\"grade\": true").unwrap().1;
    let copy = format!("// %% nbgrader={{\"grade\": true{}", copy.split_once("// %%").unwrap().0);
    let made = prepare(&format!("{REFERENCE}{copy}"), REFERENCE);
    assert_eq!(made.own_tests().collect::<Vec<_>>(), ["own::test_unit_sum"]);
    let table = made.with_tests(&["test_unit_sum".into()]);
    assert_eq!(table.matches("(\"test_unit_sum\"").count(), 1);
}

#[test]
fn an_empty_file_gets_all_locked_cells_and_a_file_without_an_original_none() {
    let made = prepare("", REFERENCE);
    assert!(made.has_test("test_unit_sum") && made.text.contains("struct Pair"));
    let made = prepare("pub fn milestone() {}", "");
    assert_eq!((made.text.as_str(), made.lines.line(1)), ("pub fn milestone() {}", Some(1)));
}
