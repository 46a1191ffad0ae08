//! `complete`: adds the learner's file to their engine, on which later modules run, or undoes that. `export`: writes
//! the whole engine as a package.

use super::arguments::{CompleteArguments, ExportArguments, Format};
use super::context::Context;
use super::meter::Meter;
use super::printer::Printer;
use super::records::Records;
use crate::curriculum::{Course, Module};
use crate::error::Error;
use crate::framework::{self, Completion, Step};
use crate::lab::{Lab, Undone};
use crate::report::figures::figure;
use crate::report::{human, json};
use serde::Serialize;
use std::path::PathBuf;

/// Succeeds when every named module is in the learner's engine, and later modules pass on it.
pub fn run(
    context: &Context,
    arguments: &CompleteArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let modules = context.modules(&arguments.modules)?;
    let lab = context.lab()?;
    if arguments.undo {
        return undo(&lab, &modules, arguments.format, out);
    }
    let runner = context.runner()?;
    let mut records = Records::open(&lab)?;
    let mut meter = Meter::stderr(context.course());
    let mut all = true;
    for module in modules {
        let json = arguments.format == Format::Json;
        let completed = framework::complete(&runner, &lab, module, &context.cancel, &mut |step| {
            match &step {
                Step::Check(event) => meter.show(event),
                Step::Checked { report, text } => {
                    records.keep(|store| store.record_check(report, text));
                }
                _ => meter.clear(),
            }
            if !json {
                describe(&step, context.course(), out);
            }
        })?;
        meter.clear();
        all &= completed == Completion::Yes;
        if json {
            out.line(json::to_line(&CompletionLine {
                module: module.slug(),
                completed: &completed,
            }));
        } else {
            conclude(module, context.course(), &completed, out);
        }
        if completed == Completion::Cancelled {
            break;
        }
    }
    Ok(all)
}

#[derive(Serialize)]
struct CompletionLine<'a> {
    module: String,
    #[serde(flatten)]
    completed: &'a Completion,
}

fn describe(step: &Step, course: &Course, out: &mut Printer) {
    let slug = |id| course.slug(id);
    match step {
        Step::Rebuilt { module, took } => {
            let took = figure(took.as_secs_f64(), "s");
            out.line(format!("  {} rebuilt ({took})", slug(*module)));
        }
        Step::Proving { module } => {
            out.line(format!("  testing {} against your code", slug(*module)))
        }
        Step::Check(_) | Step::Checked { .. } | Step::Swapped => {}
    }
}

fn conclude(module: &Module, course: &Course, completed: &Completion, out: &mut Printer) {
    let slug = module.slug();
    match completed {
        Completion::Yes => out.line(format!("{slug}: added to your engine; later modules now run on your code")),
        Completion::Rejected { reason } => out.line(format!(
            "{slug}: your code passes its own tests, but the reference is used instead: {reason}\n  \
             Fix it and complete it again."
        )),
        Completion::NotYet(report) => {
            out.text(&human::check(report, course, out.colour()));
            out.line(format!("{slug}: not completed; your engine is unchanged"));
        }
        Completion::Cancelled => out.line(format!("{slug}: cancelled; your engine is unchanged")),
    }
}

/// Succeeds when every named module was in the engine.
fn undo(lab: &Lab, modules: &[&Module], format: Format, out: &mut Printer) -> Result<bool, Error> {
    #[derive(Serialize)]
    struct UndoneLine {
        module: String,
        restored: bool,
        backup: PathBuf,
    }
    for module in modules {
        let Undone { restored, backup } = lab.undo(module)?;
        let undone = UndoneLine { module: module.slug(), restored, backup };
        let UndoneLine { module, backup, .. } = &undone;
        match format {
            Format::Json => out.line(json::to_line(&undone)),
            Format::Human => {
                out.line(match restored {
                    true => format!("{module}: your engine has the previous version again"),
                    false => format!(
                        "{module}: no longer in your engine; later modules use the reference"
                    ),
                });
                out.line(format!("  the undone version is kept in {}", backup.display()));
            }
        }
    }
    Ok(true)
}

/// Succeeds when the package is written.
pub fn export(
    context: &Context,
    arguments: &ExportArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    framework::export(&context.lab()?, &arguments.folder)?;
    out.line(format!(
        "Wrote your engine to {}. Try it:\n  cd {0} && cargo test --offline",
        arguments.folder.display()
    ));
    Ok(true)
}
