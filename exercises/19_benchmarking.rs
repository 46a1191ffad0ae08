// ---
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---

// %% nbgrader={"grade": false, "grade_id": "benchmarking-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 19 Benchmarking: what a series of measurements allows one to say. Input: times and other figures of repeated runs.
//! Output: an estimate with its interval, a verdict, a rank. Depends on 00 (median, quantile, stopwatch) for what you
//! write, and on 01 for what the analyses measure. By hand: runs of 2 s, 4 s and 6 s have the mean 4 s and the sample
//! deviation 2 s. Not here: how to make code faster (15 to 18), and where its time goes (14).

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use tinytorch::autograd::no_grad;
use tinytorch::backend::Backend;
use tinytorch::explore::Explorer;
use tinytorch::insights::benchmarking::{
    efficiency_insight, growth_insight, sampling_insight, variance_insight,
};
use tinytorch::layers::{Layer, Sequential};
use tinytorch::profiling::probe_machine;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Origin, Point, Reporter, Series, Target, Value};
use tinytorch::setup::{median, quantile, time_once};
pub use tinytorch::submission::Evidence;
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::Id;
use tinytorch::transformers::{GenerateError, Gpt, Sampler, generate};

// %% [markdown] nbgrader={"grade": false, "grade_id": "benchmarking-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Benchmarking
//
// You build: a series of measurements that refuses nonsense, its spread and its outliers, the bootstrap interval, a
// fair comparison of two programs, the verdict on it, and the rules of a competition, TinyMLPerf.

// %% nbgrader={"grade": false, "grade_id": "benchmarking-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Why something is no benchmark.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchmarkError {
    /// There is not a single value.
    Empty {
        /// What was to be measured.
        name: String,
    },
    /// A value that nothing can have measured: infinite, not a number, or negative.
    Unmeasured {
        /// What was to be measured.
        name: String,
        /// The run, from 1.
        run: usize,
        /// Its value.
        value: f64,
    },
    /// The quality is below the floor of the event.
    BelowFloor {
        /// The quality.
        quality: f64,
        /// What it must reach.
        floor: Target,
    },
}

/// The values of one quantity in one unit, a value for each run, in the order in which they were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchmarkResult {
    /// What was measured.
    pub name: String,
    /// The unit of all values: `s`, `B`, `x`.
    pub unit: String,
    values: Vec<f64>,
}

