//! A child process as a value: its own process group, no standard input, a clean environment, limited output, waits
//! with timeouts. Input: a command. Output: [`Next`] values, then an [`End`]. Dropping it kills the group. Not here:
//! what the child is for.

mod handle;

use super::event::Output;
use super::output::{Capped, for_each_line};
use super::strays;
use crate::error::Error;
use handle::Handle;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, BufReader, PipeReader, Read, pipe};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// How long readers may continue after the process and its group have ended: only a descendant that left the group can
/// still hold the other end.
const READER_GRACE: Duration = Duration::from_millis(200);
/// How long a killed process may take to exit: one that waits for a failed disk or network may never do so.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// Lines in the queue; when it is full, the child waits.
const QUEUED_LINES: usize = 16;
/// The longest line that is passed on, in bytes; the rest of a longer one is dropped.
const LONGEST_LINE: usize = 4 << 20;
/// The memory that a compiler may use even on a small machine: with less it fails on ordinary code.
pub(super) const COMPILER_MEMORY: u64 = 4 << 30;

/// Held for reading while a child starts.
static STARTS: RwLock<()> = RwLock::new(());

/// Starts a child. Until it runs its program, it belongs to this process's group, and the thread that started it cannot
/// be stopped.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    let _starts = STARTS.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// Does something while no child is being started: to stop this process with its group would otherwise stop the child
/// first, which the other thread then waits for, so that the process never stops.
pub fn between_starts<T>(act: impl FnOnce() -> T) -> T {
    let _none_starts = STARTS.write().unwrap_or_else(PoisonError::into_inner);
    act()
}

/// Cancels a run from another thread: kills its processes, and each one that it starts later.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    groups: Arc<Mutex<Groups>>,
    marker: Arc<strays::Marker>,
}

#[derive(Debug, Default)]
struct Groups {
    cancelled: bool,
    /// The leader of each.
    alive: HashMap<Pid, Arc<Handle>>,
}

impl Cancel {
    /// Cancels the run. Can be called more than once.
    pub fn cancel(&self) {
        self.with(|groups| {
            groups.cancelled = true;
            groups.alive.iter().for_each(|(group, leader)| kill(*group, leader));
        });
    }

