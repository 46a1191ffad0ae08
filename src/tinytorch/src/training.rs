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
//! Module 07, Training: the loop that turns batches into a trained model, and checkpoints to resume
//! it.
//!
//! In: a model, an optimizer, a loss, and batches `(inputs (B, ...), targets (B, ...))` from any
//! iterator. Out: a trained model, the history of its training, and checkpoint files. Wrong labels,
//! shapes and files are refused with a [`TrainingError`] that names the thing, the place and the
//! fix. By hand: one weight of 2, the inputs 1 and 2, targets of 0 and the mean squared error have
//! the loss 10 and the gradient 10; a step with a learning rate of 0.1 makes the weight 1. Not
//! here: where batches come from (08).

use std::fmt;
use std::io::Write;
use std::path::Path;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, Gradients, no_grad, track};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, IGNORED, Loss};
use tinytorch::optimizers::{Adam, Optimizer, OptimizerState, SGD, Slot};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Reporter};
use tinytorch::report::{Series, Table, Value};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{MemoryUse, Ratio, Reading, memory, quartiles, time};

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
/// TODO: Find the fault in these lines, which a colleague wrote, and write them correctly. The
/// validation loss is good even for a model that has only memorized its training samples.
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
/// EXAMPLE: 10 samples with 2 for validation and 1 for the test: 7, 2 and 1 numbers, and together every
/// number from 0 to 9 once.
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
    // BEGIN SOLUTION
    let mut train: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut train);
    let test = train.split_off(count - test);
    let validation = train.split_off(train.len() - validation);
    [train, validation, test]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-training-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every sample is in exactly one set, the sizes are those asked for, and the order is random.
