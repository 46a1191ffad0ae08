//! The tables, and how a gradebook is opened: a new one is created, an older one is migrated, and what is damaged or another
//! program's is refused, unchanged.

use super::{failure, refusal};
use crate::error::Error;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours: `TTgb` in ASCII.
pub(super) const APPLICATION: i32 = 0x5454_6762;

/// Each step migrates a gradebook from the version of its index to the next. Steps are only ever added.
pub(super) const MIGRATIONS: &[&str] = &[
    "
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
",
    "
    ALTER TABLE manual ADD COLUMN rubric TEXT NOT NULL DEFAULT '[]';    -- JSON: the items that apply
    ALTER TABLE manual ADD COLUMN answer TEXT;                          -- BLAKE3 of the answer that was graded
    CREATE TABLE answers (                    -- free text, which only the instructor can grade
        student TEXT NOT NULL,
        module TEXT NOT NULL,
        grade_id TEXT NOT NULL,
        max_points INTEGER NOT NULL,
        text TEXT NOT NULL,                   -- empty: not answered
        PRIMARY KEY (student, module, grade_id)
    ) STRICT;
    CREATE TABLE changes (                    -- cells that were graded again on their own
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,                  -- seconds since 1970
        student TEXT NOT NULL,
        module TEXT NOT NULL,
        before TEXT,                          -- JSON, as in a result; NULL: it had no such cell
        after TEXT NOT NULL                   -- JSON, as in a result
    ) STRICT;
",
];

/// An open gradebook.
#[derive(Debug)]
pub struct Gradebook {
    pub(super) connection: Connection,
    path: PathBuf,
}

impl Gradebook {
    /// Opens the gradebook at `path`, or creates it.
    ///
    /// # Errors
    /// When it cannot be opened, is damaged, or is no gradebook of this version or an earlier one.
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
        book.migrate()?;
        Ok(book)
    }

    /// Creates the tables in an empty database, or migrates those of an earlier version, all of them or none.
    fn migrate(&mut self) -> Result<(), Error> {
        let (failed, path) = (self.failed("open"), self.path.clone());
        let transaction = self.write().map_err(&failed)?;
        let number = |query: &str| -> rusqlite::Result<i32> {
            transaction.query_row(query, [], |row| row.get(0))
        };
        let application = number("PRAGMA application_id").map_err(&failed)?;
        let version = number("PRAGMA user_version").map_err(&failed)?;
        let tables = number("SELECT count(*) FROM sqlite_schema").map_err(&failed)?;
        if application != APPLICATION && tables > 0 {
            return Err(refusal(&path, "is a database of another program")
                .hint("Name another file with `--gradebook FILE`."));
        }
        let newest = MIGRATIONS.len();
        let steps = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..));
        let Some(steps) = steps else {
            let problem = format!(
                "was written by a newer version (format {version}, this one knows {newest})"
            );
            return Err(refusal(&path, &problem).hint(
                "Use that version of tinytorch-tutor, or another gradebook; nothing was changed.",
            ));
        };
        for step in steps {
            transaction.execute_batch(step).map_err(&failed)?;
        }
        let marks =
            format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {newest};");
        transaction.execute_batch(&marks).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    pub(super) fn write(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    pub(super) fn failed(&self, what: &str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let (path, what) = (self.path.clone(), what.to_owned());
        move |error| failure(&path, &what, &error)
    }
}
