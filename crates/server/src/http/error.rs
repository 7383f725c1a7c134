//! How the doors say no: the one place that knows status codes.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use nt_api::error::{ErrorBody, ErrorCode, ErrorDetail, ErrorFields};
use nt_store::StoreError;
use nt_token::Scope;

use crate::authority::Unmet;
use crate::authority::error::{Error, Refusal};

const REALM: &str = "Bearer realm=\"ntd\"";
const INVALID_REQUEST: &str = "Bearer realm=\"ntd\", error=\"invalid_request\"";
const INVALID: &str = "Bearer realm=\"ntd\", error=\"invalid_token\"";
const INSUFFICIENT_SCOPE: &str = "Bearer realm=\"ntd\", error=\"insufficient_scope\"";

/// An answer that is an error.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    field: Option<&'static str>,
    /// In how many seconds it is worth to try again, where it is.
    retry_after: u64,
    /// What a client may learn of why its token is not good (RFC 6750, section 3).
    challenge: Option<Challenge>,
}

/// The error of a challenge (RFC 6750, section 3.1).
#[derive(Debug, Clone)]
enum Challenge {
    /// The request has several credentials.
    InvalidRequest(&'static str),
    /// The token is not good, and this is why.
    InvalidToken(&'static str),
    /// The token is good, and lacks one of these scopes.
    InsufficientScope(String),
}

impl Challenge {
    /// As a header. Scopes and our own words hold nothing that a quoted string cannot.
    fn value(&self) -> Option<HeaderValue> {
        let text = match self {
            Self::InvalidRequest(why) => {
                format!("{INVALID_REQUEST}, error_description=\"{why}\"")
            }
            Self::InvalidToken(why) => format!("{INVALID}, error_description=\"{why}\""),
            Self::InsufficientScope(needed) if needed.is_empty() => INSUFFICIENT_SCOPE.to_owned(),
            Self::InsufficientScope(needed) => format!("{INSUFFICIENT_SCOPE}, scope=\"{needed}\""),
        };
        HeaderValue::try_from(text).ok()
    }
}

/// As RFC 6749, section 3.3, writes them.
fn list(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
}

impl ApiError {
    fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None, retry_after: 1, challenge: None }
    }

