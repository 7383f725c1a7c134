//! Where identifiers and secrets get their randomness: the operating system, through aws-lc.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_api::auth::SESSION_PREFIX;
use nt_api::clients::SECRET_PREFIX;
use nt_api::verifiers::CREDENTIAL_PREFIX;
use nt_store::{CredentialHash, SessionHash, StoreError};
use nt_token::{EntryId, Secret};

/// Random bytes. Without entropy nothing is issued: a guessable identifier is worse than none.
pub fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StoreError::Stopped)?;
    Ok(bytes)
}

/// A new identity for a log entry.
pub fn entry_id() -> Result<EntryId, StoreError> {
    random().map(EntryId)
}

/// A new session secret: 256 random bits, which is why an unsalted hash of it is safe to store.
pub fn session_secret() -> Result<Secret, StoreError> {
    secret(SESSION_PREFIX)
}

/// By what a session is found.
pub fn session_hash(secret: &str) -> SessionHash {
    SessionHash(sha256(secret.as_bytes()))
}

/// A new credential of a verifier: random as a session's secret is.
pub fn verifier_credential() -> Result<Secret, StoreError> {
    secret(CREDENTIAL_PREFIX)
}

/// A new secret of an OAuth client: random as a session's secret is.
pub fn client_secret() -> Result<Secret, StoreError> {
    secret(SECRET_PREFIX)
}

/// By what a verifier or an OAuth client is found.
pub fn credential_hash(credential: &str) -> CredentialHash {
    CredentialHash(sha256(credential.as_bytes()))
}

fn secret(prefix: &str) -> Result<Secret, StoreError> {
    let bytes: [u8; 32] = random()?;
    Ok(Secret::from(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
