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

// %% nbgrader={"grade": false, "grade_id": "attention-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 12 Attention: each position of a sequence takes what it needs from all others. Input: queries, keys and values
//! `(..., S, d)`. Output: for each query, a mix of the values. Depends on 01 to 06.
//! By hand: scores `[0, ln 3]` are the weights `[1/4, 3/4]`, and with the values 8 and 4 the output is 2 + 3 = 5.
//! Not here: what the positions are (11), and the blocks of a transformer (13).

use std::ops::Range;
use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, GradientRule, custom, grad_for, no_grad, track};
use tinytorch::backend;
use tinytorch::data::dictionaries::{Dictionaries, SYMBOLS};
use tinytorch::data::heads;
use tinytorch::explore::Explorer;
use tinytorch::layers::{Layer, Linear};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::ndarray::{Axis, Slice};
use tinytorch::optimizers::{Adam, Optimizer};
use tinytorch::random::Rng;
use tinytorch::report::{Axis as ChartAxis, Picture, Reporter, Series, Value};
use tinytorch::tensor::{Tensor, larger, shape_text, values, zip_with};
use tinytorch::testing::{Ratio, Reading, compare, compare_accuracies, memory};

// %% [markdown] nbgrader={"grade": false, "grade_id": "attention-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Attention
//
// You build: attention with plain loops; the same in five steps on tensors, with masks; several heads side by side; and
// attention in blocks, which never holds the whole matrix of weights.

