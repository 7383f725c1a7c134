//! Which of an authority's nodes is followed, for whoever asks one about a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The place of the node in the list of addresses. Clones see the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Current(Arc<AtomicUsize>);

impl Current {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, node: usize) {
        self.0.store(node, Ordering::Relaxed);
    }
}
