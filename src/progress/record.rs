//! What is written into the store. Each call is one transaction.

use super::{Store, fingerprint, shared};
use crate::curriculum::ModuleId;
use crate::error::Error;
use crate::report::shared::stops;
use crate::report::{ModuleReport, Part, Ran, mlperf};
use rusqlite::params;
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};
use tinytorch::report::Item;

impl Store {
    /// Records a finished check of `text`, with the verdict of every test.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_check(&mut self, report: &ModuleReport, text: &str) -> Result<(), Error> {
        let failed = self.failed("write to");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let (passed, expected) = report.passed();
        transaction
            .execute(
                "INSERT INTO attempts (at, module, fingerprint, outcome, passed, expected)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    now(),
                    report.module.0,
                    fingerprint(text),
                    word(&report.outcome()),
                    passed as i64,
                    expected as i64
                ],
            )
            .map_err(&failed)?;
        let attempt = transaction.last_insert_rowid();
        for result in
            report.graded().filter(|test| !test.old).filter_map(|test| test.result.as_ref())
        {
            transaction
                .execute(
                    "INSERT INTO verdicts (attempt, test, result) VALUES (?1, ?2, ?3)",
                    params![attempt, result.name, json(result)],
                )
                .map_err(&failed)?;
        }
        for stop in stops(report) {
            let (kind, name) = shared::row(&stop);
            transaction
                .execute(
                    "INSERT INTO stops (attempt, kind, name) VALUES (?1, ?2, ?3)",
                    params![attempt, kind, name],
                )
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)?;
        self.publish()
    }

    /// Records what an analysis of `text` reported, in place of its earlier report about the same text.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_analysis(
        &mut self,
        module: ModuleId,
        analysis: &str,
        items: &[Item],
        text: &str,
    ) -> Result<(), Error> {
        let failed = self.failed("write to");
        let transaction = self.connection.transaction().map_err(&failed)?;
        transaction
            .execute(
                "DELETE FROM measurements WHERE module = ?1 AND analysis = ?2 AND fingerprint = ?3",
                params![module.0, analysis, fingerprint(text)],
            )
            .map_err(&failed)?;
        for item in items.iter().filter(|item| !matches!(item, Item::Progress(_))) {
            transaction
                .execute(
                    "INSERT INTO measurements (at, module, fingerprint, analysis, item)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![now(), module.0, fingerprint(text), analysis, json(item)],
                )
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }

    /// Records the run of a milestone on an engine (`mine` or `reference`), in place of the earlier run on it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_milestone(
        &mut self,
        milestone: &str,
        engine: &str,
        fingerprint: &str,
        ran: &Ran,
    ) -> Result<(), Error> {
        let failed = self.failed("write to");
        self.connection
            .execute(
                "INSERT OR REPLACE INTO milestones (milestone, engine, at, fingerprint, ran)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![milestone, engine, now(), fingerprint, json(ran)],
            )
            .map(drop)
            .map_err(failed)
    }

    /// Records entries of TinyMLPerf, all of them or none. One that is there already is left as it is. Returns how many
    /// were new.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_entries(
        &mut self,
        entries: &[mlperf::Entry],
        imported: bool,
    ) -> Result<usize, Error> {
        let failed = self.failed("write to");
        let transaction = self.connection.transaction().map_err(&failed)?;
        let mut new = 0;
        for entry in entries {
            new += transaction
                .execute(
                    "INSERT OR IGNORE INTO mlperf (recorded, imported, fingerprint, entry)
                     VALUES (?1, ?2, ?3, ?4)",
                    params![now(), imported, entry.fingerprint(), json(entry)],
                )
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)?;
        Ok(new)
    }

    /// Records that hints of a cell were shown, up to and including number `shown`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_hint(&mut self, module: ModuleId, cell: &str, shown: usize) -> Result<(), Error> {
        let failed = self.failed("write to");
        self.connection
            .execute(
                "INSERT INTO hints (module, cell, shown) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET shown = max(shown, excluded.shown)",
                params![module.0, cell, shown as i64],
            )
            .map_err(failed)?;
        self.publish()
    }

    /// Records that the answer to a question was revealed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_answer(&mut self, module: ModuleId, question: &str) -> Result<(), Error> {
        let failed = self.failed("write to");
        self.connection
            .execute(
                "INSERT OR IGNORE INTO answers (module, question, at) VALUES (?1, ?2, ?3)",
                params![module.0, question, now()],
            )
            .map(drop)
            .map_err(failed)
    }

    /// Adds what the learner wrote at an open task; earlier texts are kept.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn record_written(
        &mut self,
        module: ModuleId,
        task: &str,
        part: Part,
        text: &str,
    ) -> Result<(), Error> {
        let failed = self.failed("write to");
        self.connection
            .execute(
                "INSERT INTO predictions (at, module, task, part, text) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![now(), module.0, task, part.word(), text],
            )
            .map(drop)
            .map_err(failed)
    }

    /// Remembers a choice, such as the module last worked on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let failed = self.failed("write to");
        self.connection
            .execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)", [name, value])
            .map(drop)
            .map_err(failed)
    }
}

/// Seconds since 1970; 0 if the clock is set before that. The order of rows never depends on it.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn json(value: &impl Serialize) -> String {
    crate::report::json::to_line(value)
}

/// A unit variant's serde name, without the quotes.
fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').to_owned()
}
