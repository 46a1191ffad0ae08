//! A class: what is handed in, how it was graded, and what students and other programs get of it. Plain data and files.
//! Not here: how a submission is graded, processes, screen.

pub mod result;
mod student;

pub use student::StudentId;
