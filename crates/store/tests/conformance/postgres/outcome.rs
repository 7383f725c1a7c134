//! Commits whose outcome is not known, and what is made of them.

use std::sync::Arc;
use std::time::Duration;

use nt_postgres_testing::{Commit, Replicated};
use nt_store::{Store, StoreError};

use super::{Node, eventually, fact};

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'
    AND application_name = 'ntd'";

/// Cancels the wait for the replica: the server then says that it committed, and warns.
const CANCEL: &str = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
    WHERE wait_event = 'SyncRep' AND application_name = 'ntd'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_no_replica_has_is_no_success_until_one_has_it() {
    let replicated = Replicated::start(Commit::Synchronous).expect("starts");
    let url = replicated.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(0)]).await.expect("appended");
    replicated.cut().expect("cut");

    let store = Arc::clone(&node.store);
    let step = tokio::spawn(async move { store.append(vec![fact(1)]).await });
    let admin = |sql| replicated.primary().sql(sql).expect("answers");
    let mut cancelled = 0;
    eventually("the commit waits", async || admin(WAITING) != "0").await;
    for _ in 0..8 {
        cancelled += admin(CANCEL).parse::<u32>().expect("a number");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!step.is_finished(), "the wait was cancelled, and that is no success");
    }
    assert!(cancelled > 0);
    // The follower may know of it: it can be seen, and to refuse a token too early does no harm.
    replicated.heal().expect("healed");
    let end = step.await.expect("no panic").expect("proven by another commit");
    assert_eq!(end.seq, 2, "once");
    assert_eq!(node.told(), node.log().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_can_be_proven_the_caller_hears_that_it_is_not_known() {
    let replicated = Replicated::start(Commit::Synchronous).expect("starts");
    let url = replicated.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(0)]).await.expect("appended");
    replicated.cut().expect("cut");
    let fact = fact(1);
    let answer = node.store.append(vec![fact.clone()]).await;
    assert!(matches!(answer, Err(StoreError::OutcomeUnknown(_))), "{answer:?}");
    replicated.heal().expect("healed");
    let end = node.store.append(vec![fact]).await.expect("the same step again");
    assert_eq!(end.seq, 2, "is not taken twice");
    node.until_told(2).await;
    assert_eq!(node.told(), node.log().await);
}
