//! The description of the API, generated from the code that serves it.

use axum::http::header::CONTENT_TYPE;
use axum::routing::{MethodRouter, get};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use crate::http::Doors;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "ntd",
        description = "The authority for workspace tokens: it signs them, remembers them, revokes \
                       them, and answers whether one is good right now."
    ),
    tags(
        (name = "auth", description = "Signing in and out"),
        (name = "workspaces", description = "What tokens belong to"),
        (name = "members", description = "Who belongs to a workspace, and as what"),
        (name = "tokens", description = "Issuing, listing, refreshing and revoking"),
        (name = "verification", description = "Whether a token is good right now"),
        (name = "oauth", description = "What standard OAuth clients know, and which may use it"),
        (name = "verifiers", description = "Which services follow the log and check tokens by it"),
        (name = "audit", description = "What people and tokens did"),
        (name = "operations", description = "Whether the authority works"),
    )
)]
struct Document;

/// The document, before the paths are added.
pub fn document() -> OpenApi {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = || SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("session", bearer());
    components.add_security_scheme("workspace_token", bearer());
    let basic = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
    components.add_security_scheme("client", basic);
    document
}

/// Serves the document, written once.
pub fn serve(document: &OpenApi) -> MethodRouter<Doors> {
    let json = document.to_pretty_json().unwrap_or_default();
    get(move || {
        let json = json.clone();
        async move { ([(CONTENT_TYPE, "application/json")], json) }
    })
}
