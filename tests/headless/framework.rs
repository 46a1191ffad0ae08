//! The learner's own engine through the commands: whose code runs, what a mistake in it does, and what is left after a
//! kill.

use super::*;
use std::io::{BufRead, BufReader};
use tinytorch_tutor::curriculum::Course;
use tinytorch_tutor::lab::Lab;

/// A desk whose lab is solved.
fn solved() -> (Desk, Lab) {
    let desk = Desk::empty();
    let made = desk.run(&["init", "lab", "--solved"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    let lab = Lab::find(&desk.lab(), Course::tinytorch()).unwrap();
    (desk, lab)
}

/// For each module that ran whether it was the learner's.
fn mine(lines: &[Value]) -> Vec<bool> {
    lines.iter().filter_map(|line| line["mine"].as_bool()).collect()
}

fn accuracy(lines: &[Value]) -> f64 {
    let metric = lines.iter().find(|line| line["type"] == "metric");
    metric.unwrap_or_else(|| panic!("{lines:#?}"))["value"].as_f64().unwrap()
}

#[test]
fn a_milestone_runs_on_the_learners_code_and_a_sign_error_in_it_shows() {
    let (desk, lab) = solved();
    let run = || desk.at_lab(&["milestone", "run", "1957", "--format", "json"]);
    for module in &Course::tinytorch().modules()[..=6] {
        lab.complete(module, module.reference()).unwrap();
    }
    let right = run();
    assert_eq!(code(&right), 0, "{}", said(&right));
    assert_eq!(mine(&lines(&right)), [true; 7], "{}", said(&right));
    assert!(accuracy(&lines(&right)) >= 95.0);
    assert_eq!(lines(&right).pop().unwrap()["outcome"], "achieved");
    assert_eq!(
        lines(&desk.at_lab(&["milestone", "list", "--format", "json"]))[0]["achieved"],
        true
    );

    // The module's own tests would fail on it, so it is put into the engine directly.
    let autograd = Course::tinytorch().named("autograd").unwrap();
    let wrong = autograd.reference().replacen(
        "Op::Neg => -grad_output,",
        "Op::Neg => grad_output.clone(),",
        1,
    );
    assert_ne!(wrong, autograd.reference(), "the reference has that line");
    lab.complete(autograd, &wrong).unwrap();
    let wrong = run();
    assert_eq!(code(&wrong), 1, "{}", said(&wrong));
    assert_eq!(mine(&lines(&wrong)), [true; 7]);
    assert!(accuracy(&lines(&wrong)) < 95.0, "the measured accuracy is shown: {}", said(&wrong));
    let ended = lines(&wrong).pop().unwrap();
    assert_eq!(ended["achieved"], false, "{ended}");
    let reference = desk.at_lab(&["--engine", "reference", "milestone", "run", "1957"]);
    assert_eq!(code(&reference), 0, "{}", said(&reference));
    assert!(out(&reference).contains("1957_perceptron: preview"), "{}", said(&reference));
}

#[test]
fn without_the_learners_code_a_milestone_is_a_preview_and_not_achieved() {
    let desk = Desk::new();
    let ran = desk.at_lab(&["milestone", "run", "1957"]);
    assert_eq!(code(&ran), 0, "{}", said(&ran));
    let last = out(&ran).lines().last().unwrap().to_owned();
    assert!(last.contains("preview") && last.contains("01_tensor, 02_activations"), "{last}");
    let row = lines(&desk.at_lab(&["milestone", "list", "--format", "json"])).remove(0);
    assert_eq!((&row["achieved"], &row["outcome"]), (&false.into(), &"preview".into()));
}

#[test]
fn a_kill_while_a_module_is_completed_leaves_the_earlier_engine() {
    let (desk, lab) = solved();
    let module = Course::tinytorch().named("dataloader").unwrap();
    let earlier = module.reference();
    lab.complete(module, earlier).unwrap();
    // Each run of this test has a text of its own, which the shared cache does not have.
    let edit = format!("// BEGIN SOLUTION\n// edited in {}\n", desk.lab().display());
    let edited = earlier.replacen("// BEGIN SOLUTION\n", &edit, 1);
    std::fs::write(desk.exercise("08_dataloader"), &edited).unwrap();
    let arguments = ["--lab", desk.lab().to_str().unwrap(), "complete", "08"].map(str::to_owned);
    // After the first module is rebuilt, and while the last module is tested.
    for last_line in [1, 3] {
        let arguments = arguments.each_ref().map(String::as_str);
        let mut child = desk.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..last_line {
            printed.next().unwrap().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(lab.completed().unwrap()[&module.id], earlier, "after line {last_line}");
        let later = desk.at_lab(&["check", "09"]);
        assert_eq!(code(&later), 0, "{}", said(&later));
        let mine: Vec<_> = std::fs::read_dir(lab.mine(module).parent().unwrap()).unwrap().collect();
        assert_eq!(mine.len(), 1, "no draft is left: {mine:?}");
    }
    let completed = desk.at_lab(&["complete", "08"]);
    assert_eq!(code(&completed), 0, "{}", said(&completed));
    assert_eq!(lab.completed().unwrap()[&module.id], edited);
}
