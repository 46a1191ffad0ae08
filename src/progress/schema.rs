//! The tables, and how a store is opened: a new one is created, an older one is migrated, and a damaged or foreign
//! one is renamed.

use super::failure;
use crate::error::Error;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours: `TTut` in ASCII.
pub(super) const APPLICATION: i32 = 0x5454_7574;

/// Each step migrates a store from the version of its index to the next. Steps are only ever added.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of attempts, whatever the clock did
        at INTEGER NOT NULL,                  -- seconds since 1970, as the machine's clock had it
        module INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,            -- BLAKE3 of the exercise's text
        outcome TEXT NOT NULL,
        passed INTEGER NOT NULL,
        expected INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX attempts_by_module ON attempts (module, id);
    CREATE TABLE verdicts (
        attempt INTEGER NOT NULL REFERENCES attempts (id),
        test TEXT NOT NULL,
        result TEXT NOT NULL,                 -- JSON, as in the headless output
        PRIMARY KEY (attempt, test)
    ) STRICT;
    CREATE TABLE measurements (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        module INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        analysis TEXT NOT NULL,
        item TEXT NOT NULL                    -- JSON, as in the headless output
    ) STRICT;
    CREATE INDEX measurements_by_module ON measurements (module, analysis, id);
    CREATE TABLE hints (
        module INTEGER NOT NULL,
        cell TEXT NOT NULL,
        shown INTEGER NOT NULL,
        PRIMARY KEY (module, cell)
    ) STRICT;
    CREATE TABLE answers (
        module INTEGER NOT NULL,
        question TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (module, question)
    ) STRICT;
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
",
    "
    CREATE TABLE milestones (
        milestone TEXT NOT NULL,
        engine TEXT NOT NULL,                 -- mine or reference
        at INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,            -- of the program and the learner's modules below it
        ran TEXT NOT NULL,                    -- JSON, as in the headless output
        PRIMARY KEY (milestone, engine)
    ) STRICT;
",
    "
    CREATE TABLE predictions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of texts; none replaces an earlier one
        at INTEGER NOT NULL,
        module INTEGER NOT NULL,
        task TEXT NOT NULL,
        part TEXT NOT NULL,                   -- prediction or result
        text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX predictions_by_module ON predictions (module, id);
",
    "
    CREATE TABLE mlperf (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of recording, whatever the clock did
        recorded INTEGER NOT NULL,
        imported INTEGER NOT NULL,            -- 1 where it came from a file
        fingerprint TEXT NOT NULL UNIQUE,     -- BLAKE3 of the entry: one run is kept once
        entry TEXT NOT NULL                   -- JSON, as in an exported file
    ) STRICT;
",
    "
    CREATE TABLE stops (                      -- what stopped an attempt
        attempt INTEGER NOT NULL REFERENCES attempts (id),
        kind TEXT NOT NULL,                   -- test or error
        name TEXT NOT NULL,                   -- of the test; the code of the compiler's error, or its class
        PRIMARY KEY (attempt, kind, name)
    ) STRICT, WITHOUT ROWID;
",
];

/// An open store.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// The folder of a temporary copy; removed with it.
    _folder: Option<tempfile::TempDir>,
}

/// A store that could not be used and was renamed, unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub kept_as: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

enum OpenError {
    /// The file is damaged, or not a store of ours: it is set aside.
    Damaged(String),
    /// Any other error.
    Failed(Error),
}

