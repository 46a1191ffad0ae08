//! Module 13 beyond its exercise: gradients of the norms, the first weights, batches with padding, checkpoints, errors.

use proptest::prelude::*;
use tinytorch::autograd::{Backward, check_gradient, track};
use tinytorch::layers::{Layer, Linear};
use tinytorch::losses::{CrossEntropyLoss, IGNORED, Loss};
use tinytorch::optimizers::AdamW;
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::panic_message;
use tinytorch::training::Trainer;
use tinytorch::transformers::{
    Gpt, GptConfig, LayerNorm, RmsNorm, Sampler, examples, generate, keep_top_k, keep_top_p,
    next_token_batches, pick, with_temperature,
};

const SMALL: GptConfig = GptConfig { vocab_size: 9, context: 6, dim: 8, layers: 2, heads: 2 };

#[test]
fn the_rule_of_both_norms_agrees_with_central_differences() {
    let rng = &mut Rng::seeded(1);
    let inputs = [&[2, 3, 5][..], &[5], &[5]].map(|shape| Tensor::randn(shape, rng));
    let layer_norm = |inputs: &[Tensor]| {
        LayerNorm { gamma: inputs[1].clone(), beta: inputs[2].clone(), eps: 1e-5 }
            .forward(&inputs[0])
    };
    check_gradient(layer_norm, &inputs, 5e-3);
    let rms_norm =
        |inputs: &[Tensor]| RmsNorm { gamma: inputs[1].clone(), eps: 1e-5 }.forward(&inputs[0]);
    check_gradient(rms_norm, &inputs[..2], 5e-3);
}

#[test]
fn a_norm_names_both_widths_when_they_differ() {
    let message = panic_message(|| LayerNorm::new(4).forward(&Tensor::zeros(&[2, 3])));
    assert_eq!(
        message,
        "layer_norm: input (2, 3) for a norm of 4 numbers: the last axis must be 4"
    );
    let message = panic_message(|| RmsNorm::new(4).forward(&Tensor::zeros(&[])));
    assert!(message.starts_with("rms_norm: input () for a norm of 4"), "{message}");
}

#[test]
fn the_first_weights_have_a_variance_of_one_by_the_width() {
    let config = GptConfig { vocab_size: 200, context: 50, dim: 64, layers: 8, heads: 4 };
    let model = Gpt::new(config, &mut Rng::seeded(3));
    let deviation = |tensor: &Tensor| {
        let squares: f32 = tensor.to_vec().iter().map(|x| x * x).sum();
        (squares / tensor.numel() as f32).sqrt()
    };
    let is = |tensor: &Tensor, wanted: f32| (deviation(tensor) / wanted - 1.0).abs() < 0.05;
    let block = &model.blocks[7];
    for weight in
        [&model.embedding.tokens.weight, &block.attention.key.weight, &block.mlp.up.weight]
    {
        assert!(is(weight, 0.125), "{}", deviation(weight));
    }
    for weight in [&block.attention.output.weight, &block.mlp.down.weight] {
        assert!(is(weight, 0.125 / 4.0), "1 / sqrt(2 x 8) of 0.125: {}", deviation(weight));
    }
    assert!(block.mlp.up.bias.as_ref().unwrap().to_vec().iter().all(|&bias| bias == 0.0));
}

#[test]
fn padding_has_no_effect_on_loss_and_gradients() {
    let mut model = Gpt::new(SMALL, &mut Rng::seeded(4));
    track(model.parameters_mut());
    let texts = [vec![1, 2, 3], vec![4, 5, 6, 7, 8]];
    let batches = |texts: &[Vec<u32>]| next_token_batches(texts, 6, 4, &mut Rng::seeded(0));
    let loss = |(ids, targets): &(Tensor, Tensor)| {
        CrossEntropyLoss.forward(&Layer::forward(&model, ids), targets)
    };
    let [both] = &batches(&texts)[..] else { panic!("one batch") };
    assert_eq!(both.0.shape(), [2, 4], "as long as the longest, not as the context");
    let alone = [&texts[..1], &texts[1..]].map(|text| loss(&batches(text)[0]));
    let wanted = (alone[0].item() * 2.0 + alone[1].item() * 4.0) / 6.0;
    assert!((loss(both).item() - wanted).abs() < 1e-5, "the mean over 6 targets");
    let gradient =
        |loss: &Tensor| loss.backward().get(&model.embedding.tokens.weight).unwrap().to_vec();
    let parts = alone.map(|loss| gradient(&loss));
    for ((both, first), second) in gradient(&loss(both)).iter().zip(&parts[0]).zip(&parts[1]) {
        assert!((both - (first * 2.0 + second * 4.0) / 6.0).abs() < 1e-5);
    }
}

