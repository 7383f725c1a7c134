//! What a Kubernetes API server asks its webhook token authenticator, and is answered
//! (authentication.k8s.io, `TokenReview`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The kind of both.
pub const KIND: &str = "TokenReview";
/// The versions that are spoken; they are alike.
pub const VERSIONS: [&str; 2] = ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"];

/// Body of `POST /v1/token_review`. Fields that are not used are passed over: API servers add some.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenReview {
    /// `authentication.k8s.io/v1`, or `v1beta1` of it.
    pub api_version: String,
    /// `TokenReview`.
    pub kind: String,
    /// What is asked.
    pub spec: Spec,
}

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TokenReviewSpec))]
pub struct Spec {
    /// The token.
    pub token: String,
    /// Whom it may be for, any of them; none means anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
}

/// Answer of `POST /v1/token_review`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReviewedToken {
    /// As it was asked.
    pub api_version: String,
    /// `TokenReview`.
    pub kind: String,
    /// The answer.
    pub status: Status,
}

/// Whether a token is good, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TokenReviewStatus))]
pub struct Status {
    /// Whether it is good.
    pub authenticated: bool,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Whom it is for, of those who were asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// Why it is not good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whose a token is, in the words of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TokenReviewUser))]
pub struct User {
    /// `ntd:workspace:` and the workspace's UUID.
    pub username: String,
    /// The token's identifier.
    pub uid: String,
    /// The same as the user name, and `ntd:scope:` with each scope.
    pub groups: Vec<String>,
    /// `ntd/jti`, `ntd/scope` and `ntd/expires`.
    pub extra: BTreeMap<String, Vec<String>>,
}
