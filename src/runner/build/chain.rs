//! The engine as a chain of small crates, one per module, each the reference or the learner's own file.
//! Input: the last module and the sources. Output: the dependencies of the module above. A crate is found in the cache
//! by the hash of everything that went into it, so none is ever stale.

use super::module_crate::{CrateError, ModuleCrate, Tools, file_name};
use super::prepared_source::prepare;
use super::private::Private;
use super::rustc::Dependencies;
use crate::curriculum::{Course, ModuleId};
use crate::error::Error;
use crate::runner::event::{Notice, RunEvent};
use crate::runner::source_map::SourceMap;
use crate::runner::{ModuleSource, ModuleSources, Stop};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};

/// What is needed to build a chain.
pub(in crate::runner) struct Chain<'a> {
    pub(in crate::runner) tools: Tools<'a>,
    pub(in crate::runner) course: &'a Course,
    /// The crates below the first module.
    pub(in crate::runner) base: Dependencies,
}

/// A chain that was built.
pub(in crate::runner) struct BuiltChain {
    /// The dependencies of the module above it.
    pub(in crate::runner) top: Dependencies,
    /// The learner's files in it.
    pub(in crate::runner) source_map: SourceMap,
}

impl Chain<'_> {
    /// Builds the crates of all modules before `end`. A learner's module that does not compile, or on which a later
    /// reference does not compile, is replaced by the reference, with a notice. The reference of module `end` itself
    /// is compiled too, as a test: its tests use the modules below.
    pub(in crate::runner) fn build(
        &self,
        end: u8,
        sources: &ModuleSources,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<BuiltChain, Stop> {
        let mut sources = sources.clone();
        loop {
            let (at, error) = match self.attempt(end, &sources, events)? {
                Ok(top) => {
                    return Ok(BuiltChain { top, source_map: self.source_map(end, &sources) });
                }
                Err(failed) => failed,
            };
            let Some(cause) = self.cause(at, &sources, events)? else {
                let slug = self.course.slug(at);
                return Err(Error::environment(format!(
                    "the reference of {slug} does not compile: {error}"
                ))
                .hint("This is a defect of the tutor, not of your code: please report it.")
                .into());
            };
            sources.0.remove(&cause);
            events(RunEvent::Notice(Notice::FellBack { module: cause, at, reason: error }));
        }
    }

    /// Which of the learner's modules keeps module `at` from compiling: itself, or the nearest below whose
    /// reference would let it compile, or the nearest.
    fn cause(
        &self,
        at: ModuleId,
        sources: &ModuleSources,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Option<ModuleId>, Stop> {
        let own = |(id, source): &(&ModuleId, &ModuleSource)| {
            **id <= at && matches!(source, ModuleSource::Learner { .. })
        };
        let suspects: Vec<ModuleId> = sources.0.iter().filter(own).map(|(id, _)| *id).collect();
        if suspects.last() == Some(&at) || suspects.len() < 2 {
            return Ok(suspects.last().copied());
        }
        for suspect in suspects.iter().rev() {
            let mut without = sources.clone();
            without.0.remove(suspect);
            if self.attempt(at.0, &without, events)?.is_ok() {
                return Ok(Some(*suspect));
            }
        }
        Ok(suspects.last().copied())
    }

    /// Builds the crates that the cache does not have, each as soon as the metadata of the one below is
    /// there, as many at a time as there are cores. On an error: which module, and the first error.
    fn attempt(
        &self,
        end: u8,
        sources: &ModuleSources,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Result<Dependencies, (ModuleId, String)>, Stop> {
        let own = |source: &ModuleSource| matches!(source, ModuleSource::Learner { .. });
        let mixed = sources.0.iter().any(|(id, source)| id.0 < end && own(source));
        thread::scope(|scope| {
            let (mut pool, mut steps) = (BuildPool::new(), vec![]);
            let mut below = self.base.clone();
            for module in self.course.modules().iter().filter(|module| module.id.0 < end) {
                let source = sources.0.get(&module.id);
                let krate = ModuleCrate::new(&self.tools, module, source, &below);
                let folder = match self.tools.cache.get(&krate.entry()) {
                    Some(folder) => Folder::Cached(folder),
                    None => {
                        let (done, total) = (module.id.0.into(), end.into());
                        events(RunEvent::Preparing { what: module.slug(), done, total });
                        let scratch = self.tools.cache.scratch()?;
                        pool.begin(scope, krate.clone(), scratch.path().to_owned());
                        Folder::New(scratch)
                    }
                };
                below = krate.above(&below, folder.path());
                steps.push((krate, folder));
                if pool.has_failed() {
                    break;
                }
            }
            let top = self.course.modules().iter().find(|module| module.id.0 == end);
            if let Some(module) = top.filter(|_| mixed && !pool.has_failed()) {
                let probed = ModuleCrate::new(&self.tools, module, None, &below).probe();
                pool.record(module.id, probed);
            }
            pool.finish();
            let below = self.keep(steps, &pool)?;
            match pool.first_error() {
                None => Ok(Ok(below)),
                Some((at, CrateError::Error(error))) => Ok(Err((at, error))),
                Some((_, CrateError::Stop(stop))) => Err(stop),
            }
        })
    }

    /// Moves the new crates into the cache. No compiler reads their earlier folders now.
    fn keep(
        &self,
        steps: Vec<(ModuleCrate<'_>, Folder)>,
        pool: &BuildPool,
    ) -> Result<Dependencies, Stop> {
        let mut below = self.base.clone();
        for (krate, folder) in steps {
            let folder = match folder {
                Folder::Cached(folder) => folder,
                Folder::New(_) if !pool.is_built(krate.id()) => break,
                Folder::New(scratch) => krate.put(scratch.path())?,
            };
            below = krate.above(&below, &folder);
        }
        Ok(below)
    }

    /// The learner's files in a chain.
    fn source_map(&self, end: u8, sources: &ModuleSources) -> SourceMap {
        let mut source_map = SourceMap::default();
        for module in self.course.modules().iter().filter(|module| module.id.0 < end) {
            if let Some(ModuleSource::Learner { file, text }) = sources.0.get(&module.id) {
                source_map.add(&file_name(module), file, prepare(text, module.reference()).lines);
            }
        }
        source_map
    }
}

/// Where a crate is.
enum Folder {
    /// In the cache.
    Cached(PathBuf),
    /// Where it is built.
    New(Private),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Cached(folder) => folder,
            Self::New(scratch) => scratch.path(),
        }
    }
}

/// A message from a thread that builds a crate.
enum Message {
    /// The module above can be compiled.
    MetadataReady,
    /// The crate is built, or will never be.
    Ended(Result<(), CrateError>),
}

/// The crates that are being built.
struct BuildPool {
    sender: Sender<(ModuleId, Message)>,
    messages: Receiver<(ModuleId, Message)>,
    cores: usize,
    running: usize,
    built: BTreeSet<ModuleId>,
    errors: BTreeMap<ModuleId, CrateError>,
}

impl BuildPool {
    fn new() -> Self {
        let (sender, messages) = channel();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (built, errors) = (BTreeSet::new(), BTreeMap::new());
        Self { sender, messages, cores, running: 0, built, errors }
    }

    /// Builds a crate once a core is free; returns when the module above can be compiled, or on an error.
    fn begin<'s>(&mut self, scope: &'s Scope<'s, '_>, krate: ModuleCrate<'s>, folder: PathBuf) {
        while self.running >= self.cores {
            self.receive();
        }
        self.running += 1;
        let (sender, id) = (self.sender.clone(), krate.id());
        scope.spawn(move || {
            // The pool receives until every crate has ended.
            let ended =
                krate.make(&folder, &mut || drop(sender.send((id, Message::MetadataReady))));
            drop(sender.send((id, Message::Ended(ended))));
        });
        while self.receive().is_some_and(|of| of != id) {}
    }

    /// Handles the next message; returns the module that it is about.
    fn receive(&mut self) -> Option<ModuleId> {
        let (id, message) = self.messages.recv().ok()?;
        if let Message::Ended(result) = message {
            self.running -= 1;
            self.record(id, result);
        }
        Some(id)
    }

    fn record(&mut self, id: ModuleId, result: Result<(), CrateError>) {
        match result {
            Ok(()) => drop(self.built.insert(id)),
            Err(error) => drop(self.errors.insert(id, error)),
        }
    }

    fn finish(&mut self) {
        while self.running > 0 {
            self.receive();
        }
    }

    fn has_failed(&self) -> bool {
        !self.errors.is_empty()
    }

    fn is_built(&self, id: ModuleId) -> bool {
        self.built.contains(&id)
    }

    /// The error of the lowest module: those above may have failed because of it.
    fn first_error(self) -> Option<(ModuleId, CrateError)> {
        self.errors.into_iter().next()
    }
}
