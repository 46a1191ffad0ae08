//! The update function: a message changes the model and returns effects. Pure: it cannot fail, and it must not
//! know a disk or a clock (the time is an argument). Keys, mouse, runs, search, completions, figures, predictions
//! and scrolling have a file each.

mod completions;
mod explorables;
mod keys;
mod mouse;
mod predictions;
mod runs;
mod scroll;
mod search;

use super::message::{Effect, Message, Opened, Record};
use super::model::{Exercise, Explorable, Model, ModuleState, Note, Overlay, ReadingPosition};
use super::prose;
use crate::curriculum::lesson::Block;
use crate::curriculum::{Module, ModuleId};
use crate::report::Outcome;
use crate::runner::event::RunEvent;
use crate::tui::model::Cause;
use std::collections::BTreeMap;
use std::time::Duration;
use tinytorch::report::Item;

/// A note that is not an error disappears after this time.
const NOTE_STAYS: Duration = Duration::from_secs(6);
/// Saves this soon after another are one change to many files, and do not switch to another module.
const ONE_CHANGE: Duration = Duration::from_secs(2);

/// Handles a message that arrived at `now`.
pub fn update(model: &mut Model, now: Duration, message: Message) -> Vec<Effect> {
    let before = place(model);
    let mut effects = take(model, now, message);
    let leaves =
        |effect: &Effect| matches!(effect, Effect::Edit { .. } | Effect::Suspend | Effect::Quit);
    if model.figure.as_ref().is_some_and(|open| open.module != model.module) {
        effects.extend(explorables::close(model));
    }
    let left = match effects.iter().any(leaves) {
        true => place(model),
        false => before.filter(|(module, _)| *module != model.module),
    };
    if let Some((module, place)) = left {
        effects.insert(0, Effect::Keep(Record::Place { module, place }));
    }
    effects
}

/// The module on screen, and the reading position in it.
fn place(model: &Model) -> Option<(ModuleId, ReadingPosition)> {
    Some((model.module, scroll::here(model)?))
}

fn take(model: &mut Model, now: Duration, message: Message) -> Vec<Effect> {
    model.now = now;
    if model.note.as_ref().is_some_and(|(note, since)| !note.bad && now > *since + NOTE_STAYS) {
        model.note = None;
    }
    match message {
        Message::Key(key) => keys::press(model, key),
        Message::Pasted(text) => {
            predictions::paste(model, &text);
            vec![]
        }
        Message::Wheel { column, row, down } => mouse::wheel(model, column, row, down),
        Message::Click { column, row } => mouse::click(model, column, row),
        Message::Resized(width, height) => {
            model.size = (width, height);
            // Even if the size is that of the last frame: in between it may have been another one, at
            // which the terminal wrapped or cut what it showed.
            vec![Effect::Redraw]
        }
        Message::Background(theme) => {
            model.capabilities.theme = theme;
            vec![]
        }
        Message::Tick | Message::InputTaken => vec![],
        Message::LaidOut(measured) => {
            scroll::laid_out(model, measured);
            search::measured(model);
            vec![]
        }
        Message::Opened(opened) => self::opened(model, *opened),
        Message::Read { module, text, cells, edited } => {
            if let Some(status) = model.statuses.get_mut(&module) {
                status.edited = edited;
            }
            read(model, module, text, cells);
            vec![]
        }
        Message::Recalled { module, hints, answered, written, measured } => {
            predictions::recalled(model, module, written);
            recalled(model, module, hints, answered, measured);
            vec![]
        }
        Message::Milestones(milestones) => {
            runs::remembered(model, milestones);
            vec![]
        }
        Message::Trial { milestone, engine, modules, fingerprint } => {
            runs::trial(model, (milestone, engine), modules, fingerprint);
            vec![]
        }
        Message::Completing(module, message) => completions::message(model, module, message),
        Message::Chosen(engine) => {
            let other = model.engine != engine;
            model.engine = engine;
            // If the lesson opened before the store answered, it was checked on the other engine.
            let again = other && model.module_state().is_some();
            if again { vec![runs::check(model, Cause::Opened)] } else { vec![] }
        }
        Message::Saved(module) => saved(model, module),
        Message::Gone(module) => gone(model, module),
        Message::Watching(kind) => {
            model.watch_mode = Some(kind);
            vec![]
        }
        Message::Run(generation, message) => runs::message(model, generation, message),
        Message::Frame(number, frame) => explorables::frame(model, number, *frame),
        Message::Highlighted(highlighted) => {
            model.highlighted.extend(highlighted);
            vec![]
        }
        Message::Statuses(statuses) => {
            model.statuses.extend(statuses);
            // A check in this session is newer than what the store had.
            for (module, module_state) in &model.module_states {
                let fresh = module_state.report.outcome() != Outcome::Unknown;
                if let Some(status) = model.statuses.get_mut(module).filter(|_| fresh) {
                    status.checked(&module_state.report);
                }
            }
            vec![]
        }
        Message::Note(text) => {
            say(model, text);
            vec![]
        }
        Message::Failed(text) => {
            model.note = Some((Note { text, bad: true }, now));
            vec![]
        }
        Message::EditorStopped(signal) => vec![Effect::StopWithEditor(signal)],
        Message::EditorEnded(ended) => {
            if let Err(reason) = ended {
                let text = format!("the editor failed: {reason}");
                model.note = Some((Note { text, bad: true }, now));
            }
            vec![Effect::CloseEditor]
        }
        Message::Stopped => vec![Effect::Suspend],
        Message::Ended => vec![Effect::Cancel, Effect::Quit],
    }
}

