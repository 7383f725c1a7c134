//! Workspaces: creating, showing, describing, deleting.

use nt_api::tokens::CreateToken;
use nt_api::workspaces::{
    CreateWorkspace, Workspace, WorkspaceCreated, WorkspaceDeleted, WorkspaceList,
};
use nt_store::{CreatedWorkspace, DeletedWorkspace, Member, NewWorkspace, Right, Role};
use nt_token::{Timestamp, WorkspaceId};

use crate::authority::access::{Action, role_of};
use crate::authority::entropy::{entry_id, random};
use crate::authority::error::{Answer, Error, Refusal};
use crate::authority::issue::KEY_REUSED;
use crate::authority::restrictions::scope_names;
use crate::authority::{Authority, Caller, limits, shown_text};

impl Authority {
    /// Creates a workspace that the caller owns, and its first token.
    pub async fn create_workspace(
        &self,
        caller: &Caller,
        request: CreateWorkspace,
        idempotency_key: Option<String>,
    ) -> Answer<WorkspaceCreated> {
        if caller.grant().is_some() {
            return Err(Refusal::NotAllowed.into());
        }
        let name = workspace_name(request.name)?;
        let organisation = if request.organisation { Some(administered(caller)?) } else { None };
        let id = WorkspaceId::mint(random()?);
        // The first token is recognised by its workspace's key; it has none of its own.
        let (kid, of_token) = (self.signing_kid().await?, CreateToken::default());
        let first = self.new_token(id, Right::Unrecorded, kid, of_token, None)?;
        let new = NewWorkspace {
            id,
            name: name.clone(),
            description: shown_text("description", request.description)?,
            idempotency_key,
            organisation,
        };
        let (workspace, token) =
            match self.store.create_workspace(new, first, self.act(caller)).await? {
                CreatedWorkspace::New(workspace, token)
                | CreatedWorkspace::Repeated(workspace, token) => (workspace, token),
                CreatedWorkspace::NameTaken => return Err(Refusal::NameTaken(name).into()),
                CreatedWorkspace::KeyReused => {
                    return Err(Refusal::invalid("Idempotency-Key", KEY_REUSED).into());
                }
            };
        Ok(WorkspaceCreated {
            workspace_id: workspace.id,
            namespace: workspace.name.clone(),
            message: format!("Workspace '{}' created", workspace.name),
            workspace_name: workspace.name,
            created: workspace.created_at.into(),
            created_at: workspace.created_at.into(),
            status: "active".to_owned(),
            access_token: self.value(&token).await?,
            token_type: "Bearer".to_owned(),
            expires_in: token.expiry.claimed().unix() - token.created_at.unix(),
            scope: scope_names(&token.scope),
            jti: token.jti,
        })
    }

    /// The workspaces that the caller is a member of, by name.
    pub async fn workspaces(&self, caller: &Caller) -> Answer<WorkspaceList> {
        let mut seen = match caller.grant() {
            Some(grant) => {
                let workspace = self.store.live_workspace(grant.workspace).await?;
                workspace
                    .map(|workspace| Member { workspace, role: grant.role })
                    .into_iter()
                    .collect()
            }
            None => self.store.workspaces(&caller.operator().id).await?,
        };
        if let Some(organisation) = caller.organisation() {
            for workspace in self.store.workspaces_of(&organisation.id).await? {
                let role = role_of(organisation);
                match seen.iter_mut().find(|member| member.workspace.id == workspace.id) {
                    Some(member) => member.role = member.role.min(role),
                    None => seen.push(Member { workspace, role }),
                }
            }
            seen.sort_by(|a, b| {
                let key = |member: &Member| (member.workspace.name.clone(), member.workspace.id);
                key(a).cmp(&key(b))
            });
        }
        let workspaces: Vec<Workspace> =
            seen.into_iter().map(|Member { workspace, role }| shown(workspace, role)).collect();
        let total = workspaces.len() as u64;
        Ok(WorkspaceList { workspaces, user_id: caller.operator().id.clone(), total })
    }

    /// One workspace.
    pub async fn workspace(&self, caller: &Caller, id: WorkspaceId) -> Answer<Workspace> {
        let standing = self.permitted(caller, id, Action::See).await?;
        Ok(shown(standing.workspace, standing.role))
    }

