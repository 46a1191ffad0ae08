//! The search in the lesson: typing its text, and going from match to match. Must not know how a lesson is laid
//! out: the view measures where the matches are.

use super::{say, scroll};
use crate::tui::model::{Model, Search};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Goes to the match after or before the one in view, wrapping around.
pub(super) fn to_match(model: &mut Model, forward: bool) {
    let (top, height) =
        (model.module_state().map_or(0, |module_state| module_state.top), model.measured.height);
    let in_view = |line: &usize| (top..top + height).contains(line);
    let last = model.search.at.filter(in_view);
    let matches = &model.measured.matches;
    let found = if forward {
        let first = last.map_or(top, |line| line + 1);
        matches.iter().find(|line| **line >= first).or_else(|| matches.first())
    } else {
        matches.iter().rfind(|line| **line < last.unwrap_or(top)).or_else(|| matches.last())
    };
    match found.copied() {
        Some(line) => {
            model.search.at = Some(line);
            scroll::keep_place(model);
            scroll::go_to_line(model, line);
            scroll::focus_line(model, line);
        }
        None => say(model, format!("\"{}\" is not in this lesson", model.search.text)),
    }
}

/// Goes to the first match if a search was just entered: now the view has measured where it is.
pub(super) fn measured(model: &mut Model) {
    if std::mem::take(&mut model.search.seek) {
        to_match(model, true);
    }
}

/// Whether a key types text.
pub(super) fn is_typed(key: KeyEvent) -> bool {
    !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
}

/// Handles a key while the search is typed.
pub(super) fn press(model: &mut Model, key: KeyEvent) {
    match key.code {
        KeyCode::Esc => model.search = Search::default(),
        KeyCode::Enter => {
            model.search.typing = false;
            if !model.search.text.is_empty() {
                model.scrolled = Some(model.now);
                // Not now: if all letters arrived at once, the view has not measured their matches yet.
                model.search.seek = true;
            }
        }
        KeyCode::Backspace => {
            model.search.text.pop();
        }
        KeyCode::Char(letter) if is_typed(key) => model.search.text.push(letter),
        _ => {}
    }
}
