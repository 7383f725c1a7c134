//! Signing in and out.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use nt_api::auth::{AuthConfiguration, Session, SessionEnded, SessionInfo, TokenExchange};
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::sessions::{SessionList, SessionsEnded};

use crate::authority::sign_in::Origin;
use crate::authority::{Authority, Caller};
use crate::http::Doors;
use crate::http::error::Reply;
use crate::http::extract::{JsonBody, OfSession};

/// An answer with a secret in it is kept by nobody on its way.
pub const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// Exchange the identity provider's ID token for a session.
#[utoipa::path(post, path = path::TOKEN_EXCHANGE, tag = "auth", request_body = TokenExchange,
    responses((status = 200, body = Session), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 413, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn token_exchange(
    State(doors): State<Doors>,
    origin: Origin,
    JsonBody(request): JsonBody<TokenExchange>,
) -> Reply<([(HeaderName, &'static str); 1], Json<Session>)> {
    let session = doors.authority.sign_in(request, origin).await?;
    Ok((NO_STORE, Json(session)))
}

/// What a client needs to know to sign in.
#[utoipa::path(get, path = path::AUTH_CONFIGURATION, tag = "auth",
    responses((status = 200, body = AuthConfiguration), (status = 503, body = ErrorBody)))]
pub async fn configuration(State(doors): State<Doors>) -> Reply<Json<AuthConfiguration>> {
    Ok(Json(doors.authority.auth_configuration()?))
}

/// The caller's own session.
#[utoipa::path(get, path = path::AUTH_SESSION, tag = "auth", security(("session" = [])),
    responses((status = 200, body = SessionInfo), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn session(caller: Caller) -> Reply<Json<SessionInfo>> {
    Ok(Json(Authority::session_info(&caller)?))
}

/// End the caller's own session.
#[utoipa::path(delete, path = path::AUTH_SESSION, tag = "auth", security(("session" = [])),
    responses((status = 200, body = SessionEnded), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn sign_out(State(doors): State<Doors>, caller: Caller) -> Reply<Json<SessionEnded>> {
    doors.authority.sign_out(&caller).await?;
    Ok(Json(SessionEnded { status: "ended".to_owned() }))
}

/// The caller's sessions.
#[utoipa::path(get, path = path::AUTH_SESSIONS, tag = "auth", security(("session" = [])),
    responses((status = 200, body = SessionList), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn sessions(State(doors): State<Doors>, caller: Caller) -> Reply<Json<SessionList>> {
    Ok(Json(doors.authority.sessions_of(&caller).await?))
}

/// End all of the caller's sessions but the one that the request is made with.
#[utoipa::path(delete, path = path::AUTH_SESSIONS, tag = "auth", security(("session" = [])),
    responses((status = 200, body = SessionsEnded), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn end_others(State(doors): State<Doors>, caller: Caller) -> Reply<Json<SessionsEnded>> {
    Ok(Json(doors.authority.end_sessions(&caller, None).await?))
}

/// End one of the caller's sessions.
#[utoipa::path(delete, path = path::AUTH_SESSION_OF, tag = "auth", security(("session" = [])),
    params(("session" = String, Path)),
    responses((status = 200, body = SessionsEnded), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn end_one(
    State(doors): State<Doors>,
    caller: Caller,
    OfSession(id): OfSession,
) -> Reply<Json<SessionsEnded>> {
    Ok(Json(doors.authority.end_sessions(&caller, Some(id)).await?))
}
