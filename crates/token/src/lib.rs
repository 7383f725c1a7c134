//! What a workspace token is.
//!
//! Pure: no IO and no async. Rules are told the time and handed their entropy, so that every one of
//! them can be tested without a clock. Here are the identifiers, the claims, signing and checking;
//! which tokens no longer count is the business of `nt-revocation`.

pub mod check;
pub mod claims;
pub mod client;
pub mod clock;
pub mod id;
pub mod jwk;
pub mod jws;
pub mod key;
pub mod network;
pub mod record;
pub mod scope;
pub mod secret;
pub mod sign;
pub mod time;
pub mod verifier;

pub use check::{Expected, Refusal, SignedClaims};
pub use claims::{Claims, Place};
pub use client::{ClientName, ClientRight, ClientRights};
pub use id::{EntryId, Jti, KeyId, OperatorId, WorkspaceId};
pub use key::{KeySet, SigningKey, VerifyingKey};
pub use network::{Network, Networks};
pub use record::{Expiry, State, TokenRecord, TokenStatus};
pub use scope::{Scope, Scopes};
pub use secret::Secret;
pub use time::{InvalidExpiration, Lifetime, Timestamp};
pub use verifier::{VerifierId, VerifierName};
