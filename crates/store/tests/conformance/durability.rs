//! What outlives the process, and what is refused when it comes back.

use std::path::Path;
use std::sync::Arc;

use nt_revocation::Entry;
use nt_store::{
    AuditQuery, PageRequest, RevokedToken, SqliteStore, Store, StoreError, TokenFilter, Visibility,
};
use nt_token::TokenRecord;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::world::{Ids, T0, act, database, high_water, identity, open, operator, options};

/// A closed store in which one token was revoked this often.
async fn with_history(revocations: usize) -> (TempDir, TokenRecord) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path()).expect("opens");
    let (new, first) = Ids::default().workspace("demo");
    let jti = first.jti.clone();
    store.create_workspace(new.clone(), first, act(&operator(1), 0)).await.expect("created");
    let (token, _) = store.token(new.id, &jti).await.expect("answers").expect("there");
    revoke(&store, &token, revocations).await;
    store.close().await;
    (directory, token)
}

async fn revoke(store: &SqliteStore, token: &TokenRecord, times: usize) {
    for _ in 0..times {
        let entry = nt_token::EntryId(rand());
        let (jti, step) = (token.jti.clone(), act(&operator(1), 1));
        let answer = store.revoke_token(token.workspace, jti, entry, None, step).await;
        assert!(matches!(answer, Ok(RevokedToken::Revoked { .. })), "{answer:?}");
    }
}

/// Identifiers of entries differ from store to store.
fn rand() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("entropy");
    bytes
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("copied");
}

