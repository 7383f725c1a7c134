//! What is kept, and what is handed in to be kept.

use std::fmt;
use std::net::IpAddr;

use nt_token::{
    EntryId, Expiry, Jti, KeyId, OperatorId, Scopes, Timestamp, TokenRecord, WorkspaceId,
};

/// What is fixed when the authority first starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The `iss` of every token. Tokens are checked against it byte for byte, so it never changes.
    pub issuer: String,
}

/// Who someone is at the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The person, by the provider's own stable identifier.
    pub subject: String,
    /// As the provider says it at the last sign-in.
    pub email: Option<String>,
    /// As the provider says it at the last sign-in.
    pub name: Option<String>,
}

/// A person who signed in here at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The identifier here.
    pub id: OperatorId,
    /// The identity at the provider.
    pub identity: Identity,
}

/// SHA-256 of a session's secret; the secret itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionHash(pub [u8; 32]);

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHash")
    }
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// By what it is found.
    pub hash: SessionHash,
    /// Whose it is.
    pub operator: Operator,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A login to be kept.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Who signed in. The operator is created at the first sign-in, and the e-mail address and name
    /// are brought up to date at each.
    pub identity: Identity,
    /// The identifier that the operator gets at the first sign-in.
    pub operator: OperatorId,
    /// By what the session is found.
    pub hash: SessionHash,
    /// When it begins.
    pub at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// From where.
    pub from: Option<IpAddr>,
}

/// What an operator is in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Created it; may do everything there.
    Owner,
}

impl Role {
    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
        }
    }
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its identifier.
    pub id: WorkspaceId,
    /// Its name: unique among the live workspaces of its owner.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A workspace as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The workspace.
    pub workspace: Workspace,
    /// What the member is there.
    pub role: Role,
}

/// A workspace to be kept.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    /// Its identifier.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// By what a repeated request is recognised, per operator and for good.
    pub idempotency_key: Option<String>,
}

/// A token to be kept. Its `rv` and place are decided in the same transaction.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its identifier.
    pub jti: Jti,
    /// The workspace that it refers to.
    pub workspace: WorkspaceId,
    /// When it ends.
    pub expiry: Expiry,
    /// What it may be used for.
    pub scope: Scopes,
    /// What its owner calls it.
    pub description: Option<String>,
    /// The key that will sign it.
    pub kid: KeyId,
    /// Whom it is for.
    pub audience: String,
    /// By what a repeated request is recognised, per operator and for good: a client that was killed
    /// may come back after any time.
    pub idempotency_key: Option<String>,
    /// Identity of the log entry where the step also revokes (a refresh).
    pub entry: EntryId,
    /// Tells whether a repeated request asks for the same: a digest of what was asked for.
    pub request_digest: [u8; 32],
}

/// Which tokens are asked for, at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFilter {
    /// Those that can be used.
    Active(Timestamp),
    /// Those whose time is over, and that were not revoked.
    Expired(Timestamp),
    /// Those that were revoked.
    Revoked,
    /// All.
    All,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// How many at most; everything where nothing is said.
    pub limit: Option<u32>,
    /// After which item: the last one of the page before.
    pub after: Option<(Timestamp, Jti)>,
}

/// A page of tokens, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenPage {
    /// The tokens, each with the e-mail address of who had it issued.
    pub tokens: Vec<(TokenRecord, Option<String>)>,
    /// Whether there are more.
    pub more: bool,
}

/// Uses of a token to be added to what was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseDelta {
    /// The token.
    pub jti: Jti,
    /// How often.
    pub count: u64,
    /// When last.
    pub last_at: Timestamp,
    /// From where last.
    pub last_from: Option<IpAddr>,
}
