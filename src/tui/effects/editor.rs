//! The learner's editor as a process. A terminal editor gets the terminal as a job of a shell does: its
//! process group is in the foreground; when it stops, the tutor stops too, and when the shell continues
//! the tutor, the editor continues. An editor with a window of its own is started and left alone. Must
//! not know when an editor is opened or what a frame looks like.

use crate::editor::Editor;
use crate::error::{Error, printable};
use crate::runner;
use crate::tui::message::Message;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, getppid, getsid, tcgetpgrp, tcsetpgrp};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

/// An editor that got SIGHUP has this long to save what was typed.
const GRACE: Duration = Duration::from_secs(2);

/// An editor that has the terminal. Dropping it takes the terminal back; an editor that is still
/// running gets SIGHUP first.
pub struct OpenEditor {
    group: Pid,
    terminal: Option<File>,
    ended: Receiver<()>,
}

/// Opens `file` at `line`. Returns the editor if it has the terminal now.
pub fn open(
    editor: &Editor,
    (file, line): (&Path, usize),
    messages: &Sender<Message>,
) -> Result<Option<OpenEditor>, Error> {
    let mut command = Command::new(&editor.program);
    // A process group of its own: a signal from the terminal goes to the editor or the tutor, never both.
    command.args(editor.arguments(file, line)).process_group(0);
    let started = if editor.windowed {
        start_window(&mut command).map(|()| None)
    } else {
        OpenEditor::start(&mut command, messages.clone()).map(Some)
    };
    started.map_err(|error| {
        Error::environment(format!("failed to run the editor \"{}\": {error}", editor.program))
            .hint(format!(
                "Set VISUAL or EDITOR to an editor that is installed, or open {}:{line}.",
                printable(file)
            ))
    })
}

fn start_window(command: &mut Command) -> io::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    // The thread only collects the exit status.
    Builder::new().name("editor".into()).spawn(move || drop(child.wait())).map(drop)
}

impl OpenEditor {
    fn start(command: &mut Command, messages: Sender<Message>) -> io::Result<Self> {
        let child = command.spawn()?;
        let group = group_of(&child)?;
        let (alive, ended) = channel();
        // Without a controlling terminal there is no job control.
        let this = Self { group, terminal: File::open("/dev/tty").ok(), ended };
        this.to_foreground(group)?;
        Builder::new().name("editor".into()).spawn(move || {
            let _alive = alive;
            watch(group, &messages);
        })?;
        Ok(this)
    }

    /// Handles an editor that `signal` stopped: the tutor stops too, and once it is continued, so is the
    /// editor. If no shell could continue the tutor, the editor is continued at once.
    pub fn stopped(&self, signal: Signal) -> io::Result<()> {
        // The editor used the terminal before it had it.
        let early = matches!(signal, Signal::SIGTTIN | Signal::SIGTTOU);
        if !early && has_shell() {
            self.to_foreground(getpgrp())?;
            suspend(self.terminal.as_ref())?;
        }
        self.to_foreground(self.group)?;
        Ok(killpg(self.group, Signal::SIGCONT)?)
    }

    /// Asks the editor to stop; [`OpenEditor::stopped`] follows.
    pub fn ask_to_stop(&self) -> io::Result<()> {
        Ok(killpg(self.group, Signal::SIGTSTP)?)
    }

    fn to_foreground(&self, group: Pid) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        // A group in the background that takes the terminal is sent SIGTTOU, unless that is blocked.
        let signals = SigSet::from(Signal::SIGTTOU);
        signals.thread_block()?;
        let done = tcsetpgrp(terminal, group);
        signals.thread_unblock()?;
        Ok(done?)
    }
}

impl Drop for OpenEditor {
    fn drop(&mut self) {
        use std::sync::mpsc::RecvTimeoutError::Timeout;
        if self.ended.recv_timeout(Duration::ZERO) == Err(Timeout) {
            // As a terminal does when it is closed. The editor may have ended by now.
            let _ = killpg(self.group, Signal::SIGHUP);
            let _ = killpg(self.group, Signal::SIGCONT);
            let _ = self.ended.recv_timeout(GRACE);
        }
        // The terminal may be gone.
        let _ = self.to_foreground(getpgrp());
    }
}

/// A child started with `process_group(0)` leads a group that has its number.
fn group_of(child: &Child) -> io::Result<Pid> {
    child.id().try_into().map(Pid::from_raw).map_err(io::Error::other)
}

/// Reports every stop of the editor, and its end.
fn watch(child: Pid, messages: &Sender<Message>) {
    loop {
        let ended = match waitpid(child, Some(WaitPidFlag::WUNTRACED)) {
            Err(Errno::EINTR) => continue,
            Ok(WaitStatus::Stopped(_, signal)) => {
                if messages.send(Message::EditorStopped(signal)).is_err() {
                    return;
                }
                continue;
            }
            Ok(WaitStatus::Exited(_, 0)) => Ok(()),
            Ok(WaitStatus::Exited(_, code)) => Err(format!("it exited with status {code}")),
            Ok(WaitStatus::Signaled(_, signal, _)) => Err(format!("it was ended by {signal}")),
            Ok(status) => Err(format!("its status is unknown: {status:?}")),
            Err(error) => Err(error.to_string()),
        };
        // The event loop may have ended.
        let _ = messages.send(Message::EditorEnded(ended));
        return;
    }
}

/// Stops the tutor's process group until the shell continues it in the foreground.
pub fn suspend(terminal: Option<&File>) -> io::Result<()> {
    if !has_shell() {
        return Err(io::Error::other("no shell could continue the tutor"));
    }
    loop {
        runner::between_starts(|| killpg(getpgrp(), Signal::SIGSTOP))?;
        // Continued in the background, as by `bg`, it would only disturb the program in the foreground.
        let in_foreground =
            |terminal: &File| tcgetpgrp(terminal).map_or(true, |group| group == getpgrp());
        if terminal.is_none_or(in_foreground) {
            return Ok(());
        }
    }
}

/// Whether the parent belongs to the same session, as a shell does; a terminal that was started with
/// the tutor as its program does not, and cannot continue what was stopped. A parent outside the
/// tutor's container has the number 0, and so has a session that was started outside.
fn has_shell() -> bool {
    let (parent, session) = (getppid(), |pid| getsid(pid).ok());
    parent.as_raw() != 0 && session(Some(parent)) == session(None)
}
