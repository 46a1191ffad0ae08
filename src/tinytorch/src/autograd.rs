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
//! In: a tensor computed from tracked tensors, usually a loss. Out: the gradient of every tracked leaf that took part.
//! For `loss = f(w)`, `loss.backward().get(&w)` holds `d loss / d w`, in the shape of `w`. By hand: `loss = (w *
//! w).sum()` at `w = [1, -2]` gives `[2, -4]`.
//!
//! Builds on 01 (`Tensor` and its `History`); layers of 03 and losses of 04 train without a change. Gradients are plain
//! tensors without history, so second derivatives are not available. Not here: what is done with a gradient (06).

use std::any::Any;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ops::Range;
use std::sync::Arc;

use tinytorch::activations::{ReLU, Tanh, normal_cdf, normal_density, sigmoid};
use tinytorch::insights::autograd::*;
use tinytorch::ndarray::{Slice, Zip};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Reporter, Series, columns};
use tinytorch::tensor::{
    Elementwise, Op, Tensor, Values, part_starts, shape_text, without_history, zip_with,
};
use tinytorch::testing::{compare, expect_close, expect_eq, memory};

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Autograd

// %% nbgrader={"grade": false, "grade_id": "autograd-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What a gradient rule returns: one gradient for each input, in that input's shape, or `None` for an input that is not
/// tracked.
pub type InputGradients = Vec<Option<Tensor>>;

/// How far [`numeric_gradient`] steps to each side: here the errors of rounding and of curvature are both near 1e-5.
pub const STEP: f32 = 1.0 / 128.0;

