//! Open tasks: what is saved, and what is not.

use super::*;
use crate::runner::event::Verdict;
use crate::tui::fixture::{Session, TENSOR};
use crate::tui::message::Message;

const LESSON: &str = "```predict walk\nHow much slower is it?\n---\nunit: x\nvalue: analyze_walk / columns against rows\n```\n\n```predict open\nWhat happens?\n```\n";

fn session() -> Session {
    Session::with((100, 30), LESSON)
}

fn recall(session: &mut Session, predictions: &[&str]) {
    let predictions = predictions.iter().map(|&text| text.to_owned()).collect();
    let written = Written { predictions, results: vec![] };
    session.send(Message::Recalled {
        module: TENSOR,
        hints: BTreeMap::new(),
        answered: vec![],
        written: [("walk".to_owned(), written)].into(),
        measured: vec![],
    });
}

/// What is to be saved.
fn kept(effects: &[Effect]) -> Vec<(&str, Part, &str)> {
    let record = |effect| match effect {
        &Effect::Keep(Record::Written { ref task, part, ref text, .. }) => {
            Some((task.as_str(), part, text.as_str()))
        }
        _ => None,
    };
    effects.iter().filter_map(record).collect()
}

fn written(session: &Session, task: &str) -> Written {
    session.model.module_state().unwrap().written.get(task).cloned().unwrap_or_default()
}

#[test]
fn enter_saves_a_prediction_and_its_letters_are_not_commands() {
    let mut session = session();
    let effects = session.press("<Enter>3x, quietly/<Enter>");
    assert_eq!(kept(&effects), [("walk", Part::Prediction, "3x, quietly/")]);
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert_eq!(written(&session, "walk").predictions, ["3x, quietly/"]);
    assert!(session.screen().contains("you predicted \"3x, quietly/\""), "{}", session.screen());
}

#[test]
fn pasted_text_is_one_line_of_the_prediction_and_ignored_elsewhere() {
    let mut session = session();
    let paste =
        |session: &mut Session| session.send(Message::Pasted("q\n3.5x,\u{1b}[2J\tq\n".into()));
    assert_eq!(paste(&mut session), []);
    assert_eq!(session.press("<Enter>about "), []);
    assert_eq!(paste(&mut session), []);
    let effects = session.press("<Enter>");
    assert_eq!(kept(&effects), [("walk", Part::Prediction, "about q 3.5x, [2J q")]);
}

#[test]
fn escape_leaves_without_saving() {
    let mut session = session();
    assert_eq!(session.press("<Enter>3x<Esc>"), []);
    assert_eq!(session.model.writing, None);
    assert_eq!(written(&session, "walk"), Written::default());
    session.press("l");
    assert!(session.model.overlay.is_some(), "letters are commands again");
}

#[test]
fn a_changed_prediction_starts_from_the_last_one_and_keeps_the_first() {
    let mut session = session();
    session.press("<Enter>5x<Enter>");
    let effects = session.press("<Enter><Backspace><Backspace>3x<Enter>");
    assert_eq!(kept(&effects), [("walk", Part::Prediction, "3x")]);
    assert_eq!(written(&session, "walk").predictions, ["5x", "3x"]);
    assert!(session.screen().contains("you predicted 3x (at first 5x)"), "{}", session.screen());
}

#[test]
fn a_text_that_did_not_change_or_is_empty_is_not_saved() {
    let mut session = session();
    assert_eq!(session.press("<Enter>  <Enter>"), []);
    session.press("<Enter>5x<Enter>");
    assert_eq!(session.press("<Enter><Enter>"), []);
    assert_eq!(session.press("<Enter><Backspace><Backspace><Enter>"), []);
    assert_eq!(written(&session, "walk").predictions, ["5x"]);
}

