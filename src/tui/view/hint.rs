//! The hints of a cell that were requested so far. Must not know when the next one is shown.

use super::markdown::labelled;
use crate::tui::theme::Role;
use ratatui::text::Line;

/// The first `shown` hints, each under its number.
#[must_use]
pub fn lines(hints: &[String], shown: usize, width: usize) -> Vec<Line<'static>> {
    let numbered = hints.iter().take(shown).enumerate();
    numbered
        .flat_map(|(index, hint)| labelled(&format!("hint {}", index + 1), Role::Wait, hint, width))
        .collect()
}
