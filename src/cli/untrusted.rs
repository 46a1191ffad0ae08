//! The sandbox for commands that run what students wrote: probed, and said before anything runs. Must not know what will run.

use super::printer::Printer;
use crate::error::Error;
use crate::sandbox::{self, Sandbox};

/// A sandbox of the parts that this machine has.
///
/// # Errors
/// When this program cannot start itself.
pub(super) fn probe() -> Result<Sandbox, Error> {
    let launcher = std::env::current_exe()
        .map_err(|error| Error::environment(format!("failed to find this program: {error}")))?;
    Sandbox::probe(&launcher)
}

/// What the machine lacks for a complete sandbox, in words; none if nothing.
pub(super) fn lacks(sandbox: &Sandbox) -> Option<String> {
    let lacks: Vec<String> = sandbox.lacks().iter().map(ToString::to_string).collect();
    (!lacks.is_empty()).then(|| lacks.join("; "))
}

/// The sandbox, or an error that says what this machine lacks. With `no_sandbox`, an incomplete one.
pub(super) fn sandbox(no_sandbox: bool, out: &mut Printer) -> Result<Sandbox, Error> {
    sandbox::hide_this_process();
    let sandbox = probe()?;
    let Some(lacks) = lacks(&sandbox) else {
        out.line("sandbox: namespaces, Landlock, seccomp and limits, each tested");
        return Ok(sandbox);
    };
    if no_sandbox {
        out.line(format!("without a complete sandbox: this machine lacks {lacks}"));
        out.line("A hostile submission may forge its points. Each result is marked.");
        return Ok(sandbox);
    }
    Err(Error::environment(format!(
        "untrusted code cannot be confined here: this machine lacks {lacks}"
    ))
    .hint(
        "In a container: run it with the right to make namespaces, or grade on the machine itself.",
    )
    .hint("With `--no-sandbox` the rest of the sandbox is used, and each result is marked."))
}