/// Runs `compute` only if `input` is tracked: a batch of data needs no gradient.
pub fn grad_for(input: &Tensor, compute: impl FnOnce() -> Tensor) -> Option<Tensor> {
    input.is_tracked().then(compute)
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-differences", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Central differences: a gradient, measured

// %% nbgrader={"grade": false, "grade_id": "autograd-numeric", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient of `sum(weights * function(at))` with respect to every number in `at`, measured. `weights` has the
/// shape of `function(at)` and says how much each output counts. The result has the shape of `at`.
///
/// TODO: Measure the derivative for each number in turn.
///
/// APPROACH:
/// 1. `score(values)` is given: it runs the function and adds up the weighted outputs in `f64`.
/// 2. For each index, copy the numbers twice. In one copy this number is larger by [`STEP`], in the other smaller.
/// 3. The derivative is the difference of the two scores, divided by the distance between the two numbers.
///
/// EXAMPLE: For `x * x` at `[3]` with the weights `[1]` the result is close to `[6]`.
///
/// HINTS: Both numbers were rounded to `f32`, so their distance is not exactly twice [`STEP`]. Divide in `f64`.
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
    let x = Tensor::new(&[3.0, -1.0, 0.5], &[3]);
    let one = "one number at a time, on both sides: divide by the distance between the two";
    let each = "each output has its weight";
    for (weights, wanted, idea) in
        [([1.0, 1.0, 1.0], [6.0, -2.0, 1.0], one), ([1.0, 0.0, 10.0], [6.0, 0.0, 10.0], each)]
    {
        let squares = numeric_gradient(|x| x * x, &x, &Tensor::new(&weights, &[3]));
        let input = format!("x * x at [3, -1, 0.5] with the weights {weights:?}");
        expect_gradient(&input, &Some(squares), &[3], &wanted, idea);
    }
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
    /// Computes the number that `op` makes, writes it to the end of the tape with `op`, and returns its position.
    ///
    /// TODO: Compute the number, remember what made it, and return its position.
    ///
    /// APPROACH:
    /// 1. A leaf contains its number. A sum or a product takes the numbers of its two inputs from the tape.
    /// 2. Append a [`Node`] with the number and the operation. Its position is how many there were before.
    ///
    /// EXAMPLE: On an empty tape the leaf 3 gets position 0, the leaf 2 position 1, their product, 6, position 2.
    ///
    /// HINTS: A `match` on `op` has one arm for each of the three kinds.
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
    // loss = (3 w - 6)^2 at w = 1.
    let ops = [Leaf(1.0), Leaf(3.0), Mul(0, 1), Leaf(-6.0), Add(2, 3), Mul(4, 4)];
    let mut tape = Tape::default();
    let positions = ops.map(|op| tape.record(op));
    let input = "the tape of (3 w - 6)^2 at w = 1";
    let before = "a number's position is how many numbers were there before it";
    expect_eq(input, positions, [0, 1, 2, 3, 4, 5], before);
    let values: Vec<f32> = tape.nodes.iter().map(|node| node.value).collect();
    let computed = "a result is computed from the numbers of its two inputs";
    expect_eq(input, values, vec![1.0, 3.0, 3.0, -6.0, -3.0, 9.0], computed);
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
    /// 2. Visit the positions from `result` down to 0: what used a number was visited before it.
    /// 3. A sum passes its gradient to both inputs. A product passes to each input its gradient times the other input's
    ///    number. A leaf has no inputs.
    ///
    /// EXAMPLE: For `x * x` at 3 the product passes 3 to `x`, twice: the gradient of `x` is 6.
    ///
    /// HINTS: A number that was used twice receives two gradients. What must happen to the first one?
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
    let twice = "a number that is used twice gets the sum of its gradients: add, do not overwrite";
    let sum = "a sum passes its gradient to both inputs; the result itself has the gradient 1";
    let other = "a product passes to each input its gradient times the other input's number";
    let back = "walk from the result to the beginning: pass a gradient on when it is complete";
    let chain = "the chain rule: what a product passes on is its own gradient, times the other input's number";
    // The tapes are written by hand: this test needs no `record`.
    let square = [(3.0, Leaf(3.0)), (9.0, Mul(0, 0)), (12.0, Add(1, 0))];
    let two = [(2.0, Leaf(2.0)), (5.0, Leaf(5.0)), (7.0, Add(0, 1)), (10.0, Mul(0, 1))];
    let ops = [Leaf(1.0), Leaf(3.0), Mul(0, 1), Leaf(-6.0), Add(2, 3), Mul(4, 4)];
    let drawn: Vec<(f32, ScalarOp)> =
        [1.0, 3.0, 3.0, -6.0, -3.0, 9.0].into_iter().zip(ops).collect();
    for (input, numbers, result, wanted, idea) in [
        ("a + b at 2 and 5", &two[..], 2, &[1.0, 1.0, 1.0, 0.0][..], sum),
        ("x * x at 3", &square, 1, &[6.0, 1.0, 0.0], twice),
        ("a * b at 2 and 5", &two, 3, &[5.0, 2.0, 0.0, 1.0], other),
        ("x * x + x at 3", &square, 2, &[7.0, 1.0, 1.0], back),
        ("(3 w - 6)^2 at w = 1", &drawn, 5, &[-18.0, -6.0, -6.0, -6.0, -6.0, 1.0], chain),
    ] {
        let nodes = numbers.iter().map(|&(value, op)| Node { value, op }).collect();
        expect_eq(input, &Tape { nodes }.gradients(result)[..], wanted, idea);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-broadcast", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Sum over what broadcasting repeated

// %% nbgrader={"grade": false, "grade_id": "autograd-reduce", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Sums `gradient` down to `shape`, the shape that a tensor had before it was broadcast.
///
/// TODO: Undo the two things that broadcasting does.
///
/// APPROACH:
/// 1. Broadcasting puts axes in front: while there are too many, sum over axis 0. A clone to start from costs nothing.
/// 2. Broadcasting stretches axes of size 1: sum over each of those and keep the axis.
///
/// EXAMPLE: Ones of shape (32, 3), reduced to (3), are `[32, 32, 32]`; reduced to (32, 1) a column of threes.
///
/// HINTS:
/// - `sum_axis` removes the axis or keeps it with size 1, depending on its second argument.
/// - After step 1 the number of axes agrees, so axis `i` of one belongs to axis `i` of the other.
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
    let sum = "sum over what was repeated: axes in front are removed, axes of size 1 are kept";
    let grid = Tensor::new(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[2, 3]);
    for (shape, wanted) in [
        (&[2, 3][..], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0][..]),
        (&[3], &[3.0, 5.0, 7.0]),
        (&[2, 1], &[3.0, 12.0]),
        (&[1, 3], &[3.0, 5.0, 7.0]),
        (&[], &[15.0]),
        (&[1, 1], &[15.0]),
    ] {
        let reduced = Some(reduce_to_shape(&grid, shape));
        let input = format!("[[0, 1, 2], [3, 4, 5]] reduced to {shape:?}");
        expect_gradient(&input, &reduced, shape, wanted, sum);
    }
    let ones = Tensor::ones(&[4, 2, 5, 3]);
    for shape in [&[5, 3][..], &[5, 1], &[2, 1, 3], &[1, 1, 1, 1], &[4, 1, 5, 1]] {
        let places = shape.iter().product::<usize>();
        let wanted = vec![(120 / places) as f32; places];
        let input = format!("ones of shape [4, 2, 5, 3] reduced to {shape:?}");
        expect_gradient(&input, &Some(reduce_to_shape(&ones, shape)), shape, &wanted, sum);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## A gradient rule for each operation
//
// A rule gets `grad_output`, the *upstream gradient*, and the inputs. It returns a gradient for each input:
// `grad_output` times the operation's own derivative, computed inside `grad_for`, which skips what is not tracked.

// %% nbgrader={"grade": false, "grade_id": "autograd-add", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `a + b` (`sign` is 1) and `a - b` (`sign` is -1).
///
/// TODO: Return the gradients of `a` and `b`.
///
/// APPROACH:
/// 1. The derivative with respect to `a` is 1: `a` gets the upstream gradient as it is.
/// 2. The derivative with respect to `b` is `sign`: `b` gets the upstream gradient, negated for `a - b`.
/// 3. Either may have been broadcast: reduce each gradient to its input's shape; reduce first, then negate.
///
/// EXAMPLE: `a` (2, 3), `b` (3), an upstream gradient of ones: `a` gets ones, `b` gets `[2, 2, 2]` from `+`, and `[-2,
/// -2, -2]` from `-`.
///
/// HINTS: Compute each gradient in a closure that you pass to [`grad_for`]: it runs only if it is needed.
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
    let (a, b) = (Tensor::zeros(&[2, 3]).tracked(), Tensor::zeros(&[3]).tracked());
    let upstream = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let grad_output = Tensor::new(&upstream, &[2, 3]);
    let pass = "a sum passes the upstream gradient on to both inputs";
    let reduce = "reduce each gradient to the shape of its input";
    let negate = "in a - b the gradient of b is negated";
    let grads = add_rule(&grad_output, &[a.clone(), b.clone()], 1.0);
    expect_gradient("a in a + b", &grads[0], &[2, 3], &upstream, pass);
    expect_gradient("b of shape (3) in a + b", &grads[1], &[3], &[5.0, 7.0, 9.0], reduce);
    let grads = add_rule(&grad_output, &[b, a], -1.0);
    expect_gradient("a of shape (3) in a - b", &grads[0], &[3], &[5.0, 7.0, 9.0], reduce);
    expect_gradient("b in a - b", &grads[1], &[2, 3], &upstream.map(|value| -value), negate);
    expect_idle(|x| add_rule(x, &[x.clone(), x.clone()], -1.0));
}

// %% nbgrader={"grade": false, "grade_id": "autograd-mul", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `a * b`, elementwise.
///
/// TODO: Return the gradients of `a` and `b`.
///
/// APPROACH:
/// 1. The derivative of a product with respect to one factor is the other factor: multiply the upstream gradient by it.
/// 2. Reduce each gradient to its input's shape.
///
/// EXAMPLE: `a = [2]`, `b = [5]`, upstream gradient `[10]`: `a` gets `[50]`, `b` gets `[20]`.
///
/// HINTS: The upstream gradient has the broadcast shape: reduce after multiplying.
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
    let one = |value: f32| Tensor::new(&[value], &[1]);
    let other = "the gradient of a factor is the upstream gradient times the other factor";
    let grads = mul_rule(&one(10.0), &[one(2.0).tracked(), one(5.0).tracked()]);
    expect_gradient("a in 2 * 5, upstream 10", &grads[0], &[1], &[50.0], other);
    expect_gradient("b in 2 * 5, upstream 10", &grads[1], &[1], &[20.0], other);
    let reduce = "multiply first, then reduce each gradient to the shape of its input";
    let mut rng = Rng::seeded(1);
    let inputs = [&[4, 1, 3][..], &[2, 1]].map(|shape| Tensor::randn(shape, &mut rng).tracked());
    expect_measured(|x| &x[0] * &x[1], &inputs, |g, x, _| mul_rule(g, x), [reduce, reduce]);
    expect_idle(|x| mul_rule(x, &[x.clone(), x.clone()]));
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-order", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The order of the rules

// %% nbgrader={"grade": false, "grade_id": "autograd-accumulate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds `grad` to `total`, in place.
///
/// TODO: Add the numbers without allocating a third tensor.
///
/// APPROACH:
/// 1. `array_mut` opens the numbers of `total` for writing, and copies them first if another tensor shares them.
/// 2. ndarray adds one array to another in place.
///
/// EXAMPLE: `total = [1, 2]`, `grad = [10, 20]`: afterwards `total = [11, 22]`.
///
/// HINTS: `array` gives the numbers of `grad` for reading.
pub fn accumulate(total: &mut Tensor, grad: &Tensor) {
    // BEGIN SOLUTION
    *total.array_mut() += grad.array();
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-accumulate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The sum is right and in place, and a clone that shared the numbers does not change.
#[test]
fn test_unit_accumulate() {
    let mut total = Tensor::new(&[1.0, 2.0], &[2]);
    let before = total.array().as_ptr();
    accumulate(&mut total, &Tensor::new(&[10.0, 20.0], &[2]));
    let sum = "the total becomes the sum of both";
    expect_eq("[1, 2] and [10, 20]", total.to_vec(), vec![11.0, 22.0], sum);
    assert!(total.array().as_ptr() == before, "add in place: the sum was written to new memory");
    let clone = total.clone();
    accumulate(&mut total, &Tensor::ones(&[2]));
    expect_eq("[11, 22] and [1, 1]", total.to_vec(), vec![12.0, 23.0], sum);
    expect_eq("a clone of the total", clone.to_vec(), vec![11.0, 22.0], "a clone does not change");
}

// %% nbgrader={"grade": false, "grade_id": "autograd-gradients", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The gradients found by a backward pass: one for each tracked leaf that took part.
#[derive(Clone, Default)]
pub struct Gradients {
    by_id: BTreeMap<u64, Tensor>,
}

// %% nbgrader={"grade": false, "grade_id": "autograd-initial", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient that a backward pass starts from: `grad_output` if it is given, else a 1 in the shape of `result`,
/// which must hold exactly one number. Panics if `result` is not tracked, if it holds more than one number and no
/// gradient is given, or if the given gradient has another shape.
///
/// TODO: Return the gradient to start from, or panic with one of the three messages that are given.
///
/// APPROACH:
/// 1. `result` has no history: panic with `untracked`, whether a gradient is given or not.
/// 2. A gradient is given: its shape must be that of `result`, else panic with `mismatch`.
/// 3. None is given: for one number return ones of its shape, for more panic with `many`.
///
/// EXAMPLE: For a loss of shape () it is a 1 of shape (): the derivative of the loss with respect to itself.
///
/// HINTS: A gradient that is given may have a history of its own; `detach` leaves it behind.
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
        format!("backward_with: grad_output has shape {given}, the tensor {shape}; make them equal")
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
    use tinytorch::testing::{expect_named, panic_message};
    let (loss, grid) = (Tensor::scalar(3.0).tracked(), Tensor::zeros(&[2, 3]).tracked());
    let fives = Tensor::full(&[2, 3], 5.0).tracked();
    let one = "the derivative of the loss with respect to itself is 1, in the shape of the loss";
    let given = "a gradient that is given is the one to start from";
    let column = Tensor::zeros(&[1, 1]).tracked();
    for (input, result, grad_output, wanted, idea) in [
        ("a loss of 3", &loss, None, &[1.0][..], one),
        ("a result of shape (1, 1)", &column, None, &[1.0], one),
        ("a given gradient of fives", &grid, Some(&fives), &[5.0; 6], given),
    ] {
        let start = initial_gradient(result, grad_output);
        assert!(!start.is_tracked(), "detach the gradient that is given from its history");
        expect_gradient(input, &Some(start), result.shape(), wanted, idea);
    }
    let (row, plain) = (Tensor::ones(&[3]), Tensor::zeros(&[2, 3]));
    for (input, result, grad_output, part) in [
        ("a tensor that is not tracked", &plain, None, "no history"),
        ("a tensor that is not tracked, with a gradient", &plain, Some(&fives), "no history"),
        ("several numbers, no gradient", &grid, None, "needs no gradient to start from"),
        ("a gradient of another shape", &grid, Some(&row), "grad_output has shape (3)"),
    ] {
        let text = panic_message(|| initial_gradient(result, grad_output));
        expect_named(&text, &[part], &format!("{input}: panic with the message that is given"));
    }
}

// %% nbgrader={"grade": false, "grade_id": "autograd-backpropagate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Carries `grad_output` from `result` back to every tracked leaf.
///
/// TODO: Write the loop. It needs no recursion and no sorting: the map keeps the order.
///
/// APPROACH:
/// 1. `pending` is given: by id, tensors whose gradient may still grow, each with its gradient so far.
/// 2. Take out the tensor with the highest id: its gradient is complete.
/// 3. If it is a leaf, its gradient belongs into `gradients.by_id`.
/// 4. Otherwise run its gradient rule: [`input_gradients`] takes the operation, the gradient, the inputs and the tensor
///    itself. Add each gradient that it returns to what is pending for that input, or make that input pending.
/// 5. When nothing is pending any more, return the gradients.
///
/// EXAMPLE: `y = x * x` with `x = 3` and an upstream gradient of 1: the rule of `y` returns two gradients for `x`, 3
/// and 3: `x` is pending with 3, then with 6. `x` is a leaf, and its gradient is 6.
///
/// HINTS:
/// - A `BTreeMap` can remove its highest key, and the entry of a key is either occupied or vacant.
/// - A tensor's `history` knows its `op` and its `inputs`; a leaf's operation is `Op::Leaf`. [`accumulate`] adds.
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
    let (x, other) = (Tensor::scalar(3.0).tracked(), Tensor::scalar(1.0).tracked());
    let gradients = |y: &Tensor| backpropagate(y, Tensor::scalar(1.0));
    let derivative = |y: &Tensor| gradients(y).get(&x).map(Tensor::item);
    let leaf = "the gradient of a leaf is the one that you start from";
    let used_twice = "x is used twice: its two gradients must be added, not overwritten";
    let wait = "the rule of y must wait until both of its gradients have arrived";
    let y = &x * 2.0;
    let z = &y * &(&y + 1.0);
    for (input, result, wanted, idea) in [
        ("x itself, at x = 3", &x, 1.0, leaf),
        ("x * x at x = 3", &(&x * &x), 6.0, used_twice),
        ("x + x at x = 3", &(&x + &x), 2.0, used_twice),
        ("z = y (y + 1) with y = 2 x, at x = 3", &z, 26.0, wait),
    ] {
        expect_eq(input, derivative(result), Some(wanted), idea);
    }
    assert!(gradients(&z).get(&y).is_none(), "y is no leaf: its gradient is not kept");
    assert!(gradients(&z).get(&other).is_none(), "a tensor that took no part has no gradient");

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
    let once = "a rule must run once, when all gradients of its output have arrived, and not once for every path";
    expect_eq("the runs of the rules of 12 operations", runs.load(Relaxed), 12, once);

    let chain = (0..100_000).fold(x.clone(), |chain, _| chain + 1.0);
    let every = "the gradient passes through every operation of the chain";
    expect_eq("x with 100,000 times 1 added", derivative(&chain), Some(1.0), every);
}

