//! What an empty shell lacks: tests that assert something about their cell, analyses whose findings are measured,
//! parts with prose, hints that differ. And what takes the learner's work or measurement away: code of the solution above
//! the exercise, a hint that is the solution, a table of past figures. Whether a text is good cannot be checked here.

use super::{Found, Texts, id, in_lesson, in_source, line_of};
use crate::curriculum::cells::{self, Cell, CellKind, identifiers, items};
use crate::curriculum::lesson::Block;
use std::collections::HashSet;

/// The fewest words of prose in a part of the lesson.
const FEWEST_WORDS: usize = 20;
/// Shorter code, without spaces, is a name or a shape rather than a part of the solution.
const SHORTEST_CODE: usize = 12;
/// Units of what is measured.
const UNITS: [&str; 10] = ["%", "x", "ns", "us", "ms", "s", "MB/s", "GB/s", "GFLOP/s", "tokens/s"];

/// Each unit test names an item of the cell that it tests, and asserts something.
pub(super) fn tests(texts: &Texts) -> Vec<Found> {
    let code: Vec<&Cell> =
        texts.cells.iter().filter(|cell| cell.kind != CellKind::Markdown).collect();
    let tests = code.iter().filter(|cell| cell.kind == CellKind::Test);
    let silent = tests
        .filter(|test| !asserts(test))
        .map(|test| in_source(test.first_line, format!("{}: the test asserts nothing", id(test))));
    let pairs = code.windows(2).filter(|pair| pair[0].kind == CellKind::Solution);
    let pairs = pairs.filter(|pair| pair[1].kind == CellKind::Test);
    let strange = pairs.filter(|pair| !is_about(pair[1], pair[0])).map(|pair| {
        let reason = format!("{}: the test names no item of \"{}\"", id(pair[1]), id(pair[0]));
        in_source(pair[1].first_line, reason)
    });
    silent.chain(strange).collect()
}

/// An assertion is one of the standard library's or of `testing`, or a check of the engine's that panics.
fn asserts(test: &Cell) -> bool {
    let is_assertion =
        |name: &str| ["assert", "expect_", "check"].iter().any(|prefix| name.starts_with(prefix));
    let idle = test.text.matches("assert!(true").count();
    let found = identifiers(test.text).into_iter().filter(|(name, _)| is_assertion(name)).count();
    found > idle
}

/// Whether the test names a function, a method or a type of the solution cell.
fn is_about(test: &Cell, solution: &Cell) -> bool {
    let named: HashSet<&str> = identifiers(test.text).into_iter().map(|(name, _)| name).collect();
    let words: Vec<&str> = identifiers(solution.text).into_iter().map(|(name, _)| name).collect();
    let functions = words.windows(2).filter(|pair| pair[0] == "fn").map(|pair| pair[1]);
    let mut own = functions.chain(items(solution.text).map(|item| item.name));
    own.any(|name| named.contains(name))
}

/// Each analysis has an insight that depends on its figures, and figures that are labelled as measured are measured:
/// the analysis uses other code of the module, or the helpers that time and count.
pub(super) fn analyses(texts: &Texts) -> Vec<Found> {
    let there = texts.cells.iter().flat_map(|cell| {
        let analyses = cell.analyses();
        let is_only = analyses.len() == 1;
        // The functions beside the only analysis of a cell are parts of it.
        let text = move |name| if is_only { cell.text } else { body(cell.text, name) };
        analyses.into_iter().map(move |name| (name, text(name)))
    });
    let own: HashSet<&str> = texts
        .cells
        .iter()
        .filter(|cell| cell.kind != CellKind::Test)
        .flat_map(|cell| items(cell.text).map(|item| item.name))
        .filter(|name| !name.ends_with("_insight"))
        .chain(["time", "compare", "memory", "Rng"])
        .collect();
    let demands = |(name, body): (&str, &str)| {
        let line = line_of(texts.source, &format!("pub fn {name}("));
        let silent = !calls(body, "insight").any(|(_, argument)| is_built(argument));
        let silent = silent.then(|| {
            let reason = format!("{name}: no insight is about what was measured: {BUILT}");
            in_source(line, reason)
        });
        let measures = identifiers(body).iter().any(|(name, _)| own.contains(name))
            || body.contains("Origin::Computed")
            || body.contains("computed");
        let invented = (!measures).then(|| {
            let reason =
                format!("{name}: nothing is measured, and nothing is labelled as computed");
            in_source(line, reason)
        });
        [silent, invented]
    };
    there.flat_map(demands).flatten().collect()
}

