//! `submit`: packs what a learner hands in, and nothing else of the lab: exercises, and what they agreed to share.

use super::arguments::SubmitArguments;
use super::context::Context;
use super::gradebook::exists_already;
use super::printer::Printer;
use super::records::Records;
use crate::curriculum::cells;
use crate::error::{Error, count, printable};
use crate::lab::atomic;
use crate::lab::exercise::Unreadable;
use crate::report::{json, shared};
use jiff::Zoned;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::ZipWriter;
use zip::result::ZipResult;
use zip::write::SimpleFileOptions;

/// A file of the archive: its name, and its text.
type Packed = (String, String);

/// Succeeds when every exercise that was changed is in the archive.
pub fn run(
    context: &Context,
    arguments: &SubmitArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let file = &arguments.file;
    if file.extension().is_none_or(|ending| ending != "zip") {
        let error = Error::usage(format!("\"{}\" is not the name of an archive", printable(file)));
        return Err(error.hint("Let it end in .zip."));
    }
    let lab = context.lab()?;
    let (mut files, mut slugs, mut untouched, mut problems) = (vec![], vec![], 0, vec![]);
    for module in context.modules_of_lab(&arguments.modules)? {
        let slug = module.slug();
        match lab.read_exercise(module) {
            Ok(text) if text == cells::starter(module.reference()) => untouched += 1,
            Ok(text) => {
                files.push((format!("exercises/{slug}.rs"), text));
                slugs.push(slug);
            }
            Err(Unreadable::Missing) => {}
            Err(problem) => problems.push(format!("{slug}: {problem}")),
        }
    }
    let records = Records::open(&lab)?;
    let shares = records.shares()? == Some(true);
    if shares {
        let name = format!(".tinytorch/{}", shared::FILE);
        files.push((name, json::to_line(&records.shared()?) + "\n"));
    }
    if slugs.is_empty() {
        let error = Error::unmet("there is no exercise to hand in: none was changed");
        return Err(problems.into_iter().fold(error, Error::hint));
    }
    write(file, &files)?;
    out.line(format!("Wrote {}: {}.", file.display(), slugs.join(", ")));
    out.line(match shares {
        true => "It has the figures that you share: `tinytorch-tutor share` shows them.",
        false => "Nothing about your progress is in it.",
    });
    if untouched > 0 {
        out.line(format!("Left out: {} without a change.", count(untouched, "exercise")));
    }
    for problem in &problems {
        out.line(format!("  left out  {problem}"));
    }
    Ok(problems.is_empty())
}

/// Writes an archive that is not there yet.
fn write(path: &Path, files: &[Packed]) -> Result<(), Error> {
    let failed = |error| Error::environment(format!("failed to pack the archive: {error}"));
    let bytes = archive(files).map_err(failed)?;
    if atomic::write_new(path, &bytes)? { Ok(()) } else { Err(exists_already(path)) }
}

fn archive(files: &[Packed]) -> ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default().last_modified_time(now());
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, text) in files {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(text.as_bytes())?;
    }
    zip.finish().map(Cursor::into_inner)
}

/// The time on this machine's clock, in its zone, as zip archives have it: a platform may unpack them before they are
/// collected.
fn now() -> zip::DateTime {
    let now = Zoned::now();
    let [month, day, hour, minute, second] =
        [now.month(), now.day(), now.hour(), now.minute(), now.second()].map(i8::cast_unsigned);
    let year = now.year().cast_unsigned();
    zip::DateTime::from_date_and_time(year, month, day, hour, minute, second).unwrap_or_default()
}
