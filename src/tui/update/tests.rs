//! Sessions without a terminal: messages, and the model and effects that follow.

use super::update;
use crate::curriculum::ModuleId;
use crate::curriculum::lesson::Block;
use crate::error::Error;
use crate::framework::{Completion, Step};
use crate::lab::{Class, Terms};
use crate::report::{ModuleReport, Outcome, Ran, RanModule};
use crate::runner::RunMessage;
use crate::runner::event::{RunEvent, RunKind, Verdict};
use crate::tui::fixture::{Session, TENSOR, failed, waits};
use crate::tui::layout::Results;
use crate::tui::message::{Completing, Effect, Message, Record, Remembered};
use crate::tui::model::{
    Cause, CellState, Engine, Exercise, ModuleStatus, Overlay, Owner, ReadingPosition, Stage,
    Totals, Trained,
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;
use tinytorch::report::{Insight, Item};

const PASSED: Verdict = Verdict::Passed;

fn session() -> Session {
    Session::opened((100, 30))
}

/// Presses a key that leaves the lesson; returns the effects after the one that saves the reading position.
fn leave(session: &mut Session, key: &str) -> Vec<Effect> {
    let mut effects = session.press(key);
    assert!(matches!(effects.remove(0), Effect::Keep(Record::Place { .. })), "{effects:?}");
    effects
}

fn run_of(effects: &[Effect]) -> Option<(u64, RunKind)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Run { generation, kind, .. } => Some((*generation, *kind)),
        _ => None,
    })
}

/// Whether all of a cell's block is in view.
fn in_view(session: &Session, cell: &str) -> bool {
    let module_state = session.model.module_state().unwrap();
    let (piece, _) = module_state.exercises().find(|(_, id)| *id == cell).unwrap();
    let measured = &session.model.measured;
    let end = measured.starts.get(piece + 1).copied().unwrap_or(measured.total);
    measured.starts[piece] >= module_state.top && end <= module_state.top + measured.height
}

#[test]
fn a_lesson_that_opens_is_checked_and_stays_at_its_beginning() {
    let mut session = session();
    assert_eq!(session.model.run.as_ref().unwrap().cause, Cause::Opened);
    session.check([waits(), waits(), waits()]);
    assert_eq!(session.model.module_state().unwrap().top, 0);
    assert_eq!(session.model.module_state().unwrap().report.outcome(), Outcome::NotStarted);
}

#[test]
fn a_save_starts_a_new_generation_and_drops_events_of_the_old_one() {
    let mut session = session();
    let old = session.model.generation;
    let effects = session.send(Message::Saved(TENSOR));
    assert_eq!(run_of(&effects), Some((old + 1, RunKind::Check)));
    session.send(Message::Run(old, RunMessage::Event(RunEvent::Finished)));
    assert!(session.model.run.is_some(), "the new run continues");
}

#[test]
fn a_pass_shows_the_cell_that_passed_and_skips_no_text_below_it() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    assert!(!in_view(&session, "tensor-add"));
    session.send(Message::Saved(TENSOR));
    session.check([waits(), PASSED, waits()]);
    assert!(in_view(&session, "tensor-add"));
    let top = top(&session);
    session.press("gG");
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.check([PASSED, PASSED, PASSED]);
    assert!(in_view(&session, "tensor-new"), "the first of two that passed at once");
    assert!(top > 0);
}

#[test]
fn a_save_that_changes_no_verdict_does_not_scroll() {
    for verdicts in [[waits(), waits(), waits()], [failed(), PASSED, waits()]] {
        let mut session = session();
        session.check(verdicts.clone());
        session.press("G");
        session.wait(10);
        let before = top(&session);
        for _ in 0..2 {
            session.send(Message::Saved(TENSOR));
            session.check(verdicts.clone());
            assert_eq!(top(&session), before);
        }
    }
}

#[test]
fn the_same_compiler_error_scrolls_once() {
    let mut session = session();
    session.check([PASSED, waits(), waits()]);
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.fails_to_compile(14);
    assert!(in_view(&session, "tensor-add"));
    session.press("g");
    session.wait(10);
    let before = top(&session);
    session.send(Message::Saved(TENSOR));
    session.fails_to_compile(15);
    assert_eq!(top(&session), before, "it is in the same cell");
    session.send(Message::Saved(TENSOR));
    session.fails_to_compile(5);
    assert!(in_view(&session, "tensor-new"), "now it is in another cell");
}

#[test]
fn control_o_goes_back_through_every_jump() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.press("jjj");
    let reading = top(&session);
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.check([waits(), PASSED, waits()]);
    let verdict = top(&session);
    session.press("/shape<Enter>");
    let found = top(&session);
    session.press("<Esc>G");
    let tops: Vec<usize> = (0..3).map(|_| back(&mut session)).collect();
    assert_eq!(tops, [found, verdict, reading]);
    assert!(reading != verdict && verdict != found);
    assert_eq!(back(&mut session), reading);
    assert!(note(&session).0.contains("no more places"));
}

