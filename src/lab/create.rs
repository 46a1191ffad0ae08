//! Creating a lab. Nothing that exists is overwritten, so creating a lab again adds what it lacks, and a folder that
//! has exercises without the tutor's own files, as after a clone that left them out, becomes a lab. Needs no network.

use super::paths::{MARK, has_exercises, is_clone};
use super::{Class, Lab, Mark, atomic};
use crate::curriculum::{Course, Module, cells};
use crate::error::Error;
use std::path::{Path, PathBuf};

/// What the exercises contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Starters.
    Starters,
    /// The reference solutions.
    Solutions,
}

/// What creating a lab did.
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
/// What earlier versions wrote: a clone would lack the learner's engine.
const IGNORED_EARLIER: &str = ".tinytorch/\ntarget/\n";

/// Creates a lab at `root`, adds what one there lacks, or adopts the exercises there.
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
    let (lab, created) = fill(root, course, filled, None)?;
    Ok((lab, Created { existed, ..created }))
}

/// Creates the lab that the students of a class get: starters of its modules, and what is open in it.
///
/// # Errors
/// When `root` holds any file, or cannot be written.
pub fn release(root: &Path, course: &'static Course, class: &Class) -> Result<Lab, Error> {
    refuse_foreign(root)?;
    fill(root, course, Filled::Starters, Some(class)).map(|(lab, _)| lab)
}

/// Adds every file that a lab lacks. A new lab is made for `class`; one that is there keeps its own.
fn fill(
    root: &Path,
    course: &'static Course,
    filled: Filled,
    class: Option<&Class>,
) -> Result<(Lab, Created), Error> {
    if is_clone(root) {
        return Err(Error::usage(format!(
            "\"{}\" is the project's clone, which is a lab already",
            root.display()
        ))
        .hint("Open it with `cargo run --release`."));
    }
    let mut files = Files { root, added: vec![] };
    // The mark comes first: a lab whose creation was interrupted is recognised as one.
    files.add(MARK.into(), &Mark::new(class).to_toml()?)?;
    let lab = Lab::at(root.canonicalize().map_err(|e| Error::io("open", root, &e))?, course);
    let class = lab.class()?;
    for module in lab.modules()? {
        files.add_module(&lab, module, class.as_ref(), filled)?;
    }
    let engine_ignored = files.ignore()?;
    lab.write_workspace()?;
    Ok((lab, Created { existed: false, added: files.added, engine_ignored }))
}

impl Lab {
    /// Adds what the lab lacks of a module that its class has taken in.
    ///
    /// # Errors
    /// When the lab cannot be written.
    pub fn add_module(&self, module: &Module, class: Option<&Class>) -> Result<(), Error> {
        let mut files = Files { root: self.root(), added: vec![] };
        files.add_module(self, module, class, Filled::Starters)
    }
}

/// Files of a lab, with a list of those that were missing.
struct Files<'a> {
    root: &'a Path,
    added: Vec<PathBuf>,
}

impl Files<'_> {
    /// Adds a file, unless it is there. Returns whether it was missing.
    fn add(&mut self, path: PathBuf, text: &str) -> Result<bool, Error> {
        let is_new = atomic::write_new(&self.root.join(&path), text.as_bytes())?;
        if is_new {
            self.added.push(path);
        }
        Ok(is_new)
    }

    /// Adds what is missing of a module.
    fn add_module(
        &mut self,
        lab: &Lab,
        module: &Module,
        class: Option<&Class>,
        filled: Filled,
    ) -> Result<(), Error> {
        let slug = module.slug();
        let text = match filled {
            Filled::Starters => cells::starter(module.reference()),
            Filled::Solutions => module.reference().to_owned(),
        };
        if self.add(format!("exercises/{slug}.rs").into(), &text)? {
            lab.keep_base(module)?;
        }
        self.add(format!("lessons/{slug}.md").into(), &Class::lesson(class, module))?;
        Ok(())
    }

    /// Adds the `.gitignore`, or updates one of an earlier version. Returns whether the learner's own ignores the
    /// tutor's whole folder.
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

