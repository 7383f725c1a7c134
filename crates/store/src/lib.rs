//! Where the authority remembers.
//!
//! The only crate that knows a database. A method of [`Store`] is one atomic step of the domain, with
//! its audit record in the same transaction; who may take the step is decided elsewhere. One writer
//! batches all that waits into one commit, which is what makes the log dense and in commit order.

pub mod audit;
mod client;
pub mod error;
mod high_water;
pub mod journal;
pub mod key;
pub mod list;
pub mod memory;
pub mod moving;
pub mod node;
mod place;
pub mod postgres;
pub mod receipt;
pub mod record;
pub mod recovery;
pub mod right;
mod sql;
pub mod sqlite;
pub mod store;
mod threads;
mod verifier;

pub use audit::{Act, Action, AuditPage, AuditQuery, AuditRecord, Denial, Visibility};
pub use client::{AddedClient, Client, NewClient};
pub use error::StoreError;
pub use key::{
    AddedKey, KeyState, Logged, NewKey, Purpose, RetiredKey, RevokedKey, SealedKey, StoredKey,
};
pub use list::{KnownList, ListedPlaces};
pub use memory::{MemoryStore, SharedMemory};
pub use moving::{ExportKind, ImportError, Moved};
pub use node::{End, Home, KnownNode, NewNode, Renewal, Renewed, Standing};
pub use place::forgettable;
pub use postgres::{Concern, Condition, Gate, Pooling, PostgresOptions, PostgresStore, WakeUps};
pub use receipt::KeptReceipt;
pub use record::{
    Authority, Belonging, Grant, Identity, JobToken, Member, NewSession, NewToken, NewWorkspace,
    Operator, Organisation, PageRequest, Person, PersonKey, Role, Session, SessionHash, SessionId,
    TokenFilter, TokenPage, UseDelta, Workspace,
};
pub use recovery::{Findings, LeasesOut, Recovered, Recovery, Witness};
pub use right::Right;
pub use sqlite::{SqliteOptions, SqliteStore};
pub use store::{
    AddedMember, ChangedMember, CreatedToken, CreatedWorkspace, DeletedWorkspace, Follower,
    RefreshedToken, RevokedToken, Sharing, Store,
};
pub use verifier::{AddedVerifier, CredentialHash, NewVerifier, Verifier};
