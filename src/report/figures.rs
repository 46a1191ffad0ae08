//! Figures for people: `0.00123 s` becomes `1.23 ms`. The same rules for tables, charts and metrics, on screen and in
//! headless output. Must not know where a figure is shown.

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
        // A quotient of two counts: a prefix would belong to neither.
        "FLOP/B" => None,
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

/// A figure as people write it, in the base unit: 0.0015 for `about 1.5 ms`, 3 for `3x longer`. `None` if it is not one
/// number in this unit.
#[must_use]
pub fn amount(text: &str, unit: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches("about").trim_start_matches(['~', '≈']).trim_start();
    let (number, rest) = leading_number(text)?;
    let after = |known: &str| rest.strip_prefix(known).filter(|rest| !goes_on(rest));
    let plain = ["", unit, word_of(unit)].into_iter().find_map(after).map(|_| number);
    plain.or_else(|| {
        Some(number * scales(unit).find_map(|(name, size)| after(&name).map(|_| size))?)
    })
}

/// The number that a text begins with, and what follows it. A comma only groups thousands.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    const LONGEST: usize = 32;
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).take(LONGEST);
    let number = |end: usize| {
        let whole_groups = text[..end]
            .split(',')
            .skip(1)
            .all(|group| group.split('.').next().is_some_and(|digits| digits.len() == 3));
        text[..end].replace(',', "").parse::<f64>().ok().filter(|_| whole_groups)
    };
    let (number, end) = ends.filter_map(|end| Some((number(end)?, end))).last()?;
    Some((number, text[end..].trim_start()))
}

/// Whether more than words follow a unit: the rest of a longer unit, or another figure.
fn goes_on(rest: &str) -> bool {
    rest.starts_with(|c: char| !c.is_whitespace() && c != '.')
        || rest.contains(|c: char| c.is_ascii_digit())
}

/// The word that people write for a unit.
fn word_of(unit: &str) -> &str {
    match unit {
        "x" => "times",
        "%" => "percent",
        "s" => "seconds",
        "B" => "bytes",
        other => other,
    }
}

/// Every prefixed form of a unit, and its size in the base unit. Bytes have decimal prefixes too.
fn scales(unit: &str) -> impl Iterator<Item = (String, f64)> {
    let thousands = is_binary(unit).then_some(&COUNTS);
    let all = prefixes(unit).into_iter().chain(thousands);
    all.flat_map(move |prefixes| {
        prefixes
            .names
            .iter()
            .zip(prefixes.lowest..)
            .map(move |(name, power)| (format!("{name}{unit}"), prefixes.step.powi(power)))
    })
}

/// The figure, scaled as `reference` would be, so that a column or a spread shares one prefix.
/// Returns the number and the prefixed unit.
#[must_use]
pub fn scaled(value: f64, unit: &str, reference: f64) -> (String, String) {
    let (size, name) = prefix(unit, reference);
    (number(without_noise(value / size)), format!("{name}{unit}"))
}

/// The prefix that suits `reference`, and how much one of the prefixed unit is.
#[must_use]
pub fn prefix(unit: &str, reference: f64) -> (f64, &'static str) {
    let Some(prefixes) = prefixes(unit).filter(|_| reference.is_finite() && reference != 0.0)
    else {
        return (1.0, "");
    };
    let highest = prefixes.lowest + i32::try_from(prefixes.names.len()).unwrap_or(1) - 1;
    // The small addition moves what would be shown as 1000 (999.5 and up) to the next prefix.
    let power = (reference.abs().log(prefixes.step) + 7.3e-5).floor() as i32;
    let power = power.clamp(prefixes.lowest, highest);
    let name = prefixes.names[usize::try_from(power - prefixes.lowest).unwrap_or(0)];
    (prefixes.step.powi(power), name)
}

/// Whether figures of the unit are counted in powers of two.
#[must_use]
pub fn is_binary(unit: &str) -> bool {
    prefixes(unit).is_some_and(|prefixes| prefixes.step == BINARY.step)
}

