//! The nodes of the authority.

use nt_revocation::Fact;
use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol::Member;
use nt_token::EntryId;

use super::state::State;
use crate::error::StoreError;
use crate::node::{End, KnownNode, NewNode, Renewal, Renewed, Standing};

impl State {
    pub(super) fn nodes(&self) -> Vec<KnownNode> {
        self.nodes.values().cloned().collect()
    }

    pub(super) fn join(&mut self, new: NewNode, entry: EntryId) -> Result<u64, StoreError> {
        let Member { node, incarnation } = new.member;
        let fact = Fact::NodeJoined { node: node.0, incarnation: incarnation.0 };
        self.may_append(entry, &fact)?;
        if self.nodes.contains_key(&new.member) || self.gone_nodes.contains(&new.member) {
            return Err(StoreError::Database("such a node is there".to_owned()));
        }
        let goes_on = |known: &KnownNode| {
            known.member.node == new.member.node && known.standing == Standing::Active
        };
        if self.nodes.values().any(goes_on) {
            return Err(StoreError::Database("another life of this node goes on".to_owned()));
        }
        let known = KnownNode {
            member: new.member,
            address: new.address,
            home: new.home,
            version: new.version,
            standing: Standing::Active,
            renewals: 0,
            acked: 0,
            last_seen: new.at,
        };
        self.nodes.insert(known.member, known);
        Ok(self.append(entry, fact))
    }

    pub(super) fn renew(&mut self, renewal: Renewal) -> Renewed {
        let head = self.head().seq;
        let asking = self.nodes.get_mut(&renewal.member);
        let right = |node: &&mut KnownNode| {
            node.standing == Standing::Active && node.renewals == renewal.renewals
        };
        let Some(node) = asking.filter(right) else { return Renewed::Refused };
        node.renewals += 1;
        node.acked = renewal.acked;
        node.last_seen = renewal.at;
        Renewed::Granted { head }
    }

    pub(super) fn fence(
        &mut self,
        member: Member,
        proof: ProofOfDeath,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        let Member { node, incarnation } = member;
        let fact = Fact::NodeFenced { node: node.0, incarnation: incarnation.0, proof };
        self.may_append(entry, &fact)?;
        let active = |node: &&mut KnownNode| node.standing == Standing::Active;
        let Some(node) = self.nodes.get_mut(&member).filter(active) else { return Ok(None) };
        node.standing = Standing::Fenced;
        Ok(Some(self.append(entry, fact)))
    }

    pub(super) fn gone(
        &mut self,
        member: Member,
        end: End,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        let Member { node, incarnation } = member;
        let fact = Fact::NodeGone { node: node.0, incarnation: incarnation.0 };
        self.may_append(entry, &fact)?;
        let from = match end {
            End::Left => Standing::Active,
            End::RanOut => Standing::Fenced,
        };
        if self.nodes.get(&member).is_none_or(|node| node.standing != from) {
            return Ok(None);
        }
        self.nodes.remove(&member);
        self.gone_nodes.insert(member);
        Ok(Some(self.append(entry, fact)))
    }
}
