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

// %% nbgrader={"grade": false, "grade_id": "training-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Module 07, Training: the loop that turns batches into a trained model, and checkpoints to resume it.
//!
//! In: a model, an optimizer, a loss, and batches `(inputs (B, ...), targets (B, ...))` from any iterator. Out: a
//! trained model, its history, and checkpoint files. Wrong labels, shapes and files are refused with a [`TrainingError`]
//! that names the thing, the place and the fix. By hand: one weight of 2, the inputs 1 and 2, targets of 0 and the squared
//! error have the loss 10 and the gradient 10. Not here: where batches come from (08), the bytes of a file (`bytes`).

use std::fmt;
use std::io::Write;
use std::path::Path;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, Gradients, no_grad, track};
use tinytorch::bytes::{Fault, Format, Shaped};
use tinytorch::data::moons;
use tinytorch::insights::training::{accumulation_insight, overfitting_insight};
use tinytorch::insights::training::{schedule_insight, stopping_insight};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, IGNORED, Loss, MSELoss};
use tinytorch::optimizers::{Adam, Optimizer, OptimizerState, SGD, Slot};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Reporter, Series, Value, columns};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Ratio, memory, quartiles, sample_error, time};

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Training
//
// One step of training is: forward pass, loss, backward pass, gradient clipping, optimizer step.
// You write these parts, the loop over an epoch, the evaluation on data that was not trained on,
// and checkpoints from which a run continues as if it had never stopped.

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-three", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Part 1: three sets
//
// What a model was trained on says nothing about what it does with anything else. So the samples are
// divided before anything is learned: to train, to choose, and to judge once at the end.

