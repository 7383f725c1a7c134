//! Who belongs to workspaces: their members, and who is invited.

use std::net::IpAddr;

use nt_revocation::{Fact, ScopeOf};
use nt_token::{EntryId, OperatorId, Timestamp, WorkspaceId};

use super::db::{Bind, Db, all, change, one};
use super::row::{Row, operator, role, time, workspace_id};
use super::workspace::is_live;
use super::writing::Writing;
use crate::audit::{Act, Action, MEMBER_REMOVED};
use crate::error::StoreError;
use crate::record::{Belonging, Operator, Person, PersonKey, Role};
use crate::store::{AddedMember, ChangedMember};

/// Who belongs to a live workspace: members by role and time, then who is invited, by address.
pub(super) fn list(db: Db<'_>, workspace: WorkspaceId) -> Result<Vec<Belonging>, StoreError> {
    const MEMBERS: &str = "SELECT m.role, m.since, o.id, o.issuer, o.subject, o.email, o.name
        FROM members m JOIN operators o ON o.id = m.operator
        WHERE m.workspace = ?1 ORDER BY m.since, m.operator";
    const INVITED: &str =
        "SELECT role, since, email FROM invitations WHERE workspace = ?1 ORDER BY email";
    if !is_live(db, workspace)? {
        return Ok(Vec::new());
    }
    let mut list = all(db, MEMBERS, &[workspace.as_bytes()], member)?;
    list.sort_by_key(|belonging| belonging.role);
    list.extend(all(db, INVITED, &[workspace.as_bytes()], invited)?);
    Ok(list)
}

fn member(row: Row<'_>) -> Result<Belonging, StoreError> {
    let person = Person::Operator(operator(row, 2)?);
    Ok(Belonging { person, role: role(row, 0)?, since: time(row, 1)? })
}

fn invited(row: Row<'_>) -> Result<Belonging, StoreError> {
    let person = Person::Invited(row.get(2)?);
    Ok(Belonging { person, role: role(row, 0)?, since: time(row, 1)? })
}

/// Whom the key names in a live workspace. An address is that of an invitation, or else of the one
/// member who has it: among several it names no one.
fn find(
    db: Db<'_>,
    workspace: WorkspaceId,
    who: &PersonKey,
) -> Result<Option<Belonging>, StoreError> {
    if !is_live(db, workspace)? {
        return Ok(None);
    }
    let email = match who {
        PersonKey::Operator(id) => return find_member(db, workspace, id),
        PersonKey::Email(email) => email.to_ascii_lowercase(),
    };
    match find_invited(db, workspace, &email)? {
        None => find_member_by_email(db, workspace, &email),
        invited => Ok(invited),
    }
}

fn find_member(
    db: Db<'_>,
    workspace: WorkspaceId,
    id: &OperatorId,
) -> Result<Option<Belonging>, StoreError> {
    const SQL: &str = "SELECT m.role, m.since, o.id, o.issuer, o.subject, o.email, o.name
        FROM members m JOIN operators o ON o.id = m.operator
        WHERE m.operator = ?1 AND m.workspace = ?2";
    one(db, SQL, &[&id.as_str(), workspace.as_bytes()], member)
}

