//! Which entries of the log are in force at every node: the machines of the promise, one for each
//! batch of entries that is not in force yet.
//!
//! Only rules: no clock, no sockets. What is in force at an entry is so at all before it: whoever an
//! earlier entry waits for is waited for by a later one too or is gone, and its deadline is earlier.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol::{
    Change, Event, How, InForce, Incarnation, Lengths, Member, Membership, Mono, NodeId, Proof,
    Revoke,
};
use nt_revocation::{Entry, Fact};

/// So many of the last batches are remembered with how they came into force, for receipts.
const SETTLED_MAX: usize = 1_024;

/// How an entry came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The last entry of its batch.
    seq: u64,
    /// How it is known.
    pub how: How,
    /// How many nodes there were that might have granted a lease.
    pub nodes: usize,
}

struct Pending {
    revoke: Revoke,
    nodes: usize,
    in_force: Option<InForce>,
}

impl Pending {
    fn step(&mut self, now: Mono, event: Event<'_>) {
        let in_force = self.revoke.step(now, event);
        self.in_force = self.in_force.or(in_force);
    }
}

/// Everything that is waited for.
pub struct Waits {
    lengths: Lengths,
    members: Membership,
    /// Up to where each member reported everything complete.
    complete: BTreeMap<Member, u64>,
    /// By the last entry of each batch.
    pending: BTreeMap<u64, Pending>,
    settled: VecDeque<Settled>,
    in_force: u64,
}

impl Waits {
    /// Nothing is known yet.
    pub fn new(lengths: Lengths) -> Self {
        Self {
            lengths,
            members: Membership::new(),
            complete: BTreeMap::new(),
            pending: BTreeMap::new(),
            settled: VecDeque::new(),
            in_force: 0,
        }
    }

    /// Who could have granted a lease that still runs.
    pub fn members(&self) -> &Membership {
        &self.members
    }

    /// The last entry that is in force at every node, with all before it.
    pub fn in_force(&self) -> u64 {
        self.in_force
    }

    /// How this entry came into force, if that is not too long ago to be known.
    pub fn settled(&self, seq: u64) -> Option<Settled> {
        let at = self.settled.partition_point(|settled| settled.seq < seq);
        self.settled.get(at).copied().filter(|_| seq <= self.in_force)
    }

