//! What models cost and how well they do, beside each other and beside budgets: the tables and charts of lesson 17. It
//! knows figures, no model.

use crate::report::{Axis, Chart, ChartKind, Origin, Reporter, Series, Value, columns};
use crate::testing::{Comparison, quartiles, sample_error};

/// What a model costs, measured; or what it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint {
    /// Bytes of its file.
    pub bytes: f64,
    /// Seconds for one input.
    pub seconds: f64,
    /// Bytes of memory: what it keeps, and the peak of one forward pass.
    pub memory: f64,
    /// The fraction of right answers.
    pub accuracy: f64,
}

/// Made-up devices: the most bytes on disk, seconds for a digit and bytes of memory, and the least accuracy. Each figure
/// decides somewhere: the file on a watch, the time on a phone, which has room enough for every model but the dense one.
pub const SCENARIOS: [(&str, Footprint); 4] = [
    ("sensor", Footprint { bytes: 3e3, seconds: 1e-3, memory: 2e4, accuracy: 0.92 }),
    ("watch", Footprint { bytes: 8e3, seconds: 1e-3, memory: 6e4, accuracy: 0.95 }),
    ("phone", Footprint { bytes: 1e5, seconds: 1e-5, memory: 1e6, accuracy: 0.96 }),
    ("key ring", Footprint { bytes: 500.0, seconds: 1e-3, memory: 1e4, accuracy: 0.95 }),
];

/// Reports the footprints of models, with whether another one dominates them, as a table and as a chart.
pub fn report_candidates(out: &mut Reporter, found: &[(String, Footprint)], dominated: &[bool]) {
    let row = |((name, footprint), beaten): (&(String, Footprint), &bool)| -> Vec<Value> {
        let Footprint { bytes, seconds, memory, accuracy } = *footprint;
        let figures = [bytes, seconds, memory, 100.0 * accuracy].map(Value::from);
        let beaten = if *beaten { "dominated" } else { "" };
        [vec![name.as_str().into()], figures.into(), vec![beaten.into()]].concat()
    };
    let list =
        columns("model, file [B], one digit [s], memory [B], validation accuracy [%], Pareto");
    let rows = found.iter().zip(dominated).map(row).collect();
    out.measured_table("The candidates", &list, rows);
    let points = |which: bool| {
        let pairs = found.iter().zip(dominated).filter(move |(_, beaten)| **beaten == which);
        pairs.map(|((_, footprint), _)| (footprint.bytes, 100.0 * footprint.accuracy))
    };
    out.chart(Chart {
        title: "Accuracy against size".into(),
        kind: ChartKind::Scatter,
        x: Axis::log("file", "B"),
        y: Axis::linear("validation accuracy", "%"),
        series: vec![
            Series::new("not dominated", points(false)),
            Series::new("dominated", points(true)),
        ],
        origin: Origin::Measured,
    });
}

/// What of a footprint is outside of a budget, by name.
type Unmet = fn(&Footprint, &Footprint) -> Vec<&'static str>;

/// Reports the limits of each scenario, and the best model for it: its name, what it misses, and its accuracy on `n` test
/// samples. Returns each scenario with what is missed.
pub fn report_budgets(
    out: &mut Reporter,
    found: &[(String, Footprint)],
    unmet: Unmet,
    (test_accuracy, n): (impl Fn(usize) -> f64, usize),
) -> Vec<(&'static str, String)> {
    let limits = |(scenario, limit): (&str, Footprint)| -> Vec<Value> {
        let Footprint { bytes, seconds, memory, accuracy } = limit;
        let figures = [bytes, seconds, memory, 100.0 * accuracy].map(Value::from);
        [vec![scenario.into()], figures.into()].concat()
    };
    let list = columns("scenario, file [B], one digit [s], memory [B], validation accuracy [%]");
    out.computed_table("Limits", "made up", &list, SCENARIOS.map(limits).into());
    let (mut rows, mut verdicts) = (vec![], vec![]);
    for (scenario, budget) in SCENARIOS {
        let Some(best) = best_within(&budget, found, unmet) else { continue };
        let missed = unmet(&found[best].1, &budget).join(", ");
        let verdict = if missed.is_empty() { "met".into() } else { format!("not met: {missed}") };
        let right = Value::accuracy(test_accuracy(best), n);
        rows.push(vec![scenario.into(), found[best].0.as_str().into(), verdict.into(), right]);
        verdicts.push((scenario, missed));
    }
    let list = columns("scenario, best model, budget, test accuracy [%]");
    out.measured_table("Budgets", &list, rows);
    verdicts
}