#[test]
fn l_goes_forward_again_until_another_jump() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.press("/shape<Enter>");
    let found = top(&session);
    session.press("<Esc>G");
    let end = top(&session);
    let forward = |session: &mut Session| {
        session.press("L");
        top(session)
    };
    assert_eq!([back(&mut session), back(&mut session)], [found, 0]);
    assert_eq!([forward(&mut session), forward(&mut session)], [found, end]);
    assert_eq!(forward(&mut session), end);
    assert!(note(&session).0.contains("no more places"));
    assert_eq!([back(&mut session), back(&mut session)], [found, 0]);
    session.press("G");
    assert_eq!(forward(&mut session), end, "the jump to the end starts from here");
    assert_eq!(back(&mut session), 0);
}

/// A terminal sends Alt with a letter as Esc and the letter.
#[test]
fn escape_and_a_key_that_arrive_together_are_two_keys() {
    let mut session = session();
    session.press("/shape<Enter><A-o>");
    assert_eq!(session.model.search.text, "");
    assert!(matches!(session.model.overlay, Some(Overlay::Outline { .. })));
    session.press("<A-x>");
    assert_eq!(session.model.overlay, Some(Overlay::Reset));
    assert_eq!(session.press("<A-y>"), [], "Esc comes before y");
    assert_eq!(session.model.overlay, None);
    assert_eq!(session.press("<A-Left>"), [], "a terminal sends this one as a key of its own");
}

#[test]
fn alt_with_a_key_does_not_drop_a_prediction_that_is_being_typed() {
    let mut session = Session::with((100, 30), "```predict walk\nHow much slower is it?\n```\n");
    session.press("<Enter>3<A-x>");
    assert!(session.screen().contains("your prediction: 3"), "{}", session.screen());
}

#[test]
fn control_o_goes_back_to_another_module() {
    let mut session = session();
    session.press("jjj");
    let reading = top(&session);
    session.press("]");
    session.load(ModuleId(2), "# Other\n", None);
    assert_eq!(session.model.module, ModuleId(2));
    assert_eq!(back(&mut session), reading);
    assert_eq!(session.model.module, TENSOR);
}

fn back(session: &mut Session) -> usize {
    session.press("<C-o>");
    top(session)
}

fn top(session: &Session) -> usize {
    session.model.module_state().unwrap().top
}

#[test]
fn the_reading_position_is_saved_on_leaving_and_restored_on_opening() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.press("jjjjjjj");
    let place =
        ReadingPosition { piece: 1, line: top(&session) - session.model.measured.starts[1] };
    let kept = Effect::Keep(Record::Place { module: TENSOR, place });
    assert_eq!(session.press("q"), [kept.clone(), Effect::Cancel, Effect::Quit]);
    session.model.module_states.clear();
    let place = ReadingPosition { piece: 1, line: 42 };
    session.load(ModuleId(3), &"line\n\n".repeat(100), Some(place));
    assert_eq!(top(&session), session.model.measured.starts[1] + 42);
    session.model.run = None;
    let left = session.press("[");
    assert_eq!(left, [Effect::Open(ModuleId(2))], "still on screen");
    let effects = session.load(ModuleId(2), "# Other\n", None);
    assert_eq!(effects[0], Effect::Keep(Record::Place { module: ModuleId(3), place }));
}

#[test]
fn a_lesson_that_opens_at_its_saved_place_stays_there() {
    let mut session = session();
    session.model.module_states.get_mut(&TENSOR).unwrap().restore =
        Some(ReadingPosition { piece: 1, line: 3 });
    session.check([PASSED, failed(), waits()]);
    assert_eq!(top(&session), session.model.measured.starts[1] + 3);
}

#[test]
fn the_analyses_are_shown_when_they_are_requested() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    let effects = session.press("a");
    assert_eq!(run_of(&effects).unwrap().1, RunKind::Analysis);
    assert!(session.in_focus().contains("analyze_walk"), "{}", session.in_focus());
    assert!(session.screen().contains("analysis analyze_walk"), "{}", session.screen());
    assert_eq!(back(&mut session), 0);
}

#[test]
fn a_note_leaves_the_status_in_view_and_disappears_with_the_next_run() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.send(Message::Note("your file is kept".into()));
    let screen = session.screen();
    assert!(screen.contains("your file is kept") && screen.contains("not started"), "{screen}");
    session.send(Message::Saved(TENSOR));
    assert_eq!(session.model.note, None);
}

#[test]
fn a_completion_is_shown_during_a_search() {
    let mut session = session();
    session.check([PASSED, PASSED, PASSED]);
    session.measure();
    session.press("/shape<Enter>c");
    let screen = session.screen();
    assert!(screen.contains("completing 01_tensor"), "{screen}");
    assert!(screen.contains("match 1 of"), "{screen}");
    session.press("/c");
    assert!(session.screen().lines().last().unwrap().contains("/c"));
}

