//! Every module's test cells compile as a crate of their own against the engine: they use nothing private and nothing
//! of each other. The audit checks names in the text; only rustc can check fields, methods and types.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::Command;
use tinytorch_tutor::curriculum::{Course, cells};

/// Compiles a crate with the tests of these modules, each in a file of its own.
fn compile(folder: &Path, tests: &[(&str, String)]) -> Result<(), String> {
    let root: String = tests.iter().map(|(name, _)| format!("mod {name};\n")).collect();
    std::fs::write(folder.join("lib.rs"), root).unwrap();
    for (name, text) in tests {
        // At the end, so that each line keeps its number.
        let text = format!("{text}use tinytorch::{name} as subject;\n");
        std::fs::write(folder.join(name).with_extension("rs"), text).unwrap();
    }
    let engine = engine();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--test", "--emit", "metadata", "-A", "unused"]);
    rustc.arg("--extern").arg(format!("tinytorch={}", engine.display()));
    rustc.arg("-L").arg(format!("dependency={}", engine.parent().unwrap().display()));
    let output = rustc.arg("--out-dir").arg(folder).arg(folder.join("lib.rs")).output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The engine that this test is linked to; only cargo knows its path.
fn engine() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--no-run", "--offline", "--quiet", "--message-format", "json"]);
    cargo.args(["--test", "separate_tests"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let messages =
        stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let engine = messages.filter(|message| message["target"]["name"] == "tinytorch");
    let files =
        engine.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let rlib = files.filter_map(|file| file.as_str().map(PathBuf::from));
    let mut rlib = rlib.filter(|file| file.extension().is_some_and(|kind| kind == "rlib"));
    rlib.next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_test_cells_of_every_module_use_public_names_only() {
    let folder = tempfile::tempdir().unwrap();
    let modules = Course::tinytorch().modules().iter();
    let tests: Vec<_> = modules
        .map(|module| (module.name.as_str(), cells::tests_crate(module.reference())))
        .collect();
    if let Err(error) = compile(folder.path(), &tests) {
        panic!("{error}");
    }
}
