//! What the model remembers.

use std::collections::{BTreeMap, BTreeSet};

use nt_revocation::Entry;
use nt_revocation::protocol::Member;
use nt_token::record::TokenUse;
use nt_token::{
    ClientName, Jti, KeyId, OperatorId, Place, Timestamp, TokenRecord, VerifierId, WorkspaceId,
};

use crate::audit::{AuditRecord, Denial};
use crate::client::Client;
use crate::key::StoredKey;
use crate::node::KnownNode;
use crate::record::{Identity, Role, Session, Workspace};
use crate::verifier::{CredentialHash, Verifier};

/// Everything.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) issuer: Option<String>,
    /// The entry of number n is at n - 1.
    pub(super) log: Vec<Entry>,
    pub(super) operators: BTreeMap<OperatorId, Identity>,
    /// By hash. Who an operator is at the provider is looked up when asked for.
    pub(super) sessions: BTreeMap<[u8; 32], Session>,
    /// CI jobs' tokens that were used, by issuer and digest, each until when it is remembered.
    pub(super) job_tokens: BTreeMap<(String, [u8; 32]), Timestamp>,
    pub(super) workspaces: BTreeMap<WorkspaceId, Held>,
    /// Deleted workspaces keep theirs.
    pub(super) members: BTreeMap<(WorkspaceId, OperatorId), Belongs>,
    /// By e-mail address in lower case; deleted workspaces have none.
    pub(super) invitations: BTreeMap<(WorkspaceId, String), Belongs>,
    /// Those that are registered.
    pub(super) verifiers: BTreeMap<VerifierId, Verifier>,
    /// Those that were removed: what they had is never given again.
    pub(super) removed_verifiers: BTreeMap<VerifierId, CredentialHash>,
    /// Those that are registered.
    pub(super) clients: BTreeMap<ClientName, Client>,
    /// What those had that were removed: it is never given again.
    pub(super) removed_clients: Vec<CredentialHash>,
    /// Those that are not gone.
    pub(super) nodes: BTreeMap<Member, KnownNode>,
    /// Lives that have ended: none begins again.
    pub(super) gone_nodes: BTreeSet<Member>,
    pub(super) keys: BTreeMap<KeyId, StoredKey>,
    pub(super) tokens: BTreeMap<Jti, Issued>,
    pub(super) uses: BTreeMap<Jti, TokenUse>,
    pub(super) denials: BTreeMap<Jti, Denial>,
    /// By token and number of the entry that revoked it.
    pub(super) receipts: BTreeMap<(Jti, u64), String>,
    /// The record of number n is at n - 1; e-mail addresses are looked up when asked for.
    pub(super) audit: Vec<AuditRecord>,
    /// The list of number n is at n.
    pub(super) lists: Vec<List>,
    pub(super) taken: BTreeSet<Place>,
    /// How often a place was drawn.
    pub(super) draws: u64,
}

/// As what somebody belongs to a workspace, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belongs {
    pub(super) role: Role,
    pub(super) since: Timestamp,
}

/// A workspace, live or deleted.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) workspace: Workspace,
    pub(super) owner: OperatorId,
    pub(super) first_token: Jti,
    pub(super) asked: Asked,
    pub(super) deleted: Option<Deleted>,
}

/// The request that made a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) idempotency_key: Option<String>,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) organisation: Option<String>,
    pub(super) request_digest: [u8; 32],
}

/// How a workspace ended.
#[derive(Debug)]
pub(super) struct Deleted {
    pub(super) at: Timestamp,
    pub(super) by: OperatorId,
    pub(super) key: Option<String>,
}

/// A token, and the request that made it.
#[derive(Debug)]
pub(super) struct Issued {
    /// Its use is kept apart.
    pub(super) token: TokenRecord,
    pub(super) replaces: Option<Jti>,
    pub(super) idempotency_key: Option<String>,
    pub(super) request_digest: [u8; 32],
}

/// A list of places.
#[derive(Debug)]
pub(super) struct List {
    pub(super) bucket: i64,
    pub(super) capacity: u32,
    pub(super) issued: u32,
}

impl State {
    pub(super) fn is_live(&self, id: WorkspaceId) -> bool {
        self.workspaces.get(&id).is_some_and(|held| held.deleted.is_none())
    }

    pub(super) fn email(&self, operator: &OperatorId) -> Option<String> {
        self.operators.get(operator)?.email.clone()
    }
}
