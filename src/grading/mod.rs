//! Grades untrusted submissions: one file in, one result out, no shared state. `reading` takes the file from the disk,
//! `assembled` puts its solution cells into the course's own file, `grader` compiles and runs that inside the sandbox, `batch`
//! does so for many. Must not know rosters, gradebooks or the screen.

mod assembled;
mod batch;
mod grader;
pub mod reading;
mod seeded;

pub use batch::{Batch, Graded};
pub use grader::Grader;