impl Store {
    /// Opens the store at `path`, or creates it and its folder.
    ///
    /// # Errors
    /// When the folder cannot be written, or the store was made by a newer version.
    pub fn open(path: &Path) -> Result<(Self, Option<SetAside>), Error> {
        // A fresh clone has no such folder yet.
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::io("create the folder", folder, &error))?;
        }
        // Of two tutors that find the damage, one sets the store aside, and the other finds a new one.
        let lock = StoreLock::open(path)?;
        let damage = match Self::try_open(path, &lock) {
            Ok(store) => return Ok((store, None)),
            Err(OpenError::Failed(error)) => return Err(error),
            Err(OpenError::Damaged(reason)) => reason,
        };
        let aside = set_aside(path, damage)?;
        match Self::try_open(path, &StoreLock { made: false, ..lock }) {
            Ok(store) => Ok((store, Some(aside))),
            Err(OpenError::Failed(error)) => Err(error),
            Err(OpenError::Damaged(reason)) => Err(Error::environment(format!(
                "failed to create a new progress store \"{}\": {reason}",
                path.display()
            ))),
        }
    }

    /// A copy of the store at `path`, removed when it is dropped: for a lab that cannot be written. Empty if there
    /// is nothing to copy.
    ///
    /// # Errors
    /// When there is no memory left.
    pub fn temporary_copy(path: &Path) -> Result<Self, Error> {
        Self::copy_of(path).or_else(|_| Self::in_memory())
    }

    fn copy_of(path: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::io("copy", path, &error);
        let folder = tempfile::tempdir().map_err(failed)?;
        let copy = folder.path().join("progress.db");
        std::fs::copy(path, &copy).map_err(failed)?;
        // The write-ahead log, if there is one: its part is not in the main file yet.
        let _ = std::fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal"));
        let (store, _) = Self::open(&copy)?;
        Ok(Self { _folder: Some(folder), ..store })
    }

    fn in_memory() -> Result<Self, Error> {
        let path = Path::new(":memory:");
        let opened = Connection::open_in_memory();
        let mut connection = opened.map_err(|error| failure(path, "open", &error))?;
        match migrate(&mut connection, path) {
            Ok(()) => Ok(Self { connection, path: path.to_owned(), _folder: None }),
            Err(OpenError::Failed(error)) => Err(error),
            Err(OpenError::Damaged(reason)) => Err(Error::environment(reason)),
        }
    }

    fn try_open(path: &Path, lock: &StoreLock) -> Result<Self, OpenError> {
        // SQLite takes an empty file for a new database: all progress would seem never made.
        if lock.made && path.metadata().is_ok_and(|store| store.len() == 0) {
            return Err(OpenError::Damaged("it is empty".into()));
        }
        let failed = |what| move |error: rusqlite::Error| open_error(path, what, &error);
        let flags = OpenFlags::default();
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed("open"))?;
        let check: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(failed("read"))?;
        if check != "ok" {
            return Err(OpenError::Damaged(check));
        }
        // WAL lets a second tutor read while one writes; FULL has each commit on the disk.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(failed("open"))?;
        migrate(&mut connection, path)?;
        lock.mark_made().map_err(OpenError::Failed)?;
        Ok(Self { connection, path: path.to_owned(), _folder: None })
    }

    pub(super) fn failed(&self, what: &str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let (path, what) = (self.path.clone(), what.to_owned());
        move |error| failure(&path, &what, &error)
    }
}

/// A file beside the store that one tutor at a time locks while it opens the store. It is empty until a store was
/// created.
struct StoreLock {
    file: File,
    path: PathBuf,
    made: bool,
}

impl StoreLock {
    fn open(store: &Path) -> Result<Self, Error> {
        let path = store.with_extension("lock");
        let failed = |error| {
            Error::io("lock the progress store with", &path, &error)
                .hint("Make the lab's folder writable, so that progress can be saved.")
        };
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let made = file.metadata().map_err(failed)?.len() > 0;
        Ok(Self { file, path, made })
    }

    fn mark_made(&self) -> Result<(), Error> {
        if self.made {
            return Ok(());
        }
        let failed = |error| Error::io("write", &self.path, &error);
        (&self.file).write_all(b"A store was made.\n").map_err(failed)
    }
}

fn open_error(path: &Path, what: &str, error: &rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged(error.to_string())
        }
        _ => OpenError::Failed(failure(path, what, error)),
    }
}

/// Migrates the tables in one transaction, so that of two tutors that start at once one does it and the other finds it
/// done.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| open_error(path, "update", &error);
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(failed)?;
    let pragma = |name: &str| -> rusqlite::Result<i32> {
        transaction.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
    };
    let version = pragma("user_version").map_err(failed)?;
    let application = pragma("application_id").map_err(failed)?;
    let tables: i32 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if application != APPLICATION && tables > 0 {
        return Err(OpenError::Damaged("it is a database of another program".into()));
    }
    let version = usize::try_from(version).unwrap_or(0);
    if version > MIGRATIONS.len() {
        return Err(OpenError::Failed(
            Error::environment(format!(
                "the progress store \"{}\" was written by a newer tinytorch-tutor (format {version}, this one knows {})",
                path.display(),
                MIGRATIONS.len()
            ))
            .hint("Update tinytorch-tutor, or use another lab; nothing was changed."),
        ));
    }
    for step in &MIGRATIONS[version..] {
        transaction.execute_batch(step).map_err(failed)?;
    }
    if version < MIGRATIONS.len() {
        let marks = format!(
            "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {};",
            MIGRATIONS.len()
        );
        transaction.execute_batch(&marks).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Renames the store to the first free name, its journal first: after a kill in between, the store is still found to be
/// damaged.
fn set_aside(path: &Path, reason: String) -> Result<SetAside, Error> {
    let name = |number: usize| path.with_extension(format!("damaged-{number}.db"));
    let kept_as = (1..).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(0));
    for suffix in ["-wal", "-shm", ""] {
        let part = |base: &Path| {
            let mut name = base.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        match std::fs::rename(part(path), part(&kept_as)) {
            Err(error) if suffix.is_empty() || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("set aside the damaged store", &part(path), &error));
            }
            _ => {}
        }
    }
    Ok(SetAside { kept_as, reason })
}
