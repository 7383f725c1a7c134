//! The log's entries and their bytes.
//!
//! ```text
//! entry   seq u64 │ entry id 16 bytes │ kind u16 │ body
//!
//! kind 1  token revoked   list u32 │ idx u32 │ exp i64 │ JTI, the rest as ASCII
//! kind 2  scope revoked   of u8 │ id length u8 │ id │ n × (list u32 │ idx u32), n ≤ 64, the exceptions
//! kind 3  key added       kid length u8 │ kid │ JWK, the rest as JSON
//! kind 4  key revoked     kid, the rest as ASCII
//! kind 5  node joined     node u64 │ incarnation u64
//! kind 6  node fenced     node u64 │ incarnation u64 │ proof of death u8: 0 none, 1 its lock was taken
//! kind 7  node gone       node u64 │ incarnation u64
//! kind 8  lease lengths   node's ms u32 │ verifier's ms u32
//! kind 9  horizon         exp i64: no token with this exp or an earlier one counts
//! kind 10 epoch began     epoch u64 │ after u64 │ entry id 16 bytes
//!
//! of      1 workspace: its UUID, 16 bytes · 2 operator: its ID · 3 all: nothing · 4 member: UUID, then ID
//! ```
//!
//! Numbers are big-endian. An unknown kind is an error: whoever cannot read an entry cannot know what
//! it revoked, and must refuse rather than pass over it. How entries travel is drawn in [`run`].
//!
//! Within an epoch numbers are dense. The first entry of the next leaps, and says over what:
//!
//! ```text
//! … 98 │ 99 │ 100 ──▶ 100 + 2³² + 1: epoch 2 began after 100 │ + 2 │ + 3 …
//!             └──▶ 101 … 105: lost; no number of these is used again
//! ```

mod body;
pub mod run;
#[cfg(test)]
mod tests;

use nt_token::{EntryId, Jti, KeyId, OperatorId, Place, Timestamp, WorkspaceId};

pub use self::run::BadRun;

/// Whose tokens a scope revocation covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeOf {
    /// All of a workspace.
    Workspace(WorkspaceId),
    /// All that an operator had issued.
    Operator(OperatorId),
    /// All that an operator had issued for one workspace.
    Member(WorkspaceId, OperatorId),
    /// All of the authority.
    All,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// One token no longer counts.
    TokenRevoked {
        /// Its place in the set.
        place: Place,
        /// Its identifier, for people and for witnesses; the place is what counts.
        jti: Jti,
        /// When it would have ended: after that the entry may be forgotten.
        exp: Timestamp,
    },
    /// No token of a scope that was issued before this entry counts, but for the exceptions.
    ScopeRevoked {
        /// Whose tokens.
        scope: ScopeOf,
        /// At most [`Fact::EXCEPT_MAX`] tokens that go on counting.
        except: Vec<Place>,
    },
    /// From here on the authority may sign with this key.
    KeyAdded {
        /// The key's identifier.
        kid: KeyId,
        /// Its public half (RFC 7517), as JSON.
        jwk: String,
    },
    /// Nothing that this key signed counts.
    KeyRevoked {
        /// The key's identifier.
        kid: KeyId,
    },
    /// A node may grant leases from here on: revokes wait for it.
    NodeJoined {
        /// The node.
        node: u64,
        /// Which of its lives; a node that lost its lease comes back with another.
        incarnation: u64,
    },
    /// A node gets no more leases; what it granted may still run.
    NodeFenced {
        /// The node.
        node: u64,
        /// Which of its lives.
        incarnation: u64,
        /// Whether anybody knows that it is dead, which shortens the wait.
        proof: ProofOfDeath,
    },
    /// Nothing that a node granted can still run: revokes no longer wait for it.
    NodeGone {
        /// The node.
        node: u64,
        /// Which of its lives.
        incarnation: u64,
    },
    /// How long leases last from here on.
    LeaseLengths {
        /// A node's, in milliseconds.
        node_ms: u32,
        /// A verifier's, in milliseconds.
        verifier_ms: u32,
    },
    /// What was revoked of old tokens may be forgotten, since by this rule none of them counts.
    Horizon {
        /// Every token that ends at this time or before it is refused, whatever a clock says.
        through: Timestamp,
    },
    /// A history was lost, and put together again by an operator. Whoever stands where it was kept up
    /// to goes on from here; anybody else knows what is not in it, or not all of it.
    EpochBegan {
        /// The epoch that begins.
        epoch: u64,
        /// The last number of the history that was kept; 0 if none was.
        after: u64,
        /// The identity of the entry there; all zeros if there is none.
        entry: EntryId,
    },
}

impl Fact {
    /// Whether it says of more than one token that it does not count.
    pub fn is_about_many(&self) -> bool {
        matches!(self, Self::ScopeRevoked { .. } | Self::KeyRevoked { .. } | Self::Horizon { .. })
    }
}

/// What is known of a fenced node's death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofOfDeath {
    /// Nothing: it may be alive and cut off.
    None,
    /// Its process has ended: another on its host holds its file lock.
    LockTaken,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number: one more than that of the entry before, but for one that begins an epoch
    /// ([`crate::log::first_of_epoch`]).
    pub seq: u64,
    /// Its random identity.
    pub id: EntryId,
    /// What it says.
    pub fact: Fact,
}

/// Bytes that are not an entry of a kind that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownEntry {
    /// Written by a later version.
    #[error("log entry of unknown kind {0}")]
    Kind(u16),
    /// Not the body of its kind.
    #[error("log entry of kind {0} with a malformed body")]
    Body(u16),
}
