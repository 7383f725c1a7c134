//! The leases of a verifier that follows several nodes, as it does while it goes from one to another.
//!
//! ```text
//! link 1  ──grants──▶ ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓│ end 1          published: the latest end of all that are relied on
//! link 2  ──grants──▶      ▓▓▓▓▓▓▓▓▓▓▓│ end 2          moving to 2: publish end 2, then Release to 1
//! ```
//!
//! Each node waits for what it granted itself. So the verifier may say "good" for as long as any of its
//! leases lasts, but for none that it has released: before that is said, the end that is published rests
//! on the others alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lease::Lengths;
use super::rules::{Rules, Sound};
use super::time::{Boot, Now};
use super::verifier::{VerifierInput, VerifierLease, VerifierOutput};

/// What a verifier has to do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkOutput<L> {
    /// Ask this node for a lease. Its time runs from this step on.
    Renew {
        /// Whom.
        link: L,
        /// To be given back with the grant.
        nonce: u64,
        /// Everything up to here is applied.
        acked: u64,
    },
    /// Tell this node that everything up to here is applied.
    Ack {
        /// Whom.
        link: L,
        /// Up to where.
        seq: u64,
    },
    /// Publish the lease's new end, which is later than before.
    LeaseUntil(Boot),
    /// Publish the lease's new end, which is earlier than before: every check that starts after this
    /// sees it.
    LeaseOnlyUntil(Boot),
    /// Publish that there is no lease: refuse until there is one again.
    LeaseOver,
    /// Tell this node that its lease is relied on no longer. Only after what stands before this was
    /// published.
    Release(L),
}

/// The machine. `L` names a link: one session with one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Leases<L: Ord + Copy, R: Rules = Sound> {
    lengths: Lengths,
    applied: u64,
    links: BTreeMap<L, VerifierLease<R>>,
    /// The end of what was granted over links that broke: their nodes wait for it.
    broken: Option<Boot>,
    published: Option<Boot>,
}

impl<L: Ord + Copy, R: Rules> Leases<L, R> {
    /// A verifier that has applied the log up to `applied`, and has neither links nor leases.
    pub fn new(lengths: Lengths, applied: u64) -> Self {
        Self { lengths, applied, links: BTreeMap::new(), broken: None, published: None }
    }

    /// How long leases last.
    pub fn lengths(&self) -> Lengths {
        self.lengths
    }

    /// Until when it may say "good"; `None` for not at all.
    pub fn end(&self) -> Option<Boot> {
        self.published
    }

    /// Whether this link's own lease lasts.
    pub fn lasts(&self, link: L, now: Boot) -> bool {
        self.links.get(&link).is_some_and(|lease| lease.lasts(now))
    }

    /// When the next renewal is due; `None` without links.
    pub fn renew_at(&self) -> Option<Boot> {
        self.links.values().filter_map(VerifierLease::renew_at).min()
    }

    /// A session stands: asks for a lease at once. `nonces_from` is drawn at random for each.
    pub fn open(&mut self, now: Now, link: L, nonces_from: u64) -> Vec<LinkOutput<L>> {
        self.links.insert(link, VerifierLease::new(self.lengths, self.applied, nonces_from));
        self.step(now, link, VerifierInput::Connected)
    }

    /// Time passed; at least each Lv / 4.
    pub fn tick(&mut self, now: Now) -> Vec<LinkOutput<L>> {
        self.step_all(now, |_| VerifierInput::Tick)
    }

    /// Every look-up that starts from now on, on any thread, sees everything up to here. Asks again for
    /// the leases that could not be had before.
    pub fn applied(&mut self, now: Now, seq: u64) -> Vec<LinkOutput<L>> {
        self.applied = self.applied.max(seq);
        let mut outputs = self.step_all(now, |_| VerifierInput::Applied(seq));
        let without = self.links.iter().filter(|(_, lease)| !lease.lasts(now.boot));
        let without: Vec<L> = without.map(|(link, _)| *link).collect();
        for link in without {
            outputs.extend(self.step(now, link, VerifierInput::Connected));
        }
        outputs
    }

