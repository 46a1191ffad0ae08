//! Outputs of the compression module's cells.

use subject::{
    Footprint, MagnitudePruner, Scope, SparseLinear, apply_masks, calculate_threshold, create_mask,
    cubic_sparsity, decode_gaps, distillation_loss, dominated, encode_gaps, keep_inputs,
    keep_outputs, kept_units, low_rank, magnitude_masks, measure_sparsity, rank_one, unit_norms,
    unmet,
};
use tinytorch::autograd::Backward;
use tinytorch::compression as subject;
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::optimizers::Adam;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_measure_sparsity", test_unit_measure_sparsity),
    ("test_unit_threshold_and_mask", test_unit_threshold_and_mask),
    ("test_unit_masks", test_unit_masks),
    ("test_unit_cubic_sparsity", test_unit_cubic_sparsity),
    ("test_unit_debug", test_unit_debug),
    ("test_unit_units", test_unit_units),
    ("test_unit_structured", test_unit_structured),
    ("test_unit_low_rank", test_unit_low_rank),
    ("test_unit_distillation_loss", test_unit_distillation_loss),
    ("test_unit_from_linear", test_unit_from_linear),
    ("test_unit_multiply", test_unit_multiply),
    ("test_unit_gaps", test_unit_gaps),
    ("test_unit_budgets", test_unit_budgets),
];

/// Numbers of which about half are 0.
fn sparse(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let number = |rng: &mut Rng| if rng.below(2) == 0 { 0.0 } else { rng.normal() };
    let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| number(rng)).collect();
    Tensor::new(&numbers, shape)
}

fn test_unit_measure_sparsity(rng: &mut Rng, out: &mut Outputs) {
    let mut layers = [(4, 5), (5, 3)].map(|(inputs, outputs)| Linear::new(inputs, outputs, rng));
    for layer in &mut layers {
        let shape = layer.weight.shape().to_vec();
        layer.weight = sparse(rng, &shape);
    }
    let layers = layers.into_iter().map(|layer| Box::new(layer) as Box<dyn Layer>);
    out.number("sparsity", measure_sparsity(&Sequential::new(layers.collect())));
}

fn test_unit_threshold_and_mask(rng: &mut Rng, out: &mut Outputs) {
    let weight = Tensor::randn(&[4, 5], rng);
    for sparsity in [0.0, 0.3, 0.7] {
        let threshold = calculate_threshold(&weight.to_vec(), sparsity);
        out.array("mask", create_mask(&weight, threshold).array());
    }
}

fn test_unit_masks(rng: &mut Rng, out: &mut Outputs) {
    let [mut first, mut bias, mut second] =
        [&[3, 4][..], &[4], &[4, 2]].map(|shape| Tensor::randn(shape, rng));
    for scope in [Scope::Global, Scope::PerLayer] {
        let masks = magnitude_masks(&[&first, &bias, &second], 0.5, scope);
        out.numbers("has a mask", masks.iter().map(|mask| u8::from(mask.is_some())));
        masks.iter().flatten().for_each(|mask| out.array("mask", mask.array()));
        apply_masks(&mut [&mut first, &mut bias, &mut second], &masks);
        [&first, &bias, &second].into_iter().for_each(|it| out.array("masked", it.array()));
    }
}

fn test_unit_cubic_sparsity(rng: &mut Rng, out: &mut Outputs) {
    let (steps, target) = (3 + rng.below(10), rng.uniform());
    out.numbers("sparsity", (0..=steps + 2).map(|step| cubic_sparsity(step, steps, target)));
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let mut w = Tensor::randn(&[3, 4], rng).tracked();
    let mut optimizer = MagnitudePruner::new(0.5).while_training(Adam::new(0.3), 3);
    for _ in 0..5 {
        let gradients = (&w * Tensor::randn(&[3, 4], rng)).sum().backward();
        optimizer.masked_step(vec![&mut w], &gradients);
        out.array("w", w.array());
    }
}

fn test_unit_units(rng: &mut Rng, out: &mut Outputs) {
    for shape in [&[4, 6][..], &[6, 2, 3, 3]] {
        let norms = unit_norms(&Tensor::randn(shape, rng));
        out.counts("kept", kept_units(&norms, rng.uniform() * 0.9));
        out.numbers("norms", norms);
    }
}

