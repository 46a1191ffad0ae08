//! What `template` writes, run as each engine would run it. For a real Slurm see `tests/slurm.sh`.

use super::jobs::{class, files, succeeds, write};
use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use tinytorch_tutor::sandbox::Sandbox;

const TUTOR: &str = env!("CARGO_BIN_EXE_tinytorch-tutor");

/// Whether this machine has the complete sandbox, without which the templates of a class grade nothing.
fn has_sandbox() -> bool {
    let sandbox = Sandbox::probe(Path::new(TUTOR)).unwrap();
    for part in sandbox.lacks() {
        eprintln!("skipped: this machine lacks {part}");
    }
    sandbox.lacks().is_empty()
}

/// The test's folder with the tutor in its `bin`, and a `sudo` that changes nothing.
fn with_programs(desk: &Desk) {
    write(desk, "bin/sudo", "#!/bin/sh\nexec \"$@\"\n");
    let bin = desk.folder.path().join("bin");
    succeed(Command::new("chmod").arg("+x").arg(bin.join("sudo")));
    symlink(TUTOR, bin.join("tinytorch-tutor")).unwrap();
}

/// A shell in a folder of the test's.
fn shell(desk: &Desk, folder: &str, arguments: &[&str]) -> Command {
    let mut command = desk.command(&[]);
    let (cache, bin) = (command_cache(&command), desk.folder.path().join("bin"));
    command = Command::new("bash");
    let path = std::env::join_paths(
        [bin].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    command.args(arguments).current_dir(desk.folder.path().join(folder));
    command.env("TINYTORCH_CACHE", cache).env("PATH", path.unwrap()).stdin(Stdio::null());
    command
}

fn command_cache(command: &Command) -> std::ffi::OsString {
    let mut variables = command.get_envs();
    variables.find(|(name, _)| *name == "TINYTORCH_CACHE").unwrap().1.unwrap().to_owned()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output
}

#[test]
fn the_scripts_for_slurm_grade_a_class_in_shares() {
    if !has_sandbox() {
        return;
    }
    let desk = class();
    with_programs(&desk);
    succeeds(&desk, &["template", "slurm", "--out", "."]);
    let again = desk.run(&["template", "slurm", "--out", "."]);
    assert!(code(&again) == 2 && said(&again).contains("exists already"), "{}", said(&again));
    for task in ["1", "2"] {
        let mut job = shell(&desk, ".", &["grade.sbatch"]);
        succeed(job.env("SLURM_ARRAY_TASK_ID", task).env("TASKS", "2"));
    }
    succeed(&mut shell(&desk, ".", &["merge.sbatch"]));
    succeeds(&desk, &["grade", "submitted", "--out", "direct"]);
    let at = |folder: &str| files(&desk.folder.path().join(folder));
    assert_eq!((at("results").len(), at("results")), (3, at("direct")));
}

/// A workflow of GitHub Actions, as far as this test interprets it: what is not listed here is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "the fields say what a workflow may have")]
struct Workflow {
    name: String,
    on: String,
    permissions: BTreeMap<String, String>,
    jobs: Jobs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    grade: Job,
    merge: Job,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "the fields say what a job may have")]
