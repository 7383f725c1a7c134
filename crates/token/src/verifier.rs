//! How a verifier is named. What it proves itself with is a [`Secret`](crate::Secret).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{InvalidId, prefixed, ulid};

/// A verifier in the register: `vrf_` and a lower-case ULID. A name can be given again after its
/// verifier was removed; an identifier never is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierId(String);

impl VerifierId {
    /// Makes a new identifier from the wall time in milliseconds and 80 bits of entropy.
    pub fn mint(at_ms: u64, entropy: [u8; 10]) -> Self {
        Self(format!("vrf_{}", ulid(at_ms, entropy)))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VerifierId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        prefixed(text, "vrf_", 64).map(Self).ok_or(InvalidId("verifier ID"))
    }
}

impl TryFrom<String> for VerifierId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<VerifierId> for String {
    fn from(id: VerifierId) -> Self {
        id.0
    }
}

impl fmt::Display for VerifierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for VerifierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name of a verifier. The text is not repeated: it may be long or hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "A verifier's name has 3 to 64 lower-case letters, digits, hyphens and dots, begins with a \
     letter, does not end with a hyphen or a dot, and has no two dots in a row"
)]
pub struct InvalidVerifierName;

/// What people call a verifier: 3 to 64 lower-case letters, digits, hyphens and dots, beginning with
/// a letter, ending with a letter or a digit, and with no two dots in a row. Host names fit. It is
/// safe in a path, a log line and on a terminal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierName(String);

impl VerifierName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VerifierName {
    type Err = InvalidVerifierName;

    fn from_str(text: &str) -> Result<Self, InvalidVerifierName> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidVerifierName) }
    }
}

/// Whether this may name a service.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (3..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(allowed)
        && !text.ends_with(['-', '.'])
        && !text.contains("..")
}

impl TryFrom<String> for VerifierName {
    type Error = InvalidVerifierName;

    fn try_from(text: String) -> Result<Self, InvalidVerifierName> {
        text.parse()
    }
}

impl From<VerifierName> for String {
    fn from(name: VerifierName) -> Self {
        name.0
    }
}

impl fmt::Display for VerifierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for VerifierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_names_are_accepted() {
        let (longest, too_long) = ("a".repeat(64), "a".repeat(65));
        for name in ["edge", "edge-1", "eu.edge-1.example", "a--b", "abc", &longest] {
            assert_eq!(name.parse::<VerifierName>().expect("a name").as_str(), name);
        }
        for name in [
            "", "ab", "1ab", "-ab", ".ab", "Edge", "a_b", "a b", "a/b", "äbc", "abc\n", "../x",
            "edge..", "edge.", "edge-", "eu..edge", "a..", &too_long,
        ] {
            assert_eq!(name.parse::<VerifierName>(), Err(InvalidVerifierName), "{name:.40}");
        }
    }

    #[test]
    fn a_minted_identifier_parses() {
        let id = VerifierId::mint(1_723_000_000_000, [7; 10]);
        assert_eq!(id.as_str().len(), 30);
        assert_eq!(id.as_str().parse(), Ok(id));
        assert!("jti_abc".parse::<VerifierId>().is_err());
    }
}
