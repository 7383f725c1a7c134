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

use futures_util::future;
use nt_revocation::{Entry, Position};
use nt_token::clock::{Clock as _, SystemClock};
use tokio::sync::mpsc;
use tokio_postgres::types::Type;

use super::append::{self, Written};
use super::fault::Fault;
use super::health::Health;
use super::history::{self, Identity, Meta};
use super::link::{Link, PATIENCE};
use super::notify::Nudge;
use super::revoke::{Revoked, revoke_all};
use super::scribe::Line;
use super::tail::Tail;
use crate::error::StoreError;
use crate::sql::job::{Failure, Step};
use crate::sql::revocation::Revocation;
use crate::sql::row::signed;
use crate::sql::{Db, Writing};

/// How many steps may wait; more callers wait to be let in.
pub(super) const QUEUE: usize = 4_096;

/// How many steps share a transaction at most.
const BATCH: usize = 512;

/// How many entries of other nodes are read at once.
const PAGE: i64 = 2_000;

/// How often a batch is tried. The first pause is short: a connection that was lost while nobody used
/// it is the usual cause.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(1),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// A writer that stands still inside its transaction loses the lock after a second and a half.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL synchronous_commit = on;
    SET LOCAL lock_timeout = '4s';
    SET LOCAL statement_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '1500ms'";

const SAVE: &str = "SAVEPOINT step";
const SAVE_ANEW: &str = "RELEASE SAVEPOINT step; SAVEPOINT step";

/// How long a commit is waited for: a replica may be far away, but a caller has not all day.
pub(super) const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// The writer's state, moved to its thread.
pub(super) struct Writer {
    pub(super) link: Link,
    pub(super) identity: Identity,
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
        self.link.connect_to(&self.identity).map_err(Stop::of_connecting)?;
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
        let (others, head) = self.begin()?;
        let mut writing = Writing::new(Db::Postgres(&self.link), head);
        let mut revoked = Revoked::new();
        if !self.steps(batch, &mut writing, &mut revoked)? {
            self.link.batch("ROLLBACK")?;
            return Ok((others, None));
        }
        let written = append::write(&self.link, writing, &revoked)?;
        Ok((others, Some(written)))
    }

    /// Begins a transaction that nobody else writes beside. Answers what others have appended since
    /// the follower was last told, and where the log ends.
    pub(super) fn begin(&self) -> Result<(Vec<Entry>, Position), StoreError> {
        const LOG: &str =
            "SELECT seq, id, kind, body FROM log WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
        let lock =
            format!("SELECT epoch, head, {} FROM meta WHERE one = 1 FOR UPDATE", Identity::COLUMNS);
        let mut end = self.tail.applied();
        let mut others = Vec::new();
        self.link.send_ahead(BEGIN);
        let mut locked = None;
        loop {
            let from = signed(end.seq);
            let params = [(&from as _, Type::INT8), (&PAGE as _, Type::INT8)];
            // Sent behind the lock, the second statement sees all that was committed before it.
            let rows = if locked.is_none() {
                let (meta, rows) = self.link.wait(PATIENCE, |session| {
                    future::try_join(session.rows(&lock, &[]), session.rows(LOG, &params))
                })?;
                locked = Some(Meta::read(&meta)?);
                rows
            } else {
                self.link.rows_of(LOG, &params)?
            };
            let full = signed(rows.len() as u64) >= PAGE;
            let (more, to) = history::after(end, history::entries(&rows)?)?;
            others.extend(more);
            end = to;
            if !full {
                break;
            }
        }
        let Some(meta) = locked else { return Err(StoreError::Corrupt("no head of the log")) };
        self.identity.confirm(&meta.identity)?;
        if (meta.epoch, meta.head) == (end.epoch, end.seq) {
            Ok((others, end))
        } else {
            Err(StoreError::HistoryInDoubt(format!(
                "its log ends at {} of epoch {}, its head says {} of {}",
                end.seq, end.epoch, meta.head, meta.epoch
            )))
        }
    }

    /// Runs the steps in order; revocations that stand together are done together. A lone step has no
    /// savepoint; where it was refused, everything is to be taken back.
    fn steps<'a>(
        &'a self,
        batch: &mut [Step],
        writing: &mut Writing<'a>,
        revoked: &mut Revoked,
    ) -> Result<bool, StoreError> {
        let alone = batch.len() == 1;
        let mut saved = Saved::Nothing;
        let mut rest = batch;
        while !rest.is_empty() {
            let count = rest.iter_mut().map_while(|step| step.revocation().map(drop)).count();
            let (now, later) = std::mem::take(&mut rest).split_at_mut(count.max(1));
            rest = later;
            if count > 0 {
                let mut asked: Vec<&mut Revocation> =
                    now.iter_mut().filter_map(|step| step.revocation()).collect();
                revoke_all(&self.link, writing, &mut asked, revoked)?;
                continue;
            }
            if !revoked.is_empty() {
                append::write_revoked(&self.link, revoked)?;
                saved = saved.used();
            }
            let Some(step) = now.first_mut() else { continue };
            if alone {
                return self.lone_step(writing, step);
            }
            self.one_step(writing, step, &mut saved)?;
        }
        Ok(true)
    }

    fn lone_step<'a>(
        &'a self,
        writing: &mut Writing<'a>,
        step: &mut Step,
    ) -> Result<bool, StoreError> {
        let Err(failure) = step.run(writing) else { return Ok(true) };
        match self.link.take_fault() {
            Some(fault @ (Fault::Lost | Fault::TryAgain)) => {
                self.link.note(fault);
                Err(failure.error())
            }
            Some(Fault::Refused) | None => Ok(false),
        }
    }

    /// A step that is refused takes back what it did and nothing else.
    fn one_step<'a>(
        &'a self,
        writing: &mut Writing<'a>,
        step: &mut Step,
        saved: &mut Saved,
    ) -> Result<(), StoreError> {
        let mark = writing.mark();
        match saved {
            Saved::Nothing => self.link.send_ahead(SAVE),
            Saved::Used => self.link.send_ahead(SAVE_ANEW),
            Saved::Fresh => {}
        }
        let Err(failure) = step.run(writing) else {
            // A step that asked nothing has left what was to be sent ahead of its first question.
            if self.link.take_ahead().is_none() {
                *saved = Saved::Used;
            }
            return Ok(());
        };
        writing.back_to(mark);
        match self.link.take_fault() {
            Some(fault @ (Fault::Lost | Fault::TryAgain)) => {
                self.link.note(fault);
                Err(failure.error())
            }
            _ if self.link.take_ahead().is_some() => Ok(()),
            _ => {
                *saved = Saved::Fresh;
                self.link.batch("ROLLBACK TO SAVEPOINT step")
            }
        }
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

/// Whether a step can be taken back alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saved {
    /// There is no savepoint yet.
    Nothing,
    /// There is one, and nothing was done since.
    Fresh,
    /// There is one, from before what must stay.
    Used,
}

impl Saved {
    fn used(self) -> Self {
        if self == Self::Nothing { Self::Nothing } else { Self::Used }
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
