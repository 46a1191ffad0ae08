//! The mouse: the wheel scrolls what is under it, a click selects. Must not know keys.

use super::keys::{go_to_entry, reveal, scroll_results};
use super::scroll;
use crate::curriculum::lesson::Block;
use crate::tui::layout::{entry, module_rows, regions};
use crate::tui::message::{Effect, Record};
use crate::tui::model::{Model, Overlay};

/// Lines per step of the wheel.
const WHEEL: isize = 3;

pub(super) fn wheel(model: &mut Model, column: u16, row: u16, down: bool) -> Vec<Effect> {
    let lines = if down { WHEEL } else { -WHEEL };
    if let Some(Overlay::Help(top) | Overlay::Compare { top, .. }) = &mut model.overlay {
        *top = top.saturating_add_signed(lines);
        return vec![];
    }
    // The lines in view decide the order of its terms, so they stay.
    if matches!(model.overlay, Some(Overlay::Glossary { .. })) {
        return vec![];
    }
    let Some(regions) = regions(model.size, model.results) else { return vec![] };
    match regions.results {
        Some(results) if results.contains(column, row) => scroll_results(model, lines),
        _ if regions.lesson.contains(column, row) => scroll::scroll(model, lines),
        _ => {}
    }
    vec![]
}

pub(super) fn click(model: &mut Model, column: u16, row: u16) -> Vec<Effect> {
    let Some(regions) = regions(model.size, model.results) else { return vec![] };
    // What is being typed stays in view.
    if model.writing.is_some() {
        return vec![];
    }
    let open = match model.overlay.take() {
        Some(Overlay::Modules(chosen)) => Some(chosen),
        Some(Overlay::Welcome) => return vec![Effect::Keep(Record::Welcomed)],
        Some(_) => return vec![],
        None => None,
    };
    let shown = regions.modules.is_some() || open.is_some();
    let chosen = open.unwrap_or(usize::from(model.module.0));
    let (list, top) = module_rows(&regions, model.course, chosen);
    if shown && list.contains(column, row) {
        let entry = entry(top + usize::from(row - list.y), model.course);
        return entry.map_or_else(Vec::new, |entry| go_to_entry(model, entry));
    }
    if open.is_some() {
        return vec![];
    }
    if !regions.lesson.contains(column, row) {
        return vec![];
    }
    let Some(module_state) = model.module_state() else { return vec![] };
    let piece = scroll::piece_at(model, module_state.top + usize::from(row - regions.lesson.y));
    if !module_state.is_live(piece) {
        return vec![];
    }
    let question = match module_state.block(piece) {
        Some(Block::Question { id, .. }) => Some(id.clone()),
        _ => None,
    };
    if let Some(module_state) = model.module_state_mut() {
        module_state.focus = Some(piece);
    }
    question.map_or_else(Vec::new, |question| reveal(model, question))
}
