//! Free-text answers in an exercise: comments that begin with `// ANSWER NAME`, in a cell that is the student's. Pure. Must not
//! know rubrics' points.
//!
//! ```text
//! // ANSWER row-or-column
//! // Rows lie one after the other, so ...
//! ```

use super::rubric::OWN;
use crate::curriculum::cells::{self, Cell, CellKind};
use crate::error::harmless;

/// In bytes: what an answer is cut to.
pub const LONGEST: usize = 16 * 1024;

/// The answer of that name, without comment signs; several are joined. Empty where there is none. `own` means what was added
/// to the own cell of the starter.
#[must_use]
pub fn answer(text: &str, starter: &str, name: &str) -> String {
    let students = cells::parse(text);
    let found = match name {
        OWN => own(&students, starter),
        name => students
            .iter()
            .filter(|cell| is_students(cell))
            .flat_map(|cell| of(cell, name))
            .collect(),
    };
    cut(harmless(found.join("\n\n").trim()))
}

fn is_students(cell: &Cell<'_>) -> bool {
    matches!(cell.kind, CellKind::Own | CellKind::Solution)
}

/// The student's own cells without their markers and without the lines that the starter has.
fn own(students: &[Cell<'_>], starter: &str) -> Vec<String> {
    let given: Vec<Cell<'_>> = cells::parse(starter);
    let given: Vec<&str> = given.iter().flat_map(|cell| cell.text.lines()).map(str::trim).collect();
    let is_added = |line: &&str| line.trim().is_empty() || !given.contains(&line.trim());
    let own = students.iter().filter(|cell| cell.kind == CellKind::Own);
    own.map(|cell| cell.text.lines().skip(1).filter(is_added).collect::<Vec<_>>().join("\n"))
        .filter(|text| !text.trim().is_empty())
        .collect()
}

/// The answers of that name in a cell.
fn of(cell: &Cell<'_>, name: &str) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let mut is_open = false;
    for line in cell.text.lines() {
        let comment = line.trim_start().strip_prefix("//").map(|line| line.trim_end());
        match comment {
            None => is_open = false,
            Some(comment) => match heading(comment) {
                Some((id, rest)) => {
                    is_open = id == name;
                    if is_open {
                        found.push(rest.to_owned());
                    }
                }
                None if is_open => {
                    let text = comment.strip_prefix(' ').unwrap_or(comment);
                    found.last_mut().into_iter().for_each(|found| {
                        found.push('\n');
                        found.push_str(text);
                    });
                }
                None => {}
            },
        }
    }
    found.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

/// The name behind `ANSWER`, and what follows it on the line.
fn heading(comment: &str) -> Option<(&str, &str)> {
    let rest = comment.trim_start().strip_prefix("ANSWER ")?.trim_start();
    let (name, text) = rest.split_once([' ', ':']).unwrap_or((rest, ""));
    Some((name, text.trim_start_matches([' ', ':'])))
}

fn cut(mut text: String) -> String {
    const CUT: &str = "\n[cut]";
    if text.len() > LONGEST {
        let ends = (0..=LONGEST - CUT.len()).rev();
        text.truncate(ends.into_iter().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;

    /// The tensor exercise with lines at its end, in the own cell.
    fn exercise(more: &str) -> (String, String) {
        let starter = cells::starter(Course::tinytorch().named("01").unwrap().reference());
        (format!("{starter}{more}"), starter)
    }

    fn read(more: &str, name: &str) -> String {
        let (text, starter) = exercise(more);
        answer(&text, &starter, name)
    }

    #[test]
    fn an_answer_is_the_comment_below_its_name() {
        let text = "\n// ANSWER precision\n// One.\n//\n//   Two: 1 < 2.\nfn f() {}\n// no answer\n// ANSWER other: three\n";
        assert_eq!(read(text, "precision"), "One.\n\n  Two: 1 < 2.");
        assert_eq!(read(text, "other"), "three");
        assert_eq!(read(text, "prec"), "");
        assert_eq!(
            read("// ANSWER a\n// ANSWER b\n// two\n", "a"),
            "",
            "an empty one is no answer"
        );
        assert_eq!(
            read("// ANSWER a one\nfn f() {}\n// %%\n// ANSWER a\n// two\n", "a"),
            "one\n\ntwo"
        );
    }

    #[test]
    fn what_is_not_the_students_is_no_answer() {
        let (text, starter) = exercise("");
        let line = text.find("// Yours:").unwrap();
        let locked = text.rfind("/// Runs every analysis").unwrap();
        let given = format!("{}// ANSWER a\n// mine\n{}", &text[..locked], &text[locked..]);
        assert_eq!(answer(&given, &starter, "a"), "");
        let own = format!("{}// ANSWER a\n// mine\n{}", &text[..line], &text[line..]);
        assert!(answer(&own, &starter, "a").starts_with("mine"));
    }

    #[test]
    fn own_is_what_was_added_to_the_starters_own_cell() {
        assert_eq!(read("", OWN), "");
        assert_eq!(read("\n/// Twice.\npub fn twice() {}\n", OWN), "/// Twice.\npub fn twice() {}");
    }

    #[test]
    fn an_answer_cannot_control_a_terminal_and_has_an_end() {
        assert_eq!(read("// ANSWER a \x1b[2J\u{202e}\n", "a"), "␛[2J\u{fffd}");
        let long = read(&format!("// ANSWER a {}\n", "é".repeat(LONGEST)), "a");
        assert!(long.len() <= LONGEST && long.ends_with("\n[cut]"));
    }
}
