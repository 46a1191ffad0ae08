//! Completing a module: its tests must pass, every later module must build and pass on the new text, and then one
//! write adds it to the learner's engine. Until then the earlier engine is in use, so a kill at any moment leaves that
//! one or the new one. A text on which a later module fails is kept, but the reference is used instead.

use super::{Engine, learners, sources, swapped_in};
use crate::curriculum::{Course, Module, ModuleId};
use crate::error::Error;
use crate::lab::Lab;
use crate::report::{ModuleReport, Outcome, human};
use crate::runner::event::{Notice, RunEvent, RunKind, Verdict};
use crate::runner::{Cancel, ModuleSource, ModuleSources, Request, Runner};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What happens while a module is completed.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Something happened in the check of the learner's file.
    Check(RunEvent),
    /// The check has ended.
    Checked {
        /// What it found.
        report: Box<ModuleReport>,
        /// The text that it is about.
        text: String,
    },
    /// A module was rebuilt on the new text.
    Rebuilt {
        /// The module.
        module: ModuleId,
        /// The time since the previous module was rebuilt. The next module is compiled while machine code for this one
        /// is still generated; what is left of that is in the last one's time.
        took: Duration,
    },
    /// A later module is being tested against the new text.
    Proving {
        /// The later module.
        module: ModuleId,
    },
    /// The learner's text is part of the engine from now on.
    Swapped,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "completed", rename_all = "snake_case")]
pub enum Completion {
    /// The learner's text is part of the engine.
    Yes,
    /// The learner's text passes its own tests, but a later module fails on it, so the reference
    /// is used instead.
    Rejected {
        /// The later module, and how it fails.
        reason: String,
    },
    /// Its own tests do not pass; nothing was changed.
    NotYet(Box<ModuleReport>),
    /// It was cancelled; nothing was changed.
    Cancelled,
}

/// Checks the learner's file, tests every later module against it, and adds it to the engine.
///
/// # Errors
/// When the file cannot be read, the lab cannot be written, or something is missing on this machine.
pub fn complete(
    runner: &Runner,
    lab: &Lab,
    module: &Module,
    cancel: &Cancel,
    steps: &mut dyn FnMut(Step),
) -> Result<Completion, Error> {
    let text = lab.read_exercise(module).map_err(|problem| {
        Error::unmet(format!("\"{}\": {problem}", lab.exercise(module).display()))
    })?;
    let before = sources(lab, Engine::Mine)?;
    let checker = Checker { runner, cancel };
    let file = lab.exercise(module);
    let report = checker.check(module, file, &text, &before, &mut |event| {
        steps(Step::Check(event));
    })?;
    if cancel.is_cancelled() {
        return Ok(Completion::Cancelled);
    }
    steps(Step::Checked { report: Box::new(report.clone()), text: text.clone() });
    if report.outcome() != Outcome::Passed {
        return Ok(Completion::NotYet(Box::new(report)));
    }
    // What is compiled is what was checked: the learner's cells with the locked ones restored.
    let text = swapped_in(module, &text);
    let objection = Proof::new(&checker, module, &text, before, lab).objection(steps)?;
    if cancel.is_cancelled() {
        return Ok(Completion::Cancelled);
    }
    if let Some(reason) = objection {
        lab.refuse(module, &text, &reason)?;
        return Ok(Completion::Rejected { reason });
    }
    lab.complete(module, &text)?;
    steps(Step::Swapped);
    Ok(Completion::Yes)
}

/// Where texts are checked.
struct Checker<'a> {
    runner: &'a Runner,
    cancel: &'a Cancel,
}

impl Checker<'_> {
    fn check(
        &self,
        module: &Module,
        file: PathBuf,
        text: &str,
        sources: &ModuleSources,
        events: &mut dyn FnMut(RunEvent),
    ) -> Result<ModuleReport, Error> {
        let request = Request {
            module: module.id,
            kind: RunKind::Check,
            only: vec![],
            file,
            text: text.to_owned(),
            sources: sources.clone(),
            separate_tests: false,
        };
        let mut report = ModuleReport::new(module.id);
        self.runner.run(&request, self.cancel, &mut |event| {
            report.apply(&event);
            events(event);
        })?;
        Ok(report)
    }
}

