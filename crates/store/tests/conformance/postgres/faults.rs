//! Connections that are cut, and nodes that stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nt_postgres_testing::Session;
use nt_store::{RevokedToken, Store};
use nt_token::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;

use super::{Node, fact, is_dense, revoke, workspace};
use crate::world::{Ids, act, fresh_database, operator};

/// Ends the server's side of every connection of a store.
const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = 'ntd' AND datname = current_database()";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_cut_at_any_moment_lose_nothing_and_double_nothing() {
    let url = fresh_database();
    let node = Node::open(&url);
    let ids = Arc::new(Ids::default());
    let (id, _) = workspace(&*node.store, &ids).await;
    let ended = Arc::new(AtomicBool::new(false));
    let cutter = {
        let (url, ended) = (url.clone(), Arc::clone(&ended));
        tokio::task::spawn_blocking(move || {
            let mut session = Session::to(&url).expect("connects");
            while !ended.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(150));
                session.ask(CUT).expect("cut");
            }
        })
    };
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, ids) = (Arc::clone(&node.store), Arc::clone(&ids));
        tasks.spawn(async move {
            let mut answered = Vec::new();
            for _ in 0..8 {
                let mut new = ids.token(id);
                new.idempotency_key = Some(new.jti.to_string());
                let token = loop {
                    match store.create_token(new.clone(), act(&operator(1), 1)).await {
                        Ok(
                            nt_store::CreatedToken::New(token)
                            | nt_store::CreatedToken::Repeated(token),
                        ) => break token,
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => {}
                    }
                };
                let entry = ids.entry();
                let seq = loop {
                    match revoke(&*store, &token, entry).await {
                        Ok(RevokedToken::Revoked { seq, .. }) => break seq,
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => {}
                    }
                };
                answered.push((seq, entry));
            }
            answered
        });
    }
    let answered: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    ended.store(true, Ordering::SeqCst);
    cutter.await.expect("no panic");

    let log = node.log().await;
    assert_eq!(log.len(), answered.len(), "each once");
    assert!(is_dense(&log));
    for (seq, entry) in answered {
        assert_eq!(log[usize::try_from(seq - 1).expect("small")].id, entry);
    }
    node.until_told(log.len()).await;
    assert_eq!(node.told(), log);
}

#[tokio::test]
async fn a_node_that_stands_still_in_its_transaction_holds_the_others_up_for_two_seconds_at_most() {
    let url = fresh_database();
    let node = Node::open(&url);
    // What a frozen writer leaves behind: its transaction, begun as a writer begins it.
    let mut frozen = Session::to(&url).expect("connects");
    frozen
        .ask(
            "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '1500ms';
              SELECT * FROM meta FOR UPDATE",
        )
        .expect("locked");
    let before = SystemClock.boot();
    node.store.append(vec![fact(1)]).await.expect("appended");
    let waited = SystemClock.boot().since(before);
    assert!(waited > Duration::from_secs(1), "the lock was held: {waited:?}");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn while_the_database_is_away_callers_hear_so_and_afterwards_all_goes_on() {
    let cluster = nt_postgres_testing::Cluster::quick().expect("starts");
    let url = cluster.database().expect("a database");
    let node = Node::open(&url);
    node.store.append(vec![fact(1)]).await.expect("appended");
    cluster.stop_immediately().expect("stopped");
    let answer = node.store.append(vec![fact(2)]).await;
    assert!(matches!(answer, Err(nt_store::StoreError::Unavailable(_))), "{answer:?}");
    let answer = node.store.head().await;
    assert!(matches!(answer, Err(nt_store::StoreError::Unavailable(_))), "{answer:?}");
    cluster.start_again().expect("started");
    let end = node.store.append(vec![fact(3)]).await.expect("appended");
    assert_eq!(end.seq, 2);
    assert_eq!(node.told(), node.log().await);
}
