//! The rules that the machines keep, each of which can be broken by the model checker.
//!
//! Every constant is `false` in production, where the compiler removes its branch. A model test
//! breaks one and must find the token that is accepted after its revoke was answered: so each rule is
//! known to be needed, and the checker is known to see its absence.

use std::fmt::Debug;
use std::hash::Hash;

/// Which rules are broken.
pub trait Rules: Copy + Debug + Eq + Hash + Send + Sync + 'static {
    /// A verifier times its lease from the grant's arrival, not from before it asked.
    const ANCHOR_AT_RECEIPT: bool = false;
    /// A grant does not say what must be applied before it counts.
    const GRANT_WITHOUT_MIN: bool = false;
    /// A node's lease counts before the node has applied what the renewal saw.
    const LEASE_BEFORE_CATCH_UP: bool = false;
    /// A node times its lease from the database's answer.
    const NODE_ANCHOR_AT_ANSWER: bool = false;
    /// A revoke of what is already revoked is answered without an entry of its own.
    const ANSWER_IF_ALREADY_REVOKED: bool = false;
    /// A node reports an entry complete when it has applied it itself.
    const COMPLETE_WITHOUT_SESSIONS: bool = false;
    /// A node that joins anew replaces what it was before.
    const JOIN_FORGETS_OLD_INCARNATION: bool = false;
    /// A revoke waits for those who were members when it was asked.
    const MEMBERS_BEFORE_COMMIT: bool = false;
    /// A closed connection ends its session's lease.
    const CLOSE_IS_RELEASE: bool = false;
    /// A grant may outlive the granting node's own lease.
    const GRANT_OUTLIVES_NODE: bool = false;
    /// The database renews a node by a read, which a primary that was replaced answers as well. A
    /// rule for whoever implements the database's side; the machines here only see its answers.
    const RENEWAL_BY_READ: bool = false;
    /// A node is declared gone without waiting for its leases.
    const GONE_AT_ONCE: bool = false;
    /// A node that ends in order says that it has left while its verifiers still have leases.
    const LEFT_AT_ONCE: bool = false;
}

/// All rules kept: production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sound;

impl Rules for Sound {}