#[test]
fn test_unit_three_sets() {
    use tinytorch::testing::expect_eq;
    let sets = three_sets(100, 20, 10, &mut Rng::seeded(1));
    let sizes = [sets[0].len(), sets[1].len(), sets[2].len()];
    let input = "100 samples, 20 for validation, 10 for the test";
    expect_eq(
        input,
        sizes,
        [70, 20, 10],
        "as many as asked for, in the order train, validation, test",
    );
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
    /// The learning rate of an epoch: it falls along half a cosine wave from `max_rate` at epoch 0 to
    /// `min_rate` at `epochs`.
    ///
    /// TODO: Compute the rate; from `epochs` on it stays at the minimum.
    ///
    /// APPROACH:
    /// 1. Deal with the epochs from `epochs` on first. That also covers a schedule of 0 epochs.
    /// 2. The progress is the part of all epochs that is over, a number from 0 to 1.
    /// 3. A cosine of pi times the progress falls from 1 to -1. Make of it a weight that falls from 1
    ///    to 0, and mix the two rates with it.
    ///
    /// EXAMPLE: From 0.1 to 0.0 in 10 epochs: 0.1 at epoch 0, 0.05 at epoch 5, 0.0 at epoch 10.
    ///
    /// HINTS:
    /// - Both numbers are `usize`: convert them before you divide.
    /// - Pi is a constant of `std::f32::consts`.
    pub fn learning_rate(&self, epoch: usize) -> f32 {
        // BEGIN SOLUTION
        if epoch >= self.epochs {
            return self.min_rate;
        }
        let progress = epoch as f32 / self.epochs as f32;
        let height = (1.0 + (std::f32::consts::PI * progress).cos()) / 2.0;
        self.min_rate + (self.max_rate - self.min_rate) * height
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-cosine-schedule", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both ends, the middle, beyond the end, and falling from each epoch to the next.
#[test]
fn test_unit_cosine_schedule() {
    use tinytorch::testing::expect_close;
    let schedule = CosineSchedule { max_rate: 0.1, min_rate: 0.01, epochs: 100 };
    let rates: Vec<f32> = [0, 25, 50, 100, 1000].map(|e| schedule.learning_rate(e)).to_vec();
    // cos(pi / 4) = 0.70711: 0.01 + 0.09 * 0.853553.
    let half = "half a cosine wave, from the maximum to the minimum";
    let input = "epochs 0, 25, 50 of 100, from 0.1 to 0.01";
    expect_close(input, &rates[..3], &[0.1, 0.086_819_8, 0.055], 1e-6, half);
    let stays = "from `epochs` on the rate stays at the minimum";
    expect_close("epochs 100 and 1000 of 100", &rates[3..], &[0.01, 0.01], 1e-6, stays);
    let falls = (0..100).all(|e| schedule.learning_rate(e + 1) < schedule.learning_rate(e));
    assert!(falls, "the rate falls from each epoch to the next: {half}");
    let none = CosineSchedule { epochs: 0, ..schedule };
    expect_close("a schedule of 0 epochs", &[none.learning_rate(0)], &[0.01], 0.0, stays);
}

// %% nbgrader={"grade": false, "grade_id": "clip-grad-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Scales all gradients by one factor so that their norm is at most `max_norm`; returns the norm
/// before. The norm is the length of all gradients taken as one vector, so the direction of the
/// step stays.
///
/// TODO: Compute the norm, and scale if it is too large.
///
/// APPROACH:
/// 1. Sum the squares of every value of every gradient, in `f64`.
/// 2. The square root of the sum is the norm.
/// 3. If it is above `max_norm`, scale so that it becomes `max_norm`.
///
/// EXAMPLE: The gradients `[3]` and `[4]` have norm 5; with a `max_norm` of 1 they become `[0.6]`
/// and `[0.8]`.
///
/// HINTS:
/// - [`Gradients::iter`] yields pairs of an id and a gradient, and [`Gradients::scale`] scales them
///   all.
/// - A norm of 0 is never above `max_norm`, so nothing is divided by 0.
pub fn clip_grad_norm(gradients: &mut Gradients, max_norm: f32) -> f32 {
    // BEGIN SOLUTION
    let squares: f64 = gradients
        .iter()
        .flat_map(|(_, gradient)| gradient.array().iter())
        .map(|&value| f64::from(value) * f64::from(value))
        .sum();
    let norm = squares.sqrt() as f32;
    if norm > max_norm {
        gradients.scale(max_norm / norm);
    }
    norm
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-clip-grad-norm", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A large norm is scaled down by one factor, a small one is left alone, no gradient has norm 0.
#[test]
fn test_unit_clip_grad_norm() {
    use tinytorch::testing::expect_close;
    let (a, b) = (Tensor::scalar(1.0).tracked(), Tensor::scalar(1.0).tracked());
    let gradients = || (&(&a * 3.0) + &(&b * 4.0)).backward();
    let values = |g: &Gradients| [g.get(&a).unwrap().item(), g.get(&b).unwrap().item()];

    let mut clipped = gradients();
    let before = "the norm before clipping: the root of the sum of squares";
    let input = "the gradients 3 and 4, max_norm 1";
    expect_close(input, &[clip_grad_norm(&mut clipped, 1.0)], &[5.0], 1e-6, before);
    let one = "one factor for all, which makes the norm max_norm and keeps the direction";
    expect_close(input, &values(&clipped), &[0.6, 0.8], 1e-6, one);
    let again = [clip_grad_norm(&mut clipped, 1.0)];
    expect_close("the same once more", &again, &[1.0], 1e-6, one);

    let mut short = gradients();
    for max_norm in [5.0, 100.0] {
        let input = format!("the gradients 3 and 4, max_norm {max_norm}");
        expect_close(&input, &[clip_grad_norm(&mut short, max_norm)], &[5.0], 1e-6, before);
        let keep = "gradients with a norm up to max_norm must not change";
        expect_close(&input, &values(&short), &[3.0, 4.0], 0.0, keep);
    }
    let none = [clip_grad_norm(&mut Gradients::default(), 1.0)];
    expect_close("no gradients", &none, &[0.0], 0.0, "no gradients have the norm 0");
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
    /// The file is not a checkpoint.
    Foreign,
    /// The checkpoint was written by a newer version of this program.
    NewerVersion,
    /// The file ends too early.
    Truncated,
    /// The content of the file is not what was written.
    Damaged,
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
    /// How many samples they come from.
    pub samples: usize,
    /// How many batches they come from.
    pub batches: usize,
}

/// Trains one model with one optimizer and one loss.
///
/// Given methods: `set_training(bool)` switches layers such as dropout, and `not_finite(what,
/// value)` is the error for a loss or a gradient norm that is infinite or NaN.
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
/// 2. Equal shapes are right: each number has its target.
/// 3. Prediction `(B, C)` with `C > 1` and target `(B)`: class numbers. Each must be a whole number
///    from 0 to `C - 1`; the first that is not is an [`ErrorKind::Label`]. Its message has the
///    label, its index and `C`. A target that is `IGNORED` does not count (lesson 04).
/// 4. Everything else is [`ErrorKind::Shape`], with both shapes in the message.
///
/// EXAMPLE: A prediction `(32, 10)` fits a target `(32, 10)`, and a target `(32)` with values 0 to
/// 9.
///
/// HINTS:
/// - `(32, 1)` against `(32)` would silently broadcast to `(32, 32)`: that is the mistake to catch.
/// - Which labels are wrong? Negative ones, those from `C` on, fractions, and NaN: `fract` is 0 for
///   whole numbers only.
pub fn check_batch(prediction: &Tensor, target: &Tensor) -> Result<(), TrainingError> {
    // BEGIN SOLUTION
    let (shape, wanted) = (prediction.shape(), target.shape());
    if prediction.numel() == 0 {
        let message = format!("the batch is empty: prediction {shape:?}; skip such batches");
        return Err(TrainingError::new(ErrorKind::Empty, message));
    }
    if shape == wanted {
        return Ok(());
    }
    let classes = match (shape, wanted) {
        (&[rows, classes], &[targets]) if rows == targets && classes > 1 => classes,
        _ => {
            let message = format!(
                "prediction {shape:?} and target {wanted:?} do not fit: pass class numbers (B) for \
                 a prediction (B, C), or a target of the same shape as the prediction"
            );
            return Err(TrainingError::new(ErrorKind::Shape, message));
        }
    };
    let wrong = |label: f32| label.fract() != 0.0 || label < 0.0 || label >= classes as f32;
    let mut labels = target.array().iter().enumerate();
    if let Some((row, label)) = labels.find(|(_, l)| **l != IGNORED && wrong(**l)) {
        let message = format!(
            "target {row} is class {label}, but the model has {classes} classes, 0 to {}: fix the \
             label, or build the model with more outputs",
            classes - 1
        );
        return Err(TrainingError::new(ErrorKind::Label, message));
    }
    Ok(())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-check-batch", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What fits is accepted; everything else is refused with its reason.
#[test]
fn test_unit_check_batch() {
    use tinytorch::testing::expect_eq;
    let logits = Tensor::zeros(&[3, 4]);
    let kind = |target: Tensor| check_batch(&logits, &target).map_err(|error| error.kind);
    let fits = "equal shapes fit, and so do class numbers (B) for a prediction (B, C)";
    let target = Tensor::zeros(&[3, 4]);
    expect_eq("prediction (3, 4), target (3, 4)", kind(target), Ok(()), fits);
    let target = Tensor::new(&[0.0, 3.0, 1.0], &[3]);
    expect_eq("prediction (3, 4), classes 0, 3, 1", kind(target), Ok(()), fits);
    let target = Tensor::new(&[0.0, IGNORED, 1.0], &[3]);
    let ignored = "a target that is IGNORED does not count: it needs no class";
    expect_eq("prediction (3, 4), classes 0, IGNORED, 1", kind(target), Ok(()), ignored);

    for (label, shown) in [(4.0, "4"), (-1.0, "-1"), (1.5, "1.5"), (f32::NAN, "NaN")] {
        let checked = check_batch(&logits, &Tensor::new(&[0.0, label, 1.0], &[3]));
        let error =
            checked.err().unwrap_or_else(|| panic!("label {shown} was accepted for 4 classes"));
        let idea = "a class that does not exist is an error of the kind Label";
        expect_eq(format!("label {shown} of 4 classes"), error.kind, ErrorKind::Label, idea);
        let named = [shown, "1", "4"].iter().all(|part| error.message.contains(part));
        assert!(
            named,
            "label {shown}, its index 1 and the 4 classes belong in the message: {error}"
        );
    }
    let misfits = [(&[3, 4][..], &[2][..]), (&[3, 1], &[3]), (&[3], &[3, 1]), (&[3, 4], &[3, 5])];
    for (prediction, target) in misfits {
        let checked = check_batch(&Tensor::zeros(prediction), &Tensor::zeros(target));
        let both = format!("prediction {prediction:?}, target {target:?}");
        let error = checked.err().unwrap_or_else(|| panic!("{both} was accepted"));
        let idea = "shapes that do not fit are an error of the kind Shape: they would broadcast";
        expect_eq(&both, error.kind, ErrorKind::Shape, idea);
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        for shape in [prediction, target] {
            let shape = digits(&format!("{shape:?}"));
            assert!(
                digits(&error.message).contains(&shape),
                "both shapes belong in the message: {error}"
            );
        }
    }
    let empty = check_batch(&Tensor::zeros(&[0, 4]), &Tensor::zeros(&[0]));
    let idea = "an empty batch has no mean: look for it first";
    let kind = empty.map_err(|error| error.kind);
    expect_eq("prediction (0, 4), target (0)", kind, Err(ErrorKind::Empty), idea);
}

// %% nbgrader={"grade": false, "grade_id": "process-batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Forward pass, loss and backward pass for one batch; adds its gradient to `pending` and
    /// returns its loss.
    ///
    /// TODO: Compute the loss, stop if it is not finite, and add the gradient, weighted by samples.
    ///
    /// APPROACH:
    /// 1. Run the model; `check_batch`; compute the loss.
    /// 2. A loss that is infinite or NaN is an error: `not_finite`, with what it is and its value.
    /// 3. Run the backward pass, and scale the gradients by the number of samples in the batch.
    /// 4. Add them to those that are pending; count the samples and the batch.
    ///
    /// EXAMPLE: A batch of 32 adds 32 times its mean gradient; a last batch of 5 adds 5 times its
    /// own.
    ///
    /// HINTS:
    /// - A loss is a mean over its batch. A mean of means is wrong if batches differ in size; a sum
    ///   of (mean times samples), divided by all samples at the end, is right.
    /// - `item` is the number in a loss; the first axis of the targets is the number of samples.
    pub fn process_batch(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        pending: &mut Pending,
    ) -> Result<f32, TrainingError> {
        // BEGIN SOLUTION
        let prediction = self.model.forward(x);
        check_batch(&prediction, y)?;
        let loss = self.loss.forward(&prediction, y);
        let value = loss.item();
        if !value.is_finite() {
            return Err(self.not_finite("loss", value));
        }
        let samples = y.shape().first().copied().unwrap_or(1);
        let mut gradients = loss.backward();
        gradients.scale(samples as f32);
        pending.gradients.add(gradients);
        pending.samples += samples;
        pending.batches += 1;
        Ok(value)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-process-batch", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Loss and weighted gradient of a batch that can be worked out by hand.
#[test]
fn test_unit_process_batch() {
    use tinytorch::losses::MSELoss;
    use tinytorch::testing::expect_eq;
    let mut rng = Rng::seeded(0);
    let mut layer = Linear::without_bias(1, 1, &mut rng);
    layer.weight = Tensor::new(&[2.0], &[1, 1]);
    let mut trainer = Trainer::new(layer, Adam::new(0.1), MSELoss);
    let column = |values: &[f32]| Tensor::new(values, &[values.len(), 1]);
    let mut pending = Pending::default();
    // Predictions 2 and 4 against 0 and 0: loss (4 + 16) / 2, gradient (2*2*1 + 2*4*2) / 2 = 10.
    let loss = trainer.process_batch(&column(&[1.0, 2.0]), &column(&[0.0, 0.0]), &mut pending);
    let mean = "the loss of the batch, as the model and the loss compute it";
    expect_eq("predictions 2 and 4 for 0 and 0", loss.unwrap(), 10.0, mean);
    // Prediction 2 against 1: loss 1, gradient 2.
    let loss = trainer.process_batch(&column(&[1.0]), &column(&[1.0]), &mut pending);
    expect_eq("prediction 2 for 1", loss.unwrap(), 1.0, mean);
    let pair = (pending.samples, pending.batches);
    expect_eq("batches of 2 and 1", pair, (3, 2), "count the samples and the batches");
    let weight = trainer.model.parameters()[0];
    let gradient = pending.gradients.get(weight).unwrap().item();
    let weighted = "each gradient counts as often as its batch has samples: 2 * 10 + 1 * 2";
    expect_eq("batches of 2 and 1", gradient, 22.0, weighted);

    let bad = column(&[f32::INFINITY]);
    let refused = trainer.process_batch(&bad, &column(&[0.0]), &mut pending).map_err(|e| e.kind);
    let finite = "a loss that is not finite is an error, before its gradient is added";
    expect_eq("an infinite input", refused, Err(ErrorKind::NotFinite), finite);
    // Targets in a list for predictions in a column: the loss must never get them.
    let list = Tensor::zeros(&[2]);
    let refused = trainer.process_batch(&column(&[1.0, 2.0]), &list, &mut pending);
    let refused = refused.map_err(|error| error.kind);
    let first = "check_batch comes before the loss";
    expect_eq("a column for a list", refused, Err(ErrorKind::Shape), first);
    let kept = "a batch that is refused must not be counted";
    expect_eq("two batches and two that were refused", pending.batches, 2, kept);
}

// %% nbgrader={"grade": false, "grade_id": "update", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// One step of the optimizer with the pending gradients; returns their norm before clipping.
    /// Afterwards nothing is pending.
    ///
    /// TODO: Turn the weighted sum into a mean, clip it, and step.
    ///
    /// APPROACH:
    /// 1. Take the pending gradients, and leave an empty `Pending` behind.
    /// 2. Divide them by the number of samples, and clip them to `max_norm`.
    /// 3. A norm that is infinite or NaN must not reach the parameters: `not_finite`.
    /// 4. Step with the parameters of the model, and count the step.
    ///
    /// EXAMPLE: 64 samples are pending with a sum of 128: the optimizer gets the gradient 2.
    ///
    /// HINTS:
    /// - `std::mem::take` moves a value out and leaves its default.
    /// - The parameters must be borrowed mutably: `parameters_mut`.
    pub fn update(&mut self, pending: &mut Pending) -> Result<f32, TrainingError> {
        // BEGIN SOLUTION
        let Pending { mut gradients, samples, .. } = std::mem::take(pending);
        gradients.scale(1.0 / samples.max(1) as f32);
        let norm = clip_grad_norm(&mut gradients, self.max_norm);
        if !norm.is_finite() {
            return Err(self.not_finite("gradient norm", norm));
        }
        self.optimizer.step(self.model.parameters_mut(), &gradients);
        self.step += 1;
        Ok(norm)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-update", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A step uses the mean gradient, clipped; nothing is pending afterwards.
#[test]
fn test_unit_update() {
    use tinytorch::losses::MSELoss;
    use tinytorch::testing::{expect_close, expect_eq};
    let weight_after = |max_norm: f32| {
        let mut layer = Linear::without_bias(1, 1, &mut Rng::seeded(0));
        layer.weight = Tensor::new(&[2.0], &[1, 1]);
        let mut trainer = Trainer::new(layer, SGD::new(0.1), MSELoss).with_clipping(max_norm);
        let mut pending = Pending::default();
        let x = Tensor::new(&[1.0, 2.0], &[2, 1]);
        trainer.process_batch(&x, &Tensor::zeros(&[2, 1]), &mut pending).unwrap();
        let norm = trainer.update(&mut pending).unwrap();
        let mean = "divide by the samples: a step uses the mean gradient, and returns its norm";
        expect_eq("a mean gradient of 10", norm, 10.0, mean);
        expect_eq("one step", trainer.step, 1, "one step is counted");
        let left = (pending.samples, pending.batches, pending.gradients.len());
        expect_eq("after the step", left, (0, 0, 0), "nothing stays pending after a step");
        trainer.model.parameters()[0].item()
    };
    // The mean gradient is 10 (see the test before): 2 - 0.1 * 10, or 2 - 0.1 * 1 when clipped.
    let idea = "the mean gradient, clipped to max_norm, times the learning rate";
    expect_close("weight 2, no limit", &[weight_after(f32::INFINITY)], &[1.0], 1e-6, idea);
    expect_close("weight 2, max_norm 1", &[weight_after(1.0)], &[1.9], 1e-6, idea);

    let layer = Linear::without_bias(1, 1, &mut Rng::seeded(0));
    let mut trainer = Trainer::new(layer, SGD::new(0.1), MSELoss);
    let before = trainer.model.parameters()[0].item();
    let mut pending = Pending::default();
    trainer.process_batch(&Tensor::ones(&[1, 1]), &Tensor::zeros(&[1, 1]), &mut pending).unwrap();
    pending.gradients.scale(f32::INFINITY);
    let refused = trainer.update(&mut pending).map_err(|error| error.kind);
    let idea = "an infinite gradient must not reach the parameters";
    expect_eq("an infinite gradient", refused, Err(ErrorKind::NotFinite), idea);
    let unchanged = (trainer.model.parameters()[0].item(), trainer.step) == (before, 0);
    assert!(unchanged, "{idea}");
}

// %% nbgrader={"grade": false, "grade_id": "train-epoch", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Trains on every batch once; returns the mean loss over all samples.
    ///
    /// TODO: Set mode and learning rate, process every batch, step when enough are pending, record.
    ///
    /// APPROACH:
    /// 1. Switch to training mode; the schedule, if there is one, sets the learning rate of this
    ///    epoch.
    /// 2. For each batch: `into_batch`, `process_batch`, and add its loss, weighted by its samples,
    ///    to a total.
    /// 3. When `accumulation` batches are pending: `update`.
    /// 4. After the last batch: `update` once more if anything is still pending.
    /// 5. No samples at all: [`ErrorKind::Empty`]. Otherwise count the epoch, and add its loss and
    ///    learning rate to the history.
    ///
    /// EXAMPLE: 5 batches with an `accumulation` of 2 are 3 steps: two batches, two, and the last
    /// one.
    ///
    /// HINTS:
    /// - Once `process_batch` has accepted a batch, its targets have a first axis: the samples.
    /// - Sum in `f64`: thousands of small losses add up.
    pub fn train_epoch<I>(&mut self, batches: I) -> Result<f32, TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        // BEGIN SOLUTION
        self.set_training(true);
        if let Some(schedule) = self.schedule {
            self.optimizer.set_learning_rate(schedule.learning_rate(self.epoch));
        }
        let mut pending = Pending::default();
        let (mut total, mut samples) = (0.0_f64, 0);
        for batch in batches {
            let (x, y) = batch.into_batch()?;
            let loss = self.process_batch(&x, &y, &mut pending)?;
            total += f64::from(loss) * y.shape()[0] as f64;
            samples += y.shape()[0];
            if pending.batches == self.accumulation {
                self.update(&mut pending)?;
            }
        }
        if samples == 0 {
            let message = "there are no batches to train on: is the dataset empty, or the iterator \
                           exhausted?";
            return Err(TrainingError::new(ErrorKind::Empty, message));
        }
        if pending.batches > 0 {
            self.update(&mut pending)?;
        }
        let mean = (total / samples as f64) as f32;
        self.epoch += 1;
        self.history.train_loss.push(mean);
        self.history.learning_rates.push(self.optimizer.learning_rate());
        Ok(mean)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-train-epoch", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Accumulated batches equal one large batch, the remainder counts, the schedule is followed.
#[test]
fn test_unit_train_epoch() {
    use tinytorch::testing::{expect_close, expect_eq};
    let mut rng = Rng::seeded(5);
    let (x, y) = two_moons(22, &mut rng);
    let cut = |from: usize, to: usize| (x.slice(&[from..to, 0..2]), y.slice(&[from..to]));
    let train = |batches: Vec<(Tensor, Tensor)>, accumulation: usize| {
        let model = Linear::new(2, 2, &mut Rng::seeded(1));
        let mut trainer = Trainer::new(model, SGD::new(0.5), CrossEntropyLoss)
            .with_accumulation(accumulation)
            .with_schedule(CosineSchedule { max_rate: 0.5, min_rate: 0.0, epochs: 2 });
        let losses =
            [trainer.train_epoch(&batches).unwrap(), trainer.train_epoch(batches).unwrap()];
        let recorded = (trainer.epoch, trainer.history.train_loss.clone());
        let idea = "count each epoch, and add its loss to the history";
        expect_eq("two epochs", recorded, (2, losses.to_vec()), idea);
        let idea = "the schedule sets the learning rate of each epoch";
        expect_close("two epochs", &trainer.history.learning_rates, &[0.5, 0.25], 1e-6, idea);
        let weights: Vec<f32> =
            trainer.model.parameters().iter().flat_map(|p| p.to_vec()).collect();
        (losses, trainer.step, weights)
    };
    let (whole_loss, steps, whole) = train(vec![cut(0, 22)], 1);
    expect_eq("one batch, two epochs", steps, 2, "each epoch takes a step");
    // Batches of 8, 8 and 6 in one step equal the batch of 22, but for rounding.
    let (loss, steps, parts) = train(vec![cut(0, 8), cut(8, 16), cut(16, 22)], 3);
    let equal = "batches that are accumulated equal one large batch: step when enough are pending";
    expect_eq("batches of 8, 8 and 6, accumulation 3", steps, 2, equal);
    expect_close("the weights after it", &parts, &whole, 1e-5, equal);
    let mean = "the loss of an epoch is a mean over samples: each batch is weighted by its samples";
    expect_close("the losses of it", &loss, &whole_loss, 1e-5, mean);
    // Two batches, then the one that is left: the same steps as with batches of 16 and 6.
    let (_, steps, remainder) = train(vec![cut(0, 8), cut(8, 16), cut(16, 22)], 2);
    let over = "two epochs of two steps: the batch that is left over needs a step too";
    expect_eq("batches of 8, 8 and 6, accumulation 2", steps, 4, over);
    let two = train(vec![cut(0, 16), cut(16, 22)], 1).2;
    expect_close("the weights after it", &remainder, &two, 1e-5, over);

    let model = Linear::new(2, 2, &mut rng);
    let mut trainer = Trainer::new(model, SGD::new(0.5), CrossEntropyLoss);
    trainer.set_training(false);
    trainer.train_epoch([cut(0, 8)]).unwrap();
    assert!(trainer.is_training(), "an epoch switches the model to training mode");
    let nothing: [(Tensor, Tensor); 0] = [];
    let refused = trainer.train_epoch(nothing).map_err(|error| error.kind);
    let empty = "an epoch without batches is an error, and must not be counted";
    expect_eq("no batches", refused, Err(ErrorKind::Empty), empty);
    expect_eq("epochs and steps", (trainer.epoch, trainer.step), (1, 1), empty);
    let broken = [Err::<(Tensor, Tensor), _>(std::io::Error::other("disk gone"))];
    let refused = trainer.train_epoch(broken).map_err(|error| (error.kind, error.message));
    let passed = "an error of the source ends the epoch, with its own message";
    let wanted = Err((ErrorKind::Data, "disk gone".to_owned()));
    expect_eq("a batch that cannot be loaded", refused, wanted, passed);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-judging", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Part 4: evaluation, and when to stop

// %% nbgrader={"grade": false, "grade_id": "count-correct", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many samples were predicted correctly, or `None` for a regression, where no answer is simply
/// right or wrong.
///
/// TODO: Count correct predictions for classes and for yes-or-no answers.
///
/// APPROACH:
/// 1. Prediction `(B, C)` and target `(B)`: a row is correct if its largest value stands at the
///    class.
/// 2. Equal shapes and targets that are all 0 or 1: a prediction is correct if it is on the same
///    side of 0.5 as its target.
/// 3. Anything else is a regression: `None`.
///
/// EXAMPLE: The prediction `[[0.1, 0.9], [0.8, 0.2]]` with the target `[1, 1]` has one correct row.
///
/// HINTS:
/// - `argmax_axis` gives the index of the largest value of each row.
pub fn count_correct(prediction: &Tensor, target: &Tensor) -> Option<usize> {
    // BEGIN SOLUTION
    let targets = target.to_vec();
    if prediction.ndim() == 2 && target.ndim() == 1 {
        let guesses = prediction.argmax_axis(1);
        return Some(guesses.iter().zip(&targets).filter(|(g, t)| **g as f32 == **t).count());
    }
    if prediction.shape() != target.shape() || targets.iter().any(|&t| t != 0.0 && t != 1.0) {
        return None;
    }
    let hit = |(p, t): &(f32, &f32)| (*p >= 0.5) == (**t == 1.0);
    Some(prediction.to_vec().into_iter().zip(&targets).filter(hit).count())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-count-correct", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Classes, yes-or-no answers, and none for a regression.
#[test]
fn test_unit_count_correct() {
    use tinytorch::testing::expect_eq;
    let scores = Tensor::new(&[0.1, 0.9, 0.8, 0.2, 5.0, -5.0], &[3, 2]);
    let found = count_correct(&scores, &Tensor::new(&[1.0, 1.0, 0.0], &[3]));
    let class = "a row is correct if its largest value stands at the class";
    expect_eq("[[0.1, 0.9], [0.8, 0.2], [5, -5]] for 1, 1, 0", found, Some(2), class);
    let yes = Tensor::new(&[0.9, 0.2, 0.6], &[3, 1]);
    let found = count_correct(&yes, &Tensor::new(&[1.0, 0.0, 0.0], &[3, 1]));
    let side = "a yes-or-no answer is correct on the same side of 0.5 as its target";
    expect_eq("0.9, 0.2, 0.6 for 1, 0, 0", found, Some(2), side);
    let found = count_correct(&yes, &Tensor::new(&[0.9, 0.2, 0.6], &[3, 1]));
    expect_eq("targets 0.9, 0.2, 0.6", found, None, "a regression has no accuracy");
}

// %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Mean loss and accuracy over all samples, without training: nothing is recorded for a
    /// backward pass, and the model is in evaluation mode. Afterwards it is in its previous mode.
    ///
    /// TODO: Sum losses and correct predictions in evaluation mode, restore the mode, record the
    /// loss.
    ///
    /// APPROACH:
    /// 1. Remember the mode, then switch to evaluation.
    /// 2. Inside `no_grad`, for each batch: run the model, `check_batch`, loss, `count_correct`;
    ///    weight by samples as in `train_epoch`.
    /// 3. Restore the mode, also when a batch was refused.
    /// 4. Add the epoch and the loss to `eval_loss` of the history.
    ///
    /// EXAMPLE: 360 test digits, 350 of them correct: the accuracy is `Some(0.9722)`.
    ///
    /// HINTS:
    /// - Let the closure for `no_grad` return a `Result`. Store it, restore the mode, and only then
    ///   use `?`.
    /// - One batch without an accuracy makes the whole accuracy `None`.
    pub fn evaluate<I>(&mut self, batches: I) -> Result<(f32, Option<f32>), TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        // BEGIN SOLUTION
        let mode = self.training;
        self.set_training(false);
        let sums = no_grad(|| {
            let (mut total, mut hits, mut samples) = (0.0_f64, Some(0), 0);
            for batch in batches {
                let (x, y) = batch.into_batch()?;
                let prediction = self.model.forward(&x);
                check_batch(&prediction, &y)?;
                total += f64::from(self.loss.forward(&prediction, &y).item()) * y.shape()[0] as f64;
                hits = hits.zip(count_correct(&prediction, &y)).map(|(all, more)| all + more);
                samples += y.shape()[0];
            }
            Ok((total, hits, samples))
        });
        self.set_training(mode);
        let (total, hits, samples) = sums?;
        if samples == 0 {
            return Err(TrainingError::new(ErrorKind::Empty, "there are no batches to evaluate"));
        }
        let loss = (total / samples as f64) as f32;
        self.history.eval_loss.push((self.epoch, loss));
        Ok((loss, hits.map(|hits| hits as f32 / samples as f32)))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-evaluate", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Means weighted by samples, no training, no dropout, and the mode is restored.
#[test]
fn test_unit_evaluate() {
    use tinytorch::layers::Dropout;
    use tinytorch::testing::{expect_close, expect_eq};
    let mut linear = Linear::without_bias(2, 2, &mut Rng::seeded(0));
    linear.weight = Tensor::new(&[1.0, 0.0, 0.0, 1.0], &[2, 2]);
    let dropout = Dropout::new(0.9, Rng::seeded(1)).unwrap();
    let model = Sequential::new(vec![Box::new(dropout), Box::new(linear)]);
    let mut trainer = Trainer::new(model, Adam::new(0.1), CrossEntropyLoss);
    let one = (Tensor::new(&[0.0, 9.0], &[1, 2]), Tensor::new(&[1.0], &[1]));
    let three = (Tensor::new(&[9.0, 0.0].repeat(3), &[3, 2]), Tensor::new(&[0.0, 0.0, 1.0], &[3]));
    // Three of four are correct with a loss of almost 0, one is wrong with a loss of 9.
    let (loss, accuracy) = trainer.evaluate([&one, &three]).unwrap();
    let idea = "in evaluation mode, so without dropout, and weighted by samples, not by batches";
    let input = "batches of 1 and 3 samples";
    expect_close(input, &[loss, accuracy.unwrap()], &[2.25, 0.75], 1e-3, idea);
    let recorded = trainer.history.eval_loss.clone();
    expect_eq("the history", recorded, vec![(0, loss)], "add the epoch and the loss");
    let untouched = trainer.is_training() && trainer.step == 0;
    assert!(untouched, "evaluation takes no step, and the mode must be restored after it");

    trainer.set_training(false);
    trainer.evaluate([&one]).unwrap();
    assert!(!trainer.is_training(), "a model in evaluation mode must stay in it");
    trainer.set_training(true);
    let bad = (one.0.clone(), Tensor::new(&[2.0], &[1]));
    let refused = trainer.evaluate([&bad]).map_err(|error| error.kind);
    expect_eq("class 2 of 2", refused, Err(ErrorKind::Label), "check_batch comes first");
    assert!(trainer.is_training(), "the mode must be restored after an error too");
    let loss = trainer.loss.forward(&trainer.model.forward(&one.0), &one.1);
    assert!(loss.is_tracked(), "after evaluation, histories are recorded again");
    let nothing: [(Tensor, Tensor); 0] = [];
    let refused = trainer.evaluate(nothing).map_err(|error| error.kind);
    expect_eq("no batches", refused, Err(ErrorKind::Empty), "no mean without a sample");

    // Targets of 0 and 1 could be answers, but one batch of prices makes it all a regression.
    let model = Linear::new(1, 1, &mut Rng::seeded(0));
    let mut trainer = Trainer::new(model, Adam::new(0.1), tinytorch::losses::MSELoss);
    let column = |values: &[f32]| Tensor::new(values, &[2, 1]);
    let (answers, prices) = (column(&[0.0, 1.0]), column(&[0.5, 7.0]));
    let batches = [(answers.clone(), answers), (prices.clone(), prices)];
    let accuracy = trainer.evaluate(&batches).unwrap().1;
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
    /// 2. Any other loss, NaN too, is one more epoch of waiting.
    /// 3. After `patience` epochs of waiting: stop.
    ///
    /// EXAMPLE: With a patience of 2 the losses 3, 2, 2.5, 1, 1.5, 1.2 give best, best, waiting, best,
    /// waiting, stop.
    ///
    /// HINTS:
    /// - Compare with the best loss, not with the one before.
    pub fn observe(&mut self, loss: f32) -> Progress {
        // BEGIN SOLUTION
        if loss < self.best {
            (self.best, self.waited) = (loss, 0);
            return Progress::Best;
        }
        self.waited += 1;
        if self.waited >= self.patience { Progress::Stop } else { Progress::Waiting }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-early-stopping", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The best loss so far decides, not the one before, and the patience starts again with each best.
#[test]
fn test_unit_early_stopping() {
    use Progress::{Best, Stop, Waiting};
    use tinytorch::testing::expect_eq;
    let watch = |patience: usize, losses: &[f32]| -> Vec<Progress> {
        let mut stopping = EarlyStopping { patience, best: f32::INFINITY, waited: 0 };
        losses.iter().map(|&loss| stopping.observe(loss)).collect()
    };
    let best = "compare with the best loss so far, not with the one before";
    let wanted = vec![Best, Waiting, Waiting];
    expect_eq("1, 4, 3", watch(3, &[1.0, 4.0, 3.0]), wanted, best);
    let again =
        "a new best starts the waiting again from 0, and patience 2 stops at the second wait";
    let wanted = vec![Best, Best, Waiting, Best, Waiting, Stop];
    expect_eq("3, 2, 2.5, 1, 1.5, 1.2", watch(2, &[3.0, 2.0, 2.5, 1.0, 1.5, 1.2]), wanted, again);
    let equal = "an equal loss or NaN is no improvement";
    expect_eq("1, 1, NaN", watch(2, &[1.0, 1.0, f32::NAN]), vec![Best, Waiting, Stop], equal);
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
/// 2. Write all bytes; `sync_all` waits until they are on the disk.
/// 3. Renaming replaces the old file by the new one in one step.
/// 4. If anything failed, remove the temporary file and return the error.
///
/// EXAMPLE: After a crash before step 3, yesterday's checkpoint is unchanged.
///
/// HINTS:
/// - The temporary file must be in the same folder: a rename works only within one file system.
/// - A closure that returns `std::io::Result<()>` lets you use `?` and still clean up.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // BEGIN SOLUTION
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // The first error is the one to report; the file may not even exist.
        let _ = std::fs::remove_file(&temporary);
    })
    // END SOLUTION
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
    let content = |file: &Path| std::fs::read_to_string(file).unwrap();
    let idea = "the file has the new content";
    expect_eq("a file that was \"old\"", content(&file), "new".to_owned(), idea);
    let idea = "the old file was overwritten: a crash in between would lose both";
    let witness = content(&folder.join("witness"));
    expect_eq("a second name of the old file", witness, "old".to_owned(), idea);
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
    /// 1. Epoch, step and history as they are.
    /// 2. The parameters of the model, each detached: a checkpoint must not keep a history alive.
    /// 3. The buffers of the model, which are copies already.
    /// 4. The state of the optimizer: without its moving averages Adam would start again from zero.
    ///
    /// EXAMPLE: The checkpoint of a `Linear` from 2 to 3 has two parameters, of shapes `(2, 3)` and
    /// `(3)`.
    ///
    /// HINTS:
    /// - `detach` shares the numbers until one side changes them, so it costs almost nothing.
    /// - `buffers` and `state` belong to the traits `Layer` and `Optimizer`.
    pub fn checkpoint(&self) -> Checkpoint {
        // BEGIN SOLUTION
        Checkpoint {
            epoch: self.epoch,
            step: self.step,
            history: self.history.clone(),
            parameters: self.model.parameters().into_iter().map(Tensor::detach).collect(),
            buffers: self.model.buffers(),
            optimizer: self.optimizer.state(),
        }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-take-checkpoint", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 All parts are there, can be written and read, and do not change with further training.
#[test]
fn test_unit_take_checkpoint() {
    use tinytorch::testing::expect_eq;
    let batch = two_moons(20, &mut Rng::seeded(3));
    let model = Linear::new(2, 2, &mut Rng::seeded(1));
    let mut trainer = Trainer::new(model, Adam::new(0.1), CrossEntropyLoss);
    trainer.train_epoch([&batch]).unwrap();
    trainer.evaluate([&batch]).unwrap();
    let taken = trainer.checkpoint();
    let tracked = taken.parameters.iter().any(Tensor::is_tracked);
    assert!(!tracked, "detach the parameters: a checkpoint must not keep a history alive");
    let before: Vec<Vec<f32>> = trainer.model.parameters().iter().map(|p| p.to_vec()).collect();
    trainer.train_epoch([&batch]).unwrap();

    let read = Checkpoint::from_bytes("a", &taken.to_bytes()).unwrap();
    let idea = "epoch and step belong to a checkpoint: the schedule depends on them";
    expect_eq("after one epoch", (read.epoch, read.step), (1, 1), idea);
    let idea = "the history up to here belongs to a checkpoint";
    let losses = (read.history.train_loss, read.history.eval_loss);
    let wanted = (trainer.history.train_loss[..1].to_vec(), trainer.history.eval_loss.clone());
    expect_eq("after one epoch and one evaluation", losses, wanted, idea);
    let values: Vec<Vec<f32>> = read.parameters.iter().map(Tensor::to_vec).collect();
    let idea = "all parameters, in their order; they must not change with further training";
    expect_eq("a checkpoint, one epoch later", values, before, idea);
    let state = (read.optimizer.kind.as_str(), read.optimizer.slots.len());
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
    /// 1. Parameters and buffers must be as many as those of the model, each of the same shape:
    ///    else [`ErrorKind::OtherModel`], with both lists of shapes in the message.
    /// 2. The optimizer loads its state and checks it against the parameters: its error is an
    ///    [`ErrorKind::OtherModel`] too.
    /// 3. Write the values into the parameters, pass the buffers to the model; take over epoch,
    ///    step and history.
    ///
    /// EXAMPLE: 3 epochs, a checkpoint, loaded by another trainer, 3 more epochs: the same weights
    /// as after 6 epochs without a stop, to the last bit.
    ///
    /// HINTS:
    /// - Write into the existing parameters: ndarray's `assign` keeps the id by which gradients
    ///   find them.
    /// - `load_state` changes nothing when it refuses, so call it before you change the model.
    /// - `set_buffers` takes a mutable reference to an iterator.
    pub fn restore(&mut self, saved: Checkpoint) -> Result<(), TrainingError> {
        // BEGIN SOLUTION
        let other = |message: String| TrainingError::new(ErrorKind::OtherModel, message);
        let parameters = self.model.parameters();
        let buffers = self.model.buffers();
        let shapes = |tensors: Vec<&Tensor>| -> Vec<Vec<usize>> {
            tensors.into_iter().map(|tensor| tensor.shape().to_vec()).collect()
        };
        let mine = (shapes(parameters.clone()), shapes(buffers.iter().collect()));
        let found =
            (shapes(saved.parameters.iter().collect()), shapes(saved.buffers.iter().collect()));
        if mine != found {
            return Err(other(format!(
                "the checkpoint belongs to a different model: its parameters and buffers have \
                 shapes {found:?}, those of this model {mine:?}; build the model that it was saved from"
            )));
        }
        let loaded = self.optimizer.load_state(saved.optimizer, &parameters);
        loaded.map_err(|error| other(format!("the optimizer cannot load its state: {error}")))?;
        for (parameter, value) in self.model.parameters_mut().into_iter().zip(&saved.parameters) {
            parameter.array_mut().assign(value.array());
        }
        self.model.set_buffers(&mut saved.buffers.into_iter());
        (self.epoch, self.step, self.history) = (saved.epoch, saved.step, saved.history);
        Ok(())
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-restore", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A resumed run equals one that never stopped; a different model or optimizer is refused.
#[test]
fn test_unit_restore() {
    use tinytorch::testing::expect_eq;
    let batches = [two_moons(20, &mut Rng::seeded(3)), two_moons(20, &mut Rng::seeded(4))];
    let schedule = CosineSchedule { max_rate: 0.1, min_rate: 0.0, epochs: 6 };
    let fresh = |seed| {
        let model = Linear::new(2, 2, &mut Rng::seeded(seed));
        Trainer::new(model, Adam::new(0.1), CrossEntropyLoss).with_schedule(schedule)
    };
    let weights = |trainer: &Trainer| -> Vec<Vec<f32>> {
        trainer.model.parameters().iter().map(|p| p.to_vec()).collect()
    };
    let mut straight = fresh(1);
    straight.fit(6, |_| &batches, &[], None).unwrap();

    let mut stopped = fresh(1);
    stopped.fit(3, |_| &batches, &[], None).unwrap();
    let mut resumed = fresh(2);
    let ids = |trainer: &Trainer| -> Vec<Option<u64>> {
        trainer.model.parameters().iter().map(|p| p.id()).collect()
    };
    let before = ids(&resumed);
    resumed.restore(stopped.checkpoint()).unwrap();
    let leaves = "the values change, but the parameters stay the same leaves";
    expect_eq("the ids after restoring", ids(&resumed), before, leaves);
    resumed.fit(6, |_| &batches, &[], None).unwrap();
    let same = "a resumed run is the same as one that never stopped, to the last bit";
    let course = |trainer: &Trainer| (trainer.epoch, trainer.step, trainer.history.clone());
    expect_eq("epochs 3 + 3 and 6", course(&resumed), course(&straight), same);
    expect_eq("weights after 3 + 3 and 6", weights(&resumed), weights(&straight), same);

    /// A layer with a buffer.
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
    let buffered = |value| {
        let layer = Buffered(Tensor::scalar(value));
        Trainer::new(Sequential::new(vec![Box::new(layer)]), Adam::new(0.1), CrossEntropyLoss)
    };
    let mut other = buffered(0.0);
    let bytes = buffered(7.0).checkpoint().to_bytes();
    other.restore(Checkpoint::from_bytes("a", &bytes).unwrap()).unwrap();
    let buffer = other.model.buffers()[0].item();
    expect_eq("a buffer of 7", buffer, 7.0, "buffers belong to a checkpoint");
    let refused = |trainer: &mut Trainer, saved: Checkpoint| {
        trainer.restore(saved).map_err(|error| error.kind)
    };
    let different = Err(ErrorKind::OtherModel);
    let compared = "parameters are compared by number and shape, and so are buffers";
    let found = refused(&mut fresh(1), buffered(7.0).checkpoint());
    expect_eq("a model with other parameters and buffers", found, different, compared);

    // Neither has parameters, but only one of them has a buffer.
    let empty = Sequential::new(vec![]);
    let mut unbuffered = Trainer::new(empty, Adam::new(0.1), CrossEntropyLoss);
    let found = refused(&mut unbuffered, buffered(7.0).checkpoint());
    expect_eq("a buffer that the model has not", found, different, compared);
    // Before the first step Adam has no state, so only the shapes of the model can differ.
    let wider = Linear::new(2, 3, &mut Rng::seeded(1));
    let mut other = Trainer::new(wider, Adam::new(0.1), CrossEntropyLoss);
    let found = refused(&mut other, fresh(1).checkpoint());
    expect_eq("Linear(2 -> 3) for Linear(2 -> 2)", found, different, compared);

    let saved = straight.checkpoint();
    let wider = Linear::new(2, 3, &mut Rng::seeded(1));
    let others = [
        Trainer::new(wider, Adam::new(0.1), CrossEntropyLoss),
        Trainer::new(Linear::new(2, 2, &mut Rng::seeded(5)), SGD::new(0.1), CrossEntropyLoss),
    ];
    for mut other in others {
        let before = weights(&other);
        let found = refused(&mut other, saved.clone());
        expect_eq("another model, or another optimizer", found, different, compared);
        let unchanged = (weights(&other), other.epoch) == (before, 0);
        assert!(unchanged, "a checkpoint that is refused must not change anything");
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure

// %% nbgrader={"grade": false, "grade_id": "analyze-training-run", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// `inputs -> hidden -> outputs`, with a ReLU between.
fn two_layers(inputs: usize, hidden: usize, outputs: usize, rng: &mut Rng) -> Sequential {
    Sequential::new(vec![
        Box::new(Linear::new(inputs, hidden, rng)),
        Box::new(ReLU),
        Box::new(Linear::new(hidden, outputs, rng)),
    ])
}

/// Two moons of which 15 % have the wrong class: no model can predict those, and a large one can memorize them.
fn noisy_moons(count: usize, rng: &mut Rng) -> (Tensor, Tensor) {
    let (x, y) = two_moons(count, rng);
    let flip = |class: f32| if rng.uniform() < 0.15 { 1.0 - class } else { class };
    let classes: Vec<f32> = y.to_vec().into_iter().map(flip).collect();
    (x, Tensor::new(&classes, &[count]))
}

/// The rows of a set.
fn rows(data: &(Tensor, Tensor), indices: &[usize]) -> (Tensor, Tensor) {
    let points = indices.iter().flat_map(|&row| data.0.select(0, row).to_vec());
    let classes: Vec<f32> = indices.iter().map(|&row| data.1.select(0, row).item()).collect();
    let points: Vec<f32> = points.collect();
    (Tensor::new(&points, &[indices.len(), 2]), Tensor::new(&classes, &[indices.len()]))
}

/// The standard error of an accuracy that was found with so many samples.
pub fn sample_error(accuracy: f64, samples: usize) -> f64 {
    (accuracy * (1.0 - accuracy) / samples.max(1) as f64).sqrt()
}

/// 📊 A model that learns its samples by heart.
///
/// Purpose: see overfitting, and stop before it. Measured: training and validation loss over 300 epochs
/// of a network with 256 hidden units on 60 points, 15 % of them with the wrong class; the epoch of the
/// best validation loss; and the test accuracy with the parameters of that epoch and of the last one.
/// Key insight: the training loss keeps falling while the validation loss turns. Production context: the
/// test set is used once, after every choice has been made; what chose on it cannot be judged by it.
pub fn analyze_overfitting(out: &mut Reporter) {
    const EPOCHS: usize = 300;
    let mut rng = Rng::seeded(17);
    let all = noisy_moons(60 + 500 + 2000, &mut rng);
    let [train, validation, test] =
        three_sets(60 + 500 + 2000, 500, 2000, &mut rng).map(|set| [rows(&all, &set)]);
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
            out.chart(trainer.loss_curve());
        }
        let loss = trainer.history.eval_loss.last().map_or(f32::NAN, |&(_, loss)| loss);
        match stopping.observe(loss) {
            Progress::Best if stop.is_none() => best = trainer.checkpoint(),
            Progress::Stop if stop.is_none() => stop = Some(epoch),
            Progress::Best | Progress::Waiting | Progress::Stop => {}
        }
    }
    let history = trainer.history.clone();
    let judge = |trainer: &mut Trainer| {
        let (_, accuracy) = trainer.evaluate(&test).ok()?;
        Some(f64::from(accuracy?))
    };
    let chosen = best.epoch;
    let (Some(last), Ok(()), Some(early)) =
        (judge(&mut trainer), trainer.restore(best), judge(&mut trainer))
    else {
        return out.note("The model cannot be judged: finish `evaluate` and `restore` first.");
    };
    let loss_at = |epoch: usize| {
        let of_validation = history.eval_loss.iter().find(|(at, _)| *at == epoch);
        (history.train_loss.get(epoch - 1).copied(), of_validation.map(|(_, loss)| *loss))
    };
    let row = |name: &str, epoch: usize, accuracy: f64| -> Vec<Value> {
        let (train, validation) = loss_at(epoch);
        let number = |loss: Option<f32>| f64::from(loss.unwrap_or(f32::NAN)).into();
        let percent = 100.0 * accuracy;
        let error = 100.0 * sample_error(accuracy, 2000);
        vec![
            name.into(),
            epoch.into(),
            number(train),
            number(validation),
            percent.into(),
            error.into(),
        ]
    };
    out.table(Table {
        title: "The best epoch by validation loss, and the last".into(),
        columns: vec![
            Column::plain("parameters"),
            Column::plain("epoch"),
            Column::plain("training loss"),
            Column::plain("validation loss"),
            Column::with_unit("test accuracy", "%"),
            Column::with_unit("standard error", "%"),
        ],
        rows: vec![row("best", chosen, early), row("last", EPOCHS, last)],
        origin: Origin::Measured,
    });
    out.measured("epoch of the lowest validation loss", chosen as f64, "");
    let losses = (loss_at(chosen), loss_at(EPOCHS));
    if let ((Some(train_best), Some(best)), (Some(train_last), Some(last_loss))) = losses {
        let train = (train_best, train_last);
        out.insight(overfitting_insight(train, (best, last_loss), chosen, EPOCHS));
        out.insight(stopping_insight((early, last), 2000, stop));
    }
}

/// What the two curves say: losses of training and validation at the best epoch and at the last.
pub fn overfitting_insight(
    train: (f32, f32),
    validation: (f32, f32),
    best: usize,
    epochs: usize,
) -> String {
    let course = format!(
        "From epoch {best} to {epochs} the training loss went from {:.3} to {:.3}, the validation loss \
         from {:.3} to {:.3}",
        train.0, train.1, validation.0, validation.1
    );
    if best == epochs || validation.1 <= 1.05 * validation.0 {
        format!("{course}: no overfitting can be seen here.")
    } else if train.1 < train.0 {
        format!("{course}: overfitting. What was learned last holds for the training points only.")
    } else {
        format!(
            "{course}: both became worse, which is no overfitting; the learning rate is too high."
        )
    }
}

/// What stopping early was worth: test accuracies with the best and the last parameters.
pub fn stopping_insight(accuracy: (f64, f64), samples: usize, stop: Option<usize>) -> String {
    let (early, last) = accuracy;
    let error = sample_error(early, samples).hypot(sample_error(last, samples));
    let stopped = stop.map_or_else(
        || "Patience of 20 would not have stopped this run.".to_owned(),
        |epoch| format!("Patience of 20 would have stopped at epoch {epoch}."),
    );
    let found = if early - last > 2.0 * error {
        "better than the last ones on the test set"
    } else if last - early > 2.0 * error {
        "worse than the last ones on the test set, although their validation loss was lower"
    } else {
        "not clearly different from the last ones in test accuracy"
    };
    format!(
        "{stopped} The best parameters were {found}: {:.1} % against {:.1} %, with a standard error of \
         {:.1} for the difference.",
        100.0 * early,
        100.0 * last,
        100.0 * error
    )
}

// %% nbgrader={"grade": false, "grade_id": "analyze-learning-rates", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Batches of 32 from `count` points of two moons.
fn moon_batches(count: usize, rng: &mut Rng) -> Vec<(Tensor, Tensor)> {
    (0..count / 32).map(|_| two_moons(32, rng)).collect()
}

/// 📊 One network, six learning rates, and a schedule.
///
/// Purpose: know what a bad rate looks like, and what a schedule is worth here. Measured: training loss,
/// validation accuracy with its standard error and how the run ended, for SGD with six rates (a network
/// of 16 hidden units, 256 points, 60 epochs, seed 3); then the validation loss after 40 epochs of Adam at
/// a constant rate and with the cosine, each with the best of the same five rates, for the same seven seeds. Key insight: one failure reports a
/// number and the other an error. Production context: search the rate first; no other hyperparameter
/// matters as much.
pub fn analyze_learning_rates(out: &mut Reporter) {
    let mut rng = Rng::seeded(3);
    let (batches, validation) = (moon_batches(256, &mut rng), [two_moons(1000, &mut rng)]);
    let mut rows = vec![];
    for rate in [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0] {
        let model = two_layers(2, 16, 2, &mut Rng::seeded(3));
        let mut trainer = Trainer::new(model, SGD::new(rate), CrossEntropyLoss);
        let ended = trainer.fit(60, |_| &batches, &[], None);
        let loss = trainer.history.train_loss.last().copied().unwrap_or(f32::NAN);
        let judged = trainer.evaluate(&validation).ok().and_then(|(_, accuracy)| accuracy);
        let accuracy = judged.map_or(f64::NAN, f64::from);
        let error = 100.0 * sample_error(accuracy, 1000);
        let end = ended
            .err()
            .map_or("60 epochs".to_owned(), |_| format!("an error in epoch {}", trainer.epoch + 1));
        let loss = f64::from(loss).into();
        rows.push(vec![
            f64::from(rate).into(),
            loss,
            (100.0 * accuracy).into(),
            error.into(),
            end.into(),
        ]);
    }
    out.table(Table {
        title: "SGD with six learning rates".into(),
        columns: vec![
            Column::plain("learning rate"),
            Column::plain("training loss"),
            Column::with_unit("validation accuracy", "%"),
            Column::with_unit("standard error", "%"),
            Column::plain("ended after"),
        ],
        rows,
        origin: Origin::Measured,
    });
    compare_schedules(out);
}

/// The validation loss after 40 epochs of Adam whose rate falls from `max_rate` to `min_rate`.
fn final_loss(seed: u64, max_rate: f32, min_rate: f32) -> f64 {
    let mut rng = Rng::seeded(seed);
    let (batches, validation) = (moon_batches(256, &mut rng), [two_moons(1000, &mut rng)]);
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
    let columns = [
        ("highest learning rate", ""),
        ("constant", ""),
        ("cosine", ""),
        ("cosine / constant", "x"),
    ];
    let row = |rate: f32, constant: &[f64], cosine: &[f64]| -> Vec<Value> {
        let spreads = [constant, cosine].map(|losses| Value::spread(quartiles(losses.to_vec())));
        [vec![rate.into()], spreads.into(), vec![quotient(cosine, constant).into()]].concat()
    };
    let rows = RATES.iter().zip(&losses);
    let rows = rows.map(|(rate, [constant, cosine])| row(*rate, constant, cosine)).collect();
    out.measured_table("Validation loss after 40 epochs of Adam, seven seeds", &columns, rows);
    let best = [0, 1].map(|kind| {
        let median = |rate: &usize| quartiles(losses[*rate][kind].clone())[1];
        (0..RATES.len()).min_by(|a, b| median(a).total_cmp(&median(b))).unwrap_or(0)
    });
    let ratio = quotient(&losses[best[1]][1], &losses[best[0]][0]);
    let columns =
        [("constant rate", ""), ("highest of the cosine", ""), ("cosine / constant", "x")];
    let row = vec![RATES[best[0]].into(), RATES[best[1]].into(), ratio.into()];
    out.measured_table("Each at its best rate, for the same seven seeds", &columns, vec![row]);
    out.measured("validation loss with the cosine against a constant rate", ratio.median, "x");
    out.insight(schedule_insight(ratio));
}

/// The quotients of the losses of the same seeds.
fn quotient(losses: &[f64], others: &[f64]) -> Ratio {
    Ratio::of(losses.iter().zip(others).map(|(a, b)| a / b).collect())
}

/// What a schedule was worth: the quotient of the final validation losses, with it and without.
pub fn schedule_insight(ratio: Ratio) -> String {
    let spread = format!(
        "{:.2} times that of a constant rate ({:.2} to {:.2} in the middle half of the seeds)",
        ratio.median, ratio.low, ratio.high
    );
    match ratio.reading() {
        Reading::Smaller => format!("With the cosine the final loss was {spread}: it helped here."),
        Reading::Larger => {
            format!("With the cosine the final loss was {spread}: it did harm here.")
        }
        Reading::NoClearDifference => {
            format!("With the cosine the final loss was {spread}: no clear difference here.")
        }
        Reading::TooNoisy => {
            format!(
                "With the cosine the final loss was {spread}: the seeds disagree too much to tell."
            )
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "analyze-accumulation", "locked": true, "schema_version": 3, "solution": false, "task": false}
fn counted(used: Option<MemoryUse>, pick: impl Fn(MemoryUse) -> usize) -> Value {
    used.map_or_else(|| "not counted".into(), |used| pick(used).into())
}

/// 📊 The gradient of 512 samples, from one batch or from many small ones.
///
/// Purpose: see what accumulation saves and what it costs. Measured: peak memory (seen by the
/// counting allocator), time, and the largest difference from the gradient of the whole batch, for
/// small batches of 512 down to 16 samples. Key insight: the gradient is the same but for rounding;
/// memory depends on the small batch, because only its intermediate values are kept for the
/// backward pass. Production context: gradient accumulation trains with batches that do not fit
/// into a GPU.
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
    let (mut rows, mut curve, mut furthest) = (vec![], vec![], 0.0_f32);
    for piece in [512, 256, 128, 64, 32, 16] {
        let timing = time(9, || gather(piece).map(|gradients| gradients.len()));
        let (gradients, used) = memory(|| gather(piece));
        let Ok(gradients) = gradients else { continue };
        let pairs = whole.iter().zip(gradients.iter());
        let difference = pairs
            .flat_map(|((_, a), (_, b))| a.to_vec().into_iter().zip(b.to_vec()))
            .fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        furthest = furthest.max(difference);
        if let Some(used) = used {
            curve.push((piece as f64, used.peak as f64));
        }
        let pieces = (512 / piece).into();
        let peak = counted(used, |used| used.peak);
        rows.push(vec![pieces, piece.into(), peak, timing.into(), difference.into()]);
    }
    out.table(Table {
        title: "The gradient of 512 samples".into(),
        columns: vec![
            Column::plain("pieces"),
            Column::plain("samples each"),
            Column::with_unit("peak memory", "B"),
            Column::with_unit("time", "s"),
            Column::plain("largest difference"),
        ],
        rows,
        origin: Origin::Measured,
    });
    let peaks = curve.first().zip(curve.last()).map(|(whole, small)| (whole.1, small.1));
    if !curve.is_empty() {
        out.chart(Chart {
            title: "Peak memory over the size of a piece".into(),
            kind: ChartKind::Line,
            x: Axis::log("samples in a piece", ""),
            y: Axis::log("peak memory", "B"),
            series: vec![Series::new("forward and backward", curve)],
            origin: Origin::Measured,
        });
    }
    if let Some(peaks) = peaks {
        out.insight(accumulation_insight(peaks, furthest));
    }
}

/// What accumulation saved, in bytes at the peak (whole batch, smallest pieces), and what it changed.
pub fn accumulation_insight(peaks: (f64, f64), difference: f32) -> String {
    let (whole, pieces) = peaks;
    let saved = if whole > 1.1 * pieces {
        format!(
            "The whole batch needed {:.1} times the memory of the smallest pieces",
            whole / pieces
        )
    } else if pieces > 1.1 * whole {
        format!(
            "The smallest pieces needed {:.1} times the memory of the whole batch",
            pieces / whole
        )
    } else {
        "There is no clear difference in memory here".to_owned()
    };
    let same = if difference < 1e-4 {
        "the gradient is the same but for rounding"
    } else {
        "and the gradient is not the same: is each piece weighted by its samples?"
    };
    format!("{saved}; {same} (largest difference {difference:.1e}).")
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-module-test", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Module test

// %% nbgrader={"grade": true, "grade_id": "test-training-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A network learns two moons, resumes from a file, and a learning rate that is far too high is
/// refused.
#[test]
fn test_module() {
    use tinytorch::testing::expect_eq;
    let mut rng = Rng::seeded(21);
    let (validation, test) = ([two_moons(200, &mut rng)], [two_moons(200, &mut rng)]);
    let batches: Vec<(Tensor, Tensor)> = (0..5).map(|_| two_moons(30, &mut rng)).collect();
    let fresh = |seed: u64| {
        let mut rng = Rng::seeded(seed);
        let model = Sequential::new(vec![
            Box::new(Linear::new(2, 16, &mut rng)),
            Box::new(ReLU),
            Box::new(Linear::new(16, 2, &mut rng)),
        ]);
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
    let idea = "fit evaluates after each epoch, and the test was evaluated once";
    expect_eq("60 epochs", straight.history.eval_loss.len(), 61, idea);

    let file = std::env::temp_dir().join(format!("tinytorch-module-{}.ckpt", std::process::id()));
    let mut stopped = fresh(1);
    stopped.fit(30, |_| &batches, &validation, None).unwrap();
    stopped.save_checkpoint(&file).unwrap();
    let mut resumed = fresh(9);
    resumed.load_checkpoint(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    resumed.fit(60, |_| &batches, &validation, None).unwrap();
    let idea = "a resumed run is the same as one that never stopped, to the last bit";
    expect_eq("epochs 30 + 30 and 60", resumed.evaluate(&test).unwrap(), (loss, accuracy), idea);
    let missing = resumed.load_checkpoint(&file).map_err(|error| error.kind);
    let idea = "a file that cannot be read is an error of the kind File";
    expect_eq("a file that was removed", missing, Err(ErrorKind::File), idea);

    let model = Linear::new(2, 2, &mut rng);
    let mut wild = Trainer::new(model, SGD::new(1e38), CrossEntropyLoss);
    let ended = wild.fit(50, |_| &batches, &[], None).map_err(|error| error.kind);
    let idea = "stop at the first loss or gradient that is not finite";
    expect_eq("a learning rate of 1e38", ended, Err(ErrorKind::NotFinite), idea);
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
    /// Trains until `epochs` epochs are completed, those before a restored checkpoint included.
    /// `batches` returns the batches of an epoch, given its number. With `validation` batches each
    /// epoch is followed by an evaluation; with a reporter the curves are redrawn after each epoch.
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
                out.chart(self.loss_curve());
            }
        }
        Ok(())
    }

    /// The loss over the completed epochs.
    pub fn loss_curve(&self) -> Chart {
        let train = self.history.train_loss.iter().enumerate();
        let train = Series::new("train", train.map(|(e, &loss)| ((e + 1) as f64, loss.into())));
        let evaluated = self.history.eval_loss.iter().map(|&(e, loss)| (e as f64, loss.into()));
        let mut series = vec![train, Series::new("validation", evaluated)];
        series.retain(|series| !series.points.is_empty());
        Chart {
            title: "Loss".into(),
            kind: ChartKind::Line,
            x: Axis::linear("epoch", ""),
            y: Axis::linear("loss", ""),
            series,
            origin: Origin::Measured,
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-checkpoint-format", "locked": true, "schema_version": 3, "solution": false, "task": false}
//     offset  size  content, all numbers little-endian
//     0       8     "TINYCKPT"
//     8       4     version of the format: 1
//     12      8     length L of the payload
//     20      L     payload: epoch, step, history, parameters, optimizer
//     20 + L  4     CRC-32 of everything before

const MAGIC: &[u8; 8] = b"TINYCKPT";
const VERSION: u32 = 1;
const HEADER: usize = 20;

/// The CRC-32 of some bytes: any changed byte changes it.
pub fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = tinytorch::flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Adds header and checksum to a payload.
pub fn seal(payload: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(payload);
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes
}

/// Checks and removes header and checksum, and refuses whatever [`seal`] did not write. `file` is
/// for messages.
///
/// The order matters: magic, version, length, checksum. A newer version may keep its length elsewhere,
/// and nothing that the file says is used before it is compared with the bytes that are there.
pub fn open_checkpoint<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a [u8], TrainingError> {
    let error = |kind, what: String| Err(TrainingError::new(kind, format!("'{file}' {what}")));
    let found = bytes.len() as u64;
    let too_short = |expected: u64| {
        let what =
            format!("was truncated: {expected} bytes expected, {found} found; use an older one");
        error(ErrorKind::Truncated, what)
    };
    if !bytes.starts_with(MAGIC) && !MAGIC.starts_with(bytes) {
        let start = &bytes[..bytes.len().min(8)];
        return error(
            ErrorKind::Foreign,
            format!("is not a checkpoint: it begins with {start:02x?}"),
        );
    }
    let Some(header) = bytes.first_chunk::<HEADER>() else { return too_short(HEADER as u64) };
    let version = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    if version > VERSION {
        let what = format!("has version {version}, this program reads up to {VERSION}: update it");
        return error(ErrorKind::NewerVersion, what);
    }
    let (_, length) = header.split_at(12);
    let length = length.iter().rev().fold(0_u64, |number, &byte| (number << 8) | u64::from(byte));
    let expected = length.saturating_add(HEADER as u64 + 4);
    if found < expected {
        return too_short(expected);
    }
    let (sealed, stored) = bytes.split_at(bytes.len() - 4);
    if found > expected || checksum(sealed).to_le_bytes() != stored {
        let what = "is damaged: its checksum does not match; use an older one".into();
        return error(ErrorKind::Damaged, what);
    }
    Ok(&sealed[HEADER..])
}

fn put(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend((number as u64).to_le_bytes());
}

fn put_floats(bytes: &mut Vec<u8>, values: &[f32]) {
    put(bytes, values.len());
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
}

fn put_tensor(bytes: &mut Vec<u8>, tensor: &Tensor) {
    put(bytes, tensor.ndim());
    tensor.shape().iter().for_each(|&size| put(bytes, size));
    put_floats(bytes, &tensor.to_vec());
}

/// Reads numbers from the front of a payload. Any bytes give a value or an error, and never
/// allocate much more memory than there are bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], TrainingError> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            let message = "the checkpoint is damaged: it should hold more bytes than it does";
            return Err(TrainingError::new(ErrorKind::Damaged, message));
        };
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize, TrainingError> {
        let bytes = self.take(8)?;
        let number = bytes.iter().rev().fold(0_u64, |n, &byte| (n << 8) | u64::from(byte));
        usize::try_from(number).map_err(|_| {
            TrainingError::new(
                ErrorKind::Damaged,
                format!("the checkpoint is damaged: {number} is too large for a count"),
            )
        })
    }

    fn float(&mut self) -> Result<f32, TrainingError> {
        let bytes = self.take(4)?;
        Ok(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A list: its length, then each item with `read`, which must take at least one byte.
    fn list<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, TrainingError>,
    ) -> Result<Vec<T>, TrainingError> {
        let count = self.number()?;
        // Grows item by item: with a wrong count the bytes end long before the memory does.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn tensor(&mut self) -> Result<Tensor, TrainingError> {
        let shape = self.list(Self::number)?;
        let values = self.list(Self::float)?;
        let count = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        if count != Some(values.len()) || values.is_empty() {
            let message = format!(
                "the checkpoint is damaged: it has {} values for a tensor of shape {shape:?}",
                values.len()
            );
            return Err(TrainingError::new(ErrorKind::Damaged, message));
        }
        Ok(Tensor::new(&values, &shape))
    }
}

impl Checkpoint {
    /// The content of the file, with header and checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.epoch);
        put(&mut bytes, self.step);
        put_floats(&mut bytes, &self.history.train_loss);
        put_floats(&mut bytes, &self.history.learning_rates);
        put(&mut bytes, self.history.eval_loss.len());
        for &(epoch, loss) in &self.history.eval_loss {
            put(&mut bytes, epoch);
            bytes.extend(loss.to_le_bytes());
        }
        for tensors in [&self.parameters, &self.buffers] {
            put(&mut bytes, tensors.len());
            tensors.iter().for_each(|tensor| put_tensor(&mut bytes, tensor));
        }
        put(&mut bytes, self.optimizer.kind.len());
        bytes.extend(self.optimizer.kind.bytes());
        bytes.extend(self.optimizer.learning_rate.to_le_bytes());
        put(&mut bytes, self.optimizer.slots.len());
        for slot in &self.optimizer.slots {
            bytes.extend(slot.steps.to_le_bytes());
            put(&mut bytes, slot.buffers.len());
            slot.buffers.iter().for_each(|buffer| put_tensor(&mut bytes, buffer));
        }
        seal(&bytes)
    }

    /// Reads what [`Checkpoint::to_bytes`] wrote. `file` is for messages.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, TrainingError> {
        let mut reader = Reader(open_checkpoint(file, bytes)?);
        let (epoch, step) = (reader.number()?, reader.number()?);
        let history = History {
            train_loss: reader.list(Reader::float)?,
            learning_rates: reader.list(Reader::float)?,
            eval_loss: reader.list(|reader| Ok((reader.number()?, reader.float()?)))?,
        };
        let (parameters, buffers) = (reader.list(Reader::tensor)?, reader.list(Reader::tensor)?);
        let length = reader.number()?;
        let kind = String::from_utf8_lossy(reader.take(length)?).into_owned();
        let learning_rate = reader.float()?;
        let slots = reader.list(|reader| {
            Ok(Slot { steps: reader.number()? as u64, buffers: reader.list(Reader::tensor)? })
        })?;
        let optimizer = OptimizerState { kind, learning_rate, slots };
        if !reader.0.is_empty() {
            let message = format!("'{file}' is damaged: it has {} bytes too many", reader.0.len());
            return Err(TrainingError::new(ErrorKind::Damaged, message));
        }
        Ok(Self { epoch, step, history, parameters, buffers, optimizer })
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
/// Two interleaved half circles: points `(N, 2)` and their classes, 0 or 1, `(N)`. No straight line
/// separates them.
pub fn two_moons(count: usize, rng: &mut Rng) -> (Tensor, Tensor) {
    let (mut points, mut classes) = (Vec::new(), Vec::new());
    for index in 0..count {
        let angle = std::f32::consts::PI * rng.uniform();
        let (x, y) = (angle.cos(), angle.sin());
        let (x, y) = if index % 2 == 0 { (x, y) } else { (1.0 - x, 0.5 - y) };
        points.extend([x + 0.1 * rng.normal(), y + 0.1 * rng.normal()]);
        classes.push((index % 2) as f32);
    }
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
