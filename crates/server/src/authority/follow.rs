//! What follows the store's log from the moment that the store is opened: the set of what is revoked,
//! the times of commits, and the feed to the verifiers once there is one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nt_feed::server::Feed;
use nt_revocation::{BadSnapshot, Entry, Position, RevocationSet};
use nt_store::Follower;
use nt_token::clock::Clock;

use crate::authority::feed::FeedSource;
use crate::authority::feed::epochs::Epochs;
use crate::authority::receipts::Commits;

/// What is told of each entry. Made before the store, which is opened with its [`Following::follower`].
pub struct Following {
    pub(super) set: Arc<RevocationSet>,
    /// Which epochs the log has.
    pub(super) epochs: Arc<Epochs>,
    /// Whether an entry could not be applied: then nothing is known any more.
    pub(super) behind: Arc<AtomicBool>,
    /// When entries were committed.
    pub(super) commits: Arc<Commits>,
    /// There is nobody to be told before the feed is there.
    told: Arc<OnceLock<Feed<FeedSource>>>,
    /// What came while the log before it was still read, where other nodes append to it meanwhile;
    /// nothing from then on.
    early: Arc<Mutex<Option<Vec<Entry>>>>,
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
            early: Arc::new(Mutex::new(Some(Vec::new()))),
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
        let early = Arc::clone(&self.early);
        Box::new(move |entries: &[Entry]| {
            commits.note(entries);
            let mut early = early.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(early) = early.as_mut() {
                early.extend_from_slice(entries);
                return;
            }
            drop(early);
            if !apply(&set, &epochs, &behind, entries) {
                // Waits for nobody: sessions end on threads of their own.
                if let Some(feed) = told.get() {
                    feed.close();
                }
            } else if let Some(feed) = told.get() {
                feed.push(entries);
            }
        })
    }

    /// Goes on from a log that was read, with what came meanwhile and with all that comes from now on.
    /// The feed begins where the set is then.
    pub(super) fn begin(
        &self,
        read: &RevocationSet,
        feed: impl FnOnce(Position) -> Feed<FeedSource>,
    ) -> Result<Feed<FeedSource>, BadSnapshot> {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        self.set.absorb(&read.freeze())?;
        let mut new = early.take().unwrap_or_default();
        new.retain(|entry| entry.seq > read.applied());
        let follows = apply(&self.set, &self.epochs, &self.behind, &new);
        let feed = feed(self.set.position());
        self.told.get_or_init(|| feed.clone());
        if !follows {
            feed.close();
        }
        Ok(feed)
    }
}

/// Answers whether the set follows.
fn apply(set: &RevocationSet, epochs: &Epochs, behind: &AtomicBool, entries: &[Entry]) -> bool {
    for entry in entries {
        epochs.note(entry);
        if let Err(error) = set.apply(entry) {
            tracing::error!(%error, "the log cannot be followed: no verdict is given any more");
            behind.store(true, Ordering::Release);
            return false;
        }
    }
    true
}
