//! Token Status Lists (draft-ietf-oauth-status-list): which places do not count, signed, for third
//! parties who accept that they hear of a revocation late.
//!
//! A list refuses all that the revocation set refuses. Tokens that were revoked one by one have a bit
//! in the set; those that were revoked with a scope or a key have none, so that the store's records
//! are asked, and only when the log has spoken of a scope or a key since. How lists are written is in
//! `token`.
//!
//! Anybody may ask. So a list is made for all who wait for it together, at most once in
//! [`limits::STATUS_LIST_EACH`], one at a time, and after each as long a pause as it took: whoever
//! asks without end costs at most half of one core and half of one of the store's readers, and no
//! revoke waits for either. What an answer tells nobody: which places are taken, or how many. All
//! lists have the same length, and a free place is as good as one of a live token.

mod cbor;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_api::path;
use nt_revocation::RevocationSet;
use nt_store::{KnownList, Store, StoreError};
use nt_token::clock::{Boot, Clock, Stopwatch};
use nt_token::{KeyId, Place, Timestamp};
use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::authority::error::{Answer, Error, Refusal};
use crate::authority::keyring::Keys;
use crate::authority::status_lists::token::Statement;
use crate::authority::{Authority, limits};

pub use crate::authority::status_lists::token::{Form, SignedList};

/// A list is tried so often, where the lease ends while it is made.
const ATTEMPTS: usize = 3;

/// The lists that were made, and whose turn it is to make one.
#[derive(Clone)]
pub(super) struct StatusLists(Arc<Parts>);

struct Parts {
    store: Arc<dyn Store>,
    set: Arc<RevocationSet>,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
    issuer: String,
    made: Cache<u32, Arc<Made>>,
    known: Mutex<Known>,
    turn: Arc<Semaphore>,
}

/// Which lists there are, as the store said last.
#[derive(Default)]
struct Known {
    lists: Arc<BTreeMap<u32, KnownList>>,
    /// How often the store was asked.
    asked: u64,
    /// The last question that it answered.
    answered: u64,
    at: Option<Boot>,
}

impl Known {
    /// Whether a question that was put after so many others has found no such list.
    fn is_without(&self, number: u32, asked_before: u64) -> bool {
        self.answered > asked_before && !self.lists.contains_key(&number)
    }
}

/// A list as it was at one moment.
struct Made {
    applied: u64,
    swept: u64,
    at: Boot,
    iat: Timestamp,
    kid: KeyId,
    base: Base,
    signed: Arc<SignedList>,
}

/// What a list refuses without a bit in the set.
#[derive(Clone)]
enum Base {
    /// All: every token in it has ended, and the horizon refuses it by rule.
    Everything,
    /// These places, of its beginning.
    These(Arc<[u8]>),
}

impl StatusLists {
    pub(super) fn new(
        store: Arc<dyn Store>,
        set: Arc<RevocationSet>,
        keys: Arc<Keys>,
        clock: Arc<dyn Clock>,
        issuer: String,
    ) -> Self {
        Self(Arc::new(Parts {
            store,
            set,
            keys,
            clock,
            issuer,
            made: Cache::new(limits::STATUS_LISTS),
            known: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }))
    }

    /// A list that is good enough now; nothing where there is no such list.
    async fn list(&self, number: u32) -> Answer<Option<Arc<SignedList>>> {
        let asked_before = self.0.known().asked;
        if let Some(signed) = self.0.fresh(number) {
            return Ok(Some(signed));
        }
        let turn = self.turn().await;
        if let Some(signed) = self.0.fresh(number) {
            return Ok(Some(signed));
        }
        // Whoever waited for a question that was put after this one was has its answer.
        if self.0.known().is_without(number, asked_before) {
            return Ok(None);
        }
        let parts = Arc::clone(&self.0);
        in_turn(turn, async move { parts.make(number).await }).await
    }

    /// All lists with a token that the horizon does not refuse.
    async fn all(&self) -> Answer<Vec<u32>> {
        let is_recent = |parts: &Parts| {
            let at = parts.known().at;
            at.is_some_and(|at| parts.clock.boot() < at.after(limits::STATUS_LIST_EACH))
        };
        if !is_recent(&self.0) {
            let turn = self.turn().await;
            if !is_recent(&self.0) {
                let parts = Arc::clone(&self.0);
                in_turn(turn, async move { Ok(parts.ask_for_lists().await?) }).await?;
            }
        }
        let horizon = self.0.set.horizon();
        let lists = Arc::clone(&self.0.known().lists);
        let live = lists.values().filter(|list| !list.ended_by(horizon));
        Ok(live.map(|list| list.number).collect())
    }

    async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0.turn).acquire_owned().await.expect("it is never closed")
    }
}

