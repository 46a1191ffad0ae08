//! The event loop: wait for a message, update, perform effects, draw. It sleeps until a message arrives; a clock
//! ticks only while something runs. Must not know what a message means.

use super::capabilities::{LateAnswer, Preferences, background, capabilities};
use super::effects::{Effects, Next, is_welcomed, last_module};
use super::message::{Effect, Message};
use super::model::{Model, Overlay};
use super::terminal::Screen;
use super::update::update;
use super::view::{self, Cache};
use crate::curriculum::{Module, ModuleId};
use crate::editor::Editor;
use crate::error::Error;
use crate::framework::Engine;
use crate::lab::Lab;
use crate::watch::{self, Change};
use crossterm::event::{self, Event, KeyEventKind, MouseButton, MouseEventKind};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How often the elapsed time is redrawn while something runs.
const TICK: Duration = Duration::from_millis(100);
/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);

/// What [`run`] needs to open the screen.
#[derive(Debug, Clone)]
pub struct Options {
    /// The learner's folder.
    pub lab: Lab,
    /// The build cache.
    pub cache: PathBuf,
    /// The module to open; if none is named, the last one.
    pub module: Option<ModuleId>,
    /// The engine to use; if none is named, the one chosen last.
    pub engine: Option<Engine>,
    /// How the screen should look.
    pub preferences: Preferences,
}

