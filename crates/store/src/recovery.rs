//! What an operator decides when a database has lost a part of its history: which witnesses are
//! complete, and what is done where they are not.

use std::path::Path;

use nt_revocation::{Entry, Fact, Position};
use nt_token::EntryId;

use crate::audit::Act;
use crate::error::StoreError;
use crate::journal::read_journal;
use crate::node::KnownNode;

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

/// What a node's journal, or another node, knows of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witness {
    /// Its entries, in its order.
    pub entries: Vec<Entry>,
    /// The last position that it knows.
    pub last: Option<Position>,
}

impl Witness {
    /// Reads a journal, or a copy of one.
    pub fn read(journal: &Path) -> Result<Self, StoreError> {
        let mut witness = Self::default();
        read_journal(journal, |said| {
            if let Some((kind, body)) = said.entry {
                let (seq, id) = (said.position.seq, said.position.entry);
                witness.entries.push(Entry { seq, id, fact: Fact::read(kind, &body)? });
            }
            witness.last = Some(said.position);
            Ok(())
        })?;
        Ok(witness)
    }
}

/// What a database has, before it is recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Where its log ends.
    pub head: Position,
    /// Why nobody may rely on it, if somebody has found that out.
    pub doubt: Option<String>,
    /// Its nodes that are not gone.
    pub nodes: Vec<KnownNode>,
    /// What witnesses have, counts, and would be put back.
    pub missing: Vec<Entry>,
}

/// Whether somebody may still be under a lease that rests on the database before its recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeasesOut {
    /// They may run: a recovery waits for as long as any can.
    MayRun,
    /// They have all run out, the caller knows.
    HaveEnded,
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
