//! Identifiers, parsed once at the edge and never plain strings after that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;
use uuid::Uuid;

/// Why a text is not the identifier it was taken for.
///
/// The offending text is not repeated: it may be long, hostile or secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid {0} format")]
pub struct InvalidId(pub &'static str);

/// A JWT ID (RFC 7519, section 4.1.7): minted as `jti_` and a lower-case ULID, accepted as
/// `jti_[A-Za-z0-9]{1,64}`. It is safe in a path, a header, a log line and on a terminal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Jti(String);

impl Jti {
    /// Makes a new JTI from the wall time in milliseconds and 80 bits of entropy.
    pub fn mint(at_ms: u64, entropy: [u8; 10]) -> Self {
        Self(format!("jti_{}", ulid(at_ms, entropy)))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Jti {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        prefixed(text, "jti_", 64).map(Self).ok_or(InvalidId("JTI"))
    }
}

impl TryFrom<String> for Jti {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Jti> for String {
    fn from(id: Jti) -> Self {
        id.0
    }
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operator: a person signed in through the identity provider. `op_` and a lower-case ULID.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperatorId(String);

impl OperatorId {
    /// Makes a new operator identifier from the wall time in milliseconds and 80 bits of entropy.
    pub fn mint(at_ms: u64, entropy: [u8; 10]) -> Self {
        Self(format!("op_{}", ulid(at_ms, entropy)))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperatorId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        prefixed(text, "op_", 64).map(Self).ok_or(InvalidId("operator ID"))
    }
}

impl TryFrom<String> for OperatorId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<OperatorId> for String {
    fn from(id: OperatorId) -> Self {
        id.0
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `kid` of a signing key: the RFC 7638 thumbprint of its public half, 43 characters of
/// base64url.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=128).contains(&text.len()) && text.bytes().all(base64url) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("key ID"))
        }
    }
}

impl TryFrom<String> for KeyId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A workspace: a random (version 4) UUID, written with hyphens in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspaceId(Uuid);

impl WorkspaceId {
    /// Makes a new workspace identifier from 128 bits of entropy.
    pub fn mint(entropy: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(entropy).into_uuid())
    }

    /// The 16 bytes of the UUID.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The workspace whose UUID has these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl FromStr for WorkspaceId {
    type Err = InvalidId;

    /// Only the hyphenated form: the braced, URN and bare forms of a UUID would give one workspace
    /// several spellings.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() != 36 {
            return Err(InvalidId("workspace ID"));
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId("workspace ID"))
    }
}

impl TryFrom<String> for WorkspaceId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<WorkspaceId> for String {
    fn from(id: WorkspaceId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The random identity of a log entry. Equal ids at a sequence number mean equal histories, and a
/// retry after an unknown outcome is recognised by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub [u8; 16]);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn ulid(at_ms: u64, entropy: [u8; 10]) -> String {
    let mut random = [0; 16];
    random[6..].copy_from_slice(&entropy);
    Ulid::from_parts(at_ms, u128::from_be_bytes(random)).to_string().to_ascii_lowercase()
}

pub(crate) fn prefixed(text: &str, prefix: &str, longest: usize) -> Option<String> {
    let rest = text.strip_prefix(prefix)?;
    let fits = (1..=longest).contains(&rest.len());
    (fits && rest.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minted_jti_is_a_lower_case_ulid_and_parses() {
        let jti = Jti::mint(1_723_000_000_000, [7; 10]);
        assert_eq!(jti.as_str().len(), 30);
        assert_eq!(jti.as_str(), jti.as_str().to_ascii_lowercase());
        assert_eq!(jti.as_str().parse::<Jti>(), Ok(jti));
    }

    #[test]
    fn jtis_minted_later_sort_later() {
        assert!(Jti::mint(1, [255; 10]) < Jti::mint(2, [0; 10]));
    }

    #[test]
    fn only_the_documented_jti_form_is_accepted() {
        let long = format!("jti_{}", "a".repeat(65));
        let huge = format!("jti_{}", "a".repeat(10_240));
        let bad = [
            "",
            "jti_",
            "jti",
            "JTI_abc",
            "../../x",
            "..",
            "a?x=1",
            "jti_../x",
            "jti_a b",
            "jti_a\n",
            "jti_a\u{0}",
            "jti_\u{1b}[2J",
            "jti_é",
            "jti_a-b",
            " jti_abc",
            long.as_str(),
            huge.as_str(),
        ];
        for text in bad {
            assert_eq!(text.parse::<Jti>(), Err(InvalidId("JTI")), "{text:.40}");
        }
        for text in ["jti_abc123def456", "jti_A", &format!("jti_{}", "Z".repeat(64))] {
            assert!(text.parse::<Jti>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_workspace_id_has_one_spelling() {
        let id = WorkspaceId::mint([9; 16]);
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        for other in [text.replace('-', ""), format!("{{{text}}}"), format!("urn:uuid:{text}")] {
            assert!(other.parse::<WorkspaceId>().is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic_and_what_parses_is_kept(text in ".{0,80}") {
            if let Ok(jti) = text.parse::<Jti>() {
                prop_assert_eq!(jti.as_str(), text.as_str());
            }
            let _ = text.parse::<WorkspaceId>();
            let _ = text.parse::<KeyId>();
        }
    }
}
