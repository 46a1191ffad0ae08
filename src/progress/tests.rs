//! The store: what is written comes back, through damage and two writers at once.

use super::*;
use crate::curriculum::ModuleId;
use crate::report::{ModuleReport, Ran, RanLink};
use crate::runner::event::{Output, RunEvent, RunKind, TestResult, Verdict};
use std::path::PathBuf;
use std::time::Duration;
use tinytorch::report::{Insight, Item};

const TENSOR: ModuleId = ModuleId(1);

fn passed_check() -> ModuleReport {
    let mut report = ModuleReport::new(TENSOR);
    let result = TestResult {
        name: "test_unit_add".into(),
        verdict: Verdict::Passed,
        output: Output::default(),
        took: Duration::from_millis(3),
    };
    let expected = vec![result.name.clone()];
    report.apply(&RunEvent::Started { module: TENSOR, kind: RunKind::Check, expected });
    report.apply(&RunEvent::Built { success: true, took: Duration::ZERO });
    report.apply(&RunEvent::Test(result));
    report.apply(&RunEvent::Finished);
    report
}

struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("progress.db")
    }

    fn open(&self) -> Store {
        let (store, set_aside) = Store::open(&self.path()).unwrap();
        assert_eq!(set_aside, None);
        store
    }
}

#[test]
fn a_check_is_remembered_with_the_text_it_was_of() {
    let lab = Lab::new();
    lab.open().record_check(&passed_check(), "fn add() {}").unwrap();
    let store = lab.open();
    let standing = store.standing(TENSOR, "fn add() {}").unwrap().unwrap();
    assert_eq!((&*standing.outcome, standing.passed, standing.expected), ("passed", 1, 1));
    assert!(standing.current);
    assert!(!store.standing(TENSOR, "fn add() { todo!() }").unwrap().unwrap().current);
    assert_eq!(store.standing(ModuleId(2), "").unwrap(), None);
}

#[test]
fn measurements_choices_hints_and_answers_come_back() {
    let lab = Lab::new();
    let mut store = lab.open();
    let item = Item::Insight(Insight { text: "Rows are faster.".into() });
    store.record_analysis(TENSOR, "analyze_layout", std::slice::from_ref(&item), "text").unwrap();
    store.record_analysis(TENSOR, "analyze_layout", std::slice::from_ref(&item), "text").unwrap();
    store.record_hint(TENSOR, "tensor-add", 2).unwrap();
    store.record_hint(TENSOR, "tensor-add", 1).unwrap();
    store.record_answer(TENSOR, "cache-lines").unwrap();
    store.record_answer(TENSOR, "cache-lines").unwrap();
    store.set("module", "01_tensor").unwrap();
    let store = lab.open();
    assert_eq!(store.measurements(TENSOR, "text").unwrap(), [("analyze_layout".into(), item)]);
    assert_eq!(store.measurements(TENSOR, "another text").unwrap(), []);
    assert_eq!(store.hints_shown(TENSOR, "tensor-add").unwrap(), 2);
    assert_eq!(store.answered(TENSOR).unwrap(), ["cache-lines"]);
    assert_eq!(store.get("module").unwrap().as_deref(), Some("01_tensor"));
}

#[test]
fn a_damaged_store_is_set_aside_whole_and_said() {
    let lab = Lab::new();
    drop(lab.open());
    let garbage = vec![0xAB; 8192];
    std::fs::write(lab.path(), &garbage).unwrap();
    let (store, set_aside) = Store::open(&lab.path()).unwrap();
    let set_aside = set_aside.unwrap();
    assert_eq!(std::fs::read(&set_aside.kept_as).unwrap(), garbage);
    assert!(set_aside.kept_as.ends_with("progress.damaged-1.db"), "{set_aside:?}");
    assert_eq!(store.attempts(TENSOR).unwrap(), 0);
}

#[test]
fn a_store_with_a_damaged_page_is_set_aside() {
    let lab = Lab::new();
    let mut store = lab.open();
    for number in 0..200 {
        store.record_check(&passed_check(), &format!("text {number}")).unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(lab.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x55);
    std::fs::write(lab.path(), &bytes).unwrap();
    let (_, set_aside) = Store::open(&lab.path()).unwrap();
    assert!(set_aside.is_some());
}

#[test]
fn a_database_of_another_program_is_not_written_into() {
    let lab = Lab::new();
    let foreign = rusqlite::Connection::open(lab.path()).unwrap();
    foreign.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    drop(foreign);
    let (_, set_aside) = Store::open(&lab.path()).unwrap();
    let foreign = rusqlite::Connection::open(set_aside.unwrap().kept_as).unwrap();
    let tables: i32 =
        foreign.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let lab = Lab::new();
    drop(lab.open());
    let connection = rusqlite::Connection::open(lab.path()).unwrap();
    connection.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(connection);
    let failure = Store::open(&lab.path()).unwrap_err();
    assert!(failure.message.contains("newer tinytorch-tutor (format 99"), "{failure}");
    assert!(lab.path().exists());
}

#[test]
fn two_tutors_write_into_one_store() {
    let lab = Lab::new();
    let path = lab.path();
    drop(lab.open());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut store, _) = Store::open(&path).unwrap();
                for number in 0..25 {
                    store.record_check(&passed_check(), &number.to_string()).unwrap();
                }
            });
        }
    });
    assert_eq!(lab.open().attempts(TENSOR).unwrap(), 50);
}

#[test]
fn two_tutors_that_start_at_once_make_one_store() {
    let lab = Lab::new();
    let path = lab.path();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (mut store, set_aside) = Store::open(&path).unwrap();
                assert_eq!(set_aside, None);
                store.record_check(&passed_check(), "text").unwrap();
            });
        }
    });
    assert_eq!(lab.open().attempts(TENSOR).unwrap(), 4);
}

#[test]
fn the_last_run_of_a_milestone_is_remembered_for_each_engine() {
    let lab = Lab::new();
    let mut store = lab.open();
    let link = RanLink { module: TENSOR, mine: true, reason: None };
    let items = vec![Item::Insight(Insight { text: "it learns".into() })];
    let mine = Ran { achieved: true, seconds: Some(0.5), links: vec![link], items };
    let slower = Ran { seconds: Some(0.7), ..mine.clone() };
    store.record_milestone("1986_mlp", "mine", "a", &slower).unwrap();
    store.record_milestone("1986_mlp", "mine", "b", &mine).unwrap();
    store.record_milestone("1986_mlp", "reference", "c", &slower).unwrap();
    drop(store);
    let store = lab.open();
    assert_eq!(store.milestone("1986_mlp", "mine").unwrap(), Some(("b".into(), mine)));
    assert_eq!(store.milestone("1986_mlp", "reference").unwrap(), Some(("c".into(), slower)));
    assert_eq!(store.milestone("1998_cnn", "mine").unwrap(), None);
}
