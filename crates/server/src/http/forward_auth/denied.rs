//! Why a request may not pass, as far as its sender may know, at every door that gateways ask.
//!
//! Gateways pass 401 and 403 on to the client, and nginx makes 500 of everything else. So what a client
//! got wrong is 401 or 403; what the gateway's own settings got wrong is 400, and loud.

use nt_api::error::ErrorCode;
use nt_api::verification::{EXPIRED, INVALID, REVOKED};
use nt_token::{Refusal, Scope};

use crate::authority::{NotAccepted, Unmet};
use crate::http::error::ApiError;

/// Why a request may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// No token was sent.
    NoToken,
    /// More than one credential was sent.
    SeveralTokens,
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
    /// It is not good for any other reason.
    Invalid,
    /// It is good, but not for this.
    Unmet(Unmet),
    /// It is not known here whether it is good.
    NotReady,
    /// What is demanded of it cannot be read.
    IllAsked(IllAsked),
}

/// What a gateway's setting says that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IllAsked {
    field: &'static str,
    message: &'static str,
}

impl IllAsked {
    /// `?scope=`
    pub const SCOPE: Self = Self {
        field: "scope",
        message: "'scope' must name 1 to 32 scopes, each 1 to 64 of a-z, 0-9, ':', '.', '_' and '-'",
    };
    /// The header.
    pub const REQUIRED_SCOPE: Self = Self {
        field: "X-Auth-Required-Scope",
        message: "'X-Auth-Required-Scope' must name 1 to 32 scopes, each 1 to 64 of a-z, 0-9, ':', \
                  '.', '_' and '-'",
    };
    /// `?freshness=`
    pub const FRESHNESS: Self =
        Self { field: "freshness", message: "'freshness' must be 'local' or 'sync'" };
}

impl Denied {
    /// The same as an answer. Who cannot know says so by 503, so that the client keeps its token and
    /// comes back. A token without a scope is told which are needed (RFC 6750, section 3).
    pub fn error(self, needed: &[Scope]) -> ApiError {
        match self {
            Self::NoToken => ApiError::no_token(),
            Self::SeveralTokens => ApiError::several_tokens(),
            Self::Revoked => ApiError::token_refused(ErrorCode::AuthenticationRequired, REVOKED),
            Self::Expired => ApiError::token_refused(ErrorCode::TokenExpired, EXPIRED),
            Self::Invalid => ApiError::token_refused(ErrorCode::AuthenticationRequired, INVALID),
            Self::Unmet(unmet) => ApiError::unmet(unmet, needed),
            Self::NotReady => ApiError::unavailable("The revocation state is not known here"),
            Self::IllAsked(IllAsked { field, message }) => ApiError::invalid(field, message),
        }
    }
}

impl From<IllAsked> for Denied {
    fn from(what: IllAsked) -> Self {
        Self::IllAsked(what)
    }
}

impl From<NotAccepted> for Denied {
    fn from(reason: NotAccepted) -> Self {
        match reason {
            NotAccepted::Revoked => Self::Revoked,
            NotAccepted::Refused(refusal) => refusal.into(),
            NotAccepted::Unmet(unmet) => Self::Unmet(unmet),
            NotAccepted::NotReady => Self::NotReady,
        }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Expired => Self::Expired,
            _ => Self::Invalid,
        }
    }
}
