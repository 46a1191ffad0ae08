//! A step of this engine timed beside the same step in PyTorch: on the same processor, with one thread each, in turns.
//! A script answers each line with the median of so many steps. Not here: what a step is.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tinytorch::testing::{Timing, quartiles, time};

const ROUNDS: usize = 15;

/// A Python that runs steps on request.
struct PyTorch {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl PyTorch {
    /// Starts a script of `benches/pytorch`, in the Python that `TORCH_PYTHON` names, else in `python3`.
    fn start(script: &str) -> Result<Self, String> {
        let python = env::var("TORCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(&python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/pytorch").join(script))
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
    fn median(&mut self, steps: usize) -> Result<f64, String> {
        writeln!(self.requests, "{steps}").map_err(|error| format!("it ended: {error}"))?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        line.trim().parse().map_err(|_| format!("it printed no number: {line:?}"))
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        // It may have ended because PyTorch is missing, which it has printed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Times `step` beside the script's, `steps` of each in a round, and prints both and their ratio.
pub fn compare(script: &str, steps: usize, mut step: impl FnMut()) {
    let (mut engine, mut pytorch, mut ratios) = (vec![], vec![], vec![]);
    let mut other = PyTorch::start(script);
    for _ in 0..ROUNDS {
        let Timing { median, .. } = time(steps, &mut step);
        engine.push(median);
        if let Ok(Ok(seconds)) = other.as_mut().map(|other| other.median(steps)) {
            pytorch.push(seconds);
            ratios.push(seconds / median);
        }
    }
    let shown = |name: &str, values: &[f64], factor: f64, unit: &str| {
        let [low, median, high] = quartiles(values.to_vec()).map(|value| value * factor);
        println!("{name:12} {median:9.2} {unit} ({low:.2} to {high:.2})");
    };
    println!("one step, one thread; median of {ROUNDS} rounds of {steps} steps, quartiles");
    shown("this engine", &engine, 1e3, "ms");
    if ratios.is_empty() {
        println!("no ratio: PyTorch does not run. Set TORCH_PYTHON to a Python that has it.");
        return;
    }
    shown("PyTorch", &pytorch, 1e3, "ms");
    shown("ratio", &ratios, 1.0, "times as fast as PyTorch");
}
