//! How a revocation came into force at this node's verifiers: what a receipt says of them.

use std::sync::Arc;
use std::time::Duration;

use super::roster::Who;

/// Who is known to have applied an entry, and who ran out of lease instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// These acknowledged it.
    pub acked: Vec<Arc<Who>>,
    /// These were waited for until they could no longer say "good".
    pub cut_off: Vec<CutOff>,
}

/// A verifier that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOff {
    /// Who it is.
    pub who: Arc<Who>,
    /// For how long it had said nothing of how far it is when its lease ended.
    pub silent: Duration,
}

/// A verifier that ran out of lease while it owed acknowledgements.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub(super) verifier: CutOff,
    /// The last entry that it had acknowledged.
    pub(super) after: u64,
    /// The log's end when its lease ended.
    pub(super) upto: u64,
}

impl Cut {
    pub(super) const fn missed(&self, seq: u64) -> bool {
        self.after < seq && seq <= self.upto
    }
}
