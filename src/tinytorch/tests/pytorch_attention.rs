//! Module 12 against PyTorch: outputs, weights and gradients recorded in `fixtures/pytorch_attention.json` by the script
//! beside it. Relative tolerance 1e-5: of the larger of 1 and the recorded number.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod kernels;

use kernels::on_every_kernel;
use std::collections::BTreeMap;
use tinytorch::attention::{MultiHeadAttention, blockwise_attention, scaled_dot_product_attention};
use tinytorch::autograd::{Backward, no_grad};
use tinytorch::layers::{Layer, Linear};
use tinytorch::tensor::Tensor;

#[derive(serde::Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    kind: String,
    inputs: BTreeMap<String, Recorded>,
    mask: Option<Recorded>,
    output: Vec<f32>,
    weights: Vec<f32>,
    grad_output: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
    heads: Option<usize>,
}

#[derive(serde::Deserialize)]
struct Recorded {
    shape: Vec<usize>,
    numbers: Vec<f32>,
}

impl Recorded {
    fn tensor(&self) -> Tensor {
        Tensor::new(&self.numbers, &self.shape)
    }
}

impl Case {
    fn leaf(&self, name: &str) -> Tensor {
        self.inputs[name].tensor().tracked()
    }

    fn mask(&self) -> Option<Tensor> {
        self.mask.as_ref().map(Recorded::tensor)
    }

    fn expect(&self, what: &str, yours: &[f32], wanted: &[f32]) {
        assert_eq!(yours.len(), wanted.len(), "{}: {what}", self.kind);
        for (at, (a, b)) in yours.iter().zip(wanted).enumerate() {
            let close = (a - b).abs() <= 1e-5 * b.abs().max(1.0);
            assert!(close, "{}: {what}: number {at} is {a}, PyTorch has {b}", self.kind);
        }
    }

    fn expect_all(&self, (output, weights): &(Tensor, Tensor), leaves: &[(&str, &Tensor)]) {
        self.expect("output", &output.to_vec(), &self.output);
        self.expect("weights", &weights.to_vec(), &self.weights);
        let gradients = output.backward_with(&Tensor::new(&self.grad_output, output.shape()));
        assert_eq!(leaves.len(), self.gradients.len(), "every recorded gradient is compared");
        for (name, leaf) in leaves {
            let gradient = gradients.get(leaf).unwrap();
            assert_eq!(gradient.shape(), leaf.shape(), "{}: {name}", self.kind);
            self.expect(name, &gradient.to_vec(), &self.gradients[*name]);
        }
    }
}

fn cases(of_heads: bool) -> Vec<Case> {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/pytorch_attention.json")).unwrap();
    let found: Vec<Case> =
        fixture.cases.into_iter().filter(|case| case.heads.is_some() == of_heads).collect();
    assert!(found.len() >= 2);
    found
}

#[test]
fn scaled_dot_product_attention_is_pytorchs_with_every_mask() {
    for case in cases(false) {
        let [q, k, v] = ["q", "k", "v"].map(|name| case.leaf(name));
        let result = scaled_dot_product_attention(&q, &k, &v, case.mask().as_ref());
        case.expect_all(&result, &[("q", &q), ("k", &k), ("v", &v)]);
    }
}

#[test]
fn attention_in_blocks_is_pytorchs_too() {
    for case in cases(false) {
        let causal = match case.kind.as_str() {
            "no mask" => false,
            "causal" => true,
            _ => continue,
        };
        let [q, k, v] = ["q", "k", "v"].map(|name| case.leaf(name));
        let output = no_grad(|| blockwise_attention(&q, &k, &v, causal, 2));
        case.expect("output in blocks", &output.to_vec(), &case.output);
    }
}

#[test]
fn multi_head_attention_is_pytorchs_with_the_gradient_of_every_parameter() {
    for case in cases(true) {
        let linear = |name: &str| Linear {
            weight: case.leaf(&format!("{name} weight")),
            bias: Some(case.leaf(&format!("{name} bias"))),
        };
        let [query, key, value, output] = ["query", "key", "value", "output"].map(linear);
        let layer = MultiHeadAttention { heads: case.heads.unwrap(), query, key, value, output };
        let x = case.leaf("x");
        let result = layer.forward_with_weights(&x, case.mask().as_ref());
        let names = ["query", "key", "value", "output"]
            .map(|name| [format!("{name} weight"), format!("{name} bias")])
            .concat();
        let parameters = names.iter().map(String::as_str).zip(layer.parameters());
        let leaves: Vec<(&str, &Tensor)> = [("x", &x)].into_iter().chain(parameters).collect();
        case.expect_all(&result, &leaves);
    }
}

#[test]
fn the_kernels_of_lesson_18_agree_with_pytorch_too() {
    on_every_kernel(&[
        scaled_dot_product_attention_is_pytorchs_with_every_mask,
        attention_in_blocks_is_pytorchs_too,
        multi_head_attention_is_pytorchs_with_the_gradient_of_every_parameter,
    ]);
}
