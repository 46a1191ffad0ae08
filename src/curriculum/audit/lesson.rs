//! What the patterns require of a lesson's text.

use super::{COURSE, Found, Texts, earlier, in_lesson, in_source, line_of};
use crate::curriculum::cells::{self, CellKind};
use crate::curriculum::lesson::{Block, Task, ValueName};
use crate::error::count;
use unicode_width::UnicodeWidthStr;

/// The widest diagram: it fits on the narrowest screen with a margin.
const WIDEST: usize = 76;

/// The sections, in order. The parts of the module are between the third and the fourth.
const SECTIONS: [&str; 9] = [
    "## 🧭 Before you start",
    "## 🎯 Objectives",
    "## 💡 Motivation",
    "## 📊 Measure",
    "## 🧪 Module test",
    "## 🤔 Questions",
    "## 🚀 In production",
    "## 🏁 Summary",
    "## 📖 Quick reference",
];

pub(super) fn format(texts: &Texts) -> Vec<Found> {
    let problems = texts.parsed.problems.iter();
    problems.map(|problem| in_lesson(problem.line, problem.message.clone())).collect()
}

/// The text under a heading, up to the next heading of the same level.
fn part<'a>(texts: &'a Texts, heading: &str) -> &'a str {
    let rest = texts.lesson.split_once(heading).map_or("", |(_, rest)| rest);
    rest.split("\n## ").next().unwrap_or_default()
}

pub(super) fn introduction(texts: &Texts) -> Vec<Found> {
    let (head, module) = (&texts.parsed.head, texts.module);
    let slugs: Vec<String> = module
        .prerequisites
        .iter()
        .map(|id| format!("{:02}_{}", id.0, COURSE.get(usize::from(id.0)).unwrap_or(&"")))
        .collect();
    let start = part(texts, SECTIONS[0]);
    let objectives = part(texts, SECTIONS[1]).lines().filter(|line| line.starts_with("- ")).count();
    let file = format!("exercises/{}.rs", module.slug());
    let place = format!("tinytorch::{}", module.name);
    let at = |index: usize| line_of(texts.lesson, SECTIONS[index]);
    let demands = [
        (
            head.module == module.slug(),
            2,
            format!("the head's module is not \"{}\"", module.slug()),
        ),
        (head.title == module.title, 3, format!("the head's title is not \"{}\"", module.title)),
        (!head.subtitle.is_empty(), 4, "the head has no subtitle".to_owned()),
        (
            head.time.contains("hour") || head.time.contains("minute"),
            5,
            "the head's time is not like \"4-6 hours\"".to_owned(),
        ),
        ((1..=4).contains(&head.difficulty), 6, "the head's difficulty is not 1 to 4".to_owned()),
        (
            head.prerequisites == slugs,
            7,
            format!("the head's prerequisites are not {slugs:?}, as in the list of modules"),
        ),
        (
            start.contains("```diagram"),
            at(0),
            "\"Before you start\" has no connection map (a diagram)".to_owned(),
        ),
        (start.contains(&file), at(0), format!("\"Before you start\" does not name {file}")),
        (
            start.contains(&place),
            at(0),
            format!("\"Before you start\" does not say where the code lives: {place}"),
        ),
        (
            objectives >= 3,
            at(1),
            format!(
                "{}; at least three are required, each a line \"- ...\"",
                count(objectives, "objective")
            ),
        ),
    ];
    demands
        .into_iter()
        .filter(|(met, ..)| !met)
        .map(|(_, line, reason)| in_lesson(line, reason))
        .collect()
}

