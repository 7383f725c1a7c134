//! From a data directory to an authority that answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use nt_feed::server::{Authority as Issuing, Feed};
use nt_identity::provider::Provider;
use nt_identity::trust::TrustedIssuers;
use nt_revocation::protocol::Lengths;
use nt_revocation::{BadSnapshot, Entry, Fact, OutOfOrder, Position, RevocationSet};
use nt_store::sqlite::{SqliteOptions, SqliteStore};
use nt_store::{Follower, Store, StoreError};
use nt_token::clock::{Clock, Stopwatch};
use nt_token::key::BadKey;
use nt_token::{Expected, KeyId};

use crate::authority::feed::epochs::Epochs;
use crate::authority::feed::granted::Granted;
use crate::authority::feed::{Admission, FeedSource};
use crate::authority::first::FirstRevocations;
use crate::authority::jobs::UsedTokens;
use crate::authority::keyring::Keys;
use crate::authority::keys::{self, KeysError};
use crate::authority::limits;
use crate::authority::measured::Measured;
use crate::authority::people::People;
use crate::authority::receipts::{Commits, Receipts};
use crate::authority::seen::SeenTokens;
use crate::authority::sessions::Sessions;
use crate::authority::usage::Usage;
use crate::authority::verifiers::Verifiers;
use crate::authority::{Authority, Policy};
use crate::key_secret::KeySecretSource;

/// What an authority is started with.
pub struct Start {
    /// The database file.
    pub database: PathBuf,
    /// The high-water file.
    pub high_water: PathBuf,
    /// What the private keys in the database are encrypted under.
    pub key_secret: KeySecretSource,
    /// Where earlier versions had the keys.
    pub keys: PathBuf,
    /// Where it is noted that verifiers may be under leases.
    pub granted: PathBuf,
    /// Who may follow the log.
    pub admission: Admission,
    /// The `iss` of every token, if this is the first start.
    pub issuer: String,
    /// The `aud` of every token; the issuer, where nothing is said.
    pub audience: Option<String>,
    /// What the operator of this authority decided.
    pub policy: Policy,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who signs operators in.
    pub provider: Option<Provider>,
    /// Which CI jobs are let in.
    pub trusted: TrustedIssuers,
}

