//! Who may do what: in a workspace by one table, and beyond workspaces the administrators.

use nt_identity::provider::Provider;
use nt_store::{Grant, Member, Organisation, Right, Role, Workspace};
use nt_token::WorkspaceId;

use crate::authority::error::{Answer, Refusal};
use crate::authority::{Authority, Caller};

/// What can be done in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See the workspace, its members and its tokens' records.
    See,
    /// Issue tokens.
    Issue,
    /// Revoke tokens that one had issued oneself.
    RevokeOwn,
    /// Revoke any token.
    Revoke,
    /// Change the workspace's description.
    Describe,
    /// Add, change and remove members who are no owners.
    ManageMembers,
    /// Make owners, and change and remove them.
    ManageOwners,
    /// Delete the workspace and with it all its tokens.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::See,
        Self::Issue,
        Self::RevokeOwn,
        Self::Revoke,
        Self::Describe,
        Self::ManageMembers,
        Self::ManageOwners,
        Self::Delete,
    ];
}

/// Whether this role allows this action. Without a role nothing is allowed, not even to learn that
/// the workspace exists.
pub const fn allows(role: Role, action: Action) -> bool {
    use Action::{Delete, Issue, ManageOwners, RevokeOwn, See};
    match role {
        Role::Owner => true,
        Role::Admin => !matches!(action, ManageOwners | Delete),
        Role::Developer => matches!(action, See | Issue | RevokeOwn),
        Role::Viewer => matches!(action, See),
    }
}

/// What a caller is in a workspace.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The workspace.
    pub workspace: Workspace,
    /// What the caller is there.
    pub role: Role,
    /// The organisation that this rests on, where it is no membership.
    organisation: Option<String>,
    /// What a CI job's session is limited to.
    grant: Option<Grant>,
}

impl Standing {
    /// Whether the caller may do this.
    pub fn allows(&self, action: Action) -> bool {
        let within_grant = self.grant.as_ref().is_none_or(|grant| match action {
            Action::See | Action::Issue => true,
            // A job revokes only where the rule that let it in says so.
            Action::RevokeOwn | Action::Revoke => grant.may_revoke,
            // A job's identity is a repository or a branch, not a person: it runs no workspace.
            _ => false,
        });
        within_grant && allows(self.role, action)
    }

    /// By what right the caller does this, if that is allowed: for the store, which looks again.
    pub(super) fn right(&self, action: Action) -> Right {
        if self.grant.is_some() {
            return Right::Unrecorded;
        }
        if let Some(organisation) = &self.organisation {
            return Right::Organisation(organisation.clone());
        }
        let least = Role::ALL.into_iter().rfind(|role| allows(*role, action));
        Right::Member { least: least.unwrap_or(Role::Owner) }
    }

    /// Refuses what the caller may not do.
    pub fn demand(&self, action: Action) -> Result<(), Refusal> {
        if self.allows(action) { Ok(()) } else { Err(Refusal::NotAllowed) }
    }
}

impl Authority {
    /// Whether the settings name the caller an administrator of the authority.
    pub(super) fn is_named_admin(&self, caller: &Caller) -> bool {
        let identity = &caller.operator().identity;
        self.policy.admins.iter().any(|admin| {
            *admin == identity.subject || identity.email.as_deref() == Some(admin.as_str())
        })
    }

    /// Refuses who may not do what belongs to no workspace. With the development provider, whose users
    /// have no passwords, everybody may where nobody is named. A CI job never may: it is let in for
    /// one workspace, whatever its name.
    pub(super) fn demand_admin(&self, caller: &Caller) -> Result<(), Refusal> {
        let development = matches!(self.provider, Some(Provider::Development(_)));
        let everybody = development && self.policy.admins.is_empty();
        let may = caller.grant().is_none() && (everybody || self.is_named_admin(caller));
        if may { Ok(()) } else { Err(Refusal::NotAdmin) }
    }

