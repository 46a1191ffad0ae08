//! `init`: creates a lab, adds what one lacks, or turns a folder with exercises into one.

use super::arguments::InitArguments;
use super::context::Context;
use super::printer::Printer;
use super::share;
use crate::error::{Error, count};
use crate::lab::{Created, Filled, create};
use std::path::{Path, PathBuf};

/// Succeeds when the folder is a complete lab.
pub fn run(context: &Context, arguments: &InitArguments, out: &mut Printer) -> Result<bool, Error> {
    let filled = if arguments.solved { Filled::Solutions } else { Filled::Starters };
    let (lab, created) = create(&arguments.folder, context.course(), filled)?;
    let root = lab.root().display();
    if created.existed {
        out.line(existing(&root.to_string(), &created));
    } else {
        let modules = count(context.course().modules().len(), "module");
        out.line(format!("Created a lab with {modules} in {root}."));
    }
    if created.engine_ignored {
        out.line(
            "Its .gitignore ignores .tinytorch: remove that line, or a clone will not have your engine.",
        );
    }
    if let Some(consent) = arguments.share_progress {
        share::decide(&lab, consent, out)?;
    }
    let folder = shell_words::quote(&lab.root().to_string_lossy()).into_owned();
    out.line(format!("Open it:\n  cd {folder} && {}", program()));
    Ok(true)
}

fn existing(root: &str, created: &Created) -> String {
    let added: Vec<_> =
        created.added.iter().map(|path| format!("\n  {}", path.display())).collect();
    match added.len() {
        0 => format!("{root} is a complete lab already; none of your files was changed."),
        number => format!(
            "{root} is now a lab; none of your files was changed. Added {}:{}",
            count(number, "file"),
            added.concat()
        ),
    }
}

/// The word that starts this program in a shell: its name if it is on the `PATH`, else its path.
fn program() -> String {
    let name = env!("CARGO_PKG_NAME");
    let Ok(own) = std::env::current_exe() else { return name.to_owned() };
    let same = |path: PathBuf| path.canonicalize().ok() == own.canonicalize().ok();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::env::split_paths(&path)
        .map(|folder: PathBuf| folder.join(name))
        .find(|file: &PathBuf| Path::is_file(file));
    if first.is_some_and(same) {
        return name.to_owned();
    }
    shell_words::quote(&own.to_string_lossy()).into_owned()
}
