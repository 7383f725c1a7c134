//! Whether this node may say anything now, and how far all nodes are.

use std::collections::BTreeSet;

use nt_feed::server::Feed;
use nt_revocation::protocol::How;
use nt_revocation::receipt::{Proven, Verifiers};
use tokio::sync::watch;

use crate::authority::Authority;
use crate::authority::cluster::join::shown;
use crate::authority::cluster::node::{Ending, Node};
use crate::authority::error::{Answer, Refusal};

impl Authority {
    /// This process as one of several nodes, where there may be several.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref().map(|running| running.node.as_ref())
    }

    /// Whether verdicts can be given and somebody new should come.
    pub fn is_ready(&self) -> bool {
        self.not_ready().is_none()
    }

    /// Why not, for people.
    pub fn not_ready(&self) -> Option<String> {
        let doubt = self.doubt.why().map(|why| format!("quarantine: {why}"));
        doubt.or_else(|| self.node().and_then(Node::not_serving))
    }

    /// Whether this node may answer "revoked": only under its lease.
    pub(super) fn serving(&self) -> Answer<()> {
        if self.doubt.is_there() || self.clock.boot() >= self.lease.end() {
            return Err(Refusal::NotServing.into());
        }
        Ok(())
    }

    /// The last entry that is in force at the verifiers of all nodes.
    pub(super) fn in_force_to(&self) -> watch::Receiver<u64> {
        match self.node() {
            Some(node) => node.everywhere().in_force(),
            None => Feed::complete(&self.feed),
        }
    }

    /// The other nodes that have not reported an entry, as listings name them.
    pub(super) fn other_nodes_waited_for(&self, seq: u64) -> BTreeSet<String> {
        let Some(node) = self.node() else { return BTreeSet::new() };
        let (me, waiting) = (node.me(), node.everywhere().waiting_for(seq));
        let others = waiting.into_iter().filter(|member| *member != me);
        others.map(|member| format!("node {}", shown(member))).collect()
    }

    /// How many nodes an entry had to be in force at.
    pub(super) fn nodes_at(&self, seq: u64) -> u32 {
        let settled = self.node().map(|node| node.everywhere().settled(seq));
        let nodes = match settled {
            None => 1,
            Some(Some(settled)) => settled.nodes,
            Some(None) => self.node().map_or(1, |node| node.everywhere().members()),
        };
        u32::try_from(nodes).unwrap_or(u32::MAX)
    }

    /// How it is known that an entry is in force.
    pub(super) fn proven_by(&self, seq: u64, verifiers: &Verifiers) -> Proven {
        let settled = self.node().and_then(|node| node.everywhere().settled(seq));
        let is_expired = settled.is_some_and(|settled| settled.how == How::Expired);
        if verifiers.cut_off.is_empty() && !is_expired { Proven::Acked } else { Proven::Expired }
    }

    /// Waits until this process has to end, whoever wants it to go on.
    pub async fn has_to_end(&self) -> Ending {
        match self.node() {
            Some(node) => node.has_to_end().await,
            None => std::future::pending().await,
        }
    }

    /// Begins to end in order: whoever is asked first learns that this node is not to be asked any
    /// more. Returns when no verifier has a lease of it.
    pub async fn leave(&self) {
        if let Some(node) = self.node() {
            node.leave().await;
        }
    }

    /// Ends this node's life, after the last answer.
    pub async fn end_node(&self) {
        if let Some(running) = &self.node {
            running.end().await;
        }
    }
}
