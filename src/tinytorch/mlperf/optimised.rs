//! The course's own entry for each event of TinyMLPerf, and the model of yours: copy this file, change it, and pass it to
//! `mlperf run EVENT --entry FILE`. It is compiled with modules 00 to 19 of your engine.

use std::sync::Arc;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::backend::Backend;
use tinytorch::benchmarking::{Entry, Start};
use tinytorch::layers::{Layer, Sequential};
use tinytorch::memoization::{enable_kv_cache, generate_cached};
use tinytorch::random::Rng;
use tinytorch::tokenization::Id;
use tinytorch::transformers::{GenerateError, Gpt, Sampler};

/// The entry of an event, made of its trained model.
pub fn entry(start: Start) -> Box<dyn Entry> {
    match start {
        Start::Digits(model, _calibration) => Box::new(Fast(model)),
        Start::Text(gpt, _calibration) => Box::new(Cached(gpt)),
    }
}

/// A model on the kernels of lesson 18.
struct Fast(Sequential);

impl Entry for Fast {
    fn name(&self) -> String {
        "fast kernels".into()
    }

    fn model(&self) -> &dyn Layer {
        &self.0
    }

    fn backend(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(OptimizedBackend::detect()))
    }
}

/// A GPT on the kernels of lesson 18, with the cache of lesson 15.
struct Cached(Gpt);

impl Entry for Cached {
    fn name(&self) -> String {
        "fast kernels, KV cache".into()
    }

    fn model(&self) -> &dyn Layer {
        &self.0
    }

    fn backend(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(OptimizedBackend::detect()))
    }

    fn generate(&mut self, prompt: &[Id], new_tokens: usize) -> Result<Vec<Id>, GenerateError> {
        let greedy = Sampler::default().temperature(0.0);
        let mut cached = enable_kv_cache(&self.0);
        generate_cached(&mut cached, prompt, new_tokens, &greedy, &mut Rng::seeded(0), |_| ())
    }
}
