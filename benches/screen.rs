//! The costs of the screen, measured on the release program in a real pseudo-terminal: time to the first frame with a
//! warm cache, memory with lessons open, processor time while idle, and a thousand saves in ten seconds.
//! Run with `cargo build --release && cargo bench --bench screen`. Nothing is asserted: it prints what it measured.
#![expect(
    clippy::disallowed_methods,
    reason = "idling and a steady pace of saves are what is measured"
)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use terminal::Terminal;
use tinytorch_tutor::curriculum::{Course, cells};

#[path = "../tests/pty/terminal.rs"]
#[expect(dead_code, clippy::expect_used, reason = "a helper that the tests use more of")]
mod terminal;

const STARTS: usize = 21;
const SAVES: u32 = 1_000;
const SAVING: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let tutor = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/tinytorch-tutor");
    let tutor = std::env::var_os("CARGO_TARGET_DIR")
        .map_or(tutor, |target| PathBuf::from(target).join("release/tinytorch-tutor"));
    let folder = tempfile::tempdir()?;
    let lab = folder.path().join("lab");
    let made = Command::new(&tutor).arg("init").arg(&lab).output()?;
    if !made.status.success() {
        return Err(format!("{} init: {made:?}", tutor.display()).into());
    }
    let bench = Bench { tutor: tutor.display().to_string(), lab };
    // From here on the cache is warm, and the welcome card of the first start is closed, which any key does.
    let mut first = bench.settled()?;
    first.send("q");
    first.wait_for_end();
    bench.first_frame()?;
    bench.memory_and_idle()?;
    bench.saves()
}

struct Bench {
    tutor: String,
    lab: PathBuf,
}

impl Bench {
    fn open(&self) -> Terminal {
        Terminal::start(&self.tutor, &["--module", "01"], &self.lab, (120, 40), &[])
    }

    /// The tutor with its first verdicts on the screen.
    fn settled(&self) -> Outcome<Terminal> {
        let terminal = self.open();
        terminal.wait_for_text("not started");
        Ok(terminal)
    }

    fn first_frame(&self) -> Outcome<()> {
        let mut times = vec![];
        for _ in 0..STARTS {
            let begun = Instant::now();
            let mut terminal = self.open();
            terminal.wait_for("a frame", |screen| {
                screen.contains("MODULES") && screen.contains("q quit")
            });
            let frame = begun.elapsed();
            terminal.wait_for("the lesson", |screen| screen.contains("Before you start"));
            times.push((frame, begun.elapsed()));
            terminal.send("q");
            terminal.wait_for_end();
        }
        let sorted = |pick: fn(&(Duration, Duration)) -> Duration| {
            let mut times: Vec<Duration> = times.iter().map(pick).collect();
            times.sort();
            (times[STARTS / 2].as_secs_f64() * 1e3, times[STARTS - 1].as_secs_f64() * 1e3)
        };
        let ((frame, worst), (lesson, last)) = (sorted(|time| time.0), sorted(|time| time.1));
        println!("first frame: {frame:.0} ms, at worst {worst:.0} ms, over {STARTS} starts");
        println!("first frame with the lesson: {lesson:.0} ms, at worst {last:.0} ms");
        Ok(())
    }

    fn memory_and_idle(&self) -> Outcome<()> {
        let mut terminal = self.settled()?;
        for module in &Course::tinytorch().modules()[2..] {
            terminal.send("]");
            terminal.wait_for_text(&format!("{:02} {}  ", module.id.0, module.title));
        }
        terminal.wait_for_text("not started");
        let process = Process::of(&terminal)?;
        println!(
            "resident with {} lessons open: {:.1} MB",
            Course::tinytorch().modules().len() - 1,
            process.megabytes()?
        );
        let before = process.ticks()?;
        sleep(IDLE);
        let ticks = process.ticks()? - before;
        println!("idle: {ticks} ticks of processor time in {} s", IDLE.as_secs());
        Ok(())
    }

    /// Every save has a different text; only the last one solves a cell.
    fn saves(&self) -> Outcome<()> {
        let module = &Course::tinytorch().modules()[1];
        let exercise = self.lab.join("exercises").join(module.slug()).with_extension("rs");
        let starter = fs::read_to_string(&exercise)?;
        let terminal = self.settled()?;
        let process = Process::of(&terminal)?;
        let before = process.megabytes()?;
        let begun = Instant::now();
        for save in 1..SAVES {
            write(&exercise, &format!("{starter}// {save}\n"))?;
            sleep((SAVING * save / SAVES).saturating_sub(begun.elapsed()));
        }
        let solution = cells::parse(module.reference())
            .into_iter()
            .find(|cell| cell.kind == cells::CellKind::Solution)
            .ok_or("01 has no cell to solve")?;
        let id = solution.grade_id.as_deref().unwrap_or_default();
        let last = Instant::now();
        write(&exercise, &cells::replace(&starter, id, solution.text))?;
        let spent = begun.elapsed().as_secs_f64();
        terminal.wait_for_text(" 1 of ");
        let verdict = last.elapsed().as_secs_f64();
        println!("{SAVES} saves in {spent:.1} s: the last one's verdict {verdict:.2} s after it");
        // Processes that are left over would still run.
        sleep(Duration::from_secs(1));
        let (after, children) = (process.megabytes()?, process.children()?);
        println!(
            "resident before {before:.1} MB, after {after:.1} MB; processes left over: {children}"
        );
        Ok(())
    }
}

/// Saves by rename, as editors do.
fn write(path: &Path, text: &str) -> Outcome<()> {
    let beside = path.with_extension("rs.new");
    fs::write(&beside, text)?;
    Ok(fs::rename(beside, path)?)
}

/// What Linux reports about a process.
struct Process(u32);

impl Process {
    fn of(terminal: &Terminal) -> Outcome<Self> {
        Ok(Self(terminal.child.process_id().ok_or("the tutor has ended")?))
    }

    fn megabytes(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(kilobytes.parse::<f64>()? / 1024.0)
    }

    /// Processor time, user and system, in hundredths of a second.
    fn ticks(&self) -> Outcome<u64> {
        let fields = stat(self.0)?;
        Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
    }

    fn children(&self) -> Outcome<usize> {
        let numbers = fs::read_dir("/proc")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        // A process that ended meanwhile has no parent.
        let parents = numbers.filter_map(|number| stat(number).ok()?.get(1)?.parse::<u32>().ok());
        Ok(parents.filter(|parent| *parent == self.0).count())
    }
}

/// The fields of `/proc/N/stat` after the name, which may contain spaces.
fn stat(process: u32) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let rest = text.rsplit_once(')').ok_or("no name")?.1;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}
