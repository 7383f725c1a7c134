//! Whom a node's lease and its peers' words go to.

use std::sync::{Arc, Weak};

use nt_feed::server::Feed;
use nt_revocation::Entry;
use nt_revocation::protocol::Boot;
use nt_token::EntryId;

use super::Hint;
use crate::authority::cluster::everywhere::Everywhere;
use crate::authority::cluster::lease::Holder;
use crate::authority::cluster::peers::Heard;
use crate::authority::cluster::reports::Report;
use crate::authority::feed::FeedSource;
use crate::authority::follow::Parts;

impl Holder for Feed<FeedSource> {
    fn renewed(&self, anchor: Boot, head: u64) {
        Self::renewed(self, anchor, head);
    }

    fn refused(&self) {
        self.renewal_refused();
    }

    fn complete(&self) -> u64 {
        *Self::complete(self).borrow()
    }
}

/// What becomes of what peers say.
pub(super) struct Hears {
    pub(super) parts: Weak<Parts>,
    pub(super) everywhere: Arc<Everywhere>,
    pub(super) epoch: u64,
    pub(super) hint: Hint,
}

impl Heard for Hears {
    fn entries(&self, entries: Vec<Entry>) {
        let Some(parts) = self.parts.upgrade() else { return };
        parts.was_told_of(&entries);
        (self.hint)(self.epoch, entries);
    }

    fn complete(&self, report: Report) {
        self.everywhere.reported(report);
    }

    fn entry_at(&self, seq: u64) -> Option<EntryId> {
        self.everywhere.entry_at(seq)
    }
}
