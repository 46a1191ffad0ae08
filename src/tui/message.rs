//! What can happen to the screen, and what the screen can ask for: plain values both ways. Must not know
//! what follows from them.

use super::model::{CellInfo, Engine, HighlightedCode, Measured, ModuleStatus, ReadingPlace};
use super::palette::Theme;
use crate::curriculum::ModuleId;
use crate::curriculum::lesson::Lesson;
use crate::error::Error;
use crate::framework::{Completion, Step};
use crate::report::{ModuleReport, Part, Ran, RanModule, Written};
use crate::runner::RunMessage;
use crate::runner::event::{Frame, RunKind};
use crate::watch;
use crossterm::event::KeyEvent;
use std::collections::BTreeMap;
use std::time::Duration;
use tinytorch::explore::Settings;
use tinytorch::report::Item;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The wheel turned over a cell.
    Wheel {
        /// The cell's column.
        column: u16,
        /// The cell's row.
        row: u16,
        /// Towards the end of the text.
        down: bool,
    },
    /// A cell was clicked.
    Click {
        /// The cell's column.
        column: u16,
        /// The cell's row.
        row: u16,
    },
    /// The terminal has another size.
    Resized(u16, u16),
    /// The terminal named its background, and this theme suits it.
    Background(Theme),
    /// Time went by while something runs.
    Tick,
    /// The view was laid out.
    LaidOut(Measured),
    /// A lesson was opened.
    Opened(Box<Opened>),
    /// The exercise was read.
    Read {
        /// The module.
        module: ModuleId,
        /// Its text, or why there is none.
        text: Result<String, String>,
        /// Its cells, with their lines in that text.
        cells: Vec<CellInfo>,
        /// Whether the text differs from what was completed.
        edited: bool,
    },
    /// What is remembered of a module.
    Recalled {
        /// The module.
        module: ModuleId,
        /// How many hints of each cell were shown.
        hints: BTreeMap<String, usize>,
        /// Questions whose answer was looked at.
        answered: Vec<String>,
        /// What was written at each open task.
        written: BTreeMap<String, Written>,
        /// What analyses reported about the text as it is now.
        measured: Vec<(String, Item)>,
    },
    /// What came of milestones, as remembered.
    Milestones(Vec<Remembered>),
    /// A milestone is about to run.
    Trial {
        /// Which.
        milestone: &'static str,
        /// On whose framework.
        engine: Engine,
        /// Whose code each module is.
        modules: Vec<RanModule>,
        /// Identifies the texts that it runs on.
        fingerprint: String,
    },
    /// A module that is being completed.
    Completing(ModuleId, Completing),
    /// The engine that was chosen last.
    Chosen(Engine),
    /// A file was saved.
    Saved(ModuleId),
    /// A file is gone.
    Gone(ModuleId),
    /// How saves are noticed from now on.
    Watching(watch::WatchMode),
    /// News of a run.
    Run(u64, RunMessage),
    /// A frame of the figure with that number, or what kept it from being computed.
    Frame(u64, Box<Result<Frame, Error>>),
    /// Colours of code are known.
    Highlighted(HighlightedCode),
    /// The status of modules, as remembered.
    Statuses(BTreeMap<ModuleId, ModuleStatus>),
    /// A note for the status line.
    Note(String),
    /// Something went wrong outside of a run.
    Failed(String),
    /// The last event of the terminal was taken; its reader waits for a permit to read on.
    InputTaken,
    /// The editor was stopped by this signal.
    EditorStopped(i32),
    /// The editor ended: why, unless all is well.
    EditorEnded(Result<(), String>),
    /// The system asks to stop for a while.
    Stopped,
    /// The system asks to end.
    Ended,
}

/// News of a module that is being completed.
#[derive(Debug, Clone)]
pub enum Completing {
    /// Its turn has come.
    Begun,
    /// It is one step further.
    Step(Step),
    /// It is over.
    Ended(Completion),
    /// This machine lacks something.
    Failed(Error),
}

