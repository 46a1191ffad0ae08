//! The thread that reads and writes the lab: lessons, exercises, whose code each module crate is. On a
//! network file system each of these can be too slow for the main thread. Commands are performed in
//! order, so that a cancelled run never starts later. Must not know why they were sent.

use super::runs::RunCommand;
use super::store::{self, StoreCommand};
use super::worker::Worker;
use crate::curriculum::cells::{self, Cell, CellKind};
use crate::curriculum::{Course, Module, ModuleId};
use crate::error::Error;
use crate::framework::{self, Engine};
use crate::lab::Lab;
use crate::runner::event::RunKind;
use crate::runner::{Request, RunMessage};
use crate::tui::message::{Message, Opened};
use crate::tui::model::{CellInfo, CellPlace};
use std::path::PathBuf;
use std::sync::mpsc::Sender;

/// A command for the lab.
pub enum FileCommand {
    /// Read a lesson and its exercise.
    Open(ModuleId),
    /// Read the exercise and run it.
    Run {
        /// The run's number.
        generation: u64,
        /// The module.
        module: ModuleId,
        /// Check or analysis.
        kind: RunKind,
        /// On which engine.
        engine: Engine,
    },
    /// Run a milestone's program.
    RunMilestone(u64, &'static str, Engine),
    /// Cancel the current run.
    Cancel,
    /// Reset the exercise to the starter.
    Reset(ModuleId),
}

/// The lab, and where the thread sends what it read.
pub struct Files {
    /// The learner's folder.
    pub lab: Lab,
    /// To the screen.
    pub messages: Sender<Message>,
    /// To the runner.
    pub runs: Sender<RunCommand>,
    /// To the store.
    pub store: Sender<StoreCommand>,
}

impl Files {
    /// Starts the thread.
    pub fn start(self) -> std::io::Result<Worker<FileCommand>> {
        Worker::start("files", move |inbox| inbox.iter().for_each(|command| self.perform(command)))
    }

    fn perform(&self, command: FileCommand) {
        match command {
            FileCommand::Open(id) => self.with(id, |module| self.open(module)),
            FileCommand::Run { generation, module, kind, engine } => {
                self.with(module, |module| self.run(generation, module, kind, engine));
            }
            FileCommand::RunMilestone(generation, id, engine) => {
                self.run_milestone(generation, id, engine);
            }
            FileCommand::Cancel => self.to_runs(RunCommand::Cancel),
            FileCommand::Reset(id) => self.with(id, |module| self.reset(module)),
        }
    }

    fn course(&self) -> &'static Course {
        self.lab.course()
    }

    fn with(&self, id: ModuleId, act: impl FnOnce(&'static Module)) {
        if let Some(module) = self.course().module(id) {
            act(module);
        }
    }

    /// The event loop, the runner and the store outlive this thread.
    fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    fn to_runs(&self, command: RunCommand) {
        let _ = self.runs.send(command);
    }

    /// The store's thread may have ended because of an error, which it has reported.
    fn to_store(&self, command: StoreCommand) {
        let _ = self.store.send(command);
    }

    fn shown(&self, module: &Module) -> String {
        let path = self.lab.exercise(module);
        path.strip_prefix(self.lab.root()).unwrap_or(&path).display().to_string()
    }

    fn open(&self, module: &'static Module) {
        let lesson = self.lab.read_lesson(module);
        let file = self.shown(module);
        let place = store::place(&self.lab, module);
        self.send(Message::Opened(Box::new(Opened { module: module.id, lesson, file, place })));
        let text = self.read(module);
        self.to_store(StoreCommand::Recall(module, text.unwrap_or_default()));
    }

    /// Reads the exercise and sends it to the screen; its text, if it can be read.
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
            self.to_runs(RunCommand::Cancel);
            return;
        };
        let file = PathBuf::from(self.shown(module));
        let request = framework::sources(&self.lab, engine).map(|sources| Request {
            module: module.id,
            kind,
            only: vec![],
            file,
            text,
            sources,
            separate_tests: false,
        });
        self.submit(generation, request);
    }

    fn run_milestone(&self, generation: u64, id: &'static str, engine: Engine) {
        let Some(milestone) = self.course().milestone(id) else {
            return;
        };
        let request = framework::trial(&self.lab, milestone, engine).map(|trial| {
            let framework::Trial { request, modules, fingerprint } = trial;
            self.send(Message::Trial { milestone: id, engine, modules, fingerprint });
            request
        });
        self.submit(generation, request);
    }

    fn submit(&self, generation: u64, request: Result<Request, Error>) {
        match request {
            Ok(request) => self.to_runs(RunCommand::Start(generation, Box::new(request))),
            Err(error) => self.send(Message::Run(generation, RunMessage::Failed(error))),
        }
    }

    fn reset(&self, module: &'static Module) {
        let reset = self.lab.reset(module);
        if reset.as_ref().is_ok_and(|reset| reset.left_engine) {
            self.to_store(StoreCommand::Refresh);
        }
        self.send(match reset {
            Ok(reset) => {
                let left = if reset.left_engine { "; removed from your engine" } else { "" };
                Message::Note(match reset.backup {
                    Some(backup) => {
                        let path = backup.strip_prefix(self.lab.root()).unwrap_or(&backup);
                        format!(
                            "reset to the starter; your file is kept as {}{left}",
                            path.display()
                        )
                    }
                    None => format!("the file is already the starter{left}"),
                })
            }
            Err(error) => Message::Failed(error.to_string()),
        });
    }
}

/// The cells that a lesson can name, as in the reference, with their places in the learner's text.
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
    // The `todo!` to replace, else the body of the function that the learner wrote.
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
    fn the_work_on_a_cell_that_was_started_is_in_its_body() {
        let begun = TEXT.replace("todo!(\"add\")", "2");
        let cells = cells_of(TEXT, &begun);
        assert_eq!(cells[0].place.unwrap().work, 7);
    }

    #[test]
    fn a_cell_that_the_learner_deleted_has_no_place() {
        let cells = cells_of(TEXT, "fn main() {}\n");
        assert!(!cells.is_empty() && cells.iter().all(|cell| cell.place.is_none()));
    }
}
