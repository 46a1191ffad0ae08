//! Making a lab. Nothing that exists is overwritten, so a lab that lacks files is completed by doing it again, and a
//! folder that holds exercises without the tutor's own files, as after a clone that left them out, is adopted. Needs
//! no network.

use super::paths::{MARK, has_exercises, is_clone};
use super::{Lab, atomic};
use crate::curriculum::{Course, cells};
use crate::error::Error;
use std::path::{Path, PathBuf};

/// What the exercises hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Starters.
    Starters,
    /// The reference solutions.
    Solutions,
}

/// What making a lab did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Whether there was a lab, or its exercises, before.
    pub existed: bool,
    /// Files that were missing and are there now, relative to the lab; the engine's are not listed.
    pub added: Vec<PathBuf>,
    /// Whether git ignores the tutor's whole folder, and with it the learner's engine.
    pub engine_ignored: bool,
}

/// Progress, backups and builds stay on one machine; everything else of a lab belongs in git.
const IGNORED: &str = "/target/\n/.tinytorch/progress.*\n/.tinytorch/backups/\n";
/// What earlier versions wrote: it loses the learner's engine.
const IGNORED_EARLIER: &str = ".tinytorch/\ntarget/\n";

/// Makes a lab at `root`, completes one that is there, or adopts the exercises there.
///
/// # Errors
/// When `root` holds files that are not a lab's, or cannot be written.
pub fn create(
    root: &Path,
    course: &'static Course,
    filled: Filled,
) -> Result<(Lab, Created), Error> {
    let existed = root.join(MARK).is_file() || has_exercises(root, course);
    if !existed {
        refuse_foreign(root)?;
    }
    if is_clone(root) {
        return Err(Error::usage(format!(
            "\"{}\" is the project's clone, which is a lab already",
            root.display()
        ))
        .hint("Open it with `cargo run --release`."));
    }
    let mut files = Files { root, added: vec![] };
    // The mark comes first: a lab that was made half is known as one.
    files.add(MARK.into(), &mark())?;
    let lab = Lab::at(root.canonicalize().map_err(|e| Error::io("open", root, &e))?, course);
    for module in course.modules() {
        let slug = module.slug();
        let text = match filled {
            Filled::Starters => cells::starter(module.reference()),
            Filled::Solutions => module.reference().to_owned(),
        };
        files.add(format!("exercises/{slug}.rs").into(), &text)?;
        files.add(format!("lessons/{slug}.md").into(), module.lesson())?;
    }
    let engine_ignored = files.ignore()?;
    lab.write_workspace()?;
    Ok((lab, Created { existed, added: files.added, engine_ignored }))
}

/// Files of a lab, with a list of those that were missing.
struct Files<'a> {
    root: &'a Path,
    added: Vec<PathBuf>,
}

impl Files<'_> {
    fn add(&mut self, path: PathBuf, text: &str) -> Result<(), Error> {
        if atomic::write_new(&self.root.join(&path), text.as_bytes())? {
            self.added.push(path);
        }
        Ok(())
    }

    /// Adds the list of what git ignores, or brings our earlier one up to date. Returns whether the learner's own
    /// list ignores the tutor's whole folder.
    fn ignore(&mut self) -> Result<bool, Error> {
        let path = self.root.join(".gitignore");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if text == IGNORED_EARLIER {
            atomic::write(&path, IGNORED.as_bytes())?;
            self.added.push(".gitignore".into());
            return Ok(false);
        }
        self.add(".gitignore".into(), IGNORED)?;
        Ok(text.lines().any(|line| line.trim().trim_matches('/') == ".tinytorch"))
    }
}

/// A folder with other things in it is not overwritten. A repository that is still empty is no such folder.
fn refuse_foreign(root: &Path) -> Result<(), Error> {
    let taken = match std::fs::read_dir(root) {
        Ok(entries) => entries.flatten().any(|entry| entry.file_name() != ".git"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(Error::io("open the folder", root, &error)),
    };
    if taken {
        return Err(Error::environment(format!(
            "\"{}\" holds other files; nothing was written",
            root.display()
        ))
        .hint("Name a folder that does not exist yet."));
    }
    Ok(())
}

fn mark() -> String {
    format!(
        "# This folder is a lab of tinytorch-tutor.\nformat = 1\nmade_by = \"{}\"\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn make(root: &Path, filled: Filled) -> (Lab, Created) {
        create(root, Course::tinytorch(), filled).unwrap()
    }

    #[test]
    fn a_lab_is_made_once_and_completed_without_touching_work() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let (lab, created) = make(&root, Filled::Starters);
        assert!(!created.existed && created.added.contains(&".gitignore".into()));
        let exercise = lab.exercise(&lab.course().modules()[0]);
        fs::write(&exercise, "my work").unwrap();
        fs::remove_file(lab.exercise(&lab.course().modules()[1])).unwrap();
        let (_, created) = make(&root, Filled::Solutions);
        assert_eq!(fs::read_to_string(&exercise).unwrap(), "my work");
        assert!(created.existed);
        assert_eq!(created.added, [PathBuf::from("exercises/01_tensor.rs")]);
        assert_eq!(Lab::find(&root.join("exercises"), lab.course()).unwrap(), lab);
    }

    #[test]
    fn exercises_without_the_tutors_files_are_adopted_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("exercises")).unwrap();
        fs::write(root.join("exercises/01_tensor.rs"), "my work").unwrap();
        fs::write(root.join("notes.txt"), "mine").unwrap();
        let error = Lab::find(root, Course::tinytorch()).unwrap_err();
        assert!(error.to_string().contains("tinytorch-tutor init"), "{error}");
        let (lab, created) = make(root, Filled::Starters);
        assert!(created.existed && !created.engine_ignored);
        assert_eq!(fs::read_to_string(root.join("exercises/01_tensor.rs")).unwrap(), "my work");
        assert_eq!(fs::read_to_string(root.join("notes.txt")).unwrap(), "mine");
        assert_eq!(Lab::find(root, Course::tinytorch()).unwrap(), lab);
    }

    #[test]
    fn our_earlier_list_of_ignored_files_is_replaced_and_the_learners_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        make(&root, Filled::Starters);
        fs::write(root.join(".gitignore"), IGNORED_EARLIER).unwrap();
        make(&root, Filled::Starters);
        assert_eq!(fs::read_to_string(root.join(".gitignore")).unwrap(), IGNORED);
        fs::write(root.join(".gitignore"), "*.swp\n/.tinytorch\n").unwrap();
        assert!(make(&root, Filled::Starters).1.engine_ignored);
        assert_eq!(fs::read_to_string(root.join(".gitignore")).unwrap(), "*.swp\n/.tinytorch\n");
    }

    #[test]
    fn an_empty_repository_becomes_a_lab() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        assert!(!make(folder.path(), Filled::Starters).1.existed);
    }

    #[test]
    fn a_folder_with_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "years").unwrap();
        let error = create(folder.path(), Course::tinytorch(), Filled::Starters).unwrap_err();
        assert!(error.message.contains("nothing was written"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
