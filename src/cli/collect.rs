//! `collect`: takes what a class handed in, and lists what needs the instructor's attention.

use super::arguments::{CollectArguments, Format};
use super::context::Context;
use super::printer::Printer;
use crate::classroom::collect::{Problem, Report, collect};
use crate::classroom::submission::Submissions;
use crate::classroom::{Assignment, CourseFile, Roster};
use crate::error::{Error, count};
use crate::report::json;

/// Succeeds when every exercise that was found was taken.
pub fn run(
    context: &Context,
    arguments: &CollectArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let CollectArguments { sources, roster, course, to, format } = arguments;
    let roster = Roster::read(roster)?;
    let assignments = match course {
        Some(file) => CourseFile::read(file, context.course())?.assignments,
        None => context.course().modules().iter().map(Assignment::of).collect(),
    };
    let report = collect(sources, &roster, &assignments, &Submissions::new(to))?;
    match format {
        Format::Json => out.line(json::to_line(&report)),
        Format::Human => show(&report, roster.students.len(), out),
    }
    Ok(report.refused.is_empty() && report.misnamed.is_empty())
}

fn show(report: &Report, students: usize, out: &mut Printer) {
    let late: Vec<_> = report.collected.iter().filter(|found| found.late).collect();
    let collected = count(report.collected.len(), "submission");
    let students = count(students, "student");
    let (late_ones, sharing) = (late.len(), report.shared.len());
    out.line(format!("{collected} of {students}; late: {late_ones}; sharing progress: {sharing}"));
    for found in late {
        out.line(format!("  late       {} {}", found.student, found.module));
    }
    problems("duplicate", &report.duplicates, out);
    problems("misnamed", &report.misnamed, out);
    problems("refused", &report.refused, out);
    for missing in &report.missing {
        out.line(format!("  missing    {} {}", missing.student, missing.modules.join(", ")));
    }
}

fn problems(word: &str, problems: &[Problem], out: &mut Printer) {
    for Problem { path, reason } in problems {
        out.line(format!("  {word:<9}  {path}: {reason}"));
    }
}
