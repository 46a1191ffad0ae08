//! The ten patterns that every module of the course follows. Input: the texts of a module. Output: each pattern that
//! it misses, with place and reason. Pure: nothing is compiled or run here.

mod form;
mod glossary;
mod lesson;
mod source;
mod substance;

pub use glossary::audit_glossary;

use super::lesson::Lesson;
use super::{Course, Module, cells};
use serde::Serialize;

/// A pattern of the course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Jupytext header, percent cells, nbgrader metadata, a lesson without errors of form.
    Format,
    /// Prerequisites, connection map, objectives, where the code lives.
    Introduction,
    /// TODO, APPROACH, EXAMPLE, HINTS outside the solution region, and hints in the lesson.
    Scaffolding,
    /// A unit test directly after each solution cell, which names only what another crate can see.
    UnitTests,
    /// Two or three measured analyses, each with a full doc comment, explorables that the lesson shows, and open tasks
    /// whose value is measured.
    Analyses,
    /// Four to six clean diagrams.
    Diagrams,
    /// Module test, main, five questions, summary with figures.
    FinalFour,
    /// One emoji for each kind of cell.
    Emoji,
    /// Short enough to be read.
    Length,
    /// Motivation first, every part in its place, nothing used before it was taught.
    Narrative,
}

impl Pattern {
    /// All ten, in the order of the matrix.
    pub const ALL: [Self; 10] = [
        Self::Format,
        Self::Introduction,
        Self::Scaffolding,
        Self::UnitTests,
        Self::Analyses,
        Self::Diagrams,
        Self::FinalFour,
        Self::Emoji,
        Self::Length,
        Self::Narrative,
    ];

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Introduction => "introduction",
            Self::Scaffolding => "scaffolding",
            Self::UnitTests => "unit tests",
            Self::Analyses => "analyses",
            Self::Diagrams => "diagrams",
            Self::FinalFour => "final four",
            Self::Emoji => "emoji",
            Self::Length => "length",
            Self::Narrative => "narrative",
        }
    }
}

/// A pattern that a module does not follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Miss {
    /// Which one.
    pub pattern: Pattern,
    /// The file, from the root of the clone.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// The names of all modules of the course in teaching order, with those that are not written yet: lessons may mention
/// them.
pub const COURSE: [&str; 21] = [
    "setup",
    "tensor",
    "activations",
    "layers",
    "losses",
    "autograd",
    "optimizers",
    "training",
    "dataloader",
    "spatial",
    "tokenization",
    "embeddings",
    "attention",
    "transformers",
    "profiling",
    "memoization",
    "quantization",
    "compression",
    "acceleration",
    "benchmarking",
    "capstone",
];

/// The most lines that lesson and exercise have together, tests counted.
const LONGEST: usize = 1500;
/// The most lines of a module that has a reason to be longer.
const LONGEST_WITH_REASON: usize = 1700;

/// The modules that are longer than the others, and why.
const LONGER: &[(&str, &str)] = &[
    ("tensor", "the type that all others use: shapes, views, reductions and matmul"),
    ("autograd", "a scalar graph first, then a rule for each operation of the engine"),
    ("training", "the loop, its schedule, three sets, stopping, and a checkpoint"),
    ("dataloader", "errors of data, two augmentations, order, batches and a thread"),
    ("spatial", "the plain loops, the fast ones, and the gradient of a convolution"),
    ("tokenization", "training twice, by counting again and by correcting counts"),
    ("embeddings", "three kinds of positions"),
    ("attention", "the loops, five steps, heads, and attention in blocks"),
    ("transformers", "a model, its training, and five ways to choose a token"),
    (
        "profiling",
        "times, memory, operations and bytes, a profile of each, and the roofs of a machine",
    ),
    (
        "quantization",
        "integers for numbers, three calibrations, products, layers, models, and training for it",
    ),
    (
        "compression",
        "five ways to make a model smaller, a file format, and a choice within a budget",
    ),
    (
        "acceleration",
        "a product in seven steps, five kernels for rows, and the backend that chooses",
    ),
    ("benchmarking", "statistics in small steps, and the rules of a competition"),
    ("capstone", "the whole pipeline, and a submission whose every claim is checked"),
];

/// Checks an embedded module against all patterns. It follows them when there are no misses.
#[must_use]
pub fn audit(course: &Course, module: &Module) -> Vec<Miss> {
    audit_texts(course, module, module.reference(), module.lesson())
}

/// Checks other texts in place of a module's own against all patterns.
#[must_use]
pub fn audit_texts(course: &Course, module: &Module, source: &str, lesson: &str) -> Vec<Miss> {
    let texts = Texts {
        course,
        module,
        source,
        lesson,
        cells: cells::parse(source),
        parsed: super::lesson::parse(lesson),
    };
    let mut misses: Vec<Miss> = Pattern::ALL.into_iter().flat_map(|p| texts.misses(p)).collect();
    misses.sort_by_key(|miss| miss.pattern);
    misses
}

