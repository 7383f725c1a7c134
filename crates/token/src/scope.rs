//! What a token may be used for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid scope: use 1 to 64 of a-z, 0-9, ':', '.', '_' and '-', and at most 32 scopes")]
pub struct InvalidScope;

/// One scope name: a scope-token of RFC 6749, section 3.3, kept to what is safe in a header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b":._-".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidScope)
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

/// A token's scopes: in the order given, each once, at most [`Scopes::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// A token's claims must stay small: they travel with every request.
    pub const MAX: usize = 32;

    /// Collects scopes, dropping repetitions; none means the default, `read write`.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, InvalidScope> {
        let mut kept: Vec<Scope> = Vec::new();
        for scope in scopes {
            if !kept.contains(&scope) {
                kept.push(scope);
            }
        }
        match kept.len() {
            0 => Ok(Self::default()),
            1..=Self::MAX => Ok(Self(kept)),
            _ => Err(InvalidScope),
        }
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether each of these is among the others.
    pub fn within(&self, others: &Self) -> bool {
        self.0.iter().all(|scope| others.contains(scope))
    }

    /// Whether this scope is among them.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self(vec![Scope("read".to_owned()), Scope("write".to_owned())])
    }
}

/// The space-separated form of RFC 6749, section 3.3, as in the `scope` claim.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&scope.0)?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let scopes = text.split(' ').map(str::parse).collect::<Result<Vec<_>, _>>()?;
        Self::new(scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_kept_in_order_and_once() {
        let scopes: Scopes = "write read write".parse().expect("well-formed");
        assert_eq!(scopes.to_string(), "write read");
    }

    #[test]
    fn scopes_are_within_others_that_have_each_of_them() {
        let scopes = |text: &str| text.parse::<Scopes>().expect("well-formed");
        assert!(scopes("write read").within(&scopes("read write deploy")));
        assert!(!scopes("read deploy").within(&Scopes::default()));
    }

    #[test]
    fn nothing_that_could_end_a_header_or_a_list_is_a_scope() {
        for text in ["", "a b", "a\r\nX: y", "Read", "a,b", "\"", &"a".repeat(65)] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
        assert!("read  write".parse::<Scopes>().is_err());
    }
}
