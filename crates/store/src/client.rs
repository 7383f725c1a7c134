//! The register of clients of the OAuth endpoints: what is kept of one, and what is handed in to be kept.

use nt_token::client::{ClientName, ClientRights};
use nt_token::{OperatorId, Timestamp, WorkspaceId};

use crate::verifier::CredentialHash;

/// A client to be registered.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// What people call it, and its `client_id`.
    pub name: ClientName,
    /// By what it is found.
    pub hash: CredentialHash,
    /// What it may do.
    pub rights: ClientRights,
    /// The one workspace whose tokens it may ask about or revoke; any, where nothing is said.
    pub workspace: Option<WorkspaceId>,
}

/// A client that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// What people call it, and its `client_id`.
    pub name: ClientName,
    /// By what it is found.
    pub hash: CredentialHash,
    /// What it may do.
    pub rights: ClientRights,
    /// The one workspace whose tokens it may ask about or revoke; any, where nothing is said.
    pub workspace: Option<WorkspaceId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: OperatorId,
}

/// What became of a client to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedClient {
    /// It is registered.
    Added(Client),
    /// Another one has this name.
    NameTaken,
}