/// Does something on its own, so that whoever goes away meanwhile ends neither it nor the turn, and
/// gives the turn back after a pause.
async fn in_turn<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let since = Stopwatch::start();
        let _may_be_gone = tell.send(work.await);
        tokio::time::sleep(since.elapsed().min(limits::STATUS_LIST_PAUSE)).await;
        drop(turn);
    });
    told.await.map_err(|_| Error::from(StoreError::Stopped))?
}

impl Parts {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list that was made, if nothing came since, or it is that young.
    fn fresh(&self, number: u32) -> Option<Arc<SignedList>> {
        let made = self.made.get(&number)?;
        // What was applied is looked at first: that a sweep is not missed which it counts.
        let is_latest = made.applied == self.set.applied() && made.swept == self.set.swept();
        let is_young = self.clock.boot() < made.at.after(limits::STATUS_LIST_EACH);
        let age = self.clock.now().unix() - made.iat.unix();
        let is_signed = (0..limits::STATUS_LIST_SIGNED).contains(&age)
            && self.keys.now().active().is_some_and(|signer| *signer.key.kid() == made.kid);
        ((is_latest || is_young) && is_signed).then(|| Arc::clone(&made.signed))
    }

    async fn make(&self, number: u32) -> Answer<Option<Arc<SignedList>>> {
        let known = |parts: &Self| parts.known().lists.get(&number).copied();
        let mut list = known(self);
        if list.is_none() {
            self.ask_for_lists().await?;
            list = known(self);
        }
        let Some(list) = list else { return Ok(None) };
        // Before anything is read: what comes meanwhile is perhaps in it, and not counted.
        let (applied, swept) = (self.set.applied(), self.set.swept());
        let (at, iat) = (self.clock.boot(), self.clock.now());
        let earlier = self.made.get(&number).filter(|made| made.swept == swept);
        let base = match earlier {
            Some(made) => made.base.clone(),
            None if list.ended_by(self.set.horizon()) => Base::Everything,
            None => Base::These(self.store.listed_places(list).await?.bits(&list).into()),
        };
        let active = self.keys.now().active().map(|active| Arc::clone(&active.key));
        let key = active.ok_or(Refusal::NotServing)?;
        let kid = key.kid().clone();
        let (set, own) = (Arc::clone(&self.set), base.clone());
        let statement = Statement { issuer: self.issuer.clone(), list: number, iat };
        let writing = tokio::task::spawn_blocking(move || {
            SignedList::new(&statement, &bits(&set, number, &own), &key)
        });
        let signed = Arc::new(writing.await.map_err(|_| StoreError::Stopped)?);
        let made = Made { applied, swept, at, iat, kid, base, signed: Arc::clone(&signed) };
        self.made.insert(number, Arc::new(made));
        Ok(Some(signed))
    }

    async fn ask_for_lists(&self) -> Result<(), StoreError> {
        let at = self.clock.boot();
        let question = {
            let mut known = self.known();
            known.asked += 1;
            known.asked
        };
        let lists = self.store.lists().await?;
        let lists = lists.into_iter().map(|list| (list.number, list)).collect();
        let mut known = self.known();
        (known.lists, known.at, known.answered) = (Arc::new(lists), Some(at), question);
        Ok(())
    }
}

/// Each place of a list, 1 for what does not count: as many for all lists, so that how long one is
/// tells nothing.
fn bits(set: &RevocationSet, list: u32, base: &Base) -> Vec<u8> {
    const BYTES: usize = Place::LIST_MAX as usize / 8;
    match base {
        Base::Everything => vec![0xff; BYTES],
        Base::These(base) => {
            let mut bits = vec![0; BYTES];
            bits[..base.len()].copy_from_slice(base);
            set.add_list(list, &mut bits);
            bits
        }
    }
}

impl Authority {
    /// A Token Status List. Refused where this node cannot know what is revoked.
    pub async fn status_list(&self, number: u32) -> Answer<Arc<SignedList>> {
        for _ in 0..ATTEMPTS {
            self.serving()?;
            // Whichever key signs now is known here from now on.
            self.signing_kid().await?;
            let end = self.lease.end();
            let signed = self.status_lists.list(number).await?.ok_or(Refusal::NoStatusList)?;
            // The order counts, as it does for a token: the lease's end, the look, the clock.
            if !self.doubt.is_there() && self.clock.boot() < end {
                return Ok(signed);
            }
        }
        Err(Refusal::NotServing.into())
    }

    /// Where the lists are that a token which has not ended may be in.
    pub async fn status_lists(&self) -> Answer<Vec<String>> {
        self.serving()?;
        let lists = self.status_lists.all().await?;
        Ok(lists.into_iter().map(|list| path::status_list(self.issuer(), list)).collect())
    }
}
