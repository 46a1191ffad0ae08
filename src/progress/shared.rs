//! What the learner shares. With their consent, which is kept in the store, a file beside it has the figures of
//! `report::shared` and nothing else; without it there is no such file.

use super::Store;
use crate::curriculum::ModuleId;
use crate::error::Error;
use crate::lab::atomic;
use crate::report::json;
use crate::report::shared::{Check, FILE, Shared, Stop};
use rusqlite::Row;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the setting.
pub const SHARE: &str = "share";
const YES: &str = "yes";
const NO: &str = "no";

impl Store {
    /// Whether the learner agreed to share figures; `None` if they did not decide yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn shares(&self) -> Result<Option<bool>, Error> {
        Ok(self.get(SHARE)?.map(|word| word == YES))
    }

    /// Keeps the learner's decision, and writes or removes the file.
    ///
    /// # Errors
    /// When the store or the file cannot be written.
    pub fn share(&mut self, shares: bool) -> Result<(), Error> {
        self.set(SHARE, if shares { YES } else { NO })?;
        self.publish()
    }

    /// What is shared, or would be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn shared(&self) -> Result<Shared, Error> {
        let failed = self.failed("read");
        let mut stops = self.stops().map_err(&failed)?;
        let mut query = self
            .connection
            .prepare("SELECT id, module, at, fingerprint, outcome FROM attempts ORDER BY id")
            .map_err(&failed)?;
        let rows = query.query_map([], |row| check(row, &mut stops)).map_err(&failed)?;
        let checks: Vec<Option<Check>> = rows.collect::<Result<_, _>>().map_err(&failed)?;
        let hints = self.all_hints().map_err(&failed)?;
        Ok(Shared::new(checks.into_iter().flatten(), hints))
    }

    /// Makes the file what it must be: there with consent, and gone without.
    pub(super) fn publish(&self) -> Result<(), Error> {
        // A store in memory, of a lab that cannot be written, has no place for a file.
        if self.connection.path().is_none_or(str::is_empty) {
            return Ok(());
        }
        if self.shares()? == Some(true) {
            let file = shared_file(&self.path);
            return atomic::write(&file, (json::to_line(&self.shared()?) + "\n").as_bytes());
        }
        withdraw(&self.path)
    }

    /// What stopped each attempt.
    fn stops(&self) -> rusqlite::Result<BTreeMap<i64, Vec<Stop>>> {
        let mut query = self.connection.prepare("SELECT attempt, kind, name FROM stops")?;
        let mut rows = query.query([])?;
        let mut stops = BTreeMap::<i64, Vec<Stop>>::new();
        while let Some(row) = rows.next()? {
            let (kind, name): (String, String) = (row.get(1)?, row.get(2)?);
            let stop = if kind == TEST { Stop::Test(name) } else { Stop::Error(name) };
            stops.entry(row.get(0)?).or_default().push(stop);
        }
        Ok(stops)
    }

    /// How many hints of each module were shown.
    fn all_hints(&self) -> rusqlite::Result<Vec<(ModuleId, u32)>> {
        let query = "SELECT module, sum(shown) FROM hints GROUP BY module";
        let mut query = self.connection.prepare(query)?;
        query.query_map([], |row| Ok((ModuleId(row.get(0)?), row.get(1)?)))?.collect()
    }
}

/// How the table `stops` calls a test.
const TEST: &str = "test";

/// A stop as the table `stops` has it.
pub(super) fn row(stop: &Stop) -> (&'static str, &str) {
    match stop {
        Stop::Test(name) => (TEST, name),
        Stop::Error(class) => ("error", class),
    }
}

/// `None` for an outcome that another version wrote and this one does not know.
fn check(row: &Row<'_>, stops: &mut BTreeMap<i64, Vec<Stop>>) -> rusqlite::Result<Option<Check>> {
    let word: String = row.get(4)?;
    let outcome = serde_json::from_value(word.into());
    let stops = stops.remove(&row.get(0)?).unwrap_or_default();
    let (module, at, fingerprint) = (ModuleId(row.get(1)?), row.get(2)?, row.get(3)?);
    Ok(outcome.ok().map(|outcome| Check { module, at, fingerprint, outcome, stops }))
}

/// Removes the file with what is shared, whatever state the store at `path` is in.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn withdraw(path: &Path) -> Result<(), Error> {
    let file = shared_file(path);
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", &file, &error))
        }
        _ => Ok(()),
    }
}

/// The file with what is shared, beside the store at `path`.
#[must_use]
pub fn shared_file(path: &Path) -> PathBuf {
    path.with_file_name(FILE)
}
