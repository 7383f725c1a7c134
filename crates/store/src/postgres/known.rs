//! What is known here of the database's history, and what becomes of it when another server answers.
//!
//! ```text
//! each new connection ─▶ look: as it is known? ── yes ─▶ go on
//!                          │ no
//!                          ▼
//!                 lock meta, look again, judge ─▶ follow, or a promotion that lost nothing: written down
//!                                              ─▶ lost: the doubt is written down, for every node
//! ```
//!
//! The judgement itself is `nt_revocation::protocol::History`. Whoever has evidence writes it into the
//! database, so that also those refuse who have none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_revocation::Position;
use nt_revocation::protocol::{Failover, History, Lineage, Look, Loss, Verdict};

use super::history::Meta;
use super::link::Link;
use super::tail::Tail;
use super::writer::COMMIT_PATIENCE;
use crate::error::StoreError;
use crate::sql::log::InWords as _;
use crate::sql::{Db, log};

/// A transaction that nobody else writes beside, once it has locked `meta`.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL synchronous_commit = on;
    SET LOCAL lock_timeout = '4s';
    SET LOCAL idle_in_transaction_session_timeout = '30s'";

/// Shared by the threads of a store.
pub(super) struct Known {
    last: Mutex<Last>,
    tail: Arc<Tail>,
}

/// What was last seen of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    /// Whose log is followed.
    pub(super) lineage: Lineage,
    /// Whether each commit there waited for a standby's disk.
    pub(super) lossless: bool,
}

/// What is to be done with a database that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is followed. Whether it goes through the witness, or was recovered since.
    Follow { is_there: bool },
    /// It has lost history.
    Lost(Loss),
}

