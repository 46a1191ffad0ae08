//! One training step of a 64-32-10 network, batch 32, on this engine and on PyTorch.
//!
//!     cargo bench -p tinytorch --bench mlp_step
//!
//! PyTorch runs in the Python that `TORCH_PYTHON` names, else `python3`; without PyTorch only the engine's figure is
//! printed. Nothing is asserted: it prints what it measured.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

use std::env;
use std::path::Path;
use std::process::Command;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, track};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::optimizers::{Optimizer, SGD};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Timing, time};

const STEPS: usize = 3000;

fn engine_step() -> Timing {
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
    time(STEPS, || {
        let gradients = CrossEntropyLoss.forward(&model.forward(&x), &y).backward();
        optimizer.step(model.parameters_mut(), &gradients);
    })
}

/// The median in seconds, or why there is none.
fn pytorch_step() -> Result<f64, String> {
    let python = env::var("TORCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/mlp_step.py");
    let output = Command::new(&python)
        .arg(&script)
        .output()
        .map_err(|error| format!("{python} does not start: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{python}: {}", stderr.lines().last().unwrap_or("failed")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("{python} printed no number: {text}"))
}

fn main() {
    let engine = engine_step();
    let micro = |seconds: f64| seconds * 1e6;
    println!(
        "this engine: {:.1} us a step ({:.1} to {:.1}), median of {STEPS}",
        micro(engine.median),
        micro(engine.low),
        micro(engine.high)
    );
    match pytorch_step() {
        Ok(pytorch) => {
            println!("PyTorch:     {:.1} us a step", micro(pytorch));
            println!("ratio:       {:.2} times as fast", pytorch / engine.median);
        }
        Err(reason) => println!(
            "no ratio, because PyTorch does not run ({reason}). Set TORCH_PYTHON to a Python that has it."
        ),
    }
}
