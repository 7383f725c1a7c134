//! The log.

use nt_revocation::{Entry, Fact, Position};
use nt_token::EntryId;

use super::db::{Db, all, change, one};
use super::row::{number, signed};
use super::writing::Writing;
use crate::error::StoreError;

/// A position as people read it.
pub(crate) trait InWords {
    fn in_words(self) -> String;
}

impl InWords for Position {
    fn in_words(self) -> String {
        let Self { epoch, seq, entry } = self;
        format!("{seq} of epoch {epoch} (entry {entry})")
    }
}

/// Where the log ends.
pub(crate) fn head(db: Db<'_>) -> Result<Position, StoreError> {
    const SQL: &str = "SELECT meta.epoch, meta.head, log.id FROM meta
        LEFT JOIN log ON log.seq = meta.head WHERE meta.one = 1";
    let found = one(db, SQL, &[], |row| {
        let (epoch, seq): (u64, u64) = (number(row, 0)?, number(row, 1)?);
        match row.get::<Option<[u8; 16]>>(2)? {
            Some(id) => Ok(Position { epoch, seq, entry: EntryId(id) }),
            None if seq == 0 => Ok(Position { epoch, ..Position::START }),
            None => Err(StoreError::Corrupt("a log that ends before its head")),
        }
    })?;
    found.ok_or(StoreError::Corrupt("no head of the log"))
}

/// Which entry has this number.
pub(crate) fn entry_at(db: Db<'_>, seq: u64) -> Result<Option<EntryId>, StoreError> {
    const SQL: &str = "SELECT id FROM log WHERE seq = ?1";
    one(db, SQL, &[&signed(seq)], |row| Ok(EntryId(row.get(0)?)))
}

/// Entries in order. Numbers are dense within an epoch, so any gap is damage but the one that an
/// epoch's first entry states.
pub(crate) fn entries_after(db: Db<'_>, seq: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
    const SQL: &str = "SELECT seq, id, kind, body FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut before: Option<(u64, EntryId)> = None;
    all(db, SQL, &[&signed(seq), &limit], |row| {
        let fact = Fact::read(number(row, 2)?, row.blob(3, "a log entry")?)?;
        let entry = Entry { seq: number(row, 0)?, id: EntryId(row.get(1)?), fact };
        let follows = match before.replace((entry.seq, entry.id)) {
            Some((seq, id)) => entry.follows(seq, Some(id)),
            // The number that was asked for need not be an entry's.
            None => entry.is_first_after(seq),
        };
        if follows { Ok(entry) } else { Err(StoreError::Corrupt("a log with a gap")) }
    })
}

/// Writes entries, and where the log ends with them.
pub(super) fn write(db: Db<'_>, entries: &[Entry]) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO log (seq, id, kind, body) VALUES (?1, ?2, ?3, ?4)";
    const RAISE: &str = "UPDATE meta SET head = ?1 WHERE one = 1";
    let Some(last) = entries.last() else { return Ok(()) };
    for Entry { seq, id, fact } in entries {
        change(db, INSERT, &[&signed(*seq), &id.0, &fact.kind(), &fact.body()])?;
    }
    change(db, RAISE, &[&signed(last.seq)])?;
    Ok(())
}

impl Writing<'_> {
    /// Appends a fact, unless the log has an entry of this id already; answers the entry's number.
    pub(super) fn append(&mut self, id: EntryId, fact: Fact) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT seq, kind, body FROM log WHERE id = ?1";
        let in_log = match self.appended_now(id) {
            Some(_) => None,
            None => one(self.db, SQL, &[&id.0], |row| {
                Ok((number(row, 0)?, number(row, 1)?, row.blob(2, "a log entry")?.to_vec()))
            })?,
        };
        self.append_unless(id, fact, in_log)
    }

    /// The same, where what the log has under this id was looked up before: number, kind and body.
    pub(crate) fn append_unless(
        &mut self,
        id: EntryId,
        fact: Fact,
        in_log: Option<(u64, u16, Vec<u8>)>,
    ) -> Result<u64, StoreError> {
        let before = match (self.appended_now(id), in_log) {
            (Some(entry), _) => Some((entry.seq, entry.fact == fact)),
            (None, Some((seq, kind, body))) => {
                Some((seq, kind == fact.kind() && body == fact.body()))
            }
            (None, None) => None,
        };
        match before {
            Some((_, false)) => return Err(StoreError::EntryReused(id)),
            Some((seq, true)) => return Ok(seq),
            None => {}
        }
        let seq = self.head.seq + 1;
        self.head = Position { seq, entry: id, ..self.head };
        self.appended.push(Entry { seq, id, fact });
        Ok(seq)
    }

    fn appended_now(&self, id: EntryId) -> Option<&Entry> {
        self.appended.iter().find(|entry| entry.id == id)
    }

    /// Appends what the log has not got yet.
    pub(crate) fn append_all(&mut self, facts: &[(EntryId, Fact)]) -> Result<Position, StoreError> {
        for (id, fact) in facts {
            self.append(*id, fact.clone())?;
        }
        Ok(self.head)
    }
}
