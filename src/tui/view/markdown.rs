//! Prose as lines: CommonMark laid out in a width, its code highlighted where its tokens are known. No line is
//! wider than the width. Must not know live blocks.

use super::table::{self, Cell};
use super::text::{clip, fold, wrap};
use crate::tui::highlighted::{HighlightedCode, TokenKind};
use crate::tui::prose::first_word;
use crate::tui::theme::{self, Role, style};
use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Lays out CommonMark.
#[must_use]
pub fn lay_out(text: &str, width: usize, highlighted: &HighlightedCode) -> Vec<Line<'static>> {
    let mut writer = Writer::new(width, highlighted);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for event in Parser::new_ext(text, options) {
        writer.event(event);
    }
    writer.done()
}

/// CommonMark beside a label.
#[must_use]
pub fn labelled(label: &str, role: Role, text: &str, width: usize) -> Vec<Line<'static>> {
    let label = format!("{label}  ");
    let body = lay_out(text, width.saturating_sub(label.width()), &HighlightedCode::new());
    let blank = " ".repeat(label.width());
    let labels = std::iter::once(label).chain(std::iter::repeat(blank));
    let mut lines = body;
    for (line, label) in lines.iter_mut().zip(labels) {
        line.spans.insert(0, Span::styled(label, style(role)));
    }
    lines
}

/// Source code, highlighted where its tokens are known.
#[must_use]
pub fn code(
    text: &str,
    width: usize,
    highlighted: &HighlightedCode,
    gutter: &[Span<'static>],
) -> Vec<Line<'static>> {
    let lines: Vec<Vec<Span<'static>>> = match highlighted.get(text) {
        Some(lines) => lines
            .iter()
            .map(|line| {
                let span = |(token, text): &(TokenKind, String)| {
                    Span::styled(text.clone(), theme::token(*token))
                };
                line.iter().map(span).collect()
            })
            .collect(),
        None => text.lines().map(|line| vec![Span::raw(line.to_owned())]).collect(),
    };
    lines.iter().flat_map(|line| fold(line, width, gutter, gutter)).collect()
}

/// A list that is open: the next number, or bullets.
struct List {
    number: Option<u64>,
}

struct Writer<'a> {
    width: usize,
    highlighted: &'a HighlightedCode,
    lines: Vec<Line<'static>>,
    spans: Vec<Span<'static>>,
    styles: Vec<Style>,
    lists: Vec<List>,
    marker: Option<String>,
    quotes: usize,
    code: Option<(String, String)>,
    table: Option<(Vec<Alignment>, Vec<Vec<Cell>>)>,
    link: Option<String>,
}

