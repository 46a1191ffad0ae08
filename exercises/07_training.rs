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
//! Module 07, Training: the loop that turns batches into a trained model, and survives a crash.
//!
//! In: a model, an optimizer, a loss, and batches `(inputs (B, ...), targets (B, ...))` from any
//! iterator. Out: a trained model, its history, and checkpoint files. What comes from outside
//! (labels, shapes, files) is refused with a [`TrainingError`] that names the thing and the mend.
//! Not here: where batches come from (module 08).

use std::fmt;
use std::io::Write;
use std::path::Path;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, Gradients, no_grad, track};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::optimizers::{Adam, Optimizer, OptimizerState, Slot};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Metric, Origin, Reporter};
use tinytorch::report::{Series, Table, Target, Value};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{MemoryUse, memory, time};

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing to train on or to judge by.
    Empty,
    /// Prediction and target do not fit together.
    Shape,
    /// A class number that does not exist.
    Label,
    /// A loss or gradient that is infinite or not a number.
    NotFinite,
    /// The source of the batches failed.
    Data,
    /// The file could not be read or written.
    File,
    /// The file is no checkpoint.
    Foreign,
    /// The checkpoint was written by a newer program.
    NewerVersion,
    /// The file ends too early.
    Truncated,
    /// The file's content is not what was written.
    Damaged,
    /// The checkpoint belongs to another model or optimizer.
    OtherModel,
}

/// What went wrong: for a program the kind, for a person the thing, the place and the mend.
#[derive(Debug, Clone)]
pub struct TrainingError {
    /// What kind of thing.
    pub kind: Trouble,
    /// The thing, the place and the mend.
    pub message: String,
}

impl TrainingError {
    /// An error of this kind.
    pub fn new(kind: Trouble, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl std::error::Error for TrainingError {}

impl fmt::Display for TrainingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-rate", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Part 1: the learning rate and the length of a step

// %% nbgrader={"grade": false, "grade_id": "training-schedule-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A learning rate that falls along half a cosine wave (Loshchilov and Hutter, 2017).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineSchedule {
    /// The rate of epoch 0.
    pub max_rate: f32,
    /// The rate from epoch `epochs` on.
    pub min_rate: f32,
    /// How many epochs the way down takes.
    pub epochs: usize,
}

// %% nbgrader={"grade": false, "grade_id": "cosine-schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl CosineSchedule {
    /// The learning rate of an epoch: `min + (max - min) * (1 + cos(pi * epoch / epochs)) / 2`.
    ///
    /// TODO: compute the formula; from `epochs` on the rate stays at the minimum.
    ///
    /// APPROACH:
    /// 1. For `epoch >= epochs` return `min_rate`. That also covers `epochs == 0`.
    /// 2. The share of the way is `epoch / epochs`, a number from 0 to 1.
    /// 3. `(1 + cos(pi * share)) / 2` falls from 1 to 0: mix the two rates with it.
    ///
    /// EXAMPLE: from 0.1 to 0.0 in 10 epochs: 0.1 at epoch 0, 0.05 at epoch 5, 0.0 at epoch 10.
    ///
    /// HINTS: `std::f32::consts::PI`. Both numbers are `usize`: convert before you divide.
    pub fn learning_rate(&self, epoch: usize) -> f32 {
        todo!("cosine-schedule")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-cosine-schedule", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both ends, the middle, beyond the end, and always downhill.
#[test]
fn test_unit_cosine_schedule() {
    let schedule = CosineSchedule { max_rate: 0.1, min_rate: 0.01, epochs: 100 };
    let rates: Vec<f32> = [0, 25, 50, 100, 1000].map(|e| schedule.learning_rate(e)).to_vec();
    // cos(pi / 4) = 0.70711: 0.01 + 0.09 * 0.853553.
    tinytorch::testing::assert_close(&rates, &[0.1, 0.086_819_8, 0.055, 0.01, 0.01], 1e-6);
    assert!((0..100).all(|e| schedule.learning_rate(e + 1) < schedule.learning_rate(e)));
    let none = CosineSchedule { epochs: 0, ..schedule };
    assert_eq!(none.learning_rate(0), 0.01);
}

// %% nbgrader={"grade": false, "grade_id": "clip-grad-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Shortens all gradients together to the length `max_norm` if they are longer; returns the length
/// before. One factor for all: the direction of the step stays.
///
/// TODO: compute the length of all gradients taken as one long vector, and scale if it is too long.
///
/// APPROACH:
/// 1. Sum the squares of every value of every gradient, in `f64`.
/// 2. The square root is the length.
/// 3. If it is above `max_norm`, `scale` by `max_norm / length`.
///
/// EXAMPLE: gradients `[3]` and `[4]` have length 5; with `max_norm` 1 they become `[0.6]` and `[0.8]`.
///
/// HINTS: `gradients.iter()` yields `(id, &Tensor)`, and `array().iter()` the values. A length of 0
/// is never above `max_norm`, so nothing is divided by 0.
pub fn clip_grad_norm(gradients: &mut Gradients, max_norm: f32) -> f32 {
    todo!("clip-grad-norm")
}

// %% nbgrader={"grade": true, "grade_id": "test-clip-grad-norm", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Too long is shortened together, short is left alone, nothing has length 0.
#[test]
fn test_unit_clip_grad_norm() {
    let (a, b) = (Tensor::scalar(1.0).tracked(), Tensor::scalar(1.0).tracked());
    let gradients = || (&(&a * 3.0) + &(&b * 4.0)).backward();
    let values = |g: &Gradients| [g.get(&a).unwrap().item(), g.get(&b).unwrap().item()];

    let mut clipped = gradients();
    assert_eq!(clip_grad_norm(&mut clipped, 1.0), 5.0);
    tinytorch::testing::assert_close(&values(&clipped), &[0.6, 0.8], 1e-6);
    assert!((clip_grad_norm(&mut clipped, 1.0) - 1.0).abs() < 1e-6);

    let mut short = gradients();
    assert_eq!(clip_grad_norm(&mut short, 5.0), 5.0);
    assert_eq!(values(&short), [3.0, 4.0], "a length of exactly max_norm is no reason to change");
    assert_eq!(clip_grad_norm(&mut Gradients::default(), 1.0), 0.0);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-loop", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Part 2: the loop

// %% nbgrader={"grade": false, "grade_id": "training-trainer-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Anything that can be a batch: the pair itself, a reference to one, or the result of loading one.
pub trait IntoBatch {
    /// Inputs `(B, ...)` and targets `(B, ...)`, or why there are none.
    fn into_batch(self) -> Result<(Tensor, Tensor), TrainingError>;
}

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
        self.map_err(|error| TrainingError::new(Trouble::Data, error.to_string()))
    }
}

/// What training has done so far, epoch by epoch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Mean training loss of each epoch.
    pub train_loss: Vec<f32>,
    /// Learning rate of each epoch.
    pub learning_rates: Vec<f32>,
    /// Each evaluation: after how many epochs, and its loss.
    pub eval_loss: Vec<(usize, f32)>,
}

