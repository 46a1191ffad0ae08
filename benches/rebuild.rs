//! An edit of module 01 with every later module completed: how long each module takes to rebuild, and how long
//! testing the later modules takes after that.
//! Run with `cargo bench --bench rebuild`.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tinytorch_tutor::curriculum::{Course, ModuleId};
use tinytorch_tutor::framework::{Completion, Engine, Step, complete, sources};
use tinytorch_tutor::lab::{Filled, create};
use tinytorch_tutor::runner::{Cancel, Runner};

const ROUNDS: usize = 5;

/// One edit: the time of each module in teaching order, from 01 on, and of the later modules' tests.
struct Round {
    rebuilt: Vec<Duration>,
    tests: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let lab = create(&folder.path().join("lab"), Course::tinytorch(), Filled::Solutions)?.0;
    for module in Course::tinytorch().modules() {
        lab.complete(module, module.reference())?;
    }
    let runner =
        Runner::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"), Course::tinytorch())?;
    let top = ModuleId(u8::try_from(Course::tinytorch().modules().len())?);
    runner.prepare(top, &sources(&lab, Engine::Mine)?, &Cancel::default(), &mut |_| ())?;

    let tensor = &Course::tinytorch().modules()[1];
    let begun = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
    let mut rounds = vec![];
    for round in 0..ROUNDS {
        // A number that no cached module contains.
        let edit = format!("// BEGIN SOLUTION\nstd::hint::black_box({begun}_u128 + {round});\n");
        let text = tensor.reference().replacen("// BEGIN SOLUTION\n", &edit, 1);
        std::fs::write(lab.exercise(tensor), text)?;
        let (mut rebuilt, mut ready) = (vec![], Instant::now());
        let done = complete(&runner, &lab, tensor, &Cancel::default(), &mut |step| match step {
            Step::Rebuilt { took, .. } => {
                rebuilt.push(took);
                ready = Instant::now();
            }
            Step::Check(_) | Step::Checked { .. } | Step::Proving { .. } | Step::Swapped => {}
        })?;
        assert_eq!(done, Completion::Yes);
        assert_eq!(
            rebuilt.len(),
            Course::tinytorch().modules().len() - 1,
            "every module above the edit is rebuilt"
        );
        rounds.push(Round { rebuilt, tests: ready.elapsed() });
    }

    println!("{ROUNDS} edits of {}, medians in seconds", tensor.slug());
    for (index, module) in Course::tinytorch().modules().iter().skip(1).enumerate() {
        let took = median(rounds.iter().map(|round| round.rebuilt[index]));
        println!("{:<16} {took:>6.2}", module.slug());
    }
    let all = median(rounds.iter().map(|round| round.rebuilt.iter().sum()));
    println!("all modules      {all:>6.2}");
    println!("per module       {:>6.2}", all / (Course::tinytorch().modules().len() - 1) as f64);
    println!("their tests      {:>6.2}", median(rounds.iter().map(|round| round.tests)));
    Ok(())
}

fn median(times: impl Iterator<Item = Duration>) -> f64 {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times[times.len() / 2].as_secs_f64()
}
