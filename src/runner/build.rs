//! One call of rustc. Comes in: a source file and what it stands on. Goes out: diagnostics while it
//! works, then whether there is a program.

use super::diagnose::{Places, diagnostic};
use super::event::{Diagnostic, Level};
use super::output::Capped;
use super::process::{End, Lines, Next, Process, command};
use super::test::signal;
use super::toolchain::Toolchain;
use super::{Cancel, Stop};
use crate::failure::Failure;
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
pub(super) struct Below {
    /// `libtinytorch.rlib` or a facade above it.
    pub(super) facade: PathBuf,
    /// Folders of compiled crates.
    pub(super) search: Vec<PathBuf>,
    /// The hash of all that.
    pub(super) key: String,
}

impl Below {
    /// The arguments with which rustc sees it.
    pub(super) fn arguments(&self) -> Vec<OsString> {
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
pub(super) struct Build<'a> {
    /// Which rustc.
    pub(super) toolchain: &'a Toolchain,
    /// Where the source is; paths in messages are relative to it.
    pub(super) folder: &'a Path,
    /// The source's file name.
    pub(super) source: &'a str,
    /// What it stands on.
    pub(super) below: &'a Below,
    /// What is made of it, and how.
    pub(super) flags: Vec<OsString>,
    /// How long it may take.
    pub(super) limit: Duration,
}

/// How it went.
#[derive(Debug)]
pub(super) struct Built {
    /// Whether rustc was content.
    pub(super) success: bool,
    /// How long it took.
    pub(super) took: Duration,
}

/// What rustc says while it works.
pub(super) enum Said {
    /// Words about a file that `places` knows.
    Words(Diagnostic),
    /// The interface of what is compiled lies on the disk; the machine code follows.
    Interface,
}

impl Build<'_> {
    /// Calls rustc and hands out what it says.
    pub(super) fn run(
        &self,
        places: &Places,
        cancel: &Cancel,
        say: &mut dyn FnMut(Said),
    ) -> Result<Built, Stop> {
        let begun = Instant::now();
        let failed = |error| Failure::io("run", &self.toolchain.rustc, &error);
        let mut process =
            Process::spawn(self.command(), Lines::Stderr, self.limit, cancel).map_err(failed)?;
        let (mut said, mut an_error) = (0, false);
        // What rustc says when it falls over is no JSON.
        let mut raw = Capped::default();
        while let Next::Line(line) = process.next() {
            if is_interface(&line) {
                say(Said::Interface);
                continue;
            }
            let Some(diagnostic) = diagnostic(&line, places) else {
                raw.push(&line);
                raw.push(b"\n");
                continue;
            };
            if diagnostic.code.as_deref() == Some(OTHER_COMPILER) {
                return Err(updated().into());
            }
            if diagnostic.at.is_none()
                && let Some(failure) = of_this_machine(&diagnostic.message)
            {
                return Err(failure.into());
            }
            if diagnostic.level == Level::Warning && diagnostic.at.is_none() {
                // About rustc's own files: nothing that a learner could mend.
                continue;
            }
            an_error |= diagnostic.level == Level::Error;
            said += 1;
            if said <= MOST {
                say(Said::Words(diagnostic));
            }
        }
        let end = process.end().map_err(failed)?;
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let success = end.status.success();
        if !success && (!an_error || end.timed_out) {
            if let Some(failure) = of_this_machine(&raw.output().text) {
                return Err(failure.into());
            }
            say(Said::Words(gave_up(&end, self.limit)));
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
fn updated() -> Failure {
    Failure::environment("the compiler was updated while the tutor was running")
        .hint("Start the tutor again: what it stands on is then built for the new compiler.")
}

/// The failure behind words of the compiler that are not about anybody's code.
fn of_this_machine(said: &str) -> Option<Failure> {
    if said.contains("No space left on device") {
        return Some(
            Failure::environment("the disk is full: the compiler could not write")
                .hint("Make room, or name another cache folder with --cache DIR."),
        );
    }
    no_linker(said)
}

/// The failure that a missing linker is.
pub(super) fn no_linker(said: &str) -> Option<Failure> {
    let missing = said.contains("linker `") && said.contains("not found");
    missing.then(|| {
        Failure::environment("the linker \"cc\" is not on this machine")
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
            below: &Below { facade: PathBuf::new(), search: vec![], key: String::new() },
            flags: vec![],
            limit: Duration::from_secs(60),
        };
        build.run(&Places::default(), &Cancel::default(), &mut |_| ())
    }

    #[test]
    fn a_compiler_that_was_updated_meanwhile_is_named() {
        let said = |code: &str| {
            format!(r#"{{"message":"m","code":{{"code":"{code}"}},"level":"error","spans":[]}}"#)
        };
        let Err(Stop::Failed(failure)) = build_with(&said("E0514")) else { panic!("a failure") };
        assert!(failure.message.contains("updated"), "{failure}");
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