/// Gradients that wait for their step, because several batches share one.
#[derive(Default)]
pub struct Pending {
    /// The sum of the gradients, each times its number of samples.
    pub gradients: Gradients,
    /// How many samples are in it.
    pub samples: usize,
    /// How many batches.
    pub batches: usize,
}

/// Trains one model with one optimizer and one loss.
pub struct Trainer {
    /// What is trained.
    pub model: Box<dyn Layer>,
    /// What changes it.
    pub optimizer: Box<dyn Optimizer>,
    /// What is minimised.
    pub loss: Box<dyn Loss>,
    /// The learning rate of each epoch; without one the optimizer's own stays.
    pub schedule: Option<CosineSchedule>,
    /// The greatest length of the gradient; longer ones are clipped.
    pub max_norm: f32,
    /// How many batches share one step.
    pub accumulation: usize,
    /// Epochs done.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// What happened so far.
    pub history: History,
    training: bool,
}

impl Trainer {
    /// A trainer without schedule, clipping or accumulation. The model's parameters are tracked from
    /// here on.
    pub fn new(
        mut model: impl Layer,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
    ) -> Self {
        track(model.parameters_mut());
        Self {
            model: Box::new(model),
            optimizer: Box::new(optimizer),
            loss: Box::new(loss),
            schedule: None,
            max_norm: f32::INFINITY,
            accumulation: 1,
            epoch: 0,
            step: 0,
            history: History::default(),
            training: true,
        }
    }

    /// Changes the learning rate with the epochs.
    #[must_use]
    pub fn with_schedule(self, schedule: CosineSchedule) -> Self {
        Self { schedule: Some(schedule), ..self }
    }

    /// Clips gradients to this length.
    #[must_use]
    pub fn with_clipping(self, max_norm: f32) -> Self {
        Self { max_norm, ..self }
    }

    /// Takes one step for each `batches` batches (at least 1).
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

    fn not_finite(&self, what: &str, value: f32) -> TrainingError {
        let (step, rate) = (self.step, self.optimizer.learning_rate());
        let message = format!(
            "the {what} is {value} at step {step} (learning rate {rate}): try a learning rate of {}, \
             clip the gradients, or look for such values in the data",
            rate / 10.0
        );
        TrainingError::new(Trouble::NotFinite, message)
    }
}

// %% nbgrader={"grade": false, "grade_id": "check-batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Refuses targets that do not fit the prediction.
///
/// TODO: let pass what a loss can work with, and explain everything else.
///
/// APPROACH:
/// 1. No values at all: [`Trouble::Empty`].
/// 2. Equal shapes are right: each number has its target.
/// 3. Prediction `(B, C)` with `C > 1` and target `(B)`: class numbers. Each must be a whole number
///    from 0 to `C - 1`; the first that is not is [`Trouble::Label`]: name it, its place and `C`.
/// 4. Everything else is [`Trouble::Shape`], with both shapes in the message.
///
/// EXAMPLE: prediction `(32, 10)` fits target `(32, 10)`, and target `(32)` with values 0..=9.
///
/// HINTS: `(32, 1)` against `(32)` would broadcast to `(32, 32)` without a word: that is the mistake
/// to catch. `label.fract() != 0.0` is true for 1.5, and for NaN.
pub fn check_batch(prediction: &Tensor, target: &Tensor) -> Result<(), TrainingError> {
    todo!("check-batch")
}

// %% nbgrader={"grade": true, "grade_id": "test-check-batch", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What fits passes; each misfit is named.
#[test]
fn test_unit_check_batch() {
    let logits = Tensor::zeros(&[3, 4]);
    assert!(check_batch(&logits, &Tensor::zeros(&[3, 4])).is_ok());
    assert!(check_batch(&logits, &Tensor::new(&[0.0, 3.0, 1.0], &[3])).is_ok());

    for (label, shown) in
        [(4.0, "class 4"), (-1.0, "class -1"), (1.5, "class 1.5"), (f32::NAN, "NaN")]
    {
        let checked = check_batch(&logits, &Tensor::new(&[0.0, label, 1.0], &[3]));
        let error = checked.err().unwrap_or_else(|| panic!("{shown} of 4 classes was accepted"));
        assert_eq!(error.kind, Trouble::Label);
        assert!(error.message.contains(shown) && error.message.contains("target 1"), "{error}");
    }
    let misfits = [(&[3, 4][..], &[2][..]), (&[3, 1], &[3]), (&[3], &[3, 1]), (&[3, 4], &[3, 5])];
    for (prediction, target) in misfits {
        let checked = check_batch(&Tensor::zeros(prediction), &Tensor::zeros(target));
        let both = format!("{prediction:?} against {target:?}");
        let error = checked.err().unwrap_or_else(|| panic!("{both} was accepted"));
        assert_eq!(error.kind, Trouble::Shape, "{both}");
        assert!(error.message.contains(&format!("{target:?}")), "{error}");
    }
    let empty = check_batch(&Tensor::zeros(&[0, 4]), &Tensor::zeros(&[0])).unwrap_err();
    assert_eq!(empty.kind, Trouble::Empty);
}

