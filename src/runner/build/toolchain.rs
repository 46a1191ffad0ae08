//! The compiler on this machine: found once, then called directly. rustup's shim costs time and depends on files in
//! the current folder, so it is called only to find the real compiler. Not here: what is compiled.

use super::installed;
use crate::error::Error;
use crate::runner::process;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The oldest compiler that the engine and the exercises build with.
const OLDEST: (u32, u32) = (1, 90);
const INSTALL: &str = "Install Rust from https://rustup.rs, then start again.";

/// Where the compiler is, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runner) struct Toolchain {
    /// `rustc`, not a shim.
    pub(in crate::runner) rustc: PathBuf,
    /// `cargo` of the same toolchain.
    pub(in crate::runner) cargo: PathBuf,
    /// All of `rustc -vV`: part of every key.
    pub(in crate::runner) version: String,
    /// `x86_64-unknown-linux-gnu`.
    pub(in crate::runner) host: String,
}

impl Toolchain {
    /// Finds the toolchain of the kit that this program was installed from, else that of the `rustc` on the `PATH`.
    /// `folder` is the tutor's own: no file in it chooses another one.
    pub(in crate::runner) fn find(folder: &Path) -> Result<Self, Error> {
        let rustc = installed::folder("toolchain").map(|toolchain| toolchain.join("bin/rustc"));
        Self::find_as(rustc.as_deref().unwrap_or("rustc".as_ref()), folder)
    }

    fn find_as(rustc: &Path, folder: &Path) -> Result<Self, Error> {
        let root = PathBuf::from(ask(rustc, &["--print", "sysroot"], folder)?);
        let program = |name: &str| {
            root.join("bin").join(name).with_extension(std::env::consts::EXE_EXTENSION)
        };
        let (rustc, cargo) = (program("rustc"), program("cargo"));
        if !cargo.is_file() {
            return Err(
                Error::environment(format!("there is no \"{}\"", cargo.display())).hint(INSTALL)
            );
        }
        let version = ask(&rustc, &["-vV"], folder)?;
        let host = field(&version, "host").unwrap_or_default();
        new_enough(&version)?;
        Ok(Self { rustc, cargo, version, host })
    }

    /// The first sentence of the explanation of an error's code.
    pub(in crate::runner) fn explain(&self, code: &str, folder: &Path) -> Option<String> {
        let text = ask(&self.rustc, &["--explain", code], folder).ok()?;
        let paragraph = text.split("\n\n").next()?.replace('\n', " ");
        let sentence = paragraph.split(". ").next()?.trim_end_matches(['.', ':']);
        (!sentence.is_empty()).then(|| sentence.to_owned())
    }
}

/// Runs the program in a clean environment that has what rustup needs to find its toolchains.
fn ask(program: &Path, arguments: &[&str], folder: &Path) -> Result<String, Error> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_clear();
    for name in ["PATH", "HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output =
        process::spawn(&mut command).and_then(Child::wait_with_output).map_err(|error| {
            let program = program.display();
            Error::environment(format!("failed to start the compiler \"{program}\": {error}"))
                .hint(INSTALL)
        })?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        return Err(Error::environment(format!(
            "the compiler \"{}\" does not work: {}",
            program.display(),
            printed.trim()
        ))
        .hint("Run `rustc -vV` in a terminal: it must print a version. `rustup default stable` often fixes it."));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn field(version: &str, name: &str) -> Option<String> {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.trim().to_owned());
    version.lines().find_map(value)
}

fn new_enough(version: &str) -> Result<(), Error> {
    let release = field(version, "release").unwrap_or_default();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    let found: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    Err(Error::environment(format!("rustc {release} is too old: {major}.{minor} is needed"))
        .hint("Run `rustup update stable`, then start again."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_found_is_the_real_one() {
        let folder = tempfile::tempdir().unwrap();
        let toolchain = Toolchain::find(folder.path()).unwrap();
        assert!(toolchain.rustc.ends_with("bin/rustc"), "{toolchain:?}");
        assert!(toolchain.version.contains(&format!("host: {}", toolchain.host)));
    }

    #[test]
    fn a_code_is_explained_in_the_compilers_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let toolchain = Toolchain::find(folder.path()).unwrap();
        let explained = toolchain.explain("E0308", folder.path());
        assert_eq!(explained.as_deref(), Some("Expected type did not match the received type"));
        assert_eq!(toolchain.explain("E9999", folder.path()), None);
    }

    #[test]
    fn a_missing_compiler_is_an_error_that_says_how_to_install_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = Toolchain::find_as("/nowhere/rustc".as_ref(), folder.path()).unwrap_err();
        assert!(error.message.contains("\"/nowhere/rustc\""), "{error}");
        assert_eq!(error.hints, [INSTALL]);
        let error = Toolchain::find_as("false".as_ref(), folder.path()).unwrap_err();
        assert!(error.message.contains("\"false\" does not work"), "{error}");
    }

    #[test]
    fn an_old_compiler_is_an_error_that_says_how_to_update_it() {
        assert_eq!(new_enough("rustc 1.90.0\nrelease: 1.90.0\nhost: h"), Ok(()));
        assert_eq!(new_enough("release: 1.97.0-nightly"), Ok(()));
        let error = new_enough("release: 1.89.0").unwrap_err();
        assert_eq!(error.message, "rustc 1.89.0 is too old: 1.90 is needed");
        assert!(new_enough("gibberish").is_err());
    }
}
