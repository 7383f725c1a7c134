//! What the log says so far, ready to be asked.
//!
//! ```text
//! list number ──▶ directory of segments ──▶ list ──▶ 16 chunks of 8 KiB ──▶ 1 bit a token
//!                 (1,024 × 1,024 lists, everything made when first needed)
//! ```
//!
//! Readers take no lock and never wait: each step is one atomic load. Writers are serialised by a
//! mutex that readers do not touch. State only grows, so an answer of "revoked" is final; bits are
//! forgotten only behind a horizon that the log states, which then refuses those tokens by rule. A
//! list is forgotten whole, and its memory is free in the next set that is built from a snapshot.
//!
//! `chunks` has the bits, `portable` how they travel, `rules` the keys and, in `scopes`, the scopes. How
//! the whole set travels is drawn in [`crate::snapshot`].

mod chunks;
mod portable;
pub(crate) mod rules;
mod scopes;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use nt_token::{SignedClaims, Timestamp};

use self::chunks::Bitmaps;
pub(crate) use self::chunks::ListBits;
use self::rules::{Revocation, Rules};
use crate::entry::{Entry, Fact};
use crate::log::Position;
use crate::snapshot::{BadSnapshot, Contents, Snapshot};
use crate::status::{Status, Why};

/// Why an entry was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    /// Entries are applied one after the other, none twice and none left out; a new epoch only where
    /// the history was kept up to here.
    #[error("log entry {got} does not follow {applied}")]
    Gap {
        /// The last entry that was applied.
        applied: u64,
        /// The one that came.
        got: u64,
    },
    /// The set holds lists up to [`RevocationSet::LISTS_MAX`].
    #[error("list {0} is beyond the largest that the revocation set can hold")]
    List(u32),
}

/// The revoked tokens, scopes and keys.
pub struct RevocationSet {
    bitmaps: Bitmaps,
    rules: ArcSwap<Rules>,
    horizon: AtomicI64,
    applied: AtomicU64,
    swept: AtomicU64,
    writer: Mutex<Position>,
}

impl Default for RevocationSet {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationSet {
    /// Lists are numbered from 0 to one below this: 2⁴⁰ tokens.
    pub const LISTS_MAX: u32 = Bitmaps::LISTS_MAX;

    /// The last list, which no token is issued from: its places are for canaries, which an authority
    /// revokes to see how long that takes.
    pub const CANARIES: u32 = Self::LISTS_MAX - 1;

    /// The set of the empty log.
    pub fn new() -> Self {
        Self {
            bitmaps: Bitmaps::new(),
            rules: ArcSwap::default(),
            horizon: AtomicI64::new(i64::MIN),
            applied: AtomicU64::new(Position::START.seq),
            swept: AtomicU64::new(Position::START.seq),
            writer: Mutex::new(Position::START),
        }
    }

    /// The set that a snapshot was taken of. Its bits are made while its bytes are read, which are
    /// copied nowhere else.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        let (set, contents) = (Self::new(), Contents::of(bytes)?);
        let (position, horizon) = (contents.position, contents.horizon);
        set.forget(horizon);
        let rules = contents.read(|list| {
            if list.last > horizon { set.bitmaps.unite(&list) } else { list.check() }
        })?;
        set.rules.store(rules.into());
        set.reach(&mut set.write(), position);
        Ok(set)
    }

    /// The number of the last entry that every later look-up takes into account.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// The number of the last entry that was about more than one token: a scope, a key, a horizon. Of
    /// whatever came after it [`Self::add_list`] tells all. To be asked after [`Self::applied`].
    pub fn swept(&self) -> u64 {
        self.swept.load(Ordering::Acquire)
    }

    /// Adds the places of a list that were revoked one by one to bits of its beginning, the lowest of
    /// each byte first.
    pub fn add_list(&self, list: u32, bits: &mut [u8]) {
        self.bitmaps.add_to(list, bits);
    }

    /// The last entry that every later look-up takes into account. Waits for a writer.
    pub fn position(&self) -> Position {
        *self.write()
    }

    /// Tokens that end at this time or before it are refused by rule.
    pub fn horizon(&self) -> Timestamp {
        Timestamp::from_unix(self.horizon.load(Ordering::Acquire))
    }

    /// The public keys that the log brought, as JWKs. Those of revoked keys are among them, so that
    /// what they signed is known to be revoked rather than of an unknown key.
    pub fn keys(&self) -> Vec<Arc<str>> {
        self.rules.load().added_keys().values().cloned().collect()
    }

    /// Bytes that are allocated for the bits of revoked tokens.
    pub fn memory(&self) -> usize {
        self.bitmaps.memory()
    }