#[test]
fn where_nothing_is_measured_the_learner_also_types_the_result() {
    let mut session = session();
    session.focus_on("\"open\"");
    session.press("<Enter>30<Enter>");
    let effects = session.press("<Enter>27<Enter>");
    assert_eq!(kept(&effects), [("open", Part::Result, "27")]);
    assert!(session.screen().contains("you predicted 30, your result: 27"), "{}", session.screen());
    let effects = session.press("<Enter>!<Up>!<Enter>");
    assert_eq!(kept(&effects), [("open", Part::Prediction, "30!"), ("open", Part::Result, "27!")]);
}

#[test]
fn a_measured_task_has_no_line_for_the_result() {
    let mut session = session();
    session.press("<Enter>3<Tab><Down>x");
    assert!(session.screen().contains("▸ your prediction"), "{}", session.screen());
    assert!(!session.screen().contains("your result"), "{}", session.screen());
    let effects = session.press("<Enter>");
    assert_eq!(kept(&effects), [("walk", Part::Prediction, "3x")]);
}

#[test]
fn the_measured_value_appears_beside_the_prediction_with_their_ratio() {
    let mut session = session();
    session.press("<Enter>4.4x<Enter>");
    assert!(!session.screen().contains("measured 8.80x"), "{}", session.screen());
    session.measure();
    let sentence = "you predicted 4.4x, measured 8.80x; predicted / measured: 0.5";
    assert!(session.screen().contains(sentence), "{}", session.screen());
    session.send(Message::Saved(TENSOR));
    let screen = session.screen();
    assert!(screen.contains("measured before the last change of your file"), "{screen}");
}

#[test]
fn predictions_from_the_store_do_not_replace_newer_ones() {
    let mut session = session();
    recall(&mut session, &["5x"]);
    session.press("<Enter>!<Enter>");
    recall(&mut session, &["5x"]);
    assert_eq!(written(&session, "walk").predictions, ["5x", "5x!"]);
    recall(&mut session, &["5x", "5x!", "7x"]);
    assert_eq!(written(&session, "walk").predictions, ["5x", "5x!", "7x"]);
}

#[test]
fn the_task_stays_on_screen_while_something_is_typed() {
    let mut session = Session::with((140, 30), LESSON);
    session.check([Verdict::Passed, Verdict::Passed, Verdict::NotStarted { waits_for: "".into() }]);
    session.press("<Enter>3");
    session.wait(60);
    let other = ModuleId(2);
    let effects = session.send(Message::Saved(other));
    assert!(!effects.contains(&Effect::Open(other)), "{effects:?}");
    let list = (0..30).flat_map(|row| session.send(Message::Click { column: 3, row }));
    assert_eq!(list.collect::<Vec<_>>(), []);
    let effects = session.press("x<Enter>");
    assert_eq!(kept(&effects), [("walk", Part::Prediction, "3x")]);
    let list = (0..30).flat_map(|row| session.send(Message::Click { column: 3, row }));
    assert!(list.collect::<Vec<_>>().contains(&Effect::Open(other)), "a click works again");
}

#[test]
fn the_task_stays_in_view_when_the_size_changes_and_when_blocks_above_it_grow() {
    let analysis = "```analysis analyze_walk\nLook.\n```\n";
    let text = format!("{analysis}\n{LESSON}\n{}", "word\n\n".repeat(200));
    let mut session = Session::with((200, 60), &text);
    session.focus_on("\"walk\"");
    session.press("<Enter>3x");
    for size in [(60, 20), (200, 60), (60, 20)] {
        session.send(Message::Resized(size.0, size.1));
        assert!(session.screen().contains("your prediction (in x): 3x"), "{}", session.screen());
    }
    session.measure();
    assert!(session.screen().contains("your prediction (in x): 3x"), "{}", session.screen());
}

#[test]
fn a_key_scrolls_back_to_the_task_after_the_wheel_scrolled_away() {
    let text = format!("{LESSON}{}", "word\n\n".repeat(200));
    let mut session = Session::with((60, 20), &text);
    session.press("<Enter>");
    for _ in 0..20 {
        session.send(Message::Wheel { column: 5, row: 5, down: true });
    }
    assert!(!session.screen().contains("your prediction"), "{}", session.screen());
    session.press("3");
    assert!(session.screen().contains("your prediction (in x): 3"), "{}", session.screen());
}
