//! One call of rustc. Input: a source file and its dependencies. Output: diagnostics while rustc works, then whether it
//! succeeded.

use super::diagnostics::diagnostic;
use super::toolchain::Toolchain;
use crate::error::Error;
use crate::runner::event::{Diagnostic, Level};
use crate::runner::output::Capped;
use crate::runner::process::{COMPILER_MEMORY, End, Lines, Next, Process, command, signal};
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, Stop};
use crate::sandbox::{self, NOT_STARTED, Plan, Sandbox, Task};
use serde::Deserialize;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Diagnostics passed on of one call: more is noise.
const MOST_DIAGNOSTICS: usize = 100;
/// Bytes of text in the diagnostics of one call; the first is passed on whatever its size.
const MOST_BYTES: usize = 256 << 10;
/// rustc's code for a crate that another rustc compiled.
const OTHER_COMPILER: &str = "E0514";

/// The dependencies of a source file: the facade through which it sees the engine, and the folders of its crates.
#[derive(Debug, Clone)]
pub(in crate::runner) struct Dependencies {
    /// `libtinytorch.rlib` or a facade above it.
    pub(in crate::runner) facade: PathBuf,
    /// Folders of compiled crates.
    pub(in crate::runner) search: Vec<PathBuf>,
    /// The hash of all of them.
    pub(in crate::runner) key: String,
}

impl Dependencies {
    /// Whether all folders exist.
    pub(in crate::runner) fn exist(&self) -> bool {
        self.search.iter().all(|folder| folder.is_dir())
    }

    /// The arguments with which rustc finds them.
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
    /// Its dependencies.
    pub(in crate::runner) below: &'a Dependencies,
    /// What to compile it to, and how.
    pub(in crate::runner) flags: Vec<OsString>,
    /// How long it may take.
    pub(in crate::runner) limit: Duration,
    /// For a source that is not trusted.
    pub(in crate::runner) confined: Option<Confined<'a>>,
}

/// A call inside a sandbox.
#[derive(Clone, Copy)]
pub(in crate::runner) struct Confined<'a> {
    /// The sandbox.
    pub(in crate::runner) sandbox: &'a Sandbox,
    /// The only folder that it may write.
    pub(in crate::runner) out: &'a Path,
    /// Folders that it may read, beside the source, the dependencies and the toolchain.
    pub(in crate::runner) readable: &'a [PathBuf],
}

/// The result of a call.
#[derive(Debug)]
pub(in crate::runner) struct Built {
    /// Whether compilation succeeded.
    pub(in crate::runner) success: bool,
    /// Whether a signal or the time limit ended it.
    pub(in crate::runner) killed: bool,
    /// How long it took.
    pub(in crate::runner) took: Duration,
}

/// A message of rustc while it works.
pub(in crate::runner) enum RustcMessage {
    /// A diagnostic about a file that the source map knows.
    Diagnostic(Diagnostic),
    /// The metadata is on disk: crates that depend on this one can be compiled. The machine code follows.
    MetadataReady,
}