/// Refuses a folder with other files in it. A git repository that is still empty is allowed.
fn refuse_foreign(root: &Path) -> Result<(), Error> {
    let taken = match std::fs::read_dir(root) {
        Ok(entries) => entries.flatten().any(|entry| entry.file_name() != ".git"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(Error::io("open the folder", root, &error)),
    };
    if taken {
        return Err(Error::environment(format!(
            "\"{}\" contains other files; nothing was written",
            root.display()
        ))
        .hint("Name a folder that does not exist yet."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Help, Terms};
    use std::fs;

    fn make(root: &Path, filled: Filled) -> (Lab, Created) {
        create(root, Course::tinytorch(), filled).unwrap()
    }

    #[test]
    fn creating_a_lab_again_adds_what_is_missing_and_touches_no_work() {
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
    fn the_lab_of_a_class_has_its_modules_and_says_what_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let terms = Terms {
            name: "01_tensor".into(),
            points: 20,
            deadline: Some("2026-11-30T23:59:00+01:00".parse().unwrap()),
            hints: true,
            solutions: false,
        };
        let class = Class { title: "ML \"systems\"".into(), modules: vec![terms] };
        let lab = release(&root, Course::tinytorch(), &class).unwrap();
        assert_eq!(lab.class().unwrap().as_ref(), Some(&class));
        let [tensor, layers] = ["01", "03"].map(|name| lab.course().named(name).unwrap());
        assert_eq!(lab.modules().unwrap(), [tensor]);
        assert_eq!(fs::read_dir(root.join("exercises")).unwrap().count(), 1);
        assert!(!fs::read_to_string(lab.own().join("engine/Cargo.toml")).unwrap().contains("03_l"));
        assert_eq!(class.allow(Help::Hints, tensor), Ok(()));
        let refused = |module| class.allow(Help::Solutions, module).unwrap_err().message;
        assert_eq!(refused(tensor), "your instructor has closed the solutions of 01_tensor");
        assert_eq!(refused(layers), "03_layers is not part of your class");
        // Creating it again adds what is missing for the class, and nothing else.
        fs::remove_file(lab.lesson(tensor)).unwrap();
        assert_eq!(make(&root, Filled::Starters).1.added, [PathBuf::from("lessons/01_tensor.md")]);
        assert_eq!(lab.class().unwrap(), Some(class.clone()));
        let error = release(&root, Course::tinytorch(), &class).unwrap_err();
        assert!(error.message.contains("nothing was written"), "{error}");
        fs::write(root.join(MARK), "[class]\ntitle = 3\n").unwrap();
        assert!(lab.class().unwrap_err().message.contains("lab.toml\" is damaged"));
    }

    #[test]
    fn closed_hints_are_not_in_the_lessons_of_a_class() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let terms = |name: &str, hints| Terms {
            name: name.into(),
            points: 20,
            deadline: None,
            hints,
            solutions: false,
        };
        let modules = vec![terms("00_setup", true), terms("01_tensor", false)];
        let class = Class { title: "ML".into(), modules };
        let lab = release(&root, Course::tinytorch(), &class).unwrap();
        let [setup, tensor] = ["00", "01"].map(|name| lab.course().named(name).unwrap());
        assert_eq!(fs::read_to_string(lab.lesson(setup)).unwrap(), setup.lesson());
        let text = fs::read_to_string(lab.lesson(tensor)).unwrap();
        assert!(!text.contains("\nhint:"), "{text}");
        let closed = "```exercise tensor-new\nclosed: your instructor has closed the hints of 01_tensor\n```\n";
        assert!(text.contains(closed), "{text}");
        assert_eq!(lab.read_lesson(tensor).problems, []);
        // Without its file, too.
        fs::remove_file(lab.lesson(tensor)).unwrap();
        assert_eq!(lab.read_lesson(tensor), crate::curriculum::lesson::parse(&text));
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
    fn an_earlier_versions_gitignore_is_replaced_and_the_learners_is_not() {
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
    fn a_folder_with_other_files_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "years").unwrap();
        let error = create(folder.path(), Course::tinytorch(), Filled::Starters).unwrap_err();
        assert!(error.message.contains("nothing was written"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
