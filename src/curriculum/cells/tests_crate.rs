//! A module's test cells as a crate of their own, so that a learner's file cannot change what they mean. It imports
//! the module under test as the crate `subject`. Pure.

use super::items::{items, names, use_lines};
use super::signatures::signatures;
use super::{Cell, CellKind, parse};
use std::collections::{BTreeMap, HashSet};

/// The crate's text: the `use` lines of the header (the first given cell), the module's public items that the tests name,
/// the test cells as they are, and on the line of each public function a constant that checks its types. Line N of it
/// is line N of `reference`; every other line is empty.
///
/// Each item is imported by its own name, because a glob would import the macros of `subject` too. All traits are
/// imported: a test that calls their methods need not name them.
#[must_use]
pub fn tests_crate(reference: &str) -> String {
    let cells = parse(reference);
    let header = cells.iter().position(|cell| cell.kind == CellKind::Given);
    let signatures: BTreeMap<usize, String> = signatures(reference).into_iter().collect();
    let text = |(index, cell): (usize, &Cell<'_>)| match cell.kind {
        CellKind::Test => cell.text.to_owned(),
        _ if Some(index) == header => head(cell.text, &imports(&cells, &signatures)),
        _ => {
            let lines = cell.text.split_inclusive('\n').enumerate();
            let line = |(index, _)| signatures.get(&(cell.first_line - 1 + index));
            lines.map(|at| line(at).cloned().unwrap_or_default() + "\n").collect()
        }
    };
    cells.iter().enumerate().map(text).collect()
}

/// The public items that the tests and the signatures need.
fn imports<'a>(cells: &[Cell<'a>], signatures: &BTreeMap<usize, String>) -> Vec<&'a str> {
    let tests = cells.iter().filter(|cell| cell.kind == CellKind::Test).map(|cell| cell.text);
    let code = tests.chain(signatures.values().map(String::as_str));
    let named: HashSet<&str> = code.flat_map(names).collect();
    let module = cells.iter().filter(|cell| cell.kind != CellKind::Test);
    let items = module.flat_map(|cell| items(cell.text)).filter(|item| item.is_public);
    let needed = items.filter(|item| item.keyword == "trait" || named.contains(item.name));
    needed.map(|item| item.name).collect()
}

/// What a test cell names although the crate of the tests cannot see it, each with the id of its cell: private items of the
/// module, and items of other test cells. Private fields and methods are left to the compiler.
#[must_use]
pub fn unseen<'a>(test: &Cell<'_>, cells: &'a [Cell<'_>]) -> Vec<(&'a str, &'a str)> {
    let own: HashSet<&str> = items(test.text).map(|item| item.name).collect();
    let named: HashSet<&str> =
        names(test.text).into_iter().filter(|name| !own.contains(name)).collect();
    let others = cells.iter().filter(|cell| cell.text != test.text);
    let hidden = others.flat_map(|cell| {
        let is_test = cell.kind == CellKind::Test;
        let hidden = items(cell.text).filter(move |item| is_test || !item.is_public);
        hidden.map(|item| (item.name, cell.grade_id.as_deref().unwrap_or_default()))
    });
    hidden.filter(|(name, _)| named.contains(name)).collect()
}

/// The header's `use` lines; the import from the module takes the line of the cell's marker.
fn head(header: &str, imports: &[&str]) -> String {
    let kept = use_lines(header);
    let line = |(index, line): (usize, &str)| match index {
        0 => format!("use subject::{{{}}};\n", imports.join(", ")),
        _ if kept.contains(&index) => line.to_owned(),
        _ => "\n".to_owned(),
    };
    header.split_inclusive('\n').enumerate().map(line).collect()
}
