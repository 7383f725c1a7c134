//! Which scopes a gateway demands: by `?scope=` in the query of its setting, by the header
//! `X-Auth-Required-Scope`, or by both. All that are demanded anywhere must be there, so that what a
//! client adds can only narrow.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName};
use nt_api::verification::X_AUTH_REQUIRED_SCOPE;
use nt_token::{Scope, Scopes};
use percent_encoding::percent_decode_str;

use crate::http::forward_auth::denied::{Denied, IllAsked};

const REQUIRED_SCOPE: HeaderName = HeaderName::from_static(X_AUTH_REQUIRED_SCOPE);

/// All scopes that are demanded. What cannot be read as scopes is an error: who meant to demand
/// something is not to get less.
pub(crate) fn demanded(headers: &HeaderMap, query: &str) -> Result<Vec<Scope>, Denied> {
    let mut scopes = Vec::new();
    for pair in query.split('&') {
        let Some(rest) = pair.strip_prefix("scope") else { continue };
        let value = match rest.strip_prefix('=') {
            Some(value) => value,
            None if rest.is_empty() => "",
            // Another name that begins like ours.
            None => continue,
        };
        let spaced = value.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8().unwrap_or(Cow::Borrowed(""));
        add(&mut scopes, &text).ok_or(IllAsked::SCOPE)?;
    }
    for value in headers.get_all(REQUIRED_SCOPE) {
        let text = value.to_str().unwrap_or_default();
        add(&mut scopes, text).ok_or(IllAsked::REQUIRED_SCOPE)?;
    }
    Ok(scopes)
}

/// Adds what a list names, divided by spaces (RFC 6749, section 3.3) or by commas, as who joins header
/// lines writes them. `None` if it names nothing, or anything that is no scope, or more than a token
/// can have.
pub(crate) fn add(scopes: &mut Vec<Scope>, list: &str) -> Option<()> {
    let mut names = list.split([' ', ',']).filter(|name| !name.is_empty()).peekable();
    names.peek()?;
    for name in names {
        let scope: Scope = name.parse().ok()?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    (scopes.len() <= Scopes::MAX).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str, headers: &[&str]) -> Result<String, Denied> {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(X_AUTH_REQUIRED_SCOPE, value.parse().expect("a header value"));
        }
        let scopes = demanded(&map, query)?;
        Ok(scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_way_to_demand_a_scope_counts_and_they_add_up() {
        assert_eq!(of("", &[]).as_deref(), Ok(""));
        assert_eq!(of("workspace=x&scopes=a", &[]).as_deref(), Ok(""), "other names are not ours");
        for query in ["scope=read&scope=write", "scope=read+write", "scope=read%20write"] {
            assert_eq!(of(query, &[]).as_deref(), Ok("read write"), "{query}");
        }
        assert_eq!(of("scope=team%3Aread", &[]).as_deref(), Ok("team:read"));
        for headers in [&["read", "write"][..], &["read write"], &["read, write"], &["read,write"]]
        {
            assert_eq!(of("", headers).as_deref(), Ok("read write"), "{headers:?}");
        }
        assert_eq!(of("scope=a&scope=b", &["c b"]).as_deref(), Ok("a b c"));
    }

    #[test]
    fn a_demand_that_cannot_be_read_is_an_error_and_never_none() {
        for query in
            ["scope=", "scope", "scope=Read", "scope=%ff", "scope=a%0a", "scope=read&scope="]
        {
            assert_eq!(of(query, &[]), Err(IllAsked::SCOPE.into()), "{query}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("s{n}")).collect();
        for header in ["", " ", ",", "Read", "read;write", "\"read\"", &many.join(" ")] {
            assert_eq!(of("", &[header]), Err(IllAsked::REQUIRED_SCOPE.into()), "{header}");
        }
        let not_text = axum::http::HeaderValue::from_bytes(b"read\xff").expect("a header value");
        let map =
            HeaderMap::from_iter([(X_AUTH_REQUIRED_SCOPE.parse().expect("a name"), not_text)]);
        assert!(demanded(&map, "").is_err());
    }
}
