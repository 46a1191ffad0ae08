//! What is kept, what survives, what is refused.

use super::*;
use crate::classroom::StudentId;
use crate::classroom::result::{CellResult, Outcome, SubmissionResult};
use crate::classroom::rubric::Item;
use rusqlite::Connection;
use std::path::PathBuf;

fn result(submitted: i64, cells: Vec<CellResult>) -> SubmissionResult {
    SubmissionResult {
        schema: 1,
        student: id("ada"),
        module: "01_tensor".into(),
        submitted,
        late: false,
        fingerprint: "00".into(),
        sandboxed: true,
        cells,
    }
}

fn id(text: &str) -> StudentId {
    text.to_owned().try_into().unwrap()
}

fn cells(first: Outcome) -> Vec<CellResult> {
    vec![
        CellResult::new("test-new", 6, first, "a message"),
        CellResult::new("test-add", 5, Outcome::GraderFault, ""),
    ]
}

fn by_hand(grade_id: &str, points: Option<f64>, comment: Option<&str>) -> Manual {
    let comment = comment.map(str::to_owned);
    let (student, module, grade_id) = (id("ada"), "01_tensor".to_owned(), grade_id.to_owned());
    Manual { student, module, grade_id, max_points: 6, points, comment }
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("gradebook.db")
    }

    fn open(&self) -> Gradebook {
        Gradebook::open(&self.path()).unwrap()
    }
}

#[test]
fn a_result_is_read_again_cell_by_cell() {
    let desk = Desk::new();
    let imported = desk.open().import(&result(10, cells(Outcome::Passed))).unwrap();
    assert_eq!(imported, Imported::New);
    let grades = desk.open().grades().unwrap();
    let [grade] = &grades[..] else { panic!("one grade: {grades:#?}") };
    assert_eq!((grade.student.as_str(), &*grade.module), ("ada", "01_tensor"));
    assert_eq!((grade.submitted, grade.late, grade.sandboxed), (10, false, true));
    let cells: Vec<_> =
        grade.cells.iter().map(|cell| (&*cell.grade_id, cell.automatic, cell.outcome)).collect();
    let expected = [
        ("test-new", Some(6), Some(Outcome::Passed)),
        ("test-add", None, Some(Outcome::GraderFault)),
    ];
    assert_eq!(cells, expected);
    let score = grade.score();
    assert_eq!((score.points, score.max_points, score.ungraded), (6.0, 11, 1));
}

#[test]
fn what_the_instructor_gave_survives_every_regrade() {
    let desk = Desk::new();
    let mut book = desk.open();
    book.import(&result(10, cells(Outcome::Failed))).unwrap();
    book.give(&by_hand("test-new", Some(2.5), Some("a good try"))).unwrap();
    book.give(&by_hand("tensor-question", Some(4.0), None)).unwrap();
    let imported = book.import(&result(10, cells(Outcome::Passed))).unwrap();
    assert_eq!(imported, Imported::Replaced);
    let fewer = vec![CellResult::new("test-other", 1, Outcome::Passed, "")];
    book.import(&result(11, fewer)).unwrap();
    let grade = &desk.open().grades().unwrap()[0];
    let kept: Vec<_> =
        grade.cells.iter().map(|cell| (&*cell.grade_id, cell.manual, &*cell.comment)).collect();
    let expected = [
        ("test-other", None, ""),
        ("tensor-question", Some(4.0), ""),
        ("test-new", Some(2.5), "a good try"),
    ];
    assert_eq!(kept, expected);
    assert_eq!(grade.score().points, 7.5);
}

#[test]
fn points_by_hand_replace_those_of_the_tests_until_they_are_taken_back() {
    let desk = Desk::new();
    let mut book = desk.open();
    book.import(&result(10, cells(Outcome::Passed))).unwrap();
    book.give(&by_hand("test-new", None, Some("see me"))).unwrap();
    let score = |book: &Gradebook| book.grades().unwrap()[0].cells[0].score();
    assert_eq!(score(&book), Some(6.0), "a comment changes no points");
    book.give(&by_hand("test-new", Some(1.0), None)).unwrap();
    assert_eq!(score(&book), Some(1.0));
    book.give(&by_hand("test-new", None, Some("see me again"))).unwrap();
    assert_eq!(score(&book), Some(1.0), "nor does it take any back");
    book.take_back(&id("ada"), "01_tensor", "test-new").unwrap();
    assert_eq!(score(&book), Some(6.0));
    assert_eq!(book.grades().unwrap()[0].cells[0].comment, "see me again");
}

