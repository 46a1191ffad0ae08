//! Module 12 beyond what a learner's solution is graded by: its errors, its layer, random shapes, and the support files that
//! draw dictionaries and write four heads by hand.

use proptest::prelude::*;
use tinytorch::attention::{
    MultiHeadAttention, blockwise_attention, causal_mask, merge_heads, padding_mask,
    plain_attention, scaled_dot_product_attention, split_heads,
};
use tinytorch::autograd::{check_gradient, no_grad};
use tinytorch::data::dictionaries::{Dictionaries, SYMBOLS};
use tinytorch::data::heads;
use tinytorch::layers::Layer;
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::{assert_close, panic_message};

#[test]
fn sizes_that_do_not_fit_are_named() {
    let ones = |shape: &[usize]| Tensor::ones(shape);
    let attend = |q: &[usize], k: &[usize], v: &[usize]| {
        panic_message(|| scaled_dot_product_attention(&ones(q), &ones(k), &ones(v), None))
    };
    assert!(attend(&[2, 3], &[4, 5], &[4, 5]).contains("queries have 3 dimensions, and keys 5"));
    assert!(attend(&[2, 3], &[4, 3], &[5, 3]).contains("there are 4 keys, and 5 values"));
    assert!(attend(&[3], &[4, 3], &[4, 3]).contains("shape (3): at least 2 axes"));
    for heads in [0, 3] {
        let message = panic_message(|| MultiHeadAttention::new(10, heads, &mut Rng::seeded(1)));
        let wanted =
            format!("MultiHeadAttention: 10 dimensions cannot be divided among {heads} heads");
        assert_eq!(message, wanted);
    }
    let merged = panic_message(|| merge_heads(&ones(&[2, 3, 4])));
    assert_eq!(merged, "merge_heads: shape (2, 3, 4): (B, heads, S, d) is needed");
    let x = ones(&[1, 4, 2]);
    let blocks = panic_message(|| blockwise_attention(&x, &x, &x, false, 0));
    assert!(blocks.contains("a block needs at least 1 position"), "{blocks}");
}

#[test]
fn the_layer_is_self_attention_without_a_mask() {
    let rng = &mut Rng::seeded(1);
    let mut attention = MultiHeadAttention::new(8, 4, rng);
    let x = Tensor::randn(&[2, 3, 8], rng);
    assert_eq!(Layer::name(&attention), "MultiHeadAttention(8, 4 heads)");
    let alone = Layer::forward(&attention, &x).to_vec();
    assert_eq!(alone, attention.forward(&x, None).to_vec());
    assert_eq!(attention.cross(&x, &x, None).to_vec(), alone);
    let shapes: Vec<Vec<usize>> =
        attention.parameters_mut().iter().map(|p| p.shape().to_vec()).collect();
    assert_eq!(shapes, vec![[vec![8, 8], vec![8]]; 4].concat());
}

#[test]
fn nothing_to_look_at_gives_zeros() {
    let (q, none) = (Tensor::ones(&[3, 2]), Tensor::zeros(&[0, 2]));
    let (output, weights) = scaled_dot_product_attention(&q, &none, &none, None);
    assert_eq!((output.to_vec(), weights.shape()), (vec![0.0; 6], &[3, 0][..]));
    assert_eq!(blockwise_attention(&q, &none, &none, true, 2).to_vec(), vec![0.0; 6]);
    let empty = Tensor::zeros(&[2, 0, 4]);
    let attention = MultiHeadAttention::new(4, 2, &mut Rng::seeded(1));
    assert_eq!(attention.forward(&empty, None).shape(), &[2, 0, 4]);
}

#[test]
fn every_parameter_of_the_heads_has_the_gradient_that_is_measured() {
    let rng = &mut Rng::seeded(2);
    let attention = MultiHeadAttention::new(4, 2, rng);
    let mask = causal_mask(3).mul(&padding_mask(&[2, 3], 3));
    let parameters: Vec<Tensor> = attention.parameters().into_iter().cloned().collect();
    let inputs = [vec![Tensor::randn(&[2, 3, 4], rng)], parameters].concat();
    let forward = |inputs: &[Tensor]| {
        let mut moved = attention.clone();
        for (parameter, input) in moved.parameters_mut().into_iter().zip(&inputs[1..]) {
            *parameter = input.clone();
        }
        moved.forward(&inputs[0], Some(&mask))
    };
    check_gradient(forward, &inputs, 1e-3);
}

