//! One call of rustc. Comes in: a source file and what it stands on. Goes out: diagnostics while it
//! works, then whether there is a program.

use super::diagnostics::diagnostic;
use super::toolchain::Toolchain;
use crate::error::Error;
use crate::runner::event::{Diagnostic, Level};
use crate::runner::output::Capped;
use crate::runner::process::{End, Lines, Next, Process, command, signal};
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, Stop};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Diagnostics passed on of one call: more is noise.
const MOST: usize = 100;
/// rustc's code for a crate that another rustc compiled.
const OTHER_COMPILER: &str = "E0514";

/// What a source stands on: the facade through which it sees the engine, and where crates lie.
#[derive(Debug, Clone)]
pub(in crate::runner) struct Dependencies {
    /// `libtinytorch.rlib` or a facade above it.
    pub(in crate::runner) facade: PathBuf,
    /// Folders of compiled crates.
    pub(in crate::runner) search: Vec<PathBuf>,
    /// The hash of all that.
    pub(in crate::runner) key: String,
}

impl Dependencies {
    /// The arguments with which rustc sees it.
    pub(in crate::runner) fn arguments(&self) -> Vec<OsString> {
        let with = |start: &str, path: &Path| {
            let mut argument = OsString::from(start);
            argument.push(path);
            argument
        };
        let facade = with("--extern=tinytorch=", &self.facade);
        let folders = self.search.iter().map(|folder| with("-Ldependency=", folder));
        [facade].into_iter().chain(folders).collect()
    }
}

/// One call of rustc.
pub(in crate::runner) struct Build<'a> {
    /// Which rustc.
    pub(in crate::runner) toolchain: &'a Toolchain,
    /// Where the source is; paths in messages are relative to it.
    pub(in crate::runner) folder: &'a Path,
    /// The source's file name.
    pub(in crate::runner) source: &'a str,
    /// What it stands on.
    pub(in crate::runner) below: &'a Dependencies,
    /// What is made of it, and how.
    pub(in crate::runner) flags: Vec<OsString>,
    /// How long it may take.
    pub(in crate::runner) limit: Duration,
}

/// How it went.
#[derive(Debug)]
pub(in crate::runner) struct Built {
    /// Whether rustc was content.
    pub(in crate::runner) success: bool,
    /// How long it took.
    pub(in crate::runner) took: Duration,
}

/// What rustc says while it works.
pub(in crate::runner) enum RustcMessage {
    /// A diagnostic about a file that the source map knows.
    Diagnostic(Diagnostic),
    /// The metadata is on disk: crates that depend on this one can be compiled. The machine code follows.
    MetadataReady,
}

impl Build<'_> {
    /// Calls rustc and hands out what it says.
    pub(in crate::runner) fn run(
        &self,
        source_map: &SourceMap,
        cancel: &Cancel,
        say: &mut dyn FnMut(RustcMessage),
    ) -> Result<Built, Stop> {
        let begun = Instant::now();
        let failed = |error| Error::io("run", &self.toolchain.rustc, &error);
        let mut process =
            Process::spawn(self.command(), Lines::Stderr, self.limit, cancel).map_err(failed)?;
        let (mut said, mut an_error) = (0, false);
        // What rustc says when it falls over is no JSON.
        let mut raw = Capped::default();
        while let Next::Line(line) = process.next() {
            if is_interface(&line) {
                say(RustcMessage::MetadataReady);
                continue;
            }
            let Some(diagnostic) = diagnostic(&line, source_map) else {
                raw.push(&line);
                raw.push(b"\n");
                continue;
            };
            if diagnostic.code.as_deref() == Some(OTHER_COMPILER) {
                return Err(updated().into());
            }
            if diagnostic.at.is_none()
                && let Some(error) = of_this_machine(&diagnostic.message)
            {
                return Err(error.into());
            }
            if diagnostic.level == Level::Warning && diagnostic.at.is_none() {
                // About rustc's own files: nothing that a learner could mend.
                continue;
            }
            an_error |= diagnostic.level == Level::Error;
            said += 1;
            if said <= MOST {
                say(RustcMessage::Diagnostic(diagnostic));
            }
        }
        let end = process.end().map_err(failed)?;
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let success = end.status.success();
        if !success && (!an_error || end.timed_out) {
            if let Some(error) = of_this_machine(&raw.output().text) {
                return Err(error.into());
            }
            say(RustcMessage::Diagnostic(gave_up(&end, self.limit)));
        }
        Ok(Built { success, took: begun.elapsed() })
    }

    fn command(&self) -> std::process::Command {
        let mut rustc = command(&self.toolchain.rustc, self.folder);
        rustc.args([self.source, "--edition=2024", "--error-format=json"]);
        // Half-written code has much that is unused; that this was expected is no news then.
        rustc.args(["-Aunused", "-Aunfulfilled_lint_expectations"]);
        rustc.args(self.below.arguments());
        rustc.args(&self.flags);
        rustc
    }
}

