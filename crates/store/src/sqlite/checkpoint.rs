//! Moving what was committed from the WAL into the database file, beside the writer.
//!
//! A passive checkpoint disturbs no one. Under steady writing it never catches up entirely, and then
//! the WAL would grow without end: past a limit the writer is made to wait for the little that is
//! left, after which the WAL starts anew from its beginning.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;

use super::connection::leaves_doubt;
use super::health::Health;

/// Pages of 4 KiB that may wait in the WAL before they are moved.
const PASSIVE_AT: i64 = 1_000;

/// Pages in the WAL at which the writer is made to wait.
const RESTART_AT: i64 = 8_000;

/// Tells the checkpoint thread that something was committed. The thread ends when this is dropped.
pub(super) struct Nudge(SyncSender<()>);

impl Nudge {
    pub(super) fn nudge(&self) {
        // Where a nudge waits already, that one will do.
        let _ = self.0.try_send(());
    }
}

/// The checkpoint thread's state.
pub(super) struct Checkpoints {
    db: Connection,
    health: Arc<Health>,
    nudges: Receiver<()>,
}

impl Checkpoints {
    pub(super) fn new(db: Connection, health: Arc<Health>) -> (Self, Nudge) {
        let (sender, nudges) = sync_channel(1);
        (Self { db, health, nudges }, Nudge(sender))
    }

    pub(super) fn run(self) {
        let mut failed = false;
        while self.nudges.recv().is_ok() && !self.health.has_stopped() {
            match self.checkpoint() {
                Ok(()) => failed = false,
                Err(error) if leaves_doubt(&error) => {
                    self.health.stop("moving the WAL into the database file", &error);
                }
                // A full disk, for one. Nothing is lost: the WAL keeps it until it can be moved.
                Err(error) if !failed => {
                    failed = true;
                    tracing::warn!(%error, "the database's WAL cannot be moved for now");
                }
                Err(_) => {}
            }
        }
    }

    fn checkpoint(&self) -> rusqlite::Result<()> {
        let (pages, moved) = self.pragma("PRAGMA wal_checkpoint(NOOP)")?;
        if pages - moved < PASSIVE_AT {
            return Ok(());
        }
        let (pages, moved) = self.pragma("PRAGMA wal_checkpoint(PASSIVE)")?;
        if pages >= RESTART_AT && moved < pages {
            self.pragma("PRAGMA wal_checkpoint(RESTART)")?;
        }
        Ok(())
    }

    /// How many pages are in the WAL, and how many of them have been moved.
    fn pragma(&self, sql: &str) -> rusqlite::Result<(i64, i64)> {
        self.db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
    }
}
