//! Messages and effects: what happened, and what `update` wants done, as plain values. Must not know what
//! follows from them.

use super::model::{CellInfo, Engine, HighlightedCode, Measured, ModuleStatus, ReadingPosition};
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
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::time::Duration;
use tinytorch::explore::Settings;
use tinytorch::report::Item;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Pasted(String),
    /// The mouse wheel was turned over a cell.
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
    /// The terminal was resized.
    Resized(u16, u16),
    /// The terminal reported its background, which this theme suits.
    Background(Theme),
    /// The clock ticked while something runs.
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
    /// What the store has about a module.
    Recalled {
        /// The module.
        module: ModuleId,
        /// How many hints of each cell were shown.
        hints: BTreeMap<String, usize>,
        /// Questions whose answer was shown before.
        answered: Vec<String>,
        /// What was written at each open task.
        written: BTreeMap<String, Written>,
        /// What analyses reported about the text as it is now.
        measured: Vec<(String, Item)>,
    },
    /// The results of milestones in the store.
    Milestones(Vec<Remembered>),
    /// A milestone is about to run.
    Trial {
        /// Which.
        milestone: &'static str,
        /// On which engine.
        engine: Engine,
        /// Whose code each module is.
        modules: Vec<RanModule>,
        /// Identifies the texts that it runs on.
        fingerprint: String,
    },
    /// Progress of a module that is being completed.
    Completing(ModuleId, Completing),
    /// The engine that was chosen last.
    Chosen(Engine),
    /// A file was saved.
    Saved(ModuleId),
    /// A file is gone.
    Gone(ModuleId),
    /// How saves are detected from now on.
    Watching(watch::WatchMode),
    /// Progress of a run.
    Run(u64, RunMessage),
    /// A frame of the figure with that number, or the error that prevented it.
    Frame(u64, Box<Result<Frame, Error>>),
    /// Code was split into tokens.
    Highlighted(HighlightedCode),
    /// The status of modules in the store.
    Statuses(BTreeMap<ModuleId, ModuleStatus>),
    /// A note for the status line.
    Note(String),
    /// Something went wrong outside of a run.
    Failed(String),
    /// The input thread sent its last event, and waits for a permit to read the next.
    InputTaken,
    /// The editor was stopped by this signal.
    EditorStopped(Signal),
    /// The editor ended; the error, if it failed.
    EditorEnded(Result<(), String>),
    /// SIGTSTP asks the program to suspend.
    Stopped,
    /// A signal asks the program to end, or the terminal is gone.
    Ended,
}

/// Progress of a module that is being completed.
#[derive(Debug, Clone)]
pub enum Completing {
    /// It was started.
    Begun,
    /// It took a step.
    Step(Step),
    /// It ended.
    Ended(Completion),
    /// It could not run on this machine.
    Failed(Error),
}

/// The result of a milestone in an earlier session.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// Which.
    pub milestone: &'static str,
    /// On which engine.
    pub engine: Engine,
    /// The result.
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
    /// The reading position when it was last left.
    pub place: Option<ReadingPosition>,
}

/// A side effect to perform.
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
        /// On which engine.
        engine: Engine,
    },
    /// Cancel the run in progress.
    Cancel,
    /// Open the exercise in the learner's editor.
    Edit {
        /// The module.
        module: ModuleId,
        /// The line.
        line: usize,
    },
    /// Suspend together with the editor, which this signal stopped.
    StopWithEditor(Signal),
    /// Take the terminal back from the editor.
    CloseEditor,
    /// Reset the exercise to the starter; the lab keeps a backup.
    Reset(ModuleId),
    /// Make the learner's file part of their engine, once every later module passes on it.
    Complete(ModuleId),
    /// Cancel every completion; modules that are already in the engine stay there.
    StopCompleting,
    /// Show a figure, or the open one with other settings.
    Explore(Explore),
    /// Close the open figure and end its process.
    CloseExplorable,
    /// Send the status of every module again.
    RefreshStatuses,
    /// Highlight code: language and text.
    Highlight(Vec<(String, String)>),
    /// Save a record.
    Keep(Record),
    /// Draw every cell of the next frame, since another program may have written over the last.
    Redraw,
    /// Suspend the program until the shell continues it.
    Suspend,
    /// End the program.
    Quit,
}

/// What the open figure should show.
#[derive(Debug, Clone, PartialEq)]
pub struct Explore {
    /// Which opening of a figure it is: a new number compiles the figure again.
    pub number: u64,
    /// The module.
    pub module: ModuleId,
    /// The figure's name.
    pub name: String,
    /// On which engine.
    pub engine: Engine,
    /// The settings of the controls.
    pub settings: Settings,
    /// The shortest time since the last frame.
    pub pace: Duration,
}

/// Something to save beyond this session.
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
    /// An answer was shown.
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
    /// The reading position when a lesson was left.
    Place {
        /// The module.
        module: ModuleId,
        /// The place.
        place: ReadingPosition,
    },
    /// The welcome card was closed.
    Welcomed,
    /// An engine was chosen.
    Engine(Engine),
    /// A milestone's program ended.
    Milestone {
        /// Which.
        milestone: &'static str,
        /// On which engine.
        engine: Engine,
        /// Identifies the texts that it ran on.
        fingerprint: String,
        /// The result.
        ran: Box<Ran>,
    },
}
