//! The thread that completes modules: a check, then the modules above rebuilt, then every later module
//! checked. It has a runner of its own, so that saves are checked meanwhile, and leaves the processor to
//! them. Takes modules, sends messages. Must not know how a module is proved.

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

/// Completes one module after the other. Dropping it ends the current one and waits for its processes.
pub struct Completions {
    /// Of each module the last that was asked for: a newer one of the same module replaces it.
    given: Vec<(ModuleId, Cancel)>,
    worker: Worker<Completion>,
}

impl Completions {
    /// Starts the thread.
    pub fn start(lab: Lab, cache: PathBuf, messages: Sender<Message>) -> std::io::Result<Self> {
        let worker = Worker::start("completions", move |inbox| {
            lower_priority();
            work(&lab, &cache, &inbox, &messages);
        })?;
        Ok(Self { given: vec![], worker })
    }

    /// Completes the module once those asked for before are done; an earlier request for the same module
    /// ends, for it is of an earlier text.
    pub fn submit(&mut self, module: &'static Module) {
        let cancel = Cancel::default();
        self.given.retain(|(id, earlier)| {
            let same = *id == module.id;
            if same {
                earlier.cancel();
            }
            !same
        });
        self.given.push((module.id, cancel.clone()));
        self.worker.send(Completion { module, cancel });
    }

    /// Ends the current one and forgets those that wait.
    pub fn stop(&mut self) {
        self.given.drain(..).for_each(|(_, cancel)| cancel.cancel());
    }
}

impl Drop for Completions {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The learner's saves go first. On Linux a thread, and what it starts, can be less urgent by itself;
/// elsewhere that would slow the whole tutor down.
pub(super) fn lower_priority() {
    #[cfg(target_os = "linux")]
    // Where the system refuses, it is as urgent as everything else.
    let _ = rustix::process::nice(5);
}

fn work(lab: &Lab, cache: &Path, inbox: &Receiver<Completion>, messages: &Sender<Message>) {
    let mut known = None;
    while let Ok(Completion { module, cancel }) = inbox.recv() {
        let send = |what| {
            // Who cancelled it knows, and may have asked for a newer one.
            if !cancel.is_cancelled() {
                let _ = messages.send(Message::Completing(module.id, what));
            }
        };
        send(Completing::Begun);
        // Looked for again until it is found: what was missing may be there by now.
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
