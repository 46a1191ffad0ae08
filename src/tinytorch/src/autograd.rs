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

// %% nbgrader={"grade": false, "grade_id": "autograd-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Module 05, Autograd: reverse-mode automatic differentiation, also called backpropagation.
//!
//! In: a tensor computed from tracked tensors, usually a loss. Out: the gradient of every tracked
//! leaf that took part. For `loss = f(w)`, `loss.backward().get(&w)` holds `d loss / d w`, in the
//! shape of `w`. By hand: `loss = (w * w).sum()` at `w = [1, -2]` gives `[2, -4]`.
//!
//! Builds on 01 (`Tensor` and its `History`); layers of 03 and losses of 04 train without a change.
//! Gradients are plain tensors without history, so second derivatives are not available.
//! Not here: what is done with a gradient (06).

use std::any::Any;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use tinytorch::activations::{ReLU, Tanh, normal_cdf, normal_density, sigmoid};
use tinytorch::ndarray::{Slice, Zip};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Reporter, Series, Table};
use tinytorch::tensor::{
    Elementwise, Op, Tensor, Values, part_starts, shape_text, without_history, zip_with,
};
use tinytorch::testing::{Ratio, Reading, compare, memory};

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Autograd
//
// A result that remembers its operation and its inputs is a node of a graph. Here you write how a
// calculation records such a graph, one gradient rule for each operation, which passes a gradient
// from the operation's output to its inputs, and the loop that runs the rules from the loss back to
// the weights: backpropagation.
//
// The order: a slow but reliable way to measure a gradient; the whole idea on single numbers, with
// sums and products only; the same on tensors; then rule by rule, each checked against a measurement.

// %% nbgrader={"grade": false, "grade_id": "autograd-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What a gradient rule returns: one gradient for each input, in that input's shape, or `None` for
/// an input that is not tracked.
pub type InputGradients = Vec<Option<Tensor>>;

/// How far [`numeric_gradient`] steps to each side: 2^-7, exact in binary. An `f32` holds 7 digits,
/// so a smaller step loses the difference in rounding (about `6e-8 / step`), and a larger one
/// measures the curvature as well (about `step^2 / 6`); both errors are near 1e-5 here.
pub const STEP: f32 = 1.0 / 128.0;

