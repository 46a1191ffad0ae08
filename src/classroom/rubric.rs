//! The instructor's rubric: which free-text answers are graded by hand, for how many points, by which items. Every error names
//! the key, its line, and the fix. Must not know answers.
//!
//! ```toml
//! [[question]]
//! module = "01_tensor"
//! name = "row-or-column"                     # a question or an open task of the lesson, or `own`: the whole of the own cell
//! points = 4
//! text = "Why?"                              # only for a question of your own, which is in no lesson
//!
//! [[question.item]]
//! text = "Names the cache line"
//! points = 2                                 # below 0 for a mistake
//! ```

use super::toml_source::Source;
use crate::curriculum::{Course, Module, lesson};
use crate::error::{Error, harmless, printable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use toml::Spanned;

/// The name of a question that is answered by all that a student adds to the own cell.
pub const OWN: &str = "own";

/// One key for each.
const MOST_ITEMS: usize = 9;

/// More points than any answer is worth.
const MOST_POINTS: u32 = 1000;

const KEYS: &str = "The keys below [[question]] are module, name, points and text, and below each [[question.item]] text and points.";

/// The questions that are graded by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Rubric {
    /// In the order of the file.
    pub questions: Vec<Question>,
}

/// A question that is graded by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The module's slug.
    pub module: String,
    /// What a student writes behind `ANSWER`.
    pub name: String,
    /// The points that an answer is worth.
    pub points: u32,
    /// The question.
    pub text: String,
    /// What can apply to an answer.
    pub items: Vec<Item>,
}

/// What can apply to an answer, and its points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What it says.
    pub text: String,
    /// What it adds; below 0, what it takes away.
    pub points: f64,
}

impl fmt::Display for Item {
    /// `+2 names the cache line`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+} {}", self.points, self.text)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "question")]
    questions: Vec<WrittenQuestion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenQuestion {
    module: Spanned<String>,
    name: Spanned<String>,
    points: Spanned<i64>,
    text: Option<String>,
    #[serde(default, rename = "item")]
    items: Vec<WrittenItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenItem {
    text: Spanned<String>,
    points: Spanned<f64>,
}

impl Rubric {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or has a mistake.
    pub fn read(path: &Path, course: &Course) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
        Self::parse(&text, course).map_err(|error| Error {
            message: format!("\"{}\" {}", printable(path), error.message),
            ..error
        })
    }

    /// Reads the text of a rubric.
    ///
    /// # Errors
    /// When it has a mistake: the first one, with its line.
    pub fn parse(text: &str, course: &Course) -> Result<Self, Error> {
        let source = Source(text);
        let written: Written =
            toml::from_str(text).map_err(|error| source.malformed(&error, KEYS))?;
        let (mut questions, mut lines) = (vec![], BTreeMap::new());
        for written in &written.questions {
            let question = source.question(written, course)?;
            let (key, span) = ((question.module.clone(), question.grade_id()), written.name.span());
            if let Some(line) = lines.insert(key, source.line(&span)) {
                let problem = format!("\"{}\" is there already, in line {line}", question.name);
                return Err(source.error("name", &span, &problem).hint("Remove one of the two."));
            }
            questions.push(question);
        }
        if questions.is_empty() {
            let error = Error::usage("has no question");
            return Err(error.hint("Add `[[question]]` with module, name and points."));
        }
        Ok(Self { questions })
    }
}

impl Question {
    /// The name of its cell in the gradebook.
    #[must_use]
    pub fn grade_id(&self) -> String {
        format!("answer-{}", self.name)
    }
}

impl Source<'_> {
    fn question(&self, written: &WrittenQuestion, course: &Course) -> Result<Question, Error> {
        let module = course.named(written.module.get_ref()).map_err(|error| Error {
            hints: error.hints,
            ..self.error("module", &written.module.span(), &error.message)
        })?;
        let points = u32::try_from(*written.points.get_ref()).ok();
        let points =
            points.filter(|points| (1..=MOST_POINTS).contains(points)).ok_or_else(|| {
                self.error(
                    "points",
                    &written.points.span(),
                    &format!("is {}", written.points.get_ref()),
                )
                .hint(format!("Write a whole number from 1 to {MOST_POINTS}."))
            })?;
        if let Some(tenth) = written.items.get(MOST_ITEMS) {
            let problem = format!("a question has at most {MOST_ITEMS} items: one for each key");
            let error = self.error("text", &tenth.text.span(), &problem);
            return Err(error.hint("Join two items, or split the question."));
        }
        Ok(Question {
            module: module.slug(),
            name: written.name.get_ref().clone(),
            points,
            text: self.wording(written, module)?,
            items: written.items.iter().map(|item| self.item(item)).collect::<Result<_, _>>()?,
        })
    }

