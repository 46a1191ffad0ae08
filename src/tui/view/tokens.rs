//! A text cut into tokens: neighbours in different colours, with a bar between them, so that the cuts
//! show without colour too. Must not know which tokenizer cut it.

use super::text::fold;
use crate::report::human;
use crate::tui::theme::{Role, series, style};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tinytorch::report::Tokens;

/// So many colours in turn: enough that neighbours differ.
const COLORS: usize = 3;

/// The text under its title.
#[must_use]
pub fn lines(tokens: &Tokens, width: usize) -> Vec<Line<'static>> {
    let mut spans = vec![];
    for (number, piece) in human::pieces(tokens).into_iter().enumerate() {
        if number > 0 {
            spans.push(Span::styled("|", style(Role::Dim)));
        }
        spans.push(Span::styled(piece, Style::new().fg(series(number % COLORS))));
    }
    let title = Line::from(Span::styled(tokens.title.clone(), style(Role::Strong)));
    [title].into_iter().chain(fold(&spans, width, &[], &[])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_in_colour_and_have_a_bar_between_them() {
        let pieces = ["Hi", " Al", "\n"].map(String::from).to_vec();
        let lines = lines(&Tokens { title: "cut".into(), pieces }, 40);
        assert_eq!(lines[0].to_string(), "cut");
        assert_eq!(lines[1].to_string(), "Hi| Al|\\n");
        let colours: Vec<_> = lines[1].spans.iter().map(|span| span.style.fg).collect();
        assert_ne!(colours.first(), colours.last());
    }

    #[test]
    fn a_long_text_is_folded_and_loses_nothing() {
        let pieces: Vec<String> = (0..30).map(|number| format!(" word{number}")).collect();
        let lines = lines(&Tokens { title: "t".into(), pieces: pieces.clone() }, 20);
        assert!(lines.iter().all(|line| line.width() <= 20));
        let text: String = lines[1..].iter().map(ToString::to_string).collect();
        assert_eq!(text, pieces.join("|"));
    }
}
