//! Who belongs to workspaces: their members, and who is invited.

use nt_revocation::{Fact, ScopeOf};
use nt_token::{EntryId, OperatorId, State as Standing, Timestamp, WorkspaceId};

use super::state::{Belongs, State};
use crate::audit::{Act, Action, MEMBER_REMOVED};
use crate::error::StoreError;
use crate::record::{Belonging, Operator, Person, PersonKey, Role};
use crate::store::{AddedMember, ChangedMember};

impl State {
    pub(super) fn members_of(&self, workspace: WorkspaceId) -> Vec<Belonging> {
        if !self.is_live(workspace) {
            return Vec::new();
        }
        let members = self.members.keys().filter(|(of, _)| *of == workspace);
        let mut list: Vec<_> =
            members.filter_map(|(_, operator)| self.find_member(workspace, operator)).collect();
        // The map has them by operator, which a stable sort keeps.
        list.sort_by_key(|belonging| (belonging.role, belonging.since));
        let invited = self.invitations.keys().filter(|(of, _)| *of == workspace);
        list.extend(invited.filter_map(|(_, email)| self.find_invited(workspace, email)));
        list
    }

    /// Whom the key names in a live workspace. An address is that of an invitation, or else of the
    /// one member who has it: among several it names no one.
    fn find(&self, workspace: WorkspaceId, who: &PersonKey) -> Option<Belonging> {
        if !self.is_live(workspace) {
            return None;
        }
        let email = match who {
            PersonKey::Operator(operator) => return self.find_member(workspace, operator),
            PersonKey::Email(email) => email.to_ascii_lowercase(),
        };
        self.find_invited(workspace, &email).or_else(|| {
            let have_it = self.operators_by_email(&email);
            let mut members =
                have_it.iter().filter_map(|operator| self.find_member(workspace, &operator.id));
            members.next().filter(|_| members.next().is_none())
        })
    }

    fn find_member(&self, workspace: WorkspaceId, operator: &OperatorId) -> Option<Belonging> {
        let Belongs { role, since } = *self.members.get(&(workspace, operator.clone()))?;
        Some(Belonging { person: Person::Operator(self.operator_of(operator)?), role, since })
    }

    fn find_invited(&self, workspace: WorkspaceId, email: &str) -> Option<Belonging> {
        let Belongs { role, since } = *self.invitations.get(&(workspace, email.to_owned()))?;
        Some(Belonging { person: Person::Invited(email.to_owned()), role, since })
    }

