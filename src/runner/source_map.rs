//! Maps places in what was compiled back to places in the learner's files. Pure.

use super::event::Place;
use std::path::{Path, PathBuf};

/// For each line of a prepared source, the line of the learner's file that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LineMap(pub(super) Vec<Option<usize>>);

impl LineMap {
    /// The learner's line for a line of the prepared source, both from 1; `None` for what the learner's
    /// file does not have.
    pub(super) fn line(&self, line: usize) -> Option<usize> {
        *self.0.get(line.checked_sub(1)?)?
    }
}

/// The learner's files that a program consists of, by the path under which each was compiled.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceMap(Vec<(String, PathBuf, LineMap)>);

impl SourceMap {
    /// Adds a file.
    pub(super) fn add(&mut self, compiled_as: &str, file: &Path, lines: LineMap) {
        self.0.push((compiled_as.to_owned(), file.to_owned(), lines));
    }

    /// The place in the learner's file for a place of a compiled file; `None` for what is not the
    /// learner's. A file elsewhere that has the same name is not the learner's.
    pub(super) fn find(&self, file: &str, line: usize, column: usize) -> Option<Place> {
        let (_, file, lines) = self.0.iter().find(|(compiled_as, ..)| file == compiled_as)?;
        Some(Place { file: file.clone(), line: lines.line(line)?, column })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_elsewhere_with_the_same_name_is_not_the_learners() {
        let mut source_map = SourceMap::default();
        source_map.add("exercise.rs", Path::new("/lab/01_tensor.rs"), LineMap(vec![Some(7)]));
        let place = Place { file: "/lab/01_tensor.rs".into(), line: 7, column: 3 };
        assert_eq!(source_map.find("exercise.rs", 1, 3), Some(place));
        assert_eq!(source_map.find("/elsewhere/exercise.rs", 1, 3), None);
        assert_eq!(source_map.find("src/exercise.rs", 1, 3), None);
        assert_eq!(source_map.find("exercise.rs", 2, 3), None);
    }
}
