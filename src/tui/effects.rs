//! Performs effects. Files, runs, completions, explorables and the store have a thread each, so that no key
//! waits for a disk or a compiler; the editor and the terminal belong to the main thread. Must not know when
//! an effect is needed (`update`).

mod completions;
mod editor;
mod explorables;
mod files;
mod runs;
mod store;
mod worker;

use super::highlight;
use super::message::{Effect, Message};
use super::terminal::Screen;
use crate::curriculum::ModuleId;
use crate::editor::Editor;
use crate::error::Error;
use crate::framework::Engine;
use crate::lab::Lab;
use completions::Completions;
use editor::OpenEditor;
use explorables::Explorables;
use files::{FileCommand, Files};
use runs::RunCommand;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use store::StoreCommand;
pub use store::{is_welcomed, last_module};
use worker::Worker;

/// Whether the program continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// It does.
    Continue,
    /// It ends.
    Quit,
}

/// Performs effects.
pub struct Effects {
    lab: Lab,
    messages: Sender<Message>,
    /// Dropped first: it sends to the runner and the store.
    files: Worker<FileCommand>,
    /// Only kept alive: `files` sends it commands.
    _runs: Worker<RunCommand>,
    completions: Completions,
    explorables: Explorables,
    store: Worker<StoreCommand>,
    highlighter: Sender<Vec<(String, String)>>,
    /// The editor that has the terminal.
    editor: Option<OpenEditor>,
}

impl Effects {
    /// Starts the threads that do the slow work.
    pub fn start(
        lab: Lab,
        cache: PathBuf,
        engine: Option<Engine>,
        messages: Sender<Message>,
    ) -> Result<Self, Error> {
        let failed = |error: std::io::Error| {
            Error::environment(format!("failed to start a thread: {error}"))
        };
        let figures_cache = cache.clone();
        let runs = runs::start(cache.clone(), lab.course(), messages.clone()).map_err(failed)?;
        let store = store::start(lab.clone(), engine, messages.clone()).map_err(failed)?;
        let files = Files {
            lab: lab.clone(),
            messages: messages.clone(),
            runs: runs.sender(),
            store: store.sender(),
        };
        Ok(Self {
            files: files.start().map_err(failed)?,
            _runs: runs,
            completions: Completions::start(lab.clone(), cache, messages.clone())
                .map_err(failed)?,
            explorables: Explorables::start(lab.clone(), figures_cache, messages.clone())
                .map_err(failed)?,
            store,
            highlighter: highlight::start(messages.clone()).map_err(failed)?,
            editor: None,
            lab,
            messages,
        })
    }

    /// Performs one effect.
    pub fn perform(&mut self, effect: Effect, screen: &mut Screen) -> Next {
        match effect {
            Effect::Open(id) => self.files.send(FileCommand::Open(id)),
            Effect::Run { generation, milestone: Some(id), engine, .. } => {
                self.files.send(FileCommand::RunMilestone(generation, id, engine));
            }
            Effect::Run { generation, module, kind, engine, milestone: None } => {
                self.files.send(FileCommand::Run { generation, module, kind, engine });
            }
            Effect::Cancel => self.files.send(FileCommand::Cancel),
            Effect::Edit { module, line } => self.edit(module, line, screen),
            Effect::StopWithEditor(signal) => {
                let stopped = self.editor.as_ref().map_or(Ok(()), |editor| editor.stopped(signal));
                self.answer_io("suspend with the editor", stopped);
            }
            Effect::CloseEditor => self.reclaim(screen),
            Effect::Reset(id) => self.files.send(FileCommand::Reset(id)),
            Effect::Complete(id) => {
                if let Some(module) = self.lab.course().module(id) {
                    self.completions.submit(module);
                }
            }
            Effect::StopCompleting => self.completions.stop(),
            Effect::Explore(explore) => self.explorables.show(explore),
            Effect::CloseExplorable => self.explorables.close(),
            Effect::RefreshStatuses => self.store.send(StoreCommand::Refresh),
            Effect::Highlight(texts) => {
                // Without its thread, code is not highlighted.
                let _ = self.highlighter.send(texts);
            }
            Effect::Keep(record) => self.store.send(StoreCommand::Keep(record)),
            Effect::Redraw => screen.redraw(),
            Effect::Suspend => self.suspend(screen),
            Effect::Quit => return Next::Quit,
        }
        Next::Continue
    }

    /// Whether an editor has the terminal; meanwhile nothing is drawn and no key is read.
    pub const fn editor_has_terminal(&self) -> bool {
        self.editor.is_some()
    }

    fn edit(&mut self, id: ModuleId, line: usize, screen: &mut Screen) {
        let Some(module) = self.lab.course().module(id) else { return };
        let file = self.lab.exercise(module);
        screen.release();
        let opened = Editor::from_environment()
            .and_then(|editor| editor::open(&editor, (&file, line), &self.messages));
        match opened {
            Ok(Some(editor)) => self.editor = Some(editor),
            // It has a window of its own, or did not start.
            other => {
                self.reclaim(screen);
                self.answer(other.map(|_| None));
            }
        }
    }

    fn suspend(&mut self, screen: &mut Screen) {
        if let Some(editor) = &self.editor {
            let asked = editor.ask_to_stop();
            return self.answer_io("suspend the editor", asked);
        }
        screen.release();
        let stopped = editor::suspend(File::open("/dev/tty").ok().as_ref());
        self.reclaim(screen);
        self.answer_io("suspend", stopped);
    }

    /// Takes the terminal back, whose size may have changed.
    fn reclaim(&mut self, screen: &mut Screen) {
        self.editor = None;
        match screen.reclaim().and_then(|()| screen.size()) {
            Ok((width, height)) => self.send(Message::Resized(width, height)),
            // Drawing the next frame fails too, and reports why.
            Err(_) => self.send(Message::Tick),
        }
    }

    fn answer_io(&self, what: &str, done: std::io::Result<()>) {
        let failed = |error| Error::environment(format!("failed to {what}: {error}"));
        self.answer(done.map(|()| None).map_err(failed));
    }

    /// The event loop owns the receiver, so it cannot be gone while effects are performed.
    fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    fn answer(&self, done: Result<Option<String>, Error>) {
        match done {
            Ok(None) => {}
            Ok(Some(text)) => self.send(Message::Note(text)),
            Err(error) => self.send(Message::Failed(error.to_string())),
        }
    }
}
