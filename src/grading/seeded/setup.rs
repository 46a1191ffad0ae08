//! Outputs of the setup module's cells.

use std::time::{Duration, Instant};
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
    // By `total_cmp`, NaN is above every number.
    let [one, other] = [(); 2].map(|()| f64::from(rng.normal()));
    out.number("with NaN", median(&[f64::NAN, one, other]));
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
    // In seconds, of the work alone: at least what it is busy for, at most what passes outside.
    let busy = Duration::from_millis(2);
    let outside = Instant::now();
    let (_, seconds) = time_once(|| {
        let begun = Instant::now();
        while begun.elapsed() < busy {
            std::hint::spin_loop();
        }
    });
    let possible = busy.as_secs_f64()..=outside.elapsed().as_secs_f64();
    out.number("is possible", u8::from(possible.contains(&seconds)));
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let calls = 1 + rng.below(50) as u32;
    let clock = std::cell::Cell::new(f64::from(rng.normal()));
    let step = f64::from(rng.uniform());
    // A reading takes as long as ten calls, so that it matters how many there are.
    let pass = |steps: f64| clock.set(clock.get() + step * steps);
    let read = || {
        pass(10.0);
        clock.get()
    };
    let done = std::cell::Cell::new(0);
    let work = || {
        pass(1.0);
        done.set(done.get() + 1);
    };
    out.number("seconds of a call", time_per_call(calls, read, work));
    out.counts("calls", [done.get()]);
}