    /// No such path.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "There is nothing at this path")
    }

    /// The path does not take this method.
    pub fn method_not_allowed() -> Self {
        let message = "This path does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::NotFound, message)
    }

    /// A request that is not as it should be.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Refusal::invalid(field, message).into()
    }

    /// A body that is larger than any that is needed.
    pub fn too_large() -> Self {
        let message = "The request body is larger than 64 KiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::InvalidRequest, message)
    }

    /// No answer in time.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message)
    }

    /// A status list of the past, which nobody keeps (draft-ietf-oauth-status-list, section 8.4).
    pub fn no_history() -> Self {
        let message = "This authority tells what is revoked now, and not what was";
        let mut error = Self::new(StatusCode::NOT_IMPLEMENTED, ErrorCode::InvalidRequest, message);
        error.field = Some("time");
        error
    }

    /// The server behind this one cannot be reached, or says what is no answer.
    pub fn bad_gateway() -> Self {
        let message = "The server behind this one does not answer";
        Self::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, message)
    }

    /// The server behind this one cannot be reached in time.
    pub fn gateway_timeout() -> Self {
        let message = "The server behind this one does not answer in time";
        Self::new(StatusCode::GATEWAY_TIMEOUT, ErrorCode::Unavailable, message)
    }

    /// A token that is not good, and what its holder may learn of why.
    pub fn token_refused(code: ErrorCode, why: &'static str) -> Self {
        Self {
            challenge: Some(Challenge::InvalidToken(why)),
            ..Self::new(StatusCode::UNAUTHORIZED, code, why)
        }
    }

    /// No token where one is needed.
    pub fn no_token() -> Self {
        let message = "No access token was sent";
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::AuthenticationRequired, message)
    }

    /// More than one credential. 401 and not 400 (RFC 6750, section 3.1): gateways pass it on.
    pub fn several_tokens() -> Self {
        let message = "The request has more than one credential";
        let code = ErrorCode::AuthenticationRequired;
        Self {
            challenge: Some(Challenge::InvalidRequest(message)),
            ..Self::new(StatusCode::UNAUTHORIZED, code, message)
        }
    }

    /// A good token that lacks what is demanded of it, and which scopes are.
    pub fn unmet(unmet: Unmet, needed: &[Scope]) -> Self {
        let (message, challenge) = match unmet {
            Unmet::Workspace => ("The access token is for another workspace", None),
            Unmet::Scope => (
                "The access token lacks a scope that is needed here",
                Some(Challenge::InsufficientScope(list(needed))),
            ),
            Unmet::Source => ("The access token may not be used from this address", None),
        };
        let forbidden =
            Self::new(StatusCode::FORBIDDEN, ErrorCode::InsufficientPermissions, message);
        Self { challenge, ..forbidden }
    }

    /// What it says to people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The body, complete but for what only the request knows.
    pub fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            error: ErrorDetail {
                code: self.code,
                message: self.message.clone(),
                details: ErrorFields { field: self.field.map(str::to_owned) },
                request_id: request_id.to_owned(),
            },
        }
    }

    /// The answer's status, and its headers but for what the body is.
    pub fn head(&self) -> (StatusCode, Vec<(HeaderName, HeaderValue)>) {
        let mut fields = vec![(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        // RFC 6750, section 3: no error code where no credential was sent at all.
        let challenge = match (self.code, &self.challenge) {
            (_, Some(challenge)) => challenge.value(),
            (ErrorCode::AuthenticationRequired, None) => Some(HeaderValue::from_static(REALM)),
            (ErrorCode::TokenExpired | ErrorCode::TokenExchangeFailed, None) => {
                Some(HeaderValue::from_static(INVALID))
            }
            _ => None,
        };
        fields.extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
        let later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        if later.contains(&self.status) {
            fields.push((RETRY_AFTER, HeaderValue::from(self.retry_after)));
        }
        (self.status, fields)
    }

    /// The answer, with its headers and its body.
    pub fn respond(&self, request_id: &str) -> Response {
        let (status, fields) = self.head();
        let mut response = (status, axum::Json(self.body(request_id))).into_response();
        response.headers_mut().extend(fields);
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::NotSignedIn | Refusal::BadClient => {
                (StatusCode::UNAUTHORIZED, ErrorCode::AuthenticationRequired)
            }
            Refusal::SessionExpired => (StatusCode::UNAUTHORIZED, ErrorCode::TokenExpired),
            Refusal::OperatorNeeded => {
                (StatusCode::FORBIDDEN, ErrorCode::ClerkAuthenticationRequired)
            }
            Refusal::NotAllowed | Refusal::NotAdmin | Refusal::ClientMayNot => {
                (StatusCode::FORBIDDEN, ErrorCode::InsufficientPermissions)
            }
            Refusal::NoWorkspace => (StatusCode::NOT_FOUND, ErrorCode::WorkspaceNotFound),
            Refusal::NoToken(_) => (StatusCode::NOT_FOUND, ErrorCode::TokenNotFound),
            Refusal::NameTaken(_) => (StatusCode::CONFLICT, ErrorCode::WorkspaceExists),
            Refusal::Invalid { .. } => (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest),
            Refusal::BadJti => (StatusCode::BAD_REQUEST, ErrorCode::InvalidJti),
            Refusal::SignInRefused => (StatusCode::UNAUTHORIZED, ErrorCode::TokenExchangeFailed),
            Refusal::NoSession
            | Refusal::NoStatusList
            | Refusal::NoMember
            | Refusal::NotRevoked(_)
            | Refusal::NotBeingRevoked(_) => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
            Refusal::VerifierExists(_) => (StatusCode::CONFLICT, ErrorCode::VerifierExists),
            Refusal::NoVerifier => (StatusCode::NOT_FOUND, ErrorCode::VerifierNotFound),
            Refusal::ClientExists(_) => (StatusCode::CONFLICT, ErrorCode::ClientExists),
            Refusal::NoClient => (StatusCode::NOT_FOUND, ErrorCode::ClientNotFound),
            Refusal::AlreadyMember
            | Refusal::LastOwner
            | Refusal::TooManyVerifiers
            | Refusal::TooManyClients => (StatusCode::CONFLICT, ErrorCode::Conflict),
            Refusal::TooOften { .. } => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited),
            Refusal::NoProvider | Refusal::ProviderUnavailable | Refusal::NotServing => {
                (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable)
            }
        };
        let retry_after = match refusal {
            Refusal::TooOften { again } => seconds(again),
            _ => 1,
        };
        let field = match refusal {
            Refusal::Invalid { field, .. } => Some(field),
            Refusal::BadJti => Some("jti"),
            _ => None,
        };
        Self { field, retry_after, ..Self::new(status, code, refusal.to_string()) }
    }
}

/// A time as `Retry-After` has it: whole seconds, and one at the least.
pub fn seconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
}

impl From<StoreError> for ApiError {
    /// The store's own words stay in the log: they may name files or rows.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed");
        match error {
            StoreError::Corrupt(_) | StoreError::UnknownEntry(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                ErrorCode::Internal,
                "The authority has a fault; its log says more",
            ),
            StoreError::Full => Self::unavailable("The authority has no space left to write"),
            _ => Self::unavailable("The authority cannot reach its database"),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Failed(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    /// Leaves the error with the response: the request's id is added where it is known.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a door answers.
pub type Reply<T> = Result<T, ApiError>;