/// What came of a milestone in an earlier session.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// Which.
    pub milestone: &'static str,
    /// On whose framework.
    pub engine: Engine,
    /// What came of it.
    pub ran: Ran,
    /// Identifies the texts that it ran on.
    pub fingerprint: String,
    /// Whether the engine has changed since.
    pub old: bool,
}

/// A lesson.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The module.
    pub module: ModuleId,
    /// The lesson.
    pub lesson: Lesson,
    /// The exercise's path, as shown.
    pub file: String,
    /// Where it was read last.
    pub place: Option<ReadingPlace>,
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read a lesson and its exercise.
    Open(ModuleId),
    /// Compile and run the exercise.
    Run {
        /// The run's number.
        generation: u64,
        /// The module.
        module: ModuleId,
        /// Check, analysis or milestone.
        kind: RunKind,
        /// Which milestone, if it is one.
        milestone: Option<&'static str>,
        /// On whose framework.
        engine: Engine,
    },
    /// End the run in progress.
    Cancel,
    /// Open the exercise in the learner's editor.
    Edit {
        /// The module.
        module: ModuleId,
        /// The line.
        line: usize,
    },
    /// Stop as the editor did, by this signal, and continue with it.
    StopWithEditor(i32),
    /// Take the terminal back from the editor.
    CloseEditor,
    /// Reset the exercise to the starter; the lab keeps a backup.
    Reset(ModuleId),
    /// Make the learner's file part of their engine, once every later module passes on it.
    Complete(ModuleId),
    /// End what is being completed; modules that are in the engine already stay.
    StopCompleting,
    /// Show a figure, or a figure that is open with other settings.
    Explore(Explore),
    /// End the figure that is open, with its process.
    CloseExplorable,
    /// Find the status of every module again.
    RefreshStatuses,
    /// Find the colours of code: language and text.
    Highlight(Vec<(String, String)>),
    /// Keep a record.
    Keep(Record),
    /// Draw every cell of the next frame, whatever another program wrote over the last.
    Redraw,
    /// Stop the whole program until the shell continues it.
    Suspend,
    /// End the program.
    Quit,
}

/// What the figure that is open is to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Explore {
    /// Which opening of a figure it is: a new number compiles the figure again.
    pub number: u64,
    /// The module.
    pub module: ModuleId,
    /// The figure's name.
    pub name: String,
    /// On whose framework.
    pub engine: Engine,
    /// What the controls are set to.
    pub settings: Settings,
    /// How long after the last frame this one is due, at least.
    pub pace: Duration,
}

/// Something to keep beyond this session.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A finished check, or finished analyses, of a text.
    Run {
        /// Which of the two.
        kind: RunKind,
        /// What was found.
        report: Box<ModuleReport>,
        /// The text it is about.
        text: String,
    },
    /// A hint was shown.
    Hint {
        /// The module.
        module: ModuleId,
        /// The cell.
        cell: String,
        /// How many hints are shown now.
        shown: usize,
    },
    /// An answer was looked at.
    Answer {
        /// The module.
        module: ModuleId,
        /// The question.
        question: String,
    },
    /// Something was written at an open task.
    Written {
        /// The module.
        module: ModuleId,
        /// The task.
        task: String,
        /// Which of the two.
        part: Part,
        /// What was written.
        text: String,
    },
    /// Where a lesson was left.
    Place {
        /// The module.
        module: ModuleId,
        /// The place.
        place: ReadingPlace,
    },
    /// The card that says how to begin was read.
    Welcomed,
    /// An engine was chosen.
    Engine(Engine),
    /// A milestone's program ended.
    Milestone {
        /// Which.
        milestone: &'static str,
        /// On whose framework.
        engine: Engine,
        /// Identifies the texts that it ran on.
        fingerprint: String,
        /// What came of it.
        ran: Box<Ran>,
    },
}
