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

// %% nbgrader={"grade": false, "grade_id": "optimizers-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Optimizers: parameters and their gradients go in, better parameters come out, in place.
//!
//! SGD: `v = momentum v + g`, `p = p - rate v`. Adam: `p = p - rate m' / (sqrt(v') + eps)`, where m'
//! and v' are corrected running averages of g and g^2. By hand: SGD at rate 0.1 takes `p = 1` with
//! `g = 2` to 0.8; Adam's first step is `rate` long, whatever the size of g.
//!
//! Stands on 05 (`Gradients`); formulas and defaults as in PyTorch 2, to 1e-5 over 20 steps.
//! Not here: the loop that calls `step`, schedules, clipping (07).

use std::fmt;

use tinytorch::autograd::{Backward, Gradients, no_grad};
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Origin, Point, Reporter, Series, Table, Value,
};
use tinytorch::tensor::Tensor;
use tinytorch::testing::memory;

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Optimizers
//
// A gradient says in which direction the loss grows. An optimizer decides how far to go the other
// way, and what to remember from step to step. You write three: SGD remembers a direction, Adam a
// direction and a size for each number, AdamW the same with an honest weight decay.

// %% nbgrader={"grade": false, "grade_id": "optimizers-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Improves parameters with gradients, one step at a time.
pub trait Optimizer: Send {
    /// Moves every parameter that has a gradient; the others stay as they are. What is remembered is
    /// kept by position, so pass the same parameters in the same order every time. To move numbers
    /// in place rather than in a copy, drop the loss first: its history shares them.
    fn step(&mut self, parameters: Vec<&mut Tensor>, gradients: &Gradients);

    /// How far a step goes.
    fn learning_rate(&self) -> f32;

    /// Changes how far a step goes, for a schedule. Panics unless it is a number of at least 0.
    fn set_learning_rate(&mut self, rate: f32);

    /// Everything that the next step depends on, apart from the settings of the constructor.
    fn state(&self) -> OptimizerState;

    /// Continues from a saved state. Nothing changes if the state does not fit the optimizer and the
    /// `parameters` it will be used with.
    fn load_state(
        &mut self,
        state: OptimizerState,
        parameters: &[&Tensor],
    ) -> Result<(), StateError>;
}

/// What an optimizer remembers: a checkpoint writes it down.
#[derive(Clone)]
pub struct OptimizerState {
    /// `SGD`, `Adam` or `AdamW`.
    pub kind: String,
    /// How far the next step goes.
    pub learning_rate: f32,
    /// One entry for each parameter, by position; none before the first step.
    pub slots: Vec<Slot>,
}

/// What is remembered for one parameter.
#[derive(Clone, Default)]
pub struct Slot {
    /// How often it was moved.
    pub steps: u64,
    /// Tensors of its shape: SGD with momentum has one (the velocity), Adam and AdamW two (the
    /// averages of the gradient and of its square). None before its first gradient.
    pub buffers: Vec<Tensor>,
}

/// Why a saved state does not fit: what this optimizer and model need, and what the state holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "`expected` and `found` say it, and `position` is the parameter's")]
pub enum StateError {
    /// It was saved by another kind of optimizer.
    Kind { expected: String, found: String },
    /// It was saved for another number of parameters.
    Count { expected: usize, found: usize },
    /// A parameter has another number of buffers than this optimizer keeps.
    Buffers { position: usize, expected: usize, found: usize },
    /// A parameter's buffer has another shape than the parameter.
    Shape { position: usize, expected: Vec<usize>, found: Vec<usize> },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { expected, found } => {
                write!(f, "the state was saved by {found}, this is {expected}")
            }
            Self::Count { expected, found } => {
                write!(f, "the state holds {found} parameters, the model has {expected}")
            }
            Self::Buffers { position, expected, found } => write!(
                f,
                "parameter {position} has {found} saved buffers, this optimizer keeps {expected}"
            ),
            Self::Shape { position, expected, found } => {
                write!(f, "parameter {position} has shape {expected:?}, its saved buffer {found:?}")
            }
        }
    }
}

impl std::error::Error for StateError {}

/// Panics unless `rate` is a number of at least 0.
fn checked_rate(rate: f32) -> f32 {
    assert!(rate >= 0.0 && rate.is_finite(), "the learning rate must be at least 0, got {rate}");
    rate
}

