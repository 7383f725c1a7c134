//! Workspaces, and whose they are.

use nt_revocation::{Fact, ScopeOf};
use nt_token::{EntryId, OperatorId, Timestamp, WorkspaceId};

use super::state::{Asked, Deleted, Held, State};
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::record::{Member, NewToken, NewWorkspace, Role, Workspace};
use crate::store::{CreatedWorkspace, DeletedWorkspace};

impl State {
    pub(super) fn create_workspace(
        &mut self,
        new: NewWorkspace,
        first: NewToken,
        act: &Act,
    ) -> Result<CreatedWorkspace, StoreError> {
        let asked = Asked {
            idempotency_key: new.idempotency_key.clone(),
            name: new.name.clone(),
            description: new.description.clone(),
            organisation: new.organisation.clone(),
            request_digest: first.request_digest,
        };
        if let Some(earlier) = self.asked_before(&act.operator, &asked) {
            let token = self.token_of(&earlier.first_token);
            let token = token.ok_or(StoreError::Corrupt("a workspace's first token"))?;
            return Ok(if earlier.asked == asked {
                CreatedWorkspace::Repeated(earlier.workspace.clone(), token)
            } else {
                CreatedWorkspace::KeyReused
            });
        }
        if self.issued_before(&act.operator, first.idempotency_key.as_deref()).is_some() {
            return Ok(CreatedWorkspace::KeyReused);
        }
        if self.owned_by(&act.operator).any(|held| held.workspace.name == new.name) {
            return Ok(CreatedWorkspace::NameTaken);
        }
        if self.workspaces.contains_key(&new.id) {
            return Err(StoreError::Database("a workspace of this ID is there".to_owned()));
        }
        self.insert_workspace(new, first, asked, act)
    }

    fn insert_workspace(
        &mut self,
        new: NewWorkspace,
        first: NewToken,
        asked: Asked,
        act: &Act,
    ) -> Result<CreatedWorkspace, StoreError> {
        let NewWorkspace { id, name, description, organisation, .. } = new;
        let token = self.insert_token(NewToken { workspace: id, ..first }, None, act)?;
        let workspace = Workspace { id, name, description, created_at: act.at, organisation };
        let held = Held {
            workspace: workspace.clone(),
            owner: act.operator.clone(),
            first_token: token.jti.clone(),
            asked,
            deleted: None,
        };
        self.workspaces.insert(id, held);
        self.insert_member(id, &act.operator, Role::Owner, act.at);
        self.record(act, Action::WorkspaceCreated, Some(id), Some(&token.jti), None);
        Ok(CreatedWorkspace::New(workspace, token))
    }

    fn asked_before(&self, owner: &OperatorId, asked: &Asked) -> Option<&Held> {
        let key = asked.idempotency_key.as_ref()?;
        let mut theirs = self.workspaces.values().filter(|held| held.owner == *owner);
        theirs.find(|held| held.asked.idempotency_key.as_ref() == Some(key))
    }

    fn owned_by(&self, owner: &OperatorId) -> impl Iterator<Item = &Held> {
        let theirs = self.workspaces.values().filter(move |held| held.owner == *owner);
        theirs.filter(|held| held.deleted.is_none())
    }

    pub(super) fn members_workspaces(&self, operator: &OperatorId) -> Vec<Member> {
        let mut list: Vec<_> =
            self.workspaces.keys().filter_map(|id| self.member(*id, operator)).collect();
        list.sort_by(|a, b| {
            (&a.workspace.name, a.workspace.id).cmp(&(&b.workspace.name, b.workspace.id))
        });
        list
    }

    pub(super) fn member(&self, id: WorkspaceId, operator: &OperatorId) -> Option<Member> {
        let role = self.members.get(&(id, operator.clone()))?.role;
        Some(Member { workspace: self.live_workspace(id)?, role })
    }

    pub(super) fn live_workspace(&self, id: WorkspaceId) -> Option<Workspace> {
        let live = self.workspaces.get(&id).filter(|held| held.deleted.is_none());
        live.map(|held| held.workspace.clone())
    }

    pub(super) fn workspaces_of(&self, organisation: &str) -> Vec<Workspace> {
        let live = self.workspaces.keys().filter_map(|id| self.live_workspace(*id));
        let mut list: Vec<_> =
            live.filter(|live| live.organisation.as_deref() == Some(organisation)).collect();
        list.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        list
    }

    /// Whether the operator is, or until its deletion was, a member.
    pub(super) fn was_member(&self, id: WorkspaceId, operator: &OperatorId) -> bool {
        self.members.contains_key(&(id, operator.clone()))
    }

    pub(super) fn describe_workspace(
        &mut self,
        id: WorkspaceId,
        description: Option<String>,
        act: &Act,
    ) -> bool {
        let live = self.workspaces.get_mut(&id).filter(|held| held.deleted.is_none());
        let Some(held) = live else { return false };
        held.workspace.description = description;
        self.record(act, Action::WorkspaceUpdated, Some(id), None, None);
        true
    }

    pub(super) fn deletion(
        &self,
        id: WorkspaceId,
        operator: &OperatorId,
        key: &str,
    ) -> Option<Timestamp> {
        let deleted = self.workspaces.get(&id)?.deleted.as_ref()?;
        let same = deleted.by == *operator && deleted.key.as_deref() == Some(key);
        same.then_some(deleted.at)
    }

    pub(super) fn delete_workspace(
        &mut self,
        id: WorkspaceId,
        entry: EntryId,
        key: Option<String>,
        act: &Act,
    ) -> Result<DeletedWorkspace, StoreError> {
        let scope = ScopeOf::Workspace(id);
        let fact = Fact::ScopeRevoked { scope, except: Vec::new() };
        if !self.is_live(id) {
            return Ok(DeletedWorkspace::NotFound);
        }
        self.may_append(entry, &fact)?;
        self.append(entry, fact);
        let deleted = Deleted { at: act.at, by: act.operator.clone(), key };
        if let Some(held) = self.workspaces.get_mut(&id) {
            held.deleted = Some(deleted);
        }
        self.invitations.retain(|(of, _), _| *of != id);
        self.record(act, Action::WorkspaceDeleted, Some(id), None, None);
        Ok(DeletedWorkspace::Deleted { at: act.at })
    }
}
