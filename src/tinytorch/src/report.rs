//! What an analysis reports: typed tables, charts, metrics, pictures, texts, traces, insights and notes, never formatted text. An
//! analysis passes each [`Item`] to a [`Reporter`]; the screen and the commands render the same values. Not here: how an
//! item looks.

use crate::testing::{Comparison, Ratio, Timing, sample_error};
use crate::trace::Span;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Whether a figure was measured in this run, or follows from a formula.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Read off a clock, a counter or a result, on this machine, in this run.
    Measured,
    /// Follows from the formula given, for example `"4 bytes x elements"`.
    Computed(String),
}

/// One thing that an analysis reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    /// Rows under columns with units.
    Table(Table),
    /// Series over two axes.
    Chart(Chart),
    /// One figure, perhaps with a target.
    Metric(Metric),
    /// A grey-level picture, such as a digit or a feature map.
    Picture(Picture),
    /// A text cut into tokens.
    Tokens(Tokens),
    /// A text of several lines, perhaps one that is still being generated.
    Text(Text),
    /// What a program did when.
    Trace(Trace),
    /// One or two plain sentences: what the figures mean.
    Insight(Insight),
    /// A sentence that is no finding: why there are no figures.
    Note(Note),
    /// The progress of a long computation.
    Progress(Progress),
}

/// Rows under columns with units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Shown above the table; a later table of the same title replaces the earlier one.
    pub title: String,
    /// Column heads, left to right.
    pub columns: Vec<Column>,
    /// Each row holds one value per column.
    pub rows: Vec<Vec<Value>>,
    /// Measured or computed.
    pub origin: Origin,
}

/// The head of one table column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// What the column holds.
    pub name: String,
    /// `s`, `B`, `FLOP/s`, `%`, `x` ...: a base unit, scaled by whoever renders. Empty for none.
    pub unit: String,
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A median with its spread (first and third quartile).
    Spread {
        /// The median.
        median: f64,
        /// First quartile.
        low: f64,
        /// Third quartile.
        high: f64,
    },
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A word.
    Text(String),
}

/// Series over two axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// Shown above the chart; a later chart of the same title replaces the earlier one, which is
    /// how a live curve is drawn.
    pub title: String,
    /// Lines, points or bars.
    pub kind: ChartKind,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves, each with a name.
    pub series: Vec<Series>,
    /// Measured or computed.
    pub origin: Origin,
}

/// How the points of a chart are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartKind {
    /// Points joined by lines.
    Line,
    /// Points alone.
    Scatter,
    /// One bar for each point; [`Point::label`] names it.
    Bar,
}

/// One axis of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// What runs along it.
    pub label: String,
    /// A base unit as in [`Column::unit`].
    pub unit: String,
    /// Linear or logarithmic.
    pub scale: Scale,
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal steps add.
    #[default]
    Linear,
    /// Equal steps multiply.
    Log,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Shown in the legend.
    pub name: String,
    /// In the order drawn.
    pub points: Vec<Point>,
}

/// One point of a curve.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    /// Along the horizontal axis.
    pub x: f64,
    /// Along the vertical axis; the median where there is a spread.
    pub y: f64,
    /// The ends of the error bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<(f64, f64)>,
    /// The name of a bar, or of a point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// One figure, perhaps with a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What was measured.
    pub name: String,
    /// The figure, in `unit`.
    pub value: f64,
    /// A base unit as in [`Column::unit`].
    pub unit: String,
    /// The figure to reach, if any.
    pub target: Option<Target>,
    /// Measured or computed.
    pub origin: Origin,
}

/// The figure a metric should reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The value must be this or more.
    AtLeast(f64),
    /// The value must be this or less.
    AtMost(f64),
}

/// A grey-level picture, row by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Shown above the picture.
    pub title: String,
    /// Pixels in a row.
    pub width: usize,
    /// `width * height` values; the renderer maps the smallest to dark and the largest to light.
    pub pixels: Vec<f32>,
}

/// A text cut into tokens. Put together again, the pieces are the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Shown above the text.
    pub title: String,
    /// The tokens, in order; bytes that are not text are shown as `\\xff`.
    pub pieces: Vec<String>,
}

