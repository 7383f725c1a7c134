//! Beginning a new epoch of the log.
//!
//! ```text
//! kept: … 99 100 ┊ EpochBegan{after 100} at 100 + 2³² + 1 ┊ what witnesses had beside it ┊ all before revoked?
//! ```
//!
//! Tokens that were issued in the history that was lost are not known here, but they may be out there,
//! and their places with them. So no list that was open, and no number of a list that may have been
//! made, is drawn from again.

use std::collections::HashSet;

use nt_revocation::{Entry, Fact, Position, ScopeOf, first_of_epoch};
use nt_token::{EntryId, Place};

use super::db::{Bind, Db, all, change, one};
use super::log;
use super::row::{number, signed};
use super::writing::Writing;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::recovery::{Recovered, Recovery, counts};

/// Lists that may have been made in the history that was lost: more than any has in a day.
const LISTS_LEFT_OUT: i64 = 256;

/// How many identities are looked for at once.
const IDS: usize = 500;

/// Why the records of these tokens say that they are revoked.
const BECAUSE: &str = "recovered from the nodes' journals";
const BEFORE: &str = "issued before the recovery";

/// Recovers. `db` is in a transaction that nobody else writes beside.
pub(crate) fn recover(db: Db<'_>, recovery: &Recovery) -> Result<Recovered, StoreError> {
    const REACH: &str = "UPDATE meta SET epoch = ?1 WHERE one = 1";
    let from = log::head(db)?;
    let (entries, epoch) = begin(from, recovery);
    let last = entries.last().ok_or(StoreError::Corrupt("a log that nothing can begin behind"))?;
    let at = Position { epoch, seq: last.seq, entry: last.id };
    let mut writing = Writing::new(db, at);
    writing.appended = entries;
    leave_nodes(&mut writing, recovery.entry)?;
    let PutBack { entries: put_back, mut records } =
        put_back(&mut writing, &recovery.witnessed, &recovery.act)?;
    if let Some(id) = recovery.revoke_before {
        let fact = Fact::ScopeRevoked { scope: ScopeOf::All, except: Vec::new() };
        let seq = writing.append(id, fact.clone())?;
        records += mark(db, seq, &fact, &recovery.act, BEFORE)?;
    }
    leave_lists(db)?;
    writing.audit(&recovery.act, Action::AuthorityRecovered, None, None, None);
    let to = writing.head;
    writing.finish()?;
    change(db, REACH, &[&signed(epoch)])?;
    Ok(Recovered { from, to, put_back, records })
}

/// What was put back into a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutBack {
    /// How many entries.
    pub(crate) entries: u64,
    /// How many tokens' records say since then that they are revoked.
    pub(crate) records: u64,
}

/// Appends what counts of these and the log has not got, in their order.
pub(crate) fn put_back(
    writing: &mut Writing<'_>,
    witnessed: &[Entry],
    act: &Act,
) -> Result<PutBack, StoreError> {
    let mut done = PutBack { entries: 0, records: 0 };
    for entry in missing(writing.db, witnessed)? {
        let seq = writing.append_unless(entry.id, entry.fact.clone(), None)?;
        done.records += mark(writing.db, seq, &entry.fact, act, BECAUSE)?;
        done.entries += 1;
    }
    Ok(done)
}

/// What counts of these and the log has not got, each once and in their order.
pub(crate) fn missing<'e>(
    db: Db<'_>,
    witnessed: &'e [Entry],
) -> Result<Vec<&'e Entry>, StoreError> {
    let mut seen = HashSet::new();
    let mut counting = witnessed.iter().filter(|entry| counts(&entry.fact)).collect::<Vec<_>>();
    counting.retain(|entry| seen.insert(entry.id.0));
    let mut known = HashSet::new();
    for some in counting.chunks(IDS) {
        known.extend(known_of(db, some.iter().map(|entry| entry.id))?);
    }
    counting.retain(|entry| !known.contains(&entry.id.0));
    Ok(counting)
}

/// Which of a few entries the log has.
pub(crate) fn known_of(
    db: Db<'_>,
    ids: impl Iterator<Item = EntryId>,
) -> Result<Vec<[u8; 16]>, StoreError> {
    let ids: Vec<[u8; 16]> = ids.map(|id| id.0).collect();
    let holders: Vec<String> = (1..=ids.len()).map(|n| format!("?{n}")).collect();
    let sql = format!("SELECT id FROM log WHERE id IN ({})", holders.join(", "));
    let params: Vec<&dyn Bind> = ids.iter().map(|id| id as &dyn Bind).collect();
    if params.is_empty() { Ok(Vec::new()) } else { all(db, &sql, &params, |row| row.get(0)) }
}

