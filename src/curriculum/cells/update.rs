//! A learner's exercise with the cells of a newer course: a merge of three texts, cell by cell. The base is the starter that
//! the exercise was made from. No solution of the learner's is ever lost. Pure.

use super::{Cell, CellKind, parse};
use std::collections::{BTreeMap, BTreeSet};

/// An exercise after an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The whole text.
    pub text: String,
    /// The cells that differ from before, by their ids, in file order.
    pub changes: Vec<(String, Change)>,
}

/// What became of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The course's is new in the exercise.
    Added,
    /// The course's replaces one that the learner did not write in.
    Replaced,
    /// The learner's code has the course's change.
    Merged,
    /// The course no longer has it. A solution stays, a locked cell does not.
    Dropped,
    /// Both changed the same lines, or the base is not known: the learner's stays.
    Kept,
}

/// The line of a marker that makes the cells of a text unclear: it cannot be read, or its id is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnclearCell(pub usize);

/// Brings `learner` up to date with `starter`. Without `base`, a solution that differs is never merged.
///
/// # Errors
/// When it is unclear which cell of the learner's is which.
pub fn update(learner: &str, base: Option<&str>, starter: &str) -> Result<Update, UnclearCell> {
    let (learners, starters) = (parse(learner), parse(starter));
    check(&learners)?;
    let bases = base.map(parse).unwrap_or_default();
    let (mut own, mut changes) = own_cells(&learners, &bases, &starters);
    let mut text = String::new();
    for cell in &starters {
        let (mine, base) = (find(&learners, cell), find(&bases, cell));
        let (merged, change) = merge(mine, base, cell);
        push(&mut text, &merged);
        changes.extend(change.map(|change| (name(cell), change)));
        for own in own.remove(&cell.grade_id).unwrap_or_default() {
            push(&mut text, own);
        }
    }
    own.into_values().flatten().for_each(|cell| push(&mut text, cell));
    Ok(Update { text, changes })
}

fn check(learners: &[Cell<'_>]) -> Result<(), UnclearCell> {
    let mut seen = BTreeSet::new();
    let is_unclear = |cell: &&Cell<'_>| {
        cell.damaged || cell.grade_id.as_ref().is_some_and(|id| !seen.insert(id.clone()))
    };
    learners.iter().find(is_unclear).map_or(Ok(()), |cell| Err(UnclearCell(cell.first_line)))
}

/// The cell's id; the head of the file has none.
fn name(cell: &Cell<'_>) -> String {
    cell.grade_id.clone().unwrap_or_else(|| "the text between the cells".to_owned())
}

fn find<'a, 'b>(cells: &'a [Cell<'b>], like: &Cell<'_>) -> Option<&'a Cell<'b>> {
    match &like.grade_id {
        Some(id) => cells.iter().find(|cell| cell.grade_id.as_ref() == Some(id)),
        None if like.kind == CellKind::Head => cells.iter().find(|cell| cell.kind == like.kind),
        None => cells.iter().find(|cell| is_same(cell, like)),
    }
}

fn is_same(one: &Cell<'_>, other: &Cell<'_>) -> bool {
    one.kind == other.kind && one.fingerprint() == other.fingerprint()
}

/// The learner's cells that the course does not have, by the id of the course's cell that they follow.
type Own<'a> = BTreeMap<Option<String>, Vec<&'a str>>;

