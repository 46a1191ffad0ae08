//! The block of an analysis: what it reported, as tables, charts, metrics, pictures and sentences.
//! Also the block that collects the learner's own figures. Must not know where an item came from.

use super::block::{self, framed, head, say};
use super::text::{fold, wrap};
use super::{chart, exercise, markdown, picture, table, tokens};
use crate::report::{AnalysisState, figures, human};
use crate::runner::event::{RunKind, Verdict};
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Capabilities, Model, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};
use tinytorch::report::{Item, Metric, Progress};

/// Lines of output shown of an analysis that failed.
const PRINTED: usize = 12;

/// The block of an analysis.
#[must_use]
pub fn lines(
    model: &Model,
    module_state: &ModuleState,
    (name, text): (&str, &str),
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let state = module_state.report.analyses.iter().find(|analysis| analysis.name == name);
    let measuring =
        model.run_here().is_some_and(|run| run.kind == RunKind::Analysis) && model.run.is_some();
    let (glyph, word, role) = match state {
        Some(AnalysisState { old: true, .. }) => ("◌", "old", Role::Wait),
        Some(AnalysisState { ended: None, .. }) if measuring => ("◐", "measuring", Role::Busy),
        Some(AnalysisState { ended: Some(end), .. }) if end.verdict != Verdict::Passed => {
            ("✗", human::verdict(&end.verdict).0, Role::Bad)
        }
        Some(_) => ("✓", "measured", Role::Good),
        None if measuring => ("◐", "waiting", Role::Busy),
        None => ("◌", "not measured yet", Role::Dim),
    };
    let right = vec![Span::styled(format!("{glyph} {word}"), style(role))];
    let mut lines = vec![head("analysis", name, right, inner)];
    lines.extend(markdown::lay_out(text, inner.min(block::PROSE), &model.highlighted));
    match state {
        None => lines.extend(when(inner)),
        Some(state) => {
            lines.extend(items(&current(state), inner, model.capabilities));
            lines.extend(broken(state, inner));
        }
    }
    framed(lines, role, focused)
}

fn when(width: usize) -> Vec<Line<'static>> {
    let key = keymap::key(Action::Analyse);
    let text = format!("runs by itself once every test passes; {key} runs it now");
    say(&text, Role::Dim, width)
}

/// The items of an analysis to show: a progress bar only while it runs.
fn current(state: &AnalysisState) -> Vec<Item> {
    let is_shown = |item: &&Item| state.ended.is_none() || !matches!(item, Item::Progress(_));
    state.items.iter().filter(is_shown).cloned().collect()
}

/// Reported items, one below the other: metrics and sentences without an empty line between them, tables and
/// charts with one, pictures side by side.
#[must_use]
pub fn items(items: &[Item], width: usize, capabilities: Capabilities) -> Vec<Line<'static>> {
    let is_small = |item: &Item| matches!(item, Item::Metric(_) | Item::Insight(_) | Item::Note(_));
    let is_picture = |item: &Item| matches!(item, Item::Picture(_));
    let mut lines = vec![];
    let mut before = false;
    for group in items.chunk_by(|one, next| is_picture(one) && is_picture(next)) {
        let Some(first) = group.first() else { continue };
        if !(before && is_small(first)) {
            lines.push(Line::default());
        }
        before = is_small(first);
        let pictures = group.iter().filter_map(|item| match item {
            Item::Picture(picture) => Some(picture),
            _ => None,
        });
        let pictures: Vec<_> = pictures.collect();
        lines.extend(picture::side_by_side(&pictures, width, capabilities));
        lines.extend(self::item(first, width));
    }
    lines
}

/// Why an analysis failed.
#[must_use]
pub fn broken(state: &AnalysisState, width: usize) -> Vec<Line<'static>> {
    let Some(end) = state.ended.as_ref().filter(|end| end.verdict != Verdict::Passed) else {
        return vec![];
    };
    let (word, more) = match &end.verdict {
        // The line number is that of an earlier text.
        Verdict::Failed { message, .. } if state.old => ("failed", message.clone()),
        verdict => human::verdict(verdict),
    };
    let mut lines = say(&format!("{word}: {more}"), Role::Bad, width);
    lines.extend(exercise::printed(&end.output, PRINTED, width.min(block::PROSE)));
    lines
}