// %% nbgrader={"grade": false, "grade_id": "attention-plain", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Attention with loops, for one sequence: `q` is (queries, d), `k` is (keys, d), `v` is (keys, width); the result is
/// (queries, width).
///
/// TODO: for each query, compute its scores, turn them into weights, and mix the values.
///
/// APPROACH:
/// 1. The score of a key: multiply query and key number by number, add up, divide by the square root of d.
/// 2. Its weight: `exp` of its score minus the largest score, divided by the sum of these exponentials.
/// 3. The output: the sum of all rows of `v`, each times its weight.
///
/// EXAMPLE: the query `[1]` with the keys 0 and ln 3 has the weights 1/4 and 3/4; the values 8 and 4 give 5.
///
/// HINTS: `q.chunks_exact(d)` gives the rows. Collect the scores of one query first: the largest must be known before
/// the first `exp`.
pub fn plain_attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    let ([queries, d], [_, width]) = (matrix_shape(q), matrix_shape(v));
    let (q, k, v) = (q.data(), k.data(), v.data());
    let mut output = vec![0.0; queries * width];
    for (query, mixed) in q.chunks_exact(d).zip(output.chunks_exact_mut(width)) {
        // BEGIN SOLUTION
        let score = |key: &[f32]| {
            let products = query.iter().zip(key).map(|(x, y)| x * y);
            products.sum::<f32>() / (d as f32).sqrt()
        };
        let scores: Vec<f32> = k.chunks_exact(d).map(score).collect();
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, larger);
        let exponentials: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
        let sum: f32 = exponentials.iter().sum();
        for (exponential, value) in exponentials.iter().zip(v.chunks_exact(width)) {
            for (total, x) in mixed.iter_mut().zip(value) {
                *total += exponential / sum * x;
            }
        }
        // END SOLUTION
    }
    Tensor::new(&output, &[queries, width])
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-plain", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, the scale, huge scores, values of another width.
#[test]
fn test_unit_plain() {
    use tinytorch::testing::expect_close;

    let matrix = |values: &[f32], width: usize| Tensor::new(values, &[values.len() / width, width]);
    let check = |input: &str, [q, k, v]: [&Tensor; 3], wanted: &[f32], idea: &str| {
        expect_close(input, &plain_attention(q, k, v).to_vec(), wanted, 1e-5, idea);
    };
    let ln3 = 3.0_f32.ln();
    let (keys, both) = (matrix(&[0.0, ln3], 1), matrix(&[8.0, 4.0], 1));
    let idea = "the weights are the softmax of the scores, and the output is the sum of the values times their weights";
    check(
        "query 1, keys 0 and ln 3, values 8 and 4",
        [&matrix(&[1.0], 1), &keys, &both],
        &[5.0],
        idea,
    );
    let idea = "each query has weights of its own";
    let three = matrix(&[1.0, 0.0, -1.0], 1);
    check("queries 1, 0 and -1", [&three, &keys, &both], &[5.0, 6.0, 7.0], idea);
    let idea = "divide the scores by the square root of d";
    let wide = [matrix(&[2.0; 4], 4), matrix(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ln3], 4)];
    check("d = 4, scores 0 and 2 ln 3", [&wide[0], &wide[1], &both], &[5.0], idea);
    let idea = "subtract the largest score before `exp`, or it overflows";
    let large = matrix(&[1000.0, 1000.0], 1);
    check("keys 1000 and 1000", [&matrix(&[1.0], 1), &large, &both], &[6.0], idea);
    let idea = "a row of values may have another width than a key";
    let wider = matrix(&[8.0, 0.0, 4.0, 4.0], 2);
    check("values of two numbers", [&matrix(&[1.0], 1), &keys, &wider], &[5.0, 3.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "attention-scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// How well each query fits each key: (..., queries, d) and (..., keys, d) give (..., queries, keys).
///
/// TODO: one product of matrices.
///
/// APPROACH: row i, column j is the dot product of query i and key j. In a matrix product the columns of the right side
/// are multiplied by the rows of the left side: which way round must the keys be?
///
/// EXAMPLE: the queries `[[1, 0], [0, 1]]` and the keys `[[2, 3], [4, 5]]` give `[[2, 4], [3, 5]]`.
///
/// HINTS: `t` swaps the last two axes and copies nothing.
pub fn attention_scores(q: &Tensor, k: &Tensor) -> Tensor {
    // BEGIN SOLUTION
    q.matmul(&k.t())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-scores", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, more keys than queries, heads of a batch.
#[test]
fn test_unit_scores() {
    use tinytorch::testing::expect_call;

    let check = |input: &str, q: &Tensor, k: &Tensor, shape: &[usize], wanted: &[f32]| {
        let idea =
            "a row for each query, a column for each key: the queries times the transposed keys";
        let yours = || {
            let scores = attention_scores(q, k);
            (scores.shape().to_vec(), scores.to_vec())
        };
        expect_call(input, yours, (shape.to_vec(), wanted.to_vec()), idea);
    };
    let q = Tensor::new(&[1.0, 0.0, 0.0, 1.0], &[2, 2]);
    let k = Tensor::new(&[2.0, 3.0, 4.0, 5.0], &[2, 2]);
    check("[[1, 0], [0, 1]] and [[2, 3], [4, 5]]", &q, &k, &[2, 2], &[2.0, 4.0, 3.0, 5.0]);
    let k = Tensor::new(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0], &[3, 2]);
    check("two queries, three keys", &q, &k, &[2, 3], &[2.0, 4.0, 6.0, 3.0, 5.0, 7.0]);
    let [q, k] = [[2, 4, 3, 8], [2, 4, 5, 8]].map(|shape| Tensor::ones(&shape));
    check("ones (2, 4, 3, 8) and (2, 4, 5, 8)", &q, &k, &[2, 4, 3, 5], &[8.0; 120]);
}

// %% nbgrader={"grade": false, "grade_id": "attention-scale", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The scores divided by the square root of `d`, the number of dimensions of one key.
///
/// TODO: multiply by one number.
///
/// APPROACH: a sum of d products of random numbers has a standard deviation of the square root of d. Undo that.
///
/// EXAMPLE: with d = 4, the score 6 becomes 3.
///
/// HINTS: `as f32` converts d; a tensor times an `f32` scales every element.
pub fn scale_scores(scores: &Tensor, d: usize) -> Tensor {
    // BEGIN SOLUTION
    scores * (1.0 / (d as f32).sqrt())
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-scale", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, and what the scale is for: scores of random vectors keep a standard deviation of 1.
#[test]
fn test_unit_scale() {
    use tinytorch::testing::expect_close;

    let idea = "divide by the square root of d: multiply by its reciprocal";
    let scaled = scale_scores(&Tensor::new(&[6.0, -4.0, 0.0], &[1, 3]), 4).to_vec();
    expect_close("[6, -4, 0], d = 4", &scaled, &[3.0, -2.0, 0.0], 1e-6, idea);
    let rng = &mut Rng::seeded(1);
    for d in [1, 16, 256] {
        let [q, k] = [(); 2].map(|()| Tensor::randn(&[100, d], rng));
        let scores = scale_scores(&attention_scores(&q, &k), d);
        let deviation = (&scores * &scores).mean().sqrt().item();
        expect_close(format!("the deviation of scores, d = {d}"), &[deviation], &[1.0], 0.1, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "attention-mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The scores, with negative infinity where `mask` is 0; where it is 1 they stay. The mask broadcasts to the scores.
///
/// TODO: fill the scores where the mask is 0.
///
/// APPROACH:
/// 1. `masked_fill(mask, value)` replaces elements where *its* mask is not 0: it wants to know what is hidden.
/// 2. Invert the mask: 1 becomes 0, and 0 becomes 1.
/// 3. A weight is `exp` of a score: which score has the weight 0?
/// 4. Fill with it. Do not add it to what is hidden: NaN plus -inf is NaN.
///
/// EXAMPLE: scores `[5, 6]` with the mask `[1, 0]` become `[5, -inf]`.
///
/// HINTS: a number minus a tensor is a tensor.
pub fn apply_mask(scores: &Tensor, mask: &Tensor) -> Tensor {
    check_mask(scores.shape(), mask);
    // BEGIN SOLUTION
    scores.masked_fill(&(1.0 - mask), f32::NEG_INFINITY)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-mask", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, a mask that broadcasts, a key that is NaN, the gradient of what is hidden.
#[test]
fn test_unit_mask() {
    use tinytorch::testing::{expect_call, expect_eq, expect_named, panic_message};

    let hidden = f32::NEG_INFINITY;
    let scores = Tensor::new(&[5.0, 6.0, 7.0, 8.0], &[2, 2]);
    let check = |input: &str, scores: &Tensor, mask: &Tensor, wanted: &[f32], idea: &str| {
        expect_eq(input, &apply_mask(scores, mask).to_vec()[..], wanted, idea);
    };
    let idea = "1 may be seen and stays, 0 is hidden and becomes negative infinity";
    let mask = Tensor::new(&[1.0, 0.0, 1.0, 1.0], &[2, 2]);
    check(
        "[[5, 6], [7, 8]], mask [[1, 0], [1, 1]]",
        &scores,
        &mask,
        &[5.0, hidden, 7.0, 8.0],
        idea,
    );
    let mask = Tensor::new(&[0.0, 1.0], &[1, 1, 2]);
    let heads = scores.reshape(&[2, 1, 2]);
    check("two heads, mask [0, 1] for both", &heads, &mask, &[hidden, 6.0, hidden, 8.0], idea);
    let idea = "fill, do not add: a hidden score has no influence, not even as NaN";
    let broken = Tensor::new(&[1.0, f32::NAN], &[1, 2]);
    check("[1, NaN], mask [1, 0]", &broken, &Tensor::new(&[1.0, 0.0], &[2]), &[1.0, hidden], idea);
    let gradient = || {
        let leaf = scores.clone().tracked();
        let masked = apply_mask(&leaf, &mask.reshape(&[1, 2]));
        masked.backward_with(&Tensor::ones(&[2, 2])).get(&leaf).map(Tensor::to_vec)
    };
    let idea = "use tensor operations: a hidden score gets no gradient, the others do";
    expect_call("the gradient, mask [0, 1]", gradient, Some(vec![0.0, 1.0, 0.0, 1.0]), idea);
    for (mask, words) in [
        (Tensor::new(&[0.0, hidden], &[2]), "a mask holds 1 (may be seen) and 0 (hidden)"),
        (Tensor::ones(&[3, 1, 2]), "mask (3, 1, 2) does not broadcast to scores (2, 2)"),
        (Tensor::ones(&[3]), "mask (3) does not broadcast to scores (2, 2)"),
    ] {
        let message = panic_message(|| apply_mask(&scores, &mask));
        expect_named(&message, &[words], "given: a mask that does not fit is an error");
    }
}

// %% nbgrader={"grade": false, "grade_id": "attention-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Turns one row of scores into weights, in place: 0 or more, with the sum 1. A row that is hidden entirely becomes zeros.
///
/// TODO: softmax with a shift, and the row in which every score is negative infinity.
///
/// APPROACH:
/// 1. Find the largest score, with `larger`, which keeps a NaN: a broken number must not be hidden.
/// 2. If it is negative infinity, nothing may be seen: fill the row with 0, and you are done.
/// 3. Otherwise replace each score by `exp` of its difference from the largest, and add these up.
/// 4. Divide by the sum.
///
/// EXAMPLE: `[0, ln 3, -inf]` becomes `[1/4, 3/4, 0]`, and `[-inf, -inf]` becomes `[0, 0]`.
///
/// HINTS: `fold` with `larger` finds the largest. What is -inf minus -inf, and what does `exp` make of it?
pub fn softmax_row(row: &mut [f32]) {
    // BEGIN SOLUTION
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, larger);
    if largest == f32::NEG_INFINITY {
        return row.fill(0.0);
    }
    let mut sum = 0.0;
    for x in row.iter_mut() {
        *x = (*x - largest).exp();
        sum += *x;
    }
    row.iter_mut().for_each(|x| *x /= sum);
    // END SOLUTION
}

/// The gradient of a row of scores, in place: `gradient` holds that of the `weights` before.
///
/// TODO: from the gradient of the weights to that of the scores.
///
/// APPROACH:
/// 1. The weighted mean of the gradient: the sum of each element times its weight. (The weights add up to 1, so nothing is
///    divided.)
/// 2. Each element minus this mean, times its weight: a larger score raises its own weight and lowers all others.
///
/// EXAMPLE: the weights `[1/4, 3/4]` and the gradient `[4, 0]`: the mean is 1, so the scores get `[3/4, -3/4]`.
///
/// HINTS: two passes, one for the mean. A weight of 0 gets 0 without a special case.
pub fn softmax_gradient(weights: &[f32], gradient: &mut [f32]) {
    // BEGIN SOLUTION
    let mean: f32 = weights.iter().zip(gradient.iter()).map(|(weight, g)| weight * g).sum();
    for (g, weight) in gradient.iter_mut().zip(weights) {
        *g = weight * (*g - mean);
    }
    // END SOLUTION
}

/// The weights of scores, row by row along the last axis. What softmax in module 02 does with five operations is one here.
pub fn masked_softmax(scores: &Tensor) -> Tensor {
    let mut weights = scores.to_vec();
    let width = scores.shape().last().map_or(1, |&width| width.max(1));
    backend::softmax_rows(&mut weights, width, softmax_row);
    custom("masked_softmax", values(weights, scores.shape()), &[scores], SoftmaxRule { width })
}

struct SoftmaxRule {
    width: usize,
}

impl GradientRule for SoftmaxRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        scores: &[Tensor],
        weights: &Tensor,
    ) -> Vec<Option<Tensor>> {
        let for_scores = || {
            let mut gradient = grad_output.to_vec();
            backend::softmax_gradients(
                &weights.data(),
                self.width,
                &mut gradient,
                softmax_gradient,
            );
            Tensor::from_array(values(gradient, weights.shape()))
        };
        vec![grad_for(&scores[0], for_scores)]
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-softmax", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, huge scores, a row hidden entirely, NaN; the gradient against central differences.
#[test]
fn test_unit_softmax() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::expect_close;

    let (hidden, ln3) = (f32::NEG_INFINITY, 3.0_f32.ln());
    let check = |input: &str, scores: &[f32], wanted: &[f32], idea: &str| {
        let mut row = scores.to_vec();
        softmax_row(&mut row);
        expect_close(input, &row, wanted, 1e-6, idea);
    };
    let idea = "exp of each score, divided by the sum of the row; a hidden score has the weight 0";
    check("[0, ln 3]", &[0.0, ln3], &[0.25, 0.75], idea);
    check("[-inf, 0, ln 3]", &[hidden, 0.0, ln3], &[0.0, 0.25, 0.75], idea);
    let idea = "subtract the largest score before exp, whatever its sign";
    check("[1000, 1000]", &[1000.0, 1000.0], &[0.5, 0.5], idea);
    check("[-1000, -1000]", &[-1000.0, -1000.0], &[0.5, 0.5], idea);
    check(
        "[-inf, -inf]",
        &[hidden; 2],
        &[0.0; 2],
        "a row that is hidden entirely has weights of 0, not NaN",
    );
    for scores in [[0.0, f32::NAN], [hidden, f32::NAN]] {
        let mut broken = scores;
        softmax_row(&mut broken);
        assert!(
            broken[0].is_nan(),
            "{scores:?} became {broken:?}: a NaN is not hidden: find the largest with `larger`"
        );
    }

    let check = |input: &str, weights: &[f32], upstream: &[f32], wanted: &[f32], idea: &str| {
        let mut gradient = upstream.to_vec();
        softmax_gradient(weights, &mut gradient);
        expect_close(input, &gradient, wanted, 1e-6, idea);
    };
    let idea =
        "the gradient minus its mean, each element times its weight; the mean is weighted too";
    check("weights [1/4, 3/4], gradient [4, 0]", &[0.25, 0.75], &[4.0, 0.0], &[0.75, -0.75], idea);
    check("weights [0, 1], gradient [9, 2]", &[0.0, 1.0], &[9.0, 2.0], &[0.0, 0.0], idea);
    check(
        "a row that is hidden entirely",
        &[0.0; 2],
        &[9.0, 2.0],
        &[0.0; 2],
        "nothing to see, no gradient",
    );
    let scores = Tensor::randn(&[2, 3, 4], &mut Rng::seeded(2));
    check_gradient(|scores| masked_softmax(&scores[0]), &[scores], 1e-3);
}

// %% nbgrader={"grade": false, "grade_id": "attention-attend", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Each query's mix of the values, and the weights: `q` (..., queries, d), `k` (..., keys, d) and `v` (..., keys, width)
/// give (..., queries, width) and (..., queries, keys). In `mask`, which broadcasts to the weights, 1 may be seen and 0
/// is hidden. A query that may see nothing gets zeros.
///
/// TODO: scores, scale, mask, softmax, mix.
///
/// APPROACH:
/// 1. Your four functions, in that order. Where there is no mask, the scores stay.
/// 2. The mix is a product: the weights (queries, keys) times the values (keys, width).
///
/// EXAMPLE: the query `[1]`, the keys 0 and ln 3, the values 8 and 4 give 5, and the weights `[1/4, 3/4]`.
///
/// HINTS: d is the last size of `k`. `match` on the mask, or `map_or` on the option.
pub fn scaled_dot_product_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
) -> (Tensor, Tensor) {
    let d = check_attention(q, k, v);
    // BEGIN SOLUTION
    let scores = scale_scores(&attention_scores(q, k), d);
    let visible = match mask {
        Some(mask) => apply_mask(&scores, mask),
        None => scores,
    };
    let weights = masked_softmax(&visible);
    (weights.matmul(v), weights)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-attend", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Equal to the loops, masks that make the weights of the rest larger, a query that sees nothing, gradients.
#[test]
fn test_unit_attend() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let rng = &mut Rng::seeded(3);
    let [q, k, v] = [[3, 4], [5, 4], [5, 2]].map(|shape| Tensor::randn(&shape, rng));
    let (output, weights) = scaled_dot_product_attention(&q, &k, &v, None);
    let idea = "scores, scale by the square root of d, softmax, and the weights times the values: as in your loops";
    let wanted = plain_attention(&q, &k, &v).to_vec();
    expect_close("3 queries, 5 keys, d = 4", &output.to_vec(), &wanted, 1e-5, idea);
    expect_eq(
        "3 queries, 5 keys: weights",
        weights.shape(),
        &[3, 5],
        "a weight for each query and key",
    );

    let idea = "the second of the pair is the weights, not the scores: each row sums to 1";
    let sums = weights.sum_axis(-1, false).to_vec();
    expect_close("3 queries, 5 keys: sums of the weights", &sums, &[1.0; 3], 1e-6, idea);

    // With the last key hidden, everything is as if it were not there.
    let mask = Tensor::new(&[1.0, 1.0, 1.0, 1.0, 0.0], &[1, 5]);
    let (output, weights) = scaled_dot_product_attention(&q, &k, &v, Some(&mask));
    let idea = "mask the scores, before the softmax: a key that is hidden takes no part in the sum";
    let sums = weights.sum_axis(-1, false).to_vec();
    expect_close("one key hidden: sums of the weights", &sums, &[1.0; 3], 1e-6, idea);
    let first = plain_attention(&q, &k.slice(&[0..4]), &v.slice(&[0..4])).to_vec();
    expect_close("one key hidden: output", &output.to_vec(), &first, 1e-5, idea);
    let nothing = Tensor::new(&[1.0, 0.0, 1.0], &[3, 1]);
    let (output, weights) = scaled_dot_product_attention(&q, &k, &v, Some(&nothing));
    let idea = "a query that may see nothing gets zeros, and the others are as before";
    let row = |tensor: &Tensor, row: usize| tensor.select(0, row).to_vec();
    expect_eq(
        "query 1 sees nothing",
        (row(&output, 1), row(&weights, 1)),
        (vec![0.0; 2], vec![0.0; 5]),
        idea,
    );
    expect_close("query 0", &row(&output, 0), &wanted[..2], 1e-5, idea);

    let attend = |mask: Option<Tensor>| {
        move |inputs: &[Tensor]| {
            scaled_dot_product_attention(&inputs[0], &inputs[1], &inputs[2], mask.as_ref()).0
        }
    };
    for mask in [None, Some(mask), Some(nothing)] {
        check_gradient(attend(mask), &[q.clone(), k.clone(), v.clone()], 1e-3);
    }
    let message = panic_message(|| scaled_dot_product_attention(&q, &v, &v, None));
    let wanted = "attention: q (3, 4), k (5, 2), v (5, 2): queries have 4 dimensions, and keys 2";
    expect_eq("keys of another width", &*message, wanted, "given: the shapes are checked first");
}

// %% nbgrader={"grade": false, "grade_id": "attention-causal", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The mask (length, length) of a model that reads from left to right: position i may see the positions 0 to i.
///
/// TODO: ones and zeros, row by row.
///
/// APPROACH: row i is the query at position i, column j the key at position j. When may i see j?
///
/// EXAMPLE: for the length 3 the rows are `[1, 0, 0]`, `[1, 1, 0]`, `[1, 1, 1]`.
///
/// HINTS: one index over all elements gives the row by `/` and the column by `%`; `f32::from` makes 1 of true.
pub fn causal_mask(length: usize) -> Tensor {
    // BEGIN SOLUTION
    let may_see = |place: usize| f32::from(place % length <= place / length);
    let elements: Vec<f32> = (0..length * length).map(may_see).collect();
    Tensor::new(&elements, &[length, length])
    // END SOLUTION
}

/// The mask (sequences, 1, 1, length) of a batch in which shorter sequences were filled up at the end: of sequence b,
/// only the first `lengths[b]` positions may be seen.
///
/// TODO: for each sequence as many ones as it has positions, then zeros.
///
/// APPROACH: the sequences one after the other; in each, compare every position with the sequence's length.
///
/// EXAMPLE: the lengths 2 and 3 in a batch of length 3 give the rows `[1, 1, 0]` and `[1, 1, 1]`.
///
/// HINTS: `flat_map` over the lengths, with a `map` over the positions inside. The two axes of size 1 are those of the heads
/// and of the queries: all of them see the same keys.
pub fn padding_mask(lengths: &[usize], length: usize) -> Tensor {
    if let Some((sequence, found)) = lengths.iter().enumerate().find(|&(_, &own)| own > length) {
        panic!(
            "padding_mask: sequence {sequence} has {found} positions, and the batch only {length}"
        );
    }
    // BEGIN SOLUTION
    let row = |&own: &usize| (0..length).map(move |position| f32::from(position < own));
    let elements: Vec<f32> = lengths.iter().flat_map(row).collect();
    Tensor::new(&elements, &[lengths.len(), 1, 1, length])
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-causal", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Both by hand; together, by `mul`; a token that changes changes nothing before it.
#[test]
fn test_unit_causal() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let idea = "position i may see the positions 0 to i, itself too";
    let wanted = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    expect_eq("causal, length 3", causal_mask(3).to_vec(), wanted, idea);
    expect_eq("causal, length 0", causal_mask(0).shape(), &[0, 0], "no positions, an empty mask");

    let padding = padding_mask(&[2, 3, 0], 3);
    let idea = "the axes are sequences, heads, queries, keys: the two in the middle have size 1";
    expect_eq("padding, three sequences", padding.shape(), &[3, 1, 1, 3], idea);
    let idea = "the first positions of a sequence are its own, the rest is filled up";
    let wanted = vec![1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
    expect_eq("padding, lengths 2, 3, 0 of 3", padding.to_vec(), wanted, idea);
    let message = panic_message(|| padding_mask(&[2, 4], 3));
    let wanted = "padding_mask: sequence 1 has 4 positions, and the batch only 3";
    expect_eq("lengths 2, 4 of 3", &*message, wanted, "given: a sequence fits into its batch");

    let both = padding.mul(&causal_mask(3));
    let idea = "what both masks show may be seen: they combine by `mul`";
    expect_eq("both", both.shape(), &[3, 1, 3, 3], idea);
    let wanted = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0];
    expect_eq("both, length 2 of 3", both.slice(&[0..1]).to_vec(), wanted, idea);

    let attend = |x: &[f32]| {
        let x = Tensor::new(x, &[4, 2]);
        scaled_dot_product_attention(&x, &x, &x, Some(&causal_mask(4))).0.to_vec()
    };
    let tokens = Tensor::randn(&[4, 2], &mut Rng::seeded(4)).to_vec();
    let changed = [&tokens[..6], &[9.0, 9.0]].concat();
    let idea = "a token has no influence on what is before it";
    expect_close(
        "the last token changes",
        &attend(&changed)[..6],
        &attend(&tokens)[..6],
        0.0,
        idea,
    );
}

// %% nbgrader={"grade": false, "grade_id": "attention-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Attention in a batch of sequences that were filled up: `real` (B, S) is 1 for a token and 0 for padding, as many
/// tokenizers return it. `q`, `k` and `v` are (B, S, d). The outputs at the places of padding are not used.
///
/// TODO: find the fault in this line, which a colleague wrote, and write it correctly. It worked in a test with 3 sentences
/// of 3 words, but some of the sentences had odd outputs. With 2 sentences of 3 words it panics.
///
/// ```text
/// let mask = real.clone();
/// ```
///
/// APPROACH:
/// 1. Which shape do the scores have? Align (B, S) with it at the last axis: what is the first axis of the mask taken for?
/// 2. Give the mask the axis that it lacks.
///
/// EXAMPLE: for 2 sentences of 3 words, the scores are (2, 3, 3) and the mask is (2, 1, 3).
///
/// HINTS: the shape of `real` has two sizes. What may be seen is the same for all queries of a sentence.
pub fn attend_real(q: &Tensor, k: &Tensor, v: &Tensor, real: &Tensor) -> Tensor {
    let mask: Tensor = {
        // BEGIN SOLUTION
        real.reshape(&[real.shape()[0], 1, real.shape()[1]])
        // END SOLUTION
    };
    scaled_dot_product_attention(q, k, v, Some(&mask)).0
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 As many sentences as words, and fewer: each sentence has the output that it has alone.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::{expect_close, expect_return};

    for lengths in [vec![1, 3, 2], vec![2, 3]] {
        let sentences = lengths.len();
        let x = Tensor::randn(&[sentences, 3, 4], &mut Rng::seeded(8));
        let real = padding_mask(&lengths, 3).reshape(&[sentences, 3]);
        let idea = "the mask needs the axis of the queries: (B, 1, S); (B, S) is taken for (queries, keys)";
        let input = format!("{sentences} sentences of 3 words, lengths {lengths:?}");
        let output = expect_return(&input, || attend_real(&x, &x, &x, &real), idea);
        for (sentence, &length) in lengths.iter().enumerate() {
            let own = |x: &Tensor| x.select(0, sentence).slice(&[0..length]);
            let alone = scaled_dot_product_attention(&own(&x), &own(&x), &own(&x), None).0.to_vec();
            expect_close(&input, &own(&output).to_vec(), &alone, 1e-5, idea);
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "attention-heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Gives each head its own part of the dimensions: (B, S, D) becomes (B, heads, S, D / heads).
///
/// TODO: a reshape and a transpose.
///
/// APPROACH:
/// 1. The D numbers of a token are the parts of all heads, one after the other. Split that axis into two, without a change of
///    the order: (B, S, heads, d).
/// 2. Each head needs a matrix (S, d) of its own: bring the heads to the front.
///
/// EXAMPLE: the tokens `[1, 2, 3, 4]` and `[5, 6, 7, 8]` with 2 heads: head 0 gets `[[1, 2], [5, 6]]`, head 1 gets
/// `[[3, 4], [7, 8]]`.
///
/// HINTS: `transpose(a, b)` swaps two axes; it copies nothing.
pub fn split_heads(x: &Tensor, heads: usize) -> Tensor {
    let [batch, length, dim] = check_tokens("split_heads", x, None);
    check_heads("split_heads", dim, heads);
    // BEGIN SOLUTION
    x.reshape(&[batch, length, heads, dim / heads]).transpose(1, 2)
    // END SOLUTION
}

/// The inverse of [`split_heads`]: (B, heads, S, d) becomes (B, S, heads * d).
///
/// TODO: the two steps, backwards.
///
/// APPROACH: the heads go back after the positions; then their parts are joined.
///
/// EXAMPLE: `merge_heads(&split_heads(&x, heads))` is `x`.
///
/// HINTS: which of the two steps must be undone first?
pub fn merge_heads(x: &Tensor) -> Tensor {
    let &[batch, heads, length, d] = x.shape() else {
        panic!("merge_heads: shape {}: (B, heads, S, d) is needed", shape_text(x.shape()));
    };
    // BEGIN SOLUTION
    x.transpose(1, 2).reshape(&[batch, length, heads * d])
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-heads", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every number names its place; there and back; sizes that do not fit.
#[test]
fn test_unit_heads() {
    use tinytorch::testing::{expect_eq, panic_message};

    let tokens: Vec<f32> = (1..=8).map(|number| number as f32).collect();
    let heads = split_heads(&Tensor::new(&tokens, &[1, 2, 4]), 2);
    let idea = "head 0 gets the first d numbers of every token, side by side, head 1 the next d";
    expect_eq(
        "(1, 2, 4), 2 heads",
        heads.shape(),
        &[1, 2, 2, 2],
        "(B, S, D) becomes (B, heads, S, d)",
    );
    let wanted = vec![1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0];
    expect_eq("[1, 2, 3, 4] and [5, 6, 7, 8], 2 heads", heads.to_vec(), wanted, idea);
    let merge = "merge_heads undoes split_heads: first the transpose, then the reshape";
    expect_eq("the same two heads, merged", merge_heads(&heads).to_vec(), tokens, merge);

    let rng = &mut Rng::seeded(5);
    for (shape, heads) in [([2, 3, 12], 4), ([3, 5, 6], 3), ([1, 4, 4], 1), ([0, 2, 4], 2)] {
        let x = Tensor::randn(&shape, rng);
        let input = format!("{}, {heads} heads", shape_text(&shape));
        let split = split_heads(&x, heads);
        let wanted = [shape[0], heads, shape[1], shape[2] / heads];
        expect_eq(&input, split.shape(), &wanted, "(B, S, D) becomes (B, heads, S, d)");
        let merged = merge_heads(&split);
        expect_eq(&input, (merged.shape(), merged.to_vec()), (&shape[..], x.to_vec()), merge);
    }
    let given = "given: sizes that do not fit are an error";
    let message = panic_message(|| split_heads(&Tensor::ones(&[1, 2, 10]), 3));
    expect_eq(
        "10, 3 heads",
        &*message,
        "split_heads: 10 dimensions cannot be divided among 3 heads",
        given,
    );
    let message = panic_message(|| split_heads(&Tensor::ones(&[2, 10]), 2));
    expect_eq("(2, 10)", &*message, "split_heads: input (2, 10): (B, S, D) is needed", given);
}

// %% nbgrader={"grade": false, "grade_id": "attention-multihead", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Several attentions side by side, each on its own part of the dimensions (Vaswani et al., 2017).
#[derive(Debug, Clone)]
pub struct MultiHeadAttention {
    /// How many heads there are.
    pub heads: usize,
    /// What each token looks for: (D, D).
    pub query: Linear,
    /// What each token can be found by: (D, D).
    pub key: Linear,
    /// What each token gives to those that look at it: (D, D).
    pub value: Linear,
    /// Mixes the results of the heads: (D, D).
    pub output: Linear,
}

impl MultiHeadAttention {
    /// Random projections of `dim` dimensions. Panics when the heads cannot share these equally.
    pub fn new(dim: usize, heads: usize, rng: &mut Rng) -> Self {
        check_heads("MultiHeadAttention", dim, heads);
        let mut projection = || Linear::new(dim, dim, rng);
        let [query, key, value, output] = [(); 4].map(|()| projection());
        Self { heads, query, key, value, output }
    }

    /// Self-attention: each token of `x` (B, S, D) looks at all tokens of its sequence that `mask` shows.
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Tensor {
        self.attend(x, x, mask).0
    }

    /// The same, with the weights (B, heads, S, S).
    pub fn forward_with_weights(&self, x: &Tensor, mask: Option<&Tensor>) -> (Tensor, Tensor) {
        self.attend(x, x, mask)
    }

    /// Cross-attention: the tokens of `x` (B, S, D) look at those of another sequence, `memory` (B, T, D).
    pub fn cross(&self, x: &Tensor, memory: &Tensor, mask: Option<&Tensor>) -> Tensor {
        self.attend(x, memory, mask).0
    }

    fn dim(&self) -> usize {
        self.query.weight.shape()[0]
    }
}

// %% nbgrader={"grade": false, "grade_id": "attention-multihead-attend", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl MultiHeadAttention {
    /// The tokens of `x` (B, S, D) look at those of `memory` (B, T, D). Returns the output (B, S, D), and the weights
    /// (B, heads, S, T).
    ///
    /// TODO: project, split, attend, merge, project.
    ///
    /// APPROACH:
    /// 1. The queries are a projection of `x`; the keys and the values are projections of `memory`.
    /// 2. `split_heads` each of the three: every head is one more matrix of the batch.
    /// 3. One call attends in all heads at once; `d` is now the width of a head.
    /// 4. `merge_heads`, and the last projection mixes what the heads found.
    ///
    /// EXAMPLE: `x` (2, 5, 8) with 2 heads: q, k and v are (2, 2, 5, 4), the weights (2, 2, 5, 5), the output (2, 5, 8).
    ///
    /// HINTS: `self.query.forward(x)` is (B, S, D). The mask goes along as it is.
    pub fn attend(&self, x: &Tensor, memory: &Tensor, mask: Option<&Tensor>) -> (Tensor, Tensor) {
        for tokens in [x, memory] {
            check_tokens("MultiHeadAttention", tokens, Some(self.dim()));
        }
        // BEGIN SOLUTION
        let q = split_heads(&self.query.forward(x), self.heads);
        let k = split_heads(&self.key.forward(memory), self.heads);
        let v = split_heads(&self.value.forward(memory), self.heads);
        let (mixed, weights) = scaled_dot_product_attention(&q, &k, &v, mask);
        (self.output.forward(&merge_heads(&mixed)), weights)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-multihead-attend", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One head by hand, heads that see only their part, masks, another sequence, gradients of every parameter.
#[test]
fn test_unit_multihead() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::{expect_close, expect_eq, expect_return, panic_message};

    let rng = &mut Rng::seeded(6);
    let mut attention = MultiHeadAttention::new(8, 2, rng);
    let x = Tensor::randn(&[2, 5, 8], rng);
    let idea = "project, split, attend, merge, project: each token gets D numbers again";
    let (output, weights) =
        expect_return("(2, 5, 8), 2 heads", || attention.attend(&x, &x, None), idea);
    expect_eq("(2, 5, 8), 2 heads: output", output.shape(), &[2, 5, 8], idea);
    let idea = "one matrix of weights for each head";
    expect_eq("(2, 5, 8), 2 heads: weights", weights.shape(), &[2, 2, 5, 5], idea);

    // Sequence 1, head by head: your loops on the columns 0..4 and 4..8.
    let projections = [&attention.query, &attention.key, &attention.value];
    let own = projections.map(|projection| projection.forward(&x).select(0, 1));
    let heads = [0..4, 4..8].map(|columns| {
        let [q, k, v] = own.each_ref().map(|x| x.slice(&[0..5, columns.clone()]));
        plain_attention(&q, &k, &v)
    });
    let joined: Vec<f32> = (0..5)
        .flat_map(|row| heads.each_ref().map(|head| head.select(0, row).to_vec()).concat())
        .collect();
    let wanted = attention.output.forward(&Tensor::new(&joined, &[5, 8])).to_vec();
    let idea = "each head attends on its own 4 dimensions of q, k and v, scaled by their root; the last projection \
                mixes the heads";
    expect_close("sequence 1, head by head", &output.select(0, 1).to_vec(), &wanted, 1e-5, idea);

    let mask = padding_mask(&[3, 5], 5).mul(&causal_mask(5));
    let hidden = (1.0 - &mask).mul(&attention.attend(&x, &x, Some(&mask)).1).sum().item();
    expect_eq("weights of what is hidden, added up", hidden, 0.0, "pass the mask on");
    let memory = Tensor::randn(&[2, 3, 8], rng);
    let idea = "queries are made of x, keys and values of the memory";
    let (output, weights) =
        expect_return("5 tokens look at 3", || attention.attend(&x, &memory, None), idea);
    let shapes = (output.shape(), weights.shape());
    expect_eq("5 tokens look at 3", shapes, (&[2, 5, 8][..], &[2, 2, 5, 3][..]), idea);

    track(attention.parameters_mut());
    let gradients = attention.forward(&x, None).sum().backward();
    let found: Vec<bool> =
        attention.parameters().iter().map(|parameter| gradients.get(parameter).is_some()).collect();
    let idea = "all four projections take part";
    expect_eq("which of 8 parameters have a gradient", found, vec![true; 8], idea);
    check_gradient(|x| attention.forward(&x[0], None), &[Tensor::randn(&[1, 3, 8], rng)], 1e-3);
    let message = panic_message(|| attention.forward(&Tensor::ones(&[2, 5, 6]), None));
    let wanted = "MultiHeadAttention: input (2, 5, 6): the last axis must be 8";
    expect_eq("tokens of 6 dimensions", &*message, wanted, "given: the shape is checked first");
}

// %% nbgrader={"grade": false, "grade_id": "attention-online", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What is known of the output of some queries after a part of the keys: enough to go on with the next part, and to forget the
/// scores of this one.
#[derive(Debug, Clone)]
pub struct Running {
    /// The largest score so far: (..., queries, 1).
    pub largest: Tensor,
    /// The sum of `exp(score - largest)` over all keys so far: (..., queries, 1).
    pub sum: Tensor,
    /// The sum of `exp(score - largest)` times the value: (..., queries, width).
    pub mixed: Tensor,
}

impl Running {
    /// Queries `q` (..., queries, d) that saw nothing of the values `v` (..., keys, width) yet.
    pub fn of(q: &Tensor, v: &Tensor) -> Self {
        let row = |size| [&q.shape()[..q.ndim() - 1], &[size]].concat();
        let largest = Tensor::full(&row(1), f32::NEG_INFINITY);
        Self {
            largest,
            sum: Tensor::zeros(&row(1)),
            mixed: Tensor::zeros(&row(matrix_shape(v)[1])),
        }
    }

    /// Adds a block of keys, by their scores (..., queries, keys) and their values (..., keys, width). Every query must have
    /// seen a key by then.
    ///
    /// TODO: the online softmax.
    ///
    /// APPROACH:
    /// 1. The largest score may be a new one: `largest_of` this block's largest and the one so far.
    /// 2. What was added so far was made with the old one. Multiply sum and mix by `exp(old - new)`: this corrects both.
    /// 3. The exponentials of this block are `exp(score - new)`. Add them up for the sum; times the values, they are added
    ///    to the mix.
    ///
    /// EXAMPLE: one key with score 0 and value 8, then one with score ln 3 and value 4: the sum is 1/3 + 1, the mix 8/3 + 4.
    /// Divided, 5.
    ///
    /// HINTS: `max_axis` and `sum_axis` with `keepdim` keep the last axis. `self` is used up: return a new one.
    #[must_use]
    pub fn add(self, scores: &Tensor, values: &Tensor) -> Self {
        // BEGIN SOLUTION
        let largest = largest_of(&self.largest, &scores.max_axis(-1, true));
        let correction = (&self.largest - &largest).exp();
        let exponentials = (scores - &largest).exp();
        let sum = self.sum * &correction + exponentials.sum_axis(-1, true);
        let mixed = self.mixed * &correction + exponentials.matmul(values);
        Self { largest, sum, mixed }
        // END SOLUTION
    }

    /// The output of the queries, if these were all keys.
    pub fn output(&self) -> Tensor {
        &self.mixed / &self.sum
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-online", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, block by block; the order of the blocks does not matter; huge scores; a block that is hidden.
#[test]
fn test_unit_online() {
    use tinytorch::testing::expect_close;

    // Each part is the scores of some keys, with the one value that all of them have.
    let check = |input: &str, parts: &[(&[f32], f32)], wanted: f32, idea: &str| {
        let one = Tensor::ones(&[1, 1]);
        let add = |running: Running, (scores, value): &(&[f32], f32)| {
            let keys = scores.len();
            running.add(&Tensor::new(scores, &[1, keys]), &Tensor::full(&[keys, 1], *value))
        };
        let yours = parts.iter().fold(Running::of(&one, &one), add).output().to_vec();
        expect_close(input, &yours, &[wanted], 1e-5, idea);
    };
    let (hidden, ln3) = (f32::NEG_INFINITY, 3.0_f32.ln());
    let idea = "the exponentials of a block are added to the sum, and times the values to the mix";
    check("two keys at once", &[(&[0.0, ln3], 8.0)], 8.0, idea);
    let idea = "when the largest score changes, sum and mix so far are corrected by exp(old - new)";
    check("0, then ln 3", &[(&[0.0], 8.0), (&[ln3], 4.0)], 5.0, idea);
    check("two parts of two", &[(&[0.0, 0.0], 8.0), (&[ln3, ln3], 4.0)], 5.0, idea);
    let idea =
        "the largest score of all parts so far, not of this one: a smaller one changes nothing";
    check("ln 3, then 0", &[(&[ln3], 4.0), (&[0.0], 8.0)], 5.0, idea);
    let idea = "the largest score of all parts so far: then exp never overflows";
    check("1000, then 1000", &[(&[1000.0], 8.0), (&[1000.0], 4.0)], 6.0, idea);
    check("100, then 0", &[(&[100.0], 4.0), (&[0.0], 8.0)], 4.0, idea);
    let idea = "a block that is hidden adds nothing";
    check("0 and 0, then -inf", &[(&[0.0, 0.0], 5.0), (&[hidden], 9.0)], 5.0, idea);

    let two = Running::of(&Tensor::ones(&[2, 1]), &Tensor::ones(&[1, 1]));
    let scores = Tensor::new(&[200.0, 200.0, 0.0, ln3], &[2, 2]);
    let yours = two.add(&scores, &Tensor::new(&[8.0, 4.0], &[2, 1])).output().to_vec();
    let idea = "each query has a largest score of its own";
    expect_close("queries with the scores 200, 200 and 0, ln 3", &yours, &[6.0, 5.0], 1e-5, idea);
}

// %% nbgrader={"grade": false, "grade_id": "attention-blocks", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The output of the queries `q`, which are at the positions `at` of their sequence, from blocks of keys and values.
///
/// TODO: go through the blocks of keys, and forget each before the next.
///
/// APPROACH:
/// 1. Begin with `Running::of(q, v)`. The given `blocks(length, block)` lists the ranges of the keys.
/// 2. With `causal`, stop at a block that begins after the last query: no query may see any of it.
/// 3. Scores and scale as always; the given `rows` cuts a block out of `k` and of `v`. With `causal`, apply the
///    given `causal_block` of both ranges as the mask.
/// 4. Add the block. After the last one, return the output.
///
/// EXAMPLE: for queries at 0..4, 6 keys and blocks of 4, there are two blocks, 0..4 and 4..6; with `causal` only the first.
///
/// HINTS: your functions work on blocks as they do on whole tensors. `take_while` stops an iterator.
pub fn attend_blocks(
    (q, at): (&Tensor, &Range<usize>),
    (k, v): (&Tensor, &Tensor),
    causal: bool,
    block: usize,
) -> Tensor {
    let [keys, d] = matrix_shape(k);
    // BEGIN SOLUTION
    let mut running = Running::of(q, v);
    for seen in blocks(keys, block).take_while(|seen| !causal || seen.start < at.end) {
        let mut scores = scale_scores(&attention_scores(q, &rows(k, &seen)), d);
        if causal {
            scores = apply_mask(&scores, &causal_block(at, &seen));
        }
        running = running.add(&scores, &rows(v, &seen));
    }
    running.output()
    // END SOLUTION
}

/// The output of [`scaled_dot_product_attention`], in blocks of `block` queries and keys: the matrix of all weights
/// is never there (Dao et al., 2022). With `causal`, position i sees the positions 0 to i. For inference: panics where
/// a history would be recorded, because that would keep every block.
pub fn blockwise_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    causal: bool,
    block: usize,
) -> Tensor {
    check_attention(q, k, v);
    assert!(block > 0, "blockwise_attention: a block needs at least 1 position, got 0");
    let axis = q.ndim() - 2;
    let (queries, keys, width) = (q.shape()[axis], k.shape()[axis], v.shape()[axis + 1]);
    let mut output = Tensor::zeros(&[&q.shape()[..axis], &[queries, width]].concat());
    if keys == 0 {
        return output;
    }
    for at in blocks(queries, block) {
        let part = attend_blocks((&rows(q, &at), &at), (k, v), causal, block);
        assert!(
            !part.is_tracked(),
            "blockwise_attention: it is for inference, and records no history: call it in no_grad, or detach() q, k and v"
        );
        output.array_mut().slice_axis_mut(Axis(axis), Slice::from(at)).assign(part.array());
    }
    output
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-blocks", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Equal to the plain attention for blocks of every size, causal or not; blocks in the future are not looked at.
#[test]
fn test_unit_blocks() {
    use tinytorch::testing::{expect_call_close, expect_named, memory, panic_message};

    let rng = &mut Rng::seeded(7);
    let [q, k, v] = [4, 4, 3].map(|width| Tensor::randn(&[2, 2, 6, width], rng) * 3.0);
    for (block, causal) in
        [1, 2, 4, 6, 9].into_iter().flat_map(|size| [(size, false), (size, true)])
    {
        let mask = causal.then(|| causal_mask(6));
        let wanted = scaled_dot_product_attention(&q, &k, &v, mask.as_ref()).0.to_vec();
        let input = format!("6 positions in blocks of {block}, causal: {causal}");
        let idea = "all blocks of keys that the queries may see, scaled, each with its own part of the mask";
        let yours = || blockwise_attention(&q, &k, &v, causal, block).to_vec();
        expect_call_close(input, yours, &wanted, 1e-5, idea);
    }
    let first = q.slice(&[0..2, 0..2, 0..3]);
    let mask = causal_mask(6).slice(&[0..3]);
    let wanted = scaled_dot_product_attention(&first, &k, &v, Some(&mask)).0.to_vec();
    let idea =
        "a block that begins before the last query is needed, even if it ends behind that query";
    let yours = || blockwise_attention(&first, &k, &v, true, 4).to_vec();
    expect_call_close("3 queries, 6 keys, causal, blocks of 4", yours, &wanted, 1e-5, idea);
    // Position 5 has a value of NaN, and 0 x NaN is NaN: its block must not even be looked at.
    let broken = v.masked_fill(&Tensor::new(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], &[6, 1]), f32::NAN);
    let wanted = blockwise_attention(&q, &k, &v, true, 2).to_vec();
    let first =
        || blockwise_attention(&q, &k, &broken, true, 2).slice(&[0..1, 0..1, 0..4]).to_vec();
    let idea = "with causal, stop at the first block that lies in the future as a whole";
    expect_call_close("a value of NaN at position 5", first, &wanted[..12], 0.0, idea);

    let [q, k, v] = [(); 3].map(|()| Tensor::randn(&[512, 8], rng));
    if let (_, Some(used)) = memory(|| blockwise_attention(&q, &k, &v, false, 32)) {
        let peak = used.peak;
        assert!(
            peak < 256 * 1024,
            "{peak} bytes for 512 positions: cut blocks out of k and v, and forget each"
        );
    }
    let message = panic_message(|| blockwise_attention(&q.clone().tracked(), &k, &v, false, 32));
    expect_named(&message, &["no_grad"], "given: it is for inference");
}

// %% nbgrader={"grade": false, "grade_id": "attention-reader", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Sequences of pairs of a key and a value, with a question about each: small dictionaries.
pub struct Lookup {
    /// (B, length, 2 * SYMBOLS): a one-hot key and a one-hot value each, in random order.
    pub pairs: Tensor,
    /// (B, length, 2 * SYMBOLS): the keys of each sequence, in ascending order, without their values.
    pub questions: Tensor,
    /// (B * length): the value that belongs to each question.
    pub answers: Tensor,
}

impl From<&Dictionaries> for Lookup {
    fn from(drawn: &Dictionaries) -> Self {
        let (all, length) = (drawn.answers.len(), drawn.length);
        let rows = |x: &[f32]| Tensor::new(x, &[all / length, length, 2 * SYMBOLS]);
        let answers = Tensor::new(&drawn.answers, &[all]);
        Self { pairs: rows(&drawn.pairs), questions: rows(&drawn.questions), answers }
    }
}

/// A model that answers the questions of a [`Lookup`].
pub struct Reader {
    /// With attention, each question looks at the pairs. Without, it gets their mean: a summary of 64 numbers.
    pub attends: bool,
    layers: [Linear; 4],
}

impl Reader {
    /// A reader before training. The one without attention has 9,424 parameters, the other 7,376.
    pub fn new(attends: bool, rng: &mut Rng) -> Self {
        let pair = 2 * SYMBOLS;
        let sizes = [(pair, 64), (pair, 64), (if attends { pair } else { 64 }, 64), (64, SYMBOLS)];
        Self { attends, layers: sizes.map(|(inputs, outputs)| Linear::new(inputs, outputs, rng)) }
    }

    /// A score for each value, (B * length, SYMBOLS), and the weights of the pairs, if it attends.
    pub fn forward(&self, asked: &Lookup) -> (Tensor, Option<Tensor>) {
        let [ask, first, second, answer] = &self.layers;
        let (query, pairs) = (ask.forward(&asked.questions), first.forward(&asked.pairs));
        let (found, weights) = if self.attends {
            let values = second.forward(&asked.pairs);
            let (mixed, weights) = scaled_dot_product_attention(&query, &pairs, &values, None);
            (mixed, Some(weights))
        } else {
            let summary = ReLU.forward(&pairs).mean_axis(1, true);
            (ReLU.forward(&second.forward(&ReLU.forward(&(query + summary)))), None)
        };
        (answer.forward(&found).reshape(&[-1, SYMBOLS as isize]), weights)
    }

    /// A reader after 300 steps of Adam with 128 questions each, and the share of questions in `asked` that it answers.
    pub fn trained(attends: bool, rate: f32, asked: &Dictionaries) -> (Self, f64) {
        let (rng, length) = (&mut Rng::seeded(1), asked.length);
        let (mut reader, mut adam) = (Self::new(attends, rng), Adam::new(rate));
        for _ in 0..300 {
            let batch = Lookup::from(&Dictionaries::draw(128 / length, length, rng));
            track(reader.parameters_mut());
            let loss = CrossEntropyLoss.forward(&reader.forward(&batch).0, &batch.answers);
            adam.step(reader.parameters_mut(), &loss.backward());
        }
        let chosen = no_grad(|| reader.forward(&asked.into())).0.argmax_axis(1);
        let right = chosen.iter().zip(&asked.answers).filter(|(a, b)| **a as f32 == **b).count();
        (reader, right as f64 / chosen.len() as f64)
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        self.layers.iter_mut().flat_map(Layer::parameters_mut).collect()
    }
}

// %% nbgrader={"grade": false, "grade_id": "attention-analyze-retrieval", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a summary of fixed size forget?
///
/// Purpose: see the problem that attention was made for. Measured: the share of right answers about sequences of key-value
/// pairs, by length: from their mean, with the best of three learning rates, and with your attention; then the weights of that
/// model for one sequence it has not seen. Key insight: a vector of fixed size must keep everything before it knows
/// the question; attention looks when it knows. Production context: translation with one vector for a sentence became worse with
/// its length, and this is why attention was invented (Bahdanau et al., 2015).
pub fn analyze_retrieval(out: &mut Reporter) {
    let rates = [0.01, 0.03, 0.1];
    let (mut rows, mut curves, mut last, mut shown) = (vec![], [vec![], vec![]], [0.0; 2], None);
    for length in [2, 4, 8, 16] {
        let asked = Dictionaries::draw(2000 / length, length, &mut Rng::seeded(2));
        let summaries = rates.map(|rate| Reader::trained(false, rate, &asked).1);
        let (reader, attention) = Reader::trained(true, rates[0], &asked);
        last = [summaries.into_iter().fold(0.0, f64::max), attention];
        let shares = summaries.into_iter().chain([attention]);
        rows.push(
            [vec![length.into()], shares.map(|share| (100.0 * share).into()).collect()].concat(),
        );
        for (curve, share) in curves.iter_mut().zip(last) {
            curve.push((length as f64, 100.0 * share));
        }
        if length == 8 {
            let weights = no_grad(|| reader.forward(&(&asked).into())).1;
            shown = weights.map(|weights| (weights.select(0, 0), asked));
        }
    }
    let columns =
        [("pairs", ""), ("mean, rate 0.01", "%"), ("0.03", "%"), ("0.1", "%"), ("attention", "%")];
    out.measured_table("Right answers of 2,000", &columns, rows);
    let series = ["mean, best rate", "attention"].into_iter().zip(curves);
    let axes = (ChartAxis::log("pairs", ""), ChartAxis::linear("right answers", "%"));
    let series = series.map(|(name, curve)| Series::new(name, curve)).collect();
    out.measured_chart("Right answers by length", axes.0, axes.1, series);
    out.measured("right answers from the mean of 16 pairs", 100.0 * last[0], "%");
    out.insight(retrieval_insight(last[0], last[1], 2000 / 16));
    if let Some((weights, asked)) = shown {
        heat_map(out, &weights, &asked);
    }
}

/// What the shares of right answers about 16 pairs say: from the mean, and with attention, over so many sequences.
pub fn retrieval_insight(summary: f64, attention: f64, sequences: usize) -> String {
    let [summary_percent, percent] = [summary, attention].map(|share| 100.0 * share);
    let facts = format!(
        "Of the questions about 16 pairs, {summary_percent:.0} % were answered from the mean, {percent:.0} % with attention"
    );
    match compare_accuracies(attention, summary, sequences) {
        Reading::Larger => format!("{facts}: what the mean has lost, attention finds."),
        Reading::Smaller => format!("{facts}: here the mean kept more than attention found."),
        _ => format!("{facts}: no clear difference for {sequences} sequences."),
    }
}

/// The weights (questions, pairs) of the first sequence, as a picture and as a table.
fn heat_map(out: &mut Reporter, weights: &Tensor, asked: &Dictionaries) {
    let names = &asked.names[..asked.length];
    let title = "Rows ask, columns answer".to_owned();
    let picture = Picture { title, width: names.len(), pixels: weights.to_vec() };
    out.picture(picture.enlarged(3));
    let data = weights.data();
    let questions = || data.chunks_exact(names.len()).zip(&asked.places);
    let rows = questions().map(|(row, &place)| {
        let weights = row.iter().map(|weight| format!("{weight:.2}").into()).collect();
        [vec![format!("{}=?", &names[place][..1]).into()], weights].concat()
    });
    let pairs = names.iter().map(|name| (name.as_str(), ""));
    let columns: Vec<(&str, &str)> = [("asked", "")].into_iter().chain(pairs).collect();
    out.measured_table("The same weights", &columns, rows.collect());
    let found: f32 = questions().map(|(row, &place)| row[place]).sum();
    let mean = f64::from(found) / names.len() as f64;
    out.measured("mean weight of the pair with the answer", mean, "");
    out.insight(heat_map_insight(mean, names.len()));
}

/// What the mean weight of the pair that holds the answer says, of so many pairs.
pub fn heat_map_insight(weight: f64, pairs: usize) -> String {
    let even = 1.0 / pairs as f64;
    let fact = format!(
        "The pair with the answer has a weight of {weight:.2} on average, where even weights would be {even:.2}"
    );
    match weight {
        w if w > 0.5 => format!("{fact}: each question finds its own key."),
        w if w > 2.0 * even => format!("{fact}: each question looks there most, but not only."),
        _ => format!("{fact}: the questions do not find their keys."),
    }
}

// %% nbgrader={"grade": false, "grade_id": "attention-analyze-scale", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does the scale do?
///
/// Purpose: see why the scores are divided by the square root of d. Measured: for random queries and 64 random keys, the standard
/// deviation of the scores and the mean of the largest weights. Key insight: unscaled scores grow with d, until one key takes
/// nearly all of the weight before anything was learned. Production context: some large models also normalize queries and keys.
pub fn analyze_scale(out: &mut Reporter) {
    let rng = &mut Rng::seeded(3);
    let (mut rows, mut curves, mut last) = (vec![], [vec![], vec![]], [[0.0; 2]; 2]);
    for d in [4, 16, 64, 256] {
        let [q, k] = [(); 2].map(|()| Tensor::randn(&[64, d], rng));
        let raw = attention_scores(&q, &k);
        last = [scale_scores(&raw, d), raw].map(|scores| {
            let largest = masked_softmax(&scores).max_axis(-1, false).mean();
            [(&scores * &scores).mean().sqrt(), largest].map(|figure| f64::from(figure.item()))
        });
        let [scaled, raw] = last;
        rows.push(vec![d.into(), raw[0].into(), scaled[0].into(), raw[1].into(), scaled[1].into()]);
        for (curve, [_, largest]) in curves.iter_mut().zip(last) {
            curve.push((d as f64, largest));
        }
    }
    let columns = [
        ("d", ""),
        ("deviation, raw", ""),
        ("deviation, scaled", ""),
        ("largest weight, raw", ""),
        ("largest weight, scaled", ""),
    ];
    out.measured_table("Scores of 64 random queries and keys", &columns, rows);
    let series = ["scaled", "raw"].into_iter().zip(curves);
    let series = series.map(|(name, curve)| Series::new(name, curve)).collect();
    let axes = (ChartAxis::log("d", ""), ChartAxis::linear("largest weight", ""));
    out.measured_chart("Largest weight by d", axes.0, axes.1, series);
    let [scaled, raw] = last;
    out.measured("deviation of the raw scores, d = 256", raw[0], "");
    out.insight(scale_insight(raw[1], scaled[1]));
}

/// What the mean of the largest weights at d = 256 says, without the scale and with it.
pub fn scale_insight(raw: f64, scaled: f64) -> String {
    let meaning = match raw / scaled {
        r if r > 1.05 => "the scale keeps one key from taking the weight of all",
        r if r < 1.0 / 1.05 => "here the scale sharpens the weights",
        _ => "the scale makes no clear difference here",
    };
    format!(
        "At d = 256 the largest of 64 weights is {raw:.2} without the scale and {scaled:.2} with it: {meaning}."
    )
}

// %% nbgrader={"grade": false, "grade_id": "attention-analyze-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Queries, keys and values of one sequence, (length, 64) each.
pub fn random_sequence(length: usize) -> [Tensor; 3] {
    let rng = &mut Rng::seeded(length as u64);
    [(); 3].map(|()| Tensor::randn(&[length, 64], rng))
}

/// 📊 What does a longer sequence cost, and what do blocks save?
///
/// Purpose: know the price of letting every position look at every other. Measured: the time of your attention, each length in
/// turn with its half, and in turn with your attention in blocks of 64; and the peak memory of both. Key insight: twice the
/// length is four times the pairs, but not four times the memory: the matrix of weights need not exist. Production
/// context: this is why a model has a context length at all, and why FlashAttention made it longer.
pub fn analyze_cost(out: &mut Reporter) {
    let plain = |[q, k, v]: &[Tensor; 3]| scaled_dot_product_attention(q, k, v, None).0;
    let in_blocks = |[q, k, v]: &[Tensor; 3]| blockwise_attention(q, k, v, false, 64);
    let (mut rows, mut times, mut peaks, mut last) = (vec![], [vec![], vec![]], vec![], None);
    for length in [128, 256, 512, 1024] {
        let [half, whole] = [length / 2, length].map(random_sequence);
        let growth = compare(9, || plain(&whole), || plain(&half));
        let ways = compare(5, || plain(&whole), || in_blocks(&whole));
        let used = [memory(|| plain(&whole)).1, memory(|| in_blocks(&whole)).1];
        let peak = used.map(|used| used.map_or("not counted".into(), |used| used.peak.into()));
        let slope = match growth.ratio.reading() {
            Reading::TooNoisy => "too noisy".into(),
            _ => growth.ratio.median.log2().into(),
        };
        let figures = [growth.first.into(), growth.ratio.into(), slope];
        rows.push([&[length.into()], &figures[..], &peak, &[ways.ratio.into()]].concat());
        for (curve, time) in times.iter_mut().zip([ways.first, ways.second]) {
            curve.push((length as f64, time.median));
        }
        let [a, b] = used.map(|used| used.map(|used| used.peak as f64));
        peaks.extend(a.zip(b));
        last = Some((growth, ways));
    }
    let columns = [
        ("length", ""),
        ("time", "s"),
        ("against half of it", "x"),
        ("slope", ""),
        ("peak, plain", "B"),
        ("peak, blocks", "B"),
        ("time, plain / blocks", "x"),
    ];
    out.measured_table("Attention by length, d = 64", &columns, rows);
    let axes = (ChartAxis::log("length", ""), ChartAxis::log("time", "s"));
    let series = ["plain", "in blocks"].into_iter().zip(times);
    let series = series.map(|(name, curve)| Series::new(name, curve)).collect();
    out.measured_chart("Time by length", axes.0, axes.1, series);
    let Some((growth, ways)) = last else { return };
    out.compared("Timed in turn", &[(LONG, SHORT, growth), (PLAIN, BLOCKS, ways)]);
    out.measured("time of 1,024 against 512 positions", growth.ratio.median, "x");
    out.insight(cost_insight(&growth.ratio));
    let [first, .., last] = peaks[..] else {
        return out
            .note("This program counts no bytes; the tutor's own run of this analysis does.");
    };
    out.measured("peak memory, plain against blocks, 1,024 positions", last.0 / last.1, "x");
    out.insight(blocks_insight(last.0 / first.0, last.1 / first.1, &ways.ratio));
}

// What is compared, as table and sentence call it.
const LONG: &str = "attention on 1,024 positions";
const SHORT: &str = "attention on 512";
const PLAIN: &str = "plain attention on 1,024";
const BLOCKS: &str = "attention in blocks";

/// What the time of 1,024 positions against 512 says.
pub fn cost_insight(time: &Ratio) -> String {
    let slope = match time.reading() {
        Reading::Larger => {
            format!(" That is a slope of {:.2}: 1 is linear, 2 quadratic.", time.median.log2())
        }
        _ => String::new(),
    };
    format!("{}{slope}", time.took(LONG, SHORT))
}

/// What the growth of the peak memory from 128 to 1,024 positions says, plain and in blocks, and the times at 1,024.
pub fn blocks_insight(plain: f64, blocks: f64, time: &Ratio) -> String {
    let meaning = match blocks / plain {
        r if r < 0.5 => "the matrix of weights was never there",
        r if r < 0.95 => "blocks save less than they should: is each forgotten before the next?",
        _ => "blocks save nothing: are they cut out of k and v?",
    };
    format!(
        "From 128 to 1,024 positions the peak memory of plain attention grew {plain:.1} times, in blocks {blocks:.1} \
         times: {meaning}. {}",
        time.took(PLAIN, BLOCKS)
    )
}

// %% nbgrader={"grade": true, "grade_id": "test-attention-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Masks and heads together, attention in blocks instead of the whole, and a model that learns to look things up.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_close, expect_eq};

    let rng = &mut Rng::seeded(9);
    let attention = MultiHeadAttention::new(16, 4, rng);
    let x = Tensor::randn(&[2, 7, 16], rng);
    let mask = causal_mask(7);
    let wanted = attention.forward(&x, Some(&mask));
    let [q, k, v] = [&attention.query, &attention.key, &attention.value]
        .map(|projection| split_heads(&projection.forward(&x), attention.heads));
    let mixed = merge_heads(&blockwise_attention(&q, &k, &v, true, 3));
    let yours = attention.output.forward(&mixed).to_vec();
    let idea = "the parts fit together: blocks give what the whole matrix gives, in every head";
    expect_close("4 heads in causal blocks of 3", &yours, &wanted.to_vec(), 1e-5, idea);

    let both = mask.mul(&padding_mask(&[3, 7], 7));
    let padded = attention.forward(&x, Some(&both)).select(0, 0).slice(&[0..3]).to_vec();
    let alone = attention.forward(&x.slice(&[0..1, 0..3]), Some(&causal_mask(3))).to_vec();
    let idea = "padding changes nothing for the tokens before it";
    expect_close("3 tokens, filled up to 7", &padded, &alone, 1e-5, idea);
    let shown = attention.forward_with_weights(&x, Some(&both)).1.sum_axis(-1, false);
    expect_close(
        "sums of weights",
        &shown.to_vec(),
        &[1.0; 56],
        1e-5,
        "weights sum to 1 in every row",
    );

    let asked = Dictionaries::draw(50, 4, rng);
    let (_, accuracy) = Reader::trained(true, 0.01, &asked);
    assert!(
        accuracy > 0.95,
        "a model learns to look up one of 4 pairs: {accuracy} of the answers are right"
    );
    expect_eq(
        "parameters of 4 projections",
        attention.parameters().len(),
        8,
        "a weight and a bias each",
    );
}

// %% nbgrader={"grade": false, "grade_id": "attention-parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The last two sizes of a shape.
fn matrix_shape(x: &Tensor) -> [usize; 2] {
    let &[.., rows, columns] = x.shape() else {
        panic!("attention: shape {}: at least 2 axes are needed", shape_text(x.shape()));
    };
    [rows, columns]
}

/// The dimensions of a key. Panics when queries, keys and values do not fit.
fn check_attention(q: &Tensor, k: &Tensor, v: &Tensor) -> usize {
    let ([_, d], [keys, key_d], [found, _]) = (matrix_shape(q), matrix_shape(k), matrix_shape(v));
    let [q, k, v] = [q, k, v].map(|tensor| shape_text(tensor.shape()));
    let shapes = format!("attention: q {q}, k {k}, v {v}");
    assert!(d == key_d, "{shapes}: queries have {d} dimensions, and keys {key_d}");
    assert!(keys == found, "{shapes}: there are {keys} keys, and {found} values");
    d
}

/// Panics when a mask is not made of 0 and 1, or does not broadcast to the scores.
fn check_mask(scores: &[usize], mask: &Tensor) {
    let odd = mask.data().iter().copied().find(|&x| x != 0.0 && x != 1.0);
    if let Some(odd) = odd {
        panic!("attention: a mask holds 1 (may be seen) and 0 (hidden), and this one {odd}");
    }
    let own = mask.shape();
    let mut sizes = own.iter().rev().zip(scores.iter().rev());
    let fits = own.len() <= scores.len() && sizes.all(|(&own, &size)| own == size || own == 1);
    assert!(
        fits,
        "attention: mask {} does not broadcast to scores {}",
        shape_text(own),
        shape_text(scores)
    );
}

/// The sizes of tokens (B, S, D). Panics for another number of axes, or when D is not `dim`.
fn check_tokens(name: &str, x: &Tensor, dim: Option<usize>) -> [usize; 3] {
    let input = shape_text(x.shape());
    let &[batch, length, found] = x.shape() else {
        panic!("{name}: input {input}: (B, S, D) is needed");
    };
    if let Some(dim) = dim.filter(|&dim| dim != found) {
        panic!("{name}: input {input}: the last axis must be {dim}");
    }
    [batch, length, found]
}

/// Panics when the heads cannot share the dimensions equally.
fn check_heads(name: &str, dim: usize, heads: usize) {
    let fits = heads > 0 && dim.is_multiple_of(heads);
    assert!(fits, "{name}: {dim} dimensions cannot be divided among {heads} heads");
}

/// The ranges of `block` positions that make up `length`; the last one may be shorter.
fn blocks(length: usize, block: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length).step_by(block).map(move |start| start..length.min(start + block))
}

/// Some positions of a sequence: rows of the last two axes, as a view.
fn rows(x: &Tensor, at: &Range<usize>) -> Tensor {
    let mut ranges: Vec<Range<usize>> = x.shape().iter().map(|&size| 0..size).collect();
    ranges[x.ndim() - 2] = at.clone();
    x.slice(&ranges)
}

/// The part of [`causal_mask`] for these queries and keys.
fn causal_block(queries: &Range<usize>, keys: &Range<usize>) -> Tensor {
    let row = |query: usize| keys.clone().map(move |key| f32::from(key <= query));
    let elements: Vec<f32> = queries.clone().flat_map(row).collect();
    Tensor::new(&elements, &[queries.len(), keys.len()])
}

/// The larger element of two tensors, place by place.
fn largest_of(a: &Tensor, b: &Tensor) -> Tensor {
    Tensor::from_array(zip_with("largest_of", a, b, larger))
}

// %% nbgrader={"grade": false, "grade_id": "attention-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Layer for MultiHeadAttention {
    fn name(&self) -> String {
        format!("MultiHeadAttention({}, {} heads)", self.dim(), self.heads)
    }

    /// Self-attention without a mask.
    fn forward(&self, x: &Tensor) -> Tensor {
        self.attend(x, x, None).0
    }

    fn parameters(&self) -> Vec<&Tensor> {
        let projections = [&self.query, &self.key, &self.value, &self.output];
        projections.into_iter().flat_map(Layer::parameters).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        let projections = [&mut self.query, &mut self.key, &mut self.value, &mut self.output];
        projections.into_iter().flat_map(Layer::parameters_mut).collect()
    }
}

// %% nbgrader={"grade": false, "grade_id": "attention-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Four heads look at your words.
///
/// Nothing here was learned: the weights of the four heads were written by hand, one idea for each, so that you can see what a
/// head can do. The attention is yours. Type a sentence that has a word twice; hide the future; make the temperature
/// small and large. Each row is a word that looks, each column one that is looked at: the lighter, the larger the weight.
pub fn explore_heads(figure: &mut Explorer) {
    let text = figure.text("sentence", "the old king saw the young king and the king smiled");
    let head = figure.choice("head", &[&["all"], &heads::HEADS[..]].concat());
    let mask = figure.choice("mask", &["none", "causal", "padding"]);
    let temperature = figure.number("temperature", 1.0, 0.1..=10.0, 0.1);
    let words: Vec<&str> = text.split_whitespace().take(12).collect();
    let length = words.len();
    if length == 0 {
        figure.note("Type a few words.");
        return;
    }
    let mask = match mask {
        "causal" => Some(causal_mask(length)),
        "padding" => Some(padding_mask(&[length.saturating_sub(2)], length)),
        _ => None,
    };
    let weights = four_heads(&words, temperature, mask.as_ref());
    let shown: Vec<usize> =
        (0..4).filter(|&at| head == "all" || head == heads::HEADS[at]).collect();
    let picture = |at: usize| Picture {
        title: shown.iter().map(|&at| heads::HEADS[at]).collect::<Vec<_>>().join(" | "),
        width: length,
        pixels: weights.select(0, at).to_vec(),
    };
    let scale = if shown.len() == 1 { 2 } else { 1 };
    let pictures = shown.iter().map(|&at| picture(at).enlarged(scale));
    if let Some(all) = pictures.reduce(|left, right| left.beside(&right)) {
        figure.picture(all);
    }
    let most = |at: usize, word: usize| -> Value {
        let row = weights.select(0, at).select(0, word);
        match row.max().item() {
            0.0 => "nothing".into(),
            weight => {
                let place = row.argmax_axis(0)[0];
                format!("{}({place}) {weight:.2}", words[place]).into()
            }
        }
    };
    let columns: Vec<(&str, &str)> =
        [("word", "")].into_iter().chain(shown.iter().map(|&at| (heads::HEADS[at], ""))).collect();
    let row = |(place, word): (usize, &&str)| {
        let name = format!("{word}({place})");
        [name.into()].into_iter().chain(shown.iter().map(|&at| most(at, place))).collect()
    };
    figure.measured_table(
        "Where each word looks most",
        &columns,
        words.iter().enumerate().map(row).collect(),
    );
    let largest: Vec<f32> =
        shown.iter().flat_map(|&at| weights.select(0, at).max_axis(-1, false).to_vec()).collect();
    figure.insight(heads_insight(&largest, length));
}

/// What the largest weights of the rows say, in a sentence of so many words.
pub fn heads_insight(largest: &[f32], words: usize) -> String {
    let (rows, even) = (largest.len(), 1.0 / words.max(1) as f32);
    let sharp = largest.iter().filter(|&&weight| weight > 0.9).count();
    let flat = largest.iter().filter(|&&weight| weight <= 0.9 && weight < 1.5 * even).count();
    format!(
        "In {sharp} of {rows} rows nearly all of the weight is in one place; in {flat} it is nearly even, so that the \
         output is nearly the mean; in {} it is shared among a few.",
        rows - sharp - flat
    )
}

/// The weights of the four heads, for these words: (heads, words, words).
fn four_heads(words: &[&str], temperature: f64, mask: Option<&Tensor>) -> Tensor {
    let square = |weight: &[f32]| Tensor::new(weight, &[heads::WIDTH; 2]);
    let same = || Linear { weight: square(&heads::key_weight()), bias: None };
    let (weight, bias) = heads::query_weight(20.0 / temperature as f32);
    let query = Linear { weight: square(&weight), bias: Some(Tensor::new(&bias, &[heads::WIDTH])) };
    let [key, value, output] = [same(), same(), same()];
    let attention = MultiHeadAttention { heads: heads::HEADS.len(), query, key, value, output };
    let x = Tensor::new(&heads::features(words), &[1, words.len(), heads::WIDTH]);
    attention.forward_with_weights(&x, mask).1.select(0, 0)
}

// %% nbgrader={"grade": false, "grade_id": "attention-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_retrieval(&mut out);
    analyze_scale(&mut out);
    analyze_cost(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "attention-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