    /// When time alone may next bring something into force.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.pending.values().next().map(|pending| pending.revoke.deadline())
    }

    /// Which members an entry waits for.
    pub fn waiting_for(&self, seq: u64) -> Vec<Member> {
        let at = self.pending.range(seq..).next();
        let waiting = at.and_then(|(_, pending)| pending.revoke.waiting_for());
        waiting.into_iter().flatten().copied().collect()
    }

    /// Takes in what was read of the log at the start, which was committed before `now`.
    pub fn replay(&mut self, now: Mono, entries: &[Entry]) {
        for entry in entries {
            self.fold(now, entry);
        }
    }

    /// All that was read is waited for: another process may have appended it just now.
    pub fn replayed(&mut self, now: Mono, head: u64) {
        self.members.apply(head, now, None);
        self.begin(now, head);
        self.settle();
    }

    /// Takes in entries that were committed before `now`, by whatever node.
    pub fn note(&mut self, now: Mono, entries: &[Entry]) {
        for entry in entries {
            // Who joins after an entry of the same batch is not waited for by it.
            if matches!(entry.fact, Fact::NodeJoined { .. }) && self.members.seq() > 0 {
                self.begin(now, self.members.seq());
            }
            self.fold(now, entry);
        }
        if let Some(last) = entries.last() {
            self.begin(now, last.seq);
        }
        self.settle();
    }

    /// A member reports that all its verifiers know everything up to this entry, or are cut off.
    pub fn complete(&mut self, now: Mono, member: Member, seq: u64) {
        let known = self.complete.entry(member).or_default();
        let Some(first) = known.checked_add(1).filter(|first| *first <= seq) else { return };
        *known = seq;
        for pending in self.pending.range_mut(first..=seq).map(|(_, pending)| pending) {
            pending.step(now, Event::NodeAck { member, seq });
        }
        self.settle();
    }

    /// Time passed.
    pub fn tick(&mut self, now: Mono) {
        for pending in self.pending.values_mut() {
            if pending.revoke.deadline() > now {
                break;
            }
            pending.step(now, Event::Tick);
        }
        self.settle();
    }

    fn fold(&mut self, now: Mono, entry: &Entry) {
        let change = change(&entry.fact);
        self.members.apply(entry.seq, now, change);
        if let Some(Change::Gone(member)) = change {
            for pending in self.pending.values_mut() {
                pending.step(now, Event::NodeGone(member));
            }
            self.complete.remove(&member);
        }
    }

    fn begin(&mut self, now: Mono, seq: u64) {
        if seq <= self.in_force || self.pending.contains_key(&seq) {
            return;
        }
        let revoke = Revoke::new(seq, now, &self.members, &self.lengths);
        let nodes = revoke.waiting_for().map_or(0, BTreeSet::len);
        let mut pending = Pending { revoke, nodes, in_force: None };
        // Where nobody is waited for it is in force at once.
        pending.step(now, Event::Tick);
        for (member, complete) in &self.complete {
            pending.step(now, Event::NodeAck { member: *member, seq: *complete });
        }
        self.pending.insert(seq, pending);
    }

    fn settle(&mut self) {
        while let Some((seq, pending)) = self.pending.first_key_value()
            && let Some(InForce { how, .. }) = pending.in_force
        {
            let settled = Settled { seq: *seq, how, nodes: pending.nodes };
            self.in_force = settled.seq;
            self.settled.push_back(settled);
            self.pending.pop_first();
        }
        let surplus = self.settled.len().saturating_sub(SETTLED_MAX);
        self.settled.drain(..surplus);
    }
}

