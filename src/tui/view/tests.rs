//! Whole screens as snapshots, and every size.

use crate::error::Error;
use crate::lab::{Class, Terms};
use crate::runner::RunMessage;
use crate::runner::event::{Expected, Notice, Owner, Place, RunEvent, RunKind, Verdict};
use crate::tui::fixture::{Session, TENSOR, failed, mismatched, result, waits};
use crate::tui::message::{Effect, Message};
use crate::tui::model::{Capabilities, Note};
use crate::tui::palette::Theme;
use crate::tui::view::Cache;
use std::time::Duration;
use tinytorch::report::{Item, Progress};

fn failing(size: (u16, u16)) -> Session {
    let mut session = Session::opened(size);
    session.check([Verdict::Passed, failed(), waits()]);
    session.wait(10);
    session
}

#[test]
fn a_changed_test_is_named_where_it_failed_instead_of_a_line_that_did_not_run() {
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
fn an_old_failure_shows_no_line_of_the_current_text() {
    let mut session = failing((90, 60));
    assert!(session.screen().contains("line 22 │ assert_close"));
    session.send(Message::Saved(TENSOR));
    let screen = session.screen();
    assert!(screen.contains("value 1 is 3") && screen.contains("old"), "{screen}");
    assert!(!screen.contains("line 22"), "{screen}");
}

#[test]
fn an_old_failure_of_an_analysis_names_no_line() {
    let mut session = Session::opened((90, 60));
    session.check([Verdict::Passed, Verdict::Passed, Verdict::Passed]);
    let ended = |place: Option<Place>| {
        let verdict = Verdict::Failed { message: "no figures".into(), at: place };
        RunEvent::AnalysisEnded(result("analyze_walk", verdict))
    };
    let at = Place { file: "exercises/01_tensor.rs".into(), line: 22, column: 5 };
    session.event(ended(Some(at)));
    session.event(RunEvent::Finished);
    session.focus_on("analyze_walk");
    assert!(session.screen().contains("01_tensor.rs:22"), "{}", session.screen());
    session.send(Message::Saved(TENSOR));
    let screen = session.screen();
    assert!(screen.contains("failed: no figures"), "{screen}");
    assert!(!screen.contains("01_tensor.rs:22"), "{screen}");
}

#[test]
fn an_error_in_another_file_is_shown_in_no_block_of_this_one() {
    let mut session = failing((90, 60));
    session.send(Message::Saved(TENSOR));
    let mut error = mismatched(18);
    error.at.as_mut().unwrap().file = "exercises/00_setup.rs".into();
    session.event(RunEvent::Diagnostic(error));
    session.press("g");
    let screen = session.screen();
    assert!(screen.contains("exercises/00_setup.rs:18"), "{screen}");
    assert!(!screen.contains("✗ does not compile"), "{screen}");
    let effects = session.press("e");
    let is_here = |effect: &Effect| matches!(effect, Effect::Edit { line: 14, .. });
    assert!(effects.iter().any(is_here), "{effects:?}");
}

#[test]
fn a_failure_that_follows_from_another_says_what_to_fix_first() {
    let mut session = Session::opened((90, 60));
    let grade_id = Some("test-tensor-new".into());
    let new = Expected { grade_id, ..Expected::new("test_unit_new") };
    let add = Expected { needs: vec!["tensor-new".into()], ..Expected::new("test_unit_add") };
    let expected = vec![new, add];
    session.event(RunEvent::Started { module: TENSOR, kind: RunKind::Check, expected });
    session.event(RunEvent::Built { success: true, took: Duration::from_millis(200) });
    for name in ["test_unit_new", "test_unit_add"] {
        session.event(RunEvent::Test(result(name, failed())));
    }
    session.event(RunEvent::Finished);
    session.focus_on("tensor-add");
    for keys in ["", "tz"] {
        session.press(keys);
        let screen = session.screen();
        let follows = "follows from tensor-new, which fails: fix that first";
        assert_eq!(screen.matches(follows).count(), 1, "{screen}");
        let at = |words: &str| screen.find(words).unwrap();
        assert!(at("✗ test_unit_add") < at(follows), "{screen}");
    }
}

#[test]
fn a_background_that_is_reported_late_still_decides_the_theme() {
    let mut session = failing((60, 20));
    session.send(Message::Background(Theme::Light));
    assert_eq!(session.model.capabilities.theme, Theme::Light);
}

#[test]
fn own_tests_are_labelled_and_never_counted() {
    let mut session = Session::opened((90, 60));
    let graded = ["test_unit_new", "test_unit_add", "test_module"];
    let own = Expected { owner: Owner::Learner, ..Expected::new("own::test_mine") };
    let expected = graded.map(Expected::new).into_iter().chain([own]).collect();
    session.event(RunEvent::Started { module: TENSOR, kind: RunKind::Check, expected });
    session.event(RunEvent::Built { success: true, took: Duration::from_millis(200) });
    let verdicts = [Verdict::Passed, Verdict::Passed, Verdict::Passed, failed()];
    for (name, verdict) in graded.into_iter().chain(["own::test_mine"]).zip(verdicts) {
        session.event(RunEvent::Test(result(name, verdict)));
    }
    assert!(session.screen().contains("testing, 3 of 3"), "{}", session.screen());
    session.event(RunEvent::Finished);
    session.press("<C-c>G");
    for keys in ["", "tz"] {
        session.press(keys);
        let screen = session.screen();
        assert!(screen.contains("3 of 3 tests"), "{screen}");
        let lines: Vec<&str> =
            screen.lines().map(|line| line.trim_matches(['▏', '▌', '▕', ' '])).collect();
        let heading = lines.iter().position(|line| *line == "yours, not graded");
        let after = heading.and_then(|line| lines.get(line + 1));
        assert!(after.is_some_and(|line| line.starts_with("✗ own::test_mine")), "{screen}");
        assert_eq!(screen.matches("own::test_mine").count(), 1, "{screen}");
    }
}

#[test]
fn a_file_that_cannot_be_read_leaves_no_errors_of_its_old_text_above_the_lesson() {
    let mut session = failing((90, 30));
    session.send(Message::Saved(TENSOR));
    session.fails_to_compile(1);
    session.press("g");
    assert!(session.screen().contains("exercises/01_tensor.rs:1:"), "{}", session.screen());
    session.send(Message::Gone(TENSOR));
    let screen = session.screen();
    assert!(screen.contains("the file is gone"), "{screen}");
    assert!(!screen.contains("exercises/01_tensor.rs:1:"), "{screen}");
}

#[test]
fn an_error_is_shown_in_full_above_the_status_line() {
    let mut session = failing((60, 20));
    let text = "failed to run the editor \"/nowhere/vi\": No such file or directory (os error 2)\n  \
        Set VISUAL or EDITOR to an editor that is installed, or open exercises/00_setup.rs:41.";
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
    session.fails_to_compile(14);
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
fn a_progress_bar_disappears_once_its_analysis_ended() {
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
fn hints_are_in_their_block_at_90x30() {
    let mut session = failing((90, 30));
    session.press("h");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn closed_hints_are_not_offered_and_the_block_says_why() {
    let mut session = Session::opened((90, 30));
    let name = session.model.course.slug(TENSOR);
    let terms = Terms { name, points: 1, deadline: None, hints: false, solutions: false };
    session.model.class = Some(Class { title: "ML".into(), modules: vec![terms] });
    session.check([Verdict::Passed, failed(), waits()]);
    session.wait(10);
    session.press("h");
    let screen = session.screen();
    assert!(screen.contains("e edit  hints are closed for this class"), "{screen}");
    assert!(!screen.contains(" of 2"), "{screen}");
}

#[test]
fn the_help_at_60x20() {
    let mut session = failing((60, 20));
    session.press("?");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn the_question_before_a_reset_at_60x20() {
    let mut session = failing((60, 20));
    session.press("x");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn an_editor_is_offered_only_where_there_is_one() {
    let mut session = Session::opened((90, 30));
    session.check([waits(), waits(), waits()]);
    assert!(session.screen().contains("not started: e opens your editor"));
    session.model.has_editor = false;
    let screen = session.screen();
    assert!(screen.contains("not started: edit exercises/01_tensor.rs"), "{screen}");
}

#[test]
fn a_diagram_that_is_too_wide_is_scrolled_by_keys() {
    let wide = format!("```diagram Wide\n{}END\nshort\n```\n", "0123456789".repeat(7));
    let mut session = Session::with((60, 20), &wide);
    assert!(
        session.screen().contains("(< > scroll it: columns 1 to 56 of 73)"),
        "{}",
        session.screen()
    );
    assert!(!session.screen().contains("END"));
    session.press(">>>>>");
    let screen = session.screen();
    assert!(screen.contains("columns 18 to 73 of 73") && screen.contains("…890123"), "{screen}");
    assert!(screen.contains("789END"), "{screen}");
    session.press("<<<");
    session.press(">");
    assert!(
        session.screen().contains("…34567") && session.screen().contains("6…"),
        "{}",
        session.screen()
    );
}

#[test]
fn why_a_check_could_not_run_is_shown_in_full_wherever_the_learner_reads() {
    for size in [(60, 20), (80, 24), (109, 40)] {
        let mut session = failing(size);
        session.send(Message::Saved(TENSOR));
        let remedy = "Put the folder back, or run `tinytorch-tutor doctor` in another terminal to see \
            what is missing, and press r.";
        let error = Error::environment("failed to lock /root/.cache/tinytorch-tutor/base.lock");
        let generation = session.model.generation;
        session.send(Message::Run(generation, RunMessage::Failed(error.hint(remedy))));
        for keys in ["g", "G", "t", "z"] {
            session.press(keys);
            let screen = session.screen();
            let words = screen.split_whitespace().filter(|word| !["▏", "▕"].contains(word));
            let flat = words.collect::<Vec<_>>().join(" ");
            assert!(flat.contains("base.lock"), "{keys}: {screen}");
            assert!(flat.contains("see what is missing, and press r."), "{keys}: {screen}");
        }
    }
}

#[test]
fn an_error_hides_no_line_of_the_lesson_for_good() {
    let mut session = failing((60, 20));
    session.send(Message::Gone(TENSOR));
    session.press("G");
    let screen = session.screen();
    assert!(screen.contains("the file is gone"), "{screen}");
    assert!(screen.contains("known are diagram") || screen.contains("puzzle"), "{screen}");
}

#[test]
fn a_long_note_is_shown_in_full() {
    let mut session = failing((60, 20));
    let text = "the backup of your file is exercises/.tinytorch/backups/01_tensor.1.rs";
    let note = Note { text: text.into(), bad: false };
    session.model.note = Some((note, session.now));
    let flat = session.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(text), "{flat}");
}

#[test]
fn the_least_important_keys_are_dropped_first_and_the_help_says_so() {
    for (width, run) in [(60, true), (60, false), (80, true), (140, false)] {
        let mut session = Session::opened((width, 20));
        if !run {
            session.check([Verdict::Passed, failed(), waits()]);
        }
        let screen = session.screen();
        let footer = screen.lines().last().unwrap();
        let has = |word: &str| footer.split_whitespace().any(|found| found == word);
        assert!(has("edit") && has("next") && has("quit"), "{footer}");
        let all = ["edit", "hint", "run", "next", "modules", "tests"].into_iter().all(has);
        assert_eq!(has("more"), !all, "{footer}");
        assert_eq!(has("stop"), run, "{footer}");
    }
}

#[test]
fn the_help_says_how_much_of_it_is_out_of_view() {
    let mut session = failing((80, 24));
    session.press("?");
    assert!(session.screen().contains("more below"), "{}", session.screen());
    session.press("j");
    assert!(session.screen().contains("↑ 1 more above, ↓"), "{}", session.screen());
    session.press("G");
    assert!(!session.screen().contains("more below"), "{}", session.screen());
    let mut session = failing((200, 60));
    session.press("?");
    assert!(!session.screen().contains("more below"), "{}", session.screen());
}

#[test]
fn a_missing_file_is_reported_at_60x20() {
    let mut session = failing((60, 20));
    session.send(Message::Gone(TENSOR));
    session.press("g");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn ascii_where_there_is_no_utf_8() {
    let mut session = failing((90, 30));
    session.model.capabilities =
        Capabilities { ascii: true, color: false, ..Capabilities::default() };
    session.press("l");
    let picture = session.screen();
    assert!(picture.is_ascii(), "{picture}");
    insta::assert_snapshot!(picture);
}

#[test]
fn below_the_smallest_size_one_line_names_the_size_needed() {
    let mut session = Session::opened((40, 5));
    assert_eq!(session.screen().trim_end(), "needs 60x20, is 40x5");
}

#[test]
fn no_size_panics() {
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
fn a_terminal_that_shrank_before_the_model_knows_of_it_is_drawn_once_it_does() {
    let mut session = failing((90, 30));
    for keys in ["", "t", "z", "?", "<Esc>", "l", "<Esc>", "w"] {
        session.press(keys);
        for smaller in [(90, 24), (60, 30), (60, 20), (10, 2), (0, 0)] {
            assert_eq!(session.screen_in(smaller).trim(), "", "{keys}: {smaller:?}");
        }
        assert_ne!(session.screen_in((120, 40)).trim(), "", "a larger one has room for it");
    }
    session.send(Message::Resized(60, 20));
    assert_ne!(session.screen_in((60, 20)).trim(), "");
}

#[test]
fn the_same_model_gives_the_same_frame() {
    let mut session = failing((90, 30));
    let mut last = String::new();
    for (size, keys) in
        [((90, 30), "g"), ((80, 24), ""), ((140, 30), "t"), ((90, 30), "to"), ((90, 30), "<Esc>G")]
    {
        session.send(Message::Resized(size.0, size.1));
        session.press(keys);
        let frame = session.screen();
        assert_ne!(frame, last, "a different model has a different frame: {size:?} {keys}");
        session.now += Duration::from_secs(100);
        assert_eq!(session.screen(), frame, "drawn twice");
        // A cache from earlier models makes no difference.
        let (model, now) = (session.model.clone(), session.now);
        assert_eq!(Session { model, cache: Cache::default(), now }.screen(), frame);
        last = frame;
    }
}

#[test]
fn every_diagram_of_a_lesson_fits_80_columns() {
    for module in crate::curriculum::Course::tinytorch().modules() {
        let mut session = Session::with((80, 24), module.lesson());
        session.press("/scroll it: columns<Enter>");
        assert_eq!(session.model.measured.matches, [0usize; 0], "{}", module.slug());
    }
    let wide = format!("```diagram Wide\n{}\n```\n", "x".repeat(77));
    let mut session = Session::with((80, 24), &wide);
    session.press("/scroll it: columns<Enter>");
    assert_eq!(session.model.measured.matches.len(), 1, "77 columns are too many");
}

#[test]
fn a_prediction_beside_its_result() {
    let text = "```predict walk\nHow much **slower** is the walk down the columns?\n---\nunit: x\nvalue: analyze_walk / columns against rows\n```\n\n```predict open\nWhat does the walk cost on a table that fits into the cache?\n```\n";
    let mut session = Session::with((60, 20), text);
    session.press("<Enter>3x<Enter>");
    session.measure();
    session.focus_on("\"open\"");
    session.press("<Enter>the same<Enter><Enter>0.2 ms more, a tenth");
    insta::assert_snapshot!("a_prediction_beside_its_result_at_60x20", session.screen());
}

#[test]
fn the_glossary_over_a_lesson() {
    let text = "An axis has a **stride**, in numbers.\n";
    let mut session = Session::with((60, 20), text);
    session.press("w");
    insta::assert_snapshot!("the_glossary_at_60x20", session.screen());
}
