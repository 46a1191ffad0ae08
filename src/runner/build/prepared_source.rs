//! What is compiled in place of the learner's file: locked cells in their original form, `#[test]`
//! blanked, a table of tests and analyses at the end, and a map that leads every line back. Pure.

use crate::curriculum::cells::{self, Cell, CellKind};
use crate::runner::event::Notice;
use crate::runner::source_map::LineMap;

/// A text made from a learner's file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::runner) struct PreparedSource {
    /// What is compiled.
    pub(in crate::runner) text: String,
    /// Where its lines come from.
    pub(in crate::runner) lines: LineMap,
    /// What the learner should know.
    pub(in crate::runner) notices: Vec<Notice>,
    /// Rust expressions that name the tests that can be called, with their names.
    tests: Vec<(String, String)>,
}

/// Makes the prepared_source of `text`, whose original is `reference`. A text without an original (a
/// milestone's program) stays as it is.
pub(in crate::runner) fn prepare(text: &str, reference: &str) -> PreparedSource {
    let mut maker = Maker::default();
    let originals = cells::parse(reference);
    let learners = cells::parse(text);
    let mut used = vec![];
    let mut first = missing_until(&originals, 0, &learners, text);
    for (index, cell) in learners.iter().enumerate() {
        if index > 0 || cell.kind != CellKind::Head {
            // Not before the head: what is said there holds for the whole file, and must stand first.
            maker.insert_all(&std::mem::take(&mut first));
        }
        if cell.damaged {
            maker.made.notices.push(Notice::DamagedMarker { line: cell.first_line });
        }
        let id = cell.grade_id.as_deref().filter(|id| !used.contains(id));
        let found = id.and_then(|id| {
            originals.iter().position(|original| original.grade_id.as_deref() == Some(id))
        });
        used.extend(id);
        let Some(position) = found else {
            maker.keep(cell.text, cell.first_line);
            continue;
        };
        maker.restore(cell, &originals[position]);
        let next = missing_until(&originals, position + 1, &learners, text);
        maker.insert_all(&next);
    }
    maker.insert_all(&first);
    maker.made.notices.splice(0..0, gone(&originals, &learners));
    maker.made
}

/// The learner's own cells that the file lacks: nobody can put back what was in them, so it is told.
fn gone(originals: &[Cell<'_>], learners: &[Cell<'_>]) -> Vec<Notice> {
    let has = |id: &String| learners.iter().any(|cell| cell.grade_id.as_ref() == Some(id));
    let cells = originals.iter().filter(|cell| cell.kind == CellKind::Solution);
    let ids = cells.filter_map(|cell| cell.grade_id.clone()).filter(|id| !has(id));
    ids.map(|grade_id| Notice::CellGone { grade_id }).collect()
}

/// How the functions of a module begin that no later module calls.
const UNUSED_ABOVE: [&str; 3] = ["analyze_", "explore_", "main("];

/// Makes what is compiled of a module that others stand on: its analyses, its explorables and its `main` are
/// private, so that no machine code is made of them. Lines and columns stay.
pub(in crate::runner) fn link(text: &str, reference: &str) -> PreparedSource {
    let mut made = prepare(text, reference);
    let private = |line: &str| match line.strip_prefix("pub fn ") {
        Some(rest) if UNUSED_ABOVE.iter().any(|start| rest.starts_with(start)) => {
            format!("    fn {rest}")
        }
        _ => line.to_owned(),
    };
    made.text = made.text.split_inclusive('\n').map(private).collect();
    made
}

/// The locked cells from `start` on that the learner's file lacks, up to the first that it has.
fn missing_until<'a>(
    originals: &'a [Cell<'a>],
    start: usize,
    learners: &[Cell<'_>],
    text: &str,
) -> Vec<&'a Cell<'a>> {
    let has = |original: &Cell<'_>| learners.iter().any(|cell| cell.grade_id == original.grade_id);
    let rest = originals[start..].iter().filter(|cell| cell.grade_id.is_some());
    let missing = rest.take_while(|cell| !has(cell)).filter(|cell| cell.is_locked());
    // A given cell that only lost its marker still does its work; a second one would clash.
    missing
        .filter(|cell| cell.kind == CellKind::Test || !text.contains(body(cell).trim()))
        .collect()
}

fn body<'a>(cell: &Cell<'a>) -> &'a str {
    cell.text.split_once('\n').map_or("", |(_, body)| body)
}

#[derive(Default)]
struct Maker {
    made: PreparedSource,
}

impl Maker {
    fn keep(&mut self, text: &str, first_line: usize) {
        self.push(text, |index| Some(first_line + index));
    }

