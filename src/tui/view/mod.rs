//! The view: pure functions from a model to lines, and from lines to a frame. Must not know what a key does.

pub mod markdown;
pub mod screen;
pub mod text;
pub mod too_small;

mod alert;
mod analysis;
mod block;
mod chart;
mod compare;
mod diagnostic;
mod exercise;
mod explorable;
mod failure;
mod glossary;
mod help;
mod hint;
mod lesson;
mod milestone;
mod modules;
mod outline;
mod picture;
mod prediction;
mod question;
mod results;
mod status;
mod table;
mod tokens;
mod welcome;

pub use screen::{Cache, draw, lay_out};

#[cfg(test)]
mod tests;
