//! The time from save to verdict, beside the least that the compiler and the bare test program take: both in one run,
//! on the references of a first, a middle and a late module, one edit after the other.
//! Run with `cargo bench --bench save_to_verdict`.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;
use tinytorch_tutor::curriculum::{Course, Module, ModuleId};
use tinytorch_tutor::runner::event::{RunEvent, RunKind, Verdict};
use tinytorch_tutor::runner::{Cancel, ModuleSources, Queue, Request, RunMessage, Runner};
use tinytorch_tutor::watch::{self, Change};

const ROUNDS: u32 = 15;
/// A first, a middle and a late module.
const MODULES: [ModuleId; 3] = [ModuleId(1), ModuleId(5), ModuleId(9)];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut modules = MODULES.into_iter().filter_map(|id| Course::tinytorch().module(id));
    modules.try_for_each(measure)
}

fn measure(module: &Module) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let exercise = folder.path().join(format!("{}.rs", module.slug()));
    std::fs::write(&exercise, module.reference())?;

    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let sources = ModuleSources::default();
    let ready = |cache: PathBuf| -> Outcome<Runner> {
        let runner = Runner::new(cache, Course::tinytorch())?;
        runner.prepare(module.id, &sources, &Cancel::default(), &mut |_| ())?;
        Ok(runner)
    };
    ready(cache.clone())?;
    let begun = Instant::now();
    let runner = Arc::new(ready(cache)?);
    println!(
        "toolchain found and cache checked, once per start: {:.3} s",
        begun.elapsed().as_secs_f64()
    );
    let bare = Bare {
        rustc: runner.rustc().to_owned(),
        dependencies: runner.dependency_arguments(module.id, &sources, &Cancel::default())?,
        folder: tempfile::tempdir()?,
    };

    let (changed, changes) = channel();
    let _watch = watch::start(vec![exercise.clone()], move |change| {
        // At the end the receiver is dropped.
        let _ = changed.send(change);
    })?;
    let (sent, messages) = channel();
    let queue = Queue::new(Arc::clone(&runner), move |_, message| {
        let _ = sent.send(message);
    });

    let (mut bares, mut saves, mut settled) = (vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let text = edited(module.reference(), round);
        let begun = Instant::now();
        bare.compile_and_run(&text)?;
        let bare = begun.elapsed().as_secs_f64();

        let begun = Instant::now();
        save(&exercise, &text)?;
        while !matches!(changes.recv()?, Change::Saved(_)) {}
        let settle = begun.elapsed().as_secs_f64();
        let (file, text) = (exercise.clone(), std::fs::read_to_string(&exercise)?);
        let (module, kind, only, sources) = (module.id, RunKind::Check, vec![], sources.clone());
        let separate_tests = false;
        let request = Request { module, kind, only, file, text, sources, separate_tests };
        queue.submit(round.into(), request);
        let passed = passed(&messages)?;
        let save = begun.elapsed().as_secs_f64();
        assert!(passed > 0, "no test was run");
        // The first round fills rustc's incremental state.
        if round > 0 {
            bares.push(bare);
            saves.push(save);
            settled.push(settle);
        }
    }
    let (bare, save, settled) = (median(&mut bares), median(&mut saves), median(&mut settled));
    println!("{ROUNDS} edits of {}, medians in seconds", module.slug());
    println!("rustc --test -C incremental, and the bare test program   {bare:.3}");
    println!("save to last verdict                                     {save:.3}");
    println!("  of which waiting for the file to settle                {settled:.3}");
    println!("ratio                                                    {:.2}", save / bare);
    Ok(())
}

/// The text with another number in its first solution.
fn edited(text: &str, round: u32) -> String {
    let edit = format!("// BEGIN SOLUTION\nstd::hint::black_box({round}_u32);\n");
    text.replacen("// BEGIN SOLUTION\n", &edit, 1)
}

/// Saves as most editors do: another file, then a rename.
fn save(file: &Path, text: &str) -> Outcome<()> {
    let other = file.with_extension("new");
    std::fs::write(&other, text)?;
    Ok(std::fs::rename(other, file)?)
}

fn passed(messages: &std::sync::mpsc::Receiver<RunMessage>) -> Outcome<usize> {
    let mut passed = 0;
    loop {
        match messages.recv()? {
            RunMessage::Event(RunEvent::Finished) => return Ok(passed),
            RunMessage::Event(RunEvent::Test(test)) => {
                assert_eq!(test.verdict, Verdict::Passed, "{test:?}");
                passed += 1;
            }
            RunMessage::Failed(error) => return Err(error.into()),
            RunMessage::Event(_) => {}
        }
    }
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// The fastest that a person could do by hand.
struct Bare {
    rustc: PathBuf,
    dependencies: Vec<OsString>,
    folder: tempfile::TempDir,
}

impl Bare {
    fn compile_and_run(&self, text: &str) -> Outcome<()> {
        std::fs::write(self.folder.path().join("bare.rs"), text)?;
        let mut rustc = Command::new(&self.rustc);
        rustc.args([
            "--test",
            "bare.rs",
            "--edition=2024",
            "-Cincremental=incremental",
            "-Aunused",
        ]);
        let mut program = Command::new("./bare");
        for command in [rustc.args(&self.dependencies), &mut program] {
            let command = command.current_dir(&self.folder).stdout(Stdio::null());
            assert!(command.status()?.success(), "{command:?}");
        }
        Ok(())
    }
}
