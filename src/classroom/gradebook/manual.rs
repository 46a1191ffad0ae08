//! What the instructor gives: points, comments, and the items of a rubric that apply to an answer. No import changes it.

use super::schema::Gradebook;
use super::values::{json, student};
use crate::classroom::StudentId;
use crate::classroom::rubric::Item;
use crate::error::{Error, harmless};
use rusqlite::{Row, Transaction, params};

/// What an instructor gives to a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Manual {
    /// The student.
    pub student: StudentId,
    /// The module's slug.
    pub module: String,
    /// nbgrader's name of the cell.
    pub grade_id: String,
    /// The points that the cell is worth.
    pub max_points: u32,
    /// Points in place of those from the tests; `None` leaves what is there.
    pub points: Option<f64>,
    /// A comment for the student; `None` leaves what is there.
    pub comment: Option<String>,
}

/// A free-text answer of a collected submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The student.
    pub student: StudentId,
    /// The module's slug.
    pub module: String,
    /// The name of its question's cell.
    pub grade_id: String,
    /// The points that it is worth.
    pub max_points: u32,
    /// What the student wrote; empty where there is no answer.
    pub text: String,
}

/// How the instructor graded an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mark {
    /// The points; `None` while it is not graded.
    pub points: Option<f64>,
    /// The items of the rubric that apply.
    pub rubric: Vec<Item>,
    /// What the student reads.
    pub comment: String,
}

/// An answer with its mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Marked {
    /// The answer.
    pub answer: Answer,
    /// Its mark.
    pub mark: Mark,
    /// Whether the mark is of another text: the student handed in again.
    pub is_stale: bool,
}

impl Gradebook {
    /// Records points or a comment of the instructor.
    ///
    /// # Errors
    /// When the points are not from 0 to what the cell is worth, there is no submission, or the gradebook cannot be
    /// written.
    pub fn give(&mut self, manual: &Manual) -> Result<(), Error> {
        let Manual { student, module, grade_id, max_points, points, comment } = manual;
        check(*points, *max_points, grade_id)?;
        let failed = self.failed("write to");
        let submitted = self
            .connection
            .prepare("SELECT 1 FROM submissions WHERE student = ?1 AND module = ?2")
            .and_then(|mut query| query.exists([student.as_str(), module]));
        if !submitted.map_err(&failed)? {
            let message = format!("there is no result of {student} for {module}");
            return Err(Error::usage(message).hint("Import it with `gradebook import`."));
        }
        self.connection
            .execute(
                "INSERT INTO manual (student, module, grade_id, max_points, points, comment)
                 VALUES (?1, ?2, ?3, ?4, ?5, coalesce(?6, ''))
                 ON CONFLICT DO UPDATE SET max_points = ?4, points = coalesce(?5, points),
                     comment = coalesce(?6, comment), answer = iif(?5 IS NULL, answer, NULL)",
                params![
                    student.as_str(),
                    module,
                    grade_id,
                    max_points,
                    points,
                    comment.as_deref().map(harmless)
                ],
            )
            .map(drop)
            .map_err(failed)
    }

    /// Removes the instructor's points of a cell, so that those from the tests count again. The comment stays.
    ///
    /// # Errors
    /// When the gradebook cannot be written.
    pub fn take_back(
        &mut self,
        student: &StudentId,
        module: &str,
        grade_id: &str,
    ) -> Result<(), Error> {
        self.connection
            .execute(
                "UPDATE manual SET points = NULL WHERE student = ?1 AND module = ?2 AND grade_id = ?3",
                [student.as_str(), module, grade_id],
            )
            .map(drop)
            .map_err(self.failed("write to"))
    }

    /// Puts the answers of submissions in the place of what was known of these submissions; an answer that was graded stays.
    /// Returns those whose submission has no result here, which are left out.
    ///
    /// # Errors
    /// When the gradebook cannot be written.
    pub fn ask(&mut self, answers: &[Answer]) -> Result<Vec<Answer>, Error> {
        let failed = self.failed("write to");
        let transaction = self.write().map_err(&failed)?;
        let unknown = put(&transaction, answers).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(unknown)
    }

