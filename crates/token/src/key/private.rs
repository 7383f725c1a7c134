//! The private half: what signs, with the one algorithm of its key.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use zeroize::Zeroizing;

use super::public::rsa_components;
use super::{Algorithm, BadKey};
use crate::id::KeyId;
use crate::jwk::Jwk;

/// What kind of key is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519, for EdDSA.
    Ed25519,
    /// P-256, for ES256.
    P256,
    /// RSA of 2048 bits, for RS256.
    Rsa2048,
    /// RSA of 3072 bits, for RS256.
    Rsa3072,
}

/// The moduli that we sign with, in bytes: what a token's length leaves room for.
const RSA_BYTES: [usize; 2] = [256, 384];

/// The private half: signs tokens. The library wipes it when it is dropped.
pub struct SigningKey {
    pair: Pair,
    kid: KeyId,
    jwk: Jwk,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Makes a new Ed25519 key from the operating system's entropy; also returns its PKCS#8 form to
    /// keep.
    pub fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), BadKey> {
        Self::generate_kind(KeyKind::Ed25519)
    }

    /// Makes a new key of this kind.
    pub fn generate_kind(kind: KeyKind) -> Result<(Self, Zeroizing<Vec<u8>>), BadKey> {
        let (pair, pkcs8) = match kind {
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(|_| BadKey::Private)?;
                let pkcs8 = pair.to_pkcs8().map_err(|_| BadKey::Private)?.as_ref().to_vec();
                (Pair::Ed25519(pair), pkcs8)
            }
            KeyKind::P256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                    .map_err(|_| BadKey::Private)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| BadKey::Private)?.as_ref().to_vec();
                (Pair::P256(pair), pkcs8)
            }
            KeyKind::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeyKind::Rsa3072 => rsa(KeySize::Rsa3072)?,
        };
        let pkcs8 = Zeroizing::new(pkcs8);
        Ok((Self::from_pair(pair)?, pkcs8))
    }

    /// Reads the PKCS#8 form (RFC 5958) of a key of this algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, BadKey> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::P256)
            }
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
        };
        Self::from_pair(pair.map_err(|_| BadKey::Private)?)
    }

    fn from_pair(pair: Pair) -> Result<Self, BadKey> {
        let mut jwk = match &pair {
            Pair::Ed25519(pair) => {
                let public = pair.public_key().as_ref().try_into().map_err(|_| BadKey::Private)?;
                Jwk::ed25519(&public)
            }
            Pair::P256(pair) => {
                // SEC 1, section 2.3.3: an uncompressed point.
                let point: &[u8; 65] =
                    pair.public_key().as_ref().try_into().map_err(|_| BadKey::Private)?;
                Jwk::p256(&point[1..33], &point[33..])
            }
            Pair::Rsa(pair) if RSA_BYTES.contains(&pair.public_modulus_len()) => {
                let (n, e) = rsa_components(pair.public_key().as_ref()).ok_or(BadKey::Private)?;
                Jwk::rsa(&n, &e)
            }
            Pair::Rsa(_) => return Err(BadKey::Private),
        };
        let kid = jwk.thumbprint().ok_or(BadKey::Private)?;
        jwk.kid = Some(kid.as_str().to_owned());
        Ok(Self { pair, kid, jwk })
    }

    /// The key's identifier, derived from its public half.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The one algorithm it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Ed25519(_) => Algorithm::EdDsa,
            Pair::P256(_) => Algorithm::Es256,
            Pair::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// The public half, for publishing.
    pub fn jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    /// How long a signature of this key is, in bytes.
    pub(crate) fn signature_length(&self) -> usize {
        match &self.pair {
            Pair::Ed25519(_) | Pair::P256(_) => 64,
            Pair::Rsa(pair) => pair.public_modulus_len(),
        }
    }

    /// Signs as RFC 7518 and RFC 8037 say: an ECDSA signature is its two numbers at full length.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        const SIGNS: &str = "a key that was read signs: the library has its own entropy";
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).expect(SIGNS).as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect(SIGNS);
                signature
            }
        }
    }
}

fn rsa(size: KeySize) -> Result<(Pair, Vec<u8>), BadKey> {
    let pair = RsaKeyPair::generate(size).map_err(|_| BadKey::Private)?;
    let pkcs8: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| BadKey::Private)?;
    let pkcs8 = pkcs8.as_ref().to_vec();
    Ok((Pair::Rsa(pair), pkcs8))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}
