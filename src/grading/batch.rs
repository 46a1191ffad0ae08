//! Grades many submissions: as many at a time as there are cores, each once. A result is published by one rename, so a batch
//! that was killed continues with those that have none. Must not know how one is graded.

use super::Grader;
use crate::classroom::result::SubmissionResult;
use crate::classroom::results;
use crate::classroom::submission::{Submission, Submissions};
use crate::error::Error;
use crate::lab::atomic;
use crate::runner::Cancel;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Where submissions come from and where their results go.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Grades one.
    pub grader: &'a Grader,
    /// The collected submissions.
    pub submissions: &'a Submissions,
    /// The folder of results: `STUDENT/MODULE.json`.
    pub results: &'a Path,
    /// Cancels it.
    pub cancel: &'a Cancel,
}

/// What happened to one submission.
#[derive(Debug)]
pub struct Graded {
    /// Which one.
    pub submission: Submission,
    /// Its result, or why there is none.
    pub result: Result<SubmissionResult, Error>,
}

impl Batch<'_> {
    /// Those of the submissions that have no final result yet. A result is final for the text that it was made from, unless
    /// the grader failed, or a complete sandbox can now replace a part of one.
    #[must_use]
    pub fn pending(&self, all: Vec<Submission>) -> Vec<Submission> {
        all.into_iter().filter(|submission| !self.is_final(submission)).collect()
    }

    fn is_final(&self, submission: &Submission) -> bool {
        let text = std::fs::read_to_string(self.path(submission)).ok();
        let result = text.and_then(|text| SubmissionResult::from_json(&text).ok());
        result.is_some_and(|result| {
            result.fingerprint == submission.fingerprint
                && (result.sandboxed || !self.grader.is_sandboxed())
                && result.is_final()
        })
    }

    /// Where the result of a submission is.
    #[must_use]
    pub fn path(&self, submission: &Submission) -> PathBuf {
        results::place(self.results, &submission.student, &submission.module)
    }

    /// Grades the submissions; each is passed on when its result is on the disk.
    pub fn run(&self, submissions: &[Submission], done: &mut dyn FnMut(Graded)) {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let next = AtomicUsize::new(0);
        let (send, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..cores.min(submissions.len()) {
                let (send, next) = (send.clone(), &next);
                scope.spawn(move || {
                    while let Some(it) = submissions.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Some(result) = self.one(it).transpose() else { break };
                        if send.send(Graded { submission: it.clone(), result }).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            results.into_iter().for_each(done);
        });
    }

    fn one(&self, submission: &Submission) -> Result<Option<SubmissionResult>, Error> {
        let file = self.submissions.file(&submission.student, &submission.module);
        let Some(result) = self.grader.grade(submission, &file, self.cancel)? else {
            return Ok(None);
        };
        atomic::write(&self.path(submission), result.to_json().as_bytes())?;
        Ok(Some(result))
    }
}
