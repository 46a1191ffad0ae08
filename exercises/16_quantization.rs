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

// %% nbgrader={"grade": false, "grade_id": "quantization-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 16 Quantization: eight bits for thirty-two. Input: a trained network and a few samples. Output: the same network with
//! weights of one byte, whose products are of integers. Depends on 01 to 13. By hand: from 0 to 5.1 in 255 steps, a step is
//! 0.02, and 1.0 is 50 steps above 0.
//! Not here: zeros that need no bytes at all (17), and faster products of `f32` (18).

use std::any::Any;
use std::error::Error;
use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Softmax, Tanh};
use tinytorch::attention::{causal_mask, merge_heads, scaled_dot_product_attention, split_heads};
use tinytorch::autograd::{GradientRule, InputGradients, custom, grad_for, no_grad};
use tinytorch::baselines::{fast_product, scaled};
use tinytorch::data::dialogue::{self, Split};
use tinytorch::dataloader::{DataLoader, DigitShape, TensorDataset, digit_network, digits};
use tinytorch::embeddings::tied_logits;
use tinytorch::explore::Explorer;
use tinytorch::insights::quantization::{accuracy_insight, aware_insight, bits_insight};
use tinytorch::insights::quantization::{calibration_insight, error_insight, memory_insight};
use tinytorch::insights::quantization::{mixed_insight, perplexity_insight};
use tinytorch::kernels::int8::{Activations, Kernel, Scaling, Steps, Weights};
use tinytorch::kernels::int8::{linear, time_kernels};
use tinytorch::layers::{Dropout, Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::optimizers::{Adam, AdamW};
use tinytorch::planes::{Grid, Window, image_sizes};
use tinytorch::random::Rng;
use tinytorch::ranges::{EXAMPLES, check_finite, check_range, example, whole_range};
use tinytorch::report::{Axis, Reporter, Series, Target, Value, columns};
use tinytorch::rows::mean_product;
use tinytorch::shapes::axis_split;
use tinytorch::spatial::{AvgPool2d, BatchNorm2d, Conv2d, Flatten, MaxPool2d};
use tinytorch::spatial::{cnn_for_digits, grid_of, pad};
use tinytorch::tensor::{Tensor, shape_text, values};
use tinytorch::testing::{compare, memory, sample_error};
use tinytorch::tokenization::{BpeTokenizer, Tokenizer, training_text};
use tinytorch::training::{CosineSchedule, Trainer, count_correct};
use tinytorch::transformers::{Gpt, GptConfig, LayerNorm, RmsNorm, TransformerBlock};
use tinytorch::transformers::{mean_loss, next_token_batches, perplexity};

// %% [markdown] nbgrader={"grade": false, "grade_id": "quantization-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Quantization
//
// You build: integers for numbers, chosen from a range; three ways to choose that range; a product of integers; layers and
// models that compute with it; and a training that knows about the rounding.

// %% nbgrader={"grade": false, "grade_id": "quantization-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How the integers lie on a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// From the smallest number to the largest: for numbers that are mostly on one side of 0.
    Affine,
    /// As far to both sides of 0, whose integer is 0: for weights.
    Symmetric,
}

/// Numbers as integers: `round(x / scale) + zero_point`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantParams {
    /// The distance between two neighbouring integers.
    pub scale: f32,
    /// The integer that stands for 0.
    pub zero_point: i32,
    /// The smallest and the largest integer.
    pub levels: [i32; 2],
}

/// The smallest and the largest integer of so many bits; symmetric ones leave the smallest unused.
pub fn levels(scheme: Scheme, bits: u32) -> [i32; 2] {
    assert!((2..=8).contains(&bits), "quantize: {bits} bits: choose 2 to 8");
    let last = (1 << (bits - 1)) - 1;
    match scheme {
        Scheme::Affine => [-last - 1, last],
        Scheme::Symmetric => [-last, last],
    }
}

