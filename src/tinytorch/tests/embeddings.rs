//! Embeddings and positions on random input: the lookup is the one-hot product, gradients are those that are measured, rotations
//! keep lengths and know only distances; what does not fit is an error by name.

use proptest::prelude::*;
use tinytorch::autograd::{Backward, check_gradient};
use tinytorch::embeddings::{
    Embedding, EmbeddingLayer, LearnedPositions, Positions, cosine_similarity, ids_tensor, nearest,
    one_by_one, one_hot, rotate, sinusoidal_table, tied_logits, turns,
};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::{assert_close, panic_message};
use tinytorch::training::Trainer;

proptest! {
    #[test]
    fn a_lookup_and_its_gradient_are_those_of_the_one_hot_product(
        vocab in 1..12_usize, dim in 1..6_usize, count in 0..20_usize, seed in any::<u64>(),
    ) {
        let mut rng = Rng::seeded(seed);
        let embedding = Embedding { weight: Embedding::new(vocab, dim, &mut rng).weight.tracked() };
        let rows: Vec<usize> = (0..count).map(|_| rng.below(vocab)).collect();
        let ids: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        let found = embedding.forward(&ids_tensor(&ids, &[count]));
        let product = one_hot(&rows, vocab).matmul(&embedding.weight);
        prop_assert_eq!(found.to_vec(), product.to_vec());
        let grad_output = Tensor::randn(&[count, dim], &mut rng);
        let gradient = |result: &Tensor| {
            result.backward_with(&grad_output).get(&embedding.weight).map(Tensor::to_vec).unwrap_or_default()
        };
        assert_close(&gradient(&found), &gradient(&product), 1e-4);
    }

    #[test]
    fn a_rotation_keeps_lengths_and_its_scores_know_only_the_distance(
        length in 1..6_usize, pairs in 1..6_usize, start in 0..500_usize, seed in any::<u64>(),
    ) {
        let mut rng = Rng::seeded(seed);
        let [q, k] = [(); 2].map(|()| Tensor::randn(&[2, length, 2 * pairs], &mut rng));
        let squares = |x: &Tensor| (x * x).sum_axis(-1, false).to_vec();
        assert_close(&squares(&rotate(&q, start)), &squares(&q), 1e-4);
        let scores = |start| rotate(&q, start).matmul(&rotate(&k, start).t()).to_vec();
        assert_close(&scores(start), &scores(0), 1e-3);
    }

    #[test]
    fn a_text_in_parts_has_the_vectors_of_the_whole_text(
        first in 0..5_usize, second in 0..5_usize, seed in any::<u64>(),
    ) {
        let mut rng = Rng::seeded(seed);
        let ids: Vec<u32> = (0..first + second).map(|_| rng.below(7) as u32).collect();
        for positions in [Positions::Learned, Positions::Sinusoidal, Positions::None] {
            let layer = EmbeddingLayer::new(7, 4, 10, positions, &mut rng);
            let part = |ids: &[u32], start| layer.forward_at(&ids_tensor(ids, &[ids.len()]), start).to_vec();
            let parts = [part(&ids[..first], 0), part(&ids[first..], first)].concat();
            prop_assert_eq!(&parts, &part(&ids, 0));
            let singles: Vec<f32> = one_by_one(&layer, &ids, 0).iter().flat_map(Tensor::to_vec).collect();
            prop_assert_eq!(singles, parts);
        }
    }
}

#[test]
fn every_gradient_is_the_one_that_is_measured() {
    let mut rng = Rng::seeded(3);
    let table = Tensor::randn(&[5, 4], &mut rng);
    let ids = ids_tensor(&[4, 0, 4, 2, 4, 0], &[2, 3]);
    let x = Tensor::randn(&[2, 3, 4], &mut rng);
    check_gradient(
        |t| Embedding { weight: t[0].clone() }.forward(&ids),
        std::slice::from_ref(&table),
        1e-3,
    );
    check_gradient(|t| rotate(&t[0], 9), std::slice::from_ref(&x), 1e-3);
    check_gradient(|t| tied_logits(&t[0], &t[1]), &[x, table.clone()], 1e-3);
    let both_uses = |t: &[Tensor]| {
        let vectors = Embedding { weight: t[0].clone() }.forward(&ids);
        tied_logits(&rotate(&vectors, 1), &t[0])
    };
    check_gradient(both_uses, &[table], 1e-3);
}

#[test]
fn a_sinusoidal_row_moves_to_another_position_by_one_rotation_of_its_pairs() {
    let table = sinusoidal_table(50, 8);
    // A row holds (sin, cos); as (cos, sin) a pair is a point of the circle, which `rotate` turns.
    let swapped = |row: usize| -> Vec<f32> {
        table.select(0, row).to_vec().chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect()
    };
    let moved = rotate(&Tensor::new(&swapped(10), &[1, 8]), 17);
    assert_close(&moved.to_vec(), &swapped(27), 1e-5);
    assert_eq!(turns(3, 0, 8), Vec::<[f32; 2]>::new());
}

#[test]
fn shapes_without_elements_are_no_special_case() {
    let mut rng = Rng::seeded(1);
    let embedding = Embedding::new(3, 4, &mut rng);
    assert_eq!(embedding.forward(&Tensor::zeros(&[0])).shape(), [0, 4]);
    assert_eq!(embedding.forward(&Tensor::scalar(2.0)).shape(), [4]);
    let layer = EmbeddingLayer::new(3, 4, 5, Positions::Learned, &mut rng);
    assert_eq!(layer.forward(&Tensor::zeros(&[2, 0])).shape(), [2, 0, 4]);
    assert_eq!(layer.forward_at(&Tensor::zeros(&[0]), 5).shape(), [0, 4]);
    assert_eq!(rotate(&Tensor::zeros(&[2, 0, 4]), 3).shape(), [2, 0, 4]);
    assert_eq!(rotate(&Tensor::zeros(&[2, 3, 0]), 3).shape(), [2, 3, 0]);
    assert_eq!(sinusoidal_table(0, 3).shape(), [0, 3]);
}

