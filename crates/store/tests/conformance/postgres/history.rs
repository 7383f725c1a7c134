//! Databases that are behind, or other, than what was answered for.

use nt_postgres_testing::{Backup, Cluster, Commit, Replicated};
use nt_store::{Condition, Store, StoreError, Witness};

use super::recover::{recover, recovery};
use super::{Node, eventually, fact, open_at};
use crate::world::fresh_database;

fn lost(answer: Result<Node, StoreError>) -> (String, String) {
    match answer {
        Err(StoreError::HistoryLost { database, witness }) => (database, witness),
        Err(other) => panic!("refused otherwise: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

fn doubted(answer: Result<Node, StoreError>) -> String {
    match answer {
        Err(StoreError::HistoryInDoubt(why)) => why,
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
    // Now everybody knows, also who has no evidence.
    doubted(again(&old));
    let stranger = tempfile::tempdir().expect("a directory");
    let opened = open_at(&old, stranger.path(), |_| ());
    assert!(matches!(opened.map(|_| ()), Err(StoreError::HistoryInDoubt(_))));
    // Of a database that this journal knows nothing about, nothing is said to others.
    let foreign = fresh_database();
    assert!(matches!(again(&foreign).map(|_| ()), Err(StoreError::AnothersJournal(_))));
    Node::open(&foreign);
    again(&url).expect("the one that it is");
}

#[tokio::test]
async fn the_same_number_under_another_entry_is_no_better() {
    let cluster = Cluster::shared().expect("starts");
    let url = cluster.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(1)]).await.expect("appended");
    let node = node.close().await;
    let other = cluster.copy_of(&url).expect("a copy");
    for (url, directory) in
        [(&url, node.path()), (&other, tempfile::tempdir().expect("one").path())]
    {
        let (store, _) = open_at(url, directory, |_| ()).expect("opens");
        store.append(vec![fact(2)]).await.expect("appended");
        store.close().await;
    }
    let opened = open_at(&other, node.path(), |_| ());
    assert!(matches!(opened.map(|_| ()), Err(StoreError::HistoryLost { .. })));
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
async fn a_database_that_goes_back_in_time_under_a_running_node_is_in_doubt_for_all() {
    let cluster = Cluster::quick().expect("starts");
    let url = cluster.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(1)]).await.expect("appended");
    // It ends before what will be lost.
    let without_evidence = Node::open(&url).close().await;
    let backup = Backup::of(&cluster).expect("copied");
    node.store.append(vec![fact(2)]).await.expect("appended");
    cluster.return_to(&backup).expect("restored");
    until_in_doubt(&node).await;
    eventually("the doubt is written down", async || {
        let opened = open_at(&url, without_evidence.path(), |_| ());
        matches!(opened.map(|_| ()), Err(StoreError::HistoryInDoubt(_)))
    })
    .await;
    // Whoever was in doubt knows of the recovery, and that it is to start anew.
    let recovered = recover(&url, &recovery(Witness::default())).expect("recovered");
    let condition = node.store.condition();
    eventually("it sees the recovery", async || {
        *condition.borrow() == Condition::Recovered(recovered.to)
    })
    .await;
    assert_eq!(node.store.head().await.expect("answers"), recovered.to);
    let answer = node.store.append(vec![fact(3)]).await;
    assert!(matches!(answer, Err(StoreError::HistoryInDoubt(_))), "{answer:?}");
    node.reopen(&url).await.expect("goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_loses_nothing_is_followed_without_a_new_start() {
    let replicated = Replicated::start(Commit::Synchronous).expect("starts");
    let url = replicated.database().expect("a database");
    let (one, other) = (Node::open(&url), Node::open(&url));
    one.store.append(vec![fact(1)]).await.expect("appended");
    replicated.stop_primary().expect("stopped");
    replicated.promote().expect("promoted");
    for (node, number) in [(&one, 2), (&other, 3)] {
        let fact = fact(number);
        eventually("it writes again", async || node.store.append(vec![fact.clone()]).await.is_ok())
            .await;
    }
    for node in [&one, &other] {
        node.until_told(3).await;
        assert_eq!(*node.store.condition().borrow(), Condition::Sound);
        assert_eq!(node.log().await.len(), 3);
    }
    // What it may cost from now on is another question: nobody is waited for there.
    drop(other);
    one.reopen(&url).await.expect("as it was written down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_may_have_lost_a_commit_is_refused_for_good() {
    let replicated = Replicated::start(Commit::Asynchronous).expect("starts");
    let url = replicated.database().expect("a database");
    let (one, other) = (Node::open(&url), Node::open(&url));
    one.store.append(vec![fact(1)]).await.expect("appended");
    replicated.until_equal().expect("the standby has what there is");
    replicated.cut().expect("cut");
    one.store.append(vec![fact(2)]).await.expect("appended");
    replicated.stop_primary().expect("stopped");
    replicated.promote().expect("promoted");
    until_in_doubt(&one).await;
    until_in_doubt(&other).await;
    doubted(one.reopen(&url).await);
    let new = tempfile::tempdir().expect("a directory");
    let opened = open_at(&url, new.path(), |_| ());
    assert!(matches!(opened.map(|_| ()), Err(StoreError::HistoryInDoubt(_))));
}
