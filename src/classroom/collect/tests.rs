//! Collecting: honest submissions beside hostile ones, from every kind of source.

use super::*;
use crate::classroom::StudentId;
use crate::classroom::shared::SharedRecord;
use crate::classroom::submission::Filed;
use crate::curriculum::Course;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, SystemTime};
use tar::EntryType;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const TENSOR: &str = "01_tensor.rs";
const TEXT: &str = "// the work of one student\n";
const DEADLINE: i64 = 1_800_000_000;

/// A class of three, with a folder to collect from and one to collect to.
struct Class {
    folder: tempfile::TempDir,
    roster: Roster,
    assignments: Vec<Assignment>,
}

impl Class {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        let roster = b"id,name\nada,Ada Lovelace\nbob,Bob\neve,Eve\n";
        let modules = &Course::tinytorch().modules()[1..3];
        let of = |module| Assignment { deadline: Some(DEADLINE), ..Assignment::of(module) };
        let assignments = modules.iter().map(of).collect();
        Self { folder, roster: Roster::parse(roster).unwrap(), assignments }
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("in")
    }

    /// Writes a file that was changed at that second before the deadline.
    fn write(&self, path: &str, bytes: impl AsRef<[u8]>, early: u64) -> PathBuf {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(DEADLINE as u64 - early);
        fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        path
    }

    fn submissions(&self) -> Submissions {
        Submissions::new(&self.folder.path().join("out"))
    }

    fn collect(&self) -> Report {
        self.collect_from(&self.source())
    }

    fn collect_from(&self, source: &Path) -> Report {
        let sources = [source.to_owned()];
        collect(&sources, &self.roster, &self.assignments, &self.submissions()).unwrap()
    }

    fn collected(&self, student: &str) -> Option<String> {
        let student = StudentId::try_from(student.to_owned()).unwrap();
        fs::read_to_string(self.submissions().file(&student, "01_tensor")).ok()
    }

    /// The reason for the refusal of the file at this path.
    #[track_caller]
    fn refusal(report: &Report, path: &str) -> String {
        let found = report.refused.iter().find(|problem| problem.path == path);
        found.unwrap_or_else(|| panic!("{path}: {report:#?}")).reason.clone()
    }
}

