//! How far a revocation is on its way into force.

use nt_token::{Jti, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;
use crate::receipts::LogPosition;

/// Answer of `GET /v1/workspaces/{workspace}/tokens/{jti}/revocation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revocation {
    /// The token that was revoked.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
    /// The token's workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// `revoked`: no check that starts after this answer accepts the token. `revoking`: some verifier
    /// may accept it for a while.
    pub status: String,
    /// The log's entry by which the token is revoked first.
    pub position: LogPosition,
    /// When that was committed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub committed_at: IsoTime,
    /// The verifiers that may still accept it; none where those of a process before are waited for.
    pub waiting_for: Vec<String>,
    /// How many sessions of verifiers have said that they refuse it.
    pub acknowledged: u32,
    /// Which verifiers these are of.
    pub acknowledged_by: Vec<String>,
    /// Which verifiers did not, and accept nothing because their lease is over.
    pub cut_off: Vec<String>,
    /// After so many milliseconds it is in force at the latest, whatever becomes of the verifiers.
    pub in_force_within_ms: u64,
}
