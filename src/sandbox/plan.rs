//! What a confined process is, may see and may use: plain data, passed to the launcher as one argument. Must not know
//! how any of it is enforced.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// One confined process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// What it is for.
    pub task: Task,
    /// The program, by its absolute path. It can be read and executed.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Where it runs; none for an empty folder that is gone with the process.
    pub folder: Option<PathBuf>,
    /// Files and folders that it may read, beside what every program of this task needs of the system.
    pub readable: Vec<PathBuf>,
    /// Folders that it may write. They are given to the user that the process runs as.
    pub writable: Vec<PathBuf>,
    /// How much it may use.
    pub limits: Limits,
}

/// What a confined process is for, which decides the system calls and the part of the system that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// A compiler: it starts processes, such as the linker.
    Compiler,
    /// A program that was made from untrusted code: it starts none, and executes nothing else.
    Program,
}

/// How much a process may use. There is no limit of time here: who starts the process has the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space, in bytes.
    pub memory: u64,
    /// Time on a processor, in seconds.
    pub processor_seconds: u64,
    /// The size of one file, and of the empty folder, in bytes.
    pub file: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// A part of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// Namespaces for processes, network, mounts and what processes share, with a file system of its own.
    Namespaces,
    /// Landlock: rules for files and connections.
    Landlock,
    /// Seccomp: a filter for system calls.
    Seccomp,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::Landlock, Self::Seccomp];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "namespaces (processes, network and files are not separated)",
            Self::Landlock => "Landlock (files are protected by their permissions only)",
            Self::Seccomp => "seccomp (system calls are not filtered)",
        })
    }
}

/// A plan with what the launcher needs beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) launcher: PathBuf,
    /// The process that gives the order: when it ends, so does the program.
    pub(super) from: u32,
    pub(super) parts: BTreeSet<Part>,
    /// The user that the program runs as; none without the right to change it.
    pub(super) user: Option<u32>,
    pub(super) plan: Plan,
}

/// The launcher's first argument.
pub(super) const COMMAND: &str = "__sandbox";

impl Order {
    pub(super) fn new(launcher: PathBuf, parts: BTreeSet<Part>, plan: Plan) -> Self {
        Self { launcher, from: std::process::id(), parts, user: None, plan }
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// The launcher's arguments for a stage.
    pub(super) fn arguments(&self, stage: &str) -> io::Result<[String; 3]> {
        Ok([COMMAND.to_owned(), stage.to_owned(), serde_json::to_string(self)?])
    }
}
