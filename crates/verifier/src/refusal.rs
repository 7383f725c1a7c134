//! Why a token is not accepted: the answer is no, or there is no answer.

use nt_revocation::Why;
use nt_token::Refusal;

/// Why a token is not accepted. The two must never be confused: whoever is told that a good token
/// is bad throws it away and asks for another one, and that in the very moment of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// The token is bad: 401.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody knows here whether it is: 503.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

/// The token is bad. The reason is for logs; a client learns only what RFC 6750 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no token of the authority's that holds now and here.
    #[error(transparent)]
    Token(#[from] Refusal),
    /// It was taken back.
    #[error("revoked")]
    Revoked(Why),
    /// A node of the authority that was asked says no, and does not say why.
    #[error("refused by the authority")]
    ByAuthority,
}

/// It is not known here whether the token is good, so it is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The lease is over, or there was none yet: the authority is out of reach.
    #[error("the lease is over: what the authority revoked since is not known here")]
    LeaseOver,
    /// The token is newer than what is known of the log here.
    #[error("the token is newer than what is known of the log here")]
    Behind,
    /// A node had to be asked, and none answered.
    #[error("no node of the authority answered")]
    NoAnswer,
}
