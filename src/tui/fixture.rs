//! A session for tests: a lesson with every kind of block, and the messages of a check.

use super::message::{Effect, Message, Opened};
use super::model::{Capabilities, CellInfo, CellPlace, Model, ReadingPosition, Totals};
use super::update::update;
use super::view::screen::Page;
use super::view::{Cache, draw, lay_out};
use crate::curriculum::{Course, Milestone, Module, ModuleId, lesson};
use crate::runner::RunMessage;
use crate::runner::event::{
    Diagnostic, Expected, Level, Output, Place, RunEvent, RunKind, Span, Suggestion, TestResult,
    Verdict,
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use std::sync::LazyLock;
use std::time::Duration;
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Insight, Item, Metric, Origin, Series, Table, Target, Value,
};
use unicode_width::UnicodeWidthStr;

/// The module of the session.
pub const TENSOR: ModuleId = ModuleId(1);

const LESSON: &str = include_str!("fixture/lesson.md");
const EXERCISE: &str = include_str!("fixture/exercise.rs");

/// The only given cell of the course: an interactive figure.
const FIGURE: &str = r#"// %% nbgrader={"grade": false, "grade_id": "figure", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Learning rate.
///
/// Find a good one.
pub fn explore_rate(figure: &mut Explorer) {}
"#;

/// A course of five modules and two milestones.
pub fn course() -> &'static Course {
    static COURSE: LazyLock<Course> = LazyLock::new(|| {
        let module = |number, name: &str, title: &str| {
            let lesson = head(number, name, title);
            let reference =
                if name == "tensor" { format!("{REFERENCE}{FIGURE}") } else { String::new() };
            Module::new(ModuleId(number), name, lesson, reference)
        };
        let modules = [
            module(0, "setup", "Setup"),
            module(1, "tensor", "Tensor"),
            module(2, "activations", "Activations"),
            module(3, "layers", "Layers"),
            module(4, "losses", "Losses"),
        ];
        Course::new(modules.into(), MILESTONES, GLOSSARY)
    });
    &COURSE
}

const MILESTONES: &[Milestone] = &[
    Milestone {
        id: "1957_perceptron",
        year: 1957,
        title: "The perceptron",
        story: "A line between two kinds of points.",
        prerequisites: &[TENSOR],
        achieved_when: &["accuracy"],
    },
    Milestone {
        id: "1986_mlp",
        year: 1986,
        title: "Hidden layers learn",
        story: "Digits.",
        prerequisites: &[TENSOR, ModuleId(4)],
        achieved_when: &["accuracy on held-out digits, median of five seeds"],
    },
];

const GLOSSARY: &str = "**cache line**: What memory is read in. (lesson 01)\n\n\
                        **nanosecond**: A billionth of a `second`. (lesson 00)\n\n\
                        **stride**: How far one step along an axis goes. (lesson 01)\n";

const REFERENCE: &str = r#"// %% nbgrader={"grade": false, "grade_id": "tensor-new", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn new() {
    // BEGIN SOLUTION
    let new = "the reference";
    // END SOLUTION
}
"#;

fn head(number: u8, name: &str, title: &str) -> String {
    format!(
        "+++\nmodule = \"{number:02}_{name}\"\ntitle = \"{title}\"\nsubtitle = \"s\"\n\
         time = \"1 hour\"\ndifficulty = 1\nprerequisites = []\n+++\n"
    )
}

/// A course as long as the complete one will be.
fn long_course() -> &'static Course {
    static COURSE: LazyLock<Course> = LazyLock::new(|| {
        let module = |number: u8| {
            let name = format!("lesson{number}");
            let lesson = head(number, &name, &format!("Lesson {number}"));
            Module::new(ModuleId(number), &name, lesson, "")
        };
        Course::new((0..=20).map(module).collect(), MILESTONES, GLOSSARY)
    });
    &COURSE
}

/// A screen, driven by messages.
pub struct Session {
    pub model: Model,
    pub cache: Cache,
    pub now: Duration,
}

impl Session {
    /// The lesson is open and its check is running.
    pub fn opened(size: (u16, u16)) -> Self {
        Self::with(size, LESSON)
    }

    /// The same in a course of twenty-one modules.
    pub fn long(size: (u16, u16)) -> Self {
        let mut session = Self::opened(size);
        session.model = Model::new(long_course(), session.model.capabilities, size, TENSOR);
        session
    }

    /// The same with another lesson.
    pub fn with(size: (u16, u16), text: &str) -> Self {
        let capabilities = Capabilities { ascii: false, color: true, ..Capabilities::default() };
        let mut session = Self {
            model: Model {
                totals: [(TENSOR, Totals { tests: 3, points: 15 })].into(),
                ..Model::new(course(), capabilities, size, TENSOR)
            },
            cache: Cache::default(),
            now: Duration::ZERO,
        };
        session.load(TENSOR, text, None);
        session
    }

