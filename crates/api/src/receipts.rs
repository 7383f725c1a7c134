//! Receipts: signed statements that a revocation is in force.

use nt_token::{Jti, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

/// Answer of `GET /v1/workspaces/{workspace}/tokens/{jti}/receipt`: the receipt, and what it states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenReceipt {
    /// The token that was revoked.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
    /// The token's workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// The receipt: a JWS with `typ` `revocation-receipt+jwt`. Whoever has the authority's keys can
    /// check it without asking anybody.
    pub receipt: String,
    /// The authority that states it.
    pub iss: String,
    /// When it was stated, in seconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub iat: Timestamp,
    /// The log's entry by which the token is revoked.
    pub position: LogPosition,
    /// When that entry was committed, in milliseconds since the Unix epoch; cut to the second where
    /// `waited_ms` is `null`.
    pub committed_at_ms: u64,
    /// From when on no check anywhere accepts the token, in milliseconds since the Unix epoch.
    pub in_force_at_ms: u64,
    /// How long it took from the one to the other; `null` where the receipt was signed later, and the
    /// revocation was in force at `in_force_at_ms` at the latest.
    pub waited_ms: Option<u64>,
    /// `acked`: all who could have accepted the token said that they do not any more. `expired`: who did
    /// not say so was cut off, for every lease that was granted before has ended.
    pub proven: String,
    /// How many nodes of the authority were counted.
    pub nodes: u32,
    /// Which verifiers were counted; `null` where the receipt was signed later, when it was not known any
    /// more who had followed.
    pub verifiers: Option<CountedVerifiers>,
}

/// A position in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogPosition {
    /// Raised when a history was lost and put together again.
    pub epoch: u64,
    /// The entry's number.
    pub seq: u64,
    /// The entry's random identity, in hexadecimal.
    pub entry_id: String,
}

/// The verifiers of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CountedVerifiers {
    /// How many said that they refuse the token.
    pub acknowledged: u32,
    /// Which did not, and accept nothing because their lease is over.
    pub cut_off: Vec<CutOffVerifier>,
}

/// A verifier that was cut off by its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CutOffVerifier {
    /// Its name.
    pub name: String,
    /// For how long nothing was heard of it, in milliseconds.
    pub silent_for_ms: Option<u64>,
}