pub(super) fn hints(texts: &Texts) -> Vec<Found> {
    let solutions = texts.cells.iter().filter(|cell| cell.kind == CellKind::Solution);
    let ids = solutions.filter_map(|cell| cell.grade_id.as_deref());
    let without = ids.filter_map(|id| match texts.parsed.hints(id).len() {
        0 if !exercises(texts).any(|cell| cell == id) => {
            Some(in_lesson(1, format!("the solution cell \"{id}\" has no exercise block")))
        }
        number @ 0..=1 => {
            let line = line_of(texts.lesson, &format!("```exercise {id}"));
            Some(in_lesson(
                line,
                format!(
                    "{id}: {}; at least two are required, from a nudge to nearly the code",
                    count(number, "hint")
                ),
            ))
        }
        _ => None,
    });
    let strangers = exercises(texts)
        .filter(|id| !texts.cells.iter().any(|cell| cell.grade_id.as_deref() == Some(id)));
    let strangers = strangers.map(|id| {
        let line = line_of(texts.lesson, &format!("```exercise {id}"));
        in_lesson(line, format!("there is no cell \"{id}\""))
    });
    without.chain(strangers).collect()
}

fn exercises<'a>(texts: &'a Texts) -> impl Iterator<Item = &'a str> {
    texts.parsed.blocks.iter().filter_map(|block| match block {
        Block::Exercise { cell, .. } => Some(cell.as_str()),
        _ => None,
    })
}

pub(super) fn analyses(texts: &Texts) -> Vec<Found> {
    let there: Vec<&str> = texts.cells.iter().flat_map(|cell| cell.analyses()).collect();
    let blocks = texts.parsed.blocks.iter().filter_map(|block| match block {
        Block::Analysis { name, text } => Some((name.as_str(), text)),
        _ => None,
    });
    let shown: Vec<(&str, &String)> = blocks.collect();
    let hidden = there.iter().filter(|name| !shown.iter().any(|(shown, _)| shown == *name));
    let mut found: Vec<Found> = hidden
        .map(|name| {
            in_lesson(line_of(texts.lesson, SECTIONS[3]), format!("no analysis block shows {name}"))
        })
        .collect();
    for (name, text) in shown {
        let line = line_of(texts.lesson, &format!("```analysis {name}"));
        if !there.contains(&name) {
            found.push(in_lesson(line, format!("there is no analysis \"{name}\"")));
        }
        if text.trim().is_empty() {
            found.push(in_lesson(line, format!("{name}: say in a sentence what to look for")));
        }
    }
    found
}

/// Each open task has a name of its own, and the value that it names is reported in its unit.
pub(super) fn predictions(texts: &Texts) -> Vec<Found> {
    let tasks: Vec<&Task> = texts.parsed.tasks().collect();
    let line = |task: &Task| line_of(texts.lesson, &format!("```predict {}", task.name));
    let twice = tasks
        .iter()
        .enumerate()
        .filter(|(index, task)| tasks[..*index].iter().any(|earlier| earlier.name == task.name));
    let twice = twice.map(|(_, task)| {
        let reason = format!("two open tasks have the name \"{}\"", task.name);
        in_lesson(line(task), reason)
    });
    let unmeasured = tasks.iter().filter_map(|task| {
        let reason = unmeasured(texts, task.value.as_ref()?, &task.unit)?;
        Some(in_lesson(line(task), format!("{}: {reason}", task.name)))
    });
    twice.chain(unmeasured).collect()
}

/// Why a value cannot be shown beside a prediction. Its name and its unit must be literals in one statement.
fn unmeasured(texts: &Texts, value: &ValueName, unit: &str) -> Option<String> {
    let ValueName { analysis, metric } = value;
    let Some(cell) = texts.cells.iter().find(|cell| cell.analyses().contains(&analysis.as_str()))
    else {
        return Some(format!("there is no analysis \"{analysis}\""));
    };
    let reports = ["measured(", "aimed(", "name:"];
    let is_metric = |before: &str| reports.iter().any(|call| before.trim_end().ends_with(call));
    let mut statements = cell.text.split(';');
    let found = statements.find_map(|statement| {
        let (before, after) = statement.split_once(&format!("\"{metric}\""))?;
        is_metric(before).then_some(after)
    });
    match found {
        None => Some(format!("{analysis} reports no metric \"{metric}\"")),
        Some(rest) if !rest.contains(&format!("\"{unit}\"")) => {
            Some(format!("\"{metric}\" is reported in a unit other than \"{unit}\""))
        }
        Some(_) => None,
    }
}

