//! Grading end to end: a corpus of hostile and broken submissions, graded as one batch by the real compiler inside the real
//! sandbox. Where the kernel lacks a part of the sandbox, the test says so and passes.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict, in its helpers too")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tinytorch_tutor::classroom::result::{Outcome, SubmissionResult};
use tinytorch_tutor::classroom::submission::{SCHEMA, Submission, Submissions};
use tinytorch_tutor::curriculum::{Course, Module, ModuleId};
use tinytorch_tutor::grading::{Batch, Grader};
use tinytorch_tutor::runner::{Cancel, Limits, Runner};
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

// %% nbgrader={"grade": true, "grade_id": "test-triple", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_triple() {
    assert_eq!(triple(4), 12);
}

// %% nbgrader={"grade": false, "grade_id": "alpha-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// own code
"##;

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

fn corpus() -> Vec<Case> {
    #[derive(Deserialize)]
    struct Corpus {
        submission: Vec<Case>,
    }
    let corpus: Corpus = toml::from_str(include_str!("hostile/corpus.toml")).unwrap();
    corpus.submission
}

/// A class with a grader; none where the kernel lacks a part of the sandbox.
struct Class {
    folder: TempDir,
    course: &'static Course,
    grader: Grader,
}

impl Class {
    fn open() -> Option<Self> {
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
        // A slow machine must not change an outcome.
        let compile = std::time::Duration::from_secs(120);
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
        let submission = Submission {
            schema: SCHEMA,
            student: student.to_owned().try_into().unwrap(),
            module: "00_alpha".into(),
            submitted: 1,
            late: false,
            fingerprint: blake3::hash(text.as_bytes()).to_hex().to_string(),
            source: "test".into(),
            earlier: vec![],
        };
        self.submissions().file_in(submission.clone(), text).unwrap();
        submission
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

    fn result(&self, student: &str) -> SubmissionResult {
        let path = self.results().join(student).join("00_alpha.json");
        SubmissionResult::from_json(&std::fs::read_to_string(path).unwrap()).unwrap()
    }
}

#[test]
fn every_submission_of_the_corpus_has_its_outcomes_and_reaches_nothing_outside() {
    let Some(class) = Class::open() else { return };
    let canary = class.folder.path().join("canary");
    std::fs::write(&canary, "as it was").unwrap();
    let cases = corpus();
    let student = |index: usize| format!("s{index:03}");
    for (index, case) in cases.iter().enumerate() {
        class.hand_in(&student(index), &case.text(&canary));
    }
    assert_eq!(class.grade(), cases.len());
    let mut wrong = BTreeMap::new();
    for (index, case) in cases.iter().enumerate() {
        let result = class.result(&student(index));
        let outcomes: Vec<Outcome> = result.cells.iter().map(|cell| cell.outcome).collect();
        let failed = result.cells.iter().find(|cell| cell.outcome != Outcome::Passed);
        let message = failed.map_or("", |cell| cell.message.as_str());
        let is_named = case.message.as_ref().is_none_or(|part| message.contains(part));
        if outcomes != case.outcomes || !is_named || !result.sandboxed {
            wrong.insert(case.name.clone(), result);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "as it was");
    assert_eq!(class.grade(), 0, "a result is final");
}

#[test]
fn the_graders_own_fault_is_an_outcome_and_is_graded_again() {
    let Some(class) = Class::open() else { return };
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
