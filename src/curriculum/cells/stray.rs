//! Code of the learner's in a place where no cell of theirs is: it is not compiled, or it is lost when the locked
//! cell around it is restored.

use super::items::{item, items};
use super::{Cell, CellKind, parse};
use std::collections::HashSet;

/// The lines, from 1, where code begins that belongs in the learner's own cell: before the first marker, in a cell
/// that the reference does not have, or beside the items of a locked cell. A damaged marker is reported elsewhere.
#[must_use]
pub fn stray_code(text: &str, reference: &str) -> Vec<usize> {
    let originals = parse(reference);
    let begins = |cell: &Cell<'_>| {
        let known = originals
            .iter()
            .find(|original| original.grade_id.is_some() && original.grade_id == cell.grade_id);
        let index = match (cell.kind, known) {
            (CellKind::Head, _) => first_code(cell.text),
            (CellKind::Own, None) if !cell.damaged => first_code(cell.text),
            (_, Some(original)) if original.is_locked() => added_item(cell.text, original.text),
            _ => None,
        };
        index.map(|index| cell.first_line + index)
    };
    parse(text).iter().filter_map(begins).collect()
}

/// The first line that is neither empty nor a comment.
pub(super) fn first_code(text: &str) -> Option<usize> {
    let text = text.trim_start_matches('\u{feff}');
    text.lines().position(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
}

/// The first line that begins an item which the original does not have.
fn added_item(text: &str, original: &str) -> Option<usize> {
    let lines: HashSet<&str> = original.lines().map(str::trim_end).collect();
    let known: HashSet<&str> = items(original).map(|item| item.name).collect();
    let is_new = |line: &str| match item(line) {
        Some(item) => !known.contains(item.name),
        None => {
            ["impl", "use "].iter().any(|word| line.starts_with(word))
                && !lines.contains(line.trim_end())
        }
    };
    text.lines().position(is_new)
}
