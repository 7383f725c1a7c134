//! Receipts of revocations.

use nt_revocation::{Fact, Position};
use nt_token::{EntryId, Jti, TokenRecord, WorkspaceId};

use super::db::{Bind, Db, change, first as first_found, one};
use super::log;
use super::row::{number, signed};
use super::writing::Writing;
use crate::error::StoreError;
use crate::receipt::{KeptReceipt, revokes};

/// The first receipt of a token.
pub(super) fn first(
    db: Db<'_>,
    workspace: WorkspaceId,
    jti: &Jti,
) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT r.receipt FROM receipts r JOIN tokens t ON t.jti = r.jti
        WHERE r.jti = ?1 AND t.workspace = ?2 ORDER BY r.seq LIMIT 1";
    one(db, SQL, &[&jti.as_str(), workspace.as_bytes()], |row| row.get(0))
}

/// The first entry that revokes a token. The part of the log that came after the token is read: an
/// index for what is asked once a token would be paid for by every revocation.
pub(super) fn revocation_of(
    db: Db<'_>,
    token: &TokenRecord,
) -> Result<Option<Position>, StoreError> {
    const SQL: &str = "SELECT seq, id, kind, body FROM log WHERE seq > ?1
        AND (kind <> ?2 OR substr(body, 17) = ?3) ORDER BY seq";
    let exp = token.expiry.claimed();
    let one_token = Fact::TokenRevoked { place: token.place, jti: token.jti.clone(), exp }.kind();
    let epoch = log::head(db)?.epoch;
    let params: &[&dyn Bind] = &[&signed(token.rv), &one_token, &token.jti.as_str().as_bytes()];
    first_found(db, SQL, params, |row| {
        let body = row.blob(3, "a log entry")?;
        if !revokes(&Fact::read(number(row, 2)?, body)?, token) {
            return Ok(None);
        }
        let entry = EntryId(row.get(1)?);
        Ok(Some(Position { epoch, seq: number(row, 0)?, entry }))
    })
}

impl Writing<'_> {
    /// Keeps receipts. Of two for one entry, the first stays: it has been handed out.
    pub(super) fn keep_receipts(&mut self, receipts: &[KeptReceipt]) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO receipts (jti, seq, receipt, at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (jti, seq) DO NOTHING";
        for kept in receipts {
            let KeptReceipt { jti, seq, receipt, at } = kept;
            change(self.db, SQL, &[&jti.as_str(), &signed(*seq), &receipt, &at.unix()])?;
        }
        Ok(())
    }
}
