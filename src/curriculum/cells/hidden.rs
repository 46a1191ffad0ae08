//! Hidden tests: test cells of a file of their own, which count for a module and which its exercise does not have. Pure.

use super::tests_crate::unseen;
use super::{Cell, CellKind, parse, stray};

/// What is wrong with a file of hidden tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// In which line of the file.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// The reference followed by the hidden tests: the text whose tests count. Its lines are those of the reference, as far as
/// that reaches.
#[must_use]
pub fn with_hidden(reference: &str, hidden: &str) -> String {
    let end = if reference.ends_with('\n') { "" } else { "\n" };
    let cells = parse(hidden).into_iter().filter(|cell| cell.kind == CellKind::Test);
    let tests: String = cells.map(|cell| format!("{}\n", cell.text.trim_end())).collect();
    format!("{reference}{end}{tests}")
}

/// The first mistake in a file of hidden tests for the module of this reference.
#[must_use]
pub fn mistake_in_hidden(hidden: &str, reference: &str) -> Option<Mistake> {
    let (module, hidden) = (parse(reference), parse(hidden));
    let tests = hidden.iter().filter(|cell| cell.kind == CellKind::Test);
    if tests.clone().count() == 0 {
        let (problem, fix) = ("has no test cell".to_owned(), "Write one, or remove the file.");
        return Some(Mistake { line: 1, problem, fix });
    }
    let all: Vec<Cell<'_>> = module.iter().chain(tests).cloned().collect();
    hidden.iter().enumerate().find_map(|(index, cell)| {
        let before = module.iter().chain(&hidden[..index]);
        mistake(cell, before, &all)
    })
}

/// What is wrong with one cell, after those before it.
fn mistake<'a>(
    cell: &Cell<'_>,
    before: impl Iterator<Item = &'a Cell<'a>> + Clone,
    all: &[Cell<'_>],
) -> Option<Mistake> {
    let id = cell.grade_id.as_deref().unwrap_or_default();
    let at = |line: usize, problem: String, fix| Some(Mistake { line, problem, fix });
    let here = |problem, fix| at(cell.first_line, problem, fix);
    match cell.kind {
        CellKind::Markdown => return None,
        CellKind::Head => {
            let code = stray::first_code(cell.text)?;
            let problem = "there is code before the first cell".to_owned();
            return at(cell.first_line + code, problem, "Move it into a test cell.");
        }
        CellKind::Own if cell.damaged => {
            return here(
                "the marker of the cell cannot be read".into(),
                "Copy a marker of the exercise.",
            );
        }
        CellKind::Own | CellKind::Given | CellKind::Solution => {
            return here(
                "the cell is not a locked test".into(),
                "Its marker has \"grade\": true, \"locked\": true and \"solution\": false.",
            );
        }
        CellKind::Test => {}
    }
    if before.clone().any(|other| other.grade_id.as_deref() == Some(id)) {
        return here(format!("the id \"{id}\" is taken"), "Each id of a module is unique.");
    }
    let names = cell.tests();
    let [name] = names[..] else {
        let problem = format!("\"{id}\" has {} tests", names.len());
        return here(problem, "A test cell has one function under #[test].");
    };
    if before.clone().any(|other| other.tests().contains(&name)) {
        return here(format!("the test \"{name}\" is there already"), "Give it another name.");
    }
    let (name, of) = unseen(cell, all).into_iter().next()?;
    let problem = format!("\"{id}\" names `{name}` of \"{of}\", which tests cannot see");
    here(problem, "Use public names of the module, and what the cell itself defines.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = r#"// head
// %% nbgrader={"grade": false, "grade_id": "double", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn double(x: i32) -> i32 {
    // BEGIN SOLUTION
    twice(x)
    // END SOLUTION
}
fn twice(x: i32) -> i32 { 2 * x }

// %% nbgrader={"grade": true, "grade_id": "test-double", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_double() {
    assert_eq!(double(4), 8);
}
"#;
    const HIDDEN: &str = r#"// Not for students.
// %% nbgrader={"grade": true, "grade_id": "test-double-hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_double_hidden() {
    assert_eq!(double(-1), -2);
}"#;

    #[test]
    fn hidden_tests_follow_the_reference_and_its_lines_stay() {
        assert_eq!(mistake_in_hidden(HIDDEN, REFERENCE), None);
        let all = with_hidden(REFERENCE.trim_end(), HIDDEN);
        assert!(all.starts_with(REFERENCE) && !all.contains("Not for students"), "{all}");
        assert_eq!(super::super::tests(&all), ["test_unit_double", "test_unit_double_hidden"]);
        assert_eq!(super::super::points(&all), 7);
    }

    #[test]
    fn each_mistake_is_named_with_its_line() {
        for (from, to, line, problem) in [
            ("// Not for students.", "use std::fmt;", 1, "code before the first cell"),
            ("\"points\": 3,", "points: 3,", 2, "marker of the cell cannot be read"),
            ("\"grade\": true", "\"grade\": false", 2, "not a locked test"),
            ("\"solution\": false", "\"solution\": true", 2, "not a locked test"),
            ("test-double-hidden", "test-double", 2, "the id \"test-double\" is taken"),
            ("#[test]\n", "", 2, "\"test-double-hidden\" has 0 tests"),
            ("test_unit_double_hidden", "test_unit_double", 2, "\"test_unit_double\" is there"),
            ("double(-1)", "twice(-1)", 2, "names `twice` of \"double\""),
        ] {
            let text = HIDDEN.replacen(from, to, 1);
            assert_ne!(text, HIDDEN, "{from}");
            // A second test, because a file without any has another mistake.
            let text = format!("{text}\n{}", HIDDEN.replace("hidden", "more"));
            let found = mistake_in_hidden(&text, REFERENCE).expect(problem);
            assert_eq!(found.line, line, "{from}: {found:?}");
            assert!(found.problem.contains(problem), "{from}: {found:?}");
        }
        let none = mistake_in_hidden("// later\n", REFERENCE).unwrap();
        assert_eq!(none.problem, "has no test cell");
    }
}