// %% nbgrader={"grade": false, "grade_id": "autograd-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The gradients of a result with respect to every tracked leaf.
pub trait Backward {
    /// Of a single number, usually a loss. Panics if it is not tracked or holds more numbers. The history stays, so a
    /// second call returns the same gradients.
    fn backward(&self) -> Gradients;

    /// Of any result; `grad_output` has its shape and says how much each number counts. Panics if the result is not
    /// tracked or the shapes differ.
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
/// Makes leaves of the parameters: from now on, what is computed from them has a history. Panics for a parameter that
/// was itself computed from a tracked tensor, and for two that share their numbers.
///
/// TODO: Track each parameter that is not tracked yet.
///
/// APPROACH:
/// 1. `check_parameters` is given: it panics for parameters that could not be trained.
/// 2. A parameter that is already tracked keeps its id: an optimizer or a gradient may refer to it. Any other is
///    replaced by its tracked self.
///
/// EXAMPLE: `track(model.parameters_mut())`, once, before training.
///
/// HINTS: `tracked` takes the tensor by value; a clone shares the numbers and costs nothing.
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
}

// %% nbgrader={"grade": false, "grade_id": "autograd-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// One step of gradient descent: changes `w` by `-rate` times the gradient of `loss(w)`.
///
/// TODO: Find the fault in these lines, which a colleague wrote, and write them correctly. The first step lowers the
/// loss; in the second, `get` finds no gradient for `w`.
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
/// HINTS: [`accumulate`] changes numbers in place too.
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
    let mut w = Tensor::scalar(8.0).tracked();
    let id = w.id();
    let leaf = "w must stay the leaf that was tracked: what is computed from it is another tensor";
    for wanted in [4.0, 2.0, 1.0] {
        descend_once(&mut w, 0.25, |w| w * w);
        expect_eq("the id of w, after a step on w * w", w.id(), id, leaf);
        let against = "w changes by -rate times its gradient, in every step";
        expect_eq("w, after a step on w * w", w.item(), wanted, against);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-more-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## More rules

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
/// HINTS: The square of `b` is infinite in `f32` for `b = 1e20`. With `output` you do not need it.
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
/// 🔬 Numerator and denominator, broadcast both ways, and a denominator whose square is infinite.
#[test]
fn test_unit_div_rule() {
    let mut rng = Rng::seeded(2);
    let (a, b) = (Tensor::randn(&[3], &mut rng), Tensor::rand(&[2, 3], &mut rng) + 1.0);
    let ideas = [
        "the derivative with respect to a is 1 / b; reduce to the shape of a",
        "the derivative with respect to b is -output / b; reduce to the shape of b",
    ];
    for inputs in [[a.clone(), b.clone()], [b, &a * &a + 1.0]].map(|pair| pair.map(Tensor::tracked))
    {
        expect_measured(|x| &x[0] / &x[1], &inputs, div_rule, ideas);
    }
    let (a, b) = (Tensor::scalar(1e30), Tensor::scalar(1e20));
    let grads = div_rule(&Tensor::scalar(1e10), &[a.clone(), b.clone().tracked()], &(&a / &b));
    let idea = "b * b is infinite in f32: use output / b";
    expect_gradient("b = 1e20 in 1e30 / b, upstream 1e10", &grads[1], &[], &[-1.0], idea);
    expect_idle(|x| div_rule(x, &[x.clone(), x.clone()], x));
}

// %% nbgrader={"grade": false, "grade_id": "autograd-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `a.matmul(b)` for (.., n, k) and (.., k, m), with an upstream gradient of shape (.., n, m). (A
/// vector is reshaped to a matrix before it gets here.)
///
/// TODO: Find the two matrix products that give `a` and `b` their gradients.
///
/// APPROACH:
/// 1. The gradient of `a` is (n, k): which product of the upstream gradient (n, m) and `b` (k, m), one of them
///    transposed, has that shape?
/// 2. The gradient of `b` is (k, m): it is made of `a` and the upstream gradient in the same way.
/// 3. Leading axes may have been broadcast: reduce each gradient to its input's shape.
///
/// EXAMPLE: `a = [[1, 2]]`, `b = [[3], [4]]`, upstream gradient `[[1]]`: `a` gets `[[3, 4]]`, `b` gets `[[1], [2]]`.
///
/// HINTS: `t` swaps the last two axes and copies nothing. `tall` is given: it puts a stack into one matrix, so that one
/// product also sums over the stack. Apply it to both factors of the gradient of `b`.
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
    // Square matrices: a wrong product has wrong numbers, and its failure names the idea.
    let square = |numbers: [f32; 4]| Tensor::new(&numbers, &[2, 2]).tracked();
    let (a, b) = (square([1.0, 2.0, 3.0, 4.0]), square([5.0, 6.0, 7.0, 8.0]));
    let grads = matmul_rule(&square([1.0, 0.0, 0.0, 2.0]).detach(), &[a, b]);
    let for_a = "a gets the upstream gradient times b transposed";
    let for_b = "b gets a transposed times the upstream gradient";
    let input = "in [[1, 2], [3, 4]] @ [[5, 6], [7, 8]], upstream [[1, 0], [0, 2]]";
    expect_gradient(&format!("a {input}"), &grads[0], &[2, 2], &[5.0, 7.0, 12.0, 16.0], for_a);
    expect_gradient(&format!("b {input}"), &grads[1], &[2, 2], &[1.0, 6.0, 2.0, 8.0], for_b);

    let reduce = "sum over the leading axes that were broadcast: reduce to the shape of the input";
    for shapes in [
        [&[2, 3][..], &[3, 4][..]],
        [&[5, 2, 3], &[3, 4]],
        [&[2, 3], &[5, 3, 4]],
        [&[2, 1, 2, 3], &[5, 3, 4]],
    ] {
        let inputs = shapes.map(|shape| Tensor::randn(shape, &mut Rng::seeded(3)).tracked());
        let rule = |g: &Tensor, x: &[Tensor], _: &Tensor| matmul_rule(g, x);
        expect_measured(|x| x[0].matmul(&x[1]), &inputs, rule, [reduce, reduce]);
    }
    expect_idle(|x| matmul_rule(x, &[x.clone(), x.clone()]));
}

