//! The rooms of the tutor, in the order in which data flows through them. `ARCHITECTURE.md` is the map.

pub mod cli;
pub mod curriculum;
pub mod editor;
pub mod error;
pub mod framework;
pub mod lab;
pub mod progress;
pub mod report;
pub mod runner;
pub mod tui;
pub mod watch;

/// The versions of third-party crates that the engine was tested with.
pub const LOCK: &str = include_str!("../Cargo.lock");
