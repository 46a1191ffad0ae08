//! Scrolling: what of the lesson is in view, and when this changes by itself, from what the view measured. Must not
//! know keys.

use crate::curriculum::lesson::Block;
use crate::tui::model::{Jumps, Measured, Model, Overlay, ReadingPosition};
use std::time::Duration;

/// For this long after the learner scrolled, the view does not scroll by itself.
const READING: Duration = Duration::from_secs(3);

/// Whether the learner scrolled a moment ago, or is typing.
pub(super) fn is_reading(model: &Model) -> bool {
    model.writing.is_some() || model.scrolled.is_some_and(|at| model.now < at + READING)
}

/// The length of the jump list.
const JUMPS: usize = 100;

/// The place at the top of the view; `None` before the lesson was laid out.
pub(super) fn here(model: &Model) -> Option<ReadingPosition> {
    let module_state = model.module_state()?;
    let starts = &model.measured.starts;
    if model.measured.module != Some(model.module) || module_state.restore.is_some() {
        return module_state.restore;
    }
    let piece = starts.iter().rposition(|start| *start <= module_state.top)?;
    Some(ReadingPosition { piece, line: module_state.top - starts[piece] })
}

/// Adds the place in view to the jump list, before a jump away from it.
pub(super) fn keep_place(model: &mut Model) {
    let Some(place) = here(model) else { return };
    let jump = (model.module, place);
    let Jumps { back, forward } = &mut model.jumps;
    forward.clear();
    back.retain(|known| *known != jump);
    back.push(jump);
    if back.len() > JUMPS {
        back.remove(0);
    }
}

/// Scrolls by lines.
pub(super) fn scroll(model: &mut Model, lines: isize) {
    model.scrolled = Some(model.now);
    let last = last_top(&model.measured);
    if let Some(module_state) = model.module_state_mut() {
        module_state.focus = None;
        module_state.bring = None;
        module_state.top = module_state.top.saturating_add_signed(lines).min(last);
    }
}

/// Focuses a piece and scrolls to it.
pub(super) fn go_to_piece(model: &mut Model, piece: usize) {
    if let Some(module_state) = model.module_state_mut() {
        module_state.focus = Some(piece);
        module_state.bring = Some(piece);
    }
}

/// Scrolls to the milestone that was chosen from the list.
pub(super) fn go_to_goal(model: &mut Model) {
    let Some(goal) = model.goal.take() else { return };
    let is_goal = |block: &Block| matches!(block, Block::Milestone { name } if name == goal);
    let index = model
        .module_state()
        .and_then(|module_state| module_state.lesson.blocks.iter().position(is_goal));
    match index {
        Some(index) => {
            keep_place(model);
            // The result of the check does not scroll away from it.
            model.scrolled = Some(model.now);
            go_to_piece(model, index + 1);
        }
        None => super::say(model, format!("this lesson does not show the milestone {goal}")),
    }
}

/// Scrolls a line near the top of the view.
pub(super) fn go_to_line(model: &mut Model, line: usize) {
    let last = last_top(&model.measured);
    let context = model.measured.height / 4;
    if let Some(module_state) = model.module_state_mut() {
        module_state.focus = None;
        module_state.bring = None;
        module_state.top = line.saturating_sub(context).min(last);
    }
}

/// The piece that a line belongs to.
pub(super) fn piece_at(model: &Model, line: usize) -> usize {
    model.measured.starts.iter().rposition(|start| *start <= line).unwrap_or(0)
}

/// Focuses the live block that a line is in; where there is none, the focus is left to the view.
pub(super) fn focus_line(model: &mut Model, line: usize) {
    let piece = piece_at(model, line);
    if let Some(module_state) = model.module_state_mut() {
        module_state.focus = module_state.is_live(piece).then_some(piece);
    }
}

/// Applies a new layout: the line at the top stays there even if pieces above it grew or the width changed,
/// and the piece to bring into view is scrolled to.
pub(super) fn laid_out(model: &mut Model, measured: Measured) {
    let old = std::mem::replace(&mut model.measured, measured);
    let measured = model.measured.clone();
    model.pan = model.pan.min(measured.hidden_columns);
    model.results_top =
        model.results_top.min(measured.results.0.saturating_sub(measured.results.1));
    if let Some(Overlay::Help(top) | Overlay::Compare { top, .. }) = &mut model.overlay {
        *top = (*top).min(measured.window.0.saturating_sub(measured.window.1));
    }
    let moved = (old.height, &old.starts) != (measured.height, &measured.starts);
    let writing = model.writing_piece().filter(|_| moved);
    let Some(module_state) = model.module_state_mut() else { return };
    // What is being typed stays in view.
    module_state.bring = writing.or(module_state.bring);
    if old.module == measured.module && old.starts != measured.starts {
        module_state.top = same_place(module_state.top, &old, &measured);
    }
    if measured.height == 0 {
        return;
    }
    if let Some(place) = module_state.restore.take() {
        module_state.top = line_of(place, &measured);
    }
    if let Some(piece) = module_state.bring.take() {
        module_state.top = bring(piece, module_state.top, &measured);
    }
    module_state.top = module_state.top.min(last_top(&measured));
}

fn last_top(measured: &Measured) -> usize {
    measured.total.saturating_sub(measured.height)
}

/// The line of a place; the last line of its piece if that is shorter now.
fn line_of(place: ReadingPosition, measured: &Measured) -> usize {
    let Some(start) = measured.starts.get(place.piece).copied() else { return measured.total };
    let end = measured.starts.get(place.piece + 1).copied().unwrap_or(measured.total);
    start + place.line.min((end - start).saturating_sub(1))
}

/// The line that is now where `top` was: the same line of the same piece.
fn same_place(top: usize, old: &Measured, new: &Measured) -> usize {
    let piece = old.starts.iter().rposition(|start| *start <= top).unwrap_or(0);
    let (Some(was), Some(is)) = (old.starts.get(piece), new.starts.get(piece)) else { return top };
    let length = |measured: &Measured, start: usize| {
        measured.starts.get(piece + 1).copied().unwrap_or(measured.total) - start
    };
    let (before, after) = (length(old, *was).max(1), length(new, *is));
    is + (top - was) * after / before
}

/// The first line to show so that a piece is in view: unchanged if all of it is in view already.
fn bring(piece: usize, top: usize, measured: &Measured) -> usize {
    let Some(start) = measured.starts.get(piece).copied() else { return top };
    let end = measured.starts.get(piece + 1).copied().unwrap_or(measured.total);
    if start >= top && end <= top + measured.height {
        return top;
    }
    let room = measured.height.saturating_sub(end - start);
    start.saturating_sub(room / 3)
}
