//! The lesson as pieces of lines: the banner, then each block. Must not know which of them are in view.

use super::block::{self, framed, head, say};
use super::exercise::Hints;
use super::text::{clip, skip, wrap};
use super::{
    alert, analysis, diagnostic, exercise, explorable, markdown, milestone, prediction, question,
};
use crate::curriculum::lesson::Block;
use crate::lab::Help;
use crate::report::human;
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Exercise, Model, ModuleState, ModuleStatus, Owner};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// How many compiler errors outside of cells the banner shows; the results show all.
const ERRORS: usize = 3;

/// What is above the first block: the title, and problems of the file, its cells or the lesson.
#[must_use]
pub fn banner(model: &Model, module_state: &ModuleState, width: usize) -> Vec<Line<'static>> {
    let width = width.min(block::PROSE);
    let head = &module_state.lesson.head;
    let mut lines = vec![];
    if !head.title.is_empty() {
        lines.extend(say(&head.title, Role::Heading, width));
        lines.extend(say(&head.subtitle, Role::Emphasis, width));
        lines.extend(facts(module_state, width));
    }
    let width = width.saturating_sub(block::BAR);
    let mut problems = vec![];
    if let Some(cause) = alert::cause(module_state) {
        problems.extend(say(&cause, Role::Bad, width));
    }
    if let Some(Owner::Rejected { reason }) = model.status().map(|status| &status.owner) {
        let text = format!(
            "! this module passes its own tests, but your engine uses the reference instead: {reason}"
        );
        problems.extend(say(&text, Role::Wait, width));
    }
    if model.status().is_some_and(ModuleStatus::fails_now) {
        let key = keymap::key(Action::Complete);
        let runs = "completed, but your file fails now: later modules run on the completed text";
        let text = format!("! {runs}; {key} completes it again once it passes");
        problems.extend(say(&text, Role::Wait, width));
    }
    // Errors of a text that can no longer be read are out of date.
    let readable = !matches!(module_state.exercise, Exercise::Missing(_));
    for notice in
        human::notices(&module_state.report.notices, model.course).iter().filter(|_| readable)
    {
        problems.extend(say(&format!("! {notice}"), Role::Wait, width));
    }
    let unplaced: Vec<_> = module_state
        .report
        .errors()
        .filter(|error| readable && module_state.place(error).is_none())
        .collect();
    for error in unplaced.iter().take(ERRORS) {
        problems.extend(diagnostic::lines(error, &model.highlighted, width));
    }
    if unplaced.len() > ERRORS {
        let more = crate::error::count(unplaced.len() - ERRORS, "more error");
        problems.extend(say(&more, Role::Bad, width));
    }
    for problem in &module_state.lesson.problems {
        let text = format!("! line {} of this lesson: {}", problem.line, problem.message);
        problems.extend(say(&text, Role::Wait, width));
    }
    if !problems.is_empty() {
        lines.push(Line::default());
        lines.extend(framed(problems, Role::Bad, false));
    }
    lines
}

/// Time, difficulty, prerequisites.
fn facts(module_state: &ModuleState, width: usize) -> Vec<Line<'static>> {
    let head = &module_state.lesson.head;
    let level = usize::from(head.difficulty.min(4));
    let mut facts =
        format!("{} · difficulty {}{}", head.time, "●".repeat(level), "○".repeat(4 - level));
    if !head.prerequisites.is_empty() {
        facts.push_str(&format!(" · after {}", head.prerequisites.join(", ")));
    }
    say(&facts, Role::Dim, width)
}

/// One block. The caller caches prose.
#[must_use]
pub fn piece(
    model: &Model,
    module_state: &ModuleState,
    piece: usize,
    width: usize,
) -> Vec<Line<'static>> {
    let focused = model.focus() == Some(piece);
    let Some(block) = module_state.block(piece) else { return vec![] };
    let width = match block {
        Block::Analysis { .. } | Block::Milestone { .. } | Block::Explorable { .. } => width,
        _ => width.min(block::PROSE),
    };
    match block {
        Block::Prose { text } => {
            // The banner has the title already.
            let titled = piece == 1 && !module_state.lesson.head.title.is_empty();
            let rest = text.split_once('\n').filter(|(first, _)| titled && first.starts_with("# "));
            markdown::lay_out(
                rest.map_or(text.as_str(), |(_, rest)| rest),
                width,
                &model.highlighted,
            )
        }
        Block::Diagram { title, text } => diagram(title, text, model.pan, width),
        Block::Exercise { cell, hints } => exercise::lines(
            module_state,
            (piece, cell),
            match model.closed(Help::Hints) {
                Some(_) => Hints::Closed,
                None => Hints::Open(hints),
            },
            &model.highlighted,
            (width, focused),
        ),
        Block::Analysis { name, text } => {
            analysis::lines(model, module_state, (name, text), (width, focused))
        }
        Block::Question { id, question, answer } => question::lines(
            module_state,
            (id, question, answer),
            &model.highlighted,
            (width, focused),
        ),
        Block::Predict(task) => prediction::lines(model, module_state, task, (width, focused)),
        Block::Figures => analysis::figures_block(module_state, (width, focused)),
        Block::Explorable { name } => {
            explorable::lines(model, module_state, name, (width, focused))
        }
        Block::Milestone { name } => milestone::lines(model, name, (width, focused)),
        Block::Unknown { line, word, text } => unknown(*line, word, text, (width, focused)),
    }
}

/// A diagram in text. If it is too wide, keys scroll it, and a `…` at each side shows that there is more.
fn diagram(title: &str, text: &str, pan: usize, width: usize) -> Vec<Line<'static>> {
    let widest = diagram_width(text);
    let hidden = widest.saturating_sub(width);
    let pan = pan.min(hidden);
    let mut caption = title.to_owned();
    if hidden > 0 {
        let [left, right] = [Action::PanLeft, Action::PanRight].map(keymap::key);
        let (first, last) = (pan + 1, pan + width);
        caption.push_str(&format!(
            " ({left} {right} scroll it: columns {first} to {last} of {widest})"
        ));
    }
    let caption = Span::styled(caption, style(Role::Emphasis).patch(style(Role::Dim)));
    // A diagram that needs every column is not indented.
    let indent = [Span::raw(" ".repeat(width.saturating_sub(widest).min(2)))];
    let mut lines = wrap(&[caption], width, &indent, &indent);
    lines.push(Line::default());
    lines.extend(text.lines().map(|line| {
        let rest = skip(&[Span::raw(line.to_owned())], pan);
        let mut line = clip(&[indent.to_vec(), rest].concat(), width);
        if pan > 0 && line.width() > 0 {
            let without_first = skip(&line.spans, 1);
            line.spans = [vec![Span::styled("…", style(Role::Dim))], without_first].concat();
        }
        line
    }));
    lines
}

/// Columns of the longest line of a diagram.
#[must_use]
pub fn diagram_width(text: &str) -> usize {
    text.lines().map(|line| Span::raw(line).width()).max().unwrap_or(0)
}

/// An unknown block, shown as it is in the file.
fn unknown(
    line: usize,
    word: &str,
    text: &str,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let state = vec![Span::styled(format!("! unknown, line {line}"), style(Role::Wait))];
    let mut lines = vec![head("block", word, state, inner)];
    lines.extend(say(text, Role::Dim, inner));
    framed(lines, Role::Wait, focused)
}
