//! What the sandbox costs: the submissions of a class, graded in turn by the real launcher and by one that only starts the
//! program, a few at a time. The same rustc, the same tests and the same number of each at a time; so the ratio is that
//! of grading to compiling and testing alone. Then the program itself grades the class, is killed in the middle, and starts
//! again: the results and the gradebook must be the same.
//! Run with `cargo bench --bench grading -- MODULE SUBMISSIONS`, by default 01_tensor and 300.
#![cfg(target_os = "linux")]

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use serde_json::Value;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tinytorch_tutor::classroom::submission::{SCHEMA, Submission, Submissions};
use tinytorch_tutor::curriculum::{Course, Module};
use tinytorch_tutor::grading::{Batch, Grader};
use tinytorch_tutor::runner::{Cancel, Runner};
use tinytorch_tutor::sandbox::Sandbox;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Submissions that are graded by one side before it is the other side's turn.
const TURN: usize = 10;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if let [command, stage, order] = &arguments[..]
        && command == "__sandbox"
    {
        return bare_launcher(stage, order);
    }
    let module = arguments.first().map_or("01_tensor", String::as_str);
    let count = arguments.get(1).map_or(Ok(300), |count| count.parse())?;
    let module = Course::tinytorch().named(module)?;
    let folder = tempfile::tempdir()?;
    let class = class(&folder.path().join("in"), module, count)?;
    let launchers = [PathBuf::from(TUTOR), std::env::current_exe()?];
    let [sandboxed, bare] = launchers.map(|launcher| grader(&launcher, module));
    let sides = [("sandboxed", sandboxed?), ("bare", bare?)];
    println!("{count} submissions of {}, load {}", module.slug(), load());

    let mut times = [Duration::ZERO; 2];
    let (own, memory) = (processor_time()?, peak_memory()?);
    for (turn, submissions) in class.chunks(TURN).enumerate() {
        // Each side begins every other turn.
        for side in [turn % 2, 1 - turn % 2] {
            let (name, grader) = &sides[side];
            let begun = Instant::now();
            grade(grader, folder.path(), name, submissions)?;
            times[side] += begun.elapsed();
        }
        if turn == 0 {
            println!("memory of the grader after the first turn: {} MiB", peak_memory()? >> 10);
        }
    }
    let own = (processor_time()? - own) / 2.0 / count as f64;
    for ((name, _), time) in sides.iter().zip(times) {
        println!("{name:<10} {:>7.3} s a submission", time.as_secs_f64() / count as f64);
    }
    println!("ratio {:.3}", times[0].as_secs_f64() / times[1].as_secs_f64());
    println!("the grader's own processor time: {:.1} ms a submission", 1e3 * own);
    println!("memory: {} MiB at first, {} MiB at last", memory >> 10, peak_memory()? >> 10);

    let first = results(folder.path(), "sandboxed", &class)?;
    println!("same results without the sandbox: {}", {
        let bare = results(folder.path(), "bare", &class)?;
        first == bare
    });
    let graded = killed_and_continued(folder.path(), count)?;
    println!("graded again by the program, killed after {graded} of {count} and started again:");
    println!("  same results: {}", results(folder.path(), "again", &class)? == first);
    let books = ["sandboxed", "again"].map(|results| gradebook(folder.path(), results));
    let [before, after] = books;
    println!("  same gradebook: {}; load {}", before? == after?, load());
    Ok(())
}

/// The tutor's own program.
const TUTOR: &str = env!("CARGO_BIN_EXE_tinytorch-tutor");

