//! Looking at the log for what other nodes have appended, woken or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future;
use nt_revocation::Position;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::types::Type;

use super::health::Health;
use super::history::{self, Meta};
use super::known::Known;
use super::link::{Link, PATIENCE};
use super::notify::CHANNEL;
use super::options::{Pooling, PostgresOptions, WakeUps};
use super::tail::Tail;
use crate::error::StoreError;
use crate::sql::row::signed;
use crate::sql::{Db, log};

/// How many entries are read at once.
const PAGE: i64 = 2_000;

/// The thread's state.
pub(super) struct Poller {
    pub(super) link: Link,
    pub(super) known: Arc<Known>,
    pub(super) tail: Arc<Tail>,
    pub(super) health: Arc<Health>,
    pub(super) woken: Arc<Notify>,
    pub(super) ended: Arc<AtomicBool>,
    pub(super) options: Arc<PostgresOptions>,
}

impl Poller {
    /// Looks until the store is closed, or is not sound any more.
    pub(super) fn run(mut self) {
        let mut pause = self.options.poll;
        while !self.ended.load(Ordering::SeqCst) && self.health.check().is_ok() {
            match self.poll() {
                Ok(true) => continue,
                Ok(false) => pause = self.options.poll,
                Err(error) => {
                    self.health.consider(&error);
                    tracing::debug!(%error, "the log cannot be looked at");
                    self.link.disconnect();
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
            let woken = Arc::clone(&self.woken);
            // Late or woken: both are a reason to look.
            let _ = self.link.idle(async { timeout(pause, woken.notified()).await });
        }
        self.tell();
    }

    /// Writes down in the database what makes this store doubt it, if that is to be found there; then
    /// looks out for its recovery.
    fn tell(&mut self) {
        let mut is_told = false;
        while !self.ended.load(Ordering::SeqCst) && self.health.is_in_doubt() {
            if is_told {
                match self.look_out() {
                    Ok(Some(head)) => self.health.was_recovered(head),
                    Ok(None) => {}
                    Err(_) => self.link.disconnect(),
                }
            } else {
                self.link.disconnect();
                let told = self.link.connect_to(&self.known);
                // Another error is none of the log's: it is tried again.
                is_told = matches!(told, Ok(_) | Err(StoreError::HistoryInDoubt(_)));
            }
            let woken = Arc::clone(&self.woken);
            let pause = Duration::from_secs(1);
            let _ = self.link.idle(async { timeout(pause, woken.notified()).await });
        }
    }

    /// Where the log ends, if it is of a later epoch.
    fn look_out(&mut self) -> Result<Option<Position>, StoreError> {
        self.link.connect()?;
        let meta = Meta::read(&self.link.rows(&Meta::sql(), &[])?)?;
        if meta.doubt.is_some() || meta.epoch <= self.tail.applied().epoch {
            return Ok(None);
        }
        log::head(Db::Postgres(&self.link)).map(Some)
    }

    /// Looks once; answers whether there is more.
    fn poll(&mut self) -> Result<bool, StoreError> {
        const LOG: &str =
            "SELECT seq, id, kind, body FROM log WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
        if self.link.connect_to(&self.known)? && self.listens() {
            self.link.batch(&format!("LISTEN {CHANNEL}"))?;
        }
        let applied = self.tail.applied();
        let meta = Meta::sql();
        let from = signed(applied.seq);
        let params = [(&from as _, Type::INT8), (&PAGE as _, Type::INT8)];
        let (meta, rows) = self.link.wait(PATIENCE, |session| {
            future::try_join(session.rows(&meta, &[]), session.rows(LOG, &params))
        })?;
        let meta = Meta::read(&meta)?.without_doubt()?;
        if !self.known.is(&meta) {
            return Err(StoreError::Unavailable("another server answers".to_owned()));
        }
        if meta.lossless != meta.waits {
            self.known.settle(&self.link)?;
        }
        let full = signed(rows.len() as u64) >= PAGE;
        let (entries, end) = history::after(applied, history::entries(&rows)?)?;
        self.tail.offer(entries);
        // The head was read first, so that the log has it at least.
        if !full && (end.seq < meta.head || end.epoch < meta.epoch) {
            return Err(StoreError::HistoryInDoubt(format!(
                "its log ends at {} of epoch {}, its head says {} of {}",
                end.seq, end.epoch, meta.head, meta.epoch
            )));
        }
        Ok(full)
    }

    fn listens(&self) -> bool {
        self.options.pooling == Pooling::Direct && self.options.wake_ups == WakeUps::Notify
    }
}
