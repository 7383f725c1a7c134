//! Whether a database is the one that was answered from.
//!
//! A position is (epoch, seq, entry id): that the entry of a number is the same means that all before
//! it are. A lineage is (system identifier, timeline): a promotion begins a new timeline at once, and
//! what it has lost nobody there knows. What is made of both stands in `nt_revocation::protocol`; who
//! asks, and what is written down of it, in [`known`](super::known).

use nt_revocation::protocol::Lineage;
use nt_revocation::{Entry, Fact, Position};
use nt_token::EntryId;
use tokio_postgres::Row as PgRow;

use crate::error::StoreError;
use crate::sql::row::{Row, number};

/// What is asked for the lineage of the server that answers. The control file's timeline lags behind a
/// promotion; the name of the file that is being written does not.
pub(super) const LINEAGE: &str = "(SELECT system_identifier FROM pg_control_system()),
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)";

/// Reads these two columns, from this one on.
pub(super) fn lineage(row: &PgRow, first: usize) -> Result<Lineage, StoreError> {
    let row = Row::Postgres(row);
    let timeline: String = row.get(first + 1)?;
    let timeline = u32::from_str_radix(&timeline, 16);
    Ok(Lineage {
        system: row.get::<i64>(first)?.cast_unsigned(),
        timeline: timeline.map_err(|_| StoreError::Corrupt("a timeline"))?,
    })
}

/// What the one row says, and the server that answers.
#[derive(Debug, Clone)]
pub(super) struct Meta {
    pub(super) epoch: u64,
    pub(super) head: u64,
    /// Why nobody may rely on the log.
    pub(super) doubt: Option<String>,
    /// Whether each commit waits for a standby's disk, as it was written down.
    pub(super) lossless: bool,
    /// The same, as it is.
    pub(super) waits: bool,
    /// Who the log was last written by; nothing before the first start.
    pub(super) recorded: Option<Lineage>,
    /// Who answers.
    pub(super) server: Lineage,
}

impl Meta {
    /// What is asked for it, without a lock.
    pub(super) fn sql() -> String {
        format!(
            "SELECT epoch, head, doubt, lossless,
                btrim(current_setting('synchronous_standby_names')) <> '', system, timeline, {LINEAGE}
             FROM meta WHERE one = 1"
        )
    }

    pub(super) fn read(rows: &[PgRow]) -> Result<Self, StoreError> {
        let found = rows.first().ok_or(StoreError::Corrupt("no head of the log"))?;
        let row = Row::Postgres(found);
        let recorded = match (row.get::<Option<i64>>(5)?, row.get::<Option<i64>>(6)?) {
            (Some(system), Some(timeline)) => {
                let timeline = u32::try_from(timeline);
                let timeline = timeline.map_err(|_| StoreError::Corrupt("a timeline"))?;
                Some(Lineage { system: system.cast_unsigned(), timeline })
            }
            _ => None,
        };
        Ok(Self {
            epoch: number(row, 0)?,
            head: number(row, 1)?,
            doubt: row.get(2)?,
            lossless: row.get(3)?,
            waits: row.get(4)?,
            recorded,
            server: lineage(found, 7)?,
        })
    }

    /// Refuses a log that somebody has found to have lost a part of its history.
    pub(super) fn without_doubt(self) -> Result<Self, StoreError> {
        match self.doubt {
            Some(why) => Err(StoreError::HistoryInDoubt(why)),
            None => Ok(self),
        }
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
}