#[test]
fn the_outline_leads_to_headings_and_exercises() {
    let mut session = session();
    session.check([PASSED, failed(), waits()]);
    session.press("g");
    session.press("o");
    let screen = session.screen();
    for words in ["Adding", "✓ tensor-new  test_unit_new", "✗ tensor-add  test_unit_add"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    session.press("<Down><Down><Enter>");
    assert!(session.in_focus().contains("tensor-new"), "{}", session.in_focus());
    session.press("o<Down><Down><Down><Enter>");
    let at = session.model.module_state().unwrap().top + session.model.measured.height / 4;
    let page = session.screen();
    let row = page.lines().position(|line| line.trim() == "Adding").unwrap();
    assert_eq!(row, 1 + session.model.measured.height / 4, "{at} {page}");
    assert!(back(&mut session) > 0, "the exercise of the jump before");
    assert_eq!(back(&mut session), 0);
    session.press("o<Esc>");
    assert_eq!(session.model.overlay, None);
}

#[test]
fn letters_filter_the_outline() {
    let mut session = session();
    session.check([PASSED, failed(), waits()]);
    session.press("goADD");
    let screen = session.screen();
    assert!(screen.contains("outline: ADD"), "{screen}");
    assert!(screen.contains("✗ tensor-add  test_unit_add"), "{screen}");
    assert!(!screen.contains("✓ tensor-new  test_unit_new"), "{screen}");
    session.press("<Down><Enter>");
    assert!(session.in_focus().contains("tensor-add"), "{}", session.in_focus());
    session.press("ounit_new<Enter>");
    assert!(session.in_focus().contains("tensor-new"), "{}", session.in_focus());
    let before = top(&session);
    session.press("onowhere<Enter>");
    assert_eq!((session.model.overlay.clone(), top(&session)), (None, before));
    session.press("oadx<Backspace>d<Enter>");
    let heading = session.screen();
    assert!(heading.contains("Adding"), "{heading}");
}

#[test]
fn the_points_of_the_course_grow_with_the_tests_that_pass() {
    let mut session = Session::opened((120, 30));
    session.check([PASSED, failed(), waits()]);
    assert!(session.screen().contains("1/3 tests"), "{}", session.screen());
    assert!(session.screen().contains("5/15 points"), "{}", session.screen());
    session.model.totals.insert(ModuleId(3), Totals { tests: 4, points: 25 });
    let status = ModuleStatus { passed: 2, tests: 2, points: 30, ..ModuleStatus::default() };
    session.send(Message::Statuses([(ModuleId(3), status)].into()));
    assert!(session.screen().contains("35/40 points"), "{}", session.screen());
    session.send(Message::Resized(80, 24));
    session.press("l");
    assert!(session.screen().contains("35/40 points"), "{}", session.screen());
}

#[test]
fn a_save_closes_the_welcome_card() {
    let mut session = session();
    session.model.overlay = Some(Overlay::Welcome);
    let effects = session.send(Message::Saved(TENSOR));
    assert!(effects.contains(&Effect::Keep(Record::Welcomed)), "{effects:?}");
    assert_eq!(session.model.overlay, None);
    session.press("?");
    session.send(Message::Saved(TENSOR));
    assert!(session.model.overlay.is_some(), "what the learner opened stays");
}

#[test]
fn a_click_in_the_list_chooses_the_module_under_it() {
    for size in [(80, 24), (120, 24)] {
        let mut session = Session::opened(size);
        session.press("l");
        let screen = session.screen();
        let at = |screen: &str| {
            let row = screen.lines().position(|line| line.contains("03 Layers")).unwrap();
            let line = screen.lines().nth(row).unwrap();
            let column = line[..line.find("03 Layers").unwrap()].chars().count();
            (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
        };
        let (column, row) = at(&screen);
        let effects = session.send(Message::Click { column, row });
        assert_eq!(effects, [Effect::Open(ModuleId(3))], "{screen}");
        session.press("l");
        session.send(Message::Click { column: 70, row: 1 });
        assert_eq!(session.model.overlay, None, "a click elsewhere closes it");
    }
}

#[test]
fn a_long_list_of_modules_keeps_its_cursor_in_view() {
    for size in [(110, 24), (80, 24)] {
        let mut session = Session::long(size);
        session.press("l");
        for number in 0..=20 {
            let cursor = format!("{number:02} Lesson {number}");
            session.model.overlay = Some(Overlay::Modules(number));
            assert!(session.screen().contains(&cursor), "{number}: {}", session.screen());
        }
    }
}

#[test]
fn any_key_closes_the_welcome_card_and_keeps_its_meaning() {
    let mut session = session();
    session.model.overlay = Some(Overlay::Welcome);
    let screen = session.screen();
    assert!(screen.contains("opens exercises/01_tensor.rs in your editor"), "{screen}");
    let effects = session.press("e");
    assert!(effects.contains(&Effect::Keep(Record::Welcomed)), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Edit { .. })), "{effects:?}");
    session.press("i");
    assert_eq!(session.model.overlay, Some(Overlay::Welcome));
}

