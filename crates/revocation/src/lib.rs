//! Which tokens no longer count.
//!
//! Everything that a verifier must know stands in one log: dense, in commit order, append-only. The
//! [`set::RevocationSet`] is what the log says so far, in a form that answers in nanoseconds; a
//! [`snapshot::Snapshot`] carries it elsewhere, and a run of entries what came after. No IO, no
//! clock, no async: the same code serves the authority and whoever follows its log.

mod bytes;
pub mod entry;
pub mod log;
pub mod protocol;
pub mod receipt;
pub mod set;
pub mod snapshot;
pub mod status;

pub use entry::{BadRun, Entry, Fact, ProofOfDeath, ScopeOf};
pub use log::{Position, first_of_epoch};
pub use receipt::Receipt;
pub use set::{OutOfOrder, RevocationSet};
pub use snapshot::{BadSnapshot, Snapshot};
pub use status::{Status, Why};
