//! What cargo and rust-analyzer see of a lab: a workspace with the engine as a package, and every exercise as an
//! example of it. The engine's files here are for looking up types and signatures. Nothing runs on them: a completed
//! module is the learner's text, and every other one has its solutions cut, so that "go to definition" never
//! leads to an answer. Not here: what checks are compiled against (`runner`).

use super::{Lab, atomic, package};
use crate::curriculum::{Module, cells};
use crate::error::Error;
use std::path::PathBuf;

const WORKSPACE: &str = "\
# Lets cargo and rust-analyzer understand the exercises: each is an example of the engine's package.
[workspace]
members = [\".tinytorch/engine\"]
resolver = \"3\"
";

impl Lab {
    /// Updates the engine's files, and adds the workspace's if they are missing.
    ///
    /// # Errors
    /// When the lab cannot be written.
    pub fn write_workspace(&self) -> Result<(), Error> {
        let completed = self.completed()?;
        let source = |module: &Module| match completed.get(&module.id) {
            Some(text) if self.refused(module.id).is_none() => shown(module, text),
            _ => shown(module, &cells::starter(module.reference())),
        };
        let engine = self.engine();
        for (path, bytes) in package::files(self.course(), source) {
            atomic::write(&engine.join(path), &bytes)?;
        }
        atomic::write(&engine.join("Cargo.toml"), manifest(&self.modules()?).as_bytes())?;
        atomic::write_new(&self.root().join("Cargo.toml"), WORKSPACE.as_bytes())?;
        atomic::write_new(&self.root().join("Cargo.lock"), crate::LOCK.as_bytes())?;
        Ok(())
    }

    /// Makes the learner's text of a completed module what the editor sees.
    pub(super) fn show_to_editor(&self, module: &Module, text: &str) -> Result<(), Error> {
        let path = self.engine().join("src").join(&module.name).with_extension("rs");
        // The project's own clone has none: there the editor sees the engine itself.
        if !path.exists() {
            return Ok(());
        }
        atomic::write(&path, shown(module, text).as_bytes())
    }

    /// Makes the module without its solutions what the editor sees.
    pub(super) fn hide_from_editor(&self, module: &Module) -> Result<(), Error> {
        self.show_to_editor(module, &cells::starter(module.reference()))
    }

    fn engine(&self) -> PathBuf {
        self.own().join("engine")
    }
}

fn shown(module: &Module, text: &str) -> String {
    let slug = module.slug();
    format!(
        "// Written by tinytorch-tutor so that your editor finds definitions. Your file is exercises/{slug}.rs.\n{text}"
    )
}

/// The engine's manifest with every exercise of the lab as an example.
fn manifest(modules: &[&Module]) -> String {
    let text = |text: &str| toml::Value::String(text.to_owned());
    let table = |fields: Vec<(&str, toml::Value)>| {
        toml::Value::Table(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    let example = |module: &&Module| {
        let slug = module.slug();
        let path = format!("../../exercises/{slug}.rs");
        table(vec![("name", text(&slug)), ("path", text(&path)), ("test", true.into())])
    };
    let examples = modules.iter().map(example).collect();
    // What is unused because a solution was cut is not a mistake.
    let lints = table(vec![("unused", text("allow")), ("unreachable_code", text("allow"))]);
    let more = [("example", toml::Value::Array(examples)), ("lints", table(vec![("rust", lints)]))];
    package::manifest(more.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;
    use crate::lab::{Filled, create};
    use std::fs;

    #[test]
    fn no_file_of_the_engine_holds_an_answer_that_the_learner_did_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let (lab, _) = create(&root, Course::tinytorch(), Filled::Starters).unwrap();
        let text = |module: &Module| {
            fs::read_to_string(lab.engine().join(format!("src/{}.rs", module.name))).unwrap()
        };
        for module in lab.course().modules() {
            let text = text(module);
            let answers = cells::parse(&text)
                .into_iter()
                .filter(|cell| cell.kind == cells::CellKind::Solution && !cell.is_unsolved());
            assert_eq!(answers.count(), 0, "{}", module.slug());
        }
        let module = &lab.course().modules()[1];
        lab.complete(module, "mine").unwrap();
        assert!(text(module).ends_with("mine"), "a completed module is the learner's own");
        lab.forget(module).unwrap();
        assert!(text(module).contains("todo!("));
    }

    #[test]
    fn the_manifest_has_every_exercise_and_no_development_dependency() {
        let modules: Vec<&Module> = Course::tinytorch().modules().iter().collect();
        let manifest = manifest(&modules);
        assert!(manifest.contains("ndarray") && !manifest.contains("proptest"), "{manifest}");
        for module in modules {
            assert!(manifest.contains(&format!("../../exercises/{}.rs", module.slug())));
        }
    }
}
