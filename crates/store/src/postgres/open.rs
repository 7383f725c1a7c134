//! Opening: whether this database may be used, and whether it is the one that was answered from.

use std::sync::Arc;

use nt_revocation::Position;

use super::gate;
use super::history::Identity;
use super::link::Link;
use super::migrate;
use super::options::PostgresOptions;
use crate::error::StoreError;
use crate::journal::Journal;
use crate::sql::log::InWords as _;
use crate::sql::{Db, log};

/// How many entries are brought over at once.
const PAGE: u32 = 5_000;

/// What a store begins with.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) identity: Identity,
    pub(super) journal: Journal,
    pub(super) head: Position,
}

/// Opens the journal and the database, and compares them.
pub(super) fn open(options: &Arc<PostgresOptions>) -> Result<Opened, StoreError> {
    let mut journal = Journal::open(&options.journal)?;
    let mut link = Link::new(Arc::clone(options))?;
    link.connect()?;
    gate::pass(&link, options.gate)?;
    migrate::migrate(&link)?;
    let identity = link.identity()?;
    link.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    let head = confirm(&link, &mut journal)?;
    link.batch("COMMIT")?;
    Ok(Opened { link, identity, journal, head })
}

/// Compares the database with the journal, and brings the journal up to it. A database that is ahead
/// is right. One of a later epoch is, too: the operator has put it together, and what it lacks was
/// looked for then.
fn confirm(link: &Link, journal: &mut Journal) -> Result<Position, StoreError> {
    let written = |source| StoreError::File { what: "writing the journal", source };
    let db = Db::Postgres(link);
    let head = log::head(db)?;
    let Some(last) = journal.last() else {
        journal.begin_at(head).map_err(written)?;
        return Ok(head);
    };
    let is_there = last.seq == 0 || log::entry_at(db, last.seq)? == Some(last.entry);
    if head.epoch < last.epoch || head.epoch == last.epoch && !is_there {
        return Err(StoreError::HistoryLost {
            database: head.in_words(),
            witness: last.in_words(),
        });
    }
    if !is_there {
        journal.begin_at(head).map_err(written)?;
        return Ok(head);
    }
    let mut seq = last.seq;
    while seq < head.seq {
        let entries = log::entries_after(db, seq, PAGE)?;
        let Some(end) = entries.last() else { break };
        seq = end.seq;
        journal.append(&entries).map_err(written)?;
    }
    journal.sync().map_err(written)?;
    Ok(head)
}
