//! Waking other nodes after a commit: empty, from a connection of its own, and not more often than
//! twenty times a second. Nothing rests on it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::link::Link;

/// The channel on which nodes are woken.
pub(super) const CHANNEL: &str = "nt_log";

/// How much lies between two wake-ups.
const PAUSE: Duration = Duration::from_millis(50);

/// In a transaction of its own, so that a pooler does not matter, and which nothing waits for.
const SEND: &str = "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY nt_log; COMMIT";

/// The writer's end. The thread ends when this is dropped.
pub(super) struct Nudge(Option<SyncSender<()>>);

impl Nudge {
    /// One that wakes nobody.
    pub(super) fn off() -> Self {
        Self(None)
    }

    /// Has other nodes woken soon.
    pub(super) fn nudge(&self) {
        if let Some(sender) = &self.0 {
            // Where one waits already, that one will do.
            let _ = sender.try_send(());
        }
    }
}

/// The thread's state.
pub(super) struct Notifier {
    link: Link,
    nudges: Receiver<()>,
}

impl Notifier {
    pub(super) fn new(link: Link) -> (Self, Nudge) {
        let (sender, nudges) = sync_channel(1);
        (Self { link, nudges }, Nudge(Some(sender)))
    }

    pub(super) fn run(mut self) {
        while self.nudges.recv().is_ok() {
            // Whoever is not woken looks by itself.
            if self.link.connect().and_then(|_| self.link.batch(SEND)).is_err() {
                self.link.disconnect();
            }
            std::thread::sleep(PAUSE);
        }
    }
}
