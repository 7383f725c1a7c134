//! The verifier's lease: until when it may say "good".
//!
//! What the log says is kept elsewhere ([`crate::RevocationSet`]); this machine knows only how far it
//! was applied. Whoever drives it publishes the state first and the lease's end after it, and a check
//! loads them the other way round: end, state, clock.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use super::lease::{Held, Lengths};
use super::rules::{Rules, Sound};
use super::time::{Boot, Now};

/// Renewals that are remembered; an answer to an older one comes too late to be of use.
const NONCES_MAX: usize = 16;

/// What to do with an entry that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Next {
    /// It is the next one: apply it, then say [`VerifierInput::Applied`].
    Apply,
    /// It was applied before.
    Duplicate,
    /// Some before it are missing: ask for what lies between, or for a snapshot.
    Resync,
}

/// What happens to a verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerifierInput {
    /// Time passed; at least each Lv / 4.
    Tick,
    /// Every look-up that starts from now on, on any thread, sees everything up to here.
    Applied(u64),
    /// A node answered a renewal.
    Granted {
        /// Which renewal.
        nonce: u64,
        /// How long, from when it was begun.
        length: Duration,
        /// What must have been applied for it to count.
        min: u64,
    },
    /// A stream to a node stands: ask for a lease at once.
    Connected,
    /// What is known here can no longer be trusted: an entry of an unknown kind, another history.
    GiveUp,
    /// This verifier ends in order.
    Leave,
}

/// What a verifier has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerifierOutput {
    /// Ask the node for a lease. Its time runs from this step on.
    Renew {
        /// To be given back with the grant.
        nonce: u64,
        /// Everything up to here is applied.
        acked: u64,
    },
    /// Tell the node that everything up to here is applied.
    Ack(u64),
    /// Publish the lease's new end.
    LeaseUntil(Boot),
    /// Publish that there is no lease: refuse until there is one again.
    LeaseOver,
    /// Tell the node that there is no lease any more. Only after [`Self::LeaseOver`] was published.
    Release,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierLease<R: Rules = Sound> {
    lengths: Lengths,
    applied: u64,
    held: Held,
    next_nonce: u64,
    begun: BTreeMap<u64, Boot>,
    renew_at: Option<Boot>,
    last: Option<Now>,
    rules: PhantomData<R>,
}

impl<R: Rules> VerifierLease<R> {
    /// A verifier that has applied the log up to `applied`, and has no lease. `nonces_from` is drawn
    /// at random: a grant to an earlier life of this verifier must not look like one to this.
    pub fn new(lengths: Lengths, applied: u64, nonces_from: u64) -> Self {
        Self {
            lengths,
            applied,
            held: Held::default(),
            next_nonce: nonces_from,
            begun: BTreeMap::new(),
            renew_at: None,
            last: None,
            rules: PhantomData,
        }
    }

    /// Until when it may say "good"; `None` for not at all.
    pub fn end(&self) -> Option<Boot> {
        self.held.end()
    }

    /// Whether it may say "good" at this moment.
    pub fn lasts(&self, now: Boot) -> bool {
        self.held.lasts(now)
    }

    /// The last entry that was applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// When the next renewal is due; `None` before the first connection.
    pub fn renew_at(&self) -> Option<Boot> {
        self.renew_at
    }

    /// What to do with entry `seq`.
    pub fn entry(&self, seq: u64) -> Next {
        if seq <= self.applied {
            Next::Duplicate
        } else if seq == self.applied + 1 {
            Next::Apply
        } else {
            Next::Resync
        }
    }

    /// Takes an input into account.
    pub fn step(&mut self, now: Now, input: VerifierInput) -> Vec<VerifierOutput> {
        let mut outputs = Vec::new();
        if self.stood_still(now) {
            self.give_up(&mut outputs);
        }
        self.last = Some(now);
        match input {
            VerifierInput::Tick if self.renew_at.is_some_and(|at| now.boot >= at) => {
                self.renew(now, &mut outputs);
            }
            VerifierInput::Tick => {}
            VerifierInput::Connected => self.renew(now, &mut outputs),
            VerifierInput::Applied(seq) => {
                self.applied = self.applied.max(seq);
                outputs.push(VerifierOutput::Ack(self.applied));
            }
            VerifierInput::Granted { nonce, length, min } => {
                self.granted(now, nonce, length, min, &mut outputs);
            }
            VerifierInput::GiveUp => self.give_up(&mut outputs),
            VerifierInput::Leave => {
                self.give_up(&mut outputs);
                self.renew_at = None;
                outputs.push(VerifierOutput::Release);
            }
        }
        outputs
    }

    /// Forgets the renewals under way, and asks from here on for leases of these lengths. What is held
    /// lasts until its end.
    pub(super) fn begin_anew(&mut self, lengths: Lengths, nonces_from: u64) {
        self.lengths = lengths;
        self.next_nonce = nonces_from;
        self.begun.clear();
    }

    fn renew(&mut self, now: Now, outputs: &mut Vec<VerifierOutput>) {
        let nonce = self.next_nonce;
        self.next_nonce = self.next_nonce.wrapping_add(1);
        self.begun.insert(nonce, now.boot);
        while self.begun.len() > NONCES_MAX {
            let oldest =
                self.begun.iter().min_by_key(|(_, begun)| **begun).map(|(nonce, _)| *nonce);
            oldest.and_then(|nonce| self.begun.remove(&nonce));
        }
        self.renew_at = Some(now.boot.after(self.lengths.verifier_renews_each()));
        outputs.push(VerifierOutput::Renew { nonce, acked: self.applied });
    }

    fn granted(
        &mut self,
        now: Now,
        nonce: u64,
        length: Duration,
        min: u64,
        outputs: &mut Vec<VerifierOutput>,
    ) {
        let Some(begun) = self.begun.remove(&nonce) else { return };
        if self.applied < min {
            return;
        }
        let anchor = if R::ANCHOR_AT_RECEIPT { now.boot } else { begun };
        self.held.extend(anchor.after(length));
        outputs.extend(self.end().map(VerifierOutput::LeaseUntil));
    }

    /// A machine that was frozen finds its wall clock set forward while its other clocks went on as
    /// if nothing had been; and no clock of a machine that ran on goes backwards.
    fn stood_still(&self, now: Now) -> bool {
        self.last.is_some_and(|last| {
            let wall = now.wall.0.saturating_sub(last.wall.0);
            let jump = Duration::from_nanos(wall).saturating_sub(now.boot.since(last.boot));
            now.boot < last.boot || jump > self.lengths.verifier
        })
    }

    /// Also forgets the renewals under way: they were begun by a clock that stood still since.
    fn give_up(&mut self, outputs: &mut Vec<VerifierOutput>) {
        self.held.drop_now();
        self.begun.clear();
        outputs.push(VerifierOutput::LeaseOver);
    }
}
