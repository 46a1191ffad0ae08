//! What keys do to answers, and how the screen looks.

use super::keymap::KEYMAP;
use super::model::{Model, Page, Typing, entries};
use super::update::{Effect, Message, update};
use super::view;
use crate::classroom::gradebook::{Answer, Mark, Marked};
use crate::classroom::rubric::{Item, Question};
use crate::tui::model::Capabilities;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const LONG: &str = "Rows lie one after the other, so a walk along a row reads each cache line once. \
A walk down a column touches a new line with every step, and when the matrix is larger than the cache \
each line is read again for the next column.\n\n    for row in 0..3 { sum += a[row][0]; }\n\n\
Größer heißt langsamer: 漢字 and 🔬 are wide.";

fn question(name: &str) -> Question {
    let item = |text: &str, points| Item { text: text.into(), points };
    Question {
        module: "01_tensor".into(),
        name: name.into(),
        points: 4,
        text: "Why is a walk along a row faster than a walk down a column?".into(),
        items: vec![
            item("names the cache line", 2.0),
            item(
                "says that lines are read again for each column once the matrix exceeds the cache",
                1.5,
            ),
            item("mixes up rows and columns", -1.0),
        ],
    }
}

fn answer(student: &str, name: &str, text: &str) -> Marked {
    let answer = Answer {
        student: student.to_owned().try_into().unwrap(),
        module: "01_tensor".into(),
        grade_id: format!("answer-{name}"),
        max_points: 4,
        text: text.into(),
    };
    Marked { answer, mark: Mark::default(), is_stale: false }
}

fn answers() -> Vec<Marked> {
    vec![
        answer("ada", "rows", LONG),
        answer("bob", "rows", ""),
        answer("eve", "rows", "It is not.\x1b[2J\u{202e}"),
        answer("ada", "precision", "Because 0.1 has no end in binary."),
    ]
}

fn model(size: (u16, u16)) -> Model {
    let questions = [question("rows"), question("precision")];
    let entries = entries(answers(), &questions, false);
    Model::new(Capabilities::default(), size, entries).unwrap()
}

/// Presses keys: letters, `\n` for Enter, `\x1b` for Esc, `\x08` for Backspace. Returns what is saved.
fn press(model: &mut Model, keys: &str) -> Vec<(String, Mark)> {
    let mut saved = vec![];
    for key in keys.chars() {
        update(model, Message::LaidOut(view::measure(model)));
        let code = match key {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\x08' => KeyCode::Backspace,
            key => KeyCode::Char(key),
        };
        for effect in update(model, Message::Key(code.into())) {
            if let Effect::Save(save) = effect {
                saved.push((save.answer.student.as_str().to_owned(), save.mark));
            }
        }
    }
    saved
}

fn points(model: &Model) -> Option<f64> {
    model.entry().grade.mark.points
}

fn screen(model: &mut Model) -> String {
    update(model, Message::LaidOut(view::measure(model)));
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, model)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn items_add_up_within_what_the_answer_is_worth() {
    let mut model = model((80, 24));
    let saved = press(&mut model, "\n1");
    assert_eq!((saved.len(), points(&model)), (1, Some(2.0)));
    assert_eq!((&*saved[0].0, &*saved[0].1.rubric[0].text), ("ada", "names the cache line"));
    press(&mut model, "2");
    assert_eq!(points(&model), Some(3.5));
    press(&mut model, "12");
    assert_eq!(points(&model), Some(0.0), "no item applies: graded, with 0 points");
    press(&mut model, "3");
    assert_eq!(points(&model), Some(0.0), "never below 0");
    assert!(press(&mut model, "9").is_empty());
    assert!(model.note.unwrap().text.contains("no item 9"));
}

#[test]
fn points_that_were_adjusted_by_hand_stay_adjusted_when_an_item_is_added() {
    let mut model = model((80, 24));
    press(&mut model, "\n1p1.5\n");
    assert_eq!(points(&model), Some(1.5));
    press(&mut model, "2");
    assert_eq!(points(&model), Some(3.0), "3.5 less the half point that was taken off");
    press(&mut model, "f");
    assert_eq!(points(&model), Some(4.0));
    press(&mut model, "0");
    assert_eq!(points(&model), Some(0.0));
    press(&mut model, "x");
    assert!(model.entry().is_open() && points(&model).is_none());
}

