//! Drawing a token's place.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use nt_revocation::RevocationSet;
use nt_token::{Place, Timestamp};

use super::db::{Db, change, one};
use super::row::number;
use crate::error::StoreError;
use crate::place::{DRAWS, accepts, bucket, next_capacity};

/// Takes a free place in a list of tokens that expire in the same month.
pub(super) fn take(db: Db<'_>, exp: Timestamp) -> Result<Place, StoreError> {
    const TAKE: &str = "UPDATE lists SET issued = issued + 1 WHERE list = ?1";
    let (list, capacity) = open_list(db, bucket(exp))?;
    let place = Place { list, idx: free(db, list, capacity)? };
    change(db, TAKE, &[&list])?;
    Ok(place)
}

/// The bucket's list that still takes tokens, and how many places it has.
fn open_list(db: Db<'_>, bucket: i64) -> Result<(u32, u32), StoreError> {
    const LAST: &str = "SELECT list, capacity, issued FROM lists WHERE bucket = ?1
        ORDER BY list DESC LIMIT 1";
    let last: Option<(u32, u32, u32)> =
        one(db, LAST, &[&bucket], |row| Ok((number(row, 0)?, number(row, 1)?, number(row, 2)?)))?;
    match last {
        Some((number, capacity, issued)) if accepts(capacity, issued) => Ok((number, capacity)),
        _ => new_list(db, bucket, next_capacity(last.map(|(_, capacity, _)| capacity))),
    }
}

fn new_list(db: Db<'_>, bucket: i64, capacity: u32) -> Result<(u32, u32), StoreError> {
    const NEXT: &str = "SELECT COALESCE(MAX(list) + 1, 0) FROM lists";
    const INSERT: &str =
        "INSERT INTO lists (list, bucket, capacity, issued) VALUES (?1, ?2, ?3, 0)";
    let list = one(db, NEXT, &[], |row| number(row, 0))?.unwrap_or(0);
    if list >= RevocationSet::CANARIES {
        return Err(StoreError::Full);
    }
    change(db, INSERT, &[&list, &bucket, &capacity])?;
    Ok((list, capacity))
}

/// A place that no token has, each equally likely. Capacities are powers of two, so the low bits of
/// a random number are as good as any.
fn free(db: Db<'_>, list: u32, capacity: u32) -> Result<u32, StoreError> {
    const TAKEN: &str = "SELECT 1 FROM tokens WHERE list = ?1 AND idx = ?2";
    let random = SystemRandom::new();
    for _ in 0..DRAWS {
        let mut bytes = [0; 4];
        random.fill(&mut bytes).map_err(|_| StoreError::Entropy)?;
        let idx = u32::from_be_bytes(bytes) & (capacity - 1);
        if one(db, TAKEN, &[&list, &idx], |_| Ok(()))?.is_none() {
            return Ok(idx);
        }
    }
    Err(StoreError::Corrupt("a list that is fuller than it says"))
}
