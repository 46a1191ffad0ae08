//! Parse, dispatch, and turn an error into text and an exit code.

use clap::Parser;
use std::process::ExitCode;
use tinytorch_tutor::cli::{Arguments, Command, Context, WatchArguments, run};
use tinytorch_tutor::error::Error;
use tinytorch_tutor::report::json;
use tinytorch_tutor::tui;

#[expect(clippy::print_stderr, reason = "the one place where an error meets a person")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context::new(&arguments);
    let is_json = arguments.command.as_ref().is_some_and(Command::is_json);
    let simple = arguments.plain || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let done = match arguments.command {
        None => open(&context, arguments.module, simple),
        Some(Command::Start { module }) => open(&context, Some(module), simple),
        Some(Command::Resume) => open(&context, None, simple),
        Some(command) => run(&context, command),
    };
    done.unwrap_or_else(|error| {
        if is_json {
            eprintln!("{}", json::error(&error));
        } else {
            eprintln!("error: {error}");
        }
        error.exit_code()
    })
}

/// Opens the tutor at the module that was named, or where the learner left it. Where a screen cannot be drawn, or is
/// not wanted, it prints lines.
fn open(context: &Context, module: Option<String>, simple: bool) -> Result<ExitCode, Error> {
    if simple {
        let modules = module.into_iter().collect();
        return run(context, Command::Watch(WatchArguments { modules }));
    }
    let module =
        module.map(|word| context.course().named(&word)).transpose()?.map(|module| module.id);
    tui::run(tui::Options {
        lab: context.lab()?,
        cache: context.cache()?,
        module,
        engine: context.engine,
    })
}
