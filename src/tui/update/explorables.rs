//! Interactive figures: opening and closing them, the keys that change their controls, and their frames. Nothing is
//! computed here: every change requests a frame, which is shown when it arrives.

use super::scroll;
use crate::curriculum::lesson::Block;
use crate::error::Error;
use crate::runner::event::{Frame, Verdict};
use crate::tui::explorable::Change;
use crate::tui::layout::Results;
use crate::tui::message::{Effect, Explore};
use crate::tui::model::{Explorable, Model, OpenFigure};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;
use tinytorch::explore::Control;

/// Opens the figure in focus, else the first in view; `None` when there is none.
pub(super) fn open(model: &mut Model) -> Option<Vec<Effect>> {
    let (piece, name) = in_view(model)?;
    let (module, number) = (model.module, model.figures + 1);
    model.module_state_mut()?.explorables.get_mut(&name)?.compiling = true;
    close(model);
    model.figures = number;
    model.figure = Some(OpenFigure { module, name, number });
    scroll::go_to_piece(model, piece);
    model.scrolled = Some(model.now);
    Some(ask(model, Duration::ZERO))
}

fn in_view(model: &Model) -> Option<(usize, String)> {
    let module_state = model.module_state()?;
    let figure = |piece: usize| match module_state.block(piece) {
        Some(Block::Explorable { name }) => Some((piece, name.clone())),
        _ => None,
    };
    let in_view = (0..model.measured.starts.len()).filter(|piece| model.in_view(*piece));
    model.focus().and_then(figure).or_else(|| in_view.into_iter().find_map(figure))
}

/// Recompiles the open figure, because its source or its engine changed. The last frame stays until then.
pub(super) fn restart(model: &mut Model) -> Vec<Effect> {
    model.figures += 1;
    let number = model.figures;
    let Some(open) = &mut model.figure else { return vec![] };
    open.number = number;
    if let Some(state) = state(model) {
        state.compiling = true;
    }
    ask(model, Duration::ZERO)
}

/// Closes the open figure and keeps the settings of its controls.
pub(super) fn close(model: &mut Model) -> Vec<Effect> {
    if let Some(state) = state(model) {
        let (title, about, settings) = (&state.title, &state.about, &state.settings);
        let (title, about, settings) = (title.clone(), about.clone(), settings.clone());
        *state = Explorable { title, about, settings, ..Explorable::default() };
    }
    match model.figure.take() {
        Some(_) => vec![Effect::CloseExplorable],
        None => vec![],
    }
}

/// Handles a key for the open figure; `None` if the figure does not use the key.
pub(super) fn press(model: &mut Model, key: KeyEvent) -> Option<Vec<Effect>> {
    if !has_key(model, key.code)
        || key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    {
        return None;
    }
    let is_zoomed = model.results == Results::Zoomed;
    let state = state(model)?;
    if state.typing && type_letter(state, key.code) {
        return Some(ask(model, Duration::ZERO));
    }
    match key.code {
        KeyCode::Enter if matches!(state.chosen(), Some(Control::Text { .. })) => {
            state.typing = !state.typing;
        }
        KeyCode::Enter => {}
        KeyCode::Esc if state.typing => state.typing = false,
        KeyCode::Esc if !is_zoomed => return Some(close(model)),
        code => {
            let change = change(code)?;
            if state.is_opening() {
                state.early.push(change);
            } else if apply(state, change)? {
                return Some(ask(model, Duration::ZERO));
            }
        }
    }
    Some(vec![])
}

/// What a key does to the controls.
fn change(code: KeyCode) -> Option<Change> {
    match code {
        KeyCode::Left => Some(Change::Shift(-1)),
        KeyCode::Right => Some(Change::Shift(1)),
        KeyCode::Up | KeyCode::BackTab => Some(Change::Choose(-1)),
        KeyCode::Down | KeyCode::Tab => Some(Change::Choose(1)),
        KeyCode::Char(' ') => Some(Change::Play),
        _ => None,
    }
}