    /// Loads a module's lesson and exercise; returns the effects of both.
    pub fn load(
        &mut self,
        module: ModuleId,
        lesson: &str,
        place: Option<ReadingPosition>,
    ) -> Vec<Effect> {
        let lesson = lesson::parse(lesson);
        let file = format!("exercises/{}.rs", course().module(module).unwrap().slug());
        let opened = Opened { module, lesson, file, place };
        let mut effects = self.send(Message::Opened(Box::new(opened)));
        let text = Ok(EXERCISE.to_owned());
        effects.extend(self.send(Message::Read { module, text, cells: cells(), edited: false }));
        effects
    }

    /// Sends a message, then lays out the screen.
    pub fn send(&mut self, message: Message) -> Vec<Effect> {
        let effects = update(&mut self.model, self.now, message);
        self.page();
        effects
    }

    /// Lays the screen out as the loop does.
    pub fn page(&mut self) -> Page {
        let page = lay_out(&self.model, &mut self.cache);
        update(&mut self.model, self.now, Message::LaidOut(page.measured.clone()));
        page
    }

    /// The whole screen as text.
    pub fn screen(&mut self) -> String {
        self.screen_in(self.model.size)
    }

    /// What a terminal of this size shows, which may not be the size that the model knows.
    pub fn screen_in(&mut self, (width, height): (u16, u16)) -> String {
        let page = self.page();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &self.model, &page)).unwrap();
        let cells = &terminal.backend().buffer().content;
        let rows = cells.chunks(usize::from(width.max(1))).map(row);
        rows.collect::<Vec<_>>().join("\n")
    }

    /// Moves the clock forward.
    pub fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.send(Message::Tick);
    }

    /// Presses keys, one after another: letters, or names like `<Enter>`.
    pub fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = vec![];
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (code, modifiers) = match named {
                Some((name, after)) => {
                    rest = after;
                    (code(name), modifiers(name))
                }
                None => {
                    rest = &rest[first.len_utf8()..];
                    (KeyCode::Char(first), KeyModifiers::NONE)
                }
            };
            effects.extend(self.send(Message::Key(KeyEvent::new(code, modifiers))));
        }
        effects
    }

    /// Sends an event of the newest run.
    pub fn event(&mut self, event: RunEvent) -> Vec<Effect> {
        let generation = self.model.generation;
        self.send(Message::Run(generation, RunMessage::Event(event)))
    }

    /// A complete check with these verdicts for `test_unit_new`, `test_unit_add`, `test_module`.
    pub fn check(&mut self, verdicts: [Verdict; 3]) -> Vec<Effect> {
        let names = ["test_unit_new", "test_unit_add", "test_module"];
        self.start(&names);
        self.event(RunEvent::Built { success: true, took: Duration::from_millis(200) });
        for (name, verdict) in names.into_iter().zip(verdicts) {
            self.event(RunEvent::Test(result(name, verdict)));
        }
        self.event(RunEvent::Finished)
    }

    /// A check that ends with a compiler error.
    pub fn fails_to_compile(&mut self, line: usize) -> Vec<Effect> {
        self.start(&["test_unit_new", "test_unit_add", "test_module"]);
        self.event(RunEvent::Diagnostic(mismatched(line)));
        self.event(RunEvent::Built { success: false, took: Duration::from_millis(90) });
        self.event(RunEvent::Finished)
    }

    fn start(&mut self, names: &[&str]) {
        let expected =
            names.iter().map(|name| Expected { points: 5, ..Expected::new(name) }).collect();
        self.event(RunEvent::Started { module: TENSOR, kind: RunKind::Check, expected });
    }

    /// Runs the analyses.
    pub fn measure(&mut self) {
        for item in items() {
            self.event(RunEvent::Reported { analysis: "analyze_walk".into(), item });
        }
        self.event(RunEvent::AnalysisEnded(result("analyze_walk", Verdict::Passed)));
        self.event(RunEvent::Finished);
    }

    /// Moves the focus from block to block until its text contains `words`.
    pub fn focus_on(&mut self, words: &str) {
        self.press("g");
        for _ in 0..20 {
            if self.in_focus().contains(words) {
                return;
            }
            self.press("n");
        }
        panic!("no block with \"{words}\"");
    }

    /// The block in focus.
    pub fn in_focus(&self) -> String {
        format!("{:?}", self.model.focused())
    }
}

