//! Opening a connection, and bringing the database to the schema of this version.

use std::path::Path;
use std::time::Duration;

use refinery::{Migration, Runner};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, ffi};

use crate::error::StoreError;

/// How long a connection waits for another of the same process: the writer for the end of a
/// checkpoint.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long opening waits for another process before it gives up.
const PROBE: Duration = Duration::from_secs(1);

/// More statements than the store has.
const STATEMENTS: usize = 128;

const MIGRATIONS: [(&str, &str); 9] = [
    ("V1__foundation", include_str!("../../migrations/V1__foundation.sql")),
    ("V2__members_and_sessions", include_str!("../../migrations/V2__members_and_sessions.sql")),
    ("V3__receipts", include_str!("../../migrations/V3__receipts.sql")),
    ("V4__verifiers", include_str!("../../migrations/V4__verifiers.sql")),
    ("V5__nodes", include_str!("../../migrations/V5__nodes.sql")),
    ("V6__signing_keys", include_str!("../../migrations/V6__signing_keys.sql")),
    ("V7__several_nodes", include_str!("../../migrations/V7__several_nodes.sql")),
    ("V8__oauth_clients", include_str!("../../migrations/V8__oauth_clients.sql")),
    ("V9__source_networks", include_str!("../../migrations/V9__source_networks.sql")),
];

/// Opens the database file, which must exist, though it may be empty.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PROBE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan that depends on parameters is made anew each time they are bound: a fifth of a revoke.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // WAL with FULL: a commit is durable when it returns. On macOS an fsync alone does not reach the
    // disk. Checkpoints are the business of a thread of their own, never of a commit.
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -32768;
         PRAGMA temp_store = MEMORY;",
    )?;
    db.busy_timeout(PATIENCE)?;
    Ok(db)
}

/// Asks for the right to write, which another process may have.
pub(super) fn probe(db: &Connection) -> Result<(), StoreError> {
    db.busy_timeout(PROBE)?;
    db.execute_batch("BEGIN IMMEDIATE; ROLLBACK;")?;
    Ok(db.busy_timeout(PATIENCE)?)
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let db = open(path)?;
    db.execute_batch("PRAGMA query_only = ON;")?;
    Ok(db)
}

/// Brings the schema up to this version's. A later one is refused: what it means is not known here.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    let migrations = MIGRATIONS
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| StoreError::Database(error.to_string()))?;
    let known = migrations.iter().map(Migration::version).max().unwrap_or_default();
    let known = u64::try_from(known).map_err(|_| StoreError::Corrupt("a migration's number"))?;
    let found = schema_version(db)?;
    if found > known {
        return Err(StoreError::LaterSchema { found, known });
    }
    if found < known {
        tracing::info!(from = found, to = known, "bringing the database's schema up to date");
    }
    let runner = Runner::new(&migrations).set_abort_divergent(true).set_abort_missing(true);
    runner.run(db).map_err(|error| StoreError::Database(format!("migrating: {error}")))?;
    Ok(())
}

/// The version of the schema: the number of its last migration; 0 where there is none yet.
fn schema_version(db: &Connection) -> Result<u64, StoreError> {
    const TABLE: &str =
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'refinery_schema_history'";
    if db.query_row(TABLE, [], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    let version: Option<i64> =
        db.query_row("SELECT MAX(version) FROM refinery_schema_history", [], |row| row.get(0))?;
    u64::try_from(version.unwrap_or(0)).map_err(|_| StoreError::Corrupt("a schema version"))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            _ if extended(&error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            _ => Self::Database(error.to_string()),
        }
    }
}

/// Whether the database file's state is in doubt: what a failed fsync left on the disk is unknown,
/// and asking again would not tell.
pub(super) fn leaves_doubt(error: &rusqlite::Error) -> bool {
    matches!(
        extended(error),
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC | ffi::SQLITE_IOERR_DATA)
    )
}

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}
