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

// %% nbgrader={"grade": false, "grade_id": "capstone-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 20 Capstone: one pipeline through everything. Input: a trained GPT, a generation task, and steps that promise
//! something. Output: the steps that keep the guard, what each one brings, and a submission that others can check.
//! Depends on 13 to 19. By hand: 10 tokens in a second, then 50, then 500: of the whole way, on a logarithmic scale,
//! the first step is 41 %. Not here: a new technique. What is new is that they run together.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::backend::{Backend, Matrix, with_backend};
use tinytorch::benchmarking::{Interval, Pair, speedup, techniques};
use tinytorch::benchmarking::{bootstrap, exponent, measure_pairs, percentile};
use tinytorch::bytes::checksum;
use tinytorch::compression::{MagnitudePruner, dense_file, encode_model};
use tinytorch::data::dialogue::{self, DIALOGUE_TSV, Split};
use tinytorch::embeddings::ids_tensor;
use tinytorch::explore::Explorer;
use tinytorch::insights::capstone::{
    guard_insight, integration_insight, length_insight, overlap_insight, production_insight,
};
use tinytorch::layers::Layer;
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::memoization::{enable_kv_cache, generate_cached, positions_without_cache};
use tinytorch::optimizers::AdamW;
use tinytorch::profiling::Profiler;
use tinytorch::quantization::{dequantize_int8, quantize_int8};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Metric, Origin, Point, Reporter, Series};
use tinytorch::report::{Target, Value, columns};
use tinytorch::setup::median;
pub use tinytorch::submission::{ENGINE, Evidence, Fault, SCHEMA, Seeds, Submission};
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::{BpeTokenizer, Id, Tokenizer, training_text};
use tinytorch::training::{CosineSchedule, Trainer};
use tinytorch::transformers::{GenerateError, Gpt, GptConfig, Sampler, generate};
use tinytorch::transformers::{mean_loss, next_token_batches, perplexity};

// %% [markdown] nbgrader={"grade": false, "grade_id": "capstone-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Capstone
//
// You build: the comparison with a baseline, a guard for quality, a pipeline of steps that can be rolled back, the measurement
// of what each step brings, a budget, and a submission whose every claim is checked.

// %% nbgrader={"grade": false, "grade_id": "capstone-better", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// In which direction a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better: tokens in a second, an accuracy.
    Higher,
    /// Less is better: seconds, bytes, a perplexity.
    Lower,
}

