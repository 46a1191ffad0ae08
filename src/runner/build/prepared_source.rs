//! The text that is compiled instead of the learner's file: locked cells in their original form, test attributes
//! blanked, a table of tests and analyses at the end, and a map from its lines to the learner's. Not here: compiling.

use crate::curriculum::cells::{self, Cell, CellKind};
use crate::runner::event::Notice;
use crate::runner::seeded::SeededModule;
use crate::runner::source_map::LineMap;
use std::collections::HashSet;

/// A text made from a learner's file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::runner) struct PreparedSource {
    /// What is compiled.
    pub(in crate::runner) text: String,
    /// Where its lines come from.
    pub(in crate::runner) lines: LineMap,
    /// Notices for the learner.
    pub(in crate::runner) notices: Vec<Notice>,
    /// The graded tests that can be called, each with a Rust expression for its function.
    tests: Vec<(String, String)>,
    /// The learner's own tests, in the same form.
    own_tests: Vec<(String, String)>,
}

/// The name of the learner's crate when the tests are a crate of their own.
pub(in crate::runner) const SUBJECT: &str = "subject";
/// The prefix of the learner's own tests, so that none has the name of a graded test.
const OWN: &str = "own::";

/// Prepares `text`, whose original is `reference`. A text without an original (a milestone's program)
/// stays as it is.
pub(in crate::runner) fn prepare(text: &str, reference: &str) -> PreparedSource {
    build(text, reference, Builder::default())
}

/// Prepares `text` with its tests' lines left empty, and the original tests of `reference` as a crate of their own that
/// imports from it.
pub(in crate::runner) fn prepare_separately(
    text: &str,
    reference: &str,
) -> (PreparedSource, PreparedSource) {
    let without_tests = Builder { without_tests: true, ..Builder::default() };
    let subject = build(text, reference, without_tests);
    let learners = cells::parse(text);
    let mut tests = PreparedSource::default();
    for cell in cells::parse(reference) {
        let same = |own: &&Cell<'_>| cell.grade_id.is_some() && own.grade_id == cell.grade_id;
        let own = learners.iter().find(same);
        let line = |(index, line): (usize, &str)| match own? {
            own if own.fingerprint() == cell.fingerprint() => Some(own.first_line + index),
            own => line_of_function(own, line),
        };
        tests.lines.0.extend(cell.text.lines().enumerate().map(line));
        if cell.kind == CellKind::Test {
            let names = cell.tests().into_iter().map(|name| (name.to_owned(), name.to_owned()));
            tests.tests.extend(names);
        }
    }
    tests.text = blank(&cells::tests_crate(reference));
    (subject, tests)
}

/// The functions that draw inputs from a seed, as a crate of their own would have them. A line of one counts as the cell that
/// it calls: where it does not compile, that cell has another form than the original.
pub(in crate::runner) fn prepare_seeded(
    text: &str,
    reference: &str,
    seeded: &SeededModule,
) -> PreparedSource {
    let learners = cells::parse(text);
    let originals = cells::parse(reference);
    let line = |test: &str| {
        let cell = originals.iter().find(|cell| cell.tests().contains(&test))?;
        let tested = cell.grade_id.as_deref()?.strip_prefix("test-")?;
        let own = learners.iter().find(|own| own.grade_id.as_deref() == Some(tested))?;
        Some(own.first_line)
    };
    let lines = seeded.tests().into_iter().map(|test| line(test?)).collect();
    PreparedSource {
        text: seeded.for_submission(),
        lines: LineMap(lines),
        ..PreparedSource::default()
    }
}

/// The line in a changed cell on which the function of this line of the original begins.
fn line_of_function(changed: &Cell<'_>, original: &str) -> Option<usize> {
    let (start, _) = original.split_once('(').filter(|(start, _)| start.contains("fn "))?;
    let is_same =
        |line: &str| line.strip_prefix(start).is_some_and(|rest| rest.starts_with(['(', '<']));
    changed.text.lines().position(is_same).map(|index| changed.first_line + index)
}

