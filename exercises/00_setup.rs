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

// %% nbgrader={"grade": false, "grade_id": "setup-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 00 Setup: the loop of editing, red and green, and a stopwatch whose figures can be trusted. Input: numbers
//! and closures. Output: a median, quantiles and seconds. By hand: the median of 3, 1 and 100 is 3, their mean
//! is 34.7. Depends on nothing but the standard library.

use std::time::Instant;
use tinytorch::report::{Axis, Chart, ChartKind, Origin, Reporter, Series, Value};
use tinytorch::testing::{Comparison, Ratio, Reading};

// %% [markdown] nbgrader={"grade": false, "grade_id": "setup-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Setup
//
// Replace each `todo!` with your own code, save, and look at the tutor: red means that the test below your
// code fails, green that it passes. Test cells are locked: the tutor always runs the original. The last cell
// of the file is yours.

// %% nbgrader={"grade": false, "grade_id": "setup-greeting", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Returns a greeting. There is nothing to learn about machines here: this cell is for trying out the loop.
///
/// TODO: return `Hello, NAME!` with the given name in place of `NAME`.
///
/// APPROACH:
/// 1. Replace the `todo!` with any other string, and save: the test shows what it got and what it expected.
/// 2. Insert the name.
///
/// EXAMPLE: `greeting("Ada")` is `Hello, Ada!`.
///
/// HINTS: the macro `format!` builds a string; a variable's name in braces inserts its value.
pub fn greeting(name: &str) -> String {
    todo!("setup-greeting")
}

