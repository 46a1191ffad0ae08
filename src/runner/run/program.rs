//! Runs tests and analyses, one process each. Input: a program made from an exercise, and names.
//! Output: a verdict for each name. Only the harness's own record can say that a test passed.

use crate::error::{harmless, printable};
use crate::runner::event::{Notice, Output, Place, RunEvent, TestResult, Verdict, key};
use crate::runner::process::{End, Lines, Next, Process, command, signal};
use crate::runner::seeded::SeededModule;
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, Stop};
use crate::sandbox::{Limits, Plan, Sandbox, Task, UP, of_program};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tinytorch::harness::{Record, Signed};
use tinytorch::report::Item;

/// A program made from an exercise.
pub(in crate::runner) struct Program<'a> {
    /// The file to start.
    pub(in crate::runner) binary: &'a Path,
    /// Where it runs.
    pub(in crate::runner) folder: &'a Path,
    /// A folder with a short path, for sockets.
    pub(in crate::runner) sockets: &'a Path,
    /// Maps places back to the learner's files.
    pub(in crate::runner) source_map: &'a SourceMap,
    /// Where a milestone keeps its checkpoints; it makes the folder when it needs it.
    pub(in crate::runner) checkpoints: Option<PathBuf>,
    /// How long one test or analysis may take.
    pub(in crate::runner) limit: Duration,
    /// Cancels it.
    pub(in crate::runner) cancel: &'a Cancel,
    /// Confines it, when it is made from a file that is not trusted.
    pub(in crate::runner) sandbox: Option<&'a Sandbox>,
    /// The functions that draw inputs from a seed, with the seed. They run in the sandbox only.
    pub(in crate::runner) seeded: Option<(&'a SeededModule, u64)>,
}

/// The most items of one analysis, or of one frame, that are passed on: more is noise. Those that replace an earlier one do not
/// count.
pub(super) const MOST_ITEMS: usize = 100;

/// In bytes. The harness cuts the message of a panic so that a record is shorter, whatever is in it.
const LONGEST_RECORD: usize = 64 << 10;
/// The memory of one confined test, in bytes.
const PROGRAM_MEMORY: u64 = 4 << 30;

/// Numbers the sockets: a test's name could be too long for an address.
static SOCKETS: AtomicUsize = AtomicUsize::new(0);

impl Program<'_> {
    /// Runs the tests, as many at a time as there are cores. Each verdict is sent as soon as it is known.
    pub(in crate::runner) fn tests(
        &self,
        names: &[&str],
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Stop> {
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(names.len());
        let next = AtomicUsize::new(0);
        let (send, results) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let (send, next) = (send.clone(), &next);
                scope.spawn(move || {
                    while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if send.send(self.one(name, &mut |_| ())).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            // When the run is cancelled the receiver is dropped, and the workers stop.
            results.into_iter().try_for_each(|result| {
                events(RunEvent::Test(result?));
                Ok(())
            })
        })
    }

    /// Runs one function that reports. Each item is passed on at once, up to [`MOST_ITEMS`].
    pub(in crate::runner) fn reporter(
        &self,
        name: &str,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Stop> {
        let (mut kept, mut is_full) = (HashSet::new(), false);
        let result = self.one(name, &mut |item| {
            let (kind, title) = key(&item);
            let key = (kind, title.to_owned());
            let analysis = name.to_owned();
            if kept.contains(&key) || kept.len() < MOST_ITEMS {
                kept.insert(key);
                events(RunEvent::Reported { analysis, item });
            } else if !std::mem::replace(&mut is_full, true) {
                events(RunEvent::Notice(Notice::ItemsLeftOut { analysis, kept: MOST_ITEMS }));
            }
        })?;
        events(RunEvent::AnalysisEnded(result));
        Ok(())
    }

    /// Runs one test or analysis. An error of the tutor's becomes the verdict on this one alone.
    fn one(&self, name: &str, report: &mut dyn FnMut(Item)) -> Result<TestResult, Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let begun = Instant::now();
        let ended = match self.sandbox {
            Some(sandbox) => self.confined(sandbox, name, report),
            None => self.process(name, report),
        };
        let (verdict, output) = ended.unwrap_or_else(|error| {
            let message = format!("\"{}\": {error}", printable(self.binary));
            (Verdict::RunnerError { message }, Output::default())
        });
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        Ok(TestResult { name: name.to_owned(), verdict, output, took: begun.elapsed() })
    }

    fn process(&self, name: &str, report: &mut dyn FnMut(Item)) -> io::Result<(Verdict, Output)> {
        let socket = self.sockets.join(SOCKETS.fetch_add(1, Ordering::Relaxed).to_string());
        let listener = UnixListener::bind(&socket)?;
        let mut start = command(self.binary, self.folder);
        start.arg(&socket).arg(name).args(&self.checkpoints);
        let mut process = Process::spawn(start, Lines::Neither, self.limit, self.cancel)?;
        process.limit_memory(0);
        process.listen(listener, socket)?;
        let mut record = None;
        while let Next::Line(line) = process.next() {
            match serde_json::from_slice(&line) {
                Ok(Record::Item { item }) => report(clean(item)),
                Ok(verdict) => record = record.or(Some(verdict)),
                Err(_) => {}
            }
        }
        let end = process.end()?;
        Ok((judge(record, &end, self.limit, self.source_map), end.output))
    }
}