#[test]
fn the_reference_is_shown_only_beside_a_cell_that_passes() {
    for (size, beside) in [((140, 30), true), ((90, 30), false)] {
        let mut session = Session::opened(size);
        session.check([PASSED, failed(), waits()]);
        session.focus_on("tensor-add");
        session.press("=");
        assert!(note(&session).0.contains("does not pass yet"));
        session.focus_on("tensor-new");
        session.press("=");
        let screen = session.screen();
        let line = screen.lines().find(|line| line.contains("todo!(\"tensor-new\")")).unwrap();
        assert_eq!(line.contains("let new = \"the reference\";"), beside, "{screen}");
        assert!(screen.contains("let new = \"the reference\";"), "{screen}");
        assert!(!screen.contains("BEGIN SOLUTION"), "{screen}");
        session.press("<Esc>");
        assert_eq!(session.model.overlay, None);
    }
}

#[test]
fn a_check_off_screen_starts_no_analyses() {
    let mut session = session();
    session.model.module_states.get_mut(&TENSOR).unwrap();
    session.press("]");
    session.load(ModuleId(2), "# Other\n", None);
    let generation = session.model.generation;
    session.model.run.as_mut().unwrap().module = TENSOR;
    assert_eq!(session.model.generation, generation);
    let effects = session.check([PASSED, PASSED, PASSED]);
    assert_eq!(run_of(&effects), None, "{effects:?}");
}

#[test]
fn a_save_of_another_module_during_a_run_does_not_switch_to_it() {
    let mut session = session();
    session.wait(10);
    assert!(session.model.run.is_some());
    assert_eq!(session.send(Message::Saved(ModuleId(2))), [Effect::RefreshStatuses]);
}

#[test]
fn an_interrupt_drops_what_the_run_still_reports() {
    let mut session = session();
    let stopped = session.model.generation;
    let error = Error::environment("killed");
    let late = [RunMessage::Event(RunEvent::Finished), RunMessage::Failed(error)];
    for keys in ["<C-c>", "r"] {
        session.press(keys);
        let running = session.model.run.clone();
        for message in late.clone() {
            assert_eq!(session.send(Message::Run(stopped, message)), []);
        }
        assert_eq!(session.model.run, running);
        assert_eq!(session.model.module_state().unwrap().error, None);
    }
    assert!(session.model.run.is_some(), "the new run continues");
}

#[test]
fn after_a_save_the_view_scrolls_to_the_first_cell_that_got_worse() {
    let mut session = session();
    session.check([PASSED, waits(), waits()]);
    session.press("G");
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.check([failed(), PASSED, waits()]);
    assert!(session.in_focus().contains("tensor-new"), "{}", session.in_focus());
    session.press("G");
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.check([failed(), failed(), waits()]);
    assert!(session.in_focus().contains("tensor-add"), "it is the one that changed");
}

#[test]
fn the_view_stays_while_the_learner_is_reading() {
    let mut session = session();
    session.check([PASSED, waits(), waits()]);
    session.wait(10);
    session.press("gj");
    let top = session.model.module_state().unwrap().top;
    session.send(Message::Saved(TENSOR));
    session.check([failed(), waits(), waits()]);
    assert_eq!(session.model.module_state().unwrap().top, top);
    session.wait(4);
    session.send(Message::Saved(TENSOR));
    session.check([PASSED, waits(), waits()]);
    assert_ne!(session.model.module_state().unwrap().top, top, "reading ends after a while");
}

#[test]
fn results_stay_in_view_marked_as_old_until_new_ones_arrive() {
    let mut session = session();
    session.check([PASSED, failed(), waits()]);
    session.send(Message::Saved(TENSOR));
    let module_state = session.model.module_state().unwrap();
    assert_eq!(
        (module_state.state("tensor-new"), module_state.is_old("tensor-new")),
        (CellState::Passed, true)
    );
    session.fails_to_compile(14);
    let module_state = session.model.module_state().unwrap();
    assert!(module_state.is_old("tensor-new"), "the build failed: nothing is new");
    assert_eq!(module_state.report.outcome(), Outcome::DoesNotCompile);
    assert!(session.in_focus().contains("tensor-add"), "the error is in that cell");
}

