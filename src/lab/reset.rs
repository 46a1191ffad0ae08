//! Replacing an exercise with its starter or with a backup. The current text is always backed up first.

use super::numbered::{self, Numbered};
use super::{Lab, atomic};
use crate::curriculum::{Module, cells};
use crate::error::Error;
use std::path::PathBuf;

/// What a reset did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Where the earlier content is kept; `None` when there was none, or it was the starter already.
    pub backup: Option<PathBuf>,
    /// Whether the module was part of the learner's engine until now.
    pub left_engine: bool,
}

impl Lab {
    /// Replaces the exercise with its starter, after a backup. A completed module leaves the learner's engine; its
    /// text there is backed up too if the exercise differs from it.
    ///
    /// # Errors
    /// When a backup or the starter cannot be written; then exercise and engine are as they were.
    pub fn reset(&self, module: &Module) -> Result<Reset, Error> {
        let completed = std::fs::read(self.mine(module)).ok();
        let exercise = std::fs::read(self.exercise(module)).ok();
        if let Some(text) = completed.as_ref().filter(|text| exercise.as_ref() != Some(*text)) {
            self.back_up(module, text)?;
        }
        let backup = self.put(module, cells::starter(module.reference()).as_bytes())?;
        self.keep_base(module)?;
        self.forget(module)?;
        Ok(Reset { backup, left_engine: completed.is_some() })
    }

    /// Replaces the exercise with `text`, after a backup if they differ.
    ///
    /// # Errors
    /// When the backup or the text cannot be written; then the exercise is as it was.
    pub fn put(&self, module: &Module, text: &[u8]) -> Result<Option<PathBuf>, Error> {
        let path = self.exercise(module);
        let backup = match std::fs::read(&path) {
            Ok(bytes) if bytes == text => return Ok(None),
            Ok(bytes) => Some(self.back_up(module, &bytes)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("back up", &path, &error)),
        };
        atomic::write(&path, text)?;
        Ok(backup)
    }

    /// The backups of the exercise, the oldest first.
    #[must_use]
    pub fn backups_of(&self, module: &Module) -> Vec<Numbered> {
        numbered::all(&self.backups(), &module.slug())
    }

    /// Replaces the exercise with one of its backups, after a backup of the current text.
    ///
    /// # Errors
    /// When a file cannot be read or written; then the exercise is as it was.
    pub fn restore(&self, module: &Module, from: &Numbered) -> Result<Option<PathBuf>, Error> {
        let text = std::fs::read(&from.path).map_err(|e| Error::io("read", &from.path, &e))?;
        self.put(module, &text)
    }

    pub(super) fn back_up(&self, module: &Module, bytes: &[u8]) -> Result<PathBuf, Error> {
        numbered::keep(&self.backups(), &module.slug(), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;
    use std::fs;

    #[test]
    fn every_reset_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::at(folder.path().to_owned(), Course::tinytorch());
        let module = &lab.course().modules()[1];
        let nothing = Reset { backup: None, left_engine: false };
        assert_eq!(lab.reset(module).unwrap(), nothing);
        for number in 1..=3 {
            fs::write(lab.exercise(module), format!("my work {number}")).unwrap();
            let backup = lab.reset(module).unwrap().backup.unwrap();
            assert!(backup.ends_with(format!("backups/01_tensor.{number}.rs")), "{backup:?}");
            assert_eq!(fs::read_to_string(backup).unwrap(), format!("my work {number}"));
        }
        let starter = fs::read_to_string(lab.exercise(module)).unwrap();
        assert_eq!(starter, cells::starter(module.reference()));
        assert_eq!(lab.reset(module).unwrap(), nothing, "nothing to lose");
    }

    #[test]
    fn restoring_twice_brings_back_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::at(folder.path().to_owned(), Course::tinytorch());
        let module = &lab.course().modules()[1];
        let text = || fs::read_to_string(lab.exercise(module)).unwrap();
        lab.put(module, b"my work").unwrap();
        lab.reset(module).unwrap();
        let starter = text();
        lab.restore(module, lab.backups_of(module).last().unwrap()).unwrap();
        assert_eq!(text(), "my work");
        lab.restore(module, lab.backups_of(module).last().unwrap()).unwrap();
        assert_eq!(text(), starter);
    }

    #[test]
    fn a_reset_module_leaves_the_engine_and_its_text_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::at(folder.path().to_owned(), Course::tinytorch());
        let module = &lab.course().modules()[1];
        lab.reset(module).unwrap();
        lab.complete(module, "what passed").unwrap();
        fs::write(lab.exercise(module), "edited since").unwrap();
        assert!(lab.reset(module).unwrap().left_engine);
        assert!(lab.completed().unwrap().is_empty());
        let kept = |number: usize| {
            fs::read_to_string(lab.backups().join(format!("01_tensor.{number}.rs"))).unwrap()
        };
        assert_eq!([kept(1), kept(2)], ["what passed", "edited since"]);
    }
}
