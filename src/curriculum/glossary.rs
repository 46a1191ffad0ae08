//! The glossary: the field's terms in alphabetical order, each with its meaning and the lesson that introduces it. Every
//! text gives a glossary; what is wrong with it is listed with its line. Not here: how it looks.

use super::lesson::{Block, Lesson, Problem};
use super::module::ModuleId;
use crate::error::Error;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// The terms of a course.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Glossary {
    /// In the order of the text.
    pub entries: Vec<Entry>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// A term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it is written in running text.
    pub term: String,
    /// What it means, in CommonMark.
    pub text: String,
    /// The lesson that introduces it.
    pub lesson: ModuleId,
    /// Where, from 1.
    pub line: usize,
}

/// Parses the glossary of a course with that many lessons. Each paragraph is an entry, except headings.
#[must_use]
pub fn parse(text: &str, lessons: usize) -> Glossary {
    let mut glossary = Glossary::default();
    for (line, paragraph) in paragraphs(text) {
        match entry(line, &paragraph) {
            Some(entry) => glossary.add(entry, lessons),
            None if paragraph.starts_with('#') => {}
            None => glossary.problem(line, "an entry is written `**term**: Meaning. (lesson 05)`"),
        }
    }
    glossary
}

/// The paragraphs of a text, each as one line, with the number of its first line.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = vec![];
    let mut open = false;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        match paragraphs.last_mut().filter(|_| open) {
            Some((_, paragraph)) if !line.is_empty() => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            None if !line.is_empty() => paragraphs.push((number, line.to_owned())),
            _ => {}
        }
        open = !line.is_empty();
    }
    paragraphs
}

fn entry(line: usize, paragraph: &str) -> Option<Entry> {
    let (term, rest) = paragraph.strip_prefix("**")?.split_once("**: ")?;
    let (text, lesson) = rest.strip_suffix(')')?.rsplit_once(" (lesson ")?;
    let lesson = ModuleId(lesson.parse().ok()?);
    Some(Entry { term: term.to_owned(), text: text.to_owned(), lesson, line })
}

/// A term in the form in which terms are compared: without capitals and hyphens.
fn folded(term: &str) -> String {
    term.to_lowercase().replace('-', " ")
}

/// Whether a phrase of running text is the term, in the singular or with a plural `s`.
#[must_use]
pub fn is_term(phrase: &str, term: &str) -> bool {
    let (phrase, term) = (folded(phrase), folded(term));
    phrase.strip_prefix(&term).is_some_and(|rest| ["", "s"].contains(&rest))
}

impl Glossary {
    fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem { line, message: message.into() });
    }

    fn add(&mut self, entry: Entry, lessons: usize) {
        let key = |entry: &Entry| entry.term.to_lowercase();
        let Entry { term, lesson, line, .. } = &entry;
        let twin = self.entries.iter().find(|known| folded(&known.term) == folded(term));
        let later = self.entries.iter().find(|known| key(known) > key(&entry));
        let wrong = match (twin, later) {
            (Some(twin), _) => Some(format!("\"{term}\" is already at line {}", twin.line)),
            (None, Some(later)) => {
                Some(format!("\"{term}\" belongs before \"{}\": entries are sorted", later.term))
            }
            (None, None) => None,
        };
        let unknown = (usize::from(lesson.0) >= lessons)
            .then(|| format!("\"{term}\": there is no lesson {:02}", lesson.0));
        let line = *line;
        for message in wrong.into_iter().chain(unknown) {
            self.problem(line, message);
        }
        self.entries.push(entry);
    }

    /// The entry of a phrase of running text.
    #[must_use]
    pub fn find(&self, phrase: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| is_term(phrase, &entry.term))
    }

    /// The entry that a person means.
    ///
    /// # Errors
    /// When there is none; the error suggests the nearest term.
    pub fn named(&self, word: &str) -> Result<&Entry, Error> {
        self.find(word).ok_or_else(|| {
            let error = Error::usage(format!("the glossary has no term \"{word}\""));
            match self.nearest(word) {
                Some(entry) => error.hint(format!("Did you mean \"{}\"?", entry.term)),
                None => error.hint("`tinytorch-tutor glossary` shows all terms."),
            }
        })
    }

    /// The term that contains a word, else the one that is most like it.
    fn nearest(&self, word: &str) -> Option<&Entry> {
        let word = folded(word);
        let likeness = |entry: &&Entry| strsim::jaro_winkler(&word, &folded(&entry.term));
        let contains = |entry: &&Entry| !word.is_empty() && folded(&entry.term).contains(&word);
        let alike = || self.entries.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let nearest = || alike().filter(|entry| likeness(entry) > 0.7);
        self.entries.iter().find(contains).or_else(nearest)
    }
}

