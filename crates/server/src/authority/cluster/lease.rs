//! How a node keeps its lease from the database, for as long as that is granted.

use std::sync::{Arc, Mutex, PoisonError};

use nt_revocation::protocol::{Boot, Lengths, Member};
use nt_store::{Renewal, Renewed, Standing, Store, StoreError};
use nt_token::clock::{Clock, Stopwatch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::join::answer_within;

/// Whoever holds the lease: it grants leases to verifiers from it.
pub trait Holder: Send + Sync {
    /// The database renewed the lease; `anchor` is from before it was asked, and the lease counts
    /// only once everything up to `head` is applied.
    fn renewed(&self, anchor: Boot, head: u64);
    /// The lease is over, at once.
    fn refused(&self);
    /// Up to where everything is complete at this node.
    fn complete(&self) -> u64;
}

/// Why a lease is not renewed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Another node took this one for dead.
    Fenced,
    /// Another process renews in this node's name.
    Copied,
}

/// How the renewals go, for people.
#[derive(Debug, Default)]
pub struct Health(Mutex<Option<(Stopwatch, String)>>);

impl Health {
    /// Since when the database gives no answer, and what it says instead.
    pub fn failing(&self) -> Option<(Stopwatch, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn failed(&self, why: String) {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, last)) = failing.as_mut() {
            *last = why;
        } else {
            tracing::warn!(why, "the lease could not be renewed: it is tried again");
            *failing = Some((Stopwatch::start(), why));
        }
    }
}

/// The lease of one life of a node.
pub struct Lease {
    /// Who grants it.
    pub store: Arc<dyn Store>,
    /// Which node, and which of its lives.
    pub member: Member,
    /// How long it lasts.
    pub lengths: Lengths,
    /// By which clock it is held.
    pub clock: Arc<dyn Clock>,
    /// How it goes.
    pub health: Arc<Health>,
}

impl Lease {
    /// Renews until the database refuses. While it gives no answer the lease runs out by itself.
    pub async fn keep(&self, holder: &dyn Holder) -> Lost {
        let (mut renewals, mut is_certain) = (0, true);
        let mut due = interval(self.lengths.node_renews_each());
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            if !is_certain {
                match self.counted(renewals).await {
                    Ok(counted) => renewals = counted,
                    Err(error) => {
                        self.health.failed(error.to_string());
                        continue;
                    }
                }
            }
            // Before it is asked: what the database says of a moment in between counts from here.
            let anchor = self.clock.boot();
            let (member, acked, at) = (self.member, holder.complete(), self.clock.now());
            let renewal = self.store.renew(Renewal { member, renewals, acked, at });
            match timeout(answer_within(&self.lengths), renewal).await {
                Ok(Ok(Renewed::Granted { head })) => {
                    (renewals, is_certain) = (renewals + 1, true);
                    self.health.answered();
                    holder.renewed(anchor, head);
                }
                Ok(Ok(Renewed::Refused)) => {
                    holder.refused();
                    return self.why_refused().await;
                }
                Ok(Err(error)) => {
                    is_certain = false;
                    self.health.failed(error.to_string());
                }
                Err(_) => {
                    is_certain = false;
                    self.health.failed("the database gives no answer".to_owned());
                }
            }
        }
    }

    /// How often this node has renewed, after a renewal of which it is not known whether it was
    /// written. It was once more at the most; what else there is, another wrote.
    async fn counted(&self, renewals: u64) -> Result<u64, StoreError> {
        let nodes = self.store.nodes().await?;
        let me = nodes.iter().find(|known| known.member == self.member);
        let counted = me.map_or(renewals, |me| me.renewals);
        Ok(if counted == renewals + 1 { counted } else { renewals })
    }

    async fn why_refused(&self) -> Lost {
        let is_active = |known: &nt_store::KnownNode| {
            known.member == self.member && known.standing == Standing::Active
        };
        match self.store.nodes().await {
            Ok(nodes) if nodes.iter().any(is_active) => Lost::Copied,
            _ => Lost::Fenced,
        }
    }
}
