//! Runs: their start, their events, and where the view goes when they end. Must not know what a verdict
//! means (`report`).

use super::{drop_note, say, scroll};
use crate::curriculum::Milestone;
use crate::curriculum::lesson::Block;
use crate::report::{ModuleReport, Outcome, Ran, RanModule};
use crate::runner::RunMessage;
use crate::runner::event::{RunEvent, RunKind};
use crate::tui::keymap::{Action, key};
use crate::tui::message::{Effect, Record, Remembered};
use crate::tui::model::{Cause, CellState, Engine, Exercise, Model, ModuleState, Run, Trained};
use std::collections::btree_map::Entry;

/// Checks the module on screen. Earlier results stay in view, marked as old.
pub(super) fn check(model: &mut Model, cause: Cause) -> Effect {
    if let Some(module_state) = model.module_state_mut() {
        module_state.report.mark_old();
    }
    start(model, RunKind::Check, cause)
}

/// Starts a run in the module on screen; it replaces a run in progress.
pub(super) fn start(model: &mut Model, kind: RunKind, cause: Cause) -> Effect {
    begin(model, (kind, None), model.engine, cause)
}

/// Runs a milestone's program on an engine.
pub(super) fn milestone(
    model: &mut Model,
    milestone: &'static Milestone,
    engine: Engine,
    cause: Cause,
) -> Effect {
    if let Some(last) = milestone.prerequisites.last() {
        let known = model.milestones.entry((milestone.id, engine));
        let trained = known.or_insert_with(|| Trained {
            report: ModuleReport::new(*last),
            modules: vec![],
            fingerprint: String::new(),
            ran: None,
            old: false,
        });
        // The earlier result stays until this run ends, because it may be stopped.
        trained.report = ModuleReport::new(*last);
        trained.old = true;
    }
    begin(model, (RunKind::Milestone, Some(milestone.id)), engine, cause)
}

