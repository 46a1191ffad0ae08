//! What is taught: the list of modules, the cells of an exercise, the parts of a lesson, the ten
//! patterns. Pure: texts are handed in or embedded. Not here: disk, processes, clock.

pub mod audit;
pub mod cells;
pub mod lesson;
pub mod milestones;
pub mod registry;

pub use milestones::{MILESTONES, Milestone};
pub use registry::{MODULES, Module, ModuleId};
