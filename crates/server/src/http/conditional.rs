//! What others may keep for a while, and ask again whether it is still so (RFC 9110, section 13; RFC
//! 9111).

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::published::Published;

/// The answer to whoever may have it already. A page of another origin may read it: nothing in it is
/// for some and not for others.
pub fn answer(
    published: &Published,
    asked: &HeaderMap,
    media: &'static str,
    cached: &'static str,
) -> Response<Body> {
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let is_known = known.into_iter().any(|tags| has(tags, &published.tag));
    let body = if is_known { Body::empty() } else { Body::from(published.bytes.clone()) };
    let mut response = Response::new(body);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(tag) = HeaderValue::from_str(&published.tag) {
        headers.insert(ETAG, tag);
    }
    if !is_known {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    response
}

/// Whether one of several tags is this one (RFC 9110, section 13.1.2: compared weakly).
fn has(tags: &str, tag: &str) -> bool {
    let tags = tags.split(',').map(str::trim);
    tags.map(|one| one.strip_prefix("W/").unwrap_or(one)).any(|one| one == tag || one == "*")
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    #[test]
    fn a_tag_is_known_among_others_and_whether_weak_or_not() {
        assert!(has("\"a\"", "\"a\"") && has("\"b\", W/\"a\"", "\"a\"") && has("*", "\"a\""));
        assert!(!has("\"b\"", "\"a\"") && !has("", "\"a\"") && !has("a", "\"a\""));
    }

    #[test]
    fn who_has_it_already_is_told_so_and_gets_nothing() {
        let one = Published::new(Bytes::from_static(b"{}"));
        let mut asked = HeaderMap::new();
        let given = answer(&one, &asked, "application/json", "max-age=1");
        assert_eq!(given.status(), StatusCode::OK);
        let tag = given.headers()[ETAG].clone();
        asked.insert(IF_NONE_MATCH, tag.clone());
        let given = answer(&one, &asked, "application/json", "max-age=1");
        assert_eq!(given.status(), StatusCode::NOT_MODIFIED);
        assert_eq!((&given.headers()[ETAG], given.headers().get(CONTENT_TYPE)), (&tag, None));
        let other = Published::new(Bytes::from_static(b"[]"));
        assert_eq!(
            answer(&other, &asked, "application/json", "max-age=1").status(),
            StatusCode::OK
        );
    }
}
