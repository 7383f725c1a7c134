//! A full disk: nothing is lost, nothing is said that did not happen, and it goes on once there is
//! room. Runs in a small file system of its own, which only root can mount.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use nt_revocation::Entry;
use nt_store::{
    CreatedToken, CreatedWorkspace, RevokedToken, SqliteOptions, SqliteStore, Store, StoreError,
};
use nt_token::{State, TokenRecord, WorkspaceId};
use tempfile::TempDir;

use crate::world::{Ids, act, database, follower, high_water, open, operator};

/// A file system of this many bytes, until it is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(bytes: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(directory.path())
            .output()
            .expect("the program mount is needed for this test");
        assert!(
            mounted.status.success(),
            "this test needs the right to mount a tmpfs (run it as root): {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        if !std::thread::panicking() {
            assert!(unmounted.expect("the program umount").success(), "still in use");
        }
    }
}

/// What was answered.
#[derive(Default)]
struct Answered {
    created: Vec<TokenRecord>,
    revoked: Vec<(TokenRecord, u64)>,
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_room_lets_the_store_go_on() {
    let disk = SmallDisk::mount(6 << 20);
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; 3 << 20]).expect("there is room");
    let (follower, told) = follower();
    let files =
        SqliteOptions { database: database(disk.path()), high_water: high_water(disk.path()) };
    let store = SqliteStore::open(files, follower).expect("opens");
    let ids = Ids::default();
    let (new, first) = ids.workspace("demo");
    let made = store.create_workspace(new.clone(), first, act(&operator(1), 0)).await;
    assert!(matches!(made, Ok(CreatedWorkspace::New(..))), "{made:?}");

    let mut answered = Answered::default();
    fill(&store, &ids, new.id, &mut answered).await;
    assert!(answered.created.len() > 10 && answered.revoked.len() > 5, "it was filled by steps");
    check(&store, &answered, &told).await;

    std::fs::remove_file(&ballast).expect("room is made");
    for _ in 0..10 {
        let more = step(&store, &ids, new.id, &mut answered).await;
        more.expect("there is room again");
    }
    check(&store, &answered, &told).await;
    store.close().await;
    drop(store);

    let store = open(disk.path()).expect("opens again");
    check(&store, &answered, &told).await;
    store.close().await;
}

/// Takes steps until the disk is full.
async fn fill(store: &SqliteStore, ids: &Ids, workspace: WorkspaceId, answered: &mut Answered) {
    for _ in 0..100_000 {
        match step(store, ids, workspace, answered).await {
            Ok(()) => {}
            Err(StoreError::Full) => return,
            Err(error) => panic!("failed otherwise: {error}"),
        }
    }
    panic!("the disk never became full");
}

/// Creates a large token and revokes it.
async fn step(
    store: &SqliteStore,
    ids: &Ids,
    workspace: WorkspaceId,
    answered: &mut Answered,
) -> Result<(), StoreError> {
    let mut new = ids.token(workspace);
    new.description = Some("large ".repeat(1_000));
    match store.create_token(new, act(&operator(1), 1)).await? {
        CreatedToken::New(token) => answered.created.push(token),
        other => panic!("no token: {other:?}"),
    }
    let jti = answered.created.last().expect("just pushed").jti.clone();
    let (entry, step) = (ids.entry(), act(&operator(1), 2));
    match store.revoke_token(workspace, jti, entry, None, step).await? {
        RevokedToken::Revoked { token, seq, .. } => answered.revoked.push((token, seq)),
        other @ RevokedToken::NotFound => panic!("not revoked: {other:?}"),
    }
    Ok(())
}

/// Everything that was answered is there, and the follower was told what is in the log.
async fn check(store: &SqliteStore, answered: &Answered, followed: &Arc<Mutex<Vec<Entry>>>) {
    let log = store.entries_after(0, u32::MAX).await.expect("reads");
    assert_eq!(*followed.lock().expect("no panic"), log);
    assert_eq!(log.len(), answered.revoked.len(), "no more than was answered");
    for token in &answered.created {
        let found = store.token(token.workspace, &token.jti).await.expect("reads");
        let found = found.expect("what was created is there").0;
        assert_eq!((found.place, found.rv), (token.place, token.rv));
    }
    for (token, seq) in &answered.revoked {
        let found = store.token(token.workspace, &token.jti).await.expect("reads");
        assert!(matches!(found.expect("there").0.state, State::Revoked { .. }));
        assert!(log.iter().any(|entry| entry.seq == *seq));
    }
}