#[test]
fn a_checkpoint_carries_a_gpt_and_foreign_models_are_named() {
    let trainer = |seed| {
        Trainer::new(Gpt::new(SMALL, &mut Rng::seeded(seed)), AdamW::new(0.01), CrossEntropyLoss)
    };
    let batches = next_token_batches(&[vec![1, 2, 3, 4, 5]], 6, 1, &mut Rng::seeded(0));
    let (mut first, mut second) = (trainer(1), trainer(2));
    first.train_epoch(&batches).unwrap();
    second.restore(first.checkpoint()).unwrap();
    assert_eq!(first.train_epoch(&batches).unwrap(), second.train_epoch(&batches).unwrap());
    let models = [first, second].map(|trainer| Gpt::from_trainer(trainer).unwrap());
    let [a, b] = models.map(|model| model.next_logits(&[1, 2]));
    assert_eq!(a, b);
    let linear =
        Trainer::new(Linear::new(2, 2, &mut Rng::seeded(0)), AdamW::new(0.1), CrossEntropyLoss);
    let error = Gpt::from_trainer(linear).unwrap_err();
    assert!(error.message.contains("Linear(2 -> 2)"), "{error}");
}

#[test]
fn a_sequence_that_does_not_fit_is_named_with_the_context() {
    let model = Gpt::new(SMALL, &mut Rng::seeded(1));
    for (shape, named) in [
        (&[1, 7][..], "7 tokens each, and the context of 6"),
        (&[2, 0], "0 tokens"),
        (&[3], "(B, S)"),
    ] {
        let message = panic_message(|| model.forward(&Tensor::zeros(shape)));
        let is_named = message.starts_with("gpt: ids of shape") && message.contains(named);
        assert!(is_named, "{message}");
    }
    let rng = &mut Rng::seeded(1);
    let greedy = Sampler::default().temperature(0.0);
    let long = generate(&model, &[1; 20], 3, &greedy, rng, |_| ()).unwrap();
    assert_eq!(long.len(), 3, "a prompt that is longer than the context is seen from its end");
    for (prompt, sampler, named) in [
        (&[][..], greedy.clone(), "prompt is empty"),
        (&[9], greedy.clone(), "id 9 at index 0"),
        (&[1], Sampler::default().temperature(f32::NAN), "temperature of NaN"),
    ] {
        let error = generate(&model, prompt, 1, &sampler, rng, |_| ()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    let error = greedy.probabilities(&[0.0, f32::NAN], &[]).unwrap_err();
    assert!(error.to_string().contains("token 1 is NaN"), "{error}");
    let tiny = Sampler::default().repetition_penalty(f32::MIN_POSITIVE);
    let error = tiny.probabilities(&[10.0, 1.0], &[0]).unwrap_err();
    assert!(error.to_string().contains("token 0 is inf"), "{error}");
}

proptest! {
    #[test]
    fn what_sampling_leaves_is_a_distribution_of_the_most_probable_tokens(
        logits in prop::collection::vec(-20.0_f32..20.0, 1..30),
        temperature in 0.0_f32..3.0,
        k in 1_usize..40,
        p in 0.01_f32..1.0,
        point in 0.0_f32..1.0,
    ) {
        let own = with_temperature(&logits, temperature);
        let mut left = own.clone();
        keep_top_k(&mut left, k);
        prop_assert!((1..=k).contains(&left.iter().filter(|&&p| p > 0.0).count()));
        let before = left.clone();
        keep_top_p(&mut left, p);
        let kept: f32 = (0..left.len()).filter(|&id| left[id] > 0.0).map(|id| before[id]).sum();
        prop_assert!(kept >= p - 1e-4, "{kept} of {p}");
        prop_assert!((left.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        let least = (0..left.len()).filter(|&id| left[id] > 0.0).map(|id| own[id]).fold(1.0, f32::min);
        let removed = (0..left.len()).filter(|&id| left[id] == 0.0).map(|id| own[id]);
        prop_assert!(removed.fold(0.0, f32::max) <= least);
        prop_assert!(left[pick(&left, point) as usize] > 0.0);
    }

    #[test]
    fn each_id_but_the_first_is_a_target_once(
        ids in prop::collection::vec(0_u32..50, 0..40),
        context in 1_usize..9,
    ) {
        let all = examples(&ids, context);
        prop_assert!(all.iter().all(|(inputs, targets)| (inputs.len(), targets.len()) == (context, context)));
        let pairs: Vec<(u32, f32)> = all
            .into_iter()
            .flat_map(|(inputs, targets)| inputs.into_iter().zip(targets))
            .filter(|(_, target)| *target != IGNORED)
            .collect();
        let wanted: Vec<(u32, f32)> = ids.windows(2).map(|pair| (pair[0], pair[1] as f32)).collect();
        prop_assert_eq!(pairs, wanted);
    }
}
