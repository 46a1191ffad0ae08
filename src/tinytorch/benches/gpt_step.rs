//! One training step of a GPT on this engine and on PyTorch: 2 layers, 64 dimensions, 4 heads, batch 16, length 32,
//! a vocabulary of 512, AdamW.
//!
//!     TORCH_PYTHON=python3 cargo bench -p tinytorch --bench gpt_step
//!
//! Without PyTorch only the engine's figure is printed. Nothing is asserted: it prints what it measured.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

mod pytorch;

use pytorch::PyTorch;
use std::sync::Arc;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::autograd::{Backward, track};
use tinytorch::backend::{Backend, keep_freed_memory, with_backend};
use tinytorch::embeddings::ids_tensor;
use tinytorch::layers::Layer;
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::optimizers::{AdamW, Optimizer};
use tinytorch::random::Rng;
use tinytorch::tensor::Tensor;
use tinytorch::transformers::{Gpt, GptConfig};

const BATCH: usize = 16;
const CONFIG: GptConfig = GptConfig { vocab_size: 512, context: 32, dim: 64, layers: 2, heads: 4 };

fn main() {
    keep_freed_memory();
    let mut rng = Rng::seeded(0);
    let mut model = Gpt::new(CONFIG, &mut rng);
    track(model.parameters_mut());
    let mut optimizer = AdamW::new(1e-3);
    let tokens = BATCH * CONFIG.context;
    let mut random_ids = || (0..tokens).map(|_| rng.below(CONFIG.vocab_size) as u32).collect();
    let (inputs, targets): (Vec<u32>, Vec<u32>) = (random_ids(), random_ids());
    let inputs = ids_tensor(&inputs, &[BATCH, CONFIG.context]);
    let targets: Tensor = ids_tensor(&targets, &[tokens]);
    let mut step = || {
        let logits = Layer::forward(&model, &inputs);
        let gradients = CrossEntropyLoss.forward(&logits, &targets).backward();
        optimizer.step(model.parameters_mut(), &gradients);
    };
    for threads in [1, 2] {
        let mut pytorch = PyTorch::start("gpt_step.py", threads);
        let backend = OptimizedBackend::detect().with_threads(threads);
        println!("on {}:", backend.name());
        with_backend(Arc::new(backend), || pytorch.compare("step", 20, &mut step));
        if threads == 1 {
            println!("on the plain loops:");
            pytorch.compare("step", 20, &mut step);
        }
    }
}
