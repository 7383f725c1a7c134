//! Whom to suspect: a node whose renewals stand still.
//!
//! Only rules: no clock, no database. Being wrong costs the suspected node its lease and nobody their
//! safety: it notices at its next renewal, and comes back in another life.

use std::collections::BTreeMap;
use std::time::Duration;

use nt_revocation::protocol::{Lengths, Member, Mono};
use nt_store::{KnownNode, Standing};

#[derive(Debug, Clone, Copy)]
struct Watched {
    renewals: u64,
    /// For how long the counter was seen to stand still.
    still: Duration,
}

/// What was seen of the other nodes' renewals.
#[derive(Debug)]
pub struct Suspicion {
    lengths: Lengths,
    looked: Option<Mono>,
    watched: BTreeMap<Member, Watched>,
}

impl Suspicion {
    /// Nobody was looked at yet.
    pub fn new(lengths: Lengths) -> Self {
        Self { lengths, looked: None, watched: BTreeMap::new() }
    }

    /// How often to look.
    pub fn looks_each(lengths: &Lengths) -> Duration {
        (lengths.node / 10).min(Duration::from_secs(1))
    }

    /// Looks at what the database says of the nodes; answers who is to be fenced. That the database
    /// could not be asked for a while says nothing of anybody: nobody could renew then.
    pub fn look(&mut self, now: Mono, me: Member, nodes: &[KnownNode]) -> Vec<Member> {
        let since = self.looked.replace(now).map_or(Duration::ZERO, |looked| now.since(looked));
        let since = since.min(Self::looks_each(&self.lengths) * 2);
        let active = |node: &&KnownNode| node.standing == Standing::Active && node.member != me;
        let mut watched = BTreeMap::new();
        let mut suspected = Vec::new();
        for node in nodes.iter().filter(active) {
            let before = self.watched.get(&node.member);
            let still = before
                .filter(|before| before.renewals == node.renewals)
                .map_or(Duration::ZERO, |before| before.still + since);
            watched.insert(node.member, Watched { renewals: node.renewals, still });
            // One renewal more than the lease itself lasts.
            if still >= self.lengths.node + self.lengths.node_renews_each() {
                suspected.push(node.member);
            }
        }
        self.watched = watched;
        suspected
    }
}

#[cfg(test)]
mod tests {
    use nt_revocation::protocol::{Incarnation, NodeId};
    use nt_store::Home;
    use nt_token::Timestamp;

    use super::*;

    fn node(number: u64, renewals: u64, standing: Standing) -> KnownNode {
        KnownNode {
            member: Member { node: NodeId(number), incarnation: Incarnation(1) },
            address: "http://127.0.0.1:1".to_owned(),
            home: Home([0; 16]),
            version: "1".to_owned(),
            standing,
            renewals,
            acked: 0,
            last_seen: Timestamp::from_unix(0),
        }
    }

    /// Looks each second; answers after how many looks somebody was suspected.
    fn suspected_after(
        renewals: impl Fn(u64) -> u64,
        seconds: impl Iterator<Item = u64>,
    ) -> Option<u64> {
        let mut suspicion = Suspicion::new(Lengths::default());
        let me = node(1, 0, Standing::Active);
        for second in seconds {
            let other = node(2, renewals(second), Standing::Active);
            let now = Mono(second * 1_000_000_000);
            let found = suspicion.look(now, me.member, &[me.clone(), other.clone()]);
            if found == [other.member] {
                return Some(second);
            }
            assert_eq!(found, [], "never itself");
        }
        None
    }

    #[test]
    fn a_node_that_does_not_renew_is_suspected_after_its_lease_and_one_renewal_more() {
        assert_eq!(suspected_after(|_| 7, 0..100), Some(12));
        assert_eq!(suspected_after(|second| second / 11, 0..100), None, "it goes on");
    }

    #[test]
    fn the_time_in_which_the_database_could_not_be_asked_counts_for_nothing() {
        assert_eq!(suspected_after(|_| 7, (0..5).chain(100..200)), Some(106));
    }

    #[test]
    fn who_is_fenced_already_is_not_fenced_again() {
        let mut suspicion = Suspicion::new(Lengths::default());
        let me = node(1, 0, Standing::Active).member;
        for second in 0..100 {
            let other = node(2, 7, Standing::Fenced);
            assert_eq!(suspicion.look(Mono(second * 1_000_000_000), me, &[other]), []);
        }
    }
}
