//! The learner's editor as a process. One that lives in the terminal gets it as a shell's job does: a
//! process group of its own in the foreground; when it stops, the tutor stops too, and when the shell
//! continues the tutor, the editor comes back. One with a window of its own is started and left alone.
//! Must not know when an editor is opened, nor what a frame looks like.

use crate::editor::Editor;
use crate::error::{Error, printable};
use crate::tui::message::Message;
use nix::sys::signal::{SigSet, Signal as Blocked};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpgrp, getppid, getsid, kill_current_process_group,
    kill_process_group, waitpid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

/// An editor that was hung up gets this long to keep what was typed.
const GRACE: Duration = Duration::from_secs(2);

/// An editor that has the terminal. Dropping it takes the terminal back; an editor that is still
/// there is hung up first.
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
    // A group of its own: signals of the terminal are the editor's or the tutor's, never both's.
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
    // The thread only collects the exit status, whenever that comes.
    Builder::new().name("editor".into()).spawn(move || drop(child.wait())).map(drop)
}

impl OpenEditor {
    fn start(command: &mut Command, messages: Sender<Message>) -> io::Result<Self> {
        let child = command.spawn()?;
        let group = Pid::from_child(&child);
        let (alive, ended) = channel();
        // Without a controlling terminal there are no jobs to control.
        let this = Self { group, terminal: File::open("/dev/tty").ok(), ended };
        this.to_foreground(group)?;
        Builder::new().name("editor".into()).spawn(move || {
            let _alive = alive;
            watch(group, &messages);
        })?;
        Ok(this)
    }

    /// The editor was stopped by `signal`: the tutor stops with it, and once it is continued, so is the
    /// editor. Where no shell could continue the tutor, the editor is continued at once.
    pub fn stopped(&self, signal: i32) -> io::Result<()> {
        // It asked for the terminal before it had it.
        let early = [Signal::TTIN, Signal::TTOU].iter().any(|early| early.as_raw() == signal);
        if !early && has_shell() {
            self.to_foreground(getpgrp())?;
            suspend(self.terminal.as_ref())?;
        }
        self.to_foreground(self.group)?;
        Ok(kill_process_group(self.group, Signal::CONT)?)
    }

    /// Asks the editor to stop; [`OpenEditor::stopped`] follows.
    pub fn ask_to_stop(&self) -> io::Result<()> {
        Ok(kill_process_group(self.group, Signal::TSTP)?)
    }

    fn to_foreground(&self, group: Pid) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        // A group in the background that takes the terminal is sent SIGTTOU, unless that is blocked.
        let signals = SigSet::from(Blocked::SIGTTOU);
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
            // As a terminal that is closed does. It may have ended by now.
            let _ = kill_process_group(self.group, Signal::HUP);
            let _ = kill_process_group(self.group, Signal::CONT);
            let _ = self.ended.recv_timeout(GRACE);
        }
        // The terminal may be gone.
        let _ = self.to_foreground(getpgrp());
    }
}

/// Reports every stop of the editor, and its end.
fn watch(child: Pid, messages: &Sender<Message>) {
    loop {
        let message = match waitpid(Some(child), WaitOptions::UNTRACED) {
            Err(Errno::INTR) => continue,
            Ok(Some((_, status))) => match status.stopping_signal() {
                Some(signal) => Message::EditorStopped(signal),
                None => Message::EditorEnded(verdict(status)),
            },
            Ok(None) => Message::EditorEnded(Err("it is no child of the tutor".into())),
            Err(error) => Message::EditorEnded(Err(error.to_string())),
        };
        let ended = matches!(message, Message::EditorEnded(_));
        if messages.send(message).is_err() || ended {
            return;
        }
    }
}

fn verdict(status: WaitStatus) -> Result<(), String> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(format!("it exited with status {code}")),
        (None, signal) => Err(format!("it was ended by signal {}", signal.unwrap_or_default())),
    }
}

/// Stops the tutor's process group until the shell continues it in the foreground.
pub fn suspend(terminal: Option<&File>) -> io::Result<()> {
    if !has_shell() {
        return Err(io::Error::other("no shell is there that could continue it"));
    }
    loop {
        kill_current_process_group(Signal::STOP)?;
        // Continued in the background, as by `bg`, it could only disturb the program in front.
        let in_front =
            |terminal: &File| tcgetpgrp(terminal).map_or(true, |group| group == getpgrp());
        if terminal.is_none_or(in_front) {
            return Ok(());
        }
    }
}

/// Whether the parent belongs to the same session, as a shell does; a terminal that was started with
/// the tutor as its program does not, and cannot continue what was stopped.
fn has_shell() -> bool {
    let session = |pid| getsid(pid).ok();
    getppid().is_some_and(|parent| session(Some(parent)) == session(None))
}
