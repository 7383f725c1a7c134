//! Which node is tried next, and when: one after the other without a pause, and a pause only when all of
//! them were tried.

use std::time::Duration;

use tokio::time::Instant;

use super::{RETRY_EACH, jittered};

pub(super) struct Rounds {
    nodes: usize,
    /// The node that is tried next.
    next: usize,
    /// How many were of no use since one was.
    tried: usize,
    /// How many rounds there were of that.
    over: u32,
    /// How long to wait after this round.
    pause: Duration,
    next_round: Instant,
}

impl Rounds {
    /// Begins with this node of so many.
    pub(super) fn new(nodes: usize, first: usize, now: Instant) -> Self {
        Self { nodes, next: first, tried: 0, over: 0, pause: RETRY_EACH, next_round: now }
    }

    /// The node to be tried now, of those that are not followed already.
    pub(super) fn next(&mut self, now: Instant, follows: impl Fn(usize) -> bool) -> Option<usize> {
        if now < self.next_round {
            return None;
        }
        let mut all = (0..self.nodes).map(|ahead| (self.next + ahead) % self.nodes);
        let node = all.find(|node| !follows(*node))?;
        self.next = (node + 1) % self.nodes;
        Some(node)
    }

    /// Whether another can be reached in the time that one takes: then it must not take long.
    pub(super) fn is_quick(&self) -> bool {
        self.nodes > 1 && self.over == 0
    }

    /// When the next round begins, if that is ahead.
    pub(super) fn begins(&self, now: Instant) -> Option<Instant> {
        Some(self.next_round).filter(|at| *at > now)
    }

    /// A node that was tried is of use.
    pub(super) fn succeeded(&mut self) {
        (self.tried, self.over) = (0, 0);
    }

    /// One was of no use, or is no longer; so many are followed still. The pause after this round is at
    /// least this long.
    pub(super) fn failed(&mut self, followed: usize, pause: Duration, now: Instant) {
        self.pause = self.pause.max(pause);
        self.tried += 1;
        if self.tried + followed >= self.nodes {
            let pause = std::mem::replace(&mut self.pause, RETRY_EACH);
            self.next_round = now + jittered(pause);
            (self.tried, self.over) = (0, self.over.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::RETRY_REFUSED;

    #[test]
    fn there_is_a_pause_only_when_all_nodes_were_tried() {
        let now = Instant::now();
        let mut rounds = Rounds::new(3, 1, now);
        let mut tried = Vec::new();
        while let Some(node) = rounds.next(now, |_| false) {
            tried.push(node);
            assert!(rounds.is_quick());
            rounds.failed(0, RETRY_EACH, now);
        }
        assert_eq!(tried, [1, 2, 0]);
        let again = rounds.begins(now).expect("a pause");
        assert!(again >= now + RETRY_EACH / 2 && again <= now + RETRY_EACH * 2);
        assert!(!rounds.is_quick());
        assert_eq!(rounds.next(again, |_| false), Some(1));
        rounds.succeeded();
        assert!(rounds.is_quick());
    }

    #[test]
    fn a_node_that_is_followed_still_is_not_tried_and_not_waited_for() {
        let now = Instant::now();
        let mut rounds = Rounds::new(3, 0, now);
        for expected in [1, 2] {
            assert_eq!(rounds.next(now, |node| node == 0), Some(expected));
            rounds.failed(1, RETRY_EACH, now);
        }
        assert!(rounds.begins(now).is_some());
        assert_eq!(Rounds::new(1, 0, now).next(now, |node| node == 0), None);
    }

    #[test]
    fn the_longest_pause_of_a_round_counts_and_for_that_round_alone() {
        let now = Instant::now();
        let mut rounds = Rounds::new(2, 0, now);
        rounds.failed(0, RETRY_REFUSED, now);
        rounds.failed(0, RETRY_EACH, now);
        assert!(rounds.begins(now).expect("a pause") >= now + RETRY_REFUSED / 2);
        rounds.failed(0, RETRY_EACH, now);
        rounds.failed(0, RETRY_EACH, now);
        assert!(rounds.begins(now).expect("a pause") <= now + RETRY_EACH * 2);
    }
}
