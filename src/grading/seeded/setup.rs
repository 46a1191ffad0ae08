//! Outputs of the setup module's cells.

use subject::{greeting, median, quantile, time_once, time_per_call};
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::setup as subject;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_greeting", test_unit_greeting),
    ("test_unit_median", test_unit_median),
    ("test_unit_quantile", test_unit_quantile),
    ("test_unit_time_once", test_unit_time_once),
    ("test_unit_debug", test_unit_debug),
];

fn numbers(rng: &mut Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| f64::from(rng.normal())).collect()
}

fn test_unit_greeting(rng: &mut Rng, out: &mut Outputs) {
    let name: String = (0..8).map(|_| char::from(b'a' + rng.below(26) as u8)).collect();
    out.text("greeting", &greeting(&name));
}

fn test_unit_median(rng: &mut Rng, out: &mut Outputs) {
    for count in [1, 8, 11] {
        out.number("median", median(&numbers(rng, count)));
    }
}

fn test_unit_quantile(rng: &mut Rng, out: &mut Outputs) {
    for count in [1, 8, 11] {
        let q = f64::from(rng.uniform());
        out.number("quantile", quantile(&numbers(rng, count), q));
    }
}

fn test_unit_time_once(rng: &mut Rng, out: &mut Outputs) {
    let value = rng.normal();
    out.number("result", time_once(|| value).0);
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let calls = 1 + rng.below(50) as u32;
    let clock = std::cell::Cell::new(f64::from(rng.normal()));
    let step = f64::from(rng.uniform());
    let worked = || clock.set(clock.get() + step);
    out.number("seconds of a call", time_per_call(calls, || clock.get(), worked));
}
