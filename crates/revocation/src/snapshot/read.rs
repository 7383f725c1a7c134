//! Reading a snapshot: whole, checked, or not at all.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use nt_token::{EntryId, KeyId, Place, Timestamp};
use roaring::RoaringBitmap;

use super::{BadSnapshot, MAGIC, Snapshot, VERSION};
use crate::bytes::{Reader, text};
use crate::entry::{Fact, ScopeOf};
use crate::log::Position;
use crate::set::rules::{Revocation, Rules};
use crate::set::{ListBits, RevocationSet};

/// What a Roaring bitmap without run containers begins with.
const WITHOUT_RUNS: u32 = 12_346;
/// As many containers of 2¹⁶ bits as a list can fill.
const CONTAINERS_MAX: u32 = Place::LIST_MAX >> 16;

impl Snapshot {
    /// Reads a snapshot's bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BadSnapshot::Magic)?;
        let version = *rest.first().ok_or(BadSnapshot::Damaged)?;
        if version != VERSION {
            return Err(BadSnapshot::Version(version));
        }
        let (before, trailer) =
            bytes.split_last_chunk::<SHA256_OUTPUT_LEN>().ok_or(BadSnapshot::Damaged)?;
        if digest(&SHA256, before).as_ref() != trailer {
            return Err(BadSnapshot::Damaged);
        }
        let contents = before.get(MAGIC.len() + 1..).ok_or(BadSnapshot::Malformed)?;
        contents_of(&mut Reader::new(contents)).ok_or(BadSnapshot::Malformed)
    }
}

fn contents_of(from: &mut Reader<'_>) -> Option<Snapshot> {
    let position = Position { epoch: from.u64()?, seq: from.u64()?, entry: EntryId(from.array()?) };
    let horizon = Timestamp::from_unix(from.i64()?);
    let lists = lists(from)?;
    let rules = rules(from)?.into();
    from.is_at_end().then_some(Snapshot { position, horizon, lists, rules })
}

fn lists(from: &mut Reader<'_>) -> Option<Vec<ListBits>> {
    let mut lists: Vec<ListBits> = Vec::new();
    for _ in 0..from.u32()? {
        let number = from.u32()?;
        let ascends = lists.last().is_none_or(|before| before.number < number);
        if !ascends || number >= RevocationSet::LISTS_MAX {
            return None;
        }
        let last = Timestamp::from_unix(from.i64()?);
        lists.push(ListBits { number, last, bits: bits(from.long()?)? });
    }
    Some(lists)
}

/// A list's bits: not none of them, and all places of a list.
fn bits(mut bytes: &[u8]) -> Option<RoaringBitmap> {
    let header = &mut Reader::new(bytes);
    let (cookie, containers) = (header.array()?, u32::from_le_bytes(header.array()?));
    let holds = u32::from_le_bytes(cookie) == WITHOUT_RUNS && containers <= CONTAINERS_MAX;
    let bits = holds.then(|| RoaringBitmap::deserialize_from(&mut bytes))?.ok()?;
    (bytes.is_empty() && bits.max()? < Place::LIST_MAX).then_some(bits)
}

fn rules(from: &mut Reader<'_>) -> Option<Rules> {
    let mut rules = Rules::default();
    ascending(from, scope, |(scope, revocation)| rules.revoke_scope(&scope, revocation))?;
    ascending(from, kid, |kid| rules.revoke_key(kid))?;
    ascending(from, key, |(kid, jwk)| rules.add_key(kid, jwk))?;
    Some(rules)
}

/// Reads items that each are behind the one before, as they are written: so the work of putting
/// them together is in proportion to their number.
fn ascending<T: Clone + Ord>(
    from: &mut Reader<'_>,
    item: impl Fn(&mut Reader<'_>) -> Option<T>,
    mut add: impl FnMut(T),
) -> Option<()> {
    let mut before: Option<T> = None;
    for _ in 0..from.u32()? {
        let item = item(from)?;
        if before.is_some_and(|before| before >= item) {
            return None;
        }
        before = Some(item.clone());
        add(item);
    }
    Some(())
}

fn scope(from: &mut Reader<'_>) -> Option<(ScopeOf, Revocation)> {
    let scope = ScopeOf::take(from)?;
    let (seq, exceptions) = (from.u64()?, usize::from(from.byte()?));
    if exceptions > Fact::EXCEPT_MAX {
        return None;
    }
    let except = (0..exceptions).map(|_| from.place()).collect::<Option<_>>()?;
    Some((scope, Revocation { seq, except }))
}

fn kid(from: &mut Reader<'_>) -> Option<KeyId> {
    text(from.short()?)?.parse().ok()
}

fn key(from: &mut Reader<'_>) -> Option<(KeyId, Arc<str>)> {
    Some((kid(from)?, text(from.long()?)?.into()))
}
