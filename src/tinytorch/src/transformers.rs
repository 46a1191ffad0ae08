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
use std::sync::OnceLock;
use tinytorch::activations::Gelu;
use tinytorch::attention::{MultiHeadAttention, causal_mask};
use tinytorch::autograd::{
    Backward, GradientRule, InputGradients, custom, grad_for, no_grad, track,
};
use tinytorch::backend::{self, Norm};
use tinytorch::data::dialogue::{self, Split};
use tinytorch::embeddings::{EmbeddingLayer, Positions, ids_tensor, tied_logits};
use tinytorch::explore::Explorer;
use tinytorch::insights::transformers::{gradient_flow_insight, sampling_insight};
use tinytorch::insights::transformers::{scaling_insight, training_insight};
use tinytorch::layers::{Layer, Linear};
use tinytorch::losses::{CrossEntropyLoss, IGNORED, Loss, MSELoss};
use tinytorch::optimizers::AdamW;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Origin, Point, Reporter, Series, Value};
use tinytorch::rows::{mean, mean_product};
pub use tinytorch::sampling::GenerateError;
use tinytorch::sampling::{check_ids, check_logits, check_prompt, check_settings};
use tinytorch::sampling::{keep, most_probable};
use tinytorch::tensor::{Op, Tensor, shape_text, values};
use tinytorch::testing::{Ratio, quartiles};
use tinytorch::tokenization::{BpeTokenizer, Id, Tokenizer, TokenizerError, training_text};
use tinytorch::training::{CosineSchedule, ErrorKind, Trainer, TrainingError};