#[test]
fn a_check_is_saved_and_a_pass_starts_the_analyses() {
    let mut session = session();
    let effects = session.check([PASSED, PASSED, PASSED]);
    let saved = |kind: RunKind| move |effect: &Effect| matches!(effect, Effect::Keep(Record::Run { kind: k, .. }) if *k == kind);
    assert!(effects.iter().any(saved(RunKind::Check)));
    assert_eq!(run_of(&effects).unwrap().1, RunKind::Analysis);
    let generation = session.model.generation;
    let finished = Message::Run(generation, RunMessage::Event(RunEvent::Finished));
    let effects = session.send(finished);
    assert!(effects.iter().any(saved(RunKind::Analysis)));
    assert_eq!(run_of(&effects), None, "analyses start nothing");
    assert_eq!(session.model.statuses[&TENSOR].outcome, Outcome::Passed);
}

#[test]
fn an_interrupt_stops_the_run_first_and_then_quits() {
    let mut session = session();
    assert_eq!(session.press("<C-c>"), [Effect::Cancel]);
    assert!(session.model.run.is_none());
    let old = session.model.generation - 1;
    session.send(Message::Run(old, RunMessage::Event(RunEvent::Finished)));
    assert_eq!(leave(&mut session, "<C-c>"), [Effect::Cancel, Effect::Quit]);
    assert_eq!(leave(&mut session, "q"), [Effect::Cancel, Effect::Quit]);
}

#[test]
fn hints_are_shown_one_by_one_for_the_first_cell_that_does_not_pass() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    let hint = |shown| {
        let cell = "tensor-new".to_owned();
        [Effect::Keep(Record::Hint { module: TENSOR, cell, shown })]
    };
    assert_eq!(session.press("h"), hint(1));
    assert_eq!(session.press("h"), hint(2));
    assert_eq!(session.press("h"), [], "there are two");
    assert!(session.model.note.as_ref().unwrap().0.text.contains("all 2 hints"));
    assert!(in_view(&session, "tensor-new"));
}

#[test]
fn what_the_instructor_has_closed_is_not_shown() {
    let mut session = session();
    let terms = |hints, solutions| {
        let name = session.model.course.slug(TENSOR);
        let terms = Terms { name, points: 1, deadline: None, hints, solutions };
        Some(Class { title: String::new(), modules: vec![terms] })
    };
    let (closed, open) = (terms(false, false), terms(true, true));
    session.model.class = closed;
    session.check([PASSED, waits(), waits()]);
    let note = |session: &Session| session.model.note.as_ref().map(|note| note.0.text.clone());
    assert_eq!(session.press("h"), []);
    assert_eq!(note(&session).unwrap(), "your instructor has closed the hints of 01_tensor");
    assert_eq!(session.press("="), []);
    assert_eq!(note(&session).unwrap(), "your instructor has closed the solutions of 01_tensor");
    assert_eq!(session.model.overlay, None);
    session.model.class = open;
    assert_ne!(session.press("h"), []);
}

#[test]
fn the_editor_opens_where_the_work_is() {
    let mut session = session();
    let line = |session: &mut Session| match leave(session, "e")[..] {
        [Effect::Edit { line, .. }] => line,
        ref other => panic!("{other:?}"),
    };
    session.check([PASSED, waits(), waits()]);
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.check([PASSED, waits(), waits()]);
    assert_eq!(line(&mut session), 14, "where the work on tensor-add begins");
    session.send(Message::Saved(TENSOR));
    session.fails_to_compile(5);
    assert_eq!(line(&mut session), 5, "at the compiler's error");
}

#[test]
fn a_reset_asks_first() {
    let mut session = session();
    assert_eq!(session.press("xn"), []);
    assert_eq!(session.press("xq"), [], "no other key gets through");
    assert_eq!(session.model.overlay, Some(Overlay::Reset));
    assert_eq!(session.press("y"), [Effect::Reset(TENSOR)]);
    assert_eq!(session.model.overlay, None);
}

fn step(session: &mut Session, module: ModuleId, step: Step) -> Vec<Effect> {
    session.send(Message::Completing(module, Completing::Step(step)))
}

fn ended(session: &mut Session, module: ModuleId, ended: Completion) -> Vec<Effect> {
    session.send(Message::Completing(module, Completing::Ended(ended)))
}

fn note(session: &Session) -> (String, bool) {
    session.model.note.clone().map(|(note, _)| (note.text, note.bad)).unwrap()
}

#[test]
fn a_module_is_completed_step_by_step_while_saves_are_checked() {
    let mut session = session();
    session.check([PASSED, PASSED, PASSED]);
    session.measure();
    assert_eq!(session.press("c"), [Effect::Complete(TENSOR)]);
    session.send(Message::Completing(TENSOR, Completing::Begun));
    let took = Duration::from_millis(600);
    step(&mut session, TENSOR, Step::Rebuilt { module: TENSOR, took });
    let saved = session.send(Message::Saved(TENSOR));
    assert!(run_of(&saved).is_some(), "a save is checked at once");
    session.check([PASSED, PASSED, PASSED]);
    session.measure();
    step(&mut session, TENSOR, Step::Proving { module: ModuleId(2) });
    assert_eq!(session.model.completing[0].stage, Stage::Proving(ModuleId(2)));
    assert_eq!(step(&mut session, TENSOR, Step::Swapped), [Effect::RefreshStatuses]);
    assert_eq!(ended(&mut session, TENSOR, Completion::Yes), [Effect::RefreshStatuses]);
    let (text, bad) = note(&session);
    assert!(text.contains("1 module rebuilt in 600 ms") && !bad, "{text}");
    assert!(session.model.completing.is_empty());
}

