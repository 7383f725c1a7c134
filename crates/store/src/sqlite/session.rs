//! Sessions, operators, and what is fixed at the first start.

use nt_token::{OperatorId, Timestamp};
use rusqlite::{Connection, Row, params};

use super::row::{all, change, one, parsed, time};
use super::writer::Writing;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::record::{Authority, Identity, NewSession, Operator, Session, SessionHash};

fn live(db: &Connection, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    const SQL: &str = "SELECT s.hash, s.created_at, s.expires_at, o.id, o.issuer, o.subject,
            o.email, o.name
        FROM sessions s JOIN operators o ON o.id = s.operator
        WHERE s.expires_at > ?1 ORDER BY s.created_at, s.hash";
    all(db, SQL, [now.unix()], session)
}

fn session(row: &Row<'_>) -> Result<Session, StoreError> {
    let identity = Identity {
        issuer: row.get(4)?,
        subject: row.get(5)?,
        email: row.get(6)?,
        name: row.get(7)?,
    };
    Ok(Session {
        hash: SessionHash(row.get(0)?),
        operator: Operator { id: parsed(row, 3, "an operator's ID")?, identity },
        created_at: time(row, 1)?,
        expires_at: time(row, 2)?,
    })
}

impl Writing<'_> {
    pub(super) fn found(&mut self, issuer: &str) -> Result<Authority, StoreError> {
        const FIX: &str = "UPDATE meta SET issuer = ?1 WHERE one = 1 AND issuer IS NULL";
        const READ: &str = "SELECT issuer FROM meta WHERE one = 1";
        change(self.db, FIX, [issuer])?;
        let issuer = one(self.db, READ, [], |row| Ok(row.get::<_, Option<String>>(0)?))?.flatten();
        Ok(Authority { issuer: issuer.ok_or(StoreError::Corrupt("no issuer"))? })
    }

    pub(super) fn open_session(&mut self, new: NewSession) -> Result<Session, StoreError> {
        const SQL: &str = "INSERT INTO sessions (hash, operator, created_at, expires_at)
            VALUES (?1, ?2, ?3, ?4)";
        let id = self.signed_in(&new)?;
        let (created_at, expires_at) = (new.at.unix(), new.expires_at.unix());
        change(self.db, SQL, params![new.hash.0, id.as_str(), created_at, expires_at])?;
        let act = Act { operator: id.clone(), at: new.at, from: new.from };
        self.audit(&act, Action::SessionCreated, None, None, None)?;
        Ok(Session {
            hash: new.hash,
            operator: Operator { id, identity: new.identity },
            created_at: new.at,
            expires_at: new.expires_at,
        })
    }

    /// Brings the operator up to date, and answers the identifier of the first sign-in.
    fn signed_in(&mut self, new: &NewSession) -> Result<OperatorId, StoreError> {
        const SQL: &str = "INSERT INTO operators (id, issuer, subject, email, name)
            VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (issuer, subject) DO UPDATE SET email = excluded.email,
                name = excluded.name
            RETURNING id";
        let Identity { issuer, subject, email, name } = &new.identity;
        let params = params![new.operator.as_str(), issuer, subject, email, name];
        one(self.db, SQL, params, |row| parsed(row, 0, "an operator's ID"))?
            .ok_or(StoreError::Corrupt("no operator"))
    }

    pub(super) fn end_session(&mut self, hash: SessionHash, act: &Act) -> Result<bool, StoreError> {
        let found = change(self.db, "DELETE FROM sessions WHERE hash = ?1", [hash.0])? > 0;
        if found {
            self.audit(act, Action::SessionEnded, None, None, None)?;
        }
        Ok(found)
    }

    pub(super) fn live_sessions(&mut self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        change(self.db, "DELETE FROM sessions WHERE expires_at <= ?1", [now.unix()])?;
        live(self.db, now)
    }
}
