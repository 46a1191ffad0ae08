//! Whose each found file is and for which module, and what became of it. Must not know how sources are read.

use super::entry::Entry;
use super::names::{Names, archive};
use super::report::{Collected, Missing, Problem, Report};
use crate::classroom::shared::{self, SharedRecord};
use crate::classroom::submission::{Filed, SCHEMA, Submission, Submissions};
use crate::classroom::{Assignment, Roster, Student};
use crate::error::harmless;
use crate::lab::exercise;
use crate::report::shared::{FILE, Shared};
use std::collections::BTreeMap;

/// Files what sources pass on.
pub struct Filing<'a> {
    roster: &'a Roster,
    assignments: &'a [Assignment],
    submissions: &'a Submissions,
    names: &'a Names,
    report: Report,
    /// Where the submission of each student and module was found in this run, by student and module.
    seen: BTreeMap<(String, String), String>,
    /// What `update` of a lab left beside exercises, by student and module.
    leftovers: BTreeMap<(String, String), Problem>,
}

/// Why a file is not filed.
enum Unfiled {
    Misnamed(String),
    Refused(String),
}

impl<'a> Filing<'a> {
    /// Nothing is filed yet.
    pub fn new(
        roster: &'a Roster,
        assignments: &'a [Assignment],
        submissions: &'a Submissions,
        names: &'a Names,
    ) -> Self {
        let (report, seen, leftovers) = (Report::default(), BTreeMap::new(), BTreeMap::new());
        Self { roster, assignments, submissions, names, report, seen, leftovers }
    }

    /// Files one file.
    pub fn take(&mut self, entry: Entry) {
        let path = harmless(&entry.path.join("/")).replace('\n', "\u{240a}");
        match self.file(entry, &path) {
            Ok(()) => {}
            Err(Unfiled::Misnamed(reason)) => {
                self.report.misnamed.push(Problem { path, reason });
            }
            Err(Unfiled::Refused(reason)) => self.report.refused.push(Problem { path, reason }),
        }
    }

    fn file(&mut self, entry: Entry, path: &str) -> Result<(), Unfiled> {
        let name = entry.path.last().map_or("", String::as_str);
        let bytes = entry.content.map_err(Unfiled::Refused)?;
        if let Some(slug) = self.names.leftover(name) {
            self.set_aside(slug.to_owned(), &entry.path, path);
            return Ok(());
        }
        if name == FILE {
            return self.share(&bytes, &entry.path, entry.time, path);
        }
        let (slug, _) = self.names.exact(name).ok_or_else(|| {
            let meant = self.names.meant(name).unwrap_or_default();
            Unfiled::Misnamed(format!("if it is the exercise, name it {meant}.rs"))
        })?;
        let owner = self.owner(&entry.path)?;
        let text =
            exercise::text(bytes).map_err(|problem| Unfiled::Refused(problem.to_string()))?;
        if text.contains('\0') {
            return Err(Unfiled::Refused("it contains a NUL character".into()));
        }
        let assignment = self.assignments.iter().find(|assignment| assignment.slug == slug);
        let late = assignment.is_some_and(|assignment| assignment.is_late(entry.time));
        let submission = Submission {
            schema: SCHEMA,
            student: owner.id.clone(),
            module: slug.to_owned(),
            submitted: entry.time,
            late,
            fingerprint: blake3::hash(text.as_bytes()).to_hex().to_string(),
            source: path.to_owned(),
            earlier: vec![],
        };
        let filed = self.submissions.file_in(submission, &text);
        let filed = filed.map_err(|error| Unfiled::Refused(error.message))?;
        self.record(owner, slug.to_owned(), late, filed, path);
        Ok(())
    }

    /// Remembers a file that the tutor wrote. It matters only where the exercise itself is missing.
    fn set_aside(&mut self, slug: String, parts: &[String], path: &str) {
        if let Some(owner) = owner(parts, self.roster, self.names) {
            let reason = format!(
                "the tutor wrote it, as a starter or a backup, and {slug}.rs is missing: if it is the exercise, name it so"
            );
            let problem = Problem { path: path.to_owned(), reason };
            self.leftovers.insert((owner.id.to_string(), slug), problem);
        }
    }

    /// Files what a student shares of their progress.
    fn share(
        &mut self,
        bytes: &[u8],
        names: &[String],
        time: i64,
        path: &str,
    ) -> Result<(), Unfiled> {
        let shared = Shared::parse(bytes).map_err(Unfiled::Refused)?;
        let (schema, student) = (shared::SCHEMA, self.owner(names)?.id.clone());
        let record = SharedRecord { schema, student, submitted: time, source: path.into(), shared };
        record.file_in(self.submissions).map_err(|error| Unfiled::Refused(error.message))?;
        self.report.shared.insert(record.student);
        Ok(())
    }

    fn owner(&self, names: &[String]) -> Result<&'a Student, Unfiled> {
        let none = || Unfiled::Misnamed("no student of the roster is named in its path".into());
        owner(names, self.roster, self.names).ok_or_else(none)
    }

    fn record(&mut self, owner: &Student, module: String, late: bool, filed: Filed, path: &str) {
        let student = owner.id.clone();
        let key = (student.to_string(), module.clone());
        let first = self.seen.insert(key, path.to_owned());
        if let Some(first) = first.filter(|_| filed != Filed::Same) {
            let which = if filed == Filed::Older { "the other" } else { "this" };
            let reason = format!("{student} handed in {module} as {first} too; {which} is later");
            self.report.duplicates.push(Problem { path: path.to_owned(), reason });
        }
        if filed == Filed::Older {
            return;
        }
        let collected = Collected { student, module, late, filed, source: path.to_owned() };
        let known =
            self.report.collected.iter_mut().find(|known| {
                known.student == collected.student && known.module == collected.module
            });
        match known {
            Some(known) if filed == Filed::Replaced => *known = collected,
            Some(_) => {}
            None => self.report.collected.push(collected),
        }
    }

    /// What was found, with what is missing.
    #[must_use]
    pub fn finish(mut self) -> Report {
        for Student { id, .. } in &self.roster.students {
            let slugs = self.assignments.iter().map(|assignment| &assignment.slug);
            // A damaged record is not a missing submission.
            let missing = slugs.filter(|slug| matches!(self.submissions.find(id, slug), Ok(None)));
            let modules: Vec<String> = missing.cloned().collect();
            let left = |slug: &String| self.leftovers.remove(&(id.to_string(), slug.clone()));
            self.report.misnamed.extend(modules.iter().filter_map(left));
            if !modules.is_empty() {
                self.report.missing.push(Missing { student: id.clone(), modules });
            }
        }
        self.report.collected.sort_by(|a, b| (&a.student, &a.module).cmp(&(&b.student, &b.module)));
        self.report
    }
}

/// The student whom a path names first. Inside an archive that is not the source itself, only what is outside of it counts:
/// a student's archive cannot hand in for another one.
pub fn owner<'a>(path: &[String], roster: &'a Roster, names: &Names) -> Option<&'a Student> {
    for (depth, part) in path.iter().enumerate() {
        let packed = archive(part);
        let before = || names.exact(part).map(|(_, before)| before);
        let name = packed.map(|(stem, _)| stem).or_else(before).unwrap_or(part);
        match roster.owner(name) {
            Some(student) => return Some(student),
            None if packed.is_some() && depth > 0 => return None,
            None => {}
        }
    }
    None
}