impl Known {
    pub(super) fn new(last: Last, tail: Arc<Tail>) -> Self {
        Self { last: Mutex::new(last), tail }
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is this server whose log is followed.
    pub(super) fn follows(&self, server: Lineage) -> bool {
        self.lock().lineage == server
    }

    /// Whether this is the server whose log is followed. Its settings are taken note of.
    pub(super) fn is(&self, meta: &Meta) -> bool {
        let mut last = self.lock();
        let same = last.lineage == meta.server;
        if same {
            last.lossless = meta.lossless && meta.waits;
        }
        same
    }

    /// Looks at a server that was just connected to.
    pub(super) fn confirm(&self, link: &Link) -> Result<(), StoreError> {
        let meta = Meta::read(&link.rows(&Meta::sql(), &[])?)?.without_doubt()?;
        let witness = self.tail.applied();
        let is_as_known = meta.recorded == Some(meta.server)
            && meta.lossless == meta.waits
            && meta.epoch == witness.epoch
            && at(link, witness)? == Some(witness)
            && self.is(&meta);
        if is_as_known { Ok(()) } else { self.settle(link) }
    }

    /// Judges the server that answers, and writes down what comes of it.
    pub(super) fn settle(&self, link: &Link) -> Result<(), StoreError> {
        let before = *self.lock();
        let locked = lock_meta(link)?;
        let witness = self.tail.applied();
        // One that was replaced, and lives on: it says nothing about the log.
        let is_replaced = locked.server.system == before.lineage.system
            && locked.server.timeline < before.lineage.timeline
            && locked.epoch <= witness.epoch;
        let judged = judge(link, &locked, witness, Some(before))?;
        let written = write_down(link, &locked, &judged)?;
        match judged {
            _ if is_replaced => Err(StoreError::Unavailable(format!(
                "a server on timeline {} answers, which was replaced by one on timeline {}",
                locked.server.timeline, before.lineage.timeline
            ))),
            Judged::Lost(loss) => Err(StoreError::HistoryInDoubt(loss.to_string())),
            Judged::Follow { is_there: false } => Err(StoreError::HistoryInDoubt(format!(
                "it was recovered, as epoch {}, without {}: start anew",
                locked.epoch,
                witness.in_words()
            ))),
            Judged::Follow { is_there: true } => {
                let last = Last { lineage: locked.server, lossless: written };
                *self.lock() = last;
                Ok(())
            }
        }
    }
}

/// Begins a transaction, and locks `meta`; an error ends it, and a doubt is one.
pub(super) fn lock_meta(link: &Link) -> Result<Meta, StoreError> {
    lock_doubted(link)?.without_doubt().inspect_err(|_| undo(link))
}

/// The same, also where there is a doubt.
pub(super) fn lock_doubted(link: &Link) -> Result<Meta, StoreError> {
    link.send_ahead(BEGIN);
    let rows = link.rows(&format!("{} FOR UPDATE", Meta::sql()), &[]);
    rows.and_then(|rows| Meta::read(&rows)).inspect_err(|_| undo(link))
}

/// Takes everything back. Where that fails the connection is lost, and the transaction with it.
pub(super) fn undo(link: &Link) {
    link.take_ahead();
    if let Err(error) = link.batch("ROLLBACK") {
        tracing::debug!(%error, "a transaction ends with its connection");
        link.note(super::fault::Fault::Lost);
    }
}

/// Commits, and knows afterwards that it is safe.
pub(super) fn commit(link: &Link) -> Result<(), StoreError> {
    link.take_warning();
    link.wait(COMMIT_PATIENCE, |session| session.batch("COMMIT"))?;
    if link.take_warning() {
        return Err(StoreError::OutcomeUnknown("the wait for a replica was cancelled".to_owned()));
    }
    Ok(())
}

/// What is to be done with a database whose `meta` is locked. `before` is what was seen of it last;
/// whoever begins has only what it says itself.
pub(super) fn judge(
    link: &Link,
    meta: &Meta,
    witness: Position,
    before: Option<Last>,
) -> Result<Judged, StoreError> {
    let at_witness = at(link, witness)?;
    let is_there = at_witness == Some(witness);
    let recorded = meta.recorded.unwrap_or(meta.server);
    let seen = before.filter(|_| meta.epoch <= witness.epoch);
    // What somebody else has found and written down of a promotion holds, if nothing says otherwise here.
    let lossless =
        seen.is_none_or(|last| last.lossless) && (recorded == meta.server || meta.lossless);
    let failover = if lossless { Failover::Lossless } else { Failover::MayLose };
    let look = Look {
        lineage: meta.server,
        recorded: match seen {
            Some(last) if recorded == meta.server => last.lineage,
            _ => recorded,
        },
        epoch: meta.epoch,
        at_witness,
    };
    Ok(match History::new(witness, failover).judge(&look) {
        Verdict::Follow | Verdict::Promoted(_) => Judged::Follow { is_there: true },
        Verdict::LaterEpoch(_) => Judged::Follow { is_there },
        Verdict::Quarantine(loss) => Judged::Lost(loss),
    })
}

/// Writes down who answers and how, or the doubt, and ends the transaction; answers whether commits
/// wait there. Nothing is committed where nothing is new: no standby is waited for.
pub(super) fn write_down(link: &Link, meta: &Meta, judged: &Judged) -> Result<bool, StoreError> {
    const LINEAGE: &str = "UPDATE meta SET system = ?1, timeline = ?2, lossless = ?3 WHERE one = 1";
    const DOUBT: &str = "UPDATE meta SET doubt = ?1 WHERE one = 1 AND doubt IS NULL";
    let written = match judged {
        Judged::Lost(loss) => {
            tracing::error!(%loss, "the database has lost history: no node may rely on it any more");
            link.change(DOUBT, &[&loss.to_string()]).map(|_| ())
        }
        Judged::Follow { .. }
            if meta.recorded == Some(meta.server) && meta.lossless == meta.waits =>
        {
            link.batch("ROLLBACK")?;
            return Ok(meta.waits);
        }
        Judged::Follow { .. } => {
            if let Some(before) = meta.recorded.filter(|before| *before != meta.server) {
                tracing::warn!(
                    from = before.timeline,
                    to = meta.server.timeline,
                    "another server was promoted, and has lost nothing"
                );
            }
            let system = meta.server.system.cast_signed();
            link.change(LINEAGE, &[&system, &meta.server.timeline, &meta.waits]).map(|_| ())
        }
    };
    written.and_then(|()| commit(link)).inspect_err(|_| undo(link))?;
    Ok(meta.waits)
}

/// Where the log is at the witness's number.
fn at(link: &Link, witness: Position) -> Result<Option<Position>, StoreError> {
    if witness.seq == 0 {
        return Ok(Some(witness));
    }
    let found = log::entry_at(Db::Postgres(link), witness.seq)?;
    Ok(found.map(|entry| Position { entry, ..witness }))
}
