//! The rooms of the tutor, in the order in which data flows through them. `ARCHITECTURE.md` is the map.

pub mod curriculum;
pub mod failure;
pub mod progress;
pub mod report;
pub mod runner;
pub mod watch;
