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

// %% nbgrader={"grade": false, "grade_id": "compression-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 17 Compression: fewer numbers for the same answers. Input: a trained model and the data that trained it. Output: a
//! model with zeros, with fewer units, or with smaller factors, and a file of it. Depends on 03 to 09 and 16. By hand:
//! of the weights `[3, -1, 2, -4]`, a sparsity of 0.5 keeps 3 and -4, so the threshold is 3. Sparsity is a fraction
//! everywhere, from 0 to 1. Not here: kernels that make dense products fast (18).

use std::any::Any;
use std::error::Error;
use std::sync::OnceLock;
use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, Gradients, no_grad, track};
use tinytorch::baselines::fast_product;
use tinytorch::bytes::{Fault, Shaped};
use tinytorch::dataloader::{DataLoader, DigitShape};
use tinytorch::explore::Explorer;
use tinytorch::flate2::Compression;
pub use tinytorch::footprints::{self, Footprint};
use tinytorch::insights::compression as insights;
use tinytorch::layers::{Layer, Linear, Sequential, multilayer_perceptron};
use tinytorch::losses::{CrossEntropyLoss, Loss, log_softmax};
use tinytorch::optimizers::{Adam, Optimizer, OptimizerState, Slot, StateError};
use tinytorch::packed::{self, DENSE, Packed};
use tinytorch::quantization::{QuantizedTensor, Scheme, Sets, quantize_along, trained};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Reporter, Target, Value, columns};
use tinytorch::spatial::Conv2d;
use tinytorch::tensor::{Tensor, shape_text};
use tinytorch::testing::{compare, memory, quartiles, time};
use tinytorch::training::{CosineSchedule, ErrorKind, Trainer, TrainingError, count_correct};

// %% [markdown] nbgrader={"grade": false, "grade_id": "compression-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Compression
//
// You build: pruning by magnitude with a schedule, the removal of whole units, low-rank factors, distillation, a sparse
// layer, a sparse file, and a compressor that does all of it and says what it cost.

// %% nbgrader={"grade": false, "grade_id": "compression-weights", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The weights of a model: its parameters with two axes or more. Biases have one, and are never pruned: they are few,
/// and each of them shifts a whole output.
pub fn weights(model: &dyn Layer) -> Vec<&Tensor> {
    model.parameters().into_iter().filter(|parameter| is_weight(parameter)).collect()
}

/// Whether a parameter is a weight.
pub fn is_weight(parameter: &Tensor) -> bool {
    parameter.ndim() >= 2
}

/// Which weights are compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One threshold for the whole model: a layer loses as much as it has small weights.
    Global,
    /// A threshold for each layer: every layer loses the same fraction.
    PerLayer,
}

