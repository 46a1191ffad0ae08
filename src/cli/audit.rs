//! `audit`: checks every module and the glossary against the ten patterns of the course. Prints a matrix and a list of
//! misses.

use super::arguments::{Format, FormatArguments};
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::Module;
use crate::curriculum::audit::{Miss, Pattern, audit, audit_glossary};
use crate::error::{Error, count};
use crate::report::json;
use serde::Serialize;

#[derive(Serialize)]
struct Audited {
    name: String,
    misses: Vec<Miss>,
}

/// Returns whether there are no misses.
pub fn run(
    context: &Context,
    arguments: &FormatArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let course = context.course();
    let audited = |module: &Module| Audited { name: module.slug(), misses: audit(course, module) };
    let glossary = Audited { name: "glossary".into(), misses: audit_glossary(course) };
    let modules = course.modules().iter().map(audited);
    let audited: Vec<Audited> = modules.chain([glossary]).collect();
    match arguments.format {
        Format::Json => audited.iter().for_each(|one| out.line(json::to_line(one))),
        Format::Human => out.text(&matrix(&audited)),
    }
    Ok(audited.iter().all(|one| one.misses.is_empty()))
}

/// One row per module and one for the glossary, one column per pattern; below it each miss with its place.
fn matrix(audited: &[Audited]) -> String {
    let numbers: String = (1..=Pattern::ALL.len()).map(|number| format!("{number:>4}")).collect();
    let mut text = format!("{:<18}{numbers}\n", "");
    for module in audited {
        let cells: String = Pattern::ALL.iter().map(|pattern| cell(module, *pattern)).collect();
        text.push_str(&format!("{:<18}{cells}\n", module.name));
    }
    text.push('\n');
    for (index, pattern) in Pattern::ALL.iter().enumerate() {
        text.push_str(&format!("{:>4}  {}\n", index + 1, pattern.name()));
    }
    let misses: Vec<&Miss> = audited.iter().flat_map(|module| &module.misses).collect();
    for miss in &misses {
        let Miss { pattern, file, line, reason } = miss;
        text.push_str(&format!("\n{file}:{line}: {}: {reason}", pattern.name()));
    }
    let missed = match misses.len() {
        1 => "1 miss".to_owned(),
        number => format!("{number} misses"),
    };
    text.push_str(&format!("\n{} audited, {missed}\n", count(audited.len(), "text")));
    text
}

/// `ok`, or the number of misses.
fn cell(module: &Audited, pattern: Pattern) -> String {
    let misses = module.misses.iter().filter(|miss| miss.pattern == pattern).count();
    if misses == 0 { "  ok".to_owned() } else { format!("{misses:>4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_shows_in_its_column_and_with_its_place() {
        let miss = Miss {
            pattern: Pattern::Introduction,
            file: "lessons/01_tensor.md".into(),
            line: 7,
            reason: "no title".into(),
        };
        let modules = [
            Audited { name: "00_setup".into(), misses: vec![] },
            Audited { name: "01_tensor".into(), misses: vec![miss] },
        ];
        let text = matrix(&modules);
        assert!(text.contains("00_setup            ok  ok  ok"), "{text}");
        assert!(text.contains("01_tensor           ok   1  ok"), "{text}");
        assert!(text.contains("lessons/01_tensor.md:7: introduction: no title"), "{text}");
        assert!(text.ends_with("2 texts audited, 1 miss\n"), "{text}");
    }
}
