//! rustc's JSON as diagnostics about the learner's file. Comes in: one line of rustc's standard error,
//! and what leads source_map back. Goes out: a diagnostic, or nothing when the line is none. Pure.

use crate::runner::event::{Diagnostic, Level, Place, Span, Suggestion};
use crate::runner::output::harmless;
use crate::runner::source_map::SourceMap;
use serde::Deserialize;

/// Lines shown of one span: an unclosed brace can span a whole file.
const LINES_OF_A_SPAN: usize = 8;

#[derive(Deserialize)]
struct Message {
    message: String,
    code: Option<Code>,
    level: String,
    spans: Vec<RawSpan>,
    #[serde(default)]
    children: Vec<Message>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct RawSpan {
    file_name: String,
    line_start: usize,
    column_start: usize,
    is_primary: bool,
    text: Vec<Line>,
    label: Option<String>,
    suggested_replacement: Option<String>,
    expansion: Option<Box<Expansion>>,
}

#[derive(Deserialize)]
struct Expansion {
    span: RawSpan,
}

#[derive(Deserialize)]
struct Line {
    text: String,
    highlight_start: usize,
    highlight_end: usize,
}

/// Reads one line. Counts at the end (`aborting due to 2 previous errors`) are no diagnostics.
pub(in crate::runner) fn diagnostic(line: &[u8], source_map: &SourceMap) -> Option<Diagnostic> {
    let message: Message = serde_json::from_slice(line).ok()?;
    let level = match message.level.as_str() {
        "warning" => Level::Warning,
        level if level.starts_with("error") => Level::Error,
        _ => return None,
    };
    let count = message.spans.is_empty()
        && (message.message.starts_with("aborting due to") || message.message.ends_with("emitted"));
    if count {
        return None;
    }
    let mut found = Diagnostic {
        level,
        message: harmless(&message.message),
        code: message.code.map(|code| code.code),
        at: None,
        spans: vec![],
        notes: vec![],
        suggestions: vec![],
    };
    let mut spans: Vec<&RawSpan> = message.spans.iter().collect();
    spans.sort_by_key(|span| !span.is_primary);
    for span in spans {
        let Some((own, place)) =
            own(span, source_map).filter(|(_, place)| is_beside(&found, place))
        else {
            continue;
        };
        let label = span.label.as_deref().unwrap_or_default();
        found.spans.extend(lines(own, place.line, label, span.is_primary));
        found.at.get_or_insert(place);
    }
    message.children.iter().for_each(|child| add_child(&mut found, child, source_map));
    Some(found)
}

/// The span in the learner's file that this one is, or from whose macro it comes.
fn own<'a>(span: &'a RawSpan, source_map: &SourceMap) -> Option<(&'a RawSpan, Place)> {
    match source_map.find(&span.file_name, span.line_start, span.column_start) {
        Some(place) => Some((span, place)),
        None => own(&span.expansion.as_ref()?.span, source_map),
    }
}

/// Whether the place is in the file that the diagnostic is about: a span names no file of its own.
fn is_beside(found: &Diagnostic, place: &Place) -> bool {
    found.at.as_ref().is_none_or(|at| at.file == place.file)
}

fn lines(span: &RawSpan, first: usize, label: &str, primary: bool) -> Vec<Span> {
    let text = span.text.iter().take(LINES_OF_A_SPAN).enumerate();
    text.map(|(index, line)| Span {
        line: first + index,
        text: harmless(&line.text),
        columns: (line.highlight_start, line.highlight_end),
        // The words stand at the first line; the others only show how far the span goes.
        label: if index == 0 { harmless(label) } else { String::new() },
        primary,
    })
    .collect()
}

fn add_child(found: &mut Diagnostic, child: &Message, source_map: &SourceMap) {
    let message = harmless(&child.message);
    let mut said = false;
    for span in &child.spans {
        let Some((span, at)) = own(span, source_map).filter(|(_, place)| is_beside(found, place))
        else {
            continue;
        };
        said = true;
        if let Some(replacement) = &span.suggested_replacement {
            let (message, replacement) = (message.clone(), harmless(replacement));
            found.suggestions.push(Suggestion { message, at, replacement });
        } else {
            found.spans.extend(lines(span, at.line, &message, false));
        }
    }
    if !said {
        found.notes.push(message);
    }
}

#[cfg(test)]
mod tests;
