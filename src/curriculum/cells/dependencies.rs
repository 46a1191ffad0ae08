//! Which solution cells depend on which, so that a failure that follows from an earlier cell can name that cell. Read
//! from the names of functions. A name that two cells define is ignored, so a dependency may be missed, but none is
//! invented.

use super::items::identifiers;
use super::{Cell, CellKind, parse};
use std::collections::{BTreeMap, BTreeSet};

/// For each solution cell the earlier ones that it needs, directly or not, in file order. What its test uses counts.
#[must_use]
pub fn dependencies(reference: &str) -> BTreeMap<String, Vec<String>> {
    let cells = parse(reference);
    let solutions: Vec<(&str, &Cell)> = cells
        .iter()
        .filter(|cell| cell.kind == CellKind::Solution)
        .filter_map(|cell| Some((cell.grade_id.as_deref()?, cell)))
        .collect();
    let defined: Vec<BTreeSet<&str>> =
        solutions.iter().map(|(_, cell)| functions(cell.text)).collect();
    let mut needed: Vec<BTreeSet<usize>> = vec![];
    for (index, (id, cell)) in solutions.iter().enumerate() {
        let test =
            cells.iter().find(|test| test.grade_id.as_deref() == Some(&format!("test-{id}")));
        let texts = [cell.text, test.map_or("", |test| test.text)];
        let used: BTreeSet<&str> =
            texts.into_iter().flat_map(identifiers).map(|(name, _)| name).collect();
        let is_used = |earlier: &usize| {
            let only_here =
                |name: &&&str| defined.iter().filter(|names| names.contains(**name)).count() == 1;
            defined[*earlier].iter().filter(only_here).any(|name| used.contains(name))
        };
        let direct: Vec<usize> = (0..index).filter(is_used).collect();
        let all = direct.iter().flat_map(|earlier| needed[*earlier].clone()).chain(direct.clone());
        needed.push(all.collect());
    }
    let named = |(index, (id, _)): (usize, &(&str, &Cell))| {
        let before = needed[index].iter().map(|earlier| solutions[*earlier].0.to_owned());
        ((*id).to_owned(), before.collect())
    };
    solutions.iter().enumerate().map(named).collect()
}

/// The functions and methods that a cell defines.
fn functions(code: &str) -> BTreeSet<&str> {
    let names = identifiers(code);
    names.windows(2).filter(|pair| pair[0].0 == "fn").map(|pair| pair[1].0).collect()
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
    fn in_the_course_arithmetic_depends_on_the_broadcast_strides() {
        let course = crate::curriculum::Course::tinytorch();
        let tensor = course.named("tensor").unwrap();
        let found = dependencies(tensor.reference());
        assert!(found["tensor-arithmetic"].contains(&"tensor-zip-with".to_owned()), "{found:#?}");
        assert!(found["tensor-matmul"].contains(&"tensor-matmul-2d".to_owned()), "{found:#?}");
    }
}