#[test]
fn a_completion_that_fails_says_why_until_a_key_is_pressed() {
    let mut session = session();
    let refused = Completion::Rejected { reason: "02_activations fails on it".into() };
    let not_yet = Completion::NotYet(Box::new(ModuleReport::new(TENSOR)));
    for (outcome, words) in [(refused, "02_activations fails"), (not_yet, "not completed")] {
        session.press("c");
        ended(&mut session, TENSOR, outcome);
        session.wait(60);
        let (text, bad) = note(&session);
        assert!(text.contains(words) && bad, "{text}");
    }
}

#[test]
fn a_new_request_replaces_one_for_the_same_module_and_other_modules_wait() {
    let mut session = session();
    session.press("cc");
    assert_eq!(session.model.completing.len(), 1);
    session.model.completing[0].module = ModuleId(2);
    session.press("c");
    let waiting: Vec<_> = session.model.completing.iter().map(|one| one.module).collect();
    assert_eq!(waiting, [ModuleId(2), TENSOR]);
}

#[test]
fn an_interrupt_ends_the_run_then_the_completion_then_the_tutor() {
    let mut session = session();
    session.press("c");
    assert_eq!(session.press("<C-c>"), [Effect::Cancel]);
    assert_eq!(session.press("<C-c>"), [Effect::StopCompleting, Effect::RefreshStatuses]);
    assert_eq!(ended(&mut session, TENSOR, Completion::Yes), [], "it was sent before the stop");
    assert_eq!(leave(&mut session, "<C-c>"), [Effect::Cancel, Effect::Quit]);
}

#[test]
fn a_module_above_one_that_was_completed_is_checked_on_it() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.press("c");
    session.model.completing[0].module = ModuleId(0);
    let effects = ended(&mut session, ModuleId(0), Completion::Yes);
    assert!(run_of(&effects).is_some(), "{effects:?}");
    assert_eq!(session.model.run.as_ref().unwrap().cause, Cause::Engine);
}

#[test]
fn a_completed_module_whose_file_fails_after_an_edit_counts_as_failing() {
    let mut session = session();
    let status = ModuleStatus { owner: Owner::Learner, ..ModuleStatus::default() };
    session.send(Message::Statuses([(TENSOR, status)].into()));
    session.check([PASSED, PASSED, PASSED]);
    session.measure();
    let fails = |session: &Session| session.model.status().unwrap().fails_now();
    assert!(!fails(&session));
    session.send(Message::Saved(TENSOR));
    let text = Ok("fn add() {}".to_owned());
    session.send(Message::Read { module: TENSOR, text, cells: vec![], edited: true });
    session.check([PASSED, failed(), PASSED]);
    assert!(fails(&session));
}

#[test]
fn answers_are_hidden_until_requested_and_saved_once() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.focus_on("cache-lines");
    let question = "cache-lines".to_owned();
    let effects = session.press("<Enter>");
    assert_eq!(effects, [Effect::Keep(Record::Answer { module: TENSOR, question })]);
    assert!(session.model.module_state().unwrap().revealed.contains("cache-lines"));
    assert_eq!(session.press("<Enter><Enter>"), []);
}

const PERCEPTRON: &str = "1957_perceptron";

/// A session in which the perceptron trains on an engine that is partly the learner's.
fn training() -> Session {
    let mut session = Session::with((100, 30), "```milestone 1957_perceptron\n```\n");
    session.check([waits(), waits(), waits()]);
    session.focus_on(PERCEPTRON);
    let effects = session.press("<Enter>");
    assert_eq!(trial_of(&effects), Some((PERCEPTRON, Engine::Mine)));
    let modules = vec![RanModule { module: TENSOR, mine: true, reason: None }];
    let (milestone, engine) = (PERCEPTRON, Engine::Mine);
    session.send(Message::Trial { milestone, engine, modules, fingerprint: "mine".into() });
    session
}

fn trial_of(effects: &[Effect]) -> Option<(&'static str, Engine)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Run { milestone: Some(id), kind: RunKind::Milestone, engine, .. } => {
            Some((*id, *engine))
        }
        _ => None,
    })
}

fn trained(session: &Session, engine: Engine) -> &Trained {
    &session.model.milestones[&(PERCEPTRON, engine)]
}

