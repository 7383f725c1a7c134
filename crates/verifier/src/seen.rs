//! Tokens whose signature was found right, so that it is checked once and not at every request.
//!
//! Only "this key's signature over these bytes is right" is remembered, by the SHA-256 of the token.
//! Never a verdict: key, place, scopes, time and lease are looked at every time.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use nt_token::check::{LONGEST, check_signature};
use nt_token::{KeySet, Refusal, SignedClaims};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// The keys, and how often they were replaced.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) set: KeySet,
    pub(crate) generation: u64,
}

/// A token whose signature is right.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) signed: SignedClaims,
    /// By which keys. A signature is checked again after they were replaced: another key may have
    /// the same name.
    pub(crate) generation: u64,
}

#[derive(Clone)]
struct InBytes;

impl Weighter<[u8; 32], Arc<Seen>> for InBytes {
    fn weight(&self, _key: &[u8; 32], seen: &Arc<Seen>) -> u64 {
        let claims = seen.signed.claims();
        let scopes: usize = claims.scope.iter().map(|scope| 24 + scope.as_str().len()).sum();
        let heap = claims.iss.len() + claims.aud.len() + scopes + 256;
        (size_of::<Seen>() + size_of::<[u8; 32]>() + heap) as u64
    }
}

/// The cache, bounded in bytes.
pub(crate) struct SeenTokens(Cache<[u8; 32], Arc<Seen>, InBytes>);

impl SeenTokens {
    /// A cache of at most this many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 800).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(items, bytes, InBytes))
    }

    /// How many tokens are remembered.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The token, if its signature is right: remembered, or checked now.
    pub(crate) fn check(&self, token: &str, keys: &Keys) -> Result<Arc<Seen>, Refusal> {
        let bare = token.strip_prefix(nt_token::sign::PREFIX).unwrap_or(token);
        // Hashing what cannot be a token would only serve whoever sends it.
        if bare.len() > LONGEST {
            return Err(Refusal::Malformed(nt_token::jws::Malformed::TooLong));
        }
        // Both spellings of a token, with and without its one prefix, are the same token.
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bare.as_bytes()).as_ref());
        if let Some(seen) = self.0.get(&hash)
            && seen.generation == keys.generation
        {
            return Ok(seen);
        }
        let signed = check_signature(token, &keys.set)?;
        let seen = Arc::new(Seen { signed, generation: keys.generation });
        self.0.insert(hash, Arc::clone(&seen));
        Ok(seen)
    }
}
