//! Proof Key for Code Exchange (RFC 7636), method S256. The method `plain` is not offered.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_token::Secret;

use crate::entropy::{NoEntropy, unguessable};

/// The name of the method in an authorization request.
pub const METHOD: &str = "S256";

/// What the client keeps and sends only to the token endpoint.
#[derive(Debug, Clone)]
pub struct Verifier(Secret);

impl Verifier {
    /// Draws a verifier of 256 bits (RFC 7636, section 7.1).
    pub fn draw() -> Result<Self, NoEntropy> {
        Ok(Self(Secret::from(unguessable()?)))
    }

    /// The text, for the token request.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What goes into the authorization request.
    pub fn challenge(&self) -> Challenge {
        Challenge(derive(self.expose()))
    }
}

/// The hash of a verifier, which the authorization request shows to everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// Reads a challenge; anything but the base64url of 32 bytes cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }

    /// The challenge as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the verifier is well-formed (section 4.1) and this is its hash. The comparison takes
    /// the same time wherever the two differ.
    pub fn is_of(&self, verifier: &str) -> bool {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(unreserved)
            && verify_slices_are_equal(derive(verifier).as_bytes(), self.0.as_bytes()).is_ok()
    }
}

/// Section 4.2: `BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))`.
fn derive(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let challenge = Challenge::parse(CHALLENGE).expect("the RFC's own text");
        assert_eq!(Verifier(Secret::from(VERIFIER.to_owned())).challenge(), challenge);
        assert!(challenge.is_of(VERIFIER));
    }

    #[test]
    fn another_verifier_is_refused() {
        let challenge = Challenge::parse(CHALLENGE).expect("the RFC's own text");
        let other = Verifier::draw().expect("entropy");
        assert!(other.challenge().is_of(other.expose()));
        for verifier in [other.expose(), &VERIFIER[..42], CHALLENGE, "", &VERIFIER.repeat(3)] {
            assert!(!challenge.is_of(verifier), "{verifier:?}");
        }
    }

    #[test]
    fn an_ill_formed_verifier_is_refused_even_if_it_has_the_hash() {
        for verifier in ["short", &"ä".repeat(43), &format!("{VERIFIER} "), &"a".repeat(129)] {
            let challenge = Challenge::parse(&derive(verifier)).expect("a hash");
            assert!(!challenge.is_of(verifier), "{verifier:?}");
        }
    }

    #[test]
    fn what_is_not_a_hash_is_not_a_challenge() {
        for text in ["", "abc", &CHALLENGE[..42], &format!("{CHALLENGE}="), &"!".repeat(43)] {
            assert_eq!(Challenge::parse(text), None, "{text:?}");
        }
    }
}
