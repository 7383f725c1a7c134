//! Where in the log one is.

use nt_token::EntryId;

/// A position in the log. Sequence numbers alone are no identity: after a fail-over or a restore
/// another history may use them again, and only the entry's random id tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Raised when a history was lost and put together again.
    pub epoch: u64,
    /// Number of the entry, from 1; 0 is the empty log.
    pub seq: u64,
    /// Identity of the entry; all zeros for the empty log.
    pub entry: EntryId,
}

impl Position {
    /// The position before the first entry.
    pub const START: Self = Self { epoch: 1, seq: 0, entry: EntryId([0; 16]) };
}
