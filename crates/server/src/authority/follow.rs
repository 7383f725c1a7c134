//! What follows the store's log from the moment that the store is opened: the set of what is revoked,
//! the times of commits, and the feed to the verifiers once there is one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use nt_feed::server::Feed;
use nt_revocation::{Entry, RevocationSet};
use nt_store::Follower;
use nt_token::clock::Clock;

use crate::authority::feed::FeedSource;
use crate::authority::feed::epochs::Epochs;
use crate::authority::receipts::Commits;

/// What is told of each entry. Made before the store, which is opened with its [`Following::follower`].
pub struct Following {
    /// What the log says.
    pub(super) set: Arc<RevocationSet>,
    /// Which epochs the log has.
    pub(super) epochs: Arc<Epochs>,
    /// Whether an entry could not be applied: then nothing is known any more.
    pub(super) behind: Arc<AtomicBool>,
    /// When entries were committed.
    pub(super) commits: Arc<Commits>,
    /// There is nobody to be told before the feed is there.
    pub(super) told: Arc<OnceLock<Feed<FeedSource>>>,
}

impl Following {
    /// Nothing was applied yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            set: Arc::new(RevocationSet::new()),
            epochs: Arc::new(Epochs::default()),
            behind: Arc::new(AtomicBool::new(false)),
            commits: Arc::new(Commits::new(clock)),
            told: Arc::new(OnceLock::new()),
        }
    }

    /// Applies what the store committed before the store answers. An entry that cannot be applied
    /// means that this process no longer knows what is revoked: from then on it refuses everything,
    /// and its feed ends, so that verifiers do too when their leases have run out.
    /// The verifiers are told after the set: whoever connects meanwhile gets it with the set's
    /// snapshot.
    pub fn follower(&self) -> Follower {
        let (set, epochs) = (Arc::clone(&self.set), Arc::clone(&self.epochs));
        let behind = Arc::clone(&self.behind);
        let (commits, told) = (Arc::clone(&self.commits), Arc::clone(&self.told));
        Box::new(move |entries: &[Entry]| {
            commits.note(entries);
            for entry in entries {
                epochs.note(entry);
                if let Err(error) = set.apply(entry) {
                    tracing::error!(
                        %error, "the log cannot be followed: no verdict is given any more"
                    );
                    behind.store(true, Ordering::Release);
                    // Waits for nobody: sessions end on threads of their own.
                    if let Some(feed) = told.get() {
                        feed.close();
                    }
                    return;
                }
            }
            if let Some(feed) = told.get() {
                feed.push(entries);
            }
        })
    }
}
