//! What the model looks like: pure functions of it. Comes in: a model. Goes out: lines, then a frame.
//! Not here: what a key does.

pub mod markdown;
pub mod screen;

mod analysis;
mod block;
mod chart;
mod diagnostic;
mod exercise;
mod explorable;
mod failure;
mod help;
mod hint;
mod lesson;
mod milestone;
mod modules;
mod picture;
mod question;
mod results;
mod status;
mod table;
mod text;
mod too_small;

pub use screen::{Cache, Page, draw, lay_out};

#[cfg(test)]
mod tests;
