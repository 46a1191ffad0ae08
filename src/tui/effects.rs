//! What the screen asked for, done: files, runs, the store, the editor. Comes in: effects. Goes out:
//! messages. Runs and the store have a thread each, so that no key waits for a disk or a compiler.
//! Not here: when something is to be done (`update`).

mod completions;
mod editor;
mod explorables;
mod memory;
mod runs;

use super::highlight;
use super::message::{Effect, Message, Opened};
use super::model::{CellInfo, CellPlace};
use super::terminal::Screen;
use crate::curriculum::cells::{self, Cell, CellKind};
use crate::curriculum::{Module, ModuleId};
use crate::editor::Editor;
use crate::error::Error;
use crate::framework::{self, Engine};
use crate::lab::Lab;
use crate::runner::event::RunKind;
use crate::runner::{Request, RunMessage};
use completions::Completions;
use editor::OpenEditor;
use explorables::Explorables;
use memory::Memory;
pub use memory::last_module;
use runs::Runs;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

/// Whether the program goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// It does.
    GoOn,
    /// It ends.
    Quit,
}

/// Does what the screen asks for.
pub struct Effects {
    lab: Lab,
    messages: Sender<Message>,
    runs: Runs,
    completions: Completions,
    explorables: Explorables,
    memory: Memory,
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
        let threads = |error: std::io::Error| {
            Error::environment(format!("failed to start a thread: {error}"))
        };
        let figures_cache = cache.clone();
        Ok(Self {
            runs: Runs::start(cache.clone(), lab.course(), messages.clone()).map_err(threads)?,
            completions: Completions::start(lab.clone(), cache, messages.clone())
                .map_err(threads)?,
            explorables: Explorables::start(lab.clone(), figures_cache, messages.clone())
                .map_err(threads)?,
            memory: Memory::start(lab.clone(), engine, messages.clone()).map_err(threads)?,
            highlighter: highlight::start(messages.clone()).map_err(threads)?,
            editor: None,
            lab,
            messages,
        })
    }

    /// Does one thing.
    pub fn perform(&mut self, effect: Effect, screen: &mut Screen) -> Next {
        match effect {
            Effect::Open(id) => self.with(id, |module| self.open(module)),
            Effect::Run { generation, milestone: Some(id), engine, .. } => {
                self.run_milestone(generation, id, engine);
            }
            Effect::Run { generation, module, kind, engine, milestone: None } => {
                self.with(module, |module| self.run(generation, module, kind, engine));
            }
            Effect::Cancel => self.runs.cancel(),
            Effect::Edit { module, line } => self.edit(module, line, screen),
            Effect::StopWithEditor(signal) => {
                let stopped = self.editor.as_ref().map_or(Ok(()), |editor| editor.stopped(signal));
                self.answer_io("stop with the editor", stopped);
            }
            Effect::CloseEditor => self.reclaim(screen),
            Effect::Reset(id) => self.with(id, |module| self.reset(module)),
            Effect::Complete(id) => {
                if let Some(module) = self.lab.course().module(id) {
                    self.completions.submit(module);
                }
            }
            Effect::StopCompleting => self.completions.stop(),
            Effect::Explore(explore) => self.explorables.show(explore),
            Effect::CloseExplorable => self.explorables.close(),
            Effect::Stand => self.memory.stand(),
            Effect::Highlight(texts) => {
                // Without its thread, code stays plain.
                let _ = self.highlighter.send(texts);
            }
            Effect::Remember(fact) => self.memory.keep(fact),
            Effect::Suspend => self.suspend(screen),
            Effect::Quit => return Next::Quit,
        }
        Next::GoOn
    }

    /// Whether the terminal belongs to an editor: nothing is drawn and no key is read.
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
            return self.answer_io("stop the editor", asked);
        }
        screen.release();
        let stopped = editor::suspend(File::open("/dev/tty").ok().as_ref());
        self.reclaim(screen);
        self.answer_io("suspend", stopped);
    }

    /// The terminal is the tutor's again. It may have another size by now.
    fn reclaim(&mut self, screen: &mut Screen) {
        self.editor = None;
        match screen.reclaim().and_then(|()| screen.size()) {
            Ok((width, height)) => self.send(Message::Resized(width, height)),
            // Nothing can be drawn any more, which the next frame reports.
            Err(_) => self.send(Message::Tick),
        }
    }

    fn answer_io(&self, what: &str, done: std::io::Result<()>) {
        let failed = |error| Error::environment(format!("failed to {what}: {error}"));
        self.answer(done.map(|()| None).map_err(failed));
    }

    fn with(&self, id: ModuleId, act: impl FnOnce(&'static Module)) {
        if let Some(module) = self.lab.course().module(id) {
            act(module);
        }
    }

    /// The loop that receives messages owns the other end: it cannot be gone while effects are done.
    fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    fn answer(&self, done: Result<Option<String>, Error>) {
        match done {
            Ok(None) => {}
            Ok(Some(text)) => self.send(Message::Said(text)),
            Err(error) => self.send(Message::Failed(error.to_string())),
        }
    }

    fn shown(&self, module: &Module) -> String {
        let path = self.lab.exercise(module);
        path.strip_prefix(self.lab.root()).unwrap_or(&path).display().to_string()
    }

    fn open(&self, module: &'static Module) {
        let lesson = self.lab.read_lesson(module);
        let file = self.shown(module);
        let place = memory::place(&self.lab, module);
        self.send(Message::Opened(Box::new(Opened { module: module.id, lesson, file, place })));
        let text = self.read(module);
        self.memory.recall(module, text.unwrap_or_default());
    }

    /// Reads the exercise and says what it is; its text, if it has one.
    fn read(&self, module: &'static Module) -> Option<String> {
        let text = self.lab.read_exercise(module).map_err(|reason| reason.to_string());
        let cells = cells_of(module.reference(), text.as_deref().unwrap_or_default());
        let edited =
            text.as_ref().is_ok_and(|text| framework::edited_since(&self.lab, module, text));
        self.send(Message::Read { module: module.id, text: text.clone(), cells, edited });
        text.ok()
    }

    fn run(&self, generation: u64, module: &'static Module, kind: RunKind, engine: Engine) {
        let Some(text) = self.read(module) else {
            self.runs.cancel();
            return;
        };
        let file = PathBuf::from(self.shown(module));
        let request = framework::links(&self.lab, engine).map(|links| Request {
            module: module.id,
            kind,
            only: vec![],
            file,
            text,
            links,
            separate_tests: false,
        });
        self.submit(generation, request);
    }

    fn run_milestone(&self, generation: u64, id: &'static str, engine: Engine) {
        let Some(milestone) = self.lab.course().milestone(id) else {
            return;
        };
        let request = framework::trial(&self.lab, milestone, engine).map(|trial| {
            let framework::Trial { request, links, fingerprint } = trial;
            self.send(Message::Trial { milestone: id, engine, links, fingerprint });
            request
        });
        self.submit(generation, request);
    }

    fn submit(&self, generation: u64, request: Result<Request, Error>) {
        match request {
            Ok(request) => self.runs.submit(generation, request),
            Err(error) => self.send(Message::Run(generation, RunMessage::Failed(error))),
        }
    }

    fn reset(&self, module: &'static Module) {
        let reset = self.lab.reset(module);
        if reset.as_ref().is_ok_and(|reset| reset.left_engine) {
            self.memory.stand();
        }
        self.answer(reset.map(|reset| {
            let left = if reset.left_engine { "; it left your engine" } else { "" };
            Some(match reset.backup {
                Some(backup) => {
                    let path = backup.strip_prefix(self.lab.root()).unwrap_or(&backup);
                    format!("reset; your file is kept as {}{left}", path.display())
                }
                None => format!("it is at its start{left}"),
            })
        }));
    }
}

