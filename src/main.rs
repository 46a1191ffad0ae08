//! Parse, dispatch, and turn an error into text and an exit code.

use clap::Parser;
use std::process::ExitCode;
use tinytorch_tutor::cli::{
    Arguments, Command, Context, GradebookArguments, GradebookCommand, Marking, ThemeName,
    WatchArguments, marking, run,
};
use tinytorch_tutor::error::Error;
use tinytorch_tutor::report::json;
use tinytorch_tutor::sandbox::launcher;
use tinytorch_tutor::tui;

#[expect(clippy::print_stderr, reason = "the only place that prints an error to the user")]
fn main() -> ExitCode {
    // Before there is a second thread.
    if let Some(code) = launcher::run(std::env::args_os()) {
        return code;
    }
    let arguments = Arguments::parse();
    let context = Context::new(&arguments);
    let is_json = arguments.command.as_ref().is_some_and(Command::is_json);
    let plain = arguments.plain || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let preferences = (!plain).then(|| preferences(&arguments));
    let done = match arguments.command {
        None => open(&context, arguments.module, preferences),
        Some(Command::Start { module }) => open(&context, Some(module), preferences),
        Some(Command::Resume) => open(&context, None, preferences),
        Some(Command::Gradebook(GradebookArguments {
            gradebook,
            command: GradebookCommand::Mark { submissions, rubric, anonymous },
        })) => marking(&context, &gradebook, &submissions, &rubric)
            .and_then(|marking| mark(marking, anonymous, preferences)),
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

/// Opens the screen at the named module, or where the learner left off. Without preferences, because the terminal cannot
/// draw the screen or `--plain` was given, the tutor prints line by line instead.
fn open(
    context: &Context,
    module: Option<String>,
    preferences: Option<tui::Preferences>,
) -> Result<ExitCode, Error> {
    let Some(preferences) = preferences else {
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
        preferences,
    })
}

/// Opens the screen for free-text answers.
fn mark(
    marking: Marking,
    anonymous: bool,
    preferences: Option<tui::Preferences>,
) -> Result<ExitCode, Error> {
    let Marking { gradebook, questions, note } = marking;
    let preferences = preferences.ok_or_else(|| {
        Error::environment("`gradebook mark` needs a terminal that can draw a screen")
            .hint("`gradebook give` gives points and comments without one.")
    })?;
    tui::marking::run(tui::marking::Options { gradebook, questions, anonymous, note, preferences })
}

/// How the screen should look.
fn preferences(arguments: &Arguments) -> tui::Preferences {
    let theme = match arguments.theme {
        ThemeName::Auto => None,
        ThemeName::Dark => Some(tui::Theme::Dark),
        ThemeName::Light => Some(tui::Theme::Light),
        ThemeName::HighContrast => Some(tui::Theme::HighContrast),
    };
    tui::Preferences { theme, ascii: arguments.ascii }
}
