//! What every module depends on: third-party crates and the engine's support files, built once by cargo, offline,
//! pinned by this tutor's own lock file. Input: the toolchain. Output: a folder of compiled crates, `libtinytorch.rlib`
//! among them. Not here: the modules of the course.

use super::cache::Cache;
use super::installed;
use super::toolchain::Toolchain;
use crate::LOCK;
use crate::error::Error;
use crate::runner::event::RunEvent;
use crate::runner::process::{Lines, Next, Process, command};
use crate::runner::{Cancel, Stop};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tinytorch::sources;

/// Long enough for a slow disk; the build can be cancelled at any time.
const LIMIT: Duration = Duration::from_secs(1800);
/// What decides how the base is compiled, apart from the sources.
const PROFILE: &str = "\n[profile.release]\ndebug = false\nincremental = false\n[workspace]\n";

/// The folder of compiled crates, built if it is not there or damaged. Two processes do not build it
/// twice: the second waits for the first.
pub(in crate::runner) fn build(
    cache: &Cache,
    toolchain: &Toolchain,
    cancel: &Cancel,
    events: &mut dyn FnMut(RunEvent),
) -> Result<PathBuf, Stop> {
    let name = format!("base-{}", key(toolchain)?);
    if let Some(folder) = cache.get(&name) {
        return Ok(folder);
    }
    cache.make_root()?;
    let _lock = lock(&cache.root().join("base.lock"), cancel)?;
    if let Some(folder) = cache.get(&name) {
        return Ok(folder);
    }
    let package = cache.root().join(format!("{name}-source"));
    write_package(&package).map_err(|error| Error::io("write to the cache", &package, &error))?;
    let scratch = cache.scratch()?;
    let built = run_cargo(toolchain, &package, scratch.path(), cancel, events)?;
    let parts = scratch.path().join("parts");
    copy(&built, &parts).map_err(|error| Error::io("write to the cache", &parts, &error))?;
    let folder = cache.put(&parts, &name)?;
    // Only the compiled crates are needed; a package that cannot be removed does no harm.
    let _ = fs::remove_dir_all(&package);
    Ok(folder)
}

/// Copies the sources of all third-party crates to the new folder `to`, with their licences. A tutor that is installed
/// beside them ([`super::installed`]) needs no network, even for its first check.
pub(in crate::runner) fn vendor(
    cache: &Cache,
    toolchain: &Toolchain,
    to: &Path,
    cancel: &Cancel,
) -> Result<(), Stop> {
    cache.make_root()?;
    let package = cache.root().join("vendored-source");
    write_package(&package).map_err(|error| Error::io("write to the cache", &package, &error))?;
    let mut cargo = cargo(toolchain, &package);
    cargo.args(["vendor", "--offline", "--quiet"]).arg(to);
    let mut process = spawn(cargo, cancel)?;
    while let Next::Line(_) = process.next() {}
    let end = process.end().map_err(|error| Error::io("run", &toolchain.cargo, &error))?;
    if cancel.is_cancelled() {
        return Err(Stop::Cancelled);
    }
    if !end.status.success() {
        return Err(explain(&end.output.text, &package).into());
    }
    let _ = fs::remove_dir_all(&package);
    Ok(())
}

/// The hash of everything that goes in.
pub(in crate::runner) fn key(toolchain: &Toolchain) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    for (name, text) in sources::SUPPORT {
        hasher.update(name.as_bytes()).update(&[0]).update(text.as_bytes()).update(&[0]);
    }
    for (name, bytes) in sources::DATA {
        hasher.update(name.as_bytes()).update(&[0]).update(bytes);
    }
    for text in [&library(), &manifest()?, LOCK, &toolchain.version] {
        hasher.update(text.as_bytes()).update(&[0]);
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// Waits for the lock until the run is cancelled.
fn lock(path: &Path, cancel: &Cancel) -> Result<File, Stop> {
    let failed = |error: io::Error| Stop::from(Error::io("lock", path, &error));
    let file = File::options().create(true).append(true).open(path).map_err(failed)?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    let (send, locked) = mpsc::channel();
    // It may outlive a cancelled run: then it gets the lock, finds no receiver, and releases it.
    let wait = move || send.send(file.lock().map(|()| file));
    thread::Builder::new().spawn(wait).map_err(failed)?;
    loop {
        match locked.recv_timeout(Duration::from_millis(100)) {
            Ok(result) => return result.map_err(failed),
            Err(_) if cancel.is_cancelled() => return Err(Stop::Cancelled),
            Err(_) => {}
        }
    }
}

fn write_package(folder: &Path) -> io::Result<()> {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, bytes)
    };
    for (name, text) in sources::SUPPORT {
        write(&format!("src/{name}"), text.as_bytes())?;
    }
    for (name, bytes) in sources::DATA {
        write(&format!("src/{name}"), bytes)?;
    }
    write("src/lib.rs", library().as_bytes())?;
    write("Cargo.toml", manifest().map_err(|error| io::Error::other(error.message))?.as_bytes())?;
    write("Cargo.lock", LOCK.as_bytes())
}