#[test]
fn points_that_the_answer_cannot_have_are_refused() {
    let mut model = model((80, 24));
    for typed in ["4.5", "-1", "NaN", "inf", "", "many"] {
        assert!(press(&mut model, &format!("\np{typed}\n")).is_empty(), "{typed}");
        assert!(model.note.as_ref().is_some_and(|note| note.bad), "{typed}");
    }
    assert_eq!(press(&mut model, "p2,5\n")[0].1.points, Some(2.5), "with a comma too");
}

#[test]
fn a_comment_is_typed_pasted_and_saved_at_once() {
    let mut model = model((80, 24));
    press(&mut model, "\ncGood q");
    update(&mut model, Message::Pasted("uestion\r\n\x1b[2J!".into()));
    let saved = press(&mut model, "\x08?\n");
    assert_eq!(saved[0].1.comment, "Good question [2J?", "keys are letters while it is typed");
    assert_eq!(saved[0].1.points, None, "a comment is no grade");
    press(&mut model, "c more");
    assert_eq!(model.typing, Some(Typing::Comment("Good question [2J? more".into())));
    assert!(press(&mut model, "\x1b").is_empty());
    assert_eq!(model.entry().grade.mark.comment, "Good question [2J?");
    update(&mut model, Message::Pasted("q".into()));
    assert!(model.typing.is_none(), "elsewhere pasted text is ignored");
}

#[test]
fn the_next_ungraded_answer_is_found_around_the_list_and_a_missing_one_is_none() {
    let mut model = model((80, 24));
    assert_eq!((model.cursor, model.progress()), (0, (0, 3)));
    let at = |model: &Model| model.entry().label.clone() + &model.entry().question.name;
    press(&mut model, "n");
    assert_eq!(at(&model), "everows", "bob did not answer");
    press(&mut model, "1n");
    assert_eq!(at(&model), "adaprecision");
    press(&mut model, "1nN");
    assert_eq!(at(&model), "adarows");
    assert!(model.note.as_ref().unwrap().text.contains("only answer"));
    press(&mut model, "1n");
    assert!(model.note.as_ref().unwrap().text.contains("every answer is graded"));
    assert_eq!(model.progress(), (3, 3));
}

#[test]
fn every_decision_can_be_undone_where_it_was_made() {
    let mut model = model((80, 24));
    press(&mut model, "\n1cWell.\nn2\x1b");
    assert_eq!(model.undo.len(), 3);
    let saved = press(&mut model, "uuu");
    assert_eq!(
        saved.iter().map(|(student, _)| &**student).collect::<Vec<_>>(),
        ["eve", "ada", "ada"]
    );
    assert_eq!(saved[1].1, Mark { comment: String::new(), ..saved[1].1.clone() });
    assert_eq!(saved[2].1, Mark::default());
    assert!(model.entries.iter().all(|entry| entry.grade.mark == Mark::default()));
    assert_eq!((model.cursor, model.page), (0, Page::Answer), "what was undone is in view");
    assert!(press(&mut model, "u").is_empty() && model.note.is_some());
}

#[test]
fn a_decision_that_was_not_saved_is_not_shown() {
    let mut model = model((80, 24));
    press(&mut model, "\n");
    let effects = update(&mut model, Message::Key(KeyCode::Char('1').into()));
    let [Effect::Save(save)] = &effects[..] else { panic!("{effects:?}") };
    let (step, problem) = (save.step.clone(), "the disk is full".to_owned());
    update(&mut model, Message::NotSaved { step, problem });
    assert_eq!((points(&model), model.undo.len()), (None, 0));
    assert!(screen(&mut model).contains("not saved: the disk is full"));
}

#[test]
fn an_answer_that_was_handed_in_again_is_to_be_graded_again() {
    let mut answers = answers();
    (answers[0].mark.points, answers[0].is_stale) = (Some(3.0), true);
    let entries = entries(answers, &[question("rows")], false);
    let mut model = Model::new(Capabilities::default(), (80, 24), entries).unwrap();
    assert!(model.entry().is_open());
    let text = screen(&mut model);
    assert!(text.contains("! ada") && text.contains("3 of 4, for another text"), "{text}");
    press(&mut model, "\n");
    assert!(screen(&mut model).contains("handed in again"));
    press(&mut model, "1");
    assert!(!model.entry().is_open());
}

#[test]
fn an_item_that_is_no_longer_in_the_rubric_still_counts_until_it_is_removed() {
    let mut answers = answers();
    let former = Item { text: "an earlier item".into(), points: 3.0 };
    (answers[0].mark.points, answers[0].mark.rubric) = (Some(3.0), vec![former]);
    let entries = entries(answers, &[question("rows")], false);
    let mut model = Model::new(Capabilities::default(), (80, 24), entries).unwrap();
    model.cursor = 0;
    press(&mut model, "\n");
    assert!(screen(&mut model).contains("4 [x] +3 an earlier item (no longer in the rubric)"));
    press(&mut model, "4");
    assert_eq!(points(&model), Some(0.0));
}

