//! Who belongs to a workspace, and as what.

use nt_api::members::{
    AddMember, ChangeMember, Member, MemberList, MemberRemoved, MemberStatus, RemoveMember,
    RoleName,
};
use nt_store::{AddedMember, Belonging, ChangedMember, Person, PersonKey, Role};
use nt_token::{OperatorId, WorkspaceId};

use crate::authority::access::{Action, Standing};
use crate::authority::entropy::entry_id;
use crate::authority::error::{Answer, Refusal};
use crate::authority::{Authority, Caller};

impl Authority {
    /// Who belongs to a workspace.
    pub async fn members(&self, caller: &Caller, workspace: WorkspaceId) -> Answer<MemberList> {
        self.permitted(caller, workspace, Action::See).await?;
        let members = self.store.members(workspace).await?;
        let members: Vec<Member> = members.into_iter().map(shown).collect();
        Ok(MemberList { workspace_id: workspace, total: members.len() as u64, members })
    }

    /// Adds somebody to a workspace, or invites them.
    pub async fn add_member(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        request: AddMember,
    ) -> Answer<Member> {
        let standing = self.permitted(caller, workspace, Action::ManageMembers).await?;
        let role = role(request.role);
        demand_for(&standing, role)?;
        let who = match (request.email, request.operator_id) {
            (Some(email), None) => PersonKey::Email(email_address(&email)?),
            (None, Some(id)) => person(&id)?,
            _ => {
                let message = "Exactly one of 'email' and 'operator_id' must be given";
                return Err(Refusal::invalid("email", message).into());
            }
        };
        match self.store.add_member(workspace, who, role, self.act(caller)).await? {
            AddedMember::Added(belonging) | AddedMember::Invited(belonging) => Ok(shown(belonging)),
            AddedMember::AlreadyMember(_) => Err(Refusal::AlreadyMember.into()),
            AddedMember::NoOperator => Err(Refusal::NoMember.into()),
            AddedMember::Ambiguous(operators) => {
                let ids: Vec<_> = operators.iter().map(OperatorId::as_str).collect();
                let message = format!(
                    "Several operators have this e-mail address; name one by ID: {}",
                    ids.join(", ")
                );
                Err(Refusal::invalid("email", message).into())
            }
            AddedMember::NoWorkspace => Err(Refusal::NoWorkspace.into()),
        }
    }

    /// Changes what somebody is in a workspace.
    pub async fn change_member(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        member: &str,
        request: ChangeMember,
    ) -> Answer<Member> {
        let standing = self.permitted(caller, workspace, Action::ManageMembers).await?;
        let (who, was) = self.belonging(workspace, member).await?;
        let role = role(request.role);
        demand_for(&standing, was)?;
        demand_for(&standing, role)?;
        let act = self.act(caller);
        let changed = self.store.change_member(workspace, who, was, role, act).await?;
        done(changed).map(|(belonging, _)| shown(belonging))
    }

    /// Removes somebody from a workspace, where that is asked for with all that they had issued.
    /// Anybody may leave.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        member: &str,
        request: RemoveMember,
    ) -> Answer<MemberRemoved> {
        let standing = self.permitted(caller, workspace, Action::See).await?;
        let (who, was) = self.belonging(workspace, member).await?;
        let leaves = who == PersonKey::Operator(caller.operator().id.clone());
        if !leaves {
            standing.demand(Action::ManageMembers)?;
            demand_for(&standing, was)?;
        }
        let mut act = self.act(caller);
        let revoke = request.revoke_their_tokens;
        let entry = if revoke {
            standing.demand(if leaves { Action::RevokeOwn } else { Action::Revoke })?;
            act.note = self.vouched(caller).await?;
            Some(entry_id()?)
        } else {
            None
        };
        let removed = self.store.remove_member(workspace, who, was, entry, act).await?;
        let (belonging, revoked_tokens) = done(removed)?;
        tracing::info!(
            workspace.id = %workspace, operator.id = %caller.operator().id, revoked_tokens,
            "member removed"
        );
        if revoke {
            self.all_in_force().await?;
        }
        let operator_id = match belonging.person {
            Person::Operator(operator) => Some(operator.id),
            Person::Invited(_) => None,
        };
        let status = "removed".to_owned();
        Ok(MemberRemoved { workspace_id: workspace, operator_id, status, revoked_tokens })
    }

    /// Who is meant, and what they are there now.
    async fn belonging(&self, workspace: WorkspaceId, member: &str) -> Answer<(PersonKey, Role)> {
        let who = person(member)?;
        let found = self.store.members(workspace).await?.into_iter().find(|one| {
            match (&one.person, &who) {
                (Person::Operator(operator), PersonKey::Operator(id)) => operator.id == *id,
                (Person::Operator(operator), PersonKey::Email(email)) => {
                    let theirs = operator.identity.email.as_deref();
                    theirs.is_some_and(|theirs| theirs.eq_ignore_ascii_case(email))
                }
                (Person::Invited(invited), PersonKey::Email(email)) => invited == email,
                (Person::Invited(_), PersonKey::Operator(_)) => false,
            }
        });
        let found = found.ok_or(Refusal::NoMember)?;
        let key = match found.person {
            Person::Operator(operator) => PersonKey::Operator(operator.id),
            Person::Invited(email) => PersonKey::Email(email),
        };
        Ok((key, found.role))
    }
}

/// What concerns an owner, only an owner does.
fn demand_for(standing: &Standing, role: Role) -> Result<(), Refusal> {
    let action = if role == Role::Owner { Action::ManageOwners } else { Action::ManageMembers };
    standing.demand(action)
}

fn done(changed: ChangedMember) -> Answer<(Belonging, u64)> {
    match changed {
        ChangedMember::Done { belonging, revoked } => Ok((belonging, revoked)),
        ChangedMember::NotFound => Err(Refusal::NoMember.into()),
        ChangedMember::LastOwner => Err(Refusal::LastOwner.into()),
    }
}

/// An operator's identifier or an e-mail address.
fn person(text: &str) -> Result<PersonKey, Refusal> {
    if let Ok(id) = text.parse() {
        return Ok(PersonKey::Operator(id));
    }
    email_address(text).map(PersonKey::Email)
}

/// An e-mail address in lower case. Whether it exists is not asked: it is compared with what the
/// identity provider has verified.
fn email_address(text: &str) -> Result<String, Refusal> {
    let plausible = text.len() <= 254
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        })
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if plausible {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Refusal::invalid("email", "A member is an e-mail address or an operator's ID (op_…)"))
    }
}

fn role(name: RoleName) -> Role {
    match name {
        RoleName::Owner => Role::Owner,
        RoleName::Admin => Role::Admin,
        RoleName::Developer => Role::Developer,
        RoleName::Viewer => Role::Viewer,
    }
}

fn role_name(role: Role) -> RoleName {
    match role {
        Role::Owner => RoleName::Owner,
        Role::Admin => RoleName::Admin,
        Role::Developer => RoleName::Developer,
        Role::Viewer => RoleName::Viewer,
    }
}

fn shown(belonging: Belonging) -> Member {
    let (operator_id, email, name, status) = match belonging.person {
        Person::Operator(operator) => {
            let identity = operator.identity;
            (Some(operator.id), identity.email, identity.name, MemberStatus::Active)
        }
        Person::Invited(email) => (None, Some(email), None, MemberStatus::Invited),
    };
    Member {
        operator_id,
        email,
        name,
        role: role_name(belonging.role),
        status,
        since: belonging.since.into(),
    }
}