// %% nbgrader={"grade": false, "grade_id": "process-batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Forward, loss, backward for one batch; adds its gradient to `pending` and returns its loss.
    ///
    /// TODO: compute the loss, stop if it is no number, and add the gradient, weighted by samples.
    ///
    /// APPROACH:
    /// 1. Forward through the model; `check_batch`; the loss.
    /// 2. A loss that is infinite or NaN: `self.not_finite("loss", value)`.
    /// 3. `backward`, and `scale` the gradients by the number of samples, `y.shape()[0]`.
    /// 4. Add them to `pending.gradients`; count samples and batches.
    ///
    /// EXAMPLE: a batch of 32 adds 32 times its mean gradient. A last batch of 5 then counts 5.
    ///
    /// HINTS: a loss is a mean over its batch. A mean of means is wrong when batches differ in
    /// length; a sum of (mean times samples), divided by all samples in the end, is right.
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
    use tinytorch::losses::MSELoss;
    let mut rng = Rng::seeded(0);
    let mut layer = Linear::without_bias(1, 1, &mut rng);
    layer.weight = Tensor::new(&[2.0], &[1, 1]);
    let mut trainer = Trainer::new(layer, Adam::new(0.1), MSELoss);
    let column = |values: &[f32]| Tensor::new(values, &[values.len(), 1]);
    let mut pending = Pending::default();
    // Predictions 2 and 4 against 0 and 0: loss (4 + 16) / 2, slope (2*2*1 + 2*4*2) / 2 = 10.
    let loss = trainer.process_batch(&column(&[1.0, 2.0]), &column(&[0.0, 0.0]), &mut pending);
    assert_eq!(loss.unwrap(), 10.0);
    // Prediction 2 against 1: loss 1, slope 2.
    let loss = trainer.process_batch(&column(&[1.0]), &column(&[1.0]), &mut pending);
    assert_eq!((loss.unwrap(), pending.samples, pending.batches), (1.0, 3, 2));
    let weight = trainer.model.parameters()[0];
    assert_eq!(pending.gradients.get(weight).unwrap().item(), 2.0 * 10.0 + 2.0);

    let bad = column(&[f32::INFINITY]);
    let error = trainer.process_batch(&bad, &column(&[0.0]), &mut pending).unwrap_err();
    assert_eq!(error.kind, Trouble::NotFinite);
    assert!(error.message.contains("step 0") && error.message.contains("rate 0.1"), "{error}");
    // A column against a list: the loss must never see them.
    let list = Tensor::zeros(&[2]);
    let error = trainer.process_batch(&column(&[1.0, 2.0]), &list, &mut pending).unwrap_err();
    assert_eq!(error.kind, Trouble::Shape, "check_batch comes before the loss");
    assert_eq!(pending.batches, 2, "a bad batch must leave no trace");
}

// %% nbgrader={"grade": false, "grade_id": "update", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// One step of the optimizer with what is pending; returns the length of the gradient before
    /// clipping. Afterwards nothing is pending.
    ///
    /// TODO: turn the weighted sum into a mean, clip, step.
    ///
    /// APPROACH:
    /// 1. `std::mem::take(pending)` gives you the gradients and leaves an empty `Pending` behind.
    /// 2. `scale` by 1 / samples; `clip_grad_norm` to `self.max_norm`.
    /// 3. A length that is infinite or NaN must not reach the parameters: `self.not_finite`.
    /// 4. `optimizer.step` with the model's parameters; count the step.
    ///
    /// EXAMPLE: 64 samples pending with a sum of 128: the step sees the gradient 2.
    ///
    /// HINTS: the model must be borrowed mutably for its parameters: `self.model.parameters_mut()`.
    pub fn update(&mut self, pending: &mut Pending) -> Result<f32, TrainingError> {
        todo!("update")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-update", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The step uses the mean, clipped, once.
#[test]
fn test_unit_update() {
    use tinytorch::losses::MSELoss;
    use tinytorch::optimizers::SGD;
    let weight_after = |max_norm: f32| {
        let mut layer = Linear::without_bias(1, 1, &mut Rng::seeded(0));
        layer.weight = Tensor::new(&[2.0], &[1, 1]);
        let mut trainer = Trainer::new(layer, SGD::new(0.1), MSELoss).with_clipping(max_norm);
        let mut pending = Pending::default();
        let x = Tensor::new(&[1.0, 2.0], &[2, 1]);
        trainer.process_batch(&x, &Tensor::zeros(&[2, 1]), &mut pending).unwrap();
        let norm = trainer.update(&mut pending).unwrap();
        assert_eq!((norm, trainer.step, pending.samples, pending.batches), (10.0, 1, 0, 0));
        trainer.model.parameters()[0].item()
    };
    // The mean gradient is 10 (see the test before): 2 - 0.1 * 10, or 2 - 0.1 * 1 when clipped.
    tinytorch::testing::assert_close(&[weight_after(f32::INFINITY)], &[1.0], 1e-6);
    tinytorch::testing::assert_close(&[weight_after(1.0)], &[1.9], 1e-6);

    let layer = Linear::without_bias(1, 1, &mut Rng::seeded(0));
    let mut trainer = Trainer::new(layer, SGD::new(0.1), MSELoss);
    let before = trainer.model.parameters()[0].item();
    let mut pending = Pending::default();
    trainer.process_batch(&Tensor::ones(&[1, 1]), &Tensor::zeros(&[1, 1]), &mut pending).unwrap();
    pending.gradients.scale(f32::INFINITY);
    assert_eq!(trainer.update(&mut pending).unwrap_err().kind, Trouble::NotFinite);
    assert_eq!((trainer.model.parameters()[0].item(), trainer.step), (before, 0));
}

// %% nbgrader={"grade": false, "grade_id": "train-epoch", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Trains on every batch once; returns the mean loss over all samples.
    ///
    /// TODO: set mode and rate, process every batch, step when enough are pending, record.
    ///
    /// APPROACH:
    /// 1. `set_training(true)`; the schedule, if there is one, sets the learning rate of this epoch.
    /// 2. For each batch: `into_batch()?`, `process_batch`, add `loss * samples` to a total.
    /// 3. When `accumulation` batches are pending: `update`.
    /// 4. After the last batch: `update` once more if something is still pending.
    /// 5. No samples at all: [`Trouble::Empty`]. Else count the epoch, and push loss and rate to
    ///    the history.
    ///
    /// EXAMPLE: 5 batches with `accumulation` 2 are 3 steps: two, two, and the remaining one.
    ///
    /// HINTS: `y.shape()[0]` is the number of samples, known to be there once `process_batch` has
    /// accepted the batch. Sum in `f64`: thousands of small losses add up.
    pub fn train_epoch<I>(&mut self, batches: I) -> Result<f32, TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        todo!("train-epoch")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-train-epoch", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Accumulated steps equal one large batch, remainders count, the schedule is followed.
#[test]
fn test_unit_train_epoch() {
    use tinytorch::optimizers::SGD;
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
        assert_eq!((trainer.epoch, &trainer.history.train_loss[..]), (2, &losses[..]));
        tinytorch::testing::assert_close(&trainer.history.learning_rates, &[0.5, 0.25], 1e-6);
        let weights: Vec<f32> =
            trainer.model.parameters().iter().flat_map(|p| p.to_vec()).collect();
        (losses, trainer.step, weights)
    };
    let (whole_loss, steps, whole) = train(vec![cut(0, 22)], 1);
    assert_eq!(steps, 2);
    // Batches of 8, 8 and 6 in one step are the batch of 22. Only the order of adding differs.
    let (loss, steps, parts) = train(vec![cut(0, 8), cut(8, 16), cut(16, 22)], 3);
    assert_eq!(steps, 2);
    tinytorch::testing::assert_close(&parts, &whole, 1e-5);
    tinytorch::testing::assert_close(&loss, &whole_loss, 1e-5);
    // Two, then the one that remains: the steps of batches of 16 and 6.
    let (_, steps, remainder) = train(vec![cut(0, 8), cut(8, 16), cut(16, 22)], 2);
    assert_eq!(steps, 4);
    tinytorch::testing::assert_close(&remainder, &train(vec![cut(0, 16), cut(16, 22)], 1).2, 1e-5);

    let model = Linear::new(2, 2, &mut rng);
    let mut trainer = Trainer::new(model, SGD::new(0.5), CrossEntropyLoss);
    trainer.set_training(false);
    trainer.train_epoch([cut(0, 8)]).unwrap();
    assert!(trainer.is_training(), "an epoch switches the model to training mode");
    let nothing: [(Tensor, Tensor); 0] = [];
    assert_eq!(trainer.train_epoch(nothing).unwrap_err().kind, Trouble::Empty);
    assert_eq!((trainer.epoch, trainer.step), (1, 1), "an epoch without a batch is none");
    let broken = [Err::<(Tensor, Tensor), _>(std::io::Error::other("disk gone"))];
    let error = trainer.train_epoch(broken).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Trouble::Data, "disk gone"));
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-judging", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Part 3: judging