    /// Changes a workspace's description.
    pub async fn describe_workspace(
        &self,
        caller: &Caller,
        id: WorkspaceId,
        description: Option<String>,
    ) -> Answer<Workspace> {
        let description = shown_text("description", description)?;
        let mut standing = self.permitted(caller, id, Action::Describe).await?;
        let act = self.act(caller);
        if !self.store.describe_workspace(id, description.clone(), act).await? {
            return Err(Refusal::NoWorkspace.into());
        }
        standing.workspace.description = description;
        Ok(shown(standing.workspace, standing.role))
    }

    /// Deletes a workspace and, in the same step, revokes all its tokens.
    pub async fn delete_workspace(
        &self,
        caller: &Caller,
        id: WorkspaceId,
        idempotency_key: Option<String>,
    ) -> Answer<WorkspaceDeleted> {
        match self.permitted(caller, id, Action::Delete).await {
            Ok(_) => {}
            Err(Error::Refused(Refusal::NoWorkspace)) => {
                return self.deleted_before(caller, id, idempotency_key).await;
            }
            Err(no) => return Err(no),
        }
        let mut act = self.act(caller);
        act.note = self.vouched(caller).await?;
        match self.store.delete_workspace(id, entry_id()?, idempotency_key, act).await? {
            DeletedWorkspace::Deleted { at } => {
                tracing::info!(
                    workspace.id = %id, operator.id = %caller.operator().id,
                    "workspace deleted and its tokens revoked"
                );
                self.all_in_force().await?;
                Ok(deleted(id, at))
            }
            DeletedWorkspace::NotFound => Err(Refusal::NoWorkspace.into()),
        }
    }

    /// The answer to a repeated deletion: as the first, if it was this caller's under this key.
    async fn deleted_before(
        &self,
        caller: &Caller,
        id: WorkspaceId,
        idempotency_key: Option<String>,
    ) -> Answer<WorkspaceDeleted> {
        let key = idempotency_key.ok_or(Refusal::NoWorkspace)?;
        let at = self.store.deletion(id, &caller.operator().id, &key).await?;
        let at = at.ok_or(Refusal::NoWorkspace)?;
        // What can be read may still be on its way: once the writer has answered this, which changes
        // nothing, it is applied here.
        self.store.keep_receipts(Vec::new()).await?;
        self.all_in_force().await?;
        Ok(deleted(id, at))
    }
}

fn deleted(id: WorkspaceId, at: Timestamp) -> WorkspaceDeleted {
    WorkspaceDeleted {
        workspace_id: id,
        status: "deleted".to_owned(),
        deleted_at: at.into(),
        message: "Workspace deleted; all its tokens are revoked".to_owned(),
    }
}

/// 3 to 32 lower-case letters, digits and hyphens, beginning with a letter.
fn workspace_name(name: String) -> Result<String, Refusal> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let well_formed = limits::NAME_CHARS.contains(&name.len())
        && name.bytes().all(allowed)
        && name.starts_with(|first: char| first.is_ascii_lowercase());
    if well_formed {
        return Ok(name);
    }
    let message = "A workspace name has 3 to 32 lower-case letters, digits and hyphens and begins \
                   with a letter";
    Err(Refusal::invalid("name", message))
}

/// The organisation that the caller acts for and administers.
fn administered(caller: &Caller) -> Result<String, Refusal> {
    let organisation = caller.organisation().filter(|one| role_of(one) == Role::Admin);
    let organisation = organisation.ok_or_else(|| {
        let message = "Only an admin who signed in for an organisation can create its workspaces";
        Refusal::invalid("organisation", message)
    })?;
    Ok(organisation.id.clone())
}

fn shown(workspace: nt_store::Workspace, role: Role) -> Workspace {
    Workspace {
        workspace_id: workspace.id,
        workspace_name: workspace.name,
        description: workspace.description,
        created: workspace.created_at.into(),
        created_at: workspace.created_at.into(),
        role: role.name().to_owned(),
        organisation: workspace.organisation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_names_are_fit_for_a_path() {
        for name in ["abc", "a-1", "production", &"a".repeat(32)] {
            assert!(workspace_name(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "ab", "1ab", "-ab", "Abc", "a_b", "a b", "a/b", "äbc", &"a".repeat(33)] {
            assert!(workspace_name(name.to_owned()).is_err(), "{name}");
        }
    }
}
