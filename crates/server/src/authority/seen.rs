//! Tokens whose signature was found right, so that it is checked once and not at every request.
//!
//! Only "this signature over these bytes is right" is remembered, by the SHA-256 of the token. Never
//! a verdict: expiry, key, place and scopes are looked at every time.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use nt_token::check::check_signature;
use nt_token::{Claims, KeySet, Refusal, SignedClaims, Timestamp};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::authority::entropy::sha256;

/// A token that was seen, and the uses of it that are not yet written down.
#[derive(Debug)]
pub struct Seen {
    /// What it says; the signature is right.
    pub signed: SignedClaims,
    /// The same as text, for answers: written once and shared by all of them.
    pub texts: Texts,
    count: AtomicU64,
    last_at: AtomicI64,
    last_from: Mutex<Option<IpAddr>>,
    /// Whether it stands in the queue of tokens with uses to write down.
    queued: AtomicBool,
}

/// What an answer says of a token.
#[derive(Debug)]
pub struct Texts {
    /// The workspace that it refers to.
    pub workspace: Bytes,
    /// Its identifier.
    pub jti: Bytes,
    /// Its scopes, separated by spaces.
    pub scope: Bytes,
    /// When it ends, in seconds since the Unix epoch.
    pub expires: Bytes,
}

impl Texts {
    /// What an answer says of these claims.
    pub fn of(claims: &Claims) -> Self {
        Self {
            workspace: claims.sub.to_string().into(),
            jti: claims.jti.as_str().to_owned().into(),
            scope: claims.scope.to_string().into(),
            expires: claims.exp.unix().to_string().into(),
        }
    }
}

/// Uses that were not yet written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uses {
    /// How many.
    pub count: u64,
    /// When last.
    pub last_at: Timestamp,
    /// From where last.
    pub last_from: Option<IpAddr>,
}

impl Seen {
    fn new(signed: SignedClaims) -> Self {
        Self {
            texts: Texts::of(signed.claims()),
            signed,
            count: AtomicU64::new(0),
            last_at: AtomicI64::new(0),
            last_from: Mutex::new(None),
            queued: AtomicBool::new(false),
        }
    }

    /// Counts a use; answers whether the token must be queued to have its uses written down.
    pub fn count(&self, now: Timestamp, from: Option<IpAddr>) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.last_at.fetch_max(now.unix(), Ordering::Relaxed);
        // Of two uses at once either address may be kept: nobody waits for a statistic.
        if from.is_some()
            && let Ok(mut last_from) = self.last_from.try_lock()
        {
            *last_from = from;
        }
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// Takes the uses that were counted. Uses counted from now on queue the token again.
    pub fn take(&self) -> Uses {
        self.queued.store(false, Ordering::Release);
        Uses {
            count: self.count.swap(0, Ordering::AcqRel),
            last_at: Timestamp::from_unix(self.last_at.load(Ordering::Relaxed)),
            last_from: *self.last_from.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Leaves the queue without its uses having been taken: it was full.
    pub fn not_queued(&self) {
        self.queued.store(false, Ordering::Release);
    }
}

#[derive(Clone)]
struct InBytes;

impl Weighter<[u8; 32], Arc<Seen>> for InBytes {
    fn weight(&self, _key: &[u8; 32], seen: &Arc<Seen>) -> u64 {
        let claims = seen.signed.claims();
        let scopes: usize = claims.scope.iter().map(|scope| 24 + scope.as_str().len()).sum();
        let heap = claims.iss.len() + claims.aud.len() + 2 * scopes + 384;
        (size_of::<Seen>() + size_of::<[u8; 32]>() + heap) as u64
    }
}

/// The token that was last on a connection. Gateways keep theirs, and their clients send the same one
/// many times in a row: to compare it costs less than to hash it.
///
/// What is kept is what the cache keeps, and like there never a verdict.
#[derive(Debug, Default)]
pub struct Last(Mutex<Option<(Box<str>, Arc<Seen>)>>);

impl Last {
    /// Compared without telling where two tokens differ: a gateway's connection is that of many clients.
    fn if_same(&self, token: &str) -> Option<Arc<Seen>> {
        let last = self.0.try_lock().ok()?;
        let (same, seen) = last.as_ref()?;
        verify_slices_are_equal(same.as_bytes(), token.as_bytes()).ok()?;
        Some(Arc::clone(seen))
    }

    fn set(&self, token: &str, seen: &Arc<Seen>) {
        if let Ok(mut last) = self.0.try_lock() {
            *last = Some((token.into(), Arc::clone(seen)));
        }
    }
}

/// The cache, bounded in bytes.
pub struct SeenTokens(Cache<[u8; 32], Arc<Seen>, InBytes>);

impl SeenTokens {
    /// A cache of at most this many bytes.
    pub fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 800).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(items, bytes, InBytes))
    }

    /// The same, over a connection on which this token was last.
    pub fn check_after(
        &self,
        token: &str,
        keys: &KeySet,
        last: Option<&Last>,
    ) -> Result<Arc<Seen>, Refusal> {
        let Some(last) = last else { return self.check(token, keys) };
        if let Some(seen) = last.if_same(token) {
            return Ok(seen);
        }
        let seen = self.check(token, keys)?;
        last.set(token, &seen);
        Ok(seen)
    }

    /// The token, if its signature is right: remembered, or checked now.
    pub fn check(&self, token: &str, keys: &KeySet) -> Result<Arc<Seen>, Refusal> {
        let bare = token.strip_prefix(nt_token::sign::PREFIX).unwrap_or(token);
        // Hashing what cannot be a token would only serve whoever sends it.
        if bare.len() > nt_token::check::LONGEST {
            return Err(Refusal::Malformed(nt_token::jws::Malformed::TooLong));
        }
        // Both spellings of a token, with and without its one prefix, are the same token.
        let key = sha256(bare.as_bytes());
        if let Some(seen) = self.0.get(&key) {
            return Ok(seen);
        }
        let seen = Arc::new(Seen::new(check_signature(token, keys)?));
        self.0.insert(key, Arc::clone(&seen));
        Ok(seen)
    }
}