// %% nbgrader={"grade": false, "grade_id": "count-correct", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How many samples were predicted right, or `None` where right and wrong do not exist.
///
/// TODO: count hits for classes, and for yes-or-no predictions; leave everything else.
///
/// APPROACH:
/// 1. Prediction `(B, C)` and target `(B)`: a hit is a row whose largest value stands at the class.
/// 2. Equal shapes with targets that are all 0 or 1: a hit is a prediction on the same side of 0.5.
/// 3. Anything else is regression: `None`.
///
/// EXAMPLE: prediction `[[0.1, 0.9], [0.8, 0.2]]`, target `[1, 1]`: one hit.
///
/// HINTS: `prediction.argmax_axis(1)` gives the place of the largest value of each row.
pub fn count_correct(prediction: &Tensor, target: &Tensor) -> Option<usize> {
    todo!("count-correct")
}

// %% nbgrader={"grade": true, "grade_id": "test-count-correct", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Classes, yes-or-no, and no answer for regression.
#[test]
fn test_unit_count_correct() {
    let scores = Tensor::new(&[0.1, 0.9, 0.8, 0.2, 5.0, -5.0], &[3, 2]);
    assert_eq!(count_correct(&scores, &Tensor::new(&[1.0, 1.0, 0.0], &[3])), Some(2));
    let yes = Tensor::new(&[0.9, 0.2, 0.6], &[3, 1]);
    assert_eq!(count_correct(&yes, &Tensor::new(&[1.0, 0.0, 0.0], &[3, 1])), Some(2));
    assert_eq!(count_correct(&yes, &Tensor::new(&[0.9, 0.2, 0.6], &[3, 1])), None);
}

// %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Mean loss and share of hits over all samples, without learning: no histories are kept, and
    /// the model is in evaluation mode. Afterwards it is in the mode it was in.
    ///
    /// TODO: sum losses and hits in evaluation mode, restore the mode, record the loss.
    ///
    /// APPROACH:
    /// 1. Remember `self.training`, then `set_training(false)`.
    /// 2. Inside `no_grad`, for each batch: forward, `check_batch`, loss, `count_correct`; weight by
    ///    samples as in `train_epoch`.
    /// 3. Restore the mode, also when a batch was bad.
    /// 4. Push `(self.epoch, loss)` to `history.eval_loss`.
    ///
    /// EXAMPLE: 360 test digits, 350 hits: accuracy `Some(0.9722)`.
    ///
    /// HINTS: let the closure given to `no_grad` return a `Result`, store it, restore the mode, and
    /// only then use `?`. One batch without an accuracy makes the whole accuracy `None`.
    pub fn evaluate<I>(&mut self, batches: I) -> Result<(f32, Option<f32>), TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        todo!("evaluate")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-evaluate", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Weighted means, no learning, no dropout, and the mode comes back.
#[test]
fn test_unit_evaluate() {
    use tinytorch::layers::Dropout;
    let mut linear = Linear::without_bias(2, 2, &mut Rng::seeded(0));
    linear.weight = Tensor::new(&[1.0, 0.0, 0.0, 1.0], &[2, 2]);
    let dropout = Dropout::new(0.9, Rng::seeded(1)).unwrap();
    let model = Sequential::new(vec![Box::new(dropout), Box::new(linear)]);
    let mut trainer = Trainer::new(model, Adam::new(0.1), CrossEntropyLoss);
    let one = (Tensor::new(&[0.0, 9.0], &[1, 2]), Tensor::new(&[1.0], &[1]));
    let three = (Tensor::new(&[9.0, 0.0].repeat(3), &[3, 2]), Tensor::new(&[0.0, 0.0, 1.0], &[3]));
    // Three of four are right with a loss of almost 0, one is wrong with a loss of 9.
    let (loss, accuracy) = trainer.evaluate([&one, &three]).unwrap();
    tinytorch::testing::assert_close(&[loss, accuracy.unwrap()], &[2.25, 0.75], 1e-3);
    assert_eq!(trainer.history.eval_loss, [(0, loss)]);
    assert!(trainer.is_training() && trainer.step == 0);

    trainer.set_training(false);
    trainer.evaluate([&one]).unwrap();
    assert!(!trainer.is_training(), "evaluation mode must stay evaluation mode");
    trainer.set_training(true);
    let bad = (one.0.clone(), Tensor::new(&[2.0], &[1]));
    assert_eq!(trainer.evaluate([&bad]).unwrap_err().kind, Trouble::Label);
    assert!(trainer.is_training(), "the mode must come back after an error too");
    let loss = trainer.loss.forward(&trainer.model.forward(&one.0), &one.1);
    assert!(loss.is_tracked(), "after evaluation, histories are kept again");
    let nothing: [(Tensor, Tensor); 0] = [];
    assert_eq!(trainer.evaluate(nothing).unwrap_err().kind, Trouble::Empty);

    // Targets of 0 and 1 could be answers, but one batch of prices makes all of it regression.
    let model = Linear::new(1, 1, &mut Rng::seeded(0));
    let mut trainer = Trainer::new(model, Adam::new(0.1), tinytorch::losses::MSELoss);
    let column = |values: &[f32]| Tensor::new(values, &[2, 1]);
    let (answers, prices) = (column(&[0.0, 1.0]), column(&[0.5, 7.0]));
    let batches = [(answers.clone(), answers), (prices.clone(), prices)];
    assert_eq!(trainer.evaluate(&batches).unwrap().1, None, "a price has no right or wrong");
}

