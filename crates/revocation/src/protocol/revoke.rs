//! When a revoke that was committed may be answered "revoked".

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::time::Duration;

use super::lease::Lengths;
use super::membership::{Member, Membership};
use super::rules::{Rules, Sound};
use super::time::Mono;

/// What lets a revoke advance.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a, R: Rules = Sound> {
    /// The log is known here up to the membership's position.
    Folded(&'a Membership<R>),
    /// A member reports everything up to `seq` complete.
    NodeAck {
        /// Which.
        member: Member,
        /// Up to where.
        seq: u64,
    },
    /// A member is gone by the log.
    NodeGone(Member),
    /// Time passed.
    Tick,
}

/// How it is known that no verifier accepts any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// Each member reported that its verifiers have applied the entry or run out of lease.
    Acked,
    /// No lease from before the commit can still run.
    Expired,
}

/// The proof that a revoke is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InForce {
    /// Its entry.
    pub seq: u64,
    /// How it is known.
    pub how: How,
    /// From the commit to here.
    pub waited: Duration,
}

/// One revoke, from its commit to its being in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revoke<R: Rules = Sound> {
    seq: u64,
    committed: Mono,
    deadline: Mono,
    /// `None` until the log is known up to `seq`.
    waiting: Option<BTreeSet<Member>>,
    acked: BTreeSet<Member>,
    rules: PhantomData<R>,
}

impl<R: Rules> Revoke<R> {
    /// Whether a revoke needs an entry of its own: always. That the token is already revoked says
    /// nothing about when: the first revoke may still be on its way.
    pub fn needs_entry(already_revoked: bool) -> bool {
        !(R::ANSWER_IF_ALREADY_REVOKED && already_revoked)
    }

    /// A revoke with entry `seq`; `committed` is read after the commit was answered. `lengths` are
    /// the longest that may still be in force.
    pub fn new(seq: u64, committed: Mono, members: &Membership<R>, lengths: &Lengths) -> Self {
        let deadline = committed.after(lengths.floor());
        let acked = BTreeSet::new();
        let mut revoke =
            Self { seq, committed, deadline, waiting: None, acked, rules: PhantomData };
        revoke.fold(members);
        revoke
    }

    /// Its entry.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it is in force whatever happens.
    pub fn deadline(&self) -> Mono {
        self.deadline
    }

    /// Whom it waits for; `None` while that is not known.
    pub fn waiting_for(&self) -> Option<&BTreeSet<Member>> {
        self.waiting.as_ref()
    }

    /// Takes an event into account, and says whether the revoke is in force.
    pub fn step(&mut self, now: Mono, event: Event<'_, R>) -> Option<InForce> {
        match event {
            Event::Folded(members) => self.fold(members),
            Event::NodeAck { member, seq } if seq >= self.seq => self.done(member),
            Event::NodeGone(member) => self.done(member),
            Event::NodeAck { .. } | Event::Tick => {}
        }
        let how = if self.waiting.as_ref().is_some_and(BTreeSet::is_empty) {
            How::Acked
        } else if now >= self.deadline {
            How::Expired
        } else {
            return None;
        };
        Some(InForce { seq: self.seq, how, waited: now.since(self.committed) })
    }

    fn fold(&mut self, members: &Membership<R>) {
        if self.waiting.is_none() {
            let acked = &self.acked;
            self.waiting = members
                .at(self.seq)
                .map(|members| members.filter(|member| !acked.contains(member)).collect());
        }
    }

    fn done(&mut self, member: Member) {
        match &mut self.waiting {
            Some(waiting) => {
                waiting.remove(&member);
            }
            None => {
                self.acked.insert(member);
            }
        }
    }
}
