//! The keys and frames of a figure on screen.

use super::*;
use crate::curriculum::ModuleId;
use crate::runner::event::Unfinished;
use crate::tui::fixture::{Session, TENSOR};
use crate::tui::message::Message;
use tinytorch::explore::Settings;
use tinytorch::report::{Insight, Item};

const LESSON: &str = "```explorable explore_rate\n```\n";

/// The figure is open, and its first frame has arrived.
fn opened() -> Session {
    let mut session = Session::with((100, 30), LESSON);
    let effects = session.press("<Enter>");
    assert_eq!(asked(&effects), Some((1, Settings::new())));
    session.send(frame(1, controls()));
    session
}

fn controls() -> Vec<Control> {
    let name = |name: &str| name.to_owned();
    vec![
        Control::Number { name: name("rate"), value: 0.1, low: 0.0, high: 1.0, step: 0.1 },
        Control::Text { name: name("word"), value: name("hi") },
        Control::Play { name: name("step"), value: 0, frames: 3, per_second: 4 },
    ]
}

fn frame(number: u64, controls: Vec<Control>) -> Message {
    let items = vec![Item::Insight(Insight { text: format!("frame of opening {number}") })];
    let frame = Frame { controls, items, verdict: Verdict::Passed, unfinished: None };
    Message::Frame(number, Box::new(Ok(frame)))
}

/// The number and the settings of the last frame that was requested.
fn asked(effects: &[Effect]) -> Option<(u64, Settings)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Explore(explore) => Some((explore.number, explore.settings.clone())),
        _ => None,
    })
}

/// The setting of a control in the last frame that was requested.
fn set(effects: &[Effect], name: &str) -> String {
    asked(effects).expect("a frame").1[name].clone()
}

fn figure(session: &Session) -> &Explorable {
    &session.model.module_state().unwrap().explorables["explore_rate"]
}

#[test]
fn a_figure_shows_its_title_and_opens_on_enter() {
    let mut session = Session::with((100, 30), LESSON);
    let screen = session.screen();
    assert!(screen.contains("Learning rate") && screen.contains("Find a good one."), "{screen}");
    session.press("<Enter>");
    assert!(session.screen().contains("compiling 01_tensor"), "{}", session.screen());
    session.send(frame(1, controls()));
    let screen = session.screen();
    assert!(
        screen.contains("frame of opening 1") && !screen.contains("compiling 01_tensor"),
        "{screen}"
    );
}

#[test]
fn the_arrows_change_the_chosen_control_and_each_change_requests_a_frame() {
    let mut session = opened();
    assert_eq!(set(&session.press("<Right>"), "rate"), "0.2");
    let effects = session.press("<Right>");
    assert_eq!((set(&effects, "rate"), set(&effects, "word")), ("0.3".into(), "hi".into()));
    assert!(session.screen().contains("0.3"), "before the frame arrives: {}", session.screen());
    assert_eq!(set(&session.press("<Left>"), "rate"), "0.2");
    assert_eq!(asked(&session.press("<Down><Down>")), None, "choosing changes nothing");
    assert_eq!(set(&session.press("<Right>"), "step"), "1");
    assert_eq!(
        set(&session.press("<Tab><Right>"), "rate"),
        "0.3",
        "after the last comes the first"
    );
    assert_eq!(set(&session.press("<Up><Left>"), "step"), "0");
}

#[test]
fn keys_that_are_pressed_while_a_figure_opens_act_on_its_first_frame() {
    let mut session = Session::with((100, 30), LESSON);
    session.press("<Enter>");
    for keys in ["<Right><Right><Left><Right>", "<Down><Down>", "<Right><Up>"] {
        assert_eq!(session.press(keys), [], "nothing is compiled again");
    }
    assert!(session.screen().contains("then → → ← → ↓ ↓ → ↑"), "{}", session.screen());
    let effects = session.send(frame(1, controls()));
    assert_eq!((set(&effects, "rate"), set(&effects, "step")), ("0.3".into(), "1".into()));
    assert_eq!(figure(&session).chosen, 1);
    assert_eq!(session.send(frame(1, controls())), [], "they act once");

    let mut session = Session::with((100, 30), LESSON);
    session.press("<Enter> ");
    assert_eq!(set(&session.send(frame(1, controls())), "step"), "1", "it plays");
}

#[test]
fn keys_for_a_figure_that_did_not_open_are_dropped() {
    let mut session = Session::with((100, 30), LESSON);
    session.press("<Enter><Right>");
    session.send(Message::Frame(1, Box::new(Err(Error::environment("no compiler")))));
    session.send(Message::Saved(TENSOR));
    assert_eq!(session.send(frame(2, controls())), []);
    assert_eq!(figure(&session).controls[0].setting(), "0.1");

    let mut session = Session::with((100, 30), LESSON);
    session.press("<Enter><Right><Esc><Enter>");
    assert_eq!(session.send(frame(2, controls())), [], "closed, and opened again");
}