#[test]
fn blocks_are_for_inference_and_no_grad_allows_them() {
    let x = Tensor::ones(&[4, 2]).tracked();
    let message = panic_message(|| blockwise_attention(&x, &x, &x, false, 2));
    assert!(message.contains("call it in no_grad, or detach()"), "{message}");
    assert!(!no_grad(|| blockwise_attention(&x, &x, &x, false, 2)).is_tracked());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn heads_are_split_and_merged_without_loss(batch in 0_usize..4, length in 0_usize..6, heads in 1_usize..5, d in 1_usize..4) {
        let x = Tensor::randn(&[batch, length, heads * d], &mut Rng::seeded(3));
        let split = split_heads(&x, heads);
        prop_assert_eq!(split.shape(), &[batch, heads, length, d]);
        let merged = merge_heads(&split);
        prop_assert_eq!((merged.shape(), merged.to_vec()), (x.shape(), x.to_vec()));
    }

    #[test]
    fn loops_tensors_and_blocks_agree(
        queries in 1_usize..9, keys in 1_usize..9, d in 1_usize..6, width in 1_usize..5, block in 1_usize..10,
        scale in 0.1_f32..20.0, seed in 0_u64..1000,
    ) {
        let rng = &mut Rng::seeded(seed);
        let q = Tensor::randn(&[queries, d], rng) * scale;
        let (k, v) = (Tensor::randn(&[keys, d], rng), Tensor::randn(&[keys, width], rng));
        let wanted = plain_attention(&q, &k, &v).to_vec();
        let (output, weights) = scaled_dot_product_attention(&q, &k, &v, None);
        assert_close(&output.to_vec(), &wanted, 1e-5);
        assert_close(&weights.sum_axis(-1, false).to_vec(), &vec![1.0; queries], 1e-5);
        assert_close(&blockwise_attention(&q, &k, &v, false, block).to_vec(), &wanted, 1e-5);
        if queries == keys {
            let causal = scaled_dot_product_attention(&q, &k, &v, Some(&causal_mask(keys))).0.to_vec();
            assert_close(&blockwise_attention(&q, &k, &v, true, block).to_vec(), &causal, 1e-5);
        }
    }

    #[test]
    fn what_is_hidden_has_no_influence(mask in prop::collection::vec(0_u8..2, 20), seed in 0_u64..1000) {
        let rng = &mut Rng::seeded(seed);
        let [q, k, v] = [[4, 3], [5, 3], [5, 2]].map(|shape| Tensor::randn(&shape, rng));
        let mask = Tensor::new(&mask.into_iter().map(f32::from).collect::<Vec<_>>(), &[4, 5]);
        let (output, weights) = scaled_dot_product_attention(&q, &k, &v, Some(&mask));
        let sums = weights.sum_axis(-1, false).to_vec();
        for (row, sum) in sums.into_iter().enumerate() {
            let seen: Vec<usize> = (0..5).filter(|&key| mask.select(0, row).to_vec()[key] == 1.0).collect();
            let own = output.select(0, row).to_vec();
            if seen.is_empty() {
                prop_assert_eq!((sum, own), (0.0, vec![0.0; 2]));
                continue;
            }
            let [k, v] = [&k, &v].map(|x| x.index_select(0, &seen));
            assert_close(&own, &plain_attention(&q.slice(&[row..row + 1]), &k, &v).to_vec(), 1e-5);
        }
    }
}

#[test]
fn a_question_names_the_pair_that_answers_it() {
    let drawn = Dictionaries::draw(20, 5, &mut Rng::seeded(4));
    let row = |rows: &[f32], at: usize| rows[at * 2 * SYMBOLS..][..2 * SYMBOLS].to_vec();
    for (question, (&place, &answer)) in drawn.places.iter().zip(&drawn.answers).enumerate() {
        let (pair, asked) =
            (row(&drawn.pairs, question / 5 * 5 + place), row(&drawn.questions, question));
        assert_eq!(pair[..SYMBOLS], asked[..SYMBOLS], "the same key");
        assert_eq!(pair[SYMBOLS + answer as usize], 1.0, "the value is the answer");
        assert_eq!((pair.iter().sum::<f32>(), asked.iter().sum::<f32>()), (2.0, 1.0));
        let name = &drawn.names[question / 5 * 5 + place];
        assert!(name.ends_with(&format!("={answer}")), "{name}");
    }
    let asked = |at: usize| row(&drawn.questions, at).iter().position(|&x| x == 1.0);
    assert!((1..5).all(|at| asked(at - 1) < asked(at)), "questions are in ascending order");
    assert!(panic_message(|| Dictionaries::draw(1, 17, &mut Rng::seeded(1))).contains("17 pairs"));
}

#[test]
fn each_head_that_was_written_by_hand_finds_what_it_is_named_after() {
    let words = ["the", "cat", "saw", "The", "elephant"];
    let square = |numbers: &[f32]| Tensor::new(numbers, &[heads::WIDTH; 2]);
    let x = Tensor::new(&heads::features(&words), &[1, words.len(), heads::WIDTH]);
    let (weight, bias) = heads::query_weight(20.0);
    let q = x.matmul(&square(&weight)) + Tensor::new(&bias, &[heads::WIDTH]);
    let k = x.matmul(&square(&heads::key_weight()));
    let [q, k] = [q, k].map(|x| split_heads(&x, heads::HEADS.len()));
    let weights = scaled_dot_product_attention(&q, &k, &k, None).1.select(0, 0);
    let row = |head: usize, word: usize| weights.select(0, head).select(0, word).to_vec();
    for word in 1..words.len() {
        assert!(row(0, word)[word - 1] > 0.8, "previous word: {:?}", row(0, word));
        assert!(row(3, word)[0] > 0.9, "first word: {:?}", row(3, word));
    }
    let same = row(1, 0);
    assert!(same[0] + same[3] > 0.8, "both words the: {same:?}");
    let length = row(2, 4);
    assert!(length[4] > 0.5, "the only long word: {length:?}");
}
