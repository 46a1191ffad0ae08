//! Module 17 beyond its exercise: files that come back or are refused by name, masks that survive a checkpoint, what a
//! sparse layer and structured pruning refuse.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

use proptest::prelude::*;
use tinytorch::bytes::Fault;
use tinytorch::compression::{
    MagnitudePruner, SparseLinear, decode_gaps, decode_model, encode_gaps, encode_model,
    measure_sparsity, structured_prune,
};
use tinytorch::flate2::Compression;
use tinytorch::layers::{Layer, Linear, Sequential, multilayer_perceptron};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::packed::{self, PACKED, Packed};
use tinytorch::random::Rng;
use tinytorch::spatial::{BatchNorm2d, cnn_for_digits};
use tinytorch::tensor::Tensor;
use tinytorch::testing::panic_message;
use tinytorch::training::{ErrorKind, Trainer, TrainingError};

fn network(seed: u64) -> Sequential {
    multilayer_perceptron(&[6, 5, 3], &mut Rng::seeded(seed))
}

fn values(model: &dyn Layer) -> Vec<f32> {
    model.parameters().into_iter().flat_map(Tensor::to_vec).collect()
}

/// Why a model of these parameters does not read the bytes; it must not change.
fn refused(bytes: &[u8], model: &mut dyn Layer) -> TrainingError {
    let before = values(model);
    let error = decode_model("small.bin", bytes, model).unwrap_err();
    assert_eq!(values(model), before, "a refused file changes nothing");
    assert!(error.message.contains("'small.bin'"), "{}", error.message);
    error
}

proptest! {
    #[test]
    fn gaps_come_back(numbers in prop::collection::vec(prop_oneof![9 => Just(0_i8), 1 => any::<i8>()], 0..3000)) {
        let (gaps, kept) = encode_gaps(&numbers);
        prop_assert!(kept.iter().all(|number| *number != 0));
        prop_assert_eq!(decode_gaps(&gaps, &kept, numbers.len()), Some(numbers));
    }

    #[test]
    fn any_gaps_give_as_many_numbers_as_asked_for_or_none(
        gaps in prop::collection::vec(any::<u8>(), 0..40),
        kept in prop::collection::vec(any::<i8>(), 0..40),
        count in 0_usize..3000,
    ) {
        let numbers = decode_gaps(&gaps, &kept, count);
        prop_assert!(numbers.is_none_or(|numbers| numbers.len() == count));
    }

    #[test]
    fn a_file_comes_back_within_half_a_step_and_zeros_stay(seed in any::<u64>(), sparsity in 0.0_f32..=1.0) {
        let (mut model, mut other) = (network(seed), network(seed ^ 1));
        MagnitudePruner::new(sparsity).prune(&mut model);
        decode_model("small.bin", &encode_model(&model).unwrap(), &mut other).unwrap();
        for (was, is) in model.parameters().into_iter().zip(other.parameters()) {
            let largest = was.data().iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
            for (was, is) in was.data().iter().zip(&*is.data()) {
                prop_assert!((was - is).abs() <= largest / 254.0 * 1.001 + 1e-7);
                prop_assert!(*was != 0.0 || *is == 0.0);
            }
        }
    }

    #[test]
    fn a_changed_or_shortened_file_is_refused(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let bytes = encode_model(&network(1)).unwrap();
        let at = at.index(bytes.len());
        let mut changed = bytes.clone();
        changed[at] ^= 1 << bit;
        refused(&changed, &mut network(2));
        let kind = refused(&bytes[..at], &mut network(2)).kind;
        prop_assert_eq!(kind, ErrorKind::Unreadable(Fault::Truncated));
    }
}

