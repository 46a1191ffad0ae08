//! The learner's folder: where its files are, how they are created, read, reset and restored. The only component that
//! writes a learner's file, and never without a backup. Not here: processes, screen.

pub mod atomic;
mod class;
mod create;
mod editor;
pub mod exercise;
mod mine;
pub mod numbered;
pub mod package;
mod paths;
mod reset;
mod update;

pub use class::{Class, Help, Mark, Terms};
pub use create::{Created, Filled, create, release};
pub use exercise::Unreadable;
pub use mine::Undone;
pub use numbered::{Numbered, replace};
pub use paths::Lab;
pub use reset::Reset;
pub use update::{ModuleUpdate, NotUpdated, Updated};
