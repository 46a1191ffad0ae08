//! Charts: curves and points in braille, bars in blocks, error bars, logarithmic axes. Comes in: a
//! chart and a width. Goes out: lines. Without colour or UTF-8 each curve has a letter of its own.
//! Not here: how a figure is written.

use super::text::{both_ends, clip, wrap};
use crate::report::figures;
use crate::tui::model::Capabilities;
use crate::tui::theme::{CURVES, Role, style};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis as ScreenAxis, Chart as ScreenChart, Dataset, GraphType, Widget};
use tinytorch::report::{Axis, Chart, ChartKind, Point, Scale, Series};
use unicode_width::UnicodeWidthStr;

/// Marks of the curves where colours cannot tell them apart.
const MARKS: [char; 6] = ['*', 'o', '+', 'x', '#', '%'];
const HEIGHT: u16 = 14;
const MAX_WIDTH: usize = 84;

/// A chart under its title, with what runs along its axes.
#[must_use]
pub fn lines(chart: &Chart, width: usize, capabilities: Capabilities) -> Vec<Line<'static>> {
    let width = width.min(MAX_WIDTH);
    let mut lines = super::block::title(&chart.title, &chart.origin, width);
    let drawn = match chart.kind {
        ChartKind::Bar => bars(chart, width),
        ChartKind::Line | ChartKind::Scatter => curves(chart, width, capabilities),
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

/// One bar for each point. Several series stand below each other, each under its name.
fn bars(chart: &Chart, width: usize) -> Vec<Line<'static>> {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let shown = || points().map(|point| point.y).filter(|y| y.is_finite());
    let top = shown().fold(0.0, f64::max);
    let low = shown().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min);
    let names: Vec<String> = points().map(|point| bar_name(point, chart)).collect();
    let figures: Vec<String> = points().map(|point| bar_figure(point, chart)).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| text.width()).max().unwrap_or(0);
    let name_width = widest(&names).min(width / 3);
    let room = width.saturating_sub(name_width + widest(&figures) + 3);
    let mut rows = names.iter().zip(&figures);
    let mut lines = vec![];
    for (index, series) in chart.series.iter().enumerate() {
        if chart.series.len() > 1 {
            lines.push(Line::styled(series.name.clone(), style(Role::Strong)));
        }
        for point in &series.points {
            let Some((name, figure)) = rows.next() else { break };
            let share = match chart.y.scale {
                Scale::Linear => point.y / top,
                // The smallest bar of a logarithmic axis keeps a tenth, so that it is seen.
                Scale::Log => 0.1 + 0.9 * (point.y / low).ln() / (top / low).ln().max(1e-9),
            };
            let name = clip(&[Span::raw(name.clone())], name_width);
            let pad = " ".repeat(name_width.saturating_sub(name.width()));
            let mut spans = name.spans;
            spans.push(Span::raw(pad + " "));
            spans.push(Span::styled(bar(share, room), Style::new().fg(colour(index))));
            spans.push(Span::styled(format!(" {figure}"), style(Role::Dim)));
            lines.push(clip(&spans, width));
        }
    }
    if chart.y.scale == Scale::Log && !lines.is_empty() {
        lines.push(Line::styled("bars on a logarithmic scale", style(Role::Dim)));
    }
    lines
}

fn bar_name(point: &Point, chart: &Chart) -> String {
    point.label.clone().unwrap_or_else(|| figures::figure(point.x, &chart.x.unit))
}

fn bar_figure(point: &Point, chart: &Chart) -> String {
    let figure = figures::figure(point.y, &chart.y.unit);
    match point.spread {
        Some((low, high)) => {
            let (half, _) = figures::scaled((high - low) / 2.0, &chart.y.unit, point.y);
            format!("{figure} ±{half}")
        }
        None => figure,
    }
}