    /// A node answered a renewal.
    pub fn granted(
        &mut self,
        now: Now,
        link: L,
        nonce: u64,
        length: Duration,
        min: u64,
    ) -> Vec<LinkOutput<L>> {
        self.step(now, link, VerifierInput::Granted { nonce, length, min })
    }

    /// Relies on this link alone from here on, and releases all others. Nothing, if it has no lease.
    pub fn move_to(&mut self, now: Now, link: L) -> Vec<LinkOutput<L>> {
        if !self.lasts(link, now.boot) || self.links.len() < 2 {
            return Vec::new();
        }
        let others: Vec<L> = self.links.keys().copied().filter(|other| *other != link).collect();
        self.links.retain(|other, _| *other == link);
        let mut outputs = Vec::new();
        self.publish(&mut outputs);
        outputs.extend(others.into_iter().map(LinkOutput::Release));
        outputs
    }

    /// A link broke. That releases nothing, so its lease may be relied on until its end.
    pub fn broke(&mut self, link: L) {
        let lost = self.links.remove(&link).and_then(|lease| lease.end());
        self.broken = self.broken.max(lost);
    }

    /// What is known here can no longer be trusted.
    pub fn give_up(&mut self, now: Now) -> Vec<LinkOutput<L>> {
        self.drop_all(now);
        vec![LinkOutput::LeaseOver]
    }

    /// This verifier ends in order.
    pub fn leave(&mut self, now: Now) -> Vec<LinkOutput<L>> {
        let mut outputs = self.give_up(now);
        let links = std::mem::take(&mut self.links);
        outputs.extend(links.into_keys().map(LinkOutput::Release));
        outputs
    }

    /// Another epoch, or other lengths: grants that are on their way count no more, and new ones are
    /// asked for. Those that are relied on last until their end.
    pub fn begin_anew(
        &mut self,
        now: Now,
        lengths: Lengths,
        mut nonces_from: impl FnMut() -> u64,
    ) -> Vec<LinkOutput<L>> {
        self.lengths = lengths;
        for lease in self.links.values_mut() {
            lease.begin_anew(lengths, nonces_from());
        }
        self.step_all(now, |_| VerifierInput::Connected)
    }

    fn step_all(&mut self, now: Now, input: impl Fn(L) -> VerifierInput) -> Vec<LinkOutput<L>> {
        let links: Vec<L> = self.links.keys().copied().collect();
        links.into_iter().flat_map(|link| self.step(now, link, input(link))).collect()
    }

    fn step(&mut self, now: Now, link: L, input: VerifierInput) -> Vec<LinkOutput<L>> {
        let Some(lease) = self.links.get_mut(&link) else { return Vec::new() };
        let mut outputs = Vec::new();
        for output in lease.step(now, input) {
            match output {
                VerifierOutput::Renew { nonce, acked } => {
                    outputs.push(LinkOutput::Renew { link, nonce, acked });
                }
                VerifierOutput::Ack(seq) => outputs.push(LinkOutput::Ack { link, seq }),
                VerifierOutput::LeaseUntil(_) => self.publish(&mut outputs),
                // The machine stood still, and every lease with it.
                VerifierOutput::LeaseOver => {
                    self.drop_all(now);
                    outputs.push(LinkOutput::LeaseOver);
                }
                VerifierOutput::Release => outputs.push(LinkOutput::Release(link)),
            }
        }
        outputs
    }

    fn drop_all(&mut self, now: Now) {
        for lease in self.links.values_mut() {
            lease.step(now, VerifierInput::GiveUp);
        }
        (self.broken, self.published) = (None, None);
    }

