//! The writing side: whoever follows the log tells the verifier through here.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, MutexGuard, PoisonError};

use nt_revocation::{BadSnapshot, Entry, OutOfOrder, Position, RevocationSet, Snapshot};
use nt_token::clock::{Boot, Clock};
use nt_token::{Expected, KeySet};

use crate::lease::Moment;
use crate::seen::Keys;
use crate::shared::Shared;

/// The hand that feeds a verifier. There is one, and its order of calls is the protocol's: state is
/// published first, then acknowledged, then the lease that rests on it is extended.
pub struct State(Arc<Shared>);

impl State {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The number of the last entry that every later check takes into account.
    pub fn applied(&self) -> u64 {
        self.0.set.load().applied()
    }

    /// Whose tokens are accepted, and for whom.
    pub fn expected(&self) -> &Expected {
        &self.0.expected
    }

    /// The clock that leases are held by: the moment before a renewal is asked for is read here.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// Applies the log's next entry. When this returns, every check that starts later, on any
    /// thread, sees it, and it may be acknowledged. An entry that was not applied must not be: ask
    /// for what is missing, or let the lease run out.
    pub fn apply(&self, entry: &Entry) -> Result<(), OutOfOrder> {
        self.apply_all(std::slice::from_ref(entry))
    }

    /// Applies several, and wakes those who wait for the end of a token once. Those before the one
    /// that fails are applied.
    pub fn apply_all(&self, entries: &[Entry]) -> Result<(), OutOfOrder> {
        let _one_at_a_time = self.writer();
        let set = self.0.set.load();
        let result = entries.iter().try_for_each(|entry| set.apply(entry));
        self.published();
        result
    }

    /// Replaces all that is known by a snapshot of the same log. One that knows less is refused:
    /// what was revoked once must not come back. That it is the same log is for the caller to know,
    /// who sees the entries' identities.
    ///
    /// A check that goes on meanwhile sees the old set or the new one, as a whole. The old one
    /// serves it as well as before: it read its expiry before, and a lease that demands more than
    /// the old set is extended only after this has returned.
    pub fn replace(&self, set: RevocationSet) -> Result<(), OutOfOrder> {
        let _one_at_a_time = self.writer();
        let (applied, got) = (self.applied(), set.applied());
        if got < applied {
            return Err(OutOfOrder::Gap { applied, got });
        }
        self.0.set.store(Arc::new(set));
        self.published();
        Ok(())
    }

    /// Adds to all that is known what a snapshot of a later epoch has, and goes on from there. The log was
    /// put together again after a loss: what was revoked before stays so here, also where the snapshot
    /// has lost it.
    pub fn absorb(&self, later: &Snapshot) -> Result<Position, BadSnapshot> {
        let _one_at_a_time = self.writer();
        let position = self.0.set.load().absorb(later);
        self.published();
        position
    }

    /// Replaces the keys. What a key signed that is no longer among them counts no more; a new one
    /// is given here before the entry that adds it is acknowledged.
    pub fn set_keys(&self, keys: KeySet) {
        let _one_at_a_time = self.writer();
        let generation = self.0.keys.load().generation + 1;
        self.0.keys.store(Arc::new(Keys { set: keys, generation }));
        self.published();
    }

    /// Lets the verifier say "good" until this moment: the one at which the renewal was *asked for*,
    /// and what was granted. Call it after everything was applied that the grant demands. A grant
    /// that is older than one before changes nothing.
    pub fn extend_lease(&self, end: Boot) {
        let _one_at_a_time = self.writer();
        self.0.lease.extend(end, Moment::read(&*self.0.clock));
    }

    /// Lets the verifier say "good" only until this moment, which is earlier than before: what the lease
    /// rested on beyond it is about to be released. When this returns, every check that starts later
    /// sees it; only then may the release be said.
    pub fn lower_lease(&self, end: Boot) {
        let _one_at_a_time = self.writer();
        self.0.lease.lower(end, Moment::read(&*self.0.clock));
        self.published();
    }

    /// Ends the lease at once. After this the authority may be told that it was given back.
    pub fn drop_lease(&self) {
        let _one_at_a_time = self.writer();
        self.0.lease.drop(self.0.clock.boot());
        self.published();
    }

    /// Waits until everything has ended that was let in by a token which was revoked by what was applied
    /// between the last call and this one; `None` if nothing is left of it, always where
    /// [`Drain::No`](crate::Drain::No) was chosen. Whoever feeds the verifier calls this after what it
    /// applied, and acknowledges when all of these waits so far are over, or when the lease is.
    pub fn drain(&self) -> Option<impl Future<Output = ()> + Send + Sync + use<>> {
        self.0.drain()
    }

    /// Nothing that is done after this, an acknowledgement above all, comes before what was stored.
    fn published(&self) {
        fence(Ordering::SeqCst);
        self.0.changed.send_replace(());
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
