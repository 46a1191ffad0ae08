//! The gradebook: an SQLite database with what the tests gave and, in a table of its own that no import touches, what the
//! instructor gave and wrote. A write is on the disk when its call returns. Must not know how a submission is graded.

use super::grade::{CellGrade, Grade};
use super::result::{CellResult, Outcome, SubmissionResult};
use super::student::StudentId;
use crate::error::{Error, harmless, printable};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours: `TTgb` in ASCII.
const APPLICATION: i32 = 0x5454_6762;

/// The version of the tables.
const VERSION: i32 = 1;

const TABLES: &str = "
    CREATE TABLE submissions (
        student TEXT NOT NULL,
        module TEXT NOT NULL,                 -- the slug: nbgrader's assignment
        submitted INTEGER NOT NULL,           -- seconds since 1970
        late INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        sandboxed INTEGER NOT NULL,
        PRIMARY KEY (student, module)
    ) STRICT;
    CREATE TABLE cells (
        student TEXT NOT NULL,
        module TEXT NOT NULL,
        grade_id TEXT NOT NULL,
        place INTEGER NOT NULL,               -- in the file
        max_points INTEGER NOT NULL,
        points INTEGER,                       -- NULL: to be graded again
        outcome TEXT NOT NULL,                -- as in a result
        message TEXT NOT NULL,
        PRIMARY KEY (student, module, grade_id),
        FOREIGN KEY (student, module) REFERENCES submissions ON DELETE CASCADE
    ) STRICT;
    CREATE TABLE manual (
        student TEXT NOT NULL,
        module TEXT NOT NULL,
        grade_id TEXT NOT NULL,
        max_points INTEGER NOT NULL,          -- for a cell without tests
        points REAL,                          -- NULL: those of the tests count
        comment TEXT NOT NULL,
        PRIMARY KEY (student, module, grade_id)
    ) STRICT;
";

/// An open gradebook.
#[derive(Debug)]
pub struct Gradebook {
    connection: Connection,
    path: PathBuf,
}

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

impl Gradebook {
    /// Opens the gradebook at `path`, or creates it.
    ///
    /// # Errors
    /// When it cannot be opened, is damaged, or is no gradebook of this version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let opened = Connection::open(path).map_err(|error| failure(path, "open", &error))?;
        let mut book = Self { connection: opened, path: path.to_owned() };
        let failed = book.failed("open");
        book.connection.busy_timeout(Duration::from_secs(5)).map_err(&failed)?;
        book.connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            .map_err(&failed)?;
        let check: String = book
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(&failed)?;
        if check != "ok" {
            return Err(refusal(path, &format!("is damaged: {check}"))
                .hint("Restore it from a backup; nothing was changed."));
        }
        book.create()?;
        Ok(book)
    }

    /// Creates the tables in an empty database.
    fn create(&mut self) -> Result<(), Error> {
        let (failed, path) = (self.failed("open"), self.path.clone());
        let transaction = self.write().map_err(&failed)?;
        let number = |query: &str| -> rusqlite::Result<i32> {
            transaction.query_row(query, [], |row| row.get(0))
        };
        let application = number("PRAGMA application_id").map_err(&failed)?;
        let version = number("PRAGMA user_version").map_err(&failed)?;
        let tables = number("SELECT count(*) FROM sqlite_schema").map_err(&failed)?;
        match (application, version) {
            (APPLICATION, VERSION) => Ok(()),
            (APPLICATION, _) => Err(refusal(
                &path,
                &format!(
                    "was written by another version (format {version}, this one knows {VERSION})"
                ),
            )
            .hint(
                "Use that version of tinytorch-tutor, or another gradebook; nothing was changed.",
            )),
            _ if tables > 0 => Err(refusal(&path, "is a database of another program")
                .hint("Name another file with `--gradebook FILE`.")),
            _ => {
                let marks = format!(
                    "{TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
                );
                transaction.execute_batch(&marks).map_err(&failed)?;
                transaction.commit().map_err(&failed)
            }
        }
    }

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

    /// Records points or a comment of the instructor.
    ///
    /// # Errors
    /// When the points are not from 0 to what the cell is worth, there is no submission, or the gradebook cannot be
    /// written.
    pub fn give(&mut self, manual: &Manual) -> Result<(), Error> {
        let Manual { student, module, grade_id, max_points, points, comment } = manual;
        if points.is_some_and(|points| !(0.0..=f64::from(*max_points)).contains(&points)) {
            let message = format!("{} points for {grade_id}", points.unwrap_or_default());
            return Err(Error::usage(message).hint(format!("Give 0 to {max_points} points.")));
        }
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
                     comment = coalesce(?6, comment)",
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

    fn write(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    fn failed(&self, what: &str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let (path, what) = (self.path.clone(), what.to_owned());
        move |error| failure(&path, &what, &error)
    }
}

/// The cells of a submission with what the instructor gave, and then what the instructor gave to other cells.
const CELLS: &str = "
    SELECT cells.grade_id, cells.max_points, cells.points, outcome, message, manual.points, comment, place
    FROM cells LEFT JOIN manual USING (student, module, grade_id)
    WHERE cells.student = ?1 AND cells.module = ?2
    UNION ALL
    SELECT grade_id, max_points, NULL, NULL, NULL, points, comment, 1000000
    FROM manual
    WHERE student = ?1 AND module = ?2 AND grade_id NOT IN
        (SELECT grade_id FROM cells WHERE student = ?1 AND module = ?2)
    ORDER BY 8, 1
";

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
    let mut insert = transaction.prepare(
        "INSERT INTO cells (student, module, grade_id, place, max_points, points, outcome, message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (place, cell) in (0_i64..).zip(cells) {
        let CellResult { grade_id, max_points, points, outcome, message } = cell;
        let (student, message) = (student.as_str(), message.as_str());
        let outcome = outcome.word();
        insert.execute(params![
            student, module, grade_id, place, max_points, points, outcome, message
        ])?;
    }
    Ok(())
}

