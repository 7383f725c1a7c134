//! The register of verifiers: services that follow the log and check tokens by it. Who may change the
//! register, and who somebody is that connects. The feed itself is not here.

mod register;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use nt_api::verifiers::{
    AddVerifier, Verifier, VerifierAdded, VerifierList, VerifierPosition, VerifierProcess,
    VerifierRemoved,
};
use nt_feed::server::{Listed, Stream};
use nt_store::{AddedVerifier, CredentialHash, NewVerifier, Store};
use nt_token::{Secret, Timestamp, VerifierId, VerifierName};
use tokio::sync::{Mutex, watch};

use crate::authority::entropy::{credential_hash, random, verifier_credential};
use crate::authority::error::{Answer, Refusal};
use crate::authority::{Authority, Caller, limits};

/// A verifier that has proven who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierIdentity {
    /// Its identifier.
    pub id: VerifierId,
    /// What people call it.
    pub name: VerifierName,
}

/// The verifiers that are registered, mirrored in memory so that one that connects asks no database, and
/// so that each has a name. Where other nodes change the register as well, this follows.
#[derive(Debug)]
pub struct Verifiers {
    by_hash: RwLock<HashMap<CredentialHash, VerifierIdentity>>,
    /// What those were called that were removed while this process ran: they may be waited for a
    /// little longer. A new name takes the place of the oldest.
    former: RwLock<VecDeque<VerifierIdentity>>,
    /// The last entry of which it was told who held it up.
    told: AtomicU64,
    /// When it was last told that somebody was refused, by who that is.
    refused: std::sync::Mutex<HashMap<String, Timestamp>>,
    /// Tells that the register has become smaller.
    removals: watch::Sender<()>,
    /// Held while the register is changed, here and in the store: where one name is removed and added
    /// at a time, both must end with the same.
    changing: Mutex<()>,
}

impl Verifiers {
    /// Those that the store kept.
    pub fn new(verifiers: Vec<nt_store::Verifier>) -> Self {
        let by_hash = verifiers.into_iter().map(|kept| {
            let nt_store::Verifier { id, name, hash, .. } = kept;
            (hash, VerifierIdentity { id, name })
        });
        Self {
            by_hash: RwLock::new(by_hash.collect()),
            former: RwLock::default(),
            told: AtomicU64::new(0),
            refused: std::sync::Mutex::default(),
            removals: watch::Sender::new(()),
            changing: Mutex::default(),
        }
    }

    /// Whose credential this is. Found by its hash: how long that takes says nothing about those that
    /// are registered.
    pub fn authenticate(&self, credential: &Secret) -> Option<VerifierIdentity> {
        self.registered().get(&credential_hash(credential.expose())).cloned()
    }

    /// Whether this verifier is registered.
    pub fn is_registered(&self, id: &VerifierId) -> bool {
        self.registered().values().any(|known| known.id == *id)
    }

    /// Whether these names are of verifiers, and none of this one: what is another's is not its own.
    pub fn is_of_another(&self, names: &[String], id: &VerifierId) -> bool {
        let registered = self.registered();
        let is_named =
            |known: &&VerifierIdentity| names.iter().any(|name| name == known.name.as_str());
        let mut all = registered.values().filter(is_named).peekable();
        all.peek().is_some() && !all.any(|known| known.id == *id)
    }

    /// What people call this verifier, also if it was removed since this process began.
    pub fn name_of(&self, id: &VerifierId) -> Option<VerifierName> {
        let registered = self.registered().values().find(|known| known.id == *id).cloned();
        let former = || {
            let former = self.former.read().unwrap_or_else(PoisonError::into_inner);
            former.iter().find(|known| known.id == *id).cloned()
        };
        registered.or_else(former).map(|known| known.name)
    }

