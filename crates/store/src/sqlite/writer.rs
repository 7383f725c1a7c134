//! The one thread that writes.
//!
//! It takes all steps that wait, runs each in a savepoint of its own inside one transaction, commits
//! once, and only then answers them. That is what makes the log dense and in commit order, and what
//! lets many callers share one fsync.
//!
//! ```text
//! take what waits ─▶ run each ─▶ COMMIT ─▶ tell the follower ─▶ high-water file, fdatasync ─▶ answer all
//!                                  │ failed: nothing happened       │ failed: stop for good
//!                                  ▼                                ▼
//!                            answer a failure                 answer Stopped, now and later
//! ```

use std::sync::Arc;

use nt_revocation::{Entry, Position};
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::checkpoint::Nudge;
use super::connection::leaves_doubt;
use super::health::Health;
use crate::error::StoreError;
use crate::high_water::HighWater;
use crate::sql::job::{Failure, Step};
use crate::sql::{Db, Writing, log};
use crate::store::Follower;

/// How many steps may wait; more callers wait to be let in.
pub(super) const QUEUE: usize = 4_096;

/// How many steps share a transaction at most: more would make the first of them wait too long.
const BATCH: usize = 512;

/// What is left when the writer has ended. Declared in the order in which they are let go: the
/// witness stays locked until the database is closed.
pub(super) struct Closing {
    db: Connection,
    _high_water: HighWater,
}

impl Closing {
    /// Moves the whole WAL into the database file, once no one else has it open: connections that
    /// close at the same moment would each leave that to the other.
    pub(super) fn finish(self) {
        const SQL: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.db.query_row(SQL, [], |_| Ok(())) {
            tracing::warn!(%error, "the database's WAL stays: the next start will read it");
        }
    }
}

/// The writer's state, moved to its thread.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) epoch: u64,
    pub(super) queue: mpsc::Receiver<Step>,
    pub(super) follower: Follower,
    pub(super) high_water: HighWater,
    pub(super) health: Arc<Health>,
    pub(super) checkpoints: Nudge,
}

impl Writer {
    /// Serves until no one can send any more and everything that was sent is done. The checkpoint
    /// thread ends with it.
    pub(super) fn run(mut self) -> Closing {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            let failure = self.settle(&mut batch).err();
            for job in batch.drain(..) {
                job.answer(failure.as_ref());
            }
            // On a full disk the WAL itself holds room: once moved, it is written from its
            // beginning again.
            if self.checkpoints.is_asked() || matches!(failure, Some(Failure::Full)) {
                self.finish_checkpoint();
            }
        }
        Closing { db: self.db, _high_water: self.high_water }
    }

    fn settle(&mut self, batch: &mut [Step]) -> Result<(), Failure> {
        if self.health.has_stopped() {
            return Err(Failure::Stopped);
        }
        let entries = self.transact(batch)?;
        self.checkpoints.nudge();
        let Some(last) = entries.last() else { return Ok(()) };
        let head = Position { epoch: self.epoch, seq: last.seq, entry: last.id };
        (self.follower)(&entries);
        self.high_water.advance(head).map_err(|error| {
            self.health.stop("writing the high-water file", &error);
            Failure::Stopped
        })
    }

    /// Moves what is left in the WAL, while no one appends to it.
    fn finish_checkpoint(&self) {
        const SQL: &str = "PRAGMA wal_checkpoint(PASSIVE)";
        match self.db.query_row(SQL, [], |_| Ok(())) {
            Err(error) if leaves_doubt(&error) => {
                self.health.stop("moving the WAL into the database file", &error);
            }
            // On a full disk moving it may lack room as well; it is tried again.
            Ok(()) | Err(_) => {}
        }
        self.checkpoints.done();
    }

    /// Runs the steps in one transaction. After a failure it did not happen, and the connection is
    /// ready for the next one; if that cannot be had, the store stops.
    fn transact(&self, batch: &mut [Step]) -> Result<Vec<Entry>, Failure> {
        self.steps_and_commit(batch).inspect_err(|_| {
            let over = self.db.is_autocommit();
            if let Some(error) = (!over).then(|| self.execute("ROLLBACK")).and_then(Result::err) {
                self.health.stop("rolling a failed transaction back", &error.error());
            }
        })
    }

    fn steps_and_commit(&self, batch: &mut [Step]) -> Result<Vec<Entry>, Failure> {
        self.execute("BEGIN IMMEDIATE")?;
        let db = Db::Sqlite(&self.db);
        let head = log::head(db).map_err(|error| Failure::of(&error))?;
        let mut writing = Writing::new(db, head);
        for step in batch {
            self.one_step(&mut writing, step)?;
        }
        let entries = writing.finish().map_err(|error| Failure::of(&error))?;
        self.execute("COMMIT")?;
        Ok(entries)
    }

    /// A step that fails takes back what it did and nothing else, unless SQLite has already rolled
    /// the whole transaction back, as it may when the disk is full.
    fn one_step<'a>(&'a self, writing: &mut Writing<'a>, step: &mut Step) -> Result<(), Failure> {
        let mark = writing.mark();
        self.execute("SAVEPOINT step")?;
        if let Err(failure) = step.run(writing) {
            if self.db.is_autocommit() {
                return Err(failure);
            }
            self.execute("ROLLBACK TO step")?;
            writing.back_to(mark);
        }
        self.execute("RELEASE step")
    }

    fn execute(&self, sql: &str) -> Result<(), Failure> {
        let done = self.db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(|error| {
            if leaves_doubt(&error) {
                self.health.stop("committing to the database", &error);
                return Failure::Stopped;
            }
            Failure::of(&StoreError::from(error))
        })
    }
}
