//! Parse, dispatch, and turn an error into text and an exit code.

use clap::Parser;
use std::process::ExitCode;
use tinytorch_tutor::cli::{Arguments, Context, run};

#[expect(clippy::print_stderr, reason = "the one place where an error meets a person")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context::new(&arguments);
    let done = match arguments.command {
        Some(command) => run(&context, command),
        None => Ok(ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        failure.exit_code()
    })
}
