//! The compact serialisation of a JWS (RFC 7515, section 7.1), taken apart with suspicion.
//!
//! ```text
//! BASE64URL(header) . BASE64URL(payload) . BASE64URL(signature)
//! └────────── signing input ───────────┘
//! ```
//!
//! Nothing here decides whether a signature is right; a [`Compact`] is unverified input and offers
//! its payload through [`crate::key::KeySet::open`], and else only by a name that says what it is.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What is wrong with a text that should be a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than the caller allows.
    #[error("longer than the limit")]
    TooLong,
    /// Not three parts separated by dots.
    #[error("not three parts")]
    Parts,
    /// A part is not unpadded base64url with zero trailing bits.
    #[error("not base64url")]
    Base64,
    /// The header is not a JSON object with unique names and an `alg`.
    #[error("header is not as it should be")]
    Header,
    /// The header has a member that tells the reader where to get a key, or must be understood.
    #[error("header has a member that is never accepted")]
    ForbiddenHeader,
}

/// The protected header: only what we act on. RFC 7515, section 4.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Algorithm, spelled exactly as sent.
    pub alg: String,
    /// Media type of the whole, spelled exactly as sent.
    pub typ: Option<String>,
    /// Which key is said to have signed.
    pub kid: Option<String>,
}

/// A JWS in three parts. Unverified.
#[derive(Debug)]
pub struct Compact<'a> {
    /// The protected header.
    pub header: Header,
    /// The bytes that the signature covers.
    pub(crate) signing_input: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Takes a text of at most `longest` bytes apart.
    pub fn parse(text: &'a str, longest: usize) -> Result<Self, Malformed> {
        if text.len() > longest {
            return Err(Malformed::TooLong);
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Malformed::Parts)?;
        if payload.contains('.') || header.is_empty() || payload.is_empty() {
            return Err(Malformed::Parts);
        }
        let header = decode(header)?;
        let header = serde_json::from_slice::<HeaderMembers>(&header).map_err(|e| {
            let forbidden = e.to_string().starts_with(FORBIDDEN);
            if forbidden { Malformed::ForbiddenHeader } else { Malformed::Header }
        })?;
        let signature = decode(signature)?;
        Ok(Self { header: header.0, signing_input, payload, signature })
    }

    /// The payload although nothing is checked: only for finding out whose keys would open it.
    pub fn unverified_payload(&self) -> Result<Vec<u8>, Malformed> {
        decode(self.payload)
    }
}

/// Decodes unpadded base64url; another spelling of the same bytes is refused (trailing bits), so
/// that one token has one text.
pub(crate) fn decode(part: &str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::Base64)
}

const FORBIDDEN: &str = "forbidden header member";

struct HeaderMembers(Header);

impl<'de> Deserialize<'de> for HeaderMembers {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(HeaderVisitor).map(Self)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let (mut alg, mut typ, mut kid) = (None, None, None);
        let mut seen: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if seen.contains(&name) {
                return Err(A::Error::custom("duplicate header member"));
            }
            match name.as_ref() {
                "alg" => alg = Some(map.next_value()?),
                "typ" => typ = Some(map.next_value()?),
                "kid" => kid = Some(map.next_value()?),
                "crit" | "jwk" | "jku" | "x5u" | "x5c" | "b64" | "zip" | "enc" => {
                    return Err(A::Error::custom(FORBIDDEN));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            seen.push(name);
        }
        let alg = alg.ok_or_else(|| A::Error::missing_field("alg"))?;
        Ok(Header { alg, typ, kid })
    }
}

/// A member name, borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Name<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_header_with_an_unknown_member_is_read() {
        let text = with_header(r#"{"alg":"EdDSA","kid":"k","x":1}"#);
        let header = Compact::parse(&text, 4096).expect("well-formed").header;
        assert_eq!(header.kid.as_deref(), Some("k"));
    }

    #[test]
    fn members_that_would_let_the_sender_choose_the_key_are_refused() {
        for name in ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip"] {
            let text = with_header(&format!(r#"{{"alg":"EdDSA","{name}":[]}}"#));
            assert_eq!(Compact::parse(&text, 4096).err(), Some(Malformed::ForbiddenHeader));
        }
    }

    #[test]
    fn a_member_given_twice_is_refused_even_when_spelled_with_an_escape() {
        for header in [r#"{"alg":"EdDSA","alg":"none"}"#, r#"{"alg":"EdDSA","\u0061lg":"none"}"#] {
            assert_eq!(Compact::parse(&with_header(header), 4096).err(), Some(Malformed::Header));
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in ["", "a", "a.b", "..", "a.b.c.d", "e30..AA", ".e30.AA"] {
            assert_eq!(Compact::parse(text, 4096).err(), Some(Malformed::Parts), "{text:?}");
        }
        let parse = |text: &str| Compact::parse(text, 4096).err();
        assert_eq!(parse("e30=.e30.AA"), Some(Malformed::Base64));
        assert_eq!(parse("bnVsbA.e30.AA"), Some(Malformed::Header));
        assert_eq!(parse(&format!("{}e30.AA", "a".repeat(4096))), Some(Malformed::TooLong));
        // Trailing bits: `AB` decodes to the byte of `AA` in a lenient decoder.
        assert_eq!(
            parse(&with_header("{\"alg\":\"EdDSA\"}").replace(".AA", ".AB")),
            Some(Malformed::Base64)
        );
    }
}