/// The text of a row; the cell after a wide symbol is empty.
fn row(cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut cells = cells.iter();
    while let Some(cell) = cells.next() {
        text.push_str(cell.symbol());
        for _ in 1..cell.symbol().width() {
            cells.next();
        }
    }
    text.trim_end().to_owned()
}

fn code(name: &str) -> KeyCode {
    match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Left" | "A-Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Tab" => KeyCode::Tab,
        "Backspace" => KeyCode::Backspace,
        "C-c" => KeyCode::Char('c'),
        "C-z" => KeyCode::Char('z'),
        "C-o" | "A-o" => KeyCode::Char('o'),
        "A-x" => KeyCode::Char('x'),
        "A-y" => KeyCode::Char('y'),
        other => panic!("the fixture has no key <{other}>"),
    }
}

fn modifiers(name: &str) -> KeyModifiers {
    match name.split_once('-') {
        Some(("C", _)) => KeyModifiers::CONTROL,
        Some(("A", _)) => KeyModifiers::ALT,
        _ => KeyModifiers::NONE,
    }
}

/// The result of a test that took 1.25 ms.
pub fn result(name: &str, verdict: Verdict) -> TestResult {
    let took = Duration::from_micros(1_250);
    TestResult { name: name.into(), verdict, output: Output::default(), took }
}

/// The verdict of a test that reached a `todo!`.
pub fn waits() -> Verdict {
    Verdict::NotStarted { waits_for: "tensor-add".into() }
}

/// The verdict of a failed assertion.
pub fn failed() -> Verdict {
    let at = Place { file: "exercises/01_tensor.rs".into(), line: 22, column: 5 };
    Verdict::Failed {
        message: "value 1 is 3, expected 2 (tolerance 0.000001)".into(),
        at: Some(at),
    }
}

/// A compiler error on a line of the exercise.
pub fn mismatched(line: usize) -> Diagnostic {
    let at = Place { file: "exercises/01_tensor.rs".into(), line, column: 9 };
    Diagnostic {
        level: Level::Error,
        message: "mismatched types".into(),
        code: Some("E0308".into()),
        at: Some(at.clone()),
        spans: vec![Span {
            line,
            text: "        a.len()".into(),
            columns: (9, 16),
            label: "expected `f32`, found `usize`".into(),
            primary: true,
        }],
        notes: vec![],
        suggestions: vec![Suggestion {
            message: "you can convert it".into(),
            at,
            replacement: " as f32".into(),
            corrected: "        a.len() as f32".into(),
        }],
    }
}

fn cells() -> Vec<CellInfo> {
    let cell = |id: &str, test: &str, lines: [usize; 4]| CellInfo {
        id: id.into(),
        task: String::new(),
        example: String::new(),
        tests: vec![test.into()],
        place: Some(CellPlace { first: lines[0], work: lines[1], test: lines[2], end: lines[3] }),
    };
    let add = cell("tensor-add", "test_unit_add", [11, 14, 17, 24]);
    vec![
        cell("tensor-new", "test_unit_new", [3, 5, 7, 11]),
        CellInfo {
            task: "add both, element by\nelement.".into(),
            example: "`add(&[1.0, 2.0])` gives `[2.0, 2.0]`.".into(),
            ..add
        },
        cell("test-tensor-module", "test_module", [24, 24, 28, 28]),
    ]
}

fn items() -> Vec<Item> {
    let spread = Value::Spread { median: 0.0123, low: 0.012, high: 0.0126 };
    vec![
        Item::Table(Table {
            title: "Two walks through one table".into(),
            columns: vec![
                Column::plain("order"),
                Column::with_unit("time", "s"),
                Column::with_unit("memory", "B"),
            ],
            rows: vec![
                vec!["by rows".into(), 0.0014.into(), 16_000_000usize.into()],
                vec!["by columns".into(), spread, 16_000_000usize.into()],
            ],
            origin: Origin::Measured,
        }),
        Item::Chart(Chart {
            title: "Time over size".into(),
            kind: ChartKind::Line,
            x: Axis::log("elements", ""),
            y: Axis::log("time", "s"),
            series: vec![
                Series::new("by rows", [(100.0, 1e-6), (1e4, 1e-4), (1e6, 1e-2)]),
                Series::new("by columns", [(100.0, 2e-6), (1e4, 4e-4), (1e6, 9e-2)]),
            ],
            origin: Origin::Computed("one cache line per element".into()),
        }),
        Item::Metric(Metric {
            name: "columns against rows".into(),
            value: 8.8,
            unit: "x".into(),
            target: Some(Target::AtLeast(2.0)),
            origin: Origin::Measured,
        }),
        Item::Insight(Insight { text: "Walking along memory is the cheap way.".into() }),
    ]
}