#[test]
fn each_file_that_does_not_fit_has_a_name() {
    let bytes = encode_model(&network(1)).unwrap();
    let foreign = refused(b"\x89PNG\r\n\x1a\n, and more", &mut network(2));
    assert_eq!(foreign.kind, ErrorKind::Unreadable(Fault::Foreign));
    assert!(foreign.message.contains("is not a compressed model"), "{}", foreign.message);
    let other = refused(&bytes, &mut multilayer_perceptron(&[6, 4, 3], &mut Rng::seeded(1)));
    assert_eq!(other.kind, ErrorKind::OtherModel);
    assert!(other.message.contains("(6, 5), (5), (5, 3), (3)"), "{}", other.message);
    // Sealed correctly, but what it holds is wrong.
    let part = |values: Vec<i8>| Packed { shape: vec![2, 2], scale: 1.0, gaps: vec![0, 9], values };
    let mut layer = Linear::without_bias(2, 2, &mut Rng::seeded(1));
    for kept in [vec![1], vec![1, 2], vec![1, 2, 3]] {
        let wrong = refused(&packed::write(&[part(kept)], Compression::fast()), &mut layer);
        assert_eq!(wrong.kind, ErrorKind::Unreadable(Fault::Damaged), "{}", wrong.message);
    }
    let no_deflate = PACKED.write(&(vec![7_u8; 9], (vec![7_u8; 9], vec![7_u8; 9])));
    assert_eq!(refused(&no_deflate, &mut layer).kind, ErrorKind::Unreadable(Fault::Damaged));
    // A small file that would fill the memory.
    let stream = packed::deflated(&vec![0; 10_000_000], Compression::best());
    let bomb = PACKED.write(&(stream, (Vec::<u8>::new(), Vec::<u8>::new())));
    assert!(refused(&bomb, &mut layer).message.contains("unpacks to more than"));
}

#[test]
fn a_model_that_a_file_cannot_hold_is_refused() {
    let error = encode_model(&BatchNorm2d::new(3)).unwrap_err();
    assert!(error.message.contains("running means"), "{}", error.message);
    let mut layer = Linear::new(2, 2, &mut Rng::seeded(1));
    layer.weight = Tensor::new(&[1.0, f32::NAN, 1.0, 1.0], &[2, 2]);
    assert_eq!(encode_model(&layer).unwrap_err().kind, ErrorKind::NotFinite);
}

#[test]
fn masks_and_steps_survive_a_checkpoint() {
    let batch = || {
        let mut rng = Rng::seeded(5);
        (Tensor::randn(&[12, 6], &mut rng), Tensor::new(&[0.0, 1.0, 2.0].repeat(4), &[12]))
    };
    let fresh = |seed| {
        let optimizer = MagnitudePruner::new(0.6).while_training(Adam::new(0.01), 4);
        Trainer::new(network(seed), optimizer, CrossEntropyLoss)
    };
    let (mut straight, mut stopped, mut resumed) = (fresh(1), fresh(1), fresh(2));
    for _ in 0..9 {
        straight.train_epoch([batch()]).unwrap();
    }
    for _ in 0..6 {
        stopped.train_epoch([batch()]).unwrap();
    }
    let bytes = stopped.checkpoint().to_bytes();
    let saved = tinytorch::training::Checkpoint::from_bytes("a checkpoint", &bytes).unwrap();
    resumed.restore(saved).unwrap();
    for _ in 0..3 {
        resumed.train_epoch([batch()]).unwrap();
    }
    assert_eq!(resumed.values(), straight.values());
    assert!((measure_sparsity(&*resumed.model) - 0.6).abs() < 0.02);
    let mut plain = Trainer::new(network(1), Adam::new(0.01), CrossEntropyLoss);
    plain.train_epoch([batch()]).unwrap();
    assert!(fresh(1).restore(plain.checkpoint()).is_err(), "the state of a plain optimizer");
}

#[test]
fn a_sparse_layer_is_for_inference_and_names_what_does_not_fit() {
    let sparse = SparseLinear::from_linear(&Linear::new(4, 3, &mut Rng::seeded(1)));
    let message = panic_message(|| sparse.forward(&Tensor::zeros(&[2, 3])));
    assert!(message.contains("got shape (2, 3), expected (.., 4)"), "{message}");
    let message = panic_message(|| sparse.forward(&Tensor::zeros(&[2, 4]).tracked()));
    assert!(message.contains("for inference"), "{message}");
    assert_eq!(sparse.forward(&Tensor::zeros(&[2, 5, 4])).shape(), &[2, 5, 3]);
}

#[test]
fn structured_pruning_keeps_the_outputs_and_refuses_layers_that_it_does_not_know() {
    for sparsity in [0.0, 0.3, 0.9, 1.0] {
        let mut network = cnn_for_digits(&mut Rng::seeded(1));
        structured_prune(&mut network, sparsity);
        assert_eq!(network.forward(&Tensor::ones(&[2, 1, 8, 8])).shape(), &[2, 10], "{sparsity}");
    }
    let mut network = Sequential::new(vec![Box::new(BatchNorm2d::new(2))]);
    let message = panic_message(|| structured_prune(&mut network, 0.5));
    assert!(message.contains("neither Linear nor Conv2d"), "{message}");
    assert!(panic_message(|| MagnitudePruner::new(90.0)).contains("90 is no fraction"));
}
