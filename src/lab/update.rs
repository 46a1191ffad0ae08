//! A lab that an older version of this program made: its exercises and lessons as this version has them, with the learner's
//! work. What is replaced is backed up. Not here: how cells are merged (`curriculum::cells`).

use super::paths::is_clone;
use super::{Class, Lab, Unreadable, atomic, numbered};
use crate::curriculum::Module;
use crate::curriculum::cells::{self, Change, UnclearCell};
use crate::error::Error;
use std::path::PathBuf;

/// What an update changes in one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleUpdate {
    /// The module.
    pub module: &'static Module,
    /// The exercise's text before and after.
    pub texts: [String; 2],
    /// The cells that change.
    pub changes: Vec<(String, Change)>,
    /// Whether the lab has the starter that the exercise was made from. Labs of early versions do not: then no cell in
    /// which the learner may have written is changed.
    pub has_base: bool,
    /// The lesson, where it changes.
    pub lesson: Option<String>,
}

/// Why an exercise is not updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUpdated {
    /// It cannot be read.
    Unreadable(Unreadable),
    /// It is unclear which cell begins on this line.
    Unclear(usize),
}

/// Where an update left what the lab had, and what the learner must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The exercise as it was; none where it did not change.
    pub backup: Option<PathBuf>,
    /// The lesson as it was.
    pub lesson: Option<PathBuf>,
    /// The course's starter, where a cell could not be merged.
    pub beside: Option<PathBuf>,
}

impl ModuleUpdate {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts[0] == self.texts[1] && self.changes.is_empty() && self.lesson.is_none()
    }

    /// Whether a cell could not be merged.
    #[must_use]
    pub fn has_conflict(&self) -> bool {
        self.changes.iter().any(|(_, change)| *change == Change::Kept)
    }
}

impl Lab {
    /// Refuses the project's own clone, whose exercises and lessons are the sources.
    ///
    /// # Errors
    /// When the lab is one.
    pub fn refuse_clone(&self) -> Result<(), Error> {
        if is_clone(self.root()) {
            return Err(Error::usage("the project's clone is updated with git"));
        }
        Ok(())
    }

    /// What bringing the module up to date would change, in a lab of that class. Writes nothing.
    #[must_use = "nothing is written yet"]
    pub fn plan_update(
        &self,
        module: &'static Module,
        class: Option<&Class>,
    ) -> Result<ModuleUpdate, NotUpdated> {
        let text = self.read_exercise(module).map_err(NotUpdated::Unreadable)?;
        let base = std::fs::read_to_string(self.base(module)).ok();
        let update = cells::update(&text, base.as_deref(), &cells::starter(module.reference()))
            .map_err(|UnclearCell(line)| NotUpdated::Unclear(line))?;
        let lesson = Class::lesson(class, module);
        let before = std::fs::read(self.lesson(module));
        let lesson = before.is_ok_and(|before| before != lesson.as_bytes()).then_some(lesson);
        let (texts, changes) = ([text, update.text], update.changes);
        Ok(ModuleUpdate { module, texts, changes, has_base: base.is_some(), lesson })
    }

    /// Whether the exercise was made from another version's starter.
    #[must_use]
    pub fn is_outdated(&self, module: &Module) -> bool {
        let base = std::fs::read_to_string(self.base(module));
        base.is_ok_and(|base| base != cells::starter(module.reference()))
    }

    /// Writes a planned update, after backups.
    ///
    /// # Errors
    /// When the exercise was saved meanwhile, or a backup or a file cannot be written; then the exercise is as it was.
    pub fn update(&self, plan: &ModuleUpdate) -> Result<Updated, Error> {
        let ModuleUpdate { module, texts: [before, after], .. } = plan;
        if self.read_exercise(module).as_ref() != Ok(before) {
            return Err(Error::environment(format!(
                "{} was saved while the update was prepared; it was not changed",
                module.slug()
            ))
            .hint("Run the same command again."));
        }
        let starter = cells::starter(module.reference());
        let beside = self.exercise(module).with_extension("new.rs");
        if plan.has_conflict() {
            numbered::replace(&beside, starter.as_bytes())?;
        }
        let lesson = match &plan.lesson {
            Some(lesson) => numbered::replace(&self.lesson(module), lesson.as_bytes())?,
            None => None,
        };
        let backup = self.put(module, after.as_bytes())?;
        self.keep_base(module)?;
        Ok(Updated { backup, lesson, beside: plan.has_conflict().then_some(beside) })
    }

    /// Remembers that the exercise was made from this version's starter.
    pub(super) fn keep_base(&self, module: &Module) -> Result<(), Error> {
        atomic::write(&self.base(module), cells::starter(module.reference()).as_bytes())
    }

