//! What stands in the log, and what somebody who applied it knows.

use nt_revocation::Position;
use nt_revocation::protocol::Change;
use nt_token::EntryId;

#[derive(Debug, Clone, Copy)]
pub(super) enum Fact {
    Revoked(usize),
    /// Everything that was issued before it: tokens of lower numbers.
    RevokedBefore(usize),
    Membership(Change),
    EpochBegan {
        after: Position,
    },
}

/// An entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) at: Position,
    pub(super) fact: Fact,
}

pub(super) fn id(number: u64) -> EntryId {
    EntryId(u128::from(number).to_be_bytes())
}

/// The first row behind a sequence number, in rows that are in order.
pub(super) fn behind(rows: &[Row], seq: u64) -> usize {
    rows.partition_point(|row| row.at.seq <= seq)
}

/// Where rows that are in order are at a sequence number.
pub(super) fn find(rows: &[Row], seq: u64) -> Option<Position> {
    let at = rows.binary_search_by_key(&seq, |row| row.at.seq).ok()?;
    Some(rows[at].at)
}

/// Tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tokens([u64; 16]);

impl Tokens {
    pub(super) fn insert(&mut self, token: usize) {
        self.0[token / 64] |= 1 << (token % 64);
    }

    pub(super) fn has(&self, token: usize) -> bool {
        self.0[token / 64] & 1 << (token % 64) != 0
    }

    pub(super) fn unite(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Whether all of the others are among these.
    pub(super) fn cover(&self, others: &Self) -> bool {
        self.0.iter().zip(others.0).all(|(mine, theirs)| theirs & !mine == 0)
    }
}

/// How far the log was applied, and what was revoked by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) at: Position,
    pub(super) dead: Tokens,
}

impl Known {
    pub(super) fn nothing() -> Self {
        Self { at: Position::START, dead: Tokens::default() }
    }

    pub(super) fn apply(&mut self, row: &Row) {
        self.at = row.at;
        match row.fact {
            Fact::Revoked(token) => self.dead.insert(token),
            Fact::RevokedBefore(end) => (0..end).for_each(|token| self.dead.insert(token)),
            Fact::Membership(_) | Fact::EpochBegan { .. } => {}
        }
    }
}
