//! What a database brings so that it is a store: a queue to its writer, and one to its readers.

use std::sync::{Mutex, PoisonError};

use nt_revocation::Position;
use tokio::sync::{mpsc, oneshot};

use super::db::Db;
use super::job::{Question, Step, Waiting};
use super::writing::Writing;
use crate::error::StoreError;
use crate::node::{Renewal, Renewed};
use crate::store::Sharing;

/// The ends at which work is handed in.
#[derive(Clone)]
pub(crate) struct Queues {
    pub(crate) steps: mpsc::Sender<Step>,
    pub(crate) questions: mpsc::Sender<Question>,
}

/// The door to the queues. Once closed, the threads behind them end when they have done what they
/// accepted.
pub(crate) struct Door(Mutex<Option<Queues>>);

impl Door {
    pub(crate) fn new(queues: Queues) -> Self {
        Self(Mutex::new(Some(queues)))
    }

    pub(crate) fn enter(&self) -> Result<Queues, StoreError> {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.clone().ok_or(StoreError::Stopped)
    }

    pub(crate) fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// A database with threads that work on it.
pub(crate) trait Engine: Send + Sync {
    /// Whether other nodes may change what is kept in the database.
    const SHARING: Sharing;

    /// The queues, if the store may still say anything.
    fn queues(&self) -> Result<Queues, StoreError>;

    /// Where the log ends since an operator has recovered it, of which this store knows only what was
    /// before.
    fn recovered(&self) -> Option<Position> {
        None
    }

    /// Finishes what was accepted, and closes the database.
    fn finish(&self) -> impl Future<Output = ()> + Send;

    /// Renews a node's lease.
    fn renew(&self, renewal: Renewal) -> impl Future<Output = Result<Renewed, StoreError>> + Send {
        self.write(move |writing| writing.renew(renewal))
    }

    /// Hands a step to the writer and waits for its answer. A step may be taken again after its
    /// transaction was rolled back.
    fn write<T: Send + 'static>(
        &self,
        step: impl FnMut(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        self.hand_in(|caller| Box::new(Waiting::new(step, caller)))
    }

    /// Hands in what is a step with its caller's end of the line.
    fn hand_in<T: Send + 'static>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Step + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        async move {
            let (caller, answer) = oneshot::channel();
            let steps = self.queues()?.steps;
            steps.send(make(caller)).await.map_err(|_| StoreError::Stopped)?;
            drop(steps);
            answer.await.map_err(|_| StoreError::Stopped)?
        }
    }

    /// Hands a question to the readers and waits for its answer.
    fn read<T: Send + 'static>(
        &self,
        question: impl FnMut(Db<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        async move {
            let (caller, answer) = oneshot::channel();
            let questions = self.queues()?.questions;
            let question: Question = Box::new(Waiting::new(question, caller));
            questions.send(question).await.map_err(|_| StoreError::Stopped)?;
            drop(questions);
            answer.await.map_err(|_| StoreError::Stopped)?
        }
    }
}
