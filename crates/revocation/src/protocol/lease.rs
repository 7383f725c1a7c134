//! How long leases last, and the holder's half of one.

use std::time::Duration;

use super::time::{Boot, kappa};

/// The lengths in force. Lengths change through the log, and waits use the longest still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lengths {
    /// Ln: the database's lease to a node.
    pub node: Duration,
    /// Lv: a node's lease to a verifier.
    pub verifier: Duration,
    /// A session that leaves an entry unacknowledged for longer is not renewed: a laggard would
    /// starve revokes.
    pub ack_grace: Duration,
}

impl Default for Lengths {
    fn default() -> Self {
        Self {
            node: Duration::from_secs(10),
            verifier: Duration::from_secs(2),
            ack_grace: Duration::from_millis(250),
        }
    }
}

impl Lengths {
    /// How often a node renews: Ln / 5.
    pub fn node_renews_each(&self) -> Duration {
        self.node / 5
    }

    /// How often a verifier renews: Lv / 4.
    pub fn verifier_renews_each(&self) -> Duration {
        self.verifier / 4
    }

    /// κ·Ln: after this nobody goes on accepting, whatever was not acknowledged.
    pub fn floor(&self) -> Duration {
        kappa(self.node)
    }
}

/// A lease as its holder sees it: over unless shown otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Held {
    end: Option<Boot>,
}

impl Held {
    /// Until when it lasts; `None` if there is none.
    pub fn end(&self) -> Option<Boot> {
        self.end
    }

    /// Whether it lasts at this moment. The end itself is no longer part of it.
    pub fn lasts(&self, now: Boot) -> bool {
        self.end.is_some_and(|end| now < end)
    }

    /// Extends it; an earlier end is no reason to shorten it.
    pub fn extend(&mut self, end: Boot) {
        self.end = self.end.max(Some(end));
    }

    /// Gives it up.
    pub fn drop_now(&mut self) {
        self.end = None;
    }
}