/// A text of several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Shown above the text; a later text of the same title replaces the earlier one, which is how a text grows on the
    /// screen while a model generates it.
    pub title: String,
    /// The lines.
    pub text: String,
}

/// What a program did when, as nested spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Shown above the timeline, and the name of the thread in a file.
    pub title: String,
    /// In the order in which they began.
    pub spans: Vec<Span>,
}

/// One or two plain sentences: what the figures mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insight {
    /// The sentences.
    pub text: String,
}

/// A sentence that is no finding: why there are no figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The sentence.
    pub text: String,
}

/// The progress of a long computation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub label: String,
    /// Steps done.
    pub done: u64,
    /// All steps.
    pub total: u64,
}

impl Metric {
    /// Whether the target is met; `None` where there is none. A value that is not a number meets no
    /// target.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtLeast(bound) => self.value >= bound,
            Target::AtMost(bound) => self.value <= bound,
        })
    }
}

impl Picture {
    /// The same picture with each pixel as a square of `scale` by `scale`.
    #[must_use]
    pub fn enlarged(self, scale: usize) -> Self {
        let wide = |row: &[f32]| -> Vec<f32> {
            row.iter().flat_map(|&pixel| std::iter::repeat_n(pixel, scale)).collect()
        };
        let rows = self.pixels.chunks(self.width.max(1));
        let pixels = rows.flat_map(|row| wide(row).repeat(scale)).collect();
        Self { width: scale * self.width, pixels, ..self }
    }

    /// This picture and another one to its right, with a dark column between them. The lower one gets dark rows below.
    #[must_use]
    pub fn beside(self, right: &Self) -> Self {
        let row = |picture: &Self, row: usize| {
            let begin = (row * picture.width).min(picture.pixels.len());
            let end = (begin + picture.width).min(picture.pixels.len());
            let mut levels = picture.pixels[begin..end].to_vec();
            levels.resize(picture.width, 0.0);
            levels
        };
        let height = |picture: &Self| picture.pixels.len().div_ceil(picture.width.max(1));
        let rows = 0..height(&self).max(height(right));
        let pixels = rows.flat_map(|at| [row(&self, at), vec![0.0], row(right, at)].concat());
        Self { width: self.width + 1 + right.width, pixels: pixels.collect(), ..self }
    }
}

impl Column {
    /// A column of words or plain numbers.
    pub fn plain(name: impl Into<String>) -> Self {
        Self { name: name.into(), unit: String::new() }
    }

    /// A column of figures in a base unit.
    pub fn with_unit(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { name: name.into(), unit: unit.into() }
    }
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { label: label.into(), unit: unit.into(), scale: Scale::Linear }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { label: label.into(), unit: unit.into(), scale: Scale::Log }
    }
}

