//! Open tasks: typing a prediction or a result, and saving it. Must not know how the two are compared (`report`).

use super::{say, scroll, search};
use crate::curriculum::ModuleId;
use crate::curriculum::lesson::Task;
use crate::report::prediction::one_line;
use crate::report::{Part, Written};
use crate::tui::keymap::{Action, key};
use crate::tui::message::{Effect, Record};
use crate::tui::model::{Model, Writing};
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::BTreeMap;

/// Takes what was written in earlier sessions or in another terminal. What was written here since stays.
pub(super) fn recalled(model: &mut Model, module: ModuleId, written: BTreeMap<String, Written>) {
    let Some(module_state) = model.module_states.get_mut(&module) else { return };
    for (task, theirs) in written {
        let ours = module_state.written.entry(task).or_default();
        if theirs.predictions.len() >= ours.predictions.len() {
            ours.predictions = theirs.predictions;
        }
        if theirs.results.len() >= ours.results.len() {
            ours.results = theirs.results;
        }
    }
}

/// Starts typing at a task: the result if there is a prediction and the learner writes both, else the prediction.
pub(super) fn write(model: &mut Model, task: &Task) {
    let module = model.module;
    let Some(module_state) = model.module_state() else { return };
    let written = module_state.written.get(&task.name);
    let last = |part| written.and_then(|written| written.last(part)).unwrap_or_default().to_owned();
    let prediction = last(Part::Prediction);
    let result = task.value.is_none().then(|| last(Part::Result));
    let part = match result {
        Some(_) if !prediction.is_empty() => Part::Result,
        _ => Part::Prediction,
    };
    model.writing = Some(Writing { module, task: task.name.clone(), part, prediction, result });
}

/// Handles a key while something is typed.
pub(super) fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    if let Some(piece) = model.writing_piece() {
        scroll::go_to_piece(model, piece);
    }
    let Some(writing) = &mut model.writing else { return vec![] };
    match key.code {
        KeyCode::Enter => return keep(model),
        KeyCode::Esc => model.writing = None,
        KeyCode::Up | KeyCode::BackTab => writing.part = Part::Prediction,
        KeyCode::Down | KeyCode::Tab if writing.result.is_some() => writing.part = Part::Result,
        KeyCode::Backspace => drop(writing.text().pop()),
        KeyCode::Char(letter) if search::is_typed(key) => writing.text().push(letter),
        _ => {}
    }
    vec![]
}

/// Adds pasted text, as one line, to what is being typed. Elsewhere it is ignored.
pub(super) fn paste(model: &mut Model, text: &str) {
    if let Some(writing) = &mut model.writing {
        writing.text().push_str(&one_line(text));
    }
}

/// Saves what is new. A text that was cleared changes nothing.
fn keep(model: &mut Model) -> Vec<Effect> {
    let Some(Writing { module, task, prediction, result, .. }) = model.writing.take() else {
        return vec![];
    };
    let is_measured = result.is_none();
    let Some(module_state) = model.module_states.get_mut(&module) else { return vec![] };
    let written = module_state.written.entry(task.clone()).or_default();
    let mut effects = vec![];
    for (part, text) in [(Part::Prediction, Some(prediction)), (Part::Result, result)] {
        let text = text.unwrap_or_default().trim().to_owned();
        if !text.is_empty() && written.last(part) != Some(&text) {
            written.add(part, text.clone());
            effects.push(Effect::Keep(Record::Written { module, task: task.clone(), part, text }));
        }
    }
    if is_measured && !effects.is_empty() {
        say(model, format!("saved; {} runs the analyses", key(Action::Analyse)));
    }
    effects
}

#[cfg(test)]
mod tests;