/// Runs `compute` only if `input` is tracked: a batch of data needs no gradient.
pub fn grad_for(input: &Tensor, compute: impl FnOnce() -> Tensor) -> Option<Tensor> {
    input.is_tracked().then(compute)
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-differences", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Central differences: a gradient, measured
//
// A derivative can be measured without any rule: increase one number a little, decrease it a
// little, and see how much the result changes. That takes two runs of the function for each number,
// which is far too slow for training. But there is no formula in it that could be wrong, so every
// rule below is checked against it.

// %% nbgrader={"grade": false, "grade_id": "autograd-numeric", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient of `sum(weights * function(at))` with respect to every number in `at`, measured.
///
/// `weights` has the shape of `function(at)` and says how much each output counts. The result has
/// the shape of `at`.
///
/// TODO: Measure the derivative for each number in turn.
///
/// APPROACH:
/// 1. `score(values)` is given: it runs the function and adds up the weighted outputs in `f64`.
/// 2. For each index, copy the numbers twice. In one copy this number is larger by [`STEP`], in the
///    other it is smaller by [`STEP`].
/// 3. The derivative is the difference of the two scores, divided by the distance between the two
///    numbers.
///
/// EXAMPLE: For `x * x` at `[3]` with the weights `[1]` the result is close to `[6]`.
///
/// HINTS:
/// - Take the distance from the two numbers as they are stored. It is not exactly twice [`STEP`],
///   because both were rounded to `f32`.
/// - Subtract and divide in `f64`; only the finished derivative becomes an `f32`.
pub fn numeric_gradient(
    function: impl Fn(&Tensor) -> Tensor,
    at: &Tensor,
    weights: &Tensor,
) -> Tensor {
    let (numbers, weights) = (at.to_vec(), weights.to_vec());
    let score = |values: &[f32]| -> f64 {
        let outputs = function(&Tensor::new(values, at.shape())).to_vec();
        outputs.iter().zip(&weights).map(|(&y, &w)| f64::from(y) * f64::from(w)).sum()
    };
    let derivatives: Vec<f32> = {
        // BEGIN SOLUTION
        (0..numbers.len())
            .map(|index| {
                let (mut up, mut down) = (numbers.clone(), numbers.clone());
                up[index] += STEP;
                down[index] -= STEP;
                let distance = f64::from(up[index]) - f64::from(down[index]);
                ((score(&up) - score(&down)) / distance) as f32
            })
            .collect()
        // END SOLUTION
    };
    Tensor::new(&derivatives, at.shape())
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-numeric", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The measured derivative agrees with one that is easily worked out by hand.
#[test]
fn test_unit_numeric_gradient() {
    use tinytorch::testing::{expect_close, expect_eq};
    let x = Tensor::new(&[3.0, -1.0, 0.5], &[3]);
    let squares = numeric_gradient(|x| x * x, &x, &Tensor::ones(&[3]));
    expect_eq("x of shape (3)", squares.shape(), &[3], "the gradient has the shape of x");
    let idea =
        "change one number at a time, on both sides, and divide by the distance between the two";
    expect_close("x * x at [3, -1, 0.5]", &squares.to_vec(), &[6.0, -2.0, 1.0], 1e-4, idea);

    let weighted = numeric_gradient(|x| x * x, &x, &Tensor::new(&[1.0, 0.0, 10.0], &[3]));
    let input = "the same with the weights [1, 0, 10]";
    expect_close(input, &weighted.to_vec(), &[6.0, 0.0, 10.0], 1e-3, "each output has its weight");

    let matrix = Tensor::new(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    let row = Tensor::new(&[0.5, -0.5], &[2]);
    let spread = numeric_gradient(|row| &matrix * row, &row, &Tensor::ones(&[2, 2]));
    let idea = "a number that reaches several outputs has the sum of their derivatives";
    expect_close("a row times [[1, 2], [3, 4]]", &spread.to_vec(), &[4.0, 6.0], 1e-3, idea);

    // Far from zero the two numbers are rounded, here the upper one: their distance is not 2 * STEP.
    let far = Tensor::new(&[131_072.0], &[1]);
    let one = numeric_gradient(Tensor::clone, &far, &Tensor::ones(&[1]));
    let idea = "take the distance from the two numbers as they were rounded to f32";
    expect_close("x itself at 131,072", &one.to_vec(), &[1.0], 1e-3, idea);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-tape-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## A calculation that remembers how it was made
//
// A gradient found without measuring needs a record of the calculation. The smallest one is a list
// of numbers, each with the operation and the inputs that made it. You write both directions:
// recording while the calculation runs, and the walk back that finds every derivative.

// %% nbgrader={"grade": false, "grade_id": "autograd-tape", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How a number was made. Inputs are positions on the [`Tape`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalarOp {
    /// Not computed: given by the user.
    Leaf(f32),
    /// The sum of two numbers.
    Add(usize, usize),
    /// The product of two numbers.
    Mul(usize, usize),
}

/// A number, and how it was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// The number.
    pub value: f32,
    /// What made it.
    pub op: ScalarOp,
}

/// The history of a calculation: all its numbers, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tape {
    /// The numbers. A number's inputs are before it.
    pub nodes: Vec<Node>,
}

// %% nbgrader={"grade": false, "grade_id": "autograd-record", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tape {
    /// Computes the number that `op` makes, writes it to the end of the tape together with `op`, and
    /// returns its position.
    ///
    /// TODO: Compute the number, remember what made it, and return its position.
    ///
    /// APPROACH:
    /// 1. A leaf contains its number. A sum or a product takes the numbers of its two inputs from the
    ///    tape.
    /// 2. Append a [`Node`] with the number and the operation.
    /// 3. Its position is how many numbers were on the tape before.
    ///
    /// EXAMPLE: On an empty tape the leaf 3 gets position 0, the leaf 2 position 1, and the product of
    /// 0 and 1 is 6 at position 2.
    ///
    /// HINTS:
    /// - A `match` on `op` has one arm for each of the three kinds.
    pub fn record(&mut self, op: ScalarOp) -> usize {
        // BEGIN SOLUTION
        let number = |position: usize| self.nodes[position].value;
        let value = match op {
            ScalarOp::Leaf(value) => value,
            ScalarOp::Add(a, b) => number(a) + number(b),
            ScalarOp::Mul(a, b) => number(a) * number(b),
        };
        self.nodes.push(Node { value, op });
        self.nodes.len() - 1
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-record", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every number is on the tape, with the operation and the inputs that made it.
#[test]
fn test_unit_record() {
    use ScalarOp::{Add, Leaf, Mul};
    use tinytorch::testing::expect_eq;
    // loss = (3 w - 6)^2 at w = 1.
    let ops = [Leaf(1.0), Leaf(3.0), Mul(0, 1), Leaf(-6.0), Add(2, 3), Mul(4, 4)];
    let mut tape = Tape::default();
    let places = ops.map(|op| tape.record(op));
    let input = "the tape of (3 w - 6)^2 at w = 1";
    expect_eq(input, places, [0, 1, 2, 3, 4, 5], "a number's place is the length before it");
    let values: Vec<f32> = tape.nodes.iter().map(|node| node.value).collect();
    let wanted = vec![1.0, 3.0, 3.0, -6.0, -3.0, 9.0];
    expect_eq(input, values, wanted, "a result is computed from the numbers of its two inputs");
    let made: Vec<ScalarOp> = tape.nodes.iter().map(|node| node.op).collect();
    expect_eq(input, made, ops.to_vec(), "remember the operation and its inputs with each number");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-walk", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tape {
    /// The derivative of the number at `result` with respect to every number on the tape, by position.
    ///
    /// TODO: Walk back from `result`, and pass each number's gradient on to its inputs.
    ///
    /// APPROACH:
    /// 1. All derivatives start at 0, only that of `result` with respect to itself is 1.
    /// 2. Visit the positions from `result` down to 0. When you arrive at a number, everything that
    ///    used it has been visited, so its gradient is complete.
    /// 3. A sum passes its gradient to both inputs. A product passes to each input its gradient times
    ///    the other input's number. A leaf has no inputs.
    ///
    /// EXAMPLE: For `x * x` at 3 the product passes 3 to `x`, twice: the gradient of `x` is 6.
    ///
    /// HINTS:
    /// - A number that was used twice receives two gradients. What must happen to the first one?
    pub fn gradients(&self, result: usize) -> Vec<f32> {
        // BEGIN SOLUTION
        let mut gradients = vec![0.0; self.nodes.len()];
        gradients[result] = 1.0;
        for position in (0..=result).rev() {
            let upstream = gradients[position];
            match self.nodes[position].op {
                ScalarOp::Leaf(_) => {}
                ScalarOp::Add(a, b) => {
                    gradients[a] += upstream;
                    gradients[b] += upstream;
                }
                ScalarOp::Mul(a, b) => {
                    gradients[a] += upstream * self.nodes[b].value;
                    gradients[b] += upstream * self.nodes[a].value;
                }
            }
        }
        gradients
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-walk", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The graph that is drawn in the lesson, a number that is used twice, and a result in the middle.
#[test]
fn test_unit_walk() {
    use ScalarOp::{Add, Leaf, Mul};
    use tinytorch::testing::expect_eq;
    // The tapes are written by hand: this test needs no `record`.
    let tape = |nodes: &[(f32, ScalarOp)]| Tape {
        nodes: nodes.iter().map(|&(value, op)| Node { value, op }).collect(),
    };
    let twice = "a number that is used twice gets the sum of its gradients: add, do not overwrite";
    let square = tape(&[(3.0, Leaf(3.0)), (9.0, Mul(0, 0))]);
    expect_eq("x * x at 3", square.gradients(1), vec![6.0, 1.0], twice);

    let two = tape(&[(2.0, Leaf(2.0)), (5.0, Leaf(5.0)), (7.0, Add(0, 1)), (10.0, Mul(0, 1))]);
    let sum = "a sum passes its gradient to both inputs; the result itself has the gradient 1";
    expect_eq("a + b at 2 and 5", two.gradients(2), vec![1.0, 1.0, 1.0, 0.0], sum);
    let other = "a product passes to each input its gradient times the other input's number";
    expect_eq("a * b at 2 and 5", two.gradients(3), vec![5.0, 2.0, 0.0, 1.0], other);

    // loss = (3 w - 6)^2 at w = 1: the numbers of the drawing.
    let ops = [Leaf(1.0), Leaf(3.0), Mul(0, 1), Leaf(-6.0), Add(2, 3), Mul(4, 4)];
    let values = [1.0, 3.0, 3.0, -6.0, -3.0, 9.0];
    let drawn: Vec<(f32, ScalarOp)> = values.into_iter().zip(ops).collect();
    let wanted = vec![-18.0, -6.0, -6.0, -6.0, -6.0, 1.0];
    let back = "walk from the result to the beginning: pass a gradient on when it is complete";
    expect_eq("(3 w - 6)^2 at w = 1", tape(&drawn).gradients(5), wanted, back);
    let both = tape(&[(3.0, Leaf(3.0)), (9.0, Mul(0, 0)), (12.0, Add(1, 0))]);
    expect_eq("x * x + x at 3", both.gradients(2), vec![7.0, 1.0, 1.0], twice);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-broadcast", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Sum over what broadcasting repeated
//
// A bias of shape (3) added to a batch of shape (32, 3) is used 32 times. Its gradient is the sum
// over those 32 uses: what broadcasting repeats in the forward pass is summed in the backward pass.

// %% nbgrader={"grade": false, "grade_id": "autograd-reduce", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Sums `gradient` down to `shape`, the shape that a tensor had before it was broadcast.
///
/// TODO: Undo the two things that broadcasting does.
///
/// APPROACH:
/// 1. If the shapes are equal there is nothing to do: a clone costs nothing.
/// 2. Broadcasting puts axes in front: while there are too many, sum over axis 0.
/// 3. Broadcasting stretches axes of size 1: sum over each of those and keep the axis.
///
/// EXAMPLE: A gradient of ones with shape (32, 3), reduced to (3), is `[32, 32, 32]`; reduced to
/// (32, 1) it is a column of threes.
///
/// HINTS:
/// - `sum_axis` removes the axis or keeps it with size 1, depending on its second argument.
/// - After step 2 the number of axes agrees, so axis `i` of one belongs to axis `i` of the other.
#[must_use]
pub fn reduce_to_shape(gradient: &Tensor, shape: &[usize]) -> Tensor {
    // BEGIN SOLUTION
    let mut reduced = gradient.clone();
    while reduced.ndim() > shape.len() {
        reduced = reduced.sum_axis(0, false);
    }
    for (axis, &size) in shape.iter().enumerate() {
        if size == 1 && reduced.shape()[axis] != 1 {
            reduced = reduced.sum_axis(axis, true);
        }
    }
    reduced
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-reduce", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every kind of broadcasting is undone, with the right sums.
#[test]
fn test_unit_reduce_to_shape() {
    use tinytorch::testing::{expect_close, expect_eq};
    let count: Vec<f32> = (0..6).map(|i| i as f32).collect();
    let grid = Tensor::new(&count, &[2, 3]);
    let sum = "sum over what was repeated: axes in front are removed, axes of size 1 are kept";
    for (shape, wanted) in [
        (&[2, 3][..], &count[..]),
        (&[3], &[3.0, 5.0, 7.0]),
        (&[2, 1], &[3.0, 12.0]),
        (&[1, 3], &[3.0, 5.0, 7.0]),
        (&[], &[15.0]),
        (&[1, 1], &[15.0]),
    ] {
        let reduced = reduce_to_shape(&grid, shape);
        let input = format!("[[0, 1, 2], [3, 4, 5]] reduced to {shape:?}");
        expect_eq(&input, reduced.shape(), shape, sum);
        expect_close(&input, &reduced.to_vec(), wanted, 0.0, sum);
    }

    let ones = Tensor::ones(&[4, 2, 5, 3]);
    for shape in [
        &[4, 2, 5, 3][..],
        &[2, 5, 3],
        &[5, 3],
        &[3],
        &[],
        &[1],
        &[5, 1],
        &[2, 1, 3],
        &[1, 1, 1, 1],
        &[4, 1, 5, 1],
    ] {
        let reduced = reduce_to_shape(&ones, shape);
        let input = format!("ones of shape [4, 2, 5, 3] reduced to {shape:?}");
        expect_eq(&input, reduced.shape(), shape, sum);
        let repeats = 120 / shape.iter().product::<usize>();
        let wanted = vec![repeats as f32; reduced.numel()];
        expect_close(&input, &reduced.to_vec(), &wanted, 0.0, sum);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## A gradient rule for each operation
//
// A rule gets `grad_output`, the gradient of the loss with respect to the operation's output (the
// *upstream gradient*), and the inputs. It returns the gradient with respect to each input: by the
// chain rule, the upstream gradient times the operation's own derivative. (This product is called a
// vector-Jacobian product.) Compute each gradient inside `grad_for`, which skips inputs that are
// not tracked.

// %% nbgrader={"grade": false, "grade_id": "autograd-add", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `a + b` (`sign` is 1) and `a - b` (`sign` is -1).
///
/// TODO: Return the gradients of `a` and `b`.
///
/// APPROACH:
/// 1. The derivative with respect to `a` is 1: `a` gets the upstream gradient as it is.
/// 2. The derivative with respect to `b` is `sign`: `b` gets the upstream gradient, negated for `a
///    - b`.
/// 3. Either may have been broadcast: reduce each gradient to its input's shape.
///
/// EXAMPLE: `a` (2, 3), `b` (3), an upstream gradient of ones: `a` gets ones, `b` gets `[2, 2, 2]`
/// from `+` and `[-2, -2, -2]` from `-`.
///
/// HINTS:
/// - Reduce first, then negate: fewer numbers are left by then.
/// - Compute each gradient in a closure that you pass to [`grad_for`]: it runs only if it is
///   needed.
#[must_use]
pub fn add_rule(grad_output: &Tensor, inputs: &[Tensor], sign: f32) -> InputGradients {
    // BEGIN SOLUTION
    vec![
        grad_for(&inputs[0], || reduce_to_shape(grad_output, inputs[0].shape())),
        grad_for(&inputs[1], || {
            let reduced = reduce_to_shape(grad_output, inputs[1].shape());
            if sign == 1.0 { reduced } else { -reduced }
        }),
    ]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-add", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A sum passes the upstream gradient on, a difference negates it for `b`, and data gets none.
#[test]
fn test_unit_add_rule() {
    use tinytorch::testing::{expect_close, expect_eq};
    let a = Tensor::zeros(&[2, 3]).tracked();
    let b = Tensor::zeros(&[3]).tracked();
    let grad_output = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);

    let pass = "a sum passes the upstream gradient on to both inputs";
    let reduce = "reduce each gradient to the shape of its input";
    let negate = "in a - b the gradient of b is negated";
    let values = |grad: &Option<Tensor>| grad.as_ref().map(Tensor::to_vec).unwrap_or_default();
    let grads = add_rule(&grad_output, &[a.clone(), b.clone()], 1.0);
    expect_eq("the number of gradients", grads.len(), 2, "one gradient for each input");
    expect_close("a in a + b", &values(&grads[0]), &grad_output.to_vec(), 0.0, pass);
    expect_close("b of shape (3) in a + b", &values(&grads[1]), &[5.0, 7.0, 9.0], 0.0, reduce);

    let grads = add_rule(&grad_output, &[b, a], -1.0);
    expect_close("a of shape (3) in a - b", &values(&grads[0]), &[5.0, 7.0, 9.0], 0.0, reduce);
    let negated = [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0];
    expect_close("b in a - b", &values(&grads[1]), &negated, 0.0, negate);

    let data = Tensor::zeros(&[2, 3]);
    let grads = add_rule(&grad_output, &[data.clone(), data.tracked()], 1.0);
    assert!(grads[0].is_none(), "what is not tracked gets no gradient");
    assert!(grads[1].is_some(), "what is tracked gets a gradient");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-mul", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `a * b`, elementwise.
///
/// TODO: Return the gradients of `a` and `b`.
///
/// APPROACH:
/// 1. The derivative of a product with respect to one factor is the other factor.
/// 2. Multiply the upstream gradient by it.
/// 3. Reduce each gradient to its input's shape.
///
/// EXAMPLE: `a = [2]`, `b = [5]`, upstream gradient `[10]`: `a` gets `[50]`, `b` gets `[20]`.
///
/// HINTS:
/// - The upstream gradient has the broadcast shape, and so has its product with either factor:
///   reduce after multiplying.
#[must_use]
pub fn mul_rule(grad_output: &Tensor, inputs: &[Tensor]) -> InputGradients {
    // BEGIN SOLUTION
    let (a, b) = (&inputs[0], &inputs[1]);
    vec![
        grad_for(a, || reduce_to_shape(&(grad_output * b), a.shape())),
        grad_for(b, || reduce_to_shape(&(grad_output * a), b.shape())),
    ]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-mul", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The gradient of each factor is the upstream gradient times the other factor.
#[test]
fn test_unit_mul_rule() {
    use tinytorch::testing::{expect_close, expect_eq, memory};
    let one = |value: f32| Tensor::new(&[value], &[1]);
    let values = |grad: &Option<Tensor>| grad.as_ref().map(Tensor::to_vec).unwrap_or_default();
    let other = "the gradient of a factor is the upstream gradient times the other factor";
    let grads = mul_rule(&one(10.0), &[one(2.0).tracked(), one(5.0).tracked()]);
    expect_close("a in 2 * 5, upstream 10", &values(&grads[0]), &[50.0], 0.0, other);
    expect_close("b in 2 * 5, upstream 10", &values(&grads[1]), &[20.0], 0.0, other);

    let mut rng = Rng::seeded(1);
    let a = Tensor::randn(&[4, 1, 3], &mut rng);
    let b = Tensor::randn(&[2, 1], &mut rng);
    let grad_output = Tensor::randn(&[4, 2, 3], &mut rng);
    let grads = mul_rule(&grad_output, &[a.clone().tracked(), b.clone().tracked()]);
    let (for_a, for_b) = (
        grads[0].as_ref().expect("what is tracked gets a gradient"),
        grads[1].as_ref().expect("what is tracked gets a gradient"),
    );
    let reduce = "multiply first, then reduce each gradient to the shape of its input";
    expect_eq("a of shape (4, 1, 3)", for_a.shape(), a.shape(), reduce);
    expect_eq("b of shape (2, 1)", for_b.shape(), b.shape(), reduce);
    let measured = numeric_gradient(|a| a * &b, &a, &grad_output);
    expect_close("a of shape (4, 1, 3)", &for_a.to_vec(), &measured.to_vec(), 1e-3, reduce);
    let measured = numeric_gradient(|b| &a * b, &b, &grad_output);
    expect_close("b of shape (2, 1)", &for_b.to_vec(), &measured.to_vec(), 1e-3, reduce);

    let big = Tensor::ones(&[100, 100]);
    let (none, used) = memory(|| mul_rule(&big, &[big.clone(), big.clone()]));
    assert!(none.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-order", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The order of the rules
//
// Two rules are enough for a backward pass. On the tape the position said which number comes next;
// tensors have an id, and a result's id is above those of its inputs. So: always take the pending
// tensor with the highest id. Whatever could still add to its gradient has a higher id, and is done.

// %% nbgrader={"grade": false, "grade_id": "autograd-accumulate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds `grad` to `total`, in place.
///
/// TODO: Add the numbers without allocating a third tensor.
///
/// APPROACH:
/// 1. `array_mut` opens the numbers of `total` for writing. If another tensor shares them they are
///    copied first, so that the other one does not change.
/// 2. ndarray adds one array to another in place.
///
/// EXAMPLE: `total = [1, 2]`, `grad = [10, 20]`: afterwards `total = [11, 22]`.
///
/// HINTS:
/// - `array` gives the numbers of `grad` for reading.
/// - The operator that adds in place takes a reference on its right side.
pub fn accumulate(total: &mut Tensor, grad: &Tensor) {
    // BEGIN SOLUTION
    *total.array_mut() += grad.array();
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-accumulate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The sum is right and in place, and a clone that shared the numbers does not change.
#[test]
fn test_unit_accumulate() {
    use tinytorch::testing::expect_eq;
    let mut total = Tensor::new(&[1.0, 2.0], &[2]);
    let before = total.array().as_ptr();
    accumulate(&mut total, &Tensor::new(&[10.0, 20.0], &[2]));
    let sum = "the total becomes the sum of both";
    expect_eq("[1, 2] and [10, 20]", total.to_vec(), vec![11.0, 22.0], sum);
    assert!(total.array().as_ptr() == before, "add in place: the sum was written to new memory");

    let clone = total.clone();
    accumulate(&mut total, &Tensor::ones(&[2]));
    expect_eq("[11, 22] and [1, 1]", total.to_vec(), vec![12.0, 23.0], sum);
    let keeps = "a clone keeps its numbers";
    expect_eq("a clone of the total", clone.to_vec(), vec![11.0, 22.0], keeps);
}

// %% nbgrader={"grade": false, "grade_id": "autograd-gradients", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The gradients found by a backward pass: one for each tracked leaf that took part.
#[derive(Clone, Default)]
pub struct Gradients {
    by_id: BTreeMap<u64, Tensor>,
}

// %% nbgrader={"grade": false, "grade_id": "autograd-initial", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient that a backward pass starts from: `grad_output` if it is given, else a 1 in the
/// shape of `result`, which must hold exactly one number.
///
/// Panics if `result` is not tracked, if it holds more than one number and no gradient is given, or
/// if the given gradient has another shape.
///
/// TODO: Return the gradient to start from, or panic with one of the three messages that are given.
///
/// APPROACH:
/// 1. `result` has no history: panic with `untracked`, whether a gradient is given or not.
/// 2. A gradient is given: its shape must be that of `result`, else panic with `mismatch`.
/// 3. None is given: for one number return ones of its shape, for more panic with `many`.
///
/// EXAMPLE: For a loss of shape () it is a 1 of shape (): the derivative of the loss with respect
/// to itself.
///
/// HINTS:
/// - `is_tracked` and `numel` answer the two questions.
/// - A gradient that is given may have a history of its own; `detach` leaves it behind.
#[must_use]
pub fn initial_gradient(result: &Tensor, grad_output: Option<&Tensor>) -> Tensor {
    let shape = shape_text(result.shape());
    let untracked = "backward: this tensor has no history: no tracked tensor took part in computing \
                     it, or it was computed inside no_grad; call \
                     autograd::track(model.parameters_mut()) before the forward pass";
    let many = format!(
        "backward: only a tensor with one number needs no gradient to start from, and this one \
         has shape {shape}; reduce it with .sum() or .mean(), or call \
         backward_with(&grad_output) with a gradient of shape {shape}"
    );
    let mismatch = |given: &Tensor| {
        let given = shape_text(given.shape());
        format!(
            "backward_with: grad_output has shape {given}, the tensor has shape {shape}; \
             make them equal"
        )
    };
    // BEGIN SOLUTION
    if !result.is_tracked() {
        panic!("{untracked}");
    }
    match grad_output {
        Some(grad_output) if grad_output.shape() != result.shape() => {
            panic!("{}", mismatch(grad_output))
        }
        Some(grad_output) => grad_output.detach(),
        None if result.numel() == 1 => Tensor::ones(result.shape()),
        None => panic!("{many}"),
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-initial", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A single number starts from 1; everything else needs a gradient of its shape.
#[test]
fn test_unit_initial_gradient() {
    use tinytorch::testing::{expect_eq, panic_message};
    let loss = Tensor::scalar(3.0).tracked();
    let grid = Tensor::zeros(&[2, 3]).tracked();
    let one = "the derivative of the loss with respect to itself is 1";
    expect_eq("a loss of 3", initial_gradient(&loss, None).to_vec(), vec![1.0], one);
    let start = initial_gradient(&Tensor::zeros(&[1, 1]).tracked(), None);
    let shape = "the gradient has the shape of the result";
    expect_eq("a result of shape (1, 1)", start.shape(), &[1, 1], shape);
    let grad_output = Tensor::full(&[2, 3], 5.0);
    let start = initial_gradient(&grid, Some(&grad_output)).to_vec();
    let given = "a gradient that is given is the one to start from";
    expect_eq("a given gradient of fives", start, vec![5.0; 6], given);
    let tracked = grad_output.clone().tracked();
    let start = initial_gradient(&grid, Some(&tracked));
    assert!(!start.is_tracked(), "detach the gradient that is given: its history is not needed");

    let untracked = Tensor::zeros(&[2, 3]);
    for given in [None, Some(&grad_output)] {
        let text = panic_message(|| initial_gradient(&untracked, given));
        assert!(text.contains("no history"), "a tensor that is not tracked: {text}");
    }
    let text = panic_message(|| initial_gradient(&grid, None));
    assert!(
        text.contains("needs no gradient to start from"),
        "several numbers, no gradient: {text}"
    );
    let text = panic_message(|| initial_gradient(&grid, Some(&Tensor::ones(&[3]))));
    assert!(text.contains("grad_output has shape (3)"), "a gradient of another shape: {text}");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-backpropagate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Carries `grad_output` from `result` back to every tracked leaf.
///
/// TODO: Write the loop. It needs no recursion and no sorting: the map keeps the order.
///
/// APPROACH:
/// 1. `pending` is given: tensors whose gradient may still grow, by id, each with its gradient so
///    far. At first it holds only `result`, with the upstream gradient.
/// 2. Take out the tensor with the highest id: its gradient is complete.
/// 3. If it is a leaf, its gradient belongs into `gradients.by_id`.
/// 4. Otherwise run its gradient rule: [`input_gradients`] takes the operation, the gradient, the
///    inputs and the tensor itself. Add each gradient that it returns to what is pending for that
///    input; an input that is not pending yet becomes so.
/// 5. When nothing is pending any more, return the gradients.
///
/// EXAMPLE: `y = x * x` with `x = 3` and an upstream gradient of 1: `y` is pending. Its rule
/// returns two gradients for `x`, 3 and 3: `x` is pending with 3, then with 6. `x` is a leaf, and
/// its gradient is 6.
///
/// HINTS:
/// - A `BTreeMap` can remove its highest key, and the entry of a key is either occupied or vacant.
/// - A tensor's `history` knows its `op` and its `inputs`; a leaf's operation is `Op::Leaf`.
/// - [`accumulate`] adds to what is pending, in place.
#[must_use]
pub fn backpropagate(result: &Tensor, grad_output: Tensor) -> Gradients {
    let mut gradients = Gradients::default();
    let mut pending: BTreeMap<u64, (Tensor, Tensor)> = BTreeMap::new();
    if let Some(id) = result.id() {
        pending.insert(id, (result.clone(), grad_output));
    }
    // BEGIN SOLUTION
    while let Some((id, (tensor, gradient))) = pending.pop_last() {
        let Some(history) = tensor.history() else { continue };
        if matches!(history.op(), Op::Leaf) {
            gradients.by_id.insert(id, gradient);
            continue;
        }
        let grads = input_gradients(history.op(), &gradient, history.inputs(), &tensor);
        // No longer needed. An input gradient that shares its numbers can now grow in place.
        drop(gradient);
        for (input, grad) in history.inputs().iter().zip(grads) {
            let (Some(id), Some(grad)) = (input.id(), grad) else { continue };
            match pending.entry(id) {
                Entry::Occupied(mut place) => accumulate(&mut place.get_mut().1, &grad),
                Entry::Vacant(place) => {
                    place.insert((input.clone(), grad));
                }
            }
        }
    }
    gradients
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-backpropagate", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Gradients of a shared input add up, every rule runs once, and a long chain is no problem.
#[test]
fn test_unit_backpropagate() {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use tinytorch::testing::expect_eq;

    let x = Tensor::scalar(3.0).tracked();
    let derivative = |y: &Tensor| backpropagate(y, Tensor::scalar(1.0)).get(&x).map(Tensor::item);
    let leaf = "the gradient of a leaf is the one that you start from";
    expect_eq("x itself, at x = 3", derivative(&x), Some(1.0), leaf);
    let used_twice = "x is used twice: its two gradients must be added, not overwritten";
    expect_eq("x * x at x = 3", derivative(&(&x * &x)), Some(6.0), used_twice);
    expect_eq("x + x at x = 3", derivative(&(&x + &x)), Some(2.0), used_twice);

    // x reaches z on two paths of different length: the rule of y must wait for both.
    let y = &x * 2.0;
    let z = &y * &(&y + 1.0);
    let wait = "the rule of y must wait until both of its gradients have arrived";
    expect_eq("z = y (y + 1) with y = 2 x, at x = 3", derivative(&z), Some(26.0), wait);

    // Only leaves are reported, and only those that took part.
    let other = Tensor::scalar(1.0).tracked();
    let gradients = backpropagate(&z, Tensor::scalar(1.0));
    assert!(gradients.get(&y).is_none(), "y is no leaf: its gradient is not kept");
    assert!(gradients.get(&other).is_none(), "a tensor that took no part has no gradient");

    // Twelve operations, each used twice by the next one: 4,096 paths, but twelve rules to run.
    struct Counted(Arc<AtomicU32>);
    impl GradientRule for Counted {
        fn gradients(&self, grad_output: &Tensor, _: &[Tensor], _: &Tensor) -> InputGradients {
            self.0.fetch_add(1, Relaxed);
            vec![Some(grad_output.clone())]
        }
    }
    let runs = Arc::new(AtomicU32::new(0));
    let mut y = x.clone();
    for _ in 0..12 {
        y = custom("counted", y.array().clone(), &[&y], Counted(Arc::clone(&runs)));
        y = &y + &y;
    }
    expect_eq("twelve doublings of x", derivative(&y), Some(4096.0), used_twice);
    let runs = runs.load(Relaxed);
    assert!(
        runs == 12,
        "12 operations ran their rules {runs} times: a rule must run once, when all gradients of its \
         output have arrived, and not once for every path to it"
    );

    // A recursion would need 100,000 frames of stack.
    let mut chain = x.clone();
    for _ in 0..100_000 {
        chain = chain + 1.0;
    }
    let every = "the gradient passes through every operation of the chain";
    expect_eq("x with 100,000 times 1 added", derivative(&chain), Some(1.0), every);
}

// %% nbgrader={"grade": false, "grade_id": "autograd-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The gradients of a result with respect to every tracked leaf.
pub trait Backward {
    /// Of a single number, usually a loss. Panics if it is not tracked or holds more numbers. The
    /// history stays, so a second call returns the same gradients.
    fn backward(&self) -> Gradients;

    /// Of any result; `grad_output` has its shape and says how much each number counts. Panics if
    /// the result is not tracked or the shapes differ.
    fn backward_with(&self, grad_output: &Tensor) -> Gradients;
}

impl Backward for Tensor {
    fn backward(&self) -> Gradients {
        let grad_output = initial_gradient(self, None);
        no_grad(|| backpropagate(self, grad_output))
    }

    fn backward_with(&self, grad_output: &Tensor) -> Gradients {
        let grad_output = initial_gradient(self, Some(grad_output));
        no_grad(|| backpropagate(self, grad_output))
    }
}

/// Runs `work` without recording a history: for evaluation, where no gradient is needed.
pub fn no_grad<T>(work: impl FnOnce() -> T) -> T {
    without_history(work)
}

// %% nbgrader={"grade": false, "grade_id": "autograd-track", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Makes leaves of the parameters: from now on, what is computed from them has a history. Panics
/// for a parameter that was itself computed from a tracked tensor, and for two that share their
/// numbers.
///
/// TODO: Track each parameter that is not tracked yet.
///
/// APPROACH:
/// 1. A parameter that is already tracked keeps its id: an optimizer or a gradient may refer to it.
/// 2. Any other is replaced by its tracked self.
/// 3. `check_parameters` is given: it panics for parameters that could not be trained.
///
/// EXAMPLE: `track(model.parameters_mut())`, once, before training.
///
/// HINTS:
/// - `tracked` takes the tensor by value; a clone shares the numbers and costs nothing.
pub fn track(parameters: Vec<&mut Tensor>) {
    check_parameters(&parameters);
    // BEGIN SOLUTION
    for parameter in parameters {
        if !parameter.is_tracked() {
            *parameter = parameter.clone().tracked();
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-track", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Tracking gives an id, tracking again keeps it, and the numbers do not change.
#[test]
fn test_unit_track() {
    use tinytorch::testing::expect_eq;
    let (mut w, mut b) = (Tensor::new(&[1.0, 2.0], &[2]), Tensor::scalar(3.0));
    track(vec![&mut w, &mut b]);
    assert!(w.is_tracked() && b.is_tracked(), "track every parameter");
    assert!(w.id() != b.id(), "each parameter has an id of its own");
    let numbers = (w.to_vec(), b.item());
    expect_eq("[1, 2] and 3", numbers, (vec![1.0, 2.0], 3.0), "tracking changes no number");
    let ids = (w.id(), b.id());
    track(vec![&mut w, &mut b]);
    let again = (w.id(), b.id());
    expect_eq("two parameters, tracked twice", again, ids, "a tracked parameter keeps its id");

    let gradients = (&w * &b).backward_with(&Tensor::ones(&[2]));
    let found = |leaf: &Tensor| gradients.get(leaf).map(Tensor::to_vec);
    let leaf = "a tracked parameter is a leaf: backward returns its gradient";
    expect_eq("w of w * b at [1, 2] and 3", found(&w), Some(vec![3.0, 3.0]), leaf);
    expect_eq("b of w * b at [1, 2] and 3", found(&b), Some(vec![3.0]), leaf);
    assert!(!no_grad(|| &w * &b).is_tracked(), "no_grad records nothing");
    assert!((&w * &b).is_tracked(), "after no_grad, histories are recorded again");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// One step of gradient descent: changes `w` by `-rate` times the gradient of `loss(w)`.
///
/// TODO: Find the fault in these lines, which a colleague wrote, and write them correctly. The first
/// step lowers the loss; in the second, `get` finds no gradient for `w`.
///
/// ```text
/// let gradients = loss(w).backward();
/// if let Some(gradient) = gradients.get(w) {
///     *w = &*w - &(gradient * rate);
/// }
/// ```
///
/// APPROACH:
/// 1. Ask of `w` after the first step: is it still a leaf? `history` and `id` answer that.
/// 2. Change the numbers of `w`, and leave the tensor what it is.
///
/// EXAMPLE: With `loss(w) = w * w` and a rate of 0.25, `w = 8` becomes 4, then 2, then 1.
///
/// HINTS:
/// - [`accumulate`] changes numbers in place too.
pub fn descend_once(w: &mut Tensor, rate: f32, loss: impl Fn(&Tensor) -> Tensor) {
    // BEGIN SOLUTION
    let gradients = loss(w).backward();
    if let Some(gradient) = gradients.get(w) {
        w.array_mut().scaled_add(-rate, gradient.array());
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Three steps in a row, each of which finds a gradient, on one and the same leaf.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::expect_close;
    let mut w = Tensor::scalar(8.0).tracked();
    let id = w.id();
    for wanted in [4.0, 2.0, 1.0] {
        descend_once(&mut w, 0.25, |w| w * w);
        let leaf =
            "w must stay the leaf that was tracked: what is computed from it is another tensor";
        expect_close("w after a step on w * w", &[w.item()], &[wanted], 1e-6, leaf);
        assert!(w.id() == id, "{leaf}");
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-more-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## More rules
//
// `backward` now differentiates whatever is made of sums and products. Each further rule lets it
// pass through one more kind of operation; the loop stays as it is.

// %% nbgrader={"grade": false, "grade_id": "autograd-div", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `a / b`, elementwise.
///
/// TODO: Return the gradients of `a` and `b`.
///
/// APPROACH:
/// 1. Find the derivative with respect to `a`, for a fixed `b`.
/// 2. Find the derivative with respect to `b`, and write it with `output`, which is `a / b`.
/// 3. Multiply each by the upstream gradient, and reduce it to its input's shape.
///
/// EXAMPLE: `a = [6]`, `b = [2]`, upstream gradient `[1]`: `a` gets `[0.5]`, `b` gets `[-1.5]`.
///
/// HINTS:
/// - The square of `b` is infinite in `f32` for `b = 1e20`. With `output` you do not need it.
#[must_use]
pub fn div_rule(grad_output: &Tensor, inputs: &[Tensor], output: &Tensor) -> InputGradients {
    // BEGIN SOLUTION
    let (a, b) = (&inputs[0], &inputs[1]);
    vec![
        grad_for(a, || reduce_to_shape(&(grad_output / b), a.shape())),
        grad_for(b, || reduce_to_shape(&-(grad_output * output / b), b.shape())),
    ]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-div", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Numerator and denominator, broadcast both ways.
#[test]
fn test_unit_div_rule() {
    use tinytorch::testing::{expect_close, expect_eq, memory};
    let mut rng = Rng::seeded(2);
    let a = Tensor::randn(&[3], &mut rng);
    let b = Tensor::rand(&[2, 3], &mut rng) + 1.0;
    let grad_output = Tensor::randn(&[2, 3], &mut rng);
    let reduce = "reduce each gradient to the shape of its input";
    for (a, b) in [(&a, &b), (&b, &(&a.mul(&a) + 1.0))] {
        let grads = div_rule(&grad_output, &[a.clone().tracked(), b.clone().tracked()], &(a / b));
        let (for_a, for_b) = (
            grads[0].as_ref().expect("what is tracked gets a gradient"),
            grads[1].as_ref().expect("what is tracked gets a gradient"),
        );
        expect_eq("a in a / b", for_a.shape(), a.shape(), reduce);
        expect_eq("b in a / b", for_b.shape(), b.shape(), reduce);
        let measured = numeric_gradient(|a| a / b, a, &grad_output);
        let idea = "the derivative with respect to a is 1 / b";
        expect_close("a in a / b", &for_a.to_vec(), &measured.to_vec(), 1e-3, idea);
        let measured = numeric_gradient(|b| a / b, b, &grad_output);
        let idea = "the derivative with respect to b is -output / b";
        expect_close("b in a / b", &for_b.to_vec(), &measured.to_vec(), 1e-3, idea);
    }
    let (a, b) = (Tensor::scalar(1e30), Tensor::scalar(1e20));
    let grads = div_rule(&Tensor::scalar(1e10), &[a.clone(), b.clone().tracked()], &(&a / &b));
    let got = [grads[1].as_ref().expect("what is tracked gets a gradient").item()];
    let idea = "b * b is infinite in f32: use output / b";
    expect_close("b = 1e20 in 1e30 / b, upstream 1e10", &got, &[-1.0], 1e-5, idea);

    let big = Tensor::ones(&[100, 100]);
    let (none, used) = memory(|| div_rule(&big, &[big.clone(), big.clone()], &big));
    assert!(none.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `a.matmul(b)` for (.., n, k) and (.., k, m), with an upstream gradient of
/// shape (.., n, m). (A vector is reshaped to a matrix before it gets here.)
///
/// TODO: Find the two matrix products that give `a` and `b` their gradients.
///
/// APPROACH:
/// 1. Let the shapes decide. The gradient of `a` is (n, k): which product of the upstream gradient
///    (n, m) and `b` (k, m) has that shape, if one of the two is transposed?
/// 2. The gradient of `b` is (k, m): it is made of `a` and the upstream gradient in the same way.
/// 3. Leading axes may have been broadcast: reduce each gradient to its input's shape.
///
/// EXAMPLE: `a = [[1, 2]]`, `b = [[3], [4]]`, upstream gradient `[[1]]`: `a` gets `[[3, 4]]`, `b`
/// gets `[[1], [2]]`.
///
/// HINTS:
/// - `t` swaps the last two axes and copies nothing.
/// - `tall` is given: if all matrices of a stack were multiplied by the same `b`, it puts their
///   rows into one matrix, so that a single product also sums over the stack. Apply it to both
///   factors of the gradient of `b`.
#[must_use]
pub fn matmul_rule(grad_output: &Tensor, inputs: &[Tensor]) -> InputGradients {
    let (a, b) = (&inputs[0], &inputs[1]);
    let tall = |x: &Tensor| match x.shape() {
        // Not -1: of rows without columns, the number cannot be worked out.
        [stack @ .., rows, columns] if !stack.is_empty() && b.ndim() == 2 => {
            x.reshape(&[stack.iter().product::<usize>() * rows, *columns])
        }
        _ => x.clone(),
    };
    // BEGIN SOLUTION
    vec![
        grad_for(a, || reduce_to_shape(&grad_output.matmul(&b.t()), a.shape())),
        grad_for(b, || reduce_to_shape(&tall(a).t().matmul(&tall(grad_output)), b.shape())),
    ]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-matmul", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two matrices by hand, then stacks of them, broadcast on either side.
#[test]
fn test_unit_matmul_rule() {
    use tinytorch::testing::{expect_close, expect_eq, memory};
    let (a, b) = (Tensor::new(&[1.0, 2.0], &[1, 2]), Tensor::new(&[3.0, 4.0], &[2, 1]));
    let grads = matmul_rule(&Tensor::ones(&[1, 1]), &[a.tracked(), b.tracked()]);
    let values = |grad: &Option<Tensor>| grad.as_ref().map(Tensor::to_vec).unwrap_or_default();
    let for_a_is = "a gets the upstream gradient times b transposed";
    let for_b_is = "b gets a transposed times the upstream gradient";
    expect_close("a in [[1, 2]] @ [[3], [4]]", &values(&grads[0]), &[3.0, 4.0], 0.0, for_a_is);
    expect_close("b in [[1, 2]] @ [[3], [4]]", &values(&grads[1]), &[1.0, 2.0], 0.0, for_b_is);

    let mut rng = Rng::seeded(3);
    let reduce = "sum over the leading axes that were broadcast: reduce to the shape of the input";
    for (a, b) in [
        (&[2, 3][..], &[3, 4][..]),
        (&[5, 2, 3], &[3, 4]),
        (&[2, 3], &[5, 3, 4]),
        (&[1, 2, 3], &[5, 3, 4]),
        (&[5, 2, 3], &[5, 3, 4]),
        (&[2, 1, 2, 3], &[5, 3, 4]),
    ] {
        let (a, b) = (Tensor::randn(a, &mut rng), Tensor::randn(b, &mut rng));
        let grad_output = Tensor::randn(a.matmul(&b).shape(), &mut rng);
        let grads = matmul_rule(&grad_output, &[a.clone().tracked(), b.clone().tracked()]);
        let (for_a, for_b) = (
            grads[0].as_ref().expect("what is tracked gets a gradient"),
            grads[1].as_ref().expect("what is tracked gets a gradient"),
        );
        let input = format!("{} @ {}", shape_text(a.shape()), shape_text(b.shape()));
        expect_eq(format!("a in {input}"), for_a.shape(), a.shape(), reduce);
        expect_eq(format!("b in {input}"), for_b.shape(), b.shape(), reduce);
        let measured = numeric_gradient(|a| a.matmul(&b), &a, &grad_output).to_vec();
        expect_close(format!("a in {input}"), &for_a.to_vec(), &measured, 2e-3, for_a_is);
        let measured = numeric_gradient(|b| a.matmul(b), &b, &grad_output).to_vec();
        expect_close(format!("b in {input}"), &for_b.to_vec(), &measured, 2e-3, for_b_is);
    }

    let big = Tensor::ones(&[100, 100]);
    let (none, used) = memory(|| matmul_rule(&big, &[big.clone(), big.clone()]));
    assert!(none.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-rearrange", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rules of the operations that only negate or rearrange: `-x`, `reshape` and
/// `transpose(a, b)`.
///
/// TODO: Return the gradient of the one input.
///
/// APPROACH:
/// 1. `Neg`: the derivative is -1.
/// 2. `Reshape`: the numbers kept their order, so the upstream gradient takes the input's shape.
/// 3. `Transpose(a, b)`: swapping the same two axes again undoes the swap.
///
/// EXAMPLE: `x` (2, 3) reshaped to (6), upstream gradient `[1, 2, 3, 4, 5, 6]`: `x` gets
/// `[[1, 2, 3], [4, 5, 6]]`.
///
/// HINTS:
/// - `signed` is given: the input's shape in the form that `reshape` takes.
/// - Match on `op`, with one arm for each operation and a last one that is `unreachable!`.
#[must_use]
pub fn rearrange_rule(op: &Op, grad_output: &Tensor, inputs: &[Tensor]) -> InputGradients {
    let signed: Vec<isize> = inputs[0].shape().iter().map(|&size| size as isize).collect();
    let moved_back = || -> Tensor {
        // BEGIN SOLUTION
        match op {
            Op::Neg => -grad_output,
            Op::Reshape => grad_output.reshape(&signed),
            Op::Transpose(a, b) => grad_output.transpose(*a, *b),
            _ => unreachable!("rearrange_rule handles Neg, Reshape and Transpose only"),
        }
        // END SOLUTION
    };
    vec![grad_for(&inputs[0], moved_back)]
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-rearrange", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The gradient is rearranged back to the order of the input.
#[test]
fn test_unit_rearrange_rule() {
    use tinytorch::testing::{expect_close, expect_eq};
    let x = Tensor::zeros(&[2, 3]).tracked();
    let back = |op: Op, grad_output: &Tensor, x: &Tensor| {
        let grads = rearrange_rule(&op, grad_output, std::slice::from_ref(x));
        grads.into_iter().next().flatten().expect("what is tracked gets a gradient")
    };
    let flat = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[6]);

    let grad = back(Op::Reshape, &flat, &x);
    expect_eq("reshape (2, 3) to (6)", grad.shape(), &[2, 3], "reshape back to the input's shape");
    expect_close("reshape", &grad.to_vec(), &flat.to_vec(), 0.0, "the numbers keep their order");

    let swap = "swap the same two axes again";
    let grad = back(Op::Transpose(0, 1), &flat.reshape(&[3, 2]), &x);
    expect_eq("transpose of (2, 3)", grad.shape(), &[2, 3], swap);
    let wanted = [1.0, 3.0, 5.0, 2.0, 4.0, 6.0];
    expect_close("transpose of (2, 3)", &grad.to_vec(), &wanted, 0.0, swap);
    let cube = Tensor::zeros(&[2, 3, 4]).tracked();
    let grad = back(Op::Transpose(0, 2), &Tensor::zeros(&[4, 3, 2]), &cube);
    expect_eq("transpose(0, 2) of (2, 3, 4)", grad.shape(), &[2, 3, 4], swap);

    let grad = back(Op::Neg, &flat.reshape(&[2, 3]), &x).to_vec();
    let wanted = [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0];
    expect_close("-x", &grad, &wanted, 0.0, "the derivative of -x is -1");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-sum", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `sum`, over all elements (output shape `()`) or over one kept axis (size 1
/// in the output).
///
/// TODO: Return the gradient of the one input.
///
/// APPROACH:
/// 1. The derivative of a sum with respect to each of its terms is 1: each number gets the upstream
///    gradient of the sum that it belongs to.
/// 2. So the upstream gradient is stretched to the input's shape.
///
/// EXAMPLE: `x` (2, 3) summed over its last axis to (2, 1), upstream gradient `[[10], [20]]`: `x`
/// gets `[[10, 10, 10], [20, 20, 20]]`.
///
/// HINTS:
/// - Broadcasting stretches. Which tensor of the input's shape can you combine with the upstream
///   gradient without changing its numbers?
#[must_use]
pub fn sum_rule(grad_output: &Tensor, inputs: &[Tensor]) -> InputGradients {
    // BEGIN SOLUTION
    vec![grad_for(&inputs[0], || Tensor::zeros(inputs[0].shape()) + grad_output)]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-sum", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every term of a sum gets the upstream gradient of that sum.
#[test]
fn test_unit_sum_rule() {
    use tinytorch::testing::{expect_close, expect_eq, memory};
    let x = [Tensor::zeros(&[2, 3]).tracked()];
    let check = |input: &str, grad_output: Tensor, wanted: [f32; 6]| {
        let grad = sum_rule(&grad_output, &x)[0].clone().expect("what is tracked gets a gradient");
        expect_eq(input, grad.shape(), &[2, 3], "the gradient has the shape of the input");
        let idea = "each term gets the upstream gradient of its own sum";
        expect_close(input, &grad.to_vec(), &wanted, 0.0, idea);
    };
    check("the sum of all", Tensor::scalar(7.0), [7.0; 6]);
    let rows = Tensor::new(&[10.0, 20.0], &[2, 1]);
    check("the sums of rows", rows, [10.0, 10.0, 10.0, 20.0, 20.0, 20.0]);
    let columns = Tensor::new(&[1.0, 2.0, 3.0], &[1, 3]);
    check("the sums of columns", columns, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);

    let big = Tensor::ones(&[100, 100]);
    let (none, used) = memory(|| sum_rule(&Tensor::scalar(1.0), std::slice::from_ref(&big)));
    assert!(none.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-max", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `max`, over all elements or over one kept axis. Where several numbers tie
/// for the maximum they split the upstream gradient equally, as in PyTorch's `amax`.
///
/// TODO: Return the gradient of the one input.
///
/// APPROACH:
/// 1. `winners` is given: 1 where the input equals its maximum, 0 elsewhere.
/// 2. Count the winners of each maximum: the sum of `winners`, in the output's shape.
/// 3. Each winner gets the upstream gradient divided by that count, all other numbers get 0.
///
/// EXAMPLE: `x = [1, 5, 5]`, upstream gradient 1: `x` gets `[0, 0.5, 0.5]`.
///
/// HINTS:
/// - [`reduce_to_shape`] sums; here it sums ones, so it counts.
/// - Divide while everything has the output's shape. The product with `winners` then broadcasts.
#[must_use]
pub fn max_rule(grad_output: &Tensor, inputs: &[Tensor], output: &Tensor) -> InputGradients {
    let winners = || {
        let is_largest = |x, largest| f32::from(x == largest);
        Tensor::from_array(zip_with("max", &inputs[0], output, is_largest))
    };
    // BEGIN SOLUTION
    vec![grad_for(&inputs[0], || {
        let winners = winners();
        let count = reduce_to_shape(&winners, output.shape());
        winners * (grad_output / count)
    })]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-max", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The maximum gets the whole upstream gradient; equal maxima split it.
#[test]
fn test_unit_max_rule() {
    use tinytorch::testing::{expect_close, memory};
    let x = Tensor::new(&[1.0, 5.0, 5.0, 4.0, 2.0, 3.0], &[2, 3]);
    let check = |input: &str, grad_output: Tensor, output: Tensor, wanted: [f32; 6], idea: &str| {
        let grad = max_rule(&grad_output, &[x.clone().tracked()], &output)[0].clone();
        let grad = grad.expect("what is tracked gets a gradient").to_vec();
        expect_close(input, &grad, &wanted, 0.0, idea);
    };
    let split = "equal maxima split the upstream gradient";
    let one = Tensor::scalar(1.0);
    check("[[1, 5, 5], [4, 2, 3]]", one, x.max(), [0.0, 0.5, 0.5, 0.0, 0.0, 0.0], split);
    let rows = Tensor::new(&[10.0, 20.0], &[2, 1]);
    let wanted = [0.0, 5.0, 5.0, 20.0, 0.0, 0.0];
    check("its rows", rows, x.max_axis(1, true), wanted, "count the winners of each maximum");
    let columns = Tensor::new(&[1.0, 2.0, 3.0], &[1, 3]);
    let wanted = [0.0, 2.0, 3.0, 1.0, 0.0, 0.0];
    check("its columns", columns, x.max_axis(0, true), wanted, "only the maximum gets a gradient");

    let big = Tensor::ones(&[100, 100]);
    let (none, used) =
        memory(|| max_rule(&Tensor::scalar(1.0), std::slice::from_ref(&big), &Tensor::scalar(1.0)));
    assert!(none.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-slice", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `slice`: `ranges` holds one range for each axis of the input.
///
/// TODO: Return the gradient of the one input.
///
/// APPROACH:
/// 1. Numbers outside the slice had no influence on the result: start with zeros in the input's
///    shape.
/// 2. Numbers inside were copied: write the upstream gradient into the same ranges.
///
/// EXAMPLE: `x` (4) sliced by `1..3`, upstream gradient `[10, 20]`: `x` gets `[0, 10, 20, 0]`.
///
/// HINTS:
/// - `scatter` is given: it writes the upstream gradient into those ranges of a tensor.
#[must_use]
pub fn slice_rule(
    grad_output: &Tensor,
    inputs: &[Tensor],
    ranges: &[Range<usize>],
) -> InputGradients {
    let scatter = |target: &mut Tensor| {
        let window = |axis: usize| Slice::from(ranges[axis].clone());
        let values = target.array_mut();
        values.slice_each_axis_mut(|axis| window(axis.axis.index())).assign(grad_output.array());
    };
    // BEGIN SOLUTION
    vec![grad_for(&inputs[0], || {
        let mut whole = Tensor::zeros(inputs[0].shape());
        scatter(&mut whole);
        whole
    })]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-slice", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The gradient is written where the numbers were taken from, and is 0 elsewhere.
#[test]
fn test_unit_slice_rule() {
    use tinytorch::testing::{expect_eq, memory};
    let check = |shape: &[usize], grad_output: Tensor, ranges: &[Range<usize>], wanted: &[f32]| {
        let x = [Tensor::zeros(shape).tracked()];
        let grad = slice_rule(&grad_output, &x, ranges)[0].clone();
        let grad = grad.expect("what is tracked gets a gradient");
        let input = format!("x of shape {shape:?}, sliced by {ranges:?}");
        let idea = "zeros in the input's shape, the upstream gradient inside the ranges";
        expect_eq(&input, grad.shape(), shape, idea);
        expect_eq(&input, grad.to_vec(), wanted.to_vec(), idea);
    };
    let two = |shape: &[usize]| Tensor::new(&[10.0, 20.0], shape);
    check(&[4], two(&[2]), std::slice::from_ref(&(1..3)), &[0.0, 10.0, 20.0, 0.0]);
    check(&[2, 3], two(&[2, 1]), &[0..2, 2..3], &[0.0, 0.0, 10.0, 0.0, 0.0, 20.0]);

    let big = Tensor::ones(&[100, 100]);
    let (none, used) =
        memory(|| slice_rule(&Tensor::ones(&[1, 1]), std::slice::from_ref(&big), &[0..1, 0..1]));
    assert!(none.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-derivative", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The upstream gradient times the derivative of an elementwise function, number by number.
/// `derivative` gets the function's input `x` and its output `y`.
pub fn times_derivative(
    grad_output: &Tensor,
    input: &Tensor,
    output: &Tensor,
    derivative: impl Fn(f32, f32) -> f32,
) -> Tensor {
    let triples = Zip::from(grad_output.array()).and(input.array()).and(output.array());
    Tensor::from_array(triples.map_collect(|&upstream, &x, &y| upstream * derivative(x, y)))
}

// %% nbgrader={"grade": false, "grade_id": "autograd-map", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of an elementwise function.
///
/// TODO: Give each of the eight functions of [`Elementwise`] its derivative.
///
/// APPROACH:
/// 1. Write down each derivative in terms of the input `x` and the output `y`. Where `y` is already
///    part of it, use `y`: that saves computing the function again.
/// 2. ReLU has a corner at 0 and no derivative there; by convention it is 0.
/// 3. `QuickGelu` is `x * sigmoid(1.702 x)`: apply the product rule, then the chain rule. `Gelu` is
///    `x * normal_cdf(x)`; the derivative of `normal_cdf` is `normal_density`.
///
/// EXAMPLE: `Exp` at `x = 0`, `y = 1` with an upstream gradient of 5 gives 5.
///
/// HINTS:
/// - [`times_derivative`] does the loop, so each arm of a `match` on the function is one closure. The compiler names
///   a function that has no arm.
/// - Four of the eight need only `y`.
/// - The test compares each one with central differences, and names the function and the place that
///   differ.
#[must_use]
pub fn map_rule(
    function: Elementwise,
    grad_output: &Tensor,
    inputs: &[Tensor],
    output: &Tensor,
) -> InputGradients {
    let x = &inputs[0];
    // BEGIN SOLUTION
    let for_x = || match function {
        Elementwise::Exp => times_derivative(grad_output, x, output, |_, y| y),
        Elementwise::Log => times_derivative(grad_output, x, output, |x, _| 1.0 / x),
        Elementwise::Sqrt => times_derivative(grad_output, x, output, |_, y| 0.5 / y),
        Elementwise::ReLU => times_derivative(grad_output, x, output, |x, _| f32::from(x > 0.0)),
        Elementwise::Sigmoid => times_derivative(grad_output, x, output, |_, y| y * (1.0 - y)),
        Elementwise::Tanh => times_derivative(grad_output, x, output, |_, y| 1.0 - y * y),
        Elementwise::Gelu => {
            times_derivative(grad_output, x, output, |x, _| normal_cdf(x) + x * normal_density(x))
        }
        Elementwise::QuickGelu => times_derivative(grad_output, x, output, |x, _| {
            let s = sigmoid(1.702 * x);
            s + 1.702 * x * s * (1.0 - s)
        }),
    };
    vec![grad_for(x, for_x)]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-map", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Eight derivatives against central differences, on both sides of zero and far from it.
#[test]
fn test_unit_map_rule() {
    use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Tanh};
    use tinytorch::tensor::{ElementwiseFunction, Exp, Log, Sqrt};
    use tinytorch::testing::{expect_eq, memory};
    let functions: [(&dyn ElementwiseFunction, &[f32]); 8] = [
        (&Exp, &[-3.0, -0.5, 0.0, 1.0, 3.0]),
        (&Log, &[0.3, 1.0, 2.0, 10.0]),
        (&Sqrt, &[0.3, 1.0, 4.0, 100.0]),
        (&ReLU, &[-10.0, -0.5, 0.5, 10.0]),
        (&Sigmoid, &[-8.0, -0.5, 0.0, 0.5, 8.0]),
        (&Tanh, &[-5.0, -0.5, 0.0, 0.5, 5.0]),
        (&Gelu, &[-4.0, -0.75, 0.0, 0.5, 4.0]),
        (&QuickGelu, &[-4.0, -0.75, 0.0, 0.5, 4.0]),
    ];
    let got = |function: Elementwise, x: &Tensor, y: &Tensor, grad_output: f32| {
        let grad_output = Tensor::full(x.shape(), grad_output);
        map_rule(function, &grad_output, &[x.clone().tracked()], y)[0]
            .clone()
            .expect("what is tracked gets a gradient")
            .to_vec()
    };
    for (function, places) in functions {
        let (name, x) = (function.kind(), Tensor::new(places, &[places.len()]));
        let y = x.map(function);
        let measured = numeric_gradient(|x| x.map(function), &x, &Tensor::full(x.shape(), 2.0));
        for ((got, want), x) in got(name, &x, &y, 2.0).iter().zip(measured.to_vec()).zip(places) {
            let close = (got - want).abs() <= 1e-3 * want.abs().max(1.0);
            assert!(
                close,
                "the derivative of {name:?} at {x}: got {got}, central differences give {want}"
            );
        }
    }
    let zero = Tensor::scalar(0.0);
    let corner = "at the corner of ReLU the derivative is 0, as in PyTorch";
    expect_eq("ReLU at 0", got(Elementwise::ReLU, &zero, &zero, 1.0), vec![0.0], corner);
    let big = Tensor::ones(&[100, 100]);
    let (none, used) =
        memory(|| map_rule(Elementwise::Exp, &big, std::slice::from_ref(&big), &big));
    assert!(none.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure
//
// What does a history cost in bytes, and what does the backward pass cost in time?

// %% nbgrader={"grade": false, "grade_id": "autograd-analyses", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Square layers with a ReLU after each, ending in one number.
fn deep_loss(x: &Tensor, weights: &[Tensor]) -> Tensor {
    let layer = |h: Tensor, w: &Tensor| ReLU.forward(&h.matmul(w));
    weights.iter().fold(x.clone(), layer).sum()
}

/// Tracked weights for [`deep_loss`], scaled so that the numbers neither vanish nor explode.
fn deep_weights(depth: usize, width: usize, rng: &mut Rng) -> Vec<Tensor> {
    let scale = (2.0 / width as f32).sqrt();
    (0..depth).map(|_| (Tensor::randn(&[width, width], rng) * scale).tracked()).collect()
}

/// 📊 Purpose: why a gradient by measurement does not scale. Measured: the time to get the whole
/// gradient of a layer by central differences and by `backward`, from 16 to 1,024 parameters. Key
/// insight: two runs for each parameter against one backward pass for all of them. Production
/// context: a model of 7 billion parameters would need 14 billion runs for one step.
pub fn analyze_gradient_methods(out: &mut Reporter) {
    let mut rng = Rng::seeded(5);
    let (mut rows, mut slow, mut fast) = (Vec::new(), Vec::new(), Vec::new());
    let mut factors = Vec::new();
    for parameters in [16, 64, 256, 1024] {
        let x = Tensor::randn(&[8, parameters], &mut rng);
        let w = Tensor::randn(&[parameters, 1], &mut rng);
        let loss = |w: &Tensor| Tanh.forward(&x.matmul(w)).sum();
        let one = Tensor::scalar(1.0);
        let leaf = w.clone().tracked();
        let timed = compare(7, || numeric_gradient(loss, &w, &one), || loss(&leaf).backward());
        slow.push((parameters as f64, timed.first.median));
        fast.push((parameters as f64, timed.second.median));
        let (measured, backward) = (timed.first.into(), timed.second.into());
        rows.push(vec![parameters.into(), measured, backward, timed.ratio.into()]);
        factors.push((parameters, timed));
    }
    out.table(Table {
        title: "One gradient, two ways".into(),
        columns: vec![
            Column::plain("parameters"),
            Column::with_unit("central differences", "s"),
            Column::with_unit("backward", "s"),
            Column::with_unit("factor", "x"),
        ],
        rows,
        origin: Origin::Measured,
    });
    out.chart(Chart {
        title: "Time for one gradient".into(),
        kind: ChartKind::Line,
        x: Axis::log("parameters", ""),
        y: Axis::log("time", "s"),
        series: vec![Series::new("central differences", slow), Series::new("backward", fast)],
        origin: Origin::Measured,
    });
    if let [first, .., last] = factors[..] {
        let (ratio, pair) = (last.1.ratio, ("central differences", "backward", last.1));
        out.compared("Timed in turn, 1,024 parameters", &[pair]);
        out.measured("central differences against backward, 1,024 parameters", ratio.median, "x");
        out.insight(gradient_methods_insight((first.0, first.1.ratio), (last.0, ratio)));
    }
}

/// What the times of central differences and of `backward` show, for a small and a large number of
/// parameters.
pub fn gradient_methods_insight(first: (usize, Ratio), last: (usize, Ratio)) -> String {
    let ((few, small), (many, large)) = (first, last);
    let compared = large.took("central differences", "backward");
    let known = |ratio: &Ratio| ratio.reading() != Reading::TooNoisy;
    if !known(&small) || !known(&large) {
        return format!("With {many} parameters: {compared} The growth cannot be read off here.");
    }
    let growth = if small.high < large.low {
        "grew with the number of parameters, because only central differences run the layer twice for \
         each of them"
    } else if large.high < small.low {
        "became smaller with more parameters, which the number of runs does not explain: measure again"
    } else {
        "did not clearly grow here"
    };
    format!(
        "With {many} parameters: {compared} The factor {growth} ({:.1} with {few}, {:.1} with {many}).",
        small.median, large.median
    )
}

/// 📊 Purpose: what the history costs. Measured: the bytes in use, seen by the counting allocator,
/// during a forward pass of 2 to 16 layers, without history and with it, and after the loss is
/// dropped. Key insight: without history a layer's result is freed after the next layer; with
/// history each is kept for the backward pass, so memory grows with depth. Production context:
/// activations, not weights, usually limit the batch size; gradient checkpointing throws some away
/// and computes them again.
pub fn analyze_graph_memory(out: &mut Reporter) {
    let mut rng = Rng::seeded(6);
    let x = Tensor::randn(&[64, 128], &mut rng);
    let (mut rows, mut plain, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut peaks = Vec::new();
    for depth in [2, 4, 8, 16] {
        let weights = deep_weights(depth, 128, &mut rng);
        let (_, without) = memory(|| no_grad(|| deep_loss(&x, &weights)));
        let (loss, with) = memory(|| deep_loss(&x, &weights));
        drop(loss);
        let ((), after) = memory(|| drop(deep_loss(&x, &weights)));
        let (Some(without), Some(with), Some(after)) = (without, with, after) else {
            out.note("No counting allocator is installed here, so there are no bytes to show.");
            return;
        };
        let ratio = with.peak as f64 / without.peak as f64;
        peaks.push((depth, without.peak, with.peak));
        plain.push((depth as f64, without.peak as f64));
        kept.push((depth as f64, with.peak as f64));
        let (peak, left) = (with.peak.into(), after.kept.into());
        rows.push(vec![depth.into(), without.peak.into(), peak, ratio.into(), left]);
    }
    out.table(Table {
        title: "Memory of a forward pass".into(),
        columns: vec![
            Column::plain("layers"),
            Column::with_unit("without history", "B"),
            Column::with_unit("with history", "B"),
            Column::with_unit("ratio", "x"),
            Column::with_unit("left after the loss is dropped", "B"),
        ],
        rows,
        origin: Origin::Measured,
    });
    out.chart(Chart {
        title: "Peak memory by depth".into(),
        kind: ChartKind::Line,
        x: Axis::linear("layers", ""),
        y: Axis::linear("memory", "B"),
        series: vec![Series::new("no_grad", plain), Series::new("with history", kept)],
        origin: Origin::Measured,
    });
    if let [first, .., last] = peaks[..] {
        let ratio = last.2 as f64 / last.1 as f64;
        out.measured("memory with history against without, 16 layers", ratio, "x");
        out.insight(graph_memory_insight(first, last));
    }
}

/// What a further layer costs in bytes. Each point is a number of layers, the peak without a history
/// and the peak with one.
pub fn graph_memory_insight(first: (usize, usize, usize), last: (usize, usize, usize)) -> String {
    let layers = last.0.saturating_sub(first.0).max(1);
    let without = last.1.saturating_sub(first.1) / layers;
    let with = last.2.saturating_sub(first.2) / layers;
    let each = format!(
        "From {} to {} layers, each further layer needed {with} bytes with a history and {without} \
         without one",
        first.0, last.0
    );
    if with > 2 * without {
        format!("{each}: with a history every result stays until the backward pass has used it.")
    } else if without > 2 * with {
        format!(
            "{each}: the opposite of what keeping results should cost; is the history recorded?"
        )
    } else {
        format!("{each}: there is no clear difference here.")
    }
}

/// 📊 Purpose: what a training step spends its time on. Measured: the forward pass and the backward
/// pass of four layers, by width. Key insight: the forward pass computes one matrix product per
/// layer, the backward pass two (one for the weights, one for the layer's input). Production
/// context: the rule of thumb "a training step costs three forward passes" is this ratio plus one.
pub fn analyze_backward_cost(out: &mut Reporter) {
    let mut rng = Rng::seeded(7);
    let (mut rows, mut forward_line, mut backward_line) = (Vec::new(), Vec::new(), Vec::new());
    let mut widest = None;
    for width in [32, 64, 128, 256] {
        let x = Tensor::randn(&[64, width], &mut rng);
        let weights = deep_weights(4, width, &mut rng);
        let loss = deep_loss(&x, &weights);
        let timed = compare(9, || loss.backward(), || deep_loss(&x, &weights));
        let (backward, forward) = (timed.first, timed.second);
        forward_line.push((width as f64, forward.median));
        backward_line.push((width as f64, backward.median));
        let ratio = timed.ratio.into();
        rows.push(vec![width.into(), forward.into(), backward.into(), ratio]);
        widest = Some(timed);
    }
    out.table(Table {
        title: "Forward and backward pass".into(),
        columns: vec![
            Column::plain("width"),
            Column::with_unit("forward", "s"),
            Column::with_unit("backward", "s"),
            Column::with_unit("ratio", "x"),
        ],
        rows,
        origin: Origin::Measured,
    });
    out.chart(Chart {
        title: "Time by width".into(),
        kind: ChartKind::Line,
        x: Axis::log("width", ""),
        y: Axis::log("time", "s"),
        series: vec![Series::new("forward", forward_line), Series::new("backward", backward_line)],
        origin: Origin::Measured,
    });
    if let Some(timed) = widest {
        let pair = ("the backward pass", "the forward pass", timed);
        out.compared("Timed in turn, width 256", &[pair]);
        out.measured("backward against forward, width 256", timed.ratio.median, "x");
        out.insight(backward_cost_insight(timed.ratio));
    }
}

/// What the times of the two passes through four layers show.
pub fn backward_cost_insight(ratio: Ratio) -> String {
    // Two products for each layer, but one for the first: the data needs no gradient.
    const PRODUCTS: f64 = 7.0 / 4.0;
    let compared = ratio.took("the backward pass", "the forward pass");
    let counted = if ratio.reading() == Reading::TooNoisy {
        ""
    } else if ratio.low > PRODUCTS {
        " That is more than the matrix products alone: seven against four, or 1.75."
    } else if ratio.high < PRODUCTS {
        " That is less than the matrix products alone would give: seven against four, or 1.75."
    } else {
        " That agrees with the number of matrix products: seven against four, or 1.75."
    };
    format!("At width 256: {compared}{counted}")
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-together", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Everything together

// %% nbgrader={"grade": true, "grade_id": "test-autograd-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Composed operations against central differences, a network of your layers and losses that
/// learns, gradients of two batches added, and an operation with a gradient rule of its own.
#[test]
fn test_module() {
    use tinytorch::activations::{Gelu, Softmax, Tanh};
    use tinytorch::layers::{Layer, Linear, Sequential};
    use tinytorch::losses::{CrossEntropyLoss, Loss, MSELoss};
    use tinytorch::testing::{expect_close, expect_eq};

    let mut rng = Rng::seeded(9);
    let x = Tensor::randn(&[3, 4], &mut rng);
    let one = std::slice::from_ref(&x);
    let check = |function: fn(&Tensor) -> Tensor| check_gradient(|x| function(&x[0]), one, 1e-3);
    check(|x| x.mean_axis(1, false) * x.select(1, 2));
    check(|x| x.max_axis(0, true) - x.slice(&[1..3, 0..4]).max());
    check(|x| x.matmul(&x.t()).reshape(&[-1]));
    check(|x| Gelu.forward(&Softmax::LAST.forward(x)));

    // Softmax minus one-hot: no rule of its own, it is composed of the rules above.
    let logits = Tensor::new(&[2.0_f32.ln(), 0.0, 0.0], &[1, 3]).tracked();
    let gradients = CrossEntropyLoss.forward(&logits, &Tensor::new(&[0.0], &[1])).backward();
    let gradient = gradients.get(&logits).map(Tensor::to_vec).unwrap_or_default();
    let idea = "the gradient of cross-entropy by the logits is softmax minus one-hot";
    let wanted = [0.5 - 1.0, 0.25, 0.25];
    expect_close("logits [ln 2, 0, 0], class 0", &gradient, &wanted, 1e-6, idea);

    // Layers of 03 and losses of 04, unchanged.
    let mut model = Sequential::new(vec![
        Box::new(Linear::new(2, 8, &mut rng)),
        Box::new(Tanh),
        Box::new(Linear::new(8, 2, &mut rng)),
    ]);
    track(model.parameters_mut());
    let x = Tensor::new(&[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], &[4, 2]);
    let xor = Tensor::new(&[0.0, 1.0, 1.0, 0.0], &[4]);
    for _ in 0..200 {
        let gradients = CrossEntropyLoss.forward(&model.forward(&x), &xor).backward();
        for parameter in model.parameters_mut() {
            let gradient = gradients.get(parameter).expect("every parameter took part");
            parameter.array_mut().scaled_add(-0.5, gradient.array());
        }
    }
    let answers = no_grad(|| model.forward(&x)).argmax_axis(1);
    let idea = "200 steps against the gradient teach a network of two layers XOR";
    expect_eq("the four points of XOR", answers, vec![0, 1, 1, 0], idea);

    // The gradients of two halves of a batch, added and scaled, are those of the whole batch.
    let target = Tensor::randn(&[4, 2], &mut rng);
    let part = |range: Range<usize>| {
        let (x, target) = (x.slice(std::slice::from_ref(&range)), target.slice(&[range]));
        MSELoss.forward(&model.forward(&x), &target).backward()
    };
    let mut halves = part(0..2);
    halves.add(part(2..4));
    halves.scale(0.5);
    let whole = part(0..4);
    expect_eq("a network of two layers", halves.len(), 4, "each parameter has a gradient");
    let idea = "gradients of two halves, added and halved, are those of the whole batch";
    for ((id, got), (other, want)) in halves.iter().zip(whole.iter()) {
        expect_eq("the parameters, in order", id, other, idea);
        expect_close("two halves of a batch", &got.to_vec(), &want.to_vec(), 1e-5, idea);
    }

    // An operation with its own rule: x^3. As long as the rule is alive, so is the history.
    struct Cube {
        _alive: Arc<()>,
    }
    impl GradientRule for Cube {
        fn gradients(&self, grad_output: &Tensor, x: &[Tensor], _: &Tensor) -> Vec<Option<Tensor>> {
            vec![grad_for(&x[0], || grad_output * &(&x[0] * &x[0]) * 3.0)]
        }
    }
    let alive = Arc::new(());
    let x = Tensor::new(&[1.0, -2.0], &[2]).tracked();
    let cubes = x.array().mapv(|value| value * value * value);
    let loss = custom("cube", cubes, &[&x], Cube { _alive: Arc::clone(&alive) }).sum();
    let gradients = loss.backward();
    let gradient = gradients.get(&x).map(Tensor::to_vec).unwrap_or_default();
    let idea = "an operation of a later module brings its own rule";
    expect_close("x^3 at [1, -2]", &gradient, &[3.0, 12.0], 0.0, idea);
    drop(loss);
    let freed = "gradients must not keep the history alive";
    expect_eq("references to the rule of a dropped loss", Arc::strong_count(&alive), 1, freed);
}

// %% nbgrader={"grade": false, "grade_id": "autograd-dispatch", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The gradient rule of an operation that a later module adds.
pub trait GradientRule: Send + Sync {
    /// One gradient for each input, in that input's shape, or `None` where the input is not tracked
    /// (see [`grad_for`]). `grad_output` is the gradient with respect to `output` and has its
    /// shape. Runs without recording a history.
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        output: &Tensor,
    ) -> Vec<Option<Tensor>>;
}

/// A tensor made by an operation with a gradient rule of its own. `name` appears in error messages.
pub fn custom(
    name: &'static str,
    values: impl Into<Values>,
    inputs: &[&Tensor],
    rule: impl GradientRule + 'static,
) -> Tensor {
    // The tensor does not know this module, so it keeps the rule as `Any`; `Box` gives it one type.
    let rule: Box<dyn GradientRule> = Box::new(rule);
    let rule: Arc<dyn Any + Send + Sync> = Arc::new(rule);
    Tensor::made_by(Op::Custom { name, rule }, values.into(), inputs)
}

/// Runs the gradient rule of `op`, and checks what a custom rule returns.
pub fn input_gradients(
    op: &Op,
    grad_output: &Tensor,
    inputs: &[Tensor],
    output: &Tensor,
) -> InputGradients {
    match op {
        Op::Leaf => Vec::new(),
        Op::Add => add_rule(grad_output, inputs, 1.0),
        Op::Sub => add_rule(grad_output, inputs, -1.0),
        Op::Mul => mul_rule(grad_output, inputs),
        Op::Div => div_rule(grad_output, inputs, output),
        Op::Neg | Op::Reshape | Op::Transpose(..) => rearrange_rule(op, grad_output, inputs),
        Op::MatMul => matmul_rule(grad_output, inputs),
        Op::Sum => sum_rule(grad_output, inputs),
        Op::Max => max_rule(grad_output, inputs, output),
        Op::Slice(ranges) => slice_rule(grad_output, inputs, ranges),
        Op::Map(function) => map_rule(*function, grad_output, inputs, output),
        Op::MaskedFill => masked_fill_rule(grad_output, inputs),
        Op::IndexSelect(axis, indices) => index_select_rule(grad_output, inputs, *axis, indices),
        Op::Custom { name, rule } => {
            let Some(rule) = rule.downcast_ref::<Box<dyn GradientRule>>() else {
                panic!("backward: `{name}` has no gradient rule; make it with autograd::custom")
            };
            let grads = rule.gradients(grad_output, inputs, output);
            check_input_gradients(name, &grads, inputs);
            grads
        }
    }
}

/// The gradient rule of `masked_fill`: an element that was replaced had no influence. A mask gets no gradient.
fn masked_fill_rule(grad_output: &Tensor, inputs: &[Tensor]) -> InputGradients {
    let (x, mask) = (&inputs[0], &inputs[1]);
    let for_x = || reduce_to_shape(&grad_output.masked_fill(mask, 0.0), x.shape());
    vec![grad_for(x, for_x), None]
}

/// The gradient rule of `index_select`: each part of the upstream gradient is added where that part was taken from
/// (*scatter-add*), so a part that was taken twice gets both.
fn index_select_rule(
    grad_output: &Tensor,
    inputs: &[Tensor],
    axis: usize,
    indices: &[usize],
) -> InputGradients {
    let x = &inputs[0];
    let scatter_add = || {
        let mut whole = vec![0.0; x.numel()];
        let (starts, width) = part_starts(x.shape(), axis, indices);
        let upstream = grad_output.data();
        for (start, part) in starts.into_iter().zip(upstream.chunks_exact(width.max(1))) {
            for (total, grad) in whole[start..start + width].iter_mut().zip(part) {
                *total += grad;
            }
        }
        Tensor::new(&whole, x.shape())
    };
    vec![grad_for(x, scatter_add)]
}

/// Panics unless there is one gradient for each input, in its shape.
fn check_input_gradients(name: &str, grads: &[Option<Tensor>], inputs: &[Tensor]) {
    let (got, wanted) = (grads.len(), inputs.len());
    assert!(
        got == wanted,
        "backward: the rule of `{name}` returned {got} gradients for {wanted} inputs"
    );
    for (index, (grad, input)) in grads.iter().zip(inputs).enumerate() {
        let Some(grad) = grad else { continue };
        assert!(
            grad.shape() == input.shape(),
            "backward: the rule of `{name}` returned a gradient of shape {1} for input {index} of \
             shape {0}",
            shape_text(input.shape()),
            shape_text(grad.shape())
        );
    }
}

// %% nbgrader={"grade": false, "grade_id": "autograd-gradients-methods", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Gradients {
    /// The gradient for `tensor`, in its shape; `None` if it is not tracked or took no part.
    #[must_use]
    pub fn get(&self, tensor: &Tensor) -> Option<&Tensor> {
        self.by_id.get(&tensor.id()?)
    }

    /// Adds the gradients of another backward pass, such as the next part of a large batch.
    pub fn add(&mut self, other: Gradients) {
        for (id, grad) in other.by_id {
            match self.by_id.entry(id) {
                Entry::Occupied(mut total) => accumulate(total.get_mut(), &grad),
                Entry::Vacant(place) => {
                    place.insert(grad);
                }
            }
        }
    }

    /// Multiplies every gradient by `factor`, in place.
    pub fn scale(&mut self, factor: f32) {
        for gradient in self.by_id.values_mut() {
            gradient.array_mut().mapv_inplace(|value| value * factor);
        }
    }

    /// How many tensors have a gradient.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no tensor has a gradient.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Each tensor's id with its gradient, from the oldest tensor to the newest.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Tensor)> {
        self.by_id.iter().map(|(&id, gradient)| (id, gradient))
    }
}

/// Gradients that were found in another way, by the id of each tensor.
impl FromIterator<(u64, Tensor)> for Gradients {
    fn from_iter<I: IntoIterator<Item = (u64, Tensor)>>(pairs: I) -> Self {
        Self { by_id: pairs.into_iter().collect() }
    }
}

// %% nbgrader={"grade": false, "grade_id": "autograd-parameters", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Whether a tensor is tracked and was not computed from others: only such a tensor gets a
/// gradient.
#[must_use]
pub fn is_leaf(tensor: &Tensor) -> bool {
    tensor.history().is_some_and(|history| matches!(history.op(), Op::Leaf))
}

/// Panics for a parameter that would silently not be trained: one that was computed from a tracked
/// tensor, or one that shares its numbers with another as if they were tied, but would be trained
/// apart.
fn check_parameters(parameters: &[&mut Tensor]) {
    for (index, parameter) in parameters.iter().enumerate() {
        let shape = shape_text(parameter.shape());
        assert!(
            !parameter.is_tracked() || is_leaf(parameter),
            "track: parameter {index} of shape {shape} was computed from a tracked tensor, so it would \
             never get a gradient; detach() it to make a parameter of its own, or train the tensor that \
             it was computed from"
        );
        let twin = |other: &&mut Tensor| {
            let is_new = !other.is_tracked() && !parameter.is_tracked() && parameter.numel() > 0;
            is_new && other.array().as_ptr() == parameter.array().as_ptr()
        };
        if let Some(first) = parameters[..index].iter().position(twin) {
            panic!(
                "track: parameters {first} and {index} share their numbers, but would be trained apart; \
                 to tie them, track the first before you clone it; to separate them, make the second \
                 with Tensor::new(&first.to_vec(), first.shape())"
            );
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "autograd-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Panics unless [`Backward`] and [`numeric_gradient`] agree for every number of every input,
/// within `tolerance` (of 1, or of the derivative where that is larger). The function may return
/// any shape: its outputs are weighted with fixed random numbers, so that errors cannot cancel. It
/// must return the same result every time, and have no corner within [`STEP`] of `inputs`.
///
/// 1e-3 is a good tolerance: rounding and curvature cause about 1e-5, sums of a hundred terms ten
/// times that; a wrong rule is wrong by far more.
#[track_caller]
pub fn check_gradient(function: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], tolerance: f32) {
    let leaves: Vec<Tensor> = inputs.iter().map(|input| input.detach().tracked()).collect();
    let output = function(&leaves);
    let weights = Tensor::randn(output.shape(), &mut Rng::seeded(0));
    let gradients = output.backward_with(&weights);
    for (number, leaf) in leaves.iter().enumerate() {
        let one_moves = |moved: &Tensor| {
            let mut arguments = inputs.to_vec();
            arguments[number] = moved.clone();
            no_grad(|| function(&arguments))
        };
        let measured = numeric_gradient(one_moves, leaf, &weights).to_vec();
        let found = gradients.get(leaf).map_or_else(|| vec![0.0; leaf.numel()], Tensor::to_vec);
        for (index, (got, want)) in found.iter().zip(&measured).enumerate() {
            assert!(
                (got - want).abs() <= tolerance * want.abs().max(1.0),
                "check_gradient: input {number}, number {index}: backward gives {got}, central \
                 differences give {want} (tolerance {tolerance})"
            );
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "autograd-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they measure, as JSON Lines.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_gradient_methods(&mut out);
    analyze_graph_memory(&mut out);
    analyze_backward_cost(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "autograd-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
