//! Compiles a learner's file and runs it: a [`Request`] becomes a stream of [`event::RunEvent`]s. `build` compiles
//! programs, `run` runs them, both through `process`. Not here: what is shown, what is stored.

mod build;
pub mod event;
mod explorable;
mod output;
mod process;
mod queue;
mod request;
mod run;
#[expect(clippy::module_inception, reason = "the component's main type, in a file of its own")]
mod runner;
mod seeded;
mod source_map;
mod strays;

pub use explorable::Explorable;
use process::Stop;
pub use process::{Cancel, between_starts};
pub use queue::{Queue, RunMessage};
pub use request::{ModuleSource, ModuleSources, Request};
pub use runner::{Limits, Runner};
pub use seeded::SeededModule;
