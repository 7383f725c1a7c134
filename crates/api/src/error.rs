//! How the authority says no (*published*).

use serde::{Deserialize, Serialize};

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ErrorCode {
    /// 401: no credential, or one that is not good.
    AuthenticationRequired,
    /// 401: the session or the token has expired.
    TokenExpired,
    /// 403: a workspace token was presented where an operator is needed.
    ClerkAuthenticationRequired,
    /// 403: the operator may not do this.
    InsufficientPermissions,
    /// 404: no such workspace, or the caller is no member of it: that is not told apart.
    WorkspaceNotFound,
    /// 404: the workspace has no such token.
    TokenNotFound,
    /// 404: no such path, session or member. 405: the path does not take this method.
    NotFound,
    /// 409: it contradicts what is there.
    Conflict,
    /// 409: the operator already owns a workspace of this name.
    WorkspaceExists,
    /// 404: no verifier of this name is registered.
    VerifierNotFound,
    /// 409: a verifier of this name is registered already.
    VerifierExists,
    /// 404: no client of this name is registered.
    ClientNotFound,
    /// 409: a client of this name is registered already.
    ClientExists,
    /// 400 (413 where the body is too large): the request is not as it should be.
    InvalidRequest,
    /// 400: not a JTI.
    InvalidJti,
    /// 401: the identity provider's token was not accepted.
    TokenExchangeFailed,
    /// 429: too many requests; `Retry-After` says when to try again.
    RateLimited,
    /// 503: the authority cannot answer now; `Retry-After` says when to try again.
    Unavailable,
    /// 500: a fault of the authority's own.
    Internal,
    /// A code that this version does not know.
    #[serde(other)]
    Unknown,
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// For programs.
    pub code: ErrorCode,
    /// For people. Never a stack, a query or a secret.
    pub message: String,
    /// Which part of the request is meant.
    #[serde(default)]
    pub details: ErrorFields,
    /// Names the request in the authority's log.
    #[serde(default)]
    pub request_id: String,
}

/// Which part of a request is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorFields {
    /// The field's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}