    /// The end is that of all that is relied on.
    fn publish(&mut self, outputs: &mut Vec<LinkOutput<L>>) {
        let end = self.links.values().map(VerifierLease::end).max().flatten().max(self.broken);
        let before = std::mem::replace(&mut self.published, end);
        outputs.extend(match end {
            _ if end == before => None,
            None => Some(LinkOutput::LeaseOver),
            Some(end) if Some(end) > before => Some(LinkOutput::LeaseUntil(end)),
            Some(end) => Some(LinkOutput::LeaseOnlyUntil(end)),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{Mono, Wall};

    fn at(ms: u64) -> Now {
        let nanos = ms * 1_000_000;
        Now { boot: Boot::from_nanos(nanos), mono: Mono(nanos), wall: Wall(nanos) }
    }

    const LENGTH: Duration = Duration::from_secs(2);

    /// A verifier with two links, asked for at 0 and at 100 ms; their first nonces are 10 and 20.
    fn two() -> Leases<u8> {
        let mut leases = Leases::new(Lengths::default(), 5);
        let asked = leases.open(at(0), 1, 10);
        assert_eq!(asked, [LinkOutput::Renew { link: 1, nonce: 10, acked: 5 }]);
        leases.open(at(100), 2, 20);
        leases
    }

    #[test]
    fn the_latest_lease_of_all_links_counts() {
        let mut leases = two();
        let until = |ms| [LinkOutput::LeaseUntil(at(ms).boot)];
        assert_eq!(leases.granted(at(101), 2, 20, LENGTH, 5), until(2_100));
        assert_eq!(leases.granted(at(102), 1, 10, LENGTH, 5), [], "ends earlier");
        assert_eq!(leases.granted(at(103), 2, 10, LENGTH, 5), [], "another link's");
        assert_eq!(leases.end(), Some(at(2_100).boot));
    }

    #[test]
    fn what_is_released_is_relied_on_no_longer_when_that_is_said() {
        let mut leases = two();
        leases.granted(at(101), 1, 10, LENGTH, 5);
        assert_eq!(leases.move_to(at(102), 2), [], "without a lease nobody moves");
        // The other node's own lease is nearly over.
        leases.granted(at(103), 2, 20, Duration::from_millis(500), 5);
        let moved = leases.move_to(at(104), 2);
        assert_eq!(moved, [LinkOutput::LeaseOnlyUntil(at(600).boot), LinkOutput::Release(1)]);
        assert_eq!(leases.granted(at(105), 1, 11, LENGTH, 5), [], "of a node that was released");
        assert_eq!(leases.end(), Some(at(600).boot));
    }

    #[test]
    fn a_later_lease_is_no_reason_to_lower_anything() {
        let mut leases = two();
        leases.granted(at(101), 1, 10, LENGTH, 5);
        leases.granted(at(103), 2, 20, LENGTH, 5);
        assert_eq!(leases.move_to(at(104), 2), [LinkOutput::Release(1)]);
    }

    #[test]
    fn a_link_that_broke_is_relied_on_until_its_lease_ends() {
        let mut leases = two();
        leases.granted(at(101), 1, 10, LENGTH, 5);
        leases.broke(1);
        assert_eq!(leases.end(), Some(at(2_000).boot));
        leases.granted(at(103), 2, 20, Duration::from_millis(500), 5);
        assert_eq!(leases.move_to(at(104), 2), [], "nobody else is there to be released");
        assert_eq!(leases.end(), Some(at(2_000).boot));
    }

    #[test]
    fn what_is_applied_is_acknowledged_on_every_link() {
        let mut leases = two();
        leases.granted(at(101), 1, 10, LENGTH, 5);
        let acks = leases.applied(at(102), 6);
        let ack = |link| LinkOutput::Ack { link, seq: 6 };
        let asked = LinkOutput::Renew { link: 2, nonce: 21, acked: 6 };
        assert_eq!(acks, [ack(1), ack(2), asked], "and the lease that is missing is asked for");
    }

    #[test]
    fn a_machine_that_stood_still_gives_up_every_lease() {
        let mut leases = two();
        leases.granted(at(101), 1, 10, LENGTH, 5);
        let thawed = Now { wall: at(60_000).wall, ..at(102) };
        let outputs = leases.granted(thawed, 2, 20, LENGTH, 5);
        assert_eq!(outputs, [LinkOutput::LeaseOver]);
        assert_eq!(leases.end(), None);
        leases.broke(1);
        assert_eq!(leases.end(), None);
    }

    #[test]
    fn a_verifier_that_leaves_ends_its_lease_before_it_says_so_everywhere() {
        let mut leases = two();
        leases.granted(at(101), 1, 10, LENGTH, 5);
        let left = leases.leave(at(102));
        assert_eq!(left, [LinkOutput::LeaseOver, LinkOutput::Release(1), LinkOutput::Release(2)]);
        assert_eq!((leases.end(), leases.renew_at()), (None, None));
    }

    #[test]
    fn in_a_new_epoch_grants_on_their_way_count_no_more_and_those_that_are_held_do() {
        let mut leases = two();
        leases.granted(at(101), 1, 10, LENGTH, 5);
        let asked = leases.begin_anew(at(102), Lengths::default(), || 70);
        let renew = |link| LinkOutput::Renew { link, nonce: 70, acked: 5 };
        assert_eq!(asked, [renew(1), renew(2)]);
        assert_eq!(leases.granted(at(103), 2, 20, LENGTH, 5), []);
        assert_eq!(leases.end(), Some(at(2_000).boot));
    }

    proptest! {
        #[test]
        fn what_is_published_always_rests_on_a_grant_that_was_not_released(
            steps in prop::collection::vec((0_u8..7, 0_u8..4, 0_u64..700, 1_u64..2_000), 0..60)
        ) {
            let mut leases: Leases<u8> = Leases::new(Lengths::default(), 0);
            let (mut now, mut next_link) = (0, 0_u8);
            // What the nodes know: who asked when, and until when they wait for whom.
            let mut asked: Vec<(u8, u64, Boot)> = Vec::new();
            let mut owed: BTreeMap<u8, Boot> = BTreeMap::new();
            let mut published: Option<Boot> = None;
            for (step, which, passed, length) in steps {
                now += passed;
                let here = at(now);
                let outputs = match step {
                    0 => {
                        next_link += 1;
                        leases.open(here, next_link, u64::from(next_link) * 1_000)
                    }
                    1 => leases.tick(here),
                    2 | 3 if !asked.is_empty() => {
                        let (link, nonce, begun) = asked.swap_remove(usize::from(which) % asked.len());
                        let length = Duration::from_millis(length);
                        let end = owed.entry(link).or_default();
                        *end = begun.after(length).max(*end);
                        leases.granted(here, link, nonce, length, 0)
                    }
                    4 => leases.move_to(here, next_link.saturating_sub(which)),
                    5 => {
                        leases.broke(next_link.saturating_sub(which));
                        Vec::new()
                    }
                    6 if which == 0 => leases.give_up(here),
                    _ => Vec::new(),
                };
                for output in outputs {
                    match output {
                        LinkOutput::Renew { link, nonce, .. } => asked.push((link, nonce, here.boot)),
                        LinkOutput::Ack { .. } => {}
                        LinkOutput::LeaseUntil(end) => {
                            prop_assert!(Some(end) > published);
                            published = Some(end);
                        }
                        LinkOutput::LeaseOnlyUntil(end) => {
                            prop_assert!(Some(end) < published);
                            published = Some(end);
                        }
                        LinkOutput::LeaseOver => published = None,
                        LinkOutput::Release(link) => {
                            owed.remove(&link);
                        }
                    }
                    let waited_for = owed.values().copied().max();
                    prop_assert!(published <= waited_for, "{published:?} {waited_for:?}");
                }
                prop_assert_eq!(published, leases.end());
            }
        }
    }
}
