//! Curves and points over two axes. Each series is drawn by ratatui's canvas in braille; then all are
//! merged dot by dot, so that none covers another, and measured points get the mark of their series.
//! Must not know how a number is formatted or what the series mean.

use super::axis::{Ruler, Tick, Ticks, place};
use crate::tui::theme::{self, Role, style};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line as Stroke, Points};
use tinytorch::report::{Chart, ChartKind, Point, Series};
use unicode_width::UnicodeWidthStr;

/// Marks of the series, in their order. Each becomes a different character in ASCII.
const MARKS: [&str; 7] = ["●", "▲", "■", "◆", "▼", "✚", "✖"];
/// The mark of a cell in which points of several series lie.
pub const SHARED: &str = "◈";
/// A curve with more than one point per this many columns is marked at some of its points only.
const SPARSE: usize = 3;
/// Columns between the marks of such a curve.
const SPACING: usize = 12;

/// The mark of a series in its colour.
#[must_use]
pub fn mark(series: usize) -> Span<'static> {
    Span::styled(MARKS[series % MARKS.len()], Style::new().fg(theme::series(series)))
}

/// Which series a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Shows {
    #[default]
    Nothing,
    One(usize),
    Several,
}

impl Shows {
    fn and(self, series: usize) -> Self {
        match self {
            Self::Nothing => Self::One(series),
            Self::One(one) if one == series => self,
            _ => Self::Several,
        }
    }
}

/// x and y: first places on both axes, then shares of them.
type At = (f64, f64);

/// What there is to draw of a series.
struct Curve {
    points: Vec<At>,
    error_bars: Vec<[At; 2]>,
}

impl Curve {
    /// The points and error bars of a series that have a place.
    fn of(series: &Series, chart: &Chart) -> Self {
        let at = |x: f64, y: f64| (place(&chart.x, x), place(&chart.y, y));
        let is_drawn = |(x, y): &At| x.is_finite() && y.is_finite();
        let ends = |point: &Point| {
            let (low, high) = point.spread?;
            Some([at(point.x, low), at(point.x, high)]).filter(|ends| ends.iter().all(is_drawn))
        };
        let points = series.points.iter().map(|point| at(point.x, point.y));
        let error_bars = series.points.iter().filter_map(ends).collect();
        Self { points: points.filter(is_drawn).collect(), error_bars }
    }

    fn places(&self) -> impl Iterator<Item = &At> {
        self.points.iter().chain(self.error_bars.iter().flatten())
    }

    /// The same as shares of both axes: between coordinates that differ by less than a float's precision,
    /// ratatui's lines never end.
    fn shares(self, x: &Ruler<'_>, y: &Ruler<'_>) -> Self {
        let share = |at: At| (x.share(at.0), y.share(at.1));
        let points = self.points.into_iter().map(share).collect();
        Self {
            points,
            error_bars: self.error_bars.into_iter().map(|ends| ends.map(share)).collect(),
        }
    }
}

/// A drawing of a chart's series, in cells.
pub struct Plot {
    columns: usize,
    rows: usize,
    curves: Vec<Curve>,
    dots: Vec<(u8, Shows)>,
    marks: Vec<Shows>,
    x_ticks: Ticks,
    y_ticks: Ticks,
}

impl Plot {
    /// Draws the series of a chart in `width` columns and `height` rows, including axes and tick labels.
    /// `None` if no point has a place.
    #[must_use]
    pub fn of(chart: &Chart, width: usize, height: usize) -> Option<Self> {
        let rows = height.saturating_sub(2).max(1);
        let curves: Vec<Curve> = chart.series.iter().map(|one| Curve::of(one, chart)).collect();
        let places = || curves.iter().flat_map(Curve::places);
        let x = Ruler::over(&chart.x, places().map(|place| place.0))?;
        let y = Ruler::over(&chart.y, places().map(|place| place.1))?.rounded(rows.div_ceil(3));
        let y_ticks = y.ticks(&[], |ticks| rows_apart(ticks, rows));
        let gutter = gutter(&y_ticks.list);
        let columns = width.saturating_sub(gutter + 1).max(1);
        let points = chart.series.iter().flat_map(|series| &series.points);
        let measured: Vec<f64> = points.map(|point| point.x).collect();
        let x_ticks = x.ticks(&measured, |ticks| {
            let starts = label_starts(ticks, gutter + 1, columns);
            let ends = starts.iter().zip(ticks).map(|(start, tick)| start + tick.label.width());
            starts.iter().skip(1).zip(ends).all(|(next, end)| *next > end)
        });
        let mut plot = Self {
            columns,
            rows,
            curves: curves.into_iter().map(|curve| curve.shares(&x, &y)).collect(),
            dots: vec![(0, Shows::Nothing); columns * rows],
            marks: vec![Shows::Nothing; columns * rows],
            x_ticks,
            y_ticks,
        };
        plot.draw(chart.kind);
        plot.put_marks(chart.kind);
        Some(plot)
    }

