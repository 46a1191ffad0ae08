//! The thread that computes the frames of the figure that is open, by a process of its own: at most 30 a second,
//! and of several requests the newest. Dropping it ends the process and waits for it. Must not know how a frame
//! looks.

use super::completions::lower_priority;
use super::worker::Worker;
use crate::curriculum::Module;
use crate::error::Error;
use crate::framework;
use crate::lab::Lab;
use crate::runner::event::{Frame, RunKind};
use crate::runner::{Cancel, Explorable, Request, Runner};
use crate::tui::message::{Explore, Message};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// The shortest time from one frame to the next.
const FRAME: Duration = Duration::from_millis(33);

enum Order {
    Show(Explore, Cancel),
    Close,
}

/// Computes frames of one figure at a time.
pub struct Explorables {
    worker: Worker<Order>,
    /// The number of the figure that is open, and what ends it.
    open: Option<(u64, Cancel)>,
}

impl Explorables {
    /// Starts the thread.
    pub fn start(lab: Lab, cache: PathBuf, messages: Sender<Message>) -> std::io::Result<Self> {
        let worker = Worker::start("explorables", move |inbox| {
            lower_priority();
            Figures { lab, cache, runner: None, open: None }.work(&inbox, &messages);
        })?;
        Ok(Self { worker, open: None })
    }

    /// Computes a frame; another figure than the one that is open replaces it.
    pub fn show(&mut self, explore: Explore) {
        let same = self.open.take_if(|(number, _)| *number == explore.number);
        let cancel = same.map_or_else(
            || {
                self.cancel();
                Cancel::default()
            },
            |(_, cancel)| cancel,
        );
        self.open = Some((explore.number, cancel.clone()));
        self.worker.send(Order::Show(explore, cancel));
    }

    /// Ends the figure that is open.
    pub fn close(&mut self) {
        self.cancel();
        self.worker.send(Order::Close);
    }

    fn cancel(&mut self) {
        if let Some((_, cancel)) = self.open.take() {
            cancel.cancel();
        }
    }
}

impl Drop for Explorables {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// What the thread owns.
struct Figures {
    lab: Lab,
    cache: PathBuf,
    runner: Option<Arc<Runner>>,
    open: Option<(u64, Explorable)>,
}

impl Figures {
    fn work(&mut self, inbox: &Receiver<Order>, messages: &Sender<Message>) {
        let mut begun = None;
        while let Some(order) = newest(inbox, begun) {
            match order {
                Order::Close => self.open = None,
                Order::Show(explore, cancel) => {
                    begun = Some(Instant::now());
                    let number = explore.number;
                    if let Some(frame) = self.frame(explore, cancel).transpose() {
                        // The loop that receives messages outlives this thread.
                        let _ = messages.send(Message::Frame(number, Box::new(frame)));
                    }
                }
            }
        }
    }

    fn frame(&mut self, explore: Explore, cancel: Cancel) -> Result<Option<Frame>, Error> {
        if self.open.as_ref().is_none_or(|(number, _)| *number != explore.number) {
            // The process of the earlier one ends before anything is compiled.
            self.open = None;
            let Some(module) = self.lab.course().module(explore.module) else { return Ok(None) };
            let (runner, request) = (self.runner()?, request(&self.lab, module, &explore)?);
            let figure = Explorable::new(runner, &explore.name, request, cancel);
            self.open = Some((explore.number, figure));
        }
        match &mut self.open {
            Some((_, figure)) => figure.frame(&explore.settings),
            None => Ok(None),
        }
    }

