//! The whole screen: from a model and a cache of laid-out prose to a page (its lines, measured), then to
//! a frame. The same model gives the same frame. Must not know what a key does.

use super::alert::{self, Alert};
use super::{block, compare, glossary, help, lesson, modules, results, status, too_small, welcome};
use crate::curriculum::ModuleId;
use crate::curriculum::lesson::Block;
use crate::tui::layout::{Area, Regions, first_row, module_rows, regions};
use crate::tui::model::{Measured, Model, ModuleState, Overlay};
use crate::tui::theme::{self, Role, style};
use crate::tui::{glossary as terms, outline};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block as Border, Clear, Scrollbar, ScrollbarOrientation, ScrollbarState};
use std::collections::HashMap;
use std::rc::Rc;

/// Empty columns at both sides of the text.
const MARGIN: u16 = 2;

/// Prose that was already laid out.
#[derive(Debug, Default)]
pub struct Cache {
    /// What the layout depends on: the width, the columns of diagrams out of view, and how many pieces of
    /// code are highlighted.
    key: (usize, usize, usize),
    pieces: HashMap<(ModuleId, usize), Lines>,
}

type Lines = Rc<Vec<Line<'static>>>;

/// The content of the screen, laid out.
#[derive(Debug, Default)]
pub struct Page {
    /// The lesson, piece by piece.
    pieces: Vec<Lines>,
    /// All results.
    results: Vec<Line<'static>>,
    /// The window over the lesson.
    window: Vec<Line<'static>>,
    /// An error or a long note.
    alert: Option<Alert>,
    /// Its measurements.
    pub measured: Measured,
}

/// Lays out what the model shows.
#[must_use]
pub fn lay_out(model: &Model, cache: &mut Cache) -> Page {
    let Some(regions) = regions(model.size, model.results) else { return Page::default() };
    let alert = alert(model, &regions);
    let regions = above(regions, alert.as_ref());
    let width = text_width(regions.lesson);
    let mut page = Page { alert, ..Page::default() };
    if let Some(module_state) = model.module_state() {
        page.pieces = pieces(model, module_state, width, cache);
        page.measured = measure(model, &page.pieces);
        page.measured.hidden_columns = hidden_columns(module_state, width.min(block::PROSE));
        if let Some(area) = regions.results {
            page.results =
                results::lines(model, module_state, text_width(area).clamp(1, block::PROSE));
            page.measured.results =
                (page.results.len(), usize::from(area.height.saturating_sub(1)));
        }
    }
    page.measured.height = usize::from(regions.lesson.height);
    page.window = window_lines(model, &regions);
    page.measured.window =
        (page.window.len(), usize::from(window_area(model, &page, &regions).height) - 2);
    page
}

/// The lines of the open window, if it scrolls.
fn window_lines(model: &Model, regions: &Regions) -> Vec<Line<'static>> {
    let (width, height) = (usize::from(model.size.0), usize::from(regions.status.y));
    match (&model.overlay, model.module_state()) {
        (Some(Overlay::Help(_)), _) => help::lines(width - 2, height - 2),
        (Some(Overlay::Compare { cell, .. }), Some(module_state)) => {
            compare::lines(model, module_state, cell, width - 4)
        }
        (Some(Overlay::Welcome), _) => welcome::lines(model, WELCOME),
        _ => vec![],
    }
}

/// The alert, no higher than half the screen.
fn alert(model: &Model, regions: &Regions) -> Option<Alert> {
    let width = usize::from(regions.status.width.saturating_sub(2 * MARGIN));
    alert::alert(model, width, usize::from(regions.status.y / 2).saturating_sub(1))
}

/// The parts of the screen without the rows of the alert, so that each of their lines can still be scrolled into view.
fn above(mut regions: Regions, alert: Option<&Alert>) -> Regions {
    let taken = alert.map_or(0, |alert| u16::try_from(alert.lines.len() + 1).unwrap_or(0));
    let bottom = regions.results.as_mut().unwrap_or(&mut regions.lesson);
    let rest = taken.saturating_sub(bottom.height);
    bottom.height -= taken - rest;
    regions.lesson.height -= rest.min(regions.lesson.height);
    if let Some(area) = &mut regions.modules {
        area.height -= taken.min(area.height);
    }
    regions
}

fn text_width(area: Area) -> usize {
    // The scroll bar has its place in the margin.
    usize::from(area.width.saturating_sub(2 * MARGIN))
}

