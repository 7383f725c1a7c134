//! What is published of the authority: RFC 8414 for clients, RFC 9728 for its own API. Every URL begins
//! with the issuer, which is where a proxy in front has the authority.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use nt_api::oauth::{ResourceMetadata, ServerMetadata};
use nt_api::path;

use crate::authority::limits;
use crate::http::Doors;
use crate::http::error::{ApiError, Reply};

type Published<T> = ([(HeaderName, &'static str); 1], Json<T>);

/// What the authority offers to OAuth clients (RFC 8414). Where the issuer has a path, the same is
/// below it.
#[utoipa::path(get, path = path::SERVER_METADATA, tag = "oauth",
    responses((status = 200, body = ServerMetadata)))]
pub async fn server(State(doors): State<Doors>) -> Published<ServerMetadata> {
    published(server_metadata(doors.authority.issuer()))
}

/// What the authority's own API is to OAuth clients (RFC 9728). Where the issuer has a path, the same is
/// below it.
#[utoipa::path(get, path = path::RESOURCE_METADATA, tag = "oauth",
    responses((status = 200, body = ResourceMetadata)))]
pub async fn resource(State(doors): State<Doors>) -> Published<ResourceMetadata> {
    published(resource_metadata(doors.authority.issuer()))
}

/// The same, where RFC 8414, section 3.1, has it for an issuer with a path.
pub async fn server_below(
    State(doors): State<Doors>,
    Path(below): Path<String>,
) -> Reply<Published<ServerMetadata>> {
    of_issuer(&below, doors.authority.issuer())?;
    Ok(published(server_metadata(doors.authority.issuer())))
}

/// The same, where RFC 9728, section 3.1, has it for a resource with a path.
pub async fn resource_below(
    State(doors): State<Doors>,
    Path(below): Path<String>,
) -> Reply<Published<ResourceMetadata>> {
    of_issuer(&below, doors.authority.issuer())?;
    Ok(published(resource_metadata(doors.authority.issuer())))
}

/// Where the metadata of the API is published, for challenges (RFC 9728, section 5.1).
pub fn resource_metadata_url(issuer: &str) -> String {
    let (origin, below) = split(issuer);
    format!("{origin}{}{below}", path::RESOURCE_METADATA)
}

fn of_issuer(below: &str, issuer: &str) -> Result<(), ApiError> {
    let (_, path) = split(issuer);
    if path.strip_prefix('/') == Some(below) { Ok(()) } else { Err(ApiError::not_found()) }
}

/// An issuer's origin, and its path without the slash at its end.
fn split(issuer: &str) -> (&str, &str) {
    let issuer = issuer.trim_end_matches('/');
    let host = issuer.find("://").map_or(0, |scheme| scheme + 3);
    let path = issuer[host..].find('/').map_or(issuer.len(), |path| host + path);
    issuer.split_at(path)
}

fn published<T>(document: T) -> Published<T> {
    ([(CACHE_CONTROL, limits::JWKS_CACHED)], Json(document))
}

fn server_metadata(issuer: &str) -> ServerMetadata {
    let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    let methods = ["client_secret_basic", "client_secret_post"].map(str::to_owned);
    let mut asking = methods.to_vec();
    // The registry of access token types counts here (RFC 8414, section 2), and only here.
    asking.push("Bearer".to_owned());
    ServerMetadata {
        issuer: issuer.to_owned(),
        jwks_uri: at(path::JWKS),
        introspection_endpoint: at(path::INTROSPECT),
        introspection_endpoint_auth_methods_supported: asking,
        revocation_endpoint: at(path::OAUTH_REVOKE),
        revocation_endpoint_auth_methods_supported: methods.to_vec(),
        status_list_aggregation_endpoint: at(path::STATUS_LISTS),
        response_types_supported: Vec::new(),
        grant_types_supported: Vec::new(),
    }
}

fn resource_metadata(issuer: &str) -> ResourceMetadata {
    ResourceMetadata {
        resource: issuer.to_owned(),
        authorization_servers: vec![issuer.to_owned()],
        bearer_methods_supported: vec!["header".to_owned()],
        resource_name: "ntd, the authority for workspace tokens".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_issuer_comes_after_the_well_known_one_and_before_the_endpoints() {
        for (issuer, metadata, introspection) in [
            (
                "https://a.example",
                "https://a.example/.well-known/oauth-protected-resource",
                "https://a.example/oauth2/introspect",
            ),
            (
                "http://127.0.0.1:8480/",
                "http://127.0.0.1:8480/.well-known/oauth-protected-resource",
                "http://127.0.0.1:8480/oauth2/introspect",
            ),
            (
                "https://a.example/tokens/eu",
                "https://a.example/.well-known/oauth-protected-resource/tokens/eu",
                "https://a.example/tokens/eu/oauth2/introspect",
            ),
        ] {
            assert_eq!(resource_metadata_url(issuer), metadata);
            let document = server_metadata(issuer);
            assert_eq!(document.introspection_endpoint, introspection);
            assert_eq!(document.issuer, issuer, "as the tokens have it, to the letter");
        }
    }

    #[test]
    fn below_the_well_known_path_is_nothing_but_the_issuers() {
        assert!(of_issuer("tokens/eu", "https://a.example/tokens/eu").is_ok());
        for (below, issuer) in [
            ("tokens", "https://a.example/tokens/eu"),
            ("tokens/eu/", "https://a.example/tokens/eu"),
            ("tokens/eu", "https://a.example"),
            ("", "https://a.example"),
            ("tokens", "no address"),
        ] {
            assert!(of_issuer(below, issuer).is_err(), "{below} of {issuer}");
        }
    }
}