impl Build<'_> {
    /// Calls rustc and sends its messages.
    pub(in crate::runner) fn run(
        &self,
        source_map: &SourceMap,
        cancel: &Cancel,
        send: &mut dyn FnMut(RustcMessage),
    ) -> Result<Built, Stop> {
        let begun = Instant::now();
        let failed = |error| Error::io("run", &self.toolchain.rustc, &error);
        let (command, channel) = self.command().map_err(failed)?;
        let mut process =
            Process::spawn(command, Lines::Stderr, self.limit, cancel).map_err(failed)?;
        if channel.is_none() {
            process.limit_memory(COMPILER_MEMORY);
        }
        let (mut count, mut bytes, mut has_error) = (0, 0, false);
        // What rustc prints when it crashes is not JSON.
        let mut raw = Capped::default();
        while let Next::Line(line) = process.next() {
            if is_metadata_ready(&line) {
                send(RustcMessage::MetadataReady);
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
                // Not about the learner's file: nothing that a learner could fix.
                continue;
            }
            has_error |= diagnostic.level == Level::Error;
            bytes += diagnostic.bytes();
            if count == 0 || (count < MOST_DIAGNOSTICS && bytes <= MOST_BYTES) {
                send(RustcMessage::Diagnostic(diagnostic));
            }
            count += 1;
        }
        let mut end = process.end().map_err(failed)?;
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let is_cached = self.below.exist() && self.folder.is_dir();
        if !end.status.success() && !is_cached {
            return Err(cache_removed(self.folder).into());
        }
        let printed = raw.output().text;
        if let Some(channel) = channel {
            // A compiler never exits with this code: the launcher could not execute it.
            let is_started = end.status.code() != Some(NOT_STARTED.into());
            if !is_started || !sandbox::is_up(channel).map_err(failed)? {
                return Err(Error::environment(format!("no confined compiler: {printed}")).into());
            }
            end.status = sandbox::of_program(end.status);
        }
        let success = end.status.success();
        let killed = end.timed_out || signal(end.status).is_some();
        if !success && (!has_error || killed) {
            if let Some(error) = of_this_machine(&printed) {
                return Err(error.into());
            }
            send(RustcMessage::Diagnostic(gave_up(&end, &printed, self.limit)));
        }
        Ok(Built { success, killed, took: begun.elapsed() })
    }

    /// The command, and for a confined one the channel on which the launcher says that the sandbox is up.
    fn command(&self) -> io::Result<(Command, Option<UnixStream>)> {
        let Some(confined) = self.confined else {
            let mut rustc = command(&self.toolchain.rustc, self.folder);
            rustc.args(self.arguments());
            return Ok((rustc, None));
        };
        let (rustc, channel) = confined.sandbox.command(self.plan(&confined)?)?;
        Ok((rustc, Some(channel)))
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments =
            [self.source, "--edition=2024", "--error-format=json"].map(OsString::from).to_vec();
        // Unfinished code has much that is unused, and `#[expect(unused)]` in it is not worth a warning either.
        arguments.extend(["-Aunused", "-Aunfulfilled_lint_expectations"].map(OsString::from));
        arguments.extend(self.below.arguments());
        arguments.extend(self.flags.iter().cloned());
        if self.confined.is_some() && self.toolchain.host == "x86_64-unknown-linux-gnu" {
            // The toolchain's own linker, the default there, finds itself by `/proc`, which the sandbox does not have.
            arguments.push("-Clinker-features=-lld".into());
        }
        arguments
    }

    fn plan(&self, confined: &Confined<'_>) -> io::Result<Plan> {
        let text = |argument: OsString| {
            argument.into_string().map_err(|it| io::Error::other(format!("{it:?} is not UTF-8")))
        };
        let root = self.toolchain.rustc.ancestors().nth(2).unwrap_or(Path::new("/"));
        let libraries = root.join("lib").to_string_lossy().into_owned();
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Ok(Plan {
            task: Task::Compiler,
            program: self.toolchain.rustc.clone(),
            arguments: self.arguments().into_iter().map(text).collect::<Result<_, _>>()?,
            environment: vec![
                variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
                // The loader finds them by `/proc` otherwise.
                variable("LD_LIBRARY_PATH", &libraries),
                variable("RUST_BACKTRACE", "0"),
            ],
            folder: Some(self.folder.to_owned()),
            readable: [root.to_owned(), self.below.facade.clone()]
                .iter()
                .chain(&self.below.search)
                .chain(confined.readable)
                .cloned()
                .collect(),
            writable: vec![confined.out.to_owned()],
            limits: sandbox::Limits {
                memory: COMPILER_MEMORY,
                processor_seconds: 2 * self.limit.as_secs().max(1),
                file: 512 << 20,
                processes: 256,
            },
        })
    }
}

/// Whether the line says that rustc has written the metadata.
fn is_metadata_ready(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Artifact {
        emit: String,
    }
    serde_json::from_slice::<Artifact>(line).is_ok_and(|artifact| artifact.emit == "metadata")
}

/// The diagnostic for a rustc that was killed by a signal or the time limit, or that named no error.
fn gave_up(end: &End, printed: &str, limit: Duration) -> Diagnostic {
    let message = match signal(end.status) {
        _ if end.timed_out => format!(
            "the compiler was stopped after {} s: does a macro, a constant or a type grow without end?",
            limit.as_secs_f64()
        ),
        Some(signal) if printed.contains("memory allocation of ") => format!(
            "the compiler ran out of memory ({signal}): does a macro, a constant or a type grow without end?"
        ),
        Some(signal) if signal == "SIGKILL" => {
            format!("the compiler was killed ({signal}): the machine may have run out of memory")
        }
        Some(signal) => format!(
            "the compiler crashed ({signal}): is an expression or a type nested very deeply?"
        ),
        None => format!("the compiler exited without naming an error ({})", end.status),
    };
    let (spans, notes, suggestions) = (vec![], vec![], vec![]);
    Diagnostic { level: Level::Error, message, code: None, at: None, spans, notes, suggestions }
}

/// Folders of the cache were removed.
fn cache_removed(folder: &Path) -> Error {
    let folder = folder.display();
    Error::environment(format!("the cache was removed while \"{folder}\" was compiled"))
        .hint("Check again: what is missing is rebuilt.")
}

/// The compiler is not the one that was found at the start.
fn updated() -> Error {
    Error::environment("the compiler was updated while the tutor was running")
        .hint("Restart the tutor: it rebuilds the engine for the new compiler.")
}