/// The cells that a lesson can name, by the original, with their places in the learner's text.
fn cells_of(reference: &str, text: &str) -> Vec<CellInfo> {
    let originals = cells::parse(reference);
    let mine = cells::parse(text);
    let named = originals.iter().filter_map(|cell| Some((cell, cell.grade_id.as_deref()?)));
    named
        .filter(|(cell, _)| matches!(cell.kind, CellKind::Solution | CellKind::Test))
        .map(|(cell, id)| {
            let test = find(&originals, &format!("test-{id}")).unwrap_or(cell);
            let tests = test.tests().into_iter().map(str::to_owned).collect();
            let part = |heading| cells::section(cell, heading).unwrap_or_default().join("\n");
            let (task, example) = (part("TODO"), part("EXAMPLE"));
            CellInfo { id: id.to_owned(), task, example, tests, place: place(&mine, id) }
        })
        .collect()
}

fn find<'a, 'b>(cells: &'a [Cell<'b>], id: &str) -> Option<&'a Cell<'b>> {
    cells.iter().find(|cell| cell.grade_id.as_deref() == Some(id))
}

fn place(cells: &[Cell<'_>], id: &str) -> Option<CellPlace> {
    let cell = find(cells, id)?;
    let after = |cell: &Cell<'_>| cell.first_line + cell.text.lines().count();
    let line = |is_it: fn(&str) -> bool| cell.text.lines().position(is_it);
    // What the learner begins with, else the body of the function they wrote.
    let work = line(|line| line.contains("todo!("))
        .or_else(|| line(|line| line.contains("BEGIN SOLUTION")))
        .or_else(|| Some(1 + line(|line| line.contains("fn ") && !line.contains("//"))?))
        .unwrap_or(0);
    let test = find(cells, &format!("test-{id}"));
    Some(CellPlace {
        first: cell.first_line,
        work: cell.first_line + work,
        test: test.map_or_else(|| after(cell), |test| test.first_line),
        end: test.map_or_else(|| after(cell), after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// head\n// %% nbgrader={\"grade\": false, \"grade_id\": \"add\", \"locked\": false, \"schema_version\": 3, \"solution\": true, \"task\": false}\n/// TODO: add\n/// both.\n/// EXAMPLE: 1 + 1\nfn add() {\n    todo!(\"add\")\n}\n// %% nbgrader={\"grade\": true, \"grade_id\": \"test-add\", \"locked\": true, \"points\": 5, \"schema_version\": 3, \"solution\": false, \"task\": false}\n#[test]\nfn test_unit_add() {}\n";

    #[test]
    fn a_cell_knows_its_test_and_where_the_work_begins() {
        let cells = cells_of(TEXT, TEXT);
        let add = cells.iter().find(|cell| cell.id == "add").unwrap();
        assert_eq!(add.tests, ["test_unit_add"]);
        assert_eq!(add.place, Some(CellPlace { first: 2, work: 7, test: 9, end: 12 }));
        assert_eq!((add.task.as_str(), add.example.as_str()), ("add\nboth.", "1 + 1"));
    }

    #[test]
    fn the_work_on_a_cell_that_is_begun_is_in_its_body() {
        let begun = TEXT.replace("todo!(\"add\")", "2");
        let cells = cells_of(TEXT, &begun);
        assert_eq!(cells[0].place.unwrap().work, 7);
    }

    #[test]
    fn a_cell_that_the_learner_lost_has_no_place() {
        let cells = cells_of(TEXT, "fn main() {}\n");
        assert!(!cells.is_empty() && cells.iter().all(|cell| cell.place.is_none()));
    }
}
