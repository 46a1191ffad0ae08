//! A report as lines of text, for a pipe or a plain terminal: no redraws, no box drawing, a word for every state.
//! Colours are decoration that the caller may turn off.

use super::figures;
use super::module_report::{AnalysisState, ModuleReport, Outcome, TestState};
use crate::curriculum::{Course, ModuleId};
use crate::error::count;
use crate::runner::event::{Diagnostic, Level, Notice, Output, TestResult, Verdict};
use std::fmt::Write;
use tinytorch::report::{
    Chart, ChartKind, Column, Item, Metric, Picture, Point, Series, Table, Tokens, Trace, Value,
};
use tinytorch::trace::Span;
use unicode_width::UnicodeWidthStr;

/// Whether lines may carry colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Off,
    /// ANSI colours.
    On,
}

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const BOLD: &str = "1";
const DIM: &str = "2";

/// A check of one module: diagnostics, then one line per test, then the summary.
#[must_use]
pub fn check(report: &ModuleReport, course: &Course, colour: Colour) -> String {
    let name = course.slug(report.module);
    let mut text = String::new();
    for notice in notices(&report.notices, course) {
        line(&mut text, &colour.paint(YELLOW, &notice));
    }
    for diagnostic in &report.diagnostics {
        text.push_str(&self::diagnostic(diagnostic, colour));
        text.push('\n');
    }
    if report.compiles == Some(true) {
        report.graded().for_each(|test| text.push_str(&self::test(test, report, colour)));
        if report.own_tests().next().is_some() {
            line(&mut text, "  yours, not graded:");
        }
        report.own_tests().for_each(|test| text.push_str(&self::test(test, report, colour)));
    }
    line(&mut text, &summary(report, &name, colour));
    text
}

/// The last line of a check: `01_tensor: 3 of 12 tests pass`.
#[must_use]
pub fn summary(report: &ModuleReport, name: &str, colour: Colour) -> String {
    let (passed, all) = report.passed();
    let (code, words) = match report.outcome() {
        Outcome::Passed => (GREEN, format!("all {} pass", count(all, "test"))),
        Outcome::DoesNotCompile => {
            (RED, format!("does not compile: {}", count(report.errors().count(), "error")))
        }
        Outcome::NotStarted => (YELLOW, format!("not started: {}", count(all, "test"))),
        Outcome::Unfinished if all == 0 => (RED, "no tests were run".to_owned()),
        Outcome::Unfinished => (YELLOW, format!("{passed} of {} pass", count(all, "test"))),
        Outcome::Unknown => (YELLOW, "the check did not finish".to_owned()),
    };
    format!("{}: {}", colour.paint(BOLD, name), colour.paint(code, &words))
}

/// A score with its interval: `2.05 x (1.98 to 2.11)`.
#[must_use]
pub fn times([low, estimate, high]: [f64; 3]) -> String {
    format!("{estimate:.2} x ({low:.2} to {high:.2})")
}

/// The verdict on a test in a word or two, and the details.
#[must_use]
pub fn verdict(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::Passed => ("passed", String::new()),
        Verdict::NotStarted { waits_for } => ("not started", format!("waits for {waits_for}")),
        Verdict::Failed { message, at } => {
            let place = at.as_ref().map(|at| format!("{at}\n"));
            ("failed", format!("{}{message}", place.unwrap_or_default()))
        }
        Verdict::Crashed { signal } => ("crashed", signal.clone()),
        Verdict::TimedOut { after } => {
            let after = figures::figure(after.as_secs_f64(), "s");
            (
                "timed out",
                format!(
                    "stopped after {after}: is there an endless loop, an endless recursion, \
                     or an algorithm that is too slow?"
                ),
            )
        }
        Verdict::ExitedEarly { code } => (
            "no verdict",
            match code {
                Some(code) => {
                    format!("its process exited with code {code} before the test returned")
                }
                None => "its process exited before the test returned".to_owned(),
            },
        ),
        Verdict::Forged => ("forged", "its process sent a verdict of its own".to_owned()),
        Verdict::Missing => ("missing", "the exercise has no such test".to_owned()),
        Verdict::RunnerError { message } => {
            ("not run", format!("the tutor could not run it: {message}. Check again."))
        }
    }
}

/// That an earlier cell is the cause of a failure: `follows from tensor-zip-with, which fails: fix that first`.
#[must_use]
pub fn follows_from(cell: &str) -> String {
    format!("follows from {cell}, which fails: fix that first")
}

