//! The register of OAuth clients: services that may ask about tokens, or revoke them, with a secret of
//! their own.

use nt_token::{ClientName, ClientRights, OperatorId, Secret, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// How a client's secret begins, so that a leaked one is recognised.
pub const SECRET_PREFIX: &str = "ntc_";

/// Body of `POST /v1/clients`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddClient {
    /// 3 to 64 lower-case letters, digits, hyphens and dots; begins with a letter, ends with a letter or
    /// a digit, and has no two dots in a row.
    pub name: String,
    /// What it may do: `introspect`, `revoke`, or both.
    pub may: Vec<String>,
    /// The UUID of the one workspace whose tokens it may ask about or revoke; any, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// Answer of `POST /v1/clients`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientAdded {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub client_id: ClientName,
    /// What it proves itself with. It is said here and never again.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub client_secret: Secret,
    /// What it may do.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub may: ClientRights,
    /// The one workspace whose tokens it may ask about or revoke.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Uuid))]
    pub workspace: Option<WorkspaceId>,
    /// When it was registered.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
}

/// A client that is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Client {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub client_id: ClientName,
    /// What it may do.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub may: ClientRights,
    /// The one workspace whose tokens it may ask about or revoke.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Uuid))]
    pub workspace: Option<WorkspaceId>,
    /// When it was registered.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
    /// Who registered it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_by: OperatorId,
}

/// Answer of `GET /v1/clients`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientList {
    /// The clients, by name.
    pub clients: Vec<Client>,
}

/// Answer of `DELETE /v1/clients/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientRemoved {
    /// Its name, which is free again.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub client_id: ClientName,
    /// `removed`.
    pub status: String,
}
