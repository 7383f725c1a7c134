//! What clients may learn of the resource behind us before they have a token (RFC 9728), and where the
//! answer to a request without a good one sends them (section 5.1; RFC 6750, section 3).

use std::str::FromStr;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use nt_token::Scope;
use serde_json::json;

use crate::http::error::ApiError;
use crate::http::request::{named, request_id};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The URL that clients know the upstream by: its resource identifier (RFC 9728, section 1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    identifier: String,
    /// Where it is described, as a path.
    path: String,
    /// The same, as a URL.
    url: String,
}

impl FromStr for Resource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NONE: &str = "use the URL that clients have, such as https://mcp.example.com/mcp";
        let uri: Uri = text.parse().map_err(|_| NONE)?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or(NONE)?;
        // It stands between quotation marks in a header.
        let is_plain = !text.contains(['?', '#', '@', '"', '\\']) && text.is_ascii();
        if !matches!(scheme, "http" | "https") || !is_plain {
            return Err(NONE);
        }
        // Section 3.1: the well-known part stands between the host and the path.
        let path = format!("{WELL_KNOWN}{}", uri.path().trim_end_matches('/'));
        let url = format!("{scheme}://{authority}{path}");
        Ok(Self { identifier: text.to_owned(), path, url })
    }
}

/// How a request without a good token is answered, and what describes the resource.
#[derive(Debug)]
pub(super) struct Challenge {
    resource: Option<Resource>,
    scopes: Vec<Scope>,
    /// What is added to a challenge: the description, and the scopes where it does not say them.
    described: String,
    demanded: String,
}

impl Challenge {
    pub(super) fn new(resource: Option<Resource>, scopes: Vec<Scope>) -> Self {
        let described = resource.as_ref().map(|it| format!(", resource_metadata=\"{}\"", it.url));
        let demanded = (!scopes.is_empty()).then(|| format!(", scope=\"{}\"", listed(&scopes)));
        let (described, demanded) = (described.unwrap_or_default(), demanded.unwrap_or_default());
        Self { resource, scopes, described, demanded }
    }

    /// Says in an answer's challenge, where it has one, what describes the resource, and what a token
    /// must have.
    pub(super) fn complete(&self, headers: &mut HeaderMap) {
        let Some(challenge) = headers.get(WWW_AUTHENTICATE) else { return };
        let Ok(begun) = challenge.to_str() else { return };
        let demanded = if begun.contains(" scope=") { "" } else { &self.demanded };
        if let Ok(whole) = HeaderValue::try_from(format!("{begun}{demanded}{}", self.described)) {
            headers.insert(WWW_AUTHENTICATE, whole);
        }
    }

    /// The answer to a request for the description; `None` where the path is another, or the upstream
    /// describes itself.
    pub(super) fn describe(
        &self,
        method: &Method,
        path: &str,
        issuer: Option<&str>,
    ) -> Option<Response> {
        let resource = self.resource.as_ref()?;
        let below = path.strip_prefix(WELL_KNOWN)?;
        if !below.is_empty() && !below.starts_with('/') {
            return None;
        }
        // Clients that were not told look for the path's description first, then for the root's.
        if path != resource.path && !matches!(below, "" | "/") {
            return Some(named(&ApiError::not_found(), &request_id()));
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = named(&ApiError::method_not_allowed(), &request_id());
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(refused);
        }
        let Some(issuer) = issuer else {
            let error = ApiError::unavailable("The authority was not heard yet");
            return Some(named(&error, &request_id()));
        };
        let mut metadata = json!({
            "resource": resource.identifier,
            "authorization_servers": [issuer],
            "bearer_methods_supported": ["header"],
        });
        if !self.scopes.is_empty() {
            metadata["scopes_supported"] = json!(self.scopes);
        }
        let mut response = Response::new(Body::from(metadata.to_string()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        // There is no secret in it, and a client in a browser is from somewhere else.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        debug_assert_eq!(response.status(), StatusCode::OK);
        Some(response)
    }
}

fn listed(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(resource: &str) -> Challenge {
        let scopes = vec!["read".parse().expect("a scope"), "write".parse().expect("a scope")];
        Challenge::new(Some(resource.parse().expect("a URL")), scopes)
    }

    fn status(challenge: &Challenge, method: &Method, path: &str) -> Option<u16> {
        let answer = challenge.describe(method, path, Some("http://a"));
        answer.map(|response| response.status().as_u16())
    }

    #[test]
    fn the_well_known_part_stands_between_the_host_and_the_path() {
        for (resource, url) in [
            ("https://h.example", "https://h.example/.well-known/oauth-protected-resource"),
            ("https://h.example/", "https://h.example/.well-known/oauth-protected-resource"),
            ("http://h:1/a/mcp", "http://h:1/.well-known/oauth-protected-resource/a/mcp"),
        ] {
            assert_eq!(resource.parse::<Resource>().expect("a URL").url, url);
        }
        for text in
            ["", "/mcp", "h.example", "ftp://a", "https://a/?b", "https://u@a", "https://a/\""]
        {
            assert!(text.parse::<Resource>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_description_is_found_by_its_own_path_and_by_the_root_and_by_no_other() {
        let at = challenge("https://h.example/mcp");
        let get = |path: &str| status(&at, &Method::GET, path);
        assert_eq!(get("/.well-known/oauth-protected-resource/mcp"), Some(200));
        assert_eq!(get("/.well-known/oauth-protected-resource"), Some(200));
        assert_eq!(get("/.well-known/oauth-protected-resource/other"), Some(404));
        assert_eq!(get("/.well-known/oauth-protected-resources"), None);
        assert_eq!(get("/mcp"), None);
        let post = status(&at, &Method::POST, "/.well-known/oauth-protected-resource");
        assert_eq!(post, Some(405));
        let unheard = at.describe(&Method::GET, "/.well-known/oauth-protected-resource", None);
        assert_eq!(unheard.map(|response| response.status().as_u16()), Some(503));
        let none = Challenge::new(None, Vec::new());
        assert_eq!(status(&none, &Method::GET, "/.well-known/oauth-protected-resource"), None);
    }

    #[test]
    fn a_challenge_names_the_description_and_the_scopes_and_an_answer_without_one_gets_none() {
        let mut headers = HeaderMap::new();
        challenge("https://h.example/mcp").complete(&mut headers);
        assert!(headers.is_empty());
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ntd\""));
        challenge("https://h.example/mcp").complete(&mut headers);
        let whole = "Bearer realm=\"ntd\", scope=\"read write\", resource_metadata=\"\
                     https://h.example/.well-known/oauth-protected-resource/mcp\"";
        assert_eq!(headers[WWW_AUTHENTICATE], whole);
    }
}
