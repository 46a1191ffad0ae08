//! Tables, of the prose and of the analyses, within a width: columns that do not fit are narrowed, the
//! widest first, and their cells wrap, between words as long as these fit. Must not know how a number is formatted.

use super::text::{clip, wrap};
use crate::report::figures;
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};
use tinytorch::report::{Table, Value};
use unicode_width::UnicodeWidthStr;

/// One cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    spans: Vec<Span<'static>>,
    width: usize,
}

impl Cell {
    /// A cell of styled text.
    #[must_use]
    pub fn new(spans: Vec<Span<'static>>) -> Self {
        let width = spans.iter().map(Span::width).sum();
        Self { spans, width }
    }

    /// The width of its longest word, which may have several styles.
    fn longest_word(&self) -> usize {
        let text: String = self.spans.iter().map(|span| span.content.as_ref()).collect();
        text.split_whitespace().map(UnicodeWidthStr::width).max().unwrap_or(0)
    }
}

const GAP: usize = 2;

/// Lays out a table. `right` says which columns are aligned to the right.
#[must_use]
pub fn lay_out(
    head: &[Cell],
    rows: &[Vec<Cell>],
    right: &[bool],
    width: usize,
) -> Vec<Line<'static>> {
    let widths = widths(head, rows, width);
    let bold = |cell: &Cell| {
        let spans = cell.spans.iter().cloned();
        Cell::new(spans.map(|span| span.patch_style(style(Role::Strong))).collect())
    };
    let head: Vec<Cell> = head.iter().map(bold).collect();
    let mut lines = row(&head, &widths, right);
    let rule: usize = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    lines.push(Line::styled("─".repeat(rule.min(width)), style(Role::Dim)));
    lines.extend(rows.iter().flat_map(|cells| row(cells, &widths, right)));
    // Many columns need more than any screen that is too narrow has, even with one character each.
    lines.iter().map(|line| clip(&line.spans, width).style(line.style)).collect()
}

/// A table of an analysis with its title and where its figures come from.
#[must_use]
pub fn report(table: &Table, width: usize) -> Vec<Line<'static>> {
    let head: Vec<Cell> =
        table.columns.iter().map(|column| Cell::new(vec![column.name.clone().into()])).collect();
    let rows: Vec<Vec<Cell>> = figures::cells(table)
        .into_iter()
        .map(|row| row.into_iter().map(|cell| Cell::new(vec![Span::raw(cell)])).collect())
        .collect();
    let right: Vec<bool> = (0..head.len())
        .map(|index| !table.rows.iter().any(|row| matches!(row.get(index), Some(Value::Text(_)))))
        .collect();
    let mut lines = super::block::title(&table.title, &table.origin, width);
    lines.extend(lay_out(&head, &rows, &right, width));
    lines
}

/// The width of each column: what its cells need; until all fit, the widest is narrowed that has no longest word in its
/// way, and if there is none, the widest.
fn widths(head: &[Cell], rows: &[Vec<Cell>], width: usize) -> Vec<usize> {
    let largest = |of: fn(&Cell) -> usize, index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).chain(head.get(index));
        cells.map(of).max().unwrap_or(0).max(1)
    };
    let column = |index| (largest(|cell| cell.width, index), largest(Cell::longest_word, index));
    let mut columns: Vec<(usize, usize)> = (0..head.len()).map(column).collect();
    let room = width.saturating_sub(GAP * columns.len().saturating_sub(1));
    while columns.iter().map(|(width, _)| width).sum::<usize>() > room {
        let order = |(width, word): &&mut (usize, usize)| (width > word, *width);
        let Some((widest, _)) = columns.iter_mut().max_by_key(order).filter(|(w, _)| *w > 1) else {
            break;
        };
        *widest -= 1;
    }
    columns.into_iter().map(|(width, _)| width).collect()
}

fn row(cells: &[Cell], widths: &[usize], right: &[bool]) -> Vec<Line<'static>> {
    let wrapped: Vec<Vec<Line<'static>>> = widths
        .iter()
        .enumerate()
        .map(|(index, width)| {
            cells.get(index).map_or_else(Vec::new, |cell| wrap(&cell.spans, *width, &[], &[]))
        })
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    (0..height).map(|line| join(&wrapped, line, widths, right)).collect()
}

fn join(
    wrapped: &[Vec<Line<'static>>],
    line: usize,
    widths: &[usize],
    right: &[bool],
) -> Line<'static> {
    let mut joined = Line::default();
    for (index, (cell, width)) in wrapped.iter().zip(widths).enumerate() {
        let content = cell.get(line).cloned().unwrap_or_default();
        let pad = " ".repeat(width.saturating_sub(content.width()));
        let gap = if index > 0 { " ".repeat(GAP) } else { String::new() };
        let at_right = right.get(index).copied().unwrap_or(false);
        joined.spans.push(Span::raw(if at_right { gap + &pad } else { gap }));
        joined.spans.extend(content.spans);
        if !at_right && index + 1 < widths.len() {
            joined.spans.push(Span::raw(pad));
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::report::{Column, Origin};

    fn cells(texts: &[&str]) -> Vec<Cell> {
        texts.iter().map(|text| Cell::new(vec![Span::raw((*text).to_owned())])).collect()
    }

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_widest_column_is_narrowed_first() {
        let lines = lay_out(&cells(&["a", "what"]), &[cells(&["1", "one two three"])], &[], 11);
        assert_eq!(text(&lines), ["a  what", "───────────", "1  one two", "   three"]);
    }

    #[test]
    fn no_word_breaks_as_long_as_another_column_can_be_narrowed() {
        let rows = [cells(&["9.22 kFLOP", "a b c d"])];
        let lines = lay_out(&cells(&["operations", "b"]), &rows, &[], 15);
        assert_eq!(text(&lines)[0], "operations  b");
        assert_eq!(text(&lines)[2..], ["9.22 kFLOP  a b", "            c d"]);
        let lines = lay_out(&cells(&["operations", "b"]), &rows, &[], 8);
        assert_eq!(text(&lines)[..2], ["opera  b", "tions"], "too narrow for its longest word");
    }

    #[test]
    fn a_table_with_more_columns_than_fit_is_cut_off() {
        let lines = lay_out(&cells(&["a", "b", "c"]), &[cells(&["1", "2", "3"])], &[], 5);
        assert!(lines.iter().all(|line| line.width() <= 5), "{:?}", text(&lines));
        assert!(text(&lines)[2].starts_with("1  2"), "{:?}", text(&lines));
    }

    #[test]
    fn figures_are_aligned_to_the_right_with_one_unit_each() {
        let table = Table {
            title: "Times".into(),
            columns: vec![Column::plain("order"), Column::with_unit("time", "s")],
            rows: vec![
                vec!["rows".into(), 0.0012.into()],
                vec!["columns".into(), Value::Spread { median: 0.0123, low: 0.012, high: 0.0126 }],
            ],
            origin: Origin::Measured,
        };
        assert_eq!(
            text(&report(&table, 40)),
            [
                "Times                           measured",
                "order            time",
                "─────────────────────",
                "rows           1.2 ms",
                "columns  12.3 ms ±0.3"
            ]
        );
    }

    #[test]
    fn a_table_with_more_columns_than_the_screen_does_not_panic() {
        let many = cells(&["a"; 30]);
        assert!(!lay_out(&many, std::slice::from_ref(&many), &[], 5).is_empty());
    }
}
