//! `check`: compile exercises and run their tests.

use super::arguments::{CheckArguments, CheckFormat};
use super::context::Context;
use super::output::Output;
use crate::curriculum::Module;
use crate::error::Error;
use crate::framework::links;
use crate::lab::Lab;
use crate::progress::Store;
use crate::report::{ModuleReport, Outcome, human, json, junit};
use crate::runner::event::{Frame, RunKind};
use crate::runner::{Cancel, Explorable, ModuleSources, Request, Runner};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use tinytorch::explore::Settings;

/// Returns whether everything passes.
pub fn run(context: &Context, arguments: &CheckArguments, out: &mut Output) -> Result<bool, Error> {
    let modules = context.modules(&arguments.modules)?;
    let mut bench = Bench::open(context, arguments.solution)?;
    let mut reports: Vec<(String, ModuleReport)> = vec![];
    let mut passed = true;
    for module in modules {
        if out.is_closed() {
            return Ok(false);
        }
        match bench.check(module)? {
            Ok(report) => {
                passed &= report.outcome() == Outcome::Passed;
                match arguments.format {
                    CheckFormat::Human => {
                        out.text(&human::check(&report, context.course(), out.colour()));
                    }
                    CheckFormat::Json => out.line(json::check(&report, &module.slug())),
                    CheckFormat::Junit => reports.push((module.slug(), report)),
                }
            }
            Err(problem) => {
                passed = false;
                say_problem(arguments.format, module, &problem, out);
                reports.push((module.slug(), ModuleReport::new(module.id)));
            }
        }
    }
    if arguments.format == CheckFormat::Junit {
        out.line(junit::checks(reports.iter().map(|(name, report)| (name.as_str(), report))));
    }
    Ok(passed)
}

/// An end for what has no result because somebody stopped it.
///
/// # Errors
/// When somebody did.
pub fn stopped(cancel: &Cancel) -> Result<(), Error> {
    if cancel.is_cancelled() { Err(Error::unmet("stopped")) } else { Ok(()) }
}

fn say_problem(format: CheckFormat, module: &Module, problem: &str, out: &mut Output) {
    #[derive(Serialize)]
    struct Problem<'a> {
        name: String,
        outcome: &'a str,
        problem: &'a str,
    }
    match format {
        CheckFormat::Human => out.line(format!("{}: {problem}", module.slug())),
        CheckFormat::Json => {
            out.line(json::to_line(&Problem {
                name: module.slug(),
                outcome: "unreadable",
                problem,
            }));
        }
        CheckFormat::Junit => {}
    }
}

/// Everything that a check of one module after the other needs.
pub struct Bench {
    runner: Runner,
    cancel: Cancel,
    source: Source,
    links: ModuleSources,
}

enum Source {
    Reference,
    Learner { lab: Lab, store: Box<Store> },
}

impl Bench {
    /// For the reference's or the learner's files.
    pub fn open(context: &Context, solution: bool) -> Result<Self, Error> {
        let (runner, cancel) = (context.runner()?, context.cancel.clone());
        if solution {
            return Ok(Self {
                runner,
                cancel,
                source: Source::Reference,
                links: ModuleSources::default(),
            });
        }
        let lab = context.lab()?;
        let store = context.store(&lab)?;
        let links = links(&lab, context.engine())?;
        Ok(Self { runner, cancel, source: Source::Learner { lab, store: Box::new(store) }, links })
    }

    /// The text to compile and the name to show, or why it cannot be read.
    pub fn text(&self, module: &Module) -> Result<(PathBuf, String), String> {
        match &self.source {
            Source::Reference => {
                let file = format!("src/tinytorch/src/{}.rs", module.name);
                Ok((file.into(), module.reference().to_owned()))
            }
            Source::Learner { lab, .. } => {
                let file = lab.exercise(module);
                match lab.read_exercise(module) {
                    Ok(text) => Ok((file, text)),
                    Err(problem) => Err(format!("{}: {problem}", file.display())),
                }
            }
        }
    }

    /// Checks one module, and remembers it when the file is the learner's. The inner error says why
    /// the file cannot be read.
    fn check(&mut self, module: &Module) -> Result<Result<ModuleReport, String>, Error> {
        let (file, text) = match self.text(module) {
            Ok(source) => source,
            Err(problem) => return Ok(Err(problem)),
        };
        let report = self.report(module, RunKind::Check, vec![], file, &text, &mut |_| {})?;
        if let Source::Learner { store, .. } = &mut self.source {
            store.record_check(&report, &text)?;
        }
        Ok(Ok(report))
    }

    /// Computes one frame of an explorable; none when stopped.
    pub fn explore(
        self,
        module: &Module,
        name: &str,
        (file, text): (PathBuf, String),
        settings: &Settings,
    ) -> Result<Option<Frame>, Error> {
        let (module, kind, links) = (module.id, RunKind::Analysis, self.links);
        let request = Request { module, kind, only: vec![], file, text, links };
        Explorable::new(Arc::new(self.runner), name, request, self.cancel).frame(settings)
    }

    /// Runs one request and folds what happens.
    pub fn report(
        &self,
        module: &Module,
        kind: RunKind,
        only: Vec<String>,
        file: PathBuf,
        text: &str,
        events: &mut dyn FnMut(&crate::runner::event::RunEvent),
    ) -> Result<ModuleReport, Error> {
        let links = self.links.clone();
        let request = Request { module: module.id, kind, only, file, text: text.to_owned(), links };
        let mut report = ModuleReport::new(module.id);
        self.runner.run(&request, &self.cancel, &mut |event| {
            report.apply(&event);
            events(&event);
        })?;
        stopped(&self.cancel)?;
        Ok(report)
    }
}