// %% nbgrader={"grade": false, "grade_id": "autograd-rearrange", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rules of the operations that only negate or rearrange: `-x`, `reshape` and `transpose(a, b)`.
///
/// TODO: Return the gradient of the one input.
///
/// APPROACH:
/// 1. `Neg`: the derivative is -1.
/// 2. `Reshape`: the numbers kept their order, so the upstream gradient takes the input's shape.
/// 3. `Transpose(a, b)`: swapping the same two axes again undoes the swap.
///
/// EXAMPLE: `x` (2, 3) reshaped to (6), upstream gradient `[1, 2, 3, 4, 5, 6]`: `x` gets `[[1, 2, 3], [4, 5, 6]]`.
///
/// HINTS: `signed` is given: the input's shape as `reshape` takes it. The last arm of the `match` is `unreachable!`.
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
    let numbers = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let back = "reshape back to the input's shape: the numbers keep their order";
    let swap = "swap the same two axes again";
    let swapped = [1.0, 3.0, 5.0, 2.0, 4.0, 6.0];
    for (op, from, to, wanted, idea) in [
        (Op::Reshape, &[2, 3][..], &[6][..], numbers, back),
        (Op::Transpose(0, 1), &[2, 3], &[3, 2], swapped, swap),
        (Op::Transpose(0, 2), &[1, 2, 3], &[3, 2, 1], swapped, swap),
        (Op::Neg, &[2, 3], &[2, 3], numbers.map(|x| -x), "the derivative of -x is -1"),
    ] {
        let x = Tensor::zeros(from).tracked();
        let grads = rearrange_rule(&op, &Tensor::new(&numbers, to), std::slice::from_ref(&x));
        expect_gradient(&format!("{op:?} of {from:?}"), &grads[0], from, &wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "autograd-sum", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `sum`, over all elements (output shape `()`) or over one kept axis (size 1 in the output).
///
/// TODO: Return the gradient of the one input.
///
/// APPROACH: Each number gets the upstream gradient of its own sum: stretch that to the input's shape.
///
/// EXAMPLE: `x` (2, 3) summed over its last axis to (2, 1), upstream gradient `[[10], [20]]`: `x` gets `[[10, 10, 10],
/// [20, 20, 20]]`.
///
/// HINTS: Broadcasting stretches. Which tensor of the input's shape changes no number when it is added?
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
    let x = [Tensor::zeros(&[2, 3]).tracked()];
    let idea = "each term gets the upstream gradient of its own sum, in the shape of the input";
    for (input, grad_output, wanted) in [
        ("the sum of all", Tensor::scalar(7.0), [7.0; 6]),
        ("its rows", Tensor::new(&[1.0, 2.0], &[2, 1]), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]),
        ("its columns", Tensor::new(&[1.0, 2.0, 3.0], &[1, 3]), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]),
    ] {
        expect_gradient(input, &sum_rule(&grad_output, &x)[0], &[2, 3], &wanted, idea);
    }
    expect_idle(|x| sum_rule(&Tensor::scalar(1.0), std::slice::from_ref(x)));
}

