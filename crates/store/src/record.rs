//! What is kept, and what is handed in to be kept.

use std::fmt;
use std::net::IpAddr;

use crate::right::Right;
use nt_token::{
    EntryId, Expiry, Jti, KeyId, Networks, OperatorId, Scopes, Timestamp, TokenRecord, WorkspaceId,
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

/// Names a session to its owner: `ses_` and a ULID. It is no secret, and opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// Makes a new one from the wall time in milliseconds and 80 bits of entropy.
    pub fn mint(at_ms: u64, entropy: [u8; 10]) -> Self {
        let operator = OperatorId::mint(at_ms, entropy);
        Self(operator.as_str().replacen("op_", "ses_", 1))
    }

    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("ses_")?;
        let well_formed =
            (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of a session's secret; the secret itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionHash(pub [u8; 32]);

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHash")
    }
}

/// What a session of a CI job may do: its role in one workspace, and nothing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The one workspace.
    pub workspace: WorkspaceId,
    /// What the job is there.
    pub role: Role,
    /// Whether it may revoke; no role alone lets a job do that.
    pub may_revoke: bool,
}

/// The organisation at the identity provider that an operator acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// By the provider's own stable identifier.
    pub id: String,
    /// What the operator is there, as the provider says it.
    pub role: Option<String>,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names it; no secret.
    pub id: SessionId,
    /// By what it is found.
    pub hash: SessionHash,
    /// Whose it is.
    pub operator: Operator,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, as far as that was written down.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// From where it began.
    pub from: Option<IpAddr>,
    /// The program that it began with, as it named itself.
    pub client: Option<String>,
    /// The organisation that the operator acts for in it.
    pub organisation: Option<Organisation>,
    /// What it is limited to, where it is a CI job's.
    pub grant: Option<Grant>,
}

/// A login to be kept.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Who signed in. The operator is created at the first sign-in, and the e-mail address and name
    /// are brought up to date at each.
    pub identity: Identity,
    /// The identifier that the operator gets at the first sign-in.
    pub operator: OperatorId,
    /// Names the session.
    pub id: SessionId,
    /// By what the session is found.
    pub hash: SessionHash,
    /// When it begins.
    pub at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// From where.
    pub from: Option<IpAddr>,
    /// The program that it begins with, as it names itself.
    pub client: Option<String>,
    /// The organisation that the operator acts for.
    pub organisation: Option<Organisation>,
    /// What it is limited to.
    pub grant: Option<Grant>,
}

/// A CI job's token that opens one session and no second one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobToken {
    /// Who issued it.
    pub issuer: String,
    /// SHA-256 of what the issuer signed.
    pub digest: [u8; 32],
    /// Until when it must be remembered.
    pub until: Timestamp,
}

/// What an operator is in a workspace, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May do everything there.
    Owner,
    /// Manages members, revokes any token.
    Admin,
    /// Issues tokens, and revokes those that it had issued.
    Developer,
    /// Sees.
    Viewer,
}

impl Role {
    /// All of them, from most to least.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Developer, Self::Viewer];

    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
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
    /// The organisation at the identity provider that owns it, if one does.
    pub organisation: Option<String>,
}

/// A workspace as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The workspace.
    pub workspace: Workspace,
    /// What the member is there.
    pub role: Role,
}

/// Who belongs to a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    /// An operator, who is a member.
    Operator(Operator),
    /// Somebody who is invited, by e-mail address in lower case, and becomes a member by signing in
    /// with it.
    Invited(String),
}

/// Somebody who belongs to a workspace, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belonging {
    /// Who.
    pub person: Person,
    /// As what.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// Names somebody who belongs to a workspace, or is to belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonKey {
    /// An operator.
    Operator(OperatorId),
    /// Whoever has this e-mail address, in lower case.
    Email(String),
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
    /// The organisation that is to own it.
    pub organisation: Option<String>,
}

/// A token to be kept. Its `rv` and place are decided in the same transaction.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its identifier.
    pub jti: Jti,
    /// The workspace that it refers to.
    pub workspace: WorkspaceId,
    /// By what right it is asked for.
    pub right: Right,
    /// When it ends.
    pub expiry: Expiry,
    /// What it may be used for.
    pub scope: Scopes,
    /// From where it may be used.
    pub source_networks: Networks,
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