/// The model that misses the least of a budget; of several, the most accurate one.
fn best_within(budget: &Footprint, found: &[(String, Footprint)], unmet: Unmet) -> Option<usize> {
    let misses = |at: &usize| unmet(&found[*at].1, budget).len();
    let fewest = (0..found.len()).map(|at| misses(&at)).min();
    let nearest = (0..found.len()).filter(|at| Some(misses(at)) == fewest);
    nearest.max_by(|a, b| found[*a].1.accuracy.total_cmp(&found[*b].1.accuracy))
}

/// Reports accuracies on validation digits by sparsity, a curve for each name.
pub fn report_accuracies<const N: usize>(
    out: &mut Reporter,
    names: [&str; N],
    found: &[(f64, [f64; N])],
) {
    let curve = |(at, name): (usize, &str)| {
        Series::new(name, found.iter().map(|(sparsity, right)| (*sparsity, 100.0 * right[at])))
    };
    let series = names.into_iter().enumerate().map(curve).collect();
    let axes = (Axis::linear("sparsity", ""), Axis::linear("accuracy", "%"));
    out.measured_chart("Accuracy on 360 validation digits, by sparsity", axes.0, axes.1, series);
}

/// Reports the sizes of files, each beside the first.
pub fn report_sizes(out: &mut Reporter, files: &[(&str, usize)]) {
    let row = |(name, bytes): &(&str, usize)| -> Vec<Value> {
        vec![(*name).into(), (*bytes).into(), (files[0].1 as f64 / *bytes as f64).into()]
    };
    let list = columns("content, file [B], the first / this [x]");
    out.measured_table("Bytes on disk, step by step", &list, files.iter().map(row).collect());
}

/// Reports networks with the bytes of their files, and their accuracy on `n` test digits.
pub fn report_networks(out: &mut Reporter, found: &[(String, usize, f64)], n: usize) {
    let row = |(name, bytes, right): &(String, usize, f64)| -> Vec<Value> {
        vec![name.as_str().into(), (*bytes).into(), Value::accuracy(*right, n)]
    };
    let title = "Accuracy on test digits, with its sample error";
    let list = columns("network, file [B], accuracy [%]");
    out.measured_table(title, &list, found.iter().map(row).collect());
}

/// Reports the times of a dense and a sparse layer at several sparsities, and of a tuned dense product beside the sparse
/// layer. Returns a curve of the quotients for each of [`DENSE_FORMS`].
pub fn report_times(
    out: &mut Reporter,
    batch: usize,
    timed: &[(f64, [Comparison; 2])],
) -> [Series; 2] {
    let row = |(sparsity, [own, tuned]): &(f64, [Comparison; 2])| -> Vec<Value> {
        let ratios = [own, tuned].map(|both| Value::from(both.ratio));
        [vec![(*sparsity).into(), own.first.into(), own.second.into()], ratios.into()].concat()
    };
    let title = format!("Timed in turn, 512 -> 512, inputs at a time: {batch}");
    let list = columns("sparsity, dense [s], sparse [s], dense / sparse [x], ndarray / sparse [x]");
    out.measured_table(title, &list, timed.iter().map(row).collect());
    [0, 1].map(|form| {
        let points = timed.iter().map(|(sparsity, both)| (*sparsity, both[form].ratio.median));
        Series::new(format!("{}, batch {batch}", DENSE_FORMS[form]), points)
    })
}

