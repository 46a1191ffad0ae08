//! Sets the commit that `--version` prints in a release build: the one that `cargo package` recorded, else git's HEAD.
//! A development build names none, because each commit would then rebuild the whole crate.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let commit = if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        packaged().or_else(checked_out)
    } else {
        None
    };
    let suffix = commit.map(|commit| format!(" ({})", &commit[..commit.len().min(10)]));
    println!("cargo:rustc-env=TINYTORCH_COMMIT={}", suffix.unwrap_or_default());
}

/// The commit in the file that `cargo package` adds: `{"git": {"sha1": "..."}, ...}`.
fn packaged() -> Option<String> {
    let info = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = info.split_once("\"sha1\":")?;
    rest.split('"').nth(1).map(str::to_owned)
}

fn checked_out() -> Option<String> {
    // The reflog changes with every commit and every checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo:rerun-if-changed={log}");
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
