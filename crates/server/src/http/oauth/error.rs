//! How the OAuth endpoints say no: RFC 6749, section 5.2, and RFC 6750, section 3, instead of the body
//! that all other doors answer with.

use std::borrow::Cow;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use nt_api::oauth::{OAuthError, OAuthErrorCode};
use nt_store::StoreError;

use crate::authority::error::{Error, Refusal};
use crate::http::error::seconds;

/// What a client may send instead, where it has sent none or a wrong one.
const BASIC: &str = "Basic realm=\"ntd\", charset=\"UTF-8\"";
const ANY_SESSION: &str = "Bearer realm=\"ntd\"";
const BAD_SESSION: &str = "Bearer realm=\"ntd\", error=\"invalid_token\"";
const NO_OPERATOR: &str = "Bearer realm=\"ntd\", error=\"insufficient_scope\"";

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthFailure {
    status: StatusCode,
    code: OAuthErrorCode,
    description: Cow<'static, str>,
    challenge: Option<&'static str>,
    /// In how many seconds it is worth to try again, where it is.
    retry_after: Option<u64>,
}

impl OAuthFailure {
    fn new(
        status: StatusCode,
        code: OAuthErrorCode,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, description: description.into(), challenge: None, retry_after: None }
    }

    /// A request that is not as it should be.
    pub fn invalid(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, OAuthErrorCode::InvalidRequest, description)
    }

    /// A body that is larger than any that is needed.
    pub fn too_large() -> Self {
        let description = "The request body is larger than 64 KiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, OAuthErrorCode::InvalidRequest, description)
    }

    /// No client says who it is. Who only has the token is none: holding it is not enough.
    pub fn no_client() -> Self {
        Self::client("A client must authenticate, or an operator; holding the token is not enough")
    }

    /// A client's credentials are not good.
    pub fn bad_client() -> Self {
        Self::client("The client is not registered, or its secret is not this one")
    }

    /// No client certificate where one is demanded beside the credential (RFC 8705, section 2). The
    /// challenge is of the scheme by which the client tried to be known.
    pub fn no_certificate(by_bearer: bool) -> Self {
        let refused = Self::client(
            "A client certificate is demanded here beside the credential: show one that the \
             authority's client CA has signed",
        );
        if by_bearer { Self { challenge: Some(ANY_SESSION), ..refused } } else { refused }
    }

    fn client(description: &'static str) -> Self {
        let code = OAuthErrorCode::InvalidClient;
        Self { challenge: Some(BASIC), ..Self::new(StatusCode::UNAUTHORIZED, code, description) }
    }

    fn session(status: StatusCode, challenge: &'static str, refusal: &Refusal) -> Self {
        let code = match status {
            StatusCode::FORBIDDEN => OAuthErrorCode::InsufficientScope,
            _ => OAuthErrorCode::InvalidToken,
        };
        Self { challenge: Some(challenge), ..Self::new(status, code, refusal.to_string()) }
    }

    fn unavailable(description: impl Into<Cow<'static, str>>) -> Self {
        let code = OAuthErrorCode::TemporarilyUnavailable;
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, description)
        }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Refusal> for OAuthFailure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadClient => Self::bad_client(),
            Refusal::NotSignedIn | Refusal::SessionExpired => {
                Self::session(StatusCode::UNAUTHORIZED, BAD_SESSION, &refusal)
            }
            Refusal::OperatorNeeded => Self::session(StatusCode::FORBIDDEN, NO_OPERATOR, &refusal),
            Refusal::ClientMayNot => {
                let code = OAuthErrorCode::UnauthorizedClient;
                Self::new(StatusCode::BAD_REQUEST, code, refusal.to_string())
            }
            Refusal::TooOften { again } => Self {
                retry_after: Some(seconds(again)),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    OAuthErrorCode::SlowDown,
                    refusal.to_string(),
                )
            },
            Refusal::NotServing | Refusal::NoProvider | Refusal::ProviderUnavailable => {
                Self::unavailable(refusal.to_string())
            }
            other => Self::new(
                StatusCode::BAD_REQUEST,
                OAuthErrorCode::InvalidRequest,
                other.to_string(),
            ),
        }
    }
}

impl From<StoreError> for OAuthFailure {
    /// The store's own words stay in the log: they may name files or rows.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed");
        match error {
            StoreError::Corrupt(_) | StoreError::UnknownEntry(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                OAuthErrorCode::ServerError,
                "The authority has a fault; its log says more",
            ),
            _ => Self::unavailable("The authority cannot reach its database"),
        }
    }
}

impl From<Error> for OAuthFailure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Failed(error) => error.into(),
        }
    }
}

impl IntoResponse for OAuthFailure {
    fn into_response(self) -> Response {
        let body =
            OAuthError { error: self.code, error_description: self.description.into_owned() };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The status, the error, `Retry-After`, and the scheme of the challenge.
    fn told(error: impl Into<OAuthFailure>) -> (u16, OAuthErrorCode, Option<String>, String) {
        let failure = error.into();
        let code = failure.code;
        let response = failure.into_response();
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|value: &HeaderValue| value.to_str().expect("text").to_owned())
        };
        assert_eq!(header(CACHE_CONTROL).as_deref(), Some("no-store"));
        let scheme = header(WWW_AUTHENTICATE).unwrap_or_default();
        let scheme = scheme.split(' ').next().unwrap_or_default().to_owned();
        (response.status().as_u16(), code, header(RETRY_AFTER), scheme)
    }

    #[test]
    fn what_is_not_proven_in_time_is_said_with_when_to_ask_again() {
        let later = |code, seconds: &str| (503, code, Some(seconds.to_owned()), String::new());
        let expected = later(OAuthErrorCode::TemporarilyUnavailable, "1");
        assert_eq!(told(Refusal::NotServing), expected);
        assert_eq!(told(Error::Failed(StoreError::Full)), expected);
        assert_eq!(told(Error::Refused(Refusal::ProviderUnavailable)), expected);
        for (again, seconds) in [(1, "1"), (999, "1"), (1_001, "2"), (90_000, "90")] {
            let again = Duration::from_millis(again);
            let (status, code, after, _) = told(Refusal::TooOften { again });
            let found = (status, code, after.as_deref());
            assert_eq!(found, (429, OAuthErrorCode::SlowDown, Some(seconds)));
        }
    }

    #[test]
    fn each_refusal_has_the_status_and_the_challenge_of_its_document() {
        let none = String::new();
        let (basic, bearer) = ("Basic".to_owned(), "Bearer".to_owned());
        for (refusal, status, code, scheme) in [
            (Refusal::BadClient, 401, OAuthErrorCode::InvalidClient, &basic),
            (Refusal::NotSignedIn, 401, OAuthErrorCode::InvalidToken, &bearer),
            (Refusal::SessionExpired, 401, OAuthErrorCode::InvalidToken, &bearer),
            (Refusal::OperatorNeeded, 403, OAuthErrorCode::InsufficientScope, &bearer),
            (Refusal::ClientMayNot, 400, OAuthErrorCode::UnauthorizedClient, &none),
            (Refusal::BadJti, 400, OAuthErrorCode::InvalidRequest, &none),
        ] {
            assert_eq!(told(refusal), (status, code, None, scheme.clone()));
        }
        let fault = told(StoreError::Corrupt("a row"));
        assert_eq!(fault, (500, OAuthErrorCode::ServerError, None, none));
    }
}
