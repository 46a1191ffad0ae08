//! A child as a value: its own process group, nothing on standard input, an empty environment, its
//! output read with a cap. Whoever drops it kills the group. Not here: what the child means.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

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

    fn with<T>(&self, f: impl FnOnce(&mut Groups) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn kill(group: Pid) {
    // The group may be gone already: that is what was wanted.
    let _ = kill_process_group(group, Signal::KILL);
}
