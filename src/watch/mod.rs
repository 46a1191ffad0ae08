//! File events: for each watched file a [`Change`] once its content has changed and has settled. Not here: what a save means.

mod contents;
mod native;
mod settle;

pub use native::{Watch, start};

use std::path::PathBuf;

/// What happened on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The file has new content.
    Saved(PathBuf),
    /// The file is gone, or is no file that can be read any more.
    Gone(PathBuf),
    /// How changes are noticed from now on.
    Mode(WatchMode),
}

/// How changes are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchMode {
    /// The system tells.
    Native,
    /// The files are looked at twice a second, because the system does not tell; the reason.
    Polling(String),
}
