//! A private key as it lies in the database.
//!
//! ```text
//! ┌─────────┬──────────┬──────────────────────────────┬────────┐
//! │ version │  nonce   │     PKCS#8, encrypted        │  tag   │
//! │  1: u8  │ 12 bytes │                              │ 16     │
//! └─────────┴──────────┴──────────────────────────────┴────────┘
//! version 1   AES-256-GCM; the key is HKDF-SHA256 of the key secret, labelled "ntd signing keys 1"
//! also bound  "ntd signing key\0" kid "\0" algorithm: what is authenticated beside it, so that one
//!             key's envelope cannot be passed off as another's
//! ```
//!
//! The nonce is random: it would have to repeat among a handful of keys. A key management service
//! would be another version, whose body is what that service encrypted: [`seal`] and [`open`] are
//! the only places that would change.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use nt_token::KeyId;
use nt_token::key::Algorithm;
use zeroize::{Zeroize as _, Zeroizing};

use super::KeySecret;

const VERSION: u8 = 1;
const LABEL: &str = "ntd signing keys 1";

/// Why an envelope was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUnsealed {
    /// Written by a later version of this program.
    #[error("it was encrypted by a later version of this program")]
    Version,
    /// It is not this key's, or the secret is another one.
    #[error("the key secret is not the one that it was encrypted under")]
    Secret,
}

/// No random numbers, or a text beyond all measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key cannot be encrypted: no random numbers to be had")]
pub struct NotSealed;

/// Encrypts a private key.
pub fn seal(
    secret: &KeySecret,
    kid: &KeyId,
    algorithm: Algorithm,
    pkcs8: &[u8],
) -> Result<Vec<u8>, NotSealed> {
    let mut nonce = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| NotSealed)?;
    let mut body = Zeroizing::new(pkcs8.to_vec());
    let tag = key(secret)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            bound(kid, algorithm),
            &mut body,
        )
        .map_err(|_| NotSealed)?;
    Ok([&[VERSION], nonce.as_slice(), body.as_slice(), tag.as_ref()].concat())
}

/// Decrypts a private key.
pub fn open(
    secret: &KeySecret,
    kid: &KeyId,
    algorithm: Algorithm,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotUnsealed> {
    let (&version, rest) = sealed.split_first().ok_or(NotUnsealed::Secret)?;
    if version != VERSION {
        return Err(NotUnsealed::Version);
    }
    let (nonce, body) = rest.split_first_chunk().ok_or(NotUnsealed::Secret)?;
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key(secret)
        .open_in_place(nonce, bound(kid, algorithm), &mut body)
        .map_err(|_| NotUnsealed::Secret)?
        .len();
    body.truncate(length);
    Ok(body)
}

fn key(secret: &KeySecret) -> LessSafeKey {
    let mut bytes = secret.derive(LABEL);
    let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("AES-256 keys have 32 bytes");
    bytes.zeroize();
    LessSafeKey::new(key)
}

fn bound(kid: &KeyId, algorithm: Algorithm) -> Aad<Vec<u8>> {
    Aad::from(format!("ntd signing key\0{kid}\0{}", algorithm.name()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kid(text: &str) -> KeyId {
        text.parse().expect("well-formed")
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_secret_and_for_the_same_key_only() {
        let secret = KeySecret::development();
        let sealed = seal(&secret, &kid("a"), Algorithm::EdDsa, b"private").expect("entropy");
        assert!(!sealed.windows(7).any(|bytes| bytes == b"private"));
        let opened = |secret, name, algorithm| open(secret, &kid(name), algorithm, &sealed);
        let good = opened(&secret, "a", Algorithm::EdDsa).expect("the same");
        assert_eq!(good.as_slice(), b"private");
        let text = "9fKX0T7k1mDqV4cE2yJb8wSgHnZaLrUo3PiQ6xWt5vM=";
        let other = KeySecret::parse(text).expect("a secret");
        assert_eq!(opened(&other, "a", Algorithm::EdDsa).err(), Some(NotUnsealed::Secret));
        assert_eq!(opened(&secret, "b", Algorithm::EdDsa).err(), Some(NotUnsealed::Secret));
        assert_eq!(opened(&secret, "a", Algorithm::Es256).err(), Some(NotUnsealed::Secret));
        let again = seal(&secret, &kid("a"), Algorithm::EdDsa, b"private").expect("entropy");
        assert_ne!(again, sealed, "no nonce comes twice");
    }

    #[test]
    fn an_envelope_that_was_changed_or_cut_is_refused() {
        let secret = KeySecret::development();
        let sealed = seal(&secret, &kid("a"), Algorithm::EdDsa, b"private").expect("entropy");
        for end in 0..sealed.len() {
            assert!(open(&secret, &kid("a"), Algorithm::EdDsa, &sealed[..end]).is_err(), "{end}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let refused = open(&secret, &kid("a"), Algorithm::EdDsa, &changed).err();
            let expected = if at == 0 { NotUnsealed::Version } else { NotUnsealed::Secret };
            assert_eq!(refused, Some(expected), "{at}");
        }
    }
}