fn refused(directory: &Path) -> (String, String) {
    match open(directory) {
        Err(StoreError::HistoryLost { database, witness }) => (database, witness),
        Err(other) => panic!("refused otherwise: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn everything_is_there_again_after_closing_and_after_dropping() {
    let directory = tempfile::tempdir().expect("a directory");
    let ids = Ids::default();
    let (new, first) = ids.workspace("demo");
    let mut seen: Option<(Vec<Entry>, Vec<String>)> = None;
    for round in 0..4 {
        let store = open(directory.path()).expect("opens");
        if let Some(before) = seen {
            assert_eq!(state(&store).await, before, "round {round}");
        } else {
            store.found("https://a.example").await.expect("founded");
            let session = ids.session(identity("1", None), operator(1), 0);
            store.open_session(session).await.expect("opened");
            let made = store.create_workspace(new.clone(), first.clone(), act(&operator(1), 0));
            made.await.expect("created");
        }
        let (token, _) = store.token(new.id, &first.jti).await.expect("answers").expect("there");
        revoke(&store, &token, 3).await;
        seen = Some(state(&store).await);
        if round % 2 == 0 {
            store.close().await;
        }
    }
}

async fn state(store: &SqliteStore) -> (Vec<Entry>, Vec<String>) {
    let visible = Visibility::Everything;
    let query = AuditQuery { visible, jti: None, since: None, before: None, limit: 1_000 };
    let mut answers = Vec::new();
    for member in store.workspaces(&operator(1)).await.expect("answers") {
        let id = member.workspace.id;
        let page = store.tokens(id, TokenFilter::All, PageRequest::default()).await;
        answers.push(format!("{member:?} {:?}", page.expect("answers")));
    }
    answers.push(format!("{:?}", store.audit(query).await.expect("answers")));
    answers.push(format!("{:?}", store.found("https://b.example").await.expect("answers")));
    answers.push(format!("{:?}", store.live_sessions(T0).await.expect("answers")));
    (store.entries_after(0, 1_000).await.expect("answers"), answers)
}

#[tokio::test]
async fn an_older_copy_of_the_database_is_refused() {
    let (directory, token) = with_history(3).await;
    let backup = directory.path().join("backup");
    copy(&database(directory.path()), &backup);
    let store = open(directory.path()).expect("opens");
    revoke(&store, &token, 1).await;
    store.close().await;
    copy(&backup, &database(directory.path()));
    let (database, witness) = refused(directory.path());
    assert!(database.starts_with("3 of epoch 1"), "{database}");
    assert!(witness.starts_with("4 of epoch 1"), "{witness}");
    refused(directory.path());
}

#[tokio::test]
async fn a_database_of_another_history_is_refused() {
    for more in [0, 1] {
        let (directory, _) = with_history(3).await;
        let (other, _) = with_history(3 + more).await;
        copy(&database(other.path()), &database(directory.path()));
        let (database, witness) = refused(directory.path());
        assert!(database.starts_with(&format!("{} of epoch 1", 3 + more)), "{database}");
        assert!(witness.starts_with("3 of epoch 1"), "{witness}");
    }
}

#[tokio::test]
async fn a_lost_database_is_refused_and_no_empty_one_is_made() {
    let (directory, _) = with_history(1).await;
    std::fs::remove_file(database(directory.path())).expect("removed");
    let (_, witness) = refused(directory.path());
    assert!(witness.starts_with("1 of epoch 1"), "{witness}");
    assert!(!database(directory.path()).exists());
}

#[tokio::test]
async fn a_database_without_its_witness_is_refused() {
    let (directory, _) = with_history(1).await;
    std::fs::remove_file(high_water(directory.path())).expect("removed");
    let (database, witness) = refused(directory.path());
    assert!(database.starts_with("1 of epoch 1"), "{database}");
    assert!(witness.contains("missing"), "{witness}");
    assert!(!high_water(directory.path()).exists(), "none is made up");
}

#[tokio::test]
async fn a_witness_that_lags_behind_is_brought_up() {
    let (directory, token) = with_history(2).await;
    let lagging = directory.path().join("lagging");
    copy(&high_water(directory.path()), &lagging);
    let store = open(directory.path()).expect("opens");
    revoke(&store, &token, 2).await;
    store.close().await;
    // As after a crash between the commit and the witness.
    copy(&lagging, &high_water(directory.path()));
    open(directory.path()).expect("opens").close().await;
    let backup = directory.path().join("backup");
    copy(&database(directory.path()), &backup);
    std::fs::remove_file(database(directory.path())).expect("removed");
    let (_, witness) = refused(directory.path());
    assert!(witness.starts_with("4 of epoch 1"), "{witness}");
}

#[tokio::test]
async fn one_damaged_slot_of_the_witness_is_survived_and_two_are_not() {
    let (directory, token) = with_history(3).await;
    let path = high_water(directory.path());
    let whole = std::fs::read(&path).expect("the file");
    for slot in [0, 4_096] {
        let mut bytes = whole.clone();
        bytes[slot + 20] ^= 1;
        std::fs::write(&path, bytes).expect("damaged");
        let store = open(directory.path()).expect("opens");
        revoke(&store, &token, 1).await;
        store.close().await;
    }
    let mut bytes = std::fs::read(&path).expect("the file");
    bytes[20] ^= 1;
    bytes[4_096 + 20] ^= 1;
    std::fs::write(&path, bytes).expect("damaged");
    assert!(matches!(open(directory.path()), Err(StoreError::HighWater(at)) if at == path));
}

#[tokio::test]
async fn a_second_store_on_the_same_files_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let held = open(directory.path()).expect("opens");
    assert!(matches!(open(directory.path()), Err(StoreError::InUse)));
    held.close().await;
    open(directory.path()).expect("opens again");
}

#[tokio::test]
async fn a_database_that_another_process_writes_is_refused() {
    let (directory, _) = with_history(1).await;
    let other = Connection::open(database(directory.path())).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("writes");
    assert!(matches!(open(directory.path()), Err(StoreError::InUse)));
    other.execute_batch("ROLLBACK").expect("ends");
    open(directory.path()).expect("opens");
}

#[tokio::test]
async fn a_later_schema_is_refused() {
    const LATER: &str = "INSERT INTO refinery_schema_history
        SELECT 99, 'later', applied_on, checksum FROM refinery_schema_history
        WHERE version = 1";
    let (directory, _) = with_history(1).await;
    let other = Connection::open(database(directory.path())).expect("opens");
    other.execute_batch(LATER).expect("written");
    drop(other);
    let refused = open(directory.path());
    assert!(matches!(refused, Err(StoreError::LaterSchema { found: 99, .. })));
}

#[tokio::test]
async fn an_entry_of_an_unknown_kind_is_never_passed_over() {
    let (directory, _) = with_history(3).await;
    let other = Connection::open(database(directory.path())).expect("opens");
    other.execute_batch("UPDATE log SET kind = 999 WHERE seq = 2").expect("written");
    drop(other);
    let store = open(directory.path()).expect("opens");
    assert_eq!(store.entries_after(0, 1).await.expect("before it").len(), 1);
    assert!(matches!(store.entries_after(0, 9).await, Err(StoreError::UnknownEntry(_))));
}

#[tokio::test]
async fn a_log_with_a_gap_is_never_passed_over() {
    let (directory, _) = with_history(3).await;
    let other = Connection::open(database(directory.path())).expect("opens");
    other.execute_batch("DELETE FROM log WHERE seq = 2").expect("written");
    drop(other);
    let store = open(directory.path()).expect("opens");
    assert!(matches!(store.entries_after(0, 9).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn closing_finishes_what_was_accepted() {
    let (directory, token) = with_history(1).await;
    let store = Arc::new(open(directory.path()).expect("opens"));
    let mut steps = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (store, token) = (Arc::clone(&store), token.clone());
        steps.spawn(async move {
            let (jti, step) = (token.jti, act(&operator(1), 1));
            let entry = nt_token::EntryId(rand());
            store.revoke_token(token.workspace, jti, entry, None, step).await.is_ok()
        });
    }
    tokio::task::yield_now().await;
    store.close().await;
    let done = steps.join_all().await.into_iter().filter(|done| *done).count();
    drop(store);
    let store = open(directory.path()).expect("opens");
    let head = store.head().await.expect("answers").seq;
    assert_eq!(head, 1 + done as u64, "each that was answered, and no other");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path()).expect("opens");
    store.found("https://a.example").await.expect("written");
    for entry in std::fs::read_dir(directory.path()).expect("readable") {
        let entry = entry.expect("readable");
        let mode = entry.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
    assert_eq!(options(directory.path()).database, database(directory.path()));
}
