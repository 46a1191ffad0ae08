//! The figures of one analysis, as `analyze --format json` wrote them. Not here: what they mean.

use serde::Deserialize;
use tinytorch::report::{Chart, Item, Table, Value};

/// An analysis, with everything that it reported.
#[derive(Debug, Clone)]
pub struct Figures {
    pub analysis: String,
    pub items: Vec<Item>,
}

/// A median with its quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// Two pieces of work that were timed in turn.
#[derive(Debug, Clone)]
pub struct Pair {
    pub names: [String; 2],
    pub times: [Spread; 2],
    pub ratio: Spread,
}

/// Takes the lines of one or more analyses apart.
pub fn read(lines: &str) -> Result<Vec<Figures>, String> {
    #[derive(Deserialize)]
    struct Reported {
        analysis: String,
        #[serde(flatten)]
        item: Item,
    }
    let mut all: Vec<Figures> = vec![];
    for line in lines.lines() {
        let reported = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        let Reported { analysis, item } = reported;
        match all.last_mut() {
            Some(figures) if figures.analysis == analysis => figures.items.push(item),
            _ => all.push(Figures { analysis, items: vec![item] }),
        }
    }
    Ok(all)
}

impl Figures {
    /// The sentences that say what the figures mean.
    pub fn insights(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match item {
            Item::Insight(insight) => Some(insight.text.as_str()),
            _ => None,
        })
    }

    /// What was timed in turn.
    pub fn pairs(&self) -> Result<Vec<Pair>, String> {
        let is_pairs = |table: &&Table| {
            table.columns.last().is_some_and(|column| column.name == "first / second")
        };
        let rows = self.tables().filter(is_pairs).flat_map(|table| &table.rows);
        rows.map(|row| match &row[..] {
            [Value::Text(first), a, Value::Text(second), b, ratio] => Ok(Pair {
                names: [first.clone(), second.clone()],
                times: [spread(a)?, spread(b)?],
                ratio: spread(ratio)?,
            }),
            _ => Err(format!("{row:?} compares no two times")),
        })
        .collect()
    }

    /// The comparison of two names.
    pub fn pair(&self, first: &str, second: &str) -> Result<Pair, String> {
        let is_meant = |pair: &Pair| pair.names == [first, second];
        let missing = || format!("\"{first}\" and \"{second}\" were not timed in turn");
        self.pairs()?.into_iter().find(is_meant).ok_or_else(missing)
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Result<f64, String> {
        let value = self.items.iter().find_map(|item| match item {
            Item::Metric(metric) if metric.name == name => Some(metric.value),
            _ => None,
        });
        value.ok_or_else(|| format!("there is no metric \"{name}\""))
    }

    /// The cells of a column, from top to bottom.
    pub fn column(&self, title: &str, column: &str) -> Result<Vec<Value>, String> {
        let missing = || format!("there is no table \"{title}\" with a column \"{column}\"");
        let table = self.tables().find(|table| table.title == title).ok_or_else(missing)?;
        let place =
            table.columns.iter().position(|head| head.name == column).ok_or_else(missing)?;
        table.rows.iter().map(|row| row.get(place).cloned().ok_or_else(missing)).collect()
    }

    /// The figures of a column, from top to bottom; the medians where there are spreads.
    pub fn numbers(&self, title: &str, column: &str) -> Result<Vec<f64>, String> {
        self.column(title, column)?.iter().map(|value| Ok(spread(value)?.median)).collect()
    }

    /// The first and the last figure of a column.
    pub fn ends(&self, title: &str, column: &str) -> Result<[f64; 2], String> {
        match self.numbers(title, column)?[..] {
            [first, .., last] => Ok([first, last]),
            _ => Err(format!("\"{title}\", \"{column}\" has no first and last row")),
        }
    }

    /// The points of a curve, as it was reported last.
    pub fn curve(&self, title: &str, series: &str) -> Result<Vec<(f64, f64)>, String> {
        let mut charts = self.items.iter().filter_map(|item| match item {
            Item::Chart(chart) if chart.title == title => Some(chart),
            _ => None,
        });
        let found = |chart: &Chart| chart.series.iter().find(|s| s.name == series).cloned();
        let curve = charts.next_back().and_then(found);
        let curve =
            curve.ok_or_else(|| format!("no chart \"{title}\" has a curve \"{series}\""))?;
        Ok(curve.points.iter().map(|point| (point.x, point.y)).collect())
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.items.iter().filter_map(|item| match item {
            Item::Table(table) => Some(table),
            _ => None,
        })
    }
}

/// A cell as figures. What is no number in JSON stands there as a word, such as `inf`.
pub fn spread(value: &Value) -> Result<Spread, String> {
    let of = |number: f64| Spread { median: number, low: number, high: number };
    match value {
        Value::Spread { median, low, high } => {
            Ok(Spread { median: *median, low: *low, high: *high })
        }
        Value::Int(number) => Ok(of(*number as f64)),
        Value::Float(number) => Ok(of(*number)),
        Value::Text(text) => text.parse().map(of).map_err(|_| format!("\"{text}\" is no figure")),
    }
}
