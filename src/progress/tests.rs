//! The store: what is written is read again, despite damage and with two writers at once.

use super::schema::{APPLICATION, MIGRATIONS};
use super::*;
use crate::curriculum::ModuleId;
use crate::report::shared::{Shared, Stopped};
use crate::report::{ModuleReport, Part, Ran, RanModule, Written, mlperf};
use crate::runner::event::{Expected, Output, RunEvent, RunKind, TestResult, Verdict};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tinytorch::report::{Insight, Item};

const TENSOR: ModuleId = ModuleId(1);

fn passed_check() -> ModuleReport {
    check(&[("test_unit_add", Verdict::Passed)])
}

fn check(verdicts: &[(&str, Verdict)]) -> ModuleReport {
    let mut report = ModuleReport::new(TENSOR);
    let expected = verdicts.iter().map(|(name, _)| Expected::new(name)).collect();
    report.apply(&RunEvent::Started { module: TENSOR, kind: RunKind::Check, expected });
    report.apply(&RunEvent::Built { success: true, took: Duration::ZERO });
    for (name, verdict) in verdicts.iter().cloned() {
        let (name, took) = (name.to_owned(), Duration::from_millis(3));
        report.apply(&RunEvent::Test(TestResult {
            name,
            verdict,
            output: Output::default(),
            took,
        }));
    }
    report.apply(&RunEvent::Finished);
    report
}

/// An entry of TinyMLPerf.
fn entry(at: i64) -> mlperf::Entry {
    let (parameters, backend) = (1, "plain".to_owned());
    let counted = tinytorch::submission::Evidence {
        parameters,
        bytes: 4,
        positions: 0.1,
        backend,
        ..Default::default()
    };
    mlperf::Entry {
        event: "mlp_sprint".into(),
        name: "a".into(),
        at,
        machine: String::new(),
        pairs: vec![[0.1, 0.3]],
        quality: 97.5,
        counted: [counted.clone(), counted],
        score: [1.0 / 3.0; 3],
        techniques: vec![],
        code: None,
    }
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
fn a_check_is_recorded_with_the_text_that_was_checked() {
    let lab = Lab::new();
    lab.open().record_check(&passed_check(), "fn add() {}").unwrap();
    let store = lab.open();
    let last_check = store.last_check(TENSOR, "fn add() {}").unwrap().unwrap();
    assert_eq!((&*last_check.outcome, last_check.passed, last_check.expected), ("passed", 1, 1));
    assert!(last_check.current);
    assert!(!store.last_check(TENSOR, "fn add() { todo!() }").unwrap().unwrap().current);
    assert_eq!(store.last_check(ModuleId(2), "").unwrap(), None);
}

#[test]
fn the_tests_that_pass_are_those_of_the_last_check() {
    let lab = Lab::new();
    let mut store = lab.open();
    let failed = Verdict::Failed { message: "no".into(), at: None };
    assert_eq!(store.passing(TENSOR).unwrap(), [""; 0]);
    let first = check(&[("a", Verdict::Passed), ("b", Verdict::Passed)]);
    store.record_check(&first, "text").unwrap();
    store.record_check(&check(&[("a", failed), ("b", Verdict::Passed)]), "text").unwrap();
    assert_eq!(store.passing(TENSOR).unwrap(), ["b"]);
    assert_eq!(store.passing(ModuleId(2)).unwrap(), [""; 0]);
}

#[test]
fn a_fresh_clone_has_no_folder_for_the_store_yet() {
    let lab = Lab::new();
    let path = lab.0.path().join(".tinytorch/progress.db");
    Store::open(&path).unwrap().0.set("module", "01_tensor").unwrap();
    let store = Store::open(&path).unwrap().0;
    assert_eq!(store.get("module").unwrap().as_deref(), Some("01_tensor"));
}

#[test]
fn measurements_choices_hints_and_answers_are_read_again() {
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
fn every_prediction_is_kept_in_order_and_none_replaces_another() {
    let lab = Lab::new();
    let mut store = lab.open();
    for (task, part, text) in [
        ("cost", Part::Prediction, "5x"),
        ("step", Part::Prediction, "neither"),
        ("cost", Part::Prediction, "3x"),
        ("step", Part::Result, "both"),
        ("cost", Part::Prediction, "5x"),
    ] {
        store.record_written(TENSOR, task, part, text).unwrap();
    }
    store.record_written(ModuleId(2), "cost", Part::Prediction, "of another module").unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let cost = Written { predictions: texts(&["5x", "3x", "5x"]), results: vec![] };
    let step = Written { predictions: texts(&["neither"]), results: texts(&["both"]) };
    let written = lab.open().written(TENSOR).unwrap();
    assert_eq!(written, [("cost".to_owned(), cost), ("step".to_owned(), step)].into());
}

#[test]
fn a_store_of_each_earlier_version_keeps_its_content_and_accepts_predictions() {
    for version in 1..MIGRATIONS.len() {
        let lab = Lab::new();
        let connection = rusqlite::Connection::open(lab.path()).unwrap();
        connection.execute_batch(&MIGRATIONS[..version].concat()).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version};
                 INSERT INTO hints (module, cell, shown) VALUES (1, 'tensor-add', 2);"
            ))
            .unwrap();
        drop(connection);
        let mut store = lab.open();
        assert_eq!(store.hints_shown(TENSOR, "tensor-add").unwrap(), 2, "version {version}");
        store.record_written(TENSOR, "cost", Part::Prediction, "3x").unwrap();
        assert_eq!(store.written(TENSOR).unwrap().len(), 1, "version {version}");
    }
}

