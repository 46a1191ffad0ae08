//! Which solution cells call which, so that a failure that follows from an earlier cell can name that cell. Read from
//! the calls of functions: a local variable or a field of the same name is none. A name that two cells define is ignored,
//! so a dependency may be missed, but none is invented.

use super::items::{Word, words};
use super::{Cell, CellKind, parse};
use std::collections::{BTreeMap, BTreeSet};

/// For each solution cell the earlier ones that it calls, directly or not, in file order. What its test calls counts.
#[must_use]
pub fn dependencies(reference: &str) -> BTreeMap<String, Vec<String>> {
    let cells = parse(reference);
    let solutions: Vec<(&str, &Cell)> = cells
        .iter()
        .filter(|cell| cell.kind == CellKind::Solution)
        .filter_map(|cell| Some((cell.grade_id.as_deref()?, cell)))
        .collect();
    let defined: Vec<Vec<Function>> =
        solutions.iter().map(|(_, cell)| functions(cell.text)).collect();
    let is_unique = |function: &&Function| {
        let defines = |cell: &&Vec<Function>| cell.iter().any(|other| other.name == function.name);
        defined.iter().filter(defines).count() == 1
    };
    let mut needed: Vec<BTreeSet<usize>> = vec![];
    for (index, (id, cell)) in solutions.iter().enumerate() {
        let test =
            cells.iter().find(|test| test.grade_id.as_deref() == Some(&format!("test-{id}")));
        let texts = [cell.text, test.map_or("", |test| test.text)].map(words);
        let is_called = |earlier: &usize| {
            let mut functions = defined[*earlier].iter().filter(is_unique);
            functions.any(|function| texts.iter().any(|text| function.is_called(text)))
        };
        let direct: Vec<usize> = (0..index).filter(is_called).collect();
        let all = direct.iter().flat_map(|earlier| needed[*earlier].clone()).chain(direct.clone());
        needed.push(all.collect());
    }
    let named = |(index, (id, _)): (usize, &(&str, &Cell))| {
        let before = needed[index].iter().map(|earlier| solutions[*earlier].0.to_owned());
        ((*id).to_owned(), before.collect())
    };
    solutions.iter().enumerate().map(named).collect()
}

/// A function that a cell defines.
struct Function<'a> {
    name: &'a str,
    /// The type whose `impl` block it is in.
    owner: Option<&'a str>,
    /// Whether it is called on a value, after a dot.
    is_method: bool,
}

/// The functions and methods that a cell defines.
fn functions(code: &str) -> Vec<Function<'_>> {
    let named = |word: Word<'_>| word.before.ends_with("fn ");
    let function = |Word { name, before, after }| {
        let receiver = after.split(['(', ',', ')']).nth(1).unwrap_or_default();
        let is_method = receiver.split(|c: char| !c.is_alphanumeric()).any(|part| part == "self");
        Function { name, owner: owner(before), is_method }
    };
    words(code).into_iter().filter(|word| named(*word)).map(function).collect()
}

/// The type of the `impl` block that is open at the end of this code, in rustfmt's form.
fn owner(code: &str) -> Option<&str> {
    let is_limit = |line: &&str| line.starts_with("impl") || line.starts_with('}');
    let head = code.lines().rev().find(is_limit)?.strip_prefix("impl")?;
    let of = head.rsplit_once(" for ").map_or(head, |(_, of)| of);
    let of = if of.starts_with('<') { of.split_once("> ")?.1 } else { of };
    Some(words(of).first()?.name)
}

impl Function<'_> {
    /// Whether code calls it: on a value, by a path, or by its name where no variable has that name.
    fn is_called(&self, code: &[Word<'_>]) -> bool {
        let is_variable = |word: &Word<'_>| {
            word.name == self.name && ["let ", "let mut "].iter().any(|l| word.before.ends_with(l))
        };
        let hidden = code.iter().any(is_variable);
        let calls = |Word { before, after, .. }: &Word<'_>| {
            let is_call = after.starts_with('(') || after.starts_with("::<");
            match before.strip_suffix("::") {
                Some(path) => self.owner.is_none_or(|of| path.ends_with(of) || is_self(path, of)),
                None if before.ends_with('.') => self.is_method && is_call,
                None => self.owner.is_none() && !hidden && is_call,
            }
        };
        code.iter().filter(|word| word.name == self.name).any(calls)
    }
}

