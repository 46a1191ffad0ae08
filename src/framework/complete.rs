//! Completing a module: its tests pass, its text becomes the link, and every later module shows that it
//! still stands. A link that a later module cannot stand on is refused: the reference stands in.

use super::{Engine, links, swapped_in};
use crate::curriculum::{MODULES, Module, ModuleId};
use crate::failure::Failure;
use crate::lab::Lab;
use crate::report::{ModuleReport, Outcome, human};
use crate::runner::event::{Notice, RunEvent, RunKind, Verdict};
use crate::runner::{Cancel, Links, Request, Runner};
use serde::Serialize;
use std::time::{Duration, Instant};

/// What happens while a module is completed.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The check of the learner's file goes on.
    Check(RunEvent),
    /// The learner's text is the link from now on.
    Swapped,
    /// A link above is ready again.
    Rebuilt {
        /// The link's module.
        module: ModuleId,
        /// How long it took.
        took: Duration,
    },
    /// A later module is checked on the new link.
    Proving {
        /// The later module.
        module: ModuleId,
    },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "completed", rename_all = "snake_case")]
pub enum Completed {
    /// The learner's text is the link.
    Yes,
    /// The learner's text passes its own tests, but a later module cannot stand on it, so the reference
    /// stands in.
    StandsIn {
        /// The later module, and what it says.
        reason: String,
    },
    /// Its own tests do not pass; nothing was changed.
    NotYet(Box<ModuleReport>),
    /// Somebody stopped it; what was swapped stays.
    Cancelled,
}

/// Checks the learner's file and makes it the module's link. Returns when every later module was
/// proven, or one was found that cannot stand on it.
///
/// # Errors
/// When the file cannot be read, the lab cannot be written, or this machine lacks something.
pub fn complete(
    runner: &Runner,
    lab: &Lab,
    module: &Module,
    cancel: &Cancel,
    steps: &mut dyn FnMut(Step),
) -> Result<Completed, Failure> {
    let text = lab.read_exercise(module).map_err(|problem| {
        Failure::unmet(format!("\"{}\": {problem}", lab.exercise(module).display()))
    })?;
    let request = Request {
        module: module.id,
        kind: RunKind::Check,
        only: vec![],
        file: lab.exercise(module),
        text: text.clone(),
        links: links(lab, Engine::Mine)?,
    };
    let report = check(runner, &request, cancel, &mut |event| steps(Step::Check(event)))?;
    if cancel.is_cancelled() {
        return Ok(Completed::Cancelled);
    }
    if report.outcome() != Outcome::Passed {
        return Ok(Completed::NotYet(Box::new(report)));
    }
    // What goes into the chain is what was checked: the learner's cells with the locked ones restored.
    lab.complete(module, &swapped_in(module, &text))?;
    steps(Step::Swapped);
    match prove(runner, lab, module, cancel, steps)? {
        _ if cancel.is_cancelled() => Ok(Completed::Cancelled),
        None => Ok(Completed::Yes),
        Some(reason) => {
            lab.refuse(module, &reason)?;
            Ok(Completed::StandsIn { reason })
        }
    }
}

/// Rebuilds the chain above a new link and checks every later module on it. Returns what the first one
/// that fails has to say.
fn prove(
    runner: &Runner,
    lab: &Lab,
    module: &Module,
    cancel: &Cancel,
    steps: &mut dyn FnMut(Step),
) -> Result<Option<String>, Failure> {
    let links = links(lab, Engine::Mine)?;
    rebuild(runner, module, &links, cancel, steps)?;
    let completed = lab.completed()?;
    for later in MODULES.iter().filter(|later| later.id > module.id) {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        steps(Step::Proving { module: later.id });
        let text = completed.get(&later.id).map_or(later.reference(), String::as_str);
        let request = Request {
            module: later.id,
            kind: RunKind::Check,
            only: vec![],
            file: format!("{}.rs", later.slug()).into(),
            text: text.to_owned(),
            links: links.clone(),
        };
        let report = check(runner, &request, cancel, &mut |_| {})?;
        if let Some(reason) = objection(&report, module.id).filter(|_| !cancel.is_cancelled()) {
            return Ok(Some(format!("{} {reason}", later.slug())));
        }
    }
    Ok(None)
}

/// Rebuilds the links above `module` one by one, so that each has its time.
fn rebuild(
    runner: &Runner,
    module: &Module,
    links: &Links,
    cancel: &Cancel,
    steps: &mut dyn FnMut(Step),
) -> Result<(), Failure> {
    for link in MODULES.iter().filter(|link| link.id >= module.id) {
        let start = Instant::now();
        runner.prepare(ModuleId(link.id.0 + 1), links, cancel, &mut |_| {})?;
        if cancel.is_cancelled() {
            return Ok(());
        }
        steps(Step::Rebuilt { module: link.id, took: start.elapsed() });
    }
    Ok(())
}

fn check(
    runner: &Runner,
    request: &Request,
    cancel: &Cancel,
    events: &mut dyn FnMut(RunEvent),
) -> Result<ModuleReport, Failure> {
    let mut report = ModuleReport::new(request.module);
    runner.run(request, cancel, &mut |event| {
        report.apply(&event);
        events(event);
    })?;
    Ok(report)
}

/// What a later module has to say against the link of `module`; `None` when it stands.
fn objection(report: &ModuleReport, module: ModuleId) -> Option<String> {
    let fell_back = report.notices.iter().find_map(|notice| match notice {
        Notice::FellBack { module: link, reason } if *link == module => Some(reason),
        _ => None,
    });
    if let Some(reason) = fell_back {
        return Some(format!("does not build on it: {reason}"));
    }
    match report.outcome() {
        Outcome::Passed => None,
        Outcome::DoesNotCompile => {
            let error = report.errors().next().map(|error| error.message.clone());
            Some(format!("does not build on it: {}", error.unwrap_or_default()))
        }
        _ => {
            let failed = report.tests.iter().find(|test| !test.passes())?;
            let verdict = failed.result.as_ref().map(|result| &result.verdict);
            let (word, more) = verdict.map_or(("not run", String::new()), human::verdict);
            let first = match verdict {
                Some(Verdict::Failed { message, .. }) => message.lines().next().unwrap_or_default(),
                _ => more.lines().next().unwrap_or_default(),
            };
            Some(format!("fails on it: {} {word}: {first}", failed.name))
        }
    }
}