// %% nbgrader={"grade": false, "grade_id": "training-fit", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Trainer {
    /// Trains until `epochs` epochs are done in all, those of a restored checkpoint included.
    /// `batches` gives the batches of an epoch by its number. With `held_out` batches each epoch is
    /// judged too; with a reporter the curves are redrawn after each epoch.
    pub fn fit<I>(
        &mut self,
        epochs: usize,
        mut batches: impl FnMut(usize) -> I,
        held_out: &[(Tensor, Tensor)],
        mut out: Option<&mut Reporter>,
    ) -> Result<(), TrainingError>
    where
        I: IntoIterator,
        I::Item: IntoBatch,
    {
        while self.epoch < epochs {
            self.train_epoch(batches(self.epoch))?;
            if !held_out.is_empty() {
                self.evaluate(held_out)?;
            }
            if let Some(out) = out.as_deref_mut() {
                out.progress("epochs", self.epoch as u64, epochs as u64);
                out.chart(self.loss_curve());
            }
        }
        Ok(())
    }

    /// The loss over the epochs done so far.
    pub fn loss_curve(&self) -> Chart {
        let train = self.history.train_loss.iter().enumerate();
        let train = Series::new("train", train.map(|(e, &loss)| ((e + 1) as f64, loss.into())));
        let judged = self.history.eval_loss.iter().map(|&(e, loss)| (e as f64, loss.into()));
        let mut series = vec![train, Series::new("held out", judged)];
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

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-checkpoints", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Part 4: checkpoints
//
//     offset  size  content, all numbers little-endian
//     0       8     "TINYCKPT"
//     8       4     version of the format: 1
//     12      8     length L of the payload
//     20      L     payload: epoch, step, history, parameters, optimizer
//     20 + L  4     CRC-32 of everything before

// %% nbgrader={"grade": false, "grade_id": "training-seal", "locked": true, "schema_version": 3, "solution": false, "task": false}
const MAGIC: &[u8; 8] = b"TINYCKPT";
const VERSION: u32 = 1;
const HEADER: usize = 20;

/// The CRC-32 of some bytes: a number that a changed byte changes.
pub fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = tinytorch::flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Puts header and checksum around a payload.
pub fn seal(payload: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(payload);
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes
}

// %% nbgrader={"grade": false, "grade_id": "open-checkpoint", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Takes header and checksum off again, and refuses whatever [`seal`] did not write. `file` is for
/// messages.
///
/// TODO: check magic, version, length and checksum, in this order; return the payload.
///
/// APPROACH:
/// 1. Another beginning than `MAGIC`: [`Trouble::Foreign`]. Too short to tell, or to hold the header:
///    [`Trouble::Truncated`].
/// 2. A version above `VERSION`: [`Trouble::NewerVersion`]. Its length may stand elsewhere: stop here.
/// 3. The file must have `HEADER + length + 4` bytes: fewer is [`Trouble::Truncated`], more
///    [`Trouble::Damaged`].
/// 4. The last four bytes must be the `checksum` of all before: else [`Trouble::Damaged`].
///
/// EXAMPLE: `open_checkpoint("a", &seal(b"hello"))` is `Ok(b"hello")`.
///
/// HINTS: `u32::from_le_bytes`; `bytes.first_chunk::<20>()`. A damaged length may be huge:
/// `saturating_add` in `u64`.
pub fn open_checkpoint<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a [u8], TrainingError> {
    todo!("open-checkpoint")
}

// %% nbgrader={"grade": true, "grade_id": "test-open-checkpoint", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every cut, every flipped byte and every foreign file is refused, each for its own reason.
#[test]
fn test_unit_open_checkpoint() {
    let good = seal(b"hello");
    assert_eq!(open_checkpoint("a", &good).unwrap(), b"hello");
    let kind = |bytes: &[u8]| open_checkpoint("a", bytes).unwrap_err().kind;
    for length in 0..good.len() {
        assert_eq!(kind(&good[..length]), Trouble::Truncated, "cut to {length} bytes");
    }
    for place in 20..good.len() {
        let mut flipped = good.clone();
        flipped[place] ^= 1;
        assert_eq!(kind(&flipped), Trouble::Damaged, "byte {place} flipped");
    }
    assert_eq!(kind(&[&good[..], &[0]].concat()), Trouble::Damaged, "one byte too many");
    assert_eq!(kind(b"PK\x03\x04 and more of a zip file"), Trouble::Foreign);
    // A length that is too small, with a checksum that fits: bytes that belong to nothing.
    let mut lying = good[..good.len() - 4].to_vec();
    lying[12] = 4;
    lying.extend(checksum(&lying).to_le_bytes());
    assert_eq!(kind(&lying), Trouble::Damaged, "one byte more than promised");
    let mut newer = good.clone();
    newer[8] = 2;
    assert_eq!(kind(&newer), Trouble::NewerVersion);
    let mut endless = good;
    endless[12..20].fill(255);
    assert_eq!(kind(&endless), Trouble::Truncated);
}

// %% nbgrader={"grade": false, "grade_id": "write-atomically", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Replaces a file in one step: whoever opens `path` sees the old content or the new, never half.
///
/// TODO: write beside it, make sure it is on the disk, then rename.
///
/// APPROACH:
/// 1. Create the folder if it is missing, and in it a file of another name, such as `.NAME.tmp`.
/// 2. Write all bytes; `sync_all` waits until the disk has them.
/// 3. `std::fs::rename` puts the new file in the place of the old one: all or nothing.
/// 4. If anything failed, remove the temporary file and return the error.
///
/// EXAMPLE: a crash before step 3 leaves yesterday's checkpoint as it was.
///
/// HINTS: the temporary file must be in the same folder: a rename works only within one disk. A
/// closure that returns `std::io::Result<()>` lets you use `?` and still clean up.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    todo!("write-atomically")
}

