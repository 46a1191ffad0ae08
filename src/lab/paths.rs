//! Where things are in a lab, and which folders are labs: the project's own clone, and a folder made by `init`.

use crate::curriculum::{Course, Module};
use crate::error::Error;
use std::path::{Path, PathBuf};

/// Marks a folder as a lab.
pub(super) const MARK: &str = ".tinytorch/lab.toml";

/// A learner's folder, and the course that is taken in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lab {
    root: PathBuf,
    course: &'static Course,
}

impl Lab {
    /// The lab that contains `folder`, or is it.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(folder: &Path, course: &'static Course) -> Result<Self, Error> {
        let folder =
            folder.canonicalize().map_err(|error| Error::io("open the folder", folder, &error))?;
        let lab = folder.ancestors().find(|folder| is_lab(folder));
        lab.map(|root| Self { root: root.to_owned(), course }).ok_or_else(|| {
            let error = Error::environment(format!("\"{}\" is not in a lab", folder.display()));
            match folder.ancestors().find(|folder| has_exercises(folder, course)) {
                Some(folder) => error.hint(format!(
                    "It has exercises: `tinytorch-tutor init {}` makes it a lab and does not change them.",
                    shell_words::quote(&folder.to_string_lossy())
                )),
                None => error
                    .hint("Create one with `tinytorch-tutor init DIR`, or name one with `--lab DIR`."),
            }
        })
    }

    pub(super) fn at(root: PathBuf, course: &'static Course) -> Self {
        Self { root, course }
    }

    /// The course that is taken in it.
    #[must_use]
    pub fn course(&self) -> &'static Course {
        self.course
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The exercise that the learner edits.
    #[must_use]
    pub fn exercise(&self, module: &Module) -> PathBuf {
        self.root.join("exercises").join(format!("{}.rs", module.slug()))
    }

    /// The lesson's file, if the lab has one.
    #[must_use]
    pub fn lesson(&self, module: &Module) -> PathBuf {
        self.root.join("lessons").join(format!("{}.md", module.slug()))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.own().join("progress.db")
    }

    /// Where earlier versions of exercises are kept.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.own().join("backups")
    }

    /// The tutor's own folder in the lab.
    #[must_use]
    pub fn own(&self) -> PathBuf {
        self.root.join(".tinytorch")
    }
}

fn is_lab(folder: &Path) -> bool {
    folder.join(MARK).is_file() || is_clone(folder)
}

/// Whether the folder is a clone of the project itself.
pub(super) fn is_clone(folder: &Path) -> bool {
    folder.join("src/tinytorch/Cargo.toml").is_file() && folder.join("exercises").is_dir()
}

/// Whether any exercise of the course is where a lab has it.
pub(super) fn has_exercises(folder: &Path, course: &Course) -> bool {
    let exercise = |module: &Module| folder.join("exercises").join(format!("{}.rs", module.slug()));
    course.modules().iter().any(|module| exercise(module).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_found_from_inside_and_its_absence_is_an_error_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("exercises/deep");
        std::fs::create_dir_all(&inside).unwrap();
        let error = Lab::find(&inside, Course::tinytorch()).unwrap_err();
        assert!(error.to_string().contains("tinytorch-tutor init DIR"), "{error}");
        crate::lab::atomic::write(&folder.path().join(MARK), b"").unwrap();
        let lab = Lab::find(&inside, Course::tinytorch()).unwrap();
        assert_eq!(lab.root(), folder.path().canonicalize().unwrap());
    }

    #[test]
    fn the_clone_of_the_project_is_a_lab() {
        let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(
            Lab::find(&clone.join("src/lab"), Course::tinytorch()).unwrap().root(),
            clone.canonicalize().unwrap()
        );
    }
}