// %% nbgrader={"grade": false, "grade_id": "quantization-params", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl QuantParams {
    /// The parameters for numbers in `range`, which is widened until it contains 0.
    ///
    /// TODO: find the scale and the zero point.
    ///
    /// APPROACH:
    /// 1. Widen: the lower end is at most 0, the upper end at least 0. So 0 has an integer, without any error.
    /// 2. Affine: the range is divided into `last - first` steps. Symmetric: the end that is further from 0 becomes
    ///    `last`. A scale is at least `f32::EPSILON`, so that zeros alone do not divide by 0.
    /// 3. The lower end shall become `first`: the zero point is `first - round(low / scale)`; symmetric, it is 0.
    ///
    /// EXAMPLE: 0 to 5.1 with 8 bits has 255 steps of 0.02; 0 becomes -128. From -1 to 4.1 it is the same step, and 0
    /// becomes -78.
    ///
    /// HINTS: `min`, `max`, and `round_ties_even`, the rounding of PyTorch. An integer becomes `f32` with `as f32`.
    pub fn of_range(range: [f32; 2], scheme: Scheme, bits: u32) -> Self {
        check_range(range);
        let [first, last] = levels(scheme, bits);
        todo!("quantization-params")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-params", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Ranges around 0, on one side of it, of one number; symmetric ones; few bits; values as PyTorch computes them.
#[test]
fn test_unit_of_range() {
    use tinytorch::testing::{expect_close, expect_eq};

    let check = |range: [f32; 2], scheme, bits, (scale, zero_point), idea: &str| {
        let yours = QuantParams::of_range(range, scheme, bits);
        let input = format!("{range:?}, {scheme:?}, {bits} bits");
        expect_close(format!("the scale of {input}"), &[yours.scale / scale], &[1.0], 1e-6, idea);
        expect_eq(format!("the zero point of {input}"), yours.zero_point, zero_point, idea);
    };
    let steps = "divide the range into as many steps as there are integers, less one";
    check([0.0, 5.1], Scheme::Affine, 8, (0.02, -128), steps);
    let zero =
        "the lower end becomes the first integer: the zero point is first - round(low / scale)";
    check([-1.0, 4.1], Scheme::Affine, 8, (0.02, -78), zero);
    check([-1.0, 3.0], Scheme::Affine, 4, (4.0 / 15.0, -4), &format!("{steps}; {zero}"));
    check([-0.5, 254.5], Scheme::Affine, 8, (1.0, -128), zero);
    let widen = "widen a range until it contains 0: otherwise no integer stands for 0";
    check([2.0, 2.0], Scheme::Affine, 8, (2.0 / 255.0, -128), widen);
    check([-3.0, -3.0], Scheme::Affine, 8, (3.0 / 255.0, 127), widen);
    let idea =
        "symmetric: the end further from 0 becomes the last integer, and the zero point is 0";
    check([-1.0, 2.54], Scheme::Symmetric, 8, (0.02, 0), idea);
    check([-2.54, 1.0], Scheme::Symmetric, 8, (0.02, 0), idea);
    check([-0.7, 0.7], Scheme::Symmetric, 4, (0.1, 0), idea);
    let idea = "a scale is at least f32::EPSILON: zeros alone must not divide by 0";
    check([0.0, 0.0], Scheme::Affine, 8, (f32::EPSILON, -128), idea);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-quantize", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl QuantParams {
    /// The integer of `x`.
    ///
    /// TODO: divide, round, shift, clip.
    ///
    /// APPROACH:
    /// 1. `x / scale` is the number of steps from 0: round it, halves to the even side.
    /// 2. Add the zero point, and clip to the levels: what is outside the range becomes its nearest end.
    ///
    /// EXAMPLE: with a scale of 0.5 and a zero point of 3, 1.3 is 2.6 steps above 0: it becomes 6.
    ///
    /// HINTS: clip while it is `f32` or `i32`: `as i8` comes last.
    pub fn quantize(&self, x: f32) -> i8 {
        let [first, last] = self.levels;
        todo!("quantization-quantize")
    }

    /// The number that `level` stands for.
    ///
    /// TODO: undo `quantize`, but for the rounding.
    ///
    /// APPROACH: so many steps from the zero point, each as long as the scale.
    ///
    /// EXAMPLE: with a scale of 0.5 and a zero point of 3, 6 becomes 1.5.
    ///
    /// HINTS: subtract as `i32`: a difference of two `i8` may not fit into one.
    pub fn dequantize(&self, level: i8) -> f32 {
        todo!("quantization-quantize")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-quantize", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Rounding to both sides, halves, clipping, few bits; there and back; constants.
#[test]
fn test_unit_quantize() {
    use tinytorch::testing::{expect_call, expect_call_close};

    let params = QuantParams { scale: 0.5, zero_point: 3, levels: [-128, 127] };
    let nearest = "round to the nearest step, do not cut off what follows the point";
    let clip = "what is outside the range becomes its nearest end, not another number";
    for (x, wanted, idea) in [
        (0.0, 3, "0 becomes the zero point"),
        (1.3, 6, nearest),
        (-1.4, 0, nearest),
        (0.25, 3, "a half is rounded to the even side, before the zero point is added"),
        (1000.0, 127, clip),
        (-1e30, -128, clip),
    ] {
        expect_call(format!("{x}, scale 0.5, zero point 3"), || params.quantize(x), wanted, idea);
    }
    let four = QuantParams { levels: [-8, 7], ..params };
    expect_call("9 with 4 bits", || four.quantize(9.0), 7, "clip to the levels, not to 8 bits");
    let idea = "steps from the zero point, times the scale; -128 - 100 does not fit into an i8";
    expect_call_close("6", || [params.dequantize(6)], &[1.5], 1e-6, idea);
    let far = QuantParams { zero_point: 100, ..params };
    expect_call_close("-128, zero point 100", || [far.dequantize(-128)], &[-114.0], 1e-4, idea);
    for x in [2.0, -3.0, 0.1, 1e-3, -1e6] {
        let params = QuantParams::of_range([x, x], Scheme::Affine, 8);
        let back = || [params.dequantize(params.quantize(x)) / x];
        let idea = "a constant comes back: it is one end of its range, and 0 is the other";
        expect_call_close(format!("{x} / {x}"), back, &[1.0], 1e-6, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "quantization-channel-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A tensor of integers: one set of parameters for all of it, or one for each index of an axis, a *channel*.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedTensor {
    /// In the order of the tensor, row by row.
    pub values: Vec<i8>,
    /// The shape of the tensor.
    pub shape: Vec<usize>,
    /// One, or one for each channel.
    pub params: Vec<QuantParams>,
    /// The axis of the channels; `None` for one set of parameters.
    pub axis: Option<usize>,
}

// %% nbgrader={"grade": false, "grade_id": "quantization-channel", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The channel of the element at `index`, counted row by row; 0 where there is no axis.
///
/// TODO: find the element's place along the axis.
///
/// APPROACH:
/// 1. `axis_split(shape, axis)` is given: `[outer, size, inner]`, the elements before, along and behind the axis.
/// 2. Neighbours along the axis are `inner` elements apart: count how many `inner` fit below `index`.
/// 3. After `size` of them, the axis begins again.
///
/// EXAMPLE: shape `(2, 3)`: along axis 1 the channels are 0 1 2 0 1 2, along axis 0 they are 0 0 0 1 1 1.
///
/// HINTS: a division and a remainder.
pub fn channel_of(shape: &[usize], axis: Option<usize>, index: usize) -> usize {
    let Some(axis) = axis else { return 0 };
    todo!("quantization-channel")
}

/// The tensor as integers, with parameters for each channel of `axis`, or one set without an axis.
///
/// TODO: the range of each channel, its parameters, and the integer of each element.
///
/// APPROACH:
/// 1. Begin with a range of `[0.0, 0.0]` for each channel, and widen the one of each element.
/// 2. `QuantParams::of_range` for each range, then `quantize` each element with those of its channel.
///
/// EXAMPLE: symmetric, `[[1, 100], [-1, 50]]` along axis 1 becomes `[[127, 127], [-127, 64]]`.
///
/// HINTS: `x.data()` lends the elements; `enumerate` counts them.
pub fn quantize_along(
    x: &Tensor,
    axis: Option<usize>,
    scheme: Scheme,
    bits: u32,
) -> QuantizedTensor {
    check_finite(&x.data());
    let (shape, data) = (x.shape().to_vec(), x.data());
    let channels = axis.map_or(1, |axis| shape[axis]);
    todo!("quantization-channel")
}

/// The numbers that the integers stand for.
///
/// TODO: dequantize each element with the parameters of its channel.
///
/// APPROACH: as above, the other way round.
///
/// EXAMPLE: `[[127, 127], [-127, 64]]` becomes `[[1, 100], [-1, 50.4]]`.
///
/// HINTS: the result has the shape of `q`.
pub fn dequantize_int8(q: &QuantizedTensor) -> Tensor {
    todo!("quantization-channel")
}

/// The tensor as integers, with one affine set of parameters.
pub fn quantize_int8(x: &Tensor) -> QuantizedTensor {
    quantize_along(x, None, Scheme::Affine, 8)
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-channel", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Channels of each axis; a small channel beside a large one; shapes; there and back.
#[test]
fn test_unit_channels() {
    use tinytorch::testing::{expect_close, expect_eq, expect_named, panic_message};

    for (axis, wanted) in [
        (None, [0; 12]),
        (Some(0), [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]),
        (Some(1), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]),
        (Some(2), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]),
    ] {
        let yours: Vec<usize> = (0..12).map(|at| channel_of(&[2, 3, 2], axis, at)).collect();
        let idea = "the channel is the element's place along the axis: index / inner % size";
        expect_eq(format!("shape (2, 3, 2), axis {axis:?}"), &yours[..], &wanted, idea);
    }
    let x = Tensor::new(&[1.0, 100.0, -1.0, 50.0], &[2, 2]);
    let along = |axis| quantize_along(&x, axis, Scheme::Symmetric, 8);
    let idea = "each channel has its own range: the small one keeps all of its 255 levels";
    expect_eq("1 100 / -1 50 along axis 1", along(Some(1)).values, vec![127, 127, -127, 64], idea);
    expect_eq("1 100 / -1 50 along axis 0", along(Some(0)).values, vec![1, 127, -3, 127], idea);
    expect_eq("1 100 / -1 50", along(None).values, vec![1, 127, -1, 64], "no axis: one range");
    let idea = "each element back with the parameters of its channel, in the same shape";
    let back = dequantize_int8(&along(Some(1)));
    expect_eq("its shape", back.shape(), &[2, 2], idea);
    expect_close("there and back", &back.to_vec(), &[1.0, 100.0, -1.0, 50.394], 1e-3, idea);
    let message = panic_message(|| quantize_int8(&Tensor::new(&[1.0, f32::NAN], &[2])));
    expect_named(&message, &["NaN", "index 1"], "the given check stays first");
}

// %% nbgrader={"grade": false, "grade_id": "quantization-sqnr", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The ratio of signal to quantization noise, in decibels: ten times the decimal logarithm of the sum of squares of `x`
/// divided by that of the errors.
///
/// TODO: two sums of squares, a quotient, a logarithm.
///
/// APPROACH:
/// 1. Sum in `f64`: thousands of small squares in `f32` lose their last digits.
/// 2. Without any error the quotient is infinite, and so is its logarithm: no special case is needed.
///
/// EXAMPLE: `[3, 4]` and `[3, 4.5]`: 25 and 0.25, a quotient of 100, which is 20 dB.
///
/// HINTS: `f64::from`, `log10`.
pub fn sqnr(x: &[f32], restored: &[f32]) -> f64 {
    todo!("quantization-sqnr")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-sqnr", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, twice the signal, no error, and what one bit more is worth.
#[test]
fn test_unit_sqnr() {
    use tinytorch::testing::{expect_close, expect_eq};

    let check = |x: &[f32], restored: &[f32], wanted, idea| {
        let yours = [sqnr(x, restored) as f32];
        expect_close(format!("{x:?} and {restored:?}"), &yours, &[wanted], 1e-3, idea);
    };
    let idea = "10 log10 of the sum of squares of x over that of the errors";
    check(&[3.0, 4.0], &[3.0, 4.5], 20.0, idea);
    let of = |small| [&[4096.0][..], &[small; 65_536]].concat();
    let (many, ones) = ("sum in f64: 4096^2 + 1 is no f32", [sqnr(&of(1.0), &of(0.0)) as f32]);
    expect_close("4096 and 65,536 ones, restored as zeros", &ones, &[24.0993], 1e-3, many);
    expect_eq("no error", sqnr(&[3.0], &[3.0]), f64::INFINITY, "no noise: infinite, and not NaN");
    let x = Tensor::rand(&[4000], &mut Rng::seeded(1)) - 0.5;
    let [six, seven] = [6, 7].map(|bits| {
        let restored = dequantize_int8(&quantize_along(&x, None, Scheme::Affine, bits));
        sqnr(&x.data(), &restored.data()) as f32
    });
    let idea = "one bit more halves the step: a quarter of the noise, 6 dB";
    expect_close("7 bits against 6, uniform numbers", &[seven - six], &[6.02], 0.4, idea);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-percentile", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The range that contains the middle `percent` of the numbers.
///
/// TODO: leave out as many numbers at the lower as at the upper end.
///
/// APPROACH:
/// 1. Sort a copy; `f32::total_cmp` compares.
/// 2. At each end, half of what is left to 100 percent is cut off: that share of all numbers, rounded down.
///
/// EXAMPLE: of 1, 2, ..., 100, the middle 96 percent are 3 to 98.
///
/// HINTS: `as usize` rounds down.
pub fn percentile_range(numbers: &[f32], percent: f32) -> [f32; 2] {
    todo!("quantization-percentile")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-percentile", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both ends, the order, an outlier, nothing to cut off.
#[test]
fn test_unit_percentile_range() {
    use tinytorch::testing::expect_call;

    let mut numbers: Vec<f32> = (1..=100).rev().map(|number| number as f32).collect();
    let both = "half of what is left to 100 percent is cut off at each end";
    for (percent, wanted, idea) in [
        (100.0, [1.0, 100.0], "100 percent are all numbers: the smallest and the largest"),
        (96.0, [3.0, 98.0], both),
        (97.0, [2.0, 99.0], "the share that is cut off is rounded down"),
    ] {
        let range = || percentile_range(&numbers, percent);
        expect_call(format!("100, 99, ... 1: the middle {percent} percent"), range, wanted, idea);
    }
    numbers[40] = -1e9;
    let idea = "one outlier among 100 is outside the middle 98 percent: sort first";
    let input = "1 to 100 without 60, and -1e9: the middle 98 percent";
    expect_call(input, || percentile_range(&numbers, 98.0), [1.0, 99.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-mse", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Of twenty ranges, from the whole one to a twentieth of it, the one that restores the numbers with the least squared
/// error.
///
/// TODO: try them, and keep the best.
///
/// APPROACH:
/// 1. The whole range is from the smallest to the largest number; the others are `shrink` times as wide, with `shrink`
///    20/20, 19/20, ..., 1/20.
/// 2. For each: its parameters, and the sum of `(x - restored)^2` over all numbers.
/// 3. Of equal sums, the widest range.
///
/// EXAMPLE: a thousand numbers below 1 and a single 10, with 4 bits: a narrower range clips the 10 and pays.
///
/// HINTS: `whole_range(numbers)` is given. `f64` for the sum.
pub fn mse_range(numbers: &[f32], scheme: Scheme, bits: u32) -> [f32; 2] {
    todo!("quantization-mse")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-mse", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Uniform numbers keep their range; an outlier is clipped with few bits, and kept with many; ties.
#[test]
fn test_unit_mse_range() {
    use tinytorch::testing::expect_call_close;

    let uniform: Vec<f32> = (0..=1000).map(|at| at as f32 / 1000.0).collect();
    let outlier = [&uniform[..], &[4.0]].concat();
    let mirrored: Vec<f32> = outlier.iter().map(|x| -x).collect();
    let trade = "clipping costs an error once, a long step costs every number: choose the least sum of squares";
    for (input, numbers, bits, wanted, idea) in [
        ("0 to 1, 8 bits", &uniform, 8, [0.0, 1.0], "nothing is gained by clipping these"),
        ("0 to 1 and a 4, 3 bits", &outlier, 3, [0.0, 1.6], trade),
        ("0 to 1 and a 4, 8 bits", &outlier, 8, [0.0, 4.0], trade),
        ("0 to -1 and a -4, 3 bits", &mirrored, 3, [-1.6, 0.0], "both ends shrink"),
        ("zeros", &vec![0.0; 3], 8, [0.0, 0.0], "of equal sums, the widest range"),
    ] {
        let range = || mse_range(numbers, Scheme::Affine, bits);
        expect_call_close(input, range, &wanted, 1e-5, idea);
    }
    let range = || mse_range(&[1.0, -1.0], Scheme::Symmetric, 2);
    expect_call_close("1 and -1, 2 bits", range, &[-1.0, 1.0], 1e-5, "of equal sums, the widest");
    let range = || mse_range(&[20.0, 9.0], Scheme::Symmetric, 2);
    expect_call_close("20 and 9, 2 bits", range, &[6.75, 15.0], 1e-5, "of equal sums, the widest");
}

// %% nbgrader={"grade": false, "grade_id": "quantization-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The product of activations `a` `(m, k)` and symmetric weights `b` `(k, n)`, in integers: for each row and column, the sum
/// of `(a - zero_point) x b`. Result `(m, n)`.
///
/// TODO: multiply and add integers; take the zero point off once, not in each product.
///
/// APPROACH:
/// 1. `sum of (a - z) b = sum of a b - z x (sum of b)`. The last sum is that of a column of `b`: it is the same for every
///    row.
/// 2. The column sums, then for each row: add `a x b` to the sums of that row, in `i32`.
/// 3. Subtract `zero_point` times the column sum from each.
///
/// EXAMPLE: `a = [[5, 7]]`, `z = 5`, `b = [[1], [10]]`: 75 - 5 x 11 = 20.
///
/// HINTS: `i32::from` before you multiply: the product of two `i8` does not fit into an `i8`, sums of them not into an
/// `i16`. The order of loops from lesson 01: row of `a`, row of `b`, column.
pub fn int8_matmul(a: &[i8], zero_point: i32, b: &[i8], k: usize, n: usize) -> Vec<i32> {
    let mut out = vec![0; a.len() / k * n];
    todo!("quantization-matmul")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-matmul", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, rows and columns in their places, extremes that fit no `i16`, and the fast kernels.
#[test]
fn test_unit_int8_matmul() {
    use tinytorch::kernels::int8::sums;
    use tinytorch::testing::expect_call;

    let idea = "the sum of a x b, less the zero point times the column's sum";
    expect_call("5 7, zero point 5", || int8_matmul(&[5, 7], 5, &[1, 10], 2, 1), vec![20], idea);
    let rows = || int8_matmul(&[1, 2, 3, 4], 0, &[1, 0, -1, 0, 1, 2], 2, 3);
    let place = "row i of a times column j of b, row by row";
    expect_call("1 2 / 3 4 times 1 0 -1 / 0 1 2", rows, vec![1, 2, 3, 3, 4, 5], place);
    let wide = "accumulate in i32: 255 x 127 added twice is more than an i16 holds";
    for (a, zero_point, b) in [(127, -128, 127), (-128, 127, -127), (-128, 0, -128)] {
        let wanted = vec![1000 * (a as i32 - zero_point) * b as i32];
        let sum = || int8_matmul(&[a; 1000], zero_point, &[b; 1000], 1000, 1);
        expect_call(format!("1000 x {a} x {b}, zero point {zero_point}"), sum, wanted, wide);
    }
    let mut rng = Rng::seeded(1);
    let mut draw = |count| (0..count).map(|_| rng.below(255) as i8).collect::<Vec<i8>>();
    let (a, b) = (draw(3 * 37), draw(37 * 20));
    for kernel in Kernel::available() {
        let fast = sums(kernel, &Activations::of(&a, 37, 0), &Weights::pack(&b, [37, 20]));
        // The kernels add 128 to each activation: a zero point of -128.
        let input = format!("3 x 37 times 37 x 20, beside {}", kernel.name());
        expect_call(input, || int8_matmul(&a, -128, &b, 37, 20), fast, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "quantization-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A sum of products as the integer that the next layer reads. `multiplier` is the scale of the inputs, times that of the
/// weights, divided by that of the result.
///
/// TODO: find the two faults in this line, which a colleague wrote, and write it correctly. Results are a little too close
/// to the zero point, and the largest ones become negative.
///
/// ```text
/// ((sum as f32 * multiplier) as i32 + zero_point) as i8
/// ```
///
/// APPROACH:
/// 1. What does the line make of 1.9 steps, and of -1.9?
/// 2. What is 130 `as i32`, and then `as i8`?
///
/// EXAMPLE: a sum of 19 and a multiplier of 0.1, zero point 0: 2. A sum of 1,300: 127.
///
/// HINTS: both cures are in `QuantParams::quantize`.
pub fn requantize(sum: i32, multiplier: f32, zero_point: i32) -> i8 {
    todo!("quantization-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Rounding on both sides of 0, the zero point, both ends.
#[test]
fn test_unit_requantize() {
    use tinytorch::testing::expect_call;

    let round = "round to the nearest integer: `as i32` cuts off towards 0";
    let clip = "clip before `as i8`: it keeps the last eight bits of an i32";
    for (sum, zero_point, wanted, idea) in [
        (19, 0, 2, round),
        (-19, 0, -2, round),
        (25, 0, 2, "a half to the even side"),
        (25, 1, 3, "round before the zero point is added"),
        (1300, 0, 127, clip),
        (1300, -100, 30, "clip what is stored, after the zero point"),
        (-1300, 0, -128, clip),
    ] {
        let input = format!("{sum} x 0.1, zero point {zero_point}");
        expect_call(input, || requantize(sum, 0.1, zero_point), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "quantization-quantizer", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How the range of activations is chosen from samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Calibration {
    /// From the smallest to the largest number.
    MinMax,
    /// The middle so many percent.
    Percentile(f32),
    /// With the least squared error.
    Mse,
}

/// How a model is quantized: weights symmetric, activations affine.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8Quantizer {
    /// How the ranges of activations are chosen.
    pub calibration: Calibration,
    /// Whether each output of a layer has a scale of its own.
    pub per_channel: bool,
    /// 8, or fewer: then the integers are kept in bytes all the same.
    pub bits: u32,
    /// The layers that stay in `f32`, by their place in the model.
    pub keep: Vec<usize>,
}

/// Weights `(inputs, outputs)` as integers, packed for the CPU, and what turns their sums into numbers.
#[derive(Debug, Clone)]
pub struct Int8Product {
    /// The integers.
    pub weights: Weights,
    /// The scale of each output's weights.
    pub scales: Vec<f32>,
    /// Added to each output.
    pub bias: Vec<f32>,
    /// How activations become integers; `None` chooses from each batch (dynamic quantization).
    pub input: Option<QuantParams>,
    /// The bits of activations whose range is chosen from the batch.
    pub bits: u32,
}

// %% nbgrader={"grade": false, "grade_id": "quantization-product", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Int8Product {
    /// Rows of inputs to rows of outputs, as `f32`; the sums between them are of integers.
    ///
    /// TODO: quantize the rows, multiply, and scale the sums.
    ///
    /// APPROACH:
    /// 1. The parameters of the rows: `self.input`, or, where there are none, affine ones from the smallest to the largest
    ///    number of these rows.
    /// 2. `Activations::quantize` makes integers of the rows: your `quantize`, for a whole block.
    /// 3. A step of a sum is worth a step of the input times a step of the weight: multiply each of `self.scales` by the
    ///    input's scale.
    /// 4. `linear` multiplies, takes the zero point off, scales and adds the bias: your `int8_matmul`, fast.
    ///
    /// EXAMPLE: a sum of 20 with an input scale of 0.5 and a weight scale of 0.1 is 1.0; with a bias of 3 it is 4.
    ///
    /// HINTS: `whole_range(rows)` is given. `Activations::quantize` wants `params.steps()`; `linear` the kernel
    /// (`Kernel::detect()` finds the fastest), activations, weights, and a `Scaling` of `scales` and `bias`.
    pub fn forward(&self, rows: &[f32]) -> Vec<f32> {
        let [inputs, _] = self.weights.shape();
        if rows.is_empty() {
            return vec![];
        }
        todo!("quantization-product")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-product", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand with given parameters, with ranges from the batch, clipped inputs, and close to the product in f32.
#[test]
fn test_unit_product() {
    use tinytorch::testing::{expect_call_close, expect_close};

    let input = QuantParams { scale: 0.5, zero_point: 3, levels: [-128, 127] };
    let product = Int8Product {
        weights: Weights::pack(&[1, -2, 10, 4], [2, 2]),
        scales: vec![0.1, 1.0],
        bias: vec![3.0, 0.0],
        input: Some(input),
        bits: 8,
    };
    let idea = "(sum of integers) x (scale of the input) x (scale of the output's weights) + bias";
    let rows = [0.0, 1.0, 1.0, 0.0];
    expect_call_close("0 1 / 1 0", || product.forward(&rows), &[4.0, 4.0, 3.1, -2.0], 1e-5, idea);
    let idea = "the range that was calibrated stays: 100 is clipped to its end, 62";
    expect_call_close("0 100", || product.forward(&[0.0, 100.0]), &[65.0, 248.0], 1e-4, idea);
    let dynamic = Int8Product { input: None, ..product.clone() };
    let idea = "without parameters, those of these rows: here 0 to 100";
    let wanted = [103.0, 400.0, 3.0, 0.0];
    expect_call_close("0 100 / 0 0", || dynamic.forward(&[0., 100., 0., 0.]), &wanted, 1e-3, idea);
    let coarse = Int8Product { bits: 2, ..dynamic };
    let idea = "a range from the batch is affine, with `self.bits` bits: 0, 33.3, 66.7 and 100";
    let wanted = [69.667, 266.667, 103.0, 400.0];
    expect_close(
        "0 50 / 0 100, 2 bits",
        &coarse.forward(&[0., 50., 0., 100.]),
        &wanted,
        0.01,
        idea,
    );

    let mut rng = Rng::seeded(2);
    let (x, layer) = (Tensor::randn(&[9, 40], &mut rng), Linear::new(40, 30, &mut rng));
    let exact = layer.forward(&x).to_vec();
    let int8 = Int8Product::new(&layer.weight, None, &Int8Quantizer::default(), None);
    let yours = int8.forward(&x.data());
    let idea = "integers are close to the product in f32, and much cheaper";
    expect_close("9 x 40 times 40 x 30", &yours, &exact, 0.06, idea);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A linear layer whose weights are integers, `(inputs, outputs)`.
#[derive(Debug, Clone)]
pub struct QuantizedLinear {
    /// What it computes.
    pub product: Int8Product,
}

/// A convolution whose kernels are integers, each output channel with a scale of its own.
#[derive(Debug, Clone)]
pub struct QuantizedConv2d {
    /// The product of patches with `(inputs x rows x columns, outputs)` weights.
    pub product: Int8Product,
    /// The size of a kernel, its stride and its padding.
    pub window: Window,
}

// %% nbgrader={"grade": false, "grade_id": "quantization-conv", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl QuantizedConv2d {
    /// Images `(N, inputs, H, W)` to feature maps `(N, outputs, output rows, output columns)`.
    ///
    /// TODO: make each image's patches the rows of a product, and put the results in the order of images.
    ///
    /// APPROACH:
    /// 1. `pad` the batch with 0. `grid.patches` of one padded image has a row for each output position.
    /// 2. `self.product.forward` of these rows is `(positions, outputs)`, row by row.
    /// 3. A feature map has all positions of one output: write the columns of that result, one after another.
    ///
    /// EXAMPLE: 2 positions and 3 outputs: `a0 a1 a2 b0 b1 b2` becomes `a0 b0 a1 b1 a2 b2`.
    ///
    /// HINTS: an image has `grid.padded.area()` numbers for each channel. `skip` and `step_by` walk down a column.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let [_, outputs] = self.product.weights.shape();
        let (grid, [n, channels]) = self.grid(x);
        let mut maps: Vec<f32> = Vec::with_capacity(n * outputs * grid.output.area());
        todo!("quantization-conv")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-conv", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Beside the convolution in f32: channels, padding, stride, a batch; a small kernel beside a large one.
#[test]
fn test_unit_quantized_conv() {
    use tinytorch::testing::{expect_close, expect_eq};

    let rng = &mut Rng::seeded(4);
    for (window, shape) in [
        (Window::new(3), [1, 2, 4, 5]),
        (Window::new(3).padding(1), [2, 2, 4, 4]),
        (Window::new((2, 3)).stride(2).padding(1), [3, 2, 5, 7]),
    ] {
        let mut conv = Conv2d::new(2, 3, window, rng);
        conv.bias = Some(Tensor::randn(&[3], rng));
        let x = Tensor::randn(&shape, rng) + 1.0;
        let int8 = QuantizedConv2d::new(&conv, &Int8Quantizer::default(), None);
        let idea = "pad with 0, multiply the patches of each image, one feature map after another";
        let input = format!("images {shape:?}, {window:?}");
        let (yours, wanted) = (int8.forward(&x), conv.forward(&x));
        let shape = "(N, outputs, output rows, output columns)";
        expect_eq(format!("the shape of {input}"), yours.shape(), wanted.shape(), shape);
        expect_close(input, &yours.to_vec(), &wanted.to_vec(), 0.15, idea);
    }
    let weight = Tensor::new(&[100.0, 0.01], &[2, 1, 1, 1]);
    let conv = Conv2d::from_weights(weight, None, 1);
    let small = |per_channel| {
        let quantizer = Int8Quantizer { per_channel, ..Int8Quantizer::default() };
        QuantizedConv2d::new(&conv, &quantizer, None).forward(&Tensor::ones(&[1; 4])).to_vec()[1]
    };
    let idea = "per channel, a kernel of 0.01 is not lost beside one of 100; per tensor it is";
    expect_close("0.01 beside 100", &[small(true), small(false)], &[0.01, 0.0], 1e-4, idea);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-model", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Int8Quantizer {
    /// A new model: layers with weights become integer layers, the others are copied, and those in `keep` stay in `f32`.
    /// The ranges of activations are those of `samples`. `model` is not changed.
    ///
    /// TODO: walk through the layers with the samples.
    ///
    /// APPROACH: for each layer, with its place and with what the samples are in front of it,
    /// 1. `copied(layer)` is the same layer, ready for inference;
    /// 2. `self.int8_layer(layer, &x)` is its integer form, calibrated on `x`, or `None` if it has none. Not for a layer whose
    ///    place is in `keep`;
    /// 3. the next layer is calibrated on what the copy makes of `x`; the new model gets the integer form where there is one,
    ///    else the copy.
    ///
    /// EXAMPLE: `Linear > ReLU > Linear` with `keep: vec![2]` becomes `QuantizedLinear > ReLU > Linear`.
    ///
    /// HINTS: `layer.as_ref()` is what is in a box; `quantized.layers_mut().push(..)` takes the box.
    pub fn quantize(&self, model: &Sequential, samples: &Tensor) -> Sequential {
        let mut quantized = Sequential::default();
        let mut x = samples.clone();
        todo!("quantization-model")
    }
}

/// A new model of integers: 8 bits, a scale for each output, ranges from the smallest to the largest number in `samples`.
/// `model` is not changed.
pub fn quantize_model(model: &Sequential, samples: &Tensor) -> Sequential {
    Int8Quantizer::default().quantize(model, samples)
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-model", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Which layers change, what they were calibrated on, what stays, and that the old model is as it was.
#[test]
fn test_unit_quantize_model() {
    use tinytorch::testing::{expect_close, expect_eq};

    let mut rng = Rng::seeded(6);
    let model = cnn_for_digits(&mut rng);
    let (before, name) = (model.parameters()[0].to_vec(), model.name());
    let x = Tensor::rand(&[20, 1, 8, 8], &mut rng);
    let int8 = quantize_model(&model, &x);
    let wanted = name.replace("Conv2d", "QuantizedConv2d").replace("Linear", "QuantizedLinear");
    expect_eq(&name, int8.name(), wanted, "every layer with weights, and no other, in its place");
    let unchanged = (model.parameters()[0].to_vec(), model.name());
    expect_eq("the old model", unchanged, (before, name.clone()), "a new model: the old one stays");
    let (yours, exact) = (int8.forward(&x).to_vec(), model.forward(&x).to_vec());
    let idea = "close to f32: each layer is calibrated on what reaches it, after those before it";
    expect_close("20 images", &yours, &exact, 0.1, idea);

    let times = |by| Box::new(Linear { weight: Tensor::full(&[1, 1], by), bias: None });
    let model = Sequential::new(vec![times(2.0), Box::new(ReLU), times(-1.0)]);
    let samples = Tensor::new(&[-1.0, 0.0, 5.1], &[3, 1]);
    let int8 = Int8Quantizer { bits: 2, ..Int8Quantizer::default() }.quantize(&model, &samples);
    let inputs = int8.layers().iter().filter_map(|layer| product_of(layer.as_ref())?.input);
    let ranges = [[-1.0, 5.1], [0.0, 10.2]];
    let wanted = ranges.map(|range| QuantParams::of_range(range, Scheme::Affine, 2)).to_vec();
    let idea = "calibrate on what the layers before it, in f32, make of the samples";
    expect_eq("-1 to 5.1, doubled, ReLU; 2 bits", inputs.collect(), wanted, idea);
    let noise = Dropout::new(0.9, Rng::seeded(1)).expect("a probability");
    let int8 = quantize_model(&Sequential::new(vec![Box::new(noise), times(1.0)]), &samples);
    let input = int8.layers().get(1).and_then(|layer| product_of(layer.as_ref())?.input);
    let wanted = QuantParams::of_range([-1.0, 5.1], Scheme::Affine, 8);
    let idea = "walk with the copies: they are ready for inference, so Dropout changes nothing";
    expect_eq("-1 to 5.1 behind a Dropout in training mode", input, Some(wanted), idea);
    let kept = Int8Quantizer { keep: vec![2], ..Int8Quantizer::default() };
    let idea = "a layer in `keep` stays in f32";
    let wanted = "QuantizedLinear(1 -> 1) > ReLU > Linear(1 -> 1)";
    expect_eq("keep 2", kept.quantize(&model, &samples).name(), wanted.to_owned(), idea);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-sizes", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The bytes that must be kept of a layer.
///
/// TODO: count everything that is needed to compute with it later.
///
/// APPROACH:
/// 1. `product_of(layer)` is the product of an integer layer: one byte for each weight; four for each scale, of which each
///    output has one, and four for each bias; and 5 for the scale and the zero point of the input, if they are fixed.
/// 2. Another layer has four bytes for each number in its parameters and buffers.
///
/// EXAMPLE: `Linear(10 -> 3)` with a bias has 132 bytes; calibrated and quantized, `30 + 4 x 3 + 4 x 3 + 5 = 59`.
///
/// HINTS: `product.weights.shape()`; `Tensor::nbytes`; `map_or` on the input.
pub fn bytes_of(layer: &(dyn Layer + 'static)) -> usize {
    todo!("quantization-sizes")
}

/// The bytes of both models.
pub fn compare_model_sizes(original: &Sequential, quantized: &Sequential) -> [usize; 2] {
    [original, quantized].map(|model| model.layers().iter().map(|it| bytes_of(it.as_ref())).sum())
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-sizes", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Scales, biases and zero points counted; layers without weights; buffers; a ratio below 4.
#[test]
fn test_unit_bytes_of() {
    use tinytorch::testing::expect_call;

    let mut rng = Rng::seeded(1);
    let layer = Linear::new(10, 3, &mut rng);
    let int8 = QuantizedLinear::new(&layer, &Int8Quantizer::default(), None);
    let input = QuantParams::of_range([0.0, 1.0], Scheme::Affine, 8);
    let fixed = QuantizedLinear::new(&layer, &Int8Quantizer::default(), Some(input));
    let each = "one byte for a weight, four for each scale and each bias: they are needed too";
    expect_call("Linear(10 -> 3)", || bytes_of(&layer), 132, "four bytes for each number");
    expect_call("the same in int8, ranges from the batch", || bytes_of(&int8), 54, each);
    let idea = "a fixed input has a scale and a zero point: 5 bytes";
    expect_call("the same, calibrated", || bytes_of(&fixed), 59, idea);
    expect_call("ReLU", || bytes_of(&ReLU), 0, "a layer without numbers has no bytes");
    let idea = "buffers are needed as well: 2 parameters and 2 buffers for each channel";
    expect_call("BatchNorm2d(5)", || bytes_of(&BatchNorm2d::new(5)), 80, idea);
    let model = Sequential::new(vec![Box::new(layer), Box::new(ReLU)]);
    let int8 = quantize_model(&model, &Tensor::ones(&[1, 10]));
    expect_call("both models", || compare_model_sizes(&model, &int8), [132, 59], each);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The accuracies of a model and of its integer form on `test`, from 0 to 1. Each set is `(inputs, classes)`.
///
/// TODO: calibrate on one set, count on the other.
///
/// APPROACH:
/// 1. Quantize the model with the inputs of `calibration`. Its classes are not needed.
/// 2. `count_correct(&scores, &classes)` of each model, divided by the number of samples.
///
/// EXAMPLE: 350 and 349 of 360 test digits: `[0.9722, 0.9694]`.
///
/// HINTS: `no_grad` around `forward`; `map` over an array of two models.
pub fn accuracies(
    model: &Sequential,
    quantizer: &Int8Quantizer,
    calibration: &(Tensor, Tensor),
    test: &(Tensor, Tensor),
) -> [f64; 2] {
    todo!("quantization-evaluate")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-evaluate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Calibrated on one set, judged on the other, for both models.
#[test]
fn test_unit_accuracies() {
    use tinytorch::testing::expect_call;

    // Scores x and 5: class 0 where x is above 5.
    let weight = Tensor::new(&[1.0, 0.0], &[1, 2]);
    let model = Linear { weight, bias: Some(Tensor::new(&[0.0, 5.0], &[2])) };
    let model = Sequential::new(vec![Box::new(model)]);
    let set = |x: &[f32], classes: &[f32]| {
        (Tensor::new(x, &[x.len(), 1]), Tensor::new(classes, &[classes.len()]))
    };
    // Calibrated on numbers up to 4, no input can be above 5.
    let low = set(&[0.0, 4.0], &[1.0, 1.0]);
    let test = set(&[1.0, 9.0, 8.0, 7.0], &[1.0, 0.0, 0.0, 1.0]);
    let quantizer = Int8Quantizer::default();
    let yours = || accuracies(&model, &quantizer, &low, &test);
    let idea =
        "calibrate on one set, and count on the other: what was calibrated on proves nothing";
    expect_call("calibrated on 0 to 4, judged on 1, 9, 8, 7", yours, [0.75, 0.5], idea);
    let kept = Int8Quantizer { keep: vec![0], ..Int8Quantizer::default() };
    let yours = || accuracies(&model, &kept, &low, &test);
    expect_call("the same, `keep: [0]`", yours, [0.75, 0.75], "with the quantizer that is given");
}

// %% nbgrader={"grade": false, "grade_id": "quantization-fake-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
struct StraightThrough(QuantizedTensor);

/// Numbers rounded to the nearest step, still as `f32`, with a gradient: so training meets the errors of quantization.
pub fn fake_quantize(x: &Tensor, axis: Option<usize>, scheme: Scheme, bits: u32) -> Tensor {
    let rounded = quantize_along(x, axis, scheme, bits);
    let numbers = dequantize_int8(&rounded).to_vec();
    custom("fake_quantize", values(numbers, x.shape()), &[x], StraightThrough(rounded))
}

// %% nbgrader={"grade": false, "grade_id": "quantization-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient that a rounded number passes to `x`, given that of the rounded number: the straight-through estimator
/// (Bengio et al., 2013).
///
/// TODO: pass the gradient on, but not where `x` was clipped.
///
/// APPROACH:
/// 1. Rounding is flat almost everywhere: its true gradient is 0, and nothing would be learned. The estimator takes rounding
///    for the identity.
/// 2. Where the integer of `x` would be outside the levels, `x` was clipped: a small change of it changes nothing, and the
///    gradient is 0.
///
/// EXAMPLE: a scale of 0.5, a zero point of 0 and levels from -2 to 1: 0.6 is step 1 and passes the gradient; 0.8 would be
/// step 2, and passes 0.
///
/// HINTS: the steps as in `quantize`, before clipping. A range has `contains`.
pub fn straight_through(upstream: f32, x: f32, params: &QuantParams) -> f32 {
    let [first, last] = params.levels;
    todo!("quantization-gradient")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-gradient", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Inside, at both ends, outside, with a zero point; a loss that falls through rounding.
#[test]
fn test_unit_straight_through() {
    use tinytorch::autograd::Backward;
    use tinytorch::testing::{expect_call, expect_eq};

    let check = |x, zero_point, wanted, idea: &str| {
        let params = QuantParams { scale: 0.5, zero_point, levels: [-2, 1] };
        let input = format!("{x}, levels -2 to 1 of 0.5, zero point {zero_point}");
        expect_call(input, || straight_through(3.0, x, &params), wanted, idea);
    };
    let pass = "inside the range, rounding passes the gradient as if it were not there";
    let stop = "where x is clipped, a small change of it changes nothing: 0";
    for (x, wanted, idea) in
        [(0.1, 3.0, pass), (0.6, 3.0, pass), (-1.2, 3.0, pass), (0.8, 0.0, stop), (-1.3, 0.0, stop)]
    {
        check(x, 0, wanted, idea);
    }
    let shifted = "the levels are shifted by the zero point: with -2, the range is 0 to 1.5";
    check(1.4, -2, 3.0, shifted);
    check(-0.5, -2, 0.0, shifted);
    let x = Tensor::new(&[0.1, 0.3, -0.2, 0.7], &[4]).tracked();
    let gradients = (fake_quantize(&x, None, Scheme::Affine, 8) * 2.0).sum().backward();
    let gradient = gradients.get(&x).map(Tensor::to_vec);
    expect_eq("2 x, rounded and added up", gradient, Some(vec![2.0; 4]), pass);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-analyze-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How large is a model of bytes, and what do the bytes cost?
///
/// Purpose: see how close to four times smaller a model gets, and how large the errors are. Measured: the bytes of the
/// digits MLP and of the MLP of a GPT-2 block (random weights), as counted and as kept in memory; the mean squared error of
/// trained weights; the SQNR of hidden activations by bits and by calibration, on digits that did not calibrate. Key insight:
/// a scale and a bias in `f32` for each output keep the ratio below 4, and matter less the more inputs it has; a bit is worth
/// 6 dB. Production context: a phone loads, stores and sends the file; memory traffic limits generation.
pub fn analyze_quantization_memory(out: &mut Reporter) {
    if let Err(error) = bytes_and_errors(out) {
        out.note(format!("The models could not be measured: {error}"));
    }
}

fn bytes_and_errors(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let (sets, rng) = (Sets::new(DigitShape::Flat)?, &mut Rng::seeded(1));
    let mlp = trained(digit_network(32, 1), &sets.train, 15, 0.01)?;
    let (up, down) = (Linear::new(768, 3072, rng), Linear::new(3072, 768, rng));
    let block = Sequential::new(vec![Box::new(up), Box::new(Gelu), Box::new(down)]);
    let (mut rows, noise) = (vec![], Tensor::randn(&[8, 768], rng));
    let [small, large] = [
        ("digits, 64-32-10", &mlp, &sets.calibration.0),
        ("MLP of a GPT-2 block, 768-3072-768", &block, &noise),
    ]
    .map(|(name, model, samples)| {
        let (int8, used) = memory(|| quantize_model(model, samples));
        let [before, after] = compare_model_sizes(model, &int8);
        let kept = used.map_or("not counted".into(), |used| Value::from(used.kept));
        let ratio = before as f64 / after as f64;
        rows.push(vec![name.into(), before.into(), after.into(), ratio.into(), kept]);
        ratio
    });
    let heads = columns("model, f32 [B], int8 [B], ratio [x], int8 as packed here [B]");
    out.measured_table("Bytes with scales and biases counted", &heads, rows);
    out.aimed("int8_memory_ratio", large, "x", Target::AtLeast(3.9));
    out.insight(memory_insight(small, large));

    let mut errors = vec![];
    for weight in mlp.parameters().into_iter().filter(|parameter| parameter.ndim() == 2) {
        let restored = dequantize_int8(&quantize_along(weight, Some(1), Scheme::Symmetric, 8));
        errors.extend((weight.detach() - restored).to_vec());
    }
    let mse = f64::from(mean_product(&errors, &errors));
    out.aimed("int8_weight_mse", mse, "", Target::AtMost(0.0002));

    let hidden = |x: &Tensor| ReLU.forward(&mlp.layers()[0].forward(x)).to_vec();
    let [seen, other] = [&sets.calibration, &sets.validation].map(|set| no_grad(|| hidden(&set.0)));
    let measured = |calibration, bits| {
        let quantizer = Int8Quantizer { calibration, bits, ..Int8Quantizer::default() };
        let params = quantizer.params(&seen);
        let restored = other.iter().map(|&x| params.dequantize(params.quantize(x)));
        sqnr(&other, &restored.collect::<Vec<f32>>())
    };
    let by_bits =
        [2, 3, 4, 5, 6, 7, 8_u32].map(|it| (it.into(), measured(Calibration::MinMax, it)));
    let per_bit = (by_bits[6].1 - by_bits[2].1) / 4.0;
    let (x, y) = (Axis::linear("bits", ""), Axis::linear("SQNR", "dB"));
    out.measured_chart("Hidden activations by bits", x, y, vec![Series::new("min-max", by_bits)]);
    out.measured("one bit more, from 4 to 8 bits", per_bit, "dB");
    out.insight(bits_insight(per_bit));
    let found = [
        ("min-max", Calibration::MinMax),
        ("middle 99 percent", Calibration::Percentile(99.0)),
        ("least squared error", Calibration::Mse),
    ]
    .map(|(name, method)| (name, [8, 4, 3].map(|bits| measured(method, bits))));
    let row = |(name, [a, b, c]): (&str, [f64; 3])| vec![name.into(), a.into(), b.into(), c.into()];
    let heads = columns("calibration, 8 bits [dB], 4 bits [dB], 3 bits [dB]");
    out.measured_table("SQNR on digits that did not calibrate", &heads, found.map(row).to_vec());
    out.insight(calibration_insight(&found));
    Ok(())
}

// %% nbgrader={"grade": false, "grade_id": "quantization-analyze-accuracy", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a model of bytes still know?
///
/// Purpose: judge models by what they are for. Measured: on data that neither trained, calibrated nor selected, test accuracy
/// of the digits CNN by bits, per channel and per tensor, and with the layer in `f32` that is most sensitive on validation
/// digits; of the digits MLP, trained as usual or aware of the rounding, then quantized; perplexity of a small GPT with
/// integer layers. Key insight: 8 bits are enough for these models; with 2, training that knows about the
/// rounding decides; what finer scales and exceptions bring must be larger than the sample error. Production context: language models go to 4 bits for weights alone (GPTQ, AWQ).
pub fn analyze_quantization_accuracy(out: &mut Reporter) {
    for part in [convolutional, aware_of_rounding, language_model] {
        if let Err(error) = part(out) {
            out.note(format!("A model could not be judged: {error}"));
        }
    }
}

fn convolutional(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let Sets { train, calibration, validation, test } = Sets::new(DigitShape::Image)?;
    let cnn = trained(cnn_for_digits(&mut Rng::seeded(1)), &train, 10, 0.01)?;
    let quantizer = |bits, per_channel, keep: &[usize]| {
        let keep = keep.to_vec();
        Int8Quantizer { bits, per_channel, keep, calibration: Calibration::MinMax }
    };
    let (mut rows, mut sensitive) = (vec![], (0, f32::NEG_INFINITY));
    let layers = cnn.layers().iter().enumerate();
    for (place, layer) in layers.filter(|(_, layer)| !layer.parameters().is_empty()) {
        let others: Vec<usize> = (0..cnn.layers().len()).filter(|&other| other != place).collect();
        let scores = quantizer(4, true, &others).quantize(&cnn, &calibration.0);
        let scores = no_grad(|| scores.forward(&validation.0));
        let loss = CrossEntropyLoss.forward(&scores, &validation.1).item();
        sensitive = if loss > sensitive.1 { (place, loss) } else { sensitive };
        rows.push(vec![place.into(), layer.name().into(), loss.into()]);
    }
    let heads = columns("place, the only layer in 4 bits, validation loss");
    out.measured_table("Which layer is sensitive", &heads, rows);
    let n = test.1.numel();
    let (mut rows, mut found) = (vec![], vec![]);
    for (name, bits, per_channel, keep) in [
        ("f32", 8, true, &(0..8).collect::<Vec<usize>>()[..]),
        ("8 bits, per channel", 8, true, &[]),
        ("8 bits, per tensor", 8, false, &[]),
        ("4 bits, per channel", 4, true, &[]),
        ("4 bits, per tensor", 4, false, &[]),
        ("4 bits, the sensitive layer in f32", 4, true, &[sensitive.0]),
    ] {
        let quantizer = quantizer(bits, per_channel, keep);
        let [_, accuracy] = accuracies(&cnn, &quantizer, &calibration, &test);
        let error = 100.0 * sample_error(accuracy, n);
        rows.push(vec![name.into(), (100.0 * accuracy).into(), error.into()]);
        found.push(accuracy);
    }
    let heads = columns("the digits CNN, test accuracy [%], sample error [points]");
    out.measured_table("By bits, on 360 test digits", &heads, rows);
    let loss = 100.0 * (found[0] - found[1]);
    out.aimed("int8_accuracy_loss_points", loss, "points", Target::AtMost(1.0));
    out.insight(accuracy_insight(found[0], found[1], n));
    out.insight(mixed_insight(found[3], found[5], n));
    Ok(())
}

fn aware_of_rounding(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let sets = Sets::new(DigitShape::Flat)?;
    let base = trained(digit_network(32, 1), &sets.train, 15, 0.01)?;
    let plain = trained(prepared(&base, None), &sets.train, 10, 0.003)?;
    let (mut rows, mut found) = (vec![], vec![]);
    for bits in [8, 4, 2] {
        let aware = trained(prepared(&base, Some(bits)), &sets.train, 10, 0.003)?;
        let quantizer = Int8Quantizer { bits, ..Int8Quantizer::default() };
        let judged = |model| accuracies(model, &quantizer, &sets.calibration, &sets.test)[1];
        let accuracies = [judged(&plain), judged(&aware)];
        let n = sets.test.1.numel();
        let shown = accuracies.map(|accuracy| Value::accuracy(accuracy, n));
        rows.push([vec![(bits as usize).into()], shown.into()].concat());
        found.push((bits, accuracies));
    }
    let heads = columns("bits, 10 more epochs in f32 [%], 10 more epochs aware of rounding [%]");
    out.measured_table("The digits MLP, then quantized: test accuracy", &heads, rows);
    out.measured("test accuracy with 2 bits, aware of rounding", 100.0 * found[2].1[1], "%");
    out.insight(aware_insight(&found, sets.test.1.numel()));
    Ok(())
}

fn language_model(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let tokenizer = BpeTokenizer::train(training_text().as_bytes(), 384)?;
    let rng = &mut Rng::seeded(1);
    let mut batches = |split| {
        let ids = dialogue::pairs(split).map(|pair| tokenizer.encode(&format!("{pair}\n")));
        next_token_batches(&ids.collect::<Vec<_>>(), 32, 8, rng)
    };
    let (train, held_out) = (batches(Split::Train), batches(Split::Validation));
    let vocab_size = tokenizer.vocab_size();
    let config = GptConfig { vocab_size, context: 32, dim: 32, layers: 2, heads: 4 };
    let gpt = Gpt::new(config, &mut Rng::seeded(1));
    let mut trainer = Trainer::new(gpt, AdamW::new(0.006), CrossEntropyLoss).with_clipping(1.0);
    for _ in 0..3 {
        trainer.train_epoch(&train)?;
    }
    let gpt = Gpt::from_trainer(trainer)?;
    let judged = |model: &dyn Layer| f64::from(perplexity(mean_loss(model, &held_out)));
    let int8 = |bits| {
        let quantizer = Int8Quantizer { bits, ..Int8Quantizer::default() };
        judged(&QuantizedGpt::new(&gpt, &quantizer))
    };
    let found = [judged(&gpt), int8(8), int8(4)];
    let rows = ["f32", "8 bits", "4 bits"].into_iter().zip(found);
    let rows = rows.map(|(name, perplexity)| vec![name.into(), perplexity.into()]);
    let heads = columns("linear layers, perplexity");
    out.measured_table("A small GPT on held-out questions", &heads, rows.collect());
    out.measured("perplexity of 8 bits against f32", found[1] / found[0], "x");
    out.insight(perplexity_insight(found));
    Ok(())
}

// %% nbgrader={"grade": false, "grade_id": "quantization-analyze-speed", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 How fast is a product of integers?
///
/// Purpose: compare your integer layer with the best product of `f32` that the engine has so far, that of `ndarray`.
/// Measured: in turn, on one thread, rows times a matrix. Quantizing the rows, the zero point, scales and bias are part of
/// the time; packing the weights is not, since it happens once. Then the kernels of this CPU, and the other way to use bytes:
/// dequantize, then multiply. Key insight: bytes are faster where one instruction multiplies and adds four of them; to
/// dequantize first saves memory and no time. Production context: oneDNN, FBGEMM and XNNPACK choose by CPU in the same way.
pub fn analyze_quantization_speed(out: &mut Reporter) {
    let (rng, quantizer, mut rows) = (&mut Rng::seeded(1), Int8Quantizer::default(), vec![]);
    for [m, k, n] in [[32, 256, 256], [64, 768, 768], SHAPE] {
        let (x, weight) = (Tensor::randn(&[m, k], rng), Tensor::randn(&[k, n], rng));
        let (x_data, weight_data) = (x.data(), weight.data());
        let int8 = Int8Product::new(&weight, None, &quantizer, Some(quantizer.params(&x_data)));
        let in_f32 = |weight: &[f32]| fast_product(&x_data, weight, [m, k, n]);
        let compared = compare(41, || in_f32(&weight_data), || int8.forward(&x_data));
        let speed = |time: f64| Value::from(2.0 * (m * k * n) as f64 / time);
        let (first, second) = (compared.first, compared.second);
        let speeds = [speed(first.median), speed(second.median), compared.ratio.into()];
        let name = format!("{m}x{k} times {k}x{n}");
        rows.push([vec![name.into(), first.into(), second.into()], speeds.to_vec()].concat());
        if [m, k, n] != SHAPE {
            continue;
        }
        let integers = int8.weights.unpack();
        let dequantized = || in_f32(&scaled(&integers, &int8.scales));
        let other = compare(7, dequantized, || int8.forward(&x_data));
        let pairs = [(F32, INT8, compared), (DEQUANTIZED, INT8, other)];
        out.compared("Timed in turn, 256x512 times 512x512", &pairs);
        let least = if Kernel::detect().is_dot_product() { 1.0 } else { 0.5 };
        out.aimed("int8_gemm_speedup", compared.ratio.median, "x", Target::AtLeast(least));
        out.insight(compared.ratio.took(F32, INT8));
        out.insight(other.ratio.took(DEQUANTIZED, INT8));
    }
    let heads = "product, f32 [s], int8 [s], f32 [op/s], int8 [op/s], f32 / int8 [x]";
    out.measured_table("The layer in f32 and in int8", &columns(heads), rows);
    let kernels = time_kernels(SHAPE).map(|(name, timing)| vec![name.into(), timing.into()]);
    let heads = columns("kernel, 256x512 times 512x512 [s]");
    out.measured_table("The kernels of this CPU", &heads, kernels.collect());
}

const SHAPE: [usize; 3] = [256, 512, 512];
const F32: &str = "the layer in f32";
const INT8: &str = "the layer in int8";
const DEQUANTIZED: &str = "dequantizing, then multiplying in f32";

// %% nbgrader={"grade": true, "grade_id": "test-quantization-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A network learns the digits, becomes one of bytes, and still reads digits that it has not seen.
#[test]
fn test_module() {
    use tinytorch::testing::expect_eq;

    let sets = Sets::new(DigitShape::Image).expect("the digits");
    let cnn = trained(cnn_for_digits(&mut Rng::seeded(1)), &sets.train, 4, 0.01).expect("a CNN");
    let calibration = Calibration::Mse;
    let quantizer = Int8Quantizer { calibration, ..Int8Quantizer::default() };
    let [exact, int8] = accuracies(&cnn, &quantizer, &sets.calibration, &sets.test);
    let input = format!("of 360 test digits {exact:.3} in f32, {int8:.3} in int8: within 0.02");
    expect_eq(input, exact > 0.9 && (exact - int8).abs() < 0.02, true, "8 bits are enough");

    let quantized = quantizer.quantize(&cnn, &sets.calibration.0);
    let [before, after] = compare_model_sizes(&cnn, &quantized);
    let wanted = [4 * 1898, (72 + 1152 + 640) + 8 * (8 + 16 + 10) + 3 * 5];
    let idea = "a byte for each weight; scales, biases and the inputs' parameters counted";
    expect_eq("bytes in f32 and in int8", [before, after], wanted, idea);
    let alone = sets.test.0.slice(&[0..1, 0..1, 0..8, 0..8]);
    let [all, one] = [&sets.test.0, &alone].map(|x| no_grad(|| quantized.forward(x)).to_vec());
    let idea = "ranges are fixed by calibration: an image does not depend on its batch";
    expect_eq("the first digit, by itself and among 360", &one[..], &all[..10], idea);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-plumbing-params", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl QuantParams {
    /// The same for the kernels.
    pub fn steps(&self) -> Steps {
        let Self { scale, zero_point, levels } = *self;
        Steps { scale, zero_point, levels }
    }
}

impl Default for Int8Quantizer {
    fn default() -> Self {
        Self { calibration: Calibration::MinMax, per_channel: true, bits: 8, keep: vec![] }
    }
}

impl Int8Quantizer {
    /// The parameters for activations like these.
    pub fn params(&self, samples: &[f32]) -> QuantParams {
        check_finite(samples);
        let range = match self.calibration {
            _ if samples.is_empty() => [0.0; 2],
            Calibration::MinMax => whole_range(samples),
            Calibration::Percentile(percent) => percentile_range(samples, percent),
            Calibration::Mse => mse_range(samples, Scheme::Affine, self.bits),
        };
        QuantParams::of_range(range, Scheme::Affine, self.bits)
    }

    /// The integer form of a layer, calibrated on the inputs `x`; `None` if it has none.
    fn int8_layer(&self, layer: &(dyn Layer + 'static), x: &Tensor) -> Option<Box<dyn Layer>> {
        let input = || Some(self.params(&x.data()));
        let layer: &dyn Any = layer;
        if let Some(inner) = layer.downcast_ref::<Sequential>() {
            return Some(Box::new(Self { keep: vec![], ..self.clone() }.quantize(inner, x)));
        }
        if let Some(conv) = layer.downcast_ref::<Conv2d>() {
            return Some(Box::new(QuantizedConv2d::new(conv, self, input())));
        }
        let aware = layer.downcast_ref::<AwareLinear>().map(|aware| &aware.linear);
        let linear = aware.or_else(|| layer.downcast_ref::<Linear>())?;
        Some(Box::new(QuantizedLinear::new(linear, self, input())))
    }
}

/// The product of an integer layer.
pub fn product_of<'a>(layer: &'a (dyn Layer + 'static)) -> Option<&'a Int8Product> {
    let layer: &dyn Any = layer;
    let conv = layer.downcast_ref::<QuantizedConv2d>().map(|conv| &conv.product);
    conv.or_else(|| layer.downcast_ref::<QuantizedLinear>().map(|linear| &linear.product))
}

/// A copy of a layer for inference, in which dropout does nothing. Panics on a layer that this module does not know.
fn copied(layer: &(dyn Layer + 'static)) -> Box<dyn Layer> {
    let known: &dyn Any = layer;
    let mut copy: Option<Box<dyn Layer>> = None;
    macro_rules! copy_if {
        ($($kind:ty),*) => {
            $(copy = copy.or_else(|| Some(Box::new(known.downcast_ref::<$kind>()?.clone())));)*
        };
    }
    copy_if!(Linear, AwareLinear, Conv2d, ReLU, Sigmoid, Tanh, Gelu, QuickGelu, Softmax);
    copy_if!(MaxPool2d, AvgPool2d, BatchNorm2d, LayerNorm, RmsNorm);
    copy_if!(QuantizedLinear, QuantizedConv2d);
    if known.is::<Flatten>() {
        copy = Some(Box::new(Flatten));
    } else if known.is::<Dropout>() {
        copy = Some(Box::new(Sequential::default()));
    } else if let Some(inner) = known.downcast_ref::<Sequential>() {
        let layers = inner.layers().iter().map(|layer| copied(layer.as_ref()));
        copy = Some(Box::new(Sequential::new(layers.collect())));
    }
    let name = layer.name();
    let unknown = || panic!("quantize_model: {name} cannot be copied: leave it out of the model");
    let mut copy = copy.unwrap_or_else(unknown);
    copy.set_training(false);
    copy
}

// %% nbgrader={"grade": false, "grade_id": "quantization-plumbing-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Int8Product {
    /// Weights `(inputs, outputs)` and a bias `(outputs)` as integers. `input`: the parameters of the activations; `None`
    /// chooses them from each batch.
    pub fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        quantizer: &Int8Quantizer,
        input: Option<QuantParams>,
    ) -> Self {
        let [inputs, outputs] = [0, 1].map(|axis| weight.shape()[axis]);
        let axis = quantizer.per_channel.then_some(1);
        let bytes = quantize_along(weight, axis, Scheme::Symmetric, quantizer.bits);
        let scales = bytes.params.iter().map(|params| params.scale).cycle().take(outputs).collect();
        let weights = Weights::pack(&bytes.values, [inputs, outputs]);
        let bias = bias.map_or_else(|| vec![0.0; outputs], Tensor::to_vec);
        Self { weights, scales, bias, input, bits: quantizer.bits }
    }
}

impl QuantizedLinear {
    /// The integer form of a layer, with the parameters of its input, or with those of each batch.
    pub fn new(layer: &Linear, quantizer: &Int8Quantizer, input: Option<QuantParams>) -> Self {
        let product = Int8Product::new(&layer.weight, layer.bias.as_ref(), quantizer, input);
        Self { product }
    }
}

impl QuantizedConv2d {
    /// The integer form of a convolution, with the parameters of its input, or with those of each image.
    pub fn new(layer: &Conv2d, quantizer: &Int8Quantizer, input: Option<QuantParams>) -> Self {
        let kernels = layer.weight.detach().reshape(&[layer.weight.shape()[0] as isize, -1]).t();
        let product = Int8Product::new(&kernels, layer.bias.as_ref(), quantizer, input);
        Self { product, window: layer.window }
    }

    fn channels(&self) -> usize {
        self.product.weights.shape()[0] / self.window.kernel.area()
    }

    /// The geometry of such images, how many there are, and their channels. Panics when they do not fit.
    fn grid(&self, x: &Tensor) -> (Grid, [usize; 2]) {
        let (name, shape, channels) = (self.name(), shape_text(x.shape()), self.channels());
        let [n, c, h, w] = image_sizes(x.shape(), Some(channels))
            .unwrap_or_else(|expected| panic!("{name}: got shape {shape}, expected {expected}"));
        let too_small = || panic!("{name}: got shape {shape}: too small for its window");
        (grid_of((h, w), self.window).unwrap_or_else(too_small), [n, c])
    }
}

impl Layer for QuantizedLinear {
    fn name(&self) -> String {
        let [inputs, outputs] = self.product.weights.shape();
        format!("QuantizedLinear({inputs} -> {outputs})")
    }

    /// `(..., inputs)` to `(..., outputs)`. Records no history: it is for inference.
    fn forward(&self, x: &Tensor) -> Tensor {
        let ([inputs, outputs], shape) = (self.product.weights.shape(), shape_text(x.shape()));
        let fits = x.shape().last() == Some(&inputs);
        assert!(fits, "{}: input {shape}: the last axis must be {inputs}", self.name());
        let rows = &x.shape()[..x.ndim() - 1];
        Tensor::new(&self.product.forward(&x.data()), &[rows, &[outputs]].concat())
    }
}

impl Layer for QuantizedConv2d {
    fn name(&self) -> String {
        let (kernel, outputs) = (self.window.kernel, self.product.weights.shape()[1]);
        let (rows, columns) = (kernel.rows, kernel.columns);
        format!("QuantizedConv2d({} -> {outputs}, {rows}x{columns})", self.channels())
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        QuantizedConv2d::forward(self, x)
    }
}

// %% nbgrader={"grade": false, "grade_id": "quantization-plumbing-aware", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl GradientRule for StraightThrough {
    fn gradients(&self, upstream: &Tensor, inputs: &[Tensor], _output: &Tensor) -> InputGradients {
        let (QuantizedTensor { shape, params, axis, .. }, x) = (&self.0, inputs[0].data());
        let upstream = upstream.data();
        let pairs = upstream.iter().zip(&*x).enumerate();
        let gradient = pairs.map(|(at, (&gradient, &x))| {
            straight_through(gradient, x, &params[channel_of(shape, *axis, at)])
        });
        vec![grad_for(&inputs[0], || Tensor::new(&gradient.collect::<Vec<f32>>(), shape))]
    }
}

/// A linear layer that trains with rounded weights and inputs (quantization-aware training).
#[derive(Debug, Clone)]
pub struct AwareLinear {
    /// What is trained, in `f32`.
    pub linear: Linear,
    /// What weights and inputs are rounded to.
    pub bits: u32,
}

impl Layer for AwareLinear {
    fn name(&self) -> String {
        format!("Aware{}", self.linear.name())
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let weight = fake_quantize(&self.linear.weight, Some(1), Scheme::Symmetric, self.bits);
        let x = fake_quantize(x, None, Scheme::Affine, self.bits);
        Linear { weight, bias: self.linear.bias.clone() }.forward(&x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        self.linear.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        self.linear.parameters_mut()
    }
}

/// A copy of a model to train further, its linear layers aware of so many bits, or as they are.
pub fn prepared(model: &Sequential, bits: Option<u32>) -> Sequential {
    let aware = |layer: &(dyn Layer + 'static)| -> Box<dyn Layer> {
        let known: &dyn Any = layer;
        match (known.downcast_ref::<Linear>(), bits) {
            (Some(linear), Some(bits)) => Box::new(AwareLinear { linear: linear.clone(), bits }),
            _ => copied(layer),
        }
    };
    Sequential::new(model.layers().iter().map(|layer| aware(layer.as_ref())).collect())
}

/// A GPT whose linear layers are integers; tables and norms stay in `f32`. Ranges are those of each batch.
pub struct QuantizedGpt {
    model: Gpt,
    layers: Vec<[QuantizedLinear; 6]>,
}

impl QuantizedGpt {
    /// The integer form of a model.
    pub fn new(model: &Gpt, quantizer: &Int8Quantizer) -> Self {
        let layers = |TransformerBlock { attention: a, mlp, .. }: &TransformerBlock| {
            let layers = [&a.query, &a.key, &a.value, &a.output, &mlp.up, &mlp.down];
            layers.map(|layer| QuantizedLinear::new(layer, quantizer, None))
        };
        Self { layers: model.blocks.iter().map(layers).collect(), model: model.clone() }
    }
}

impl Layer for QuantizedGpt {
    fn name(&self) -> String {
        format!("Quantized{}", self.model.name())
    }

    /// Rows of logits, as those of [`Gpt`].
    fn forward(&self, ids: &Tensor) -> Tensor {
        let Gpt { config, embedding, blocks, norm } = &self.model;
        let mask = causal_mask(ids.shape()[1]);
        let mut x = embedding.forward(ids);
        for (block, [query, key, value, output, up, down]) in blocks.iter().zip(&self.layers) {
            let (normal, heads) = (block.norm1.forward(&x), block.attention.heads);
            let [q, k, v] =
                [query, key, value].map(|layer| split_heads(&layer.forward(&normal), heads));
            let (mixed, _) = scaled_dot_product_attention(&q, &k, &v, Some(&mask));
            x = x + output.forward(&merge_heads(&mixed));
            x = &x + down.forward(&Gelu.forward(&up.forward(&block.norm2.forward(&x))));
        }
        let logits = tied_logits(&norm.forward(&x), &embedding.tokens.weight);
        logits.reshape(&[ids.numel(), config.vocab_size])
    }
}

// %% nbgrader={"grade": false, "grade_id": "quantization-plumbing-digits", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The digits in three sets that share none, as `(inputs, classes)`; what calibrates is a part of the first.
pub struct Sets {
    /// To learn from: 1,077 digits.
    pub train: TensorDataset,
    /// To find ranges: 128 of those.
    pub calibration: (Tensor, Tensor),
    /// To choose by: 360 digits.
    pub validation: (Tensor, Tensor),
    /// To report on: 360 digits.
    pub test: (Tensor, Tensor),
}

impl Sets {
    /// The same digits every time.
    pub fn new(shape: DigitShape) -> Result<Self, Box<dyn Error>> {
        let all = digits(shape)?;
        let (train, validation) = all.train.hold_out(4, 0)?;
        let calibration = train.subset(&(0..128).collect::<Vec<usize>>())?;
        let pair = |set: &TensorDataset| (set.inputs().clone(), set.targets().clone());
        let [calibration, validation, test] = [&calibration, &validation, &all.test].map(pair);
        Ok(Self { train, calibration, validation, test })
    }
}

/// The network after so many epochs in batches of 32; the learning rate falls from `rate` to a hundredth of it.
pub fn trained(
    network: Sequential,
    data: &TensorDataset,
    epochs: usize,
    rate: f32,
) -> Result<Sequential, Box<dyn Error>> {
    let schedule = CosineSchedule { max_rate: rate, min_rate: rate / 100.0, epochs };
    let trainer = Trainer::new(network, Adam::new(rate), CrossEntropyLoss);
    let (mut trainer, loader) =
        (trainer.with_schedule(schedule), DataLoader::new(data.clone(), 32)?.shuffled(1));
    trainer.fit(epochs, |epoch| loader.epoch(epoch), &[], None)?;
    let model = (trainer.model as Box<dyn Any>).downcast::<Sequential>();
    model.map(|model| *model).map_err(|_| "the trainer's model is not the network".into())
}

// %% nbgrader={"grade": false, "grade_id": "quantization-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A range in steps, and the errors that it makes.
///
/// Four kinds of random numbers, two schemes, any number of bits. Narrow the range with clip: the steps become finer, and
/// what is outside costs more. Where is the SQNR highest for an outlier in 4 bits? What does a symmetric range waste after
/// ReLU? Your functions compute the figure.
pub fn explore_quantization(figure: &mut Explorer) {
    let numbers = example(figure.choice("numbers", &EXAMPLES), &mut Rng::seeded(1));
    let is_affine = figure.choice("scheme", &["affine", "symmetric"]) == "affine";
    let scheme = if is_affine { Scheme::Affine } else { Scheme::Symmetric };
    let bits = figure.number("bits", 4.0, 2.0..=8.0, 1.0) as u32;
    let clip = figure.number("clip", 100.0, 5.0..=100.0, 5.0) as f32 / 100.0;
    let range = whole_range(&numbers).map(|end| end * clip);
    let params = QuantParams::of_range(range, scheme, bits);
    let (mut restored, mut errors, mut squares, mut clipped) = (vec![], vec![], [0.0; 2], 0);
    for &x in &numbers {
        let number = params.dequantize(params.quantize(x));
        let is_clipped = straight_through(1.0, x, &params) == 0.0;
        squares[usize::from(is_clipped)] += f64::from(x - number).powi(2);
        clipped += usize::from(is_clipped);
        errors.push((x - number) / params.scale);
        restored.push(number);
    }
    let bars = Series::histogram("numbers", &errors, [-0.65, 0.65], 13);
    let (x, y) = (Axis::linear("error", "steps"), Axis::linear("numbers", ""));
    figure.measured_bars("Errors in steps; the outer bars are what was clipped", x, y, bars);
    let [first, last] = params.levels.map(|level| params.dequantize(level as i8));
    let rows = vec![
        vec!["range of the integers".into(), format!("{first:.3} to {last:.3}").into()],
        vec!["scale".into(), params.scale.into()],
        vec!["zero point".into(), params.zero_point.to_string().into()],
        vec!["numbers that are clipped".into(), clipped.to_string().into()],
    ];
    figure.measured_table("The parameters", &columns("what, value"), rows);
    figure.measured("SQNR", sqnr(&numbers, &restored), "dB");
    figure.insight(error_insight(squares[0], squares[1]));
}

// %% nbgrader={"grade": false, "grade_id": "quantization-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_quantization_memory(&mut out);
    analyze_quantization_accuracy(&mut out);
    analyze_quantization_speed(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