fn tutor(folder: &Path, arguments: &[&str]) -> Command {
    let mut tutor = Command::new(TUTOR);
    tutor.args(arguments).current_dir(folder).env("TINYTORCH_CACHE", cache());
    tutor.stdin(Stdio::null()).stdout(Stdio::piped());
    tutor
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Grades the class into the folder `again`, and returns how many submissions were graded when the program was killed.
fn killed_and_continued(folder: &Path, count: usize) -> Outcome<usize> {
    let grade = || tutor(folder, &["grade", "in", "--out", "again"]);
    let mut first = grade().spawn()?;
    let lines = BufReader::new(first.stdout.take().ok_or("no output")?).lines();
    let graded = lines.map_while(Result::ok).filter(|line| line.starts_with('['));
    let graded = graded.take(count.div_ceil(2)).count();
    first.kill()?;
    first.wait()?;
    match grade().output()?.status.code() {
        Some(0) => Ok(graded),
        code => Err(format!("the program ended with {code:?}").into()),
    }
}

/// The gradebook of these results, exported.
fn gradebook(folder: &Path, results: &str) -> Outcome<String> {
    let (database, grades) = (format!("{results}.db"), format!("{results}.csv"));
    let export = ["export", "--format", "csv", "--out", &grades];
    for step in [&["import", results][..], &export] {
        let output =
            tutor(folder, &[&["gradebook", "--gradebook", &database], step].concat()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
    }
    Ok(std::fs::read_to_string(folder.join(grades))?)
}

/// In the place of the launcher: becomes the program, without any part of the sandbox.
fn bare_launcher(stage: &str, order: &str) -> Outcome<()> {
    if stage == "self-test" {
        return Ok(());
    }
    let order: Value = serde_json::from_str(order)?;
    let plan = &order["plan"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let channel = fcntl_dupfd_cloexec(std::io::stdin(), 3)?;
    rustix::io::write(&channel, b"up\n")?;
    if plan["task"] == "Program" {
        fcntl_setfd(&channel, FdFlags::empty())?;
    }
    let mut program = Command::new(text(&plan["program"]));
    program.args(list(&plan["arguments"]).iter().map(text)).env_clear();
    program.envs(list(&plan["environment"]).iter().map(|pair| (text(&pair[0]), text(&pair[1]))));
    if let Some(folder) = plan["folder"].as_str() {
        program.current_dir(folder);
    }
    Err(program.exec().into())
}

/// Solutions that differ: of ten submissions six are right or wrong in one place, two are broken, and two hostile. None of them
/// keeps a test busy until its time is up, which would hide what the sandbox costs.
fn class(folder: &Path, module: &Module, count: usize) -> Outcome<Vec<Submission>> {
    let submissions = Submissions::new(folder);
    let reference = module.reference();
    let begun = |with: &str| {
        let line = format!("// BEGIN SOLUTION\n    {with}");
        reference.replacen("// BEGIN SOLUTION", &line, 1)
    };
    let honest = begun("let mut own = 1; own += 1; let _ = own;");
    let unfinished = begun("todo!(\"one\")");
    let kinds = [
        reference.to_owned(),
        honest.clone(),
        unfinished.clone(),
        begun("let broken: () = 1;"),
        begun("println!(\"{}\", \"x\".repeat(1 << 20));"),
        honest,
        begun("std::process::exit(0);"),
        reference.replacen("// END SOLUTION", "/* // END SOLUTION", 1),
        reference.to_owned(),
        unfinished,
    ];
    let submission = |index: usize| {
        let text = format!("{}\n// {index}\nfn own_{index}() {{}}\n", kinds[index % kinds.len()]);
        let submission = Submission {
            schema: SCHEMA,
            student: format!("s{index:04}").try_into()?,
            module: module.slug(),
            submitted: 1,
            late: false,
            fingerprint: blake3::hash(text.as_bytes()).to_hex().to_string(),
            source: "bench".into(),
            earlier: vec![],
        };
        submissions.file_in(submission.clone(), &text)?;
        Ok(submission)
    };
    (0..count).map(submission).collect()
}

fn grader(launcher: &Path, module: &Module) -> Outcome<Grader> {
    let sandbox = Sandbox::probe(launcher)?;
    let lacks: Vec<String> = sandbox.lacks().iter().map(ToString::to_string).collect();
    if !lacks.is_empty() {
        return Err(format!("this machine lacks {}", lacks.join("; ")).into());
    }
    let runner = Runner::new(cache(), Course::tinytorch())?;
    let grader = Grader::new(runner, Course::tinytorch(), sandbox);
    grader.prepare(module, &Cancel::default(), &mut |_| ())?;
    Ok(grader)
}

fn grade(grader: &Grader, folder: &Path, side: &str, some: &[Submission]) -> Outcome<()> {
    let (submissions, results) = (Submissions::new(&folder.join("in")), folder.join(side));
    let cancel = Cancel::default();
    let batch = Batch { grader, submissions: &submissions, results: &results, cancel: &cancel };
    let mut failed = None;
    batch.run(some, &mut |graded| failed = graded.result.err().or(failed.take()));
    Ok(failed.map_or(Ok(()), Err)?)
}

fn results(folder: &Path, side: &str, some: &[Submission]) -> Outcome<Vec<String>> {
    let path = |it: &Submission| folder.join(side).join(it.student.as_str()).join(&it.module);
    some.iter().map(|it| Ok(std::fs::read_to_string(path(it).with_extension("json"))?)).collect()
}

/// Of this process, in seconds.
fn processor_time() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|it| it.parse::<f64>().ok());
    Ok((ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0)
}

/// Of this process, in KiB.
fn peak_memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}
