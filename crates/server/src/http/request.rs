//! What happens to every request: it gets an id, a time limit, a line in the log, and its error a
//! body that names the id.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use nt_api::path::TOKEN_AUTH;
use nt_token::clock::Stopwatch;
use tracing::Instrument as _;

use crate::authority::entropy::random;
use crate::authority::limits;
use crate::http::error::ApiError;

/// Names the request in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The router with all that around it. Where it is an API that describes itself at this URL, its
/// challenges say so.
pub fn observed(router: Router, described_at: Option<&str>) -> Router {
    let quotable = described_at.filter(|url| !url.contains(['"', '\\']));
    let pointer = quotable.map(|url| format!(", resource_metadata=\"{url}\"").into());
    router.layer(from_fn_with_state(pointer, observe))
}

/// What a challenge says more (RFC 9728, section 5.1).
type Pointer = Option<Arc<str>>;

async fn observe(State(pointer): State<Pointer>, request: Request, next: Next) -> Response {
    let id = request_id();
    let span = tracing::info_span!("request", id = %id);
    let line = Line::new(&request);
    let is_forward_auth = line.route == TOKEN_AUTH;
    let mut response = async {
        let answered = tokio::time::timeout(limits::REQUEST_WAIT, next.run(request)).await;
        let response = answered.unwrap_or_else(|_| {
            ApiError::unavailable("The request took longer than it may").into_response()
        });
        line.log(response.status());
        response
    }
    .instrument(span)
    .await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let status_only = response;
        response = error.respond(&id);
        // Headers that the route had set, such as `Allow` beside a 405, stay.
        for (name, value) in status_only.headers() {
            if !response.headers().contains_key(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    // What a gateway asks about is a resource of somebody else.
    if let Some(pointer) = pointer.filter(|_| !is_forward_auth) {
        point(&mut response, &pointer);
    }
    name(&mut response, &id);
    response
}

/// Lets a challenge for a bearer token say where the API is described.
fn point(response: &mut Response, pointer: &str) {
    let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let Some(challenge) = challenge.filter(|challenge| challenge.starts_with("Bearer ")) else {
        return;
    };
    if let Ok(value) = HeaderValue::try_from(format!("{challenge}{pointer}")) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
}

/// The answer to a request that failed, in which the request is named.
pub fn named(error: &ApiError, id: &str) -> Response {
    let mut response = error.respond(id);
    name(&mut response, id);
    response
}

fn name(response: &mut Response, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// The line in the log. The path as the router knows it, without what callers put in it: a query or
/// a mistaken path may hold a secret.
struct Line {
    method: axum::http::Method,
    route: String,
    since: Stopwatch,
}

impl Line {
    fn new(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        let route = route.map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
        Self { method: request.method().clone(), route, since: Stopwatch::start() }
    }

    fn log(&self, status: StatusCode) {
        let (method, route, status) = (&self.method, &self.route, status.as_u16());
        let took: Duration = self.since.elapsed();
        tracing::debug!(%method, route, status, ?took, "answered");
    }
}

/// 80 random bits: enough to find a line of the log by, and nothing depends on it.
pub fn request_id() -> String {
    let bytes: [u8; 10] = random().unwrap_or_default();
    bytes.iter().fold("req_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}
