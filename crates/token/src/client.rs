//! How a client of the OAuth endpoints is named, and what it may do there. What it proves itself with is
//! a [`Secret`](crate::Secret).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::verifier::is_name;

/// Why a text is no name of a client. The text is not repeated: it may be long or hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "A client's name has 3 to 64 lower-case letters, digits, hyphens and dots, begins with a \
     letter, does not end with a hyphen or a dot, and has no two dots in a row"
)]
pub struct InvalidClientName;

/// What people call a client, and its `client_id` (RFC 6749, section 2.2): made as a verifier's name
/// is. It means the same in a path, in a form and in `Authorization: Basic`, encoded or not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientName(String);

impl ClientName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = InvalidClientName;

    fn from_str(text: &str) -> Result<Self, InvalidClientName> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidClientName) }
    }
}

impl TryFrom<String> for ClientName {
    type Error = InvalidClientName;

    fn try_from(text: String) -> Result<Self, InvalidClientName> {
        text.parse()
    }
}

impl From<ClientName> for String {
    fn from(name: ClientName) -> Self {
        name.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client may do with tokens that it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientRight {
    /// Ask whether a token is good (RFC 7662).
    Introspect,
    /// Revoke a token (RFC 7009).
    Revoke,
}

impl ClientRight {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Introspect, Self::Revoke];

    /// The right as text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Introspect => "introspect",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for ClientRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a text is no right of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A client may 'introspect', 'revoke', or both")]
pub struct InvalidClientRight;

impl FromStr for ClientRight {
    type Err = InvalidClientRight;

    fn from_str(text: &str) -> Result<Self, InvalidClientRight> {
        Self::ALL.into_iter().find(|right| right.name() == text).ok_or(InvalidClientRight)
    }
}

/// All that a client may do: one thing at the least. Written with spaces between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<ClientRight>", into = "BTreeSet<ClientRight>")]
pub struct ClientRights(BTreeSet<ClientRight>);

impl ClientRights {
    /// Whether this is among it.
    pub fn allow(&self, right: ClientRight) -> bool {
        self.0.contains(&right)
    }

    /// Each of them, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = ClientRight> {
        self.0.iter().copied()
    }
}

impl TryFrom<BTreeSet<ClientRight>> for ClientRights {
    type Error = InvalidClientRight;

    fn try_from(rights: BTreeSet<ClientRight>) -> Result<Self, InvalidClientRight> {
        if rights.is_empty() { Err(InvalidClientRight) } else { Ok(Self(rights)) }
    }
}

impl From<ClientRights> for BTreeSet<ClientRight> {
    fn from(rights: ClientRights) -> Self {
        rights.0
    }
}

impl FromStr for ClientRights {
    type Err = InvalidClientRight;

    fn from_str(text: &str) -> Result<Self, InvalidClientRight> {
        let rights = text.split(' ').map(str::parse).collect::<Result<BTreeSet<_>, _>>()?;
        rights.try_into()
    }
}

impl fmt::Display for ClientRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, right) in self.0.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{right}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_as_a_verifier_is() {
        for name in ["billing", "api-1.example", "abc"] {
            assert_eq!(name.parse::<ClientName>().expect("a name").as_str(), name);
        }
        for name in ["", "ab", "Billing", "a b", "a:b", "a%20b", "a+b", "a_b", "abc-"] {
            assert_eq!(name.parse::<ClientName>(), Err(InvalidClientName), "{name}");
        }
    }

    #[test]
    fn rights_are_one_or_more_of_the_two_in_a_fixed_order() {
        for (text, written) in [
            ("introspect", "introspect"),
            ("revoke", "revoke"),
            ("revoke introspect", "introspect revoke"),
            ("revoke revoke", "revoke"),
        ] {
            assert_eq!(text.parse::<ClientRights>().expect("rights").to_string(), written);
        }
        for text in ["", " ", "introspect ", "Introspect", "issue", "introspect,revoke"] {
            assert_eq!(text.parse::<ClientRights>(), Err(InvalidClientRight), "{text}");
        }
        let only = "introspect".parse::<ClientRights>().expect("rights");
        assert!(only.allow(ClientRight::Introspect) && !only.allow(ClientRight::Revoke));
    }
}
