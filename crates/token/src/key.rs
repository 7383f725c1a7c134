//! Keys: the private half that signs, the public half that checks, and the set of the latter.
//!
//! Workspace tokens are signed with Ed25519 where nothing else is asked for. Each key has one
//! algorithm, whatever a header says; the keys of identity providers are never in a set with our own.

mod private;
mod public;

use std::collections::HashMap;

use serde::Deserialize;

pub use self::private::{KeyKind, SigningKey};
pub use self::public::VerifyingKey;
use crate::id::KeyId;
use crate::jwk::{Jwk, Jwks};
use crate::jws::{self, Compact};

/// What a signature algorithm is called in a header. One key is used with one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037). RFC 9864 renames `EdDSA` to `Ed25519`; both are accepted and bound to the
    /// same key.
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518, section 3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The algorithm of this name, as we write it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The name that we write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Whether a header's `alg`, compared exactly, means this algorithm.
    pub fn is_named(self, alg: &str) -> bool {
        match self {
            Self::EdDsa => alg == "EdDSA" || alg == "Ed25519",
            Self::Es256 | Self::Rs256 => alg == self.name(),
        }
    }
}

/// A key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The private key is not one of its algorithm in PKCS#8, with a matching public half.
    #[error("not a private key of this algorithm in PKCS#8")]
    Private,
    /// The public key is of a type we do not use, or its bytes are not a key.
    #[error("not a public key of a supported type")]
    Public,
    /// Two keys of a set have the same `kid`.
    #[error("two keys have the same key ID")]
    DuplicateKid,
    /// None of the keys of a published set can be used.
    #[error("no key of the set can be used")]
    NoneUsable,
    /// A published set has more keys than are looked at.
    #[error("the set has too many keys")]
    TooMany,
}

/// Why a JWS was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The header names no key, or one that is not in the set.
    #[error("signed by a key that is not known")]
    UnknownKey,
    /// The header's `alg` is not that of the named key.
    #[error("algorithm is not that of the key")]
    Algorithm,
    /// The signature is not the key's over these bytes.
    #[error("signature does not match")]
    Signature,
    /// The payload is not unpadded base64url.
    #[error("payload is not base64url")]
    Payload,
}

/// More keys than any provider publishes at once.
const MOST_PUBLISHED: usize = 100;

/// The keys whose signatures count.
#[derive(Debug, Clone)]
pub struct KeySet(Keys);

#[derive(Debug, Clone)]
enum Keys {
    /// By what their owner calls them.
    Named(HashMap<String, VerifyingKey>),
    /// One key, whatever a header's `kid` says.
    Sole(Box<VerifyingKey>),
}

impl Default for KeySet {
    fn default() -> Self {
        Self(Keys::Named(HashMap::new()))
    }
}

impl KeySet {
    /// Collects keys; two with one `kid` are refused, as it would be open which of them is meant.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, BadKey> {
        let mut set = HashMap::new();
        for key in keys {
            if set.insert(key.name().to_owned(), key).is_some() {
                return Err(BadKey::DuplicateKid);
            }
        }
        Ok(Self(Keys::Named(set)))
    }

    /// One key that was configured without a `kid`: a header's `kid` is not looked at.
    pub fn sole(key: VerifyingKey) -> Self {
        Self(Keys::Sole(Box::new(key)))
    }

    /// Reads the key set that an authority publishes. Keys that we cannot use are passed over (RFC
    /// 7517, section 5): each of the others counts for its own algorithm alone.
    pub fn from_jwks(jwks: &Jwks) -> Result<Self, BadKey> {
        Self::new(jwks.keys.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()))
    }

    /// Reads the key set that an identity provider publishes.
    ///
    /// Keys that we cannot use are passed over (RFC 7517, section 5). Keys that share a `kid` are
    /// all left out: it would be open which of them is meant, and the others still count. A set of
    /// which nothing remains is refused.
    pub fn from_provider_jwks(json: &[u8]) -> Result<Self, BadKey> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<serde_json::Value>,
        }
        let published: Published = serde_json::from_slice(json).map_err(|_| BadKey::Public)?;
        if published.keys.len() > MOST_PUBLISHED {
            return Err(BadKey::TooMany);
        }
        let mut by_name: HashMap<String, Option<VerifyingKey>> = HashMap::new();
        for jwk in published.keys {
            let Ok(key) = Jwk::deserialize(jwk).map_err(|_| BadKey::Public) else { continue };
            let Ok(key) = VerifyingKey::from_jwk(&key) else { continue };
            by_name
                .entry(key.name().to_owned())
                .and_modify(|seen| *seen = None)
                .or_insert(Some(key));
        }
        let set: HashMap<_, _> =
            by_name.into_iter().filter_map(|(name, key)| Some((name, key?))).collect();
        if set.is_empty() { Err(BadKey::NoneUsable) } else { Ok(Self(Keys::Named(set))) }
    }

    /// The key that a header with this `kid` means.
    pub fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        match &self.0 {
            Keys::Named(keys) => keys.get(kid),
            Keys::Sole(key) => Some(key),
        }
    }

    /// The payload, if the named key signed it with its own algorithm.
    pub fn open(&self, jws: &Compact<'_>) -> Result<(&KeyId, Vec<u8>), NotOpened> {
        let key = match (&self.0, jws.header.kid.as_deref()) {
            (Keys::Sole(key), _) => key,
            (Keys::Named(keys), Some(kid)) => keys.get(kid).ok_or(NotOpened::UnknownKey)?,
            (Keys::Named(_), None) => return Err(NotOpened::UnknownKey),
        };
        if !key.algorithm().is_named(&jws.header.alg) {
            return Err(NotOpened::Algorithm);
        }
        if !key.verifies(jws.signing_input.as_bytes(), &jws.signature) {
            return Err(NotOpened::Signature);
        }
        let payload = jws::decode(jws.payload).map_err(|_| NotOpened::Payload)?;
        Ok((key.kid(), payload))
    }
}

#[cfg(test)]
mod tests;
