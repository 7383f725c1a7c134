//! What the feed to the verifiers asks of this authority, and what the authority asks of the feed:
//! who may follow, what they are told first, and when a revocation is in force at all of them.
//!
//! How the feed is spoken and how it counts leases is the feed's own matter.

pub mod epochs;
pub mod granted;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nt_api::verifiers::CREDENTIAL_PREFIX;
use nt_feed::LIBRARY;
use nt_feed::server::{Feed, NotAdmitted, Outcome, Source, Unavailable, Who};
use nt_revocation::protocol::Lengths;
use nt_revocation::protocol::time::kappa;
use nt_revocation::receipt::{CutOff, Verifiers as Counted};
use nt_revocation::{Entry, Position, RevocationSet};
use nt_store::Store;
use nt_token::clock::{Clock, Stopwatch};
use nt_token::{Secret, VerifierId};
use tonic::Extensions;
use tonic::metadata::MetadataMap;

use crate::authority::doubt::Doubt;
use crate::authority::error::Answer;
use crate::authority::feed::epochs::Epochs;
use crate::authority::feed::granted::Granted;
use crate::authority::verifiers::Verifiers;
use crate::authority::{Authority, limits};
use crate::tls::clients::{CertificateDemand, ClientCertificate};

/// Who may follow the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Verifiers that are registered.
    Registered,
    /// Also whoever shows no credential: for trying things out, on loopback addresses.
    Everybody,
}

/// κ·Lv and the grace for an acknowledgement: after this no verifier accepts otherwise than an entry
/// says, whatever became of it.
pub(super) fn longest_wait() -> Duration {
    let lengths = Lengths::default();
    kappa(lengths.verifier) + lengths.ack_grace
}

/// The header by which the door tells the feed from where somebody comes. What was sent under this
/// name is replaced.
pub const CLIENT: &str = "x-ntd-client";

/// Whom the feed takes a verifier without a credential for.
const DEVELOPMENT: &str = "dev";

/// The authority, as the feed needs it.
pub struct FeedSource {
    /// Not kept alive by the feed: the store's own thread tells the feed what it committed.
    pub store: Weak<dyn Store>,
    /// What the log says.
    pub set: Arc<RevocationSet>,
    /// Whether the set could not follow the log.
    pub doubt: Arc<Doubt>,
    /// Which epoch each entry is of.
    pub epochs: Arc<Epochs>,
    /// Who is registered.
    pub verifiers: Arc<Verifiers>,
    /// When they connected.
    pub clock: Arc<dyn Clock>,
    /// Who may follow.
    pub admission: Admission,
    /// Whether a credential alone is enough.
    pub client_certificate: CertificateDemand,
    /// The note that leases may be out.
    pub granted: Arc<Granted>,
    /// The last snapshot that was made.
    pub snapshots: tokio::sync::Mutex<Option<(Position, Bytes)>>,
}

impl FeedSource {
    async fn admit(
        &self,
        metadata: &MetadataMap,
        certificate: Option<&ClientCertificate>,
    ) -> Result<String, NotAdmitted> {
        // First: without one nobody finds out whether a credential is good.
        if self.client_certificate == CertificateDemand::Certificate && certificate.is_none() {
            return Err(NotAdmitted::NoCertificate);
        }
        let shown = metadata.get("authorization").and_then(|shown| shown.to_str().ok());
        let credential = shown.and_then(|shown| shown.strip_prefix("Bearer "));
        // In development too a credential is good or not.
        let credential = credential.filter(|shown| shown.starts_with(CREDENTIAL_PREFIX));
        let Some(credential) = credential else {
            return match self.admission {
                Admission::Everybody => Ok(DEVELOPMENT.to_owned()),
                Admission::Registered => Err(NotAdmitted::Unauthenticated),
            };
        };
        let store = self.store.upgrade().ok_or(NotAdmitted::Unavailable)?;
        let credential = Secret::from(credential.to_owned());
        let known = self.verifiers.authenticate_now(store.as_ref(), &credential).await;
        let known = known.map_err(|error| {
            tracing::warn!(%error, "a verifier's credential could not be looked up");
            NotAdmitted::Unavailable
        })?;
        let known = known.ok_or(NotAdmitted::Unauthenticated)?;
        if certificate.is_some_and(|shown| self.verifiers.is_of_another(shown.names(), &known.id)) {
            return Err(NotAdmitted::OthersCertificate);
        }
        Ok(known.id.to_string())
    }

    /// Whoever does not know what is revoked tells nobody, and grants no leases.
    fn follows_the_log(&self) -> Result<(), Unavailable> {
        if self.doubt.is_there() { Err(Unavailable) } else { Ok(()) }
    }