    /// The starter that the exercise was made from.
    fn base(&self, module: &Module) -> PathBuf {
        self.own().join("starters").join(format!("{}.rs", module.slug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;
    use crate::lab::{Filled, create};
    use std::fs;

    /// A lab of an older version: its first exercise says something else in a comment, and one test less.
    fn older() -> (tempfile::TempDir, Lab, &'static Module) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let (lab, _) = create(&root, Course::tinytorch(), Filled::Starters).unwrap();
        let module = &lab.course().modules()[0];
        let text = fs::read_to_string(lab.exercise(module)).unwrap();
        let old = text.replacen("Returns a greeting.", "Gives a greeting.", 1);
        assert_ne!(old, text);
        fs::write(lab.base(module), &old).unwrap();
        fs::write(lab.exercise(module), &old).unwrap();
        (folder, lab, module)
    }

    #[test]
    fn a_new_lab_has_nothing_to_update() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let (lab, _) = create(&root, Course::tinytorch(), Filled::Solutions).unwrap();
        for module in lab.course().modules() {
            let plan = lab.plan_update(module, None).unwrap();
            assert!(plan.is_empty(), "{}: {:?}", module.slug(), plan.changes);
        }
    }

    #[test]
    fn an_older_exercise_gets_the_courses_change_and_keeps_the_learners_work() {
        let (_folder, lab, module) = older();
        let begun = fs::read_to_string(lab.exercise(module)).unwrap().replacen(
            "todo!(\"setup-greeting\")",
            "format!(\"Hello, {name}!\")",
            1,
        );
        fs::write(lab.exercise(module), &begun).unwrap();
        fs::write(lab.lesson(module), "an older lesson").unwrap();
        let plan = lab.plan_update(module, None).unwrap();
        assert_eq!(plan.changes, [("setup-greeting".to_owned(), Change::Merged)]);
        assert!(plan.lesson.is_some());
        assert_eq!(fs::read_to_string(lab.exercise(module)).unwrap(), begun, "only planned");
        assert!(lab.is_outdated(module) && !lab.is_outdated(&lab.course().modules()[1]));
        let done = lab.update(&plan).unwrap();
        let text = fs::read_to_string(lab.exercise(module)).unwrap();
        assert!(
            text.contains("Returns a greeting.") && text.contains("Hello, {name}!\")"),
            "{text}"
        );
        assert_eq!(fs::read_to_string(done.backup.unwrap()).unwrap(), begun);
        assert_eq!(fs::read_to_string(done.lesson.unwrap()).unwrap(), "an older lesson");
        assert_eq!(done.beside, None);
        assert!(lab.plan_update(module, None).unwrap().is_empty() && !lab.is_outdated(module));
    }

    #[test]
    fn what_cannot_be_merged_stays_and_the_courses_version_is_beside_it() {
        let (_folder, lab, module) = older();
        let mine = fs::read_to_string(lab.exercise(module)).unwrap().replacen(
            "Gives a greeting.",
            "My words.",
            1,
        );
        fs::write(lab.exercise(module), &mine).unwrap();
        let plan = lab.plan_update(module, None).unwrap();
        assert_eq!(plan.changes, [("setup-greeting".to_owned(), Change::Kept)]);
        let beside = lab.update(&plan).unwrap().beside.unwrap();
        assert!(beside.ends_with("exercises/00_setup.new.rs"), "{beside:?}");
        assert_eq!(fs::read_to_string(beside).unwrap(), cells::starter(module.reference()));
        assert_eq!(fs::read_to_string(lab.exercise(module)).unwrap(), mine);
        assert!(lab.plan_update(module, None).unwrap().is_empty(), "it is reported once");
    }

    #[test]
    fn without_the_starter_that_it_was_made_from_an_exercise_keeps_every_cell_of_the_learners() {
        let (_folder, lab, module) = older();
        fs::remove_file(lab.base(module)).unwrap();
        let mine = fs::read_to_string(lab.exercise(module)).unwrap();
        let plan = lab.plan_update(module, None).unwrap();
        assert!(!plan.has_base && plan.has_conflict());
        assert_eq!(plan.changes, [("setup-greeting".to_owned(), Change::Kept)]);
        let beside = lab.update(&plan).unwrap().beside.unwrap();
        assert_eq!(fs::read_to_string(beside).unwrap(), cells::starter(module.reference()));
        assert_eq!(fs::read_to_string(lab.exercise(module)).unwrap(), mine);
        assert!(lab.plan_update(module, None).unwrap().has_base, "the next update can merge");
    }

    #[test]
    fn a_save_after_the_plan_is_not_overwritten() {
        let (_folder, lab, module) = older();
        let plan = lab.plan_update(module, None).unwrap();
        assert_eq!(plan.changes, [("setup-greeting".to_owned(), Change::Replaced)]);
        fs::write(lab.exercise(module), "saved since").unwrap();
        assert!(lab.update(&plan).unwrap_err().message.contains("was saved while"));
        assert_eq!(fs::read_to_string(lab.exercise(module)).unwrap(), "saved since");
    }
}
