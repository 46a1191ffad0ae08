//! Grading end to end: a corpus of hostile and broken submissions, graded as one batch by the real compiler inside the real
//! sandbox. Where the kernel lacks a part of the sandbox, the test says so and passes.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict, in its helpers too")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

use serde::Deserialize;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tinytorch_tutor::classroom::result::{Outcome, SubmissionResult};
use tinytorch_tutor::classroom::submission::{SCHEMA, Submission, Submissions};
use tinytorch_tutor::curriculum::{Course, Module, ModuleId};
use tinytorch_tutor::grading::{Batch, Grader};
use tinytorch_tutor::runner::{Cancel, Limits, Runner, SeededModule};
use tinytorch_tutor::sandbox::Sandbox;

const ALPHA: &str = r##"//! Numbers.
// %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#[derive(Debug, Clone, PartialEq)]
pub struct Given(pub i32);
// end of given

// %% nbgrader={"grade": false, "grade_id": "double", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn double(x: i32) -> i32 {
    // BEGIN SOLUTION
    x * 2
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-double", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_double() {
    assert_eq!(double(4), 8);
    assert_eq!(Given(double(1)), Given(2));
}

// %% nbgrader={"grade": false, "grade_id": "triple", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn triple(x: i32) -> i32 {
    // BEGIN SOLUTION
    x * 3
    // END SOLUTION
}
#[derive(Debug)]
pub struct Tripled(pub i32);
impl PartialEq for Tripled {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-triple", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_triple() {
    assert_eq!(Tripled(triple(4)), Tripled(12));
}

// %% nbgrader={"grade": false, "grade_id": "alpha-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// own code
"##;

/// The reference of the two cells, as the grader has it.
#[path = "hostile/alpha.rs"]
mod alpha;
#[path = "hostile/seeded.rs"]
mod seeded;

fn seeded_of(module: &str) -> Option<&'static SeededModule> {
    const ALPHA: &SeededModule =
        &SeededModule { text: include_str!("hostile/seeded.rs"), functions: seeded::ALL };
    (module == "alpha").then_some(ALPHA)
}

/// A submission of the corpus: the honest one with changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    outcomes: [Outcome; 2],
    body: Option<String>,
    items: Option<String>,
    after: Option<String>,
    message: Option<String>,
    #[serde(default)]
    replace: Vec<(String, String)>,
    #[serde(default)]
    empty: bool,
    #[serde(default)]
    endless: bool,
    file: Option<String>,
}

impl Case {
    fn text(&self, canary: &Path) -> String {
        if self.empty {
            return String::new();
        }
        let mut text = ALPHA.to_owned();
        let mut change = |from: &str, to: &str| {
            assert!(text.contains(from), "{}: no {from:?}", self.name);
            text = text.replace(from, to);
        };
        self.replace.iter().for_each(|(from, to)| change(from, to));
        if let Some(items) = &self.items {
            let items = items.replace("WARNINGS", &warnings()).replace("TYPES", &types());
            change("pub fn double", &format!("{items}\npub fn double"));
        }
        if let Some(after) = &self.after {
            let test = "// %% nbgrader={\"grade\": true, \"grade_id\": \"test-double\"";
            change(test, &format!("{after}{test}"));
        }
        if let Some(body) = &self.body {
            let nested = format!("{}x{}", "(".repeat(20_000), ")".repeat(20_000));
            let body = body
                .replace("NESTED", &nested)
                .replace("ERRORS", &("let _: () = 1; ".repeat(10_000) + "x"))
                .replace("CANARY", canary.to_str().unwrap());
            change("    x * 2\n", &format!("    {body}\n"));
        }
        text
    }
}

/// A thousand functions with names that the compiler warns of.
fn warnings() -> String {
    (0..1000).map(|i| format!("pub fn WARNED{i}() {{}} ")).collect()
}

/// Functions of which each returns a pair of the next one's results.
fn types() -> String {
    let function = |i: i32| {
        let next = i + 1;
        format!(
            "fn t{i}<T: Copy + std::fmt::Debug>(x: T) -> impl std::fmt::Debug {{ t{next}((x, x)) }} "
        )
    };
    let last = "fn t30<T: Copy + std::fmt::Debug>(x: T) -> impl std::fmt::Debug { x }";
    (0..30).map(function).collect::<String>() + last
}

