//! `list`: the modules with their status.

use super::arguments::{Format, ListArguments};
use super::context::Context;
use super::printer::Printer;
use super::records::Records;
use super::release::spaced;
use crate::curriculum::{Module, cells};
use crate::error::{Error, count};
use crate::framework::{Engine, Owner, edited_since, owners};
use crate::lab::{Lab, Terms};
use crate::progress::{LastCheck, Store};
use crate::report::json;
use serde::Serialize;

#[derive(Serialize)]
struct ModuleRow {
    number: u8,
    name: String,
    title: &'static str,
    prerequisites: Vec<String>,
    points: u32,
    state: String,
    passed: usize,
    tests: usize,
    completed: bool,
    /// Whether the exercise was edited after it was completed.
    edited_since: bool,
    /// What it counts in the learner's class.
    #[serde(skip_serializing_if = "Option::is_none")]
    class_points: Option<u32>,
    /// Until when the class hands it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    #[serde(flatten)]
    owner: Owner,
}

/// Always succeeds: a list of unfinished modules is a list.
pub fn run(context: &Context, arguments: &ListArguments, out: &mut Printer) -> Result<bool, Error> {
    let lab = context.lab()?;
    let records = Records::open(&lab)?;
    let owners = owners(&lab, Engine::Mine)?;
    let class = lab.class()?;
    if let (Some(class), Format::Human) = (&class, arguments.format) {
        out.line(&class.title);
    }
    for module in lab.modules()? {
        let owner = owners.get(&module.id).cloned().unwrap_or(Owner::Reference);
        let terms = class.as_ref().and_then(|class| class.terms(module));
        let row = row(module, &lab, &records, owner, terms)?;
        match arguments.format {
            Format::Json => out.line(json::to_line(&row)),
            Format::Human => out.line(human(&row)),
        }
    }
    let outdated = lab.modules()?.into_iter().filter(|module| lab.is_outdated(module)).count();
    if outdated > 0 && arguments.format == Format::Human {
        let exercises = count(outdated, "exercise");
        out.line(format!(
            "{exercises} of an older version: `tinytorch-tutor update` shows what is new."
        ));
    }
    Ok(true)
}

fn row(
    module: &'static Module,
    lab: &Lab,
    store: &Store,
    owner: Owner,
    terms: Option<&Terms>,
) -> Result<ModuleRow, Error> {
    let exercise = lab.read_exercise(module);
    let edited = exercise.as_ref().is_ok_and(|text| edited_since(lab, module, text));
    let (state, passed) = match exercise {
        Err(problem) => (format!("unreadable: {problem}"), 0),
        Ok(text) => match store.last_check(module.id, &text)? {
            None if cells::starter(module.reference()) == text => ("not_started".to_owned(), 0),
            None => ("unchecked".to_owned(), 0),
            Some(LastCheck { current: false, .. }) => ("edited".to_owned(), 0),
            Some(last_check) => (last_check.outcome, last_check.passed),
        },
    };
    Ok(ModuleRow {
        number: module.id.0,
        name: module.slug(),
        title: &module.title,
        prerequisites: module.prerequisites.iter().map(|id| lab.course().slug(*id)).collect(),
        points: cells::points(module.reference()),
        state,
        passed,
        tests: cells::tests(module.reference()).len(),
        completed: owner != Owner::Reference,
        edited_since: edited,
        class_points: terms.map(|terms| terms.points),
        deadline: terms.and_then(|terms| Some(spaced(&terms.deadline?))),
        owner,
    })
}

fn human(row: &ModuleRow) -> String {
    let state = match row.state.as_str() {
        "passed" => "passes".to_owned(),
        "unfinished" => format!("{} of {} tests pass", row.passed, row.tests),
        "edited" => "edited since the last check".to_owned(),
        "unchecked" => "not checked yet".to_owned(),
        other => other.replace('_', " "),
    };
    let mine = match &row.owner {
        Owner::Reference => String::new(),
        Owner::Learner if row.edited_since => {
            ", in your engine as it was when you completed it".to_owned()
        }
        Owner::Learner => ", in your engine".to_owned(),
        Owner::Rejected { reason } => format!(", the reference is used instead: {reason}"),
    };
    let needs = match row.prerequisites.as_slice() {
        [] => String::new(),
        before => format!("  needs {}", before.join(", ")),
    };
    let due =
        row.deadline.as_ref().map_or_else(String::new, |deadline| format!("  due {deadline}"));
    let points = row.class_points.unwrap_or(row.points);
    format!("{:<16} {points:>3} points  {state}{mine}{needs}{due}", row.name)
}
