//! `reset`: exercises back to where they began. A completed module leaves the learner's engine.

use super::arguments::{Format, ModulesArguments};
use super::context::Context;
use super::output::Output;
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

/// Succeeds when every exercise is a starter now.
pub fn run(
    context: &Context,
    arguments: &ModulesArguments,
    out: &mut Output,
) -> Result<bool, Error> {
    let modules = context.modules(&arguments.modules)?;
    let lab = context.lab()?;
    for module in modules {
        let lab::Reset { backup, left_engine } = lab.reset(module)?;
        let done = Reset { module: module.slug(), backup, left_engine };
        match (arguments.format, &done.backup) {
            (Format::Json, _) => out.line(json::to_line(&done)),
            (Format::Human, None) => out.line(format!("{}: at its beginning", done.module)),
            (Format::Human, Some(backup)) => out.line(format!(
                "{}: at its beginning; your work is kept as {}",
                done.module,
                backup.display()
            )),
        }
        if left_engine && arguments.format == Format::Human {
            out.line(format!("{}: later modules run on the reference's again", done.module));
        }
    }
    Ok(true)
}
