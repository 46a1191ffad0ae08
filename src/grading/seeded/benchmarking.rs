//! Outputs of the benchmarking module's cells.

use subject::{
    Interval, corrected_confidence, deviation, exponent, geometric_mean, mean, outliers,
    percentile, ranks, response_times, runs_needed, verdict, warm_up_runs,
};
use tinytorch::benchmarking as subject;
use tinytorch::outputs::{self, Outputs, Seeded};
use tinytorch::random::Rng;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_deviation", test_unit_deviation),
    ("test_unit_outliers", test_unit_outliers),
    ("test_unit_percentile", test_unit_percentile),
    ("test_unit_warm_up", test_unit_warm_up),
    ("test_unit_runs_needed", test_unit_runs_needed),
    ("test_unit_verdict", test_unit_verdict),
    ("test_unit_corrected", test_unit_corrected),
    ("test_unit_geometric_mean", test_unit_geometric_mean),
    ("test_unit_exponent", test_unit_exponent),
    ("test_unit_response_times", test_unit_response_times),
    ("test_unit_ranks", test_unit_ranks),
];

/// Positive numbers.
fn times(rng: &mut Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| 1.0 + f64::from(rng.uniform())).collect()
}

fn interval(rng: &mut Rng) -> Interval {
    let [low, estimate, high] = outputs::interval(rng);
    Interval { low, estimate, high }
}

fn test_unit_deviation(rng: &mut Rng, out: &mut Outputs) {
    for count in [1, 2, 9] {
        let times = times(rng, count);
        out.number("mean", mean(&times));
        out.numbers("deviation", deviation(&times));
    }
}

fn test_unit_outliers(rng: &mut Rng, out: &mut Outputs) {
    let mut times = times(rng, 12);
    let at = rng.below(12);
    times[at] = 20.0;
    out.counts("outliers", outliers(&times));
}

fn test_unit_percentile(rng: &mut Rng, out: &mut Outputs) {
    let times = times(rng, 120);
    for percent in [1, 50, 90, 99, 100] {
        out.numbers("percentile", percentile(&times, percent));
    }
}

fn test_unit_warm_up(rng: &mut Rng, out: &mut Outputs) {
    for slow in [0, 2, 4] {
        let mut times = times(rng, 16);
        times.iter_mut().take(slow).for_each(|time| *time *= 5.0);
        out.counts("runs", [warm_up_runs(&times)]);
    }
    out.counts("drawn", [rng.below(100)]);
}

fn test_unit_runs_needed(rng: &mut Rng, out: &mut Outputs) {
    for _ in 0..4 {
        let [width, wanted] = [rng.uniform() + 0.5, rng.uniform() * 0.4 + 0.1].map(f64::from);
        out.counts("runs", [runs_needed(5 + rng.below(20), width, wanted)]);
    }
}

fn test_unit_verdict(rng: &mut Rng, out: &mut Outputs) {
    for _ in 0..6 {
        let threshold = 1.0 + f64::from(rng.uniform()) / 5.0;
        out.text("verdict", &format!("{:?}", verdict(interval(rng), threshold)));
    }
}

fn test_unit_corrected(rng: &mut Rng, out: &mut Outputs) {
    let confidence = 0.5 + f64::from(rng.uniform()) / 2.1;
    for comparisons in [1, 3, 20] {
        out.number("confidence", corrected_confidence(confidence, comparisons));
    }
}

fn test_unit_geometric_mean(rng: &mut Rng, out: &mut Outputs) {
    out.number("mean", geometric_mean(&times(rng, 7)));
}

fn test_unit_exponent(rng: &mut Rng, out: &mut Outputs) {
    let points: Vec<(f64, f64)> = (1..7)
        .map(|x| (f64::from(x), f64::from(x * x) * (1.0 + f64::from(rng.uniform()))))
        .collect();
    out.number("exponent", exponent(&points));
}

fn test_unit_response_times(rng: &mut Rng, out: &mut Outputs) {
    for interval in [0.5, 1.4, 3.0] {
        out.numbers("times", response_times(interval, &times(rng, 8)));
    }
}

fn test_unit_ranks(rng: &mut Rng, out: &mut Outputs) {
    let scores: Vec<Interval> = (0..6).map(|_| interval(rng)).collect();
    out.counts("ranks", ranks(&scores));
}
