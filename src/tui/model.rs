//! Everything that the screen knows. Plain values; only `update` changes them. Must not know how a value
//! looks, nor where it came from.

pub use super::explorable::{Explorable, OpenFigure};
pub use super::highlighted::HighlightedCode;
pub use super::module_state::{
    CellInfo, CellPlace, CellState, Exercise, ModuleState, ReadingPlace, Trained,
};
pub use crate::framework::{Engine, Owner};

use super::layout::Results;
use super::module_state::cell_text;
use super::palette::Theme;
use crate::curriculum::cells;
use crate::curriculum::lesson::Block;
use crate::curriculum::{Course, Module, ModuleId};
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
    /// Which colours.
    pub theme: Theme,
}

/// Everything that the screen knows.
#[derive(Debug, Clone)]
pub struct Model {
    /// The course.
    pub course: &'static Course,
    /// What the terminal can show.
    pub capabilities: Capabilities,
    /// Whether there is an editor to open.
    pub has_editor: bool,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Time since the start, as of the last message.
    pub now: Duration,
    /// The module on screen.
    pub module: ModuleId,
    /// What is known of each module that was opened.
    pub module_states: BTreeMap<ModuleId, ModuleState>,
    /// What each module has to offer.
    pub totals: BTreeMap<ModuleId, Totals>,
    /// The status of each module.
    pub statuses: BTreeMap<ModuleId, ModuleStatus>,
    /// The interactive figure that is open.
    pub figure: Option<OpenFigure>,
    /// How many were opened so far.
    pub figures: u64,
    /// The number of the newest run.
    pub generation: u64,
    /// The run in progress.
    pub run: Option<Run>,
    /// Whose framework is used.
    pub engine: Engine,
    /// The modules that are being completed: the first is in progress, the others wait.
    pub completing: Vec<Completing>,
    /// The last one whose completion ended.
    pub completed: Option<Completion>,
    /// What came of milestones, by id, on each engine that they ran on.
    pub milestones: BTreeMap<(&'static str, Engine), Trained>,
    /// The milestone to bring into view once its lesson is open.
    pub goal: Option<&'static str>,
    /// How saves are noticed; `None` until the watcher reports it.
    pub noticing: Option<watch::WatchMode>,
    /// How much of the screen the results have.
    pub results: Results,
    /// First line of the results shown.
    pub results_top: usize,
    /// Columns of wide diagrams that are out of view at the left.
    pub pan: usize,
    /// What lies over the screen.
    pub overlay: Option<Overlay>,
    /// The search in the lesson.
    pub search: Search,
    /// What is being typed at an open task.
    pub writing: Option<Writing>,
    /// The note on screen, and since when.
    pub note: Option<(Note, Duration)>,
    /// Colours of the code on screen.
    pub highlighted: HighlightedCode,
    /// Where the view was before it jumped.
    pub jumps: Jumps,
    /// When the learner last moved the view.
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
    /// Lines of the lesson in which the search found something.
    pub matches: Vec<usize>,
    /// Lines of the results, and how many are in view.
    pub results: (usize, usize),
    /// Lines of the open window that scrolls, and how many are in view.
    pub window: (usize, usize),
    /// The line of each entry of the outline, while it is open.
    pub outline: Vec<usize>,
    /// Columns by which the widest diagram is wider than its place.
    pub hidden_columns: usize,
}

/// What there is to pass in a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Its tests.
    pub tests: usize,
    /// What they are worth.
    pub points: u32,
}

impl Totals {
    fn of(module: &Module) -> Self {
        let text = module.reference();
        Self { tests: cells::tests(text).len(), points: cells::points(text) }
    }
}

/// A place in a module.
pub type Place = (ModuleId, ReadingPlace);

/// Where the view was before it jumped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jumps {
    /// Places to go back to, the latest last.
    pub back: Vec<Place>,
    /// Places that going back left, the latest last.
    pub forward: Vec<Place>,
}