#[test]
fn what_does_not_fit_is_an_error_by_name() {
    let mut rng = Rng::seeded(1);
    let embedding = Embedding::new(5, 2, &mut rng);
    let layer = EmbeddingLayer::new(5, 2, 4, Positions::None, &mut rng);
    let of_id =
        |id: f32| panic_message(|| embedding.forward(&Tensor::new(&[0.0, 1.0, id], &[1, 3])));
    let said = "at [0, 2] of ids (1, 3) is not in the vocabulary of 5 tokens: ids are whole numbers from 0 to 4";
    for (id, name) in
        [(5.0, "5"), (-1.0, "-1"), (1.5, "1.5"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")]
    {
        assert_eq!(of_id(id), format!("embedding: id {name} {said}"));
    }
    let too_long = "a sequence of at most 4 tokens is possible (max_length)";
    for (ids, start, said) in [
        (Tensor::zeros(&[5]), 0, format!("ids (5) from position 0 on: {too_long}")),
        (Tensor::zeros(&[2, 2]), 3, format!("ids (2, 2) from position 3 on: {too_long}")),
        (
            Tensor::zeros(&[1]),
            usize::MAX,
            format!("ids (1) from position {} on: {too_long}", usize::MAX),
        ),
        (
            Tensor::zeros(&[]),
            0,
            "ids of shape (): a sequence (S) or a batch of them (B, S) is needed".into(),
        ),
    ] {
        assert_eq!(
            panic_message(|| layer.forward_at(&ids, start)),
            format!("embedding layer: {said}")
        );
    }
    assert_eq!(
        panic_message(|| rotate(&Tensor::zeros(&[2, 3]), 0)),
        "rotate: input (2, 3): the last axis has 3 columns, which do not form pairs"
    );
    assert_eq!(
        panic_message(|| rotate(&Tensor::zeros(&[4]), 0)),
        "rotate: input (4): (..., S, d) is needed"
    );
    assert!(panic_message(|| ids_tensor(&[7, 1 << 24], &[2])).contains("id 16777216 at index 1"));
    assert!(panic_message(|| ids_tensor(&[1, 2], &[3])).contains("holds 3 elements, got 2"));
    assert!(panic_message(|| Embedding::new(0, 4, &mut rng)).contains("0 tokens with 4 numbers"));
    assert!(panic_message(|| Embedding::new(4, 0, &mut rng)).contains("4 tokens with 0 numbers"));
}

#[test]
fn new_tables_have_the_spread_that_was_asked_for() {
    let mut rng = Rng::seeded(2);
    let spread = |weight: &Tensor| (weight * weight).mean().item().sqrt();
    // 40,000 draws: within 3 % but for one draw in ten million.
    let expect = |weight: &Tensor, wanted: f32| {
        assert!((spread(weight) / wanted - 1.0).abs() < 0.03, "{} and {wanted}", spread(weight));
    };
    expect(&Embedding::new(400, 100, &mut rng).weight, 1.0);
    expect(&Embedding::with_std(400, 100, 0.02, &mut rng).weight, 0.02);
    expect(&EmbeddingLayer::new(400, 100, 3, Positions::None, &mut rng).tokens.weight, 0.1);
    expect(&LearnedPositions::new(400, 100, &mut rng).weight, 0.1);
}

#[test]
fn an_embedding_is_a_layer_that_a_trainer_trains() {
    let mut rng = Rng::seeded(1);
    let layer = EmbeddingLayer::new(6, 4, 3, Positions::Sinusoidal, &mut rng);
    assert_eq!(Layer::name(&layer), "EmbeddingLayer((6, 4), sinusoidal positions)");
    assert_eq!(layer.parameters().len(), 1, "waves are not trained");
    assert_eq!(layer.max_length(), 3);
    assert_eq!(Layer::name(&Embedding::new(6, 4, &mut rng)), "Embedding(6 -> 4)");
    let unused = layer.tokens.weight.select(0, 5).to_vec();
    let model = Sequential::new(vec![Box::new(layer), Box::new(Linear::new(4, 6, &mut rng))]);
    let mut trainer = Trainer::new(model, Adam::new(0.05), CrossEntropyLoss);
    // One text of three tokens, each of which is a sample for the loss.
    let batch = (ids_tensor(&[0, 1, 2], &[3]), ids_tensor(&[1, 2, 0], &[3]));
    let first = trainer.train_epoch([&batch]).map_err(|error| error.message);
    let last = (0..80).map(|_| trainer.train_epoch([&batch]).map_err(|e| e.message)).last();
    let (Ok(first), Some(Ok(last))) = (first, last) else { panic!("no training") };
    assert!(last < first / 10.0, "{first} to {last}");
    let weight = trainer.model.parameters()[0];
    assert_eq!(weight.select(0, 5).to_vec(), unused, "a row that is never used never moves");
}

#[test]
fn the_nearest_rows_have_the_largest_cosine() {
    let table = Tensor::new(&[1.0, 0.0, 5.0, 1.0, -1.0, 0.0, 0.1, 0.1], &[4, 2]);
    assert_eq!(nearest(&table, 0, 9), [1, 3, 2]);
    assert!(cosine_similarity(&[1e-30, 0.0], &[1.0, 0.0]).is_finite());
}
