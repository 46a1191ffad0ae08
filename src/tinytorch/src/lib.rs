//! A small machine-learning framework, written to be read: each module is one lesson of
//! tinytorch-tutor and at the same time its reference solution. Modules stand in the order in
//! which they are taught, and each uses only those before it.

// A lesson names its neighbours as `tinytorch::tensor`, here and in a learner's file alike.
extern crate self as tinytorch;

pub use flate2;
pub use ndarray;

pub mod activations;
pub mod autograd;
pub mod data;
pub mod dataloader;
pub mod harness;
pub mod layers;
pub mod losses;
pub mod optimizers;
pub mod random;
pub mod report;
pub mod setup;
#[cfg(feature = "sources")]
pub mod sources;
pub mod spatial;
pub mod tensor;
pub mod testing;
pub mod training;
