//! The last entries of the log, to go on from where a snapshot or the log's reader ended.

use std::collections::VecDeque;

use nt_revocation::Entry;

use crate::proto::FromAuthority;
use crate::wire::{entry_messages, epoch_with};

/// So many are kept.
const KEPT: usize = 16_384;

pub(super) struct Tail {
    entries: VecDeque<Entry>,
    /// The epoch of what stands before them.
    before: u64,
}

impl Tail {
    /// Of a log that ends in this epoch.
    pub(super) fn of(epoch: u64) -> Self {
        Self { entries: VecDeque::new(), before: epoch }
    }

    pub(super) fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.entries.extend(entries);
        let surplus = self.entries.len().saturating_sub(KEPT);
        let gone = self.entries.drain(..surplus);
        self.before = gone.fold(self.before, |epoch, entry| epoch_with(epoch, &entry));
    }

    /// What stands behind this number; `None` if the beginning of that is no longer kept.
    pub(super) fn after(&self, told: u64) -> Option<Vec<FromAuthority>> {
        let first = self.entries.front()?;
        if first.seq > told && !first.is_first_after(told) {
            return None;
        }
        let (known, rest): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|entry| entry.seq <= told);
        let epoch = known.iter().fold(self.before, |epoch, entry| epoch_with(epoch, entry));
        Some(entry_messages(epoch, rest))
    }
}

#[cfg(test)]
mod tests {
    use nt_revocation::{Fact, first_of_epoch};
    use nt_token::EntryId;

    use super::*;
    use crate::proto::from_authority;

    fn entry(seq: u64) -> Entry {
        let fact = Fact::NodeGone { node: 1, incarnation: 1 };
        Entry { seq, id: EntryId([1; 16]), fact }
    }

    /// The runs behind a number: their epochs, and their first and last entries.
    fn runs(tail: &Tail, told: u64) -> Option<Vec<(u64, u64, u64)>> {
        let run = |message: FromAuthority| match message.message {
            Some(from_authority::Message::Entries(run)) => {
                let seqs = || run.entries.iter().map(|entry| entry.seq);
                (run.epoch, seqs().min().expect("not empty"), seqs().max().expect("not empty"))
            }
            _ => panic!("only entries"),
        };
        Some(tail.after(told)?.into_iter().map(run).collect())
    }

    #[test]
    fn what_is_kept_is_told_from_any_place_on_with_its_epochs() {
        let mut tail = Tail::of(4);
        assert_eq!(runs(&tail, 9), None);
        tail.extend((10..=11).map(entry));
        let second = first_of_epoch(11);
        let fact = Fact::EpochBegan { epoch: 6, after: 11, entry: EntryId([1; 16]) };
        tail.extend([Entry { fact, ..entry(second) }, entry(second + 1)]);
        let later = (6, second, second + 1);
        assert_eq!(runs(&tail, 8), None, "entry 9 is not kept");
        assert_eq!(runs(&tail, 9), Some(vec![(4, 10, 11), later]));
        assert_eq!(runs(&tail, 10), Some(vec![(4, 11, 11), later]));
        assert_eq!(runs(&tail, 11), Some(vec![later]));
        assert_eq!(runs(&tail, second), Some(vec![(6, second + 1, second + 1)]));
        assert_eq!(runs(&tail, second + 1), Some(vec![]));
    }

    #[test]
    fn of_many_the_last_are_kept_and_their_epoch_is_known() {
        let mut tail = Tail::of(1);
        let fact = Fact::EpochBegan { epoch: 2, after: 0, entry: EntryId([0; 16]) };
        let began = first_of_epoch(0);
        tail.extend([Entry { fact, ..entry(began) }]);
        let kept = u64::try_from(KEPT).expect("few");
        tail.extend((began + 1..=began + kept).map(entry));
        assert_eq!(runs(&tail, 0), None);
        let all = runs(&tail, began).expect("kept");
        assert!(all.iter().all(|(epoch, ..)| *epoch == 2));
        let ends = (all.first().map(|run| run.1), all.last().map(|run| run.2));
        assert_eq!(ends, (Some(began + 1), Some(began + kept)));
    }
}
