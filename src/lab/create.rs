//! Making a lab. Nothing that exists is overwritten, so a lab that was made half is made whole by
//! doing it again. Needs no network. Beside the exercises lie the engine's sources, so that plain cargo
//! and rust-analyzer understand the folder.

use super::{Lab, atomic, package, paths::MARK};
use crate::curriculum::{Course, Module, cells};
use crate::error::Error;
use std::path::Path;

/// What the exercises hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Starters.
    Starters,
    /// The reference solutions.
    Solutions,
}

/// Makes a lab at `root`, or completes one that is there.
///
/// # Errors
/// When `root` holds files that are not a lab's, or cannot be written.
pub fn create(root: &Path, course: &'static Course, filled: Filled) -> Result<Lab, Error> {
    refuse_foreign(root)?;
    // The mark comes first: a lab that was made half is known as one.
    atomic::write_new(&root.join(MARK), mark().as_bytes())?;
    let lab = Lab::at(root.canonicalize().map_err(|e| Error::io("open", root, &e))?, course);
    for module in course.modules() {
        let text = match filled {
            Filled::Starters => cells::starter(module.reference()),
            Filled::Solutions => module.reference().to_owned(),
        };
        atomic::write_new(&lab.exercise(module), text.as_bytes())?;
        atomic::write_new(&lab.lesson(module), module.lesson().as_bytes())?;
    }
    atomic::write_new(&lab.root().join(".gitignore"), b".tinytorch/\ntarget/\n")?;
    lab.write_package()?;
    Ok(lab)
}

/// A folder with other things in it is somebody's; a lab is not poured over it.
fn refuse_foreign(root: &Path) -> Result<(), Error> {
    if root.join(MARK).is_file() {
        return Ok(());
    }
    let taken = match std::fs::read_dir(root) {
        Ok(mut entries) => entries.next().is_some(),
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

impl Lab {
    /// Writes the engine and a Cargo workspace around it, for cargo and rust-analyzer. The engine's files
    /// are the tutor's: they are brought up to date. The learner's are not touched.
    fn write_package(&self) -> Result<(), Error> {
        let engine = self.own().join("engine");
        for (path, bytes) in package::files(self.course(), |module| module.reference().to_owned()) {
            atomic::write(&engine.join(path), &bytes)?;
        }
        for (name, text) in tinytorch::sources::MILESTONES {
            let program = engine.join("milestones").join(format!("{name}.rs"));
            atomic::write(&program, text.as_bytes())?;
        }
        atomic::write(&engine.join("Cargo.toml"), engine_manifest(self.course()).as_bytes())?;
        atomic::write_new(&self.root().join("Cargo.toml"), WORKSPACE.as_bytes())?;
        atomic::write_new(&self.root().join("Cargo.lock"), crate::LOCK.as_bytes())?;
        Ok(())
    }
}

const WORKSPACE: &str = "\
# Lets cargo and rust-analyzer understand the exercises: each is an example of the engine's package.
[workspace]
members = [\".tinytorch/engine\"]
resolver = \"3\"
";

/// The engine's manifest with every exercise of the lab as an example.
fn engine_manifest(course: &Course) -> String {
    let example = |module: &Module| {
        let path = format!("../../exercises/{}.rs", module.slug());
        let fields = [("name", module.slug()), ("path", path)];
        let fields = fields.map(|(key, value)| (key.to_owned(), toml::Value::String(value)));
        toml::Value::Table(fields.into_iter().chain([("test".to_owned(), true.into())]).collect())
    };
    let examples = toml::Value::Array(course.modules().iter().map(example).collect());
    package::manifest([("example".to_owned(), examples)].into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_lab_is_made_once_and_completed_without_touching_work() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let lab = create(&root, Course::tinytorch(), Filled::Starters).unwrap();
        let exercise = lab.exercise(&lab.course().modules()[0]);
        fs::write(&exercise, "my work").unwrap();
        fs::remove_file(lab.exercise(&lab.course().modules()[1])).unwrap();
        create(&root, Course::tinytorch(), Filled::Solutions).unwrap();
        assert_eq!(fs::read_to_string(&exercise).unwrap(), "my work");
        assert!(lab.exercise(&lab.course().modules()[1]).exists());
        let manifest = fs::read_to_string(root.join(".tinytorch/engine/Cargo.toml")).unwrap();
        assert!(manifest.contains("ndarray") && !manifest.contains("proptest"), "{manifest}");
        assert!(root.join(".tinytorch/engine/milestones/1969_xor.rs").exists());
        assert_eq!(Lab::find(&root.join("exercises"), lab.course()).unwrap(), lab);
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
