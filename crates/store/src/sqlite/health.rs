//! Whether the store may still say anything.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::StoreError;

/// Shared by the threads of a store. Once stopped, it stays so: after a failed fsync nothing that
/// the process believes about the disk can be trusted, and only a new start reads it anew.
#[derive(Debug, Default)]
pub(super) struct Health(AtomicBool);

impl Health {
    pub(super) fn stop(&self, doing: &str, error: &dyn Display) {
        if !self.0.swap(true, Ordering::SeqCst) {
            tracing::error!(%error, "the store stops: {doing} failed, and its state is in doubt");
        }
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.has_stopped() { Err(StoreError::Stopped) } else { Ok(()) }
    }
}
