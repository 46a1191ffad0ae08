//! A chart: its title, its axes, its curves or bars, and the name of each curve. Curves never differ by
//! colour alone: each has a mark of its own. Must not know how a number is formatted.

mod axis;
mod bars;
mod plot;

use super::text::{both_ends, clip, wrap};
use crate::tui::theme::{self, Role, style};
use plot::Plot;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tinytorch::report::{Axis, Chart, ChartKind, Scale, Series};

/// The rows of curves and axes on a narrow and on a wide screen.
const HEIGHTS: (usize, usize) = (10, 22);

/// A chart under its title.
#[must_use]
pub fn lines(chart: &Chart, width: usize) -> Vec<Line<'static>> {
    let mut lines = super::block::title(&chart.title, &chart.origin, width);
    let drawn = match chart.kind {
        ChartKind::Bar => bars::lines(chart, width),
        ChartKind::Line | ChartKind::Scatter => curves(chart, width),
    };
    if drawn.is_empty() {
        lines.push(Line::styled("no points yet", style(Role::Dim)));
    }
    lines.extend(drawn);
    lines
        .into_iter()
        .map(|line| if line.width() > width { clip(&line.spans, width) } else { line })
        .collect()
}

/// Curves or points over two axes, with the name of each beside its end or in a legend.
fn curves(chart: &Chart, width: usize) -> Vec<Line<'static>> {
    let height = (width / 8 + 4).clamp(HEIGHTS.0, HEIGHTS.1);
    let labels = end_labels(chart, width);
    let room = labels.as_ref().map_or(0, |labels| widest(labels) + 1);
    let Some(plot) = Plot::of(chart, width - room, height) else { return vec![] };
    let mut lines = plot.lines();
    if let Some(labels) = &labels {
        for (row, label) in rows(&plot.last_rows(), height - 2).into_iter().zip(labels) {
            if let Some(row) = row {
                lines[row].spans.push(Span::raw(" "));
                lines[row].spans.extend(label.spans.clone());
            }
        }
    }
    let (x_unit, y_unit) = plot.units();
    lines.insert(0, axis_name(&chart.y, y_unit, "↑"));
    let x_name = axis_name(&chart.x, x_unit, "→");
    lines.push(both_ends(vec![], x_name.spans, width - room));
    let mut entries = if labels.is_some() { vec![] } else { legend(chart) };
    if plot.shares_cells() {
        let several = "\u{a0}points\u{a0}of\u{a0}several\u{a0}curves";
        entries.push(Line::from(vec![
            Span::styled(plot::SHARED, style(Role::Strong)),
            several.into(),
        ]));
    }
    let gap = || Span::raw("\u{a0}\u{a0} ");
    let spans: Vec<_> =
        entries.into_iter().flat_map(|entry| [entry.spans, vec![gap()]].concat()).collect();
    if !spans.is_empty() {
        lines.extend(wrap(&spans, width, &[], &[]));
    }
    lines
}

/// `↑ time (ms, log)`: what an axis shows, the unit of its ticks, its scale.
fn axis_name(axis: &Axis, unit: &str, arrow: &str) -> Line<'static> {
    let scale = if axis.scale == Scale::Log { "log" } else { "" };
    let notes: Vec<&str> = [unit, scale].into_iter().filter(|note| !note.is_empty()).collect();
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    let text = format!("{arrow} {}{notes}", axis.label);
    Line::from(Span::styled(text, style(Role::Dim)))
}

/// The names of the curves for their right ends, if they fit in a third of the width.
fn end_labels(chart: &Chart, width: usize) -> Option<Vec<Line<'static>>> {
    let labels = legend(chart);
    let fits = chart.kind == ChartKind::Line
        && labels.len() <= HEIGHTS.0 - 2
        && widest(&labels) <= width / 3;
    (fits && !labels.is_empty()).then_some(labels)
}

fn widest(lines: &[Line<'_>]) -> usize {
    lines.iter().map(Line::width).max().unwrap_or(0)
}

/// The mark and the name of each curve; empty if the title is the name of the only one.
fn legend(chart: &Chart) -> Vec<Line<'static>> {
    let is_named = chart.series.len() > 1 || chart.series.iter().any(|one| one.name != chart.title);
    let entry = |(index, series): (usize, &Series)| {
        // A name is never broken between lines.
        let name = format!("\u{a0}{}", series.name.replace(' ', "\u{a0}"));
        Line::from(vec![
            plot::mark(index),
            Span::styled(name, Style::new().fg(theme::series(index))),
        ])
    };
    chart.series.iter().filter(|_| is_named).enumerate().map(entry).collect()
}

