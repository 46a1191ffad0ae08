//! `bundle`: a kit for the machines of a class that have no internet.

use super::arguments::BundleArguments;
use super::check::stopped;
use super::context::Context;
use super::printer::Printer;
use super::release::class;
use crate::LOCK;
use crate::classroom::CourseFile;
use crate::classroom::kit::Kit;
use crate::error::{Error, count, printable};
use crate::lab;
use crate::runner::Runner;
use serde::Deserialize;
use std::path::Path;

const INSTALL: &str = include_str!("../classroom/install.sh");
/// Lets cargo and rust-analyzer in the lab use the kit's crates; the path is relative to the kit.
const CARGO: &str =
    "[source.crates-io]\nreplace-with = \"kit\"\n\n[source.kit]\ndirectory = \"crates\"\n";

/// Succeeds when the archive is there.
pub fn run(
    context: &Context,
    arguments: &BundleArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let file = CourseFile::read(&arguments.course, context.course())?;
    let runner = context.runner()?;
    let name = format!("tinytorch-kit-{}-{}.tar.gz", env!("CARGO_PKG_VERSION"), runner.host());
    let archive = arguments.folder.join(name);
    if archive.exists() {
        return Err(Error::usage(format!("\"{}\" exists already", printable(&archive)))
            .hint("Name another folder, or remove it."));
    }
    let staging = tempfile::tempdir()
        .map_err(|error| Error::io("write to", &std::env::temp_dir(), &error))?;
    let mut kit = Kit::default();
    let (lab, crates) = (staging.path().join("lab"), staging.path().join("crates"));
    lab::release(&lab, context.course(), &class(&file))?;
    kit.add_folder("lab", &lab)?;
    runner.vendor(&crates, &context.cancel)?;
    stopped(&context.cancel)?;
    kit.add_folder("crates", &crates)?;
    if arguments.toolchain {
        add_toolchain(&mut kit, &runner)?;
    }
    add_own(&mut kit, &runner, &file, arguments.toolchain)?;
    let files = count(kit.len(), "file");
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, &error))?;
    let bytes = kit.write(&archive)?;
    out.line(format!("{}: {files}, {:.1} MB", archive.display(), bytes as f64 / 1e6));
    out.line(needs(&runner, arguments.toolchain));
    out.line("Install it:\n  tar -xzf ARCHIVE && sh tinytorch-kit/install.sh [DIR]");
    Ok(true)
}

/// This program, the installer, the licences, and what a reader needs to know.
fn add_own(
    kit: &mut Kit,
    runner: &Runner,
    file: &CourseFile,
    toolchain: bool,
) -> Result<(), Error> {
    let program = std::env::current_exe()
        .map_err(|error| Error::environment(format!("failed to find this program: {error}")))?;
    kit.add_file("bin/tinytorch-tutor", &program)?;
    kit.add_text("install.sh", INSTALL.replace("@MACHINE@", runner.host()));
    kit.add_text(".cargo/config.toml", CARGO);
    kit.add_text("licenses/LICENSE-MIT", include_str!("../../LICENSE-MIT"));
    kit.add_text("licenses/LICENSE-APACHE", include_str!("../../LICENSE-APACHE"));
    kit.add_text("licenses/program.txt", program_crates()?);
    kit.add_text(
        "README.txt",
        format!(
            "{}\n\nInstall this kit with: sh install.sh [DIR]\n\n{}\n\nbin/ has the program, lab/ the exercises and lessons, crates/ the third-party crates that a check is compiled\nwith, each with its licence, licenses/ the licences of the program. SHA256SUMS is checked by the installer;\n\
             `sha256sum -c SHA256SUMS` checks it without one.\n",
            file.title,
            needs(runner, toolchain)
        ),
    );
    Ok(())
}

fn needs(runner: &Runner, toolchain: bool) -> String {
    let linker = "a linker (`cc`: gcc and the C library's development files)";
    match toolchain {
        true => {
            format!("The machine needs {linker}. The kit has the compiler: {}", runner.toolchain())
        }
        false => format!(
            "The machine needs {linker}, and Rust 1.90 or newer, which `bundle --toolchain` packs too."
        ),
    }
}

/// The crates that the program is made of, from its lock file.
fn program_crates() -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
        source: Option<String>,
    }
    let lock: Lock = toml::from_str(LOCK).map_err(|error| {
        Error::environment(format!("the embedded lock file is damaged: {error}"))
    })?;
    let line = |package: Package| {
        let Package { name, version, source } = package;
        source.map(|_| format!("{name} {version}: https://crates.io/crates/{name}/{version}\n"))
    };
    let lines: String = lock.package.into_iter().filter_map(line).collect();
    Ok(format!(
        "The program is built and tested with these crates. Each is under the licence that its page names.\n\n{lines}"
    ))
}

/// The parts of the toolchain that a check needs: compiler, cargo, standard library, linker, licences.
fn add_toolchain(kit: &mut Kit, runner: &Runner) -> Result<(), Error> {
    let sysroot = runner.rustc().ancestors().nth(2).unwrap_or(Path::new("/"));
    if !sysroot.join("lib/rustlib/components").is_file() {
        return Err(Error::environment(format!(
            "the compiler in \"{}\" is a part of the system and cannot be packed",
            printable(sysroot)
        ))
        .hint("Install Rust from https://rustup.rs, and put it first on the PATH."));
    }
    for program in ["rustc", "cargo"] {
        kit.add_file(&format!("toolchain/bin/{program}"), &sysroot.join("bin").join(program))?;
    }
    let failed = |error: std::io::Error| Error::io("read", sysroot, &error);
    for entry in std::fs::read_dir(sysroot.join("lib")).map_err(failed)? {
        let library = entry.map_err(failed)?.path();
        if let Some(name) = library.file_name().and_then(|name| name.to_str())
            && library.is_file()
        {
            kit.add_file(&format!("toolchain/lib/{name}"), &library)?;
        }
    }
    let standard = format!("lib/rustlib/{}", runner.host());
    kit.add_folder(&format!("toolchain/{standard}"), &sysroot.join(&standard))?;
    add_licences(kit, &sysroot.join("share/doc"))
}

/// The licences of the compiler and of cargo, where the toolchain has them.
fn add_licences(kit: &mut Kit, documentation: &Path) -> Result<(), Error> {
    for part in ["rust", "cargo"] {
        let folder = documentation.join(part);
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("toolchain/share/doc/{part}/{name}");
            match name.as_str() {
                // The manual, of some hundred megabytes.
                "html" => {}
                "licenses" => kit.add_folder(&path, &entry.path())?,
                _ if entry.path().is_file() => kit.add_file(&path, &entry.path())?,
                _ => {}
            }
        }
    }
    Ok(())
}
