//! Collects what students handed in, from folders and archives, into one folder with a place for each student and module.
//! What is late, missing, duplicate or misnamed is listed; what is hostile or odd is refused with its reason, and the rest is
//! still collected. Must not know grades.

mod archive;
mod entry;
mod filing;
mod folder;
mod names;
mod report;

pub use report::{Collected, Missing, Problem, Report};

use super::submission::Submissions;
use super::{Assignment, Roster};
use crate::error::{Error, printable};
use archive::{Archive, Limits};
use entry::Walk;
use filing::{Filing, owner};
use names::Names;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Collects the submissions of these assignments from all sources: folders, zip archives, tar.gz archives.
///
/// # Errors
/// When a source is not there, or is neither a folder nor an archive.
pub fn collect(
    sources: &[PathBuf],
    roster: &Roster,
    assignments: &[Assignment],
    submissions: &Submissions,
) -> Result<Report, Error> {
    let names = Names::new(assignments);
    let mut filing = Filing::new(roster, assignments, submissions, &names);
    for source in sources {
        let mut each = |entry| filing.take(entry);
        let mut walk = Walk { names: &names, each: &mut each };
        read(source, roster, &mut walk)?;
    }
    Ok(filing.finish())
}

fn read(source: &Path, roster: &Roster, walk: &mut Walk<'_>) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::io("read", source, &error);
    let found = source.canonicalize().map_err(failed)?;
    let name = found.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if found.is_dir() {
        return folder::read(&found, name, walk).map_err(failed);
    }
    let Some((_, kind)) = names::archive(&name).filter(|_| found.is_file()) else {
        let message = format!("\"{}\" is neither a folder nor an archive", printable(source));
        return Err(Error::usage(message).hint("Name folders, .zip, .tar.gz or .tgz files."));
    };
    let file = File::open(&found).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let path = vec![name];
    // An archive that is named after a student was handed in when it was written.
    let is_students = owner(&path, roster, walk.names).is_some();
    let (time, limits) = match is_students {
        true => (Some(meta.mtime()), Limits::STUDENT),
        false => (None, Limits::CLASS),
    };
    let archive = Archive { kind, path, size: meta.len(), time, limits };
    if let Err(reason) = archive::read(&archive, file, walk) {
        walk.refuse(&archive.path, reason);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
