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

// %% nbgrader={"grade": false, "grade_id": "profiling-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 14 Profiling: where time and memory go. Input: work, or a tensor with its history. Output: times, bytes and
//! operations, layer by layer, and how far they are from what this machine can do. Depends on 00 to 13. By hand: a
//! product of `(2, 3)` and `(3, 4)` has `2 x 3 x 4 = 24` multiplications and 24 additions: 48 FLOPs.
//! Not here: making anything faster (15 to 18), and deciding whether a difference is real (19).

use std::collections::BTreeSet;
use std::hint::black_box;
use std::ops::AddAssign;
use std::time::Instant;
use tinytorch::activations::{Gelu, ReLU};
use tinytorch::attention::{causal_mask, masked_softmax};
use tinytorch::autograd::{Backward, no_grad, track};
use tinytorch::counters::{Count, count};
use tinytorch::embeddings::{ids_tensor, tied_logits};
use tinytorch::explore::Explorer;
use tinytorch::insights::profiling::{NEAR_THE_ROOF, backward_insight, batch_insight};
use tinytorch::insights::profiling::{first_run_insight, hot_spot_insight, parts_insight};
use tinytorch::insights::profiling::{
    refused_note, roof_insight, roofline_insight, stream_insight,
};
use tinytorch::insights::profiling::{tail_insight, tracing_insight};
use tinytorch::layers::{Layer, Sequential};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::optimizers::{AdamW, Optimizer};
use tinytorch::probe::{Stream, largest_cache, multiply_add_rate};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Origin, Point, Reporter, Series, Value, columns};
use tinytorch::setup::{median, quantile};
use tinytorch::simd::Simd;
use tinytorch::spatial::{Conv2d, Window, cnn_for_digits};
use tinytorch::tensor::{Op, Tensor};
use tinytorch::testing::{MemoryUse, compare, memory};
use tinytorch::tokenization::Id;
use tinytorch::trace::{Span, Tracer};
use tinytorch::transformers::{Gpt, GptConfig, LayerNorm, TransformerBlock};

// %% [markdown] nbgrader={"grade": false, "grade_id": "profiling-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Profiling
//
// You build: a timer that knows its own cost, a profiler of memory, a counter of operations and bytes, a profile of any
// model layer by layer, the bound that Amdahl's law sets, and the roofline of your machine.

// %% nbgrader={"grade": false, "grade_id": "profiling-timer-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The times of several runs of the same work, in seconds. What lies between two times is interpolated linearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// How many runs were timed. With fewer than 100, p99 is interpolated between the two slowest.
    pub runs: usize,
    /// First quartile.
    pub low: f64,
    /// Half of the runs were faster.
    pub median: f64,
    /// Third quartile.
    pub high: f64,
    /// 95 % of the runs were faster.
    pub p95: f64,
    /// 99 % of the runs were faster.
    pub p99: f64,
}

/// Times work, and takes off what reading its clock costs.
pub struct Timer {
    clock: Box<dyn FnMut() -> f64>,
    /// What a timing of nothing shows, in seconds.
    pub cost: f64,
    /// Runs that are not timed, before those that are.
    pub warmup: usize,
    /// Runs that are timed: at least one is, whatever is set here.
    pub runs: usize,
}

