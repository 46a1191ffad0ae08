//! The learner's own engine: for each completed module the text that later modules are compiled against. A module
//! is completed when its file is in `.tinytorch/mine/`. One rename puts it there: a kill at any moment leaves the
//! earlier engine or the new one.

use super::{Lab, atomic, numbered};
use crate::curriculum::{Module, ModuleId};
use crate::error::Error;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What [`Lab::undo`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Where the undone version is kept.
    pub backup: PathBuf,
    /// Whether an earlier version is back; otherwise the module is no longer in the engine.
    pub restored: bool,
}

impl Lab {
    /// The text of each completed module.
    ///
    /// # Errors
    /// When a completed module's file exists and cannot be read.
    pub fn completed(&self) -> Result<BTreeMap<ModuleId, String>, Error> {
        let mut texts = BTreeMap::new();
        for module in self.course().modules() {
            let path = self.mine(module);
            match std::fs::read_to_string(&path) {
                Ok(text) => drop(texts.insert(module.id, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Error::io("read your completed module", &path, &error)
                        .hint("Complete the module again, or reset it."));
                }
            }
        }
        Ok(texts)
    }

    /// Makes `text` the module's completed version. The one before is kept for [`Lab::undo`].
    ///
    /// # Errors
    /// When the lab cannot be written; then the earlier version stays.
    pub fn complete(&self, module: &Module, text: &str) -> Result<(), Error> {
        self.replace(module, text)?;
        remove(&self.refusal(module))
    }

    /// Makes `text` the module's completed version, with the reason why a later module does not build or pass on it.
    ///
    /// # Errors
    /// When the lab cannot be written; then the earlier version stays.
    pub fn refuse(&self, module: &Module, text: &str, reason: &str) -> Result<(), Error> {
        // The refusal first: it names its text, so it does not apply to the one that is there until the second write.
        let refusal = format!("{}\n{reason}", name_of(text));
        atomic::write(&self.refusal(module), refusal.as_bytes())?;
        self.replace(module, text)
    }

    fn replace(&self, module: &Module, text: &str) -> Result<(), Error> {
        let path = self.mine(module);
        match std::fs::read(&path) {
            Ok(before) if before == text.as_bytes() => {}
            Ok(before) => drop(numbered::keep(&self.earlier(), &module.slug(), &before)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read your completed module", &path, &error)),
        }
        self.show_to_editor(module, text)?;
        atomic::write(&path, text.as_bytes())
    }

    /// Restores the previous completed version; if there is none, the module leaves the learner's engine. The
    /// exercise is not touched, and the undone version becomes a backup.
    ///
    /// # Errors
    /// When the module is not completed, or the lab cannot be written.
    pub fn undo(&self, module: &Module) -> Result<Undone, Error> {
        let path = self.mine(module);
        let undone = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::usage(format!("{} is not completed", module.slug()))
                    .hint("`tinytorch-tutor list` shows which modules are in your engine.")
            }
            _ => Error::io("read your completed module", &path, &error),
        })?;
        let backup = self.back_up(module, &undone)?;
        while let Some(earlier) = numbered::all(&self.earlier(), &module.slug()).pop() {
            let text = std::fs::read(&earlier.path)
                .map_err(|error| Error::io("read", &earlier.path, &error))?;
            if text != undone {
                atomic::write(&path, &text)?;
                self.show_to_editor(module, &String::from_utf8_lossy(&text))?;
                remove(&earlier.path)?;
                return Ok(Undone { backup, restored: true });
            }
            // A kill between two writes kept the same text twice.
            remove(&earlier.path)?;
        }
        self.forget(module)?;
        Ok(Undone { backup, restored: false })
    }

    /// Why later modules do not build or pass on the module's completed text; `None` when they do.
    #[must_use]
    pub fn refused(&self, id: ModuleId) -> Option<String> {
        let module = self.course().module(id)?;
        let refusal = std::fs::read_to_string(self.refusal(module)).ok()?;
        let (of, reason) = refusal.split_once('\n')?;
        let text = std::fs::read_to_string(self.mine(module)).ok()?;
        (of == name_of(&text)).then(|| reason.to_owned())
    }

    /// Takes the module out of the learner's engine.
    ///
    /// # Errors
    /// When the lab cannot be written.
    pub fn forget(&self, module: &Module) -> Result<(), Error> {
        remove(&self.mine(module))?;
        self.hide_from_editor(module)?;
        remove(&self.refusal(module))
    }

    /// Where a completed module's text is.
    #[must_use]
    pub fn mine(&self, module: &Module) -> PathBuf {
        self.own().join("mine").join(format!("{}.rs", module.slug()))
    }

    /// Where replaced versions are kept.
    fn earlier(&self) -> PathBuf {
        self.own().join("mine").join("earlier")
    }

    fn refusal(&self, module: &Module) -> PathBuf {
        self.mine(module).with_extension("refused")
    }
}

/// Identifies a text in its refusal.
fn name_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;

    #[test]
    fn a_module_is_completed_completed_again_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::at(folder.path().to_owned(), Course::tinytorch());
        assert!(lab.completed().unwrap().is_empty());
        lab.complete(&lab.course().modules()[1], "one").unwrap();
        lab.complete(&lab.course().modules()[1], "two").unwrap();
        assert_eq!(lab.completed().unwrap(), BTreeMap::from([(ModuleId(1), "two".to_owned())]));
        lab.forget(&lab.course().modules()[1]).unwrap();
        lab.forget(&lab.course().modules()[1]).unwrap();
        assert!(lab.completed().unwrap().is_empty());
    }

    #[test]
    fn each_undo_restores_the_previous_version_and_the_last_one_leaves_the_engine() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::at(folder.path().to_owned(), Course::tinytorch());
        let module = &lab.course().modules()[1];
        assert!(lab.undo(module).unwrap_err().message.contains("not completed"));
        for text in ["one", "two", "two"] {
            lab.complete(module, text).unwrap();
        }
        // A kill in `complete` between keeping the earlier version and writing the new one.
        numbered::keep(&lab.earlier(), &module.slug(), b"two").unwrap();
        let undone = lab.undo(module).unwrap();
        assert!(undone.restored);
        assert_eq!(std::fs::read(undone.backup).unwrap(), b"two");
        assert_eq!(lab.completed().unwrap()[&module.id], "one");
        assert!(!lab.undo(module).unwrap().restored);
        assert!(lab.completed().unwrap().is_empty());
    }

    #[test]
    fn a_refusal_applies_to_one_text_whatever_moment_a_kill_comes_at() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::at(folder.path().to_owned(), Course::tinytorch());
        let module = &lab.course().modules()[1];
        lab.refuse(module, "one", "03_layers fails on it").unwrap();
        assert_eq!(lab.refused(module.id).as_deref(), Some("03_layers fails on it"));
        // Killed before the second write of `refuse`, and of `complete`.
        let refusal = std::fs::read(lab.refusal(module)).unwrap();
        lab.complete(module, "two").unwrap();
        std::fs::write(lab.refusal(module), refusal).unwrap();
        assert_eq!(lab.refused(module.id), None);
        lab.refuse(module, "one", "still").unwrap();
        lab.complete(module, "one").unwrap();
        assert_eq!(lab.refused(module.id), None, "it passes now");
    }
}
