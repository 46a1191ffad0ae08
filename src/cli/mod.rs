//! Headless commands: everything that the screen shows, without a screen. One file per command. Arguments become
//! lines and an exit code. Not here: the screen.

mod analytics;
mod analyze;
mod arguments;
mod audit;
mod author;
mod bundle;
mod capstone;
mod check;
mod class_leaderboard;
mod collect;
mod complete;
mod context;
mod doctor;
mod explore;
mod feedback;
mod glossary;
mod grade;
mod gradebook;
mod hint;
mod init;
mod list;
mod manual;
mod marking;
mod meter;
mod milestone;
mod mlperf;
mod mutants;
mod named_file;
mod predict;
mod printer;
mod question;
mod records;
mod release;
mod reset;
mod restore;
mod share;
mod signals;
mod similarity;
mod solution;
mod submit;
mod template;
mod untrusted;
mod update;
mod watch;

pub use arguments::{
    Arguments, Command, GradebookArguments, GradebookCommand, ThemeName, WatchArguments,
};
pub use context::Context;
pub use marking::{Marking, marking};
pub use printer::Printer;

use crate::error::Error;
use arguments::ShareDecision;
use signals::Interruption;
use std::process::ExitCode;

/// Runs a command.
///
/// # Errors
/// When the arguments are wrong, or something is missing on this machine.
pub fn run(context: &Context, command: Command) -> Result<ExitCode, Error> {
    let mut out = Printer::stdout();
    // Before signals are caught: Ctrl-C at a question ends the program.
    if let Command::Reset(arguments) = &command
        && !reset::is_confirmed(context, arguments)?
    {
        return Ok(ExitCode::from(1));
    }
    let command = with_consent(context, command)?;
    let interruption = Interruption::listen(context.cancel.clone())?;
    let done = dispatch(context, command, &mut out);
    if let Some(code) = interruption.exit_code() {
        // The errors of an interrupted run are not reported.
        return Ok(ExitCode::from(code));
    }
    let done = done?;
    out.finish()?;
    Ok(ExitCode::from(u8::from(!done)))
}

/// The command with the learner's decision about what the lab shares, if they can be asked and did not decide before.
fn with_consent(context: &Context, mut command: Command) -> Result<Command, Error> {
    match &mut command {
        Command::Init(arguments) if arguments.share_progress.is_none() => {
            arguments.share_progress = share::asked(context, &arguments.folder)?;
        }
        Command::Share(arguments) if arguments.decision == ShareDecision::Ask => {
            let answer = share::asked(context, context.lab()?.root())?;
            arguments.decision = answer.map_or(ShareDecision::Ask, ShareDecision::from);
        }
        _ => {}
    }
    Ok(command)
}

fn dispatch(context: &Context, command: Command, out: &mut Printer) -> Result<bool, Error> {
    match command {
        Command::List(arguments) => list::run(context, &arguments, out),
        Command::Check(arguments) => check::run(context, &arguments, out),
        Command::Analyze(arguments) => analyze::run(context, &arguments, out),
        Command::Predict(arguments) => predict::run(context, &arguments, out),
        Command::Explore(arguments) => explore::run(context, &arguments, out),
        Command::Glossary(arguments) => glossary::run(context, &arguments, out),
        Command::Grade(arguments) => grade::run(context, &arguments, out),
        Command::Template(arguments) => template::run(&arguments, out),
        Command::Hint(arguments) => hint::run(context, &arguments, out),
        Command::Solution(arguments) => solution::run(context, &arguments, out),
        Command::Reset(arguments) => reset::run(context, &arguments, out),
        Command::Restore(arguments) => restore::run(context, &arguments, out),
        Command::Init(arguments) => init::run(context, &arguments, out),
        Command::Submit(arguments) => submit::run(context, &arguments, out),
        Command::Share(arguments) => share::run(context, &arguments, out),
        Command::Update(arguments) => update::run(context, &arguments, out),
        Command::Complete(arguments) => complete::run(context, &arguments, out),
        Command::Export(arguments) => complete::export(context, &arguments, out),
        Command::Milestone(arguments) => milestone::run(context, arguments, out),
        Command::Mlperf(arguments) => mlperf::run(context, arguments, out),
        Command::Capstone(arguments) => capstone::run(context, arguments, out),
        Command::Collect(arguments) => collect::run(context, &arguments, out),
        Command::Gradebook(arguments) => gradebook::run(context, &arguments, out),
        Command::Feedback(arguments) => feedback::run(context, &arguments, out),
        Command::Analytics(arguments) => analytics::run(context, &arguments, out),
        Command::Similarity(arguments) => similarity::run(context, &arguments, out),
        Command::Bundle(arguments) => bundle::run(context, &arguments, out),
        Command::Release(arguments) => release::run(context, &arguments, out),
        Command::Audit(arguments) => audit::run(context, &arguments, out),
        Command::Doctor(arguments) => doctor::run(context, &arguments, out),
        Command::Author(arguments) => author::run(context, arguments, out),
        Command::Completions { shell } => manual::completions(shell, out),
        Command::Man { folder } => manual::pages(folder.as_deref(), out),
        Command::Watch(arguments) => watch::run(context, &arguments, out),
        // `main` opens the screen, which this component does not know.
        Command::Start { .. } | Command::Resume => Ok(true),
    }
}
