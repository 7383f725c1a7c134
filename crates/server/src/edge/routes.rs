//! The doors of an edge.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, Request, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::body::Incoming;
use nt_api::health::Health;
use nt_api::path;
use nt_token::clock::{Clock as _, SystemClock};
use nt_verifier::Freshness;

use crate::authority::{Demand, limits};
use crate::edge::{Edge, metrics as measured_here};
use crate::http::answering::Answering;
use crate::http::client_address::Neighbour;
use crate::http::error::{ApiError, Reply};
use crate::http::forward_auth::denied::{Denied, IllAsked};
use crate::http::forward_auth::question::Question;
use crate::http::forward_auth::{accepted, own_query, refused, unread};
use crate::http::judge::{Accepted, Judge as _};
use crate::http::request;
use crate::http::token_review::{self, Reviewed};
use crate::metrics;

/// All of them. The one that every request waits for is answered in front of them, by
/// [`token_auth`].
pub(super) fn router(edge: Arc<Edge>) -> Router {
    let router = Router::new()
        .route(path::HEALTH, get(health))
        .route("/livez", get(async || StatusCode::NO_CONTENT))
        .route("/readyz", get(readyz))
        .route("/metrics", get(measured))
        .route(path::TOKEN_REVIEW, post(review))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(edge);
    request::observed(router, None)
}

/// Whether the request that a gateway asks about may pass.
pub(super) fn token_auth(
    edge: &Arc<Edge>,
    request: Request<Incoming>,
    neighbour: Neighbour,
) -> Answering {
    let (headers, uri) = (request.headers(), request.uri());
    let asked = Question::of(headers, uri).and_then(|question| Ok((question, freshness(uri)?)));
    let (question, fresh) = match asked {
        Ok(asked) => asked,
        Err(why) => return Answering::now(unread::left(request, refused(why, &[]))),
    };
    let (token, demand) = question.demand(neighbour.source(headers, &edge.proxies));
    if let Some(verdict) = edge.at_once(token, &demand, fresh) {
        return Answering::now(unread::left(request, answer(&verdict, &demand)));
    }
    let (edge, token) = (Arc::clone(edge), token.to_owned());
    Answering::later(async move {
        let verdict = edge.judge(&token, &demand, fresh).await;
        unread::left(request, answer(&verdict, &demand))
    })
}

fn answer(verdict: &Result<Accepted, Denied>, demand: &Demand) -> Response {
    match verdict {
        Ok(token) => accepted(token.texts()),
        Err(why) => refused(*why, &demand.scopes),
    }
}

/// `freshness=sync` has the authority asked about this very token; of several the strictest counts.
/// What is neither that nor `local` is an error: who meant to be strict is not to get less.
fn freshness(uri: &Uri) -> Result<Freshness, IllAsked> {
    let pairs = own_query(uri).split('&');
    let mut fresh = Freshness::Local;
    for value in pairs.filter_map(|pair| pair.strip_prefix("freshness=")) {
        match value {
            "local" => {}
            "sync" => fresh = Freshness::Sync,
            _ => return Err(IllAsked::FRESHNESS),
        }
    }
    Ok(fresh)
}

async fn review(State(edge): State<Arc<Edge>>, body: token_review::Body) -> Reply<Reviewed> {
    token_review::reviewed(&*edge, body).await
}

async fn health() -> Json<Health> {
    Json(Health {
        status: "healthy".to_owned(),
        service: "ntd edge".to_owned(),
        timestamp: SystemClock.now().into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

async fn readyz(State(edge): State<Arc<Edge>>) -> Reply<&'static str> {
    if edge.is_ready().await {
        Ok("ready\n")
    } else {
        Err(ApiError::unavailable("The revocation state is not known here"))
    }
}

async fn measured(State(edge): State<Arc<Edge>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, metrics::MEDIA_TYPE)], metrics::text(measured_here::measured(&edge)))
}
