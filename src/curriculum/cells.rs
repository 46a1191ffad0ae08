//! The cells of an exercise: Jupytext's percent format with nbgrader's metadata. Joining the cells of a text gives the
//! text again. A damaged marker is a problem to be shown, never an error: the cell under it counts as the learner's
//! own code.

mod dependencies;
mod explorables;
mod hidden;
mod items;
mod signatures;
mod stray;
mod tests_crate;
mod update;

pub use dependencies::dependencies;
pub use explorables::{Explorable, explorables};
pub use hidden::{Mistake, mistake_in_hidden, with_hidden};
pub use items::{Item, identifiers, items, names, use_lines};
pub use stray::stray_code;
pub use tests_crate::{tests_crate, unseen};
pub use update::{Change, UnclearCell, Update, update};

use serde::Deserialize;

/// One cell with the text from its marker to the next one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell<'a> {
    /// What it is for.
    pub kind: CellKind,
    /// nbgrader's name of the cell.
    pub grade_id: Option<String>,
    /// The points of its test.
    pub points: u32,
    /// The line of its marker, from 1.
    pub first_line: usize,
    /// Marker and content, with all line endings.
    pub text: &'a str,
    /// Whether it has a marker that could not be read.
    pub damaged: bool,
}

/// What a cell is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// What comes before the first marker: the notebook's head.
    Head,
    /// The learner writes here.
    Solution,
    /// A locked test that is worth points.
    Test,
    /// Locked code that is no test: imports, types, analyses.
    Given,
    /// Prose.
    Markdown,
    /// The learner's own helper functions and tests: the last cell, and any that the learner added.
    Own,
}

/// The part of nbgrader's metadata that matters here.
#[derive(Deserialize)]
struct Metadata {
    grade: bool,
    grade_id: String,
    locked: bool,
    solution: bool,
    #[serde(default)]
    points: u32,
}

const MARKER: &str = "// %%";
const BEGIN: &str = "// BEGIN SOLUTION";
const END: &str = "// END SOLUTION";

/// Splits a text into cells. Joining the cells' texts gives it again.
#[must_use]
pub fn parse(text: &str) -> Vec<Cell<'_>> {
    let mut starts = vec![(0, 1)];
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_marker(line) && offset > 0 {
            starts.push((offset, index + 1));
        }
        offset += line.len();
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([text.len()]);
    starts.iter().zip(ends).map(|((start, line), end)| cell(&text[*start..end], *line)).collect()
}

fn is_marker(line: &str) -> bool {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    line.strip_prefix(MARKER)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn cell(text: &str, first_line: usize) -> Cell<'_> {
    let plain = |kind, damaged| Cell { kind, grade_id: None, points: 0, first_line, text, damaged };
    let marker = text.lines().next().unwrap_or_default();
    if !is_marker(marker) {
        return plain(CellKind::Head, false);
    }
    let Some((_, metadata)) = marker.split_once("nbgrader=") else {
        let markdown = marker.contains("[markdown]");
        return plain(if markdown { CellKind::Markdown } else { CellKind::Own }, false);
    };
    let Ok(metadata) = serde_json::from_str::<Metadata>(metadata.trim()) else {
        return plain(CellKind::Own, true);
    };
    let kind = match metadata {
        _ if marker.contains("[markdown]") => CellKind::Markdown,
        Metadata { solution: true, .. } => CellKind::Solution,
        Metadata { grade: true, .. } => CellKind::Test,
        Metadata { locked: true, .. } => CellKind::Given,
        _ => CellKind::Own,
    };
    Cell { grade_id: Some(metadata.grade_id), points: metadata.points, ..plain(kind, false) }
}

impl Cell<'_> {
    /// Whether a learner must not change it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self.kind, CellKind::Test | CellKind::Given)
    }

    /// The functions under `#[test]`, in file order.
    #[must_use]
    pub fn tests(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().map(str::trim).collect();
        let marked = lines.iter().enumerate().filter(|(_, line)| **line == "#[test]");
        marked
            .filter_map(|(index, _)| lines[index + 1..].iter().find_map(|line| function(line)))
            .collect()
    }

    /// The public functions named `analyze_*`, in file order.
    #[must_use]
    pub fn analyses(&self) -> Vec<&str> {
        let open = self.text.lines().filter(|line| line.starts_with("pub fn "));
        open.filter_map(function).filter(|name| name.starts_with("analyze_")).collect()
    }

    /// Whether it has a `todo!` in place of its solution.
    #[must_use]
    pub fn is_unsolved(&self) -> bool {
        self.kind == CellKind::Solution
            && self.text.lines().any(|line| line.trim_start().starts_with("todo!("))
    }

    /// A fingerprint that line endings, trailing blanks and empty lines around it do not change.
    #[must_use]
    pub fn fingerprint(&self) -> blake3::Hash {
        let lines: Vec<&str> = self.text.trim().lines().map(str::trim_end).collect();
        blake3::hash(lines.join("\n").trim_start_matches('\u{feff}').as_bytes())
    }
}