fn pieces(
    model: &Model,
    module_state: &ModuleState,
    width: usize,
    cache: &mut Cache,
) -> Vec<Lines> {
    let key = (width, model.pan, model.highlighted.len());
    if cache.key != key {
        *cache = Cache { key, pieces: HashMap::new() };
    }
    let mut pieces = vec![Rc::new(lesson::banner(model, module_state, width))];
    for (index, block) in module_state.lesson.blocks.iter().enumerate() {
        let piece = index + 1;
        let lay_out = || {
            let mut lines = vec![Line::default()];
            lines.extend(lesson::piece(model, module_state, piece, width));
            Rc::new(lines)
        };
        pieces.push(match block {
            Block::Prose { .. } | Block::Diagram { .. } => {
                let key = (model.module, piece);
                Rc::clone(cache.pieces.entry(key).or_insert_with(lay_out))
            }
            _ => lay_out(),
        });
    }
    pieces
}

/// Columns of the widest diagram that do not fit.
fn hidden_columns(module_state: &ModuleState, width: usize) -> usize {
    let widths = module_state.lesson.blocks.iter().map(|block| match block {
        Block::Diagram { text, .. } => lesson::diagram_width(text),
        _ => 0,
    });
    widths.max().unwrap_or(0).saturating_sub(width)
}

fn measure(model: &Model, pieces: &[Lines]) -> Measured {
    let mut starts = vec![];
    let mut total = 0;
    for piece in pieces {
        starts.push(total);
        total += piece.len();
    }
    let wanted = model.search.text.to_lowercase();
    let all = pieces.iter().flat_map(|piece| piece.iter()).enumerate();
    let matches = if wanted.is_empty() {
        vec![]
    } else {
        all.filter(|(_, line)| line.to_string().to_lowercase().contains(&wanted))
            .map(|(number, _)| number)
            .collect()
    };
    let outline = match (&model.overlay, model.module_state()) {
        (Some(Overlay::Outline { .. }), Some(module_state)) => {
            outline_lines(&outline::entries(module_state, ""), pieces, &starts)
        }
        _ => vec![],
    };
    let bold = match &model.overlay {
        Some(Overlay::Glossary { .. }) => {
            glossary::bold(pieces.iter().flat_map(|piece| piece.iter()))
        }
        _ => vec![],
    };
    let module = Some(model.module);
    Measured { module, starts, total, matches, outline, bold, ..Measured::default() }
}

/// The line of each entry: a heading's own, else the first of its piece.
fn outline_lines(entries: &[outline::Entry], pieces: &[Lines], starts: &[usize]) -> Vec<usize> {
    let mut after = 0;
    let line = |entry: &outline::Entry| {
        let start = starts.get(entry.piece).copied().unwrap_or(0);
        after = after.max(start);
        if let (outline::Kind::Heading(_, title), Some(piece)) =
            (&entry.kind, pieces.get(entry.piece))
        {
            let mut rest = piece.iter().skip(after - start);
            if let Some(at) = rest.position(|line| line.to_string().trim() == title) {
                after += at + 1;
                return after - 1;
            }
        }
        start
    };
    entries.iter().map(line).collect()
}

/// Draws what was laid out.
pub fn draw(frame: &mut Frame<'_>, model: &Model, page: &Page) {
    match regions(model.size, model.results) {
        _ if too_small::has_shrunk(frame, model.size) => {}
        None => too_small::draw(frame, model.size),
        Some(regions) => parts(frame, model, page, &above(regions, page.alert.as_ref())),
    }
    theme::finish(frame.buffer_mut(), model.capabilities);
}

fn parts(frame: &mut Frame<'_>, model: &Model, page: &Page, regions: &Regions) {
    put(frame, regions.title, &[status::title(model)]);
    if let Some(area) = regions.modules {
        let cursor = match model.overlay {
            Some(Overlay::Modules(line)) => Some(line),
            _ => None,
        };
        put(frame, area, &modules::heading(model, usize::from(area.width) - 1));
        let chosen = cursor.unwrap_or(usize::from(model.module.0));
        let (rows, top) = module_rows(regions, model.course, chosen);
        let lines = modules::lines(model, cursor, usize::from(area.width) - 1);
        put(frame, rows, lines.get(top..).unwrap_or_default());
    }
    match model.module_state() {
        Some(module_state) => {
            let lines = visible(model, module_state, page);
            put(frame, regions.lesson.inset(MARGIN), &lines);
            bar(frame, regions.lesson, module_state.top, page.measured.total);
        }
        None => {
            let text = Line::styled("opening the lesson …", style(Role::Dim));
            put(frame, regions.lesson.inset(MARGIN), &[text]);
        }
    }
    if let Some(area) = regions.results {
        panel(frame, model, page, area);
    }
    put(frame, regions.status, &[status::line(model)]);
    put(frame, regions.keys, &[status::last_line(model)]);
    overlay(frame, model, page, regions);
    if let Some(alert) = &page.alert {
        put_alert(frame, alert, regions);
    }
}

