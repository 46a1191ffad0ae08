//! Gradients of everything that lessons 01 to 04 offer, against central finite differences.
//!
//! Tolerance: 1e-3 of the slope, or of 1 where the slope is smaller. Values are `f32`, differences
//! are taken in `f64` over a step of 2^-7: rounding leaves about 6e-8 / 2^-7 = 8e-6 for each output,
//! curvature 2^-14 / 6 = 1e-5 times the third derivative, and a sum over n outputs about sqrt(n)
//! times as much. So 1e-3 leaves room for a few hundred outputs, and a rule that is wrong in a factor,
//! a sign or an index misses it by far.

use std::sync::{Arc, Weak};

use proptest::prelude::*;
use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Softmax, Tanh};
use tinytorch::autograd::{
    Backward, GradientRule, Gradients, check_gradient, custom, grad_for, no_grad, track,
};
use tinytorch::layers::{Dropout, Layer, Linear, Sequential};
use tinytorch::losses::{BinaryCrossEntropyLoss, CrossEntropyLoss, Loss, MSELoss, log_softmax};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::{assert_close, panic_message};

const TOLERANCE: f32 = 1e-3;

fn randn(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::seeded(seed))
}

/// `f` of each element, without a history.
fn mapped(x: &Tensor, f: impl Fn(f32) -> f32) -> Tensor {
    Tensor::new(&x.data().iter().map(|&x| f(x)).collect::<Vec<_>>(), x.shape())
}

/// Numbers that keep away from 0 by at least 0.2: no corner of a ReLU is near.
fn away_from_zero(shape: &[usize], seed: u64) -> Tensor {
    mapped(&randn(shape, seed), |x| x + 0.2_f32.copysign(x))
}

/// Different numbers, at least 0.25 apart: no two change places within a step.
fn apart(shape: &[usize], seed: u64) -> Tensor {
    let count = shape.iter().product();
    let mut numbers: Vec<f32> = (0..count).map(|i: usize| 0.25 * i as f32 - 1.0).collect();
    Rng::seeded(seed).shuffle(&mut numbers);
    Tensor::new(&numbers, shape)
}

fn check(function: impl Fn(&Tensor) -> Tensor, at: &Tensor) {
    check_gradient(|inputs| function(&inputs[0]), std::slice::from_ref(at), TOLERANCE);
}

fn check_two(function: impl Fn(&Tensor, &Tensor) -> Tensor, a: &Tensor, b: &Tensor) {
    let both = [a.clone(), b.clone()];
    check_gradient(|inputs| function(&inputs[0], &inputs[1]), &both, TOLERANCE);
}

#[test]
fn arithmetic_in_every_broadcast() {
    let shapes: [(&[usize], &[usize]); 12] = [
        (&[2, 3], &[2, 3]),
        (&[2, 3], &[3]),
        (&[3], &[2, 3]),
        (&[2, 3], &[2, 1]),
        (&[2, 3], &[1, 3]),
        (&[2, 1], &[1, 3]),
        (&[2, 3], &[]),
        (&[], &[2, 3]),
        (&[2, 3], &[1]),
        (&[4, 2, 3], &[2, 1]),
        (&[4, 1, 3], &[2, 3]),
        (&[2, 1, 3, 1], &[4, 1, 2]),
    ];
    for (seed, (a, b)) in (0_u64..).zip(shapes) {
        let (a, b) = (away_from_zero(a, seed), randn(b, seed + 100));
        let positive = mapped(&b, |x| x.abs() + 0.5);
        check_two(|a, b| a + b, &a, &b);
        check_two(|a, b| a - b, &a, &b);
        check_two(|a, b| a * b, &a, &b);
        check_two(|a, b| a / b, &a, &positive);
    }
    let x = away_from_zero(&[2, 3], 1);
    check(|x| -x, &x);
    check(|x| 2.0 - x * 3.0, &x);
    check(|x| (x + 1.0) / 4.0, &x);
    check(|x| 1.0 / (x * x + 1.0), &x);
}

