//! The token in a request's head (RFC 6750, section 2.1; RFC 9110, section 11.6.2).

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::layer::answer::Denied;

/// The token, if there is exactly one. Its form is for the verifier to judge.
pub(super) fn bearer(headers: &HeaderMap) -> Result<String, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::NoToken)?;
    // Which of two counts is what a proxy before us and we may see differently.
    if values.next().is_some() {
        return Err(Denied::Malformed);
    }
    let text = value.to_str().map_err(|_| Denied::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Denied::NoToken)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Denied::NoToken);
    }
    let token = token.trim_start_matches(' ');
    if token.is_empty() || token.contains(' ') {
        return Err(Denied::Malformed);
    }
    Ok(token.to_owned())
}
