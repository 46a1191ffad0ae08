//! File events: for each watched file a [`Change`] once its content has changed and settled. Must not know what a save
//! means.

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
    /// The file is gone or can no longer be read.
    Gone(PathBuf),
    /// How changes are detected from now on.
    Mode(WatchMode),
}

/// How changes are detected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchMode {
    /// By events from the operating system.
    Native,
    /// By polling the files twice a second, because no events arrive; the reason.
    Polling(String),
}
