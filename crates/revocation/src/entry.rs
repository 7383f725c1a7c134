//! The log's entries and their bytes.
//!
//! ```text
//! entry   seq u64 │ entry id 16 bytes │ kind u16 │ body
//!
//! kind 1  token revoked   list u32 │ idx u32 │ exp i64 │ JTI, the rest as ASCII
//! kind 2  scope revoked   of u8 │ id length u8 │ id │ n × (list u32 │ idx u32), n ≤ 64, the exceptions
//! kind 3  key added       kid length u8 │ kid │ JWK, the rest as JSON
//! kind 4  key revoked     kid, the rest as ASCII
//! ```
//!
//! of      1 workspace: its UUID, 16 bytes · 2 operator: its ID · 3 all: nothing · 4 member: UUID, then ID
//!
//! Numbers are big-endian. An unknown kind is an error: whoever cannot read an entry cannot know what
//! it revoked, and must refuse rather than pass over it.

use nt_token::{EntryId, Jti, KeyId, OperatorId, Place, Timestamp, WorkspaceId};

/// Whose tokens a scope revocation covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ScopeOf {
    /// All of a workspace.
    Workspace(WorkspaceId),
    /// All that an operator had issued.
    Operator(OperatorId),
    /// All that an operator had issued for one workspace.
    Member(WorkspaceId, OperatorId),
    /// All of the authority.
    All,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// One token no longer counts.
    TokenRevoked {
        /// Its place in the set.
        place: Place,
        /// Its identifier, for people and for witnesses; the place is what counts.
        jti: Jti,
        /// When it would have ended: after that the entry may be forgotten.
        exp: Timestamp,
    },
    /// No token of a scope that was issued before this entry counts, but for the exceptions.
    ScopeRevoked {
        /// Whose tokens.
        scope: ScopeOf,
        /// At most [`Fact::EXCEPT_MAX`] tokens that go on counting.
        except: Vec<Place>,
    },
    /// From here on the authority may sign with this key.
    KeyAdded {
        /// The key's identifier.
        kid: KeyId,
        /// Its public half (RFC 7517), as JSON.
        jwk: String,
    },
    /// Nothing that this key signed counts.
    KeyRevoked {
        /// The key's identifier.
        kid: KeyId,
    },
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number: one more than that of the entry before.
    pub seq: u64,
    /// Its random identity.
    pub id: EntryId,
    /// What it says.
    pub fact: Fact,
}

/// Bytes that are not an entry of a kind that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownEntry {
    /// Written by a later version.
    #[error("log entry of unknown kind {0}")]
    Kind(u16),
    /// Not the body of its kind.
    #[error("log entry of kind {0} with a malformed body")]
    Body(u16),
}

const TOKEN_REVOKED: u16 = 1;
const SCOPE_REVOKED: u16 = 2;
const KEY_ADDED: u16 = 3;
const KEY_REVOKED: u16 = 4;

impl Fact {
    /// A scope revocation has at most this many exceptions: each is looked at in every check of the
    /// scope's tokens.
    pub const EXCEPT_MAX: usize = 64;

    /// The number of its kind.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::TokenRevoked { .. } => TOKEN_REVOKED,
            Self::ScopeRevoked { .. } => SCOPE_REVOKED,
            Self::KeyAdded { .. } => KEY_ADDED,
            Self::KeyRevoked { .. } => KEY_REVOKED,
        }
    }

    /// The bytes of its body.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        match self {
            Self::TokenRevoked { place, jti, exp } => {
                put_place(&mut body, *place);
                body.extend(exp.unix().to_be_bytes());
                body.extend(jti.as_str().bytes());
            }
            Self::ScopeRevoked { scope, except } => {
                put_scope(&mut body, scope);
                except.iter().take(Self::EXCEPT_MAX).for_each(|place| put_place(&mut body, *place));
            }
            Self::KeyAdded { kid, jwk } => {
                put_short(&mut body, kid.as_str().as_bytes());
                body.extend(jwk.bytes());
            }
            Self::KeyRevoked { kid } => body.extend(kid.as_str().bytes()),
        }
        body
    }

    /// Reads a body back.
    pub fn read(kind: u16, body: &[u8]) -> Result<Self, UnknownEntry> {
        let fact = match kind {
            TOKEN_REVOKED => read_token(body),
            SCOPE_REVOKED => read_scope(body),
            KEY_ADDED => read_key(body),
            KEY_REVOKED => {
                text(body).and_then(|kid| kid.parse().ok()).map(|kid| Self::KeyRevoked { kid })
            }
            _ => return Err(UnknownEntry::Kind(kind)),
        };
        fact.ok_or(UnknownEntry::Body(kind))
    }
}

fn put_place(body: &mut Vec<u8>, place: Place) {
    body.extend(place.list.to_be_bytes());
    body.extend(place.idx.to_be_bytes());
}

