//! What is read from the gradebook: grades, with what the tests and the instructor gave.

use super::schema::Gradebook;
use super::values::{json, outcome, student};
use crate::classroom::grade::{CellGrade, Grade};
use crate::error::Error;
use rusqlite::Row;

impl Gradebook {
    /// All grades, by student and module.
    ///
    /// # Errors
    /// When the gradebook cannot be read.
    pub fn grades(&self) -> Result<Vec<Grade>, Error> {
        let failed = self.failed("read");
        let mut query = self
            .connection
            .prepare(
                "SELECT student, module, submitted, late, sandboxed FROM submissions
                 ORDER BY student, module",
            )
            .map_err(&failed)?;
        let grades = query.query_map([], grade).map_err(&failed)?;
        let mut grades = grades.collect::<rusqlite::Result<Vec<Grade>>>().map_err(&failed)?;
        let mut cells = self.connection.prepare(CELLS).map_err(&failed)?;
        for grade in &mut grades {
            let rows = cells.query_map([grade.student.as_str(), &grade.module], cell);
            grade.cells = rows.and_then(Iterator::collect).map_err(&failed)?;
        }
        Ok(grades)
    }
}

/// The cells of a submission, then its free-text answers, each with what the instructor gave, and then what the instructor gave
/// to other cells.
const CELLS: &str = "
    SELECT cells.grade_id, cells.max_points, cells.points, outcome, message, manual.points, comment,
        rubric, 0, place
    FROM cells LEFT JOIN manual USING (student, module, grade_id)
    WHERE cells.student = ?1 AND cells.module = ?2
    UNION ALL
    SELECT answers.grade_id, answers.max_points, iif(text = '', 0, NULL),
        iif(text = '', 'not_attempted', NULL), text, manual.points, comment, rubric, 1, 1000000
    FROM answers LEFT JOIN manual USING (student, module, grade_id)
    WHERE answers.student = ?1 AND answers.module = ?2
    UNION ALL
    SELECT grade_id, max_points, NULL, NULL, NULL, points, comment, rubric, 0, 2000000
    FROM manual
    WHERE student = ?1 AND module = ?2 AND grade_id NOT IN
        (SELECT grade_id FROM cells WHERE student = ?1 AND module = ?2
         UNION SELECT grade_id FROM answers WHERE student = ?1 AND module = ?2)
    ORDER BY 10, 1
";

fn grade(row: &Row<'_>) -> rusqlite::Result<Grade> {
    Ok(Grade {
        student: student(row, 0)?,
        module: row.get(1)?,
        submitted: row.get(2)?,
        late: row.get(3)?,
        sandboxed: row.get(4)?,
        cells: vec![],
    })
}

fn cell(row: &Row<'_>) -> rusqlite::Result<CellGrade> {
    let word: Option<String> = row.get(3)?;
    let rubric: Option<String> = row.get(7)?;
    Ok(CellGrade {
        grade_id: row.get(0)?,
        max_points: row.get(1)?,
        automatic: row.get(2)?,
        outcome: word.map(|word| outcome(word, 3)).transpose()?,
        message: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        manual: row.get(5)?,
        comment: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        rubric: rubric.map_or(Ok(vec![]), |text| json(&text, 7))?,
        is_answer: row.get(8)?,
    })
}
