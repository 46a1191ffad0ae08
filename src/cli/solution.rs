//! `solution`: the reference solution of a module, or of one cell.

use super::arguments::{CellArguments, Format};
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::cells::{self, CellKind};
use crate::curriculum::lesson;
use crate::error::Error;
use crate::lab::Help;
use crate::report::json;
use serde::Serialize;

#[derive(Serialize)]
struct Solution<'a> {
    cell: &'a str,
    text: &'a str,
}

/// Always succeeds for a cell that exists, unless the instructor of the class has closed it.
pub fn run(context: &Context, arguments: &CellArguments, out: &mut Printer) -> Result<bool, Error> {
    let module = context.course().named(&arguments.module)?;
    // Outside a lab there is no class.
    if let Ok(lab) = context.lab()
        && let Some(class) = lab.class()?
    {
        class.allow(Help::Solutions, module)?;
    }
    let wanted = match &arguments.cell {
        Some(cell) => Some(super::hint::known(module, &lesson::parse(module.lesson()), cell)?),
        None => None,
    };
    let cells = cells::parse(module.reference());
    for cell in cells.iter().filter(|cell| cell.kind == CellKind::Solution) {
        let id = cell.grade_id.as_deref().unwrap_or_default();
        if wanted.as_deref().is_some_and(|wanted| wanted != id) {
            continue;
        }
        let code = cell.text.split_once('\n').map_or("", |(_, code)| code);
        match arguments.format {
            Format::Json => out.line(json::to_line(&Solution { cell: id, text: code })),
            Format::Human => out.line(format!("// {id}\n{code}")),
        }
    }
    Ok(true)
}