/// Applies a change; returns whether it needs a frame, and `None` where there is no control to change.
fn apply(state: &mut Explorable, change: Change) -> Option<bool> {
    match change {
        Change::Choose(steps) => state.choose(steps),
        Change::Shift(steps) => state.chosen()?.shift(steps),
        Change::Play => play(state)?,
    }
    Some(!matches!(change, Change::Choose(_)))
}

/// Whether a key acts on the open figure: the figure fills the screen or has the focus. Left and Right, which mean
/// nothing else, need it only in view.
fn has_key(model: &Model, code: KeyCode) -> bool {
    let Some(open) = model.figure.as_ref() else { return false };
    let is_its = |block: &Block| matches!(block, Block::Explorable { name } if *name == open.name);
    let is_at_hand = || in_view(model).is_some_and(|(_, name)| name == open.name);
    model.results == Results::Zoomed
        || model.focused().is_some_and(is_its)
        || (matches!(code, KeyCode::Left | KeyCode::Right) && is_at_hand())
}

/// Whether the key changed the text that is being typed.
fn type_letter(state: &mut Explorable, code: KeyCode) -> bool {
    let Some(Control::Text { value, .. }) = state.chosen() else { return false };
    match code {
        KeyCode::Char(letter) => value.push(letter),
        KeyCode::Backspace => drop(value.pop()),
        _ => return false,
    }
    true
}

/// Plays or pauses; from the beginning when the end was reached.
fn play(state: &mut Explorable) -> Option<()> {
    let Some(Control::Play { value, frames, .. }) = state.player_mut() else { return None };
    if *value + 1 >= *frames {
        *value = 0;
    }
    state.playing = !state.playing;
    Some(())
}

/// Shows a frame, unless its figure was closed or opened again since. The first one brings the controls, and receives the changes
/// that were made before it. While the figure plays, requests the next frame.
pub(super) fn frame(model: &mut Model, number: u64, computed: Result<Frame, Error>) -> Vec<Effect> {
    if model.figure.as_ref().is_none_or(|open| open.number != number) {
        return vec![];
    }
    let Some(state) = state(model) else { return vec![] };
    let is_first = state.controls.is_empty();
    let early = std::mem::take(&mut state.early);
    match computed {
        Ok(frame) => state.take(frame),
        Err(error) => {
            state.compiling = false;
            state.playing = false;
            state.error = Some(error.to_string());
        }
    }
    let needs: Vec<bool> = early.into_iter().filter_map(|change| apply(state, change)).collect();
    state.playing &= state.verdict == Some(Verdict::Passed);
    let pace = advance(state).or(needs.contains(&true).then_some(Duration::ZERO));
    if is_first {
        // With its first frame the figure is taller.
        show(model);
    }
    pace.map_or_else(Vec::new, |pace| ask(model, pace))
}

/// Scrolls the open figure into view, unless the learner has scrolled away from it.
fn show(model: &mut Model) {
    if let Some((piece, name)) = in_view(model)
        && model.figure.as_ref().is_some_and(|open| open.name == name)
    {
        scroll::go_to_piece(model, piece);
    }
}

/// Advances a figure that plays to its next frame, and returns how long after the last one it is due.
fn advance(state: &mut Explorable) -> Option<Duration> {
    if !state.playing {
        return None;
    }
    let Some(Control::Play { value, frames, per_second, .. }) = state.player_mut() else {
        state.playing = false;
        return None;
    };
    if *value + 1 >= *frames {
        state.playing = false;
        return None;
    }
    *value += 1;
    Some(Duration::from_secs(1) / (*per_second).max(1))
}

/// Requests a frame of the open figure, no sooner than `pace` after the last one.
fn ask(model: &mut Model, pace: Duration) -> Vec<Effect> {
    let engine = model.engine;
    let Some(OpenFigure { module, name, number }) = model.figure.clone() else { return vec![] };
    let Some(state) = state(model) else { return vec![] };
    state.keep();
    let settings = state.settings.clone();
    vec![Effect::Explore(Explore { number, module, name, engine, settings, pace })]
}

/// The state of the open figure.
fn state(model: &mut Model) -> Option<&mut Explorable> {
    let open = model.figure.as_ref()?;
    model.module_states.get_mut(&open.module)?.explorables.get_mut(&open.name)
}

#[cfg(test)]
mod tests;