impl Program<'_> {
    /// Runs one test or analysis inside the sandbox. Its channel has no path; a record counts if it has the secret that was
    /// sent for this run, and if it is the only one.
    fn confined(
        &self,
        sandbox: &Sandbox,
        name: &str,
        report: &mut dyn FnMut(Item),
    ) -> io::Result<(Verdict, Output)> {
        let secret = secret()?;
        let (start, mut channel) = sandbox.command(self.plan(name))?;
        let seed = self.seeded.map_or(0, |(_, seed)| seed);
        channel.write_all(format!("{secret}\n{seed}\n").as_bytes())?;
        let mut process = Process::spawn(start, Lines::Neither, self.limit, self.cancel)?;
        process.listen_on(channel)?;
        let mut lines: Vec<Vec<u8>> = vec![];
        while let Next::Line(line) = process.next() {
            // Three are enough to see that there are too many.
            lines.extend((lines.len() < 3).then_some(line));
        }
        let mut end = process.end()?;
        let records = match lines.split_first() {
            Some((first, records)) if first == UP.as_bytes() => records,
            _ => return Err(io::Error::other(end.output.text)),
        };
        end.status = of_program(end.status);
        let verdict = match signed(records, &secret) {
            Ok(signed) => {
                let record = signed.as_ref().map(|signed| signed.record.clone());
                let verdict = judge(record, &end, self.limit, self.source_map);
                match signed {
                    Some(signed) => {
                        let compared = self.compared(name, verdict, &signed);
                        signed.items.into_iter().for_each(|item| report(clean(item)));
                        compared
                    }
                    None => verdict,
                }
            }
            Err(Forgery) => Verdict::Forged,
        };
        Ok((verdict, end.output))
    }

    /// The verdict once the outputs for inputs from the seed are compared with those of the reference.
    fn compared(&self, name: &str, verdict: Verdict, signed: &Signed) -> Verdict {
        let wanted = self.seeded.and_then(|(module, seed)| module.wanted(name, seed));
        let failed = |message: &str, at| {
            let message = format!("for inputs that the test does not show: {}", harmless(message));
            Verdict::Failed { message, at }
        };
        match (verdict, wanted) {
            (Verdict::Passed, Some(wanted)) => match signed.outputs.difference(&wanted) {
                Some(difference) => failed(&difference, None),
                None => Verdict::Passed,
            },
            (Verdict::Failed { message, at }, _) if signed.is_seeded => failed(&message, at),
            (verdict, _) => verdict,
        }
    }

    fn plan(&self, name: &str) -> Plan {
        Plan {
            task: Task::Program,
            program: self.binary.to_owned(),
            arguments: vec![name.to_owned()],
            environment: vec![("RUST_BACKTRACE".to_owned(), "0".to_owned())],
            folder: None,
            readable: vec![],
            writable: vec![],
            limits: Limits {
                memory: PROGRAM_MEMORY,
                // Of all its threads.
                processor_seconds: 8 * self.limit.as_secs().max(1),
                file: 64 << 20,
                processes: 128,
            },
        }
    }
}

/// Something else was sent than one record with the right secret.
#[derive(Debug, PartialEq)]
struct Forgery;

/// What a confined run sent, if it sent anything.
fn signed(lines: &[Vec<u8>], secret: &str) -> Result<Option<Signed>, Forgery> {
    match lines {
        [] => Ok(None),
        [line] if line.len() <= LONGEST_RECORD => match serde_json::from_slice::<Signed>(line) {
            Ok(signed) if signed.secret == secret => Ok(Some(signed)),
            _ => Err(Forgery),
        },
        _ => Err(Forgery),
    }
}

/// 128 random bits in hexadecimal.
fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The verdict that follows from the record and the exit. No record, no pass; and a pass needs a clean
/// exit too.
pub(super) fn judge(
    record: Option<Record>,
    end: &End,
    limit: Duration,
    source_map: &SourceMap,
) -> Verdict {
    match record {
        Some(record @ (Record::Todo { .. } | Record::Panicked { .. })) => {
            verdict(record, source_map)
        }
        _ if end.timed_out => Verdict::TimedOut { after: limit },
        Some(Record::Returned) if end.status.success() => Verdict::Passed,
        _ => match signal(end.status) {
            Some(signal) => Verdict::Crashed { signal: signal + reason(&end.output.text) },
            None => Verdict::ExitedEarly { code: end.status.code() },
        },
    }
}

