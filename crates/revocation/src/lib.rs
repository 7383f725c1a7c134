//! Which tokens no longer count.
//!
//! Everything that a verifier must know stands in one log: dense, in commit order, append-only. The
//! [`set::RevocationSet`] is what the log says so far, in a form that answers in nanoseconds. No IO,
//! no clock, no async: the same code serves the authority and, later, whoever follows its log.

pub mod entry;
pub mod log;
pub mod receipt;
pub mod set;
pub mod status;

pub use entry::{Entry, Fact, ScopeOf};
pub use log::Position;
pub use receipt::Receipt;
pub use set::{OutOfOrder, RevocationSet};
pub use status::{Status, Why};
