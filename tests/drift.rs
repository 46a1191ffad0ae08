//! The exercises are the engine's modules without the solutions. Whoever changes a module must generate its exercise
//! again. A solved exercise in this clone is not drift.

use std::path::{Path, PathBuf};
use tinytorch_tutor::curriculum::cells::{self, Cell, CellKind};
use tinytorch_tutor::curriculum::{Course, Module};

const REMEDY: &str = "run `cargo run -- author generate`";

fn exercise(module: &Module) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("exercises");
    folder.join(module.slug()).with_extension("rs")
}

/// What is wrong with an exercise, if anything.
fn drift(starter: &str, exercise: &str) -> Option<String> {
    let (wanted, found) = (cells::parse(starter), cells::parse(exercise));
    let given = |cells: &[Cell]| -> Vec<Option<String>> {
        let given = cells.iter().filter(|cell| cell.kind != CellKind::Own);
        given.map(|cell| cell.grade_id.clone()).collect()
    };
    if given(&wanted) != given(&found) {
        return Some("it has other cells, or another order".to_owned());
    }
    let found = found.iter().filter(|cell| cell.kind != CellKind::Own);
    let differs = wanted.iter().zip(found).find(|(wanted, found)| !agrees(wanted, found));
    differs.map(|(cell, _)| {
        format!("the cell \"{}\" differs", cell.grade_id.as_deref().unwrap_or("head"))
    })
}

/// Equal, but for what a learner wrote in the place of a `todo!`.
fn agrees(wanted: &Cell, found: &Cell) -> bool {
    if wanted.kind != CellKind::Solution {
        return wanted.fingerprint() == found.fingerprint();
    }
    // A formatter may have moved the `todo!` to another line.
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    let todo = format!("todo!({:?})", wanted.grade_id.as_deref().unwrap_or_default());
    let (wanted, found) = (without_spaces(wanted.text), without_spaces(found.text));
    let mut rest = found.as_str();
    wanted.split(&todo).all(|part| {
        let place = rest.find(part);
        rest = place.map_or("", |place| &rest[place + part.len()..]);
        place.is_some()
    })
}

#[test]
fn every_exercise_is_its_module_without_the_solutions() {
    for module in Course::tinytorch().modules() {
        let path = exercise(module);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}: {REMEDY}", path.display()));
        if let Some(reason) = drift(&cells::starter(module.reference()), &text) {
            panic!("{}: {reason}: {REMEDY}", path.display());
        }
    }
}

#[test]
fn every_exercise_is_an_example_of_the_engine() {
    let manifest = include_str!("../src/tinytorch/Cargo.toml");
    for module in Course::tinytorch().modules() {
        let path = format!("path = \"../../exercises/{}.rs\"", module.slug());
        assert!(
            manifest.contains(&path),
            "{} is not in the engine's manifest: {REMEDY}",
            module.slug()
        );
    }
}

#[test]
fn every_exercise_belongs_to_a_module() {
    let wanted: Vec<PathBuf> = Course::tinytorch().modules().iter().map(exercise).collect();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("exercises")).unwrap()
    {
        let path = entry.unwrap().path();
        let is_ours = path.extension().is_none_or(|kind| kind != "rs") || wanted.contains(&path);
        assert!(is_ours, "{} belongs to no module", path.display());
    }
}

#[test]
fn drift_is_detected_and_a_solution_is_not_drift() {
    let module = &Course::tinytorch().modules()[1];
    let starter = cells::starter(module.reference());
    assert_eq!(drift(&starter, &starter), None);
    assert_eq!(drift(&starter, module.reference()), None, "solved");
    let formatted = starter.replacen(
        "= {\n        todo!(\"tensor-zip-with\")\n    };",
        "= { todo!(\"tensor-zip-with\") };",
        1,
    );
    assert_ne!(formatted, starter);
    assert_eq!(drift(&starter, &formatted), None, "formatted");
    let test = starter.replacen("    for (shape, elements)", "    for (form, elements)", 1);
    assert_eq!(drift(&starter, &test).as_deref(), Some("the cell \"test-tensor-new\" differs"));
    let comment = starter.replacen("/// TODO: check the number", "/// TODO: count", 1);
    assert_eq!(drift(&starter, &comment).as_deref(), Some("the cell \"tensor-new\" differs"));
    let head = starter.find("\n// %%").unwrap();
    assert!(drift(&starter, &starter[..head]).unwrap().contains("other cells"));
}
