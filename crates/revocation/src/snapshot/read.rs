//! Reading a snapshot: whole, checked, or not at all.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use nt_token::{EntryId, KeyId, Timestamp};

use super::{BadSnapshot, MAGIC, Snapshot, VERSION};
use crate::bytes::{Reader, text};
use crate::entry::{Fact, ScopeOf};
use crate::log::Position;
use crate::set::rules::{Revocation, Rules};
use crate::set::{ListBits, RevocationSet};

impl Snapshot {
    /// Reads a snapshot's bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        let contents = Contents::of(bytes)?;
        let (position, horizon) = (contents.position, contents.horizon);
        let mut lists = Vec::new();
        let rules = contents.read(|list| {
            list.check()?;
            lists.push(ListBits { bits: list.bits.into_owned().into(), ..list });
            Some(())
        })?;
        Ok(Self { position, horizon, lists, rules: rules.into() })
    }
}

/// A snapshot's bytes with the right checksum, read as far as the lists.
pub(crate) struct Contents<'a> {
    pub(crate) position: Position,
    pub(crate) horizon: Timestamp,
    rest: Reader<'a>,
}

impl<'a> Contents<'a> {
    /// Checks the sum and reads the header.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self, BadSnapshot> {
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
        Self::header(Reader::new(contents)).ok_or(BadSnapshot::Malformed)
    }

    fn header(mut from: Reader<'a>) -> Option<Self> {
        let (epoch, seq, entry) = (from.u64()?, from.u64()?, EntryId(from.array()?));
        let horizon = Timestamp::from_unix(from.i64()?);
        Some(Self { position: Position { epoch, seq, entry }, horizon, rest: from })
    }

    /// Reads the rest. Each list is handed over when its number has been checked; its bits are for
    /// `list` to check, which makes something of them meanwhile.
    pub(crate) fn read(
        mut self,
        list: impl FnMut(ListBits<'a>) -> Option<()>,
    ) -> Result<Rules, BadSnapshot> {
        let from = &mut self.rest;
        let rules = lists(from, list).and_then(|()| rules(from));
        rules.filter(|_| from.is_at_end()).ok_or(BadSnapshot::Malformed)
    }
}

fn lists<'a>(
    from: &mut Reader<'a>,
    mut each: impl FnMut(ListBits<'a>) -> Option<()>,
) -> Option<()> {
    let mut before = None;
    for _ in 0..from.u32()? {
        let number = from.u32()?;
        let ascends = before.replace(number).is_none_or(|before| before < number);
        if !ascends || number >= RevocationSet::LISTS_MAX {
            return None;
        }
        let last = Timestamp::from_unix(from.i64()?);
        each(ListBits { number, last, bits: from.long()?.into() })?;
    }
    Some(())
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
