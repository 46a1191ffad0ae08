//! What the grader's results change in the gradebook: whole submissions, or one cell of them. What the instructor gave is never
//! touched.

use super::schema::Gradebook;
use super::values::{json, outcome, student};
use crate::classroom::StudentId;
use crate::classroom::result::{CellResult, Outcome, SubmissionResult};
use crate::error::Error;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

/// What importing a result did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It is the first of this student and module.
    New,
    /// It replaced the earlier points from the tests.
    Replaced,
    /// The result of a later submission is there already.
    Older,
}

/// What grading one cell again did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regraded {
    /// The cell has this result now.
    Changed(Change),
    /// The result is the one that it had.
    Same,
    /// The result is of a text other than the one in the gradebook, or there is no such submission.
    OtherText,
    /// The result has no such cell.
    NoSuchCell,
    /// The grader failed; this is why. The cell keeps the result that it had.
    Fault(String),
}

/// A cell that was graded again on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Whose it is.
    pub student: StudentId,
    /// The module's slug.
    pub module: String,
    /// Its earlier result; `None` if it had none.
    pub before: Option<CellResult>,
    /// Its result now.
    pub after: CellResult,
}

impl Gradebook {
    /// Imports a result, all of it or nothing. What the instructor gave stays as it is.
    ///
    /// # Errors
    /// When the gradebook cannot be written.
    pub fn import(&mut self, result: &SubmissionResult) -> Result<Imported, Error> {
        let failed = self.failed("write to");
        let transaction = self.write().map_err(&failed)?;
        let known: Option<i64> = transaction
            .query_row(
                "SELECT submitted FROM submissions WHERE student = ?1 AND module = ?2",
                [result.student.as_str(), &result.module],
                |row| row.get(0),
            )
            .optional()
            .map_err(&failed)?;
        if known.is_some_and(|submitted| submitted > result.submitted) {
            return Ok(Imported::Older);
        }
        replace(&transaction, result).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(known.map_or(Imported::New, |_| Imported::Replaced))
    }

    /// Takes over one cell of a result, and keeps what it replaces. Every other cell stays as it is.
    ///
    /// # Errors
    /// When the gradebook cannot be read or written.
    pub fn regrade(
        &mut self,
        result: &SubmissionResult,
        grade_id: &str,
    ) -> Result<Regraded, Error> {
        let failed = self.failed("write to");
        let transaction = self.write().map_err(&failed)?;
        let done = take_over(&transaction, result, grade_id).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(done)
    }

    /// All cells that were graded again on their own, the oldest first.
    ///
    /// # Errors
    /// When the gradebook cannot be read.
    pub fn changes(&self) -> Result<Vec<Change>, Error> {
        let failed = self.failed("read");
        let mut query = self
            .connection
            .prepare("SELECT at, student, module, before, after FROM changes ORDER BY id")
            .map_err(&failed)?;
        let changes = query.query_map([], change).map_err(&failed)?;
        changes.collect::<rusqlite::Result<_>>().map_err(&failed)
    }
}

fn take_over(
    transaction: &Transaction<'_>,
    result: &SubmissionResult,
    grade_id: &str,
) -> rusqlite::Result<Regraded> {
    let SubmissionResult { student, module, fingerprint, .. } = result;
    let known: Option<String> = transaction
        .query_row(
            "SELECT fingerprint FROM submissions WHERE student = ?1 AND module = ?2",
            [student.as_str(), module],
            |row| row.get(0),
        )
        .optional()?;
    if known.as_ref() != Some(fingerprint) {
        return Ok(Regraded::OtherText);
    }
    let cells = (0_i64..).zip(&result.cells);
    let Some((place, after)) = cells.into_iter().find(|(_, cell)| cell.grade_id == grade_id) else {
        return Ok(Regraded::NoSuchCell);
    };
    if after.outcome == Outcome::GraderFault {
        return Ok(Regraded::Fault(after.message.as_str().to_owned()));
    }
    let before: Option<CellResult> = transaction
        .query_row(
            "SELECT grade_id, max_points, points, outcome, message FROM cells
             WHERE student = ?1 AND module = ?2 AND grade_id = ?3",
            [student.as_str(), module, grade_id],
            cell,
        )
        .optional()?;
    if before.as_ref() == Some(after) {
        return Ok(Regraded::Same);
    }
    let (at, student, module) = (Timestamp::now().as_second(), student.clone(), module.clone());
    let change = Change { at, student, module, before, after: after.clone() };
    put(transaction, &change.student, &change.module, place, after)?;
    record(transaction, &change)?;
    Ok(Regraded::Changed(change))
}

fn record(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    let json = |cell: &CellResult| serde_json::to_string(cell).unwrap_or_default();
    let Change { at, student, module, before, after } = change;
    transaction
        .execute(
            "INSERT INTO changes (at, student, module, before, after) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![at, student.as_str(), module, before.as_ref().map(json), json(after)],
        )
        .map(drop)
}

fn replace(transaction: &Transaction<'_>, result: &SubmissionResult) -> rusqlite::Result<()> {
    let SubmissionResult {
        student, module, submitted, late, fingerprint, sandboxed, cells, ..
    } = result;
    transaction.execute(
        "DELETE FROM submissions WHERE student = ?1 AND module = ?2",
        [student.as_str(), module],
    )?;
    transaction.execute(
        "INSERT INTO submissions (student, module, submitted, late, fingerprint, sandboxed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![student.as_str(), module, submitted, late, fingerprint, sandboxed],
    )?;
    for (place, cell) in (0_i64..).zip(cells) {
        put(transaction, student, module, place, cell)?;
    }
    Ok(())
}

fn put(
    transaction: &Transaction<'_>,
    student: &StudentId,
    module: &str,
    place: i64,
    cell: &CellResult,
) -> rusqlite::Result<()> {
    let CellResult { grade_id, max_points, points, outcome, message } = cell;
    let (student, outcome, message) = (student.as_str(), outcome.word(), message.as_str());
    transaction
        .execute(
            "INSERT OR REPLACE INTO cells
                 (student, module, grade_id, place, max_points, points, outcome, message)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![student, module, grade_id, place, max_points, points, outcome, message],
        )
        .map(drop)
}

fn cell(row: &Row<'_>) -> rusqlite::Result<CellResult> {
    Ok(CellResult {
        grade_id: row.get(0)?,
        max_points: row.get(1)?,
        points: row.get(2)?,
        outcome: outcome(row.get(3)?, 3)?,
        message: row.get::<_, String>(4)?.into(),
    })
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let before: Option<String> = row.get(3)?;
    Ok(Change {
        at: row.get(0)?,
        student: student(row, 1)?,
        module: row.get(2)?,
        before: before.map(|text| json(&text, 3)).transpose()?,
        after: json(&row.get::<_, String>(4)?, 4)?,
    })
}
