//! What a node is told, what it has to do, and what it can be asked. No behaviour.

use std::time::Duration;

use super::time::{Boot, Mono};

/// From whom a node has its right to grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tenure {
    /// The database leases it, to many.
    Leased,
    /// The database is this process's alone (SQLite under its file lock): it cannot be replaced
    /// while it runs, so its lease never ends.
    Sole {
        /// The longest lease that the process before it may have granted and that may still run;
        /// `None` if there was none, or if it ended in order. Until κ of it is over, nothing is
        /// complete.
        before: Option<Duration>,
    },
}

/// What happens to a node. `V` names a session: a verifier's, over all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// The database renewed its lease, by a synchronously replicated write.
    Renewed {
        /// Read before the database was asked.
        anchor: Boot,
        /// The log's head that the write saw.
        head: u64,
    },
    /// The database did not: this incarnation is fenced, or another took its place.
    RenewalRefused,
    /// The log is applied here up to this entry, and what is new is queued to each session, behind
    /// the grants sent so far.
    Applied(u64),
    /// A verifier connected, and has applied the log up to `acked`.
    SessionOpened {
        /// Whose.
        session: V,
        /// Up to where.
        acked: u64,
    },
    /// A verifier asks for a lease.
    Renew {
        /// Whose.
        session: V,
        /// To be given back.
        nonce: u64,
        /// What it has applied.
        acked: u64,
    },
    /// A verifier has applied the log up to `seq`.
    Ack {
        /// Whose.
        session: V,
        /// Up to where.
        seq: u64,
    },
    /// A verifier has given up its lease.
    Released(V),
    /// A connection ended: that says nothing about the lease.
    Disconnected(V),
    /// The node ends in order: it grants no more, and says when its last lease is over.
    Leave,
    /// Time passed.
    Tick,
}

/// What a node has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// Send a grant. Its deadline is recorded already.
    Grant {
        /// To whom.
        session: V,
        /// Of the renewal.
        nonce: u64,
        /// How long, from when the verifier asked.
        length: Duration,
        /// What it must have applied for the grant to count.
        min: u64,
    },
    /// There is no grant; the verifier may ask another node.
    Refused {
        /// To whom.
        session: V,
        /// Of the renewal.
        nonce: u64,
        /// Why.
        why: Refusal,
    },
    /// Every verifier of this node has applied everything up to here, or has run out of lease.
    Complete(u64),
    /// No verdicts, no grants and no "revoked" answers from here on; join again as another
    /// incarnation.
    LeaseLost,
    /// The last lease is over: this node may be declared gone.
    Left,
}

/// Why there is no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The node's own lease is over, or nearly.
    NodeLease,
    /// The verifier has left an entry unacknowledged for too long.
    Lagging,
    /// No such session is open.
    NoSession,
    /// The node is about to end.
    Leaving,
}

/// A session, for listings and receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionView<V> {
    /// Whose.
    pub session: V,
    /// The last entry that it is known to have applied.
    pub acked: u64,
    /// When its lease has ended for sure; `None` if it never had one.
    pub deadline: Option<Mono>,
    /// Whether a connection stands.
    pub connected: bool,
}

/// How the sessions stand to one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Outcome {
    /// Have applied it.
    pub acked: usize,
    /// Have not, and have no lease any more: cut off.
    pub expired: usize,
    /// Have not, and may still accept.
    pub waiting: usize,
}