// %% nbgrader={"grade": true, "grade_id": "test-write-atomically", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The old file is replaced, not overwritten, and nothing is left lying about.
#[test]
fn test_unit_write_atomically() {
    let folder = std::env::temp_dir().join(format!("tinytorch-atomic-{}", std::process::id()));
    let file = folder.join("deep").join("model.ckpt");
    write_atomically(&file, b"old").unwrap();
    // A second name for the old file: it keeps the old content only if the new one is a new file.
    std::fs::hard_link(&file, folder.join("witness")).unwrap();
    write_atomically(&file, b"new").unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    assert_eq!(std::fs::read(folder.join("witness")).unwrap(), b"old");
    // A folder stands where the file should go: an error, and no temporary file stays.
    std::fs::create_dir_all(folder.join("taken").join("inside")).unwrap();
    assert!(write_atomically(&folder.join("taken"), b"new").is_err());
    let names = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    assert_eq!((names(&folder), names(&folder.join("deep"))), (3, 1), "a temporary file was left");
    std::fs::remove_dir_all(&folder).unwrap();
}

// %% nbgrader={"grade": false, "grade_id": "training-checkpoint-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Everything needed to go on where training stopped. Not in it: the random numbers of dropout.
#[derive(Clone)]
pub struct Checkpoint {
    /// Epochs done.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// What happened so far.
    pub history: History,
    /// The model's parameters, in its order.
    pub parameters: Vec<Tensor>,
    /// What its layers remember besides: the running means of a batch norm, say.
    pub buffers: Vec<Tensor>,
    /// What the optimizer remembers.
    pub optimizer: OptimizerState,
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

/// Takes numbers off the front of a payload. Whatever the bytes, it gives a value or an error, and
/// never sets aside more memory than there are bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], TrainingError> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            let message = "the checkpoint contradicts itself: it promises more than it holds";
            return Err(TrainingError::new(Trouble::Damaged, message));
        };
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize, TrainingError> {
        let bytes = self.take(8)?;
        let number = bytes.iter().rev().fold(0_u64, |n, &byte| (n << 8) | u64::from(byte));
        usize::try_from(number)
            .map_err(|_| TrainingError::new(Trouble::Damaged, format!("{number} is no count")))
    }

    fn float(&mut self) -> Result<f32, TrainingError> {
        let bytes = self.take(4)?;
        Ok(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A list: its length, then each item by `read`, which must take at least one byte.
    fn list<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, TrainingError>,
    ) -> Result<Vec<T>, TrainingError> {
        let count = self.number()?;
        // Grows item by item: a false count runs out of bytes long before memory.
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
            let message = format!("the checkpoint holds {} values for {shape:?}", values.len());
            return Err(TrainingError::new(Trouble::Damaged, message));
        }
        Ok(Tensor::new(&values, &shape))
    }
}

impl Checkpoint {
    /// The file's content, header and checksum included.
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
            let message = format!("'{file}' holds {} bytes too many", reader.0.len());
            return Err(TrainingError::new(Trouble::Damaged, message));
        }
        Ok(Self { epoch, step, history, parameters, buffers, optimizer })
    }
}

