//! The bodies of entries, as they are drawn above.

use nt_token::{EntryId, Timestamp, WorkspaceId};

use super::{Fact, ProofOfDeath, ScopeOf, UnknownEntry};
use crate::bytes::{Reader, put_place, put_short, text};

const TOKEN_REVOKED: u16 = 1;
const SCOPE_REVOKED: u16 = 2;
const KEY_ADDED: u16 = 3;
const KEY_REVOKED: u16 = 4;
const NODE_JOINED: u16 = 5;
const NODE_FENCED: u16 = 6;
const NODE_GONE: u16 = 7;
const LEASE_LENGTHS: u16 = 8;
const HORIZON: u16 = 9;
const EPOCH_BEGAN: u16 = 10;

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
            Self::NodeJoined { .. } => NODE_JOINED,
            Self::NodeFenced { .. } => NODE_FENCED,
            Self::NodeGone { .. } => NODE_GONE,
            Self::LeaseLengths { .. } => LEASE_LENGTHS,
            Self::Horizon { .. } => HORIZON,
            Self::EpochBegan { .. } => EPOCH_BEGAN,
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
                scope.put(&mut body);
                except.iter().take(Self::EXCEPT_MAX).for_each(|place| put_place(&mut body, *place));
            }
            Self::KeyAdded { kid, jwk } => {
                put_short(&mut body, kid.as_str().as_bytes());
                body.extend(jwk.bytes());
            }
            Self::KeyRevoked { kid } => body.extend(kid.as_str().bytes()),
            Self::NodeJoined { node, incarnation } | Self::NodeGone { node, incarnation } => {
                body.extend([*node, *incarnation].map(u64::to_be_bytes).as_flattened());
            }
            Self::NodeFenced { node, incarnation, proof } => {
                body.extend([*node, *incarnation].map(u64::to_be_bytes).as_flattened());
                body.push(match proof {
                    ProofOfDeath::None => 0,
                    ProofOfDeath::LockTaken => 1,
                });
            }
            Self::LeaseLengths { node_ms, verifier_ms } => {
                body.extend([*node_ms, *verifier_ms].map(u32::to_be_bytes).as_flattened());
            }
            Self::Horizon { through } => body.extend(through.unix().to_be_bytes()),
            Self::EpochBegan { epoch, after, entry } => {
                body.extend([*epoch, *after].map(u64::to_be_bytes).as_flattened());
                body.extend(entry.0);
            }
        }
        body
    }

    /// Reads a body back.
    pub fn read(kind: u16, body: &[u8]) -> Result<Self, UnknownEntry> {
        let from = &mut Reader::new(body);
        let fact = match kind {
            TOKEN_REVOKED => token_revoked(from),
            SCOPE_REVOKED => scope_revoked(from),
            KEY_ADDED => key_added(from),
            KEY_REVOKED => key_revoked(from),
            NODE_JOINED => node_joined(from),
            NODE_FENCED => node_fenced(from),
            NODE_GONE => node_gone(from),
            LEASE_LENGTHS => lease_lengths(from),
            HORIZON => horizon(from),
            EPOCH_BEGAN => epoch_began(from),
            _ => return Err(UnknownEntry::Kind(kind)),
        };
        fact.filter(|_| from.is_at_end()).ok_or(UnknownEntry::Body(kind))
    }
}

fn token_revoked(from: &mut Reader<'_>) -> Option<Fact> {
    let (place, exp) = (from.place()?, Timestamp::from_unix(from.i64()?));
    Some(Fact::TokenRevoked { place, jti: text(from.rest())?.parse().ok()?, exp })
}

fn scope_revoked(from: &mut Reader<'_>) -> Option<Fact> {
    let scope = ScopeOf::take(from)?;
    let mut except = Vec::new();
    while !from.is_at_end() {
        except.push(from.place()?);
    }
    (except.len() <= Fact::EXCEPT_MAX).then_some(Fact::ScopeRevoked { scope, except })
}

fn key_added(from: &mut Reader<'_>) -> Option<Fact> {
    let kid = text(from.short()?)?.parse().ok()?;
    Some(Fact::KeyAdded { kid, jwk: text(from.rest())?.to_owned() })
}

fn key_revoked(from: &mut Reader<'_>) -> Option<Fact> {
    Some(Fact::KeyRevoked { kid: text(from.rest())?.parse().ok()? })
}

fn node_joined(from: &mut Reader<'_>) -> Option<Fact> {
    Some(Fact::NodeJoined { node: from.u64()?, incarnation: from.u64()? })
}

fn node_fenced(from: &mut Reader<'_>) -> Option<Fact> {
    let (node, incarnation) = (from.u64()?, from.u64()?);
    let proof = match from.byte()? {
        0 => ProofOfDeath::None,
        1 => ProofOfDeath::LockTaken,
        _ => return None,
    };
    Some(Fact::NodeFenced { node, incarnation, proof })
}

fn node_gone(from: &mut Reader<'_>) -> Option<Fact> {
    Some(Fact::NodeGone { node: from.u64()?, incarnation: from.u64()? })
}

fn lease_lengths(from: &mut Reader<'_>) -> Option<Fact> {
    Some(Fact::LeaseLengths { node_ms: from.u32()?, verifier_ms: from.u32()? })
}

fn horizon(from: &mut Reader<'_>) -> Option<Fact> {
    Some(Fact::Horizon { through: Timestamp::from_unix(from.i64()?) })
}

fn epoch_began(from: &mut Reader<'_>) -> Option<Fact> {
    Some(Fact::EpochBegan { epoch: from.u64()?, after: from.u64()?, entry: EntryId(from.array()?) })
}

impl ScopeOf {
    /// Writes it as `of`, the length of its id, and the id.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Workspace(id) => {
                out.push(1);
                put_short(out, id.as_bytes());
            }
            Self::Operator(id) => {
                out.push(2);
                put_short(out, id.as_str().as_bytes());
            }
            Self::All => out.extend([3, 0]),
            Self::Member(workspace, operator) => {
                out.push(4);
                put_short(out, &[workspace.as_bytes(), operator.as_str().as_bytes()].concat());
            }
        }
    }

    /// Reads it back.
    pub(crate) fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (of, id) = (from.byte()?, from.short()?);
        Some(match of {
            1 => Self::Workspace(WorkspaceId::from_bytes(id.try_into().ok()?)),
            2 => Self::Operator(text(id)?.parse().ok()?),
            3 if id.is_empty() => Self::All,
            4 => {
                let (workspace, operator) = id.split_first_chunk::<16>()?;
                Self::Member(WorkspaceId::from_bytes(*workspace), text(operator)?.parse().ok()?)
            }
            _ => return None,
        })
    }
}
