//! Parse, dispatch, and turn an error into text and an exit code.

use clap::Parser;
use std::process::ExitCode;
use tinytorch_tutor::cli::{Arguments, Command, Context, ThemeName, WatchArguments, run};
use tinytorch_tutor::error::Error;
use tinytorch_tutor::report::json;
use tinytorch_tutor::tui;

#[expect(clippy::print_stderr, reason = "the one place where an error meets a person")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context::new(&arguments);
    let is_json = arguments.command.as_ref().is_some_and(Command::is_json);
    let simple = arguments.plain || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let wishes = (!simple).then(|| wishes(&arguments));
    let done = match arguments.command {
        None => open(&context, arguments.module, wishes),
        Some(Command::Start { module }) => open(&context, Some(module), wishes),
        Some(Command::Resume) => open(&context, None, wishes),
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

/// Opens the tutor at the module that was named, or where the learner left it. Without wishes for a screen, because it
/// cannot be drawn or is not wanted, the tutor prints lines.
fn open(
    context: &Context,
    module: Option<String>,
    wishes: Option<tui::Wishes>,
) -> Result<ExitCode, Error> {
    let Some(wishes) = wishes else {
        let modules = module.into_iter().collect();
        return run(context, Command::Watch(WatchArguments { modules }));
    };
    let module =
        module.map(|word| context.course().named(&word)).transpose()?.map(|module| module.id);
    tui::run(tui::Options {
        lab: context.lab()?,
        cache: context.cache()?,
        module,
        engine: context.engine,
        wishes,
    })
}

/// How the screen is to look.
fn wishes(arguments: &Arguments) -> tui::Wishes {
    let theme = match arguments.theme {
        ThemeName::Auto => None,
        ThemeName::Dark => Some(tui::Theme::Dark),
        ThemeName::Light => Some(tui::Theme::Light),
        ThemeName::HighContrast => Some(tui::Theme::HighContrast),
    };
    tui::Wishes { theme, ascii: arguments.ascii }
}
