//! Sessions, operators, and what is fixed at the first start.

use nt_token::{OperatorId, Timestamp, WorkspaceId};

use super::db::{Bind, Db, all, change, one};
use super::row::{Row, address, operator, parsed, parsed_or_null, role, time};
use super::writing::Writing;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::record::{
    Authority, Grant, Identity, NewSession, Operator, Organisation, Session, SessionHash, SessionId,
};

fn live(db: Db<'_>, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    const SQL: &str =
        "SELECT s.hash, s.id, s.created_at, s.last_used_at, s.expires_at, s.came_from,
            s.client, s.organisation, s.organisation_role, s.grant_workspace, s.grant_role,
            s.grant_revoke, o.id, o.issuer, o.subject, o.email, o.name
        FROM sessions s JOIN operators o ON o.id = s.operator
        WHERE s.expires_at > ?1 ORDER BY s.created_at, s.hash";
    all(db, SQL, &[&now.unix()], session)
}

pub(super) fn session(row: Row<'_>) -> Result<Session, StoreError> {
    let id: String = row.get(1)?;
    Ok(Session {
        hash: SessionHash(row.get(0)?),
        id: SessionId::parse(&id).ok_or(StoreError::Corrupt("a session's ID"))?,
        operator: operator(row, 12)?,
        created_at: time(row, 2)?,
        last_used_at: time(row, 3)?,
        expires_at: time(row, 4)?,
        from: parsed_or_null(row, 5, "an address")?,
        client: row.get(6)?,
        organisation: organisation(row)?,
        grant: grant(row)?,
    })
}

fn organisation(row: Row<'_>) -> Result<Option<Organisation>, StoreError> {
    let Some(id) = row.get(7)? else { return Ok(None) };
    Ok(Some(Organisation { id, role: row.get(8)? }))
}

fn grant(row: Row<'_>) -> Result<Option<Grant>, StoreError> {
    let Some(workspace) = row.get(9)? else { return Ok(None) };
    let workspace = WorkspaceId::from_bytes(workspace);
    let may_revoke = row.get(11)?;
    Ok(Some(Grant { workspace, role: role(row, 10)?, may_revoke }))
}

impl Writing<'_> {
    pub(super) fn found(&mut self, issuer: &str) -> Result<Authority, StoreError> {
        const FIX: &str = "UPDATE meta SET issuer = ?1 WHERE one = 1 AND issuer IS NULL";
        const READ: &str = "SELECT issuer FROM meta WHERE one = 1";
        change(self.db, FIX, &[&issuer])?;
        let issuer = one(self.db, READ, &[], |row| row.get::<Option<String>>(0))?.flatten();
        Ok(Authority { issuer: issuer.ok_or(StoreError::Corrupt("no issuer"))? })
    }

    pub(super) fn open_session(&mut self, new: &NewSession) -> Result<Session, StoreError> {
        let operator = self.signed_in(&new.identity, &new.operator)?;
        self.insert_session(new, &operator.id)?;
        let act = Act { operator: operator.id.clone(), at: new.at, from: new.from, note: None };
        self.audit(&act, Action::SessionCreated, None, None, None);
        self.accept_invitations(&operator, new.at, new.from)?;
        Ok(Session {
            id: new.id.clone(),
            hash: new.hash,
            operator,
            created_at: new.at,
            last_used_at: new.at,
            expires_at: new.expires_at,
            from: new.from,
            client: new.client.clone(),
            organisation: new.organisation.clone(),
            grant: new.grant.clone(),
        })
    }

    fn insert_session(&mut self, new: &NewSession, by: &OperatorId) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO sessions (hash, id, operator, created_at, last_used_at,
                expires_at, came_from, client, organisation, organisation_role, grant_workspace,
                grant_role, grant_revoke)
            VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let organisation = new.organisation.as_ref();
        let grant = new.grant.as_ref();
        let params: &[&dyn Bind] = &[
            &new.hash.0,
            &new.id.as_str(),
            &by.as_str(),
            &new.at.unix(),
            &new.expires_at.unix(),
            &address(new.from),
            &new.client,
            &organisation.map(|organisation| organisation.id.as_str()),
            &organisation.and_then(|organisation| organisation.role.as_deref()),
            &grant.map(|grant| grant.workspace.as_bytes()),
            &grant.map(|grant| grant.role.name()),
            &grant.map(|grant| grant.may_revoke),
        ];
        change(self.db, SQL, params)?;
        Ok(())
    }

    pub(super) fn operator(
        &mut self,
        identity: &Identity,
        candidate: &OperatorId,
        at: Timestamp,
    ) -> Result<Operator, StoreError> {
        let operator = self.signed_in(identity, candidate)?;
        self.accept_invitations(&operator, at, None)?;
        Ok(operator)
    }

    /// Brings the operator up to date; the identifier stays that of the first sign-in. What a proof
    /// says nothing of stays as well: a provider's session token carries no e-mail address.
    fn signed_in(
        &mut self,
        identity: &Identity,
        candidate: &OperatorId,
    ) -> Result<Operator, StoreError> {
        const SQL: &str = "INSERT INTO operators (id, issuer, subject, email, name)
            VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (issuer, subject) DO UPDATE SET
                email = COALESCE(excluded.email, operators.email),
                name = COALESCE(excluded.name, operators.name)
            RETURNING id, email, name";
        let Identity { issuer, subject, email, name } = identity;
        let params: &[&dyn Bind] = &[&candidate.as_str(), &issuer, &subject, &email, &name];
        let known = one(self.db, SQL, params, |row| {
            Ok((parsed(row, 0, "an operator's ID")?, row.get(1)?, row.get(2)?))
        })?;
        let (id, email, name) = known.ok_or(StoreError::Corrupt("no operator"))?;
        let (issuer, subject) = (issuer.clone(), subject.clone());
        Ok(Operator { id, identity: Identity { issuer, subject, email, name } })
    }

    pub(super) fn end_sessions(
        &mut self,
        hashes: &[SessionHash],
        act: &Act,
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        for hash in hashes {
            if change(self.db, "DELETE FROM sessions WHERE hash = ?1", &[&hash.0])? > 0 {
                self.audit(act, Action::SessionEnded, None, None, None);
                ended += 1;
            }
        }
        Ok(ended)
    }

    pub(super) fn touch_sessions(
        &mut self,
        used: &[(SessionHash, Timestamp)],
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE sessions SET last_used_at = ?2 WHERE hash = ?1 AND last_used_at < ?2";
        for (hash, at) in used {
            change(self.db, SQL, &[&hash.0, &at.unix()])?;
        }
        Ok(())
    }

    pub(super) fn live_sessions(&mut self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        change(self.db, "DELETE FROM sessions WHERE expires_at <= ?1", &[&now.unix()])?;
        live(self.db, now)
    }
}
