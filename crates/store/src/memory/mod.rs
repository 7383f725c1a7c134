//! The store as a model: plain maps under one lock, obviously right, gone when dropped.
//!
//! Tests compare other stores with it, and a simulation runs on it. What the steps do stands in the
//! module of their subject.

mod keys;
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

use std::sync::{Mutex, PoisonError};

use self::state::State;
use crate::error::StoreError;
use crate::store::Follower;

/// A store in memory.
pub struct MemoryStore {
    /// Nothing once the store is closed.
    state: Mutex<Option<State>>,
    follower: Follower,
}

impl MemoryStore {
    /// An empty store whose follower is told of each entry from the first on.
    pub fn new(follower: Follower) -> Self {
        Self { state: Mutex::new(Some(State::default())), follower }
    }

    fn read<T>(
        &self,
        question: impl FnOnce(&State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        question(state.as_ref().ok_or(StoreError::Stopped)?)
    }

    /// Takes a step and tells the follower under the lock, so that it hears of entries in order. A
    /// step that fails must not have changed anything yet: it looks first.
    fn write<T>(
        &self,
        step: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.as_mut().ok_or(StoreError::Stopped)?;
        let told = state.log.len();
        let answer = step(state)?;
        if state.log.len() > told {
            (self.follower)(&state.log[told..]);
        }
        Ok(answer)
    }

    fn forget(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