/// All notices as sentences. Many locked cells share one, and so do many that are gone.
#[must_use]
pub fn notices(notices: &[Notice], course: &Course) -> Vec<String> {
    let (locked, rest): (Vec<_>, Vec<_>) =
        notices.iter().partition(|notice| matches!(notice, Notice::LockedCellChanged { .. }));
    let (gone, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|notice| matches!(notice, Notice::CellGone { .. }));
    let sentences = |some: &[&Notice], all: &str| match some.len() {
        0..=3 => some.iter().map(|one| notice(one, course)).collect(),
        many => vec![format!("{many} {all}")],
    };
    let gone = sentences(
        &gone,
        "cells for your code, or their marker lines, are missing: undo that change, or reset the exercise (a backup is kept).",
    );
    let locked = sentences(&locked, "locked cells were changed; the originals were used.");
    gone.into_iter().chain(locked).chain(rest.into_iter().map(|one| notice(one, course))).collect()
}

/// A notice as one sentence.
#[must_use]
pub fn notice(notice: &Notice, course: &Course) -> String {
    match notice {
        Notice::LockedCellChanged { grade_id, line } => {
            let place = line.map(|line| format!(" at line {line}")).unwrap_or_default();
            format!("The locked cell \"{grade_id}\"{place} was changed; the original was used.")
        }
        Notice::CellGone { grade_id } => format!(
            "The cell \"{grade_id}\", or its marker line, is missing: undo that change, or reset the exercise (a backup is kept)."
        ),
        Notice::FellBack { module, at, reason } => format!(
            "The reference is used instead of your {} here: {}",
            course.slug(*module),
            fell_back(*module, *at, reason, course)
        ),
        Notice::ItemsLeftOut { analysis, kept } => {
            format!("{analysis} reports more than {kept} results; the rest is not shown.")
        }
        Notice::DamagedMarker { line } => {
            format!("The cell marker at line {line} is damaged: undo that change.")
        }
        Notice::CodeOutsideCells { line } => {
            format!(
                "Line {line} is outside the cells for your code: move it to your own cell, the last one of the file."
            )
        }
    }
}

/// Why the reference is used: `03_layers does not build on it: no method named "matmul" found`.
#[must_use]
pub fn fell_back(module: ModuleId, at: ModuleId, reason: &str, course: &Course) -> String {
    if module == at {
        return format!("it does not compile: {reason}");
    }
    format!("{} does not build on it: {reason}", course.slug(at))
}

/// A diagnostic in rustc's form, at most a few lines long.
#[must_use]
pub fn diagnostic(diagnostic: &Diagnostic, colour: Colour) -> String {
    let (word, code) = match diagnostic.level {
        Level::Error => ("error", RED),
        Level::Warning => ("warning", YELLOW),
    };
    let number = diagnostic.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
    let mut text = format!(
        "{}: {}\n",
        colour.paint(code, &format!("{word}{number}")),
        colour.paint(BOLD, &diagnostic.message)
    );
    if let Some(at) = &diagnostic.at {
        line(&mut text, &format!("  --> {at}"));
    }
    for span in &diagnostic.spans {
        let (first, last) = span.columns;
        let mark = if span.primary { "^" } else { "-" }.repeat(last.saturating_sub(first).max(1));
        let gutter = format!("{:>5} | ", span.line);
        line(&mut text, &format!("{}{}", colour.paint(BLUE, &gutter), span.text));
        let pad = " ".repeat(5) + " | " + &" ".repeat(first.saturating_sub(1));
        line(&mut text, &format!("{pad}{} {}", colour.paint(code, &mark), span.label));
    }
    for note in &diagnostic.notes {
        line(&mut text, &format!("      = {note}"));
    }
    for suggestion in &diagnostic.suggestions {
        line(&mut text, &format!("      help: {}", suggestion.message));
        for (row, corrected) in suggestion.corrected.lines().enumerate() {
            let gutter = format!("{:>5} | ", suggestion.at.line + row);
            line(&mut text, &format!("{}{corrected}", colour.paint(BLUE, &gutter)));
        }
    }
    text
}

