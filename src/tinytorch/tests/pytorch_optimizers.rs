//! The optimizers go where PyTorch's go: 20 steps on fixed inputs, every number within 1e-5. The
//! numbers were recorded by `fixtures/make_pytorch_optimizers.py`.

mod kernels;

use kernels::on_every_kernel;
use serde::Deserialize;
use tinytorch::autograd::{Backward, Gradients};
use tinytorch::optimizers::{Adam, AdamW, Optimizer, SGD};
use tinytorch::tensor::Tensor;
use tinytorch::testing::assert_close;

const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Fixture {
    weight: Vec<f32>,
    bias: Vec<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
    gradients: Vec<(Vec<f32>, Option<Vec<f32>>)>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    lr: f32,
    momentum: f32,
    weight_decay: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    given: Vec<(Vec<f32>, Vec<f32>)>,
    regression: Regression,
}

#[derive(Deserialize)]
struct Regression {
    losses: Vec<f32>,
    end: (Vec<f32>, Vec<f32>),
}

impl Fixture {
    fn load() -> Self {
        serde_json::from_str(include_str!("fixtures/pytorch_optimizers.json"))
            .expect("the fixture is JSON")
    }

    fn parameters(&self) -> (Tensor, Tensor) {
        let weight = Tensor::new(&self.weight, &[2, 3]).tracked();
        (weight, Tensor::new(&self.bias, &[3]).tracked())
    }
}

impl Case {
    fn optimizer(&self) -> Box<dyn Optimizer> {
        let Self { lr, momentum, weight_decay, beta1, beta2, eps, .. } = *self;
        match self.kind.as_str() {
            "SGD" => Box::new(SGD::new(lr).momentum(momentum).weight_decay(weight_decay)),
            "Adam" => {
                let adam = Adam::new(lr).betas(beta1, beta2).epsilon(eps);
                Box::new(adam.weight_decay(weight_decay))
            }
            "AdamW" => {
                let adamw = AdamW::new(lr).betas(beta1, beta2).epsilon(eps);
                Box::new(adamw.weight_decay(weight_decay))
            }
            other => panic!("the fixture holds an optimizer that this test does not know: {other}"),
        }
    }
}

/// A loss whose gradient is exactly the one given: the sum of the parameters, weighted by it.
fn gradients_of(pairs: &[(&Tensor, &Option<Vec<f32>>)]) -> Gradients {
    let mut all = Gradients::default();
    for (parameter, gradient) in pairs {
        if let Some(gradient) = gradient {
            all.add(parameter.backward_with(&Tensor::new(gradient, parameter.shape())));
        }
    }
    all
}

#[test]
fn given_gradients_lead_to_the_same_places() {
    let fixture = Fixture::load();
    assert_eq!(fixture.cases.len(), 9);
    for case in &fixture.cases {
        let (mut weight, mut bias) = fixture.parameters();
        let mut optimizer = case.optimizer();
        assert_eq!((fixture.gradients.len(), case.given.len()), (20, 20));
        for ((for_weight, for_bias), expected) in fixture.gradients.iter().zip(&case.given) {
            let for_weight = Some(for_weight.clone());
            let gradients = gradients_of(&[(&weight, &for_weight), (&bias, for_bias)]);
            optimizer.step(vec![&mut weight, &mut bias], &gradients);
            println!("{}", case.name);
            assert_close(&weight.to_vec(), &expected.0, TOLERANCE);
            assert_close(&bias.to_vec(), &expected.1, TOLERANCE);
        }
    }
}

#[test]
fn a_regression_trains_along_the_same_losses() {
    let fixture = Fixture::load();
    let (x, y) = (Tensor::new(&fixture.x, &[8, 2]), Tensor::new(&fixture.y, &[8, 3]));
    for case in &fixture.cases {
        let (mut weight, mut bias) = fixture.parameters();
        let mut optimizer = case.optimizer();
        let mut losses = Vec::new();
        for _ in 0..20 {
            let error = x.matmul(&weight) + &bias - &y;
            let loss = (&error * &error).mean();
            losses.push(loss.item());
            optimizer.step(vec![&mut weight, &mut bias], &loss.backward());
        }
        println!("{}", case.name);
        assert_close(&losses, &case.regression.losses, TOLERANCE);
        assert_close(&weight.to_vec(), &case.regression.end.0, TOLERANCE);
        assert_close(&bias.to_vec(), &case.regression.end.1, TOLERANCE);
    }
}

#[test]
fn a_state_saved_half_way_leads_to_the_same_end() {
    let fixture = Fixture::load();
    for case in &fixture.cases {
        let (mut weight, mut bias) = fixture.parameters();
        let mut optimizer = case.optimizer();
        for (step, (for_weight, for_bias)) in fixture.gradients.iter().enumerate() {
            if step == 10 {
                let saved = optimizer.state();
                optimizer = case.optimizer();
                optimizer.load_state(saved, &[&weight, &bias]).unwrap();
            }
            let for_weight = Some(for_weight.clone());
            let gradients = gradients_of(&[(&weight, &for_weight), (&bias, for_bias)]);
            optimizer.step(vec![&mut weight, &mut bias], &gradients);
        }
        println!("{}", case.name);
        let (end_weight, end_bias) = &case.given[19];
        assert_close(&weight.to_vec(), end_weight, TOLERANCE);
        assert_close(&bias.to_vec(), end_bias, TOLERANCE);
    }
}

#[test]
fn the_kernels_of_lesson_18_agree_with_pytorch_too() {
    on_every_kernel(&[
        given_gradients_lead_to_the_same_places,
        a_regression_trains_along_the_same_losses,
        a_state_saved_half_way_leads_to_the_same_end,
    ]);
}
