//! Outputs of the attention module's cells.

use subject::{
    MultiHeadAttention, Running, apply_mask, attend_real, attention_scores, blockwise_attention,
    causal_mask, masked_softmax, merge_heads, padding_mask, plain_attention, scale_scores,
    scaled_dot_product_attention, softmax_gradient, softmax_row, split_heads,
};
use tinytorch::attention as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_plain", test_unit_plain),
    ("test_unit_scores", test_unit_scores),
    ("test_unit_scale", test_unit_scale),
    ("test_unit_mask", test_unit_mask),
    ("test_unit_softmax", test_unit_softmax),
    ("test_unit_attend", test_unit_attend),
    ("test_unit_causal", test_unit_causal),
    ("test_unit_debug", test_unit_debug),
    ("test_unit_heads", test_unit_heads),
    ("test_unit_multihead", test_unit_multihead),
    ("test_unit_online", test_unit_online),
    ("test_unit_blocks", test_unit_blocks),
];

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

/// Queries, keys and values, the values narrower.
fn inputs(rng: &mut Rng, queries: &[usize], keys: &[usize]) -> [Tensor; 3] {
    [(queries, 4), (keys, 4), (keys, 3)]
        .map(|(shape, width)| Tensor::randn(&[shape, &[width]].concat(), rng) * 2.0)
}

fn test_unit_plain(rng: &mut Rng, out: &mut Outputs) {
    let [q, k, v] = inputs(rng, &[5], &[6]);
    out.array("output", plain_attention(&q, &k, &v).array());
}

fn test_unit_scores(rng: &mut Rng, out: &mut Outputs) {
    for (queries, keys) in [(&[5][..], &[6][..]), (&[2, 3, 5], &[2, 3, 4])] {
        let [q, k, _] = inputs(rng, queries, keys);
        out.array("scores", attention_scores(&q, &k).array());
    }
}

fn test_unit_scale(rng: &mut Rng, out: &mut Outputs) {
    let width = 2 + rng.below(60);
    out.array("scores", scale_scores(&Tensor::randn(&[3, 4], rng), width).array());
}

fn test_unit_mask(rng: &mut Rng, out: &mut Outputs) {
    let seen: Vec<f32> = (0..12).map(|_| rng.below(2) as f32).collect();
    let mask = Tensor::new(&seen, &[3, 4]);
    out.array("scores", apply_mask(&Tensor::randn(&[2, 3, 4], rng), &mask).array());
}

fn test_unit_softmax(rng: &mut Rng, out: &mut Outputs) {
    let mut row: Vec<f32> = normal(rng, 6).into_iter().map(|x| x * 30.0).collect();
    row[rng.below(6)] = f32::NEG_INFINITY;
    softmax_row(&mut row);
    let mut gradient = normal(rng, 6);
    softmax_gradient(&row, &mut gradient);
    out.numbers("weights", row);
    out.numbers("gradient", gradient);
    out.array("rows", masked_softmax(&Tensor::randn(&[2, 3, 5], rng)).array());
}

fn test_unit_attend(rng: &mut Rng, out: &mut Outputs) {
    let [q, k, v] = inputs(rng, &[2, 5], &[2, 5]);
    for mask in [None, Some(causal_mask(5))] {
        let (output, weights) = scaled_dot_product_attention(&q, &k, &v, mask.as_ref());
        out.array("output", output.array());
        out.array("weights", weights.array());
    }
}

fn test_unit_causal(rng: &mut Rng, out: &mut Outputs) {
    let length = 3 + rng.below(5);
    out.array("causal", causal_mask(length).array());
    let lengths: Vec<usize> = (0..4).map(|_| 1 + rng.below(length)).collect();
    out.array("padding", padding_mask(&lengths, length).array());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let [q, k, v] = inputs(rng, &[3, 4], &[3, 4]);
    let lengths: Vec<usize> = (0..3).map(|_| 1 + rng.below(4)).collect();
    let real = padding_mask(&lengths, 4).reshape(&[3, 4]);
    out.array("output", attend_real(&q, &k, &v, &real).array());
}

fn test_unit_heads(rng: &mut Rng, out: &mut Outputs) {
    let x = Tensor::randn(&[2, 3, 12], rng);
    let heads = [2, 3, 4][rng.below(3)];
    out.array("heads", split_heads(&x, heads).array());
    out.array("merged", merge_heads(&Tensor::randn(&[2, heads, 3, 4], rng)).array());
}

fn test_unit_multihead(rng: &mut Rng, out: &mut Outputs) {
    let attention = MultiHeadAttention::new(8, 2, rng);
    let [x, memory] = [4, 5].map(|length| Tensor::randn(&[2, length, 8], rng));
    for (memory, mask) in [(&memory, None), (&x, Some(causal_mask(4)))] {
        let (output, weights) = attention.attend(&x, memory, mask.as_ref());
        out.array("output", output.array());
        out.array("weights", weights.array());
    }
}

fn test_unit_online(rng: &mut Rng, out: &mut Outputs) {
    let [q, _, v] = inputs(rng, &[4], &[4]);
    let mut running = Running::of(&q, &v);
    for keys in [3, 1, 4] {
        let scores = Tensor::randn(&[4, keys], rng) * 5.0;
        running = running.add(&scores, &Tensor::randn(&[keys, 3], rng));
        out.array("output", running.output().array());
    }
}

fn test_unit_blocks(rng: &mut Rng, out: &mut Outputs) {
    let [q, k, v] = inputs(rng, &[2, 7], &[2, 7]);
    for causal in [false, true] {
        let block = 1 + rng.below(8);
        out.array("output", blockwise_attention(&q, &k, &v, causal, block).array());
    }
}
