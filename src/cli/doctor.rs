//! `doctor`: what is missing on this machine, and how to fix it.

use super::arguments::{Format, FormatArguments};
use super::context::Context;
use super::printer::Printer;
use super::untrusted;
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
    ok: bool,
    found: String,
    fix: Vec<String>,
}

impl Finding {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, ok: true, found: found.into(), fix: vec![] }
    }

    fn missing(what: &'static str, error: Error) -> Self {
        Self { what, ok: false, found: error.message, fix: error.hints }
    }
}

/// Returns whether nothing is missing.
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
        confinement(),
    ];
    for finding in &findings {
        match arguments.format {
            Format::Json => out.line(json::to_line(finding)),
            Format::Human => {
                let word = if finding.ok { "ok     " } else { "missing" };
                out.line(format!("{word} {}: {}", finding.what, finding.found));
                finding.fix.iter().for_each(|fix| out.line(format!("        {fix}")));
            }
        }
    }
    Ok(findings.iter().all(|finding| finding.ok))
}

fn toolchain(context: &Context) -> Finding {
    match context.runner() {
        Ok(runner) => Finding::ok("compiler", runner.toolchain()),
        Err(error) => Finding::missing("compiler", error),
    }
}

/// rustc calls the C compiler to link.
fn linker() -> Finding {
    let asked = std::process::Command::new("cc").arg("--version").output();
    match asked {
        Ok(output) if output.status.success() => {
            let version = String::from_utf8_lossy(&output.stdout);
            Finding::ok("linker", version.lines().next().unwrap_or("cc").to_owned())
        }
        _ => Finding::missing(
            "linker",
            Error::environment("`cc` cannot be run, and rustc links with it").hint(
                "Install a C compiler: `sudo apt install build-essential`, `xcode-select --install`, or similar.",
            ),
        ),
    }
}

/// What compiled modules and third-party crates take up, with a margin.
const SPACE: u64 = 1 << 30;

fn disk(context: &Context) -> Finding {
    let what = "disk";
    let free = context.cache().and_then(|cache| {
        // The cache may not exist yet, but its disk does.
        let folder = cache.ancestors().find(|folder| folder.is_dir()).unwrap_or(&cache);
        let failed = |e: rustix::io::Errno| Error::io("read the free space of", folder, &e.into());
        let disk = rustix::fs::statvfs(folder).map_err(failed)?;
        Ok(disk.f_bavail * disk.f_frsize)
    });
    match free {
        Ok(free) if free >= SPACE => {
            Finding::ok(what, format!("{} free", figure(free as f64, "B")))
        }
        Ok(free) => Finding::missing(
            what,
            Error::environment(format!("only {} free for the cache", figure(free as f64, "B")))
                .hint("Free some space, or name another disk with --cache DIR."),
        ),
        Err(error) => Finding::missing(what, error),
    }
}

/// Whether the locale is UTF-8. Without it the tutor draws in ASCII.
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
    Finding::ok("locale", found)
}

/// Whether `grade` can run what students wrote. A learner does not need it, so it is never missing.
fn confinement() -> Finding {
    let found = match untrusted::probe().map(|sandbox| untrusted::lacks(&sandbox)) {
        Ok(None) => "complete: `grade` confines what students wrote".to_owned(),
        Ok(Some(lacks)) => format!("incomplete: `grade` refuses here; this machine lacks {lacks}"),
        Err(error) => format!("none: {}", error.message),
    };
    Finding::ok("sandbox", found)
}

/// Builds what every lesson needs, which uses the crates, the linker, the disk and the cache.
fn build(context: &Context) -> Finding {
    let built = context.runner().and_then(|runner| {
        runner.prepare(ModuleId(1), &ModuleSources::default(), &Cancel::default(), &mut |_| {})
    });
    match built.and_then(|()| context.cache()) {
        Ok(cache) => Finding::ok("engine", format!("builds offline, in {}", cache.display())),
        Err(error) => Finding::missing("engine", error),
    }
}

fn lab(context: &Context) -> Finding {
    match context.lab() {
        Ok(lab) => Finding::ok("lab", lab.root().display().to_string()),
        Err(error) => Finding::missing("lab", error),
    }
}

fn store(context: &Context) -> Finding {
    match context.lab().and_then(|lab| Store::open(&lab.store()).map(|_| lab.store())) {
        Ok(path) => Finding::ok("progress", path.display().to_string()),
        Err(error) => Finding::missing("progress", error),
    }
}

/// Watches a file in a temporary folder, and waits until the watcher says how it notices saves.
fn saves() -> Finding {
    let what = "saves";
    let watched = || -> Result<WatchMode, Error> {
        let folder = tempfile::tempdir().map_err(|error| {
            Error::environment(format!("failed to create a temporary folder: {error}"))
        })?;
        let (sink, changes) = channel();
        let file = folder.path().join("exercise.rs");
        let _watch = watch::start(vec![file], move |change| drop(sink.send(change)))?;
        match changes.recv_timeout(Duration::from_secs(5)) {
            Ok(Change::Mode(mode)) => Ok(mode),
            _ => Err(Error::environment("the file watcher did not respond")),
        }
    };
    match watched() {
        Ok(WatchMode::Native) => Finding::ok(what, "the system reports file changes"),
        Ok(WatchMode::Polling(reason)) => {
            Finding::ok(what, format!("files are read twice a second: {reason}"))
        }
        Err(error) => Finding::missing(what, error),
    }
}

/// What `e` would open.
fn editor(found: Result<Editor, Error>) -> Finding {
    match found {
        Ok(editor) => Finding::ok("editor", format!("{} ({})", editor.program, editor.source)),
        Err(error) => Finding::missing("editor", error),
    }
}

fn terminal() -> Finding {
    let what = "terminal";
    if !std::io::stdout().is_terminal() {
        return Finding::ok(what, "none; every command works without one");
    }
    match crossterm::terminal::size() {
        Ok((columns, rows)) if columns >= 60 && rows >= 20 => {
            Finding::ok(what, format!("{columns}x{rows}"))
        }
        Ok((columns, rows)) => Finding::missing(
            what,
            Error::environment(format!("{columns}x{rows} is too small"))
                .hint("The tutor needs 60x20: make the window larger."),
        ),
        Err(error) => Finding::missing(what, Error::environment(error.to_string())),
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
