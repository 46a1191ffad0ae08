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

// %% nbgrader={"grade": false, "grade_id": "tensor-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 01 Tensor: an array of `f32` with any number of axes, and the arithmetic that networks are made of.
//! Input: slices of numbers with a shape. Output: new tensors. Depends on nothing but `ndarray`, which holds
//! the storage. By hand: `[[1, 2], [3, 4]] @ [[5, 6], [7, 8]] = [[19, 22], [43, 50]]`.
//! Not here: layers (03) and gradients (05).

pub use tinytorch::operations::{Elementwise, ElementwiseFunction, Exp, Log, Op, Sqrt};
pub use tinytorch::operations::{beats, is_recording, larger, without_history};
pub use tinytorch::shapes::{Axes, Values, axis_from_front, part_starts};
pub use tinytorch::shapes::{count, offsets, shape_text, values};

use std::borrow::Cow;
use std::fmt;
use std::ops::{self, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tinytorch::baselines::{MATRIX_PRODUCTS, Product, sums_down_columns};
use tinytorch::insights::tensor::*;
use tinytorch::ndarray::{Axis, Slice};
use tinytorch::random::Rng;
use tinytorch::report::{Axis as ChartAxis, Reporter, Series, Value};
use tinytorch::shapes::{axis_split, require_elements, row_major, split_matrix, swaps, with_shape};
use tinytorch::testing::{compare, memory, time};

// %% [markdown] nbgrader={"grade": false, "grade_id": "tensor-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Tensor
//
// Replace each `todo!` with your code, save, and look at the test below it. Given code is at the end of the
// file, and in `tinytorch::shapes`: `shape_text(&[2, 3])` is `(2, 3)`, as messages show it; `count(&[2, 3])`
// is 6; `values(elements, shape)` gives a vector a shape without copying it; the lesson explains `offsets`.

// %% nbgrader={"grade": false, "grade_id": "tensor-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// An array of `f32` with any number of axes. Cheap to clone: clones share their storage.
#[derive(Clone)]
pub struct Tensor {
    /// Shared storage with a shape and strides. Cloning copies no element; writing to shared storage copies it first.
    values: Values,
    /// How it was made; the code at the end of this file records it. Always `None` until lesson 05.
    history: Option<Arc<History>>,
}

// %% nbgrader={"grade": false, "grade_id": "tensor-new", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// Makes a tensor from elements in row-major order (the last axis varies fastest) and a shape.
    /// Panics, naming both counts, when the shape holds another number of elements than `data` has.
    ///
    /// TODO: check the number of elements, then build the tensor.
    ///
    /// APPROACH: `assert!` that `count(shape)` is `data.len()`, with a message that names both numbers. Copy
    /// `data`, give it the shape with the function `values`, and wrap it with `from_array`.
    ///
    /// EXAMPLE: `Tensor::new(&[1.0, 2.0, 3.0], &[2, 2])` panics: `new: shape (2, 2) holds 4 elements, got 3`.
    ///
    /// HINTS: `shape_text(shape)` writes `(2, 2)`.
    pub fn new(data: &[f32], shape: &[usize]) -> Self {
        todo!("tensor-new")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-new", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Tensors of 0 to 3 axes, an empty one, and a count that does not fit.
#[test]
fn test_unit_new() {
    use tinytorch::testing::{expect_eq, expect_named, panic_message};

    for (shape, elements) in [(vec![], 1), (vec![4], 4), (vec![2, 3], 6), (vec![2, 3, 4], 24)] {
        let data: Vec<f32> = (0..elements).map(|i| i as f32).collect();
        let tensor = Tensor::new(&data, &shape);
        let input = format!("{elements} elements of shape {}", shape_text(&shape));
        expect_eq(&input, tensor.shape(), &shape[..], "the tensor has the shape that was given");
        expect_eq(&input, tensor.to_vec(), data, "row-major: the last axis varies fastest");
    }
    expect_eq("shape (0, 3)", Tensor::new(&[], &[0, 3]).numel(), 0, "a tensor may be empty");
    let idea = "check the number of elements first; the message names both counts";
    for (shape, count) in [(&[2, 2][..], "4"), (&[], "1")] {
        expect_named(&panic_message(|| Tensor::new(&[1.0, 2.0, 3.0], shape)), &[count, "3"], idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-broadcast-shape", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The shape of an elementwise result: shapes are aligned at their last axis; two sizes are compatible when
/// they are equal or one of them is 1. Panics with the operation and both shapes when they are not.
///
/// TODO: work out the size of each axis of the result.
///
/// APPROACH: the result has as many axes as the longer shape. Read both from the back; a missing axis counts
/// as size 1. Equal sizes stay; where one is 1, the result has the other; else panic, naming `op` and both shapes.
///
/// EXAMPLE: `(32, 4)` and `(4)` give `(32, 4)`; `(3, 1)` and `(2)` give `(3, 2)`; `(32, 4)` and `(32)`
/// panic with `add: (32, 4) and (32) do not broadcast: sizes 4 and 32 differ`.
///
/// HINTS: a reversed iterator reads from the back; where `nth` finds no axis, the size is 1.
pub fn broadcast_shape(op: &str, a: &[usize], b: &[usize]) -> Vec<usize> {
    todo!("tensor-broadcast-shape")
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-broadcast-shape", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Compatible shapes, in both orders, and a common mistake: one number per row without its axis of size 1.
#[test]
fn test_unit_broadcast_shape() {
    use tinytorch::testing::{expect_call, expect_named, panic_message};

    let idea = "shapes are aligned at their last axis; a size of 1 becomes the other size, even 0";
    for (a, b, wanted) in [
        (&[2, 3][..], &[2, 3][..], &[2, 3][..]),
        (&[32, 4], &[4], &[32, 4]),
        (&[3, 1], &[2], &[3, 2]),
        (&[2, 3], &[], &[2, 3]),
        (&[8, 1, 6, 1], &[7, 1, 5], &[8, 7, 6, 5]),
        (&[0, 3], &[1, 3], &[0, 3]),
        (&[], &[], &[]),
    ] {
        for (a, b) in [(a, b), (b, a)] {
            let input = format!("{} and {}", shape_text(a), shape_text(b));
            expect_call(input, || broadcast_shape("add", a, b), wanted.to_vec(), idea);
        }
    }
    let message = panic_message(|| broadcast_shape("add", &[32, 4], &[32]));
    let idea = "sizes that differ are refused, but a size of 1 becomes the other size; name `op` and both shapes";
    expect_named(&message, &["add", "(32, 4)", "(32)"], idea);
}

// %% nbgrader={"grade": false, "grade_id": "tensor-broadcast-strides", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How far to move through the row-major elements of `shape` for one step along each axis of `target`.
/// A broadcast axis has stride 0: moving along it stays on the same element.
///
/// TODO: fill in the stride of each axis, from the last to the first.
///
/// APPROACH: start with a 0 for every axis of `target`: it stays 0 where `shape` has no axis. Go from the last axis of
/// `shape`, of stride 1, to the first: size 1 gets 0, any other the current stride, which then grows by the size.
///
/// EXAMPLE: in `(2, 3)`, the shape `(2, 3)` gives `[3, 1]`, `(3)` gives `[0, 1]`, and `(2, 1)` gives `[1, 0]`.
///
/// HINTS: `zip` two reversed iterators: the mutable one over the strides and the one over `shape`.
pub fn broadcast_strides(shape: &[usize], target: &[usize]) -> Vec<usize> {
    todo!("tensor-broadcast-strides")
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-broadcast-strides", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Equal shapes, missing axes and broadcast axes.
#[test]
fn test_unit_broadcast_strides() {
    let growth =
        "a stride is the product of the sizes after it: strides grow by the sizes of `shape`";
    let one = "a broadcast axis has stride 0; strides grow by the sizes of `shape`";
    for (shape, target, wanted, idea) in [
        (&[2, 3][..], &[2, 3][..], &[3, 1][..], "the last axis has stride 1"),
        (&[2, 3, 4], &[2, 3, 4], &[12, 4, 1], growth),
        (&[3], &[2, 3], &[0, 1], "a missing axis has stride 0"),
        (&[2, 1], &[2, 3], &[1, 0], one),
        (&[7, 1, 5], &[8, 7, 6, 5], &[0, 5, 0, 1], growth),
        (&[], &[4], &[0], "a missing axis has stride 0"),
    ] {
        let input = format!("{} in {}", shape_text(shape), shape_text(target));
        tinytorch::testing::expect_eq(input, &broadcast_strides(shape, target)[..], wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-zip-with", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Combines two tensors element by element, broadcasting: the loop behind `+`, `-`, `*` and `/`.
///
/// TODO: compute the elements of the general case, row by row.
///
/// APPROACH: `offsets` of the outer axes, with the strides of `a` there, lists where each row of `a` begins; the same
/// for `b`. In a row, the last stride of an operand is 1 (take a slice of `width` elements) or 0 (one number). `match`
/// on the two last strides and extend a vector by the whole row; the vector is the result.
///
/// EXAMPLE: `(2, 3)` and `(3)`: rows of `a` begin at `[0, 3]`, those of `b` at `[0, 0]`; both last strides are 1.
///
/// HINTS: there are four cases; the one of two numbers happens only at a width of 1.
pub fn zip_with(op: &str, a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32) -> Values {
    let (x, y) = (a.data(), b.data());
    if a.shape() == b.shape() {
        let elements = x.iter().zip(y.iter()).map(|(&x, &y)| f(x, y)).collect();
        return values(elements, a.shape());
    }
    let shape = broadcast_shape(op, a.shape(), b.shape());
    let [a_strides, b_strides] = [a, b].map(|side| broadcast_strides(side.shape(), &shape));
    // Different shapes cannot both be scalars, so there is a last axis.
    let last = shape.len() - 1;
    let (outer, width) = (&shape[..last], shape[last]);
    let elements: Vec<f32> = {
        todo!("tensor-zip-with")
    };
    values(elements, &shape)
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-zip-with", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every kind of row: two slices, a slice and a number, two numbers, and none at all.
#[test]
fn test_unit_zip_with() {
    use std::cell::Cell;
    use tinytorch::testing::expect_eq;

    let matrix = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let row = Tensor::new(&[7.0, 8.0, 9.0], &[3]);
    let column = Tensor::new(&[1.0, 2.0], &[2, 1]);
    let [three, none] = [Tensor::scalar(3.0), Tensor::zeros(&[0, 3])];
    let planes = Tensor::new(&[3.0, 4.0], &[2, 1, 1]);
    let idea = "each row begins at its own offset; a last stride of 0 repeats one number, and the first argument of \
                `f` is of `a`";
    for (a, b, shape, wanted) in [
        (&matrix, &row, &[2, 3][..], &[17.0, 28.0, 39.0, 47.0, 58.0, 69.0][..]),
        (&row, &matrix, &[2, 3], &[71.0, 82.0, 93.0, 74.0, 85.0, 96.0]),
        (&column, &matrix, &[2, 3], &[11.0, 12.0, 13.0, 24.0, 25.0, 26.0]),
        (&column, &row, &[2, 3], &[17.0, 18.0, 19.0, 27.0, 28.0, 29.0]),
        (&column, &three, &[2, 1], &[13.0, 23.0]),
        (&column, &planes, &[2, 2, 1], &[13.0, 23.0, 14.0, 24.0]),
        (&none, &row, &[0, 3], &[]),
    ] {
        let input = format!("10 a + b for a = {a:?} and b = {b:?}");
        let result = Tensor::from_array(zip_with("test", a, b, |x, y| 10.0 * x + y));
        expect_eq(input, (result.shape(), &result.to_vec()[..]), (shape, wanted), idea);
    }

    // The cost, counted: 1,000 rows of 100. The tutor's own run counts memory, plain Cargo does not.
    let row = Tensor::ones(&[100]);
    for rows in [Tensor::ones(&[1000, 100]), Tensor::ones(&[1000, 1])] {
        let input = format!("{} and (100)", shape_text(rows.shape()));
        let calls = Cell::new(0);
        let add = |x, y| {
            calls.set(calls.get() + 1);
            x + y
        };
        let (result, used) = memory(|| zip_with("test", &rows, &row, add));
        let idea = "call `f` once for each element of the result";
        expect_eq(&input, calls.get(), result.len(), idea);
        let Some(used) = used else { continue };
        let (peak, limit, asked) = (used.peak, 8 * result.len(), used.allocations);
        let idea = "one offset for each row, not each element, and no copy of an operand";
        let input = format!("{input}, {peak} bytes in {asked} allocations: below {limit} and 500");
        expect_eq(&input, peak < limit, true, idea);
        expect_eq(input, asked < 500, true, "extend one vector, row by row");
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-arithmetic", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// Adds element by element, broadcasting; `+` calls it.
    ///
    /// TODO: compute the values of all four operations with `zip_with`.
    ///
    /// APPROACH: one call for each; the name of the operation goes into its error message.
    ///
    /// EXAMPLE: `[1, 2] + [10, 20] = [11, 22]`.
    ///
    /// HINTS: `zip_with` takes the name, both tensors, and a closure of two elements. Do not check for division by 0.
    pub fn add(&self, other: &Tensor) -> Tensor {
        let values: Values = {
            todo!("tensor-arithmetic")
        };
        Tensor::made_by(Op::Add, values, &[self, other])
    }
}

impl Tensor {
    /// Subtracts element by element, broadcasting; `-` calls it.
    pub fn sub(&self, other: &Tensor) -> Tensor {
        let values: Values = {
            todo!("tensor-arithmetic")
        };
        Tensor::made_by(Op::Sub, values, &[self, other])
    }
}

impl Tensor {
    /// Multiplies element by element, broadcasting; `*` calls it.
    pub fn mul(&self, other: &Tensor) -> Tensor {
        let values: Values = {
            todo!("tensor-arithmetic")
        };
        Tensor::made_by(Op::Mul, values, &[self, other])
    }
}

impl Tensor {
    /// Divides element by element, broadcasting; `/` calls it.
    pub fn div(&self, other: &Tensor) -> Tensor {
        let values: Values = {
            todo!("tensor-arithmetic")
        };
        Tensor::made_by(Op::Div, values, &[self, other])
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-arithmetic", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The four operations, numbers as operands, broadcasting, and the name of the operation in errors.
#[test]
fn test_unit_arithmetic() {
    use tinytorch::testing::{expect_eq, expect_named, panic_message};

    let (a, b) = (Tensor::new(&[6.0, 8.0], &[2]), Tensor::new(&[2.0, 4.0], &[2]));
    let matrix = Tensor::new(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    for (input, result, wanted, idea) in [
        ("[6, 8] + [2, 4]", &a + &b, &[8.0, 12.0][..], "add element by element"),
        ("[6, 8] - [2, 4]", &a - &b, &[4.0, 4.0], "left minus right"),
        ("[6, 8] * [2, 4]", &a * &b, &[12.0, 32.0], "multiply element by element"),
        ("[6, 8] / [2, 4]", &a / &b, &[3.0, 2.0], "left divided by right"),
        ("[6, 8] * 10", &a * 10.0, &[60.0, 80.0], "a number is a tensor of shape ()"),
        ("1 - [6, 8]", 1.0 - &a, &[-5.0, -7.0], "left minus right"),
        ("[6, 8] / 0", &a / 0.0, &[f32::INFINITY; 2], "floats divide by zero: do not check for it"),
        ("[[1, 2], [3, 4]] + [2, 4]", matrix + &b, &[3.0, 6.0, 5.0, 8.0], "a row for every row"),
    ] {
        expect_eq(input, &result.to_vec()[..], wanted, idea);
    }

    // A batch of 32 rows and 32 numbers, one per row: they need the shape (32, 1).
    let (batch, means) = (Tensor::ones(&[32, 4]), Tensor::ones(&[32]));
    let idea = "pass the name of the operation to `zip_with`: its error message names it";
    type Operation = fn(&Tensor, &Tensor) -> Tensor;
    let operations: [(&str, Operation); 4] =
        [("add", Tensor::add), ("sub", Tensor::sub), ("mul", Tensor::mul), ("div", Tensor::div)];
    for (op, work) in operations {
        expect_named(&panic_message(|| work(&batch, &means)), &[op, "(32, 4)", "(32)"], idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-matmul-check", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Checks that two shapes can be multiplied as matrices; panics with both shapes when they cannot.
///
/// TODO: write three checks. Each message names `matmul`, both shapes, and what is wrong: `axis`, `inner` or `batch`.
///
/// APPROACH:
/// 1. Both need at least one axis: a scalar is not a matrix.
/// 2. The inner dimensions must agree: the last of `a`, and of `b` the one before the last (or the only one).
/// 3. Axes before the last two count matrices; their sizes must be equal, or one of them 1.
///
/// EXAMPLE: `matmul: (2, 3) x (4, 5): inner dimensions 3 and 4 differ`;
/// `matmul: () x (3): both sides need at least 1 axis`;
/// `matmul: (2, 1, 1) x (3, 1, 1): batch dimensions 2 and 3 differ`.
///
/// HINTS: `saturating_sub` gives the index of the axis before the last, or 0. Zip both shapes from the back.
pub fn check_matmul(a: &[usize], b: &[usize]) {
    todo!("tensor-matmul-check")
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-matmul-check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shapes that multiply, and three messages for those that do not.
#[test]
fn test_unit_matmul_check() {
    use tinytorch::testing::{expect_named, expect_return, panic_message};

    for (a, b) in [
        (&[2, 3][..], &[3, 4][..]),
        (&[3], &[3]),
        (&[2, 3], &[3]),
        (&[3], &[3, 4]),
        (&[8, 2, 3], &[3, 4]),
        (&[5, 1, 2, 3], &[4, 3, 2]),
        (&[4, 2, 3], &[1, 3, 2]),
    ] {
        let input = format!("{} x {}", shape_text(a), shape_text(b));
        let idea = "the last size of a must equal the one before the last of b; leading sizes must be equal, or \
                    one of them 1";
        expect_return(input, || check_matmul(a, b), idea);
    }
    for (a, b, wrong) in [
        (&[2, 3][..], &[4, 5][..], "inner"),
        (&[2, 3], &[2], "inner"),
        (&[], &[3], "axis"),
        (&[3], &[], "axis"),
        (&[2, 1, 1], &[3, 1, 1], "batch"),
    ] {
        let shapes = [a, b].map(shape_text);
        let idea = "refuse what cannot be multiplied; name `matmul`, both shapes and what is wrong";
        let facts = ["matmul", &shapes[0], &shapes[1], wrong];
        expect_named(&panic_message(|| check_matmul(a, b)), &facts, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-matmul-2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds the product of `a` (m, k) and `b` (k, n) to `out` (m, n), all row-major. The type `T` of the numbers is open, so
/// that the test can use one that records the order of the multiplications.
///
/// TODO: write three loops, in the order i, k, j.
///
/// APPROACH: i: each row of `out` belongs to one row of `a`. k: each number of that row of `a` belongs to one row of
/// `b`. j: add that number times the row of `b` to the row of `out`, element by element.
///
/// EXAMPLE: `[1, 2] @ [[5, 6], [7, 8]]`: 1 x `[5, 6]`, then 2 x `[7, 8]` on top: `[19, 22]`.
///
/// HINTS: `chunks_exact` cuts a slice into rows, `chunks_exact_mut` into rows that you may change. A `T` can be
/// copied, multiplied and added with `+=`; a reference to one has to be dereferenced first.
pub fn matmul_2d<T>(a: &[T], b: &[T], k: usize, n: usize, out: &mut [T])
where
    T: Copy + ops::Mul<Output = T> + ops::AddAssign,
{
    if k == 0 || n == 0 {
        return; // An empty sum adds nothing, and `chunks_exact` panics for 0.
    }
    todo!("tensor-matmul-2d")
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-matmul-2d", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The example by hand, products of three different sizes, a `NaN` that must not vanish, and the order.
#[test]
fn test_unit_matmul_2d() {
    use tinytorch::testing::{expect_eq, recorded_matrix, take_products};

    let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 2.0, 0.0, 1.0, 1.0]);
    let nine = [101.0, 102.0, 104.0, 103.0, 104.0, 110.0, 105.0, 106.0, 116.0];
    for (a, b, [m, k, n], wanted) in [
        (&a[..4], &[5.0, 6.0, 7.0, 8.0][..], [2, 2, 2], &[119.0, 122.0, 143.0, 150.0][..]),
        (&a, &b, [2, 3, 2], &[108.0, 103.0, 120.0, 106.0]),
        (&a, &b, [3, 2, 3], &nine),
    ] {
        let mut out = vec![100.0; m * n];
        matmul_2d(a, b, k, n, &mut out);
        let input = format!("{a:?} ({m}, {k}) x {b:?} ({k}, {n}), on an `out` of 100 everywhere");
        let idea =
            "a row of a times b: each of its numbers times a row of b, added up on what is there";
        expect_eq(input, &out[..], wanted, idea);
    }
    let mut out = [0.0];
    matmul_2d(&[0.0], &[f32::NAN], 1, 1, &mut out);
    expect_eq("0 x NaN: is it NaN", out[0].is_nan(), true, "no product is left out");

    // Elements that record which of them are multiplied, and when.
    let [left, right] = [recorded_matrix(true, 2, 2), recorded_matrix(false, 2, 3)];
    matmul_2d(&left, &right, 2, 3, &mut recorded_matrix(true, 2, 3));
    let wanted: Vec<[usize; 3]> = (0..12).map(|p| [p / 6, p / 3 % 2, p % 3]).collect();
    let idea = "i before k, and k before j: each number of a row of a meets a whole row of b, and a row of out is \
                finished before the next";
    let what = "the order of the products [i, k, j], (2, 2) x (2, 3)";
    expect_eq(what, take_products(), wanted, idea);
}

// %% nbgrader={"grade": false, "grade_id": "tensor-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// The matrix product over the last two axes: (..., m, k) x (..., k, n) gives (..., m, n). Leading
    /// axes broadcast. A vector counts as one row on the left, as one column on the right.
    ///
    /// TODO: multiply each pair of matrices with `matmul_2d`.
    ///
    /// APPROACH: `batch`, the broadcast shape of the leading axes, holds the number of products. `broadcast_strides`
    /// and `offsets` of the leading axes give, for each product, the number of the matrix in `self` and in `other`:
    /// count whole matrices. Begin with the zeros of all products; each product goes into its own m * n of them.
    ///
    /// EXAMPLE: (8, 2, 3) x (3, 4): 8 products; matrices 0..8 of `self`, always matrix 0 of `other`.
    ///
    /// HINTS: matrix number i of `self` begins at element i * m * k. Two plain matrices are the case of one product.
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        check_matmul(self.shape(), other.shape());
        if self.ndim() == 1 || other.ndim() == 1 {
            return self.matmul_with_vector(other);
        }
        let (a_batch, [m, k]) = split_matrix(self.shape());
        let (b_batch, [_, n]) = split_matrix(other.shape());
        let batch = broadcast_shape("matmul", a_batch, b_batch);
        if let Some(product) = tinytorch::backend::matmul(&self.values, &other.values, &batch) {
            // Loops of lesson 18, which you may switch on there.
            return Tensor::made_by(Op::MatMul, product, &[self, other]);
        }
        let (x, y) = (self.data(), other.data());
        let elements: Vec<f32> = {
            todo!("tensor-matmul")
        };
        let shape = [&batch[..], &[m, n]].concat();
        Tensor::made_by(Op::MatMul, values(elements, &shape), &[self, other])
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-matmul", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Matrices, vectors on either side, batches, transposed and empty operands.
#[test]
fn test_unit_matmul() {
    use tinytorch::testing::expect_call;

    let idea = "each product takes its own matrix of either side, by the offsets of the leading axes, and goes into \
                its own m * n elements";
    let check = |a: &Tensor, b: &Tensor, shape: &[usize], wanted: &[f32]| {
        let input = format!("{} x {}", shape_text(a.shape()), shape_text(b.shape()));
        let product = || {
            let product = a.matmul(b);
            (product.shape().to_vec(), product.to_vec())
        };
        expect_call(input, product, (shape.to_vec(), wanted.to_vec()), idea);
    };
    let matrix = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let vector = Tensor::new(&[1.0, 0.0, 2.0], &[3]);
    let square = Tensor::new(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    check(&square, &matrix, &[2, 3], &[9.0, 12.0, 15.0, 19.0, 26.0, 33.0]);
    check(&matrix, &vector, &[2], &[7.0, 16.0]);
    check(&Tensor::new(&[1.0, 1.0], &[2]), &matrix, &[3], &[5.0, 7.0, 9.0]);
    check(&vector, &vector, &[], &[5.0]);
    let flipped = Tensor::from_array(matrix.array().clone().reversed_axes());
    check(&matrix, &flipped, &[2, 2], &[14.0, 32.0, 32.0, 77.0]);
    // Two matrices times one, one times two, and each with its own.
    let batch = Tensor::new(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0], &[2, 2, 2]);
    check(&square, &batch, &[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 2.0, 1.0, 4.0, 3.0]);
    check(&batch, &square, &[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 1.0, 2.0]);
    check(&batch, &batch, &[2, 2, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    let tall = Tensor::new(&[2.0, 3.0], &[2, 1, 1, 1]);
    let wide = Tensor::new(&[5.0, 7.0], &[2, 1, 1]);
    check(&tall, &wide, &[2, 2, 1, 1], &[10.0, 14.0, 15.0, 21.0]);
    check(&Tensor::ones(&[2, 0]), &Tensor::ones(&[0, 2]), &[2, 2], &[0.0; 4]);
    check(&Tensor::ones(&[0, 3]), &Tensor::ones(&[3, 2]), &[0, 2], &[]);
}

// %% nbgrader={"grade": false, "grade_id": "tensor-reshape", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// The same elements, in the same order, with another shape, or that of another tensor. One size may be -1.
    ///
    /// TODO: work out the size of each axis; `with_shape` does the rest.
    ///
    /// APPROACH: panic when a size is below -1, or more than one is -1; name both shapes in the message. Divide the
    /// number of elements by the product of the other sizes: this is what -1 stands for. Panic when the new shape
    /// holds another number of elements than the tensor; name both numbers too.
    ///
    /// EXAMPLE: 6 elements, `[-1, 2]` gives (3, 2). `[2, 2]` panics with
    /// `reshape: (2, 3) to [2, 2]: 6 elements vs 4 elements`.
    ///
    /// HINTS: `usize::try_from` fails for negative sizes only. Where a division by 0 gives no quotient, use 0.
    pub fn reshape<Size: Copy + TryInto<isize>>(&self, shape: &[Size]) -> Tensor {
        let size = |&size: &Size| size.try_into().unwrap_or(isize::MAX);
        let shape: Vec<isize> = shape.iter().map(size).collect();
        let sizes: Vec<usize> = {
            todo!("tensor-reshape")
        };
        self.with_shape(&sizes)
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-reshape", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shapes that fit, a -1, a view that must be made contiguous first, and three kinds of misuse.
#[test]
fn test_unit_reshape() {
    use tinytorch::testing::{expect_call, expect_eq, expect_named, panic_message};

    let tensor = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let flipped = Tensor::from_array(tensor.array().clone().reversed_axes());
    let (one, none) = (Tensor::scalar(7.0), Tensor::zeros(&[0, 3]));
    let rest = "a size of -1 becomes the number of elements divided by the product of the others; the order stays";
    let view = "the order is that of the tensor, not of the memory below it";
    for (tensor, sizes, shape, idea) in [
        (&tensor, &[3, 2][..], &[3, 2][..], rest),
        (&tensor, &[-1], &[6], rest),
        (&tensor, &[-1, 2], &[3, 2], rest),
        (&tensor, &[6, -1], &[6, 1], rest),
        (&tensor, &[1, 2, 3], &[1, 2, 3], rest),
        (&flipped, &[-1], &[6], view),
        (&one, &[1, 1], &[1, 1], "a scalar holds 1 element"),
        (&none, &[3, -1], &[3, 0], "0 elements divided by 3 are 0"),
    ] {
        let input = format!("{} to {sizes:?}", shape_text(tensor.shape()));
        let reshaped = || {
            let reshaped = tensor.reshape(sizes);
            (reshaped.shape().to_vec(), reshaped.to_vec())
        };
        expect_call(input, reshaped, (shape.to_vec(), tensor.to_vec()), idea);
    }
    let idea = "the shape of another tensor is a shape";
    expect_eq("(3, 2) to (2, 3)", flipped.reshape(tensor.shape()).shape(), &[2, 3], idea);

    // A message names both shapes, and both numbers of elements where they differ; its words are yours.
    let (empty, both) = (Tensor::zeros(&[0]), "compare both counts, and name them and both shapes");
    for (tensor, shape, facts, idea) in [
        (&tensor, &[2_isize, 2][..], &["(2, 3)", "[2, 2]", "6", "4"][..], both),
        (&tensor, &[-1, 4], &["(2, 3)", "[-1, 4]", "6", "4"], both),
        (&tensor, &[-1, 0], &["(2, 3)", "[-1, 0]", "6", "0"], both),
        (&empty, &[-1, -1], &["(0)", "[-1, -1]"], "only one size can be -1: name both shapes"),
        (&tensor, &[-2, 3], &["(2, 3)", "[-2, 3]"], "no size is below -1: name both shapes"),
    ] {
        expect_named(&panic_message(|| tensor.reshape(shape)), facts, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-transpose", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// The same storage with axes `a` and `b` swapped: a view, so no element moves. -1 is the last axis.
    ///
    /// TODO: swap the axes in a clone of the values.
    ///
    /// APPROACH: clone `self.values`, which shares the storage, and call `swap_axes` on the clone.
    ///
    /// EXAMPLE: `[[1, 2, 3], [4, 5, 6]]` becomes `[[1, 4], [2, 5], [3, 6]]`.
    ///
    /// HINTS: `swap_axes` changes the array in place and returns nothing.
    pub fn transpose(&self, a: impl TryInto<isize>, b: impl TryInto<isize>) -> Tensor {
        let a = axis_from_front("transpose", a, self.shape());
        let b = axis_from_front("transpose", b, self.shape());
        let values: Values = {
            todo!("tensor-transpose")
        };
        Tensor::made_by(Op::Transpose(a, b), values, &[self])
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-transpose", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two and three axes, shared storage, and an axis that does not exist.
#[test]
fn test_unit_transpose() {
    use tinytorch::testing::expect_eq;

    let matrix = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let flipped = matrix.transpose(0, 1);
    let wanted = (&[3, 2][..], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let idea = "the sizes and the strides of both axes change places: rows become columns";
    let yours = (flipped.shape(), flipped.to_vec());
    expect_eq("[[1, 2, 3], [4, 5, 6]], axes 0 and 1", yours, wanted, idea);
    let shared = flipped.array().as_ptr() == matrix.array().as_ptr();
    let idea = "a transpose is a view: clone the values, which copies no element";
    expect_eq("a transpose: does it share its storage", shared, true, idea);

    let cube = Tensor::new(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], &[2, 2, 2]);
    for (a, b, wanted) in [
        (0, 2, [0.0, 4.0, 2.0, 6.0, 1.0, 5.0, 3.0, 7.0]),
        (0, 1, [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]),
        (-1, -2, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]),
    ] {
        let input = format!("0 to 7 as (2, 2, 2), axes {a} and {b}");
        let idea = "only the two axes that were named change places";
        expect_eq(input, cube.transpose(a, b).to_vec(), wanted.to_vec(), idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-slice", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// A part of the tensor: one range per axis, as a view of the same storage. Axes without a range stay whole.
    ///
    /// TODO: narrow a clone of the values, axis by axis.
    ///
    /// APPROACH: for each axis and its range, `assert!` start <= end <= size; a message names the range and the shape.
    /// ndarray's `slice_axis_inplace` narrows an array's `Axis` to a `Slice`, made from a range with `Slice::from`.
    ///
    /// EXAMPLE: rows 1..3 of a (4, 2) tensor: `x.slice(&[1..3])` has shape (2, 2). A bad range panics with
    /// `slice: range 3..9 on axis 0 of shape (4, 2)`.
    ///
    /// HINTS: as in `transpose`: clone, change in place, return the clone.
    pub fn slice(&self, ranges: &[Range<usize>]) -> Tensor {
        let shape = self.shape();
        let (given, axes) = (ranges.len(), self.ndim());
        assert!(given <= axes, "slice: {given} ranges for shape {}", shape_text(shape));
        let values: Values = {
            todo!("tensor-slice")
        };
        let whole = shape[given..].iter().map(|&size| 0..size);
        let ranges = ranges.iter().cloned().chain(whole).collect();
        Tensor::made_by(Op::Slice(ranges), values, &[self])
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-slice", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Rows, columns, an empty range, and ranges that are out of bounds.
#[test]
fn test_unit_slice() {
    use tinytorch::testing::{expect_eq, expect_named, panic_message};

    let tensor = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[4, 2]);
    let (start, axes) = ("a range includes its start and not its end", "one range for each axis");
    for (ranges, shape, wanted, idea) in [
        (&[1..3][..], &[2, 2], &[3.0, 4.0, 5.0, 6.0][..], start),
        (&[0..4, 1..2], &[4, 1], &[2.0, 4.0, 6.0, 8.0], axes),
        (&[2..2], &[0, 2], &[], "an empty range is a range"),
    ] {
        let part = tensor.slice(ranges);
        let input = format!("{ranges:?} of 1 to 8 as (4, 2)");
        expect_eq(input, (part.shape(), &part.to_vec()[..]), (shape, wanted), idea);
    }
    let is_view = tensor.slice(&[1..3]).array().as_ptr() == tensor.data()[2..].as_ptr();
    let idea = "a slice is a view: no element is copied";
    expect_eq("a slice: does it share its storage", is_view, true, idea);

    let (size, each) = ("check start <= end <= the size of the axis", "each axis has its own size");
    for (ranges, wanted, idea) in [
        (&[3..9][..], "3..9", size),
        (&[0..5], "0..5", size),
        (&[Range { start: 3, end: 2 }], "3..2", size),
        (&[0..4, 0..3], "0..3", each),
    ] {
        expect_named(&panic_message(|| tensor.slice(ranges)), &[wanted, "(4, 2)"], idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Images with their channels last, (batch, height, width, channels), in the order that lesson 09 uses: channels
/// first, (batch, channels, height, width).
///
/// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. The shape is right,
/// and yet each channel of the result is a mixture of all channels.
///
/// ```text
/// let shape = images.shape();
/// images.reshape(&[shape[0], shape[3], shape[1], shape[2]])
/// ```
///
/// APPROACH: write down an image of 1 x 3 pixels with 2 channels, and what the colleague makes of it. Which operation
/// changes the order in which elements are read?
///
/// EXAMPLE: pixels with the channels (1, 2), (3, 4) and (5, 6) become the channels 1, 3, 5 and 2, 4, 6.
///
/// HINTS: the channels have to pass two axes, and each swap moves them past one.
pub fn channels_first(images: &Tensor) -> Tensor {
    todo!("tensor-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-debug", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two images of 2 x 3 pixels; each element says where it belongs: image, channel, row, column.
#[test]
fn test_unit_debug() {
    let (mut last, mut first) = (vec![0.0; 24], vec![0.0; 24]);
    for (place, element) in first.iter_mut().enumerate() {
        let (image, channel, row, column) = (place / 12, place / 6 % 2, place / 3 % 2, place % 3);
        *element = (1000 * image + 100 * channel + 10 * row + column) as f32;
        last[12 * image + 6 * row + 2 * column + channel] = *element;
    }
    let images = channels_first(&Tensor::new(&last, &[2, 2, 3, 2]));
    let idea = "reshape keeps the order of the elements; transpose swaps two axes and the order";
    let (yours, wanted) = ((images.shape(), images.to_vec()), (&[2, 2, 2, 3][..], first));
    let input = "2 images of 2 x 3 pixels with 2 channels";
    tinytorch::testing::expect_eq(input, yours, wanted, idea);
}

// %% nbgrader={"grade": false, "grade_id": "tensor-reduce", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Reduces the middle axis of `elements`, seen as (outer, size, inner), from `start` on: the loop behind `sum`
/// and `max`. Returns outer * inner numbers.
///
/// TODO: reduce a row to a number, and lines to a line, in halves: *pairwise*.
///
/// APPROACH:
/// 1. Up to 64 elements (`reduce_row`) or lines (`reduce_lines`): fold them one after the other.
/// 2. More: split them in the middle, reduce each half, and combine the two results with `f`.
/// 3. A line has `inner` elements, as many as `results`; element i of a line goes to result i.
///
/// EXAMPLE: `[1, 2, 3, 4, 5, 6]` as (1, 2, 3) with `+` from 0 gives `[5, 7, 9]`; as (2, 3, 1), `[6, 15]`.
///
/// HINTS: the second half of the lines needs results of its own, which begin as `start`.
pub fn reduce(
    elements: &[f32],
    [outer, size, inner]: [usize; 3],
    start: f32,
    f: impl Fn(f32, f32) -> f32,
) -> Vec<f32> {
    let mut out = vec![start; outer * inner];
    if size == 0 || inner == 0 {
        return out;
    }
    for (block, results) in elements.chunks_exact(size * inner).zip(out.chunks_exact_mut(inner)) {
        if inner == 1 {
            results[0] = reduce_row(block, start, &f);
        } else {
            reduce_lines(block, results, start, &f);
        }
    }
    out
}

/// Reduces neighbouring elements to one number.
pub fn reduce_row(row: &[f32], start: f32, f: &impl Fn(f32, f32) -> f32) -> f32 {
    todo!("tensor-reduce")
}

/// Reduces lines of as many elements as `results` has to one line, `results`. They hold `start` before.
pub fn reduce_lines(lines: &[f32], results: &mut [f32], start: f32, f: &impl Fn(f32, f32) -> f32) {
    todo!("tensor-reduce")
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-reduce", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both kinds of axis, nothing to reduce, and a long sum that keeps its digits.
#[test]
fn test_unit_reduce() {
    use tinytorch::testing::{expect_close, expect_eq};

    let eight = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let add = |x: f32, y: f32| x + y;
    let multiply = |x: f32, y: f32| x * y;
    let lines = "a row becomes one number; lines become one line, element by element";
    let (blocks, nothing) = ("each block has lines of its own", "the sum of nothing is 0");
    for (parts, wanted, idea) in [
        ([1, 2, 3], &[5.0, 7.0, 9.0][..], lines),
        ([2, 3, 1], &[6.0, 15.0], lines),
        ([2, 2, 2], &[4.0, 6.0, 12.0, 14.0], blocks),
        ([2, 0, 1], &[0.0; 2], nothing),
        ([2, 0, 3], &[0.0; 6], nothing),
        ([0, 2, 3], &[], nothing),
    ] {
        let elements = &eight[..parts.iter().product()];
        let input = format!("sums of {elements:?} as {}", shape_text(&parts));
        expect_eq(input, &reduce(elements, parts, 0.0, add)[..], wanted, idea);
    }
    for (parts, wanted) in [([2, 3, 1], &[6.0, 120.0][..]), ([1, 2, 3], &[4.0, 10.0, 18.0])] {
        let input = format!("products of 1 to 6 as {}", shape_text(&parts));
        let idea = "combine with `f`, from `start` on: a product begins at 1";
        expect_eq(input, &reduce(&eight[..6], parts, 1.0, multiply)[..], wanted, idea);
    }
    let (many, tenths) = (vec![1.01; 200], vec![0.1; 1_000_000]);
    let products = [[1, 200, 1], [1, 100, 2]].map(|parts| reduce(&many, parts, 1.0, multiply)[0]);
    let wanted = [1.01_f32.powi(200), 1.01_f32.powi(100)];
    let idea = "the second half begins at `start` too, and `f` combines both halves";
    expect_close("200 times 1.01, multiplied", &products, &wanted, 1e-4, idea);
    // One after the other, each 1.0 would be lost against 2^24. For the tenths, pieces of 64 are not enough: each of
    // them is still small beside their sum.
    let mut long = vec![1.0; 4096];
    long[0] = 16_777_216.0;
    for (input, elements, parts, wanted, tolerance) in [
        ("2^24 and 4,095 ones", &long, [1, 4096, 1], 16_781_311.0, 128.0),
        ("a million tenths", &tenths, [1, 1_000_000, 1], 100_000.0, 0.1),
        ("lines of two tenths", &tenths, [1, 500_000, 2], 50_000.0, 0.1),
    ] {
        let sum = reduce(elements, parts, 0.0, add)[0];
        expect_close(input, &[sum], &[wanted], tolerance, "sum in halves");
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-reductions", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// The sum over one axis, or over several: `1`, `-1` for the last, `[0, -1]`. An empty sum is 0. With
    /// `keepdim` these axes stay with size 1, so that the result broadcasts against `self`.
    ///
    /// TODO: write `sum_axis` and `max_axis` with `reduce_axes`, and `mean_axis` with `sum_axis`.
    ///
    /// APPROACH: `reduce_axes`, given, takes the name and the `Op` of the operation, the axes, `keepdim`, the value of
    /// an empty reduction, and the function that makes one number of two.
    ///
    /// EXAMPLE: `[[1, 2, 3], [4, 5, 6]]`: `sum_axis(0, false)` is `[5, 7, 9]`, `mean_axis(1, true)` is
    /// `[[2], [5]]`, `max_axis(0, false)` is `[4, 5, 6]`, `sum_axis([0, 1], false)` is `21`.
    ///
    /// HINTS: a maximum starts at negative infinity; `larger(x, y)`, given, prefers a `NaN`, as PyTorch does.
    pub fn sum_axis(&self, axes: impl Axes, keepdim: bool) -> Tensor {
        todo!("tensor-reductions")
    }
}

impl Tensor {
    /// The mean over one axis or several; `NaN` for an axis of size 0.
    pub fn mean_axis(&self, axes: impl Axes, keepdim: bool) -> Tensor {
        let axes = &axes.resolve("mean_axis", self.shape())[..];
        let size: usize = axes.iter().map(|&axis| self.shape()[axis]).product();
        todo!("tensor-reductions")
    }
}

impl Tensor {
    /// The largest element along one axis or several; `NaN` where there is one. Panics for an axis of size 0.
    pub fn max_axis(&self, axes: impl Axes, keepdim: bool) -> Tensor {
        let axes = &axes.resolve("max_axis", self.shape())[..];
        require_elements("max_axis", self.shape(), axes);
        todo!("tensor-reductions")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-reductions", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Sums, means and maxima over one axis and over several, with and without `keepdim`.
#[test]
fn test_unit_reductions() {
    use tinytorch::testing::expect_eq;

    let tensor = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let name = "[[1, 2, 3], [4, 5, 6]]";
    let (low, empty) = (Tensor::full(&[2, 1], f32::NEG_INFINITY), Tensor::zeros(&[2, 0]));
    let start = "a maximum starts at negative infinity";
    for (input, yours, wanted, idea) in [
        (name, tensor.sum_axis(0, false), &[5.0, 7.0, 9.0][..], "the sum over axis 0 adds rows"),
        (name, tensor.sum_axis(1, false), &[6.0, 15.0], "the sum over axis 1 adds within a row"),
        (name, tensor.sum_axis([0, 1], true), &[21.0], "the sum over both axes adds everything"),
        (name, tensor.mean_axis(1, false), &[2.0, 5.0], "divide by the size of the axis, 3"),
        (name, tensor.mean_axis([0, -1], true), &[3.5], "divide by the size of the axes, 2 x 3"),
        (name, tensor.max_axis(-1, false), &[3.0, 6.0], "-1 is the last axis"),
        (name, tensor.max_axis(0, false), &[4.0, 5.0, 6.0], "the larger of both rows"),
        ("all below zero", (-&tensor).max_axis(1, false), &[-1.0, -4.0], start),
        ("two -inf", low.max_axis(1, false), &[f32::NEG_INFINITY; 2], start),
        ("two empty rows", empty.sum_axis(1, false), &[0.0; 2], "the sum of nothing is 0"),
    ] {
        expect_eq(input, &yours.to_vec()[..], wanted, idea);
    }
    for kept in [tensor.sum_axis(1, true), tensor.mean_axis(1, true), tensor.max_axis(1, true)] {
        expect_eq(name, kept.shape(), &[2, 1], "keepdim: the axis stays with size 1");
    }
    let broken = Tensor::new(&[1.0, f32::NAN, 3.0], &[3]).max_axis(0, false).item();
    let idea = "a NaN is the maximum: use `larger`";
    expect_eq("the maximum of 1, NaN, 3: is it NaN", broken.is_nan(), true, idea);

    // Lesson 05 looks at which operation made a result.
    let made = [tensor.clone().tracked().sum_axis(1, true), tensor.tracked().max_axis(1, true)];
    let yours = made.map(|result| format!("{:?}", result.history().unwrap().op()));
    let wanted = ["Sum".to_owned(), "Max".to_owned()];
    let idea = "`sum_axis` is an `Op::Sum`, `max_axis` an `Op::Max`";
    expect_eq("what made a sum and a maximum", yours, wanted, idea);
}

// %% nbgrader={"grade": false, "grade_id": "tensor-argmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Tensor {
    /// The index of the largest element along an axis, for each position on the other axes, in row-major
    /// order: how a row of scores becomes a class. The first of equals wins; a `NaN` beats every number.
    ///
    /// TODO: for each position (o, i), find the index s of the largest element.
    ///
    /// APPROACH: in front of element s at position (o, i) there are o whole blocks of `size` steps, s more steps of
    /// `inner` elements, and i elements. Begin with s = 0 as the best, and replace it when `beats` says so.
    ///
    /// EXAMPLE: `[[1, 5, 2], [7, 0, 7]]`: `argmax_axis(1)` is `[1, 0]`, `argmax_axis(0)` is `[1, 0, 1]`.
    ///
    /// HINTS: a closure reads element s; a fold over the indices from 1 on carries the best index along.
    pub fn argmax_axis(&self, axis: impl TryInto<isize>) -> Vec<usize> {
        let axis = axis_from_front("argmax_axis", axis, self.shape());
        require_elements("argmax_axis", self.shape(), &[axis]);
        let [outer, size, inner] = axis_split(self.shape(), axis);
        let data = self.data();
        todo!("tensor-argmax")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-argmax", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both axes of a matrix, ties, `NaN`, and nothing to choose from.
#[test]
fn test_unit_argmax() {
    use tinytorch::testing::expect_eq;

    let scores = Tensor::new(&[1.0, 5.0, 2.0, 7.0, 0.0, 7.0], &[2, 3]);
    let turns = [0.0, 9.0, 2.0, 8.0, 1.0, 7.0, 5.0, 1.0, 6.0, 3.0, 2.0, 4.0];
    let (cube, empty) = (Tensor::new(&turns, &[2, 2, 3]), Tensor::zeros(&[0, 3]));
    let low = Tensor::new(&[-2.0, -1.0], &[2]);
    let broken = Tensor::new(&[9.0, f32::NAN, 3.0, f32::NAN], &[4]);
    let distinct = Tensor::new(&[1.0, 5.0, 2.0, 7.0, 0.0, 4.0], &[2, 3]);
    let places = "element s at position (o, i) is at (o * size + s) * inner + i";
    let nan = "the first NaN beats every number: use `beats`";
    for (tensor, axis, wanted, idea) in [
        (&distinct, 1, &[1, 0][..], "an index counts along its axis, in each row from 0"),
        (&scores, 1, &[1, 0], "of equals, the first wins"),
        (&scores, 0, &[1, 0, 1], places),
        (&cube, 1, &[1, 0, 1, 0, 1, 0], places),
        (&low, 0, &[1], "begin with element 0 as the best, not with the number 0"),
        (&broken, 0, &[1], nan),
        (&empty, 1, &[], "no rows, no indices"),
    ] {
        let input = format!("axis {axis} of {tensor:?}");
        expect_eq(input, &tensor.argmax_axis(axis)[..], wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-analyze-memory-layout", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: show that the order of memory accesses decides their speed.
/// Measured: the time to sum square matrices: rows with your `reduce`, columns by going down them, in turn with the
/// others, and columns with your `reduce`, which adds whole lines.
/// Key insight: all three do the same number of additions. Along a line 16 neighbours arrive with one
/// cache line; down a column every element needs a line of its own. Whole lines also use vector instructions.
/// Production context: libraries reorder loops, or copy a view, so that the innermost loop runs along memory.
pub fn analyze_memory_layout(out: &mut Reporter) {
    let names = ["down the columns", "along the rows", "columns, line by line"];
    let (mut rows, mut last) = (vec![], None);
    for size in [250, 500, 1000, 2000] {
        let matrix = Tensor::ones(&[size, size]);
        let data = matrix.data();
        let down = || sums_down_columns(&data, size);
        let [along, lines] = [[size, size, 1], [1, size, size]]
            .map(|parts| compare(9, down, || reduce(&data, parts, 0.0, |x, y| x + y)));
        let times = [along.first, along.second, lines.second];
        let stride = size * size_of::<f32>();
        let sizes: Vec<Value> = vec![size.into(), matrix.nbytes().into(), stride.into()];
        rows.push([sizes, times.map(Value::from).to_vec(), vec![along.ratio.into()]].concat());
        last = Some((along, lines));
    }
    let mut columns = vec![("size", ""), ("matrix", "B"), ("column stride", "B")];
    columns.extend(names.map(|name| (name, "s")));
    columns.push(("columns against rows", "x"));
    out.measured_table("Sums over a square matrix", &columns, rows);
    if let Some((along, lines)) = last {
        out.compared("Timed in turn, 2000 x 2000", &[(DOWN, ALONG, along), (DOWN, LINES, lines)]);
        out.measured("down columns against along rows, 2000 x 2000", along.ratio.median, "x");
        out.insight(memory_layout_insight(along.ratio, lines.ratio));
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-analyze-matmul-orders", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: show what the order of three loops is worth, and why.
/// Measured: operations per second of three forms of i-j-k and of your `matmul_2d`, at n = 256 timed in turn.
/// Key insight: all do 2 n^3 operations. In i-j-k with one sum, each addition waits for the one before. The second
/// form reads a transposed b along memory and still waits; the third has 16 independent sums, as yours has a whole
/// row of them, so that the compiler can use vector instructions (SIMD).
/// Production context: libraries add blocks that fit the caches and registers, and threads (lesson 18).
pub fn analyze_matmul_orders(out: &mut Reporter) {
    let [ijk, one_sum, many_sums] = MATRIX_PRODUCTS;
    let products: [(&str, Product); 4] = [ijk, one_sum, many_sums, ("yours", matmul_2d)];
    let (mut rows, mut curves) = (vec![], products.map(|_| vec![]));
    let mut rng = Rng::seeded(1);
    // The elements of b do not matter, so the transposed form may read the same ones.
    let operands = |n: usize, rng: &mut Rng| [(); 2].map(|()| Tensor::randn(&[n, n], rng).to_vec());
    for n in [16, 32, 64, 128, 256] {
        let [a, b] = operands(n, &mut rng);
        let mut product = vec![0.0; n * n];
        let timings = products.map(|(_, matmul)| time(5, || matmul(&a, &b, n, n, &mut product)));
        let rates = timings.map(|timing| 2.0 * (n as f64).powi(3) / timing.median);
        for (curve, rate) in curves.iter_mut().zip(rates) {
            curve.push((n as f64, rate));
        }
        let yours = vec![rates[3].into()];
        rows.push([vec![n.into()], timings.map(Value::from).to_vec(), yours].concat());
    }
    let mut columns = vec![("n", "")];
    columns.extend(products.map(|(name, _)| (name, "s")));
    columns.push(("rate of yours", "FLOP/s"));
    out.measured_table("Product of two n x n matrices", &columns, rows);
    let yours = curves[3].last().map_or(0.0, |&(_, rate): &(f64, f64)| rate);
    let (x, y) = (ChartAxis::log("n", ""), ChartAxis::linear("rate", "FLOP/s"));
    let named = products.iter().zip(curves);
    let curves = named.map(|(&(name, _), curve)| Series::new(name, curve)).collect();
    out.measured_chart("Matrix product by order of the loops", x, y, curves);

    let [a, b] = operands(256, &mut rng);
    let (mut first, mut second) = (vec![0.0; 256 * 256], vec![0.0; 256 * 256]);
    let mut against = |(_, slow): (&str, Product), fast: Product| {
        let slow = || slow(&a, &b, 256, 256, &mut first);
        compare(9, slow, || fast(&a, &b, 256, 256, &mut second))
    };
    let (order, chain) = (against(ijk, matmul_2d), against(one_sum, many_sums.1));
    let pairs = [(ORDERS[0], ORDERS[1], order), (CHAINS[0], CHAINS[1], chain)];
    out.compared("Timed in turn, n = 256", &pairs);
    out.measured("i-j-k against yours, n = 256", order.ratio.median, "x");
    out.measured("rate of your matrix product, n = 256", yours, "FLOP/s");
    out.insight(matmul_orders_insight(order.ratio, chain.ratio));
}

// %% nbgrader={"grade": false, "grade_id": "tensor-analyze-broadcasting-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: show what a stride of 0 saves.
/// Measured: peak memory of adding a bias of 1,024 numbers to batches of rows, by broadcasting and by first copying the
/// bias into every row; for the largest batch the times, in turn.
/// Key insight: broadcasting reads the same 4 KiB from the cache; the copy costs as much memory as the batch.
/// Production context: each linear layer adds its bias this way, in every step of training.
pub fn analyze_broadcasting_memory(out: &mut Reporter) {
    const WIDTH: usize = 1024;
    let bias = Tensor::ones(&[WIDTH]);
    let copying = |batch: &Tensor| {
        let copies = bias.data().repeat(batch.shape()[0]);
        batch + Tensor::from_array(values(copies, batch.shape()))
    };
    let (mut rows, mut ratio) = (vec![], 0.0);
    for height in [16, 64, 256, 1024] {
        let batch = Tensor::ones(&[height, WIDTH]);
        let used = [memory(|| &batch + &bias).1, memory(|| copying(&batch)).1];
        let [Some(broadcast), Some(copied)] = used else {
            return out.note("This program counts no bytes: run the analysis in the tutor.");
        };
        let sizes = [height, broadcast.peak, copied.peak, batch.nbytes()];
        rows.push(sizes.map(Value::from).to_vec());
        ratio = copied.peak as f64 / broadcast.peak as f64;
    }
    let columns = [("rows", ""), ("broadcast", "B"), ("copied first", "B"), ("result", "B")];
    out.measured_table("Peak memory of adding a bias to every row", &columns, rows);
    let batch = Tensor::ones(&[1024, WIDTH]);
    let times = compare(9, || copying(&batch), || &batch + &bias);
    out.compared("Timed in turn, 1,024 rows", &[(ADDITIONS[0], ADDITIONS[1], times)]);
    out.measured("memory of copying against broadcasting, 1,024 rows", ratio, "x");
    out.insight(broadcasting_memory_insight(ratio, times.ratio));
}

// %% nbgrader={"grade": true, "grade_id": "test-tensor-module", "locked": true, "points": 14, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Everything together: two linear maps, normalised columns, pooled images, and copy on write.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_close, expect_eq};

    // Two linear maps in a row, as a network without activations: x W1 + b1, then W2 + b2.
    let mut rng = Rng::seeded(1);
    let x = Tensor::randn(&[4, 8], &mut rng);
    let (w1, b1) = (Tensor::randn(&[8, 5], &mut rng), Tensor::randn(&[5], &mut rng));
    let (w2, b2) = (Tensor::randn(&[5, 3], &mut rng), Tensor::randn(&[3], &mut rng));
    let y = (x.matmul(&w1) + &b1).matmul(&w2) + &b2;
    let idea = "(4, 8) x (8, 5) x (5, 3) is (4, 3); the biases are added to every row";
    expect_eq("two linear maps", y.shape(), &[4, 3], idea);
    // With nothing between them the two maps are one: x (W1 W2) + (b1 W2 + b2).
    let at_once = x.matmul(&w1.matmul(&w2)) + (b1.matmul(&w2) + &b2);
    let idea = "matrix products are associative, and distribute over sums";
    expect_close("x (W1 W2)", &y.to_vec(), &at_once.to_vec(), 1e-4, idea);

    // (x - mean) / deviation: every column gets mean 0 and variance 1.
    let centred = &x - x.mean_axis(0, true);
    let normal = &centred / (&centred * &centred).mean_axis(0, true).sqrt();
    let (mean, variance) = (normal.mean_axis(0, false), (&normal * &normal).mean_axis(0, false));
    let idea = "a mean over axis 0 with keepdim is one row, which broadcasts against all rows";
    expect_close("means of the columns", &mean.to_vec(), &[0.0; 8], 1e-6, idea);
    expect_close("variances of the columns", &variance.to_vec(), &[1.0; 8], 1e-5, idea);

    // Two images of 2x2 with 3 channels last: channels first, and one mean per channel.
    let images = Tensor::new(&(0..24).map(|i| i as f32).collect::<Vec<_>>(), &[2, 2, 2, 3]);
    let channels = channels_first(&images);
    expect_eq("(2, 2, 2, 3)", channels.shape(), &[2, 3, 2, 2], "channels first");
    let pooled = channels.reshape(&[2, 3, -1]).mean_axis(2, false);
    let idea = "reshaping a transposed view reads its elements in their new order";
    let wanted = vec![4.5, 5.5, 6.5, 16.5, 17.5, 18.5];
    expect_eq("one mean for each channel", pooled.to_vec(), wanted, idea);
    expect_eq("the brightest channel", pooled.argmax_axis(1), vec![2, 2], "argmax along axis 1");

    // A clone shares its storage until one of the two is written to.
    let mut copy = images.clone();
    let shared = copy.array().as_ptr() == images.array().as_ptr();
    let idea = "copy on write: a clone shares its storage until one of the two is changed";
    expect_eq("a clone: does it share its storage", shared, true, idea);
    copy.array_mut().fill(0.0);
    let sums = (copy.sum().item(), images.sum().item());
    expect_eq("a clone of which all is set to 0", sums, (0.0, 276.0), idea);
}

// %% nbgrader={"grade": false, "grade_id": "tensor-creation", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How a tensor is made, and read.
impl Tensor {
    /// A tensor of shape `()` that holds one number.
    pub fn scalar(value: f32) -> Self {
        Self::full(&[], value)
    }

    /// All zeros.
    pub fn zeros(shape: &[usize]) -> Self {
        Self::full(shape, 0.0)
    }

    /// All ones.
    pub fn ones(shape: &[usize]) -> Self {
        Self::full(shape, 1.0)
    }

    /// The same value everywhere.
    pub fn full(shape: &[usize], value: f32) -> Self {
        Self::from_array(values(vec![value; count(shape)], shape))
    }

    /// Standard normal numbers: mean 0, variance 1.
    pub fn randn(shape: &[usize], rng: &mut Rng) -> Self {
        Self::from_array(values((0..count(shape)).map(|_| rng.normal()).collect(), shape))
    }

    /// Numbers from `[0, 1)`, each equally likely.
    pub fn rand(shape: &[usize], rng: &mut Rng) -> Self {
        Self::from_array(values((0..count(shape)).map(|_| rng.uniform()).collect(), shape))
    }

    /// Wraps an array; nothing is copied.
    pub fn from_array(values: impl Into<Values>) -> Self {
        Self { values: values.into(), history: None }
    }

    /// The size of each axis.
    pub fn shape(&self) -> &[usize] {
        self.values.shape()
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.values.ndim()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.values.len()
    }

    /// The size of the elements in memory, in bytes.
    pub fn nbytes(&self) -> usize {
        self.numel() * size_of::<f32>()
    }

    /// The only element. Panics when there is not exactly one.
    pub fn item(&self) -> f32 {
        let (shape, held) = (shape_text(self.shape()), self.numel());
        assert!(held == 1, "item: shape {shape} holds {held} elements, not one");
        self.data()[0]
    }

    /// The elements in row-major order, as a copy.
    pub fn to_vec(&self) -> Vec<f32> {
        self.data().into_owned()
    }

    /// The elements in row-major order: borrowed where memory has them in that order, else copied.
    pub fn data(&self) -> Cow<'_, [f32]> {
        row_major(&self.values)
    }

    /// The array itself.
    pub fn array(&self) -> &Values {
        &self.values
    }

    /// The array, to be changed in place; shared storage is copied first. The tensor keeps its id (lesson 05).
    pub fn array_mut(&mut self) -> &mut Values {
        &mut self.values
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({:?}, {})", self.shape(), self.values)
    }
}

/// `a + b` for every combination of tensors, references and numbers.
macro_rules! operator {
    ($trait:ident, $method:ident) => {
        operator!($trait, $method, &Tensor, &Tensor, |a, b| a.$method(b));
        operator!($trait, $method, &Tensor, Tensor, |a, b| a.$method(&b));
        operator!($trait, $method, Tensor, &Tensor, |a, b| (&a).$method(b));
        operator!($trait, $method, Tensor, Tensor, |a, b| (&a).$method(&b));
        operator!($trait, $method, &Tensor, f32, |a, b| a.$method(&Tensor::scalar(b)));
        operator!($trait, $method, Tensor, f32, |a, b| (&a).$method(&Tensor::scalar(b)));
        operator!($trait, $method, f32, &Tensor, |a, b| Tensor::scalar(a).$method(b));
        operator!($trait, $method, f32, Tensor, |a, b| Tensor::scalar(a).$method(&b));
    };
    ($trait:ident, $method:ident, $left:ty, $right:ty, |$a:ident, $b:ident| $result:expr) => {
        impl ops::$trait<$right> for $left {
            type Output = Tensor;
            fn $method(self, other: $right) -> Tensor {
                let ($a, $b) = (self, other);
                $result
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl ops::Neg for &Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        let elements = self.data().iter().map(|x| -x).collect();
        Tensor::made_by(Op::Neg, values(elements, self.shape()), &[self])
    }
}

impl ops::Neg for Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        -&self
    }
}

/// More operations: functions of one element, products with vectors, views, some of the elements, reductions.
impl Tensor {
    /// Applies a function to every element.
    pub fn map(&self, function: &(impl ElementwiseFunction + ?Sized)) -> Tensor {
        let values = tinytorch::backend::map(function, &self.values);
        Tensor::made_by(Op::Map(function.kind()), values, &[self])
    }

    /// e to the power of every element.
    pub fn exp(&self) -> Tensor {
        self.map(&Exp)
    }

    /// The natural logarithm of every element: `-inf` for 0, `NaN` below.
    pub fn log(&self) -> Tensor {
        self.map(&Log)
    }

    /// The square root of every element: `NaN` below 0.
    pub fn sqrt(&self) -> Tensor {
        self.map(&Sqrt)
    }

    /// A product with a vector, which becomes a matrix of one row or column; the result loses that axis.
    fn matmul_with_vector(&self, other: &Tensor) -> Tensor {
        if other.ndim() == 1 {
            let product = self.matmul(&other.with_shape(&[other.numel(), 1]));
            return product.with_shape(&self.shape()[..self.ndim() - 1]);
        }
        let product = self.with_shape(&[1, self.numel()]).matmul(other);
        let mut shape = product.shape().to_vec();
        shape.remove(shape.len() - 2);
        product.with_shape(&shape)
    }

    /// The same elements under another shape of the same count, shared if they lie in row-major order.
    fn with_shape(&self, shape: &[usize]) -> Tensor {
        Tensor::made_by(Op::Reshape, with_shape(&self.values, shape), &[self])
    }

    /// Swaps the last two axes. Panics when there are fewer.
    pub fn t(&self) -> Tensor {
        let axes = self.ndim();
        assert!(axes >= 2, "t: shape {} has fewer than 2 axes", shape_text(self.shape()));
        self.transpose(axes - 2, axes - 1)
    }

    /// The part at one index of an axis, which the result does not have.
    pub fn select(&self, axis: impl TryInto<isize>, index: usize) -> Tensor {
        let axis = axis_from_front("select", axis, self.shape());
        let (mut shape, text) = (self.shape().to_vec(), shape_text(self.shape()));
        assert!(index < shape[axis], "select: index {index} on axis {axis} of shape {text}");
        let mut ranges: Vec<Range<usize>> = shape.iter().map(|&size| 0..size).collect();
        ranges[axis] = index..index + 1;
        shape.remove(axis);
        self.slice(&ranges).with_shape(&shape)
    }

    /// The same storage with the axes in another order: axis i of the result is axis `order[i]` of `self`. A view,
    /// made of one [`Tensor::transpose`] after the other. Panics when an axis is missing or named twice.
    pub fn permute<Number: Copy + TryInto<isize>>(&self, order: &[Number]) -> Tensor {
        let swaps = swaps("permute", order, self.shape());
        swaps.into_iter().fold(self.clone(), |view, (a, b)| view.transpose(a, b))
    }

    /// `value` wherever `mask` is not 0, and the element of `self` elsewhere; both broadcast. What is replaced takes
    /// no part in the result, not even as 0 times infinity.
    pub fn masked_fill(&self, mask: &Tensor, value: f32) -> Tensor {
        let fill = |x, mask| if mask == 0.0 { x } else { value };
        Tensor::made_by(Op::MaskedFill, zip_with("masked_fill", self, mask, fill), &[self, mask])
    }

    /// The parts at `indices` of one axis, in that order; one may be named again. Panics when one is too large.
    pub fn index_select(&self, axis: impl TryInto<isize>, indices: &[usize]) -> Tensor {
        let axis = axis_from_front("index_select", axis, self.shape());
        let (starts, width) = part_starts(self.shape(), axis, indices);
        let data = self.data();
        let elements = starts.into_iter().flat_map(|start| &data[start..start + width]).copied();
        let mut shape = self.shape().to_vec();
        shape[axis] = indices.len();
        let op = Op::IndexSelect(axis, indices.to_vec());
        Tensor::made_by(op, values(elements.collect(), &shape), &[self])
    }

    /// Reduces one axis after the other with [`reduce`].
    fn reduce_axes(
        &self,
        name: &str,
        op: Op,
        axes: impl Axes,
        keepdim: bool,
        start: f32,
        f: impl Fn(f32, f32) -> f32,
    ) -> Tensor {
        let axes = axes.resolve(name, self.shape());
        let (mut shape, mut elements) = (self.shape().to_vec(), self.data());
        for &axis in &axes {
            elements = reduce(&elements, axis_split(&shape, axis), start, &f).into();
            shape[axis] = 1;
        }
        let kept = Tensor::made_by(op, values(elements.into_owned(), &shape), &[self]);
        if keepdim {
            return kept;
        }
        let left = (0..self.ndim()).filter(|axis| !axes.contains(axis));
        kept.with_shape(&left.map(|axis| self.shape()[axis]).collect::<Vec<_>>())
    }

    /// The sum of all elements, of shape `()`; 0 for an empty tensor.
    pub fn sum(&self) -> Tensor {
        let total = reduce(&self.data(), [1, self.numel(), 1], 0.0, |x, y| x + y);
        Tensor::made_by(Op::Sum, values(total, &[]), &[self])
    }

    /// The mean of all elements, of shape `()`; `NaN` for an empty tensor.
    pub fn mean(&self) -> Tensor {
        self.sum() / self.numel() as f32
    }

    /// The largest of all elements, of shape `()`; `NaN` where there is one. Panics when there is none.
    pub fn max(&self) -> Tensor {
        assert!(self.numel() > 0, "max: shape {} has no elements", shape_text(self.shape()));
        let largest = reduce(&self.data(), [1, self.numel(), 1], f32::NEG_INFINITY, larger);
        Tensor::made_by(Op::Max, values(largest, &[]), &[self])
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-history", "locked": true, "schema_version": 3, "solution": false, "task": false}
// How a tensor records what made it, from lesson 05 on. The operations, `Op`, are in `tinytorch::operations`.

/// How a tensor came about: the operation and its inputs.
#[derive(Debug)]
pub struct History {
    id: u64,
    op: Op,
    inputs: Vec<Tensor>,
}

impl History {
    fn new(op: Op, inputs: Vec<Tensor>) -> Arc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), op, inputs })
    }

    /// A unique number, above those of its inputs: falling ids go backwards through a computation.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The operation.
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The inputs, in the order of the operation's operands; none for a leaf.
    pub fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }
}

/// A history holds tensors, which hold histories: dropping them recursively would use one stack frame per
/// step, and a long graph would overflow the stack. So they are taken apart in a loop.
impl Drop for History {
    fn drop(&mut self) {
        let mut pending = std::mem::take(&mut self.inputs);
        while let Some(mut tensor) = pending.pop() {
            if let Some(mut last_owned) = tensor.history.take().and_then(Arc::into_inner) {
                pending.append(&mut last_owned.inputs);
            }
        }
    }
}

impl Tensor {
    /// The result of an operation. Its history is recorded while recording is on and an input is tracked.
    pub fn made_by(op: Op, values: Values, inputs: &[&Tensor]) -> Tensor {
        let keep = inputs.iter().any(|input| input.is_tracked()) && is_recording();
        let history =
            keep.then(|| History::new(op, inputs.iter().map(|&input| input.clone()).collect()));
        Tensor { values, history }
    }

    /// The same values as a leaf with an id: what is computed from it records a history. Such a leaf keeps its id.
    /// Panics for a tensor that was computed from a tracked one: as a leaf it would silently be cut off from that.
    #[must_use]
    pub fn tracked(self) -> Tensor {
        if let Some(history) = self.history() {
            assert!(
                matches!(history.op, Op::Leaf),
                "tracked: this tensor of shape {} was computed from a tracked tensor, and no gradient would \
                 reach that one any more; track the leaf before you compute, or call detach() first",
                shape_text(self.shape())
            );
            return self;
        }
        Tensor { values: self.values, history: Some(History::new(Op::Leaf, vec![])) }
    }

    /// The same values without a history.
    #[must_use]
    pub fn detach(&self) -> Tensor {
        Tensor { values: self.values.clone(), history: None }
    }

    /// Whether it is a tracked leaf or was computed from one.
    pub fn is_tracked(&self) -> bool {
        self.history.is_some()
    }

    /// How it was made, if that was recorded.
    pub fn history(&self) -> Option<&History> {
        self.history.as_deref()
    }

    /// Its id among all tracked tensors; clones share it.
    pub fn id(&self) -> Option<u64> {
        self.history().map(History::id)
    }
}

// %% nbgrader={"grade": false, "grade_id": "tensor-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs every analysis of this module.
pub fn main() {
    let out = &mut Reporter::stdout();
    analyze_memory_layout(out);
    analyze_matmul_orders(out);
    analyze_broadcasting_memory(out);
}

// %% nbgrader={"grade": false, "grade_id": "tensor-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
