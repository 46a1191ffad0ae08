//! A sandbox around a process that runs untrusted code. Input: a [`Plan`], which says what the process may read, write
//! and use up. Output: a command that starts it confined. The command is this program itself, started as its own
//! [`launcher`], because what confines a process must happen inside it, before the untrusted program is executed.
//! Must not know compilers, tests or grades.

#[cfg(target_os = "linux")]
pub mod launcher;
#[cfg(not(target_os = "linux"))]
#[path = "launcher_elsewhere.rs"]
pub mod launcher;
mod plan;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod rules;
mod self_test;

pub use plan::{Limits, Part, Plan, Task};

use crate::error::Error;
use plan::Order;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What the launcher writes on the channel when everything is in place, before any untrusted code runs.
pub const UP: &str = "up";
/// The descriptor at which a test's program finds its end of the channel.
pub const CHANNEL: i32 = 3;

/// The launcher's exit code when it could not start the program, which may also be one of the program's own.
pub const NOT_STARTED: u8 = 125;

/// A sandbox of the parts that this kernel has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    launcher: PathBuf,
    parts: BTreeSet<Part>,
}

impl Sandbox {
    /// Finds out which parts work here, by attempts from inside: what a part must refuse is tried. `launcher` is the
    /// tutor's own program.
    ///
    /// # Errors
    /// When not even a process without any part can be started.
    pub fn probe(launcher: &Path) -> Result<Self, Error> {
        let with = |parts: BTreeSet<Part>| Self { launcher: launcher.to_owned(), parts };
        let whole = with(Part::ALL.into());
        if whole.holds().is_ok() {
            return Ok(whole);
        }
        let works = |part: &Part| with([*part].into()).holds().is_ok();
        let found = with(Part::ALL.into_iter().filter(works).collect());
        match found.holds() {
            Ok(()) => Ok(found),
            Err(reason) => Err(Error::environment(format!(
                "no confined process can be started: {}",
                crate::error::harmless(reason.trim())
            ))),
        }
    }

    /// The parts that this machine lacks; none for a complete sandbox.
    #[must_use]
    pub fn lacks(&self) -> Vec<Part> {
        Part::ALL.into_iter().filter(|part| !self.parts.contains(part)).collect()
    }

    /// A command that runs the plan's program inside the sandbox, and this side's end of its channel. Its standard input is
    /// the other end; standard output and error are for the caller to set.
    ///
    /// # Errors
    /// When there are no descriptors left, or a path is not UTF-8.
    pub fn command(&self, plan: Plan) -> io::Result<(Command, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let order = Order::new(self.launcher.clone(), self.parts.clone(), plan);
        let mut command = Command::new(&self.launcher);
        command.args(order.arguments("outside")?).env_clear();
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        Ok((command, ours))
    }

    /// Tries from inside what each part must refuse.
    fn holds(&self) -> Result<(), String> {
        let plan = self_test::plan(&self.launcher, &self.parts);
        let run = || -> io::Result<(bool, bool, String)> {
            let (mut command, channel) = self.command(plan)?;
            let output = output(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8_lossy(&printed).into_owned();
            Ok((is_up(channel)?, output.status.success(), printed))
        };
        match run() {
            Ok((true, true, _)) => Ok(()),
            Ok((_, _, printed)) => Err(printed),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Hides this process's memory from other processes of the same user.
pub fn hide_this_process() {
    #[cfg(target_os = "linux")]
    // A second line of defence: it matters only to a process that has left the sandbox.
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// How the program in the sandbox ended, from how the launcher did: a code above 128 is the number of a signal.
#[must_use]
pub fn of_program(launcher: ExitStatus) -> ExitStatus {
    match launcher.code() {
        Some(code @ 129..=192) => ExitStatus::from_raw(code - 128),
        _ => launcher,
    }
}

/// Starts the command, waits for it, and closes this side's copies of what it was given.
fn output(command: &mut Command) -> io::Result<std::process::Output> {
    let child = command.spawn()?;
    command.stdin(Stdio::null());
    child.wait_with_output()
}

/// Whether the launcher got as far as the program. To be called once the process has ended.
///
/// # Errors
/// When the channel cannot be read.
pub fn is_up(channel: UnixStream) -> io::Result<bool> {
    channel.set_nonblocking(true)?;
    let mut line = String::new();
    match BufReader::new(channel.take(16)).read_line(&mut line) {
        Ok(_) => Ok(line.trim_end() == UP),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
