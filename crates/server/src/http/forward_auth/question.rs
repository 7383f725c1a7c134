//! What a gateway asks: a token, and for which workspace it must be.

use axum::http::{HeaderMap, Uri};
use nt_token::WorkspaceId;
use percent_encoding::percent_decode_str;

use crate::authority::{Binding, Demand, Source};
use crate::http::extract::bearer;

/// What a gateway asks, whoever answers it.
#[derive(Debug)]
pub struct Question<'a> {
    /// The token that was sent.
    pub token: &'a str,
    /// Which workspace it must be for.
    pub binding: Binding,
}

impl<'a> Question<'a> {
    /// The same, as what is demanded of the token that is used from there.
    pub fn demand(&self, source: Source) -> Demand {
        Demand { binding: self.binding, scopes: Vec::new(), source }
    }

    /// `None` where no token was sent.
    pub fn of(headers: &'a HeaderMap, uri: &Uri) -> Option<Self> {
        Some(Self { token: bearer(headers)?, binding: binding(headers, uri) })
    }
}

/// Which workspace the token must refer to: the first segment of the original path that is a UUID,
/// and what the query says; where both say something, they must agree.
fn binding(headers: &HeaderMap, uri: &Uri) -> Binding {
    let original = ["x-original-uri", "x-forwarded-uri"].map(|name| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => in_path(value.to_str().map_err(|_| Contradiction)?),
            (Some(_), Some(_)) => Err(Contradiction),
        }
    });
    let [original, forwarded] = original;
    let mut found = None;
    for workspace in [original, forwarded, in_query(uri)] {
        match (found, workspace) {
            (_, Err(Contradiction)) => return Binding::Contradiction,
            (Some(one), Ok(Some(other))) if one != other => return Binding::Contradiction,
            (None, Ok(Some(one))) => found = Some(one),
            _ => {}
        }
    }
    found.map_or(Binding::None, Binding::To)
}

/// What is asked contradicts itself, or cannot be read as one workspace.
pub(crate) struct Contradiction;

/// The first path segment that is a UUID.
///
/// The service behind the gateway may read the path otherwise than it was sent: `/A/../B`, or with
/// escapes decoded. A path that names one workspace to us and another to it is refused.
pub(crate) fn in_path(uri: &str) -> Result<Option<WorkspaceId>, Contradiction> {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path,
    };
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| Contradiction)?;
    let has_dots = decoded.split(['/', '\\']).any(|segment| segment == "." || segment == "..");
    let (sent, read) = (first_uuid(path), first_uuid(&decoded));
    if sent != read || (has_dots && read.is_some()) {
        return Err(Contradiction);
    }
    Ok(read)
}

fn first_uuid(path: &str) -> Option<WorkspaceId> {
    path.split(['/', '\\']).find_map(|segment| segment.parse().ok())
}

fn in_query(uri: &Uri) -> Result<Option<WorkspaceId>, Contradiction> {
    let mut found = None;
    for pair in uri.query().unwrap_or_default().split('&') {
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

    fn bound(original: Option<&str>, query: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(original) = original {
            headers.insert("x-original-uri", original.parse().expect("a header value"));
        }
        let uri = format!("/v1/token_auth{query}").parse().expect("a URI");
        match binding(&headers, &uri) {
            Binding::None => Some("none".to_owned()),
            Binding::To(workspace) => Some(workspace.to_string()),
            Binding::Contradiction => None,
        }
    }

    #[test]
    fn the_first_uuid_of_the_path_binds_and_nothing_does_where_there_is_none() {
        for path in [format!("/{A}/x"), format!("/api/{A}"), format!("/{A}/{B}?x={B}")] {
            assert_eq!(bound(Some(&path), "").as_deref(), Some(A), "{path}");
        }
        assert_eq!(bound(Some(&format!("https://h.example/{A}/x")), "").as_deref(), Some(A));
        assert_eq!(bound(Some("/plain/path"), "").as_deref(), Some("none"));
        assert_eq!(bound(None, "").as_deref(), Some("none"));
        assert_eq!(bound(None, &format!("?workspace={B}")).as_deref(), Some(B));
    }

    #[test]
    fn what_contradicts_itself_binds_to_nothing_that_a_token_could_match() {
        assert_eq!(bound(Some(&format!("/{A}")), &format!("?workspace={B}")), None);
        assert_eq!(bound(Some(&format!("/{A}")), &format!("?workspace={A}")).as_deref(), Some(A));
        assert_eq!(bound(None, "?workspace=not-a-uuid"), None);
        assert_eq!(bound(None, &format!("?workspace={A}&workspace={B}")), None);
    }

    #[test]
    fn a_path_that_others_may_read_otherwise_is_refused() {
        let encoded = A.replace('8', "%38");
        for path in [
            format!("/{A}/../{B}/secret"),
            format!("/{A}/%2e%2e/{B}/secret"),
            format!("/{A}/..%2f{B}/secret"),
            format!("/x%2f{B}/{A}"),
            format!("/{encoded}/x"),
            format!("/%ff/{A}"),
        ] {
            assert_eq!(bound(Some(&path), ""), None, "{path}");
        }
    }
}
