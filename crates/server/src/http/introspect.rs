//! Token introspection (RFC 7662).

use axum::Json;
use axum::extract::State;
use axum::http::header::HeaderName;
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::verification::{ActiveToken, Introspection, IntrospectionRequest};

use crate::authority::{Caller, Demand, NotAccepted};
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::error::{ApiError, Reply};
use crate::http::extract::FormBody;

/// Whether a token is good right now, and what it says. Of a token that is not, nothing is told: not
/// why, and not whether it ever was one.
#[utoipa::path(post, path = path::INTROSPECT, tag = "verification", security(("session" = [])),
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Introspection), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn introspect(
    State(doors): State<Doors>,
    _caller: Caller,
    FormBody(request): FormBody<IntrospectionRequest>,
) -> Reply<([(HeaderName, &'static str); 1], Json<Introspection>)> {
    let answer = match doors.authority.verify(&request.token, &Demand::NOTHING) {
        Ok(token) => {
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
        Err(NotAccepted::NotReady) => {
            return Err(ApiError::unavailable("The revocation state is not known here"));
        }
        Err(_) => Introspection::Inactive { active: false },
    };
    Ok((NO_STORE, Json(answer)))
}
