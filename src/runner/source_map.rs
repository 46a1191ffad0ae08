//! From places in what was compiled back to places in the learner's files. Pure.

use super::event::Place;
use std::path::{Path, PathBuf};

/// For each line of a prepared_source, the line of the learner's file that it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LineMap(pub(super) Vec<Option<usize>>);

impl LineMap {
    /// The learner's line for a line of the prepared_source, both from 1; `None` for what the learner's
    /// file does not have.
    pub(super) fn line(&self, line: usize) -> Option<usize> {
        *self.0.get(line.checked_sub(1)?)?
    }
}

/// The learner's files that a program consists of, by the name under which each was compiled.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceMap(Vec<(String, PathBuf, LineMap)>);

impl SourceMap {
    /// Adds a file.
    pub(super) fn add(&mut self, compiled_as: &str, file: &Path, lines: LineMap) {
        self.0.push((compiled_as.to_owned(), file.to_owned(), lines));
    }

    /// Where the learner finds a place of a compiled file; `None` for what is not the learner's.
    pub(super) fn find(&self, file: &str, line: usize, column: usize) -> Option<Place> {
        let name = Path::new(file).file_name()?;
        let (_, file, lines) = self.0.iter().find(|(compiled, ..)| name == compiled.as_str())?;
        Some(Place { file: file.clone(), line: lines.line(line)?, column })
    }
}
