//! A thread with an inbox. Dropping the worker closes the inbox and waits until the thread has ended.
//! Must not know what the work is.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

/// A thread that is sent commands. Its inbox closes when every sender is gone.
pub struct Worker<T> {
    commands: Option<Sender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread.
    pub fn start(name: &str, work: impl FnOnce(Receiver<T>) + Send + 'static) -> io::Result<Self> {
        let (commands, inbox) = channel();
        let thread = Builder::new().name(name.into()).spawn(move || work(inbox))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Sends a command. A thread that has ended has reported why.
    pub fn send(&self, command: T) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }

    /// A sender for another worker, which must be dropped before this one.
    pub fn sender(&self) -> Sender<T> {
        self.commands.clone().unwrap_or_else(|| channel().0)
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was printed by its hook.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_worker_waits_until_every_command_is_done() {
        let (done, results) = channel();
        let worker = Worker::start("test", move |inbox: Receiver<u32>| {
            inbox.iter().for_each(|number| done.send(number).unwrap());
        });
        let worker = worker.unwrap();
        (0..100).for_each(|number| worker.send(number));
        drop(worker);
        assert_eq!(results.try_iter().count(), 100);
    }
}