/// What an entry says of a member.
fn change(fact: &Fact) -> Option<Change> {
    let member = |node: u64, incarnation: u64| Member {
        node: NodeId(node),
        incarnation: Incarnation(incarnation),
    };
    match *fact {
        Fact::NodeJoined { node, incarnation } => Some(Change::Joined(member(node, incarnation))),
        Fact::NodeFenced { node, incarnation, proof } => {
            let proof = match proof {
                ProofOfDeath::None => Proof::Suspected,
                ProofOfDeath::LockTaken => Proof::Dead,
            };
            Some(Change::Fenced(member(node, incarnation), proof))
        }
        Fact::NodeGone { node, incarnation } => Some(Change::Gone(member(node, incarnation))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nt_revocation::protocol::time::kappa;
    use nt_token::EntryId;

    use super::*;

    const A: Member = Member { node: NodeId(1), incarnation: Incarnation(1) };
    const B: Member = Member { node: NodeId(2), incarnation: Incarnation(1) };
    const C: Member = Member { node: NodeId(3), incarnation: Incarnation(1) };

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    fn entry(seq: u64, fact: Fact) -> Entry {
        Entry { seq, id: EntryId([0; 16]), fact }
    }

    fn joined(seq: u64, member: Member) -> Entry {
        let Member { node, incarnation } = member;
        entry(seq, Fact::NodeJoined { node: node.0, incarnation: incarnation.0 })
    }

    fn fenced(seq: u64, member: Member) -> Entry {
        let Member { node, incarnation } = member;
        let proof = ProofOfDeath::None;
        entry(seq, Fact::NodeFenced { node: node.0, incarnation: incarnation.0, proof })
    }

    fn gone(seq: u64, member: Member) -> Entry {
        let Member { node, incarnation } = member;
        entry(seq, Fact::NodeGone { node: node.0, incarnation: incarnation.0 })
    }

    fn revoked(seq: u64) -> Entry {
        entry(seq, Fact::KeyRevoked { kid: "k".parse().expect("a key's identifier") })
    }

    /// Two members, and everything known to be complete up to 2.
    fn two() -> Waits {
        let mut waits = Waits::new(Lengths::default());
        waits.note(at(0), &[joined(1, A), joined(2, B)]);
        waits.complete(at(0), A, 2);
        waits.complete(at(0), B, 2);
        assert_eq!(waits.in_force(), 2);
        waits
    }

    fn floor_ms() -> u64 {
        u64::try_from(Lengths::default().floor().as_millis()).expect("short")
    }

    #[test]
    fn a_revoke_is_in_force_when_each_node_has_reported_it() {
        let mut waits = two();
        waits.note(at(1), &[revoked(3)]);
        waits.complete(at(2), A, 3);
        assert_eq!((waits.in_force(), waits.waiting_for(3)), (2, vec![B]));
        waits.complete(at(3), B, 3);
        assert_eq!(waits.in_force(), 3);
        let settled = waits.settled(3).expect("just now");
        assert_eq!((settled.how, settled.nodes), (How::Acked, 2));
    }

    #[test]
    fn a_report_that_came_before_the_entry_counts() {
        let mut waits = two();
        waits.complete(at(1), B, 4);
        waits.note(at(1), &[revoked(3), revoked(4)]);
        waits.complete(at(2), A, 4);
        assert_eq!(waits.in_force(), 4);
        assert_eq!(waits.settled(3).map(|settled| settled.seq), Some(4), "of one batch");
    }

    #[test]
    fn a_silent_node_is_waited_for_until_no_lease_of_before_can_run() {
        let mut waits = two();
        waits.note(at(0), &[revoked(3)]);
        waits.complete(at(0), A, 3);
        assert_eq!(waits.next_deadline(), Some(at(0).after(kappa(Duration::from_secs(10)))));
        waits.tick(at(floor_ms() - 1));
        assert_eq!(waits.in_force(), 2);
        waits.tick(at(floor_ms()));
        assert_eq!((waits.in_force(), waits.next_deadline()), (3, None));
        assert_eq!(waits.settled(3).map(|settled| settled.how), Some(How::Expired));
    }

    #[test]
    fn a_node_that_joins_after_a_revoke_is_not_waited_for_by_it() {
        for batches in
            [vec![vec![revoked(3), joined(4, C)]], vec![vec![revoked(3)], vec![joined(4, C)]]]
        {
            let mut waits = two();
            for batch in &batches {
                waits.note(at(1), batch);
            }
            waits.complete(at(2), A, 4);
            waits.complete(at(2), B, 4);
            assert_eq!(waits.in_force(), 3, "{batches:?}");
            assert_eq!(waits.settled(3).map(|settled| settled.nodes), Some(2));
            assert_eq!(waits.waiting_for(4), [C]);
        }
    }

    #[test]
    fn a_fence_ends_no_wait_and_being_gone_does() {
        let mut waits = two();
        waits.note(at(0), &[revoked(3)]);
        waits.note(at(1), &[fenced(4, B)]);
        waits.complete(at(1), A, 4);
        assert_eq!(waits.in_force(), 2);
        waits.note(at(2), &[gone(5, B)]);
        assert_eq!(waits.in_force(), 4);
        waits.complete(at(3), A, 5);
        assert_eq!(waits.in_force(), 5);
    }

    #[test]
    fn what_was_replayed_is_waited_for_as_if_it_came_now() {
        let mut waits = Waits::new(Lengths::default());
        waits.replay(at(0), &[joined(1, A), joined(2, B), gone(3, A), revoked(4)]);
        waits.replayed(at(0), 4);
        assert_eq!((waits.in_force(), waits.waiting_for(4)), (0, vec![B]));
        waits.complete(at(1), B, 4);
        assert_eq!(waits.in_force(), 4);
    }

    #[test]
    fn where_nobody_could_grant_anything_all_is_in_force() {
        let mut waits = Waits::new(Lengths::default());
        waits.replay(at(0), &[revoked(1)]);
        waits.replayed(at(0), 1);
        assert_eq!(waits.in_force(), 1);
    }
}
