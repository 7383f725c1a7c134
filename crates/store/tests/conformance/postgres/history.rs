//! Databases that are behind, or other, than what was answered for.

use std::sync::Arc;

use nt_postgres_testing::{Backup, Cluster, Commit, Replicated};
use nt_store::{Condition, Store, StoreError};

use super::{Node, eventually, fact, open_at};
use crate::world::fresh_database;

fn lost(answer: Result<Node, StoreError>) -> (String, String) {
    match answer {
        Err(StoreError::HistoryLost { database, witness }) => (database, witness),
        Err(other) => panic!("refused otherwise: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

async fn until_in_doubt(node: &Node) {
    let condition = node.store.condition();
    eventually("the store is in doubt", async || {
        matches!(&*condition.borrow(), Condition::InDoubt(_))
    })
    .await;
    let answer = node.store.append(vec![fact(99)]).await;
    assert!(matches!(answer, Err(StoreError::HistoryInDoubt(_))), "{answer:?}");
    let answer = node.store.head().await;
    assert!(matches!(answer, Err(StoreError::HistoryInDoubt(_))), "{answer:?}");
}

#[tokio::test]
async fn a_node_goes_on_where_it_was_and_its_journal_takes_in_what_came_meanwhile() {
    let url = fresh_database();
    let node = Node::open(&url);
    node.store.append(vec![fact(1), fact(2)]).await.expect("appended");
    let other = Node::open(&url);
    let mut closed = Some(node.close().await);
    other.store.append(vec![fact(3)]).await.expect("appended");
    for round in 0..3 {
        let directory = closed.take().expect("a directory");
        let (store, told) = open_at(&url, directory.path(), |_| ()).expect("opens");
        assert_eq!(store.began_at().seq, 3 + round);
        store.append(vec![fact(4 + round)]).await.expect("appended");
        assert_eq!(told.lock().expect("no panic").len(), 1);
        store.close().await;
        closed = Some(directory);
    }
    let directory = closed.expect("a directory");
    let mut seqs = Vec::new();
    nt_store::journal::read_journal(&directory.path().join("journal"), |record| {
        seqs.extend(record.entry.is_some().then_some(record.position.seq));
        Ok(())
    })
    .expect("readable");
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6], "the whole log");
}

#[tokio::test]
async fn a_database_that_lacks_what_the_journal_has_is_refused() {
    let cluster = Cluster::shared().expect("starts");
    let url = cluster.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(1)]).await.expect("appended");
    let node = node.close().await;
    let old = cluster.copy_of(&url).expect("a copy");
    let (store, _) = open_at(&url, node.path(), |_| ()).expect("opens");
    store.append(vec![fact(2)]).await.expect("appended");
    store.close().await;

    let again = |url: &str| {
        open_at(url, node.path(), |_| ()).map(|(store, told)| Node {
            store,
            told,
            directory: tempfile::tempdir().expect("a directory"),
        })
    };
    let (database, witness) = lost(again(&old));
    assert!(database.starts_with("1 of epoch 1") && witness.starts_with("2 of epoch 1"));
    // The same number under another entry is no better.
    let stranger = Node::open(&old);
    stranger.store.append(vec![fact(7)]).await.expect("appended");
    stranger.close().await;
    lost(again(&old));
    lost(again(&fresh_database()));
    again(&url).expect("the one that it is");
}

#[tokio::test]
async fn a_second_process_on_one_journal_is_told_that_it_is_in_use() {
    let url = fresh_database();
    let directory = tempfile::tempdir().expect("a directory");
    let _first = open_at(&url, directory.path(), |_| ()).expect("opens");
    let second = open_at(&url, directory.path(), |_| ());
    assert!(matches!(second, Err(StoreError::InUse)));
}

#[tokio::test]
async fn a_database_that_goes_back_in_time_under_a_running_node_puts_it_in_doubt() {
    let cluster = Cluster::quick().expect("starts");
    let url = cluster.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(1)]).await.expect("appended");
    let backup = Backup::of(&cluster).expect("copied");
    node.store.append(vec![fact(2)]).await.expect("appended");
    cluster.return_to(&backup).expect("restored");
    until_in_doubt(&node).await;
    lost(node.reopen(&url).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_puts_a_node_in_doubt_and_a_new_start_tells_whether_it_lost_anything() {
    let replicated = Replicated::start(Commit::Synchronous).expect("starts");
    let url = replicated.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(1)]).await.expect("appended");
    replicated.stop_primary().expect("stopped");
    replicated.promote().expect("promoted");
    until_in_doubt(&node).await;
    let node = node.reopen(&url).await.expect("nothing was lost");
    let end = node.store.append(vec![fact(2)]).await.expect("appended");
    assert_eq!(end.seq, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_lost_a_commit_is_refused_for_good() {
    let replicated = Replicated::start(Commit::Asynchronous).expect("starts");
    let url = replicated.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(1)]).await.expect("appended");
    let sent = replicated.primary().sql("SELECT pg_current_wal_lsn()").expect("answers");
    eventually("the standby has what there is", async || {
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{sent}'");
        replicated.standby().sql(&sql).expect("answers") == "t"
    })
    .await;
    replicated.cut().expect("cut");
    node.store.append(vec![fact(2)]).await.expect("appended");
    let alive = Arc::clone(&node.store);
    replicated.stop_primary().expect("stopped");
    replicated.promote().expect("promoted");
    until_in_doubt(&node).await;
    drop(alive);
    lost(node.reopen(&url).await);
}
