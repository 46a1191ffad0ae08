//! What is read from the store.

use super::{Store, fingerprint};
use crate::curriculum::ModuleId;
use crate::error::Error;
use crate::report::mlperf::Kept;
use crate::report::{Part, Ran, Written};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::path::Path;
use tinytorch::report::Item;

/// The result of a module's last check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCheck {
    /// The outcome, by its serde name: `passed`, `unfinished`, `does_not_compile`, `not_started`.
    pub outcome: String,
    /// Tests that passed.
    pub passed: usize,
    /// All tests.
    pub expected: usize,
    /// Whether the check was of the given text; otherwise the file was edited since.
    pub current: bool,
}

impl Store {
    /// The result of the module's last check, and whether that was of `text`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_check(&self, module: ModuleId, text: &str) -> Result<Option<LastCheck>, Error> {
        self.connection
            .query_row(
                "SELECT outcome, passed, expected, fingerprint FROM attempts
                 WHERE module = ?1 ORDER BY id DESC LIMIT 1",
                [module.0],
                |row| {
                    Ok(LastCheck {
                        outcome: row.get(0)?,
                        passed: row.get::<_, u32>(1)? as usize,
                        expected: row.get::<_, u32>(2)? as usize,
                        current: row.get::<_, String>(3)? == fingerprint(text),
                    })
                },
            )
            .optional()
            .map_err(self.failed("read"))
    }

    /// The tests that passed in the module's last check.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn passing(&self, module: ModuleId) -> Result<Vec<String>, Error> {
        let failed = self.failed("read");
        let mut statement = self
            .connection
            .prepare(
                "SELECT test FROM verdicts WHERE result ->> '$.verdict.state' = 'passed' AND attempt =
                 (SELECT max(id) FROM attempts WHERE module = ?1)",
            )
            .map_err(&failed)?;
        let rows = statement.query_map([module.0], |row| row.get(0)).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// How many checks of the module were recorded.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn attempts(&self, module: ModuleId) -> Result<usize, Error> {
        self.connection
            .query_row("SELECT count(*) FROM attempts WHERE module = ?1", [module.0], |row| {
                row.get::<_, u32>(0)
            })
            .map(|count| count as usize)
            .map_err(self.failed("read"))
    }

    /// What each analysis of the module last reported about `text`, in the order reported.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn measurements(&self, module: ModuleId, text: &str) -> Result<Vec<(String, Item)>, Error> {
        let failed = self.failed("read");
        let mut statement = self
            .connection
            .prepare(
                "SELECT analysis, item FROM measurements
                 WHERE module = ?1 AND fingerprint = ?2 ORDER BY id",
            )
            .map_err(&failed)?;
        let rows = statement
            .query_map(params![module.0, fingerprint(text)], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(&failed)?;
        let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>().map_err(&failed)?;
        // An item of an unknown kind, which another version wrote, is skipped.
        let known = |(analysis, item): (String, String)| {
            serde_json::from_str(&item).ok().map(|item| (analysis, item))
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// The last run of a milestone on an engine, with its fingerprint.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn milestone(&self, milestone: &str, engine: &str) -> Result<Option<(String, Ran)>, Error> {
        let row: Option<(String, String)> = self
            .connection
            .query_row(
                "SELECT fingerprint, ran FROM milestones WHERE milestone = ?1 AND engine = ?2",
                [milestone, engine],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(self.failed("read"))?;
        // A run that another version wrote in a form unknown to this one counts as none.
        Ok(row.and_then(|(fingerprint, ran)| Some((fingerprint, serde_json::from_str(&ran).ok()?))))
    }

    /// The entries of TinyMLPerf, in the order in which they were recorded.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn entries(&self) -> Result<Vec<Kept>, Error> {
        let failed = self.failed("read");
        let mut statement = self
            .connection
            .prepare("SELECT imported, entry FROM mlperf ORDER BY id")
            .map_err(&failed)?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows = statement.query_map([], row).map_err(&failed)?;
        let rows: Vec<(bool, String)> = rows.collect::<Result<_, _>>().map_err(&failed)?;
        // An entry that another version wrote in a form unknown to this one is skipped.
        let known = |(imported, entry): (bool, String)| {
            serde_json::from_str(&entry).ok().map(|entry| Kept { entry, imported })
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// How many hints of a cell were shown.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hints_shown(&self, module: ModuleId, cell: &str) -> Result<usize, Error> {
        self.connection
            .query_row(
                "SELECT shown FROM hints WHERE module = ?1 AND cell = ?2",
                params![module.0, cell],
                |row| row.get::<_, u32>(0),
            )
            .optional()
            .map(|shown| shown.map_or(0, |shown| shown as usize))
            .map_err(self.failed("read"))
    }

    /// The questions of a module whose answers were revealed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answered(&self, module: ModuleId) -> Result<Vec<String>, Error> {
        let failed = self.failed("read");
        let mut statement = self
            .connection
            .prepare("SELECT question FROM answers WHERE module = ?1 ORDER BY rowid")
            .map_err(&failed)?;
        let rows = statement.query_map([module.0], |row| row.get(0)).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// What the learner wrote at the open tasks of a module, by task.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn written(&self, module: ModuleId) -> Result<BTreeMap<String, Written>, Error> {
        let failed = self.failed("read");
        let mut statement = self
            .connection
            .prepare("SELECT task, part, text FROM predictions WHERE module = ?1 ORDER BY id")
            .map_err(&failed)?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows = statement.query_map([module.0], row).map_err(&failed)?;
        let mut all = BTreeMap::<String, Written>::new();
        for row in rows {
            let (task, part, text): (String, String, String) = row.map_err(&failed)?;
            let known = [Part::Prediction, Part::Result];
            if let Some(part) = known.into_iter().find(|known| known.word() == part) {
                all.entry(task).or_default().add(part, text);
            }
        }
        Ok(all)
    }

    /// A number that changes when another process writes to the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn version(&self) -> Result<i64, Error> {
        self.connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(self.failed("read"))
    }

    /// A remembered choice.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn get(&self, name: &str) -> Result<Option<String>, Error> {
        self.connection
            .query_row("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(self.failed("read"))
    }
}

/// A choice as the store at `path` has it, for what is drawn before the store is open. Nothing is created or
/// repaired here: opening the store reports what is wrong with it.
#[must_use]
pub fn remembered(path: &Path, name: &str) -> Option<String> {
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    store.query_row("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0)).ok()
}
