//! The links to an authority's nodes: one as a rule, two while a verifier goes from one to another.
//!
//! ```text
//! Greeting ──Welcome──▶ Followed ──Leaving──▶ Leaving ──another node's lease──▶ Released ──▶ the stream's end
//! ```
//!
//! Another node is sought as soon as no link can be relied on: none is there, each node is about to end, or
//! none has granted a lease for half a lease. The links that are there go on meanwhile, and the first node
//! that grants is followed alone from then on.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::known::{LinkId, Say, Says};
use super::session::{Ended, Line};

/// How far a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The node has not answered the Hello yet.
    Greeting,
    /// Its node is followed.
    Followed,
    /// Its node is about to end.
    Leaving,
    /// The release is said, and on its way; nothing is taken in any more.
    Released {
        /// It is given up then, sent or not.
        until: Instant,
    },
}

pub(super) struct Link {
    pub(super) node: usize,
    pub(super) line: Line,
    pub(super) stage: Stage,
    pub(super) opened: Instant,
    /// Any sign of life.
    pub(super) heard: Instant,
    /// A sign that leases are to be had.
    pub(super) good: Instant,
}

/// All of them.
#[derive(Default)]
pub(super) struct Links(BTreeMap<LinkId, Link>);

impl Links {
    pub(super) fn open(&mut self, id: LinkId, node: usize, line: Line, now: Instant) {
        let stage = Stage::Greeting;
        self.0.insert(id, Link { node, line, stage, opened: now, heard: now, good: now });
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.0.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        self.0.remove(&id)
    }

    /// Those that count.
    fn live(&self) -> impl Iterator<Item = &Link> {
        self.0.values().filter(|link| !matches!(link.stage, Stage::Released { .. }))
    }

    /// How many there are that count.
    pub(super) fn count(&self) -> usize {
        self.live().count()
    }

    pub(super) fn has_node(&self, node: usize) -> bool {
        self.live().any(|link| link.node == node)
    }

    /// Whether one can be relied on: its node stays, and grants.
    pub(super) fn can_be_relied_on(&self, now: Instant, lease: Duration) -> bool {
        let is_good = |link: &Link| link.stage != Stage::Leaving && now < link.good + lease / 2;
        self.live().any(is_good)
    }

    /// Those that are silent for a whole lease, and those whose release took too long.
    pub(super) fn overdue(&self, now: Instant, lease: Duration) -> Vec<LinkId> {
        let over = self.0.iter().filter(|(_, link)| match link.stage {
            Stage::Released { until } => until <= now,
            _ => link.heard + lease <= now,
        });
        over.map(|(id, _)| *id).collect()
    }

    /// When time alone changes one of these answers next.
    pub(super) fn next_look(&self, now: Instant, lease: Duration) -> Option<Instant> {
        let looks = self.0.values().flat_map(|link| match link.stage {
            Stage::Released { until } => [until, until],
            _ => [link.heard + lease, link.good + lease / 2],
        });
        looks.filter(|at| *at > now).min()
    }

    /// Those whose node has not answered yet, but for this one.
    pub(super) fn greeting(&self, but: LinkId) -> Vec<LinkId> {
        let greeting =
            self.0.iter().filter(|(id, link)| **id != but && link.stage == Stage::Greeting);
        greeting.map(|(id, _)| *id).collect()
    }

    /// Says what is to be said. Answers whose connection takes nothing.
    pub(super) fn tell(&mut self, says: Says, released_until: Instant) -> Vec<(LinkId, Ended)> {
        let mut ended = Vec::new();
        for (id, say) in says {
            let Some(link) = self.0.get_mut(&id) else { continue };
            if let Err(why) = link.line.tell(say) {
                ended.push((id, why));
            } else if say == Say::Release {
                link.stage = Stage::Released { until: released_until };
            }
        }
        ended
    }
}
