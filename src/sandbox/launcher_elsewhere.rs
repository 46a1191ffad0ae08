//! The launcher on systems without Linux's means to confine a process: it refuses.

use std::ffi::OsString;
use std::process::ExitCode;

/// Refuses to launch; none when the arguments are not the launcher's.
#[expect(clippy::print_stderr, reason = "the launcher has no other output")]
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    (arguments.nth(1)? == super::plan::COMMAND).then(|| {
        eprintln!("untrusted code can be confined on Linux only");
        ExitCode::from(super::NOT_STARTED)
    })
}
