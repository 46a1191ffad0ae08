//! `restore`: lists the backups of an exercise, or restores one after backing up the current text.

use super::arguments::{Format, RestoreArguments};
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::Module;
use crate::error::{Error, count};
use crate::lab::{Lab, Numbered};
use crate::report::json;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[derive(Serialize)]
struct Backup<'a> {
    number: usize,
    file: &'a Path,
    /// Seconds since it was made; `None` where the system does not know.
    age: Option<u64>,
    lines: usize,
}

#[derive(Serialize)]
struct Restored {
    module: String,
    number: usize,
    /// Where the replaced text is kept; `None` when it was the same.
    backup: Option<PathBuf>,
}

/// Succeeds when the list is written, or the exercise is the backup's text.
pub fn run(
    context: &Context,
    arguments: &RestoreArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let module = context.course().named(&arguments.module)?;
    let lab = context.lab()?;
    let backups = lab.backups_of(module);
    if arguments.list {
        list(module, &backups, arguments.format, out);
        return Ok(true);
    }
    restore(&lab, module, chosen(module, &backups, arguments.number)?, arguments.format, out)
}

fn chosen<'a>(
    module: &Module,
    backups: &'a [Numbered],
    number: Option<usize>,
) -> Result<&'a Numbered, Error> {
    let slug = module.slug();
    let Some(latest) = backups.last() else {
        return Err(Error::usage(format!("{slug} has no backup"))
            .hint("One is made whenever an exercise is reset or restored."));
    };
    let Some(number) = number else { return Ok(latest) };
    backups.iter().find(|backup| backup.number == number).ok_or_else(|| {
        Error::usage(format!("{slug} has no backup {number}"))
            .hint(format!("`tinytorch-tutor restore {slug} --list` lists the backups."))
    })
}

fn list(module: &Module, backups: &[Numbered], format: Format, out: &mut Printer) {
    if backups.is_empty() && format == Format::Human {
        out.line(format!("{} has no backups.", module.slug()));
    }
    for Numbered { number, path } in backups {
        let lines = std::fs::read_to_string(path).map_or(0, |text| text.lines().count());
        let made = path.metadata().and_then(|meta| meta.modified()).ok();
        let age = made.and_then(|made| SystemTime::now().duration_since(made).ok());
        match format {
            Format::Json => {
                let age = age.map(|age| age.as_secs());
                out.line(json::to_line(&Backup { number: *number, file: path, age, lines }));
            }
            Format::Human => out.line(format!(
                "{number:>3}  {:<15} {:>11}  {}",
                age.map_or_else(String::new, ago),
                count(lines, "line"),
                path.display()
            )),
        }
    }
}

fn restore(
    lab: &Lab,
    module: &Module,
    from: &Numbered,
    format: Format,
    out: &mut Printer,
) -> Result<bool, Error> {
    let restored =
        Restored { module: module.slug(), number: from.number, backup: lab.restore(module, from)? };
    let Restored { module, number, backup } = &restored;
    match (format, backup) {
        (Format::Json, _) => out.line(json::to_line(&restored)),
        (Format::Human, None) => out.line(format!("{module}: already the same as backup {number}")),
        (Format::Human, Some(backup)) => out.line(format!(
            "{module}: backup {number} restored; the replaced text is kept in {}",
            backup.display()
        )),
    }
    Ok(true)
}

/// `3 minutes ago`.
fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    match units.iter().find(|(length, _)| seconds >= *length) {
        Some((length, unit)) => format!("{} ago", count((seconds / length) as usize, unit)),
        None => "just now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let ages = [59, 60, 7_199, 7_200, 86_400 * 3].map(|age| ago(Duration::from_secs(age)));
        assert_eq!(ages, ["just now", "1 minute ago", "1 hour ago", "2 hours ago", "3 days ago"]);
    }
}
