//! `release`: the lab that a class gets, from the course file.

use super::arguments::ReleaseArguments;
use super::context::Context;
use super::printer::Printer;
use crate::classroom::{Assignment, CourseFile};
use crate::curriculum::{Course, Module};
use crate::error::{Error, count};
use crate::lab::{self, Class, Terms};

/// Succeeds when the lab is there.
pub fn run(
    context: &Context,
    arguments: &ReleaseArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let file = CourseFile::read(&arguments.course, context.course())?;
    let lab = lab::release(&arguments.to, context.course(), &class(&file))?;
    let modules = count(file.assignments.len(), "module");
    out.line(format!("Released \"{}\" with {modules} in {}.", file.title, lab.root().display()));
    let course = file.course(context.course());
    file.assignments.iter().for_each(|assignment| out.line(describe(assignment, course)));
    Ok(true)
}

/// What the labs of the class say.
pub fn class(file: &CourseFile) -> Class {
    let terms = |assignment: &Assignment| Terms {
        name: assignment.slug.clone(),
        points: assignment.points,
        deadline: assignment.written_deadline,
        hints: assignment.hints,
        solutions: assignment.solutions,
    };
    Class { title: file.title.clone(), modules: file.assignments.iter().map(terms).collect() }
}

fn describe(assignment: &Assignment, course: &Course) -> String {
    let due = assignment
        .written_deadline
        .map_or_else(|| "no deadline".to_owned(), |deadline| format!("due {}", spaced(&deadline)));
    let hidden = match course.module(assignment.module).map(Module::hidden_tests) {
        None | Some(0) => String::new(),
        Some(number) => format!("; {} kept out of it", count(number, "hidden test")),
    };
    let Assignment { slug, points, .. } = assignment;
    let (hints, solutions) = (word(assignment.hints), word(assignment.solutions));
    format!("  {slug:<16} {points:>3} points  {due}; hints {hints}, solutions {solutions}{hidden}")
}

/// Whether help is open, in a word.
pub fn word(is_open: bool) -> &'static str {
    if is_open { "open" } else { "closed" }
}

/// A deadline as people write it.
pub fn spaced(deadline: &toml::value::Datetime) -> String {
    deadline.to_string().replace('T', " ")
}
