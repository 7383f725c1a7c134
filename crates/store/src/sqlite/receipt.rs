//! Receipts of revocations.

use nt_revocation::{Fact, Position};
use nt_token::{EntryId, Jti, TokenRecord, WorkspaceId};
use rusqlite::{Connection, params};

use super::log;
use super::row::{change, number, one, signed};
use super::writer::Writing;
use crate::error::StoreError;
use crate::receipt::{KeptReceipt, revokes};

/// The first receipt of a token.
pub(super) fn first(
    db: &Connection,
    workspace: WorkspaceId,
    jti: &Jti,
) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT r.receipt FROM receipts r JOIN tokens t ON t.jti = r.jti
        WHERE r.jti = ?1 AND t.workspace = ?2 ORDER BY r.seq LIMIT 1";
    one(db, SQL, params![jti.as_str(), workspace.as_bytes()], |row| Ok(row.get(0)?))
}

/// The first entry that revokes a token. The part of the log that came after the token is read: an
/// index for what is asked once a token would be paid for by every revocation.
pub(super) fn revocation_of(
    db: &Connection,
    token: &TokenRecord,
) -> Result<Option<Position>, StoreError> {
    const SQL: &str = "SELECT seq, id, kind, body FROM log WHERE seq > ?1
        AND (kind <> ?2 OR substr(body, 17) = CAST(?3 AS BLOB)) ORDER BY seq";
    let exp = token.expiry.claimed();
    let one_token = Fact::TokenRevoked { place: token.place, jti: token.jti.clone(), exp }.kind();
    let epoch = log::head(db)?.epoch;
    let mut statement = db.prepare_cached(SQL)?;
    let mut rows = statement.query(params![signed(token.rv), one_token, token.jti.as_str()])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Corrupt("a log entry"))?;
        if revokes(&Fact::read(number(row, 2)?, body)?, token) {
            let entry = EntryId(row.get(1)?);
            return Ok(Some(Position { epoch, seq: number(row, 0)?, entry }));
        }
    }
    Ok(None)
}

impl Writing<'_> {
    /// Keeps receipts. Of two for one entry, the first stays: it has been handed out.
    pub(super) fn keep_receipts(&mut self, receipts: &[KeptReceipt]) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO receipts (jti, seq, receipt, at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (jti, seq) DO NOTHING";
        for kept in receipts {
            let KeptReceipt { jti, seq, receipt, at } = kept;
            change(self.db, SQL, params![jti.as_str(), signed(*seq), receipt, at.unix()])?;
        }
        Ok(())
    }
}
