//! Diagnostics about the learner's file from rustc's JSON. Input: one line of rustc's standard error, and the source
//! map. Output: a diagnostic, or nothing if the line is not one. Pure.

use crate::error::harmless;
use crate::runner::event::{Diagnostic, Level, Place, Span, Suggestion};
use crate::runner::source_map::SourceMap;
use serde::Deserialize;

/// Lines shown of one span: an unclosed brace can span a whole file.
const LINES_OF_A_SPAN: usize = 8;
/// Spans, notes and suggestions kept of one diagnostic, of each kind.
const MOST_PARTS: usize = 16;
/// Bytes kept of each text: a type's name or a line of source can have millions.
const LONGEST_TEXT: usize = 4 << 10;

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

/// Reads one line. The counts at the end (`aborting due to 2 previous errors`) are not diagnostics.
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
        message: text(&message.message),
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
    found.spans.truncate(MOST_PARTS);
    found.notes.truncate(MOST_PARTS);
    found.suggestions.truncate(MOST_PARTS);
    Some(found)
}

/// A text that is safe to show, cut after a few thousand bytes.
fn text(text: &str) -> String {
    match text.char_indices().find(|(index, _)| *index >= LONGEST_TEXT) {
        Some((end, _)) => harmless(&text[..end]) + "...",
        None => harmless(text),
    }
}

/// The span itself if it is in the learner's file, else the one there that called the macro it comes from.
fn own<'a>(span: &'a RawSpan, source_map: &SourceMap) -> Option<(&'a RawSpan, Place)> {
    match source_map.find(&span.file_name, span.line_start, span.column_start) {
        Some(place) => Some((span, place)),
        None => own(&span.expansion.as_ref()?.span, source_map),
    }
}

/// Whether the place is in the file that the diagnostic is about: spans do not name their file.
fn is_beside(found: &Diagnostic, place: &Place) -> bool {
    found.at.as_ref().is_none_or(|at| at.file == place.file)
}

fn lines(span: &RawSpan, first: usize, label: &str, primary: bool) -> Vec<Span> {
    let lines = span.text.iter().take(LINES_OF_A_SPAN).enumerate();
    lines
        .map(|(index, line)| Span {
            line: first + index,
            text: text(&line.text),
            columns: (line.highlight_start, line.highlight_end),
            // The label belongs to the first line; the others only show how far the span goes.
            label: if index == 0 { text(label) } else { String::new() },
            primary,
        })
        .collect()
}

fn add_child(found: &mut Diagnostic, child: &Message, source_map: &SourceMap) {
    let message = text(&child.message);
    let mut parts: Vec<(Place, Vec<&RawSpan>)> = vec![];
    let mut has_span = false;
    for span in &child.spans {
        let Some((span, at)) = own(span, source_map).filter(|(_, place)| is_beside(found, place))
        else {
            continue;
        };
        has_span = true;
        match (&span.suggested_replacement, parts.last_mut()) {
            (None, _) => found.spans.extend(lines(span, at.line, &message, false)),
            (_, Some((_, spans))) if spans.iter().all(|other| is_one_with(other, span)) => {
                spans.push(span);
            }
            _ => parts.push((at, vec![span])),
        }
    }
    for (at, spans) in parts {
        let texts = spans.iter().filter_map(|span| span.suggested_replacement.as_deref());
        let replacement = text(&texts.collect::<Vec<_>>().join(" "));
        let (message, corrected) = (message.clone(), text(&corrected(&spans)));
        found.suggestions.push(Suggestion { message, at, replacement, corrected });
    }
    if !has_span {
        found.notes.push(message);
    }
}

/// Whether two replacements are parts of one suggestion, such as two brackets around a value: both are on one line. Those
/// at the same place are alternatives.
fn is_one_with(one: &RawSpan, other: &RawSpan) -> bool {
    let is_short = |span: &RawSpan| span.text.len() == 1;
    one.line_start == other.line_start
        && one.column_start != other.column_start
        && is_short(one)
        && is_short(other)
}

/// The lines of source with all of the replacements in them.
fn corrected(spans: &[&RawSpan]) -> String {
    let Some((first, last)) =
        spans.first().and_then(|span| span.text.first().zip(span.text.last()))
    else {
        return String::new();
    };
    let mut line: Vec<char> = first.text.chars().collect();
    let tail: String = last.text.chars().skip(last.highlight_end.saturating_sub(1)).collect();
    let mut spans = spans.to_vec();
    // From the right, so that a replacement does not move the places of the others.
    spans.sort_by_key(|span| std::cmp::Reverse(span.column_start));
    if let [span] = spans[..] {
        let head: String = line.iter().take(first.highlight_start.saturating_sub(1)).collect();
        let replacement = span.suggested_replacement.as_deref().unwrap_or_default();
        return format!("{head}{replacement}{tail}");
    }
    for span in spans {
        let (Some(text), Some(replacement)) = (span.text.first(), &span.suggested_replacement)
        else {
            continue;
        };
        let end = text.highlight_end.saturating_sub(1).min(line.len());
        let start = text.highlight_start.saturating_sub(1).min(end);
        line.splice(start..end, replacement.chars());
    }
    line.into_iter().collect()
}

#[cfg(test)]
mod tests;
