//! `author mutants`: runs each module's wrong solutions. One that passes its cell's test, or whose failure does
//! not name the missed idea, is a defect of the test.

use super::check::stopped;
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::Module;
use crate::curriculum::mutants::{self, Mutant, Mutants};
use crate::error::{Error, count};
use crate::report::{ModuleReport, human};
use crate::runner::event::{RunKind, Verdict};
use crate::runner::{ModuleSources, Request, Runner};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Returns whether every wrong solution fails its cell's own test, with its idea named.
pub fn run(context: &Context, words: &[String], out: &mut Printer) -> Result<bool, Error> {
    let runner = context.runner()?;
    let mut all = true;
    for module in context.modules(words)? {
        let known = read(context, module)?;
        let mut defects: Vec<String> = known
            .lacking(module.reference())
            .into_iter()
            .map(|(cell, number)| {
                format!(
                    "{cell}: {}, at least {} needed",
                    count(number, "mutant"),
                    mutants::PER_CELL
                )
            })
            .collect();
        defects.extend(survivors(context, &runner, module, &known.mutants)?);
        all &= defects.is_empty();
        let number = count(known.mutants.len(), "mutant");
        out.line(format!("{}: {number}, {}", module.slug(), count(defects.len(), "defect")));
        defects.iter().for_each(|defect| out.line(format!("  {defect}")));
    }
    Ok(all)
}

/// The module's file in the clone; a module without one has no mutants.
fn read(context: &Context, module: &Module) -> Result<Mutants, Error> {
    let folder = context.lab()?.root().join("src/tinytorch/mutants");
    let path = folder.join(module.slug()).with_extension("toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => mutants::parse(&text).map_err(|error| {
            Error::usage(format!("\"{}\" is not a list of mutants: {error}", path.display()))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Mutants::default()),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// The defects of the tests, in the order of the mutants. As many run at a time as there are cores.
fn survivors(
    context: &Context,
    runner: &Runner,
    module: &Module,
    mutants: &[Mutant],
) -> Result<Vec<String>, Error> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(mutants.len());
    let (next, found) = (AtomicUsize::new(0), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !context.cancel.is_cancelled() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutant) = mutants.get(index) else { break };
                    let defect = defect(context, runner, module, mutant);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.push((index, defect));
                }
            });
        }
    });
    stopped(&context.cancel)?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(index, _)| *index);
    let defects = found.into_iter().map(|(_, defect)| defect);
    defects.filter_map(Result::transpose).collect()
}

/// Runs the cell's own test on one wrong solution.
fn defect(
    context: &Context,
    runner: &Runner,
    module: &Module,
    mutant: &Mutant,
) -> Result<Option<String>, Error> {
    let found = |what: String| Ok(Some(format!("{}: {}: {what}", mutant.cell, mutant.mistake)));
    let text = match mutant.apply(module.reference()) {
        Ok(text) => text,
        Err(reason) => return found(reason),
    };
    let Some(test) = mutant.test(module.reference()) else {
        return found("the cell has no test directly after it".to_owned());
    };
    let request = Request {
        module: module.id,
        kind: RunKind::Check,
        only: vec![test],
        file: format!("src/tinytorch/src/{}.rs", module.name).into(),
        text,
        sources: ModuleSources::default(),
        separate_tests: false,
    };
    let mut report = ModuleReport::new(module.id);
    runner.run(&request, &context.cancel.beside(), &mut |event| report.apply(&event))?;
    if let Some(error) = report.errors().next() {
        return found(format!("does not compile: {}", error.message));
    }
    let verdict = report.tests.first().and_then(|test| test.result.as_ref());
    match verdict.map(|result| &result.verdict) {
        None => found("its test did not run".to_owned()),
        Some(Verdict::Passed) => found("passes its test".to_owned()),
        Some(verdict) => {
            let (word, more) = human::verdict(verdict);
            let failure = format!("{word}: {more}");
            if mutant.is_named(&failure) {
                return Ok(None);
            }
            found(format!("the failure does not name {:?}: {failure}", mutant.idea))
        }
    }
}