/// The labels of an axis's ticks, with one prefix and with enough decimals to tell them apart, and the unit that they
/// share. If no prefix suits all, each has its own unit, and none is shared.
#[must_use]
pub fn ticks(values: &[f64], unit: &str) -> (Vec<String>, String) {
    let sizes = || values.iter().map(|value| value.abs()).filter(|size| *size > 0.0);
    let (smallest, largest) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    let (size, name) = prefix(unit, largest);
    let scaled: Vec<f64> = values.iter().map(|value| without_noise(value / size)).collect();
    let wide = largest >= 1000.0 * smallest;
    let most_decimals = scaled.iter().map(|value| decimals(*value)).max().unwrap_or(0);
    if prefixes(unit).is_some() && (wide || most_decimals > 2) {
        return (values.iter().map(|value| figure(*value, unit)).collect(), String::new());
    }
    let extreme = wide || !(1e-4..1e7).contains(&(largest / size));
    let number = |value: &f64| {
        if extreme { shortest(*value) } else { fixed(*value, most_decimals) }
    };
    (scaled.iter().map(number).collect(), format!("{name}{unit}"))
}

/// A number that differs from one of few digits only by rounding errors becomes that one.
fn without_noise(value: f64) -> f64 {
    let rounded: f64 = format!("{value:.11e}").parse().unwrap_or(value);
    if (value - rounded).abs() <= value.abs() * 1e-12 { rounded } else { value }
}

/// As many decimals as the number has, at most four.
fn decimals(value: f64) -> usize {
    let same = |decimals: &usize| {
        let rounded: f64 = format!("{value:.decimals$}").parse().unwrap_or(value);
        (value - rounded).abs() <= value.abs() * 1e-9
    };
    (0..4).find(same).unwrap_or(4)
}

/// With this many decimals, and commas in a whole number.
fn fixed(value: f64, decimals: usize) -> String {
    if decimals == 0 { grouped(value.round() as i64) } else { format!("{value:.decimals$}") }
}

/// The few digits of a number, with an exponent where it is very small or very large.
fn shortest(value: f64) -> String {
    let value: f64 = format!("{value:.4e}").parse().unwrap_or(value);
    match value.abs() {
        size if size != 0.0 && !(1e-4..1e7).contains(&size) => format!("{value:e}"),
        size if size.fract() == 0.0 => grouped(value as i64),
        _ => value.to_string(),
    }
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
        _ => fixed(value, significant(size)),
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

/// One cell of a table: a spread becomes `1.23 ms ±0.04`, half the distance between its quartiles.
#[must_use]
pub fn cell(value: &Value, unit: &str) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(whole) if prefixes(unit).is_none() => join(&grouped(*whole), unit),
        Value::Int(whole) => figure(*whole as f64, unit),
        Value::Float(value) => figure(*value, unit),
        Value::Spread { median, low, high } => spread(*median, (*low, *high), unit),
    }
}

/// A median with half the distance between its quartiles, in one unit and with the same decimals: `1.23 ms ±0.04`.
#[must_use]
pub fn spread(median: f64, (low, high): (f64, f64), unit: &str) -> String {
    let (size, name) = prefix(unit, median);
    let (median, half) = (without_noise(median / size), (high - low) / 2.0 / size);
    let largest = median.abs().max(half.abs());
    if largest != 0.0 && !(1e-4..1e7).contains(&largest) {
        return format!("{} ±{}", join(&number(median), &format!("{name}{unit}")), number(half));
    }
    let decimals = significant(largest);
    let shown = join(&fixed(median, decimals), &format!("{name}{unit}"));
    format!("{shown} ±{}", fixed(half, decimals))
}

/// The decimals that give a number three significant digits; 0.9996 counts as 1.00.
fn significant(size: f64) -> usize {
    let digits_before = (size.abs() * 1.0005).log10().floor();
    if digits_before.is_finite() { (2.0 - digits_before).clamp(0.0, 6.0) as usize } else { 2 }
}

/// A table as text, without its heads: one string per cell.
#[must_use]
pub fn cells(table: &Table) -> Vec<Vec<String>> {
    let unit = |index: usize| table.columns.get(index).map_or("", |column| &column.unit);
    let forms: Vec<Option<Form>> = (0..table.columns.len())
        .map(|index| Form::of(table.rows.iter().filter_map(|row| row.get(index)), unit(index)))
        .collect();
    let text = |(index, value): (usize, &Value)| match forms.get(index) {
        Some(Some(form)) => form.cell(value),
        _ => cell(value, unit(index)),
    };
    table.rows.iter().map(|row| row.iter().enumerate().map(text).collect()).collect()
}

