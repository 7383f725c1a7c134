//! Who could have granted a lease that still runs: a fold over the log.
//!
//! A member is one incarnation of a node: what a node was before its restart may have leases out, and
//! its successor knows nothing of them.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::lease::Lengths;
use super::rules::{Rules, Sound};
use super::time::{Mono, kappa};

/// An authority node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// One life of a node, drawn at random when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// One life of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// Which node.
    pub node: NodeId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// What is known about the end of a fenced member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Nothing: it may still grant until its own lease is over.
    Suspected,
    /// It no longer runs (its file lock is held by its successor on the same host): it grants no
    /// more, and only its verifiers' leases are out.
    Dead,
}

/// What the log says about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It may grant from here on.
    Joined(Member),
    /// The database refuses its renewals from here on.
    Fenced(Member, Proof),
    /// None of its leases runs any more.
    Gone(Member),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Standing {
    joined: u64,
    /// When a fence was first seen, and when the first was that proves its end.
    fenced: Option<Mono>,
    dead: Option<Mono>,
}

/// The members at a point of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Membership<R: Rules = Sound> {
    seq: u64,
    members: BTreeMap<Member, Standing>,
    rules: PhantomData<R>,
}

impl<R: Rules> Default for Membership<R> {
    fn default() -> Self {
        Self { seq: 0, members: BTreeMap::new(), rules: PhantomData }
    }
}

impl<R: Rules> Membership<R> {
    /// Before the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The last entry that was taken into account.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Takes an entry into account; `None` for one that is about something else. `seen` is when it
    /// was seen here, after its commit, so a wait from there is never too short.
    pub fn apply(&mut self, seq: u64, seen: Mono, change: Option<Change>) {
        self.seq = self.seq.max(seq);
        match change {
            Some(Change::Joined(member)) => {
                if R::JOIN_FORGETS_OLD_INCARNATION {
                    self.members.retain(|other, _| other.node != member.node);
                }
                self.members.entry(member).or_insert(Standing {
                    joined: seq,
                    fenced: None,
                    dead: None,
                });
            }
            Some(Change::Fenced(member, proof)) => {
                if let Some(standing) = self.members.get_mut(&member) {
                    // A second fence says nothing new about when the renewals ended, but it may prove
                    // that the member ended since: who was suspected and is started anew is not waited
                    // for as long as who is only suspected.
                    standing.fenced.get_or_insert(seen);
                    if proof == Proof::Dead {
                        standing.dead.get_or_insert(seen);
                    }
                }
            }
            Some(Change::Gone(member)) => {
                self.members.remove(&member);
            }
            None => {}
        }
    }

    /// The members that an entry at `seq` has to wait for, or `None` while the log is not known here
    /// up to it: somebody may have joined in between.
    pub fn at(&self, seq: u64) -> Option<impl Iterator<Item = Member> + '_> {
        (R::MEMBERS_BEFORE_COMMIT || self.seq >= seq).then(|| {
            let before = move |(_, standing): &(&Member, &Standing)| standing.joined <= seq;
            self.members.iter().filter(before).map(|(member, _)| *member)
        })
    }

    /// Everybody who is not gone.
    pub fn members(&self) -> impl Iterator<Item = Member> + '_ {
        self.members.keys().copied()
    }

    /// Earlier lives of the same node: what a node that starts on the same host may fence as dead.
    pub fn earlier(&self, me: Member) -> impl Iterator<Item = Member> + '_ {
        self.members().filter(move |other| other.node == me.node && *other != me)
    }

    /// The fenced members that may be declared gone by now: none of their leases can run any more.
    pub fn ended(&self, now: Mono, lengths: &Lengths) -> Vec<Member> {
        let ended = |standing: &Standing| {
            if R::GONE_AT_ONCE {
                return true;
            }
            let over = |seen: Option<Mono>, longest| {
                seen.is_some_and(|seen| now >= seen.after(kappa(longest)))
            };
            over(standing.fenced, lengths.node) || over(standing.dead, lengths.verifier)
        };
        self.members
            .iter()
            .filter(|(_, standing)| ended(standing))
            .map(|(member, _)| *member)
            .collect()
    }
}
