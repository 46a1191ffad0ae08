//! Compiles one module as a crate, with the facade through which the modules above see it. Input: a text and its
//! dependencies. Output: a folder of compiled crates, or an error. Not here: which texts, and in which order (`chain`).

use super::cache::Cache;
use super::prepared_source::prepare_module;
use super::rustc::{Build, Dependencies, RustcMessage};
use super::toolchain::Toolchain;
use crate::curriculum::{Module, ModuleId};
use crate::error::Error;
use crate::runner::event::{Diagnostic, Level};
use crate::runner::source_map::SourceMap;
use crate::runner::{Cancel, ModuleSource, Stop};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every compilation of a module needs.
pub(in crate::runner) struct Tools<'a> {
    pub(in crate::runner) cache: &'a Cache,
    pub(in crate::runner) toolchain: &'a Toolchain,
    pub(in crate::runner) limit: Duration,
    pub(in crate::runner) cancel: &'a Cancel,
}

const MODULE: &[&str] = &[
    "-Copt-level=3",
    "-Ccodegen-units=1",
    "-Cembed-bitcode=no",
    "--crate-type=rlib",
    "--emit=metadata,link",
    "--json=artifacts",
];
const FACADE: &[&str] = &["-Copt-level=0", "-Cembed-bitcode=no", "--crate-type=rlib"];
const PROBE: &[&str] = &["--crate-type=rlib", "--emit=metadata"];

/// Why a module has no crate.
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

/// One module that is compiled as a crate.
#[derive(Clone)]
pub(in crate::runner) struct ModuleCrate<'a> {
    tools: &'a Tools<'a>,
    source: &'a Module,
    below: Dependencies,
    text: String,
    source_map: SourceMap,
    key: String,
}

impl<'a> ModuleCrate<'a> {
    pub(in crate::runner) fn new(
        tools: &'a Tools<'a>,
        source: &'a Module,
        choice: Option<&ModuleSource>,
        below: &Dependencies,
    ) -> Self {
        let text = match choice {
            Some(ModuleSource::Learner { text, .. }) => text,
            _ => source.reference(),
        };
        let made = prepare_module(text, source.reference());
        let mut source_map = SourceMap::default();
        let slug = source.slug();
        source_map.add(&file_name(source), Path::new(&slug), made.lines);
        let mut hasher = blake3::Hasher::new();
        for part in [slug.as_str(), &made.text, &below.key, &MODULE.join(" ")] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        let key = hasher.finalize().to_hex()[..24].to_owned();
        Self { tools, source, below: below.clone(), text: made.text, source_map, key }
    }

    pub(in crate::runner) fn id(&self) -> ModuleId {
        self.source.id
    }

    /// Its name in the cache.
    pub(in crate::runner) fn entry(&self) -> String {
        format!("modules/{}", self.key)
    }

    /// The dependencies of the module above, once this one is in `folder`.
    pub(in crate::runner) fn above(&self, below: &Dependencies, folder: &Path) -> Dependencies {
        let mut search = below.search.clone();
        search.push(folder.to_owned());
        let facade = folder.join(format!("lib{}.rlib", self.facade()));
        Dependencies { facade, search, key: self.key.clone() }
    }

    /// Compiles it into `folder`. `metadata_ready` is called as soon as the module above can be compiled.
    pub(in crate::runner) fn make(
        &self,
        folder: &Path,
        metadata_ready: &mut dyn FnMut(),
    ) -> Result<(), CrateError> {
        let name = &self.source.name;
        let file = file_name(self.source);
        write(folder, &file, &self.text)?;
        let facade = format!("pub use tinytorch::*;\npub use {} as {name};\n", self.krate());
        write(folder, "facade.rs", &facade)?;
        let mut facade = None;
        self.compile(folder, &file, &self.krate(), MODULE, &mut || {
            let made = self.make_facade(folder);
            if made.is_ok() {
                metadata_ready();
            }
            facade = Some(made);
        })?;
        facade.unwrap_or_else(|| Err(no_metadata().into()))
    }

    fn make_facade(&self, folder: &Path) -> Result<(), CrateError> {
        let own = format!("--extern={0}=lib{0}.rmeta", self.krate());
        let flags = [FACADE, &[own.as_str()]].concat();
        self.compile(folder, "facade.rs", &self.facade(), &flags, &mut || ())
    }

    /// Moves the compiled module into the cache.
    pub(in crate::runner) fn put(&self, folder: &Path) -> Result<PathBuf, Error> {
        // The rlib beside it contains the metadata too.
        let _ = fs::remove_file(folder.join(format!("lib{}.rmeta", self.krate())));
        self.tools.cache.put(folder, &self.entry())
    }

    /// Whether the source, with its tests, compiles on these dependencies; success is recorded in the cache.
    pub(in crate::runner) fn probe(&self) -> Result<(), CrateError> {
        let (cache, entry) = (self.tools.cache, format!("probes/{}", self.key));
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
        metadata_ready: &mut dyn FnMut(),
    ) -> Result<(), CrateError> {
        let mut all: Vec<OsString> =
            vec!["--crate-name".into(), krate.into(), "--cap-lints=allow".into()];
        all.push(format!("-Cmetadata={}", self.key).into());
        // A crate is the same wherever it is compiled: the crates of two tutors fit together, and so does one that was
        // rebuilt after damage.
        let mut remap = OsString::from("--remap-path-prefix=");
        remap.push(folder);
        remap.push("=/tinytorch");
        all.push(remap);
        all.extend(flags.iter().map(Into::into));
        let Tools { toolchain, limit, cancel, .. } = self.tools;
        let (below, confined) = (&self.below, None);
        let build = Build { toolchain, folder, source, below, flags: all, limit: *limit, confined };
        let mut first_error = None;
        let built = build.run(&self.source_map, cancel, &mut |message| match message {
            RustcMessage::Diagnostic(diagnostic) if diagnostic.level == Level::Error => {
                first_error.get_or_insert(diagnostic);
            }
            RustcMessage::Diagnostic(_) => {}
            RustcMessage::MetadataReady => metadata_ready(),
        })?;
        if built.success {
            Ok(())
        } else {
            Err(CrateError::Error(first_error.map(summary).unwrap_or_default()))
        }
    }
}

fn no_metadata() -> Error {
    Error::environment("the compiler wrote no metadata")
        .hint("Run `tinytorch-tutor doctor`: it checks each part of the toolchain.")
}

/// An error in rustc's words, with the code that it is about.
fn summary(error: Diagnostic) -> String {
    let Some(span) = error.spans.iter().find(|span| span.primary) else { return error.message };
    let label = if span.label.is_empty() { String::new() } else { format!(": {}", span.label) };
    format!("{}{label}, in `{}`", error.message, span.text.trim())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|error| Error::io("write", &path, &error))
}
