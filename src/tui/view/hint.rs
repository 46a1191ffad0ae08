//! The hints of a cell that were asked for so far. Not here: when the next one comes.

use super::markdown;
use crate::tui::model::HighlightedCode;
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// The first `shown` hints, each under its number.
#[must_use]
pub fn lines(hints: &[String], shown: usize, width: usize) -> Vec<Line<'static>> {
    let numbered = hints.iter().take(shown).enumerate();
    numbered
        .flat_map(|(index, hint)| {
            let label = format!("hint {}  ", index + 1);
            let room = width.saturating_sub(label.len());
            let body = markdown::lay_out(hint, room, &HighlightedCode::new());
            body.into_iter().enumerate().map(move |(row, mut line)| {
                let text = if row == 0 { label.clone() } else { " ".repeat(label.len()) };
                line.spans.insert(0, Span::styled(text, style(Role::Wait)));
                line
            })
        })
        .collect()
}