/// Draws the alert above the status line, which stays visible.
fn put_alert(frame: &mut Frame<'_>, alert: &Alert, regions: &Regions) {
    let height = u16::try_from(alert.lines.len() + 1).unwrap_or(0).min(regions.status.y);
    let area = Area { y: regions.status.y - height, height, ..regions.status };
    frame.render_widget(Clear, rect(area));
    put(frame, Area { height: 1, ..area }, &[status::rule(alert.title, usize::from(area.width))]);
    let text = Area { y: area.y + 1, height: height.saturating_sub(1), ..area };
    put(frame, text.inset(MARGIN), &alert.lines);
}

/// The lines of the lesson in view, with the matches of the search marked.
fn visible(model: &Model, module_state: &ModuleState, page: &Page) -> Vec<Line<'static>> {
    let all = page.pieces.iter().flat_map(|piece| piece.iter());
    let lines = all.skip(module_state.top).take(page.measured.height);
    lines.map(|line| marked(line, &model.search.text)).collect()
}

/// A line with every match of the search marked. A match may run across spans.
fn marked(line: &Line<'static>, wanted: &str) -> Line<'static> {
    let wanted: Vec<char> = wanted.chars().flat_map(char::to_lowercase).collect();
    let letters: Vec<(char, ratatui::style::Style)> = line
        .spans
        .iter()
        .flat_map(|span| span.content.chars().map(|letter| (letter, span.style)))
        .collect();
    let same = |at: usize| {
        letters.len() >= at + wanted.len()
            && letters[at..]
                .iter()
                .zip(&wanted)
                .all(|((letter, _), wanted)| letter.to_lowercase().next() == Some(*wanted))
    };
    if wanted.is_empty() || !(0..letters.len()).any(same) {
        return line.clone();
    }
    let mut result = Line::default().style(line.style);
    let mut until = 0;
    for (at, (letter, style)) in letters.iter().enumerate() {
        if same(at) {
            until = at + wanted.len();
        }
        let style = if at < until { style.patch(theme::style(Role::Match)) } else { *style };
        match result.spans.last_mut() {
            Some(span) if span.style == style => span.content.to_mut().push(*letter),
            _ => result.spans.push(Span::styled(letter.to_string(), style)),
        }
    }
    result
}

fn panel(frame: &mut Frame<'_>, model: &Model, page: &Page, area: Area) {
    let rule = Area { height: area.height.min(1), ..area };
    put(frame, rule, &[status::rule("results", usize::from(area.width))]);
    let body = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let height = usize::from(body.height);
    let lines: Vec<Line<'static>> =
        page.results.iter().skip(model.results_top).take(height).cloned().collect();
    put(frame, body.inset(MARGIN), &lines);
    bar(frame, body, model.results_top, page.results.len());
}

fn bar(frame: &mut Frame<'_>, area: Area, top: usize, total: usize) {
    let height = usize::from(area.height);
    if total <= height || height == 0 {
        return;
    }
    let mut state =
        ScrollbarState::new(total - height + 1).position(top).viewport_content_length(height);
    let bar = Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(None)
        .thumb_symbol("▕")
        .style(style(Role::Dim));
    frame.render_stateful_widget(bar, rect(area), &mut state);
}

fn overlay(frame: &mut Frame<'_>, model: &Model, page: &Page, regions: &Regions) {
    match &model.overlay {
        Some(Overlay::Help(top)) => put_window(frame, model, page, regions, ("keys", *top)),
        Some(Overlay::Compare { top, .. }) => {
            put_window(frame, model, page, regions, ("your cell and the reference", *top));
        }
        Some(Overlay::Welcome) => {
            put_window(frame, model, page, regions, ("welcome: any key closes it", 0))
        }
        Some(Overlay::Outline { filter, line }) => {
            put_outline(frame, model, regions, (filter, *line))
        }
        Some(Overlay::Glossary { filter, line }) => {
            put_glossary(frame, model, regions, (filter, *line));
        }
        Some(Overlay::Modules(line)) if regions.modules.is_none() => {
            let (rows, top) = module_rows(regions, model.course, *line);
            let area = Area {
                x: rows.x - 1,
                y: rows.y - 1,
                width: rows.width + 2,
                height: rows.height + 2,
            };
            let mut lines = modules::lines(model, Some(*line), usize::from(rows.width) - 1);
            let below = lines.len().saturating_sub(top + usize::from(rows.height));
            let title = modules::progress(model);
            window(frame, area, &title, lines.split_off(top), hidden(top, below));
        }
        Some(Overlay::Reset) => {
            window(frame, regions.centred(56, 6), "reset", status::reset(model), None);
        }
        Some(Overlay::Modules(_)) | None => {}
    }
}

/// How many lines of a window are out of view.
fn hidden(above: usize, below: usize) -> Option<String> {
    match (above, below) {
        (0, 0) => None,
        (0, below) => Some(format!(" ↓ {below} more below ")),
        (above, 0) => Some(format!(" ↑ {above} more above ")),
        (above, below) => Some(format!(" ↑ {above} more above, ↓ {below} more below ")),
    }
}

/// Columns of the text of the welcome card.
const WELCOME: usize = 54;

fn window_area(model: &Model, page: &Page, regions: &Regions) -> Area {
    let cells = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX).saturating_add(2);
    let width = page.window.iter().map(Line::width).max().unwrap_or(0);
    let width = match model.overlay {
        Some(Overlay::Compare { .. }) => usize::from(model.size.0),
        _ => width + 1,
    };
    regions.centred(cells(width), cells(page.window.len()))
}

