//! Reading public keys: from a JWK (RFC 7517; RFC 7518, section 6; RFC 8037) or from PEM.

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Algorithm, BadKey};
use crate::id::KeyId;
use crate::jwk::Jwk;
use crate::jws;

/// The bits that an RSA modulus may have. The library checks the same, but only with a signature.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The longest `kid`, in bytes.
const LONGEST_NAME: usize = 256;

/// The longest PEM text, in bytes: a key of 8192 bits in base64 has about 1400.
const LONGEST_PEM: usize = 4_096;

/// The public half: checks signatures with one algorithm.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    key: ParsedPublicKey,
    algorithm: Algorithm,
    kid: KeyId,
    name: String,
}

impl VerifyingKey {
    /// Reads a public key: Ed25519, P-256 (ES256 only) or RSA (RS256 only). A key whose `alg` is not
    /// the one of its type is refused; one without a `kid` is named by its thumbprint.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, BadKey> {
        let algorithm = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("RSA", _) => Algorithm::Rs256,
            _ => return Err(BadKey::Public),
        };
        let usable = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.alg.as_deref().is_none_or(|alg| algorithm.is_named(alg));
        if !usable {
            return Err(BadKey::Public);
        }
        let key = match algorithm {
            Algorithm::EdDsa => ed25519(jwk),
            Algorithm::Es256 => p256(jwk),
            Algorithm::Rs256 => rsa(jwk),
        }?;
        let thumbprint = jwk.thumbprint().ok_or(BadKey::Public)?;
        let name = jwk.kid.clone().unwrap_or_else(|| thumbprint.as_str().to_owned());
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(BadKey::Public);
        }
        Ok(Self { key, algorithm, kid: name.parse().unwrap_or(thumbprint), name })
    }

    /// Reads an RSA public key (RS256) from PEM: `BEGIN PUBLIC KEY` (RFC 7468, section 13). Without
    /// a `kid` it is named by its thumbprint.
    pub fn from_spki_pem(pem: &str, kid: Option<KeyId>) -> Result<Self, BadKey> {
        let (n, e) = rsa_numbers(&spki(pem)?).ok_or(BadKey::Public)?;
        Self::from_jwk(&Jwk {
            kty: "RSA".to_owned(),
            n: Some(URL_SAFE_NO_PAD.encode(n)),
            e: Some(URL_SAFE_NO_PAD.encode(e)),
            kid: kid.map(String::from),
            ..Jwk::default()
        })
    }

    /// The key's identifier: its `kid` if that is a well-formed [`KeyId`], else its thumbprint.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The one algorithm that the key is used with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What its owner calls it: what a header's `kid` is compared with.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the signature over the message is this key's.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

/// RFC 8037, section 2.
fn ed25519(jwk: &Jwk) -> Result<ParsedPublicKey, BadKey> {
    let public: [u8; 32] = member(jwk.x.as_deref())?.try_into().map_err(|_| BadKey::Public)?;
    ParsedPublicKey::new(&ED25519, public).map_err(|_| BadKey::Public)
}

/// RFC 7518, section 6.2.1: both coordinates at full length. The library checks that the point is on
/// the curve.
fn p256(jwk: &Jwk) -> Result<ParsedPublicKey, BadKey> {
    let x: [u8; 32] = member(jwk.x.as_deref())?.try_into().map_err(|_| BadKey::Public)?;
    let y: [u8; 32] = member(jwk.y.as_deref())?.try_into().map_err(|_| BadKey::Public)?;
    // SEC 1, section 2.3.3: an uncompressed point.
    let point = [&[4][..], &x, &y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| BadKey::Public)
}

/// RFC 7518, section 6.3.1: both numbers without leading zeros.
fn rsa(jwk: &Jwk) -> Result<ParsedPublicKey, BadKey> {
    let n = member(jwk.n.as_deref())?;
    let e = member(jwk.e.as_deref())?;
    let leading_zeros = n.first().ok_or(BadKey::Public)?.leading_zeros() as usize;
    let bits = n.len() * 8 - leading_zeros;
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let plausible = leading_zeros < 8
        && RSA_BITS.contains(&bits)
        && odd(&n)
        && odd(&e)
        && (1..=4).contains(&e.len())
        && e[0] != 0
        && e != [1];
    if !plausible {
        return Err(BadKey::Public);
    }
    RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| BadKey::Public)
}

fn member(text: Option<&str>) -> Result<Vec<u8>, BadKey> {
    jws::decode(text.ok_or(BadKey::Public)?).map_err(|_| BadKey::Public)
}

/// The DER inside of a PEM text. White space counts nowhere.
fn spki(pem: &str) -> Result<Vec<u8>, BadKey> {
    if pem.len() > LONGEST_PEM {
        return Err(BadKey::Public);
    }
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
        .ok_or(BadKey::Public)?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(body).map_err(|_| BadKey::Public)
}

/// The modulus and the exponent of an RSA key, which the library has read and written again as
/// `SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017, appendix A.1.1).
fn rsa_numbers(spki: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    rsa_components(rsa::PublicKey::from_der(spki).ok()?.as_ref())
}

/// The two numbers of an RSA public key as the library writes it.
pub(super) fn rsa_components(key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    let (numbers, _) = element(key, SEQUENCE)?;
    let (n, rest) = element(numbers, INTEGER)?;
    let (e, _) = element(rest, INTEGER)?;
    // A zero byte in front keeps a positive number positive.
    let number = |bytes: &[u8]| bytes.strip_prefix(&[0]).unwrap_or(bytes).to_vec();
    Some((number(n), number(e)))
}

/// The content of the DER element that the bytes begin with, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81 | 0x82 => {
            let (long, rest) = rest.split_at_checked(usize::from(short - 0x80))?;
            (long.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
