//! The engine as a chain of small crates, one link per module, each the reference or the learner's own
//! file. Comes in: up to which module, from which sources. Goes out: what stands on top. A link is
//! found by the hash of everything that went into it, so nothing is ever stale.

use super::cache::Cache;
use super::module_crate::{CrateError, ModuleCrate, file_name};
use super::prepared_source::prepare;
use super::rustc::Dependencies;
use super::toolchain::Toolchain;
use crate::curriculum::{Course, ModuleId};
use crate::error::Error;
use crate::runner::event::{Notice, RunEvent};
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, ModuleSource, ModuleSources, Stop};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};
use std::time::Duration;
use tempfile::TempDir;

/// What is needed to build a chain.
pub(in crate::runner) struct Chain<'a> {
    pub(in crate::runner) cache: &'a Cache,
    pub(in crate::runner) toolchain: &'a Toolchain,
    pub(in crate::runner) course: &'a Course,
    pub(in crate::runner) base: Dependencies,
    pub(in crate::runner) limit: Duration,
    pub(in crate::runner) cancel: &'a Cancel,
}

/// A chain that was built.
pub(in crate::runner) struct BuiltChain {
    /// What stands on top of it.
    pub(in crate::runner) top: Dependencies,
    /// The learner's files in it.
    pub(in crate::runner) source_map: SourceMap,
}

