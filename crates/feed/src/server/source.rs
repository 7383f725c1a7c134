//! What the feed asks of the authority.

use async_trait::async_trait;
use nt_revocation::{Entry, Position};
use tonic::Extensions;
use tonic::codegen::Bytes;
use tonic::metadata::MetadataMap;

use super::roster::Who;

/// Who may not follow, or why that could not be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// No credential, or one that is not good.
    #[error("a verifier's credential is needed")]
    Unauthenticated,
    /// A good credential of someone who may not follow.
    #[error("this credential does not allow to follow revocations")]
    Forbidden,
    /// No client certificate, where one is demanded beside the credential.
    #[error(
        "a client certificate is demanded beside the credential: give this verifier one that the \
         authority's client CA has signed (ntd edge: --client-certificate and --client-key)"
    )]
    NoCertificate,
    /// The client certificate of another verifier.
    #[error(
        "the client certificate names another verifier than the credential: give this verifier its own"
    )]
    OthersCertificate,
    /// It cannot be said now.
    #[error("the credential cannot be checked now")]
    Unavailable,
}

/// The authority has no answer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be read now")]
pub struct Unavailable;

/// The authority, as the feed needs it.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Whom the call's metadata proves to be calling: a name that listings and receipts may show. The
    /// extensions have what whoever serves the connection knows of it.
    async fn authenticate(
        &self,
        metadata: &MetadataMap,
        connection: &Extensions,
    ) -> Result<String, NotAdmitted>;

    /// Waits until whoever was admitted under this name may follow no longer: the session ends then,
    /// and its last lease by itself.
    async fn dismissed(&self, _identity: &str) {
        std::future::pending::<()>().await;
    }

    /// The whole state as bytes, and the position that it stands for: at least everything that was
    /// ever pushed before this call.
    async fn snapshot(&self) -> Result<(Position, Bytes), Unavailable>;

    /// What follows this position: at least everything that was pushed before this call. `None` if
    /// this position is not of this log, or if a snapshot would be shorter.
    async fn entries_after(&self, position: Position) -> Result<Option<Vec<Entry>>, Unavailable>;

    /// Where this log is at this sequence number, which is not 0; `None` if the log has no such entry.
    async fn position_at(&self, seq: u64) -> Result<Option<Position>, Unavailable>;

    /// A verifier knows a position that this log does not go through: it has lost history, or is
    /// another. That verifier is served nothing; what else follows is for the authority to decide.
    async fn contradicted(&self, _witness: Position, _by: &Who) {}
}
