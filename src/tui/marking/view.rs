//! The view: a function from the model to a frame. Must not know what a key does.

use super::keymap::KEYMAP;
use super::model::{Entry, Measured, Model, Page, Typing};
use crate::classroom::rubric::OWN;
use crate::error::harmless;
use crate::tui::layout::{Area, SMALLEST, first_row};
use crate::tui::theme::{self, Role, style};
use crate::tui::view::text::{both_ends, clip, fold, wrap};
use crate::tui::view::too_small;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// From this width on the rubric is beside the answer, else below it.
const WIDE: u16 = 100;
/// Lines of the question above an answer, at most.
const QUESTION: usize = 4;

/// The parts of the page of one answer.
struct Parts {
    question: Vec<Line<'static>>,
    answer: Vec<Line<'static>>,
    answer_area: Area,
    rubric: Vec<Line<'static>>,
    rubric_area: Area,
}

/// What `update` needs to know of the next frame.
#[must_use]
pub fn measure(model: &Model) -> Measured {
    match (is_too_small(model), model.page) {
        (false, Page::Answer) => {
            let parts = parts(model);
            Measured { lines: parts.answer.len(), height: usize::from(parts.answer_area.height) }
        }
        _ => Measured { lines: 0, height: usize::from(body(model.size).height) },
    }
}

/// Draws the model.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    if is_too_small(model) {
        too_small::draw(frame, model.size);
    } else {
        let (width, height) = model.size;
        let line = |y| Area { x: 0, y, width, height: 1 };
        put(frame, line(0), &[title(model)]);
        match model.page {
            Page::List => list(frame, model),
            Page::Answer => answer(frame, model),
            Page::Help(_) => put(frame, body(model.size), &help()),
        }
        put(frame, line(height - 2), &[status(model)]);
        put(frame, line(height - 1), &[keys(model)]);
    }
    theme::finish(frame.buffer_mut(), model.capabilities);
}

fn is_too_small(model: &Model) -> bool {
    model.size.0 < SMALLEST.0 || model.size.1 < SMALLEST.1
}

/// Everything between the title and the status line, without its margins.
fn body((width, height): (u16, u16)) -> Area {
    Area { x: 1, y: 1, width: width.saturating_sub(2), height: height.saturating_sub(3) }
}

fn title(model: &Model) -> Line<'static> {
    let (graded, all) = model.progress();
    let mut left = vec![Span::styled(" manual grading", style(Role::Heading))];
    if model.page != Page::List {
        let entry = model.entry();
        let place = format!("  {}  {}", heading(entry), entry.label);
        left.push(Span::styled(place, style(Role::Strong)));
    }
    both_ends(left, vec![format!("{graded} of {all} graded ").into()], usize::from(model.size.0))
}

fn heading(entry: &Entry) -> String {
    format!("{} {}", entry.question.module, entry.question.name)
}

fn list(frame: &mut Frame<'_>, model: &Model) {
    let area = body(model.size);
    let width = usize::from(area.width);
    let (mut lines, mut at, mut index) = (vec![], 0, 0);
    for group in model.entries.chunk_by(|a, b| a.question == b.question) {
        let answered = group.iter().filter(|entry| !entry.answer.text.is_empty());
        let graded = answered.clone().filter(|entry| !entry.is_open()).count();
        let right = format!("{graded} of {} graded", answered.count());
        let left = Span::styled(heading(&group[0]), style(Role::Subheading));
        lines.push(both_ends(vec![left], vec![Span::styled(right, style(Role::Dim))], width));
        for entry in group {
            let is_chosen = index == model.cursor;
            if is_chosen {
                at = lines.len();
            }
            lines.push(row(entry, is_chosen, width));
            index += 1;
        }
    }
    let top = first_row(at, lines.len(), usize::from(area.height));
    put(frame, area, &lines[top..]);
}

fn row(entry: &Entry, is_chosen: bool, width: usize) -> Line<'static> {
    let (mark, words, role) = state(entry);
    let label = clip(&[entry.label.clone().into()], 24);
    let pad = " ".repeat(25_usize.saturating_sub(label.width()));
    let mut left = vec![Span::styled(format!(" {mark} "), style(role))];
    left.extend(label.spans);
    left.push(format!("{pad}{words}").into());
    let first = harmless(entry.answer.text.lines().next().unwrap_or_default());
    left.push(Span::styled(format!("   {first}"), style(Role::Dim)));
    let line = both_ends(left, vec![], width);
    if is_chosen { line.style(style(Role::Selected)) } else { line }
}