// %% nbgrader={"grade": false, "grade_id": "compression-sparsity", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The fraction of zeros among all weights of a model, from 0 to 1; 0 for a model without weights.
///
/// TODO: count zeros and weights, and divide.
///
/// APPROACH:
/// 1. Go over [`weights`], which leaves out the biases.
/// 2. Sum zeros and elements over all of them, and divide once: a large layer counts more than a small one.
///
/// EXAMPLE: a layer with 3 zeros among 4 weights and one with 1 among 6 have a sparsity of 0.4.
///
/// HINTS: `data` gives the numbers of a tensor as a slice. 0 divided by 0 is NaN.
pub fn measure_sparsity(model: &dyn Layer) -> f32 {
    todo!("compression-sparsity")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-sparsity", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two layers of different sizes, biases, a model without weights.
#[test]
fn test_unit_measure_sparsity() {
    use tinytorch::testing::expect_close;

    let layer = |numbers: &[f32], shape: &[usize]| Linear {
        weight: Tensor::new(numbers, shape),
        bias: Some(Tensor::zeros(&[shape[1]])),
    };
    let small = layer(&[0.0, 1e-6, 0.0, 0.0], &[2, 2]);
    let large = layer(&[1.0, 2.0, 0.0, 4.0, 5.0, -6.0], &[2, 3]);
    let found = [&small, &large].map(|one| measure_sparsity(one));
    let idea = "a fraction from 0 to 1: biases do not count, and 1e-6 is small, but not 0";
    expect_close("3 zeros and 1e-6, 1 of 6", &found, &[0.75, 1.0 / 6.0], 1e-6, idea);
    let both = Sequential::new(vec![Box::new(small), Box::new(large)]);
    let idea = "sum over all layers, then divide once: a large layer counts more";
    expect_close("both layers", &[measure_sparsity(&both)], &[0.4], 1e-6, idea);
    let idea = "without weights there is nothing to divide by";
    expect_close("a model of ReLU alone", &[measure_sparsity(&ReLU)], &[0.0], 0.0, idea);
}

// %% nbgrader={"grade": false, "grade_id": "compression-threshold", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The smallest magnitude that stays when `sparsity` of the weights are pruned; infinity when none stays.
///
/// TODO: sort the magnitudes, and take the right one.
///
/// APPROACH:
/// 1. Sort the absolute values: a weight of -4 matters more than one of 3.
/// 2. The number of weights to prune is `sparsity` times their number, rounded.
/// 3. The magnitude at that index is the first one that stays.
///
/// EXAMPLE: `[3, -1, 2, -4]` and 0.5: of 1, 2, 3, 4 the first two are pruned, and the threshold is 3.
///
/// HINTS: `sort_by(f32::total_cmp)` sorts floats; `get` of an index returns an `Option`.
pub fn calculate_threshold(weights: &[f32], sparsity: f32) -> f32 {
    todo!("compression-threshold")
}

/// 1 for each weight that stays, 0 for each that is pruned, in the shape of `weight`.
///
/// TODO: compare each magnitude with the threshold.
///
/// APPROACH: a weight stays when its magnitude is at least `threshold`.
///
/// EXAMPLE: `[3, -1, 2, -4]` with a threshold of 3: `[1, 0, 0, 1]`.
///
/// HINTS: `f32::from` makes 1 or 0 of a `bool`.
pub fn create_mask(weight: &Tensor, threshold: f32) -> Tensor {
    todo!("compression-threshold")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-threshold", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Signs, rounding, nothing and everything pruned; masks at the threshold.
#[test]
fn test_unit_threshold_and_mask() {
    use tinytorch::testing::{expect_call, expect_call_close};

    let magnitude = "compare magnitudes: -4 is a large weight";
    let first = "the smallest magnitude that stays, behind the pruned: compare magnitudes";
    let all = "a sparsity of 1 leaves nothing: no index is beyond the end";
    let five = [3.0, -1.0, 2.0, -4.0, 5.0];
    for (sparsity, wanted, idea) in [
        (0.6, 4.0, first),
        (0.2, 2.0, first),
        (0.0, 1.0, first),
        (0.5, 4.0, "round the number of weights: 2.5 is 3"),
        (1.0, f32::INFINITY, all),
    ] {
        let input = format!("{five:?}, sparsity {sparsity}");
        expect_call(input, || calculate_threshold(&five, sparsity), wanted, idea);
    }
    let weight = Tensor::new(&five[..4], &[2, 2]);
    let mask = |threshold| create_mask(&weight, threshold);
    let shape = || mask(3.0).shape().to_vec();
    expect_call("a weight (2, 2)", shape, vec![2, 2], "a mask has the shape of its weight");
    for (threshold, idea) in [(2.5, magnitude), (3.0, "a weight at the threshold stays")] {
        let input = format!("[3, -1, 2, -4], threshold {threshold}");
        expect_call_close(input, || mask(threshold).to_vec(), &[1.0, 0.0, 0.0, 1.0], 0.0, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-masks", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A mask for each of all parameters, in their order; none for a bias.
///
/// TODO: find the threshold or the thresholds, and make the masks.
///
/// APPROACH:
/// 1. [`Scope::Global`]: join the numbers of all weights, and calculate one threshold.
/// 2. [`Scope::PerLayer`]: a threshold for the numbers of each weight.
/// 3. Where [`is_weight`] is false there is no mask.
///
/// EXAMPLE: weights `[1, 2]` and `[3, 4]`, sparsity 0.5: globally 1 and 2 are pruned, per layer 1 and 3.
///
/// HINTS: `flat_map` with `to_vec` joins. A `bool` has `then`, which makes an `Option`.
pub fn magnitude_masks(all: &[&Tensor], sparsity: f32, scope: Scope) -> Vec<Option<Tensor>> {
    todo!("compression-masks")
}

/// Sets every weight to 0 whose mask is 0, in place.
///
/// TODO: multiply each parameter that has a mask by it.
///
/// APPROACH: change the numbers of the tensor, not the tensor: an optimizer knows it by its id.
///
/// EXAMPLE: `[3, -1]` with the mask `[1, 0]` becomes `[3, 0]`; a parameter without a mask stays as it is.
///
/// HINTS: `array_mut` gives an array of ndarray, which `*=` multiplies by another one, here `mask.array()`.
pub fn apply_masks(parameters: &mut [&mut Tensor], masks: &[Option<Tensor>]) {
    todo!("compression-masks")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-masks", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One threshold or one for each layer; biases; in place.
#[test]
fn test_unit_masks() {
    use tinytorch::testing::{expect_eq, expect_return};

    let [small, bias] = [&[1.0, -2.0], &[0.1, 0.1]].map(|numbers| Tensor::new(numbers, &[2]));
    let large = Tensor::new(&[3.0, -4.0, 5.0, 6.0], &[2, 2]).tracked();
    let tensors = [small.reshape(&[1, 2]), bias, large];
    let global = "one threshold for all weights together";
    for (scope, first, second, idea) in [
        (Scope::Global, [0.0, 0.0], [0.0, 1.0, 1.0, 1.0], global),
        (Scope::PerLayer, [0.0, 1.0], [0.0, 0.0, 1.0, 1.0], "a threshold for each layer"),
    ] {
        let input = format!("[1, -2], a bias [0.1, 0.1], [3, -4, 5, 6], sparsity 0.5, {scope:?}");
        let masks = || magnitude_masks(&tensors.each_ref(), 0.5, scope);
        let masks = expect_return(&input, masks, idea);
        let found: Vec<_> = masks.iter().map(|mask| mask.as_ref().map(Tensor::to_vec)).collect();
        let bias = "a bias has no mask, but a place in the list";
        expect_eq(&input, (found.len(), found.get(1)), (3, Some(&None)), bias);
        expect_eq(&input, found, vec![Some(first.into()), None, Some(second.into())], idea);
        let mut pruned = tensors.clone();
        apply_masks(&mut pruned.each_mut(), &masks);
        let product = vec![0.0, -4.0 * second[1], 5.0, 6.0];
        let kept = "what has a mask of 0 becomes 0, and everything else stays as it is";
        expect_eq(&input, [pruned[1].to_vec(), pruned[2].to_vec()], [vec![0.1; 2], product], kept);
        let idea = "in place: a new tensor would be unknown to the optimizer";
        expect_eq("the id of a weight after its mask", pruned[2].id(), tensors[2].id(), idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The sparsity at `step` of a schedule that reaches `target` after `steps` steps: fast at first, while many weights
/// are redundant, then more and more slowly (Zhu and Gupta, 2017).
///
/// TODO: the cubic law.
///
/// APPROACH:
/// 1. The part of the way that is left falls from 1 to 0 in equal steps, and stays 0 afterwards.
/// 2. The sparsity is what `target` has lost of itself when it is multiplied by the cube of that part.
///
/// EXAMPLE: with a target of 0.8 and 10 steps: 0 at the start, 0.7 after 5, 0.8 from the 10th on.
///
/// HINTS: with 0 steps nothing is left from the start; mind the division. `powi(3)` is the cube.
pub fn cubic_sparsity(step: usize, steps: usize, target: f32) -> f32 {
    todo!("compression-schedule")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-schedule", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Start, middle and end; beyond the end; no steps at all.
#[test]
fn test_unit_cubic_sparsity() {
    use tinytorch::testing::expect_close;

    let idea = "target x (1 - left^3): fast at first, slow at the end";
    let after = "the target is reached after the last step, and stays";
    for (step, steps, wanted, idea) in [
        (0, 10, 0.0, idea),
        (5, 10, 0.7, idea),
        (9, 10, 0.7992, idea),
        (10, 10, 0.8, after),
        (25, 10, 0.8, after),
        (0, 0, 0.8, "with 0 steps the target is reached at once"),
    ] {
        let yours = [cubic_sparsity(step, steps, 0.8)];
        expect_close(format!("step {step} of {steps}, target 0.8"), &yours, &[wanted], 1e-5, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-pruner", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Prunes the weights with the smallest magnitudes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MagnitudePruner {
    /// The fraction of the weights that become 0.
    pub sparsity: f32,
    /// One threshold for all layers, or one for each.
    pub scope: Scope,
}

/// An optimizer whose steps leave pruned weights at 0. It prunes gradually while it trains.
pub struct PruningOptimizer<O> {
    /// What decides how parameters change.
    pub optimizer: O,
    /// What is pruned in the end.
    pub pruner: MagnitudePruner,
    /// After so many steps the sparsity is that of the pruner.
    pub steps: usize,
    /// Completed steps.
    pub step: usize,
    /// The masks that hold now.
    pub masks: Vec<Option<Tensor>>,
}

// %% nbgrader={"grade": false, "grade_id": "compression-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl<O: Optimizer> PruningOptimizer<O> {
    /// One step of training after which every pruned weight is 0.
    ///
    /// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. Fine-tuning ends with a
    /// good accuracy, but the sparsity of the model that is saved is nearly 0.
    ///
    /// ```text
    /// self.renew_masks(&parameters);
    /// apply_masks(&mut parameters, &self.masks);
    /// self.optimizer.step(reborrowed(&mut parameters), gradients);
    /// ```
    ///
    /// APPROACH:
    /// 1. Ask what a weight is directly after each of the lines, when its mask is 0 and its gradient is not.
    /// 2. Two orders of the lines leave it at 0. What have they in common?
    ///
    /// EXAMPLE: a weight of 0 with the mask 0 and the gradient 1 is still 0 after the step.
    ///
    /// HINTS: `renew_masks` follows the schedule, and prunes weights as they are when it is called.
    pub fn masked_step(&mut self, mut parameters: Vec<&mut Tensor>, gradients: &Gradients) {
        todo!("compression-debug")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-debug", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Pruned weights stay 0 under momentum; the others move; the schedule is followed.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::{expect_close, expect_eq};

    let mut w = Tensor::new(&[4.0, -0.1, 0.2, 3.0], &[2, 2]).tracked();
    let mut optimizer = MagnitudePruner::new(0.5).while_training(Adam::new(0.5), 0);
    for step in 1..=3 {
        let gradients = (&w * Tensor::new(&[1.0, -9.0, 9.0, 1.0], &[2, 2])).sum().backward();
        optimizer.masked_step(vec![&mut w], &gradients);
        let zeros = w.to_vec().iter().map(|w| *w == 0.0).collect::<Vec<_>>();
        let idea = "mask after the update: the optimizer's step moves pruned weights too";
        expect_eq(format!("zeros after step {step}"), zeros, vec![false, true, true, false], idea);
    }
    let idea = "what is not pruned is trained as the inner optimizer does";
    expect_close("three steps of 0.5 down", &w.to_vec(), &[2.5, 0.0, 0.0, 1.5], 1e-3, idea);

    let mut w = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[4, 2]).tracked();
    let mut optimizer = MagnitudePruner::new(0.75).while_training(Adam::new(0.0), 4);
    for (step, wanted) in [3, 5, 6, 6, 6].into_iter().enumerate() {
        let gradients = w.sum().backward();
        optimizer.masked_step(vec![&mut w], &gradients);
        let zeros = w.to_vec().iter().filter(|&&w| w == 0.0).count();
        let idea = "renew the masks once in each step, along the schedule";
        expect_eq(format!("zeros among 8, {step} steps before"), zeros, wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-units", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The norm of each output unit of a weight: of each column of a `Linear` `(in, out)`, of each filter of a `Conv2d`
/// `(out, in, rows, columns)`.
///
/// TODO: sum the squares of each unit, and take the root.
///
/// APPROACH:
/// 1. Square every weight.
/// 2. With two axes, the first is summed away; with four, all but the first.
///
/// EXAMPLE: `[[3, 1], [4, 0]]`: the columns have the norms 5 and 1.
///
/// HINTS: `sum_axis` takes one axis or an array of them; its second argument keeps the axis, which is not wanted.
pub fn unit_norms(weight: &Tensor) -> Vec<f32> {
    todo!("compression-units")
}

/// The units that stay when the fraction `sparsity` of them, those with the smallest norms, is removed: their indices,
/// in ascending order.
///
/// TODO: choose by norm, and return in the order of the layer.
///
/// APPROACH:
/// 1. As for weights, [`calculate_threshold`] gives the smallest norm that stays.
/// 2. A layer without units is no layer: the unit with the largest norm always stays.
///
/// EXAMPLE: norms `[5, 1, 3, 2]` and 0.5: the units 0 and 2 stay.
///
/// HINTS: the threshold is at most the largest norm. `filter` over the indices keeps their order.
pub fn kept_units(norms: &[f32], sparsity: f32) -> Vec<usize> {
    todo!("compression-units")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-units", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Columns of a linear layer, filters of a convolution; which units stay, in which order.
#[test]
fn test_unit_units() {
    use tinytorch::testing::{expect_call, expect_call_close};

    let linear = Tensor::new(&[3.0, 1.0, 0.0, 4.0, 0.0, -2.0], &[2, 3]);
    let conv = Tensor::new(&[1.0, 1.0, 1.0, -1.0, 3.0, 0.0, 0.0, 4.0], &[2, 1, 2, 2]);
    let column = "the norm of a column of the weight (in, out), not of a row: the root of the sum of squares";
    let columns = || unit_norms(&linear);
    expect_call_close("[[3, 1, 0], [4, 0, -2]]", columns, &[5.0, 1.0, 2.0], 1e-5, column);
    let filter = "the norm of a filter: the squares of everything but the first axis are summed";
    expect_call_close("filters of 1 and 3, 4", || unit_norms(&conv), &[2.0, 5.0], 1e-5, filter);
    let order = "the units with the largest norms stay, also one at the threshold, in the order of the layer";
    let last = "one unit always stays: a layer without units is no layer";
    for (sparsity, wanted, idea) in
        [(0.5, vec![0, 2], order), (0.25, vec![0, 2, 3], order), (1.0, vec![2], last)]
    {
        let input = format!("norms [3, 1, 5, 2], sparsity {sparsity}");
        expect_call(input, || kept_units(&[3.0, 1.0, 5.0, 2.0], sparsity), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-structured", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The weight and the bias of a layer that keeps only some of its output units: physically smaller tensors.
///
/// TODO: select the units from both tensors.
///
/// APPROACH:
/// 1. The outputs of a weight with two axes are on its second one, of a weight with four on its first.
/// 2. The bias loses the same units.
///
/// EXAMPLE: a weight `(64, 32)` and 8 kept units: `(64, 8)`, and a bias `(8)`.
///
/// HINTS: `index_select` takes an axis and the indices. `as_ref` and `map` reach what is in an `Option`.
pub fn keep_outputs(
    weight: &Tensor,
    bias: &Option<Tensor>,
    kept: &[usize],
) -> (Tensor, Option<Tensor>) {
    todo!("compression-structured")
}

/// The weight of the layer behind it, without the inputs that no longer come. `units` is how many there were.
///
/// TODO: select the inputs that belong to the kept units.
///
/// APPROACH:
/// 1. A convolution has one input channel for each unit, on its second axis.
/// 2. A linear layer has its inputs on the first axis. After a `Flatten` each unit, a channel, has a block of them,
///    one behind the other: the number of inputs, divided by `units`.
///
/// EXAMPLE: `(64, 10)` behind 16 channels: 4 inputs each. Kept channels 0 and 3 are the inputs 0 to 3 and 12 to 15.
///
/// HINTS: `flat_map` makes a range of inputs of each kept unit.
pub fn keep_inputs(weight: &Tensor, kept: &[usize], units: usize) -> Tensor {
    todo!("compression-structured")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-structured", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both axes by hand; networks whose removed units were 0 compute the same, dense and convolutional.
#[test]
fn test_unit_structured() {
    use tinytorch::spatial::cnn_for_digits;
    use tinytorch::testing::{expect_call, expect_call_close};

    let numbers: Vec<f32> = (0..12).map(|n| n as f32).collect();
    let [wide, tall] = [[2, 6], [6, 2]].map(|shape| Tensor::new(&numbers, &shape));
    let bias = Some(Tensor::new(&numbers[..6], &[6]));
    let outputs = || {
        let (weight, bias) = keep_outputs(&wide, &bias, &[1, 4]);
        (weight.to_vec(), bias.map(|bias| bias.to_vec()))
    };
    let idea = "keep the columns of the weight, and the same elements of the bias";
    let wanted = (vec![1.0, 4.0, 7.0, 10.0], Some(vec![1.0, 4.0]));
    expect_call("(2, 6) with a bias, units 1 and 4", outputs, wanted, idea);
    let idea = "behind Flatten a channel has a block of inputs: 6 inputs of 3 channels are 2 each";
    let wanted = [0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 11.0];
    let inputs = || keep_inputs(&tall, &[0, 2], 3).to_vec();
    expect_call_close("(6, 2), units 0 and 2 of 3", inputs, &wanted, 0.0, idea);
    let inputs = || keep_inputs(&wide.reshape(&[2, 6, 1, 1]), &[0, 5], 6).to_vec();
    let idea = "a convolution has its input channels on axis 1, one for each unit";
    expect_call_close("a convolution (2, 6, 1, 1)", inputs, &[0.0, 5.0, 6.0, 11.0], 0.0, idea);

    // The odd units of the first two layers are 0: to remove them changes nothing.
    let dense = multilayer_perceptron(&[64, 6, 4, 3], &mut Rng::seeded(1));
    let convolutional = cnn_for_digits(&mut Rng::seeded(1));
    for (mut network, shape) in [(dense, &[5, 64][..]), (convolutional, &[5, 1, 8, 8])] {
        for weight in network.parameters_mut().into_iter().filter(|own| is_weight(own)).take(2) {
            let even: Vec<f32> = [1.0, 0.0].repeat(unit_norms(weight).len() / 2);
            let strip =
                if weight.ndim() == 2 { &[1, even.len()][..] } else { &[even.len(), 1, 1, 1] };
            *weight = &*weight * Tensor::new(&even, strip);
        }
        let x = Tensor::rand(shape, &mut Rng::seeded(2));
        let (name, before) = (network.name(), network.forward(&x).to_vec());
        structured_prune(&mut network, 0.5);
        let idea = "keep the weights of the kept units, and the inputs that come from them";
        let after = || network.forward(&x).to_vec();
        expect_call_close(format!("half of {name}"), after, &before, 1e-4, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-low-rank", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The best approximation of a matrix `(m, n)` by one column times one row: `(column (m, 1), row (1, n))`, where the row
/// has the length 1. Found by power iteration from the row `start`.
///
/// TODO: multiply back and forth until the row no longer turns.
///
/// APPROACH:
/// 1. `ITERATIONS` times: the column is the matrix times the row (as a column); the new row is that column, as a row,
///    times the matrix, divided by its length.
/// 2. At the end the column is the matrix times the last row: its length is the singular value.
/// 3. A matrix of zeros makes a row of length 0: leave the row as it is rather than dividing.
///
/// EXAMPLE: `[[3, 0], [0, 1]]`: the row is `[1, 0]`, the column `[3, 0]`; what is left is `[[0, 0], [0, 1]]`.
///
/// HINTS: `t` transposes. The length is the root of the sum of squares; `item` is the number of a tensor of one.
pub fn rank_one(matrix: &Tensor, start: &Tensor) -> (Tensor, Tensor) {
    todo!("compression-low-rank")
}

/// Two layers that together do about what `layer` does: `(in, rank)` without a bias, then `(rank, out)` with its bias.
///
/// TODO: take off one rank-one part after the other, and make the weights of both layers of them.
///
/// APPROACH:
/// 1. The rest begins as the weight. So many times: find its [`rank_one`] part, keep column and row, and subtract
///    their product from the rest.
/// 2. The columns side by side are the first weight, the rows one below the other the second.
///
/// EXAMPLE: `(256, 128)` with rank 8: `(256, 8)` and `(8, 128)`, 3,072 weights in place of 32,768.
///
/// HINTS: the given [`joined`] puts tensors one behind the other along an axis. Each start is random: `Tensor::randn`.
pub fn low_rank(layer: &Linear, rank: usize, rng: &mut Rng) -> [Linear; 2] {
    let weight = layer.weight.detach();
    todo!("compression-low-rank")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-low-rank", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The largest direction, and its length; zeros; products of a known rank; shapes and the bias.
#[test]
fn test_unit_low_rank() {
    use tinytorch::testing::{expect_call_close, expect_close, expect_eq};

    let turns = "multiply by the matrix and back; a row of length 1, the column holds how much";
    let zero = "a matrix of zeros has no direction: do not divide by 0";
    for (numbers, wanted, idea) in [
        ([3.0, 0.0, 0.0, 1.0], [3.0, 0.0, 0.0, 0.0], turns),
        ([2.0, 4.0, 1.0, 2.0], [2.0, 4.0, 1.0, 2.0], turns),
        ([0.0; 4], [0.0; 4], zero),
    ] {
        let product = || {
            let (column, row) = rank_one(&Tensor::new(&numbers, &[2, 2]), &Tensor::ones(&[1, 2]));
            column.matmul(&row).to_vec()
        };
        expect_call_close(format!("{numbers:?}, a square"), product, &wanted, 1e-3, idea);
    }
    let matrix = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let (column, row) = rank_one(&matrix, &Tensor::ones(&[1, 3]));
    let lengths = [column, row].map(|vector| (&vector * &vector).sum().sqrt().item());
    let idea = "the length of the column is the singular value, that of the row is 1";
    expect_close("[[1, 2, 3], [4, 5, 6]]", &lengths, &[9.508_03, 1.0], 1e-3, idea);

    let rng = &mut Rng::seeded(4);
    let weight = Tensor::randn(&[6, 2], rng).matmul(&Tensor::randn(&[2, 5], rng));
    let bias = vec![1.0, 2.0, 3.0, 4.0, 5.0];
    let layer = Linear { weight: weight.clone(), bias: Some(Tensor::new(&bias, &[5])) };
    let [first, second] = low_rank(&layer, 2, rng);
    let yours = || first.weight.matmul(&second.weight).to_vec();
    let idea = "subtract each part before you look for the next, from a random start of its own";
    expect_call_close("both weights, rank 2", yours, &weight.to_vec(), 1e-3, idea);
    let yours = [&first, &second].map(|layer| layer.bias.as_ref().map(Tensor::to_vec));
    let idea = "the bias is added once, at the end: the first of the two layers has none";
    expect_eq("the biases of both layers", yours, [None, Some(bias)], idea);
}

// %% nbgrader={"grade": false, "grade_id": "compression-distillation", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The loss of a student that learns from a teacher and from labels (Hinton et al., 2015). Logits are `(B, C)`, labels
/// `(B)`.
///
/// TODO: `alpha` times the soft part plus the rest times the cross-entropy of the labels.
///
/// APPROACH:
/// 1. Divide both logits by the temperature. The teacher's softmax of them is what the student should say.
/// 2. The divergence of a row: the sum over classes of the teacher's `p` times (log p of the teacher - log p of the
///    student). Take the mean over the rows.
/// 3. Its gradients shrink with the square of the temperature: multiply by that.
/// 4. No gradient may reach the teacher.
///
/// EXAMPLE: equal logits have no divergence: with `alpha` 1 the loss is 0.
///
/// HINTS: `log_softmax(x, 1)` and its `exp`. `detach` forgets a history. A sum divided by the rows is a mean over rows.
pub fn distillation_loss(
    student: &Tensor,
    teacher: &Tensor,
    labels: &Tensor,
    temperature: f32,
    alpha: f32,
) -> Tensor {
    todo!("compression-distillation")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-distillation", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Equal logits, labels alone, values that PyTorch computes; no gradient for the teacher.
#[test]
fn test_unit_distillation_loss() {
    use tinytorch::testing::{expect_close, expect_eq};

    let student = Tensor::new(&[2.0, 1.0, 0.0, -1.0, 0.0, 1.0], &[2, 3]);
    let teacher = Tensor::new(&[3.0, 0.0, 0.0, 0.0, 4.0, 1.0], &[2, 3]);
    let labels = Tensor::new(&[0.0, 1.0], &[2]);
    let same = "equal logits, both softened, do not diverge; with alpha 1 no label counts";
    let sum = "sum over classes: p x (log p - log q), with p the teacher's; the mean over rows";
    let soft = "the divergence of the softened distributions, the mean over rows, times T^2";
    for (teacher, temperature, alpha, wanted, idea) in [
        (&student, 3.0, 1.0, 0.0, same),
        (&teacher, 3.0, 0.0, 0.907_606, "alpha 0: the cross-entropy of the labels alone"),
        (&teacher, 1.0, 1.0, 0.640_338, sum),
        (&teacher, 3.0, 1.0, 0.999_889, soft),
        (&teacher, 3.0, 0.75, 0.976_818, "alpha weighs the soft part, 1 - alpha the labels"),
    ] {
        let yours = distillation_loss(&student, teacher, &labels, temperature, alpha).item();
        let input = format!("temperature {temperature}, alpha {alpha}");
        expect_close(input, &[yours], &[wanted], 1e-4, idea);
    }
    let (student, teacher) = (student.tracked(), teacher.tracked());
    let gradients = distillation_loss(&student, &teacher, &labels, 2.0, 0.5).backward();
    let found = (gradients.get(&student).is_some(), gradients.get(&teacher).is_some());
    let idea = "the student learns, the teacher does not: detach it";
    expect_eq("gradients of student and teacher", found, (true, false), idea);
}

// %% nbgrader={"grade": false, "grade_id": "compression-csr-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A linear layer that keeps only weights that are not 0, in compressed sparse rows. For inference: it has no
/// parameters that training could change.
#[derive(Debug, Clone)]
pub struct SparseLinear {
    /// How many inputs it has.
    pub inputs: usize,
    /// Where the row of each output begins in the two lists below, and at the end, where the last one ends.
    pub starts: Vec<u32>,
    /// The input that each weight belongs to.
    pub columns: Vec<u32>,
    /// The weights that are not 0, output after output.
    pub values: Vec<f32>,
    bias: Option<Tensor>,
}

// %% nbgrader={"grade": false, "grade_id": "compression-csr", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl SparseLinear {
    /// The sparse form of a layer.
    ///
    /// TODO: go through the weight output by output, and keep what is not 0.
    ///
    /// APPROACH:
    /// 1. `starts` begins with a 0.
    /// 2. For each output, and for each input: a weight that is not 0 goes to `values`, its input to `columns`.
    /// 3. After each output, the number of weights so far goes to `starts`.
    ///
    /// EXAMPLE: the weight `(in, out)` `[[1, 0], [0, 0], [2, 3]]`: values `[1, 2, 3]`, columns `[0, 2, 2]`, starts
    /// `[0, 2, 3]`.
    ///
    /// HINTS: the weight has a row for each *input*: the transposed weight has one for each output.
    pub fn from_linear(layer: &Linear) -> Self {
        let (inputs, bias) = (layer.weight.shape()[0], layer.bias.clone());
        todo!("compression-csr")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-csr", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand: an output without weights, negative weights.
#[test]
fn test_unit_from_linear() {
    use tinytorch::testing::{expect_close, expect_eq};

    let weight = Tensor::new(&[1.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0, 0.0, -3.0], &[3, 3]);
    let SparseLinear { starts, columns, values, .. } =
        SparseLinear::from_linear(&Linear { weight, bias: None });
    let input = "the weight [[1, 0, 0], [0, 0, 4], [2, 0, -3]], (in, out)";
    let idea = "a row for each output: every weight that is not 0; empty, it begins where it ends";
    expect_eq(input, (columns, starts), (vec![0, 2, 1, 2], vec![0, 2, 2, 4]), idea);
    let idea = "every weight that is not 0, with its sign, output after output";
    expect_close(input, &values, &[1.0, 2.0, 4.0, -3.0], 0.0, idea);
}

// %% nbgrader={"grade": false, "grade_id": "compression-sparse", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl SparseLinear {
    /// Adds weight times input to each output. `x` is `(inputs, batch)`, `out` is `(outputs, batch)`: what belongs to
    /// one input, or to one output, lies side by side.
    ///
    /// TODO: for each output, and for each of its weights, add that weight times the row of its input.
    ///
    /// APPROACH:
    /// 1. The weights of output `row` are those from `starts[row]` to `starts[row + 1]`.
    /// 2. A weight of an input multiplies the `batch` numbers of `x` that belong to that input.
    /// 3. The products are added to the `batch` numbers of `out` that belong to the output.
    ///
    /// EXAMPLE: values `[1, 2]`, columns `[0, 2]`, starts `[0, 2]`, a batch of 1, `x = [5, 6, 7]`: `out` is 19.
    ///
    /// HINTS: the numbers of input 2 begin at twice `batch`. Indices are `u32`: `as usize`. `zip` goes over two slices.
    pub fn multiply(&self, x: &[f32], batch: usize, out: &mut [f32]) {
        todo!("compression-sparse")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-sparse", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand; what is in the buffer stays; as the dense layer with its bias, for batches of every size.
#[test]
fn test_unit_multiply() {
    use tinytorch::testing::{expect_call_close, expect_written};

    let weight = Tensor::new(&[1.0, 0.0, 0.0, 4.0, 2.0, 0.0], &[3, 2]);
    let sparse = SparseLinear::from_linear(&Linear { weight, bias: None });
    let idea = "each weight times the row of its own input, added to the row of its output";
    for (start, wanted) in [(0.0, [19.0, 24.0]), (1.0, [20.0, 25.0])] {
        let work = |out: &mut [f32]| sparse.multiply(&[5.0, 6.0, 7.0], 1, out);
        expect_written("[5, 6, 7]", start, work, &wanted, idea);
    }
    let rng = &mut Rng::seeded(7);
    for (batch, sparsity) in [(1, 0.5), (5, 0.8), (0, 0.5), (3, 1.0)] {
        let mut layer = Linear::new(13, 9, rng);
        layer.bias = Some(Tensor::randn(&[9], rng));
        MagnitudePruner::new(sparsity).prune(&mut layer);
        let x = Tensor::randn(&[batch, 13], rng);
        let yours = || SparseLinear::from_linear(&layer).forward(&x).to_vec();
        let input = format!("a batch of {batch}, sparsity {sparsity}");
        let idea = "the same result as the dense layer, for each input of the batch";
        expect_call_close(input, yours, &layer.forward(&x).to_vec(), 1e-4, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-gaps", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Whole numbers as gaps and kept numbers: for each number that is not 0, how many zeros come before it. A gap is one
/// byte: 255 means 255 zeros and no number behind them. Zeros at the end are not written.
///
/// TODO: count zeros, and write a gap for each number that is kept.
///
/// APPROACH:
/// 1. A 0 raises the count. When it reaches 255, write that gap, and begin again at 0.
/// 2. Any other number writes the count as a gap, and itself as a kept number; the count begins again.
///
/// EXAMPLE: `[0, 0, 7, -3, 0]`: gaps `[2, 0]`, kept `[7, -3]`.
///
/// HINTS: the count fits a `u8`, since it never stays at 255.
pub fn encode_gaps(numbers: &[i8]) -> (Vec<u8>, Vec<i8>) {
    todo!("compression-gaps")
}

/// The `count` numbers that [`encode_gaps`] encoded; `None` if gaps and kept numbers do not fit together, or make
/// more than `count`: a damaged file must not be read as a model.
///
/// TODO: write the zeros and the kept numbers in turn, and check.
///
/// APPROACH:
/// 1. For each gap write so many zeros; behind a gap below 255 the next kept number, or give up if there is none.
/// 2. Give up when kept numbers are left, or when there are more than `count`. Fill up with zeros.
///
/// EXAMPLE: gaps `[2, 0]`, kept `[7, -3]`, 5 numbers: `[0, 0, 7, -3, 0]`.
///
/// HINTS: in a function that returns an `Option`, `?` gives up. `resize` appends zeros.
pub fn decode_gaps(gaps: &[u8], kept: &[i8], count: usize) -> Option<Vec<i8>> {
    todo!("compression-gaps")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-gaps", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand; runs of zeros around 255, there and back; gaps and numbers that do not fit together.
#[test]
fn test_unit_gaps() {
    use tinytorch::testing::expect_call;

    let counts = "a gap counts the zeros before a kept number; zeros at the end are not written";
    let long = "255 zeros are a gap of 255 with no number behind it";
    let zeros = |count: usize| [vec![0; count], vec![-128, 0]].concat();
    for (numbers, gaps, kept, idea) in [
        (vec![0, 0, 7, -3, 0], vec![2, 0], vec![7, -3], counts),
        (vec![0; 3], vec![], vec![], counts),
        (vec![0, 0, 5], vec![2], vec![5], counts),
        (zeros(254), vec![254], vec![-128], long),
        (zeros(255), vec![255, 0], vec![-128], long),
        (zeros(511), vec![255, 255, 1], vec![-128], long),
    ] {
        let input = format!("{} numbers, {:?} ..", numbers.len(), &numbers[..3]);
        expect_call(&input, || encode_gaps(&numbers), (gaps.clone(), kept.clone()), idea);
        let back = || decode_gaps(&gaps, &kept, numbers.len());
        let idea = "zeros, then the kept number, except behind 255; fill up with zeros to `count`";
        expect_call(format!("gaps of {input}"), back, Some(numbers.clone()), idea);
    }
    let fit = "each gap below 255 has exactly one kept number";
    let many = "gaps that make more numbers than there are belong to a damaged file";
    for (gaps, kept, idea) in [
        (&[2, 0][..], &[7][..], fit),
        (&[2], &[7, -3], fit),
        (&[5], &[7], many),
        (&[255], &[], many),
    ] {
        let input = format!("gaps {gaps:?}, kept {kept:?}, 5 numbers");
        expect_call(input, || decode_gaps(gaps, kept, 5), None, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-compressor-type", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Prunes while it trains, rounds to 8 bits, and writes a sparse file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelCompressor {
    /// What is pruned, and how weights are compared.
    pub pruner: MagnitudePruner,
    /// So many epochs are trained. During the first half the sparsity rises, then it stays.
    pub epochs: usize,
    /// The learning rate at the start; it falls along a cosine to a hundredth of it.
    pub rate: f32,
}

// %% nbgrader={"grade": false, "grade_id": "compression-compressor", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl ModelCompressor {
    /// Compresses a trained model; `data` is what it is fine-tuned on. The file, and the model that it holds.
    ///
    /// TODO: train with a pruning optimizer, write the file, and read it back into the model.
    ///
    /// APPROACH:
    /// 1. The sparsity rises during half of all steps: `epochs` times the batches of `data`, divided by 2.
    /// 2. A `Trainer` of the model with `Adam` inside a pruning optimizer and the cross-entropy; the given
    ///    [`falling_rate`] is its schedule. Train an epoch at a time on `data.epoch(number)`.
    /// 3. [`encode_model`] rounds and writes; [`decode_model`] makes the model what the file says.
    ///
    /// EXAMPLE: a sparsity of 0.9 leaves at most one weight in ten, in the model and in the file.
    ///
    /// HINTS: `self.pruner.while_training(optimizer, steps)` makes the pruning optimizer; `data.len()` counts batches.
    pub fn compress(
        &self,
        model: impl Layer,
        data: &DataLoader,
    ) -> Result<(Box<dyn Layer>, Vec<u8>), TrainingError> {
        todo!("compression-compressor")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-compressor", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 What a layer sees at each step: sparsity, rate, order of the samples; then the file.
#[test]
fn test_unit_compress() {
    use tinytorch::dataloader::TensorDataset;
    use tinytorch::layers::Watched;
    use tinytorch::testing::{expect_close, expect_eq};

    let x: Vec<f32> = (0..60).flat_map(|sample| [sample as f32 / 6000.0; 4]).collect();
    let set = TensorDataset::new(Tensor::new(&x, &[60, 4]), Tensor::zeros(&[60]));
    let loader = DataLoader::new(set.expect("samples"), 20).expect("batches").shuffled(1);
    let linear = |inputs, outputs| Linear::new(inputs, outputs, &mut Rng::seeded(4));
    let build = || Sequential::new(vec![Box::new(linear(4, 16)), Box::new(linear(16, 5))]);
    let (note, notes) = std::sync::mpsc::channel();
    let watch = move |model: &Sequential, x: &Tensor| {
        let (last, bias) = (measure_sparsity(&*model.layers()[1]), model.parameters()[3].data()[0]);
        let _ = note.send([last, bias, x.data()[0]]);
    };
    let model = Watched { layer: build(), watch };
    let pruner = MagnitudePruner { sparsity: 0.6, scope: Scope::PerLayer };
    let compressor = ModelCompressor { pruner, epochs: 4, rate: 0.01 };
    let (model, file) = compressor.compress(model, &loader).expect("a compressed model");
    let seen: Vec<[f32; 3]> = notes.try_iter().collect();
    expect_eq("4 epochs of 3 batches", seen.len(), 12, "train for all epochs, on all batches");
    let starts = |at: usize| seen.iter().step_by(3).map(|seen| seen[at]).collect::<Vec<_>>();
    let idea = "prune with self.pruner: its sparsity is reached, in its scope";
    expect_close("0.6 per layer, at the end", &starts(0)[3..], &[0.6], 0.02, idea);
    let idea = "prune gradually, during half of all steps: here the first two of four epochs";
    expect_close("0.6, before each epoch", &starts(0), &[0.0, 0.525, 0.6, 0.6], 0.02, idea);
    let moved: Vec<f32> = seen.chunks(3).map(|epoch| epoch[1][1] - epoch[0][1]).collect();
    let idea = "the rate falls over all epochs: falling_rate is the schedule of the trainer";
    expect_close("rate 0.01: steps of a bias", &moved, &[0.01, 0.0085, 0.005, 0.0015], 1e-3, idea);
    expect_eq("a new order", starts(2)[0] != starts(2)[1], true, "train on data.epoch(number)");
    let mut other = build();
    decode_model("small.bin", &file, &mut other).expect("the file of this model");
    let [yours, read] = [&*model, &other].map(|model| model.parameters()[0].to_vec());
    let idea = "read the file back: what is returned is what the file holds, rounded to 8 bits";
    expect_close("the first weight, and that in the file", &yours, &read, 0.0, idea);
}

// %% nbgrader={"grade": false, "grade_id": "compression-budget", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What of a footprint is outside of a budget: any of `"size"`, `"latency"`, `"memory"` and `"accuracy"`, in this order.
///
/// TODO: compare the four figures.
///
/// APPROACH:
/// 1. Size, latency and memory may be at most what the budget says, the accuracy must be at least that.
/// 2. A figure that is not a number is not within any budget.
///
/// EXAMPLE: 10,000 bytes against a budget of 8,000, everything else within: `["size"]`.
///
/// HINTS: a list of pairs of a name and whether it is met, then `filter` and `map`. Comparisons with NaN are false.
pub fn unmet(found: &Footprint, budget: &Footprint) -> Vec<&'static str> {
    todo!("compression-budget")
}

/// For each model, by bytes and accuracy, whether another one dominates it: no larger, no less accurate, and better in
/// one of the two.
///
/// TODO: compare each with each.
///
/// APPROACH: two models that are equal in both do not dominate each other.
///
/// EXAMPLE: `(10, 0.9)`, `(20, 0.9)`, `(30, 0.95)`: only the second is dominated, by the first.
///
/// HINTS: `any` over all points; the tuple of another point is not equal to this one.
pub fn dominated(points: &[(f64, f64)]) -> Vec<bool> {
    todo!("compression-budget")
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-budget", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each figure at, within and beyond its budget; NaN; points of equal size, equal accuracy, and both.
#[test]
fn test_unit_budgets() {
    use tinytorch::testing::expect_call;

    let budget = Footprint { bytes: 8e3, seconds: 1e-4, memory: 2e4, accuracy: 0.9 };
    let each = "each figure has its own budget, and every one that is not met is named";
    let n = f64::NAN;
    let nan = Footprint { bytes: n, seconds: n, memory: n, accuracy: n };
    for (found, wanted, idea) in [
        (budget, vec![], "at most, and at least: a figure that equals its budget is within it"),
        (Footprint { accuracy: 0.99, ..budget }, vec![], "a higher accuracy is within the budget"),
        (Footprint { bytes: 9e3, seconds: 1.0, ..budget }, vec!["size", "latency"], each),
        (Footprint { memory: 3e4, accuracy: 0.8, ..budget }, vec!["memory", "accuracy"], each),
        (nan, vec!["size", "latency", "memory", "accuracy"], "NaN is within no budget"),
    ] {
        expect_call(format!("{found:?}"), || unmet(&found, &budget), wanted, idea);
    }
    let idea = "dominated: another is no larger and no less accurate, and better in one of the two";
    for (points, wanted) in [
        (vec![(10.0, 0.9), (20.0, 0.9), (30.0, 0.95)], vec![false, true, false]),
        (vec![(10.0, 0.9), (10.0, 0.8), (9.0, 0.7)], vec![false, true, false]),
        (vec![(10.0, 0.9), (10.0, 0.9)], vec![false, false]),
    ] {
        expect_call(format!("{points:?}"), || dominated(&points), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-analyze-ratio", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How small can a network become, and what does it forget?
///
/// Purpose: count bytes on disk with everything that is needed to read them, and what they cost in accuracy. Measured:
/// validation accuracy of a 64-256-128-10 network by sparsity, pruned at once and during 6 more epochs; files of it, and
/// the accuracy on 360 test digits of the model that was read back, beside small dense networks in files of the same
/// size; and that of a 64-8-10 student of 108 digits after 60 epochs, with and without a teacher (temperature 2, alpha
/// 0.9), each at the rate of four that was best on the validation digits with another seed, for five seeds. Key insight:
/// zeros save nothing until a format leaves them out; a network that compresses this well was too large for its task.
/// Production context: AlexNet shrank 35 times in this way (Han et al., 2016).
pub fn analyze_compression_ratio(out: &mut Reporter) {
    with_digits(out, |out, digits| {
        pruned_at(out, digits)?;
        filed(out, digits)?;
        distilled(out, digits)
    });
}

fn pruned_at(out: &mut Reporter, digits: &Digits) -> Result<(), Box<dyn Error>> {
    let (whole, n) =
        (accuracy(&digits.dense, &digits.sets.validation), digits.sets.validation.1.numel());
    let mut found = vec![(0.0, [whole; 3])];
    for sparsity in [0.5, 0.7, 0.8, 0.9, 0.95] {
        let at_once = |scope| {
            let mut model = digits.copy();
            MagnitudePruner { sparsity: sparsity as f32, scope }.prune(&mut model);
            accuracy(&model, &digits.sets.validation)
        };
        let gradual = compressing(sparsity as f32, 6).compress(digits.copy(), &digits.train)?;
        let gradual = accuracy(&*gradual.0, &digits.sets.validation);
        found.push((sparsity, [at_once(Scope::Global), at_once(Scope::PerLayer), gradual]));
        out.progress("sparsities", found.len() as u64 - 1, 5);
    }
    let names = ["at once, one threshold", "at once, per layer", "while training"];
    footprints::report_accuracies(out, names, &found);
    let [once, _, gradual] = found[5].1;
    out.measured("accuracy at a sparsity of 0.95, pruned at once", 100.0 * once, "%");
    out.insight(insights::pruning_insight(whole, once, gradual, n));
    Ok(())
}

fn filed(out: &mut Reporter, digits: &Digits) -> Result<(), Box<dyn Error>> {
    let (model, file) = compressing(0.95, 16).compress(digits.copy(), &digits.train)?;
    let (whole, zeros, parts) = (dense_file(&digits.dense), dense_file(&*model), pack(&*model));
    let deflated = |file: &[u8]| packed::deflated(file, Compression::best()).len();
    let files = [
        ("dense, 4 bytes for each weight", whole.len()),
        ("the same, DEFLATE", deflated(&whole)),
        ("pruned, 4 bytes for each zero too", zeros.len()),
        ("the same, DEFLATE", deflated(&zeros)),
        ("gaps and 8 bits", packed::write(&parts, Compression::none()).len()),
        ("gaps and 8 bits, DEFLATE", file.len()),
    ];
    footprints::report_sizes(out, &files);
    packed::report_layers(out, "Layer by layer, before DEFLATE", &parts);

    // Read back by a network that knows nothing of it, and compared with networks that fit into as many bytes.
    let mut read = multilayer_perceptron(&LARGE, &mut Rng::seeded(99));
    decode_model("the compressed digits", &file, &mut read)?;
    let mut found =
        vec![("dense".to_owned(), whole.len(), accuracy(&digits.dense, &digits.sets.test))];
    found.push(("compressed".into(), file.len(), accuracy(&read, &digits.sets.test)));
    for coded in [false, true] {
        let bytes = |m: &dyn Layer| if coded { encode_model(m) } else { Ok(dense_file(m)) };
        let build = |hidden| multilayer_perceptron(&[64, hidden, 10], &mut Rng::seeded(1));
        let fits = |hidden: &usize| bytes(&build(*hidden)).is_ok_and(|own| own.len() <= file.len());
        let hidden = (2..100).rfind(fits).unwrap_or(1);
        let mut network = trained(build(hidden), &digits.sets.train, 28, 0.01)?;
        let small = bytes(&network)?;
        if coded {
            decode_model("the small network", &small, &mut network)?;
        }
        let form = if coded { "8 bits" } else { "4 bytes" };
        let name = format!("small and dense, 64-{hidden}-10, {form}");
        found.push((name, small.len(), accuracy(&network, &digits.sets.test)));
    }
    let n = digits.sets.test.1.numel();
    footprints::report_networks(out, &found, n);
    let (ratio, right) = (whole.len() as f64 / file.len() as f64, |at: usize| found[at].2);
    out.aimed("prune_sparsity", f64::from(measure_sparsity(&read)), "", Target::AtLeast(0.872));
    out.aimed("prune_accuracy_ratio", right(1) / right(0), "x", Target::AtLeast(0.95));
    out.aimed("compressed_disk_ratio", ratio, "x", Target::AtLeast(31.0));
    out.insight(insights::ratio_insight(ratio, [right(0), right(1), right(3)], n));
    Ok(())
}

fn distilled(out: &mut Reporter, digits: &Digits) -> Result<(), Box<dyn Error>> {
    let n = digits.sets.test.1.numel();
    let (mut search, mut found) = (vec![], vec![]);
    for (name, alpha) in [("labels alone", 0.0), ("labels and the teacher", 0.9)] {
        let mut best = (-1.0, 0.0);
        for rate in [0.003, 0.01, 0.03, 0.1] {
            let right = accuracy(&taught(digits, rate, alpha, 0)?, &digits.sets.validation);
            search.push((name, rate, right));
            best = if right > best.0 { (right, rate) } else { best };
        }
        let mut seeds = vec![];
        for seed in 1..=5 {
            seeds.push(accuracy(&taught(digits, best.1, alpha, seed)?, &digits.sets.test));
            out.progress(name, seed, 5);
        }
        let median = quartiles(seeds.clone())[1];
        found.push((name, seeds, median));
    }
    let added = footprints::report_students(out, &search, &found, n);
    let teacher = 100.0 * accuracy(&digits.dense, &digits.sets.test);
    out.measured("accuracy of the teacher", teacher, "%");
    out.insight(insights::distillation_insight(added, [found[0].2, found[1].2], n));
    Ok(())
}

/// A 64-8-10 student after 60 epochs, with a temperature of 2 and this weight of the teacher.
fn taught(d: &Digits, rate: f32, alpha: f32, seed: u64) -> Result<Sequential, Box<dyn Error>> {
    let mut student = multilayer_perceptron(&[64, 8, 10], &mut Rng::seeded(seed));
    track(student.parameters_mut());
    let (mut optimizer, loader) = (Adam::new(rate), d.few.clone().shuffled(seed));
    for batch in (0..60).flat_map(|epoch| loader.epoch(epoch)) {
        let (x, labels) = batch?;
        let soft = no_grad(|| d.dense.forward(&x));
        let loss = distillation_loss(&student.forward(&x), &soft, &labels, 2.0, alpha);
        optimizer.step(student.parameters_mut(), &loss.backward());
    }
    Ok(student)
}

// %% nbgrader={"grade": false, "grade_id": "compression-analyze-speedup", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 From which sparsity on is the sparse layer faster?
///
/// Purpose: find where leaving zeros out begins to pay. Measured: a layer 512 -> 512 with 1 and 64 inputs, at five
/// sparsities: your dense layer, and ndarray's tuned product, each in turn with the sparse layer; then your layer with
/// half of its units. Key insight: the better the dense product, the more zeros it takes to be faster than it.
/// Production context: processors and libraries ask for structure, such as 2 of each 4 weights (N:M sparsity).
pub fn analyze_compression_speedup(out: &mut Reporter) {
    let (rng, mut series) = (&mut Rng::seeded(1), vec![]);
    for batch in [1, 64] {
        let (x, mut timed) = (Tensor::randn(&[batch, 512], rng), vec![]);
        for sparsity in [0.5, 0.8, 0.9, 0.95, 0.98] {
            let mut dense = Linear::new(512, 512, rng);
            MagnitudePruner::new(sparsity as f32).prune(&mut dense);
            let sparse = SparseLinear::from_linear(&dense);
            let own = compare(31, || dense.forward(&x), || sparse.forward(&x));
            let tuned = || fast_product(&x.data(), &dense.weight.data(), [batch, 512, 512]);
            timed.push((sparsity, [own, compare(31, tuned, || sparse.forward(&x))]));
        }
        series.extend(footprints::report_times(out, batch, &timed));
        if batch == 64 {
            let [own, _] = timed[3].1;
            out.measured("dense / sparse, batch 64, sparsity 0.95", own.ratio.median, "x");
        }
        out.insight(insights::speedup_insight(batch, &timed));
    }
    let axes = (Axis::linear("sparsity", ""), Axis::log("dense / sparse", "x"));
    out.measured_chart("Time of the dense layer by that of the sparse", axes.0, axes.1, series);

    let (whole, x) = (Linear::new(512, 512, rng), Tensor::randn(&[64, 512], rng));
    let kept = kept_units(&unit_norms(&whole.weight), 0.5);
    let (weight, bias) = keep_outputs(&whole.weight, &whole.bias, &kept);
    let half = Linear { weight, bias };
    let both = compare(31, || whole.forward(&x), || half.forward(&x));
    out.compared("Half of the units", &[("all units", "half of the units", both)]);
    out.insight(insights::structured_insight(both.ratio));
}

// %% nbgrader={"grade": false, "grade_id": "compression-analyze-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What do zeros cost in memory, and which model fits which device?
///
/// Purpose: choose by measured figures. Measured: the bytes that each form of a layer 512 -> 512 keeps, by a counting
/// allocator; for each way to compress a 64-256-128-10 network, the bytes of its file, the time for one digit, its memory
/// and its accuracy on 360 validation digits; for each scenario, the best model within its budget, and its test accuracy.
/// Key insight: a weight in compressed rows takes 8 bytes instead of 4. Production context: devices set budgets.
pub fn analyze_compression_memory(out: &mut Reporter) {
    let (mut rows, mut found) = (vec![], vec![]);
    for sparsity in [0.3, 0.49, 0.51, 0.7, 0.9, 0.95] {
        let mut pruned = Linear::new(512, 512, &mut Rng::seeded(1));
        MagnitudePruner::new(sparsity as f32).prune(&mut pruned);
        // A clone has no spare capacity, just as a layer that was loaded.
        let sparse = kept_bytes(|| SparseLinear::from_linear(&pruned).clone());
        let dense = kept_bytes(|| copied(&pruned));
        rows.push([sparsity, dense, sparse, sparse / dense].map(Value::from).into());
        found.push((sparsity, dense, sparse));
    }
    let list = columns("sparsity, dense [B], sparse [B], sparse / dense [x]");
    out.measured_table("Memory that a layer 512 -> 512 keeps", &list, rows);
    out.insight(insights::memory_insight(&found));
    with_digits(out, deployable);
}

/// How many bytes the result of `work` keeps; NaN where nothing counts them.
fn kept_bytes<T>(work: impl FnOnce() -> T) -> f64 {
    let (_result, used) = memory(work);
    used.map_or(f64::NAN, |used| used.kept as f64)
}

fn deployable(out: &mut Reporter, digits: &Digits) -> Result<(), Box<dyn Error>> {
    let x = digits.sets.validation.0.slice(&[0..1, 0..64]);
    let (mut models, mut found) = (vec![], vec![]);
    for (name, mut model) in candidates(digits)? {
        let mut file = dense_file(&model);
        if name != "dense" {
            file = encode_model(&model)?;
            decode_model(&name, &file, &mut model)?;
        }
        let (device, kept) = memory(|| deployed(&model));
        let (_scores, used) = memory(|| device.forward(&x));
        let memory = kept.zip(used).map_or(f64::NAN, |(kept, used)| (kept.kept + used.peak) as f64);
        let seconds = time(101, || device.forward(&x)).median;
        let accuracy = accuracy(&model, &digits.sets.validation);
        found.push((name, Footprint { bytes: file.len() as f64, seconds, memory, accuracy }));
        models.push(model);
        out.progress("models", found.len() as u64, 12);
    }
    let points: Vec<_> = found.iter().map(|(_, one)| (one.bytes, one.accuracy)).collect();
    let beaten = dominated(&points);
    footprints::report_candidates(out, &found, &beaten);
    out.insight(insights::pareto_insight(&found, &beaten, digits.sets.validation.1.numel()));
    let test = |at: usize| accuracy(&models[at], &digits.sets.test);
    let test = (test, digits.sets.test.1.numel());
    let verdicts = footprints::report_budgets(out, &found, unmet, test);
    out.insight(insights::budget_insight(&verdicts));
    Ok(())
}

/// The dense network first, then each way to compress it, with its name.
fn candidates(digits: &Digits) -> Result<Vec<(String, Sequential)>, Box<dyn Error>> {
    let mut models = Vec::from(["dense", "8 bits alone"].map(|it| (it.to_owned(), digits.copy())));
    for sparsity in [0.8, 0.9, 0.95, 0.98] {
        let (_, file) = compressing(sparsity, 6).compress(digits.copy(), &digits.train)?;
        let mut model = digits.copy();
        decode_model("a candidate", &file, &mut model)?;
        models.push((format!("{sparsity} of the weights pruned"), model));
    }
    for sparsity in [0.5, 0.75, 0.9] {
        let mut model = digits.copy();
        structured_prune(&mut model, sparsity);
        let model = trained(model, &digits.sets.train, 6, 0.003)?;
        models.push((format!("{sparsity} of the units removed"), model));
    }
    for rank in [16, 8] {
        let rng = &mut Rng::seeded(1);
        let model = rebuilt(&digits.dense, |linear| match linear.weight.shape()[1] > rank {
            true => low_rank(linear, rank, rng).map(|part| Box::new(part) as Box<dyn Layer>).into(),
            false => vec![Box::new(copied(linear))],
        });
        models.push((format!("rank {rank}"), trained(model, &digits.sets.train, 6, 0.003)?));
    }
    let small = multilayer_perceptron(&[64, 16, 10], &mut Rng::seeded(1));
    models.push(("64-16-10 from the start".into(), trained(small, &digits.sets.train, 18, 0.01)?));
    Ok(models)
}

// %% nbgrader={"grade": true, "grade_id": "test-compression-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A convolutional network becomes sparse, goes to a file and comes back, and becomes smaller; other files are refused.
#[test]
fn test_module() {
    use tinytorch::dataloader::digits;
    use tinytorch::spatial::cnn_for_digits;
    use tinytorch::testing::{expect_close, expect_eq, expect_error, expect_named};

    let images = digits(DigitShape::Image).expect("the digits are built in");
    let (few, _) = images.train.hold_out(2, 0).expect("half of them");
    let test = (images.test.inputs().clone(), images.test.targets().clone());
    let network = cnn_for_digits(&mut Rng::seeded(1));
    let mut dense = trained(network, &few, 3, 0.01).expect("a trained network");
    let before = accuracy(&dense, &test);
    let masks = MagnitudePruner::new(0.5).prune(&mut dense);
    let idea = "three weights and three biases: a mask for each weight";
    expect_eq("parameters with a mask", masks.iter().flatten().count(), 3, idea);

    let mut small = cnn_for_digits(&mut Rng::seeded(2));
    let file = encode_model(&dense).expect("a file");
    decode_model("digits.bin", &file, &mut small).expect("the file of this network");
    let after = accuracy(&small, &test);
    let idea = "half of the weights and 8 bits are enough for these digits";
    let input = format!("accuracy {before} before, {after} after: did it lose less than 0.1");
    expect_eq(input, after > before - 0.1, true, idea);
    let found = [measure_sparsity(&small)];
    expect_close("the sparsity of what was read", &found, &[0.5], 0.02, "zeros stay zeros");

    structured_prune(&mut small, 0.5);
    let sizes: Vec<usize> = small.parameters().iter().map(|parameter| parameter.numel()).collect();
    let idea = "half of the channels of both convolutions, and what came from them";
    expect_eq("numbers in the parameters", sizes, vec![36, 4, 288, 8, 320, 10], idea);
    let mut refused = |bytes: &[u8], facts: &[&str]| {
        let read = || decode_model("digits.bin", bytes, &mut small);
        let idea = "a file that does not fit is refused, with its name and the reason";
        expect_named(&expect_error("another file", read, idea).message, facts, idea);
    };
    refused(&file, &["digits.bin", "(8, 1, 3, 3)", "(4, 1, 3, 3)"]);
    refused(&file[..40], &["digits.bin", "truncated"]);
}

// %% nbgrader={"grade": false, "grade_id": "compression-plumbing-pruning", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// So often power iteration multiplies by the matrix and back.
pub const ITERATIONS: usize = 30;

impl MagnitudePruner {
    /// Prunes this fraction of all weights, with one threshold for the model. Panics unless it is from 0 to 1.
    pub fn new(sparsity: f32) -> Self {
        let is_fraction = (0.0..=1.0).contains(&sparsity);
        assert!(is_fraction, "MagnitudePruner: {sparsity} is no fraction: 0.9 prunes 90 %");
        Self { sparsity, scope: Scope::Global }
    }

    /// Prunes a model at once, and returns the masks.
    pub fn prune(&self, model: &mut dyn Layer) -> Vec<Option<Tensor>> {
        let masks = magnitude_masks(&model.parameters(), self.sparsity, self.scope);
        apply_masks(&mut model.parameters_mut(), &masks);
        masks
    }

    /// An optimizer that prunes gradually during so many steps, and afterwards trains what is left.
    pub fn while_training<O: Optimizer>(self, optimizer: O, steps: usize) -> PruningOptimizer<O> {
        PruningOptimizer { optimizer, pruner: self, steps, step: 0, masks: vec![] }
    }
}

/// The same references, for a call that takes them.
pub fn reborrowed<'a>(parameters: &'a mut [&mut Tensor]) -> Vec<&'a mut Tensor> {
    parameters.iter_mut().map(|parameter| &mut **parameter).collect()
}

impl<O: Optimizer> PruningOptimizer<O> {
    /// Counts a step. While the sparsity rises, makes new masks: in a long schedule about 32 times.
    fn renew_masks(&mut self, parameters: &[&mut Tensor]) {
        self.step += 1;
        let (step, steps) = (self.step, self.steps);
        let is_due = step < steps && step.is_multiple_of((steps / 32).max(1)) || step == steps;
        if is_due || self.masks.is_empty() {
            let parameters: Vec<&Tensor> = parameters.iter().map(|own| &**own).collect();
            let sparsity = cubic_sparsity(step, steps, self.pruner.sparsity);
            self.masks = magnitude_masks(&parameters, sparsity, self.pruner.scope);
        }
    }
}

impl<O: Optimizer> Optimizer for PruningOptimizer<O> {
    fn step(&mut self, parameters: Vec<&mut Tensor>, gradients: &Gradients) {
        self.masked_step(parameters, gradients);
    }

    fn learning_rate(&self) -> f32 {
        self.optimizer.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.optimizer.set_learning_rate(rate);
    }

    /// That of the inner optimizer, and one slot more: completed steps and masks, an empty one for each bias.
    fn state(&self) -> OptimizerState {
        let mut state = self.optimizer.state();
        let masks = self.masks.iter();
        let buffers = masks.map(|m| m.clone().unwrap_or_else(|| Tensor::zeros(&[1]))).collect();
        state.slots.push(Slot { steps: self.step as u64, buffers });
        state
    }

    fn load_state(
        &mut self,
        mut state: OptimizerState,
        with: &[&Tensor],
    ) -> Result<(), StateError> {
        let own = state.slots.pop().unwrap_or_default();
        self.optimizer.load_state(state, with)?;
        let pairs = own.buffers.into_iter().zip(with);
        self.masks = pairs.map(|(mask, parameter)| is_weight(parameter).then_some(mask)).collect();
        self.step = own.steps as usize;
        Ok(())
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-plumbing-structure", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Removes the fraction `sparsity` of the units of each layer but the last, and the inputs that came from them, in
/// place. Panics for a layer with parameters that is no `Linear` and no `Conv2d`.
pub fn structured_prune(model: &mut Sequential, sparsity: f32) {
    let mut parts: Vec<_> = model.layers_mut().iter_mut().filter_map(weighted).collect();
    no_grad(|| {
        for at in 1..parts.len() {
            let (before, rest) = parts.split_at_mut(at);
            let (weight, bias) = &mut before[at - 1];
            let norms = unit_norms(weight);
            let kept = kept_units(&norms, sparsity);
            (**weight, **bias) = keep_outputs(weight, bias, &kept);
            *rest[0].0 = keep_inputs(rest[0].0, &kept, norms.len());
        }
    });
}

/// The weight and the bias of a layer that has them.
fn weighted(layer: &mut Box<dyn Layer>) -> Option<(&mut Tensor, &mut Option<Tensor>)> {
    let (name, has_none) = (layer.name(), layer.parameters().is_empty());
    let layer: &mut dyn Any = &mut **layer;
    if layer.is::<Linear>() {
        return layer.downcast_mut().map(|Linear { weight, bias }| (weight, bias));
    }
    if layer.is::<Conv2d>() {
        return layer.downcast_mut().map(|conv: &mut Conv2d| (&mut conv.weight, &mut conv.bias));
    }
    assert!(has_none, "structured_prune: {name} is neither Linear nor Conv2d: leave it out");
    None
}

/// Tensors one behind the other along an axis, 0 or 1, of their two. Panics when there are none.
pub fn joined(parts: &[Tensor], axis: usize) -> Tensor {
    if axis == 1 {
        return joined(&parts.iter().map(Tensor::t).collect::<Vec<_>>(), 0).t();
    }
    let numbers: Vec<f32> = parts.iter().flat_map(Tensor::to_vec).collect();
    let width = parts[0].shape()[1];
    Tensor::new(&numbers, &[numbers.len() / width, width])
}

// %% nbgrader={"grade": false, "grade_id": "compression-plumbing-sparse", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Layer for SparseLinear {
    fn name(&self) -> String {
        let (outputs, kept) = (self.starts.len() - 1, self.values.len());
        format!("SparseLinear({} -> {outputs}, {kept} weights)", self.inputs)
    }

    /// Rows of inputs to rows of outputs, along the last axis. Panics for a tensor that records a history: the layers
    /// before it would silently stay untrained.
    fn forward(&self, x: &Tensor) -> Tensor {
        let (name, mut shape, got) = (self.name(), x.shape().to_vec(), shape_text(x.shape()));
        let (inputs, fits) = (self.inputs, shape.pop() == Some(self.inputs));
        assert!(fits, "{name}: got shape {got}, expected (.., {inputs})");
        assert!(!x.is_tracked(), "{name}: it is for inference: call the model inside no_grad");
        let (batch, outputs) = (x.numel() / self.inputs, self.starts.len() - 1);
        let mut out = vec![0.0; outputs * batch];
        self.multiply(&x.reshape(&[batch, self.inputs]).t().data(), batch, &mut out);
        let y = Tensor::new(&out, &[outputs, batch]).t();
        shape.push(outputs);
        no_grad(|| self.bias.as_ref().map_or(y.clone(), |bias| &y + bias).reshape(&shape))
    }
}

// %% nbgrader={"grade": false, "grade_id": "compression-plumbing-file", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The file of a model with 4 bytes for each number.
pub fn dense_file(model: &dyn Layer) -> Vec<u8> {
    let one = |tensor: &Tensor| Shaped { shape: tensor.shape().to_vec(), values: tensor.to_vec() };
    DENSE.write(&model.parameters().into_iter().map(one).collect::<Vec<_>>())
}

/// Every parameter, rounded to 8 bits, its zeros left out. One scale for a whole tensor: one for each of its outputs
/// would take more bytes than it saves here.
pub fn pack(model: &dyn Layer) -> Vec<Packed> {
    let one = |parameter: &Tensor| {
        let QuantizedTensor { values, shape, params, .. } =
            quantize_along(parameter, None, Scheme::Symmetric, 8);
        let (gaps, values) = encode_gaps(&values);
        Packed { shape, scale: params[0].scale, gaps, values }
    };
    model.parameters().into_iter().map(one).collect()
}

/// The compressed file of a model's parameters, which must be finite. Buffers, such as running means, are refused.
pub fn encode_model(model: &dyn Layer) -> Result<Vec<u8>, TrainingError> {
    if !model.buffers().is_empty() {
        let message = "the model has running means, which this file cannot hold: use a checkpoint";
        return Err(TrainingError::new(ErrorKind::OtherModel, message));
    }
    let finite = |parameter: &Tensor| parameter.data().iter().all(|value| value.is_finite());
    if !model.parameters().into_iter().all(finite) {
        let message = "a parameter is infinite or NaN: train the model with a lower rate";
        return Err(TrainingError::new(ErrorKind::NotFinite, message));
    }
    Ok(packed::write(&pack(model), Compression::best()))
}

/// Gives a model the parameters of a file that [`encode_model`] made. Another file is refused, and changes nothing.
pub fn decode_model(file: &str, bytes: &[u8], model: &mut dyn Layer) -> Result<(), TrainingError> {
    let kind = |fault: Option<Fault>| fault.map_or(ErrorKind::OtherModel, ErrorKind::Unreadable);
    let mine: Vec<&[usize]> = model.parameters().into_iter().map(|own| own.shape()).collect();
    let read = packed::read_as(file, bytes, &mine, decode_gaps);
    let read = read.map_err(|(fault, message)| TrainingError::new(kind(fault), message))?;
    for (parameter, Shaped { shape, values }) in model.parameters_mut().into_iter().zip(read) {
        parameter.array_mut().assign(Tensor::new(&values, &shape).array());
    }
    Ok(())
}

// %% nbgrader={"grade": false, "grade_id": "compression-plumbing-training", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A learning rate that falls along a cosine to a hundredth of itself.
pub fn falling_rate(rate: f32, epochs: usize) -> CosineSchedule {
    CosineSchedule { max_rate: rate, min_rate: rate / 100.0, epochs }
}

/// The fraction of right answers for inputs with their classes.
pub fn accuracy(model: &dyn Layer, (inputs, classes): &(Tensor, Tensor)) -> f64 {
    let prediction = no_grad(|| model.forward(inputs));
    count_correct(&prediction, classes).unwrap_or(0) as f64 / classes.numel().max(1) as f64
}

type OnDigits = fn(&mut Reporter, &Digits) -> Result<(), Box<dyn Error>>;

/// Runs an analysis on the digits, or says why it cannot.
fn with_digits(out: &mut Reporter, work: OnDigits) {
    if let Err(error) = Digits::new().and_then(|digits| work(out, &digits)) {
        out.note(format!("There are no figures: {error}"));
    }
}

/// A network with far more weights than 64 pixels need.
const LARGE: [usize; 4] = [64, 256, 128, 10];

/// The digits of lesson 16 with loaders of the training digits and of 108 of them, and a network of [`LARGE`] that
/// was trained on the first.
struct Digits {
    sets: Sets,
    train: DataLoader,
    few: DataLoader,
    dense: Sequential,
}

impl Digits {
    fn new() -> Result<Self, Box<dyn Error>> {
        let sets = Sets::new(DigitShape::Flat)?;
        let few = DataLoader::new(sets.train.hold_out(10, 1)?.1, 18)?;
        let train = DataLoader::new(sets.train.clone(), 32)?.shuffled(1);
        let dense = multilayer_perceptron(&LARGE, &mut Rng::seeded(1));
        let dense = trained(dense, &sets.train, 12, 0.003)?;
        Ok(Self { sets, train, few, dense })
    }

    /// A copy of the dense network.
    fn copy(&self) -> Sequential {
        rebuilt(&self.dense, |linear| vec![Box::new(copied(linear))])
    }
}

/// How the analyses compress: to this sparsity, in so many epochs.
fn compressing(sparsity: f32, epochs: usize) -> ModelCompressor {
    ModelCompressor { pruner: MagnitudePruner::new(sparsity), epochs, rate: 0.003 }
}

/// A layer with memory of its own.
fn copied(layer: &Linear) -> Linear {
    let copy = |tensor: &Tensor| Tensor::new(&tensor.to_vec(), tensor.shape());
    Linear { weight: copy(&layer.weight), bias: layer.bias.as_ref().map(copy) }
}

/// A copy of a network of linear layers and ReLU, in which `parts` makes the layers for each linear one.
fn rebuilt(
    model: &Sequential,
    mut parts: impl FnMut(&Linear) -> Vec<Box<dyn Layer>>,
) -> Sequential {
    let mut layers: Vec<Box<dyn Layer>> = vec![];
    for layer in model.layers() {
        match (&**layer as &dyn Any).downcast_ref::<Linear>() {
            Some(linear) => layers.extend(parts(linear)),
            None => layers.push(Box::new(ReLU)),
        }
    }
    Sequential::new(layers)
}

/// A network as a device would run it: a layer that is mostly zeros is sparse.
fn deployed(model: &Sequential) -> Sequential {
    rebuilt(model, |linear| match measure_sparsity(linear) > 0.5 {
        true => vec![Box::new(SparseLinear::from_linear(linear).clone())], // Without spare capacity.
        false => vec![Box::new(copied(linear))],
    })
}

// %% nbgrader={"grade": false, "grade_id": "compression-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What is left of a network.
///
/// A 64-32-10 network learned to read digits when this figure opened. Raise the sparsity: what does the histogram lose,
/// and when does the accuracy fall? Compare the granularities at the same sparsity. Nothing is trained after pruning.
pub fn explore_pruning(figure: &mut Explorer) {
    let sparsity = figure.number("sparsity", 0.5, 0.0..=0.99, 0.01) as f32;
    let granularity = figure.choice("granularity", &["weights", "weights per layer", "neurons"]);
    type Trained = (Vec<Tensor>, (Tensor, Tensor));
    static TRAINED: OnceLock<Option<Trained>> = OnceLock::new();
    let build = || multilayer_perceptron(&[64, 32, 10], &mut Rng::seeded(1));
    let made = TRAINED.get_or_init(|| {
        let sets = Sets::new(DigitShape::Flat).ok()?;
        let network = trained(build(), &sets.train, 6, 0.01).ok()?;
        Some((network.parameters().into_iter().map(Tensor::detach).collect(), sets.validation))
    });
    let Some((parameters, validation)) = made else {
        return figure.note("The network could not be trained: see the tests of this lesson.");
    };
    let mut network = build();
    let pairs = network.parameters_mut().into_iter().zip(parameters);
    pairs.for_each(|(to, from)| to.clone_from(from));
    let (before, all) = (accuracy(&network, validation), parameters[0].t().to_vec());
    let mask = if granularity == "neurons" {
        let kept = kept_units(&unit_norms(&parameters[0]), sparsity);
        structured_prune(&mut network, sparsity);
        (0..all.len()).map(|at| f32::from(kept.contains(&(at / 64)))).collect()
    } else {
        let scope = if granularity == "weights" { Scope::Global } else { Scope::PerLayer };
        let masks = MagnitudePruner { sparsity, scope }.prune(&mut network);
        masks[0].as_ref().map_or_else(Vec::new, |mask| mask.t().to_vec())
    };
    let kept = |weight: &&Tensor| weight.data().iter().filter(|&&weight| weight != 0.0).count();
    let left: usize = weights(&network).iter().map(kept).sum();
    let gone = 1.0 - left as f64 / (64.0 * 32.0 + 32.0 * 10.0);
    let (after, n) = (accuracy(&network, validation), validation.1.numel());
    figure.insight(insights::pruned_insight(gone, before, after, n));
    let title = "The mask of the first layer: a row for each neuron, a column for each pixel";
    figure.pixels(title, 64, &mask);
    let left = all.iter().zip(&mask).filter(|(_, mask)| **mask > 0.0).map(|(weight, _)| *weight);
    let both = [("before", all.clone()), ("left", left.collect())];
    let series = both.map(|(name, numbers)| footprints::histogram(name, &numbers)).into();
    let axes = (Axis::linear("weight", ""), Axis::linear("how many", ""));
    figure.measured_chart("Weights of the first layer", axes.0, axes.1, series);
}

// %% nbgrader={"grade": false, "grade_id": "compression-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_compression_ratio(&mut out);
    analyze_compression_speedup(&mut out);
    analyze_compression_memory(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "compression-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
