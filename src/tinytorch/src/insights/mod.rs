//! The sentences of analyses, by module: each function makes one of measured values, with words for the expected
//! finding, for no clear difference, and for the opposite. They know figures only, no tensor and no module.

pub mod acceleration;
pub mod autograd;
pub mod benchmarking;
pub mod capstone;
pub mod compression;
pub mod dataloader;
pub mod memoization;
pub mod optimizers;
pub mod profiling;
pub mod quantization;
pub mod spatial;
pub mod tensor;
pub mod training;
pub mod transformers;
