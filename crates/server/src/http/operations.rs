//! Whether it works, and with which keys.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, Response, StatusCode};
use nt_api::error::ErrorBody;
use nt_api::health::Health;
use nt_api::path;

use crate::authority::limits;
use crate::http::Doors;
use crate::http::conditional::answer;
use crate::http::error::{ApiError, Reply};
use crate::metrics;
use crate::published::Published;

/// The keys that sign tokens and what else the authority states (RFC 7517), to be kept for a minute: a
/// new key is among them for as long before anything is signed with it.
///
/// They are sent as `application/json`, which every client takes. RFC 7517 registers
/// `application/jwk-set+json` for them, and demands it of nobody.
#[utoipa::path(get, path = path::JWKS, tag = "verification",
    responses((status = 200, content_type = "application/json", description = "A JWK set"),
        (status = 304, description = "It is the one that the caller has")))]
pub async fn jwks(State(doors): State<Doors>, headers: HeaderMap) -> Response<Body> {
    let keys = serde_json::to_vec(&doors.authority.keyring().jwks()).expect("strings serialise");
    answer(&Published::new(keys.into()), &headers, "application/json", limits::JWKS_CACHED)
}

/// Whether the authority answers, for people and programs.
#[utoipa::path(get, path = path::HEALTH, tag = "operations",
    responses((status = 200, body = Health)))]
pub async fn health(State(doors): State<Doors>) -> Json<Health> {
    Json(Health {
        status: "healthy".to_owned(),
        service: "ntd".to_owned(),
        timestamp: doors.authority.clock().now().into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/livez", tag = "operations", responses((status = 204)))]
pub async fn livez() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Whether verdicts can be given.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200), (status = 503, body = ErrorBody)))]
pub async fn readyz(State(doors): State<Doors>) -> Reply<&'static str> {
    match doors.authority.not_ready() {
        None => Ok("ready\n"),
        Some(why) => Err(ApiError::unavailable(format!("Not ready: {why}"))),
    }
}

/// What the authority measures, as OpenMetrics.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub async fn measured(State(doors): State<Doors>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, metrics::MEDIA_TYPE)], metrics::text(doors.authority.measured()))
}
