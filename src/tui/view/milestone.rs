//! A milestone: its story, what its program reported on the engine in use, whose code that was, and
//! the reference beside it. Must not know when it is achieved.

use super::block::{self, framed, head, say};
use super::{analysis, table};
use crate::curriculum::{Course, Milestone};
use crate::report::milestone::side_by_side;
use crate::report::{AnalysisState, MilestoneOutcome, Phase, Ran, human};
use crate::runner::event::Verdict;
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Engine, Model, Run, Trained};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};
use tinytorch::report::Item;

/// The block of a milestone.
#[must_use]
pub fn lines(model: &Model, id: &str, (width, focused): (usize, bool)) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let Some(milestone) = model.course.milestone(id) else {
        let word = vec![Span::styled("! no such milestone", style(Role::Wait))];
        return framed(vec![head("milestone", id, word, inner)], Role::Wait, focused);
    };
    let at = |engine| model.milestones.get(&(milestone.id, engine));
    let run = run_of(model, milestone);
    let trained = at(model.engine);
    let ran = trained.and_then(|trained| trained.ran.as_ref());
    let (glyph, word, role) = state(model, milestone);
    let title = format!("{} {}", milestone.year, milestone.title);
    let mut right = vec![Span::styled(format!("{glyph} {word}"), style(role))];
    right.extend(block::old(run.is_none() && trained.is_some_and(|trained| trained.old)));
    let mut lines = vec![head("milestone", &title, right, inner)];
    lines.extend(say(milestone.story, Role::Text, inner));
    let live = run.is_some_and(|run| run.engine == model.engine);
    match (trained, ran) {
        (None, _) => lines.extend(offer(model.engine, inner)),
        (Some(_), Some(ran)) if !live => lines.extend(whose(ran, model.course, inner)),
        _ => {}
    }
    // The result is above the curves that led to it.
    if let (Engine::Mine, Some(beside)) = (model.engine, at(Engine::Reference)) {
        lines.extend(self::beside(model, ran.filter(|_| !live), (beside, run), inner));
    }
    lines.extend(trained.into_iter().flat_map(|trained| report(model, trained, live, inner)));
    if let Some(ran) = ran.filter(|_| !live) {
        lines.extend(analysis::items(&ran.items, inner, model.capabilities));
    }
    framed(lines, role, focused)
}

fn offer(engine: Engine, width: usize) -> Vec<Line<'static>> {
    let key = keymap::key(Action::Open);
    let text = match engine {
        Engine::Mine => format!("{key} runs it on your engine, then on the reference to compare"),
        Engine::Reference => format!("{key} runs it on the reference"),
    };
    say(&text, Role::Dim, width)
}

/// What a run of this session reports: everything while it runs, afterwards only its errors.
fn report(model: &Model, trained: &Trained, live: bool, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![];
    for notice in &trained.report.notices {
        lines.extend(say(&format!("! {}", human::notice(notice, model.course)), Role::Wait, width));
    }
    for error in trained.report.errors() {
        lines.extend(super::diagnostic::lines(error, &model.highlighted, width));
    }
    for program in &trained.report.analyses {
        if live {
            lines.extend(analysis::items(&program.items, width, model.capabilities));
        }
        lines.extend(analysis::broken(program, width));
    }
    lines
}

/// The reference: its progress while it runs, then both engines in one table.
fn beside(
    model: &Model,
    mine: Option<&Ran>,
    (reference, run): (&Trained, Option<&Run>),
    width: usize,
) -> Vec<Line<'static>> {
    if run.is_some_and(|run| run.engine == Engine::Reference) {
        let mut lines = vec![Line::default()];
        lines.extend(say("the same on the reference:", Role::Dim, width));
        let programs = &reference.report.analyses;
        let items = programs.iter().flat_map(|program| &program.items);
        let progress: Vec<_> =
            items.filter(|item| matches!(item, Item::Progress(_))).cloned().collect();
        lines.extend(analysis::items(&progress, width, model.capabilities));
        return lines;
    }
    let Some((mine, theirs)) = mine.zip(reference.ran.as_ref()) else { return vec![] };
    let mut lines = vec![Line::default()];
    lines.extend(table::report(&side_by_side(mine, theirs), width));
    lines
}

/// Whose code ran, module by module.
fn whose(ran: &Ran, course: &Course, width: usize) -> Vec<Line<'static>> {
    let names = |mine: bool| -> String {
        let modules = ran.modules.iter().filter(|ran| ran.mine == mine && ran.reason.is_none());
        modules.map(|ran| course.slug(ran.module)).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![Line::default()];
    for (whose, names) in [("your", names(true)), ("the reference's", names(false))] {
        if !names.is_empty() {
            lines.extend(say(&format!("ran on {whose} {names}"), Role::Dim, width));
        }
    }
    for ran in ran.modules.iter().filter(|ran| ran.reason.is_some()) {
        lines.extend(say(&format!("! {}", ran.sentence(course)), Role::Wait, width));
    }
    lines
}

fn run_of<'a>(model: &'a Model, milestone: &Milestone) -> Option<&'a Run> {
    model.run.as_ref().filter(|run| run.milestone == Some(milestone.id))
}

/// Glyph, word and role of a milestone's state on the engine in use.
#[must_use]
pub fn state(model: &Model, milestone: &Milestone) -> (&'static str, &'static str, Role) {
    if run_of(model, milestone).is_some() {
        return ("◐", "running", Role::Busy);
    }
    let Some(trained) = model.milestones.get(&(milestone.id, model.engine)) else {
        return ("○", "not run yet", Role::Wait);
    };
    if trained.ran.is_none() && trained.report.phase != Phase::Done {
        return ("○", "stopped early", Role::Wait);
    }
    match &trained.ran {
        Some(ran) if ran.met => match ran.outcome(milestone) {
            MilestoneOutcome::Preview => ("○", "preview, on the reference", Role::Wait),
            _ => ("✓", "achieved", Role::Good),
        },
        _ if trained.report.compiles == Some(false) => ("✗", "does not compile", Role::Bad),
        Some(_) if trained.report.analyses.iter().all(is_whole) => ("✗", "not reached", Role::Bad),
        _ => ("✗", "did not finish", Role::Bad),
    }
}

fn is_whole(program: &AnalysisState) -> bool {
    program.ended.as_ref().is_some_and(|end| end.verdict == Verdict::Passed)
}
