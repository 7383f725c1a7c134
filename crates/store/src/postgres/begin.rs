//! Beginning a transaction that nobody else writes beside.

use futures_util::future;
use nt_revocation::{Entry, Position};
use tokio_postgres::types::Type;

use super::fault::Fault;
use super::history::{self, Meta};
use super::link::PATIENCE;
use super::revoke::{Found, Wanted};
use super::writer::Writer;
use crate::error::StoreError;
use crate::sql::row::signed;

/// How many entries of other nodes are read at once.
const PAGE: i64 = 2_000;

/// A writer that stands still inside its transaction loses the lock after a second and a half.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL synchronous_commit = on;
    SET LOCAL lock_timeout = '4s';
    SET LOCAL statement_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '1500ms'";

impl Writer {
    /// Begins a transaction that nobody else writes beside. Answers what others have appended since
    /// the follower was last told, where the log ends, and what was looked up with it.
    pub(super) fn begin(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<(Vec<Entry>, Position, Found), StoreError> {
        const LOG: &str =
            "SELECT seq, id, kind, body FROM log WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
        const WAITS: &str = "UPDATE meta SET lossless = ?1 WHERE one = 1";
        let lock = lock();
        let mut end = self.tail.applied();
        let mut others = Vec::new();
        self.link.send_ahead(BEGIN);
        let mut locked = None;
        let mut found = Found::default();
        loop {
            let from = signed(end.seq);
            let params = [(&from as _, Type::INT8), (&PAGE as _, Type::INT8)];
            // Sent behind the lock, the other statements see all that was committed before it.
            let rows = if locked.is_none() {
                let (meta, rows, with) = self.link.wait(PATIENCE, |session| {
                    let log = session.rows(LOG, &params);
                    future::try_join3(session.rows(&lock, &[]), log, wanted.ask(session))
                })?;
                locked = Some(self.confirm(Meta::read(&meta)?)?);
                found = with;
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
        if meta.lossless != meta.waits {
            self.link.change(WAITS, &[&meta.waits])?;
        }
        if (meta.epoch, meta.head) == (end.epoch, end.seq) {
            Ok((others, end, found))
        } else {
            Err(StoreError::HistoryInDoubt(format!(
                "its log ends at {} of epoch {}, its head says {} of {}",
                end.seq, end.epoch, meta.head, meta.epoch
            )))
        }
    }

    /// Refuses a log that is in doubt. That another server answers is looked into by whoever connects
    /// next.
    fn confirm(&self, meta: Meta) -> Result<Meta, StoreError> {
        let meta = meta.without_doubt()?;
        if self.known.is(&meta) {
            return Ok(meta);
        }
        self.link.note(Fault::Lost);
        Err(StoreError::Unavailable("another server answers".to_owned()))
    }
}

/// Locks the one row, and tells what it says.
pub(super) fn lock() -> String {
    format!("{} FOR UPDATE", Meta::sql())
}