/// The error in a message of the compiler that is not about code.
fn of_this_machine(message: &str) -> Option<Error> {
    if message.contains("No space left on device") {
        return Some(
            Error::environment("the disk is full: the compiler could not write")
                .hint("Free some space, or name another cache folder with --cache DIR."),
        );
    }
    no_linker(message)
}

/// The error of a missing linker.
pub(in crate::runner) fn no_linker(message: &str) -> Option<Error> {
    let missing = message.contains("linker `") && message.contains("not found");
    missing.then(|| {
        Error::environment("the linker \"cc\" is not installed")
            .hint("Debian, Ubuntu: `sudo apt install gcc`. Fedora: `sudo dnf install gcc`. macOS: `xcode-select --install`.")
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
    fn a_compiler_that_gives_up_names_the_cause() {
        let limit = Duration::from_secs(60);
        let message = |end, printed| gave_up(&end, printed, limit).message;
        let nested = message(ended(11, false), "");
        assert!(nested.contains("SIGSEGV") && nested.contains("nested"), "{nested}");
        let memory = message(ended(6, false), "memory allocation of 805306368 bytes failed");
        assert!(memory.contains("memory") && !memory.contains("nested"), "{memory}");
        let outside = message(ended(9, false), "");
        assert!(outside.contains("memory") && !outside.contains("nested"), "{outside}");
        assert!(message(ended(9, true), "").starts_with("the compiler was stopped after 60 s"));
        assert!(message(ended(101 << 8, false), "").contains("101"));
    }

    /// A build with a program that behaves like a compiler that prints `lines`, and how many bytes of
    /// diagnostics were passed on.
    fn build_with(lines: &str) -> (Result<Built, Stop>, usize) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lines"), lines).unwrap();
        // The shell takes the source for its script.
        std::fs::write(folder.path().join("script"), "cat lines >&2; exit 1").unwrap();
        let (cargo, version, host) = (PathBuf::new(), String::new(), String::new());
        let build = Build {
            toolchain: &Toolchain { rustc: "/bin/sh".into(), cargo, version, host },
            folder: folder.path(),
            source: "script",
            below: &Dependencies { facade: PathBuf::new(), search: vec![], key: String::new() },
            flags: vec![],
            limit: Duration::from_secs(60),
            confined: None,
        };
        let mut bytes = 0;
        let built = build.run(&SourceMap::default(), &Cancel::default(), &mut |message| {
            if let RustcMessage::Diagnostic(diagnostic) = message {
                bytes += diagnostic.bytes();
            }
        });
        (built, bytes)
    }

    #[test]
    fn a_compiler_that_was_updated_meanwhile_is_named() {
        let line = |code: &str| {
            format!(r#"{{"message":"m","code":{{"code":"{code}"}},"level":"error","spans":[]}}"#)
        };
        let (Err(Stop::Failed(error)), _) = build_with(&line("E0514")) else { panic!("an error") };
        assert!(error.message.contains("updated"), "{error}");
        assert!(!build_with(&line("E0308")).0.unwrap().success);
    }

    #[test]
    fn a_cache_that_is_removed_during_a_build_is_an_error_that_says_how_to_fix_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script"), "exit 1").unwrap();
        let (cargo, version, host) = (PathBuf::new(), String::new(), String::new());
        let search = vec![folder.path().join("modules/gone")];
        let build = Build {
            toolchain: &Toolchain { rustc: "/bin/sh".into(), cargo, version, host },
            folder: folder.path(),
            source: "script",
            below: &Dependencies { facade: PathBuf::new(), search, key: String::new() },
            flags: vec![],
            limit: Duration::from_secs(60),
            confined: None,
        };
        match build.run(&SourceMap::default(), &Cancel::default(), &mut |_| ()) {
            Err(Stop::Failed(error)) => {
                assert!(error.message.contains("the cache was removed"), "{error}");
                assert!(error.hints[0].contains("Check again"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flood_of_diagnostics_is_cut_by_number_and_by_bytes() {
        let line = |length: usize| {
            let long = "x".repeat(length);
            format!(r#"{{"message":"{long}","level":"error","spans":[]}}"#) + "\n"
        };
        let (_, bytes) = build_with(&line(10).repeat(MOST_DIAGNOSTICS + 50));
        assert_eq!(bytes, 10 * MOST_DIAGNOSTICS);
        let (_, bytes) = build_with(&line(1 << 20).repeat(90));
        assert!(bytes > 0 && bytes <= MOST_BYTES, "{bytes}");
    }

    #[test]
    fn an_error_of_this_machine_is_not_a_diagnostic() {
        assert_eq!(of_this_machine("mismatched types"), None);
        assert!(of_this_machine("linker `cc` not found").unwrap().message.contains("linker"));
        let panicked = "thread 'rustc' panicked: No space left on device (os error 28)";
        assert!(of_this_machine(panicked).unwrap().message.contains("disk is full"));
    }
}
