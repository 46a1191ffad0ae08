//! The learner's own engine: for each completed module the text that stands in the chain. A module is
//! completed when its file lies in `.tinytorch/mine/`, put there by one rename: a kill at any moment
//! leaves the earlier engine or the new one.

use super::{Lab, atomic};
use crate::curriculum::{MODULES, Module, ModuleId};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

impl Lab {
    /// The text of each completed module.
    ///
    /// # Errors
    /// When a completed module's file is there and cannot be read.
    pub fn completed(&self) -> Result<BTreeMap<ModuleId, String>, Failure> {
        let mut texts = BTreeMap::new();
        for module in MODULES {
            let path = self.mine(module);
            match std::fs::read_to_string(&path) {
                Ok(text) => drop(texts.insert(module.id, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Failure::io("read your completed module", &path, &error)
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
    pub fn complete(&self, module: &Module, text: &str) -> Result<(), Failure> {
        atomic::write(&self.mine(module), text.as_bytes())?;
        // A new text has a new chance; until it is proven, a refusal of the old one would mislead.
        remove(&self.refusal(module))
    }

    /// Remembers why later modules cannot stand on the module's completed text.
    ///
    /// # Errors
    /// When the lab cannot be written.
    pub fn refuse(&self, module: &Module, reason: &str) -> Result<(), Failure> {
        atomic::write(&self.refusal(module), reason.as_bytes())
    }

    /// Why later modules cannot stand on the module's completed text; `None` when they can.
    #[must_use]
    pub fn refused(&self, id: ModuleId) -> Option<String> {
        std::fs::read_to_string(self.refusal(Module::by_id(id)?)).ok()
    }

    /// Makes the reference the module's link again.
    ///
    /// # Errors
    /// When the lab cannot be written.
    pub fn forget(&self, module: &Module) -> Result<(), Failure> {
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

fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io("remove", path, &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_completed_completed_again_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::at(folder.path().to_owned());
        assert!(lab.completed().unwrap().is_empty());
        lab.complete(&MODULES[1], "one").unwrap();
        lab.complete(&MODULES[1], "two").unwrap();
        assert_eq!(lab.completed().unwrap(), BTreeMap::from([(ModuleId(1), "two".to_owned())]));
        lab.forget(&MODULES[1]).unwrap();
        lab.forget(&MODULES[1]).unwrap();
        assert!(lab.completed().unwrap().is_empty());
    }
}
