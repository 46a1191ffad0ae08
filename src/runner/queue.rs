//! One slot: the newest request wins. Input: requests, each with a generation number. Output: messages, each with the
//! number of its request. A new request cancels the running one, its processes included, and replaces one that has
//! not begun yet. Not here: how a request is run.

use super::event::RunEvent;
use super::process::Cancel;
use super::{Request, Runner};
use crate::error::Error;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A message of the queue to its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum RunMessage {
    /// Something happened in the run.
    Event(RunEvent),
    /// Something on this machine is missing or broken; the run is over.
    Failed(Error),
}

/// Runs one request at a time on a thread of its own. Dropping it cancels the running request and waits until its
/// processes have ended.
pub struct Queue {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: Option<(u64, Request)>,
    running: Option<Cancel>,
    closed: bool,
}

impl Queue {
    /// A queue that runs requests with `runner` and passes every message to `sink`.
    pub fn new(
        runner: Arc<Runner>,
        sink: impl Fn(u64, RunMessage) + Send + Sync + 'static,
    ) -> Self {
        Self::with(move |request, cancel, events| runner.run(request, cancel, events), sink)
    }

    fn with<W, S>(work: W, sink: S) -> Self
    where
        W: Fn(&Request, &Cancel, &mut dyn FnMut(RunEvent)) -> Result<(), Error> + Send + 'static,
        S: Fn(u64, RunMessage) + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let worker = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                while let Some((generation, request, cancel)) = shared.take() {
                    let send = |message| {
                        if !cancel.is_cancelled() {
                            sink(generation, message);
                        }
                    };
                    let ended =
                        work(&request, &cancel, &mut |event| send(RunMessage::Event(event)));
                    if let Err(error) = ended {
                        send(RunMessage::Failed(error));
                    }
                }
            }
        });
        Self { shared, worker: Some(worker) }
    }

    /// Cancels the running request, if any, and starts this one.
    pub fn submit(&self, generation: u64, request: Request) {
        self.replace(|state| state.next = Some((generation, request)));
    }

    /// Cancels the running request, if any, and drops the waiting one.
    pub fn cancel(&self) {
        self.replace(|state| state.next = None);
    }

    fn replace(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.lock();
        change(&mut state);
        if let Some(running) = &state.running {
            running.cancel();
        }
        self.shared.changed.notify_one();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.replace(|state| {
            state.next = None;
            state.closed = true;
        });
        if let Some(worker) = self.worker.take() {
            // If the worker panicked, there is nothing to wait for.
            drop(worker.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next request and makes it the running one; `None` when the queue closes.
    fn take(&self) -> Option<(u64, Request, Cancel)> {
        let mut state = self.lock();
        state.running = None;
        loop {
            if state.closed {
                return None;
            }
            if let Some((generation, request)) = state.next.take() {
                let cancel = Cancel::default();
                state.running = Some(cancel.clone());
                return Some((generation, request, cancel));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::ModuleId;
    use crate::runner::event::{Notice, RunKind};
    use std::sync::mpsc::{Receiver, Sender, channel};

    fn request(text: &str) -> Request {
        Request {
            module: ModuleId(1),
            kind: RunKind::Check,
            only: vec![],
            file: "x.rs".into(),
            text: text.into(),
            sources: super::super::ModuleSources::default(),
            separate_tests: false,
        }
    }

    /// A queue whose work reports that it began, waits for permission to continue, and then sends its messages.
    struct Slow {
        queue: Queue,
        has_begun: Receiver<(String, Cancel)>,
        go_on: Sender<()>,
        messages: Receiver<(u64, RunMessage)>,
    }

    fn slow() -> Slow {
        let (began, has_begun) = channel();
        let (go_on, may_go_on) = channel::<()>();
        let (sent, messages) = channel();
        let work = move |request: &Request, cancel: &Cancel, events: &mut dyn FnMut(RunEvent)| {
            began.send((request.text.clone(), cancel.clone())).unwrap();
            may_go_on.recv().unwrap();
            events(RunEvent::Notice(Notice::DamagedMarker { line: 1 }));
            Err(Error::environment(request.text.clone()))
        };
        let queue = Queue::with(work, move |generation, message| {
            sent.send((generation, message)).unwrap();
        });
        Slow { queue, has_begun, go_on, messages }
    }

    #[test]
    fn only_the_newest_request_sends_messages() {
        let Slow { queue, has_begun, go_on, messages } = slow();
        queue.submit(1, request("one"));
        assert_eq!(has_begun.recv().unwrap().0, "one");
        queue.submit(2, request("two"));
        queue.submit(3, request("three"));
        go_on.send(()).unwrap();
        assert_eq!(has_begun.recv().unwrap().0, "three");
        go_on.send(()).unwrap();
        let event = RunMessage::Event(RunEvent::Notice(Notice::DamagedMarker { line: 1 }));
        assert_eq!(messages.recv().unwrap(), (3, event));
        let failed = RunMessage::Failed(Error::environment("three"));
        assert_eq!(messages.recv().unwrap(), (3, failed));
        drop(queue);
        assert!(messages.recv().is_err(), "nothing else was sent");
    }

    #[test]
    fn a_cancel_drops_the_waiting_request_and_ends_the_messages_of_the_running_one() {
        let Slow { queue, has_begun, go_on, messages } = slow();
        queue.submit(1, request("one"));
        assert_eq!(has_begun.recv().unwrap().0, "one");
        queue.submit(2, request("two"));
        queue.cancel();
        assert!(queue.shared.lock().next.is_none(), "the second does not wait any more");
        go_on.send(()).unwrap();
        drop(queue);
        assert!(has_begun.recv().is_err(), "the second never began");
        assert!(messages.recv().is_err(), "the first sent nothing");
    }

    #[test]
    fn a_newer_request_and_an_interrupt_each_cancel_the_running_one_alone() {
        let Slow { queue, has_begun, go_on, messages } = slow();
        queue.submit(1, request("one"));
        let (_, one) = has_begun.recv().unwrap();
        assert!(!one.is_cancelled());
        queue.submit(2, request("two"));
        assert!(one.is_cancelled(), "its processes end at once");
        go_on.send(()).unwrap();
        let (_, two) = has_begun.recv().unwrap();
        assert!(!two.is_cancelled());
        queue.cancel();
        assert!(two.is_cancelled());
        go_on.send(()).unwrap();
        queue.submit(3, request("three"));
        let (text, three) = has_begun.recv().unwrap();
        assert_eq!((text.as_str(), three.is_cancelled()), ("three", false), "after an interrupt");
        go_on.send(()).unwrap();
        assert_eq!(messages.recv().unwrap().0, 3);
    }
}
