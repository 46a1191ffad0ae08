//! Module 13 against PyTorch: both norms, a whole GPT with its loss and gradients, and the distributions of sampling, recorded in
//! `fixtures/pytorch_transformers.json` by the script beside it. Weights are made on both sides by the same formula. Tolerances:
//! 1e-5 for a part, relative 1e-4 for the whole model.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod kernels;

use kernels::on_every_kernel;
use tinytorch::autograd::{Backward, Gradients, track};
use tinytorch::embeddings::ids_tensor;
use tinytorch::layers::Layer;
use tinytorch::losses::{CrossEntropyLoss, IGNORED, Loss};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::assert_close;
use tinytorch::transformers::{Gpt, GptConfig, LayerNorm, RmsNorm, Sampler};

#[derive(serde::Deserialize)]
struct Fixture {
    norms: Vec<NormCase>,
    gpt: GptCase,
    distributions: Vec<Distribution>,
}

#[derive(serde::Deserialize)]
struct NormCase {
    kind: String,
    rows: usize,
    dim: usize,
    output: Vec<f32>,
    gradients: Vec<Vec<f32>>,
}

#[derive(serde::Deserialize)]
struct GptCase {
    logits: Sampled,
    last: Vec<f32>,
    loss: f32,
    shapes: Vec<Vec<usize>>,
    gradients: Vec<Sampled>,
}

#[derive(serde::Deserialize)]
struct Sampled {
    norm: f64,
    step: usize,
    values: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Distribution {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    penalty: f32,
    previous: Vec<u32>,
    probabilities: Vec<f32>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/pytorch_transformers.json")).unwrap()
}

/// The script's `numbers`.
fn numbers(seed: usize, count: usize, scale: f64, shift: f64) -> Vec<f32> {
    let value = |i: usize| ((i * 7919 + seed * 104_729 + 12_345) % 2003) as f64 / 2003.0 - 0.5;
    (0..count).map(|i| (value(i) * scale + shift) as f32).collect()
}

#[test]
fn the_norms_and_their_gradients_are_those_of_pytorch() {
    for case in fixture().norms {
        let NormCase { rows, dim, .. } = case;
        let tensor = |seed, scale, shift, shape: &[usize]| {
            Tensor::new(&numbers(seed, shape.iter().product(), scale, shift), shape).tracked()
        };
        let x = tensor(1, 6.0, 0.5, &[rows, dim]);
        let (gamma, beta) = (tensor(2, 1.0, 1.0, &[dim]), tensor(3, 1.0, 0.0, &[dim]));
        let (y, leaves) = if case.kind == "layer_norm" {
            let norm = LayerNorm { gamma, beta, eps: 1e-5 };
            (norm.forward(&x), vec![x, norm.gamma, norm.beta])
        } else {
            let norm = RmsNorm { gamma, eps: 1e-5 };
            (norm.forward(&x), vec![x, norm.gamma])
        };
        assert_close(&y.to_vec(), &case.output, 1e-5);
        let gradients = y.backward_with(&tensor(4, 2.0, 0.0, &[rows, dim]).detach());
        for (leaf, wanted) in leaves.iter().zip(&case.gradients) {
            assert_close(&gradients.get(leaf).unwrap().to_vec(), wanted, 1e-5);
        }
    }
}

/// Numbers and norm of a tensor, relative to the norm's share of one number.
fn assert_like(name: &str, found: &Tensor, wanted: &Sampled) {
    let values = found.to_vec();
    let norm = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    assert!((norm / wanted.norm - 1.0).abs() < 1e-4, "{name}: {norm} {}", wanted.norm);
    let typical = (wanted.norm / (values.len() as f64).sqrt()) as f32;
    let taken: Vec<f32> = values.into_iter().step_by(wanted.step).collect();
    assert_eq!(taken.len(), wanted.values.len(), "{name}");
    for (got, want) in taken.iter().zip(&wanted.values) {
        let allowed = 1e-4 * want.abs().max(typical);
        assert!((got - want).abs() <= allowed, "{name}: {got}, not {want}");
    }
}

#[test]
fn a_gpt_of_two_layers_has_the_logits_the_loss_and_the_gradients_of_pytorch() {
    let wanted = fixture().gpt;
    let config = GptConfig { vocab_size: 50, context: 32, dim: 64, layers: 2, heads: 4 };
    let mut model = Gpt::new(config, &mut Rng::seeded(0));
    let parameters = model.parameters_mut();
    assert_eq!(parameters.len(), wanted.shapes.len());
    for (place, (parameter, shape)) in parameters.into_iter().zip(&wanted.shapes).enumerate() {
        assert_eq!(parameter.shape(), shape, "parameter {place}");
        // Norms are the vectors in front of the projections, in front of the MLP, and at the end.
        let in_block = (2..34).contains(&place).then(|| (place - 2) % 16);
        let is_gamma = matches!(in_block, Some(0 | 10)) || place == 34;
        let is_beta = matches!(in_block, Some(1 | 11)) || place == 35;
        let (scale, shift) = match shape.len() {
            _ if is_gamma => (0.5, 1.0),
            _ if is_beta => (0.2, 0.0),
            1 => (0.1, 0.0),
            _ => (0.3, 0.0),
        };
        let count = shape.iter().product();
        *parameter = Tensor::new(&numbers(10 + place, count, scale, shift), shape);
    }
    track(model.parameters_mut());
    let ids: Vec<u32> = (0..32).map(|i| (i * 31 + 7) % 50).collect();
    let target = |i: usize| if i.is_multiple_of(5) { IGNORED } else { ((i * 17 + 3) % 50) as f32 };
    let targets = Tensor::new(&(0..32).map(target).collect::<Vec<_>>(), &[32]);
    let logits = model.forward(&ids_tensor(&ids, &[2, 16]));
    assert_like("logits", &logits, &wanted.logits);
    let last = logits.to_vec()[31 * 50..].to_vec();
    assert_close(&last, &wanted.last, 1e-4 * last.iter().fold(0.0, |most, x| x.abs().max(most)));
    let loss = CrossEntropyLoss.forward(&logits.reshape(&[32, 50]), &targets);
    assert!((loss.item() / wanted.loss - 1.0).abs() < 1e-4, "{} {}", loss.item(), wanted.loss);
    let gradients: Gradients = loss.backward();
    for (place, (parameter, wanted)) in model.parameters().iter().zip(&wanted.gradients).enumerate()
    {
        // The bias of the keys shifts all scores of a row alike: its gradient is rounding on both sides.
        if wanted.norm > 1e-6 {
            assert_like(&format!("gradient {place}"), gradients.get(parameter).unwrap(), wanted);
        }
    }
}

#[test]
fn the_distributions_of_sampling_are_those_of_pytorch() {
    let logits = numbers(5, 20, 8.0, 0.0);
    for case in fixture().distributions {
        let mut sampler = Sampler::default()
            .temperature(case.temperature)
            .top_p(case.top_p)
            .repetition_penalty(case.penalty);
        sampler.top_k = Some(case.top_k).filter(|&k| k > 0);
        let found = sampler.probabilities(&logits, &case.previous).unwrap();
        assert_close(&found, &case.probabilities, 1e-5);
    }
}

#[test]
fn the_kernels_of_lesson_18_agree_with_pytorch_too() {
    on_every_kernel(&[
        the_norms_and_their_gradients_are_those_of_pytorch,
        a_gpt_of_two_layers_has_the_logits_the_loss_and_the_gradients_of_pytorch,
        the_distributions_of_sampling_are_those_of_pytorch,
    ]);
}