/// The name in a line like `pub fn name(...`.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

/// The names of all tests of a text, in file order.
#[must_use]
pub fn tests(text: &str) -> Vec<String> {
    let names = |cell: &Cell| cell.tests().iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    parse(text).iter().flat_map(names).collect()
}

/// The points of all tests of a text.
#[must_use]
pub fn points(text: &str) -> u32 {
    parse(text).iter().map(|cell| cell.points).sum()
}

/// The names of all analyses of a text, in file order.
#[must_use]
pub fn analyses(text: &str) -> Vec<String> {
    let names =
        |cell: &Cell| cell.analyses().iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    parse(text).iter().flat_map(names).collect()
}

/// What a learner starts from: each solution region is replaced by a `todo!` that names its cell.
#[must_use]
pub fn starter(reference: &str) -> String {
    parse(reference).iter().map(cut).collect()
}

fn cut(cell: &Cell) -> String {
    let id = cell.grade_id.as_deref().unwrap_or_default();
    let mut inside = false;
    let mut text = String::new();
    for line in cell.text.split_inclusive('\n') {
        let content = line.trim_start();
        if content.starts_with(BEGIN) {
            inside = true;
            let indent = &line[..line.len() - content.len()];
            text.push_str(&format!("{indent}todo!(\"{id}\")\n"));
        } else if content.starts_with(END) {
            inside = false;
        } else if !inside {
            text.push_str(line);
        }
    }
    text
}

/// Where the solution of a cell's text is: between its first `BEGIN SOLUTION` line and its last
/// `END SOLUTION` line.
#[must_use]
pub fn solution(cell: &str) -> Option<std::ops::Range<usize>> {
    let begin = cell.find(BEGIN)?;
    let start = begin + cell[begin..].find('\n')? + 1;
    let end = cell.rfind(END)?;
    let end = cell[..end].rfind('\n')? + 1;
    (start <= end).then_some(start..end)
}

/// The text with the named cell replaced by `cell`; the same text when it has no such cell.
#[must_use]
pub fn replace(text: &str, grade_id: &str, cell: &str) -> String {
    let swap = |known: &Cell<'_>| match known.grade_id.as_deref() {
        Some(id) if id == grade_id => cell.to_owned(),
        _ => known.text.to_owned(),
    };
    parse(text).iter().map(swap).collect()
}

/// The learner's text with every locked cell of the reference in its original form; one that was removed is added at
/// the end.
#[must_use]
pub fn with_locked(text: &str, reference: &str) -> String {
    let originals: Vec<Cell> = parse(reference).into_iter().filter(Cell::is_locked).collect();
    let mut missing = originals.clone();
    let restore = |cell: &Cell<'_>| {
        let known = originals.iter().find(|original| original.grade_id == cell.grade_id);
        missing.retain(|original| original.grade_id != cell.grade_id);
        known
            .filter(|_| cell.grade_id.is_some())
            .map_or(cell.text, |original| original.text)
            .to_owned()
    };
    let restored: Vec<String> = parse(text).iter().map(restore).collect();
    restored.into_iter().chain(missing.iter().map(|cell| cell.text.to_owned())).collect()
}

/// Part of a solution cell's doc comment: `TODO`, `APPROACH`, `EXAMPLE`, `HINTS`. The lines under
/// the heading, without comment signs, up to the next heading or the end of the comment.
#[must_use]
pub fn section<'a>(cell: &'a Cell<'_>, heading: &str) -> Option<Vec<&'a str>> {
    let comment = |line: &'a str| {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//"))?;
        Some(text.strip_prefix(' ').unwrap_or(text).trim_end())
    };
    let head = |line: &'a str| {
        let (word, rest) = line.split_once(':')?;
        ["TODO", "APPROACH", "EXAMPLE", "HINTS"].contains(&word).then_some((word, rest.trim()))
    };
    let mut lines = cell.text.lines().skip(1).map(comment);
    let first = lines.find_map(|line| match head(line?)? {
        (word, rest) if word == heading => Some(rest),
        _ => None,
    })?;
    let more = lines.map_while(|line| line.filter(|line| head(line).is_none()));
    Some([first].into_iter().chain(more).filter(|line| !line.is_empty()).collect())
}

#[cfg(test)]
mod tests;
