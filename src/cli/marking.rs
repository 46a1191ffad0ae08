//! `gradebook mark`: what the screen needs: the rubric, and the answers of all collected submissions in the gradebook.

use super::context::Context;
use super::gradebook::existing;
use crate::classroom::answers::answer;
use crate::classroom::gradebook::{Answer, Gradebook};
use crate::classroom::rubric::{Question, Rubric};
use crate::classroom::submission::{Submission, Submissions};
use crate::curriculum::cells;
use crate::error::{Error, count};
use crate::grading::reading;
use std::collections::BTreeSet;
use std::path::Path;

/// What the screen needs.
#[derive(Debug)]
pub struct Marking {
    /// The gradebook, with the answers.
    pub gradebook: Gradebook,
    /// The questions.
    pub questions: Vec<Question>,
    /// What the instructor should know.
    pub note: Option<String>,
}

/// Puts the answers of the collected submissions into the gradebook.
///
/// # Errors
/// When the rubric has a mistake, or the submissions or the gradebook cannot be read.
pub fn marking(
    context: &Context,
    gradebook: &Path,
    submissions: &Path,
    rubric: &Path,
) -> Result<Marking, Error> {
    let Rubric { questions } = Rubric::read(rubric, context.course())?;
    let mut gradebook = existing(gradebook)?;
    let submissions = Submissions::new(submissions);
    let (all, mut problems) = submissions.all()?;
    let mut found = vec![];
    for submission in &all {
        let asked: Vec<&Question> =
            questions.iter().filter(|question| question.module == submission.module).collect();
        if asked.is_empty() {
            continue;
        }
        match read(&submissions, submission) {
            Ok(text) => found.extend(answers(context, submission, &text, &asked)?),
            Err(problem) => problems.push(problem),
        }
    }
    let unknown = gradebook.ask(&found)?;
    Ok(Marking { gradebook, questions, note: note(&unknown, &problems) })
}

fn read(submissions: &Submissions, submission: &Submission) -> Result<String, Error> {
    let path = submissions.file(&submission.student, &submission.module);
    let of = format!("{} {}", submission.student, submission.module);
    reading::read(&path)?.map_err(|problem| Error::environment(format!("{of}: {problem}")))
}

fn answers(
    context: &Context,
    submission: &Submission,
    text: &str,
    asked: &[&Question],
) -> Result<Vec<Answer>, Error> {
    let module = context.course().named(&submission.module)?;
    let starter = cells::starter(module.reference());
    let answer = |question: &&Question| Answer {
        student: submission.student.clone(),
        module: submission.module.clone(),
        grade_id: question.grade_id(),
        max_points: question.points,
        text: answer(text, &starter, &question.name),
    };
    Ok(asked.iter().map(answer).collect())
}

fn note(unknown: &[Answer], problems: &[Error]) -> Option<String> {
    let unknown: BTreeSet<_> = unknown.iter().map(|it| (&it.student, &it.module)).collect();
    let left_out = (!unknown.is_empty()).then(|| {
        let number = count(unknown.len(), "submission");
        format!("{number} left out: import the results first (`gradebook import`)")
    });
    let unread = problems.first().map(|first| {
        format!("{} could not be read: {}", count(problems.len(), "submission"), first.message)
    });
    let notes: Vec<String> = left_out.into_iter().chain(unread).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}