/// Puts something else in the place of a collected file.
fn spoil(file: &Path, how: &str) {
    let text = std::fs::read(file).unwrap();
    let other = file.with_extension("other");
    match how {
        "hard link" => return std::fs::hard_link(file, other).unwrap(),
        "UTF-16" => return std::fs::write(file, b"\xff\xfe/\0/\0").unwrap(),
        "Latin-1" => {
            return std::fs::write(file, [&text, b"// \xe9\n".as_slice()].concat()).unwrap();
        }
        "NUL" => return std::fs::write(file, [&text, b"// \0\n".as_slice()].concat()).unwrap(),
        "long line" => return std::fs::write(file, "/".repeat(1 << 20)).unwrap(),
        _ => std::fs::rename(file, &other).unwrap(),
    }
    match how {
        "symbolic link" => std::os::unix::fs::symlink(other, file).unwrap(),
        "named pipe" => assert!(Command::new("mkfifo").arg(file).status().unwrap().success()),
        "folder" => std::fs::create_dir(file).unwrap(),
        other => panic!("{other}"),
    }
}

fn corpus() -> Vec<Case> {
    #[derive(Deserialize)]
    struct Corpus {
        submission: Vec<Case>,
    }
    let corpus: Corpus = toml::from_str(include_str!("hostile/corpus.toml")).unwrap();
    corpus.submission
}

/// The most memory that this process, the grader, has had so far, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Of this process, in KiB: what it has now, and from here on its peak. Where the kernel does not forget the earlier peak, that.
fn memory_now() -> u64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    most_memory()
}

/// A class with a grader; none where the kernel lacks a part of the sandbox.
struct Class {
    folder: TempDir,
    course: &'static Course,
    grader: Grader,
}

impl Class {
    /// `compile` is how long one call of the compiler may take.
    fn open(compile: Duration) -> Option<Self> {
        let sandbox = Sandbox::probe(Path::new(env!("CARGO_BIN_EXE_tinytorch-tutor"))).unwrap();
        for part in sandbox.lacks() {
            eprintln!("skipped: this machine lacks {part}");
        }
        if !sandbox.lacks().is_empty() {
            return None;
        }
        let alpha = Module::new(ModuleId(0), "alpha", "", ALPHA);
        let course: &'static Course = Box::leak(Box::new(Course::new(vec![alpha], &[], "")));
        // The cache that the tests of the runner use too.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        let grader = Grader::new(Runner::new(cache, course).unwrap(), course, sandbox);
        let grader = grader.with_seeded(seeded_of);
        let grader = grader.with_limits(Limits { compile, ..Limits::default() });
        Some(Self { folder: tempfile::tempdir().unwrap(), course, grader })
    }

    fn submissions(&self) -> Submissions {
        Submissions::new(&self.folder.path().join("submissions"))
    }

