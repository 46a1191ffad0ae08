//! `update`: a lab of an older version gets this version's exercises and lessons, and keeps the learner's work.

use super::arguments::UpdateArguments;
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::cells::Change;
use crate::error::{Error, count, harmless};
use crate::lab::{Lab, ModuleUpdate, NotUpdated, Updated};
use std::path::Path;

/// Succeeds when no exercise needs the learner's attention.
pub fn run(
    context: &Context,
    arguments: &UpdateArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let lab = context.lab()?;
    lab.refuse_clone()?;
    let class = lab.class()?;
    let (mut changed, mut is_clear) = (0, true);
    for module in context.modules_of_lab(&arguments.modules)? {
        let plan = match lab.plan_update(module, class.as_ref()) {
            Ok(plan) if plan.is_empty() => continue,
            Ok(plan) => plan,
            Err(problem) => {
                out.line(format!("{}: not updated: {}", module.slug(), reason(&problem)));
                is_clear = false;
                continue;
            }
        };
        changed += 1;
        is_clear &= !plan.changes.iter().any(|(_, change)| *change == Change::Kept);
        show(&plan, arguments.diff, out);
        if arguments.write {
            show_written(&lab, &lab.update(&plan)?, out);
        }
    }
    if arguments.write {
        lab.write_workspace()?;
    }
    out.line(match (changed, arguments.write) {
        (0, _) => "Every exercise and lesson that can be updated is up to date.".to_owned(),
        (changed, true) => format!("Updated {}.", count(changed, "module")),
        (changed, false) => format!(
            "{} would change; nothing was written. `tinytorch-tutor update --write` does it, after backups.",
            count(changed, "module")
        ),
    });
    Ok(is_clear)
}

fn reason(problem: &NotUpdated) -> String {
    match problem {
        NotUpdated::Unreadable(problem) => problem.to_string(),
        NotUpdated::Unclear(line) => format!(
            "the marker in line {line} cannot be read or its id is there twice; repair it, or `reset` the exercise"
        ),
    }
}

fn show(plan: &ModuleUpdate, diff: bool, out: &mut Printer) {
    out.line(format!("{}:", plan.module.slug()));
    for (cell, change) in &plan.changes {
        let (word, why) = match change {
            Change::Added => ("new", "the course has added it"),
            Change::Replaced => ("replaced", "you have not written in it, or it is locked"),
            Change::Merged => ("merged", "your code, with what the course has changed"),
            Change::Dropped => {
                ("left out", "the course no longer has it; a solution of yours stays")
            }
            Change::Kept => ("yours", "it stays as it is; compare it with the course's version"),
        };
        out.line(format!("  {word:<9} {}: {why}", harmless(cell)));
    }
    if plan.lesson.is_some() {
        out.line("  replaced  the lesson");
    }
    if diff {
        let [before, after] = &plan.texts;
        out.text(&harmless(&diffy::create_patch(before, after).to_string()));
    }
}

fn show_written(lab: &Lab, updated: &Updated, out: &mut Printer) {
    let mut line = |what: &str, path: Option<&Path>| {
        if let Some(path) = path {
            let path = path.strip_prefix(lab.root()).unwrap_or(path);
            out.line(format!("  {what} {}", path.display()));
        }
    };
    line("your exercise as it was:", updated.backup.as_deref());
    line("the lesson as it was:", updated.lesson.as_deref());
    line("the course's version:", updated.beside.as_deref());
}
