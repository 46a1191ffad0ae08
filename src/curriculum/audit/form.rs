//! What the patterns require of the form of an engine module's file, which is the same for all modules: its head, its
//! header, the order of its cells, and the learner's own cell at the end.

use super::{Found, Texts, id, in_source};
use crate::curriculum::cells::{Cell, CellKind, use_lines};
use std::collections::HashSet;

/// How every file begins.
const HEAD: &str = "\
// ---
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---
";

/// The delimiters of a solution, which nbgrader finds in code and in prose.
const DELIMITERS: [&str; 2] = ["BEGIN SOLUTION", "END SOLUTION"];

pub(super) fn format(texts: &Texts) -> Vec<Found> {
    [head(texts), header(texts), metadata(texts), own(texts)].concat()
}

/// The lines before the first cell are the same in every file.
fn head(texts: &Texts) -> Vec<Found> {
    let head = texts.cells.first().filter(|cell| cell.kind == CellKind::Head);
    let mut lines = head.map_or("", |cell| cell.text).trim_end().lines();
    let differs = HEAD.lines().enumerate().find(|(_, wanted)| lines.next() != Some(wanted));
    let differs = differs.map(|(index, wanted)| (index + 1, format!("expected \"{wanted}\"")));
    let more =
        || lines.next().map(|line| (HEAD.lines().count() + 1, format!("unexpected \"{line}\"")));
    let found = differs.or_else(more);
    let found = found.map(|(line, what)| in_source(line, format!("the Jupytext head: {what}")));
    found.into_iter().collect()
}

/// Every cell has complete nbgrader metadata, with an id of its own.
fn metadata(texts: &Texts) -> Vec<Found> {
    let mut ids = HashSet::new();
    let cells = texts.cells.iter().filter(|cell| cell.kind != CellKind::Head);
    let faulty = cells.filter_map(|cell| {
        let marker = cell.text.lines().next().unwrap_or_default();
        let lacks = |key: &&str| !marker.contains(key);
        let reason = match &cell.grade_id {
            _ if cell.damaged => {
                "the cell's metadata is not JSON with all of nbgrader's keys".into()
            }
            None => "the cell has no nbgrader metadata".into(),
            Some(id) if !ids.insert(id.clone()) => format!("the grade_id \"{id}\" is used twice"),
            Some(_)
                if cell.kind != CellKind::Solution
                    && DELIMITERS.iter().any(|s| cell.text.contains(s)) =>
            {
                "BEGIN SOLUTION or END SOLUTION outside of a solution cell: nbgrader cuts there"
                    .into()
            }
            Some(_) if cell.kind == CellKind::Test && cell.points == 0 => {
                "the test has no points".into()
            }
            Some(_) if ["\"schema_version\": 3", "\"task\": false"].iter().any(lacks) => {
                "the metadata needs \"schema_version\": 3 and \"task\": false".into()
            }
            Some(_) => return None,
        };
        Some(in_source(cell.first_line, reason))
    });
    faulty.collect()
}

/// The first cell is the header, and it alone imports.
fn header(texts: &Texts) -> Vec<Found> {
    let wanted = format!("{}-header", texts.module.name);
    let mut found = vec![];
    let cells = texts.cells.iter().filter(|cell| cell.kind != CellKind::Head);
    for (number, cell) in cells.enumerate() {
        if number == 0 {
            if id(cell) != wanted || !cell.text.contains("\n//! ") {
                let reason = format!("the first cell must be \"{wanted}\", with the `//!` comment");
                found.push(in_source(cell.first_line, reason));
            }
            continue;
        }
        if let Some(index) = use_lines(cell.text).first() {
            let reason = format!("`use` at column 0 belongs only in \"{wanted}\"");
            found.push(in_source(cell.first_line + index, reason));
        }
    }
    found
}

/// The last cell is the learner's, and has no code yet.
fn own(texts: &Texts) -> Vec<Found> {
    let wanted = format!("{}-own", texts.module.name);
    let last = texts.cells.last();
    let fits = |cell: &&Cell| {
        let code =
            cell.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("//"));
        cell.kind == CellKind::Own && id(cell) == wanted && code.is_none()
    };
    if last.filter(fits).is_some() {
        return vec![];
    }
    let line = last.map_or(1, |cell| cell.first_line);
    vec![in_source(
        line,
        format!(
            "the last cell must be \"{wanted}\", neither graded, locked nor a solution, without code"
        ),
    )]
}

/// Lesson, analyses, module test; then the plumbing that no learner has to read, and the learner's own cell.
pub(super) fn order(texts: &Texts) -> Vec<Found> {
    let is_module_test = |cell: &&Cell| cell.tests() == ["test_module"];
    let Some(module_test) = texts.cells.iter().find(is_module_test) else { return vec![] };
    let misplaced = texts.cells.iter().filter_map(|cell| {
        let is_after = cell.first_line > module_test.first_line;
        let reason = match cell.kind {
            CellKind::Given if is_after && !cell.analyses().is_empty() => {
                "an analysis must come before the module test"
            }
            CellKind::Given if !is_after && cell.text.contains("\npub fn main() {") => {
                "main must come after the module test"
            }
            CellKind::Given | CellKind::Own => return None,
            _ if is_after => "only given cells may come after the module test",
            _ => return None,
        };
        Some(in_source(cell.first_line, format!("{}: {reason}", id(cell))))
    });
    misplaced.collect()
}
