//! One link of the chain: a module compiled as a crate, and the facade through which what stands on it
//! sees it. Comes in: a text and what it stands on. Goes out: a folder of compiled crates, or why there
//! is none. Not here: which texts, in which order (`chain`).

use super::chain::Chain;
use super::prepared_source::link;
use super::rustc::{Build, Dependencies, RustcMessage};
use crate::curriculum::Module;
use crate::curriculum::ModuleId;
use crate::error::Error;
use crate::runner::ModuleSource;
use crate::runner::Stop;
use crate::runner::event::{Diagnostic, Level};
use crate::runner::source_map::SourceMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const LINK: &[&str] = &[
    "-Copt-level=3",
    "-Ccodegen-units=1",
    "-Cembed-bitcode=no",
    "--crate-type=rlib",
    "--emit=metadata,link",
    "--json=artifacts",
];
const FACADE: &[&str] = &["-Copt-level=0", "-Cembed-bitcode=no", "--crate-type=rlib"];
const PROBE: &[&str] = &["--crate-type=rlib", "--emit=metadata"];

/// Why a link is not there.
pub(in crate::runner) enum CrateError {
    /// It does not compile; the first error.
    Error(String),
    /// The run is over.
    Stop(Stop),
}

impl<E: Into<Stop>> From<E> for CrateError {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
}

/// The file that a module's text is compiled from.
pub(in crate::runner) fn file_name(source: &Module) -> String {
    format!("{}.rs", source.slug())
}

/// One link.
#[derive(Clone)]
pub(in crate::runner) struct ModuleCrate<'a> {
    chain: &'a Chain<'a>,
    source: &'a Module,
    below: Dependencies,
    text: String,
    source_map: SourceMap,
    key: String,
}

impl<'a> ModuleCrate<'a> {
    pub(in crate::runner) fn new(
        chain: &'a Chain<'a>,
        source: &'a Module,
        choice: Option<&ModuleSource>,
        below: &Dependencies,
    ) -> Self {
        let text = match choice {
            Some(ModuleSource::Learner { text, .. }) => text,
            _ => source.reference(),
        };
        let made = link(text, source.reference());
        let mut source_map = SourceMap::default();
        let slug = source.slug();
        source_map.add(&file_name(source), Path::new(&slug), made.lines);
        let mut hasher = blake3::Hasher::new();
        for part in [slug.as_str(), &made.text, &below.key, &LINK.join(" ")] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        let key = hasher.finalize().to_hex()[..24].to_owned();
        Self { chain, source, below: below.clone(), text: made.text, source_map, key }
    }

    pub(in crate::runner) fn id(&self) -> ModuleId {
        self.source.id
    }

    /// Its name in the cache.
    pub(in crate::runner) fn entry(&self) -> String {
        format!("links/{}", self.key)
    }

    /// What stands on it, once it lies in `folder`.
    pub(in crate::runner) fn above(&self, below: &Dependencies, folder: &Path) -> Dependencies {
        let mut search = below.search.clone();
        search.push(folder.to_owned());
        let facade = folder.join(format!("lib{}.rlib", self.facade()));
        Dependencies { facade, search, key: self.key.clone() }
    }

    /// Compiles it into `folder`. `interface` is called as soon as what stands on it can be compiled.
    pub(in crate::runner) fn make(
        &self,
        folder: &Path,
        interface: &mut dyn FnMut(),
    ) -> Result<(), CrateError> {
        let name = &self.source.name;
        let file = file_name(self.source);
        write(folder, &file, &self.text)?;
        let facade = format!("pub use tinytorch::*;\npub use {} as {name};\n", self.krate());
        write(folder, "facade.rs", &facade)?;
        let mut facade = None;
        self.compile(folder, &file, &self.krate(), LINK, &mut || {
            let made = self.make_facade(folder);
            if made.is_ok() {
                interface();
            }
            facade = Some(made);
        })?;
        facade.unwrap_or_else(|| Err(no_interface().into()))
    }

    fn make_facade(&self, folder: &Path) -> Result<(), CrateError> {
        let own = format!("--extern={0}=lib{0}.rmeta", self.krate());
        let flags = [FACADE, &[own.as_str()]].concat();
        self.compile(folder, "facade.rs", &self.facade(), &flags, &mut || ())
    }

    /// Puts the compiled link into the cache.
    pub(in crate::runner) fn put(&self, folder: &Path) -> Result<PathBuf, Error> {
        // The crate beside it has it too.
        let _ = fs::remove_file(folder.join(format!("lib{}.rmeta", self.krate())));
        self.chain.cache.put(folder, &self.entry())
    }

    /// Whether the source compiles here, tests and all; remembered in the cache.
    pub(in crate::runner) fn probe(&self) -> Result<(), CrateError> {
        let (cache, entry) = (self.chain.cache, format!("probes/{}", self.key));
        if cache.get(&entry).is_some() {
            return Ok(());
        }
        let scratch = cache.scratch()?;
        let file = file_name(self.source);
        write(scratch.path(), &file, &self.text)?;
        self.compile(scratch.path(), &file, "probe", PROBE, &mut || ())?;
        let _ = fs::remove_file(scratch.path().join("libprobe.rmeta"));
        cache.put(scratch.path(), &entry)?;
        Ok(())
    }

    fn krate(&self) -> String {
        format!("tt_{}", self.source.name)
    }

    fn facade(&self) -> String {
        format!("tinytorch_{:02}", self.source.id.0)
    }

    fn compile(
        &self,
        folder: &Path,
        source: &str,
        krate: &str,
        flags: &[&str],
        interface: &mut dyn FnMut(),
    ) -> Result<(), CrateError> {
        let mut all: Vec<OsString> =
            vec!["--crate-name".into(), krate.into(), "--cap-lints=allow".into()];
        all.push(format!("-Cmetadata={}", self.key).into());
        // What is compiled is the same wherever it is compiled: links of two tutors, or one that was
        // made again after damage, fit those above and below.
        let mut remap = OsString::from("--remap-path-prefix=");
        remap.push(folder);
        remap.push("=/tinytorch");
        all.push(remap);
        all.extend(flags.iter().map(Into::into));
        let Chain { toolchain, limit, cancel, .. } = self.chain;
        let build =
            Build { toolchain, folder, source, below: &self.below, flags: all, limit: *limit };
        let mut first = None;
        let built = build.run(&self.source_map, cancel, &mut |said| match said {
            RustcMessage::Diagnostic(words) if words.level == Level::Error => {
                first = first.take().or(Some(words))
            }
            RustcMessage::Diagnostic(_) => {}
            RustcMessage::MetadataReady => interface(),
        })?;
        if built.success {
            Ok(())
        } else {
            Err(CrateError::Error(first.map(words).unwrap_or_default()))
        }
    }
}

fn no_interface() -> Error {
    Error::environment("the compiler told of no metadata")
        .hint("Run `tinytorch-tutor doctor`: it looks at each part of the toolchain.")
}

/// An error in rustc's words, with the code that it is about.
fn words(error: Diagnostic) -> String {
    let Some(span) = error.spans.iter().find(|span| span.primary) else { return error.message };
    let label = if span.label.is_empty() { String::new() } else { format!(": {}", span.label) };
    format!("{}{label}, in `{}`", error.message, span.text.trim())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|error| Error::io("write", &path, &error))
}
