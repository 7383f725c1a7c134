//! What the reading and the writing side share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use nt_revocation::{RevocationSet, Status};
use nt_token::clock::Clock;
use nt_token::{Expected, SignedClaims};
use tokio::sync::watch;

use crate::ask::Ask;
use crate::drain::UnderWay;
use crate::lease::{Lease, Moment};
use crate::order;
use crate::refusal::{NotAccepted, NotReady, Refused};
use crate::seen::{Keys, Seen, SeenTokens};

pub(crate) struct Shared {
    pub(crate) expected: Expected,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: ArcSwap<Keys>,
    pub(crate) set: ArcSwap<RevocationSet>,
    pub(crate) seen: SeenTokens,
    pub(crate) lease: Lease,
    /// Rung after each change that may end a token.
    pub(crate) changed: watch::Sender<()>,
    /// Held by whoever changes keys, set or lease. No check touches it.
    pub(crate) writer: Mutex<()>,
    pub(crate) ask: Option<Arc<dyn Ask>>,
    pub(crate) under_way: UnderWay,
    pub(crate) refused: AtomicU64,
    pub(crate) not_ready: AtomicU64,
}

impl Shared {
    /// The rule, but for the signature: see [`order`] for why the loads come in this order.
    pub(crate) fn judge(&self, signed: &SignedClaims) -> Result<Moment, NotAccepted> {
        let (term, status, now) = order::check(
            || self.lease.load(),
            || self.set.load().status(signed),
            || Moment::read(&*self.clock),
        );
        if term.is_over(now) {
            return Err(NotReady::LeaseOver.into());
        }
        match status {
            Status::Good => {}
            Status::Revoked(why) => return Err(Refused::Revoked(why).into()),
            Status::Unknown => return Err(NotReady::Behind.into()),
        }
        signed.valid_at(&self.expected, now.wall()).map_err(Refused::Token)?;
        Ok(now)
    }

    /// Whether a token was taken back, or the key that signed it is one no longer: for good.
    pub(crate) fn is_revoked(&self, seen: &Seen) -> bool {
        matches!(self.set.load().status(&seen.signed), Status::Revoked(_)) || !self.has_key(seen)
    }

    pub(crate) fn has_key(&self, seen: &Seen) -> bool {
        let keys = self.keys.load();
        let kid = seen.signed.kid().as_str();
        keys.generation == seen.generation || keys.set.key(kid).is_some()
    }

    /// Counts what is not accepted. What is accepted is not counted here: a counter that all threads
    /// write would cost more than the check.
    pub(crate) fn count(&self, not: NotAccepted) -> NotAccepted {
        let counter = match not {
            NotAccepted::Refused(_) => &self.refused,
            NotAccepted::NotReady(_) => &self.not_ready,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        not
    }
}