/// Writes a text of at most 255 bytes behind its length; identifiers are shorter by their parsers.
fn put_short(body: &mut Vec<u8>, text: &[u8]) {
    body.push(u8::try_from(text.len()).expect("identifiers have at most 128 bytes"));
    body.extend(text);
}

fn put_scope(body: &mut Vec<u8>, scope: &ScopeOf) {
    match scope {
        ScopeOf::Workspace(id) => {
            body.push(1);
            put_short(body, id.as_bytes());
        }
        ScopeOf::Operator(id) => {
            body.push(2);
            put_short(body, id.as_str().as_bytes());
        }
        ScopeOf::All => body.extend([3, 0]),
        ScopeOf::Member(workspace, operator) => {
            body.push(4);
            put_short(body, &[workspace.as_bytes(), operator.as_str().as_bytes()].concat());
        }
    }
}

fn read_token(body: &[u8]) -> Option<Fact> {
    let (place, rest) = take_place(body)?;
    let (exp, jti) = rest.split_first_chunk::<8>()?;
    let exp = Timestamp::from_unix(i64::from_be_bytes(*exp));
    Some(Fact::TokenRevoked { place, jti: text(jti)?.parse().ok()?, exp })
}

fn read_scope(body: &[u8]) -> Option<Fact> {
    let (of, rest) = body.split_first()?;
    let (id, mut rest) = take_short(rest)?;
    let scope = match of {
        1 => ScopeOf::Workspace(WorkspaceId::from_bytes(id.try_into().ok()?)),
        2 => ScopeOf::Operator(text(id)?.parse().ok()?),
        3 if id.is_empty() => ScopeOf::All,
        4 => {
            let (workspace, operator) = id.split_first_chunk::<16>()?;
            ScopeOf::Member(WorkspaceId::from_bytes(*workspace), text(operator)?.parse().ok()?)
        }
        _ => return None,
    };
    let mut except = Vec::new();
    while !rest.is_empty() {
        let (place, after) = take_place(rest)?;
        except.push(place);
        rest = after;
    }
    (except.len() <= Fact::EXCEPT_MAX).then_some(Fact::ScopeRevoked { scope, except })
}

fn read_key(body: &[u8]) -> Option<Fact> {
    let (kid, jwk) = take_short(body)?;
    Some(Fact::KeyAdded { kid: text(kid)?.parse().ok()?, jwk: text(jwk)?.to_owned() })
}

fn take_place(body: &[u8]) -> Option<(Place, &[u8])> {
    let (list, rest) = body.split_first_chunk::<4>()?;
    let (idx, rest) = rest.split_first_chunk::<4>()?;
    let place = Place { list: u32::from_be_bytes(*list), idx: u32::from_be_bytes(*idx) };
    (place.idx < Place::LIST_MAX).then_some((place, rest))
}

fn take_short(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Vec<Fact> {
        let place = Place { list: 4_000_000_000, idx: Place::LIST_MAX - 1 };
        let jti = Jti::mint(1_723_000_000_000, [9; 10]);
        let operator = OperatorId::mint(1_723_000_000_000, [8; 10]);
        let kid: KeyId = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".parse().expect("a kid");
        let scope = |scope, except| Fact::ScopeRevoked { scope, except };
        vec![
            Fact::TokenRevoked { place, jti, exp: Timestamp::from_unix(-1) },
            scope(ScopeOf::Workspace(WorkspaceId::mint([7; 16])), vec![]),
            scope(ScopeOf::Operator(operator.clone()), vec![place; Fact::EXCEPT_MAX]),
            scope(ScopeOf::Member(WorkspaceId::mint([7; 16]), operator), vec![]),
            scope(ScopeOf::All, vec![place]),
            Fact::KeyAdded { kid: kid.clone(), jwk: r#"{"kty":"OKP"}"#.to_owned() },
            Fact::KeyRevoked { kid },
        ]
    }

    #[test]
    fn facts_read_back_as_written() {
        for fact in facts() {
            assert_eq!(Fact::read(fact.kind(), &fact.body()), Ok(fact));
        }
    }

    #[test]
    fn a_body_cut_short_is_never_another_fact_of_the_same_place() {
        for fact in facts() {
            let body = fact.body();
            for end in 0..body.len() {
                assert_ne!(Fact::read(fact.kind(), &body[..end]), Ok(fact.clone()));
            }
        }
    }

    #[test]
    fn an_unknown_kind_is_an_error_and_not_passed_over() {
        assert_eq!(Fact::read(999, &[]), Err(UnknownEntry::Kind(999)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(kind in 0_u16..6, body in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(fact) = Fact::read(kind, &body) {
                prop_assert_eq!(fact.body(), body);
            }
        }
    }
}