struct Job {
    runs_on: String,
    needs: Option<String>,
    r#if: Option<String>,
    strategy: Option<Strategy>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Strategy {
    fail_fast: bool,
    matrix: Matrix,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    task: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: Option<String>,
    uses: Option<String>,
    r#if: Option<String>,
    #[serde(default)]
    with: BTreeMap<String, String>,
    run: Option<String>,
}

impl Job {
    /// Runs the steps in order, in a new folder: `${{ ... }}` is replaced as `fill` says, and the actions that the workflow
    /// uses copy folders.
    fn run(&self, desk: &Desk, folder: &str, fill: &dyn Fn(&str) -> String) {
        let root = desk.folder.path();
        fs::create_dir_all(root.join("artifacts")).unwrap();
        fs::create_dir_all(root.join(folder)).unwrap();
        let copy = |from: &str, to: &str| {
            let parent = Path::new(to).parent().unwrap();
            fs::create_dir_all(root.join(parent)).unwrap();
            succeed(Command::new("cp").args(["-r", from, to]).current_dir(root));
        };
        for step in &self.steps {
            let with = |name: &str| fill(&step.with[name]);
            match (step.uses.as_deref(), &step.run) {
                (Some("actions/checkout@v4"), None) => {
                    for name in ["submitted", "course.toml"] {
                        copy(name, &format!("{folder}/{name}"));
                    }
                }
                (Some("actions/upload-artifact@v4"), None) => {
                    assert_eq!(step.r#if.as_deref(), Some("always()"), "to see what went wrong");
                    let (name, path) = (with("name"), format!("{folder}/{}", with("path")));
                    // A share without submissions has no files: the action warns.
                    if root.join(&path).is_dir() {
                        copy(&path, &format!("artifacts/{name}"));
                    }
                }
                (Some("actions/download-artifact@v4"), None) => {
                    copy("artifacts", &format!("{folder}/{}", with("path")));
                }
                (None, Some(run)) if step.name.as_deref() == Some("Install the tutor") => {
                    // From a registry; here the tutor is installed already.
                    let version = concat!("tinytorch-tutor@", env!("CARGO_PKG_VERSION"));
                    assert_eq!(*run, format!("cargo install --locked {version}"));
                }
                (None, Some(run)) => {
                    let run = fill(run);
                    assert!(!run.contains("${{"), "{run}");
                    succeed(&mut shell(desk, folder, &["-e", "-c", &run]));
                }
                other => panic!("a step that this test does not know: {other:?}"),
            }
        }
    }
}

#[test]
fn the_workflow_for_github_grades_a_class_in_shares() {
    if !has_sandbox() {
        return;
    }
    let desk = class();
    with_programs(&desk);
    succeeds(&desk, &["template", "github", "--out", "."]);
    let text = fs::read_to_string(desk.folder.path().join("grade.yml")).unwrap();
    let Workflow { jobs: Jobs { grade, merge }, .. } = serde_saphyr::from_str(&text).unwrap();
    let Strategy { fail_fast, matrix } = grade.strategy.as_ref().unwrap();
    assert!(!fail_fast, "a task that fails must not end the others");
    assert_eq!((merge.needs.as_deref(), merge.r#if.as_deref()), (Some("grade"), Some("always()")));
    for task in &matrix.task {
        grade.run(&desk, &format!("runner-{task}"), &|text| {
            text.replace("${{ matrix.task }}", &task.to_string())
                .replace("${{ strategy.job-total }}", &matrix.task.len().to_string())
        });
    }
    merge.run(&desk, "runner-merge", &str::to_owned);
    succeeds(&desk, &["grade", "submitted", "--out", "direct"]);
    let at = |folder: &str| files(&desk.folder.path().join(folder));
    assert_eq!((at("artifacts/results").len(), at("artifacts/results")), (3, at("direct")));
}

#[test]
fn the_autograder_for_gradescope_writes_the_points_of_each_test_and_names_a_missing_file() {
    let desk = class();
    let root = desk.folder.path().join("autograder");
    succeeds(&desk, &["template", "gradescope", "--out", "autograder/source"]);
    fs::rename(desk.folder.path().join("course.toml"), root.join("source/course.toml")).unwrap();
    symlink(TUTOR, root.join("source/tinytorch-tutor")).unwrap();
    let run = |script: &str| {
        let mut command = shell(&desk, ".", &[]);
        // The cache that all tests share: Gradescope's would be compiled from the beginning.
        let cache = command_cache(&command);
        let _ = symlink(cache, root.join("cache"));
        command = Command::new(root.join("source").join(script));
        command.env("AUTOGRADER", &root).env("TMPDIR", desk.folder.path()).stdin(Stdio::null());
        succeed(&mut command);
    };
    run("setup.sh");
    let grade = |submitted: Option<&str>| -> Value {
        fs::create_dir_all(root.join("submission")).unwrap();
        fs::create_dir_all(root.join("results")).unwrap();
        if let Some(student) = submitted {
            let file = desk.folder.path().join("in").join(student).join("00_setup.rs");
            fs::copy(file, root.join("submission/00_setup.rs")).unwrap();
        }
        run("run_autograder");
        let text = fs::read_to_string(root.join("results/results.json")).unwrap();
        fs::remove_dir_all(root.join("results")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let nothing = grade(None);
    assert_eq!(nothing["score"], 0);
    assert!(nothing["output"].as_str().unwrap().contains("named"), "{nothing}");
    let solved = grade(Some("ada"));
    let tests = solved["tests"].as_array().unwrap();
    let points = |of: &str| -> f64 { tests.iter().map(|test| test[of].as_f64().unwrap()).sum() };
    assert!(points("max_score") > 0.0, "{solved}");
    assert_eq!(solved["score"].as_f64(), Some(points("max_score")));
    assert_eq!(points("score"), points("max_score"));
    let starter = grade(Some("bob"));
    assert_eq!(
        (starter["score"].as_f64(), &starter["tests"][0]["status"]),
        (Some(0.0), &"failed".into())
    );
}