/// A bar of `share` of the room, to an eighth of a cell.
fn bar(share: f64, room: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (share * room as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

/// Curves or points over two axes, drawn by ratatui into a buffer of their own.
fn curves(chart: &Chart, width: usize, capabilities: Capabilities) -> Vec<Line<'static>> {
    let drawable: Vec<Vec<(f64, f64)>> =
        chart.series.iter().map(|series| places(series, chart)).collect();
    let bars = error_bars(chart);
    let all = || drawable.iter().flatten().chain(bars.iter().flat_map(|(_, ends)| ends));
    let x = bounds(all().map(|place| place.0));
    let y = bounds(all().map(|place| place.1));
    let (Some(x), Some(y)) = (x, y) else { return vec![] };
    let share = |place: &(f64, f64)| (x.share(place.0), y.share(place.1));
    let drawable: Vec<Vec<(f64, f64)>> =
        drawable.iter().map(|points| points.iter().map(share).collect()).collect();
    let bars: Vec<(usize, [(f64, f64); 2])> =
        bars.iter().map(|(index, ends)| (*index, ends.map(|end| share(&end)))).collect();
    let marked = capabilities.ascii || !capabilities.color;
    let marker = |index: usize| match marked {
        true => Marker::Custom(MARKS[index % MARKS.len()]),
        false if chart.kind == ChartKind::Scatter => Marker::Dot,
        false => Marker::Braille,
    };
    let mut datasets: Vec<Dataset<'_>> = bars
        .iter()
        .map(|(index, ends)| dataset(ends, marker(*index), GraphType::Line, colour(*index)))
        .collect();
    let kind = if chart.kind == ChartKind::Line { GraphType::Line } else { GraphType::Scatter };
    datasets.extend(
        drawable.iter().enumerate().map(|(i, points)| dataset(points, marker(i), kind, colour(i))),
    );
    let area = Rect::new(0, 0, u16::try_from(width).unwrap_or(u16::MAX), HEIGHT);
    let mut buffer = Buffer::empty(area);
    ScreenChart::new(datasets)
        .x_axis(axis(&chart.x, x, 5))
        .y_axis(axis(&chart.y, y, 4))
        .legend_position(None)
        .render(area, &mut buffer);
    let mut lines = vec![axis_name(&chart.y, "↑")];
    lines.extend(from_buffer(&buffer));
    lines.push(both_ends(vec![], axis_name(&chart.x, "→").spans, width));
    lines.extend(legend(chart, width, marked));
    lines
}

fn dataset(points: &[(f64, f64)], marker: Marker, kind: GraphType, colour: Color) -> Dataset<'_> {
    Dataset::default().data(points).marker(marker).graph_type(kind).style(Style::new().fg(colour))
}

fn colour(index: usize) -> Color {
    CURVES[index % CURVES.len()]
}

/// The points of a curve as places on the screen's axes; what cannot be drawn is left out.
fn places(series: &Series, chart: &Chart) -> Vec<(f64, f64)> {
    let place = |point: &Point| (on(&chart.x, point.x), on(&chart.y, point.y));
    let drawn = series.points.iter().map(place);
    drawn.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

/// A value's place along an axis. Zero and less have no place on a logarithmic one, nor has what is
/// so large that the distance of two of them is no number.
fn on(axis: &Axis, value: f64) -> f64 {
    match axis.scale {
        _ if value.abs() > f64::MAX / 4.0 => f64::NAN,
        Scale::Linear => value,
        Scale::Log if value > 0.0 => value.log10(),
        Scale::Log => f64::NAN,
    }
}

fn error_bars(chart: &Chart) -> Vec<(usize, [(f64, f64); 2])> {
    let bar = |point: &Point| {
        let (low, high) = point.spread?;
        let x = on(&chart.x, point.x);
        let ends = [(x, on(&chart.y, low)), (x, on(&chart.y, high))];
        ends.iter().all(|(x, y)| x.is_finite() && y.is_finite()).then_some(ends)
    };
    let series = chart.series.iter().enumerate();
    series
        .flat_map(|(index, series)| {
            series.points.iter().filter_map(bar).map(move |ends| (index, ends))
        })
        .collect()
}

/// The ends of an axis, as places.
#[derive(Clone, Copy)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    /// How far along the axis a place is, 0 to 1. Only this goes to ratatui, whose lines never end
    /// between places that are too close for a float.
    fn share(self, place: f64) -> f64 {
        ((place - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn place(self, share: f64) -> f64 {
        self.low + (self.high - self.low) * share
    }
}

/// Lowest and highest of the values; a flat curve gets room on both sides.
fn bounds(values: impl Iterator<Item = f64>) -> Option<Bounds> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return None;
    }
    let flat = high - low <= high.abs().max(low.abs()) * 1e-12;
    let room = if flat { low.abs().max(1.0) * 0.1 } else { 0.0 };
    Some(Bounds { low: low - room, high: high + room })
}

fn axis(axis: &Axis, bounds: Bounds, labels: u32) -> ScreenAxis<'static> {
    let label = |step: u32| {
        let place = bounds.place(f64::from(step) / f64::from(labels - 1));
        let value = if axis.scale == Scale::Log { 10f64.powf(place) } else { place };
        // A power of ten of a logarithm misses a whole number by the last digits: 31.999999.
        let whole = (value - value.round()).abs() < value.abs() * 1e-9;
        Span::raw(figures::figure(if whole { value.round() } else { value }, &axis.unit))
    };
    ScreenAxis::default()
        .bounds([0.0, 1.0])
        .labels((0..labels).map(label).collect::<Vec<_>>())
        .style(style(Role::Dim))
}

