//! The learner's cell and the reference's: side by side where there is room, else one below the other.

use super::markdown;
use super::text::clip;
use crate::tui::model::{Model, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// From this width on both are side by side.
const WIDE: usize = 110;
/// The separator between them.
const GAP: &str = " │ ";

/// Both texts of a cell.
#[must_use]
pub fn lines(
    model: &Model,
    module_state: &ModuleState,
    cell: &str,
    width: usize,
) -> Vec<Line<'static>> {
    let mine = module_state.own_cell(cell).unwrap_or_default();
    let reference = model.reference_cell(cell).unwrap_or_default();
    let column = if width >= WIDE { (width - GAP.chars().count()) / 2 } else { width };
    let text = |title: &str, text: &str| {
        let mut lines = vec![Line::styled(title.to_owned(), style(Role::Subheading))];
        lines.extend(markdown::code(text, column, &model.highlighted, &[]));
        lines
    };
    let (mine, reference) = (text("yours", &mine), text("the reference", &reference));
    if width >= WIDE {
        return beside(&mine, &reference, column);
    }
    [mine, vec![Line::default()], reference].concat()
}

fn beside(left: &[Line<'static>], right: &[Line<'static>], column: usize) -> Vec<Line<'static>> {
    let rows = left.len().max(right.len());
    (0..rows)
        .map(|row| {
            let cells = |lines: &[Line<'static>]| {
                let line = lines.get(row).cloned().unwrap_or_default();
                let spans = line.spans.into_iter().map(|span| span.patch_style(line.style));
                clip(&spans.collect::<Vec<_>>(), column)
            };
            let mut line = cells(left);
            let space = column.saturating_sub(line.width());
            line.spans.push(Span::styled(format!("{}{GAP}", " ".repeat(space)), style(Role::Dim)));
            line.spans.extend(cells(right).spans);
            line
        })
        .collect()
}