    /// Whether it is to be told who held the entries up to this one up: once for all that came into
    /// force together.
    pub fn is_news(&self, seq: u64, complete: u64) -> bool {
        let news = |told| (told < seq && seq <= complete).then_some(complete);
        self.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, news).is_ok()
    }

    /// Whether it is to be told that somebody was refused: each once in a while, and so many in that
    /// time at the most.
    pub fn is_refusal_told(&self, who: &str, now: Timestamp) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = |at: Timestamp| at.unix().saturating_add(limits::REFUSED_LOG_EVERY);
        refused.retain(|_, at| ends(*at) > now.unix());
        let is_new = !refused.contains_key(who) && refused.len() < limits::REFUSED_LOGGED;
        if is_new {
            refused.insert(who.to_owned(), now);
        }
        is_new
    }

    /// Waits until this verifier is not registered any more: its session ends then.
    pub async fn removed(&self, id: &VerifierId) {
        // Before the first look, so that no removal is missed.
        let mut removals = self.removals.subscribe();
        while self.is_registered(id) {
            if removals.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes down that a verifier has connected, and with which version of its program. For people:
    /// where it cannot be written, the verifier goes on.
    pub async fn note_connected(store: &dyn Store, id: VerifierId, now: Timestamp, version: &str) {
        let shown = version.chars().filter(|c| !c.is_control()).take(limits::VERSION_CHARS);
        let connected = vec![(id, now, shown.collect())];
        if let Err(error) = store.touch_verifiers(connected).await {
            tracing::warn!(%error, "a verifier's connection could not be written down");
        }
    }

    fn insert(&self, hash: CredentialHash, identity: VerifierIdentity) {
        self.changed().insert(hash, identity);
    }

    fn remove(&self, name: &VerifierName) {
        self.remove_those(|known| known.name == *name);
    }

    /// Tells whoever waits for it only where there was one.
    fn remove_those(&self, leaves: impl Fn(&VerifierIdentity) -> bool) {
        // Before it is not registered any more: whoever looks for a name finds it at any time.
        let leaving: Vec<_> =
            self.registered().values().filter(|known| leaves(known)).cloned().collect();
        if leaving.is_empty() {
            return;
        }
        {
            let mut former = self.former.write().unwrap_or_else(PoisonError::into_inner);
            former.extend(leaving);
            let surplus = former.len().saturating_sub(limits::VERIFIERS);
            former.drain(..surplus);
        }
        self.changed().retain(|_, known| !leaves(known));
        self.removals.send_replace(());
    }

    fn registered(&self) -> RwLockReadGuard<'_, HashMap<CredentialHash, VerifierIdentity>> {
        self.by_hash.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) -> RwLockWriteGuard<'_, HashMap<CredentialHash, VerifierIdentity>> {
        self.by_hash.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// Registers a verifier; the answer holds its credential, which is kept only as a hash.
    pub async fn add_verifier(
        &self,
        caller: &Caller,
        request: AddVerifier,
    ) -> Answer<VerifierAdded> {
        self.demand_admin(caller)?;
        let name: VerifierName =
            request.name.parse().map_err(|error: nt_token::verifier::InvalidVerifierName| {
                Refusal::invalid("name", error.to_string())
            })?;
        let credential = verifier_credential()?;
        let id = VerifierId::mint(self.clock.wall_ms(), random()?);
        let hash = credential_hash(credential.expose());
        let new = NewVerifier { id, name, hash };
        let _changing = self.verifiers.changing.lock().await;
        self.follow_the_register().await?;
        if self.verifiers.registered().len() >= limits::VERIFIERS {
            return Err(Refusal::TooManyVerifiers.into());
        }
        let name = new.name.clone();
        let added = match self.store.add_verifier(new, self.act(caller)).await? {
            AddedVerifier::Added(added) => added,
            AddedVerifier::NameTaken => return Err(Refusal::VerifierExists(name).into()),
        };
        let identity = VerifierIdentity { id: added.id.clone(), name: added.name.clone() };
        self.verifiers.insert(hash, identity);
        let created_at = added.created_at.into();
        Ok(VerifierAdded { name: added.name, id: added.id, credential, created_at })
    }

    /// The verifiers that are registered, by name, and what is known of those that are connected.
    pub async fn list_verifiers(&self, caller: &Caller) -> Answer<VerifierList> {
        self.demand_admin(caller)?;
        let kept = self.store.verifiers().await?;
        let sessions = self.feed.sessions();
        let epoch = self.set.position().epoch;
        let shown = |kept| shown(kept, epoch, &sessions);
        Ok(VerifierList { verifiers: kept.into_iter().map(shown).collect() })
    }

    /// Removes a verifier from the register; its session ends, and its credential opens nothing from
    /// now on.
    pub async fn remove_verifier(&self, caller: &Caller, name: &str) -> Answer<VerifierRemoved> {
        self.demand_admin(caller)?;
        let name: VerifierName = name.parse().map_err(|_| Refusal::NoVerifier)?;
        let _changing = self.verifiers.changing.lock().await;
        // Before the store forgets it: it must not connect meanwhile.
        self.verifiers.remove(&name);
        if !self.store.remove_verifier(name.clone(), self.act(caller)).await? {
            return Err(Refusal::NoVerifier.into());
        }
        Ok(VerifierRemoved { name, status: "removed".to_owned() })
    }
}

/// What is kept of a verifier, and what the feed knows of its sessions: of several, the one that was
/// heard of last.
fn shown(kept: nt_store::Verifier, epoch: u64, sessions: &[Listed]) -> Verifier {
    let id = kept.id.to_string();
    let processes = processes(sessions.iter().filter(|session| session.who.identity == id));
    let live = processes.iter().min_by_key(|session| session.heard_ago);
    let (last_connected_at, version) = kept.last_connected.unzip();
    Verifier {
        name: kept.name,
        id: kept.id,
        created_at: kept.created_at.into(),
        created_by: kept.created_by,
        last_connected_at: last_connected_at.map(Into::into),
        version,
        connected: live.is_some_and(|session| session.stream == Stream::Open),
        position: live.map(|session| VerifierPosition { epoch, seq: session.acked }),
        lease_ms_left: live.map(|session| ms(session.lease_left)),
        last_ack_ms_ago: live.map(|session| ms(session.heard_ago)),
        processes: processes.iter().map(|session| process(session, epoch)).collect(),
    }
}

/// One session for each process, by name: that which was heard of last.
fn processes<'a>(sessions: impl Iterator<Item = &'a Listed>) -> Vec<&'a Listed> {
    let mut all: Vec<&Listed> = sessions.collect();
    all.sort_by(|a, b| {
        let of = |session: &&'a Listed| (session.who.instance, session.heard_ago);
        (&a.who.name, of(a)).cmp(&(&b.who.name, of(b)))
    });
    all.dedup_by_key(|session| session.who.instance);
    all
}

fn process(session: &Listed, epoch: u64) -> VerifierProcess {
    VerifierProcess {
        name: session.who.name.clone(),
        connected: session.stream == Stream::Open,
        position: VerifierPosition { epoch, seq: session.acked },
        lease_ms_left: ms(session.lease_left),
        last_ack_ms_ago: ms(session.heard_ago),
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