    fn restore(&mut self, cell: &Cell<'_>, original: &Cell<'_>) {
        if !original.is_locked() {
            return self.keep(cell.text, cell.first_line);
        }
        let callable = original.tests().into_iter().map(|name| (name.to_owned(), name.to_owned()));
        self.made.tests.extend(callable);
        if cell.fingerprint() == original.fingerprint() {
            return self.keep(&blank(cell.text), cell.first_line);
        }
        let grade_id = original.grade_id.clone().unwrap_or_default();
        let notice = Notice::LockedCellChanged { grade_id, line: Some(cell.first_line) };
        self.made.notices.push(notice);
        let last = cell.text.lines().count().saturating_sub(1);
        let first_line = cell.first_line;
        self.push(&blank(original.text), |index| Some(first_line + index.min(last)));
    }

    fn insert_all(&mut self, missing: &[&Cell<'_>]) {
        for cell in missing {
            let grade_id = cell.grade_id.clone().unwrap_or_default();
            self.made.notices.push(Notice::LockedCellChanged { grade_id, line: None });
            if cell.kind == CellKind::Test {
                self.insert_test(cell);
            } else {
                self.push(cell.text, |_| None);
            }
        }
    }

    /// A test gets a module of its own: what is left of it in the learner's file may bear its name.
    fn insert_test(&mut self, cell: &Cell<'_>) {
        let number = self.made.lines.0.len();
        let mut text = format!("mod restored_{number} {{\nuse super::*;\n{}", blank(cell.text));
        for (index, name) in cell.tests().into_iter().enumerate() {
            text.push_str(&format!("\npub(in crate::runner) const TEST_{index}: fn() = {name};"));
            let path = format!("restored_{number}::TEST_{index}");
            self.made.tests.push((name.to_owned(), path));
        }
        text.push_str("\n}\n");
        self.push(&text, |_| None);
    }

    fn push(&mut self, text: &str, line: impl Fn(usize) -> Option<usize>) {
        if !self.made.text.is_empty() && !self.made.text.ends_with('\n') {
            self.made.text.push('\n');
        }
        self.made.text.push_str(text);
        self.made.lines.0.extend((0..text.lines().count()).map(line));
    }
}

/// The text with each `#[test]` line made of spaces: the functions become ordinary ones, and every
/// column stays where it was.
fn blank(text: &str) -> String {
    let line = |line: &str| match line.trim() {
        "#[test]" => line.replace("#[test]", "       "),
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

impl PreparedSource {
    /// The text with the table that the entry crate hands to the harness. `names` are the tests or
    /// analyses to put in; those that the text does not have are left out.
    pub(in crate::runner) fn with_tests(&self, names: &[String]) -> String {
        let known = self.tests.iter().filter(|(name, _)| names.contains(name));
        let rows: String = known.map(|(name, path)| format!("(\"{name}\", {path}), ")).collect();
        self.with_tables(&rows, "", "")
    }

    /// The same for functions that report.
    pub(in crate::runner) fn with_reporters(&self, names: &[String]) -> String {
        self.with_tables("", &rows(names), "")
    }

    /// The same for functions that compute the frames of an explorable.
    pub(in crate::runner) fn with_explorables(&self, names: &[String]) -> String {
        self.with_tables("", "", &rows(names))
    }

    /// Whether the table of tests has a function of that name.
    pub(in crate::runner) fn has_test(&self, name: &str) -> bool {
        self.tests.iter().any(|(known, _)| known == name)
    }

    fn with_tables(&self, tests: &str, reporters: &str, explorables: &str) -> String {
        let text = &self.text;
        let end = if text.ends_with('\n') { "" } else { "\n" };
        format!(
            "{text}{end}pub const TABLE_OF_TESTS: &[(&str, fn())] = &[{tests}]; \
             pub const TABLE_OF_REPORTERS: &[(&str, fn(&mut ::tinytorch::report::Reporter))] = &[{reporters}]; \
             pub const TABLE_OF_EXPLORABLES: &[(&str, fn(&mut ::tinytorch::explore::Explorer))] = &[{explorables}];\n"
        )
    }
}

/// The rows of a table of functions.
fn rows(names: &[String]) -> String {
    names.iter().map(|name| format!("(\"{name}\", {name}), ")).collect()
}

/// The root of the program made from an exercise, which is its module `exercise`.
pub(in crate::runner) const ENTRY: &str = "\
#[global_allocator]
static ALLOCATOR: tinytorch::testing::CountingAllocator = tinytorch::testing::CountingAllocator;
#[path = \"exercise.rs\"]
mod exercise;
fn main() {
    tinytorch::harness::run(
        exercise::TABLE_OF_TESTS,
        exercise::TABLE_OF_REPORTERS,
        exercise::TABLE_OF_EXPLORABLES,
    )
}
";

#[cfg(test)]
mod tests;