impl Series {
    /// A curve through `(x, y)` pairs.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().map(|(x, y)| Point { x, y, ..Point::default() }).collect();
        Self { name: name.into(), points }
    }

    /// So many bars of equal width between two numbers, each as high as the count of `numbers` in it; the outer ones have
    /// what is beyond them too.
    pub fn histogram(
        name: impl Into<String>,
        numbers: &[f32],
        [low, high]: [f32; 2],
        bars: usize,
    ) -> Self {
        let width = (high - low) / bars as f32;
        let mut counts = vec![0; bars];
        for number in numbers {
            let bar = ((number - low) / width) as usize;
            counts[bar.min(bars - 1)] += 1;
        }
        let point = |(bar, count)| {
            let x = f64::from(low + (bar as f32 + 0.5) * width);
            Point { x, y: f64::from(count), label: Some(format!("{x:.2}")), ..Point::default() }
        };
        Self { name: name.into(), points: counts.into_iter().enumerate().map(point).collect() }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// JSON has no infinity and no NaN: such a number is sent as text.
impl From<f64> for Value {
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Float(number) } else { Self::Text(number.to_string()) }
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Self {
        Self::from(f64::from(number))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl Value {
    /// A median between its quartiles.
    pub fn spread([low, median, high]: [f64; 3]) -> Self {
        Self::Spread { median, low, high }
    }

    /// The accuracy `p`, from 0 to 1, in percent, with its sample error when it was counted on `n` samples.
    pub fn accuracy(p: f64, n: usize) -> Self {
        let error = sample_error(p, n);
        Self::spread([p - error, p, p + error].map(|part| 100.0 * part))
    }
}

impl From<Timing> for Value {
    fn from(timing: Timing) -> Self {
        Self::Spread { median: timing.median, low: timing.low, high: timing.high }
    }
}

impl From<Ratio> for Value {
    fn from(ratio: Ratio) -> Self {
        Self::Spread { median: ratio.median, low: ratio.low, high: ratio.high }
    }
}

/// The `(name, unit)` pairs of a list such as `"layers, time [s]"`: names, each with its unit in brackets if it has one.
pub fn columns(list: &str) -> Vec<(&str, &str)> {
    let names = list.split(", ");
    names
        .map(|it| it.strip_suffix(']').and_then(|it| it.split_once(" [")).unwrap_or((it, "")))
        .collect()
}

/// Receives the items of an analysis, one by one, as they are known.
pub struct Reporter {
    sink: Box<dyn FnMut(Item)>,
    checkpoints: Option<PathBuf>,
}

impl Reporter {
    /// A reporter that passes every item to `sink` at once.
    pub fn new(sink: impl FnMut(Item) + 'static) -> Self {
        Self { sink: Box::new(sink), checkpoints: None }
    }

    /// The same reporter for a program that may keep checkpoints in this folder.
    #[must_use]
    pub fn with_checkpoints(self, folder: impl Into<PathBuf>) -> Self {
        Self { checkpoints: Some(folder.into()), ..self }
    }

    /// Where a long computation keeps what it needs to continue after an interruption; the folder may not exist yet. None
    /// where nothing is kept.
    #[must_use]
    pub fn checkpoints(&self) -> Option<&Path> {
        self.checkpoints.as_deref()
    }

    /// A reporter for `cargo run`: each item as one line of JSON on standard output.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "standard output is what this reporter is for")]
    pub fn stdout() -> Self {
        Self::new(|item| match serde_json::to_string(&item) {
            Ok(line) => println!("{line}"),
            Err(error) => println!("{{\"error\":\"{error}\"}}"),
        })
    }

    /// Reports a table.
    pub fn table(&mut self, table: Table) {
        (self.sink)(Item::Table(table));
    }

    /// Reports a chart, or replaces the chart of the same title.
    pub fn chart(&mut self, chart: Chart) {
        (self.sink)(Item::Chart(chart));
    }

    /// Reports one figure.
    pub fn metric(&mut self, metric: Metric) {
        (self.sink)(Item::Metric(metric));
    }

    /// Reports one measured figure without a target.
    pub fn measured(&mut self, name: impl Into<String>, value: f64, unit: impl Into<String>) {
        let (name, unit) = (name.into(), unit.into());
        self.metric(Metric { name, value, unit, target: None, origin: Origin::Measured });
    }

    /// Reports one measured figure with the one that it should reach.
    pub fn aimed(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: impl Into<String>,
        target: Target,
    ) {
        let (name, unit, target) = (name.into(), unit.into(), Some(target));
        self.metric(Metric { name, value, unit, target, origin: Origin::Measured });
    }

    /// Reports one figure that follows from a formula, without a target.
    pub fn computed(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: impl Into<String>,
        formula: impl Into<String>,
    ) {
        let (name, unit, origin) = (name.into(), unit.into(), Origin::Computed(formula.into()));
        self.metric(Metric { name, value, unit, target: None, origin });
    }

    /// Reports a measured table from `(name, unit)` pairs and rows.
    pub fn measured_table(
        &mut self,
        title: impl Into<String>,
        columns: &[(&str, &str)],
        rows: Vec<Vec<Value>>,
    ) {
        let columns = columns.iter().map(|&(name, unit)| Column::with_unit(name, unit)).collect();
        self.table(Table { title: title.into(), columns, rows, origin: Origin::Measured });
    }

    /// Reports a table that follows from a formula, from `(name, unit)` pairs and rows.
    pub fn computed_table(
        &mut self,
        title: impl Into<String>,
        formula: impl Into<String>,
        columns: &[(&str, &str)],
        rows: Vec<Vec<Value>>,
    ) {
        let columns = columns.iter().map(|&(name, unit)| Column::with_unit(name, unit)).collect();
        let origin = Origin::Computed(formula.into());
        self.table(Table { title: title.into(), columns, rows, origin });
    }

    /// Reports what was timed in turn, with the quotient of the times: the figures of a sentence that [`Ratio::took`]
    /// makes, under the names that it uses.
    pub fn compared(&mut self, title: impl Into<String>, pairs: &[(&str, &str, Comparison)]) {
        let row = |&(first, second, compared): &(&str, &str, Comparison)| -> Vec<Value> {
            let (times, ratio) = ([compared.first, compared.second], compared.ratio);
            vec![first.into(), times[0].into(), second.into(), times[1].into(), ratio.into()]
        };
        let columns =
            [("first", ""), ("took", "s"), ("second", ""), ("took", "s"), ("first / second", "x")];
        self.measured_table(title, &columns, pairs.iter().map(row).collect());
    }

    /// Reports what was timed in turn at several sizes, as a table and as a chart of both times over the size, with these
    /// titles. `names` are those of the size, of the two, and of the quotient of their times.
    pub fn compared_by_size(
        &mut self,
        [table, chart]: [&str; 2],
        names: [&str; 4],
        timed: &[(usize, Comparison)],
    ) {
        let row = |&(size, timed): &(usize, Comparison)| -> Vec<Value> {
            vec![size.into(), timed.first.into(), timed.second.into(), timed.ratio.into()]
        };
        let [size, first, second, quotient] = names;
        let columns = [(size, ""), (first, "s"), (second, "s"), (quotient, "x")];
        self.measured_table(table, &columns, timed.iter().map(row).collect());
        let line = |name, time: fn(&Comparison) -> f64| {
            Series::new(name, timed.iter().map(|(size, timed)| (*size as f64, time(timed))))
        };
        let [first, second] =
            [line(first, |timed| timed.first.median), line(second, |timed| timed.second.median)];
        self.measured_chart(
            chart,
            Axis::log(size, ""),
            Axis::log("time", "s"),
            vec![first, second],
        );
    }

    /// Reports measured curves, drawn as lines.
    pub fn measured_chart(
        &mut self,
        title: impl Into<String>,
        x: Axis,
        y: Axis,
        series: Vec<Series>,
    ) {
        let (title, kind) = (title.into(), ChartKind::Line);
        self.chart(Chart { title, kind, x, y, series, origin: Origin::Measured });
    }

    /// Reports measured numbers, drawn as bars.
    pub fn measured_bars(&mut self, title: impl Into<String>, x: Axis, y: Axis, series: Series) {
        let (title, series, kind) = (title.into(), vec![series], ChartKind::Bar);
        self.chart(Chart { title, kind, x, y, series, origin: Origin::Measured });
    }

    /// Reports grey levels, row by row, as a picture with rows of this width.
    pub fn pixels(&mut self, title: impl Into<String>, width: usize, levels: &[f32]) {
        self.picture(Picture { title: title.into(), width, pixels: levels.to_vec() });
    }

    /// Reports a picture.
    pub fn picture(&mut self, picture: Picture) {
        (self.sink)(Item::Picture(picture));
    }

    /// Reports a text cut into tokens.
    pub fn tokens(&mut self, title: impl Into<String>, pieces: Vec<String>) {
        (self.sink)(Item::Tokens(Tokens { title: title.into(), pieces }));
    }

    /// Reports a text, or replaces the text of the same title: after each new token, for a live display.
    pub fn text(&mut self, title: impl Into<String>, text: impl Into<String>) {
        (self.sink)(Item::Text(Text { title: title.into(), text: text.into() }));
    }

    /// Reports what a program did when: a timeline, which `analyze --trace` also writes to a file.
    pub fn trace(&mut self, title: impl Into<String>, spans: Vec<Span>) {
        (self.sink)(Item::Trace(Trace { title: title.into(), spans }));
    }

    /// Reports what the figures mean, in the words of a function of the measured values: `NAME_insight(..)`, or
    /// [`Ratio::took`]. The audit refuses other arguments.
    pub fn insight(&mut self, text: impl Into<String>) {
        (self.sink)(Item::Insight(Insight { text: text.into() }));
    }

    /// Reports a sentence that is no finding: why there are no figures.
    pub fn note(&mut self, text: impl Into<String>) {
        (self.sink)(Item::Note(Note { text: text.into() }));
    }

    /// Reports the progress of a long computation.
    pub fn progress(&mut self, label: impl Into<String>, done: u64, total: u64) {
        (self.sink)(Item::Progress(Progress { label: label.into(), done, total }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_item_survives_json() {
        let items = [
            Item::Table(Table {
                title: "t".into(),
                columns: vec![Column::plain("name"), Column::with_unit("time", "s")],
                rows: vec![
                    vec!["add".into(), Value::Spread { median: 2.0, low: 1.0, high: 3.0 }],
                    vec!["log".into(), f32::NEG_INFINITY.into()],
                    vec!["sub".into(), f64::NAN.into()],
                ],
                origin: Origin::Measured,
            }),
            Item::Chart(Chart {
                title: "c".into(),
                kind: ChartKind::Line,
                x: Axis::log("n", ""),
                y: Axis::linear("time", "s"),
                series: vec![Series::new("a", [(1.0, 2.0)])],
                origin: Origin::Computed("x + 1".into()),
            }),
            Item::Metric(Metric {
                name: "m".into(),
                value: 1.5,
                unit: "x".into(),
                target: Some(Target::AtLeast(1.0)),
                origin: Origin::Measured,
            }),
            Item::Picture(Picture { title: "p".into(), width: 2, pixels: vec![0.0, 1.0] }),
            Item::Tokens(Tokens { title: "t".into(), pieces: vec!["a".into(), " b".into()] }),
            Item::Text(Text { title: "t".into(), text: "a\nb".into() }),
            Item::Trace(Trace {
                title: "t".into(),
                spans: vec![Span { name: "a".into(), depth: 0, start: 0.5, seconds: 0.25 }],
            }),
            Item::Insight(Insight { text: "i".into() }),
            Item::Note(Note { text: "n".into() }),
            Item::Progress(Progress { label: "l".into(), done: 1, total: 2 }),
        ];
        for item in items {
            let line = serde_json::to_string(&item).unwrap();
            assert_eq!(serde_json::from_str::<Item>(&line).unwrap(), item, "{line}");
        }
    }

    #[test]
    fn pictures_are_enlarged_and_joined_row_by_row() {
        let picture =
            |width, pixels: &[f32]| Picture { title: "p".into(), width, pixels: pixels.to_vec() };
        let large = picture(2, &[1.0, 2.0]).enlarged(2);
        assert_eq!(large, picture(4, &[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]));
        let joined = picture(1, &[1.0, 2.0]).beside(&picture(2, &[3.0, 4.0]));
        assert_eq!(joined, picture(4, &[1.0, 0.0, 3.0, 4.0, 2.0, 0.0, 0.0, 0.0]));
        let joined = picture(2, &[3.0, 4.0]).beside(&picture(1, &[1.0, 2.0]));
        assert_eq!(joined, picture(4, &[3.0, 4.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0]));
    }

    #[test]
    fn columns_have_the_unit_in_brackets() {
        let found = columns("layers, peak memory [B], cosine / constant [x]");
        assert_eq!(found, [("layers", ""), ("peak memory", "B"), ("cosine / constant", "x")]);
    }

    #[test]
    fn a_value_that_is_not_a_number_meets_no_target() {
        for target in [Target::AtLeast(0.0), Target::AtMost(0.0)] {
            let metric = Metric {
                name: String::new(),
                value: f64::NAN,
                unit: String::new(),
                target: Some(target),
                origin: Origin::Measured,
            };
            assert_eq!(metric.is_met(), Some(false));
        }
    }
}
