//! A child as a value: its own process group, nothing on standard input, an empty environment, its
//! output read with a cap. Comes in: a command. Goes out: [`Next`]s, then its [`End`]. Whoever drops
//! it kills the group. Not here: what the child means.

use super::event::Output;
use super::output::{Capped, for_each_line};
use crate::error::Error;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, BufReader, PipeReader, Read, pipe};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a reader may go on after the process and its group are dead: only a descendant that left
/// the group can still hold the other end.
const GRACE: Duration = Duration::from_millis(200);
/// Lines that wait to be taken; then the child waits.
const WAITING_LINES: usize = 256;
/// The longest line that is passed on, in bytes; the rest of a longer one is dropped.
const LONGEST_LINE: usize = 4 << 20;

/// Ends a run from another thread: kills the groups of all its processes, and those that it would
/// start later.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Mutex<Groups>>);

#[derive(Debug, Default)]
struct Groups {
    cancelled: bool,
    alive: HashSet<Pid>,
}

impl Cancel {
    /// Ends the run. Can be called more than once.
    pub fn cancel(&self) {
        self.with(|groups| {
            groups.cancelled = true;
            groups.alive.iter().for_each(|group| kill(*group));
        });
    }

    /// Whether the run was ended.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.with(|groups| groups.cancelled)
    }

    fn enter(&self, group: Pid) {
        self.with(|groups| {
            groups.alive.insert(group);
            if groups.cancelled {
                kill(group);
            }
        });
    }

    fn leave(&self, group: Pid) {
        self.with(|groups| groups.alive.remove(&group));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Groups) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a run ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Somebody wanted it.
    Cancelled,
    /// This machine lacks something.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn kill(group: Pid) {
    // The group may be gone already: that is what was wanted.
    let _ = kill_process_group(group, Signal::KILL);
}

/// Which of the child's streams is read line by line; the others are collected as its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// None; standard output and error are collected in order of arrival.
    Neither,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What comes next from a child.
#[derive(Debug)]
pub(super) enum Next {
    /// A line of the stream that is read line by line, or of the socket; without its end.
    Line(Vec<u8>),
    /// Nothing more.
    Ended,
}

/// How a child ended.
#[derive(Debug)]
pub(super) struct End {
    /// Exit code or signal.
    pub(super) status: ExitStatus,
    /// Whether it was killed because its time was up.
    pub(super) timed_out: bool,
    /// What it printed, apart from the lines.
    pub(super) output: Output,
}

enum Happened {
    Line(Vec<u8>),
    Closed,
    Exited,
}

/// A running child.
pub(super) struct Process {
    child: Child,
    group: Pid,
    cancel: Cancel,
    happened: Receiver<Happened>,
    tell: SyncSender<Happened>,
    output: Arc<Mutex<Capped>>,
    socket: Option<PathBuf>,
    open: usize,
    deadline: Option<Instant>,
    timed_out: bool,
    exited: bool,
}

/// A command in a clean environment: only `PATH`, to find the linker and what a learner may start.
pub(super) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("RUST_BACKTRACE", "0");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

impl Process {
    /// Starts the command; it is killed, with its group, once `limit` has passed.
    pub(super) fn spawn(
        mut command: Command,
        lines: Lines,
        limit: Duration,
        cancel: &Cancel,
    ) -> io::Result<Self> {
        let (collected, writer) = pipe()?;
        let mut watched = None;
        let mut other = || -> io::Result<Stdio> {
            let (reader, writer) = pipe()?;
            watched = Some(reader);
            Ok(writer.into())
        };
        match lines {
            Lines::Neither => command.stdout(writer.try_clone()?).stderr(writer),
            Lines::Stdout => command.stdout(other()?).stderr(writer),
            Lines::Stderr => command.stderr(other()?).stdout(writer),
        };
        let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        // The parent's copies of the writing ends must close, or the readers would never see an end.
        drop(command);
        let group = Pid::from_child(&child);
        cancel.enter(group);
        let (tell, happened) = sync_channel(WAITING_LINES);
        let mut process = Self {
            child,
            group,
            cancel: cancel.clone(),
            happened,
            tell,
            output: Arc::default(),
            socket: None,
            open: 0,
            deadline: Instant::now().checked_add(limit),
            timed_out: false,
            exited: false,
        };
        process.collect(collected)?;
        if let Some(reader) = watched {
            process.read(move || Ok(reader))?;
        }
        process.watch_exit()?;
        Ok(process)
    }

