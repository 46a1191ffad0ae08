//! All results of the module on screen, one after another: what the compiler said, every test, what
//! it printed. Comes in: a sheet. Goes out: lines.

use super::block::say;
use super::text::fold;
use super::{diagnostic, exercise};
use crate::report::human;
use crate::runner::event::Verdict;
use crate::tui::model::{Inks, Sheet};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// Diagnostics and tests; longer outputs are cut by the runner.
const MOST: usize = 2000;

/// All results.
#[must_use]
pub fn lines(sheet: &Sheet, inks: &Inks, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![];
    for diagnostic in &sheet.report.diagnostics {
        lines.extend(diagnostic::lines(diagnostic, inks, width));
        lines.push(Line::default());
    }
    for test in &sheet.report.tests {
        lines.push(exercise::test_line(&test.name, test.result.as_ref(), test.old, width));
        let Some(result) = &test.result else { continue };
        if !matches!(result.verdict, Verdict::Passed | Verdict::NotStarted { .. }) {
            let indent = [Span::raw("  ")];
            let (_, more) = human::verdict(&result.verdict);
            for line in more.lines() {
                let span = Span::styled(line.to_owned(), style(Role::Bad));
                lines.extend(fold(&[span], width, &indent, &indent));
            }
        }
        lines.extend(exercise::printed(&result.output.text, MOST, width));
        if result.output.cut > 0 {
            let text = format!("  {} bytes were cut from the middle", result.output.cut);
            lines.extend(say(&text, Role::Dim, width));
        }
    }
    if lines.is_empty() {
        lines = say("nothing was run yet", Role::Dim, width);
    }
    lines
}
