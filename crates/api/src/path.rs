//! Where things are. Paths are matched exactly: no trailing slash, no normalisation.

use nt_token::{ClientName, Jti, VerifierName, WorkspaceId};

/// Exchange of the identity provider's token for a session (*published*).
pub const TOKEN_EXCHANGE: &str = "/api/v1/auth/token-exchange";
/// What a client needs to know to sign in.
pub const AUTH_CONFIGURATION: &str = "/v1/auth/configuration";
/// The caller's own session.
pub const AUTH_SESSION: &str = "/v1/auth/session";
/// The caller's sessions.
pub const AUTH_SESSIONS: &str = "/v1/auth/sessions";
/// One of the caller's sessions.
pub const AUTH_SESSION_OF: &str = "/v1/auth/sessions/{session}";
/// Whether the authority answers, for people and programs (*published*).
pub const HEALTH: &str = "/health";
/// Workspaces (*published*).
pub const WORKSPACES: &str = "/v1/workspaces";
/// One workspace.
pub const WORKSPACE: &str = "/v1/workspaces/{workspace}";
/// The tokens of a workspace (*published*).
pub const TOKENS: &str = "/v1/workspaces/{workspace}/tokens";
/// One token (*published*).
pub const TOKEN: &str = "/v1/workspaces/{workspace}/tokens/{jti}";
/// A new token for an old one, in one step.
pub const REFRESH: &str = "/v1/workspaces/{workspace}/tokens/{jti}/refresh";
/// The receipt of a revoked token.
pub const RECEIPT: &str = "/v1/workspaces/{workspace}/tokens/{jti}/receipt";
/// How far a token's revocation is on its way into force.
pub const REVOCATION: &str = "/v1/workspaces/{workspace}/tokens/{jti}/revocation";
/// The members of a workspace.
pub const MEMBERS: &str = "/v1/workspaces/{workspace}/members";
/// One member of a workspace.
pub const MEMBER: &str = "/v1/workspaces/{workspace}/members/{member}";
/// The register of verifiers.
pub const VERIFIERS: &str = "/v1/verifiers";
/// One verifier.
pub const VERIFIER: &str = "/v1/verifiers/{name}";
/// The register of OAuth clients.
pub const CLIENTS: &str = "/v1/clients";
/// One OAuth client.
pub const CLIENT: &str = "/v1/clients/{name}";
/// The audit log.
pub const AUDIT: &str = "/v1/audit";
/// Forward-auth (*published*).
pub const TOKEN_AUTH: &str = "/v1/token_auth";
/// Kubernetes' webhook token authentication (`TokenReview`).
pub const TOKEN_REVIEW: &str = "/v1/token_review";
/// Token introspection (RFC 7662).
pub const INTROSPECT: &str = "/oauth2/introspect";
/// Token revocation (RFC 7009).
pub const OAUTH_REVOKE: &str = "/oauth2/revoke";
/// What the authority offers to OAuth clients (RFC 8414).
pub const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
/// What the authority's own API is to OAuth clients (RFC 9728).
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
/// The keys that sign tokens (RFC 7517).
pub const JWKS: &str = "/.well-known/jwks.json";

/// The Token Status Lists, and where they all are: `status_list_aggregation_endpoint`.
pub const STATUS_LISTS: &str = "/v1/status-lists";
/// One Token Status List.
pub const STATUS_LIST: &str = "/v1/status-lists/{list}";

/// The path of a workspace.
pub fn workspace(id: WorkspaceId) -> String {
    format!("{WORKSPACES}/{id}")
}

/// The path of a workspace's tokens.
pub fn tokens(id: WorkspaceId) -> String {
    format!("{WORKSPACES}/{id}/tokens")
}

/// The path of a token. A JTI needs no encoding: its parser lets nothing through that would.
pub fn token(id: WorkspaceId, jti: &Jti) -> String {
    format!("{WORKSPACES}/{id}/tokens/{jti}")
}

/// The path of a revoked token's receipt.
pub fn receipt(id: WorkspaceId, jti: &Jti) -> String {
    format!("{}/receipt", token(id, jti))
}

/// The path that says how far a token's revocation is.
pub fn revocation(id: WorkspaceId, jti: &Jti) -> String {
    format!("{}/revocation", token(id, jti))
}

/// The URI of a Token Status List, as tokens name it.
pub fn status_list(issuer: &str, list: u32) -> String {
    format!("{issuer}{STATUS_LISTS}/{list}")
}

/// The path of a verifier. A name needs no encoding, as a JTI needs none.
pub fn verifier(name: &VerifierName) -> String {
    format!("{VERIFIERS}/{name}")
}

/// The path of an OAuth client. A name needs no encoding, as a verifier's needs none.
pub fn client(name: &ClientName) -> String {
    format!("{CLIENTS}/{name}")
}