fn put_window(
    frame: &mut Frame<'_>,
    model: &Model,
    page: &Page,
    regions: &Regions,
    (title, top): (&'static str, usize),
) {
    let area = window_area(model, page, regions);
    let height = usize::from(area.height.saturating_sub(2));
    let lines: Vec<_> = page.window.iter().skip(top).take(height).cloned().collect();
    let below = page.window.len().saturating_sub(top + height);
    window(frame, area, title, lines, hidden(top, below));
}

fn put_outline(
    frame: &mut Frame<'_>,
    model: &Model,
    regions: &Regions,
    (filter, cursor): (&str, usize),
) {
    let Some(module_state) = model.module_state() else { return };
    let entries = outline::entries(module_state, filter);
    let area = list_area(regions, model.measured.outline.len());
    let lines = super::outline::lines(module_state, &entries, cursor, usize::from(area.width) - 2);
    let title = list_title("outline", "type to filter, Enter goes there", filter);
    put_list(frame, area, &title, lines, cursor);
}

/// Lines of the longest meaning.
const MEANING: usize = 8;

fn put_glossary(
    frame: &mut Frame<'_>,
    model: &Model,
    regions: &Regions,
    (filter, cursor): (&str, usize),
) {
    let entries = terms::entries(model, filter);
    let area = list_area(regions, model.course.glossary().entries.len() + MEANING);
    let width = usize::from(area.width) - 2;
    let mut lines = glossary::lines(&entries, cursor, model.course, width);
    if lines.is_empty() {
        lines.push(Line::styled(" no term or meaning contains this", style(Role::Dim)));
    }
    let title = list_title("glossary", "type to search", filter);
    put_list(frame, area, &title, lines, cursor);
}

/// As high as all entries need, so that a filter does not move it.
fn list_area(regions: &Regions, rows: usize) -> Area {
    regions.centred(78, u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2))
}

fn list_title(name: &str, help: &str, filter: &str) -> String {
    format!("{name}: {}", if filter.is_empty() { help } else { filter })
}

/// A list in a window, with the line of the cursor in view.
fn put_list(
    frame: &mut Frame<'_>,
    area: Area,
    title: &str,
    mut lines: Vec<Line<'static>>,
    cursor: usize,
) {
    let height = usize::from(area.height) - 2;
    let top = first_row(cursor, lines.len(), height);
    let below = lines.len().saturating_sub(top + height);
    window(frame, area, title, lines.split_off(top), hidden(top, below));
}

/// A window with its title, and how much of it is out of view.
fn window(
    frame: &mut Frame<'_>,
    area: Area,
    title: &str,
    lines: Vec<Line<'static>>,
    hidden: Option<String>,
) {
    let border = Border::bordered()
        .border_type(ratatui::widgets::BorderType::Rounded)
        .border_style(style(Role::Dim))
        .title(Span::styled(format!(" {title} "), style(Role::Heading)))
        .title_bottom(Line::styled(hidden.unwrap_or_default(), style(Role::Key)).right_aligned());
    let inside = border.inner(rect(area));
    frame.render_widget(Clear, rect(area));
    frame.render_widget(border, rect(area));
    frame.render_widget(Text::from(lines), inside);
}

fn put(frame: &mut Frame<'_>, area: Area, lines: &[Line<'static>]) {
    for (y, line) in (area.y..area.y + area.height).zip(lines) {
        frame.render_widget(line, Rect::new(area.x, y, area.width, 1));
    }
}

const fn rect(area: Area) -> Rect {
    Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}