// %% nbgrader={"grade": false, "grade_id": "autograd-max", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `max`, over all elements or over one kept axis. Where several numbers tie for the maximum they
/// split the upstream gradient equally, as in PyTorch's `amax`.
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
/// HINTS: [`reduce_to_shape`] sums; here it sums ones, so it counts. Divide while everything has the output's shape.
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
    let x = Tensor::new(&[1.0, 5.0, 5.0, 4.0, 2.0, 3.0], &[2, 3]);
    let split = "equal maxima split the upstream gradient";
    let count = "count the winners of each maximum";
    let only = "only the maximum gets a gradient";
    for (input, upstream, output, wanted, idea) in [
        ("[[1, 5, 5], [4, 2, 3]]", &[1.0][..], x.max(), [0.0, 0.5, 0.5, 0.0, 0.0, 0.0], split),
        ("its rows", &[10.0, 20.0], x.max_axis(1, true), [0.0, 5.0, 5.0, 20.0, 0.0, 0.0], count),
        ("columns", &[1.0, 2.0, 3.0], x.max_axis(0, true), [0.0, 2.0, 3.0, 1.0, 0.0, 0.0], only),
    ] {
        let grad_output = Tensor::new(upstream, output.shape());
        let grads = max_rule(&grad_output, &[x.clone().tracked()], &output);
        expect_gradient(input, &grads[0], &[2, 3], &wanted, idea);
    }
    let one = Tensor::scalar(1.0);
    expect_idle(|x| max_rule(&one, std::slice::from_ref(x), &one));
}

