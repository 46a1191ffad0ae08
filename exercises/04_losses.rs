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

// %% nbgrader={"grade": false, "grade_id": "losses-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 04 Losses: one number for how wrong a prediction is. Input: predictions and targets. Output: a tensor
//! with one element. Depends on 01 to 03. By hand: the mean squared error of `[1, 3]` against
//! `[1, 1]` is 2; the cross-entropy of two equal logits is `ln 2 = 0.6931`.
//! Not here: what a model does about it (05, 06).

use tinytorch::activations::{ReLU, Softmax};
use tinytorch::backend;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Reporter, Series, Table};
use tinytorch::tensor::{Op, Tensor, axis_from_front, shape_text, values, zip_with};
use tinytorch::testing::memory;

// %% [markdown] nbgrader={"grade": false, "grade_id": "losses-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Losses
//
// You build: a logarithm of softmax that never overflows, the mean squared error for numbers, the
// cross-entropy for classes, and its binary form for yes or no. *Logits* are the scores of the classes, before softmax.

// %% nbgrader={"grade": false, "grade_id": "losses-loss", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The class of a target that does not count, such as the padding after a short text. As in PyTorch.
pub const IGNORED: f32 = -100.0;

/// A measure of how wrong predictions are.
pub trait Loss {
    /// One number, as a tensor of shape `()`: the closer to 0, the better `prediction` fits `target`.
    fn forward(&self, prediction: &Tensor, target: &Tensor) -> Tensor;
}

// %% nbgrader={"grade": false, "grade_id": "losses-log-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The logarithm of softmax along one axis, in the shape of `x`; a negative axis counts from the end.
///
/// TODO: compute it without ever taking `exp` of a large number or `ln` of 0.
///
/// APPROACH:
/// 1. Subtract the largest element along the axis.
/// 2. The sum of the exponentials of the shifted elements is at least 1: its logarithm is safe.
/// 3. In a logarithm, the division of softmax becomes a subtraction.
///
/// EXAMPLE: `[0, 0]` becomes `[-0.6931, -0.6931]`; `[1000, 0]` becomes `[0, -1000]`.
///
/// HINTS: the same shift as in softmax; with `keepdim` the difference broadcasts.
pub fn log_softmax(x: &Tensor, axis: impl TryInto<isize>) -> Tensor {
    let axis = axis_from_front("log_softmax", axis, x.shape());
    if x.numel() == 0 {
        return x.clone(); // No logits, no largest one.
    }
    todo!("losses-log-softmax")
}

// %% nbgrader={"grade": true, "grade_id": "test-losses-log-softmax", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Known values, probabilities that sum to 1, logits of 1000, another axis.
#[test]
fn test_unit_log_softmax() {
    use std::f32::consts::LN_2;
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let y = log_softmax(&Tensor::new(&[1.0, 2.0, 3.0], &[1, 3]), 1);
    let idea = "subtract the logarithm of the sum of the exponentials";
    let wanted = [-2.407_606, -1.407_606, -0.407_606];
    expect_close("[1, 2, 3]", &y.to_vec(), &wanted, 1e-6, idea);
    let y = log_softmax(&Tensor::new(&[1.0, 2.0, 4.0, 8.0], &[2, 2]), 1);
    let idea = "with `keepdim` the maximum and the sum of a row broadcast along that row";
    let wanted = [-1.313_261_7, -0.313_261_7, -4.018_15, -0.018_149_93];
    expect_close("[[1, 2], [4, 8]]", &y.to_vec(), &wanted, 1e-6, idea);
    let huge = log_softmax(&Tensor::new(&[1000.0, 0.0, -1000.0, -1000.0], &[2, 2]), 1);
    let idea = "subtract the largest of each row first, and take no logarithm of a probability: it may be 0";
    let wanted = [0.0, -1000.0, -LN_2, -LN_2];
    expect_close("[[1000, 0], [-1000, -1000]]", &huge.to_vec(), &wanted, 1e-6, idea);
    let logits = Tensor::randn(&[4, 7], &mut Rng::seeded(1));
    let sums = log_softmax(&logits, 1).exp().sum_axis(1, false).to_vec();
    let idea = "the exponentials are probabilities: those of a row sum to 1";
    expect_close("the sum of each of 4 random rows", &sums, &[1.0; 4], 1e-6, idea);
    let idea = "work along `axis`, which is not always the last";
    for axis in [0, -2] {
        let columns = log_softmax(&Tensor::zeros(&[2, 3]), axis).to_vec();
        expect_close(format!("zeros (2, 3), axis {axis}"), &columns, &[-LN_2; 6], 1e-6, idea);
    }
    let message = panic_message(|| log_softmax(&Tensor::zeros(&[2, 3]), 2));
    let wanted = "log_softmax: axis 2 of shape (2, 3): there are 2 axes".to_owned();
    expect_eq("zeros (2, 3), axis 2", message, wanted, "the given check of the axis stays first");
    let tracked = log_softmax(&logits.tracked(), 1);
    assert!(tracked.is_tracked(), "use tensor operations only: lesson 05 follows them");
}

