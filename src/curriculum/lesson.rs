//! The parser of lessons: a TOML head, prose, and live blocks. Live blocks are fenced code blocks whose first word is
//! one of ours. Every text gives a lesson; what is wrong with it is listed with its line. Not here: how prose is laid
//! out.

use serde::Deserialize;

/// A parsed lesson.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lesson {
    /// Its head.
    pub head: Head,
    /// Its text, in order.
    pub blocks: Vec<Block>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// The head of a lesson.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// `01_tensor`.
    pub module: String,
    /// Its heading.
    pub title: String,
    /// What it builds, in a few words.
    pub subtitle: String,
    /// `4-6 hours`.
    pub time: String,
    /// 1 to 4.
    pub difficulty: u8,
    /// Modules to complete first: `00_setup`.
    pub prerequisites: Vec<String>,
}

/// Something wrong with a lesson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A piece of a lesson.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// CommonMark.
    Prose {
        /// The text.
        text: String,
    },
    /// A picture in text.
    Diagram {
        /// Its caption.
        title: String,
        /// Its lines.
        text: String,
    },
    /// The state of one solution cell and its test.
    Exercise {
        /// The cell's id.
        cell: String,
        /// From a nudge to nearly the code.
        hints: Vec<String>,
    },
    /// What an analysis reports.
    Analysis {
        /// Its function's name.
        name: String,
        /// What to look for.
        text: String,
    },
    /// A question with an answer that is revealed.
    Question {
        /// Its id.
        id: String,
        /// The question.
        question: String,
        /// The answer.
        answer: String,
    },
    /// An open task: the learner predicts, then measures.
    Predict(Task),
    /// The learner's own measured metrics.
    Figures,
    /// An interactive figure.
    Explorable {
        /// Its id.
        name: String,
    },
    /// The state of a milestone.
    Milestone {
        /// Its id.
        name: String,
    },
    /// A fence that looks like a live block but is not one.
    Unknown {
        /// Where.
        line: usize,
        /// Its first word.
        word: String,
        /// What it holds.
        text: String,
    },
}

/// An open task: the learner writes a prediction, and sees it beside the result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// Its id.
    pub name: String,
    /// What to predict.
    pub question: String,
    /// A base unit as in [`tinytorch::report::Metric`]. Empty for none.
    pub unit: String,
    /// The measured value to show beside the prediction; without one, the learner writes the result too.
    pub value: Option<ValueName>,
}

/// A metric that an analysis reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueName {
    /// The analysis: `analyze_backward_cost`.
    pub analysis: String,
    /// The name of the metric.
    pub metric: String,
}

/// Languages of plain code blocks; any other first word must be a live block.
const LANGUAGES: &[&str] = &["", "rust", "text", "toml", "sh", "bash", "json", "python", "console"];

/// Begins the line of an exercise whose hints were left out.
const CLOSED: &str = "closed:";

/// Parses a lesson.
#[must_use]
pub fn parse(text: &str) -> Lesson {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut lesson = Lesson::default();
    let first = head(&text, &mut lesson);
    let mut parser = Parser { lesson, prose: String::new() };
    let mut lines = text.lines().enumerate().skip(first).map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        match fence(line).filter(|(_, info)| !is_language(info)) {
            None if fence(line).is_some() => parser.code(line, &mut lines),
            None => parser.prose_line(line),
            Some((marks, info)) => {
                let (body, closed) = body(marks, &mut lines);
                if !closed {
                    parser.problem(
                        number,
                        format!("the block \"{info}\" is never closed: end it with {marks}"),
                    );
                }
                parser.live(number, info, &body);
            }
        }
    }
    parser.flush();
    parser.lesson
}

/// The text without its hints: in the place of each exercise's there is one line with the reason.
#[must_use]
pub fn without_hints(text: &str, reason: &str) -> String {
    let mut made = String::new();
    let mut push = |line: &str| made.extend([line, "\n"]);
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        push(line);
        let Some((marks, info)) = fence(line) else { continue };
        let (body, closed) = body(marks, &mut lines);
        match info.split_whitespace().next() {
            Some("exercise") => push(&format!("{CLOSED} {reason}")),
            _ => body.lines().for_each(&mut push),
        }
        if closed {
            push(marks);
        }
    }
    made
}