    fn operators_by_email(&self, email: &str) -> Vec<Operator> {
        let all = self.operators.iter();
        let have_it = all.filter(|(_, identity)| {
            identity.email.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(email))
        });
        have_it
            .map(|(id, identity)| Operator { id: id.clone(), identity: identity.clone() })
            .collect()
    }

    /// Makes members of who was invited by the address that the operator has now proven. `act` is
    /// that of the invited.
    pub(super) fn accept_invitations(&mut self, operator: &Operator, act: &Act) {
        let Some(email) = &operator.identity.email else { return };
        let email = email.to_ascii_lowercase();
        let (accepted, others) = std::mem::take(&mut self.invitations)
            .into_iter()
            .partition(|((_, invited), _)| *invited == email);
        self.invitations = others;
        let person = Person::Operator(operator.clone());
        for ((workspace, _), Belongs { role, .. }) in accepted {
            if self.insert_member(workspace, &operator.id, role, act.at) {
                self.record_member(act, Action::MemberAdded, workspace, &person, role);
            }
        }
    }

    /// Makes an operator a member; answers whether it was not one before.
    pub(super) fn insert_member(
        &mut self,
        workspace: WorkspaceId,
        operator: &OperatorId,
        role: Role,
        since: Timestamp,
    ) -> bool {
        let key = (workspace, operator.clone());
        let is_new = !self.members.contains_key(&key);
        self.members.entry(key).or_insert(Belongs { role, since });
        is_new
    }

    pub(super) fn add_member(
        &mut self,
        workspace: WorkspaceId,
        who: &PersonKey,
        role: Role,
        act: &Act,
    ) -> AddedMember {
        if !self.is_live(workspace) {
            return AddedMember::NoWorkspace;
        }
        let email = match who {
            PersonKey::Operator(id) => {
                return match self.operator_of(id) {
                    Some(operator) => self.add_operator(workspace, operator, role, act),
                    None => AddedMember::NoOperator,
                };
            }
            PersonKey::Email(email) => email.to_ascii_lowercase(),
        };
        match self.operators_by_email(&email).as_slice() {
            [] => self.invite(workspace, email, role, act),
            [only] => self.add_operator(workspace, only.clone(), role, act),
            several => {
                AddedMember::Ambiguous(several.iter().map(|operator| operator.id.clone()).collect())
            }
        }
    }

    fn add_operator(
        &mut self,
        workspace: WorkspaceId,
        operator: Operator,
        role: Role,
        act: &Act,
    ) -> AddedMember {
        if let Some(before) = self.find_member(workspace, &operator.id) {
            return AddedMember::AlreadyMember(before);
        }
        self.insert_member(workspace, &operator.id, role, act.at);
        let person = Person::Operator(operator);
        self.record_member(act, Action::MemberAdded, workspace, &person, role);
        AddedMember::Added(Belonging { person, role, since: act.at })
    }

    /// Invites, or gives an earlier invitation this role. An invitation that says the same already
    /// stays as it is, and leaves no second record.
    fn invite(
        &mut self,
        workspace: WorkspaceId,
        email: String,
        role: Role,
        act: &Act,
    ) -> AddedMember {
        let before = self.find_invited(workspace, &email);
        if let Some(same) = before.as_ref().filter(|before| before.role == role) {
            return AddedMember::Invited(same.clone());
        }
        let since = before.map_or(act.at, |before| before.since);
        self.invitations.insert((workspace, email.clone()), Belongs { role, since });
        let person = Person::Invited(email);
        self.record_member(act, Action::MemberInvited, workspace, &person, role);
        AddedMember::Invited(Belonging { person, role, since })
    }

    pub(super) fn change_member(
        &mut self,
        workspace: WorkspaceId,
        who: &PersonKey,
        was: Role,
        role: Role,
        act: &Act,
    ) -> ChangedMember {
        let found = self.find(workspace, who).filter(|found| found.role == was);
        let Some(before) = found else { return ChangedMember::NotFound };
        let since = before.since;
        let belonging = Belonging { role, ..before };
        if role == was {
            return ChangedMember::Done { belonging, revoked: 0 };
        }
        if self.is_last_owner(workspace, &belonging.person, was) {
            return ChangedMember::LastOwner;
        }
        match &belonging.person {
            Person::Operator(operator) => {
                self.members.insert((workspace, operator.id.clone()), Belongs { role, since });
            }
            Person::Invited(email) => {
                self.invitations.insert((workspace, email.clone()), Belongs { role, since });
            }
        }
        self.record_member(act, Action::MemberChanged, workspace, &belonging.person, role);
        ChangedMember::Done { belonging, revoked: 0 }
    }

    pub(super) fn remove_member(
        &mut self,
        workspace: WorkspaceId,
        who: &PersonKey,
        was: Role,
        revoke: Option<EntryId>,
        act: &Act,
    ) -> Result<ChangedMember, StoreError> {
        let found = self.find(workspace, who).filter(|found| found.role == was);
        let Some(belonging) = found else { return Ok(ChangedMember::NotFound) };
        if self.is_last_owner(workspace, &belonging.person, was) {
            return Ok(ChangedMember::LastOwner);
        }
        let (mut told, mut revoked) = (act.clone(), 0);
        match &belonging.person {
            Person::Invited(email) => {
                self.invitations.remove(&(workspace, email.clone()));
            }
            Person::Operator(Operator { id, .. }) => {
                if let Some(entry) = revoke {
                    revoked = self.revoke_tokens_of(workspace, id, entry, act)?;
                    told = act.with_revoked(revoked);
                }
                self.members.remove(&(workspace, id.clone()));
            }
        }
        self.record_member(&told, Action::MemberRemoved, workspace, &belonging.person, was);
        Ok(ChangedMember::Done { belonging, revoked })
    }

    /// Whether this is the only owner of a workspace that must have one.
    fn is_last_owner(&self, workspace: WorkspaceId, person: &Person, was: Role) -> bool {
        let owners = self
            .members
            .iter()
            .filter(|((of, _), belongs)| *of == workspace && belongs.role == Role::Owner)
            .count();
        let held = self.workspaces.get(&workspace);
        matches!(person, Person::Operator(_))
            && was == Role::Owner
            && owners <= 1
            && held.is_some_and(|held| held.workspace.organisation.is_none())
    }

    /// Revokes by one entry what a member had issued; answers how many tokens were not revoked before.
    fn revoke_tokens_of(
        &mut self,
        workspace: WorkspaceId,
        member: &OperatorId,
        entry: EntryId,
        act: &Act,
    ) -> Result<u64, StoreError> {
        let scope = ScopeOf::Member(workspace, member.clone());
        let fact = Fact::ScopeRevoked { scope, except: Vec::new() };
        self.may_append(entry, &fact)?;
        self.append(entry, fact);
        let theirs = self.tokens.values_mut().map(|issued| &mut issued.token).filter(|token| {
            token.workspace == workspace
                && token.created_by == *member
                && token.state == Standing::Live
        });
        let mut count = 0;
        for token in theirs {
            let (by, reason) = (act.operator.clone(), Some(MEMBER_REMOVED.to_owned()));
            token.state = Standing::Revoked { at: act.at, by, reason };
            count += 1;
        }
        Ok(count)
    }
}