// %% nbgrader={"grade": false, "grade_id": "losses-mse", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The mean squared error, for regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MSELoss;

impl Loss for MSELoss {
    /// The mean of the squared differences. Panics with both shapes in the message when they differ:
    /// broadcasting would hide a mistake here.
    ///
    /// TODO: compute the difference, its square, and the mean.
    ///
    /// APPROACH:
    /// 1. The difference is needed twice: give it a name.
    /// 2. Square it with a product, and take the `mean` of all elements.
    ///
    /// EXAMPLE: `[1, 3]` for the target `[1, 1]` gives `(0 + 4) / 2 = 2`.
    ///
    /// HINTS: operators take references too, so a tensor can be used twice.
    fn forward(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        check_same_shape("mse", prediction, target);
        todo!("losses-mse")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-losses-mse", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, zero when right, one number, shapes that differ.
#[test]
fn test_unit_mse() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let prediction = Tensor::new(&[1.0, 3.0, -2.0, 0.5], &[2, 2]);
    let target = Tensor::new(&[1.0, 1.0, 1.0, 0.5], &[2, 2]);
    let loss = MSELoss.forward(&prediction, &target);
    expect_eq("two rows of 2", loss.shape(), &[], "the loss is one number, of shape ()");
    let idea = "the square of the difference, and the mean over all elements";
    let exchanged = MSELoss.forward(&target, &prediction).item();
    let same = MSELoss.forward(&prediction, &prediction).item();
    for (input, yours, wanted) in [
        ("[1, 3, -2, 0.5], target [1, 1, 1, 0.5]", loss.item(), 13.0 / 4.0),
        ("the same, exchanged", exchanged, 13.0 / 4.0),
        ("a prediction that equals its target", same, 0.0),
    ] {
        expect_close(input, &[yours], &[wanted], 1e-6, idea);
    }
    let tracked = MSELoss.forward(&prediction.tracked(), &target);
    assert!(tracked.is_tracked(), "use tensor operations only: lesson 05 follows them");

    let message = panic_message(|| MSELoss.forward(&Tensor::ones(&[3, 1]), &Tensor::ones(&[3])));
    let wanted = "mse: prediction (3, 1) and target (3) must have the same shape".to_owned();
    let idea = "the given check of the shapes stays first";
    expect_eq("a prediction (3, 1) for a target (3)", message, wanted, idea);
}

// %% nbgrader={"grade": false, "grade_id": "losses-one-hot", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Class indices `(B)` as rows of zeros with a single 1: `(B, classes)`. The row of a target that is [`IGNORED`] has
/// no 1. Panics with the row and the value in the message for any other number that is no class.
///
/// TODO: check each class index, then set its 1.
///
/// APPROACH:
/// 1. Start with zeros for all rows.
/// 2. A class is at least 0, below `classes`, and a whole number. For every other number call `not_a_class`, which
///    is given: it panics. Write the condition so that NaN is no class.
/// 3. Find where row `r` begins in a list of all elements, and set the element of its class.
///
/// EXAMPLE: `[2, 0]` with 3 classes becomes `[[0, 0, 1], [1, 0, 0]]`; 3, 0.5 and NaN are not among 3 classes.
///
/// HINTS: `counted`, which is given, lists row and class of each target that is not ignored; `fract` is 0 for a whole
/// number.
pub fn one_hot(targets: &Tensor, classes: usize) -> Tensor {
    todo!("losses-one-hot")
}

// %% nbgrader={"grade": true, "grade_id": "test-losses-one-hot", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, and every kind of number that is not a class.
#[test]
fn test_unit_one_hot() {
    use tinytorch::testing::{expect_eq, panic_message};

    let rows = one_hot(&Tensor::new(&[2.0, 0.0], &[2]), 3);
    let yours = (rows.shape().to_vec(), rows.to_vec());
    let wanted = (vec![2, 3], vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    expect_eq("[2, 0], 3 classes", yours, wanted, "row r begins at element r * classes");
    let mut rows = vec![];
    let message = panic_message(|| {
        rows = one_hot(&Tensor::new(&[IGNORED, 1.0], &[2]), 2).to_vec();
    });
    let idea = "the row of an ignored target stays zero: use `counted`";
    assert!(message.contains("no panic"), "for [-100, 1], 2 classes: {message}\n  idea: {idea}");
    expect_eq("[-100, 1], 2 classes", rows, vec![0.0, 0.0, 0.0, 1.0], idea);
    for wrong in [3.0, -1.0, 0.5, f32::NAN, f32::INFINITY] {
        let targets = Tensor::new(&[0.0, wrong], &[2]);
        let message = panic_message(|| one_hot(&targets, 3));
        let wanted = panic_message(|| not_a_class(1, wrong, 3));
        let idea = "a class is a whole number from 0 to classes - 1; NaN is none";
        expect_eq(format!("[0, {wrong}], 3 classes"), message, wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "losses-cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The cross-entropy, for classification: predictions are logits, one for each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropyLoss;

impl Loss for CrossEntropyLoss {
    /// The mean over the rows of minus the logarithm of the target class's probability. `prediction`: logits
    /// `(B, C)`. `target`: class indices `(B)`, from 0 to `C - 1`. As in PyTorch, `(B, C, ...)` with `(B, ...)` has
    /// more targets in a row, and a target that is [`IGNORED`] does not count. Panics with shapes, row and value in the
    /// message when they do not fit.
    ///
    /// TODO: compute the mean of the negative log-probabilities of the target classes.
    ///
    /// APPROACH:
    /// 1. `log_softmax` along the axis of the classes.
    /// 2. Pick the target class of each row: `masked` with the `one_hot` rows makes all other elements 0.
    /// 3. From the sum of all elements to the mean over the rows it is one factor, which also changes the sign. `rows`
    ///    is the number of targets that count.
    ///
    /// EXAMPLE: logits `[[0, 0]]` and target `[1]` give `ln 2 = 0.6931`.
    ///
    /// HINTS: a tensor can be multiplied by an `f32`, a negative one too.
    fn forward(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let (prediction, target) = &as_rows(prediction, target);
        if let Some((op, loss)) = backend::cross_entropy(prediction.array(), &counted(target)) {
            return Tensor::made_by(op, loss, &[prediction]); // In one pass, with kernels of lesson 18.
        }
        let (rows, classes) = (counted(target).len(), prediction.shape()[1]);
        todo!("losses-cross-entropy")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-losses-cross-entropy", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Certain and right, certain and wrong, equal logits, huge logits, the mean over rows, several targets in a row, an
/// ignored one, invalid targets.
#[test]
fn test_unit_cross_entropy() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let loss = |logits: &[f32], classes: &[f32]| {
        let shape = [classes.len(), logits.len() / classes.len()];
        let target = Tensor::new(classes, &[classes.len()]);
        CrossEntropyLoss.forward(&Tensor::new(logits, &shape), &target).item()
    };
    let certain = [loss(&[10.0, 0.0, 0.0], &[0.0]), loss(&[10.0, 0.0, 0.0], &[1.0])];
    let idea = "the loss of a row is -log_softmax of its class: almost 0 when certain and right, about 10 when \
                wrong; then divide by the number of rows";
    let input = "logits [10, 0, 0] with class 0, then with class 1";
    expect_close(input, &certain, &[0.000_09, 10.000_09], 1e-4, idea);
    expect_close("ten equal logits", &[loss(&[1.0; 10], &[3.0])], &[10.0_f32.ln()], 1e-6, idea);
    let huge = [loss(&[1000.0, 0.0], &[0.0]), loss(&[1000.0, 0.0], &[1.0])];
    let idea = "use `log_softmax`: a probability may be 0";
    expect_close("logits [1000, 0], class 0, then class 1", &huge, &[0.0, 1000.0], 1e-3, idea);
    let excluded = [f32::NEG_INFINITY, 0.0, 0.0];
    let idea = "0 x inf is NaN: use `masked`";
    expect_close("logits [-inf, 0, 0]", &[loss(&excluded, &[1.0])], &[2.0_f32.ln()], 1e-6, idea);
    expect_close("logits [3e38, -3e38]", &[loss(&[3e38, -3e38], &[0.0])], &[0.0], 0.0, idea);
    let rows = [loss(&[1.0, 2.0], &[0.0]), loss(&[3.0, 5.0], &[1.0])];
    let both = loss(&[1.0, 2.0, 3.0, 5.0], &[0.0, 1.0]);
    let idea = "sum the picked logarithms, and divide by the number of rows";
    expect_close("two rows", &[both], &[(rows[0] + rows[1]) / 2.0], 1e-6, idea);

    let with_ignored = loss(&[1.0, 2.0, 9.0, 9.0, 3.0, 5.0], &[0.0, IGNORED, 1.0]);
    let idea = "divide by the number of rows that count";
    expect_close("two rows and an ignored one", &[with_ignored], &[both], 1e-6, idea);
    let logits = Tensor::new(&[1.0, 3.0, 2.0, 5.0], &[1, 2, 2]);
    let loss = CrossEntropyLoss.forward(&logits, &Tensor::new(&[0.0, 1.0], &[1, 2])).item();
    let idea = "the classes are axis 1: the given first line makes rows of the others";
    expect_close("the two rows as columns", &[loss], &[both], 1e-6, idea);

    let wrong = |logits: &[usize], targets: &[usize]| {
        panic_message(|| CrossEntropyLoss.forward(&Tensor::ones(logits), &Tensor::ones(targets)))
    };
    let checked = "the given check of the shapes stays first";
    let wanted = "cross entropy: logits (3) must be (rows, classes)".to_owned();
    expect_eq("logits (3)", wrong(&[3], &[3]), wanted, checked);
    let wanted =
        "cross entropy: logits (2, 3), whose axis 1 is the classes, need targets (2), got (2, 3)";
    expect_eq("logits and targets (2, 3)", wrong(&[2, 3], &[2, 3]), wanted.to_owned(), checked);
    let ignored = Tensor::full(&[2], IGNORED);
    let message = panic_message(|| CrossEntropyLoss.forward(&Tensor::ones(&[2, 3]), &ignored));
    let wanted = "cross entropy: all 2 targets are ignored (-100), so there is no mean";
    expect_eq("two ignored targets", message, wanted.to_owned(), checked);
    let wanted = panic_message(|| not_a_class(0, 1.0, 1));
    expect_eq("class 1 of one class", wrong(&[1, 1], &[1]), wanted, "`one_hot` checks the classes");
    let tracked = CrossEntropyLoss.forward(&Tensor::ones(&[1, 3]).tracked(), &Tensor::zeros(&[1]));
    assert!(tracked.is_tracked(), "use tensor operations only: lesson 05 follows them");
}

// %% nbgrader={"grade": false, "grade_id": "losses-binary-cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The binary cross-entropy, for predictions that are probabilities of the positive class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryCrossEntropyLoss;

impl Loss for BinaryCrossEntropyLoss {
    /// The mean of `-(t ln p + (1 - t) ln(1 - p))`, for a target `t` and a prediction `p`. Any shape, the same for both.
    /// Panics when shapes differ, or a prediction or a target is not between 0 and 1.
    ///
    /// TODO: compute the formula without an infinite logarithm.
    ///
    /// APPROACH:
    /// 1. `clamped_log` is the natural logarithm, but never below -100: a prediction may be exactly 0 or 1.
    /// 2. Compute the two terms, that of the positive class and that of the negative one.
    /// 3. Take the mean of their sum, and change its sign.
    ///
    /// EXAMPLE: `p = 0.5` gives `ln 2 = 0.6931`, whatever the target.
    ///
    /// HINTS: a number minus a tensor is a tensor; a minus sign works on tensors.
    fn forward(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        check_same_shape("binary cross entropy", prediction, target);
        check_probabilities("prediction", prediction, "apply a sigmoid first");
        check_probabilities("target", target, "use 1 for the positive class and 0 for the other");
        todo!("losses-binary-cross-entropy")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-losses-binary-cross-entropy", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Right, wrong, in between, exactly 0 and 1, numbers that are not probabilities.
#[test]
fn test_unit_binary_cross_entropy() {
    use std::f32::consts::LN_2;
    use tinytorch::testing::{expect_close, panic_message};

    let loss = |p: &[f32], t: &[f32]| {
        let shape = [p.len()];
        BinaryCrossEntropyLoss.forward(&Tensor::new(p, &shape), &Tensor::new(t, &shape)).item()
    };
    let certain = [loss(&[0.999, 0.001], &[1.0, 0.0]), loss(&[0.001, 0.999], &[1.0, 0.0])];
    let idea = "the mean of both terms: -ln p where the target is 1, -ln(1 - p) where it is 0";
    let input = "p = [0.999, 0.001], then [0.001, 0.999], targets [1, 0]";
    expect_close(input, &certain, &[0.001, 6.907_75], 1e-4, idea);
    expect_close("p = [0.5, 0.5]", &[loss(&[0.5, 0.5], &[1.0, 0.0])], &[LN_2], 1e-6, idea);
    let mixed = loss(&[0.9, 0.2], &[1.0, 0.0]);
    expect_close("p = [0.9, 0.2], targets [1, 0]", &[mixed], &[0.164_252], 1e-5, idea);
    let edges = [loss(&[0.0, 1.0], &[1.0, 0.0]), loss(&[0.0, 1.0], &[0.0, 1.0])];
    let idea =
        "a logarithm of 0 is infinite, and a shifted probability is another one: use `clamped_log`";
    let input = "p = [0, 1], targets [1, 0], then [0, 1]";
    expect_close(input, &edges, &[100.0, 0.0], 0.0, idea);
    expect_close("p = 1e-16, target 1", &[loss(&[1e-16], &[1.0])], &[36.841_362], 1e-4, idea);
    for (p, t, named) in [
        ([0.5, 1.5], [1.0, 1.0], "binary cross entropy: prediction 1 is 1.5"),
        ([0.5, f32::NAN], [1.0, 1.0], "binary cross entropy: prediction 1 is NaN"),
        ([0.5, 0.5], [1.0, 2.0], "binary cross entropy: target 1 is 2"),
    ] {
        let message = panic_message(|| loss(&p, &t));
        let checked = message.starts_with(named);
        assert!(checked, "p = {p:?}, targets {t:?}: the given checks stay first, got: {message}");
    }
    let halves = Tensor::full(&[2], 0.5);
    let tracked = BinaryCrossEntropyLoss.forward(&halves.clone().tracked(), &halves);
    assert!(tracked.is_tracked(), "use tensor operations only: lesson 05 follows them");
}

// %% nbgrader={"grade": false, "grade_id": "losses-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The cross-entropy with class weights, `(C)`: a mean over the rows in which each counts as much as the weight of its
/// class.
///
/// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. With a weight of 10 for every
/// class the loss is ten times the cross-entropy without weights; equal weights should change nothing.
///
/// ```text
/// let weighted = one_hot(target, classes) * weights;
/// let picked = masked(&log_softmax(logits, 1), &weighted);
/// picked.sum() * (-1.0 / counted(target).len() as f32)
/// ```
///
/// APPROACH:
/// 1. Calculate by hand what the lines give for two rows and weights of 10.
/// 2. Ask by what a weighted mean is divided.
///
/// EXAMPLE: two rows cost 1 and 3, and their classes have the weights 1 and 9: the loss is `(1 + 27) / 10 = 2.8`.
///
/// HINTS: the class of a row decides its weight; weights of classes that do not occur do not count.
pub fn weighted_cross_entropy(logits: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
    let (logits, target) = &as_rows(logits, target);
    let (_rows, classes) = (counted(target).len(), logits.shape()[1]);
    check_class_weights(weights, classes);
    todo!("losses-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-losses-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Equal weights, unequal weights, an excluded class: the values are PyTorch's.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::expect_close;

    let logits = [2.0, 0.0, 1.0, 0.0, 3.0, -1.0, 1.0, 1.0, 1.0, 0.5, -2.0, 4.0];
    let logits = Tensor::new(&logits, &[4, 3]);
    let target = Tensor::new(&[0.0, 2.0, 1.0, 2.0], &[4]);
    let loss = |weights: [f32; 3]| {
        weighted_cross_entropy(&logits, &target, &Tensor::new(&weights, &[3])).item()
    };
    let idea = "a weighted mean divides by the weights of all rows, summed up: equal weights change nothing";
    for (weights, wanted) in
        [([1.0; 3], 1.401_064), ([10.0; 3], 1.401_064), ([1.0, 5.0, 0.5], 1.135_669_5)]
    {
        let input = format!("four rows of classes 0, 2, 1, 2, weights {weights:?}");
        expect_close(input, &[loss(weights)], &[wanted], 1e-5, idea);
    }
    let excluded = Tensor::new(&[f32::NEG_INFINITY, 0.0, 0.0], &[1, 3]);
    let (one, weights) = (Tensor::ones(&[1]), Tensor::ones(&[3]));
    let yours = weighted_cross_entropy(&excluded, &one, &weights).item();
    expect_close("logits [-inf, 0, 0]", &[yours], &[2.0_f32.ln()], 1e-6, "use `masked`");
    let tracked = weighted_cross_entropy(&logits.tracked(), &target, &weights);
    assert!(tracked.is_tracked(), "use tensor operations only: lesson 05 follows them");
}

// %% nbgrader={"grade": false, "grade_id": "losses-analyze-behaviour", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What is the loss of one prediction, from wrong to right?
///
/// Purpose: see what each loss penalizes. Measured: the three losses of this file for one prediction
/// that moves from 0 to 1 while the target is 1. Key insight: the squared error of a certain, wrong prediction is nearly
/// flat, while cross-entropy grows without limit. Production context: this is why classifiers are trained with
/// cross-entropy and not with squared error.
pub fn analyze_loss_behaviour(out: &mut Reporter) {
    let one = Tensor::ones(&[1]);
    let first = Tensor::zeros(&[1]);
    let squared = |p: f32| MSELoss.forward(&Tensor::full(&[1], p), &one).item();
    let binary = |p: f32| BinaryCrossEntropyLoss.forward(&Tensor::full(&[1], p), &one).item();
    // Two logits whose softmax gives the first class probability p.
    let cross = |p: f32| {
        let logits = Tensor::new(&[(p / (1.0 - p)).ln(), 0.0], &[1, 2]);
        CrossEntropyLoss.forward(&logits, &first).item()
    };
    let curve = |loss: &dyn Fn(f32) -> f32| -> Vec<(f64, f64)> {
        let predictions = (1..100).map(|percent| percent as f32 / 100.0);
        predictions.map(|p| (f64::from(p), f64::from(loss(p)))).collect()
    };
    out.chart(Chart {
        title: "Loss of a prediction whose target is 1".into(),
        kind: ChartKind::Line,
        x: Axis::linear("prediction", ""),
        y: Axis::linear("loss", ""),
        series: vec![
            Series::new("squared error", curve(&squared)),
            Series::new("binary cross-entropy", curve(&binary)),
        ],
        origin: Origin::Measured,
    });
    let rows = [0.01_f32, 0.1, 0.5, 0.9, 0.99]
        .map(|p| vec![p.into(), squared(p).into(), binary(p).into(), cross(p).into()]);
    out.table(Table {
        title: "The same as numbers".into(),
        columns: [
            "prediction",
            "squared error",
            "binary cross-entropy",
            "cross-entropy, 2 classes",
        ]
        .map(Column::plain)
        .to_vec(),
        rows: rows.to_vec(),
        origin: Origin::Measured,
    });
    let ratio = binary(0.01) / squared(0.01);
    out.measured("cross-entropy compared with squared error at 0.01", f64::from(ratio), "x");
    let forms = rows_differ([0.01_f32, 0.1, 0.5, 0.9, 0.99].map(|p| [binary(p), cross(p)]));
    out.insight(loss_behaviour_insight(ratio, forms));
}

/// The largest relative difference within a pair.
fn rows_differ(pairs: [[f32; 2]; 5]) -> f32 {
    pairs.iter().fold(0.0, |largest, [a, b]| largest.max((a - b).abs() / b.abs()))
}

/// What the losses of one prediction say: the ratio of binary cross-entropy to squared error at 0.01, and the largest
/// relative difference between the binary form and that for two classes.
pub fn loss_behaviour_insight(ratio: f32, forms: f32) -> String {
    let size = match ratio {
        r if r > 1.05 => format!("{r:.1} times the squared error"),
        r if r < 0.95 => format!("only {r:.2} times the squared error"),
        _ => "about as large as the squared error".to_owned(),
    };
    let agree = if forms < 1e-3 { "agree" } else { "do not agree: one of them is wrong" };
    format!(
        "For a prediction of 0.01, cross-entropy is {size}. The binary form and the form for two classes {agree}."
    )
}

// %% nbgrader={"grade": false, "grade_id": "losses-analyze-stability", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Where does the naive formula overflow?
///
/// Purpose: see why `log_softmax` subtracts the maximum. Measured: the cross-entropy of logits `(s, 0)`
/// for growing `s`, by `-ln(softmax)` as the formula says, by a softmax that subtracts the maximum,
/// and by this file. Key insight: `e^89` is more than an `f32` can hold, so the naive form is
/// infinite or NaN from there; a probability smaller than an `f32` can hold becomes 0, whose logarithm is
/// infinite too. Production context: frameworks offer `log_softmax` and cross-entropy of logits for this reason.
pub fn analyze_numerical_stability(out: &mut Reporter) {
    let target = Tensor::ones(&[1]);
    let logits = [3.0_f32, 30.0, 80.0, 88.0, 89.0, 103.0, 300.0, 700.0];
    let results = logits.map(|logit| {
        let row = Tensor::new(&[logit, 0.0], &[1, 2]);
        let powers = row.exp();
        let naive = (&powers / powers.sum_axis(1, true)).log().to_vec();
        let shifted = Softmax::LAST.forward(&row).log().to_vec();
        let stable = CrossEntropyLoss.forward(&row, &target).item();
        [logit, -naive[0], -naive[1], -shifted[1], stable]
    });
    out.table(Table {
        title: "Cross-entropy of logits (s, 0)".into(),
        columns: [
            "s",
            "naive, class 0",
            "naive, class 1",
            "shifted, class 1",
            "log_softmax, class 1",
        ]
        .map(Column::plain)
        .to_vec(),
        rows: results.iter().map(|row| row.map(Into::into).to_vec()).collect(),
        origin: Origin::Measured,
    });
    let first_broken = |column: usize| results.iter().find(|row| !row[column].is_finite());
    let broken = [2, 3, 4].map(|column| first_broken(column).map(|row| row[0]));
    if let Some(s) = broken[0] {
        out.measured("naive form: first s that fails, of those tried", s.into(), "");
    }
    if let Some(s) = broken[1] {
        out.measured("shifted softmax: first s that fails, of those tried", s.into(), "");
    }
    out.insight(stability_insight(broken));
}

/// What the smallest logit at which a form was infinite or NaN says: the naive form, the shifted softmax, and
/// log_softmax.
pub fn stability_insight(broken: [Option<f32>; 3]) -> String {
    let until = |logit: Option<f32>| match logit {
        Some(logit) => format!("is infinite or NaN from s = {logit} on, of those tried"),
        None => "is finite for every s that was tried".to_owned(),
    };
    let [naive, shifted, log] = broken.map(until);
    let lesson = match broken {
        [_, Some(_), None] => {
            " A stable softmax alone is not enough: the logarithm of a probability that became 0 is infinite."
        }
        _ => "",
    };
    format!("The naive form {naive}; a shifted softmax {shifted}; log_softmax {log}.{lesson}")
}

// %% nbgrader={"grade": false, "grade_id": "losses-analyze-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a loss cost in memory?
///
/// Purpose: know which part of a step needs the most memory. Measured: the peak while the cross-entropy of
/// `(B, C)` logits is computed, and what stays allocated when it is computed with a history, by a counting allocator.
/// Key insight: the intermediate tables are as large as the logits; a history keeps them all. Production context: with
/// a vocabulary of 50,000 the loss can need more memory than the layer before it.
pub fn analyze_loss_memory(out: &mut Reporter) {
    let mut rng = Rng::seeded(2);
    let (mut rows, mut curves, mut ratios) = (vec![], vec![], [0.0; 2]);
    for classes in [10, 100, 1000] {
        let mut curve = vec![];
        for batch in [32, 128, 512, 1024] {
            let logits = Tensor::randn(&[batch, classes], &mut rng);
            let targets: Vec<f32> = (0..batch).map(|_| rng.below(classes) as f32).collect();
            let (target, tracked) = (Tensor::new(&targets, &[batch]), logits.clone().tracked());
            let without = memory(|| CrossEntropyLoss.forward(&logits, &target));
            let with = memory(|| CrossEntropyLoss.forward(&tracked, &target));
            let (Some(without), Some(with)) = (without.1, with.1) else {
                out.note(
                    "This program counts no bytes; the tutor's own run of this analysis does.",
                );
                return;
            };
            let (bytes, peak, kept) = (logits.nbytes(), without.peak, with.kept);
            ratios = [peak, kept].map(|used| used as f64 / bytes as f64);
            let [at_peak, in_history] = ratios.map(Into::into);
            rows.push(vec![
                classes.into(),
                batch.into(),
                bytes.into(),
                peak.into(),
                at_peak,
                in_history,
            ]);
            curve.push((batch as f64, peak as f64));
        }
        curves.push(Series::new(format!("{classes} classes"), curve));
    }
    let columns = [
        ("classes", ""),
        ("rows", ""),
        ("logits", "B"),
        ("peak of the loss", "B"),
        ("peak / logits", "x"),
        ("kept with a history / logits", "x"),
    ];
    out.measured_table("Memory while a cross-entropy is computed", &columns, rows);
    out.measured_chart("Peak by rows", Axis::log("rows", ""), Axis::log("peak", "B"), curves);
    out.measured("peak of the loss compared with its logits, 1,024 x 1,000", ratios[0], "x");
    out.insight(loss_memory_insight(ratios));
}

/// What the memory of a loss says, divided by that of its logits: at its peak without a history, and kept with one.
pub fn loss_memory_insight([peak, kept]: [f64; 2]) -> String {
    let history = match kept / peak {
        r if r > 1.05 => "With a history more stays allocated than that peak",
        r if r < 0.95 => "With a history less stays allocated than that peak",
        _ => "With a history about as much stays allocated",
    };
    format!(
        "At its peak, the loss needs {peak:.1} times the memory of its logits. {history}: {kept:.1} times the logits."
    )
}

// %% nbgrader={"grade": true, "grade_id": "test-losses-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Prices, pictures and spam: three tasks, three losses; the better prediction always has the lower loss.
#[test]
fn test_module() {
    use tinytorch::testing::expect_close;

    let prices = Tensor::new(&[250.0, 310.0, 180.0], &[3, 1]);
    let guesses = Tensor::new(&[240.0, 330.0, 175.0], &[3, 1]);
    let squared = MSELoss.forward(&guesses, &prices).item();
    expect_close("three prices", &[squared], &[175.0], 0.0, "divide by the number of elements");

    let lower = "the better prediction has the lower loss";
    let classes = Tensor::new(&[0.0, 2.0], &[2]);
    let better = Tensor::new(&[3.0, 0.5, 0.1, 0.2, 0.1, 2.0], &[2, 3]);
    let worse = Tensor::new(&[0.5, 3.0, 0.1, 0.2, 2.0, 0.1], &[2, 3]);
    let [low, high] =
        [better, worse].map(|logits| CrossEntropyLoss.forward(&logits, &classes).item());
    assert!(0.0 < low && low < high, "two pictures: {lower}: {low} and {high}");

    let spam = Tensor::new(&[1.0, 0.0, 1.0], &[3]);
    let loss = |p: &[f32]| BinaryCrossEntropyLoss.forward(&Tensor::new(p, &[3]), &spam).item();
    let (low, high) = (loss(&[0.9, 0.1, 0.8]), loss(&[0.5; 3]));
    assert!(0.0 < low && low < high, "three mails: {lower}: {low} and {high}");
}

// %% nbgrader={"grade": false, "grade_id": "losses-infinities", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// `x` times `mask`, and 0 where the mask is 0, whatever `x` is there: in a plain product, 0 times infinity is NaN.
pub fn masked(x: &Tensor, mask: &Tensor) -> Tensor {
    let chosen = zip_with("masked", x, mask, |x, mask| if mask == 0.0 { 0.0 } else { x * mask });
    Tensor::made_by(Op::Mul, chosen, &[x, mask])
}

/// `ln p`, but at least -100, as in PyTorch. Its gradient is `1 / p`, but at most 1e12. A logarithm that is only
/// clamped would have the gradient 0 where a prediction is most wrong.
pub fn clamped_log(p: &Tensor) -> Tensor {
    let constant = p.detach();
    let with = |f: fn(f32) -> f32| {
        let elements = constant.data().iter().map(|&p| f(p)).collect();
        Tensor::from_array(values(elements, p.shape()))
    };
    let (log, slope) = (with(|p| p.ln().max(-100.0)), with(|p| 1.0 / p.max(1e-12)));
    // The second term is 0. It is there for its gradient.
    log + slope * (p - &constant)
}

/// The binary cross-entropy of `sigmoid(z)`, for predictions that are logits `z`. A sigmoid of 17 or more is
/// exactly 1 in an `f32`; from the logit, loss and gradient stay exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryCrossEntropyWithLogitsLoss;

impl Loss for BinaryCrossEntropyWithLogitsLoss {
    /// The mean of `ln(1 + e^-z) + (1 - t) z`, with the exponent shifted so that it never overflows. Any shape,
    /// the same for both. Panics when shapes differ, or a target is not between 0 and 1.
    fn forward(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        check_same_shape("binary cross entropy", prediction, target);
        check_probabilities("target", target, "use 1 for the positive class and 0 for the other");
        // ln(1 + e^-z) = m + ln(e^-m + e^(-z - m)) for every m: a constant, without a gradient.
        let m = ReLU.forward(&-prediction.detach());
        let log = ((-&m).exp() + (-prediction - &m).exp()).log();
        ((1.0 - target) * prediction + m + log).mean()
    }
}

// %% nbgrader={"grade": false, "grade_id": "losses-checks", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Panics unless both have the same shape and at least one element.
fn check_same_shape(op: &str, prediction: &Tensor, target: &Tensor) {
    let (given, wanted) = (shape_text(prediction.shape()), shape_text(target.shape()));
    assert!(
        prediction.shape() == target.shape(),
        "{op}: prediction {given} and target {wanted} must have the same shape"
    );
    assert!(prediction.numel() > 0, "{op}: prediction {given} is empty, so it has no mean");
}

/// Panics unless there is one weight for each class.
fn check_class_weights(weights: &Tensor, classes: usize) {
    assert!(
        weights.shape() == [classes],
        "cross entropy: {classes} classes need weights ({classes}), got {}",
        shape_text(weights.shape())
    );
}

/// Row and class of each target that is not ignored.
pub fn counted(targets: &Tensor) -> Vec<(usize, f32)> {
    let all = targets.to_vec().into_iter().enumerate();
    all.filter(|&(_, class)| class != IGNORED).collect()
}

/// Logits `(B, C, ...)` and targets `(B, ...)` as `(N, C)` and `(N)`: one row for each target. Panics when their shapes
/// do not fit, or when no target counts.
fn as_rows(prediction: &Tensor, target: &Tensor) -> (Tensor, Tensor) {
    let given = shape_text(prediction.shape());
    let &[rows, classes, ref others @ ..] = prediction.shape() else {
        panic!("cross entropy: logits {given} must be (rows, classes)");
    };
    let wanted = [&[rows], others].concat();
    assert!(
        target.shape() == wanted,
        "cross entropy: logits {given}, whose axis 1 is the classes, need targets {}, got {}",
        shape_text(&wanted),
        shape_text(target.shape())
    );
    assert!(
        prediction.numel() > 0,
        "cross entropy: logits {given} are empty, so they have no mean"
    );
    let targets = target.numel();
    assert!(
        !counted(target).is_empty(),
        "cross entropy: all {targets} targets are ignored ({IGNORED}), so there is no mean"
    );
    if others.is_empty() {
        return (prediction.clone(), target.clone());
    }
    let classes_last: Vec<usize> = [0].into_iter().chain(2..prediction.ndim()).chain([1]).collect();
    let logits = prediction.permute(&classes_last).reshape(&[targets, classes]);
    (logits, target.reshape(&[targets]))
}

/// The cross-entropy in which the targets of one more class do not count, such as that of padding: PyTorch's
/// `ignore_index`. A trainer (lesson 07) weighs batches by the targets that are not [`IGNORED`]: mark them so there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropyIgnoring {
    /// The class.
    pub class: usize,
}

impl Loss for CrossEntropyIgnoring {
    /// That of [`CrossEntropyLoss`] over all other targets.
    fn forward(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let ignored = |&class: &f32| if class == self.class as f32 { IGNORED } else { class };
        let targets: Vec<f32> = target.data().iter().map(ignored).collect();
        CrossEntropyLoss.forward(prediction, &Tensor::new(&targets, target.shape()))
    }
}

/// Panics: `class`, the target of a row, is none of the classes.
pub fn not_a_class(row: usize, class: f32, classes: usize) -> ! {
    panic!(
        "cross entropy: target {row} is {class}, but the {classes} classes are the whole numbers from 0 to {}",
        classes.saturating_sub(1)
    )
}

/// Panics, naming the index, the value and the fix, unless every number is from 0 to 1.
fn check_probabilities(what: &str, probabilities: &Tensor, fix: &str) {
    for (index, p) in probabilities.to_vec().into_iter().enumerate() {
        assert!(
            (0.0..=1.0).contains(&p),
            "binary cross entropy: {what} {index} is {p}, not a probability: {fix}"
        );
    }
}

// %% nbgrader={"grade": false, "grade_id": "losses-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_loss_behaviour(&mut out);
    analyze_numerical_stability(&mut out);
    analyze_loss_memory(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "losses-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