/// Each explorable has a block in the lesson and a description in the source, and each block has its explorable.
pub(super) fn explorables(texts: &Texts) -> Vec<Found> {
    let there = cells::explorables(texts.source);
    let blocks = texts.parsed.blocks.iter().filter_map(|block| match block {
        Block::Explorable { name } => Some(name.as_str()),
        _ => None,
    });
    let placed: Vec<&str> = blocks.collect();
    let unknown = placed.iter().filter(|name| !there.iter().any(|known| known.name == **name));
    let unknown = unknown.map(|name| {
        let line = line_of(texts.lesson, &format!("```explorable {name}"));
        in_lesson(line, format!("there is no explorable \"{name}\": add a given `pub fn {name}`"))
    });
    let faulty = there.iter().filter_map(|known| {
        let reason = if !placed.contains(&known.name.as_str()) {
            format!("{}: no block of the lesson shows it", known.name)
        } else if known.title.is_empty() || known.about.is_empty() {
            format!("{}: its comment needs a title, an empty line, and what to try", known.name)
        } else {
            return None;
        };
        Some(in_source(known.line, reason))
    });
    unknown.chain(faulty).collect()
}

pub(super) fn diagrams(texts: &Texts) -> Vec<Found> {
    let blocks = texts.parsed.blocks.iter().filter_map(|block| match block {
        Block::Diagram { title, text } => Some((title, text)),
        _ => None,
    });
    let blocks: Vec<(&String, &String)> = blocks.collect();
    let mut found = vec![];
    if !(4..=6).contains(&blocks.len()) {
        found.push(in_lesson(
            1,
            format!("{}; four to six are required", count(blocks.len(), "diagram")),
        ));
    }
    for (title, text) in blocks {
        let line = line_of(texts.lesson, &format!("```diagram {title}"));
        if text.trim().is_empty() {
            found.push(in_lesson(line, "the diagram is empty"));
        }
        if text.contains('\t') {
            found.push(in_lesson(line, "the diagram has a tab, whose width depends on the screen"));
        }
        let wide = text.lines().enumerate().find(|(_, row)| row.width() > WIDEST);
        if let Some((index, row)) = wide {
            found.push(in_lesson(
                line + 1 + index,
                format!("{} columns; at most {WIDEST} are allowed", row.width()),
            ));
        }
    }
    found
}

pub(super) fn final_parts(texts: &Texts) -> Vec<Found> {
    let at = |index: usize| line_of(texts.lesson, SECTIONS[index]);
    let module_test = texts.cells.iter().find(|cell| cell.tests().contains(&"test_module"));
    let module_test = module_test.and_then(|cell| cell.grade_id.as_deref()).unwrap_or_default();
    let mut found = vec![];
    if !part(texts, SECTIONS[4]).contains(&format!("```exercise {module_test}\n")) {
        found.push(in_lesson(at(4), format!("\"Module test\" has no block of \"{module_test}\"")));
    }
    let questions = part(texts, SECTIONS[5]).matches("\n```question ").count();
    if questions != 5 {
        found
            .push(in_lesson(at(5), format!("{}; five are required", count(questions, "question"))));
    }
    if !part(texts, SECTIONS[7]).contains("```figures") {
        found.push(in_lesson(at(7), "the summary does not show the learner's own figures"));
    }
    if part(texts, SECTIONS[7]).trim().lines().filter(|line| !line.starts_with("```")).count() < 2 {
        found.push(in_lesson(at(7), "the summary does not say what comes next"));
    }
    if part(texts, SECTIONS[8]).trim().is_empty() {
        found.push(in_lesson(at(8), "the quick reference is empty"));
    }
    found
}

