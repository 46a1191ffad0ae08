//! Results from several machines become one set: each is checked against what was collected and against the course, and
//! those that contradict each other are refused by name. Pure. Must not know where results are, nor how they are made.

use super::StudentId;
use super::result::SubmissionResult;
use super::submission::Submission;
use crate::curriculum::Course;
use crate::curriculum::cells::{self, CellKind};
use crate::error::{Error, printable};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file of results.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub file: PathBuf,
    /// What it holds.
    pub result: Result<SubmissionResult, Error>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Merged {
    /// One result for each submission that has any, by student and module.
    pub results: Vec<SubmissionResult>,
    /// Files that do not count, each with the reason.
    pub refused: Vec<(PathBuf, String)>,
    /// Submissions without a result.
    pub missing: Vec<Submission>,
}

/// The results of the submissions. A final one takes precedence over one with a fault of the grader, and one from inside the
/// sandbox over one from outside.
#[must_use]
pub fn merge(found: Vec<Found>, submissions: &[Submission], course: &Course) -> Merged {
    let mut merged = Merged::default();
    let mut by_submission: BTreeMap<Key, Vec<(PathBuf, SubmissionResult)>> = BTreeMap::new();
    for Found { file, result } in found {
        let checked = result.map_err(|error| error.to_string()).and_then(|result| {
            match problem(&result, submissions, course) {
                None => Ok(result),
                Some(problem) => Err(problem),
            }
        });
        match checked {
            Ok(result) => by_submission.entry(key(&result)).or_default().push((file, result)),
            Err(reason) => merged.refused.push((file, reason)),
        }
    }
    for submission in submissions {
        let key = (submission.student.clone(), submission.module.clone());
        match by_submission.remove(&key).map(one) {
            None => merged.missing.push(submission.clone()),
            Some(Ok(result)) => merged.results.push(result),
            Some(Err(refused)) => merged.refused.extend(refused),
        }
    }
    merged
}

type Key = (StudentId, String);

fn key(result: &SubmissionResult) -> Key {
    (result.student.clone(), result.module.clone())
}

/// Why a result is none of these submissions'.
fn problem(
    result: &SubmissionResult,
    submissions: &[Submission],
    course: &Course,
) -> Option<String> {
    let SubmissionResult { student, module, .. } = result;
    let of = submissions.iter().find(|it| it.student == *student && it.module == *module);
    let Some(of) = of else {
        return Some(format!("no submission of {student} for {module} was collected"));
    };
    if of.fingerprint != result.fingerprint {
        return Some("it was made from another file than the one that was collected".into());
    }
    if (of.submitted, of.late) != (result.submitted, result.late) {
        return Some("it has another time of submission than what was collected".into());
    }
    without(result, course).map(|cell| {
        format!("it has no cell \"{cell}\" with its points: another version of the course made it")
    })
}

/// A graded cell of the module that a result does not have, or with other points.
fn without(result: &SubmissionResult, course: &Course) -> Option<String> {
    let module = course.by_slug(&result.module)?;
    let graded =
        cells::parse(module.reference()).into_iter().filter(|cell| cell.kind == CellKind::Test);
    let has = |id: &str, points| {
        result.cells.iter().any(|cell| cell.grade_id == id && cell.max_points == points)
    };
    graded
        .map(|cell| (cell.grade_id.unwrap_or_default(), cell.points))
        .find(|(id, points)| !has(id, *points))
        .map(|(id, _)| id)
}

/// The result that counts among those of one submission. None does if two final ones differ.
fn one(
    mut all: Vec<(PathBuf, SubmissionResult)>,
) -> Result<SubmissionResult, Vec<(PathBuf, String)>> {
    let precedence = |result: &SubmissionResult| (result.is_final(), result.sandboxed);
    let highest = all.iter().map(|(_, result)| precedence(result)).max();
    all.retain(|(_, result)| Some(precedence(result)) == highest);
    let (file, first) = all.swap_remove(0);
    let differs = |(_, other): &(PathBuf, SubmissionResult)| *other != first && first.is_final();
    if !all.iter().any(differs) {
        return Ok(first);
    }
    let contradicts = |other: &Path| {
        let (SubmissionResult { student, module, .. }, other) = (&first, printable(other));
        format!("{student} {module}: it contradicts \"{other}\"")
    };
    let reason = contradicts(&all[0].0);
    let others = all.iter().map(|(other, _)| (other.clone(), contradicts(&file)));
    Err([(file.clone(), reason)].into_iter().chain(others).collect())
}

#[cfg(test)]
mod tests {
    use super::super::result::{CellResult, Outcome, SCHEMA};
    use super::*;
    use crate::classroom::submission;
    use crate::curriculum::{Module, ModuleId};

