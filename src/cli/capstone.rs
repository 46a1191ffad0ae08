//! `capstone`: the submission of lesson 20 as a file: measured and written, checked by field, or measured once more.

use super::analyze::conclude;
use super::arguments::{CapstoneCommand, Format};
use super::check::CheckSession;
use super::context::Context;
use super::named_file;
use super::printer::Printer;
use crate::error::{Error, harmless, printable};
use crate::lab;
use crate::report::{json, submission};
use crate::runner::event::RunKind;
use serde::Serialize;
use std::path::Path;
use tinytorch::submission::{Fault, Submission};

/// Returns whether the submission was written, is valid, or is confirmed.
pub fn run(context: &Context, command: CapstoneCommand, out: &mut Printer) -> Result<bool, Error> {
    match command {
        CapstoneCommand::Export { file, solution } => export(context, &file, solution, out),
        CapstoneCommand::Validate { file, format } => validate(&file, format, out),
        CapstoneCommand::Reproduce { file, solution, format } => {
            reproduce(context, &file, solution, format, out)
        }
    }
}

fn export(
    context: &Context,
    file: &Path,
    solution: bool,
    out: &mut Printer,
) -> Result<bool, Error> {
    if file.is_dir() {
        let error = Error::usage(format!("\"{}\" is a folder", printable(file)));
        return Err(error.hint("Name a file in it."));
    }
    let measured = measure(context, solution, Format::Human, out)?;
    let backup = lab::replace(file, (measured.to_json() + "\n").as_bytes())?;
    out.line(format!("Wrote the submission to {}", printable(file)));
    if let Some(backup) = backup {
        out.line(format!("  what was there is kept in {}", printable(&backup)));
    }
    describe(&measured, out);
    Ok(true)
}

fn validate(file: &Path, format: Format, out: &mut Printer) -> Result<bool, Error> {
    let found = read(file)?;
    let faults = found.as_ref().err().map_or(&[][..], |faults| faults);
    conclude_file(file, "valid", faults, format, out);
    if let (Ok(submission), Format::Human) = (&found, format) {
        describe(submission, out);
    }
    Ok(found.is_ok())
}

fn reproduce(
    context: &Context,
    file: &Path,
    solution: bool,
    format: Format,
    out: &mut Printer,
) -> Result<bool, Error> {
    let recorded = match read(file)? {
        Ok(recorded) => recorded,
        Err(faults) => {
            conclude_file(file, "valid", &faults, format, out);
            return Ok(false);
        }
    };
    let again = measure(context, solution, format, out)?;
    let faults = submission::differences(&recorded, &again);
    conclude_file(file, "confirmed", &faults, format, out);
    if format == Format::Human {
        let (there, here) = (submission::score(&recorded), submission::score(&again));
        out.line(format!("  {there} there, {here} here"));
        if let Some(remark) = submission::remark(&recorded, &again) {
            out.line(format!("  {}", harmless(&remark)));
        }
    }
    Ok(faults.is_empty())
}

/// What a file holds, or its faults.
fn read(file: &Path) -> Result<Result<Submission, Vec<Fault>>, Error> {
    Ok(submission::read(&named_file::bytes(file)?))
}

/// Runs the pipeline of lesson 20 on the lab's file and engine. When it reports no submission, its report is printed.
fn measure(
    context: &Context,
    solution: bool,
    format: Format,
    out: &mut Printer,
) -> Result<Submission, Error> {
    let module = context.course().named("capstone")?;
    let mut session = CheckSession::open(context, solution)?;
    let (path, text) = session.text(module).map_err(Error::unmet)?;
    let only = vec![submission::ANALYSIS.to_owned()];
    let report = session.report(module, RunKind::Analysis, only, path, &text, &mut |_| {})?;
    session.keep_analyses(&report, &text);
    let Some(written) = submission::reported(&report) else {
        conclude(&report, context.course(), format == Format::Json, out);
        let error = Error::unmet("the pipeline of lesson 20 reported no submission");
        return Err(error.hint("`tinytorch-tutor check 20` shows what is missing."));
    };
    submission::read(written.as_bytes()).map_err(|faults| Error {
        hints: faults.iter().map(Fault::to_string).collect(),
        ..Error::unmet("what was measured is no valid submission")
    })
}

/// Prints whether a file is what it was asked for, and each fault.
fn conclude_file(file: &Path, wanted: &str, faults: &[Fault], format: Format, out: &mut Printer) {
    #[derive(Serialize)]
    struct FaultRow<'a> {
        field: &'a str,
        reason: &'a str,
    }
    #[derive(Serialize)]
    struct FileRow<'a> {
        file: String,
        outcome: String,
        faults: Vec<FaultRow<'a>>,
    }
    let is = if faults.is_empty() { "" } else { "not " };
    match format {
        Format::Json => {
            let rows = faults.iter().map(|Fault { field, reason }| FaultRow { field, reason });
            out.line(json::to_line(&FileRow {
                file: file.to_string_lossy().into_owned(),
                outcome: format!("{}{wanted}", is.replace(' ', "_")),
                faults: rows.collect(),
            }));
        }
        Format::Human => {
            out.line(format!("{}: {is}{wanted}", printable(file)));
            faults.iter().for_each(|fault| out.line(format!("  {}", harmless(&fault.to_string()))));
        }
    }
}

fn describe(submission: &Submission, out: &mut Printer) {
    let Submission { task, machine, quality: [start, end], allowed, techniques, .. } = submission;
    for line in [
        format!("{task}, on {machine}"),
        format!("{} as many tokens in a second as the naive start", submission::score(submission)),
        format!(
            "perplexity {start:.2} at the start, {end:.2} at the end; {:.0} % more is allowed",
            100.0 * allowed
        ),
        format!("techniques that were found: {}", techniques.join(", ")),
    ] {
        out.line(format!("  {}", harmless(&line)));
    }
}
