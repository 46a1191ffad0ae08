//! One run from request to end: the prepared source, the chain below it, the compiler, then the tests or
//! analyses.

use super::build::cache::Cache;
use super::build::chain::{BuiltChain, Chain};
use super::build::exercise::{EXERCISE, Exercise, SEEDED, TESTS};
use super::build::module_crate::Tools;
use super::build::prepared_source::{PreparedSource, prepare, prepare_seeded, prepare_separately};
use super::build::rustc::Dependencies;
use super::build::third_party;
use super::build::toolchain::Toolchain;
use super::build::work_dir::WorkDir;
use super::event::{
    Diagnostic, Expected, Level, Output, Owner, RunEvent, RunKind, TestResult, Verdict,
};
use super::run::explorable::Figure;
use super::run::program::Program;
use super::seeded::{self, SeededModule};
use super::source_map::{LineMap, SourceMap};
use super::{Cancel, ModuleSources, Request, Stop};
use crate::curriculum::cells::{self, Cell};
use crate::curriculum::{Course, Module, ModuleId};
use crate::error::Error;
use crate::sandbox::Sandbox;
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
    /// The first frame of its process, which may train what the others show.
    pub first_frame: Duration,
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
            first_frame: Duration::from_secs(30),
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
    sandbox: Option<Sandbox>,
    seeded: fn(&str) -> Option<&'static SeededModule>,
}