#[test]
fn points_that_a_cell_cannot_have_are_refused() {
    let desk = Desk::new();
    let mut book = desk.open();
    let unknown = book.give(&by_hand("test-new", Some(1.0), None)).unwrap_err();
    assert!(unknown.message.contains("no result of ada for 01_tensor"), "{unknown}");
    book.import(&result(10, cells(Outcome::Passed))).unwrap();
    for points in [-1.0, 6.5, f64::NAN, f64::INFINITY] {
        let error = book.give(&by_hand("test-new", Some(points), None)).unwrap_err();
        assert!(error.hints[0].contains("0 to 6"), "{error}");
    }
}

#[test]
fn the_result_of_an_earlier_submission_does_not_replace_a_later_one() {
    let desk = Desk::new();
    let mut book = desk.open();
    book.import(&result(20, cells(Outcome::Passed))).unwrap();
    assert_eq!(book.import(&result(10, vec![])).unwrap(), Imported::Older);
    assert_eq!(book.grades().unwrap()[0].cells.len(), 2);
}

#[test]
fn a_file_that_is_no_gradebook_is_refused_and_not_changed() {
    let desk = Desk::new();
    std::fs::write(desk.path(), "these are my notes, and no database at all").unwrap();
    assert!(Gradebook::open(&desk.path()).unwrap_err().hints[0].contains("no gradebook"));
    assert!(std::fs::read_to_string(desk.path()).unwrap().starts_with("these are my notes"));
    std::fs::remove_file(desk.path()).unwrap();
    let other = Connection::open(desk.path()).unwrap();
    other.execute_batch("CREATE TABLE theirs (a)").unwrap();
    let error = Gradebook::open(&desk.path()).unwrap_err();
    assert!(error.message.contains("another program"), "{error}");
    drop(other);
    std::fs::remove_file(desk.path()).unwrap();
    desk.open().connection.execute_batch("PRAGMA user_version = 99").unwrap();
    let error = Gradebook::open(&desk.path()).unwrap_err();
    assert!(error.message.contains("format 99"), "{error}");
}

fn cell_of(book: &Gradebook, number: usize) -> (Option<u32>, Option<f64>, String) {
    let cell = &book.grades().unwrap()[0].cells[number];
    (cell.automatic, cell.manual, cell.comment.clone())
}

#[test]
fn one_cell_is_graded_again_and_everything_else_stays() {
    let desk = Desk::new();
    let mut book = desk.open();
    let first = |outcome| {
        vec![
            CellResult::new("test-new", 6, outcome, ""),
            CellResult::new("test-add", 5, Outcome::Passed, ""),
        ]
    };
    book.import(&result(10, first(Outcome::Failed))).unwrap();
    book.give(&by_hand("test-new", None, Some("see me"))).unwrap();
    book.give(&Manual { max_points: 5, ..by_hand("test-add", Some(2.5), None) }).unwrap();
    let mut again = result(10, first(Outcome::Passed));
    again.cells[1] = CellResult::new("test-add", 5, Outcome::Failed, "changed too");
    let Regraded::Changed(change) = book.regrade(&again, "test-new").unwrap() else {
        panic!("the points changed")
    };
    assert_eq!(change.before, Some(CellResult::new("test-new", 6, Outcome::Failed, "")));
    assert_eq!(change.after.points, Some(6));
    assert_eq!(cell_of(&book, 0), (Some(6), None, "see me".into()));
    assert_eq!(cell_of(&book, 1), (Some(5), Some(2.5), String::new()), "the other cell stays");
    assert_eq!(book.regrade(&again, "test-new").unwrap(), Regraded::Same);
    assert_eq!(desk.open().changes().unwrap(), [change], "a change is kept, once");
}

#[test]
fn a_cell_is_not_graded_again_by_the_result_of_another_text_nor_by_a_fault() {
    let desk = Desk::new();
    let mut book = desk.open();
    book.import(&result(10, cells(Outcome::Passed))).unwrap();
    let mut other = result(10, cells(Outcome::Failed));
    let fault = book.regrade(&other, "test-add").unwrap();
    assert_eq!(fault, Regraded::Fault(String::new()));
    assert_eq!(book.regrade(&other, "test-none").unwrap(), Regraded::NoSuchCell);
    other.fingerprint = "11".into();
    assert_eq!(book.regrade(&other, "test-new").unwrap(), Regraded::OtherText);
    other.student = id("bob");
    assert_eq!(book.regrade(&other, "test-new").unwrap(), Regraded::OtherText);
    assert_eq!(cell_of(&book, 0), (Some(6), None, String::new()));
    assert!(book.changes().unwrap().is_empty());
}