/// One module's texts, parsed.
struct Texts<'a> {
    course: &'a Course,
    module: &'a Module,
    source: &'a str,
    lesson: &'a str,
    cells: Vec<cells::Cell<'a>>,
    parsed: Lesson,
}

/// What is wrong, without the pattern: file, line, reason.
#[derive(Clone)]
struct Found {
    in_lesson: bool,
    line: usize,
    reason: String,
}

impl Texts<'_> {
    fn misses(&self, pattern: Pattern) -> Vec<Miss> {
        let found = match pattern {
            Pattern::Format => [form::format(self), lesson::format(self)].concat(),
            Pattern::Introduction => lesson::introduction(self),
            Pattern::Scaffolding => [
                source::scaffolding(self),
                lesson::hints(self),
                substance::hints(self),
                substance::answers(self),
            ]
            .concat(),
            Pattern::UnitTests => [source::unit_tests(self), substance::tests(self)].concat(),
            Pattern::Analyses => [
                source::analyses(self),
                substance::analyses(self),
                substance::insights(self),
                lesson::analyses(self),
                lesson::predictions(self),
                lesson::explorables(self),
            ]
            .concat(),
            Pattern::Diagrams => lesson::diagrams(self),
            Pattern::FinalFour => [source::final_cells(self), lesson::final_parts(self)].concat(),
            Pattern::Emoji => [source::emoji(self), foreign_emoji(self)].concat(),
            Pattern::Length => length(self),
            Pattern::Narrative => [
                source::imports(self),
                lesson::order(self),
                lesson::mentions(self),
                substance::prose(self),
                substance::past_figures(self),
            ]
            .concat(),
        };
        let file = |in_lesson| match in_lesson {
            true => format!("lessons/{}.md", self.module.slug()),
            false => format!("src/tinytorch/src/{}.rs", self.module.name),
        };
        let miss = |found: Found| Miss {
            pattern,
            file: file(found.in_lesson),
            line: found.line,
            reason: found.reason,
        };
        found.into_iter().map(miss).collect()
    }
}

fn in_source(line: usize, reason: impl Into<String>) -> Found {
    Found { in_lesson: false, line, reason: reason.into() }
}

fn in_lesson(line: usize, reason: impl Into<String>) -> Found {
    Found { in_lesson: true, line, reason: reason.into() }
}

/// nbgrader's name of a cell; nothing when it has none.
fn id<'a>(cell: &'a cells::Cell) -> &'a str {
    cell.grade_id.as_deref().unwrap_or_default()
}

/// The line of the first line that begins with `start`; 1 when there is none.
fn line_of(text: &str, start: &str) -> usize {
    1 + text.lines().position(|line| line.starts_with(start)).unwrap_or(0)
}

/// What a learner works with: the lesson and the exercise, tests and comments included, without blank lines.
fn length(texts: &Texts) -> Vec<Found> {
    let lines = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    let (code, prose) = (lines(&cells::starter(texts.source)), lines(texts.lesson));
    let has_reason = LONGER.iter().any(|(name, _)| *name == texts.module.name);
    let longest = if has_reason { LONGEST_WITH_REASON } else { LONGEST };
    if code + prose <= longest {
        return vec![];
    }
    vec![in_source(
        1,
        format!("{code} lines of exercise and {prose} of lesson; at most {longest} are allowed"),
    )]
}

/// The emoji that the course uses; others have no meaning here.
const EMOJI: &str = "🧭🎯💡🔬🧪📊🤔🚀🏁📖";

fn foreign_emoji(texts: &Texts) -> Vec<Found> {
    let is_emoji = |c: char| {
        matches!(
            c,
            '\u{1F000}'
                ..='\u{1FAFF}' | '\u{2705}' | '\u{274C}' | '\u{2728}' | '\u{26A0}' | '\u{2B50}'
        )
    };
    let foreign = |text: &str, found: fn(usize, String) -> Found| -> Vec<Found> {
        let on_line = |(index, line): (usize, &str)| {
            let foreign = line.chars().find(|c| is_emoji(*c) && !EMOJI.contains(*c))?;
            Some(found(index + 1, format!("{foreign} is not an emoji of the course ({EMOJI})")))
        };
        text.lines().enumerate().filter_map(on_line).collect()
    };
    [foreign(texts.source, in_source), foreign(texts.lesson, in_lesson)].concat()
}

/// The names of the modules before this one, which it may use.
fn earlier<'a>(texts: &Texts<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let (course, module) = (texts.course, texts.module);
    let before = course.modules().iter().filter(move |other| other.id < module.id);
    before.map(|other| other.name.as_str())
}

#[cfg(test)]
mod tests;