    /// All answers, by module, question and student.
    ///
    /// # Errors
    /// When the gradebook cannot be read.
    pub fn answers(&self) -> Result<Vec<Marked>, Error> {
        let failed = self.failed("read");
        let mut query = self
            .connection
            .prepare(
                "SELECT student, module, grade_id, answers.max_points, text,
                        points, coalesce(rubric, '[]'), coalesce(comment, ''), answer
                 FROM answers LEFT JOIN manual USING (student, module, grade_id)
                 ORDER BY module, grade_id, student",
            )
            .map_err(&failed)?;
        let answers = query.query_map([], marked).map_err(&failed)?;
        answers.collect::<rusqlite::Result<_>>().map_err(&failed)
    }

    /// Records the mark of an answer, in the place of its earlier one.
    ///
    /// # Errors
    /// When the points are not from 0 to what the answer is worth, or the gradebook cannot be written.
    pub fn mark(&mut self, answer: &Answer, mark: &Mark) -> Result<(), Error> {
        check(mark.points, answer.max_points, &answer.grade_id)?;
        let Answer { student, module, grade_id, max_points, text } = answer;
        let rubric = serde_json::to_string(&mark.rubric).unwrap_or_default();
        self.connection
            .execute(
                "INSERT INTO manual
                     (student, module, grade_id, max_points, points, comment, rubric, answer)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET max_points = ?4, points = ?5, comment = ?6, rubric = ?7,
                     answer = ?8",
                params![
                    student.as_str(),
                    module,
                    grade_id,
                    max_points,
                    mark.points,
                    harmless(&mark.comment),
                    rubric,
                    fingerprint(text)
                ],
            )
            .map(drop)
            .map_err(self.failed("write to"))
    }
}

fn check(points: Option<f64>, max_points: u32, grade_id: &str) -> Result<(), Error> {
    match points {
        Some(points) if !(0.0..=f64::from(max_points)).contains(&points) => {
            let message = format!("{points} points for {grade_id}");
            Err(Error::usage(message).hint(format!("Give 0 to {max_points} points.")))
        }
        _ => Ok(()),
    }
}

fn put(transaction: &Transaction<'_>, answers: &[Answer]) -> rusqlite::Result<Vec<Answer>> {
    let mut unknown = vec![];
    let mut forget = transaction.prepare(
        "DELETE FROM answers WHERE student = ?1 AND module = ?2 AND grade_id NOT IN
             (SELECT grade_id FROM manual
              WHERE student = ?1 AND module = ?2 AND points IS NOT NULL)",
    )?;
    for answer in answers {
        forget.execute([answer.student.as_str(), &answer.module])?;
    }
    let mut insert = transaction.prepare(
        "INSERT OR REPLACE INTO answers (student, module, grade_id, max_points, text)
         SELECT student, module, ?3, ?4, ?5 FROM submissions WHERE student = ?1 AND module = ?2",
    )?;
    for answer in answers {
        let Answer { student, module, grade_id, max_points, text } = answer;
        let row = params![student.as_str(), module, grade_id, max_points, harmless(text)];
        if insert.execute(row)? == 0 {
            unknown.push(answer.clone());
        }
    }
    Ok(unknown)
}

fn marked(row: &Row<'_>) -> rusqlite::Result<Marked> {
    let answer = Answer {
        student: student(row, 0)?,
        module: row.get(1)?,
        grade_id: row.get(2)?,
        max_points: row.get(3)?,
        text: row.get(4)?,
    };
    let rubric = json(&row.get::<_, String>(6)?, 6)?;
    let mark = Mark { points: row.get(5)?, rubric, comment: row.get(7)? };
    let graded: Option<String> = row.get(8)?;
    let is_stale =
        mark.points.is_some() && graded.is_some_and(|it| it != fingerprint(&answer.text));
    Ok(Marked { answer, mark, is_stale })
}

fn fingerprint(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
