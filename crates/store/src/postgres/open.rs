//! Opening: whether this database may be used, and whether it is the one that was answered from.
//!
//! ```text
//! journal, gate, migrations ─▶ under the lock: whose log it is, and whether it goes through the journal
//!       it does ─▶ the journal is brought up to it
//!       it was recovered since, without this journal ─▶ what it lacks and counts is put back
//!       it does not ─▶ the doubt is written down, for every node
//! ```

use std::path::Path;
use std::sync::Arc;

use nt_revocation::Position;
use nt_revocation::protocol::Loss;
use nt_token::clock::{Clock as _, SystemClock};

use super::gate;
use super::known::{Judged, Last, commit, judge, lock_meta, undo, write_down};
use super::link::Link;
use super::migrate;
use super::options::PostgresOptions;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::journal::{Journal, read_journal};
use crate::recovery::Witness;
use crate::sql::log::InWords as _;
use crate::sql::recovery::{known_of, put_back};
use crate::sql::{Db, Writing, log};

/// How many entries are brought over at once.
const PAGE: u32 = 5_000;

/// What a store begins with.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) last: Last,
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
    let (last, is_there) = confirm(&link, journal.last(), &options.journal)?;
    if !is_there {
        bring_in(&link, &options.journal)?;
    }
    link.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    let head = bring_up(&link, &mut journal, is_there)?;
    link.batch("COMMIT")?;
    Ok(Opened { link, last, journal, head })
}

/// Compares the database with the journal's last entry, and writes down what comes of it. Answers who
/// is followed, and whether the log goes through the journal.
fn confirm(
    link: &Link,
    witness: Option<Position>,
    journal: &Path,
) -> Result<(Last, bool), StoreError> {
    let meta = lock_meta(link)?;
    let witness = witness.unwrap_or(Position { epoch: meta.epoch, ..Position::START });
    let judged = judge(link, &meta, witness, None).inspect_err(|_| undo(link))?;
    if let Judged::Lost(Loss::Behind(_) | Loss::Other(_) | Loss::EarlierEpoch(..)) = judged
        && !is_related(link, journal).inspect_err(|_| undo(link))?
    {
        // Nothing is said about a database of which this journal knows nothing.
        undo(link);
        return Err(StoreError::AnothersJournal(journal.to_owned()));
    }
    let lossless = write_down(link, &meta, &judged)?;
    match judged {
        Judged::Follow { is_there } => Ok((Last { lineage: meta.server, lossless }, is_there)),
        Judged::Lost(loss @ Loss::TakenOver { .. }) => {
            Err(StoreError::HistoryInDoubt(loss.to_string()))
        }
        Judged::Lost(_) => Err(StoreError::HistoryLost {
            database: format!("{} of epoch {}", meta.head, meta.epoch),
            witness: witness.in_words(),
        }),
    }
}

/// Whether the log has anything that the journal has.
fn is_related(link: &Link, journal: &Path) -> Result<bool, StoreError> {
    const SOME: usize = 500;
    let mut ids = Vec::new();
    read_journal(journal, |said| {
        ids.extend((said.position.seq > 0).then_some(said.position.entry));
        Ok(())
    })?;
    for some in ids.chunks(SOME) {
        if !known_of(Db::Postgres(link), some.iter().copied())?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts back what this journal has and a log lacks that was recovered without it.
fn bring_in(link: &Link, journal: &Path) -> Result<(), StoreError> {
    let witnessed = Witness::read(journal)?.entries;
    lock_meta(link)?;
    let done = (|| {
        let db = Db::Postgres(link);
        let mut writing = Writing::new(db, log::head(db)?);
        let act = by_itself()?;
        let done = put_back(&mut writing, &witnessed, &act)?;
        if done.entries > 0 {
            writing.audit(&act, Action::AuthorityRecovered, None, None, None);
        }
        writing.finish()?;
        Ok(done)
    })()
    .inspect_err(|_: &StoreError| undo(link))?;
    if done.entries == 0 {
        return link.batch("ROLLBACK");
    }
    commit(link).inspect_err(|_| undo(link))?;
    tracing::error!(
        entries = done.entries,
        tokens = done.records,
        "the log was recovered without this node's journal: what it lacked was put back"
    );
    Ok(())
}

fn by_itself() -> Result<Act, StoreError> {
    let operator = "op_ntd".parse().map_err(|_| StoreError::Corrupt("an operator's ID"))?;
    let note = Some("from the journal of a node that was not there at the recovery".to_owned());
    Ok(Act { operator, at: SystemClock.now(), from: None, note })
}

/// Brings the journal up to the log; answers where that ends.
fn bring_up(link: &Link, journal: &mut Journal, is_there: bool) -> Result<Position, StoreError> {
    let written = |source| StoreError::File { what: "writing the journal", source };
    let db = Db::Postgres(link);
    let head = log::head(db)?;
    let Some(last) = journal.last().filter(|_| is_there) else {
        journal.begin_at(head).map_err(written)?;
        return Ok(head);
    };
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
