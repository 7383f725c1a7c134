//! What follows the store's log from the moment that the store is opened: the set of what is revoked,
//! the times of commits, what is in force at all nodes where there are several, and the feed to the
//! verifiers once there is one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use nt_feed::server::Feed;
use nt_revocation::protocol::Lengths;
use nt_revocation::{BadSnapshot, Entry, Fact, Position, RevocationSet};
use nt_store::Follower;
use nt_token::clock::Clock;

use crate::authority::cluster::everywhere::Everywhere;
use crate::authority::cluster::peers::Peers;
use crate::authority::doubt::Doubt;
use crate::authority::feed::FeedSource;
use crate::authority::feed::epochs::Epochs;
use crate::authority::keyring::Keys;
use crate::authority::receipts::Commits;

/// So many entries are remembered that another node told of and that are not applied yet.
const TOLD_OF_MAX: usize = 4_096;

/// What is told of each entry. Made before the store, which is opened with its [`Following::follower`].
#[derive(Clone)]
pub struct Following(Arc<Parts>);

/// The parts of it.
pub(super) struct Parts {
    /// What the log says.
    pub(super) set: Arc<RevocationSet>,
    /// Which epochs the log has.
    pub(super) epochs: Arc<Epochs>,
    /// The signing keys, as far as the log says something of them.
    pub(super) keys: Arc<Keys>,
    /// Whether an entry could not be applied: then nothing is known any more.
    pub(super) doubt: Arc<Doubt>,
    /// When entries were committed.
    pub(super) commits: Arc<Commits>,
    /// Where the authority may have several nodes.
    pub(super) everywhere: Option<Arc<Everywhere>>,
    /// There is nobody to be told before the feed is there.
    feed: OnceLock<Feed<FeedSource>>,
    /// The other nodes.
    pub(super) peers: OnceLock<Arc<Peers>>,
    /// Entries that another node told of: the others know them from that one too.
    told_of: Mutex<BTreeSet<u64>>,
    /// What came before the log was read from its beginning; `None` from then on.
    early: Mutex<Option<Vec<Entry>>>,
}

impl Following {
    /// Nothing was applied yet, and the log is written by this process alone.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, None)
    }

    /// The same, where other nodes may write to the log as well.
    pub fn of_several(clock: Arc<dyn Clock>, lengths: Lengths) -> Self {
        Self::with(clock, Some(Arc::new(Everywhere::new(lengths))))
    }

    fn with(clock: Arc<dyn Clock>, everywhere: Option<Arc<Everywhere>>) -> Self {
        Self(Arc::new(Parts {
            set: Arc::new(RevocationSet::new()),
            epochs: Arc::new(Epochs::default()),
            keys: Arc::default(),
            doubt: Arc::default(),
            commits: Arc::new(Commits::new(clock)),
            everywhere,
            feed: OnceLock::new(),
            peers: OnceLock::new(),
            told_of: Mutex::default(),
            early: Mutex::new(Some(Vec::new())),
        }))
    }

    /// Is told what the store committed before the store answers.
    pub fn follower(&self) -> Follower {
        let parts = Arc::clone(&self.0);
        Box::new(move |entries: &[Entry]| {
            if let Some(early) = parts.early().as_mut() {
                early.extend_from_slice(entries);
                return;
            }
            parts.hear(entries);
        })
    }

    /// Goes on from a log that was read, with what came meanwhile and with all that comes from now on.
    /// The feed begins where the set is then.
    pub(super) fn begin(
        &self,
        read: &RevocationSet,
        make: impl FnOnce(Position) -> Feed<FeedSource>,
    ) -> Result<Feed<FeedSource>, BadSnapshot> {
        let mut early = self.0.early();
        self.0.set.absorb(&read.freeze())?;
        let mut waiting = early.take().unwrap_or_default();
        waiting.retain(|entry| entry.seq > read.applied());
        self.0.hear(&waiting);
        let feed = self.0.feed.get_or_init(|| make(self.0.set.position())).clone();
        if self.0.doubt.is_there() {
            self.0.close();
        }
        Ok(feed)
    }

    pub(super) fn parts(&self) -> &Arc<Parts> {
        &self.0
    }
}

impl Parts {
    fn early(&self) -> MutexGuard<'_, Option<Vec<Entry>>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry that cannot be applied means that this process no longer knows what is revoked: from
    /// then on it refuses everything, and its feed ends, so that verifiers do too when their leases
    /// have run out.
    /// The verifiers are told after the set: whoever connects meanwhile gets it with the set's
    /// snapshot.
    fn hear(&self, entries: &[Entry]) {
        let Some(last) = entries.last() else { return };
        self.commits.note(entries);
        for entry in entries {
            self.epochs.note(entry);
            let applied = self.set.apply(entry).map_err(|error| error.to_string());
            let followed = self.keys.follow(std::slice::from_ref(entry));
            if let Err(error) = applied.and(followed.map_err(|error| error.to_string())) {
                self.doubt.begin(format!("the log cannot be followed: {error}"));
                return self.close();
            }
            if matches!(entry.fact, Fact::EpochBegan { .. }) && self.everywhere.is_some() {
                // The machines of leases and revokes live in one epoch.
                self.doubt.begin("the log was recovered".to_owned());
                return self.close();
            }
        }
        if let Some(everywhere) = &self.everywhere {
            everywhere.note(entries);
        }
        if let Some(feed) = self.feed.get() {
            feed.push(entries);
        }
        if let Some(peers) = self.peers.get() {
            let mut told_of = self.told_of.lock().unwrap_or_else(PoisonError::into_inner);
            let mut own = entries.to_vec();
            own.retain(|entry| !told_of.contains(&entry.seq));
            *told_of = told_of.split_off(&last.seq.saturating_add(1));
            drop(told_of);
            peers.tell(own);
        }
    }

    /// Another node told of these entries.
    pub(super) fn was_told_of(&self, entries: &[Entry]) {
        let mut told_of = self.told_of.lock().unwrap_or_else(PoisonError::into_inner);
        let applied = self.set.applied();
        told_of.extend(entries.iter().map(|entry| entry.seq).filter(|seq| *seq > applied));
        while told_of.len() > TOLD_OF_MAX {
            told_of.pop_first();
        }
    }

    /// Waits for nobody: sessions end on threads of their own.
    fn close(&self) {
        if let Some(feed) = self.feed.get() {
            feed.close();
            if self.everywhere.is_some() {
                feed.renewal_refused();
            }
        }
    }
}
