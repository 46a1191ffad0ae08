//! Operations and training steps on the kernels of lesson 18, beside PyTorch with as many threads: matrix products, a
//! convolution of 16 to 32 channels on eight images of 32x32, softmax of 512 rows of 512, 2^20 powers, a layer norm of 512 rows of
//! 256; steps of a 784-128-10 network and of the CNN for digits, batch 64, SGD.
//!
//!     TORCH_PYTHON=python3 cargo bench -p tinytorch --bench kernels
//!     TORCH_PYTHON=python3 cargo bench -p tinytorch --bench kernels -- matmul cnn-step
//!
//! Without PyTorch only the engine's figures are printed. Nothing is asserted: it prints what it measured.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

mod pytorch;

use pytorch::PyTorch;
use std::hint::black_box;
use std::sync::Arc;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::activations::{ReLU, Softmax};
use tinytorch::autograd::{Backward, no_grad, track};
use tinytorch::backend::{Backend, keep_freed_memory, with_backend};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::optimizers::{Optimizer, SGD};
use tinytorch::random::Rng;
use tinytorch::spatial::{Conv2d, Window, cnn_for_digits};
use tinytorch::tensor::Tensor;
use tinytorch::transformers::LayerNorm;

const BATCH: usize = 64;

fn main() {
    keep_freed_memory();
    for threads in [1, 2] {
        let backend = OptimizedBackend::detect().with_threads(threads);
        println!("on {}:", backend.name());
        let mut pytorch = PyTorch::start("kernels.py", threads);
        with_backend(Arc::new(backend), || {
            operations(&mut pytorch);
            steps(&mut pytorch);
        });
    }
}

fn operations(pytorch: &mut PyTorch) {
    let rng = &mut Rng::seeded(0);
    for (name, size, runs) in [
        ("matmul-128", 128, 200),
        ("matmul-256", 256, 50),
        ("matmul-512", 512, 10),
        ("matmul-1024", 1024, 3),
    ] {
        let [a, b] = [(); 2].map(|()| Tensor::randn(&[size, size], rng));
        pytorch.compare(name, runs, || drop(black_box(a.matmul(&b))));
    }
    let (images, scores) = (Tensor::randn(&[8, 16, 32, 32], rng), Tensor::randn(&[512, 512], rng));
    let (numbers, rows) = (Tensor::randn(&[1 << 20], rng), Tensor::randn(&[512, 256], rng));
    let (conv, norm) = (Conv2d::new(16, 32, Window::new(3).padding(1), rng), LayerNorm::new(256));
    pytorch.compare("conv2d", 20, || no_grad(|| drop(black_box(conv.forward(&images)))));
    pytorch.compare("softmax", 50, || drop(black_box(Softmax::LAST.forward(&scores))));
    pytorch.compare("exp", 20, || drop(black_box(numbers.exp())));
    pytorch.compare("layer-norm", 50, || no_grad(|| drop(black_box(norm.forward(&rows)))));
}

fn steps(pytorch: &mut PyTorch) {
    let rng = &mut Rng::seeded(0);
    let mlp = Sequential::new(vec![
        Box::new(Linear::new(784, 128, rng)),
        Box::new(ReLU),
        Box::new(Linear::new(128, 10, rng)),
    ]);
    let cnn = cnn_for_digits(rng);
    let classes: Vec<f32> = (0..BATCH).map(|_| rng.below(10) as f32).collect();
    let y = Tensor::new(&classes, &[BATCH]);
    for (name, mut model, shape) in
        [("mlp-step", mlp, &[BATCH, 784][..]), ("cnn-step", cnn, &[BATCH, 1, 8, 8])]
    {
        let (x, mut optimizer) = (Tensor::randn(shape, rng), SGD::new(0.01));
        track(model.parameters_mut());
        pytorch.compare(name, 50, || {
            let gradients = CrossEntropyLoss.forward(&model.forward(&x), &y).backward();
            optimizer.step(model.parameters_mut(), &gradients);
        });
    }
}
