//! `init`: make a lab.

use super::arguments::InitArguments;
use super::context::Context;
use super::output::Output;
use crate::error::{Error, count};
use crate::lab::{Filled, create};

/// Succeeds when the lab is whole.
pub fn run(context: &Context, arguments: &InitArguments, out: &mut Output) -> Result<bool, Error> {
    let filled = if arguments.solved { Filled::Solutions } else { Filled::Starters };
    let lab = create(&arguments.folder, context.course(), filled)?;
    out.line(format!(
        "{} holds {}. Open it:\n  cd {} && tinytorch-tutor",
        lab.root().display(),
        count(lab.course().modules().len(), "module"),
        arguments.folder.display()
    ));
    Ok(true)
}
