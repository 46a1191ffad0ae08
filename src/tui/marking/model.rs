//! The state of the screen as plain values, which only `update` changes. Must not know how a value looks.

use crate::classroom::gradebook::{Answer, Mark, Marked};
use crate::classroom::rubric::{Item, Question};
use crate::tui::model::Capabilities;
use std::collections::BTreeMap;

/// The state of the screen.
#[derive(Debug, Clone)]
pub struct Model {
    /// What the terminal can show.
    pub capabilities: Capabilities,
    /// Columns and rows.
    pub size: (u16, u16),
    /// The answers, by module, question and student. Never empty.
    pub entries: Vec<Entry>,
    /// The answer that keys act on.
    pub cursor: usize,
    /// What is on screen.
    pub page: Page,
    /// The first line of the answer in view.
    pub top: usize,
    /// What is being typed, not saved yet.
    pub typing: Option<Typing>,
    /// What each decision replaced, the latest last.
    pub undo: Vec<Step>,
    /// The note in the status line.
    pub note: Option<Note>,
    /// What the view measured in the last layout.
    pub measured: Measured,
}

/// An answer with its question and its mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The student, or a number where the answers are anonymous.
    pub label: String,
    /// The question.
    pub question: Question,
    /// The answer.
    pub answer: Answer,
    /// How it is graded.
    pub grade: Grade,
}

/// How an answer is graded.
#[derive(Debug, Clone, PartialEq)]
pub struct Grade {
    /// Points, items and comment.
    pub mark: Mark,
    /// Whether the student handed in again since.
    pub is_stale: bool,
}

/// What a decision replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The answer.
    pub entry: usize,
    /// How it was graded before.
    pub before: Grade,
}

/// What is on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// All answers.
    List,
    /// One answer with its rubric.
    Answer,
    /// The keys; the page below them.
    Help(Below),
}

/// The page below the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// All answers.
    List,
    /// One answer.
    Answer,
}

/// What is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typing {
    /// Points.
    Points(String),
    /// A comment.
    Comment(String),
}

impl Typing {
    /// The text that letters go to.
    pub fn text(&mut self) -> &mut String {
        match self {
            Self::Points(text) | Self::Comment(text) => text,
        }
    }
}

/// A note in the status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text.
    pub text: String,
    /// Whether it is an error.
    pub bad: bool,
}

/// What the view measured in a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// Lines of the answer.
    pub lines: usize,
    /// Lines of it that are in view at once.
    pub height: usize,
}

impl Model {
    /// The list of the answers, with the cursor at the first that is to be graded. `None` without an answer.
    #[must_use]
    pub fn new(capabilities: Capabilities, size: (u16, u16), entries: Vec<Entry>) -> Option<Self> {
        let cursor = entries.iter().position(Entry::is_open).unwrap_or(0);
        (!entries.is_empty()).then_some(Self {
            capabilities,
            size,
            entries,
            cursor,
            page: Page::List,
            top: 0,
            typing: None,
            undo: vec![],
            note: None,
            measured: Measured::default(),
        })
    }

    /// The answer that keys act on.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entries[self.cursor]
    }

    /// How many answers are graded, and how many there are. What was not answered does not count.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let answered = self.entries.iter().filter(|entry| !entry.answer.text.is_empty());
        let graded = answered.clone().filter(|entry| !entry.is_open()).count();
        (graded, answered.count())
    }
}

impl Entry {
    /// Whether it is to be graded: there is an answer, and no grade for it as it is.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_graded = self.grade.mark.points.is_some();
        self.grade.is_stale || (!is_graded && !self.answer.text.is_empty())
    }

    /// The items of the rubric with whether they apply, and then those that the rubric no longer has.
    #[must_use]
    pub fn items(&self) -> Vec<(&Item, bool)> {
        let chosen = &self.grade.mark.rubric;
        let rubric = &self.question.items;
        let listed = rubric.iter().map(|item| (item, chosen.contains(item)));
        let earlier = chosen.iter().filter(|item| !rubric.contains(item)).map(|item| (item, true));
        listed.chain(earlier).collect()
    }

    /// The points of items, from 0 to what the answer is worth.
    #[must_use]
    pub fn computed(&self, items: &[Item]) -> f64 {
        self.bounded(items.iter().map(|item| item.points).sum())
    }

    /// Points in hundredths, from 0 to what the answer is worth.
    #[must_use]
    pub fn bounded(&self, points: f64) -> f64 {
        let hundredths = (points * 100.0).round() / 100.0;
        hundredths.clamp(0.0, f64::from(self.answer.max_points))
    }
}

/// The answers of the rubric's questions, in its order; then those that the rubric no longer has and that were graded.
/// Anonymous ones have a number for each student, in an order that does not follow the names.
#[must_use]
pub fn entries(answers: Vec<Marked>, questions: &[Question], anonymous: bool) -> Vec<Entry> {
    let numbers = anonymous.then(|| numbers(&answers));
    let entry = |Marked { answer, mark, is_stale }: Marked| {
        let is_its =
            |it: &&Question| it.module == answer.module && it.grade_id() == answer.grade_id;
        let question = questions.iter().find(is_its).cloned().unwrap_or_else(|| former(&answer));
        let student = answer.student.as_str();
        let number = numbers.as_ref().and_then(|numbers| numbers.get(student));
        let label =
            number.map_or_else(|| student.to_owned(), |number| format!("student {number:03}"));
        Entry { label, question, answer, grade: Grade { mark, is_stale } }
    };
    let mut entries: Vec<Entry> = answers.into_iter().map(entry).collect();
    let place = |entry: &Entry| {
        let question = questions.iter().position(|question| *question == entry.question);
        (question.unwrap_or(questions.len()), entry.answer.grade_id.clone(), entry.label.clone())
    };
    entries.sort_by_cached_key(place);
    entries
}

/// A question that the rubric no longer has.
fn former(answer: &Answer) -> Question {
    Question {
        module: answer.module.clone(),
        name: answer.grade_id.trim_start_matches("answer-").to_owned(),
        points: answer.max_points,
        text: "This question is no longer in the rubric.".into(),
        items: vec![],
    }
}

fn numbers(answers: &[Marked]) -> BTreeMap<String, usize> {
    let mut students: Vec<&str> = answers.iter().map(|it| it.answer.student.as_str()).collect();
    students.sort_by_key(|student| *blake3::hash(student.as_bytes()).as_bytes());
    students.dedup();
    students.into_iter().zip(1..).map(|(student, number)| (student.to_owned(), number)).collect()
}
