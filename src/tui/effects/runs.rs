//! The thread that owns the runner: finding the toolchain takes a tenth of a second, which is not
//! for the screen's thread. Comes in: requests. Goes out: messages of runs.

use crate::curriculum::Course;
use crate::runner::{Queue, Request, RunMessage, Runner};
use crate::tui::message::Message;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

enum Order {
    Submit(u64, Box<Request>),
    Cancel,
}

/// Runs one request at a time. Dropping it ends what runs and waits for its processes.
pub struct Runs {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Runs {
    /// Starts the thread.
    pub fn start(
        cache: PathBuf,
        course: &'static Course,
        messages: Sender<Message>,
    ) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        let thread = Builder::new()
            .name("runs".into())
            .spawn(move || work(cache, course, &inbox, &messages))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Ends the running request, if any, and starts this one.
    pub fn submit(&self, generation: u64, request: Request) {
        self.order(Order::Submit(generation, Box::new(request)));
    }

    /// Ends the running request, if any.
    pub fn cancel(&self) {
        self.order(Order::Cancel);
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread lives as long as its sender.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(
    cache: PathBuf,
    course: &'static Course,
    inbox: &Receiver<Order>,
    messages: &Sender<Message>,
) {
    let mut queue = None;
    while let Ok(order) = inbox.recv() {
        match (order, &queue) {
            (Order::Cancel, None) => {}
            (Order::Cancel, Some(queue)) => Queue::cancel(queue),
            (Order::Submit(generation, request), Some(queue)) => {
                queue.submit(generation, *request);
            }
            // Tried again for every request: what was missing may be there by now.
            (Order::Submit(generation, request), None) => {
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
