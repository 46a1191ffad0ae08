//! The block of one cell: its task, its state, its tests with why they fail, the compiler's errors in
//! it, its hints. Must not know how any of that was found.

use super::block::{self, cell_state, framed, head, say, test_state};
use super::text::{clip, fold, wrap};
use super::{diagnostic, failure, hint, markdown};
use crate::report::{TestState, human};
use crate::runner::event::{Output, TestResult, Verdict};
use crate::tui::keymap::{self, Action};
use crate::tui::model::{CellInfo, CellState, HighlightedCode, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// How many lines of a failure's message and of what a test printed are shown.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of the message.
    pub message: usize,
    /// Of the output.
    pub printed: usize,
}

/// The hints of a cell.
#[derive(Debug, Clone, Copy)]
pub enum Hints<'a> {
    /// All of them; the learner has seen the first ones.
    Open(&'a [String]),
    /// The instructor has closed them.
    Closed,
}

/// In a block; the results show everything.
const IN_BLOCK: Limits = Limits { message: 8, printed: 6 };

/// The block of a cell.
#[must_use]
pub fn lines(
    module_state: &ModuleState,
    (piece, cell): (usize, &str),
    hints: Hints<'_>,
    highlighted: &HighlightedCode,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let errors: Vec<_> = module_state
        .report
        .errors()
        .filter(|error| module_state.place(error) == Some(piece))
        .collect();
    let state = module_state.state(cell);
    let (glyph, word, role) =
        if errors.is_empty() { cell_state(state) } else { ("✗", "does not compile", Role::Bad) };
    let mut right = vec![Span::styled(format!("{glyph} {word}"), style(role))];
    right.extend(block::old(errors.is_empty() && module_state.is_old(cell)));
    let mut lines = vec![head("exercise", cell, right, inner)];
    if module_state.cell(cell).is_none() && !module_state.cells.is_empty() {
        let key = keymap::key(Action::Reset);
        let text = format!(
            "{} has no cell \"{cell}\": put it back, or {key} resets the file",
            module_state.file
        );
        lines.extend(say(&text, Role::Wait, inner));
    }
    if state != CellState::Passed || !errors.is_empty() {
        lines.extend(module_state.cell(cell).into_iter().flat_map(|cell| task(cell, inner)));
    }
    for error in &errors {
        lines.extend(diagnostic::lines(error, highlighted, inner));
    }
    if errors.is_empty() {
        for (name, result, old) in module_state.results(cell) {
            lines.extend(test(module_state, (name, result, old), IN_BLOCK, inner));
        }
        lines.extend(own_tests(module_state, module_state.own_tests(cell), IN_BLOCK, inner));
    }
    if state != CellState::Passed || !errors.is_empty() {
        let error = errors.first().and_then(|error| error.at.as_ref()).map(|at| at.line);
        let work =
            module_state.cell(cell).and_then(|cell| cell.place).map_or(1, |place| place.work);
        lines.push(place(module_state, cell, error.unwrap_or(work), hints, inner));
        if let Hints::Open(hints) = hints {
            let shown = module_state.hints.get(cell).copied().unwrap_or(0);
            lines.extend(hint::lines(hints, shown, inner));
        }
    }
    framed(lines, role, focused)
}

/// The task, and an example of what the finished code returns.
fn task(cell: &CellInfo, width: usize) -> Vec<Line<'static>> {
    let parts = [("task   ", &cell.task), ("example", &cell.example)];
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    parts.flat_map(|(label, text)| markdown::labelled(label, Role::Dim, text, width)).collect()
}

/// Where the cell is, and the keys for it.
fn place(
    module_state: &ModuleState,
    cell: &str,
    line: usize,
    hints: Hints<'_>,
    width: usize,
) -> Line<'static> {
    let mut spans = vec![
        Span::styled(format!("{}:{line}  ", module_state.file), style(Role::Dim)),
        Span::styled(keymap::key(Action::Edit), style(Role::Key)),
        Span::styled(" edit  ", style(Role::Dim)),
    ];
    match hints {
        Hints::Open([]) => {}
        Hints::Open(hints) => {
            let shown = module_state.hints.get(cell).copied().unwrap_or(0);
            spans.push(Span::styled(keymap::key(Action::Hint), style(Role::Key)));
            let text = format!(" hint {shown} of {}", hints.len());
            spans.push(Span::styled(text, style(Role::Dim)));
        }
        Hints::Closed => {
            spans.push(Span::styled("hints are closed for this class", style(Role::Dim)));
        }
    }
    clip(&spans, width)
}

