//! Several nodes on one database.

use std::sync::Arc;

use nt_revocation::protocol::{Incarnation, Member, NodeId};
use nt_store::{Home, NewNode, Renewal, Renewed, Store, WakeUps};
use tokio::task::JoinSet;

use super::{Node, fact, is_dense};
use crate::world::{T0, fresh_database};

const NODES: usize = 3;
const TASKS: u64 = 8;
const ROUNDS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_append_at_once_make_one_dense_log_and_each_is_told_all_of_it_in_order() {
    let url = fresh_database();
    let nodes: Vec<_> = (0..NODES)
        .map(|number| {
            Node::with(&url, |options| {
                if number == 0 {
                    options.wake_ups = WakeUps::Off;
                }
            })
        })
        .collect();
    let mut tasks = JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        for task in 0..TASKS {
            let (store, told) = (Arc::clone(&node.store), Arc::clone(&node.told));
            tasks.spawn(async move {
                for round in 0..ROUNDS {
                    let of = number as u64 * 1_000_000 + task * 1_000 + round;
                    let end = store.append(vec![fact(of)]).await.expect("appended");
                    let told = told.lock().expect("no panic").last().map(|entry| entry.seq);
                    assert!(told >= Some(end.seq), "answered before its follower was told");
                }
            });
        }
    }
    tasks.join_all().await;
    let log = nodes[0].log().await;
    let all = NODES * usize::try_from(TASKS * ROUNDS).expect("small");
    assert_eq!(log.len(), all);
    assert!(is_dense(&log));
    for node in &nodes {
        node.until_told(all).await;
        assert_eq!(node.told(), log, "each once and in order");
    }
}

#[tokio::test]
async fn a_node_that_nobody_wakes_looks_for_itself() {
    let url = fresh_database();
    let deaf = Node::with(&url, |options| options.wake_ups = WakeUps::Off);
    let other = Node::with(&url, |options| options.wake_ups = WakeUps::Off);
    for number in 0..3 {
        other.store.append(vec![fact(number)]).await.expect("appended");
    }
    deaf.until_told(3).await;
    assert_eq!(deaf.told(), other.told());
    assert_eq!(deaf.store.followed_to(), other.store.head().await.expect("answers"));
}

#[tokio::test]
async fn a_node_that_is_woken_does_not_wait_for_its_next_look() {
    let url = fresh_database();
    let hour = std::time::Duration::from_hours(1);
    let woken = Node::with(&url, |options| options.poll = hour);
    let other = Node::open(&url);
    // The first look comes with the start, and only then does it listen.
    other.store.append(vec![fact(0)]).await.expect("appended");
    woken.store.wake();
    woken.until_told(1).await;
    for number in 1..4 {
        other.store.append(vec![fact(number)]).await.expect("appended");
        let count = usize::try_from(number + 1).expect("small");
        woken.until_told(count).await;
    }
}

#[tokio::test]
async fn what_another_node_says_it_committed_is_told_at_once_and_only_once() {
    let url = fresh_database();
    let hour = std::time::Duration::from_hours(1);
    let hinted = Node::with(&url, |options| {
        options.poll = hour;
        options.wake_ups = WakeUps::Off;
    });
    let other = Node::open(&url);
    for number in 0..4 {
        other.store.append(vec![fact(number)]).await.expect("appended");
    }
    let log = other.log().await;
    hinted.store.hint(1, log[..2].to_vec());
    assert_eq!(hinted.told(), log[..2], "at once");
    hinted.store.hint(1, log[..2].to_vec());
    assert_eq!(hinted.told(), log[..2], "only once");
    // What lies between is read from the database, though nobody has said it.
    hinted.store.hint(1, log[3..].to_vec());
    hinted.until_told(4).await;
    assert_eq!(hinted.told(), log);
}

#[tokio::test]
async fn a_node_that_comes_later_is_told_what_comes_after_it_opened() {
    let url = fresh_database();
    let first = Node::open(&url);
    first.store.append(vec![fact(1), fact(2)]).await.expect("appended");
    let later = Node::open(&url);
    assert_eq!(later.store.began_at().seq, 2);
    later.store.append(vec![fact(3)]).await.expect("appended");
    assert_eq!(later.told(), first.log().await[2..]);
    first.until_told(3).await;
}

#[tokio::test]
async fn a_renewal_waits_for_no_step_and_of_two_copies_one_is_refused() {
    let url = fresh_database();
    let node = Node::open(&url);
    let member = Member { node: NodeId(u64::MAX), incarnation: Incarnation(7) };
    let new = NewNode {
        member,
        address: "https://a.example".to_owned(),
        home: Home([1; 16]),
        version: "1".to_owned(),
        at: T0,
    };
    let joined = node.store.join(new, fact(0).0).await.expect("joined");
    let renewal = Renewal { member, renewals: 0, acked: 0, at: T0 };

    // Somebody holds the lock that every writer waits for.
    let mut holder = nt_postgres_testing::Session::to(&url).expect("connects");
    holder.ask("BEGIN; SELECT * FROM meta FOR UPDATE").expect("locked");
    let stuck = Arc::clone(&node.store);
    let step = tokio::spawn(async move { stuck.append(vec![fact(1)]).await });
    let renewed = node.store.renew(renewal).await.expect("answers");
    assert_eq!(renewed, Renewed::Granted { head: joined });
    assert!(!step.is_finished(), "the step waits");
    holder.ask("ROLLBACK").expect("unlocked");
    step.await.expect("no panic").expect("appended");

    assert_eq!(node.store.renew(renewal).await.expect("answers"), Renewed::Refused, "a copy");
    let next = Renewal { renewals: 1, ..renewal };
    assert_eq!(
        node.store.renew(next).await.expect("answers"),
        Renewed::Granted { head: joined + 1 }
    );
}
