//! The doors: parse, ask the authority, answer.
//!
//! Paths are matched exactly. The one request that every API call of our users waits for,
//! `/v1/token_auth`, is answered in front of the router (see [`serve`]).

pub mod answering;
pub mod audit;
pub mod auth;
pub mod client_address;
pub mod client_certificates;
pub mod clients;
pub mod conditional;
pub mod connection;
pub mod error;
pub mod ext_authz;
pub mod extract;
pub mod forward_auth;
pub mod identity;
pub mod judge;
pub mod members;
pub mod oauth;
pub mod openapi;
pub mod operations;
pub mod prefer;
pub mod request;
pub mod request_body;
pub mod serve;
pub mod status_lists;
pub mod token_review;
pub mod tokens;
pub mod verifiers;
pub mod workspaces;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use ipnet::IpNet;
use nt_api::path::{RESOURCE_METADATA, SERVER_METADATA};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::authority::{Authority, limits};
use crate::http::error::ApiError;
use crate::tls::clients::CertificateDemand;

/// What the doors lead to.
#[derive(Clone)]
pub struct Doors {
    /// The authority.
    pub authority: Arc<Authority>,
    /// Whose forwarded addresses count.
    pub proxies: Vec<IpNet>,
    /// Whether whoever asks at `/oauth2/*` shows a client certificate too.
    pub client_certificate: CertificateDemand,
}

/// All doors, and the development provider's where there is one.
pub fn router(doors: Doors, development: Option<Router>) -> Router {
    let resource = oauth::metadata::resource_metadata_url(doors.authority.issuer());
    let (router, document) = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(auth::token_exchange))
        .routes(routes!(auth::configuration))
        .routes(routes!(auth::session, auth::sign_out))
        .routes(routes!(auth::sessions, auth::end_others))
        .routes(routes!(auth::end_one))
        .routes(routes!(workspaces::create, workspaces::list))
        .routes(routes!(workspaces::show, workspaces::update, workspaces::delete))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::change, members::remove))
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::show, tokens::revoke))
        .routes(routes!(tokens::refresh))
        .routes(routes!(tokens::receipt))
        .routes(routes!(tokens::revocation))
        .routes(routes!(verifiers::add, verifiers::list))
        .routes(routes!(verifiers::remove))
        .routes(routes!(audit::list))
        .routes(routes!(forward_auth::get, forward_auth::post))
        .routes(routes!(token_review::review))
        .routes(routes!(clients::add, clients::list))
        .routes(routes!(clients::remove))
        .routes(routes!(oauth::introspect::introspect))
        .routes(routes!(oauth::revoke::revoke))
        .routes(routes!(oauth::metadata::server))
        .routes(routes!(oauth::metadata::resource))
        .routes(routes!(operations::jwks))
        .routes(routes!(status_lists::all))
        .routes(routes!(status_lists::one))
        .routes(routes!(operations::health))
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::measured))
        .split_for_parts();
    let router = router
        .route("/openapi.json", openapi::serve(&document))
        .route(&format!("{SERVER_METADATA}/{{*below}}"), get(oauth::metadata::server_below))
        .route(&format!("{RESOURCE_METADATA}/{{*below}}"), get(oauth::metadata::resource_below))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(from_fn_with_state(doors.client_certificate, client_certificates::demanded))
        .with_state(doors);
    let router = match development {
        Some(provider) => router.merge(provider),
        None => router,
    };
    request::observed(router, Some(&resource))
}
