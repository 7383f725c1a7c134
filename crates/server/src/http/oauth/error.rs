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