impl Runner {
    /// Finds the toolchain (which takes about 0.1 s: not on the screen's thread). `cache` is made when
    /// it is missing.
    pub fn new(cache: PathBuf, course: &'static Course) -> Result<Self, Error> {
        let cache = Cache::open(cache)?;
        let toolchain = Toolchain::find(cache.root())?;
        Ok(Self {
            cache,
            toolchain,
            course,
            limits: Limits::default(),
            sandbox: None,
            seeded: |_| None,
        })
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

    /// The same runner for files that are not trusted: a check compiles and runs them inside the sandbox, with separate tests, and
    /// [`Runner::run_around`] runs a program around one. Nothing else may be run with it.
    #[must_use]
    pub fn with_sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// The same runner with functions that draw inputs from a seed, by the name of the module. In the sandbox they run after the
    /// tests, and what they return is compared here.
    #[must_use]
    pub fn with_seeded(mut self, seeded: fn(&str) -> Option<&'static SeededModule>) -> Self {
        self.seeded = seeded;
        self
    }

    /// Compiles `request.text` and runs its tests, its analyses, or its milestone, until done or
    /// cancelled. An error is about this machine; whatever is about the learner's code is an event.
    pub fn run(
        &self,
        request: &Request,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Error> {
        self.run_as(&Run { runner: self, request, cancel, program: None }, events)
    }

    /// Compiles `request.text`, which is not trusted, as the crate `subject`, and runs the milestone of `program`, which is and
    /// imports from it.
    pub fn run_around(
        &self,
        request: &Request,
        program: &str,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Error> {
        self.run_as(&Run { runner: self, request, cancel, program: Some(program) }, events)
    }

    fn run_as(&self, run: &Run<'_>, events: &mut dyn FnMut(RunEvent)) -> Result<(), Error> {
        let result = run.steps(events);
        run.cancel.kill_strays();
        finish(result)
    }

    /// Builds what the exercise of `module` depends on: third-party crates and the modules below it.
    pub fn prepare(
        &self,
        module: ModuleId,
        sources: &ModuleSources,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Error> {
        finish(self.chain(module.0, sources, cancel, events).map(drop))
    }

    /// Copies the sources of the third-party crates that every check needs to the new folder `to`.
    ///
    /// # Errors
    /// When they are not on this machine.
    pub fn vendor(&self, to: &Path, cancel: &Cancel) -> Result<(), Error> {
        finish(third_party::vendor(&self.cache, &self.toolchain, to, cancel))
    }

    /// What one of the compiler's codes is about: the first sentence of its own explanation.
    #[must_use]
    pub fn explain(&self, code: &str) -> Option<String> {
        self.toolchain.explain(code, self.cache.root())
    }

    /// The platform of the compiler, such as `x86_64-unknown-linux-gnu`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.toolchain.host
    }

    /// The compiler that is used: never a shim.
    #[must_use]
    pub fn rustc(&self) -> &Path {
        &self.toolchain.rustc
    }

    /// The rustc arguments that name the dependencies of the exercise of `module`; none when cancelled.
    pub fn dependency_arguments(
        &self,
        module: ModuleId,
        sources: &ModuleSources,
        cancel: &Cancel,
    ) -> Result<Vec<OsString>, Error> {
        match self.chain(module.0, sources, cancel, &mut |_| ()) {
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
        let mut chain = self.chain(request.module.0, &request.sources, cancel, &mut |_| ())?;
        let made = prepare(&request.text, module.map_or("", Module::reference));
        chain.source_map.add(EXERCISE, &request.file, made.lines.clone());
        let slug = self.course.slug(request.module);
        let work_dir = WorkDir::open(self.cache.root(), &slug, "explorable")?;
        let mut first_error = None;
        let run = Run { runner: self, request, cancel, program: None };
        let text = made.with_explorables(&[name.to_owned()]);
        let success = run.exercise(&work_dir, &chain).as_one_crate(&text, &mut |event| {
            if let RunEvent::Diagnostic(Diagnostic { level: Level::Error, message, .. }) = event {
                first_error.get_or_insert(message);
            }
        })?;
        let built = Built { work_dir, source_map: chain.source_map };
        Ok(if success.is_some() { Ok(built) } else { Err(first_error.unwrap_or_default()) })
    }

    /// Starts the process of an explorable that was compiled.
    pub(super) fn start_explorable(
        &self,
        built: &Built,
        name: &str,
        cancel: &Cancel,
    ) -> Result<Figure, Stop> {
        let binary = built.work_dir.folder().join("entry");
        let limits = [self.limits.first_frame, self.limits.frame];
        Figure::start(&binary, name, sockets()?, limits, cancel)
    }

    /// The same request with the reference's source of the module.
    pub(super) fn with_reference(&self, request: &Request) -> Request {
        let module = self.course.module(request.module);
        let text = module.map_or("", Module::reference).to_owned();
        let file = PathBuf::from(format!("{}, the reference", self.course.slug(request.module)));
        Request { text, file, ..request.clone() }
    }

    fn chain(
        &self,
        end: u8,
        sources: &ModuleSources,
        cancel: &Cancel,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<BuiltChain, Stop> {
        let folder = third_party::build(&self.cache, &self.toolchain, cancel, events)?;
        let base = Dependencies {
            facade: folder.join("libtinytorch.rlib"),
            search: vec![folder],
            key: third_party::key(&self.toolchain)?,
        };
        let (cache, toolchain, limit) = (&self.cache, &self.toolchain, self.limits.compile);
        let tools = Tools { cache, toolchain, limit, cancel };
        let chain = Chain { tools, course: self.course, base };
        chain.build(end, sources, events)
    }
}

/// A compiled program, in a folder that no other run uses while this value lives.
pub(super) struct Built {
    work_dir: WorkDir,
    /// Maps places in it back to the file.
    pub(super) source_map: SourceMap,
}

/// One run of a request.
struct Run<'a> {
    runner: &'a Runner,
    request: &'a Request,
    cancel: &'a Cancel,
    /// What imports from the request's text, when that is a crate of its own and its tests are not.
    program: Option<&'a str>,
}

/// The texts to compile, and what must give a verdict.
struct Prepared {
    exercise: PreparedSource,
    /// The tests, when they are a crate of their own.
    tests: Option<PreparedSource>,
    /// The functions that draw inputs from a seed.
    seeded: Option<PreparedSource>,
    expected: Vec<Expected>,
}

impl Run<'_> {
    fn steps(&self, events: &mut dyn FnMut(RunEvent)) -> Result<(), Stop> {
        let (module, kind) = (self.request.module, self.request.kind);
        let prepared = self.prepare();
        events(RunEvent::Started { module, kind, expected: prepared.expected.clone() });
        let notices = prepared.exercise.notices.iter().cloned();
        notices.for_each(|notice| events(RunEvent::Notice(notice)));
        if let Err((chain, stop)) = self.attempt(&prepared, events)? {
            if chain.exist() {
                return Err(stop);
            }
            // The cache was removed meanwhile: rebuild what is missing, once.
            self.attempt(&prepared, events)?.map_err(|(_, stop)| stop)?;
        }
        events(RunEvent::Finished);
        Ok(())
    }

    /// The reference of the module with its hidden tests; empty for a milestone, which has none.
    fn original(&self) -> &str {
        match self.runner.course.module(self.request.module) {
            Some(source) if self.request.kind != RunKind::Milestone => source.graded(),
            _ => "",
        }
    }

    fn prepare(&self) -> Prepared {
        let (text, original) = (&self.request.text, self.original());
        let (exercise, tests) = if let Some(program) = self.program {
            // No line of the program is one of the file.
            let mut program = prepare(program, original);
            program.lines = LineMap::default();
            (prepare(text, original), Some(program))
        } else if self.request.separate_tests || self.runner.sandbox.is_some() {
            let (exercise, tests) = prepare_separately(text, original);
            (exercise, Some(tests))
        } else {
            (prepare(text, original), None)
        };
        let expected = expected(self.request, original, &exercise);
        let seeded = self.seeded().map(|seeded| prepare_seeded(text, original, seeded));
        Prepared { exercise, tests, seeded, expected }
    }

    /// The functions that draw inputs from a seed: only the sandbox runs them.
    fn seeded(&self) -> Option<&'static SeededModule> {
        let module = self.runner.course.module(self.request.module)?;
        self.runner.sandbox.as_ref().and_then(|_| (self.runner.seeded)(&module.name))
    }

    /// Builds and runs once. An error after the chain was built comes with the chain.
    fn attempt(
        &self,
        prepared: &Prepared,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Result<(), (Dependencies, Stop)>, Stop> {
        let Self { runner, request, cancel, .. } = *self;
        let above = u8::from(request.kind == RunKind::Milestone);
        let mut chain = runner.chain(request.module.0 + above, &request.sources, cancel, events)?;
        let lines = prepared.exercise.lines.clone();
        chain.source_map.add(EXERCISE, &request.file, lines);
        if let Some(tests) = &prepared.tests {
            chain.source_map.add(TESTS, &request.file, tests.lines.clone());
        }
        if let Some(seeded) = &prepared.seeded {
            chain.source_map.add(SEEDED, &request.file, seeded.lines.clone());
        }
        Ok(self.build_and_execute(prepared, &chain, events).map_err(|stop| (chain.top, stop)))
    }

    fn build_and_execute(
        &self,
        prepared: &Prepared,
        chain: &BuiltChain,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Stop> {
        let Self { runner, request, .. } = *self;
        let slug = runner.course.slug(request.module);
        let root = runner.cache.root();
        let work_dir = match runner.sandbox {
            Some(_) => WorkDir::temporary(root)?,
            None => WorkDir::open(root, &slug, request.kind.word())?,
        };
        let exercise = self.exercise(&work_dir, chain);
        let (found, missing) = self.split(prepared);
        let names: Vec<String> = found.iter().map(|expected| expected.name.clone()).collect();
        let source = &prepared.exercise;
        let with_table = |source: &PreparedSource| match request.kind {
            RunKind::Check => source.with_tests(&names),
            RunKind::Analysis | RunKind::Milestone => source.with_reporters(&names),
        };
        let program = match &prepared.tests {
            Some(tests) => {
                let seeded = prepared.seeded.as_ref().map(|seeded| seeded.text.as_str());
                exercise.as_two_crates(&source.text, &with_table(tests), seeded, events)?
            }
            None => exercise.as_one_crate(&with_table(source), events)?,
        };
        if let Some(program) = program {
            missing.into_iter().for_each(|expected| events(self.missing(expected)));
            self.execute(&program, chain, &found, events)?;
        }
        Ok(())
    }

    fn exercise<'a>(&'a self, work_dir: &'a WorkDir, chain: &'a BuiltChain) -> Exercise<'a> {
        Exercise {
            toolchain: &self.runner.toolchain,
            work_dir,
            below: &chain.top,
            source_map: &chain.source_map,
            kind: self.request.kind,
            limit: self.runner.limits.compile,
            cancel: self.cancel,
            sandbox: self.runner.sandbox.as_ref(),
        }
    }

    /// The expected functions that the text has, and the rest.
    fn split<'a>(&self, prepared: &'a Prepared) -> (Vec<&'a Expected>, Vec<&'a Expected>) {
        let analyses = cells::analyses(&prepared.exercise.text);
        let tests = prepared.tests.as_ref().unwrap_or(&prepared.exercise);
        prepared.expected.iter().partition(|expected| match self.request.kind {
            RunKind::Check => tests.has_test(&expected.name),
            RunKind::Analysis => analyses.contains(&expected.name),
            RunKind::Milestone => true,
        })
    }

    fn missing(&self, expected: &Expected) -> RunEvent {
        let (verdict, output, took) = (Verdict::Missing, Output::default(), Duration::ZERO);
        let result = TestResult { name: expected.name.clone(), verdict, output, took };
        match self.request.kind {
            RunKind::Check => RunEvent::Test(result),
            _ => RunEvent::AnalysisEnded(result),
        }
    }

    fn execute(
        &self,
        binary: &Path,
        chain: &BuiltChain,
        expected: &[&Expected],
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<(), Stop> {
        let sockets = sockets()?;
        let (runner, limits) = (self.runner, self.runner.limits);
        let program = Program {
            binary,
            folder: binary.parent().unwrap_or(Path::new("/")),
            sockets: sockets.path(),
            source_map: &chain.source_map,
            checkpoints: (self.request.kind == RunKind::Milestone)
                .then(|| runner.cache.checkpoints(&[&chain.top.key, &self.request.text])),
            limit: match self.request.kind {
                RunKind::Check => limits.test,
                RunKind::Analysis => limits.analysis,
                RunKind::Milestone => limits.milestone,
            },
            cancel: self.cancel,
            sandbox: runner.sandbox.as_ref(),
            seeded: match self.seeded() {
                Some(module) => {
                    Some((module, seeded::seed(runner.cache.root(), &self.request.text)?))
                }
                None => None,
            },
        };
        let names = |owner: Owner| -> Vec<&str> {
            let owned = expected.iter().filter(|expected| expected.owner == owner);
            owned.map(|expected| expected.name.as_str()).collect()
        };
        if self.request.kind == RunKind::Check {
            // The learner's own come last, so that the verdict does not wait for them.
            program.tests(&names(Owner::Course), events)?;
            return program.tests(&names(Owner::Learner), events);
        }
        names(Owner::Course).into_iter().try_for_each(|name| program.reporter(name, events))
    }
}

fn finish(result: Result<(), Stop>) -> Result<(), Error> {
    match result {
        Ok(()) | Err(Stop::Cancelled) => Ok(()),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// What must give a verdict. A requested name that does not exist gets the verdict `Missing`.
fn expected(request: &Request, original: &str, exercise: &PreparedSource) -> Vec<Expected> {
    let cells = cells::parse(if original.is_empty() { &request.text } else { original });
    let dependencies = cells::dependencies(original);
    let in_cell = |name: &str, cell: &Cell<'_>| {
        let tested = cell.grade_id.as_deref().and_then(|id| id.strip_prefix("test-"));
        let needs = tested.and_then(|id| dependencies.get(id)).cloned().unwrap_or_default();
        let (grade_id, points) = (cell.grade_id.clone(), cell.points);
        Expected { grade_id, points, needs, ..Expected::new(name) }
    };
    let of_course = cells.iter().flat_map(|cell| {
        let names = match request.kind {
            RunKind::Check => cell.tests(),
            RunKind::Analysis => cell.analyses(),
            RunKind::Milestone => vec![],
        };
        names.into_iter().map(move |name| in_cell(name, cell))
    });
    let own = |name| Expected { owner: Owner::Learner, ..Expected::new(name) };
    let all: Vec<Expected> = match request.kind {
        RunKind::Check => of_course.chain(exercise.own_tests().map(own)).collect(),
        RunKind::Analysis => of_course.collect(),
        RunKind::Milestone => vec![Expected::new("milestone")],
    };
    if request.only.is_empty() {
        return all;
    }
    let mut only: Vec<Expected> = vec![];
    for name in &request.only {
        if !only.iter().any(|expected| expected.name == *name) {
            let known = all.iter().find(|expected| expected.name == *name);
            only.push(known.cloned().unwrap_or_else(|| Expected::new(name)));
        }
    }
    only
}

/// A folder whose path is short enough for the address of a socket, which has about 100 bytes.
fn sockets() -> Result<tempfile::TempDir, Error> {
    let usual = std::env::temp_dir();
    let folder = if usual.as_os_str().len() < 50 { usual.as_path() } else { Path::new("/tmp") };
    tempfile::Builder::new()
        .prefix("tt-")
        .tempdir_in(folder)
        .map_err(|error| Error::io("create a folder in", folder, &error))
}