#[test]
fn a_milestone_reports_in_its_own_block_and_the_reference_follows() {
    let mut session = training();
    let insight = Item::Insight(Insight { text: "It learns.".into() });
    let report = RunEvent::Reported { analysis: "milestone".into(), item: insight.clone() };
    session.event(report);
    let effects = session.event(RunEvent::Finished);
    let Some(Effect::Keep(Record::Milestone { engine, fingerprint, ran, .. })) = effects.first()
    else {
        panic!("{effects:?}");
    };
    assert_eq!((*engine, fingerprint.as_str()), (Engine::Mine, "mine"));
    assert!(ran.modules[0].mine && ran.items == [insight]);
    assert_eq!(trial_of(&effects), Some((PERCEPTRON, Engine::Reference)));
    let effects = session.event(RunEvent::Finished);
    assert_eq!(trial_of(&effects), None, "nothing follows the reference");
    assert!(trained(&session, Engine::Reference).ran.is_some());
    let module_state = session.model.module_state().unwrap();
    assert!(module_state.report.analyses.is_empty());
    assert_eq!(module_state.report.outcome(), Outcome::NotStarted, "the check's results stay");
}

#[test]
fn the_result_of_a_milestone_stays_marked_as_old_when_a_new_run_is_stopped() {
    let mut session = training();
    session.event(RunEvent::Finished);
    session.press("<C-c>");
    assert!(!trained(&session, Engine::Mine).old);
    session.press("<Enter><C-c>");
    let mine = trained(&session, Engine::Mine);
    assert!(mine.old && mine.ran.is_some());
}

#[test]
fn a_milestone_of_an_earlier_session_is_shown_once_and_marked_as_old() {
    let mut session = Session::with((100, 30), "```milestone 1957_perceptron\n```\n");
    let earlier = |seconds| Remembered {
        milestone: PERCEPTRON,
        engine: Engine::Mine,
        ran: Ran { met: true, seconds: Some(seconds), modules: vec![], items: vec![] },
        fingerprint: "mine".into(),
        old: true,
    };
    for seconds in [1.0, 2.0] {
        session.send(Message::Milestones(vec![earlier(seconds)]));
    }
    let mine = trained(&session, Engine::Mine);
    assert_eq!(mine.ran.as_ref().unwrap().seconds, Some(1.0));
    assert!(mine.old);
}

#[test]
fn a_search_that_arrives_at_once_finds_what_one_typed_slowly_does() {
    let (mut slow, mut fast) = (session(), session());
    slow.press("/stride<Enter>");
    for letter in "/stride\n".chars() {
        let code = if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) };
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        update(&mut fast.model, fast.now, Message::Key(key));
    }
    fast.page();
    assert!(slow.model.search.at.is_some());
    assert_eq!(fast.model.search.at, slow.model.search.at);
}

#[test]
fn a_search_wraps_around_and_ends_with_escape() {
    let mut session = session();
    session.press("/stride<Enter>");
    assert!(!session.model.search.typing);
    assert_eq!(session.model.measured.matches.len(), 1);
    let top = session.model.module_state().unwrap().top;
    assert!(top > 0);
    session.press("gn");
    assert_eq!(session.model.module_state().unwrap().top, top, "n finds it again");
    session.press("<Esc>");
    assert!(session.model.search.text.is_empty());
    session.press("/nowhere<Enter>");
    assert!(session.model.note.as_ref().unwrap().0.text.contains("nowhere"));
}

#[test]
fn a_search_that_finds_a_live_block_focuses_it_even_where_another_is_above_it() {
    let mut session = Session::with(
        (100, 30),
        "```question first\nWhy?\n---\nSo.\n```\n\n```question second\nHow?\n---\nThus.\n```\n",
    );
    session.press("/How?<Enter><Esc>");
    assert!(session.in_focus().contains("second"), "{}", session.in_focus());
}

#[test]
fn a_search_visits_every_match_even_where_the_end_cannot_scroll() {
    let mut session = session();
    session.press("/is<Enter>");
    let matches = session.model.measured.matches.clone();
    assert!(matches.len() > 3);
    let mut visited = vec![session.model.search.at.unwrap()];
    for _ in 1..matches.len() {
        session.press("n");
        visited.push(session.model.search.at.unwrap());
    }
    assert_eq!(visited, matches);
    session.press("N");
    assert_eq!(session.model.search.at, matches.get(matches.len() - 2).copied());
}

#[test]
fn letters_of_a_search_are_not_commands() {
    let mut session = session();
    assert_eq!(session.press("/qxe<Backspace>"), []);
    assert_eq!(session.model.search.text, "qx");
}

#[test]
fn escape_never_quits() {
    let mut session = session();
    session.press("tz?");
    for _ in 0..6 {
        assert!(!session.press("<Esc>").contains(&Effect::Quit));
    }
    assert_eq!((session.model.overlay.clone(), session.model.results), (None, Results::Closed));
}