    /// Applies the next entry. When this returns, every look-up that starts later, on any thread,
    /// sees it.
    pub fn apply(&self, entry: &Entry) -> Result<(), OutOfOrder> {
        let mut position = self.write();
        let gap = OutOfOrder::Gap { applied: position.seq, got: entry.seq };
        let to = position.followed_by(entry).ok_or(gap)?;
        match &entry.fact {
            Fact::TokenRevoked { place, .. } if place.list >= Self::LISTS_MAX => {
                return Err(OutOfOrder::List(place.list));
            }
            // The horizon refuses it already.
            Fact::TokenRevoked { exp, .. } if *exp <= self.horizon() => {}
            Fact::TokenRevoked { place, exp, .. } => {
                self.bitmaps.mark(*place, *exp).ok_or(OutOfOrder::List(place.list))?;
            }
            Fact::ScopeRevoked { scope, except } => {
                // As many as the entry's bytes have: others must come to the same from those.
                let except = except.iter().copied().take(Fact::EXCEPT_MAX).collect();
                let revocation = Revocation { seq: entry.seq, except };
                self.amend(|rules| rules.revoke_scope(scope, revocation));
            }
            Fact::KeyRevoked { kid } => self.amend(|rules| rules.revoke_key(kid.clone())),
            Fact::KeyAdded { kid, jwk } => {
                self.amend(|rules| rules.add_key(kid.clone(), jwk.as_str().into()));
            }
            Fact::Horizon { through } => self.forget(*through),
            // Who waits for whom, and what was lost, is no matter of which tokens count.
            Fact::NodeJoined { .. }
            | Fact::NodeFenced { .. }
            | Fact::NodeGone { .. }
            | Fact::LeaseLengths { .. }
            | Fact::EpochBegan { .. } => {}
        }
        if entry.fact.is_about_many() {
            self.swept.store(to.seq, Ordering::Release);
        }
        self.publish(&mut position, to);
        Ok(())
    }

    /// Adds all that a snapshot has, and moves on to its position if that is further in the log, or
    /// in a later epoch. What was revoked here stays so. Answers where the set is now.
    ///
    /// When this returns, every look-up that starts later sees it; until then, each sees what it had
    /// before and perhaps some of the rest.
    pub fn absorb(&self, snapshot: &Snapshot) -> Result<Position, BadSnapshot> {
        let mut position = self.write();
        let (here, there) = (*position, snapshot.position());
        let same_place = (here.epoch, here.seq) == (there.epoch, there.seq);
        if same_place && here.entry != there.entry {
            return Err(BadSnapshot::OtherHistory);
        }
        // Before the lists are united: what each side has forgotten must not come back by the other.
        self.forget(snapshot.horizon);
        let horizon = self.horizon();
        for list in snapshot.lists.iter().filter(|list| list.last > horizon) {
            self.bitmaps.unite(list).expect("the lists of a snapshot have been checked");
        }
        self.amend(|rules| rules.unite(&snapshot.rules));
        self.reach(&mut position, there);
        Ok(*position)
    }

    /// The set as it is at one position, in bytes that [`Self::from_snapshot`] reads. Equal states
    /// have equal bytes. Look-ups go on meanwhile; entries wait while the bits are copied.
    pub fn snapshot(&self) -> Vec<u8> {
        self.freeze().to_bytes()
    }

    /// The set as it is at one position.
    pub fn freeze(&self) -> Snapshot {
        let position = self.write();
        Snapshot {
            position: *position,
            horizon: self.horizon(),
            lists: self.bitmaps.lists(),
            rules: self.rules.load_full(),
        }
    }

    /// What the log says of a token. Wait-free; the answer holds at the moment of the look-up.
    pub fn status(&self, token: &SignedClaims) -> Status {
        let claims = token.claims();
        if claims.exp <= self.horizon() {
            return Status::Revoked(Why::Horizon);
        }
        // Before the look-up: what is applied after this needs no answer from here.
        let known = claims.rv <= self.applied();
        if self.bitmaps.contains(claims.place) {
            return Status::Revoked(Why::Token);
        }
        // Again: the bit may have been forgotten since, and then the horizon was there before.
        if claims.exp <= self.horizon() {
            return Status::Revoked(Why::Horizon);
        }
        match self.rules.load().cover(token) {
            Some(why) => Status::Revoked(why),
            None if known => Status::Good,
            None => Status::Unknown,
        }
    }

    /// Whether a horizon at this time would let anything be forgotten.
    pub fn would_forget(&self, through: Timestamp) -> bool {
        self.bitmaps.would_forget(through)
    }

    fn forget(&self, through: Timestamp) {
        self.horizon.fetch_max(through.unix(), Ordering::Release);
        self.bitmaps.forget(self.horizon());
    }

    fn write(&self) -> MutexGuard<'_, Position> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets readers know, after everything that the position stands for was written.
    fn publish(&self, position: &mut Position, to: Position) {
        *position = to;
        self.applied.store(to.seq, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Moves on to the position of a snapshot, if that is further.
    fn reach(&self, position: &mut Position, there: Position) {
        let further = (there.epoch, there.seq) > (position.epoch, position.seq);
        // Whatever the snapshot had of scopes and keys.
        self.swept.store(position.seq.max(there.seq), Ordering::Release);
        self.publish(position, if further { there } else { *position });
    }

    fn amend(&self, change: impl FnOnce(&mut Rules)) {
        let mut rules = Rules::clone(&self.rules.load());
        change(&mut rules);
        self.rules.store(rules.into());
    }
}

/// At most this much would be allocated for the bits of these lists.
pub(crate) fn memory_for(lists: &[ListBits<'_>]) -> usize {
    Bitmaps::memory_for(lists)
}
