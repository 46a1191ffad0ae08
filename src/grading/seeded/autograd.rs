//! Outputs of the autograd module's cells.

use std::slice::from_ref;
use subject::{
    Backward, InputGradients, ScalarOp, Tape, accumulate, add_rule, descend_once, div_rule,
    initial_gradient, map_rule, matmul_rule, max_rule, mul_rule, numeric_gradient, rearrange_rule,
    reduce_to_shape, slice_rule, sum_rule, track,
};
use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Tanh};
use tinytorch::autograd as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::{ElementwiseFunction, Exp, Log, Op, Sqrt, Tensor};

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_numeric_gradient", test_unit_numeric_gradient),
    ("test_unit_record", test_unit_record),
    ("test_unit_walk", test_unit_walk),
    ("test_unit_reduce_to_shape", test_unit_reduce_to_shape),
    ("test_unit_add_rule", test_unit_add_rule),
    ("test_unit_mul_rule", test_unit_mul_rule),
    ("test_unit_accumulate", test_unit_accumulate),
    ("test_unit_initial_gradient", test_unit_initial_gradient),
    ("test_unit_backpropagate", test_unit_backpropagate),
    ("test_unit_track", test_unit_track),
    ("test_unit_debug", test_unit_debug),
    ("test_unit_div_rule", test_unit_div_rule),
    ("test_unit_matmul_rule", test_unit_matmul_rule),
    ("test_unit_rearrange_rule", test_unit_rearrange_rule),
    ("test_unit_sum_rule", test_unit_sum_rule),
    ("test_unit_max_rule", test_unit_max_rule),
    ("test_unit_slice_rule", test_unit_slice_rule),
    ("test_unit_map_rule", test_unit_map_rule),
];

/// A tape with a few sums and products of random numbers.
fn tape(rng: &mut Rng) -> Tape {
    let mut tape = Tape::default();
    for _ in 0..3 {
        tape.record(ScalarOp::Leaf(rng.normal()));
    }
    for count in 3..9 {
        let (a, b) = (rng.below(count), rng.below(count));
        tape.record(if rng.below(2) == 0 { ScalarOp::Add(a, b) } else { ScalarOp::Mul(a, b) });
    }
    tape
}

fn gradients(out: &mut Outputs, gradients: &InputGradients) {
    for gradient in gradients {
        out.number("has a gradient", u8::from(gradient.is_some()));
        gradient.iter().for_each(|it| out.array("gradient", it.array()));
    }
}

fn tracked(rng: &mut Rng, shape: &[usize]) -> Tensor {
    Tensor::randn(shape, rng).tracked()
}

fn test_unit_numeric_gradient(rng: &mut Rng, out: &mut Outputs) {
    let [x, weights] = [(); 2].map(|()| Tensor::randn(&[2, 3], rng));
    let gradient = numeric_gradient(|x| x * x * 0.5 + x, &x, &weights);
    out.counts("shape", gradient.shape().iter().copied());
    // Difference quotients are rough: of a hundredth, the comparison allows for that.
    out.numbers("a hundredth of the gradient", gradient.to_vec().into_iter().map(|x| x / 100.0));
}

fn test_unit_record(rng: &mut Rng, out: &mut Outputs) {
    let mut tape = tape(rng);
    out.numbers("values", tape.nodes.iter().map(|node| node.value));
    out.counts("position", [tape.record(ScalarOp::Mul(1, 2))]);
}

fn test_unit_walk(rng: &mut Rng, out: &mut Outputs) {
    let tape = tape(rng);
    for result in [8, 5, 1] {
        out.numbers("gradients", tape.gradients(result));
    }
}

fn test_unit_reduce_to_shape(rng: &mut Rng, out: &mut Outputs) {
    let gradient = Tensor::randn(&[3, 4, 5], rng);
    for shape in [&[3, 4, 5][..], &[5], &[4, 1], &[1, 1, 5], &[]] {
        out.array("gradient", reduce_to_shape(&gradient, shape).array());
    }
}

fn test_unit_add_rule(rng: &mut Rng, out: &mut Outputs) {
    let (a, b) = (tracked(rng, &[3, 4]), tracked(rng, &[4]));
    let grad_output = Tensor::randn(&[3, 4], rng);
    for sign in [1.0, -1.0] {
        gradients(out, &add_rule(&grad_output, &[a.clone(), b.clone()], sign));
    }
    gradients(out, &add_rule(&grad_output, &[a.detach(), b], 1.0));
}

fn test_unit_mul_rule(rng: &mut Rng, out: &mut Outputs) {
    let (a, b) = (tracked(rng, &[3, 4]), tracked(rng, &[3, 1]));
    let grad_output = Tensor::randn(&[3, 4], rng);
    gradients(out, &mul_rule(&grad_output, &[a.clone(), b.clone()]));
    gradients(out, &mul_rule(&grad_output, &[a.detach(), b]));
}

