//! Keys: the private half that signs, the public half that checks, and the set of the latter.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use zeroize::Zeroizing;

use crate::id::KeyId;
use crate::jwk::{Jwk, Jwks, thumbprint};
use crate::jws::{self, Compact};

/// What a signature algorithm is called in a header. One key is used with one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037). RFC 9864 renames `EdDSA` to `Ed25519`; both are accepted and bound to the
    /// same key.
    EdDsa,
}

impl Algorithm {
    /// The name that we write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether a header's `alg`, compared exactly, means this algorithm.
    pub fn is_named(self, alg: &str) -> bool {
        match self {
            Self::EdDsa => alg == "EdDSA" || alg == "Ed25519",
        }
    }
}

/// A key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The private key is not a PKCS#8 Ed25519 key with a matching public half.
    #[error("not an Ed25519 private key in PKCS#8")]
    Private,
    /// The public key is of a type we do not use, or its bytes are not a key.
    #[error("not a public key of a supported type")]
    Public,
    /// Two keys of a set have the same `kid`.
    #[error("two keys have the same key ID")]
    DuplicateKid,
}

/// The private half: signs tokens.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    kid: KeyId,
    public: [u8; 32],
}

impl SigningKey {
    /// Makes a new key from the operating system's entropy; also returns its PKCS#8 form to keep.
    pub fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), BadKey> {
        let pair = Ed25519KeyPair::generate().map_err(|_| BadKey::Private)?;
        let pkcs8 = pair.to_pkcs8().map_err(|_| BadKey::Private)?;
        let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
        Ok((Self::from_pair(pair)?, pkcs8))
    }

    /// Reads the PKCS#8 form (RFC 5958).
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, BadKey> {
        Self::from_pair(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| BadKey::Private)?)
    }

    fn from_pair(pair: Ed25519KeyPair) -> Result<Self, BadKey> {
        let public = pair.public_key().as_ref().try_into().map_err(|_| BadKey::Private)?;
        Ok(Self { pair, kid: thumbprint(&public), public })
    }

    /// The key's identifier, derived from its public half.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The one algorithm it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }

    /// The public half, for publishing.
    pub fn jwk(&self) -> Jwk {
        Jwk::ed25519(&self.public)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// The public half: checks signatures.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    key: ParsedPublicKey,
    algorithm: Algorithm,
    kid: KeyId,
}

impl VerifyingKey {
    /// Reads a public key. A key without a `kid` is named by its thumbprint.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, BadKey> {
        let usable = jwk.kty == "OKP"
            && jwk.crv.as_deref() == Some("Ed25519")
            && jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.alg.as_deref().is_none_or(|alg| Algorithm::EdDsa.is_named(alg));
        if !usable {
            return Err(BadKey::Public);
        }
        let x = jws::decode(jwk.x.as_deref().ok_or(BadKey::Public)?).map_err(|_| BadKey::Public)?;
        let public: [u8; 32] = x.try_into().map_err(|_| BadKey::Public)?;
        let kid = match &jwk.kid {
            Some(kid) => kid.parse().map_err(|_| BadKey::Public)?,
            None => thumbprint(&public),
        };
        let key = ParsedPublicKey::new(&ED25519, public).map_err(|_| BadKey::Public)?;
        Ok(Self { key, algorithm: Algorithm::EdDsa, kid })
    }

    /// The key's identifier.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// Whether the signature over the message is this key's.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
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

/// The keys whose signatures count, by `kid`.
#[derive(Debug, Clone, Default)]
pub struct KeySet(HashMap<KeyId, VerifyingKey>);

impl KeySet {
    /// Collects keys; two with one `kid` are refused, as it would be open which of them is meant.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, BadKey> {
        let mut set = HashMap::new();
        for key in keys {
            if set.insert(key.kid.clone(), key).is_some() {
                return Err(BadKey::DuplicateKid);
            }
        }
        Ok(Self(set))
    }

    /// Reads a published key set; keys of types that we do not use are passed over.
    pub fn from_jwks(jwks: &Jwks) -> Result<Self, BadKey> {
        Self::new(jwks.keys.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()))
    }

    /// The key of this name.
    pub fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        let kid: KeyId = kid.parse().ok()?;
        self.0.get(&kid)
    }

    /// The payload, if the named key signed it with its own algorithm.
    pub fn open(&self, jws: &Compact<'_>) -> Result<(&KeyId, Vec<u8>), NotOpened> {
        let kid = jws.header.kid.as_deref().ok_or(NotOpened::UnknownKey)?;
        let key = self.key(kid).ok_or(NotOpened::UnknownKey)?;
        if !key.algorithm.is_named(&jws.header.alg) {
            return Err(NotOpened::Algorithm);
        }
        if !key.verifies(jws.signing_input.as_bytes(), &jws.signature) {
            return Err(NotOpened::Signature);
        }
        let payload = jws::decode(jws.payload).map_err(|_| NotOpened::Payload)?;
        Ok((&key.kid, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_key_reads_back_as_the_same_key() {
        let (key, pkcs8) = SigningKey::generate().expect("entropy");
        let again = SigningKey::from_pkcs8(&pkcs8).expect("just written");
        assert_eq!(key.kid(), again.kid());
        assert_eq!(key.jwk(), again.jwk());
    }

    #[test]
    fn two_keys_of_one_name_are_refused() {
        let (key, _) = SigningKey::generate().expect("entropy");
        let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
        assert_eq!(KeySet::new([public.clone(), public]).err(), Some(BadKey::DuplicateKid));
    }

    #[test]
    fn keys_for_other_uses_are_not_ours() {
        let (key, _) = SigningKey::generate().expect("entropy");
        for change in [
            |jwk: &mut Jwk| jwk.usage = Some("enc".to_owned()),
            |jwk: &mut Jwk| jwk.alg = Some("ES256".to_owned()),
            |jwk: &mut Jwk| jwk.kty = "oct".to_owned(),
            |jwk: &mut Jwk| jwk.x = Some("AAAA".to_owned()),
        ] {
            let mut jwk = key.jwk();
            change(&mut jwk);
            assert_eq!(VerifyingKey::from_jwk(&jwk).err(), Some(BadKey::Public));
        }
    }
}
