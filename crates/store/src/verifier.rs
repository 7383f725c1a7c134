//! The register of verifiers: what is kept of one, and what is handed in to be kept.

use std::fmt;

use nt_token::{OperatorId, Timestamp, VerifierId, VerifierName};

/// SHA-256 of a verifier's credential or of a client's secret, neither of which is ever stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialHash(pub [u8; 32]);

impl fmt::Debug for CredentialHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialHash")
    }
}

/// A verifier to be registered.
#[derive(Debug, Clone)]
pub struct NewVerifier {
    /// Its identifier.
    pub id: VerifierId,
    /// What people call it.
    pub name: VerifierName,
    /// By what it is found.
    pub hash: CredentialHash,
}

/// A verifier that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    /// Its identifier.
    pub id: VerifierId,
    /// What people call it.
    pub name: VerifierName,
    /// By what it is found.
    pub hash: CredentialHash,
    /// When it was registered.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: OperatorId,
    /// When it last connected and with which version of its program, if it ever did.
    pub last_connected: Option<(Timestamp, String)>,
}

/// What became of a verifier to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedVerifier {
    /// It is registered.
    Added(Verifier),
    /// Another one has this name.
    NameTaken,
}
