//! Whether a token is good right now.

use nt_token::{Jti, OperatorId, Secret, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

/// `error_description` of the challenge where the token was revoked.
pub const REVOKED: &str = "The access token was revoked";
/// `error_description` of the challenge where the token has expired.
pub const EXPIRED: &str = "The access token expired";
/// `error_description` of the challenge where the token is not good for any other reason.
pub const INVALID: &str = "The access token is invalid";

/// Response header: the workspace that the token refers to.
pub const X_AUTH_WORKSPACE: &str = "x-auth-workspace";
/// Response header: the token's identifier.
pub const X_AUTH_JTI: &str = "x-auth-jti";
/// Response header: the token's scopes, separated by spaces.
pub const X_AUTH_SCOPE: &str = "x-auth-scope";
/// Response header: when the token ends, in seconds since the Unix epoch.
pub const X_AUTH_EXPIRES: &str = "x-auth-expires";

/// Request header: scopes that the token must have, separated by spaces; for a gateway to set.
pub const X_AUTH_REQUIRED_SCOPE: &str = "x-auth-required-scope";

/// Response header of a 403: what a token lacks that is good otherwise: `workspace`, `scope` or `source`.
pub const X_AUTH_UNMET: &str = "x-auth-unmet";

/// Answer of `/v1/token_auth` where the token is good (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Authenticated {
    /// `true`.
    pub authenticated: bool,
}

/// Form of `POST /oauth2/introspect` (RFC 7662, section 2.1) and `POST /oauth2/revoke` (RFC 7009, section
/// 2.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresentedToken {
    /// The token that is meant.
    pub token: String,
    /// Not used; there is one type of token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
    /// The client that asks, where it does not say so in `Authorization: Basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub client_secret: Option<Secret>,
}

/// Answer of `POST /oauth2/introspect` (RFC 7662, section 2.2).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Introspection {
    /// The token is good.
    Active(Box<ActiveToken>),
    /// Unknown, expired, revoked or not the caller's to know: exactly `{"active":false}`.
    Inactive {
        /// `false`.
        active: bool,
    },
}

/// What a good token says. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActiveToken {
    /// `true`.
    pub active: bool,
    /// What the token may be used for, separated by spaces.
    pub scope: String,
    /// From which networks the token may be used, for whoever asks to look at; left out where it may be
    /// used from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_networks: Vec<String>,
    /// Who had it issued.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub client_id: OperatorId,
    /// `Bearer`.
    pub token_type: String,
    /// When it ends.
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub exp: Timestamp,
    /// When it was issued.
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub iat: Timestamp,
    /// The workspace that it refers to.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub sub: WorkspaceId,
    /// Whom it is for.
    pub aud: String,
    /// Who issued it.
    pub iss: String,
    /// Its identifier.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
}
