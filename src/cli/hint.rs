//! `hint`: the next hint for a cell, from a nudge to nearly the code.

use super::arguments::{CellArguments, Format};
use super::context::Context;
use super::printer::Printer;
use super::records::Records;
use crate::curriculum::cells::{self, CellKind};
use crate::curriculum::lesson::Lesson;
use crate::curriculum::{Module, lesson};
use crate::error::Error;
use crate::lab::Help;
use crate::report::json;
use serde::Serialize;

#[derive(Serialize)]
struct Hint<'a> {
    cell: &'a str,
    number: usize,
    of: usize,
    hint: &'a str,
}

/// What is printed where every cell is written.
#[derive(Serialize)]
struct NoHint<'a> {
    module: &'a str,
    cell: Option<&'a str>,
}

/// Succeeds when there was a hint to show, or no cell is left that needs one.
pub fn run(context: &Context, arguments: &CellArguments, out: &mut Printer) -> Result<bool, Error> {
    let module = context.course().named(&arguments.module)?;
    let lab = context.lab()?;
    if let Some(class) = lab.class()? {
        class.allow(Help::Hints, module)?;
    }
    let mut records = Records::open(&lab)?;
    let lesson = lab.read_lesson(module);
    let cell = match &arguments.cell {
        Some(cell) => known(module, &lesson, cell)?,
        None => match next(module, &lab.read_exercise(module).unwrap_or_default()) {
            Some(cell) => cell,
            None => {
                nothing_left(module, arguments.format, out);
                return Ok(true);
            }
        },
    };
    let hints = lesson.hints(&cell);
    if hints.is_empty() {
        return Err(Error::unmet(format!("\"{cell}\" has no hints")));
    }
    // After the last hint, the last one is shown again.
    let shown = (records.hints_shown(module.id, &cell)? + 1).min(hints.len());
    records.keep(|store| store.record_hint(module.id, &cell, shown));
    let hint = &hints[shown - 1];
    match arguments.format {
        Format::Json => {
            out.line(json::to_line(&Hint { cell: &cell, number: shown, of: hints.len(), hint }));
        }
        Format::Human => out.line(format!("{cell}, hint {shown} of {}:\n{hint}", hints.len())),
    }
    Ok(true)
}

/// The cell that was named, if the module has it.
pub fn known(module: &Module, lesson: &Lesson, cell: &str) -> Result<String, Error> {
    let ids: Vec<&str> = lesson
        .blocks
        .iter()
        .filter_map(|block| match block {
            lesson::Block::Exercise { cell, .. } => Some(cell.as_str()),
            _ => None,
        })
        .collect();
    let long = format!("{}-{cell}", module.name);
    let meant = ids.iter().find(|id| **id == cell || **id == long);
    meant.map(|id| (*id).to_owned()).ok_or_else(|| {
        Error::usage(format!("{} has no exercise \"{cell}\"", module.slug()))
            .hint(format!("Its exercises are {}.", ids.join(", ")))
    })
}

/// The first unsolved cell.
fn next(module: &Module, text: &str) -> Option<String> {
    let unsolved = cells::parse(text).into_iter().find(cells::Cell::is_unsolved);
    let first = || {
        let mut cells = cells::parse(module.reference()).into_iter();
        cells.find(|cell| text.is_empty() && cell.kind == CellKind::Solution)
    };
    unsolved.or_else(first)?.grade_id
}

/// Every cell is written. One of them may be wrong: its hints are there if it is named.
fn nothing_left(module: &Module, format: Format, out: &mut Printer) {
    let slug = module.slug();
    match format {
        Format::Json => out.line(json::to_line(&NoHint { module: &slug, cell: None })),
        Format::Human => {
            out.line(format!("{slug}: no `todo!` is left"));
            out.line(format!(
                "  For a cell that fails its test: `tinytorch-tutor hint {} CELL`",
                module.name
            ));
        }
    }
}