#[test]
fn anonymous_answers_show_no_student_and_their_order_tells_none() {
    let questions = [question("rows"), question("precision")];
    let entries = entries(answers(), &questions, true);
    let mut model = Model::new(Capabilities::default(), (80, 24), entries.clone()).unwrap();
    let text = screen(&mut model);
    assert!(["ada", "bob", "eve"].iter().all(|name| !text.contains(name)), "{text}");
    let students: Vec<&str> =
        entries[..3].iter().map(|entry| entry.answer.student.as_str()).collect();
    assert_ne!(students, ["ada", "bob", "eve"]);
    assert_eq!(
        entries[3].label,
        entries.iter().find(|it| it.answer.student.as_str() == "ada").unwrap().label
    );
}

#[test]
fn every_key_of_the_help_has_an_effect_on_some_page() {
    for key in KEYMAP.iter().flat_map(|binding| binding.keys) {
        let changes = |prepare: &str| {
            let mut model = model((80, 24));
            model.entries[0].answer.text = "line\n".repeat(99);
            press(&mut model, prepare);
            let measured = view::measure(&model);
            update(&mut model, Message::LaidOut(measured));
            let before = format!("{model:?}");
            let effects = update(&mut model, Message::Key(KeyEvent::new(key.code, key.modifiers)));
            !effects.is_empty() || format!("{model:?}") != before
        };
        assert!(["", "jj\n", "\nfjjjj"].iter().any(|prepare| changes(prepare)), "{key:?}");
    }
}

#[test]
fn control_and_letters_are_no_keys_and_control_c_quits() {
    let mut model = model((80, 24));
    let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
    assert!(update(&mut model, Message::Key(control('n'))).is_empty() && model.page == Page::List);
    press(&mut model, "\nc");
    assert_eq!(update(&mut model, Message::Key(control('c'))), [Effect::Quit]);
}

#[test]
fn the_list_names_every_answer_with_its_state() {
    let mut model = model((80, 20));
    press(&mut model, "\n13cA \"good\" start.\n\x1bj");
    insta::assert_snapshot!(screen(&mut model));
}

#[test]
fn an_answer_has_its_rubric_below_it_on_a_narrow_screen() {
    let mut model = model((60, 20));
    press(&mut model, "\n1cNearly.\n");
    insta::assert_snapshot!(screen(&mut model));
}

#[test]
fn an_answer_has_its_rubric_beside_it_on_a_wide_screen() {
    let mut model = model((140, 24));
    press(&mut model, "\n12cSee the note");
    insta::assert_snapshot!(screen(&mut model));
}

#[test]
fn the_keys_fit_the_smallest_screen() {
    let mut model = model((60, 22));
    press(&mut model, "?");
    let text = screen(&mut model);
    assert!(KEYMAP.iter().all(|binding| text.contains(binding.help)), "{text}");
}

#[test]
fn nothing_that_a_student_wrote_controls_the_terminal() {
    let mut model = model((80, 24));
    for keys in ["", "n"] {
        press(&mut model, keys);
        let text = screen(&mut model);
        assert!(text.contains("It is not.␛[2J\u{fffd}"), "{text}");
        assert!(!text.contains(['\x1b', '\u{202e}']), "{text}");
    }
}

#[test]
fn a_scrolled_answer_ends_with_its_last_line() {
    let mut model = model((80, 24));
    model.entries[0].answer.text = (0..50).map(|line| format!("line {line}\n")).collect();
    press(&mut model, "\n    ");
    let text = screen(&mut model);
    assert!(text.contains("line 49") && text.contains("↓ 0 more lines"), "{text}");
    press(&mut model, "k");
    assert!(!screen(&mut model).contains("line 49"), "one key back moves at once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_size_and_every_text_is_drawn(
        width in 1u16..=200,
        height in 1u16..=60,
        text in "[a-z 漢é🔬\u{300}\t\n\x1b]{0,300}",
        keys in "[1-9npcfxu0jk?\n\x1b\\[\\]]{0,12}",
    ) {
        let mut model = model((width, height));
        model.entries[0].answer.text = text.clone();
        model.entries[0].question.text = text;
        press(&mut model, &keys);
        screen(&mut model);
    }
}
