//! What a run is asked to do, and on which framework: the file's text as it was read once, and for
//! each module below it whether the reference or the learner's own file stands in the chain.

use super::event::RunKind;
use crate::curriculum::ModuleId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One file to compile and run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The module whose exercise it is; for a milestone, the last module it stands on.
    pub module: ModuleId,
    /// Tests, analyses, or a milestone's program.
    pub kind: RunKind,
    /// Names of the tests or analyses to run; empty for all.
    pub only: Vec<String>,
    /// Where the text was read from: shown in source_map, never opened.
    pub file: PathBuf,
    /// The file's text.
    pub text: String,
    /// What stands below it.
    pub links: ModuleSources,
}

/// Where the source of one link comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModuleSource {
    /// The engine's own source of the module.
    #[default]
    Reference,
    /// A file that the learner completed.
    Learner {
        /// Where the text was read from: shown in source_map, never opened.
        file: PathBuf,
        /// The file's text.
        text: String,
    },
}

/// The sources of the chain. A module that is not named here is the reference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleSources(pub BTreeMap<ModuleId, ModuleSource>);
