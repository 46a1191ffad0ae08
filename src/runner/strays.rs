//! Processes that left the group of the run that started them (`setsid`, a double fork): found by a
//! variable that every process of a run inherits, and killed. Needs `/proc`; on a system without it,
//! such as macOS, only groups are killed.

use rustix::process::{Pid, Signal, getpid, kill_process};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The variable in the environment of each process of a run.
pub(super) const VARIABLE: &str = "TINYTORCH_RUN";
/// A process can fork between being found and being killed; one that survives this many rounds is a fork bomb.
const ROUNDS: usize = 20;

/// The variable's value, which no other run has.
#[derive(Debug)]
pub(super) struct Marker(String);

impl Default for Marker {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Process ids are reused: what an earlier tutor left must not count as this one's.
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(format!("{}-{number}-{}", std::process::id(), time.as_nanos()))
    }
}

impl Marker {
    pub(super) fn value(&self) -> &str {
        &self.0
    }
}

/// Kills every process that has the marker.
pub(super) fn kill(marker: &Marker) {
    for _ in 0..ROUNDS {
        let found = processes_with(marker);
        if found.is_empty() {
            return;
        }
        for pid in found {
            // It may have exited meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::yield_now();
    }
}

/// The processes whose environment has the marker. Those of other users cannot be read, and a process that
/// has exited has no environment.
pub(super) fn processes_with(marker: &Marker) -> Vec<Pid> {
    let entry = format!("{VARIABLE}={}", marker.0);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter_map(Pid::from_raw)
        .filter(|pid| *pid != getpid())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
            environment.is_ok_and(|bytes| {
                bytes.split(|byte| *byte == 0).any(|own| own == entry.as_bytes())
            })
        })
        .collect()
}
