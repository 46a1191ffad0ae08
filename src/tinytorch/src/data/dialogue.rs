//! Short questions with their answers, written for this course. What they are, how they were written
//! and split, and what a model that was trained on them cannot know is in `dialogue.md`.

use std::fmt::{self, Display};

/// The corpus: tab-separated values, one pair a line, the columns named in the first.
pub const DIALOGUE_TSV: &str = include_str!("dialogue.tsv");

/// What a pair is used for. No question is in two of the three sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose a model by.
    Validation,
    /// To report, once, how good the chosen model is.
    Test,
}

/// The kinds of questions, from the easiest to the hardest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Every greeting has its fixed answer.
    Greetings,
    /// One fact, asked in several ways.
    Facts,
    /// Sums, differences, the number before and after.
    Sums,
    /// Opposites, tools, abilities, consequences, places.
    CommonSense,
    /// The answer is in the question.
    Context,
}

impl Level {
    /// All of them, from the easiest to the hardest.
    pub const ALL: [Self; 5] =
        [Self::Greetings, Self::Facts, Self::Sums, Self::CommonSense, Self::Context];

    /// The level's name in the corpus.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Greetings => "greetings",
            Self::Facts => "facts",
            Self::Sums => "sums",
            Self::CommonSense => "common sense",
            Self::Context => "context",
        }
    }
}

/// A question with its answer. Displayed as a model reads it: `Q: Hello.`, a line break, `A: ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The kind of question.
    pub level: Level,
    /// The set to which it belongs.
    pub split: Split,
    /// The question, one line.
    pub question: &'static str,
    /// The answer, one line.
    pub answer: &'static str,
}

impl Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Q: {}\nA: {}", self.question, self.answer)
    }
}

/// Every pair of one set, in the corpus's order: level by level.
pub fn pairs(split: Split) -> impl Iterator<Item = Pair> {
    all().filter(move |pair| pair.split == split)
}

/// Every pair, level by level.
///
/// # Panics
/// Never for the embedded corpus: a test reads every line of it.
pub fn all() -> impl Iterator<Item = Pair> {
    DIALOGUE_TSV.lines().skip(1).map(|line| {
        parse(line).unwrap_or_else(|| panic!("not a pair of the dialogue corpus: {line:?}"))
    })
}

fn parse(line: &'static str) -> Option<Pair> {
    let mut columns = line.split('\t');
    let level = columns.next()?;
    let level = Level::ALL.into_iter().find(|known| known.name() == level)?;
    let split = match columns.next()? {
        "train" => Split::Train,
        "validation" => Split::Validation,
        "test" => Split::Test,
        _ => return None,
    };
    let pair = Pair { level, split, question: columns.next()?, answer: columns.next()? };
    columns.next().is_none().then_some(pair)
}