fn build(text: &str, reference: &str, mut builder: Builder) -> PreparedSource {
    let originals = cells::parse(reference);
    let learners = cells::parse(text);
    let matched = matched(&learners, &originals);
    let kept: Vec<&Cell<'_>> =
        matched.iter().filter(|cell| cell.is_kept()).map(|cell| cell.cell).collect();
    let missing = Missing { originals: &originals, matched: &matched, kept: &kept };

    builder.taken = functions(&kept);
    let mut before = missing.from(0);
    for (index, learners) in matched.iter().enumerate() {
        let cell = learners.cell;
        if index > 0 || cell.kind != CellKind::Head {
            // Not before the head: its inner attributes apply to the whole file and must come first.
            builder.insert_all(&std::mem::take(&mut before));
        }
        if cell.damaged {
            builder.made.notices.push(Notice::DamagedMarker { line: cell.first_line });
        }
        match learners.original {
            Some(position) if !learners.is_kept() => builder.restore(cell, &originals[position]),
            _ => builder.keep(cell),
        }
        if let Some(position) = learners.original {
            builder.insert_all(&missing.from(position + 1));
        }
    }
    builder.insert_all(&before);
    let mut made = builder.made;
    made.notices.splice(0..0, missing.solutions());
    if !originals.iter().all(|cell| cell.grade_id.is_none()) {
        let stray = cells::stray_code(text, reference).into_iter();
        made.notices.extend(stray.map(|line| Notice::CodeOutsideCells { line }));
    }
    made
}

/// How the names of functions begin that no later module calls.
const UNUSED_ABOVE: [&str; 3] = ["analyze_", "explore_", "main("];

/// Prepares a module that others depend on: its analyses, its explorables and its `main` are private, so that
/// no machine code is made of them. Lines and columns stay.
pub(in crate::runner) fn prepare_module(text: &str, reference: &str) -> PreparedSource {
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

/// A cell of the learner's file with the position of its original.
struct Matched<'a> {
    cell: &'a Cell<'a>,
    original: Option<usize>,
    /// Whether it is locked and its original is used instead.
    restored: bool,
}

impl Matched<'_> {
    fn is_kept(&self) -> bool {
        !self.restored
    }
}

/// Finds the original of each cell by its id, even one in a damaged marker if it can still be read. A second cell with
/// the same id has none.
fn matched<'a>(learners: &'a [Cell<'a>], originals: &[Cell<'_>]) -> Vec<Matched<'a>> {
    let mut used = HashSet::new();
    let find = |cell: &'a Cell<'a>| {
        let marker = cell.text.lines().next().unwrap_or_default();
        let is_original = |original: &Cell<'_>| match (&original.grade_id, &cell.grade_id) {
            (Some(id), None) => cell.damaged && marker.contains(&format!("\"{id}\"")),
            (id, own) => id.is_some() && id == own,
        };
        let position = originals.iter().position(is_original).filter(|found| used.insert(*found));
        let locked = position.map(|position| &originals[position]).filter(|it| it.is_locked());
        let restored = locked.is_some_and(|original| !has_only_additions(cell, original));
        Matched { cell, original: position, restored }
    };
    learners.iter().map(find).collect()
}

/// Whether a given cell is the original with additional items of the learner's, such as `use` lines and functions. They
/// are kept, since the learner's code may need them.
fn has_only_additions(cell: &Cell<'_>, original: &Cell<'_>) -> bool {
    if original.kind != CellKind::Given || cell.fingerprint() == original.fingerprint() {
        return false;
    }
    let mut rest =
        body(original).lines().map(str::trim_end).filter(|line| !line.is_empty()).peekable();
    let mut added: Vec<Vec<&str>> = vec![vec![]];
    for line in body(cell).lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if rest.peek() == Some(&line) {
            rest.next();
            added.push(vec![]);
        } else if let Some(block) = added.last_mut() {
            block.push(line);
        }
    }
    rest.next().is_none()
        && added.iter().filter(|block| !block.is_empty()).all(|it| is_complete(it))
}

/// Whether the lines are complete items, as far as their form shows: they begin at the first column, end an item, close
/// every bracket, and comment nothing out.
fn is_complete(block: &[&str]) -> bool {
    let text = block.join("\n");
    let is_balanced =
        |open: char, close: char| text.matches(open).count() == text.matches(close).count();
    let begins = block.first().is_some_and(|line| !line.starts_with([' ', '\t', '}', ')']));
    let ends =
        block.last().is_some_and(|line| line.ends_with([';', '}']) || line.starts_with("//"));
    let comments = text.contains("/*") || text.contains("*/");
    begins && ends && !comments && is_balanced('{', '}') && is_balanced('(', ')')
}