/// An item other than a picture.
fn item(item: &Item, width: usize) -> Vec<Line<'static>> {
    match item {
        Item::Table(table) => table::report(table, width),
        Item::Chart(chart) => chart::lines(chart, width),
        Item::Metric(metric) => self::metric(metric, width),
        Item::Picture(_) => vec![],
        Item::Tokens(tokens) => tokens::lines(tokens, width.min(block::PROSE)),
        Item::Text(text) => titled(&text.title, &text.text, width),
        Item::Trace(trace) => titled(&trace.title, &human::timeline(trace).join("\n"), width),
        Item::Note(note) => say(&note.text, Role::Dim, width),
        Item::Insight(insight) => {
            let arrow = [Span::styled("→ ", style(Role::Key))];
            wrap(
                &[Span::raw(insight.text.clone())],
                width.min(block::PROSE),
                &arrow,
                &[Span::raw("  ")],
            )
        }
        Item::Progress(progress) => vec![self::progress(progress, width)],
    }
}

/// A text under its title, line by line: it may end in the middle of a word that is still being generated.
fn titled(title: &str, text: &str, width: usize) -> Vec<Line<'static>> {
    let line = |line: &str| fold(&[Span::raw(line.to_owned())], width.min(block::PROSE), &[], &[]);
    let title = Line::from(Span::styled(title.to_owned(), style(Role::Strong)));
    [title].into_iter().chain(text.lines().flat_map(line)).collect()
}

/// A metric, its target, and where it comes from.
fn metric(metric: &Metric, width: usize) -> Vec<Line<'static>> {
    let (glyph, role) = match metric.is_met() {
        Some(true) => ("✓ ", Role::Good),
        Some(false) => ("✗ ", Role::Bad),
        None => ("", Role::Strong),
    };
    let mut spans = vec![
        Span::raw(format!("{} ", metric.name)),
        Span::styled(
            format!("{glyph}{}", figures::figure(metric.value, &metric.unit)),
            style(role),
        ),
    ];
    if let Some(target) = metric.target {
        let met = if metric.is_met() == Some(true) { "met" } else { "missed" };
        let target = figures::target(target, &metric.unit);
        spans.push(Span::styled(format!(" · target {target}, {met}"), style(Role::Dim)));
    }
    spans.push(Span::styled(format!(" · {}", figures::origin(&metric.origin)), style(Role::Dim)));
    wrap(&spans, width.min(block::PROSE), &[], &[Span::raw("  ")])
}

fn progress(progress: &Progress, width: usize) -> Line<'static> {
    let room = (width / 3).min(30);
    let done = if progress.total == 0 {
        0
    } else {
        let share = progress.done.min(progress.total) as f64 / progress.total as f64;
        (share * room as f64) as usize
    };
    super::text::clip(
        &[
            Span::styled("█".repeat(done), style(Role::Busy)),
            Span::styled("░".repeat(room - done), style(Role::Dim)),
            Span::raw(format!(" {} {} of {}", progress.label, progress.done, progress.total)),
        ],
        width,
    )
}

/// The learner's own figures, collected from every analysis of the lesson.
#[must_use]
pub fn figures_block(
    module_state: &ModuleState,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let old = module_state.report.analyses.iter().any(|analysis| analysis.old);
    let mut lines = vec![head("", "Your figures", block::old(old), inner)];
    let metrics: Vec<_> = module_state.report.metrics().collect();
    if metrics.is_empty() {
        lines.extend(say("measured once the analyses have run", Role::Dim, inner));
    }
    lines.extend(metrics.into_iter().flat_map(|metric| self::metric(metric, inner)));
    framed(lines, Role::Live, focused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::report::Text;

    #[test]
    fn a_text_keeps_its_lines_and_ends_where_the_model_is() {
        let text = Text { title: "live".into(), text: "Q: Is it  hot?\nA: No, it is co".into() };
        let lines = item(&Item::Text(text), 10);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["live", "Q: Is it  ", "hot?", "A: No, it ", "is co"]);
    }
}
