//! The outline of the lesson: headings, and exercises with their tests and their state.

use super::block::cell_state;
use super::text::{both_ends, clip};
use crate::tui::model::ModuleState;
use crate::tui::outline::{Entry, Kind};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// One line for each entry; the one under the cursor is marked.
#[must_use]
pub fn lines(
    module_state: &ModuleState,
    entries: &[Entry],
    cursor: usize,
    width: usize,
) -> Vec<Line<'static>> {
    let lines = entries.iter().map(|entry| line(module_state, entry, width)).enumerate();
    lines
        .map(
            |(index, line)| {
                if index == cursor { line.patch_style(style(Role::Selected)) } else { line }
            },
        )
        .collect()
}

fn line(module_state: &ModuleState, entry: &Entry, width: usize) -> Line<'static> {
    match &entry.kind {
        Kind::Heading(level, title) => {
            let role = if *level == 2 { Role::Heading } else { Role::Subheading };
            let indent = " ".repeat(level.saturating_sub(1));
            clip(&[Span::raw(indent), Span::styled(title.clone(), style(role))], width)
        }
        Kind::Exercise(cell) => {
            let (glyph, word, role) = cell_state(module_state.state(cell));
            let tests: Vec<&str> = module_state.results(cell).map(|(name, ..)| name).collect();
            let left = vec![
                Span::styled(format!("   {glyph} "), style(role)),
                Span::raw(cell.clone()),
                Span::styled(format!("  {}", tests.join(", ")), style(Role::Dim)),
            ];
            let old = if module_state.is_old(cell) { "old " } else { "" };
            both_ends(left, vec![Span::styled(format!("{old}{word} "), style(role))], width)
        }
    }
}
