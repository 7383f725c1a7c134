//! Public keys as JSON (RFC 7517; Ed25519 by RFC 8037, EC and RSA by RFC 7518, section 6) and their
//! thumbprints (RFC 7638).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::id::KeyId;
use crate::jws::decode;

/// A public key. Members that we do not use are ignored, as RFC 7517, section 4 asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type: `OKP` for Ed25519, `EC` for P-256, `RSA`.
    pub kty: String,
    /// Curve: `Ed25519` or `P-256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Ed25519: the public key's bytes in base64url. EC: the point's first coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// EC: the point's second coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// RSA: the modulus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// RSA: the exponent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The key's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// What the key is for: `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// The one algorithm that the key is used with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

/// A set of public keys, as served at a `jwks_uri`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// The JWK of an Ed25519 public key, named by its thumbprint.
    pub fn ed25519(public: &[u8; 32]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(public);
        Self {
            kty: "OKP".to_owned(),
            crv: Some("Ed25519".to_owned()),
            kid: Some(thumbprint(public).as_str().to_owned()),
            x: Some(x),
            usage: Some("sig".to_owned()),
            alg: Some("EdDSA".to_owned()),
            ..Self::default()
        }
    }

    /// The JWK of a point on P-256, not named yet.
    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Self {
        Self {
            kty: "EC".to_owned(),
            crv: Some("P-256".to_owned()),
            x: Some(URL_SAFE_NO_PAD.encode(x)),
            y: Some(URL_SAFE_NO_PAD.encode(y)),
            usage: Some("sig".to_owned()),
            alg: Some("ES256".to_owned()),
            ..Self::default()
        }
    }

    /// The JWK of an RSA key, not named yet.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self {
            kty: "RSA".to_owned(),
            n: Some(URL_SAFE_NO_PAD.encode(n)),
            e: Some(URL_SAFE_NO_PAD.encode(e)),
            usage: Some("sig".to_owned()),
            alg: Some("RS256".to_owned()),
            ..Self::default()
        }
    }

    /// The key's thumbprint, where its type is one that we use and its members are well-formed.
    pub fn thumbprint(&self) -> Option<KeyId> {
        // Base64url needs no escape in JSON; what is not base64url has no thumbprint.
        let member = |member: &'_ Option<String>| {
            member.clone().filter(|text| !text.is_empty() && decode(text).is_ok())
        };
        let canonical = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, member(&self.x)?)
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (member(&self.x)?, member(&self.y)?);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            ("RSA", _) => {
                let (e, n) = (member(&self.e)?, member(&self.n)?);
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
            _ => return None,
        };
        Some(named_by(canonical.as_bytes()))
    }
}

/// The thumbprint of an Ed25519 public key as a key identifier.
pub fn thumbprint(public: &[u8; 32]) -> KeyId {
    let x = URL_SAFE_NO_PAD.encode(public);
    named_by(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes())
}

/// The SHA-256 of these bytes as a key identifier. RFC 7638, section 3 takes it over the required
/// members in lexicographic order.
pub(crate) fn named_by(bytes: &[u8]) -> KeyId {
    URL_SAFE_NO_PAD
        .encode(digest(&SHA256, bytes))
        .parse()
        .expect("base64url of a SHA-256 is a well-formed key ID")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let x = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .expect("the RFC's own text");
        let public: [u8; 32] = x.try_into().expect("32 bytes");
        assert_eq!(thumbprint(&public).as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(Jwk::ed25519(&public).thumbprint(), Some(thumbprint(&public)));
    }

    /// RFC 7638, section 3.1.
    const RSA: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;

    #[test]
    fn the_thumbprint_of_an_rsa_key_is_that_of_the_rfc_whatever_else_the_key_says() {
        let mut jwk: Jwk = serde_json::from_str(RSA).expect("the RFC's own text");
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(jwk.thumbprint().expect("well-formed").as_str(), expected);
        jwk.alg = None;
        jwk.kid = Some("another".to_owned());
        assert_eq!(jwk.thumbprint().expect("well-formed").as_str(), expected);
    }

    #[test]
    fn what_is_no_key_of_ours_has_no_thumbprint() {
        let mut jwk: Jwk = serde_json::from_str(RSA).expect("the RFC's own text");
        for n in ["", "a\"b", "AB", "AQ==", "a+b/"] {
            jwk.n = Some(n.to_owned());
            assert_eq!(jwk.thumbprint(), None, "{n:?}");
        }
        assert_eq!(Jwk { kty: "oct".to_owned(), ..Jwk::default() }.thumbprint(), None);
    }
}