impl<'a> Writer<'a> {
    fn new(width: usize, highlighted: &'a HighlightedCode) -> Self {
        Self {
            width,
            highlighted,
            lines: vec![],
            spans: vec![],
            styles: vec![],
            lists: vec![],
            marker: None,
            quotes: 0,
            code: None,
            table: None,
            link: None,
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.text(&text),
            },
            Event::Code(text) => {
                let code = self.style().patch(style(Role::Code));
                self.spans.push(Span::styled(text.into_string(), code));
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::InlineHtml(text) => {
                self.text(&text);
            }
            Event::Html(text) if !text.trim_start().starts_with("<!--") => self.text(&text),
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.flush(),
            Event::Rule => {
                self.gap();
                let rule = "─".repeat(self.width);
                self.lines.push(Line::styled(rule, style(Role::Dim)));
            }
            Event::Html(_) | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.marker.is_none() => self.gap(),
            Tag::Heading { level, .. } => {
                self.gap();
                self.styles.push(style(match level {
                    HeadingLevel::H1 | HeadingLevel::H2 => Role::Heading,
                    _ => Role::Subheading,
                }));
            }
            Tag::BlockQuote(_) => {
                self.gap();
                self.quotes += 1;
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => first_word(&info).unwrap_or("").to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::List(number) => {
                self.flush();
                if self.lists.is_empty() {
                    self.gap();
                }
                self.lists.push(List { number });
            }
            Tag::Item => self.item(),
            Tag::Emphasis => self.styles.push(style(Role::Emphasis)),
            Tag::Strong => self.styles.push(style(Role::Strong)),
            Tag::Strikethrough => self.styles.push(style(Role::Dim)),
            Tag::Link { dest_url, .. } => {
                self.link = Some(dest_url.into_string());
                self.styles.push(style(Role::Key));
            }
            Tag::Table(alignments) => self.table = Some((alignments, vec![])),
            Tag::TableHead | Tag::TableRow => {
                if let Some((_, rows)) = &mut self.table {
                    rows.push(vec![]);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.flush(),
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::CodeBlock => self.code_block(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::Item => {
                self.flush();
                self.marker = None;
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::Link => self.end_link(),
            TagEnd::TableCell => {
                let cell = Cell::new(std::mem::take(&mut self.spans));
                if let Some((_, rows)) = &mut self.table
                    && let Some(row) = rows.last_mut()
                {
                    row.push(cell);
                }
            }
            TagEnd::Table => self.end_table(),
            _ => {}
        }
    }

    fn item(&mut self) {
        self.flush();
        let marker = match self.lists.last_mut() {
            Some(List { number: Some(number) }) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "• ".to_owned(),
        };
        self.marker = Some(marker);
    }

    fn heading(&mut self, level: HeadingLevel) {
        self.flush();
        self.styles.pop();
        if level <= HeadingLevel::H2 {
            self.lines.push(Line::styled("─".repeat(self.width), style(Role::Dim)));
        }
    }

    /// Shows the URL after a link, unless it is the link's text.
    fn end_link(&mut self) {
        self.styles.pop();
        if let Some(target) = self.link.take()
            && target.starts_with("http")
            && self.spans.last().is_none_or(|span| span.content != target)
        {
            self.spans.push(Span::styled(format!(" ({target})"), style(Role::Dim)));
        }
    }

    fn code_block(&mut self) {
        let Some((language, text)) = self.code.take() else { return };
        self.gap();
        let indent = "  ".repeat(self.lists.len());
        if language.is_empty() || language == "text" {
            for line in text.lines() {
                self.lines.push(clip(&[Span::raw(format!("{indent}  {line}"))], self.width));
            }
            return;
        }
        let gutter = [Span::styled(format!("{indent}│ "), style(Role::Dim))];
        self.lines.extend(code(&text, self.width, self.highlighted, &gutter));
    }

    fn end_table(&mut self) {
        let Some((alignments, mut rows)) = self.table.take() else { return };
        self.gap();
        let head = if rows.is_empty() { vec![] } else { rows.remove(0) };
        let right: Vec<bool> =
            alignments.iter().map(|alignment| *alignment == Alignment::Right).collect();
        self.lines.extend(table::lay_out(&head, &rows, &right, self.width));
    }

    fn text(&mut self, text: &str) {
        let style = self.style();
        self.spans.push(Span::styled(text.to_owned(), style));
    }

    fn style(&self) -> Style {
        self.styles.iter().fold(Style::new(), |sum, style| sum.patch(*style))
    }

    /// An empty line, unless the last line is one.
    fn gap(&mut self) {
        self.flush();
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    /// Writes the spans so far as one paragraph.
    fn flush(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        let spans = std::mem::take(&mut self.spans);
        let quote = Span::styled("▎ ".repeat(self.quotes), style(Role::Dim));
        let depth = self.lists.len();
        let outer = "  ".repeat(depth.saturating_sub(1));
        let marker = self.marker.take();
        let hang = self.hang(marker.as_deref());
        let first = match marker {
            Some(marker) => format!("{outer}{marker}"),
            None => hang.clone(),
        };
        let prefix = |text: String| [quote.clone(), Span::styled(text, style(Role::Dim))];
        self.lines.extend(wrap(&spans, self.width, &prefix(first), &prefix(hang)));
    }

    /// The indent of a list item's later lines.
    fn hang(&self, marker: Option<&str>) -> String {
        let outer = 2 * self.lists.len().saturating_sub(1);
        let own = match (marker, self.lists.last()) {
            (Some(marker), _) => marker.chars().count(),
            (None, Some(List { number: Some(number) })) => {
                number.saturating_sub(1).to_string().len() + 2
            }
            (None, Some(_)) => 2,
            (None, None) => 0,
        };
        " ".repeat(outer + own)
    }

    fn done(mut self) -> Vec<Line<'static>> {
        self.flush();
        while self.lines.last().is_some_and(|line| line.width() == 0) {
            self.lines.pop();
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(markdown: &str, width: usize) -> Vec<String> {
        lay_out(markdown, width, &HighlightedCode::default())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn paragraphs_lists_and_quotes_keep_their_shape() {
        let lines = text(
            "# Top\n\nOne two\nthree.\n\n- first item\n- second\n  - inner\n\n> a quote\n",
            12,
        );
        assert_eq!(
            lines,
            [
                "Top",
                "────────────",
                "",
                "One two",
                "three.",
                "",
                "• first item",
                "• second",
                "  • inner",
                "",
                "▎ a quote"
            ]
        );
    }

    #[test]
    fn numbered_items_have_a_hanging_indent() {
        assert_eq!(text("1. one two\n2. three", 8), ["1. one", "   two", "2. three"]);
    }

    #[test]
    fn code_is_not_reflowed_and_links_show_their_url() {
        assert_eq!(text("```rust\nlet  a = 1;\n```", 20), ["│ let  a = 1;"]);
        assert_eq!(text("[site](https://a.b)", 40), ["site (https://a.b)"]);
        assert_eq!(text("[part](#motivation)", 40), ["part"]);
    }

    #[test]
    fn highlighted_code_keeps_its_text() {
        let mut highlighted = HighlightedCode::default();
        let line = vec![(TokenKind::Keyword, "let".to_owned()), (TokenKind::Plain, " a".into())];
        highlighted.insert("let a\n".into(), vec![line]);
        let lines = lay_out("```rust\nlet a\n```", 20, &highlighted);
        assert_eq!(lines[0].to_string(), "│ let a");
        assert_eq!(lines[0].spans[1].style, theme::token(TokenKind::Keyword));
    }

    proptest! {
        #[test]
        fn anything_fits_the_width(markdown in "[-a-z #>*`|_\\[\\]()0-9.\n漢]{0,200}", width in 1usize..60) {
            for line in lay_out(&markdown, width, &HighlightedCode::default()) {
                prop_assert!(line.width() <= width, "{line:?}");
            }
        }
    }
}
