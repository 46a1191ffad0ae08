//! Modules on their way into the learner's engine: what is said of them, and what follows. Not here:
//! the proof itself (`framework`).

use super::{runs, say};
use crate::curriculum::{Module, ModuleId};
use crate::framework::{Completed, Step};
use crate::report::figures::figure;
use crate::tui::message::{self, Effect};
use crate::tui::model::{Cause, Completing, Engine, Exercise, Model, Note, Stage};

/// Asks for the module on screen to be completed. Its tests decide, and they are run: what the screen
/// knows may be of an earlier text.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    let module = model.module;
    let Some(sheet) = model.sheet() else { return vec![] };
    if let Exercise::Missing(reason) = &sheet.exercise {
        let text = format!("{}: {reason}", sheet.file);
        say(model, text);
        return vec![];
    }
    // A newer text takes the place of the one that is on its way.
    model.completing.retain(|earlier| earlier.module != module);
    model.completing.push(Completing { module, stage: Stage::Waiting, rebuilt: vec![] });
    vec![Effect::Complete(module)]
}

/// Ends everything that is being completed.
pub(super) fn stop(model: &mut Model) -> Vec<Effect> {
    model.completing.clear();
    say(model, "stopped; your engine is as it was");
    vec![Effect::StopCompleting, Effect::Stand]
}

pub(super) fn message(
    model: &mut Model,
    module: ModuleId,
    message: message::Completing,
) -> Vec<Effect> {
    let known = model.completing.iter_mut().find(|known| known.module == module);
    // It was stopped while this was on its way.
    let Some(known) = known else { return vec![] };
    match message {
        message::Completing::Begun => known.stage = Stage::Checking,
        message::Completing::Step(step) => return self::step(model, module, step),
        message::Completing::Ended(ended) => return over(model, module, &ended),
        message::Completing::Failed(failure) => {
            model.completing.retain(|known| known.module != module);
            complain(model, format!("{} is not completed: {failure}", slug(module)));
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
        Step::Rebuilt { module, took } => {
            known.stage = Stage::Rebuilding;
            known.rebuilt.push((module, took));
        }
        Step::Proving { module } => known.stage = Stage::Proving(module),
        Step::Swapped => return vec![Effect::Stand],
    }
    vec![]
}

fn over(model: &mut Model, module: ModuleId, ended: &Completed) -> Vec<Effect> {
    let Some(index) = model.completing.iter().position(|known| known.module == module) else {
        return vec![];
    };
    let Completing { rebuilt, .. } = model.completing.remove(index);
    let slug = slug(module);
    match ended {
        Completed::Yes => {
            let seconds: f64 = rebuilt.iter().map(|(_, took)| took.as_secs_f64()).sum();
            let (links, seconds) = (rebuilt.len(), figure(seconds, "s"));
            say(model, format!("{slug} is part of your engine: {links} links ready in {seconds}"));
        }
        Completed::StandsIn { reason } => {
            complain(model, format!("{slug}: the reference stands in for it: {reason}"));
        }
        Completed::NotYet(report) => {
            let (passed, tests) = report.passed();
            let text = format!("{slug} is not completed: {passed} of {tests} tests pass");
            complain(model, text);
            return vec![];
        }
        Completed::Cancelled => return vec![],
    }
    let mut effects = vec![Effect::Stand];
    let stands_on_it = model.module > module && model.engine == Engine::Mine;
    if stands_on_it && model.run.is_none() && model.sheet().is_some() {
        effects.push(runs::check(model, Cause::Engine));
    }
    effects
}

fn complain(model: &mut Model, text: String) {
    model.note = Some((Note { text, bad: true }, model.now));
}

fn slug(module: ModuleId) -> String {
    Module::by_id(module).map(Module::slug).unwrap_or_default()
}
