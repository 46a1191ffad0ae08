//! A small machine-learning framework, written to be read: each module is one lesson of tinytorch-tutor and at the same
//! time its reference solution. Modules are listed in teaching order, and each uses only those before it.

// A lesson names its neighbours as `tinytorch::tensor`, here and in a learner's file alike.
extern crate self as tinytorch;

pub use flate2;
pub use libm;
pub use ndarray;

// The modules of the course, in teaching order: each is declared here, and offered as text by `sources`.
macro_rules! course {
    ($with:ident) => {
        $with! {
            setup tensor activations layers losses autograd optimizers training dataloader spatial
            tokenization embeddings attention transformers
            profiling memoization quantization compression acceleration benchmarking capstone
        }
    };
}

macro_rules! declare {
    ($($module:ident)*) => { $(pub mod $module;)* };
}

course!(declare);

// What every module may use and no learner writes.
pub mod backend;
pub mod baselines;
pub mod bytes;
pub mod cache;
pub mod counters;
pub mod data;
pub mod explore;
pub mod footprints;
pub mod harness;
pub mod insights;
pub mod kernels;
pub mod operations;
pub mod outputs;
pub mod packed;
pub mod planes;
pub mod powers;
pub mod probe;
pub mod random;
pub mod ranges;
pub mod report;
pub mod row_products;
pub mod rows;
pub mod sampling;
pub mod shapes;
pub mod simd;
#[cfg(feature = "sources")]
pub mod sources;
pub mod submission;
pub mod testing;
pub mod threads;
pub mod trace;
pub mod unpacked;
