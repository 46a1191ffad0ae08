//! `completions` and `man`: what packagers install beside the program, generated from the definition of the
//! arguments.

use super::Arguments;
use super::printer::Printer;
use crate::error::Error;
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use clap_mangen::{Man, generate_to};
use std::io;
use std::path::Path;

/// Prints a completion script.
pub fn completions(shell: Shell, out: &mut Printer) -> Result<bool, Error> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = vec![];
    generate(shell, &mut command, name, &mut script);
    out.text(&String::from_utf8_lossy(&script));
    Ok(true)
}

/// Prints the program's own page, or writes that and one for each command into `folder`.
pub fn pages(folder: Option<&Path>, out: &mut Printer) -> Result<bool, Error> {
    let Some(folder) = folder else {
        let mut page = vec![];
        let rendered = Man::new(Arguments::command()).render(&mut page);
        rendered
            .map_err(|error| Error::environment(format!("failed to write the page: {error}")))?;
        out.text(&String::from_utf8_lossy(&page));
        return Ok(true);
    };
    let failed = |error: io::Error| Error::io("write the manual pages to", folder, &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    generate_to(Arguments::command(), folder).map_err(failed)?;
    Ok(true)
}
