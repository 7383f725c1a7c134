//! What the authority remembers of a token: everything but its value.

use serde::{Deserialize, Serialize};

use crate::claims::{Claims, Place};
use crate::id::{Jti, KeyId, OperatorId, WorkspaceId};
use crate::network::Networks;
use crate::scope::Scopes;
use crate::time::Timestamp;

/// When a token ends, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// At this time.
    At(Timestamp),
    /// Never, as people say it; the claims end at the policy's maximum all the same.
    Never {
        /// What the claims say.
        claimed: Timestamp,
    },
}

impl Expiry {
    /// The `exp` claim.
    pub const fn claimed(self) -> Timestamp {
        match self {
            Self::At(at) | Self::Never { claimed: at } => at,
        }
    }

    /// What is shown: nothing where the token is said to have no expiry.
    pub const fn shown(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Never { .. } => None,
        }
    }
}

/// Whether a token was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was not.
    Live,
    /// It was, for good.
    Revoked {
        /// When the revocation was committed.
        at: Timestamp,
        /// By whom.
        by: OperatorId,
        /// Why, if that was said.
        reason: Option<String>,
    },
}

impl State {
    /// When it was taken back, if it was.
    pub const fn revoked_at(&self) -> Option<Timestamp> {
        match self {
            Self::Live => None,
            Self::Revoked { at, .. } => Some(*at),
        }
    }
}

/// A token's standing at a moment. Revoked wins over expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenStatus {
    /// It can be used.
    Active,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

/// When, how often and from where a token was used. Counted off the hot path: a crash may lose the
/// last second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// How often.
    pub count: u64,
    /// When last.
    pub last_at: Timestamp,
    /// From where last.
    pub last_from: Option<std::net::IpAddr>,
}

/// What is remembered of a token. Its value can be signed again from this, and from nothing less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// The token's identifier.
    pub jti: Jti,
    /// The workspace that it refers to.
    pub workspace: WorkspaceId,
    /// Who had it issued.
    pub created_by: OperatorId,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it ends.
    pub expiry: Expiry,
    /// What it may be used for.
    pub scope: Scopes,
    /// From where it may be used.
    pub source_networks: Networks,
    /// What its owner calls it.
    pub description: Option<String>,
    /// The key that signed it.
    pub kid: KeyId,
    /// Whom it is for.
    pub audience: String,
    /// The head of the log when it was issued.
    pub rv: u64,
    /// Its place in the revocation set.
    pub place: Place,
    /// Whether it was taken back.
    pub state: State,
    /// Its use, if it was used.
    pub used: Option<TokenUse>,
}

impl TokenRecord {
    /// The claims that were signed for this record.
    pub fn claims(&self, issuer: &str) -> Claims {
        Claims {
            iss: issuer.to_owned(),
            aud: self.audience.clone(),
            sub: self.workspace,
            jti: self.jti.clone(),
            iat: self.created_at,
            exp: self.expiry.claimed(),
            scope: self.scope.clone(),
            source_networks: self.source_networks.clone(),
            client_id: self.created_by.clone(),
            rv: self.rv,
            place: self.place,
        }
    }

    /// The token's standing at this moment.
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        match self.state {
            State::Revoked { .. } => TokenStatus::Revoked,
            State::Live if now >= self.expiry.claimed() => TokenStatus::Expired,
            State::Live => TokenStatus::Active,
        }
    }
}
