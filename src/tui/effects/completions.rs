//! The thread that completes modules: it checks a module, rebuilds the modules above it, and checks every later
//! module. It has a runner of its own and a lower priority, so that saves are checked at once meanwhile. Takes
//! modules, sends messages. Must not know how a module is tested.

use super::worker::Worker;
use crate::curriculum::{Module, ModuleId};
use crate::framework;
use crate::lab::Lab;
use crate::runner::{Cancel, Runner};
use crate::tui::message::{Completing, Message};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};

struct Completion {
    module: &'static Module,
    cancel: Cancel,
}

/// Completes modules one at a time. Dropping it cancels the current completion and waits for its processes to end.
pub struct Completions {
    /// The latest request for each module.
    requested: Vec<(ModuleId, Cancel)>,
    worker: Worker<Completion>,
}

impl Completions {
    /// Starts the thread.
    pub fn start(lab: Lab, cache: PathBuf, messages: Sender<Message>) -> std::io::Result<Self> {
        let worker = Worker::start("completions", move |inbox| {
            lower_priority();
            work(&lab, &cache, &inbox, &messages);
        })?;
        Ok(Self { requested: vec![], worker })
    }

    /// Completes the module after those requested before. An earlier request for the same module is cancelled,
    /// because the file may have changed since.
    pub fn submit(&mut self, module: &'static Module) {
        let cancel = Cancel::default();
        self.requested.retain(|(id, earlier)| {
            let same = *id == module.id;
            if same {
                earlier.cancel();
            }
            !same
        });
        self.requested.push((module.id, cancel.clone()));
        self.worker.send(Completion { module, cancel });
    }

    /// Cancels the current completion and those that wait.
    pub fn stop(&mut self) {
        self.requested.drain(..).for_each(|(_, cancel)| cancel.cancel());
    }
}

impl Drop for Completions {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Lowers the priority of this thread and of the processes that it starts: the learner's saves go first. Elsewhere
/// than on Linux this would slow down the whole tutor, so it does nothing.
pub(super) fn lower_priority() {
    #[cfg(target_os = "linux")]
    // If the system refuses, the priority stays as it is.
    let _ = rustix::process::nice(5);
}

fn work(lab: &Lab, cache: &Path, inbox: &Receiver<Completion>, messages: &Sender<Message>) {
    let mut known = None;
    while let Ok(Completion { module, cancel }) = inbox.recv() {
        let send = |what| {
            // A cancelled completion reports nothing: a newer request may have replaced it.
            if !cancel.is_cancelled() {
                let _ = messages.send(Message::Completing(module.id, what));
            }
        };
        send(Completing::Begun);
        // Retried until it succeeds: a missing toolchain may have been installed meanwhile.
        let runner = known.take().map_or_else(|| Runner::new(cache.to_owned(), lab.course()), Ok);
        let ended = runner.and_then(|runner| {
            let steps = &mut |step| send(Completing::Step(step));
            let ended = framework::complete(&runner, lab, module, &cancel, steps);
            known = Some(runner);
            ended
        });
        send(match ended {
            Ok(ended) => Completing::Ended(ended),
            Err(error) => Completing::Failed(error),
        });
    }
}