/// A tar.gz archive; the link's target is used for links alone.
fn tar_gz(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        // `set_path` refuses the names that are tried here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_link_name_literal("/etc/passwd").unwrap();
        header.set_size(bytes.len() as u64);
        header.set_mtime(DEADLINE as u64 - 60);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn submissions_are_found_in_labs_archives_and_flat_files() {
    let class = Class::new();
    class.write("ada/exercises/01_tensor.rs", "ada's", 60);
    class.write("ada/lessons/01_tensor.md", "text", 60);
    class.write("ada/.tinytorch/mine/01_tensor.rs", "hidden", 1);
    class.write("bob.zip", zip(&[("lab/exercises/01_tensor.rs", b"bob's")]), 60);
    class.write("eve_01_tensor.rs", "eve's", 60);
    let report = class.collect();
    for student in ["ada", "bob", "eve"] {
        assert_eq!(class.collected(student), Some(format!("{student}'s")), "{report:#?}");
    }
    assert!(report.collected.iter().all(|found| found.filed == Filed::New && !found.late));
    assert_eq!((report.refused.len(), report.misnamed.len()), (0, 0), "{report:#?}");
    let missing: Vec<_> = report.missing.iter().map(|missing| &missing.modules[..]).collect();
    assert_eq!(missing, [["02_activations"]; 3]);
    assert!(class.collect().collected.iter().all(|found| found.filed == Filed::Same));
}

#[test]
fn an_archive_of_the_class_may_hold_the_archives_of_students() {
    let class = Class::new();
    let inner = tar_gz(&[(TENSOR, EntryType::Regular, b"bob's")]);
    let entries: [(&str, &[u8]); 3] = [
        ("all/Ada Lovelace_17_assignsubmission_file_/01_tensor.rs", b"ada's"),
        ("all/Bob_18_assignsubmission_file_/lab.tar.gz", &inner),
        ("all/Mallory_19_assignsubmission_file_/01_tensor.rs", b"mallory's"),
    ];
    let source = class.write("submissions.zip", zip(&entries), 60);
    let report = class.collect_from(&source);
    assert_eq!(class.collected("ada").as_deref(), Some("ada's"));
    assert_eq!(class.collected("bob").as_deref(), Some("bob's"));
    assert_eq!(report.misnamed.len(), 1, "{report:#?}");
    assert!(report.misnamed[0].reason.contains("no student of the roster"));
}

#[test]
fn a_students_archive_cannot_hand_in_for_another_one() {
    let class = Class::new();
    let forged = zip(&[("bob/01_tensor.rs", b"forged")]);
    class.write("eve.zip", &forged, 60);
    class.write("notes.zip", &forged, 60);
    let report = class.collect();
    assert_eq!(class.collected("bob"), None);
    assert_eq!(class.collected("eve").as_deref(), Some("forged"));
    assert_eq!(report.misnamed[0].path, "in/notes.zip/bob/01_tensor.rs");
}

#[test]
fn the_time_of_a_students_archive_counts_and_not_what_it_says_inside() {
    let class = Class::new();
    // Inside it says: a minute before the deadline.
    let bytes = tar_gz(&[(TENSOR, EntryType::Regular, b"late")]);
    let path = class.write("ada.tar.gz", &bytes, 0);
    assert!(!class.collect().collected[0].late, "at the deadline is on time");
    let late = SystemTime::UNIX_EPOCH + Duration::from_secs(DEADLINE as u64 + 1);
    for source in [class.source(), path.clone()] {
        let class = Class { folder: tempfile::tempdir().unwrap(), ..Class::new() };
        fs::File::options().append(true).open(&path).unwrap().set_modified(late).unwrap();
        assert!(class.collect_from(&source).collected[0].late, "{}", source.display());
    }
}

#[test]
fn of_two_files_the_later_one_counts_and_both_are_listed() {
    let class = Class::new();
    class.write("ada/new/01_tensor.rs", "new", 10);
    class.write("ada/old/01_tensor.rs", "old", 20);
    let report = class.collect();
    assert_eq!(class.collected("ada").as_deref(), Some("new"));
    assert_eq!(report.duplicates.len(), 1);
    assert!(report.duplicates[0].reason.contains("the other is later"), "{report:#?}");
    class.write("ada/newest/01_tensor.rs", "newest", 5);
    let report = class.collect();
    assert_eq!(class.collected("ada").as_deref(), Some("newest"));
    assert_eq!(report.collected.len(), 1, "{report:#?}");
    let place = class.folder.path().join("out/ada/01_tensor/earlier");
    let kept = fs::read_to_string(place.join("01_tensor.1.rs"));
    assert_eq!(kept.unwrap(), "new", "what was replaced is kept");
}

#[test]
fn a_misnamed_exercise_is_listed_with_its_right_name() {
    let class = Class::new();
    for name in ["01_Tensor.rs", "01_tensor (1).rs", "tensor.rs"] {
        class.write(&format!("ada/{name}"), TEXT, 60);
    }
    let report = class.collect();
    let reasons: Vec<&str> = report.misnamed.iter().map(|found| &*found.reason).collect();
    assert_eq!(reasons, ["if it is the exercise, name it 01_tensor.rs"; 3]);
    assert_eq!(class.collected("ada"), None);
}

#[test]
fn what_an_update_left_beside_an_exercise_is_listed_only_where_the_exercise_is_missing() {
    let class = Class::new();
    for name in ["01_tensor.rs", "01_tensor.new.rs", "01_tensor.new.1.rs", "01_tensor.3.rs"] {
        class.write(&format!("ada/exercises/{name}"), name, 60);
    }
    class.write("bob.zip", zip(&[("exercises/01_tensor.new.rs", b"bob's")]), 60);
    let report = class.collect();
    assert_eq!(class.collected("ada").as_deref(), Some("01_tensor.rs"));
    assert_eq!((report.duplicates.len(), class.collected("bob")), (0, None), "{report:#?}");
    let misnamed: Vec<&str> = report.misnamed.iter().map(|found| &*found.path).collect();
    assert_eq!(misnamed, ["in/bob.zip/exercises/01_tensor.new.rs"]);
    assert!(report.misnamed[0].reason.contains("01_tensor.rs is missing"), "{report:#?}");
}

#[test]
fn in_a_folder_links_and_special_files_are_refused_and_the_rest_is_collected() {
    let class = Class::new();
    class.write("bob/01_tensor.rs", TEXT, 60);
    let secret = class.folder.path().join("secret.rs");
    fs::write(&secret, "a secret").unwrap();
    fs::create_dir_all(class.source().join("ada")).unwrap();
    symlink(&secret, class.source().join("ada").join(TENSOR)).unwrap();
    symlink(class.source().join("bob"), class.source().join("eve")).unwrap();
    fs::hard_link(&secret, class.source().join("ada/02_activations.rs")).unwrap();
    let fifo = class.source().join("ada/fifo.zip");
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(class.source().join("ada/s")).unwrap();
    let report = class.collect();
    let reason = |path: &str| Class::refusal(&report, &format!("in/{path}"));
    assert!(reason("ada/01_tensor.rs").contains("symbolic link"));
    assert!(reason("ada/02_activations.rs").contains("hard link"));
    assert!(reason("ada/fifo.zip").contains("FIFO"));
    assert!(reason("ada/s").contains("socket"));
    assert!(reason("eve").contains("symbolic link"));
    assert_eq!(class.collected("bob").as_deref(), Some(TEXT));
    assert_eq!([class.collected("ada"), class.collected("eve")], [None, None]);
}

#[test]
fn in_an_archive_names_that_lead_out_links_and_devices_are_refused_and_the_rest_is_collected() {
    let class = Class::new();
    let file = EntryType::Regular;
    class.write(
        "ada.tgz",
        tar_gz(&[
            ("../../01_tensor.rs", file, b"out"),
            ("/tmp/01_tensor.rs", file, b"out"),
            ("a\\01_tensor.rs", file, b"out"),
            ("b\x1b[2J/01_tensor.rs", file, b"out"),
            ("link/01_tensor.rs", EntryType::Symlink, b""),
            ("hard/01_tensor.rs", EntryType::Link, b""),
            ("char/01_tensor.rs", EntryType::Char, b""),
            ("fifo/01_tensor.rs", EntryType::Fifo, b""),
            ("inner.zip", file, b"PK"),
            ("lab/01_tensor.rs", file, TEXT.as_bytes()),
        ]),
        60,
    );
    let entries: [(&str, &[u8]); 3] =
        [("../bob/01_tensor.rs", b"out"), ("/01_tensor.rs", b"out"), (TENSOR, b"eve's")];
    class.write("eve.zip", zip(&entries), 60);
    let report = class.collect();
    let reason = |path: &str| Class::refusal(&report, &format!("in/{path}"));
    assert!(reason("ada.tgz/../../01_tensor.rs").contains("leads out"));
    assert!(reason("ada.tgz//tmp/01_tensor.rs").contains("absolute"));
    assert!(reason("ada.tgz/a\\01_tensor.rs").contains("backslash"));
    assert!(reason("ada.tgz/b␛[2J/01_tensor.rs").contains("control character"));
    assert!(reason("ada.tgz/link/01_tensor.rs").contains("symbolic link"));
    assert!(reason("ada.tgz/hard/01_tensor.rs").contains("hard link"));
    assert!(reason("ada.tgz/char/01_tensor.rs").contains("device"));
    assert!(reason("ada.tgz/fifo/01_tensor.rs").contains("FIFO"));
    assert!(reason("ada.tgz/inner.zip").contains("archive inside an archive"));
    assert!(reason("eve.zip/../bob/01_tensor.rs").contains("leads out"));
    assert_eq!(class.collected("ada").as_deref(), Some(TEXT));
    assert_eq!(class.collected("eve").as_deref(), Some("eve's"));
    assert_eq!(class.collected("bob"), None);
    let written = fs::read_dir(class.folder.path()).unwrap().count();
    assert_eq!(written, 2, "nothing beside what was collected from and to");
}

#[test]
fn bombs_are_refused_and_the_rest_is_collected() {
    let class = Class::new();
    let file = EntryType::Regular;
    let zeros = vec![0; 2 * 1024 * 1024];
    // Each member is small enough to be skipped; together they are not.
    let many: Vec<(&str, EntryType, &[u8])> = (0..20)
        .map(|_| ("data.bin", file, &zeros[..]))
        .chain([(TENSOR, file, b"x" as _)])
        .collect();
    class.write("ada.tar.gz", tar_gz(&many), 60);
    let names: Vec<String> = (0..10_001).map(|number| format!("{number}")).collect();
    let names: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, b"" as _)).collect();
    class.write("eve.zip", zip(&names), 60);
    class.write("bob.zip", zip(&[(TENSOR, &zeros), ("02_activations.rs", b"fine")]), 60);
    class.write("ada/01_tensor.rs", vec![b' '; 2 * 1024 * 1024], 60);
    let report = class.collect();
    let reason = |path: &str| Class::refusal(&report, &format!("in/{path}"));
    assert_eq!(reason("ada.tar.gz"), "it unpacks to far more than a lab has");
    assert!(reason("eve.zip").contains("more than 10000 files"));
    assert!(reason("bob.zip/01_tensor.rs").contains("larger than an exercise"));
    assert!(reason("ada/01_tensor.rs").contains("larger than an exercise"));
    assert_eq!(report.collected.len(), 1, "{report:#?}");
    assert_eq!(report.collected[0].module, "02_activations");
}