    /// Somebody has to look after a verifier that is refused. Nothing of what it showed is told.
    fn tell_refused(&self, metadata: &MetadataMap, why: NotAdmitted) {
        let said = |name| metadata.get(name).and_then(|said| said.to_str().ok());
        let from = said(CLIENT).unwrap_or("an unknown address");
        if self.verifiers.is_refusal_told(from, self.clock.now()) {
            let program: String = version(metadata).chars().take(limits::VERSION_CHARS).collect();
            let why = match why {
                NotAdmitted::NoCertificate => "it shows no client certificate",
                NotAdmitted::OthersCertificate => "its client certificate is another verifier's",
                _ => "the credential is none of a registered verifier",
            };
            tracing::warn!(from, program, "somebody was refused at the feed: {why}");
        }
    }
}

#[async_trait]
impl Source for FeedSource {
    async fn authenticate(
        &self,
        metadata: &MetadataMap,
        connection: &Extensions,
    ) -> Result<String, NotAdmitted> {
        let certificate = connection.get::<ClientCertificate>();
        let identity = self.admit(metadata, certificate).await.inspect_err(|refused| {
            if *refused != NotAdmitted::Unavailable {
                self.tell_refused(metadata, *refused);
            }
        })?;
        self.follows_the_log().map_err(|Unavailable| NotAdmitted::Unavailable)?;
        // Before anything can be granted to it.
        Arc::clone(&self.granted).note().await.map_err(|error| {
            tracing::error!(%error, "no verifier can be served: that leases are out cannot be noted");
            NotAdmitted::Unavailable
        })?;
        if let (Ok(id), Some(store)) = (identity.parse(), self.store.upgrade()) {
            let (now, version) = (self.clock.now(), version(metadata));
            // It is for people: nobody waits for it.
            tokio::spawn(async move {
                Verifiers::note_connected(store.as_ref(), id, now, &version).await;
            });
        }
        Ok(identity)
    }

    async fn dismissed(&self, identity: &str) {
        match identity.parse::<VerifierId>() {
            Ok(id) => self.verifiers.removed(&id).await,
            Err(_) => std::future::pending().await,
        }
    }

    async fn snapshot(&self) -> Result<(Position, Bytes), Unavailable> {
        self.follows_the_log()?;
        // Of all that come while one is made, the next is made for all: a fleet that starts at once does
        // not have it made, and held in memory, once for each. None is older than its request, because a
        // verifier may know all that was said before.
        let wanted = self.set.applied();
        let mut last = self.snapshots.lock().await;
        if let Some((position, bytes)) = last.as_ref().filter(|(made, _)| made.seq >= wanted) {
            return Ok((*position, bytes.clone()));
        }
        let set = Arc::clone(&self.set);
        let frozen = tokio::task::spawn_blocking(move || {
            let snapshot = set.freeze();
            (snapshot.position(), Bytes::from(snapshot.to_bytes()))
        });
        Ok(last.insert(frozen.await.map_err(|_| Unavailable)?).clone())
    }

    async fn entries_after(&self, position: Position) -> Result<Option<Vec<Entry>>, Unavailable> {
        self.follows_the_log()?;
        // The empty log has no entry by which it could be told from another.
        if position.seq == 0 || position.epoch != self.epochs.of(position.seq) {
            return Ok(None);
        }
        let store = self.store.upgrade().ok_or(Unavailable)?;
        let read = store.entries_after(position.seq - 1, limits::FEED_ENTRIES + 1).await;
        let mut entries = read.map_err(|_| Unavailable)?;
        let known = entries.first().map(|first| (first.seq, first.id));
        let too_many = u32::try_from(entries.len()).is_ok_and(|n| n > limits::FEED_ENTRIES);
        if known != Some((position.seq, position.entry)) || too_many {
            return Ok(None);
        }
        entries.remove(0);
        Ok(Some(entries))
    }

    async fn position_at(&self, seq: u64) -> Result<Option<Position>, Unavailable> {
        let store = self.store.upgrade().ok_or(Unavailable)?;
        let read = store.entries_after(seq.saturating_sub(1), 1).await.map_err(|_| Unavailable)?;
        let at = read.first().filter(|entry| entry.seq == seq);
        Ok(at.map(|entry| Position { epoch: self.epochs.of(seq), seq, entry: entry.id }))
    }
}

/// The verifier's program and its version, as it calls itself: the first product of its user agent
/// (RFC 9110, section 10.1.5), else the library that follows.
fn version(metadata: &MetadataMap) -> String {
    let said = |name| metadata.get(name).and_then(|said| said.to_str().ok());
    let agent = said("user-agent").and_then(|agent| agent.split_whitespace().next());
    let program = agent.filter(|agent| !agent.starts_with("tonic/"));
    let named = program.or_else(|| said(LIBRARY)).or(agent).unwrap_or_default();
    named.replacen('/', " ", 1)
}