/// The functions that begin in the cells.
fn functions(cells: &[&Cell<'_>]) -> HashSet<String> {
    let items = cells.iter().flat_map(|cell| cells::items(cell.text));
    items.filter(|item| item.keyword == "fn").map(|item| item.name.to_owned()).collect()
}

/// What the learner's file lacks of the original.
struct Missing<'a> {
    originals: &'a [Cell<'a>],
    matched: &'a [Matched<'a>],
    kept: &'a [&'a Cell<'a>],
}

impl<'a> Missing<'a> {
    fn has(&self, position: usize) -> bool {
        self.matched.iter().any(|cell| cell.original == Some(position))
    }

    /// The missing locked cells from `start` on, up to the first cell that is not missing.
    fn from(&self, start: usize) -> Vec<&'a Cell<'a>> {
        let rest = self.originals.iter().enumerate().skip(start);
        let rest = rest.filter(|(_, original)| original.grade_id.is_some());
        let missing = rest.take_while(|(position, _)| !self.has(*position)).map(|(_, cell)| cell);
        // A given cell that only lost its marker is still compiled; a second one would clash with it.
        missing
            .filter(|cell| cell.is_locked())
            .filter(|cell| cell.kind == CellKind::Test || !self.is_kept(cell))
            .collect()
    }

    /// Whether the lines of a cell are part of another one that is kept.
    fn is_kept(&self, original: &Cell<'_>) -> bool {
        let wanted: Vec<&str> = body(original).trim().lines().collect();
        self.kept.iter().any(|cell| {
            let lines: Vec<&str> = cell.text.lines().collect();
            lines.windows(wanted.len().max(1)).any(|window| window == wanted)
        })
    }

    /// Notices about the missing solution cells, which cannot be restored.
    fn solutions(&self) -> Vec<Notice> {
        let cells = self.originals.iter().enumerate();
        let gone = cells
            .filter(|(position, cell)| cell.kind == CellKind::Solution && !self.has(*position));
        gone.filter_map(|(_, cell)| cell.grade_id.clone())
            .map(|grade_id| Notice::CellGone { grade_id })
            .collect()
    }
}

fn body<'a>(cell: &Cell<'a>) -> &'a str {
    cell.text.split_once('\n').map_or("", |(_, body)| body)
}

#[derive(Default)]
struct Builder {
    made: PreparedSource,
    /// The learner's functions: a graded test with one of these names gets a module of its own.
    taken: HashSet<String>,
    /// Whether lines of tests, graded and own, are left empty.
    without_tests: bool,
}

impl Builder {
    /// The cell as the learner has it, with its own tests made callable.
    fn keep(&mut self, cell: &Cell<'_>) {
        let mut lines: Vec<&str> = cell.text.split_inclusive('\n').collect();
        let mut blanked = String::new();
        for index in 0..lines.len() {
            // With the attribute, the compiler would leave the test out.
            if self.without_tests || lines[index].trim_end() != "#[test]" {
                continue;
            }
            let name = lines[index + 1..].iter().find_map(|line| test_name(line));
            let Some(name) = name.map(|name| format!("{OWN}{name}")) else { continue };
            if self.made.own_tests.iter().any(|(known, _)| *known == name) {
                // Two functions of one name do not compile.
                continue;
            }
            let function = &name[OWN.len()..];
            let call = format!(
                "|| assert!(::std::process::Termination::report({function}()) == \
                 ::std::process::ExitCode::SUCCESS, \"the test returned an error\")"
            );
            self.made.own_tests.push((name.clone(), call));
            lines[index] = if lines[index].ends_with('\n') { "       \n" } else { "       " };
        }
        blanked.extend(lines);
        self.push(&blanked, |index| Some(cell.first_line + index));
    }

    fn restore(&mut self, cell: &Cell<'_>, original: &Cell<'_>) {
        let first_line = cell.first_line;
        if cell.fingerprint() == original.fingerprint() {
            let text = self.callable(cell, original);
            return self.push(&text, |index| Some(first_line + index));
        }
        let grade_id = original.grade_id.clone().unwrap_or_default();
        let notice = Notice::LockedCellChanged { grade_id, line: Some(first_line) };
        self.made.notices.push(notice);
        let last = cell.text.lines().count().saturating_sub(1);
        let text = self.callable(original, original);
        self.push(&text, |index| Some(first_line + index.min(last)));
    }

