//! The thread that completes modules: a check, then the chain above anew, then the proof of every later
//! module. It has a runner of its own, so that saves are checked meanwhile, and leaves the processor to
//! them. Comes in: modules. Goes out: messages. Dropping it ends what goes on and waits for its processes.

use crate::curriculum::{Module, ModuleId};
use crate::framework;
use crate::lab::Lab;
use crate::runner::{Cancel, Runner};
use crate::tui::message::{Completing, Message};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

struct Order {
    module: &'static Module,
    cancel: Cancel,
}

/// Completes one module after the other.
pub struct Completions {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    /// The last order of each module: what a newer one of the same module replaces.
    given: Vec<(ModuleId, Cancel)>,
}

impl Completions {
    /// Starts the thread.
    pub fn start(lab: Lab, cache: PathBuf, messages: Sender<Message>) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        let work = move || {
            give_way();
            work(&lab, &cache, &inbox, &messages);
        };
        let thread = Builder::new().name("completions".into()).spawn(work)?;
        Ok(Self { orders: Some(orders), thread: Some(thread), given: vec![] })
    }

    /// Completes the module once those asked for before are done; an earlier order for the same module
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
        if let Some(orders) = &self.orders {
            // The thread lives as long as its sender.
            let _ = orders.send(Order { module, cancel });
        }
    }

    /// Ends what goes on and forgets what waits.
    pub fn stop(&mut self) {
        self.given.drain(..).for_each(|(_, cancel)| cancel.cancel());
    }
}

impl Drop for Completions {
    fn drop(&mut self) {
        self.stop();
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The learner's saves go first. On Linux a thread, and what it starts, can be less urgent by itself;
/// elsewhere that would slow the whole tutor down.
pub(super) fn give_way() {
    #[cfg(target_os = "linux")]
    // Where the system refuses, it is as urgent as everything else.
    let _ = rustix::process::nice(5);
}

fn work(lab: &Lab, cache: &Path, inbox: &Receiver<Order>, messages: &Sender<Message>) {
    let mut known = None;
    while let Ok(Order { module, cancel }) = inbox.recv() {
        let send = |what| {
            // Who cancels an order knows, and may have given a newer one.
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
