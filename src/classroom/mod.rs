//! A class: what is handed in, how it was graded, and what students and other programs get of it. Plain data and files.
//! Not here: how a submission is graded, processes, screen.

pub mod analytics;
pub mod answers;
pub mod collect;
mod course_file;
pub mod export;
pub mod feedback;
pub mod grade;
pub mod gradebook;
pub mod kit;
pub mod leaderboard;
pub mod merge;
pub mod result;
pub mod results;
mod roster;
pub mod rubric;
#[cfg(test)]
mod samples;
pub mod shared;
pub mod similarity;
mod student;
pub mod submission;
mod toml_source;

pub use course_file::{Assignment, CourseFile};
pub use roster::{Roster, Student};
pub use student::StudentId;