// %% nbgrader={"grade": false, "grade_id": "profiling-latency", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Latency {
    /// What these times, of at least one run, say together.
    ///
    /// TODO: the quartiles, the median, p95 and p99.
    ///
    /// APPROACH:
    /// 1. `quantile(seconds, q)` of lesson 00 interpolates: q is 0.25 for the first quartile, and so on.
    /// 2. `runs` is how many times there are.
    ///
    /// EXAMPLE: the times 0, 1, ..., 100 have the median 50, the quartiles 25 and 75, p95 = 95 and p99 = 99.
    ///
    /// HINTS: `[a, b].map(|q| ...)` makes an array of results, which a `let [x, y] = ...` takes apart.
    pub fn of(seconds: &[f64]) -> Self {
        // BEGIN SOLUTION
        let [low, median, high, p95, p99] =
            [0.25, 0.5, 0.75, 0.95, 0.99].map(|q| quantile(seconds, q));
        Self { runs: seconds.len(), low, median, high, p95, p99 }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-latency", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A hundred and one times in any order, one run, few runs, one slow run.
#[test]
fn test_unit_latency() {
    use tinytorch::testing::{expect_close, expect_eq, expect_return};

    let check = |input: &str, seconds: &[f64], wanted: [f32; 5], idea: &str| {
        let it = expect_return(input, || Latency::of(seconds), idea);
        let yours = [it.low, it.median, it.high, it.p95, it.p99].map(|x| x as f32);
        let input = format!("{input}: low, median, high, p95, p99");
        expect_close(input, &yours, &wanted, 1e-4, idea);
        expect_eq("runs", it.runs, seconds.len(), "one run for each time");
    };
    let mut mixed: Vec<f64> = (0..101).map(|n| f64::from(n * 37 % 101)).collect();
    let wanted = [25.0, 50.0, 75.0, 95.0, 99.0];
    let idea = "low and high are the quartiles, p95 and p99 the quantiles 0.95 and 0.99";
    check("0 to 100 in any order", &mixed, wanted, idea);
    mixed.iter_mut().filter(|time| **time == 100.0).for_each(|time| *time = 1e5);
    let idea = "the median, not the mean: one slow run must not move it";
    check("0 to 99 and 100,000", &mixed, wanted, idea);
    check("3", &[3.0], [3.0; 5], "one run is enough for all of them");
    let idea = "few runs: interpolate linearly between neighbours, as quantile does";
    let few = [1.0, 2.0, 4.0, 8.0, 16.0];
    check("1, 2, 4, 8, 16", &few, [2.0, 4.0, 8.0, 14.4, 15.68], idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-own-cost", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What a timing of nothing shows on this clock, in seconds: the median of 101 pairs of readings, one right after the
/// other.
///
/// TODO: read the clock twice, many times over.
///
/// APPROACH:
/// 1. A pair is two readings of its own, 202 in all; what counts is the difference of the second to the first.
/// 2. Collect the differences of 101 pairs, and take their median.
///
/// EXAMPLE: on a clock that takes 20 ns for a reading, nothing seems to take 20 ns.
///
/// HINTS: `clock()` reads it. The first reading may be slow, some are interrupted, and a coarse clock may not have moved:
/// none of these is typical.
pub fn own_cost(clock: &mut dyn FnMut() -> f64) -> f64 {
    // BEGIN SOLUTION
    let mut nothing = || {
        let start = clock();
        clock() - start
    };
    let pairs: Vec<f64> = (0..101).map(|_| nothing()).collect();
    median(&pairs)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-own-cost", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A simulated clock of 20 ns, whose first reading is slow, some are interrupted, and some do not move.
#[test]
fn test_unit_own_cost() {
    use tinytorch::testing::{expect_close, expect_eq};

    let (mut now, mut readings) = (0.0, 0);
    let cost = own_cost(&mut || {
        readings += 1;
        now += match readings {
            0..=2 => 5000.0,
            n if n % 10 == 0 => 900.0,
            n if n % 14 == 0 => 0.0,
            _ => 20.0,
        };
        now
    });
    let idea = "101 pairs of readings";
    expect_eq("readings of the clock", readings, 202, idea);
    let idea = "the median of the pairs: not the first, not the smallest, not the mean";
    expect_close("a clock that takes 20 ns for most readings", &[cost as f32], &[20.0], 1e-3, idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-timer", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Timer {
    /// The result of `work`, and how long one run of it took, without the cost of the clock.
    ///
    /// TODO: time one run.
    ///
    /// APPROACH:
    /// 1. Read the clock, do the work, pass its result through `black_box`, read the clock.
    /// 2. Take off `self.cost`. A time below 0 makes no sense: then it is 0.
    ///
    /// EXAMPLE: on a clock of 20 ns, work that takes 100 ns shows 120 ns: the answer is 100 ns.
    ///
    /// HINTS: `(self.clock)()` reads the clock. `f64` has `max`. No test can see whether `black_box` is there; without it
    /// an optimizer may leave out work whose result is not used.
    pub fn once<T>(&mut self, work: impl FnOnce() -> T) -> (T, f64) {
        // BEGIN SOLUTION
        let start = (self.clock)();
        let result = black_box(work());
        let seconds = (self.clock)() - start - self.cost;
        (result, seconds.max(0.0))
        // END SOLUTION
    }

    /// The times of `work`: first `warmup` runs that do not count, then `runs` that do, but at least one.
    ///
    /// TODO: warm up, then time each run.
    ///
    /// APPROACH:
    /// 1. Run the work `self.warmup` times.
    /// 2. Collect what [`Timer::once`] says of each of the other runs, and make a [`Latency`] of that.
    ///
    /// EXAMPLE: with a warm-up of 2 and 15 runs the work runs 17 times, and 15 times count.
    ///
    /// HINTS: lend the work to `once` as `&mut`: you need it again. `runs` may be 0: `max` helps here too.
    pub fn measure<T>(&mut self, mut work: impl FnMut() -> T) -> Latency {
        // BEGIN SOLUTION
        for _ in 0..self.warmup {
            black_box(work());
        }
        let seconds: Vec<f64> = (0..self.runs.max(1)).map(|_| self.once(&mut work).1).collect();
        Latency::of(&seconds)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-timer", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A simulated clock of 20 ns and work whose first run is slow, so that the test does not depend on the machine.
#[test]
fn test_unit_timer() {
    use std::cell::Cell;
    use std::rc::Rc;
    use tinytorch::testing::{expect_close, expect_eq, expect_return};

    let now = Rc::new(Cell::new(0.0));
    let clock = Rc::clone(&now);
    let mut timer = Timer::with_clock(move || {
        clock.set(clock.get() + 20.0);
        clock.get()
    });
    timer.cost = 20.0; // Whatever `own_cost` says.
    let passes = |time: f64| now.set(now.get() + time);
    let idea = "read the clock around the work, and take off the timer's own cost";
    let (answer, time) = timer.once(|| {
        passes(100.0);
        42
    });
    expect_close("work of 100 ns", &[time as f32], &[100.0], 1e-3, idea);
    expect_eq("work that returns 42", answer, 42, "return the result of the work");
    let (_, time) = timer.once(|| passes(-15.0));
    expect_eq("a run that seems shorter than nothing", time, 0.0, "no time is below 0");

    (timer.warmup, timer.runs) = (2, 5);
    let mut count = 0;
    let latency = timer.measure(|| {
        count += 1;
        passes(if count <= 2 { 9000.0 } else { 100.0 });
    });
    expect_eq("2 runs to warm up and 5 timed ones", count, 7, "the work runs warmup + runs times");
    expect_eq("timed runs of 5", latency.runs, 5, "what warms up does not count");
    let mut times = [1.0, 2.0, 3.0, 4.0, 90.0].into_iter().cycle();
    timer.warmup = 0;
    let apart = timer.measure(|| passes(times.next().unwrap_or(0.0)));
    let idea = "time each run by itself: the whole loop divided by its runs is a mean";
    let yours = [apart.median as f32, apart.high as f32];
    expect_close("runs of 1, 2, 3, 4 and 90: median, high", &yours, &[3.0, 4.0], 1e-2, idea);
    let yours = [latency.median as f32, latency.p99 as f32];
    let idea = "the first runs are slow: what warms up does not count";
    expect_close("runs of 9000, 9000, then 100: median, p99", &yours, &[100.0; 2], 1e-2, idea);
    timer.runs = 0;
    let idea = "few runs must not fail: at least one run is timed";
    let latency = expect_return("runs = 0", || timer.measure(|| passes(100.0)), idea);
    expect_eq("runs = 0", latency.runs, 1, idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-memory-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What named pieces of work did with memory. The counts are those of the allocator of [`tinytorch::testing`], which the
/// tutor installs in the program of every exercise; without it they are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryProfiler {
    /// Each piece of work, in order: its name and its memory, counted from what was in use when it began.
    pub regions: Vec<(String, Option<MemoryUse>)>,
}

// %% nbgrader={"grade": false, "grade_id": "profiling-memory", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl MemoryProfiler {
    /// Does `work`, and remembers what it did with memory under this name. Regions do not nest: the inner one would
    /// begin a new peak.
    ///
    /// TODO: count, remember, return.
    ///
    /// APPROACH: `memory(work)` of lesson 01's support returns the result and, if it can count, a [`MemoryUse`].
    ///
    /// EXAMPLE: a vector of 1,000 `f32` that is dropped again: a peak of 4,000 bytes, 0 kept, 1 allocation.
    ///
    /// HINTS: both `self.regions.push(...)` and the result are needed.
    pub fn measure<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        // BEGIN SOLUTION
        let (result, used) = memory(work);
        self.regions.push((name.to_owned(), used));
        result
        // END SOLUTION
    }

    /// The largest peak of a region; `None` if nothing was counted.
    ///
    /// TODO: find the largest.
    ///
    /// APPROACH: the peak of each region that has figures; of those, the largest.
    ///
    /// EXAMPLE: peaks of 100, 300 and 200 bytes: 300. A sum would be right only if nothing were ever released.
    ///
    /// HINTS: `filter_map`, then `max`.
    pub fn peak(&self) -> Option<usize> {
        // BEGIN SOLUTION
        self.regions.iter().filter_map(|(_, used)| Some((*used)?.peak)).max()
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-memory", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Real allocations where they are counted, the order of regions, the largest peak, no figures.
#[test]
fn test_unit_memory_profiler() {
    use tinytorch::testing::expect_eq;

    let mut profiler = MemoryProfiler::default();
    expect_eq("no regions", profiler.peak(), None, "nothing was counted, so there is no peak");
    let kept = profiler.measure("a vector that stays", || vec![1_u8; 30_000_000]);
    profiler.measure("one that does not", || drop(vec![1_u8; 50_000_000]));
    expect_eq("its length", kept.len(), 30_000_000, "return the result of the work");
    let names: Vec<&str> = profiler.regions.iter().map(|(name, _)| name.as_str()).collect();
    let wanted = vec!["a vector that stays", "one that does not"];
    expect_eq("two regions", names, wanted, "remember each by its name");
    if let (_, Some(_)) = memory(|| ()) {
        let idea = "memory(work) counts: what was in use at most, and what still is";
        // Other tests allocate and free at the same time, but not so much.
        let much = |bytes| bytes >= 20_000_000;
        let used = |(_, used): &(_, Option<MemoryUse>)| {
            used.map(|used| (much(used.peak), much(used.kept), used.allocations > 0))
        };
        let yours: Vec<_> = profiler.regions.iter().map(used).collect();
        let wanted = vec![Some((true, true, true)), Some((true, false, true))];
        expect_eq("20 MB or more at the peak, kept, any allocation", yours, wanted, idea);
    }
    let region = |peak| (String::new(), Some(MemoryUse { peak, kept: 0, allocations: 1 }));
    let regions = vec![region(100), region(300), (String::new(), None), region(200)];
    let idea = "the largest peak of a region, neither the last nor the sum";
    expect_eq("peaks of 100, 300, none, 200", MemoryProfiler { regions }.peak(), Some(300), idea);
    let regions = vec![(String::new(), None)];
    let idea = "a region without figures is not one of 0 bytes: there is no peak";
    expect_eq("one region without figures", MemoryProfiler { regions }.peak(), None, idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-flops-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Floating-point operations (FLOPs) by kind. A multiply-add counts as 2: one multiplication, one addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flops {
    /// Multiplications.
    pub multiply: u64,
    /// Additions and subtractions.
    pub add: u64,
    /// Everything else, one for each element: divisions, comparisons, exponentials and other functions.
    pub other: u64,
}

/// Adds up the operations and the bytes of tensor operations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlopCounter {
    /// The operations so far.
    pub flops: Flops,
    /// The bytes so far that the operations read and wrote.
    pub bytes: u64,
    /// Operations that the counter does not know: not guessed, but named.
    pub unknown: BTreeSet<&'static str>,
}

// %% nbgrader={"grade": false, "grade_id": "profiling-products", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The operations of a matrix product with a result of this shape, whose inner dimension is `inner`. Leading axes are a
/// batch.
///
/// TODO: count the multiply-adds.
///
/// APPROACH: each number of the result is a sum of `inner` products. It takes as many multiplications, and as many
/// additions, since a sum begins at 0.
///
/// EXAMPLE: `(2, 3) x (3, 4)`: a result of `(2, 4)`, `inner` is 3: 24 multiplications and 24 additions.
///
/// HINTS: `output.iter().product::<usize>()` is the number of elements. Counts are `u64`.
pub fn matmul_flops(output: &[usize], inner: usize) -> Flops {
    // BEGIN SOLUTION
    let pairs = (output.iter().product::<usize>() * inner) as u64;
    Flops { multiply: pairs, add: pairs, other: 0 }
    // END SOLUTION
}

/// The operations of a convolution without its bias: feature maps `(N, outputs, rows, columns)` made by kernels
/// `(outputs, inputs, kernel rows, kernel columns)`.
///
/// TODO: count the multiply-adds.
///
/// APPROACH: each number of the output is a sum of products, one for each weight of one kernel: stride and padding are
/// in the size of the output already.
///
/// EXAMPLE: an output of `(1, 8, 4, 4)` by kernels of `(8, 3, 3, 3)`: 128 numbers of 27 products each, 3,456.
///
/// HINTS: all axes of the kernels but the first. It has the form of [`matmul_flops`].
pub fn conv2d_flops(output: &[usize], kernels: &[usize]) -> Flops {
    // BEGIN SOLUTION
    matmul_flops(output, kernels[1..].iter().product())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-products", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, in batches, and a convolution with a stride.
#[test]
fn test_unit_products() {
    use tinytorch::testing::expect_eq;

    let pairs = |count| Flops { multiply: count, add: count, other: 0 };
    let idea = "inner products for each number of the result, and as many additions";
    expect_eq("(2, 3) x (3, 4)", matmul_flops(&[2, 4], 3), pairs(24), idea);
    let idea = "every matrix of the batch counts";
    expect_eq("(5, 8, 2, 3) x (3, 4)", matmul_flops(&[5, 8, 2, 4], 3), pairs(960), idea);
    let large = matmul_flops(&[100_000, 100_000], 100_000);
    expect_eq("100,000 cubed", large, pairs(10_u64.pow(15)), "more than 32 bits");

    let idea = "each output pixel needs all weights of one kernel: channels x rows x columns";
    let yours = conv2d_flops(&[1, 8, 4, 4], &[8, 3, 3, 3]);
    expect_eq("(1, 8, 4, 4) by (8, 3, 3, 3)", yours, pairs(3456), idea);
    let input = "2 images of 7x7, 5 kernels of 2x3, stride 2, padding 1: output (2, 5, 4, 4)";
    let yours = conv2d_flops(&[2, 5, 4, 4], &[5, 1, 2, 3]);
    let idea = "every image of the batch counts, and so do only the positions of the output";
    expect_eq(input, yours, pairs(2 * 5 * 16 * 6), idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-operation", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The floating-point operations of one tensor operation, which made `output` from `inputs`.
///
/// TODO: one arm for each kind of operation.
///
/// APPROACH:
/// 1. A matrix product: [`matmul_flops`]; its inner dimension is the last axis of the first input.
/// 2. `Add` and `Sub`: one addition for each number of the output. `Mul`: one multiplication. `Div`, `Neg` and `Map`, a
///    function of one element: one other operation.
/// 3. `Sum` adds up all its numbers: as many additions as it reads numbers, minus those that it leaves. `Max` compares
///    as often: other operations.
/// 4. A `Custom` operation of a later lesson: `custom_flops(name, inputs, output)` is given. Where it is `None`, the
///    operation is not known, and counts as nothing.
/// 5. Everything else (`Leaf`, `Reshape`, `Transpose`, `Slice`, `MaskedFill`, `IndexSelect`) moves numbers and computes none.
///
/// EXAMPLE: a sum of 12 numbers to 3 has 9 additions.
///
/// HINTS: `Flops { other: .., ..none }` leaves the rest at 0. The output counts, not the inputs: they may be broadcast.
/// As patterns, `Op::MatMul`, `Op::Sum` and the like stand alone; `Op::Map(_)` and `Op::Custom { name, .. }` hold something.
pub fn operation_flops(op: &Op, inputs: &[Tensor], output: &Tensor) -> Flops {
    let none = Flops::default();
    // BEGIN SOLUTION
    let made = output.numel() as u64;
    let left_out = || inputs[0].numel() as u64 - made;
    match op {
        Op::MatMul => matmul_flops(output.shape(), inputs[0].shape()[inputs[0].ndim() - 1]),
        Op::Add | Op::Sub => Flops { add: made, ..none },
        Op::Mul => Flops { multiply: made, ..none },
        Op::Div | Op::Neg | Op::Map(_) => Flops { other: made, ..none },
        Op::Sum => Flops { add: left_out(), ..none },
        Op::Max => Flops { other: left_out(), ..none },
        Op::Custom { name, .. } => custom_flops(name, inputs, output).unwrap_or(none),
        _ => none,
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-operation", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each kind of operation on tensors that record it; broadcasting; what only moves numbers.
#[test]
fn test_unit_operation_flops() {
    use tinytorch::activations::ReLU;
    use tinytorch::planes::Window;
    use tinytorch::random::Rng;
    use tinytorch::spatial::Conv2d;
    use tinytorch::testing::expect_eq;

    let check = |input: &str, y: Tensor, [multiply, add, other]: [u64; 3], idea: &str| {
        let made = y.history().expect("a recorded operation");
        let yours = operation_flops(made.op(), made.inputs(), &y);
        expect_eq(input, yours, Flops { multiply, add, other }, idea);
    };
    let x = Tensor::ones(&[4, 3]).tracked();
    let row = Tensor::ones(&[3]);
    let idea = "a product of matrices: its inner dimension is the last axis of the first input";
    check("(4, 3) x (3, 2)", x.matmul(&Tensor::ones(&[3, 2])), [24, 24, 0], idea);
    let batch = Tensor::ones(&[5, 4, 3]).tracked();
    check("(5, 4, 3) x (3, 2)", batch.matmul(&Tensor::ones(&[3, 2])), [120, 120, 0], idea);
    let pairs = batch.matmul(&Tensor::ones(&[5, 3, 2]));
    check("(5, 4, 3) x (5, 3, 2)", pairs, [120, 120, 0], idea);
    let idea = "one addition for each number of the output, which may be broadcast";
    check("(4, 3) + (3)", &x + &row, [0, 12, 0], idea);
    check("(3) - (4, 3)", &row - &x, [0, 12, 0], idea);
    check("(4, 3) x 2", &x * 2.0, [12, 0, 0], "one multiplication for each number of the output");
    let idea = "a division, a sign or a function of one element is one other operation";
    check("(4, 3) / (3)", &x / &row, [0, 0, 12], idea);
    check("-(4, 3)", -&x, [0, 0, 12], idea);
    check("ReLU of (4, 3)", x.map(&ReLU), [0, 0, 12], idea);
    let idea = "a sum of n numbers has n - 1 additions, a maximum as many comparisons";
    check("the sum of 12", x.sum(), [0, 11, 0], idea);
    check("the largest of 12", x.max(), [0, 0, 11], idea);
    let idea = "each addition or comparison leaves one number fewer: from 12 to 3 there are 9";
    check("(4, 3), sums of the columns", x.sum_axis(0, true), [0, 9, 0], idea);
    check("(4, 3), the largest of each column", x.max_axis(0, true), [0, 0, 9], idea);
    let idea = "what only moves numbers computes none";
    check("(4, 3) transposed", x.t(), [0, 0, 0], idea);
    check("rows 1 and 1", x.index_select(0, &[1, 1]), [0, 0, 0], idea);
    let conv = Conv2d::new(1, 2, Window::new(3), &mut Rng::seeded(1));
    let y = conv.forward(&Tensor::ones(&[1, 1, 4, 4]).tracked());
    let idea = "ask custom_flops for operations of later lessons";
    check("a convolution to (1, 2, 2, 2)", y, [72, 80, 0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The bytes that one tensor operation must move if nothing is still in a cache: it reads each input once and writes its
/// output once.
///
/// TODO: add up the sizes.
///
/// APPROACH:
/// 1. `Reshape`, `Transpose` and `Slice` are views of the same numbers, and a `Leaf` is not computed: 0 bytes.
/// 2. A lookup, `IndexSelect` or the `Custom` operation `"embedding"`, reads only the rows that it finds: it reads as
///    many bytes as it writes.
/// 3. Everything else: all inputs, at their own sizes, and the output.
///
/// EXAMPLE: `(4, 3) + (3)`: it reads 48 and 12 bytes and writes 48: 108.
///
/// HINTS: a tensor has `nbytes`. `Op::Custom { name: "embedding", .. }`, `Op::Transpose(..)`, `Op::Slice(_)` and
/// `Op::IndexSelect(..)` are patterns.
pub fn operation_bytes(op: &Op, inputs: &[Tensor], output: &Tensor) -> u64 {
    // BEGIN SOLUTION
    let bytes = match op {
        Op::Leaf | Op::Reshape | Op::Transpose(..) | Op::Slice(_) => 0,
        Op::IndexSelect(..) | Op::Custom { name: "embedding", .. } => 2 * output.nbytes(),
        _ => inputs.iter().map(Tensor::nbytes).sum::<usize>() + output.nbytes(),
    };
    bytes as u64
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-bytes", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand: a sum, a broadcast operand, a product, views, and lookups in a table.
#[test]
fn test_unit_operation_bytes() {
    use tinytorch::embeddings::{Embedding, ids_tensor};
    use tinytorch::planes::Window;
    use tinytorch::random::Rng;
    use tinytorch::spatial::Conv2d;
    use tinytorch::testing::expect_eq;

    let check = |input: &str, y: Tensor, wanted: u64, idea: &str| {
        let made = y.history().expect("a recorded operation");
        expect_eq(input, operation_bytes(made.op(), made.inputs(), &y), wanted, idea);
    };
    let x = Tensor::ones(&[4, 3]).tracked();
    let idea = "4 bytes for each number: every input is read, the output is written";
    check("(4, 3) + (4, 3)", &x + &x, 144, idea);
    let small = "a broadcast operand is read at its own size";
    check("(4, 3) + (3)", &x + Tensor::ones(&[3]), 108, small);
    check("(4, 3) x (3, 2)", x.matmul(&Tensor::ones(&[3, 2])), 48 + 24 + 32, idea);
    let idea = "a view moves nothing";
    check("(4, 3) as (3, 4)", x.reshape(&[3, 4]), 0, idea);
    check("(4, 3) transposed", x.t(), 0, idea);
    check("a part of (4, 3)", x.slice(&[1..2, 0..3]), 0, idea);
    check("a leaf (4, 3)", x.clone(), 0, "a leaf is not computed: 0 bytes");
    let conv = Conv2d::new(1, 2, Window::new(3), &mut Rng::seeded(1));
    let y = conv.forward(&Tensor::ones(&[1, 1, 4, 4]).tracked());
    let idea = "only \"embedding\" is a lookup: other operations of later lessons read all of their inputs";
    check("a convolution of (1, 1, 4, 4) to (1, 2, 2, 2)", y, 64 + 72 + 8 + 32, idea);
    let idea = "a lookup reads the rows that it finds, not the whole table";
    check("2 rows of (4, 3)", x.index_select(0, &[1, 1]), 48, idea);
    let mut table = Embedding::new(1000, 8, &mut Rng::seeded(1));
    table.weight = table.weight.tracked();
    check("3 rows of (1000, 8)", table.forward(&ids_tensor(&[5, 5, 6], &[3])), 192, idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl FlopCounter {
    /// What all operations behind a tracked `result` cost, back to the leaves. Each operation counts once.
    ///
    /// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. A stack of 12 residual
    /// layers seems to have thousands of them.
    ///
    /// ```text
    /// let mut counter = Self::default();
    /// let mut waiting = vec![result.clone()];
    /// while let Some(tensor) = waiting.pop() {
    ///     let Some(history) = tensor.history() else { continue };
    ///     counter.add(history.op(), history.inputs(), &tensor);
    ///     waiting.extend_from_slice(history.inputs());
    /// }
    /// counter
    /// ```
    ///
    /// APPROACH:
    /// 1. Follow `h + relu(h)` by hand: how often is the operation that made `h` counted?
    /// 2. Remember which histories were seen.
    ///
    /// EXAMPLE: for `h = x * 2` with 10 numbers, `h + relu(h)` has 10 multiplications, not 20.
    ///
    /// HINTS: a history has an `id`; clones of a tensor share it. `BTreeSet::insert` returns whether the value is new.
    pub fn of(result: &Tensor) -> Self {
        // BEGIN SOLUTION
        let (mut counter, mut seen) = (Self::default(), BTreeSet::new());
        let mut waiting = vec![result.clone()];
        while let Some(tensor) = waiting.pop() {
            let Some(history) = tensor.history().filter(|history| seen.insert(history.id())) else {
                continue;
            };
            counter.add(history.op(), history.inputs(), &tensor);
            waiting.extend_from_slice(history.inputs());
        }
        counter
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-debug", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The whole of a perceptron, a diamond, a stack of residuals, a tensor without a history.
#[test]
fn test_unit_counter() {
    use tinytorch::activations::ReLU;
    use tinytorch::layers::multilayer_perceptron;
    use tinytorch::random::Rng;
    use tinytorch::testing::expect_eq;

    let idea = "every operation behind the result counts: products, biases, activations";
    let net = multilayer_perceptron(&[64, 32, 10], &mut Rng::seeded(1));
    let flops = FlopCounter::of(&net.forward(&Tensor::ones(&[5, 64]).tracked())).flops;
    let pairs = 5 * (64 * 32 + 32 * 10);
    let wanted = Flops { multiply: pairs, add: pairs + 5 * 42, other: 5 * 32 };
    expect_eq("64-32-10, a batch of 5", flops, wanted, idea);
    let idea = "follow every input, and count an operation once, however often its result is used";
    let x = Tensor::ones(&[10]).tracked();
    let h = &x * 2.0;
    let flops = FlopCounter::of(&(&h + h.map(&ReLU))).flops;
    let wanted = Flops { multiply: 10, add: 10, other: 10 };
    expect_eq("h + relu(h), h = 2 x, 10 numbers", flops, wanted, idea);
    let flops = FlopCounter::of(&(h.map(&ReLU) + &h)).flops;
    let again =
        "a tensor may come back after it was counted: remember what was seen, not what waits";
    expect_eq("relu(h) + h, h = 2 x, 10 numbers", flops, wanted, again);
    let stack = (0..14).fold(x, |h, _| &h + (&h * 0.5));
    let wanted = Flops { multiply: 140, add: 140, other: 0 };
    expect_eq("14 residuals", FlopCounter::of(&stack).flops, wanted, idea);
    let idea = "nothing is counted behind a tensor without a history";
    expect_eq("a plain tensor", FlopCounter::of(&Tensor::ones(&[3])), FlopCounter::default(), idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-layer-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What one layer costs on one input.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerProfile {
    /// Its name.
    pub name: String,
    /// The shape of its output.
    pub output_shape: Vec<usize>,
    /// How many parameters it has.
    pub parameters: usize,
    /// The operations of its forward pass, of the whole batch. A multiply-add is 2.
    pub flops: u64,
    /// The bytes that its operations read and write.
    pub bytes: u64,
    /// The time of a forward pass: the median, in seconds.
    pub seconds: f64,
}

/// Profiles a model layer by layer.
#[derive(Default)]
pub struct Profiler {
    /// What times each layer.
    pub timer: Timer,
    /// The memory of each layer.
    pub memory: MemoryProfiler,
    /// What was profiled so far, in order.
    pub layers: Vec<LayerProfile>,
    /// Operations whose cost is not known.
    pub unknown: BTreeSet<&'static str>,
}

// %% nbgrader={"grade": false, "grade_id": "profiling-layer", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Profiler {
    /// Profiles a layer on `x`, and returns its output without a history.
    ///
    /// TODO: run the layer three ways, and put what you learn into `self.layers`.
    ///
    /// APPROACH:
    /// 1. Once recorded, for the counts: `forward` of `x.detach().tracked()`, whose history begins at this layer.
    ///    [`FlopCounter::of`] reads it.
    /// 2. Timed without a history, which is what inference costs: `self.timer.measure` inside `no_grad`.
    /// 3. Once for `self.memory`, without a history too.
    ///    There is no other run of `forward`: this one's output has the shape, too.
    /// 4. Push a [`LayerProfile`], with the median as the time. Add what the counter does not know to `self.unknown`.
    ///
    /// EXAMPLE: `profiler.layer("double", 0, &x, |x| x * 2.0)` on `(4, 3)`: 12 operations, 100 bytes.
    ///
    /// HINTS: `no_grad(|| ...)` returns what its closure returns. The output of the memory run is the result.
    pub fn layer(
        &mut self,
        name: &str,
        parameters: usize,
        x: &Tensor,
        forward: impl Fn(&Tensor) -> Tensor,
    ) -> Tensor {
        // BEGIN SOLUTION
        let counter = FlopCounter::of(&forward(&x.detach().tracked()));
        let (latency, output) = no_grad(|| {
            let latency = self.timer.measure(|| forward(x));
            (latency, self.memory.measure(name, || forward(x)))
        });
        self.unknown.extend(counter.unknown);
        self.layers.push(LayerProfile {
            name: name.to_owned(),
            output_shape: output.shape().to_vec(),
            parameters,
            flops: counter.flops.total(),
            bytes: counter.bytes,
            seconds: latency.median,
        });
        output.detach()
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-layer", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One layer alone on a simulated clock: its output, its counts, its time, what is recorded; unknown operations.
#[test]
fn test_unit_profile_layer() {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use tinytorch::autograd::{GradientRule, InputGradients, custom};
    use tinytorch::testing::{expect_close, expect_eq, expect_return};

    let now = Rc::new(Cell::new(0.0));
    let clock = Rc::clone(&now);
    let mut profiler =
        Profiler { timer: Timer::with_clock(move || clock.get()), ..Profiler::default() };
    (profiler.timer.warmup, profiler.timer.runs) = (2, 3);
    let recorded = RefCell::new(vec![]);
    let (x, weight) = (Tensor::ones(&[4, 3]).tracked() * 5.0, Tensor::scalar(2.0).tracked());
    let forward = |x: &Tensor| {
        let y = x.reshape(&[12]) * &weight;
        recorded.borrow_mut().push(y.is_tracked());
        now.set(
            now.get() + [9.0, 9.0, 9.0, 1.0, 2.0, 6.0, 9.0][recorded.borrow().len().min(7) - 1],
        );
        y
    };
    let alone = "count this layer alone: the history begins at a detached, tracked input";
    let y = expect_return("a computed x", || profiler.layer("flat", 7, &x, forward), alone);
    expect_close("twice 5", &y.to_vec(), &[10.0; 12], 0.0, "return the output of the layer");
    expect_eq("its history", y.is_tracked(), false, "the output begins the next layer: detach it");
    let it = &profiler.layers[0];
    let named = (it.name.as_str(), it.parameters);
    expect_eq("name and parameters", named, ("flat", 7), "as they were given");
    expect_eq("the shape of the output", &it.output_shape[..], &[12], "the shape of the output");
    expect_eq("2 x (12): operations, bytes", (it.flops, it.bytes), (12, 100), alone);
    let idea = "time and memory without a history; only the count needs one";
    let history = recorded.borrow().iter().filter(|tracked| **tracked).count();
    expect_eq("runs of the layer that were recorded", history, 1, idea);
    let runs = recorded.borrow().len();
    expect_eq("runs: counted, warm-up 2, timed 3, memory", runs, 7, "warm up, and time every run");
    expect_eq("timed runs of 1, 2 and 6 s", it.seconds, 2.0, "the median of the timed runs");
    let named = profiler.memory.regions.iter().map(|(name, _)| name.as_str());
    expect_eq("regions of memory", named.collect::<Vec<_>>(), vec!["flat"], "measure its memory");

    struct Nothing;
    impl GradientRule for Nothing {
        fn gradients(&self, _: &Tensor, _: &[Tensor], _: &Tensor) -> InputGradients {
            vec![None]
        }
    }
    profiler.layer("odd", 0, &x, |x| custom("cube_root", x.array().clone(), &[x], Nothing));
    let unknown: Vec<_> = profiler.unknown.iter().copied().collect();
    let idea = "name what the counter does not know";
    expect_eq("an operation of your own", unknown, vec!["cube_root"], idea);
    profiler.layer("known", 0, &x, |x| x * 2.0 + 1.0);
    let idea = "all kinds of operations, by `total()`: multiplications and additions";
    expect_eq("2 x + 1 of (4, 3): operations", profiler.layers[2].flops, 24, idea);
    let idea = "the next layer adds to `unknown`, and does not replace it";
    expect_eq("unknown, after a known layer", profiler.unknown.len(), 1, idea);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-self-time", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The time of each span without the spans inside it, in the same order: its self time.
///
/// TODO: take from each span what its direct children took.
///
/// APPROACH:
/// 1. Spans are in the order in which they began. The children of a span follow it, one level deeper, until a span comes
///    that is no deeper than it.
/// 2. Only direct children count: what is inside of them is part of their time already.
///
/// EXAMPLE: a step of 10 s with a forward pass of 3 s, in which a layer takes 2 s, and a backward pass of 6 s: self times
/// of 1, 1, 2 and 6 s. Together they are the 10 s of the step.
///
/// HINTS: `spans[at + 1..].iter().take_while(..)`, then `filter`, then a sum of `seconds`.
pub fn self_times(spans: &[Span]) -> Vec<f64> {
    // BEGIN SOLUTION
    let own = |(at, span): (usize, &Span)| {
        let inside = spans[at + 1..].iter().take_while(|other| other.depth > span.depth);
        let children = inside.filter(|other| other.depth == span.depth + 1);
        span.seconds - children.map(|child| child.seconds).sum::<f64>()
    };
    spans.iter().enumerate().map(own).collect()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-self-time", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A step with nested spans by hand; two steps; the self times add up to the whole.
#[test]
fn test_unit_self_times() {
    use tinytorch::testing::expect_close;

    let times = |spans: &[(usize, f64)]| -> Vec<f32> {
        let span = |&(depth, seconds): &(usize, f64)| Span {
            name: format!("depth {depth}"),
            depth,
            start: 0.0,
            seconds,
        };
        let spans: Vec<Span> = spans.iter().map(span).collect();
        self_times(&spans).into_iter().map(|time| time as f32).collect()
    };
    let input = |spans: &[(usize, f64)]| format!("(depth, seconds): {spans:?}");
    let check = |spans: &[(usize, f64)], wanted: &[f32], idea: &str| {
        expect_close(input(spans), &times(spans), wanted, 1e-5, idea);
    };
    check(&[(0, 4.0)], &[4.0], "a span with nothing inside: its whole time");
    let idea =
        "take off the direct children alone: what is inside of them is in their time already";
    check(&[(0, 10.0), (1, 3.0), (2, 2.0), (1, 6.0)], &[1.0, 1.0, 2.0, 6.0], idea);
    let idea = "the children end where a span comes that is no deeper";
    check(&[(0, 5.0), (1, 4.0), (0, 5.0), (1, 1.0)], &[1.0, 4.0, 4.0, 1.0], idea);
    check(&[(1, 5.0), (0, 8.0), (1, 2.0)], &[5.0, 6.0, 2.0], idea);
    check(&[], &[], "no spans, no times");
}

// %% nbgrader={"grade": false, "grade_id": "profiling-amdahl", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many times as fast a program becomes when a part of it, with this `share` of the time, becomes `speedup` times as
/// fast (Amdahl, 1967). A speedup of infinity gives the bound: what the program can gain from that part at most.
///
/// TODO: the old time divided by the new one.
///
/// APPROACH:
/// 1. Let the old time be 1. The other parts take `1 - share`, as before.
/// 2. The part takes its share, divided by the speedup.
///
/// EXAMPLE: a part with half of the time, 10 times as fast: `1 / (0.5 + 0.05)`, 1.82 times. Its bound is 2.
///
/// HINTS: a finite number divided by infinity is 0 in `f64`: the bound needs no case of its own.
pub fn amdahl(share: f64, speedup: f64) -> f64 {
    assert!((0.0..=1.0).contains(&share), "amdahl: a share of {share} is not between 0 and 1");
    assert!(speedup > 0.0, "amdahl: a speedup of {speedup} is not above 0");
    // BEGIN SOLUTION
    1.0 / (1.0 - share + share / speedup)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-amdahl", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, nothing changed, everything changed, the bound, a part that becomes slower.
#[test]
fn test_unit_amdahl() {
    use tinytorch::testing::{expect_close, expect_named, panic_message};

    for (share, speedup, wanted, idea) in [
        (0.8, 4.0, 2.5, "1 / (what stays + what becomes faster)"),
        (0.9, 1.0, 1.0, "a speedup of 1 changes nothing"),
        (1.0, 7.0, 7.0, "a program that is all one part gains all of it"),
        (0.0, 7.0, 1.0, "a part without a share gains nothing"),
        (0.95, f64::INFINITY, 20.0, "the bound: the other parts remain"),
        (0.5, 0.5, 0.666_667, "a part that becomes slower makes the program slower"),
    ] {
        let yours = amdahl(share, speedup) as f32;
        expect_close(format!("share {share}, speedup {speedup}"), &[yours], &[wanted], 1e-4, idea);
    }
    let message = panic_message(|| amdahl(30.0, 2.0));
    expect_named(&message, &["share", "30"], "the given checks stay first");
}

// %% nbgrader={"grade": false, "grade_id": "profiling-machine-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What one core of a machine can do at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Operations per second on numbers that are in registers, FLOP/s.
    pub peak_flops: f64,
    /// Bytes per second between memory and core.
    pub bandwidth: f64,
}

/// What keeps an operation from being faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The processor cannot compute faster.
    Compute,
    /// Memory cannot deliver faster.
    Memory,
}

// %% nbgrader={"grade": false, "grade_id": "profiling-roofline", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Machine {
    /// The most operations per second at an arithmetic intensity, in operations per byte: the roof (Williams et al.,
    /// 2009).
    ///
    /// TODO: the lower of two limits.
    ///
    /// APPROACH:
    /// 1. Memory delivers `bandwidth` bytes per second, and with each byte come `intensity` operations.
    /// 2. The processor does not exceed its peak.
    ///
    /// EXAMPLE: a peak of 100 FLOP/s and 10 B/s: an intensity of 2 allows 20 FLOP/s, and one of 50 allows 100.
    ///
    /// HINTS: `f64` has `min`.
    pub fn attainable(&self, intensity: f64) -> f64 {
        // BEGIN SOLUTION
        (intensity * self.bandwidth).min(self.peak_flops)
        // END SOLUTION
    }

    /// The intensity at which both limits meet: the ridge point.
    ///
    /// TODO: find where memory delivers just enough.
    ///
    /// APPROACH: `ridge * bandwidth = peak_flops`.
    ///
    /// EXAMPLE: 100 FLOP/s and 10 B/s: 10 operations per byte.
    ///
    /// HINTS: one division.
    pub fn ridge_point(&self) -> f64 {
        // BEGIN SOLUTION
        self.peak_flops / self.bandwidth
        // END SOLUTION
    }

    /// Which of the two limits an operation of this intensity meets.
    ///
    /// TODO: compare with the ridge point. On the ridge point itself, the peak is reached.
    ///
    /// APPROACH: to the left of it memory is the limit.
    ///
    /// EXAMPLE: with a ridge point of 10, an intensity of 2 is memory-bound.
    ///
    /// HINTS: an `if`.
    pub fn bound(&self, intensity: f64) -> Bound {
        // BEGIN SOLUTION
        if intensity < self.ridge_point() { Bound::Memory } else { Bound::Compute }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-roofline", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both sides of the ridge point and the point itself, on made-up machines.
#[test]
fn test_unit_roofline() {
    use tinytorch::testing::{expect_close, expect_eq};

    let machine = Machine { peak_flops: 100.0, bandwidth: 10.0 };
    let idea = "peak divided by bandwidth, in operations per byte";
    let ridges = [machine, Machine { bandwidth: 400.0, ..machine }].map(|m| m.ridge_point() as f32);
    expect_close("100 FLOP/s with 10 and 400 B/s", &ridges, &[10.0, 0.25], 1e-4, idea);
    let input = |intensity| format!("100 FLOP/s, 10 B/s, {intensity} FLOP/B");
    let lower = "the lower of intensity x bandwidth and the peak";
    for (intensity, roof, bound, idea) in [
        (2.0, 20.0, Bound::Memory, "left of the ridge point, memory delivers too little"),
        (50.0, 100.0, Bound::Compute, "right of it, the processor is the limit"),
        (10.0, 100.0, Bound::Compute, "on the ridge point the peak is reached"),
        (0.0, 0.0, Bound::Memory, "what computes nothing has no operations per second"),
    ] {
        let yours = [machine.attainable(intensity) as f32];
        expect_close(input(intensity), &yours, &[roof], 1e-4, lower);
        expect_eq(input(intensity), machine.bound(intensity), bound, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "profiling-analyze-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Where does the time of a model go?
///
/// Purpose: find the hot spot of the CNN of lesson 09 and of a GPT as in lesson 13. Measured: time, memory, operations
/// and bytes of each layer (batches of 32 images and of 8 sequences of 32 tokens, untrained: that changes no time); a
/// training step as a timeline; forward and backward in turn. Key insight: time is not spread as the operations are, and
/// the share of a part bounds what it can save. Production context: nothing is optimized before it was profiled.
pub fn analyze_layers(out: &mut Reporter) {
    if cfg!(debug_assertions) {
        out.note("This program is not optimized: what it measures says little about one that is.");
    }
    let rng = &mut Rng::seeded(1);
    let mut profiler = Profiler::default();
    profiler.sequential(&cnn_for_digits(rng), &Tensor::rand(&[32, 1, 8, 8], rng));
    profiler.report("The CNN, 32 images", out);
    let share = hot_spot(&profiler, "the CNN", out);
    out.measured("share of the CNN's hot spot", 100.0 * share, "%");

    let mut model = small_gpt(rng);
    let ids: Vec<Id> = (0..8 * 32).map(|_| rng.below(512) as Id).collect();
    let ids = ids_tensor(&ids, &[8, 32]);
    let mut profiler = Profiler::default();
    profiler.gpt(&model, &ids);
    profiler.report("The GPT, 8 sequences of 32 tokens", out);
    let share = hot_spot(&profiler, "the GPT", out);
    out.measured("share of the GPT's hot spot", 100.0 * share, "%");

    track(model.parameters_mut());
    let target = ids.reshape(&[8 * 32]);
    let mut optimizer = AdamW::new(1e-3);
    let steps = (0..5).map(|_| training_step(&mut model, &mut optimizer, &ids, &target));
    let fastest = steps.min_by(|a, b| a[0].seconds.total_cmp(&b[0].seconds));
    let spans = fastest.unwrap_or_default();
    let own = self_times(&spans);
    let outer = spans.iter().zip(own).filter(|(span, _)| span.depth < 2);
    let row = |(span, own): (&Span, f64)| -> Vec<Value> {
        vec![span.name.clone().into(), span.seconds.into(), own.into()]
    };
    let columns = [("span", ""), ("time", "s"), ("self time", "s")];
    out.measured_table("The step's self times", &columns, outer.map(row).collect());
    if let Some(forward) = spans.iter().find(|span| span.name == "forward") {
        out.insight(parts_insight(profiler.seconds(), forward.seconds));
    }
    out.trace("A training step of the GPT, the fastest of 5", spans);

    let loss = || CrossEntropyLoss.forward(&Layer::forward(&model, &ids), &target);
    let compared = compare(15, || loss().backward(), loss);
    out.compared("Timed in turn", &[("forward and backward", "forward alone", compared)]);
    out.insight(backward_insight(compared.ratio));
}

/// Says which layer of the model takes the most time, and returns its share.
fn hot_spot(profiler: &Profiler, model: &str, out: &mut Reporter) -> f64 {
    let part = |layer: &LayerProfile| (layer.name.clone(), layer.seconds, layer.flops as f64);
    let parts: Vec<_> = profiler.layers.iter().map(part).collect();
    out.insight(hot_spot_insight(model, &parts, |share| amdahl(share, f64::INFINITY)));
    profiler.hot_spot().map_or(0.0, |hot| hot.seconds / profiler.seconds())
}

fn small_gpt(rng: &mut Rng) -> Gpt {
    Gpt::new(GptConfig { vocab_size: 512, context: 32, dim: 64, layers: 2, heads: 4 }, rng)
}

/// One step of training, as spans.
fn training_step(
    model: &mut Gpt,
    optimizer: &mut AdamW,
    ids: &Tensor,
    target: &Tensor,
) -> Vec<Span> {
    let mut tracer = Tracer::default();
    tracer.span("step", |tracer| {
        let logits = tracer.span("forward", |tracer| {
            gpt_parts(model, ids, &mut |name, _, x, part| tracer.span(name, |_| part(x)))
        });
        let rows = logits.reshape(&[ids.numel(), 512]);
        let loss = tracer.span("loss", |_| CrossEntropyLoss.forward(&rows, target));
        let gradients = tracer.span("backward", |_| loss.backward());
        tracer.span("update", |_| optimizer.step(model.parameters_mut(), &gradients));
    });
    tracer.spans()
}

// %% nbgrader={"grade": false, "grade_id": "profiling-analyze-roofline", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How far are your operations from what this machine can do?
///
/// Purpose: place operations under the roofline of one core. Measured: the peak and the bandwidth of this machine, by a
/// loop in registers and a stream through memory; intensity and rate of eight operations of your engine. Key insight:
/// left of the ridge point bytes decide, right of it operations; an operation that stays below the roof wastes both.
/// Production context: the first question about a slow kernel is on which side of the ridge point it is.
pub fn analyze_roofline(out: &mut Reporter) {
    let machine = probe_machine();
    out.measured("peak of one core", machine.peak_flops, "FLOP/s");
    out.measured("bandwidth of memory", machine.bandwidth, "B/s");
    let cached = Machine { bandwidth: cache_bandwidth(), ..machine };
    out.measured("bandwidth of the nearest cache", cached.bandwidth, "B/s");
    out.measured("ridge point", machine.ridge_point(), "FLOP/B");
    out.note(format!("The peak is that of {}.", Simd::detect()));
    out.measured("memory of the stream", stream_size() as f64, "B");
    if let Some(cache) = largest_cache() {
        out.measured("largest cache", cache as f64, "B");
    }
    out.insight(stream_insight(stream_size(), largest_cache()));
    let mut profiler = Profiler::default();
    profiler.timer.runs = 7;
    for (name, input, work) in operations() {
        profiler.layer(name, 0, &input, work);
        out.progress("operations", profiler.layers.len() as u64, 8);
    }
    let part = |layer: &LayerProfile| layer.rate() / machine.attainable(layer.intensity());
    let row = |layer: &LayerProfile| -> Vec<Value> {
        let intensity = layer.intensity();
        let limit = match machine.bound(intensity) {
            _ if part(layer) < NEAR_THE_ROOF => "neither",
            Bound::Memory => "memory",
            Bound::Compute => "processor",
        };
        vec![
            layer.name.clone().into(),
            intensity.into(),
            layer.rate().into(),
            machine.attainable(intensity).into(),
            (100.0 * part(layer)).into(),
            limit.into(),
        ]
    };
    let columns = columns(
        "operation, intensity [FLOP/B], rate [FLOP/s], roof [FLOP/s], of the roof [%], limit",
    );
    out.measured_table(
        "Operations under the roof",
        &columns,
        profiler.layers.iter().map(row).collect(),
    );
    let point = |layer: &LayerProfile| {
        let label = Some(layer.name.clone());
        Point { x: layer.intensity(), y: layer.rate(), label, ..Point::default() }
    };
    let points = profiler.layers.iter().map(point);
    let roofs = [("memory", machine), ("nearest cache", cached)];
    roofline_chart(&roofs, points.collect(), Origin::Measured, out);
    let figures: Vec<(String, f64, f64)> =
        profiler.layers.iter().map(|it| (it.name.clone(), it.intensity(), part(it))).collect();
    out.insight(roofline_insight(machine.ridge_point(), &figures));
}

/// An operation with its name and its input.
type Named = (&'static str, Tensor, Box<dyn Fn(&Tensor) -> Tensor>);

/// Operations of low and of high intensity.
fn operations() -> Vec<Named> {
    let rng = &mut Rng::seeded(1);
    let (long, wide) = (Tensor::rand(&[1 << 21], rng), Tensor::rand(&[512, 1024], rng));
    let images = Tensor::rand(&[16, 8, 16, 16], rng);
    let other = long.clone() * 0.5;
    let product = |size: usize, rng: &mut Rng| {
        let weight = Tensor::rand(&[size, size], rng);
        let work = move |x: &Tensor| x.matmul(&weight);
        (Tensor::rand(&[size, size], rng), Box::new(work))
    };
    let (small, small_work) = product(32, rng);
    let (large, large_work) = product(256, rng);
    let norm = LayerNorm::new(1024);
    let conv = Conv2d::new(8, 16, Window::new(3).padding(1), rng);
    vec![
        ("addition", long.clone(), Box::new(move |x| x + &other)),
        ("ReLU", long.clone(), Box::new(|x| x.map(&ReLU))),
        ("sum", long, Box::new(|x| x.sum())),
        ("softmax", wide.clone(), Box::new(masked_softmax)),
        ("layer norm", wide, Box::new(move |x| norm.forward(x))),
        ("convolution", images, Box::new(move |x| conv.forward(x))),
        ("matmul 32", small, small_work),
        ("matmul 256", large, large_work),
    ]
}

/// Roofs by where the numbers come from, and operations under them; a roof has a gap where one touches it.
fn roofline_chart(
    roofs: &[(&str, Machine)],
    points: Vec<Point>,
    origin: Origin,
    out: &mut Reporter,
) {
    let apart = |a: f64, b: f64| (a / b).log2().abs() > 0.4;
    let is_free = |&(x, y): &(f64, f64)| points.iter().all(|it| apart(it.x, x) || apart(it.y, y));
    let roof = |(name, machine): &(&str, Machine)| {
        let steps = (-16..=40).map(|step| 2_f64.powf(f64::from(step) / 4.0));
        let points = steps.map(|intensity| (intensity, machine.attainable(intensity)));
        Series::new(format!("roof, {name}"), points.filter(is_free))
    };
    let roofs: Vec<Series> = roofs.iter().map(roof).collect();
    out.chart(Chart {
        title: "Roofline of one core".into(),
        kind: ChartKind::Scatter,
        x: Axis::log("arithmetic intensity", "FLOP/B"),
        y: Axis::log("rate", "FLOP/s"),
        series: [roofs, vec![Series { name: "operations".into(), points }]].concat(),
        origin,
    });
}

// %% nbgrader={"grade": false, "grade_id": "profiling-analyze-measuring", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does measuring cost, and what does it change?
///
/// Purpose: know the observer before the observed. Measured: the timer's own cost; the first pass of the CNN beside 50
/// later ones; events of kernel and processor in both, where the kernel counts them; a pass with a span around each
/// layer beside a plain one; one image at a time beside a batch of 64. Key insight: the first run pays for memory and
/// caches that later runs find ready. Production context: profilers in production sample, so that they cost 1 % or less.
pub fn analyze_measuring(out: &mut Reporter) {
    let rng = &mut Rng::seeded(1);
    let net = cnn_for_digits(rng);
    let batch = Tensor::rand(&[64, 1, 8, 8], rng);
    let pass = |x: &Tensor| no_grad(|| net.forward(x));

    let mut timer = Timer::new();
    out.measured("the timer's own cost", timer.cost, "s");
    let ((_, first), events) = count(|| timer.once(|| pass(&batch)));
    (timer.warmup, timer.runs) = (0, 50);
    let later = timer.measure(|| pass(&batch));
    let (_, later_events) = count(|| pass(&batch));
    let columns = columns(
        "first run [s], median of 50 later runs [s], first quartile [s], third quartile [s], p95 [s], p99 [s]",
    );
    let row = [first, later.median, later.low, later.high, later.p95, later.p99];
    out.measured_table("A pass of the CNN, 64 images", &columns, vec![row.map(Value::from).into()]);
    let value = |count: &Result<u64, String>| match count {
        Ok(count) => Value::from(*count as usize),
        Err(_) => "not counted".into(),
    };
    let row = |((event, first), (_, later)): (&Count, &Count)| -> Vec<Value> {
        vec![event.name().into(), value(first), value(later)]
    };
    let rows = events.iter().zip(&later_events).map(row).collect();
    let columns = [("event", ""), ("first run", ""), ("a later run", "")];
    out.measured_table("Events in one pass", &columns, rows);
    let refused = |(event, count): &Count| Some((event.name(), count.clone().err()?));
    let refused: Vec<_> = events.iter().filter_map(refused).collect();
    if let Some(note) = refused_note(&refused) {
        out.note(note);
    }
    out.measured("first run against the median of later ones", first / later.median, "x");
    out.insight(first_run_insight(first / later.median));
    out.insight(tail_insight(later.median, later.p95));

    let traced = || {
        let mut tracer = Tracer::default();
        let layers = net.layers().iter();
        no_grad(|| {
            layers.fold(batch.clone(), |x, layer| tracer.span(layer.name(), |_| layer.forward(&x)))
        })
    };
    let tracing = compare(25, traced, || pass(&batch));
    let images: Vec<Tensor> =
        (0..64).map(|at| batch.slice(&[at..at + 1, 0..1, 0..8, 0..8])).collect();
    let batching = compare(25, || images.iter().map(pass).collect::<Vec<_>>(), || pass(&batch));
    let pairs = [
        ("a traced pass", "a plain pass", tracing),
        ("64 passes with one image each", "one pass with 64 images", batching),
    ];
    out.compared("Timed in turn", &pairs);
    out.insight(tracing_insight(tracing.ratio));
    out.insight(batch_insight(batching.ratio));

    let mut time = |size: usize| {
        timer.runs = 15;
        let images = batch.slice(&[0..size, 0..1, 0..8, 0..8]);
        (size as f64, timer.measure(|| pass(&images)).median / size as f64)
    };
    let points: Vec<(f64, f64)> = [1, 2, 4, 8, 16, 32, 64].map(&mut time).into();
    let axes = (Axis::log("images in a batch", ""), Axis::linear("time for each image", "s"));
    out.measured_chart("Time by batch", axes.0, axes.1, vec![Series::new("the CNN", points)]);
}

// %% nbgrader={"grade": true, "grade_id": "test-profiling-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A CNN and a GPT part by part: the counts agree with those of the whole, and with the formulas of lesson 13.
#[test]
fn test_module() {
    use tinytorch::random::Rng;
    use tinytorch::spatial::cnn_for_digits;
    use tinytorch::testing::{expect_close, expect_eq};
    use tinytorch::transformers::{GptConfig, count_parameters, training_flops};

    let rng = &mut Rng::seeded(1);
    let net = cnn_for_digits(rng);
    let images = Tensor::rand(&[4, 1, 8, 8], rng);
    let mut profiler = Profiler::default();
    (profiler.timer.warmup, profiler.timer.runs) = (0, 1);
    let scores = profiler.sequential(&net, &images);
    let idea = "layer by layer, the same scores";
    expect_close("4 digits", &scores.to_vec(), &net.forward(&images).to_vec(), 1e-5, idea);
    let whole = FlopCounter::of(&net.forward(&images.tracked()));
    let flops: u64 = profiler.layers.iter().map(|layer| layer.flops).sum();
    expect_eq(
        "the CNN: operations of its layers",
        flops,
        whole.flops.total(),
        "together, those of the whole",
    );
    let parameters: usize = profiler.layers.iter().map(|layer| layer.parameters).sum();
    expect_eq("the CNN: parameters", parameters, 1898, "every layer with its own parameters");
    expect_eq(
        "the CNN: unknown operations",
        whole.unknown,
        BTreeSet::new(),
        "all of them are known",
    );

    let config = GptConfig { vocab_size: 50, context: 8, dim: 16, layers: 2, heads: 4 };
    let model = Gpt::new(config, rng);
    let ids = Tensor::zeros(&[3, 8]);
    let mut profiler = Profiler::default();
    (profiler.timer.warmup, profiler.timer.runs) = (0, 1);
    let logits = profiler.gpt(&model, &ids);
    let wanted = model.forward(&ids).to_vec();
    expect_close("3 sequences", &logits.to_vec(), &wanted, 1e-5, "part by part, the same logits");
    let parameters: usize = profiler.layers.iter().map(|layer| layer.parameters).sum();
    expect_eq(
        "the GPT: parameters",
        parameters,
        count_parameters(&config),
        "the table of tokens once",
    );
    let products: u64 = profiler.layers.iter().map(|layer| layer.flops).sum();
    let least = training_flops(&config, 3, 8) / 3;
    assert!(products > least, "{products} operations, and {least} in the matrix products alone");

    let machine = Machine { peak_flops: 1e9, bandwidth: 1e9 };
    let slowest = profiler.hot_spot().expect("a part with the most time");
    assert!(slowest.intensity() > 0.0 && machine.attainable(slowest.intensity()) > 0.0);
    let share = slowest.seconds / profiler.seconds();
    let bound = amdahl(share, f64::INFINITY);
    assert!(bound >= 1.0, "share {share}: yours: {bound}, wanted: a bound of 1 or more");
}

// %% nbgrader={"grade": false, "grade_id": "profiling-plumbing-time", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Timer {
    /// A timer on the clock of this machine, in seconds with fractions far below a microsecond: 2 runs to warm up, 15 that
    /// are timed.
    pub fn new() -> Self {
        let began = Instant::now();
        Self::with_clock(move || began.elapsed().as_secs_f64())
    }

    /// A timer on another clock, whose cost is measured first.
    pub fn with_clock(mut clock: impl FnMut() -> f64 + 'static) -> Self {
        let cost = own_cost(&mut clock);
        Self { clock: Box::new(clock), cost, warmup: 2, runs: 15 }
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}

// %% nbgrader={"grade": false, "grade_id": "profiling-plumbing-flops", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Flops {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.multiply + self.add + self.other
    }
}

impl AddAssign for Flops {
    fn add_assign(&mut self, more: Self) {
        self.multiply += more.multiply;
        self.add += more.add;
        self.other += more.other;
    }
}

impl FlopCounter {
    /// Counts one more operation.
    pub fn add(&mut self, op: &Op, inputs: &[Tensor], output: &Tensor) {
        self.flops += operation_flops(op, inputs, output);
        self.bytes += operation_bytes(op, inputs, output);
        if let Op::Custom { name, .. } = op
            && custom_flops(name, inputs, output).is_none()
        {
            self.unknown.insert(name);
        }
    }
}

/// The operations of those that later lessons brought, as their loops have them, for each number; `None` for one that is
/// not known. What is done once for a row is left out.
pub fn custom_flops(name: &str, inputs: &[Tensor], output: &Tensor) -> Option<Flops> {
    let each = |multiply, add, other| {
        let made = output.numel() as u64;
        Flops { multiply: multiply * made, add: add * made, other: other * made }
    };
    let flops = match name {
        "conv2d" => {
            let mut flops = conv2d_flops(output.shape(), inputs[1].shape());
            if inputs.len() > 2 {
                flops += each(0, 1, 0);
            }
            flops
        }
        // A product and its bias: what a backend fused.
        "linear" => {
            let mut flops = matmul_flops(output.shape(), inputs[1].shape()[0]);
            flops += each(0, 1, 0);
            flops
        }
        // Windows side by side compare each pixel of the image once.
        "max_pool2d" => Flops { other: inputs[0].numel() as u64, ..Flops::default() },
        // Largest, difference, exponential, sum, quotient.
        "masked_softmax" => each(0, 2, 3),
        // Mean, difference, square, sum of squares, factor, gamma, beta.
        "layer_norm" => each(3, 4, 0),
        "rms_norm" => each(3, 1, 0),
        // Two products and one sum for each number of a pair.
        "rotate" => each(2, 1, 0),
        "embedding" => each(0, 0, 0),
        _ => return None,
    };
    Some(flops)
}

// %% nbgrader={"grade": false, "grade_id": "profiling-plumbing-profiler", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl LayerProfile {
    /// Operations for each byte that is moved, FLOP/B; 0 for a layer that moves none.
    pub fn intensity(&self) -> f64 {
        if self.bytes == 0 { 0.0 } else { self.flops as f64 / self.bytes as f64 }
    }

    /// Operations per second, FLOP/s; 0 for a layer that takes no time.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.flops as f64 / self.seconds } else { 0.0 }
    }
}

fn parameter_count(layer: &dyn Layer) -> usize {
    layer.parameters().iter().map(|parameter| parameter.numel()).sum()
}

impl Profiler {
    /// Profiles every layer of `model` on `x`, and returns the output of the last. Switch to inference first: a batch norm
    /// that trains would remember what it sees here.
    pub fn sequential(&mut self, model: &Sequential, x: &Tensor) -> Tensor {
        model.layers().iter().fold(x.clone(), |x, layer| {
            self.layer(&layer.name(), parameter_count(&**layer), &x, |x| layer.forward(x))
        })
    }

    /// Profiles every part of `model` on ids `(B, S)`, and returns the logits.
    pub fn gpt(&mut self, model: &Gpt, ids: &Tensor) -> Tensor {
        let mut model = model.clone();
        track(model.parameters_mut()); // So that a lookup in its tables is recorded.
        gpt_parts(&model, ids, &mut |name, parameters, x, forward| {
            self.layer(name, parameters, x, forward)
        })
    }

    /// The time of all layers together.
    pub fn seconds(&self) -> f64 {
        self.layers.iter().map(|layer| layer.seconds).sum()
    }

    /// The layer that takes the most time.
    pub fn hot_spot(&self) -> Option<&LayerProfile> {
        self.layers.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }

    /// Reports what was profiled as a table, one row for each layer, with peaks of memory, and what was not counted.
    pub fn report(&self, title: &str, out: &mut Reporter) {
        let all = self.seconds();
        let row = |layer: &LayerProfile| -> Vec<Value> {
            let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
            vec![
                layer.name.clone().into(),
                shape.join("x").into(),
                layer.parameters.into(),
                (layer.flops as f64).into(),
                (layer.bytes as f64).into(),
                layer.intensity().into(),
                layer.seconds.into(),
                (100.0 * layer.seconds / all).into(),
            ]
        };
        let columns = columns(
            "layer, output, parameters, operations [FLOP], moved [B], FLOP/B, time [s], share [%]",
        );
        out.measured_table(title, &columns, self.layers.iter().map(row).collect());
        match self.memory.peak() {
            Some(peak) => {
                let bar = |(name, used): &(String, Option<MemoryUse>)| {
                    let (label, y) = (Some(name.clone()), used.as_ref()?.peak as f64);
                    Some(Point { y, label, ..Point::default() })
                };
                let points = self.memory.regions.iter().filter_map(bar).collect();
                let (x, y) = (Axis::linear("layer", ""), Axis::linear("peak", "B"));
                let bars = Series { name: "peak".into(), points };
                out.measured_bars(format!("{title}: memory"), x, y, bars);
                out.measured(format!("{title}: largest peak of a layer"), peak as f64, "B")
            }
            None => out.note("Memory was not counted: this program has no allocator that counts."),
        }
        if !self.unknown.is_empty() {
            let names: Vec<&str> = self.unknown.iter().copied().collect();
            out.note(format!("Operations that are not counted: {}.", names.join("; ")));
        }
    }
}

/// What is done with each part of a model: its name, its parameters, its input, and what it computes.
pub type Visit<'a> = dyn FnMut(&str, usize, &Tensor, &dyn Fn(&Tensor) -> Tensor) -> Tensor + 'a;

/// Passes ids `(B, S)` through a GPT part by part; each part is computed by `visit`.
pub fn gpt_parts(model: &Gpt, ids: &Tensor, visit: &mut Visit<'_>) -> Tensor {
    let mask = causal_mask(ids.shape()[1]);
    let embedding = &model.embedding;
    let mut x = visit("embedding", parameter_count(embedding), ids, &|ids| embedding.forward(ids));
    for (number, block) in (1..).zip(&model.blocks) {
        let TransformerBlock { norm1, attention, norm2, mlp } = block;
        let mut branch =
            |part: &str, layer: &dyn Layer, x: &Tensor, forward: &dyn Fn(&Tensor) -> Tensor| {
                visit(&format!("block {number}: {part}"), parameter_count(layer), x, forward)
            };
        let y = branch("norm 1", norm1, &x, &|x| norm1.forward(x));
        let y = branch("attention", attention, &y, &|y| &x + attention.forward(y, Some(&mask)));
        let z = branch("norm 2", norm2, &y, &|y| norm2.forward(y));
        let z = branch("MLP up", &mlp.up, &z, &|z| mlp.up.forward(z));
        let z = branch("GELU", &Gelu, &z, &|z| Gelu.forward(z));
        x = branch("MLP down", &mlp.down, &z, &|z| &y + mlp.down.forward(z));
    }
    let x = visit("final norm", parameter_count(&model.norm), &x, &|x| model.norm.forward(x));
    visit("output", 0, &x, &|x| tied_logits(x, &embedding.tokens.weight))
}

// %% nbgrader={"grade": false, "grade_id": "profiling-plumbing-machine", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Probes one core of this machine: multiply-adds that stay in registers, and a stream through more memory than the
/// caches hold, up to 512 MiB. Of several runs the fastest counts: what disturbs a run only makes it slower.
pub fn probe_machine() -> Machine {
    let best = |rates: &mut dyn Iterator<Item = f64>| rates.fold(0.0, f64::max);
    let simd = Simd::detect();
    let peak_flops = best(&mut (0..50).map(|_| multiply_add_rate(simd)));
    let mut stream = Stream::new(stream_size());
    Machine { peak_flops, bandwidth: best(&mut (0..5).map(|_| stream.rate(1))) }
}

/// The bandwidth of a stream through 24 KiB, which stay in the nearest cache.
pub fn cache_bandwidth() -> f64 {
    let mut stream = Stream::new(24 << 10);
    (0..20).map(|_| stream.rate(500)).fold(0.0, f64::max)
}

/// Twice the largest cache, but no more than a shared machine can spare.
pub fn stream_size() -> usize {
    largest_cache().map_or(256 << 20, |cache| 2 * cache).clamp(64 << 20, 512 << 20)
}

// %% nbgrader={"grade": false, "grade_id": "profiling-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// An operation under the roof.
///
/// Choose an operation and its size, and see which limit it meets. Move the peak and the bandwidth until the limit is the
/// other one: where do they meet? For which operation does a larger size raise the intensity, and for which not?
pub fn explore_roofline(figure: &mut Explorer) {
    let kinds = ["matmul", "addition", "convolution", "matrix x vector"];
    let kind = figure.choice("operation", &kinds);
    let size = figure.number("size", 64.0, 16.0..=1024.0, 16.0) as usize;
    let machine = Machine {
        peak_flops: 1e9 * figure.number("peak, GFLOP/s", 100.0, 1.0..=1000.0, 1.0),
        bandwidth: 1e9 * figure.number("bandwidth, GB/s", 10.0, 1.0..=400.0, 1.0),
    };
    let square = size * size;
    let (flops, numbers) = match kind {
        "matmul" => (matmul_flops(&[size, size], size), 3 * square),
        "addition" => (Flops { add: square as u64, ..Flops::default() }, 3 * square),
        "convolution" => (conv2d_flops(&[1, 8, size, size], &[8, 8, 3, 3]), 16 * square + 576),
        _ => (matmul_flops(&[size, 1], size), square + 2 * size),
    };
    let (flops, bytes) = (flops.total() as f64, 4.0 * numbers as f64);
    let (intensity, ridge) = (flops / bytes, machine.ridge_point());
    roofline_chart(
        &[("memory", machine)],
        vec![Point {
            x: intensity,
            y: machine.attainable(intensity),
            label: Some(kind.into()),
            ..Point::default()
        }],
        Origin::Computed("min(peak, intensity x bandwidth)".into()),
        figure,
    );
    let row: Vec<Value> = vec![
        flops.into(),
        bytes.into(),
        intensity.into(),
        ridge.into(),
        machine.attainable(intensity).into(),
    ];
    let columns = columns(
        "operations [FLOP], moved once [B], intensity [FLOP/B], ridge point [FLOP/B], roof [FLOP/s]",
    );
    let formula = "each input is read once, and the output written once";
    figure.computed_table("The operation", formula, &columns, vec![row]);
    figure.insight(roof_insight(
        intensity,
        ridge,
        [flops / machine.peak_flops, bytes / machine.bandwidth],
    ));
}

// %% nbgrader={"grade": false, "grade_id": "profiling-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_layers(&mut out);
    analyze_roofline(&mut out);
    analyze_measuring(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "profiling-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
