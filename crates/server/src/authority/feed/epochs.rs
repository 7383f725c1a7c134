//! Which epoch an entry of the log is of. The log says so itself, at the first entry of each epoch.

use std::sync::{PoisonError, RwLock};

use nt_revocation::{Entry, Fact, Position};

/// The epochs that a log has, by where they began.
#[derive(Debug, Default)]
pub struct Epochs(RwLock<Vec<(u64, u64)>>);

impl Epochs {
    /// Takes an entry of the log into account: in order, each at least once.
    pub fn note(&self, entry: &Entry) {
        if let Fact::EpochBegan { epoch, .. } = entry.fact {
            self.0.write().unwrap_or_else(PoisonError::into_inner).push((entry.seq, epoch));
        }
    }

    /// The epoch of the entry with this number.
    pub fn of(&self, seq: u64) -> u64 {
        let began = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let last = began.iter().rev().find(|(first, _)| *first <= seq);
        last.map_or(Position::START.epoch, |(_, epoch)| *epoch)
    }
}

#[cfg(test)]
mod tests {
    use nt_revocation::first_of_epoch;
    use nt_token::EntryId;

    use super::*;

    #[test]
    fn an_entry_is_of_the_epoch_that_began_last_before_it() {
        let epochs = Epochs::default();
        let second = first_of_epoch(7);
        let fact = |epoch, after| Fact::EpochBegan { epoch, after, entry: EntryId([0; 16]) };
        let entry = |seq, fact| Entry { seq, id: EntryId([1; 16]), fact };
        epochs.note(&entry(7, Fact::NodeGone { node: 1, incarnation: 1 }));
        assert_eq!(epochs.of(u64::MAX), 1);
        epochs.note(&entry(second, fact(2, 7)));
        epochs.note(&entry(first_of_epoch(second), fact(5, second)));
        let of = [1, 7, second - 1, second, second + 9, first_of_epoch(second)];
        assert_eq!(of.map(|seq| epochs.of(seq)), [1, 1, 1, 2, 2, 5]);
    }
}
