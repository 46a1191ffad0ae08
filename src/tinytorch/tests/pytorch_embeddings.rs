//! Lookups, tied tables and positions against PyTorch: outputs and gradients recorded in `fixtures/pytorch_embeddings.json` by
//! the script beside it. Each number is within 1e-5 of the recorded one, relative to it or to 1, whichever is larger.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

use tinytorch::autograd::Backward;
use tinytorch::embeddings::{Embedding, ids_tensor, rotate, sinusoidal_table, tied_logits};
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::Id;

#[derive(serde::Deserialize)]
struct Fixture {
    lookups: Vec<Case>,
    tied: Vec<Case>,
    sinusoidal: Vec<Waves>,
    rotary: Vec<Rotation>,
}

#[derive(serde::Deserialize)]
struct Case {
    shape: Vec<usize>,
    table: [usize; 2],
    ids: Vec<Id>,
    weight: Vec<f32>,
    grad_output: Vec<f32>,
    output: Vec<f32>,
    gradient: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Waves {
    length: usize,
    dim: usize,
    table: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Rotation {
    shape: Vec<usize>,
    start: usize,
    x: Vec<f32>,
    grad_output: Vec<f32>,
    output: Vec<f32>,
    gradient: Vec<f32>,
}

fn recorded() -> Fixture {
    serde_json::from_str(include_str!("fixtures/pytorch_embeddings.json")).unwrap()
}

#[track_caller]
fn expect_recorded(what: &str, yours: &[f32], recorded: &[f32]) {
    assert_eq!(yours.len(), recorded.len(), "{what}");
    for (index, (a, b)) in yours.iter().zip(recorded).enumerate() {
        let close = (a - b).abs() <= 1e-5 * b.abs().max(1.0);
        assert!(close, "{what}: number {index} is {a}, PyTorch recorded {b}");
    }
}

impl Case {
    fn embedding(&self) -> Embedding {
        Embedding { weight: Tensor::new(&self.weight, &self.table).tracked() }
    }

    fn check(&self, what: &str, embedding: &Embedding, output: &Tensor) {
        expect_recorded(what, &output.to_vec(), &self.output);
        let gradients = output.backward_with(&Tensor::new(&self.grad_output, output.shape()));
        let gradient = gradients.get(&embedding.weight).unwrap().to_vec();
        expect_recorded(&format!("{what}, gradient"), &gradient, &self.gradient);
    }
}

#[test]
fn a_lookup_with_repeated_ids_and_its_gradient_are_pytorchs() {
    for case in recorded().lookups {
        let embedding = case.embedding();
        let output = embedding.forward(&ids_tensor(&case.ids, &case.shape));
        case.check("embedding", &embedding, &output);
    }
}

#[test]
fn a_table_that_is_used_twice_gets_pytorchs_gradient() {
    for case in recorded().tied {
        let embedding = case.embedding();
        let vectors = embedding.forward(&ids_tensor(&case.ids, &case.shape));
        let hidden = tinytorch::activations::Tanh.forward(&vectors);
        case.check("tied", &embedding, &tied_logits(&hidden, &embedding.weight));
    }
}

#[test]
fn the_waves_are_those_of_the_formula_in_float64() {
    for waves in recorded().sinusoidal {
        let what = format!("{} positions, {} columns", waves.length, waves.dim);
        expect_recorded(&what, &sinusoidal_table(waves.length, waves.dim).to_vec(), &waves.table);
    }
}

#[test]
fn rotations_and_their_gradients_are_products_with_complex_numbers() {
    for case in recorded().rotary {
        let x = Tensor::new(&case.x, &case.shape).tracked();
        let output = rotate(&x, case.start);
        let what = format!("{:?} from position {} on", case.shape, case.start);
        expect_recorded(&what, &output.to_vec(), &case.output);
        let gradients = output.backward_with(&Tensor::new(&case.grad_output, &case.shape));
        let gradient = gradients.get(&x).unwrap().to_vec();
        expect_recorded(&format!("{what}, gradient"), &gradient, &case.gradient);
    }
}