    /// Gives the child at most half of the machine's memory and no core file: a loop that never stops
    /// allocating ends itself, not the machine. Where the system cannot say or do that, nothing changes.
    pub(super) fn confine(&self) {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Resource, Rlimit, prlimit};
            let at_most = |most| Rlimit { current: Some(most), maximum: Some(most) };
            let _ = prlimit(Some(self.group), Resource::Core, at_most(0));
            let total =
                std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory(&text));
            if let Some(total) = total {
                let _ = prlimit(Some(self.group), Resource::As, at_most(total / 2));
            }
        }
    }

    /// Reads lines from the first connection to `listener` too; there is no second one. Once the child has
    /// connected, the receiver has the connection, to write to it.
    pub(super) fn listen(
        &mut self,
        listener: UnixListener,
        path: PathBuf,
    ) -> io::Result<Receiver<UnixStream>> {
        self.socket = Some(path);
        let (send, connected) = sync_channel(1);
        self.read(move || {
            let (stream, _) = listener.accept()?;
            // Most callers have nothing to write and dropped the receiver.
            let _ = send.send(stream.try_clone()?);
            Ok(stream)
        })?;
        Ok(connected)
    }

    /// Gives the child this much time from now on.
    pub(super) fn allow(&mut self, limit: Duration) {
        self.deadline = Instant::now().checked_add(limit);
    }

    /// Waits for the next line or the end.
    pub(super) fn next(&mut self) -> Next {
        while !(self.exited && self.open == 0) {
            let happened = match self.deadline {
                Some(at) => {
                    self.happened.recv_timeout(at.saturating_duration_since(Instant::now()))
                }
                None => self.happened.recv().map_err(RecvTimeoutError::from),
            };
            match happened {
                Ok(Happened::Line(line)) => return Next::Line(line),
                Ok(Happened::Closed) => self.open -= 1,
                Ok(Happened::Exited) => self.tidy(),
                Err(_) if self.exited => self.open = 0,
                Err(_) => {
                    self.timed_out = true;
                    self.deadline = None;
                    kill(self.group);
                }
            }
        }
        Next::Ended
    }

    /// Waits for the end, passing over lines.
    pub(super) fn end(mut self) -> io::Result<End> {
        while let Next::Line(_) = self.next() {}
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner).output();
        self.cancel.leave(self.group);
        Ok(End { status: self.child.wait()?, timed_out: self.timed_out, output })
    }

    /// The process is dead but not yet buried, so its group's number is still its own: whoever it
    /// left behind goes too.
    fn tidy(&mut self) {
        self.exited = true;
        kill(self.group);
        if let Some(path) = self.socket.take() {
            // Wakes a reader that still waits for the child to connect.
            drop(UnixStream::connect(path));
        }
        self.deadline = Instant::now().checked_add(GRACE);
    }

    fn collect(&mut self, mut reader: PipeReader) -> io::Result<()> {
        self.open += 1;
        let (tell, output) = (self.tell.clone(), Arc::clone(&self.output));
        start(move || {
            let mut buffer = [0; 16 << 10];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                output.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
            }
            tell.send(Happened::Closed)
        })
    }

    fn read<R: Read>(
        &mut self,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> io::Result<()> {
        self.open += 1;
        let tell = self.tell.clone();
        start(move || {
            if let Ok(stream) = open() {
                for_each_line(BufReader::new(stream), LONGEST_LINE, |line| {
                    tell.send(Happened::Line(line)).is_ok()
                });
            }
            tell.send(Happened::Closed)
        })
    }

    fn watch_exit(&self) -> io::Result<()> {
        let (tell, pid) = (self.tell.clone(), self.group);
        start(move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
            tell.send(Happened::Exited)
        })
    }
}

/// The name of the signal that ended a process.
pub(super) fn signal(status: ExitStatus) -> Option<String> {
    let number = status.signal()?;
    let name = signal_hook::low_level::signal_name(number);
    Some(name.map_or_else(|| format!("signal {number}"), str::to_owned))
}

/// The machine's memory in bytes, from the text of `/proc/meminfo`.
#[cfg(target_os = "linux")]
fn memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Starts a thread that nobody waits for: it ends with its stream, or with the child.
fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("child".into()).spawn(work).map(drop)
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.exited {
            kill(self.group);
        }
        self.cancel.leave(self.group);
        // Killed or ended: this does not block.
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests;