fn test(test: &TestState, report: &ModuleReport, colour: Colour) -> String {
    let Some(result) = &test.result else {
        return format!("  {} {}\n", colour.paint(DIM, "not run    "), test.name);
    };
    let (word, more) = verdict(&result.verdict);
    let mut text =
        format!("  {} {}", colour.paint(tint(&result.verdict), &format!("{word:<11}")), test.name);
    match result.verdict {
        Verdict::Passed => text.push('\n'),
        Verdict::NotStarted { .. } => line(&mut text, &colour.paint(DIM, &format!("  {more}"))),
        _ => {
            text.push('\n');
            more.lines().for_each(|more| line(&mut text, &format!("      {more}")));
            let blamed = report.blames(test).map(follows_from);
            blamed.iter().for_each(|blamed| line(&mut text, &format!("      {blamed}")));
            text.push_str(&printed(&result.output, colour));
        }
    }
    text
}

fn tint(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => GREEN,
        Verdict::NotStarted { .. } => YELLOW,
        _ => RED,
    }
}

fn printed(output: &Output, colour: Colour) -> String {
    if output.text.trim().is_empty() {
        return String::new();
    }
    let mut text = String::new();
    line(&mut text, &colour.paint(DIM, "      printed:"));
    output.text.lines().for_each(|shown| line(&mut text, &format!("      | {shown}")));
    text
}

/// Everything that an analysis reported.
#[must_use]
pub fn analysis(analysis: &AnalysisState, colour: Colour) -> String {
    let mut text = format!("{}\n", colour.paint(BOLD, &analysis.name));
    let items: Vec<_> =
        analysis.items.iter().filter(|item| !matches!(item, Item::Progress(_))).collect();
    for group in items.chunk_by(|a, b| belong_together(a, b)) {
        match pictures(group) {
            Some(pictures) => text.push_str(&pictures),
            None => group.iter().for_each(|item| text.push_str(&self::item(item))),
        }
        text.push('\n');
    }
    if let Some(TestResult { verdict: ended, output, .. }) = &analysis.ended
        && *ended != Verdict::Passed
    {
        let (word, more) = verdict(ended);
        line(&mut text, &colour.paint(RED, &format!("{word}: {more}")));
        text.push_str(&printed(output, colour));
    }
    text
}

/// One reported item as text. A chart becomes a table, which a screen reader can read.
#[must_use]
pub fn item(item: &Item) -> String {
    match item {
        Item::Table(table) => self::table(table),
        Item::Chart(chart) => self::chart(chart),
        Item::Metric(metric) => self::metric(metric) + "\n",
        Item::Picture(_) => pictures(&[item]).unwrap_or_default(),
        Item::Tokens(tokens) => format!("{}\n{}\n", tokens.title, pieces(tokens).join("|")),
        Item::Text(text) => format!("{}\n{}\n", text.title, text.text),
        Item::Trace(trace) => format!("{}\n{}\n", trace.title, timeline(trace).join("\n")),
        Item::Insight(insight) => format!("=> {}\n", insight.text),
        Item::Note(note) => format!("{}\n", note.text),
        Item::Progress(progress) => {
            format!("{}: {} of {}\n", progress.label, progress.done, progress.total)
        }
    }
}

/// The spans of a trace, one on each line: its name, where it lies in the whole, and how long it took.
#[must_use]
pub fn timeline(trace: &Trace) -> Vec<String> {
    const BAR: f64 = 40.0;
    let end = trace.spans.iter().map(|span| span.start + span.seconds).fold(0.0, f64::max);
    let name = |span: &Span| format!("{}{}", "  ".repeat(span.depth), span.name);
    let room = trace.spans.iter().map(|span| name(span).width()).max().unwrap_or(0);
    let line = |span: &Span| {
        let columns = |seconds: f64| if end > 0.0 { BAR * seconds / end } else { 0.0 };
        let before = (columns(span.start) as usize).min(BAR as usize - 1);
        let bar = (columns(span.seconds).round() as usize).clamp(1, BAR as usize - before);
        let name = name(span);
        let pad = " ".repeat(room - name.width());
        let time = figures::figure(span.seconds, "s");
        format!("{name}{pad} |{:<40}| {time}", " ".repeat(before) + &"#".repeat(bar))
    };
    trace.spans.iter().map(line).collect()
}

/// A bar as wide as the whole: what is done, and what is begun, of which the done is a part.
#[must_use]
pub fn bar([done, begun]: [usize; 2], whole: usize) -> String {
    const BAR: usize = 40;
    // Whatever is more than nothing is seen, and only the whole fills the bar.
    let columns = |part: usize| match part {
        0 => 0,
        part if part >= whole => BAR,
        part => (BAR * part / whole).clamp(1, BAR - 1),
    };
    let (done, begun) = (columns(done), columns(begun));
    format!("{:<BAR$}", "#".repeat(done) + &"-".repeat(begun.saturating_sub(done)))
}

