//! Signing in and out.

use nt_token::{OperatorId, Secret};
use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// What an operator's session secret starts with.
pub const SESSION_PREFIX: &str = "nts_";

/// Answer of `GET /v1/auth/configuration`: what `ntcli auth login` needs to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthConfiguration {
    /// The identity provider; its discovery document is below this URL (OIDC Discovery 1.0).
    pub issuer: String,
    /// The public client that the command line signs in as.
    pub client_id: String,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// Whether this is the embedded development provider, whose users have no passwords.
    pub development: bool,
}

/// Body of `POST /api/v1/auth/token-exchange` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenExchange {
    /// The identity provider's ID token.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub oauth_token: Secret,
    /// The nonce that the client put in its authorization request; where it is given, the ID token
    /// must carry it (OIDC Core 1.0, section 3.1.3.7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// Answer of `POST /api/v1/auth/token-exchange` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// The session's secret. It is shown this once.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub access_token: Secret,
    /// `Bearer`.
    pub token_type: String,
    /// How long the session lasts, in seconds.
    pub expires_in: i64,
    /// Who signed in.
    pub user: User,
}

/// An operator, as shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The operator's identifier at this authority.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: OperatorId,
    /// As the identity provider says it.
    pub email: Option<String>,
    /// As the identity provider says it.
    pub name: Option<String>,
}

/// Answer of `GET /v1/auth/session`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionInfo {
    /// Who is signed in.
    pub user: User,
    /// When the session began.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
    /// When the session ends.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: IsoTime,
}

/// Answer of `DELETE /v1/auth/session`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionEnded {
    /// `ended`.
    pub status: String,
}
