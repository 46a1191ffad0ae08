//! The model: the state of the screen as plain values, which only `update` changes. Must not know how a value looks
//! or where it came from.

pub use super::explorable::{Explorable, OpenFigure};
pub use super::highlighted::HighlightedCode;
pub use super::module_state::{
    CellInfo, CellPlace, CellState, Exercise, ModuleState, ReadingPosition, Trained,
};
pub use crate::framework::{Engine, Owner};

use super::layout::Results;
use super::module_state::cell_text;
use super::palette::Theme;
use crate::curriculum::cells;
use crate::curriculum::lesson::Block;
use crate::curriculum::{Course, Module, ModuleId};
use crate::lab::{Class, Help};
use crate::report::{ModuleReport, Outcome, Part};
use crate::runner::event::RunKind;
use crate::watch;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Only ASCII.
    pub ascii: bool,
    /// Colours.
    pub color: bool,
    /// The theme.
    pub theme: Theme,
}

/// The state of the screen.
#[derive(Debug, Clone)]
pub struct Model {
    /// The course.
    pub course: &'static Course,
    /// The class that the lab was released for, if it was for one.
    pub class: Option<Class>,
    /// What the terminal can show.
    pub capabilities: Capabilities,
    /// Whether an editor was found.
    pub has_editor: bool,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Time since the start, as of the last message.
    pub now: Duration,
    /// The module on screen.
    pub module: ModuleId,
    /// The state of each module that was opened.
    pub module_states: BTreeMap<ModuleId, ModuleState>,
    /// The tests and points of each module.
    pub totals: BTreeMap<ModuleId, Totals>,
    /// The status of each module.
    pub statuses: BTreeMap<ModuleId, ModuleStatus>,
    /// The open interactive figure.
    pub figure: Option<OpenFigure>,
    /// How many figures were opened so far.
    pub figures: u64,
    /// The number of the newest run.
    pub generation: u64,
    /// The run in progress.
    pub run: Option<Run>,
    /// The engine in use.
    pub engine: Engine,
    /// The modules that are being completed: the first is in progress, the others wait.
    pub completing: Vec<Completing>,
    /// The completion that ended last.
    pub completed: Option<Completion>,
    /// The results of milestones, by id and engine.
    pub milestones: BTreeMap<(&'static str, Engine), Trained>,
    /// The milestone to bring into view once its lesson is open.
    pub goal: Option<&'static str>,
    /// How saves are detected; `None` until the watcher reports it.
    pub watch_mode: Option<watch::WatchMode>,
    /// How much of the screen the results take up.
    pub results: Results,
    /// First line of the results shown.
    pub results_top: usize,
    /// Columns of wide diagrams that are out of view at the left.
    pub pan: usize,
    /// The open window over the screen.
    pub overlay: Option<Overlay>,
    /// The search in the lesson.
    pub search: Search,
    /// What is being typed at an open task.
    pub writing: Option<Writing>,
    /// The note on screen, and since when it is shown.
    pub note: Option<(Note, Duration)>,
    /// The tokens of the code on screen.
    pub highlighted: HighlightedCode,
    /// The jump list.
    pub jumps: Jumps,
    /// When the learner last scrolled.
    pub scrolled: Option<Duration>,
    /// When a file was last saved, and which.
    pub saved: Option<(ModuleId, Duration)>,
    /// What the view measured in the last layout.
    pub measured: Measured,
}

/// What the view measured in a layout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// The module that was laid out.
    pub module: Option<ModuleId>,
    /// First line of each piece of the lesson: the banner, then each block.
    pub starts: Vec<usize>,
    /// Lines of the lesson.
    pub total: usize,
    /// Lines of the lesson that are in view at once.
    pub height: usize,
    /// Lines of the lesson that match the search.
    pub matches: Vec<usize>,
    /// Lines of the results, and how many are in view.
    pub results: (usize, usize),
    /// Lines of the open scrolling window, and how many are in view.
    pub window: (usize, usize),
    /// The line of each entry of the outline, while it is open.
    pub outline: Vec<usize>,
    /// The bold phrases of the lesson, each with its line, while the glossary is open.
    pub bold: Vec<(usize, String)>,
    /// Columns of the widest diagram that do not fit.
    pub hidden_columns: usize,
}

/// The tests and points of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Its tests.
    pub tests: usize,
    /// Their points.
    pub points: u32,
}

impl Totals {
    fn of(module: &Module) -> Self {
        let text = module.reference();
        Self { tests: cells::tests(text).len(), points: cells::points(text) }
    }
}

/// A place in a module.
pub type Place = (ModuleId, ReadingPosition);