/// The proof that later modules build and pass on a new text of `module`.
struct Proof<'a> {
    checker: &'a Checker<'a>,
    module: &'a Module,
    course: &'a Course,
    /// The engine as it is.
    before: ModuleSources,
    /// The same with the new text in it.
    after: ModuleSources,
}

impl<'a> Proof<'a> {
    fn new(
        checker: &'a Checker<'a>,
        module: &'a Module,
        text: &str,
        before: ModuleSources,
        lab: &Lab,
    ) -> Self {
        let mut after = before.clone();
        after.0.insert(module.id, learners(lab, module, text.to_owned()));
        Self { checker, module, course: lab.course(), before, after }
    }

    /// Rebuilds the modules above the new text and tests each of them against it. Returns how the first one fails,
    /// if one does.
    fn objection(&self, steps: &mut dyn FnMut(Step)) -> Result<Option<String>, Error> {
        self.rebuild(steps)?;
        for later in self.course.modules().iter().filter(|later| later.id > self.module.id) {
            if self.checker.cancel.is_cancelled() {
                return Ok(None);
            }
            steps(Step::Proving { module: later.id });
            let report = self.check(later, &self.after)?;
            let Some(reason) = objection(&report, self.module, self.course) else { continue };
            // A module that fails on the engine as it is says nothing about the new text.
            let is_news = self.check(later, &self.before)?.outcome() == Outcome::Passed;
            if is_news {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Builds the modules that are missing above the new text.
    fn rebuild(&self, steps: &mut dyn FnMut(Step)) -> Result<(), Error> {
        let Checker { runner, cancel } = self.checker;
        let mut making: Option<(ModuleId, Instant)> = None;
        let mut ended = |earlier: Option<(ModuleId, Instant)>| {
            if let Some((module, since)) = earlier {
                steps(Step::Rebuilt { module, took: since.elapsed() });
            }
        };
        let top = self.course.modules().last().map_or(0, |module| module.id.0 + 1);
        runner.prepare(ModuleId(top), &self.after, cancel, &mut |event| {
            if let RunEvent::Preparing { what, .. } = event
                && let Some(module) = self.course.by_slug(&what)
            {
                ended(making.replace((module.id, Instant::now())));
            }
        })?;
        if !cancel.is_cancelled() {
            ended(making.take());
        }
        Ok(())
    }

    /// Checks a later module: the learner's text where that is in the engine, else the reference.
    fn check(&self, later: &Module, sources: &ModuleSources) -> Result<ModuleReport, Error> {
        let (file, text) = match sources.0.get(&later.id) {
            Some(ModuleSource::Learner { file, text }) => (file.clone(), text.as_str()),
            _ => (format!("src/tinytorch/src/{}.rs", later.name).into(), later.reference()),
        };
        self.checker.check(later, file, text, sources, &mut |_| {})
    }
}

/// How a later module fails on the new text of `module`; `None` when it does not.
fn objection(report: &ModuleReport, module: &Module, course: &Course) -> Option<String> {
    let fell_back = report.notices.iter().find_map(|notice| match notice {
        Notice::FellBack { module: replaced, at, reason } if *replaced == module.id => {
            Some(human::fell_back(*replaced, *at, reason, course))
        }
        _ => None,
    });
    if fell_back.is_some() {
        return fell_back;
    }
    match report.outcome() {
        Outcome::Passed => None,
        Outcome::DoesNotCompile => {
            let error = report.errors().next().map(|error| error.message.clone());
            Some(human::fell_back(module.id, report.module, &error.unwrap_or_default(), course))
        }
        _ => {
            let failed = report.graded().find(|test| !test.passes())?;
            let verdict = failed.result.as_ref().map(|result| &result.verdict);
            let (word, more) = verdict.map_or(("not run", String::new()), human::verdict);
            let first = match verdict {
                Some(Verdict::Failed { message, .. }) => message.lines().next().unwrap_or_default(),
                _ => more.lines().next().unwrap_or_default(),
            };
            let later = course.slug(report.module);
            Some(format!("{later} fails on it: {} {word}: {first}", failed.name))
        }
    }
}
