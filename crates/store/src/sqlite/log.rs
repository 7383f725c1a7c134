//! The log.

use nt_revocation::{Entry, Fact, Position};
use nt_token::EntryId;
use rusqlite::{Connection, params};

use super::row::{all, change, number, one, signed};
use super::writer::Writing;
use crate::error::StoreError;

/// Where the log ends.
pub(super) fn head(db: &Connection) -> Result<Position, StoreError> {
    const SQL: &str = "SELECT meta.epoch, meta.head, log.id FROM meta
        LEFT JOIN log ON log.seq = meta.head WHERE meta.one = 1";
    let found = one(db, SQL, [], |row| {
        let (epoch, seq): (u64, u64) = (number(row, 0)?, number(row, 1)?);
        match row.get::<_, Option<[u8; 16]>>(2)? {
            Some(id) => Ok(Position { epoch, seq, entry: EntryId(id) }),
            None if seq == 0 => Ok(Position { epoch, ..Position::START }),
            None => Err(StoreError::Corrupt("a log that ends before its head")),
        }
    })?;
    found.ok_or(StoreError::Corrupt("no head of the log"))
}

/// The number of the last entry.
pub(super) fn head_seq(db: &Connection) -> Result<u64, StoreError> {
    one(db, "SELECT head FROM meta WHERE one = 1", [], |row| number(row, 0))?
        .ok_or(StoreError::Corrupt("no head of the log"))
}

/// Which entry has this number.
pub(super) fn entry_at(db: &Connection, seq: u64) -> Result<Option<EntryId>, StoreError> {
    const SQL: &str = "SELECT id FROM log WHERE seq = ?1";
    one(db, SQL, [signed(seq)], |row| Ok(EntryId(row.get(0)?)))
}

/// Entries in order. Numbers are dense, so a gap is damage.
pub(super) fn entries_after(
    db: &Connection,
    seq: u64,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    const SQL: &str = "SELECT seq, id, kind, body FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut expected = seq;
    all(db, SQL, params![signed(seq), limit], |row| {
        expected = expected.saturating_add(1);
        let seq = number(row, 0)?;
        if seq != expected {
            return Err(StoreError::Corrupt("a log with a gap"));
        }
        let body = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Corrupt("a log entry"))?;
        let fact = Fact::read(number(row, 2)?, body)?;
        Ok(Entry { seq, id: EntryId(row.get(1)?), fact })
    })
}

impl Writing<'_> {
    /// Appends a fact, unless the log has an entry of this id already; answers the entry's number.
    pub(super) fn append(&mut self, id: EntryId, fact: Fact) -> Result<u64, StoreError> {
        const RAISE: &str = "UPDATE meta SET head = head + 1 WHERE one = 1 RETURNING head";
        const INSERT: &str = "INSERT INTO log (seq, id, kind, body) VALUES (?1, ?2, ?3, ?4)";
        let body = fact.body();
        if let Some(seq) = self.appended_before(id, fact.kind(), &body)? {
            return Ok(seq);
        }
        let seq: u64 = one(self.db, RAISE, [], |row| number(row, 0))?
            .ok_or(StoreError::Corrupt("no head of the log"))?;
        change(self.db, INSERT, params![signed(seq), id.0, fact.kind(), body])?;
        self.appended.push(Entry { seq, id, fact });
        Ok(seq)
    }

    fn appended_before(
        &self,
        id: EntryId,
        kind: u16,
        body: &[u8],
    ) -> Result<Option<u64>, StoreError> {
        const SQL: &str = "SELECT seq, kind = ?2 AND body = ?3 FROM log WHERE id = ?1";
        let found = one(self.db, SQL, params![id.0, kind, body], |row| {
            Ok((number(row, 0)?, row.get::<_, bool>(1)?))
        })?;
        match found {
            Some((_, false)) => Err(StoreError::EntryReused(id)),
            Some((seq, true)) => Ok(Some(seq)),
            None => Ok(None),
        }
    }

    /// Appends what the log has not got yet.
    pub(super) fn append_all(
        &mut self,
        facts: Vec<(EntryId, Fact)>,
    ) -> Result<Position, StoreError> {
        for (id, fact) in facts {
            self.append(id, fact)?;
        }
        head(self.db)
    }
}