/// What is required of an insight.
const BUILT: &str = "an insight is the result of a function of the measured values, `NAME_insight(..)`, or of `Ratio::took`";

/// Words of a comparison: a sentence with one of them is a finding.
const COMPARING: [&str; 7] = ["times", "faster", "slower", "better", "worse", "larger", "smaller"];

/// Every insight is built by a function that has words for each outcome, and what is reported as a note is not a finding.
pub(super) fn insights(texts: &Texts) -> Vec<Found> {
    let written = || texts.cells.iter().filter(|cell| cell.kind != CellKind::Test);
    let at = |cell: &Cell, index: usize| cell.first_line + index;
    let literal = written().flat_map(|cell| {
        let found = calls(cell.text, "insight").filter(|(_, argument)| !is_built(argument));
        found.map(move |(index, _)| {
            let reason = format!("{BUILT}; report what is not a finding as a `note`");
            in_source(at(cell, index), reason)
        })
    });
    let findings = written().flat_map(|cell| {
        let found = calls(cell.text, "note").filter(|(_, argument)| {
            let text = argument.split(';').next().unwrap_or_default();
            COMPARING
                .iter()
                .any(|word| text.split(|c: char| !c.is_alphabetic()).any(|w| w == *word))
        });
        found.map(move |(index, _)| {
            let reason =
                format!("a note says why there are no figures, but this one compares: {BUILT}");
            in_source(at(cell, index), reason)
        })
    });
    let constant = written().flat_map(|cell| {
        let lines = cell.text.lines().enumerate();
        let found = lines.filter(|(_, line)| line.contains("_insight() -> "));
        found.map(move |(index, _)| {
            let reason = format!("without an argument it is a fixed sentence: {BUILT}");
            in_source(at(cell, index), reason)
        })
    });
    literal.chain(findings).chain(constant).collect()
}

/// The calls of a method of a reporter: the line of each, from 0, and what follows its parenthesis.
fn calls<'a>(text: &'a str, method: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let call = format!(".{method}(");
    let places: Vec<usize> = text.match_indices(&call).map(|(place, _)| place).collect();
    places.into_iter().filter_map(move |place| {
        let line = text[..place].rsplit('\n').next().unwrap_or_default();
        let is_code = !line.trim_start().starts_with("//");
        is_code.then(|| (text[..place].matches('\n').count(), &text[place + call.len()..]))
    })
}

/// Whether an argument is the call of an insight function, or a sentence of a ratio.
fn is_built(argument: &str) -> bool {
    let function = argument.split('(').next().unwrap_or_default().trim();
    let is_path = !function.contains(|c: char| c.is_whitespace() || "\"!;".contains(c));
    is_path && (function.ends_with("_insight") || function.ends_with(".took"))
}

/// The text of a function, to the brace at column 0.
fn body<'a>(text: &'a str, function: &str) -> &'a str {
    let rest = text.split_once(&format!("pub fn {function}(")).map_or("", |(_, rest)| rest);
    rest.split("\n}\n").next().unwrap_or_default()
}

/// The parts between the motivation and the measurements explain something.
pub(super) fn prose(texts: &Texts) -> Vec<Found> {
    let taught = texts.lesson.split_once("## 💡 Motivation").map_or("", |(_, rest)| rest);
    let taught = taught.split("\n## 📊 Measure").next().unwrap_or_default();
    let parts = taught.split("\n## ").skip(1);
    let thin = parts.filter(|part| words(part) < FEWEST_WORDS).map(|part| {
        let title = part.lines().next().unwrap_or_default();
        let reason = format!(
            "\"{title}\": a part of the lesson must explain something, in at least {FEWEST_WORDS} words"
        );
        in_lesson(line_of(texts.lesson, &format!("## {title}")), reason)
    });
    thin.collect()
}