// %% nbgrader={"grade": false, "grade_id": "autograd-slice", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient rule of `slice`: `ranges` holds one range for each axis of the input.
///
/// TODO: Return the gradient of the one input.
///
/// APPROACH:
/// 1. Numbers outside the slice had no influence on the result: start with zeros in the input's shape.
/// 2. Numbers inside were copied: write the upstream gradient into the same ranges.
///
/// EXAMPLE: `x` (4) sliced by `1..3`, upstream gradient `[10, 20]`: `x` gets `[0, 10, 20, 0]`.
///
/// HINTS: `scatter` is given: it writes the upstream gradient into those ranges of a tensor.
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
    let idea = "zeros in the input's shape, the upstream gradient inside the ranges";
    for (shape, ranges, taken, wanted) in [
        (&[4][..], &[1..3][..], &[2][..], &[0.0, 10.0, 20.0, 0.0][..]),
        (&[2, 3], &[0..2, 2..3], &[2, 1], &[0.0, 0.0, 10.0, 0.0, 0.0, 20.0]),
    ] {
        let x = [Tensor::ones(shape).tracked()];
        let grads = slice_rule(&Tensor::new(&[10.0, 20.0], taken), &x, ranges);
        let input = format!("x of shape {shape:?}, sliced by {ranges:?}");
        expect_gradient(&input, &grads[0], shape, wanted, idea);
    }
    expect_idle(|x| slice_rule(&Tensor::ones(&[1, 1]), std::slice::from_ref(x), &[0..1, 0..1]));
}

