//! Workspaces.

use aws_lc_rs::digest::{Context, SHA256};
use nt_revocation::{Fact, ScopeOf};
use nt_token::{EntryId, Jti, OperatorId, Timestamp, WorkspaceId};

use super::db::{Bind, Db, all, change, one};
use super::row::{Row, parsed, role, time, time_or_null, workspace_id};
use super::token;
use super::writing::Writing;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::record::{Member, NewToken, NewWorkspace, Role, Workspace};
use crate::store::{CreatedWorkspace, DeletedWorkspace};

/// Whether there is such a workspace that was not deleted.
pub(super) fn is_live(db: Db<'_>, id: WorkspaceId) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT 1 FROM workspaces WHERE id = ?1 AND deleted_at IS NULL";
    Ok(one(db, SQL, &[id.as_bytes()], |_| Ok(()))?.is_some())
}

/// The live workspaces that an operator is a member of, by name.
pub(super) fn list(db: Db<'_>, operator: &OperatorId) -> Result<Vec<Member>, StoreError> {
    const SQL: &str = "SELECT w.id, w.name, w.description, w.created_at, w.organisation, m.role
        FROM members m JOIN workspaces w ON w.id = m.workspace
        WHERE m.operator = ?1 AND w.deleted_at IS NULL ORDER BY w.name, w.id";
    all(db, SQL, &[&operator.as_str()], member)
}

/// A live workspace, if the operator is a member of it.
pub(super) fn find(
    db: Db<'_>,
    id: WorkspaceId,
    operator: &OperatorId,
) -> Result<Option<Member>, StoreError> {
    const SQL: &str = "SELECT w.id, w.name, w.description, w.created_at, w.organisation, m.role
        FROM members m JOIN workspaces w ON w.id = m.workspace
        WHERE m.operator = ?1 AND m.workspace = ?2 AND w.deleted_at IS NULL";
    one(db, SQL, &[&operator.as_str(), id.as_bytes()], member)
}

/// A live workspace, whoever asks.
pub(super) fn live(db: Db<'_>, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
    const SQL: &str = "SELECT id, name, description, created_at, organisation
        FROM workspaces WHERE id = ?1 AND deleted_at IS NULL";
    one(db, SQL, &[id.as_bytes()], workspace)
}

/// The live workspaces that an organisation owns, by name.
pub(super) fn list_of(db: Db<'_>, organisation: &str) -> Result<Vec<Workspace>, StoreError> {
    const SQL: &str = "SELECT id, name, description, created_at, organisation
        FROM workspaces WHERE organisation = ?1 AND deleted_at IS NULL ORDER BY name, id";
    all(db, SQL, &[&organisation], workspace)
}

/// When this operator deleted this workspace under this key.
pub(super) fn deletion(
    db: Db<'_>,
    id: WorkspaceId,
    operator: &OperatorId,
    key: &str,
) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT deleted_at FROM workspaces
        WHERE id = ?1 AND deleted_by = ?2 AND deletion_key = ?3";
    let params: &[&dyn Bind] = &[id.as_bytes(), &operator.as_str(), &key];
    Ok(one(db, SQL, params, |row| time_or_null(row, 0))?.flatten())
}

fn member(row: Row<'_>) -> Result<Member, StoreError> {
    Ok(Member { workspace: workspace(row)?, role: role(row, 5)? })
}

fn workspace(row: Row<'_>) -> Result<Workspace, StoreError> {
    Ok(Workspace {
        id: workspace_id(row, 0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        created_at: time(row, 3)?,
        organisation: row.get(4)?,
    })
}

/// A workspace that was created under an idempotency key, and what the request asked for.
struct Earlier {
    workspace: Workspace,
    first_token: Jti,
    request_digest: [u8; 32],
}

fn by_key(
    db: Db<'_>,
    owner: &OperatorId,
    key: Option<&str>,
) -> Result<Option<Earlier>, StoreError> {
    const SQL: &str = "SELECT id, name, description, created_at, organisation, first_token,
            request_digest
        FROM workspaces WHERE owner = ?1 AND idempotency_key = ?2";
    let Some(key) = key else { return Ok(None) };
    one(db, SQL, &[&owner.as_str(), &key], |row| {
        let first_token = parsed(row, 5, "a token's JTI")?;
        Ok(Earlier { workspace: workspace(row)?, first_token, request_digest: row.get(6)? })
    })
}

/// A digest of all that was asked for: the workspace's description may be changed later, and a
/// repeated request still be the same.
fn request_digest(new: &NewWorkspace, first: &NewToken) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    digest.update(&first.request_digest);
    digest.update(&(new.name.len() as u64).to_be_bytes());
    digest.update(new.name.as_bytes());
    if let Some(organisation) = &new.organisation {
        digest.update(&[2]);
        digest.update(&(organisation.len() as u64).to_be_bytes());
        digest.update(organisation.as_bytes());
    }
    if let Some(description) = &new.description {
        digest.update(&[1]);
        digest.update(description.as_bytes());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.finish().as_ref());
    bytes
}