/// How many different words of prose a part has: not the title, not the content of blocks.
fn words(part: &str) -> usize {
    let prose = part.split("\n```").step_by(2).enumerate().flat_map(|(index, text)| {
        // The first piece begins with the title, the others with the end of a fence.
        text.lines().skip(usize::from(index == 0)).flat_map(str::split_whitespace)
    });
    prose.collect::<HashSet<_>>().len()
}

/// No hint of an exercise repeats another one.
pub(super) fn hints(texts: &Texts) -> Vec<Found> {
    let exercises = texts.parsed.blocks.iter().filter_map(|block| match block {
        Block::Exercise { cell, .. } => Some(cell.as_str()),
        _ => None,
    });
    let repeats = exercises.filter(|cell| {
        let mut seen = HashSet::new();
        !texts.parsed.hints(cell).iter().all(|hint| seen.insert(format!("{hint:?}")))
    });
    let reason = |cell: &str| {
        let line = line_of(texts.lesson, &format!("```exercise {cell}"));
        in_lesson(line, format!("{cell}: two hints are the same"))
    };
    repeats.map(reason).collect()
}

/// The comment above an exercise describes the code in words, and no hint is all of it.
pub(super) fn answers(texts: &Texts) -> Vec<Found> {
    let solutions = texts.cells.iter().filter(|cell| cell.kind == CellKind::Solution);
    let with_region = solutions.filter_map(|cell| Some((cell, cells::solution(cell.text)?)));
    let found = with_region.flat_map(|(cell, region)| {
        let code: String = cell.text[region].lines().filter(|line| !is_comment(line)).collect();
        let code = without_spaces(&code);
        let repeated = quoted(&doc_comment(cell)).into_iter().filter(|part| is_part(part, &code));
        let repeated = repeated.map(|part| {
            let reason = format!(
                "{}: the comment has code of the solution, `{part}`: say it in words",
                id(cell)
            );
            in_source(cell.first_line, reason)
        });
        let hints = texts.parsed.hints(id(cell)).iter().flat_map(|hint| quoted(hint));
        let all =
            hints.filter(|part| part.len() >= SHORTEST_CODE && part.contains(&code)).map(|part| {
                let line = line_of(texts.lesson, &format!("```exercise {}", id(cell)));
                in_lesson(line, format!("{}: a hint is the whole solution, `{part}`", id(cell)))
            });
        repeated.chain(all).collect::<Vec<_>>()
    });
    found.collect()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The lines of a cell's doc comments, as one text.
fn doc_comment(cell: &Cell) -> String {
    let lines = cell.text.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
    lines.collect::<Vec<_>>().join(" ")
}

fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What a text has between backticks, without spaces.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(without_spaces).collect()
}

/// Whether quoted code is a part of the solution's. Names, shapes and plain calls are not: a comment may have those.
fn is_part(part: &str, code: &str) -> bool {
    let computes = part.trim_start_matches('&').contains(['+', '*', '/', '=', '[', '&']);
    part.len() >= SHORTEST_CODE && computes && code.contains(part)
}

/// No table in the prose has figures that were measured once: the learner measures.
pub(super) fn past_figures(texts: &Texts) -> Vec<Found> {
    let taught = texts.lesson.split_once("\n## 📖 ").map_or(texts.lesson, |(taught, _)| taught);
    let rows = taught.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    let figures = rows.filter_map(|(index, row)| {
        let figure = row.split('|').map(str::trim).find(|cell| is_figure(cell))?;
        let reason =
            format!("\"{figure}\" in a table is a past figure: let an analysis measure it");
        Some(in_lesson(index + 1, reason))
    });
    figures.collect()
}

/// A number with a unit of what is measured.
fn is_figure(cell: &str) -> bool {
    let number = cell.trim_start_matches(|c: char| c.is_ascii_digit() || ".,-+".contains(c));
    number.len() < cell.len() && UNITS.contains(&number.trim())
}
