//! How a node's own right to say "good" is seen by its other doors, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use nt_revocation::protocol::Boot;
use tokio::sync::watch;

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
pub(super) enum Leave {
    /// It has not begun.
    No,
    /// It grants no more leases.
    Leaving,
    /// The last lease is over.
    Left,
}

/// Waits until a node is as far.
pub(super) async fn reached(mut leave: watch::Receiver<Leave>, far: Leave) {
    if leave.wait_for(|leave| *leave >= far).await.is_err() {
        // Its feed is gone without having left.
        std::future::pending::<()>().await;
    }
}