    /// The question itself: the file's own words, or the lesson's.
    fn wording(&self, written: &WrittenQuestion, module: &Module) -> Result<String, Error> {
        let (name, span) = (written.name.get_ref(), written.name.span());
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(is_part) {
            let error = self.error("name", &span, &format!("{name:?} is not a name"));
            return Err(error.hint("Use lower-case letters, digits and hyphens."));
        }
        let own = || "What the student added to the own cell.".to_owned();
        let lessons = lesson::parse(module.lesson());
        let in_lesson = lessons.blocks.iter().filter_map(question);
        let mut in_lesson = in_lesson.collect::<BTreeMap<&str, &str>>();
        match (&written.text, in_lesson.remove(name.as_str())) {
            (Some(text), _) => Ok(harmless(text)),
            (None, _) if name == OWN => Ok(own()),
            (None, Some(text)) => Ok(text.to_owned()),
            (None, None) => {
                let problem = format!("the lesson {} has no question {name:?}", module.slug());
                let known: Vec<&str> = in_lesson.into_keys().collect();
                Err(self.error("name", &span, &problem).hint(format!(
                    "Write the question as `text`, or name one of the lesson's: {}.",
                    known.join(", ")
                )))
            }
        }
    }

    fn item(&self, written: &WrittenItem) -> Result<Item, Error> {
        let (text, points) = (harmless(written.text.get_ref()), *written.points.get_ref());
        if text.trim().is_empty() {
            let error = self.error("text", &written.text.span(), "is empty");
            return Err(error.hint("Write what the item says."));
        }
        if points.abs() > f64::from(MOST_POINTS) || points.is_nan() {
            let error = self.error("points", &written.points.span(), &format!("is {points}"));
            return Err(error.hint(format!("Write a number from -{MOST_POINTS} to {MOST_POINTS}.")));
        }
        Ok(Item { text, points })
    }
}

/// The name and the words of a question or an open task.
fn question(block: &lesson::Block) -> Option<(&str, &str)> {
    match block {
        lesson::Block::Question { id, question, .. } => Some((id, question)),
        lesson::Block::Predict(task) => Some((&task.name, &task.question)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classroom::toml_source::assert_named;

    const FILE: &str = "[[question]]\nmodule = \"01\"\nname = \"row-or-column\"\npoints = 4\n
[[question.item]]\ntext = \"names the cache line\"\npoints = 2.5\n
[[question.item]]\ntext = \"mixes up rows and columns\"\npoints = -1\n
[[question]]\nmodule = \"tensor\"\nname = \"my-own\"\npoints = 2\ntext = \"Why?\"\n";

    fn parse(text: &str) -> Result<Rubric, Error> {
        Rubric::parse(text, Course::tinytorch())
    }

    #[test]
    fn a_question_has_the_words_of_its_lesson_unless_it_brings_its_own() {
        let [first, second] = &parse(FILE).unwrap().questions[..] else { panic!("two questions") };
        assert_eq!((&*first.module, &*first.grade_id()), ("01_tensor", "answer-row-or-column"));
        assert!(first.text.len() > 20 && first.items.len() == 2, "{first:?}");
        assert_eq!((first.items[0].points, first.items[1].points), (2.5, -1.0));
        assert_eq!((&*second.text, second.points), ("Why?", 2));
        let own = parse(&FILE.replace("row-or-column", "own")).unwrap();
        assert!(own.questions[0].text.contains("own cell"));
        assert!(parse(&FILE.replace("row-or-column", "tensor-order")).is_ok(), "an open task");
    }

    #[test]
    fn every_mistake_is_named_with_its_key_its_line_and_the_fix() {
        let mistakes = [
            ["\"01\"", "\"91\"", "line 2: module: unknown module", "list"],
            ["row-or-column", "row", "line 3: name: the lesson 01_tensor has no", "row-or-column"],
            ["row-or-column", "../x", "line 3: name: \"../x\" is not a name", "lower-case"],
            ["points = 4", "points = 0", "line 4: points: is 0", "from 1"],
            ["points = 4", "points = 2.5", "line 4: points: invalid type", "The keys"],
            ["points = 4\n", "", "line 1: missing field `points`", "The keys"],
            ["names the cache line", " ", "line 7: text: is empty", "what the item says"],
            ["points = 2.5", "points = nan", "line 8: points: is NaN", "from -1000"],
            ["points = 2.5", "pts = 2.5", "line 8: pts: unknown field `pts`", "The keys"],
            ["my-own", "row-or-column", "line 16: name: \"row-or-column\" is there", "Remove"],
        ];
        assert_named(FILE, parse, &mistakes);
        assert_eq!(parse("").unwrap_err().message, "has no question");
        let item = "[[question.item]]\ntext = \"a\"\npoints = 1\n";
        let many = FILE.split("\n[[question.item]]").next().unwrap().to_owned() + &item.repeat(10);
        let error = parse(&many).unwrap_err();
        assert!(error.message.contains("line 33: text: a question has at most 9 items"), "{error}");
    }
}