// %% [markdown] nbgrader={"grade": false, "grade_id": "transformers-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Transformers
//
// You build: the normalization of a row with its gradient, the block, the GPT, its training examples, the measure of
// how well it predicts, and the sampling that turns its scores into text; and you count what all of it costs.

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
/// HINTS: `mean` and `mean_product` of rows are given. `iter_mut` with `zip` goes through `out` and `row` together.
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
/// 🔬 By hand, with and without the shift; the variance with n; equal numbers; a row far from 0.
#[test]
fn test_unit_normalize_row() {
    use tinytorch::testing::expect_close;

    let check = |row: &[f32], centred, wanted: &[f32], idea: &str| {
        let mut out = vec![0.0; row.len()];
        let factor = normalize_row(row, centred, 1e-5, &mut out);
        expect_close(format!("{row:?}, centred: {centred}"), &out, wanted, 2e-3, idea);
        factor
    };
    let idea = "subtract the mean, then divide by the root of the mean square (with n, not n - 1)";
    let one = check(&[1.0, 3.0], true, &[-1.0, 1.0], idea);
    check(&[1.0, 2.0, 3.0, 6.0], true, &[-1.069, -0.535, 0.0, 1.604], idea);
    let idea = "RMSNorm divides by the root of the mean square, and does not shift";
    check(&[3.0, 4.0], false, &[0.849, 1.131], idea);
    let idea = "shift first, then square: otherwise a row far from 0 loses its digits";
    check(&[4097.0, 4099.0], true, &[-1.0, 1.0], idea);
    let idea = "eps keeps the division finite: equal numbers become zeros";
    check(&[5.0, 5.0], true, &[0.0, 0.0], idea);
    let small = check(&[0.0, 0.02], true, &[-0.953_5, 0.953_5], "eps is added to the variance");
    let idea = "return the factor, 1 / sqrt(variance + eps)";
    expect_close("the factors of [1, 3] and [0, 0.02]", &[one, small], &[1.0, 95.346], 1e-2, idea);
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
/// EXAMPLE: `upstream = [1, 0]`, `normalized = [-1, 1]`, `factor = 2`, centred: the mean is 0.5, the mean product
/// -0.5, so `2 x ([1, 0] - 0.5 + 0.5 x [-1, 1]) = [0, 0]`. A row of two can only be stretched and shifted.
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
/// 🔬 Rows of two by hand; four numbers as PyTorch computes them, for both norms.
#[test]
fn test_unit_normalize_row_gradient() {
    use tinytorch::testing::expect_close;

    let check = |upstream: &[f32], normalized: &[f32], (factor, centred), wanted: &[f32], idea| {
        let mut out = vec![0.0; upstream.len()];
        normalize_row_gradient(upstream, normalized, factor, centred, &mut out);
        let input = format!("{upstream:?} at {normalized:?}, centred: {centred}");
        expect_close(input, &out, wanted, 1e-5, idea);
    };
    let idea = "a row of two can only be stretched and shifted, and neither changes the result";
    check(&[1.0, 0.0], &[-1.0, 1.0], (2.0, true), &[0.0, 0.0], idea);
    let idea = "RMSNorm: subtract the part along the row alone, then scale by the factor";
    check(&[1.0, 0.0], &[1.0, 1.0], (2.0, false), &[1.0, -1.0], idea);
    let idea =
        "upstream minus its part along the row and, if centred, minus its mean, times the factor";
    let upstream = [1.0, 2.0, -1.0, 0.5];
    // The row [0.5, -1, 2, 0.25].
    let normalized = [0.058_621, -1.348_284, 1.465_526, -0.175_863];
    let wanted = [0.409_340, -0.035_455, -0.083_802, -0.290_083];
    check(&upstream, &normalized, (0.937_937, true), &wanted, idea);
    let normalized = [0.433_861, -0.867_722, 1.735_444, 0.216_930];
    let wanted = [1.143_351, 1.184_185, 0.234_795, 0.571_676];
    check(&upstream, &normalized, (0.867_722, false), &wanted, idea);
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
    use tinytorch::testing::expect_close;

    let mut rng = Rng::seeded(3);
    let mut full = TransformerBlock::new(8, 2, &mut rng);
    full.norm2.gamma = full.norm2.gamma * 2.0; // The two norms differ.
    let x = Tensor::randn(&[1, 4, 8], &mut rng) * 3.0;
    let mask = causal_mask(4);
    // A branch whose last layer is zero adds nothing.
    let check = |input: &str, [attends, thinks]: [bool; 2], wanted: &Tensor, idea: &str| {
        let mut block = full.clone();
        block.attention.output.weight = block.attention.output.weight * f32::from(attends);
        block.mlp.down.weight = block.mlp.down.weight * f32::from(thinks);
        let y = block.forward(&x, Some(&mask));
        expect_close(input, &y.to_vec(), &wanted.to_vec(), 1e-5, idea);
    };
    let idea = "a residual adds to x, and no norm stands on the sum";
    check("two silent branches", [false, false], &x, idea);
    let attended = &x + full.attention.forward(&full.norm1.forward(&x), Some(&mask));
    check("a silent MLP", [true, false], &attended, "x + attention(norm1(x)), with the mask");
    let wanted = &x + full.mlp.forward(&full.norm2.forward(&x));
    check("a silent attention", [false, true], &wanted, "x + mlp(norm2(x))");
    let wanted = &attended + full.mlp.forward(&full.norm2.forward(&attended));
    let idea = "the MLP gets, and is added to, the sum behind the attention";
    check("both branches", [true, true], &wanted, idea);
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
/// 🔬 No look ahead, positions, every block in its order, the final norm, the tied table, a long sequence.
#[test]
fn test_unit_gpt() {
    use tinytorch::testing::{expect_close, expect_eq, expect_named, panic_message};

    let config = GptConfig { vocab_size: 11, context: 6, dim: 8, layers: 2, heads: 2 };
    let model = Gpt::new(config, &mut Rng::seeded(5));
    let logits = |ids: &[Id]| model.forward(&ids_tensor(ids, &[1, ids.len()]));
    let ids = [3, 1, 4, 1, 5, 9];
    let all = logits(&ids);
    expect_eq("6 ids", all.shape(), &[1, 6, 11], "a score for each token at each position");
    let idea = "the causal mask: a position does not see what follows it";
    let start = logits(&ids[..4]).to_vec();
    expect_close("4 ids, and the same 4 of 6", &all.to_vec()[..44], &start, 1e-4, idea);
    let mut x = model.embedding.forward(&ids_tensor(&ids, &[1, 6]));
    for block in &model.blocks {
        x = block.forward(&x, Some(&causal_mask(6)));
    }
    let wanted = model.norm.forward(&x).matmul(&model.embedding.tokens.weight.t()).to_vec();
    let idea = "token plus position, every block in its order, the final norm, the table of tokens";
    expect_close("6 ids", &all.to_vec(), &wanted, 1e-4, idea);
    let message = panic_message(|| logits(&[0; 7]));
    expect_named(&message, &["gpt", "7", "context of 6"], "the given check stays first");
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
/// 🔬 The shift, every pair of neighbours exactly once, padding, nothing to learn from.
#[test]
fn test_unit_examples() {
    use tinytorch::testing::expect_call;

    let check = |ids: &[Id], context, wanted: &[(&[Id], &[f32])], idea: &str| {
        let wanted: Vec<_> = wanted.iter().map(|(x, y)| (x.to_vec(), y.to_vec())).collect();
        let input = format!("{ids:?}, context {context}");
        expect_call(input, || examples(ids, context), wanted, idea);
    };
    check(&[5], 2, &[], "nothing follows a single id: no window begins there");
    let idea = "the target of an input is the id that follows it, not the input itself";
    check(&[5, 6], 1, &[(&[5], &[6.0])], idea);
    let idea = "each id but the first is a target once: a window begins where the last target ends";
    check(&[1, 2, 3, 4, 5], 2, &[(&[1, 2], &[2.0, 3.0]), (&[3, 4], &[4.0, 5.0])], idea);
    let idea = "the last window is padded: 0 among the inputs, IGNORED among the targets";
    check(&[5, 6, 7, 8], 2, &[(&[5, 6], &[6.0, 7.0]), (&[7, 0], &[8.0, IGNORED])], idea);
    check(&[], 2, &[], "nothing follows no id");
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
/// HINTS: `no_grad`, `item`. As a layer, a model gives rows of logits, `(B x S, vocab_size)`; targets are `(B x S)`.
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
    use tinytorch::layers::{Sequential, Watched};
    use tinytorch::testing::{expect_close, expect_eq};

    let batch = |logits: &[f32], targets: &[f32]| {
        (Tensor::new(logits, &[targets.len(), 2]), Tensor::new(targets, &[targets.len()]))
    };
    // The model returns the batch itself; ln(1 + e^4) = 4.01815.
    let loss = |batches: &[_]| mean_loss(&Sequential::default(), batches);
    let wrong = batch(&[4.0, 0.0], &[1.0]);
    let right = batch(&[30.0, 0.0, 30.0, 0.0, 30.0, 0.0], &[0.0; 3]);
    let idea = "each target counts the same: weigh the loss of a batch by its targets";
    let input = "1 target with the loss 4.018, 3 with 0";
    expect_close(input, &[loss(&[wrong, right])], &[1.004_54], 1e-4, idea);
    let padded = batch(&[4.0, 0.0, 1.0, 0.0, 1.0, 0.0], &[1.0, IGNORED, IGNORED]);
    let sure = batch(&[30.0, 0.0], &[0.0]);
    let idea = "a target that is IGNORED does not count";
    let input = "1 target with the loss 4.018 and 2 of padding, 1 with 0";
    expect_close(input, &[loss(&[padded, sure])], &[2.009_08], 1e-4, idea);
    let (note, notes) = std::sync::mpsc::channel();
    let watch = move |_: &Sequential, x: &Tensor| {
        let _ = note.send((x * Tensor::scalar(1.0).tracked()).is_tracked());
    };
    let watched = Watched { layer: Sequential::default(), watch };
    mean_loss(&watched, &[batch(&[0.0, 0.0], &[0.0])]);
    let idea = "nothing is recorded for a backward pass: compute inside of `no_grad`";
    let kept: Vec<bool> = notes.try_iter().collect();
    expect_eq("in each pass of the model: is a history kept", kept, vec![false], idea);
    let yours = [perplexity(8.0_f32.ln()), perplexity(0.0)];
    let idea = "perplexity undoes the natural logarithm: e to the loss";
    expect_close("losses of ln 8 and 0", &yours, &[8.0, 1.0], 1e-4, idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-sampler", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// How a token is chosen from the scores. [`Sampler::default`] draws from the model's own distribution.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
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

    let signs = "divide a positive logit, multiply a negative one: both become less probable";
    for (previous, wanted, idea) in [
        (&[][..], [6.0, -6.0, 4.0], "only tokens that occurred are penalized"),
        (&[2], [6.0, -6.0, 2.0], signs),
        (&[0, 1], [3.0, -12.0, 4.0], signs),
        (&[0, 0], [3.0, -6.0, 4.0], "each token once, however often it occurred"),
    ] {
        let mut logits = [6.0, -6.0, 4.0];
        penalize(&mut logits, previous, 2.0);
        let input = format!("logits [6, -6, 4], penalty 2, {previous:?} occurred");
        expect_close(input, &logits, &wanted, 1e-6, idea);
    }
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
/// HINTS: `most_probable` is given: indices (`usize`), that of the largest number first. Subtract the largest before
/// the division, or a small temperature makes infinities.
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
/// 🔬 Three temperatures by hand, 0, equal logits at 0, logits that are huge or excluded.
#[test]
fn test_unit_with_temperature() {
    use tinytorch::testing::expect_close;

    let divide = "divide the logits by the temperature, then softmax";
    let zero = "a temperature of 0 takes the largest logit, of equal ones the first, and divides nothing by 0";
    let shift = "subtract the largest logit before you divide and exponentiate";
    for (logits, temperature, wanted, idea) in [
        ([2.0, 1.0, 0.0], 1.0, [0.665_241, 0.244_728, 0.090_031], divide),
        ([2.0, 1.0, 0.0], 0.5, [0.866_813, 0.117_310, 0.015_876], divide),
        ([2.0, 1.0, 0.0], 2.0, [0.506_480, 0.307_196, 0.186_324], divide),
        ([1.0, 5.0, 5.0], 0.0, [0.0, 1.0, 0.0], zero),
        ([3e38, 0.0, f32::NEG_INFINITY], 1e-3, [1.0, 0.0, 0.0], shift),
    ] {
        let yours = with_temperature(&logits, temperature);
        let input = format!("{logits:?}, temperature {temperature}");
        expect_close(input, &yours, &wanted, 1e-5, idea);
    }
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
/// 🔬 In any order, one alone, equal ones, more than there are.
#[test]
fn test_unit_keep_top_k() {
    use tinytorch::testing::expect_call_close;

    let idea = "the k most probable stay, wherever they are, and sum to 1 again";
    for (probabilities, k, wanted, idea) in [
        ([0.5, 0.3, 0.2], 2, [0.625, 0.375, 0.0], idea),
        ([0.2, 0.3, 0.5], 2, [0.0, 0.375, 0.625], idea),
        ([0.25, 0.5, 0.25], 2, [0.333_33, 0.666_67, 0.0], "exactly k: of equal ones the first"),
        ([0.2, 0.3, 0.5], 9, [0.2, 0.3, 0.5], "fewer than k: all stay"),
    ] {
        let kept = || {
            let mut yours = probabilities;
            keep_top_k(&mut yours, k);
            yours
        };
        expect_call_close(format!("{probabilities:?}, k = {k}"), kept, &wanted, 1e-4, idea);
    }
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
/// 🔬 The token that crosses p stays, one that reaches it exactly ends, one always stays.
#[test]
fn test_unit_keep_top_p() {
    use tinytorch::testing::expect_close;

    let crossing = "the token that crosses p stays: without it the sum would be below p";
    for (probabilities, p, wanted, idea) in [
        ([0.5, 0.25, 0.25], 0.7, [0.667, 0.333, 0.0], crossing),
        ([0.25, 0.25, 0.5], 0.7, [0.333, 0.0, 0.667], "the most probable first, wherever it is"),
        ([0.5, 0.25, 0.25], 0.75, [0.667, 0.333, 0.0], "stop when the sum has reached p"),
        ([0.5, 0.25, 0.25], 0.1, [1.0, 0.0, 0.0], "the most probable token always stays"),
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
/// 🔬 The ends of each part, tokens without a probability, a rest from rounding.
#[test]
fn test_unit_pick() {
    use tinytorch::testing::expect_eq;

    let check = |probabilities: &[f32], points: &[f32], wanted: &[Id], idea| {
        let yours: Vec<Id> = points.iter().map(|&point| pick(probabilities, point)).collect();
        expect_eq(format!("{probabilities:?} at {points:?}"), &yours[..], wanted, idea);
    };
    let idea = "each token has a part of the line as long as its probability";
    let points = [0.0, 0.1, 0.25, 0.7, 0.75, 0.99];
    check(&[0.25, 0.5, 0.25], &points, &[0, 0, 1, 1, 2, 2], idea);
    let idea = "a token with probability 0 is never picked";
    check(&[0.0, 0.5, 0.0, 0.5], &[0.0, 0.5], &[1, 3], idea);
    let idea = "what rounding leaves belongs to the last token above 0";
    check(&[0.4, 0.5, 0.0], &[0.95], &[1], idea);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The ids that the model can see when it chooses the next one.
///
/// TODO: find the fault in this line, which a colleague wrote, and write it correctly. A long answer begins well, and
/// from the moment when the context is full, every next token is drawn from one and the same distribution.
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
    use tinytorch::testing::expect_call;

    let idea = "the window slides: the last ids are visible, and the oldest are forgotten";
    for (ids, wanted) in
        [(&[1, 2][..], &[1, 2][..]), (&[1, 2, 3], &[1, 2, 3]), (&[1, 2, 3, 4], &[2, 3, 4])]
    {
        expect_call(format!("{ids:?}, context 3"), || visible(ids, 3), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-generate", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Continues a prompt by at most `new_tokens` tokens, and returns those. `on_token` gets each at once, for a live
/// display. The same seed gives the same tokens.
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
/// HINTS: the given `next_logits` takes ids and returns the logits of the last position. `split_off` cuts a vector.
pub fn generate(
    model: &Gpt,
    prompt: &[Id],
    new_tokens: usize,
    sampler: &Sampler,
    rng: &mut Rng,
    mut on_token: impl FnMut(Id),
) -> Result<Vec<Id>, GenerateError> {
    check_prompt(prompt, model.config.vocab_size)?;
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
/// 🔬 As many tokens as asked for, beyond the context; each passed on; what the sampler gets; seeds; the stop token.
#[test]
fn test_unit_generate() {
    use tinytorch::testing::expect_eq;

    let config = GptConfig { vocab_size: 7, context: 4, dim: 4, layers: 1, heads: 1 };
    let mut model = Gpt::new(config, &mut Rng::seeded(2));
    for parameter in model.parameters_mut() {
        *parameter = &*parameter * 2.0; // So that the distributions differ clearly.
    }
    let run = |sampler: &Sampler, seed| {
        let mut live = vec![];
        let rng = &mut Rng::seeded(seed);
        (generate(&model, &[1, 2], 12, sampler, rng, |id| live.push(id)).expect("12 tokens"), live)
    };
    let free = Sampler::default();
    let (ids, live) = run(&free, 1);
    expect_eq("12 new tokens", ids.len(), 12, "the new tokens alone, also beyond the context");
    expect_eq("what on_token got", &live, &ids, "on_token gets each new token, and not the prompt");
    expect_eq("seed 1 again", &run(&free, 1).0, &ids, "the same seed, the same tokens");

    let idea = "score what is visible, let the sampler choose with all ids so far, append";
    let greedy = free.clone().temperature(0.0);
    for sampler in [greedy.clone(), greedy.repetition_penalty(50.0)] {
        let mut so_far = vec![1, 2];
        for _ in 0..12 {
            let logits = model.next_logits(visible(&so_far, 4));
            let probabilities = sampler.probabilities(&logits, &so_far).expect("probabilities");
            so_far.push(pick(&probabilities, 0.5));
        }
        expect_eq(format!("{sampler:?}"), &run(&sampler, 1).0[..], &so_far[2..], idea);
    }
    let others = (2..9).any(|seed| run(&free, seed).0 != ids);
    assert!(others, "other seeds, other tokens: draw with the generator that is given");
    let end = ids.iter().position(|&id| id == ids[2]).unwrap_or(2);
    let idea = "end with the stop token: it is appended, passed on, and returned";
    let wanted = (ids[..=end].to_vec(), ids[..=end].to_vec());
    expect_eq("stop at the third token: returned, live", run(&free.stop(ids[2]), 1), wanted, idea);
    // Without a number at the last position of the context, the third token cannot be chosen.
    model.parameters_mut()[1].array_mut().iter_mut().skip(12).for_each(|x| *x = f32::NAN);
    let (mut live, sampler, rng) = (vec![], Sampler::default(), &mut Rng::seeded(1));
    let result = generate(&model, &[1, 2], 12, &sampler, rng, |id| live.push(id));
    let idea = "pass each token to on_token at once, not all at the end; an error ends the text";
    expect_eq("an error at the third token", (result.is_err(), live.len()), (true, 2), idea);
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
    for (layers, dim) in [(0, 4), (1, 4), (3, 6)] {
        let config = GptConfig { vocab_size: 50, context: 8, dim, layers, heads: 2 };
        let model = Gpt::new(config, &mut Rng::seeded(0));
        let counted: usize = model.parameters().iter().map(|parameter| parameter.numel()).sum();
        expect_eq(format!("{config:?}"), count_parameters(&config), counted, idea);
    }
    expect_eq("GPT-2", count_parameters(&gpt2), 124_439_808, idea);
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
/// 🔬 Each part of the formula against the operations that a forward pass recorded.
#[test]
fn test_unit_training_flops() {
    use tinytorch::testing::expect_eq;

    for (layers, dim, batch, length, idea) in [
        (0, 4, 1, 1, "the output layer: two operations for each weight, three times"),
        (0, 4, 3, 5, "every token of every sequence"),
        (1, 4, 1, 1, "12 d^2 weights in a block, and attention over `length` positions"),
        (1, 4, 2, 8, "each token is compared with all positions: the mask saves nothing"),
        (3, 8, 2, 8, "every block costs the same"),
    ] {
        let config = GptConfig { vocab_size: 10, context: 8, dim, layers, heads: 2 };
        let mut model = Gpt::new(config, &mut Rng::seeded(0));
        track(model.parameters_mut());
        let recorded = recorded_flops(&model.forward(&Tensor::zeros(&[batch, length])));
        let input = format!("{config:?}, batch {batch}, length {length}");
        expect_eq(input, training_flops(&config, batch, length), recorded, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-analyze-gradient-flow", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Why does every block add to its input instead of replacing it?
///
/// Purpose: see what residuals and norms do at the start of training. Measured: the gradient norm of each block in a
/// stack of 12, the median of 5 seeds: pre-norm, post-norm, norms without residuals, and neither. Key insight: with
/// neither, each block passes on only what its matrices let through, and the first block hardly learns. Production
/// context: large language models are pre-norm; post-norm needs a learning rate that is warmed up.
pub fn analyze_gradient_flow(out: &mut Reporter) {
    let (mut series, mut rows, mut ratios) = (vec![], vec![], vec![]);
    for (name, pass) in STACKS {
        let by_seed: Vec<Vec<f64>> = (0..5).map(|seed| gradient_norms(pass, seed)).collect();
        let block = |at: usize| quartiles(by_seed.iter().map(|norms| norms[at]).collect());
        let ratio = Ratio::of(by_seed.iter().map(|norms| norms[0] / norms[DEPTH - 1]).collect());
        series.push(Series::new(name, (0..DEPTH).map(|at| ((at + 1) as f64, block(at)[1]))));
        let [first, last] = [0, DEPTH - 1].map(|at| Value::spread(block(at)));
        rows.push(vec![name.into(), first, last, ratio.into()]);
        ratios.push(ratio);
    }
    let axes = (Axis::linear("block", ""), Axis::log("gradient norm", ""));
    out.measured_chart("Gradient norm by block", axes.0, axes.1, series);
    let columns = [("stack", ""), ("block 1", ""), ("block 12", ""), ("block 1 / block 12", "x")];
    out.measured_table("Gradient norms at both ends", &columns, rows);
    out.measured("gradient norm of block 12 against block 1, neither", 1.0 / ratios[3].median, "x");
    out.insight(gradient_flow_insight(ratios[0], ratios[2], ratios[3]));
}

/// So many blocks are stacked.
const DEPTH: usize = 12;

/// How a block passes its input on.
type Pass = fn(&TransformerBlock, &Tensor, &Tensor) -> Tensor;

const STACKS: [(&str, Pass); 4] = [
    ("pre-norm", |block, x, mask| block.forward(x, Some(mask))),
    ("post-norm", |block, x, mask| {
        let x = block.norm1.forward(&(x + block.attention.forward(x, Some(mask))));
        block.norm2.forward(&(&x + block.mlp.forward(&x)))
    }),
    ("norms alone", |block, x, mask| {
        let x = block.attention.forward(&block.norm1.forward(x), Some(mask));
        block.mlp.forward(&block.norm2.forward(&x))
    }),
    ("neither", |block, x, mask| block.mlp.forward(&block.attention.forward(x, Some(mask)))),
];

/// The gradient norm of each block's parameters, when the normalized output should become a random tensor.
fn gradient_norms(pass: Pass, seed: u64) -> Vec<f64> {
    let (dim, length, rng) = (32, 16, &mut Rng::seeded(seed));
    let mut blocks: Vec<TransformerBlock> =
        (0..DEPTH).map(|_| TransformerBlock::new(dim, 4, rng)).collect();
    blocks.iter_mut().for_each(|block| track(block.parameters_mut()));
    let mask = causal_mask(length);
    let x = Tensor::randn(&[4, length, dim], rng);
    let y = blocks.iter().fold(x, |x, block| pass(block, &x, &mask));
    let wanted = Tensor::randn(&[4, length, dim], rng);
    let gradients = MSELoss.forward(&LayerNorm::new(dim).forward(&y), &wanted).backward();
    let squares = |tensor: &Tensor| -> f64 {
        gradients.get(tensor).map_or(0.0, |g| g.data().iter().map(|&x| f64::from(x * x)).sum())
    };
    let norm =
        |block: &TransformerBlock| block.parameters().into_iter().map(squares).sum::<f64>().sqrt();
    blocks.iter().map(norm).collect()
}

// %% nbgrader={"grade": false, "grade_id": "transformers-analyze-training", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a GPT learn from the questions of the course?
///
/// Purpose: train a language model and judge it on text that it has not seen. Measured: the perplexity of the training
/// and the validation set after each epoch, and the answers to some held-out questions, of one model (vocabulary 512,
/// context 32, 32 dimensions, 2 layers, 4 heads; AdamW, batches of 8, 14 epochs along a cosine from 0.006). Key
/// insight: perplexity says among how many tokens the model is as uncertain; form comes first, facts much later.
/// Production context: the same loop, with a million times as many parameters and a billion times as many tokens.
pub fn analyze_training(out: &mut Reporter) {
    let Ok(corpus) = Corpus::new(512) else { return };
    let frequent = perplexity(corpus.frequency_loss());
    let mut curves = [vec![], vec![]];
    let trained = corpus.train(corpus.config(32, 2), EPOCHS, 1, |done, [train, validation]| {
        for (curve, loss) in curves.iter_mut().zip([train, validation]) {
            curve.push((done as f64, f64::from(perplexity(loss))));
        }
        out.progress("epochs", done as u64, EPOCHS as u64);
        let series = ["train", "validation"].into_iter().zip(&curves);
        let series = series.map(|(name, curve)| Series::new(name, curve.clone())).collect();
        let axes = (Axis::linear("epoch", ""), Axis::log("perplexity", ""));
        out.measured_chart("Perplexity", axes.0, axes.1, series);
        true
    });
    let model = match trained {
        Ok(model) => model,
        Err(error) => return out.note(error.to_string()),
    };
    let questions = dialogue::pairs(Split::Validation).step_by(25).map(|pair| {
        let said = corpus.answer(&model, pair.question);
        vec![pair.question.into(), pair.answer.into(), said.into()]
    });
    let columns = [("held-out question", ""), ("right answer", ""), ("the model's answer", "")];
    out.measured_table("The most probable answers", &columns, questions.collect());
    let validation: Vec<f64> = curves[1].iter().map(|point| point.1).collect();
    let last = validation[validation.len() - 1];
    out.measured("validation perplexity when only frequencies are known", f64::from(frequent), "");
    out.measured("validation perplexity after the last epoch", last, "");
    out.insight(training_insight(corpus.tokenizer.vocab_size(), f64::from(frequent), &validation));
}

/// So many epochs are trained.
const EPOCHS: usize = 14;

// %% nbgrader={"grade": false, "grade_id": "transformers-analyze-scaling", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does a larger model cost, and what does it buy?
///
/// Purpose: see cost by formula and by count, and loss by size. Measured: the parameters of four sizes; the operations
/// that a step of 8 sequences recorded; the validation loss after one epoch, with 3 seeds each (AdamW, batches of 8, a
/// rate of 0.006 for all sizes, tuned for none). Key insight: cost is known before training, about 6 operations for
/// each parameter and token. Production context: scaling laws predict the loss of a large model from small ones.
pub fn analyze_scaling(out: &mut Reporter) {
    let Ok(corpus) = Corpus::new(384) else { return };
    let (mut rows, mut points, mut ends) = (vec![], vec![], vec![]);
    let sizes = [8, 16, 32, 48];
    for (done, dim) in sizes.into_iter().enumerate() {
        let config = corpus.config(dim, 2);
        let mut model = Gpt::new(config, &mut Rng::seeded(0));
        let parameters: usize = model.parameters().iter().map(|tensor| tensor.numel()).sum();
        track(model.parameters_mut());
        let recorded = recorded_flops(&model.forward(&Tensor::zeros(&[8, config.context])));
        let each = recorded as f64 / (8 * config.context) as f64 / parameters as f64;
        let mut losses = vec![];
        for seed in 0..3 {
            match corpus.train(config, 1, seed, |_, _| true) {
                Ok(model) => losses.push(f64::from(mean_loss(&model, &corpus.validation))),
                Err(error) => return out.note(error.to_string()),
            }
        }
        let loss = quartiles(losses);
        rows.push(vec![
            dim.into(),
            count_parameters(&config).into(),
            parameters.into(),
            (training_flops(&config, 8, config.context) as f64).into(),
            (recorded as f64).into(),
            each.into(),
            Value::spread(loss),
        ]);
        points.push((parameters as f64, loss[1]));
        ends.push(loss);
        out.progress("sizes", done as u64 + 1, sizes.len() as u64);
    }
    let columns = [
        ("dimensions", ""),
        ("parameters, formula", ""),
        ("counted", ""),
        ("a step, formula", "FLOP"),
        ("recorded", "FLOP"),
        ("per parameter and token", "FLOP"),
        ("validation loss", ""),
    ];
    out.measured_table("Cost by formula and by count, and loss by size", &columns, rows);
    let axes = (Axis::log("parameters", ""), Axis::linear("validation loss", ""));
    let curve = Series::new("median of 3 seeds", points);
    out.measured_chart("Loss by size, the same tokens", axes.0, axes.1, vec![curve]);
    out.measured("validation loss of 8 against 48 dimensions", ends[0][1] - ends[3][1], "");
    out.insight(scaling_insight(ends[0], ends[3]));
}

// %% nbgrader={"grade": true, "grade_id": "test-transformers-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A small GPT learns a sentence by heart, is restored from a checkpoint, and generates, live, what it learned.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_eq, expect_named};

    let config = GptConfig { vocab_size: 12, context: 8, dim: 16, layers: 1, heads: 2 };
    let sentence: Vec<Id> = vec![3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];
    let new = |seed| {
        let model = Gpt::new(config, &mut Rng::seeded(seed));
        Trainer::new(model, AdamW::new(0.02), CrossEntropyLoss).with_clipping(1.0)
    };
    let mut trainer = new(1);
    let batches = next_token_batches(std::slice::from_ref(&sentence), 8, 4, &mut Rng::seeded(1));
    let [before, after] = [0, 60].map(|epochs| {
        for _ in 0..epochs {
            trainer.train_epoch(&batches).expect("an epoch");
        }
        perplexity(mean_loss(&*trainer.model, &batches))
    });
    assert!(before > 6.0, "untrained: a perplexity of {before} among 12 tokens");
    assert!(after < 1.2, "a perplexity of {after} after 60 epochs: can it learn 12 ids by heart?");

    let mut other = new(2);
    other.restore(trainer.checkpoint()).expect("a checkpoint of this model");
    let model = Gpt::from_trainer(other).expect("a GPT");
    let mut live = vec![];
    let greedy = Sampler::default().temperature(0.0);
    let rng = &mut Rng::seeded(3);
    let said = generate(&model, &sentence[..3], 6, &greedy, rng, |id| live.push(id));
    expect_eq("its first three ids", said.as_deref(), Ok(&sentence[3..9]), "it says the rest");
    expect_eq("what was shown live", &live[..], &sentence[3..9], "the same ids, one by one");
    let refused = generate(&model, &[3, 99], 1, &greedy, rng, |_| ());
    let message = refused.err().map_or_else(String::new, |error| error.to_string());
    expect_named(&message, &["99", "index 1", "12"], "an unknown id is an error with its place");
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-norms", "locked": true, "schema_version": 3, "solution": false, "task": false}
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
        let norm = Norm { centred: self.centred, eps: self.eps, gamma: &gamma, beta: &beta };
        let out = backend::normalize(norm, &x.data(), normalize_row);
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
        let norm = Norm { centred: self.centred, eps: self.eps, gamma: &gamma, beta: &[] };
        let rows = [&x[..], &upstream];
        let all = backend::normalize_gradient(norm, rows, normalize_row, normalize_row_gradient);
        let tensor = |(numbers, input): (Vec<f32>, &Tensor)| {
            grad_for(input, || Tensor::from_array(values(numbers, input.shape())))
        };
        all.into_iter().zip(inputs).map(tensor).collect()
    }
}

impl LayerNorm {
    /// A norm of rows of `dim` numbers.
    pub fn new(dim: usize) -> Self {
        Self { gamma: Tensor::ones(&[dim]), beta: Tensor::zeros(&[dim]), eps: 1e-5 }
    }
}

impl RmsNorm {
    /// A norm of rows of `dim` numbers.
    pub fn new(dim: usize) -> Self {
        Self { gamma: Tensor::ones(&[dim]), eps: 1e-5 }
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
    /// Random weights: normal with a standard deviation of `1 / sqrt(dim)`, biases of 0. GPT-2 has 0.02, which is nearly
    /// that for its 768 to 1,600 dimensions. Each block adds to the residual stream twice, so the matrices that write to
    /// it begin smaller by `1 / sqrt(2 layers)`, as in GPT-2.
    pub fn new(config: GptConfig, rng: &mut Rng) -> Self {
        let GptConfig { vocab_size, context, dim, layers, heads } = config;
        let mut embedding = EmbeddingLayer::new(vocab_size, dim, context, Positions::Learned, rng);
        let mut blocks: Vec<TransformerBlock> =
            (0..layers).map(|_| TransformerBlock::new(dim, heads, rng)).collect();
        let std = 1.0 / (dim as f32).sqrt();
        let residual = std / (2.0 * layers as f32).sqrt();
        let mut draw =
            |weight: &mut Tensor, std: f32| *weight = Tensor::randn(weight.shape(), rng) * std;
        for table in embedding.parameters_mut() {
            draw(table, std);
        }
        for TransformerBlock { attention: a, mlp, .. } in &mut blocks {
            for reads in [&mut a.query, &mut a.key, &mut a.value, &mut mlp.up] {
                draw(&mut reads.weight, std);
            }
            for writes in [&mut a.output, &mut mlp.down] {
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
            "gpt: ids of shape {shape} hold {length} tokens each, and the context of {context} has room for 1 to \
             {context}: cut the sequence, or build the model with a larger context"
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
    /// If the trainer's model is no GPT.
    pub fn from_trainer(trainer: Trainer) -> Result<Self, TrainingError> {
        let message = format!("the trainer's model is no GPT, but {}", trainer.model.name());
        let model = (trainer.model as Box<dyn Any>).downcast::<Self>().map(|model| *model);
        model.map_err(|_| TrainingError::new(ErrorKind::OtherModel, message))
    }
}

impl Layer for LayerNorm {
    fn name(&self) -> String {
        format!("LayerNorm({})", self.gamma.numel())
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let rule = NormRule { centred: true, eps: self.eps };
        rule.forward("layer_norm", x, &[&self.gamma, &self.beta])
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
        NormRule { centred: false, eps: self.eps }.forward("rms_norm", x, &[&self.gamma])
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
        self.down.forward(&Gelu.forward(&self.up.forward(x)))
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
        format!("TransformerBlock({}, {})", self.norm1.name(), self.attention.name())
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
        let blocks = self.blocks.iter().map(|block| block.parameters());
        let all = [self.embedding.parameters()].into_iter().chain(blocks);
        all.chain([self.norm.parameters()]).flatten().collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        let blocks = self.blocks.iter_mut().map(|block| block.parameters_mut());
        let all = [self.embedding.parameters_mut()].into_iter().chain(blocks);
        all.chain([self.norm.parameters_mut()]).flatten().collect()
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-batches", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Batches of at most `batch_size` of the [`examples`] of all texts, shuffled: ids `(B, S)` and targets `(B x S)`. `S`
/// is the longest of a batch, at most `context`; what is missing is padding, which no loss counts.
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
        let ids: Vec<Id> = examples.iter().flat_map(|(ids, _)| &ids[..length]).copied().collect();
        let targets = examples.iter().flat_map(|(_, targets)| &targets[..length]).copied();
        let targets: Vec<f32> = targets.collect();
        let shape = [examples.len(), length];
        (ids_tensor(&ids, &shape), Tensor::new(&targets, &[targets.len()]))
    };
    all.chunks(batch_size.max(1)).map(batch).collect()
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-sampler", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Default for Sampler {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: 1.0, repetition_penalty: 1.0, stop: None }
    }
}

impl Sampler {
    /// Sets the temperature: 0 or more.
    pub fn temperature(self, temperature: f32) -> Self {
        Self { temperature, ..self }
    }

    /// Leaves only the `k` most probable tokens.
    pub fn top_k(self, k: usize) -> Self {
        Self { top_k: Some(k), ..self }
    }

    /// Leaves only the nucleus of probability `p`.
    pub fn top_p(self, p: f32) -> Self {
        Self { top_p: p, ..self }
    }

    /// Sets the penalty for tokens that are there already.
    pub fn repetition_penalty(self, penalty: f32) -> Self {
        Self { repetition_penalty: penalty, ..self }
    }

    /// Ends with this token.
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
        check_settings(self.temperature, self.top_k, self.top_p, self.repetition_penalty)?;
        check_ids(previous, logits.len())?;
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
}

// %% nbgrader={"grade": false, "grade_id": "transformers-plumbing-flops", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The operations of all matrix products behind a tracked `result`: those that made it, and those of its backward pass.
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

// %% nbgrader={"grade": false, "grade_id": "transformers-corpus", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The questions and answers of the course as ids, to train on and to judge by.
struct Corpus {
    tokenizer: BpeTokenizer,
    train: Vec<Vec<Id>>,
    validation: Vec<(Tensor, Tensor)>,
}

impl Corpus {
    const CONTEXT: usize = 32;
    const BATCH: usize = 8;
    const RATE: f32 = 0.006;

    fn new(vocab_size: usize) -> Result<Self, TokenizerError> {
        let tokenizer = BpeTokenizer::train(training_text().as_bytes(), vocab_size)?;
        let ids = |split| dialogue::pairs(split).map(|pair| tokenizer.encode(&format!("{pair}\n")));
        let (train, validation) =
            (ids(Split::Train).collect(), ids(Split::Validation).collect::<Vec<_>>());
        let validation =
            next_token_batches(&validation, Self::CONTEXT, Self::BATCH, &mut Rng::seeded(0));
        Ok(Self { tokenizer, train, validation })
    }

    fn config(&self, dim: usize, layers: usize) -> GptConfig {
        let vocab_size = self.tokenizer.vocab_size();
        GptConfig { vocab_size, context: Self::CONTEXT, dim, layers, heads: 4 }
    }

    /// A model that was trained for so many epochs along a cosine. After each, `on_epoch` gets its number and the
    /// losses of the training and the validation set, and says whether to go on.
    fn train(
        &self,
        config: GptConfig,
        epochs: usize,
        seed: u64,
        mut on_epoch: impl FnMut(usize, [f32; 2]) -> bool,
    ) -> Result<Gpt, TrainingError> {
        let rng = &mut Rng::seeded(seed);
        let schedule = CosineSchedule { max_rate: Self::RATE, min_rate: Self::RATE / 10.0, epochs };
        let model = Gpt::new(config, rng);
        let trainer = Trainer::new(model, AdamW::new(Self::RATE), CrossEntropyLoss);
        let mut trainer = trainer.with_schedule(schedule).with_clipping(1.0);
        for epoch in 1..=epochs {
            let batches = next_token_batches(&self.train, Self::CONTEXT, Self::BATCH, rng);
            let loss = trainer.train_epoch(batches)?;
            if !on_epoch(epoch, [loss, mean_loss(&*trainer.model, &self.validation)]) {
                break;
            }
        }
        Gpt::from_trainer(trainer)
    }

    /// The validation loss of a guess that knows only how frequent each token is in the training set.
    fn frequency_loss(&self) -> f32 {
        let mut counts = vec![1.0; self.tokenizer.vocab_size()];
        self.train.iter().flat_map(|ids| &ids[1..]).for_each(|&id| counts[id as usize] += 1.0);
        let all: f32 = counts.iter().sum();
        let targets = self.validation.iter().flat_map(|(_, targets)| targets.to_vec());
        let losses: Vec<f32> =
            targets.filter(|&t| t != IGNORED).map(|t| (all / counts[t as usize]).ln()).collect();
        losses.iter().sum::<f32>() / losses.len() as f32
    }

    /// The ids of a question, up to where the answer begins.
    fn prompt(&self, question: &str) -> Vec<Id> {
        self.tokenizer.encode(&format!("Q: {question}\nA:"))
    }

    /// What the model answers when it always takes the most probable token.
    fn answer(&self, model: &Gpt, question: &str) -> String {
        let sampler = Sampler::default().temperature(0.0).stop(Id::from(b'\n'));
        match generate(model, &self.prompt(question), 20, &sampler, &mut Rng::seeded(0), |_| ()) {
            Ok(ids) => ids.iter().map(|&id| self.shown(id)).collect::<String>().trim().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// A token as text.
    fn shown(&self, id: Id) -> String {
        let bytes = self.tokenizer.vocabulary().get(id as usize).map_or(&[][..], Vec::as_slice);
        String::from_utf8_lossy(bytes).into_owned()
    }
}

// %% nbgrader={"grade": false, "grade_id": "transformers-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What temperature, top-k, top-p and a penalty do to the next token.
///
/// Your functions trained a small model on the questions of the course when this figure opened, in a few seconds. Move
/// `tokens`, or press play: it answers your question. The bars are the next token's probabilities after your settings;
/// a `top k` of 0 means all. Set the temperature to 0, to 1 and to 2, then try a `top p` of 0.5 at each.
pub fn explore_sampling(figure: &mut Explorer) {
    let question = figure.text("question", "What is the opposite of heavy?");
    let sampler = Sampler {
        temperature: figure.number("temperature", 1.0, 0.0..=2.0, 0.1) as f32,
        top_k: Some(figure.number("top k", 0.0, 0.0..=40.0, 1.0) as usize).filter(|&k| k > 0),
        top_p: figure.number("top p", 1.0, 0.05..=1.0, 0.05) as f32,
        repetition_penalty: figure.number("repetition penalty", 1.0, 1.0..=3.0, 0.1) as f32,
        stop: Some(Id::from(b'\n')),
    };
    let seed = figure.number("seed", 1.0, 1.0..=99.0, 1.0) as u64;
    let shown = figure.play("tokens", 13, 2);
    static TRAINED: OnceLock<Option<(Corpus, Gpt)>> = OnceLock::new();
    let trained = TRAINED.get_or_init(|| {
        let corpus = Corpus::new(384).ok()?;
        let model = corpus.train(corpus.config(32, 1), 3, 1, |_, _| true).ok()?;
        Some((corpus, model))
    });
    let Some((corpus, model)) = trained else {
        return figure.note("The model could not be trained: see the tests of this lesson.");
    };
    let mut ids = corpus.prompt(&question);
    match generate(model, &ids, shown, &sampler, &mut Rng::seeded(seed), |_| ()) {
        // The line break ends an answer: what the figure shows is how probable it was.
        Ok(more) => ids.extend(more.into_iter().filter(|&id| sampler.stop != Some(id))),
        Err(error) => return figure.note(error.to_string()),
    }
    let logits = model.next_logits(visible(&ids, model.config.context));
    let own = with_temperature(&logits, 1.0);
    let Ok(reshaped) = sampler.probabilities(&logits, &ids) else { return };
    let pieces = ids.iter().map(|&id| corpus.shown(id).replace('\n', " "));
    figure.tokens("The text so far", pieces.collect());
    let order = &most_probable(&own)[..10];
    let name = |id: usize| format!("{:?}", corpus.shown(id as Id)); // Quoted: a space is part of a token.
    let bars = order.iter().enumerate().map(|(at, &id)| Point {
        x: at as f64,
        y: 100.0 * f64::from(reshaped[id]),
        label: Some(name(id)),
        ..Point::default()
    });
    figure.chart(Chart {
        title: "The next token, after the settings".into(),
        kind: ChartKind::Bar,
        x: Axis::linear("token", ""),
        y: Axis::linear("probability", "%"),
        series: vec![Series { name: "probability".into(), points: bars.collect() }],
        origin: Origin::Measured,
    });
    let percent = |p: f32| Value::from(100.0 * f64::from(p));
    let rows =
        order.iter().map(|&id| vec![name(id).into(), percent(own[id]), percent(reshaped[id])]);
    let columns = [("token", ""), ("the model's own", "%"), ("after the settings", "%")];
    figure.measured_table("The most probable next tokens", &columns, rows.collect());
    figure.insight(sampling_insight(&own, &reshaped));
}

// %% nbgrader={"grade": false, "grade_id": "transformers-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_gradient_flow(&mut out);
    analyze_training(&mut out);
    analyze_scaling(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "transformers-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
