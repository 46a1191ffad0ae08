//! `check`: compile exercises and run their tests.

use super::arguments::{CheckArguments, CheckFormat};
use super::context::Context;
use super::meter::Meter;
use super::printer::Printer;
use super::records::Records;
use crate::classroom::CourseFile;
use crate::curriculum::{Course, Module};
use crate::error::{Error, printable};
use crate::framework::{Engine, sources};
use crate::lab::Lab;
use crate::report::figures::figure;
use crate::report::{ModuleReport, Outcome, human, json, junit, prediction};
use crate::runner::event::{Frame, RunEvent, RunKind};
use crate::runner::{Cancel, Explorable, ModuleSource, ModuleSources, Request, Runner};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tinytorch::explore::Settings;

/// Returns whether everything passes.
pub fn run(
    context: &Context,
    arguments: &CheckArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    if let Some(file) = &arguments.course {
        return check_class(context, file, arguments, out);
    }
    let mut session = CheckSession::open(context, arguments.solution)?;
    session.separate_tests = arguments.separate_tests;
    let modules = match arguments.solution {
        true => context.modules(&arguments.modules)?,
        false => context.modules_of_lab(&arguments.modules)?,
    };
    check(session, modules, arguments.format, out)
}

/// Checks the reference with the hidden tests of a course file.
fn check_class(
    context: &Context,
    file: &Path,
    arguments: &CheckArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let file = CourseFile::read(file, context.course())?;
    let context = context.of_class(&file);
    let slugs: Vec<String> = file.assignments.iter().map(|known| known.slug.clone()).collect();
    let words = if arguments.modules.is_empty() { &slugs } else { &arguments.modules };
    let mut session = CheckSession::open(&context, true)?;
    // As submissions are graded.
    session.separate_tests = true;
    check(session, context.modules(words)?, arguments.format, out)
}

fn check(
    mut session: CheckSession,
    modules: Vec<&'static Module>,
    format: CheckFormat,
    out: &mut Printer,
) -> Result<bool, Error> {
    let mut reports: Vec<(String, ModuleReport)> = vec![];
    let mut passed = true;
    for module in modules {
        if out.is_closed() {
            return Ok(false);
        }
        match session.check(module)? {
            Ok(report) => {
                passed &= report.outcome() == Outcome::Passed;
                match format {
                    CheckFormat::Human => {
                        session.show(&report, out);
                    }
                    CheckFormat::Json => out.line(json::check(&report, &module.slug())),
                    CheckFormat::Junit => reports.push((module.slug(), report)),
                }
            }
            Err(problem) => {
                passed = false;
                print_problem(format, module, &problem, out);
                reports.push((module.slug(), ModuleReport::new(module.id)));
            }
        }
    }
    if format == CheckFormat::Junit {
        out.line(junit::checks(reports.iter().map(|(name, report)| (name.as_str(), report))));
    }
    Ok(passed)
}

/// Ends a command whose run was cancelled, so that a partial result is not taken for a complete one.
///
/// # Errors
/// When it was cancelled.
pub fn stopped(cancel: &Cancel) -> Result<(), Error> {
    if cancel.is_cancelled() { Err(Error::unmet("stopped")) } else { Ok(()) }
}

