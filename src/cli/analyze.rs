//! `analyze`: measure, optimised. Items are written as they are reported.

use super::arguments::{AnalyzeArguments, Format};
use super::check::CheckSession;
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::{Course, Module, cells};
use crate::error::Error;
use crate::lab::atomic;
use crate::report::{ModuleReport, human, json};
use crate::runner::event::{RunEvent, RunKind, Verdict};
use std::path::Path;
use tinytorch::report::Item;
use tinytorch::trace::{Span, chrome_trace};

/// Returns whether every analysis ran to its end.
pub fn run(
    context: &Context,
    arguments: &AnalyzeArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let module = context.course().named(&arguments.module)?;
    let only = chosen(module, arguments.name.as_deref())?;
    if let Some(file) = arguments.trace.as_deref().filter(|file| file.exists()) {
        return Err(taken(file));
    }
    let mut session = CheckSession::open(context, arguments.solution)?;
    let (file, text) = session.text(module).map_err(Error::unmet)?;
    let json = arguments.format == Format::Json;
    let report = session.report(module, RunKind::Analysis, only, file, &text, &mut |event| {
        if let RunEvent::Reported { analysis, item } = event
            && json
            && !matches!(item, Item::Progress(_))
        {
            out.line(json::item(analysis, item));
        }
    })?;
    session.keep_analyses(&report, &text);
    let well = conclude(&report, context.course(), json, out);
    if !json {
        session.show_predictions(&report, out);
    }
    if let Some(file) = &arguments.trace {
        write_trace(report.analyses.iter().flat_map(|analysis| &analysis.items), file)?;
    }
    Ok(well)
}

/// Writes every timeline among the items to a new file.
fn write_trace<'a>(items: impl Iterator<Item = &'a Item>, file: &Path) -> Result<(), Error> {
    let traces: Vec<(&str, &[Span])> = items
        .filter_map(|item| match item {
            Item::Trace(trace) => Some((&*trace.title, &*trace.spans)),
            _ => None,
        })
        .collect();
    if traces.is_empty() {
        let message = format!("no timeline was reported: \"{}\" was not written", file.display());
        return Err(Error::unmet(message).hint(
            "`tinytorch-tutor analyze 14` reports some, when its analyses run to their end.",
        ));
    }
    if atomic::write_new(file, chrome_trace(traces).as_bytes())? {
        Ok(())
    } else {
        Err(taken(file))
    }
}

fn taken(file: &Path) -> Error {
    Error::usage(format!("\"{}\" exists already", file.display()))
        .hint("Nothing was overwritten: name another file, or remove this one.")
}

/// Prints the rest of the report, and returns whether every analysis ran to its end.
pub fn conclude(report: &ModuleReport, course: &Course, json: bool, out: &mut Printer) -> bool {
    let mut well = report.compiles == Some(true) && !report.analyses.is_empty();
    if json {
        report.diagnostics.iter().for_each(|diagnostic| out.line(json::to_line(diagnostic)));
    } else {
        let colour = out.colour();
        report.notices.iter().for_each(|notice| out.line(human::notice(notice, course)));
        report.diagnostics.iter().for_each(|d| out.line(human::diagnostic(d, colour)));
        report.analyses.iter().for_each(|a| out.text(&human::analysis(a, colour)));
    }
    for analysis in &report.analyses {
        let ended = analysis.ended.as_ref().map(|result| &result.verdict);
        if ended != Some(&Verdict::Passed) {
            well = false;
            if json && let Some(result) = &analysis.ended {
                out.line(json::to_line(result));
            }
        }
    }
    well
}

fn chosen(module: &Module, name: Option<&str>) -> Result<Vec<String>, Error> {
    let Some(name) = name else { return Ok(vec![]) };
    let known = cells::analyses(module.reference());
    let meant =
        known.iter().find(|known| *known == name || known.strip_prefix("analyze_") == Some(name));
    meant.map(|name| vec![name.clone()]).ok_or_else(|| {
        Error::usage(format!("{} has no analysis \"{name}\"", module.slug()))
            .hint(format!("Its analyses are {}.", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::report::{Note, Trace};

    #[test]
    fn timelines_are_written_to_a_new_file_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("step.json");
        let note = Item::Note(Note { text: "n".into() });
        let error = write_trace([&note].into_iter(), &file).unwrap_err();
        assert!(error.to_string().contains("no timeline was reported"), "{error}");
        assert!(!file.exists());

        let span = |name: &str| Span { name: name.into(), depth: 0, start: 0.0, seconds: 1.0 };
        let trace = |title: &str| {
            Item::Trace(Trace { title: title.into(), spans: vec![span("one"), span("two")] })
        };
        let items = [trace("a step"), note, trace("another")];
        write_trace(items.iter(), &file).unwrap();
        let written = std::fs::read_to_string(&file).unwrap();
        let json: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(json["traceEvents"].as_array().unwrap().len(), 6, "{written}");

        let error = write_trace(items[..1].iter(), &file).unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), written, "it is as it was");
    }
}