/// The jump list: where the view was before each jump.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jumps {
    /// Places to go back to, the latest last.
    pub back: Vec<Place>,
    /// Places to go forward to, the latest last.
    pub forward: Vec<Place>,
}

/// The status of a module, as far as it is known without opening the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleStatus {
    /// What the last check found; `Unknown` when the file was edited since.
    pub outcome: Outcome,
    /// Tests that passed.
    pub passed: usize,
    /// All tests; 0 if the module was never checked.
    pub tests: usize,
    /// The points of the tests that passed.
    pub points: u32,
    /// Whose code the engine uses for it.
    pub owner: Owner,
    /// Whether the file differs from what was completed.
    pub edited: bool,
}

impl ModuleStatus {
    /// Updates the status from a report of the file.
    pub fn checked(&mut self, report: &ModuleReport) {
        (self.passed, self.tests) = report.passed();
        self.points = report.points();
        self.outcome = report.outcome();
    }

    /// Whether the module is completed but its file fails now.
    #[must_use]
    pub fn fails_now(&self) -> bool {
        let failed = !matches!(self.outcome, Outcome::Unknown | Outcome::Passed);
        self.owner != Owner::Reference && failed
    }
}

impl Default for ModuleStatus {
    fn default() -> Self {
        let (outcome, owner) = (Outcome::Unknown, Owner::Reference);
        Self { outcome, passed: 0, tests: 0, points: 0, owner, edited: false }
    }
}

/// A completion that is queued or in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completing {
    /// The module.
    pub module: ModuleId,
    /// Its stage.
    pub stage: Stage,
    /// The module crates that were rebuilt, with the time that each took.
    pub rebuilt: Vec<(ModuleId, Duration)>,
}

/// How a completion ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The module.
    pub module: ModuleId,
    /// The module crates that were rebuilt, with the time that each took.
    pub rebuilt: Vec<(ModuleId, Duration)>,
    /// The outcome as a sentence.
    pub text: String,
    /// Whether the learner's code is in use.
    pub good: bool,
}

/// The stage of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for another module.
    Waiting,
    /// Its own tests run.
    Checking,
    /// The modules above it are rebuilt.
    Rebuilding,
    /// A later module is tested against it.
    Proving(ModuleId),
}

/// A run in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The module.
    pub module: ModuleId,
    /// Check, analysis or milestone.
    pub kind: RunKind,
    /// Which milestone, if it is one.
    pub milestone: Option<&'static str>,
    /// On which engine.
    pub engine: Engine,
    /// Why it was started.
    pub cause: Cause,
    /// When it was started.
    pub since: Duration,
    /// The state of each cell before the run.
    pub before: BTreeMap<String, CellState>,
    /// The piece of the first compiler error before the run.
    pub error_before: Option<usize>,
}

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The lesson was opened.
    Opened,
    /// The file was saved.
    Saved,
    /// A key was pressed.
    Asked,
    /// All tests passed.
    Passed,
    /// The engine was changed.
    Engine,
    /// The reference runs for comparison.
    Comparison,
}

/// A window over the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// The help; its first line in view.
    Help(usize),
    /// The list of modules; the line of the cursor.
    Modules(usize),
    /// The question whether to reset the exercise.
    Reset,
    /// The headings and exercises of the lesson.
    Outline {
        /// Only entries with these letters are listed.
        filter: String,
        /// The line of the cursor.
        line: usize,
    },
    /// The glossary.
    Glossary {
        /// Only entries with these letters are listed.
        filter: String,
        /// The line of the cursor among them.
        line: usize,
    },
    /// The learner's cell beside the reference's.
    Compare {
        /// The cell.
        cell: String,
        /// The first line in view.
        top: usize,
    },
    /// The welcome card.
    Welcome,
}

/// The search in the lesson.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// The text to find; empty without a search.
    pub text: String,
    /// Whether it is being typed.
    pub typing: bool,
    /// Whether to go to the first match once the view has measured where it is.
    pub seek: bool,
    /// The line of the match that was visited last.
    pub at: Option<usize>,
}

/// What is being typed at an open task, not saved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// The module.
    pub module: ModuleId,
    /// The task.
    pub task: String,
    /// The part that letters go to.
    pub part: Part,
    /// The prediction.
    pub prediction: String,
    /// The result; `None` where it is measured.
    pub result: Option<String>,
}

impl Writing {
    /// The text that letters go to.
    pub fn text(&mut self) -> &mut String {
        match (self.part, &mut self.result) {
            (Part::Result, Some(result)) => result,
            _ => &mut self.prediction,
        }
    }
}