    /// Whether points of several series lie in one cell.
    #[must_use]
    pub fn shares_cells(&self) -> bool {
        self.marks.contains(&Shows::Several)
    }

    /// The row of the last point of each series.
    #[must_use]
    pub fn last_rows(&self) -> Vec<Option<usize>> {
        let last = |curve: &Curve| curve.points.last().map(|at| self.cell(*at) / self.columns);
        self.curves.iter().map(last).collect()
    }

    /// The units of both axes; empty if there is none, or if each tick has its own.
    #[must_use]
    pub fn units(&self) -> (&str, &str) {
        (&self.x_ticks.unit, &self.y_ticks.unit)
    }

    /// The finished lines, with the axes.
    #[must_use]
    pub fn lines(&self) -> Vec<Line<'static>> {
        let gutter = gutter(&self.y_ticks.list);
        let mut lines: Vec<Line<'static>> =
            (0..self.rows).map(|row| self.row(row, gutter)).collect();
        let mut rule = vec!["─"; self.columns];
        for tick in &self.x_ticks.list {
            rule[column(tick.share, self.columns)] = "┬";
        }
        let rule = format!("{}└{}", " ".repeat(gutter), rule.concat());
        lines.push(Line::styled(rule, style(Role::Dim)));
        lines.push(Line::styled(self.labels(gutter + 1), style(Role::Dim)));
        lines
    }

    fn row(&self, row: usize, gutter: usize) -> Line<'static> {
        let tick = self.y_ticks.list.iter().find(|tick| self.tick_row(tick) == row);
        let label = tick.map_or("", |tick| &tick.label);
        let axis = if tick.is_some() { '┤' } else { '│' };
        let pad = " ".repeat(gutter - label.width());
        let mut line = Line::from(Span::styled(format!("{pad}{label}{axis}"), style(Role::Dim)));
        for cell in row * self.columns..(row + 1) * self.columns {
            let span = self.span(cell);
            match line.spans.last_mut() {
                Some(last) if last.style == span.style => {
                    last.content.to_mut().push_str(&span.content)
                }
                _ => line.spans.push(span),
            }
        }
        line
    }

    fn span(&self, cell: usize) -> Span<'static> {
        let (dots, by) = self.dots[cell];
        match self.marks[cell] {
            Shows::One(series) => mark(series),
            Shows::Several => Span::styled(SHARED, style(Role::Strong)),
            Shows::Nothing if dots == 0 => Span::raw(" "),
            Shows::Nothing => {
                let braille = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
                let style = match by {
                    Shows::One(series) => Style::new().fg(theme::series(series)),
                    _ => style(Role::Text),
                };
                Span::styled(braille.to_string(), style)
            }
        }
    }

    /// The labels of the horizontal axis, each centred below its tick as far as there is room.
    fn labels(&self, left: usize) -> String {
        let mut line = String::new();
        for (tick, start) in
            self.x_ticks.list.iter().zip(label_starts(&self.x_ticks.list, left, self.columns))
        {
            line.push_str(&" ".repeat(start.saturating_sub(line.width())));
            line.push_str(&tick.label);
        }
        line
    }

    fn tick_row(&self, tick: &Tick) -> usize {
        self.cell((0.0, tick.share)) / self.columns
    }

    /// The cell of a place, by the rule of ratatui's braille: two dots across, four down.
    fn cell(&self, (x, y): At) -> usize {
        let dot = |share: f64, dots: usize| (share * (dots - 1) as f64).round() as usize;
        dot(1.0 - y, 4 * self.rows) / 4 * self.columns + dot(x, 2 * self.columns) / 2
    }

    fn draw(&mut self, kind: ChartKind) {
        let size = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
        let area = Rect::new(0, 0, size(self.columns), size(self.rows));
        for (index, curve) in self.curves.iter().enumerate() {
            let mut strokes: Vec<[At; 2]> = curve.error_bars.clone();
            if kind == ChartKind::Line {
                strokes.extend(curve.points.windows(2).map(|ends| [ends[0], ends[1]]));
            }
            let mut buffer = Buffer::empty(area);
            Canvas::default()
                .marker(Marker::Braille)
                .x_bounds([0.0, 1.0])
                .y_bounds([0.0, 1.0])
                .paint(|canvas| {
                    for [from, to] in &strokes {
                        let color = theme::series(index);
                        canvas.draw(&Stroke { x1: from.0, y1: from.1, x2: to.0, y2: to.1, color });
                    }
                    canvas.draw(&Points { coords: &curve.points, color: theme::series(index) });
                })
                .render(area, &mut buffer);
            for ((dots, shows), cell) in self.dots.iter_mut().zip(&buffer.content) {
                let drawn = cell.symbol().chars().next().map_or(0, u32::from);
                let drawn = u8::try_from(drawn.wrapping_sub(0x2800)).unwrap_or(0);
                if drawn != 0 {
                    *dots |= drawn;
                    *shows = shows.and(index);
                }
            }
        }
    }

    /// Marks the measured points: all of a series that has few, some of one that has many.
    fn put_marks(&mut self, kind: ChartKind) {
        let mut points = vec![Shows::Nothing; self.marks.len()];
        for (index, curve) in self.curves.iter().enumerate() {
            for at in &curve.points {
                let cell = self.cell(*at);
                points[cell] = points[cell].and(index);
            }
        }
        for (index, curve) in self.curves.iter().enumerate() {
            let cells: Vec<usize> = curve.points.iter().map(|at| self.cell(*at)).collect();
            let dense = kind == ChartKind::Line && cells.len() * SPARSE > self.columns;
            let marked = if dense { self.some(&cells, &points, index) } else { cells };
            for cell in marked {
                self.marks[cell] = points[cell];
            }
        }
    }

    /// Some cells of a curve with many points, where no other curve is; its last cell if there are none.
    fn some(&self, cells: &[usize], points: &[Shows], index: usize) -> Vec<usize> {
        // Curves start at different columns, so that their marks alternate where they run close together.
        let mut next = (index * SPACING / self.curves.len().max(1)) % SPACING;
        let mut marked = vec![];
        for cell in cells {
            let alone = [points[*cell], self.dots[*cell].1] == [Shows::One(index); 2];
            if alone && cell % self.columns >= next {
                marked.push(*cell);
                next = cell % self.columns + SPACING;
            }
        }
        if marked.is_empty() { cells.last().copied().into_iter().collect() } else { marked }
    }
}

