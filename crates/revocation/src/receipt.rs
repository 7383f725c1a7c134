//! The receipt of a revocation: the authority's signed statement that it is in force.
//!
//! ```text
//! receipt   JWS (RFC 7515) with "typ":"revocation-receipt+jwt", signed by a key of the authority
//!
//! payload   iss, iat                          who states it, and when
//!           jti, workspace_id                 what was revoked
//!           position {epoch, seq, entry_id}   the entry of the log that did it
//!           committed_at_ms, in_force_at_ms, waited_ms
//!           proven, nodes, verifiers {acknowledged, cut_off [{name, silent_for_ms}]}
//! ```
//!
//! It is a statement and opens nothing: its `typ` keeps it apart from tokens, in both directions. When
//! a revocation is in force is decided elsewhere.

use nt_token::jws::{Compact, Malformed};
use nt_token::key::NotOpened;
use nt_token::sign::sign_jws;
use nt_token::{EntryId, Jti, KeySet, SigningKey, Timestamp, WorkspaceId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::log::Position;

/// The media type of a receipt.
pub const RECEIPT_TYPE: &str = "revocation-receipt+jwt";

/// The longest receipt that is looked at, in bytes: one that names several hundred verifiers.
pub const LONGEST: usize = 64 * 1_024;

/// What an authority states of a revocation. Wall times are milliseconds since the Unix epoch, for
/// people: no rule rests on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The authority.
    pub iss: String,
    /// When it stated this.
    pub iat: Timestamp,
    /// The token.
    pub jti: Jti,
    /// The token's workspace.
    pub workspace_id: WorkspaceId,
    /// The log's entry by which the token is revoked.
    #[serde(with = "position")]
    pub position: Position,
    /// When that entry was committed; cut to the second where `waited_ms` is missing.
    pub committed_at_ms: u64,
    /// From when on no check anywhere accepts the token.
    pub in_force_at_ms: u64,
    /// How long it took from the one to the other. Nothing where the receipt was signed later: then
    /// the revocation is in force at `in_force_at_ms` at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// How it is known.
    pub proven: Proven,
    /// How many nodes of the authority were counted.
    pub nodes: u32,
    /// Which verifiers were counted. Nothing where the receipt was signed later, when it was not known
    /// any more who had followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifiers: Option<Verifiers>,
}

/// How it is known that a revocation is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proven {
    /// Each node and each verifier has said that it has applied it.
    Acked,
    /// Who has not said so has no lease any more: every lease under which anybody could still have said
    /// "good" has expired.
    Expired,
}

/// The verifiers of a receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verifiers {
    /// How many said that they have applied it.
    pub acknowledged: u32,
    /// Which did not, and accept nothing because their lease is over.
    pub cut_off: Vec<CutOff>,
}

/// A verifier that was cut off by its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutOff {
    /// Its name.
    pub name: String,
    /// For how long nothing was heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_for_ms: Option<u64>,
}

/// Why a text is not a receipt of the authority with these keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAReceipt {
    /// Not a compact JWS as we demand it.
    #[error("malformed: {0}")]
    Malformed(#[from] Malformed),
    /// Something else that is signed.
    #[error("its type is not that of a receipt")]
    Type,
    /// None of the keys signed it.
    #[error("{0}")]
    NotOpened(#[from] NotOpened),
    /// The payload is not that of a receipt.
    #[error("its content is not that of a receipt")]
    Content,
}

/// Signs a receipt.
pub fn sign(receipt: &Receipt, key: &SigningKey) -> String {
    sign_jws(RECEIPT_TYPE, receipt, key)
}

/// What a receipt states, if one of these keys signed it.
pub fn verify(text: &str, keys: &KeySet) -> Result<Receipt, NotAReceipt> {
    let jws = parse(text)?;
    let (_, payload) = keys.open(&jws)?;
    read(&payload)
}

/// What a receipt states although its signature is not checked: for showing what has just come from
/// the authority itself.
pub fn read_unverified(text: &str) -> Result<Receipt, NotAReceipt> {
    read(&parse(text)?.unverified_payload()?)
}

fn parse(text: &str) -> Result<Compact<'_>, NotAReceipt> {
    let jws = Compact::parse(text, LONGEST)?;
    if jws.header.typ.as_deref() == Some(RECEIPT_TYPE) { Ok(jws) } else { Err(NotAReceipt::Type) }
}

fn read(payload: &[u8]) -> Result<Receipt, NotAReceipt> {
    serde_json::from_slice(payload).map_err(|_| NotAReceipt::Content)
}

/// A position as JSON: the entry's identity in hexadecimal.
mod position {
    use super::{Deserialize, Deserializer, EntryId, Position, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        epoch: u64,
        seq: u64,
        #[serde(with = "super::hexadecimal")]
        entry_id: EntryId,
    }

    pub(super) fn serialize<S: Serializer>(at: &Position, to: S) -> Result<S::Ok, S::Error> {
        Written { epoch: at.epoch, seq: at.seq, entry_id: at.entry }.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Position, D::Error> {
        let Written { epoch, seq, entry_id: entry } = Written::deserialize(from)?;
        Ok(Position { epoch, seq, entry })
    }
}

/// An entry's identity as it is displayed: 32 lower-case digits, and no other spelling.
mod hexadecimal {
    use serde::de::Error as _;

    use super::{Deserialize, Deserializer, EntryId, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &EntryId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EntryId, D::Error> {
        let text = String::deserialize(from)?;
        let is_canonical = text.len() == 32
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| is_canonical);
        number
            .map(|number| EntryId(number.to_be_bytes()))
            .ok_or_else(|| D::Error::custom("not the identity of an entry"))
    }
}

#[cfg(test)]
mod tests;
