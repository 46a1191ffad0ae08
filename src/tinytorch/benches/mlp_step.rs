//! One training step of a 64-32-10 network, batch 32, on this engine and on PyTorch.
//!
//!     TORCH_PYTHON=python3 cargo bench -p tinytorch --bench mlp_step
//!
//! Without PyTorch only the engine's figure is printed. Nothing is asserted: it prints what it measured.

mod pytorch;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, track};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::optimizers::{Optimizer, SGD};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;

fn main() {
    let mut rng = Rng::seeded(0);
    let mut model = Sequential::new(vec![
        Box::new(Linear::new(64, 32, &mut rng)),
        Box::new(ReLU),
        Box::new(Linear::new(32, 10, &mut rng)),
    ]);
    track(model.parameters_mut());
    let mut optimizer = SGD::new(0.01);
    let x = Tensor::randn(&[32, 64], &mut rng);
    let classes: Vec<f32> = (0..32).map(|_| rng.below(10) as f32).collect();
    let y = Tensor::new(&classes, &[32]);
    pytorch::PyTorch::start("mlp_step.py", 1).compare("step", 1000, || {
        let gradients = CrossEntropyLoss.forward(&model.forward(&x), &y).backward();
        optimizer.step(model.parameters_mut(), &gradients);
    });
}