pub(super) fn order(texts: &Texts) -> Vec<Found> {
    let place = |start: &str| texts.lesson.lines().position(|line| line.starts_with(start));
    let mut found = vec![];
    let mut last = 0;
    for section in SECTIONS {
        match place(section) {
            None => found.push(in_lesson(1, format!("the section \"{section}\" is missing"))),
            Some(line) if line < last => {
                found.push(in_lesson(line + 1, format!("\"{section}\" comes too early")));
            }
            Some(line) => last = line,
        }
    }
    let (first, motivation) = (place("```exercise"), place(SECTIONS[2]));
    if let Some(first) = first.filter(|first| motivation.is_none_or(|line| *first < line)) {
        found.push(in_lesson(first + 1, "the first exercise comes before the motivation"));
    }
    if motivation.is_some() && !part(texts, SECTIONS[2]).contains(|c: char| c.is_ascii_digit()) {
        found.push(in_lesson(
            line_of(texts.lesson, SECTIONS[2]),
            "the motivation must begin with a measurement, but it has no figure",
        ));
    }
    found.extend(exercises_in_order(texts));
    found
}

/// The exercise blocks are in the order of their cells.
fn exercises_in_order(texts: &Texts) -> Option<Found> {
    let place = |id: &str| texts.cells.iter().position(|cell| cell.grade_id.as_deref() == Some(id));
    let places: Vec<(&str, usize)> =
        exercises(texts).filter_map(|id| Some((id, place(id)?))).collect();
    let swapped = places.windows(2).find(|pair| pair[0].1 > pair[1].1)?;
    let (id, before) = (swapped[1].0, swapped[0].0);
    let line = line_of(texts.lesson, &format!("```exercise {id}"));
    Some(in_lesson(line, format!("\"{id}\" comes before \"{before}\" in the exercise")))
}

/// The numbers and names of modules in the text must be those of the course.
pub(super) fn mentions(texts: &Texts) -> Vec<Found> {
    let known: Vec<&str> = earlier(texts).collect();
    let mut found = vec![];
    for (index, line) in texts.lesson.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (place, word) in words.iter().enumerate() {
            let before = place.checked_sub(1).map_or("", |before| words[before]).to_lowercase();
            let led = ["lesson", "lessons", "module", "modules"].contains(&before.as_str());
            let next = words.get(place + 1).copied().unwrap_or_default();
            if let Some(reason) = wrong_mention(word, next, led) {
                found.push(in_lesson(index + 1, reason));
            }
        }
        let mut used = line.split("use tinytorch::").skip(1);
        let own = texts.module.name.as_str();
        let unknown = used.find_map(|path| {
            let name = path.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            let is_later = COURSE.contains(&name) && name != own && !known.contains(&name);
            is_later.then_some(name)
        });
        if let Some(name) = unknown {
            found.push(in_lesson(
                index + 1,
                format!("`tinytorch::{name}` comes later in the course"),
            ));
        }
    }
    found
}

/// `led`: the word before was "lesson" or "module".
fn wrong_mention(word: &str, next: &str, led: bool) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let bare = |text: &str| text.trim_matches(|c| !is_part(c)).to_lowercase();
    // Punctuation after the number separates it from the next word: "curves (02), layers (03)".
    let follows = word.ends_with(is_part) && next.starts_with(is_part);
    let (word, next) = (bare(word), if follows { bare(next) } else { String::new() });
    let (number, name) = word.split_once('_').unwrap_or((&word, &next));
    let is_number = number.len() <= 2 && number.chars().all(|c| c.is_ascii_digit());
    let index = number.parse::<usize>().ok().filter(|_| is_number)?;
    let is_module = word.contains('_') || (number.len() == 2 && number.starts_with('0')) || led;
    match COURSE.iter().position(|known| *known == name) {
        Some(right) if is_module && right != index => {
            Some(format!("{name} is module {right:02}, not {number}"))
        }
        _ if led && index >= COURSE.len() => Some(format!("there is no module {number}")),
        _ => None,
    }
}
