//! The cells of valid, damaged and hostile texts.

use super::items::item;
use super::*;
use proptest::prelude::*;

const FILE: &str = r#"// ---
// jupyter: {}
// ---

// %% [markdown] nbgrader={"grade": false, "grade_id": "t-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # Title

// %% nbgrader={"grade": false, "grade_id": "t-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
use std::fmt;

// %% nbgrader={"grade": false, "grade_id": "t-add", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds.
///
/// TODO: add the two numbers
/// APPROACH:
/// 1. use `+`
/// 2. return
///
/// HINTS:
/// - it is short
pub fn add(a: i32, b: i32) -> i32 {
    // BEGIN SOLUTION
    a + b
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-t-add", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_add() {
    assert_eq!(add(1, 2), 3);
}

// %%
fn mine() {}

// %% nbgrader={"grade": false, "grade_id": "t-analyses", "locked": true, "schema_version": 3, "solution": false, "task": false}
pub fn analyze_add(out: &mut Reporter) {}
"#;

#[test]
fn cells_have_kinds_names_points_and_lines() {
    let cells = parse(FILE);
    let kinds: Vec<CellKind> = cells.iter().map(|cell| cell.kind).collect();
    use CellKind::*;
    assert_eq!(kinds, [Head, Markdown, Given, Solution, Test, Own, Given]);
    assert_eq!(cells[3].grade_id.as_deref(), Some("t-add"));
    assert_eq!(cells[4].points, 5);
    assert_eq!(cells[3].first_line, 11);
    assert!(FILE.lines().nth(10).unwrap().contains("t-add"));
}

#[test]
fn tests_and_analyses_are_found() {
    assert_eq!(tests(FILE), ["test_unit_add"]);
    assert_eq!(analyses(FILE), ["analyze_add"]);
}

#[test]
fn a_starter_has_a_todo_in_place_of_the_solution() {
    let starter = starter(FILE);
    assert!(starter.contains("i32 {\n    todo!(\"t-add\")\n}\n"), "{starter}");
    assert!(!starter.contains("a + b") && !starter.contains("SOLUTION"));
    let unsolved =
        |text| parse(text).iter().map(|cell: &Cell| cell.is_unsolved()).collect::<Vec<_>>();
    assert_eq!(unsolved(&starter), [false, false, false, true, false, false, false]);
    assert!(!unsolved(FILE).contains(&true));
}

#[test]
fn a_cell_can_be_replaced() {
    let reference = parse(FILE);
    assert_eq!(replace(&starter(FILE), "t-add", reference[3].text), FILE);
}

#[test]
fn locked_cells_are_restored_and_the_learners_stay() {
    let edited = FILE.replace("assert_eq!(add(1, 2), 3);", "").replace("a + b", "b + a");
    let restored = with_locked(&edited, FILE);
    assert_eq!(restored, FILE.replace("a + b", "b + a"));
    let cells = parse(FILE);
    let without = FILE.replace(cells[4].text, "");
    assert_eq!(tests(&with_locked(&without, FILE)), ["test_unit_add"]);
}

#[test]
fn parts_of_the_comment_are_found() {
    let cells = parse(FILE);
    assert_eq!(section(&cells[3], "TODO").unwrap(), ["add the two numbers"]);
    assert_eq!(section(&cells[3], "APPROACH").unwrap(), ["1. use `+`", "2. return"]);
    assert_eq!(section(&cells[3], "HINTS").unwrap(), ["- it is short"]);
    assert_eq!(section(&cells[3], "EXAMPLE"), None);
}

#[test]
fn a_damaged_marker_makes_the_cell_the_learners_own() {
    let text = FILE.replacen("\"grade_id\": \"t-add\", ", "", 1);
    let cells = parse(&text);
    assert_eq!((cells[3].kind, cells[3].damaged), (CellKind::Own, true));
}

#[test]
fn line_endings_do_not_change_a_fingerprint_and_letters_do() {
    let cell = |text: &str| parse(text)[4].fingerprint();
    assert_eq!(cell(FILE), cell(&FILE.replace('\n', "\r\n")));
    assert_eq!(cell(FILE), cell(&FILE.replace("3);\n}", "3);   \n}\n")));
    assert_ne!(cell(FILE), cell(&FILE.replace("1, 2", "1, 3")));
}

