//! A compiler diagnostic: its message, the source lines it points at, in colour and with carets under
//! them, and rustc's suggestions. Must not know which block it belongs to.

use super::text::{clip, fold, skip, wrap};
use crate::runner::event::{Diagnostic, Level, Span as Pointed, Suggestion};
use crate::tui::model::HighlightedCode;
use crate::tui::theme::{self, Role, style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// A diagnostic within a width.
#[must_use]
pub fn lines(
    diagnostic: &Diagnostic,
    highlighted: &HighlightedCode,
    width: usize,
) -> Vec<Line<'static>> {
    let (word, role) = match diagnostic.level {
        Level::Error => ("error", Role::Bad),
        Level::Warning => ("warning", Role::Wait),
    };
    let code = diagnostic.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
    let message = [
        Span::styled(format!("{word}{code}: "), style(role)),
        Span::styled(diagnostic.message.clone(), style(Role::Strong)),
    ];
    let mut lines = wrap(&message, width, &[], &[Span::raw("  ")]);
    if let Some(at) = &diagnostic.at {
        let place = at.to_string();
        lines.push(clip(&[Span::styled(format!("  {place}"), style(Role::Dim))], width));
    }
    let suggested_lines = diagnostic.suggestions.iter().map(|suggestion| suggestion.at.line);
    let numbers = diagnostic.spans.iter().map(|span| span.line).chain(suggested_lines);
    let digits = numbers.max().unwrap_or(0).to_string().len();
    let mut above = None;
    for span in &diagnostic.spans {
        let mut shown = pointed(span, digits, role, highlighted, width);
        // Two spans of one line share one copy of it.
        if above == Some(span.line) && shown.first().is_some_and(|line| lines.contains(line)) {
            shown.remove(0);
        }
        above = Some(span.line);
        lines.extend(shown);
    }
    for note in &diagnostic.notes {
        lines.extend(labelled("note  ", note, Role::Dim, width));
    }
    for suggestion in &diagnostic.suggestions {
        lines.extend(suggested(suggestion, digits, width));
    }
    lines
}

/// A source line, and under it carets with rustc's label. A long line is shown around its carets.
fn pointed(
    span: &Pointed,
    digits: usize,
    role: Role,
    highlighted: &HighlightedCode,
    width: usize,
) -> Vec<Line<'static>> {
    let gutter = Span::styled(format!("{:>digits$} │ ", span.line), style(Role::Dim));
    let under = Span::styled(format!("{:>digits$} │ ", ""), style(Role::Dim));
    let room = width.saturating_sub(gutter.width()).max(1);
    let (first, last) = span.columns;
    let start: usize = columns(&span.text, first.saturating_sub(1));
    let end = columns(&span.text, last.saturating_sub(1)).max(start + 1);
    let cut = if end > room { start.saturating_sub(room / 3) } else { 0 };
    let mut source = vec![gutter];
    source.extend(skip(&coloured(&span.text, highlighted), cut));
    let mark = if span.primary { "^" } else { "-" };
    let marks = mark.repeat((end - start).min(room.saturating_sub(start - cut)).max(1));
    let indent = Span::raw(" ".repeat(start - cut));
    let carets = vec![under.clone(), indent.clone(), Span::styled(marks.clone(), style(role))];
    let mut lines = vec![clip(&source, width)];
    let label = Span::styled(span.label.clone(), style(role));
    if indent.width() + marks.len() + 1 + label.width() <= room {
        let mut carets = carets;
        carets.extend([Span::raw(" "), label]);
        lines.push(clip(&carets, width));
    } else {
        lines.push(clip(&carets, width));
        let gutter = [under, Span::raw("  ")];
        lines.extend(wrap(&[label], width, &gutter, &gutter));
    }
    lines
}

/// The columns on screen that the first characters take; a tab takes four.
fn columns(text: &str, characters: usize) -> usize {
    let head: String = text.chars().take(characters).collect();
    head.replace('\t', "    ").width()
}