/// Whether rustc tells that it has written the metadata.
fn is_interface(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Artifact {
        emit: String,
    }
    serde_json::from_slice::<Artifact>(line).is_ok_and(|artifact| artifact.emit == "metadata")
}

/// rustc ended without naming an error: a signal, or our time limit.
fn gave_up(end: &End, limit: Duration) -> Diagnostic {
    let message = match signal(end.status) {
        _ if end.timed_out => format!("the compiler took longer than {} s", limit.as_secs_f64()),
        Some(signal) => {
            format!("the compiler was ended by {signal}: is something nested very deeply?")
        }
        None => format!("the compiler ended without a message ({})", end.status),
    };
    let (spans, notes, suggestions) = (vec![], vec![], vec![]);
    Diagnostic { level: Level::Error, message, code: None, at: None, spans, notes, suggestions }
}

/// The compiler is not the one that was found at the start.
fn updated() -> Error {
    Error::environment("the compiler was updated while the tutor was running")
        .hint("Start the tutor again: what it stands on is then built for the new compiler.")
}

/// The failure behind words of the compiler that are not about anybody's code.
fn of_this_machine(said: &str) -> Option<Error> {
    if said.contains("No space left on device") {
        return Some(
            Error::environment("the disk is full: the compiler could not write")
                .hint("Make room, or name another cache folder with --cache DIR."),
        );
    }
    no_linker(said)
}

/// The failure that a missing linker is.
pub(in crate::runner) fn no_linker(said: &str) -> Option<Error> {
    let missing = said.contains("linker `") && said.contains("not found");
    missing.then(|| {
        Error::environment("the linker \"cc\" is not on this machine")
            .hint("Debian, Ubuntu: apt install gcc. Fedora: dnf install gcc. macOS: xcode-select --install.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn ended(raw: i32, timed_out: bool) -> End {
        End { status: ExitStatus::from_raw(raw), timed_out, output: Default::default() }
    }

    #[test]
    fn a_compiler_that_gives_up_says_why() {
        let limit = Duration::from_secs(60);
        let message = |end| gave_up(&end, limit).message;
        assert!(message(ended(11, false)).contains("SIGSEGV"));
        assert_eq!(message(ended(9, true)), "the compiler took longer than 60 s");
        assert!(message(ended(101 << 8, false)).contains("101"));
    }

    /// A build with a program that behaves like a compiler that says `line`.
    fn build_with(line: &str) -> Result<Built, Stop> {
        let folder = tempfile::tempdir().unwrap();
        // The shell takes the source for its script.
        let script = format!("cat >&2 <<'END'\n{line}\nEND\nexit 1\n");
        std::fs::write(folder.path().join("script"), script).unwrap();
        let (cargo, version, host) = (PathBuf::new(), String::new(), String::new());
        let build = Build {
            toolchain: &Toolchain { rustc: "/bin/sh".into(), cargo, version, host },
            folder: folder.path(),
            source: "script",
            below: &Dependencies { facade: PathBuf::new(), search: vec![], key: String::new() },
            flags: vec![],
            limit: Duration::from_secs(60),
        };
        build.run(&SourceMap::default(), &Cancel::default(), &mut |_| ())
    }

    #[test]
    fn a_compiler_that_was_updated_meanwhile_is_named() {
        let said = |code: &str| {
            format!(r#"{{"message":"m","code":{{"code":"{code}"}},"level":"error","spans":[]}}"#)
        };
        let Err(Stop::Failed(error)) = build_with(&said("E0514")) else { panic!("a failure") };
        assert!(error.message.contains("updated"), "{error}");
        assert!(!build_with(&said("E0308")).unwrap().success);
    }

    #[test]
    fn what_this_machine_lacks_is_no_diagnostic() {
        assert_eq!(of_this_machine("mismatched types"), None);
        assert!(of_this_machine("linker `cc` not found").unwrap().message.contains("linker"));
        let panicked = "thread 'rustc' panicked: No space left on device (os error 28)";
        assert!(of_this_machine(panicked).unwrap().message.contains("disk is full"));
    }
}
