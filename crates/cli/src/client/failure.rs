//! When the authority says no, and when it does not answer.

use nt_api::{ErrorBody, ErrorCode};

use super::address::Authority;
use crate::error::{Code, Error};

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The authority says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no answer.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The session has ended and could not be renewed, for another reason than that it is over.
    #[error(transparent)]
    NotRenewed(Box<Error>),
}

/// What the authority said no to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody answered.
    #[error("Could not reach the authority at {authority}: {why}")]
    Unreachable { authority: Authority, why: String, again: bool },
    /// The authority, or something before it, cannot answer now.
    #[error("The authority is unavailable (status {status}).")]
    Unavailable { status: u16 },
    /// An answer that no authority gives.
    #[error("The answer was not understood (status {status}).")]
    NotUnderstood { status: u16 },
    /// A list of which there is always more.
    #[error("The authority's list has no end.")]
    Endless,
    /// The request could not even be written.
    #[error("The request could not be written: {0}")]
    Request(String),
}

impl Failure {
    pub(super) fn request(error: impl std::fmt::Display) -> Self {
        Self::Request(error.to_string())
    }

    /// A connection that failed may be tried again; a time limit that is used up may not, and what
    /// is wrong with a certificate or a name will be wrong in a moment, too.
    pub(super) fn from_transport(authority: &Authority, error: &ureq::Error) -> Self {
        let again = matches!(error, ureq::Error::Io(_) | ureq::Error::ConnectionFailed);
        let why = match error {
            ureq::Error::Io(e) => e.to_string(),
            ureq::Error::Timeout(_) => "no answer in time".to_owned(),
            other => other.to_string(),
        };
        Self::Unreachable { authority: authority.clone(), why, again }
    }
}

impl ClientError {
    pub(super) fn from_answer(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) if status >= 400 => {
                let detail = body.error;
                Refusal { code: detail.code, message: detail.message }.into()
            }
            _ if status == 429 || status >= 500 => Failure::Unavailable { status }.into(),
            _ => Failure::NotUnderstood { status }.into(),
        }
    }

    /// What was refused, if it was.
    pub(crate) fn refusal(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            Self::Failed(_) | Self::NotRenewed(_) => None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        match failure {
            Failure::Unreachable { .. } => Self::new(Code::Unreachable, message)
                .hint("check the address with: ntcli domain show"),
            Failure::Unavailable { .. } => {
                Self::new(Code::Unavailable, message).hint("try again in a moment")
            }
            Failure::NotUnderstood { .. } => {
                Self::failed(message).hint("check that an authority is there: ntcli domain show")
            }
            Failure::Endless | Failure::Request(_) => Self::failed(message),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, message } = refusal;
        match code {
            ErrorCode::AuthenticationRequired | ErrorCode::TokenExpired => Self::session_ended(),
            ErrorCode::ClerkAuthenticationRequired => {
                Self::new(code.into(), message).hint("ntcli auth login")
            }
            ErrorCode::WorkspaceNotFound => {
                Self::new(code.into(), "Workspace not found").hint("ntcli workspace sync")
            }
            ErrorCode::VerifierExists | ErrorCode::VerifierNotFound => {
                Self::new(code.into(), message).hint("ntcli verifiers list")
            }
            ErrorCode::ClientExists | ErrorCode::ClientNotFound => {
                Self::new(code.into(), message).hint("ntcli clients list")
            }
            ErrorCode::RateLimited | ErrorCode::Unavailable => {
                Self::new(code.into(), message).hint("try again in a moment")
            }
            _ => Self::new(code.into(), message),
        }
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(refusal) => refusal.into(),
            ClientError::Failed(failure) => failure.into(),
            ClientError::NotRenewed(error) => *error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_answer_is_told_apart_from_a_no() {
        let no = br#"{"error":{"code":"TOKEN_NOT_FOUND","message":"no","request_id":"x"}}"#;
        let refused = ClientError::from_answer(404, no);
        assert_eq!(refused.refusal(), Some(ErrorCode::TokenNotFound));
        assert_eq!(Error::from(refused).code.exit(), 5);
        for (status, exit) in [(502, 6), (503, 6), (429, 6), (404, 1), (302, 1), (400, 1)] {
            let failed = ClientError::from_answer(status, b"<html>");
            assert_eq!(failed.refusal(), None);
            assert_eq!(Error::from(failed).code.exit(), exit, "{status}");
        }
    }

    #[test]
    fn a_code_of_a_later_version_is_still_a_no() {
        let no = br#"{"error":{"code":"SOMETHING_NEW","message":"no"}}"#;
        assert_eq!(ClientError::from_answer(418, no).refusal(), Some(ErrorCode::Unknown));
    }
}
