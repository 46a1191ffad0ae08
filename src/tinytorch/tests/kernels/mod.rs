//! The engine on the kernels of lesson 18, for the tests that compare it with PyTorch. Not here: what is compared.

use std::sync::Arc;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::backend::with_backend;
use tinytorch::simd::Simd;

/// Runs the comparisons on the backend of lesson 18, with each set of instructions that this CPU has.
pub fn on_every_kernel(comparisons: &[fn()]) {
    for simd in Simd::available() {
        let backend = Arc::new(OptimizedBackend::detect().with_simd(simd));
        with_backend(backend, || comparisons.iter().for_each(|compare| compare()));
    }
}