    fn results(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    fn hand_in(&self, student: &str, text: &str) -> Submission {
        hand_in(&self.submissions(), student, "00_alpha", text)
    }

    /// Grades all that have no final result, and returns how many that were.
    fn grade(&self) -> usize {
        let (submissions, results) = (self.submissions(), self.results());
        let cancel = Cancel::default();
        let (grader, submissions, results) = (&self.grader, &submissions, results.as_path());
        let batch = Batch { grader, submissions, results, cancel: &cancel };
        let (all, problems) = submissions.all().unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        let pending = batch.pending(all);
        let mut done = 0;
        batch.run(&pending, &mut |graded| {
            graded.result.unwrap();
            done += 1;
        });
        assert_eq!(done, pending.len());
        done
    }

    /// Grades all, two at a time, and returns by how much the memory of this process grew at most for each pair, in KiB. The
    /// other tests of this file run beside it, in processes of their own.
    fn grade_in_pairs(&self) -> Vec<u64> {
        let (submissions, results) = (self.submissions(), self.results());
        let cancel = Cancel::default();
        let (grader, submissions, results) = (&self.grader, &submissions, results.as_path());
        let batch = Batch { grader, submissions, results, cancel: &cancel };
        let grown = |pair: &[Submission]| {
            let before = memory_now();
            batch.run(pair, &mut |graded| drop(graded.result.unwrap()));
            most_memory().saturating_sub(before)
        };
        submissions.all().unwrap().0.chunks(2).map(grown).collect()
    }

    fn result(&self, student: &str) -> SubmissionResult {
        let path = self.results().join(student).join("00_alpha.json");
        SubmissionResult::from_json(&std::fs::read_to_string(path).unwrap()).unwrap()
    }
}

fn hand_in(to: &Submissions, student: &str, module: &str, text: &str) -> Submission {
    let submission = Submission {
        schema: SCHEMA,
        student: student.to_owned().try_into().unwrap(),
        module: module.into(),
        submitted: 1,
        late: false,
        fingerprint: blake3::hash(text.as_bytes()).to_hex().to_string(),
        source: "test".into(),
        earlier: vec![],
    };
    to.file_in(submission.clone(), text).unwrap();
    submission
}

/// In KiB. The most that was measured is 19 MiB, for ten thousand errors of the compiler; output without end is gigabytes.
const MOST_GROWN: u64 = 48 << 10;

/// A slow machine must not change an outcome.
const ENOUGH: Duration = Duration::from_secs(120);

#[test]
fn every_submission_of_the_corpus_has_its_outcomes_and_reaches_nothing_outside() {
    let (endless, others): (Vec<Case>, Vec<Case>) =
        corpus().into_iter().partition(|case| case.endless);
    all_have_their_outcomes(&others, ENOUGH);
    all_have_their_outcomes(&endless, Duration::from_secs(4));
}

fn all_have_their_outcomes(cases: &[Case], compile: Duration) {
    let Some(class) = Class::open(compile) else { return };
    let canary = class.folder.path().join("canary");
    std::fs::write(&canary, "as it was").unwrap();
    let student = |index: usize| format!("s{index:03}");
    for (index, case) in cases.iter().enumerate() {
        let submission = class.hand_in(&student(index), &case.text(&canary));
        if let Some(how) = &case.file {
            spoil(&class.submissions().file(&submission.student, "00_alpha"), how);
        }
    }
    let before = memory_now();
    let grown = class.grade_in_pairs();
    let kept = memory_now().saturating_sub(before);
    assert!(kept < MOST_GROWN, "of {} submissions the grader kept {kept} KiB", cases.len());
    assert_eq!(grown.len(), cases.len().div_ceil(2));
    for (pair, kib) in cases.chunks(2).zip(grown) {
        let names = pair.iter().map(|case| &*case.name).collect::<Vec<_>>().join(" | ");
        eprintln!("{kib:>6} KiB  {names}");
        assert!(kib < MOST_GROWN, "the grader's own memory grew by {kib} KiB: {names}");
    }
    let mut wrong = String::new();
    for (index, case) in cases.iter().enumerate() {
        let result = class.result(&student(index));
        let outcomes: Vec<Outcome> = result.cells.iter().map(|cell| cell.outcome).collect();
        let failed = result.cells.iter().find(|cell| cell.outcome != Outcome::Passed);
        let message = failed.map_or("", |cell| cell.message.as_str());
        let is_named = case.message.as_ref().is_none_or(|part| message.contains(part));
        if outcomes != case.outcomes || !is_named || !result.sandboxed {
            writeln!(wrong, "{}: {outcomes:?}: {message:.300}", case.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "as it was");
    assert_eq!(class.grade(), 0, "a result is final");
}

#[test]
fn the_graders_own_fault_is_an_outcome_and_is_graded_again() {
    let Some(class) = Class::open(ENOUGH) else { return };
    class.hand_in("ada", ALPHA);
    let file = class.submissions().file(&"ada".to_owned().try_into().unwrap(), "00_alpha");
    std::fs::write(&file, ALPHA.replace("x * 2", "x * 5")).unwrap();
    assert_eq!(class.grade(), 1);
    let cells = class.result("ada").cells;
    assert!(cells.iter().all(|cell| cell.outcome == Outcome::GraderFault && cell.points.is_none()));
    std::fs::write(&file, ALPHA).unwrap();
    assert_eq!(class.grade(), 1);
    assert_eq!(class.result("ada").totals().points, 10);

    // A new submission replaces the result of the earlier one.
    class.hand_in("ada", &ALPHA.replace("x * 3", "x * 4"));
    assert_eq!(class.grade(), 1);
    assert_eq!(class.result("ada").totals().points, 4);
    assert_eq!(class.course.modules().len(), 1);
}

/// The tutor's program in `folder`, with the cache that the other tests use too.
fn tutor(folder: &Path, arguments: &[&str]) -> Command {
    let mut tutor = Command::new(env!("CARGO_BIN_EXE_tinytorch-tutor"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    tutor.args(arguments).current_dir(folder).env("TINYTORCH_CACHE", cache).stdin(Stdio::null());
    tutor
}

/// The grades of the results in `results`, as the gradebook exports them.
fn grades(folder: &Path, results: &str) -> String {
    let (gradebook, grades) = (format!("{results}.db"), format!("{results}.csv"));
    for arguments in [vec!["import", results], vec!["export", "--format", "csv", "--out", &grades]]
    {
        let arguments = [vec!["gradebook", "--gradebook", &gradebook], arguments].concat();
        let output = tutor(folder, &arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    std::fs::read_to_string(folder.join(grades)).unwrap()
}

/// The content of each result.
fn contents(folder: &Path, students: &[&str]) -> Vec<String> {
    let path = |student: &&str| folder.join(student).join("00_setup.json");
    students.iter().map(path).map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn a_batch_that_is_killed_and_started_again_gives_the_same_gradebook() {
    if Class::open(ENOUGH).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let honest = Course::tinytorch().named("setup").unwrap().reference().to_owned();
    let wrong = honest.replace("Hello, {name}!", "Hello!");
    let broken = honest.replace("format!(\"Hello, {name}!\")", "5");
    let students = ["ada", "bob", "eve", "joe", "zoe"];
    for (student, text) in students.iter().zip([&honest, &wrong, &broken, &honest, &wrong]) {
        hand_in(&Submissions::new(&folder.join("in")), student, "00_setup", text);
    }
    let grade = |results: &str| tutor(folder, &["grade", "in", "--out", results]);
    let mut killed = grade("killed").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(killed.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.into_iter().find(|line| line.starts_with("[1/5"));
    assert!(first.is_some(), "a result is on the disk");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let output = grade("killed").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains("5 submissions, 0 of them graded before"), "{printed}");
    assert!(grade("whole").output().unwrap().status.success());

    let grades = [grades(folder, "killed"), grades(folder, "whole")];
    assert_eq!(grades[0], grades[1]);
    assert!(students.iter().all(|student| grades[0].contains(student)), "{}", grades[0]);
    let results = |of: &str| contents(&folder.join(of), &students);
    assert_eq!(results("killed"), results("whole"), "byte for byte");
}

/// The words before a command that is to run in a container: processes and users of its own, no root, and `/proc` of it.
const CONTAINER: [&str; 7] = [
    "--user",
    "--map-user=1000",
    "--map-group=1000",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

fn in_container(command: &Command) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(CONTAINER).arg(command.get_program()).args(command.get_args());
    unshare.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    unshare.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    unshare
}

#[test]
fn in_a_container_a_batch_is_confined_killed_and_continued_with_the_same_results() {
    let may = in_container(Command::new("true").current_dir("/")).status();
    if Class::open(ENOUGH).is_none() || !may.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no container can be made here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let honest = Course::tinytorch().named("setup").unwrap().reference().to_owned();
    let leaves = "std::thread::spawn(|| std::process::abort()); loop { std::thread::yield_now() }";
    let hostile = honest.replace("format!(\"Hello, {name}!\")", leaves);
    let students = ["ada", "bob", "eve"];
    for (student, text) in students.iter().zip([&honest, &hostile, &honest]) {
        hand_in(&Submissions::new(&folder.join("in")), student, "00_setup", text);
    }
    let grade = |results: &str| tutor(folder, &["grade", "in", "--out", results]);
    let mut killed = in_container(&grade("inside")).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(killed.stdout.take().unwrap()).lines().map(Result::unwrap);
    let lines: Vec<String> = lines.take_while(|line| !line.starts_with("[1/3")).collect();
    assert!(lines[0].starts_with("sandbox: namespaces, Landlock, seccomp"), "{lines:?}");
    // With `unshare` ends the tutor, the first process of the container, and with it all others.
    killed.kill().unwrap();
    killed.wait().unwrap();
    let output = in_container(&grade("inside")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("3 submissions, 0 of them"));
    assert!(grade("outside").output().unwrap().status.success());
    let results = |of: &str| contents(&folder.join(of), &students);
    assert_eq!(results("inside"), results("outside"), "byte for byte");
}
