//! A revocation set at one position of the log, as it travels and as it is kept on disk.
//!
//! ```text
//! header    "ntset" │ version u8 = 2 │ epoch u64 │ seq u64 │ entry id 16 bytes │ horizon i64
//! lists     n u32 │ n × (number u32 │ last exp i64 │ length u32 │ Roaring bitmap of the revoked bits)
//! scopes    n u32 │ n × (of u8 │ id length u8 │ id │ seq u64 │ m u8 │ m × (list u32 │ idx u32))
//! revoked   n u32 │ n × (kid length u8 │ kid)
//! added     n u32 │ n × (kid length u8 │ kid │ length u32 │ JWK)
//! trailer   SHA-256 of all that stands before, 32 bytes
//! ```
//!
//! Numbers are big-endian, but for those inside a bitmap, whose format is Roaring's own: it is drawn
//! in `set::portable`.
//! The last exp is that of the revoked tokens of the list: behind a horizon, it is left out. `of` and
//! `id` are as in a log entry; m ≤ 64 are the exceptions. Everything ascends; no list is empty. Bitmaps
//! have no run containers: places are drawn at random, so there are no runs to gain by, and four
//! bytes could claim 2¹⁶ revoked tokens. A horizon of `i64::MIN` is none.
//!
//! The trailer tells damage, not forgery: who may send a snapshot is for the connection to know.
//! Reading checks every length, and what it holds meanwhile is in proportion to the bytes. A set
//! has 8 KiB for each chunk that has a bit; ask [`Snapshot::memory`] before building one from afar.

mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use nt_token::Timestamp;

pub(crate) use self::read::Contents;
use crate::bytes::{put_length, put_place, put_short};
use crate::log::Position;
use crate::set::rules::Rules;
use crate::set::{ListBits, memory_for};

const MAGIC: &[u8; 5] = b"ntset";
const VERSION: u8 = 2;

/// Why bytes are no snapshot, or none for this set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSnapshot {
    /// They do not begin as one.
    #[error("not a snapshot of a revocation set")]
    Magic,
    /// Written by another version.
    #[error("snapshot of unknown version {0}")]
    Version(u8),
    /// Its checksum is another: damaged, or cut short.
    #[error("snapshot is damaged")]
    Damaged,
    /// Its checksum is right but its contents are not.
    #[error("snapshot has malformed contents")]
    Malformed,
    /// It is of another log: one entry here, another there, at the same position.
    #[error("snapshot is of another history")]
    OtherHistory,
}

/// A revocation set at one position, not ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(crate) position: Position,
    pub(crate) horizon: Timestamp,
    pub(crate) lists: Vec<ListBits<'static>>,
    pub(crate) rules: Arc<Rules>,
}

impl Snapshot {
    /// The last log entry that it takes into account.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// At most this many bytes would be allocated for the bits of a set built from it.
    pub fn memory(&self) -> usize {
        memory_for(&self.lists)
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024);
        out.extend(MAGIC);
        out.push(VERSION);
        out.extend(self.position.epoch.to_be_bytes());
        out.extend(self.position.seq.to_be_bytes());
        out.extend(self.position.entry.0);
        out.extend(self.horizon.unix().to_be_bytes());
        self.put_lists(&mut out);
        self.put_rules(&mut out);
        let checksum = digest(&SHA256, &out);
        out.extend(checksum.as_ref());
        out
    }

    fn put_lists(&self, out: &mut Vec<u8>) {
        put_length(out, self.lists.len());
        for ListBits { number, last, bits } in &self.lists {
            out.extend(number.to_be_bytes());
            out.extend(last.unix().to_be_bytes());
            put_length(out, bits.len());
            out.extend(&**bits);
        }
    }

    fn put_rules(&self, out: &mut Vec<u8>) {
        let revocations = self.rules.revocations();
        put_length(out, revocations.len());
        for (scope, revocation) in revocations {
            scope.put(out);
            out.extend(revocation.seq.to_be_bytes());
            let except = &revocation.except;
            out.push(u8::try_from(except.len()).expect("a log entry has at most 64 exceptions"));
            for place in except {
                put_place(out, *place);
            }
        }
        let revoked = self.rules.revoked_keys();
        put_length(out, revoked.len());
        for kid in revoked {
            put_short(out, kid.as_str().as_bytes());
        }
        let added = self.rules.added_keys();
        put_length(out, added.len());
        for (kid, jwk) in added {
            put_short(out, kid.as_str().as_bytes());
            put_length(out, jwk.len());
            out.extend(jwk.bytes());
        }
    }
}
