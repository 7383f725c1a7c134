//! How a node's own right to say "good" is seen by its other doors, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use nt_revocation::protocol::{Boot, Input, Tenure};
use tokio::sync::watch;

use super::{Hub, Roster};
use crate::proto::{self, FromAuthority, from_authority};

/// Until when a node may give verdicts. Cheap to clone.
///
/// A door loads the end first, looks the token up then, and reads the clock last: as every verifier.
#[derive(Debug, Clone, Default)]
pub struct NodeLease(Arc<AtomicU64>);

impl NodeLease {
    /// The end as it stands. Whoever sees it sees in later look-ups all that it was granted for.
    pub fn end(&self) -> Boot {
        Boot::from_nanos(self.0.load(Ordering::Acquire))
    }

    /// Called under the lock that orders everything else.
    pub(super) fn publish(&self, end: Boot) {
        let (before, end) = (self.0.load(Ordering::Relaxed), end.nanos());
        if end != before {
            self.0.store(end, Ordering::Release);
        }
        if end < before {
            // Nothing that is done after this comes before it.
            fence(Ordering::SeqCst);
        }
    }
}

/// How far a node is with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::server) enum Leave {
    /// It has not begun.
    No,
    /// It grants no more leases.
    Leaving,
    /// The last lease is over.
    Left,
}

/// Waits until a node is as far.
pub(in crate::server) async fn reached(mut leave: watch::Receiver<Leave>, far: Leave) {
    if leave.wait_for(|leave| *leave >= far).await.is_err() {
        // Its feed is gone without having left.
        std::future::pending::<()>().await;
    }
}

impl Hub {
    pub(in crate::server) fn leave_seen(&self) -> watch::Receiver<Leave> {
        self.leave.subscribe()
    }

    pub(in crate::server) fn is_leaving(&self) -> bool {
        *self.leave.borrow() != Leave::No
    }

    /// Whether this node may give verdicts.
    pub(in crate::server) fn serves(&self) -> bool {
        let (inner, now) = self.lock();
        now.boot < inner.roster.lease_end()
    }

    pub(in crate::server) fn renewed(&self, anchor: Boot, head: u64) {
        let (mut inner, now) = self.lock();
        self.step(&mut inner, now, Input::Renewed { anchor, head });
    }

    /// The verifiers are told to go elsewhere: there are no grants for them here any more.
    pub(in crate::server) fn renewal_refused(&self) {
        let (mut inner, now) = self.lock();
        self.step(&mut inner, now, Input::RenewalRefused);
        inner.tell_all(now, &leaving());
    }

    pub(in crate::server) fn leave(&self) {
        let (mut inner, now) = self.lock();
        self.leave.send_if_modified(|leave| {
            let begins = *leave == Leave::No;
            *leave = (*leave).max(Leave::Leaving);
            begins
        });
        self.step(&mut inner, now, Input::Leave);
        inner.tell_all(now, &leaving());
        drop(inner);
        self.changed.notify_one();
    }

    /// Begins another life of this node, without a lease and without sessions: who was one of the life
    /// before is told to connect again, and its leases are for others to wait for.
    pub(in crate::server) fn rejoin(&self) {
        let (mut inner, now) = self.lock();
        inner.lines.clear();
        inner.roster = Roster::new(now, self.lengths, Tenure::Leased, inner.head.seq);
        self.lease.publish(inner.roster.lease_end());
    }
}

fn leaving() -> FromAuthority {
    from_authority::Message::Leaving(proto::Leaving {}).into()
}
