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

// %% nbgrader={"grade": false, "grade_id": "transformers-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 13 Transformers: a GPT, from ids to the next token. Input: ids `(B, S)`. Output: a score for each token of the
//! vocabulary at each position, `(B, S, V)`. Depends on 03 to 12. By hand: the row `[1, 3]` normalized is `[-1, 1]`;
//! with a temperature of 0 the logits `[1, 3]` become the probabilities `[0, 1]`.
//! Not here: what generation costs, and how it gets faster (14, 15).

use std::any::Any;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use tinytorch::activations::Gelu;
use tinytorch::attention::{MultiHeadAttention, causal_mask};
use tinytorch::autograd::{GradientRule, InputGradients, custom, grad_for, no_grad};
use tinytorch::embeddings::{EmbeddingLayer, Positions, ids_tensor, tied_logits};
use tinytorch::layers::{Layer, Linear};
use tinytorch::losses::{CrossEntropyLoss, IGNORED, Loss};
use tinytorch::random::Rng;
use tinytorch::tensor::{Op, Tensor, shape_text, values};
use tinytorch::tokenization::Id;
use tinytorch::training::Trainer;

// %% [markdown] nbgrader={"grade": false, "grade_id": "transformers-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Transformers
//
// You build: the normalization of a row with its gradient, the block, the GPT, its training examples, the measure of how
// well it predicts, and the sampling that turns its scores into text; and you count what all of it costs.

// %% nbgrader={"grade": false, "grade_id": "transformers-norms", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Makes every row of the last axis have the mean 0 and the variance 1, then scales and shifts each element
/// (Ba et al., 2016).
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// The learned scale of each element, `(dim)`; it begins as ones.
    pub gamma: Tensor,
    /// The learned shift of each element, `(dim)`; it begins as zeros.
    pub beta: Tensor,
    /// Added to the variance, so that a row of equal numbers is not divided by 0.
    pub eps: f32,
}

/// Divides every row of the last axis by its root mean square, then scales each element (Zhang and Sennrich, 2019).
#[derive(Debug, Clone)]
pub struct RmsNorm {
    /// The learned scale of each element, `(dim)`; it begins as ones.
    pub gamma: Tensor,
    /// Added to the mean square.
    pub eps: f32,
}

/// The mean of a row.
fn mean(row: &[f32]) -> f32 {
    mean_of(row, row, |x, _| x)
}

/// The mean of the products of two rows, element by element.
fn mean_product(a: &[f32], b: &[f32]) -> f32 {
    mean_of(a, b, |x, y| x * y)
}

