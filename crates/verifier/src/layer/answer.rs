//! What a client is told whose request was not let through. The one place that knows status codes.

use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use nt_token::Scope;

use crate::layer::body::CutBody;

/// Says what a token lacks that is good otherwise.
const UNMET: HeaderName = HeaderName::from_static("x-auth-unmet");

/// Why a request is not let through, as far as a client may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// It carries no token.
    NoToken,
    /// It carries more than one, or what cannot be one.
    Malformed,
    /// The token is bad.
    Refused,
    /// The token is good, but has not all of these scopes.
    Scope(Vec<Scope>),
    /// The token is good, but not where it is used from, as far as that is known.
    Source,
    /// It is not known here whether the token is good.
    NotReady,
}

impl Denied {
    /// The answer, with an empty body.
    pub(super) fn answer<B>(&self) -> Response<CutBody<B>> {
        let mut response = Response::new(CutBody::empty());
        *response.status_mut() = match self {
            Self::NoToken | Self::Refused => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Scope(_) | Self::Source => StatusCode::FORBIDDEN,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        };
        let headers = response.headers_mut();
        // No cache may keep a verdict.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let challenge = match self {
            Self::NoToken => HeaderValue::from_static("Bearer"),
            Self::Malformed => HeaderValue::from_static(r#"Bearer error="invalid_request""#),
            Self::Refused => HeaderValue::from_static(r#"Bearer error="invalid_token""#),
            Self::Scope(scopes) => insufficient(scopes),
            Self::Source => {
                headers.insert(UNMET, HeaderValue::from_static("source"));
                return response;
            }
            Self::NotReady => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                return response;
            }
        };
        headers.insert(WWW_AUTHENTICATE, challenge);
        response
    }
}

fn insufficient(scopes: &[Scope]) -> HeaderValue {
    let scopes = scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ");
    let text = format!(r#"Bearer error="insufficient_scope", scope="{scopes}""#);
    HeaderValue::try_from(text)
        .unwrap_or(HeaderValue::from_static(r#"Bearer error="insufficient_scope""#))
}