/// No node of the epoch before is one of the new epoch: whose process is still there joins anew. Where
/// several nodes share a database, their leases have run out before anything is recovered. (With SQLite
/// there is one, and its successor waits for what it has granted.)
fn leave_nodes(writing: &mut Writing<'_>, random: EntryId) -> Result<(), StoreError> {
    const LEFT: &str = "SELECT node, incarnation FROM nodes WHERE state <> 'gone'
        ORDER BY node, incarnation";
    const LEAVE: &str = "UPDATE nodes SET state = 'gone' WHERE state <> 'gone'";
    if let Db::Sqlite(_) = writing.db {
        return Ok(());
    }
    let left = all(writing.db, LEFT, &[], |row| {
        Ok((row.get::<i64>(0)?.cast_unsigned(), row.get::<i64>(1)?.cast_unsigned()))
    })?;
    for (nth_of_them, (node, incarnation)) in left.into_iter().enumerate() {
        // Behind the numbers of epochs, which are far fewer.
        let id = nth(random, u64::MAX - nth_of_them as u64);
        writing.append(id, Fact::NodeGone { node, incarnation })?;
    }
    change(writing.db, LEAVE, &[])?;
    Ok(())
}

/// The entry that begins the epoch, and the epoch: later than every one that is known. Several entries,
/// each with an epoch of its own, where one leap would not be behind all numbers that were ever seen.
fn begin(from: Position, recovery: &Recovery) -> (Vec<Entry>, u64) {
    let furthest = recovery.seen.iter().map(|seen| seen.seq).max().unwrap_or(0);
    let latest = recovery.seen.iter().map(|seen| seen.epoch).max().unwrap_or(0).max(from.epoch);
    let (mut at, mut entries) = (from, Vec::new());
    loop {
        let seq = first_of_epoch(at.seq);
        let is_last = seq > furthest;
        let epoch = if is_last { latest.max(at.epoch) + 1 } else { at.epoch + 1 };
        let id = if is_last { recovery.entry } else { nth(recovery.entry, epoch) };
        let fact = Fact::EpochBegan { epoch, after: at.seq, entry: at.entry };
        entries.push(Entry { seq, id, fact });
        at = Position { epoch, seq, entry: id };
        if is_last {
            return (entries, epoch);
        }
    }
}

/// An identity beside one that was drawn at random.
fn nth(id: EntryId, number: u64) -> EntryId {
    EntryId((u128::from_be_bytes(id.0) ^ u128::from(number)).to_be_bytes())
}

/// Lets the records say what the log says; answers how many did not before.
fn mark(db: Db<'_>, seq: u64, fact: &Fact, act: &Act, because: &str) -> Result<u64, StoreError> {
    let of = |holds: &str, params: &[&dyn Bind], except: &[Place]| {
        let but =
            |place: &Place| format!("AND NOT (list = {} AND idx = {})", place.list, place.idx);
        let but: Vec<String> = except.iter().map(but).collect();
        let sql = format!(
            "UPDATE tokens SET revoked_at = ?1, revoked_by = ?2, revoked_because = ?3
            WHERE revoked_at IS NULL AND rv < ?4 AND {holds} {}",
            but.join(" ")
        );
        let (at, by, seq) = (act.at.unix(), act.operator.as_str(), signed(seq));
        let first: [&dyn Bind; 4] = [&at, &by, &because, &seq];
        let params: Vec<&dyn Bind> = first.into_iter().chain(params.iter().copied()).collect();
        change(db, &sql, &params)
    };
    match fact {
        Fact::TokenRevoked { jti, .. } => of("jti = ?5", &[&jti.as_str()], &[]),
        Fact::KeyRevoked { kid } => of("kid = ?5", &[&kid.as_str()], &[]),
        Fact::ScopeRevoked { scope, except } => match scope {
            ScopeOf::Workspace(id) => of("workspace = ?5", &[id.as_bytes()], except),
            ScopeOf::Operator(id) => of("created_by = ?5", &[&id.as_str()], except),
            ScopeOf::Member(workspace, operator) => {
                let params: &[&dyn Bind] = &[workspace.as_bytes(), &operator.as_str()];
                of("workspace = ?5 AND created_by = ?6", params, except)
            }
            ScopeOf::All => of("1 = 1", &[], except),
        },
        _ => Ok(0),
    }
}

/// Closes all lists, and lets the next one have a number that was never given.
fn leave_lists(db: Db<'_>) -> Result<(), StoreError> {
    const CLOSE: &str = "UPDATE lists SET issued = capacity";
    const NEXT: &str = "SELECT COALESCE(MAX(list), 0) FROM lists";
    const INSERT: &str = "INSERT INTO lists (list, bucket, capacity, issued) VALUES (?1, ?2, 0, 0)";
    change(db, CLOSE, &[])?;
    let last: i64 = one(db, NEXT, &[], |row| number(row, 0))?.unwrap_or(0);
    // Of no month: nothing is drawn from it.
    change(db, INSERT, &[&(last + LISTS_LEFT_OUT), &i64::MIN])?;
    Ok(())
}
