//! What the optimizers refuse, and tied weights: training must not fail silently.

use tinytorch::autograd::{Backward, Gradients, track};
use tinytorch::optimizers::{Adam, AdamW, Optimizer, SGD};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::panic_message;

fn optimizers() -> [Box<dyn Optimizer>; 4] {
    let momentum = SGD::new(0.1).momentum(0.9);
    [
        Box::new(SGD::new(0.1)),
        Box::new(momentum),
        Box::new(Adam::new(0.1)),
        Box::new(AdamW::new(0.1)),
    ]
}

#[test]
fn a_parameter_that_was_never_tracked_is_refused() {
    for mut optimizer in optimizers() {
        let (mut w, mut forgotten) = (Tensor::ones(&[2]).tracked(), Tensor::ones(&[3]));
        let gradients = w.sum().backward();
        let message = panic_message(|| optimizer.step(vec![&mut w, &mut forgotten], &gradients));
        assert!(message.contains("parameter 1 of shape [3] is not tracked"), "{message}");
        assert_eq!(w.to_vec(), [1.0, 1.0], "a step that is refused changes nothing");
    }
}

#[test]
fn a_parameter_that_was_replaced_by_a_result_is_refused() {
    for mut optimizer in optimizers() {
        let mut w = Tensor::ones(&[2]).tracked();
        w = &w - &(&w * 0.01);
        let message = panic_message(|| optimizer.step(vec![&mut w], &Gradients::default()));
        assert!(message.contains("parameter 0 of shape [2] was computed"), "{message}");
    }
}

#[test]
fn tied_weights_stay_tied_and_train_as_one() {
    let mut rng = Rng::seeded(3);
    let x = Tensor::randn(&[8, 4], &mut rng);
    let start = Tensor::randn(&[4, 4], &mut rng);
    let loss = |first: &Tensor, second: &Tensor| {
        let y = x.matmul(first).matmul(second) - &x;
        (&y * &y).mean()
    };
    for (mut tied, mut single) in optimizers().into_iter().zip(optimizers()) {
        let mut encoder = start.clone().tracked();
        let mut decoder = encoder.clone();
        track(vec![&mut encoder, &mut decoder]);
        let mut shared = start.clone().tracked();
        for _ in 0..10 {
            let gradients = loss(&encoder, &decoder).backward();
            tied.step(vec![&mut encoder, &mut decoder], &gradients);
            let gradients = loss(&shared, &shared).backward();
            single.step(vec![&mut shared], &gradients);
        }
        assert_ne!(encoder.to_vec(), start.to_vec());
        assert_eq!(encoder.to_vec(), decoder.to_vec());
        assert_eq!(encoder.to_vec(), shared.to_vec());
    }
}

#[test]
fn settings_that_are_negative_or_not_finite_are_refused() {
    let cases: [(fn(), &str); 6] = [
        (|| drop(SGD::new(-1.0)), "learning rate"),
        (|| drop(SGD::new(0.1).momentum(1.0)), "momentum"),
        (|| drop(SGD::new(0.1).weight_decay(-1.0)), "weight_decay"),
        (|| drop(Adam::new(0.1).weight_decay(f32::NAN)), "weight_decay"),
        (|| drop(Adam::new(0.1).epsilon(f32::NAN)), "epsilon"),
        (|| drop(AdamW::new(0.1).weight_decay(f32::INFINITY)), "weight_decay"),
    ];
    for (make, name) in cases {
        let message = panic_message(make);
        assert!(message.contains(name) && message.contains("got"), "{name}: {message}");
    }
}