fn find_member_by_email(
    db: Db<'_>,
    workspace: WorkspaceId,
    email: &str,
) -> Result<Option<Belonging>, StoreError> {
    const SQL: &str = "SELECT m.role, m.since, o.id, o.issuer, o.subject, o.email, o.name
        FROM operators o JOIN members m ON m.operator = o.id
        WHERE lower(o.email) = ?1 AND m.workspace = ?2 LIMIT 2";
    let mut found = all(db, SQL, &[&email, workspace.as_bytes()], member)?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

fn find_invited(
    db: Db<'_>,
    workspace: WorkspaceId,
    email: &str,
) -> Result<Option<Belonging>, StoreError> {
    const SQL: &str =
        "SELECT role, since, email FROM invitations WHERE workspace = ?1 AND email = ?2";
    one(db, SQL, &[workspace.as_bytes(), &email], invited)
}

fn operator_by_id(db: Db<'_>, id: &OperatorId) -> Result<Option<Operator>, StoreError> {
    const SQL: &str = "SELECT id, issuer, subject, email, name FROM operators WHERE id = ?1";
    one(db, SQL, &[&id.as_str()], |row| operator(row, 0))
}

fn operators_by_email(db: Db<'_>, email: &str) -> Result<Vec<Operator>, StoreError> {
    const SQL: &str = "SELECT id, issuer, subject, email, name FROM operators
        WHERE lower(email) = ?1 ORDER BY id";
    all(db, SQL, &[&email], |row| operator(row, 0))
}

/// Whether the workspace must keep an owner and has but one.
fn has_one_owner_only(db: Db<'_>, workspace: WorkspaceId) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT w.organisation IS NULL AND
            (SELECT COUNT(*) FROM members m WHERE m.workspace = w.id AND m.role = ?2) <= 1
        FROM workspaces w WHERE w.id = ?1";
    let params: &[&dyn Bind] = &[workspace.as_bytes(), &Role::Owner.name()];
    Ok(one(db, SQL, params, |row| row.get(0))?.unwrap_or_default())
}

impl Writing<'_> {
    /// Makes an operator a member; answers whether it was not one before.
    pub(super) fn insert_member(
        &mut self,
        workspace: WorkspaceId,
        operator: &OperatorId,
        role: Role,
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO members (operator, workspace, role, since)
            VALUES (?1, ?2, ?3, ?4) ON CONFLICT (operator, workspace) DO NOTHING";
        let params: &[&dyn Bind] =
            &[&operator.as_str(), workspace.as_bytes(), &role.name(), &since.unix()];
        Ok(change(self.db, SQL, params)? > 0)
    }

    /// Makes members of who was invited by the address that the operator has now proven.
    pub(super) fn accept_invitations(
        &mut self,
        operator: &Operator,
        at: Timestamp,
        from: Option<IpAddr>,
    ) -> Result<(), StoreError> {
        const READ: &str =
            "SELECT workspace, role FROM invitations WHERE email = ?1 ORDER BY workspace";
        const FORGET: &str = "DELETE FROM invitations WHERE email = ?1";
        let Some(email) = &operator.identity.email else { return Ok(()) };
        let email = email.to_ascii_lowercase();
        let invitations =
            all(self.db, READ, &[&email], |row| Ok((workspace_id(row, 0)?, role(row, 1)?)))?;
        if invitations.is_empty() {
            return Ok(());
        }
        change(self.db, FORGET, &[&email])?;
        let act = Act::of_invited(operator.id.clone(), at, from);
        let person = Person::Operator(operator.clone());
        for (workspace, role) in invitations {
            if self.insert_member(workspace, &operator.id, role, at)? {
                self.audit_member(&act, Action::MemberAdded, workspace, &person, role);
            }
        }
        Ok(())
    }

    pub(super) fn add_member(
        &mut self,
        workspace: WorkspaceId,
        who: &PersonKey,
        role: Role,
        act: &Act,
    ) -> Result<AddedMember, StoreError> {
        if !is_live(self.db, workspace)? {
            return Ok(AddedMember::NoWorkspace);
        }
        let email = match who {
            PersonKey::Operator(id) => {
                return match operator_by_id(self.db, id)? {
                    Some(operator) => self.add_operator(workspace, operator, role, act),
                    None => Ok(AddedMember::NoOperator),
                };
            }
            PersonKey::Email(email) => email.to_ascii_lowercase(),
        };
        let mut have_it = operators_by_email(self.db, &email)?;
        match (have_it.pop(), have_it.is_empty()) {
            (None, _) => self.invite(workspace, email, role, act),
            (Some(only), true) => self.add_operator(workspace, only, role, act),
            (Some(last), false) => {
                let ids = have_it.into_iter().chain([last]).map(|operator| operator.id);
                Ok(AddedMember::Ambiguous(ids.collect()))
            }
        }
    }

    fn add_operator(
        &mut self,
        workspace: WorkspaceId,
        operator: Operator,
        role: Role,
        act: &Act,
    ) -> Result<AddedMember, StoreError> {
        if let Some(before) = find_member(self.db, workspace, &operator.id)? {
            return Ok(AddedMember::AlreadyMember(before));
        }
        self.insert_member(workspace, &operator.id, role, act.at)?;
        let person = Person::Operator(operator);
        self.audit_member(act, Action::MemberAdded, workspace, &person, role);
        Ok(AddedMember::Added(Belonging { person, role, since: act.at }))
    }

    /// Invites, or gives an earlier invitation this role. An invitation that says the same already
    /// stays as it is, and leaves no second record.
    fn invite(
        &mut self,
        workspace: WorkspaceId,
        email: String,
        role: Role,
        act: &Act,
    ) -> Result<AddedMember, StoreError> {
        const SQL: &str = "INSERT INTO invitations (workspace, email, role, since)
            VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (workspace, email) DO UPDATE SET role = excluded.role";
        let before = find_invited(self.db, workspace, &email)?;
        if let Some(same) = before.as_ref().filter(|before| before.role == role) {
            return Ok(AddedMember::Invited(same.clone()));
        }
        let params: &[&dyn Bind] = &[workspace.as_bytes(), &email, &role.name(), &act.at.unix()];
        change(self.db, SQL, params)?;
        let since = before.map_or(act.at, |before| before.since);
        let person = Person::Invited(email);
        self.audit_member(act, Action::MemberInvited, workspace, &person, role);
        Ok(AddedMember::Invited(Belonging { person, role, since }))
    }

    pub(super) fn change_member(
        &mut self,
        workspace: WorkspaceId,
        who: &PersonKey,
        was: Role,
        role: Role,
        act: &Act,
    ) -> Result<ChangedMember, StoreError> {
        const MEMBER: &str = "UPDATE members SET role = ?3 WHERE workspace = ?1 AND operator = ?2";
        const INVITED: &str =
            "UPDATE invitations SET role = ?3 WHERE workspace = ?1 AND email = ?2";
        let found = find(self.db, workspace, who)?.filter(|found| found.role == was);
        let Some(before) = found else { return Ok(ChangedMember::NotFound) };
        let belonging = Belonging { role, ..before };
        if role == was {
            return Ok(ChangedMember::Done { belonging, revoked: 0 });
        }
        let (sql, key) = match &belonging.person {
            Person::Operator(_) if self.is_last_owner(workspace, was)? => {
                return Ok(ChangedMember::LastOwner);
            }
            Person::Operator(operator) => (MEMBER, operator.id.as_str()),
            Person::Invited(email) => (INVITED, email.as_str()),
        };
        change(self.db, sql, &[workspace.as_bytes(), &key, &role.name()])?;
        self.audit_member(act, Action::MemberChanged, workspace, &belonging.person, role);
        Ok(ChangedMember::Done { belonging, revoked: 0 })
    }

    pub(super) fn remove_member(
        &mut self,
        workspace: WorkspaceId,
        who: &PersonKey,
        was: Role,
        revoke: Option<EntryId>,
        act: &Act,
    ) -> Result<ChangedMember, StoreError> {
        const MEMBER: &str = "DELETE FROM members WHERE workspace = ?1 AND operator = ?2";
        const INVITED: &str = "DELETE FROM invitations WHERE workspace = ?1 AND email = ?2";
        let found = find(self.db, workspace, who)?.filter(|found| found.role == was);
        let Some(belonging) = found else { return Ok(ChangedMember::NotFound) };
        let (sql, key, entry) = match &belonging.person {
            Person::Operator(_) if self.is_last_owner(workspace, was)? => {
                return Ok(ChangedMember::LastOwner);
            }
            Person::Operator(operator) => (MEMBER, operator.id.as_str(), revoke),
            Person::Invited(email) => (INVITED, email.as_str(), None),
        };
        change(self.db, sql, &[workspace.as_bytes(), &key])?;
        let person = &belonging.person;
        let (act, revoked) = match (person, entry) {
            (Person::Operator(operator), Some(entry)) => {
                let revoked = self.revoke_tokens_of(workspace, &operator.id, entry, act)?;
                (&act.with_revoked(revoked), revoked)
            }
            _ => (act, 0),
        };
        self.audit_member(act, Action::MemberRemoved, workspace, person, was);
        Ok(ChangedMember::Done { belonging, revoked })
    }

    fn is_last_owner(&self, workspace: WorkspaceId, was: Role) -> Result<bool, StoreError> {
        Ok(was == Role::Owner && has_one_owner_only(self.db, workspace)?)
    }

    /// Revokes by one entry what a member had issued; answers how many tokens were not revoked before.
    fn revoke_tokens_of(
        &mut self,
        workspace: WorkspaceId,
        member: &OperatorId,
        entry: EntryId,
        act: &Act,
    ) -> Result<u64, StoreError> {
        const SQL: &str = "UPDATE tokens SET revoked_at = ?3, revoked_by = ?4, revoked_because = ?5
            WHERE workspace = ?1 AND created_by = ?2 AND revoked_at IS NULL";
        let scope = ScopeOf::Member(workspace, member.clone());
        self.append(entry, Fact::ScopeRevoked { scope, except: Vec::new() })?;
        let params: &[&dyn Bind] = &[
            workspace.as_bytes(),
            &member.as_str(),
            &act.at.unix(),
            &act.operator.as_str(),
            &MEMBER_REMOVED,
        ];
        change(self.db, SQL, params)
    }
}