#[test]
fn matrix_products_of_every_rank() {
    let shapes: [(&[usize], &[usize]); 10] = [
        (&[3], &[3]),
        (&[3], &[3, 4]),
        (&[2, 3], &[3]),
        (&[2, 3], &[3, 4]),
        (&[5, 2, 3], &[3]),
        (&[3], &[5, 3, 4]),
        (&[5, 2, 3], &[3, 4]),
        (&[2, 3], &[5, 3, 4]),
        (&[5, 2, 3], &[5, 3, 4]),
        (&[2, 1, 2, 3], &[5, 3, 2]),
    ];
    for (seed, (a, b)) in (0_u64..).zip(shapes) {
        check_two(|a, b| a.matmul(b), &randn(a, seed), &randn(b, seed + 100));
    }
    // Views on either side, and one tensor on both.
    check_two(|a, b| a.t().matmul(&b.t()), &randn(&[3, 2], 1), &randn(&[4, 3], 2));
    check(|a| a.matmul(a), &randn(&[3, 3], 3));
    check(|a| a.t().matmul(a), &randn(&[4, 3], 4));
}

#[test]
fn reductions_with_and_without_the_axis() {
    let x = randn(&[2, 3, 4], 1);
    check(|x| x.sum(), &x);
    check(|x| x.mean(), &x);
    let distinct = apart(&[2, 3, 4], 2);
    check(|x| x.max(), &distinct);
    for axis in 0..3 {
        for keepdim in [true, false] {
            check(|x| x.sum_axis(axis, keepdim), &x);
            check(|x| x.mean_axis(axis, keepdim), &x);
            check(|x| x.max_axis(axis, keepdim), &distinct);
        }
    }
    for axes in [&[0, 2][..], &[-1, -3], &[1, -1], &[0, 1, 2], &[]] {
        for keepdim in [true, false] {
            check(|x| x.sum_axis(axes, keepdim), &x);
            check(|x| x.mean_axis(axes, keepdim), &x);
            check(|x| x.max_axis(axes, keepdim), &distinct);
        }
    }
    // PyTorch's amax over both axes: three equal maxima get a third each, wherever they are.
    let ties = Tensor::new(&[5.0, 5.0, 5.0, 1.0], &[2, 2]).tracked();
    let gradient = ties.max_axis([0, 1], false).backward();
    let third = 1.0 / 3.0;
    assert_close(&gradient.get(&ties).unwrap().to_vec(), &[third, third, third, 0.0], 1e-6);
    // A corner has no slope; equal maxima split the upstream gradient.
    let ties = Tensor::new(&[2.0, 7.0, 7.0, 7.0], &[4]).tracked();
    let gradient = ties.max().backward();
    assert_close(
        &gradient.get(&ties).unwrap().to_vec(),
        &[0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
        1e-6,
    );
}

#[test]
fn shapes_axes_and_parts() {
    let x = randn(&[2, 3, 4], 1);
    check(|x| x.reshape(&[4, -1]) * 2.0, &x);
    check(|x| x.transpose(0, 2).reshape(&[-1]), &x);
    check(|x| x.t().transpose(0, 1), &x);
    check(|x| x.slice(&[0..2, 1..3, 2..3]), &x);
    check(|x| x.slice(&[1..2]), &x);
    check(|x| x.slice(&[0..0]).sum() + x.sum(), &x);
    for axis in 0..3 {
        check(|x| x.select(axis, 1), &x);
    }
    for order in [[1, 2, 0], [2, 0, 1], [0, -1, 1]] {
        check(|x| x.permute(&order).reshape(&[-1]), &x);
    }
    for axis in -3..3 {
        check(|x| x.index_select(axis, &[1, 0, 1]), &x);
        check(|x| x.index_select(axis, &[]).sum() + x.sum(), &x);
    }
    check(|x| x.t().index_select(0, &[1, 1, 1]), &x);
    // Overlapping parts meet again in one gradient.
    check(|x| x.slice(&[0..1]) * x.slice(&[1..2]) + x.slice(&[0..1]), &x);
}

#[test]
fn elementwise_functions_activations_and_what_is_composed_of_them() {
    let x = away_from_zero(&[3, 4], 1);
    let positive = mapped(&x, |x| x.abs() + 0.1);
    check(|x| x.exp(), &x);
    check(|x| x.log(), &positive);
    check(|x| x.sqrt(), &positive);
    check(|x| ReLU.forward(x), &x);
    check(|x| Sigmoid.forward(x), &x);
    check(|x| Tanh.forward(x), &x);
    check(|x| Gelu.forward(x), &x);
    check(|x| QuickGelu.forward(x), &x);
    for at in [&apart(&[3, 4], 2), &apart(&[2, 3, 2], 3)] {
        check(|x| Softmax::LAST.forward(x), at);
        let rank = at.ndim() as isize;
        for axis in -rank..rank {
            check(|x| Softmax { axis }.forward(x), at);
            check(|x| log_softmax(x, axis), at);
        }
    }
}

#[test]
fn what_is_mapped_over_a_tensor_is_what_its_history_names() {
    use tinytorch::tensor::{ElementwiseFunction, Exp, Log, Op, Sqrt};
    let functions: [(&dyn ElementwiseFunction, &str, f32); 8] = [
        (&Exp, "Exp", 2.0_f32.exp()),
        (&Log, "Log", 2.0_f32.ln()),
        (&Sqrt, "Sqrt", 2.0_f32.sqrt()),
        (&ReLU, "ReLU", 2.0),
        (&Sigmoid, "Sigmoid", 0.880_797_1),
        (&Tanh, "Tanh", 0.964_027_6),
        (&Gelu, "Gelu", 1.954_499_7),
        (&QuickGelu, "QuickGelu", 1.935_658_6),
    ];
    let two = Tensor::scalar(2.0).tracked();
    for (function, name, value) in functions {
        let result = two.map(function);
        assert_close(&[result.item()], &[value], 1e-6);
        let Some(Op::Map(kind)) = result.history().map(|history| history.op()) else {
            panic!("{name} is no Op::Map");
        };
        assert_eq!(format!("{kind:?}"), name);
    }
}

#[test]
fn what_a_mask_hides_gets_no_gradient_and_cannot_break_that_of_the_rest() {
    let x = randn(&[2, 3, 4], 1);
    for shape in [&[2, 3, 4][..], &[3, 1], &[4], &[2, 2, 3, 4]] {
        let mask = mapped(&randn(shape, 2), |x| f32::from(x > 0.3));
        check(|x| x.masked_fill(&mask, 0.5) * x, &x);
    }
    // Attention's use of it: scores of the future are -inf, and their probability is 0.
    let future = Tensor::new(&[0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], &[3, 3]);
    let hidden = |x: &Tensor| Softmax::LAST.forward(&x.masked_fill(&future, f32::NEG_INFINITY));
    check(hidden, &apart(&[2, 3, 3], 3));
    let broken = Tensor::new(&[1.0, f32::NAN, f32::INFINITY], &[3]).tracked();
    let mask = Tensor::new(&[0.0, 1.0, 1.0], &[3]).tracked();
    let gradients = broken.masked_fill(&mask, 2.0).log().sum().backward();
    assert_eq!(gradients.get(&broken).unwrap().to_vec(), [1.0, 0.0, 0.0]);
    assert!(gradients.get(&mask).is_none(), "a mask is no number that could be learned");
}

#[test]
fn a_row_that_is_looked_up_twice_gets_both_gradients() {
    let table = randn(&[4, 2], 1).tracked();
    let upstream = Tensor::new(&[1.0, 2.0, 10.0, 20.0, 100.0, 200.0], &[3, 2]);
    let gradients = table.index_select(0, &[3, 1, 3]).backward_with(&upstream);
    let wanted = [0.0, 0.0, 10.0, 20.0, 0.0, 0.0, 101.0, 202.0];
    assert_eq!(gradients.get(&table).unwrap().to_vec(), wanted);
    let empty = Tensor::zeros(&[3, 0]).tracked();
    let gradients = empty.index_select(0, &[1, 1]).sum().backward();
    assert_eq!(gradients.get(&empty).unwrap().shape(), [3, 0]);
}

#[test]
fn losses() {
    let (prediction, target) = (apart(&[4, 3], 1), randn(&[4, 3], 2));
    check_two(|p, t| MSELoss.forward(p, t), &prediction, &target);
    let classes = Tensor::new(&[0.0, 2.0, 1.0, 2.0], &[4]);
    check(|p| CrossEntropyLoss.forward(p, &classes), &prediction);
    let steps = apart(&[2, 3, 2], 4);
    let targets = Tensor::new(&[0.0, 2.0, -100.0, 1.0], &[2, 2]);
    check(|p| CrossEntropyLoss.forward(p, &targets), &steps);
    let probability = mapped(&Tensor::rand(&[6], &mut Rng::seeded(3)), |p| 0.1 + 0.8 * p);
    let yes_or_no = Tensor::new(&[0.0, 1.0, 1.0, 0.0, 1.0, 0.0], &[6]);
    check(|p| BinaryCrossEntropyLoss.forward(p, &yes_or_no), &probability);

    // The well-known closed form: (softmax - one_hot) / B.
    let scores = prediction.tracked();
    let gradients = CrossEntropyLoss.forward(&scores, &classes).backward();
    let mut expected = Softmax::LAST.forward(&scores).to_vec();
    for (row, class) in [0, 2, 1, 2].into_iter().enumerate() {
        expected[3 * row + class] -= 1.0;
    }
    expected.iter_mut().for_each(|x| *x /= 4.0);
    assert_close(&gradients.get(&scores).unwrap().to_vec(), &expected, 1e-6);
}

#[test]
fn layers_with_weights_and_with_chance() {
    let x = away_from_zero(&[4, 3], 1);
    let linear = |x: &Tensor, w: &Tensor, b: &Tensor| {
        let mut layer = Linear::new(3, 2, &mut Rng::seeded(0));
        layer.weight = w.clone();
        layer.bias = Some(b.clone());
        layer.forward(x)
    };
    let inputs = [x.clone(), randn(&[3, 2], 2), randn(&[2], 3)];
    check_gradient(|i| linear(&i[0], &i[1], &i[2]), &inputs, TOLERANCE);
    let stack = [randn(&[2, 4, 3], 4), randn(&[3, 2], 5), randn(&[2], 6)];
    check_gradient(|i| linear(&i[0], &i[1], &i[2]), &stack, TOLERANCE);

    // A new layer with the same seed draws the same mask, so the referee sees one function.
    let dropout = |x: &Tensor| Dropout::new(0.5, Rng::seeded(7)).unwrap().forward(x);
    check(dropout, &x);
    let tracked = x.tracked();
    let gradients = dropout(&tracked).sum().backward();
    let slopes = gradients.get(&tracked).unwrap().to_vec();
    assert!(slopes.iter().all(|&slope| slope == 0.0 || slope == 2.0), "{slopes:?}");
    assert!(slopes.contains(&0.0) && slopes.contains(&2.0));
}

#[test]
fn a_network_of_lessons_03_and_04_trains_without_an_edit() {
    let mut rng = Rng::seeded(5);
    let mut model = Sequential::new(vec![
        Box::new(Linear::new(2, 8, &mut rng)),
        Box::new(Tanh),
        Box::new(Dropout::new(0.1, Rng::seeded(1)).unwrap()),
        Box::new(Linear::new(8, 2, &mut rng)),
    ]);
    track(model.parameters_mut());
    let x = Tensor::new(&[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], &[4, 2]);
    let xor = Tensor::new(&[0.0, 1.0, 1.0, 0.0], &[4]);
    for _ in 0..300 {
        let gradients = CrossEntropyLoss.forward(&model.forward(&x), &xor).backward();
        assert_eq!(gradients.len(), 4);
        for parameter in model.parameters_mut() {
            let gradient = gradients.get(parameter).unwrap();
            parameter.array_mut().scaled_add(-0.5, gradient.array());
        }
    }
    model.set_training(false);
    assert_eq!(no_grad(|| model.forward(&x)).argmax_axis(1), [0, 1, 1, 0]);
}

/// `x^3`, as an operation of a later lesson: it keeps nothing but a token that tells when it is gone.
struct Cube(#[expect(dead_code, reason = "held only to be dropped")] Arc<()>);

impl GradientRule for Cube {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _: &Tensor,
    ) -> Vec<Option<Tensor>> {
        let x = &inputs[0];
        vec![grad_for(x, || grad_output * &(x * x) * 3.0)]
    }
}

fn cube(x: &Tensor) -> (Tensor, Weak<()>) {
    let token = Arc::new(());
    let gone = Arc::downgrade(&token);
    let values = (x * x * x).array().clone();
    (custom("cube", values, &[x], Cube(token)), gone)
}

#[test]
fn an_operation_brings_its_rule() {
    check(|x| cube(x).0, &randn(&[3, 2], 1));
    check(|x| (cube(&(x * 2.0)).0 + x).sum(), &randn(&[3], 2));
}

#[test]
fn a_rule_with_a_wrong_answer_is_named() {
    struct Wrong(Vec<Option<Tensor>>);
    impl GradientRule for Wrong {
        fn gradients(&self, _: &Tensor, _: &[Tensor], _: &Tensor) -> Vec<Option<Tensor>> {
            self.0.clone()
        }
    }
    let x = randn(&[2, 3], 1).tracked();
    let run = |answer| {
        let result = custom("twist", x.array().clone(), &[&x], Wrong(answer)).sum();
        panic_message(|| result.backward())
    };
    assert_eq!(run(vec![]), "backward: the rule of `twist` returned 0 gradients for 1 inputs");
    let text = run(vec![Some(Tensor::zeros(&[3, 2]))]);
    let named = "`twist` returned a gradient of shape (3, 2) for input 0 of shape (2, 3)";
    assert!(text.contains(named), "{text}");
}

#[test]
fn the_graph_goes_with_the_loss_and_a_second_call_finds_the_same() {
    let x = randn(&[3], 1).tracked();
    let (middle, gone) = cube(&x);
    let loss = middle.sum();
    drop(middle);
    let (first, second) = (loss.backward(), loss.backward());
    assert_eq!(first.get(&x).unwrap().to_vec(), second.get(&x).unwrap().to_vec());
    assert!(gone.upgrade().is_some(), "the loss holds its history");
    drop(loss);
    assert!(gone.upgrade().is_none(), "gradients do not");
    assert!(!first.get(&x).unwrap().is_tracked());
}

#[test]
fn a_hundred_thousand_operations_are_differentiated_and_dropped() {
    let x = Tensor::scalar(1.0).tracked();
    let mut chain = x.clone();
    for step in 0..100_000 {
        chain = if step % 2 == 0 { chain + 1.0 } else { chain - 1.0 };
    }
    assert_eq!(chain.backward().get(&x).unwrap().item(), 1.0);

    // Every result used twice: 2^60 ways lead back, and each node is still visited once.
    let mut doubled = x.clone();
    for _ in 0..60 {
        doubled = &doubled + &doubled;
    }
    assert_eq!(doubled.backward().get(&x).unwrap().item(), 2.0_f32.powi(60));
}

#[test]
fn no_grad_keeps_nothing_and_ends_when_it_should() {
    let x = randn(&[3], 1).tracked();
    no_grad(|| {
        no_grad(|| ());
        assert!(!(&x * 2.0).is_tracked(), "an inner no_grad does not end the outer one");
    });
    assert!((&x * 2.0).is_tracked());
    panic_message(|| no_grad(|| panic!("inside")));
    assert!((&x * 2.0).is_tracked(), "a panic inside ends it too");
    let text = panic_message(|| no_grad(|| x.sum()).backward());
    assert!(text.contains("no history") && text.contains("no_grad"), "{text}");
}

proptest! {
    /// Random programs: operations in random order over two inputs, checked as a whole.
    #[test]
    fn random_programs_agree_with_central_differences(
        steps in prop::collection::vec((0_u8..8, any::<bool>()), 1..6),
        seed in 0_u64..1000,
    ) {
        let program = |inputs: &[Tensor]| {
            let (mut a, mut b) = (inputs[0].clone(), inputs[1].clone());
            for (step, swap) in &steps {
                let next = match step {
                    0 => &a + &b,
                    1 => &a - &b,
                    2 => &a * &b,
                    3 => &a / &(&b * &b + 1.0),
                    4 => Tanh.forward(&a).matmul(&b.t()).mean_axis(1, true) + &a,
                    5 => Sigmoid.forward(&a),
                    6 => a.sum_axis(0, true) * 0.5 + &b,
                    _ => a.reshape(&[3, 2]).t().reshape(&[2, 3]) + &b,
                };
                // Bounded, so that no program leaves the range where f32 differences mean something; and
                // flat, because central differences are off by step^2 / 6 times the third derivative.
                a = Tanh.forward(&(next * 0.5));
                if *swap {
                    std::mem::swap(&mut a, &mut b);
                }
            }
            a + b
        };
        let inputs = [randn(&[2, 3], seed), randn(&[2, 3], seed + 1000)];
        check_gradient(program, &inputs, 5.0 * TOLERANCE);
    }
}

#[test]
fn a_parameter_that_was_computed_is_refused() {
    let w = Tensor::ones(&[2, 3]).tracked();
    let (mut first, mut halved) = (Tensor::ones(&[3]), &w * 0.5);
    let message = panic_message(|| track(vec![&mut first, &mut halved]));
    assert!(message.contains("parameter 1 of shape (2, 3) was computed"), "{message}");
    let mut own = halved.detach();
    track(vec![&mut first, &mut own]);
    assert!(first.is_tracked() && own.is_tracked());
}

#[test]
fn clones_of_one_tensor_are_not_tied_by_accident() {
    let w = Tensor::ones(&[2]);
    let (mut a, mut b, mut bias) = (w.clone(), w.clone(), Tensor::ones(&[2]));
    let message = panic_message(|| track(vec![&mut a, &mut bias, &mut b]));
    assert!(message.contains("parameters 0 and 2 share their numbers"), "{message}");
    // Tracked each by itself, or one of them: two ids, so two parameters.
    let (mut a, mut b) = (w.clone().tracked(), w.clone().tracked());
    for other in [&mut b, &mut w.clone()] {
        let message = panic_message(|| track(vec![&mut a, other]));
        assert!(message.contains("parameters 0 and 1 share their numbers"), "{message}");
    }
    // A clone of what is tracked has the same id: tied on purpose.
    let mut tied = a.clone();
    track(vec![&mut a, &mut tied]);
    // Tensors without elements share nothing.
    track(vec![&mut Tensor::zeros(&[0]), &mut Tensor::zeros(&[0])]);
}

#[test]
fn a_product_without_elements_has_gradients_of_zeros() {
    for (a, b) in [([2, 3, 0], vec![0, 4]), ([2, 3, 4], vec![4, 0]), ([0, 3, 4], vec![4, 2])] {
        let (a, b) = (Tensor::ones(&a).tracked(), Tensor::ones(&b).tracked());
        let gradients = a.matmul(&b).sum().backward();
        for input in [&a, &b] {
            let gradient = gradients.get(input).expect("a gradient");
            assert_eq!(gradient.shape(), input.shape());
            assert!(gradient.to_vec().iter().all(|&value| value == 0.0));
        }
    }
}

#[test]
fn sums_and_the_gradient_of_a_bias_keep_their_digits_however_many_rows_there_are() {
    // One after the other, 2^20 times 0.1 is off by a thousandth: each 0.1 is small beside the sum so far.
    const ROWS: usize = 1 << 20;
    let exact = ROWS as f32 * 0.1;
    let rows = Tensor::full(&[ROWS, 2], 0.1);
    let agrees = |what: &str, sums: Vec<f32>, wanted: f32| {
        let off = sums.iter().map(|sum| (sum - wanted).abs() / wanted).fold(0.0, f32::max);
        assert!(off < 1e-6, "{what}: {sums:?}, exact is {wanted}");
    };
    agrees("sum_axis(0)", rows.sum_axis(0, false).to_vec(), exact);
    agrees("sum_axis(-2)", rows.t().sum_axis(-1, false).to_vec(), exact);
    agrees("sum_axis([0, 1])", rows.sum_axis([0, 1], false).to_vec(), 2.0 * exact);
    agrees("sum", vec![rows.sum().item()], 2.0 * exact);
    let layer = Linear::new(1, 2, &mut Rng::seeded(1));
    let bias = Tensor::zeros(&[2]).tracked();
    let y = Linear { bias: Some(bias.clone()), ..layer }.forward(&Tensor::zeros(&[ROWS, 1]));
    let gradient = y.backward_with(&rows).get(&bias).map(Tensor::to_vec).unwrap_or_default();
    agrees("the gradient of Linear's bias", gradient, exact);
}

#[test]
fn writing_in_place_between_the_passes_does_not_change_a_gradient() {
    let mut x = Tensor::scalar(3.0).tracked();
    let y = &x * &x;
    x.array_mut().fill(5.0);
    let gradient = y.backward().get(&x).map(Tensor::item);
    assert_eq!(gradient, Some(6.0), "y was computed at 3");
}

#[test]
fn the_tape_and_tensors_find_the_same_gradients() {
    use tinytorch::autograd::{ScalarOp, Tape};
    let mut tape = Tape::default();
    let mut number = |value| (tape.record(ScalarOp::Leaf(value)), Tensor::scalar(value).tracked());
    let leaves: Vec<(usize, Tensor)> = [1.5, -2.0, 0.5].map(&mut number).into();
    let mut all = leaves.clone();
    for step in 0..12 {
        let (a, b) = (all[step * 2 % all.len()].clone(), all[all.len() - 1].clone());
        let made = if step % 3 == 0 {
            (tape.record(ScalarOp::Mul(a.0, b.0)), &a.1 * &b.1)
        } else {
            (tape.record(ScalarOp::Add(a.0, b.0)), &a.1 + &b.1)
        };
        all.push(made);
    }
    let (place, result) = all.last().expect("numbers were made");
    let (on_tape, of_tensors) = (tape.gradients(*place), result.backward());
    for (place, leaf) in &leaves {
        let wanted = of_tensors.get(leaf).map_or(0.0, Tensor::item);
        assert_close(&[on_tape[*place]], &[wanted], 1e-3 * wanted.abs().max(1.0));
    }
}

#[test]
fn gradients_can_be_built_of_pairs() {
    let (w, other) = (Tensor::scalar(1.0).tracked(), Tensor::scalar(2.0).tracked());
    let pairs = w.id().map(|id| (id, Tensor::scalar(7.0)));
    let gradients: Gradients = pairs.into_iter().collect();
    assert_eq!(gradients.get(&w).map(Tensor::item), Some(7.0));
    assert!(gradients.get(&other).is_none());
}

#[test]
fn gradients_of_two_halves_added_and_halved_are_those_of_the_whole_batch() {
    let mut model = Linear::new(2, 2, &mut Rng::seeded(1));
    track(model.parameters_mut());
    let (x, target) = (randn(&[4, 2], 2), randn(&[4, 2], 3));
    let part = |from: usize, to: usize| {
        let (x, target) = (x.slice(&[from..to, 0..2]), target.slice(&[from..to, 0..2]));
        MSELoss.forward(&model.forward(&x), &target).backward()
    };
    let (mut halves, whole) = (part(0, 2), part(0, 4));
    halves.add(part(2, 4));
    halves.scale(0.5);
    assert_eq!(halves.len(), 2, "a weight and a bias");
    for ((id, got), (other, want)) in halves.iter().zip(whole.iter()) {
        assert_eq!(id, other);
        assert_close(&got.to_vec(), &want.to_vec(), 1e-5);
    }
}