/// The pieces of a text that was cut into tokens, each on one line.
#[must_use]
pub fn pieces(tokens: &Tokens) -> Vec<String> {
    let visible = |piece: &String| piece.replace('\n', "\\n").replace('\t', "\\t");
    tokens.pieces.iter().map(visible).collect()
}

/// `accuracy: 97.2 % (target >= 95 %, met; measured)`.
#[must_use]
pub fn metric(metric: &Metric) -> String {
    let target = metric.target.map(|target| {
        let met = if metric.is_met() == Some(true) { "met" } else { "missed" };
        format!("target {}, {met}; ", figures::target(target, &metric.unit))
    });
    format!(
        "{}: {} ({}{})",
        metric.name,
        figures::figure(metric.value, &metric.unit),
        target.unwrap_or_default(),
        figures::origin(&metric.origin)
    )
}

fn table(table: &Table) -> String {
    let heads: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let body = figures::cells(table);
    let width = |column: usize| {
        let cells = body.iter().filter_map(|row| row.get(column)).chain(heads.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let row = |cells: &[String]| -> String {
        let padded = cells.iter().zip(&widths).enumerate().map(|(index, (cell, width))| {
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            if index == 0 { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
        });
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    let mut text = format!("{} ({})\n", table.title, figures::origin(&table.origin));
    line(&mut text, &row(&heads));
    body.iter().for_each(|cells| line(&mut text, &row(cells)));
    text
}

/// The most points of a chart that are listed one by one.
const FEW_POINTS: usize = 12;

fn chart(chart: &Chart) -> String {
    let number = |series: &[Series]| series.iter().map(|one| one.points.len()).sum::<usize>();
    if number(&chart.series) <= FEW_POINTS {
        return table(&points(chart));
    }
    // Beside long curves, the few points of the other series are listed: they are what the curves are compared with.
    let is_curve = |series: &&Series| series.points.len() > FEW_POINTS;
    let (curves, others): (Vec<&Series>, Vec<&Series>) = chart.series.iter().partition(is_curve);
    let part = |series: Vec<&Series>| Chart {
        series: series.into_iter().cloned().collect(),
        ..chart.clone()
    };
    let (curves, others) = (part(curves), part(others));
    let is_split = !curves.series.is_empty() && (1..=FEW_POINTS).contains(&number(&others.series));
    let summarized = if is_split { &curves } else { chart };
    let mut text = table(&summary_of_series(summarized));
    line(
        &mut text,
        &format!("  {} points; --format json has them all", number(&summarized.series)),
    );
    if is_split {
        text += &table(&points(&others));
    }
    text
}

/// Where each series of a chart begins, ends and has its extremes: one row per series.
fn summary_of_series(chart: &Chart) -> Table {
    let x = |point: &Point| match &point.label {
        Some(label) => label.clone(),
        None => figures::figure(point.x, &chart.x.unit),
    };
    let at = |point: Option<&Point>| {
        let text = point
            .map(|point| format!("{} at {}", figures::figure(point.y, &chart.y.unit), x(point)));
        Value::Text(text.unwrap_or_default())
    };
    let row = |series: &Series| {
        let points = &series.points;
        let finite = || points.iter().filter(|point| point.y.is_finite());
        let by_height = |a: &&Point, b: &&Point| a.y.total_cmp(&b.y);
        vec![
            Value::Text(series.name.clone()),
            at(points.first()),
            at(points.last()),
            at(finite().min_by(by_height)),
            at(finite().max_by(by_height)),
        ]
    };
    Table {
        title: format!("{}: {} by {}", chart.title, chart.y.label, chart.x.label),
        columns: ["series", "first", "last", "lowest", "highest"].map(Column::plain).into(),
        rows: chart.series.iter().map(row).collect(),
        origin: chart.origin.clone(),
    }
}

/// The points of a chart as a table: one row per point.
fn points(chart: &Chart) -> Table {
    let rows = chart.series.iter().flat_map(|series| {
        series.points.iter().map(move |point| {
            let x = match (&point.label, chart.kind) {
                (Some(label), ChartKind::Bar) => Value::Text(label.clone()),
                _ => Value::Text(figures::figure(point.x, &chart.x.unit)),
            };
            let name = match (&point.label, chart.kind) {
                (Some(label), ChartKind::Line | ChartKind::Scatter) => {
                    format!("{}: {label}", series.name)
                }
                _ => series.name.clone(),
            };
            let y = match point.spread {
                Some((low, high)) => Value::Spread { median: point.y, low, high },
                None => Value::Float(point.y),
            };
            vec![Value::Text(name), x, y]
        })
    });
    Table {
        title: chart.title.clone(),
        columns: vec![
            Column::plain("series"),
            Column::plain(&chart.x.label),
            Column::with_unit(&chart.y.label, &chart.y.unit),
        ],
        rows: rows.collect(),
        origin: chart.origin.clone(),
    }
}

/// Whether there is no blank line between two items.
fn belong_together(a: &Item, b: &Item) -> bool {
    matches!((a, b), (Item::Metric(_), Item::Metric(_)) | (Item::Picture(_), Item::Picture(_)))
}

/// Pictures side by side; `None` when an item is no picture.
fn pictures(items: &[&Item]) -> Option<String> {
    let picture = |item: &&Item| match item {
        Item::Picture(picture) => Some(picture.clone()),
        _ => None,
    };
    let pictures: Vec<Picture> = items.iter().map(picture).collect::<Option<_>>()?;
    let titles: Vec<&str> = pictures.iter().map(|picture| picture.title.as_str()).collect();
    let drawn: Vec<Vec<String>> = pictures.iter().map(small).collect();
    let mut text = format!("{}\n", titles.join(" | "));
    for number in 0..drawn.iter().map(Vec::len).max().unwrap_or(0) {
        let row = |rows: &Vec<String>| {
            let width = rows.first().map_or(0, |first| first.width());
            format!("{:width$}", rows.get(number).map_or("", String::as_str))
        };
        let rows: Vec<String> = drawn.iter().map(row).collect();
        line(&mut text, format!("  {}", rows.join(" | ")).trim_end());
    }
    Some(text)
}

/// A picture as rows; a large one with every other row and column.
fn small(picture: &Picture) -> Vec<String> {
    const LARGE: usize = 12;
    let rows = shades(picture);
    if rows.len() <= LARGE {
        return rows;
    }
    rows.iter().step_by(2).map(|row| row.chars().step_by(2).collect()).collect()
}

/// A picture as rows of shaded characters, two per pixel so that pixels look square.
#[must_use]
pub fn shades(picture: &Picture) -> Vec<String> {
    const RAMP: [char; 6] = [' ', '.', ':', '+', '#', '@'];
    let finite = || picture.pixels.iter().copied().filter(|pixel| pixel.is_finite());
    let (low, high) =
        (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let shade = |pixel: f32| {
        let share = if high > low { (pixel - low) / (high - low) } else { 0.0 };
        RAMP[((share * (RAMP.len() - 1) as f32).round() as usize).min(RAMP.len() - 1)]
    };
    picture
        .pixels
        .chunks(picture.width.max(1))
        .map(|row| row.iter().flat_map(|pixel| [shade(*pixel); 2]).collect())
        .collect()
}

fn line(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}

impl Colour {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Off => text.to_owned(),
            Self::On => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::event::{Expected, Owner, RunEvent, RunKind};
    use std::time::Duration;
    use tinytorch::report::{Axis, Origin, Target};

    #[test]
    fn many_changed_cells_share_a_sentence() {
        let locked = |id: &str| Notice::LockedCellChanged { grade_id: id.into(), line: None };
        let gone = Notice::CellGone { grade_id: "sum".into() };
        let few = notices(&[locked("a"), gone.clone()], Course::tinytorch());
        assert!(few.len() == 2 && few[0].contains("\"sum\"") && few[1].contains("\"a\""));
        let many = [locked("a"), locked("b"), locked("c"), gone, locked("d")];
        assert_eq!(
            notices(&many, Course::tinytorch())[1],
            "4 locked cells were changed; the originals were used."
        );
        assert_eq!(notices(&many, Course::tinytorch()).len(), 2);
    }

    #[test]
    fn a_bar_shows_the_smallest_part_and_is_full_for_the_whole_alone() {
        let bar = |parts, whole| super::bar(parts, whole).trim_end().to_owned();
        assert_eq!(bar([1, 1], 1000), "#");
        assert_eq!(bar([0, 0], 0), "");
        assert_eq!(bar([999, 1000], 1000), "#".repeat(39) + "-");
        assert_eq!(bar([5, 10], 20), "#".repeat(10) + &"-".repeat(10));
        assert_eq!(super::bar([1, 2], 20).len(), 40);
    }

    #[test]
    fn a_timeout_names_its_likely_causes() {
        let after = Duration::from_secs(10);
        let (_, more) = verdict(&Verdict::TimedOut { after });
        let causes = ["10 s", "endless loop", "recursion", "too slow"];
        assert!(causes.iter().all(|cause| more.contains(cause)), "{more}");
    }

    #[test]
    fn a_failure_that_follows_from_an_earlier_cell_names_it() {
        let mut report = ModuleReport::new(ModuleId(1));
        let expected = [("a", vec![]), ("b", vec!["a".to_owned()])].map(|(name, needs)| Expected {
            grade_id: Some(format!("test-{name}")),
            needs,
            ..Expected::new(name)
        });
        let (module, kind, expected) = (report.module, RunKind::Check, expected.into());
        report.apply(&RunEvent::Started { module, kind, expected });
        report.apply(&RunEvent::Built { success: true, took: Duration::ZERO });
        for name in ["a", "b"] {
            let verdict = Verdict::Failed { message: "wrong".into(), at: None };
            let (output, took) = (Output::default(), Duration::ZERO);
            let result = TestResult { name: name.into(), verdict, output, took };
            report.apply(&RunEvent::Test(result));
        }
        let text = check(&report, Course::tinytorch(), Colour::Off);
        let follows = "      wrong\n      follows from a, which fails: fix that first\n";
        assert!(text.contains(follows) && text.matches("follows").count() == 1, "{text}");
        let json: serde_json::Value =
            serde_json::from_str(&crate::report::json::check(&report, "01_tensor")).unwrap();
        assert_eq!(json["follows_from"], serde_json::json!({ "b": "a" }));
    }

    #[test]
    fn the_learners_own_tests_come_after_the_graded_ones_and_are_not_counted() {
        let expected = |name: &str, owner| Expected { owner, ..Expected::new(name) };
        let mut report = ModuleReport::new(ModuleId(1));
        let names = [("test_a", Owner::Course), ("own::test_b", Owner::Learner)];
        let expected = names.map(|(name, owner)| expected(name, owner)).into();
        report.apply(&RunEvent::Started { module: report.module, kind: RunKind::Check, expected });
        report.apply(&RunEvent::Built { success: true, took: Duration::ZERO });
        for (name, verdict) in [
            ("test_a", Verdict::Passed),
            ("own::test_b", Verdict::Failed { message: "mine".into(), at: None }),
        ] {
            let (output, took) = (Output::default(), Duration::ZERO);
            report.apply(&RunEvent::Test(TestResult { name: name.into(), verdict, output, took }));
        }
        assert_eq!(
            check(&report, Course::tinytorch(), Colour::Off),
            "  passed      test_a\n  yours, not graded:\n  failed      own::test_b\n      mine\n\
             01_tensor: all 1 test pass\n"
        );
    }

    #[test]
    fn the_figures_of_a_table_are_aligned() {
        let table = Table {
            title: "Sums".into(),
            columns: vec![Column::plain("order"), Column::with_unit("time", "s")],
            rows: vec![
                vec!["rows".into(), 0.001.into()],
                vec!["columns".into(), Value::Spread { median: 0.0123, low: 0.012, high: 0.0126 }],
            ],
            origin: Origin::Measured,
        };
        assert_eq!(
            item(&Item::Table(table)),
            "Sums (measured)\n  order            time\n  rows           1.0 ms\n  columns  12.3 ms ±0.3\n"
        );
    }

    #[test]
    fn a_chart_is_readable_as_a_table() {
        let chart = Chart {
            title: "Cost".into(),
            kind: ChartKind::Bar,
            x: Axis::linear("activation", ""),
            y: Axis::linear("time", "s"),
            series: vec![Series {
                name: "this machine".into(),
                points: vec![Point { y: 0.5, label: Some("ReLU".into()), ..Point::default() }],
            }],
            origin: Origin::Measured,
        };
        let text = item(&Item::Chart(chart));
        assert!(
            text.contains("this machine") && text.contains("ReLU") && text.contains("500 ms"),
            "{text}"
        );
    }

    #[test]
    fn a_trace_is_a_line_for_each_span_with_its_place_in_the_whole() {
        let span =
            |name: &str, depth, start, seconds| Span { name: name.into(), depth, start, seconds };
        let spans = vec![
            span("step", 0, 0.0, 0.004),
            span("forward", 1, 0.0, 0.001),
            span("backward", 1, 0.001, 0.003),
            span("end", 0, 0.004, 0.0),
        ];
        let lines = timeline(&Trace { title: "A step".into(), spans });
        let bar = |before: usize, long: usize| {
            format!("|{:<40}|", " ".repeat(before) + &"#".repeat(long))
        };
        let wanted = [
            format!("step       {} 4 ms", bar(0, 40)),
            format!("  forward  {} 1 ms", bar(0, 10)),
            format!("  backward {} 3 ms", bar(10, 30)),
            format!("end        {} 0 s", bar(39, 1)),
        ];
        assert_eq!(lines, wanted);
        assert_eq!(timeline(&Trace { title: "Nothing".into(), spans: vec![] }), [] as [String; 0]);
    }

    #[test]
    fn a_long_curve_is_summarised_in_one_row() {
        let y = |x: f64| if x == 7.0 { f64::NAN } else { (x - 30.0).abs() };
        let points = (0..100).map(f64::from).map(|x| Point { x, y: y(x), ..Point::default() });
        let series = Series { name: "loss".into(), points: points.collect() };
        let chart = Chart {
            title: "Training".into(),
            kind: ChartKind::Line,
            x: Axis::linear("step", ""),
            y: Axis::linear("loss", ""),
            series: vec![series],
            origin: Origin::Measured,
        };
        let text = item(&Item::Chart(chart));
        assert_eq!(text.lines().count(), 4, "{text}");
        for cell in ["30 at 0", "69 at 99", "0 at 30", "100 points"] {
            assert!(text.contains(cell), "{cell}: {text}");
        }
    }

    #[test]
    fn a_few_named_points_beside_a_long_curve_are_listed_with_their_names_and_units() {
        let roof = Series::new("roof", (1..=40).map(|x| (f64::from(x), 1e9 * f64::from(x))));
        let label = Some("addition".into());
        let point = Point { x: 0.25, y: 2e9, label, ..Point::default() };
        let chart = Chart {
            title: "Roofline".into(),
            kind: ChartKind::Scatter,
            x: Axis::log("intensity", "FLOP/B"),
            y: Axis::log("rate", "FLOP/s"),
            series: vec![roof, Series { name: "operations".into(), points: vec![point] }],
            origin: Origin::Measured,
        };
        let text = item(&Item::Chart(chart));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines[2].starts_with("roof    1 GFLOP/s at 1 FLOP/B"), "{text}");
        assert_eq!(lines[3], "40 points; --format json has them all");
        assert_eq!(lines[6], "operations: addition  0.250 FLOP/B  2 GFLOP/s");
    }

    #[test]
    fn pictures_are_side_by_side_and_metrics_have_no_blank_line_between_them() {
        let picture = |title: &str| {
            Item::Picture(Picture {
                title: title.into(),
                width: 2,
                pixels: vec![0.0, 1.0, 1.0, 0.0],
            })
        };
        let metric = |name: &str| {
            Item::Metric(Metric {
                name: name.into(),
                value: 1.0,
                unit: String::new(),
                target: None,
                origin: Origin::Measured,
            })
        };
        let items = vec![picture("a"), picture("b"), metric("c"), metric("d")];
        let state = AnalysisState { name: "n".into(), items, ended: None, old: false };
        let text = analysis(&state, Colour::Off);
        assert!(text.starts_with("n\na | b\n    @@ |   @@\n  @@   | @@\n\nc: 1"), "{text:?}");
        assert!(text.contains("(measured)\nd: 1"), "{text:?}");
    }

    #[test]
    fn a_missed_target_is_named() {
        let missed = Metric {
            name: "accuracy".into(),
            value: 90.0,
            unit: "%".into(),
            target: Some(Target::AtLeast(95.0)),
            origin: Origin::Measured,
        };
        assert_eq!(metric(&missed), "accuracy: 90 % (target >= 95 %, missed; measured)");
    }

    #[test]
    fn a_flat_picture_and_one_with_missing_values_are_drawn() {
        let flat = Picture { title: String::new(), width: 2, pixels: vec![3.0, f32::NAN] };
        assert_eq!(shades(&flat), ["    "]);
    }
}