/// The status of a module, as far as is known without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleStatus {
    /// What the last check found; `Unknown` when the file was edited since.
    pub outcome: Outcome,
    /// Tests that passed.
    pub passed: usize,
    /// All tests; 0 when nothing was ever checked.
    pub tests: usize,
    /// What the tests that passed are worth.
    pub points: u32,
    /// Whose code the engine has of it.
    pub owner: Owner,
    /// Whether the file differs from what was completed.
    pub edited: bool,
}

impl ModuleStatus {
    /// Takes a report of the file into account.
    pub fn checked(&mut self, report: &ModuleReport) {
        (self.passed, self.tests) = report.passed();
        self.points = report.points();
        self.outcome = report.outcome();
    }

    /// Whether the module is completed, although the file fails now.
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

/// A module on its way into the learner's engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completing {
    /// The module.
    pub module: ModuleId,
    /// How far it is.
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
    /// In words.
    pub text: String,
    /// Whether the learner's code is in use.
    pub good: bool,
}

/// How far a module is on its way into the learner's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Another module is before it.
    Waiting,
    /// Its own tests run.
    Checking,
    /// The modules above it are rebuilt.
    Rebuilding,
    /// A later module is tested against it.
    Proving(ModuleId),
}

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The module.
    pub module: ModuleId,
    /// Check, analysis or milestone.
    pub kind: RunKind,
    /// Which milestone, if it is one.
    pub milestone: Option<&'static str>,
    /// On whose framework.
    pub engine: Engine,
    /// Why it was started.
    pub cause: Cause,
    /// When it was started.
    pub since: Duration,
    /// The state of each cell before.
    pub before: BTreeMap<String, CellState>,
    /// The piece of the compiler's first error before.
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
    /// The reference runs beside the learner's engine.
    Beside,
}

/// What lies over the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// Every key; the first line shown.
    Help(usize),
    /// The list of modules; the line of the cursor.
    Modules(usize),
    /// Whether to reset the exercise.
    Reset,
    /// The headings and exercises of the lesson.
    Outline {
        /// Only entries with these letters are listed.
        filter: String,
        /// The line of the cursor.
        line: usize,
    },
    /// A cell of the learner's beside the reference's.
    Compare {
        /// The cell.
        cell: String,
        /// The first line shown.
        top: usize,
    },
    /// How to begin.
    Welcome,
}

/// The search in the lesson.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// What is looked for; empty for nothing.
    pub text: String,
    /// Whether it is being typed.
    pub typing: bool,
    /// Whether to go to the first match once the view has measured where it is.
    pub seek: bool,
    /// The line of the match that was visited last.
    pub at: Option<usize>,
}

/// What is being typed at an open task. Nothing of it is kept yet.
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
    /// The words.
    pub text: String,
    /// Whether something went wrong; such a note stays until the next key.
    pub bad: bool,
}

impl Model {
    /// A screen that knows nothing yet.
    #[must_use]
    pub fn new(
        course: &'static Course,
        capabilities: Capabilities,
        size: (u16, u16),
        module: ModuleId,
    ) -> Self {
        Self {
            course,
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
            noticing: None,
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

    /// The status of the module on screen.
    #[must_use]
    pub fn status(&self) -> Option<&ModuleStatus> {
        self.statuses.get(&self.module)
    }

    /// The same, to change.
    pub fn module_state_mut(&mut self) -> Option<&mut ModuleState> {
        self.module_states.get_mut(&self.module)
    }

    /// The run in progress in the module on screen.
    #[must_use]
    pub fn run_here(&self) -> Option<&Run> {
        self.run.as_ref().filter(|run| run.module == self.module)
    }

    /// The reference's code of a cell of the module on screen.
    #[must_use]
    pub fn reference_cell(&self, cell: &str) -> Option<String> {
        cell_text(self.course.module(self.module)?.reference(), cell)
    }

    /// Whether there is a note that goes away by itself.
    #[must_use]
    pub fn note_fades(&self) -> bool {
        self.note.as_ref().is_some_and(|(note, _)| !note.bad)
    }

    /// Whether some of a piece is in view.
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

    /// The piece that keys act on: the chosen one while it is in view or on its way there, else the first live one that
    /// begins in view, else the one that fills the view.
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
