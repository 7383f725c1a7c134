//! Tokens of a workspace.

use nt_token::{InvalidExpiration, Jti, OperatorId, Secret, Timestamp, TokenStatus, WorkspaceId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::iso::IsoTime;

/// Body of `POST /v1/workspaces/{workspace}/tokens` (*published*) and of a refresh. With neither
/// `expires_in` nor `expires_at` nor `no_expiry` a token lasts a year; more than one is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateToken {
    /// How long the token lasts, in seconds.
    #[serde(default, deserialize_with = "whole_seconds", skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    /// When the token ends, in seconds since the Unix epoch.
    #[serde(default, deserialize_with = "whole_seconds", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Whether the token has no expiry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_expiry: bool,
    /// For people; at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the token may be used for; where nothing is said `read` and `write`, or in a refresh what
    /// the old token had. A refresh gives no scope that the old token had not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// From where the token may be used: addresses, or networks in CIDR notation, at most 16; where
    /// nothing is said from anywhere, or in a refresh from where the old token might be. A refresh
    /// allows nowhere that the old token did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_networks: Vec<String>,
}

/// Reads whole seconds. Anything else (a fraction, an exponent, a text) is refused in the documented
/// words and never rounded.
fn whole_seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Option<i64>, D::Error> {
    match serde_json::Value::deserialize(input)? {
        serde_json::Value::Null => Ok(None),
        value => value.as_i64().map(Some).ok_or_else(|| D::Error::custom(InvalidExpiration)),
    }
}

/// Answer of `POST /v1/workspaces/{workspace}/tokens` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenCreated {
    /// The token. It is not stored; a repeated request with the same `Idempotency-Key` signs the
    /// same claims again.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub access_token: Secret,
    /// `Bearer`.
    pub token_type: String,
    /// How long it lasts, in seconds; `null` where it has no expiry.
    pub expires_in: Option<i64>,
    /// When it ends; `null` where it has no expiry.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<IsoTime>,
    /// What it may be used for.
    pub scope: Vec<String>,
    /// From which networks it may be used; left out where it may be used from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_networks: Vec<String>,
    /// Its identifier.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
    /// The workspace that it refers to.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// For people.
    pub message: String,
}

/// A token's record (*published* as an item of the list). Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its identifier.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
    /// When it was issued.
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub created_at: Timestamp,
    /// When it ends; `null` where it has no expiry.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i64>))]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i64>))]
    pub revoked_at: Option<Timestamp>,
    /// Its standing now.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub status: TokenStatus,
    /// For people.
    pub description: Option<String>,
    /// What it may be used for.
    pub scope: Vec<String>,
    /// From which networks it may be used; none means from anywhere.
    #[serde(default)]
    pub source_networks: Vec<String>,
    /// Who had it issued.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_by: OperatorId,
    /// That operator's e-mail address, where it is known.
    #[serde(default)]
    pub created_by_email: Option<String>,
    /// When it was last used.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i64>))]
    pub last_used_at: Option<Timestamp>,
    /// From where it was last used.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub last_used_from: Option<std::net::IpAddr>,
    /// How often it was used.
    #[serde(default)]
    pub use_count: u64,
    /// Why it was revoked.
    #[serde(default)]
    pub revoked_reason: Option<String>,
}

/// Which tokens to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum StatusFilter {
    /// Those that can be used.
    #[default]
    Active,
    /// Those whose time is over, and that were not revoked.
    Expired,
    /// Those that were revoked.
    Revoked,
    /// All.
    All,
}

/// Query of `GET /v1/workspaces/{workspace}/tokens`. Without `limit`, everything on one page.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct ListTokens {
    /// Which tokens to list: `active` (the default), `expired`, `revoked` or `all`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub status: StatusFilter,
    /// How many at most, from 1 to 1000.
    pub limit: Option<u32>,
    /// Where to go on: the last page's `next_cursor`.
    pub cursor: Option<String>,
}

/// Answer of `GET /v1/workspaces/{workspace}/tokens` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenList {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// How many are on this page.
    pub count: u64,
    /// The tokens, newest first.
    pub tokens: Vec<Token>,
    /// Where the next page begins; `null` on the last.
    pub next_cursor: Option<String>,
}

/// Query of `DELETE /v1/workspaces/{workspace}/tokens/{jti}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct RevokeToken {
    /// Why, for the audit log; at most 256 characters.
    pub reason: Option<String>,
}

/// Answer of `DELETE /v1/workspaces/{workspace}/tokens/{jti}` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRevoked {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
    pub workspace_id: WorkspaceId,
    /// The token.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
    /// The token again.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token_jti: Jti,
    /// `revoked`: no check that starts after this answer accepts the token. `revoking`: it is committed
    /// and on its way, and some verifier may accept the token for a few seconds more.
    pub status: String,
    /// When the first revocation was committed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub revoked_at: IsoTime,
    /// Whether it had been revoked before this request.
    pub already_revoked: bool,
    /// The authority's signed statement that the revocation is in force: a JWS with `typ`
    /// `revocation-receipt+jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// For people.
    pub message: String,
}

/// Answer of a refresh: the new token, and the old one's end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRefreshed {
    /// The new token.
    #[serde(flatten)]
    pub new_token: TokenCreated,
    /// The old one, now revoked.
    pub old_token: OldToken,
}

/// The end of a token that was replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OldToken {
    /// The token.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: Jti,
    /// When its first revocation was committed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub revoked_at: IsoTime,
}
