//! The thread that computes the frames of the open figure in a process of its own: at most 30 a second, and only the
//! newest of several requests. Dropping it ends the process and waits for it. Must not know what a frame looks like.

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

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(33);

enum FigureCommand {
    Show(Explore, Cancel),
    Close,
}

/// Computes frames of one figure at a time.
pub struct Explorables {
    worker: Worker<FigureCommand>,
    /// The number of the open figure, and what cancels it.
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

    /// Computes a frame. A figure other than the open one replaces it.
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
        self.worker.send(FigureCommand::Show(explore, cancel));
    }

    /// Closes the open figure.
    pub fn close(&mut self) {
        self.cancel();
        self.worker.send(FigureCommand::Close);
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

/// The state of the thread.
struct Figures {
    lab: Lab,
    cache: PathBuf,
    runner: Option<Arc<Runner>>,
    open: Option<(u64, Explorable)>,
}

impl Figures {
    fn work(&mut self, inbox: &Receiver<FigureCommand>, messages: &Sender<Message>) {
        let mut begun = None;
        while let Some(command) = newest(inbox, begun) {
            match command {
                FigureCommand::Close => self.open = None,
                FigureCommand::Show(explore, cancel) => {
                    begun = Some(Instant::now());
                    let number = explore.number;
                    if let Some(frame) = self.frame(explore, cancel).transpose() {
                        // The event loop outlives this thread.
                        let _ = messages.send(Message::Frame(number, Box::new(frame)));
                    }
                }
            }
        }
    }

    fn frame(&mut self, explore: Explore, cancel: Cancel) -> Result<Option<Frame>, Error> {
        if self.open.as_ref().is_none_or(|(number, _)| *number != explore.number) {
            // The process of the earlier figure ends before this one is compiled.
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

    /// The runner; retried until it can be made, because a missing toolchain may have been installed meanwhile.
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
        // An empty text does not compile, so the reference computes the figure.
        text: lab.read_exercise(module).unwrap_or_default(),
        sources: framework::sources(lab, explore.engine)?,
        separate_tests: false,
    })
}

/// Waits for a command, then until it is due; a newer one that arrives meanwhile replaces it.
fn newest(inbox: &Receiver<FigureCommand>, last: Option<Instant>) -> Option<FigureCommand> {
    let mut command = inbox.recv().ok()?;
    loop {
        let due = due(&command, last)
            .map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
        match inbox.recv_timeout(due) {
            Ok(newer) => command = newer,
            Err(RecvTimeoutError::Timeout) => return Some(command),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// When a command is due, given when the last frame was started.
fn due(command: &FigureCommand, last: Option<Instant>) -> Option<Instant> {
    match command {
        FigureCommand::Show(explore, _) => Some(last? + explore.pace.max(FRAME)),
        FigureCommand::Close => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::ModuleId;
    use crate::framework::Engine;
    use std::sync::mpsc::channel;
    use tinytorch::explore::Settings;

    fn show(number: u64, pace: Duration) -> FigureCommand {
        let (name, engine, settings) = ("explore_x".to_owned(), Engine::Mine, Settings::new());
        let module = ModuleId(1);
        FigureCommand::Show(
            Explore { number, module, name, engine, settings, pace },
            Cancel::default(),
        )
    }

    #[test]
    fn only_the_newest_of_many_commands_is_performed() {
        let (send, inbox) = channel();
        for number in 1..=100 {
            send.send(show(number, Duration::ZERO)).unwrap();
        }
        let Some(FigureCommand::Show(explore, _)) = newest(&inbox, None) else {
            panic!("a command")
        };
        assert_eq!(explore.number, 100);
        send.send(show(101, Duration::from_secs(600))).unwrap();
        send.send(FigureCommand::Close).unwrap();
        let command = newest(&inbox, Some(Instant::now()));
        assert!(matches!(command, Some(FigureCommand::Close)), "closing does not wait for a frame");
        drop(send);
        assert!(newest(&inbox, None).is_none());
    }

    #[test]
    fn a_frame_is_due_a_thirtieth_of_a_second_after_the_last_or_at_the_figures_own_pace() {
        let last = Instant::now();
        let after = |pace| due(&show(1, Duration::from_millis(pace)), Some(last)).unwrap() - last;
        assert_eq!([0, 20, 500].map(after), [FRAME, FRAME, Duration::from_millis(500)]);
        assert_eq!(due(&show(1, Duration::ZERO), None), None, "the first is due at once");
    }

    #[test]
    fn opening_another_figure_cancels_the_open_one() {
        let (performed, inbox) = channel();
        let worker = Worker::start("test", move |commands: Receiver<FigureCommand>| {
            commands.iter().for_each(|command| performed.send(command).unwrap());
        });
        let mut explorables = Explorables { worker: worker.unwrap(), open: None };
        let explore = |number| match show(number, Duration::ZERO) {
            FigureCommand::Show(explore, _) => explore,
            FigureCommand::Close => unreachable!(),
        };
        let mut cancels = vec![];
        for number in [1, 1, 2] {
            explorables.show(explore(number));
            let Ok(FigureCommand::Show(_, cancel)) = inbox.recv() else { panic!("a command") };
            cancels.push(cancel);
        }
        let ended: Vec<bool> = cancels.iter().map(Cancel::is_cancelled).collect();
        assert_eq!(ended, [true, true, false], "both commands of the first figure");
        explorables.close();
        assert!(cancels[2].is_cancelled() && matches!(inbox.recv(), Ok(FigureCommand::Close)));
    }
}