fn begin(
    model: &mut Model,
    (kind, milestone): (RunKind, Option<&'static str>),
    engine: Engine,
    cause: Cause,
) -> Effect {
    let module = model.module;
    model.generation += 1;
    let before = model.module_state().map(ModuleState::states).unwrap_or_default();
    let error_before = model.module_state().and_then(ModuleState::error_piece);
    let since = model.now;
    let run = Run { module, kind, milestone, engine, cause, since, before, error_before };
    model.run = Some(run);
    // The note that every test passes stays while the analyses run.
    if cause != Cause::Passed {
        drop_note(model);
    }
    if let Some(module_state) = model.module_state_mut() {
        module_state.error = None;
    }
    Effect::Run { generation: model.generation, module, kind, milestone, engine }
}

/// Records whose code a milestone is about to run on.
pub(super) fn trial(
    model: &mut Model,
    which: (&'static str, Engine),
    modules: Vec<RanModule>,
    fingerprint: String,
) {
    if let Some(trained) = model.milestones.get_mut(&which) {
        trained.modules = modules;
        trained.fingerprint = fingerprint;
    }
}

/// Takes the results of milestones from the store. What ran in this session is newer, but its engine may have
/// changed since.
pub(super) fn remembered(model: &mut Model, milestones: Vec<Remembered>) {
    for Remembered { milestone, engine, ran, fingerprint, old } in milestones {
        let busy = model.run.as_ref().is_some_and(|run| run.milestone == Some(milestone));
        match model.milestones.entry((milestone, engine)) {
            Entry::Vacant(entry) => {
                let (report, modules) = (ModuleReport::new(model.module), ran.modules.clone());
                entry.insert(Trained { report, modules, fingerprint, ran: Some(ran), old });
            }
            Entry::Occupied(mut entry) if entry.get().fingerprint == fingerprint => {
                entry.get_mut().old = old;
            }
            // Another terminal has run it since. A result of this session would be newer.
            Entry::Occupied(mut entry) if entry.get().report.analyses.is_empty() && !busy => {
                let (report, modules) = (ModuleReport::new(model.module), ran.modules.clone());
                entry.insert(Trained { report, modules, fingerprint, ran: Some(ran), old });
            }
            Entry::Occupied(_) => {}
        }
    }
}

/// Handles a message of a run, unless the run was replaced or has ended.
pub(super) fn message(model: &mut Model, generation: u64, message: RunMessage) -> Vec<Effect> {
    if generation != model.generation {
        return vec![];
    }
    let Some(run) = model.run.clone() else { return vec![] };
    let Some(module_state) = model.module_states.get_mut(&run.module) else { return vec![] };
    match message {
        RunMessage::Event(event) => {
            let which = run.milestone.map(|id| (id, run.engine));
            match which.and_then(|which| model.milestones.get_mut(&which)) {
                Some(trained) => trained.report.apply(&event),
                None => module_state.report.apply(&event),
            }
            match event {
                RunEvent::Finished => finished(model, &run),
                _ => vec![],
            }
        }
        RunMessage::Failed(error) => {
            module_state.error = Some(error.to_string());
            model.run = None;
            vec![]
        }
    }
}

fn finished(model: &mut Model, run: &Run) -> Vec<Effect> {
    model.run = None;
    drop_note(model);
    if let Some(id) = run.milestone {
        return trained(model, run, id);
    }
    let Some(module_state) = model.module_states.get(&run.module) else { return vec![] };
    let report = module_state.report.clone();
    let mut effects = vec![];
    if let Exercise::Text(text) = &module_state.exercise {
        let report = Box::new(report.clone());
        let record = Record::Run { kind: run.kind, report, text: text.clone() };
        effects.push(Effect::Keep(record));
    }
    if run.kind != RunKind::Check {
        return effects;
    }
    if let Some(status) = model.statuses.get_mut(&run.module) {
        status.checked(&report);
    }
    effects.extend(highlight(&report));
    if run.module == model.module {
        go_to_change(model, run);
        if report.outcome() == Outcome::Passed {
            effects.push(start(model, RunKind::Analysis, Cause::Passed));
        }
    }
    effects
}

/// Handles the end of a milestone's program. After the learner's engine it runs on the reference, so that
/// both are shown side by side.
fn trained(model: &mut Model, run: &Run, id: &'static str) -> Vec<Effect> {
    let milestone = model.course.milestone(id);
    let trained = model.milestones.get_mut(&(id, run.engine));
    let (Some(milestone), Some(trained)) = (milestone, trained) else { return vec![] };
    let ran = Ran::of(milestone, &trained.report, trained.modules.clone(), model.course);
    trained.ran = Some(ran.clone());
    trained.old = false;
    let (engine, fingerprint) = (run.engine, trained.fingerprint.clone());
    let mine = ran.modules.iter().any(|module| module.mine);
    let record = Record::Milestone { milestone: id, engine, fingerprint, ran: Box::new(ran) };
    let mut effects = vec![Effect::Keep(record)];
    if mine && run.module == model.module {
        effects.push(self::milestone(model, milestone, Engine::Reference, Cause::Comparison));
    }
    effects
}

/// Highlights the lines that compiler errors quote.
fn highlight(report: &ModuleReport) -> Option<Effect> {
    let spans = report.diagnostics.iter().flat_map(|diagnostic| &diagnostic.spans);
    let lines: Vec<_> = spans.map(|span| ("rust".to_owned(), span.text.clone())).collect();
    (!lines.is_empty()).then_some(Effect::Highlight(lines))
}

/// Scrolls to the block whose verdict changed, unless the learner is reading. An unchanged verdict does not
/// scroll, and a pass scrolls no further than to the cell that passed: the text below it is unread.
fn go_to_change(model: &mut Model, run: &Run) {
    let Some(module_state) = model.module_state() else { return };
    let passed = module_state.report.outcome() == Outcome::Passed;
    let piece = match run.cause {
        Cause::Opened => first_to_do(module_state),
        _ => changed(module_state, run),
    };
    if passed && run.cause != Cause::Opened {
        say(model, format!("every test passes; {} shows the analyses", key(Action::Analyse)));
    }
    if let Some(piece) = piece.filter(|_| !scroll::is_reading(model)) {
        scroll::keep_place(model);
        scroll::go_to_piece(model, piece);
    }
}

/// The first thing to do in a lesson that was started before and opens at its top.
fn first_to_do(module_state: &ModuleState) -> Option<usize> {
    let at_top = module_state.top == 0 && module_state.restore.is_none();
    let begun = module_state.states().values().any(is_begun);
    let error = module_state.error_piece();
    let to_do = || module_state.next_to_do().map(|(piece, _)| piece);
    if at_top && (begun || error.is_some()) { error.or_else(to_do) } else { None }
}

fn is_begun(state: &CellState) -> bool {
    matches!(state, CellState::Passed | CellState::Failed)
}

/// The piece whose verdict differs from that before the run: the compiler's error if it is at another
/// place, else the first cell that got worse, else the first that got better.
fn changed(module_state: &ModuleState, run: &Run) -> Option<usize> {
    if let Some(error) = module_state.error_piece() {
        return Some(error).filter(|_| run.error_before != Some(error));
    }
    let before = |cell: &str| run.before.get(cell).copied().unwrap_or(CellState::Unknown);
    let is_worse =
        |cell: &str| before(cell) != CellState::Unknown && module_state.state(cell) > before(cell);
    let is_better = |cell: &str| module_state.state(cell) < before(cell);
    let first = |is_it: &dyn Fn(&str) -> bool| {
        module_state.exercises().find(|(_, cell)| is_it(cell)).map(|(piece, _)| piece)
    };
    first(&is_worse).or_else(|| first(&is_better))
}

/// The piece of the first analysis.
pub(super) fn first_analysis(module_state: &ModuleState) -> Option<usize> {
    let is_analysis = |block: &Block| matches!(block, Block::Analysis { .. });
    module_state.lesson.blocks.iter().position(is_analysis).map(|index| index + 1)
}
