//! The learner's own engine: for each completed module the text that stands in the chain. A module is
//! completed when its file lies in `.tinytorch/mine/`, put there by one rename: a kill at any moment
//! leaves the earlier engine or the new one.

use super::{Lab, atomic};
use crate::curriculum::{Module, ModuleId};
use crate::error::Error;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

impl Lab {
    /// The text of each completed module.
    ///
    /// # Errors
    /// When a completed module's file is there and cannot be read.
    pub fn completed(&self) -> Result<BTreeMap<ModuleId, String>, Error> {
        let mut texts = BTreeMap::new();
        for module in self.course().modules() {
            let path = self.mine(module);
            match std::fs::read_to_string(&path) {
                Ok(text) => drop(texts.insert(module.id, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Error::io("read your completed module", &path, &error)
                        .hint("`reset` or `complete` the module again to mend it."));
                }
            }
        }
        Ok(texts)
    }

    /// Makes `text` the module's link from now on.
    ///
    /// # Errors
    /// When the lab cannot be written; then the earlier link stays.
    pub fn complete(&self, module: &Module, text: &str) -> Result<(), Error> {
        atomic::write(&self.mine(module), text.as_bytes())?;
        remove(&self.refusal(module))
    }

    /// Makes `text` the module's completed one, on which later modules cannot stand, and why.
    ///
    /// # Errors
    /// When the lab cannot be written; then the earlier link stays.
    pub fn refuse(&self, module: &Module, text: &str, reason: &str) -> Result<(), Error> {
        // The refusal first: it names its text, so it says nothing about the one that is there until
        // the second write.
        let refusal = format!("{}\n{reason}", name_of(text));
        atomic::write(&self.refusal(module), refusal.as_bytes())?;
        atomic::write(&self.mine(module), text.as_bytes())
    }

    /// Why later modules cannot stand on the module's completed text; `None` when they can.
    #[must_use]
    pub fn refused(&self, id: ModuleId) -> Option<String> {
        let module = self.course().module(id)?;
        let refusal = std::fs::read_to_string(self.refusal(module)).ok()?;
        let (of, reason) = refusal.split_once('\n')?;
        let text = std::fs::read_to_string(self.mine(module)).ok()?;
        (of == name_of(&text)).then(|| reason.to_owned())
    }

    /// Makes the reference the module's link again.
    ///
    /// # Errors
    /// When the lab cannot be written.
    pub fn forget(&self, module: &Module) -> Result<(), Error> {
        remove(&self.mine(module))?;
        remove(&self.refusal(module))
    }

    /// Where a completed module's text lies.
    #[must_use]
    pub fn mine(&self, module: &Module) -> PathBuf {
        self.own().join("mine").join(format!("{}.rs", module.slug()))
    }

    fn refusal(&self, module: &Module) -> PathBuf {
        self.mine(module).with_extension("refused")
    }
}

/// Stands for a text in its refusal.
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
    fn a_refusal_is_of_one_text_and_a_kill_between_two_writes_makes_it_of_no_other() {
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
        assert_eq!(lab.refused(module.id), None, "a new proof");
    }
}
