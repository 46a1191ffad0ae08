//! Why a test failed: its message with the values compared, and the assertion that failed.
//! Must not know which test it was.

use super::text::{fold, wrap};
use crate::error::printable;
use crate::runner::event::Place;
use crate::tui::model::ModuleState;
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// The most lines shown of an assertion.
const ASSERTION: usize = 8;

/// The panic's message. The two values that a given test compared are labelled as yours and expected.
#[must_use]
pub fn message(
    module_state: &ModuleState,
    message: &str,
    at: Option<&Place>,
    width: usize,
) -> Vec<Line<'static>> {
    let given = at.is_some_and(|at| module_state.is_given_test(at));
    let Some(compared) = Compared::read(message).filter(|_| given) else {
        return message.lines().flat_map(|line| indented(line, Role::Bad, width)).collect();
    };
    let mut lines = wrap(
        &[Span::styled(compared.reason.to_owned(), style(Role::Bad))],
        width,
        &[Span::raw("  ")],
        &[Span::raw("  ")],
    );
    for (label, value, role) in
        [("     yours  ", compared.left, Role::Bad), ("  expected  ", compared.right, Role::Good)]
    {
        let label = Span::styled(label, style(Role::Dim));
        let blank = Span::raw(" ".repeat(label.width()));
        for (row, line) in value.lines().enumerate() {
            let first = if row == 0 { &label } else { &blank };
            let value = Span::styled(line.to_owned(), style(role));
            lines.extend(fold(
                &[value],
                width,
                std::slice::from_ref(first),
                std::slice::from_ref(&blank),
            ));
        }
    }
    lines
}

/// The complete assertion at a place of the exercise.
#[must_use]
pub fn source(module_state: &ModuleState, at: &Place, width: usize) -> Vec<Line<'static>> {
    let Some(number) = module_state.line_at(at) else {
        return indented(
            &format!("in {}, line {}", printable(&at.file), at.line),
            Role::Dim,
            width,
        );
    };
    if module_state.is_restored(at) {
        let text = format!("! line {number}: this test was changed; its original was used");
        return indented(&text, Role::Wait, width);
    }
    let label = format!("  line {number} │ ");
    let blank = format!("{:>1$}", "│ ", label.chars().count());
    let [label, blank] = [label, blank].map(|text| [Span::styled(text, style(Role::Dim))]);
    let statement = statement(module_state, number);
    let indent =
        statement.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let mut lines = vec![];
    for (row, line) in statement.iter().enumerate() {
        let first = if row == 0 { &label } else { &blank };
        lines.extend(fold(&[Span::raw(line[indent..].to_owned())], width, first, &blank));
    }
    lines
}

/// The lines from `first` on until every bracket is closed.
fn statement(module_state: &ModuleState, first: usize) -> Vec<&str> {
    let mut open = 0i32;
    let mut lines = vec![];
    for line in (first..first + ASSERTION).map_while(|number| module_state.line(number)) {
        lines.push(line);
        open += line.chars().fold(0, |open, letter| match letter {
            '(' | '[' | '{' => open + 1,
            ')' | ']' | '}' => open - 1,
            _ => open,
        });
        if open <= 0 {
            break;
        }
    }
    lines
}

/// A line of a message. Prose breaks between words; a line with columns keeps its spaces and breaks anywhere.
fn indented(line: &str, role: Role, width: usize) -> Vec<Line<'static>> {
    let line = line.trim_end();
    let text = line.trim_start();
    let indent = [Span::raw(" ".repeat(2 + line.chars().count() - text.chars().count()))];
    let styled = [Span::styled(text.to_owned(), style(role))];
    let broken = if text.contains("  ") { fold } else { wrap };
    broken(&styled, width, &indent, &indent)
}

/// The message of `assert_eq!` in its parts.
#[derive(Debug, PartialEq, Eq)]
struct Compared<'a> {
    reason: &'a str,
    left: &'a str,
    right: &'a str,
}

