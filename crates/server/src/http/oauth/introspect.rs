//! Token introspection (RFC 7662).

use axum::Json;
use axum::extract::State;
use axum::http::header::HeaderName;
use nt_api::oauth::OAuthError;
use nt_api::path;
use nt_api::verification::{ActiveToken, Introspection, PresentedToken};

use super::About;
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::oauth::error::OAuthFailure;

/// Whether a token is good right now, and what it says. Of a token that is not, nothing is told: not
/// why, and not whether it ever was one.
#[utoipa::path(post, path = path::INTROSPECT, tag = "oauth",
    security(("client" = []), ("session" = [])),
    request_body(content = PresentedToken, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Introspection), (status = 400, body = OAuthError),
        (status = 401, body = OAuthError), (status = 403, body = OAuthError),
        (status = 413, body = OAuthError), (status = 429, body = OAuthError),
        (status = 500, body = OAuthError), (status = 503, body = OAuthError)))]
pub async fn introspect(
    State(doors): State<Doors>,
    about: About,
) -> Result<([(HeaderName, &'static str); 1], Json<Introspection>), OAuthFailure> {
    let answer = match doors.authority.introspect(&about.asker, about.token.expose())? {
        Some(token) => {
            let claims = token.claims();
            Introspection::Active(Box::new(ActiveToken {
                active: true,
                scope: claims.scope.to_string(),
                source_networks: claims.source_networks.iter().map(ToString::to_string).collect(),
                client_id: claims.client_id.clone(),
                token_type: "Bearer".to_owned(),
                exp: claims.exp,
                iat: claims.iat,
                sub: claims.sub,
                aud: claims.aud.clone(),
                iss: claims.iss.clone(),
                jti: claims.jti.clone(),
            }))
        }
        None => Introspection::Inactive { active: false },
    };
    Ok((NO_STORE, Json(answer)))
}
