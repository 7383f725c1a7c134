//! What the OAuth endpoints say beside their answers: errors as RFC 6749 has them, and what there is, as
//! RFC 8414 and RFC 9728 describe it.

use serde::{Deserialize, Serialize};

/// What went wrong at an OAuth endpoint, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OAuthErrorCode {
    /// 400 (413 where it is too large): the request is not as it should be (RFC 6749, section 5.2).
    InvalidRequest,
    /// 401: no client, or its credentials are not good (RFC 6749, section 5.2).
    InvalidClient,
    /// 400: this caller may not do this, or not with this token (RFC 6749, section 5.2).
    UnauthorizedClient,
    /// 401: the session is not good (RFC 6750, section 3.1).
    InvalidToken,
    /// 403: a workspace token is no operator's session (RFC 6750, section 3.1).
    InsufficientScope,
    /// 429: too many requests; `Retry-After` says when to try again (as RFC 8628, section 3.5).
    SlowDown,
    /// 503: the authority cannot answer now; `Retry-After` says when to try again (RFC 7009, section
    /// 2.2.1).
    TemporarilyUnavailable,
    /// 500: a fault of the authority's own.
    ServerError,
}

/// The body of an error of an OAuth endpoint (RFC 6749, section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OAuthError {
    /// What went wrong, for programs.
    pub error: OAuthErrorCode,
    /// For people.
    pub error_description: String,
}

/// What the authority offers to OAuth clients (RFC 8414, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerMetadata {
    /// The `iss` of every token.
    pub issuer: String,
    /// Where the keys are that sign tokens (RFC 7517).
    pub jwks_uri: String,
    /// Where to ask about a token (RFC 7662).
    pub introspection_endpoint: String,
    /// How the one who asks proves who it is.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Where to revoke a token (RFC 7009).
    pub revocation_endpoint: String,
    /// How the one who revokes proves who it is.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// Where the status lists are listed (Token Status List, section 9.1).
    pub status_list_aggregation_endpoint: String,
    /// None: tokens are not issued by an OAuth flow.
    pub response_types_supported: Vec<String>,
    /// None, for the same reason.
    pub grant_types_supported: Vec<String>,
}

/// What the authority's own API is to OAuth clients (RFC 9728, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResourceMetadata {
    /// The API.
    pub resource: String,
    /// Who issues what opens it.
    pub authorization_servers: Vec<String>,
    /// How a credential is sent: in the header alone.
    pub bearer_methods_supported: Vec<String>,
    /// For people.
    pub resource_name: String,
}