    /// For one of several runs at the same time that are cancelled together. The processes that it leaves behind are
    /// distinguished from those of the others.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { groups: Arc::clone(&self.groups), marker: Arc::default() }
    }

    /// Whether the run was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.with(|groups| groups.cancelled)
    }

    /// Kills what a process of the run left behind outside its group.
    pub(super) fn kill_strays(&self) {
        strays::kill(&self.marker);
    }

    fn add(&self, group: Pid, leader: &Arc<Handle>) {
        self.with(|groups| {
            groups.alive.insert(group, Arc::clone(leader));
            if groups.cancelled {
                kill(group, leader);
            }
        });
    }

    fn remove(&self, group: Pid) {
        self.with(|groups| groups.alive.remove(&group));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Groups) -> T) -> T {
        f(&mut self.groups.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a run stopped early.
#[derive(Debug)]
pub(super) enum Stop {
    /// It was cancelled.
    Cancelled,
    /// Something on this machine is missing or broken.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Kills a group and its leader, which may have joined another group since. The leader is not reaped yet, so the number is
/// the group's.
fn kill(group: Pid, leader: &Handle) {
    // It may have ended already.
    let _ = kill_process_group(group, Signal::KILL);
    leader.kill();
}

/// Which of the child's streams is read line by line; the others are collected as its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Neither; standard output and error are collected in order of arrival.
    Neither,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a child does next.
#[derive(Debug)]
pub(super) enum Next {
    /// A line of the stream that is read line by line, or of the socket, without its newline.
    Line(Vec<u8>),
    /// It exited.
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

/// From the threads that watch a child.
enum Event {
    Line(Vec<u8>),
    Closed,
    Exited,
}

/// A running child.
pub(super) struct Process {
    child: Child,
    group: Pid,
    leader: Arc<Handle>,
    cancel: Cancel,
    events: Receiver<Event>,
    sender: SyncSender<Event>,
    output: Arc<Mutex<Capped>>,
    socket: Option<PathBuf>,
    open_streams: usize,
    deadline: Option<Instant>,
    timed_out: bool,
    exited: bool,
}

/// A command in a clean environment, without input: only `PATH`, to find the linker and what a learner may start.
pub(super) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("RUST_BACKTRACE", "0").stdin(Stdio::null());
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
        command.env(strays::VARIABLE, cancel.marker.value());
        let mut child = spawn(command.process_group(0))?;
        // The parent's copies of the write ends must close, or the readers would never see the end.
        drop(command);
        let group = Pid::from_child(&child);
        let leader = match Handle::of(group) {
            Ok(leader) => Arc::new(leader),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                return Err(error.into());
            }
        };
        cancel.add(group, &leader);
        let (sender, events) = sync_channel(QUEUED_LINES);
        let mut process = Self {
            child,
            group,
            leader,
            cancel: cancel.clone(),
            events,
            sender,
            output: Arc::default(),
            socket: None,
            open_streams: 0,
            deadline: Instant::now().checked_add(limit),
            timed_out: false,
            exited: false,
        };
        process.watch_exit()?;
        process.collect(collected)?;
        if let Some(reader) = watched {
            process.read(move || Ok(reader))?;
        }
        Ok(process)
    }

    /// Gives the child at most half of the machine's memory, but not less than `least` bytes, and no core file: a loop
    /// that never stops allocating ends itself, not the machine. On a system without `prlimit`, such as macOS, nothing
    /// is limited.
    pub(super) fn limit_memory(&self, least: u64) {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Resource, Rlimit, prlimit};
            let at_most = |most| Rlimit { current: Some(most), maximum: Some(most) };
            let _ = prlimit(Some(self.group), Resource::Core, at_most(0));
            let total =
                std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory(&text));
            if let Some(total) = total {
                let _ = prlimit(Some(self.group), Resource::As, at_most(least.max(total / 2)));
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = least;
    }

    /// Also reads lines from the first connection to `listener`; a second one is not accepted. Once the child has
    /// connected, the receiver gets the connection, to write to it.
    pub(super) fn listen(
        &mut self,
        listener: UnixListener,
        path: PathBuf,
    ) -> io::Result<Receiver<UnixStream>> {
        self.socket = Some(path);
        let (send, connected) = sync_channel(1);
        self.read(move || {
            let (stream, _) = listener.accept()?;
            // Most callers have nothing to write and drop the receiver.
            let _ = send.send(stream.try_clone()?);
            Ok(stream)
        })?;
        Ok(connected)
    }

    /// Also reads lines from a connection that the child has inherited.
    pub(super) fn listen_on(&mut self, stream: UnixStream) -> io::Result<()> {
        self.read(move || Ok(stream))
    }

    /// Gives the child this much time from now on.
    pub(super) fn allow(&mut self, limit: Duration) {
        self.deadline = Instant::now().checked_add(limit);
    }

    /// Waits for the next line or the exit, at most until the time limit and both grace periods have passed.
    pub(super) fn next(&mut self) -> Next {
        while !(self.exited && self.open_streams == 0) {
            match self.event() {
                Some(Event::Line(line)) => return Next::Line(line),
                Some(Event::Closed) => self.open_streams -= 1,
                Some(Event::Exited) => self.kill_rest(),
                None if self.exited || self.timed_out => break,
                None => {
                    self.timed_out = true;
                    kill(self.group, &self.leader);
                    self.deadline = Instant::now().checked_add(KILL_GRACE);
                }
            }
        }
        Next::Ended
    }

    /// The next event; none once the deadline has passed, even while lines keep arriving.
    fn event(&self) -> Option<Event> {
        let Some(deadline) = self.deadline else { return self.events.recv().ok() };
        let left = deadline.checked_duration_since(Instant::now())?;
        self.events.recv_timeout(left).ok()
    }

    /// Waits for the exit, passing over lines. An error means that the process could not be killed.
    pub(super) fn end(mut self) -> io::Result<End> {
        while let Next::Line(_) = self.next() {}
        if !self.exited {
            let message = "the process was killed and does not exit";
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner).output();
        self.cancel.remove(self.group);
        Ok(End { status: self.child.wait()?, timed_out: self.timed_out, output })
    }

    /// Kills the rest of the group. The process has exited but is not reaped yet, so the number of its group cannot be
    /// another one's.
    fn kill_rest(&mut self) {
        self.exited = true;
        kill(self.group, &self.leader);
        if let Some(path) = self.socket.take() {
            // Wakes the reader if it still waits for the child to connect.
            drop(UnixStream::connect(path));
        }
        self.deadline = Instant::now().checked_add(READER_GRACE);
    }

    fn collect(&mut self, mut reader: PipeReader) -> io::Result<()> {
        self.open_streams += 1;
        let (sender, output) = (self.sender.clone(), Arc::clone(&self.output));
        start(move || {
            let mut buffer = [0; 16 << 10];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                output.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
            }
            sender.send(Event::Closed)
        })
    }

    fn read<R: Read>(
        &mut self,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> io::Result<()> {
        self.open_streams += 1;
        let sender = self.sender.clone();
        start(move || {
            if let Ok(stream) = open() {
                for_each_line(BufReader::new(stream), LONGEST_LINE, |line| {
                    sender.send(Event::Line(line)).is_ok()
                });
            }
            sender.send(Event::Closed)
        })
    }

    fn watch_exit(&self) -> io::Result<()> {
        let (sender, leader) = (self.sender.clone(), Arc::clone(&self.leader));
        start(move || {
            leader.wait();
            sender.send(Event::Exited)
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

/// Starts a thread that is never joined: it ends with its stream, or with the child.
fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("child".into()).spawn(work).map(drop)
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.exited {
            kill(self.group, &self.leader);
            self.timed_out = true;
            self.deadline = Instant::now().checked_add(KILL_GRACE);
            while !self.exited && matches!(self.next(), Next::Line(_)) {}
        }
        self.cancel.remove(self.group);
        // Reaps it, if it has exited, without waiting.
        let _ = self.child.try_wait();
    }
}

#[cfg(test)]
mod tests;
