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

/// Entries in order. Numbers are dense within an epoch, so any gap is damage but the one that an
/// epoch's first entry states.
pub(super) fn entries_after(
    db: &Connection,
    seq: u64,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    const SQL: &str = "SELECT seq, id, kind, body FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut before: Option<(u64, EntryId)> = None;
    all(db, SQL, params![signed(seq), limit], |row| {
        let body = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Corrupt("a log entry"))?;
        let fact = Fact::read(number(row, 2)?, body)?;
        let entry = Entry { seq: number(row, 0)?, id: EntryId(row.get(1)?), fact };
        let follows = match before.replace((entry.seq, entry.id)) {
            Some((seq, id)) => entry.follows(seq, Some(id)),
            // The number that was asked for need not be an entry's.
            None => entry.is_first_after(seq),
        };
        if follows { Ok(entry) } else { Err(StoreError::Corrupt("a log with a gap")) }
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

#[cfg(test)]
mod tests {
    use nt_revocation::first_of_epoch;

    use super::*;
    use crate::sqlite::connection;

    fn log(entries: &[(u64, u8, Fact)]) -> Connection {
        let mut db = Connection::open_in_memory().expect("memory");
        connection::migrate(&mut db).expect("tables");
        for (seq, id, fact) in entries {
            let row = params![signed(*seq), [*id; 16], fact.kind(), fact.body()];
            db.execute("INSERT INTO log (seq, id, kind, body) VALUES (?1, ?2, ?3, ?4)", row)
                .expect("written");
        }
        db
    }

    fn nothing() -> Fact {
        Fact::NodeGone { node: 1, incarnation: 1 }
    }

    fn began(after: u64, id: u8) -> Fact {
        Fact::EpochBegan { epoch: 2, after, entry: EntryId([id; 16]) }
    }

    #[test]
    fn a_log_is_read_on_into_a_new_epoch_from_wherever_it_is_asked_for() {
        let first = first_of_epoch(2);
        let db = log(&[(1, 1, nothing()), (2, 2, nothing()), (first, 3, began(2, 2))]);
        let numbers = |after| {
            let read = entries_after(&db, after, 9).expect("reads");
            read.iter().map(|entry| entry.seq).collect::<Vec<_>>()
        };
        assert_eq!(numbers(0), [1, 2, first]);
        for after in [2, 3, first - 1] {
            assert_eq!(numbers(after), [first], "{after}");
        }
        assert!(numbers(first).is_empty());
    }

    #[test]
    fn any_other_leap_in_a_log_is_damage() {
        for (seq, id, fact) in [
            (3, 3, began(2, 2)),
            (first_of_epoch(2), 3, nothing()),
            (first_of_epoch(2), 3, began(2, 9)),
            (first_of_epoch(2), 3, began(1, 2)),
            (first_of_epoch(1), 3, began(1, 2)),
            (first_of_epoch(2) + 1, 3, began(2, 2)),
        ] {
            let db = log(&[(1, 1, nothing()), (2, 2, nothing()), (seq, id, fact.clone())]);
            let read = entries_after(&db, 0, 9);
            assert!(matches!(read, Err(StoreError::Corrupt(_))), "{seq} {fact:?}");
        }
        let db = log(&[(1, 1, nothing()), (3, 3, nothing())]);
        assert!(matches!(entries_after(&db, 1, 9), Err(StoreError::Corrupt(_))));
    }
}