impl Chain<'_> {
    /// Builds the links of all modules before `end`. A learner's link that does not compile, or on
    /// which a later reference does not compile, gives way to the reference, and that is told. The
    /// reference of module `end` itself is tried too: its tests use what stands below.
    pub(in crate::runner) fn build(
        &self,
        end: u8,
        links: &ModuleSources,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<BuiltChain, Stop> {
        let mut links = links.clone();
        loop {
            let (at, error) = match self.attempt(end, &links, events)? {
                Ok(top) => return Ok(BuiltChain { top, source_map: self.source_map(end, &links) }),
                Err(fault) => fault,
            };
            let guilty = self.guilty(at, &links, events)?;
            let Some(guilty) = guilty else {
                let slug = self.course.slug(at);
                return Err(Error::environment(format!(
                    "the reference of {slug} does not compile: {error}"
                ))
                .hint("This is a defect of the tutor, not of your code: please report it.")
                .into());
            };
            links.0.remove(&guilty);
            events(RunEvent::Notice(Notice::FellBack { module: guilty, at, reason: error }));
        }
    }

    /// Which learner's link keeps module `at` from compiling: its own, or the nearest below whose
    /// reference would let it compile, or the nearest.
    fn guilty(
        &self,
        at: ModuleId,
        links: &ModuleSources,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Option<ModuleId>, Stop> {
        let learners = |links: &ModuleSources| -> Vec<ModuleId> {
            let own = |source: &ModuleSource| matches!(source, ModuleSource::Learner { .. });
            links
                .0
                .iter()
                .filter(|(id, source)| **id <= at && own(source))
                .map(|(id, _)| *id)
                .collect()
        };
        let suspects = learners(links);
        if suspects.last() == Some(&at) || suspects.len() < 2 {
            return Ok(suspects.last().copied());
        }
        for suspect in suspects.iter().rev() {
            let mut without = links.clone();
            without.0.remove(suspect);
            if self.attempt(at.0, &without, events)?.is_ok() {
                return Ok(Some(*suspect));
            }
        }
        Ok(suspects.last().copied())
    }

    /// Makes the links that are missing, each as soon as the interface of the one below is known, as many
    /// at a time as there are cores. On an error says where, and what the first one was.
    fn attempt(
        &self,
        end: u8,
        links: &ModuleSources,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Result<Dependencies, (ModuleId, String)>, Stop> {
        let own = |source: &ModuleSource| matches!(source, ModuleSource::Learner { .. });
        let mixed = links.0.iter().any(|(id, source)| id.0 < end && own(source));
        thread::scope(|scope| {
            let (mut pool, mut steps) = (BuildPool::new(), vec![]);
            let mut below = self.base.clone();
            for source in self.course.modules().iter().filter(|source| source.id.0 < end) {
                let link = ModuleCrate::new(self, source, links.0.get(&source.id), &below);
                let folder = match self.cache.get(&link.entry()) {
                    Some(folder) => Folder::Kept(folder),
                    None => {
                        let (done, total) = (source.id.0.into(), end.into());
                        events(RunEvent::Preparing { what: source.slug(), done, total });
                        let scratch = self.cache.scratch()?;
                        pool.begin(scope, link.clone(), scratch.path().to_owned());
                        Folder::New(scratch)
                    }
                };
                below = link.above(&below, folder.path());
                steps.push((link, folder));
                if pool.missed() {
                    break;
                }
            }
            let top = self.course.modules().iter().find(|source| source.id.0 == end);
            if let Some(source) = top.filter(|_| mixed && !pool.missed()) {
                let probed = ModuleCrate::new(self, source, None, &below).probe();
                pool.ended(source.id, probed);
            }
            pool.finish();
            let below = self.keep(steps, &pool)?;
            match pool.miss() {
                None => Ok(Ok(below)),
                Some((at, CrateError::Error(error))) => Ok(Err((at, error))),
                Some((_, CrateError::Stop(stop))) => Err(stop),
            }
        })
    }

    /// Puts the new links that are whole into the cache. Nothing refers to their earlier folders any more.
    fn keep(
        &self,
        steps: Vec<(ModuleCrate<'_>, Folder)>,
        pool: &BuildPool,
    ) -> Result<Dependencies, Stop> {
        let mut below = self.base.clone();
        for (link, folder) in steps {
            let folder = match folder {
                Folder::Kept(folder) => folder,
                Folder::New(_) if !pool.is_whole(link.id()) => break,
                Folder::New(scratch) => link.put(scratch.path())?,
            };
            below = link.above(&below, &folder);
        }
        Ok(below)
    }

    /// The learner's files in a chain.
    fn source_map(&self, end: u8, links: &ModuleSources) -> SourceMap {
        let mut source_map = SourceMap::default();
        for source in self.course.modules().iter().filter(|source| source.id.0 < end) {
            if let Some(ModuleSource::Learner { file, text }) = links.0.get(&source.id) {
                source_map.add(&file_name(source), file, prepare(text, source.reference()).lines);
            }
        }
        source_map
    }
}

/// Where a link lies.
enum Folder {
    /// In the cache.
    Kept(PathBuf),
    /// Where it is made.
    New(TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::New(scratch) => scratch.path(),
        }
    }
}

/// What a link tells while it is made.
enum Told {
    /// What stands on it can be compiled.
    Interface,
    /// It is whole, or will never be.
    Ended(Result<(), CrateError>),
}

/// The links in the making.
struct BuildPool {
    tell: Sender<(ModuleId, Told)>,
    told: Receiver<(ModuleId, Told)>,
    cores: usize,
    running: usize,
    whole: BTreeSet<ModuleId>,
    missed: BTreeMap<ModuleId, CrateError>,
}

impl BuildPool {
    fn new() -> Self {
        let (tell, told) = channel();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (whole, missed) = (BTreeSet::new(), BTreeMap::new());
        Self { tell, told, cores, running: 0, whole, missed }
    }

    /// Makes a link once a core is free; returns when what stands on it can be begun, or it failed.
    fn begin<'s>(&mut self, scope: &'s Scope<'s, '_>, link: ModuleCrate<'s>, folder: PathBuf) {
        while self.running >= self.cores {
            self.hear();
        }
        self.running += 1;
        let (tell, id) = (self.tell.clone(), link.id());
        scope.spawn(move || {
            // The pool listens until every link has ended.
            let ended = link.make(&folder, &mut || drop(tell.send((id, Told::Interface))));
            drop(tell.send((id, Told::Ended(ended))));
        });
        while self.hear().is_some_and(|heard| heard != id) {}
    }

    /// Takes the next word into account; returns whose it was.
    fn hear(&mut self) -> Option<ModuleId> {
        let (id, told) = self.told.recv().ok()?;
        if let Told::Ended(result) = told {
            self.running -= 1;
            self.ended(id, result);
        }
        Some(id)
    }

    fn ended(&mut self, id: ModuleId, result: Result<(), CrateError>) {
        match result {
            Ok(()) => drop(self.whole.insert(id)),
            Err(miss) => drop(self.missed.insert(id, miss)),
        }
    }

    fn finish(&mut self) {
        while self.running > 0 {
            self.hear();
        }
    }

    fn missed(&self) -> bool {
        !self.missed.is_empty()
    }

    fn is_whole(&self, id: ModuleId) -> bool {
        self.whole.contains(&id)
    }

    /// The lowest link that failed: what failed above it may have failed because of it.
    fn miss(self) -> Option<(ModuleId, CrateError)> {
        self.missed.into_iter().next()
    }
}
