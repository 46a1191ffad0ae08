//! Compiles an exercise into a program: one crate in which the tests are part of the learner's file, or two, in which
//! the original tests are a crate of their own. Input: prepared texts and the chain below. Output: diagnostics, and the
//! program if compilation succeeded. Not here: running the program.

use super::prepared_source::{CONFINED_ENTRY, ENTRY, SUBJECT};
use super::rustc::{Build, Built, Confined, Dependencies, RustcMessage};
use super::toolchain::Toolchain;
use super::work_dir::{self, WorkDir};
use crate::error::Error;
use crate::runner::event::{Diagnostic, RunEvent, RunKind};
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, Stop};
use crate::sandbox::{CHANNEL, Sandbox};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The learner's file in the work folder.
pub(in crate::runner) const EXERCISE: &str = "exercise.rs";
/// The original tests in the work folder, when they are a crate of their own.
pub(in crate::runner) const TESTS: &str = "tests.rs";
/// Beside them, for an untrusted file, the functions that draw inputs from a seed.
pub(in crate::runner) const SEEDED: &str = "seeded.rs";
/// The content of that file for a module that has none.
const NO_SEEDED: &str = "pub const ALL: &[tinytorch::outputs::Seeded] = &[];\n";

/// One compilation of an exercise.
pub(in crate::runner) struct Exercise<'a> {
    /// Which compiler.
    pub(in crate::runner) toolchain: &'a Toolchain,
    /// Where it is compiled.
    pub(in crate::runner) work_dir: &'a WorkDir,
    /// The chain below it.
    pub(in crate::runner) below: &'a Dependencies,
    /// Maps places back to the learner's files.
    pub(in crate::runner) source_map: &'a SourceMap,
    /// Decides how it is optimised.
    pub(in crate::runner) kind: RunKind,
    /// How long one call of the compiler may take.
    pub(in crate::runner) limit: Duration,
    /// Cancels it.
    pub(in crate::runner) cancel: &'a Cancel,
    /// Confines the compiler, for a file that is not trusted.
    pub(in crate::runner) sandbox: Option<&'a Sandbox>,
}

/// One crate of an exercise.
struct Crate<'a> {
    source: &'a str,
    flags: Vec<OsString>,
    /// The folder that is written.
    out: &'a Path,
    /// Folders that are read, beside the source and the chain.
    readable: &'a [PathBuf],
}