    const ALPHA: &str = "// %% nbgrader={\"grade\": true, \"grade_id\": \"test-a\", \"locked\": true, \"points\": 4, \"schema_version\": 3, \"solution\": false, \"task\": false}\n";

    fn submission(student: &str) -> Submission {
        Submission {
            schema: submission::SCHEMA,
            student: student.to_owned().try_into().unwrap(),
            module: "00_alpha".into(),
            submitted: 7,
            late: false,
            fingerprint: "f".into(),
            source: String::new(),
            earlier: vec![],
        }
    }

    fn result(student: &str, outcome: Outcome) -> SubmissionResult {
        let Submission { student, module, submitted, late, fingerprint, .. } = submission(student);
        let cells = vec![CellResult::new("test-a", 4, outcome, "")];
        SubmissionResult {
            schema: SCHEMA,
            student,
            module,
            submitted,
            late,
            fingerprint,
            sandboxed: true,
            cells,
        }
    }

    /// Merges the results for a class of two; the files are numbered.
    fn merged(results: Vec<SubmissionResult>) -> Merged {
        let course = Course::new(vec![Module::new(ModuleId(0), "alpha", "", ALPHA)], &[], "");
        let found = (1..)
            .zip(results)
            .map(|(number, result)| Found { file: format!("{number}").into(), result: Ok(result) });
        merge(found.collect(), &[submission("ada"), submission("bob")], &course)
    }

    fn outcomes(merged: &Merged) -> Vec<(&str, Outcome)> {
        merged.results.iter().map(|it| (it.student.as_str(), it.cells[0].outcome)).collect()
    }

    #[test]
    fn the_same_result_twice_is_one_and_a_submission_without_any_is_missing() {
        let ada = || result("ada", Outcome::Passed);
        let merged = merged(vec![ada(), ada()]);
        assert_eq!(outcomes(&merged), [("ada", Outcome::Passed)]);
        assert!(merged.refused.is_empty(), "{merged:?}");
        let missing: Vec<&str> = merged.missing.iter().map(|it| it.student.as_str()).collect();
        assert_eq!(missing, ["bob"]);
    }

    #[test]
    fn results_that_contradict_each_other_are_refused_by_name_and_neither_counts() {
        let of = |outcome| result("ada", outcome);
        let merged =
            merged(vec![of(Outcome::Passed), result("bob", Outcome::Passed), of(Outcome::Failed)]);
        assert_eq!(outcomes(&merged), [("bob", Outcome::Passed)]);
        let refused: Vec<(&str, &str)> =
            merged.refused.iter().map(|(f, reason)| (f.to_str().unwrap(), &**reason)).collect();
        let expected = [
            ("1", "ada 00_alpha: it contradicts \"3\""),
            ("3", "ada 00_alpha: it contradicts \"1\""),
        ];
        assert_eq!(refused, expected);
        assert!(merged.missing.is_empty(), "it is refused, not missing");
    }

    #[test]
    fn a_final_result_takes_precedence_and_so_does_one_from_inside_the_sandbox() {
        let (fault, failed) = (Outcome::GraderFault, Outcome::Failed);
        let both = merged(vec![result("ada", fault), result("ada", failed)]);
        assert_eq!(outcomes(&both), [("ada", failed)]);
        let outside = SubmissionResult { sandboxed: false, ..result("ada", Outcome::Passed) };
        let both = merged(vec![outside, result("ada", failed)]);
        assert_eq!(outcomes(&both), [("ada", failed)]);
        assert!(both.refused.is_empty(), "{both:?}");
        let only = merged(vec![result("ada", fault)]);
        assert_eq!(outcomes(&only), [("ada", fault)], "a fault is reported, not missing");
        assert!(both.results[0].is_final() && !only.results[0].is_final());
    }

    #[test]
    fn a_result_of_something_else_is_refused_with_its_reason() {
        let reason = |change: fn(&mut SubmissionResult)| {
            let mut changed = result("ada", Outcome::Passed);
            change(&mut changed);
            let mut merged = merged(vec![changed]);
            assert_eq!((merged.results.len(), merged.missing.len()), (0, 2));
            merged.refused.remove(0).1
        };
        assert!(reason(|it| it.fingerprint = "g".into()).contains("another file"));
        assert!(reason(|it| it.late = true).contains("another time"));
        assert!(reason(|it| it.submitted = 8).contains("another time"));
        assert!(reason(|it| it.cells.clear()).contains("no cell \"test-a\""));
        assert!(reason(|it| it.cells[0].max_points = 5).contains("no cell \"test-a\""));
        let eve = reason(|it| it.student = "eve".to_owned().try_into().unwrap());
        assert!(eve.contains("no submission of eve for 00_alpha"), "{eve}");
    }
}
