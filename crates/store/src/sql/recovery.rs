//! Beginning a new epoch of the log.
//!
//! ```text
//! kept: … 99 100 ┊ EpochBegan{after 100} at 100 + 2³² + 1 ┊ what witnesses had beside it ┊ all before revoked?
//! ```
//!
//! Tokens that were issued in the history that was lost are not known here, but they may be out there,
//! and their places with them. So no list that was open, and no number of a list that may have been
//! made, is drawn from again.

use nt_revocation::{Entry, Fact, Position, ScopeOf, first_of_epoch};
use nt_token::{EntryId, Place};

use super::db::{Bind, Db, change, one};
use super::log;
use super::row::{number, signed};
use super::writing::Writing;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::recovery::{Recovered, Recovery, counts};

/// Lists that may have been made in the history that was lost: more than any has in a day.
const LISTS_LEFT_OUT: i64 = 256;

/// Why the records of these tokens say that they are revoked.
const BECAUSE: &str = "recovered from the nodes' journals";
const BEFORE: &str = "issued before the recovery";

/// Recovers. `db` is in a transaction that nobody else writes beside.
pub(crate) fn recover(db: Db<'_>, recovery: &Recovery) -> Result<Recovered, StoreError> {
    const REACH: &str = "UPDATE meta SET epoch = ?1, head = ?2 WHERE one = 1";
    let from = log::head(db)?;
    let (mut entries, epoch) = begin(from, recovery);
    let last = entries.last().ok_or(StoreError::Corrupt("a log that nothing can begin behind"))?;
    let mut at = Position { epoch, seq: last.seq, entry: last.id };
    let (mut put_back, mut records) = (0, 0);
    for entry in recovery.witnessed.iter().filter(|entry| counts(&entry.fact)) {
        if is_known(db, entry.id)? || entries.iter().any(|known| known.id == entry.id) {
            continue;
        }
        at = Position { seq: at.seq + 1, entry: entry.id, ..at };
        records += mark(db, at.seq, &entry.fact, &recovery.act, BECAUSE)?;
        entries.push(Entry { seq: at.seq, ..entry.clone() });
        put_back += 1;
    }
    if let Some(id) = recovery.revoke_before {
        at = Position { seq: at.seq + 1, entry: id, ..at };
        let fact = Fact::ScopeRevoked { scope: ScopeOf::All, except: Vec::new() };
        records += mark(db, at.seq, &fact, &recovery.act, BEFORE)?;
        entries.push(Entry { seq: at.seq, id, fact });
    }
    leave_lists(db)?;
    let mut writing = Writing::new(db, at);
    writing.audit(&recovery.act, Action::AuthorityRecovered, None, None, None);
    writing.appended = entries;
    writing.finish()?;
    change(db, REACH, &[&signed(at.epoch), &signed(at.seq)])?;
    Ok(Recovered { from, to: at, put_back, records })
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

fn is_known(db: Db<'_>, id: EntryId) -> Result<bool, StoreError> {
    Ok(one(db, "SELECT 1 FROM log WHERE id = ?1", &[&id.0], |_| Ok(()))?.is_some())
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
