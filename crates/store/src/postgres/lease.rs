//! Renewing a node's lease: a write of its own, which waits for no step of this node's writer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::Type;

use super::health::Health;
use super::history::{self, LINEAGE};
use super::known::Known;
use super::link::Link;
use crate::error::StoreError;
use crate::node::{Renewal, Renewed};
use crate::sql::row::{Row, number, signed};

/// How many renewals may wait: a node has one lease.
pub(super) const QUEUE: usize = 8;

/// How long a renewal is waited for; a later answer would be worth little.
const PATIENCE: Duration = Duration::from_secs(4);

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL synchronous_commit = on;
    SET LOCAL lock_timeout = '3s';
    SET LOCAL statement_timeout = '3s';
    SET LOCAL idle_in_transaction_session_timeout = '1500ms'";

/// A renewal and its caller.
pub(super) type Asked = (Renewal, oneshot::Sender<Result<Renewed, StoreError>>);

/// The thread's state.
pub(super) struct Leases {
    pub(super) link: Link,
    pub(super) known: Arc<Known>,
    pub(super) health: Arc<Health>,
    pub(super) queue: mpsc::Receiver<Asked>,
}

impl Leases {
    pub(super) fn run(mut self) {
        while let Some((renewal, caller)) = self.link.idle(self.queue.recv()) {
            let renewed = self.health.check().and_then(|()| self.renew(renewal));
            if let Err(error) = &renewed {
                self.health.consider(error);
                self.link.disconnect();
            }
            // A caller that went away has its renewal all the same.
            let _ = caller.send(renewed);
        }
    }

    /// The three statements are sent at once. A commit that the server warns of was not waited for: a
    /// primary that was replaced could have made it.
    fn renew(&mut self, renewal: Renewal) -> Result<Renewed, StoreError> {
        self.link.connect_to(&self.known)?;
        // Of a log in doubt nobody is granted anything: a recovery waits for what was granted before.
        let sql = format!(
            "UPDATE nodes SET renewals = renewals + 1, acked = ?4, last_seen = ?5
             WHERE node = ?1 AND incarnation = ?2 AND state = 'active' AND renewals = ?3
                AND EXISTS (SELECT 1 FROM meta WHERE one = 1 AND doubt IS NULL)
             RETURNING (SELECT head FROM meta WHERE one = 1), {LINEAGE}"
        );
        let node = renewal.member.node.0.cast_signed();
        let incarnation = renewal.member.incarnation.0.cast_signed();
        let numbers =
            [node, incarnation, signed(renewal.renewals), signed(renewal.acked), renewal.at.unix()];
        let params = numbers.each_ref().map(|number| (number as _, Type::INT8));
        // Known before anything is sent: the statements must not change places.
        self.link.wait(PATIENCE, |session| session.prepare(&sql))?;
        self.link.take_warning();
        self.link.send_ahead(BEGIN);
        let rows = self.link.wait(PATIENCE, |session| async {
            let (rows, ()) =
                future::try_join(session.rows(&sql, &params), session.batch("COMMIT")).await?;
            Ok(rows)
        })?;
        if self.link.take_warning() {
            return Err(StoreError::OutcomeUnknown("no replica was waited for".to_owned()));
        }
        let Some(row) = rows.first() else { return Ok(Renewed::Refused) };
        if !self.known.follows(history::lineage(row, 1)?) {
            return Err(StoreError::Unavailable("another server answers".to_owned()));
        }
        Ok(Renewed::Granted { head: number(Row::Postgres(row), 0)? })
    }
}
