//! Where in the log one is.

use nt_token::EntryId;

use crate::entry::{Entry, Fact};

/// What an epoch's first entry leaves out of the numbers, so that none is used again of those that the
/// history which was lost may have used.
const EPOCH_LEAP: u64 = 1 << 32;

/// The number of the entry that begins a new epoch behind a history that was kept up to `after`.
pub const fn first_of_epoch(after: u64) -> u64 {
    after.saturating_add(EPOCH_LEAP).saturating_add(1)
}

/// A position in the log. Sequence numbers alone are no identity: after a fail-over or a restore
/// another history may use them again, and only the entry's random id tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Raised when a history was lost and put together again.
    pub epoch: u64,
    /// Number of the entry, from 1; 0 is the empty log.
    pub seq: u64,
    /// Identity of the entry; all zeros for the empty log.
    pub entry: EntryId,
}

impl Position {
    /// The position before the first entry.
    pub const START: Self = Self { epoch: 1, seq: 0, entry: EntryId([0; 16]) };

    /// Where the log is with this entry, if it is the very next one: one further, or the beginning of a
    /// later epoch that goes on from here.
    pub fn followed_by(self, entry: &Entry) -> Option<Self> {
        if !entry.follows(self.seq, Some(self.entry)) {
            return None;
        }
        let epoch = match entry.fact {
            Fact::EpochBegan { epoch, .. } if epoch <= self.epoch => return None,
            Fact::EpochBegan { epoch, .. } => epoch,
            _ => self.epoch,
        };
        Some(Self { epoch, seq: entry.seq, entry: entry.id })
    }
}

impl Entry {
    /// Whether nothing stands in the log between the entry of this number and this one. The number
    /// before a new epoch must be that of the last entry that was kept, and its identity, where it is
    /// known, that entry's.
    pub fn follows(&self, before: u64, id: Option<EntryId>) -> bool {
        match self.fact {
            Fact::EpochBegan { after, entry, .. } => {
                after == before
                    && id.is_none_or(|id| id == entry)
                    && self.seq == first_of_epoch(after)
                    && self.seq > before
            }
            _ => before.checked_add(1) == Some(self.seq),
        }
    }

    /// Whether it is the first that a log has behind this number, which need not be an entry's: those
    /// that a new epoch left out stand for none.
    pub fn is_first_after(&self, number: u64) -> bool {
        match self.fact {
            Fact::EpochBegan { after, .. } => {
                (after..self.seq).contains(&number) && self.seq == first_of_epoch(after)
            }
            _ => self.follows(number, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: EntryId = EntryId([7; 16]);
    const AT: Position = Position { epoch: 2, seq: 9, entry: KEPT };

    fn began(epoch: u64, after: u64, entry: EntryId, seq: u64) -> Entry {
        Entry { seq, id: EntryId([1; 16]), fact: Fact::EpochBegan { epoch, after, entry } }
    }

    fn plain(seq: u64) -> Entry {
        let kid = "k".parse().expect("a key's identifier");
        Entry { seq, id: EntryId([1; 16]), fact: Fact::KeyRevoked { kid } }
    }

    #[test]
    fn an_epoch_begins_far_behind_what_was_kept_and_only_there() {
        let first = first_of_epoch(9);
        assert_eq!(first, 9 + (1 << 32) + 1);
        let next = Position { epoch: 5, seq: first, entry: EntryId([1; 16]) };
        assert_eq!(AT.followed_by(&began(5, 9, KEPT, first)), Some(next), "also if one was lost");
        for other in [
            began(2, 9, KEPT, first),
            began(1, 9, KEPT, first),
            began(3, 9, KEPT, 10),
            began(3, 9, KEPT, first + 1),
            began(3, 8, KEPT, first_of_epoch(8)),
            began(3, 8, KEPT, first),
            began(3, 9, EntryId([8; 16]), first),
            plain(first),
        ] {
            assert_eq!(AT.followed_by(&other), None, "{other:?}");
        }
        let last = Position { seq: u64::MAX, ..AT };
        assert_eq!(last.followed_by(&began(3, u64::MAX, KEPT, u64::MAX)), None);
        assert_eq!(last.followed_by(&plain(0)), None);
    }

    #[test]
    fn within_an_epoch_each_entry_is_one_further() {
        let next = Position { seq: 10, entry: EntryId([1; 16]), ..AT };
        assert_eq!(AT.followed_by(&plain(10)), Some(next));
        assert_eq!([9, 11].map(|seq| AT.followed_by(&plain(seq))), [None, None]);
    }

    #[test]
    fn a_number_that_a_new_epoch_left_out_has_the_epochs_first_entry_behind_it() {
        let first = first_of_epoch(9);
        let entry = began(3, 9, KEPT, first);
        for number in [9, 10, first - 1] {
            assert!(entry.is_first_after(number), "{number}");
        }
        for number in [0, 8, first, u64::MAX] {
            assert!(!entry.is_first_after(number), "{number}");
        }
    }
}