// %% nbgrader={"grade": false, "grade_id": "transformers-normalize", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Writes the normalized `row` to `out`, and returns the factor by which it was scaled.
///
/// TODO: shift and scale the row. `centred` is true for LayerNorm; RMSNorm does not shift.
///
/// APPROACH:
/// 1. If `centred`, subtract the mean of the row from each of its elements.
/// 2. The mean square of what is now in `out` is the variance, if `centred`. `eps` is added to it.
/// 3. The factor is 1 divided by the square root. Multiply each element of `out` by it.
///
/// EXAMPLE: `[1, 3]` has the mean 2, so `[-1, 1]` is left; its mean square is 1, and the factor is 1.
///
/// HINTS: `mean` and `mean_product` are given, and divide by the number of elements. `iter_mut` with `zip` goes
/// through `out` and `row` together.
pub fn normalize_row(row: &[f32], centred: bool, eps: f32, out: &mut [f32]) -> f32 {
    // BEGIN SOLUTION
    let shift = if centred { mean(row) } else { 0.0 };
    for (out, x) in out.iter_mut().zip(row) {
        *out = x - shift;
    }
    let factor = 1.0 / (mean_product(out, out) + eps).sqrt();
    for out in out.iter_mut() {
        *out *= factor;
    }
    factor
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-normalize", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, with and without the shift; the variance with n; a row of equal numbers; a row far from 0.
#[test]
fn test_unit_normalize_row() {
    use tinytorch::testing::expect_close;

    let normalized = |row: &[f32], centred| {
        let mut out = vec![0.0; row.len()];
        let factor = normalize_row(row, centred, 1e-5, &mut out);
        (out, factor)
    };
    let (row, factor) = normalized(&[1.0, 3.0], true);
    let idea = "subtract the mean, then divide by the standard deviation, the root of the mean square (with n, not n - 1)";
    expect_close("[1, 3], LayerNorm", &row, &[-1.0, 1.0], 1e-4, idea);
    let (row, _) = normalized(&[1.0, 2.0, 3.0, 6.0], true);
    expect_close("[1, 2, 3, 6], LayerNorm", &row, &[-1.069, -0.534_5, 0.0, 1.603_6], 1e-3, idea);
    let (row, _) = normalized(&[3.0, 4.0], false);
    let idea = "RMSNorm divides by the root of the mean square, and does not shift";
    expect_close("[3, 4], RMSNorm", &row, &[0.848_5, 1.131_4], 1e-3, idea);
    let (_, small) = normalized(&[0.01, 0.03], true);
    let idea = "return the factor, 1 / sqrt(variance + eps)";
    expect_close(
        "the factors of [1, 3] and [0.01, 0.03]",
        &[factor, small],
        &[1.0, 95.346],
        1e-2,
        idea,
    );
    let (row, _) = normalized(&[5.0, 5.0], true);
    let idea = "eps keeps the division finite: equal numbers become zeros";
    expect_close("[5, 5], LayerNorm", &row, &[0.0, 0.0], 1e-6, idea);
    let (row, _) = normalized(&[4097.0, 4099.0], true);
    let idea =
        "shift first, then square: the mean of squares minus the squared mean loses all digits";
    expect_close("[4097, 4099], LayerNorm", &row, &[-1.0, 1.0], 1e-3, idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-normalize-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The gradient of a row, given the gradient `upstream` of the normalized row and what [`normalize_row`] computed.
///
/// TODO: from `upstream`, remove what the normalization removes, and scale the rest.
///
/// APPROACH:
/// 1. To stretch the row changes nothing: the part of `upstream` along `normalized` has no effect. It is `normalized`
///    times the mean of the products of `upstream` and `normalized`.
/// 2. If `centred`, to shift the row changes nothing either: that part is the mean of `upstream`.
/// 3. Subtract both, and multiply what is left by `factor`.
///
/// EXAMPLE: `upstream = [1, 0]`, `normalized = [-1, 1]`, `factor = 2`, centred: the mean is 0.5, the mean product -0.5,
/// so `2 x ([1, 0] - 0.5 + 0.5 x [-1, 1]) = [0, 0]`. A row of two can only be stretched and shifted.
///
/// HINTS: two numbers first, then one loop that fills `out`.
pub fn normalize_row_gradient(
    upstream: &[f32],
    normalized: &[f32],
    factor: f32,
    centred: bool,
    out: &mut [f32],
) {
    // BEGIN SOLUTION
    let shift = if centred { mean(upstream) } else { 0.0 };
    let stretch = mean_product(upstream, normalized);
    for ((out, g), n) in out.iter_mut().zip(upstream).zip(normalized) {
        *out = factor * (g - shift - stretch * n);
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-normalize-gradient", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The example, RMSNorm by hand, and both norms against central differences.
#[test]
fn test_unit_normalize_row_gradient() {
    use tinytorch::testing::expect_close;

    let gradient = |upstream: &[f32], normalized: &[f32], factor, centred| {
        let mut out = vec![0.0; upstream.len()];
        normalize_row_gradient(upstream, normalized, factor, centred, &mut out);
        out
    };
    let idea = "a row of two can only be stretched and shifted, and neither changes what comes out";
    expect_close(
        "[1, 0] at [-1, 1]",
        &gradient(&[1.0, 0.0], &[-1.0, 1.0], 2.0, true),
        &[0.0; 2],
        1e-6,
        idea,
    );
    let idea = "RMSNorm subtracts the part along the row alone";
    expect_close(
        "[1, 0] at [1, 1], RMSNorm",
        &gradient(&[1.0, 0.0], &[1.0, 1.0], 2.0, false),
        &[1.0, -1.0],
        1e-6,
        idea,
    );

    let upstream = [1.0, 2.0, -1.0, 0.5];
    let idea = "upstream minus its part along the row and, for LayerNorm, minus its mean; the rest times the factor";
    // The row [0.5, -1, 2, 0.25]; the gradients are PyTorch's.
    let normalized = [0.058_621, -1.348_284, 1.465_526, -0.175_863];
    let wanted = [0.409_340, -0.035_455, -0.083_802, -0.290_083];
    expect_close(
        "four numbers, LayerNorm",
        &gradient(&upstream, &normalized, 0.937_937, true),
        &wanted,
        1e-5,
        idea,
    );
    let normalized = [0.433_861, -0.867_722, 1.735_444, 0.216_930];
    let wanted = [1.143_351, 1.184_185, 0.234_795, 0.571_676];
    expect_close(
        "four numbers, RMSNorm",
        &gradient(&upstream, &normalized, 0.867_722, false),
        &wanted,
        1e-5,
        idea,
    );
}

// %% nbgrader={"grade": false, "grade_id": "transformers-block-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Two linear layers with GELU between them, for each position on its own.
#[derive(Debug, Clone)]
pub struct Mlp {
    /// From `dim` to `hidden`.
    pub up: Linear,
    /// From `hidden` back to `dim`.
    pub down: Linear,
}

/// Attention and an MLP, each with a norm in front of it and a residual around it (pre-norm).
#[derive(Debug, Clone)]
pub struct TransformerBlock {
    /// In front of the attention.
    pub norm1: LayerNorm,
    /// Mixes positions.
    pub attention: MultiHeadAttention,
    /// In front of the MLP.
    pub norm2: LayerNorm,
    /// Works on each position.
    pub mlp: Mlp,
}

// %% nbgrader={"grade": false, "grade_id": "transformers-mlp", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Mlp {
    /// `(..., dim)` in, `(..., dim)` out.
    ///
    /// TODO: widen, bend, narrow.
    ///
    /// APPROACH: `up`, then GELU, then `down`.
    ///
    /// EXAMPLE: with 2 numbers in and `hidden = 8`, 8 numbers pass through GELU, and 2 leave.
    ///
    /// HINTS: `Gelu` has a method `forward`, as every layer has.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        // BEGIN SOLUTION
        self.down.forward(&Gelu.forward(&self.up.forward(x)))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-mlp", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand with one hidden unit; shapes; each position on its own.
#[test]
fn test_unit_mlp() {
    use tinytorch::testing::{expect_close, expect_eq};

    let linear = |weight: &[f32], shape: &[usize], bias: f32| Linear {
        weight: Tensor::new(weight, shape),
        bias: Some(Tensor::full(&[shape[1]], bias)),
    };
    let mlp =
        Mlp { up: linear(&[1.0, 1.0], &[2, 1], 0.0), down: linear(&[2.0, -2.0], &[1, 2], 1.0) };
    let yours = mlp.forward(&Tensor::new(&[0.5, 0.5, -1.0, 0.0], &[2, 2])).to_vec();
    // GELU(1) = 0.841345, GELU(-1) = -0.158655.
    let idea = "up, then GELU, then down: GELU(1) is 0.8413 and GELU(-1) is -0.1587";
    expect_close(
        "x = [0.5, 0.5] and [-1, 0]",
        &yours,
        &[2.682_69, -0.682_69, 0.682_69, 1.317_31],
        1e-4,
        idea,
    );
    let mlp = Mlp::new(4, 16, &mut Rng::seeded(1));
    let y = mlp.forward(&Tensor::ones(&[2, 3, 4]));
    expect_eq("an input (2, 3, 4)", y.shape(), &[2, 3, 4], "only the last axis is transformed");
}

// %% nbgrader={"grade": false, "grade_id": "transformers-block", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl TransformerBlock {
    /// `(B, S, dim)` in and out. `mask` is 1 where a position may look.
    ///
    /// TODO: add what attention finds to `x`, then add what the MLP makes of that.
    ///
    /// APPROACH:
    /// 1. `norm1` of `x`, attention with the mask, added to `x`: a residual.
    /// 2. `norm2` of that sum, the MLP, added to that sum.
    ///
    /// EXAMPLE: if attention and MLP return zeros, the block returns `x` itself.
    ///
    /// HINTS: the norms stand in front of the branches, never on the sum: `x + f(norm(x))`.
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Tensor {
        // BEGIN SOLUTION
        let x = x + self.attention.forward(&self.norm1.forward(x), mask);
        let change = self.mlp.forward(&self.norm2.forward(&x));
        x + change
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-block", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Silent branches change nothing; each branch alone; both in their order; the mask.
#[test]
fn test_unit_block() {
    use tinytorch::testing::{expect_close, expect_eq};

    let mut rng = Rng::seeded(3);
    let block = TransformerBlock::new(8, 2, &mut rng);
    let x = Tensor::randn(&[1, 4, 8], &mut rng) * 3.0;
    let silence = |linear: &mut Linear| {
        linear.weight = Tensor::zeros(linear.weight.shape());
        linear.bias = None;
    };
    let (mut no_mlp, mut no_attention) = (block.clone(), block.clone());
    silence(&mut no_mlp.mlp.down);
    silence(&mut no_attention.attention.output);
    let mut none = no_mlp.clone();
    silence(&mut none.attention.output);
    let idea =
        "a residual adds to x, and no norm stands on the sum: silent branches leave x as it is";
    expect_eq("a block of silent branches", none.forward(&x, None).to_vec(), x.to_vec(), idea);

    let idea = "x + attention(norm1(x))";
    let attended = &x + block.attention.forward(&block.norm1.forward(&x), None);
    expect_close(
        "a silent MLP",
        &no_mlp.forward(&x, None).to_vec(),
        &attended.to_vec(),
        1e-5,
        idea,
    );
    let idea = "x + mlp(norm2(x))";
    let wanted = &x + block.mlp.forward(&block.norm2.forward(&x));
    expect_close(
        "a silent attention",
        &no_attention.forward(&x, None).to_vec(),
        &wanted.to_vec(),
        1e-5,
        idea,
    );
    let idea = "the MLP gets, and is added to, the sum behind the attention";
    let wanted = &attended + block.mlp.forward(&block.norm2.forward(&attended));
    expect_close("both branches", &block.forward(&x, None).to_vec(), &wanted.to_vec(), 1e-5, idea);

    let other = &x
        + Tensor::new(
            &[[0.0; 24].as_slice(), &[5.0, -5.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]].concat(),
            &[1, 4, 8],
        );
    let mask = causal_mask(4);
    let first_three = |x: &Tensor| block.forward(x, Some(&mask)).to_vec()[..24].to_vec();
    let idea = "pass the mask to the attention: with a causal one, the last position changes no earlier one";
    expect_eq("another last position", first_three(&other), first_three(&x), idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-gpt-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The sizes of a GPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GptConfig {
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// The longest sequence.
    pub context: usize,
    /// The numbers of each token: the width of the residual stream.
    pub dim: usize,
    /// Blocks.
    pub layers: usize,
    /// Heads of each attention; they divide `dim`.
    pub heads: usize,
}

/// A transformer that scores the next token at each position (Radford et al., 2019).
#[derive(Debug, Clone)]
pub struct Gpt {
    /// Its sizes.
    pub config: GptConfig,
    /// The table of tokens, which is the output layer too, and the table of positions.
    pub embedding: EmbeddingLayer,
    /// The blocks, from the input to the output.
    pub blocks: Vec<TransformerBlock>,
    /// In front of the output.
    pub norm: LayerNorm,
}

// %% nbgrader={"grade": false, "grade_id": "transformers-gpt", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Gpt {
    /// The logits of the next token at each position: ids `(B, S)` in, `(B, S, vocab_size)` out. Panics when `S` is
    /// larger than the context.
    ///
    /// TODO: embed, pass all blocks, normalize, score.
    ///
    /// APPROACH:
    /// 1. The embedding layer makes `(B, S, dim)` of the ids: token plus position.
    /// 2. Each block gets the result of the one before it, and the same causal mask.
    /// 3. After the final norm, `tied_logits` compares each position with each row of the table of tokens.
    ///
    /// EXAMPLE: ids `(2, 5)` and a vocabulary of 300 give `(2, 5, 300)`.
    ///
    /// HINTS: `causal_mask(length)` is made once. The table of tokens is `self.embedding.tokens.weight`.
    pub fn forward(&self, ids: &Tensor) -> Tensor {
        let length = self.check_length(ids);
        // BEGIN SOLUTION
        let mask = causal_mask(length);
        let mut x = self.embedding.forward(ids);
        for block in &self.blocks {
            x = block.forward(&x, Some(&mask));
        }
        tied_logits(&self.norm.forward(&x), &self.embedding.tokens.weight)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-gpt", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shapes, no look ahead, positions, every block in its order, the final norm, the tied table, a long sequence.
#[test]
fn test_unit_gpt() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let config = GptConfig { vocab_size: 11, context: 6, dim: 8, layers: 2, heads: 2 };
    let mut model = Gpt::new(config, &mut Rng::seeded(5));
    for parameter in Layer::parameters_mut(&mut model) {
        *parameter = &*parameter * 5.0; // The first weights are small: larger ones show each part.
    }
    let logits = |model: &Gpt, ids: &[Id]| model.forward(&ids_tensor(ids, &[1, ids.len()]));
    let ids = [3, 1, 4, 1, 5, 9];
    expect_eq(
        "ids (1, 6)",
        logits(&model, &ids).shape(),
        &[1, 6, 11],
        "a score for each token at each position",
    );
    let start = logits(&model, &ids[..4]).to_vec();
    let idea = "the causal mask: a position does not see what follows it";
    expect_close(
        "4 ids, and the same 4 of 6",
        &logits(&model, &ids).to_vec()[..44],
        &start,
        1e-4,
        idea,
    );
    let twice = logits(&model, &[7, 7]).to_vec();
    assert!(
        twice[..11] != twice[11..],
        "the same token at two positions: the embedding layer adds the position"
    );

    let mut x = model.embedding.forward(&ids_tensor(&ids, &[1, 6]));
    for block in &model.blocks {
        x = block.forward(&x, Some(&causal_mask(6)));
    }
    let wanted = model.norm.forward(&x).matmul(&model.embedding.tokens.weight.t());
    let idea = "every block in its order, then the final norm, then the table of tokens as the output layer";
    expect_close("6 ids", &logits(&model, &ids).to_vec(), &wanted.to_vec(), 1e-4, idea);
    let message = panic_message(|| logits(&model, &[0; 7]));
    assert!(
        message.contains('7') && message.contains("context of 6"),
        "the given check stays first: {message}"
    );
}

// %% nbgrader={"grade": false, "grade_id": "transformers-examples", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What a model learns from a sequence of ids: windows of at most `context` inputs, each with as many targets.
///
/// TODO: cut the sequence into windows, shift, and pad.
///
/// APPROACH:
/// 1. A window begins at 0, `context`, twice `context` and so on, as long as an id follows its first one.
/// 2. Its inputs are the next `context` ids, but never the last id of the sequence: nothing follows that.
/// 3. The target of each input is the id that follows it, as `f32`. So a window needs one id more than it has inputs.
/// 4. Fill up both lists to `context`: inputs with 0, targets with [`IGNORED`].
///
/// EXAMPLE: `[5, 6, 7, 8]` with a context of 2: `([5, 6], [6, 7])` and `([7, 0], [8, IGNORED])`.
///
/// HINTS: `(0..ids.len().saturating_sub(1)).step_by(context)` gives the starts. `Vec` has a `resize`.
pub fn examples(ids: &[Id], context: usize) -> Vec<(Vec<Id>, Vec<f32>)> {
    // BEGIN SOLUTION
    let example = |start: usize| {
        let end = (start + context).min(ids.len() - 1);
        let mut inputs = ids[start..end].to_vec();
        let mut targets: Vec<f32> = ids[start + 1..=end].iter().map(|&id| id as f32).collect();
        inputs.resize(context, 0);
        targets.resize(context, IGNORED);
        (inputs, targets)
    };
    (0..ids.len().saturating_sub(1)).step_by(context).map(example).collect()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-examples", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The example, a window that fits, nothing to learn from, and every pair of neighbours exactly once.
#[test]
fn test_unit_examples() {
    use tinytorch::testing::expect_eq;

    let one = examples(&[5, 6, 7], 2);
    let idea = "the target of an input is the id that follows it, not the input itself";
    expect_eq("[5, 6, 7], context 2", one, vec![(vec![5, 6], vec![6.0, 7.0])], idea);
    let yours = examples(&[5, 6, 7, 8], 2);
    let inputs: Vec<Vec<Id>> = yours.iter().map(|(inputs, _)| inputs.clone()).collect();
    let targets: Vec<Vec<f32>> = yours.into_iter().map(|(_, targets)| targets).collect();
    let input = "[5, 6, 7, 8], context 2";
    let idea = "padding is no target: IGNORED, so that no loss is counted for it";
    expect_eq(input, targets, vec![vec![6.0, 7.0], vec![8.0, IGNORED]], idea);
    expect_eq(input, inputs, vec![vec![5, 6], vec![7, 0]], "inputs are filled up with 0");
    expect_eq("[5]", examples(&[5], 2), vec![], "nothing follows a single id");
    expect_eq("no ids", examples(&[], 2), vec![], "nothing follows no id");
    let ids: Vec<Id> = (0..10).collect();
    let learned: usize =
        examples(&ids, 3).iter().map(|(_, t)| t.iter().filter(|t| **t != IGNORED).count()).sum();
    let idea = "every id but the first is a target once: the last target of a window is the first input of the next";
    expect_eq("10 ids, context 3", learned, 9, idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-perplexity", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The mean loss of a target that counts, over all batches. Nothing is recorded for a backward pass.
///
/// TODO: weigh the loss of each batch by its targets that count.
///
/// APPROACH:
/// 1. `CrossEntropyLoss` gives the mean over the targets of a batch that are not [`IGNORED`]. Multiply it by their
///    number, and add up both.
/// 2. Divide the sum of the losses by the number of targets.
///
/// EXAMPLE: a batch of 1 target with the loss 4 and one of 3 with the loss 0: the mean is 1, not 2.
///
/// HINTS: inside `no_grad`. As a layer, a model gives rows of logits, `(B x S, vocab_size)`; targets are `(B x S)`.
pub fn mean_loss(model: &dyn Layer, batches: &[(Tensor, Tensor)]) -> f32 {
    // BEGIN SOLUTION
    let (mut total, mut targets) = (0.0, 0.0);
    no_grad(|| {
        for (ids, wanted) in batches {
            let counted =
                wanted.to_vec().iter().filter(|&&target| target != IGNORED).count() as f32;
            total += CrossEntropyLoss.forward(&model.forward(ids), wanted).item() * counted;
            targets += counted;
        }
    });
    total / targets
    // END SOLUTION
}

/// The perplexity of a mean loss: among how many equally likely tokens the model is as uncertain.
///
/// TODO: undo the logarithm of the loss.
///
/// APPROACH: the loss is a mean of `-ln p`.
///
/// EXAMPLE: `ln 8` becomes 8: as uncertain as one of eight.
///
/// HINTS: `f32` has `exp`.
pub fn perplexity(loss: f32) -> f32 {
    // BEGIN SOLUTION
    loss.exp()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-perplexity", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A mean over targets and not over batches; padding left out; perplexity of equal chances.
#[test]
fn test_unit_perplexity() {
    use tinytorch::testing::expect_close;

    /// Returns its input: the logits of the test are the batch.
    struct Given;
    impl Layer for Given {
        fn name(&self) -> String {
            "Given".into()
        }
        fn forward(&self, x: &Tensor) -> Tensor {
            x.clone()
        }
    }
    let batch = |logits: &[f32], targets: &[f32]| {
        (Tensor::new(logits, &[targets.len(), 2]), Tensor::new(targets, &[targets.len()]))
    };
    let wrong = batch(&[4.0, 0.0], &[1.0]);
    let right = batch(&[30.0, 0.0, 30.0, 0.0, 30.0, 0.0], &[0.0; 3]);
    let idea = "each target counts the same: weigh the loss of a batch by its targets";
    // ln(1 + e^4) = 4.01815, over four targets.
    let loss = mean_loss(&Given, &[wrong, right]);
    expect_close("1 target with the loss 4.018, 3 with 0", &[loss], &[4.018_15 / 4.0], 1e-4, idea);
    let padded =
        batch(&[4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], &[1.0, IGNORED, IGNORED, IGNORED]);
    let sure = batch(&[30.0, 0.0], &[0.0]);
    let idea = "a target that is IGNORED does not count";
    let loss = mean_loss(&Given, &[padded, sure]);
    expect_close(
        "1 target with the loss 4.018 and 3 of padding, 1 with 0",
        &[loss],
        &[4.018_15 / 2.0],
        1e-4,
        idea,
    );
    let idea = "perplexity undoes the logarithm: e to the loss";
    expect_close(
        "a loss of ln 8 and of 0",
        &[perplexity(8.0_f32.ln()), perplexity(0.0)],
        &[8.0, 1.0],
        1e-4,
        idea,
    );
}

// %% nbgrader={"grade": false, "grade_id": "transformers-sampler", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How a token is chosen from the scores. [`Sampler::default`] draws from the model's own distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampler {
    /// Above 1 more varied, below 1 more certain; 0 always takes the most probable token.
    pub temperature: f32,
    /// Only so many of the most probable tokens.
    pub top_k: Option<usize>,
    /// Only the fewest tokens that together have this probability.
    pub top_p: f32,
    /// Above 1, tokens that are there already become less probable.
    pub repetition_penalty: f32,
    /// Generation ends with this token.
    pub stop: Option<Id>,
}

/// Why no token can be chosen: scores that are no numbers, settings that make no sense, a prompt that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateError(pub String);

// %% nbgrader={"grade": false, "grade_id": "transformers-repetition", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Makes tokens that are there already less probable (Keskar et al., 2019).
///
/// TODO: lower the logit of each token among `previous`.
///
/// APPROACH:
/// 1. Each token once, however often it occurred.
/// 2. A positive logit is divided by the penalty. Dividing a negative one would raise it: it is multiplied.
///
/// EXAMPLE: a penalty of 2 makes 3 of 6, and -12 of -6.
///
/// HINTS: collect `previous` into a `BTreeSet`.
pub fn penalize(logits: &mut [f32], previous: &[Id], penalty: f32) {
    // BEGIN SOLUTION
    let seen: BTreeSet<Id> = previous.iter().copied().collect();
    for id in seen {
        let logit = &mut logits[id as usize];
        *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-repetition", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Positive and negative logits, a token that occurred twice, tokens that did not occur.
#[test]
fn test_unit_penalize() {
    use tinytorch::testing::expect_close;

    let penalized = |previous: &[Id]| {
        let mut logits = [6.0, -6.0, 4.0];
        penalize(&mut logits, previous, 2.0);
        logits
    };
    let input = "logits [6, -6, 4], penalty 2";
    let idea = "only tokens that occurred are penalized";
    expect_close(format!("{input}, none occurred"), &penalized(&[]), &[6.0, -6.0, 4.0], 1e-6, idea);
    expect_close(format!("{input}, 2 occurred"), &penalized(&[2]), &[6.0, -6.0, 2.0], 1e-6, idea);
    let idea = "divide a positive logit, multiply a negative one: both become less probable";
    expect_close(
        format!("{input}, 0 and 1 occurred"),
        &penalized(&[0, 1]),
        &[3.0, -12.0, 4.0],
        1e-6,
        idea,
    );
    let idea = "each token once, however often it occurred";
    expect_close(
        format!("{input}, 0 occurred twice"),
        &penalized(&[0, 0]),
        &[3.0, -6.0, 4.0],
        1e-6,
        idea,
    );
}

// %% nbgrader={"grade": false, "grade_id": "transformers-temperature", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The probabilities of `logits / temperature`. A temperature of 0 gives the most probable token the probability 1; of
/// equal ones, the first.
///
/// TODO: softmax with a temperature, and the special case 0.
///
/// APPROACH:
/// 1. With 0 nothing is divided: all probabilities are 0, but that of the largest logit is 1.
/// 2. Otherwise: `exp((logit - largest) / temperature)` for each, then divide by their sum.
///
/// EXAMPLE: `[2, 1, 0, -1]` become 0.64, 0.24, 0.09, 0.03 with 1, and 0.86, 0.12, 0.02, 0.00 with 0.5.
///
/// HINTS: `most_probable` is given: the ids from the largest number to the smallest. Subtract the largest before the
/// division, or a small temperature makes infinities.
pub fn with_temperature(logits: &[f32], temperature: f32) -> Vec<f32> {
    // BEGIN SOLUTION
    let best = most_probable(logits)[0];
    if temperature == 0.0 {
        return (0..logits.len()).map(|id| if id == best { 1.0 } else { 0.0 }).collect();
    }
    let powers: Vec<f32> =
        logits.iter().map(|logit| ((logit - logits[best]) / temperature).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-temperature", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Three temperatures by hand, 0, equal logits at 0, logits that are huge or excluded, a tiny temperature.
#[test]
fn test_unit_with_temperature() {
    use tinytorch::testing::expect_close;

    let logits = [2.0, 1.0, 0.0, -1.0];
    let idea = "divide the logits by the temperature, then softmax";
    for (temperature, wanted) in [
        (1.0, [0.643_914, 0.236_883, 0.087_144, 0.032_059]),
        (0.5, [0.864_955, 0.117_059, 0.015_842, 0.002_144]),
        (2.0, [0.455_054, 0.276_004, 0.167_405, 0.101_536]),
    ] {
        let input = format!("[2, 1, 0, -1], temperature {temperature}");
        expect_close(input, &with_temperature(&logits, temperature), &wanted, 1e-5, idea);
    }
    let idea = "a temperature of 0 takes the largest logit, and divides nothing by 0";
    expect_close(
        "[2, 1, 0, -1], temperature 0",
        &with_temperature(&logits, 0.0),
        &[1.0, 0.0, 0.0, 0.0],
        0.0,
        idea,
    );
    let idea = "of equal logits, a temperature of 0 takes the first";
    expect_close(
        "[1, 5, 5], temperature 0",
        &with_temperature(&[1.0, 5.0, 5.0], 0.0),
        &[0.0, 1.0, 0.0],
        0.0,
        idea,
    );
    let idea = "subtract the largest logit before you divide and exponentiate";
    let huge = with_temperature(&[3e38, 0.0, f32::NEG_INFINITY], 1e-3);
    expect_close("[3e38, 0, -inf], temperature 0.001", &huge, &[1.0, 0.0, 0.0], 0.0, idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-top-k", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Leaves only the `k` most probable tokens, of equal ones the first (Fan et al., 2018).
///
/// TODO: choose which tokens stay.
///
/// APPROACH:
/// 1. The first `k` of `most_probable(probabilities)`, or all if there are fewer.
/// 2. `keep`, which is given, makes all others 0 and the rest sum to 1 again.
///
/// EXAMPLE: of `[0.5, 0.3, 0.2]`, two stay: `[0.625, 0.375, 0]`.
///
/// HINTS: `k.min(..)` bounds a slice.
pub fn keep_top_k(probabilities: &mut [f32], k: usize) {
    // BEGIN SOLUTION
    let order = most_probable(probabilities);
    keep(probabilities, &order[..k.min(order.len())]);
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-top-k", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two of three, in any order, all, more than there are, and equal ones.
#[test]
fn test_unit_keep_top_k() {
    use tinytorch::testing::expect_close;

    let idea = "the k most probable stay, wherever they are, and sum to 1 again";
    for (probabilities, k, wanted) in [
        ([0.5, 0.3, 0.2], 2, [0.625, 0.375, 0.0]),
        ([0.2, 0.3, 0.5], 2, [0.0, 0.375, 0.625]),
        ([0.2, 0.3, 0.5], 1, [0.0, 0.0, 1.0]),
    ] {
        let mut yours = probabilities;
        keep_top_k(&mut yours, k);
        expect_close(format!("{probabilities:?}, k = {k}"), &yours, &wanted, 1e-6, idea);
    }
    let mut equal = [0.25; 4];
    keep_top_k(&mut equal, 2);
    expect_close(
        "four equal ones, k = 2",
        &equal,
        &[0.5, 0.5, 0.0, 0.0],
        1e-6,
        "exactly k stay: of equal ones the first",
    );
    let mut few = [0.6, 0.4];
    keep_top_k(&mut few, 9);
    expect_close("[0.6, 0.4], k = 9", &few, &[0.6, 0.4], 1e-6, "fewer than k: all stay");
}

// %% nbgrader={"grade": false, "grade_id": "transformers-top-p", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Leaves only the fewest most probable tokens that together have at least the probability `p`: the nucleus
/// (Holtzman et al., 2020).
///
/// TODO: choose which tokens stay.
///
/// APPROACH:
/// 1. Go through `most_probable(probabilities)`, and add up.
/// 2. The token with which the sum reaches `p` stays, those behind it do not.
///
/// EXAMPLE: `[0.5, 0.3, 0.2]` with `p = 0.7`: 0.5 is not enough, 0.5 + 0.3 is. Two stay: `[0.625, 0.375, 0]`.
///
/// HINTS: push a token first, then ask whether the sum is large enough, and `break`.
pub fn keep_top_p(probabilities: &mut [f32], p: f32) {
    // BEGIN SOLUTION
    let (mut kept, mut sum) = (vec![], 0.0);
    for id in most_probable(probabilities) {
        kept.push(id);
        sum += probabilities[id];
        if sum >= p {
            break;
        }
    }
    keep(probabilities, &kept);
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-top-p", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The token that crosses p stays, one that is exact ends, one alone, all of them.
#[test]
fn test_unit_keep_top_p() {
    use tinytorch::testing::expect_close;

    let crossing = "the token that crosses p stays: without it the sum would be below p";
    let fewest = "as few as possible: stop when the sum has reached p";
    for (probabilities, p, wanted, idea) in [
        ([0.5, 0.25, 0.25], 0.7, [0.667, 0.333, 0.0], crossing),
        ([0.25, 0.25, 0.5], 0.7, [0.333, 0.0, 0.667], "the most probable first, wherever they are"),
        ([0.5, 0.25, 0.25], 0.75, [0.667, 0.333, 0.0], fewest),
        (
            [0.5, 0.25, 0.25],
            0.1,
            [1.0, 0.0, 0.0],
            "one token always stays: the most probable one crosses p",
        ),
        ([0.5, 0.25, 0.25], 1.0, [0.5, 0.25, 0.25], crossing),
    ] {
        let mut yours = probabilities;
        keep_top_p(&mut yours, p);
        expect_close(format!("{probabilities:?}, p = {p}"), &yours, &wanted, 1e-3, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-pick", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The token at `point`, a number from 0 up to 1: the probabilities lie side by side on a line of length 1.
///
/// TODO: find the token whose part of the line contains `point`.
///
/// APPROACH:
/// 1. Begin with `point` as the distance that is left. A token whose probability is larger than it is the one.
/// 2. Otherwise subtract its probability, and go on.
/// 3. Rounding may leave a rest at the end: then it is the last token that has a probability above 0.
///
/// EXAMPLE: `[0.2, 0.5, 0.3]`: 0.1 is token 0, 0.2 and 0.69 are token 1, 0.7 is token 2.
///
/// HINTS: a token with probability 0 must never be returned: remember the last one above 0.
pub fn pick(probabilities: &[f32], point: f32) -> Id {
    // BEGIN SOLUTION
    let (mut left, mut last) = (point, 0);
    for (id, &probability) in probabilities.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        if left < probability {
            return id as Id;
        }
        left -= probability;
        last = id as Id;
    }
    last
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-pick", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, the ends of each part, tokens without a probability, a rest from rounding.
#[test]
fn test_unit_pick() {
    use tinytorch::testing::expect_eq;

    let picked = |probabilities: &[f32], points: &[f32]| -> Vec<Id> {
        points.iter().map(|&point| pick(probabilities, point)).collect()
    };
    let idea = "each token has a part of the line as long as its probability";
    let yours = picked(&[0.25, 0.5, 0.25], &[0.0, 0.1, 0.25, 0.7, 0.75, 0.99]);
    expect_eq(
        "[0.25, 0.5, 0.25] at 0, 0.1, 0.25, 0.7, 0.75, 0.99",
        yours,
        vec![0, 0, 1, 1, 2, 2],
        idea,
    );
    let idea = "a token with probability 0 is never picked";
    expect_eq(
        "[0, 0.5, 0, 0.5] at 0 and 0.5",
        picked(&[0.0, 0.5, 0.0, 0.5], &[0.0, 0.5]),
        vec![1, 3],
        idea,
    );
    let idea = "what rounding leaves belongs to the last token above 0";
    expect_eq("[0.4, 0.5, 0] at 0.95", picked(&[0.4, 0.5, 0.0], &[0.95]), vec![1], idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The ids that the model can see when it chooses the next one.
///
/// TODO: find the fault in this line, which a colleague wrote, and write it correctly. A long answer begins well, and from
/// the moment when the context is full, every next token is drawn from one and the same distribution.
///
/// ```text
/// &ids[..ids.len().min(context)]
/// ```
///
/// APPROACH:
/// 1. Write down what the line returns for 4 ids and for 5, with a context of 3.
/// 2. Which of the ids matter most for the next one?
///
/// EXAMPLE: with a context of 3, `[1, 2]` is visible as it is, and of `[1, 2, 3, 4]` the model sees `[2, 3, 4]`.
///
/// HINTS: `saturating_sub` returns 0 where a difference would be negative.
pub fn visible(ids: &[Id], context: usize) -> &[Id] {
    // BEGIN SOLUTION
    &ids[ids.len().saturating_sub(context)..]
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Short, as long as the context, longer.
#[test]
fn test_unit_visible() {
    use tinytorch::testing::expect_eq;

    expect_eq(
        "[1, 2], context 3",
        visible(&[1, 2], 3),
        &[1, 2],
        "a short sequence is visible whole",
    );
    expect_eq(
        "[1, 2, 3], context 3",
        visible(&[1, 2, 3], 3),
        &[1, 2, 3],
        "the context is used whole",
    );
    let idea = "the window slides: the last ids are visible, and the oldest are forgotten";
    expect_eq("[1, 2, 3, 4], context 3", visible(&[1, 2, 3, 4], 3), &[2, 3, 4], idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-generate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Continues a prompt by at most `new_tokens` tokens, and returns those. `on_token` gets each at once, for a live display.
/// The same seed gives the same tokens.
///
/// TODO: score, choose, append, repeat.
///
/// APPROACH:
/// 1. The model's logits for what is `visible`; of these the ones at the last position.
/// 2. `sampler.probabilities` with these logits and all ids so far, then `pick` with a uniform number.
/// 3. Append the id, pass it to `on_token`, and end if it is `sampler.stop`.
///
/// EXAMPLE: a prompt of 3 ids and `new_tokens = 2`: two passes through the model, two ids are returned.
///
/// HINTS: `next_logits`, which is given, takes ids and returns the logits of the last position. `split_off` cuts a vector.
pub fn generate(
    model: &Gpt,
    prompt: &[Id],
    new_tokens: usize,
    sampler: &Sampler,
    rng: &mut Rng,
    mut on_token: impl FnMut(Id),
) -> Result<Vec<Id>, GenerateError> {
    check_prompt(model, prompt)?;
    let mut ids = prompt.to_vec();
    // BEGIN SOLUTION
    while ids.len() < prompt.len() + new_tokens {
        let logits = model.next_logits(visible(&ids, model.config.context));
        let probabilities = sampler.probabilities(&logits, &ids)?;
        let id = pick(&probabilities, rng.uniform());
        ids.push(id);
        on_token(id);
        if sampler.stop == Some(id) {
            break;
        }
    }
    Ok(ids.split_off(prompt.len()))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-generate", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 As many tokens as asked for, beyond the context; each passed on at once; seeds; greedy; stop; errors.
#[test]
fn test_unit_generate() {
    use tinytorch::testing::expect_eq;

    let config = GptConfig { vocab_size: 7, context: 4, dim: 4, layers: 1, heads: 1 };
    let mut model = Gpt::new(config, &mut Rng::seeded(2));
    for parameter in Layer::parameters_mut(&mut model) {
        *parameter = &*parameter * 20.0; // So that the distributions differ clearly.
    }
    let run = |sampler: &Sampler, prompt: &[Id], seed| {
        let mut shown = vec![];
        let ids =
            generate(&model, prompt, 12, sampler, &mut Rng::seeded(seed), |id| shown.push(id));
        (ids, shown)
    };
    let free = Sampler::default();
    let (ids, shown) = run(&free, &[1, 2], 1);
    let ids = ids.expect("12 tokens");
    expect_eq(
        "12 new tokens",
        ids.len(),
        12,
        "the new tokens without the prompt, also when the context is full",
    );
    expect_eq(
        "what on_token got",
        shown,
        ids.clone(),
        "on_token gets each new token, and not the prompt",
    );
    expect_eq(
        "seed 1 again",
        run(&free, &[1, 2], 1).0,
        Ok(ids.clone()),
        "the same seed, the same tokens",
    );
    assert!(
        (2..9).any(|seed| run(&free, &[1, 2], seed).0 != Ok(ids.clone())),
        "tokens are drawn with the generator"
    );

    let idea = "each token is chosen from the logits behind the prompt and all new tokens, by the sampler, which gets all of them";
    for sampler in
        [free.clone().temperature(0.0), free.clone().temperature(0.0).repetition_penalty(50.0)]
    {
        let mut so_far = vec![1, 2];
        for _ in 0..12 {
            let logits = model.next_logits(visible(&so_far, 4));
            let probabilities = sampler.probabilities(&logits, &so_far).expect("probabilities");
            so_far.push(pick(&probabilities, 0.5));
        }
        expect_eq(
            format!("{sampler:?}"),
            run(&sampler, &[1, 2], 1).0,
            Ok(so_far.split_off(2)),
            idea,
        );
    }
    let stopped = run(&free.clone().stop(ids[2]), &[1, 2], 1).0.expect("tokens");
    let end = ids.iter().position(|&id| id == ids[2]).unwrap_or(2);
    expect_eq("stop at the third token", stopped, ids[..=end].to_vec(), "end with the stop token");
}

// %% nbgrader={"grade": false, "grade_id": "transformers-parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The parameters of a GPT by formula.
///
/// TODO: add up the two tables, the blocks and the final norm.
///
/// APPROACH: with `d` for `dim`,
/// 1. the tables have `vocab_size x d` and `context x d`; the output layer is the first of them and counts once;
/// 2. a block has 4 `d x d` matrices in its attention and two of `d x 4d` in its MLP: `12 d^2`;
/// 3. its biases are `4 d` in the attention and `4 d + d` in the MLP, its two norms have `2 d` each;
/// 4. the final norm has `2 d`.
///
/// EXAMPLE: GPT-2 with 50,257 tokens, a context of 1,024, `d = 768` and 12 layers has 124,439,808.
///
/// HINTS: the number of heads does not matter: they share the matrices.
pub fn count_parameters(config: &GptConfig) -> usize {
    let GptConfig { vocab_size, context, dim: d, layers, heads: _ } = *config;
    // BEGIN SOLUTION
    let block = 12 * d * d + (4 + 5 + 4) * d;
    (vocab_size + context) * d + layers * block + 2 * d
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-parameters", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 GPT-2, and models that were built and counted.
#[test]
fn test_unit_count_parameters() {
    use tinytorch::testing::expect_eq;

    let gpt2 = GptConfig { vocab_size: 50_257, context: 1024, dim: 768, layers: 12, heads: 12 };
    let idea =
        "tables, 12 d^2 + 13 d for each block, the final norm; the tied output layer counts once";
    expect_eq("GPT-2", count_parameters(&gpt2), 124_439_808, idea);
    for (vocab_size, context, dim, layers, heads) in
        [(5, 3, 4, 0, 1), (5, 3, 4, 1, 1), (50, 8, 6, 3, 2)]
    {
        let config = GptConfig { vocab_size, context, dim, layers, heads };
        let model = Gpt::new(config, &mut Rng::seeded(0));
        let counted: usize =
            Layer::parameters(&model).iter().map(|parameter| parameter.numel()).sum();
        expect_eq(format!("{config:?}"), count_parameters(&config), counted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-flops", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The additions and multiplications of the matrix products of one training step by formula, for `batch` sequences of
/// `length` tokens. A multiplication with its addition counts as two operations.
///
/// TODO: operations of the forward pass for one token, times the tokens, times the passes.
///
/// APPROACH: with `d` for `dim`, one token needs in the forward pass
/// 1. two operations for each weight of a matrix that it meets: `12 d^2` in each block, `vocab_size x d` at the output;
/// 2. in each block `2 x length x d` for its scores, and as many to mix the values. The mask saves nothing.
/// 3. The backward pass needs two products for each of the forward pass: three times as much in all.
///
/// EXAMPLE: for `d = 64`, 2 layers, 512 tokens and 32 positions: 852,000 for each token, about 6 for each parameter.
///
/// HINTS: the tables of the input are looked up, not multiplied. Operations are many: convert to `u64`.
pub fn training_flops(config: &GptConfig, batch: usize, length: usize) -> u64 {
    let GptConfig { vocab_size, dim: d, layers, .. } = *config;
    // BEGIN SOLUTION
    let block = 2 * 12 * d * d + 2 * (2 * length * d);
    let token = layers * block + 2 * vocab_size * d;
    3 * (batch * length) as u64 * token as u64
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-flops", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The operations that a forward pass recorded, and each part of the formula.
#[test]
fn test_unit_training_flops() {
    use tinytorch::autograd::track;
    use tinytorch::testing::expect_eq;

    let flops = |config: &GptConfig, batch, length| {
        let mut model = Gpt::new(*config, &mut Rng::seeded(0));
        track(Layer::parameters_mut(&mut model));
        recorded_flops(&model.forward(&Tensor::zeros(&[batch, length])))
    };
    let config = GptConfig { vocab_size: 10, context: 8, dim: 4, layers: 1, heads: 2 };
    for (config, batch, length, idea) in [
        (
            GptConfig { layers: 0, ..config },
            1,
            1,
            "the output layer: two operations for each weight, three times",
        ),
        (GptConfig { layers: 0, ..config }, 3, 5, "every token of every sequence"),
        (config, 1, 1, "12 d^2 weights in a block, and attention over `length` positions"),
        (config, 2, 8, "each token is compared with all positions: the mask saves nothing"),
        (GptConfig { layers: 3, dim: 8, ..config }, 2, 8, "every block costs the same"),
    ] {
        let input = format!("{config:?}, batch {batch}, length {length}");
        expect_eq(
            input,
            training_flops(&config, batch, length),
            flops(&config, batch, length),
            idea,
        );
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-norms", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The mean over two rows of `f`, in 16 sums side by side: an addition must not wait for the one before it.
fn mean_of(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    const LANES: usize = 16;
    let ((a_parts, a_rest), (b_parts, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a_parts.iter().zip(b_parts) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&x, &y)| f(x, y)).sum();
    (sums.iter().sum::<f32>() + rest) / a.len() as f32
}

/// Both norms are one operation. Its rule normalizes the rows once more, so that nothing is kept for the backward pass
/// but the input, which is kept anyway.
struct NormRule {
    centred: bool,
    eps: f32,
}

impl NormRule {
    /// Normalizes, scales by `gamma`, and shifts by `beta` if there is one.
    fn forward(self, name: &'static str, x: &Tensor, parameters: &[&Tensor]) -> Tensor {
        let dim = parameters[0].numel();
        assert!(
            x.shape().last() == Some(&dim),
            "{name}: input {} for a norm of {dim} numbers: the last axis must be {dim}",
            shape_text(x.shape())
        );
        let gamma = parameters[0].data();
        let beta = parameters.get(1).map_or_else(|| vec![0.0; dim], |beta| beta.to_vec());
        let mut out = vec![0.0; x.numel()];
        for (row, out) in x.data().chunks_exact(dim).zip(out.chunks_exact_mut(dim)) {
            normalize_row(row, self.centred, self.eps, out);
            for ((out, gamma), beta) in out.iter_mut().zip(&*gamma).zip(&beta) {
                *out = *out * gamma + beta;
            }
        }
        custom(name, values(out, x.shape()), &[&[x], parameters].concat(), self)
    }
}

impl GradientRule for NormRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _output: &Tensor,
    ) -> InputGradients {
        let (x, gamma, upstream) = (inputs[0].data(), inputs[1].data(), grad_output.data());
        let dim = gamma.len();
        let (mut for_x, mut for_gamma, mut for_beta) =
            (vec![0.0; x.len()], vec![0.0; dim], vec![0.0; dim]);
        let (mut normalized, mut scaled) = (vec![0.0; dim], vec![0.0; dim]);
        let rows = x.chunks_exact(dim).zip(upstream.chunks_exact(dim));
        for ((row, upstream), out) in rows.zip(for_x.chunks_exact_mut(dim)) {
            let factor = normalize_row(row, self.centred, self.eps, &mut normalized);
            for (at, &gradient) in upstream.iter().enumerate() {
                for_gamma[at] += gradient * normalized[at];
                for_beta[at] += gradient;
                scaled[at] = gradient * gamma[at];
            }
            normalize_row_gradient(&scaled, &normalized, factor, self.centred, out);
        }
        let gradients = [for_x, for_gamma, for_beta].into_iter().zip(inputs);
        gradients
            .map(|(numbers, input)| grad_for(input, || Tensor::new(&numbers, input.shape())))
            .collect()
    }
}

impl LayerNorm {
    /// A norm of rows of `dim` numbers.
    pub fn new(dim: usize) -> Self {
        assert!(dim > 0, "layer_norm: a row of 0 numbers has no mean");
        Self { gamma: Tensor::ones(&[dim]), beta: Tensor::zeros(&[dim]), eps: 1e-5 }
    }

    /// `(..., dim)` in and out. Panics when the last axis is not `dim`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let rule = NormRule { centred: true, eps: self.eps };
        rule.forward("layer_norm", x, &[&self.gamma, &self.beta])
    }
}

impl RmsNorm {
    /// A norm of rows of `dim` numbers.
    pub fn new(dim: usize) -> Self {
        assert!(dim > 0, "rms_norm: a row of 0 numbers has no mean square");
        Self { gamma: Tensor::ones(&[dim]), eps: 1e-5 }
    }

    /// `(..., dim)` in and out. Panics when the last axis is not `dim`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        NormRule { centred: false, eps: self.eps }.forward("rms_norm", x, &[&self.gamma])
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-model", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Mlp {
    /// Random weights, with `hidden` numbers between the layers; four times `dim` is usual.
    pub fn new(dim: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self { up: Linear::new(dim, hidden, rng), down: Linear::new(hidden, dim, rng) }
    }
}

impl TransformerBlock {
    /// Random weights; the MLP is four times as wide as `dim`. Panics when the heads do not divide `dim`.
    pub fn new(dim: usize, heads: usize, rng: &mut Rng) -> Self {
        Self {
            norm1: LayerNorm::new(dim),
            attention: MultiHeadAttention::new(dim, heads, rng),
            norm2: LayerNorm::new(dim),
            mlp: Mlp::new(dim, 4 * dim, rng),
        }
    }
}

impl Gpt {
    /// The standard deviation of the first weights, as in GPT-2.
    const STD: f32 = 0.02;

    /// Random weights as GPT-2 begins: normal with a standard deviation of 0.02, no biases. Each block adds to the residual
    /// stream twice, so the matrices that write to it begin smaller by `1 / sqrt(2 layers)`.
    pub fn new(config: GptConfig, rng: &mut Rng) -> Self {
        let GptConfig { vocab_size, context, dim, layers, heads } = config;
        let mut embedding = EmbeddingLayer::new(vocab_size, dim, context, Positions::Learned, rng);
        let mut blocks: Vec<TransformerBlock> =
            (0..layers).map(|_| TransformerBlock::new(dim, heads, rng)).collect();
        let residual = Self::STD / (2.0 * layers as f32).sqrt();
        let mut draw =
            |weight: &mut Tensor, std: f32| *weight = Tensor::randn(weight.shape(), rng) * std;
        for table in embedding.parameters_mut() {
            draw(table, Self::STD);
        }
        for TransformerBlock { attention, mlp, .. } in &mut blocks {
            for inner in
                [&mut attention.query, &mut attention.key, &mut attention.value, &mut mlp.up]
            {
                draw(&mut inner.weight, Self::STD);
            }
            for writes in [&mut attention.output, &mut mlp.down] {
                draw(&mut writes.weight, residual);
            }
        }
        Self { config, embedding, blocks, norm: LayerNorm::new(dim) }
    }

    /// The length of the sequences `ids` `(B, S)`; panics when they do not fit.
    fn check_length(&self, ids: &Tensor) -> usize {
        let (shape, context) = (shape_text(ids.shape()), self.config.context);
        let &[_, length] = ids.shape() else {
            panic!("gpt: ids of shape {shape}: sequences are needed, (B, S)");
        };
        assert!(
            (1..=context).contains(&length),
            "gpt: ids of shape {shape} hold {length} tokens each, and the context of {context} has room for 1 to {context}: \
             cut the sequence, or build the model with a larger context"
        );
        length
    }

    /// The logits of the token behind `ids`. Nothing is recorded for a backward pass.
    pub fn next_logits(&self, ids: &[Id]) -> Vec<f32> {
        let logits = no_grad(|| self.forward(&ids_tensor(ids, &[1, ids.len()]))).to_vec();
        logits[logits.len() - self.config.vocab_size..].to_vec()
    }

    /// The model of a trainer, to generate with.
    ///
    /// # Errors
    /// Gives the trainer's model back if that is no GPT.
    pub fn from_trainer(trainer: Trainer) -> Result<Self, Box<dyn Any>> {
        let model: Box<dyn Any> = trainer.model;
        model.downcast::<Self>().map(|model| *model)
    }
}
impl Layer for LayerNorm {
    fn name(&self) -> String {
        format!("LayerNorm({})", self.gamma.numel())
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        LayerNorm::forward(self, x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        vec![&self.gamma, &self.beta]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.gamma, &mut self.beta]
    }
}

impl Layer for RmsNorm {
    fn name(&self) -> String {
        format!("RmsNorm({})", self.gamma.numel())
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        RmsNorm::forward(self, x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        vec![&self.gamma]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.gamma]
    }
}

impl Layer for Mlp {
    fn name(&self) -> String {
        format!("Mlp({} > Gelu > {})", self.up.name(), self.down.name())
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        Mlp::forward(self, x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        [self.up.parameters(), self.down.parameters()].concat()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        self.up.parameters_mut().into_iter().chain(self.down.parameters_mut()).collect()
    }
}

impl Layer for TransformerBlock {
    fn name(&self) -> String {
        format!(
            "TransformerBlock({} dimensions, {} heads)",
            self.norm1.gamma.numel(),
            self.attention.heads
        )
    }

    /// Without a mask.
    fn forward(&self, x: &Tensor) -> Tensor {
        TransformerBlock::forward(self, x, None)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        let parts: [&dyn Layer; 4] = [&self.norm1, &self.attention, &self.norm2, &self.mlp];
        parts.iter().flat_map(|part| part.parameters()).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        let parts: [&mut dyn Layer; 4] =
            [&mut self.norm1, &mut self.attention, &mut self.norm2, &mut self.mlp];
        parts.into_iter().flat_map(|part| part.parameters_mut()).collect()
    }
}

impl Layer for Gpt {
    fn name(&self) -> String {
        let GptConfig { vocab_size, context, dim, layers, heads } = self.config;
        format!(
            "Gpt({vocab_size} tokens, context {context}, {dim} dimensions, {layers} layers, {heads} heads)"
        )
    }

    /// Rows of logits, `(B x S, vocab_size)`, as a loss over targets `(B x S)` takes them.
    fn forward(&self, ids: &Tensor) -> Tensor {
        let logits = Gpt::forward(self, ids);
        logits.reshape(&[ids.numel(), self.config.vocab_size])
    }

    fn parameters(&self) -> Vec<&Tensor> {
        let blocks = self.blocks.iter().flat_map(|block| block.parameters());
        self.embedding
            .parameters()
            .into_iter()
            .chain(blocks)
            .chain(self.norm.parameters())
            .collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        let blocks = self.blocks.iter_mut().flat_map(|block| block.parameters_mut());
        let tables = self.embedding.parameters_mut().into_iter();
        tables.chain(blocks).chain(self.norm.parameters_mut()).collect()
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-batches", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Batches of at most `batch_size` of the [`examples`] of each text: ids `(B, S)` and targets `(B x S)`, in an order that
/// `rng` draws. `S` is the longest of a batch, at most `context`; what is missing is padding, which no loss counts.
pub fn next_token_batches(
    texts: &[Vec<Id>],
    context: usize,
    batch_size: usize,
    rng: &mut Rng,
) -> Vec<(Tensor, Tensor)> {
    let mut all: Vec<_> = texts.iter().flat_map(|ids| examples(ids, context)).collect();
    rng.shuffle(&mut all);
    let used =
        |targets: &[f32]| targets.iter().rposition(|&t| t != IGNORED).map_or(0, |last| last + 1);
    let batch = |examples: &[(Vec<Id>, Vec<f32>)]| {
        let length = examples.iter().map(|(_, targets)| used(targets)).max().unwrap_or(0);
        let ids = examples.iter().flat_map(|(ids, _)| &ids[..length]).copied().collect::<Vec<Id>>();
        let targets = examples.iter().flat_map(|(_, targets)| &targets[..length]).copied();
        let rows = examples.len() * length;
        (
            ids_tensor(&ids, &[examples.len(), length]),
            Tensor::new(&targets.collect::<Vec<f32>>(), &[rows]),
        )
    };
    all.chunks(batch_size.max(1)).map(batch).collect()
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-sampler", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The indices of some numbers, from the largest number to the smallest; of equal ones the first comes first.
pub fn most_probable(numbers: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[b].total_cmp(&numbers[a]));
    order
}

/// Makes all probabilities 0 but those at `kept`, which sum to 1 again.
pub fn keep(probabilities: &mut [f32], kept: &[usize]) {
    let sum: f32 = kept.iter().map(|&id| probabilities[id]).sum();
    let stays: Vec<(usize, f32)> = kept.iter().map(|&id| (id, probabilities[id] / sum)).collect();
    probabilities.fill(0.0);
    stays.into_iter().for_each(|(id, probability)| probabilities[id] = probability);
}

impl Default for Sampler {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: 1.0, repetition_penalty: 1.0, stop: None }
    }
}

impl Sampler {
    /// Sets the temperature: 0 or more.
    #[must_use]
    pub fn temperature(self, temperature: f32) -> Self {
        Self { temperature, ..self }
    }

    /// Leaves only the `k` most probable tokens.
    #[must_use]
    pub fn top_k(self, k: usize) -> Self {
        Self { top_k: Some(k), ..self }
    }

    /// Leaves only the nucleus of probability `p`.
    #[must_use]
    pub fn top_p(self, p: f32) -> Self {
        Self { top_p: p, ..self }
    }

    /// Sets the penalty for tokens that are there already.
    #[must_use]
    pub fn repetition_penalty(self, penalty: f32) -> Self {
        Self { repetition_penalty: penalty, ..self }
    }

    /// Ends with this token.
    #[must_use]
    pub fn stop(self, id: Id) -> Self {
        Self { stop: Some(id), ..self }
    }

    /// The probability of each token to be the next, given its logits and the tokens that are there already: penalty,
    /// temperature, top-k, top-p, in this order.
    ///
    /// # Errors
    /// If a logit is not a number, a setting makes no sense, or a previous token is not in the vocabulary.
    pub fn probabilities(
        &self,
        logits: &[f32],
        previous: &[Id],
    ) -> Result<Vec<f32>, GenerateError> {
        self.check(logits.len(), previous)?;
        let mut logits = logits.to_vec();
        penalize(&mut logits, previous, self.repetition_penalty);
        check_logits(&logits)?;
        let mut probabilities = with_temperature(&logits, self.temperature);
        if let Some(k) = self.top_k {
            keep_top_k(&mut probabilities, k);
        }
        if self.top_p < 1.0 {
            keep_top_p(&mut probabilities, self.top_p);
        }
        Ok(probabilities)
    }

    fn check(&self, vocabulary: usize, previous: &[Id]) -> Result<(), GenerateError> {
        let Self { temperature, top_k, top_p, repetition_penalty: penalty, .. } = *self;
        let message = if !(temperature.is_finite() && temperature >= 0.0) {
            format!("a temperature of {temperature} is impossible: choose 0 or more")
        } else if top_k == Some(0) {
            "a top-k of 0 leaves no token: choose 1 or more".into()
        } else if !(top_p > 0.0 && top_p <= 1.0) {
            format!("a top-p of {top_p} is impossible: choose more than 0 and at most 1")
        } else if !(penalty.is_finite() && penalty > 0.0) {
            format!(
                "a repetition penalty of {penalty} is impossible: choose more than 0; 1 changes nothing"
            )
        } else {
            return check_ids(previous, vocabulary);
        };
        Err(GenerateError(message))
    }
}

/// Logits may be -inf, for a token that must not be chosen; but each must be a number, and one of them finite.
fn check_logits(logits: &[f32]) -> Result<(), GenerateError> {
    if let Some(id) = logits.iter().position(|logit| logit.is_nan() || *logit == f32::INFINITY) {
        let message =
            format!("the logit of token {id} is {}: has the training diverged?", logits[id]);
        return Err(GenerateError(message));
    }
    if logits.iter().all(|logit| *logit == f32::NEG_INFINITY) {
        let message =
            format!("no token can be chosen: each of the {} logits is -inf", logits.len());
        return Err(GenerateError(message));
    }
    Ok(())
}

fn check_ids(ids: &[Id], vocabulary: usize) -> Result<(), GenerateError> {
    let Some(place) = ids.iter().position(|&id| id as usize >= vocabulary) else { return Ok(()) };
    Err(GenerateError(format!(
        "id {} at index {place} is not in the vocabulary of {vocabulary} tokens: was the text encoded by another tokenizer?",
        ids[place]
    )))
}

/// A prompt has at least one token, and only tokens of the vocabulary.
fn check_prompt(model: &Gpt, prompt: &[Id]) -> Result<(), GenerateError> {
    if prompt.is_empty() {
        let message = "the prompt is empty: the model needs at least one token to continue";
        return Err(GenerateError(message.into()));
    }
    check_ids(prompt, model.config.vocab_size)
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for GenerateError {}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-flops", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The operations of all matrix products behind `result`, which must be tracked: those that made it, and those that its
/// backward pass will need.
pub fn recorded_flops(result: &Tensor) -> u64 {
    let (mut seen, mut waiting, mut total) = (BTreeSet::new(), vec![result.clone()], 0);
    while let Some(tensor) = waiting.pop() {
        let Some(history) = tensor.history().filter(|history| seen.insert(history.id())) else {
            continue;
        };
        let inputs = history.inputs();
        if matches!(history.op(), Op::MatMul) {
            let inner = inputs[0].shape()[inputs[0].ndim() - 1];
            let backward = inputs.iter().filter(|input| input.is_tracked()).count();
            total += (2 * tensor.numel() * inner * (1 + backward)) as u64;
        }
        waiting.extend_from_slice(inputs);
    }
    total
}
