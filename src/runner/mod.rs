//! Compile a learner's file and run it. Comes in: a [`Request`]. Goes out: [`event::RunEvent`]s.
//! Not here: what is shown, what is stored.

pub mod event;
mod output;
mod process;
mod queue;
mod request;
mod run;

pub use process::Cancel;
pub use queue::{Queue, RunMessage};
pub use request::{LinkSource, Links, Request};
pub use run::{Limits, Runner};