/// Reads the head and returns the number of lines it takes.
fn head(text: &str, lesson: &mut Lesson) -> usize {
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("+++") {
        lesson.problem(1, "the head is missing: begin with a line +++, TOML, and a line +++");
        return 0;
    }
    let Some(length) = lines.position(|line| line.trim_end() == "+++") else {
        lesson.problem(1, "the head is never closed: end it with a line +++");
        return 1;
    };
    let toml: String = text.lines().skip(1).take(length).map(|line| format!("{line}\n")).collect();
    match toml::from_str(&toml) {
        Ok(head) => lesson.head = head,
        Err(error) => {
            let before = error.span().map_or("", |span| toml.get(..span.start).unwrap_or(""));
            let line = 2 + before.matches('\n').count();
            lesson.problem(line, error.message().to_owned());
        }
    }
    length + 2
}

/// The marks and the info string of a line that opens a fence.
fn fence(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_start_matches('`');
    let marks = &line[..line.len() - rest.len()];
    (marks.len() >= 3 && !rest.contains('`')).then(|| (marks, rest.trim()))
}

fn is_language(info: &str) -> bool {
    LANGUAGES.contains(&info.split_whitespace().next().unwrap_or(""))
}

/// The lines up to the closing fence, and whether there was one.
fn body<'a>(marks: &str, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> (String, bool) {
    let mut text = String::new();
    for (_, line) in lines {
        if line.trim_end() == marks {
            return (text, true);
        }
        text.push_str(line);
        text.push('\n');
    }
    (text, false)
}

struct Parser {
    lesson: Lesson,
    prose: String,
}

impl Parser {
    fn prose_line(&mut self, line: &str) {
        self.prose.push_str(line);
        self.prose.push('\n');
    }

    /// A plain code block stays part of the prose.
    fn code<'a>(&mut self, open: &str, lines: &mut impl Iterator<Item = (usize, &'a str)>) {
        let marks = fence(open).map_or("```", |(marks, _)| marks);
        let (body, _) = body(marks, lines);
        self.prose_line(open);
        self.prose.push_str(&body);
        self.prose_line(marks);
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.prose);
        if !text.trim().is_empty() {
            self.lesson
                .blocks
                .push(Block::Prose { text: text.trim_matches('\n').to_owned() + "\n" });
        }
    }

    fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.lesson.problem(line, message);
    }

    fn live(&mut self, line: usize, info: &str, body: &str) {
        self.flush();
        let (word, name) = info.split_once(char::is_whitespace).unwrap_or((info, ""));
        let name = name.trim().to_owned();
        if name.is_empty()
            && ["diagram", "exercise", "analysis", "question", "predict", "explorable", "milestone"]
                .contains(&word)
        {
            self.problem(line, format!("the block \"{word}\" needs a name: ```{word} NAME"));
        }
        let text = body.trim_matches('\n').to_owned();
        let block = match word {
            "diagram" => Block::Diagram { title: name, text },
            "exercise" => Block::Exercise { cell: name, hints: self.hints(line, body) },
            "analysis" => Block::Analysis { name, text },
            "question" => self.question(line, name, &text),
            "predict" => Block::Predict(self.task(line, name, body)),
            "figures" => Block::Figures,
            "explorable" => Block::Explorable { name },
            "milestone" => Block::Milestone { name },
            _ => {
                let known = "diagram, exercise, analysis, question, predict, figures, explorable, \
                             milestone";
                self.problem(line, format!("unknown block \"{word}\": known are {known}"));
                Block::Unknown { line, word: word.to_owned(), text }
            }
        };
        self.lesson.blocks.push(block);
    }

    /// One hint per line that begins with `hint:`; lines after it belong to it.
    fn hints(&mut self, line: usize, body: &str) -> Vec<String> {
        let mut hints: Vec<String> = vec![];
        for (index, content) in body.lines().enumerate() {
            match (content.strip_prefix("hint:"), hints.last_mut()) {
                (Some(hint), _) => hints.push(hint.trim().to_owned()),
                (None, Some(hint)) => {
                    hint.push('\n');
                    hint.push_str(content);
                }
                (None, None) if content.trim().is_empty() || content.starts_with(CLOSED) => {}
                (None, None) => {
                    self.problem(line + 1 + index, "a hint begins with \"hint:\"");
                }
            }
        }
        hints.iter().map(|hint| hint.trim_end().to_owned()).collect()
    }

    fn question(&mut self, line: usize, id: String, text: &str) -> Block {
        let parts = text.split_once("\n---\n");
        if parts.is_none() {
            self.problem(line, "a question needs an answer under a line ---");
        }
        let (question, answer) = parts.unwrap_or((text, ""));
        Block::Question {
            id,
            question: question.trim().to_owned(),
            answer: answer.trim().to_owned(),
        }
    }

    /// The question; under a line `---`, its unit and the value that is measured.
    fn task(&mut self, line: usize, name: String, body: &str) -> Task {
        let mut lines = body.lines().zip(line + 1..);
        let question = lines.by_ref().map(|(text, _)| text).take_while(|text| *text != "---");
        let question = question.collect::<Vec<_>>().join("\n").trim().to_owned();
        if question.is_empty() {
            self.problem(line, "the block \"predict\" has no question");
        }
        let mut task = Task { name, question, ..Task::default() };
        for (text, number) in lines.filter(|(text, _)| !text.trim().is_empty()) {
            match text.split_once(':').map(|(key, value)| (key, value.trim())) {
                Some(("unit", unit)) => task.unit = unit.to_owned(),
                Some(("value", value)) => match value.split_once(" / ") {
                    Some((analysis, metric)) => {
                        let (analysis, metric) = (analysis.to_owned(), metric.to_owned());
                        task.value = Some(ValueName { analysis, metric });
                    }
                    None => self.problem(number, "a value is \"value: ANALYSIS / NAME\""),
                },
                _ => {
                    let known = "\"unit: UNIT\" and \"value: ANALYSIS / NAME\"";
                    self.problem(number, format!("unknown line: below --- are {known}"));
                }
            }
        }
        task
    }
}

