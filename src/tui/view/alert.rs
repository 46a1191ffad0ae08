//! Errors and long notes, in full, above the status line. Must not know where on the screen that is.

use super::block::say;
use crate::tui::keymap::{self, Action};
use crate::tui::layout::Results;
use crate::tui::model::{Exercise, Model, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::Line;

/// Columns left free at the ends of the last line.
const ENDS: usize = 2;

/// A message to read before anything else.
#[derive(Debug, Default)]
pub struct Alert {
    /// What it is.
    pub title: &'static str,
    /// Its text.
    pub lines: Vec<Line<'static>>,
}

/// The alert, if there is one, in lines of this width and `most` in number: an error, a note that does not fit in
/// the last line, or why the module on screen cannot be checked while the top of the lesson, which says so too,
/// is out of view.
#[must_use]
pub fn alert(model: &Model, width: usize, most: usize) -> Option<Alert> {
    let note = model.note.as_ref().map(|(note, _)| note);
    let (title, text, role) = match (note, model.module_state()) {
        (Some(note), _) if note.bad => ("error: press any key", note.text.clone(), Role::Bad),
        (Some(note), _) if !fits(&note.text, width) => ("note", note.text.clone(), Role::Key),
        (_, Some(module_state)) if is_top_hidden(model, module_state) => {
            ("error", cause(module_state)?, Role::Bad)
        }
        _ => return None,
    };
    let mut lines = say(&text, role, width);
    if lines.len() > most {
        lines.truncate(most.saturating_sub(1));
        let more = match title {
            "error" => format!(
                "… {} goes to the top of the lesson, which shows the rest",
                keymap::key(Action::Top)
            ),
            _ => "… the rest does not fit on this screen".to_owned(),
        };
        lines.push(Line::styled(more, style(Role::Dim)));
    }
    Some(Alert { title, lines })
}

/// Whether a note fits in the last line.
#[must_use]
pub fn fits(note: &str, width: usize) -> bool {
    !note.contains('\n') && note.chars().count() + ENDS <= width
}

/// Why the module cannot be checked.
#[must_use]
pub fn cause(module_state: &ModuleState) -> Option<String> {
    match &module_state.exercise {
        Exercise::Missing(reason) => Some(format!("✗ {}: {reason}", module_state.file)),
        _ => module_state.error.clone(),
    }
}

fn is_top_hidden(model: &Model, module_state: &ModuleState) -> bool {
    module_state.top > 0 || model.results == Results::Zoomed
}
