//! When a node is asked, and what its answer means.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use nt_revocation::Why;
use nt_token::clock::ManualClock;

use super::world::*;
use crate::{Answer, Ask, Asking, Freshness, NotReady, Refused};

struct Node {
    says: Mutex<Result<Answer, NotReady>>,
    asked: AtomicUsize,
}

impl Node {
    fn saying(answer: Result<Answer, NotReady>) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(answer), asked: AtomicUsize::new(0) })
    }

    fn says(&self, answer: Result<Answer, NotReady>) {
        *self.says.lock().expect("nobody panicked") = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Ask for Node {
    fn ask<'a>(&'a self, _token: &'a str) -> Asking<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = *self.says.lock().expect("nobody panicked");
        Box::pin(async move { answer })
    }
}

fn asking(node: &Arc<Node>) -> World {
    World::at(Arc::new(ManualClock::at(ISSUED)), Some(Arc::clone(node) as _))
}

#[tokio::test]
async fn a_sync_check_asks_each_time_and_the_node_decides() {
    let node = Node::saying(Ok(Answer::Good));
    let world = asking(&node);
    world.renew();
    let token = world.token(0, HERE);
    let ask = || world.verifier.verify_or_ask(&token, Freshness::Sync);
    ask().await.expect("the node says so");
    node.says(Ok(Answer::Refused));
    assert_eq!(assert_refused(ask().await), Refused::ByAuthority);
    node.says(Err(NotReady::NoAnswer));
    assert_eq!(assert_not_ready(ask().await), NotReady::NoAnswer, "a lease is no substitute");
    assert_eq!(node.asked(), 3);
}

#[tokio::test]
async fn a_local_check_asks_only_while_nothing_is_known_here() {
    let node = Node::saying(Ok(Answer::Good));
    let world = asking(&node);
    let token = world.token(0, HERE);
    let ask = || world.verifier.verify_or_ask(&token, Freshness::Local);
    let verified = ask().await.expect("the node says so");
    assert!(!verified.still_valid(), "here it is still not known");
    world.renew();
    ask().await.expect("known here");
    assert_eq!(node.asked(), 1);
}

#[tokio::test]
async fn nobody_is_asked_about_what_is_known_to_be_bad() {
    let node = Node::saying(Ok(Answer::Good));
    let world = asking(&node);
    world.renew();
    world.apply(revoke(HERE));
    let token = world.token(0, HERE);
    for freshness in [Freshness::Local, Freshness::Sync] {
        let refused = assert_refused(world.verifier.verify_or_ask(&token, freshness).await);
        assert_eq!(refused, Refused::Revoked(Why::Token));
        assert_refused(world.verifier.verify_or_ask("nonsense", freshness).await);
    }
    assert_eq!(node.asked(), 0);
}

#[tokio::test]
async fn with_nobody_to_ask_a_sync_check_is_not_ready() {
    let world = World::at(Arc::new(ManualClock::at(ISSUED)), None);
    world.renew();
    let token = world.token(0, HERE);
    let result = world.verifier.verify_or_ask(&token, Freshness::Sync).await;
    assert_eq!(assert_not_ready(result), NotReady::NoAnswer);
}
