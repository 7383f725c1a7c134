//! Why a command did not do what was asked: for people (a message and a hint), for programs (a
//! code), for scripts (an exit code). The only file that knows exit codes.

use nt_api::ErrorCode;

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Whether the command has already told the reader, as data on standard output.
    pub(crate) said: bool,
}

/// What kind of thing went wrong. The names are part of the contract with programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Code {
    Failed,
    Declined,
    ConfigInvalid,
    WorkspaceExists,
    VerifierExists,
    ClientExists,
    Conflict,
    KeyringUnavailable,
    RefreshOfAnother,
    Usage,
    InvalidRequest,
    InvalidJti,
    InvalidExpiration,
    ConfirmationRequired,
    NoWorkspaceSelected,
    AmbiguousWorkspace,
    AuthenticationRequired,
    ClerkAuthenticationRequired,
    InsufficientPermissions,
    WorkspaceNotFound,
    TokenNotFound,
    VerifierNotFound,
    ClientNotFound,
    NotFound,
    Unreachable,
    Unavailable,
    Revoking,
    Interrupted,
}

impl Code {
    /// The exit code of the process.
    pub(crate) const fn exit(self) -> u8 {
        match self {
            Self::Failed
            | Self::Declined
            | Self::ConfigInvalid
            | Self::WorkspaceExists
            | Self::VerifierExists
            | Self::ClientExists
            | Self::Conflict
            | Self::KeyringUnavailable
            | Self::RefreshOfAnother => 1,
            Self::Usage
            | Self::InvalidRequest
            | Self::InvalidJti
            | Self::InvalidExpiration
            | Self::ConfirmationRequired
            | Self::NoWorkspaceSelected
            | Self::AmbiguousWorkspace => 2,
            Self::AuthenticationRequired => 3,
            Self::ClerkAuthenticationRequired | Self::InsufficientPermissions => 4,
            Self::WorkspaceNotFound
            | Self::TokenNotFound
            | Self::VerifierNotFound
            | Self::ClientNotFound
            | Self::NotFound => 5,
            Self::Unreachable | Self::Unavailable => 6,
            Self::Revoking => 7,
            Self::Interrupted => 130,
        }
    }
}

/// What the exit codes mean, as `ntcli help exit-codes` prints it.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  failed or declined
    2  usage: the command or a value is not as it should be; nothing was sent
    3  not signed in, or the session has ended
    4  not allowed
    5  not found
    6  the authority is unreachable or unavailable
    7  being revoked, not yet proven everywhere
  130  interrupted
";

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, said: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The outcome is already on standard output; only the exit code is left to be told.
    pub(crate) fn said(code: Code) -> Self {
        Self { said: true, ..Self::new(code, String::new()) }
    }

    pub(crate) fn not_signed_in() -> Self {
        Self::new(Code::AuthenticationRequired, "Authentication required.").hint("ntcli auth login")
    }

    pub(crate) fn session_ended() -> Self {
        Self::new(Code::AuthenticationRequired, "The session has ended.").hint("ntcli auth login")
    }

    /// The identity provider ended it: no renewal is left to try.
    pub(crate) fn sign_in_ended() -> Self {
        let message = "Your sign-in has ended at the identity provider.";
        Self::new(Code::AuthenticationRequired, message).hint("ntcli auth login")
    }

    /// An operator is needed for this, and a workspace token was offered.
    pub(crate) fn operator_needed(purpose: &str) -> Self {
        let message = format!("Clerk authentication required for {purpose}");
        Self::new(Code::ClerkAuthenticationRequired, message).hint("ntcli auth login")
    }

    pub(crate) fn declined(message: &str) -> Self {
        Self::new(Code::Declined, message)
    }
}

impl From<ErrorCode> for Code {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::AuthenticationRequired
            | ErrorCode::TokenExpired
            | ErrorCode::TokenExchangeFailed => Self::AuthenticationRequired,
            ErrorCode::ClerkAuthenticationRequired => Self::ClerkAuthenticationRequired,
            ErrorCode::InsufficientPermissions => Self::InsufficientPermissions,
            ErrorCode::WorkspaceNotFound => Self::WorkspaceNotFound,
            ErrorCode::TokenNotFound => Self::TokenNotFound,
            ErrorCode::VerifierNotFound => Self::VerifierNotFound,
            ErrorCode::ClientNotFound => Self::ClientNotFound,
            ErrorCode::VerifierExists => Self::VerifierExists,
            ErrorCode::ClientExists => Self::ClientExists,
            ErrorCode::WorkspaceExists => Self::WorkspaceExists,
            ErrorCode::Conflict => Self::Conflict,
            ErrorCode::InvalidRequest => Self::InvalidRequest,
            ErrorCode::InvalidJti => Self::InvalidJti,
            ErrorCode::RateLimited | ErrorCode::Unavailable => Self::Unavailable,
            ErrorCode::NotFound => Self::NotFound,
            ErrorCode::Internal | ErrorCode::Unknown => Self::Failed,
        }
    }
}
