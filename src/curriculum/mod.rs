//! What is taught: the list of modules, the cells of an exercise, the parts of a lesson, the ten patterns. Pure: texts
//! are passed in or embedded. Not here: disk, processes, clock.

pub mod audit;
pub mod cells;
pub mod course;
pub mod glossary;
pub mod lesson;
pub mod milestones;
mod module;
pub mod mutants;

pub use course::Course;
pub use milestones::Milestone;
pub use module::{Module, ModuleId};