/// Opens the screen and runs it until the learner quits.
///
/// # Errors
/// When the terminal cannot be set up or a thread cannot be started.
pub fn run(options: Options) -> Result<ExitCode, Error> {
    let Options { lab, cache, module, engine, preferences } = options;
    let module =
        module.or_else(|| last_module(&lab)).or(lab.course().modules().first().map(|m| m.id));
    let Some(module) = module else {
        return Err(Error::environment("the course has no modules"));
    };
    let class = lab.class()?;
    let failed = |error: io::Error| {
        Error::environment(format!("failed to use the terminal: {error}"))
            .hint("`tinytorch-tutor check` and `analyze` work without one.")
    };
    let variable = |name: &str| std::env::var(name).ok();
    if !io::stdout().is_terminal() {
        return Err(Error::environment("standard output is not a terminal").hint(
            "`tinytorch-tutor --plain` writes line by line; `check` and `analyze` run once.",
        ));
    }
    let capabilities = capabilities(preferences, variable, background);
    let (sender, messages) = channel();
    let mut screen = Screen::enter().map_err(failed)?;
    let size = screen.size().map_err(failed)?;
    let effects = Effects::start(lab.clone(), cache, engine, sender.clone())?;
    let permits = read_input(sender.clone()).map_err(failed)?;
    listen(sender.clone()).map_err(failed)?;
    let _watch = watch_exercises(&lab, sender)?;
    let mut model = Model::new(lab.course(), capabilities, size, module);
    model.class = class;
    model.has_editor = Editor::from_environment().is_ok();
    model.overlay = (!is_welcomed(&lab)).then_some(Overlay::Welcome);
    let mut app = App {
        model,
        started: Instant::now(),
        drawn: None,
        cache: Cache::default(),
        effects,
        permits,
        reader_waits: true,
    };
    let ended = app.run(&mut screen, &messages);
    drop(screen);
    match ended {
        // The terminal is gone, so an error could not be shown.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(failed(error)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

struct App {
    model: Model,
    started: Instant,
    drawn: Option<Instant>,
    cache: Cache,
    effects: Effects,
    permits: Sender<()>,
    /// Whether the input thread is waiting for a permit.
    reader_waits: bool,
}

impl App {
    fn run(&mut self, screen: &mut Screen, messages: &Receiver<Message>) -> io::Result<()> {
        let module = self.model.module;
        if self.perform(vec![Effect::Open(module)], screen) == Next::Quit {
            return Ok(());
        }
        loop {
            let first = self.wait(messages);
            if self.take(first, screen) == Next::Quit {
                return Ok(());
            }
            if self.batch(screen, messages) == Next::Quit {
                return Ok(());
            }
            self.draw(screen)?;
        }
    }

    /// Waits for a message, but no longer than a tick while something runs.
    fn wait(&self, messages: &Receiver<Message>) -> Message {
        let waited = if self.model.run.is_some() || self.model.note_fades() {
            messages.recv_timeout(TICK)
        } else {
            messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match waited {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Message::Tick,
            Err(RecvTimeoutError::Disconnected) => Message::Ended,
        }
    }

    /// Handles every pending message, and those that arrive before the next frame is due.
    fn batch(&mut self, screen: &mut Screen, messages: &Receiver<Message>) -> Next {
        let due = self.drawn.map_or_else(Instant::now, |drawn| drawn + FRAME);
        while let Ok(message) = messages.recv_timeout(due.saturating_duration_since(Instant::now()))
        {
            if self.take(message, screen) == Next::Quit {
                return Next::Quit;
            }
        }
        Next::Continue
    }

    fn take(&mut self, message: Message, screen: &mut Screen) -> Next {
        self.reader_waits |= matches!(message, Message::InputTaken);
        let effects = update(&mut self.model, self.started.elapsed(), message);
        let next = self.perform(effects, screen);
        // While an editor has the terminal, keys belong to the editor. Before the lesson is loaded, they wait in the
        // terminal: most would have nothing to act on yet.
        if self.reader_waits && !self.model.is_loading() && !self.effects.editor_has_terminal() {
            self.reader_waits = false;
            // Without the input thread there is nothing to permit; signals still end the program.
            let _ = self.permits.send(());
        }
        next
    }

    fn perform(&mut self, effects: Vec<Effect>, screen: &mut Screen) -> Next {
        for effect in effects {
            if self.effects.perform(effect, screen) == Next::Quit {
                return Next::Quit;
            }
        }
        Next::Continue
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        if self.effects.editor_has_terminal() {
            return Ok(());
        }
        let page = view::lay_out(&self.model, &mut self.cache);
        let measured = page.measured.clone();
        // A layout has no effects: it only changes what is in view.
        drop(update(&mut self.model, self.started.elapsed(), Message::LaidOut(measured)));
        screen.draw(|frame| view::draw(frame, &self.model, &page))?;
        self.drawn = Some(Instant::now());
        Ok(())
    }
}

/// Reads keys and the mouse on a thread of its own. Before each event it waits for a permit, so that it
/// does not read the terminal while an editor has it. The thread ends with the program: a blocked read
/// from a terminal cannot be interrupted.
fn read_input(messages: Sender<Message>) -> io::Result<Sender<()>> {
    let (permits, permitted) = channel();
    let read = move || {
        let mut late = LateAnswer::default();
        while permitted.recv().is_ok() {
            let message = match event::read() {
                Ok(event) => match late.take(&event) {
                    Some(theme) => theme.map(Message::Background),
                    None => input(&event),
                },
                Err(_) => Some(Message::Ended),
            };
            let ended = matches!(message, Some(Message::Ended));
            let mut sent = message.into_iter().chain([Message::InputTaken]);
            let lost = sent.any(|message| messages.send(message).is_err());
            if lost || ended {
                return;
            }
        }
    };
    Builder::new().name("input".into()).spawn(read)?;
    Ok(permits)
}

/// The message of a terminal event, if any. Pasted text is not read as keys. A resize is reported by
/// [`listen`], even while the input thread waits for a permit.
fn input(event: &Event) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Message::Key(*key)),
        Event::Paste(text) => Some(Message::Pasted(text.clone())),
        Event::Mouse(mouse) => {
            let (column, row) = (mouse.column, mouse.row);
            match mouse.kind {
                MouseEventKind::ScrollDown => Some(Message::Wheel { column, row, down: true }),
                MouseEventKind::ScrollUp => Some(Message::Wheel { column, row, down: false }),
                MouseEventKind::Down(MouseButton::Left) => Some(Message::Click { column, row }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Turns signals into messages.
fn listen(messages: Sender<Message>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGWINCH])?;
    let listen = move || {
        for signal in signals.forever() {
            let message = match signal {
                SIGTSTP => Message::Stopped,
                SIGWINCH => match crossterm::terminal::size() {
                    Ok((width, height)) => Message::Resized(width, height),
                    // The next frame reports what happened to the terminal.
                    Err(_) => continue,
                },
                _ => Message::Ended,
            };
            if messages.send(message).is_err() {
                return;
            }
        }
    };
    Builder::new().name("signals".into()).spawn(listen).map(drop)
}

fn watch_exercises(lab: &Lab, messages: Sender<Message>) -> Result<watch::Watch, Error> {
    let files: Vec<PathBuf> =
        lab.course().modules().iter().map(|module| lab.exercise(module)).collect();
    let lab = lab.clone();
    let module = move |path: &Path| -> Option<ModuleId> {
        let is_its = |module: &&Module| lab.exercise(module) == path;
        lab.course().modules().iter().find(is_its).map(|module| module.id)
    };
    watch::start(files, move |change| {
        let message = match change {
            Change::Saved(path) => module(&path).map(Message::Saved),
            Change::Gone(path) => module(&path).map(Message::Gone),
            Change::Mode(kind) => Some(Message::Watching(kind)),
        };
        if let Some(message) = message {
            // The loop may have ended; then no message matters.
            let _ = messages.send(message);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    #[test]
    fn pasted_text_is_not_read_as_keys_and_released_keys_are_ignored() {
        let key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert!(matches!(input(&Event::Key(key)), Some(Message::Key(_))));
        let released = KeyEvent { kind: KeyEventKind::Release, ..key };
        assert!(input(&Event::Key(released)).is_none());
        let pasted = input(&Event::Paste("qqq".into()));
        assert!(matches!(pasted, Some(Message::Pasted(text)) if text == "qqq"));
    }
}
