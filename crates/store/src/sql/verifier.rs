//! The register of verifiers.

use nt_token::{Timestamp, VerifierId, VerifierName};

use super::db::{Bind, Db, all, change, one};
use super::row::{Row, parsed, time, time_or_null};
use super::writing::Writing;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::verifier::{AddedVerifier, CredentialHash, NewVerifier, Verifier};

/// Those that are registered, by name.
pub(super) fn list(db: Db<'_>) -> Result<Vec<Verifier>, StoreError> {
    const SQL: &str = "SELECT id, name, credential_hash, created_at, created_by,
            last_connected_at, last_version
        FROM verifiers WHERE removed_at IS NULL ORDER BY name";
    all(db, SQL, &[], verifier)
}

pub(super) fn verifier(row: Row<'_>) -> Result<Verifier, StoreError> {
    let connected_at = time_or_null(row, 5)?;
    let version: Option<String> = row.get(6)?;
    Ok(Verifier {
        id: parsed(row, 0, "a verifier's ID")?,
        name: parsed(row, 1, "a verifier's name")?,
        hash: CredentialHash(row.get(2)?),
        created_at: time(row, 3)?,
        created_by: parsed(row, 4, "an operator's ID")?,
        last_connected: connected_at.zip(version),
    })
}

impl Writing<'_> {
    pub(super) fn add_verifier(
        &mut self,
        new: &NewVerifier,
        act: &Act,
    ) -> Result<AddedVerifier, StoreError> {
        const TAKEN: &str = "SELECT 1 FROM verifiers WHERE name = ?1 AND removed_at IS NULL";
        const INSERT: &str =
            "INSERT INTO verifiers (id, name, credential_hash, created_at, created_by)
            VALUES (?1, ?2, ?3, ?4, ?5)
            RETURNING id, name, credential_hash, created_at, created_by,
                last_connected_at, last_version";
        if one(self.db, TAKEN, &[&new.name.as_str()], |_| Ok(()))?.is_some() {
            return Ok(AddedVerifier::NameTaken);
        }
        let params: &[&dyn Bind] = &[
            &new.id.as_str(),
            &new.name.as_str(),
            &new.hash.0,
            &act.at.unix(),
            &act.operator.as_str(),
        ];
        let added = one(self.db, INSERT, params, verifier)?;
        self.audit_verifier(act, Action::VerifierAdded, &new.name);
        Ok(AddedVerifier::Added(added.ok_or(StoreError::Corrupt("no verifier"))?))
    }

    pub(super) fn remove_verifier(
        &mut self,
        name: &VerifierName,
        act: &Act,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE verifiers SET removed_at = ?2, removed_by = ?3
            WHERE name = ?1 AND removed_at IS NULL";
        let params: &[&dyn Bind] = &[&name.as_str(), &act.at.unix(), &act.operator.as_str()];
        if change(self.db, SQL, params)? == 0 {
            return Ok(false);
        }
        self.audit_verifier(act, Action::VerifierRemoved, name);
        Ok(true)
    }

    pub(super) fn touch_verifiers(
        &mut self,
        connected: &[(VerifierId, Timestamp, String)],
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE verifiers SET last_connected_at = ?2, last_version = ?3
            WHERE id = ?1 AND removed_at IS NULL
                AND (last_connected_at IS NULL OR last_connected_at <= ?2)";
        for (id, at, version) in connected {
            change(self.db, SQL, &[&id.as_str(), &at.unix(), &version])?;
        }
        Ok(())
    }
}
