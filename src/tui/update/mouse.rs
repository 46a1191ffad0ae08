//! The mouse: the wheel scrolls what is under it, a click chooses. Not here: keys.

use super::keys::{go_to_entry, piece_at, reveal, scroll_results};
use super::scroll;
use crate::curriculum::lesson::Block;
use crate::tui::layout::{entry, regions};
use crate::tui::message::Effect;
use crate::tui::model::{Model, Overlay};

/// Lines for one turn of the wheel.
const WHEEL: isize = 3;

pub(super) fn wheel(model: &mut Model, column: u16, row: u16, down: bool) -> Vec<Effect> {
    let lines = if down { WHEEL } else { -WHEEL };
    if let Some(Overlay::Help(top)) = &mut model.overlay {
        *top = top.saturating_add_signed(lines);
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
    if model.overlay.is_some() {
        model.overlay = None;
        return vec![];
    }
    let Some(regions) = regions(model.size, model.results) else { return vec![] };
    if let Some(list) = regions.modules.filter(|list| list.contains(column, row)) {
        let entry =
            usize::from(row - list.y).checked_sub(1).and_then(|row| entry(row, model.course));
        return entry.map_or_else(Vec::new, |entry| go_to_entry(model, entry));
    }
    if !regions.lesson.contains(column, row) {
        return vec![];
    }
    let Some(module_state) = model.module_state() else { return vec![] };
    let piece = piece_at(model, module_state.top + usize::from(row - regions.lesson.y));
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