#[test]
fn a_size_that_an_archive_claims_is_not_believed() {
    let class = Class::new();
    let mut bytes = zip(&[(TENSOR, &vec![b' '; 2 * 1024 * 1024])]);
    // The size is in the local header and in the central directory.
    let size = (2 * 1024 * 1024_u32).to_le_bytes();
    let places: Vec<usize> =
        (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at..at + 4].copy_from_slice(&9_u32.to_le_bytes()));
    class.write("ada.zip", bytes, 60);
    let report = class.collect();
    assert_eq!((report.collected.len(), report.refused.len()), (0, 1), "{report:#?}");
}

#[test]
fn text_that_is_no_source_code_is_refused_with_what_it_is() {
    let class = Class::new();
    let odd: [(&str, &[u8], &str); 4] = [
        ("ada/01_tensor.rs", b"\xff\xfe\0n\0", "UTF-16"),
        ("bob/01_tensor.rs", b"fine\nna\xefve", "line 2 is not UTF-8"),
        ("eve/01_tensor.rs", b"a\0b", "NUL"),
        ("eve/02_activations.rs", b"", ""),
    ];
    for (path, bytes, _) in odd {
        class.write(path, bytes, 60);
    }
    let report = class.collect();
    for (path, _, reason) in odd.iter().filter(|(.., reason)| !reason.is_empty()) {
        assert!(Class::refusal(&report, &format!("in/{path}")).contains(reason));
    }
    assert_eq!(report.collected.len(), 1, "an empty file is for the grader: {report:#?}");
}

