//! Module 17 against PyTorch: which weights and units `torch.nn.utils.prune` keeps, the errors of a truncated singular
//! value decomposition, and the loss of a student with its gradient, recorded in `fixtures/pytorch_compression.json` by the
//! script beside it. PyTorch's weights are `(out, in)`, those of this engine `(in, out)`.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

use tinytorch::autograd::Backward;
use tinytorch::compression::{
    Scope, distillation_loss, kept_units, low_rank, magnitude_masks, unit_norms,
};
use tinytorch::layers::Linear;
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::assert_close;

#[derive(serde::Deserialize)]
struct Fixture {
    pruned: Vec<Pruned>,
    errors: Vec<f32>,
    distilled: Vec<Distilled>,
}

#[derive(serde::Deserialize)]
struct Pruned {
    amount: f32,
    each: [Vec<f32>; 2],
    together: [Vec<f32>; 2],
    units: Vec<usize>,
}

#[derive(serde::Deserialize)]
struct Distilled {
    temperature: f32,
    alpha: f32,
    loss: f32,
    gradient: Vec<f32>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/pytorch_compression.json")).unwrap()
}

/// The same numbers as in the script.
fn numbers(seed: usize, shape: [usize; 2], scale: f64) -> Tensor {
    let number = |i| (((i * 7919 + seed * 104_729 + 12_345) % 2003) as f64 / 2003.0 - 0.5) * scale;
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(|i| number(i) as f32).collect();
    Tensor::new(&values, &shape)
}

#[test]
fn the_same_weights_stay_per_layer_and_together() {
    for Pruned { amount, each, together, .. } in fixture().pruned {
        let weights = [numbers(1, [5, 4], 2.0).t(), numbers(2, [3, 5], 2.0).t()];
        for (scope, wanted) in [(Scope::PerLayer, each), (Scope::Global, together)] {
            let masks = magnitude_masks(&weights.each_ref(), amount, scope);
            for (mask, wanted) in masks.into_iter().zip(wanted) {
                assert_eq!(mask.unwrap().t().to_vec(), wanted, "{amount}, {scope:?}");
            }
        }
    }
}

#[test]
fn the_same_units_stay() {
    for Pruned { amount, units, .. } in fixture().pruned {
        let norms = unit_norms(&numbers(3, [8, 6], 2.0).t());
        assert_eq!(kept_units(&norms, amount), units, "{amount}");
    }
}

#[test]
fn power_iteration_is_nearly_as_good_as_the_singular_value_decomposition() {
    let weight = numbers(4, [12, 9], 2.0);
    let layer = Linear { weight: weight.clone(), bias: None };
    for (rank, best) in (1..).zip(fixture().errors) {
        let [first, second] = low_rank(&layer, rank, &mut Rng::seeded(1));
        let rest = &weight - first.weight.matmul(&second.weight);
        let error = (&rest * &rest).sum().sqrt().item();
        assert!(
            error > best * 0.9999 - 1e-4 && error < best * 1.02 + 1e-4,
            "{rank}: {error}, {best}"
        );
    }
}

#[test]
fn the_loss_of_a_student_and_its_gradient_are_the_same() {
    for Distilled { temperature, alpha, loss, gradient } in fixture().distilled {
        let student = numbers(5, [3, 4], 8.0).tracked();
        let (teacher, labels) = (numbers(6, [3, 4], 8.0), Tensor::new(&[2.0, 0.0, 3.0], &[3]));
        let yours = distillation_loss(&student, &teacher, &labels, temperature, alpha);
        assert_close(&[yours.item()], &[loss], 1e-4);
        let gradients = yours.backward();
        assert_close(&gradients.get(&student).unwrap().to_vec(), &gradient, 1e-4);
    }
}
