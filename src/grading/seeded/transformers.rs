//! Outputs of the transformers module's cells.

use subject::{
    Gpt, GptConfig, Sampler, TransformerBlock, count_parameters, examples, generate, keep_top_k,
    keep_top_p, mean_loss, normalize_row, normalize_row_gradient, penalize, perplexity, pick,
    training_flops, visible, with_temperature,
};
use tinytorch::attention::causal_mask;
use tinytorch::embeddings::ids_tensor;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::Id;
use tinytorch::transformers as subject;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_normalize_row", test_unit_normalize_row),
    ("test_unit_normalize_row_gradient", test_unit_normalize_row_gradient),
    ("test_unit_block", test_unit_block),
    ("test_unit_gpt", test_unit_gpt),
    ("test_unit_examples", test_unit_examples),
    ("test_unit_perplexity", test_unit_perplexity),
    ("test_unit_penalize", test_unit_penalize),
    ("test_unit_with_temperature", test_unit_with_temperature),
    ("test_unit_keep_top_k", test_unit_keep_top_k),
    ("test_unit_keep_top_p", test_unit_keep_top_p),
    ("test_unit_pick", test_unit_pick),
    ("test_unit_visible", test_unit_visible),
    ("test_unit_generate", test_unit_generate),
    ("test_unit_count_parameters", test_unit_count_parameters),
    ("test_unit_training_flops", test_unit_training_flops),
];

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

fn ids(rng: &mut Rng, count: usize) -> Vec<Id> {
    (0..count).map(|_| rng.below(9) as Id).collect()
}

fn probabilities(rng: &mut Rng) -> Vec<f32> {
    let numbers: Vec<f32> = (0..8).map(|_| rng.uniform()).collect();
    let sum: f32 = numbers.iter().sum();
    numbers.into_iter().map(|x| x / sum).collect()
}

/// A model and its sizes.
fn gpt(rng: &mut Rng) -> Gpt {
    let heads = 1 + rng.below(3);
    let config =
        GptConfig { vocab_size: 9, context: 6, dim: 4 * heads, layers: 1 + rng.below(2), heads };
    Gpt::new(config, rng)
}

fn test_unit_normalize_row(rng: &mut Rng, out: &mut Outputs) {
    for centred in [false, true] {
        let row: Vec<f32> = normal(rng, 6).into_iter().map(|x| 3.0 * x + 1.0).collect();
        let mut normalized = vec![9.0; 6];
        out.number("factor", normalize_row(&row, centred, 1e-3, &mut normalized));
        out.numbers("normalized", normalized);
    }
}

fn test_unit_normalize_row_gradient(rng: &mut Rng, out: &mut Outputs) {
    for centred in [false, true] {
        let [upstream, normalized, mut gradient] = [(); 3].map(|()| normal(rng, 6));
        let factor = rng.uniform();
        normalize_row_gradient(&upstream, &normalized, factor, centred, &mut gradient);
        out.numbers("gradient", gradient);
    }
}

fn test_unit_block(rng: &mut Rng, out: &mut Outputs) {
    let block = TransformerBlock::new(8, 2, rng);
    let x = Tensor::randn(&[2, 4, 8], rng) * 2.0;
    out.array("output", block.forward(&x, None).array());
    out.array("masked", block.forward(&x, Some(&causal_mask(4))).array());
}

fn test_unit_gpt(rng: &mut Rng, out: &mut Outputs) {
    let model = gpt(rng);
    out.array("logits", model.forward(&ids_tensor(&ids(rng, 10), &[2, 5])).array());
}

fn test_unit_examples(rng: &mut Rng, out: &mut Outputs) {
    for context in [3, 5] {
        for (inputs, targets) in examples(&ids(rng, 14), context) {
            out.numbers("inputs", inputs);
            out.numbers("targets", targets);
        }
    }
}

fn test_unit_perplexity(rng: &mut Rng, out: &mut Outputs) {
    out.number("perplexity", perplexity(rng.uniform() * 3.0));
    let model = gpt(rng);
    let batches: Vec<(Tensor, Tensor)> = [2, 1]
        .into_iter()
        .map(|count| {
            let targets = ids(rng, 4 * count);
            (ids_tensor(&ids(rng, 4 * count), &[count, 4]), ids_tensor(&targets, &[4 * count]))
        })
        .collect();
    out.number("loss", mean_loss(&model, &batches));
}

fn test_unit_penalize(rng: &mut Rng, out: &mut Outputs) {
    let mut logits = normal(rng, 9);
    penalize(&mut logits, &ids(rng, 5), 1.0 + rng.uniform());
    out.numbers("logits", logits);
}

fn test_unit_with_temperature(rng: &mut Rng, out: &mut Outputs) {
    for temperature in [0.0, 0.5, 2.0] {
        out.numbers("probabilities", with_temperature(&normal(rng, 6), temperature));
    }
}

fn test_unit_keep_top_k(rng: &mut Rng, out: &mut Outputs) {
    for k in [1, 3, 20] {
        let mut kept = probabilities(rng);
        keep_top_k(&mut kept, k);
        out.numbers("kept", kept);
    }
}

fn test_unit_keep_top_p(rng: &mut Rng, out: &mut Outputs) {
    for _ in 0..4 {
        let mut kept = probabilities(rng);
        keep_top_p(&mut kept, 0.1 + 0.9 * rng.uniform());
        out.numbers("kept", kept);
    }
}

fn test_unit_pick(rng: &mut Rng, out: &mut Outputs) {
    let probabilities = probabilities(rng);
    out.numbers("tokens", [(); 8].map(|()| pick(&probabilities, rng.uniform())));
}

fn test_unit_visible(rng: &mut Rng, out: &mut Outputs) {
    for count in [2, 5, 9] {
        out.numbers("visible", visible(&ids(rng, count), 5).iter().copied());
    }
}

fn test_unit_generate(rng: &mut Rng, out: &mut Outputs) {
    let model = gpt(rng);
    for sampler in [Sampler::default(), Sampler { temperature: 0.0, ..Sampler::default() }] {
        let mut live = vec![];
        let ids = generate(&model, &ids(rng, 3), 8, &sampler, &mut rng.fork(), |id| live.push(id));
        out.numbers("live", live);
        out.numbers("tokens", ids.unwrap_or_default());
    }
}

fn test_unit_count_parameters(rng: &mut Rng, out: &mut Outputs) {
    out.counts("parameters", [count_parameters(&gpt(rng).config)]);
}

fn test_unit_training_flops(rng: &mut Rng, out: &mut Outputs) {
    let config = gpt(rng).config;
    out.counts(
        "operations",
        [training_flops(&config, 1 + rng.below(4), 1 + rng.below(6)) as usize],
    );
}
