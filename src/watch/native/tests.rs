//! Real files and real events: saves as editors make them.

use super::*;
use std::fs;
use std::sync::mpsc;

/// Long enough for the slowest machine; a test that passes never waits that long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Lab {
    folder: tempfile::TempDir,
    changes: mpsc::Receiver<Change>,
    _watch: Watch,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("exercises/01_tensor.rs");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, "one").unwrap();
        let (sink, changes) = mpsc::channel();
        let watch = start(vec![file], move |change| drop(sink.send(change))).unwrap();
        let lab = Self { folder, changes, _watch: watch };
        assert!(matches!(lab.next(), Change::Mode(_)));
        lab
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("exercises/01_tensor.rs")
    }

    fn next(&self) -> Change {
        self.changes.recv_timeout(PATIENCE).unwrap()
    }
}

#[test]
fn a_save_in_place_and_a_save_by_rename_are_both_seen() {
    let lab = Lab::new();
    fs::write(lab.file(), "two").unwrap();
    assert_eq!(lab.next(), Change::Saved(lab.file()));
    for text in ["three", "four"] {
        let draft = lab.folder.path().join("exercises/.01_tensor.rs.swp");
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, lab.file()).unwrap();
        assert_eq!(lab.next(), Change::Saved(lab.file()));
    }
}

#[test]
fn a_save_through_a_backup_file_is_one_save() {
    let lab = Lab::new();
    fs::rename(lab.file(), lab.folder.path().join("exercises/01_tensor.rs~")).unwrap();
    fs::write(lab.file(), "two").unwrap();
    assert_eq!(lab.next(), Change::Saved(lab.file()));
    fs::write(lab.file(), "three").unwrap();
    assert_eq!(lab.next(), Change::Saved(lab.file()), "no change in between");
}

#[test]
fn a_deleted_file_is_gone_and_comes_back() {
    let lab = Lab::new();
    fs::remove_file(lab.file()).unwrap();
    assert_eq!(lab.next(), Change::Gone(lab.file()));
    fs::write(lab.file(), "one").unwrap();
    assert_eq!(lab.next(), Change::Saved(lab.file()));
}

#[test]
fn a_folder_that_was_replaced_is_watched_again() {
    let lab = Lab::new();
    let folder = lab.folder.path().join("exercises");
    fs::rename(&folder, lab.folder.path().join("elsewhere")).unwrap();
    assert_eq!(lab.next(), Change::Gone(lab.file()));
    fs::create_dir(&folder).unwrap();
    fs::write(lab.file(), "two").unwrap();
    assert_eq!(lab.next(), Change::Saved(lab.file()));
    fs::write(lab.file(), "three").unwrap();
    assert_eq!(lab.next(), Change::Saved(lab.file()));
}

#[test]
fn the_last_of_many_saves_in_a_row_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("01_tensor.rs");
    fs::write(&file, "first").unwrap();
    let (sink, texts) = mpsc::channel();
    let _watch = start(vec![file.clone()], move |change| {
        if let Change::Saved(path) = change {
            let _ = sink.send(fs::read_to_string(path).unwrap());
        }
    })
    .unwrap();
    for round in 0..500 {
        fs::write(&file, format!("text {round}")).unwrap();
    }
    fs::write(&file, "last").unwrap();
    while texts.recv_timeout(PATIENCE).unwrap() != "last" {}
}

#[test]
fn no_trial_file_is_left_behind() {
    let lab = Lab::new();
    let names = fs::read_dir(lab.folder.path().join("exercises")).unwrap();
    assert_eq!(names.count(), 1);
}
