//! Generation with a KV cache on this engine and on PyTorch: 2 layers, 64 dimensions, 4 heads, a context of 256, a
//! vocabulary of 512. A step is 200 tokens behind a prompt of 8, always the most probable one.
//!
//!     TORCH_PYTHON=python3 cargo bench -p tinytorch --bench kv_generate
//!
//! Without PyTorch only the engine's figure is printed. Nothing is asserted: it prints what it measured.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

mod pytorch;

use std::sync::Arc;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::backend::{keep_freed_memory, with_backend};
use tinytorch::memoization::{enable_kv_cache, generate_cached};
use tinytorch::random::Rng;
use tinytorch::transformers::{Gpt, GptConfig, Sampler};

const CONFIG: GptConfig = GptConfig { vocab_size: 512, context: 256, dim: 64, layers: 2, heads: 4 };

fn main() {
    keep_freed_memory();
    let model = Gpt::new(CONFIG, &mut Rng::seeded(0));
    let mut cached = enable_kv_cache(&model);
    let prompt: Vec<u32> = (1..=8).collect();
    let greedy = Sampler::default().temperature(0.0);
    let mut step = || {
        cached.reset();
        let rng = &mut Rng::seeded(0);
        let ids = generate_cached(&mut cached, &prompt, 200, &greedy, rng, |_| ());
        assert_eq!(ids.map(|ids| ids.len()), Ok(200));
    };
    let mut pytorch = pytorch::PyTorch::start("kv_generate.py", 1);
    println!("on the kernels of lesson 18:");
    let backend = Arc::new(OptimizedBackend::detect().with_threads(1));
    with_backend(backend, || pytorch.compare("step", 5, &mut step));
    println!("on the plain loops:");
    pytorch.compare("step", 5, &mut step);
}
