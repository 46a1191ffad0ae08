//! Outputs of the activations module's cells.

use subject::{Gelu, QuickGelu, ReLU, Sigmoid, Softmax, Tanh, class_probabilities};
use tinytorch::activations as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::{ElementwiseFunction, Tensor};

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_relu", test_unit_relu),
    ("test_unit_sigmoid", test_unit_sigmoid),
    ("test_unit_tanh", test_unit_tanh),
    ("test_unit_gelu", test_unit_gelu),
    ("test_unit_softmax", test_unit_softmax),
    ("test_unit_debug", test_unit_debug),
];

/// Numbers of all sizes, and none.
fn values(rng: &mut Rng) -> Vec<f32> {
    let scales = [0.1, 1.0, 3.0, 30.0, 300.0].into_iter();
    let mut values: Vec<f32> = scales.map(|scale| rng.normal() * scale).collect();
    values.extend([f32::NAN, 100.0 + rng.uniform(), -100.0 - rng.uniform()]);
    values
}

fn each(rng: &mut Rng, out: &mut Outputs, function: &impl ElementwiseFunction) {
    out.numbers("values", values(rng).into_iter().map(|x| function.at(x)));
    out.text("kind", &format!("{:?}", function.kind()));
}

fn test_unit_relu(rng: &mut Rng, out: &mut Outputs) {
    each(rng, out, &ReLU);
}

fn test_unit_sigmoid(rng: &mut Rng, out: &mut Outputs) {
    each(rng, out, &Sigmoid);
}

fn test_unit_tanh(rng: &mut Rng, out: &mut Outputs) {
    each(rng, out, &Tanh);
}

fn test_unit_gelu(rng: &mut Rng, out: &mut Outputs) {
    each(rng, out, &Gelu);
    each(rng, out, &QuickGelu);
}

fn test_unit_softmax(rng: &mut Rng, out: &mut Outputs) {
    let x = Tensor::randn(&[2, 3, 4], rng) * 4.0;
    for axis in [0, 1, -1] {
        out.array("probabilities", Softmax { axis }.forward(&x).array());
    }
    out.array("of large numbers", Softmax { axis: -1 }.forward(&(x * 100.0)).array());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let [x, first, second] = [[3, 4], [4, 5], [5, 6]].map(|shape| Tensor::randn(&shape, rng));
    out.array("probabilities", class_probabilities(&x, &first, &second).array());
}
