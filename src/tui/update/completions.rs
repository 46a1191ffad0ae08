//! Completions: the progress of modules into the learner's engine, and the effects of each step. Must not know how
//! a module is tested (`framework`).

use super::{runs, say};
use crate::curriculum::ModuleId;
use crate::error::count;
use crate::framework::{Completion, Step};
use crate::report::figures::figure;
use crate::report::{ModuleReport, Outcome};
use crate::runner::event::RunKind;
use crate::tui::message::{self, Effect, Record};
use crate::tui::model::{self, Cause, Completing, Engine, Exercise, Model, Note, Stage};

/// Requests the completion of the module on screen. Its tests run again: the results on screen may be of an
/// earlier text.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    let module = model.module;
    let Some(module_state) = model.module_state() else { return vec![] };
    if let Exercise::Missing(reason) = &module_state.exercise {
        let text = format!("{}: {reason}", module_state.file);
        say(model, text);
        return vec![];
    }
    // A new request replaces an earlier one for the same module.
    let known = model.completing.len();
    model.completing.retain(|earlier| earlier.module != module);
    let restarts = model.completing.len() < known;
    match model.completing.first().map(|first| model.course.slug(first.module)) {
        Some(first) => {
            say(model, format!("{} is completed after {first}", model.course.slug(module)));
        }
        None if restarts => {
            let slug = model.course.slug(module);
            say(model, format!("restarting the completion of {slug} with the current file"));
        }
        None => {}
    }
    model.completing.push(Completing { module, stage: Stage::Waiting, rebuilt: vec![] });
    vec![Effect::Complete(module)]
}

/// Cancels every completion.
pub(super) fn stop(model: &mut Model) -> Vec<Effect> {
    model.completing.clear();
    say(model, "stopped; your engine is unchanged");
    vec![Effect::StopCompleting, Effect::RefreshStatuses]
}

pub(super) fn message(
    model: &mut Model,
    module: ModuleId,
    message: message::Completing,
) -> Vec<Effect> {
    let known = model.completing.iter_mut().find(|known| known.module == module);
    // It was stopped before this message arrived.
    let Some(known) = known else { return vec![] };
    match message {
        message::Completing::Begun => known.stage = Stage::Checking,
        message::Completing::Step(step) => return self::step(model, module, step),
        message::Completing::Ended(ended) => return finish(model, module, &ended),
        message::Completing::Failed(error) => {
            let text = format!("{} is not completed: {error}", model.course.slug(module));
            close(model, module, text, false);
        }
    }
    vec![]
}

fn step(model: &mut Model, module: ModuleId, step: Step) -> Vec<Effect> {
    let Some(known) = model.completing.iter_mut().find(|known| known.module == module) else {
        return vec![];
    };
    match step {
        Step::Check(_) => {}
        Step::Checked { report, text } => {
            return vec![Effect::Keep(Record::Run { kind: RunKind::Check, report, text })];
        }
        Step::Rebuilt { module, took } => {
            known.stage = Stage::Rebuilding;
            known.rebuilt.push((module, took));
        }
        Step::Proving { module } => known.stage = Stage::Proving(module),
        Step::Swapped => return vec![Effect::RefreshStatuses],
    }
    vec![]
}

fn finish(model: &mut Model, module: ModuleId, ended: &Completion) -> Vec<Effect> {
    let Some(known) = model.completing.iter().find(|known| known.module == module) else {
        return vec![];
    };
    let slug = model.course.slug(module);
    match ended {
        Completion::Yes => {
            let seconds: f64 = known.rebuilt.iter().map(|(_, took)| took.as_secs_f64()).sum();
            let (modules, seconds) = (count(known.rebuilt.len(), "module"), figure(seconds, "s"));
            let text = format!("{slug} is part of your engine: {modules} rebuilt in {seconds}");
            close(model, module, text, true);
        }
        Completion::Rejected { reason } => {
            let text = format!("the reference is used instead of {slug}: {reason}");
            close(model, module, text, false);
        }
        Completion::NotYet(report) => {
            let why = why_not(report);
            let text = format!("{slug} is not completed: {why}; your engine is unchanged");
            close(model, module, text, false);
            return vec![];
        }
        Completion::Cancelled => {
            close(model, module, format!("the completion of {slug} was stopped"), false);
            return vec![];
        }
    }
    let mut effects = vec![Effect::RefreshStatuses];
    let uses_it = model.module > module && model.engine == Engine::Mine;
    if uses_it && model.run.is_none() && model.module_state().is_some() {
        effects.push(runs::check(model, Cause::Engine));
    }
    effects
}

/// Ends a completion. A note shows the outcome, which stays in the results.
fn close(model: &mut Model, module: ModuleId, text: String, good: bool) {
    let index = model.completing.iter().position(|known| known.module == module);
    let rebuilt = index.map(|index| model.completing.remove(index).rebuilt).unwrap_or_default();
    model.note = Some((Note { text: text.clone(), bad: !good }, model.now));
    model.completed = Some(model::Completion { module, rebuilt, text, good });
}

fn why_not(report: &ModuleReport) -> String {
    let (passed, tests) = report.passed();
    match report.outcome() {
        Outcome::DoesNotCompile => "it does not compile".to_owned(),
        _ => format!("{passed} of {} pass", count(tests, "test")),
    }
}

#[cfg(test)]
mod tests;
