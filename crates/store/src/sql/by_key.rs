//! What is asked by one key each time: a login, a verifier, and whether a CI job's token was used
//! before.

use nt_token::{OperatorId, Timestamp};

use super::db::{Db, all, change, one};
use super::session::session;
use super::verifier::verifier;
use super::writing::Writing;
use crate::error::StoreError;
use crate::record::{JobToken, Session, SessionHash};
use crate::verifier::{CredentialHash, Verifier};

/// A login, whether its time is over or not.
pub(super) fn session_of(db: Db<'_>, hash: SessionHash) -> Result<Option<Session>, StoreError> {
    const SQL: &str =
        "SELECT s.hash, s.id, s.created_at, s.last_used_at, s.expires_at, s.came_from,
            s.client, s.organisation, s.organisation_role, s.grant_workspace, s.grant_role,
            s.grant_revoke, o.id, o.issuer, o.subject, o.email, o.name
        FROM sessions s JOIN operators o ON o.id = s.operator
        WHERE s.hash = ?1";
    one(db, SQL, &[&hash.0], session)
}

/// An operator's logins, the latest first.
pub(super) fn sessions_of(
    db: Db<'_>,
    operator: &OperatorId,
    now: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    const SQL: &str =
        "SELECT s.hash, s.id, s.created_at, s.last_used_at, s.expires_at, s.came_from,
            s.client, s.organisation, s.organisation_role, s.grant_workspace, s.grant_role,
            s.grant_revoke, o.id, o.issuer, o.subject, o.email, o.name
        FROM sessions s JOIN operators o ON o.id = s.operator
        WHERE s.operator = ?1 AND s.expires_at > ?2 ORDER BY s.created_at DESC, s.id DESC";
    all(db, SQL, &[&operator.as_str(), &now.unix()], session)
}

/// The verifier that is registered with a credential.
pub(super) fn verifier_of(
    db: Db<'_>,
    hash: CredentialHash,
) -> Result<Option<Verifier>, StoreError> {
    const SQL: &str = "SELECT id, name, credential_hash, created_at, created_by,
            last_connected_at, last_version
        FROM verifiers WHERE credential_hash = ?1 AND removed_at IS NULL";
    one(db, SQL, &[&hash.0], verifier)
}

impl Writing<'_> {
    /// Each step forgets what ended since the one before: the table has what is needed, and no more.
    pub(super) fn use_job_token(
        &mut self,
        token: &JobToken,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const FORGET: &str = "DELETE FROM job_tokens WHERE until <= ?1";
        const KNOWN: &str = "SELECT 1 FROM job_tokens WHERE issuer = ?1 AND digest = ?2";
        const NOTE: &str = "INSERT INTO job_tokens (issuer, digest, until) VALUES (?1, ?2, ?3)";
        change(self.db, FORGET, &[&now.unix()])?;
        let JobToken { issuer, digest, until } = token;
        if one(self.db, KNOWN, &[issuer, digest], |_| Ok(()))?.is_some() {
            return Ok(false);
        }
        change(self.db, NOTE, &[issuer, digest, &until.unix()])?;
        Ok(true)
    }
}
