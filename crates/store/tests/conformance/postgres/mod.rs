//! What is so of PostgreSQL alone: several nodes, lost answers, lost histories.

mod control;
mod faults;
mod gate;
mod history;
mod outcome;
mod plans;
mod pooler;
mod several;

use std::path::Path;
use std::sync::Arc;

use nt_revocation::{Entry, Fact};
use nt_store::{PostgresOptions, PostgresStore, RevokedToken, Store, StoreError};
use nt_token::{EntryId, TokenRecord, WorkspaceId};
use tempfile::TempDir;

use crate::world::{Followed, Ids, act, follower, operator, postgres_options};

/// One of several nodes, with a journal of its own.
pub(super) struct Node {
    pub(super) store: Arc<PostgresStore>,
    pub(super) told: Followed,
    directory: TempDir,
}

impl Node {
    pub(super) fn open(url: &str) -> Self {
        Self::with(url, |_| ())
    }

    pub(super) fn with(url: &str, set: impl FnOnce(&mut PostgresOptions)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, told) = open_at(url, directory.path(), set).expect("opens");
        Self { store, told, directory }
    }

    /// The same node after its end, as soon as the database can be reached.
    pub(super) async fn reopen(self, url: &str) -> Result<Self, StoreError> {
        let directory = self.close().await;
        for _ in 0..20 {
            match open_at(url, directory.path(), |_| ()) {
                Err(StoreError::Unavailable(_)) => {}
                opened => return opened.map(|(store, told)| Self { store, told, directory }),
            }
        }
        Err(StoreError::Unavailable("not at all".to_owned()))
    }

    /// Ends it; what is left is its journal.
    pub(super) async fn close(self) -> TempDir {
        self.store.close().await;
        self.directory
    }

    pub(super) fn told(&self) -> Vec<Entry> {
        self.told.lock().expect("no panic").clone()
    }

    /// Waits until the follower was told of this many.
    pub(super) async fn until_told(&self, count: usize) {
        eventually("the follower is told", async || self.told().len() >= count).await;
    }

    pub(super) async fn log(&self) -> Vec<Entry> {
        self.store.entries_after(0, u32::MAX).await.expect("answers")
    }
}

pub(super) fn open_at(
    url: &str,
    directory: &Path,
    set: impl FnOnce(&mut PostgresOptions),
) -> Result<(Arc<PostgresStore>, Followed), StoreError> {
    let (follower, told) = follower();
    let mut options = postgres_options(url, directory);
    set(&mut options);
    Ok((Arc::new(PostgresStore::open(options, follower)?), told))
}

/// Looks again until it is so; a minute is forever.
pub(super) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..6_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// A fact that is like no other.
pub(super) fn fact(number: u64) -> (EntryId, Fact) {
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id).expect("entropy");
    (EntryId(id), Fact::NodeGone { node: number, incarnation: 1 })
}

/// A workspace with its first token.
pub(super) async fn workspace(store: &dyn Store, ids: &Ids) -> (WorkspaceId, TokenRecord) {
    let (new, first) = ids.workspace(&format!("demo {}", ids.next()));
    match store.create_workspace(new, first, act(&operator(1), 0)).await {
        Ok(nt_store::CreatedWorkspace::New(workspace, token)) => (workspace.id, token),
        other => panic!("no workspace: {other:?}"),
    }
}

pub(super) async fn revoke(
    store: &dyn Store,
    token: &TokenRecord,
    entry: EntryId,
) -> Result<RevokedToken, StoreError> {
    let step = act(&operator(1), 1);
    store.revoke_token(token.workspace, token.jti.clone(), entry, None, step).await
}

pub(super) fn is_dense(log: &[Entry]) -> bool {
    (1..).zip(log).all(|(seq, entry)| entry.seq == seq)
}