/// The engine's `lib.rs` without its sources and the modules of the course: each of those is a crate of
/// its own.
fn library() -> String {
    let left_out = ["course!(declare);\n", "#[cfg(feature = \"sources\")]\npub mod sources;\n"];
    left_out.iter().fold(sources::ROOT.to_owned(), |root, part| root.replace(part, ""))
}

/// The manifest of a package with the engine's dependencies and without its exercises.
fn manifest() -> Result<String, Error> {
    let mut engine: toml::Table = toml::from_str(sources::MANIFEST).map_err(|error| {
        Error::environment(format!("the embedded manifest is damaged: {error}"))
    })?;
    engine.retain(|name, _| matches!(name, "dependencies" | "features" | "target"));
    let package = "[package]\nname = \"tinytorch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n";
    Ok(format!("{package}{engine}{PROFILE}"))
}

/// Runs cargo; returns the files it made.
fn run_cargo(
    toolchain: &Toolchain,
    package: &Path,
    target: &Path,
    cancel: &Cancel,
    events: &mut dyn FnMut(RunEvent),
) -> Result<Vec<PathBuf>, Stop> {
    let total = packages(toolchain, package, cancel)?;
    let mut cargo = cargo(toolchain, package);
    cargo.args(["build", "--offline", "--release", "--lib", "--message-format=json"]);
    cargo.args(["--target", &toolchain.host, "--target-dir"]).arg(target);
    let mut process = spawn(cargo, cancel)?;
    let (mut files, mut done, mut printed) = (vec![], 0, String::new());
    events(RunEvent::Preparing { what: "tinytorch".to_owned(), done, total });
    while let Next::Line(line) = process.next() {
        let Ok(message) = serde_json::from_slice::<Message>(&line) else { continue };
        printed.extend(message.message.and_then(|words| words.rendered));
        if message.reason != "compiler-artifact" || message.target.is_a("custom-build") {
            continue;
        }
        files.extend(message.filenames);
        done = (done + 1).min(total);
        events(RunEvent::Preparing { what: message.target.name, done, total });
    }
    let end = process.end().map_err(|error| Error::io("run", &toolchain.cargo, &error))?;
    if cancel.is_cancelled() {
        return Err(Stop::Cancelled);
    }
    if !end.status.success() {
        return Err(explain(&(printed + &end.output.text), package).into());
    }
    Ok(files)
}

/// How many packages the base has on this platform.
fn packages(toolchain: &Toolchain, package: &Path, cancel: &Cancel) -> Result<usize, Stop> {
    #[derive(Deserialize)]
    struct Metadata {
        resolve: Resolve,
    }
    #[derive(Deserialize)]
    struct Resolve {
        nodes: Vec<serde::de::IgnoredAny>,
    }
    let mut cargo = cargo(toolchain, package);
    cargo.args([
        "metadata",
        "--offline",
        "--format-version=1",
        "--filter-platform",
        &toolchain.host,
    ]);
    let mut process = spawn(cargo, cancel)?;
    let mut found = None;
    while let Next::Line(line) = process.next() {
        found = serde_json::from_slice::<Metadata>(&line).ok();
    }
    let end = process.end().map_err(|error| Error::io("run", &toolchain.cargo, &error))?;
    match found {
        _ if cancel.is_cancelled() => Err(Stop::Cancelled),
        Some(metadata) => Ok(metadata.resolve.nodes.len()),
        None => Err(explain(&end.output.text, package).into()),
    }
}

fn spawn(cargo: Command, cancel: &Cancel) -> Result<Process, Stop> {
    let program = PathBuf::from(cargo.get_program());
    Process::spawn(cargo, Lines::Stdout, LIMIT, cancel)
        .map_err(|error| Error::io("run", &program, &error).into())
}

