//! The text that is compiled for a submission: the course's own file, with the solution cells and the own code of the student
//! in their places. So nothing that the student wrote elsewhere counts, and a cell that does not compile can be left
//! out. Pure.

use crate::curriculum::cells::{self, Cell, CellKind};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeMap;

/// The name under which the student's own code is left out.
pub(super) const OWN: &str = "own code";

/// Why cells are left out, by their ids.
pub(super) type LeftOut = BTreeMap<String, String>;

/// The text, and where its lines come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assembled {
    pub(super) text: String,
    lines: Vec<Option<Origin>>,
}

/// A line of the student's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The id of its cell, or [`OWN`].
    pub(super) cell: String,
    /// Its line in the submitted file.
    pub(super) line: usize,
}

impl Assembled {
    /// Where a line, counted from 1, comes from; none for one of the course's.
    pub(super) fn origin(&self, line: usize) -> Option<&Origin> {
        self.lines.get(line.checked_sub(1)?)?.as_ref()
    }

    fn push(&mut self, text: &str, from: Option<(&str, usize)>) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push_str(text);
        let origin =
            |index| from.map(|(cell, first)| Origin { cell: cell.into(), line: first + index });
        self.lines.extend((0..text.lines().count()).map(origin));
    }
}

/// The student's cells that can be left out before anything is compiled: those that are missing, and those that reach beyond
/// their own end.
pub(super) fn unusable(submitted: &str, reference: &str) -> LeftOut {
    let students = cells::parse(submitted);
    let mut left_out = LeftOut::new();
    for id in solutions(reference).filter_map(|cell| cell.grade_id) {
        let problem = match find(&students, &id) {
            Some(cell) => incomplete(cell.text),
            None => Some("the cell is not in the file".to_owned()),
        };
        left_out.extend(problem.map(|problem| (id, problem)));
    }
    if let Some(problem) = own(&students).find_map(|cell| incomplete(cell.text)) {
        left_out.insert(OWN.into(), problem);
    }
    left_out
}

/// The cells that students solve.
pub(super) fn solutions(reference: &str) -> impl Iterator<Item = Cell<'_>> {
    cells::parse(reference).into_iter().filter(|cell| cell.kind == CellKind::Solution)
}

fn find<'a, 'b>(students: &'a [Cell<'b>], id: &str) -> Option<&'a Cell<'b>> {
    let is_it =
        |cell: &&Cell<'_>| cell.kind == CellKind::Solution && cell.grade_id.as_deref() == Some(id);
    students.iter().find(is_it)
}

fn own<'a, 'b>(students: &'a [Cell<'b>]) -> impl Iterator<Item = &'a Cell<'b>> {
    students.iter().filter(|cell| cell.kind == CellKind::Own)
}

/// Why a cell could change the meaning of what follows it: a comment, a string or a bracket is open at its end, or an
/// attribute waits for an item.
fn incomplete(cell: &str) -> Option<String> {
    let Ok(tokens) = cell.parse::<TokenStream>() else {
        return Some("a bracket, a string or a comment in the cell has no end".into());
    };
    match tokens.into_iter().last() {
        None => None,
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => None,
        Some(TokenTree::Punct(punct)) if punct.as_char() == ';' => None,
        Some(_) => Some("the cell does not end with a complete item".into()),
    }
}

/// Compiles only while the names of the language's types mean these types in the student's crate.
const GUARD: &str = "const _: fn(&(bool, char, f32, f64, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize)) = \
|_: &(::core::primitive::bool, ::core::primitive::char, ::core::primitive::f32, ::core::primitive::f64, \
::core::primitive::i8, ::core::primitive::i16, ::core::primitive::i32, ::core::primitive::i64, ::core::primitive::isize, \
::core::primitive::u8, ::core::primitive::u16, ::core::primitive::u32, ::core::primitive::u64, ::core::primitive::usize)| ();\n";

/// The reference with the student's code in the place of its own. What is left out is the starter's.
pub(super) fn assemble(submitted: &str, reference: &str, left_out: &LeftOut) -> Assembled {
    let (students, starter) = (cells::parse(submitted), cells::starter(reference));
    let mut made = Assembled { text: String::new(), lines: vec![] };
    for cell in cells::parse(&starter).iter().filter(|cell| cell.kind != CellKind::Own) {
        let id = cell.grade_id.as_deref().unwrap_or_default();
        let is_used = cell.kind == CellKind::Solution && !left_out.contains_key(id);
        match find(&students, id).filter(|_| is_used) {
            Some(own) => made.push(own.text, Some((id, own.first_line))),
            None => made.push(cell.text, None),
        }
    }
    if !left_out.contains_key(OWN) {
        own(&students).for_each(|cell| made.push(cell.text, Some((OWN, cell.first_line))));
    }
    made.push(GUARD, None);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "// %% nbgrader={\"grade\": false, \"grade_id\": \"head\", \"locked\": true, \"schema_version\": 3, \"solution\": false, \"task\": false}\nuse x;\n";
    const SOLUTION: &str = "// %% nbgrader={\"grade\": false, \"grade_id\": \"double\", \"locked\": false, \"schema_version\": 3, \"solution\": true, \"task\": false}\nfn double() {\n    // BEGIN SOLUTION\n    2\n    // END SOLUTION\n}\n";

    fn reference() -> String {
        format!("{HEADER}{SOLUTION}")
    }

    #[test]
    fn only_the_students_solutions_and_own_code_are_used() {
        let submitted = reference().replace("use x;", "use y;").replace("    2\n", "    3\n")
            + "// %%\nfn mine() {}\n";
        let made = assemble(&submitted, &reference(), &LeftOut::new());
        assert!(made.text.contains("use x;") && !made.text.contains("use y;"), "{}", made.text);
        assert!(
            made.text.contains("    3\n") && made.text.contains("fn mine() {}"),
            "{}",
            made.text
        );
        let line = 1 + made.text.lines().position(|line| line == "    3").unwrap();
        assert_eq!(made.origin(line), Some(&Origin { cell: "double".into(), line: 6 }));
        assert_eq!(made.origin(2), None);

        let left_out =
            LeftOut::from([("double".into(), String::new()), (OWN.into(), String::new())]);
        let made = assemble(&submitted, &reference(), &left_out);
        assert!(
            made.text.contains("todo!(\"double\")") && !made.text.contains("mine"),
            "{}",
            made.text
        );
    }

    #[test]
    fn a_cell_that_reaches_beyond_its_end_is_left_out() {
        let with =
            |more: &str| unusable(&(reference() + more), &reference()).contains_key("double");
        assert!(!with("") && !with("macro_rules! m { () => {}; }\nuse z;\n// note\n"));
        for open in
            ["/*\n", "fn f() {\n", "const S: &str = r#\"\n", "}\n", "#[cfg(any())]\n", "pub\n"]
        {
            assert!(with(open), "{open:?}");
        }
        assert!(unusable(HEADER, &reference())["double"].contains("not in the file"));
    }
}