fn own_cells<'a>(
    learners: &[Cell<'a>],
    bases: &[Cell<'_>],
    starters: &[Cell<'_>],
) -> (Own<'a>, Vec<(String, Change)>) {
    let (mut own, mut dropped, mut after) = (Own::new(), vec![], None);
    for cell in learners {
        let is_in_course = match cell.grade_id {
            Some(_) => find(starters, cell).is_some(),
            None => {
                cell.kind == CellKind::Head || find(starters, cell).or(find(bases, cell)).is_some()
            }
        };
        if is_in_course {
            after = cell.grade_id.clone().or(after);
            continue;
        }
        if cell.is_locked() || (cell.grade_id.is_some() && find(bases, cell).is_some()) {
            dropped.push((name(cell), Change::Dropped));
        }
        if !cell.is_locked() {
            own.entry(after.clone()).or_default().push(cell.text);
        }
    }
    (own, dropped)
}

/// The cell's text after the update, and what became of it.
fn merge(
    mine: Option<&Cell<'_>>,
    base: Option<&Cell<'_>>,
    course: &Cell<'_>,
) -> (String, Option<Change>) {
    let courses = |change| (course.text.to_owned(), Some(change));
    let Some(mine) = mine else {
        // Text without an id is the course's.
        return if course.grade_id.is_some() {
            courses(Change::Added)
        } else {
            courses(Change::Replaced)
        };
    };
    let stays = |change| (mine.text.to_owned(), change);
    if is_same(mine, course) {
        return stays(None);
    }
    if course.is_locked() || base.is_some_and(|base| is_same(base, mine)) {
        return courses(Change::Replaced);
    }
    let Some(base) = base else { return stays(Some(Change::Kept)) };
    if is_same(base, course) {
        return stays(None);
    }
    match diffy::merge(base.text, mine.text, course.text) {
        Ok(merged) if parse(&merged).len() == 1 => (merged, Some(Change::Merged)),
        _ => stays(Some(Change::Kept)),
    }
}

/// Each cell begins on a line of its own.
fn push(text: &mut String, cell: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(cell);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marker(id: &str, kind: &str) -> String {
        let (grade, locked, solution) = (kind == "test", kind != "solution", kind == "solution");
        format!(
            "// %% nbgrader={{\"grade\": {grade}, \"grade_id\": \"{id}\", \"locked\": {locked}, \"schema_version\": 3, \"solution\": {solution}, \"task\": false}}\n"
        )
    }

    fn cell(id: &str, kind: &str, text: &str) -> String {
        marker(id, kind) + text
    }

    fn solution(doc: &str, body: &str) -> String {
        cell(
            "add",
            "solution",
            &format!("/// {doc}\npub fn add(a: i32, b: i32) -> i32 {{\n    {body}\n}}\n\n"),
        )
    }

    fn exercise(solution: &str, test: &str) -> String {
        format!(
            "// head\n{solution}{}",
            cell("test-add", "test", &format!("#[test]\nfn t() {{ {test} }}\n"))
        )
    }

    const TODO: &str = "todo!(\"add\")";

    fn base() -> String {
        exercise(&solution("Adds.", TODO), "one")
    }

    #[test]
    fn the_learners_code_and_the_courses_change_are_merged_and_locked_cells_replaced() {
        let mine = exercise(&solution("Adds.", "a + b"), "my own test");
        let course = exercise(&solution("Adds two numbers.", TODO), "two");
        let done = update(&mine, Some(&base()), &course).unwrap();
        assert_eq!(done.text, exercise(&solution("Adds two numbers.", "a + b"), "two"));
        assert_eq!(
            done.changes,
            [("add".to_owned(), Change::Merged), ("test-add".to_owned(), Change::Replaced)]
        );
        // And again: nothing is left to do.
        let again = update(&done.text, Some(&course), &course).unwrap();
        assert_eq!(again, Update { text: done.text, changes: vec![] });
    }

    #[test]
    fn what_both_changed_and_what_has_no_base_stays_the_learners() {
        let mine = exercise(&solution("Adds.", "a + b"), "one");
        let course = exercise(&solution("Adds.", "todo!(\"sum\")"), "one");
        for base in [Some(base()), None] {
            let done = update(&mine, base.as_deref(), &course).unwrap();
            assert_eq!(done.text, mine);
            assert_eq!(done.changes, [("add".to_owned(), Change::Kept)]);
        }
    }

    #[test]
    fn a_solution_that_was_not_begun_is_replaced_and_one_that_the_course_left_stays_as_it_is() {
        let course = exercise(&solution("Adds.", "todo!(\"sum\")"), "one");
        let done = update(&base(), Some(&base()), &course).unwrap();
        assert_eq!((done.text, &done.changes[0].1), (course, &Change::Replaced));
        let mine = exercise(&solution("Adds.", "a + b").replace('\n', "\r\n"), "one");
        assert_eq!(update(&mine, Some(&base()), &base()).unwrap().text, mine);
    }

    #[test]
    fn cells_come_and_go_and_the_learners_stay_where_they_were() {
        let own = "// %%\nfn mine() {}\n";
        let left = cell("sub", "solution", "fn sub() { 1 }\n");
        let mine = base().replacen(
            &marker("test-add", "test"),
            &format!("{own}{left}{}", marker("test-add", "test")),
            1,
        ) + &cell("test-sub", "test", "old\n");
        let course = base() + &cell("mul", "solution", "fn mul() {}\n");
        let before = base() + &left;
        let done = update(&mine, Some(&before), &course).unwrap();
        let expected = base().replacen(
            &marker("test-add", "test"),
            &format!("{own}{left}{}", marker("test-add", "test")),
            1,
        ) + &cell("mul", "solution", "fn mul() {}\n");
        assert_eq!(done.text, expected);
        let change = |id: &str| done.changes.iter().find(|(name, _)| name == id).unwrap().1;
        assert_eq!(
            [change("sub"), change("test-sub"), change("mul")],
            [Change::Dropped, Change::Dropped, Change::Added]
        );
    }

    #[test]
    fn a_file_whose_cells_are_unclear_is_left_alone() {
        let twice = base() + &solution("Adds.", "a + b");
        let line = 1 + base().lines().count();
        assert_eq!(update(&twice, Some(&base()), &base()), Err(UnclearCell(line)));
        let damaged = base().replacen("\"grade\"", "grade", 1);
        assert_eq!(update(&damaged, Some(&base()), &base()), Err(UnclearCell(2)));
    }

    proptest! {
        #[test]
        fn no_line_of_a_solution_or_of_own_code_is_lost(
            body in "[a-z ;\n]{0,60}", doc in "[a-z]{0,9}", todo in "[a-z\n]{0,20}", own in "[a-z;\n]{0,40}",
            has_base: bool,
        ) {
            let mine = exercise(&solution("Adds.", &body), "one") + "// %%\n" + &own;
            let course = exercise(&solution(&doc, &todo), "two");
            let base = has_base.then(base);
            let done = update(&mine, base.as_deref(), &course).unwrap();
            for line in body.lines().chain(own.lines()) {
                prop_assert!(done.text.contains(line), "{line:?} is lost: {}", done.text);
            }
        }
    }
}
