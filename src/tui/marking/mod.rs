//! The screen on which an instructor grades free-text answers: a program of its own in the Elm architecture, beside the
//! learner's. Each decision is in the gradebook before the next key is read. Must not know labs, runs or tests.

mod app;
mod keymap;
mod model;
mod update;
mod view;

pub use app::{Options, run};

#[cfg(test)]
mod tests;
