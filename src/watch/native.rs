//! The watcher thread. It watches folders, not files, because editors replace files. It subscribes to the
//! operating system's events, tests them once with a trial file, and falls back to polling if no event
//! arrives. It sleeps until something happens.

use super::contents::Contents;
use super::settle::Settle;
use super::{Change, WatchMode};
use crate::error::Error;
use notify::{Config, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The event for the trial file must arrive within this time.
const TRIAL: Duration = Duration::from_millis(300);
/// The polling interval where no events arrive.
const POLL: Duration = Duration::from_millis(500);
/// An empty or missing file is looked at again after this time before it is reported.
const GRACE: Duration = Duration::from_millis(80);

/// Stops watching when dropped.
pub struct Watch {
    inbox: Sender<Inbox>,
    thread: Option<JoinHandle<()>>,
}

enum Inbox {
    Event(notify::Result<notify::Event>),
    Stop,
}

/// Watches the files and calls `sink` from a thread of its own for each change.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(
    files: Vec<PathBuf>,
    sink: impl FnMut(Change) + Send + 'static,
) -> Result<Watch, Error> {
    let (inbox, events) = channel();
    let events_to = inbox.clone();
    let thread = Builder::new()
        .name("watcher".into())
        .spawn(move || WatchLoop::new(files, events_to, sink).run(&events))
        .map_err(|error| {
            Error::environment(format!("failed to start the file watcher: {error}"))
        })?;
    Ok(Watch { inbox, thread: Some(thread) })
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread may have ended already.
        let _ = self.inbox.send(Inbox::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct WatchLoop<S> {
    files: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
    inbox: Sender<Inbox>,
    sink: S,
    contents: Contents,
    settle: Settle,
    /// Files that were empty or missing and have had their grace period.
    graced: BTreeSet<PathBuf>,
    watcher: Option<Box<dyn Watcher>>,
    /// Folders that are gone and so cannot be watched; retried at intervals.
    missing: BTreeSet<PathBuf>,
    trial: Option<(PathBuf, Instant)>,
}

impl<S: FnMut(Change)> WatchLoop<S> {
    fn new(files: Vec<PathBuf>, inbox: Sender<Inbox>, sink: S) -> Self {
        let folders = files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
        let mut contents = Contents::default();
        files.iter().for_each(|file| drop(contents.look(file)));
        Self {
            files,
            folders,
            inbox,
            sink,
            contents,
            settle: Settle::default(),
            graced: BTreeSet::new(),
            watcher: None,
            missing: BTreeSet::new(),
            trial: None,
        }
    }

    fn run(mut self, events: &Receiver<Inbox>) {
        self.watch_natively();
        loop {
            let message = match self.deadline() {
                Some(deadline) => {
                    events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
                }
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Inbox::Event(event)) => self.on_event(event),
                Ok(Inbox::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.on_time(Instant::now());
        }
        self.end_trial();
    }

    fn deadline(&self) -> Option<Instant> {
        let missing = (!self.missing.is_empty()).then(|| Instant::now() + POLL);
        let trial = self.trial.as_ref().map(|(_, end)| *end);
        [self.settle.next(), missing, trial].into_iter().flatten().min()
    }

    fn on_event(&mut self, event: notify::Result<notify::Event>) {
        let now = Instant::now();
        let Ok(event) = event else {
            return self.recheck_all(now);
        };
        if event.need_rescan() {
            return self.recheck_all(now);
        }
        if matches!(event.kind, EventKind::Access(notify::event::AccessKind::Open(_))) {
            return;
        }
        for path in &event.paths {
            if self.trial.as_ref().is_some_and(|(file, _)| file == path) {
                self.end_trial();
                (self.sink)(Change::Mode(WatchMode::Native));
            } else if self.files.contains(path) {
                self.settle.touch(path, now);
            } else if self.folders.contains(path) {
                self.missing.insert(path.clone());
                self.recheck_all(now);
            }
        }
    }

    fn recheck_all(&mut self, now: Instant) {
        self.files.iter().for_each(|file| self.settle.touch(file, now));
    }

    fn on_time(&mut self, now: Instant) {
        if self.trial.as_ref().is_some_and(|(_, end)| *end <= now) {
            self.end_trial();
            self.watch_by_polling("no event arrived for a trial file".into());
        }
        self.find_missing_folders(now);
        for file in self.settle.settled(now) {
            self.on_settled(file, now);
        }
    }

    /// An empty or missing file is most likely half saved: it gets one grace period before it is reported.
    fn on_settled(&mut self, file: PathBuf, now: Instant) {
        if self.contents.in_flight(&file) && self.graced.insert(file.clone()) {
            return self.settle.postpone(file, now + GRACE);
        }
        self.graced.remove(&file);
        if let Some(change) = self.contents.look(&file) {
            (self.sink)(change);
        }
    }

    fn find_missing_folders(&mut self, now: Instant) {
        let Some(watcher) = &mut self.watcher else { return };
        let missing = std::mem::take(&mut self.missing);
        let (back, missing): (BTreeSet<_>, BTreeSet<_>) = missing.into_iter().partition(|folder| {
            // A folder that was replaced under the same name has a stale watch: remove it first.
            let _ = watcher.unwatch(folder);
            watcher.watch(folder, RecursiveMode::NonRecursive).is_ok()
        });
        self.missing = missing;
        if !back.is_empty() {
            self.recheck_all(now);
        }
    }

    fn watch_natively(&mut self) {
        let inbox = self.inbox.clone();
        let config = Config::default().with_follow_symlinks(false);
        let handler = move |event| drop(inbox.send(Inbox::Event(event)));
        match RecommendedWatcher::new(handler, config) {
            Ok(watcher) => self.watcher = Some(Box::new(watcher)),
            Err(error) => return self.watch_by_polling(error.to_string()),
        }
        if let Err(error) = self.watch_folders() {
            return self.watch_by_polling(error.to_string());
        }
        self.begin_trial();
    }

    fn watch_by_polling(&mut self, reason: String) {
        let inbox = self.inbox.clone();
        let config = Config::default().with_poll_interval(POLL).with_compare_contents(true);
        let handler = move |event| drop(inbox.send(Inbox::Event(event)));
        if let Ok(watcher) = PollWatcher::new(handler, config) {
            self.watcher = Some(Box::new(watcher));
            // A folder that is missing now is retried in `on_time`.
            let _ = self.watch_folders();
        }
        (self.sink)(Change::Mode(WatchMode::Polling(reason)));
    }

    /// Watches every folder; one that does not exist is retried later.
    fn watch_folders(&mut self) -> notify::Result<()> {
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        for folder in &self.folders {
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(_) if !folder.exists() => drop(self.missing.insert(folder.clone())),
                other => other?,
            }
        }
        Ok(())
    }

    /// Writes a trial file, for which an event must arrive. In a read-only folder no exercise can be
    /// saved either, so events need no test.
    fn begin_trial(&mut self) {
        let folder = self.folders.iter().find(|folder| folder.exists());
        let file =
            folder.map(|folder| folder.join(format!(".tinytorch-trial-{}", std::process::id())));
        match file {
            Some(file) if std::fs::write(&file, "").is_ok() => {
                self.trial = Some((file, Instant::now() + TRIAL));
            }
            _ => (self.sink)(Change::Mode(WatchMode::Native)),
        }
    }

    fn end_trial(&mut self) {
        if let Some((file, _)) = self.trial.take() {
            // Another process may have removed it.
            let _ = std::fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests;