/// A note: in the status line, or above it when it is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text.
    pub text: String,
    /// Whether it is an error, which stays until the next key.
    pub bad: bool,
}

impl Model {
    /// The initial state.
    #[must_use]
    pub fn new(
        course: &'static Course,
        capabilities: Capabilities,
        size: (u16, u16),
        module: ModuleId,
    ) -> Self {
        Self {
            course,
            class: None,
            capabilities,
            has_editor: true,
            size,
            now: Duration::ZERO,
            module,
            module_states: BTreeMap::new(),
            totals: course.modules().iter().map(|module| (module.id, Totals::of(module))).collect(),
            statuses: course
                .modules()
                .iter()
                .map(|module| (module.id, ModuleStatus::default()))
                .collect(),
            figure: None,
            figures: 0,
            generation: 0,
            run: None,
            engine: Engine::default(),
            completing: vec![],
            completed: None,
            milestones: BTreeMap::new(),
            goal: None,
            watch_mode: None,
            results: Results::default(),
            results_top: 0,
            pan: 0,
            overlay: None,
            search: Search::default(),
            writing: None,
            note: None,
            highlighted: HighlightedCode::new(),
            jumps: Jumps::default(),
            scrolled: None,
            saved: None,
            measured: Measured::default(),
        }
    }

    /// The module on screen, once it was opened.
    #[must_use]
    pub fn module_state(&self) -> Option<&ModuleState> {
        self.module_states.get(&self.module)
    }

    /// Whether the lesson or the exercise on screen is still being loaded.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.module_state().is_none_or(|known| known.exercise == Exercise::Unread)
    }

    /// The status of the module on screen.
    #[must_use]
    pub fn status(&self) -> Option<&ModuleStatus> {
        self.statuses.get(&self.module)
    }

    /// The module on screen, mutably.
    pub fn module_state_mut(&mut self) -> Option<&mut ModuleState> {
        self.module_states.get_mut(&self.module)
    }

    /// The run in progress in the module on screen.
    #[must_use]
    pub fn run_here(&self) -> Option<&Run> {
        self.run.as_ref().filter(|run| run.module == self.module)
    }

    /// Why the instructor of the class does not offer this help for the module on screen; none where it is open.
    #[must_use]
    pub fn closed(&self, help: Help) -> Option<String> {
        let module = self.course.module(self.module)?;
        self.class.as_ref()?.allow(help, module).err().map(|error| error.message)
    }

    /// The reference's code of a cell of the module on screen.
    #[must_use]
    pub fn reference_cell(&self, cell: &str) -> Option<String> {
        cell_text(self.course.module(self.module)?.reference(), cell)
    }

    /// Whether a note is shown that disappears by itself.
    #[must_use]
    pub fn note_fades(&self) -> bool {
        self.note.as_ref().is_some_and(|(note, _)| !note.bad)
    }

    /// Whether any part of a piece is in view.
    #[must_use]
    pub fn in_view(&self, piece: usize) -> bool {
        let Some(module_state) = self.module_state() else { return false };
        let from = self.measured.starts.get(piece).copied();
        let to = self.measured.starts.get(piece + 1).copied().unwrap_or(self.measured.total);
        let end = module_state.top + self.measured.height;
        from.is_some_and(|from| from < end && to > module_state.top)
    }

    /// The piece of the task at which something is typed, if it is in the lesson on screen.
    #[must_use]
    pub fn writing_piece(&self) -> Option<usize> {
        let writing = self.writing.as_ref().filter(|writing| writing.module == self.module)?;
        let is_it =
            |block: &Block| matches!(block, Block::Predict(task) if task.name == writing.task);
        let index = self.module_state()?.lesson.blocks.iter().position(is_it)?;
        Some(index + 1)
    }

    /// The piece that keys act on: the chosen one while it is in view or about to be, else the first live one that begins
    /// in view, else the one that fills the view.
    #[must_use]
    pub fn focus(&self) -> Option<usize> {
        let module_state = self.module_state()?;
        let starts = &self.measured.starts;
        let live = || {
            (0..starts.len()).filter(|piece| module_state.is_live(*piece) && self.in_view(*piece))
        };
        let begins =
            |piece: &usize| starts.get(*piece).is_some_and(|start| *start >= module_state.top);
        let chosen = module_state.bring.or(module_state.focus.filter(|piece| self.in_view(*piece)));
        chosen.or_else(|| live().find(begins)).or_else(|| live().next())
    }

    /// The block in focus.
    #[must_use]
    pub fn focused(&self) -> Option<&Block> {
        self.module_state()?.block(self.focus()?)
    }
}
