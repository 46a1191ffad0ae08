//! The process of an explorable: it is started once and then computes a frame for each line of settings. Input: a
//! program with a table of explorables. Output: items, controls and a verdict for each frame. Not here: which source it
//! is compiled from.

use super::program::{MOST_ITEMS, clean, judge, verdict};
use crate::error::Error;
use crate::runner::event::Verdict;
use crate::runner::process::{Lines, Next, Process, command};
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, Stop};
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tinytorch::explore::{Control, Settings};
use tinytorch::harness::Record;
use tinytorch::report::Item;

/// A running process.
pub(in crate::runner) struct Figure {
    process: Process,
    settings: UnixStream,
    /// Of the next frame, and of those after it.
    limits: [Duration; 2],
    /// The folder of the socket, removed after the process has ended.
    _sockets: TempDir,
}

/// The content of a frame.
#[derive(Debug, Default)]
pub(in crate::runner) struct Drawn {
    /// What the figure reported.
    pub(in crate::runner) items: Vec<Item>,
    /// The controls that it asked for.
    pub(in crate::runner) controls: Vec<Control>,
}

impl Figure {
    /// Starts the program; `limits` are those of its first frame and of the others.
    pub(in crate::runner) fn start(
        binary: &Path,
        name: &str,
        sockets: TempDir,
        limits: [Duration; 2],
        cancel: &Cancel,
    ) -> Result<Self, Stop> {
        let [limit, _] = limits;
        let failed = |error| Error::io("run", binary, &error);
        let socket = sockets.path().join("explore");
        let listener = UnixListener::bind(&socket)
            .map_err(|error| Error::io("listen on the socket", &socket, &error))?;
        let mut start = command(binary, binary.parent().unwrap_or(Path::new(".")));
        start.arg(&socket).arg(name);
        let mut process = Process::spawn(start, Lines::Neither, limit, cancel).map_err(failed)?;
        process.limit_memory(0);
        let connected = process.listen(listener, socket).map_err(failed)?;
        match connected.recv_timeout(limit) {
            Ok(settings) => Ok(Self { process, settings, limits, _sockets: sockets }),
            Err(_) if cancel.is_cancelled() => Err(Stop::Cancelled),
            Err(_) => Err(Error::environment("the figure's process did not start").into()),
        }
    }

    /// Computes a frame. The process is returned unless it ended or was killed; then the verdict says so.
    pub(in crate::runner) fn frame(
        mut self,
        settings: &Settings,
        source_map: &SourceMap,
    ) -> Result<(Drawn, Verdict, Option<Self>), Stop> {
        let [limit, later] = self.limits;
        self.limits = [later; 2];
        self.process.allow(limit);
        let line = serde_json::to_string(settings).unwrap_or_default() + "\n";
        // If the process has ended, the write fails, and the verdict below says why.
        let _ = self.settings.write_all(line.as_bytes());
        let mut drawn = Drawn::default();
        while let Next::Line(line) = self.process.next() {
            match serde_json::from_slice(&line) {
                Ok(Record::Item { item }) if drawn.items.len() < MOST_ITEMS => {
                    drawn.items.push(clean(item));
                }
                Ok(Record::Item { .. }) | Err(_) => {}
                Ok(Record::Controls { controls }) => drawn.controls = clean(controls),
                Ok(record) => return Ok((drawn, verdict(record, source_map), Some(self))),
            }
        }
        let failed = |error| Error::environment(format!("the figure's process was lost: {error}"));
        let end = self.process.end().map_err(failed)?;
        Ok((drawn, judge(None, &end, limit, source_map), None))
    }
}
