//! `template`: writes the files that run `grade` as jobs of another engine.

use super::arguments::{Platform, TemplateArguments};
use super::gradebook::write_new;
use super::printer::Printer;
use crate::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A file of a template: its name and its text.
type File = (&'static str, &'static str);

const SLURM: [File; 3] = [
    ("submit.sh", include_str!("templates/slurm/submit.sh")),
    ("grade.sbatch", include_str!("templates/slurm/grade.sbatch")),
    ("merge.sbatch", include_str!("templates/slurm/merge.sbatch")),
];
const GITHUB: [File; 1] = [("grade.yml", include_str!("templates/github/grade.yml"))];
const GRADESCOPE: [File; 2] = [
    ("setup.sh", include_str!("templates/gradescope/setup.sh")),
    ("run_autograder", include_str!("templates/gradescope/run_autograder")),
];

/// Writes the files; none of them may be there already.
pub fn run(arguments: &TemplateArguments, out: &mut Printer) -> Result<bool, Error> {
    let files: &[File] = match arguments.platform {
        Platform::Slurm => &SLURM,
        Platform::Github => &GITHUB,
        Platform::Gradescope => &GRADESCOPE,
    };
    for (name, text) in files {
        let path = arguments.out.join(name);
        write_new(&path, &text.replace("@VERSION", concat!("@", env!("CARGO_PKG_VERSION"))))?;
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                .map_err(|error| Error::io("make executable", &path, &error))?;
        }
        out.line(format!("Wrote {}", path.display()));
    }
    out.line("The first lines of each file say how to use it.");
    Ok(true)
}
