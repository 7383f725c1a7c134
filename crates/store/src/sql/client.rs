//! The register of clients of the OAuth endpoints.

use nt_token::WorkspaceId;
use nt_token::client::ClientName;

use super::db::{Bind, Db, all, one};
use super::row::{Row, parsed, time};
use super::writing::Writing;
use crate::audit::{Act, Action};
use crate::client::{AddedClient, Client, NewClient};
use crate::error::StoreError;
use crate::verifier::CredentialHash;

/// Those that are registered, by name.
pub(super) fn list(db: Db<'_>) -> Result<Vec<Client>, StoreError> {
    const SQL: &str = "SELECT name, secret_hash, rights, workspace, created_at, created_by
        FROM oauth_clients WHERE removed_at IS NULL ORDER BY name";
    all(db, SQL, &[], client)
}

/// The one that is registered with a secret.
pub(super) fn of(db: Db<'_>, hash: CredentialHash) -> Result<Option<Client>, StoreError> {
    const SQL: &str = "SELECT name, secret_hash, rights, workspace, created_at, created_by
        FROM oauth_clients WHERE secret_hash = ?1 AND removed_at IS NULL";
    one(db, SQL, &[&hash.0], client)
}

fn client(row: Row<'_>) -> Result<Client, StoreError> {
    Ok(Client {
        name: parsed(row, 0, "a client's name")?,
        hash: CredentialHash(row.get(1)?),
        rights: parsed(row, 2, "a client's rights")?,
        workspace: row.get::<Option<[u8; 16]>>(3)?.map(WorkspaceId::from_bytes),
        created_at: time(row, 4)?,
        created_by: parsed(row, 5, "an operator's ID")?,
    })
}

impl Writing<'_> {
    pub(super) fn add_client(
        &mut self,
        new: &NewClient,
        act: &Act,
    ) -> Result<AddedClient, StoreError> {
        const TAKEN: &str = "SELECT 1 FROM oauth_clients WHERE name = ?1 AND removed_at IS NULL";
        const INSERT: &str = "INSERT INTO oauth_clients
                (name, secret_hash, rights, workspace, created_at, created_by)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            RETURNING name, secret_hash, rights, workspace, created_at, created_by";
        if one(self.db, TAKEN, &[&new.name.as_str()], |_| Ok(()))?.is_some() {
            return Ok(AddedClient::NameTaken);
        }
        let params: &[&dyn Bind] = &[
            &new.name.as_str(),
            &new.hash.0,
            &new.rights.to_string(),
            &new.workspace.as_ref().map(WorkspaceId::as_bytes),
            &act.at.unix(),
            &act.operator.as_str(),
        ];
        let added = one(self.db, INSERT, params, client)?;
        let rights = new.rights.to_string();
        self.audit_client(act, Action::ClientAdded, &new.name, new.workspace, Some(&rights));
        Ok(AddedClient::Added(added.ok_or(StoreError::Corrupt("no client"))?))
    }

    pub(super) fn remove_client(
        &mut self,
        name: &ClientName,
        act: &Act,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE oauth_clients SET removed_at = ?2, removed_by = ?3
            WHERE name = ?1 AND removed_at IS NULL RETURNING workspace";
        let params: &[&dyn Bind] = &[&name.as_str(), &act.at.unix(), &act.operator.as_str()];
        let removed = one(self.db, SQL, params, |row| row.get::<Option<[u8; 16]>>(0))?;
        let Some(workspace) = removed else { return Ok(false) };
        let workspace = workspace.map(WorkspaceId::from_bytes);
        self.audit_client(act, Action::ClientRemoved, name, workspace, None);
        Ok(true)
    }
}