// %% nbgrader={"grade": false, "grade_id": "capstone-improvement", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many times as good as the `baseline` a figure is `now`: above 1 it improved, below 1 it got worse. Both are
/// above 0 and were measured in the same run.
///
/// TODO: divide, the right way round.
///
/// APPROACH: decide by `better` which of the two is divided by the other.
///
/// EXAMPLE: from 10 to 40 tokens in a second is 4 times as good; from 40 bytes to 10 is 4 times as good too.
///
/// HINTS: a `match` with two arms.
pub fn improvement(baseline: f64, now: f64, better: Better) -> f64 {
    todo!("capstone-improvement")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-improvement", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both directions, better and worse, no change.
#[test]
fn test_unit_improvement() {
    use tinytorch::testing::expect_eq;

    let higher = "where more is better: what it is now, divided by the baseline";
    let lower = "where less is better: the baseline, divided by what it is now";
    for (baseline, now, better, wanted, idea) in [
        (10.0, 40.0, Better::Higher, 4.0, higher),
        (40.0, 10.0, Better::Higher, 0.25, higher),
        (40.0, 10.0, Better::Lower, 4.0, lower),
        (10.0, 40.0, Better::Lower, 0.25, lower),
        (8.0, 8.0, Better::Lower, 1.0, "a factor, not a difference: what did not change is 1"),
    ] {
        let input = format!("{baseline}, now {now}, better: {better:?}");
        expect_eq(input, improvement(baseline, now, better), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "capstone-guard-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What the quality of a model may lose: its perplexity on the validation set may be higher than at the start by at
/// most a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// The perplexity of the model before any step.
    pub start: f64,
    /// By which fraction of it a perplexity may be higher: 0.05 is five percent.
    pub allowed: f64,
}

// %% nbgrader={"grade": false, "grade_id": "capstone-guard", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Guard {
    /// The highest perplexity that is allowed.
    ///
    /// TODO: the start, and the allowed fraction of it on top.
    ///
    /// APPROACH: one expression.
    ///
    /// EXAMPLE: a start of 8 and 0.05 allow 8.4.
    ///
    /// HINTS: a fraction is multiplied, not added.
    pub fn limit(&self) -> f64 {
        todo!("capstone-guard")
    }

    /// Whether a model with this perplexity may stay.
    ///
    /// TODO: compare with the limit.
    ///
    /// APPROACH: exactly at the limit is allowed. What is not a number is not.
    ///
    /// EXAMPLE: with a limit of 8.4: 8.4 may stay, 8.5 may not, 7 may.
    ///
    /// HINTS: every comparison with NaN is false: ask for what must hold.
    pub fn holds(&self, perplexity: f64) -> bool {
        todo!("capstone-guard")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-guard", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The limit; below, at and above it; a better model; a broken one.
#[test]
fn test_unit_guard() {
    use tinytorch::testing::{expect_close, expect_eq};

    let guard = Guard { start: 8.0, allowed: 0.25 };
    let idea = "the fraction is one of the start: 8 x (1 + 0.25)";
    expect_close("a start of 8, 0.25 allowed", &[guard.limit() as f32], &[10.0], 1e-6, idea);
    let other = [Guard { start: 8.0, allowed: 0.05 }.limit() as f32];
    expect_close("a start of 8, 0.05 allowed", &other, &[8.4], 1e-6, idea);
    for (perplexity, wanted, idea) in [
        (9.0, true, "up to the limit a perplexity is allowed"),
        (10.0, true, "exactly the limit is allowed"),
        (10.1, false, "above the limit, the step costs too much"),
        (2.0, true, "a lower perplexity is better, and always allowed"),
        (f64::NAN, false, "what is not a number holds no guard: the model is broken"),
        (f64::INFINITY, false, "above the limit, the step costs too much"),
    ] {
        let input = format!("a perplexity of {perplexity}, limit 10");
        expect_eq(input, guard.holds(perplexity), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "capstone-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A change that promises something.
pub struct Step<'a, M> {
    /// What it is called.
    pub name: String,
    /// Makes the changed model. The given one stays as it is.
    pub apply: Box<dyn Fn(&M) -> M + 'a>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// The step.
    pub name: String,
    /// The perplexity on the validation set with it.
    pub perplexity: f64,
    /// Whether it was kept.
    pub kept: bool,
}

// %% nbgrader={"grade": false, "grade_id": "capstone-pipeline", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Takes a model through all steps. After each one, its quality is measured; a step that breaks the guard is rolled
/// back. Returns the model, and what became of every step.
///
/// TODO: apply, measure, then keep or roll back, one step after the other.
///
/// APPROACH:
/// 1. Apply a step to the model that the steps before it have left. This makes a candidate.
/// 2. Measure the candidate with `quality`, and ask `guard`, which compares with the very start.
/// 3. If it holds, the candidate is the model from now on. Record the step in any case, and go on with the next one.
///
/// EXAMPLE: three steps, of which the second breaks the guard: the third one is applied to what the first one left.
///
/// HINTS: to call a function that is in a field, put the field in brackets.
pub fn run_pipeline<M>(
    start: M,
    steps: &[Step<'_, M>],
    guard: &Guard,
    mut quality: impl FnMut(&M) -> f64,
) -> (M, Vec<StepRecord>) {
    todo!("capstone-pipeline")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-pipeline", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A model that is a list of numbers, whose sum is its perplexity: kept, rolled back, and small losses that add up.
#[test]
fn test_unit_pipeline() {
    use tinytorch::testing::expect_eq;

    let guard = Guard { start: 100.0, allowed: 0.1 };
    let check = |losses: &[f64], model: &[f64], kept: &[bool], idea: &str| {
        let step = |&loss: &f64| Step {
            name: format!("+{loss}"),
            apply: Box::new(move |model: &Vec<f64>| [&model[..], &[loss]].concat()),
        };
        let steps: Vec<Step<'_, Vec<f64>>> = losses.iter().map(step).collect();
        let mut measured = 0;
        let (yours, records) = run_pipeline(vec![100.0], &steps, &guard, |model| {
            measured += 1;
            model.iter().sum()
        });
        let input = format!("a start of 100, losses {losses:?}, limit 110");
        expect_eq(&input, yours, model.to_vec(), idea);
        let found: Vec<bool> = records.iter().map(|record| record.kept).collect();
        expect_eq(&input, found, kept.to_vec(), "record every step, kept or not");
        expect_eq(&input, measured, losses.len(), "measure after each step, not once at the end");
        let names: Vec<String> = losses.iter().map(|loss| format!("+{loss}")).collect();
        let found: Vec<String> = records.iter().map(|record| record.name.clone()).collect();
        expect_eq(&input, found, names, "record every step, by its name and in its order");
        records
    };
    check(&[], &[100.0], &[], "without steps, the start is the end");
    let both = "a step gets what the steps before left";
    let records = check(&[4.0, 5.0], &[100.0, 4.0, 5.0], &[true, true], both);
    let found: Vec<f64> = records.iter().map(|record| record.perplexity).collect();
    let idea = "measure the candidate, not the model before the step";
    expect_eq("losses [4, 5]: perplexities", found, vec![104.0, 109.0], idea);
    let idea = "a step that breaks the guard is rolled back, and the next step starts from the model before it";
    let records = check(&[4.0, 50.0, 5.0], &[100.0, 4.0, 5.0], &[true, false, true], idea);
    let found: Vec<f64> = records.iter().map(|record| record.perplexity).collect();
    let idea = "record what was measured with the step, also where it is rolled back";
    expect_eq("losses [4, 50, 5]", found, vec![104.0, 154.0, 109.0], idea);
    let idea = "compare with the very start: small losses add up";
    check(&[6.0, 6.0, 4.0], &[100.0, 6.0, 4.0], &[true, false, true], idea);
}

// %% nbgrader={"grade": false, "grade_id": "capstone-candidate", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A pruned model, judged on two sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The fraction of weights that are 0.
    pub sparsity: f32,
    /// Its perplexity on the validation set.
    pub validation: f64,
    /// Its perplexity on the test set.
    pub test: f64,
}

// %% nbgrader={"grade": false, "grade_id": "capstone-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The sparsest candidate that the guard allows, if there is one.
///
/// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. In every report the chosen
/// model keeps the guard; with the users it breaks it every second time.
///
/// ```text
/// let allowed = candidates.iter().filter(|candidate| guard.holds(candidate.test));
/// allowed.max_by(|a, b| a.sparsity.total_cmp(&b.sparsity)).copied()
/// ```
///
/// APPROACH:
/// 1. What is the test perplexity of a candidate that was chosen by it? Can it be above the limit?
/// 2. Which of the two sets is there to choose by?
///
/// EXAMPLE: with a limit of 10, a sparsity of 0.9 with 12 on the validation set and 9 on the test set is not chosen.
///
/// HINTS: only one word is wrong.
pub fn choose(candidates: &[Candidate], guard: &Guard) -> Option<Candidate> {
    todo!("capstone-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Lucky on the test set, unlucky on it, none that is allowed.
#[test]
fn test_unit_choose() {
    use tinytorch::testing::expect_eq;

    let guard = Guard { start: 8.0, allowed: 0.25 };
    let of = |(sparsity, validation, test)| Candidate { sparsity, validation, test };
    let by = "choose by the validation set; what the test set says must not matter";
    let sparsest = "the sparsest of those that the guard allows, wherever it is in the list";
    let both = format!("{by}; {sparsest}");
    let [loose, tight] = [(0.3, 9.0, 9.0), (0.5, 9.9, 9.9)];
    for (candidates, wanted, idea) in [
        (vec![loose, tight, (0.9, 12.0, 9.0)], Some(tight), &both[..]),
        (vec![tight, loose], Some(tight), sparsest),
        (vec![loose, (0.5, 9.9, 10.5)], Some((0.5, 9.9, 10.5)), by),
        (
            vec![loose, (0.5, 10.0, 9.9)],
            Some((0.5, 10.0, 9.9)),
            "the guard decides: up to its limit",
        ),
        (vec![(0.9, 12.0, 9.0)], None, "where the guard allows none, none is chosen"),
    ] {
        let candidates: Vec<Candidate> = candidates.into_iter().map(of).collect();
        let found = choose(&candidates, &guard);
        expect_eq(format!("{candidates:?}, limit 10"), found, wanted.map(of), idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "capstone-ablation", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What each step brings to the whole: the figure with all steps, divided by the figure with all but this one.
/// `measure` gets for each step whether it is on; more is better.
///
/// TODO: measure everything once, then everything without one step, for each step.
///
/// APPROACH:
/// 1. Measure with all steps on.
/// 2. For each step, switch off it alone, measure, and divide.
///
/// EXAMPLE: 500 tokens in a second with all steps, 20 without the first: the first step is worth 25 times.
///
/// HINTS: a list with `true` for every step, of which a copy with one `false` is measured.
pub fn leave_one_out(steps: usize, mut measure: impl FnMut(&[bool]) -> f64) -> Vec<f64> {
    todo!("capstone-ablation")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-ablation", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Steps that do not depend on each other, steps that save the same work, a step that harms; what is measured.
#[test]
fn test_unit_ablation() {
    use tinytorch::testing::expect_eq;

    let idea = "everything, divided by everything without this one step";
    let figures = |on: &[bool]| -> f64 {
        [5.0, 2.0, 0.5].iter().zip(on).filter(|(_, on)| **on).map(|(factor, _)| factor).product()
    };
    expect_eq("factors 5, 2, 0.5", leave_one_out(3, figures), vec![5.0, 2.0, 0.5], idea);
    // Either of the two makes it 10 times as fast, and both together no faster.
    let shared = |on: &[bool]| if on.contains(&true) { 10.0 } else { 1.0 };
    let idea =
        "leave one out, and keep the others: where two save the same work, neither is missed";
    expect_eq("either of two: 10 times", leave_one_out(2, shared), vec![1.0, 1.0], idea);
    let both = |on: &[bool]| if on == [true, true] { 8.0 } else { 1.0 };
    expect_eq("only both: 8 times", leave_one_out(2, both), vec![8.0, 8.0], idea);
    let mut seen = vec![];
    leave_one_out(2, |on| {
        seen.push(on.to_vec());
        1.0
    });
    let wanted = vec![vec![true, true], vec![false, true], vec![true, false]];
    let idea = "all steps first, then without each one";
    expect_eq("what is measured of 2 steps", seen, wanted, idea);
}

// %% nbgrader={"grade": false, "grade_id": "capstone-waterfall", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The share that each step has in the whole way from the first figure to the last, on a logarithmic scale: factors
/// multiply, so their logarithms add up. `figures` begins with the start; the first and the last differ.
///
/// TODO: the logarithm of each step's factor, divided by that of the whole.
///
/// APPROACH:
/// 1. The factor of a step is its figure divided by the one before it.
/// 2. The factor of the whole is the last figure divided by the first.
///
/// EXAMPLE: 10, 50, 500: `ln 5 / ln 50 = 0.41` and `ln 10 / ln 50 = 0.59`.
///
/// HINTS: `windows(2)` gives each figure with the next one.
pub fn shares(figures: &[f64]) -> Vec<f64> {
    todo!("capstone-waterfall")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-waterfall", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, equal factors, a step that harms, one step; the sum.
#[test]
fn test_unit_shares() {
    use tinytorch::testing::expect_call_close;

    let equal = "equal factors have equal shares: take logarithms, do not subtract";
    for (figures, wanted, idea) in [
        (&[10.0, 50.0, 500.0][..], &[0.411_41, 0.588_59][..], "ln 5 / ln 50 and ln 10 / ln 50"),
        (&[1.0, 10.0, 100.0, 1000.0], &[0.333_33, 0.333_33, 0.333_33], equal),
        (&[1.0, 8.0, 4.0], &[1.5, -0.5], "a step that harms has a share below 0"),
        (&[2.0, 16.0], &[1.0], "a single step is everything"),
    ] {
        let yours = || shares(figures).iter().map(|&share| share as f32).collect::<Vec<_>>();
        expect_call_close(format!("{figures:?}"), yours, wanted, 1e-4, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "capstone-overlap", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What is left of a promise: the factor that all techniques have together, divided by the product of the factors
/// that each has alone.
///
/// TODO: multiply, then divide.
///
/// APPROACH: about 1 if neither changes what the other one has to do; below 1 if they save partly the same; above 1 if each
/// makes the other one's part a larger share of what is left, or if they need each other.
///
/// EXAMPLE: 40 times and 3 times alone, 60 times together: `60 / 120 = 0.5`.
///
/// HINTS: `iter().product::<f64>()`.
pub fn overlap(apart: &[f64], together: f64) -> f64 {
    todo!("capstone-overlap")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-overlap", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Less than promised, as promised, more than promised; three techniques, and one.
#[test]
fn test_unit_overlap() {
    use tinytorch::testing::expect_eq;

    let less = "what they have together, divided by the product of what each has alone";
    for (apart, together, wanted, idea) in [
        (&[40.0, 3.0][..], 60.0, 0.5, less),
        (&[4.0, 2.0], 8.0, 1.0, "factors multiply: 4 and 2 promise 8, not 6"),
        (&[2.0, 2.0], 8.0, 2.0, "above 1: each makes the other worth more"),
        (&[2.0, 2.0, 2.0], 2.0, 0.25, "the product of all of them"),
        (&[5.0], 5.0, 1.0, "one technique keeps its own promise"),
    ] {
        let input = format!("{apart:?} apart, {together} together");
        expect_eq(input, overlap(apart, together), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "capstone-limit", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// One line of a budget: what was found, and what is allowed at most. Less is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// What is limited: `file`, `memory`, `first token`.
    pub name: &'static str,
    /// What was measured.
    pub found: f64,
    /// What it may be at most.
    pub allowed: f64,
}

// %% nbgrader={"grade": false, "grade_id": "capstone-budget", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The line of a budget with the least room: its name, and how many times the allowance is what was found. From 1 on,
/// all of the budget is met.
///
/// TODO: the room of each line, and the smallest of them.
///
/// APPROACH:
/// 1. The room of a line is `allowed / found`: below 1 it is missed.
/// 2. A figure that is not a number was not measured. Its room is 0: nothing is met unseen.
///
/// EXAMPLE: 20 of 100 bytes and 8 of 10 seconds: the seconds have the least room, 1.25.
///
/// HINTS: `min_by` with `total_cmp`. `total_cmp` puts NaN above all numbers: replace it first.
pub fn tightest(budget: &[Limit]) -> Option<(&'static str, f64)> {
    todo!("capstone-budget")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-budget", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Met, missed, different units, not measured, no budget at all.
#[test]
fn test_unit_tightest() {
    use tinytorch::testing::expect_eq;

    let limit = |name, found, allowed| Limit { name, found, allowed };
    let file = limit("file", 20.0, 100.0);
    let factor = "compare by factors: bytes and seconds have no common difference";
    for (budget, wanted, idea) in [
        (vec![limit("time", 0.5, 0.25)], Some(("time", 0.5)), "allowed / found: below 1 is missed"),
        (
            vec![file, limit("time", 8.0, 10.0)],
            Some(("time", 1.25)),
            "the line with the least room",
        ),
        (
            vec![limit("time", 8.0, 10.0), file],
            Some(("time", 1.25)),
            "the line with the least room",
        ),
        (
            vec![limit("file", 900.0, 1000.0), limit("time", 1.0, 2.0)],
            Some(("file", 1000.0 / 900.0)),
            factor,
        ),
        (vec![file, limit("time", f64::NAN, 10.0)], Some(("time", 0.0)), "not measured is not met"),
        (
            vec![file, limit("time", 0.0, 0.0)],
            Some(("time", 0.0)),
            "0 / 0 is not a number: not met",
        ),
        (vec![], None, "without a line there is no limit"),
    ] {
        expect_eq(format!("{budget:?}"), tightest(&budget), wanted, idea);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "capstone-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # A submission that others can check

// %% nbgrader={"grade": false, "grade_id": "capstone-figures", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The figures of a submission that nothing can have measured: a fault for each, with the name of its field.
///
/// TODO: go through all measured figures in the order of the fields, and name those that are wrong.
///
/// APPROACH:
/// 1. Times are finite and above 0. Both times of `pairs[i]` belong to the field `pairs[i]`.
/// 2. So are the two perplexities, `quality[0]` and `quality[1]`.
/// 3. Without any pair, `pairs` itself is at fault.
///
/// EXAMPLE: `pairs: [[1, 0.1], [2, -0.1]]`: a fault of `pairs[1]`.
///
/// HINTS: a vector of `(field, figures)` first, then `filter` and `map`. `Fault::new(field, reason)`; the reason
/// names the figure. `is_finite` is false for NaN.
pub fn check_figures(submission: &Submission) -> Vec<Fault> {
    todo!("capstone-figures")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-figures", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A good one; each kind of wrong figure in each field; several faults; no pairs.
#[test]
fn test_unit_check_figures() {
    use tinytorch::testing::{expect_eq, expect_named, expect_return};

    let check = |change: &dyn Fn(&mut Submission), wanted: &[&str], idea: &str| {
        let mut submission = Submission::example();
        change(&mut submission);
        let Submission { pairs, quality, .. } = &submission;
        let input = format!("pairs {pairs:?}, quality {quality:?}");
        let found = check_figures(&submission);
        let fields: Vec<&str> = found.iter().map(|fault| fault.field.as_str()).collect();
        expect_eq(input, &fields[..], wanted, idea);
    };
    check(&|_| (), &[], "a submission whose figures are all measured has no fault");
    for wrong in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        let idea = "a time or a perplexity is finite and above 0";
        check(&|s| s.pairs[3][0] = wrong, &["pairs[3]"], idea);
        check(&|s| s.pairs[0][1] = wrong, &["pairs[0]"], "both times of a pair are measured");
        check(&|s| s.quality[0] = wrong, &["quality[0]"], idea);
        check(&|s| s.quality[1] = wrong, &["quality[1]"], idea);
    }
    let several = |s: &mut Submission| {
        s.pairs[1] = [-1.0, f64::NAN];
        s.pairs[8][1] = 0.0;
        s.quality[1] = f64::NAN;
    };
    check(&several, &["pairs[1]", "pairs[8]", "quality[1]"], "name every field, each once");
    check(&|s| s.pairs.clear(), &["pairs"], "without pairs nothing was measured");
    let broken = Submission { quality: [8.0, -1.5], ..Submission::example() };
    let reasons = || check_figures(&broken).iter().map(|fault| fault.reason.clone()).collect();
    let reasons: Vec<String> = expect_return("quality [8, -1.5]", reasons, "a fault has a reason");
    expect_named(&reasons.concat(), &["-1.5"], "the reason names the figure that is wrong");
}

// %% nbgrader={"grade": false, "grade_id": "capstone-claims", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The claims of a submission that do not follow from its own measurements: a fault for each of `score`, `techniques`
/// and `quality`.
///
/// TODO: compute each claim again, and compare.
///
/// APPROACH:
/// 1. The score is [`scored`] of the pairs: three figures, of which none may differ by more than a billionth of
///    itself.
/// 2. The techniques are those that [`detected`] finds in the counts. Words prove nothing.
/// 3. The perplexity at the end must keep the guard that the one at the start and `allowed` make.
///
/// EXAMPLE: pairs that give 500 times, and a `score` of 900: a fault of `score`.
///
/// HINTS: `scored` and `detected` are given. An array of three `(is_wrong, Fault)`, filtered. `Guard` is yours.
pub fn check_claims(submission: &Submission) -> Vec<Fault> {
    todo!("capstone-claims")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-claims", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What follows; a score, its interval, the techniques and the quality that do not; several.
#[test]
fn test_unit_check_claims() {
    use tinytorch::testing::expect_eq;

    let mut honest = Submission::example();
    (honest.score, honest.techniques) = (scored(&honest), detected(&honest));
    let check = |change: &dyn Fn(&mut Submission), wanted: &[&str], idea: &str| {
        let mut submission = honest.clone();
        change(&mut submission);
        let Submission { score, techniques, quality, allowed, .. } = &submission;
        let input =
            format!("score {score:?}, {techniques:?}, quality {quality:?}, {allowed} allowed");
        let found = check_claims(&submission);
        let fields: Vec<&str> = found.iter().map(|fault| fault.field.as_str()).collect();
        expect_eq(input, &fields[..], wanted, idea);
    };
    check(&|_| (), &[], "what follows from the measurements is no fault");
    let score = "compute the score again from the pairs: all three figures of it";
    for at in 0..3 {
        check(&|s| s.score[at] *= 1.001, &["score"], score);
        check(&|s| s.score[at] = f64::NAN, &["score"], "a score that is not a number is no claim");
        let rounding = "the last digits are rounded in other ways elsewhere: that is no fault";
        check(&|s| s.score[at] *= 1.0 + 1e-12, &[], rounding);
        let billionth = "a score may differ by a billionth of itself, and by no more";
        check(&|s| s.score[at] *= 1.0 + 1e-7, &["score"], billionth);
    }
    check(&|s| s.pairs[4][0] *= 100.0, &["score"], score);
    let counts = "the techniques are what the counts show, not what the file says";
    check(&|s| s.techniques.push("Pruning".into()), &["techniques"], counts);
    check(&|s| s.techniques.clear(), &["techniques"], counts);
    check(&|s| s.counted[1].zeros = 80, &["techniques"], counts);
    let fast = |s: &mut Submission| {
        s.pairs.iter_mut().for_each(|pair| pair[0] *= 1e6);
        s.score = scored(s).map(|score| score * (1.0 + 1e-11));
    };
    check(&fast, &[], "a billionth of the score itself: a large score may differ by more");
    let guard = "the perplexity at the end keeps the guard of the one at the start";
    check(&|s| s.quality[1] = 8.5, &["quality"], guard);
    check(&|s| s.quality = [9.0, 8.2], &[], "a lower perplexity keeps every guard");
    check(&|s| s.allowed = 0.01, &["quality"], guard);
    let all = |s: &mut Submission| {
        s.score[1] = 1e6;
        s.techniques.clear();
        s.quality[1] = 80.0;
    };
    check(&all, &["score", "techniques", "quality"], "name every claim that does not follow");
}

// %% nbgrader={"grade": false, "grade_id": "capstone-seal", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The submission with its schema and the checksum of its content: from now on, a change shows.
///
/// TODO: set two fields, in the right order.
///
/// APPROACH: the schema belongs to the content; the checksum covers it.
///
/// EXAMPLE: a sealed submission whose `tokens` is changed has another content than its checksum says.
///
/// HINTS: `submission.content_checksum()` is given; it leaves out the field `checksum` itself. [`SCHEMA`] is a
/// `&str`.
pub fn sealed(mut submission: Submission) -> Submission {
    todo!("capstone-seal")
}

/// Everything that is wrong with a submission; nothing, if it can be believed.
///
/// TODO: three checks, of which each needs that the one before it passed.
///
/// APPROACH:
/// 1. Another schema than [`SCHEMA`]: a fault of `schema`, and nothing else can be said.
/// 2. Otherwise, another checksum than that of the content: a fault of `checksum`, and nothing else is worth looking
///    at.
/// 3. Otherwise the faults of its figures. If there are none, those of its claims: they are computed from the
///    figures.
///
/// EXAMPLE: an edited `tokens` is one fault, of `checksum`.
///
/// HINTS: early returns. `is_empty` decides about the claims.
pub fn check(submission: &Submission) -> Vec<Fault> {
    todo!("capstone-seal")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-seal", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Sealed and read back; edited; of another schema; forged with a new checksum; figures before claims.
#[test]
fn test_unit_check() {
    use tinytorch::testing::expect_eq;

    let mut honest = Submission::example();
    (honest.score, honest.techniques) = (scored(&honest), detected(&honest));
    honest.schema = String::from("to be set");
    let honest = sealed(honest);
    let expect = |input: &str, submission: &Submission, wanted: &[&str], idea: &str| {
        let found = check(submission);
        let fields: Vec<&str> = found.iter().map(|fault| fault.field.as_str()).collect();
        expect_eq(input, &fields[..], wanted, idea);
    };
    expect_eq("sealed: the schema", honest.schema.as_str(), SCHEMA, "`sealed` sets the schema");
    let idea = "set the schema first: the checksum covers it";
    expect("a sealed submission", &honest, &[], idea);
    let read = Submission::from_json(&honest.to_json());
    expect_eq("written and read back", read.as_ref(), Ok(&honest), "nothing is lost in the file");
    let edited = Submission { tokens: 1, ..honest.clone() };
    let idea = "compare the checksum with that of the content: an edit shows";
    expect("tokens edited", &edited, &["checksum"], idea);
    let idea = "an edited file is refused for its checksum alone";
    expect("pairs edited", &Submission { pairs: vec![], ..honest.clone() }, &["checksum"], idea);
    let idea = "ask for the schema first: of an unknown schema nothing else is known";
    let newer = Submission { schema: "tinytorch-capstone/2".into(), ..honest.clone() };
    expect("another schema", &newer, &["schema"], idea);
    let idea = "a forger can compute a checksum: look at the claims too";
    let forged = sealed(Submission { score: [900.0; 3], ..honest.clone() });
    expect("a better score, sealed again", &forged, &["score"], idea);
    let idea = "claims are computed from figures: look at them only if no figure is at fault";
    let broken = sealed(Submission { quality: [f64::INFINITY, 8.0], score: [1.0; 3], ..honest });
    expect("figures and claims wrong", &broken, &["quality[0]"], idea);
}

// %% nbgrader={"grade": false, "grade_id": "capstone-reproduce", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Whether a second measurement confirms a first one: their estimates differ by at most the factor `bound`, in either
/// direction.
///
/// TODO: how many times as large is the larger estimate?
///
/// APPROACH:
/// 1. The quotient of the two estimates can be above or below 1: take it the way round that is above.
/// 2. Up to the bound it is confirmed. What is not a number confirms nothing.
///
/// EXAMPLE: 200 times there and 130 here, with a bound of 2: 200 / 130 = 1.5, confirmed.
///
/// HINTS: of the quotient and 1 divided by it, which is larger? Machines differ: intervals need not overlap.
pub fn confirms(first: Interval, second: Interval, bound: f64) -> bool {
    todo!("capstone-reproduce")
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-reproduce", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both directions, at the bound, intervals that do not overlap, not a number.
#[test]
fn test_unit_confirms() {
    use tinytorch::testing::expect_eq;

    let at = |estimate: f64| Interval { low: 0.99 * estimate, estimate, high: 1.01 * estimate };
    let both =
        "a quotient of the estimates, in either direction: much faster is no confirmation either";
    for (first, second, wanted, idea) in [
        (200.0, 130.0, true, "machines differ: the bound decides, not whether intervals overlap"),
        (130.0, 200.0, true, "machines differ: the bound decides, not whether intervals overlap"),
        (200.0, 90.0, false, both),
        (90.0, 200.0, false, both),
        (200.0, 100.0, true, "at the bound it is confirmed"),
        (4.0, 1.0, false, "a factor, not a difference"),
        (f64::NAN, 200.0, false, "what is not a number confirms nothing"),
    ] {
        let input = format!("{first} there, {second} here, bound 2");
        expect_eq(input, confirms(at(first), at(second), 2.0), wanted, idea);
    }
    let narrow = confirms(at(200.0), at(130.0), 1.25);
    expect_eq("200 there, 130 here, bound 1.25", narrow, false, "the bound that is given");
}

// %% nbgrader={"grade": false, "grade_id": "capstone-analyze-integration", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does the whole pipeline bring, what does each step bring to it, and what does it cost?
///
/// Purpose: take one model through everything, and share the credit. Measured: a profile of the naive start; the
/// perplexity on the validation set after each step, against a guard of 5 %; the seconds for one text, five rounds,
/// in each of which the naive start, the whole, the whole without each step, and the way from start to end run in
/// turn; the test set, once. Key insight: what a step is worth depends on the others, so factors that were measured
/// apart must not be multiplied. Production context: what reaches users is the pipeline, not a technique; only the
/// chain can be accepted or refused.
pub fn analyze_integration(out: &mut Reporter) {
    if let Err(error) = integrate(out) {
        out.note(format!("The pipeline could not be completed: {error}"));
    }
}

fn integrate(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let study = Study::trained(EPOCHS, out)?;
    let ids = ids_tensor(&[1; Study::CONTEXT], &[1, Study::CONTEXT]);
    let mut profiler = Profiler::default();
    (profiler.timer.warmup, profiler.timer.runs) = (1, 3);
    with_backend(Arc::new(PlainLoops), || profiler.gpt(&study.model, &ids));
    profiler.report("The naive start, part by part, for a full context", out);

    let guard =
        Guard { start: study.perplexity(&study.model, &study.validation), allowed: Study::ALLOWED };
    let (end, sparsity, records) = guarded(&study, &guard, out);
    let is_kept =
        |name: &str| records.iter().any(|record| record.kept && record.name.starts_with(name));
    let kept = STEPS.map(|name| !["int8", "pruning"].contains(&name) || is_kept(name));

    let sparse = if kept[2] { pruned(&study.model, sparsity) } else { study.model.clone() };
    let small = if kept[1] { rounded(&study.model) } else { study.model.clone() };
    let models = [[study.model.clone(), sparse], [small, end]];
    let rounds = measure_rounds(&study, &models, kept, out)?;
    let total = report_rounds(&rounds, kept, out);

    let limit = |perplexity: f64| Guard { start: perplexity, ..guard }.limit();
    let end = &models[1][1];
    let [before, after] = [&study.model, end].map(|model| study.perplexity(model, &study.test));
    out.measured("test perplexity, start", before, "");
    out.measured("test perplexity, end", after, "");
    let names = |wanted: bool| -> Vec<&str> {
        records.iter().filter(|r| r.kept == wanted).map(|r| r.name.as_str()).collect()
    };
    out.insight(guard_insight(&names(true), &names(false), [before, after, limit(before)]));
    let submission = submit(&study, end, kept[1], &rounds, [before, after])?;
    for fault in check(&submission) {
        out.note(format!("The submission is refused: {fault}"));
    }
    out.measured("faults of the submission", check(&submission).len() as f64, "");
    out.text("Submission", submission.to_json());
    out.metric(Metric {
        name: "pipeline_tokens_speedup".to_owned(),
        value: total,
        unit: "x".to_owned(),
        target: Some(Target::AtLeast(100.0)),
        origin: Origin::Measured,
    });
    Ok(())
}

/// How many epochs are trained.
const EPOCHS: usize = 2;
/// How many rounds are measured. That all of five are on one side of 1 by chance alone happens in 2 of 32 cases; with
/// three it would be 2 of 8.
const ROUNDS: usize = 5;

/// Takes the model through the steps that change it; returns the end, the sparsity that was chosen, and all records.
fn guarded(study: &Study, guard: &Guard, out: &mut Reporter) -> (Gpt, f32, Vec<StepRecord>) {
    let small = rounded(&study.model);
    let candidate = |sparsity: f32| {
        let validation = study.perplexity(&pruned(&small, sparsity), &study.validation);
        Candidate { sparsity, validation, test: f64::NAN }
    };
    let candidates = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7].map(candidate);
    let rows = candidates.iter().map(|c| vec![f64::from(c.sparsity).into(), c.validation.into()]);
    let list = columns("sparsity, validation perplexity");
    out.measured_table("Pruning, chosen by the validation set", &list, rows.collect());
    let chosen = choose(&candidates, guard).map_or(0.1, |candidate| candidate.sparsity);
    let step = |name: String, apply: Box<dyn Fn(&Gpt) -> Gpt>| Step { name, apply };
    let steps = [
        step("int8".to_owned(), Box::new(rounded)),
        step("pruning by 0.9".to_owned(), Box::new(|model| pruned(model, 0.9))),
        step(format!("pruning by {chosen}"), Box::new(move |model| pruned(model, chosen))),
    ];
    let quality = |model: &Gpt| study.perplexity(model, &study.validation);
    let (end, records) = run_pipeline(study.model.clone(), &steps, guard, quality);
    let row = |record: &StepRecord| -> Vec<Value> {
        let verdict = if record.kept { "kept" } else { "rolled back" };
        let worse = improvement(record.perplexity, guard.start, Better::Higher).recip();
        vec![record.name.as_str().into(), record.perplexity.into(), worse.into(), verdict.into()]
    };
    let list = columns("step, validation perplexity, of the start [x], verdict");
    out.measured_table("Every step, guarded", &list, records.iter().map(row).collect());
    (end, chosen, records)
}

/// What one round measured, in seconds: the way from the naive start to the end, step by step; the backend alone; and
/// the factor of each step by leaving it out.
struct Round {
    way: Vec<f64>,
    backend_alone: f64,
    factors: Vec<f64>,
}

fn measure_rounds(
    study: &Study,
    models: &[[Gpt; 2]; 2],
    kept: [bool; 4],
    out: &mut Reporter,
) -> Result<Vec<Round>, GenerateError> {
    let seconds = |on: &[bool]| {
        let on: Vec<bool> = on.iter().zip(kept).map(|(on, kept)| *on && kept).collect();
        study.seconds(models, &on)
    };
    seconds(&[true; 4])?; // To warm up; an error would show here.
    let round = |number: usize, out: &mut Reporter| -> Result<Round, GenerateError> {
        let first = |steps: usize| seconds(&[0, 1, 2, 3].map(|step| step < steps));
        // Every second round goes the way backwards.
        let mut order: Vec<usize> = (0..=STEPS.len()).collect();
        if !number.is_multiple_of(2) {
            order.reverse();
        }
        let mut way = vec![0.0; order.len()];
        for steps in order {
            way[steps] = first(steps)?;
        }
        let rate = |on: &[bool]| seconds(on).map_or(f64::NAN, |seconds| 1.0 / seconds);
        let factors = leave_one_out(STEPS.len(), rate);
        out.progress("rounds", number as u64 + 1, ROUNDS as u64);
        Ok(Round { way, backend_alone: seconds(&[false, false, false, true])?, factors })
    };
    (0..ROUNDS).map(|number| round(number, out)).collect()
}

/// Reports the waterfall and each step's worth; returns the speed-up of the whole.
fn report_rounds(rounds: &[Round], kept: [bool; 4], out: &mut Reporter) -> f64 {
    let rng = &mut Rng::seeded(BOOTSTRAP);
    let mut interval = |of: &dyn Fn(&Round) -> f64| {
        let values: Vec<f64> = rounds.iter().map(of).collect();
        let Interval { low, estimate, high } = bootstrap(&values, median, 0.95, rng);
        [low, estimate, high]
    };
    let last = STEPS.len();
    let speedups: Vec<[f64; 3]> = (0..=last)
        .map(|at| interval(&|round| improvement(round.way[0], round.way[at], Better::Lower)))
        .collect();
    let factors: Vec<[f64; 3]> = (0..last).map(|at| interval(&|round| round.factors[at])).collect();
    let parts = shares(&speedups.iter().map(|speedup| speedup[1]).collect::<Vec<_>>());
    let name =
        |at: usize| if kept[at] { STEPS[at].to_owned() } else { format!("{} (off)", STEPS[at]) };
    let row = |at: usize| -> Vec<Value> {
        let (so_far, alone) = (Value::spread(speedups[at + 1]), Value::spread(factors[at]));
        vec![name(at).into(), so_far, (100.0 * parts[at]).into(), alone]
    };
    let list =
        columns("step, speed-up so far [x], share of the way [%], everything / without it [x]");
    out.measured_table("From the naive start to the end", &list, (0..last).map(row).collect());
    let bars = (0..=last).map(|at| Point {
        x: at as f64,
        y: speedups[at][1],
        spread: Some((speedups[at][0], speedups[at][2])),
        label: Some(if at == 0 { "start".to_owned() } else { name(at - 1) }),
    });
    out.chart(Chart {
        title: "Waterfall: the speed-up after each step".to_owned(),
        kind: ChartKind::Bar,
        x: Axis::linear("step", ""),
        y: Axis::log("tokens in a second, against the start", "x"),
        series: vec![Series { name: "speed-up".to_owned(), points: bars.collect() }],
        origin: Origin::Measured,
    });
    let alone = interval(&|round| improvement(round.way[0], round.backend_alone, Better::Lower));
    // With int8 and pruning on: whether they change the speed is in the table.
    let apart = [speedups[1][1], alone[1]];
    let (total, product) = (speedups[last], apart[0] * apart[1]);
    out.measured("cache alone", apart[0], "x");
    out.measured("backend alone", apart[1], "x");
    out.measured("together against their product", overlap(&apart, total[1]), "x");
    let steps: Vec<(&str, [f64; 3])> =
        (0..last).filter(|at| kept[*at]).map(|at| (STEPS[at], factors[at])).collect();
    out.insight(integration_insight(total, &steps, [product, total[1]]));
    total[1]
}

/// What the resamples begin with.
const BOOTSTRAP: u64 = 20;

/// Everything that is needed to check the result, and to measure it again.
fn submit(
    study: &Study,
    end: &Gpt,
    is_int8: bool,
    rounds: &[Round],
    quality: [f64; 2],
) -> Result<Submission, Box<dyn Error>> {
    let new = study.new_tokens();
    let count = |model: &Gpt, is_int8, backend: Arc<dyn Backend>, is_cached| {
        let (ids, passed) = write_tokens(model, &backend, is_cached, (&study.prompt, new))?;
        let positions = passed as f64 / ids.len() as f64;
        let counts = counted(model, is_int8)?;
        Ok::<_, Box<dyn Error>>(Evidence { positions, backend: backend.name(), ..counts })
    };
    let start = count(&study.model, false, Arc::new(PlainLoops), false)?;
    let mut submission = Submission {
        schema: String::new(),
        checksum: String::new(),
        task: format!("greedy text of {new} tokens by {}", study.model.name()),
        data: format!("dialogue.tsv {:08x}", checksum(DIALOGUE_TSV.as_bytes())),
        engine: format!("{ENGINE}, model {:08x}", checksum(&dense_file(&study.model))),
        machine: machine(),
        seeds: Seeds { training: Study::SEED, bootstrap: BOOTSTRAP },
        tokens: new,
        pairs: rounds.iter().map(|round| [round.way[0], round.way[STEPS.len()]]).collect(),
        quality,
        allowed: Study::ALLOWED,
        counted: [start, count(end, is_int8, fast_kernels(), true)?],
        score: [0.0; 3],
        techniques: vec![],
    };
    (submission.score, submission.techniques) = (scored(&submission), detected(&submission));
    Ok(sealed(submission))
}

fn machine() -> String {
    let cores = tinytorch::threads::cores();
    format!("{} {}, {cores} cores", std::env::consts::OS, std::env::consts::ARCH)
}

// %% nbgrader={"grade": false, "grade_id": "capstone-analyze-length", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How does the speed-up depend on the length of the text?
///
/// Purpose: see that a speed-up belongs to a task. Measured: five pairs each of the naive start and of cache and
/// backend together, for texts of 16 to 64 tokens; weights are random, because time does not depend on them. Key
/// insight: the naive start reads everything again for each token, so its disadvantage grows with the length.
/// Production context: a figure without its task, or a task chosen for its figure, is advertising.
pub fn analyze_speedup_by_length(out: &mut Reporter) {
    let (mut points, mut ends, mut rows) = (vec![], vec![], vec![]);
    let lengths = [16, 32, 64];
    for (done, length) in lengths.into_iter().enumerate() {
        let rng = &mut Rng::seeded(3);
        let model = Gpt::new(Study::config(384, length + 1), rng);
        let seconds = |backend: Arc<dyn Backend>, is_cached| {
            let start = Instant::now();
            let written = write_tokens(&model, &backend, is_cached, (&[1], length));
            written.map_or(f64::NAN, |_| start.elapsed().as_secs_f64())
        };
        let naive = || seconds(Arc::new(PlainLoops), false);
        let pairs = measure_pairs(1, 5, naive, || seconds(fast_kernels(), true));
        let found = speedup(&pairs, 0.95, rng);
        points.extend(pairs.iter().map(|pair| (length as f64, pair.baseline / pair.entry)));
        let rate = |seconds: Vec<f64>| length as f64 / median(&seconds);
        let start = rate(pairs.iter().map(|pair| pair.baseline).collect());
        let end = rate(pairs.iter().map(|pair| pair.entry).collect());
        rows.push(vec![length.into(), start.into(), end.into(), found.into()]);
        ends.push([found.low, found.estimate, found.high]);
        out.progress("lengths", done as u64 + 1, lengths.len() as u64);
    }
    let list = columns("new tokens, naive start [tokens/s], end [tokens/s], speed-up [x]");
    out.measured_table("Speed by length", &list, rows);
    let curve = lengths.iter().zip(&ends).map(|(length, end)| (*length as f64, end[1]));
    let (x, y) = (Axis::log("new tokens", ""), Axis::log("speed-up", "x"));
    out.measured_chart("Speed-up by length", x, y, vec![Series::new("median", curve)]);
    let power = exponent(&points);
    out.measured("exponent of the speed-up by length", power, "");
    out.insight(length_insight(power, ends[0], ends[lengths.len() - 1]));
}

// %% nbgrader={"grade": false, "grade_id": "capstone-analyze-production", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Which budgets does the model meet, before and after?
///
/// Purpose: decide by limits, not by factors. Measured: the bytes of the file, those of weights and cache, the
/// seconds until the first token, and the 95th percentile of the seconds between two tokens, at the naive start and
/// at the end; beside the budgets of three made-up devices. Weights are random: neither time nor memory depends on
/// them, and the files are only as small as those of random numbers. Key insight: the tightest limit decides, and a
/// factor elsewhere does not help it. Production context: budgets are written down before the first measurement.
pub fn analyze_production(out: &mut Reporter) {
    if let Err(error) = produce(out) {
        out.note(format!("The budgets could not be checked: {error}"));
    }
}

fn produce(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let start = Gpt::new(Study::config(384, 96), &mut Rng::seeded(3));
    let end = pruned(&rounded(&start), 0.3);
    let before = costs(&start, false, Arc::new(PlainLoops))?;
    let after = costs(&end, true, fast_kernels())?;
    let names = ["file", "memory", "first token", "between tokens"];
    // A file in bytes, memory in bytes, seconds until the first token, seconds between two tokens.
    let devices = [
        ("a watch", [2e5, 2e6, 0.5, 0.05]),
        ("a phone", [1e6, 1e7, 0.1, 0.01]),
        ("a sensor", [2e4, 2e5, 1.0, 0.5]),
    ];
    let list = columns("device, file [B], memory [B], first token [s], p95 between tokens [s]");
    let row = |(name, figures): (&str, [f64; 4])| {
        [vec![name.into()], figures.map(Value::from).to_vec()].concat()
    };
    let rows = devices.map(row).to_vec();
    out.computed_table("What the devices allow", "made-up budgets", &list, rows);
    let budget = |found: [f64; 4], allowed: [f64; 4]| {
        let line = |at: usize| Limit { name: names[at], found: found[at], allowed: allowed[at] };
        tightest(&[0, 1, 2, 3].map(line)).unwrap_or(("nothing", 0.0))
    };
    let (mut rows, mut verdicts) = (vec![], vec![]);
    for (device, allowed) in devices {
        let [first, last] = [before, after].map(|found| budget(found, allowed));
        let text = |(name, room): (&str, f64)| {
            let verdict = if room >= 1.0 { "met" } else { "missed" };
            format!("{verdict}; tightest: {name}, {room:.2} times")
        };
        rows.push(vec![device.into(), text(first).into(), text(last).into()]);
        verdicts.push((device, first.1 >= 1.0, last));
    }
    let list = columns("model, file [B], memory [B], first token [s], p95 between tokens [s]");
    let found = [("naive start", before), ("end", after)].map(row).to_vec();
    out.measured_table("What it costs", &list, found);
    let list = columns("device, naive start, end");
    out.measured_table("Budgets", &list, rows);
    out.measured(
        "file of the start against the end",
        improvement(before[0], after[0], Better::Lower),
        "x",
    );
    out.insight(production_insight(&verdicts));
    Ok(())
}

/// File, memory, seconds until the first token, and the 95th percentile between two tokens.
fn costs(
    model: &Gpt,
    is_small: bool,
    backend: Arc<dyn Backend>,
) -> Result<[f64; 4], Box<dyn Error>> {
    let file = counted(model, is_small)?.bytes;
    let (prompt, new) = ([1; 32], 48);
    let (greedy, rng) = (Sampler::default().temperature(0.0), &mut Rng::seeded(0));
    let begun = Instant::now();
    let mut stamps = vec![];
    let mut on_token = |_| stamps.push(begun.elapsed().as_secs_f64());
    let weights: usize = model.parameters().iter().map(|tensor| tensor.nbytes()).sum();
    let cache = with_backend(backend, || {
        if is_small {
            let mut cached = enable_kv_cache(model);
            generate_cached(&mut cached, &prompt, new, &greedy, rng, &mut on_token)?;
            return Ok::<_, GenerateError>(cached.cache().reserved_bytes());
        }
        generate(model, &prompt, new, &greedy, rng, &mut on_token).map(|_| 0)
    })?;
    let gaps: Vec<f64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let between = percentile(&gaps, 95).unwrap_or(f64::NAN);
    Ok([file as f64, (weights + cache) as f64, stamps[0], between])
}

// %% nbgrader={"grade": true, "grade_id": "test-capstone-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A small pipeline, with random weights: the same tokens at every step that promises it, and a submission that is
/// believed as it is, refused when it is edited, and confirmed by a second one.
#[test]
fn test_module() {
    use tinytorch::compression::decode_model;
    use tinytorch::testing::{expect_eq, expect_named};

    let config = GptConfig { vocab_size: 20, context: 24, dim: 16, layers: 1, heads: 2 };
    let model = Gpt::new(config, &mut Rng::seeded(4));
    let task = (&[1, 2, 3][..], 20);
    let fast: Arc<dyn Backend> = Arc::new(OptimizedBackend::detect());
    let plain: Arc<dyn Backend> = Arc::new(PlainLoops);
    let run = |model: &Gpt, backend, is_cached| {
        write_tokens(model, backend, is_cached, task).expect("20 tokens")
    };
    let (tokens, passed) = run(&model, &plain, false);
    let (same, fewer) = run(&model, &fast, true);
    expect_eq("cache and backend", &same, &tokens, "neither of the two changes a token");
    expect_eq("positions", [passed, fewer], [250, 22], "the cache computes each position once");

    let ids = ids_tensor(&tokens, &[1, 20]);
    let difference = |other: &Gpt| {
        let change = model.forward(&ids) - other.forward(&ids);
        f64::from(change.to_vec().into_iter().fold(0.0, |most, x| x.abs().max(most)))
    };
    let steps = [
        Step { name: "int8".into(), apply: Box::new(rounded) },
        Step { name: "pruning".into(), apply: Box::new(|model: &Gpt| pruned(model, 0.95)) },
    ];
    let guard = Guard { start: 1.0, allowed: 0.5 };
    let (end, records) =
        run_pipeline(model.clone(), &steps, &guard, |model| 1.0 + difference(model));
    let kept: Vec<bool> = records.iter().map(|record| record.kept).collect();
    expect_eq(
        "int8, then pruning by 0.95",
        kept,
        vec![true, false],
        "8 bits are enough, 5 % of the weights are not",
    );
    let mut read = model.clone();
    let file = encode_model(&end).expect("a file");
    decode_model("end.bin", &file, &mut read).expect("the file of this model");
    expect_eq(
        "bytes",
        3 * file.len() < dense_file(&model).len(),
        true,
        "the file is less than a third",
    );
    expect_eq(
        "the model in the file",
        difference(&read) < 0.5,
        true,
        "what is submitted is what the file holds",
    );

    let mut submission = Submission::example();
    (submission.score, submission.techniques) = (scored(&submission), detected(&submission));
    let submission = sealed(submission);
    let text = submission.to_json();
    let read = Submission::from_json(&text);
    expect_eq("as JSON and back", read.as_ref().map(check), Ok(vec![]), "it can be believed");
    let edited = text.replace("\"tokens\": 100", "\"tokens\": 1000");
    let faults = Submission::from_json(&edited).map(|edited| check(&edited));
    let fields = faults.map(|faults| faults.iter().map(|fault| fault.field.clone()).collect());
    expect_eq("an edited file", fields, Ok(vec!["checksum".to_owned()]), "an edit shows");
    let missing = Submission::from_json(&text.replace("\"allowed\"", "\"alowed\""));
    let message = missing.err().map_or_else(String::new, |fault| fault.to_string());
    expect_named(&message, &["alowed"], "a field that nothing knows is named");
    let [low, estimate, high] = submission.score;
    let first = Interval { low, estimate, high };
    let second = Interval { estimate: 0.7 * estimate, ..first };
    expect_eq("measured again", confirms(first, second, 2.0), true, "it is within the bound");
}

// %% nbgrader={"grade": false, "grade_id": "capstone-given", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The score that follows from the pairs of a submission, at a confidence of 0.95.
pub fn scored(submission: &Submission) -> [f64; 3] {
    let pairs: Vec<Pair> =
        submission.pairs.iter().map(|&[baseline, entry]| Pair { baseline, entry }).collect();
    let Interval { low, estimate, high } =
        speedup(&pairs, 0.95, &mut Rng::seeded(submission.seeds.bootstrap));
    [low, estimate, high]
}

/// The techniques that the counts of a submission show.
pub fn detected(submission: &Submission) -> Vec<String> {
    let [start, end] = &submission.counted;
    techniques(end, start).iter().map(|found| format!("{found:?}")).collect()
}

/// The naive start: each number of a product by itself, in the loops i, j, k of lesson 01, and nothing else.
pub struct PlainLoops;

impl Backend for PlainLoops {
    fn name(&self) -> String {
        "i-j-k loops".to_owned()
    }

    fn matmul(&self, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) -> bool {
        for (i, row) in out.chunks_exact_mut(b.columns).enumerate() {
            for (j, sum) in row.iter_mut().enumerate() {
                for k in 0..a.columns {
                    *sum += a.at(i, k) * b.at(k, j);
                }
            }
        }
        true
    }
}

/// The steps that can be switched on, in the order of the pipeline.
pub const STEPS: [&str; 4] = ["KV cache", "int8", "pruning", "backend"];

/// The model with every matrix rounded to 8 bits and back, as its file holds it.
pub fn rounded(model: &Gpt) -> Gpt {
    let mut model = model.clone();
    for parameter in model.parameters_mut().into_iter().filter(|parameter| parameter.ndim() > 1) {
        *parameter = dequantize_int8(&quantize_int8(parameter));
    }
    model
}

/// The model with this fraction of its weights set to 0.
pub fn pruned(model: &Gpt, sparsity: f32) -> Gpt {
    let mut model = model.clone();
    MagnitudePruner::new(sparsity).prune(&mut model);
    model
}

/// Generates greedily, with or without a cache, on a backend. Returns the tokens, and how many positions passed
/// through the model.
pub fn write_tokens(
    model: &Gpt,
    backend: &Arc<dyn Backend>,
    is_cached: bool,
    (prompt, new_tokens): (&[Id], usize),
) -> Result<(Vec<Id>, usize), GenerateError> {
    let (greedy, rng) = (Sampler::default().temperature(0.0), &mut Rng::seeded(0));
    with_backend(backend.clone(), || {
        if !is_cached {
            let ids = generate(model, prompt, new_tokens, &greedy, rng, |_| ())?;
            return Ok((ids, positions_without_cache(prompt.len(), new_tokens)));
        }
        let mut cached = enable_kv_cache(model);
        let ids = generate_cached(&mut cached, prompt, new_tokens, &greedy, rng, |_| ())?;
        Ok((ids, cached.positions_passed()))
    })
}

// %% nbgrader={"grade": false, "grade_id": "capstone-study", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A GPT that was trained on the dialogues of the course as one long text, and the sets to judge it by.
pub struct Study {
    /// The trained model.
    pub model: Gpt,
    /// Chooses and guards.
    pub validation: Vec<(Tensor, Tensor)>,
    /// Is looked at once, at the end.
    pub test: Vec<(Tensor, Tensor)>,
    /// The beginning of the text to be written.
    pub prompt: Vec<Id>,
}

impl Study {
    const CONTEXT: usize = 96;
    /// How often a short run is repeated.
    const REPEATS: usize = 5;
    const SEED: u64 = 1;
    const ALLOWED: f64 = 0.05;

    /// Trains it for this many epochs, on the fast backend: how it was trained changes nothing of what is measured.
    pub fn trained(epochs: usize, out: &mut Reporter) -> Result<Self, Box<dyn Error>> {
        const RATE: f32 = 0.006;
        let (tokenizer, rng) =
            (BpeTokenizer::train(training_text().as_bytes(), 384)?, &mut Rng::seeded(Self::SEED));
        let config = Self::config(tokenizer.vocab_size(), Self::CONTEXT);
        let joined = |pairs: Vec<dialogue::Pair>| {
            let lines: Vec<String> = pairs.iter().map(|pair| format!("{pair}\n")).collect();
            tokenizer.encode(&lines.concat())
        };
        let held_out = |split| {
            let ids = joined(dialogue::pairs(split).collect());
            next_token_batches(&[ids], Self::CONTEXT, 4, &mut Rng::seeded(0))
        };
        let schedule = CosineSchedule { max_rate: RATE, min_rate: RATE / 10.0, epochs };
        let trainer = Trainer::new(Gpt::new(config, rng), AdamW::new(RATE), CrossEntropyLoss);
        let mut trainer = trainer.with_schedule(schedule).with_clipping(1.0);
        with_backend(fast_kernels(), || -> Result<(), Box<dyn Error>> {
            for epoch in 0..epochs {
                let mut pairs: Vec<dialogue::Pair> = dialogue::pairs(Split::Train).collect();
                rng.shuffle(&mut pairs);
                trainer.train_epoch(next_token_batches(&[joined(pairs)], Self::CONTEXT, 1, rng))?;
                out.progress("epochs", epoch as u64 + 1, epochs as u64);
            }
            Ok(())
        })?;
        Ok(Self {
            model: Gpt::from_trainer(trainer)?,
            validation: held_out(Split::Validation),
            test: held_out(Split::Test),
            prompt: tokenizer.encode("Q: What is the opposite of heavy?\nA:"),
        })
    }

    fn config(vocab_size: usize, context: usize) -> GptConfig {
        GptConfig { vocab_size, context, dim: 96, layers: 1, heads: 4 }
    }

    /// How many tokens fill the context.
    pub fn new_tokens(&self) -> usize {
        self.model.config.context - self.prompt.len()
    }

    fn perplexity(&self, model: &Gpt, set: &[(Tensor, Tensor)]) -> f64 {
        f64::from(perplexity(with_backend(fast_kernels(), || mean_loss(model, set))))
    }

    /// What one run takes, in which these of the [`STEPS`] are on; `models` has the model for each combination of
    /// int8 and pruning. Runs with a cache are short, and one interruption would be most of their time: of these, the
    /// mean of several in a row.
    fn seconds(&self, models: &[[Gpt; 2]; 2], on: &[bool]) -> Result<f64, GenerateError> {
        let backend = if on[3] { fast_kernels() } else { Arc::new(PlainLoops) };
        let model = &models[usize::from(on[1])][usize::from(on[2])];
        let repeats = if on[0] { Self::REPEATS } else { 1 };
        let start = Instant::now();
        for _ in 0..repeats {
            write_tokens(model, &backend, on[0], (&self.prompt, self.new_tokens()))?;
        }
        Ok(start.elapsed().as_secs_f64() / repeats as f64)
    }
}

/// The kernels of lesson 18.
fn fast_kernels() -> Arc<dyn Backend> {
    Arc::new(OptimizedBackend::detect())
}

/// The parameters of a model, how many of them are 0, and the bytes of its file, with 8 or 32 bits for each number.
fn counted(model: &Gpt, is_int8: bool) -> Result<Evidence, Box<dyn Error>> {
    let tensors = model.parameters();
    let zeros = tensors.iter().map(|tensor| tensor.data().iter().filter(|x| **x == 0.0).count());
    let file = if is_int8 { encode_model(model)? } else { dense_file(model) };
    Ok(Evidence {
        parameters: tensors.iter().map(|tensor| tensor.numel()).sum(),
        zeros: zeros.sum(),
        bytes: file.len(),
        ..Evidence::default()
    })
}

// %% nbgrader={"grade": false, "grade_id": "capstone-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Why two factors must not be multiplied.
///
/// The time of a made-up program has three parts: one that only A makes faster, one that only B makes faster, and one
/// that either of them makes faster, but not both. What is left, neither touches. With nothing shared, both together are
/// even more than the product: once one has run, the other one's part is a larger share. Now raise the shared part.
pub fn explore_overlap(figure: &mut Explorer) {
    let only_a = figure.number("only A", 0.1, 0.0..=0.25, 0.05);
    let only_b = figure.number("only B", 0.05, 0.0..=0.25, 0.05);
    let shared = figure.number("shared", 0.0, 0.0..=0.5, 0.05);
    let a = figure.number("factor of A", 10.0, 1.0..=100.0, 1.0);
    let b = figure.number("factor of B", 4.0, 1.0..=100.0, 1.0);
    let rest = 1.0 - only_a - only_b - shared;
    let time = |a: f64, b: f64| only_a / a + only_b / b + shared / a.max(b) + rest;
    let rates = [1.0, time(a, 1.0), time(1.0, b), time(a, b)].map(f64::recip);
    let names = ["neither", "A alone", "B alone", "both"];
    let product = rates[1] * rates[2];
    let bars = names.iter().chain([&"A x B"]).zip(rates.iter().chain([&product]));
    let points = bars.enumerate().map(|(at, (name, &rate))| Point {
        x: at as f64,
        y: rate,
        label: Some((*name).to_owned()),
        ..Point::default()
    });
    let origin =
        Origin::Computed("time = only A / a + only B / b + shared / max(a, b) + rest".into());
    figure.chart(Chart {
        title: "Speed, against neither".to_owned(),
        kind: ChartKind::Bar,
        x: Axis::linear("techniques", ""),
        y: Axis::linear("speed", "x"),
        series: vec![Series { name: "speed".to_owned(), points: points.collect() }],
        origin,
    });
    let left = leave_one_out(2, |on| {
        let factor = |at: usize, factor: f64| if on[at] { factor } else { 1.0 };
        time(factor(0, a), factor(1, b)).recip()
    });
    let row = |(name, alone, without): (&str, f64, f64)| -> Vec<Value> {
        vec![name.into(), alone.into(), without.into()]
    };
    let rows = [("A", rates[1], left[0]), ("B", rates[2], left[1])].map(row).to_vec();
    let list = columns("technique, alone [x], both / without it [x]");
    figure.computed_table("What each is worth", "the times above", &list, rows);
    figure.insight(overlap_insight([rates[1], rates[2]], rates[3]));
}

// %% nbgrader={"grade": false, "grade_id": "capstone-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let out = &mut Reporter::stdout();
    analyze_integration(out);
    analyze_speedup_by_length(out);
    analyze_production(out);
}

// %% nbgrader={"grade": false, "grade_id": "capstone-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
