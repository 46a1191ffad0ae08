//! The learner's engine as an ordinary Cargo package, to keep and publish.

use super::{Engine, Owner, owners};
use crate::curriculum::Module;
use crate::error::Error;
use crate::lab::{Lab, atomic, package};
use std::fmt::Write;
use std::path::Path;

/// Writes the package into `folder`, which must be new or empty. Modules that are not completed are the
/// reference's; the package's README says which.
///
/// # Errors
/// When the folder holds other files, or cannot be written.
pub fn export(lab: &Lab, folder: &Path) -> Result<(), Error> {
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::environment(format!(
            "\"{}\" contains other files; nothing was written",
            folder.display()
        ))
        .hint("Name a folder that does not exist yet."));
    }
    let completed = lab.completed()?;
    let source = |module: &Module| {
        completed.get(&module.id).cloned().unwrap_or_else(|| module.reference().to_owned())
    };
    for (path, bytes) in package::files(lab.course(), source) {
        atomic::write(&folder.join(path), &bytes)?;
    }
    let workspace = [("workspace".to_owned(), toml::Value::Table(toml::Table::new()))];
    let manifest = package::manifest(workspace.into_iter().collect());
    atomic::write(&folder.join("Cargo.toml"), manifest.as_bytes())?;
    atomic::write(&folder.join("Cargo.lock"), crate::LOCK.as_bytes())?;
    atomic::write(&folder.join(".gitignore"), b"/target\n")?;
    atomic::write(&folder.join("README.md"), readme(lab)?.as_bytes())
}

fn readme(lab: &Lab) -> Result<String, Error> {
    let owners = owners(lab, Engine::Mine)?;
    let mut text = String::from(
        "# My TinyTorch\n\nA machine-learning framework, written module by module with tinytorch-tutor.\n\n    \
         cargo test\n\n| module | whose code |\n|---|---|\n",
    );
    for module in lab.course().modules() {
        let whose = match owners.get(&module.id) {
            None | Some(Owner::Reference) => "the reference's".to_owned(),
            Some(Owner::Learner) => "mine".to_owned(),
            Some(Owner::Rejected { reason }) => format!("mine, although {reason}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {whose} |", module.slug());
    }
    Ok(text)
}