/// An estimate, and the interval in which the true value is believed to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// The estimate itself.
    pub estimate: f64,
    /// Its upper end.
    pub high: f64,
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-result", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl BenchmarkResult {
    /// Keeps the values of all runs.
    ///
    /// TODO: refuse what is no measurement; keep everything else, and in its order.
    ///
    /// APPROACH:
    /// 1. Without any value, return `BenchmarkError::Empty` with the name.
    /// 2. A value that is not finite, or is below 0, is `BenchmarkError::Unmeasured`, with its run counted from 1.
    /// 3. Everything else is kept, however strange it looks: also a time of 0 and one that is much too long.
    ///
    /// EXAMPLE: `new("step", "s", &[0.2, f64::NAN])` is an error that names run 2.
    ///
    /// HINTS: `iter().position(..)` finds the first value of a kind; `is_finite` is false for NaN and for infinities.
    pub fn new(name: &str, unit: &str, values: &[f64]) -> Result<Self, BenchmarkError> {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        todo!("benchmarking-result")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-result", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 No value, three values that are none, and a series that is kept as it is.
#[test]
fn test_unit_result() {
    use tinytorch::testing::{expect_eq, expect_error, expect_named, expect_return};

    let new = |values: &[f64]| BenchmarkResult::new("step", "s", values);
    let error = expect_error("no values", || new(&[]), "a series without values is an error");
    expect_eq("no values", error, BenchmarkError::Empty { name: "step".into() }, "it is empty");
    for wrong in [f64::NAN, f64::INFINITY, -0.5] {
        let idea = "a value that is not finite, or below 0, was not measured";
        let error = expect_error(format!("[0.2, {wrong}, 0.3]"), || new(&[0.2, wrong, 0.3]), idea);
        let idea = "the message names what was measured, and the run, counted from 1";
        expect_named(&error.to_string(), &["step", "run 2"], idea);
    }
    let values = [0.3, 0.0, 9.0, 0.3];
    let idea = "every measured value is kept, in its order: an outlier, a repeated one and 0 too";
    let kept = expect_return("[0.3, 0, 9, 0.3]", || new(&values), idea);
    let kept = kept.map(|result| result.values().to_vec());
    expect_eq("[0.3, 0, 9, 0.3]", kept, Ok(values.to_vec()), idea);
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-deviation", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The mean of `values`, which has at least one.
///
/// TODO: their sum, divided by their number.
///
/// APPROACH: one expression.
///
/// EXAMPLE: `[2, 4, 6]` has the mean 4.
///
/// HINTS: the type of a sum must be known: `iter().sum::<f64>()`.
pub fn mean(values: &[f64]) -> f64 {
    todo!("benchmarking-deviation")
}

/// The sample standard deviation: how far a value typically is from the mean. `None` for a single value.
///
/// TODO: the root of the mean squared distance to the mean, with `n - 1`.
///
/// APPROACH:
/// 1. One value says nothing about how much values differ: `None`.
/// 2. Add up the squares of the distances to the mean.
/// 3. Divide by `n - 1`: the mean was computed from these same values and lies closer to them than the true one.
///
/// EXAMPLE: `[2, 4, 6]`: the squares 4, 0 and 4 add up to 8; `8 / 2 = 4`; the deviation is 2.
///
/// HINTS: `powi(2)` squares, `sqrt` takes the root.
pub fn deviation(values: &[f64]) -> Option<f64> {
    todo!("benchmarking-deviation")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-deviation", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, with n - 1; equal values; a single one; values far from 0.
#[test]
fn test_unit_deviation() {
    use tinytorch::testing::{expect_close, expect_eq};

    expect_eq("[2, 4, 6]", mean(&[2.0, 4.0, 6.0]), 4.0, "the sum, divided by the number of values");
    for (values, wanted, idea) in [
        (&[2.0, 4.0, 6.0][..], 2.0, "a sample: divide by n - 1, then take the root"),
        (&[1.0, 3.0], 2.0_f64.sqrt(), "a sample: divide by n - 1, then take the root"),
        (&[1.0, 1.0, 4.0], 3.0_f64.sqrt(), "distances from the mean, not from the median"),
        (&[5.0, 5.0, 5.0], 0.0, "equal values do not deviate"),
        (&[1e9, 1e9 + 2.0, 1e9 + 4.0], 2.0, "subtract the mean first, then square"),
    ] {
        let yours = deviation(values).unwrap_or(f64::NAN) as f32;
        expect_close(format!("{values:?}"), &[yours], &[wanted as f32], 1e-5, idea);
    }
    let idea = "one value says nothing about how much values differ: None, not 0";
    expect_eq("[5]", deviation(&[5.0]), None, idea);
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-outliers", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The places of values that are far from the others (Tukey, 1977). They are named, not removed.
///
/// TODO: find what lies outside of the fences.
///
/// APPROACH:
/// 1. The interquartile range is the third quartile minus the first one: the width of the middle half.
/// 2. The fences are 1.5 of these below the first quartile and 1.5 above the third.
/// 3. Return the place of each value that is below the lower or above the upper fence, from 0.
///
/// EXAMPLE: `[10, 11, 12, 13, 30]`: quartiles 11 and 13, fences 8 and 16. The place of 30 is 4.
///
/// HINTS: `quantile(values, 0.25)` is yours, from lesson 00. A value on a fence is no outlier.
pub fn outliers(values: &[f64]) -> Vec<usize> {
    todo!("benchmarking-outliers")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-outliers", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Above, below, a value on the fence, equal values.
#[test]
fn test_unit_outliers() {
    use tinytorch::testing::expect_eq;

    let fences = "fences 1.5 interquartile ranges beyond the quartiles, not beyond the median";
    for (values, wanted, idea) in [
        (&[10.0, 11.0, 12.0, 13.0, 30.0][..], &[4][..], fences),
        (&[10.0, 11.0, 12.0, 13.0, 15.5], &[], fences),
        (&[30.0, 12.0, 11.0, 13.0, 10.0], &[0], "places in the order of the runs, not sorted"),
        (&[40.0, 41.0, 42.0, 43.0, 20.0], &[4], "a value can be too fast as well"),
        (&[10.0, 11.0, 12.0, 13.0, 16.0], &[], "a value on the fence is no outlier"),
        (&[10.0, 11.0, 12.0, 13.0, 16.1], &[4], fences),
        (&[7.0, 7.0, 7.0, 7.0, 7.1], &[4], "the fences follow the values, however small"),
    ] {
        expect_eq(format!("{values:?}"), &outliers(values)[..], wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-percentile", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The value below which `percent` of the values lie, interpolated between neighbours as [`quantile`] does it. `None`
/// when there are too few values: then not a single one is expected above it.
///
/// TODO: count first, then ask `quantile`.
///
/// APPROACH:
/// 1. Of `n` values, `n (100 - percent) / 100` are expected above. If that is less than 1, the tail was not measured.
/// 2. Otherwise the percentile is a quantile.
///
/// EXAMPLE: p99 needs 100 values, p95 needs 20, and p50 needs 2.
///
/// HINTS: whole numbers compare exactly: `n * (100 - percent)` with 100. A quantile takes 0.99, not 99.
pub fn percentile(values: &[f64], percent: u32) -> Option<f64> {
    todo!("benchmarking-percentile")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-percentile", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both sides of the smallest number of runs, the interpolation, values that are not sorted.
#[test]
fn test_unit_percentile() {
    use tinytorch::testing::expect_call;

    let falling = |n: u32| -> Vec<f64> { (0..n).rev().map(f64::from).collect() };
    let few = "with too few values the tail was not measured: None";
    let idea =
        "a quantile takes a fraction: position 0.95 (n - 1), interpolated between neighbours";
    let exact = "10 values are enough for p90: compare whole numbers, which are exact";
    for (n, percent, wanted, idea) in [
        (19, 95, None, few),
        (21, 95, Some(19.0), idea),
        (41, 95, Some(38.0), idea),
        (99, 99, None, few),
        (101, 99, Some(99.0), "p99 is the quantile 0.99"),
        (20, 95, Some(18.05), "20 values are enough for p95, interpolated between neighbours"),
        (10, 90, Some(8.1), exact),
        (4, 50, Some(1.5), "p50 is the median, and two values are enough for it"),
        (500, 100, None, "nothing is above p100: no number of runs measures the worst case"),
    ] {
        let yours = || percentile(&falling(n), percent).map(|p| (p * 1e6).round() / 1e6);
        let input = format!("p{percent} of the {n} values {}, .., 1, 0", n - 1);
        expect_call(input, yours, wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-warm-up", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many runs at the beginning belong to the warm-up: caches are cold, memory is not mapped, the clock rate is low.
///
/// TODO: find where the series begins to look like its second half.
///
/// APPROACH:
/// 1. The second half of the runs, from `n / 2` on, is what a warm program looks like.
/// 2. Its upper fence is its third quartile plus 1.5 of its interquartile ranges.
/// 3. Count the runs from the first on that are above this fence, up to the first one that is not.
///
/// EXAMPLE: `[90, 40, 10, 11, 10, 11, 10, 11]`: the second half lies around 10.5, so 2 runs are warm-up.
///
/// HINTS: `take_while` stops at the first run that fits. A slow run later on is an outlier, not warm-up.
pub fn warm_up_runs(values: &[f64]) -> usize {
    todo!("benchmarking-warm-up")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-warm-up", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 None, two, a slow run later, a first run that is fast.
#[test]
fn test_unit_warm_up() {
    use tinytorch::testing::expect_eq;

    let count = "count the runs at the beginning that are above the upper fence of the second half";
    for (values, wanted, idea) in [
        ([10.0, 11.0, 10.0, 11.0, 10.0, 11.0, 10.0, 11.0], 0, count),
        ([90.0, 40.0, 10.0, 11.0, 10.0, 11.0, 10.0, 11.0], 2, count),
        ([12.0, 11.0, 10.0, 11.0, 10.0, 11.0, 10.0, 11.0], 0, "noise is no warm-up: use the fence"),
        ([90.0, 11.0, 50.0, 10.0, 10.0, 11.0, 10.0, 11.0], 1, "stop at the first run that fits"),
        ([90.0, 80.0, 70.0, 60.0, 10.0, 11.0, 10.0, 11.0], 4, "judge by the second half alone"),
        (
            [1.0, 10.0, 10.0, 11.0, 10.0, 11.0, 10.0, 11.0],
            0,
            "a run that is faster needs no warm-up",
        ),
    ] {
        expect_eq(format!("{values:?}"), warm_up_runs(&values), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-bootstrap", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A sample that might have been measured as well: as many values, drawn from `sample` with replacement.
///
/// TODO: draw.
///
/// APPROACH: for each place, take the value of a random place of `sample`.
///
/// EXAMPLE: of `[2, 4, 6]`, for example `[4, 4, 2]`. Values occur twice, and others not at all.
///
/// HINTS: `rng.below(n)` is a whole number from 0 to `n - 1`, each equally likely.
pub fn resample<T: Copy>(sample: &[T], rng: &mut Rng) -> Vec<T> {
    todo!("benchmarking-bootstrap")
}

/// How many resamples a bootstrap makes.
pub const RESAMPLES: usize = 1000;

/// A statistic of a sample, with the interval in which it lies in most samples like this one (Efron, 1979).
///
/// TODO: compute the statistic of many resamples, and cut off both tails.
///
/// APPROACH:
/// 1. Compute the statistic of [`RESAMPLES`] resamples.
/// 2. With a confidence of 0.95, a part of `(1 - 0.95) / 2 = 0.025` is cut off at each end: these are two quantiles.
/// 3. The estimate is the statistic of the sample itself.
///
/// EXAMPLE: the median of `1, 2, .., 9` is 5; with a confidence of 0.9 its interval is 3 to 7.
///
/// HINTS: collect all statistics into a `Vec<f64>`; `quantile` sorts.
pub fn bootstrap<T: Copy>(
    sample: &[T],
    statistic: impl Fn(&[T]) -> f64,
    confidence: f64,
    rng: &mut Rng,
) -> Interval {
    todo!("benchmarking-bootstrap")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-bootstrap", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What is drawn; the exact interval of a median; another statistic; equal values; the same seed.
#[test]
fn test_unit_bootstrap() {
    use tinytorch::testing::{expect_close, expect_eq};

    let sample: Vec<f64> = (1..=9).map(f64::from).collect();
    let rng = &mut Rng::seeded(1);
    let drawn: Vec<Vec<f64>> = (0..200).map(|_| resample(&sample, rng)).collect();
    let idea = "a resample has as many values as the sample, all from the sample";
    let fits = |values: &Vec<f64>| values.len() == 9 && values.iter().all(|v| sample.contains(v));
    expect_eq("200 resamples of 1 to 9", drawn.iter().all(fits), true, idea);
    let repeats = |values: &&Vec<f64>| (1..9).any(|at| values[..at].contains(&values[at]));
    let idea = "draw with replacement: a resample without any value twice is rare";
    expect_eq("most have a value twice", drawn.iter().filter(repeats).count() > 190, true, idea);
    let seen = |value: &f64| drawn.iter().any(|values| values.contains(value));
    expect_eq(
        "1 to 9 drawn",
        sample.iter().all(seen),
        true,
        "every value can be drawn, the last too",
    );

    let median_of = |confidence| bootstrap(&sample, median, confidence, &mut Rng::seeded(7));
    let ends = |found: Interval| [found.low, found.estimate, found.high].map(|end| end as f32);
    let tail = bootstrap(&[1.0, 1.0, 1.0, 1.0, 9.0], median, 0.9, &mut Rng::seeded(7));
    let idea = "the estimate is the statistic of the sample, not of the resamples";
    expect_eq("median of 1, 1, 1, 1, 9", tail.estimate, 1.0, idea);
    let range = |values: &[f64]| quantile(values, 1.0) - quantile(values, 0.0);
    let missed = bootstrap(&sample, range, 0.9, &mut Rng::seeded(7)).estimate;
    expect_eq("largest minus smallest of 1 to 9", missed, 8.0, idea);
    let idea = "quantiles of the statistics, with half of the rest cut off at each end";
    expect_close("1 to 9, confidence 0.9", &ends(median_of(0.9)), &[3.0, 5.0, 7.0], 1e-6, idea);
    expect_close("1 to 9, confidence 0.5", &ends(median_of(0.5)), &[4.0, 5.0, 6.0], 1e-6, idea);
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let found = bootstrap(&sample, largest, 0.5, &mut Rng::seeded(7));
    expect_close(
        "largest of 1 to 9",
        &ends(found),
        &[8.0, 9.0, 9.0],
        1e-6,
        "any statistic can be given",
    );
    let equal = bootstrap(&[2.0; 5], median, 0.95, &mut Rng::seeded(1));
    expect_close("five times 2", &ends(equal), &[2.0; 3], 0.0, "equal values leave no doubt");
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-runs-needed", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many runs a wanted width of the interval probably takes, computed from a pilot: `runs` that gave `width`.
///
/// TODO: turn the law around.
///
/// APPROACH:
/// 1. The width falls as `1 / sqrt(n)`: half the width takes four times as many runs.
/// 2. Round up: a part of a run cannot be made.
///
/// EXAMPLE: 10 runs gave a width of 8 %. For 4 % it takes 40, for 2 % it takes 160.
///
/// HINTS: the square of how many times as wide the pilot's interval is. `powi` raises to a power, `ceil` rounds up, and
/// `as usize` converts.
pub fn runs_needed(runs: usize, width: f64, wanted: f64) -> usize {
    todo!("benchmarking-runs-needed")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-runs-needed", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Half, a quarter, the same, twice the width; rounding.
#[test]
fn test_unit_runs_needed() {
    use tinytorch::testing::expect_eq;

    let law =
        "the width falls with the root of the number: half the width takes four times the runs";
    for (runs, width, wanted, needed, idea) in [
        (10, 8.0, 4.0, 40, law),
        (10, 8.0, 2.0, 160, law),
        (10, 8.0, 8.0, 10, "the width is there already"),
        (40, 4.0, 8.0, 10, "a wider interval takes fewer runs"),
        (10, 0.75, 0.5, 23, "22.5 runs: round up"),
        (10, 1.1, 1.0, 13, "12.1 runs: round up, not to the nearest"),
    ] {
        let input = format!("{runs} runs gave a width of {width}, {wanted} is wanted");
        expect_eq(input, runs_needed(runs, width, wanted), needed, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-pair", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What a baseline and an entry took, one directly after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The baseline, in seconds.
    pub baseline: f64,
    /// The entry, in seconds.
    pub entry: f64,
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-pairs", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Measures a baseline and an entry in turn, so that both meet the same disturbances. Each of the two closures runs its
/// work once and returns how long that took.
///
/// TODO: warm up, then measure pairs, and change who goes first.
///
/// APPROACH:
/// 1. Run `warm_up` pairs, baseline first, and do not keep them.
/// 2. In pair 0 the baseline goes first, in pair 1 the entry, in pair 2 the baseline, and so on.
/// 3. Keep each pair, whatever it looks like.
///
/// EXAMPLE: `warm_up = 1` and `pairs = 2` run baseline, entry (not kept), baseline, entry, entry, baseline.
///
/// HINTS: `number.is_multiple_of(2)` chooses the order. In a struct literal, fields are computed in the order in which
/// they are written.
pub fn measure_pairs(
    warm_up: usize,
    pairs: usize,
    mut baseline: impl FnMut() -> f64,
    mut entry: impl FnMut() -> f64,
) -> Vec<Pair> {
    todo!("benchmarking-pairs")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-pairs", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The order of all runs, and a machine that becomes slower with every run.
#[test]
fn test_unit_measure_pairs() {
    use std::cell::RefCell;
    use tinytorch::testing::expect_eq;

    for (warm_up, pairs, wanted, idea) in [
        (0, 1, "be", "one pair: the baseline, then the entry"),
        (0, 4, "beebbeeb", "in turn, and change who goes first from pair to pair"),
        (2, 1, "bebebe", "warm up in pairs too, baseline first, and count none of them"),
    ] {
        let log = RefCell::new(String::new());
        let ran = |who: char| {
            log.borrow_mut().push(who);
            log.borrow().len() as f64 // Each run takes a second more than the one before.
        };
        let found = measure_pairs(warm_up, pairs, || ran('b'), || ran('e'));
        let input = format!("{warm_up} to warm up, {pairs} pairs");
        expect_eq(&input, log.borrow().as_str(), wanted, idea);
        expect_eq(&input, found.len(), pairs, "keep every measured pair, and no warm-up");
        let first = 2.0 * warm_up as f64;
        let ordered = [
            Pair { baseline: first + 1.0, entry: first + 2.0 },
            Pair { baseline: first + 4.0, entry: first + 3.0 },
        ];
        for (number, (pair, wanted)) in found.into_iter().zip(ordered).enumerate() {
            let input = format!("{input}: pair {number}, run n takes n seconds");
            expect_eq(input, pair, wanted, "each time belongs to the one that ran");
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-speedup", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many times as fast as the baseline the entry is: the median of the ratios of all pairs, with its interval.
///
/// TODO: a ratio for each pair, then the bootstrap.
///
/// APPROACH:
/// 1. The ratio of a pair is `baseline / entry`: above 1, the entry is faster.
/// 2. What disturbed the machine disturbed both halves of a pair, so the pair stays together: resample the ratios.
/// 3. The statistic is the median.
///
/// EXAMPLE: the pairs (2 s, 1 s), (20 s, 10 s) and (4 s, 2 s): three times 2, although the times differ ten times.
///
/// HINTS: `bootstrap` takes a function as its statistic: `median`.
pub fn speedup(pairs: &[Pair], confidence: f64, rng: &mut Rng) -> Interval {
    todo!("benchmarking-speedup")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-speedup", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A machine that becomes slower, the median of ratios, the direction, an outlier, the confidence.
#[test]
fn test_unit_speedup() {
    use tinytorch::testing::expect_close;

    let of = |times: &[(f64, f64)], confidence| {
        let pairs: Vec<Pair> =
            times.iter().map(|&(baseline, entry)| Pair { baseline, entry }).collect();
        let Interval { low, estimate, high } = speedup(&pairs, confidence, &mut Rng::seeded(3));
        [low, estimate, high].map(|end| end as f32)
    };
    let idea = "baseline / entry: below 1 where the entry is slower";
    expect_close("five times 1/4", &of(&[(1.0, 4.0); 5], 0.95), &[0.25; 3], 1e-6, idea);
    let slowing = [(2.0, 1.0), (4.0, 2.0), (8.0, 4.0), (16.0, 8.0), (32.0, 16.0)];
    let idea =
        "pairs stay together: each ratio is 2, so there is no doubt, whatever the machine did";
    expect_close("2/1, 4/2, 8/4, 16/8, 32/16", &of(&slowing, 0.95), &[2.0; 3], 1e-6, idea);
    let idea = "the median of the ratios, not the ratio of the medians or of the best times";
    let found = of(&[(8.0, 2.0), (3.0, 1.0), (2.0, 4.0)], 0.5);
    expect_close("8/2, 3/1, 2/4", &found[1..2], &[3.0], 1e-6, idea);
    let times: Vec<(f64, f64)> = (1..=9).map(|n| (f64::from(n), 1.0)).collect();
    let idea = "an interval with the confidence that is asked for";
    expect_close("1/1 to 9/1, 0.9", &of(&times, 0.9), &[3.0, 5.0, 7.0], 1e-6, idea);
    expect_close("1/1 to 9/1, 0.5", &of(&times, 0.5), &[4.0, 5.0, 6.0], 1e-6, idea);
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-verdict", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What may be said of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Faster, certainly and by enough to matter.
    Faster,
    /// Slower, certainly and by enough to matter.
    Slower,
    /// There is a difference, but too small a one to matter.
    TooSmall,
    /// The measurements do not tell.
    Unclear,
}

/// The verdict on a speed-up, when a difference of less than `threshold` does not matter (0.05 is five percent).
///
/// TODO: two questions: is there a difference, and is it large enough?
///
/// APPROACH:
/// 1. An interval that contains 1 allows "equal": `Unclear`. So does one that is not a number.
/// 2. Otherwise the estimate decides: from `1 + threshold` on it is `Faster`, up to `1 / (1 + threshold)` `Slower`.
/// 3. Between these: `TooSmall`.
///
/// EXAMPLE: 1.02, between 1.01 and 1.03, with a threshold of 0.05: a real difference, but `TooSmall`.
///
/// HINTS: every comparison with NaN is false: ask for what must hold, `low > 1.0 || high < 1.0`, and negate that.
pub fn verdict(speedup: Interval, threshold: f64) -> Verdict {
    todo!("benchmarking-verdict")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-verdict", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both directions, an interval around 1, a small but certain difference, its ends, not a number.
#[test]
fn test_unit_verdict() {
    use tinytorch::testing::expect_eq;

    let one = "an interval that contains 1 allows no verdict, however large the estimate";
    let size = "a difference can be certain and still too small to matter";
    let both = "above 1 the entry is faster, below 1 slower";
    for ((low, estimate, high), wanted, idea) in [
        ((1.8, 2.0, 2.2), Verdict::Faster, both),
        ((0.4, 0.5, 0.6), Verdict::Slower, both),
        ((0.9, 1.5, 2.2), Verdict::Unclear, one),
        ((0.3, 0.6, 1.1), Verdict::Unclear, one),
        ((1.0, 1.2, 1.4), Verdict::Unclear, "an interval that ends at 1 contains it"),
        ((1.01, 1.02, 1.03), Verdict::TooSmall, size),
        ((0.97, 0.98, 0.99), Verdict::TooSmall, size),
        (
            (1.01, 1.25, 1.4),
            Verdict::Faster,
            "from 1 + threshold on it matters: the estimate decides",
        ),
        ((0.7, 0.8, 0.99), Verdict::Slower, "1 / (1 + 0.25) = 0.8: as large a difference as 1.25"),
        ((f64::NAN, f64::NAN, f64::NAN), Verdict::Unclear, "what is not a number is no finding"),
    ] {
        let input = format!("{estimate}, from {low} to {high}, threshold 0.25");
        expect_eq(input, verdict(Interval { low, estimate, high }, 0.25), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-corrected", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The confidence that each of several comparisons needs, so that all together are right with `confidence`: the
/// correction of Bonferroni.
///
/// TODO: share the risk.
///
/// APPROACH:
/// 1. The risk of a false alarm is `1 - confidence`.
/// 2. Each comparison gets an equal part of it.
/// 3. What is left of 1 is its confidence.
///
/// EXAMPLE: 5 comparisons at 0.95 together: a risk of 0.05, so 0.01 for each, and a confidence of 0.99.
///
/// HINTS: one expression.
pub fn corrected_confidence(confidence: f64, comparisons: usize) -> f64 {
    todo!("benchmarking-corrected")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-corrected", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One comparison, five, twenty.
#[test]
fn test_unit_corrected() {
    use tinytorch::testing::expect_close;

    let share = "share the risk, 1 - confidence, among the comparisons: each becomes stricter";
    for (confidence, comparisons, wanted, idea) in [
        (0.95, 1, 0.95, "a single comparison needs no correction"),
        (0.95, 5, 0.99, share),
        (0.90, 20, 0.995, share),
    ] {
        let yours = corrected_confidence(confidence, comparisons) as f32;
        let input = format!("{comparisons} comparisons at {confidence}");
        expect_close(input, &[yours], &[wanted], 1e-6, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-geometric-mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The mean of ratios: the root of their product (Fleming and Wallace, 1986).
///
/// TODO: multiply instead of add, through logarithms.
///
/// APPROACH:
/// 1. The mean of the logarithms.
/// 2. Undo the logarithm.
///
/// EXAMPLE: twice as fast on one program and half as fast on another: 2 and 0.5 have the mean 1, not 1.25.
///
/// HINTS: the product itself can become too large for any number: `ln` and `exp` do not.
pub fn geometric_mean(ratios: &[f64]) -> f64 {
    todo!("benchmarking-geometric-mean")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-geometric-mean", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A ratio and its inverse, by hand, the other point of view, many large ratios.
#[test]
fn test_unit_geometric_mean() {
    use tinytorch::testing::expect_close;

    let check = |input: &str, ratios: &[f64], wanted: f32, idea: &str| {
        expect_close(input, &[geometric_mean(ratios) as f32], &[wanted], 1e-4, idea);
    };
    check("2 and 0.5", &[2.0, 0.5], 1.0, "2 and 0.5 cancel: ratios are multiplied, not added");
    check("1, 2, 4", &[1.0, 2.0, 4.0], 2.0, "the third root of 8: as many as there are ratios");
    let idea = "seen from the other side, the mean is the inverse";
    check("1, 1/2, 1/4", &[1.0, 0.5, 0.25], 0.5, idea);
    check("400 times 1000", &[1e3; 400], 1e3, "take logarithms: the product is too large");
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-exponent", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The exponent of a power law, `time = c x size^exponent`: the slope of the best line through the logarithms.
///
/// TODO: least squares on logarithms.
///
/// APPROACH:
/// 1. Take the logarithms of sizes and times: a power law becomes a line.
/// 2. Subtract from each its mean.
/// 3. The slope is the sum of the products, divided by the sum of the squares of the sizes.
///
/// EXAMPLE: sizes 1, 2, 4 with times 5, 40, 320: eight times the time for twice the size, so 3.
///
/// HINTS: `iter().unzip()` makes two lists of pairs. `mean` is yours.
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    todo!("benchmarking-exponent")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-exponent", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Three power laws, a falling one, and a point that lies off the line.
#[test]
fn test_unit_exponent() {
    use tinytorch::testing::expect_close;

    let law = "the slope of the line through the logarithms, whatever the factor in front";
    for (power, factor) in [(3, 5.0), (1, 0.01), (0, 7.0), (-2, 1.0)] {
        let points = [1.0, 2.0, 8.0].map(|size: f64| (size, factor * size.powi(power)));
        let input = format!("times {factor} x size^{power}");
        expect_close(input, &[exponent(&points) as f32], &[power as f32], 1e-4, law);
    }
    let points = [(1.0, 1.0), (2.0, 8.0), (4.0, 4.0), (8.0, 8.0)];
    let idea = "all points count, not the two ends alone: least squares";
    expect_close("times 1, 8, 4, 8", &[exponent(&points) as f32], &[0.8], 1e-4, idea);
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How long each request waits for its answer when one is sent every `interval` seconds to a server that works on one
/// after the other. `service` is how long the work on each takes.
///
/// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. The server stood still for a
/// second, and the report says that only one of a thousand requests was slow; but a hundred users complained.
///
/// ```text
/// let mut free = 0.0;
/// service.iter().map(|work| {
///     let sent = free;
///     free = sent + work;
///     free - sent
/// }).collect()
/// ```
///
/// APPROACH:
/// 1. Write down what the lines return for one slow request. When does the next one begin to wait?
/// 2. Request `n` is due at `n x interval`, whether the server is free or not. Its wait begins then.
/// 3. Work on it begins when it is due, or when the server is free, whichever is later.
///
/// EXAMPLE: an interval of 1 s and work of 3, 0.5 and 0.5 s: the answers come after 3, 2.5 and 2 s.
///
/// HINTS: `f64::max` gives the later of two times. `enumerate` counts the requests.
pub fn response_times(interval: f64, service: &[f64]) -> Vec<f64> {
    todo!("benchmarking-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A server that keeps up, one that stood still, one that has time between requests.
#[test]
fn test_unit_response_times() {
    use tinytorch::testing::expect_close;

    let keeps_up = "a server that keeps up lets nothing wait, and work cannot begin before the request is there";
    let waits = "a request waits from when it was due, also while the server works on another one";
    for (interval, service, wanted, idea) in [
        (1.0, &[0.5, 0.5, 0.5][..], &[0.5, 0.5, 0.5][..], keeps_up),
        (1.0, &[3.0, 0.5, 0.5], &[3.0, 2.5, 2.0], waits),
        (2.0, &[3.0, 0.5, 0.5], &[3.0, 1.5, 0.5], "work cannot begin before the request is there"),
        (1.0, &[2.0, 2.0, 2.0], &[2.0, 3.0, 4.0], "a server that is too slow falls further behind"),
    ] {
        let yours: Vec<f32> =
            response_times(interval, service).into_iter().map(|time| time as f32).collect();
        expect_close(format!("every {interval} s, work {service:?}"), &yours, wanted, 1e-5, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-score", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The score of an entry in TinyMLPerf: its speed-up over the baseline that was measured in the same run, with a
/// confidence of 0.95. An entry whose `quality` does not reach the `floor` has none.
///
/// TODO: quality first, then speed.
///
/// APPROACH:
/// 1. `Target::AtLeast(bound)` is met from the bound on, `Target::AtMost(bound)` up to the bound.
/// 2. If it is not met, return `BenchmarkError::BelowFloor`. A quality that is not a number meets nothing.
/// 3. Otherwise the score is the [`speedup`] of the pairs: a single call, with this `rng`.
///
/// EXAMPLE: an accuracy of 94 % with a floor of 95 % has no score, however fast it was.
///
/// HINTS: `match floor { Target::AtLeast(bound) => quality >= bound, .. }` is a `bool`.
pub fn score(
    pairs: &[Pair],
    quality: f64,
    floor: Target,
    rng: &mut Rng,
) -> Result<Interval, BenchmarkError> {
    todo!("benchmarking-score")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-score", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Accuracies and perplexities on both sides of the floor and on it, not a number, the speed-up.
#[test]
fn test_unit_score() {
    use tinytorch::testing::expect_eq;

    let pairs: Vec<Pair> = (1..=9).map(|n| Pair { baseline: f64::from(n), entry: 1.0 }).collect();
    let (accuracy, perplexity) = (Target::AtLeast(95.0), Target::AtMost(20.0));
    let least = "an accuracy must be at least the floor";
    let most = "a perplexity must be at most the floor: less is better";
    for (quality, floor, is_met, idea) in [
        (96.0, accuracy, true, least),
        (95.0, accuracy, true, "on the floor it is met"),
        (94.0, accuracy, false, least),
        (18.0, perplexity, true, most),
        (20.0, perplexity, true, "on the floor it is met"),
        (21.0, perplexity, false, most),
        (f64::NAN, accuracy, false, "a quality that is not a number meets no floor"),
        (f64::NAN, perplexity, false, "a quality that is not a number meets no floor"),
    ] {
        let found = score(&pairs, quality, floor, &mut Rng::seeded(3));
        let input = format!("a quality of {quality}, floor {floor:?}");
        expect_eq(&input, found.is_ok(), is_met, idea);
        if let Ok(found) = found {
            let wanted = speedup(&pairs, 0.95, &mut Rng::seeded(3));
            let idea = "the score is the speed-up, at a confidence of 0.95, from a single call with this rng";
            expect_eq(input, found, wanted, idea);
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-evidence", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What an entry does differently from the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Technique {
    /// Fewer bytes for each weight.
    Quantization,
    /// Many weights are 0.
    Pruning,
    /// Fewer weights.
    SmallerModel,
    /// What was computed before is kept.
    Caching,
    /// Another backend computes.
    Backend,
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-techniques", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The techniques of an entry, found by comparing what was counted with the same counts of the baseline.
///
/// TODO: one condition for each technique, in the order of [`Technique`]. [`Evidence`] has the counts `parameters`, `zeros`
/// and `bytes`, how many numbers those bytes hold (`stored()`), the `positions` that the model computed for each new token
/// (an `f64`; 0 where nothing is generated), and the name of the `backend`.
///
/// APPROACH:
/// 1. `Quantization`: at most half of the baseline's bytes for each stored number.
/// 2. `Pruning`: the share of zeros among the parameters is larger by at least 0.25.
/// 3. `SmallerModel`: at most 0.9 of the baseline's parameters.
/// 4. `Caching`: something is generated, with at most half of the baseline's positions.
/// 5. `Backend`: it has another name.
///
/// EXAMPLE: 100 parameters in 100 bytes, beside 100 in 400: `[Quantization]`.
///
/// HINTS: an array of pairs `(condition, Technique)`, filtered. A sparse format stores no zeros, a dense one does: neither
/// `parameters` nor the parameters that are not 0 are what the bytes hold. Divide by at least 1. In `(a as f64) < b`, Rust
/// needs the parentheses.
pub fn techniques(entry: &Evidence, baseline: &Evidence) -> Vec<Technique> {
    todo!("benchmarking-techniques")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-techniques", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each technique alone, at its limit and below it; all; none; a sparse model that is not quantized.
#[test]
fn test_unit_techniques() {
    use Technique::{Backend, Caching, Pruning, Quantization, SmallerModel};
    use tinytorch::testing::expect_eq;

    let of = |parameters, zeros, bytes, positions, backend: &str| Evidence {
        parameters,
        zeros,
        stored: None,
        bytes,
        positions,
        backend: backend.to_owned(),
    };
    let plain = of(100, 0, 400, 50.0, "plain");
    let dense =
        |zeros, bytes| Evidence { stored: Some(100), ..of(100, zeros, bytes, 50.0, "plain") };
    let bytes = "quantized: at most half the bytes for each stored number";
    let sparse = "a sparse format stores no zeros: divide the bytes by the numbers that are stored";
    let both = "a dense format stores its zeros: divide the bytes by the numbers that are stored";
    let zeros = "pruned: the share of zeros is larger by at least 0.25";
    let cached = "cached: at most half of the positions for each new token";
    for (entry, wanted, idea) in [
        (of(100, 0, 400, 50.0, "plain"), &[][..], "the baseline itself has no technique"),
        (of(100, 0, 200, 50.0, "plain"), &[Quantization], bytes),
        (of(100, 0, 204, 50.0, "plain"), &[], bytes),
        (of(100, 80, 80, 50.0, "plain"), &[Pruning], sparse),
        (dense(80, 100), &[Quantization, Pruning], both),
        (dense(80, 400), &[Pruning], both),
        (of(100, 25, 400, 50.0, "plain"), &[Pruning], zeros),
        (of(100, 24, 400, 50.0, "plain"), &[], zeros),
        (of(90, 0, 360, 50.0, "plain"), &[SmallerModel], "smaller: at most 0.9 of the parameters"),
        (of(91, 0, 364, 50.0, "plain"), &[], "smaller: at most 0.9 of the parameters"),
        (of(100, 0, 400, 25.0, "plain"), &[Caching], cached),
        (of(100, 0, 400, 26.0, "plain"), &[], cached),
        (of(100, 0, 400, 0.0, "plain"), &[], "what generates nothing caches nothing"),
        (of(100, 0, 400, 50.0, "packed"), &[Backend], "another backend answered"),
        (
            of(80, 60, 20, 1.0, "packed"),
            &[Quantization, Pruning, SmallerModel, Caching, Backend],
            "all of them, in the order of their type",
        ),
    ] {
        expect_eq(format!("{entry:?}"), &techniques(&entry, &plain)[..], wanted, idea);
    }
    let half = of(100, 50, 400, 50.0, "plain");
    let idea = "compared with the baseline: zeros that it has too are no technique";
    expect_eq("a baseline with zeros", &techniques(&half, &half)[..], &[], idea);
    let small = of(100, 0, 100, 50.0, "plain");
    let idea = "compared with the baseline: bytes that it saves too are no technique";
    expect_eq("both with 1 byte each", &techniques(&small, &small)[..], &[], idea);
    let empty = of(100, 100, 0, 50.0, "plain");
    let idea = "where no number is stored, divide by 1: 0 bytes are fewer than half";
    expect_eq("only zeros", &techniques(&empty, &plain)[..], &[Quantization, Pruning], idea);
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-ranks", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The rank of each score, in the order of `scores`: the best is 1. Scores that cannot be told apart share a rank.
///
/// TODO: sort, then go down the list and begin a new rank where the difference is certain.
///
/// APPROACH:
/// 1. Sort the places by their estimates, the largest first.
/// 2. The first one leads a group. Each next one whose interval reaches up to the leader's interval is in its group.
/// 3. One whose `high` is below the leader's `low` leads the next group.
/// 4. The rank of a group is the number of entries before it, plus 1: two first places are followed by a third.
///
/// EXAMPLE: 3.0 (2.9 to 3.1), 2.95 (2.8 to 3.0) and 1.0 (0.9 to 1.1) have the ranks 1, 1 and 3.
///
/// HINTS: sort places, not scores: `sort_by` with `total_cmp` on their estimates. Compare with the leader of the group,
/// not with the neighbour: a chain of small steps can be a long way.
pub fn ranks(scores: &[Interval]) -> Vec<usize> {
    todo!("benchmarking-ranks")
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-ranks", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Clear places in any order, ties, what follows a tie, a chain of small steps, nothing.
#[test]
fn test_unit_ranks() {
    use tinytorch::testing::expect_call;

    let check = |estimates: &[f64], half: f64, wanted: &[usize], idea: &str| {
        let interval =
            |&estimate: &f64| Interval { low: estimate - half, estimate, high: estimate + half };
        let scores: Vec<Interval> = estimates.iter().map(interval).collect();
        let input = format!("{estimates:?}, each +- {half}");
        expect_call(input, || ranks(&scores), wanted.to_vec(), idea);
    };
    check(&[3.0, 2.0, 1.0], 0.25, &[1, 2, 3], "the largest score is the first");
    check(&[1.0, 3.0, 2.0], 0.25, &[3, 1, 2], "ranks in the order in which the scores were given");
    let idea = "intervals that overlap share a rank, and the next one counts all before it";
    check(&[3.0, 2.875, 1.0], 0.25, &[1, 1, 3], idea);
    check(&[1.0, 2.875, 3.0, 2.75], 0.25, &[4, 1, 1, 1], idea);
    let idea = "intervals that only touch overlap too";
    check(&[3.0, 2.5], 0.25, &[1, 1], idea);
    let idea = "compare with the leader of the group: the last is certainly behind the first";
    check(&[3.0, 2.625, 2.25], 0.25, &[1, 1, 3], idea);
    let widths = [(2.8, 2.9, 3.2), (1.0, 3.0, 3.1), (2.0, 2.05, 2.1)];
    let scores = widths.map(|(low, estimate, high)| Interval { low, estimate, high });
    let idea = "the largest estimate leads, and its own `low` decides who shares its rank";
    let input = "2.9 (2.8 to 3.2), 3.0 (1.0 to 3.1), 2.05 (2.0 to 2.1)";
    expect_call(input, || ranks(&scores), vec![1, 1, 1], idea);
    check(&[], 0.25, &[], "without entries there are no ranks");
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-analyze-variance", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How many runs does it take until a time is known?
///
/// Purpose: see warm-up, spread and interval of real measurements, and how often chance alone looks like a difference.
/// Measured: 320 runs of one matrix product; the bootstrap interval of the median of 5 to 160 of them; 20 comparisons
/// of that product with itself. Key insight: the interval narrows as one over the root of the number of runs, as long
/// as the machine itself does not change. Production context: a benchmark that runs in continuous integration needs
/// the number of runs, the threshold and the correction fixed before the measurement.
pub fn analyze_benchmark_variance(out: &mut Reporter) {
    let rng = &mut Rng::seeded(1);
    let [a, b] = [(); 2].map(|()| Tensor::randn(&[96, 96], rng));
    let run = || time_once(|| a.matmul(&b)).1;
    let all: Vec<f64> = (0..320).map(|_| run()).collect();
    let warm_up = warm_up_runs(&all);
    let warm = &all[warm_up..];
    let runs = all.iter().enumerate().map(|(run, &time)| (run as f64 + 1.0, time));
    out.chart(Chart {
        title: "Every run, the first ones too".into(),
        kind: ChartKind::Scatter,
        x: Axis::log("run", ""),
        y: Axis::log("time", "s"),
        series: vec![Series::new("one run", runs)],
        origin: Origin::Measured,
    });
    report_series(out, warm, rng);

    let sizes = [5, 10, 20, 40, 80, 160];
    let widths: Vec<f64> = sizes.iter().map(|&n| relative_width(warm, n, rng)).collect();
    let law = sizes.map(|n| widths[0] * (sizes[0] as f64 / n as f64).sqrt());
    let curve =
        |values: &[f64]| sizes.iter().map(|&n| n as f64).zip(values.to_vec()).collect::<Vec<_>>();
    let lines = vec![
        Series::new("measured", curve(&widths)),
        Series::new("one over the root of n", curve(&law)),
    ];
    let (x, y) = (Axis::log("runs", ""), Axis::log("width of the interval / median", ""));
    out.measured_chart("Width of the interval by the number of runs", x, y, lines);
    let rows = (0..sizes.len()).map(|at| -> Vec<Value> {
        let needed = runs_needed(sizes[1], widths[1], widths[at]);
        vec![sizes[at].into(), (100.0 * widths[at]).into(), (100.0 * law[at]).into(), needed.into()]
    });
    let columns = [
        ("runs", ""),
        ("width", "%"),
        ("by the law", "%"),
        ("runs that a pilot of 10 predicts", ""),
    ];
    out.measured_table("Width of the interval", &columns, rows.collect());

    let comparisons = 20;
    let mut alarms = |confidence: f64, threshold: f64| {
        let differs = |_: &usize| {
            let pairs = measure_pairs(1, 15, run, run);
            let found = speedup(&pairs, confidence, rng);
            matches!(verdict(found, threshold), Verdict::Faster | Verdict::Slower)
        };
        (0..comparisons).filter(differs).count()
    };
    let strict = corrected_confidence(0.95, comparisons);
    let found = [alarms(0.95, 0.0), alarms(strict, 0.0), alarms(strict, 0.05)];
    let names = ["0.95 for each", "corrected for 20", "corrected, and at least 5 %"];
    let rows = names.into_iter().zip(found).map(|(name, n)| vec![name.into(), n.into()]);
    let columns = [("confidence", ""), ("of 20 comparisons \"different\"", "")];
    out.measured_table("A program beside itself", &columns, rows.collect());
    out.measured("runs of warm-up", warm_up as f64, "");
    out.measured("width with 5 runs against 80", widths[0] / widths[4], "x");
    out.measured("differences found where there are none", found[0] as f64, "");
    let fitted = exponent(&curve(&widths));
    out.insight(variance_insight(fitted, &widths, &law, [found[0], found[2]]));
}

/// What a learner's functions say of a series: a row for each figure.
fn report_series(out: &mut Reporter, values: &[f64], rng: &mut Rng) {
    let Ok(series) = BenchmarkResult::new("96 x 96 product", "s", values) else { return };
    let interval = series.interval(0.95, rng);
    let mut rows: Vec<Vec<Value>> = vec![
        vec!["median, with its interval".into(), interval.into()],
        vec!["mean".into(), mean(values).into()],
        vec!["sample deviation".into(), deviation(values).unwrap_or(f64::NAN).into()],
        vec!["smallest".into(), quantile(values, 0.0).into()],
        vec!["largest".into(), quantile(values, 1.0).into()],
    ];
    for percent in [95, 99] {
        let tail = percentile(values, percent).map_or("too few runs".into(), Value::from);
        rows.push(vec![format!("p{percent}").into(), tail]);
    }
    out.measured_table("After the warm-up", &[("figure", ""), ("time", "s")], rows);
    out.measured("outliers, which stay in the series", outliers(values).len() as f64, "");
}

/// The width of the interval of the median, in units of the median: its median over all parts of `n` runs.
fn relative_width(values: &[f64], n: usize, rng: &mut Rng) -> f64 {
    let width = |part: &[f64]| {
        let Interval { low, estimate, high } = bootstrap(part, median, 0.95, rng);
        (high - low) / estimate
    };
    let widths: Vec<f64> = values.chunks_exact(n).map(width).collect();
    if widths.is_empty() { f64::NAN } else { median(&widths) }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-analyze-efficiency", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How much of the machine does the engine use?
///
/// Purpose: set a time beside what the hardware could do. Measured: 15 products of your tensor at four sizes, and the
/// peak of one core as lesson 14 probes it. Key insight: a time alone does not say whether it is good; a share of the
/// peak does. Production context: model FLOP utilisation, this share for a whole training step, is how large runs are
/// judged. Energy is not measured here, so no figure is given for it.
pub fn analyze_hardware_efficiency(out: &mut Reporter) {
    let rng = &mut Rng::seeded(2);
    let peak = probe_machine().peak_flops;
    let (mut rows, mut points, mut shares) = (vec![], vec![], vec![]);
    let sizes = [32, 64, 128, 256];
    for (done, n) in sizes.into_iter().enumerate() {
        let [a, b] = [(); 2].map(|()| Tensor::randn(&[n, n], rng));
        let operations = 2.0 * (n as f64).powi(3);
        let run = |_| operations / time_once(|| a.matmul(&b)).1;
        let rates: Vec<f64> = (0..17).map(run).skip(2).collect();
        let rate = bootstrap(&rates, median, 0.95, rng);
        let share = [rate.low, rate.estimate, rate.high].map(|rate| rate / peak);
        rows.push(vec![n.into(), rate.into(), peak.into(), Value::spread(share)]);
        points.push((n as f64, rate.estimate));
        shares.push(share);
        out.progress("sizes", done as u64 + 1, sizes.len() as u64);
    }
    let columns =
        [("size", ""), ("product", "FLOP/s"), ("peak of one core", "FLOP/s"), ("share", "x")];
    out.measured_table("Your product beside the peak", &columns, rows);
    let (x, y) = (Axis::log("size", ""), Axis::log("rate", "FLOP/s"));
    let roof = Series::new("peak of one core", points.iter().map(|(n, _)| (*n, peak)));
    out.measured_chart("Rate by size", x, y, vec![Series::new("your product", points), roof]);
    let last = shares[shares.len() - 1];
    out.measured("share of the peak at 256", 100.0 * last[1], "%");
    out.insight(efficiency_insight(shares[0], last));
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-analyze-scaling", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How does the time grow with the size?
///
/// Purpose: find the law behind a few times, with the doubt that is left. Measured: products of matrices of 32 to 256
/// rows and sums of as many numbers, seven times each; the exponent of the fitted power law, with its bootstrap
/// interval. Key insight: the exponent is the algorithm's, the factor is the machine's. Production context: a fit on
/// small sizes says what a large one will cost, before it is paid for; it holds only while the same cache is enough.
pub fn analyze_scaling_behavior(out: &mut Reporter) {
    let rng = &mut Rng::seeded(3);
    let sizes = [32, 64, 128, 256];
    let (mut rows, mut lines, mut fits) = (vec![], vec![], vec![]);
    type Program = fn(&Tensor) -> Tensor;
    let programs: [(&str, Program); 2] =
        [("product of two matrices", |a| a.matmul(a)), ("sum of all elements", |a| a.sum())];
    for (name, program) in programs {
        let mut points = vec![];
        for n in sizes {
            let a = Tensor::randn(&[n, n], rng);
            let seconds = || time_once(|| program(&a)).1;
            seconds();
            points.extend((0..7).map(|_| (n as f64, seconds())));
        }
        let fit = bootstrap(&points, exponent, 0.95, rng);
        let times = |n: usize| -> Vec<f64> {
            points.iter().filter(|(size, _)| *size == n as f64).map(|(_, time)| *time).collect()
        };
        for n in sizes {
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|q| quantile(&times(n), q));
            rows.push(vec![name.into(), n.into(), Value::spread([low, middle, high])]);
        }
        lines.push(Series::new(name, sizes.map(|n| (n as f64, median(&times(n))))));
        out.measured(format!("exponent, {name}"), fit.estimate, "");
        fits.push(fit);
    }
    let columns = [("program", ""), ("rows and columns", ""), ("time", "s")];
    out.measured_table("Times of seven runs", &columns, rows);
    let (x, y) = (Axis::log("rows and columns", ""), Axis::log("time", "s"));
    out.measured_chart("Time by size", x, y, lines);
    let row = |(name, fit): (&str, &Interval)| vec![name.into(), (*fit).into()];
    let rows = programs.iter().map(|(name, _)| *name).zip(&fits).map(row).collect();
    out.measured_table("Fitted exponents", &[("program", ""), ("exponent", "")], rows);
    let ends = |fit: Interval| [fit.low, fit.estimate, fit.high];
    out.insight(growth_insight(ends(fits[0]), ends(fits[1])));
}

// %% nbgrader={"grade": true, "grade_id": "test-benchmarking-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 From raw times to a leaderboard: four entries of one event, on a made-up machine that becomes slower.
#[test]
fn test_module() {
    use std::cell::RefCell;
    use tinytorch::testing::{expect_close, expect_eq, expect_named};

    // Each run takes its work times the slowness of the machine, which grows, and a little noise.
    let enter = |work: f64, quality: f64| {
        let machine = RefCell::new((1.0, Rng::seeded(5)));
        let ran = |work: f64| {
            let (slowness, noise) = &mut *machine.borrow_mut();
            *slowness *= 1.01;
            work * *slowness * (1.0 + 0.02 * f64::from(noise.uniform()))
        };
        let pairs = measure_pairs(3, 24, || ran(8.0), || ran(work));
        let times: Vec<f64> = pairs.iter().map(|pair| pair.entry).collect();
        let kept = BenchmarkResult::new("entry", "s", &times).map(|result| result.values().len());
        expect_eq("24 pairs", kept, Ok(24), "every pair is kept");
        score(&pairs, quality, Target::AtLeast(90.0), &mut Rng::seeded(6))
    };
    let found = [enter(4.0, 95.0), enter(1.0, 93.0), enter(1.0, 50.0), enter(3.98, 92.0)];
    let message = found[2].as_ref().err().map_or_else(String::new, ToString::to_string);
    expect_named(&message, &["50", "90"], "the fast entry that reads only half has no score");
    let scores: Vec<Interval> = found.into_iter().flatten().collect();
    expect_eq("three scores", ranks(&scores), vec![2, 1, 2], "8 / 1 leads, two of 8 / 4 are equal");
    let all = geometric_mean(&scores.iter().map(|score| score.estimate).collect::<Vec<_>>());
    let idea = "the geometric mean of three scores: the third root of 2 x 8 x 2.01";
    expect_close("scores of about 2, 8 and 2.01", &[all as f32], &[3.18], 0.1, idea);
    let fastest = verdict(scores[1], 0.05);
    expect_eq("the second entry", fastest, Verdict::Faster, "it is certain, and it matters");
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-plumbing", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl fmt::Display for BenchmarkError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Empty { name } => write!(f, "{name}: no values: measure at least one run"),
            Self::Unmeasured { name, run, value } => {
                write!(
                    f,
                    "{name}: run {run} is {value}: a measurement is a finite number from 0 on"
                )
            }
            Self::BelowFloor { quality, floor } => {
                let wanted = match floor {
                    Target::AtLeast(bound) => format!("at least {bound}"),
                    Target::AtMost(bound) => format!("at most {bound}"),
                };
                write!(
                    f,
                    "the quality is {quality}, and {wanted} is required: such an entry has no score"
                )
            }
        }
    }
}

impl std::error::Error for BenchmarkError {}

impl BenchmarkResult {
    /// The values of all runs, in the order in which they were measured.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The median, with its bootstrap interval.
    pub fn interval(&self, confidence: f64, rng: &mut Rng) -> Interval {
        bootstrap(&self.values, median, confidence, rng)
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        quantile(&self.values, 0.0)
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        quantile(&self.values, 1.0)
    }

    /// The median.
    pub fn median(&self) -> f64 {
        median(&self.values)
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        mean(&self.values)
    }

    /// The sample standard deviation; `None` for a single value.
    pub fn deviation(&self) -> Option<f64> {
        deviation(&self.values)
    }

    /// The values with their places that are far from the others. They stay in the series.
    pub fn outliers(&self) -> Vec<usize> {
        outliers(&self.values)
    }
}

impl From<Interval> for Value {
    fn from(Interval { low, estimate, high }: Interval) -> Self {
        Self::spread([low, estimate, high])
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-entry", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// An event of TinyMLPerf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The MLP of 1986 reads the test digits.
    MlpSprint,
    /// The CNN of lesson 09 reads the test digits.
    CnnMarathon,
    /// A GPT continues a question and scores held-out ones.
    TransformerDecathlon,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MlpSprint, Self::CnnMarathon, Self::TransformerDecathlon];

    /// Its name in commands and files.
    pub fn id(self) -> &'static str {
        match self {
            Self::MlpSprint => "mlp_sprint",
            Self::CnnMarathon => "cnn_marathon",
            Self::TransformerDecathlon => "transformer_decathlon",
        }
    }

    /// The limit of the quality: an accuracy on 360 test digits, in percent, or a perplexity.
    pub fn floor(self) -> Target {
        match self {
            Self::MlpSprint => Target::AtLeast(95.0),
            Self::CnnMarathon => Target::AtLeast(97.0),
            Self::TransformerDecathlon => Target::AtMost(6.5),
        }
    }
}

/// What an event gives to an entry: the trained model of the baseline, and inputs to calibrate with. The test data are
/// not among them.
#[expect(clippy::large_enum_variant, reason = "one is made for each run of an event")]
pub enum Start {
    /// A digit event: a model from images to ten scores, and some training images.
    Digits(Sequential, Tensor),
    /// The decathlon: a GPT, and some training texts as ids `(B, S)`.
    Text(Gpt, Tensor),
}

/// What takes part in an event. A plain model takes part as it is; override what you do better.
pub trait Entry {
    /// What the leaderboard shows. It changes nothing.
    fn name(&self) -> String;

    /// The model, whose weights the judge counts.
    fn model(&self) -> &dyn Layer;

    /// The backend on which the judge runs the entry, counting what it computes; without one, the plain loops. Do not
    /// call `with_backend` yourself: the judge would count nothing.
    fn backend(&self) -> Option<Arc<dyn Backend>> {
        None
    }

    /// The scores of a batch, as the model's `forward` gives them: a row for each image, or for each position.
    fn logits(&mut self, x: &Tensor) -> Tensor {
        no_grad(|| self.model().forward(x))
    }

    /// The most probable `new_tokens` tokens behind a prompt. Only the decathlon asks for them.
    ///
    /// # Errors
    /// When the model is no GPT, or refuses the prompt.
    fn generate(&mut self, prompt: &[Id], new_tokens: usize) -> Result<Vec<Id>, GenerateError> {
        let Some(gpt) = (self.model() as &dyn Any).downcast_ref::<Gpt>() else {
            return Err(GenerateError(format!("{} is no GPT", self.model().name())));
        };
        let greedy = Sampler::default().temperature(0.0);
        generate(gpt, prompt, new_tokens, &greedy, &mut Rng::seeded(0), |_| ())
    }
}

/// A model as it is, under a name.
pub struct Plain<M>(pub String, pub M);

impl<M: Layer> Entry for Plain<M> {
    fn name(&self) -> String {
        self.0.clone()
    }

    fn model(&self) -> &dyn Layer {
        &self.1
    }
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How certain is a median?
///
/// Each dot is one made-up run: a time of 100 ms with noise, and now and then an outlier. The bars show where the
/// median of such a series falls when it is measured 300 times. Double the runs, and look at the width. Then raise the
/// outliers to 0.2, and compare median and mean.
pub fn explore_sampling_distribution(figure: &mut Explorer) {
    let runs = figure.number("runs", 20.0, 5.0..=160.0, 5.0) as usize;
    let noise = figure.number("noise", 0.05, 0.0..=0.3, 0.01);
    let share = figure.number("outliers", 0.1, 0.0..=0.4, 0.05);
    let which = figure.choice("statistic", &["median", "mean", "smallest"]);
    let seed = figure.number("seed", 1.0, 1.0..=99.0, 1.0) as u64;
    let rng = &mut Rng::seeded(seed);
    let mut run = |_| {
        let slow =
            if f64::from(rng.uniform()) < share { 1.5 + f64::from(rng.uniform()) } else { 1.0 };
        100.0 * slow * (1.0 + noise * f64::from(rng.normal()).abs())
    };
    let mut series = || (0..runs).map(&mut run).collect::<Vec<f64>>();
    let statistic: fn(&[f64]) -> f64 = match which {
        "mean" => mean,
        "smallest" => |values| quantile(values, 0.0),
        _ => median,
    };
    let first = series();
    let many: Vec<f64> = (0..300).map(|_| statistic(&series())).collect();
    let dots = first.iter().enumerate().map(|(run, &time)| (run as f64 + 1.0, time));
    figure.chart(Chart {
        title: "One series, ms".into(),
        kind: ChartKind::Scatter,
        x: Axis::linear("run", ""),
        y: Axis::linear("time", ""),
        series: vec![Series::new("one run", dots)],
        origin: Origin::Computed("a made-up machine".into()),
    });
    let (low, high) = (quantile(&many, 0.0), quantile(&many, 1.0));
    let bins = if high > low { 20 } else { 1 };
    let step = ((high - low) / bins as f64).max(1e-9);
    // As many decimals as tell neighbouring bars apart.
    let decimals = (-step.log10().floor()).clamp(0.0, 3.0) as usize;
    let mut counts = vec![0; bins];
    many.iter().for_each(|value| counts[(((value - low) / step) as usize).min(bins - 1)] += 1);
    let bars = counts.iter().enumerate().map(|(bin, &count)| Point {
        x: bin as f64,
        y: f64::from(count),
        label: Some(format!("{:.decimals$}", low + (bin as f64 + 0.5) * step)),
        ..Point::default()
    });
    figure.chart(Chart {
        title: format!("The {which} of each of 300 such series, ms"),
        kind: ChartKind::Bar,
        x: Axis::linear("time", ""),
        y: Axis::linear("series", ""),
        series: vec![Series { name: "series".into(), points: bars.collect() }],
        origin: Origin::Computed("a made-up machine".into()),
    });
    let found = bootstrap(&first, statistic, 0.95, &mut Rng::seeded(seed));
    let tails = [0.025, 0.975].map(|q| quantile(&many, q));
    let far = outliers(&first).len();
    let columns = [("from", ""), ("low", ""), ("high", ""), ("width", "")];
    let row = |name: &str, [low, high]: [f64; 2]| -> Vec<Value> {
        vec![name.into(), low.into(), high.into(), (high - low).into()]
    };
    let rows = vec![
        row("the one series, bootstrap", [found.low, found.high]),
        row("300 series, the middle 95 %", tails),
    ];
    figure.computed_table("Where it lies, ms", "a made-up machine", &columns, rows);
    figure.insight(sampling_insight(which, [found.low, found.high], tails, far));
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let out = &mut Reporter::stdout();
    analyze_benchmark_variance(out);
    analyze_hardware_efficiency(out);
    analyze_scaling_behavior(out);
}

// %% nbgrader={"grade": false, "grade_id": "benchmarking-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
