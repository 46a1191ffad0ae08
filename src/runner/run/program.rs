//! Runs tests and analyses, one process each. Comes in: a program made from an exercise, and names.
//! Goes out: a verdict for each name. Only the harness's own record can say that a test passed.

use crate::error::Error;
use crate::runner::event::{Place, RunEvent, TestResult, Verdict};
use crate::runner::output::harmless;
use crate::runner::process::{End, Lines, Next, Process, command, signal};
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, Stop};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::num::NonZero;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tinytorch::harness::Record;
use tinytorch::report::Item;

/// A program made from an exercise.
pub(in crate::runner) struct Program<'a> {
    /// The file to start.
    pub(in crate::runner) binary: &'a Path,
    /// Where it runs.
    pub(in crate::runner) folder: &'a Path,
    /// A folder with a short path, for sockets.
    pub(in crate::runner) sockets: &'a Path,
    /// What leads source_map back.
    pub(in crate::runner) source_map: &'a SourceMap,
    /// How long one test or analysis may take.
    pub(in crate::runner) limit: Duration,
    /// Ends it.
    pub(in crate::runner) cancel: &'a Cancel,
}

impl Program<'_> {
    /// Runs the tests, as many at a time as there are cores. Verdicts come as they are known.
    pub(in crate::runner) fn tests(
        &self,
        names: &[String],
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
            // The receiver goes at the first failure, and the workers with it.
            results.into_iter().try_for_each(|result| {
                events(RunEvent::Test(result?));
                Ok(())
            })
        })
    }

    /// Runs one function that reports; what it reports comes at once.
    pub(in crate::runner) fn reporter(
        &self,
        name: &str,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Stop> {
        let result = self.one(name, &mut |item| {
            events(RunEvent::Reported { analysis: name.to_owned(), item });
        })?;
        events(RunEvent::AnalysisEnded(result));
        Ok(())
    }

    fn one(&self, name: &str, report: &mut dyn FnMut(Item)) -> Result<TestResult, Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let socket = self.sockets.join(name);
        let listener = UnixListener::bind(&socket)
            .map_err(|error| Error::io("listen on the socket", &socket, &error))?;
        let mut start = command(self.binary, self.folder);
        start.arg(&socket).arg(name);
        let begun = Instant::now();
        let failed = |error| Error::io("run", self.binary, &error);
        let mut process =
            Process::spawn(start, Lines::Neither, self.limit, self.cancel).map_err(failed)?;
        process.confine();
        process.listen(listener, socket).map_err(failed)?;
        let mut verdict = None;
        while let Next::Line(line) = process.next() {
            match serde_json::from_slice(&line) {
                Ok(Record::Item { item }) => report(clean(item)),
                Ok(record) => verdict = verdict.or(Some(record)),
                Err(_) => {}
            }
        }
        let end = process.end().map_err(failed)?;
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let took = begun.elapsed();
        let verdict = judge(verdict, &end, self.limit, self.source_map);
        Ok(TestResult { name: name.to_owned(), verdict, output: end.output, took })
    }
}

/// What a record and an end together mean. No record, no pass; and a pass needs a quiet end too.
pub(super) fn judge(
    record: Option<Record>,
    end: &End,
    limit: Duration,
    source_map: &SourceMap,
) -> Verdict {
    match record {
        Some(record @ (Record::Unwritten { .. } | Record::Panicked { .. })) => {
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

/// What a record that ends a body says about it.
pub(super) fn verdict(record: Record, source_map: &SourceMap) -> Verdict {
    match record {
        Record::Unwritten { what } => Verdict::NotStarted { waits_for: harmless(&what) },
        Record::Panicked { message, file, line, column } => {
            let at: Option<Place> = source_map.find(&file, line as usize, column as usize);
            Verdict::Failed { message: harmless(&message), at }
        }
        Record::Item { .. } | Record::Controls { .. } | Record::Returned => Verdict::Passed,
    }
}

/// Why a process aborted, by the words of Rust's runtime.
fn reason(printed: &str) -> &'static str {
    if printed.contains("has overflowed its stack") {
        " (stack overflow)"
    } else if printed.contains("memory allocation of ") {
        " (out of memory)"
    } else {
        ""
    }
}

/// An item, or what else a process sent, with harmless words.
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
    use tinytorch::report::Insight;

    fn judged(record: Option<Record>, raw: i32, timed_out: bool, text: &str) -> Verdict {
        let output = crate::runner::event::Output { text: text.into(), cut: 0 };
        let end = End { status: ExitStatus::from_raw(raw), timed_out, output };
        judge(record, &end, Duration::from_secs(10), &SourceMap::default())
    }

    #[test]
    fn a_pass_needs_a_record_and_a_quiet_end() {
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

    #[test]
    fn words_that_steer_a_terminal_are_taken_out_of_reports() {
        let item = |text: &str| Item::Insight(Insight { text: text.into() });
        assert_eq!(clean(item("\x1b[2Jx")), item("␛[2Jx"));
    }
}