/// What a sparse layer is compared with.
pub const DENSE_FORMS: [&str; 2] = ["your dense layer", "ndarray's dense product"];

/// How often numbers from -1 to 1 occur, in 25 bins.
#[must_use]
pub fn histogram(name: &str, numbers: &[f32]) -> Series {
    let mut counts = [0.0; 25];
    numbers
        .iter()
        .for_each(|number| counts[((number + 1.0) * 12.5).clamp(0.0, 24.0) as usize] += 1.0);
    let bins = counts.into_iter().enumerate();
    Series::new(name, bins.map(|(bin, count)| ((bin as f64 + 0.5) / 12.5 - 1.0, count)))
}

/// Reports the search for the settings of two students, and their accuracies on `n` test digits, one for each seed with
/// their median. Returns the quartiles of what the second has more than the first, seed by seed.
pub fn report_students(
    out: &mut Reporter,
    search: &[(&str, f32, f64)],
    found: &[(&str, Vec<f64>, f64)],
    n: usize,
) -> [f64; 3] {
    let list = columns("learns from, rate, validation accuracy [%]");
    let row = |&(name, rate, right): &(&str, f32, f64)| -> Vec<Value> {
        vec![name.into(), rate.to_string().into(), (100.0 * right).into()]
    };
    out.measured_table("The search, with one seed", &list, search.iter().map(row).collect());
    let percents = |parts: [f64; 3]| Value::spread(parts.map(|part| 100.0 * part));
    let row = |(name, seeds, median): &(&str, Vec<f64>, f64)| -> Vec<Value> {
        let error = 100.0 * sample_error(*median, n);
        vec![(*name).into(), percents(quartiles(seeds.clone())), error.into()]
    };
    let mut rows: Vec<Vec<Value>> = found.iter().map(row).collect();
    let pairs = found[0].1.iter().zip(&found[1].1);
    let added = quartiles(pairs.map(|(first, second)| second - first).collect());
    let error = sample_error(found[0].2, n).hypot(sample_error(found[1].2, n));
    rows.push(vec!["the difference, by seed".into(), percents(added), (100.0 * error).into()]);
    let list = columns("the student learns from, accuracy [%], sample error [%]");
    out.measured_table("Accuracy on test digits, five other seeds", &list, rows);
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(found: &Footprint, budget: &Footprint) -> Vec<&'static str> {
        let met = [
            ("size", found.bytes <= budget.bytes),
            ("latency", found.seconds <= budget.seconds),
            ("accuracy", found.accuracy >= budget.accuracy),
        ];
        met.into_iter().filter(|(_, met)| !met).map(|(name, _)| name).collect()
    }

    #[test]
    fn the_best_model_misses_the_least_of_a_budget_and_is_then_the_most_accurate() {
        let model = |bytes, seconds, accuracy| {
            (String::new(), Footprint { bytes, seconds, memory: 1.0, accuracy })
        };
        let found = [model(9.0, 9.0, 0.99), model(3.0, 1.0, 0.92), model(4.0, 1.0, 0.95)];
        let budget = |bytes, seconds, accuracy| Footprint { bytes, seconds, memory: 1.0, accuracy };
        let best = |limit| best_within(&limit, &found, unmet);
        assert_eq!(best(budget(5.0, 5.0, 0.9)), Some(2), "within the limits, the most accurate");
        assert_eq!(best(budget(3.5, 5.0, 0.9)), Some(1), "a smaller file where the limit is lower");
        assert_eq!(best(budget(9.0, 5.0, 0.9)), Some(2), "the time decides too");
        assert_eq!(best(budget(9.0, 9.0, 0.96)), Some(0), "and so does the accuracy");
        assert_eq!(best(budget(3.5, 0.5, 0.9)), Some(1), "one figure is missed, not two");
        assert_eq!(best_within(&found[0].1, &[], unmet), None);
    }
}