// %% nbgrader={"grade": false, "grade_id": "autograd-derivative", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The upstream gradient times the derivative of an elementwise function, number by number. `derivative` gets the
/// function's input `x` and its output `y`.
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
/// 1. Write down each derivative in terms of the input `x` and the output `y`. Where `y` is already part of it, use
///    `y`: that saves computing the function again. Four of the eight need only `y`.
/// 2. ReLU has a corner at 0 and no derivative there; by convention it is 0.
/// 3. `QuickGelu` is `x * sigmoid(1.702 x)`: apply the product rule, then the chain rule. `Gelu` is `x *
///    normal_cdf(x)`; the derivative of `normal_cdf` is `normal_density`.
///
/// EXAMPLE: `Exp` at `x = 0`, `y = 1` with an upstream gradient of 5 gives 5.
///
/// HINTS: [`times_derivative`] does the loop, so each arm of a `match` on the function is one closure.
#[must_use]
pub fn map_rule(
    function: Elementwise,
    grad_output: &Tensor,
    inputs: &[Tensor],
    output: &Tensor,
) -> InputGradients {
    let input = &inputs[0];
    // BEGIN SOLUTION
    let for_input = || match function {
        Elementwise::Exp => times_derivative(grad_output, input, output, |_, y| y),
        Elementwise::Log => times_derivative(grad_output, input, output, |x, _| 1.0 / x),
        Elementwise::Sqrt => times_derivative(grad_output, input, output, |_, y| 0.5 / y),
        Elementwise::ReLU => {
            times_derivative(grad_output, input, output, |x, _| f32::from(x > 0.0))
        }
        Elementwise::Sigmoid => times_derivative(grad_output, input, output, |_, y| y * (1.0 - y)),
        Elementwise::Tanh => times_derivative(grad_output, input, output, |_, y| 1.0 - y * y),
        Elementwise::Gelu => times_derivative(grad_output, input, output, |x, _| {
            normal_cdf(x) + x * normal_density(x)
        }),
        Elementwise::QuickGelu => times_derivative(grad_output, input, output, |x, _| {
            let s = sigmoid(1.702 * x);
            s + 1.702 * x * s * (1.0 - s)
        }),
    };
    vec![grad_for(input, for_input)]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-autograd-map", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Eight derivatives against central differences, on both sides of zero and far from it.
#[test]
fn test_unit_map_rule() {
    use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Tanh};
    use tinytorch::tensor::{ElementwiseFunction, Exp, Log, Sqrt};
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
    for (function, places) in functions {
        for &x in places {
            let (kind, x) = (function.kind(), [Tensor::scalar(x).tracked()]);
            let rule = |g: &Tensor, x: &[Tensor], y: &Tensor| map_rule(kind, g, x, y);
            let idea = format!("the derivative of {kind:?} at {}, as measured", x[0].item());
            expect_measured(|x| x[0].map(function), &x, rule, [&idea]);
        }
    }
    let zero = [Tensor::scalar(0.0).tracked()];
    let at_zero = map_rule(Elementwise::ReLU, &Tensor::scalar(1.0), &zero, &zero[0]);
    let corner = "at the corner of ReLU the derivative is 0, as in PyTorch";
    expect_gradient("ReLU at 0", &at_zero[0], &[], &[0.0], corner);
    expect_idle(|x| map_rule(Elementwise::Exp, x, std::slice::from_ref(x), x));
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure

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

/// 📊 Purpose: why a gradient by measurement does not scale. Measured: the time to get the whole gradient of a layer by
/// central differences and by `backward`, from 16 to 1,024 parameters. Key insight: two runs for each parameter against
/// one backward pass for all. Production context: 7 billion parameters would need 14 billion runs for one step.
pub fn analyze_gradient_methods(out: &mut Reporter) {
    let mut rng = Rng::seeded(5);
    let timed = [16, 64, 256, 1024].map(|parameters| {
        let x = Tensor::randn(&[8, parameters], &mut rng);
        let w = Tensor::randn(&[parameters, 1], &mut rng);
        let loss = |w: &Tensor| Tanh.forward(&x.matmul(w)).sum();
        let (one, leaf) = (Tensor::scalar(1.0), w.clone().tracked());
        (parameters, compare(7, || numeric_gradient(loss, &w, &one), || loss(&leaf).backward()))
    });
    let names = ["parameters", "central differences", "backward", "factor"];
    out.compared_by_size(["One gradient, two ways", "Time for one gradient"], names, &timed);
    let [first, .., (many, last)] = timed;
    out.compared("Timed in turn, 1,024 parameters", &[(names[1], names[2], last)]);
    out.measured("central differences against backward, 1,024 parameters", last.ratio.median, "x");
    out.insight(gradient_methods_insight((first.0, first.1.ratio), (many, last.ratio)));
}

/// 📊 Purpose: what the history costs. Measured: the bytes in use during a forward pass of 2 to 16 layers, without
/// history and with it, and after the loss is dropped. Key insight: with history each result is kept for the backward
/// pass, so memory grows with depth. Production context: activations, not weights, usually limit the batch size.
pub fn analyze_graph_memory(out: &mut Reporter) {
    let mut rng = Rng::seeded(6);
    let x = Tensor::randn(&[64, 128], &mut rng);
    let (mut rows, mut peaks) = (Vec::new(), Vec::new());
    for depth in [2, 4, 8, 16] {
        let weights = deep_weights(depth, 128, &mut rng);
        let (_, without) = memory(|| no_grad(|| deep_loss(&x, &weights)));
        let (loss, with) = memory(|| deep_loss(&x, &weights));
        drop(loss);
        let ((), after) = memory(|| drop(deep_loss(&x, &weights)));
        let (Some(without), Some(with), Some(after)) = (without, with, after) else {
            return out.note("No counting allocator is installed: there are no bytes to show.");
        };
        let (plain, kept) = (without.peak, with.peak);
        let ratio = kept as f64 / plain as f64;
        rows.push(vec![depth.into(), plain.into(), kept.into(), ratio.into(), after.kept.into()]);
        peaks.push((depth, plain, kept));
    }
    let names = "layers, without history [B], with history [B], ratio [x], left after the loss is dropped [B]";
    out.measured_table("Memory of a forward pass", &columns(names), rows);
    let line = |name, pick: fn(&(usize, usize, usize)) -> usize| {
        Series::new(name, peaks.iter().map(|point| (point.0 as f64, pick(point) as f64)))
    };
    let lines = vec![line("no_grad", |point| point.1), line("with history", |point| point.2)];
    let (x, y) = (Axis::linear("layers", ""), Axis::linear("memory", "B"));
    out.measured_chart("Peak memory by depth", x, y, lines);
    if let [first, .., last] = peaks[..] {
        let ratio = last.2 as f64 / last.1 as f64;
        out.measured("memory with history against without, 16 layers", ratio, "x");
        out.insight(graph_memory_insight(first, last));
    }
}

/// 📊 Purpose: what a training step spends its time on. Measured: both passes of four layers, by width. Key
/// insight: one matrix product per layer forward, two backward (for the weights, and for the layer's input). Production
/// context: "a training step costs three forward passes" is this ratio plus one.
pub fn analyze_backward_cost(out: &mut Reporter) {
    let mut rng = Rng::seeded(7);
    let timed = [32, 64, 128, 256].map(|width| {
        let x = Tensor::randn(&[64, width], &mut rng);
        let weights = deep_weights(4, width, &mut rng);
        let loss = deep_loss(&x, &weights);
        (width, compare(9, || loss.backward(), || deep_loss(&x, &weights)))
    });
    let names = ["width", "backward", "forward", "ratio"];
    out.compared_by_size(["Forward and backward pass", "Time by width"], names, &timed);
    let [.., (_, widest)] = timed;
    let pair = ("the backward pass", "the forward pass", widest);
    out.compared("Timed in turn, width 256", &[pair]);
    out.measured("backward against forward, width 256", widest.ratio.median, "x");
    out.insight(backward_cost_insight(widest.ratio));
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "autograd-together", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Everything together

// %% nbgrader={"grade": true, "grade_id": "test-autograd-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Composed operations against central differences, and a network of your layers and losses that learns.
#[test]
fn test_module() {
    use tinytorch::activations::{Gelu, Softmax};
    use tinytorch::layers::{Layer, Linear, Sequential};
    use tinytorch::losses::{CrossEntropyLoss, Loss};
    let mut rng = Rng::seeded(9);
    let x = [Tensor::randn(&[3, 4], &mut rng)];
    check_gradient(|x| x[0].mean_axis(1, false) * x[0].select(1, 2), &x, 1e-3);
    check_gradient(|x| x[0].max_axis(0, true) - x[0].slice(&[1..3, 0..4]).max(), &x, 1e-3);
    check_gradient(|x| x[0].matmul(&x[0].t()).reshape(&[-1]), &x, 1e-3);
    check_gradient(|x| Gelu.forward(&Softmax::LAST.forward(&x[0])), &x, 1e-3);

    // Softmax minus one-hot: no rule of its own, it is composed of the rules above.
    let logits = Tensor::new(&[2.0_f32.ln(), 0.0, 0.0], &[1, 3]).tracked();
    let gradients = CrossEntropyLoss.forward(&logits, &Tensor::new(&[0.0], &[1])).backward();
    let gradient = gradients.get(&logits).cloned();
    let idea = "the gradient of cross-entropy by the logits is softmax minus one-hot";
    let wanted = [0.5 - 1.0, 0.25, 0.25];
    expect_gradient("logits [ln 2, 0, 0], class 0", &gradient, &[1, 3], &wanted, idea);

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
}

// %% nbgrader={"grade": false, "grade_id": "autograd-dispatch", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The gradient rule of an operation that a later module adds.
pub trait GradientRule: Send + Sync {
    /// One gradient for each input, in that input's shape, or `None` where the input is not tracked (see [`grad_for`]).
    /// `grad_output` is the gradient with respect to `output` and has its shape. Runs without recording a history.
    fn gradients(&self, grad_output: &Tensor, inputs: &[Tensor], output: &Tensor)
    -> InputGradients;
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
    let arrays: Vec<_> = inputs.iter().map(|input| (input.array(), input.is_tracked())).collect();
    let (upstream, made) = (grad_output.array(), output.array());
    if let Some(found) = tinytorch::backend::gradients(op, upstream, &arrays, made) {
        return found.into_iter().map(|gradient| gradient.map(Tensor::from_array)).collect();
    }
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
    vec![grad_for(x, || reduce_to_shape(&grad_output.masked_fill(mask, 0.0), x.shape())), None]
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
            let totals = whole[start..start + width].iter_mut();
            totals.zip(part).for_each(|(total, grad)| *total += grad);
        }
        Tensor::new(&whole, x.shape())
    };
    vec![grad_for(x, scatter_add)]
}

