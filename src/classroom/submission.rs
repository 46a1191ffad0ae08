//! Collected submissions on the disk, laid out as nbgrader does: `STUDENT/MODULE/MODULE.rs` and beside it what is known of
//! it, `submission.json`. A file that is replaced is kept in `earlier/`. Must not know where submissions come from.

use super::student::StudentId;
use crate::error::{Error, printable};
use crate::lab::{atomic, numbered};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the file's form.
pub const SCHEMA: u32 = 1;

const RECORD: &str = "submission.json";
const EARLIER: &str = "earlier";

/// One student's collected submission of one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Who submitted it.
    pub student: StudentId,
    /// The module's slug, such as `01_tensor`.
    pub module: String,
    /// When it was submitted, in seconds since 1970.
    pub submitted: i64,
    /// Whether that was after the deadline.
    pub late: bool,
    /// BLAKE3 of the file, in hexadecimal.
    pub fingerprint: String,
    /// Where it was found.
    pub source: String,
    /// Submissions that this one replaced, the oldest first.
    #[serde(default)]
    pub earlier: Vec<Earlier>,
}

/// A submission that a later one replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// The name of its file in `earlier/`.
    pub file: String,
    /// When it was submitted, in seconds since 1970.
    pub submitted: i64,
    /// Where it was found.
    pub source: String,
}

/// What filing a submission did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filed {
    /// It is the first of this student and module.
    New,
    /// It replaced an earlier one.
    Replaced,
    /// The same text was collected before.
    Same,
    /// A later one was collected before.
    Older,
}

/// The folder of all collected submissions.
#[derive(Debug, Clone)]
pub struct Submissions {
    folder: PathBuf,
}

impl Submissions {
    /// The submissions in this folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where the file of a submission is.
    #[must_use]
    pub fn file(&self, student: &StudentId, module: &str) -> PathBuf {
        self.place(student, module).join(format!("{module}.rs"))
    }

    /// The folder of a student.
    #[must_use]
    pub fn of(&self, student: &StudentId) -> PathBuf {
        self.folder.join(student.as_str())
    }

    /// The students of whom something was collected, by id.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn students(&self) -> Result<Vec<StudentId>, Error> {
        let names = folders(&self.folder)?.into_iter().map(|folder| name(&folder));
        Ok(names.filter_map(|name| StudentId::try_from(name).ok()).collect())
    }

    /// All submissions, by student and module. A record that cannot be read is a problem beside the others.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn all(&self) -> Result<(Vec<Submission>, Vec<Error>), Error> {
        let (mut found, mut problems) = (vec![], vec![]);
        for id in self.students()? {
            for module in folders(&self.of(&id))? {
                match self.find(&id, &name(&module)) {
                    Ok(submission) => found.extend(submission),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Ok((found, problems))
    }

    /// The submission of a student and module, if there is one.
    ///
    /// # Errors
    /// When its record cannot be read, or is another's.
    pub fn find(&self, student: &StudentId, module: &str) -> Result<Option<Submission>, Error> {
        let path = self.place(student, module).join(RECORD);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, &error)),
        };
        let damaged = |problem: String| {
            Error::environment(format!("\"{}\": {problem}", printable(&path)))
                .hint("Move it away and collect again.")
        };
        let found: Submission =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if found.schema != SCHEMA || found.student != *student || found.module != module {
            return Err(damaged("not the record of this folder's submission".into()));
        }
        Ok(Some(found))
    }

    /// Files a submission, unless a later one is there. What it replaces is kept.
    ///
    /// # Errors
    /// When the folder cannot be written, or holds a record that cannot be read.
    pub fn file_in(&self, mut new: Submission, text: &str) -> Result<Filed, Error> {
        let known = self.find(&new.student, &new.module)?;
        let filed = match &known {
            Some(known) if known.fingerprint == new.fingerprint => return Ok(Filed::Same),
            Some(known) if known.submitted > new.submitted => return Ok(Filed::Older),
            Some(_) => Filed::Replaced,
            None => Filed::New,
        };
        let path = self.file(&new.student, &new.module);
        let place = self.place(&new.student, &new.module);
        new.earlier = known.as_ref().map(|known| known.earlier.clone()).unwrap_or_default();
        if let Some(kept) = keep_existing(&place, &path, &new.module)? {
            let of = known.as_ref().unwrap_or(&new);
            let (submitted, source) = (of.submitted, of.source.clone());
            new.earlier.push(Earlier { file: kept, submitted, source });
        }
        // The record last: a kill in between leaves the earlier record, and collecting again repairs it.
        atomic::write(&path, text.as_bytes())?;
        let record = serde_json::to_string_pretty(&new).unwrap_or_default() + "\n";
        atomic::write(&place.join(RECORD), record.as_bytes())?;
        Ok(filed)
    }

    fn place(&self, student: &StudentId, module: &str) -> PathBuf {
        self.of(student).join(module)
    }
}