fn axis_name(axis: &Axis, arrow: &str) -> Line<'static> {
    let scale = if axis.scale == Scale::Log { " (log)" } else { "" };
    Line::styled(format!("{arrow} {}{scale}", axis.label), style(Role::Dim))
}

/// What each curve is, unless there is one without a name.
fn legend(chart: &Chart, width: usize, marked: bool) -> Vec<Line<'static>> {
    let named = chart.series.len() > 1 || chart.series.iter().any(|s| s.name != chart.title);
    if !named {
        return vec![];
    }
    let entry = |(index, series): (usize, &Series)| {
        let mark =
            if marked { MARKS[index % MARKS.len()].to_string() } else { "━━".to_owned() };
        let name = series.name.replace(' ', "\u{a0}");
        [
            Span::styled(mark, Style::new().fg(colour(index))),
            Span::raw(format!("\u{a0}{name}\u{a0}\u{a0}")),
            Span::raw(" "),
        ]
    };
    let spans: Vec<Span<'static>> = chart.series.iter().enumerate().flat_map(entry).collect();
    wrap(&spans, width, &[], &[])
}

/// The lines of a finished buffer, neighbours of one style joined.
fn from_buffer(buffer: &Buffer) -> Vec<Line<'static>> {
    let width = usize::from(buffer.area.width).max(1);
    buffer
        .content
        .chunks(width)
        .map(|row| {
            let mut line = Line::default();
            for cell in row {
                match line.spans.last_mut() {
                    Some(last) if last.style == cell.style() => {
                        last.content.to_mut().push_str(cell.symbol());
                    }
                    _ => line.spans.push(Span::styled(cell.symbol().to_owned(), cell.style())),
                }
            }
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tinytorch::report::Origin;

    const PLAIN: Capabilities = Capabilities { ascii: true, color: false };
    const FULL: Capabilities = Capabilities { ascii: false, color: true };

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
    fn bars_carry_names_and_figures() {
        let mut chart = chart(ChartKind::Bar, Axis::linear("time", "s"), &[(0.0, 0.5), (1.0, 1.0)]);
        chart.series[0].points[0].label = Some("ReLU".into());
        chart.series[0].points[1].label = Some("Gelu".into());
        assert_eq!(
            text(&lines(&chart, 26, FULL))[1..],
            ["ReLU ██████▌ 500 ms", "Gelu █████████████ 1 s"]
        );
    }

    #[test]
    fn on_a_logarithmic_axis_equal_factors_are_equal_steps() {
        let points = [(0.0, 1.0), (1.0, 10.0), (2.0, 100.0)];
        let curve = |y| text(&lines(&chart(ChartKind::Line, y, &points), 60, PLAIN));
        let rows = |lines: &[String]| -> Vec<usize> {
            let marked = lines.iter().enumerate().filter(|(_, line)| line.contains('*'));
            marked.map(|(row, _)| row).collect()
        };
        let log = rows(&curve(Axis::log("cost", "")));
        // A straight line climbs through every row; a linear axis bends it.
        assert_eq!(log[..12].iter().zip(&log[1..12]).filter(|(a, b)| *b - *a != 1).count(), 0);
        assert!(curve(Axis::log("cost", "")).concat().contains("cost (log)"));
    }

    #[test]
    fn values_that_have_no_place_are_left_out() {
        let points = [(0.0, f64::NAN), (1.0, 0.0), (2.0, -1.0)];
        let lines = text(&lines(&chart(ChartKind::Line, Axis::log("y", ""), &points), 40, FULL));
        assert_eq!(lines[1..], ["no points yet"]);
    }

    #[test]
    fn without_colour_each_curve_has_its_mark() {
        let mut chart = chart(ChartKind::Scatter, Axis::linear("y", ""), &[(0.0, 1.0), (1.0, 2.0)]);
        chart.series.push(Series::new("reference", [(0.5, 1.5)]));
        let text = text(&lines(&chart, 50, PLAIN)).join("\n");
        assert!(text.contains("*\u{a0}mine\u{a0}\u{a0} o\u{a0}reference"), "{text}");
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
            for line in lines(&chart(kind, y, &points), width, FULL) {
                prop_assert!(line.width() <= width.max(1), "{line:?}");
            }
        }
    }
}
