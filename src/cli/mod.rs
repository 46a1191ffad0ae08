//! Headless: everything that the screen shows can be had without it. One file per command. Comes in:
//! arguments. Goes out: lines and an exit code. Not here: the screen.

mod analyze;
mod arguments;
mod audit;
mod author;
mod check;
mod complete;
mod context;
mod doctor;
mod hint;
mod init;
mod list;
mod milestone;
mod output;
mod reset;
mod solution;

pub use arguments::{Arguments, Command};
pub use context::Context;
pub use output::Output;

use crate::failure::Failure;
use std::process::ExitCode;

/// Carries out a command.
///
/// # Errors
/// When the command was not understood, or this machine lacks something.
pub fn run(context: &Context, command: Command) -> Result<ExitCode, Failure> {
    let mut out = Output::stdout();
    let done = match command {
        Command::List(arguments) => list::run(context, &arguments, &mut out),
        Command::Check(arguments) => check::run(context, &arguments, &mut out),
        Command::Analyze(arguments) => analyze::run(context, &arguments, &mut out),
        Command::Hint(arguments) => hint::run(context, &arguments, &mut out),
        Command::Solution(arguments) => solution::run(&arguments, &mut out),
        Command::Reset(arguments) => reset::run(context, &arguments, &mut out),
        Command::Init(arguments) => init::run(&arguments, &mut out),
        Command::Complete(arguments) => complete::run(context, &arguments, &mut out),
        Command::Export(arguments) => complete::export(context, &arguments, &mut out),
        Command::Milestone(arguments) => milestone::run(context, arguments, &mut out),
        Command::Audit(arguments) => audit::run(&arguments, &mut out),
        Command::Doctor(arguments) => doctor::run(context, &arguments, &mut out),
        Command::Author(arguments) => author::run(context, arguments, &mut out),
        // These open the screen, which is main's to do: this room knows none.
        Command::Start { .. } | Command::Resume => Ok(true),
    }?;
    out.finish()?;
    Ok(ExitCode::from(u8::from(!done)))
}