/// Keeps a file that is about to be replaced; returns the name that it was kept under.
fn keep_existing(place: &Path, path: &Path, module: &str) -> Result<Option<String>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => {
            numbered::keep(&place.join(EARLIER), module, &bytes).map(|kept| Some(name(&kept)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// The folders in a folder, sorted.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| Error::io("read the folder", folder, &error);
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(text: &str, submitted: i64) -> Submission {
        Submission {
            schema: SCHEMA,
            student: "ada".to_owned().try_into().unwrap(),
            module: "01_tensor".into(),
            submitted,
            late: false,
            fingerprint: blake3::hash(text.as_bytes()).to_hex().to_string(),
            source: format!("at {submitted}"),
            earlier: vec![],
        }
    }

    fn read(place: &Path, name: &str) -> String {
        std::fs::read_to_string(place.join(name)).unwrap()
    }

    #[test]
    fn the_latest_submission_wins_and_what_it_replaces_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let submissions = Submissions::new(folder.path());
        let file = |text: &str, at| submissions.file_in(submission(text, at), text).unwrap();
        assert_eq!(file("one", 10), Filed::New);
        assert_eq!(file("one", 11), Filed::Same);
        assert_eq!(file("zero", 9), Filed::Older);
        assert_eq!(file("two", 20), Filed::Replaced);
        assert_eq!(file("three", 30), Filed::Replaced);
        let place = folder.path().join("ada/01_tensor");
        assert_eq!(read(&place, "01_tensor.rs"), "three");
        let (all, problems) = submissions.all().unwrap();
        assert_eq!((all.len(), problems.len(), all[0].submitted), (1, 0, 30));
        let earlier: Vec<(String, i64)> = all[0]
            .earlier
            .iter()
            .map(|kept| (read(&place.join("earlier"), &kept.file), kept.submitted))
            .collect();
        assert_eq!(earlier, [("one".to_owned(), 10), ("two".to_owned(), 20)]);
    }

    #[test]
    fn a_file_that_has_no_record_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("ada/01_tensor");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("01_tensor.rs"), "by hand").unwrap();
        let submissions = Submissions::new(folder.path());
        assert_eq!(submissions.file_in(submission("one", 10), "one").unwrap(), Filed::New);
        assert_eq!(read(&place, "earlier/01_tensor.1.rs"), "by hand");
    }

    #[test]
    fn a_damaged_record_is_a_problem_beside_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let submissions = Submissions::new(folder.path());
        submissions.file_in(submission("one", 10), "one").unwrap();
        for (student, record) in
            [("bob", "{"), ("eve", &*read(folder.path(), "ada/01_tensor/submission.json"))]
        {
            let place = folder.path().join(student).join("01_tensor");
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(RECORD), record).unwrap();
        }
        let (all, problems) = submissions.all().unwrap();
        assert_eq!((all.len(), problems.len()), (1, 2));
        assert!(problems[1].message.contains("not the record of this folder"), "{}", problems[1]);
    }
}
