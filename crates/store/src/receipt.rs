//! Receipts of revocations, and which entry of the log a token is revoked by. What a receipt states
//! is not known here.

use nt_revocation::{Fact, ScopeOf};
use nt_token::{Jti, Timestamp, TokenRecord};

/// A receipt to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReceipt {
    /// The token that was revoked.
    pub jti: Jti,
    /// The number of the log's entry that revoked it.
    pub seq: u64,
    /// The receipt, as it was signed.
    pub receipt: String,
    /// When it was signed.
    pub at: Timestamp,
}

/// Whether an entry that comes after the token's `rv` revokes it: the rule of the revocation set,
/// asked of a record.
pub(crate) fn revokes(fact: &Fact, token: &TokenRecord) -> bool {
    match fact {
        Fact::TokenRevoked { place, .. } => *place == token.place,
        Fact::ScopeRevoked { scope, except } => {
            let is_of = match scope {
                ScopeOf::Workspace(id) => *id == token.workspace,
                ScopeOf::Operator(id) => *id == token.created_by,
                ScopeOf::Member(workspace, operator) => {
                    *workspace == token.workspace && *operator == token.created_by
                }
                ScopeOf::All => true,
            };
            is_of && !except.contains(&token.place)
        }
        Fact::KeyRevoked { kid } => *kid == token.kid,
        Fact::Horizon { through } => token.expiry.claimed() <= *through,
        Fact::KeyAdded { .. }
        | Fact::NodeJoined { .. }
        | Fact::NodeFenced { .. }
        | Fact::NodeGone { .. }
        | Fact::LeaseLengths { .. }
        | Fact::EpochBegan { .. } => false,
    }
}
