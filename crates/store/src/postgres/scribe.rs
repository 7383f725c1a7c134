//! The thread that writes the journal, and answers whoever must not be answered before.
//!
//! It writes what has come, syncs once, and answers all that were handed in behind it: the disk is
//! waited for beside the next batch, not by it.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use nt_revocation::Entry;
use nt_token::clock::{Clock as _, SystemClock};

use super::health::Health;
use crate::journal::Journal;
use crate::sql::job::{Failure, Step};

/// How much may wait; whoever brings more waits.
pub(super) const QUEUE: usize = 1_024;

/// How much shares an fsync at most.
const BATCH: usize = 256;

/// What is brought to the scribe.
pub(super) enum Line {
    /// Entries to be written down, in order.
    Entries(Vec<Entry>),
    /// Callers to be answered once all that was brought before is safe.
    Answer(Vec<Step>),
}

/// The thread's state.
pub(super) struct Scribe {
    pub(super) journal: Journal,
    pub(super) lines: Receiver<Line>,
    pub(super) health: Arc<Health>,
}

impl Scribe {
    /// Serves until nobody can bring anything any more.
    pub(super) fn run(mut self) {
        while let Ok(line) = self.lines.recv() {
            let mut answers = Vec::new();
            let mut entries = Vec::new();
            let more: Vec<_> = self.lines.try_iter().take(BATCH).collect();
            for line in std::iter::once(line).chain(more) {
                match line {
                    Line::Entries(more) => entries.extend(more),
                    Line::Answer(steps) => answers.extend(steps),
                }
            }
            if !self.health.has_stopped()
                && let Err(error) = self.write(&entries)
            {
                self.health.stop("writing the journal", &error);
            }
            let failure = self.health.check().err().map(|error| Failure::of(&error));
            for step in answers {
                step.answer(failure.as_ref());
            }
        }
    }

    fn write(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        self.journal.append(entries)?;
        self.journal.sync()?;
        self.journal.rotate(SystemClock.now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use nt_revocation::{Fact, Position};
    use nt_token::EntryId;
    use tokio::sync::oneshot;

    use super::*;
    use crate::error::StoreError;
    use crate::sql::Writing;
    use crate::sql::job::Waiting;

    fn entry() -> Entry {
        let fact = Fact::NodeGone { node: 1, incarnation: 1 };
        Entry { seq: 1, id: EntryId([1; 16]), fact }
    }

    /// Brings an entry and a caller; what the caller hears.
    fn answered(journal: Journal) -> Result<(), StoreError> {
        let (sender, lines) = sync_channel(QUEUE);
        let (caller, mut answer) = oneshot::channel();
        let done: fn(&mut Writing<'_>) -> Result<(), StoreError> = |_| Ok(());
        let mut step = Waiting::new(done, caller);
        step.keep(Ok(())).expect("done");
        sender.send(Line::Entries(vec![entry()])).expect("taken");
        sender.send(Line::Answer(vec![Box::new(step)])).expect("taken");
        drop(sender);
        Scribe { journal, lines, health: Arc::new(Health::new()) }.run();
        answer.try_recv().expect("answered")
    }

    #[test]
    fn a_caller_is_answered_when_the_entry_is_safe_and_with_a_failure_if_it_cannot_be() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::open(directory.path()).expect("opens");
        journal.begin_at(Position::START).expect("begun");
        assert!(matches!(answered(journal.read_only()), Err(StoreError::Stopped)));
        let journal = Journal::open(directory.path()).expect("opens");
        answered(journal).expect("written");
        let journal = Journal::open(directory.path()).expect("opens");
        assert_eq!(journal.last().map(|last| last.seq), Some(1));
    }
}
