//! `feedback`: a page and a text for each student, from the gradebook.

use super::arguments::FeedbackArguments;
use super::context::Context;
use super::gradebook::{existing, id, write_new};
use super::printer::Printer;
use crate::classroom::feedback::Feedback;
use crate::classroom::{CourseFile, Roster, Student, StudentId};
use crate::error::{Error, count};

/// Succeeds when every page is written.
pub fn run(
    context: &Context,
    arguments: &FeedbackArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let roster = arguments.roster.as_deref().map(Roster::read).transpose()?;
    let course = arguments.course.as_deref().map(|file| CourseFile::read(file, context.course()));
    let course = course.transpose()?;
    let wanted: Vec<StudentId> =
        arguments.students.iter().map(|student| id(student)).collect::<Result<_, _>>()?;
    let mut grades = existing(&arguments.gradebook)?.grades()?;
    if let Some(unknown) =
        wanted.iter().find(|id| !grades.iter().any(|grade| grade.student == **id))
    {
        return Err(Error::usage(format!("the gradebook has no result of {unknown}")));
    }
    grades.retain(|grade| wanted.is_empty() || wanted.contains(&grade.student));
    let mut written = 0;
    for grades in grades.chunk_by(|a, b| a.student == b.student) {
        let id = &grades[0].student;
        let unknown = Student { id: id.clone(), name: String::new(), email: String::new() };
        let student = roster.as_ref().and_then(|roster| roster.student(id)).unwrap_or(&unknown);
        let feedback = Feedback { student, grades, course: course.as_ref() };
        write_new(&arguments.out.join(format!("{id}.html")), &feedback.html())?;
        write_new(&arguments.out.join(format!("{id}.txt")), &feedback.text())?;
        written += 1;
    }
    out.line(format!(
        "Wrote feedback for {} to {}",
        count(written, "student"),
        arguments.out.display()
    ));
    Ok(true)
}
