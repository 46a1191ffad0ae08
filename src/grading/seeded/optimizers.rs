//! Outputs of the optimizers module's cells.

use subject::{
    Adam, AdamW, OptimizerState, SGD, Slot, bias_correction, descend, settled, update_average,
    update_velocity, visit, with_decay,
};
use tinytorch::autograd::Backward;
use tinytorch::optimizers as subject;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_descend", test_unit_descend),
    ("test_unit_visit", test_unit_visit),
    ("test_unit_with_decay", test_unit_with_decay),
    ("test_unit_update_velocity", test_unit_update_velocity),
    ("test_unit_sgd", test_unit_sgd),
    ("test_unit_update_average", test_unit_update_average),
    ("test_unit_bias_correction", test_unit_bias_correction),
    ("test_unit_adam_direction", test_unit_adam_direction),
    ("test_unit_adam", test_unit_adam),
    ("test_unit_adamw", test_unit_adamw),
    ("test_unit_state_check", test_unit_state_check),
    ("test_unit_settled", test_unit_settled),
];

fn pair(rng: &mut Rng) -> [Tensor; 2] {
    [(); 2].map(|()| Tensor::randn(&[2, 3], rng))
}

/// The parameter after each of several steps.
fn steps(rng: &mut Rng, out: &mut Outputs, mut update: impl FnMut(usize, &mut Tensor, &Tensor)) {
    let [mut first, mut second] = pair(rng);
    for _ in 0..4 {
        let gradients = pair(rng);
        update(0, &mut first, &gradients[0]);
        update(1, &mut second, &gradients[1]);
        out.array("first", first.array());
        out.array("second", second.array());
    }
}

fn test_unit_descend(rng: &mut Rng, out: &mut Outputs) {
    let [mut parameter, direction] = pair(rng);
    descend(&mut parameter, &direction, rng.uniform());
    out.array("parameter", parameter.array());
}

fn test_unit_visit(rng: &mut Rng, out: &mut Outputs) {
    let [mut a, mut b, mut idle] = [(); 3].map(|()| Tensor::scalar(rng.normal()).tracked());
    let gradients = (&a * &b * 3.0).backward();
    visit(vec![&mut a, &mut idle, &mut b], &gradients, |position, parameter, gradient| {
        out.counts("position", [position]);
        out.numbers("parameter and gradient", [parameter.item(), gradient.item()]);
    });
}

fn test_unit_with_decay(rng: &mut Rng, out: &mut Outputs) {
    let [gradient, parameter] = pair(rng);
    out.array("gradient", with_decay(&gradient, &parameter, rng.uniform()).array());
    out.array("without", with_decay(&gradient, &parameter, 0.0).array());
}

fn test_unit_update_velocity(rng: &mut Rng, out: &mut Outputs) {
    let [mut velocity, gradient] = pair(rng);
    update_velocity(&mut velocity, &gradient, rng.uniform());
    out.array("velocity", velocity.array());
}

fn test_unit_sgd(rng: &mut Rng, out: &mut Outputs) {
    let mut plain = SGD::new(rng.uniform());
    steps(rng, out, |at, parameter, gradient| plain.update(at, parameter, gradient));
    let mut all = SGD::new(rng.uniform()).momentum(0.9).weight_decay(0.1);
    steps(rng, out, |at, parameter, gradient| all.update(at, parameter, gradient));
}

fn test_unit_update_average(rng: &mut Rng, out: &mut Outputs) {
    let [mut average, gradient] = pair(rng);
    update_average(&mut average, &gradient, rng.uniform(), |x| x * x + 1.0);
    out.array("average", average.array());
}

fn test_unit_bias_correction(rng: &mut Rng, out: &mut Outputs) {
    for steps in [1, 2, 10, 100_000] {
        out.number("correction", bias_correction(0.8 + rng.uniform() / 10.0, steps));
    }
}

fn test_unit_adam_direction(rng: &mut Rng, out: &mut Outputs) {
    let zeros = || Tensor::zeros(&[2, 3]);
    let mut slot = Slot { steps: 0, buffers: vec![zeros(), zeros()] };
    for _ in 0..3 {
        let [gradient, _] = pair(rng);
        out.array("direction", slot.adam_direction(&gradient, (0.7, 0.95), 1e-3).array());
        slot.buffers.iter().for_each(|it| out.array("buffer", it.array()));
    }
    out.counts("steps", [slot.steps as usize]);
}

fn test_unit_adam(rng: &mut Rng, out: &mut Outputs) {
    let mut adam = Adam::new(rng.uniform() / 10.0).weight_decay(0.1);
    steps(rng, out, |at, parameter, gradient| adam.update(at, parameter, gradient));
}

fn test_unit_adamw(rng: &mut Rng, out: &mut Outputs) {
    let mut adam = AdamW::new(rng.uniform() / 10.0).weight_decay(0.2);
    steps(rng, out, |at, parameter, gradient| adam.update(at, parameter, gradient));
}

fn test_unit_state_check(rng: &mut Rng, out: &mut Outputs) {
    let shape = [2 + rng.below(4), 2 + rng.below(4)];
    let parameter = Tensor::zeros(&shape);
    for (kind, shape, buffers, slots) in [
        ("Adam", shape, 2, 1),
        ("SGD", shape, 2, 1),
        ("Adam", [shape[0] + 1, shape[1]], 2, 1),
        ("Adam", shape, 1, 1),
        ("Adam", shape, 2, 2),
        ("Adam", shape, 0, 1),
    ] {
        let slot =
            || Slot { steps: 1, buffers: (0..buffers).map(|_| Tensor::zeros(&shape)).collect() };
        let slots = (0..slots).map(|_| slot()).collect();
        let state = OptimizerState { kind: kind.to_owned(), learning_rate: 0.1, slots };
        out.text("check", &format!("{:?}", state.check("Adam", 2, &[&parameter])));
    }
}

fn test_unit_settled(rng: &mut Rng, out: &mut Outputs) {
    for count in [0, 1, 8, 20] {
        let losses: Vec<f64> =
            (0..count).map(|step| f64::from(rng.uniform()) * 20.0 / (1 + step) as f64).collect();
        for limit in [0.5, 2.0, 30.0] {
            out.counts("step", [settled(&losses, limit).map_or(99, |step| step)]);
        }
    }
}