impl<'a> Compared<'a> {
    fn read(message: &'a str) -> Option<Self> {
        let rest = message.strip_prefix("assertion `left == right` failed")?;
        let (reason, values) = rest.split_once("\n  left: ")?;
        let (left, right) = values.split_once("\n right: ")?;
        let reason = reason.strip_prefix(": ").unwrap_or("the values differ");
        Some(Self { reason, left, right })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;
    use crate::curriculum::cells::{self, CellKind};
    use crate::runner::event::Notice;
    use crate::tui::fixture::{Session, TENSOR};
    use crate::tui::message::Message;

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    fn at(line: usize) -> Place {
        Place { file: "exercises/01_tensor.rs".into(), line, column: 5 }
    }

    const MESSAGE: &str = "assertion `left == right` failed: the sum\n  left: [3]\n right: [4]";

    #[test]
    fn a_given_test_compares_yours_with_expected() {
        let session = Session::opened((90, 30));
        let module_state = &session.model.module_states[&TENSOR];
        let shown = text(&message(module_state, MESSAGE, Some(&at(22)), 40));
        assert_eq!(shown, ["  the sum", "     yours  [3]", "  expected  [4]"]);
    }

    #[test]
    fn elsewhere_left_and_right_keep_their_names() {
        let session = Session::opened((90, 30));
        let module_state = &session.model.module_states[&TENSOR];
        for at in [Some(at(14)), None] {
            let shown = text(&message(module_state, MESSAGE, at.as_ref(), 60));
            assert_eq!(shown[1..], ["    left: [3]", "   right: [4]"]);
        }
    }

    #[test]
    fn prose_of_a_message_breaks_between_words_and_columns_keep_their_spaces() {
        let session = Session::opened((90, 30));
        let module_state = &session.model.module_states[&TENSOR];
        let said =
            "for 2 x 2: a value\n  yours:  [12345, 67890]\n  idea: rows by columns, added up";
        let shown = text(&message(module_state, said, None, 22));
        assert_eq!(
            shown,
            [
                "  for 2 x 2: a value",
                "    yours:  [12345, 67",
                "    890]",
                "    idea: rows by",
                "    columns, added up"
            ]
        );
    }

    #[test]
    fn an_assertion_is_shown_with_all_its_lines() {
        let mut session = Session::opened((90, 30));
        let long = format!(
            "    assert_eq!(\n        add({}),\n        3,\n    );\n    after();\n",
            "1.0, ".repeat(9)
        );
        let read = Message::Read { module: TENSOR, text: Ok(long), cells: vec![], edited: false };
        session.send(read);
        let module_state = &session.model.module_states[&TENSOR];
        let shown = text(&source(module_state, &at(1), 40));
        assert_eq!(
            shown,
            [
                "  line 1 │ assert_eq!(",
                "         │     add(1.0, 1.0, 1.0, 1.0, 1",
                "         │ .0, 1.0, 1.0, 1.0, 1.0, ),",
                "         │     3,",
                "         │ );"
            ]
        );
    }

    #[test]
    fn a_place_in_another_file_shows_no_line_of_this_one() {
        let mut session = Session::opened((90, 30));
        let module_state = session.model.module_states.get_mut(&TENSOR).unwrap();
        // The line of this file with that number is one of a test that was changed.
        let changed = Notice::LockedCellChanged { grade_id: "a".into(), line: Some(17) };
        module_state.report.notices.push(changed);
        let elsewhere = Place { file: "exercises/00_setup.rs".into(), line: 22, column: 5 };
        let shown = text(&source(module_state, &elsewhere, 60));
        assert_eq!(shown, ["  in exercises/00_setup.rs, line 22"]);
        let shown = text(&message(module_state, MESSAGE, Some(&elsewhere), 60));
        assert_eq!(shown[1..], ["    left: [3]", "   right: [4]"]);
    }

    /// Otherwise it would be wrong to label the left value as the learner's.
    #[test]
    fn given_tests_have_the_value_of_the_learners_code_at_the_left() {
        let is_literal = |first: &str| {
            let first =
                first.strip_prefix("vec!").unwrap_or(first).trim_start_matches(['[', '-', '&']);
            first.starts_with(|letter: char| letter == '"' || letter.is_ascii_digit())
                || ["expected", "wanted"].iter().any(|word| first.starts_with(word))
        };
        let course = Course::tinytorch();
        for module in course.modules() {
            for cell in
                cells::parse(module.reference()).iter().filter(|cell| cell.kind == CellKind::Test)
            {
                for (_, arguments) in cell
                    .text
                    .match_indices("assert_eq!(")
                    .map(|(at, found)| cell.text.split_at(at + found.len()))
                {
                    let first = arguments.trim_start();
                    assert!(!is_literal(first), "{}: assert_eq!({}", module.slug(), &first[..40]);
                }
            }
        }
    }
}
