//! What an operator decides when a database has lost a part of its history: which witnesses are
//! complete, and what is done where they are not.

use nt_revocation::{Entry, Fact, Position};
use nt_token::EntryId;

use crate::audit::Act;

/// A recovery: what was kept becomes the beginning of a new epoch, and what witnesses know beside it
/// comes behind that.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The identity of the new epoch's first entry.
    pub entry: EntryId,
    /// What witnesses have, in their order: entries of nodes' journals. Those that the log has are
    /// passed over.
    pub witnessed: Vec<Entry>,
    /// The furthest positions that anybody is known to have seen: the new epoch is later than all of
    /// theirs, and its numbers are behind all of theirs.
    pub seen: Vec<Position>,
    /// Revokes all tokens that were issued before, by an entry with this identity: where no witness
    /// knows what was revoked.
    pub revoke_before: Option<EntryId>,
    /// Who recovers, and when.
    pub act: Act,
}

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Where the log ended before.
    pub from: Position,
    /// Where it ends now.
    pub to: Position,
    /// How many entries were put back.
    pub put_back: u64,
    /// How many tokens' records say since then that they are revoked.
    pub records: u64,
}

/// Whether an entry of a lost history counts in a new one. Who was a node then does not: the leases of
/// those have ended before anything is answered, and the nodes that there are join anew.
pub fn counts(fact: &Fact) -> bool {
    match fact {
        Fact::TokenRevoked { .. }
        | Fact::ScopeRevoked { .. }
        | Fact::KeyAdded { .. }
        | Fact::KeyRevoked { .. }
        | Fact::LeaseLengths { .. }
        | Fact::Horizon { .. } => true,
        Fact::NodeJoined { .. }
        | Fact::NodeFenced { .. }
        | Fact::NodeGone { .. }
        | Fact::EpochBegan { .. } => false,
    }
}
