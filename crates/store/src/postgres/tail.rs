//! The one place where the log's entries come together: from own commits, from looking at the
//! database, and from other nodes that say what they have committed.
//!
//! ```text
//! own commit ─┐
//! poll ───────┼─▶ in order, each once ─▶ journal's queue ─▶ follower
//! hints ──────┘        gap: read on from the database
//! ```

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_revocation::{Entry, Position};
use tokio::sync::Notify;

use super::scribe::Line;
use crate::store::Follower;

/// What is known of the log, and who is told.
pub(super) struct Tail {
    state: Mutex<State>,
    follower: Follower,
    woken: Arc<Notify>,
}

struct State {
    /// Up to where the follower was told.
    applied: Position,
    /// The journal's queue, until the store is closed.
    journal: Option<SyncSender<Line>>,
}

impl Tail {
    pub(super) fn new(
        applied: Position,
        follower: Follower,
        journal: SyncSender<Line>,
        woken: Arc<Notify>,
    ) -> Self {
        let state = Mutex::new(State { applied, journal: Some(journal) });
        Self { state, follower, woken }
    }

    /// Up to where the follower was told.
    pub(super) fn applied(&self) -> Position {
        self.lock().applied
    }

    /// Tells the follower what of these entries it was not told yet. They are in order, and of a
    /// database that has confirmed what was told before; what comes after a gap is left to a later
    /// look at the database.
    pub(super) fn offer(&self, entries: Vec<Entry>) {
        let mut state = self.lock();
        let mut end = state.applied;
        let mut fresh = Vec::new();
        for entry in entries {
            if entry.seq <= end.seq {
                continue;
            }
            let Some(next) = end.followed_by(&entry) else {
                self.wake();
                break;
            };
            end = next;
            fresh.push(entry);
        }
        let Some(journal) = state.journal.as_ref().filter(|_| !fresh.is_empty()) else { return };
        // The journal first, so that it writes while the follower works. Where its thread has ended
        // the store has stopped, and nobody is answered.
        let _ = journal.send(Line::Entries(fresh.clone()));
        (self.follower)(&fresh);
        state.applied = end;
    }

    /// Has the database looked at soon.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Tells nobody any more: the journal's thread ends when it has written what it was given.
    pub(super) fn close(&self) {
        self.lock().journal = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use nt_revocation::{Fact, first_of_epoch};
    use nt_token::EntryId;

    use super::*;

    fn entry(seq: u64) -> Entry {
        Entry {
            seq,
            id: EntryId(u128::from(seq).to_be_bytes()),
            fact: Fact::NodeGone { node: 1, incarnation: 1 },
        }
    }

    fn tail() -> (Tail, Arc<Mutex<Vec<u64>>>, Receiver<Line>) {
        let told = Arc::<Mutex<Vec<u64>>>::default();
        let sink = Arc::clone(&told);
        let follower = move |entries: &[Entry]| {
            sink.lock().expect("no panic").extend(entries.iter().map(|entry| entry.seq));
        };
        let (journal, lines) = sync_channel(100);
        let tail = Tail::new(Position::START, Box::new(follower), journal, Arc::default());
        (tail, told, lines)
    }

    #[test]
    fn each_entry_is_told_once_and_in_order_whoever_brings_it() {
        let (tail, told, lines) = tail();
        tail.offer(vec![entry(1), entry(2)]);
        tail.offer(vec![entry(4)]);
        tail.offer(vec![entry(1), entry(2), entry(3)]);
        tail.offer(vec![entry(2), entry(3), entry(4), entry(6)]);
        assert_eq!(*told.lock().expect("no panic"), [1, 2, 3, 4]);
        assert_eq!(tail.applied().seq, 4);
        drop(tail);
        let written = lines.iter().map(|line| match line {
            Line::Entries(entries) => entries.len(),
            Line::Answer(_) => 0,
        });
        assert_eq!(written.sum::<usize>(), 4, "the journal was given the same");
    }

    #[test]
    fn a_new_epoch_is_followed_from_where_it_goes_on_and_from_nowhere_else() {
        let (tail, told, _lines) = tail();
        tail.offer(vec![entry(1), entry(2)]);
        let began = |after, entry| Entry {
            seq: first_of_epoch(after),
            id: EntryId([9; 16]),
            fact: Fact::EpochBegan { epoch: 2, after, entry },
        };
        tail.offer(vec![began(2, EntryId([7; 16]))]);
        tail.offer(vec![began(1, entry(1).id)]);
        assert_eq!(tail.applied().epoch, 1);
        tail.offer(vec![began(2, entry(2).id)]);
        assert_eq!(tail.applied().epoch, 2);
        assert_eq!(*told.lock().expect("no panic"), [1, 2, first_of_epoch(2)]);
    }
}