/// How the figures of a column are written so that they can be compared: in one unit, with the same decimals.
struct Form {
    size: f64,
    unit: String,
    decimals: usize,
}

impl Form {
    /// `None` if the figures are too far apart for one form.
    fn of<'a>(column: impl Iterator<Item = &'a Value>, unit: &str) -> Option<Self> {
        let (values, halves): (Vec<f64>, Vec<f64>) =
            column.filter_map(|value| Some((middle(value)?, half(value)))).unzip();
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let sizes = || values.iter().map(|value| value.abs()).filter(|size| *size > 0.0);
        let (smallest, largest) =
            (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
        let (size, name) = prefix(unit, largest);
        let shown = values.iter().chain(&halves).map(|value| decimals(without_noise(value / size)));
        let exact = shown.max()?;
        let near = largest < 100.0 * smallest;
        let decimals = match largest / size {
            0.0 => 0,
            shown if !(1e-4..1e7).contains(&shown) => return None,
            // Three digits of the smallest figure, unless that gives the largest five.
            shown if near => exact.min(significant(smallest / size)).min(significant(shown) + 1),
            _ if prefixes(unit).is_some() => return None,
            shown if exact == 0 || exact < 4 && shown < 1000.0 => exact,
            _ => return None,
        };
        Some(Self { size, unit: format!("{name}{unit}"), decimals })
    }

    fn cell(&self, value: &Value) -> String {
        let Some(middle) = middle(value) else { return cell(value, "") };
        let number = |value: f64| match value / self.size {
            scaled if scaled.is_finite() => fixed(without_noise(scaled), self.decimals),
            not_finite => number(not_finite),
        };
        let shown = join(&number(middle), &self.unit);
        match value {
            Value::Spread { .. } => format!("{shown} ±{}", number(half(value))),
            _ => shown,
        }
    }
}

/// Half the distance between a spread's quartiles.
fn half(value: &Value) -> f64 {
    match value {
        Value::Spread { low, high, .. } => (high - low) / 2.0,
        _ => 0.0,
    }
}

