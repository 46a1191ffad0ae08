//! One run from request to end: what it stands on, the snapshot, the compiler, the tests or analyses.

use super::event::RunEvent;
use super::{Cancel, Links, Request};
use crate::curriculum::ModuleId;
use crate::failure::Failure;
use std::path::PathBuf;
use std::time::Duration;

/// How long things may take before they are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One test.
    pub test: Duration,
    /// One analysis.
    pub analysis: Duration,
    /// A milestone's program.
    pub milestone: Duration,
    /// One call of the compiler.
    pub compile: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            test: Duration::from_secs(10),
            analysis: Duration::from_secs(120),
            milestone: Duration::from_secs(1800),
            compile: Duration::from_secs(60),
        }
    }
}

/// Compiles and runs; holds the toolchain and the cache.
#[derive(Debug)]
pub struct Runner {
    cache: PathBuf,
    limits: Limits,
}

impl Runner {
    /// Finds the toolchain (which takes about 0.1 s: not on the screen's thread). `cache` is made when
    /// it is missing.
    pub fn new(cache: PathBuf) -> Result<Self, Failure> {
        Ok(Self { cache, limits: Limits::default() })
    }

    /// The same runner with other time limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Compiles `request.text` and runs its tests, its analyses, or its milestone, until done or
    /// cancelled. An error means that this machine lacks something; everything that is the
    /// learner's comes as an event.
    pub fn run(
        &self,
        request: &Request,
        _cancel: &Cancel,
        _events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Failure> {
        Err(Failure::environment(format!("{:?}: not there yet", request.module)))
    }

    /// Builds what the exercise of `module` stands on: third-party crates and the links below it.
    pub fn prepare(
        &self,
        _module: ModuleId,
        _links: &Links,
        _cancel: &Cancel,
        _events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Failure> {
        Err(Failure::environment(format!("{}: not there yet", self.cache.display())))
    }
}
