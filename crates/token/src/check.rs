//! Checking a token: everything but whether it was revoked.
//!
//! In two steps, because the first can be remembered and the second never: [`check_signature`]
//! depends on the token's bytes alone, [`SignedClaims::valid_at`] on the moment.

use crate::claims::Claims;
use crate::id::KeyId;
use crate::jws::{Compact, Malformed};
use crate::key::{KeySet, NotOpened};
use crate::sign::{PREFIX, TOKEN_TYPE};
use crate::time::Timestamp;

/// The longest token that is looked at, prefix included, in bytes.
pub const LONGEST: usize = 4_096;

/// How far clocks may differ, in seconds.
pub const LEEWAY: i64 = 5;

/// Why a token is not good. The reason is for logs; a client learns only what RFC 6750 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a compact JWS as we demand it.
    #[error("token is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// The media type is not that of a workspace token.
    #[error("token has another type")]
    Type,
    /// No key of ours signed it.
    #[error("token is not ours: {0}")]
    NotOpened(#[from] NotOpened),
    /// Signed by us, but the claims are not those of a workspace token.
    #[error("claims are not those of a workspace token")]
    Claims,
    /// Issued by another authority.
    #[error("issued by another authority")]
    Issuer,
    /// Meant for another audience.
    #[error("meant for another audience")]
    Audience,
    /// Issued in the future.
    #[error("issued in the future")]
    NotYet,
    /// Expired.
    #[error("expired")]
    Expired,
}

/// What the checking side expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The issuer, compared byte for byte.
    pub issuer: String,
    /// The audience, compared byte for byte.
    pub audience: String,
}

/// Claims whose signature was found right. Only [`check_signature`] makes one.
///
/// They say nothing yet about time, audience or revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedClaims {
    claims: Claims,
    kid: KeyId,
}

/// Checks form, header, key and signature, cheapest first. The `wst_` prefix is optional.
pub fn check_signature(token: &str, keys: &KeySet) -> Result<SignedClaims, Refusal> {
    if token.len() > LONGEST {
        return Err(Malformed::TooLong.into());
    }
    let jws = Compact::parse(token.strip_prefix(PREFIX).unwrap_or(token), LONGEST)?;
    if jws.header.typ.as_deref() != Some(TOKEN_TYPE) {
        return Err(Refusal::Type);
    }
    let (kid, payload) = keys.open(&jws)?;
    let claims = serde_json::from_slice(&payload).map_err(|_| Refusal::Claims)?;
    Ok(SignedClaims { claims, kid: kid.clone() })
}

impl SignedClaims {
    /// The claims, if they hold at this moment for this issuer and audience.
    pub fn valid_at(&self, expected: &Expected, now: Timestamp) -> Result<&Claims, Refusal> {
        let claims = &self.claims;
        if claims.iss != expected.issuer {
            return Err(Refusal::Issuer);
        }
        if claims.aud != expected.audience {
            return Err(Refusal::Audience);
        }
        if claims.iat > now.plus_seconds(LEEWAY) {
            return Err(Refusal::NotYet);
        }
        if now >= claims.exp.plus_seconds(LEEWAY) {
            return Err(Refusal::Expired);
        }
        Ok(claims)
    }

    /// The claims, whatever the time and the audience: for records and for looking up a revocation.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The key that signed.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;
    use crate::claims::tests::example;
    use crate::key::{SigningKey, VerifyingKey};
    use crate::sign::{sign, sign_jws};

    struct Fixture {
        key: SigningKey,
        keys: KeySet,
        expected: Expected,
    }

    fn fixture() -> Fixture {
        let (key, _) = SigningKey::generate().expect("entropy");
        let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
        let expected = Expected { issuer: example().iss, audience: example().aud };
        Fixture { key, keys: KeySet::new([public]).expect("one key"), expected }
    }

