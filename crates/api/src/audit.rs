//! What people and tokens did.

use std::net::IpAddr;

use nt_token::{Jti, OperatorId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// Query of `GET /v1/audit`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct ListAudit {
    /// Only what concerns this token.
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub jti: Option<String>,
    /// Only what happened at this time or later: RFC 3339, a date, or seconds since the Unix epoch.
    pub since: Option<String>,
    /// How many records at most, from 1 to 1000; 100 where nothing is said.
    pub limit: Option<u32>,
    /// Where to go on: the last page's `next_cursor`.
    pub cursor: Option<String>,
}

/// Answer of `GET /v1/audit`: what the caller did, and what was done in the caller's workspaces.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditList {
    /// The records, newest first.
    pub records: Vec<AuditRecord>,
    /// Who still knocks with a revoked token; on the first page only.
    pub denied: Vec<DeniedToken>,
    /// Where the next page begins; `null` on the last.
    pub next_cursor: Option<String>,
}

/// One thing that an operator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    /// The record's number.
    pub id: u64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: IsoTime,
    /// What: `session.created`, `session.ended`, `workspace.created`, `workspace.updated`,
    /// `workspace.deleted`, `token.created`, `token.refreshed`, `token.revoked`, `member.added`,
    /// `member.invited`, `member.changed`, `member.removed`, `verifier.added`,
    /// `verifier.removed`, `key.added`, `key.activated`, `key.retired` or `key.revoked`.
    pub action: String,
    /// Who.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub operator_id: OperatorId,
    /// That operator's e-mail address, where it is known.
    pub operator_email: Option<String>,
    /// From where.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub from: Option<IpAddr>,
    /// In which workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Uuid))]
    pub workspace_id: Option<WorkspaceId>,
    /// Which token.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub jti: Option<Jti>,
    /// Whom it concerns: a member's identifier or e-mail address, a verifier's name, or a
    /// signing key's `kid`.
    #[serde(default)]
    pub about: Option<String>,
    /// Why, if that was said; for members, the role.
    pub reason: Option<String>,
    /// What else must be known of it.
    #[serde(default)]
    pub note: Option<String>,
}

/// Attempts with a token after it was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeniedToken {
    /// The token.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
    /// The workspace that it refers to.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// How often it was tried.
    pub count: u64,
    /// When first.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first_at: IsoTime,
    /// When last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_at: IsoTime,
    /// From where last.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub last_from: Option<IpAddr>,
}
