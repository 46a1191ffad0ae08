//! The event loop: wait for a message, update, save, draw. A mark is written before the next message is taken. Must not know what
//! a message means.

use super::model::{Entry, Model, Note, entries};
use super::update::{Effect, Message, update};
use super::view;
use crate::classroom::gradebook::Gradebook;
use crate::classroom::rubric::Question;
use crate::error::Error;
use crate::tui::capabilities::{LateAnswer, Preferences, background, capabilities};
use crate::tui::terminal::Screen;
use crossterm::event::{self, Event, KeyEventKind, MouseEventKind};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

/// What [`run`] needs to open the screen.
#[derive(Debug)]
pub struct Options {
    /// The gradebook, which has the answers.
    pub gradebook: Gradebook,
    /// The questions of the rubric.
    pub questions: Vec<Question>,
    /// Whether students are numbers.
    pub anonymous: bool,
    /// What the instructor should know first.
    pub note: Option<String>,
    /// How the screen should look.
    pub preferences: Preferences,
}

/// Opens the screen and runs it until the instructor quits.
///
/// # Errors
/// When there is no answer, the terminal cannot be set up or a thread cannot be started.
pub fn run(options: Options) -> Result<ExitCode, Error> {
    let Options { mut gradebook, questions, anonymous, note, preferences } = options;
    let entries = entries(gradebook.answers()?, &questions, anonymous);
    if !io::stdout().is_terminal() {
        return Err(Error::environment("standard output is not a terminal")
            .hint("`gradebook give` gives points and comments without one."));
    }
    let failed = |error: io::Error| {
        Error::environment(format!("failed to use the terminal: {error}"))
            .hint("`gradebook give` gives points and comments without one.")
    };
    let variable = |name: &str| std::env::var(name).ok();
    let capabilities = capabilities(preferences, variable, background);
    let model = |size, entries: Vec<Entry>| {
        Model::new(capabilities, size, entries).ok_or_else(|| {
            Error::usage("there is no answer to grade").hint(
                "Name the folder that `collect` filled, and import the results of its submissions.",
            )
        })
    };
    model((0, 0), entries.clone())?;
    let mut screen = Screen::enter().map_err(failed)?;
    let mut model = model(screen.size().map_err(failed)?, entries)?;
    model.note = note.map(|text| Note { text, bad: false });
    let (sender, messages) = channel();
    listen(sender.clone()).map_err(failed)?;
    read_input(sender).map_err(failed)?;
    let ended = serve(&mut model, &mut gradebook, &mut screen, &messages);
    drop(screen);
    ended.map(|()| ExitCode::SUCCESS).map_err(failed)
}

fn serve(
    model: &mut Model,
    gradebook: &mut Gradebook,
    screen: &mut Screen,
    messages: &Receiver<Message>,
) -> io::Result<()> {
    loop {
        // A layout has no effects: it only changes what is in view.
        drop(update(model, Message::LaidOut(view::measure(model))));
        screen.draw(|frame| view::draw(frame, model))?;
        let mut next = messages.recv().ok();
        // One frame for all that is pending.
        while let Some(message) = next {
            for effect in update(model, message) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Redraw => screen.redraw(),
                    Effect::Save(save) => {
                        if let Err(error) = gradebook.mark(&save.answer, &save.mark) {
                            let problem = error.to_string().replace('\n', " ");
                            drop(update(model, Message::NotSaved { step: save.step, problem }));
                        }
                    }
                }
            }
            next = messages.try_recv().ok();
        }
    }
}

fn listen(messages: Sender<Message>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT])?;
    let listen = move || {
        // The loop may have ended; then no message matters.
        signals.forever().next().map(|_| messages.send(Message::Ended));
    };
    Builder::new().name("signals".into()).spawn(listen).map(drop)
}

fn read_input(messages: Sender<Message>) -> io::Result<()> {
    let read = move || {
        let mut late = LateAnswer::default();
        loop {
            let message = match event::read() {
                Ok(event) => match late.take(&event) {
                    Some(theme) => theme.map(Message::Background),
                    None => input(&event),
                },
                Err(_) => Some(Message::Ended),
            };
            let ended = message == Some(Message::Ended);
            if message.is_some_and(|message| messages.send(message).is_err()) || ended {
                return;
            }
        }
    };
    Builder::new().name("input".into()).spawn(read).map(drop)
}

/// The message of a terminal event, if any. Pasted text is not read as keys.
fn input(event: &Event) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Message::Key(*key)),
        Event::Paste(text) => Some(Message::Pasted(text.clone())),
        Event::Resize(width, height) => Some(Message::Resized(*width, *height)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollDown => Some(Message::Wheel { down: true }),
            MouseEventKind::ScrollUp => Some(Message::Wheel { down: false }),
            _ => None,
        },
        _ => None,
    }
}
