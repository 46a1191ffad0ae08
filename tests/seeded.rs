//! The functions that draw inputs from a seed, alone: the tests of a module are emptied, so only what is compared in the
//! grader can tell a wrong solution from a right one. Where the kernel lacks a part of the sandbox, the tests say so and pass.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict, in its helpers too")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tinytorch_tutor::classroom::result::{CellResult, Outcome};
use tinytorch_tutor::classroom::submission::{SCHEMA, Submission};
use tinytorch_tutor::curriculum::{Course, Module, cells, mutants};
use tinytorch_tutor::grading::Grader;
use tinytorch_tutor::runner::{Cancel, Limits, Runner};
use tinytorch_tutor::sandbox::Sandbox;

/// A module of the course whose tests are empty, with a grader for it.
struct Emptied {
    slug: String,
    reference: String,
    grader: Grader,
}

impl Emptied {
    fn of(slug: &str, sandbox: &Sandbox) -> Self {
        let course = Course::tinytorch();
        let chosen = course.by_slug(slug).unwrap();
        let reference = without_tests(chosen.reference());
        let modules = course.modules().iter().map(|module| {
            let text = if module.id == chosen.id { &*reference } else { module.reference() };
            Module::new(module.id, &module.name, module.lesson().to_owned(), text.to_owned())
        });
        let emptied = Box::leak(Box::new(Course::new(modules.collect(), &[], "")));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        let runner = Runner::new(cache, emptied).unwrap();
        let compile = Duration::from_secs(120);
        let grader = Grader::new(runner, emptied, sandbox.clone())
            .with_limits(Limits { compile, ..Limits::default() });
        grader
            .prepare(&emptied.modules()[usize::from(chosen.id.0)], &Cancel::default(), &mut |_| ())
            .unwrap();
        Self { slug: slug.to_owned(), reference, grader }
    }

    fn graded(&self, text: &str) -> Vec<CellResult> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("submitted.rs");
        std::fs::write(&file, text).unwrap();
        let submission = Submission {
            schema: SCHEMA,
            student: "ada".to_owned().try_into().unwrap(),
            module: self.slug.clone(),
            submitted: 1,
            late: false,
            fingerprint: blake3::hash(text.as_bytes()).to_hex().to_string(),
            source: "test".into(),
            earlier: vec![],
        };
        self.grader.grade(&submission, &file, &Cancel::default()).unwrap().unwrap().cells
    }

    /// The cells in which the reference itself does not pass.
    fn wrong(&self) -> Vec<String> {
        let cells = self.graded(&self.reference).into_iter();
        let wrong = cells.filter(|cell| cell.outcome != Outcome::Passed);
        wrong
            .map(|cell| format!("{} {}: {}", self.slug, cell.grade_id, cell.message.as_str()))
            .collect()
    }
}

/// The text with the bodies of its graded tests removed.
fn without_tests(reference: &str) -> String {
    let is_test = |cell: &cells::Cell<'_>| cell.kind == cells::CellKind::Test;
    let parsed = cells::parse(reference);
    let emptied = parsed.iter().map(|cell| match cell.tests().first() {
        Some(test) if is_test(cell) => {
            let marker = cell.text.lines().next().unwrap();
            format!("{marker}\n#[test]\nfn {test}() {{}}\n\n")
        }
        _ => cell.text.to_owned(),
    });
    emptied.collect()
}

fn sandbox() -> Option<Sandbox> {
    let sandbox = Sandbox::probe(Path::new(env!("CARGO_BIN_EXE_tinytorch-tutor"))).unwrap();
    sandbox.lacks().iter().for_each(|part| eprintln!("skipped: this machine lacks {part}"));
    sandbox.lacks().is_empty().then_some(sandbox)
}

/// Two modules, one of them with a chain below it.
#[test]
fn the_reference_passes_and_wrong_solutions_of_a_covered_cell_do_not() {
    let Some(sandbox) = sandbox() else { return };
    let setup = Emptied::of("00_setup", &sandbox);
    assert_eq!(setup.wrong(), [""; 0]);
    let wrong = setup.reference.replace("/ 2.0\n", "/ 3.0\n");
    assert_ne!(wrong, setup.reference);
    let failed = setup.graded(&wrong).into_iter().filter(|cell| cell.outcome == Outcome::Failed);
    let failed: Vec<String> = failed.map(|cell| cell.grade_id).collect();
    assert_eq!(failed, ["test-setup-median"]);
    assert_eq!(Emptied::of("02_activations", &sandbox).wrong(), [""; 0]);
}

/// The modules in `SEEDED_MODULES`, by default all.
fn chosen() -> Vec<String> {
    let all = || Course::tinytorch().modules().iter().map(Module::slug).collect();
    std::env::var("SEEDED_MODULES")
        .map_or_else(|_| all(), |words| words.split(' ').map(str::to_owned).collect())
}

#[test]
#[ignore = "compiles every module: `cargo test --test seeded references -- --ignored`"]
fn all_references_pass() {
    let Some(sandbox) = sandbox() else { return };
    let wrong: Vec<String> =
        chosen().iter().flat_map(|slug| Emptied::of(slug, &sandbox).wrong()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Not a verdict but a measurement: not every wrong solution of a cell is a wrong value. The figure in SECURITY.md is the last
/// line.
#[test]
#[ignore = "compiles every mutant: `cargo test --test seeded mutants -- --ignored --nocapture`"]
fn mutants_of_covered_cells() {
    let Some(sandbox) = sandbox() else { return };
    let (mut caught, mut tried) = (0, 0);
    for slug in chosen() {
        let module = Emptied::of(&slug, &sandbox);
        let name = slug.split_once('_').unwrap().1;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: String| std::fs::read_to_string(root.join(path)).unwrap();
        let seeded = read(format!("src/grading/seeded/{name}.rs"));
        let all = mutants::parse(&read(format!("src/tinytorch/mutants/{slug}.toml"))).unwrap();
        let is_covered = |mutant: &&mutants::Mutant| {
            mutant
                .test(&module.reference)
                .is_some_and(|test| seeded.contains(&format!("\nfn {test}(")))
        };
        let covered: Vec<_> = all.mutants.iter().filter(is_covered).collect();
        let (next, missed) = (AtomicUsize::new(0), Mutex::new(vec![]));
        let work = || {
            while let Some(mutant) = covered.get(next.fetch_add(1, Ordering::Relaxed)) {
                let cells = module.graded(&mutant.apply(&module.reference).unwrap());
                let id = format!("test-{}", mutant.cell);
                let cell = cells.iter().find(|cell| cell.grade_id == id).unwrap();
                if cell.outcome == Outcome::Passed {
                    let mut missed = missed.lock().unwrap_or_else(PoisonError::into_inner);
                    missed.push(format!("{}: {}", mutant.cell, mutant.mistake));
                }
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
        let missed = missed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let count = covered.len() - missed.len();
        eprintln!("{slug}: {count} of {} caught; missed: {missed:#?}", covered.len());
        (caught, tried) = (caught + count, tried + covered.len());
    }
    eprintln!("{caught} of the {tried} mutants of covered cells caught by drawn inputs alone");
}