impl Authority {
    /// The feed to the verifiers.
    pub fn feed(&self) -> &Feed<FeedSource> {
        &self.feed
    }

    /// Waits until no verifier accepts otherwise than this entry says. Bounded: a verifier that says
    /// nothing runs out of lease.
    pub(super) async fn in_force(&self, seq: u64) -> Answer<()> {
        if *self.in_force_to().borrow() >= seq {
            return self.serving();
        }
        let waited = Stopwatch::start();
        match &self.node {
            Some(running) => running.node.everywhere().wait(seq).await,
            None => self.feed.wait_complete(seq).await,
        }
        if waited.elapsed() >= limits::HELD_UP {
            // Where no receipt is stated it is told all the same.
            self.counted(seq);
        }
        self.serving()
    }

    /// Tells the log who held up what has just come into force, once for all that came with it.
    fn tell_cut_off(&self, seq: u64, silent: &BTreeMap<String, u64>) {
        if silent.is_empty() || !self.verifiers.is_news(seq, *self.feed.complete().borrow()) {
            return;
        }
        let named = silent.iter().take(limits::NAMED_CUT_OFF);
        let named: Vec<_> =
            named.map(|(name, ms)| format!("{name} (silent for {ms} ms)")).collect();
        let waited = self.commits.of(seq).map_or(0, |at| at.since.elapsed().as_millis());
        tracing::warn!(
            seq,
            waited_ms = waited,
            verifiers = named.join(", "),
            number = silent.len(),
            "a revocation waited until the leases of verifiers had ended that did not acknowledge it"
        );
    }

    /// Waits the same for all that the store has answered for so far. What was committed counts even
    /// where the set could not apply it: then this does not return.
    pub(super) async fn all_in_force(&self) -> Answer<()> {
        let mut last = self.commits.last().max(self.set.applied());
        if self.node.is_some() {
            // What another node has committed can be read before it is known here.
            last = last.max(self.store.head().await?.seq);
        }
        self.in_force(last).await
    }

    /// Waits as [`Self::in_force`], but not longer than this; answers whether it is so.
    pub(super) async fn in_force_within(&self, seq: u64, wait: Option<Duration>) -> Answer<bool> {
        let in_force = self.in_force(seq);
        let in_force = match wait {
            Some(wait) if *self.in_force_to().borrow() < seq => {
                match tokio::time::timeout(wait, in_force).await {
                    Ok(in_force) => in_force,
                    Err(_) => return Ok(false),
                }
            }
            _ => in_force.await,
        };
        in_force.map(|()| true)
    }

    /// What people call a verifier: by the register, else as it calls itself.
    pub(super) fn called(&self, who: &Who) -> String {
        let id = who.identity.parse().ok();
        let registered = id.and_then(|id| self.verifiers.name_of(&id));
        registered.map_or_else(|| format!("{}:{}", who.identity, who.name), |name| name.to_string())
    }

    /// Which verifiers a receipt counts.
    pub(super) fn counted(&self, seq: u64) -> Counted {
        let Outcome { acked, cut_off } = self.feed.outcome(seq);
        // Of several sessions of one verifier, the one that was heard of last.
        let mut silent: BTreeMap<String, u64> = BTreeMap::new();
        for cut in &cut_off {
            let ms = u64::try_from(cut.silent.as_millis()).unwrap_or(u64::MAX);
            silent
                .entry(self.called(&cut.who))
                .and_modify(|known| *known = ms.min(*known))
                .or_insert(ms);
        }
        self.tell_cut_off(seq, &silent);
        // A receipt has a longest length.
        let named = silent.into_iter().take(limits::NAMED_CUT_OFF);
        let cut_off = named.map(|(name, ms)| CutOff { name, silent_for_ms: Some(ms) }).collect();
        Counted { acknowledged: u32::try_from(acked.len()).unwrap_or(u32::MAX), cut_off }
    }

    /// Ends what verifiers follow; they go on until their leases end.
    pub fn close_feed(&self) {
        self.feed.close();
    }

    /// Forgets that leases were granted, if all of them have ended. To be called when nobody is
    /// connected any more.
    pub async fn settle_feed(&self) {
        let may_accept = self.feed.sessions().iter().any(|session| !session.lease_left.is_zero());
        let all_known = *self.feed.complete().borrow() >= self.set.applied();
        if !may_accept && all_known {
            self.granted.forget().await;
        }
    }
}
