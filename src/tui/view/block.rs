//! What live blocks have in common: a bar at the left in the colour of their state, a heading, and
//! a word with a glyph for every state. Must not know what is in a block.

use super::text::{both_ends, wrap};
use crate::report::figures;
use crate::runner::event::{TestResult, Verdict};
use crate::tui::model::CellState;
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};
use std::time::Duration;
use tinytorch::report::Origin;

/// The widest line of text, so that it is easy to read; charts use the full width.
pub const PROSE: usize = 92;

/// Columns that the bar takes.
pub const BAR: usize = 2;

/// Puts the bar at the left of every line; a heavier one marks the block that keys act on.
#[must_use]
pub fn framed(lines: Vec<Line<'static>>, role: Role, focused: bool) -> Vec<Line<'static>> {
    let bar = Span::styled(if focused { "▌ " } else { "▏ " }, style(role));
    let add = |mut line: Line<'static>| {
        line.spans.insert(0, bar.clone());
        line
    };
    lines.into_iter().map(add).collect()
}

/// The heading of a live block: what it is, its name, and its state at the right.
#[must_use]
pub fn head(kind: &str, name: &str, state: Vec<Span<'static>>, width: usize) -> Line<'static> {
    let left = vec![
        Span::styled(kind.to_owned(), style(Role::Dim)),
        Span::raw(if kind.is_empty() { "" } else { " " }),
        Span::styled(name.to_owned(), style(Role::Strong)),
    ];
    both_ends(left, state, width)
}

/// The title of a table or chart, with where its figures come from.
#[must_use]
pub fn title(title: &str, origin: &Origin, width: usize) -> Vec<Line<'static>> {
    let name = Span::styled(title.to_owned(), style(Role::Strong));
    let origin = Span::styled(figures::origin(origin), style(Role::Dim));
    if name.width() + 2 + origin.width() <= width {
        return vec![both_ends(vec![name], vec![origin], width)];
    }
    let mut lines = wrap(&[name], width, &[], &[]);
    lines.extend(wrap(&[origin], width, &[], &[]));
    lines
}

/// Text in a role, wrapped.
#[must_use]
pub fn say(text: &str, role: Role, width: usize) -> Vec<Line<'static>> {
    let width = width.min(PROSE);
    text.lines()
        .flat_map(|line| wrap(&[Span::styled(line.to_owned(), style(role))], width, &[], &[]))
        .collect()
}

/// Glyph, word and role of a cell's state.
#[must_use]
pub const fn cell_state(state: CellState) -> (&'static str, &'static str, Role) {
    match state {
        CellState::Unknown => ("◌", "not checked yet", Role::Dim),
        CellState::NotStarted => ("○", "not started", Role::Wait),
        CellState::Failed => ("✗", "failed", Role::Bad),
        CellState::Passed => ("✓", "passed", Role::Good),
    }
}

/// Glyph, word and role of a test's result.
#[must_use]
pub fn test_state(result: Option<&TestResult>) -> (&'static str, &'static str, Role) {
    let Some(result) = result else { return ("◌", "not run yet", Role::Dim) };
    let (word, _) = crate::report::human::verdict(&result.verdict);
    match result.verdict {
        Verdict::Passed => ("✓", word, Role::Good),
        Verdict::NotStarted { .. } => ("○", word, Role::Wait),
        _ => ("✗", word, Role::Bad),
    }
}

/// A span of time as a figure.
#[must_use]
pub fn time(took: Duration) -> String {
    figures::figure(took.as_secs_f64(), "s")
}

/// `old`, if something is of an earlier text.
#[must_use]
pub fn old(is_old: bool) -> Vec<Span<'static>> {
    if is_old { vec![Span::styled("  old", style(Role::Wait))] } else { vec![] }
}
