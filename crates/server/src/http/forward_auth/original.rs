//! Which workspace a gateway asks about: the first segment of the original path that is a UUID, and what
//! the gateway's own query says.
//!
//! Whoever is behind the gateway may read the path otherwise than it was sent: `/A/../B`, `/A;x/B`, or
//! with escapes decoded, once or twice. A path that names one workspace to us and another to it binds
//! to none, and no token fits (decision 5).

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, Uri};
use nt_token::WorkspaceId;
use percent_encoding::percent_decode_str;

use crate::authority::Binding;
use crate::http::forward_auth::{appended, own_query};

/// Where gateways say what was asked of them: nginx by our configuration, Traefik and Caddy, and
/// ingress-nginx with the whole URL.
const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-original-uri"),
    HeaderName::from_static("x-forwarded-uri"),
    HeaderName::from_static("x-original-url"),
];

/// How often a path may have been escaped: nobody escapes more often, but to hide something.
const MOST_ESCAPED: usize = 3;

/// What is asked contradicts itself, or cannot be read as one workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contradiction;

type Found = Result<Option<WorkspaceId>, Contradiction>;

/// Which workspace the token must refer to; where several say something, they must agree.
pub(super) fn binding(headers: &HeaderMap, uri: &Uri) -> Binding {
    let in_headers = HEADERS.into_iter().map(|name| in_header(headers, name));
    let in_uri = [appended(uri).map_or(Ok(None), in_path), in_query(own_query(uri))];
    agreed(in_headers.chain(in_uri))
}

/// The same of a path alone, and of a workspace that is named beside it.
pub(crate) fn binding_of_path(path: &str, named: Option<&str>) -> Binding {
    let named = named.map(|text| text.parse().map_err(|_| Contradiction)).transpose();
    agreed([in_path(path), named])
}

fn agreed(all: impl IntoIterator<Item = Found>) -> Binding {
    let mut found = None;
    for workspace in all {
        match (found, workspace) {
            (_, Err(Contradiction)) => return Binding::Contradiction,
            (Some(one), Ok(Some(other))) if one != other => return Binding::Contradiction,
            (None, Ok(Some(one))) => found = Some(one),
            _ => {}
        }
    }
    found.map_or(Binding::None, Binding::To)
}

fn in_header(headers: &HeaderMap, name: HeaderName) -> Found {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => in_path(value.to_str().map_err(|_| Contradiction)?),
        (Some(_), Some(_)) => Err(Contradiction),
    }
}

/// The first path segment that is a UUID, of a path or of a URL.
fn in_path(uri: &str) -> Found {
    let path = path_of(uri.split('?').next().unwrap_or_default());
    // No client sends a fragment, and services differ in what they make of one.
    if path.contains('#') {
        return Err(Contradiction);
    }
    let sent = first_uuid(path.split(['/', '\\']));
    let mut path = Cow::Borrowed(path);
    for _ in 0..=MOST_ESCAPED {
        let decoded = percent_decode_str(&path).decode_utf8().map_err(|_| Contradiction)?;
        let has_dots = segments(&decoded).any(|segment| matches!(segment, "." | ".."));
        let read = first_uuid(segments(&decoded));
        if sent != read || (has_dots && read.is_some()) {
            return Err(Contradiction);
        }
        if decoded == path {
            return Ok(sent);
        }
        path = Cow::Owned(decoded.into_owned());
    }
    Err(Contradiction)
}

/// Only what does not begin as a path can be a URL: `/B/x://h/A` is a path.
fn path_of(uri: &str) -> &str {
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| uri.strip_prefix(scheme));
    match rest {
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => uri,
    }
}

/// As a service may read them: without parameters (RFC 3986, section 3.3).
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '\\']).map(|segment| segment.split(';').next().unwrap_or_default())
}

fn first_uuid<'a>(mut segments: impl Iterator<Item = &'a str>) -> Option<WorkspaceId> {
    segments.find_map(|segment| segment.parse().ok())
}

