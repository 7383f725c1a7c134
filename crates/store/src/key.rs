//! Signing keys: what is kept of one, and what is handed in to be kept. The private half is encrypted
//! where it comes in and where it goes out; what it is encrypted under is not known here.

use std::fmt;

use nt_token::key::Algorithm;
use nt_token::{EntryId, KeyId, Timestamp};

/// A private key, encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey(pub Vec<u8>);

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedKey")
    }
}

/// A signing key to be kept.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its identifier.
    pub kid: KeyId,
    /// The one algorithm that it signs with.
    pub algorithm: Algorithm,
    /// The public half, a JWK.
    pub jwk: String,
    /// The private half.
    pub sealed: SealedKey,
    /// What it is added for.
    pub purpose: Purpose,
    /// How the log comes to know it.
    pub logged: Logged,
}

/// What a key is added for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To sign at once, if no other key does. Of several nodes that start at the same time, one has
    /// its key kept.
    First,
    /// To be announced now, and to sign from this time on, when everybody knows it.
    Next(Timestamp),
    /// To check what it signed elsewhere.
    Old,
}

/// How the log comes to know a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    /// By an entry that this step appends.
    With(EntryId),
    /// By the entry of this number, which is there already.
    At(u64),
}

/// What a key is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is told to everybody, and signs nothing before this time.
    Announced {
        /// The time.
        signs_from: Timestamp,
    },
    /// It signs.
    Active,
    /// It checks what it signed.
    Retired,
    /// Nothing that it signed counts.
    Revoked,
}

impl KeyState {
    /// The name in the database and in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// A signing key that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its identifier.
    pub kid: KeyId,
    /// The one algorithm that it signs with.
    pub algorithm: Algorithm,
    /// The public half, a JWK.
    pub jwk: String,
    /// The private half; a revoked key has none.
    pub sealed: Option<SealedKey>,
    /// The entry of the log that brought it.
    pub seq: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is used for.
    pub state: KeyState,
    /// Since when.
    pub since: Timestamp,
}

/// What became of a key to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedKey {
    /// It is kept.
    Added,
    /// It was kept before.
    Known,
    /// This one already is what it was to be: the one that signs, or the one that is announced.
    Taken(KeyId),
}

/// What became of a key that is to sign no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetiredKey {
    /// It is retired.
    Retired,
    /// It signed nothing before.
    Before,
    /// It is the one that signs: another must first.
    Signs,
    /// There is no such key.
    NotFound,
}

/// What became of a key to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedKey {
    /// Nothing that it signed counts, by this entry of the log.
    Revoked {
        /// The entry's number.
        seq: u64,
        /// How many live tokens it had signed.
        tokens: u64,
        /// The key that signs in its stead, where it signed.
        successor: Option<KeyId>,
    },
    /// There is no such key.
    NotFound,
}

/// Why the tokens of a revoked key were revoked, as their records say it.
pub(crate) const KEY_REVOKED: &str = "signing key revoked";
