//! `mlperf class`: runs the entries of a class again on this machine, each inside the sandbox, and ranks them.

use super::arguments::ClassArguments;
use super::check::stopped;
use super::context::Context;
use super::gradebook::{exists_already, write_new};
use super::meter::Meter;
use super::printer::Printer;
use super::untrusted::sandbox;
use crate::classroom::leaderboard::{self, Candidate, Row};
use crate::error::Error;
use crate::framework::confined_event;
use crate::progress::now;
use crate::report::human::{self, times};
use crate::report::mlperf::Entry;
use crate::report::{ModuleReport, json};
use crate::runner::event::Verdict;
use crate::runner::{Limits, Runner};
use std::time::Duration;
use tinytorch::benchmarking::Event;

/// An event takes seconds; an entry that takes so long is not ranked.
const LIMITS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));

/// In characters.
const LONGEST_REASON: usize = 400;

/// Returns whether every entry ran.
pub fn run(
    context: &Context,
    arguments: &ClassArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    // Before anything runs: it may take long.
    let mut files = [&arguments.csv, &arguments.json].into_iter().flatten();
    if let Some(path) = files.find(|path| path.exists()) {
        return Err(exists_already(path));
    }
    let (candidates, left_out) = leaderboard::candidates(&arguments.folder)?;
    let (compile, milestone) = LIMITS;
    let limits = Limits { compile, milestone, ..Limits::default() };
    let sandbox = sandbox(arguments.no_sandbox, out)?;
    let runner = context.runner()?.with_limits(limits).with_sandbox(sandbox);
    let mut rows: Vec<Row> = vec![];
    for event in Event::ALL {
        let own: Vec<&Candidate> = candidates.iter().filter(|it| it.event == event).collect();
        let mut measured = vec![];
        // One after the other: what runs beside an entry would change its times.
        for (number, candidate) in (1..).zip(&own) {
            let result = measure(context, &runner, candidate);
            stopped(&context.cancel)?;
            let said = match &result {
                Ok(entry) => times(entry.score),
                Err(reason) => format!("not ranked: {reason}"),
            };
            let student = &candidate.student;
            out.line(format!("[{number}/{}] {} {student}: {said}", own.len(), event.id()));
            match result {
                Ok(entry) => measured.push(((*candidate).clone(), entry)),
                Err(reason) => rows.push(candidate.left_out(reason)),
            }
        }
        rows.extend(leaderboard::rank(&measured));
    }
    rows.extend(left_out);
    // Ranked entries first, event by event.
    rows.sort_by_key(|row| row.rank.is_none());
    rows.iter().for_each(|row| out.line(line_of(row)));
    if let Some(path) = &arguments.csv {
        write_new(path, &leaderboard::csv(&rows)?)?;
    }
    if let Some(path) = &arguments.json {
        write_new(path, &rows.iter().map(|row| json::to_line(row) + "\n").collect::<String>())?;
    }
    Ok(rows.iter().all(|row| row.rank.is_some()))
}

/// Runs an entry; the error is why it has no score.
fn measure(context: &Context, runner: &Runner, candidate: &Candidate) -> Result<Entry, String> {
    let Candidate { student, event, code, .. } = candidate;
    let file = format!("{student}.rs").into();
    let failed = |error: Error| error.to_string();
    let (request, program) =
        confined_event(context.course(), *event, code, file).map_err(failed)?;
    let mut meter = Meter::stderr(context.course());
    let mut report = ModuleReport::new(request.module);
    let ran = runner.run_around(&request, &program, &context.cancel.beside(), &mut |event| {
        meter.show(&event);
        report.apply(&event);
    });
    meter.clear();
    ran.map_err(failed)?;
    match problem(&report) {
        Some(problem) => Err(problem),
        // Rows are of one machine, which they need not name.
        None => Entry::of(*event, &report, now(), String::new(), code.clone()).map_err(failed),
    }
}

/// Why a run has no result, in one line.
fn problem(report: &ModuleReport) -> Option<String> {
    if report.compiles != Some(true) {
        let problem = report.errors().next().map(|error| match &error.at {
            Some(at) => format!("line {}: {}", at.line, error.message),
            None => error.message.clone(),
        });
        return Some(problem.unwrap_or_else(|| "it does not compile".into()));
    }
    let ended = report.analyses.first().and_then(|analysis| analysis.ended.as_ref());
    let (word, details) = match ended.map(|result| &result.verdict) {
        Some(Verdict::Passed) => return None,
        Some(verdict) => human::verdict(verdict),
        None => return Some("it did not run".into()),
    };
    let lines = [word].into_iter().chain(details.lines()).collect::<Vec<_>>().join(": ");
    Some(lines.chars().take(LONGEST_REASON).collect())
}

fn line_of(row: &Row) -> String {
    let Row { event, student, name, remark, .. } = row;
    let rank = row.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string());
    let score = row.score.map(times).unwrap_or_default();
    format!("{rank:>3}  {event:<21} {student:<20} {score:<24} {name}  {remark}")
        .trim_end()
        .to_owned()
}
