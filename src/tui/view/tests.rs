//! Whole screens as pictures, and every size.

use crate::runner::event::{Notice, RunEvent, Verdict};
use crate::tui::fixture::{Session, TENSOR, failed, result, waits};
use crate::tui::message::Message;
use crate::tui::model::Capabilities;
use std::time::Duration;
use tinytorch::report::{Item, Progress};

fn failing(size: (u16, u16)) -> Session {
    let mut session = Session::opened(size);
    session.check([Verdict::Passed, failed(), waits()]);
    session.wait(10);
    session
}

#[test]
fn a_changed_test_is_said_where_it_failed_instead_of_showing_what_did_not_run() {
    let mut session = failing((90, 30));
    assert!(session.screen().contains("line 22 │ assert_close"));
    let grade_id = "test-tensor-add".to_owned();
    let notice = Notice::LockedCellChanged { grade_id, line: Some(17) };
    session.model.module_states.get_mut(&TENSOR).unwrap().report.notices.push(notice);
    let screen = session.screen();
    assert!(screen.contains("! line 22: this test was changed; its original was used"), "{screen}");
    assert!(!screen.contains("assert_close"), "{screen}");
}

#[test]
fn a_file_that_cannot_be_read_leaves_no_errors_of_its_old_text_above_the_lesson() {
    let mut session = failing((90, 30));
    session.send(Message::Saved(TENSOR));
    session.refused(1);
    session.press("g");
    assert!(session.screen().contains("exercises/01_tensor.rs:1:"), "{}", session.screen());
    session.send(Message::Gone(TENSOR));
    let screen = session.screen();
    assert!(screen.contains("the file is gone"), "{screen}");
    assert!(!screen.contains("exercises/01_tensor.rs:1:"), "{screen}");
}

#[test]
fn trouble_is_told_whole_above_a_status_line_that_goes_on() {
    let mut session = failing((60, 20));
    let text = "failed to run the editor \"/nowhere/vi\": No such file or directory (os error 2)\n  \
        Set VISUAL or EDITOR to an editor that is here, or open exercises/00_setup.rs:41.";
    session.send(Message::Failed(text.into()));
    insta::assert_snapshot!(session.screen());
}

#[test]
fn a_lesson_opens_at_60x20() {
    let mut session = Session::opened((60, 20));
    insta::assert_snapshot!(session.screen());
}

#[test]
fn a_failure_at_60x20() {
    insta::assert_snapshot!(failing((60, 20)).screen());
}

#[test]
fn a_failure_at_90x30() {
    insta::assert_snapshot!(failing((90, 30)).screen());
}

#[test]
fn a_lesson_with_modules_and_results_at_140x45() {
    let mut session = failing((140, 45));
    session.press("tg");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn a_compiler_error_beside_old_results_at_90x30() {
    let mut session = failing((90, 30));
    session.send(Message::Saved(TENSOR));
    session.refused(14);
    insta::assert_snapshot!(session.screen());
}

#[test]
fn measured_figures_at_90x30() {
    let mut session = Session::opened((90, 30));
    session.check([Verdict::Passed, Verdict::Passed, Verdict::Passed]);
    session.measure();
    insta::assert_snapshot!(session.screen());
}

#[test]
fn a_bar_goes_once_its_analysis_ended() {
    let mut session = Session::opened((90, 45));
    session.check([Verdict::Passed, Verdict::Passed, Verdict::Passed]);
    let progress = Progress { label: "epochs".into(), done: 3, total: 60 };
    let (analysis, item) = ("analyze_walk".to_owned(), Item::Progress(progress));
    session.event(RunEvent::Reported { analysis, item });
    session.focus_on("analyze_walk");
    assert!(session.screen().contains("epochs 3 of 60"), "{}", session.screen());
    session.event(RunEvent::AnalysisEnded(result("analyze_walk", Verdict::Passed)));
    assert!(!session.screen().contains("epochs"), "{}", session.screen());
}

#[test]
fn questions_figures_and_an_unknown_block_at_90x45() {
    let mut session = Session::opened((90, 45));
    session.check([Verdict::Passed, Verdict::Passed, Verdict::Passed]);
    session.measure();
    session.focus_on("cache-lines");
    session.press("<Enter>G");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn hints_stand_in_their_block_at_90x30() {
    let mut session = failing((90, 30));
    session.press("h");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn the_help_at_60x20() {
    let mut session = failing((60, 20));
    session.press("?");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn a_reset_is_asked_for_at_60x20() {
    let mut session = failing((60, 20));
    session.press("x");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn an_editor_is_promised_only_where_there_is_one() {
    let mut session = Session::opened((90, 30));
    session.check([waits(), waits(), waits()]);
    assert!(session.screen().contains("not started: e opens your editor"));
    session.model.has_editor = false;
    let screen = session.screen();
    assert!(screen.contains("not started: edit exercises/01_tensor.rs"), "{screen}");
}

#[test]
fn a_missing_file_is_said_at_60x20() {
    let mut session = failing((60, 20));
    session.send(Message::Gone(TENSOR));
    session.press("g");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn plain_letters_where_there_is_no_utf_8() {
    let mut session = failing((90, 30));
    session.model.capabilities = Capabilities { ascii: true, color: false };
    session.press("l");
    let picture = session.screen();
    assert!(picture.is_ascii(), "{picture}");
    insta::assert_snapshot!(picture);
}

#[test]
fn below_the_smallest_size_one_line_says_what_is_needed() {
    let mut session = Session::opened((40, 5));
    assert_eq!(session.screen().trim_end(), "needs 60x20, is 40x5");
}

#[test]
fn no_size_makes_it_panic() {
    let sizes = (0..=40).flat_map(|width| (0..=40).map(move |height| (width, height)));
    let usable = [(60, 20), (61, 21), (80, 24), (109, 33), (110, 33), (500, 200)];
    let mut session = failing((60, 20));
    for (width, height) in sizes.chain(usable) {
        session.send(Message::Resized(width, height));
        drop(session.screen());
    }
    for (width, height) in usable {
        session.send(Message::Resized(width, height));
        for keys in ["t", "z", "?", "<Esc>", "l", "<Esc>", "x", "n", "/a", "<Esc>"] {
            session.press(keys);
            drop(session.screen());
        }
    }
}

#[test]
fn the_same_model_gives_the_same_frame() {
    let mut session = failing((90, 30));
    let first = session.screen();
    session.now += Duration::from_secs(100);
    assert_eq!(session.screen(), first);
}

#[test]
fn no_picture_of_a_lesson_is_cut_at_80_columns() {
    for module in crate::curriculum::Course::tinytorch().modules() {
        let mut session = Session::with((80, 24), module.lesson());
        session.press("/columns more needed<Enter>");
        assert_eq!(session.model.measured.matches, [0usize; 0], "{}", module.slug());
    }
    let wide = format!("```diagram Wide\n{}\n```\n", "x".repeat(77));
    let mut session = Session::with((80, 24), &wide);
    session.press("/columns more needed<Enter>");
    assert_eq!(session.model.measured.matches.len(), 1, "77 columns are too many");
}
