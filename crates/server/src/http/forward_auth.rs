//! Forward-auth: what nginx (`auth_request`), Traefik, Caddy, HAProxy and Envoy's HTTP client ask about
//! every request.
//!
//! Answered from memory, in front of the router, without reading a body.

pub mod denied;
pub mod original;
pub mod question;
pub mod scopes;
pub mod unread;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::Response;
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::verification::{Authenticated, X_AUTH_UNMET};
use nt_token::Scope;

use crate::authority::Source;
use crate::authority::seen::{Last, Texts};
use crate::http::Doors;
use crate::http::client_address::{Neighbour, Peer};
use crate::http::forward_auth::denied::Denied;
use crate::http::forward_auth::question::Question;
use crate::http::identity;
use crate::http::request::{named, request_id};

/// Whether the request that a gateway asks about may pass. Every method is answered alike: some
/// gateways ask by the one of the request that they ask about.
#[utoipa::path(get, path = path::TOKEN_AUTH, tag = "verification", security(("workspace_token" = [])),
    params(("workspace" = Option<String>, Query), ("scope" = Option<String>, Query),
        ("X-Auth-Required-Scope" = Option<String>, Header), ("X-Original-URI" = Option<String>, Header),
        ("X-Forwarded-Uri" = Option<String>, Header), ("X-Original-URL" = Option<String>, Header)),
    responses((status = 200, body = Authenticated), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn get(State(doors): State<Doors>, request: Request) -> Response {
    by_extension(&doors, &request)
}

/// Whether the request that a gateway asks about may pass. Every method is answered alike: some
/// gateways ask by the one of the request that they ask about.
#[utoipa::path(post, path = path::TOKEN_AUTH, tag = "verification", security(("workspace_token" = [])),
    params(("workspace" = Option<String>, Query), ("scope" = Option<String>, Query),
        ("X-Auth-Required-Scope" = Option<String>, Header), ("X-Original-URI" = Option<String>, Header),
        ("X-Forwarded-Uri" = Option<String>, Header), ("X-Original-URL" = Option<String>, Header)),
    responses((status = 200, body = Authenticated), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn post(State(doors): State<Doors>, request: Request) -> Response {
    by_extension(&doors, &request)
}

fn by_extension(doors: &Doors, request: &Request) -> Response {
    let peer = request.extensions().get::<Peer>();
    let source = peer.map_or(Source::Unknown, |peer| {
        Neighbour::Peer(*peer).source(request.headers(), &doors.proxies)
    });
    answer(doors, request.headers(), request.uri(), source, None)
}

/// The answer about a request that comes from there, over a connection on which this token was last.
pub fn answer(
    doors: &Doors,
    headers: &HeaderMap,
    uri: &Uri,
    source: Source,
    last: Option<&Last>,
) -> Response {
    let (token, demand) = match Question::of(headers, uri) {
        Ok(question) => question.demand(source),
        Err(why) => return refused(why, &[]),
    };
    match doors.authority.verify_after(token, &demand, last) {
        Ok(token) => accepted(token.texts()),
        Err(reason) => {
            tracing::debug!(%reason, "a token was not accepted");
            refused(reason.into(), &demand.scopes)
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
    identity::say(headers, texts);
    response
}

/// Says no. A token without a scope is told which are needed.
pub fn refused(why: Denied, needed: &[Scope]) -> Response {
    let mut response = named(&why.error(needed), &request_id());
    if let Denied::Unmet(unmet) = why {
        let unmet = HeaderValue::from_static(unmet.name());
        response.headers_mut().insert(HeaderName::from_static(X_AUTH_UNMET), unmet);
    }
    response
}

/// Whether this path asks: ours, or ours with the original path behind it, as Envoy's HTTP client
/// writes it (`path_prefix`).
pub fn is_asked(path: &str) -> bool {
    path.strip_prefix(path::TOKEN_AUTH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The original path, where a gateway appended it to ours.
fn appended(uri: &Uri) -> Option<&str> {
    uri.path().strip_prefix(path::TOKEN_AUTH).filter(|rest| !rest.is_empty())
}

/// The query that the gateway's settings have. Behind an appended path stands the client's, which
/// demands nothing.
pub fn own_query(uri: &Uri) -> &str {
    match appended(uri) {
        None => uri.query().unwrap_or_default(),
        Some(_) => "",
    }
}