fn test_unit_structured(rng: &mut Rng, out: &mut Outputs) {
    for shape in [&[3, 5][..], &[5, 2, 3, 3]] {
        let (weight, bias) = (Tensor::randn(shape, rng), Tensor::randn(&[5], rng));
        let (weight, bias) = keep_outputs(&weight, &Some(bias), &[0, 2, 3 + rng.below(2)]);
        out.array("weight", weight.array());
        bias.iter().for_each(|bias| out.array("bias", bias.array()));
    }
    let kept = [1 + rng.below(2), 3];
    out.array("inputs", keep_inputs(&Tensor::randn(&[4, 3], rng), &kept, 4).array());
    out.array("flat inputs", keep_inputs(&Tensor::randn(&[8, 3], rng), &kept, 4).array());
}

fn test_unit_low_rank(rng: &mut Rng, out: &mut Outputs) {
    // One direction is much stronger than the others.
    let strong = Tensor::randn(&[4, 1], rng).matmul(&Tensor::randn(&[1, 3], rng)) * 5.0;
    let matrix = strong + Tensor::randn(&[4, 3], rng) * 1e-4;
    let (column, row) = rank_one(&matrix, &Tensor::ones(&[1, 3]));
    let product = column.matmul(&row);
    out.counts("shape", product.shape().iter().copied());
    // An approximation: of a hundredth, the comparison allows for that.
    let hundredth = |product: Tensor| product.to_vec().into_iter().map(|x| x / 100.0);
    out.numbers("a hundredth of the product", hundredth(product));
    let [first, second] = low_rank(&Linear { weight: matrix, bias: None }, 1, rng);
    let both = first.weight.matmul(&second.weight);
    out.numbers("a hundredth of two layers", hundredth(both));
}

fn test_unit_distillation_loss(rng: &mut Rng, out: &mut Outputs) {
    let [student, teacher] = [(); 2].map(|()| Tensor::randn(&[4, 5], rng) * 2.0);
    let labels: Vec<f32> = (0..4).map(|_| rng.below(5) as f32).collect();
    let labels = Tensor::new(&labels, &[4]);
    let (temperature, alpha) = (1.0 + 3.0 * rng.uniform(), rng.uniform());
    let loss = distillation_loss(&student, &teacher, &labels, temperature, alpha);
    out.array("loss", loss.array());
}

fn test_unit_from_linear(rng: &mut Rng, out: &mut Outputs) {
    let layer = Linear { weight: sparse(rng, &[5, 6]), bias: None };
    let SparseLinear { starts, columns, values, .. } = SparseLinear::from_linear(&layer);
    out.numbers("starts", starts);
    out.numbers("columns", columns);
    out.numbers("values", values);
}

fn test_unit_multiply(rng: &mut Rng, out: &mut Outputs) {
    let layer = SparseLinear::from_linear(&Linear { weight: sparse(rng, &[5, 6]), bias: None });
    for batch in [1, 3] {
        let x: Vec<f32> = (0..5 * batch).map(|_| rng.normal()).collect();
        let mut product = vec![rng.normal(); 6 * batch];
        layer.multiply(&x, batch, &mut product);
        out.numbers("product", product);
    }
}

fn test_unit_gaps(rng: &mut Rng, out: &mut Outputs) {
    let mut numbers: Vec<i8> = (0..700).map(|_| 0).collect();
    for _ in 0..9 {
        let at = rng.below(700);
        numbers[at] = 1 + rng.below(100) as i8;
    }
    let (gaps, kept) = encode_gaps(&numbers);
    let decoded = decode_gaps(&gaps, &kept, 700).unwrap_or_default();
    out.numbers("gaps", gaps);
    out.numbers("kept", kept);
    out.numbers("decoded", decoded);
}

fn test_unit_budgets(rng: &mut Rng, out: &mut Outputs) {
    let mut footprint = || {
        let [bytes, seconds, memory, accuracy] = [(); 4].map(|()| f64::from(rng.uniform()));
        Footprint { bytes, seconds, memory, accuracy }
    };
    for _ in 0..4 {
        let (found, budget) = (footprint(), footprint());
        out.text("unmet", &unmet(&found, &budget).join(" "));
    }
    let points: Vec<(f64, f64)> =
        (0..8).map(|_| (f64::from(rng.uniform()), rng.below(4) as f64)).collect();
    out.numbers("dominated", dominated(&points).into_iter().map(u8::from));
}