    /// What the caller is in a workspace. Whoever is nothing there learns nothing: the answer is the
    /// same, and takes the same way, whether the workspace exists or not.
    pub(super) async fn standing(&self, caller: &Caller, id: WorkspaceId) -> Answer<Standing> {
        if let Some(grant) = caller.grant() {
            return self.standing_of_job(grant, id).await;
        }
        let member = self.store.workspace(id, &caller.operator().id).await?;
        let owned = match caller.organisation() {
            Some(organisation) => self.owned_by(organisation, id).await?,
            None => None,
        };
        let (workspace, role, rests_on) = match (member, owned) {
            (Some(Member { workspace, role }), Some((_, other))) if role <= other => {
                (workspace, role, None)
            }
            (_, Some((workspace, role))) => (workspace.clone(), role, workspace.organisation),
            (Some(Member { workspace, role }), None) => (workspace, role, None),
            (None, None) => return Err(Refusal::NoWorkspace.into()),
        };
        Ok(Standing { workspace, role, organisation: rests_on, grant: None })
    }

    /// What the caller is in a workspace, if that allows this action.
    pub(super) async fn permitted(
        &self,
        caller: &Caller,
        id: WorkspaceId,
        action: Action,
    ) -> Answer<Standing> {
        let standing = self.standing(caller, id).await?;
        standing.demand(action)?;
        Ok(standing)
    }

    async fn standing_of_job(&self, grant: &Grant, id: WorkspaceId) -> Answer<Standing> {
        let workspace =
            if grant.workspace == id { self.store.live_workspace(id).await? } else { None };
        let workspace = workspace.ok_or(Refusal::NoWorkspace)?;
        let (role, grant) = (grant.role, Some(grant.clone()));
        Ok(Standing { workspace, role, organisation: None, grant })
    }

    async fn owned_by(
        &self,
        organisation: &Organisation,
        id: WorkspaceId,
    ) -> Answer<Option<(Workspace, Role)>> {
        let workspace = self.store.live_workspace(id).await?;
        let owned = workspace.filter(|found| found.organisation.as_ref() == Some(&organisation.id));
        Ok(owned.map(|workspace| (workspace, role_of(organisation))))
    }
}

/// What an organisation's people are in its workspaces: its admins administer them, the others see
/// them. More is given person by person, as a member.
pub fn role_of(organisation: &Organisation) -> Role {
    match organisation.role.as_deref() {
        Some("org:admin" | "admin") => Role::Admin,
        _ => Role::Viewer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table, spelled out: `+` is allowed.
    #[test]
    fn the_table_is_what_the_documents_say() {
        let expected = [
            //                 See Issue RevokeOwn Revoke Describe Members Owners Delete
            (Role::Owner, "++++++++"),
            (Role::Admin, "++++++--"),
            (Role::Developer, "+++-----"),
            (Role::Viewer, "+-------"),
        ];
        for (role, row) in expected {
            let actual: String = Action::ALL
                .map(|action| if allows(role, action) { '+' } else { '-' })
                .iter()
                .collect();
            assert_eq!(actual, row, "{role:?}");
        }
    }

    #[test]
    fn a_job_revokes_only_where_its_rule_says_so_and_runs_no_workspace() {
        let standing = |may_revoke| Standing {
            workspace: Workspace {
                id: WorkspaceId::mint([1; 16]),
                name: "production".to_owned(),
                description: None,
                created_at: nt_token::Timestamp::from_unix(0),
                organisation: None,
            },
            role: Role::Owner,
            organisation: None,
            grant: Some(Grant {
                workspace: WorkspaceId::mint([1; 16]),
                role: Role::Owner,
                may_revoke,
            }),
        };
        let allowed = |may_revoke| {
            let standing = standing(may_revoke);
            Action::ALL.into_iter().filter(|action| standing.allows(*action)).collect::<Vec<_>>()
        };
        assert_eq!(allowed(false), [Action::See, Action::Issue]);
        assert_eq!(allowed(true), [Action::See, Action::Issue, Action::RevokeOwn, Action::Revoke]);
    }
}
