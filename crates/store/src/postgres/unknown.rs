//! Finding out what became of a commit whose answer was lost.
//!
//! Under the lock it is certain: the transaction that had it before is over. That its entries are
//! there does not yet prove that they are safe, for a replica may lack them; one more commit, which is
//! waited for without a warning, does, because a replica gets the one after the other.

use std::time::Duration;

use nt_token::clock::{Clock as _, SystemClock};
use tokio_postgres::types::Type;

use super::append::Written;
use super::revoke::Wanted;
use super::writer::{COMMIT_PATIENCE, Writer};
use crate::error::StoreError;
use crate::sql::row::{Row, number};

/// How much lies between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// How long it is tried.
const LIMIT: Duration = Duration::from_secs(8);

impl Writer {
    /// Whether the transaction was committed, and what it wrote is safe; then the follower is told. If
    /// it cannot be found out, nobody may be told that nothing happened.
    pub(super) fn find_out(
        &mut self,
        lost: &StoreError,
        written: &Written,
    ) -> Result<bool, StoreError> {
        tracing::warn!(error = %lost, "the outcome of a commit is not known yet");
        let until = SystemClock.boot().after(LIMIT);
        while SystemClock.boot() < until {
            match self.look(written) {
                Ok(found) => return Ok(found),
                Err(error @ (StoreError::HistoryInDoubt(_) | StoreError::UnknownEntry(_))) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::debug!(%error, "the outcome of a commit is still not known");
                    self.link.disconnect();
                    std::thread::sleep(PAUSE);
                }
            }
        }
        Err(StoreError::OutcomeUnknown(lost.to_string()))
    }

    fn look(&mut self, written: &Written) -> Result<bool, StoreError> {
        self.link.connect_to(&self.known)?;
        let (entries, ..) = self.begin(&Wanted::default())?;
        if !self.is_there(written)? {
            self.link.batch("ROLLBACK")?;
            return Ok(false);
        }
        self.link.batch("UPDATE meta SET proof = proof + 1 WHERE one = 1")?;
        self.link.take_warning();
        self.link.wait(COMMIT_PATIENCE, |session| session.batch("COMMIT"))?;
        if self.link.take_warning() {
            return Err(StoreError::OutcomeUnknown("the proof was not waited for".to_owned()));
        }
        self.tail.offer(entries);
        self.nudge.nudge();
        Ok(true)
    }

    fn is_there(&self, written: &Written) -> Result<bool, StoreError> {
        const ENTRIES: &str = "SELECT COUNT(*) FROM log WHERE id = ANY(CAST(?1 AS BYTEA[]))";
        const TRANSACTION: &str = "SELECT pg_xact_status(CAST(?1 AS xid8)) = 'committed'";
        if !written.entries.is_empty() {
            let ids: Vec<&[u8]> =
                written.entries.iter().map(|entry| entry.id.0.as_slice()).collect();
            let rows = self.link.rows_of(ENTRIES, &[(&ids as _, Type::BYTEA_ARRAY)])?;
            let first = rows.first().ok_or(StoreError::Corrupt("no answer"))?;
            return Ok(number::<u64>(Row::Postgres(first), 0)? > 0);
        }
        // One that has changed nothing can be taken again.
        let Some(transaction) = &written.transaction else { return Ok(false) };
        let sql = TRANSACTION.replace("?1", &format!("'{transaction}'"));
        let rows = self.link.rows_of(&sql, &[])?;
        let first = rows.first().ok_or(StoreError::Corrupt("no answer"))?;
        Row::Postgres(first).get::<Option<bool>>(0)?.ok_or_else(|| {
            StoreError::OutcomeUnknown("the transaction is too old to be asked for".to_owned())
        })
    }
}