#[test]
fn a_file_that_is_gone_is_reported_and_picked_up_when_it_is_back() {
    let mut session = session();
    assert_eq!(session.send(Message::Gone(TENSOR)), [Effect::Cancel]);
    assert!(matches!(session.model.module_state().unwrap().exercise, Exercise::Missing(_)));
    assert!(session.model.run.is_none());
    let effects = session.send(Message::Saved(TENSOR));
    assert!(run_of(&effects).is_some());
}

#[test]
fn a_file_that_cannot_be_read_ends_the_run() {
    let mut session = session();
    let text = Err("line 3 is not UTF-8".to_owned());
    session.send(Message::Read { module: TENSOR, text, cells: vec![], edited: false });
    assert!(session.model.run.is_none());
    assert_eq!(session.press("e"), [], "there is nothing to edit");
}

#[test]
fn an_error_of_the_environment_is_shown_in_the_module() {
    let mut session = session();
    let error = Error::environment("rustc is missing").hint("Install it.");
    let generation = session.model.generation;
    session.send(Message::Run(generation, RunMessage::Failed(error)));
    let module_state = session.model.module_state().unwrap();
    assert_eq!(module_state.error.as_deref(), Some("rustc is missing\n  Install it."));
}

#[test]
fn a_save_of_another_module_switches_to_it() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.wait(10);
    assert_eq!(session.send(Message::Saved(ModuleId(2))), [Effect::Open(ModuleId(2))]);
}

#[test]
fn many_saves_at_once_do_not_switch_the_module() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.wait(10);
    session.send(Message::Saved(TENSOR));
    session.check([waits(), waits(), waits()]);
    for other in [0, 2, 3] {
        assert_eq!(session.send(Message::Saved(ModuleId(other))), [Effect::RefreshStatuses]);
    }
}

#[test]
fn a_switch_of_the_engine_is_saved_and_starts_a_check() {
    let mut session = session();
    let effects = session.press("m");
    assert_eq!(effects[0], Effect::Keep(Record::Engine(Engine::Reference)));
    assert!(matches!(
        effects[1],
        Effect::Run { engine: Engine::Reference, kind: RunKind::Check, .. }
    ));
}

#[test]
fn the_line_at_the_top_stays_there_when_blocks_above_grow() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.press("G");
    let line = |session: &Session| {
        let top = session.model.module_state().unwrap().top;
        let starts = &session.model.measured.starts;
        let piece = starts.iter().rposition(|start| *start <= top).unwrap();
        (piece, top - starts[piece])
    };
    session.press("k");
    let before = line(&session);
    session.fails_to_compile(5);
    assert_eq!(line(&session), before);
}

#[test]
fn modules_are_chosen_from_the_list() {
    let mut session = session();
    assert_eq!(session.press("lj<Enter>"), [Effect::Open(ModuleId(2))]);
    assert_eq!(session.press("]"), [Effect::Open(ModuleId(2))]);
    assert_eq!(session.press("["), [Effect::Open(ModuleId(0))]);
}

#[test]
fn a_click_on_a_question_shows_its_answer_and_the_wheel_scrolls() {
    let mut session = session();
    session.check([waits(), waits(), waits()]);
    session.press("G");
    let module_state = session.model.module_state().unwrap();
    let is_question = |block: &Block| matches!(block, Block::Question { .. });
    let piece = 1 + module_state.lesson.blocks.iter().position(is_question).unwrap();
    let row = session.model.measured.starts[piece] + 1 - module_state.top + 1;
    let row = u16::try_from(row).unwrap();
    let effects = session.send(Message::Click { column: 10, row });
    assert!(matches!(effects[..], [Effect::Keep(Record::Answer { .. })]));
    session.send(Message::Wheel { column: 10, row: 5, down: false });
    assert!(session.model.scrolled.is_some());
}

#[test]
fn notes_fade_but_errors_stay_until_a_key() {
    let mut session = session();
    session.send(Message::Note("done".into()));
    session.wait(7);
    assert_eq!(session.model.note, None);
    session.send(Message::Failed("no disk".into()));
    session.wait(60);
    assert!(session.model.note.is_some());
    session.press("j");
    assert_eq!(session.model.note, None);
}

#[test]
fn any_key_at_any_size_is_harmless() {
    let keys =
        ["j", "k", "g", "G", "n", "p", "t", "z", "J", "K", "h", "e", "a", "l", "s", "?", "/", "x"];
    for size in [(0, 0), (1, 1), (60, 20), (500, 200)] {
        let mut session = Session::opened(size);
        for key in keys.iter().chain(&keys) {
            session.press(key);
            session.press("<Esc>");
        }
        let page = session.page();
        drop(update(&mut session.model, Duration::MAX, Message::LaidOut(page.measured)));
    }
}
