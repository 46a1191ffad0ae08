//! The welcome card of the first start: how to begin, and the terms that the screen uses.

use super::block::say;
use super::text::wrap;
use crate::tui::keymap::{Action, key};
use crate::tui::model::Model;
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// The card's text.
#[must_use]
pub fn lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    let file = model.module_state().map_or("your exercise", |known| known.file.as_str());
    let edit = match model.has_editor {
        true => format!("opens {file} in your editor: replace a todo!, then save"),
        false => format!("would open your editor: set EDITOR, or open {file} yourself"),
    };
    let steps = [
        (Action::Next, "goes to the next exercise".to_owned()),
        (Action::Edit, edit),
        (Action::Hint, "shows a hint".to_owned()),
        (Action::Help, "lists every key".to_owned()),
    ];
    let mut lines = vec![];
    for (action, text) in steps {
        let name = [Span::styled(format!("{:>3}  ", key(action)), style(Role::Key))];
        lines.extend(wrap(&[Span::raw(text)], width, &name, &[Span::raw("     ")]));
    }
    for text in [
        "After each save the tests run by themselves; the results appear here.",
        "Blocks with a bar at the left show your results inside the lesson.",
        "The engine is what later lessons run on: the reference until you complete a module, then \
         your code.",
    ] {
        lines.push(Line::default());
        lines.extend(say(text, Role::Text, width));
    }
    lines.push(Line::default());
    let again = format!("{} shows this card again.", key(Action::Welcome));
    lines.extend(say(&again, Role::Dim, width));
    lines
}