// %% nbgrader={"grade": false, "grade_id": "take-checkpoint", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// What would be needed to go on from here.
    ///
    /// TODO: gather the six parts.
    ///
    /// APPROACH:
    /// 1. Epoch, step and history as they are.
    /// 2. The model's parameters, each detached: a checkpoint has no past.
    /// 3. The model's `buffers()`, which are copies already.
    /// 4. The optimizer's `state()`: without its moments Adam would start anew and stumble.
    ///
    /// EXAMPLE: a `Linear` from 2 to 3 gives two parameters, of shapes `(2, 3)` and `(3)`.
    ///
    /// HINTS: `parameters().into_iter().map(Tensor::detach).collect()`. A clone shares its numbers
    /// until one side changes them, so this costs almost nothing.
    pub fn checkpoint(&self) -> Checkpoint {
        todo!("take-checkpoint")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-take-checkpoint", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 All parts are there, survive the bytes, and do not change with further training.
#[test]
fn test_unit_take_checkpoint() {
    let batch = two_moons(20, &mut Rng::seeded(3));
    let model = Linear::new(2, 2, &mut Rng::seeded(1));
    let mut trainer = Trainer::new(model, Adam::new(0.1), CrossEntropyLoss);
    trainer.train_epoch([&batch]).unwrap();
    trainer.evaluate([&batch]).unwrap();
    let taken = trainer.checkpoint();
    let past = taken.parameters.iter().any(Tensor::is_tracked);
    assert!(!past, "a checkpoint has no past: detach the parameters");
    let before: Vec<Vec<f32>> = trainer.model.parameters().iter().map(|p| p.to_vec()).collect();
    trainer.train_epoch([&batch]).unwrap();

    let read = Checkpoint::from_bytes("a", &taken.to_bytes()).unwrap();
    assert_eq!((read.epoch, read.step), (1, 1));
    assert_eq!(read.history.train_loss, trainer.history.train_loss[..1]);
    assert_eq!(read.history.eval_loss, trainer.history.eval_loss);
    let shapes: Vec<&[usize]> = read.parameters.iter().map(Tensor::shape).collect();
    assert_eq!(shapes, [&[2, 2][..], &[2]]);
    let values: Vec<Vec<f32>> = read.parameters.iter().map(Tensor::to_vec).collect();
    assert_eq!(values, before, "the values of the moment, not later ones");
    assert!(read.parameters.iter().all(|parameter| !parameter.is_tracked()));
    assert_eq!((read.optimizer.kind.as_str(), read.optimizer.slots.len()), ("Adam", 2));
    assert_eq!(read.optimizer.slots[0].buffers[0].shape(), [2, 2]);
}

// %% nbgrader={"grade": false, "grade_id": "restore", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Trainer {
    /// Goes back to a checkpoint. If it belongs to another model or optimizer, nothing changes.
    ///
    /// TODO: check everything first, then take everything over.
    ///
    /// APPROACH:
    /// 1. As many parameters and buffers as the model has, each of the same shape: else
    ///    [`Trouble::OtherModel`], with both lists of shapes in the message.
    /// 2. `optimizer.load_state(state, &parameters)`: its error is [`Trouble::OtherModel`] too.
    /// 3. Assign the values to the parameters, hand the buffers to `set_buffers`; take over epoch,
    ///    step and history.
    ///
    /// EXAMPLE: train 3 epochs, save, load elsewhere, train 3 more: the same weights as 6 epochs in
    /// one go, to the last bit.
    ///
    /// HINTS: `array_mut().assign(saved.array())` keeps the parameter's id, by which gradients find it.
    pub fn restore(&mut self, saved: Checkpoint) -> Result<(), TrainingError> {
        todo!("restore")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-restore", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Stopped and resumed equals never stopped; another model or optimizer is refused, untouched.
#[test]
fn test_unit_restore() {
    use tinytorch::optimizers::SGD;
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
    assert_eq!(ids(&resumed), before, "values change, parameters stay the same leaves");
    resumed.fit(6, |_| &batches, &[], None).unwrap();
    assert_eq!(weights(&resumed), weights(&straight));
    assert_eq!((resumed.step, &resumed.history), (12, &straight.history));

    /// Remembers something that is no parameter.
    struct Remembers(Tensor);
    impl Layer for Remembers {
        fn name(&self) -> String {
            "Remembers".into()
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
    let remembering = |value| {
        let layer = Remembers(Tensor::scalar(value));
        Trainer::new(Sequential::new(vec![Box::new(layer)]), Adam::new(0.1), CrossEntropyLoss)
    };
    let mut other = remembering(0.0);
    let bytes = remembering(7.0).checkpoint().to_bytes();
    other.restore(Checkpoint::from_bytes("a", &bytes).unwrap()).unwrap();
    assert_eq!(other.model.buffers()[0].item(), 7.0, "buffers belong to a checkpoint");
    assert_eq!(
        fresh(1).restore(remembering(7.0).checkpoint()).unwrap_err().kind,
        Trouble::OtherModel
    );

    // Nothing to learn in either, but only one of them remembers.
    let empty = Sequential::new(vec![]);
    let mut forgetful = Trainer::new(empty, Adam::new(0.1), CrossEntropyLoss);
    let error = forgetful.restore(remembering(7.0).checkpoint()).unwrap_err();
    assert_eq!(error.kind, Trouble::OtherModel, "buffers are compared as parameters are");
    // Before the first step Adam remembers nothing, so only the model's shapes can differ.
    let wider = Linear::new(2, 3, &mut Rng::seeded(1));
    let mut other = Trainer::new(wider, Adam::new(0.1), CrossEntropyLoss);
    assert_eq!(other.restore(fresh(1).checkpoint()).unwrap_err().kind, Trouble::OtherModel);

    let saved = straight.checkpoint();
    let wider = Linear::new(2, 3, &mut Rng::seeded(1));
    let others = [
        Trainer::new(wider, Adam::new(0.1), CrossEntropyLoss),
        Trainer::new(Linear::new(2, 2, &mut Rng::seeded(5)), SGD::new(0.1), CrossEntropyLoss),
    ];
    for mut other in others {
        let before = weights(&other);
        assert_eq!(other.restore(saved.clone()).unwrap_err().kind, Trouble::OtherModel);
        assert_eq!((weights(&other), other.epoch), (before, 0), "a refused one changes nothing");
    }
}

// %% nbgrader={"grade": false, "grade_id": "training-save", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Trainer {
    /// Writes a checkpoint. A crash at any moment leaves the old file or the new one.
    pub fn save_checkpoint(&self, path: &Path) -> Result<(), TrainingError> {
        write_atomically(path, &self.checkpoint().to_bytes()).map_err(|error| {
            let message = format!("cannot write '{}': {error}", path.display());
            TrainingError::new(Trouble::File, message)
        })
    }

    /// Reads a checkpoint and goes on from it.
    pub fn load_checkpoint(&mut self, path: &Path) -> Result<(), TrainingError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| {
            TrainingError::new(Trouble::File, format!("cannot read '{file}': {error}"))
        })?;
        self.restore(Checkpoint::from_bytes(&file, &bytes)?)
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 📊 Measure

// %% nbgrader={"grade": false, "grade_id": "analyze-training-run", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Two half circles that reach into each other: points `(N, 2)` and their class, 0 or 1, `(N)`. No
/// straight line separates them.
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

/// `inputs -> hidden -> outputs`, with a ReLU between.
fn two_layers(inputs: usize, hidden: usize, outputs: usize, rng: &mut Rng) -> Sequential {
    Sequential::new(vec![
        Box::new(Linear::new(inputs, hidden, rng)),
        Box::new(ReLU),
        Box::new(Linear::new(hidden, outputs, rng)),
    ])
}

/// 📊 A whole training run, drawn while it happens.
///
/// Purpose: read a loss curve.
/// Measured: training and held-out loss of each of 60 epochs on two moons (8,192 points to learn from,
/// 1,024 others to judge by), the accuracy in the end, and the time of a step.
/// Key insight: the curve falls fast, then flat; as long as both curves fall together, the model
/// learns what the data have in common and not the points themselves.
/// Production context: this curve is the first thing anyone looks at, and the cheapest bug detector.
pub fn analyze_training_run(out: &mut Reporter) {
    let mut rng = Rng::seeded(7);
    let (x, y) = two_moons(8192, &mut rng);
    let held_out = [two_moons(1024, &mut rng)];
    let batches: Vec<_> = (0..256)
        .map(|i| 32 * i..32 * (i + 1))
        .map(|rows| (x.slice(&[rows.clone(), 0..2]), y.slice(&[rows])))
        .collect();
    let schedule = CosineSchedule { max_rate: 0.0005, min_rate: 0.00001, epochs: 60 };
    let mut trainer =
        Trainer::new(two_layers(2, 256, 2, &mut rng), Adam::new(0.0005), CrossEntropyLoss)
            .with_schedule(schedule)
            .with_clipping(1.0);
    if let Err(error) = trainer.fit(60, |_| &batches, &held_out, Some(out)) {
        return out.insight(format!("Training stopped: {error}."));
    }
    let rates = trainer.history.learning_rates.iter().enumerate();
    out.chart(Chart {
        title: "Learning rate".into(),
        kind: ChartKind::Line,
        x: Axis::linear("epoch", ""),
        y: Axis::linear("learning rate", ""),
        series: vec![Series::new("cosine", rates.map(|(e, &rate)| (e as f64, rate.into())))],
        origin: Origin::Computed("min + (max - min) * (1 + cos(pi * epoch / epochs)) / 2".into()),
    });
    if let Ok((_, Some(accuracy))) = trainer.evaluate(&held_out) {
        out.metric(Metric {
            name: "held-out accuracy".into(),
            value: 100.0 * f64::from(accuracy),
            unit: "%".into(),
            target: Some(Target::AtLeast(95.0)),
            origin: Origin::Measured,
        });
    }
    let step = time(101, || {
        let mut pending = Pending::default();
        trainer.process_batch(&batches[0].0, &batches[0].1, &mut pending)?;
        trainer.update(&mut pending)
    });
    out.measured("time per step of 32 points", step.median, "s");
    let losses = &trainer.history.train_loss;
    if let [first, .., last] = losses[..] {
        let nearly = last + 0.1 * (first - last);
        let epochs = losses.iter().take_while(|loss| **loss > nearly).count() + 1;
        out.insight(format!(
            "After {epochs} of {} epochs the loss has come nine tenths of its way down, from {first:.3} to {last:.4}; the small learning rate at the end settles the rest.",
            losses.len()
        ));
    }
}

// %% nbgrader={"grade": false, "grade_id": "analyze-accumulation", "locked": true, "schema_version": 3, "solution": false, "task": false}
fn counted(used: Option<MemoryUse>, pick: impl Fn(MemoryUse) -> usize) -> Value {
    used.map_or_else(|| "not counted".into(), |used| pick(used).into())
}

/// 📊 One gradient of 512 samples, in one piece or in many.
///
/// Purpose: see what accumulation saves and what it costs.
/// Measured: peak memory (counted by the allocator), time, and the largest difference to the
/// gradient of the whole batch, for pieces of 512 down to 16 samples.
/// Key insight: the gradient is the same but for rounding; memory follows the piece, because only
/// its intermediate values must wait for the backward pass.
/// Production context: this is how a batch that does not fit into a GPU is trained on it all the same.
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
        return out.insight("No gradient to measure: finish `process-batch` first.");
    };
    let (mut rows, mut curve) = (vec![], vec![]);
    for piece in [512, 256, 128, 64, 32, 16] {
        let timing = time(9, || gather(piece).map(|gradients| gradients.len()));
        let (gradients, used) = memory(|| gather(piece));
        let Ok(gradients) = gradients else { continue };
        let pairs = whole.iter().zip(gradients.iter());
        let difference = pairs
            .flat_map(|((_, a), (_, b))| a.to_vec().into_iter().zip(b.to_vec()))
            .fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
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
    out.insight("The same gradient in less memory: what must be kept for the backward pass belongs to one piece at a time.");
}

// %% nbgrader={"grade": false, "grade_id": "analyze-training-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Where the memory of training goes.
///
/// Purpose: know, before you start, whether a model can be trained on your machine.
/// Measured: bytes that stay in use after building the model, after one backward pass, and after
/// Adam's first step, for three widths; and the size of the checkpoint.
/// Key insight: gradients are as large as the parameters, Adam's moments twice as large: training
/// needs four times the model, before a single intermediate value.
/// Production context: 7 billion parameters of 4 bytes are 28 GB to run and 112 GB to train with Adam.
pub fn analyze_training_memory(out: &mut Reporter) {
    let mut rng = Rng::seeded(13);
    let x = Tensor::randn(&[32, 64], &mut rng);
    let classes: Vec<f32> = (0..32).map(|i| (i % 10) as f32).collect();
    let y = Tensor::new(&classes, &[32]);
    let mut rows = vec![];
    for hidden in [32, 256, 2048] {
        let (model, model_use) = memory(|| two_layers(64, hidden, 10, &mut rng));
        let parameters: usize = model.parameters().iter().map(|p| p.numel()).sum();
        let mut trainer = Trainer::new(model, Adam::new(0.001), CrossEntropyLoss);
        let mut pending = Pending::default();
        let (loss, gradient_use) = memory(|| trainer.process_batch(&x, &y, &mut pending));
        let (step, moment_use) = memory(|| {
            let Pending { gradients, .. } = &pending;
            trainer.optimizer.step(trainer.model.parameters_mut(), gradients);
        });
        if let Err(error) = loss {
            return out.insight(format!("Training stopped: {error}."));
        }
        let () = step;
        let all = [model_use, gradient_use, moment_use];
        let total: Option<usize> = all.iter().map(|used| used.map(|used| used.kept)).sum();
        let ratio = total.zip(model_use).map(|(total, model)| total as f64 / model.kept as f64);
        let file = trainer.checkpoint().to_bytes().len();
        rows.push(vec![
            parameters.into(),
            counted(model_use, |used| used.kept),
            counted(gradient_use, |used| used.kept),
            counted(moment_use, |used| used.kept),
            ratio.map_or_else(|| "not counted".into(), Value::Float),
            file.into(),
        ]);
    }
    out.table(Table {
        title: "Bytes that stay in use".into(),
        columns: vec![
            Column::plain("parameters"),
            Column::with_unit("model", "B"),
            Column::with_unit("gradients", "B"),
            Column::with_unit("Adam's moments", "B"),
            Column::with_unit("all / model", "x"),
            Column::with_unit("checkpoint", "B"),
        ],
        rows,
        origin: Origin::Measured,
    });
    out.insight("The larger the model, the closer to four times its own size: parameters, gradients, and two moments for each.");
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "training-module-test", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🧪 Module test

// %% nbgrader={"grade": true, "grade_id": "test-training-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A network learns two moons, survives a stop through a file, and a rate that is too high is named.
#[test]
fn test_module() {
    use tinytorch::optimizers::SGD;
    let mut rng = Rng::seeded(21);
    let held_out = [two_moons(200, &mut rng)];
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
    straight.fit(60, |_| &batches, &held_out, None).unwrap();
    let (loss, accuracy) = straight.evaluate(&held_out).unwrap();
    assert!(accuracy.unwrap() >= 0.95, "accuracy {accuracy:?}, loss {loss}");
    assert_eq!(straight.step, 60 * 3, "5 batches, 2 to a step: 3 steps an epoch");
    assert_eq!(straight.history.eval_loss.len(), 61);

    let file = std::env::temp_dir().join(format!("tinytorch-module-{}.ckpt", std::process::id()));
    let mut stopped = fresh(1);
    stopped.fit(30, |_| &batches, &held_out, None).unwrap();
    stopped.save_checkpoint(&file).unwrap();
    let mut resumed = fresh(9);
    resumed.load_checkpoint(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    resumed.fit(60, |_| &batches, &held_out, None).unwrap();
    assert_eq!(resumed.evaluate(&held_out).unwrap(), (loss, accuracy));
    assert_eq!(resumed.load_checkpoint(&file).unwrap_err().kind, Trouble::File, "it is gone");

    let model = Linear::new(2, 2, &mut rng);
    let mut wild = Trainer::new(model, SGD::new(1e38), CrossEntropyLoss);
    let error = wild.fit(50, |_| &batches, &[], None).unwrap_err();
    assert_eq!(error.kind, Trouble::NotFinite);
    assert!(error.message.contains("learning rate"), "{error}");
}

// %% nbgrader={"grade": false, "grade_id": "training-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs every analysis and prints its figures as lines of JSON.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_training_run(&mut out);
    analyze_accumulation(&mut out);
    analyze_training_memory(&mut out);
}