/// A row of its own for each label, as near to the wanted one as the others allow.
fn rows(wanted: &[Option<usize>], height: usize) -> Vec<Option<usize>> {
    let mut order: Vec<(usize, usize)> =
        wanted.iter().enumerate().filter_map(|(index, row)| Some(((*row)?, index))).collect();
    order.sort_unstable();
    let mut rows = vec![None; wanted.len()];
    let mut free = 0;
    let mut left = order.len();
    for (row, index) in order {
        // The labels that follow need a row each.
        let last = height.saturating_sub(left);
        let row = row.clamp(free.min(last), last);
        rows[index] = Some(row);
        free = row + 1;
        left -= 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tinytorch::report::Origin;

    fn chart(kind: ChartKind, y: Axis, points: &[(f64, f64)]) -> Chart {
        Chart {
            title: "Cost".into(),
            kind,
            x: Axis::linear("size", ""),
            y,
            series: vec![Series::new("mine", points.iter().copied())],
            origin: Origin::Measured,
        }
    }

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect()
    }

    #[test]
    fn a_logarithmic_axis_says_so() {
        let chart = chart(ChartKind::Line, Axis::log("cost", ""), &[(0.0, 1.0), (1.0, 100.0)]);
        assert!(text(&lines(&chart, 60)).concat().contains("↑ cost (log)"));
    }

    #[test]
    fn the_unit_is_in_the_name_of_the_axis_and_not_at_each_tick() {
        let points = [(0.0, 0.0), (1.0, 70e9)];
        let text =
            text(&lines(&chart(ChartKind::Line, Axis::linear("speed", "FLOP/s"), &points), 60));
        assert!(text.contains(&"↑ speed (GFLOP/s)".to_owned()), "{text:#?}");
        assert_eq!(text.concat().matches("FLOP/s").count(), 1, "{text:#?}");
    }

    #[test]
    fn values_that_have_no_place_are_left_out() {
        let points = [(0.0, f64::NAN), (1.0, 0.0), (2.0, -1.0)];
        let lines = text(&lines(&chart(ChartKind::Line, Axis::log("y", ""), &points), 40));
        assert_eq!(lines[1..], ["no points yet"]);
    }

    #[test]
    fn each_curve_has_its_mark_and_its_name_at_its_end() {
        let mut chart = chart(ChartKind::Line, Axis::linear("y", ""), &[(0.0, 1.0), (1.0, 2.0)]);
        chart.series.push(Series::new("reference", [(0.0, 2.0), (1.0, 1.0)]));
        let text = text(&lines(&chart, 60));
        let ends = |name: &str| text.iter().position(|line| line.ends_with(name)).unwrap();
        assert!(ends("● ●\u{a0}mine") < ends("▲ ▲\u{a0}reference"), "{text:#?}");
    }

    #[test]
    fn names_that_do_not_fit_are_listed_below() {
        let name = "a rather long name of a curve";
        let mut chart = chart(ChartKind::Line, Axis::linear("y", ""), &[(0.0, 1.0), (1.0, 2.0)]);
        chart.series.push(Series::new(name, [(0.0, 2.0), (1.0, 1.0)]));
        let text = text(&lines(&chart, 60));
        assert_eq!(text[text.len() - 1].replace('\u{a0}', " "), format!("● mine   ▲ {name}"));
    }

    #[test]
    fn labels_of_curves_that_end_together_do_not_hide_each_other() {
        assert_eq!(rows(&[Some(3), Some(3), Some(3)], 12), [Some(3), Some(4), Some(5)]);
        assert_eq!(rows(&[Some(11), None, Some(11)], 12), [Some(10), None, Some(11)]);
    }

    #[test]
    fn a_chart_fills_the_width() {
        let chart = chart(ChartKind::Line, Axis::linear("y", ""), &[(0.0, 1.0), (1.0, 2.0)]);
        for width in [56, 106, 190] {
            let widest = lines(&chart, width).iter().map(Line::width).max();
            assert_eq!(widest, Some(width));
        }
    }

    proptest! {
        #[test]
        fn any_chart_fits_any_width(
            points in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..20),
            kind in prop_oneof![Just(ChartKind::Bar), Just(ChartKind::Line), Just(ChartKind::Scatter)],
            log in any::<bool>(),
            width in 0usize..100,
        ) {
            let y = if log { Axis::log("y", "s") } else { Axis::linear("y", "s") };
            for line in lines(&chart(kind, y, &points), width) {
                prop_assert!(line.width() <= width.max(1), "{line:?}");
            }
        }
    }
}
