//! `grade`: grades collected submissions inside the sandbox, all or one share of them, and continues where an earlier run
//! was stopped; merges the results of several machines.

use super::arguments::GradeArguments;
use super::check::stopped;
use super::context::Context;
use super::meter::Meter;
use super::printer::Printer;
use super::untrusted::sandbox;
use crate::classroom::CourseFile;
use crate::classroom::merge::{Found, Merged, merge};
use crate::classroom::result::SubmissionResult;
use crate::classroom::results::{self, place};
use crate::classroom::submission::{Submission, Submissions};
use crate::error::{Error, count, printable};
use crate::grading::{Batch, Graded, Grader};
use crate::lab::atomic;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Returns whether every submission has a final result.
pub fn run(
    context: &Context,
    arguments: &GradeArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let file = arguments.course.as_ref().map(|file| CourseFile::read(file, context.course()));
    let context =
        &file.transpose()?.map_or_else(|| context.clone(), |file| context.of_class(&file));
    if !arguments.merge.is_empty() {
        return merged(context, arguments, out);
    }
    let sandbox = sandbox(arguments.no_sandbox, out)?;
    let submissions = Submissions::new(&arguments.submissions);
    let (mut all, problems) = submissions.all()?;
    problems.iter().for_each(|problem| out.line(problem.to_string()));
    if let Some(share) = arguments.task {
        // Before any result is looked at: what a job does must not depend on what others have done.
        let mut indices = 0..;
        all.retain(|_| indices.next().is_some_and(|index| share.has(index)));
    }
    let grader = Grader::new(context.runner()?, context.course(), sandbox);
    let (submissions, results) = (&submissions, arguments.out.as_path());
    let batch = Batch { grader: &grader, submissions, results, cancel: &context.cancel };
    let found = all.len();
    let pending = batch.pending(all);
    let graded = found - pending.len();
    out.line(format!("{}, {graded} of them graded before", count(found, "submission")));
    prepare(context, &grader, &pending)?;
    let (begun, mut done, mut is_final) = (Instant::now(), 0, problems.is_empty());
    batch.run(&pending, &mut |it| {
        done += 1;
        let left = left(begun.elapsed(), done, pending.len());
        is_final &= it.result.as_ref().is_ok_and(|result| result.totals().ungraded == 0);
        out.line(format!("[{done}/{}{left}] {}", pending.len(), summary(&it)));
    });
    stopped(&context.cancel)?;
    Ok(is_final)
}

/// Merges the results of several machines. What `--out` has already is one of them, so that nothing there is lost.
fn merged(context: &Context, arguments: &GradeArguments, out: &mut Printer) -> Result<bool, Error> {
    let to = &arguments.out;
    let (submissions, problems) = Submissions::new(&arguments.submissions).all()?;
    problems.iter().for_each(|problem| out.line(problem.to_string()));
    let earlier = to.is_dir().then_some(to);
    let folders: Vec<PathBuf> = arguments.merge.iter().chain(earlier).cloned().collect();
    let read = |file: PathBuf| {
        let result = results::read(context.course(), &file);
        Found { file, result }
    };
    let found = results::files(&folders)?.into_iter().map(read).collect();
    let Merged { results, refused, missing } = merge(found, &submissions, context.course());
    for result in &results {
        atomic::write(&place(to, &result.student, &result.module), result.to_json().as_bytes())?;
    }
    for (file, reason) in &refused {
        out.line(format!("  refused  \"{}\": {reason}", printable(file)));
    }
    for Submission { student, module, .. } in &missing {
        out.line(format!("  missing  {student} {module}"));
    }
    let again: Vec<_> = results.iter().filter(|result| !result.is_final()).collect();
    for result in &again {
        let (student, module, points) = (&result.student, &result.module, result.totals().ungraded);
        out.line(format!("  again    {student} {module}: {points} points to be graded again"));
    }
    let (counted, refused, missing) = (results.len(), refused.len(), missing.len());
    out.line(format!(
        "{}; refused: {refused}; missing: {missing}; to be graded again: {}",
        count(counted, "result"),
        again.len()
    ));
    Ok(refused + missing + again.len() + problems.len() == 0)
}

/// Builds what the submissions depend on, once, before the clock starts.
fn prepare(context: &Context, grader: &Grader, pending: &[Submission]) -> Result<(), Error> {
    let mut meter = Meter::stderr(context.course());
    let modules: BTreeSet<&str> = pending.iter().map(|it| it.module.as_str()).collect();
    // A submission of an unknown module gets its error when it is graded.
    for module in modules.into_iter().flat_map(|name| context.course().named(name)) {
        grader.prepare(module, &context.cancel, &mut |event| meter.show(&event))?;
    }
    meter.clear();
    stopped(&context.cancel)
}

/// `, about 3 min left`, from the time that those before took.
fn left(elapsed: Duration, done: usize, all: usize) -> String {
    let seconds = elapsed.as_secs_f64() / done.max(1) as f64 * all.saturating_sub(done) as f64;
    match seconds {
        0.0 => String::new(),
        ..90.0 => format!(", about {seconds:.0} s left"),
        _ => format!(", about {:.0} min left", seconds / 60.0),
    }
}

fn summary(graded: &Graded) -> String {
    let Submission { student, module, .. } = &graded.submission;
    match &graded.result {
        Ok(result) => format!("{student} {module}: {}", points(result)),
        Err(error) => format!("{student} {module}: not graded: {error}"),
    }
}

fn points(result: &SubmissionResult) -> String {
    let totals = result.totals();
    let points = format!("{} of {} points", totals.points, totals.max_points);
    match totals.ungraded {
        0 => points,
        again => format!("{points}; {again} to be graded again: run the same command"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_time_taken() {
        let after = |done| left(Duration::from_secs(60), done, 12);
        assert_eq!(after(10), ", about 12 s left");
        assert_eq!(after(2), ", about 5 min left");
        assert_eq!(after(12), "");
    }
}
