//! One run from request to end: what it stands on, the prepared_source, the compiler, the tests or analyses.

use super::build::cache::Cache;
use super::build::chain::{BuiltChain, Chain};
use super::build::prepared_source::{ENTRY, PreparedSource, prepare};
use super::build::rustc::{Build, Dependencies, RustcMessage};
use super::build::third_party;
use super::build::toolchain::Toolchain;
use super::build::work_dir::WorkDir;
use super::event::{Diagnostic, Level, Output, RunEvent, RunKind, TestResult, Verdict};
use super::run::explorable::Figure;
use super::run::program::Program;
use super::source_map::SourceMap;
use super::{Cancel, ModuleSources, Request, Stop};
use crate::curriculum::{Course, Module, ModuleId, cells};
use crate::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long things may take before they are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One test.
    pub test: Duration,
    /// One analysis.
    pub analysis: Duration,
    /// A milestone's program.
    pub milestone: Duration,
    /// One frame of an explorable.
    pub frame: Duration,
    /// One call of the compiler.
    pub compile: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            test: Duration::from_secs(10),
            analysis: Duration::from_secs(120),
            milestone: Duration::from_secs(1800),
            frame: Duration::from_secs(10),
            compile: Duration::from_secs(60),
        }
    }
}

/// Compiles and runs; holds the toolchain and the cache.
#[derive(Debug)]
pub struct Runner {
    cache: Cache,
    toolchain: Toolchain,
    course: &'static Course,
    limits: Limits,
}

impl Runner {
    /// Finds the toolchain (which takes about 0.1 s: not on the screen's thread). `cache` is made when
    /// it is missing.
    pub fn new(cache: PathBuf, course: &'static Course) -> Result<Self, Error> {
        let cache = Cache::open(cache)?;
        let toolchain = Toolchain::find(cache.root())?;
        Ok(Self { cache, toolchain, course, limits: Limits::default() })
    }

    /// The compiler's name and version, in its own words.
    #[must_use]
    pub fn toolchain(&self) -> String {
        self.toolchain.version.lines().next().unwrap_or_default().to_owned()
    }

