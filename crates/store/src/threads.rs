//! The threads that a store owns.

use std::thread::JoinHandle;

use crate::error::StoreError;

/// Threads that end when they have nothing left to do.
#[derive(Default)]
pub(crate) struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    pub(crate) fn push(&mut self, thread: JoinHandle<()>) {
        self.0.push(thread);
    }

    /// Waits for their end.
    pub(crate) fn join(self) {
        let here = std::thread::current().id();
        if self.0.iter().any(|thread| thread.thread().id() == here) {
            // The follower was the last to hold the store. A thread cannot wait for itself: it ends
            // when it has nothing left to do, and the others after it.
            return;
        }
        for thread in self.0 {
            join(thread);
        }
    }
}

/// Waits for the end of a thread; nothing where it has panicked.
pub(crate) fn join<T>(thread: JoinHandle<T>) -> Option<T> {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    let ended = thread.join();
    if ended.is_err() {
        tracing::error!(thread = name, "a thread of the store has panicked");
    }
    ended.ok()
}

/// Starts a thread.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|source| StoreError::File { what: "starting a thread", source })
}
