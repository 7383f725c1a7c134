//! The threads that read: a few connections, to the primary alone, that take questions from one queue.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::fault::Fault;
use super::health::Health;
use super::known::Known;
use super::link::Link;
use crate::error::StoreError;
use crate::sql::Db;
use crate::sql::job::{Failure, Question};

/// How many questions may wait; more callers wait to be let in.
pub(super) const QUEUE: usize = 1_024;

/// How many threads read.
pub(super) const READERS: usize = 3;

/// All that a question reads belongs to one moment.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = '30s';
    SET LOCAL idle_in_transaction_session_timeout = '30s'";

/// A reading thread's state.
pub(super) struct Reader {
    pub(super) link: Link,
    pub(super) known: Arc<Known>,
    pub(super) queue: Arc<Mutex<mpsc::Receiver<Question>>>,
    pub(super) health: Arc<Health>,
}

impl Reader {
    /// Serves until no one can send any more and everything that was sent is answered.
    pub(super) fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        while let Some(mut question) = self.link.idle(async { queue.lock().await.recv().await }) {
            let answered = self.health.check().and_then(|()| self.serve(&mut question));
            if let Err(error) = &answered {
                self.health.consider(error);
            }
            let failure = answered.err().map(|error| Failure::of(&error));
            question.answer(failure.as_ref());
            self.end();
        }
    }

    /// A connection may have been lost while nobody used it: what is asked anew then.
    fn serve(&mut self, question: &mut Question) -> Result<(), StoreError> {
        for last in [false, true] {
            self.link.connect_to(&self.known)?;
            self.link.take_fault();
            self.link.send_ahead(BEGIN);
            let Err(failure) = question.run(&mut Db::Postgres(&self.link)) else { return Ok(()) };
            match self.link.take_fault() {
                Some(Fault::Lost) if !last => self.link.disconnect(),
                Some(Fault::Lost | Fault::TryAgain) => return Err(failure.error()),
                // What went wrong with a question is its answer.
                Some(Fault::Refused) | None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The caller does not wait for the end of the transaction.
    fn end(&mut self) {
        if self.link.take_ahead().is_none() && self.link.batch("COMMIT").is_err() {
            self.link.disconnect();
        }
    }
}
