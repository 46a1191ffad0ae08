//! Outputs of the losses module's cells.

use subject::{
    BinaryCrossEntropyLoss, CrossEntropyLoss, IGNORED, Loss, MSELoss, log_softmax, one_hot,
    weighted_cross_entropy,
};
use tinytorch::losses as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_log_softmax", test_unit_log_softmax),
    ("test_unit_mse", test_unit_mse),
    ("test_unit_one_hot", test_unit_one_hot),
    ("test_unit_cross_entropy", test_unit_cross_entropy),
    ("test_unit_binary_cross_entropy", test_unit_binary_cross_entropy),
    ("test_unit_debug", test_unit_debug),
];

fn classes(rng: &mut Rng, shape: &[usize], count: usize) -> Tensor {
    let ids: Vec<f32> = (0..shape.iter().product()).map(|_| rng.below(count) as f32).collect();
    Tensor::new(&ids, shape)
}

fn test_unit_log_softmax(rng: &mut Rng, out: &mut Outputs) {
    let x = Tensor::randn(&[2, 3, 4], rng) * 4.0;
    for axis in [0, 1, -1] {
        out.array("log-probabilities", log_softmax(&x, axis).array());
    }
    out.array("of large numbers", log_softmax(&(x * 100.0), -1).array());
}

fn test_unit_mse(rng: &mut Rng, out: &mut Outputs) {
    for shape in [&[5][..], &[3, 4]] {
        let [prediction, target] = [(); 2].map(|()| Tensor::randn(shape, rng));
        out.array("loss", MSELoss.forward(&prediction, &target).array());
    }
}

fn test_unit_one_hot(rng: &mut Rng, out: &mut Outputs) {
    out.array("one axis", one_hot(&classes(rng, &[5], 4), 4).array());
    out.array("two axes", one_hot(&classes(rng, &[2, 3], 5), 5).array());
}

fn test_unit_cross_entropy(rng: &mut Rng, out: &mut Outputs) {
    let logits = Tensor::randn(&[5, 4], rng) * 3.0;
    let target = classes(rng, &[5], 4);
    out.array("loss", CrossEntropyLoss.forward(&logits, &target).array());
    let mut some = target.to_vec();
    some[rng.below(5)] = IGNORED;
    out.array("one ignored", CrossEntropyLoss.forward(&logits, &Tensor::new(&some, &[5])).array());
    let (logits, target) = (Tensor::randn(&[2, 4, 3], rng), classes(rng, &[2, 3], 4));
    out.array("three axes", CrossEntropyLoss.forward(&logits, &target).array());
}

fn test_unit_binary_cross_entropy(rng: &mut Rng, out: &mut Outputs) {
    let probabilities = Tensor::rand(&[6], rng);
    let target = classes(rng, &[6], 2);
    out.array("loss", BinaryCrossEntropyLoss.forward(&probabilities, &target).array());
    out.array("certain", BinaryCrossEntropyLoss.forward(&(target.clone() * 1.0), &target).array());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let logits = Tensor::randn(&[5, 4], rng);
    let weights = Tensor::rand(&[4], rng) + 0.1;
    let target = classes(rng, &[5], 4);
    out.array("loss", weighted_cross_entropy(&logits, &target, &weights).array());
}
