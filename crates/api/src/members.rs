//! Members of a workspace and their roles.

use nt_token::{OperatorId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// What an operator is in a workspace, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RoleName {
    /// May do everything, and alone may delete the workspace and make owners.
    Owner,
    /// Manages members, revokes any token.
    Admin,
    /// Issues tokens, and revokes those that it had issued.
    Developer,
    /// Sees the workspace, its members and its tokens' records.
    Viewer,
}

impl RoleName {
    /// All of them, from most to least.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Developer, Self::Viewer];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }
}

/// Whether a member is there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MemberStatus {
    /// A member.
    Active,
    /// Invited by e-mail address; becomes a member by signing in with it.
    Invited,
}

/// A member, or somebody who is invited to be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The operator; `null` while invited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub operator_id: Option<OperatorId>,
    /// The e-mail address, where it is known.
    pub email: Option<String>,
    /// The name, where it is known.
    pub name: Option<String>,
    /// What the member is in the workspace.
    pub role: RoleName,
    /// Whether the member is there yet.
    pub status: MemberStatus,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: IsoTime,
}

/// Answer of `GET /v1/workspaces/{workspace}/members`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberList {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// The members, owners first, then those who are invited.
    pub members: Vec<Member>,
    /// How many they are.
    pub total: u64,
}

/// Body of `POST /v1/workspaces/{workspace}/members`: exactly one of `email` and `operator_id`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddMember {
    /// Whom to add. Who has not signed in yet is invited, and becomes a member by signing in with
    /// this address, verified by the identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whom to add, among those who signed in before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<String>,
    /// As what.
    pub role: RoleName,
}

/// Body of `PATCH /v1/workspaces/{workspace}/members/{member}`; `{member}` is an operator's
/// identifier, or the e-mail address of somebody who is a member or invited.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeMember {
    /// The new role.
    pub role: RoleName,
}

/// Query of `DELETE /v1/workspaces/{workspace}/members/{member}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct RemoveMember {
    /// Whether every token of the workspace that the member had issued is revoked in the same step.
    #[serde(default)]
    pub revoke_their_tokens: bool,
}

/// Answer of `DELETE /v1/workspaces/{workspace}/members/{member}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberRemoved {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// The operator; `null` where an invitation was withdrawn.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub operator_id: Option<OperatorId>,
    /// `removed`.
    pub status: String,
    /// How many live tokens were revoked in the same step.
    pub revoked_tokens: u64,
}
