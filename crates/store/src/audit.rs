//! Who did what, when and from where.

use std::net::IpAddr;

use nt_token::{Jti, OperatorId, Timestamp, WorkspaceId};

use crate::record::Person;

/// The circumstances of a step: written into its audit record in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Who takes the step.
    pub operator: OperatorId,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub from: Option<IpAddr>,
    /// What else must be known of it: for the record.
    pub note: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// An operator signed in.
    SessionCreated,
    /// An operator signed out.
    SessionEnded,
    /// A workspace was created, with its first token.
    WorkspaceCreated,
    /// A workspace's description was changed.
    WorkspaceUpdated,
    /// A workspace was deleted, and all its tokens revoked.
    WorkspaceDeleted,
    /// A token was issued.
    TokenCreated,
    /// A token was replaced: issued anew and the old one revoked in one step.
    TokenRefreshed,
    /// A token was revoked.
    TokenRevoked,
    /// Somebody became a member of a workspace.
    MemberAdded,
    /// Somebody was invited to a workspace.
    MemberInvited,
    /// A member's role was changed.
    MemberChanged,
    /// Somebody is no longer a member of a workspace, or no longer invited.
    MemberRemoved,
    /// A verifier was registered.
    VerifierAdded,
    /// A verifier was removed from the register.
    VerifierRemoved,
    /// A client of the OAuth endpoints was registered; the reason says what it may do.
    ClientAdded,
    /// A client was removed from the register.
    ClientRemoved,
    /// The log was recovered after a part of it was lost, and a new epoch began.
    AuthorityRecovered,
    /// A signing key was made, or taken over.
    KeyAdded,
    /// A signing key signs from now on.
    KeyActivated,
    /// A signing key signs no more; what it signed counts.
    KeyRetired,
    /// A signing key was revoked, and with it all tokens that it had signed.
    KeyRevoked,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::SessionCreated,
        Self::SessionEnded,
        Self::WorkspaceCreated,
        Self::WorkspaceUpdated,
        Self::WorkspaceDeleted,
        Self::TokenCreated,
        Self::TokenRefreshed,
        Self::TokenRevoked,
        Self::MemberAdded,
        Self::MemberInvited,
        Self::MemberChanged,
        Self::MemberRemoved,
        Self::VerifierAdded,
        Self::VerifierRemoved,
        Self::ClientAdded,
        Self::ClientRemoved,
        Self::AuthorityRecovered,
        Self::KeyAdded,
        Self::KeyActivated,
        Self::KeyRetired,
        Self::KeyRevoked,
    ];

    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionCreated => "session.created",
            Self::SessionEnded => "session.ended",
            Self::WorkspaceCreated => "workspace.created",
            Self::WorkspaceUpdated => "workspace.updated",
            Self::WorkspaceDeleted => "workspace.deleted",
            Self::TokenCreated => "token.created",
            Self::TokenRefreshed => "token.refreshed",
            Self::TokenRevoked => "token.revoked",
            Self::MemberAdded => "member.added",
            Self::MemberInvited => "member.invited",
            Self::MemberChanged => "member.changed",
            Self::MemberRemoved => "member.removed",
            Self::VerifierAdded => "verifier.added",
            Self::VerifierRemoved => "verifier.removed",
            Self::ClientAdded => "client.added",
            Self::ClientRemoved => "client.removed",
            Self::AuthorityRecovered => "authority.recovered",
            Self::KeyAdded => "key.added",
            Self::KeyActivated => "key.activated",
            Self::KeyRetired => "key.retired",
            Self::KeyRevoked => "key.revoked",
        }
    }
}

/// The reason that a refresh gives for revoking the old token.
pub(crate) fn replaced_by(new: &Jti) -> String {
    format!("replaced by {new}")
}

/// Why the tokens of a member who was removed were revoked, as their records say it.
pub(crate) const MEMBER_REMOVED: &str = "member removed";

/// How a record names whom it concerns.
pub(crate) fn about(person: &Person) -> &str {
    match person {
        Person::Operator(operator) => operator.id.as_str(),
        Person::Invited(email) => email,
    }
}

impl Act {
    /// The sign-in of somebody who was invited: what makes the invitation a membership.
    pub(crate) fn of_invited(operator: OperatorId, at: Timestamp, from: Option<IpAddr>) -> Self {
        Self { operator, at, from, note: Some("invited".to_owned()) }
    }

    /// The same, noting how many tokens were revoked with it, before what was noted already.
    pub(crate) fn with_revoked(&self, count: u64) -> Self {
        let tokens = if count == 1 { "token" } else { "tokens" };
        let mut note = format!("{count} {tokens} revoked");
        if let Some(more) = &self.note {
            note = note + "; " + more;
        }
        Self { note: Some(note), ..self.clone() }
    }
}

/// One record of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The record's number, from 1, in commit order.
    pub id: u64,
    /// Who, when, from where.
    pub act: Act,
    /// The operator's e-mail address, where it is known.
    pub email: Option<String>,
    /// What.
    pub action: Action,
    /// In which workspace.
    pub workspace: Option<WorkspaceId>,
    /// Which token. For a refresh, the new one; the old one has a record of its own.
    pub jti: Option<Jti>,
    /// Whom it concerns: a member's identifier or e-mail address, a verifier's or a client's name, or a key's
    /// identifier.
    pub about: Option<String>,
    /// Why, if that was said; for members, the role.
    pub reason: Option<String>,
}

/// Whose records are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// What this operator did, and what was done in workspaces that the operator is a member of,
    /// deleted ones included.
    Of(OperatorId),
    /// Everything: for administrators of the authority.
    Everything,
}

/// Which records are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Whose.
    pub visible: Visibility,
    /// Only what concerns this token.
    pub jti: Option<Jti>,
    /// Only what happened then or later.
    pub since: Option<Timestamp>,
    /// Only records with a smaller number: where the last page ended.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

/// A page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// The records, newest first.
    pub records: Vec<AuditRecord>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Attempts with a revoked token: what was counted so far, or what is to be added to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The token.
    pub jti: Jti,
    /// The workspace that it refers to.
    pub workspace: WorkspaceId,
    /// How often.
    pub count: u64,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
    /// From where last.
    pub last_from: Option<IpAddr>,
}
