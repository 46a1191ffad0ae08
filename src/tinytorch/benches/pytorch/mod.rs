//! A step of this engine timed beside the same step in PyTorch: on the same processor, with as many threads, in turns.
//! A script answers each line, the name of a step and a number, with the median of so many steps. Not here: what a step is.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tinytorch::testing::{Timing, quartiles, time};

const ROUNDS: usize = 15;

/// How long steps run before they are timed. For some 12 ms after PyTorch's turn, OpenMP's threads busy-wait on a core that
/// the engine needs. And the scheduler may leave two threads that have just woken up on one core for as long.
const WARM_UP: Duration = Duration::from_millis(50);

/// A script that runs steps on request, or why it does not run.
pub struct PyTorch {
    threads: usize,
    script: Result<Script, String>,
}

struct Script {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Script {
    /// Starts a script of `benches/pytorch`, in the Python that `TORCH_PYTHON` names, else in `python3`.
    fn start(script: &str, threads: usize) -> Result<Self, String> {
        let python = env::var("TORCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(&python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/pytorch").join(script))
            .env("TORCH_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{python} does not start: {error}"))?;
        let (requests, answers) = (child.stdin.take(), child.stdout.take());
        let (Some(requests), Some(answers)) = (requests, answers) else {
            return Err(format!("{python} has no pipes"));
        };
        Ok(Self { child, requests, answers: BufReader::new(answers) })
    }

    /// The median of so many steps, in seconds.
    fn median(&mut self, name: &str, steps: usize) -> Result<f64, String> {
        writeln!(self.requests, "{name} {steps}").map_err(|error| format!("it ended: {error}"))?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        line.trim().parse().map_err(|_| format!("it printed no number: {line:?}"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended because PyTorch is missing, which it has printed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl PyTorch {
    /// Starts a script with so many threads.
    pub fn start(script: &str, threads: usize) -> Self {
        let script = Script::start(script, threads);
        if let Err(reason) = &script {
            println!("no ratios: {reason}. Set TORCH_PYTHON to a Python that has PyTorch.");
        }
        Self { threads, script }
    }

    /// Unless other steps are named on the command line: times `step` beside the script's step of this name, `steps` of each in a round, and prints the medians of both in
    /// milliseconds and their ratio, with quartiles.
    pub fn compare(&mut self, name: &str, steps: usize, mut step: impl FnMut()) {
        // What cargo passes begins with a hyphen; the others are names to choose from.
        let mut chosen = env::args().skip(1).filter(|name| !name.starts_with('-')).peekable();
        if chosen.peek().is_some() && !chosen.any(|chosen| name.starts_with(&chosen)) {
            return;
        }
        let (mut engine, mut pytorch, mut ratios) = (vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            while start.elapsed() < WARM_UP {
                step();
            }
            let Timing { median, .. } = time(steps, &mut step);
            engine.push(median);
            if let Ok(Ok(seconds)) = self.script.as_mut().map(|script| script.median(name, steps)) {
                pytorch.push(seconds);
                ratios.push(seconds / median);
            }
        }
        let shown = |values: &[f64], factor: f64| {
            let [low, median, high] = quartiles(values.to_vec()).map(|value| value * factor);
            format!("{median:8.3} ({low:.3} to {high:.3})")
        };
        let (engine, threads) = (shown(&engine, 1e3), self.threads);
        if ratios.is_empty() {
            println!("{name:12} threads: {threads}  this engine {engine} ms");
            return;
        }
        let (pytorch, ratio) = (shown(&pytorch, 1e3), shown(&ratios, 1.0));
        println!(
            "{name:12} threads: {threads}  this engine {engine} ms  PyTorch {pytorch} ms  times as fast {ratio}"
        );
    }
}
