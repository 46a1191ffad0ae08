//! `doctor`: what this machine has and lacks, each with its mend.

use super::arguments::{Format, FormatArguments};
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::ModuleId;
use crate::editor::Editor;
use crate::error::Error;
use crate::progress::Store;
use crate::report::figures::figure;
use crate::report::json;
use crate::runner::{Cancel, ModuleSources};
use crate::watch::{self, Change, WatchMode};
use serde::Serialize;
use std::io::IsTerminal;
use std::sync::mpsc::channel;
use std::time::Duration;

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    well: bool,
    found: String,
    mend: Vec<String>,
}

impl Finding {
    fn well(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, well: true, found: found.into(), mend: vec![] }
    }

    fn lacking(what: &'static str, error: Error) -> Self {
        Self { what, well: false, found: error.message, mend: error.hints }
    }
}

/// Returns whether nothing is lacking.
pub fn run(
    context: &Context,
    arguments: &FormatArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let findings = [
        toolchain(context),
        linker(),
        disk(context),
        build(context),
        lab(context),
        store(context),
        saves(),
        terminal(),
        editor(Editor::from_environment()),
        locale(|name| std::env::var(name).ok()),
    ];
    for finding in &findings {
        match arguments.format {
            Format::Json => out.line(json::to_line(finding)),
            Format::Human => {
                let word = if finding.well { "ok     " } else { "lacking" };
                out.line(format!("{word} {}: {}", finding.what, finding.found));
                finding.mend.iter().for_each(|mend| out.line(format!("        {mend}")));
            }
        }
    }
    Ok(findings.iter().all(|finding| finding.well))
}

fn toolchain(context: &Context) -> Finding {
    match context.runner() {
        Ok(runner) => Finding::well("compiler", runner.toolchain()),
        Err(error) => Finding::lacking("compiler", error),
    }
}

/// rustc calls the C compiler to link.
fn linker() -> Finding {
    let asked = std::process::Command::new("cc").arg("--version").output();
    match asked {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            Finding::well("linker", said.lines().next().unwrap_or("cc").to_owned())
        }
        _ => Finding::lacking(
            "linker",
            Error::environment("`cc` cannot be run, and rustc links with it").hint(
                "Install a C compiler: `sudo apt install build-essential`, `xcode-select --install`, or alike.",
            ),
        ),
    }
}

/// What the compiled engine and the chain take, with room to spare.
const ROOM: u64 = 1 << 30;

fn disk(context: &Context) -> Finding {
    let what = "disk";
    let free = context.cache().and_then(|cache| {
        // The cache may not be there yet; the disk it will lie on is.
        let folder = cache.ancestors().find(|folder| folder.is_dir()).unwrap_or(&cache);
        let failed = |e: rustix::io::Errno| Error::io("look at the disk of", folder, &e.into());
        let room = rustix::fs::statvfs(folder).map_err(failed)?;
        Ok(room.f_bavail * room.f_frsize)
    });
    match free {
        Ok(free) if free >= ROOM => {
            Finding::well(what, format!("{} free", figure(free as f64, "B")))
        }
        Ok(free) => Finding::lacking(
            what,
            Error::environment(format!("only {} free for the cache", figure(free as f64, "B")))
                .hint("Free some space, or name another disk with --cache DIR."),
        ),
        Err(error) => Finding::lacking(what, error),
    }
}

/// Whether the terminal was told to show more than ASCII. Without it the tutor draws in ASCII.
fn locale(get: impl Fn(&str) -> Option<String>) -> Finding {
    let set = |name: &&str| get(name).filter(|value| !value.is_empty());
    let chosen = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
    let found = match chosen {
        Some(locale) if locale.to_lowercase().replace('-', "").contains("utf8") => locale,
        Some(locale) => format!(
            "{locale}: not UTF-8, so the tutor draws in ASCII (`export LANG=C.UTF-8` changes that)"
        ),
        None => {
            "none set, so the tutor draws in ASCII (`export LANG=C.UTF-8` changes that)".to_owned()
        }
    };
    Finding::well("locale", found)
}

/// Builds what every lesson stands on: crates, linker, disk and cache are tried for real.
fn build(context: &Context) -> Finding {
    let built = context.runner().and_then(|runner| {
        runner.prepare(ModuleId(1), &ModuleSources::default(), &Cancel::default(), &mut |_| {})
    });
    match built.and_then(|()| context.cache()) {
        Ok(cache) => {
            Finding::well("engine", format!("builds, without network, in {}", cache.display()))
        }
        Err(error) => Finding::lacking("engine", error),
    }
}

fn lab(context: &Context) -> Finding {
    match context.lab() {
        Ok(lab) => Finding::well("lab", lab.root().display().to_string()),
        Err(error) => Finding::lacking("lab", error),
    }
}

fn store(context: &Context) -> Finding {
    match context.lab().and_then(|lab| Store::open(&lab.store()).map(|_| lab.store())) {
        Ok(path) => Finding::well("progress", path.display().to_string()),
        Err(error) => Finding::lacking("progress", error),
    }
}

/// Writes a file in a folder of its own and waits for the news of it.
fn saves() -> Finding {
    let what = "saves";
    let noticing = || -> Result<WatchMode, Error> {
        let folder = tempfile::tempdir().map_err(|error| {
            Error::environment(format!("failed to make a temporary folder: {error}"))
        })?;
        let (sink, changes) = channel();
        let file = folder.path().join("exercise.rs");
        let _watch = watch::start(vec![file], move |change| drop(sink.send(change)))?;
        match changes.recv_timeout(Duration::from_secs(5)) {
            Ok(Change::Mode(kind)) => Ok(kind),
            _ => Err(Error::environment("the watcher gave no sign")),
        }
    };
    match noticing() {
        Ok(WatchMode::Native) => Finding::well(what, "the system tells of them"),
        Ok(WatchMode::Polling(reason)) => {
            Finding::well(what, format!("files are looked at twice a second: {reason}"))
        }
        Err(error) => Finding::lacking(what, error),
    }
}

/// What `e` would open.
fn editor(found: Result<Editor, Error>) -> Finding {
    match found {
        Ok(editor) => Finding::well("editor", format!("{} ({})", editor.program, editor.source)),
        Err(error) => Finding::lacking("editor", error),
    }
}

fn terminal() -> Finding {
    let what = "terminal";
    if !std::io::stdout().is_terminal() {
        return Finding::well(what, "none here; every command works without one");
    }
    match crossterm::terminal::size() {
        Ok((columns, rows)) if columns >= 60 && rows >= 20 => {
            Finding::well(what, format!("{columns}x{rows}"))
        }
        Ok((columns, rows)) => Finding::lacking(
            what,
            Error::environment(format!("{columns}x{rows} is small"))
                .hint("The tutor needs 60x20: make the window larger."),
        ),
        Err(error) => Finding::lacking(what, Error::environment(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_that_is_set_decides() {
        let found = |set: &'static [(&str, &str)]| {
            let get =
                |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            locale(get).found
        };
        assert_eq!(found(&[("LC_ALL", ""), ("LANG", "en_GB.UTF-8")]), "en_GB.UTF-8");
        assert!(found(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).contains("ASCII"));
        assert!(found(&[]).contains("none set"));
    }
}
