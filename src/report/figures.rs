//! Figures as people read them: `0.00123 s` becomes `1.23 ms`. One rule for tables, charts, metrics,
//! screen and pipe.

use tinytorch::report::{Origin, Table, Target, Value};

/// A prefix for each power of the step, smallest first, and the power of the first.
struct Prefixes {
    step: f64,
    lowest: i32,
    names: &'static [&'static str],
}

const SI: Prefixes =
    Prefixes { step: 1000.0, lowest: -3, names: &["n", "µ", "m", "", "k", "M", "G", "T", "P"] };
const SECONDS: Prefixes = Prefixes { names: &["n", "µ", "m", ""], ..SI };
const COUNTS: Prefixes = Prefixes { lowest: 0, names: &["", "k", "M", "G", "T", "P"], ..SI };
const BINARY: Prefixes = Prefixes { step: 1024.0, lowest: 0, names: &["", "Ki", "Mi", "Gi", "Ti"] };

/// How figures of a unit are scaled; `None` for units that never are, such as `%` and `x`.
fn prefixes(unit: &str) -> Option<&'static Prefixes> {
    match unit {
        "s" => Some(&SECONDS),
        "B" | "B/s" => Some(&BINARY),
        "J" | "W" => Some(&SI),
        unit if unit.starts_with("FLOP") || unit.ends_with("/s") => Some(&COUNTS),
        _ => None,
    }
}

/// The figure with its unit: `1.23 ms`, `16.0 MiB`, `97.2 %`, `4`.
#[must_use]
pub fn figure(value: f64, unit: &str) -> String {
    let (number, unit) = scaled(value, unit, value);
    join(&number, &unit)
}

/// The figure, scaled as `reference` would be, so that a column or a spread shares one prefix.
/// Returns the number and the prefixed unit.
#[must_use]
pub fn scaled(value: f64, unit: &str, reference: f64) -> (String, String) {
    let Some(prefixes) = prefixes(unit).filter(|_| reference.is_finite() && reference != 0.0)
    else {
        return (number(value), unit.to_owned());
    };
    let highest = prefixes.lowest + i32::try_from(prefixes.names.len()).unwrap_or(1) - 1;
    // The small addition lifts what would be shown as 1000 (999.5 and up) to the next prefix.
    let power = (reference.abs().log(prefixes.step) + 7.3e-5).floor() as i32;
    let power = power.clamp(prefixes.lowest, highest);
    let name = prefixes.names[usize::try_from(power - prefixes.lowest).unwrap_or(0)];
    (number(value / prefixes.step.powi(power)), format!("{name}{unit}"))
}

/// A number with three significant digits, whole numbers whole, the very small and very large with
/// an exponent.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e7 {
        return grouped(value as i64);
    }
    match size {
        _ if !value.is_finite() => value.to_string(),
        _ if !(1e-4..1e7).contains(&size) => format!("{value:.2e}"),
        _ if size >= 100.0 => grouped(value.round() as i64),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 0.01 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number with commas: `1,797`.
#[must_use]
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One cell of a table: a spread becomes `1.23 ms ±0.04`, half the distance of its quartiles.
#[must_use]
pub fn cell(value: &Value, unit: &str) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(whole) if prefixes(unit).is_none() => join(&grouped(*whole), unit),
        Value::Int(whole) => figure(*whole as f64, unit),
        Value::Float(value) => figure(*value, unit),
        Value::Spread { median, low, high } => {
            let (spread, _) = scaled((high - low) / 2.0, unit, *median);
            format!("{} ±{spread}", figure(*median, unit))
        }
    }
}

/// A table as text, without its heads: one string per cell.
#[must_use]
pub fn cells(table: &Table) -> Vec<Vec<String>> {
    let unit = |index: usize| table.columns.get(index).map_or("", |column| &column.unit);
    table
        .rows
        .iter()
        .map(|row| row.iter().enumerate().map(|(i, value)| cell(value, unit(i))).collect())
        .collect()
}

/// `measured`, or `computed: 4 B x elements`.
#[must_use]
pub fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Measured => "measured".to_owned(),
        Origin::Computed(formula) => format!("computed: {formula}"),
    }
}

/// `>= 95 %`.
#[must_use]
pub fn target(target: Target, unit: &str) -> String {
    match target {
        Target::AtLeast(bound) => format!(">= {}", figure(bound, unit)),
        Target::AtMost(bound) => format!("<= {}", figure(bound, unit)),
    }
}

fn join(number: &str, unit: &str) -> String {
    match unit {
        "" => number.to_owned(),
        "x" => format!("{number}x"),
        unit => format!("{number} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_take_the_prefix_that_fits() {
        for (value, unit, expected) in [
            (0.00123, "s", "1.23 ms"),
            (0.9999996, "s", "1.00 s"),
            (1562.4, "", "1,562"),
            (90.0, "s", "90 s"),
            (3e-10, "s", "0.30 ns"),
            (16.0 * 1024.0 * 1024.0, "B", "16 MiB"),
            (512.0, "B", "512 B"),
            (2.5e9, "FLOP/s", "2.50 GFLOP/s"),
            (0.25, "FLOP/B", "0.25 FLOP/B"),
            (12_345.0, "samples/s", "12.3 ksamples/s"),
            (97.25, "%", "97.2 %"),
            (25.0, "x", "25x"),
            (0.0, "s", "0 s"),
            (f64::NAN, "s", "NaN s"),
            (1797.0, "", "1,797"),
            (-1e9, "", "-1.00e9"),
        ] {
            assert_eq!(figure(value, unit), expected, "{value} {unit}");
        }
    }

    #[test]
    fn a_spread_shares_the_prefix_of_its_median() {
        let value = Value::Spread { median: 0.001, low: 0.0009, high: 0.0011 };
        assert_eq!(cell(&value, "s"), "1 ms ±0.10");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [grouped(-1_234_567), grouped(999), grouped(1000)],
            ["-1,234,567", "999", "1,000"]
        );
    }
}
