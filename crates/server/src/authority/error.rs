//! How the authority answers when the answer is no, and when there is none.

use nt_store::StoreError;

/// The answer is no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No credential, or one that is not good.
    #[error("Authentication required")]
    NotSignedIn,
    /// The session has ended.
    #[error("The session has expired; sign in again")]
    SessionExpired,
    /// A workspace token was presented where an operator is needed: a token must not be able to
    /// make, list or revoke tokens, or a leaked one could defend itself.
    #[error("Clerk authentication required: a workspace token cannot do this")]
    OperatorNeeded,
    /// The operator's role does not allow it.
    #[error("Your role in this workspace does not allow this")]
    NotAllowed,
    /// The operator is no administrator of the authority.
    #[error("Only an administrator of this authority may do this")]
    NotAdmin,
    /// No such workspace, or the operator is no member of it: existence is not disclosed.
    #[error("Workspace not found")]
    NoWorkspace,
    /// The workspace has no such token.
    #[error("Token with JTI '{0}' not found")]
    NoToken(nt_token::Jti),
    /// The token counts: there is nothing to be stated.
    #[error("Token with JTI '{0}' is not revoked, so there is no receipt")]
    NotRevoked(nt_token::Jti),
    /// Whose revocation was asked for, and there is none.
    #[error("Token {0} is not revoked")]
    NotBeingRevoked(nt_token::Jti),
    /// The operator owns a workspace of this name already.
    #[error("You already have a workspace named '{0}'")]
    NameTaken(String),
    /// A part of the request is not as it should be.
    #[error("{message}")]
    Invalid {
        /// What to do about it.
        message: String,
        /// Which part.
        field: &'static str,
    },
    /// Not a JTI.
    #[error("Invalid JTI format")]
    BadJti,
    /// The identity provider's token was not accepted; the reason is in the log.
    #[error("The sign-in was not accepted")]
    SignInRefused,
    /// The identity provider gives no answer; the reason is in the log.
    #[error("The identity provider cannot be reached; try again")]
    ProviderUnavailable,
    /// The operator has no such session.
    #[error("You have no such session")]
    NoSession,
    /// There is no such Token Status List.
    #[error("There is no such status list")]
    NoStatusList,
    /// Nobody of this name belongs to the workspace.
    #[error("Nobody of this name belongs to the workspace")]
    NoMember,
    /// Whoever is to be added is a member already.
    #[error("This operator is a member already; change the role instead")]
    AlreadyMember,
    /// A workspace always has an owner.
    #[error("The last owner of a workspace cannot go or become less; make another owner first")]
    LastOwner,
    /// A verifier of this name is registered already.
    #[error("A verifier named '{0}' exists already")]
    VerifierExists(nt_token::VerifierName),
    /// No verifier of this name is registered. What was asked for is not repeated: it need not be a
    /// name.
    #[error("No verifier of this name is registered")]
    NoVerifier,
    /// As many verifiers are registered as may be.
    #[error(
        "{} verifiers are registered, which is the most; remove one first",
        super::limits::VERIFIERS
    )]
    TooManyVerifiers,
    /// A client of this name is registered already.
    #[error("A client named '{0}' exists already")]
    ClientExists(nt_token::ClientName),
    /// No client of this name is registered. What was asked for is not repeated: it need not be a name.
    #[error("No client of this name is registered")]
    NoClient,
    /// As many clients are registered as may be.
    #[error(
        "{} clients are registered, which is the most; remove one first",
        super::limits::CLIENTS
    )]
    TooManyClients,
    /// The client is not registered, or its secret is another.
    #[error("The client is not registered, or its secret is not this one")]
    BadClient,
    /// The client or operator may not do this, or not with this token.
    #[error("This caller may not do this, or not with a token of another workspace")]
    ClientMayNot,
    /// It was asked too often.
    #[error("Too many requests; try again later")]
    TooOften {
        /// How much later.
        again: std::time::Duration,
    },
    /// This node may not answer for the authority now; its log and `/readyz` say why.
    #[error("This node cannot answer now; try another, or try again")]
    NotServing,
    /// No identity provider is configured.
    #[error(
        "This authority has no identity provider: configure one, or start it with --dev to try it out"
    )]
    NoProvider,
}

impl Refusal {
    /// A part of the request is not as it should be.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), field }
    }
}

/// A step of the authority that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The answer is no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no answer.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// What a step of the authority comes to.
pub type Answer<T> = Result<T, Error>;
