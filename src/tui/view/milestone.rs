//! A milestone: its story, and what its program reported on the engine in use.

use super::analysis;
use super::block::{self, framed, head, say};
use crate::curriculum::{MILESTONES, Milestone};
use crate::report::{ModuleReport, human};
use crate::runner::event::Verdict;
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Model, Sheet};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// The block of a milestone.
#[must_use]
pub fn lines(
    model: &Model,
    sheet: &Sheet,
    id: &str,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let Some(milestone) = MILESTONES.iter().find(|milestone| milestone.id == id) else {
        let word = vec![Span::styled("! no such milestone", style(Role::Wait))];
        return framed(vec![head("milestone", id, word, inner)], Role::Wait, focused);
    };
    let report = sheet.milestones.get(id);
    let running = model.run_here().is_some_and(|run| run.milestone == Some(milestone.id));
    let (glyph, word, role) = state(report, milestone, running);
    let title = format!("{} {}", milestone.year, milestone.title);
    let right = vec![Span::styled(format!("{glyph} {word}"), style(role))];
    let mut lines = vec![head("milestone", &title, right, inner)];
    lines.extend(say(milestone.story, Role::Text, inner));
    match report {
        None => {
            let text = format!("{} runs it on the engine in use", keymap::key(Action::Open));
            lines.extend(say(&text, Role::Dim, inner));
        }
        Some(report) => {
            for notice in &report.notices {
                let text = format!("! {}", human::notice(notice));
                lines.extend(say(&text, Role::Wait, inner));
            }
            for error in report.errors() {
                lines.extend(super::diagnostic::lines(error, &model.inks, inner));
            }
            for analysis in &report.analyses {
                lines.extend(analysis::items(&analysis.items, inner, model.look));
                lines.extend(analysis::broken(analysis, inner));
            }
        }
    }
    framed(lines, role, focused)
}

/// Each figure that the milestone names was reported and meets its target.
fn achieved(report: &ModuleReport, milestone: &Milestone) -> bool {
    let met = |name: &&str| {
        report.metrics().any(|metric| metric.name == **name && metric.is_met() == Some(true))
    };
    report.measured_well() && milestone.achieved_when.iter().all(met)
}

fn state(
    report: Option<&ModuleReport>,
    milestone: &Milestone,
    running: bool,
) -> (&'static str, &'static str, Role) {
    match report {
        _ if running => ("◐", "running", Role::Busy),
        None => ("○", "not run yet", Role::Wait),
        Some(report) if achieved(report, milestone) => ("✓", "achieved", Role::Good),
        Some(report) if report.compiles == Some(false) => ("✗", "does not compile", Role::Bad),
        Some(report) if report.analyses.iter().all(is_whole) => ("✗", "not reached", Role::Bad),
        Some(_) => ("✗", "did not finish", Role::Bad),
    }
}

fn is_whole(analysis: &crate::report::AnalysisState) -> bool {
    analysis.ended.as_ref().is_some_and(|end| end.verdict == Verdict::Passed)
}