fn answer(name: &str, text: &str) -> Answer {
    let (student, module, grade_id) = (id("ada"), "01_tensor".to_owned(), format!("answer-{name}"));
    Answer { student, module, grade_id, max_points: 4, text: text.into() }
}

fn mark(points: Option<f64>) -> Mark {
    let item = Item { text: "names it".into(), points: 2.0 };
    Mark { points, rubric: vec![item], comment: "good".into() }
}

#[test]
fn an_answer_counts_as_ungraded_until_it_is_graded_and_a_missing_one_as_zero_points() {
    let desk = Desk::new();
    let mut book = desk.open();
    book.import(&result(10, vec![CellResult::new("test-new", 6, Outcome::Passed, "")])).unwrap();
    let (given, missing) = (answer("a", "Rows."), answer("b", ""));
    assert!(book.ask(&[given.clone(), missing]).unwrap().is_empty());
    let score = book.grades().unwrap()[0].score();
    assert_eq!((score.points, score.max_points, score.ungraded), (6.0, 14, 1));
    book.mark(&given, &mark(Some(3.0))).unwrap();
    let grade = &desk.open().grades().unwrap()[0];
    assert_eq!((grade.score().points, grade.score().ungraded), (9.0, 0));
    let cell = &grade.cells[1];
    assert_eq!((&*cell.message, &*cell.comment, cell.rubric.len()), ("Rows.", "good", 1));
    book.mark(&given, &Mark::default()).unwrap();
    assert_eq!(book.grades().unwrap()[0].score().ungraded, 1, "it can be taken back");
    let error = book.mark(&given, &mark(Some(4.5))).unwrap_err();
    assert!(error.hints[0].contains("0 to 4"), "{error}");
}

#[test]
fn a_mark_survives_a_regrade_and_a_new_text_which_is_pointed_out() {
    let desk = Desk::new();
    let mut book = desk.open();
    book.import(&result(10, cells(Outcome::Failed))).unwrap();
    book.ask(&[answer("a", "Rows."), answer("b", "Columns.")]).unwrap();
    book.mark(&answer("a", "Rows."), &mark(Some(3.0))).unwrap();
    book.import(&result(11, cells(Outcome::Passed))).unwrap();
    let of = |book: &Gradebook| {
        let all = book.answers().unwrap().into_iter();
        all.map(|it| (it.answer.grade_id, it.mark.points, it.is_stale)).collect::<Vec<_>>()
    };
    let expected = [("answer-a".into(), Some(3.0), false), ("answer-b".into(), None, false)];
    assert_eq!(of(&book), expected);
    book.ask(&[answer("a", "Rows!"), answer("c", "")]).unwrap();
    let expected = [("answer-a".into(), Some(3.0), true), ("answer-c".into(), None, false)];
    assert_eq!(of(&book), expected, "what is no longer asked and has no mark is gone");
    book.ask(&[answer("c", "")]).unwrap();
    assert_eq!(book.answers().unwrap().len(), 2, "what has a mark stays");
    let point = Manual { max_points: 4, ..by_hand("answer-a", Some(1.0), None) };
    book.give(&point).unwrap();
    assert_eq!(of(&book)[0], ("answer-a".into(), Some(1.0), false), "graded as it is now");
}

#[test]
fn an_answer_without_a_result_is_left_out_and_named() {
    let desk = Desk::new();
    let unknown = desk.open().ask(&[answer("a", "Rows.")]).unwrap();
    assert_eq!(unknown, [answer("a", "Rows.")]);
    assert!(desk.open().answers().unwrap().is_empty());
}

#[test]
fn a_gradebook_of_the_first_version_keeps_everything() {
    let desk = Desk::new();
    let old = Connection::open(desk.path()).unwrap();
    old.execute_batch(&format!(
        "{} PRAGMA application_id = {}; PRAGMA user_version = 1;
         INSERT INTO submissions VALUES ('ada', '01_tensor', 10, 0, '00', 1);
         INSERT INTO manual VALUES ('ada', '01_tensor', 'test-new', 6, 2.5, 'close');",
        schema::MIGRATIONS[0],
        schema::APPLICATION
    ))
    .unwrap();
    drop(old);
    assert_eq!(cell_of(&desk.open(), 0), (None, Some(2.5), "close".into()));
    assert!(desk.open().answers().unwrap().is_empty());
}
