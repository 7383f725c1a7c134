//! The store as a model: plain maps under one lock, obviously right, gone when dropped.
//!
//! Tests compare other stores with it, and a simulation runs on it. What the steps do stands in the
//! module of their subject.

mod by_key;
mod clients;
mod keys;
mod lists;
mod log;
mod members;
mod nodes;
mod receipts;
mod records;
mod sessions;
mod state;
mod steps;
mod tokens;
mod verifiers;
mod workspaces;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use self::state::State;
use crate::error::StoreError;
use crate::store::{Follower, Sharing};

/// A store in memory.
pub struct MemoryStore {
    memory: Arc<Mutex<Memory>>,
    /// Nothing once the store is closed.
    follower: Mutex<Option<Arc<Follower>>>,
    sharing: Sharing,
}

/// What the stores of all nodes have in common.
#[derive(Default)]
struct Memory {
    state: State,
    followers: Vec<Weak<Follower>>,
}

/// A memory that several nodes share.
#[derive(Default)]
pub struct SharedMemory(Arc<Mutex<Memory>>);

impl SharedMemory {
    /// The store of one node. Its follower is told of each entry from now on, whichever node appends
    /// it.
    pub fn store(&self, follower: Follower) -> MemoryStore {
        MemoryStore::on(Arc::clone(&self.0), follower, Sharing::WithOthers)
    }
}

impl MemoryStore {
    /// An empty store whose follower is told of each entry from the first on.
    pub fn new(follower: Follower) -> Self {
        Self::on(Arc::default(), follower, Sharing::Alone)
    }

    fn on(memory: Arc<Mutex<Memory>>, follower: Follower, sharing: Sharing) -> Self {
        let follower = Arc::new(follower);
        let told = Arc::downgrade(&follower);
        memory.lock().unwrap_or_else(PoisonError::into_inner).followers.push(told);
        Self { memory, follower: Mutex::new(Some(follower)), sharing }
    }

    fn read<T>(
        &self,
        question: impl FnOnce(&State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        question(&self.open()?.state)
    }

    /// Takes a step and tells the followers under the lock, so that they hear of entries in order. A
    /// step that fails must not have changed anything yet: it looks first.
    fn write<T>(
        &self,
        step: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut memory = self.open()?;
        let told = memory.state.log.len();
        let answer = step(&mut memory.state)?;
        let new = &memory.state.log[told..];
        if !new.is_empty() {
            memory.followers.iter().filter_map(Weak::upgrade).for_each(|follower| follower(new));
        }
        Ok(answer)
    }

    /// The memory, unless this store is closed.
    fn open(&self) -> Result<MutexGuard<'_, Memory>, StoreError> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        follower.as_ref().map(|_| memory).ok_or(StoreError::Stopped)
    }

    /// Lets no one in any more, and tells its follower nothing.
    fn forget(&self) {
        let _memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
