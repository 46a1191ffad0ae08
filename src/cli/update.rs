//! `update`: a lab of an older version gets this version's exercises and lessons, and keeps the learner's work.

use super::arguments::UpdateArguments;
use super::context::Context;
use super::printer::Printer;
use super::release::{self, spaced, word};
use crate::classroom::CourseFile;
use crate::curriculum::Module;
use crate::curriculum::cells::Change;
use crate::error::{Error, count, harmless};
use crate::lab::{Class, Lab, Mark, ModuleUpdate, NotUpdated, Terms, Updated};
use std::path::Path;

/// Succeeds when no exercise needs the learner's attention.
pub fn run(
    context: &Context,
    arguments: &UpdateArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let lab = context.lab()?;
    lab.refuse_clone()?;
    let mark = lab.mark()?;
    let new = Mark::new(class(context, arguments, &mark)?.as_ref());
    let mut changed = vec![];
    // With modules named, the others may still be of the earlier version.
    if (arguments.modules.is_empty() && mark != new) || mark.class != new.class {
        show_mark(&mark, &new, lab.course().modules(), out);
        if arguments.write {
            lab.write_mark(&new)?;
        }
        changed.push("the lab's description".to_owned());
    }
    let (modules, is_clear) = update_modules(context, arguments, &lab, &mark, &new, out)?;
    if modules > 0 {
        changed.push(count(modules, "module"));
    }
    if arguments.write {
        lab.write_workspace()?;
    }
    let what = changed.join(" and ");
    out.line(match (changed.is_empty(), arguments.write) {
        (true, _) => "Every exercise and lesson that can be updated is up to date.".to_owned(),
        (false, true) => format!("Updated {what}."),
        (false, false) => format!(
            "To be updated: {what}; nothing was written. The same command with `--write` does it, after backups."
        ),
    });
    Ok(is_clear)
}

/// The class as it is to be: that of the instructor's changed file, if one was named.
fn class(
    context: &Context,
    arguments: &UpdateArguments,
    mark: &Mark,
) -> Result<Option<Class>, Error> {
    let Some(path) = &arguments.course else { return Ok(mark.class.clone()) };
    if mark.class.is_none() {
        return Err(Error::usage("this lab was not released for a class")
            .hint("`update` without `--course` brings it up to date."));
    }
    let file = CourseFile::read_terms(path, context.course())?;
    Ok(Some(release::class(&file)))
}

/// How many modules change, and whether none needs the learner's attention.
fn update_modules(
    context: &Context,
    arguments: &UpdateArguments,
    lab: &Lab,
    mark: &Mark,
    new: &Mark,
    out: &mut Printer,
) -> Result<(usize, bool), Error> {
    let (mut changed, mut is_clear) = (0, true);
    let class = new.class.as_ref();
    let modules = match arguments.modules.is_empty() {
        true => lab.modules_of(class),
        false => context.modules(&arguments.modules)?,
    };
    let earlier = lab.modules_of(mark.class.as_ref());
    for module in modules {
        if !earlier.contains(&module) && !lab.exercise(module).exists() {
            if arguments.write {
                lab.add_module(module, class)?;
            }
            continue;
        }
        let plan = match lab.plan_update(module, class) {
            Ok(plan) if plan.is_empty() => {
                if arguments.write && !plan.has_base {
                    lab.update(&plan)?;
                }
                continue;
            }
            Ok(plan) => plan,
            Err(problem) => {
                out.line(format!("{}: not updated: {}", module.slug(), reason(&problem)));
                is_clear = false;
                continue;
            }
        };
        changed += 1;
        is_clear &= !plan.has_conflict();
        show(&plan, arguments.diff, out);
        if arguments.write {
            show_written(lab, &lab.update(&plan)?, out);
        }
    }
    Ok((changed, is_clear))
}

/// What changes in a lab's description.
fn show_mark(old: &Mark, new: &Mark, modules: &[Module], out: &mut Printer) {
    out.line("the lab:");
    let mut line =
        |what: &str, change: &str| out.line(format!("  {what:<16} {}", harmless(change)));
    if old.made_by != new.made_by {
        line("version", &format!("{}, now {}", old.made_by, new.made_by));
    }
    let (Some(old), Some(new)) = (&old.class, &new.class) else { return };
    if old.title != new.title {
        line("title", &format!("\"{}\", now \"{}\"", old.title, new.title));
    }
    for module in modules {
        match (old.terms(module), new.terms(module)) {
            (Some(old), Some(new)) if old != new => line(&module.slug(), &changes(old, new)),
            (None, Some(_)) => line(&module.slug(), "new in the class"),
            (Some(_), None) => line(&module.slug(), "no longer in the class; your files stay"),
            _ => {}
        }
    }
}

/// What changes in the terms of a module.
fn changes(old: &Terms, new: &Terms) -> String {
    let texts = |terms: &Terms| {
        let deadline = terms.deadline.as_ref().map_or_else(|| "none".to_owned(), spaced);
        let [hints, solutions] =
            [terms.hints, terms.solutions].map(|is_open| word(is_open).to_owned());
        [terms.points.to_string(), deadline, hints, solutions]
    };
    let pairs = texts(old).into_iter().zip(texts(new));
    let named = ["points", "deadline", "hints", "solutions"].into_iter().zip(pairs);
    let changed = named.filter(|(_, (old, new))| old != new);
    changed
        .map(|(what, (old, new))| format!("{what} {old}, now {new}"))
        .collect::<Vec<_>>()
        .join("; ")
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
    if plan.has_conflict() && !plan.has_base {
        out.line(
            "  The lab has no copy of the starter that you began with, as an earlier version of this program kept none. So \
             what you may have written in stays, and the course's version is put beside it.",
        );
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