    /// The same runner with other time limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Compiles `request.text` and runs its tests, its analyses, or its milestone, until done or
    /// cancelled. An error means that this machine lacks something; everything that is the
    /// learner's comes as an event.
    pub fn run(
        &self,
        request: &Request,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Error> {
        finish(Run { runner: self, request, cancel }.steps(events))
    }

    /// Builds what the exercise of `module` stands on: third-party crates and the links below it.
    pub fn prepare(
        &self,
        module: ModuleId,
        links: &ModuleSources,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Error> {
        finish(self.chain(module.0, links, cancel, events).map(drop))
    }

    /// The compiler that is used: never a shim.
    #[must_use]
    pub fn rustc(&self) -> &Path {
        &self.toolchain.rustc
    }

    /// The arguments with which any rustc call sees what the exercise of `module` stands on; none
    /// when cancelled.
    pub fn stands_on(
        &self,
        module: ModuleId,
        links: &ModuleSources,
        cancel: &Cancel,
    ) -> Result<Vec<OsString>, Error> {
        match self.chain(module.0, links, cancel, &mut |_| ()) {
            Ok(chain) => Ok(chain.top.arguments()),
            Err(Stop::Cancelled) => Ok(vec![]),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Compiles an explorable of the request's file; the inner error is the compiler's first.
    pub(super) fn build_explorable(
        &self,
        request: &Request,
        name: &str,
        cancel: &Cancel,
    ) -> Result<Result<Built, String>, Stop> {
        let module = self.course.module(request.module);
        let mut chain = self.chain(request.module.0, &request.links, cancel, &mut |_| ())?;
        let made = prepare(&request.text, module.map_or("", Module::reference));
        chain.source_map.add("exercise.rs", &request.file, made.lines.clone());
        let slug = self.course.slug(request.module);
        let work_dir = WorkDir::open(self.cache.root(), &slug, "explorable")?;
        work_dir.write("entry.rs", ENTRY)?;
        work_dir.write("exercise.rs", &made.with_explorables(&[name.to_owned()]))?;
        let mut first = None;
        let run = Run { runner: self, request, cancel };
        let success = run.compile(&work_dir, &chain, &mut |event| {
            if let RunEvent::Diagnostic(Diagnostic { level: Level::Error, message, .. }) = event {
                first.get_or_insert(message);
            }
        })?;
        let built = Built { work_dir, source_map: chain.source_map };
        Ok(if success { Ok(built) } else { Err(first.unwrap_or_default()) })
    }

    /// Starts the process of an explorable that was compiled.
    pub(super) fn start_explorable(
        &self,
        built: &Built,
        name: &str,
        cancel: &Cancel,
    ) -> Result<Figure, Stop> {
        let binary = built.work_dir.folder().join("entry");
        Figure::start(&binary, name, sockets()?, self.limits.frame, cancel)
    }

    /// The same request for the reference's source of the module.
    pub(super) fn with_reference(&self, request: &Request) -> Request {
        let module = self.course.module(request.module);
        let text = module.map_or("", Module::reference).to_owned();
        let file = PathBuf::from(format!("{}, the reference", self.course.slug(request.module)));
        Request { text, file, ..request.clone() }
    }

    fn chain(
        &self,
        end: u8,
        links: &ModuleSources,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<BuiltChain, Stop> {
        let folder = third_party::build(&self.cache, &self.toolchain, cancel, events)?;
        let base = Dependencies {
            facade: folder.join("libtinytorch.rlib"),
            search: vec![folder],
            key: third_party::key(&self.toolchain)?,
        };
        let (cache, toolchain, course) = (&self.cache, &self.toolchain, self.course);
        let chain = Chain { cache, toolchain, course, base, limit: self.limits.compile, cancel };
        chain.build(end, links, events)
    }
}

/// A program that was compiled, in a folder that belongs to it as long as this value lives.
pub(super) struct Built {
    work_dir: WorkDir,
    /// Leads places in it back to the file.
    pub(super) source_map: SourceMap,
}

/// One request on its way.
struct Run<'a> {
    runner: &'a Runner,
    request: &'a Request,
    cancel: &'a Cancel,
}

impl Run<'_> {
    fn steps(&self, events: &mut dyn FnMut(RunEvent)) -> Result<(), Stop> {
        let Self { runner, request, cancel } = *self;
        let (module, kind) = (request.module, request.kind);
        let source = runner.course.module(module);
        let original = match source {
            Some(source) if kind != RunKind::Milestone => source.reference(),
            _ => "",
        };
        let expected =
            expected(request, if original.is_empty() { &request.text } else { original });
        events(RunEvent::Started { module, kind, expected: expected.clone() });
        let end = if kind == RunKind::Milestone { module.0 + 1 } else { module.0 };
        let mut chain = runner.chain(end, &request.links, cancel, events)?;
        let made = prepare(&request.text, original);
        made.notices.iter().cloned().for_each(|notice| events(RunEvent::Notice(notice)));
        chain.source_map.add("exercise.rs", &request.file, made.lines.clone());

        let slug = runner.course.slug(module);
        let work_dir = WorkDir::open(runner.cache.root(), &slug, kind.word())?;
        let (there, missing) = self.split(&made, expected);
        work_dir.write("entry.rs", ENTRY)?;
        work_dir.write("exercise.rs", &table(&made, kind, &there))?;
        if self.compile(&work_dir, &chain, events)? {
            missing.into_iter().for_each(|name| events(self.missing(name)));
            self.execute(&work_dir, &chain, &there, events)?;
        }
        events(RunEvent::Finished);
        Ok(())
    }

    /// The names that the text has, and the others.
    fn split(&self, made: &PreparedSource, names: Vec<String>) -> (Vec<String>, Vec<String>) {
        let analyses = cells::analyses(&made.text);
        names.into_iter().partition(|name| match self.request.kind {
            RunKind::Check => made.has_test(name),
            RunKind::Analysis => analyses.contains(name),
            RunKind::Milestone => true,
        })
    }

    fn missing(&self, name: String) -> RunEvent {
        let (verdict, output, took) = (Verdict::Missing, Output::default(), Duration::ZERO);
        let result = TestResult { name, verdict, output, took };
        match self.request.kind {
            RunKind::Check => RunEvent::Test(result),
            _ => RunEvent::AnalysisEnded(result),
        }
    }

    fn compile(
        &self,
        work_dir: &WorkDir,
        chain: &BuiltChain,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<bool, Stop> {
        let build = Build {
            toolchain: &self.runner.toolchain,
            folder: work_dir.folder(),
            source: "entry.rs",
            below: &chain.top,
            flags: self.flags(work_dir),
            limit: self.runner.limits.compile,
        };
        let mut said: Vec<Diagnostic> = vec![];
        let hear = |said: &mut Vec<_>| {
            build.run(&chain.source_map, self.cancel, &mut |more| match more {
                RustcMessage::Diagnostic(words) => said.push(words),
                RustcMessage::MetadataReady => {}
            })
        };
        let mut built = hear(&mut said)?;
        // An error about nothing in the learner's file may come from what rustc remembers.
        let about_nothing = said.iter().all(|words| words.at.is_none());
        if !built.success && about_nothing && work_dir.forget() {
            said.clear();
            built = hear(&mut said)?;
        }
        said.into_iter().for_each(|words| events(RunEvent::Diagnostic(words)));
        events(RunEvent::Built { success: built.success, took: built.took });
        Ok(built.success)
    }

    /// Tests want a fast build. Figures want the code that the compiler makes when it sees all of it,
    /// as in the chain.
    fn flags(&self, work_dir: &WorkDir) -> Vec<OsString> {
        let common = ["--crate-name=entry", "--crate-type=bin", "-Cstrip=debuginfo"];
        let mut flags: Vec<OsString> = common.map(Into::into).into();
        if self.request.kind == RunKind::Check {
            let mut incremental = OsString::from("-Cincremental=");
            incremental.push(work_dir.memory());
            flags.extend(["-Copt-level=0".into(), incremental]);
        } else {
            flags.extend(["-Copt-level=3", "-Ccodegen-units=1"].map(Into::into));
        }
        flags
    }

    fn execute(
        &self,
        work_dir: &WorkDir,
        chain: &BuiltChain,
        names: &[String],
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Stop> {
        let sockets = sockets()?;
        let limits = self.runner.limits;
        let program = Program {
            binary: &work_dir.folder().join("entry"),
            folder: work_dir.folder(),
            sockets: sockets.path(),
            source_map: &chain.source_map,
            limit: match self.request.kind {
                RunKind::Check => limits.test,
                RunKind::Analysis => limits.analysis,
                RunKind::Milestone => limits.milestone,
            },
            cancel: self.cancel,
        };
        match self.request.kind {
            RunKind::Check => program.tests(names, events),
            _ => names.iter().try_for_each(|name| program.reporter(name, events)),
        }
    }
}

fn finish(result: Result<(), Stop>) -> Result<(), Error> {
    match result {
        Ok(()) | Err(Stop::Cancelled) => Ok(()),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// The names that must each give a verdict.
fn expected(request: &Request, original: &str) -> Vec<String> {
    let all = match request.kind {
        RunKind::Check => cells::tests(original),
        RunKind::Analysis => cells::analyses(original),
        RunKind::Milestone => vec!["milestone".to_owned()],
    };
    if request.only.is_empty() {
        return all;
    }
    let mut only = vec![];
    for name in &request.only {
        if !only.contains(name) {
            only.push(name.clone());
        }
    }
    only
}

fn table(made: &PreparedSource, kind: RunKind, names: &[String]) -> String {
    if kind == RunKind::Check { made.with_tests(names) } else { made.with_reporters(names) }
}

/// A folder whose path is short enough for the address of a socket, which has 100 bytes.
fn sockets() -> Result<tempfile::TempDir, Error> {
    let usual = std::env::temp_dir();
    let folder = if usual.as_os_str().len() < 50 { usual.as_path() } else { Path::new("/tmp") };
    tempfile::Builder::new()
        .prefix("tt-")
        .tempdir_in(folder)
        .map_err(|error| Error::io("make a folder in", folder, &error))
}