/// The phrases in bold in the text of a lesson.
#[must_use]
pub fn bold(lesson: &Lesson) -> Vec<String> {
    lesson.blocks.iter().flat_map(texts).flat_map(bold_in).collect()
}

/// The texts of a block that are CommonMark.
fn texts(block: &Block) -> Vec<&str> {
    match block {
        Block::Prose { text } | Block::Analysis { text, .. } => vec![text],
        Block::Question { question, answer, .. } => vec![question, answer],
        Block::Predict(task) => vec![&task.question],
        _ => vec![],
    }
}

fn bold_in(text: &str) -> Vec<String> {
    let mut phrases: Vec<String> = vec![];
    let mut open = false;
    for event in Parser::new(text) {
        match (event, phrases.last_mut()) {
            (Event::Start(Tag::Strong), _) => {
                open = true;
                phrases.push(String::new());
            }
            (Event::End(TagEnd::Strong), _) => open = false,
            (Event::Text(part) | Event::Code(part), Some(phrase)) if open => phrase.push_str(&part),
            (Event::SoftBreak, Some(phrase)) if open => phrase.push(' '),
            _ => {}
        }
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::lesson;

    fn problems(text: &str) -> Vec<(usize, String)> {
        let problems = parse(text, 10).problems.into_iter();
        problems.map(|problem| (problem.line, problem.message)).collect()
    }

    #[test]
    fn an_entry_is_a_term_its_meaning_and_its_lesson() {
        let text =
            "# Glossary\n\n**leaf**: A tracked tensor (not computed),\nas `x`. (lesson 05)\n";
        let glossary = parse(text, 10);
        let text = "A tracked tensor (not computed), as `x`.".to_owned();
        let leaf = Entry { term: "leaf".into(), text, lesson: ModuleId(5), line: 3 };
        assert_eq!(glossary, Glossary { entries: vec![leaf], problems: vec![] });
    }

    #[test]
    fn problems_name_their_line_and_well_formed_entries_are_still_shown() {
        let text = "**b**: B. (lesson 01)\n\n**B**: Twice. (lesson 01)\n\n**a**: A. (lesson 01)\n\n\
                    **c**: C. (lesson 12)\n\n**d**: no lesson\n\nSome words.\n\n**a-b**: . (lesson 01)\n";
        let form = "an entry is written `**term**: Meaning. (lesson 05)`";
        let expected = [
            (3, "\"B\" is already at line 1"),
            (5, "\"a\" belongs before \"b\": entries are sorted"),
            (7, "\"c\": there is no lesson 12"),
            (9, form),
            (11, form),
            (13, "\"a-b\" belongs before \"b\": entries are sorted"),
        ];
        let expected = expected.map(|(line, message)| (line, message.to_owned()));
        assert_eq!(problems(text), expected);
        assert_eq!(parse(text, 10).entries.len(), 5);
    }

    #[test]
    fn capitals_hyphens_and_a_plural_do_not_matter() {
        for phrase in ["Warm-up", "warm up", "warm-ups"] {
            assert!(is_term(phrase, "warm-up"), "{phrase}");
        }
        assert!(!is_term("warm", "warm-up") && !is_term("warm-up run", "warm-up"));
    }

    #[test]
    fn the_error_for_an_unknown_term_suggests_the_nearest() {
        let text = "**chain rule**: . (lesson 05)\n\n**epoch**: . (lesson 07)\n\n\
                    **exponential moving average**: . (lesson 06)\n";
        let glossary = parse(text, 10);
        assert_eq!(glossary.named("Epochs").unwrap().term, "epoch");
        for (word, hint) in [
            ("moving average", "Did you mean \"exponential moving average\"?"),
            ("chian rule", "Did you mean \"chain rule\"?"),
            ("zzz", "`tinytorch-tutor glossary` shows all terms."),
            ("", "`tinytorch-tutor glossary` shows all terms."),
        ] {
            assert_eq!(glossary.named(word).unwrap_err().hints, [hint], "{word}");
        }
    }

    #[test]
    fn bold_phrases_are_found_in_prose_and_blocks_and_across_lines() {
        let text = "+++\n+++\nThe **computational\ngraph** of **`tall`**.\n\n```diagram D\n**not**\n```\nAnd **leaf**.\n\n```analysis analyze_x\nThe **TLB** too.\n```\n";
        assert_eq!(bold(&lesson::parse(text)), ["computational graph", "tall", "leaf", "TLB"]);
    }
}