/// How an answer is graded: a glyph, words, and their role.
fn state(entry: &Entry) -> (&'static str, String, Role) {
    let max = entry.answer.max_points;
    match entry.grade.mark.points {
        Some(points) if entry.grade.is_stale => {
            ("!", format!("{points} of {max}, for another text"), Role::Bad)
        }
        Some(points) => ("✓", format!("{points} of {max}"), Role::Good),
        None if entry.answer.text.is_empty() => ("·", "no answer".into(), Role::Dim),
        None => ("○", "not graded".into(), Role::Wait),
    }
}

fn answer(frame: &mut Frame<'_>, model: &Model) {
    let parts = parts(model);
    let body = body(model.size);
    put(frame, body, &parts.question);
    let rule = Area { y: parts.answer_area.y - 1, height: 1, ..parts.answer_area };
    let below =
        parts.answer.len().saturating_sub(model.top + usize::from(parts.answer_area.height));
    let hidden = match (model.top, below) {
        (0, 0) => String::new(),
        (above, below) => format!(" ↑ {above}, ↓ {below} more lines "),
    };
    put(frame, rule, &[ruled("answer", &hidden, rule.width)]);
    put(frame, parts.answer_area, parts.answer.get(model.top..).unwrap_or_default());
    let rule = Area { y: parts.rubric_area.y - 1, height: 1, ..parts.rubric_area };
    let (_, words, _) = state(model.entry());
    put(frame, rule, &[ruled("rubric", &format!(" {words} "), rule.width)]);
    put(frame, parts.rubric_area, &visible(model, &parts));
}

/// The lines of the rubric in view: its beginning, and while something is typed, its end.
fn visible(model: &Model, parts: &Parts) -> Vec<Line<'static>> {
    let height = usize::from(parts.rubric_area.height);
    let hidden = parts.rubric.len().saturating_sub(height);
    if model.typing.is_some() {
        return parts.rubric[hidden..].to_vec();
    }
    let mut lines: Vec<Line<'static>> = parts.rubric.iter().take(height).cloned().collect();
    if let Some(last) = lines.last_mut().filter(|_| hidden > 0) {
        *last = Line::styled(format!("… {} more lines", hidden + 1), style(Role::Dim));
    }
    lines
}

fn ruled(name: &str, right: &str, width: u16) -> Line<'static> {
    let used = name.chars().count() + right.chars().count() + 4;
    let rest = "─".repeat(usize::from(width).saturating_sub(used));
    Line::from(vec![
        Span::styled("─ ", style(Role::Dim)),
        Span::styled(name.to_owned(), style(Role::Subheading)),
        Span::styled(format!(" {rest}{right}─"), style(Role::Dim)),
    ])
}

fn parts(model: &Model) -> Parts {
    let (entry, body) = (model.entry(), body(model.size));
    let is_wide = model.size.0 >= WIDE;
    let panel = if is_wide { body.width * 2 / 5 } else { body.width };
    let rubric = rubric(model, usize::from(panel));
    let left = if is_wide { body.width - panel - 2 } else { body.width };
    let mut question: Vec<Line<'static>> =
        entry.question.text.lines().flat_map(|line| words(line, usize::from(body.width))).collect();
    question.truncate(QUESTION);
    let first = body.y + cells(question.len()) + 1;
    let room = body.y + body.height - first;
    let below = if is_wide { 0 } else { (cells(rubric.len()) + 1).min(room * 3 / 5) };
    let answer_area = Area { y: first, width: left, height: room - below, ..body };
    let rubric_area = if is_wide {
        Area { x: body.x + left + 2, y: first, width: panel, height: room }
    } else {
        let y = first + room - below + 1;
        Area { y, height: below - 1, ..body }
    };
    Parts { question, answer: written(entry, usize::from(left)), answer_area, rubric, rubric_area }
}

fn cells(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// What the student wrote: prose between words, code and tables as they are.
fn written(entry: &Entry, width: usize) -> Vec<Line<'static>> {
    if entry.answer.text.is_empty() {
        return vec![Line::styled("No answer: it counts as 0 points.", style(Role::Dim))];
    }
    let is_code = entry.question.name == OWN;
    let line = |line: &str| match line {
        line if is_code || line.starts_with([' ', '\t']) => fold(&[line.into()], width, &[], &[]),
        line => words(line, width),
    };
    harmless(&entry.answer.text).lines().flat_map(line).collect()
}