/// The verdict of a record that ends a body.
pub(super) fn verdict(record: Record, source_map: &SourceMap) -> Verdict {
    match record {
        Record::Todo { message } => Verdict::NotStarted { waits_for: harmless(&message) },
        Record::Panicked { message, file, line, column } => {
            let at: Option<Place> = source_map.find(&file, line as usize, column as usize);
            Verdict::Failed { message: harmless(&message), at }
        }
        Record::Item { .. } | Record::Controls { .. } | Record::Returned => Verdict::Passed,
    }
}

/// Why a process aborted, according to the messages of Rust's runtime.
fn reason(printed: &str) -> &'static str {
    if printed.contains("has overflowed its stack") {
        " (stack overflow)"
    } else if printed.contains("memory allocation of ") {
        " (out of memory)"
    } else {
        ""
    }
}

/// An item, or anything else that a process sent, with control characters as symbols.
pub(super) fn clean<T: Serialize + DeserializeOwned>(sent: T) -> T {
    let cleaned = serde_json::to_value(&sent).map(clean_value).and_then(serde_json::from_value);
    cleaned.unwrap_or(sent)
}

fn clean_value(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(harmless(&text)),
        Value::Array(values) => values.into_iter().map(clean_value).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, clean_value(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use tinytorch::outputs::Outputs;
    use tinytorch::report::Insight;

    fn judged(record: Option<Record>, raw: i32, timed_out: bool, text: &str) -> Verdict {
        let output = crate::runner::event::Output { text: text.into(), cut: 0 };
        let end = End { status: ExitStatus::from_raw(raw), timed_out, output };
        judge(record, &end, Duration::from_secs(10), &SourceMap::default())
    }

    #[test]
    fn a_pass_needs_a_record_and_a_clean_exit() {
        let crashed = |signal: &str| Verdict::Crashed { signal: signal.into() };
        assert_eq!(judged(Some(Record::Returned), 0, false, ""), Verdict::Passed);
        assert_eq!(judged(None, 0, false, "ok"), Verdict::ExitedEarly { code: Some(0) });
        assert_eq!(judged(Some(Record::Returned), 6, false, ""), crashed("SIGABRT"));
        let late = Verdict::TimedOut { after: Duration::from_secs(10) };
        assert_eq!(judged(Some(Record::Returned), 9, true, ""), late);
        assert_eq!(judged(None, 11, false, ""), crashed("SIGSEGV"));
        let overflow = "thread 'x' has overflowed its stack";
        assert_eq!(judged(None, 6, false, overflow), crashed("SIGABRT (stack overflow)"));
        let memory = "memory allocation of 8 bytes failed";
        assert_eq!(judged(None, 6, false, memory), crashed("SIGABRT (out of memory)"));
    }

    /// The verdicts of two tests of a program, with sockets in `sockets`.
    fn verdicts(binary: &Path, sockets: &Path) -> Vec<Verdict> {
        let program = Program {
            binary,
            folder: Path::new("/"),
            sockets,
            source_map: &SourceMap::default(),
            checkpoints: None,
            limit: Duration::from_secs(10),
            cancel: &Cancel::default(),
            sandbox: None,
            seeded: None,
        };
        let mut verdicts = vec![];
        program
            .tests(&["a", "b"], &mut |event| match event {
                RunEvent::Test(result) => verdicts.push(result.verdict),
                other => panic!("{other:?}"),
            })
            .unwrap();
        verdicts
    }

    #[test]
    fn what_the_tutor_cannot_start_is_a_verdict_on_each_test_and_not_the_end_of_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let is_error = |verdict: &Verdict| matches!(verdict, Verdict::RunnerError { message } if message.contains("No such file"));
        let no_program = verdicts(Path::new("/nowhere/entry"), folder.path());
        assert!(no_program.len() == 2 && no_program.iter().all(is_error), "{no_program:?}");
        let no_sockets = verdicts(Path::new("/bin/true"), &folder.path().join("gone"));
        assert!(no_sockets.len() == 2 && no_sockets.iter().all(is_error), "{no_sockets:?}");
    }

    #[test]
    fn one_record_with_the_secret_counts_and_everything_else_is_a_forgery() {
        let sent = |secret: &str| Signed {
            secret: secret.into(),
            items: vec![],
            record: Record::Returned,
            is_seeded: false,
            outputs: Outputs::default(),
        };
        let line = |secret: &str| serde_json::to_vec(&sent(secret)).unwrap();
        assert_eq!(signed(&[], "a"), Ok(None));
        assert_eq!(signed(&[line("a")], "a"), Ok(Some(sent("a"))));
        let plain = br#"{"record":"returned"}"#.to_vec();
        let long = [line("a"), vec![b' '; LONGEST_RECORD]].concat();
        let forged = [vec![line("b")], vec![line("a"), line("a")], vec![plain], vec![long]];
        for lines in forged {
            assert_eq!(signed(&lines, "a"), Err(Forgery), "{lines:?}");
        }
    }

    #[test]
    fn control_characters_are_replaced_in_reports() {
        let item = |text: &str| Item::Insight(Insight { text: text.into() });
        assert_eq!(clean(item("\x1b[2Jx")), item("␛[2Jx"));
    }
}
