//! The glossary over the lesson: a term on each line, and the meaning of the one under the cursor. Also finds the bold
//! phrases in laid-out lines. Must not know which terms are listed.

use super::markdown;
use super::text::both_ends;
use crate::curriculum::Course;
use crate::tui::glossary::Listed;
use crate::tui::highlighted::HighlightedCode;
use crate::tui::theme::{Role, style};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// One line for each entry, and below the chosen one its meaning.
#[must_use]
pub fn lines(
    entries: &[Listed<'_>],
    cursor: usize,
    course: &Course,
    width: usize,
) -> Vec<Line<'static>> {
    let one = |(index, listed): (usize, &Listed<'_>)| {
        let chosen = index == cursor;
        let head = head(listed, chosen, course, width);
        let text = if chosen { meaning(&listed.entry.text, width) } else { vec![] };
        [vec![head], text].concat()
    };
    entries.iter().enumerate().flat_map(one).collect()
}

fn head(listed: &Listed<'_>, chosen: bool, course: &Course, width: usize) -> Line<'static> {
    let role = if listed.in_view { Role::Strong } else { Role::Text };
    let term = Span::styled(format!(" {}", listed.entry.term), style(role));
    let here = if listed.in_view { "in view · " } else { "" };
    let lesson = format!("{here}{} ", course.slug(listed.entry.lesson));
    let line = both_ends(vec![term], vec![Span::styled(lesson, style(Role::Dim))], width);
    if chosen { line.patch_style(style(Role::Selected)) } else { line }
}

fn meaning(text: &str, width: usize) -> Vec<Line<'static>> {
    let indent = "   ";
    let mut lines = markdown::lay_out(text, width.saturating_sub(4), &HighlightedCode::new());
    lines.iter_mut().for_each(|line| line.spans.insert(0, Span::raw(indent)));
    lines
}

/// The bold phrases, each with the line on which it begins. A phrase may continue on the next line.
pub fn bold<'a>(lines: impl Iterator<Item = &'a Line<'static>>) -> Vec<(usize, String)> {
    let mut phrases: Vec<(usize, String)> = vec![];
    let mut open = false;
    for (number, line) in lines.enumerate() {
        let mut new_line = true;
        for span in line.spans.iter().filter(|span| !span.content.trim().is_empty()) {
            let is_bold = span.style.add_modifier.contains(Modifier::BOLD);
            match phrases.last_mut().filter(|_| open && is_bold) {
                Some((_, phrase)) => {
                    phrase.push_str(if new_line { " " } else { "" });
                    phrase.push_str(&span.content);
                }
                None if is_bold => phrases.push((number, span.content.clone().into_owned())),
                None => {}
            }
            (open, new_line) = (is_bold, false);
        }
        open &= !line.spans.is_empty();
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bold_phrase_may_continue_on_the_next_line() {
        let text =
            "Some words and a **computational graph**, a **leaf**.\n\n**tape**\n\n**node**\n\nend";
        for width in [60, 30, 24, 20] {
            let lines = markdown::lay_out(text, width, &HighlightedCode::new());
            let phrases: Vec<String> =
                bold(lines.iter()).into_iter().map(|(_, phrase)| phrase).collect();
            assert_eq!(
                phrases,
                ["computational graph", "leaf", "tape", "node"],
                "{width}: {lines:?}"
            );
        }
    }
}