/// The number that a cell shows first, if it shows one.
fn middle(value: &Value) -> Option<f64> {
    match value {
        Value::Text(_) => None,
        Value::Int(whole) => Some(*whole as f64),
        Value::Float(value) => Some(*value),
        Value::Spread { median, .. } => Some(*median),
    }
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
    use tinytorch::report::Column;

    #[test]
    fn figures_take_the_prefix_that_fits() {
        for (value, unit, expected) in [
            (0.00123, "s", "1.23 ms"),
            (0.9999996, "s", "1.00 s"),
            (1562.4, "", "1,562"),
            (90.0, "s", "90 s"),
            (3e-10, "s", "0.300 ns"),
            (16.0 * 1024.0 * 1024.0, "B", "16 MiB"),
            (512.0, "B", "512 B"),
            (2.5e9, "FLOP/s", "2.50 GFLOP/s"),
            (0.25, "FLOP/B", "0.250 FLOP/B"),
            (1024.0, "FLOP/B", "1,024 FLOP/B"),
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
    fn what_people_write_for_a_figure_is_read_in_its_base_unit() {
        for (text, unit, expected) in [
            ("3x", "x", Some(3.0)),
            (" about 3 times as long", "x", Some(3.0)),
            ("~2.5", "x", Some(2.5)),
            ("1.5 ms", "s", Some(0.0015)),
            ("12 µs", "s", Some(12e-6)),
            ("2 s.", "s", Some(2.0)),
            ("4 KiB", "B", Some(4096.0)),
            ("4 MB", "B", Some(4e6)),
            ("1,024 bytes", "B", Some(1024.0)),
            ("-1e3", "", Some(-1000.0)),
            ("97 percent", "%", Some(97.0)),
            ("2 GFLOP/s", "FLOP/s", Some(2e9)),
            ("1,5x", "x", None),
            ("2x to 3x", "x", None),
            ("2-3x", "x", None),
            ("3 ms", "x", None),
            ("5 million", "s", None),
            ("infinite", "x", None),
            ("much longer", "x", None),
            ("", "x", None),
        ] {
            let close = |found: f64, wanted: f64| (found - wanted).abs() <= wanted.abs() * 1e-9;
            let found = amount(text, unit);
            let same = match (found, expected) {
                (Some(found), Some(wanted)) => close(found, wanted),
                (found, wanted) => found == wanted,
            };
            assert!(same, "{text:?} in {unit:?}: {found:?}");
        }
    }

    #[test]
    fn a_spread_shares_the_prefix_of_its_median() {
        let value = Value::Spread { median: 0.001, low: 0.0009, high: 0.0011 };
        assert_eq!(cell(&value, "s"), "1.00 ms ±0.10");
    }

    #[test]
    fn a_number_has_three_significant_digits_whatever_its_size() {
        let figures = [0.08123, 0.3, 0.53, 9.999, 99.99, 0.99996, 1234.4].map(number);
        assert_eq!(figures, ["0.0812", "0.300", "0.530", "10.0", "100", "1.00", "1,234"]);
    }

    #[test]
    fn ticks_share_a_unit_and_decimals() {
        for (values, unit, labels, shared) in [
            (&[0.0, 0.25, 0.5][..], "", &["0.00", "0.25", "0.50"][..], ""),
            (&[16.0, 64.0, 256.0, 1024.0], "", &["16", "64", "256", "1,024"], ""),
            (&[0.0, 0.0005, 0.001, 0.0015], "s", &["0.0", "0.5", "1.0", "1.5"], "ms"),
            (&[0.0, 35e9, 70e9], "FLOP/s", &["0", "35", "70"], "GFLOP/s"),
            (&[0.0, 50.0, 100.0], "%", &["0", "50", "100"], "%"),
            (&[1e-6, 1e-5, 1e-4, 1e-3], "s", &["1 µs", "10 µs", "100 µs", "1 ms"], ""),
            (&[1024.0, 1_048_576.0], "B", &["1 KiB", "1 MiB"], ""),
            (&[32_768.0, 1_048_576.0], "B", &["32 KiB", "1 MiB"], ""),
            (&[100.0, 1e4, 1e6], "", &["100", "10,000", "1,000,000"], ""),
            (&[-2e7, 0.0, 2e7], "", &["-2e7", "0", "2e7"], ""),
            (&[0.0, 2e25], "FLOP", &["0", "2e10"], "PFLOP"),
            (&[1e-7, 1.0], "", &["1e-7", "1"], ""),
            (&[0.1 + 0.2, 0.6], "", &["0.3", "0.6"], ""),
        ] {
            let (found, unit) = ticks(values, unit);
            assert_eq!(found, labels, "{values:?}");
            assert_eq!(unit, shared, "{values:?}");
        }
    }

    #[test]
    fn figures_of_a_column_share_unit_and_decimals_unless_they_are_far_apart() {
        for (values, unit, expected) in [
            (&[0.03, 0.3][..], "", &["0.03", "0.30"][..]),
            (&[0.0812, 0.3, 1.0], "", &["0.081", "0.300", "1.000"]),
            (&[0.001, 0.1, 10.0], "", &["0.001", "0.100", "10.000"]),
            (&[96.5, 97.25], "%", &["96.5 %", "97.2 %"]),
            (&[0.0008, 0.0123], "s", &["0.8 ms", "12.3 ms"]),
            (&[1e-6, 0.0123], "s", &["1 µs", "12.3 ms"]),
            (&[1e9, 35e9], "FLOP/s", &["1 GFLOP/s", "35 GFLOP/s"]),
            (&[1797.0, 64.0], "", &["1,797", "64"]),
            (&[0.12345, 5000.5], "", &["0.123", "5,001"]),
            (&[f64::NAN, 1.5, 0.0], "s", &["NaN s", "1.5 s", "0.0 s"]),
            (&[0.0, 0.0], "s", &["0 s", "0 s"]),
            (&[1e-9, 2e-9], "", &["1.00e-9", "2.00e-9"]),
        ] {
            let table = Table {
                title: String::new(),
                columns: vec![Column::with_unit("n", unit)],
                rows: values.iter().map(|value| vec![Value::Float(*value)]).collect(),
                origin: Origin::Measured,
            };
            assert_eq!(cells(&table).concat(), expected, "{values:?}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [grouped(-1_234_567), grouped(999), grouped(1000)],
            ["-1,234,567", "999", "1,000"]
        );
    }
}
