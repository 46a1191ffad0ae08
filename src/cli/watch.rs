//! `watch` and `--plain`: checks each save and prints the results as lines, without moving the cursor, for screen
//! readers and simple terminals. Not here: the screen (`tui`).

use super::arguments::{CheckFormat, WatchArguments};
use super::check::{CheckSession, print_problem};
use super::context::Context;
use super::printer::Printer;
use super::signals::on_signal;
use crate::curriculum::Module;
use crate::error::{Error, count, printable};
use crate::watch::{self, Change, WatchMode};
use std::sync::mpsc::{Receiver, channel};

enum WatchEvent {
    Change(Change),
    Stop,
}

/// Ends at a signal, or when the output is closed.
pub fn run(
    context: &Context,
    arguments: &WatchArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let modules = context.modules_of_lab(&arguments.modules)?;
    let lab = context.lab()?;
    let mut session = CheckSession::open(context, false)?;
    let (sender, events) = channel();
    let stop = sender.clone();
    // After the loop has ended, nothing receives it.
    on_signal(move || drop(stop.send(WatchEvent::Stop)))?;
    let files: Vec<_> = modules.iter().map(|module| lab.exercise(module)).collect();
    let _watch =
        watch::start(files.clone(), move |change| drop(sender.send(WatchEvent::Change(change))))?;
    while !out.is_closed()
        && let Some(changes) = next(&events)
    {
        for (module, file) in modules.iter().zip(&files) {
            if changes.contains(&Change::Saved(file.clone())) {
                check(&mut session, module, out)?;
            }
            if changes.contains(&Change::Gone(file.clone())) {
                out.line(format!("{} was removed.", printable(file)));
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
    format!("{how}. Save one to check it; Ctrl-C stops.")
}

/// Waits for a change and returns all since the last call; `None` when watching ends.
fn next(events: &Receiver<WatchEvent>) -> Option<Vec<Change>> {
    let mut changes = vec![];
    let mut newest = events.recv().ok();
    while let Some(one) = newest {
        match one {
            WatchEvent::Stop => return None,
            WatchEvent::Change(change) => changes.push(change),
        }
        newest = events.try_recv().ok();
    }
    (!changes.is_empty()).then_some(changes)
}

fn check(session: &mut CheckSession, module: &Module, out: &mut Printer) -> Result<(), Error> {
    match session.check(module)? {
        Ok(report) => session.show(&report, out),
        Err(problem) => print_problem(CheckFormat::Human, module, &problem, out),
    }
    out.line("");
    Ok(())
}