// %% nbgrader={"grade": true, "grade_id": "test-setup-greeting", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two names, so that a fixed string is not enough.
#[test]
fn test_unit_greeting() {
    for name in ["Ada", "Grace Hopper"] {
        let idea = "the given name stands between `Hello, ` and the exclamation mark";
        tinytorch::testing::expect_eq(name, greeting(name), format!("Hello, {name}!"), idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "setup-machine", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The machine that a figure was measured on. Without it, a time cannot be compared with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineInfo {
    /// `linux`, `macos`, `windows`.
    pub os: &'static str,
    /// The instruction set: `x86_64`, `aarch64`.
    pub arch: &'static str,
    /// How many threads the machine runs at the same time; at least 1.
    pub cores: usize,
    /// Bits in an address: 64 on almost every machine.
    pub pointer_bits: u32,
}

impl MachineInfo {
    /// Describes the machine that this program runs on.
    ///
    /// TODO: fill in the four fields from what the standard library knows.
    ///
    /// APPROACH:
    /// 1. The module `std::env::consts` has the constants `OS` and `ARCH`.
    /// 2. `std::thread::available_parallelism` counts the cores, or returns an error where it cannot; count
    ///    1 core then.
    /// 3. The constant `BITS` of `usize` is the width of an address.
    ///
    /// EXAMPLE: on a laptop, os "linux", arch "x86_64", 8 cores and 64 pointer bits.
    ///
    /// HINTS: `Result::map_or` takes a default and a closure for the other case; `get` turns the `NonZero`
    /// inside into a `usize`.
    pub fn here() -> Self {
        todo!("setup-machine")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-setup-machine", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every field against what the standard library says.
#[test]
fn test_unit_machine() {
    use tinytorch::testing::expect_eq;

    let machine = MachineInfo::here();
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    expect_eq("os", machine.os, std::env::consts::OS, "a constant of `std::env::consts`");
    expect_eq("arch", machine.arch, std::env::consts::ARCH, "a constant of `std::env::consts`");
    expect_eq("cores", machine.cores, cores, "ask for the available parallelism");
    expect_eq("pointer_bits", machine.pointer_bits, usize::BITS, "the bits of a `usize`");
}

// %% nbgrader={"grade": false, "grade_id": "setup-median", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The number in the middle when sorted; the mean of the two in the middle when their count is even. Panics
/// when there are none.
///
/// TODO: sort a copy and take the middle.
///
/// APPROACH:
/// 1. Panic when there are no numbers, with a message that names `median`; the rest of its words are yours.
/// 2. Sort a copy: the numbers belong to the caller.
/// 3. With an odd count one number is in the middle, with an even count there are two: take their mean.
///
/// EXAMPLE: `[3, 1, 100]` has the median 3, `[1, 2, 3, 10]` has 2.5, and `[]` panics with
/// `median: no numbers`.
///
/// HINTS: `to_vec` copies a slice. `sort` does not accept floats, since a `NaN` has no place in their order;
/// `sort_by` with `f64::total_cmp` gives it one.
pub fn median(numbers: &[f64]) -> f64 {
    todo!("setup-median")
}

// %% nbgrader={"grade": true, "grade_id": "test-setup-median", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Odd and even counts, one outlier, one number, and none.
#[test]
fn test_unit_median() {
    use tinytorch::testing::{expect_eq, expect_named, panic_message};

    let check = |numbers: &[f64], wanted: f64, idea: &str| {
        expect_eq(format!("{numbers:?}"), median(numbers), wanted, idea);
    };
    check(&[3.0, 1.0, 100.0], 3.0, "sort first, then take the middle");
    check(&[1.0, 2.0, 3.0, 10.0], 2.5, "an even count has two in the middle: take their mean");
    check(&[7.0], 7.0, "one number is its own median");
    check(&[1.0, 2.0, 3.0, 4.0, 1e9], 3.0, "an outlier changes nothing");
    let message = panic_message(|| median(&[f64::NAN, 2.0, 1.0]));
    assert!(!message.contains("unwrap"), "for [NaN, 2, 1]: {message}\n  idea: sort by `total_cmp`");
    check(&[f64::NAN, 2.0, 1.0], 2.0, "sort by `total_cmp`: a NaN is at the end of its order");
    let numbers = [2.0, 1.0];
    median(&numbers);
    expect_eq("[2, 1], afterwards", numbers, [2.0, 1.0], "sort a copy: the input keeps its order");
    let idea = "check first that there is a number, and name the function: `median`";
    expect_named(&panic_message(|| median(&[])), &["median"], idea);
}

// %% nbgrader={"grade": false, "grade_id": "setup-quantile", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The value below which a fraction `q` (0 to 1) of the numbers lies, with linear interpolation between two
/// numbers. `quantile(numbers, 0.5)` is the median. Panics when there are no numbers, or when `q` is not
/// between 0 and 1.
///
/// TODO: find the position of `q` in the sorted numbers, and interpolate the value there.
///
/// APPROACH:
/// 1. Two checks, whose messages name `quantile`, and a `q` that is refused; then sort a copy.
/// 2. The positions run from 0, the smallest number, to n - 1, the largest; find the one that is the fraction
///    `q` of the way.
/// 3. A position such as 1.25 lies a quarter of the way from number 1 to number 2, and so does its value.
///
/// EXAMPLE: for `[10, 20, 30, 40]`, q = 0 gives 10, q = 0.25 gives 17.5, q = 1 gives 40. Panics:
/// `quantile: no numbers` and `quantile: q = 1.5 is not between 0 and 1`.
///
/// HINTS: `floor` gives the index of the number below a position, `fract` the fraction of the way from there.
/// The number above is the next one, but never past the last.
pub fn quantile(numbers: &[f64], q: f64) -> f64 {
    todo!("setup-quantile")
}

// %% nbgrader={"grade": true, "grade_id": "test-setup-quantile", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both ends, positions between numbers, agreement with the median, and two kinds of misuse.
#[test]
fn test_unit_quantile() {
    use tinytorch::testing::{expect_eq, expect_named, panic_message};

    let numbers = [40.0, 10.0, 30.0, 20.0];
    let check = |q: f64, wanted: f64, idea: &str| {
        expect_eq(format!("[40, 10, 30, 20], q = {q}"), quantile(&numbers, q), wanted, idea);
    };
    check(0.0, 10.0, "q = 0 is the smallest number");
    check(1.0, 40.0, "q = 1 is the largest number");
    check(0.25, 17.5, "position 0.25 * (n - 1) = 0.75: interpolate between 10 and 20");
    check(0.75, 32.5, "position 0.75 * (n - 1) = 2.25: interpolate between 30 and 40");
    check(0.5, median(&numbers), "q = 0.5 is the median: does its test pass?");
    expect_eq("[5], q = 0.9", quantile(&[5.0], 0.9), 5.0, "there is nothing above the last number");
    let idea = "check first that there is a number, and name the function: `quantile`";
    expect_named(&panic_message(|| quantile(&[], 0.5)), &["quantile"], idea);
    let idea =
        "refuse a q that is not between 0 and 1, and name it; every comparison with NaN is false";
    for (wrong, named) in [(1.5, "1.5"), (-0.5, "-0.5"), (f64::NAN, "NaN")] {
        expect_named(&panic_message(|| quantile(&numbers, wrong)), &["quantile", named], idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "setup-time-once", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Runs `work` once. Returns its result and how long it took, in seconds.
///
/// TODO: read the clock before and after.
///
/// APPROACH:
/// 1. Read the clock, with `Instant::now`.
/// 2. Do the work, and pass its result through `std::hint::black_box`: the compiler must then assume that the
///    result is used, and cannot leave the work out.
/// 3. Read how much time has passed, in seconds, and return both.
///
/// EXAMPLE: `time_once(|| 1 + 1)` is the number 2 with a time of some nanoseconds, as a fraction of a second.
///
/// HINTS: an `Instant` has `elapsed`, and what that returns has `as_secs_f64`. The order matters: the time is
/// read when the work is done, and not before.
pub fn time_once<T>(work: impl FnOnce() -> T) -> (T, f64) {
    todo!("setup-time-once")
}

// %% nbgrader={"grade": true, "grade_id": "test-setup-time-once", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The work runs once, its result is returned, and the measured time covers all of it.
#[test]
fn test_unit_time_once() {
    use tinytorch::testing::expect_eq;

    let mut runs = 0;
    let around = Instant::now();
    let (answer, seconds) = time_once(|| {
        runs += 1;
        // Busy until the clock has advanced by this much: the measured time must include all of it.
        let start = Instant::now();
        while start.elapsed().as_micros() < 500 {}
        42
    });
    let whole = around.elapsed().as_secs_f64();
    expect_eq("runs of the work", runs, 1, "call the work once");
    expect_eq("work that returns 42", answer, 42, "return the result of the work");
    assert!(seconds >= 0.0005, "the work took at least 0.0005 s, measured {seconds} s");
    assert!(seconds <= whole, "the call took {whole} s, measured {seconds}: is that in seconds?");
}

// %% nbgrader={"grade": false, "grade_id": "setup-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The time of one call of `work`, measured over `calls` calls (at least 1). `now` reads a clock.
///
/// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. Work that takes
/// 1 ns seems to take 21 ns on a clock that needs 20 ns for a reading.
///
/// ```text
/// let mut total = 0.0;
/// for _ in 0..calls {
///     let start = now();
///     work();
///     total += now() - start;
/// }
/// total / f64::from(calls)
/// ```
///
/// APPROACH:
/// 1. Count the readings of the clock for 1,000 calls. How many of them are inside the time that is added up?
/// 2. Write it with as few readings as possible.
///
/// EXAMPLE: with that clock and that work, 1,000 calls take 1.02 ns each.
///
/// HINTS: what is measured between two readings includes the time of one of them. Share it among all calls.
pub fn time_per_call(calls: u32, mut now: impl FnMut() -> f64, mut work: impl FnMut()) -> f64 {
    todo!("setup-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-setup-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A simulated clock: each reading takes 20 ns, each call 1 ns. So the test does not depend on the machine.
#[test]
fn test_unit_debug() {
    use std::cell::Cell;
    use tinytorch::testing::{expect_close, expect_eq};

    let (time, readings, done) = (Cell::new(0.0), Cell::new(0), Cell::new(0));
    let now = || {
        readings.set(readings.get() + 1);
        time.set(time.get() + 20.0);
        time.get()
    };
    let work = || {
        done.set(done.get() + 1);
        time.set(time.get() + 1.0);
    };
    let per_call = time_per_call(1000, now, work);
    expect_eq("calls of the work", done.get(), 1000, "call the work as often as was asked");
    let idea = "read the clock once before the first call and once after the last";
    expect_eq("readings of the clock", readings.get(), 2, idea);
    let idea = "the time of one call is the time of all, divided by their number";
    expect_close("1,000 calls of 1 ns", &[per_call as f32], &[1.02], 1e-6, idea);
}

// %% nbgrader={"grade": false, "grade_id": "setup-analyze-timer-resolution", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: find the shortest time that this machine's clock can resolve.
/// Measured: the steps between one reading of the clock and the next, and the time of one addition when
/// 1 to 65,536 of them are timed with a single pair of readings; then 65,536 each alone and all at once, in turn.
/// Key insight: reading the clock takes time itself. Short work is repeated inside one timing, and the
/// total divided.
/// Production context: benchmark libraries choose the number of repetitions by this figure.
pub fn analyze_timer_resolution(out: &mut Reporter) {
    let machine = MachineInfo::here();
    let checks = if cfg!(debug_assertions) { "on: an optimised program is faster" } else { "off" };
    let facts: [(&str, String); 6] = [
        ("system", machine.os.to_owned()),
        ("processor", machine.arch.to_owned()),
        ("cores", machine.cores.to_string()),
        ("bits in an address", machine.pointer_bits.to_string()),
        ("compiler", rustc_version().unwrap_or_else(|| "not found".to_owned())),
        ("debug checks", checks.to_owned()),
    ];
    let rows = facts.into_iter().map(|(fact, value)| vec![fact.into(), value.into()]).collect();
    out.measured_table("This machine", &[("what", ""), ("value", "")], rows);

    let steps: Vec<f64> = (0..10_000).map(|_| time_once(|| ()).1).collect();
    let seen: Vec<f64> = steps.iter().copied().filter(|&step| step > 0.0).collect();
    let zeros = (steps.len() - seen.len()) as f64 / steps.len() as f64;
    let smallest = if seen.is_empty() { 0.0 } else { quantile(&seen, 0.0) };
    let typical = median(&steps);
    let columns =
        [("smallest step seen", "s"), ("median step", "s"), ("readings without a step", "%")];
    let row = vec![smallest.into(), typical.into(), (100.0 * zeros).into()];
    out.measured_table("Two readings of the clock, one after the other", &columns, vec![row]);

    let per_addition = |additions: u32| {
        let add = || (0..additions).fold(0_u32, |sum, n| std::hint::black_box(sum.wrapping_add(n)));
        let seconds: Vec<f64> = (0..51).map(|_| time_once(add).1).collect();
        (f64::from(additions), median(&seconds) / f64::from(additions))
    };
    let points: Vec<(f64, f64)> =
        (0..=16).step_by(2).map(|power| per_addition(1 << power)).collect();
    out.measured_chart(
        "Time of one addition, by how many are timed at once",
        Axis::log("additions in one timing", ""),
        Axis::log("time of one addition", "s"),
        vec![Series::new("total / additions", points)],
    );
    out.measured("median step of the clock", typical, "s");

    let add = |n: u32| std::hint::black_box(n.wrapping_add(1));
    let pairs: Vec<(f64, f64)> = (0..21)
        .map(|_| {
            let each: f64 = (0..65_536).map(|n| time_once(|| add(n)).1).sum();
            (each, time_once(|| (0..65_536).for_each(|n| _ = add(n))).1)
        })
        .collect();
    let timed = Comparison::of(&pairs);
    out.compared("65,536 additions, timed in turn", &[(EACH, TOGETHER, timed)]);
    out.measured("an addition timed alone against 65,536 at once", timed.ratio.median, "x");
    out.insight(timer_resolution_insight(timed.ratio));
}

/// The two ways of timing, as the table and the sentence of the analysis call them.
const EACH: &str = "65,536 additions timed one by one";
/// The second.
const TOGETHER: &str = "65,536 timed at once";

/// What the times of additions that are timed alone allow one to say, against the same additions timed at once.
pub fn timer_resolution_insight(ratio: Ratio) -> String {
    let meaning = match ratio.reading() {
        Reading::Larger if ratio.low > 2.0 => " Most of that is the clock, not the addition.",
        Reading::Larger => " Part of that is the clock, not the addition.",
        Reading::NoClearDifference => " Here the clock hides nothing.",
        Reading::Smaller => " The steps of this clock are too coarse to see a single addition.",
        Reading::TooNoisy => "",
    };
    format!("{}{meaning}", ratio.took(EACH, TOGETHER))
}

// %% nbgrader={"grade": false, "grade_id": "setup-analyze-noise", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: show how much the time of the very same work varies.
/// Measured: 200 runs of one sum of a million numbers: smallest, quartiles, median, mean and largest time.
/// Key insight: noise makes runs slower, never faster than the work allows. An outlier moves the mean, and
/// hardly the median.
/// Production context: serving systems promise quantiles (p50, p99) for the same reason.
pub fn analyze_noise(out: &mut Reporter) {
    let numbers: Vec<u64> = (0..1_000_000).collect();
    let work = || numbers.iter().fold(0_u64, |sum, &n| sum.wrapping_add(n));
    let seconds: Vec<f64> = (0..200).map(|_| time_once(work).1).collect();
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    let largest = quantile(&seconds, 1.0);
    let middle = median(&seconds);

    let figures = [
        ("smallest", quantile(&seconds, 0.0)),
        ("first quartile", quantile(&seconds, 0.25)),
        ("median", middle),
        ("third quartile", quantile(&seconds, 0.75)),
        ("mean", mean),
        ("largest", largest),
    ];
    let rows = figures.map(|(name, value)| -> Vec<Value> {
        vec![name.into(), value.into(), (value / middle).into()]
    });
    let columns = [("figure", ""), ("time", "s"), ("of the median", "x")];
    out.measured_table("200 runs of the same work", &columns, rows.to_vec());
    let runs = seconds.iter().enumerate().map(|(run, &time)| (run as f64 + 1.0, time));
    out.chart(Chart {
        title: "Every run".into(),
        kind: ChartKind::Scatter,
        x: Axis::linear("run", ""),
        y: Axis::linear("time", "s"),
        series: vec![Series::new("one run", runs)],
        origin: Origin::Measured,
    });
    out.measured("largest against median", largest / middle, "x");
    out.measured("mean against median", mean / middle, "x");
    out.insight(noise_insight(largest / middle));
}

/// What the slowest of 200 runs allows one to say, against their median.
pub fn noise_insight(ratio: f64) -> String {
    let meaning = match ratio {
        r if r > 1.05 => "A single measurement could have been that one.",
        _ => {
            "The machine was quiet: a single measurement would have been enough, but nothing says so beforehand."
        }
    };
    format!("The slowest of 200 equal runs took {ratio:.2} times the median. {meaning}")
}

// %% nbgrader={"grade": true, "grade_id": "test-setup-module", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Everything together: a series of timings and its statistics.
#[test]
fn test_module() {
    use tinytorch::testing::expect_eq;

    let seconds: Vec<f64> = (0..21).map(|n| time_once(|| (0..n * 100).sum::<u64>()).1).collect();
    let [low, high] = [0.25, 0.75].map(|q| quantile(&seconds, q));
    let middle = median(&seconds);
    assert!(
        low <= middle && middle <= high,
        "first quartile {low}, median {middle}, third quartile {high}: they must be in this order"
    );
    let least = quantile(&seconds, 0.0);
    assert!(least >= 0.0, "the smallest time is {least}: time does not run backwards");
    let idea = "q = 0.5 is the median, for an odd count too";
    expect_eq("21 timings", quantile(&seconds, 0.5), middle, idea);

    let machine = MachineInfo::here();
    assert!(machine.cores >= 1, "a machine has at least one core, not {}", machine.cores);
    let report = format!("{} {} cores, {}", greeting("you"), machine.cores, machine.arch);
    assert!(report.starts_with("Hello, you!"), "a report begins with the greeting: {report}");
}

// %% nbgrader={"grade": false, "grade_id": "setup-rustc", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The compiler's version, as in `rustc 1.90.0 (1159e78c4 2025-09-14)`; `None` when no `rustc` can be run
/// from here.
pub fn rustc_version() -> Option<String> {
    let output = std::process::Command::new("rustc").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !version.is_empty()).then_some(version)
}

// %% nbgrader={"grade": false, "grade_id": "setup-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs every analysis of this module.
pub fn main() {
    let out = &mut Reporter::stdout();
    analyze_timer_resolution(out);
    analyze_noise(out);
}

// %% nbgrader={"grade": false, "grade_id": "setup-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