/// The learner's own tests, labelled so that they are not mistaken for graded ones.
#[must_use]
pub fn own_tests<'a>(
    module_state: &ModuleState,
    own: impl Iterator<Item = &'a TestState>,
    limits: Limits,
    width: usize,
) -> Vec<Line<'static>> {
    let lines = tests(module_state, own, limits, width);
    if lines.is_empty() {
        return lines;
    }
    [say("yours, not graded", Role::Dim, width), lines].concat()
}

/// Tests, each with why it failed and what it printed.
#[must_use]
pub fn tests<'a>(
    module_state: &ModuleState,
    tests: impl Iterator<Item = &'a TestState>,
    limits: Limits,
    width: usize,
) -> Vec<Line<'static>> {
    let shown = |state: &'a TestState| (state.name.as_str(), state.result.as_ref(), state.old);
    tests.flat_map(|state| test(module_state, shown(state), limits, width)).collect()
}

fn test(
    module_state: &ModuleState,
    (name, result, old): (&str, Option<&TestResult>, bool),
    limits: Limits,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = test_line(name, result, old, width);
    let Some(result) = result else { return lines };
    let blamed = module_state.blames(name).map(human::follows_from);
    lines.extend(blamed.iter().flat_map(|blamed| note(blamed, Role::Wait, width)));
    match &result.verdict {
        Verdict::Passed | Verdict::NotStarted { .. } => {}
        Verdict::Failed { message, at } => {
            // The line number is that of an earlier text.
            let at = at.as_ref().filter(|_| !old);
            let mut message = failure::message(module_state, message, at, width);
            cut(&mut message, limits.message);
            lines.extend(message);
            lines.extend(at.iter().flat_map(|at| failure::source(module_state, at, width)));
        }
        other => lines.extend(say(&human::verdict(other).1, Role::Text, width)),
    }
    lines.extend(printed(&result.output, limits.printed, width));
    lines
}

/// A test's name, its verdict in a word, its time.
fn test_line(
    name: &str,
    result: Option<&TestResult>,
    old: bool,
    width: usize,
) -> Vec<Line<'static>> {
    let (glyph, word, role) = test_state(result);
    let more = match result.map(|result| (&result.verdict, result.took)) {
        Some((Verdict::NotStarted { waits_for }, _)) => format!("waits for {waits_for}"),
        Some((_, took)) => format!("{word} in {}", block::time(took)),
        None => word.to_owned(),
    };
    let mut spans = vec![
        Span::styled(format!("{glyph} "), style(role)),
        Span::raw(format!("{name}  ")),
        Span::styled(more, style(Role::Dim)),
    ];
    spans.extend(block::old(old && result.is_some()));
    let line = Line::from(spans);
    if line.width() <= width {
        vec![line]
    } else {
        wrap(&line.spans, width, &[], &[Span::raw("  ")])
    }
}

/// The output of a process, as far as there is room.
#[must_use]
pub fn printed(output: &Output, most: usize, width: usize) -> Vec<Line<'static>> {
    let text = &output.text;
    if text.trim().is_empty() {
        return vec![];
    }
    let gutter = [Span::styled("  ┆ ", style(Role::Dim))];
    let mut lines: Vec<Line<'static>> = text
        .lines()
        .take(most + 1)
        .flat_map(|line| fold(&[Span::raw(line.to_owned())], width, &gutter, &gutter))
        .collect();
    cut(&mut lines, most);
    let cut = match output.cut {
        0 => vec![],
        bytes => note(&format!("{bytes} bytes were cut from the middle"), Role::Dim, width),
    };
    note("printed", Role::Dim, width).into_iter().chain(lines).chain(cut).collect()
}

/// A sentence below the line of a test.
fn note(text: &str, role: Role, width: usize) -> Vec<Line<'static>> {
    let indent = [Span::raw("  ")];
    wrap(&[Span::styled(text.to_owned(), style(role))], width, &indent, &indent)
}

fn cut(lines: &mut Vec<Line<'static>>, most: usize) {
    if lines.len() > most {
        lines.truncate(most);
        let key = keymap::key(Action::Results);
        lines.push(Line::styled(format!("  … {key} shows all"), style(Role::Dim)));
    }
}
