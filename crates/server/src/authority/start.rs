//! From an opened store to an authority that answers. How a store is opened is not here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use nt_feed::server::{Authority as Issuing, Feed};
use nt_identity::provider::Provider;
use nt_identity::trust::TrustedIssuers;
use nt_revocation::protocol::{Lengths, Tenure};
use nt_revocation::{BadSnapshot, Fact, OutOfOrder, Position, RevocationSet};
use nt_store::{Store, StoreError};
use nt_token::clock::{Clock, Stopwatch};
use nt_token::{Expected, KeyId};

use crate::authority::entropy::entry_id;
use crate::authority::feed::epochs::Epochs;
use crate::authority::feed::granted::Granted;
use crate::authority::feed::{Admission, FeedSource};
use crate::authority::first::FirstRevocations;
use crate::authority::follow::Following;
use crate::authority::keyring::{Keyring, KeyringError};
use crate::authority::limits;
use crate::authority::measured::Measured;
use crate::authority::people::People;
use crate::authority::receipts::Receipts;
use crate::authority::seen::SeenTokens;
use crate::authority::sessions::Sessions;
use crate::authority::usage::Usage;
use crate::authority::verifiers::Verifiers;
use crate::authority::{Authority, Policy};

/// What an authority is started with.
pub struct Start {
    /// What remembers. It was opened with the follower of `following`.
    pub store: Arc<dyn Store>,
    /// What follows the store's log.
    pub following: Following,
    /// Where the keys are.
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
    Keys(#[from] KeyringError),
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
    /// Applies the whole log, and makes sure that it knows the signing key.
    pub async fn start(start: Start) -> Result<Self, StartError> {
        let (store, following) = (start.store, start.following);
        let Following { set, epochs, behind, commits, .. } = &following;
        let (set, epochs) = (Arc::clone(set), Arc::clone(epochs));
        let (behind, commits) = (Arc::clone(behind), Arc::clone(commits));
        let keyring = Keyring::open(&start.keys)?;
        let (read, logged) = replay(store.as_ref(), &epochs).await?;
        let key_logged = log_keys(store.as_ref(), &keyring, logged).await?;
        let issuer = store.found(&start.issuer).await?.issuer;
        let head = store.head().await?;
        let sharing = store.sharing();
        let sessions = store.live_sessions(start.clock.now()).await?;
        let verifiers = Arc::new(Verifiers::new(store.verifiers().await?));
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
        let feed = following.begin(&read, |head| feed(source, &expected, head))?;
        tracing::info!(head = set.applied(), issuer = expected.issuer, "authority ready");
        Ok(Self {
            store,
            keyring,
            key_logged,
            set,
            behind,
            epoch: head.epoch,
            leases_before,
            commits,
            receipts: Receipts::default(),
            first_revocations: FirstRevocations::default(),
            seen: SeenTokens::new(limits::SEEN_BYTES),
            sessions: Sessions::new(sessions, start.policy.session_idle, sharing),
            usage: Usage::default(),
            expected,
            policy: start.policy,
            clock: start.clock,
            provider: start.provider,
            trusted: start.trusted,
            people: People::default(),
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
    Feed::new(Arc::new(source), issuing, lengths, Tenure::Sole { before }, head)
}

/// Applies the log from its beginning, on the side: what was forgotten on the way needs no memory then.
/// Answers what it came to, and where it brought which keys.
async fn replay(
    store: &dyn Store,
    epochs: &Epochs,
) -> Result<(RevocationSet, HashMap<KeyId, u64>), StartError> {
    let (mut keys, all) = (HashMap::new(), RevocationSet::new());
    loop {
        let entries = store.entries_after(all.applied(), limits::REPLAY_ENTRIES).await?;
        if entries.is_empty() {
            return Ok((all, keys));
        }
        for entry in entries {
            all.apply(&entry)?;
            epochs.note(&entry);
            if let Fact::KeyAdded { kid, .. } = entry.fact {
                keys.entry(kid).or_insert(entry.seq);
            }
        }
    }
}

/// A key stands in the log before it signs: whoever follows the log must know it by then. Answers
/// where the key that signs stands.
async fn log_keys(
    store: &dyn Store,
    keyring: &Keyring,
    logged: HashMap<KeyId, u64>,
) -> Result<u64, StoreError> {
    let mut facts = Vec::new();
    for key in keyring.iter().filter(|key| !logged.contains_key(key.kid())) {
        let jwk = serde_json::to_string(&key.jwk()).expect("a JWK is strings only");
        facts.push((entry_id()?, Fact::KeyAdded { kid: key.kid().clone(), jwk }));
    }
    // A key that was logged by a process which was killed at once need not be known everywhere
    // either: its place in the log counts, not who wrote it.
    let known = logged.get(keyring.active().kid()).copied();
    // Those of one step come together, so that the last of them is behind each.
    let head = if facts.is_empty() { store.head().await? } else { store.append(facts).await? };
    Ok(known.unwrap_or(head.seq))
}
