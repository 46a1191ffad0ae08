//! The engine as a chain of small crates, one link per module, each the reference or the learner's own
//! file. Comes in: up to which module, from which sources. Goes out: what stands on top. A link is
//! found by the hash of everything that went into it, so nothing is ever stale.

use super::build::Below;
use super::diagnose::Places;
use super::event::{Notice, RunEvent};
use super::link::{Link, Miss, file_name};
use super::snapshot::snapshot;
use super::store::Store;
use super::toolchain::Toolchain;
use super::{Cancel, LinkSource, Links, Stop};
use crate::curriculum::ModuleId;
use crate::failure::Failure;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};
use std::time::Duration;
use tempfile::TempDir;

/// A module as the chain sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its number; sources stand in this order.
    pub id: ModuleId,
    /// `03_layers`.
    pub slug: String,
    /// `layers`: how it is named in `tinytorch::layers`.
    pub name: String,
    /// The reference solution.
    pub reference: Cow<'static, str>,
}

/// What is needed to build a chain.
pub(super) struct Chain<'a> {
    pub(super) store: &'a Store,
    pub(super) toolchain: &'a Toolchain,
    pub(super) sources: &'a [Source],
    pub(super) base: Below,
    pub(super) limit: Duration,
    pub(super) cancel: &'a Cancel,
}

/// A chain that was built.
pub(super) struct Tower {
    /// What stands on top of it.
    pub(super) top: Below,
    /// The learner's files in it.
    pub(super) places: Places,
}

impl Chain<'_> {
    /// Builds the links of all modules before `end`. A learner's link that does not compile, or on
    /// which a later reference does not compile, gives way to the reference, and that is told. The
    /// reference of module `end` itself is tried too: its tests use what stands below.
    pub(super) fn build(
        &self,
        end: u8,
        links: &Links,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Tower, Stop> {
        let mut links = links.clone();
        loop {
            let (at, error) = match self.attempt(end, &links, events)? {
                Ok(top) => return Ok(Tower { top, places: self.places(end, &links) }),
                Err(fault) => fault,
            };
            let guilty = self.guilty(at, &links, events)?;
            let Some(guilty) = guilty else {
                let slug =
                    self.sources.iter().find(|source| source.id == at).map(|s| s.slug.as_str());
                let slug = slug.unwrap_or_default();
                return Err(Failure::environment(format!(
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
        links: &Links,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Option<ModuleId>, Stop> {
        let learners = |links: &Links| -> Vec<ModuleId> {
            let own = |source: &LinkSource| matches!(source, LinkSource::Learner { .. });
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
        links: &Links,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Result<Below, (ModuleId, String)>, Stop> {
        let own = |source: &LinkSource| matches!(source, LinkSource::Learner { .. });
        let mixed = links.0.iter().any(|(id, source)| id.0 < end && own(source));
        thread::scope(|scope| {
            let (mut yard, mut floors) = (Yard::new(), vec![]);
            let mut below = self.base.clone();
            for source in self.sources.iter().filter(|source| source.id.0 < end) {
                let link = Link::new(self, source, links.0.get(&source.id), &below);
                let folder = match self.store.get(&link.entry()) {
                    Some(folder) => Folder::Kept(folder),
                    None => {
                        let (done, total) = (source.id.0.into(), end.into());
                        events(RunEvent::Preparing { what: source.slug.clone(), done, total });
                        let scratch = self.store.scratch()?;
                        yard.begin(scope, link.clone(), scratch.path().to_owned());
                        Folder::New(scratch)
                    }
                };
                below = link.above(&below, folder.path());
                floors.push((link, folder));
                if yard.missed() {
                    break;
                }
            }
            let top = self.sources.iter().find(|source| source.id.0 == end);
            if let Some(source) = top.filter(|_| mixed && !yard.missed()) {
                let probed = Link::new(self, source, None, &below).probe();
                yard.ended(source.id, probed);
            }
            yard.finish();
            let below = self.keep(floors, &yard)?;
            match yard.miss() {
                None => Ok(Ok(below)),
                Some((at, Miss::Error(error))) => Ok(Err((at, error))),
                Some((_, Miss::Stop(stop))) => Err(stop),
            }
        })
    }

    /// Puts the new links that are whole into the cache. Nothing refers to their earlier folders any more.
    fn keep(&self, floors: Vec<(Link<'_>, Folder)>, yard: &Yard) -> Result<Below, Stop> {
        let mut below = self.base.clone();
        for (link, folder) in floors {
            let folder = match folder {
                Folder::Kept(folder) => folder,
                Folder::New(_) if !yard.is_whole(link.id()) => break,
                Folder::New(scratch) => link.put(scratch.path())?,
            };
            below = link.above(&below, &folder);
        }
        Ok(below)
    }

    /// The learner's files in a chain.
    fn places(&self, end: u8, links: &Links) -> Places {
        let mut places = Places::default();
        for source in self.sources.iter().filter(|source| source.id.0 < end) {
            if let Some(LinkSource::Learner { file, text }) = links.0.get(&source.id) {
                places.add(&file_name(source), file, snapshot(text, &source.reference).lines);
            }
        }
        places
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
    Ended(Result<(), Miss>),
}

/// The links in the making.
struct Yard {
    tell: Sender<(ModuleId, Told)>,
    told: Receiver<(ModuleId, Told)>,
    cores: usize,
    running: usize,
    whole: BTreeSet<ModuleId>,
    missed: BTreeMap<ModuleId, Miss>,
}

impl Yard {
    fn new() -> Self {
        let (tell, told) = channel();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (whole, missed) = (BTreeSet::new(), BTreeMap::new());
        Self { tell, told, cores, running: 0, whole, missed }
    }

    /// Makes a link once a core is free; returns when what stands on it can be begun, or it failed.
    fn begin<'s>(&mut self, scope: &'s Scope<'s, '_>, link: Link<'s>, folder: PathBuf) {
        while self.running >= self.cores {
            self.hear();
        }
        self.running += 1;
        let (tell, id) = (self.tell.clone(), link.id());
        scope.spawn(move || {
            // The yard listens until every link has ended.
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

    fn ended(&mut self, id: ModuleId, result: Result<(), Miss>) {
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
    fn miss(self) -> Option<(ModuleId, Miss)> {
        self.missed.into_iter().next()
    }
}