/// Panics unless there is one gradient for each input, in its shape.
fn check_input_gradients(name: &str, grads: &[Option<Tensor>], inputs: &[Tensor]) {
    let (got, wanted) = (grads.len(), inputs.len());
    let rule = format!("backward: the rule of `{name}` returned");
    assert!(got == wanted, "{rule} {got} gradients for {wanted} inputs");
    for (index, (grad, input)) in grads.iter().zip(inputs).enumerate() {
        let Some(grad) = grad else { continue };
        let (got, wanted) = (shape_text(grad.shape()), shape_text(input.shape()));
        assert!(
            got == wanted,
            "{rule} a gradient of shape {got} for input {index} of shape {wanted}"
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
/// Whether a tensor is tracked and was not computed from others: only such a tensor gets a gradient.
#[must_use]
pub fn is_leaf(tensor: &Tensor) -> bool {
    tensor.history().is_some_and(|history| matches!(history.op(), Op::Leaf))
}

/// Panics for a parameter that would silently not be trained: one that was computed from a tracked tensor, or one that
/// shares its numbers with another as if they were tied, but would be trained apart.
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
            let tied = other.is_tracked() && other.id() == parameter.id();
            let shared = other.array().as_ptr() == parameter.array().as_ptr();
            !tied && shared && parameter.numel() > 0
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
/// The gradients of `sum(weights * function(inputs))` with respect to each input, by central differences.
fn measured(
    function: impl Fn(&[Tensor]) -> Tensor,
    inputs: &[Tensor],
    weights: &Tensor,
) -> Vec<Tensor> {
    let plain: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
    let of_one = |number: usize| {
        let one_moves = |moved: &Tensor| {
            let mut arguments = plain.clone();
            arguments[number] = moved.clone();
            function(&arguments)
        };
        numeric_gradient(one_moves, &plain[number], weights)
    };
    (0..inputs.len()).map(of_one).collect()
}

/// Panics unless [`Backward`] and [`numeric_gradient`] agree for every number of every input, within `tolerance` (of 1,
/// or of the derivative where that is larger); 1e-3 is a good one. Outputs are weighted with fixed random numbers, so
/// that errors cannot cancel. The function must always return the same, and have no corner within [`STEP`] of `inputs`.
#[track_caller]
pub fn check_gradient(function: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], tolerance: f32) {
    let leaves: Vec<Tensor> = inputs.iter().map(|input| input.detach().tracked()).collect();
    let output = function(&leaves);
    let weights = Tensor::randn(output.shape(), &mut Rng::seeded(0));
    let gradients = output.backward_with(&weights);
    let pairs = leaves.iter().zip(measured(function, inputs, &weights)).enumerate();
    for (number, (leaf, measured)) in pairs {
        let found = gradients.get(leaf).map_or_else(|| vec![0.0; leaf.numel()], Tensor::to_vec);
        let idea = tinytorch::testing::gradient_idea(&found);
        for (index, (got, want)) in found.iter().zip(measured.to_vec()).enumerate() {
            assert!(
                (got - want).abs() <= tolerance * want.abs().max(1.0),
                "check_gradient: input {number}, number {index}: backward gives {got}, central \
                 differences give {want} (tolerance {tolerance})\n  idea: {idea}"
            );
        }
    }
}

/// Panics unless a rule returned this gradient: its shape, and its numbers within 1e-3 of the largest.
#[track_caller]
pub fn expect_gradient(
    input: &str,
    grad: &Option<Tensor>,
    shape: &[usize],
    wanted: &[f32],
    idea: &str,
) {
    let Some(grad) = grad else { panic!("for {input}: no gradient, but what is tracked gets one") };
    expect_eq(input, grad.shape(), shape, idea);
    let largest = wanted.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    expect_close(input, &grad.to_vec(), wanted, 1e-3 * largest, idea);
}

/// Panics unless a rule agrees with central differences of its `function`. There is an idea for each tracked input.
#[track_caller]
pub fn expect_measured<const N: usize>(
    function: impl Fn(&[Tensor]) -> Tensor,
    inputs: &[Tensor; N],
    rule: impl Fn(&Tensor, &[Tensor], &Tensor) -> InputGradients,
    ideas: [&str; N],
) {
    let output = function(inputs).detach();
    let weights = Tensor::randn(output.shape(), &mut Rng::seeded(0));
    let grads = rule(&weights, inputs, &output);
    let shapes = inputs.each_ref().map(|input| shape_text(input.shape())).join(" and ");
    for (number, wanted) in measured(function, inputs, &weights).iter().enumerate() {
        let input = format!("input {number} of shapes {shapes}");
        let grad = grads.get(number).cloned().flatten();
        expect_gradient(&input, &grad, wanted.shape(), &wanted.to_vec(), ideas[number]);
    }
}

/// Panics unless a rule returns nothing for a large input that is not tracked, and computes nothing either.
#[track_caller]
pub fn expect_idle(rule: impl FnOnce(&Tensor) -> InputGradients) {
    let big = Tensor::ones(&[100, 100]);
    let (grads, used) = memory(|| rule(&big));
    assert!(grads.iter().all(Option::is_none), "what is not tracked gets no gradient");
    let idle = used.is_none_or(|used| used.peak < 4096);
    assert!(idle, "compute inside grad_for: nothing is needed for an input that is not tracked");
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
