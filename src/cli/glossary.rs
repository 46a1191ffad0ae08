//! `glossary`: what a term of the field means, and which lesson introduces it.

use super::arguments::{Format, GlossaryArguments};
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::glossary::Entry;
use crate::error::Error;
use crate::report::json;
use serde::Serialize;

#[derive(Serialize)]
struct Term<'a> {
    term: &'a str,
    text: &'a str,
    lesson: String,
}

/// Succeeds when the term is known; without one, all are printed.
pub fn run(
    context: &Context,
    arguments: &GlossaryArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let course = context.course();
    let glossary = course.glossary();
    let entries: Vec<&Entry> = match &arguments.term[..] {
        [] => glossary.entries.iter().collect(),
        words => vec![glossary.named(&words.join(" "))?],
    };
    for Entry { term, text, lesson, .. } in entries {
        let lesson = course.slug(*lesson);
        match arguments.format {
            Format::Json => out.line(json::to_line(&Term { term, text, lesson })),
            Format::Human => out.line(format!("{term}: {text} ({lesson})")),
        }
    }
    Ok(true)
}