fn coloured(text: &str, highlighted: &HighlightedCode) -> Vec<Span<'static>> {
    match highlighted.get(text).and_then(|lines| lines.first()) {
        Some(pieces) => pieces
            .iter()
            .map(|(token, text)| Span::styled(text.clone(), theme::token(*token)))
            .collect(),
        None => vec![Span::raw(text.to_owned())],
    }
}

/// A suggestion as the corrected lines.
fn suggested(suggestion: &Suggestion, digits: usize, width: usize) -> Vec<Line<'static>> {
    let mut lines = labelled("help  ", &suggestion.message, Role::Good, width);
    for (row, line) in suggestion.corrected.lines().enumerate() {
        let number = suggestion.at.line + row;
        let gutter = Span::styled(format!("{number:>digits$} │ "), style(Role::Dim));
        let under = Span::styled(format!("{:>digits$} │ ", ""), style(Role::Dim));
        let code = Span::styled(line.to_owned(), style(Role::Good));
        lines.extend(fold(&[code], width, &[gutter], &[under]));
    }
    lines
}

fn labelled(label: &'static str, text: &str, role: Role, width: usize) -> Vec<Line<'static>> {
    let first = [Span::styled(label, style(role))];
    let rest = [Span::raw(" ".repeat(label.len()))];
    text.lines()
        .enumerate()
        .flat_map(|(row, line)| {
            let prefix = if row == 0 { &first } else { &rest };
            wrap(&[Span::raw(line.to_owned())], width, prefix, &rest)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::event::Place;

    fn diagnostic(text: &str, columns: (usize, usize)) -> Diagnostic {
        let at = Place { file: "exercises/01_tensor.rs".into(), line: 7, column: columns.0 };
        Diagnostic {
            level: Level::Error,
            message: "mismatched types".into(),
            code: Some("E0308".into()),
            at: Some(at.clone()),
            spans: vec![Pointed {
                line: 7,
                text: text.into(),
                columns,
                label: "expected `f32`, found `&str`".into(),
                primary: true,
            }],
            notes: vec!["a note".into()],
            suggestions: vec![Suggestion {
                message: "try a number".into(),
                at,
                replacement: "1.0".into(),
                corrected: "    let x: f32 = 1.0;".into(),
            }],
        }
    }

    fn text(diagnostic: &Diagnostic, width: usize) -> Vec<String> {
        lines(diagnostic, &HighlightedCode::new(), width).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn carets_are_under_what_they_point_at() {
        assert_eq!(
            text(&diagnostic("    let x: f32 = \"é\";", (18, 21)), 70),
            [
                "error[E0308]: mismatched types",
                "  exercises/01_tensor.rs:7:18",
                "7 │     let x: f32 = \"é\";",
                "  │                  ^^^ expected `f32`, found `&str`",
                "note  a note",
                "help  try a number",
                "7 │     let x: f32 = 1.0;",
            ]
        );
    }

    #[test]
    fn two_spans_of_one_line_share_one_copy_of_it() {
        let mut diagnostic = diagnostic("let x: f32 = \"\";", (14, 16));
        let mut second = diagnostic.spans[0].clone();
        second.columns = (8, 11);
        second.primary = false;
        second.label = "expected due to this".into();
        diagnostic.spans.push(second);
        let lines = text(&diagnostic, 70);
        assert_eq!(lines[..5].iter().filter(|line| line.contains("let x")).count(), 1, "{lines:?}");
        assert_eq!(lines[4], "  │        --- expected due to this");
    }

    #[test]
    fn a_long_line_is_shown_around_its_carets() {
        let lines = text(&diagnostic(&format!("{}bad", "x".repeat(500)), (501, 504)), 40);
        assert!(lines[2].contains("bad"), "{lines:?}");
        let column = |line: &str, mark: &str| line.find(mark).unwrap();
        assert_eq!(column(&lines[2], "bad"), column(&lines[3], "^^^"));
    }

    #[test]
    fn positions_outside_of_the_line_do_not_panic() {
        for columns in [(0, 0), (900, 20), (3, 900)] {
            for width in 0..12 {
                let _ = text(&diagnostic("\tab", columns), width);
            }
        }
    }
}
