//! The thread that owns the runner: finding the toolchain takes a tenth of a second, too long for the
//! main thread. Takes commands, sends the messages of runs. Must not know the lab.

use super::worker::Worker;
use crate::curriculum::Course;
use crate::runner::{Queue, Request, RunMessage, Runner};
use crate::tui::message::Message;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

/// A command for the runner.
pub enum RunCommand {
    /// Cancel the running request, if any, and start this one.
    Start(u64, Box<Request>),
    /// Cancel the running request, if any.
    Cancel,
}

/// Starts the thread. Dropping the worker cancels the run and waits for its processes to end.
pub fn start(
    cache: PathBuf,
    course: &'static Course,
    messages: Sender<Message>,
) -> std::io::Result<Worker<RunCommand>> {
    Worker::start("runs", move |inbox| work(cache, course, &inbox, &messages))
}

fn work(
    cache: PathBuf,
    course: &'static Course,
    inbox: &Receiver<RunCommand>,
    messages: &Sender<Message>,
) {
    let mut queue = None;
    while let Ok(command) = inbox.recv() {
        match (command, &queue) {
            (RunCommand::Cancel, None) => {}
            (RunCommand::Cancel, Some(queue)) => Queue::cancel(queue),
            (RunCommand::Start(generation, request), Some(queue)) => {
                queue.submit(generation, *request);
            }
            // Retried for every request: a missing toolchain may have been installed meanwhile.
            (RunCommand::Start(generation, request), None) => {
                match Runner::new(cache.clone(), course) {
                    Ok(runner) => {
                        let sink = messages.clone();
                        let new = Queue::new(Arc::new(runner), move |generation, message| {
                            let _ = sink.send(Message::Run(generation, message));
                        });
                        new.submit(generation, *request);
                        queue = Some(new);
                    }
                    Err(error) => {
                        let _ = messages.send(Message::Run(generation, RunMessage::Failed(error)));
                    }
                }
            }
        }
    }
}
