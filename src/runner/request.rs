//! What to run: a file's text, and for each module below it whether the reference or the learner's own file is used.
//! Not here: reading files.

use super::event::RunKind;
use crate::curriculum::ModuleId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One file to compile and run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The module whose exercise it is; for a milestone, the last module it depends on.
    pub module: ModuleId,
    /// Tests, analyses, or a milestone's program.
    pub kind: RunKind,
    /// Names of the tests or analyses to run; empty for all.
    pub only: Vec<String>,
    /// The path of the file, to show in messages; it is never opened.
    pub file: PathBuf,
    /// The file's text.
    pub text: String,
    /// The modules below it.
    pub sources: ModuleSources,
    /// Whether the original tests are compiled as a crate of their own, which nothing in the text can
    /// change. It takes longer, and leaves the learner's own tests out.
    pub separate_tests: bool,
}

/// Where the source of one module comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModuleSource {
    /// The engine's own source of the module.
    #[default]
    Reference,
    /// A file that the learner completed.
    Learner {
        /// The path of the file, to show in messages; it is never opened.
        file: PathBuf,
        /// The file's text.
        text: String,
    },
}

/// The sources of the modules. A module that is not listed is the reference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleSources(pub BTreeMap<ModuleId, ModuleSource>);
