//! Module 15 beyond its exercise: any model, any pieces, any prompt; errors that name what does not fit; what a failure
//! leaves behind.

use proptest::prelude::*;
use tinytorch::attention::MultiHeadAttention;
use tinytorch::embeddings::ids_tensor;
use tinytorch::memoization::{
    CacheError, CachedGpt, CachedMultiHeadAttention, KvCache, disable_kv_cache, enable_kv_cache,
    generate_cached,
};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::Id;
use tinytorch::transformers::{Gpt, GptConfig, Sampler, generate, visible};

const VOCABULARY: usize = 7;

fn model(context: usize, layers: usize, heads: usize, seed: u64) -> Gpt {
    let config = GptConfig { vocab_size: VOCABULARY, context, dim: 4 * heads, layers, heads };
    let mut model = Gpt::new(config, &mut Rng::seeded(seed));
    for table in tinytorch::layers::Layer::parameters_mut(&mut model) {
        *table = &*table * 2.0; // So that the distributions differ clearly.
    }
    model
}

fn texts(lengths: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Id>> {
    prop::collection::vec(0..VOCABULARY as Id, lengths)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tokens_are_those_without_a_cache_for_any_model_and_any_prompts_one_after_the_other(
        (context, layers, heads, seed) in (1_usize..9, 0_usize..4, 1_usize..4, 0_u64..1000),
        prompts in prop::collection::vec(texts(1..12), 1..4),
        (new, temperature) in (0_usize..15, prop::sample::select(vec![0.0_f32, 0.7, 1.5])),
    ) {
        let model = model(context, layers.max(1), heads, seed);
        let mut cached = enable_kv_cache(&model);
        let sampler = Sampler::default().temperature(temperature).repetition_penalty(1.2);
        for prompt in &prompts {
            let yours = generate_cached(&mut cached, prompt, new, &sampler, &mut Rng::seeded(seed), |_| ());
            let wanted = generate(&model, prompt, new, &sampler, &mut Rng::seeded(seed), |_| ());
            prop_assert_eq!(yours, wanted);
        }
    }

    #[test]
    fn the_logits_are_those_without_a_cache_for_any_pieces_of_any_batch(
        (batch, layers, heads, seed) in (1_usize..4, 1_usize..4, 1_usize..4, 0_u64..1000),
        pieces in prop::collection::vec(1_usize..5, 1..5),
    ) {
        let length: usize = pieces.iter().sum();
        let model = model(length, layers, heads, seed);
        let rng = &mut Rng::seeded(seed);
        let ids: Vec<Id> = (0..batch * length).map(|_| rng.below(VOCABULARY) as Id).collect();
        let ids = ids_tensor(&ids, &[batch, length]);
        let mut cached = CachedGpt::new(&model, batch);
        let mut end = 0;
        for new in pieces {
            let logits = cached.forward(&ids.slice(&[0..batch, end..end + new])).unwrap();
            end += new;
            let whole = model.forward(&ids.slice(&[0..batch, 0..end])).select(1, end - 1);
            for (a, b) in logits.to_vec().iter().zip(whole.to_vec()) {
                prop_assert!((a - b).abs() < 1e-4, "{} and {} behind {} positions", a, b, end);
            }
        }
    }

    #[test]
    fn only_what_the_text_does_not_share_with_the_one_before_passes(
        texts in prop::collection::vec(texts(1..8), 1..12),
    ) {
        let model = model(5, 2, 1, 3);
        let mut cached = enable_kv_cache(&model);
        let mut before: Vec<Id> = vec![];
        for text in texts {
            let passed = cached.positions_passed();
            let logits = cached.next_logits(&text).unwrap();
            let window = visible(&text, 5);
            let shared = window.iter().zip(&before).take_while(|(a, b)| a == b).count();
            let new = window.len() - shared.min(window.len() - 1);
            prop_assert_eq!(cached.positions_passed() - passed, new);
            prop_assert_eq!(cached.cache().length(), window.len());
            for (a, b) in logits.iter().zip(model.next_logits(window)) {
                prop_assert!((a - b).abs() < 1e-4);
            }
            before = window.to_vec();
        }
    }
}

#[test]
fn what_does_not_fit_is_named_with_a_fix() {
    let mut cache = KvCache::new(2, 4, 3, 2, 5);
    let good = Tensor::ones(&[2, 2, 1, 5]);
    cache.advance(3).unwrap();
    let message = |error: Result<(), CacheError>| error.unwrap_err().to_string();
    assert_eq!(
        message(cache.update(3, &good, &good)),
        "the cache has 3 layers, counted from 0, and none with the number 3"
    );
    let long = Tensor::ones(&[2, 2, 2, 5]);
    assert_eq!(
        message(cache.update(0, &long, &long)),
        "the cache has room for 4 positions, 3 are filled, and 2 more do not fit: reset it, cut the text, or build the \
         model with a larger context"
    );
    for shape in [&[1, 2, 1, 5][..], &[2, 1, 1, 5], &[2, 2, 1, 4], &[2, 2, 0, 5], &[2, 5], &[]] {
        let odd = Tensor::ones(shape);
        for (keys, values) in [(&odd, &odd), (&good, &odd), (&odd, &good)] {
            let message = message(cache.update(0, keys, values));
            assert!(
                message.contains("the cache needs keys and values (2, 2, S > 0, 5)"),
                "{message}"
            );
        }
    }
    assert!(matches!(cache.get(3, 1), Err(CacheError::UnknownLayer { layer: 3, layers: 3 })));
    assert!(matches!(cache.get(0, 5), Err(CacheError::Full { length: 3, new: 2, context: 4 })));
    assert_eq!(cache.length(), 3, "an error changes nothing");
}

#[test]
fn after_a_failure_the_cache_is_as_useful_as_before() {
    let model = model(4, 2, 2, 1);
    let mut cached = enable_kv_cache(&model);
    cached.next_logits(&[1, 2]).unwrap();
    let long = ids_tensor(&[1, 2, 3], &[1, 3]);
    assert!(matches!(
        cached.forward(&long),
        Err(CacheError::Full { length: 2, new: 3, context: 4 })
    ));
    assert!(cached.next_logits(&[]).is_err(), "no id, no logits");
    let passed = cached.positions_passed();
    let logits = cached.next_logits(&[1, 2, 3]).unwrap();
    let wanted = model.next_logits(&[1, 2, 3]);
    assert!(logits.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-4));
    assert!(cached.positions_passed() - passed <= 3);
}