    /// The runner, looked for until it is found: what was missing may be there by now.
    fn runner(&mut self) -> Result<Arc<Runner>, Error> {
        let known = self.runner.take();
        let make = || Runner::new(self.cache.clone(), self.lab.course()).map(Arc::new);
        let runner = known.map_or_else(make, Ok)?;
        Ok(Arc::clone(self.runner.insert(runner)))
    }
}

fn request(lab: &Lab, module: &Module, explore: &Explore) -> Result<Request, Error> {
    let path = lab.exercise(module);
    let file = path.strip_prefix(lab.root()).unwrap_or(&path).to_path_buf();
    Ok(Request {
        module: module.id,
        kind: RunKind::Analysis,
        only: vec![],
        file,
        // What cannot be read does not compile: then the reference computes the figure.
        text: lab.read_exercise(module).unwrap_or_default(),
        sources: framework::sources(lab, explore.engine)?,
        separate_tests: false,
    })
}

/// Waits for an order, and until it is due; what comes meanwhile takes its place.
fn newest(inbox: &Receiver<Order>, last: Option<Instant>) -> Option<Order> {
    let mut order = inbox.recv().ok()?;
    loop {
        let due = due(&order, last)
            .map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
        match inbox.recv_timeout(due) {
            Ok(newer) => order = newer,
            Err(RecvTimeoutError::Timeout) => return Some(order),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// When an order is due, if the last frame was begun then.
fn due(order: &Order, last: Option<Instant>) -> Option<Instant> {
    match order {
        Order::Show(explore, _) => Some(last? + explore.pace.max(FRAME)),
        Order::Close => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::ModuleId;
    use crate::framework::Engine;
    use std::sync::mpsc::channel;
    use tinytorch::explore::Settings;

    fn show(number: u64, pace: Duration) -> Order {
        let (name, engine, settings) = ("explore_x".to_owned(), Engine::Mine, Settings::new());
        let module = ModuleId(1);
        Order::Show(Explore { number, module, name, engine, settings, pace }, Cancel::default())
    }

    #[test]
    fn of_many_orders_only_the_newest_is_carried_out() {
        let (send, inbox) = channel();
        for number in 1..=100 {
            send.send(show(number, Duration::ZERO)).unwrap();
        }
        let Some(Order::Show(explore, _)) = newest(&inbox, None) else { panic!("an order") };
        assert_eq!(explore.number, 100);
        send.send(show(101, Duration::from_secs(600))).unwrap();
        send.send(Order::Close).unwrap();
        let order = newest(&inbox, Some(Instant::now()));
        assert!(matches!(order, Some(Order::Close)), "closing does not wait for a frame");
        drop(send);
        assert!(newest(&inbox, None).is_none());
    }

    #[test]
    fn a_frame_is_due_a_thirtieth_of_a_second_after_the_last_or_when_the_figure_says() {
        let last = Instant::now();
        let after = |pace| due(&show(1, Duration::from_millis(pace)), Some(last)).unwrap() - last;
        assert_eq!([0, 20, 500].map(after), [FRAME, FRAME, Duration::from_millis(500)]);
        assert_eq!(due(&show(1, Duration::ZERO), None), None, "the first is due at once");
    }

    #[test]
    fn another_figure_ends_the_one_that_is_open() {
        let (carried_out, inbox) = channel();
        let worker = Worker::start("test", move |orders: Receiver<Order>| {
            orders.iter().for_each(|order| carried_out.send(order).unwrap());
        });
        let mut explorables = Explorables { worker: worker.unwrap(), open: None };
        let explore = |number| match show(number, Duration::ZERO) {
            Order::Show(explore, _) => explore,
            Order::Close => unreachable!(),
        };
        let mut cancels = vec![];
        for number in [1, 1, 2] {
            explorables.show(explore(number));
            let Ok(Order::Show(_, cancel)) = inbox.recv() else { panic!("an order") };
            cancels.push(cancel);
        }
        let ended: Vec<bool> = cancels.iter().map(Cancel::is_cancelled).collect();
        assert_eq!(ended, [true, true, false], "both orders of the first figure");
        explorables.close();
        assert!(cancels[2].is_cancelled() && matches!(inbox.recv(), Ok(Order::Close)));
    }
}