fn in_query(query: &str) -> Found {
    let mut found = None;
    for pair in query.split('&') {
        let Some(value) = pair.strip_prefix("workspace=") else { continue };
        if found.is_some() {
            return Err(Contradiction);
        }
        found = Some(value.parse().map_err(|_| Contradiction)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "8f14e45f-ceea-467f-a0e6-0f6b1c2d3e4f";
    const B: &str = "c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b";

    fn bound_by(headers: &[(&'static str, &str)], target: &str) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header value"));
        }
        match binding(&map, &format!("/v1/token_auth{target}").parse().expect("a URI")) {
            Binding::None => Some("none".to_owned()),
            Binding::To(workspace) => Some(workspace.to_string()),
            Binding::Contradiction => None,
        }
    }

    fn bound(original: &str) -> Option<String> {
        bound_by(&[("x-original-uri", original)], "")
    }

    #[test]
    fn the_first_uuid_of_the_path_binds_and_nothing_does_where_there_is_none() {
        for path in [format!("/{A}/x"), format!("/api/{A}"), format!("/{A}/{B}?x={B}")] {
            assert_eq!(bound(&path).as_deref(), Some(A), "{path}");
            let url = format!("https://h.example{path}");
            assert_eq!(bound_by(&[("x-original-url", &url)], "").as_deref(), Some(A), "{url}");
            assert_eq!(bound_by(&[("x-forwarded-uri", &path)], "").as_deref(), Some(A), "{path}");
        }
        for nowhere in ["/plain/path", "/", "*", "", "https://h.example", "/x?y=https://h/z"] {
            assert_eq!(bound(nowhere).as_deref(), Some("none"), "{nowhere}");
        }
        assert_eq!(bound_by(&[], "").as_deref(), Some("none"));
        assert_eq!(bound_by(&[], &format!("?workspace={B}")).as_deref(), Some(B));
    }

    #[test]
    fn the_path_that_a_gateway_appends_to_ours_binds_and_the_query_behind_it_is_not_ours() {
        assert_eq!(bound_by(&[], &format!("/{A}/x?workspace={B}")).as_deref(), Some(A));
        assert_eq!(bound_by(&[], &format!("/plain?workspace={B}")).as_deref(), Some("none"));
        let other = format!("/{B}/x");
        assert_eq!(bound_by(&[("x-forwarded-uri", &other)], &format!("/{A}/x")), None);
    }

    #[test]
    fn what_contradicts_itself_binds_to_nothing_that_a_token_could_match() {
        let a = format!("/{A}");
        let of = |query: &str| bound_by(&[("x-original-uri", &a)], query);
        assert_eq!(of(&format!("?workspace={B}")), None);
        assert_eq!(of(&format!("?workspace={A}")).as_deref(), Some(A));
        assert_eq!(bound_by(&[], "?workspace=not-a-uuid"), None);
        assert_eq!(bound_by(&[], &format!("?workspace={A}&workspace={B}")), None);
        let twice = [("x-original-uri", a.as_str()), ("x-original-uri", a.as_str())];
        assert_eq!(bound_by(&twice, ""), None);
        let url = format!("https://h.example/{B}");
        assert_eq!(bound_by(&[("x-original-uri", &a), ("x-original-url", &url)], ""), None);
    }

    #[test]
    fn a_path_that_others_may_read_otherwise_is_refused() {
        let encoded = A.replace('8', "%38");
        for path in [
            format!("/{A}/../{B}/secret"),
            format!("/{A}/%2e%2e/{B}/secret"),
            format!("/{A}/%252E%252e/{B}/secret"),
            format!("/{A}/..%2f{B}/secret"),
            format!("/{A}/..;/{B}/secret"),
            format!("/x%2f{B}/{A}"),
            format!("/x%252f{B}/{A}"),
            format!("/{B};x=1/{A}"),
            format!("/x#/../{A}"),
            format!("/{encoded}/x"),
            format!("/%ff/{A}"),
            format!("/{A}/%2525252525"),
        ] {
            assert_eq!(bound(&path), None, "{path}");
        }
    }

    #[test]
    fn a_path_in_which_a_url_stands_is_a_path() {
        assert_eq!(bound(&format!("/{A}/x://h/{B}/secret")).as_deref(), Some(A));
        assert_eq!(bound(&format!("/{A}/https://h/{B}")).as_deref(), Some(A));
        assert_eq!(bound(&format!("/{A}/100%25%20of%20%252F")).as_deref(), Some(A));
    }
}