    fn insert_all(&mut self, missing: &[&Cell<'_>]) {
        for cell in missing {
            let grade_id = cell.grade_id.clone().unwrap_or_default();
            self.made.notices.push(Notice::LockedCellChanged { grade_id, line: None });
            // The rest of the test in the learner's file may still have its name.
            self.taken.extend(cell.tests().into_iter().map(str::to_owned));
            let text = self.callable(cell, cell);
            self.push(&text, |_| None);
        }
    }

    /// The cell's text with its tests made callable: in place, or, when a function of the learner's has
    /// the same name, in a module of their own that begins on the line of the marker.
    fn callable(&mut self, cell: &Cell<'_>, original: &Cell<'_>) -> String {
        if self.without_tests && original.kind == CellKind::Test {
            return "\n".repeat(cell.text.lines().count());
        }
        let tests: Vec<String> = original.tests().into_iter().map(str::to_owned).collect();
        let text = blank(cell.text);
        if !tests.iter().any(|name| self.taken.contains(name)) {
            self.made.tests.extend(tests.into_iter().map(|name| (name.clone(), name)));
            return text;
        }
        let module = format!("graded_{}", self.made.lines.0.len());
        let (_, body) = text.split_once('\n').unwrap_or_default();
        let constant = |(index, name): (usize, &String)| {
            format!("pub(super) const TEST_{index}: fn() = {name}; ")
        };
        let constants: String = tests.iter().enumerate().map(constant).collect();
        for (index, name) in tests.into_iter().enumerate() {
            self.made.tests.push((name, format!("{module}::TEST_{index}")));
        }
        format!("mod {module} {{ use super::*; {constants}\n{}\n}}\n", body.trim_end())
    }

    fn push(&mut self, text: &str, line: impl Fn(usize) -> Option<usize>) {
        if !self.made.text.is_empty() && !self.made.text.ends_with('\n') {
            self.made.text.push('\n');
        }
        self.made.text.push_str(text);
        self.made.lines.0.extend((0..text.lines().count()).map(line));
    }
}

/// The name of a test function without arguments that begins on the line.
fn test_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let (name, _) = line.strip_prefix("fn ")?.split_once("()")?;
    name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
}

/// The text with each `#[test]` replaced by spaces: the functions become ordinary ones, and every column stays where it
/// was.
fn blank(text: &str) -> String {
    let line = |line: &str| match line.trim() {
        "#[test]" => line.replace("#[test]", "       "),
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

impl PreparedSource {
    /// The text with the tables that the entry crate passes to the harness. `names` are the tests to list; those that
    /// the text does not have are left out.
    pub(in crate::runner) fn with_tests(&self, names: &[String]) -> String {
        let all = self.tests.iter().chain(&self.own_tests);
        let known = all.filter(|(name, _)| names.contains(name));
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

    /// Whether a test of that name can be called.
    pub(in crate::runner) fn has_test(&self, name: &str) -> bool {
        self.tests.iter().chain(&self.own_tests).any(|(known, _)| known == name)
    }

    /// The names of the learner's own tests, in file order.
    pub(in crate::runner) fn own_tests(&self) -> impl Iterator<Item = &str> {
        self.own_tests.iter().map(|(name, _)| name.as_str())
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

/// The root of a program made from an exercise: `FILE` is the one with the table.
pub(in crate::runner) const ENTRY: &str = "\
#[global_allocator]
static ALLOCATOR: tinytorch::testing::CountingAllocator = tinytorch::testing::CountingAllocator;
#[path = \"FILE\"]
mod exercise;
fn main() {
    tinytorch::harness::run(
        exercise::TABLE_OF_TESTS,
        exercise::TABLE_OF_REPORTERS,
        exercise::TABLE_OF_EXPLORABLES,
    )
}
";

/// The same for a program that runs inside the sandbox, where the launcher has left the channel.
pub(in crate::runner) const CONFINED_ENTRY: &str = "\
#[global_allocator]
static ALLOCATOR: tinytorch::testing::CountingAllocator = tinytorch::testing::CountingAllocator;
#[path = \"FILE\"]
mod exercise;
#[path = \"SEEDED\"]
mod seeded;
fn main() {
    // SAFETY: the launcher has opened it for this function alone.
    let channel = unsafe { <std::os::unix::net::UnixStream as std::os::fd::FromRawFd>::from_raw_fd(CHANNEL) };
    tinytorch::harness::run_confined(
        channel,
        exercise::TABLE_OF_TESTS,
        exercise::TABLE_OF_REPORTERS,
        seeded::ALL,
    )
}
";

#[cfg(test)]
mod tests;