/// Whether a path begins with `Self` inside of a type's `impl` block.
fn is_self(path: &str, of: &str) -> bool {
    path.ends_with("Self") && owner(path) == Some(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(id: &str, code: &str, test: &str) -> String {
        format!(
            "// %% nbgrader={{\"grade\": false, \"grade_id\": \"{id}\", \"locked\": false, \"schema_version\": 3, \"solution\": true, \"task\": false}}\n{code}\n\
             // %% nbgrader={{\"grade\": true, \"grade_id\": \"test-{id}\", \"locked\": true, \"points\": 5, \"schema_version\": 3, \"solution\": false, \"task\": false}}\n{test}\n"
        )
    }

    #[test]
    fn a_cell_needs_what_it_and_its_test_call_directly_or_not() {
        let reference = [
            cell("a", "pub fn alpha() {}\npub fn forward() {}", ""),
            cell("b", "impl T { pub fn beta(&self) { alpha(); } pub fn forward() {} }", ""),
            cell("c", "pub fn gamma(t: T) { t.beta() }", ""),
            cell("d", "pub fn delta() { /* calls nothing */ }", "fn test() { gamma() }"),
            cell("e", "pub fn epsilon() { \"alpha\"; } // gamma()", "fn test() { forward() }"),
        ]
        .concat();
        let found = dependencies(&reference);
        assert_eq!(found["b"], ["a"]);
        assert_eq!(found["c"], ["a", "b"], "through beta");
        assert_eq!(found["d"], ["a", "b", "c"], "its test calls gamma");
        assert_eq!((&found["a"][..], &found["e"][..]), (&[][..], &[][..]), "two define forward");
    }

    #[test]
    fn a_variable_or_a_field_of_the_same_name_is_no_call() {
        let reference = [
            cell("a", "impl Tape {\n    pub fn gradients(&self) -> f32 { 1.0 }\n}", ""),
            cell("b", "pub fn half(x: f32) -> f32 { x / 2.0 }", ""),
            cell("c", "impl List {\n    pub fn new() -> Self { List }\n}", ""),
            cell(
                "d",
                "fn d() { let mut gradients = vec![0.0]; gradients[0] = step.gradients; }",
                "",
            ),
            cell("e", "fn e() { let half = |x: f32| x; half(1.0); Vec::new(); }", ""),
            cell("f", "fn f(tape: &Tape) { tape.gradients(); half(1.0); }", ""),
            cell("g", "impl List {\n    fn empty() -> Self { Self::new() }\n}", ""),
            cell("h", "impl Other {\n    fn empty() -> Self { Self::new() }\n}", ""),
        ]
        .concat();
        let found = dependencies(&reference);
        for (id, wanted) in
            [("d", &[][..]), ("e", &[]), ("f", &["a", "b"]), ("g", &["c"]), ("h", &[])]
        {
            assert_eq!(found[id], wanted, "{id}");
        }
    }

    #[test]
    fn in_the_course_arithmetic_depends_on_the_broadcast_strides() {
        let course = crate::curriculum::Course::tinytorch();
        let tensor = course.named("tensor").unwrap();
        let found = dependencies(tensor.reference());
        assert!(found["tensor-arithmetic"].contains(&"tensor-zip-with".to_owned()), "{found:#?}");
        assert!(found["tensor-matmul"].contains(&"tensor-matmul-2d".to_owned()), "{found:#?}");
        // Both have a variable `gradients`; the tape of the first cells has a method of that name.
        let found = dependencies(course.named("autograd").unwrap().reference());
        for cell in ["autograd-backpropagate", "autograd-track", "autograd-debug"] {
            assert!(!found[cell].contains(&"autograd-walk".to_owned()), "{cell}: {found:#?}");
        }
    }
}