/// Prints why an exercise cannot be read.
pub fn print_problem(format: CheckFormat, module: &Module, problem: &str, out: &mut Printer) {
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

/// What commands need to check one module after another.
pub struct CheckSession {
    runner: Runner,
    cancel: Cancel,
    source: Source,
    meter: Meter,
    course: &'static Course,
    verbose: bool,
    separate_tests: bool,
}

enum Source {
    Reference,
    Learner { lab: Lab, engine: Engine, records: Box<Records> },
}

impl CheckSession {
    /// A session on the reference's or the learner's files.
    pub fn open(context: &Context, solution: bool) -> Result<Self, Error> {
        let source = if solution {
            Source::Reference
        } else {
            let lab = context.lab()?;
            let records = Box::new(Records::open(&lab)?);
            Source::Learner { lab, engine: context.engine(), records }
        };
        Ok(Self {
            runner: context.runner()?,
            cancel: context.cancel.clone(),
            source,
            meter: Meter::stderr(context.course()),
            course: context.course(),
            verbose: context.verbose,
            separate_tests: false,
        })
    }

    /// The text to compile and the name to show, or why it cannot be read.
    pub fn text(&self, module: &Module) -> Result<(PathBuf, String), String> {
        match &self.source {
            Source::Reference => {
                let file = format!("src/tinytorch/src/{}.rs", module.name);
                Ok((file.into(), module.graded().to_owned()))
            }
            Source::Learner { lab, .. } => {
                let file = lab.exercise(module);
                match lab.read_exercise(module) {
                    Ok(text) => Ok((file, text)),
                    Err(problem) => Err(format!("{}: {problem}", printable(&file))),
                }
            }
        }
    }

    /// Checks one module, and records the result when the file is the learner's. The inner error says why the
    /// file cannot be read.
    pub fn check(&mut self, module: &Module) -> Result<Result<ModuleReport, String>, Error> {
        let (file, text) = match self.text(module) {
            Ok(source) => source,
            Err(problem) => return Ok(Err(problem)),
        };
        let report = self.report(module, RunKind::Check, vec![], file, &text, &mut |_| {})?;
        if let Source::Learner { records, .. } = &mut self.source {
            records.keep(|store| store.record_check(&report, &text));
        }
        Ok(Ok(report))
    }

    /// Computes one frame of an explorable; none when cancelled.
    pub fn explore(
        self,
        module: &Module,
        name: &str,
        (file, text): (PathBuf, String),
        settings: &Settings,
    ) -> Result<Option<Frame>, Error> {
        let (module, kind, sources) = (module.id, RunKind::Analysis, self.sources()?);
        let (only, separate_tests) = (vec![], false);
        let request = Request { module, kind, only, file, text, sources, separate_tests };
        Explorable::new(Arc::new(self.runner), name, request, self.cancel).frame(settings)
    }

    /// Runs one request and folds what happens.
    pub fn report(
        &mut self,
        module: &Module,
        kind: RunKind,
        only: Vec<String>,
        file: PathBuf,
        text: &str,
        events: &mut dyn FnMut(&RunEvent),
    ) -> Result<ModuleReport, Error> {
        let sources = self.sources()?;
        let request = Request {
            module: module.id,
            kind,
            only,
            file,
            text: text.to_owned(),
            sources,
            separate_tests: self.separate_tests,
        };
        let mut report = ModuleReport::new(module.id);
        let Self { runner, cancel, meter, .. } = self;
        let ran = runner.run(&request, cancel, &mut |event| {
            meter.show(&event);
            report.apply(&event);
            events(&event);
        });
        meter.clear();
        ran?;
        stopped(cancel)?;
        Ok(report)
    }

    /// The sources of the modules below. Read for each run: another terminal may complete one.
    fn sources(&self) -> Result<ModuleSources, Error> {
        match &self.source {
            Source::Reference => Ok(ModuleSources::default()),
            Source::Learner { lab, engine, .. } => sources(lab, *engine),
        }
    }

    /// Records what analyses reported when the file is the learner's.
    pub fn keep_analyses(&mut self, report: &ModuleReport, text: &str) {
        let Source::Learner { records, .. } = &mut self.source else { return };
        for analysis in &report.analyses {
            let (name, items) = (&analysis.name, &analysis.items);
            records.keep(|store| store.record_analysis(report.module, name, items, text));
        }
    }

    /// Prints a report for people.
    pub fn show(&self, report: &ModuleReport, out: &mut Printer) {
        out.text(&human::check(report, self.course, out.colour()));
        self.show_predictions(report, out);
        if self.verbose {
            self.show_details(report, out);
        }
    }

    /// Prints what the learner predicted beside what was measured: in this run, else when this text was analyzed.
    pub fn show_predictions(&self, report: &ModuleReport, out: &mut Printer) {
        let Source::Learner { lab, records, .. } = &self.source else { return };
        let Some(module) = self.course.module(report.module) else { return };
        let text = lab.read_exercise(module).unwrap_or_default();
        let mut known = records.measured(module, &text);
        known.analyses.retain(|old| !report.analyses.iter().any(|new| new.name == old.name));
        known.analyses.extend(report.analyses.iter().cloned());
        let written = records.written(module.id).unwrap_or_default();
        out.text(&prediction::lines(&lab.read_lesson(module), &written, &known));
    }

    /// Whose code the module ran on, and the time of each test.
    fn show_details(&self, report: &ModuleReport, out: &mut Printer) {
        let sources = self.sources().unwrap_or_default();
        let below = self.course.modules().iter().filter(|module| module.id < report.module);
        for module in below {
            let mine = matches!(sources.0.get(&module.id), Some(ModuleSource::Learner { .. }));
            let whose = if mine { "yours" } else { "the reference" };
            out.line(format!("  ran on {}: {whose}", module.slug()));
        }
        for result in report.tests.iter().filter_map(|test| test.result.as_ref()) {
            out.line(format!("  {}: {}", result.name, figure(result.took.as_secs_f64(), "s")));
        }
    }
}
