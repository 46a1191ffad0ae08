//! Bars, one for each point, with its value. Must not know where on the screen they are.

use crate::report::figures;
use crate::tui::theme::{self, Role, style};
use crate::tui::view::text::clip;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tinytorch::report::{Chart, Point, Scale};
use unicode_width::UnicodeWidthStr;

/// The bars of all series, each series under its name where there are several.
#[must_use]
pub fn lines(chart: &Chart, width: usize) -> Vec<Line<'static>> {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let names: Vec<String> = points().map(|point| name(point, chart)).collect();
    let values: Vec<String> = points().map(|point| value(point, chart)).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| text.width()).max().unwrap_or(0);
    let name_width = widest(&names).min(width / 3);
    let room = width.saturating_sub(name_width + widest(&values) + 3);
    let Some(scale) = BarScale::of(chart, room) else { return vec![] };
    let mut rows = names.iter().zip(&values);
    let mut lines = vec![];
    for (index, series) in chart.series.iter().enumerate() {
        if chart.series.len() > 1 {
            lines.push(Line::styled(series.name.clone(), style(Role::Strong)));
        }
        let colour = Style::new().fg(theme::series(index));
        for (point, (name, value)) in series.points.iter().zip(&mut rows) {
            let name = clip(&[Span::raw(name.clone())], name_width);
            let pad = " ".repeat(name_width.saturating_sub(name.width()));
            let mut spans = name.spans;
            spans.push(Span::raw(pad + " "));
            spans.push(Span::styled(scale.bar(point.y), colour));
            spans.push(Span::styled(format!(" {value}"), style(Role::Dim)));
            lines.push(clip(&spans, width));
        }
    }
    if let Some(base) = scale.base {
        let start = figures::figure(base, &chart.y.unit);
        let text = format!("logarithmic scale: bars start at {start}");
        lines.push(Line::styled(text, style(Role::Dim)));
    }
    lines
}

fn name(point: &Point, chart: &Chart) -> String {
    point.label.clone().unwrap_or_else(|| figures::figure(point.x, &chart.x.unit))
}

fn value(point: &Point, chart: &Chart) -> String {
    match point.spread {
        Some(ends) => figures::spread(point.y, ends, &chart.y.unit),
        None => figures::figure(point.y, &chart.y.unit),
    }
}

/// The scale of the bars: `left` cells for the lowest negative value, `right` for the highest.
struct BarScale {
    low: f64,
    high: f64,
    /// Where the bars of a logarithmic scale start.
    base: Option<f64>,
    left: usize,
    right: usize,
}

impl BarScale {
    fn of(chart: &Chart, room: usize) -> Option<Self> {
        let values = || chart.series.iter().flat_map(|series| &series.points).map(|point| point.y);
        values().next()?;
        // Halved, so that the difference of two of them does not overflow.
        let finite = || values().filter(|y| y.is_finite()).map(|y| y / 2.0);
        if chart.y.scale == Scale::Log {
            let lowest =
                values().filter(|y| *y > 0.0 && y.is_finite()).fold(f64::INFINITY, f64::min);
            let base = 10f64.powf((lowest * 0.999).log10().floor());
            let high = values().filter(|y| y.is_finite()).fold(0.0, f64::max);
            let base = base.is_finite().then_some(base).filter(|base| *base > 0.0);
            return Some(Self { low: 0.0, high, base, left: 0, right: room });
        }
        let (low, high) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
        let share = if high > low { -low / (high - low) } else { 0.0 };
        let left = (share * room as f64).round() as usize;
        Some(Self { low, high, base: None, left, right: room - left })
    }

    /// A bar of this value, padded so that all bars start in the same column.
    fn bar(&self, value: f64) -> String {
        let share = match self.base {
            Some(base) => (value / base).ln() / (self.high / base).ln(),
            None if value < 0.0 => value / 2.0 / self.low,
            None => value / 2.0 / self.high,
        };
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        if value < 0.0 && self.base.is_none() {
            let cells = ((share * self.left as f64).round() as usize).max(1).min(self.left);
            return format!("{}{}", " ".repeat(self.left - cells), "█".repeat(cells));
        }
        format!("{}{}", " ".repeat(self.left), blocks(share, self.right))
    }
}

/// A bar of `share` of the room, to an eighth of a cell.
fn blocks(share: f64, room: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * room as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::report::{Axis, ChartKind, Origin, Series};

    fn chart(y: Axis, values: &[f64]) -> Chart {
        let points = values.iter().enumerate().map(|(index, y)| (index as f64, *y));
        Chart {
            title: "Cost".into(),
            kind: ChartKind::Bar,
            x: Axis::linear("size", ""),
            y,
            series: vec![Series::new("mine", points)],
            origin: Origin::Measured,
        }
    }

    fn text(chart: &Chart, width: usize) -> Vec<String> {
        lines(chart, width).iter().map(|line| line.to_string().trim_end().to_owned()).collect()
    }

    #[test]
    fn bars_carry_names_and_values() {
        let mut chart = chart(Axis::linear("time", "s"), &[0.5, 1.0]);
        chart.series[0].points[0].label = Some("ReLU".into());
        chart.series[0].points[1].label = Some("Gelu".into());
        assert_eq!(text(&chart, 26), ["ReLU ██████▌ 500 ms", "Gelu █████████████ 1 s"]);
    }

    #[test]
    fn a_negative_value_goes_the_other_way() {
        let chart = chart(Axis::linear("change", ""), &[-2.0, 4.0]);
        assert_eq!(text(&chart, 18), ["0 ████ -2", "1     ████████ 4"]);
    }

    #[test]
    fn a_logarithmic_scale_says_where_its_bars_start() {
        let chart = chart(Axis::log("time", "s"), &[0.01, 0.1, 1.0]);
        let text = text(&chart, 22);
        let length = |line: &String| line.matches('█').count();
        assert_eq!(text.iter().map(length).collect::<Vec<_>>(), [4, 8, 12, 0]);
        assert_eq!(text[3], "logarithmic scale: bars start at 1 ms");
    }
}