/// Why an authority does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// What the log says of the keys.
    #[error("the log has a key that cannot be read: {0}")]
    Key(#[from] BadKey),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Log(#[from] OutOfOrder),
    /// What the log came to.
    #[error(transparent)]
    Set(#[from] BadSnapshot),
}

impl Authority {
    /// Opens the store, applies the whole log, and sees to the keys.
    pub async fn start(start: Start) -> Result<Self, StartError> {
        let set = Arc::new(RevocationSet::new());
        let behind = Arc::new(AtomicBool::new(false));
        let commits = Arc::new(Commits::new(Arc::clone(&start.clock)));
        // There is nobody to be told before the feed is there.
        let told = Arc::new(OnceLock::new());
        let (epochs, keys) = (Arc::new(Epochs::default()), Arc::new(Keys::default()));
        let follower = follower(&set, &keys, &epochs, &behind, &commits, &told);
        let store = open(&start.database, &start.high_water, follower)?;
        let logged = replay(&store, &set, &keys, &epochs).await?;
        let (secret, now) = (&start.key_secret, start.clock.now());
        let (key_secret, signers) = keys::open(&store, secret, &start.keys, &logged, now).await?;
        keys.hold(signers);
        let issuer = store.found(&start.issuer).await?.issuer;
        let head = store.head().await?;
        let sessions = store.live_sessions(start.clock.now()).await?;
        let verifiers = Arc::new(Verifiers::new(store.verifiers().await?));
        tracing::info!(head = set.applied(), sessions = sessions.len(), issuer, "authority ready");
        let store: Arc<dyn Store> = Arc::new(store);
        let expected =
            Expected { audience: start.audience.unwrap_or_else(|| issuer.clone()), issuer };
        let granted = Arc::new(Granted::at(start.granted));
        let source = FeedSource {
            store: Arc::downgrade(&store),
            set: Arc::clone(&set),
            behind: Arc::clone(&behind),
            epochs,
            verifiers: Arc::clone(&verifiers),
            clock: Arc::clone(&start.clock),
            admission: start.admission,
            granted: Arc::clone(&granted),
            snapshots: tokio::sync::Mutex::default(),
        };
        let leases_before = granted.by_the_process_before().then(Stopwatch::start);
        let feed = feed(source, &expected, head);
        told.get_or_init(|| feed.clone());
        if behind.load(Ordering::Acquire) {
            feed.close();
        }
        Ok(Self {
            store,
            keys,
            key_secret,
            key_place: start.key_secret.to_string(),
            set,
            behind,
            epoch: head.epoch,
            leases_before,
            commits,
            receipts: Receipts::default(),
            first_revocations: FirstRevocations::default(),
            seen: SeenTokens::new(limits::SEEN_BYTES),
            sessions: Sessions::new(sessions, start.policy.session_idle),
            usage: Usage::default(),
            expected,
            policy: start.policy,
            clock: start.clock,
            provider: start.provider,
            trusted: start.trusted,
            people: People::default(),
            jobs: UsedTokens::default(),
            verifiers,
            feed,
            granted,
            measured: Measured::default(),
        })
    }
}

/// Begins to serve the verifiers. Nothing is reported as in force before the leases of the process
/// before this one have ended.
fn feed(source: FeedSource, expected: &Expected, head: Position) -> Feed<FeedSource> {
    let lengths = Lengths::default();
    let before = source.granted.by_the_process_before().then_some(lengths.verifier);
    if before.is_some() {
        tracing::info!(
            "verifiers may be under leases of the process before: revokes wait for them"
        );
    }
    let issuing = Issuing { issuer: expected.issuer.clone(), audience: expected.audience.clone() };
    Feed::new(Arc::new(source), issuing, lengths, before, head)
}

fn open(database: &Path, high_water: &Path, follower: Follower) -> Result<SqliteStore, StoreError> {
    let options =
        SqliteOptions { database: database.to_owned(), high_water: high_water.to_owned() };
    SqliteStore::open(options, follower)
}

/// Applies what the store committed before the store answers. An entry that cannot be applied means
/// that this process no longer knows what is revoked: from then on it refuses everything, and its feed
/// ends, so that verifiers do too when their leases have run out.
/// The verifiers are told after the set: whoever connects meanwhile gets it with the set's snapshot.
fn follower(
    set: &Arc<RevocationSet>,
    keys: &Arc<Keys>,
    epochs: &Arc<Epochs>,
    behind: &Arc<AtomicBool>,
    commits: &Arc<Commits>,
    told: &Arc<OnceLock<Feed<FeedSource>>>,
) -> Follower {
    let (set, keys, epochs) = (Arc::clone(set), Arc::clone(keys), Arc::clone(epochs));
    let behind = Arc::clone(behind);
    let (commits, told) = (Arc::clone(commits), Arc::clone(told));
    Box::new(move |entries: &[Entry]| {
        commits.note(entries);
        for entry in entries {
            epochs.note(entry);
            let applied = set.apply(entry).map_err(|error| error.to_string());
            let followed = keys.follow(std::slice::from_ref(entry));
            if let Err(error) = applied.and(followed.map_err(|error| error.to_string())) {
                tracing::error!(%error, "the log cannot be followed: no verdict is given any more");
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

/// Applies the log from its beginning; answers where it brought which keys. What was forgotten on the
/// way needs no memory: it is applied elsewhere, and what is left of it then taken over.
async fn replay(
    store: &SqliteStore,
    set: &RevocationSet,
    keys: &Keys,
    epochs: &Epochs,
) -> Result<HashMap<KeyId, u64>, StartError> {
    let (mut logged, all) = (HashMap::new(), RevocationSet::new());
    loop {
        let entries = store.entries_after(all.applied(), limits::REPLAY_ENTRIES).await?;
        if entries.is_empty() {
            set.absorb(&all.freeze())?;
            return Ok(logged);
        }
        keys.follow(&entries)?;
        for entry in entries {
            all.apply(&entry)?;
            epochs.note(&entry);
            if let Fact::KeyAdded { kid, .. } = entry.fact {
                logged.entry(kid).or_insert(entry.seq);
            }
        }
    }
}
