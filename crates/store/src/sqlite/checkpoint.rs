//! Moving what was committed from the WAL into the database file, beside the writer.
//!
//! ```text
//! checkpoint thread   1,000 pages wait ─▶ move them while the writer goes on
//!                     8,000 pages in the WAL ─▶ ask the writer
//! writer              asked ─▶ between two batches, move the few that came meanwhile;
//!                              the next batch writes the WAL from its beginning
//! ```
//!
//! Under steady writing the thread alone never catches up entirely, and the WAL would grow without
//! end; the writer alone would make every so many callers wait for all the pages. Each checkpoint is
//! a passive one: it waits for no reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;

use super::connection::leaves_doubt;
use super::health::Health;

/// Pages of 4 KiB that may wait in the WAL before they are moved.
const MOVE_AT: i64 = 1_000;

/// Pages in the WAL at which the writer is asked to finish what the thread began.
const RESTART_AT: i64 = 8_000;

/// The writer's end. The checkpoint thread ends when this is dropped.
pub(super) struct Nudge {
    sender: SyncSender<()>,
    asked: Arc<AtomicBool>,
}

impl Nudge {
    /// Tells the thread that something was committed.
    pub(super) fn nudge(&self) {
        // Where a nudge waits already, that one will do.
        let _ = self.sender.try_send(());
    }

    /// Whether the writer was asked to finish a checkpoint.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Tells the thread that the writer has done what it was asked.
    pub(super) fn done(&self) {
        self.asked.store(false, Ordering::SeqCst);
    }
}

/// The checkpoint thread's state.
pub(super) struct Checkpoints {
    db: Connection,
    health: Arc<Health>,
    nudges: Receiver<()>,
    asked: Arc<AtomicBool>,
}

impl Checkpoints {
    pub(super) fn new(db: Connection, health: Arc<Health>) -> (Self, Nudge) {
        let (sender, nudges) = sync_channel(1);
        let asked = Arc::<AtomicBool>::default();
        (Self { db, health, nudges, asked: Arc::clone(&asked) }, Nudge { sender, asked })
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
        // Two at once would only hinder each other.
        if self.asked.load(Ordering::SeqCst) {
            return Ok(());
        }
        let (pages, moved) = self.pragma("PRAGMA wal_checkpoint(NOOP)")?;
        if pages - moved >= MOVE_AT {
            self.pragma("PRAGMA wal_checkpoint(PASSIVE)")?;
        }
        if pages >= RESTART_AT {
            self.asked.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// How many pages are in the WAL, and how many of them have been moved.
    fn pragma(&self, sql: &str) -> rusqlite::Result<(i64, i64)> {
        self.db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
    }
}
