//! One process, to be waited for and killed. On Linux by a descriptor, which means this process for ever; elsewhere by
//! its number, which is the process's own until it is reaped. Must not know groups, output or time.

use rustix::io::{self, Errno};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, OwnedFd};

/// A child that was not reaped when this value was made.
#[derive(Debug)]
pub(super) struct Handle {
    #[cfg(target_os = "linux")]
    descriptor: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    number: Pid,
}

impl Handle {
    /// Of a child that is not reaped yet.
    pub(super) fn of(child: Pid) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return Ok(Self { descriptor: pidfd_open(child, PidfdFlags::empty())? });
        #[cfg(not(target_os = "linux"))]
        Ok(Self { number: child })
    }

    /// Kills it. It may have ended already.
    pub(super) fn kill(&self) {
        #[cfg(target_os = "linux")]
        let _ = pidfd_send_signal(&self.descriptor, Signal::KILL);
        #[cfg(not(target_os = "linux"))]
        let _ = rustix::process::kill_process(self.number, Signal::KILL);
    }

    /// Waits until it has exited, and leaves it to be reaped.
    pub(super) fn wait(&self) {
        #[cfg(target_os = "linux")]
        let it = WaitId::PidFd(self.descriptor.as_fd());
        #[cfg(not(target_os = "linux"))]
        let it = WaitId::Pid(self.number);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(it.clone(), options), Err(Errno::INTR)) {}
    }
}
