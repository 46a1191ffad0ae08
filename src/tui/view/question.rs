//! A question of the lesson, and its answer once a key reveals it.

use super::block::{self, framed, head};
use super::markdown;
use crate::tui::keymap::{self, Action};
use crate::tui::model::{HighlightedCode, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// The block of a question.
#[must_use]
pub fn lines(
    module_state: &ModuleState,
    (id, question, answer): (&str, &str, &str),
    highlighted: &HighlightedCode,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let open = module_state.revealed.contains(id);
    let key = Span::styled(keymap::key(Action::Open), style(Role::Key));
    let act = if open { " hides the answer" } else { " shows the answer" };
    let state = vec![key, Span::styled(act, style(Role::Dim))];
    let mut lines = vec![head("question", "", state, inner)];
    lines.extend(markdown::lay_out(question, inner, highlighted));
    if open {
        lines.push(Line::default());
        lines.extend(markdown::lay_out(answer, inner, highlighted));
    }
    framed(lines, Role::Live, focused)
}