fn grade(row: &Row<'_>) -> rusqlite::Result<Grade> {
    let student =
        StudentId::try_from(row.get::<_, String>(0)?).map_err(|problem| foreign(0, problem))?;
    Ok(Grade {
        student,
        module: row.get(1)?,
        submitted: row.get(2)?,
        late: row.get(3)?,
        sandboxed: row.get(4)?,
        cells: vec![],
    })
}

fn cell(row: &Row<'_>) -> rusqlite::Result<CellGrade> {
    let outcome: Option<String> = row.get(3)?;
    let known = |word: String| {
        Outcome::named(&word).ok_or_else(|| foreign(3, format!("unknown outcome {word:?}")))
    };
    Ok(CellGrade {
        grade_id: row.get(0)?,
        max_points: row.get(1)?,
        automatic: row.get(2)?,
        outcome: outcome.map(known).transpose()?,
        message: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        manual: row.get(5)?,
        comment: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
    })
}

/// A value that no version of ours writes.
fn foreign(column: usize, problem: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, problem.into())
}

fn failure(path: &Path, what: &str, error: &rusqlite::Error) -> Error {
    let failure = Error::environment(format!(
        "failed to {what} the gradebook \"{}\": {error}",
        printable(path)
    ));
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => failure
            .hint(
                "It is damaged, or no gradebook: restore it from a backup, or name another file.",
            ),
        Some(rusqlite::ErrorCode::DatabaseBusy) => {
            failure.hint("Another program has locked it: close it and try again.")
        }
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly) => {
            failure.hint("Its folder must exist and be writable.")
        }
        _ => failure,
    }
}

