//! Outputs of the embeddings module's cells.

use subject::{
    Embedding, EmbeddingLayer, Positions, cosine_similarity, frequency, ids_tensor, lookup,
    one_by_one, rotate_pairs, rows_of, scatter_add_rows, sinusoidal_table, tied_logits, turns,
};
use tinytorch::embeddings as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::Id;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_rows", test_unit_rows),
    ("test_unit_lookup", test_unit_lookup),
    ("test_unit_scatter", test_unit_scatter),
    ("test_unit_forward", test_unit_forward),
    ("test_unit_cosine", test_unit_cosine),
    ("test_unit_frequency", test_unit_frequency),
    ("test_unit_sinusoidal", test_unit_sinusoidal),
    ("test_unit_positions", test_unit_positions),
    ("test_unit_turns", test_unit_turns),
    ("test_unit_rotate", test_unit_rotate),
    ("test_unit_tied", test_unit_tied),
    ("test_unit_debug", test_unit_debug),
];

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

fn ids(rng: &mut Rng, count: usize) -> Vec<Id> {
    (0..count).map(|_| rng.below(7) as Id).collect()
}

fn test_unit_rows(rng: &mut Rng, out: &mut Outputs) {
    out.counts("rows", rows_of(&ids_tensor(&ids(rng, 6), &[2, 3]), 7));
}

fn test_unit_lookup(rng: &mut Rng, out: &mut Outputs) {
    let rows: Vec<usize> = (0..5).map(|_| rng.below(7)).collect();
    out.numbers("vectors", lookup(&normal(rng, 21), 3, &rows));
}

fn test_unit_scatter(rng: &mut Rng, out: &mut Outputs) {
    let rows: Vec<usize> = (0..8).map(|_| rng.below(5)).collect();
    out.numbers("gradient", scatter_add_rows(&normal(rng, 24), &rows, 5, 3));
}

fn test_unit_forward(rng: &mut Rng, out: &mut Outputs) {
    let embedding = Embedding::new(7, 3, rng);
    out.array("vectors", embedding.forward(&ids_tensor(&ids(rng, 6), &[2, 3])).array());
}

fn test_unit_cosine(rng: &mut Rng, out: &mut Outputs) {
    for scale in [1.0, 1e-3] {
        let [a, b] = [(); 2].map(|()| normal(rng, 6));
        let b: Vec<f32> = b.into_iter().map(|x| x * scale).collect();
        out.number("similarity", cosine_similarity(&a, &b));
    }
}

fn test_unit_frequency(rng: &mut Rng, out: &mut Outputs) {
    let dim = 2 * (4 + rng.below(9));
    out.numbers("frequencies", (0..dim / 2).map(|pair| frequency(pair, dim)));
}

fn test_unit_sinusoidal(rng: &mut Rng, out: &mut Outputs) {
    let dim = 2 * (2 + rng.below(5));
    out.array("table", sinusoidal_table(3 + rng.below(8), dim).array());
}

fn test_unit_positions(rng: &mut Rng, out: &mut Outputs) {
    for positions in [Positions::Sinusoidal, Positions::Learned, Positions::None] {
        let layer = EmbeddingLayer::new(7, 4, 9, positions, rng);
        let ids = ids_tensor(&ids(rng, 6), &[2, 3]);
        let start = rng.below(6);
        out.array("vectors", layer.forward_at(&ids, start).array());
    }
}

fn test_unit_turns(rng: &mut Rng, out: &mut Outputs) {
    let start = rng.below(100);
    out.numbers("turns", turns(start, 5, 6).concat());
}

fn test_unit_rotate(rng: &mut Rng, out: &mut Outputs) {
    let turns: Vec<[f32; 2]> = (0..6)
        .map(|_| {
            let (sin, cos) = (rng.uniform() * 6.0).sin_cos();
            [cos, sin]
        })
        .collect();
    let mut numbers = normal(rng, 12);
    rotate_pairs(&mut numbers, &turns);
    out.numbers("rotated", numbers);
}

fn test_unit_tied(rng: &mut Rng, out: &mut Outputs) {
    let (hidden, weight) = (Tensor::randn(&[2, 3, 4], rng), Tensor::randn(&[7, 4], rng));
    out.array("logits", tied_logits(&hidden, &weight).array());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let layer = EmbeddingLayer::new(7, 4, 12, Positions::Sinusoidal, rng);
    let start = rng.below(6);
    for vector in one_by_one(&layer, &ids(rng, 5), start) {
        out.array("vector", vector.array());
    }
}