#[test]
fn a_frame_that_is_older_than_a_change_does_not_undo_it() {
    let mut session = opened();
    session.press("<Right>");
    session.send(frame(1, controls()));
    assert_eq!(figure(&session).controls[0].setting(), "0.2");
}

#[test]
fn letters_are_typed_into_a_text_control_only_after_enter() {
    let mut session = opened();
    session.press("<Down>");
    assert_eq!(asked(&session.press("j")), None, "Enter starts typing");
    let effects = session.press("<Enter>q e");
    assert_eq!(set(&effects, "word"), "hiq e");
    assert_eq!(set(&session.press("<Backspace>"), "word"), "hiq ");
    session.press("<Enter>");
    assert!(session.press("q").contains(&Effect::Quit));
    session.press("<Enter><Esc>");
    assert!(session.model.figure.is_some(), "the first Esc leaves the text");
}

#[test]
fn a_figure_plays_to_its_end_at_its_own_pace_and_starts_over() {
    let mut session = opened();
    assert_eq!(set(&session.press(" "), "step"), "0");
    for step in ["1", "2"] {
        let effects = session.send(frame(1, controls()));
        assert_eq!(set(&effects, "step"), step);
        let [Effect::Explore(explore)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(explore.pace, Duration::from_millis(250));
    }
    assert_eq!(session.send(frame(1, controls())), [], "the end");
    assert!(!figure(&session).playing);
    assert_eq!(set(&session.press(" "), "step"), "0", "from the beginning");
    session.press(" ");
    assert_eq!(session.send(frame(1, controls())), [], "paused");
}

#[test]
fn a_change_while_a_figure_plays_keeps_it_playing() {
    let mut session = opened();
    session.press(" ");
    assert_eq!(set(&session.press("<Right>"), "rate"), "0.2");
    let effects = session.send(frame(1, controls()));
    assert_eq!((set(&effects, "rate"), set(&effects, "step")), ("0.2".into(), "1".into()));
}

#[test]
fn a_save_recompiles_the_figure_and_drops_earlier_frames() {
    let mut session = opened();
    session.press("<Right>");
    let effects = session.send(Message::Saved(TENSOR));
    assert_eq!(asked(&effects).map(|(number, _)| number), Some(2));
    assert_eq!(set(&effects, "rate"), "0.2", "the controls stay");
    session.send(frame(1, controls()));
    assert!(figure(&session).compiling);
    session.send(frame(2, controls()));
    let screen = session.screen();
    assert!(screen.contains("frame of opening 2"), "{screen}");
    assert_eq!(asked(&session.press("m")).map(|(number, _)| number), Some(3), "another engine too");
}

#[test]
fn escape_closes_a_figure_and_keeps_its_settings() {
    let mut session = opened();
    session.press("<Right>");
    assert_eq!(session.press("<Esc>"), [Effect::CloseExplorable]);
    assert_eq!(session.send(frame(1, controls())), []);
    assert!(!session.screen().contains("frame of opening"), "{}", session.screen());
    assert_eq!(set(&session.press("<Enter>"), "rate"), "0.2");
    assert!(!session.send(Message::Saved(TENSOR)).is_empty());
}

#[test]
fn another_lesson_closes_the_figure() {
    let mut session = opened();
    let effects = session.load(ModuleId(2), "# Activations\n", None);
    assert!(effects.contains(&Effect::CloseExplorable), "{effects:?}");
    assert_eq!(session.model.figure, None);
}

#[test]
fn a_zoomed_figure_has_the_screen_and_the_keys() {
    let mut session = opened();
    session.press("z");
    assert!(session.screen().contains("frame of opening 1"), "{}", session.screen());
    assert_eq!(set(&session.press("<Right>"), "rate"), "0.2");
    assert_eq!(set(&session.press(" "), "step"), "0");
    session.press("<Esc>");
    assert!(session.model.figure.is_some(), "the first Esc ends the zoom");
}

#[test]
fn a_frame_that_failed_says_why_and_keeps_every_control() {
    let mut session = opened();
    session.press(" ");
    let verdict = Verdict::Failed { message: "not seven".into(), at: None };
    let controls = controls().into_iter().take(1).collect();
    let unfinished = Some(Unfinished::Todo { waits_for: "tensor-add".into() });
    let frame = Frame { controls, items: vec![], verdict, unfinished };
    assert_eq!(session.send(Message::Frame(1, Box::new(Ok(frame)))), [], "it stops playing");
    let screen = session.screen();
    assert!(screen.contains("not seven") && screen.contains("word"), "{screen}");
    assert!(screen.contains("reference: your 01_tensor is not finished: tensor-add"), "{screen}");
    assert!(asked(&session.press("<Right>")).is_some());
}

#[test]
fn keys_keep_their_usual_meaning_while_no_figure_is_open() {
    let mut session = Session::with((100, 30), "# Title\n\nText.\n");
    assert_eq!(session.press("<Right>"), []);
    assert!(session.screen().contains("no interactive figure in view"), "{}", session.screen());
}