/// Columns that the labels at the left take.
fn gutter(ticks: &[Tick]) -> usize {
    ticks.iter().map(|tick| tick.label.width()).max().unwrap_or(0)
}

fn column(share: f64, columns: usize) -> usize {
    (share * (2 * columns - 1) as f64).round() as usize / 2
}

/// Where the labels of a horizontal axis start: centred below their ticks, as far as there is room.
fn label_starts(ticks: &[Tick], left: usize, columns: usize) -> Vec<usize> {
    let start = |tick: &Tick| {
        let width = tick.label.width();
        let centred = (left + column(tick.share, columns)).saturating_sub(width / 2);
        centred.min((left + columns).saturating_sub(width))
    };
    ticks.iter().map(start).collect()
}

/// Whether the ticks of a vertical axis have a row between each other.
fn rows_apart(ticks: &[Tick], rows: usize) -> bool {
    let row = |tick: &Tick| (tick.share * (4 * rows - 1) as f64).round() as usize / 4;
    ticks.windows(2).all(|pair| row(&pair[1]) > row(&pair[0]) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tinytorch::report::{Axis, Origin};

    fn chart(kind: ChartKind, series: &[Vec<(f64, f64)>]) -> Chart {
        let named = |(index, points): (usize, &Vec<(f64, f64)>)| {
            Series::new(format!("series {index}"), points.iter().copied())
        };
        Chart {
            title: "Cost".into(),
            kind,
            x: Axis::linear("size", ""),
            y: Axis::linear("time", ""),
            series: series.iter().enumerate().map(named).collect(),
            origin: Origin::Measured,
        }
    }

    fn text(plot: &Plot) -> String {
        plot.lines().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_curve_that_runs_over_another_does_not_erase_it() {
        let flat = |y: f64| (0..4).map(|x| (f64::from(x), y)).collect::<Vec<_>>();
        let apart = Plot::of(&chart(ChartKind::Line, &[flat(0.0), flat(1.0)]), 60, 12).unwrap();
        let marks = |plot: &Plot, mark: &str| text(plot).matches(mark).count();
        assert_eq!((marks(&apart, "●"), marks(&apart, "▲"), marks(&apart, SHARED)), (4, 4, 0));
        let same = Plot::of(&chart(ChartKind::Line, &[flat(1.0), flat(1.0)]), 60, 12).unwrap();
        assert_eq!((marks(&same, "●"), marks(&same, "▲"), marks(&same, SHARED)), (0, 0, 4));
    }

    #[test]
    fn dots_of_two_curves_in_one_cell_are_both_drawn() {
        let rising = vec![(0.0, 0.0), (1.0, 1.0)];
        let falling = vec![(0.0, 0.9), (1.0, 0.0)];
        let alone = |points: &Vec<(f64, f64)>| {
            Plot::of(&chart(ChartKind::Line, std::slice::from_ref(points)), 40, 12).unwrap()
        };
        let both = Plot::of(&chart(ChartKind::Line, &[rising.clone(), falling.clone()]), 40, 12);
        let both = both.unwrap();
        let (rising, falling) = (alone(&rising), alone(&falling));
        for (cell, (dots, _)) in both.dots.iter().enumerate() {
            assert_eq!(*dots, rising.dots[cell].0 | falling.dots[cell].0);
        }
        assert!(both.dots.iter().any(|(_, shows)| *shows == Shows::Several));
    }

    #[test]
    fn a_spread_is_a_line_through_its_point() {
        let mut chart = chart(ChartKind::Scatter, &[vec![(0.0, 5.0), (1.0, 5.0)]]);
        chart.series[0].points[0].spread = Some((0.0, 10.0));
        let plot = Plot::of(&chart, 40, 14).unwrap();
        let column: Vec<bool> = (0..12).map(|row| plot.dots[row * plot.columns].0 != 0).collect();
        assert_eq!(column, [true; 12]);
    }

    #[test]
    fn negative_and_constant_series_have_their_axis() {
        let plot = Plot::of(&chart(ChartKind::Line, &[vec![(0.0, -3.0), (1.0, -3.0)]]), 40, 8);
        assert!(text(&plot.unwrap()).contains("-3"), "a constant below zero");
        let plot = Plot::of(&chart(ChartKind::Scatter, &[vec![(2.0, 0.0)]]), 40, 8).unwrap();
        assert_eq!(text(&plot).matches('●').count(), 1);
    }

    proptest! {
        #[test]
        fn every_point_is_seen_at_its_cell_and_every_series_has_a_mark(
            series in proptest::collection::vec(
                proptest::collection::vec((-50.0f64..50.0, -50.0f64..50.0), 1..90), 1..5),
            kind in prop_oneof![Just(ChartKind::Line), Just(ChartKind::Scatter)],
            (width, height) in (20usize..160, 6usize..24),
        ) {
            let plot = Plot::of(&chart(kind, &series), width, height).unwrap();
            for (index, curve) in plot.curves.iter().enumerate() {
                let cells: Vec<usize> = curve.points.iter().map(|at| plot.cell(*at)).collect();
                for cell in &cells {
                    let (dots, shows) = plot.dots[*cell];
                    let seen = match plot.marks[*cell] {
                        Shows::Nothing => dots != 0 && [Shows::One(index), Shows::Several].contains(&shows),
                        Shows::One(marked) => marked == index,
                        Shows::Several => true,
                    };
                    prop_assert!(seen, "series {index}, cell {cell}: {:?}", plot.marks[*cell]);
                }
                let marked = cells.iter().any(|cell| plot.marks[*cell] != Shows::Nothing);
                prop_assert!(marked, "series {index} has no mark");
            }
        }
    }
}
