//! A journal's record as it stands in a file.
//!
//! ```text
//! magic "ntjr" │ what u8 │ length u32 │ epoch u64 │ seq u64 │ entry id 16 │ kind u16 │ body │ SHA-256 of these, 16
//! ```
//!
//! Numbers are big-endian; the length is that of what stands between it and the checksum. `what` says
//! whether the record is an entry of the log or only a position to begin with, and whether all before
//! it was on the disk when it was written: behind such a record, damage is no torn write.

use aws_lc_rs::digest;
use nt_revocation::Position;
use nt_token::EntryId;

const MAGIC: &[u8; 4] = b"ntjr";
const HEAD: usize = 9;
const FIXED: usize = 34;
const SUM: usize = 16;
/// Larger than any body.
const BODY_MAX: usize = 1 << 20;

const IS_ENTRY: u8 = 1;
const BEFORE_IS_SAFE: u8 = 2;

/// What a journal says in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journaled {
    /// Where in the log.
    pub position: Position,
    /// The entry, as its kind and body; nothing where the journal begins, or goes on after a time of
    /// which it says nothing.
    pub entry: Option<(u16, Vec<u8>)>,
}

/// A record as it was read.
pub(super) struct Read {
    pub(super) said: Journaled,
    pub(super) before_is_safe: bool,
    pub(super) length: usize,
}

/// Writes a record behind others.
pub(super) fn put(
    out: &mut Vec<u8>,
    at: Position,
    entry: Option<(u16, &[u8])>,
    before_is_safe: bool,
) {
    let start = out.len();
    let (kind, body) = entry.unwrap_or_default();
    let what = if entry.is_some() { IS_ENTRY } else { 0 };
    let length = u32::try_from(FIXED + body.len()).unwrap_or(u32::MAX);
    out.extend(MAGIC);
    out.push(what | if before_is_safe { BEFORE_IS_SAFE } else { 0 });
    out.extend(length.to_be_bytes());
    out.extend(at.epoch.to_be_bytes());
    out.extend(at.seq.to_be_bytes());
    out.extend(at.entry.0);
    out.extend(kind.to_be_bytes());
    out.extend(body);
    let sum = digest::digest(&digest::SHA256, &out[start..]);
    out.extend(&sum.as_ref()[..SUM]);
}

/// Reads the record that stands at the beginning of these bytes; nothing where there is none.
pub(super) fn read(bytes: &[u8]) -> Option<Read> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let what = *rest.first()?;
    let length = u32::from_be_bytes(bytes.get(5..HEAD)?.try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|n| (FIXED..FIXED + BODY_MAX).contains(n))?;
    let end = HEAD + length;
    let sum = bytes.get(end..end + SUM)?;
    if digest::digest(&digest::SHA256, &bytes[..end]).as_ref()[..SUM] != *sum {
        return None;
    }
    let number = |from: usize| Some(u64::from_be_bytes(bytes[from..from + 8].try_into().ok()?));
    let entry = EntryId(bytes[25..41].try_into().ok()?);
    let kind = u16::from_be_bytes(bytes[41..43].try_into().ok()?);
    let position = Position { epoch: number(9)?, seq: number(17)?, entry };
    let body = bytes[43..end].to_vec();
    Some(Read {
        said: Journaled { position, entry: (what & IS_ENTRY != 0).then_some((kind, body)) },
        before_is_safe: what & BEFORE_IS_SAFE != 0,
        length: end + SUM,
    })
}

/// Whether a record that was written when all before it was safe stands somewhere in these bytes.
pub(super) fn is_followed_by_a_safe_one(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|from| read(&bytes[from..]).is_some_and(|read| read.before_is_safe))
}