/// Removes a note that no longer applies. An error stays until the next key.
fn drop_note(model: &mut Model) {
    model.note.take_if(|(note, _)| !note.bad);
}

fn say(model: &mut Model, text: impl Into<String>) {
    model.note = Some((Note { text: text.into(), bad: false }, model.now));
}

fn opened(model: &mut Model, opened: Opened) -> Vec<Effect> {
    let module = opened.module;
    let code = code_of(&opened.lesson.blocks);
    let module_state = model.module_states.entry(module).or_insert_with(|| ModuleState {
        restore: opened.place,
        ..ModuleState::new(module, opened.lesson.clone(), opened.file.clone())
    });
    module_state.lesson = opened.lesson;
    for described in model.course.module(module).map_or_else(Vec::new, Module::explorables) {
        let name = described.name.clone();
        module_state.explorables.entry(name).or_insert_with(|| Explorable::new(described));
    }
    model.module = module;
    scroll::go_to_goal(model);
    let mut effects = vec![];
    if !code.is_empty() {
        effects.push(Effect::Highlight(code));
    }
    effects.push(runs::check(model, Cause::Opened));
    effects
}

fn recalled(
    model: &mut Model,
    module: ModuleId,
    hints: BTreeMap<String, usize>,
    answered: Vec<String>,
    measured: Vec<(String, Item)>,
) {
    let Some(module_state) = model.module_states.get_mut(&module) else { return };
    for (cell, shown) in hints {
        let known = module_state.hints.entry(cell).or_default();
        *known = shown.max(*known);
    }
    module_state.answered.extend(answered);
    for (analysis, item) in measured {
        module_state.report.apply(&RunEvent::Reported { analysis, item });
    }
}

/// The code of a lesson, with its languages.
fn code_of(blocks: &[Block]) -> Vec<(String, String)> {
    let code = |block: &Block| match block {
        Block::Prose { text } => prose::code_blocks(text),
        _ => vec![],
    };
    blocks.iter().flat_map(code).collect()
}

fn read(
    model: &mut Model,
    module: ModuleId,
    text: Result<String, String>,
    cells: Vec<super::model::CellInfo>,
) {
    let Some(module_state) = model.module_states.get_mut(&module) else { return };
    module_state.cells = cells;
    module_state.exercise = match text {
        Ok(text) => Exercise::Text(text),
        Err(reason) => {
            model.run.take_if(|run| run.module == module);
            Exercise::Missing(reason)
        }
    };
}

fn saved(model: &mut Model, module: ModuleId) -> Vec<Effect> {
    let mut effects = close_welcome(model);
    effects.extend(show_saved(model, module));
    effects
}

/// Closes the welcome card, which would hide the results.
fn close_welcome(model: &mut Model) -> Vec<Effect> {
    match model.overlay.take_if(|overlay| *overlay == Overlay::Welcome) {
        Some(_) => vec![Effect::Keep(Record::Welcomed)],
        None => vec![],
    }
}

/// Checks the module if it is on screen. Otherwise switches to it, unless the learner is busy with the one on
/// screen or many files changed at once.
fn show_saved(model: &mut Model, module: ModuleId) -> Vec<Effect> {
    let last = model.saved.replace((module, model.now));
    if module == model.module {
        return match model.module_state() {
            Some(_) => {
                let mut effects = vec![runs::check(model, Cause::Saved)];
                effects.extend(explorables::restart(model));
                effects
            }
            None => vec![],
        };
    }
    let at_once = last.is_some_and(|(_, at)| model.now < at + ONE_CHANGE);
    if at_once || scroll::is_reading(model) || model.run.is_some() {
        // The screen stays. A save of the module on screen that follows counts as part of the same change.
        model.saved = last.or(model.saved);
        // The saved module is not checked now, so its results are of an earlier text.
        return vec![Effect::RefreshStatuses];
    }
    keys::go_to_module(model, module)
}

fn gone(model: &mut Model, module: ModuleId) -> Vec<Effect> {
    let Some(module_state) = model.module_states.get_mut(&module) else { return vec![] };
    module_state.exercise =
        Exercise::Missing("the file is gone; waiting for it to come back".into());
    match model.run.take_if(|run| run.module == module) {
        Some(_) => vec![Effect::Cancel],
        None => vec![],
    }
}

#[cfg(test)]
mod tests;
