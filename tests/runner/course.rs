//! The real course through the runner: every reference passes on the references before it, and every starter compiles
//! and waits for its own cells.

use super::*;
use tinytorch_tutor::curriculum::{Course, cells};

fn check(runner: &Runner, module: ModuleId, text: &str) -> Vec<RunEvent> {
    let found = events(runner, &request(module, RunKind::Check, text));
    assert_eq!(diagnostics(&found), Vec::<&Diagnostic>::new());
    assert_eq!(notices(&found), Vec::<&Notice>::new());
    found
}

#[test]
fn every_reference_passes_and_every_starter_waits() {
    let runner = Runner::new(cache(), Course::tinytorch()).unwrap();
    for module in Course::tinytorch().modules() {
        let reference = module.reference();
        let solved = check(&runner, module.id, reference);
        let expected = cells::tests(reference).len();
        assert!(expected > 0, "{} has no test", module.slug());
        assert_eq!(results(&solved).len(), expected);
        for result in results(&solved) {
            assert_eq!(result.verdict, Verdict::Passed, "{} {}", module.slug(), result.name);
        }
        let unsolved: Vec<_> =
            cells::parse(reference).into_iter().filter_map(|cell| cell.grade_id).collect();
        for result in results(&check(&runner, module.id, &cells::starter(reference))) {
            let Verdict::NotStarted { waits_for } = &result.verdict else {
                panic!("{} {}: {:?}", module.slug(), result.name, result.verdict)
            };
            assert!(unsolved.contains(waits_for), "{} {waits_for}", module.slug());
        }
    }
}