#[test]
fn a_damaged_archive_is_named_and_what_was_read_before_stays() {
    let class = Class::new();
    let noise: Vec<u8> =
        (0..200_000_u32).map(|n| n.wrapping_mul(2_654_435_761) as u8 ^ (n >> 7) as u8).collect();
    let whole =
        tar_gz(&[(TENSOR, EntryType::Regular, b"whole"), ("noise", EntryType::Regular, &noise)]);
    class.write("ada.tar.gz", &whole[..whole.len() - 1000], 60);
    class.write("bob.zip", "no archive", 60);
    class.write("eve.tgz", "", 60);
    let report = class.collect();
    assert_eq!(class.collected("ada").as_deref(), Some("whole"), "{report:#?}");
    assert!(Class::refusal(&report, "in/ada.tar.gz").contains("no readable tar.gz"));
    assert!(Class::refusal(&report, "in/bob.zip").contains("no readable zip"));
    assert!(Class::refusal(&report, "in/eve.tgz").contains("no readable tar.gz"));
}

#[test]
fn a_source_that_is_no_folder_and_no_archive_is_named() {
    let class = Class::new();
    let path = class.write("notes.txt", "", 60);
    let submissions = class.submissions();
    let error = |path: &Path| {
        collect(&[path.to_owned()], &class.roster, &class.assignments, &submissions).unwrap_err()
    };
    assert!(error(&path).message.contains("neither a folder nor an archive"));
    assert!(error(&class.source().join("none")).message.contains("none"));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn whatever_bytes_an_archive_has_collecting_ends_with_a_report(
        flips in proptest::collection::vec((0_usize..600, proptest::num::u8::ANY), 1..20),
        packed in proptest::bool::ANY,
    ) {
        let class = Class::new();
        let (name, mut bytes) = match packed {
            true => ("ada.zip", zip(&[("a/01_tensor.rs", TEXT.as_bytes()), ("b.zip", b"PK")])),
            false => ("ada.tgz", tar_gz(&[(TENSOR, EntryType::Regular, TEXT.as_bytes())])),
        };
        for (at, byte) in flips {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        class.write(name, bytes, 60);
        class.collect();
        let out = class.folder.path().join("out");
        let students: Vec<_> = fs::read_dir(out).into_iter().flatten().flatten().collect();
        proptest::prop_assert!(students.iter().all(|student| student.file_name() == "ada"));
    }
}

/// What a learner with this many attempts at the first exercise shares.
fn figures(attempts: u32) -> String {
    format!(
        r#"{{"schema":1,"exercises":[{{"module":1,"completed":false,"attempts":{attempts},"seconds":60,
        "hints":0,"tests":{{}},"errors":{{}}}}]}}"#
    )
}

const SHARED: &str = ".tinytorch/progress.shared.json";

impl Class {
    /// The attempts that were collected of a student; `None` where nothing is shared.
    fn shared(&self, student: &str) -> Option<u32> {
        let student = StudentId::try_from(student.to_owned()).unwrap();
        let found = SharedRecord::find(&self.submissions(), &student).unwrap();
        found.map(|record| record.shared.exercises[0].attempts)
    }

