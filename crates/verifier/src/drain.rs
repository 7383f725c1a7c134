//! Requests that are under way, by their tokens: for services where a revocation is to be acknowledged
//! only when what was let in before it has ended.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::seen::Seen;
use crate::shared::Shared;

/// Whether what was let in before a revocation holds its acknowledgement up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drain {
    /// It does not: a verdict holds at its moment.
    #[default]
    No,
    /// It does, for as long as the lease lasts: a revoke is answered when every request that its token
    /// was let in for has ended, or when this verifier has run out of lease. A request is under way for
    /// as long as a clone of its [`VerifiedToken`](crate::VerifiedToken) is kept.
    ///
    /// The cap is the protocol's own: an authority renews no lease of whoever owes it an
    /// acknowledgement for longer than 250 ms. So a request that goes on for longer than that may cost
    /// this verifier its lease, and all its requests a moment of "not ready". Each check takes a lock.
    UntilLeaseEnd,
}

/// What is under way.
pub(crate) struct UnderWay {
    drain: Drain,
    live: Mutex<Live>,
    left: watch::Sender<()>,
}

#[derive(Default)]
struct Live {
    numbered: u64,
    /// `None` for those that are waited for: each is waited for once.
    tokens: HashMap<u64, Option<Arc<Seen>>>,
}

/// One request. It is over when this is dropped.
pub(crate) struct Admission {
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.shared.under_way.live().tokens.remove(&self.number);
        self.shared.under_way.left.send_replace(());
    }
}

impl UnderWay {
    pub(crate) fn new(drain: Drain) -> Self {
        Self { drain, live: Mutex::default(), left: watch::Sender::new(()) }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_any_of(&self, numbers: &HashSet<u64>) -> bool {
        let live = self.live();
        numbers.iter().any(|number| live.tokens.contains_key(number))
    }
}

impl Shared {
    /// Notes that a request begins, *before* its token is judged. Whoever looks for what is under way
    /// after an entry was published then finds it, or its look-up comes after and finds the entry.
    pub(crate) fn admit(self: &Arc<Self>, seen: &Arc<Seen>) -> Option<Arc<Admission>> {
        if self.under_way.drain == Drain::No {
            return None;
        }
        let mut live = self.under_way.live();
        live.numbered += 1;
        let number = live.numbered;
        live.tokens.insert(number, Some(Arc::clone(seen)));
        drop(live);
        Some(Arc::new(Admission { number, shared: Arc::clone(self) }))
    }

    /// Waits for what is under way by tokens that were revoked since the last call; `None` if nothing is.
    pub(crate) fn drain(
        self: &Arc<Self>,
    ) -> Option<impl Future<Output = ()> + Send + Sync + use<>> {
        if self.under_way.drain == Drain::No {
            return None;
        }
        let mut left = self.under_way.left.subscribe();
        let mut waited_for = HashSet::new();
        for (number, token) in &mut self.under_way.live().tokens {
            if token.take_if(|seen| self.is_revoked(seen)).is_some() {
                waited_for.insert(*number);
            }
        }
        let shared = Arc::clone(self);
        (!waited_for.is_empty()).then_some(async move {
            while shared.under_way.has_any_of(&waited_for) {
                // The sender is in what is held here.
                let _told = left.changed().await;
            }
        })
    }
}