fn name_is_taken(db: Db<'_>, owner: &OperatorId, name: &str) -> Result<bool, StoreError> {
    const SQL: &str =
        "SELECT 1 FROM workspaces WHERE owner = ?1 AND name = ?2 AND deleted_at IS NULL";
    Ok(one(db, SQL, &[&owner.as_str(), &name], |_| Ok(()))?.is_some())
}

impl Writing<'_> {
    pub(super) fn create_workspace(
        &mut self,
        new: &NewWorkspace,
        first: &NewToken,
        act: &Act,
    ) -> Result<CreatedWorkspace, StoreError> {
        let digest = request_digest(new, first);
        if let Some(earlier) = by_key(self.db, &act.operator, new.idempotency_key.as_deref())? {
            if earlier.request_digest != digest {
                return Ok(CreatedWorkspace::KeyReused);
            }
            let token = token::by_jti(self.db, &earlier.first_token)?
                .ok_or(StoreError::Corrupt("a workspace's first token"))?;
            return Ok(CreatedWorkspace::Repeated(earlier.workspace, token));
        }
        if token::by_key(self.db, &act.operator, first.idempotency_key.as_deref())?.is_some() {
            return Ok(CreatedWorkspace::KeyReused);
        }
        if name_is_taken(self.db, &act.operator, &new.name)? {
            return Ok(CreatedWorkspace::NameTaken);
        }
        self.insert_workspace(new, &first.jti, digest, act)?;
        let first = NewToken { workspace: new.id, ..first.clone() };
        let token = self.insert_token(&first, None, act)?;
        self.audit(act, Action::WorkspaceCreated, Some(new.id), Some(&token.jti), None);
        let NewWorkspace { id, name, description, organisation, .. } = new.clone();
        let workspace = Workspace { id, name, description, created_at: act.at, organisation };
        Ok(CreatedWorkspace::New(workspace, token))
    }

    fn insert_workspace(
        &mut self,
        new: &NewWorkspace,
        first_token: &Jti,
        digest: [u8; 32],
        act: &Act,
    ) -> Result<(), StoreError> {
        const WORKSPACE: &str = "INSERT INTO workspaces (id, owner, name, description, created_at,
                first_token, idempotency_key, request_digest, organisation)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let (id, owner) = (new.id.as_bytes(), act.operator.as_str());
        let params: &[&dyn Bind] = &[
            &id,
            &owner,
            &new.name,
            &new.description,
            &act.at.unix(),
            &first_token.as_str(),
            &new.idempotency_key,
            &digest,
            &new.organisation,
        ];
        change(self.db, WORKSPACE, params)?;
        self.insert_member(new.id, &act.operator, Role::Owner, act.at)?;
        Ok(())
    }

    pub(super) fn describe_workspace(
        &mut self,
        id: WorkspaceId,
        description: Option<&str>,
        act: &Act,
    ) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE workspaces SET description = ?2 WHERE id = ?1 AND deleted_at IS NULL";
        let found = change(self.db, SQL, &[id.as_bytes(), &description])? > 0;
        if found {
            self.audit(act, Action::WorkspaceUpdated, Some(id), None, None);
        }
        Ok(found)
    }

    /// Deletes a workspace. It stays as a tombstone, and its name is free again. Nobody can be invited
    /// to it any more; its members go on seeing what was done there.
    pub(super) fn delete_workspace(
        &mut self,
        id: WorkspaceId,
        entry: EntryId,
        key: Option<&str>,
        act: &Act,
    ) -> Result<DeletedWorkspace, StoreError> {
        const SQL: &str = "UPDATE workspaces SET deleted_at = ?2, deleted_by = ?3,
                deletion_key = ?4 WHERE id = ?1 AND deleted_at IS NULL";
        const UNINVITE: &str = "DELETE FROM invitations WHERE workspace = ?1";
        let by = act.operator.as_str();
        if change(self.db, SQL, &[id.as_bytes(), &act.at.unix(), &by, &key])? == 0 {
            return Ok(DeletedWorkspace::NotFound);
        }
        change(self.db, UNINVITE, &[id.as_bytes()])?;
        let scope = ScopeOf::Workspace(id);
        self.append(entry, Fact::ScopeRevoked { scope, except: Vec::new() })?;
        self.audit(act, Action::WorkspaceDeleted, Some(id), None, None);
        Ok(DeletedWorkspace::Deleted { at: act.at })
    }
}
