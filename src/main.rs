//! Parse, dispatch, and turn an error into text and an exit code.

use clap::Parser;
use std::process::ExitCode;
use tinytorch_tutor::cli::{Arguments, Command, Context, run};
use tinytorch_tutor::error::Error;
use tinytorch_tutor::tui;

#[expect(clippy::print_stderr, reason = "the one place where an error meets a person")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context::new(&arguments);
    let done = match arguments.command {
        None => open(&context, arguments.module),
        Some(Command::Start { module }) => open(&context, Some(module)),
        Some(Command::Resume) => open(&context, None),
        Some(command) => run(&context, command),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.exit_code()
    })
}

/// Opens the screen: at the module that was named, or where the learner left it.
fn open(context: &Context, module: Option<String>) -> Result<ExitCode, Error> {
    let module =
        module.map(|word| context.course().named(&word)).transpose()?.map(|module| module.id);
    tui::run(tui::Options {
        lab: context.lab()?,
        cache: context.cache()?,
        module,
        engine: context.engine,
    })
}
