//! The learner's engine on screen: completed modules, modules that fail, results of milestones.

use crate::curriculum::ModuleId;
use crate::framework::{Completion, Engine, Owner, Step};
use crate::report::{Ran, RanModule};
use crate::runner::event::Verdict;
use crate::tui::fixture::{Session, TENSOR, failed, waits};
use crate::tui::message::{Completing, Effect, Message, Remembered};
use crate::tui::model::{Cause, ModuleStatus};
use std::time::Duration;

const PASSED: Verdict = Verdict::Passed;
const LAYERS: ModuleId = ModuleId(3);
const PERCEPTRON: &str = "1957_perceptron";

fn green() -> Session {
    let mut session = Session::opened((100, 30));
    session.check([PASSED, PASSED, PASSED]);
    session.measure();
    session
}

fn owner(session: &mut Session, owner: Owner, edited: bool) {
    let status = ModuleStatus { owner, edited, ..ModuleStatus::default() };
    session.send(Message::Statuses([(TENSOR, status)].into()));
}

fn line_of<'a>(screen: &'a str, words: &str) -> &'a str {
    screen.lines().find(|line| line.contains(words)).unwrap_or_default()
}

#[test]
fn a_completed_module_whose_file_fails_is_marked_in_status_lesson_and_list() {
    let mut session = green();
    owner(&mut session, Owner::Learner, false);
    assert!(session.screen().contains("in your engine"), "{}", session.screen());
    owner(&mut session, Owner::Learner, true);
    assert!(session.screen().contains("edited since; c completes it again"));
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.check([PASSED, failed(), PASSED]);
    session.press("g");
    let screen = session.screen();
    assert!(
        screen.contains("2 of 3 tests pass: test_unit_add failed  completed, but fails now"),
        "{screen}"
    );
    assert!(screen.contains("later modules run on the completed"), "{screen}");
    session.press("l");
    let screen = session.screen();
    let line = line_of(&screen, "01 Tensor");
    let line = if line.contains("fails") { line } else { line_of(&screen, "fails 2/3") };
    assert!(line.contains("✗") && line.contains("fails"), "{screen}");
}

#[test]
fn a_completed_module_that_fails_on_a_changed_engine_counts_as_failing() {
    let mut session = green();
    owner(&mut session, Owner::Learner, false);
    session.wait(10);
    session.press("r");
    session.check([failed(), PASSED, PASSED]);
    assert!(session.model.status().is_some_and(ModuleStatus::fails_now));
}

#[test]
fn the_engine_in_use_is_shown_at_every_size() {
    for size in [(60, 20), (80, 24), (120, 40)] {
        let mut session = Session::opened(size);
        session.check([waits(), waits(), waits()]);
        owner(&mut session, Owner::Learner, false);
        let all = session.model.course.modules().len();
        let mine = match size.0 {
            120 => format!("engine: mine (1 of {all} yours)"),
            _ => format!("engine mine 1/{all}"),
        };
        assert!(session.screen().contains(&mine), "{}", session.screen());
        session.press("m");
        let screen = session.screen();
        let line = screen.lines().rev().nth(1).unwrap();
        assert!(line.contains("engine reference") && !line.contains("mine"), "{line}");
    }
}

#[test]
fn an_engine_choice_that_is_read_late_starts_a_check_on_it() {
    let mut session = green();
    assert_eq!(session.send(Message::Chosen(Engine::Mine)), []);
    let effects = session.send(Message::Chosen(Engine::Reference));
    assert!(matches!(effects[..], [Effect::Run { engine: Engine::Reference, .. }]), "{effects:?}");
}

#[test]
fn a_late_status_from_the_store_does_not_undo_a_check() {
    let mut session = green();
    owner(&mut session, Owner::Reference, false);
    let status = session.model.status().unwrap();
    assert_eq!((status.passed, status.tests), (3, 3));
}

#[test]
fn the_results_show_each_rebuilt_module_and_how_it_ended() {
    let mut session = green();
    session.press("ct");
    session.send(Message::Completing(TENSOR, Completing::Begun));
    let took = Duration::from_millis(410);
    let step = |step| Message::Completing(TENSOR, Completing::Step(step));
    session.send(step(Step::Rebuilt { module: LAYERS, took }));
    session.send(step(Step::Proving { module: ModuleId(4) }));
    let screen = session.screen();
    assert!(screen.contains("✓ 03_layers rebuilt in 410 ms"), "{screen}");
    assert!(screen.contains("completing 01_tensor: checking 04_losses"), "{screen}");
    session.send(Message::Completing(TENSOR, Completing::Ended(Completion::Yes)));
    session.wait(60);
    let screen = session.screen();
    assert!(screen.contains("✓ 03_layers rebuilt in 410 ms"), "{screen}");
    assert!(screen.contains("✓ 01_tensor is part of your engine: 1 module rebuilt"), "{screen}");
}

fn remembered(engine: Engine, seconds: f64, old: bool) -> Remembered {
    let ran_module =
        |number| RanModule { module: ModuleId(number), mine: engine == Engine::Mine, reason: None };
    let modules = (0..=6).map(ran_module).collect();
    let ran = Ran { met: true, seconds: Some(seconds), modules, items: vec![] };
    Remembered { milestone: PERCEPTRON, engine, ran, fingerprint: "now".into(), old }
}

#[test]
fn milestones_of_an_earlier_session_are_shown_side_by_side_and_become_old() {
    let mut session = Session::with((100, 30), "```milestone 1957_perceptron\n```\n");
    let both = |old| {
        let mine = remembered(Engine::Mine, 2.0, old);
        Message::Milestones(vec![mine, remembered(Engine::Reference, 1.0, false)])
    };
    session.send(both(false));
    let screen = session.screen();
    let head = line_of(&screen, "1957 The perceptron");
    assert!(head.contains("✓ achieved") && !head.contains("old"), "{screen}");
    let time = line_of(&screen, "time");
    assert!(time.contains("2 s") && time.contains("1 s"), "{screen}");
    session.send(both(true));
    let screen = session.screen();
    assert!(line_of(&screen, "1957 The perceptron").contains("old"), "{screen}");
}

#[test]
fn a_milestone_is_opened_from_the_list() {
    let mut session = Session::with((100, 30), "```milestone 1957_perceptron\n```\n");
    session.press("lG");
    assert!(session.screen().contains("MILESTONES"), "{}", session.screen());
    assert_eq!(session.press("<Enter>"), [Effect::Open(ModuleId(4))]);
    assert_eq!(session.model.goal, Some("1986_mlp"));
}

#[test]
fn a_training_milestone_is_named_in_the_status_line() {
    let mut session = Session::with((100, 30), "```milestone 1957_perceptron\n```\n");
    session.check([waits(), waits(), waits()]);
    session.focus_on(PERCEPTRON);
    session.press("<Enter>");
    assert_eq!(session.model.run.as_ref().unwrap().cause, Cause::Asked);
    let item = tinytorch::report::Item::Insight(tinytorch::report::Insight { text: "x".into() });
    let analysis = "milestone".to_owned();
    session.event(crate::runner::event::RunEvent::Reported { analysis, item });
    let screen = session.screen();
    assert!(screen.contains("training 1957_perceptron on your engine"), "{screen}");
}
