//! `watch` and `--plain`: each save is checked and its results are printed as lines, with no movement of the cursor, for
//! screen readers and simple terminals. Not here: the screen (`tui`).

use super::arguments::{CheckFormat, WatchArguments};
use super::check::{CheckSession, say_problem};
use super::context::Context;
use super::printer::Printer;
use super::signals::on_signal;
use crate::curriculum::Module;
use crate::error::{Error, count, printable};
use crate::watch::{self, Change, WatchMode};
use std::sync::mpsc::{Receiver, channel};

enum News {
    Change(Change),
    Stop,
}

/// Ends when a signal comes, or the reader leaves.
pub fn run(
    context: &Context,
    arguments: &WatchArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let modules = context.modules(&arguments.modules)?;
    let lab = context.lab()?;
    let mut session = CheckSession::open(context, false)?;
    let (sender, news) = channel();
    let stop = sender.clone();
    // Who has ended does not listen any more.
    on_signal(move || drop(stop.send(News::Stop)))?;
    let files: Vec<_> = modules.iter().map(|module| lab.exercise(module)).collect();
    let _watch =
        watch::start(files.clone(), move |change| drop(sender.send(News::Change(change))))?;
    while !out.is_closed()
        && let Some(changes) = next(&news)
    {
        for (module, file) in modules.iter().zip(&files) {
            if changes.contains(&Change::Saved(file.clone())) {
                check(&mut session, module, out)?;
            }
            if changes.contains(&Change::Gone(file.clone())) {
                out.line(format!("{} is gone.", printable(file)));
            }
        }
        for change in changes {
            if let Change::Mode(mode) = change {
                let exercises = count(files.len(), "exercise");
                out.line(format!("Watching {exercises} in {}{}", lab.root().display(), how(&mode)));
            }
        }
    }
    Ok(true)
}

fn how(mode: &WatchMode) -> String {
    let how = match mode {
        WatchMode::Native => String::new(),
        WatchMode::Polling(reason) => format!(", twice a second: {reason}"),
    };
    format!("{how}. Save one to check it; Ctrl-C ends.")
}

/// All changes since the last call, once there is one; `None` when the watching ends.
fn next(news: &Receiver<News>) -> Option<Vec<Change>> {
    let mut changes = vec![];
    let mut newest = news.recv().ok();
    while let Some(one) = newest {
        match one {
            News::Stop => return None,
            News::Change(change) => changes.push(change),
        }
        newest = news.try_recv().ok();
    }
    (!changes.is_empty()).then_some(changes)
}

fn check(session: &mut CheckSession, module: &Module, out: &mut Printer) -> Result<(), Error> {
    match session.check(module)? {
        Ok(report) => session.show(&report, out),
        Err(problem) => say_problem(CheckFormat::Human, module, &problem, out),
    }
    out.line("");
    Ok(())
}