/// Cargo of our toolchain, without the settings of this user that could change what it builds.
fn cargo(toolchain: &Toolchain, package: &Path) -> Command {
    let mut cargo = command(&toolchain.cargo, package);
    for name in ["HOME", "CARGO_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            cargo.env(name, value);
        }
    }
    cargo.env("RUSTC", &toolchain.rustc).env("CARGO_ENCODED_RUSTFLAGS", "");
    cargo.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    if let Some(crates) = installed::folder("crates") {
        // As TOML, so that quotes in the path are escaped.
        let folder = toml::Value::String(crates.to_string_lossy().into_owned());
        cargo.args(["--config", "source.crates-io.replace-with=\"kit\""]);
        cargo.arg("--config").arg(format!("source.kit.directory={folder}"));
    }
    cargo
}

/// What cargo printed, as an error that says how to fix it.
fn explain(printed: &str, package: &Path) -> Error {
    let offline = ["offline", "no matching package", "failed to download"];
    if offline.iter().any(|sign| printed.contains(sign)) {
        let manifest = package.join("Cargo.toml");
        return Error::environment("the engine's third-party crates are not on this machine")
            .hint(format!(
                "Run once with a network: cargo fetch --manifest-path \"{}\"",
                manifest.display()
            ))
            .hint("After that, no network is needed.");
    }
    if let Some(error) = super::rustc::no_linker(printed) {
        return error;
    }
    if printed.contains("No space left on device") {
        return Error::environment(
            "the disk is full: the engine's third-party crates cannot be built",
        )
        .hint("Free some space, or name another cache folder with --cache DIR.");
    }
    let last = printed.lines().filter(|line| line.contains("error")).take(5).collect::<Vec<_>>();
    Error::environment(format!("the engine's third-party crates do not build: {}", last.join("; ")))
        .hint("Run `tinytorch-tutor doctor`: it checks each part of the toolchain.")
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Target,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    message: Option<Words>,
}

/// The compiler's message, as it would print it.
#[derive(Deserialize)]
struct Words {
    rendered: Option<String>,
}

#[derive(Deserialize, Default)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Target {
    fn is_a(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

/// Copies compiled crates into one folder. Their names contain a hash, except the last crate's: `libtinytorch.rlib`.
fn copy(files: &[PathBuf], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let names: BTreeMap<_, _> =
        files.iter().filter_map(|file| Some((file.file_name()?, file))).collect();
    for (name, file) in names {
        if file.extension().is_none_or(|extension| extension != "rmeta") {
            fs::copy(file, folder.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_has_the_engines_crates_and_none_of_the_lessons() {
        let manifest = manifest().unwrap();
        let (ours, engines): (toml::Table, toml::Table) =
            (toml::from_str(&manifest).unwrap(), toml::from_str(sources::MANIFEST).unwrap());
        for part in ["dependencies", "target"] {
            assert_eq!(ours[part], engines[part]);
        }
        assert!(!manifest.contains("exercises/"), "{manifest}");
        let library = library();
        assert!(library.contains("pub mod harness;") && library.contains("pub use ndarray;"));
        assert!(!library.contains("course!(declare)") && !library.contains("pub mod sources"));
    }

    #[test]
    fn waiting_for_another_tutor_can_be_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let (path, cancel) = (folder.path().join("lock"), Cancel::default());
        let held = lock(&path, &cancel).unwrap();
        let waiting = thread::spawn({
            let (path, cancel) = (path.clone(), cancel.clone());
            move || matches!(lock(&path, &cancel), Err(Stop::Cancelled))
        });
        cancel.cancel();
        assert!(waiting.join().unwrap());
        drop(held);
        assert!(lock(&path, &Cancel::default()).is_ok());
    }

    #[test]
    fn a_cache_that_was_removed_while_the_tutor_runs_is_created_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache")).unwrap();
        fs::remove_dir_all(cache.root()).unwrap();
        let (version, host) = (String::new(), String::new());
        let nowhere = PathBuf::from("/nowhere/cargo");
        let toolchain = Toolchain { rustc: PathBuf::new(), cargo: nowhere, version, host };
        // It gets as far as cargo, which is not there.
        match build(&cache, &toolchain, &Cancel::default(), &mut |_| ()) {
            Err(Stop::Failed(error)) => {
                assert!(error.message.contains("/nowhere/cargo"), "{error}")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn missing_crates_are_named_with_the_command_that_fetches_them() {
        let printed = "error: no matching package named `ndarray` found\nAs a reminder, you're using offline mode";
        let error = explain(printed, Path::new("/c/base-1-source"));
        assert!(
            error.hints[0].contains("cargo fetch --manifest-path \"/c/base-1-source/Cargo.toml\"")
        );
        let error = explain("error: linker `cc` not found", Path::new("/c"));
        assert!(error.message.contains("linker"), "{error}");
        let error = explain("error[E0999]: odd", Path::new("/c"));
        assert!(error.message.contains("E0999"), "{error}");
    }
}
