//! The components of the tutor. `ARCHITECTURE.md` says how data flows through them and which may use which.

pub mod classroom;
pub mod cli;
pub mod curriculum;
pub mod editor;
pub mod error;
pub mod framework;
pub mod grading;
pub mod lab;
pub mod progress;
pub mod report;
pub mod runner;
pub mod sandbox;
pub mod tui;
pub mod watch;

/// The versions of third-party crates that the engine was tested with.
pub const LOCK: &str = include_str!("../Cargo.lock");
