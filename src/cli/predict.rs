//! `predict`: the open tasks of a lesson. Records a prediction or a result, and prints it beside what was measured.

use super::arguments::{Format, PredictArguments};
use super::context::Context;
use super::printer::Printer;
use super::records::Records;
use crate::curriculum::Module;
use crate::curriculum::lesson::{Lesson, Task};
use crate::error::Error;
use crate::report::prediction::{beside, one_line};
use crate::report::{ModuleReport, Part, Written, json};
use serde::Serialize;

#[derive(Serialize)]
struct OpenTask<'a> {
    task: &'a str,
    question: &'a str,
    unit: &'a str,
    predictions: &'a [String],
    results: &'a [String],
    measured: Option<f64>,
}

/// Succeeds when the task is known; without one, all of the lesson are printed.
pub fn run(
    context: &Context,
    arguments: &PredictArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let module = context.course().named(&arguments.module)?;
    let lab = context.lab()?;
    let lesson = lab.read_lesson(module);
    let mut records = Records::open(&lab)?;
    let tasks = match &arguments.task {
        Some(name) => vec![named(module, &lesson, name)?],
        None => lesson.tasks().collect(),
    };
    if tasks.is_empty() && arguments.format == Format::Human {
        out.line(format!("{} has no open tasks.", module.slug()));
    }
    if let [task] = tasks[..]
        && let Some(text) = text(arguments)
    {
        let part = part(arguments, task)?;
        records.keep(|store| store.record_written(module.id, &task.name, part, &text));
    }
    let measured = records.measured(module, &lab.read_exercise(module).unwrap_or_default());
    let written = records.written(module.id)?;
    for task in tasks {
        let none = Written::default();
        let written = written.get(&task.name).unwrap_or(&none);
        show(task, written, &measured, arguments.format, out);
    }
    Ok(true)
}

fn named<'a>(module: &Module, lesson: &'a Lesson, name: &str) -> Result<&'a Task, Error> {
    let long = format!("{}-{name}", module.name);
    let mut tasks = lesson.tasks();
    tasks.find(|task| task.name == name || task.name == long).ok_or_else(|| {
        let names: Vec<&str> = lesson.tasks().map(|task| task.name.as_str()).collect();
        let known = match names[..] {
            [] => "It has no open tasks.".to_owned(),
            _ => format!("Its open tasks are {}.", names.join(", ")),
        };
        Error::usage(format!("{} has no open task \"{name}\"", module.slug())).hint(known)
    })
}

fn text(arguments: &PredictArguments) -> Option<String> {
    let text = one_line(&arguments.text.join(" "));
    (!text.is_empty()).then_some(text)
}

fn part(arguments: &PredictArguments, task: &Task) -> Result<Part, Error> {
    match (&task.value, arguments.result) {
        (Some(value), true) => {
            let name = &task.name;
            Err(Error::usage(format!("the result of \"{name}\" is measured by {}", value.analysis))
                .hint("`tinytorch-tutor analyze MODULE` measures it."))
        }
        (None, true) => Ok(Part::Result),
        (_, false) => Ok(Part::Prediction),
    }
}

fn show(task: &Task, written: &Written, report: &ModuleReport, format: Format, out: &mut Printer) {
    let Task { name, question, unit, value } = task;
    let metric = value.as_ref().and_then(|value| report.value(value)).map(|(metric, _)| metric);
    match format {
        Format::Json => out.line(json::to_line(&OpenTask {
            task: name,
            question,
            unit,
            predictions: &written.predictions,
            results: &written.results,
            measured: metric.map(|metric| metric.value),
        })),
        Format::Human => {
            out.line(format!("{name}: {}", question.replace('\n', " ")));
            let sentence = beside(task, written, metric);
            out.line(format!("  {}", sentence.as_deref().unwrap_or("no prediction yet")));
        }
    }
}
