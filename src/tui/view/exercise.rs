//! The block of one cell: how it stands, its test with the failure's values and place, the compiler's
//! errors in it, its hints. Comes in: what is known of the cell. Goes out: lines.

use super::block::{self, cell_state, framed, head, say, test_state};
use super::text::{clip, fold, wrap};
use super::{diagnostic, hint};
use crate::report::human;
use crate::runner::event::{Place, TestResult, Verdict};
use crate::tui::keymap::{self, Action};
use crate::tui::model::{CellState, HighlightedCode, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// Lines of a failure's message and of what a test printed; the results have all.
const MESSAGE: usize = 8;
const PRINTED: usize = 6;

/// The block of a cell.
#[must_use]
pub fn lines(
    module_state: &ModuleState,
    (piece, cell): (usize, &str),
    hints: &[String],
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
        lines.extend(say("no cell of this name in the exercise", Role::Wait, inner));
    }
    for error in &errors {
        lines.extend(diagnostic::lines(error, highlighted, inner));
    }
    if errors.is_empty() {
        for (name, result, old) in module_state.results(cell) {
            lines.extend(test(module_state, name, result, old, inner));
        }
    }
    if state != CellState::Passed || !errors.is_empty() {
        let error = errors.first().and_then(|error| error.at.as_ref()).map(|at| at.line);
        let work =
            module_state.cell(cell).and_then(|cell| cell.place).map_or(1, |place| place.work);
        lines.push(place(module_state, cell, error.unwrap_or(work), hints.len(), inner));
        let shown = module_state.hints.get(cell).copied().unwrap_or(0);
        lines.extend(hint::lines(hints, shown, inner));
    }
    framed(lines, role, focused)
}

/// Where the cell is, and what keys do about it.
fn place(
    module_state: &ModuleState,
    cell: &str,
    line: usize,
    hints: usize,
    width: usize,
) -> Line<'static> {
    let mut spans = vec![
        Span::styled(format!("{}:{line}  ", module_state.file), style(Role::Dim)),
        Span::styled(keymap::key(Action::Edit), style(Role::Key)),
        Span::styled(" edit  ", style(Role::Dim)),
    ];
    if hints > 0 {
        let shown = module_state.hints.get(cell).copied().unwrap_or(0);
        spans.push(Span::styled(keymap::key(Action::Hint), style(Role::Key)));
        spans.push(Span::styled(format!(" hint {shown} of {hints}"), style(Role::Dim)));
    }
    clip(&spans, width)
}

/// A test with what there is to say about its result.
fn test(
    module_state: &ModuleState,
    name: &str,
    result: Option<&TestResult>,
    old: bool,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = vec![test_line(name, result, old, width)];
    let Some(result) = result else { return lines };
    match &result.verdict {
        Verdict::Passed => return lines,
        Verdict::NotStarted { .. } => {}
        Verdict::Failed { message, at } => {
            lines.extend(message_lines(message, width));
            // A line of an older text may say something else by now.
            let at = at.as_ref().filter(|_| !old);
            lines.extend(at.iter().flat_map(|at| source(module_state, at, width)));
        }
        other => lines.extend(say(&human::verdict(other).1, Role::Text, width)),
    }
    lines.extend(printed(&result.output.text, PRINTED, width));
    lines
}

/// A test's name, its verdict in a word, its time.
#[must_use]
pub fn test_line(
    name: &str,
    result: Option<&TestResult>,
    old: bool,
    width: usize,
) -> Line<'static> {
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
    clip(&spans, width)
}

/// The panic's words; assertions bring the values on lines of their own.
fn message_lines(message: &str, width: usize) -> Vec<Line<'static>> {
    let indent = [Span::raw("  ")];
    let mut lines: Vec<Line<'static>> = message
        .lines()
        .flat_map(|line| {
            let span = Span::styled(line.trim_end().to_owned(), style(Role::Bad));
            fold(&[span], width, &indent, &indent)
        })
        .collect();
    cut(&mut lines, MESSAGE);
    lines
}

/// The line of the exercise where a test gave up.
fn source(module_state: &ModuleState, at: &Place, width: usize) -> Vec<Line<'static>> {
    if module_state.restored(at.line) {
        let text = format!("  ! line {}: this test was changed; its original was used", at.line);
        return say(&text, Role::Wait, width);
    }
    let text = module_state.line(at.line).unwrap_or("").trim();
    let gutter = Span::styled(format!("  line {} │ ", at.line), style(Role::Dim));
    vec![clip(&[gutter, Span::raw(text.to_owned())], width)]
}

/// What a process printed, as far as there is room.
#[must_use]
pub fn printed(text: &str, most: usize, width: usize) -> Vec<Line<'static>> {
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
    let head = wrap(&[Span::styled("printed", style(Role::Dim))], width, &[Span::raw("  ")], &[]);
    head.into_iter().chain(lines).collect()
}

fn cut(lines: &mut Vec<Line<'static>>, most: usize) {
    if lines.len() > most {
        lines.truncate(most);
        let key = keymap::key(Action::Results);
        lines.push(Line::styled(format!("  … {key} shows all"), style(Role::Dim)));
    }
}