fn words(line: &str, width: usize) -> Vec<Line<'static>> {
    wrap(&[line.into()], width, &[], &[])
}

fn rubric(model: &Model, width: usize) -> Vec<Line<'static>> {
    let entry = model.entry();
    let mut lines = vec![];
    for ((item, is_chosen), digit) in entry.items().into_iter().zip(1..) {
        let key = if digit < 10 { digit.to_string() } else { " ".into() };
        let (mark, role) = if is_chosen { ("[x]", Role::Good) } else { ("[ ]", Role::Text) };
        let first = [Span::styled(key, style(Role::Key)), format!(" {mark} ").into()];
        let is_former = !entry.question.items.contains(item);
        let former = if is_former { " (no longer in the rubric)" } else { "" };
        let text = Span::styled(format!("{item}{former}"), style(role));
        lines.extend(wrap(&[text], width, &first, &["      ".into()]));
    }
    if entry.question.items.is_empty() {
        lines.push(Line::styled("No items: p gives points.", style(Role::Dim)));
    }
    if entry.grade.is_stale {
        let text = "The student handed in again: this grade is for an earlier text.";
        lines.extend(wrap(&[Span::styled(text, style(Role::Bad))], width, &[], &[]));
    }
    let comment = &entry.grade.mark.comment;
    let (name, text) = match &model.typing {
        Some(Typing::Points(text)) => ("points: ", format!("{text}▏")),
        Some(Typing::Comment(text)) => ("comment: ", format!("{text}▏")),
        None if comment.is_empty() => return lines,
        None => ("comment: ", harmless(comment)),
    };
    let first = [Span::styled(name, style(Role::Key))];
    for (index, line) in text.split('\n').enumerate() {
        let first = if index == 0 { &first[..] } else { &[] };
        lines.extend(wrap(&[line.to_owned().into()], width, first, &["  ".into()]));
    }
    lines
}

fn help() -> Vec<Line<'static>> {
    let line = |names: &str, help: &str| {
        let names = format!("{names:<12}");
        Line::from(vec![Span::styled(names, style(Role::Key)), help.to_owned().into()])
    };
    let digits = line("1 to 9", "an item of the rubric applies, or does not");
    [digits].into_iter().chain(KEYMAP.iter().map(|key| line(&key.names(), key.help))).collect()
}

fn status(model: &Model) -> Line<'static> {
    let (text, role) = match (&model.note, &model.typing) {
        (Some(note), _) => (note.text.clone(), if note.bad { Role::Bad } else { Role::Text }),
        (None, Some(Typing::Points(_))) => {
            (format!("points from 0 to {}", model.entry().answer.max_points), Role::Dim)
        }
        (None, Some(Typing::Comment(_))) => ("the student reads the comment".into(), Role::Dim),
        (None, None) => return Line::default(),
    };
    clip(&[" ".into(), Span::styled(text, style(role))], usize::from(model.size.0))
}

fn keys(model: &Model) -> Line<'static> {
    let all = match (&model.typing, model.page) {
        (Some(_), _) => vec![("Enter", "save"), ("Esc", "cancel")],
        (None, Page::Help(_)) => vec![("any key", "back")],
        (None, Page::List) => vec![
            ("Enter", "open"),
            ("n", "next ungraded"),
            ("u", "undo"),
            ("?", "keys"),
            ("q", "quit"),
        ],
        (None, Page::Answer) => {
            let shown = KEYMAP.iter().filter_map(|key| Some((key.name(), key.footer?)));
            return footer(model, [("1-9".to_owned(), "items")].into_iter().chain(shown));
        }
    };
    footer(model, all.into_iter().map(|(key, word)| (key.to_owned(), word)))
}

/// The last line: keys, each with a word.
fn footer(model: &Model, keys: impl Iterator<Item = (String, &'static str)>) -> Line<'static> {
    let spans = keys.flat_map(|(key, word)| {
        [Span::styled(format!(" {key}"), style(Role::Key)), format!(" {word} ").into()]
    });
    clip(&spans.collect::<Vec<_>>(), usize::from(model.size.0))
}

fn put(frame: &mut Frame<'_>, area: Area, lines: &[Line<'static>]) {
    for (y, line) in (area.y..area.y + area.height).zip(lines) {
        frame.render_widget(line, Rect::new(area.x, y, area.width, 1));
    }
}
