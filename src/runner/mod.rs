//! Compile a learner's file and run it. Comes in: a [`Request`]. Goes out: [`event::RunEvent`]s.
//! Not here: what is shown, what is stored.

mod base;
mod build;
mod chain;
mod diagnose;
pub mod event;
mod link;
mod output;
mod process;
mod queue;
mod request;
mod run;
mod snapshot;
mod store;
mod test;
mod toolchain;
mod workshop;

pub use chain::Source;
pub use process::Cancel;
pub use queue::{Queue, RunMessage};
pub use request::{LinkSource, Links, Request};
use run::Stop;
pub use run::{Limits, Runner};
