//! Results on the disk: found, and read within limits. A file that is none is an error beside the others. Must not know
//! what becomes of them.

use super::StudentId;
use super::result::SubmissionResult;
use crate::curriculum::Course;
use crate::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// In bytes: a result with a message for each of its cells is smaller.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Where the result of a submission is in a folder of results: `STUDENT/MODULE.json`.
#[must_use]
pub fn place(folder: &Path, student: &StudentId, module: &str) -> PathBuf {
    folder.join(student.as_str()).join(module).with_extension("json")
}

/// The files that are named, and those that end in `.json` anywhere below the folders that are named. Links are not followed.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let (mut found, mut folders) = (vec![], vec![]);
    for path in paths {
        if path.is_dir() { folders.push(path.clone()) } else { found.push(path.clone()) }
    }
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| Error::io("read the folder", &folder, &error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|kind| kind == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The result in a file.
///
/// # Errors
/// When there is none, or the course does not have its module.
pub fn read(course: &Course, path: &Path) -> Result<SubmissionResult, Error> {
    let failed = |error: std::io::Error| Error::io("read", path, &error);
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::usage(format!("it has more than {LARGEST} bytes")));
    }
    let result = SubmissionResult::from_json(&text)?;
    match course.by_slug(&result.module) {
        Some(_) => Ok(result),
        None => Err(Error::usage(format!("the course has no module {:?}", result.module))),
    }
}
