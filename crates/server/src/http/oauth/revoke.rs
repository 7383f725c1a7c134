//! Token revocation (RFC 7009).

use axum::extract::State;
use axum::http::header::HeaderName;
use nt_api::oauth::OAuthError;
use nt_api::path;
use nt_api::verification::PresentedToken;

use super::About;
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::oauth::error::OAuthFailure;

/// Revoke a token, for good. No check that starts after the answer 200 accepts it. The caller is an
/// operator, or a client that may revoke: holding the token is not enough. What is no token of ours is
/// answered as one that was revoked.
#[utoipa::path(post, path = path::OAUTH_REVOKE, tag = "oauth",
    security(("client" = []), ("session" = [])),
    request_body(content = PresentedToken, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200), (status = 400, body = OAuthError), (status = 401, body = OAuthError),
        (status = 403, body = OAuthError), (status = 413, body = OAuthError),
        (status = 429, body = OAuthError), (status = 500, body = OAuthError),
        (status = 503, body = OAuthError)))]
pub async fn revoke(
    State(doors): State<Doors>,
    about: About,
) -> Result<[(HeaderName, &'static str); 1], OAuthFailure> {
    doors.authority.revoke_presented(&about.asker, about.token.expose()).await?;
    Ok(NO_STORE)
}