#[test]
fn pieces_that_pass_by_hand_and_a_text_that_follows_do_not_mix() {
    let model = model(6, 2, 2, 2);
    let mut cached = enable_kv_cache(&model);
    cached.next_logits(&[1, 2, 3]).unwrap();
    cached.forward(&ids_tensor(&[6, 6], &[1, 2])).unwrap();
    let logits = cached.next_logits(&[1, 2, 3, 4]).unwrap();
    let wanted = model.next_logits(&[1, 2, 3, 4]);
    assert!(logits.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn a_prompt_of_a_user_is_refused_and_never_a_panic() {
    let model = model(4, 1, 1, 1);
    let mut cached = enable_kv_cache(&model);
    let mut ask = |prompt: &[Id], sampler: &Sampler| {
        let refused = generate_cached(&mut cached, prompt, 2, sampler, &mut Rng::seeded(0), |_| ());
        refused.unwrap_err().to_string()
    };
    let sampler = Sampler::default();
    assert!(ask(&[], &sampler).contains("prompt is empty"));
    assert!(ask(&[1, 7], &sampler).contains("id 7 at index 1"));
    assert!(ask(&[1], &sampler.temperature(-1.0)).contains("temperature of -1"));
}

#[test]
fn nothing_moves_and_nothing_more_is_kept_while_a_text_grows() {
    let model = model(64, 3, 2, 4);
    let mut cached = enable_kv_cache(&model);
    let place = |cached: &CachedGpt| {
        (0..3).map(|layer| cached.cache().stored(layer)[0].as_ptr()).collect::<Vec<_>>()
    };
    let (before, reserved) = (place(&cached), cached.cache().reserved_bytes());
    let greedy = Sampler::default().temperature(0.0);
    generate_cached(&mut cached, &[1, 2], 60, &greedy, &mut Rng::seeded(0), |_| ()).unwrap();
    assert_eq!(place(&cached), before);
    assert_eq!(cached.cache().used_bytes() * 64, reserved * 61, "the last token has not passed");
    assert_eq!(reserved, 2 * 3 * 2 * 4 * 64 * 4);
    assert!(std::ptr::eq(disable_kv_cache(cached), &model), "the same model, not a copy");
}

#[test]
fn an_attention_uses_the_layer_that_is_its_own() {
    let rng = &mut Rng::seeded(5);
    let attention = MultiHeadAttention::new(4, 1, rng);
    let mut cache = KvCache::new(1, 2, 3, 1, 4);
    let layer = CachedMultiHeadAttention { attention: &attention, layer: 2 };
    layer.forward(&Tensor::randn(&[1, 1, 4], rng), &mut cache).unwrap();
    let is_empty = |layer| cache.stored(layer).iter().all(|store| store.iter().all(|&x| x == 0.0));
    assert_eq!([0, 1, 2].map(is_empty), [true, true, false]);
    let beyond = CachedMultiHeadAttention { attention: &attention, layer: 3 };
    let error = beyond.forward(&Tensor::ones(&[1, 1, 4]), &mut cache).unwrap_err();
    assert_eq!(error, CacheError::UnknownLayer { layer: 3, layers: 3 });
}