#[test]
fn an_entry_is_kept_once_to_the_last_digit_and_in_the_order_of_recording() {
    let lab = Lab::new();
    let mut store = lab.open();
    assert_eq!(store.record_entries(&[entry(7), entry(3)], false).unwrap(), 2);
    assert_eq!(store.record_entries(&[entry(3), entry(5)], true).unwrap(), 1);
    let kept = lab.open().entries().unwrap();
    let found: Vec<(i64, bool)> = kept.iter().map(|kept| (kept.entry.at, kept.imported)).collect();
    assert_eq!(found, [(7, false), (3, false), (5, true)]);
    assert_eq!(kept[0].entry, entry(7));
}

#[test]
fn a_damaged_store_is_set_aside_unchanged_and_reported() {
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
fn a_database_of_another_program_is_not_written_to() {
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
    let error = Store::open(&lab.path()).unwrap_err();
    assert!(error.message.contains("newer tinytorch-tutor (format 99"), "{error}");
    assert!(lab.path().exists());
}

#[test]
fn two_tutors_write_to_one_store() {
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
fn the_last_run_of_a_milestone_is_recorded_for_each_engine() {
    let lab = Lab::new();
    let mut store = lab.open();
    let tensor = RanModule { module: TENSOR, mine: true, reason: None };
    let items = vec![Item::Insight(Insight { text: "it learns".into() })];
    let mine = Ran { met: true, seconds: Some(0.5), modules: vec![tensor], items };
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

#[test]
fn an_emptied_store_is_set_aside_too_and_a_deleted_one_is_created_again() {
    let lab = Lab::new();
    lab.open().record_check(&passed_check(), "text").unwrap();
    std::fs::write(lab.path(), "").unwrap();
    let (store, set_aside) = Store::open(&lab.path()).unwrap();
    assert_eq!(set_aside.unwrap().reason, "it is empty");
    drop(store);
    std::fs::remove_file(lab.path()).unwrap();
    assert_eq!(lab.open().attempts(TENSOR).unwrap(), 0);
}

#[test]
fn reading_a_choice_neither_creates_nor_repairs_a_store() {
    let lab = Lab::new();
    assert_eq!(remembered(&lab.path(), "module"), None);
    assert!(!lab.path().exists());
    lab.open().set("module", "01_tensor").unwrap();
    assert_eq!(remembered(&lab.path(), "module").as_deref(), Some("01_tensor"));
    std::fs::write(lab.path(), [0xAB; 8192]).unwrap();
    assert_eq!(remembered(&lab.path(), "module"), None);
    let (_, set_aside) = Store::open(&lab.path()).unwrap();
    assert!(set_aside.is_some(), "left for `open` to report");
}

#[test]
fn of_two_tutors_that_find_the_damage_one_sets_it_aside() {
    for round in 0..5 {
        let lab = Lab::new();
        let path = lab.path();
        drop(lab.open());
        std::fs::write(&path, [0xAB; 8192]).unwrap();
        let together = std::sync::Barrier::new(4);
        let found: usize = std::thread::scope(|scope| {
            let open = || {
                together.wait();
                let (mut store, set_aside) = Store::open(&path).unwrap();
                store.record_check(&passed_check(), "text").unwrap();
                usize::from(set_aside.is_some())
            };
            let tutors: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            tutors.into_iter().map(|tutor| tutor.join().unwrap()).sum()
        });
        assert_eq!((found, lab.open().attempts(TENSOR).unwrap()), (1, 4), "round {round}");
    }
}

/// Names the store that a process of this test writes to.
const WRITE_INTO: &str = "TINYTORCH_TEST_WRITE_INTO";
/// Printed once a check is recorded.
const ACKNOWLEDGED: &str = "acknowledged";

/// Another process that records checks until it is killed, and prints a line after each.
fn writer(lab: &Lab) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "progress::tests::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(WRITE_INTO, lab.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, lines.filter(|line| line.ends_with(ACKNOWLEDGED)))
}

#[test]
#[ignore = "a process that other tests start and kill"]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(WRITE_INTO) else { return };
    let (mut store, set_aside) = Store::open(path.as_ref()).unwrap();
    assert_eq!(set_aside, None);
    for at in 0.. {
        store.record_check(&passed_check(), "text").unwrap();
        let run = i64::from(std::process::id()) << 32;
        store.record_entries(&[entry(run + 2 * at), entry(run + 2 * at + 1)], false).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{ACKNOWLEDGED}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let lab = Lab::new();
    let mut acknowledged = 0;
    for (kills, until) in [1, 2, 3, 5, 8, 13, 21, 34].into_iter().enumerate() {
        let (mut child, mut lines) = writer(&lab);
        acknowledged += lines.by_ref().take(until).count();
        child.kill().unwrap();
        // What it printed between the last line read and its end counts as well.
        acknowledged += lines.count();
        child.wait().unwrap();
        let store = lab.open();
        let attempts = store.attempts(TENSOR).unwrap();
        let in_flight = kills + 1;
        assert!(attempts >= acknowledged, "{attempts} of {acknowledged} left");
        assert!(attempts <= acknowledged + in_flight, "{attempts}, {acknowledged} acknowledged");
        let verdicts: usize = store
            .connection
            .query_row("SELECT count(*) FROM verdicts", [], |row| row.get::<_, u32>(0))
            .unwrap() as usize;
        assert_eq!(verdicts, attempts, "a check is written in one transaction");
        let entries = store.entries().unwrap().len();
        assert!(entries.is_multiple_of(2), "entries are written in one transaction");
        assert!(entries >= 2 * acknowledged, "{entries} entries of {acknowledged} pairs left");
    }
}

#[test]
fn two_processes_write_to_one_store_and_one_is_killed() {
    let lab = Lab::new();
    let (mut first, mut lines_of_first) = writer(&lab);
    let (mut second, mut lines_of_second) = writer(&lab);
    let mut acknowledged = lines_of_first.by_ref().take(10).count();
    acknowledged += lines_of_second.by_ref().take(10).count();
    first.kill().unwrap();
    acknowledged += lines_of_first.count();
    acknowledged += lines_of_second.by_ref().take(10).count();
    second.kill().unwrap();
    acknowledged += lines_of_second.count();
    first.wait().unwrap();
    second.wait().unwrap();
    let attempts = lab.open().attempts(TENSOR).unwrap();
    assert!((acknowledged..=acknowledged + 2).contains(&attempts), "{attempts}, {acknowledged}");
}

fn failed_check(text: &str, store: &mut Store) {
    let failed = Verdict::Failed { message: "left: /home/ada".into(), at: None };
    let report = check(&[("test_unit_add", failed), ("test_unit_sum", Verdict::Passed)]);
    store.record_check(&report, text).unwrap();
}

#[test]
fn nothing_is_shared_before_the_learner_agrees_and_nothing_after_a_change_of_mind() {
    let lab = Lab::new();
    let file = shared_file(&lab.path());
    let mut store = lab.open();
    failed_check("a", &mut store);
    assert_eq!((store.shares().unwrap(), file.exists()), (None, false));
    store.share(true).unwrap();
    failed_check("b", &mut store);
    store.record_hint(TENSOR, "tensor-add", 2).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let shared = Shared::parse(text.as_bytes()).unwrap();
    assert_eq!(shared, store.shared().unwrap());
    let [exercise] = &shared.exercises[..] else { panic!("{text}") };
    assert_eq!((exercise.attempts, exercise.hints, exercise.completed), (2, 2, false));
    assert_eq!(exercise.tests["test_unit_add"], Stopped { attempts: 2, last: true });
    assert!(!text.contains("ada") && !text.contains("left"), "no messages: {text}");
    store.share(false).unwrap();
    assert!(!file.exists());
    failed_check("c", &mut store);
    assert_eq!((lab.open().shares().unwrap(), file.exists()), (Some(false), false));
}

#[test]
fn a_file_that_outlived_its_consent_is_removed_at_the_next_check() {
    let lab = Lab::new();
    let mut store = lab.open();
    store.share(true).unwrap();
    drop(store);
    std::fs::write(lab.path(), [0xAB; 8192]).unwrap();
    let (mut store, set_aside) = Store::open(&lab.path()).unwrap();
    assert!(set_aside.is_some() && store.shares().unwrap().is_none());
    failed_check("a", &mut store);
    assert!(!shared_file(&lab.path()).exists());
}

#[test]
fn attempts_of_the_previous_version_count_without_what_stopped_them() {
    let lab = Lab::new();
    let version = MIGRATIONS.len() - 1;
    let connection = rusqlite::Connection::open(lab.path()).unwrap();
    connection.execute_batch(&MIGRATIONS[..version].concat()).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version};
             INSERT INTO attempts (at, module, fingerprint, outcome, passed, expected)
             VALUES (1000, 1, 'a', 'unfinished', 0, 1), (1060, 1, 'b', 'does_not_compile', 0, 1),
                 (1090, 1, 'c', 'of_another_version', 0, 1);"
        ))
        .unwrap();
    drop(connection);
    let mut store = lab.open();
    let [old] = &store.shared().unwrap().exercises[..] else { panic!("one exercise") };
    assert_eq!((old.attempts, old.seconds, old.tests.len()), (2, 60, 0));
    failed_check("d", &mut store);
    let [new] = &store.shared().unwrap().exercises[..] else { panic!("one exercise") };
    assert_eq!((new.attempts, new.tests.len()), (3, 1));
}