// %% nbgrader={"grade": false, "grade_id": "training-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Divides the samples 0 to `count - 1` at random: those for training, then `validation` and `test` many.
///
/// TODO: Find the fault in these lines, which a colleague wrote, and write them correctly. The validation loss is good
/// even for a model that has only memorized its training samples.
///
/// ```text
/// let mut draw = |size| (0..size).map(|_| rng.below(count)).collect();
/// [draw(count - validation - test), draw(validation), draw(test)]
/// ```
///
/// APPROACH:
/// 1. Ask how often one and the same sample can appear in the three lists.
/// 2. Bring all samples into a random order once, and cut that order into three parts.
///
/// EXAMPLE: 10 samples, 2 for validation and 1 for the test: 7, 2 and 1 numbers, together each from 0 to 9 once.
///
/// HINTS:
/// - `rng.shuffle` changes the order of a list in place; `split_off` cuts a list in two.
#[must_use]
pub fn three_sets(count: usize, validation: usize, test: usize, rng: &mut Rng) -> [Vec<usize>; 3] {
    assert!(
        validation + test < count,
        "three_sets: {count} samples leave nothing to train on beside {validation} for validation and \
         {test} for the test"
    );
    todo!("training-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-training-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every sample is in exactly one set, the sizes are those asked for, and the order is random.
#[test]
fn test_unit_three_sets() {
    use tinytorch::testing::expect_eq;
    let sets = three_sets(100, 20, 10, &mut Rng::seeded(1));
    let input = "100 samples, 20 for validation, 10 for the test";
    let asked = "as many as asked for, in the order train, validation, test";
    expect_eq(input, sets.each_ref().map(Vec::len), [70, 20, 10], asked);
    let mut all: Vec<usize> = sets.concat();
    all.sort_unstable();
    let once = "each sample is in exactly one set: a sample in two of them leaks";
    expect_eq(input, all, (0..100).collect(), once);
    let late = sets[1].iter().chain(&sets[2]).filter(|&&sample| sample >= 70).count();
    let random = "shuffle before the cut: samples that are stored in order would be cut by class";
    assert!((1..30).contains(&late), "{random}: {late} of 30 come from the end");
    let other = three_sets(100, 20, 10, &mut Rng::seeded(2));
    assert!(sets != other, "{random}: another seed must give another order");
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-rate", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Part 2: the learning rate and the size of a step

// %% nbgrader={"grade": false, "grade_id": "training-schedule-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A learning-rate schedule that falls along half a cosine wave (Loshchilov and Hutter, 2017).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineSchedule {
    /// The learning rate of epoch 0.
    pub max_rate: f32,
    /// The learning rate from epoch `epochs` on.
    pub min_rate: f32,
    /// How many epochs the learning rate falls.
    pub epochs: usize,
}

// %% nbgrader={"grade": false, "grade_id": "cosine-schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl CosineSchedule {
    /// The learning rate of an epoch: half a cosine wave from `max_rate` at epoch 0 to `min_rate` at `epochs`.
    ///
    /// TODO: Compute the rate; from `epochs` on it stays at the minimum.
    ///
    /// APPROACH:
    /// 1. Deal with the epochs from `epochs` on first. That also covers a schedule of 0 epochs.
    /// 2. The progress is the part of all epochs that is over, a number from 0 to 1. A cosine of pi times the progress
    ///    falls from 1 to -1: make of it a weight that falls from 1 to 0, and mix the two rates with it.
    ///
    /// EXAMPLE: From 0.1 to 0.0 in 10 epochs: 0.1 at epoch 0, 0.05 at epoch 5, 0.0 at epoch 10.
    ///
    /// HINTS:
    /// - Both numbers are `usize`: convert them before you divide. Pi is a constant of `std::f32::consts`.
    pub fn learning_rate(&self, epoch: usize) -> f32 {
        todo!("cosine-schedule")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-cosine-schedule", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both ends, a quarter and the middle, and beyond the end.
#[test]
fn test_unit_cosine_schedule() {
    use tinytorch::testing::expect_close;
    let schedule = CosineSchedule { max_rate: 0.1, min_rate: 0.01, epochs: 100 };
    let half = "half a cosine wave, from the maximum to the minimum";
    let stays = "from `epochs` on the rate stays at the minimum";
    // cos(pi / 4) = 0.70711: 0.01 + 0.09 * 0.853553.
    let rates = [(0, 0.1, half), (25, 0.086_819_8, half), (50, 0.055, half)];
    for (epoch, wanted, idea) in rates.into_iter().chain([100, 1000].map(|e| (e, 0.01, stays))) {
        let input = format!("epoch {epoch} of 100, from 0.1 to 0.01");
        expect_close(input, &[schedule.learning_rate(epoch)], &[wanted], 1e-6, idea);
    }
    let none = CosineSchedule { epochs: 0, ..schedule };
    expect_close("a schedule of 0 epochs", &[none.learning_rate(0)], &[0.01], 0.0, stays);
}

// %% nbgrader={"grade": false, "grade_id": "clip-grad-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Scales all gradients by one factor so that their norm is at most `max_norm`; returns the norm before. The norm is the
/// length of all gradients taken as one vector, so the direction of the step stays.
///
/// TODO: Compute the norm, and scale if it is too large.
///
/// APPROACH:
/// 1. Sum the squares of every value of every gradient, in `f64`. The square root of the sum is the norm.
/// 2. If it is above `max_norm`, scale so that it becomes `max_norm`.
///
/// EXAMPLE: The gradients `[3]` and `[4]` have norm 5; with a `max_norm` of 1 they become `[0.6]` and `[0.8]`.
///
/// HINTS:
/// - [`Gradients::iter`] yields pairs of an id and a gradient, and [`Gradients::scale`] scales them all.
/// - A norm of 0 is never above `max_norm`, so nothing is divided by 0.
pub fn clip_grad_norm(gradients: &mut Gradients, max_norm: f32) -> f32 {
    todo!("clip-grad-norm")
}

// %% nbgrader={"grade": true, "grade_id": "test-clip-grad-norm", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A large norm is scaled down by one factor, a small one is left alone.
#[test]
fn test_unit_clip_grad_norm() {
    use tinytorch::testing::expect_close;
    let (a, b) = (Tensor::scalar(1.0).tracked(), Tensor::scalar(1.0).tracked());
    let before = "the norm before clipping: the root of the sum of squares";
    let one = "one factor for all, which makes the norm max_norm and keeps the direction";
    let keep = "gradients with a norm up to max_norm must not change";
    for (max_norm, wanted, idea) in
        [(1.0, [0.6, 0.8], one), (5.0, [3.0, 4.0], keep), (100.0, [3.0, 4.0], keep)]
    {
        let mut gradients = (&(&a * 3.0) + &(&b * 4.0)).backward();
        let input = format!("the gradients 3 and 4, max_norm {max_norm}");
        expect_close(&input, &[clip_grad_norm(&mut gradients, max_norm)], &[5.0], 1e-6, before);
        let values = [&a, &b].map(|leaf| gradients.get(leaf).map_or(f32::NAN, Tensor::item));
        expect_close(&input, &values, &wanted, 1e-6, idea);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-loop", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Part 3: the training loop

// %% nbgrader={"grade": false, "grade_id": "training-errors", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is nothing to train on or to evaluate.
    Empty,
    /// Prediction and target do not fit together.
    Shape,
    /// A class number does not exist.
    Label,
    /// A loss or gradient is infinite or NaN.
    NotFinite,
    /// The source of the batches failed.
    Data,
    /// The file could not be read or written.
    File,
    /// The file is no checkpoint that this program can read.
    Unreadable(Fault),
    /// The checkpoint belongs to a different model or optimizer.
    OtherModel,
}

/// What went wrong: a kind for programs, a message for people.
#[derive(Debug, Clone)]
pub struct TrainingError {
    /// The kind.
    pub kind: ErrorKind,
    /// The thing, the place and the fix.
    pub message: String,
}

impl TrainingError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kind of the error with which something was refused; nothing if it was accepted.
pub fn refusal<T>(result: Result<T, TrainingError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

// %% nbgrader={"grade": false, "grade_id": "training-trainer-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What can be a batch: a pair, a reference to a pair, or the `Result` of loading one.
pub trait IntoBatch {
    /// Inputs `(B, ...)` and targets `(B, ...)`, or why there are none.
    fn into_batch(self) -> Result<(Tensor, Tensor), TrainingError>;
}

/// The course of the training so far, epoch by epoch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Mean training loss of each epoch.
    pub train_loss: Vec<f32>,
    /// Learning rate of each epoch.
    pub learning_rates: Vec<f32>,
    /// Each evaluation: after how many epochs, and its loss.
    pub eval_loss: Vec<(usize, f32)>,
}

/// Gradients accumulated for the next step, which may take several batches.
#[derive(Default)]
pub struct Pending {
    /// The sum of the gradients, each times its number of samples.
    pub gradients: Gradients,
    /// How many samples they come from, without those whose target is `IGNORED`.
    pub samples: usize,
    /// How many batches they come from.
    pub batches: usize,
}

/// The number of samples that a mean loss is taken over: as PyTorch's, without class numbers that are `IGNORED`.
pub fn counted_targets(prediction: &Tensor, target: &Tensor) -> usize {
    match prediction.shape() == target.shape() {
        true => target.shape().first().copied().unwrap_or(1),
        false => target.data().iter().filter(|&&class| class != IGNORED).count(),
    }
}

/// Trains one model with one optimizer and one loss. Given: `set_training(bool)` switches layers such as dropout, and
/// `not_finite(what, value)` is the error for a loss or a gradient norm that is infinite or NaN.
pub struct Trainer {
    /// The model.
    pub model: Box<dyn Layer>,
    /// What updates it.
    pub optimizer: Box<dyn Optimizer>,
    /// What is minimised.
    pub loss: Box<dyn Loss>,
    /// The learning rate of each epoch; without a schedule that of the optimizer stays.
    pub schedule: Option<CosineSchedule>,
    /// The largest gradient norm; larger ones are clipped.
    pub max_norm: f32,
    /// How many batches are accumulated for one step.
    pub accumulation: usize,
    /// Completed epochs.
    pub epoch: usize,
    /// Completed steps.
    pub step: usize,
    /// The course of the training so far.
    pub history: History,
    training: bool,
}

// %% nbgrader={"grade": false, "grade_id": "check-batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Refuses targets that do not fit the prediction.
///
/// TODO: Accept what a loss can work with, and explain everything else.
///
/// APPROACH:
/// 1. No values at all: [`ErrorKind::Empty`].
/// 2. Equal shapes are right. So are class numbers `(B)` for a prediction `(B, C)` with `C > 1`, if each is a whole
///    number from 0 to `C - 1`: the first that is not is an [`ErrorKind::Label`], with the label, its index and `C`. A
///    target that is `IGNORED` does not count (lesson 04).
/// 3. Everything else is [`ErrorKind::Shape`], with both shapes in the message.
///
/// EXAMPLE: A prediction `(32, 10)` fits a target `(32, 10)`, and a target `(32)` with values 0 to 9.
///
/// HINTS:
/// - `(32, 1)` against `(32)` would silently broadcast to `(32, 32)`: that is the mistake to catch.
/// - Which labels are wrong? Negative ones, those from `C` on, fractions, and NaN: `fract` is 0 for whole numbers only.
pub fn check_batch(prediction: &Tensor, target: &Tensor) -> Result<(), TrainingError> {
    todo!("check-batch")
}

// %% nbgrader={"grade": true, "grade_id": "test-check-batch", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What fits is accepted; everything else is refused with its reason.
#[test]
fn test_unit_check_batch() {
    use ErrorKind::{Empty, Label, Shape};
    use tinytorch::testing::{expect_eq, expect_error, expect_named};
    let fits = "equal shapes fit, and so do class numbers (B) for a prediction (B, C)";
    let misfit = "shapes that do not fit are an error of the kind Shape: they would broadcast";
    let empty = "an empty batch has no mean: look for it first";
    for (prediction, target, wanted, idea) in [
        (&[3, 4][..], &[3, 4][..], None, fits),
        (&[3, 4], &[2], Some(Shape), misfit),
        (&[3, 1], &[3], Some(Shape), misfit),
        (&[3], &[3, 1], Some(Shape), misfit),
        (&[3, 4], &[3, 5], Some(Shape), misfit),
        (&[0, 4], &[0], Some(Empty), empty),
    ] {
        let checked = check_batch(&Tensor::zeros(prediction), &Tensor::zeros(target));
        let message = checked.as_ref().map_or_else(ToString::to_string, |()| String::new());
        let input = format!("prediction {prediction:?}, target {target:?}");
        expect_eq(input, refusal(checked), wanted, idea);
        let named = prediction.iter().chain(target).all(|n| message.contains(&n.to_string()));
        assert!(wanted != Some(Shape) || named, "both shapes belong in the message: {message}");
    }
    let exists = "a class that does not exist is an error of the kind Label";
    let labels =
        |label| check_batch(&Tensor::zeros(&[3, 4]), &Tensor::new(&[0.0, label, 1.0], &[3]));
    expect_eq("label 3 of 4 classes", refusal(labels(3.0)), None, fits);
    let ignored = "a target that is IGNORED does not count: it needs no class";
    expect_eq("IGNORED", refusal(labels(IGNORED)), None, ignored);
    for label in [4.0, -1.0, 1.5, f32::NAN] {
        let input = format!("label {label} of 4 classes");
        let error = expect_error(&input, || labels(label), exists);
        expect_eq(&input, error.kind, Label, exists);
        let idea = "the label, its index and the number of classes belong in the message";
        expect_named(&error.message, &[&label.to_string(), "1", "4"], idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "process-batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Forward pass, loss and backward pass for one batch; adds its gradient to `pending` and returns its loss.
    ///
    /// TODO: Compute the loss, stop if it is not finite, and add the gradient, weighted by samples.
    ///
    /// APPROACH:
    /// 1. Run the model; `check_batch`. The given `counted_targets` is the number of samples, without those whose target
    ///    is `IGNORED`. If there is none, there is no mean: skip the batch, and return a loss of 0.
    /// 2. Compute the loss. If it is infinite or NaN: `not_finite`, with its value.
    /// 3. Run the backward pass, and scale the gradients by the number of samples.
    /// 4. Add them to those that are pending; count the samples and the batch.
    ///
    /// EXAMPLE: A batch of 32 adds 32 times its mean gradient; a last batch of 5 adds 5 times its own.
    ///
    /// HINTS:
    /// - A mean of means is wrong if batches differ in size. `item` is the number in a loss.
    pub fn process_batch(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        pending: &mut Pending,
    ) -> Result<f32, TrainingError> {
        todo!("process-batch")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-process-batch", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Loss and weighted gradient of a batch that can be worked out by hand.
#[test]
fn test_unit_process_batch() {
    use tinytorch::testing::{expect_eq, expect_return};
    let column = |values: &[f32]| Tensor::new(values, &[values.len(), 1]);
    let (mut trainer, mut pending) = (Trainer::one_weight(), Pending::default());
    // Loss (4 + 16) / 2 and gradient (2*2*1 + 2*4*2) / 2 = 10, then loss 1 and gradient 2*1*1 = 2.
    for (x, y, wanted) in [(&[1.0, 2.0][..], &[0.0, 0.0][..], 10.0), (&[1.0], &[1.0], 1.0)] {
        let loss = trainer.process_batch(&column(x), &column(y), &mut pending).unwrap();
        let idea = "the loss of the batch, as the model and the loss compute it";
        expect_eq(format!("weight 2, inputs {x:?}, targets {y:?}"), loss, wanted, idea);
    }
    let pair = (pending.samples, pending.batches);
    expect_eq("batches of 2 and 1", pair, (3, 2), "count the samples and the batches");
    let gradient = pending.gradients.get(trainer.model.parameters()[0]).map(Tensor::item);
    let weighted = "each gradient counts as often as its batch has samples: 2 * 10 + 1 * 2";
    expect_eq("batches of 2 and 1", gradient, Some(22.0), weighted);

    let finite = "a loss that is not finite is an error, before its gradient is added";
    let first = "check_batch comes before the loss: a list would broadcast against a column";
    let endless = (column(&[f32::INFINITY]), column(&[0.0]), ErrorKind::NotFinite, finite);
    let list = (column(&[1.0, 2.0]), Tensor::zeros(&[2]), ErrorKind::Shape, first);
    for (x, y, kind, idea) in [endless, list] {
        let input = format!("inputs {:?}", x.to_vec());
        let process = || refusal(trainer.process_batch(&x, &y, &mut pending));
        expect_eq(&input, expect_return(&input, process, idea), Some(kind), idea);
    }
    let kept = "a batch that is refused must not be counted";
    expect_eq("two batches and two that were refused", pending.batches, 2, kept);

    // Of three rows one counts, of two rows none.
    let (mut trainer, mut pending) =
        (Trainer::linear_classifier(SGD::new(0.5)), Pending::default());
    let weigh = "a target that is IGNORED does not count: weigh by counted_targets, not by rows";
    let skip = "a batch in which no target counts has no mean: skip it, with a loss of 0";
    for (targets, idea) in [(&[1.0, IGNORED, IGNORED][..], weigh), (&[IGNORED; 2], skip)] {
        let (rows, input) = (targets.len(), format!("targets {targets:?}"));
        let (x, y) = (Tensor::ones(&[rows, 2]), Tensor::new(targets, &[rows]));
        let process = || trainer.process_batch(&x, &y, &mut pending).unwrap();
        let loss = expect_return(&input, process, idea);
        expect_eq(&input, (pending.samples, pending.batches), (1, 1), idea);
        expect_eq(&input, loss == 0.0, idea == skip, "a skipped batch has the loss 0, no other");
    }
}

// %% nbgrader={"grade": false, "grade_id": "update", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// One step with the pending gradients; returns their norm before clipping. Afterwards nothing is pending.
    ///
    /// TODO: Turn the weighted sum into a mean, clip it, and step.
    ///
    /// APPROACH:
    /// 1. Take the pending gradients, and leave an empty `Pending` behind.
    /// 2. Divide them by the number of samples, and clip. A norm that is infinite or NaN is an error: `not_finite`.
    /// 3. Step with the parameters of the model, and count the step.
    ///
    /// EXAMPLE: 64 samples are pending with a sum of 128: the optimizer gets the gradient 2.
    ///
    /// HINTS:
    /// - `std::mem::take` moves a value out and leaves its default. `parameters_mut` borrows what a step changes.
    pub fn update(&mut self, pending: &mut Pending) -> Result<f32, TrainingError> {
        todo!("update")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-update", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A step uses the mean gradient, clipped; nothing is pending afterwards.
#[test]
fn test_unit_update() {
    use tinytorch::testing::{expect_close, expect_eq};
    let two_samples = |trainer: &Trainer, sum: f32| {
        let weight = trainer.model.parameters()[0];
        let gradients = weight.id().map(|id| (id, Tensor::new(&[sum], &[1, 1])));
        Pending { gradients: gradients.into_iter().collect(), samples: 2, batches: 1 }
    };
    // The mean gradient is 10: 2 - 0.1 * 10, or 2 - 0.1 * 1 when clipped.
    for (max_norm, wanted) in [(f32::INFINITY, 1.0), (1.0, 1.9)] {
        let mut trainer = Trainer::one_weight().with_clipping(max_norm);
        let mut pending = two_samples(&trainer, 20.0);
        let norm = trainer.update(&mut pending).unwrap();
        let mean = "divide by the samples: a step uses the mean gradient, and returns its norm";
        expect_eq("two samples with a sum of 20", norm, 10.0, mean);
        expect_eq("one step", trainer.step, 1, "one step is counted");
        let left = (pending.samples, pending.batches, pending.gradients.len());
        expect_eq("after the step", left, (0, 0, 0), "nothing stays pending after a step");
        let weight = trainer.model.parameters()[0].item();
        let idea = "the mean gradient, clipped to max_norm, times the learning rate";
        expect_close(format!("weight 2, max_norm {max_norm}"), &[weight], &[wanted], 1e-6, idea);
    }
    let mut trainer = Trainer::one_weight();
    let mut pending = two_samples(&trainer, f32::INFINITY);
    let refused = refusal(trainer.update(&mut pending));
    let idea = "an infinite gradient must not reach the parameters";
    expect_eq("an infinite gradient", refused, Some(ErrorKind::NotFinite), idea);
    let weight = trainer.model.parameters()[0].item();
    expect_eq("the weight and the steps after it", (weight, trainer.step), (2.0, 0), idea);
}

// %% nbgrader={"grade": false, "grade_id": "train-epoch", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Trains on every batch once; returns the mean loss over all samples.
    ///
    /// TODO: Set mode and learning rate, process every batch, step when enough are pending, record.
    ///
    /// APPROACH:
    /// 1. Switch to training mode; the schedule, if there is one, sets the learning rate of this epoch.
    /// 2. For each batch: `into_batch`, `process_batch`, and add its loss, weighted by the samples that it has added to
    ///    the pending ones, to a total.
    /// 3. When `accumulation` batches are pending, and after the last one if any are left: `update`.
    /// 4. No samples at all: [`ErrorKind::Empty`]. Otherwise count the epoch; its loss and rate go into the history.
    ///
    /// EXAMPLE: 5 batches with an `accumulation` of 2 are 3 steps: two batches, two, and the last one.
    ///
    /// HINTS:
    /// - How many samples are pending before `process_batch`, and how many after it?
    /// - Sum in `f64`: thousands of small losses add up.
    pub fn train_epoch<I>(&mut self, batches: I) -> Result<f32, TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        todo!("train-epoch")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-train-epoch", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Accumulated batches equal one large batch, the remainder counts, the schedule is followed.
#[test]
fn test_unit_train_epoch() {
    use tinytorch::testing::{expect_close, expect_eq};
    let (x, y) = two_moons(22, &mut Rng::seeded(5));
    let cut = |ends: &[usize]| -> Vec<(Tensor, Tensor)> {
        let ranges = [0].iter().chain(ends).zip(ends).map(|(&from, &to)| from..to);
        ranges.map(|rows| (x.slice(&[rows.clone(), 0..2]), y.slice(&[rows]))).collect()
    };
    let train = |ends: &[usize], accumulation: usize| {
        let mut trainer = Trainer::linear_classifier(SGD::new(0.5))
            .with_accumulation(accumulation)
            .with_schedule(CosineSchedule { max_rate: 0.5, min_rate: 0.0, epochs: 2 });
        let losses: Vec<f32> = (0..2).map(|_| trainer.train_epoch(cut(ends)).unwrap()).collect();
        let recorded = (trainer.epoch, &trainer.history.train_loss);
        let idea = "count each epoch, and add its loss to the history";
        expect_eq("two epochs", recorded, (2, &losses), idea);
        let idea = "the schedule sets the learning rate of each epoch";
        expect_close("two epochs", &trainer.history.learning_rates, &[0.5, 0.25], 1e-6, idea);
        (losses, trainer.step, trainer.values())
    };
    let equal = "batches that are accumulated equal one large batch: step when enough are pending";
    let over = "two epochs of two steps: the batch that is left over needs a step too";
    // Batches of 8, 8 and 6 in one step equal the batch of 22; in two steps, batches of 16 and 6.
    for (accumulation, equals, idea) in [(3, &[22][..], equal), (2, &[16, 22], over)] {
        let (wanted, found) = (train(equals, 1), train(&[8, 16, 22], accumulation));
        let input = format!("batches of 8, 8 and 6, accumulation {accumulation}");
        expect_eq("a step for each batch, two epochs", wanted.1, 2 * equals.len(), idea);
        expect_eq(&input, found.1, wanted.1, idea);
        expect_close(format!("{input}: the weights"), &found.2, &wanted.2, 1e-5, idea);
        let mean = "the loss of an epoch is a mean over samples: weighted by its samples";
        expect_close(format!("{input}: the losses"), &found.0, &wanted.0, 1e-5, mean);
    }
    let padded = Tensor::new(&[1.0, IGNORED, IGNORED, 0.0, IGNORED], &[5]);
    let epoch = |ends: &[usize]| {
        let cuts = [0].iter().chain(ends).zip(ends).map(|(&from, &to)| from..to);
        let batches = cuts.map(|rows| (x.slice(&[rows.clone(), 0..2]), padded.slice(&[rows])));
        let mut trainer = Trainer::linear_classifier(SGD::new(0.5)).with_accumulation(3);
        trainer.train_epoch(batches.collect::<Vec<_>>()).unwrap()
    };
    let idea = "a target that is IGNORED does not count: weigh by the samples that became pending";
    let input = "targets 1, 0 and three IGNORED, in batches of 3, 1 and 1";
    expect_close(input, &[epoch(&[3, 4, 5])], &[epoch(&[5])], 1e-6, idea);

    let mut trainer = Trainer::linear_classifier(SGD::new(0.5));
    trainer.set_training(false);
    trainer.train_epoch(cut(&[8])).unwrap();
    assert!(trainer.is_training(), "an epoch switches the model to training mode");
    let empty = "an epoch without batches is an error, and must not be counted";
    expect_eq("no batches", refusal(trainer.train_epoch(cut(&[]))), Some(ErrorKind::Empty), empty);
    expect_eq("epochs and steps", (trainer.epoch, trainer.step), (1, 1), empty);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-judging", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Part 4: evaluation, and when to stop

// %% nbgrader={"grade": false, "grade_id": "count-correct", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many samples were predicted correctly, or `None` for a regression, where no answer is simply right or wrong.
///
/// TODO: Count correct predictions for classes and for yes-or-no answers.
///
/// APPROACH:
/// 1. Prediction `(B, C)` and target `(B)`: a row is correct if its largest value stands at the class.
/// 2. Equal shapes and targets of 0 or 1: a prediction is correct on the same side of 0.5 as its target.
/// 3. Anything else is a regression: `None`.
///
/// EXAMPLE: The prediction `[[0.1, 0.9], [0.8, 0.2]]` with the target `[1, 1]` has one correct row.
///
/// HINTS:
/// - `argmax_axis` gives the index of the largest value of each row.
pub fn count_correct(prediction: &Tensor, target: &Tensor) -> Option<usize> {
    todo!("count-correct")
}

// %% nbgrader={"grade": true, "grade_id": "test-count-correct", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Classes, yes-or-no answers, and none for a regression.
#[test]
fn test_unit_count_correct() {
    use tinytorch::testing::expect_eq;
    let scores = Tensor::new(&[0.1, 0.9, 0.8, 0.2, 5.0, -5.0], &[3, 2]);
    let yes = Tensor::new(&[0.9, 0.2, 0.6], &[3, 1]);
    let class = "a row is correct if its largest value stands at the class";
    let side = "a yes-or-no answer is correct on the same side of 0.5 as its target";
    for (prediction, shape, target, wanted, idea) in [
        (&scores, &[3][..], [1.0, 1.0, 0.0], Some(2), class),
        (&yes, &[3, 1], [1.0, 0.0, 0.0], Some(2), side),
        (&yes, &[3, 1], [0.9, 0.2, 0.6], None, "a regression has no accuracy"),
    ] {
        let found = count_correct(prediction, &Tensor::new(&target, shape));
        expect_eq(format!("{:?} for {target:?}", prediction.to_vec()), found, wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Mean loss and accuracy over all samples, without training: nothing is recorded for a backward pass, and the
    /// model is in evaluation mode. Afterwards it is in its previous mode.
    ///
    /// TODO: Sum losses and correct predictions in evaluation mode, restore the mode, record the loss.
    ///
    /// APPROACH:
    /// 1. Remember the mode, then switch to evaluation.
    /// 2. Inside `no_grad`, for each batch: model, `check_batch`, loss, `count_correct`; weighted by `counted_targets`,
    ///    and skipped if that is 0.
    /// 3. Restore the mode, also when a batch was refused; add the epoch and the loss to `eval_loss` of the history.
    ///
    /// EXAMPLE: 360 test digits, 350 of them correct: the accuracy is `Some(0.9722)`.
    ///
    /// HINTS:
    /// - Let the closure for `no_grad` return a `Result`. Store it, restore the mode, and only then use `?`.
    /// - One batch without an accuracy makes the whole accuracy `None`.
    pub fn evaluate<I>(&mut self, batches: I) -> Result<(f32, Option<f32>), TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        todo!("evaluate")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-evaluate", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Means weighted by samples, no training, no dropout, and the mode is restored.
#[test]
fn test_unit_evaluate() {
    use tinytorch::layers::Dropout;
    use tinytorch::testing::{expect_close, expect_eq, expect_return};
    // In evaluation mode dropout passes its input on: two scores for two classes.
    let dropout = Dropout::new(0.9, Rng::seeded(1)).unwrap();
    let mut trainer = Trainer::new(dropout, Adam::new(0.1), CrossEntropyLoss);
    let batch = |x: &[f32], y: &[f32]| (Tensor::new(x, &[y.len(), 2]), Tensor::new(y, &[y.len()]));
    let one = batch(&[0.0, 9.0], &[1.0]);
    let three = batch(&[9.0, 0.0].repeat(3), &[0.0, 0.0, 1.0]);
    // Three of four are correct with a loss of almost 0, one is wrong with a loss of 9.
    let (loss, accuracy) = trainer.evaluate([&one, &three]).unwrap();
    let idea = "in evaluation mode, so without dropout, and weighted by samples, not by batches";
    let found = [loss, accuracy.unwrap_or(f32::NAN)];
    expect_close("batches of 1 and 3 samples", &found, &[2.25, 0.75], 1e-3, idea);
    let recorded = &trainer.history.eval_loss[..];
    expect_eq("the history", recorded, &[(0, loss)], "add the epoch and the loss");
    let padded = [batch(&[0.0, 9.0].repeat(2), &[1.0, IGNORED]), three.clone()];
    let (_, accuracy) = trainer.evaluate(&padded).unwrap();
    let idea = "a target that is IGNORED does not count: it is neither right nor wrong";
    expect_eq("1 and IGNORED, then the batch of 3", accuracy, Some(0.75), idea);
    let all_ignored = [batch(&[0.0, 9.0], &[IGNORED]), one.clone()];
    let idea = "a batch in which no target counts has no mean: skip it";
    let evaluate = || trainer.evaluate(&all_ignored).unwrap().1;
    let accuracy = expect_return("IGNORED alone, then 1", evaluate, idea);
    expect_eq("IGNORED alone, then 1", accuracy, Some(1.0), idea);
    let untouched = trainer.is_training() && trainer.step == 0;
    assert!(untouched, "evaluation takes no step, and the mode must be restored after it");

    trainer.set_training(false);
    trainer.evaluate([&one]).unwrap();
    assert!(!trainer.is_training(), "a model in evaluation mode must stay in it");
    trainer.set_training(true);
    let refused = refusal(trainer.evaluate([batch(&[0.0, 9.0], &[2.0])]));
    expect_eq("class 2 of 2", refused, Some(ErrorKind::Label), "check_batch comes first");
    assert!(trainer.is_training(), "the mode must be restored after an error too");
    let nothing: [(Tensor, Tensor); 0] = [];
    let refused = refusal(trainer.evaluate(nothing));
    expect_eq("no batches", refused, Some(ErrorKind::Empty), "no mean without a sample");

    // Targets of 0 and 1 could be answers, but one batch of prices makes it all a regression.
    let [answers, prices] = [[0.0, 1.0], [0.5, 7.0]].map(|values| Tensor::new(&values, &[2, 1]));
    let batches = [(answers.clone(), answers), (prices.clone(), prices)];
    let accuracy = Trainer::one_weight().evaluate(&batches).unwrap().1;
    let idea = "once None, always None: a price is not simply right or wrong";
    expect_eq("answers, then prices", accuracy, None, idea);
}

// %% nbgrader={"grade": false, "grade_id": "training-stopping-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Watches the validation loss, and says when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStopping {
    /// After how many epochs without a new best loss training stops.
    pub patience: usize,
    /// The best validation loss so far; infinite before the first.
    pub best: f32,
    /// How many epochs ago that was.
    pub waited: usize,
}

/// What follows from the validation loss of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A new best loss: keep these parameters.
    Best,
    /// No new best, but there is patience left.
    Waiting,
    /// Out of patience: return to the best parameters.
    Stop,
}

// %% nbgrader={"grade": false, "grade_id": "early-stopping", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl EarlyStopping {
    /// Takes the validation loss of one more epoch.
    ///
    /// TODO: Say whether this loss is the best one, and whether there is any patience left.
    ///
    /// APPROACH:
    /// 1. A loss below the best so far is the new best, and the waiting starts again from 0.
    /// 2. Any other loss, NaN too, is one more epoch of waiting; after `patience` of them: stop.
    ///
    /// EXAMPLE: With a patience of 2 the losses 3, 2, 2.5, 1, 1.5, 1.2 give best, best, waiting, best, waiting, stop.
    ///
    /// HINTS:
    /// - Compare with the best loss, not with the one before.
    pub fn observe(&mut self, loss: f32) -> Progress {
        todo!("early-stopping")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-early-stopping", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The best loss so far decides, not the one before, and the patience starts again with each best.
#[test]
fn test_unit_early_stopping() {
    use Progress::{Best, Stop, Waiting};
    use tinytorch::testing::expect_eq;
    let best = "compare with the best loss so far, not with the one before";
    let again =
        "a new best starts the waiting again from 0, and patience 2 stops at the second wait";
    let equal = "an equal loss or NaN is no improvement";
    let long = vec![Best, Best, Waiting, Best, Waiting, Stop];
    for (patience, losses, wanted, idea) in [
        (3, &[1.0, 4.0, 3.0][..], vec![Best, Waiting, Waiting], best),
        (2, &[3.0, 2.0, 2.5, 1.0, 1.5, 1.2], long, again),
        (2, &[1.0, 1.0, f32::NAN], vec![Best, Waiting, Stop], equal),
    ] {
        let mut stopping = EarlyStopping { patience, best: f32::INFINITY, waited: 0 };
        let found: Vec<Progress> = losses.iter().map(|&loss| stopping.observe(loss)).collect();
        expect_eq(format!("the losses {losses:?}, patience {patience}"), found, wanted, idea);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-checkpoints", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Part 5: checkpoints
//
// How the bytes of the file are laid out, and how a damaged one is told from a foreign one, is given at
// the end of this file. You write what makes a checkpoint worth having: it is complete, it is replaced
// in one step, and it changes nothing where it does not fit.

// %% nbgrader={"grade": false, "grade_id": "write-atomically", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Replaces a file in one step: a reader of `path` gets the old content or the new, never a part.
///
/// TODO: Write to a temporary file beside it, make sure it is on the disk, then rename it.
///
/// APPROACH:
/// 1. Create the folder if it is missing, and in it a file with another name, such as `.NAME.tmp`.
/// 2. Write all bytes; `sync_all` waits until they are on the disk. Then rename.
/// 3. If anything failed, remove the temporary file and return the error.
///
/// EXAMPLE: After a crash before the renaming, yesterday's checkpoint is unchanged.
///
/// HINTS:
/// - The temporary file must be in the same folder: a rename works only within one file system.
/// - A closure that returns `std::io::Result<()>` lets you use `?` and still clean up.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    todo!("write-atomically")
}

// %% nbgrader={"grade": true, "grade_id": "test-write-atomically", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The old file is replaced, not overwritten, and no temporary file is left.
#[test]
fn test_unit_write_atomically() {
    use tinytorch::testing::expect_eq;
    let folder = std::env::temp_dir().join(format!("tinytorch-atomic-{}", std::process::id()));
    let file = folder.join("deep").join("model.ckpt");
    write_atomically(&file, b"old").unwrap();
    // A second name for the old file: it keeps the old content only if a new file replaces it.
    std::fs::hard_link(&file, folder.join("witness")).unwrap();
    write_atomically(&file, b"new").unwrap();
    let witness = folder.join("witness");
    let old = "the old file was overwritten: a crash in between would lose both";
    for (path, wanted, idea) in
        [(&file, "new", "the file has the new content"), (&witness, "old", old)]
    {
        let content = std::fs::read_to_string(path).unwrap();
        expect_eq(path.display(), content.as_str(), wanted, idea);
    }
    // A folder has the name of the file: an error, and no temporary file is left.
    std::fs::create_dir_all(folder.join("taken").join("inside")).unwrap();
    let refused = write_atomically(&folder.join("taken"), b"new").is_err();
    let idea = "renaming is the one step that replaces: what it refuses is an error, not a removal";
    assert!(refused && folder.join("taken").join("inside").is_dir(), "{idea}");
    let names = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    let left = (names(&folder), names(&folder.join("deep")));
    expect_eq("the files in both folders", left, (3, 1), "a temporary file was left");
    std::fs::remove_dir_all(&folder).unwrap();
}

// %% nbgrader={"grade": false, "grade_id": "training-checkpoint-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Everything needed to resume the training, except for the state of random number generators.
#[derive(Clone)]
pub struct Checkpoint {
    /// Completed epochs.
    pub epoch: usize,
    /// Completed steps.
    pub step: usize,
    /// The course of the training so far.
    pub history: History,
    /// The parameters of the model, in its order.
    pub parameters: Vec<Tensor>,
    /// Its buffers, such as the running means of batch normalization.
    pub buffers: Vec<Tensor>,
    /// The state of the optimizer.
    pub optimizer: OptimizerState,
}

// %% nbgrader={"grade": false, "grade_id": "take-checkpoint", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// What is needed to resume from here.
    ///
    /// TODO: Gather the six parts.
    ///
    /// APPROACH:
    /// 1. Epoch, step and history as they are; the buffers of the model, which are copies already.
    /// 2. The parameters of the model, each detached: a checkpoint must not keep a history alive.
    /// 3. The state of the optimizer: without its moving averages Adam would start again from zero.
    ///
    /// EXAMPLE: The checkpoint of a `Linear` from 2 to 3 has two parameters, of shapes `(2, 3)` and `(3)`.
    ///
    /// HINTS:
    /// - `detach` shares the numbers until one side changes them, so it costs almost nothing.
    /// - `buffers` and `state` belong to the traits `Layer` and `Optimizer`.
    pub fn checkpoint(&self) -> Checkpoint {
        todo!("take-checkpoint")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-take-checkpoint", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 All parts are there, and do not change with further training.
#[test]
fn test_unit_take_checkpoint() {
    use tinytorch::testing::expect_eq;
    let batch = two_moons(20, &mut Rng::seeded(3));
    let mut trainer = Trainer::linear_classifier(Adam::new(0.1));
    trainer.train_epoch([&batch]).unwrap();
    trainer.evaluate([&batch]).unwrap();
    let (taken, before) = (trainer.checkpoint(), trainer.values());
    let history = trainer.history.clone();
    let tracked = taken.parameters.iter().any(Tensor::is_tracked);
    assert!(!tracked, "detach the parameters: a checkpoint must not keep a history alive");
    trainer.train_epoch([&batch]).unwrap();
    let idea = "epoch and step belong to a checkpoint: the schedule depends on them";
    expect_eq("after one epoch", (taken.epoch, taken.step), (1, 1), idea);
    let idea = "the history up to here belongs to a checkpoint";
    expect_eq("after one epoch and one evaluation", taken.history, history, idea);
    let values: Vec<f32> = taken.parameters.iter().flat_map(Tensor::to_vec).collect();
    let idea = "all parameters, in their order; they must not change with further training";
    expect_eq("a checkpoint, one epoch later", values, before, idea);
    let state = (taken.optimizer.kind.as_str(), taken.optimizer.slots.len());
    let idea = "the state of the optimizer belongs to a checkpoint";
    expect_eq("two parameters, after a step of Adam", state, ("Adam", 2), idea);
}

// %% nbgrader={"grade": false, "grade_id": "restore", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Returns to a checkpoint. If it belongs to a different model or optimizer, nothing changes.
    ///
    /// TODO: Check everything first, then take everything over.
    ///
    /// APPROACH:
    /// 1. Parameters and buffers must be as many as those of the model, each of the same shape: else
    ///    [`ErrorKind::OtherModel`], with both lists of shapes in the message.
    /// 2. The optimizer loads its state; its error, if it does not fit the parameters, is an `OtherModel` too.
    /// 3. Write the values into the parameters, pass the buffers to the model; take over epoch, step and history.
    ///
    /// EXAMPLE: 3 epochs, a checkpoint, another trainer, 3 more epochs: to the last bit the weights after 6 epochs.
    ///
    /// HINTS:
    /// - Write into the existing parameters: ndarray's `assign` keeps the id by which gradients find them.
    /// - `load_state` changes nothing when it refuses. `set_buffers` takes a mutable reference to an iterator.
    pub fn restore(&mut self, saved: Checkpoint) -> Result<(), TrainingError> {
        todo!("restore")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-restore", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A resumed run equals one that never stopped; a different model or optimizer is refused.
#[test]
fn test_unit_restore() {
    use tinytorch::testing::expect_eq;
    let batches = [two_moons(20, &mut Rng::seeded(3)), two_moons(20, &mut Rng::seeded(4))];
    let schedule = CosineSchedule { max_rate: 0.1, min_rate: 0.0, epochs: 6 };
    let fresh = || Trainer::linear_classifier(Adam::new(0.1)).with_schedule(schedule);
    let (mut straight, mut stopped, mut resumed) = (fresh(), fresh(), fresh());
    straight.fit(6, |_| &batches, &[], None).unwrap();
    stopped.fit(3, |_| &batches, &[], None).unwrap();
    let ids = |trainer: &Trainer| trainer.model.parameters().into_iter().map(Tensor::id).collect();
    let before: Vec<Option<u64>> = ids(&resumed);
    resumed.restore(stopped.checkpoint()).unwrap();
    let leaves = "the values change, but the parameters stay the same leaves";
    expect_eq("the ids after restoring", ids(&resumed), before, leaves);
    resumed.fit(6, |_| &batches, &[], None).unwrap();
    let same = "a resumed run is the same as one that never stopped, to the last bit";
    let state = |trainer: &Trainer| {
        (trainer.epoch, trainer.step, trainer.values(), trainer.history.clone())
    };
    expect_eq("epochs 3 + 3 and 6", state(&resumed), state(&straight), same);

    struct Buffered(Tensor);
    impl Layer for Buffered {
        fn name(&self) -> String {
            "Buffered".into()
        }
        fn forward(&self, x: &Tensor) -> Tensor {
            x.clone()
        }
        fn buffers(&self) -> Vec<Tensor> {
            vec![self.0.clone()]
        }
        fn set_buffers(&mut self, values: &mut dyn Iterator<Item = Tensor>) {
            self.0 = values.next().unwrap();
        }
    }
    let of = |model: Vec<Box<dyn Layer>>| {
        Trainer::new(Sequential::new(model), Adam::new(0.1), CrossEntropyLoss)
    };
    let buffered = |value| of(vec![Box::new(Buffered(Tensor::scalar(value)))]);
    let mut other = buffered(0.0);
    other.restore(buffered(7.0).checkpoint()).unwrap();
    let buffer = other.model.buffers()[0].item();
    expect_eq("a buffer of 7", buffer, 7.0, "buffers belong to a checkpoint");
    let wider = || of(vec![Box::new(Linear::new(2, 3, &mut Rng::seeded(1)))]);
    // Before the first step Adam has no state, so only the shapes of the models can differ.
    for (input, mut other, saved) in [
        ("a model with other parameters and buffers", fresh(), buffered(7.0)),
        ("a buffer that the model has not", of(vec![]), buffered(7.0)),
        ("Linear(2 -> 2) for Linear(2 -> 3)", wider(), fresh()),
        ("Adam for SGD", Trainer::linear_classifier(SGD::new(0.1)), resumed),
    ] {
        let before = state(&other);
        let compared = "parameters are compared by number and shape, and so are buffers";
        let refused = refusal(other.restore(saved.checkpoint()));
        expect_eq(input, refused, Some(ErrorKind::OtherModel), compared);
        let idea = "a checkpoint that is refused must not change anything";
        expect_eq(input, state(&other), before, idea);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure

// %% nbgrader={"grade": false, "grade_id": "analyze-training-run", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// `inputs -> hidden -> outputs`, with a ReLU between.
pub fn two_layers(inputs: usize, hidden: usize, outputs: usize, rng: &mut Rng) -> Sequential {
    let [first, second] =
        [(inputs, hidden), (hidden, outputs)].map(|(i, o)| Linear::new(i, o, rng));
    Sequential::new(vec![Box::new(first), Box::new(ReLU), Box::new(second)])
}

/// Two moons of which 15 % have the wrong class: no model can predict those, and a large one can memorize them.
fn noisy_moons(count: usize, rng: &mut Rng) -> (Tensor, Tensor) {
    let (x, y) = two_moons(count, rng);
    let flip = |class: f32| if rng.uniform() < 0.15 { 1.0 - class } else { class };
    let classes: Vec<f32> = y.to_vec().into_iter().map(flip).collect();
    (x, Tensor::new(&classes, &[count]))
}

/// The accuracy on some batches; not a number where it cannot be found.
fn accuracy_on(trainer: &mut Trainer, batches: &[(Tensor, Tensor)]) -> f64 {
    let judged = trainer.evaluate(batches).ok().and_then(|(_, accuracy)| accuracy);
    judged.map_or(f64::NAN, f64::from)
}

/// 📊 A model that learns its samples by heart.
///
/// Purpose: see overfitting, and stop before it. Measured: training and validation loss of 256 hidden units on 60 points,
/// 15 % of them with the wrong class, over 300 epochs; the test accuracy at the best and at the last epoch. Key insight:
/// the training loss falls while the validation loss turns. Production context: the test set is used once, at the end.
pub fn analyze_overfitting(out: &mut Reporter) {
    const EPOCHS: usize = 300;
    let mut rng = Rng::seeded(17);
    let (x, y) = noisy_moons(60 + 500 + 2000, &mut rng);
    let [train, validation, test] = three_sets(60 + 500 + 2000, 500, 2000, &mut rng)
        .map(|set| [(x.index_select(0, &set), y.index_select(0, &set))]);
    let model = two_layers(2, 256, 2, &mut rng);
    let mut trainer = Trainer::new(model, Adam::new(0.01), CrossEntropyLoss);
    let mut stopping = EarlyStopping { patience: 20, best: f32::INFINITY, waited: 0 };
    let (mut best, mut stop) = (trainer.checkpoint(), None);
    for epoch in 1..=EPOCHS {
        if let Err(error) = trainer.fit(epoch, |_| &train, &validation, None) {
            return out.note(format!("Training stopped: {error}."));
        }
        if epoch % 10 == 0 {
            out.progress("epochs", epoch as u64, EPOCHS as u64);
            trainer.report_losses(out);
        }
        let loss = trainer.history.eval_loss.last().map_or(f32::NAN, |&(_, loss)| loss);
        match stopping.observe(loss) {
            Progress::Best if stop.is_none() => best = trainer.checkpoint(),
            Progress::Stop if stop.is_none() => stop = Some(epoch),
            Progress::Best | Progress::Waiting | Progress::Stop => {}
        }
    }
    let (history, chosen) = (trainer.history.clone(), best.epoch);
    let last = accuracy_on(&mut trainer, &test);
    if let Err(error) = trainer.restore(best) {
        return out.note(format!("The best parameters cannot be restored: {error}."));
    }
    let early = accuracy_on(&mut trainer, &test);
    let losses = history.train_loss.iter().zip(&history.eval_loss);
    let losses: Vec<(f32, f32)> = losses.map(|(&train, &(_, other))| (train, other)).collect();
    let at =
        |epoch: usize| losses.get(epoch.wrapping_sub(1)).copied().unwrap_or((f32::NAN, f32::NAN));
    let (at_best, at_end) = (at(chosen), at(EPOCHS));
    let row = |name: &str, epoch: usize, accuracy: f64| -> Vec<Value> {
        let ((train, other), error) = (at(epoch), 100.0 * sample_error(accuracy, 2000));
        let percent = 100.0 * accuracy;
        vec![name.into(), epoch.into(), train.into(), other.into(), percent.into(), error.into()]
    };
    let rows = vec![row("best", chosen, early), row("last", EPOCHS, last)];
    let names = columns(
        "parameters, epoch, training loss, validation loss, test accuracy [%], standard error [%]",
    );
    out.measured_table("The best epoch by validation loss, and the last", &names, rows);
    out.measured("epoch of the lowest validation loss", chosen as f64, "");
    out.insight(overfitting_insight([at_best, at_end], chosen, EPOCHS));
    out.insight(stopping_insight((early, last), 2000, stop));
}

// %% nbgrader={"grade": false, "grade_id": "analyze-learning-rates", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 256 points in batches of 32 to train on, and 1,000 for validation.
fn moon_sets(rng: &mut Rng) -> [Vec<(Tensor, Tensor)>; 2] {
    [(0..8).map(|_| two_moons(32, rng)).collect(), vec![two_moons(1000, rng)]]
}

/// 📊 One network, six learning rates, and a schedule.
///
/// Purpose: know what a bad rate looks like, and what a schedule is worth here. Measured: loss, validation accuracy and
/// how the run ended, for SGD with six rates (16 hidden units, 256 points, 60 epochs, seed 3); then the validation loss
/// after 40 epochs of Adam at a constant rate and with the cosine, each with the best of five rates, for seven seeds. Key
/// insight: one failure reports a number and the other an error. Production context: search the rate first.
pub fn analyze_learning_rates(out: &mut Reporter) {
    let [batches, validation] = moon_sets(&mut Rng::seeded(3));
    let row = |rate: f32| -> Vec<Value> {
        let model = two_layers(2, 16, 2, &mut Rng::seeded(3));
        let mut trainer = Trainer::new(model, SGD::new(rate), CrossEntropyLoss);
        let end = match trainer.fit(60, |_| &batches, &[], None) {
            Ok(()) => "60 epochs".to_owned(),
            Err(_) => format!("an error in epoch {}", trainer.epoch + 1),
        };
        let loss = trainer.history.train_loss.last().copied().unwrap_or(f32::NAN);
        let accuracy = accuracy_on(&mut trainer, &validation);
        let error = 100.0 * sample_error(accuracy, 1000);
        vec![rate.into(), loss.into(), (100.0 * accuracy).into(), error.into(), end.into()]
    };
    let names = columns(
        "learning rate, training loss, validation accuracy [%], standard error [%], ended after",
    );
    let rows = [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0].map(row);
    out.measured_table("SGD with six learning rates", &names, rows.into());
    compare_schedules(out);
}

/// The validation loss after 40 epochs of Adam whose rate falls from `max_rate` to `min_rate`.
fn final_loss(seed: u64, max_rate: f32, min_rate: f32) -> f64 {
    let mut rng = Rng::seeded(seed);
    let [batches, validation] = moon_sets(&mut rng);
    let schedule = CosineSchedule { max_rate, min_rate, epochs: 40 };
    let model = two_layers(2, 16, 2, &mut rng);
    let mut trainer =
        Trainer::new(model, Adam::new(max_rate), CrossEntropyLoss).with_schedule(schedule);
    let trained = trainer.fit(40, |_| &batches, &validation, None);
    let last = trainer.history.eval_loss.last().map_or(f32::NAN, |&(_, loss)| loss);
    f64::from(if trained.is_ok() { last } else { f32::NAN })
}

/// The cosine beside a constant rate, each with the best of the same rates.
fn compare_schedules(out: &mut Reporter) {
    const RATES: [f32; 5] = [0.003, 0.01, 0.03, 0.1, 0.3];
    // For each rate, the losses of seven seeds at that rate, and with a cosine from it to 0.
    let losses = RATES.map(|rate| {
        [rate, 0.0].map(|min| (1..=7).map(|seed| final_loss(seed, rate, min)).collect::<Vec<_>>())
    });
    let quotient = |[constant, cosine]: [&Vec<f64>; 2]| {
        Ratio::of(cosine.iter().zip(constant).map(|(a, b)| a / b).collect())
    };
    let names = columns("highest learning rate, constant, cosine, cosine / constant [x]");
    let rows = RATES.iter().zip(&losses).map(|(rate, [constant, cosine])| {
        let spread = |losses: &Vec<f64>| Value::spread(quartiles(losses.clone()));
        let ratio = quotient([constant, cosine]);
        vec![(*rate).into(), spread(constant), spread(cosine), ratio.into()]
    });
    let title = "Validation loss after 40 epochs of Adam, seven seeds";
    out.measured_table(title, &names, rows.collect());
    let best = [0, 1].map(|kind| {
        let median = |rate: &usize| quartiles(losses[*rate][kind].clone())[1];
        (0..RATES.len()).min_by(|a, b| median(a).total_cmp(&median(b))).unwrap_or(0)
    });
    let ratio = quotient([&losses[best[0]][0], &losses[best[1]][1]]);
    let names = columns("constant rate, highest of the cosine, cosine / constant [x]");
    let row = vec![RATES[best[0]].into(), RATES[best[1]].into(), ratio.into()];
    out.measured_table("Each at its best rate, for the same seven seeds", &names, vec![row]);
    out.measured("validation loss with the cosine against a constant rate", ratio.median, "x");
    out.insight(schedule_insight(ratio));
}

// %% nbgrader={"grade": false, "grade_id": "analyze-accumulation", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 The gradient of 512 samples, from one batch or from many small ones.
///
/// Purpose: see what accumulation saves and what it costs. Measured: peak memory, time, and the largest difference from
/// the gradient of the whole batch, for pieces of 512 down to 16 samples. Key insight: the gradient is the same but for
/// rounding; only the intermediate values of one piece are kept. Production context: batches that do not fit into a GPU.
pub fn analyze_accumulation(out: &mut Reporter) {
    let mut rng = Rng::seeded(11);
    let x = Tensor::randn(&[512, 64], &mut rng);
    let classes: Vec<f32> = (0..512).map(|_| rng.below(10) as f32).collect();
    let y = Tensor::new(&classes, &[512]);
    let mut trainer =
        Trainer::new(two_layers(64, 256, 10, &mut rng), Adam::new(0.01), CrossEntropyLoss);
    let mut gather = |piece: usize| {
        let mut pending = Pending::default();
        for start in (0..512).step_by(piece) {
            let rows = start..start + piece;
            let part = (x.slice(&[rows.clone(), 0..64]), y.slice(&[rows]));
            trainer.process_batch(&part.0, &part.1, &mut pending)?;
        }
        pending.gradients.scale(1.0 / 512.0);
        Ok::<_, TrainingError>(pending.gradients)
    };
    let Ok(whole) = gather(512) else {
        return out.note("No gradient to measure: finish `process-batch` first.");
    };
    let (mut rows, mut peaks, mut furthest) = (vec![], vec![], 0.0_f32);
    for piece in [512, 256, 128, 64, 32, 16] {
        let timing = time(9, || gather(piece).map(|gradients| gradients.len()));
        let (gradients, used) = memory(|| gather(piece));
        let Ok(gradients) = gradients else { continue };
        let pairs = whole.iter().zip(gradients.iter());
        let difference = pairs
            .flat_map(|((_, a), (_, b))| a.to_vec().into_iter().zip(b.to_vec()))
            .fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        furthest = furthest.max(difference);
        peaks.extend(used.map(|used| used.peak));
        let peak = used.map_or_else(|| "not counted".into(), |used| used.peak.into());
        rows.push(vec![(512 / piece).into(), piece.into(), peak, timing.into(), difference.into()]);
    }
    let names = columns("pieces, samples each, peak memory [B], time [s], largest difference");
    out.measured_table("The gradient of 512 samples", &names, rows);
    if let [whole, .., small] = peaks[..] {
        out.insight(accumulation_insight((whole as f64, small as f64), furthest));
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-module-test", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Module test

// %% nbgrader={"grade": true, "grade_id": "test-training-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A network learns two moons, resumes from a file, and a learning rate that is far too high is refused.
#[test]
fn test_module() {
    use tinytorch::testing::expect_eq;
    let mut rng = Rng::seeded(21);
    let (validation, test) = ([two_moons(200, &mut rng)], [two_moons(200, &mut rng)]);
    let batches: Vec<(Tensor, Tensor)> = (0..5).map(|_| two_moons(30, &mut rng)).collect();
    let fresh = |seed: u64| {
        let model = two_layers(2, 16, 2, &mut Rng::seeded(seed));
        Trainer::new(model, Adam::new(0.05), CrossEntropyLoss)
            .with_schedule(CosineSchedule { max_rate: 0.05, min_rate: 0.001, epochs: 60 })
            .with_clipping(1.0)
            .with_accumulation(2)
    };
    let mut straight = fresh(1);
    straight.fit(60, |_| &batches, &validation, None).unwrap();
    let (loss, accuracy) = straight.evaluate(&test).unwrap();
    let learned = accuracy.is_some_and(|accuracy| accuracy >= 0.95);
    assert!(learned, "after 60 epochs the accuracy is {accuracy:?}, not 95 %; the loss is {loss}");
    let idea = "5 batches, 2 for each step: 3 steps in each epoch";
    expect_eq("60 epochs", straight.step, 60 * 3, idea);

    let file = std::env::temp_dir().join(format!("tinytorch-module-{}.ckpt", std::process::id()));
    let (mut stopped, mut resumed) = (fresh(1), fresh(9));
    stopped.fit(30, |_| &batches, &validation, None).unwrap();
    stopped.save_checkpoint(&file).unwrap();
    resumed.load_checkpoint(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    resumed.fit(60, |_| &batches, &validation, None).unwrap();
    let idea = "a resumed run is the same as one that never stopped, to the last bit";
    expect_eq("epochs 30 + 30 and 60", resumed.evaluate(&test).unwrap(), (loss, accuracy), idea);

    let mut wild = Trainer::linear_classifier(SGD::new(1e38));
    let ended = refusal(wild.fit(50, |_| &batches, &[], None));
    let idea = "stop at the first loss or gradient that is not finite";
    expect_eq("a learning rate of 1e38", ended, Some(ErrorKind::NotFinite), idea);
}

// %% nbgrader={"grade": false, "grade_id": "training-trainer", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Trainer {
    /// A trainer without schedule, clipping or accumulation. Tracks the parameters of the model.
    pub fn new(
        model: impl Layer,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
    ) -> Self {
        Self::from_boxes(Box::new(model), Box::new(optimizer), Box::new(loss))
    }

    /// As [`Trainer::new`], of parts that are chosen while the program runs.
    pub fn from_boxes(
        mut model: Box<dyn Layer>,
        optimizer: Box<dyn Optimizer>,
        loss: Box<dyn Loss>,
    ) -> Self {
        track(model.parameters_mut());
        Self {
            model,
            optimizer,
            loss,
            schedule: None,
            max_norm: f32::INFINITY,
            accumulation: 1,
            epoch: 0,
            step: 0,
            history: History::default(),
            training: true,
        }
    }

    /// A trainer of one weight of 2, with plain SGD and the squared error: small enough to follow by hand.
    pub fn one_weight() -> Self {
        let mut layer = Linear::without_bias(1, 1, &mut Rng::seeded(0));
        layer.weight = Tensor::new(&[2.0], &[1, 1]);
        Self::new(layer, SGD::new(0.1), MSELoss)
    }

    /// A trainer of a single layer that divides points into two classes.
    pub fn linear_classifier(optimizer: impl Optimizer + 'static) -> Self {
        Self::new(Linear::new(2, 2, &mut Rng::seeded(1)), optimizer, CrossEntropyLoss)
    }

    /// Sets the learning rate of each epoch.
    #[must_use]
    pub fn with_schedule(self, schedule: CosineSchedule) -> Self {
        Self { schedule: Some(schedule), ..self }
    }

    /// Clips gradients to this norm.
    #[must_use]
    pub fn with_clipping(self, max_norm: f32) -> Self {
        Self { max_norm, ..self }
    }

    /// Takes one step per `batches` batches (at least 1).
    #[must_use]
    pub fn with_accumulation(self, batches: usize) -> Self {
        Self { accumulation: batches.max(1), ..self }
    }

    /// Switches layers such as dropout between training and evaluation.
    pub fn set_training(&mut self, training: bool) {
        self.training = training;
        self.model.set_training(training);
    }

    /// The numbers of all parameters, one after the other.
    pub fn values(&self) -> Vec<f32> {
        self.model.parameters().into_iter().flat_map(Tensor::to_vec).collect()
    }

    /// Whether the model is in training mode.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// The error for a loss or a gradient norm that is infinite or NaN.
    pub fn not_finite(&self, what: &str, value: f32) -> TrainingError {
        let (step, rate) = (self.step, self.optimizer.learning_rate());
        let message = format!(
            "the {what} is {value} at step {step} (learning rate {rate}): try a learning rate of \
             {}, clip the gradients, or check the data for infinite values and NaN",
            rate / 10.0
        );
        TrainingError::new(ErrorKind::NotFinite, message)
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-batches", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl IntoBatch for (Tensor, Tensor) {
    fn into_batch(self) -> Result<(Tensor, Tensor), TrainingError> {
        Ok(self)
    }
}

impl IntoBatch for &(Tensor, Tensor) {
    fn into_batch(self) -> Result<(Tensor, Tensor), TrainingError> {
        Ok(self.clone())
    }
}

impl<E: std::error::Error> IntoBatch for Result<(Tensor, Tensor), E> {
    fn into_batch(self) -> Result<(Tensor, Tensor), TrainingError> {
        self.map_err(|error| TrainingError::new(ErrorKind::Data, error.to_string()))
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-fit", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Trainer {
    /// Trains until `epochs` epochs are completed, those before a restored checkpoint included. `batches` returns those of
    /// an epoch. After each comes an evaluation, if there are `validation` batches; a reporter gets the curves.
    pub fn fit<I>(
        &mut self,
        epochs: usize,
        mut batches: impl FnMut(usize) -> I,
        validation: &[(Tensor, Tensor)],
        mut out: Option<&mut Reporter>,
    ) -> Result<(), TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        while self.epoch < epochs {
            self.train_epoch(batches(self.epoch))?;
            if !validation.is_empty() {
                self.evaluate(validation)?;
            }
            if let Some(out) = out.as_deref_mut() {
                out.progress("epochs", self.epoch as u64, epochs as u64);
                self.report_losses(out);
            }
        }
        Ok(())
    }

    /// Draws the losses of the completed epochs.
    pub fn report_losses(&self, out: &mut Reporter) {
        let train = self.history.train_loss.iter().enumerate();
        let train = Series::new("train", train.map(|(e, &loss)| ((e + 1) as f64, loss.into())));
        let evaluated = self.history.eval_loss.iter().map(|&(e, loss)| (e as f64, loss.into()));
        let mut series = vec![train, Series::new("validation", evaluated)];
        series.retain(|series| !series.points.is_empty());
        out.measured_chart("Loss", Axis::linear("epoch", ""), Axis::linear("loss", ""), series);
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-checkpoint-format", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The format of checkpoint files.
pub const CHECKPOINT: Format = Format { what: "a checkpoint", magic: b"TINYCKPT", version: 1 };

/// What a file holds: progress and history, parameters and buffers, and the optimizer.
type Content = (
    (usize, usize, (Vec<f32>, Vec<f32>, Vec<(usize, f32)>)),
    (Vec<Shaped>, Vec<Shaped>),
    (String, f32, Vec<(u64, Vec<Shaped>)>),
);

fn shaped(tensors: &[Tensor]) -> Vec<Shaped> {
    let one = |tensor: &Tensor| Shaped { shape: tensor.shape().to_vec(), values: tensor.to_vec() };
    tensors.iter().map(one).collect()
}

fn tensors(read: &[Shaped]) -> Vec<Tensor> {
    read.iter().map(|one| Tensor::new(&one.values, &one.shape)).collect()
}

impl Checkpoint {
    /// The content of the file, with header and checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (history, optimizer) = (self.history.clone(), &self.optimizer);
        let history = (history.train_loss, history.learning_rates, history.eval_loss);
        let slots = optimizer.slots.iter().map(|slot| (slot.steps, shaped(&slot.buffers)));
        let content: Content = (
            (self.epoch, self.step, history),
            (shaped(&self.parameters), shaped(&self.buffers)),
            (optimizer.kind.clone(), optimizer.learning_rate, slots.collect()),
        );
        CHECKPOINT.write(&content)
    }

    /// Reads what [`Checkpoint::to_bytes`] wrote. `file` is for messages.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, TrainingError> {
        let content: Content = CHECKPOINT.read(file, bytes).map_err(|error| {
            TrainingError::new(ErrorKind::Unreadable(error.fault), error.message)
        })?;
        let ((epoch, step, history), (parameters, buffers), optimizer) = content;
        let (train_loss, learning_rates, eval_loss) = history;
        let (kind, learning_rate, slots) = optimizer;
        let slots = slots.into_iter().map(|(steps, read)| Slot { steps, buffers: tensors(&read) });
        Ok(Self {
            epoch,
            step,
            history: History { train_loss, learning_rates, eval_loss },
            parameters: tensors(&parameters),
            buffers: tensors(&buffers),
            optimizer: OptimizerState { kind, learning_rate, slots: slots.collect() },
        })
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-save", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Trainer {
    /// Writes a checkpoint. After a crash at any moment the file is the old one or the new one.
    pub fn save_checkpoint(&self, path: &Path) -> Result<(), TrainingError> {
        write_atomically(path, &self.checkpoint().to_bytes()).map_err(|error| {
            let message = format!("cannot write '{}': {error}", path.display());
            TrainingError::new(ErrorKind::File, message)
        })
    }

    /// Reads a checkpoint and restores it.
    pub fn load_checkpoint(&mut self, path: &Path) -> Result<(), TrainingError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| {
            TrainingError::new(ErrorKind::File, format!("cannot read '{file}': {error}"))
        })?;
        self.restore(Checkpoint::from_bytes(&file, &bytes)?)
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-moons", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Two interleaved half circles: points `(N, 2)` and their classes, 0 or 1, `(N)`. No straight line separates them.
pub fn two_moons(count: usize, rng: &mut Rng) -> (Tensor, Tensor) {
    let (points, classes) = moons::two_moons(count, rng);
    (Tensor::new(&points, &[count, 2]), Tensor::new(&classes, &[count]))
}

// %% nbgrader={"grade": false, "grade_id": "training-errors-text", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl std::error::Error for TrainingError {}

impl fmt::Display for TrainingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they measure, as JSON Lines.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_learning_rates(&mut out);
    analyze_overfitting(&mut out);
    analyze_accumulation(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "training-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
