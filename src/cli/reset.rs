//! `reset`: replaces exercises with their starters. A completed module leaves the learner's engine.

use super::arguments::{Format, ResetArguments};
use super::context::Context;
use super::printer::Printer;
use super::question;
use crate::curriculum::Module;
use crate::error::Error;
use crate::lab;
use crate::report::json;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Serialize)]
struct Reset {
    module: String,
    backup: Option<PathBuf>,
    left_engine: bool,
}

/// Asks for confirmation, unless `--yes` was passed.
///
/// # Errors
/// When there is no terminal to ask at, or a module is unknown.
#[expect(clippy::print_stderr, reason = "the answer to a question is no output")]
pub fn is_confirmed(context: &Context, arguments: &ResetArguments) -> Result<bool, Error> {
    let modules = context.modules(&arguments.modules)?;
    context.lab()?;
    if arguments.yes {
        return Ok(true);
    }
    if !question::can_ask() {
        return Err(Error::usage(
            "`reset` replaces your exercise and asks first, but there is no terminal",
        )
        .hint("Pass --yes to replace it; a backup is kept."));
    }
    let slugs: Vec<_> = modules.into_iter().map(Module::slug).collect();
    let slugs = slugs.join(", ");
    let confirmed =
        question::ask(&format!("Replace your {slugs} with the starter? A backup is kept."))?;
    if !confirmed {
        eprintln!("Nothing was changed.");
    }
    Ok(confirmed)
}

/// Succeeds when every exercise is a starter now.
pub fn run(
    context: &Context,
    arguments: &ResetArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let modules = context.modules(&arguments.modules)?;
    let lab = context.lab()?;
    for module in modules {
        let lab::Reset { backup, left_engine } = lab.reset(module)?;
        let reset = Reset { module: module.slug(), backup, left_engine };
        match arguments.format {
            Format::Json => out.line(json::to_line(&reset)),
            Format::Human => describe(&reset, out),
        }
    }
    Ok(true)
}

fn describe(reset: &Reset, out: &mut Printer) {
    let Reset { module, backup, left_engine } = reset;
    match backup {
        None => out.line(format!("{module}: already the starter")),
        Some(backup) => {
            out.line(format!(
                "{module}: reset to the starter; your work is kept in {}",
                backup.display()
            ));
            out.line(format!("  `tinytorch-tutor restore {module}` brings it back"));
        }
    }
    if *left_engine {
        out.line(format!("{module}: no longer in your engine; later modules use the reference"));
    }
}
