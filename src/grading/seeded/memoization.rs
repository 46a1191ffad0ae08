//! Outputs of the memoization module's cells.

use subject::{
    CacheShape, CachedGpt, CachedMultiHeadAttention, KvCache, cached_mask, generate_cached,
    positions_with_cache, positions_without_cache, time_per_output_token,
};
use tinytorch::attention::MultiHeadAttention;
use tinytorch::embeddings::ids_tensor;
use tinytorch::memoization as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::Id;
use tinytorch::transformers::{Gpt, GptConfig, Sampler};

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_positions", test_unit_positions),
    ("test_unit_bytes", test_unit_bytes),
    ("test_unit_length", test_unit_length),
    ("test_unit_get", test_unit_get),
    ("test_unit_mask", test_unit_mask),
    ("test_unit_attention", test_unit_attention),
    ("test_unit_forward", test_unit_forward),
    ("test_unit_next_logits", test_unit_next_logits),
    ("test_unit_generate", test_unit_generate),
    ("test_unit_debug", test_unit_debug),
];

fn ids(rng: &mut Rng, count: usize) -> Vec<Id> {
    (0..count).map(|_| rng.below(9) as Id).collect()
}

fn gpt(rng: &mut Rng) -> Gpt {
    let config = GptConfig { vocab_size: 9, context: 8, dim: 8, layers: 2, heads: 2 };
    Gpt::new(config, rng)
}

fn test_unit_positions(rng: &mut Rng, out: &mut Outputs) {
    let (prompt, new) = (1 + rng.below(50), rng.below(50));
    out.counts("without", [positions_without_cache(prompt, new)]);
    out.counts("with", [positions_with_cache(prompt, new)]);
}

fn test_unit_bytes(rng: &mut Rng, out: &mut Outputs) {
    let [batch, context, layers, heads, head_dim] = [(); 5].map(|()| 1 + rng.below(6));
    let shape = CacheShape { batch, context, layers, heads, head_dim };
    for bits in [32, 16, 8] {
        out.counts("bytes", [shape.bytes(1 + rng.below(6), bits)]);
    }
}

fn test_unit_length(rng: &mut Rng, out: &mut Outputs) {
    let mut cache = KvCache::new(1, 8, 2, 1, 4);
    for _ in 0..6 {
        let new = 1 + rng.below(4);
        out.number("room", u8::from(cache.check_room(new).is_ok()));
        out.number("advanced", u8::from(cache.advance(new).is_ok()));
        out.counts("length", [cache.length()]);
        cache.truncate(rng.below(8));
        out.counts("truncated", [cache.length()]);
    }
}

fn test_unit_get(rng: &mut Rng, out: &mut Outputs) {
    let mut cache = KvCache::new(2, 8, 2, 2, 3);
    for new in [1 + rng.below(3), 2] {
        for layer in 0..2 {
            let [keys, values] = [(); 2].map(|()| Tensor::randn(&[2, 2, new, 3], rng));
            out.number("taken", u8::from(cache.update(layer, &keys, &values).is_ok()));
        }
        out.number("advanced", u8::from(cache.advance(new).is_ok()));
        for (keys, values) in (0..2).filter_map(|layer| cache.get(layer, cache.length()).ok()) {
            out.array("keys", keys.array());
            out.array("values", values.array());
        }
    }
}

fn test_unit_mask(rng: &mut Rng, out: &mut Outputs) {
    out.array("mask", cached_mask(rng.below(6), 1 + rng.below(5)).array());
}

fn test_unit_attention(rng: &mut Rng, out: &mut Outputs) {
    let attention = MultiHeadAttention::new(8, 2, rng);
    let layer = CachedMultiHeadAttention { attention: &attention, layer: 1 };
    let mut cache = KvCache::new(2, 8, 2, 2, 4);
    for new in [1 + rng.below(4), 1, 2] {
        let output = layer.forward(&Tensor::randn(&[2, new, 8], rng), &mut cache);
        output.iter().for_each(|it| out.array("output", it.array()));
        out.number("advanced", u8::from(cache.advance(new).is_ok()));
    }
}

fn test_unit_forward(rng: &mut Rng, out: &mut Outputs) {
    let model = gpt(rng);
    let mut cached = CachedGpt::new(&model, 2);
    for new in [1 + rng.below(3), 1, 2] {
        let logits = cached.forward(&ids_tensor(&ids(rng, 2 * new), &[2, new]));
        logits.iter().for_each(|it| out.array("logits", it.array()));
    }
}

fn test_unit_next_logits(rng: &mut Rng, out: &mut Outputs) {
    let model = gpt(rng);
    let mut cached = CachedGpt::new(&model, 1);
    let mut text = ids(rng, 4);
    for _ in 0..4 {
        out.numbers("logits", cached.next_logits(&text).unwrap_or_default());
        text.truncate(2 + rng.below(3));
        text.extend(ids(rng, 2));
    }
}

fn test_unit_generate(rng: &mut Rng, out: &mut Outputs) {
    let model = gpt(rng);
    let mut cached = CachedGpt::new(&model, 1);
    let (prompt, sampler) = (ids(rng, 3), Sampler::default());
    let mut live = vec![];
    let rng = &mut rng.fork();
    let ids = generate_cached(&mut cached, &prompt, 9, &sampler, rng, |id| live.push(id));
    out.numbers("live", live);
    out.numbers("tokens", ids.unwrap_or_default());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    for count in [0, 1, 2, 7] {
        let mut now = 0.0;
        let stamps: Vec<f64> = (0..count)
            .map(|_| {
                now += f64::from(rng.uniform());
                now
            })
            .collect();
        let time = time_per_output_token(rng.below(9), &stamps);
        out.number("time", time.unwrap_or(-1.0));
    }
}