    /// The names of everything that was collected.
    fn names(&self) -> Vec<String> {
        let mut names = vec![];
        let mut folders = vec![self.folder.path().join("out")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                names.push(entry.file_name().to_string_lossy().into_owned());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        names.sort();
        names
    }
}

#[test]
fn what_a_lab_shares_is_collected_from_every_source_and_nothing_else_of_its_own_folder() {
    let class = Class::new();
    class.write(&format!("ada/{SHARED}"), figures(3), 60);
    for own in ["progress.db", "progress.db-wal", "lab.toml", "mine/01_tensor.rs", "a.zip"] {
        class.write(&format!("ada/.tinytorch/{own}"), "private", 60);
    }
    let bobs = figures(4);
    let entries: [(&str, &[u8]); 3] = [
        ("lab/.tinytorch/progress.shared.json", bobs.as_bytes()),
        ("lab/.tinytorch/backups/01_tensor.1.rs", b"private"),
        ("lab/.tinytorch/progress.db", b"private"),
    ];
    class.write("bob.zip", zip(&entries), 60);
    let lab = [
        ("lab/.tinytorch/progress.shared.json", EntryType::Regular, figures(5)),
        ("lab/.tinytorch/mine/01_tensor.rs", EntryType::Regular, "private".into()),
    ];
    let lab: Vec<_> =
        lab.iter().map(|(name, kind, text)| (*name, *kind, text.as_bytes())).collect();
    class.write("eve.tar.gz", tar_gz(&lab), 60);
    let report = class.collect();
    assert_eq!(["ada", "bob", "eve"].map(|name| class.shared(name)), [Some(3), Some(4), Some(5)]);
    assert_eq!(report.shared.len(), 3);
    assert_eq!((report.refused, report.misnamed), (vec![], vec![]));
    let wanted = ["ada", "bob", "eve", "progress.json", "progress.json", "progress.json"];
    assert_eq!(class.names(), wanted);
}

#[test]
fn the_latest_figures_count_and_only_those_of_the_student_who_handed_them_in() {
    let class = Class::new();
    class.write(&format!("ada/{SHARED}"), figures(3), 60);
    class.collect();
    class.write(&format!("ada/{SHARED}"), figures(9), 90);
    class.collect();
    assert_eq!(class.shared("ada"), Some(3), "the other one is older");
    class.write(&format!("ada/{SHARED}"), figures(5), 30);
    class.write("eve.zip", zip(&[(&format!("bob/{SHARED}"), figures(7).as_bytes())]), 60);
    class.collect();
    assert_eq!(["ada", "bob", "eve"].map(|name| class.shared(name)), [Some(5), None, Some(7)]);
}

#[test]
fn hostile_figures_are_refused_each_with_its_reason_and_the_others_are_collected() {
    let class = Class::new();
    class.write(&format!("bob/{SHARED}"), figures(4), 60);
    class.write("ada/01_tensor.rs", TEXT, 60);
    let path = class.write(&format!("ada/{SHARED}"), "", 60);
    let elsewhere = class.folder.path().join("secret.json");
    fs::write(&elsewhere, figures(1)).unwrap();
    let mut store = tempfile::NamedTempFile::new().unwrap();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let trigger = "CREATE TABLE a (b); CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; END";
    connection.execute_batch(trigger).unwrap();
    let mut database = vec![];
    std::io::Read::read_to_end(&mut store, &mut database).unwrap();
    let tries: [(&str, &dyn Fn()); 8] = [
        ("not in the form", &|| fs::write(&path, "").unwrap()),
        ("not in the form", &|| fs::write(&path, &database).unwrap()),
        ("not in the form", &|| fs::write(&path, "[".repeat(100_000)).unwrap()),
        ("attempts is 4000000000", &|| fs::write(&path, figures(4_000_000_000)).unwrap()),
        ("it is larger than shared progress can be, 512 KiB", &|| {
            fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        }),
        ("symbolic link", &|| symlink(&elsewhere, &path).unwrap()),
        ("hard link", &|| fs::hard_link(&elsewhere, &path).unwrap()),
        ("FIFO", &|| {
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        }),
    ];
    for (reason, make) in tries {
        fs::remove_file(&path).unwrap();
        make();
        let report = class.collect();
        let refusal = Class::refusal(&report, &format!("in/ada/{SHARED}"));
        assert!(refusal.contains(reason), "{reason}: {refusal}");
        assert_eq!((class.shared("ada"), class.shared("bob")), (None, Some(4)));
        assert_eq!(class.collected("ada").as_deref(), Some(TEXT), "the work is collected");
    }
}
