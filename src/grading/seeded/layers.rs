//! Outputs of the layers module's cells.

use subject::{Dropout, Layer, Linear, Sequential, multilayer_perceptron};
use tinytorch::activations::{ReLU, Tanh};
use tinytorch::layers as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_linear_forward", test_unit_linear_forward),
    ("test_unit_dropout_forward", test_unit_dropout_forward),
    ("test_unit_sequential_forward", test_unit_sequential_forward),
    ("test_unit_debug", test_unit_debug),
];

fn test_unit_linear_forward(rng: &mut Rng, out: &mut Outputs) {
    let mut layer = Linear::new(4, 3, rng);
    layer.bias = Some(Tensor::randn(&[3], rng));
    for shape in [&[2, 4][..], &[2, 5, 4], &[4]] {
        out.array("output", layer.forward(&Tensor::randn(shape, rng)).array());
    }
    let layer = Linear::without_bias(4, 3, rng);
    out.array("without bias", layer.forward(&Tensor::randn(&[2, 4], rng)).array());
}

fn test_unit_dropout_forward(rng: &mut Rng, out: &mut Outputs) {
    let Ok(mut layer) = Dropout::new(0.5, rng.fork()) else { return };
    layer.set_training(false);
    out.array("evaluation", layer.forward(&Tensor::randn(&[6, 7], rng)).array());
}

fn test_unit_sequential_forward(rng: &mut Rng, out: &mut Outputs) {
    let (first, second) = (Linear::new(4, 5, rng), Linear::new(5, 3, rng));
    let model =
        Sequential::new(vec![Box::new(first), Box::new(Tanh), Box::new(second), Box::new(ReLU)]);
    out.array("output", model.forward(&Tensor::randn(&[2, 4], rng)).array());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let mut model = multilayer_perceptron(&[4, 6, 5, 3], rng);
    for parameter in model.parameters_mut() {
        *parameter = Tensor::randn(parameter.shape(), rng);
    }
    out.array("output", model.forward(&Tensor::randn(&[3, 4], rng)).array());
}
