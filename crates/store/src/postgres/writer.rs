//! The one thread of this node that writes.
//!
//! It takes all steps that wait and runs them in one transaction, which begins by locking the one row
//! of `meta`: the writers of all nodes come one after the other, and each sees everything that was
//! committed before it.
//!
//! ```text
//! BEGIN, lock meta, read what others appended ─▶ steps ─▶ log, audit, tokens ─▶ COMMIT
//!    other history: in doubt          │                                  │
//!    lock not had: again              refused: back to its savepoint     │ known: tail, journal, answers
//!    connection lost: again ──────────┘ lost: again                      │ unknown: look, then prove
//! ```
//!
//! A commit is known to be safe when the server said so and did not warn: a wait for a replica that
//! was cancelled ends in a warning, and in a commit that may be lost.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use nt_revocation::Entry;
use nt_token::clock::{Clock as _, SystemClock};
use tokio::sync::mpsc;

use super::append::{self, Written};
use super::batch::{revocations, split_revocations};
use super::begin::lock;
use super::fault::Fault;
use super::health::Health;
use super::known::Known;
use super::link::{Link, PATIENCE};
use super::notify::Nudge;
use super::revoke::{Revoked, Wanted, revoke_all};
use super::scribe::Line;
use super::tail::Tail;
use crate::error::StoreError;
use crate::sql::job::{Failure, Step};
use crate::sql::{Db, Writing};

/// How many steps may wait; more callers wait to be let in.
pub(super) const QUEUE: usize = 4_096;

/// How many steps share a transaction at most.
const BATCH: usize = 512;

/// How often a batch is tried. The first pause is short: a connection that was lost while nobody used
/// it is the usual cause.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(1),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// How long a commit is waited for: a replica may be far away, but a caller has not all day.
pub(super) const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// The writer's state, moved to its thread.
pub(super) struct Writer {
    pub(super) link: Link,
    pub(super) known: Arc<Known>,
    pub(super) queue: mpsc::Receiver<Step>,
    pub(super) tail: Arc<Tail>,
    pub(super) journal: SyncSender<Line>,
    pub(super) health: Arc<Health>,
    pub(super) nudge: Nudge,
}

/// How an attempt ended that has not come to a commit that is known to be safe.
enum Stop {
    /// Nothing happened, and would not the next time.
    Failed(StoreError),
    /// Nothing happened; the next time something may.
    Again(StoreError),
    /// It may have happened.
    Unknown(StoreError, Written),
}

impl Writer {
    /// Serves until no one can send any more and everything that was sent is done.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.link.idle(self.queue.recv_many(&mut batch, BATCH)) > 0 {
            match self.settle(&mut batch) {
                // The journal is behind the follower: whoever is answered there finds both done.
                Ok(()) => {
                    let answers = Line::Answer(std::mem::take(&mut batch));
                    // Where its thread has ended, the callers hear that the store has stopped.
                    let _ = self.journal.send(answers);
                }
                Err(error) => {
                    self.health.consider(&error);
                    let failure = Failure::of(&error);
                    batch.drain(..).for_each(|step| step.answer(Some(&failure)));
                }
            }
        }
    }

    /// Takes the steps, as often as it takes.
    fn settle(&mut self, batch: &mut [Step]) -> Result<(), StoreError> {
        let mut pauses = PAUSES.into_iter();
        let until = SystemClock.boot().after(PATIENCE);
        loop {
            self.health.check()?;
            let error = match self.attempt(batch) {
                Ok(entries) => {
                    self.tail.offer(entries);
                    return Ok(());
                }
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Again(error)) => error,
                Err(Stop::Unknown(error, written)) => {
                    if self.find_out(&error, &written)? {
                        return Ok(());
                    }
                    error
                }
            };
            let pause = pauses.next().filter(|_| SystemClock.boot() < until);
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, "a transaction is tried again");
            std::thread::sleep(pause);
        }
    }

    /// Tries once; answers what others had appended before and what was appended now.
    fn attempt(&mut self, batch: &mut [Step]) -> Result<Vec<Entry>, Stop> {
        if self.link.connect_to(&self.known).map_err(Stop::of_connecting)? {
            // Known before anything is sent: nothing must overtake it.
            let known =
                self.link.wait(PATIENCE, |session| async { session.prepare(&lock()).await });
            known.map_err(|error| self.give_up(error))?;
        }
        self.link.take_fault();
        let written = self.until_commit(batch);
        let (mut entries, written) = written.map_err(|error| self.give_up(error))?;
        let Some(written) = written else { return Ok(entries) };
        self.link.take_warning();
        match self.link.wait(COMMIT_PATIENCE, |session| session.batch("COMMIT")) {
            Ok(()) if self.link.take_warning() => {
                let warned = "the wait for a replica was cancelled".to_owned();
                Err(Stop::Unknown(StoreError::OutcomeUnknown(warned), written))
            }
            Ok(()) => {
                if !written.entries.is_empty() {
                    self.nudge.nudge();
                }
                entries.extend(written.entries);
                Ok(entries)
            }
            Err(error) => match self.link.take_fault() {
                Some(Fault::Lost) | None => Err(Stop::Unknown(error, written)),
                Some(Fault::TryAgain | Fault::Refused) => Err(self.give_up(error)),
            },
        }
    }

    /// Does everything but commit; nothing is left to be committed where a lone step was refused.
    fn until_commit(
        &self,
        batch: &mut [Step],
    ) -> Result<(Vec<Entry>, Option<Written>), StoreError> {
        let alone = batch.len() == 1;
        let (first, rest) = split_revocations(batch);
        let mut asked = revocations(first);
        let (others, head, found) = self.begin(&Wanted::by(&asked))?;
        let mut writing = Writing::new(Db::Postgres(&self.link), head);
        let mut revoked = Revoked::new();
        revoke_all(&mut writing, &mut asked, &found, &mut revoked)?;
        let refused = match rest {
            [step] if alone => !self.lone_step(&mut writing, step)?,
            rest => {
                self.steps(rest, &mut writing, &mut revoked)?;
                false
            }
        };
        if refused {
            self.link.batch("ROLLBACK")?;
            return Ok((others, None));
        }
        let written = append::write(&self.link, writing, &revoked)?;
        Ok((others, Some(written)))
    }

    /// What an attempt has come to that failed before its commit.
    fn give_up(&mut self, error: StoreError) -> Stop {
        let fault = self.link.take_fault();
        self.link.take_ahead();
        if fault != Some(Fault::Lost) && self.link.batch("ROLLBACK").is_err() {
            self.link.disconnect();
        }
        if fault == Some(Fault::Lost) {
            self.link.disconnect();
        }
        match fault {
            Some(Fault::Lost | Fault::TryAgain) => Stop::Again(error),
            Some(Fault::Refused) | None => Stop::Failed(error),
        }
    }
}

impl Stop {
    fn of_connecting(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Again(error),
            error => Self::Failed(error),
        }
    }
}
