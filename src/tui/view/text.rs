//! Styled text broken into lines, none wider than a given width. Must not know what the text means.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// One grapheme with its style.
#[derive(Debug, Clone)]
struct Glyph {
    text: String,
    style: Style,
    width: usize,
}

/// Breaks running text between words; a word longer than a line breaks anywhere. Runs of white space
/// count as one space. The first line begins with `first`, the others with `rest`.
#[must_use]
pub fn wrap(
    spans: &[Span<'_>],
    width: usize,
    first: &[Span<'static>],
    rest: &[Span<'static>],
) -> Vec<Line<'static>> {
    let mut lines = Lines::new(width, first, rest);
    let mut word: Vec<Glyph> = vec![];
    let mut space: Option<Style> = None;
    for glyph in glyphs(spans) {
        if glyph.text.trim().is_empty() && glyph.text != "\u{a0}" {
            lines.word(&mut word, &mut space);
            space = Some(glyph.style);
        } else {
            word.push(glyph);
        }
    }
    lines.word(&mut word, &mut space);
    lines.done()
}

/// Breaks preformatted text anywhere and keeps its spaces.
#[must_use]
pub fn fold(
    spans: &[Span<'_>],
    width: usize,
    first: &[Span<'static>],
    rest: &[Span<'static>],
) -> Vec<Line<'static>> {
    let mut lines = Lines::new(width, first, rest);
    for glyph in glyphs(spans) {
        lines.glyph(glyph);
    }
    lines.done()
}

/// Truncates preformatted text at the width, with a `…`.
#[must_use]
pub fn clip(spans: &[Span<'_>], width: usize) -> Line<'static> {
    let whole: usize = spans.iter().map(|span| span.content.width()).sum();
    let mut line = Lines::new(width, &[], &[]);
    let limit = if whole > width { width.saturating_sub(1) } else { width };
    let mut used = 0;
    for glyph in glyphs(spans) {
        used += glyph.width;
        if used > limit {
            break;
        }
        line.glyph(glyph);
    }
    let mut line = line.done().swap_remove(0);
    if whole > width && width > 0 {
        line.spans.push(Span::raw("…"));
    }
    line
}

/// The spans without their first columns.
#[must_use]
pub fn skip(spans: &[Span<'static>], mut columns: usize) -> Vec<Span<'static>> {
    let mut kept = vec![];
    for span in spans {
        let mut text = String::new();
        for letter in span.content.replace('\t', "    ").chars() {
            let width = letter.to_string().width();
            if columns >= width && columns > 0 {
                columns -= width;
            } else {
                text.push(letter);
            }
        }
        kept.push(Span::styled(text, span.style));
    }
    kept
}

/// `left`, then spaces, then `right` at the right edge. `left` is truncated if both do not fit.
#[must_use]
pub fn both_ends(
    left: Vec<Span<'static>>,
    right: Vec<Span<'static>>,
    width: usize,
) -> Line<'static> {
    let right = clip(&right, width);
    let room = width.saturating_sub(right.width() + usize::from(right.width() > 0));
    let mut line = clip(&left, room);
    let gap = width.saturating_sub(line.width() + right.width());
    line.spans.push(Span::raw(" ".repeat(gap)));
    line.spans.extend(right.spans);
    line
}

/// The graphemes of a text; control characters are left out, tabs become spaces.
fn glyphs<'a>(spans: &'a [Span<'_>]) -> impl Iterator<Item = Glyph> + 'a {
    spans.iter().flat_map(|span| {
        let text = span.content.replace('\t', "    ");
        Span::styled(text, span.style)
            .styled_graphemes(Style::new())
            .map(|grapheme| Glyph {
                text: grapheme.symbol.to_owned(),
                style: grapheme.style,
                width: grapheme.symbol.width(),
            })
            .collect::<Vec<_>>()
    })
}

/// Lines as they fill up.
struct Lines<'a> {
    width: usize,
    rest: &'a [Span<'static>],
    done: Vec<Line<'static>>,
    line: Line<'static>,
    used: usize,
    empty: bool,
}

impl<'a> Lines<'a> {
    fn new(width: usize, first: &[Span<'static>], rest: &'a [Span<'static>]) -> Self {
        let line = prefix(first, width);
        let used = line.width();
        Self { width: width.max(1), rest, done: vec![], line, used, empty: true }
    }

    fn word(&mut self, word: &mut Vec<Glyph>, space: &mut Option<Style>) {
        if word.is_empty() {
            return;
        }
        let needed: usize = word.iter().map(|glyph| glyph.width).sum();
        if let Some(style) = space.take()
            && !self.empty
        {
            if self.used + 1 + needed <= self.width {
                self.push(" ", style, 1);
            } else {
                self.next();
            }
        }
        word.drain(..).for_each(|glyph| self.glyph(glyph));
    }

    fn glyph(&mut self, glyph: Glyph) {
        if glyph.width > self.width {
            return;
        }
        if self.used + glyph.width > self.width {
            self.next();
        }
        self.push(&glyph.text, glyph.style, glyph.width);
        self.empty = false;
    }

    fn push(&mut self, text: &str, style: Style, width: usize) {
        self.used += width;
        match self.line.spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(text),
            _ => self.line.spans.push(Span::styled(text.to_owned(), style)),
        }
    }

    fn next(&mut self) {
        let line = prefix(self.rest, self.width);
        // A prefix that leaves no room for text is dropped: text comes first.
        let line = if line.width() + 2 > self.width { Line::default() } else { line };
        self.used = line.width();
        self.empty = true;
        self.done.push(std::mem::replace(&mut self.line, line));
    }

    fn done(mut self) -> Vec<Line<'static>> {
        self.done.push(self.line);
        self.done
    }
}

fn prefix(spans: &[Span<'static>], width: usize) -> Line<'static> {
    let line = Line::from(spans.to_vec());
    if line.width() > width { Line::default() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_wrap_and_continuation_lines_are_indented() {
        let lines = wrap(&["one two three".into()], 9, &["- ".into()], &["  ".into()]);
        assert_eq!(text(&lines), ["- one two", "  three"]);
    }

    #[test]
    fn a_long_word_breaks_and_loses_nothing() {
        let lines = wrap(&["abcdefgh".into()], 3, &[], &[]);
        assert_eq!(text(&lines), ["abc", "def", "gh"]);
    }

    #[test]
    fn clipped_text_ends_in_an_ellipsis() {
        assert_eq!(clip(&["abcdef".into()], 4).to_string(), "abc…");
        assert_eq!(clip(&["abcd".into()], 4).to_string(), "abcd");
        assert_eq!(clip(&["a".into()], 0).to_string(), "");
    }

    #[test]
    fn a_line_with_both_ends_fills_the_width() {
        let line = both_ends(vec!["left".into()], vec!["right".into()], 12);
        assert_eq!(line.to_string(), "left   right");
        assert_eq!(both_ends(vec!["left".into()], vec!["right".into()], 7).to_string(), "… right");
    }

    #[test]
    fn escape_sequences_do_not_survive() {
        let lines = fold(&["a\u{1b}[31mb\tc".into()], 20, &[], &[]);
        assert_eq!(text(&lines), ["a[31mb    c"]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_width(words in "[a-z 漢é🔬\u{300}]{0,80}", width in 0usize..40) {
            let prefix = [Span::raw("> ")];
            for line in wrap(&[words.clone().into()], width, &prefix, &prefix)
                .iter()
                .chain(&fold(&[words.clone().into()], width, &prefix, &prefix))
                .chain([&clip(&[words.into()], width)])
            {
                prop_assert!(line.width() <= width.max(1), "{line:?}");
            }
        }

        #[test]
        fn wrapping_keeps_every_word(words in "[a-z]{1,12}( [a-z]{1,12}){0,20}", width in 1usize..40) {
            let lines = wrap(&[words.clone().into()], width, &[], &[]);
            let kept: String = text(&lines).concat().replace(' ', "");
            prop_assert_eq!(kept, words.replace(' ', ""));
        }
    }
}