impl Exercise<'_> {
    /// Compiles a text that ends in the table of its tests or analyses.
    pub(in crate::runner) fn as_one_crate(
        &self,
        text: &str,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Option<PathBuf>, Stop> {
        self.work_dir.write("entry.rs", &ENTRY.replace("FILE", EXERCISE))?;
        self.work_dir.write(EXERCISE, text)?;
        let (flags, out) = (PROGRAM.map(Into::into).into(), self.work_dir.folder());
        let program = Crate { source: "entry.rs", flags, out, readable: &[] };
        let built = self.compile(&program, events)?;
        Ok(report(built, events).then(|| out.join(NAME)))
    }

    /// Compiles the learner's text, without its tests, as a library, and then the tests, with their table,
    /// as a program that imports from it. `seeded` functions run after them in the sandbox.
    pub(in crate::runner) fn as_two_crates(
        &self,
        text: &str,
        tests: &str,
        seeded: Option<&str>,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Option<PathBuf>, Stop> {
        self.work_dir.write(EXERCISE, text)?;
        let out = self.out(SUBJECT)?;
        let mut flags = vec![format!("--crate-name={SUBJECT}").into(), "--crate-type=rlib".into()];
        if self.sandbox.is_some() {
            // What could reach the harness in memory. Lints must not be capped, or this one would not apply.
            flags.push("-Funsafe-code".into());
        }
        let library = Crate { source: EXERCISE, flags, out: &out, readable: &[] };
        let built = self.compile(&library, events)?;
        if !built.success {
            report(built, events);
            return Ok(None);
        }
        // Only now, so that the learner's file cannot include them.
        self.work_dir.write(TESTS, tests)?;
        self.work_dir.write(SEEDED, seeded.unwrap_or(NO_SEEDED))?;
        let entry = if self.sandbox.is_some() { CONFINED_ENTRY } else { ENTRY };
        let entry = entry.replace("FILE", TESTS).replace("SEEDED", SEEDED);
        let entry = entry.replace("CHANNEL", &CHANNEL.to_string());
        self.work_dir.write("entry.rs", &entry)?;
        let mut flags = PROGRAM.map(OsString::from).to_vec();
        let mut subject = OsString::from(format!("--extern={SUBJECT}="));
        subject.push(out.join(format!("lib{SUBJECT}.rlib")));
        flags.push(subject);
        let (readable, out) = ([out], self.out(NAME)?);
        let program = Crate { source: "entry.rs", flags, out: &out, readable: &readable };
        let program = self.compile(&program, events)?;
        let built = Built { took: built.took + program.took, ..program };
        let program = out.join(NAME);
        if built.success && self.sandbox.is_some() {
            // Not to be read: what the tests expect is in it.
            work_dir::set_mode(&program, 0o111)
                .map_err(|error| Error::io("protect", &program, &error))?;
        }
        Ok(report(built, events).then_some(program))
    }

    /// Where a crate is written. Inside a sandbox, each has a folder of its own: what one compiler wrote is read-only for
    /// the next one.
    fn out(&self, name: &str) -> Result<PathBuf, Stop> {
        match self.sandbox {
            Some(_) => Ok(self.work_dir.beside(name)?),
            None => Ok(self.work_dir.folder().to_owned()),
        }
    }

    fn compile(&self, krate: &Crate<'_>, events: &mut dyn FnMut(RunEvent)) -> Result<Built, Stop> {
        let Crate { source, flags, out, readable } = krate;
        let mut out_dir = OsString::from("--out-dir=");
        out_dir.push(out);
        let build = Build {
            toolchain: self.toolchain,
            folder: self.work_dir.folder(),
            source,
            below: self.below,
            flags: [flags.as_slice(), &[out_dir], &self.optimisation()].concat(),
            limit: self.limit,
            confined: self.sandbox.map(|sandbox| Confined { sandbox, out, readable }),
        };
        let compile = || {
            let mut diagnostics: Vec<Diagnostic> = vec![];
            let built = build.run(self.source_map, self.cancel, &mut |message| match message {
                RustcMessage::Diagnostic(diagnostic) => diagnostics.push(diagnostic),
                RustcMessage::MetadataReady => {}
            });
            built.map(|built| (built, diagnostics))
        };
        let (mut built, mut diagnostics) = compile()?;
        // An error without a place in the learner's file may come from damaged incremental state.
        let without_place = diagnostics.iter().all(|diagnostic| diagnostic.at.is_none());
        let failed = !built.success && without_place;
        if failed && self.work_dir.forget() && !is_slow_to_fail(&built) {
            (built, diagnostics) = compile()?;
        }
        diagnostics.into_iter().for_each(|diagnostic| events(RunEvent::Diagnostic(diagnostic)));
        Ok(built)
    }

    /// Tests need a fast build. Measurements need a fully optimised one, in a single codegen unit as in the chain.
    fn optimisation(&self) -> Vec<OsString> {
        if self.kind != RunKind::Check {
            return ["-Copt-level=3", "-Ccodegen-units=1"].map(Into::into).into();
        }
        if self.sandbox.is_some() {
            return vec!["-Copt-level=0".into()];
        }
        let mut incremental = OsString::from("-Cincremental=");
        incremental.push(self.work_dir.incremental());
        vec!["-Copt-level=0".into(), incremental]
    }
}

/// A compiler that reads damaged incremental state crashes within this time.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Whether a compiler was killed, by the time limit or for its memory, after it had worked for a while: a second build
/// would take as long again and fail too.
fn is_slow_to_fail(built: &Built) -> bool {
    built.killed && built.took > AT_ONCE
}

/// The program's name.
const NAME: &str = "entry";
const PROGRAM: [&str; 3] = ["--crate-name=entry", "--crate-type=bin", "-Cstrip=debuginfo"];

/// Sends the event for a build that has ended; returns whether it succeeded.
fn report(built: Built, events: &mut dyn FnMut(RunEvent)) -> bool {
    events(RunEvent::Built { success: built.success, took: built.took });
    built.success
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// How often a compiler that ends with `script` is called.
    fn calls(script: &str) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let rustc = folder.path().join("rustc");
        fs::write(&rustc, format!("#!/bin/sh\necho >> calls\n{script}\n")).unwrap();
        fs::set_permissions(&rustc, fs::Permissions::from_mode(0o700)).unwrap();
        let work_dir = WorkDir::open(folder.path(), "00_it", "check").unwrap();
        fs::create_dir(work_dir.incremental()).unwrap();
        let (cargo, version, host) = (PathBuf::new(), String::new(), String::new());
        let exercise = Exercise {
            toolchain: &Toolchain { rustc, cargo, version, host },
            work_dir: &work_dir,
            below: &Dependencies { facade: PathBuf::new(), search: vec![], key: String::new() },
            source_map: &SourceMap::default(),
            kind: RunKind::Check,
            limit: Duration::from_secs(60),
            cancel: &Cancel::default(),
            sandbox: None,
        };
        assert_eq!(exercise.as_one_crate("", &mut |_| ()).unwrap(), None);
        assert!(!work_dir.incremental().exists(), "the state is not used again");
        fs::read_to_string(work_dir.folder().join("calls")).unwrap().lines().count()
    }

    #[test]
    fn a_compiler_that_fails_without_a_place_is_called_again_without_its_state() {
        assert_eq!(calls("exit 101"), 2);
        assert_eq!(calls("kill -SEGV $$"), 2);
    }

    #[test]
    fn a_compiler_that_was_killed_after_a_while_is_not_called_again() {
        let slow = |killed, seconds| {
            let took = Duration::from_secs(seconds);
            is_slow_to_fail(&Built { success: false, killed, took })
        };
        assert!(slow(true, 60) && slow(true, 8));
        assert!(!slow(true, 0) && !slow(false, 60));
    }
}
