//! The list of modules with the state of each, and below it the milestones.

use super::milestone;
use super::text::both_ends;
use crate::curriculum::{Milestone, Module};
use crate::report::{MilestoneOutcome, Outcome};
use crate::tui::model::{Engine, Model, ModuleStatus, Owner, Totals};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// One line for each module, a heading, one for each milestone; the module on screen and the
/// one under the cursor are marked.
#[must_use]
pub fn lines(model: &Model, cursor: Option<usize>, width: usize) -> Vec<Line<'static>> {
    let chosen = |(index, line): (usize, Line<'static>)| {
        if cursor == Some(index) { line.patch_style(style(Role::Selected)) } else { line }
    };
    let course = model.course;
    let modules = course.modules().iter().map(|module| line(model, module, width));
    let milestones = course.milestones().iter().map(|milestone| goal(model, milestone, width));
    let mut lines: Vec<_> = modules.chain(milestones).enumerate().map(chosen).collect();
    lines.insert(course.modules().len(), self::milestones(model, width));
    lines
}

/// The passing tests of the whole course and their points, each with the total.
fn totals(model: &Model) -> [(String, &'static str); 2] {
    let (mut passed, mut all) = (Totals::default(), Totals::default());
    for module in model.course.modules() {
        let status = model.statuses.get(&module.id);
        let module = model.totals.get(&module.id).copied().unwrap_or_default();
        passed.tests += status.map_or(0, |status| status.passed);
        passed.points += status.map_or(0, |status| status.points);
        all.tests += module.tests;
        all.points += module.points;
    }
    let of = |passed: u64, all: u64| format!("{passed}/{all}");
    [
        (of(passed.tests as u64, all.tests as u64), "tests"),
        (of(passed.points.into(), all.points.into()), "points"),
    ]
}

/// The learner's progress in the course, on one line.
#[must_use]
pub fn progress(model: &Model) -> String {
    let [(tests, _), (points, _)] = totals(model);
    format!("modules: {tests} tests, {points} points")
}

/// The heading, with the learner's progress in the course: two lines.
#[must_use]
pub fn heading(model: &Model, width: usize) -> Vec<Line<'static>> {
    let dim = |text: String| vec![Span::styled(text, style(Role::Dim))];
    let [tests, points] = totals(model).map(|(count, of)| dim(format!("{count} {of}")));
    vec![both_ends(dim(" MODULES".into()), tests, width), both_ends(vec![], points, width)]
}

/// The heading of the milestones, with how many are achieved.
fn milestones(model: &Model, width: usize) -> Line<'static> {
    let all = model.course.milestones();
    let achieved = |milestone: &&Milestone| {
        let ran = model.milestones.get(&(milestone.id, Engine::Mine));
        ran.and_then(|trained| trained.ran.as_ref())
            .is_some_and(|ran| ran.outcome(milestone) == MilestoneOutcome::Achieved)
    };
    let count = format!("{}/{}", all.iter().filter(achieved).count(), all.len());
    let name = vec![Span::styled(" MILESTONES", style(Role::Dim))];
    both_ends(name, vec![Span::styled(count, style(Role::Dim))], width)
}

fn line(model: &Model, module: &Module, width: usize) -> Line<'static> {
    let status = model.statuses.get(&module.id).cloned().unwrap_or_default();
    let here = module.id == model.module;
    let (glyph, role) = glyph(&status);
    let name = if here { Role::Strong } else { Role::Text };
    let left = vec![
        Span::styled(if here { "▸" } else { " " }, style(Role::Key)),
        Span::styled(format!("{glyph} "), style(role)),
        Span::styled(format!("{:02} {}", module.id.0, module.title), style(name)),
    ];
    let (mine, owner) = link(&status);
    let count = match status.tests {
        0 => String::new(),
        tests => format!("{}/{tests}", status.passed),
    };
    let right = vec![Span::styled(mine, style(owner)), Span::styled(count, style(Role::Dim))];
    both_ends(left, right, width)
}

fn goal(model: &Model, milestone: &Milestone, width: usize) -> Line<'static> {
    let (glyph, _, role) = milestone::state(model, milestone);
    let name = format!("{} {}", milestone.year, milestone.title);
    both_ends(vec![Span::styled(format!(" {glyph} "), style(role)), name.into()], vec![], width)
}

/// Whose code the engine uses for the module.
fn link(status: &ModuleStatus) -> (&'static str, Role) {
    match &status.owner {
        Owner::Reference => ("", Role::Dim),
        Owner::Rejected { .. } => ("unused ", Role::Bad),
        Owner::Learner if status.fails_now() => ("fails ", Role::Bad),
        Owner::Learner if status.edited => ("edited ", Role::Wait),
        Owner::Learner => ("mine ", Role::Dim),
    }
}

fn glyph(status: &ModuleStatus) -> (&'static str, Role) {
    match status.outcome {
        _ if status.fails_now() => ("✗", Role::Bad),
        Outcome::Passed => ("✓", Role::Good),
        Outcome::DoesNotCompile => ("✗", Role::Bad),
        Outcome::Unfinished => ("◐", Role::Wait),
        Outcome::NotStarted => ("○", Role::Dim),
        Outcome::Unknown if status.tests > 0 => ("◌", Role::Dim),
        Outcome::Unknown => ("·", Role::Dim),
    }
}
