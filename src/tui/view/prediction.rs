//! An open task: its question, the text being typed, and the prediction beside the result. Must not know how the two
//! are compared.

use super::block::{self, framed, head, say};
use super::markdown;
use super::text::fold;
use crate::curriculum::lesson::Task;
use crate::report::prediction::beside;
use crate::report::{Part, Written};
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Model, ModuleState, Writing};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// The block of an open task.
#[must_use]
pub fn lines(
    model: &Model,
    module_state: &ModuleState,
    task: &Task,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let none = Written::default();
    let written = module_state.written.get(&task.name).unwrap_or(&none);
    let writing = model.writing.as_ref();
    let writing = writing.filter(|w| w.module == model.module && w.task == task.name);
    let state = if writing.is_some() { keys(task) } else { offer(task, written) };
    let mut lines = vec![head("predict", &task.name, state, inner)];
    lines.extend(markdown::lay_out(&task.question, inner, &model.highlighted));
    match writing {
        Some(writing) => lines.extend(fields(task, writing, inner)),
        None => lines.extend(kept(module_state, task, written, inner)),
    }
    framed(lines, Role::Live, focused)
}

/// What Enter does.
fn offer(task: &Task, written: &Written) -> Vec<Span<'static>> {
    let act = match (written.predictions.is_empty(), &task.value) {
        (true, _) => " starts a prediction",
        (false, Some(_)) => " changes it",
        (false, None) if written.results.is_empty() => " adds your result",
        (false, None) => " changes them",
    };
    vec![
        Span::styled(keymap::key(Action::Open), style(Role::Key)),
        Span::styled(act, style(Role::Dim)),
    ]
}

/// The keys that work while something is typed.
fn keys(task: &Task) -> Vec<Span<'static>> {
    let known =
        [(task.value.is_none(), "↑↓", "pick"), (true, "Enter", "save"), (true, "Esc", "cancel")];
    let shown = known.into_iter().filter(|(is_shown, ..)| *is_shown);
    let spans = shown.flat_map(|(_, key, word)| {
        [Span::styled(key, style(Role::Key)), Span::styled(format!(" {word}  "), style(Role::Dim))]
    });
    spans.collect()
}

/// What is being typed.
fn fields(task: &Task, writing: &Writing, width: usize) -> Vec<Line<'static>> {
    let unit = if task.unit.is_empty() { String::new() } else { format!(" (in {})", task.unit) };
    let field = |label: &str, text: &str, part| {
        let chosen = writing.part == part;
        let spans = [
            Span::styled(if chosen { "▸ " } else { "  " }, style(Role::Key)),
            Span::styled(format!("{label}{unit}: "), style(Role::Dim)),
            Span::styled(text.to_owned(), style(Role::Strong)),
            Span::styled(if chosen { "█" } else { "" }, style(Role::Key)),
        ];
        fold(&spans, width, &[], &[Span::raw("  ")])
    };
    let mut lines = vec![Line::default()];
    lines.extend(field("your prediction", &writing.prediction, Part::Prediction));
    if let Some(result) = &writing.result {
        lines.extend(field("your result", result, Part::Result));
    }
    lines
}

/// What was written, beside the result.
fn kept(
    module_state: &ModuleState,
    task: &Task,
    written: &Written,
    width: usize,
) -> Vec<Line<'static>> {
    let value = task.value.as_ref();
    let measured = value.and_then(|name| module_state.report.value(name));
    let Some(sentence) = beside(task, written, measured.map(|(metric, _)| metric)) else {
        return vec![];
    };
    let mut lines = vec![Line::default()];
    lines.extend(say(&sentence, Role::Strong, width));
    let hint = match measured {
        None if value.is_some() => "the measured value appears here once its analysis has run",
        Some((_, true)) => "measured before the last change of your file",
        _ => return lines,
    };
    lines.extend(say(hint, Role::Dim, width));
    lines
}
