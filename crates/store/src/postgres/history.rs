//! Whether a database is the one that was answered from.
//!
//! A position is (epoch, seq, entry id): that the entry of a number is the same means that all before
//! it are. A cluster is (system identifier, timeline): a promotion begins a new timeline at once, and
//! what it has lost nobody there knows.

use nt_revocation::{Entry, Fact, Position};
use nt_token::EntryId;
use tokio_postgres::Row as PgRow;

use crate::error::StoreError;
use crate::sql::row::{Row, number};

/// Which cluster answers, and which of its histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    system: i64,
    timeline: String,
}

impl Identity {
    /// What is asked for it. The control file's timeline lags behind a promotion; the name of the file
    /// that is being written does not.
    pub(super) const COLUMNS: &str = "(SELECT system_identifier FROM pg_control_system()),
        left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)";

    /// Reads the two columns, from this one on.
    pub(super) fn read(row: &PgRow, first: usize) -> Result<Self, StoreError> {
        let row = Row::Postgres(row);
        Ok(Self { system: row.get(first)?, timeline: row.get(first + 1)? })
    }

    pub(super) fn confirm(&self, found: &Self) -> Result<(), StoreError> {
        if self.system != found.system {
            return Err(StoreError::HistoryInDoubt(format!(
                "system {} answers in the place of {}",
                found.system, self.system
            )));
        }
        if self.timeline != found.timeline {
            return Err(StoreError::HistoryInDoubt(format!(
                "it went over from timeline {} to {}",
                self.timeline, found.timeline
            )));
        }
        Ok(())
    }
}

/// What the one row says.
pub(super) struct Meta {
    pub(super) epoch: u64,
    pub(super) head: u64,
    pub(super) identity: Identity,
}

impl Meta {
    pub(super) fn read(rows: &[PgRow]) -> Result<Self, StoreError> {
        let row = rows.first().ok_or(StoreError::Corrupt("no head of the log"))?;
        let identity = Identity::read(row, 2)?;
        let row = Row::Postgres(row);
        Ok(Self { epoch: number(row, 0)?, head: number(row, 1)?, identity })
    }
}

/// Reads entries from rows of `seq, id, kind, body`.
pub(super) fn entries(rows: &[PgRow]) -> Result<Vec<Entry>, StoreError> {
    let read = |row| {
        let row = Row::Postgres(row);
        let fact = Fact::read(number(row, 2)?, row.blob(3, "a log entry")?)?;
        Ok(Entry { seq: number(row, 0)?, id: EntryId(row.get(1)?), fact })
    };
    rows.iter().map(read).collect()
}

/// What comes after a position, and where that leads. The entries begin with that of the position
/// itself, if it is one: were it another, everything before it might be.
pub(super) fn after(
    at: Position,
    mut entries: Vec<Entry>,
) -> Result<(Vec<Entry>, Position), StoreError> {
    let doubt = |why| Err(StoreError::HistoryInDoubt(why));
    if at.seq > 0 {
        match entries.first() {
            Some(first) if first.seq == at.seq && first.id == at.entry => drop(entries.remove(0)),
            Some(first) if first.seq == at.seq => {
                return doubt(format!("entry {} is {} and was {}", at.seq, first.id, at.entry));
            }
            _ => return doubt(format!("entry {} ({}) is missing", at.seq, at.entry)),
        }
    }
    let mut end = at;
    for entry in &entries {
        match end.followed_by(entry) {
            Some(next) => end = next,
            None => return doubt(format!("entry {} does not follow on {}", entry.seq, end.seq)),
        }
    }
    Ok((entries, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, id: u8) -> Entry {
        Entry { seq, id: EntryId([id; 16]), fact: Fact::NodeGone { node: 1, incarnation: 1 } }
    }

    fn position(seq: u64, id: u8) -> Position {
        Position { epoch: 1, seq, entry: EntryId([id; 16]) }
    }

    #[test]
    fn what_follows_on_what_is_known_is_taken_and_nothing_else() {
        let log = [entry(1, 1), entry(2, 2), entry(3, 3)];
        let (all, end) = after(Position::START, log.to_vec()).expect("the whole log");
        assert_eq!((all.len(), end), (3, position(3, 3)));
        let (rest, end) = after(position(2, 2), log[1..].to_vec()).expect("the rest");
        assert_eq!((rest, end), (vec![entry(3, 3)], position(3, 3)));
        let (none, end) = after(position(3, 3), log[2..].to_vec()).expect("nothing new");
        assert_eq!((none.len(), end), (0, position(3, 3)));
        for (at, rows) in [
            (position(2, 9), log[1..].to_vec()),
            (position(4, 4), Vec::new()),
            (position(2, 2), log[2..].to_vec()),
            (position(1, 1), vec![entry(1, 1), entry(3, 3)]),
        ] {
            assert!(matches!(after(at, rows), Err(StoreError::HistoryInDoubt(_))), "{at:?}");
        }
    }

    #[test]
    fn another_system_and_another_timeline_are_in_doubt() {
        let known = Identity { system: 7, timeline: "00000001".to_owned() };
        assert!(known.confirm(&known.clone()).is_ok());
        let promoted = Identity { timeline: "00000002".to_owned(), ..known.clone() };
        let other = Identity { system: 8, ..known.clone() };
        for found in [promoted, other] {
            assert!(matches!(known.confirm(&found), Err(StoreError::HistoryInDoubt(_))));
        }
    }
}
