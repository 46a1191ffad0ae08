//! Outputs of the capstone module's cells.

use subject::{confirms, leave_one_out, overlap, shares};
use tinytorch::benchmarking::Interval;
use tinytorch::capstone as subject;
use tinytorch::outputs::{self, Outputs, Seeded};
use tinytorch::random::Rng;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_ablation", test_unit_ablation),
    ("test_unit_shares", test_unit_shares),
    ("test_unit_overlap", test_unit_overlap),
    ("test_unit_confirms", test_unit_confirms),
];

fn figures(rng: &mut Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| 1.0 + f64::from(rng.uniform())).collect()
}

fn interval(rng: &mut Rng) -> Interval {
    let [low, estimate, high] = outputs::interval(rng);
    Interval { low, estimate, high }
}

fn test_unit_ablation(rng: &mut Rng, out: &mut Outputs) {
    let weights = figures(rng, 4);
    let measure = |on: &[bool]| {
        let each = on.iter().zip(&weights).filter(|(on, _)| **on).map(|(_, weight)| weight);
        each.product::<f64>() + 1.0
    };
    out.numbers("figures", leave_one_out(4, measure));
}

fn test_unit_shares(rng: &mut Rng, out: &mut Outputs) {
    let mut figures = figures(rng, 5);
    figures.sort_by(|a, b| b.total_cmp(a));
    out.numbers("shares", shares(&figures));
}

fn test_unit_overlap(rng: &mut Rng, out: &mut Outputs) {
    out.number("overlap", overlap(&figures(rng, 3), 1.0 + f64::from(rng.uniform())));
}

fn test_unit_confirms(rng: &mut Rng, out: &mut Outputs) {
    for _ in 0..12 {
        let bound = 1.0 + f64::from(rng.uniform());
        out.number("confirms", u8::from(confirms(interval(rng), interval(rng), bound)));
    }
}
