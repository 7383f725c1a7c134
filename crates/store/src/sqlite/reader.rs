//! The threads that read: a few connections that take questions from one queue.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::mpsc;

use super::connection;
use super::health::Health;
use crate::error::StoreError;
use crate::sql::Db;
use crate::sql::job::{Failure, Question};

/// How many questions may wait; more callers wait to be let in.
pub(super) const QUEUE: usize = 1_024;

/// How many threads read.
pub(super) const READERS: usize = 3;

/// A reading thread's state.
pub(super) struct Reader {
    db: Connection,
    queue: Arc<Mutex<mpsc::Receiver<Question>>>,
    health: Arc<Health>,
}

impl Reader {
    pub(super) fn open(
        path: &Path,
        queue: Arc<Mutex<mpsc::Receiver<Question>>>,
        health: Arc<Health>,
    ) -> Result<Self, StoreError> {
        Ok(Self { db: connection::open_reader(path)?, queue, health })
    }

    /// Serves until no one can send any more and everything that was sent is answered.
    pub(super) fn run(mut self) {
        while let Some(mut question) = self.next() {
            // A question that is dropped unasked makes its caller hear that the store has stopped.
            if self.health.has_stopped() {
                continue;
            }
            match self.db.transaction_with_behavior(TransactionBehavior::Deferred) {
                Ok(transaction) => {
                    // What went wrong with a question is its answer.
                    let _ = question.run(&mut Db::Sqlite(&transaction));
                    question.answer(None);
                }
                Err(error) => question.answer(Some(&Failure::of(&error.into()))),
            }
        }
    }

    fn next(&self) -> Option<Question> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }
}
