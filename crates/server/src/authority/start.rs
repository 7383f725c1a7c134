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
use nt_token::key::BadKey;
use nt_token::{Expected, KeyId};

use crate::authority::clients::Clients;
use crate::authority::cluster::join::JoinError;
use crate::authority::cluster::node::{Node, Takes};
use crate::authority::feed::granted::Granted;
use crate::authority::feed::{Admission, FeedSource};
use crate::authority::first::FirstRevocations;
use crate::authority::follow::{Following, Parts};
use crate::authority::keys::{self, KeysError};
use crate::authority::limits;
use crate::authority::measured::Measured;
use crate::authority::people::People;
use crate::authority::rates::Rates;
use crate::authority::receipts::Receipts;
use crate::authority::seen::SeenTokens;
use crate::authority::sessions::Sessions;
use crate::authority::status_lists::StatusLists;
use crate::authority::usage::Usage;
use crate::authority::verifiers::Verifiers;
use crate::authority::{Authority, Policy};
use crate::key_secret::KeySecretSource;
use crate::tls::clients::CertificateDemand;

/// What an authority is started with.
pub struct Start {
    /// What remembers. It was opened with the follower of `following`.
    pub store: Arc<dyn Store>,
    /// What follows the store's log.
    pub following: Following,
    /// As which of several nodes it takes part, where `following` is of several.
    pub node: Option<Takes>,
    /// What the private keys in the database are encrypted under.
    pub key_secret: KeySecretSource,
    /// Where earlier versions had the keys.
    pub keys: PathBuf,
    /// Where it is noted that verifiers may be under leases.
    pub granted: PathBuf,
    /// Who may follow the log.
    pub admission: Admission,
    /// Whether whoever follows it shows a client certificate too.
    pub client_certificate: CertificateDemand,
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
    /// It does not take part as a node.
    #[error(transparent)]
    Join(#[from] JoinError),
}

impl Authority {
    /// Applies the whole log, and sees to the keys.
    pub async fn start(start: Start) -> Result<Self, StartError> {
        let (store, following) = (start.store, start.following);
        let parts = following.parts();
        let (read, logged) = replay(store.as_ref(), parts).await?;
        let (secret, now) = (&start.key_secret, start.clock.now());
        let opened = keys::open(store.as_ref(), secret, &start.keys, &logged, now).await?;
        let (key_secret, signers) = opened;
        parts.keys.hold(signers);
        let issuer = store.found(&start.issuer).await?.issuer;
        let sharing = store.sharing();
        let sessions = store.live_sessions(start.clock.now()).await?;
        let verifiers = Arc::new(Verifiers::new(store.verifiers().await?));
        let clients = Clients::new(store.clients().await?, sharing);
        let rates = Rates::new(&start.clock);
        let expected =
            Expected { audience: start.audience.unwrap_or_else(|| issuer.clone()), issuer };
        let granted = Arc::new(Granted::at(start.granted));
        let source = FeedSource {
            store: Arc::downgrade(&store),
            set: Arc::clone(&parts.set),
            doubt: Arc::clone(&parts.doubt),
            epochs: Arc::clone(&parts.epochs),
            verifiers: Arc::clone(&verifiers),
            clock: Arc::clone(&start.clock),
            admission: start.admission,
            client_certificate: start.client_certificate,
            granted: Arc::clone(&granted),
            snapshots: tokio::sync::Mutex::default(),
        };
        // Of several nodes, the leases of the life before are for all to wait for.
        let alone = parts.everywhere.is_none();
        let leases_before = (alone && granted.by_the_process_before()).then(Stopwatch::start);
        let lengths = parts.everywhere.as_ref().map(|everywhere| everywhere.lengths());
        let feed = following.begin(&read, |head| feed(source, &expected, lengths, head))?;
        tracing::info!(head = parts.set.applied(), issuer = expected.issuer, "authority ready");
        let node = match (start.node, &parts.everywhere) {
            (Some(takes), Some(everywhere)) => {
                let running = Node::start(takes, parts, everywhere, &feed, &store, &start.clock);
                Some(running.await?)
            }
            _ => None,
        };
        let status_lists = StatusLists::new(
            Arc::clone(&store),
            Arc::clone(&parts.set),
            Arc::clone(&parts.keys),
            Arc::clone(&start.clock),
            expected.issuer.clone(),
        );
        Ok(Self {
            lease: feed.lease(),
            node,
            store,
            keys: Arc::clone(&parts.keys),
            key_secret,
            key_place: start.key_secret.to_string(),
            set: Arc::clone(&parts.set),
            doubt: Arc::clone(&parts.doubt),
            epochs: Arc::clone(&parts.epochs),
            leases_before,
            commits: Arc::clone(&parts.commits),
            receipts: Receipts::default(),
            first_revocations: FirstRevocations::default(),
            status_lists,
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
            clients,
            rates,
            feed,
            granted,
            measured: Measured::default(),
        })
    }
}

/// Begins to serve the verifiers. Nothing is reported as in force before the leases of the process
/// before this one have ended.
/// Where there are several nodes, the lease of the life before is for all of them to wait for.
fn feed(
    source: FeedSource,
    expected: &Expected,
    of_several: Option<Lengths>,
    head: Position,
) -> Feed<FeedSource> {
    let issuing = Issuing { issuer: expected.issuer.clone(), audience: expected.audience.clone() };
    if let Some(lengths) = of_several {
        return Feed::new(Arc::new(source), issuing, lengths, Tenure::Leased, head);
    }
    let lengths = Lengths::default();
    let before = source.granted.by_the_process_before().then_some(lengths.verifier);
    if before.is_some() {
        tracing::info!(
            "verifiers may be under leases of the process before: revokes wait for them"
        );
    }
    Feed::new(Arc::new(source), issuing, lengths, Tenure::Sole { before }, head)
}

/// Applies the log from its beginning, on the side: what was forgotten on the way needs no memory then.
/// Answers what it came to, and where it brought which keys.
async fn replay(
    store: &dyn Store,
    parts: &Parts,
) -> Result<(RevocationSet, HashMap<KeyId, u64>), StartError> {
    let (mut logged, all) = (HashMap::new(), RevocationSet::new());
    loop {
        let entries = store.entries_after(all.applied(), limits::REPLAY_ENTRIES).await?;
        if entries.is_empty() {
            if let Some(everywhere) = &parts.everywhere {
                everywhere.replayed(all.applied());
            }
            return Ok((all, logged));
        }
        if let Some(everywhere) = &parts.everywhere {
            everywhere.replay(&entries);
        }
        parts.keys.follow(&entries)?;
        for entry in entries {
            all.apply(&entry)?;
            parts.epochs.note(&entry);
            if let Fact::KeyAdded { kid, .. } = entry.fact {
                logged.entry(kid).or_insert(entry.seq);
            }
        }
    }
}
