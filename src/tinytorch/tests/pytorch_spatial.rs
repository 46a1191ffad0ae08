//! The layers of module 09 against PyTorch: outputs and gradients recorded in
//! `fixtures/pytorch_spatial.json` by the script beside it. Tolerance 1e-4: both sides add up some
//! dozens of `f32` products of size 1, in different orders.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod kernels;

use kernels::on_every_kernel;
use std::collections::BTreeMap;
use tinytorch::autograd::Backward;
use tinytorch::layers::Layer;
use tinytorch::spatial::{AvgPool2d, BatchNorm2d, Conv2d, MaxPool2d, RunningStats, Window};
use tinytorch::tensor::Tensor;
use tinytorch::testing::assert_close;

const TOLERANCE: f32 = 1e-4;

#[derive(serde::Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    kind: String,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    input_shape: [usize; 4],
    output_shape: Vec<usize>,
    inputs: BTreeMap<String, Vec<f32>>,
    grad_output: Vec<f32>,
    output: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
    mean_before: Option<Vec<f32>>,
    variance_before: Option<Vec<f32>>,
    mean_after: Option<Vec<f32>>,
    variance_after: Option<Vec<f32>>,
}

impl Case {
    fn window(&self) -> Window {
        let pair = |[rows, columns]: [usize; 2]| (rows, columns);
        Window::new(pair(self.kernel)).stride(pair(self.stride)).padding(pair(self.padding))
    }

    /// The tensor of that name as a tracked leaf, if the case has it.
    fn leaf(&self, name: &str, shape: &[usize]) -> Option<Tensor> {
        self.inputs.get(name).map(|numbers| Tensor::new(numbers, shape).tracked())
    }

    fn convolution(&self) -> Conv2d {
        let (inputs, outputs) = (self.input_shape[1], self.output_shape[1]);
        let shape = [outputs, inputs, self.kernel[0], self.kernel[1]];
        let weight = self.leaf("weight", &shape).unwrap();
        Conv2d::from_weights(weight, self.leaf("bias", &[outputs]), self.window())
    }

    fn normalization(&self) -> BatchNorm2d {
        let channels = self.input_shape[1];
        let mut norm = BatchNorm2d::new(channels);
        norm.weight = self.leaf("weight", &[channels]).unwrap();
        norm.bias = self.leaf("bias", &[channels]).unwrap();
        norm.set_training(self.kind == "batch_norm_train");
        let mean = self.mean_before.clone().unwrap();
        norm.set_running_stats(RunningStats {
            mean,
            variance: self.variance_before.clone().unwrap(),
        });
        norm
    }

    /// Output and gradients of `layer`, whose parameters are called `names`.
    fn compare(&self, layer: &dyn Layer, names: &[&str]) {
        let x = self.leaf("x", &self.input_shape).unwrap();
        let y = layer.forward(&x);
        assert_eq!(y.shape(), self.output_shape, "{}", layer.name());
        assert_close(&y.to_vec(), &self.output, TOLERANCE);

        let gradients = y.backward_with(&Tensor::new(&self.grad_output, &self.output_shape));
        let leaves = std::iter::once(&x).chain(layer.parameters());
        let names = std::iter::once(&"x").chain(names);
        let mut compared = 0;
        for (leaf, name) in leaves.zip(names) {
            let gradient = gradients.get(leaf).unwrap();
            assert_eq!(gradient.shape(), leaf.shape(), "{} of {}", name, layer.name());
            assert_close(&gradient.to_vec(), &self.gradients[*name], TOLERANCE);
            compared += 1;
        }
        assert_eq!(compared, self.gradients.len(), "every recorded gradient was compared");
    }
}

fn cases(kinds: &[&str]) -> Vec<Case> {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/pytorch_spatial.json")).unwrap();
    let found: Vec<Case> =
        fixture.cases.into_iter().filter(|case| kinds.contains(&case.kind.as_str())).collect();
    assert!(!found.is_empty(), "no case of {kinds:?} in the fixture");
    found
}

#[test]
fn convolutions_equal_pytorch() {
    for case in cases(&["conv"]) {
        case.compare(&case.convolution(), &["weight", "bias"]);
    }
}

#[test]
fn pooling_equals_pytorch_with_ties_borders_and_overlaps() {
    for case in cases(&["max", "avg"]) {
        match case.kind.as_str() {
            "max" => case.compare(&MaxPool2d::with(case.window()), &[]),
            _ => case.compare(&AvgPool2d::with(case.window()), &[]),
        }
    }
}

#[test]
fn batch_normalization_equals_pytorch_and_remembers_the_same() {
    for case in cases(&["batch_norm_train", "batch_norm_eval"]) {
        let norm = case.normalization();
        case.compare(&norm, &["weight", "bias"]);
        let running = norm.running_stats();
        assert_close(&running.mean, case.mean_after.as_ref().unwrap(), TOLERANCE);
        assert_close(&running.variance, case.variance_after.as_ref().unwrap(), TOLERANCE);
    }
}

#[test]
fn the_kernels_of_lesson_18_agree_with_pytorch_too() {
    on_every_kernel(&[
        convolutions_equal_pytorch,
        pooling_equals_pytorch_with_ties_borders_and_overlaps,
        batch_normalization_equals_pytorch_and_remembers_the_same,
    ]);
}