impl Lesson {
    fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem { line, message: message.into() });
    }

    /// The open tasks, in order.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Predict(task) => Some(task),
            _ => None,
        })
    }

    /// The hints of a cell.
    #[must_use]
    pub fn hints(&self, id: &str) -> &[String] {
        let of_cell = |block: &Block| matches!(block, Block::Exercise { cell, .. } if cell == id);
        match self.blocks.iter().find(|block| of_cell(block)) {
            Some(Block::Exercise { hints, .. }) => hints,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "+++\nmodule = \"01_tensor\"\ntitle = \"Tensor\"\nsubtitle = \"s\"\ntime = \"4 hours\"\ndifficulty = 1\nprerequisites = [\"00_setup\"]\n+++\n";

    fn blocks(body: &str) -> Vec<Block> {
        let lesson = parse(&format!("{HEAD}{body}"));
        assert_eq!(lesson.problems, []);
        lesson.blocks
    }

    #[test]
    fn prose_keeps_its_code_and_live_blocks_divide_it() {
        let body = "# Title\n\n```rust\nlet x = 1;\n```\n\n```exercise tensor-add\nhint: one\nmore\nhint: two\n```\nEnd.\n";
        assert_eq!(
            blocks(body),
            [
                Block::Prose { text: "# Title\n\n```rust\nlet x = 1;\n```\n".into() },
                Block::Exercise {
                    cell: "tensor-add".into(),
                    hints: vec!["one\nmore".into(), "two".into()]
                },
                Block::Prose { text: "End.\n".into() },
            ]
        );
    }

    #[test]
    fn without_its_hints_a_lesson_says_why_and_is_otherwise_the_same() {
        let body = "A\n\n```text\nhint: none\n```\n```exercise a\nhint: one\nmore\nhint: two\n```\n````diagram d\n```exercise b\nhint: shown\n```\n````\nB\n";
        let text = without_hints(&format!("{HEAD}{body}"), "it is an exam");
        let closed = "```exercise a\nclosed: it is an exam\n```";
        let expected = body.replace("```exercise a\nhint: one\nmore\nhint: two\n```", closed);
        assert_eq!(text, format!("{HEAD}{expected}"));
        let lesson = parse(&text);
        assert_eq!((lesson.problems.as_slice(), lesson.hints("a")), (&[][..], &[][..]));
        assert_eq!(without_hints(HEAD, "it is an exam"), HEAD);
    }

    #[test]
    fn every_live_block_is_read() {
        let body = "```diagram Rows of memory\n+--+\n```\n```analysis analyze_x\nLook.\n```\n```question q\nWhy?\n---\nSo.\n```\n```figures\n```\n```explorable e\n```\n```milestone 1957_perceptron\n```\n";
        assert_eq!(
            blocks(body),
            [
                Block::Diagram { title: "Rows of memory".into(), text: "+--+".into() },
                Block::Analysis { name: "analyze_x".into(), text: "Look.".into() },
                Block::Question { id: "q".into(), question: "Why?".into(), answer: "So.".into() },
                Block::Figures,
                Block::Explorable { name: "e".into() },
                Block::Milestone { name: "1957_perceptron".into() },
            ]
        );
    }

    #[test]
    fn a_prediction_may_name_a_unit_and_the_value_beside_it() {
        let body = "```predict cost\nHow much\n**longer**?\n---\nunit: x\nvalue: analyze_x / in turn / at once, 2\n```\n```predict bare\nWhich?\n```\n";
        let value =
            ValueName { analysis: "analyze_x".into(), metric: "in turn / at once, 2".into() };
        let cost = Task {
            name: "cost".into(),
            question: "How much\n**longer**?".into(),
            unit: "x".into(),
            value: Some(value),
        };
        let bare = Task { name: "bare".into(), question: "Which?".into(), ..Task::default() };
        assert_eq!(blocks(body), [Block::Predict(cost), Block::Predict(bare)]);
    }

    #[test]
    fn a_longer_fence_may_hold_a_shorter_one() {
        let body = "````diagram d\n```rust\n```\n````\n";
        assert_eq!(
            blocks(body),
            [Block::Diagram { title: "d".into(), text: "```rust\n```".into() }]
        );
    }

    #[test]
    fn problems_name_their_line_and_the_lesson_still_opens() {
        for (text, line, words) in [
            ("# No head\n", 1, "head is missing"),
            ("+++\ntitle = \n+++\nText\n", 2, ""),
            (
                &format!("{HEAD}```exercize tensor-add\n```\nText\n"),
                9,
                "unknown block \"exercize\"",
            ),
            (&format!("{HEAD}```exercise\n```\nText\n"), 9, "needs a name"),
            (&format!("{HEAD}```question q\nWhy?\n```\nText\n"), 9, "answer"),
            (&format!("{HEAD}```predict\nWhy?\n```\n"), 9, "needs a name"),
            (&format!("{HEAD}```predict p\n---\nunit: x\n```\n"), 9, "no question"),
            (&format!("{HEAD}```predict p\nWhy?\n---\nvalue: x\n```\n"), 12, "ANALYSIS / NAME"),
            (&format!("{HEAD}```predict p\n\nWhy?\n---\nunits: x\n```\n"), 13, "unknown line"),
            (&format!("{HEAD}```exercise x\nno hint\n```\nText\n"), 10, "begins with"),
            (&format!("{HEAD}Text\n```figures\n"), 10, "never closed"),
        ] {
            let lesson = parse(text);
            assert!(!lesson.blocks.is_empty(), "{text}");
            assert_eq!(lesson.problems.len(), 1, "{:?}", lesson.problems);
            assert_eq!(lesson.problems[0].line, line, "{:?}", lesson.problems);
            assert!(lesson.problems[0].message.contains(words), "{:?}", lesson.problems);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\+\\+\\+\n|```[a-z]{0,4} ?[a-z]{0,3}\n|```predict p\n|unit: x\n|value: .{0,9}\n|````\n|---\n|hint: .{0,5}\n|.{0,12}\n){0,20}") {
            let _ = parse(&text);
        }
    }
}