    /// A token with this header around the example's claims, signed by the fixture's key.
    fn with_header(fixture: &Fixture, header: &str) -> String {
        let claims = serde_json::to_vec(&example()).expect("claims serialise");
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = fixture.key.sign(input.as_bytes());
        format!("wst_{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_signed_token_is_good_with_and_without_its_prefix() {
        let f = fixture();
        let token = sign(&example(), &f.key);
        let bare = token.expose().strip_prefix("wst_").expect("has the prefix");
        for text in [token.expose(), bare] {
            let signed = check_signature(text, &f.keys).expect("signed by us");
            let claims = signed.valid_at(&f.expected, example().iat).expect("just issued");
            assert_eq!(*claims, example());
        }
        assert!(token.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
    }

    #[test]
    fn both_names_of_the_algorithm_are_bound_to_the_same_key_and_no_other_is() {
        let f = fixture();
        let kid = f.key.kid().clone();
        let header = |alg: &str| format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{kid}"}}"#);
        for alg in ["EdDSA", "Ed25519"] {
            assert!(check_signature(&with_header(&f, &header(alg)), &f.keys).is_ok(), "{alg}");
        }
        for alg in ["none", "nOnE", "", "eddsa", "HS256", "RS256", "ES256", "Ed448"] {
            let refusal = check_signature(&with_header(&f, &header(alg)), &f.keys).err();
            assert_eq!(refusal, Some(Refusal::NotOpened(NotOpened::Algorithm)), "{alg}");
        }
    }

    #[test]
    fn a_header_that_is_not_ours_is_refused() {
        let f = fixture();
        let kid = f.key.kid().clone();
        for header in [
            format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"EdDSA","typ":"AT+JWT","kid":"{kid}"}}"#),
            r#"{"alg":"EdDSA","typ":"at+jwt"}"#.to_owned(),
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"../../etc/passwd"}"#.to_owned(),
            format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":["{kid}"]}}"#),
            format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}","crit":["exp"]}}"#),
            format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}","jwk":{{}}}}"#),
        ] {
            assert!(check_signature(&with_header(&f, &header), &f.keys).is_err(), "{header}");
        }
    }

    #[test]
    fn a_token_of_another_key_is_refused_even_under_our_kid() {
        let f = fixture();
        let (other, _) = SigningKey::generate().expect("entropy");
        let foreign = sign(&example(), &other);
        assert_eq!(
            check_signature(foreign.expose(), &f.keys).err(),
            Some(Refusal::NotOpened(NotOpened::UnknownKey))
        );
        let ours = sign(&example(), &f.key);
        let (input, _) = ours.expose().rsplit_once('.').expect("three parts");
        let (_, signature) = foreign.expose().rsplit_once('.').expect("three parts");
        assert_eq!(
            check_signature(&format!("{input}.{signature}"), &f.keys).err(),
            Some(Refusal::NotOpened(NotOpened::Signature))
        );
    }

    #[test]
    fn no_other_spelling_of_a_token_is_accepted() {
        let f = fixture();
        let token = sign(&example(), &f.key);
        let text = token.expose();
        for end in 0..text.len() {
            assert!(check_signature(&text[..end], &f.keys).is_err(), "cut at {end}");
        }
        for other in [format!("{text}="), format!("{text} "), format!(" {text}"), text.repeat(2)] {
            assert!(check_signature(&other, &f.keys).is_err());
        }
        let long = format!("{text}{}", "A".repeat(LONGEST));
        assert_eq!(
            check_signature(&long, &f.keys).err(),
            Some(Refusal::Malformed(Malformed::TooLong))
        );
    }

    #[test]
    fn issuer_audience_and_times_are_looked_at_every_time() {
        let f = fixture();
        let claims = example();
        let signed = check_signature(sign(&claims, &f.key).expose(), &f.keys).expect("ours");
        let at = |seconds| signed.valid_at(&f.expected, seconds).err();
        assert_eq!(at(claims.iat.plus_seconds(-LEEWAY)), None);
        assert_eq!(at(claims.iat.plus_seconds(-LEEWAY - 1)), Some(Refusal::NotYet));
        assert_eq!(at(claims.exp.plus_seconds(LEEWAY - 1)), None);
        assert_eq!(at(claims.exp.plus_seconds(LEEWAY)), Some(Refusal::Expired));
        let other = |issuer: &str, audience: &str| {
            let expected = Expected { issuer: issuer.to_owned(), audience: audience.to_owned() };
            signed.valid_at(&expected, claims.iat).err()
        };
        assert_eq!(other("http://127.0.0.1:8480/", &claims.aud), Some(Refusal::Issuer));
        assert_eq!(other(&claims.iss, "http://127.0.0.1:8481"), Some(Refusal::Audience));
    }

    #[test]
    fn claims_of_another_kind_of_token_are_refused() {
        let f = fixture();
        let other = sign_jws(TOKEN_TYPE, &serde_json::json!({"sub": "someone"}), &f.key);
        assert_eq!(check_signature(&other, &f.keys).err(), Some(Refusal::Claims));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in "[A-Za-z0-9._-]{0,200}|.{0,200}") {
            let f = fixture();
            prop_assert!(check_signature(&text, &f.keys).is_err());
        }

        #[test]
        fn a_token_with_one_character_changed_is_refused(at in 4_usize..500, to in "[A-Za-z0-9_-]") {
            let f = fixture();
            let token = sign(&example(), &f.key);
            let mut text = token.expose().to_owned();
            let at = at % text.len();
            prop_assume!(at >= 4 && text.as_bytes()[at] != to.as_bytes()[0]);
            text.replace_range(at..=at, &to);
            prop_assert!(check_signature(&text, &f.keys).is_err());
        }
    }
}
