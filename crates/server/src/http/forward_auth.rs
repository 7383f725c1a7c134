//! Forward-auth: what nginx (`auth_request`), Traefik, Caddy and HAProxy ask about every request.
//!
//! Answered from memory, in front of the router, without reading a body.

pub mod question;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use nt_api::error::{ErrorBody, ErrorCode};
use nt_api::path;
use nt_api::verification::{
    Authenticated, EXPIRED, INVALID, REVOKED, X_AUTH_EXPIRES, X_AUTH_JTI, X_AUTH_SCOPE,
    X_AUTH_WORKSPACE,
};
use nt_token::Refusal;

use crate::authority::seen::Texts;
use crate::authority::{NotAccepted, Source, Unmet};
use crate::http::Doors;
use crate::http::client_address::{Peer, client_address};
use crate::http::error::ApiError;
use crate::http::forward_auth::question::Question;
use crate::http::request::{named, request_id};

/// Whether the request that a gateway asks about may pass.
#[utoipa::path(get, path = path::TOKEN_AUTH, tag = "verification", security(("workspace_token" = [])),
    params(("workspace" = Option<String>, Query), ("X-Original-URI" = Option<String>, Header),
        ("X-Forwarded-Uri" = Option<String>, Header)),
    responses((status = 200, body = Authenticated), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn get(State(doors): State<Doors>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    answer(&doors, &request, peer)
}

/// Whether the request that a gateway asks about may pass.
#[utoipa::path(post, path = path::TOKEN_AUTH, tag = "verification", security(("workspace_token" = [])),
    params(("workspace" = Option<String>, Query), ("X-Original-URI" = Option<String>, Header),
        ("X-Forwarded-Uri" = Option<String>, Header)),
    responses((status = 200, body = Authenticated), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn post(State(doors): State<Doors>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    answer(&doors, &request, peer)
}

/// The answer to whoever is at the other end of the connection.
pub fn answer<B>(doors: &Doors, request: &axum::http::Request<B>, peer: Option<Peer>) -> Response {
    let headers = request.headers();
    let Some(question) = Question::of(headers, request.uri()) else {
        return refused(Denied::NoToken);
    };
    let source = peer
        .map_or(Source::Unknown, |peer| Source::At(client_address(peer, headers, &doors.proxies)));
    match doors.authority.verify(question.token, &question.demand(source)) {
        Ok(token) => accepted(token.texts()),
        Err(reason) => {
            tracing::debug!(%reason, "a token was not accepted");
            refused(reason.into())
        }
    }
}

/// Why a request may not pass, as far as its sender may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// No token was sent.
    NoToken,
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
    /// It is not good for any other reason.
    Invalid,
    /// It is good, but not for this.
    Unmet(Unmet),
    /// It is not known here whether it is good.
    NotReady,
}

impl From<NotAccepted> for Denied {
    fn from(reason: NotAccepted) -> Self {
        match reason {
            NotAccepted::Revoked => Self::Revoked,
            NotAccepted::Refused(refusal) => refusal.into(),
            NotAccepted::Unmet(unmet) => Self::Unmet(unmet),
            NotAccepted::NotReady => Self::NotReady,
        }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Expired => Self::Expired,
            _ => Self::Invalid,
        }
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Says yes, and who it is.
pub fn accepted(texts: &Texts) -> Response {
    let mut response = Response::new(Body::from(r#"{"authenticated":true}"#));
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    // Parsed identifiers and scopes hold nothing that a header cannot.
    for (name, value) in [
        (X_AUTH_WORKSPACE, &texts.workspace),
        (X_AUTH_JTI, &texts.jti),
        (X_AUTH_SCOPE, &texts.scope),
        (X_AUTH_EXPIRES, &texts.expires),
    ] {
        if let Ok(value) = HeaderValue::from_maybe_shared(value.clone()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Says no. Who cannot know says so by 503, so that the client keeps its token and comes back.
pub fn refused(why: Denied) -> Response {
    let error = match why {
        Denied::NoToken => ApiError::no_token(),
        Denied::Revoked => ApiError::token_refused(ErrorCode::AuthenticationRequired, REVOKED),
        Denied::Expired => ApiError::token_refused(ErrorCode::TokenExpired, EXPIRED),
        Denied::Invalid => ApiError::token_refused(ErrorCode::AuthenticationRequired, INVALID),
        Denied::Unmet(unmet) => ApiError::unmet(unmet),
        Denied::NotReady => ApiError::unavailable("The revocation state is not known here"),
    };
    named(&error, &request_id())
}
