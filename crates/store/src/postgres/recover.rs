//! Recovering: a new epoch behind what the database has kept.
//!
//! ```text
//! doubt set, committed: nobody is granted anything ─▶ every lease runs out ─▶ new epoch, doubt taken away
//! ```
//!
//! Whatever ends it early leaves the doubt, and nobody relies on the log before it was done again.

use std::time::Duration;

use nt_revocation::Fact;
use nt_revocation::protocol::Lengths;

use super::known::{commit, lock_doubted, undo};
use super::link::Link;
use super::on_a_thread;
use super::options::PostgresOptions;
use crate::error::StoreError;
use crate::recovery::{Findings, LeasesOut, Recovered, Recovery};
use crate::sql::db::all;
use crate::sql::recovery::{missing, recover};
use crate::sql::row::number;
use crate::sql::{Db, log, node};

/// How long a statement may take: the records of many tokens may be written.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Why nobody may rely on the log while it is recovered.
const RECOVERED: &str = "it is being recovered";

impl PostgresOptions {
    /// What the database has, and what of these entries it lacks. Changes nothing.
    pub fn look(&self, witnessed: Vec<nt_revocation::Entry>) -> Result<Findings, StoreError> {
        let options = self.clone();
        on_a_thread(move || {
            let link = options.link(PATIENCE)?;
            link.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            let db = Db::Postgres(&link);
            let doubt = crate::sql::db::one(db, "SELECT doubt FROM meta", &[], |row| row.get(0))?;
            Ok(Findings {
                head: log::head(db)?,
                doubt: doubt.flatten(),
                nodes: node::list(db)?,
                missing: missing(db, &witnessed)?.into_iter().cloned().collect(),
            })
        })
    }

    /// Begins a new epoch behind what the database has kept. Every node is refused from the beginning
    /// on; nothing is changed before no lease can run any more.
    pub fn recover(&self, recovery: &Recovery, leases: LeasesOut) -> Result<Recovered, StoreError> {
        let (options, recovery) = (self.clone(), recovery.clone());
        on_a_thread(move || {
            let link = options.link(PATIENCE)?;
            let epoch = shut(&link)?;
            if leases == LeasesOut::MayRun {
                let longest = longest(Db::Postgres(&link), &recovery)?;
                tracing::info!(
                    seconds = longest.as_secs_f64(),
                    "waiting until every lease is over"
                );
                std::thread::sleep(longest);
            }
            begin_epoch(&link, epoch, &recovery)
        })
    }
}

/// Lets nobody in any more; answers the log's epoch.
fn shut(link: &Link) -> Result<u64, StoreError> {
    const DOUBT: &str = "UPDATE meta SET doubt = COALESCE(doubt, ?1) WHERE one = 1";
    let meta = lock_doubted(link)?;
    link.change(DOUBT, &[&RECOVERED]).and_then(|_| commit(link)).inspect_err(|_| undo(link))?;
    Ok(meta.epoch)
}

/// How long a lease can run after nobody is granted one any more.
fn longest(db: Db<'_>, recovery: &Recovery) -> Result<Duration, StoreError> {
    const SQL: &str = "SELECT kind, body FROM log WHERE kind = 8";
    let logged =
        all(db, SQL, &[], |row| Ok(Fact::read(number(row, 0)?, row.blob(1, "a log entry")?)?))?;
    let witnessed = recovery.witnessed.iter().map(|entry| entry.fact.clone());
    let lengths = logged.into_iter().chain(witnessed).filter_map(|fact| match fact {
        Fact::LeaseLengths { node_ms, .. } => Some(Duration::from_millis(u64::from(node_ms))),
        _ => None,
    });
    let standard = Lengths::default();
    let node = lengths.max().unwrap_or(standard.node).max(standard.node);
    Ok(Lengths { node, ..standard }.floor())
}

fn begin_epoch(link: &Link, epoch: u64, recovery: &Recovery) -> Result<Recovered, StoreError> {
    const OPEN: &str = "UPDATE meta SET doubt = NULL, system = ?1, timeline = ?2, lossless = ?3
        WHERE one = 1";
    let meta = lock_doubted(link)?;
    let recovered = if meta.epoch == epoch && meta.doubt.is_some() {
        recover(Db::Postgres(link), recovery)
    } else {
        Err(StoreError::InUse)
    };
    let server = meta.server;
    recovered
        .and_then(|recovered| {
            let system = server.system.cast_signed();
            link.change(OPEN, &[&system, &server.timeline, &meta.waits])?;
            commit(link)?;
            Ok(recovered)
        })
        .inspect_err(|_| undo(link))
}