proptest! {
    #[test]
    fn joining_the_cells_gives_the_text_again(text in "(// %%( nbgrader=\\{\"grade\")?[ a-z]{0,9}\n|.{0,20}\n|\u{feff}|\r\n|// BEGIN SOLUTION\n){0,30}") {
        let joined: String = parse(&text).iter().map(|cell| cell.text).collect();
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn no_text_makes_a_starter_panic(text in "(.|\n){0,200}") {
        let _ = starter(&text);
    }
}

#[test]
fn items_are_found_where_they_begin() {
    let found = |line| item(line).map(|item: Item| (item.name, item.keyword, item.is_public));
    assert_eq!(found("pub fn add(a: i32) -> i32 {"), Some(("add", "fn", true)));
    assert_eq!(found("pub const fn two() -> i32 {"), Some(("two", "fn", true)));
    assert_eq!(found("const LIMIT: usize = 3;"), Some(("LIMIT", "const", false)));
    assert_eq!(found("pub(crate) struct Pair<T> {"), Some(("Pair", "struct", false)));
    assert_eq!(found("pub trait Loss: Send {"), Some(("Loss", "trait", true)));
    assert_eq!(found("macro_rules! operator {"), Some(("operator", "macro_rules!", false)));
    for none in ["    fn inner() {", "impl Tensor {", "use std::fmt;", "// fn x", "}", "pub", "fn"]
    {
        assert_eq!(found(none), None, "{none}");
    }
}

#[test]
fn names_are_those_that_need_an_import() {
    let code = "let x = grid(&[\"fn \\\" one\", 'a', '\"', '\\'']).rows(0..size)::<Wide>(); // of two\nA::B";
    assert_eq!(names(code), ["let", "x", "grid", "size", "Wide", "A"]);
    assert_eq!(names("fn f<'a>(x: &'a str, y: 'b')"), ["fn", "f", "a", "x", "a", "str", "y"]);
    assert_eq!(names("\"never closed"), [] as [&str; 0]);
}

const WITH_PRIVATE: &str = r#"// %% nbgrader={"grade": false, "grade_id": "t-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Docs.
use std::{
    fmt,
};

// %% nbgrader={"grade": false, "grade_id": "t-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
pub trait Double {
    fn double(&self) -> i32;
}
pub fn used() {}
pub fn unused() {}
fn private() {}

// %% nbgrader={"grade": true, "grade_id": "test-t", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_used() {
    used(); // and unused
}
"#;

#[test]
fn the_tests_crate_imports_what_its_tests_name_and_keeps_every_line_in_its_place() {
    let made = tests_crate(WITH_PRIVATE);
    let line = |text: &str, part: &str| text.lines().position(|line| line.contains(part));
    let first = Some("use subject::{Double, used, unused};");
    assert_eq!(made.lines().next(), first, "all traits, and each function");
    let bound = "const _: fn() = { let _ = unused; unused };";
    assert_eq!(line(&made, bound), line(WITH_PRIVATE, "pub fn unused() {}"));
    assert_eq!(made.lines().count(), WITH_PRIVATE.lines().count());
    assert_eq!(line(&made, "    fmt,"), line(WITH_PRIVATE, "    fmt,"));
    assert_eq!(line(&made, "    used();"), line(WITH_PRIVATE, "    used();"));
    for part in ["Docs", "pub fn", "private", "t-types"] {
        assert_eq!(line(&made, part), None, "{part}: {made}");
    }
}

#[test]
fn stray_code_is_found_where_no_cell_of_the_learners_is() {
    let reference = FILE.replacen("// %%\nfn mine() {}\n\n", "", 1);
    let line = |text: &str, part: &str| 1 + text.lines().position(|line| line == part).unwrap();
    let none: [usize; 0] = [];
    assert_eq!(stray_code(FILE, FILE), [line(FILE, "fn mine() {}")], "in a cell without a name");
    let stray = |text: &str| stray_code(text, &reference);
    assert_eq!(stray(&reference), none);
    assert_eq!(stray(&starter(&reference)), none);

    let first = format!("// mine\nfn helper() {{}}\n{reference}");
    assert_eq!(stray(&first), [2], "before the first marker");
    let last = format!("{reference}\n/// Mine.\nfn helper() {{}}\nimpl Helper {{}}\n");
    assert_eq!(
        stray(&last),
        [line(&last, "fn helper() {}")],
        "after the last item of a locked cell"
    );
    let between = reference.replacen("#[test]\n", "use std::io;\n#[test]\n", 1);
    assert_eq!(stray(&between), [line(&between, "use std::io;")], "before the first one");
    let changed = reference.replace("assert_eq!(add(1, 2), 3);", "println!();\nadd(1, 2);");
    assert_eq!(stray(&changed.replace("fn test_unit_add()", "pub fn test_unit_add()")), none);

    let solution = reference.replacen("/// Adds.", "fn helper() {}\n/// Adds.", 1);
    assert_eq!(stray(&solution), none, "a solution cell is the learner's");
    let damaged = reference.replacen("\"grade_id\": \"t-add\", ", "", 1);
    assert_eq!(stray(&damaged), none, "a damaged marker is reported elsewhere");
    let own = r#"// %% nbgrader={"grade": false, "grade_id": "t-own", "locked": false, "schema_version": 3, "solution": false, "task": false}"#;
    let (with_own, used) =
        (format!("{reference}\n{own}\n"), format!("{reference}\n{own}\nfn helper() {{}}\n"));
    assert_eq!(stray_code(&used, &with_own), none, "it belongs in the learner's own cell");
}
