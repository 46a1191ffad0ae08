//! All results of the module on screen: its completion, the compiler's errors, every test with what it
//! printed. Must not know how many of the lines are in view.

use super::block::{say, time};
use super::exercise::{self, Limits};
use super::{diagnostic, explorable, status};
use crate::curriculum::{Course, ModuleId};
use crate::tui::layout::Results;
use crate::tui::model::{Model, ModuleState};
use crate::tui::theme::Role;
use ratatui::text::Line;
use std::time::Duration;

/// Everything: the runner truncates longer output.
const ALL: Limits = Limits { message: 2000, printed: 2000 };

/// All results; in full screen the open figure, if there is one.
#[must_use]
pub fn lines(model: &Model, module_state: &ModuleState, width: usize) -> Vec<Line<'static>> {
    if model.results == Results::Zoomed
        && let Some(figure) = explorable::zoomed(model, module_state, width)
    {
        return figure;
    }
    let mut lines = completion(model, width);
    for diagnostic in &module_state.report.diagnostics {
        lines.extend(diagnostic::lines(diagnostic, &model.highlighted, width));
        lines.push(Line::default());
    }
    let report = &module_state.report;
    lines.extend(exercise::tests(module_state, report.graded(), ALL, width));
    lines.extend(exercise::own_tests(module_state, report.own_tests(), ALL, width));
    if lines.is_empty() {
        lines = say("nothing has run yet", Role::Dim, width);
    }
    lines
}

/// The completion in progress, else the last one of the module on screen: its state, and each module that was
/// rebuilt, with its time.
fn completion(model: &Model, width: usize) -> Vec<Line<'static>> {
    let ended = model.completed.as_ref().filter(|ended| ended.module == model.module);
    let mut lines: Vec<_> = match (model.completing.first(), ended) {
        (Some(first), _) => {
            let state = status::completing(first, model.completing.len() - 1, model.course);
            [Line::from(state)]
                .into_iter()
                .chain(ready(&first.rebuilt, model.course, width))
                .collect()
        }
        (None, Some(ended)) => {
            let (glyph, role) = if ended.good { ("✓", Role::Good) } else { ("✗", Role::Bad) };
            let mut lines = say(&format!("{glyph} {}", ended.text), role, width);
            lines.extend(ready(&ended.rebuilt, model.course, width));
            lines
        }
        (None, None) => return vec![],
    };
    lines.push(Line::default());
    lines
}

fn ready(modules: &[(ModuleId, Duration)], course: &Course, width: usize) -> Vec<Line<'static>> {
    let line = |(module, took): &(ModuleId, Duration)| {
        let slug = course.slug(*module);
        say(&format!("✓ {slug} rebuilt in {}", time(*took)), Role::Good, width)
    };
    modules.iter().flat_map(line).collect()
}
