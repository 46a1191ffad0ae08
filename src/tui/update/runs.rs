//! Runs: their start, what they say, and where the view goes when they end. Not here: what a verdict
//! means (`report`).

use super::{say, view_of};
use crate::curriculum::Milestone;
use crate::curriculum::lesson::Block;
use crate::report::{ModuleReport, Outcome};
use crate::runner::RunMessage;
use crate::runner::event::{RunEvent, RunKind};
use crate::tui::message::{Effect, Fact};
use crate::tui::model::{Cause, CellState, Exercise, Model, Run, Sheet, Standing};

/// Checks the module on screen. Results stay in view as old ones.
pub(super) fn check(model: &mut Model, cause: Cause) -> Effect {
    if let Some(sheet) = model.sheet_mut() {
        sheet.report.mark_old();
    }
    start(model, RunKind::Check, cause)
}

/// Starts a run in the module on screen; a run that goes on ends.
pub(super) fn start(model: &mut Model, kind: RunKind, cause: Cause) -> Effect {
    let (module, engine) = (model.module, model.engine);
    model.generation += 1;
    let before = model.sheet().map(Sheet::states).unwrap_or_default();
    model.run = Some(Run { module, kind, milestone: None, cause, since: model.now, before });
    if let Some(sheet) = model.sheet_mut() {
        sheet.trouble = None;
    }
    Effect::Run { generation: model.generation, module, kind, milestone: None, engine }
}

/// Runs a milestone's program on the engine in use.
pub(super) fn milestone(model: &mut Model, milestone: &'static Milestone) -> Effect {
    let started = start(model, RunKind::Milestone, Cause::Asked);
    if let Some(run) = &mut model.run {
        run.milestone = Some(milestone.id);
    }
    if let (Some(last), Some(sheet)) = (milestone.prerequisites.last(), model.sheet_mut()) {
        sheet.milestones.insert(milestone.id, ModuleReport::new(*last));
    }
    match started {
        Effect::Run { generation, module, kind, engine, .. } => {
            Effect::Run { generation, module, kind, milestone: Some(milestone.id), engine }
        }
        other => other,
    }
}

/// Takes what a run says into account, unless the run was replaced or ended.
pub(super) fn message(model: &mut Model, generation: u64, message: RunMessage) -> Vec<Effect> {
    if generation != model.generation {
        return vec![];
    }
    let Some(run) = model.run.clone() else { return vec![] };
    let Some(sheet) = model.sheets.get_mut(&run.module) else { return vec![] };
    match message {
        RunMessage::Event(event) => {
            match run.milestone.and_then(|id| sheet.milestones.get_mut(id)) {
                Some(report) => report.apply(&event),
                None => sheet.report.apply(&event),
            }
            match event {
                RunEvent::Finished => finished(model, &run),
                _ => vec![],
            }
        }
        RunMessage::Failed(failure) => {
            sheet.trouble = Some(failure.to_string());
            model.run = None;
            vec![]
        }
    }
}

fn finished(model: &mut Model, run: &Run) -> Vec<Effect> {
    model.run = None;
    let Some(sheet) = model.sheets.get(&run.module) else { return vec![] };
    if run.kind == RunKind::Milestone {
        return vec![];
    }
    let report = sheet.report.clone();
    let mut effects = vec![];
    if let Exercise::Text(text) = &sheet.exercise {
        let report = Box::new(report.clone());
        let fact = Fact::Run { kind: run.kind, report, text: text.clone() };
        effects.push(Effect::Remember(fact));
    }
    if run.kind != RunKind::Check {
        return effects;
    }
    if let Some(standing) = model.standings.get_mut(&run.module) {
        *standing = Standing { completed: standing.completed, ..Standing::of(&report) };
    }
    effects.extend(ink(&report));
    if run.module == model.module {
        go_to_change(model, run);
        if report.outcome() == Outcome::Passed {
            effects.push(start(model, RunKind::Analysis, Cause::Passed));
        }
    }
    effects
}

/// Asks for the colours of the lines that the compiler spoke of.
fn ink(report: &ModuleReport) -> Option<Effect> {
    let spans = report.diagnostics.iter().flat_map(|diagnostic| &diagnostic.spans);
    let lines: Vec<_> = spans.map(|span| ("rust".to_owned(), span.text.clone())).collect();
    (!lines.is_empty()).then_some(Effect::Ink(lines))
}

/// Brings the block into view that changed for the worse, or else the one that is next to do, unless
/// the learner is reading.
fn go_to_change(model: &mut Model, run: &Run) {
    if view_of::is_reading(model) {
        return;
    }
    let Some(sheet) = model.sheet() else { return };
    let untouched = run.cause == Cause::Opened && !sheet.states().values().any(is_begun);
    if untouched {
        return;
    }
    let passed = sheet.report.outcome() == Outcome::Passed;
    let piece = match sheet.report.errors().next() {
        Some(error) => Some(sheet.place(error).unwrap_or(0)),
        None if passed => first_analysis(sheet),
        None => worse(sheet, run).or_else(|| sheet.next_to_do().map(|(piece, _)| piece)),
    };
    if passed && run.cause != Cause::Opened {
        say(model, "every test passes; now the analyses");
    }
    if let Some(piece) = piece.filter(|_| !(passed && run.cause == Cause::Opened)) {
        view_of::go_to_piece(model, piece);
    }
}

fn is_begun(state: &CellState) -> bool {
    matches!(state, CellState::Passed | CellState::Failed)
}

/// The first cell that stands worse than before the run.
fn worse(sheet: &Sheet, run: &Run) -> Option<usize> {
    let is_worse = |cell: &str| {
        let before = run.before.get(cell).copied().unwrap_or(CellState::Unknown);
        before != CellState::Unknown && sheet.state(cell) > before
    };
    sheet.exercises().find(|(_, cell)| is_worse(cell)).map(|(piece, _)| piece)
}

fn first_analysis(sheet: &Sheet) -> Option<usize> {
    let is_analysis = |block: &Block| matches!(block, Block::Analysis { .. });
    sheet.lesson.blocks.iter().position(is_analysis).map(|index| index + 1)
}
