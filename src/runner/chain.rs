//! The engine as a chain of small crates, one link per module, each the reference or the learner's own
//! file. Comes in: up to which module, from which sources. Goes out: what stands on top. A link is
//! found by the hash of everything that went into it, so nothing is ever stale.

use super::build::{Below, Build};
use super::diagnose::Places;
use super::event::{Diagnostic, Level, Notice, RunEvent};
use super::snapshot::snapshot;
use super::store::Store;
use super::toolchain::Toolchain;
use super::{Cancel, LinkSource, Links, Stop};
use crate::curriculum::ModuleId;
use crate::failure::Failure;
use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::time::Duration;

const LINK: &[&str] =
    &["-Copt-level=3", "-Ccodegen-units=1", "-Cembed-bitcode=no", "--crate-type=rlib"];
const FACADE: &[&str] = &["-Copt-level=0", "-Cembed-bitcode=no", "--crate-type=rlib"];
const PROBE: &[&str] = &["--crate-type=rlib", "--emit=metadata"];

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

/// Why a link is not there.
enum Miss {
    /// It does not compile; the first error.
    Error(String),
    Stop(Stop),
}

impl<E: Into<Stop>> From<E> for Miss {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
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
            let Err((at, error)) = self.attempt(end, &links, events)? else {
                return self.tower(end, &links, events);
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
            events(RunEvent::Notice(Notice::FellBack { module: guilty, reason: error }));
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

    /// Compiles what is missing; on an error says where, and what the first one was.
    fn attempt(
        &self,
        end: u8,
        links: &Links,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Result<(), (ModuleId, String)>, Stop> {
        let own = |source: &LinkSource| matches!(source, LinkSource::Learner { .. });
        let mixed = links.0.iter().any(|(id, source)| id.0 < end && own(source));
        let mut below = self.base.clone();
        for source in self.sources.iter().filter(|source| source.id.0 <= end) {
            let link = Link::new(self, source, links.0.get(&source.id), &below);
            let made = if source.id.0 < end {
                link.make(end, events)
            } else if mixed {
                link.probe().map(|()| below.clone())
            } else {
                break;
            };
            match made {
                Ok(next) => below = next,
                Err(Miss::Error(error)) => return Ok(Err((source.id, error))),
                Err(Miss::Stop(stop)) => return Err(stop),
            }
        }
        Ok(Ok(()))
    }

    /// The tower of a chain whose links are all there.
    fn tower(
        &self,
        end: u8,
        links: &Links,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<Tower, Stop> {
        let mut tower = Tower { top: self.base.clone(), places: Places::default() };
        for source in self.sources.iter().filter(|source| source.id.0 < end) {
            let choice = links.0.get(&source.id);
            if let Some(LinkSource::Learner { file, text }) = choice {
                let lines = snapshot(text, &source.reference).lines;
                tower.places.add(&file_name(source), file, lines);
            }
            let link = Link::new(self, source, choice, &tower.top);
            tower.top = match link.make(end, events) {
                Ok(next) => next,
                Err(Miss::Stop(stop)) => return Err(stop),
                Err(Miss::Error(error)) => return Err(Failure::environment(error).into()),
            };
        }
        Ok(tower)
    }
}

fn file_name(source: &Source) -> String {
    format!("{}.rs", source.slug)
}

/// One link in the making.
struct Link<'a> {
    chain: &'a Chain<'a>,
    source: &'a Source,
    below: &'a Below,
    text: String,
    key: String,
}

impl<'a> Link<'a> {
    fn new(
        chain: &'a Chain<'a>,
        source: &'a Source,
        choice: Option<&'a LinkSource>,
        below: &'a Below,
    ) -> Self {
        let text = match choice {
            Some(LinkSource::Learner { text, .. }) => text,
            _ => &*source.reference,
        };
        let text = snapshot(text, &source.reference).text;
        let mut hasher = blake3::Hasher::new();
        for part in [source.slug.as_str(), &text, &below.key, &LINK.join(" ")] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        let key = hasher.finalize().to_hex()[..24].to_owned();
        Self { chain, source, below, text, key }
    }

    /// The link and its facade, from the cache or compiled.
    fn make(&self, end: u8, events: &mut dyn FnMut(RunEvent)) -> Result<Below, Miss> {
        let Source { id, slug, name, .. } = self.source;
        let (facade, entry) = (format!("tinytorch_{:02}", id.0), format!("links/{}", self.key));
        let store = self.chain.store;
        let folder = match store.get(&entry) {
            Some(folder) => folder,
            None => {
                let (done, total) = (id.0.into(), end.into());
                events(RunEvent::Preparing { what: slug.clone(), done, total });
                let scratch = store.scratch()?;
                let krate = format!("tt_{name}");
                write(scratch.path(), &file_name(self.source), &self.text)?;
                self.compile(scratch.path(), &file_name(self.source), &krate, LINK, &[])?;
                write(
                    scratch.path(),
                    "facade.rs",
                    &format!("pub use tinytorch::*;\npub use {krate} as {name};\n"),
                )?;
                let own = format!("--extern={krate}=lib{krate}.rlib");
                self.compile(scratch.path(), "facade.rs", &facade, FACADE, &[&own])?;
                store.put(scratch.path(), &entry)?
            }
        };
        let mut search = self.below.search.clone();
        search.push(folder.clone());
        Ok(Below {
            facade: folder.join(format!("lib{facade}.rlib")),
            search,
            key: self.key.clone(),
        })
    }

    /// Whether the source compiles here; remembered in the cache.
    fn probe(&self) -> Result<(), Miss> {
        let (store, entry) = (self.chain.store, format!("probes/{}", self.key));
        if store.get(&entry).is_some() {
            return Ok(());
        }
        let scratch = store.scratch()?;
        write(scratch.path(), &file_name(self.source), &self.source.reference)?;
        self.compile(scratch.path(), &file_name(self.source), "probe", PROBE, &[])?;
        let _ = fs::remove_file(scratch.path().join("libprobe.rmeta"));
        store.put(scratch.path(), &entry)?;
        Ok(())
    }

    fn compile(
        &self,
        folder: &Path,
        source: &str,
        krate: &str,
        flags: &[&str],
        more: &[&str],
    ) -> Result<(), Miss> {
        let mut all = vec!["--crate-name".into(), krate.into(), "--cap-lints=allow".into()];
        all.push(format!("-Cmetadata={}", self.key).into());
        all.extend(flags.iter().chain(more).map(Into::into));
        let Chain { toolchain, limit, cancel, .. } = self.chain;
        let build =
            Build { toolchain, folder, source, below: self.below, flags: all, limit: *limit };
        let mut first = None;
        let built = build.run(&Places::default(), cancel, &mut |said: Diagnostic| {
            if said.level == Level::Error {
                first.get_or_insert(said.message);
            }
        })?;
        if built.success { Ok(()) } else { Err(Miss::Error(first.unwrap_or_default())) }
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))
}
