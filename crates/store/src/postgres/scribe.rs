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