/// Panics unless `share` is in `[0, 1)`: an average with a share of 1 would never hear anything new.
fn checked_share(name: &str, share: f32) -> f32 {
    assert!((0.0..1.0).contains(&share), "{name} must be in [0, 1), got {share}");
    share
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-down", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## One step down
//
// The smallest optimizer is one line, and everything else builds on it: move against the gradient.

// %% nbgrader={"grade": false, "grade_id": "optimizers-descend", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Moves `parameter` against `direction`: `p = p - rate * direction`, in place.
///
/// TODO: Change the numbers of `parameter` without making another tensor.
///
/// APPROACH:
/// 1. `array_mut` opens the numbers for writing; the tensor keeps its id, so it stays the same leaf.
/// 2. ndarray's `scaled_add(factor, other)` adds `factor * other` in one pass.
///
/// EXAMPLE: `p = [1, 2]`, `direction = [10, -10]`, `rate = 0.1`: afterwards `p = [0, 3]`.
///
/// HINTS:
/// - The factor is `-rate`; the other is `direction.array()`.
pub fn descend(parameter: &mut Tensor, direction: &Tensor, rate: f32) {
    // BEGIN SOLUTION
    parameter.array_mut().scaled_add(-rate, direction.array());
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-descend", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Down is against the direction, in place, and the tensor stays the same leaf.
#[test]
fn test_unit_descend() {
    use tinytorch::testing::assert_close;
    let mut p = Tensor::new(&[1.0, 2.0], &[2]).tracked();
    let (id, place) = (p.id(), p.array().as_ptr());
    descend(&mut p, &Tensor::new(&[10.0, -10.0], &[2]), 0.1);
    assert_close(&p.to_vec(), &[0.0, 3.0], 1e-6);
    assert_eq!((p.id(), p.array().as_ptr()), (id, place));
    descend(&mut p, &Tensor::ones(&[2]), 0.0);
    assert_close(&p.to_vec(), &[0.0, 3.0], 1e-6);
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-visit", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Calls `update(position, parameter, gradient)` for each parameter that has a gradient.
///
/// TODO: Walk over the parameters and leave out those without a gradient.
///
/// APPROACH:
/// 1. Count while you walk: the position counts every parameter, those without a gradient too.
/// 2. Look the gradient up; if there is one, call `update`.
///
/// EXAMPLE: Of three parameters the second took no part in the loss: `update` sees positions 0 and 2.
///
/// HINTS:
/// - `parameters.into_iter().enumerate()`
/// - `if let Some(gradient) = gradients.get(parameter) { ... }`
pub fn visit(
    parameters: Vec<&mut Tensor>,
    gradients: &Gradients,
    mut update: impl FnMut(usize, &mut Tensor, &Tensor),
) {
    // BEGIN SOLUTION
    for (position, parameter) in parameters.into_iter().enumerate() {
        if let Some(gradient) = gradients.get(parameter) {
            update(position, parameter, gradient);
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-visit", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Whoever has no gradient is left out, and keeps its position.
#[test]
fn test_unit_visit() {
    let mut a = Tensor::scalar(1.0).tracked();
    let mut idle = Tensor::scalar(2.0).tracked();
    let mut data = Tensor::scalar(3.0);
    let mut b = Tensor::scalar(4.0).tracked();
    let gradients = (&a * &b * &data).backward();
    let mut seen = Vec::new();
    let all = vec![&mut a, &mut idle, &mut data, &mut b];
    visit(all, &gradients, |position, parameter, gradient| {
        seen.push((position, parameter.item(), gradient.item()));
    });
    assert_eq!(seen, [(0, 1.0, 12.0), (3, 4.0, 3.0)]);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-sgd-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## SGD: a ball with momentum and a rubber band
//
// Momentum keeps a part of the last direction: zigzag cancels, what is steady grows. Weight decay
// pulls every number towards zero, as if a rubber band were tied to it.

// %% nbgrader={"grade": false, "grade_id": "optimizers-decay", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient of the loss plus that of a penalty `decay / 2 * p^2` on every number.
///
/// TODO: Return `gradient + decay * parameter`.
///
/// APPROACH:
/// 1. Without decay there is nothing to add: a clone costs nothing.
/// 2. Else add the slope of the penalty, which is `decay * p`.
///
/// EXAMPLE: `gradient = [1]`, `parameter = [10]`, `decay = 0.1`: `[2]`.
///
/// HINTS:
/// - The operators work on references: `gradient + &(parameter * decay)`.
#[must_use]
pub fn with_decay(gradient: &Tensor, parameter: &Tensor, decay: f32) -> Tensor {
    // BEGIN SOLUTION
    if decay == 0.0 { gradient.clone() } else { gradient + &(parameter * decay) }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-decay", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The pull grows with the number and points to zero from both sides.
#[test]
fn test_unit_with_decay() {
    use tinytorch::testing::assert_close;
    let gradient = Tensor::new(&[1.0, 1.0, 0.0], &[3]);
    let parameter = Tensor::new(&[10.0, -10.0, 0.0], &[3]);
    assert_close(&with_decay(&gradient, &parameter, 0.1).to_vec(), &[2.0, 0.0, 0.0], 1e-6);
    let plain = with_decay(&gradient, &parameter, 0.0);
    assert_eq!(plain.array().as_ptr(), gradient.array().as_ptr(), "no decay, no work");
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-velocity", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Keeps a part of the old velocity and adds the gradient: `v = momentum * v + gradient`, in place.
///
/// TODO: Change the numbers of `velocity`.
///
/// APPROACH:
/// 1. One pass over both arrays does it, without a third tensor.
/// 2. For each pair: multiply the old number with `momentum` and add the gradient's.
///
/// EXAMPLE: A steady gradient of 1 at momentum 0.9: 1, then 1.9, then 2.71, in the end 10.
///
/// HINTS:
/// - `velocity.array_mut().zip_mut_with(gradient.array(), |v, &g| ...)`
pub fn update_velocity(velocity: &mut Tensor, gradient: &Tensor, momentum: f32) {
    // BEGIN SOLUTION
    velocity.array_mut().zip_mut_with(gradient.array(), |v, &g| *v = momentum * *v + g);
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-velocity", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Steady pushes add up to ten times one push; a zigzag almost cancels.
#[test]
fn test_unit_update_velocity() {
    use tinytorch::testing::assert_close;
    let mut velocity = Tensor::zeros(&[2]);
    let place = velocity.array().as_ptr();
    for expected in [[1.0, 1.0], [1.9, -0.1], [2.71, 0.91]] {
        let zigzag = if expected[1] < 0.0 { -1.0 } else { 1.0 };
        update_velocity(&mut velocity, &Tensor::new(&[1.0, zigzag], &[2]), 0.9);
        assert_close(&velocity.to_vec(), &expected, 1e-6);
    }
    for _ in 0..200 {
        update_velocity(&mut velocity, &Tensor::ones(&[2]), 0.9);
    }
    assert_close(&velocity.to_vec(), &[10.0, 10.0], 1e-4);
    assert_eq!(velocity.array().as_ptr(), place);
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-sgd-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What an optimizer remembers, by position, with the checks that go with it.
#[derive(Clone, Default)]
pub struct Memory {
    slots: Vec<Slot>,
}

impl Memory {
    /// Makes a slot for each parameter. Panics when their number has changed since the first step.
    fn prepare(&mut self, parameters: usize) {
        if self.slots.is_empty() {
            self.slots.resize_with(parameters, Slot::default);
        }
        let known = self.slots.len();
        assert!(
            known == parameters,
            "step: {parameters} parameters were passed, the first step had {known}; pass all \
             parameters every time, those without a gradient too"
        );
    }

    /// The slot at `position` with `buffers` buffers in the shape of `parameter`: zeros at first.
    pub fn slot(&mut self, position: usize, buffers: usize, parameter: &Tensor) -> &mut Slot {
        if position >= self.slots.len() {
            self.slots.resize_with(position + 1, Slot::default);
        }
        let slot = &mut self.slots[position];
        slot.buffers.resize_with(buffers, || Tensor::zeros(parameter.shape()));
        for buffer in &slot.buffers {
            assert!(
                buffer.shape() == parameter.shape(),
                "step: parameter {position} has shape {:?}, what is remembered for it has {:?}; \
                 pass the parameters in the same order every time",
                parameter.shape(),
                buffer.shape()
            );
        }
        slot
    }
}

/// Stochastic gradient descent with momentum (default 0) and weight decay (default 0).
#[derive(Clone)]
pub struct SGD {
    rate: f32,
    momentum: f32,
    decay: f32,
    memory: Memory,
}

impl SGD {
    /// Plain gradient descent. Panics unless `rate` is a number of at least 0.
    #[must_use]
    pub fn new(rate: f32) -> Self {
        Self { rate: checked_rate(rate), momentum: 0.0, decay: 0.0, memory: Memory::default() }
    }

    /// Keeps this part of the last direction. Panics unless it is in `[0, 1)`.
    #[must_use]
    pub fn momentum(self, momentum: f32) -> Self {
        Self { momentum: checked_share("momentum", momentum), ..self }
    }

    /// Pulls every number towards zero, through the gradient.
    #[must_use]
    pub fn weight_decay(self, decay: f32) -> Self {
        Self { decay, ..self }
    }
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-sgd", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl SGD {
    /// Moves one parameter.
    ///
    /// TODO: Put `with_decay`, `update_velocity` and `descend` together.
    ///
    /// APPROACH:
    /// 1. Add the decay to the gradient.
    /// 2. Without momentum that is the direction. No buffer is kept then: plain SGD costs no memory.
    /// 3. With momentum, take the slot with one buffer, update the velocity in it, go along it.
    ///
    /// EXAMPLE: `SGD::new(0.1).momentum(0.9)`, gradient always 1: the parameter moves by 0.1, 0.19, 0.271.
    ///
    /// HINTS:
    /// - `let slot = self.memory.slot(position, 1, parameter);`
    /// - The velocity is `slot.buffers[0]`.
    pub fn update(&mut self, position: usize, parameter: &mut Tensor, gradient: &Tensor) {
        // BEGIN SOLUTION
        let gradient = with_decay(gradient, parameter, self.decay);
        if self.momentum == 0.0 {
            descend(parameter, &gradient, self.rate);
            return;
        }
        let slot = self.memory.slot(position, 1, parameter);
        update_velocity(&mut slot.buffers[0], &gradient, self.momentum);
        descend(parameter, &slot.buffers[0], self.rate);
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-sgd", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Plain, with momentum, with decay, and each parameter with a velocity of its own.
#[test]
fn test_unit_sgd() {
    use tinytorch::testing::assert_close;
    let run = |mut optimizer: SGD, gradients: &[f32]| -> Vec<f32> {
        let mut p = Tensor::scalar(1.0);
        let steps = gradients.iter().map(|&gradient| {
            optimizer.update(0, &mut p, &Tensor::scalar(gradient));
            p.item()
        });
        steps.collect()
    };
    assert_close(&run(SGD::new(0.1), &[2.0, 2.0]), &[0.8, 0.6], 1e-6);
    assert_close(&run(SGD::new(0.1).momentum(0.9), &[1.0, 1.0, 1.0]), &[0.9, 0.71, 0.439], 1e-6);
    assert_close(&run(SGD::new(0.1).weight_decay(0.5), &[0.0, 0.0]), &[0.95, 0.9025], 1e-6);
    let both = SGD::new(0.1).momentum(0.9).weight_decay(0.5);
    assert_close(&run(both, &[1.0, 1.0]), &[0.85, 0.5725], 1e-6);

    let mut optimizer = SGD::new(1.0).momentum(0.5);
    let (mut p, mut q) = (Tensor::scalar(0.0), Tensor::scalar(0.0));
    optimizer.update(0, &mut p, &Tensor::scalar(1.0));
    optimizer.update(1, &mut q, &Tensor::scalar(10.0));
    optimizer.update(0, &mut p, &Tensor::scalar(1.0));
    assert_close(&[p.item(), q.item()], &[-2.5, -10.0], 1e-6);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-adam-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Adam: a step length for every number
//
// One learning rate for a steep and a flat direction is too long for one and too short for the other.
// Adam divides each number's average gradient by its typical size, so every number moves at about
// the same speed.

// %% nbgrader={"grade": false, "grade_id": "optimizers-average", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A running average: `average = beta * average + (1 - beta) * value(g)` for each number g of the
/// gradient, in place.
///
/// TODO: Change the numbers of `average`.
///
/// APPROACH:
/// 1. Like `update_velocity`, one pass over both arrays.
/// 2. The two weights add up to 1, so the average stays at the size of the values.
///
/// EXAMPLE: A value of 1 each time at beta 0.9: 0.1, 0.19, 0.271, in the end 1.
///
/// HINTS:
/// - `value` is a function: Adam passes `|g| g` for one average and `|g| g * g` for the other.
pub fn update_average(
    average: &mut Tensor,
    gradient: &Tensor,
    beta: f32,
    value: impl Fn(f32) -> f32,
) {
    // BEGIN SOLUTION
    let mix = |old: &mut f32, &g: &f32| *old = beta * *old + (1.0 - beta) * value(g);
    average.array_mut().zip_mut_with(gradient.array(), mix);
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-average", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 It starts small, follows slowly and ends at the value.
#[test]
fn test_unit_update_average() {
    use tinytorch::testing::assert_close;
    let mut average = Tensor::zeros(&[2]);
    let gradient = Tensor::new(&[1.0, -2.0], &[2]);
    for expected in [[0.1, -0.2], [0.19, -0.38], [0.271, -0.542]] {
        update_average(&mut average, &gradient, 0.9, |g| g);
        assert_close(&average.to_vec(), &expected, 1e-6);
    }
    let mut squares = Tensor::zeros(&[2]);
    for _ in 0..300 {
        update_average(&mut squares, &gradient, 0.9, |g| g * g);
    }
    assert_close(&squares.to_vec(), &[1.0, 4.0], 1e-4);
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-correction", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How much of a running average that began at zero is real after `steps` steps: `1 - beta^steps`.
///
/// TODO: Return the share.
///
/// APPROACH:
/// 1. After `steps` steps the zero at the start still weighs `beta^steps`; the rest is real.
/// 2. Dividing the average by the rest takes the zero out.
///
/// EXAMPLE: beta 0.9: 0.1 after one step, 0.19 after two, near 1 after fifty.
///
/// HINTS:
/// - Compute in `f64`: at beta 0.999 the share after two steps is 0.002, and a power in `f32`, right
///   to 0.00000006, leaves it four digits. `f64::from(beta).powf(steps as f64)`, then `as f32`.
#[must_use]
pub fn bias_correction(beta: f32, steps: u64) -> f32 {
    // BEGIN SOLUTION
    (1.0 - f64::from(beta).powf(steps as f64)) as f32
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-correction", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A constant gradient, averaged and corrected, is exact from the first step on.
#[test]
fn test_unit_bias_correction() {
    use tinytorch::testing::assert_close;
    assert_close(&[bias_correction(0.9, 1), bias_correction(0.9, 2)], &[0.1, 0.19], 1e-6);
    assert_close(&[bias_correction(0.999, 1)], &[0.001], 1e-7);
    assert_close(&[bias_correction(0.999, 100_000)], &[1.0], 1e-6);
    let mut average = Tensor::zeros(&[1]);
    for steps in 1..=20 {
        update_average(&mut average, &Tensor::ones(&[1]), 0.9, |g| g);
        assert_close(&[average.to_vec()[0] / bias_correction(0.9, steps)], &[1.0], 1e-5);
    }
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-adam-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Adam, with weight decay through the gradient (default 0).
#[derive(Clone)]
pub struct Adam {
    rate: f32,
    betas: (f32, f32),
    epsilon: f32,
    decay: f32,
    memory: Memory,
}

impl Adam {
    /// Adam with PyTorch's defaults: betas 0.9 and 0.999, epsilon 1e-8. Panics unless `rate` is a
    /// number of at least 0; 0.001 is the usual start.
    #[must_use]
    pub fn new(rate: f32) -> Self {
        let (rate, memory) = (checked_rate(rate), Memory::default());
        Self { rate, betas: (0.9, 0.999), epsilon: 1e-8, decay: 0.0, memory }
    }

    /// How slowly the two averages follow. Panics unless both are in `[0, 1)`.
    #[must_use]
    pub fn betas(self, first: f32, second: f32) -> Self {
        Self { betas: (checked_share("beta1", first), checked_share("beta2", second)), ..self }
    }

    /// What keeps the division finite where a gradient has been zero.
    #[must_use]
    pub fn epsilon(self, epsilon: f32) -> Self {
        Self { epsilon, ..self }
    }

    /// Pulls every number towards zero, through the gradient.
    #[must_use]
    pub fn weight_decay(self, decay: f32) -> Self {
        Self { decay, ..self }
    }
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-moments", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Slot {
    /// Counts a step, updates both averages with `gradient` and returns Adam's direction
    /// `m' / (sqrt(v') + epsilon)`. Needs two buffers: the average gradient m and the average of its
    /// square v.
    ///
    /// TODO: Put `update_average` and `bias_correction` together.
    ///
    /// APPROACH:
    /// 1. Count the step; update m with `|g| g` and beta 0, v with `|g| g * g` and beta 1.
    /// 2. Take both corrections for the number of steps.
    /// 3. For each pair of numbers return `(m / correction_m) / (sqrt(v / correction_v) + epsilon)`.
    ///
    /// EXAMPLE: On the first step m' = g and v' = g^2, so the direction is g / |g|: 1 or -1.
    ///
    /// HINTS:
    /// - `self.buffers[0]` is m, `self.buffers[1]` is v.
    /// - Start from `let mut direction = self.buffers[0].clone()` and change it with `zip_mut_with`.
    pub fn adam_direction(&mut self, gradient: &Tensor, betas: (f32, f32), epsilon: f32) -> Tensor {
        // BEGIN SOLUTION
        self.steps += 1;
        update_average(&mut self.buffers[0], gradient, betas.0, |g| g);
        update_average(&mut self.buffers[1], gradient, betas.1, |g| g * g);
        let for_mean = bias_correction(betas.0, self.steps);
        let for_square = bias_correction(betas.1, self.steps);
        let mut direction = self.buffers[0].clone();
        direction.array_mut().zip_mut_with(self.buffers[1].array(), |m, &v| {
            *m = (*m / for_mean) / ((v / for_square).sqrt() + epsilon);
        });
        direction
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-moments", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The first direction is the sign; a steady gradient keeps it; noise shortens the step.
#[test]
fn test_unit_adam_direction() {
    use tinytorch::testing::assert_close;
    let betas = (0.9, 0.999);
    let mut slot = Slot { steps: 0, buffers: vec![Tensor::zeros(&[3]), Tensor::zeros(&[3])] };
    let gradient = Tensor::new(&[5.0, -0.01, 0.0], &[3]);
    for steps in 1..=10 {
        let direction = slot.adam_direction(&gradient, betas, 1e-8);
        assert_close(&direction.to_vec(), &[1.0, -1.0, 0.0], 1e-4);
        assert_eq!(slot.steps, steps);
    }
    // After one step of 1 and one of -1: m' = (0.09 - 0.1) / 0.19, v' = 1.
    let mut slot = Slot { steps: 0, buffers: vec![Tensor::zeros(&[1]), Tensor::zeros(&[1])] };
    let _ = slot.adam_direction(&Tensor::ones(&[1]), betas, 1e-8);
    let direction = slot.adam_direction(&-Tensor::ones(&[1]), betas, 1e-8);
    assert_close(&direction.to_vec(), &[-0.052_631_6], 1e-5);
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Adam {
    /// Moves one parameter.
    ///
    /// TODO: Put `with_decay`, `adam_direction` and `descend` together.
    ///
    /// APPROACH:
    /// 1. Add the decay to the gradient.
    /// 2. Take the slot with two buffers and ask it for the direction.
    /// 3. Go against it.
    ///
    /// EXAMPLE: `Adam::new(0.1)`: the first step moves every number with a gradient by 0.1.
    ///
    /// HINTS:
    /// - `self.memory.slot(position, 2, parameter)`
    pub fn update(&mut self, position: usize, parameter: &mut Tensor, gradient: &Tensor) {
        // BEGIN SOLUTION
        let gradient = with_decay(gradient, parameter, self.decay);
        let slot = self.memory.slot(position, 2, parameter);
        let direction = slot.adam_direction(&gradient, self.betas, self.epsilon);
        descend(parameter, &direction, self.rate);
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-adam", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The step has the length of the rate, whatever the gradient; decay bends the gradient.
#[test]
fn test_unit_adam() {
    use tinytorch::testing::assert_close;
    let mut p = Tensor::new(&[1.0, 1.0, 1.0], &[3]);
    let mut optimizer = Adam::new(0.1);
    let gradient = Tensor::new(&[1000.0, -0.001, 0.0], &[3]);
    optimizer.update(0, &mut p, &gradient);
    assert_close(&p.to_vec(), &[0.9, 1.1, 1.0], 1e-5);
    optimizer.update(0, &mut p, &gradient);
    assert_close(&p.to_vec(), &[0.8, 1.2, 1.0], 1e-4);

    // With decay even a number without a gradient of its own moves, by a whole step.
    let mut p = Tensor::new(&[4.0, -4.0], &[2]);
    Adam::new(0.1).weight_decay(0.01).update(0, &mut p, &Tensor::zeros(&[2]));
    assert_close(&p.to_vec(), &[3.9, -3.9], 1e-5);

    // Two parameters, each with averages of its own: the second has seen one gradient only.
    let mut optimizer = Adam::new(0.1);
    let (mut p, mut q) = (Tensor::scalar(0.0), Tensor::scalar(0.0));
    optimizer.update(0, &mut p, &Tensor::scalar(1.0));
    optimizer.update(1, &mut q, &Tensor::scalar(-1.0));
    assert_close(&[p.item(), q.item()], &[-0.1, 0.1], 1e-5);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-adamw-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## AdamW: the rubber band, tied to the number itself
//
// In Adam the decay goes through the division by the typical gradient, so a number with large
// gradients is hardly pulled at all. AdamW shrinks the number first and leaves the gradient alone.

// %% nbgrader={"grade": false, "grade_id": "optimizers-adamw-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Adam with weight decay on the numbers themselves (default 0.01).
#[derive(Clone)]
pub struct AdamW {
    adam: Adam,
    decay: f32,
}

impl AdamW {
    /// As [`Adam::new`], with a weight decay of 0.01.
    #[must_use]
    pub fn new(rate: f32) -> Self {
        Self { adam: Adam::new(rate), decay: 0.01 }
    }

    /// As [`Adam::betas`].
    #[must_use]
    pub fn betas(self, first: f32, second: f32) -> Self {
        Self { adam: self.adam.betas(first, second), ..self }
    }

    /// As [`Adam::epsilon`].
    #[must_use]
    pub fn epsilon(self, epsilon: f32) -> Self {
        Self { adam: self.adam.epsilon(epsilon), ..self }
    }

    /// The part that a number loses in each step is `learning rate * decay`.
    #[must_use]
    pub fn weight_decay(self, decay: f32) -> Self {
        Self { decay, ..self }
    }
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-adamw", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl AdamW {
    /// Moves one parameter.
    ///
    /// TODO: Shrink the parameter, then let Adam move it.
    ///
    /// APPROACH:
    /// 1. Multiply every number of the parameter by `1 - rate * decay`, in place.
    /// 2. `self.adam` has no decay of its own: its `update` does the rest.
    ///
    /// EXAMPLE: `AdamW::new(0.1).weight_decay(0.5)`, `p = 4`, gradient 0: afterwards `p = 3.8`.
    ///
    /// HINTS:
    /// - `parameter.array_mut().mapv_inplace(|p| ...)`
    pub fn update(&mut self, position: usize, parameter: &mut Tensor, gradient: &Tensor) {
        // BEGIN SOLUTION
        let keep = 1.0 - self.adam.rate * self.decay;
        parameter.array_mut().mapv_inplace(|p| p * keep);
        self.adam.update(position, parameter, gradient);
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-adamw", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shrinking does not depend on the gradient, and without decay it is Adam.
#[test]
fn test_unit_adamw() {
    use tinytorch::testing::assert_close;
    let one_step = |decay: f32, gradient: [f32; 3]| -> Vec<f32> {
        let mut p = Tensor::new(&[4.0, -4.0, 4.0], &[3]);
        let gradient = Tensor::new(&gradient, &[3]);
        AdamW::new(0.1).weight_decay(decay).update(0, &mut p, &gradient);
        p.to_vec()
    };
    assert_close(&one_step(0.5, [0.0; 3]), &[3.8, -3.8, 3.8], 1e-5);
    assert_close(&one_step(0.5, [1000.0, 0.001, 0.0]), &[3.7, -3.9, 3.8], 1e-4);

    let gradient = [1000.0, 0.001, 0.0];
    let mut p = Tensor::new(&[4.0, -4.0, 4.0], &[3]);
    Adam::new(0.1).update(0, &mut p, &Tensor::new(&gradient, &[3]));
    assert_eq!(one_step(0.0, gradient), p.to_vec());
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-state-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Save and continue
//
// A checkpoint without the optimizer's memory restarts with zero velocity and wrong step lengths. And
// a state that belongs to another model must be refused before it does harm.

// %% nbgrader={"grade": false, "grade_id": "optimizers-state", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl OptimizerState {
    /// Whether an optimizer of this `kind`, which keeps `buffers` buffers for each parameter, can go
    /// on from this state with these `parameters`.
    ///
    /// TODO: Return the error that fits, or `Ok(())`.
    ///
    /// APPROACH:
    /// 1. Another kind: `StateError::Kind`.
    /// 2. No slots: saved before the first step, which fits every model. Otherwise their number must
    ///    be that of the parameters: `StateError::Count`.
    /// 3. A slot without buffers has never seen a gradient. Otherwise their number must be
    ///    `buffers` (`StateError::Buffers`) and each one's shape the parameter's
    ///    (`StateError::Shape`).
    ///
    /// EXAMPLE: An Adam state loaded into SGD is `Kind { expected: "SGD", found: "Adam" }`.
    ///
    /// HINTS:
    /// - `expected` is what this optimizer and model need, `found` is what the state holds.
    /// - `for (position, (slot, parameter)) in self.slots.iter().zip(parameters).enumerate()`
    pub fn check(
        &self,
        kind: &str,
        buffers: usize,
        parameters: &[&Tensor],
    ) -> Result<(), StateError> {
        // BEGIN SOLUTION
        if self.kind != kind {
            return Err(StateError::Kind { expected: kind.into(), found: self.kind.clone() });
        }
        let (expected, found) = (parameters.len(), self.slots.len());
        if found != 0 && found != expected {
            return Err(StateError::Count { expected, found });
        }
        for (position, (slot, parameter)) in self.slots.iter().zip(parameters).enumerate() {
            let found = slot.buffers.len();
            if found != 0 && found != buffers {
                return Err(StateError::Buffers { position, expected: buffers, found });
            }
            if let Some(other) = slot.buffers.iter().find(|b| b.shape() != parameter.shape()) {
                let (expected, found) = (parameter.shape().to_vec(), other.shape().to_vec());
                return Err(StateError::Shape { position, expected, found });
            }
        }
        Ok(())
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-state", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every way not to fit has its own error.
#[test]
fn test_unit_state_check() {
    let (w, b) = (Tensor::zeros(&[2, 3]), Tensor::zeros(&[3]));
    let state =
        |slots: Vec<Slot>| OptimizerState { kind: "Adam".into(), learning_rate: 0.1, slots };
    let slot = |shape: &[usize], count: usize| Slot {
        steps: 1,
        buffers: (0..count).map(|_| Tensor::zeros(shape)).collect(),
    };
    let good = state(vec![slot(&[2, 3], 2), slot(&[3], 2)]);
    assert_eq!(good.check("Adam", 2, &[&w, &b]), Ok(()));
    assert_eq!(state(Vec::new()).check("Adam", 2, &[&w, &b]), Ok(()));
    assert_eq!(state(vec![slot(&[2, 3], 2), slot(&[], 0)]).check("Adam", 2, &[&w, &b]), Ok(()));

    let error = good.check("SGD", 1, &[&w, &b]).unwrap_err();
    assert_eq!(error, StateError::Kind { expected: "SGD".into(), found: "Adam".into() });
    let error = good.check("Adam", 2, &[&w]).unwrap_err();
    assert_eq!(error, StateError::Count { expected: 1, found: 2 });
    let error = state(vec![slot(&[2, 3], 2), slot(&[3], 1)]).check("Adam", 2, &[&w, &b]);
    assert_eq!(error.unwrap_err(), StateError::Buffers { position: 1, expected: 2, found: 1 });
    let error = good.check("Adam", 2, &[&b, &w]).unwrap_err();
    assert_eq!(error, StateError::Shape { position: 0, expected: vec![3], found: vec![2, 3] });
    assert!(error.to_string().contains("parameter 0 has shape [3]"), "{error}");
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-trait", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Optimizer for SGD {
    fn step(&mut self, parameters: Vec<&mut Tensor>, gradients: &Gradients) {
        self.memory.prepare(parameters.len());
        no_grad(|| visit(parameters, gradients, |place, p, g| self.update(place, p, g)));
    }

    fn learning_rate(&self) -> f32 {
        self.rate
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.rate = checked_rate(rate);
    }

    fn state(&self) -> OptimizerState {
        let slots = self.memory.slots.clone();
        OptimizerState { kind: "SGD".into(), learning_rate: self.rate, slots }
    }

    fn load_state(&mut self, state: OptimizerState, with: &[&Tensor]) -> Result<(), StateError> {
        state.check("SGD", usize::from(self.momentum != 0.0), with)?;
        (self.rate, self.memory.slots) = (state.learning_rate, state.slots);
        Ok(())
    }
}

impl Optimizer for Adam {
    fn step(&mut self, parameters: Vec<&mut Tensor>, gradients: &Gradients) {
        self.memory.prepare(parameters.len());
        no_grad(|| visit(parameters, gradients, |place, p, g| self.update(place, p, g)));
    }

    fn learning_rate(&self) -> f32 {
        self.rate
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.rate = checked_rate(rate);
    }

    fn state(&self) -> OptimizerState {
        let slots = self.memory.slots.clone();
        OptimizerState { kind: "Adam".into(), learning_rate: self.rate, slots }
    }

    fn load_state(&mut self, state: OptimizerState, with: &[&Tensor]) -> Result<(), StateError> {
        state.check("Adam", 2, with)?;
        (self.rate, self.memory.slots) = (state.learning_rate, state.slots);
        Ok(())
    }
}

impl Optimizer for AdamW {
    fn step(&mut self, parameters: Vec<&mut Tensor>, gradients: &Gradients) {
        self.adam.memory.prepare(parameters.len());
        no_grad(|| visit(parameters, gradients, |place, p, g| self.update(place, p, g)));
    }

    fn learning_rate(&self) -> f32 {
        self.adam.rate
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.adam.set_learning_rate(rate);
    }

    fn state(&self) -> OptimizerState {
        OptimizerState { kind: "AdamW".into(), ..self.adam.state() }
    }

    fn load_state(&mut self, state: OptimizerState, with: &[&Tensor]) -> Result<(), StateError> {
        state.check("AdamW", 2, with)?;
        self.adam.load_state(OptimizerState { kind: "Adam".into(), ..state }, with)
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure
//
// What does remembering cost in bytes, and what does it buy in steps?

// %% nbgrader={"grade": false, "grade_id": "optimizers-analyses", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// One optimizer of each kind, with the name that tables and charts show.
fn contestants(rates: [f64; 4]) -> Vec<(&'static str, Box<dyn Optimizer>)> {
    let [plain, momentum, adam, adamw] = rates.map(|rate| rate as f32);
    vec![
        ("SGD", Box::new(SGD::new(plain))),
        ("SGD + momentum", Box::new(SGD::new(momentum).momentum(0.9))),
        ("Adam", Box::new(Adam::new(adam))),
        ("AdamW", Box::new(AdamW::new(adamw))),
    ]
}

/// 📊 Purpose: what an optimizer remembers, in bytes. Measured: the bytes that the counting allocator
/// saw still in use after the first step, for models of 10,000 to 1,000,000 parameters. Key insight:
/// SGD remembers nothing, momentum one number for each parameter, Adam two: with the gradient,
/// training with Adam holds four times the weights. Production context: for 7 billion parameters in
/// f32 Adam's two buffers are 56 GB, which is why they are kept in 8 bits or spread over machines.
pub fn analyze_optimizer_memory(out: &mut Reporter) {
    let mut rows = Vec::new();
    let mut shares = Vec::new();
    for parameters in [10_000, 100_000, 1_000_000] {
        let mut row = vec![parameters.into(), (4 * parameters).into()];
        shares.clear();
        for (name, mut optimizer) in contestants([0.1; 4]) {
            let mut weights = Tensor::ones(&[parameters]).tracked();
            let gradients = weights.sum().backward();
            let ((), counted) = memory(|| optimizer.step(vec![&mut weights], &gradients));
            let Some(counted) = counted else {
                out.insight("No counting allocator is installed here: there are no bytes to show.");
                return;
            };
            row.push(Value::from(counted.kept));
            shares.push((name, counted.kept as f64 / (4 * parameters) as f64));
        }
        rows.push(row);
    }
    let mut columns = vec![Column::plain("parameters"), Column::with_unit("weights", "B")];
    columns.extend(shares.iter().map(|(name, _)| Column::with_unit(*name, "B")));
    let title = "What is kept after a step".into();
    out.table(Table { title, columns, rows, origin: Origin::Measured });
    let bar = |(index, (name, share)): (usize, &(&str, f64))| {
        let (x, label) = (index as f64, Some((*name).to_owned()));
        Point { x, y: *share, label, ..Point::default() }
    };
    out.chart(Chart {
        title: "Bytes remembered for each byte of weights".into(),
        kind: ChartKind::Bar,
        x: Axis::linear("optimizer", ""),
        y: Axis::linear("share", "x"),
        series: vec![Series {
            name: "1,000,000 parameters".into(),
            points: shares.iter().enumerate().map(bar).collect(),
        }],
        origin: Origin::Measured,
    });
    let adam = shares[2].1;
    out.measured("Adam's memory against the weights", adam, "x");
    out.insight(format!(
        "Adam keeps {adam:.1} times the weights. Add the weights themselves and their gradient, and \
         training holds {:.1} times what using the model needs.",
        adam + 2.0
    ));
}

/// The loss after each of `steps` steps in a valley that is 50 times steeper across than along:
/// `f(p) = (p0^2 + 50 p1^2) / 2` from (8, 1).
fn descend_valley(optimizer: &mut dyn Optimizer, steps: usize) -> Vec<f64> {
    let steepness = Tensor::new(&[0.5, 25.0], &[2]);
    let mut p = Tensor::new(&[8.0, 1.0], &[2]).tracked();
    let mut losses = Vec::with_capacity(steps);
    for _ in 0..steps {
        let loss = (&(&p * &p) * &steepness).sum();
        losses.push(f64::from(loss.item()));
        let gradients = loss.backward();
        optimizer.step(vec![&mut p], &gradients);
    }
    losses
}

/// 📊 Purpose: what memory buys in steps. Measured: the loss of each optimizer over 120 steps in a
/// valley 50 times steeper across than along, and how far plain SGD gets by learning rate. Key
/// insight: one rate must suit the steepest direction (above 2 / 50 SGD explodes), so the flat one
/// crawls; momentum adds up the steady part, Adam gives each direction its own step. Production
/// context: a learning rate that is too high by a tenth looks like a broken model.
pub fn analyze_optimizer_convergence(out: &mut Reporter) {
    const STEPS: usize = 120;
    let (mut rows, mut series, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let rates = [0.03, 0.015, 0.3, 0.3];
    for ((name, mut optimizer), rate) in contestants(rates).into_iter().zip(rates) {
        let losses = descend_valley(optimizer.as_mut(), STEPS);
        let reached = losses.iter().position(|loss| loss / losses[0] < 1e-3);
        let reached = reached.map_or("not reached".into(), Value::from);
        let last = losses[STEPS - 1];
        rows.push(vec![name.into(), rate.into(), reached, last.into()]);
        ends.push(last);
        let curve = losses.into_iter().enumerate().map(|(step, loss)| (step as f64, loss));
        series.push(Series::new(name, curve));
    }
    out.table(Table {
        title: "120 steps in a narrow valley".into(),
        columns: vec![
            Column::plain("optimizer"),
            Column::plain("learning rate"),
            Column::plain("steps to a thousandth of the loss"),
            Column::plain("last loss"),
        ],
        rows,
        origin: Origin::Measured,
    });
    out.chart(Chart {
        title: "Loss by step".into(),
        kind: ChartKind::Line,
        x: Axis::linear("step", ""),
        y: Axis::log("loss", ""),
        series,
        origin: Origin::Measured,
    });
    let rates = [0.005, 0.01, 0.02, 0.03, 0.035, 0.038, 0.041, 0.044];
    let ends_by_rate = rates.map(|rate| {
        let losses = descend_valley(&mut SGD::new(rate as f32), STEPS);
        (rate, losses[STEPS - 1])
    });
    out.chart(Chart {
        title: "Plain SGD: last loss by learning rate".into(),
        kind: ChartKind::Line,
        x: Axis::linear("learning rate", ""),
        y: Axis::log("loss", ""),
        series: vec![Series::new("after 120 steps", ends_by_rate)],
        origin: Origin::Measured,
    });
    out.measured("loss of SGD against SGD with momentum, 120 steps", ends[0] / ends[1], "x");
    out.insight(format!(
        "At 0.038 plain SGD still comes down; at 0.041 the loss ends at {:.1e}. The edge is 2 divided \
         by the steepest curvature, 2 / 50 = 0.04: beyond it every step overshoots by more than it \
         came.",
        ends_by_rate[6].1
    ));
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "optimizers-together", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Everything together

// %% nbgrader={"grade": true, "grade_id": "test-optimizers-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Every optimizer comes down, skips what has no gradient, and continues from a saved state.
#[test]
fn test_module() {
    use tinytorch::random::Rng;
    use tinytorch::testing::assert_close;

    let mut rng = Rng::seeded(1);
    let x = Tensor::randn(&[16, 3], &mut rng);
    let truth = Tensor::new(&[1.0, -2.0, 0.5], &[3, 1]);
    let y = x.matmul(&truth);
    let loss_of = |w: &Tensor| {
        let error = &x.matmul(w) - &y;
        (&error * &error).mean()
    };
    let step = |optimizer: &mut dyn Optimizer, w: &mut Tensor, idle: &mut Tensor| {
        let gradients = loss_of(w).backward();
        optimizer.step(vec![w, idle], &gradients);
    };

    let fresh = || contestants([0.1, 0.05, 0.1, 0.1]);
    for ((name, mut optimizer), (_, mut second)) in fresh().into_iter().zip(fresh()) {
        let mut w = Tensor::zeros(&[3, 1]).tracked();
        let mut idle = Tensor::ones(&[2]).tracked();
        let before = loss_of(&w).item();
        (0..60).for_each(|_| step(optimizer.as_mut(), &mut w, &mut idle));
        let after = loss_of(&w).item();
        assert!(after < 0.05 * before, "{name}: the loss went from {before} to {after}");
        assert_eq!(idle.to_vec(), [1.0, 1.0], "{name}: no gradient, no step");

        // A second optimizer that loads the state goes exactly the same way.
        second.load_state(optimizer.state(), &[&w, &idle]).expect("the state fits");
        let (mut here, mut there) = (w.detach().tracked(), w.detach().tracked());
        (0..3).for_each(|_| step(optimizer.as_mut(), &mut here, &mut idle));
        (0..3).for_each(|_| step(second.as_mut(), &mut there, &mut idle));
        assert_eq!(here.to_vec(), there.to_vec(), "{name}");

        // And a refused state changes nothing.
        let foreign = OptimizerState { kind: "Muon".into(), ..optimizer.state() };
        assert!(optimizer.load_state(foreign, &[&w, &idle]).is_err());
        assert_eq!(optimizer.state().slots.len(), 2);
        optimizer.set_learning_rate(0.0);
        step(optimizer.as_mut(), &mut here, &mut idle);
        assert_close(&here.to_vec(), &there.to_vec(), 0.0);
    }
}

// %% nbgrader={"grade": false, "grade_id": "optimizers-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they measure, as JSON Lines.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_optimizer_memory(&mut out);
    analyze_optimizer_convergence(&mut out);
}
