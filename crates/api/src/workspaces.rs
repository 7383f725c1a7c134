//! Workspaces.

use nt_token::{Jti, OperatorId, Secret, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// Body of `POST /v1/workspaces` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateWorkspace {
    /// 3 to 32 lower-case letters, digits and hyphens, beginning with a letter.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the organisation that the caller signed in for is to own it; its admins administer it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub organisation: bool,
}

/// Answer of `POST /v1/workspaces` (*published*): the workspace and its first token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkspaceCreated {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub workspace_name: String,
    /// Its name again.
    pub namespace: String,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: IsoTime,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
    /// `active`.
    pub status: String,
    /// For people.
    pub message: String,
    /// The workspace's first token.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub access_token: Secret,
    /// `Bearer`.
    pub token_type: String,
    /// How long the token lasts, in seconds.
    pub expires_in: i64,
    /// What the token may be used for.
    pub scope: Vec<String>,
    /// The token's identifier.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
}

/// A workspace, as shown to a member (*published* as an item of the list).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Workspace {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub workspace_name: String,
    /// For people.
    pub description: Option<String>,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: IsoTime,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
    /// What the caller is there: `owner`, `admin`, `developer` or `viewer`.
    pub role: String,
    /// The organisation at the identity provider that owns it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
}

/// Answer of `GET /v1/workspaces` (*published*): those that the caller is a member of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkspaceList {
    /// The workspaces, by name.
    pub workspaces: Vec<Workspace>,
    /// The caller.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub user_id: OperatorId,
    /// How many they are.
    pub total: u64,
}

/// Body of `PATCH /v1/workspaces/{workspace}` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateWorkspace {
    /// The new description; `null` removes it.
    pub description: Option<String>,
}

/// Answer of `DELETE /v1/workspaces/{workspace}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkspaceDeleted {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// `deleted`.
    pub status: String,
    /// When; all tokens of the workspace are revoked from then on.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub deleted_at: IsoTime,
    /// For people.
    pub message: String,
}