fn refusal(path: &Path, problem: &str) -> Error {
    Error::environment(format!("the gradebook \"{}\" {problem}", printable(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(submitted: i64, cells: Vec<CellResult>) -> SubmissionResult {
        SubmissionResult {
            schema: 1,
            student: id("ada"),
            module: "01_tensor".into(),
            submitted,
            late: false,
            fingerprint: "00".into(),
            sandboxed: true,
            cells,
        }
    }

    fn id(text: &str) -> StudentId {
        text.to_owned().try_into().unwrap()
    }

    fn cells(first: Outcome) -> Vec<CellResult> {
        vec![
            CellResult::new("test-new", 6, first, "a message"),
            CellResult::new("test-add", 5, Outcome::GraderFault, ""),
        ]
    }

    fn by_hand(grade_id: &str, points: Option<f64>, comment: Option<&str>) -> Manual {
        let comment = comment.map(str::to_owned);
        let (student, module, grade_id) = (id("ada"), "01_tensor".to_owned(), grade_id.to_owned());
        Manual { student, module, grade_id, max_points: 6, points, comment }
    }

    struct Desk(tempfile::TempDir);

    impl Desk {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("gradebook.db")
        }

        fn open(&self) -> Gradebook {
            Gradebook::open(&self.path()).unwrap()
        }
    }

    #[test]
    fn a_result_is_read_again_cell_by_cell() {
        let desk = Desk::new();
        let imported = desk.open().import(&result(10, cells(Outcome::Passed))).unwrap();
        assert_eq!(imported, Imported::New);
        let grades = desk.open().grades().unwrap();
        let [grade] = &grades[..] else { panic!("one grade: {grades:#?}") };
        assert_eq!((grade.student.as_str(), &*grade.module), ("ada", "01_tensor"));
        assert_eq!((grade.submitted, grade.late, grade.sandboxed), (10, false, true));
        let cells: Vec<_> = grade
            .cells
            .iter()
            .map(|cell| (&*cell.grade_id, cell.automatic, cell.outcome))
            .collect();
        let expected = [
            ("test-new", Some(6), Some(Outcome::Passed)),
            ("test-add", None, Some(Outcome::GraderFault)),
        ];
        assert_eq!(cells, expected);
        let score = grade.score();
        assert_eq!((score.points, score.max_points, score.ungraded), (6.0, 11, 1));
    }

    #[test]
    fn what_the_instructor_gave_survives_every_regrade() {
        let desk = Desk::new();
        let mut book = desk.open();
        book.import(&result(10, cells(Outcome::Failed))).unwrap();
        book.give(&by_hand("test-new", Some(2.5), Some("a good try"))).unwrap();
        book.give(&by_hand("tensor-question", Some(4.0), None)).unwrap();
        let imported = book.import(&result(10, cells(Outcome::Passed))).unwrap();
        assert_eq!(imported, Imported::Replaced);
        let fewer = vec![CellResult::new("test-other", 1, Outcome::Passed, "")];
        book.import(&result(11, fewer)).unwrap();
        let grade = &desk.open().grades().unwrap()[0];
        let kept: Vec<_> =
            grade.cells.iter().map(|cell| (&*cell.grade_id, cell.manual, &*cell.comment)).collect();
        let expected = [
            ("test-other", None, ""),
            ("tensor-question", Some(4.0), ""),
            ("test-new", Some(2.5), "a good try"),
        ];
        assert_eq!(kept, expected);
        assert_eq!(grade.score().points, 7.5);
    }

    #[test]
    fn points_by_hand_replace_those_of_the_tests_until_they_are_taken_back() {
        let desk = Desk::new();
        let mut book = desk.open();
        book.import(&result(10, cells(Outcome::Passed))).unwrap();
        book.give(&by_hand("test-new", None, Some("see me"))).unwrap();
        let score = |book: &Gradebook| book.grades().unwrap()[0].cells[0].score();
        assert_eq!(score(&book), Some(6.0), "a comment changes no points");
        book.give(&by_hand("test-new", Some(1.0), None)).unwrap();
        assert_eq!(score(&book), Some(1.0));
        book.give(&by_hand("test-new", None, Some("see me again"))).unwrap();
        assert_eq!(score(&book), Some(1.0), "nor does it take any back");
        book.take_back(&id("ada"), "01_tensor", "test-new").unwrap();
        assert_eq!(score(&book), Some(6.0));
        assert_eq!(book.grades().unwrap()[0].cells[0].comment, "see me again");
    }

    #[test]
    fn points_that_a_cell_cannot_have_are_refused() {
        let desk = Desk::new();
        let mut book = desk.open();
        let unknown = book.give(&by_hand("test-new", Some(1.0), None)).unwrap_err();
        assert!(unknown.message.contains("no result of ada for 01_tensor"), "{unknown}");
        book.import(&result(10, cells(Outcome::Passed))).unwrap();
        for points in [-1.0, 6.5, f64::NAN, f64::INFINITY] {
            let error = book.give(&by_hand("test-new", Some(points), None)).unwrap_err();
            assert!(error.hints[0].contains("0 to 6"), "{error}");
        }
    }

    #[test]
    fn the_result_of_an_earlier_submission_does_not_replace_a_later_one() {
        let desk = Desk::new();
        let mut book = desk.open();
        book.import(&result(20, cells(Outcome::Passed))).unwrap();
        assert_eq!(book.import(&result(10, vec![])).unwrap(), Imported::Older);
        assert_eq!(book.grades().unwrap()[0].cells.len(), 2);
    }

    #[test]
    fn a_file_that_is_no_gradebook_is_refused_and_not_changed() {
        let desk = Desk::new();
        std::fs::write(desk.path(), "these are my notes, and no database at all").unwrap();
        assert!(Gradebook::open(&desk.path()).unwrap_err().hints[0].contains("no gradebook"));
        assert!(std::fs::read_to_string(desk.path()).unwrap().starts_with("these are my notes"));
        std::fs::remove_file(desk.path()).unwrap();
        let other = Connection::open(desk.path()).unwrap();
        other.execute_batch("CREATE TABLE theirs (a)").unwrap();
        let error = Gradebook::open(&desk.path()).unwrap_err();
        assert!(error.message.contains("another program"), "{error}");
        drop(other);
        std::fs::remove_file(desk.path()).unwrap();
        desk.open().connection.execute_batch("PRAGMA user_version = 2").unwrap();
        let error = Gradebook::open(&desk.path()).unwrap_err();
        assert!(error.message.contains("format 2"), "{error}");
    }
}
