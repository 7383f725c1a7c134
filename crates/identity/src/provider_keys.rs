//! The keys of one issuer, found through its discovery document: the shell around [`KeyCache`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nt_token::clock::Clock;
use nt_token::{KeySet, Timestamp};
use tokio::sync::{Mutex as FetchMutex, OwnedMutexGuard};

use crate::discovery::Metadata;
use crate::http_client::{HttpClient, unusable};
use crate::key_cache::{KeyCache, Step};
use crate::provider::Unavailable;

/// The longest key set, in bytes.
const LONGEST: usize = 256 * 1_024;

/// The keys of one issuer. A clone is the same cache.
#[derive(Debug, Clone)]
pub struct ProviderKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuer: String,
    client: HttpClient,
    /// Held for a look and never while anybody is asked.
    cache: Mutex<KeyCache>,
    metadata: Mutex<Option<Metadata>>,
    /// Held by the one who asks.
    fetching: Arc<FetchMutex<()>>,
}

impl ProviderKeys {
    /// The keys of this issuer, which is asked when they are first needed.
    pub(crate) fn of(issuer: String, client: HttpClient) -> Self {
        Self(Arc::new(Inner {
            issuer,
            client,
            cache: Mutex::default(),
            metadata: Mutex::default(),
            fetching: Arc::default(),
        }))
    }

    /// The keys to check a token with whose header names this one.
    pub(crate) async fn for_token(
        &self,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, Unavailable> {
        let meanwhile = match self.0.cache().step(kid, now) {
            Step::Use(keys) => return Ok(keys),
            Step::Without(reason) => return Err(reason),
            Step::Fetch { meanwhile } => meanwhile,
        };
        let lock = Arc::clone(&self.0.fetching);
        let guard = match (lock.clone().try_lock_owned(), meanwhile) {
            (Ok(guard), _) => guard,
            (Err(_), Some(keys)) => return Ok(keys),
            (Err(_), None) => lock.lock_owned().await,
        };
        // Somebody else may have asked while this one waited.
        let step = self.0.cache().step(kid, now);
        if matches!(step, Step::Fetch { .. }) {
            self.fetch(guard, now).await;
        }
        match self.0.cache().step(kid, now) {
            Step::Use(keys) | Step::Fetch { meanwhile: Some(keys) } => Ok(keys),
            Step::Without(reason) => Err(reason),
            // Not reached while attempts are noted when they begin.
            Step::Fetch { meanwhile: None } => Err(Unavailable::CoolingDown(String::new())),
        }
    }

    /// The issuer's userinfo endpoint, if it has one.
    pub(crate) async fn userinfo_endpoint(
        &self,
        now: Timestamp,
    ) -> Result<Option<String>, Unavailable> {
        let known = |inner: &Inner| inner.metadata().as_ref().map(|m| m.userinfo_endpoint.clone());
        if let Some(endpoint) = known(&self.0) {
            return Ok(endpoint);
        }
        // The document comes with the keys, under the same cool-down.
        self.for_token(None, now).await?;
        Ok(known(&self.0).flatten())
    }

    /// Fetches the keys now and again before they grow old. Never ends.
    pub async fn keep_fresh(&self, clock: &dyn Clock) {
        loop {
            let wait = self.0.cache().refresh_in(clock.now());
            if let Ok(seconds @ 1..) = u64::try_from(wait) {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                continue;
            }
            let guard = Arc::clone(&self.0.fetching).lock_owned().await;
            let now = clock.now();
            let (may_try, due) = {
                let cache = self.0.cache();
                (cache.may_try(now), cache.refresh_in(now) <= 0)
            };
            if may_try && due {
                self.fetch(guard, now).await;
            } else {
                drop(guard);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// Asks, and keeps the outcome. In a task of its own, which ends by itself within its time-outs:
    /// a caller who goes away must not break off what the others wait for.
    async fn fetch(&self, guard: OwnedMutexGuard<()>, now: Timestamp) {
        let inner = Arc::clone(&self.0);
        inner.cache().asking(now);
        let asked = tokio::spawn(async move {
            let outcome = inner.ask().await;
            match outcome {
                Ok((keys, max_age)) => inner.cache().fetched(keys, max_age, now),
                Err(reason) => {
                    tracing::warn!(issuer = %inner.issuer, %reason, "the identity provider's keys could not be fetched");
                    inner.cache().failed(reason);
                }
            }
            drop(guard);
        });
        if asked.await.is_err() {
            tracing::error!(issuer = %self.0.issuer, "fetching the identity provider's keys broke off");
        }
    }
}

impl Inner {
    async fn ask(&self) -> Result<(KeySet, Option<i64>), Unavailable> {
        let metadata = Metadata::discover(&self.client, &self.issuer).await?;
        let url = metadata.jwks_uri.clone();
        *self.metadata() = Some(metadata);
        let answer = self.client.fetch(&url, LONGEST).await?;
        let keys = KeySet::from_provider_jwks(&answer.body)
            .map_err(|reason| unusable(&url, &format!("is no key set: {reason}")))?;
        Ok((keys, answer.max_age))
    }

    fn cache(&self) -> MutexGuard<'_, KeyCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metadata(&self) -> MutexGuard<'_, Option<Metadata>> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