fn test_unit_accumulate(rng: &mut Rng, out: &mut Outputs) {
    let [mut total, grad] = [(); 2].map(|()| Tensor::randn(&[3, 4], rng));
    let before = total.clone();
    accumulate(&mut total, &grad);
    out.array("total", total.array());
    out.array("the clone", before.array());
}

fn test_unit_initial_gradient(rng: &mut Rng, out: &mut Outputs) {
    let result = tracked(rng, &[1, 1]);
    out.array("one", initial_gradient(&result, None).array());
    let (result, given) = (tracked(rng, &[2, 3]), Tensor::randn(&[2, 3], rng));
    out.array("given", initial_gradient(&result, Some(&given)).array());
}

fn test_unit_backpropagate(rng: &mut Rng, out: &mut Outputs) {
    let (x, y) = (tracked(rng, &[3, 2]), tracked(rng, &[2]));
    let shared = &x * &y + &x;
    let found = (&shared * &shared - &y).sum().backward();
    for leaf in [&x, &y] {
        found.get(leaf).iter().for_each(|it| out.array("gradient", it.array()));
    }
    out.counts("leaves", [found.len()]);
}

fn test_unit_track(rng: &mut Rng, out: &mut Outputs) {
    let [mut a, mut b] = [(); 2].map(|()| Tensor::randn(&[2], rng));
    track(vec![&mut a, &mut b]);
    out.numbers("tracked", [&a, &b].map(|it| u8::from(it.is_tracked() && it.id().is_some())));
    out.numbers("two ids", [u8::from(a.id() != b.id())]);
    out.array("values", a.array());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let mut w = tracked(rng, &[3]);
    for _ in 0..3 {
        descend_once(&mut w, 0.1, |w| (w * w).sum());
        out.array("w", w.array());
    }
}

fn test_unit_div_rule(rng: &mut Rng, out: &mut Outputs) {
    let (a, b) = (tracked(rng, &[3, 4]), (Tensor::rand(&[4], rng) + 0.5).tracked());
    let output = &a / &b;
    gradients(out, &div_rule(&Tensor::randn(&[3, 4], rng), &[a, b], &output));
}

fn test_unit_matmul_rule(rng: &mut Rng, out: &mut Outputs) {
    for (a, b, shape) in
        [(&[2, 3][..], &[3, 4][..], &[2, 4][..]), (&[5, 2, 3], &[3, 4], &[5, 2, 4])]
    {
        let inputs = [tracked(rng, a), tracked(rng, b)];
        gradients(out, &matmul_rule(&Tensor::randn(shape, rng), &inputs));
    }
}

fn test_unit_rearrange_rule(rng: &mut Rng, out: &mut Outputs) {
    let x = tracked(rng, &[2, 3, 4]);
    for (op, shape) in [
        (Op::Reshape, &[6, 4][..]),
        (Op::Transpose(0, 2), &[4, 3, 2]),
        (Op::Transpose(1, 2), &[2, 4, 3]),
        (Op::Neg, &[2, 3, 4]),
    ] {
        gradients(out, &rearrange_rule(&op, &Tensor::randn(shape, rng), from_ref(&x)));
    }
}

fn test_unit_sum_rule(rng: &mut Rng, out: &mut Outputs) {
    let x = tracked(rng, &[2, 3]);
    for shape in [&[][..], &[2, 1], &[1, 3]] {
        gradients(out, &sum_rule(&Tensor::randn(shape, rng), from_ref(&x)));
    }
}

fn test_unit_max_rule(rng: &mut Rng, out: &mut Outputs) {
    // Small whole numbers: some are equal.
    let numbers: Vec<f32> = (0..12).map(|_| rng.below(3) as f32).collect();
    let x = Tensor::new(&numbers, &[3, 4]).tracked();
    for output in [x.max(), x.max_axis(1, true), x.max_axis(0, true)] {
        let grad_output = Tensor::randn(output.shape(), rng);
        gradients(out, &max_rule(&grad_output, from_ref(&x), &output));
    }
}

fn test_unit_slice_rule(rng: &mut Rng, out: &mut Outputs) {
    let x = tracked(rng, &[5, 6]);
    let (row, column) = (rng.below(3), rng.below(4));
    let grad_output = Tensor::randn(&[2, 3], rng);
    gradients(out, &slice_rule(&grad_output, from_ref(&x), &[row..row + 2, column..column + 3]));
}

fn test_unit_map_rule(rng: &mut Rng, out: &mut Outputs) {
    let functions: [&dyn ElementwiseFunction; 8] =
        [&Exp, &Log, &Sqrt, &ReLU, &Sigmoid, &Tanh, &Gelu, &QuickGelu];
    for function in functions {
        let x = (Tensor::rand(&[4], rng) * 3.0 + 0.1).tracked();
        let y = Tensor::new(&x.to_vec().iter().map(|&x| function.at(x)).collect::<Vec<_>>(), &[4]);
        let grad_output = Tensor::randn(&[4], rng);
        gradients(out, &map_rule(function.kind(), &grad_output, from_ref(&x), &y));
    }
}
